"""The command `audit`: what it prints of a tree, its statuses, and what a commit hook is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from directories import written
from terminal import COMMAND, LONGEST, Ran, environment, on_terminal, spawned

from router.cli._commands import run
from router.cli._files import MAX_BYTES


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], list[str]]:
    """Run the command, and return its status and the lines of its outputs."""
    status = run(["audit", *arguments])
    out, err = capsys.readouterr()
    return status, out.splitlines(), err.splitlines()


def test_the_command_finds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a path the current directory is audited: a line for what is not fine, and a summary on standard error."""
    written(
        here,
        {
            "app.py": 'a = "claude-opus-5"\nb = "claude-3-opus-20240229"\n',
            "b.yaml": "m: claude-mythos-preview",
        },
    )

    assert listed(capsys) == (
        1,
        [
            "app.py:2:6: claude-3-opus-20240229 was retired on 2026-01-05; use claude-opus-4-8",
            "b.yaml:1:4: claude-mythos-preview is deprecated; use claude-mythos-5",
        ],
        ["router: 2 files, 3 model ids: 1 retired, 1 deprecated, 1 ok"],
    )
    assert listed(capsys, "--all")[1][0] == "app.py:1:6: claude-opus-5 is active"
    assert listed(capsys, "b.yaml")[0] == 0


