"""Gates: whether the model that was pinned may be used with a feature, and why."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from crowds import DOWN, SIX, Machine
from fake_api import entries
from fake_source import FakeSource
from hypothesis import given
from hypothesis import strategies as st
from strategies import Entry, catalogue_of, listings, requirements

from router import (
    BundledSource,
    Catalogue,
    ConfigurationError,
    Gate,
    GateReason,
    Requirement,
    RequirementError,
    RequirementSyntaxError,
    Router,
    UnknownNameError,
    require,
)
from router._errors import quoted
from router.cli._commands import run

HAIKU = "claude-haiku-4-5"
ID = "claude-haiku-4-5-20251001"


@pytest.fixture
def router() -> Router:
    """A router over the bundled catalogue."""
    return Router(BundledSource())


@pytest.mark.parametrize(
    ("asked", "default", "value", "reason"),
    [
        ("structured_outputs", False, True, GateReason.SUPPORTED),
        ("effort.max", True, False, GateReason.UNSUPPORTED),
        ("max_input_tokens >= 200k and pdf_input", False, True, GateReason.SUPPORTED),
        ("max_input_tokens > 200k", True, False, GateReason.UNSUPPORTED),
        ("compaction.summarize", True, True, GateReason.UNKNOWN),
        ("compaction.summarize", False, False, GateReason.UNKNOWN),
        ("maybe compaction.summarize", False, True, GateReason.SUPPORTED),
        (None, False, True, GateReason.SUPPORTED),
    ],
)
def test_what_a_gate_says(
    router: Router, asked: str | None, default: bool, value: bool, reason: GateReason
) -> None:
    """What is known decides, and the default where nothing is known; the verdict says which."""
    gate = router.gate("claude-2.1" if "compaction" in str(asked) else HAIKU)
    verdict = gate.explain(asked, default=default)

    assert gate.allows(asked, default=default) is value
    assert (verdict.value, verdict.reason, verdict.by_default) == (
        value,
        reason,
        reason is GateReason.UNKNOWN,
    )
    assert (verdict.source, verdict.as_of, verdict.stale) == (
        "bundled",
        router.catalogue.as_of,
        False,
    )


def test_keywords(router: Router) -> None:
    """A gate is asked with keywords as well as with text."""
    assert router.gate(HAIKU).allows(pdf_input=True, default=False)
    assert not router.gate(HAIKU).allows("pdf_input", effort="max", default=True)


def test_an_alias(router: Router) -> None:
    """An alias is the model that it stands for."""
    assert router.gate(HAIKU).explain("pdf_input", default=False).model_id == ID


def test_default_filters_do_not_apply(router: Router) -> None:
    """A model that is retired supports what it supports."""
    assert router.gate("claude-2.1").allows("lifecycle == retired", default=False)
    assert router.gate("claude-2.1").allows(default=False)


@pytest.mark.parametrize("id", ["claude-nova", "automatic", "\x1b[31m"])
@pytest.mark.parametrize("default", [True, False])
def test_a_model_that_nobody_knows(router: Router, id: Any, default: bool) -> None:
    """R15: for what is no model of the catalogue the default decides, and the verdict says so."""
    verdict = router.gate(id).explain("pdf_input", default=default)

    assert router.gate(id).allows("pdf_input", default=default) is default
    assert (verdict.reason, verdict.by_default) == (GateReason.UNKNOWN_MODEL, True)
    assert str(verdict).isprintable()
    assert router.gate(id).best("effort") is None


@pytest.mark.parametrize("id", ["", None, 3, [], b"claude-opus-5", 10**5000], ids=quoted)
def test_a_gate_needs_an_id(router: Router, id: Any) -> None:
    """R15: what cannot be the id of a model is refused when the gate is made: no default hides it."""
    with pytest.raises(
        ConfigurationError, match=r"^the id of a model must be a string that is not empty \(got "
    ):
        router.gate(id)


@pytest.mark.parametrize("id", ["auto", "auto:reports", "auto:pdf_input and\nthinking", "auto:"])
def test_a_gate_is_of_one_model(router: Router, id: str) -> None:
    """A name that `auto_model` routes is refused, and the error says to select first."""
    with pytest.raises(ConfigurationError) as raised:
        router.gate(id)
    assert str(raised.value) == (f"{id!r} names several models: a gate takes the id of one")


def test_no_catalogue_that_is_recent_enough() -> None:
    """R15: where `strict` leaves no catalogue the default decides."""
    machine = Machine()
    router = machine.router(FakeSource(SIX, DOWN), strict=True, max_stale=200.0)
    gate = router.gate("claude-fake-0")
    assert gate.allows("pdf_input", default=False)

    machine.passes(1000)
    verdict = gate.explain("pdf_input", default=False)
    assert (verdict.value, verdict.reason, verdict.source, verdict.stale) == (
        False,
        GateReason.STALE,
        None,
        True,
    )
    assert gate.allows("pdf_input", default=True)
    assert gate.best("effort") is None


def test_a_stale_catalogue_that_is_served() -> None:
    """Without `strict` a stale catalogue still answers, and the verdict says that it is stale."""
    machine = Machine()
    router = machine.router(FakeSource(SIX, DOWN), max_stale=200.0)
    gate = router.gate("claude-fake-0")
    assert gate.allows("pdf_input", default=False)

    machine.passes(1000)
    verdict = gate.explain("pdf_input", default=False)
    assert (verdict.value, verdict.reason, verdict.stale) == (True, GateReason.SUPPORTED, True)


def test_a_gate_follows_refreshes() -> None:
    """A gate that is kept says what the current catalogue knows."""
    (entry,) = entries(1)
    without = Catalogue.from_listing(
        [entry | {"capabilities": {"pdf_input": {"supported": False}}}]
    )
    router = Machine().router(FakeSource(SIX, without))
    gate = router.gate("claude-fake-0")
    assert gate.allows("pdf_input", default=False)

    router.refresh()
    assert not gate.allows("pdf_input", default=True)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("pdf_imput", UnknownNameError),
        ("pdf_input and", RequirementSyntaxError),
        (3, RequirementError),
    ],
)
@pytest.mark.parametrize("id", [HAIKU, "claude-nova"])
def test_what_means_nothing(router: Router, id: str, asked: Any, error: type[Exception]) -> None:
    """R15: a name that nobody knows, or text that means nothing, is a bug of the caller's, whatever the model."""
    with pytest.raises(error):
        router.gate(id).allows(asked, default=True)


