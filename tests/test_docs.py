"""The README and the pages of the documentation are programs: their examples print what they say they print."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

import pytest
from examples import fenced, programs, run_program
from locations import ROOT

from router import Lock, _errors
from router.cli._commands import run

PAGES: Final = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
WITH_PROGRAMS: Final = [name for name, text in PAGES.items() if programs(text)]
COMMANDS: Final = [
    pytest.param(*example.split("\n", 1), id=f"{name} {example.split(chr(10), 1)[0]}")
    for name, text in PAGES.items()
    for language, console in fenced(text)
    if language == "console"
    for example in re.split(r"^\$ router ", console, flags=re.MULTILINE)[1:]
]
FILES: Final = {
    block.splitlines()[0].split()[1].rstrip(","): block
    for text in PAGES.values()
    for language, block in fenced(text)
    if language in {"toml", "yaml"}
}
"""The files that the pages show, by the name in their first line."""

LINES: Final = [
    line
    for language, block in fenced(PAGES["docs/language.md"])
    if language == "" and "thinking.adaptive" in block
    for line in block.splitlines()
]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The examples find the files that the pages show, and what they change of the log is undone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with open("answer.json", "w", encoding="utf-8") as file, redirect_stdout(file):
        run(["select", "pdf_input", "--json"])
    logger = logging.getLogger("router")
    level, handlers = logger.level, [*logger.handlers]
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.mark.parametrize("page", WITH_PROGRAMS)
def test_the_programs_of_a_page_print_what_stands_below_them(page: str) -> None:
    """Each Python example of a page runs after those above it, and prints the text block that follows it."""
    variables: dict[str, Any] = {}
    for code, output in programs(PAGES[page]):
        assert run_program(code, page, variables) == output


@pytest.mark.parametrize(("arguments", "output"), COMMANDS)
def test_a_command_prints_what_stands_below_it(
    arguments: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command of a page prints the lines that follow it."""
    run(shlex.split(arguments))

    assert capsys.readouterr().out == output


@pytest.mark.parametrize("line", LINES)
def test_a_requirement_of_the_sample_parses(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of the language's sample is a requirement whose names are known."""
    assert run(["explain", line]) in {0, 1}
    assert "unknown name" not in capsys.readouterr().err


def test_the_pages_have_examples() -> None:
    """The blocks are found: a change of fences cannot quietly empty these tests."""
    assert sum(len(programs(text)) for text in PAGES.values()) >= 20
    assert len(COMMANDS) >= 4
    assert len(LINES) >= 5
    assert FILES.keys() == {"router.toml", "router.lock", "config.yaml", ".pre-commit-config.yaml"}


@pytest.mark.parametrize("page", PAGES)
def test_each_link_leads_to_a_file(page: str) -> None:
    """A relative link of a page names a file that there is."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", PAGES[page])
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_each_page_is_listed() -> None:
    """The index of the documentation links to every page."""
    listed = {*re.findall(r"\]\(([^)]+)\)", PAGES["docs/index.md"])} | {"index.md"}
    assert {name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")} == listed


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    """The page on errors draws the tree that the docstring of `router._errors` draws."""
    tree = _errors.__doc__.partition("RouterError\n")[2] if _errors.__doc__ else ""

    assert tree.strip()
    assert tree.strip() in PAGES["docs/errors.md"]


def test_the_lock_of_the_documentation_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """The line for a CI ends well beside the page's own files, and the lock is written as it is shown."""
    command = re.search(r"^router (lock --check .*)$", PAGES["docs/lock.md"], re.MULTILINE)
    assert command is not None

    assert (run(shlex.split(command[1])), capsys.readouterr().out) == (0, "")
    shown = FILES["router.lock"].partition("\n")[2]
    assert Lock.read("router.lock").to_toml().partition("\n")[2] == shown
