"""The matrix as text: a strip of marks a model on a terminal, a table with whole names in a pipe, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from router._errors import printable
from router.catalogue._catalogue import Catalogue
from router.cli._output import (
    COLORS,
    WORDS,
    catalogue_json,
    caution,
    encodes,
    marks,
    on_terminal,
    stage,
)
from router.models._model import Model
from router.tools._matrix import Matrix

_LEADERS: Final = ("╭", "│")
_PLAIN_LEADERS: Final = (",", "|")
"""What stands above a column of marks: where its name begins, and the way down from there."""

_LEAST: Final = 4
"""What part of a terminal's width the marks have at least, however long the ids are."""

_NARROWEST: Final = 8
"""How many characters of a name stand in a line at least, though the terminal folds it once more."""

_BETWEEN: Final = " ._-"
"""Where a name is broken if it has to be."""

Column = tuple[str, int]
"""A capability, and how many blanks stand before its marks."""


def print_marks(matrix: Matrix) -> None:
    """Print the marks: in blocks that fit the width of a terminal, one line a model anywhere else."""
    if not on_terminal(sys.stdout):
        _print_table(matrix)
        return
    from shutil import get_terminal_size

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
    rows = [
        [model.id, *(mark[each] for each in matrix.supports(model)), stage(model)]
        for model in matrix.models
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, *rows]:
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _blocks(families: tuple[tuple[str, ...], ...], room: int) -> Iterator[list[Column]]:
    """Return the columns in blocks as wide as there is room, a family in one block where it fits into one.

    A family of several stands apart from its neighbours.
    """
    block: list[Column] = []
    used, before = 0, 1
    for family in families:
        gap = 2 if max(before, len(family)) > 1 else 1
        whole = 2 * len(family) - 1
        if block and used + gap + whole > room >= whole:
            yield block
            block, used = [], 0
        for name in family:
            if block and used + gap + 1 > room:
                yield block
                block, used = [], 0
            block.append((name, gap if block else 0))
            used += block[-1][1] + 1
            gap = 1
        before = len(family)
    if block:
        yield block


def _print_block(matrix: Matrix, block: list[Column], width: int) -> None:
    begin, down = _LEADERS if encodes("".join(_LEADERS)) else _PLAIN_LEADERS
    lead = ""
    for name, gap in block:
        lead += " " * gap
        first, *rest = _folded(printable(name), width - len(lead) - 2)
        click.echo(click.style(f"{lead}{begin} ", dim=True) + first)
        lead += down
        for more in rest:
            click.echo(click.style(f"{lead} ", dim=True) + more)
    end = len(lead) + 2
    for model in matrix.models:
        strip = "".join(" " * gap + _mark(model.facts.get(name)) for name, gap in block)
        first, *rest = _folded(_label(model), width - end)
        click.echo(f"{strip}  {first}")
        for more in rest:
            click.echo(" " * end + more)


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
    return f"{model.id}  {caution(model)}".rstrip()


def _mark(support: bool | None) -> str:
    return click.style(marks()[support], fg=COLORS[support])
