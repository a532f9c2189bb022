"""Index: bitsets over the rows of a catalogue, the newest row at the highest bit. It knows no model.

A fact has two masks, known yes and known no, which is what Kleene's logic needs. The newest row of a
mask is then `mask.bit_length() - 1`: no scan and no allocation.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Masks = tuple[int, int]
"""Known yes and known no, as bitsets over the rows."""


def mask_of(rows: Iterable[int], size: int) -> int:
    """Return the bitset with the given rows set."""
    bits = bytearray((size >> 3) + 1)
    for row in rows:
        bits[row >> 3] |= 1 << (row & 7)
    return int.from_bytes(bits, "little")


def rows_of(mask: int) -> list[int]:
    """Return the rows set in `mask`, highest first."""
    bits = bin(mask)
    top = len(bits) - 1
    rows = []
    at = bits.find("1", 2)
    while at >= 0:
        rows.append(top - at)
        at = bits.find("1", at + 1)
    return rows


def _value(key: tuple[type, Any]) -> Any:
    return key[1]


class Column:
    """The values of one field over the rows, with a bitset for each question asked of it."""

    __slots__ = ("_at_least", "_masks", "_ordered", "_rows", "known", "size")

    def __init__(self, values: Iterable[Any], size: int) -> None:
        # True, 1 and 1.0 are equal and hash alike, but they are three values of JSON.
        self._rows: dict[tuple[type, Any], list[int]] = {}
        for row, value in enumerate(values):
            if value is not None:
                self._rows.setdefault((type(value), value), []).append(row)
        self._masks: dict[tuple[type, Any], int] = {}
        self._ordered: list[tuple[type, Any]] | None = None
        self._at_least: dict[int, int] = {}
        self.size = size
        self.known = mask_of((row for rows in self._rows.values() for row in rows), size)

    def where(self, holds: Callable[[Any], bool | None]) -> Masks:
        """Return the rows whose value is known to hold, and those whose value is known not to."""
        yes = no = 0
        for key in self._rows:
            held = holds(key[1])
            if held is True:
                yes |= self._mask(key)
            elif held is False:
                no |= self._mask(key)
        return yes, no

    def equal(self, value: Any) -> int:
        """Return the rows that have just this value."""
        return self._mask((type(value), value))

    def at_least(self, bound: Any, *, strictly: bool = False) -> int:
        """Return the rows whose value is `bound` or more, or only more; the values must be of one ordered kind.

        Kept by rank and not by bound, so that no stream of bounds grows the memory.
        """
        if self._ordered is None:
            self._ordered = sorted(self._rows, key=_value)
        rank = (bisect_right if strictly else bisect_left)(self._ordered, bound, key=_value)
        mask = self._at_least.get(rank)
        if mask is None:
            above = (row for key in self._ordered[rank:] for row in self._rows[key])
            mask = self._at_least[rank] = mask_of(above, self.size)
        return mask

    def _mask(self, key: tuple[type, Any]) -> int:
        mask = self._masks.get(key, 0)
        if not mask and key in self._rows:
            mask = self._masks[key] = mask_of(self._rows[key], self.size)
        return mask


class Index:
    """Bitsets over rows of facts and values, given oldest first."""

    __slots__ = ("_columns", "_facts", "_values", "all", "size")

    def __init__(self, facts: Sequence[Mapping[str, bool]], values: Sequence[Mapping[str, Any]]) -> None:
        self.size = len(facts)
        self.all = (1 << self.size) - 1
        self._values = values
        self._columns: dict[str, Column] = {}
        rows: dict[str, tuple[list[int], list[int]]] = {}
        for row, known in enumerate(facts):
            for name, supported in known.items():
                rows.setdefault(name, ([], []))[not supported].append(row)
        self._facts: dict[str, Masks] = {
            name: (mask_of(yes, self.size), mask_of(no, self.size)) for name, (yes, no) in rows.items()
        }

    def fact(self, name: str) -> Masks:
        """Return where the fact is known to hold, and where it is known not to."""
        return self._facts.get(name, (0, 0))

    def column(self, name: str) -> Column:
        """Return the values of a field, read on the first question about it."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = Column((row.get(name) for row in self._values), self.size)
        return column
