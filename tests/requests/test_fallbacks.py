"""A chain in the shape of the Messages API's own `fallbacks`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from anthropic.types.beta import BetaFallbackParam
from fake_api import Entry, entries
from hypothesis import given
from hypothesis import strategies as st

from router import (
    Catalogue,
    ConfigurationError,
    Fallbacks,
    Policy,
    Router,
    StaticSource,
    UnknownModelError,
)
from router.models._vocabulary import LEVELS
from router.requests._fallbacks import MOST

LOW, HIGH = (
    {level: {"supported": True} for level in levels}
    for levels in (["low", "medium"], ["low", "high", "max"])
)


def entry(
    number: int, allowed: object = None, max_tokens: int = 64_000, effort: Any = None
) -> Entry:
    """Return an entry that states which models may follow it."""
    (made,) = entries(1, start=number)
    stated = {"supported": True, **(effort or HIGH)}
    made["capabilities"]["effort"] = {
        level: {"supported": False} for level in LEVELS["effort"]
    } | stated
    return (
        made
        | {"max_tokens": max_tokens}
        | ({} if allowed is None else {"allowed_fallback_models": allowed})
    )


def router(*models: Entry) -> Router:
    """Return a router over these models."""
    return Router(
        StaticSource(Catalogue.from_listing(models)),
        policies={"best": Policy(prefer=["line == opus"])},
    )


ALL = [f"claude-fake-{number}" for number in range(6)]


def test_at_most_three_in_the_order_of_the_chain() -> None:
    """The first three of the chain that the model allows come, in the chain's order, and never the model itself."""
    chosen = router(*(entry(number, ALL[::-1]) for number in range(6)))

    assert chosen.fallbacks_param(ALL[1], "pdf_input") == [
        {"model": id} for id in (ALL[0], ALL[2], ALL[3])
    ]
    assert chosen.fallbacks_param(ALL[1], "best") == [
        {"model": id} for id in (ALL[2], ALL[5], ALL[0])
    ]
    assert chosen.fallbacks_param(ALL[1], "citations") == [
        {"model": id} for id in (ALL[0], ALL[2], ALL[4])
    ]
    assert chosen.fallbacks_param(chosen.catalogue[ALL[0]], "line == haiku") == [{"model": ALL[3]}]


@pytest.mark.parametrize(
    ("allowed", "reason"),
    [
        (
            None,
            "it is not known which fallbacks claude-fake-0 allows: the API states them to AnthropicSource(betas=",
        ),
        ([], "claude-fake-0 allows no fallbacks"),
        (
            ["claude-fake-3", "claude-other"],
            "claude-fake-0 allows claude-fake-3, claude-other: none of these meets",
        ),
        (["claude-fake-0"], "claude-fake-0 allows claude-fake-0: none of these meets"),
    ],
)
def test_none(allowed: Sequence[str] | None, reason: str) -> None:
    """Where no fallback may follow there is none, and the reason is told."""
    fallbacks = router(entry(0, allowed), *(entry(number) for number in (1, 3))).fallbacks_param(
        ALL[0], "line == sonnet"
    )

    assert not fallbacks
    assert fallbacks.reason.startswith(reason)
    assert reason in repr(fallbacks)


def test_a_model_that_nobody_knows() -> None:
    """An id that the catalogue does not list is an error, and an alias is resolved."""
    with pytest.raises(UnknownModelError):
        router(entry(0)).fallbacks_param("claude-nova", "pdf_input")

    bundled = Router(StaticSource(Catalogue.bundled()))
    assert (
        "claude-haiku-4-5-20251001"
        in bundled.fallbacks_param("claude-haiku-4-5", "pdf_input").reason
    )


def test_a_request_that_is_none() -> None:
    """What is no mapping of parameters is told."""
    with pytest.raises(ConfigurationError, match="a request must be a mapping"):
        router(entry(0)).fallbacks_param(ALL[0], "pdf_input", None)  # type: ignore[arg-type]


def test_spelt_as_the_model_allows_it() -> None:
    """A fallback is named as the model names it: by its alias, where that is what it allows."""
    models = [
        {"id": "claude-haiku-4-5-20251001"},
        {"id": "claude-opus-5", "allowed_fallback_models": ["claude-haiku-4-5"]},
    ]

    assert Router(StaticSource(Catalogue.from_listing(models))).fallbacks_param(
        "claude-opus-5", None
    ) == [{"model": "claude-haiku-4-5"}]


