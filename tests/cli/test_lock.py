"""`router lock`, `outdated`, `why` and `diff --impact`, as a person and a CI meet them."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from canary import KEY
from fake_api import FakeAPI, serve
from terminal import Ran, environment, on_terminal, reference

from router import Lock
from router.cli._commands import run

Command = Callable[..., Ran]
POLICIES = """
[policies.reports]
require = "pdf_input"
prefer  = ["citations"]

[policies.bulk]
require = "pdf_input"
order   = "largest_context"
"""
ONE: dict[str, Any] = {
    "id": "claude-one",
    "created_at": "2026-06-01T00:00:00Z",
    "lifecycle": "active",
    "max_input_tokens": 200_000,
    "capabilities": {"pdf_input": {"supported": True}, "citations": {"supported": True}},
}
TWO: dict[str, Any] = {
    **ONE,
    "id": "claude-two",
    "created_at": "2026-11-01T00:00:00Z",
    "max_input_tokens": 1_000_000,
}
GONE = [TWO]
HELD = "router.lock is up to date\n"
WRITTEN = "router.lock is written\n"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Give each test a plain terminal, a cache and a folder of its own, with policies and a listing of one model."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)
    for name, value in {
        **environment(),
        "COLUMNS": "100",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    Path("router.toml").write_text(POLICIES, encoding="utf-8")
    listing(ONE)
    handlers = logging.getLogger("router").handlers
    before = [*handlers]
    yield
    handlers[:] = before


def listing(*entries: dict[str, Any], name: str = "models.json", day: int = 1) -> None:
    """Save a listing, of that day of a time to come."""
    Path(name).write_text(json.dumps({"data": entries, "has_more": False}), encoding="utf-8")
    os.utime(name, (4e9 + 86_400 * day,) * 2)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command in this process, on the listing unless something else is said."""

    def ran(name: str, *arguments: str, source: str = "models.json") -> Ran:
        status = run([name, *arguments, *(["--source", source] if source else [])])
        return Ran(status, *capsys.readouterr())

    return ran


def text() -> bytes:
    """Return what stands in the lock."""
    return Path("router.lock").read_bytes()


def test_lock_writes_what_it_says(command: Command) -> None:
    """Every policy is resolved, printed with its reason, and written; a lock that holds is not written again."""
    assert command("lock") == Ran(
        0,
        "+ bulk: claude-one (the only candidate)\n+ reports: claude-one (the only candidate)\n",
        WRITTEN,
    )
    lock = Lock.read("router.lock")
    assert (lock.source, {name: each.model_id for name, each in lock.policies.items()}) == (
        "file",
        {"bulk": "claude-one", "reports": "claude-one"},
    )
    before = os.stat("router.lock")
    listing(ONE, TWO, day=2)
    assert command("lock") == Ran(0, "= bulk: claude-one\n= reports: claude-one\n", HELD)
    assert os.stat("router.lock") == before


def test_lock_leaves_what_a_person_wrote_while_nothing_changes(command: Command) -> None:
    """Comments stay until an entry moves; then the file is written as it always is."""
    command("lock")
    Path("router.lock").write_bytes(b"# mine\n" + text())
    assert command("lock").err == HELD
    assert text().startswith(b"# mine\n")
    listing(ONE, TWO, day=2)
    command("lock", "--upgrade")
    assert text().startswith(b"# What each policy resolved to")


def test_an_upgrade_moves_what_it_names(command: Command) -> None:
    """One policy moves to the newest, the entry of the other stays to the byte; a dry run writes nothing."""
    command("lock")
    before = text()
    listing(ONE, TWO, day=2)
    said = "= bulk: claude-one\n~ reports: claude-one -> claude-two (upgraded; newest of 2 candidates)\n"
    assert command("lock", "--upgrade", "reports", "--dry-run") == Ran(
        0, said, "router.lock would be written\n"
    )
    assert text() == before
    assert command("lock", "--upgrade", "reports") == Ran(0, said, WRITTEN)
    entry = before.partition(b"[policies.bulk]")[2].partition(b"[policies.")[0]
    assert b"[policies.bulk]" + entry in text()
    assert command("lock", "--upgrade").out.startswith(
        "~ bulk: claude-one -> claude-two (upgraded; "
    )
    assert command("lock", "--upgrade").err == HELD


