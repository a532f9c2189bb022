"""Index: bitsets over rows, held to the plain sets of rows that they stand for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.models._index import Column, Index, OrderedColumn, mask_of, rows_of, take_rows

SIZES = [0, 1, 7, 8, 9, 63, 64, 65, 4096, 4097, 20_000]


def rows_in(mask: int) -> set[int]:
    """Return the rows of a mask, bit by bit."""
    return {row for row in range(mask.bit_length()) if mask >> row & 1}


@given(st.sets(st.integers(0, 300)))
def test_a_mask_is_its_rows(rows: set[int]) -> None:
    """The rows of a mask are those that it was made of, highest first."""
    mask = mask_of(rows, 301)
    assert rows_in(mask) == rows
    assert rows_of(mask) == sorted(rows, reverse=True)


@pytest.mark.parametrize("size", SIZES)
def test_the_last_row_fits(size: int) -> None:
    """A mask has room for every row, at any size."""
    assert mask_of(range(size), size) == (1 << size) - 1
    assert rows_of((1 << size) - 1) == list(range(size - 1, -1, -1))
    assert Index([{}] * size, [{}] * size).all == (1 << size) - 1


@pytest.mark.parametrize("size", SIZES)
def test_facts_have_two_masks(size: int) -> None:
    """A fact is known yes on some rows, known no on others, and unknown on the rest."""
    supports = [(True, False, None)[row * 7 % 11 % 3] for row in range(size)]
    index = Index([{} if each is None else {"x": each} for each in supports], [{}] * size)
    yes, no = index.fact("x")
    assert rows_in(yes) == {row for row, each in enumerate(supports) if each is True}
    assert rows_in(no) == {row for row, each in enumerate(supports) if each is False}
    assert index.size == size


def test_a_fact_that_no_row_states_is_unknown_on_all() -> None:
    """Nothing is known of a name that the rows do not have."""
    index = Index([{"x": True}], [{}])
    assert index.fact("y") == (0, 0)


@pytest.mark.parametrize("size", SIZES)
def test_thresholds_are_those_of_a_scan(size: int) -> None:
    """`at_least` gives the rows at or above a bound, or strictly above, whether a value meets the bound or not."""
    values = [(None, 1, 2, 2.0, 3.5, 10)[row * 7 % 13 % 6] for row in range(size)]
    column = OrderedColumn(values, size)
    for bound in (0, 1, 1.5, 2, 3, 3.5, 9, 10, 11):
        known = [(row, value) for row, value in enumerate(values) if value is not None]
        assert rows_in(column.at_least(bound)) == {row for row, value in known if value >= bound}
        assert rows_in(column.at_least(bound, strictly=True)) == {
            row for row, value in known if value > bound
        }
    assert rows_in(column.known) == {row for row, value in enumerate(values) if value is not None}


@given(
    st.lists(st.integers(0, 2_000) | st.none(), max_size=3_000),
    st.integers(-1, 2_001),
    st.integers(-1, 2_001),
)
def test_a_range_is_that_of_a_scan(values: list[int | None], low: int, high: int) -> None:
    """`within` gives the rows between two bounds, however many different values there are."""
    column = OrderedColumn(values, len(values))
    low, high = sorted([low, high])
    found = column.within(low, high)
    assert rows_in(found) == {
        row for row, value in enumerate(values) if value is not None and low <= value <= high
    }


def test_no_stream_of_bounds_grows_the_memory() -> None:
    """However many bounds are asked for, the masks that are kept are a few."""
    column = OrderedColumn([row * 7 % 9_973 for row in range(9_973)], 9_973)
    kept = len(column._masks)
    for bound in range(0, 10_000, 10):
        column.at_least(bound)
        column.at_least(bound, strictly=True)
    assert len(column._masks) == kept <= 40


@given(st.sets(st.integers(0, 400)), st.none() | st.integers(0, 20))
def test_what_is_picked_is_newest_first(rows: set[int], limit: int | None) -> None:
    """Of a sequence that ends with row 0, what stands on the rows of a mask is take_rows, in order, up to a limit."""
    newest_first = range(400, -1, -1)
    assert take_rows(newest_first, mask_of(rows, 401), limit) == sorted(rows, reverse=True)[:limit]


def test_values_of_json_are_told_apart() -> None:
    """True, 1 and 1.0 are equal to Python but are three values, as are a text and the number it spells."""
    values: list[Any] = [True, 1, 1.0, "1", ("1",), None, False, 0]
    column = Column(values, len(values))
    for row, value in enumerate(values):
        assert column.equal(value) == (0 if value is None else 1 << row)
    yes, no = column.where(lambda value: isinstance(value, bool) or None)
    assert rows_in(yes) == {0, 6}
    assert no == 0


def test_where_asks_once_for_each_value() -> None:
    """A question is asked of each distinct value, and `None` leaves its rows unknown."""
    asked = []

    def is_short(value: str) -> bool | None:
        asked.append(value)
        return None if value == "?" else len(value) < 3

    yes, no = Column(["ab", "abc", "ab", None, "?", "abcd"], 6).where(is_short)
    assert (rows_in(yes), rows_in(no)) == ({0, 2}, {1, 5})
    assert sorted(asked) == ["?", "ab", "abc", "abcd"]


def test_equal_to_an_absent_value_is_no_row() -> None:
    """A value that no row has selects none, before and after other questions."""
    column = Column(["a", None], 2)
    assert column.equal("b") == 0
    assert column.equal("a") == 1
    assert column.equal("b") == 0


def test_a_column_is_read_once() -> None:
    """A field's column is made at the first question about it, and kept."""
    index = Index([{}, {}], [{"x": 1}, {}])
    assert index.column("x") is index.column("x")
    assert index.column("x").known == 1
    assert index.ordered("x") is index.ordered("x")
    assert index.ordered("x").known == 1
    assert index.column("absent").known == 0
    assert index.ordered("absent").at_least(0) == 0


def test_rows_that_share_their_facts_are_read_as_one() -> None:
    """One mapping over many rows, another of the same content and a third give what each row by itself would."""
    shared = {"x": True, "y": False}
    facts = [shared, {"x": True, "y": False}, shared, {"x": False}]
    one_by_one = Index([dict(each) for each in facts], [{}] * 4)
    assert Index(facts, [{}] * 4).fact("x") == one_by_one.fact("x") == (0b0111, 0b1000)
    assert Index(facts, [{}] * 4).fact("y") == one_by_one.fact("y") == (0, 0b0111)