def test_a_model_itself(router: Router) -> None:
    """A model that was selected can be asked about as it is."""
    assert router.gate(router.select("line == opus")).allows("pdf_input", default=False)


def test_a_verdict_is_what_it_says(router: Router) -> None:
    """A verdict is true where the gate is open."""
    verdicts = [
        router.gate(HAIKU).explain(asked, default=False) for asked in ("pdf_input", "effort.max")
    ]

    assert [bool(each) for each in verdicts] == [True, False]


def test_a_misspelt_model(router: Router) -> None:
    """The error about an unknown model suggests the one that may have been meant."""
    verdict = router.gate("claude-haku-4-5").explain("pdf_input", default=False)

    assert str(verdict).endswith("; did you mean claude-haiku-4-5?")


@pytest.mark.parametrize("default", ["no", None, 0])
def test_a_default_that_is_neither_yes_nor_no(router: Router, default: Any) -> None:
    """A default that only looks like an answer is refused at once, and not first where it would decide."""
    with pytest.raises(ConfigurationError, match="default must be True or False"):
        router.gate(HAIKU).allows("pdf_input", default=default)


def test_the_default_has_to_be_given(router: Router) -> None:
    """Nobody has an unknown decided without having said how."""
    with pytest.raises(TypeError, match="default"):
        router.gate(HAIKU).allows("pdf_input")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("id", "at_most", "best"),
    [
        ("claude-opus-5-5", None, "max"),
        ("claude-opus-5-5", "max", "max"),
        ("claude-opus-5-5", "high", "high"),
        ("claude-opus-4-6", "xhigh", "high"),
        (HAIKU, None, None),
        ("claude-2.1", "max", None),
    ],
)
def test_the_best_level(router: Router, id: str, at_most: str | None, best: str | None) -> None:
    """The best level is the highest that is known to be supported, up to the one that is named."""
    assert router.gate(id).best("effort", at_most=at_most) == best