def test_lock_keeps_permissions_and_links(command: Command, tmp_path: Path) -> None:
    """The file has the permissions that it had, a link stays one, and nothing is left beside it."""
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "real.lock"
    command("lock")
    os.rename("router.lock", target)
    os.symlink(target, "router.lock")
    os.chmod(target, 0o640)
    listing(ONE, TWO, day=2)
    assert command("lock", "--upgrade").err == WRITTEN
    assert os.path.islink("router.lock")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert b"claude-two" in target.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["real.lock"]


def test_a_lock_that_cannot_be_written_is_an_error(command: Command) -> None:
    """The lock that was there stays, and nothing is left beside it."""
    resource = pytest.importorskip("resource")
    command("lock")
    before, beside = text(), sorted(os.listdir())
    listing(ONE, TWO, day=2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        status, _, err = command("lock", "--upgrade")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (status, "File too large" in err) == (74, True)
    assert text() == before
    assert sorted(os.listdir()) == beside


def test_a_place_that_takes_no_lock_is_told(command: Command) -> None:
    """A directory in the place of the lock is told in words."""
    os.mkdir("router.lock")
    status, _, err = command("lock")
    assert status == 2
    assert (
        "router.lock: cannot be read: Is a directory; restore the file, or delete it and run router lock"
        in err
    )


def test_a_policy_that_nothing_meets_is_told_and_nothing_is_written(command: Command) -> None:
    """Status 1, with the explanation, also where the others could be locked."""
    Path("router.toml").write_text(
        POLICIES + "\n[policies.best]\nrequire = 'effort.max'\n", encoding="utf-8"
    )
    status, out, err = command("lock")
    assert (status, out) == (1, "")
    assert (
        "router: best: no model satisfies effort.max and maybe retires_in >= 60d\n  no model satisfies: effort.max\n"
        in err
    )
    assert "nothing is written" in err
    assert not os.path.exists("router.lock")
    found = json.loads(command("lock", "--json").out)
    assert (found["path"], found["written"]) == (str(Path("router.lock").absolute()), False)
    assert found["resolution"]["unmet"].keys() == {"best"}
    assert found["resolution"]["unmet"]["best"]["model"] is None
    assert [each["policy"] for each in found["resolution"]["changes"]] == ["bulk", "reports"]


CHECKS: dict[str, tuple[list[dict[str, Any]], list[str], list[str]]] = {
    "newer": ([TWO, ONE], [], []),
    "deprecated": (
        [{**ONE, "lifecycle": "deprecated", "deprecated_at": "2026-09-30T00:00:00Z"}],
        [],
        ["claude-one is deprecated since 2026-09-30"],
    ),
    "overdue": (
        [{**ONE, "retires_at": "2026-01-31T00:00:00Z"}],
        [],
        ["claude-one was to retire on 2026-01-31"],
    ),
    "later": ([{**ONE, "retires_at": "2999-01-31T00:00:00Z"}], [], []),
    "within": (
        [{**ONE, "retires_at": "2999-01-31T00:00:00Z"}],
        ["--within", "900000d"],
        ["claude-one retires on 2999-01-31, in "],
    ),
    "retired": (
        [{**ONE, "lifecycle": "retired", "retires_at": "2026-01-31T00:00:00Z"}],
        [],
        ["claude-one is retired since 2026-01-31"],
    ),
    "gone": ([TWO], [], ["claude-one is gone: the file catalogue of "]),
    "unmet": ([{**ONE, "capabilities": {}}], [], ["claude-one does not meet pdf_input (unknown)"]),
}


@pytest.mark.parametrize("frozen", [[], ["--frozen"]], ids=["", "frozen"])
@pytest.mark.parametrize("case", CHECKS)
def test_check_has_a_line_a_problem(command: Command, case: str, frozen: list[str]) -> None:
    """Status 1 and a line for each problem of each policy, or status 0 and nothing; nothing is written."""
    entries, options, problems = CHECKS[case]
    command("lock")
    before = text()
    listing(*entries, day=2)
    status, out, err = command("lock", "--check", *options, *frozen)
    expected = [f"{name}: {problem}" for name in ("bulk", "reports") for problem in problems]
    assert status == (1 if expected else 0)
    assert len(out.splitlines()) == len(expected)
    assert all(line.startswith(said) for line, said in zip(out.splitlines(), expected, strict=True))
    assert err == ("" if expected else "every lock holds (2 policies)\n")
    assert text() == before
    found = json.loads(command("lock", "--check", "--json", *options, *frozen).out)
    assert [f"{each['policy']}: {each['what']}" for each in found["problems"]] == out.splitlines()
    assert found["notes"] == []


def test_check_of_a_policy_that_changed_or_is_not_locked(command: Command) -> None:
    """Without a lock no policy is locked; one that was changed, added or taken away is told."""
    assert command("lock", "--check") == Ran(
        1,
        "bulk: is not locked\nreports: is not locked\n",
        "router: there is no router.lock: run router lock\n",
    )
    command("lock")
    changed = POLICIES.replace('"citations"', '"effort"').replace("bulk", "more")
    Path("router.toml").write_text(changed, encoding="utf-8")
    assert command("lock", "--check") == Ran(
        1,
        "bulk: is locked, but there is no such policy\nmore: is not locked\nreports: has changed since it was locked\n",
        "",
    )
    assert command("lock") == Ran(
        0,
        "- bulk: claude-one (is locked, but there is no such policy)\n"
        "+ more: claude-one (the only candidate)\n"
        "~ reports: claude-one (has changed since it was locked)\n",
        WRITTEN,
    )
    assert command("lock", "--check").status == 0


def test_what_a_lock_is_moved_by_is_told(command: Command) -> None:
    """What a check complains of is what the next lock moves, with the complaint as the cause."""
    command("lock")
    listing(TWO, {**ONE, "lifecycle": "deprecated"}, day=2)
    out = command("lock").out
    assert out.splitlines() == [
        f"~ {name}: claude-one -> claude-two (claude-one is deprecated; the only candidate)"
        for name in ("bulk", "reports")
    ]
    found = json.loads(command("lock", "--json").out)
    locked = {
        "policy": {
            "name": "bulk",
            "require": "pdf_input",
            "prefer": [],
            "minimum_age": None,
            "alternatives": [],
            "order": "largest_context",
        },
        "model_id": "claude-two",
        "provider": "anthropic",
        "why": "the only candidate",
    }
    assert (found["written"], found["resolution"]["changes"][0]) == (
        False,
        {"policy": "bulk", "before": locked, "after": locked, "cause": ""},
    )
    assert found["resolution"]["lock"]["policies"]["bulk"] == locked


@pytest.mark.parametrize("name", ["lock", "outdated"])
def test_a_file_without_policies(command: Command, name: str) -> None:
    """That nothing is wrong with no policy at all is no good news."""
    Path("router.toml").write_text("", encoding="utf-8")

    status, out, err = command(name)

    assert (status, out) == (2, "")
    assert "router.toml has no policies: one is a table such as [policies.reports]" in err
    assert not os.path.exists("router.lock")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["lock", "reports"], "reports: policies are named to --upgrade them"),
        (["lock", "--upgrade", "repots"], "has no policy 'repots'; did you mean reports?"),
        (
            ["lock", "--check", "--upgrade"],
            "--check cannot be combined with --upgrade or --dry-run",
        ),
        (
            ["lock", "--check", "--dry-run"],
            "--check cannot be combined with --upgrade or --dry-run",
        ),
        (["lock", "--within", "soon"], "--within must be a duration such as 14d"),
        (["lock", "--within", "-1d"], "--within must be a duration such as 14d"),
        (["lock", "--policies", "none.toml"], "none.toml: cannot be read"),
        (
            ["why", "claude-one", "pdf_input", "--policy", "bulk"],
            "--policy cannot be combined with REQUIREMENT",
        ),
        (["why", "claude-one", "--policies", "router.toml"], "--policy says which policy of it"),
        (["why", "claude-onee"], "unknown model 'claude-onee'; did you mean claude-one?"),
    ],
)
def test_bad_usage(command: Command, arguments: list[str], problem: str) -> None:
    """What does not go together is told, with status 2, and nothing is written."""
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert problem in err
    assert not os.path.exists("router.lock")


