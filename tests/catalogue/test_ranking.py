"""Ranking: each rule that puts one model before another, told as the one that decided."""

from __future__ import annotations

import pytest
from strategies import NOW, Entry, catalogue_of
from two_models import BOTH, EITHER, ONE, TWO

from router import Policy, require, why


@pytest.mark.parametrize(
    ("asked", "first", "because"),
    [
        (Policy(), TWO, "it is newer, released 2026-11-01, claude-one 2026-06-01"),
        (
            Policy(prefer=["pdf_input", "line == opus"]),
            ONE,
            "it is preferred to claude-two for line == opus",
        ),
        (Policy(order="cheapest"), ONE, "cheapest, price.output is 5, of claude-two 25"),
        (
            Policy(order="largest_context"),
            TWO,
            "largest_context, max_input_tokens is 1M, of claude-one 200k",
        ),
        (
            Policy(require="pdf_input", alternatives=["citations"], prefer=["line == opus"]),
            ONE,
            "it is preferred to claude-two for line == opus",
        ),
        (EITHER, ONE, "it meets what is required, claude-two but a later alternative"),
        (
            Policy(require="server_tools", alternatives=["citations", "pdf_input"]),
            ONE,
            "it meets alternative 1, claude-two but a later alternative",
        ),
    ],
    ids=str,
)
def test_the_rule_that_decided_is_told(asked: Policy, first: Entry, because: str) -> None:
    """The same rule says why the first is the first and why the second is not."""
    second = next(each["id"] for each in (ONE, TWO) if each is not first)
    chosen, other = why(BOTH, first["id"], asked, now=NOW), why(BOTH, second, asked, now=NOW)
    assert str(chosen) == f"{first['id']} is selected, the first of 2 candidates: {because}"
    assert (
        str(other) == f"{second} is number 2 of 2 candidates; {first['id']} is selected: {because}"
    )


@pytest.mark.parametrize(
    ("entries", "because"),
    [
        (
            [ONE, {**ONE, "id": "claude-b"}],
            "it is as old as claude-one, and its id is the smaller one",
        ),
        (
            [{**ONE, "created_at": None}, {**ONE, "id": "claude-b"}],
            "it is newer, released 2026-06-01, claude-one on an unknown day",
        ),
    ],
)
def test_models_that_nothing_else_tells_apart(entries: list[Entry], because: str) -> None:
    """An unknown day comes last, and the same day is decided by the id."""
    assert why(catalogue_of(entries), "claude-one", require(), now=NOW).because == because


def test_an_unknown_price_stands_last() -> None:
    """A value that is unknown is called so."""
    catalogue = catalogue_of([ONE, {**TWO, "price": None}])
    found = why(catalogue, "claude-two", Policy(order="cheapest"), now=NOW)
    assert found.because == "cheapest, price.output is 5, of claude-two unknown"
