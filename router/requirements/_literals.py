"""Literals: requirements with one condition, on a capability, a level or a field."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import Any, Final

import attrs

from router.models._field_types import (
    KINDS,
    ORDER,
    ORDERED,
    Kind,
    any_of,
    compare,
    shift_days,
    span,
)
from router.models._index import Index, Masks
from router.models._model import Model, Support
from router.models._vocabulary import DURATIONS, LEVELS
from router.requirements._expression import NO_NAMES, ReferencedNames, Requirement, remembered
from router.requirements._satisfiability import FALSE, TRUE, Constraints, negate

_COMPLEMENTS: Final = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    "<=": ">",
    ">": "<=",
    "in": "not in",
    "not in": "in",
}
_EQUALITY: Final = frozenset({"==", "!=", "in", "not in"})
_MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@attrs.frozen(eq=False, repr=False)
class Capability(Requirement):
    """The capability is supported."""

    text: str

    def masks(self, index: Index, now: datetime) -> Masks:
        return index.fact(self.text)

    def truth(self, model: Model, now: datetime) -> Support:
        return model.facts.get(self.text)

    def collect_references(self) -> ReferencedNames:
        return frozenset((self.text,)), NO_NAMES, False


@attrs.frozen(eq=False, repr=False)
class Level(Requirement):
    """The capability supports a level at or above `level`, or at or below it."""

    capability: str
    op: str
    level: str
    text: str = attrs.field(init=False)

    @text.default
    def _text(self) -> str:
        return f"{self.capability} {self.op} {self.level}"

    @property
    def levels(self) -> tuple[str, ...]:
        """The capabilities that satisfy this, any one of them."""
        order = LEVELS[self.capability]
        at = order.index(self.level)
        names = order[at:] if self.op == ">=" else order[: at + 1]
        return tuple(f"{self.capability}.{name}" for name in names)

    def masks(self, index: Index, now: datetime) -> Masks:
        facts = [index.fact(name) for name in self.levels]
        return reduce(or_, (yes for yes, _ in facts)), reduce(and_, (no for _, no in facts))

    def truth(self, model: Model, now: datetime) -> Support:
        return any_of(model.facts.get(name) for name in self.levels)

    def constrain(self, constraints: Constraints, wanted: int) -> None:
        constraints.restrict(self.text, wanted)
        if wanted == TRUE:
            constraints.require_one_of(self.levels)
        elif wanted == FALSE:
            for name in self.levels:
                constraints.restrict(name, FALSE)

    def collect_references(self) -> ReferencedNames:
        return frozenset(self.levels), NO_NAMES, False


@attrs.frozen(eq=False, repr=False)
class Comparison(Requirement):
    """A field compared with a value.

    `kind` is `text`, `limit`, `number`, `date`, `duration` (in days), `list`, or `any` for a field
    that is not in the vocabulary. With `any`, the value stays a string and is read as the type of
    each model's own value.
    """

    field: str
    kind: str
    op: str
    value: Any
    text: str = attrs.field(init=False)

    @text.default
    def _text(self) -> str:
        write = KINDS[self.kind].write
        if isinstance(self.value, tuple):
            shown = f"({', '.join(write(each) for each in self.value)})"
        else:
            shown = write(self.value)
        return f"{self.field} {self.op} {shown}"

    @property
    def complement(self) -> Comparison | None:
        op = _COMPLEMENTS.get(self.op)
        return Comparison(self.field, self.kind, op, self.value) if op else None

    def masks(self, index: Index, now: datetime) -> Masks:
        if self.kind in ORDERED and self.op in _MIRRORED:
            ordered = index.ordered(self.field)
            op, bound = self._bound(now)
            # "<" and "<=" are the complements of ">=" and ">" among the known values.
            above = ordered.at_least(bound, strictly=op in {">", "<="})
            below = ordered.known ^ above
            return (above, below) if op[0] == ">" else (below, above)
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if self.kind in ORDERED:
            ordered = index.ordered(self.field)
            return self._equal(
                reduce(or_, (ordered.within(*span(self.kind, each)) for each in values)),
                ordered.known,
            )
        column = index.column(self.field)
        if self.kind == "text" and self.op in _EQUALITY:
            return self._equal(reduce(or_, map(column.equal, values)), column.known)
        return column.where(lambda value: self._holds(value, now))

    def truth(self, model: Model, now: datetime) -> Support:
        value = model.comparable.get(self.field)
        return None if value is None else self._holds(value, now)

    def collect_references(self) -> ReferencedNames:
        return NO_NAMES, frozenset((self.field,)), self.kind == "duration"

    def constrain(self, constraints: Constraints, wanted: int) -> None:
        constraints.restrict(self.text, wanted)
        complement = self.complement
        if complement is not None:
            constraints.restrict(complement.text, negate(wanted))
        known = {TRUE: self, FALSE: complement}.get(wanted)
        # A field of these kinds has no fixed type or several values, so no range.
        if known is not None and known.kind not in {"any", "list"}:
            constraints.restrict_field(known.field, known.kind, known.op, known.value)

    def _equal(self, equal: int, known: int) -> Masks:
        return (equal, known ^ equal) if self.op in {"==", "in"} else (known ^ equal, equal)

    def _holds(self, value: Any, now: datetime) -> Support:
        if self.op in {"!=", "not in"}:
            held = compare("==" if self.op == "!=" else "in", self.kind, value, self.value)
            return None if held is None else not held
        if self.kind == "duration":
            op, bound = self._bound(now)
            return ORDER[op](value, bound)
        return compare(self.op, self.kind, value, self.value)

    def _bound(self, now: datetime) -> tuple[str, Any]:
        """Return the operator and bound for the stored value: a duration becomes a date."""
        if self.kind != "duration":
            return self.op, self.value
        if DURATIONS[self.field]["direction"] == "since":
            # A greater age is an earlier date.
            return _MIRRORED[self.op], shift_days(now, -self.value)
        return self.op, shift_days(now, self.value)


def membership(name: str, kind: str, op: str, values: Sequence[Any]) -> Comparison:
    """Return the requirement that a field is, or is not, one of the values."""
    among = tuple(sorted(set(values)))
    if len(among) == 1:
        return Comparison(name, kind, "==" if op == "in" else "!=", among[0])
    return Comparison(name, kind, op, among)


def canonical_value(kind: Kind, op: str, value: Any) -> Any:
    """Return the canonical value: equality of dates compares days, so the time is removed."""
    if kind.name == "date" and op in _EQUALITY:
        return value.replace(hour=0, minute=0, second=0, microsecond=0)
    return value


@remembered(1024)
def capability(name: str) -> Capability:
    """Return the requirement that a capability is supported; cached, as names recur often."""
    return Capability(name)
