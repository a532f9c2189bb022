"""Why: each rule that puts one model before another, told as the one that decided."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import examples
from strategies import NOW, Entry, catalogue_of, listings, policies
from two_models import BOTH, EITHER, ONE, TWO

from router import Catalogue, Policy, UnknownModelError, require, why


def test_what_keeps_a_model_out_is_told_of_each_alternative() -> None:
    """A model that is not a candidate lacks something of each requirement, if only a default filter."""
    catalogue = catalogue_of([ONE, {**TWO, "lifecycle": "deprecated"}])
    default_filter = "maybe lifecycle == active (is deprecated) [default filter]"
    assert str(why(catalogue, "claude-two", EITHER, now=NOW)).splitlines() == [
        "claude-two is not a candidate; claude-one is selected",
        f"  it lacks, of the requirement: citations (unsupported); {default_filter}",
        f"  it lacks, of alternative 1: {default_filter}",
    ]
    assert str(why(catalogue, "claude-one", require("nova"), now=NOW)).splitlines() == [
        "claude-one is not a candidate",
        "  it lacks nova (unknown)",
    ]


def test_the_only_candidate_has_nothing_to_be_compared_with() -> None:
    """A model may be the only one."""
    assert (
        str(why(BOTH, "claude-one", require("citations"), now=NOW))
        == "claude-one is selected, the only candidate"
    )


def test_an_alias_is_the_model_it_stands_for() -> None:
    """A documented alias may be asked of, and a model that is not listed is an error."""
    assert (
        why(Catalogue.bundled(), "claude-haiku-4-5", require(), now=NOW).model.id
        == "claude-haiku-4-5-20251001"
    )
    with pytest.raises(UnknownModelError, match="did you mean claude-one"):
        why(BOTH, "claude-onee", require())


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
    found = why(catalogue, id, policy, now=NOW)
    assert found.place == (chain.index(id) + 1 if id in chain else None)
    assert (found.selected.id if found.selected is not None else None) == (
        chain[0] if chain else None
    )
    assert bool(found.because) is (id in chain and len(chain) > 1)
    assert all(found.lacks) is True
    assert len(found.lacks) == (0 if id in chain else len(policy.tiers))
    assert str(found)
