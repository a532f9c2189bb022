"""The pages of the documentation are programs, as the README is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from examples import printed_by, programs
from locations import ROOT

from router.cli._commands import run

PROGRAMS = [
    pytest.param(path.name, code, output, id=f"{path.stem}-{at}")
    for path in sorted((ROOT / "docs").rglob("*.md"))
    for at, (code, output) in enumerate(programs(path.read_text(encoding="utf-8")))
]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The examples find the documentation and an answer, and what they change of the log is undone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with open("answer.json", "w", encoding="utf-8") as file, redirect_stdout(file):
        run(["select", "pdf_input", "--json"])
    logger = logging.getLogger("router")
    level, handlers = logger.level, [*logger.handlers]
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.mark.parametrize(("page", "code", "output"), PROGRAMS)
def test_a_program_prints_what_stands_below_it(page: str, code: str, output: str) -> None:
    """A Python example of a page runs and prints the text block that follows it."""
    assert printed_by(code, page) == output


def test_the_pages_have_examples() -> None:
    """The blocks are found: a change of fences cannot quietly empty these tests."""
    assert len(PROGRAMS) >= 3
