"""The policies that a router knows by name."""

from __future__ import annotations

import copy

import pytest
from fake_api import entries
from fake_source import router_of

from router import Catalogue, Policy, RequirementError, UnknownNameError

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
        UnknownNameError, match=r"unknown name 'nova' \(policies: my-reports, drafts\)"
    ):
        router.select("nova")
    with pytest.raises(UnknownNameError, match=r"did you mean id == claude-fake-0\?"):
        router.select("claude-fake-0")
    with pytest.raises(RequirementError, match="line"):
        router.select("line")
    assert router.select("true") is router.select("drafts")
