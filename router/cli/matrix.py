"""The matrix as text: a strip of marks a model on a terminal, a table with whole names in a pipe, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import Any, Final

import click

from router.catalogue import Catalogue
from router.cli.output import COLORS, WORDS, catalogue_json, encodes, marks, on_terminal, stage
from router.errors import printable
from router.matrix import Matrix
from router.model import Model

_LEADERS: Final = ("╭ ", "│ ")
_PLAIN_LEADERS: Final = (", ", "| ")
"""What stands above a column of marks: where its name begins, and the way down from there."""

_LEAST: Final = 4
"""What part of a terminal's width the marks have at least, however long the ids are."""

_NARROWEST: Final = 8
"""How many characters of a name stand in a line at least, though the terminal folds it once more."""

_BETWEEN: Final = " ._-"
"""Where a name is broken if it has to be."""

Column = tuple[str, int]
"""A capability, and how far from the left its marks stand."""


def print_marks(matrix: Matrix) -> None:
    """Print the marks: in blocks that fit the width of a terminal, one line a model anywhere else."""
    if not on_terminal(sys.stdout):
        _print_table(matrix)
        return
    width = get_terminal_size().columns
    widest = max((len(_label(model)) for model in matrix.models), default=0)
    for block in _blocks(matrix.families, max(width - 2 - widest, width // _LEAST)):
        _print_block(matrix, block, width)
        click.echo()
    click.echo("  ".join(f"{_mark(support)} {word}" for support, word in WORDS.items()))


def matrix_json(matrix: Matrix, catalogue: Catalogue) -> dict[str, Any]:
    """Return the matrix for JSON: true is supported, false unsupported, null unknown."""
    return {
        "capabilities": list(matrix.capabilities),
        "models": [
            {
                "id": model.id,
                "lifecycle": model.lifecycle,
                "access": model.access,
                "support": dict(zip(matrix.capabilities, matrix.supports(model), strict=True)),
            }
            for model in matrix.models
        ],
        "catalogue": catalogue_json(catalogue),
    }


def _print_table(matrix: Matrix) -> None:
    header = ["id", *map(printable, matrix.capabilities), "lifecycle"]
    mark = marks()
    rows = [[model.id, *(mark[each] for each in matrix.supports(model)), stage(model)] for model in matrix.models]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _blocks(families: tuple[tuple[str, ...], ...], room: int) -> Iterator[list[Column]]:
    """Return the columns in blocks as wide as there is room, a family in one block where it fits into one."""
    block: list[Column] = []
    before = 1
    for family in families:
        at = _next(block, apart=max(len(family), before) > 1)
        if block and at + 2 * len(family) - 1 > room >= 2 * len(family) - 1:
            yield block
            block, at = [], 0
        for name in family:
            if block and at >= room:
                yield block
                block, at = [], 0
            block.append((name, at))
            at += 2
        before = len(family)
    if block:
        yield block


def _next(block: list[Column], *, apart: bool) -> int:
    """Return where the next column stands; a family of several stands apart from its neighbours."""
    return block[-1][1] + 2 + apart if block else 0


def _print_block(matrix: Matrix, block: list[Column], width: int) -> None:
    begin, down = _LEADERS if encodes("".join(_LEADERS)) else _PLAIN_LEADERS
    for at, (name, offset) in enumerate(block):
        before = _placed([(down, each) for _, each in block[:at]], offset)
        below = _placed([(down, each) for _, each in block[: at + 1]], offset + 2)
        first, *rest = _folded(printable(name), width - offset - 2)
        click.echo(click.style(before + begin, dim=True) + first)
        for more in rest:
            click.echo(click.style(below, dim=True) + more)
    end = block[-1][1] + 3
    for model in matrix.models:
        strip = ""
        at = 0
        for name, offset in block:
            strip += " " * (offset - at) + _mark(model.facts.get(name))
            at = offset + 1
        first, *rest = _folded(_label(model), width - end)
        click.echo(f"{strip}  {first}")
        for more in rest:
            click.echo(" " * end + more)


def _placed(texts: list[tuple[str, int]], width: int) -> str:
    line = ""
    for text, offset in texts:
        line = line.ljust(offset) + text
    return line.ljust(width)


def _folded(text: str, room: int) -> list[str]:
    """Return the text in lines as long as there is room, broken between its words where they are not too long."""
    room = max(room, _NARROWEST)
    lines = []
    while len(text) > room:
        end = max(text.rfind(mark, room // 2, room) for mark in _BETWEEN) + 1 or room
        lines.append(text[:end].rstrip())
        text = text[end:]
    return [*lines, text]


def _label(model: Model) -> str:
    standing = stage(model)
    return model.id if standing in {"", "active"} else f"{model.id}  {standing}"


def _mark(support: bool | None) -> str:
    return click.style(marks()[support], fg=COLORS[support])