def test_an_unknown_name_is_told_with_its_place(command: Command) -> None:
    """A lock of policies with an unknown name is not made; the error says once where the name is."""
    Path("router.toml").write_text("[policies.bulk]\nrequire = 'pdf_imput'\n", encoding="utf-8")
    status, _, err = command("lock")
    assert status == 2
    assert err.endswith(
        "router.toml: policies.bulk.require: unknown name 'pdf_imput'; did you mean pdf_input?\n"
    )
    assert err.count("bulk") == 1


def test_a_lock_that_means_nothing_is_told(command: Command) -> None:
    """A broken lock is bad usage for every command that reads it, and stays as it is."""
    Path("router.lock").write_text("version = 2\n", encoding="utf-8")
    for arguments in (
        ["lock"],
        ["lock", "--check"],
        ["outdated"],
        ["why", "claude-one", "--policy", "bulk"],
    ):
        status, _, err = command(*arguments)
        assert (status, "version 2 needs a later release" in err) == (2, True)
    assert text() == b"version = 2\n"


def test_the_lock_is_beside_its_policies(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From a folder below, and for a named file, the lock is written beside the file of policies."""
    below = tmp_path / "a"
    below.mkdir()
    monkeypatch.chdir(below)
    assert (
        command("lock", source="../models.json").err == f"{tmp_path / 'router.lock'} is written\n"
    )
    (below / "pyproject.toml").write_text(
        POLICIES.replace("[policies", "[tool.router.policies"), encoding="utf-8"
    )
    assert command("lock", "--policies", "pyproject.toml", source="../models.json").err == WRITTEN
    assert (below / "router.lock").is_file()


def test_outdated_is_a_table(command: Command) -> None:
    """What is locked, what is newest, when that was released, and what it brings; nothing where all is the newest."""
    command("lock")
    newest = "no policy is known to have a newer model than it is locked to\n"
    assert command("outdated", "--exit-code") == Ran(0, "", newest)
    nova = {"supported": True, "wide": {"supported": True}, "deep": {"supported": True}}
    more = {
        **TWO,
        "capabilities": {
            "pdf_input": {"supported": True},
            "nova": nova,
            "batch": {"supported": True},
        },
    }
    listing(ONE, more, day=2)
    assert command("outdated") == Ran(
        0,
        "policy  locked      newest      released\n"
        "bulk    claude-one  claude-two  2026-11-01\n"
        "  adds   batch, max_input_tokens 200k to 1M, nova.{deep,wide}\n"
        "  lacks  citations (unknown)\n",
        "",
    )
    assert command("outdated", "--exit-code").status == 1
    assert json.loads(command("outdated", "--json").out)["outdated"] == [
        {
            "policy": "bulk",
            "locked_id": "claude-one",
            "newest": reference("claude-two"),
            "released_at": "2026-11-01T00:00:00Z",
            "adds": ["batch", "nova", "nova.deep", "nova.wide", "max_input_tokens 200k to 1M"],
            "lacks": ["citations (unknown)"],
        }
    ]


def test_outdated_fits_a_terminal(command: Command) -> None:
    """On a terminal what is added is wrapped, below the row that it belongs to."""
    command("lock")
    capabilities = {f"nova_{at}": {"supported": True} for at in range(20)} | ONE["capabilities"]
    listing(ONE, {**TWO, "capabilities": capabilities}, day=2)
    out = on_terminal(run, "outdated", "--source", "models.json", err=False).out
    assert max(map(len, out.splitlines())) <= 100
    assert out.splitlines()[2].startswith("  adds   nova_0, nova_1, ")
    assert out.splitlines()[3].startswith("         nova_")


def test_outdated_without_a_lock(command: Command) -> None:
    """What is not locked is outdated by whatever is newest, or by no model."""
    listing({**ONE, "lifecycle": "deprecated"})
    assert command("outdated").out.splitlines()[1] == "bulk     nothing  no model"
    found = json.loads(command("outdated", "--json").out)["outdated"][0]
    assert (found["locked_id"], found["newest"], found["released_at"]) == (None, None, None)


def test_why(command: Command) -> None:
    """Why this one, why not that, of a policy with what it is locked to, or of a requirement."""
    command("lock")
    listing(ONE, TWO, day=2)
    locked = "reports is locked to claude-one: the only candidate\n"
    assert command("why", "claude-one", "--policy", "reports") == Ran(
        0,
        "claude-one is number 2 of 2 candidates; claude-two is selected: "
        f"it is newer, released 2026-11-01, claude-one 2026-06-01\n{locked}",
        "",
    )
    assert command("why", "claude-two", "pdf_input").out.startswith(
        "claude-two is selected, the first of 2 candidates"
    )
    assert command("why", "claude-two", "effort.max") == Ran(
        1, "claude-two is not a candidate\n  it lacks effort.max (unknown)\n", ""
    )
    status, out, _ = command("why", "claude-two", "--policy", "reports", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["why"] == {
        "model": reference("claude-two"),
        "selected": reference("claude-two"),
        "place": 1,
        "candidates": 2,
        "because": "it is newer, released 2026-11-01, claude-one 2026-06-01",
        "lacks": [],
    }
    assert (found["locked"]["model_id"], found["locked"]["policy"]["name"]) == (
        "claude-one",
        "reports",
    )


def test_diff_tells_the_impact(command: Command) -> None:
    """A line for each policy that another catalogue would change, before it is adopted."""
    listing(ONE, {**TWO, "max_input_tokens": None}, name="new.json")
    listing({**ONE, "capabilities": {}}, name="none.json")
    assert command("diff", "models.json", "new.json", source="").out == "+ claude-two\n"
    assert command("diff", "models.json", "new.json", "--impact", source="").out == (
        "+ claude-two\n! reports: claude-one -> claude-two\n"
    )
    assert (
        "! bulk: claude-one -> no model\n"
        in command("diff", "models.json", "none.json", "--impact", source="").out
    )
    found = json.loads(
        command("diff", "models.json", "new.json", "--impact", "--json", source="").out
    )
    assert found["diff"]["impact"] == [
        {"policy": "reports", "before": "claude-one", "after": "claude-two"}
    ]
    status, _, err = command(
        "diff", "models.json", "new.json", "--policies", "router.toml", source=""
    )
    assert (status, "--impact says what becomes of its policies" in err) == (2, True)


# Without the network


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAPI]:
    """An API that the environment names with its key."""
    with serve([ONE]) as api:
        for name, value in {
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": api.url,
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        yield api


def test_frozen_uses_the_disk_then_the_bundled_catalogue(command: Command, api: FakeAPI) -> None:
    """No request is made: what is kept on disk answers, where nothing is the bundled catalogue does."""
    assert command("why", "claude-opus-5", "--frozen", source="").status == 0
    assert api.requests == []
    assert command("lock", source="").err == WRITTEN
    asked = len(api.requests)
    assert asked > 0
    assert command("lock", "--check", "--frozen", source="") == Ran(
        0, "", "every lock holds (2 policies)\n"
    )
    assert len(api.requests) == asked
    status, _, err = command("lock", "--check", "--frozen", source="live")
    assert (status, "--frozen cannot be combined with --source live" in err) == (2, True)


def test_a_check_without_a_key_does_not_contradict_a_live_lock(
    command: Command, api: FakeAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a CI without key and cache the bundled catalogue is older than the lock: that is told, and is no failure."""
    command("lock", source="")
    assert Lock.read("router.lock").source == "live"
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    status, out, err = command("lock", "--check", "--frozen", source="")
    assert (status, out) == (0, "")
    assert api.requests
    assert "the bundled catalogue is older than the lock: it says only who retires soon" in err
    assert (
        command("lock", "--upgrade", source="").out == "= bulk: claude-one\n= reports: claude-one\n"
    )
    Path("router.lock").write_bytes(text().replace(b"as_of = 20", b"as_of = 19"))
    status, out, err = command("lock", "--check", "--frozen", source="")
    assert (status, out) == (0, "")
    assert (
        "the bundled catalogue does not say what has gone from the live one, which the lock is of"
        in err
    )


@pytest.mark.usefixtures("api")
def test_what_a_catalogue_knows_nothing_of_is_told(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that the catalogue at hand does not list, as one that was mistyped, is named: the lock is not praised."""
    command("lock", source="")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    Path("router.lock").write_bytes(text().replace(b'"claude-one"', b'"claude-oen"', 1))
    status, out, err = command("lock", "--check", "--frozen", source="")
    assert (status, out) == (0, "")
    assert "router: bulk: nothing is known of claude-oen, which it does not list\n" in err
    assert err.endswith("nothing is known against the locks (2 policies)\n")
    for name in (["lock", "--check"], ["lock", "--dry-run"], ["outdated"]):
        found = json.loads(command(*name, "--frozen", "--json", source="").out)
        said = command(*name, "--frozen", source="").err
        assert [f"router: {note}" for note in found["notes"]] == said.splitlines()[:3]


def test_outdated_offers_what_an_upgrade_does(command: Command) -> None:
    """With a catalogue older than the lock nothing is outdated, since nothing would be upgraded; that is told."""
    listing(ONE, day=9)
    command("lock")
    listing(ONE, TWO, day=8)
    status, out, err = command("outdated", "--exit-code")
    assert (status, out) == (0, "")
    assert "is older than the lock: it says only who retires soon, and upgrades nothing" in err
    assert command("lock", "--upgrade").out == "= bulk: claude-one\n= reports: claude-one\n"


def test_a_broken_lock_has_a_way_out(command: Command) -> None:
    """What is wrong with the file is told, and what to do."""
    for broken, told in (("", "version: is missing"), ("<<<<<<< HEAD\n", "not a valid TOML file")):
        Path("router.lock").write_text(broken, encoding="utf-8")
        for arguments in (["lock"], ["lock", "--check"], ["outdated"]):
            status, _, err = command(*arguments)
            assert status == 2
            assert told in err
            assert err.endswith("; restore the file, or delete it and run router lock\n")


@pytest.mark.usefixtures("api")
def test_what_the_disk_keeps_is_an_answer_of_the_api(command: Command) -> None:
    """A lock says `live` of it, whether it was fetched just now or before."""
    command("lock", source="live")
    before = text()
    os.unlink("router.lock")
    assert command("lock", "--frozen", source="").err == WRITTEN
    assert b'source = "live"' in text()
    assert text().partition(b"digest")[2] == before.partition(b"digest")[2]
