"""Result: what a command returns, and the decorators that build its session and print it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final, Generic, TypeVar

import click
from attrs import frozen

from router.catalogue._catalogue import Catalogue
from router.cli._json import document
from router.cli._session import Session
from router.cli._terminal import print_json
from router.cli._text import print_catalogue

Value = TypeVar("Value")

NOT_FOUND: Final = 1
"""The exit status if the command ran and its result is negative: no model, a problem, a difference."""

_json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_source_option: Final = click.option(
    "--source",
    metavar="bundled|live|FILE",
    help="Where the catalogue comes from; by default live where ANTHROPIC_API_KEY or "
    "ANTHROPIC_AUTH_TOKEN is set, else bundled.",
)
_lifecycle_option: Final = click.option(
    "--lifecycle",
    multiple=True,
    type=click.Choice(["active", "deprecated", "retired"]),
    help="With the live API: list these stages only (more than once for several; default: all "
    "but retired).",
)
_no_color_option: Final = click.option(
    "--no-color",
    is_flag=True,
    help="No colour, not even on a terminal (NO_COLOR does the same).",
)


@frozen
class Result(Generic[Value]):
    """The result of a command, and how it is printed for programs and for people."""

    value: Value
    as_json: Callable[[Value], dict[str, Any]]
    """The members of the JSON, each by its name."""
    print_text: Callable[[Value], object]
    found: object = True
    """False if the command ends with the status `failure`."""
    catalogue: Catalogue | None = None
    """The catalogue that the result is of."""
    has_footer: bool = True
    """Whether the catalogue is named after the text on a terminal."""
    failure: int = NOT_FOUND
    """The status if `found` is false."""


def prints_result(command: Callable[..., Result[Any]]) -> Callable[..., None]:
    """Add `--json` to a command, and print the result that it returns."""

    @wraps(command)
    def run(*, as_json: bool, **values: Any) -> None:
        _print(command(**values), as_json=as_json)

    return _json_option(run)


def prints_result_from_catalogue(command: Callable[..., Result[Any]]) -> Callable[..., None]:
    """Add the options of a session to a command, and print the result that it returns for one."""

    @wraps(command)
    def run(
        *,
        source: str | None,
        lifecycle: Sequence[str],
        as_json: bool,
        no_color: bool,
        frozen: bool = False,
        **values: Any,
    ) -> None:
        if no_color:
            click.get_current_context().color = False
        session = Session(source, lifecycle, frozen=frozen, as_json=as_json)
        _print(command(session, **values), as_json=as_json)

    return _source_option(_lifecycle_option(_json_option(_no_color_option(run))))


def _print(result: Result[Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document(result.as_json(result.value), result.catalogue))
    else:
        result.print_text(result.value)
        if result.catalogue is not None and result.has_footer:
            print_catalogue(result.catalogue)
    if not result.found:
        raise click.exceptions.Exit(result.failure)
