"""The policies that a router knows by name."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from fake_api import entries
from fake_source import router_of

from router import Catalogue, Policy, RequirementError, Router, UnknownNameError

FIRST = Catalogue.from_listing(entries(6), source="live")


def test_a_wrong_name_of_a_policy_is_told_with_the_policies() -> None:
    """The error of a word that names nothing lists the policies and what may have been meant."""
    router = router_of(
        FIRST, policies={"my-reports": Policy(), "drafts": Policy(require="pdf_input")}
    )

    with pytest.raises(
        UnknownNameError, match=r"^unknown name 'my-report'; did you mean my-reports\?"
    ) as raised:
        router.select("my-report")
    assert str(raised.value).endswith("(policies: my-reports, drafts)")
    assert copy.copy(raised.value).policies == ("my-reports", "drafts")
    with pytest.raises(
        UnknownNameError,
        match=r"unknown name 'nova'; no model states it \(policies: my-reports, drafts\)",
    ):
        router.select("nova")
    with pytest.raises(UnknownNameError, match=r"did you mean id == claude-fake-0\?"):
        router.select("claude-fake-0")
    with pytest.raises(RequirementError, match="line"):
        router.select("line")
    assert router.select("true") is router.select("drafts")


Ask = Callable[[Router, str], object]


ASKS: dict[str, Ask] = {
    "select": lambda router, name: router.select(name),
    "candidates": lambda router, name: router.candidates(name),
    "explain": lambda router, name: router.explain(name),
    "selector": lambda router, name: router.selector(name),
    "begin": lambda router, name: router.begin(name),
    "run": lambda router, name: router.run(name, lambda model: model),
    "route": lambda router, name: router.route({"max_tokens": 1}, name),
    "run_request": lambda router, name: router.run_request({"max_tokens": 1}, dict, name),
    "fallbacks_param": lambda router, name: router.fallbacks_param("claude-fake-0", name),
}


@pytest.mark.parametrize("name", ["reprots", "my-report", "re-prots"])
@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_wrong_name_is_told_wherever_it_is_asked_for(ask: Ask, name: str) -> None:
    """Every method that takes a policy lists the policies, for names with a hyphen too."""
    router = router_of(FIRST, policies={"my-reports": Policy(), "reports": Policy()})

    with pytest.raises(UnknownNameError, match=r"did you mean (my-)?reports") as raised:
        ask(router, name)
    assert raised.value.policies == ("my-reports", "reports")