def test_each_model_once() -> None:
    """A model that may follow by its id and by its alias follows once."""
    models = [
        {"id": "claude-haiku-4-5-20251001"},
        {
            "id": "claude-opus-5",
            "allowed_fallback_models": ["claude-haiku-4-5", "claude-haiku-4-5-20251001"],
        },
    ]

    assert (
        len(
            Router(StaticSource(Catalogue.from_listing(models))).fallbacks_param(
                "claude-opus-5", None
            )
        )
        == 1
    )


@pytest.mark.parametrize(
    ("request_", "overrides"),
    [
        ({}, {}),
        ({"max_tokens": 8_000}, {}),
        ({"max_tokens": 8_001}, {"max_tokens": 8_000}),
        (
            {
                "max_tokens": 9_000,
                "thinking": {"type": "enabled", "budget_tokens": 8_000, "display": "omitted"},
            },
            {
                "max_tokens": 8_000,
                "thinking": {"type": "enabled", "budget_tokens": 7_999, "display": "omitted"},
            },
        ),
        (
            {"max_tokens": 9_000, "thinking": {"type": "enabled", "budget_tokens": 7_999}},
            {"max_tokens": 8_000},
        ),
        ({"max_tokens": 9_000, "thinking": {"type": "adaptive"}}, {"max_tokens": 8_000}),
        ({"max_tokens": 8_000, "thinking": {"type": "enabled", "budget_tokens": 9_000}}, {}),
        ({"output_config": {"effort": "medium"}}, {}),
        ({"output_config": {"effort": "high"}}, {"output_config": {"effort": "medium"}}),
        (
            {"output_config": {"effort": "max", "format": {}}},
            {"output_config": {"effort": "medium"}},
        ),
        ({"output_config": {"effort": "hihg"}}, {}),
        ({"output_config": None, "thinking": None, "max_tokens": None}, {}),
    ],
)
def test_what_each_needs_changed(request_: dict[str, Any], overrides: dict[str, Any]) -> None:
    """An entry overrides what its model would not take of the request, and nothing else; the request stays as it is."""
    before = repr(request_)
    chosen = router(entry(0, ALL, 128_000), entry(1, max_tokens=8_000, effort=LOW))

    assert chosen.fallbacks_param(ALL[0], "pdf_input", request_) == [{"model": ALL[1], **overrides}]
    assert repr(request_) == before


def test_no_level_below() -> None:
    """Where the model supports no lower level of effort the server chooses, as it is documented to do."""
    chosen = router(entry(0, ALL), entry(1, effort={"max": {"supported": True}}))

    assert chosen.fallbacks_param(ALL[0], "pdf_input", {"output_config": {"effort": "low"}}) == [
        {"model": ALL[1]}
    ]


@given(
    st.sampled_from([0, 1, 2]),
    st.integers(1, 200_000),
    st.none() | st.sampled_from(["low", "medium", "high", "xhigh", "max"]),
    st.none() | st.integers(1024, 200_000),
)
def test_the_sdk_takes_it(
    primary: int, max_tokens: int, effort: str | None, budget: int | None
) -> None:
    """Whatever the request, the entries are what the SDK's own type takes, and no limit is passed."""
    models = [
        entry(number, ALL, limit, effort)
        for number, limit, effort in ((0, 128_000, HIGH), (1, 8_000, LOW), (2, 1, HIGH))
    ]
    request: dict[str, Any] = {"max_tokens": max_tokens}
    request |= {"output_config": {"effort": effort}} if effort else {}
    request |= {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget else {}
    chosen = router(*models)
    fallbacks = chosen.fallbacks_param(ALL[primary], "pdf_input", request)

    assert isinstance(fallbacks, Fallbacks)
    assert len({each["model"] for each in fallbacks}) == len(fallbacks) == 2 <= MOST
    for each in fallbacks:
        assert each.keys() <= BetaFallbackParam.__annotations__.keys()
        model = chosen.catalogue[each["model"]]
        assert each.get("max_tokens", max_tokens) <= (model.max_tokens or 0)
        lowered = each.get("output_config", {}).get("effort")
        assert lowered is None or model.support(f"effort.{lowered}")