def test_what_has_no_levels(router: Router) -> None:
    """What has no levels, and a level that is none, are errors that say what there is."""
    with pytest.raises(RequirementError, match=r"'thinking' has no levels; there is effort"):
        router.gate(HAIKU).best("thinking")
    with pytest.raises(RequirementError, match=r"did you mean high\?"):
        router.gate(HAIKU).best("effort", at_most="hihg")


@given(listings(), requirements(), st.booleans())
def test_a_gate_says_what_is_known(listing: list[Entry], asked: Requirement, default: bool) -> None:
    """Whatever is asked, what is known decides, and the default only what is not."""
    catalogue = catalogue_of(listing)
    for model in catalogue:
        try:
            support = asked.support(model)
            catalogue.check_names(asked)
        except RequirementError:
            return
        verdict = Gate(model.id, lambda: catalogue).explain(asked, default=default)

        assert verdict.value is (default if support is None else support)
        assert verdict.by_default is (support is None)


# In the command


@pytest.mark.parametrize(
    ("arguments", "ended"),
    [
        (
            (HAIKU, "pdf_input"),
            (0, "yes", f"{ID}: pdf_input is supported by the bundled catalogue"),
        ),
        (
            (HAIKU, "effort.max"),
            (1, "no", f"{ID}: effort.max is unsupported by the bundled catalogue"),
        ),
        (
            ("claude-nova", "pdf_input", "--default", "yes"),
            (
                0,
                "yes",
                (
                    "no model claude-nova is known by the bundled catalogue, so the default decides: yes; "
                    "did you mean claude-1.3?"
                ),
            ),
        ),
        (
            ("claude-2.1", "effort.low"),
            (
                1,
                "no",
                "claude-2.1: effort.low is unknown by the bundled catalogue, so the default decides: no",
            ),
        ),
    ],
)
def test_the_command(
    arguments: tuple[str, ...],
    ended: tuple[int, str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`router gate` answers on standard output, says why on standard error, and by its status."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    status, out, error = ended

    assert run(["gate", *arguments]) == status
    assert capsys.readouterr() == (f"{out}\n", f"{error}\n")


def test_the_command_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the verdict comes whole."""
    listing = tmp_path / "models.json"
    listing.write_text(json.dumps(entries(1)), encoding="utf-8")
    assert (
        run(
            ["gate", "claude-fake-0", "citations and pdf_input", "--json", "--source", str(listing)]
        )
        == 0
    )
    said = json.loads(capsys.readouterr().out)

    assert said == {
        "schema": 1,
        "catalogue": said["catalogue"],
        "verdict": {
            "value": True,
            "reason": "supported",
            "requirement": str(require("citations and pdf_input")),
            "model_id": "claude-fake-0",
            "by_default": False,
            "nearest": [],
            "source": "file",
            "as_of": said["catalogue"]["as_of"],
            "stale": False,
        },
    }
    assert (said["catalogue"]["source"], said["catalogue"]["size"]) == ("file", 1)


def test_an_answer_for_an_unlisted_model_searches_for_no_other() -> None:
    """A hundred gates that the default decides take less time than one explanation, which names what is near."""
    catalogue = Catalogue.from_listing(
        [{"id": f"claude-opus-{at:05}"} for at in range(5_000)], documented=None
    )
    gate = Gate("claude-opus-x", lambda: catalogue)
    assert not gate.allows("pdf_input", default=False)  # what is read once is read now

    started = time.process_time()
    assert not any(gate.allows("pdf_input", default=False) for _ in range(100))
    answered = time.process_time() - started
    assert gate.explain("pdf_input", default=False).nearest
    assert answered < time.process_time() - started - answered
