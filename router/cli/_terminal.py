"""The terminal: what it can show, and the table and the progress bar of rich."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, TextIO

import click

from router._errors import printable_lines
from router.models._model import Support
from router.refresh._listing import Progress

WORDS: Final[dict[Support, str]] = {True: "supported", False: "unsupported", None: "unknown"}
_MARKS: Final[dict[Support, str]] = {True: "✓", False: "✗", None: "?"}
_PLAIN_MARKS: Final[dict[Support, str]] = {True: "+", False: "-", None: "?"}
_COLORS: Final[dict[Support, str]] = {True: "green", False: "red", None: "yellow"}


def on_terminal(stream: TextIO | None) -> bool:
    """Return whether the stream is a terminal; a stream closed before the start is `None`."""
    return stream is not None and stream.isatty()


def encodes(text: str) -> bool:
    """Return whether standard output can encode the text."""
    try:
        text.encode((sys.stdout and sys.stdout.encoding) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def marks() -> Mapping[Support, str]:
    """Return a mark for each support that standard output can encode."""
    return _MARKS if encodes("".join(_MARKS.values())) else _PLAIN_MARKS


def colored_mark(support: Support) -> str:
    """Return the mark of a support in its color."""
    return click.style(marks()[support], fg=_COLORS[support])


def print_message(text: str) -> None:
    """Print a message of the command on standard error, its lines kept and all else escaped."""
    click.echo(f"router: {printable_lines(text)}", err=True)


def print_json(value: Any) -> None:
    """Print JSON in ASCII, which is safe in any terminal and encoding."""
    click.echo(json.dumps(value, indent=2))


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield each row as a line whose cells line up."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: folded to the width of a terminal, else one line a row.

    The first column is folded only if the terminal is narrower than its longest cell.
    """
    if not on_terminal(sys.stdout):
        for line in aligned([header, *rows]):
            click.echo(line)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(color_system=_color_system(), highlight=False)
    table = Table(box=None, pad_edge=False)
    is_wide = max((len(row[0]) for row in rows), default=0) > console.width
    for at, name in enumerate(header):
        # A string would be markup.
        table.add_column(Text(name), overflow="fold", no_wrap=at == 0 and not is_wide)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table, crop=False)


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """Show on standard error how many models have been fetched, if that is a terminal."""
    if not on_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn("fetching models"),
        BarColumn(),
        TextColumn("{task.completed}"),
        console=Console(stderr=True, color_system=_color_system()),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.update(task, completed=count)


def _color_system() -> Literal["auto"] | None:
    return None if click.get_current_context().color is False else "auto"
