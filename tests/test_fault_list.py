"""The page of faults lists just what the tests try."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from locations import ROOT, TESTS
from scenarios import FAULTS

PAGE: Final = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
LISTED: Final = re.findall(r"^\| ([A-Z]\d+) \|", PAGE, re.MULTILINE)
IDS: Final = re.compile(r'^ *"""([A-Z]\d*(?:, [A-Z]\d*)*)(?=: |, the twins? )', re.MULTILINE)
"""The beginning of a docstring; a letter without its number is found as well, and is no row of the page."""

DEFINED: Final = re.compile(r"^ *(?:async def|def|class) (\w+)", re.MULTILINE)


def named(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each function or class of a file with each id at the beginning of its docstring."""
    text = path.read_text(encoding="utf-8")
    for found in IDS.finditer(text):
        before = text[: found.start()].rstrip()
        if before.endswith(":"):
            yield from ((DEFINED.findall(before)[-1], id) for id in found[1].split(", "))


@pytest.fixture(scope="module")
def names() -> list[tuple[str, str]]:
    """The functions and the scenarios, with the ids that they name."""
    scenarios = [(f"test_{name}", name.partition("-")[0]) for name in FAULTS]
    return [*scenarios, *(each for path in sorted(TESTS.rglob("*.py")) for each in named(path))]


def test_what_is_tried_is_listed(names: list[tuple[str, str]]) -> None:
    """Each id that a test, a step of one or a scenario begins with is a row of the page."""
    assert {id for _, id in names} - {*LISTED} == set()


def test_what_is_listed_is_tried(names: list[tuple[str, str]]) -> None:
    """Each row of the page has a test or a scenario."""
    assert {*LISTED} - {id for name, id in names if name.startswith("test_")} == set()


def test_each_id_is_listed_once() -> None:
    """No two rows have one id."""
    assert [id for id, rows in Counter(LISTED).items() if rows > 1] == []
