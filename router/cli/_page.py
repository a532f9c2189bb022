"""The matrix as one page that needs no network; its ticks are plain conjunctions of terms."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import click

from router._errors import ConfigurationError, RequirementError, printable
from router.catalogue._catalogue import Catalogue
from router.catalogue._terms import format_value
from router.cli._text import caution
from router.cli._writing import write_file
from router.models._field_types import KINDS, write_text
from router.models._model import Model, Support
from router.models._vocabulary import FIELDS, read_packaged
from router.requirements._expression import Requirement
from router.requirements._literals import Capability, Comparison
from router.requirements._parser import parse
from router.tools._matrix import Matrix, family

_BOUNDS: Final = {"max_input_tokens": ">=", "max_tokens": ">=", "price.output": "<="}
"""The fields that a slider bounds, and to which side."""

_LIFTS_DEFAULT: Final = 'maybe {field} like "*"'
"""A term that every model meets and that mentions a field, so that its default filter is skipped."""

_DIGITS: Final[dict[Support, str]] = {True: "1", False: "0", None: "?"}
_BLOCK: Final = "<{0}>(.*?)</{0}>"


def page(catalogue: Catalogue, matrix: Matrix) -> str:
    """Return the page, which has the matrix and says which of its models meet what is ticked.

    The catalogue is what a server sent: the page holds it as JSON without a character of markup,
    and its policy lets only its own script run.
    """
    template = read_packaged("matrix.html").decode()
    for name in ("style", "script"):
        template = template.replace(f"{{{{{name}}}}}", _source_hash(template, name))
    return template.replace("{{data}}", _without_markup(_data(catalogue, matrix)))


def write_page(path: str, text: str) -> None:
    """Write the page to a file, wholly or not at all, or to standard output for `-`.

    Raises `ConfigurationError` if the file cannot be made, and `OSError` if it cannot be written.
    """
    if path == "-":
        click.echo(text, nl=False)
        return
    try:
        write_file(path, text)
    except ConfigurationError as error:
        raise ConfigurationError(f"--html {error}") from error
    click.echo(f"wrote {printable(path)}", err=True)


def _source_hash(template: str, name: str) -> str:
    """Return the source expression of the policy that allows the one block of that name."""
    (block,) = re.findall(_BLOCK.format(name), template, re.DOTALL)
    return f"'sha256-{b64encode(sha256(block.encode()).digest()).decode()}'"


def _without_markup(data: object) -> str:
    """Return JSON in which nothing can end or open an element, in ASCII."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _data(catalogue: Catalogue, matrix: Matrix) -> dict[str, Any]:
    lines = sorted({model.line for model in matrix.models if model.line is not None})
    bounds = [_bound(field, op, matrix.models) for field, op in _BOUNDS.items()]
    filters = catalogue.default_filters(frozenset())
    return {
        "catalogue": catalogue.summary(),
        "capabilities": [_capability(name) for name in matrix.capabilities],
        "lines": [{"shown": printable(line) or '""', "value": write_text(line)} for line in lines],
        "bounds": [bound for bound, _ in bounds],
        "default_filters": [
            {
                "field": field,
                "term": each.text,
                "lifted": parse(_LIFTS_DEFAULT.format(field=field)).text,
            }
            for each in filters
            for field in each.fields
        ],
        "models": [
            {
                "id": model.id,
                "name": printable(model.display_name or ""),
                "caution": caution(model),
                "released": _day(model.created_at),
                "support": "".join(_DIGITS[support] for support in matrix.supports(model)),
                "line": None if model.line is None else lines.index(model.line),
                "bounds": [ranks.get(model.id) for _, ranks in bounds],
                "shown": [_shown(model, field) for field in _BOUNDS],
                "admitted": "".join(_DIGITS[catalogue.passes(each, model)] for each in filters),
            }
            for model in matrix.models
        ],
    }


def _capability(name: str) -> dict[str, Any]:
    """Return a capability, and the terms that require and exclude it, `None` if there are none."""
    term = _parsed(name)
    if not isinstance(term, Capability) or term.text != name:
        term = None
    return {
        "name": printable(name),
        "family": printable(family(name)),
        "term": None if term is None else term.text,
        "negated": None if term is None else (~term).text,
    }


def _bound(field: str, op: str, models: Iterable[Model]) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the steps of a slider, each with its term, and the rank of each model among them.

    Ranks compare as exactly as Python does; the numbers of a script would not.
    """
    known = {model.id: model.comparable[field] for model in models if field in model.comparable}
    ranks = {value: rank for rank, value in enumerate(sorted(set(known.values())))}
    write = KINDS[FIELDS[field]].write
    steps = []
    for value, rank in ranks.items():
        term = _parsed(f"{field} {op} {write(value)}")
        if isinstance(term, Comparison) and term.value == value:  # a longer number has no spelling
            steps.append({"shown": write(value), "term": term.text, "rank": rank})
    return {"field": field, "op": op, "steps": steps}, {
        id: ranks[value] for id, value in known.items()
    }


def _parsed(text: str) -> Requirement | None:
    try:
        return parse(text)
    except RequirementError:
        return None


def _shown(model: Model, field: str) -> str | None:
    return format_value(model.comparable[field]) if field in model.comparable else None


def _day(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%d}" if moment else None
