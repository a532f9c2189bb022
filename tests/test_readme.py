"""The README is a program: its examples run, and print what it says they print."""

import re
import shlex
from pathlib import Path

import pytest
from examples import fenced, printed_by, programs
from locations import ROOT

from router import Lock, _errors
from router.cli._commands import run

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = fenced(TEXT)
PROGRAMS = programs(TEXT)
COMMANDS = [
    example.split("\n", 1)
    for language, console in FENCED
    if language == "console"
    for example in re.split(r"^\$ router ", console, flags=re.MULTILINE)[1:]
]
FILES = {
    block.splitlines()[0].split()[1].rstrip(","): block
    for language, block in FENCED
    if language in {"toml", "yaml"}
}
"""The files that the README shows, by the name in their first line."""

LINES = [
    line
    for language, block in FENCED
    if language == "" and "thinking.adaptive" in block
    for line in block.splitlines()
]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The examples speak of the bundled catalogue, beside the README's own files."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("code", "output"), PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_prints_what_stands_below_it(code: str, output: str) -> None:
    """A Python example runs and prints the text block that follows it."""
    assert printed_by(code, "README.md") == output


@pytest.mark.parametrize(
    ("arguments", "output"), COMMANDS, ids=[arguments for arguments, _ in COMMANDS]
)
def test_a_command_prints_what_stands_below_it(
    arguments: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command of the README prints the lines that follow it."""
    run(shlex.split(arguments))

    assert capsys.readouterr().out == output


@pytest.mark.parametrize("line", LINES)
def test_a_requirement_of_the_readme_parses(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of the language's sample is a requirement whose names are known."""
    assert run(["explain", line]) in {0, 1}
    assert "unknown name" not in capsys.readouterr().err


def test_the_readme_has_examples() -> None:
    """The blocks are found: a change of fences cannot quietly empty these tests."""
    assert len(PROGRAMS) >= 5
    assert len(COMMANDS) >= 4
    assert len(LINES) >= 5
    assert FILES.keys() == {"router.toml", "router.lock", "config.yaml", ".pre-commit-config.yaml"}


def test_the_first_command_prints_a_current_model(capsys: pytest.CaptureFixture[str]) -> None:
    """The command of the first section selects an active model from the bundled catalogue."""
    command = re.search(r"&& \.venv/bin/router (select '.*')$", TEXT, re.MULTILINE)
    assert command is not None

    assert run(shlex.split(command[1])) == 0
    assert capsys.readouterr().out == "claude-fable-5-2\n"


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    """The README draws the tree that the docstring of `router._errors` draws."""
    tree = _errors.__doc__.partition("RouterError\n")[2] if _errors.__doc__ else ""

    assert tree.strip()
    assert tree.strip() in TEXT


def test_the_lock_of_the_readme_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """The line for a CI ends well beside the README's own files, and the lock is written as it is shown."""
    command = re.search(r"^router (lock --check .*)$", TEXT, re.MULTILINE)
    assert command is not None

    assert (run(shlex.split(command[1])), capsys.readouterr().out) == (0, "")
    shown = FILES["router.lock"].partition("\n")[2]
    assert Lock.read("router.lock").to_toml().partition("\n")[2] == shown
