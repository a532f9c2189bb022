"""Satisfiability: constraints on atoms and fields that prove some requirements impossible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

TRUE: Final = 1
FALSE: Final = 2
UNKNOWN: Final = 4
"""The values of Kleene's logic, as bits, so that a set of values is an int."""

_ANY: Final = TRUE | FALSE | UNKNOWN


def negate(wanted: int) -> int:
    """Return the values whose negation is in `wanted`."""
    # True and false swap places; unknown stays.
    return wanted & UNKNOWN | FALSE * bool(wanted & TRUE) | TRUE * bool(wanted & FALSE)


class Constraints:
    """The possible values of each atom, and the possible range of each field."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self._one_of: list[tuple[str, ...]] = []
        self._ranges: dict[str, _Range] = {}

    def restrict(self, atom: str, wanted: int) -> None:
        """Record that the atom has one of the `wanted` values."""
        self._values[atom] = self._values.get(atom, _ANY) & wanted

    def require_one_of(self, atoms: Iterable[str]) -> None:
        """Record that at least one of the atoms is true."""
        self._one_of.append(tuple(atoms))

    def restrict_field(self, field: str, kind: str, op: str, value: Any) -> None:
        """Record that the comparison is known to hold."""
        self._ranges.setdefault(field, _Range()).restrict(kind, op, value)

    def is_contradictory(self) -> bool:
        """Return whether some atom or field has no possible value."""
        return (
            not all(self._values.values())
            or any(
                not any(self._values.get(atom, _ANY) & TRUE for atom in atoms)
                for atoms in self._one_of
            )
            or any(each.is_empty() for each in self._ranges.values())
        )


class _Range:
    """The values of one field that satisfy all its known comparisons."""

    def __init__(self) -> None:
        self.lower: tuple[Any, bool] | None = None
        self.upper: tuple[Any, bool] | None = None
        self.among: set[Any] | None = None
        self.excluded: set[Any] = set()

    def restrict(self, kind: str, op: str, value: Any) -> None:
        values = set(value) if isinstance(value, tuple) else {value}
        if op in {">", ">="}:
            self._from(value, above=op == ">")
        elif op in {"<", "<="}:
            self._to(value, including=op == "<=")
        elif kind == "date":  # equality allows any time of that day
            if op in {"==", "in"}:
                self._from(min(values), above=False)
                self._to(
                    max(values).replace(hour=23, minute=59, second=59, microsecond=999_999),
                    including=True,
                )
        elif op in {"==", "in"}:
            self.among = values if self.among is None else self.among & values
        elif op in {"!=", "not in"}:
            self.excluded |= values

    def is_empty(self) -> bool:
        if self.among is not None:
            return not any(map(self._admits, self.among - self.excluded))
        # Exclusions are ignored without a list of values: that proves less, but never wrongly.
        if self.lower is None or self.upper is None:
            return False
        (lower, above), (upper, including) = self.lower, self.upper
        return bool(lower > upper or (lower == upper and (above or not including)))

    def _from(self, bound: Any, *, above: bool) -> None:
        # Of equal bounds the strict one is tighter: True is the maximum here, False below.
        self.lower = (bound, above) if self.lower is None else max(self.lower, (bound, above))

    def _to(self, bound: Any, *, including: bool) -> None:
        self.upper = (
            (bound, including) if self.upper is None else min(self.upper, (bound, including))
        )

    def _admits(self, value: Any) -> bool:
        above = (
            self.lower is None
            or value > self.lower[0]
            or (value == self.lower[0] and not self.lower[1])
        )
        below = (
            self.upper is None
            or value < self.upper[0]
            or (value == self.upper[0] and self.upper[1])
        )
        return bool(above and below)
