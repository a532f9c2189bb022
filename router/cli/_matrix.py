"""The matrix as text: a strip of marks a model on a terminal, else a table with whole names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

import click

from router._errors import printable
from router.cli._terminal import WORDS, colored_mark, encodes, marks, on_terminal, print_table
from router.cli._text import caution, stage
from router.models._model import Model
from router.tools._matrix import Matrix

_LEADERS: Final = ("╭", "│")
_PLAIN_LEADERS: Final = (",", "|")
"""Above a column of marks: where its name begins, and the line from there down to the marks."""

_LEAST_SHARE: Final = 4
"""One part in so many of a terminal's width is for the marks, however long the ids are."""

_LEAST_ROOM: Final = 8
"""Characters of a name that a line has at least, even if the terminal then folds it once more."""

_BREAKS: Final = " ._-"
"""The characters after which a name may be broken."""

Column = tuple[str, int]
"""A capability, and how many blanks are before its marks."""


def print_matrix(matrix: Matrix) -> None:
    """Print the marks: in blocks that fit the width of a terminal, else one line a model."""
    if not on_terminal(sys.stdout):
        _print_table(matrix)
        return
    from shutil import get_terminal_size

    width = get_terminal_size().columns
    widest = max((len(_label(model)) for model in matrix.models), default=0)
    for block in _blocks(matrix.families, max(width - 2 - widest, width // _LEAST_SHARE)):
        _print_block(matrix, block, width)
        click.echo()
    click.echo("  ".join(f"{colored_mark(support)} {word}" for support, word in WORDS.items()))


def _print_table(matrix: Matrix) -> None:
    header = ["id", *map(printable, matrix.capabilities), "lifecycle"]
    mark = marks()
    rows = [
        [model.id, *(mark[support] for support in matrix.supports(model)), stage(model)]
        for model in matrix.models
    ]
    print_table(header, rows)


def _blocks(families: tuple[tuple[str, ...], ...], room: int) -> Iterator[list[Column]]:
    """Yield the columns in blocks no wider than the room, a family in one block if it fits.

    Two blanks separate a family of several from its neighbours.
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
        strip = "".join(" " * gap + colored_mark(model.facts.get(name)) for name, gap in block)
        first, *rest = _folded(_label(model), width - end)
        click.echo(f"{strip}  {first}")
        for more in rest:
            click.echo(" " * end + more)


def _folded(text: str, room: int) -> list[str]:
    """Return the text in lines no longer than the room, broken between its words if they fit."""
    room = max(room, _LEAST_ROOM)
    lines = []
    while len(text) > room:
        end = max(text.rfind(mark, room // 2, room) for mark in _BREAKS) + 1 or room
        lines.append(text[:end].rstrip())
        text = text[end:]
    return [*lines, text]


def _label(model: Model) -> str:
    return f"{model.id}  {caution(model)}".rstrip()
