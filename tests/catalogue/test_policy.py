"""Policies: how a chain is ranked, held to the slow definition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from fake_api import entries
from fake_source import FakeSource
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import examples
from strategies import NOW, Entry, catalogue_of, listings, policies, requirements

from router import (
    Catalogue,
    ConfigurationError,
    NoModelError,
    Policy,
    Reason,
    RequirementError,
    Router,
    UnknownNameError,
    require,
)
from router.models._model import Model
from router.requirements._expression import Requirement

HERE = datetime(2026, 11, 22, tzinfo=UTC)
BUNDLED = Catalogue.bundled()
UNHEARD_OF = "max_input_tokens >= 900M"


def standing(policy: Policy, model: Model) -> tuple[float, ...]:
    """Return how a model stands by the order, as the design says it; unknown is last."""
    if policy.order == "cheapest":
        output, given = (model.values.get(name) for name in ("price.output", "price.input"))
        return (output is None, output or 0.0, given is None, given or 0.0)
    if policy.order == "largest_context":
        return (model.max_input_tokens is None, -(model.max_input_tokens or 0))
    return ()


def chain_of(catalogue: Catalogue, policy: Policy) -> list[Model]:
    """Return the chain of a policy by its definition: look at each model, for each of its requirements."""
    chain: list[Model] = []
    for requirement in (policy.require, *policy.alternatives):
        asked: list[Requirement] = [requirement]
        if policy.minimum_age is not None:
            asked.append(policy.minimum_age)
        filters = catalogue.default_filters(frozenset().union(*(each.fields for each in asked)))
        meeting = [
            model for model in catalogue if all(each.matches(model, now=NOW) for each in asked)
        ]
        found = [
            model for model in meeting if all(catalogue.passes(each, model) for each in filters)
        ]
        found.sort(
            key=lambda model: (
                [not preference.matches(model, now=NOW) for preference in policy.prefer],
                standing(policy, model),
            )
        )
        chain += [model for model in found if model not in chain]
    return chain


@settings(max_examples=examples(300))
@given(listings(), policies())
def test_a_chain_is_what_the_definition_says(listing: list[Entry], policy: Policy) -> None:
    """`candidates` is the chain, `select` its first, and `explain` says both, with a reason that fits."""
    catalogue = catalogue_of(listing)
    expected = chain_of(catalogue, policy)

    assert list(catalogue.candidates(policy, now=NOW)) == expected
    assert catalogue.select(policy, default=None, now=NOW) is (expected[0] if expected else None)
    decision = catalogue.explain(policy, now=NOW)
    assert decision.model is (expected[0] if expected else None)
    assert decision.candidates == tuple(expected)
    assert (decision.reason is Reason.NO_MATCH) is (not expected)
    assert str(decision)


@settings(max_examples=examples(200))
@given(listings(), policies())
def test_a_reason_is_true(listing: list[Entry], policy: Policy) -> None:
    """The newest is called so where it is, an alternative only where nothing meets the first requirement."""
    catalogue = catalogue_of(listing)
    decision = catalogue.explain(policy, now=NOW)
    first = catalogue.candidates(policy.tiers[0], now=NOW)

    assert (decision.reason is Reason.ALTERNATIVE) is (decision.model is not None and not first)
    if decision.reason is Reason.NEWEST:
        assert decision.model is first[0]
    if decision.reason in {Reason.PREFERRED, Reason.ORDERED}:
        assert decision.model is not first[0]
        assert decision.notes
    if not policy.prefer:
        assert decision.reason is not Reason.PREFERRED
    if policy.order == "newest":
        assert decision.reason is not Reason.ORDERED


@given(listings(), requirements())
def test_a_plain_policy_is_its_requirement(listing: list[Entry], requirement: Requirement) -> None:
    """Without preferences, order, age and alternatives a policy answers as its requirement does."""
    catalogue = catalogue_of(listing)
    assert catalogue.candidates(Policy(require=requirement), now=NOW) == catalogue.candidates(
        requirement, now=NOW
    )


@given(listings(), policies(), st.integers(0, 4))
def test_preferences_remove_nobody(listing: list[Entry], policy: Policy, limit: int) -> None:
    """Whatever is preferred and however it is ordered, the same models are in the chain; a limit cuts its end off."""
    catalogue = catalogue_of(listing)
    plain = Policy(require=policy.require, alternatives=policy.alternatives)
    if policy.minimum_age is None:
        assert {*catalogue.candidates(policy, now=NOW)} == {*catalogue.candidates(plain, now=NOW)}
    chain = catalogue.candidates(policy, now=NOW)
    assert catalogue.candidates(policy, now=NOW, limit=limit) == chain[:limit]


def test_reasons_of_the_bundled_catalogue() -> None:
    """Each rule of a policy that decides is told as the reason, with what it decided against."""
    first = BUNDLED.candidates("structured_outputs", limit=1)[0].id
    told = {
        order: BUNDLED.explain(policy, now=HERE)
        for order, policy in {
            "newest": Policy(require="structured_outputs"),
            "preferred": Policy(
                require="structured_outputs", prefer=["line == opus", "effort.max"]
            ),
            "ordered": Policy(require="structured_outputs", order="cheapest"),
            "alternative": Policy(require=UNHEARD_OF, alternatives=["line == haiku"]),
            "no_match": Policy(require=UNHEARD_OF),
        }.items()
    }
    assert {order: decision.reason.value for order, decision in told.items()} == {
        order: order for order in told
    }
    assert told["preferred"].notes[0] == f"preferred to the newer {first} for line == opus"
    assert told["ordered"].notes[0] == f"cheapest, before the newer {first}"
    assert (
        told["alternative"].notes[0]
        == "no model satisfies max_input_tokens >= 900M; this is alternative 1 of 1"
    )
    assert told["alternative"].requirement == require("line == haiku")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prefer": "line == opus"}, r"^prefer and alternatives must be lists of requirements"),
        (
            {"alternatives": require("pdf_input")},
            r"^prefer and alternatives must be lists of requirements",
        ),
        ({"minimum_age": "soon"}, r"^minimum_age must be a duration such as 14d"),
        ({"minimum_age": "-1d"}, r"^minimum_age must be a duration such as 14d"),
        ({"minimum_age": require("age <= 14d")}, r"^minimum_age must be a duration such as 14d"),
        ({"minimum_age": 14}, r"^minimum_age must be a duration such as 14d"),
        (
            {"order": "oldest"},
            r"^order must be one of newest, cheapest, largest_context \(got 'oldest'\)",
        ),
        ({"require": "pdf_input and"}, r"^expected a name"),
    ],
)
def test_a_policy_that_means_nothing(arguments: dict[str, object], message: str) -> None:
    """What means nothing is refused when the policy is made, and the error says what was expected."""
    with pytest.raises((ConfigurationError, RequirementError), match=message):
        Policy(**arguments)  # type: ignore[arg-type]


def test_no_model_for_a_policy() -> None:
    """Where no requirement of a policy is met there is an error that explains itself, or the default."""
    policy = Policy(require=UNHEARD_OF, alternatives=["max_tokens >= 900M"])
    with pytest.raises(NoModelError, match="no model satisfies") as caught:
        BUNDLED.select(policy)
    assert caught.value.requirement is policy
    assert BUNDLED.select(policy, default="none") == "none"


@pytest.mark.parametrize("ask", ["select", "candidates", "explain"])
def test_keywords_do_not_go_with_a_policy(ask: str) -> None:
    """A policy says all that is needed."""
    with pytest.raises(
        RequirementError, match="a policy cannot be combined with keywords: pdf_input="
    ):
        getattr(BUNDLED, ask)(Policy(require="citations"), pdf_input=True)


@pytest.mark.parametrize(
    "policy", [Policy(alternatives=["pdf_imput"]), Policy(prefer=["pdf_imput"])]
)
@pytest.mark.parametrize("ask", ["select", "candidates", "explain"])
def test_every_name_of_a_policy_is_checked(policy: Policy, ask: str) -> None:
    """A name that nobody knows is an error at once, also where today's answer does not come to it."""
    with pytest.raises(UnknownNameError, match="pdf_input"):
        getattr(BUNDLED, ask)(policy)


