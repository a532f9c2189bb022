"""`router models` and `router candidates`: models as a table, as JSON or as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import click

from router._errors import ConfigurationError, UnknownNameError, printable, quoted
from router._serialising import json_value
from router.catalogue._catalogue import Catalogue
from router.catalogue._policy import Policy
from router.catalogue._ranking import places
from router.catalogue._terms import format_value
from router.cli import _text
from router.cli._options import needs, where_option
from router.cli._result import Result, prints_result_from_catalogue
from router.cli._session import Session
from router.cli._terminal import print_json, print_message, print_table
from router.models._model import Model
from router.models._vocabulary import DURATIONS, capability_name
from router.requirements._expression import Requirement
from router.requirements._parser import require

_COLUMNS: Final = (
    *("id", "line", "created_at", "max_input_tokens", "max_tokens"),
    *("price.input", "price.output", "lifecycle", "access"),
)
"""The columns of CSV if none are named."""


@click.command(short_help="List the models of the catalogue, newest first.")
@where_option
@click.option(
    "--columns",
    metavar="NAME,...",
    help="Show these fields and capabilities: id,price.output,effort.max.",
)
@click.option(
    "--sort",
    metavar="NAME",
    help="Sort by a field, the least first; -NAME is the greatest first. Unknown values are last.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--raw", is_flag=True, help="Print the entries as the source gave them, for --source FILE."
)
@prints_result_from_catalogue
def models(
    session: Session,
    where: str | None,
    columns: str | None,
    sort: str | None,
    as_csv: bool,
    raw: bool,
) -> Result[Sequence[Model]]:
    """List the models of the catalogue, newest first."""
    if sum((session.as_json, as_csv, raw)) > 1:
        raise ConfigurationError("only one of --json, --csv and --raw can be given")
    if raw and (columns is not None):
        raise ConfigurationError("--columns cannot be combined with --raw: it prints whole entries")
    asked = require(where)
    catalogue = session.catalogue
    shown = catalogue.where(asked)
    if sort is not None:
        shown = _sorted(catalogue, shown, sort)
    names = _read_columns(catalogue, columns) if columns is not None else None
    return Result(
        shown,
        _as_json(names),
        _printer(names, as_csv=as_csv, raw=raw),
        catalogue=catalogue,
        has_footer=not (as_csv or raw),
    )


@click.command(short_help="List every model that meets a need, newest first.")
@needs
@click.option("--limit", type=click.IntRange(min=0), help="At most this many.")
@prints_result_from_catalogue
def candidates(
    session: Session, asked: Requirement | Policy, limit: int | None
) -> Result[Sequence[tuple[Model, str | None]]]:
    """Print every model known to meet REQUIREMENT, newest first: ids in a pipe, a table on a terminal.

    With --policy: the chain of the policy, and what puts each model into its place.
    """
    catalogue = session.catalogue
    ranked: Sequence[tuple[Model, str | None]]
    if isinstance(asked, Policy):
        ranked = [(each.model, str(each)) for each in places(catalogue, asked)[:limit]]
    else:
        ranked = [(model, None) for model in catalogue.candidates(asked, limit=limit)]
    found = ranked or limit == 0

    def print_text(ranked: Sequence[tuple[Model, str | None]]) -> None:
        _text.print_ranked(ranked)
        if not found:
            print_message(str(session.explain(asked)))

    return Result(ranked, _ranked_json, print_text, found, catalogue, has_footer=False)


def _ranked_json(ranked: Sequence[tuple[Model, str | None]]) -> dict[str, Any]:
    """Return the models, each with the reason for its place if a policy gives it one."""
    return {
        "models": [
            model.to_dict() | ({"why": why} if why is not None else {}) for model, why in ranked
        ]
    }


def _read_columns(catalogue: Catalogue, text: str) -> tuple[str, ...]:
    """Return the names of columns; raises `UnknownNameError` for one that has no values."""
    names = tuple(filter(None, (each.strip() for each in text.split(","))))
    if not names:
        raise ConfigurationError("--columns must be names such as id,price.output")
    for name in names:
        _check_column(catalogue, name)
    return names


def _check_column(catalogue: Catalogue, name: str) -> None:
    names = catalogue.names
    if name in DURATIONS:
        dated = DURATIONS[name]["field"]
        raise ConfigurationError(f"{name} depends on the time: use {dated} instead")
    is_capability = names.knows_capability(capability_name(name))
    if name != "key" and not names.knows_field(name) and not is_capability:
        raise UnknownNameError(name, names.nearest(name))


def _value(model: Model, name: str) -> Any:
    return model.key if name == "key" else model[name]


def _sorted(catalogue: Catalogue, models: Sequence[Model], sort: str) -> tuple[Model, ...]:
    """Sort models by a field or capability, stably; unknown values come last both ways."""
    name = sort.removeprefix("-")
    _check_column(catalogue, name)
    known = [model for model in models if _value(model, name) is not None]
    try:
        known.sort(key=lambda model: _value(model, name), reverse=sort.startswith("-"))
    except TypeError:  # a field that the vocabulary does not know may have values of several types
        raise ConfigurationError(f"--sort {quoted(name)}: its values have no order") from None
    return (*known, *(model for model in models if _value(model, name) is None))


def _as_json(names: Sequence[str] | None) -> Callable[[Sequence[Model]], dict[str, Any]]:
    def rows(models: Sequence[Model]) -> list[dict[str, Any]]:
        if names is None:
            return [model.to_dict() for model in models]
        return [{name: json_value(_value(model, name)) for name in names} for model in models]

    return lambda models: {"models": rows(models)}


def _printer(
    names: Sequence[str] | None, *, as_csv: bool, raw: bool
) -> Callable[[Sequence[Model]], object]:
    """Return the function that prints models as CSV, as raw entries or as a table."""
    if raw:
        return _print_raw
    if as_csv:
        return lambda models: _print_csv(models, names or _COLUMNS)
    if names is not None:
        return lambda models: print_table(
            [*map(printable, names)],
            [[_cell(_value(model, name)) for name in names] for model in models],
        )
    return _text.print_models


def _print_raw(models: Sequence[Model]) -> None:
    """Print the entries as one page of the API's own list."""
    entries = [dict(model.entry) for model in models]
    print_json(
        {
            "data": entries,
            "has_more": False,
            "first_id": entries[0]["id"] if entries else None,
            "last_id": entries[-1]["id"] if entries else None,
        }
    )


def _print_csv(models: Sequence[Model], names: Sequence[str]) -> None:
    """Print CSV quoted as RFC 4180 says; an unknown value is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(printable, names))
    writer.writerows([_csv_cell(_value(model, name)) for name in names] for model in models)
    click.echo(text.getvalue(), nl=False)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return printable(" ".join(value))
    if isinstance(value, bool):
        return str(value).lower()
    plain = json_value(value)
    return printable(plain) if isinstance(plain, str) else plain


def _cell(value: Any) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else format_value(value)
