"""The lock file: what it says of policies, and what makes it invalid."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from locations import DATA
from locks import (
    BUNDLED,
    JULY,
    MODEL,
    OCTOBER,
    POLICIES,
    READS_PDF,
    golden,
    live,
    locked,
    of_july,
    resolved,
)
from strategies import NOW

from router import Catalogue, ConfigurationError, Lock, Policy


@given(resolved())
def test_a_lock_that_was_written_reads_the_same(
    made: tuple[dict[str, Policy], Catalogue, Lock],
) -> None:
    """The text of a lock parses to an equal lock, with the same text."""
    lock = made[2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "router.lock"
        path.write_text(lock.to_toml(), encoding="utf-8")
        again = Lock.read(path)
    assert again == lock
    assert again.to_toml() == lock.to_toml()


def test_a_lock_of_july() -> None:
    """The lock of July is the file that was written then."""
    assert locked(POLICIES, of_july(), now=JULY).to_toml() == golden("july.lock")


def test_a_lock_of_the_bundled_catalogue() -> None:
    """Every part of a policy that decides is in the file, and what is the default is not."""
    asked = {
        "reports": Policy(
            require="pdf_input and thinking.adaptive",
            prefer=['display_name == "Claude Opus 5"', "effort.max"],
            minimum_age="2w",
            alternatives=["pdf_input"],
        ),
        "bulk": Policy(require="structured_outputs", order="cheapest"),
        "any": Policy(),
    }
    catalogue = live(
        *(dict(model.entry) for model in BUNDLED if model.line == "opus"),
        as_of=OCTOBER,
        source="bundled",
    )
    assert locked(asked, catalogue, now=NOW).to_toml() == golden("parts.lock")
    assert Lock.read(DATA / "locks" / "parts.lock") == locked(asked, catalogue, now=NOW)


GOOD = golden("july.lock")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("version = 1", "", ": version: is missing"),
        ("version = 1", "version = 0", ": version: must be 1 (got 0)"),
        ("version = 1", "version = true", ": version: must be 1 (got True)"),
        (
            "version = 1",
            "version = 2",
            ": version 2 needs a later release of router; this one reads version 1",
        ),
        (
            "version = 1",
            "version = 1\nmade_by = 5",
            ": made_by: unknown key; there is version, catalogue, policies",
        ),
        ("version = 1", "version = ", ": not a valid TOML file: "),
        ("[catalogue]", "[catalog]", ": catalog: unknown key; did you mean catalogue?"),
        ('source = "live"', "source = 5", ": catalogue.source: must be a string (got 5)"),
        (
            'source = "live"',
            'sorce = "live"',
            ": catalogue.sorce: unknown key; did you mean source?",
        ),
        (
            "2026-07-01 00:00:00+00:00",
            "2026-07-01",
            ": catalogue.as_of: must be a date and time with its zone",
        ),
        ("digest = ", "disgest = ", ": catalogue.disgest: unknown key; did you mean digest?"),
        (
            "[policies.agents]",
            "[policies.pdf_input]",
            ": policies.pdf_input: pdf_input is a capability",
        ),
        (
            "[policies.agents]",
            "[policies.agents]\nmodle = 1",
            ": policies.agents.modle: unknown key; did you mean model?",
        ),
        ('model = "claude-sonnet-5"', "", ": policies.agents.model: is missing"),
        (
            'model = "claude-sonnet-5"',
            'model = "claude sonnet"',
            ": policies.agents.model: must be the id of a model",
        ),
        (
            'minimum_age = "1d"',
            'minimum_age = "soon"',
            ": policies.agents.minimum_age: must be a duration",
        ),
        (
            "[policies.agents]",
            "[policies]\nagents = 5\n[policies.x]",
            ": policies.agents: must be a table (got int)",
        ),
        ('why = "newest', 'whi = "newest', ": policies.agents.whi: unknown key; did you mean why?"),
    ],
)
def test_a_file_that_is_no_lock(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """An error names the file, the key path and what was expected."""
    path = tmp_path / "router.lock"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Lock.read(path)
    assert str(caught.value).startswith(f"{path}{problem}")


def test_all_problems_of_a_lock_are_one_error(tmp_path: Path) -> None:
    """Each is told once, and what a wrong table lacks is not told at all."""
    path = tmp_path / "router.lock"
    path.write_text(
        """
version = 1
catalogue = 5
[policies]
a = 5
[policies.b]
requre = "pdf_input"
model = "two words"
[policies.c]
require = "pdf_input and"
modle = "claude-one"
why = 5
""",
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError) as caught:
        Lock.read(path)
    assert [
        each.removeprefix(f"{path}: ").partition(": ")[0] for each in caught.value.problems
    ] == [
        "catalogue",
        "policies.a",
        "policies.b.requre",
        "policies.b.why",
        "policies.b.model",
        "policies.c.modle",
        "policies.c.require",
        "policies.c.why",
    ]


def test_a_lock_is_a_value() -> None:
    """A lock is hashable, its policies cannot be set, and they are sorted however they were given."""
    lock = locked({**READS_PDF, "bulk": Policy()}, live(MODEL), now=NOW)
    turned = evolve(lock, policies=dict(reversed([*lock.policies.items()])))
    assert turned.to_toml() == lock.to_toml()
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    assert hash(lock) == hash(locked(READS_PDF, live(MODEL), now=NOW))
    with pytest.raises(TypeError):
        lock.policies["reports"] = lock.policies["reports"]  # type: ignore[index]