@pytest.mark.parametrize("policies", [["a"], {"one": "pdf_input"}, 5, {"pdf_input": Policy()}])
def test_what_are_no_policies(policies: Any) -> None:
    """What is no mapping of policies by names of their own is refused when the router is made."""
    with pytest.raises(ConfigurationError):
        Router(FakeSource(BUNDLED), policies=policies, cache_dir=False)


def test_a_policy_evolves() -> None:
    """A policy takes its own values."""
    policy = Policy(require="pdf_input", minimum_age="14d", prefer=["line == opus"])
    assert evolve(policy, name="x") == evolve(policy, minimum_age="2w", name="x")


# In a router


@pytest.mark.parametrize("name", ["pdf_input", "line", "and", "a b", ""])
def test_names_that_text_has_already(name: str) -> None:
    """A policy whose name means something in text is an error, as in a file."""
    with pytest.raises(ConfigurationError):
        Router(FakeSource(BUNDLED), policies={name: Policy()}, cache_dir=False).select(
            "citations and pdf_input"
        )


def test_a_selector_of_a_policy_follows_refreshes() -> None:
    """A prepared policy answers from the current catalogue."""
    first, second = (Catalogue.from_listing(entries(6, start=start)) for start in (0, 3))
    router = Router(
        FakeSource(first, second),
        cache_dir=False,
        policies={"one": Policy(prefer=["line == opus"])},
    )
    pick = router.selector("one")

    assert [pick().id, pick().id] == ["claude-fake-2"] * 2
    router.refresh()
    assert pick().id == "claude-fake-5"
