"""Terms: the conditions of a requirement and its default filters that a model does not meet."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final

from attrs import frozen

from router._errors import printable
from router._serialising import Serialisable
from router.models._field_types import KINDS, NEVER
from router.models._model import Model, Support
from router.models._vocabulary import DURATIONS
from router.requirements._expression import Maybe, Requirement, resolve_now
from router.requirements._literals import Comparison

_MAX_REQUIREMENT_LENGTH: Final = 400
"""The most characters of a requirement in an explanation."""


@frozen(repr=False)
class Term(Serialisable):
    """One condition that a model must meet; a default filter is `implicit`."""

    requirement: Requirement
    implicit: bool = False

    json_names: ClassVar = ("requirement", "implicit")

    def __str__(self) -> str:
        return self.requirement.text


@frozen(repr=False)
class Unmet(Serialisable):
    """A term that a model does not meet: `support` is `False`, or `None` for unknown.

    `found` is the model's value, if the term compares a known field.
    """

    term: Term
    support: Support
    found: Any = None

    json_names: ClassVar = ("term", "support", "why")

    def __str__(self) -> str:
        return f"{self.term} ({self.why})"

    @property
    def why(self) -> str:
        """`unsupported` or `unknown`, or the value found instead."""
        if self.support is None:
            return "unknown"
        if self.found is None:
            return "unsupported"
        compared = _compared(self.term.requirement)
        # A duration is stored as a date, and reported under the name of that date.
        source = DURATIONS.get(compared.field, {}).get("field", "") if compared is not None else ""
        return f"{source} is {format_value(self.found)}".strip()


def format_value(value: Any) -> str:
    """Return a field's value as readable text that is safe for a terminal."""
    if isinstance(value, datetime):
        return "not scheduled" if value == NEVER else KINDS["date"].write(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(printable, value))})"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return printable(str(value))
    return KINDS["number"].write(value)


def unmet_terms(
    requirement: Requirement, model: Model, *, now: datetime | None = None
) -> tuple[Unmet, ...]:
    """Return the terms that a model does not meet, without default filters."""
    at = resolve_now(now)
    supports = ((Term(each), each.truth(model, at)) for each in requirement.terms)
    return tuple(
        unmet_term(term, support, model) for term, support in supports if support is not True
    )


def unmet_term(term: Term, support: Support, model: Model) -> Unmet:
    """Return a term that a model does not meet, with the model's own value."""
    compared = _compared(term.requirement)
    return Unmet(
        term, support, model.comparable.get(compared.field) if compared is not None else None
    )


def _compared(requirement: Requirement) -> Comparison | None:
    """Return the comparison of a term that is one, with or without `maybe`."""
    inside = requirement.part if isinstance(requirement, Maybe) else requirement
    return inside if isinstance(inside, Comparison) else None


def abbreviated(requirement: Requirement) -> str:
    """Return the text of a requirement, shortened if it is long."""
    text = requirement.text
    if len(text) <= _MAX_REQUIREMENT_LENGTH:
        return text
    return f"{text[:_MAX_REQUIREMENT_LENGTH]}... ({len(requirement.terms)} terms)"