def test_nothing_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is wrong nothing is printed, the status is 0, and standard error says what was looked at."""
    written(here, {"app.py": "m = 'claude-opus-5'"})

    assert listed(capsys) == (0, [], ["router: 1 file, 1 model id: 1 ok"])
    assert listed(capsys, "app.py", "--source", "bundled") == (
        0,
        [],
        ["router: 1 file, 1 model id: 1 ok"],
    )


def test_dates_of_partners_are_theirs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a name on Bedrock or Google Cloud it is said once whose the dates are; of others it is not."""
    written(
        here,
        {
            "a.txt": "anthropic.claude-v2:1 claude-3-opus@20240229",
            "b.txt": "claude-2.1 claude-opus-5@default",
        },
    )

    assert [line for line in listed(capsys)[2] if "dates" in line] == [
        "router: the dates are Anthropic's own; Amazon Bedrock and Google Cloud set theirs"
    ]
    assert len(listed(capsys, "b.txt")[2]) == 1


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json gives every finding, fine or not, how many files were read, what was not, and which catalogue knew it."""
    written(here, {"a.py": "claude-opus-5 claude-opus-4-0", "big.json": b"x" * (MAX_BYTES + 1)})
    status = run(["audit", "--json", "."])
    out, err = capsys.readouterr()
    answer = json.loads(out)

    assert (status, err) == (1, "router: big.json: larger than 5 MB\n")
    assert answer["findings"][1] == {
        "path": "a.py",
        "line": 1,
        "column": 15,
        "text": "claude-opus-4-0",
        "model_id": "claude-opus-4-20250514",
        "lifecycle": "retired",
        "retires_at": "2026-06-15T00:00:00Z",
        "replacement": "claude-opus-4-8",
        "on_partner": False,
        "verdict": "retired",
        "is_overdue": False,
    }
    assert [each["verdict"] for each in answer["findings"]] == ["ok", "retired"]
    assert answer["files"] == 1
    assert answer["skipped"] == [{"path": "big.json", "why": "larger than 5 MB"}]
    assert answer["catalogue"]["source"] == "bundled"


@pytest.mark.parametrize("also", [[], ["--json"]])
def test_what_cannot_be_read_is_no_pass(
    here: Path, capsys: pytest.CaptureFixture[str], also: list[str]
) -> None:
    """A path that is not there, or cannot be read, is told of and ends in status 2, after all else was audited."""
    written(here, {"a.py": "claude-2.1"})
    status = run(["audit", *also, "nowhere.py", "a.py", "zero\0.py"])
    out, err = capsys.readouterr()

    assert status == 2
    assert "claude-2.1" in out
    assert "router: nowhere.py: No such file or directory\n" in err
    assert "router: zero\\x00.py: embedded null byte\n" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_what_may_not_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that may not be listed is told of."""
    (here / "locked").mkdir(mode=0)

    assert listed(capsys) == (
        2,
        [],
        ["router: locked: Permission denied", "router: 0 files, 0 model ids"],
    )


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--within", "soon"], 2, "--within must be a duration such as 14d or 2w"),
        (["--source", "nowhere.json"], 3, "nowhere.json"),
        (["--lifecycle", "active"], 2, "--lifecycle"),
        (["--bogus"], 2, "No such option"),
    ],
)
def test_bad_usage(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    """Bad usage ends in status 2, a catalogue that cannot be had in 3, each with one message and no answer."""
    written(here, {"a.py": "claude-2.1"})
    got, out, err = listed(capsys, *arguments)

    assert (got, out) == (status, [])
    assert message in "\n".join(err)


def test_a_hostile_catalogue(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a catalogue says is escaped, and aliases that are no ids, an empty one among them, are no names."""
    entry = {
        "id": "mine",
        "lifecycle": "retired",
        "replacement": "\x1b[2J",
        "aliases": ["", "\n", "a b", "yours"],
    }
    entries = [entry, {"id": "anthropic."}]
    written(
        here,
        {"a.txt": "mine a b yours", "own.json": json.dumps({"data": entries, "has_more": False})},
    )

    assert listed(capsys, "a.txt", "--source", "own.json")[:2] == (
        1,
        [
            r"a.txt:1:1: mine is retired; use \x1b[2J",
            r"a.txt:1:10: yours (mine) is retired; use \x1b[2J",
        ],
    )


def test_colours_on_a_terminal(here: Path) -> None:
    """On a terminal what is retired is red, and nothing is coloured with --no-color."""
    written(here, {"a.txt": "claude-2.1"})

    assert "\x1b[31mclaude-2.1 was retired" in on_terminal(run, "audit").out
    assert "\x1b" not in on_terminal(run, "audit", "--no-color").out


def test_a_hostile_name_is_escaped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name of a file that a terminal could act on, or that is no text, is printed as escapes."""
    written(here, {"a\x1b[31m\n.py": "claude-2.1", "b\udcff.py": "claude-2.1"})
    status, out, _ = listed(capsys)

    assert status == 1
    assert [line.partition(":")[0] for line in out] == [r"a\x1b[31m\n.py", r"b\udcff.py"]
    assert run(["audit", "--json", "nowhere\x1b"]) == 2
    assert "\x1b" not in "".join(capsys.readouterr())


def test_the_command_needs_no_network(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key the bundled catalogue answers, and no socket is made."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(arguments, options)

    monkeypatch.setattr(socket, "socket", refuse)
    written(here, {"a.py": "claude-2.1"})

    assert listed(capsys)[0] == 1


def test_an_extra_that_is_missing() -> None:
    """Without pathspec the command says what to install."""
    code = "import sys; sys.modules['pathspec'] = None; from router.cli import main; sys.argv[0] = 'router'; main()"
    ran = spawned("audit", code=code)

    assert (ran.status, ran.out) == (2, "")
    assert "pip install 'capability-router[cli]'" in ran.err


def repository(root: Path, files: int) -> Path:
    """Write a repository of so many files of 4 kB, one in ten of which speaks of models."""
    plain = ("def function(argument):\n    return [argument, 'some text', 1234]\n\n" * 60)[:4000]
    for at in range(files):
        directory = root / f"package{at // 100}"
        directory.mkdir(exist_ok=True)
        named = f'MODEL = "claude-opus-5"\nOLD = "claude-2.1-{at}"\n' if at % 10 == 0 else ""
        (directory / f"module{at}.py").write_text(plain + named, encoding="utf-8")
    rules = "".join(f"*.ignored{at}\n/build{at}/\n" for at in range(50))
    written(root, {".gitignore": rules, ".git/HEAD": "", "package0/last.py": "claude-2.1"})
    return root


def test_fast_enough_for_a_commit(tmp_path: Path) -> None:
    """Eight times as many files, under a .gitignore of a hundred rules, take at most eight times as long."""
    small, large = (audited(tmp_path / str(files), files) for files in (500, 4_000))

    assert large < 8 * small


def audited(root: Path, files: int) -> float:
    """Return the seconds of a core that `router audit` takes for a repository of so many files, its start included."""
    root.mkdir()
    repository(root, files)
    before = os.times()
    ran = spawned("audit", str(root))
    after = os.times()

    assert (
        ran.out
        == f"{root}/package0/last.py:1:1: claude-2.1 was retired on 2025-07-21; use claude-opus-4-8\n"
    )
    assert f"{files + 2} files" in ran.err.replace(",", "")
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def from_standard_input(content: bytes, *arguments: str) -> Ran:
    """Run the command in a process of its own, with this on its standard input."""
    ran = subprocess.run(  # noqa: S603 - nothing but what the tests say
        [sys.executable, "-c", COMMAND, "audit", *arguments],
        input=content,
        capture_output=True,
        check=False,
        env=environment(),
        timeout=LONGEST,
    )
    return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def test_standard_input() -> None:
    """`-` is standard input, read once; the findings name it so."""
    assert from_standard_input(b"x\nm = claude-2.1\n", "-", "-") == Ran(
        1,
        "-:2:5: claude-2.1 was retired on 2025-07-21; use claude-opus-4-8\n",
        "router: 1 file, 1 model id: 1 retired\n",
    )
    assert from_standard_input(b"", "-").status == 0
    assert from_standard_input(b"\0claude-2.1", "-").status == 0


def test_standard_input_is_bounded() -> None:
    """What is larger than a file may be is skipped, though a pipe does not say how large it is."""
    assert from_standard_input(b"x" * (MAX_BYTES + 1), "-") == Ran(
        0, "", f"router: -: larger than {MAX_BYTES // 1_000_000} MB\nrouter: 0 files, 0 model ids\n"
    )
    assert from_standard_input(b"x" * MAX_BYTES, "-").err == "router: 1 file, 0 model ids\n"


def test_standard_input_may_be_closed() -> None:
    """Without standard input the status is that of a file that cannot be read."""
    closed = f"import os; os.close(0)\nimport sys; sys.stdin = None\n{COMMAND}"
    assert spawned("audit", "-", code=closed) == Ran(
        2, "", "router: -: standard input is closed\nrouter: 0 files, 0 model ids\n"
    )


def test_a_file_of_that_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is named `-` is read by a path."""
    written(here, {"-": "claude-2.1"})
    assert listed(capsys, "./-")[0] == listed(capsys, ".")[0] == 1
