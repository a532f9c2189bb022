"""The page of faults lists just what the tests try."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "faults.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^\| ([A-Z]\d+) \|", PAGE, re.MULTILINE)
_IDS = re.compile(r"[A-Z]\d+(?:, [A-Z]\d+)*(?=[:,] )")


def tried() -> Iterator[str]:
    """Return the ids at the beginning of the docstring of each test."""
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                found = _IDS.match(ast.get_docstring(node) or "")
                yield from found.group().split(", ") if found else ()


def test_what_is_tried_is_listed() -> None:
    """Each id that a test begins with is a row of the page, and each row has a test."""
    assert sorted(LISTED) == sorted({*tried()})


def test_each_id_is_listed_once() -> None:
    """No two rows have one id."""
    assert [id for id, rows in Counter(LISTED).items() if rows > 1] == []
