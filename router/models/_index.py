"""Index: bitsets over the rows of a catalogue, with the newest row at the highest bit.

A fact has two masks, known yes and known no, as Kleene's logic needs. The newest row of a mask is
`mask.bit_length() - 1`, which needs no scan and no allocation.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from typing import Any, Final, TypeVar

Each = TypeVar("Each")

Masks = tuple[int, int]
"""Known yes and known no, as bitsets over the rows."""

_CHUNK: Final = 4096  # rows whose masks are built together: short integers are fast
_MAX_STEPS: Final = 32
_MIN_STEP: Final = 64
_SPARSE: Final = 8  # a mask is sparse if fewer than one in eight rows is set
_ZERO_AND_ONE: Final = bytes.maketrans(b"01", b"\0\1")


def mask_of(rows: Iterable[int], size: int) -> int:
    """Return the bitset with the given rows set."""
    bits = bytearray((size >> 3) + 1)
    for row in rows:
        bits[row >> 3] |= 1 << (row & 7)
    return int.from_bytes(bits, "little")


def rows_of(mask: int) -> list[int]:
    """Return the rows set in `mask`, highest first."""
    return take_rows(range(mask.bit_length() - 1, -1, -1), mask)


def take_rows(newest_first: Sequence[Each], mask: int, limit: int | None = None) -> list[Each]:
    """Return the elements whose row is set in `mask`, at most `limit`; the last one is row 0."""
    bits = bin(mask)
    start = len(newest_first) - len(bits)
    # A dense mask is faster to filter in one pass; a sparse one to search for its set bits.
    if limit is None and mask.bit_count() * _SPARSE > len(bits):
        return list(
            compress(newest_first[start + 2 :], bits[2:].encode("ascii").translate(_ZERO_AND_ONE))
        )
    found: list[Each] = []
    at = bits.find("1", 2)
    while at >= 0 and len(found) != limit:
        found.append(newest_first[start + at])
        at = bits.find("1", at + 1)
    return found


class Column:
    """The values of one field over the rows, of any type."""

    __slots__ = ("_rows", "known", "size")

    def __init__(self, values: Iterable[Any], size: int) -> None:
        # True, 1 and 1.0 are equal keys of a dict, but different values in JSON.
        self._rows: dict[tuple[type, Any], list[int]] = {}
        for row, value in enumerate(values):
            if value is not None:
                self._rows.setdefault((type(value), value), []).append(row)
        self.size = size
        self.known = mask_of((row for rows in self._rows.values() for row in rows), size)

    def where(self, holds: Callable[[Any], bool | None]) -> Masks:
        """Return the rows whose value is known to satisfy `holds`, and those known not to."""
        rows: dict[bool | None, list[int]] = {True: [], False: [], None: []}
        for (_, value), having in self._rows.items():
            rows[holds(value)] += having
        return mask_of(rows[True], self.size), mask_of(rows[False], self.size)

    def equal(self, value: Any) -> int:
        """Return the rows with exactly this value."""
        return mask_of(self._rows.get((type(value), value), ()), self.size)


class OrderedColumn:
    """The values of one field over the rows, of one ordered kind, so that a bound is a bisection.

    Masks are stored for every `_step`-th row by value. Any other mask is a stored one plus the rows
    in between, so memory does not grow with the number of different bounds.
    """

    __slots__ = ("_distinct", "_masks", "_rows", "_starts", "_step", "known", "size")

    def __init__(self, values: Sequence[Any], size: int) -> None:
        rows = [row for row, value in enumerate(values) if value is not None]
        rows.sort(key=values.__getitem__)
        self._distinct: list[Any] = []
        self._starts = array("I")
        for at, row in enumerate(rows):
            if not self._distinct or self._distinct[-1] != values[row]:
                self._distinct.append(values[row])
                self._starts.append(at)
        self._starts.append(len(rows))
        self._rows = array("I", rows)
        self._step = max(_MIN_STEP, len(rows) // _MAX_STEPS + 1)
        self.size = size
        self._masks = [0]
        for start in range((len(rows) - 1) // self._step * self._step, -1, -self._step):
            self._masks.append(self._masks[-1] | mask_of(rows[start : start + self._step], size))
        self._masks.reverse()
        self.known = self._masks[0]

    def at_least(self, bound: Any, *, strictly: bool = False) -> int:
        """Return the rows whose value is at least `bound`, or strictly more."""
        start = self._starts[(bisect_right if strictly else bisect_left)(self._distinct, bound)]
        step = -(-start // self._step)  # rounded up
        return self._masks[step] | mask_of(self._rows[start : step * self._step], self.size)

    def within(self, low: Any, high: Any) -> int:
        """Return the rows whose value is between the bounds, inclusive."""
        return self.at_least(low) ^ self.at_least(high, strictly=True)


class Index:
    """Bitsets over rows of facts and values, oldest first.

    Fields in `ordered` have values of one ordered kind. Rows that share one mapping of facts are
    read together.
    """

    __slots__ = ("_columns", "_facts", "_ordered", "_values", "all", "size")

    def __init__(
        self,
        facts: Sequence[Mapping[str, bool]],
        values: Sequence[Mapping[str, Any]],
        ordered: Iterable[str] = (),
    ) -> None:
        self.size = len(facts)
        self.all = (1 << self.size) - 1
        self._values = values
        self._columns: dict[str, Column] = {}
        self._facts = _masks_of_facts(facts)
        self._ordered = {
            name: OrderedColumn([row.get(name) for row in values], self.size) for name in ordered
        }

    def fact(self, name: str) -> Masks:
        """Return the rows where the fact is known to hold, and those where it is known not to."""
        return self._facts.get(name, (0, 0))

    def column(self, name: str) -> Column:
        """Return the values of a field, read on first use."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = Column(
                (row.get(name) for row in self._values), self.size
            )
        return column

    def ordered(self, name: str) -> OrderedColumn:
        """Return the values of a field that are all of one ordered kind."""
        column = self._ordered.get(name)
        if column is None:
            column = self._ordered[name] = OrderedColumn(
                [row.get(name) for row in self._values], self.size
            )
        return column


def _masks_of_facts(facts: Sequence[Mapping[str, bool]]) -> dict[str, Masks]:
    """Return the two masks of each fact, joined from the masks of chunks of rows."""
    parts = [
        _masks_of_chunk(facts[start : start + _CHUNK]) for start in range(0, len(facts), _CHUNK)
    ]
    if len(parts) == 1:
        return {name: (sides[True], sides[False]) for name, sides in parts[0].items()}
    names = {name for part in parts for name in part}
    return {
        name: (_join(parts, name, supported=True), _join(parts, name, supported=False))
        for name in names
    }


def _masks_of_chunk(facts: Sequence[Mapping[str, bool]]) -> dict[str, dict[bool, int]]:
    # Most rows share their mapping of facts with others: group by identity, then expand each once.
    alike: dict[int, int] = {}
    of: dict[int, Mapping[str, bool]] = {}
    for row, known in enumerate(facts):
        alike[id(known)] = alike.get(id(known), 0) | 1 << row
        of[id(known)] = known
    masks: dict[str, dict[bool, int]] = {}
    for sharing, rows in alike.items():
        for name, supported in of[sharing].items():
            if name not in masks:
                masks[name] = {True: 0, False: 0}
            masks[name][supported] |= rows
    return masks


def _join(parts: Sequence[dict[str, dict[bool, int]]], name: str, *, supported: bool) -> int:
    masks = (part[name][supported] if name in part else 0 for part in parts)
    return int.from_bytes(
        b"".join(mask.to_bytes(_CHUNK // 8, "little") for mask in masks), "little"
    )
