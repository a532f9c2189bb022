"""The README: one screen, two commands that work, and links that lead somewhere."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from examples import programs
from locations import ROOT

from router.cli._commands import run

if TYPE_CHECKING:
    import pytest

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
LONGEST = 8_192
"""Bytes: a README is read on one screen."""


def test_the_readme_is_short() -> None:
    """What is longer is a page of the documentation."""
    assert len(TEXT.encode()) <= LONGEST


def test_each_use_has_an_example() -> None:
    """Selecting, calling and gating are shown; `tests/test_docs.py` runs them."""
    assert len(programs(TEXT)) == 3


def test_the_first_command_prints_a_current_model(capsys: pytest.CaptureFixture[str]) -> None:
    """The command of the first section selects an active model from the bundled catalogue."""
    command = re.search(r"&& \.venv/bin/router (select '.*')$", TEXT, re.MULTILINE)
    assert command is not None

    assert run(shlex.split(command[1])) == 0
    assert capsys.readouterr().out == "claude-fable-5-2\n"


def test_the_table_compares_few_things() -> None:
    """At most eight rows, each with a cell for each of the alternatives."""
    _, _, *rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    assert len(rows) <= 8
    assert {row.count("|") for row in rows} == {8}
