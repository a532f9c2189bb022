"""Why: each rule that puts one model before another, told as the one that decided."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import examples
from strategies import NOW, Entry, catalogue_of, listings, policies

from router import Catalogue, Policy, UnknownModelError, require
from router.catalogue._why import why

ONE: Entry = {
    "id": "claude-one",
    "created_at": "2026-06-01T00:00:00Z",
    "line": "opus",
    "price": {"output": 5},
    "max_input_tokens": 200_000,
    "capabilities": {"pdf_input": {"supported": True}, "citations": {"supported": True}},
}
TWO: Entry = {
    **ONE,
    "id": "claude-two",
    "created_at": "2026-11-01T00:00:00Z",
    "line": "haiku",
    "price": {"output": 25},
    "max_input_tokens": 1_000_000,
    "capabilities": {"pdf_input": {"supported": True}, "citations": {"supported": False}},
}
BOTH = catalogue_of([ONE, TWO])
EITHER = Policy(require="citations", alternatives=["pdf_input"])


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
    chosen, other = why(BOTH, asked, first["id"], now=NOW), why(BOTH, asked, second, now=NOW)
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
    assert why(catalogue_of(entries), require(), "claude-one", now=NOW).because == because


def test_an_unknown_price_stands_last() -> None:
    """A value that is unknown is called so."""
    catalogue = catalogue_of([ONE, {**TWO, "price": None}])
    found = why(catalogue, Policy(order="cheapest"), "claude-two", now=NOW)
    assert found.because == "cheapest, price.output is 5, of claude-two unknown"


def test_what_keeps_a_model_out_is_told_of_each_alternative() -> None:
    """A model that is no candidate lacks something of each requirement, if only a guard-rail."""
    catalogue = catalogue_of([ONE, {**TWO, "lifecycle": "deprecated"}])
    rail = "maybe lifecycle == active (is deprecated) [guard-rail]"
    assert str(why(catalogue, EITHER, "claude-two", now=NOW)).splitlines() == [
        "claude-two is no candidate; claude-one is selected",
        f"  it lacks, of the requirement: citations (unsupported); {rail}",
        f"  it lacks, of alternative 1: {rail}",
    ]
    assert str(why(catalogue, require("nova"), "claude-one", now=NOW)).splitlines() == [
        "claude-one is no candidate",
        "  it lacks nova (unknown)",
    ]


def test_the_only_candidate_has_nothing_to_be_compared_with() -> None:
    """A model may be the only one."""
    assert (
        str(why(BOTH, require("citations"), "claude-one", now=NOW))
        == "claude-one is selected, the only candidate"
    )


def test_an_alias_is_the_model_it_stands_for() -> None:
    """A documented alias may be asked of, and a model that is not listed is an error."""
    assert (
        why(Catalogue.bundled(), require(), "claude-haiku-4-5", now=NOW).model.id
        == "claude-haiku-4-5-20251001"
    )
    with pytest.raises(UnknownModelError, match="did you mean claude-one"):
        why(BOTH, require(), "claude-onee")


@settings(max_examples=examples(200))
@given(listings(), policies(), st.integers(0, 5))
def test_every_model_has_its_place_or_its_lacks(
    listing: list[Entry], policy: Policy, at: int
) -> None:
    """A candidate has the place that it has in the chain, and every other model lacks something of each requirement."""
    catalogue = catalogue_of(listing)
    if not listing:
        return
    id = listing[at % len(listing)]["id"]
    chain = [model.id for model in catalogue.candidates(policy, now=NOW)]
    found = why(catalogue, policy, id, now=NOW)
    assert found.place == (chain.index(id) + 1 if id in chain else None)
    assert (found.selected.id if found.selected is not None else None) == (
        chain[0] if chain else None
    )
    assert bool(found.because) is (id in chain and len(chain) > 1)
    assert all(found.lacks) is True
    assert len(found.lacks) == (0 if id in chain else len(policy.tiers))
    assert str(found)
