"""Where a request goes: held to the definition, one model after the other; and runs that send it on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import trio
from fake_source import FakeSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from request_corpus import CORPUS, load, requests, snapshot
from sizes import examples
from strategies import NOW, catalogue_of, listings

from router import (
    Catalogue,
    CatalogueUnavailableError,
    ConfigurationError,
    FallbackExhaustedError,
    Model,
    NoModelError,
    Policy,
    Reason,
    Router,
    StaticSource,
    UnfitRequestError,
    UnknownNameError,
    fit,
    require,
    requirement_of,
)
from router.requests._fitting import OnUnsupported
from router.requests._routing import routes

BUNDLED = Catalogue.bundled()
OPUS, OLDER = BUNDLED["claude-opus-5-5"], BUNDLED["claude-opus-4-6"]
BOTH = f"id in ({OPUS.id}, {OLDER.id})"
TOOL = {"name": "find", "input_schema": {"type": "object"}}
HELLO: dict[str, Any] = {"max_tokens": 16, "messages": [{"role": "user", "content": "Hello."}]}
CHANGED = {
    **HELLO,
    "tools": [TOOL],
    "tool_choice": {"type": "any"},
    "output_config": {"effort": "xhigh"},
}
"""What each of the two models takes after a change of its own."""

PDF = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
CATALOGUES = listings().map(catalogue_of) | st.just(BUNDLED)
WAYS: list[OnUnsupported] = ["error", "drop", "downgrade"]


def router_of(**arguments: Any) -> Router:
    """Return a router of the bundled catalogue."""
    return Router(StaticSource(BUNDLED), cache_dir=False, **arguments)


def defined(
    catalogue: Catalogue, request: Mapping[str, Any], asked: str, way: OnUnsupported, *, batch: bool
) -> list[tuple[str, Any]]:
    """Return the models that can serve a request with it as each takes it, by the definition."""
    filters = catalogue.default_filters(require(asked).fields)
    admitted = [
        model
        for model in catalogue
        if require(asked).matches(model, now=NOW)
        and all(catalogue.passes(each, model) for each in filters)
    ]
    need = requirement_of(request, batch=batch)
    whole = [(model.id, request) for model in admitted if need.matches(model, now=NOW)]
    changed = []
    for model in admitted:
        if way == "error" or need.matches(model, now=NOW):
            continue
        try:
            fitted = fit(request, model, way, batch=batch).request
        except UnfitRequestError:
            continue
        if requirement_of(fitted, batch=batch).matches(model, now=NOW):
            changed.append((model.id, fitted))
    return whole + changed[: max(0, 3 - len(whole))]


@settings(suppress_health_check=list(HealthCheck), max_examples=examples(150))
@given(
    CATALOGUES,
    st.sampled_from([load(path)["request"] for path in CORPUS]) | requests(),
    st.sampled_from(["true", "lifecycle == active", "line == opus", "max_tokens >= 64k"]),
    st.sampled_from(WAYS),
    st.booleans(),
)
def test_the_routes_are_those_of_the_definition(
    catalogue: Catalogue, request: dict[str, Any], asked: str, way: OnUnsupported, batch: bool
) -> None:
    """The models are those known to serve the request, newest first: as it is, and then each after its own changes."""
    before = snapshot(request)
    expected = defined(catalogue, request, asked, way, batch=batch)
    try:
        found = routes(catalogue, request, asked, way, NOW, most=3, batch=batch)
    except NoModelError:
        found = None
    assert [
        (model.id, fitted.request) for model, fitted in (found.fits.items() if found else ())
    ] == expected
    assert snapshot(request) == before


@settings(suppress_health_check=list(HealthCheck), max_examples=examples(150))
@given(
    CATALOGUES,
    st.sampled_from([load(path)["request"] for path in CORPUS]) | requests(),
    st.sampled_from(WAYS),
)
def test_where_a_request_goes_it_is_taken(
    catalogue: Catalogue, request: dict[str, Any], way: OnUnsupported
) -> None:
    """The model of a route is known to serve the request that comes with it, and the decision says the same."""
    router = Router(StaticSource(catalogue), cache_dir=False)
    try:
        routed = router.route(request, None, way, now=NOW)
    except NoModelError:
        return
    assert routed.request["model"] == routed.model.id
    assert requirement_of(routed.request).matches(routed.model, now=NOW)
    assert routed.decision.model is routed.model
    assert all(places for places in routed.decision.places.values())
    assert routed.changes == () or way != "error"


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_corpus_has_its_places(path: Any) -> None:
    """Every term that a request asks for is explained with its place."""
    case = load(path)
    decision = BUNDLED.explain(requirement_of(case["request"], batch=case["batch"]))

    for places in requirement_of(case["request"], batch=case["batch"]).places.values():
        assert decision.model is None or f"asked at {places[0]}" in str(decision)


def test_a_route_explains_itself() -> None:
    """The decision has the terms of the request and of the policy, and where each of the first was asked for."""
    request = {**HELLO, "messages": [{"role": "user", "content": [PDF]}]}
    routed = router_of(policies={"reports": Policy(require="line == opus", name="reports")}).route(
        request, "reports"
    )

    assert (routed.model.id, routed.decision.reason) == (OPUS.id, Reason.NEWEST)
    lines = str(routed.decision).splitlines()
    assert lines[0].endswith("by the policy reports")
    assert [line for line in lines if "pdf_input:" in line] == [
        "  pdf_input: met by 19 of 33, unknown for 14, asked at messages[0].content[0].source"
    ]
    assert not [line for line in lines if "line ==" in line and "asked at" in line]


def test_the_error_explains_itself() -> None:
    """Where nothing serves a request, the error says at which places it asks for what nobody has."""
    with pytest.raises(NoModelError) as raised:
        router_of().route({**HELLO, "max_tokens": 9_000_000})
    assert "no model satisfies: max_tokens >= 9M, asked at max_tokens" in str(raised.value)

    with pytest.raises(NoModelError) as raised:
        router_of().route(
            {**HELLO, "top_k": 5, "extra_headers": {"anthropic-version": "2026-10-21"}}
        )
    assert "no model accepts what is asked at top_k" in str(raised.value)


def test_many_places_are_counted() -> None:
    """Three places are named and the rest counted: a hundred images fill no screen."""
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    request = {**HELLO, "messages": [{"role": "user", "content": [image] * 100}]}

    assert "messages[0].content[2].source and 97 more\n" in str(router_of().route(request).decision)


def test_what_cannot_be_told_is_noted() -> None:
    """A file of unknown type and an estimate are named beside the decision."""
    document = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    request = {**HELLO, "messages": [{"role": "user", "content": [document]}]}
    notes = router_of().route(request, input_tokens="estimate").decision.notes

    assert "what messages[0].content[0].source.file_id may ask for is unknown" in notes
    assert notes[-1].endswith(" input tokens are an estimate")


def test_tokens_that_are_counted_are_counted_once() -> None:
    """What counts tokens asks an API: once a request, however many models it is changed for."""
    asked = []

    def count(request: Mapping[str, Any]) -> int:
        asked.append(request)
        return 400_000

    routed = router_of().route(CHANGED, BOTH, "downgrade", input_tokens=count)

    assert len(asked) == 1
    assert "max_input_tokens >= 400k" in str(routed.decision.requirement)
    assert routed.decision.places["max_input_tokens >= 400k"] == ("input_tokens",)


def test_a_request_is_changed_only_where_it_must_be() -> None:
    """A model that takes a request as it is comes before a newer one that does not."""
    request = {**HELLO, "tools": [TOOL], "tool_choice": {"type": "any"}}
    for way in WAYS:
        routed = router_of().route(request, BOTH, way)
        assert (routed.model.id, routed.changes) == (OLDER.id, ())
        assert routed.request == {**request, "model": OLDER.id}


def entry(id: str, day: int, **capabilities: bool) -> dict[str, Any]:
    """Return an entry of a model with these capabilities, `effort__max` for `effort.max`, and no others."""
    tree: dict[str, Any] = {}
    for name, supported in capabilities.items():
        node = tree
        for key in name.split("__"):
            node = node.setdefault(key, {})
        node["supported"] = supported
    created = f"2026-10-{day:02}T00:00:00Z"
    return {"id": id, "created_at": created, "max_tokens": 1_000, "capabilities": tree}


def routed_in(*entries: dict[str, Any], **arguments: Any) -> Any:
    """Return where a request that asks for the highest effort goes in a catalogue of these, after a change."""
    router = Router(StaticSource(Catalogue.from_listing(entries)), cache_dir=False)
    return router.route({**HELLO, "output_config": {"effort": "max"}}, None, "drop", **arguments)


def test_what_a_request_is_changed_for_is_what_it_goes_to() -> None:
    """A newer model of which too little is known is not chosen for what the request was changed to for another."""
    routed = routed_in(entry("a", 1, effort__max=False), entry("b", 2))

    assert routed.model.id == routed.request["model"] == "a"
    assert "output_config" not in routed.request
    assert routed.decision.model is routed.model
    assert [model.id for model in routed.decision.candidates] == ["a", "b"]
    assert routed.decision.notes[0].startswith("b takes what the request was changed to")


def test_what_arguments_ask_is_asked_of_a_changed_request_too() -> None:
    """A model that a request would have to be changed for must take batches, too."""
    older, newer = (
        entry("a", 1, effort__max=False, batch=True),
        entry("b", 2, effort__max=False, batch=False),
    )

    assert routed_in(older, newer).model.id == "b"
    assert routed_in(older, newer, batch=True).model.id == "a"


def test_where_enough_models_take_a_request_it_is_changed_for_no_other() -> None:
    """It is changed for as many more as are wanted, and only after those that take it as it is."""
    takes = [entry(f"a-{day}", day, effort__max=True) for day in (1, 2)]
    lacks = [entry(f"b-{day}", day, effort__max=False) for day in (26, 27, 28)]
    catalogue = Catalogue.from_listing([*takes, *lacks])
    for most, ids in (
        (1, "a-2 a-1"),
        (2, "a-2 a-1"),
        (3, "a-2 a-1 b-28"),
        (9, "a-2 a-1 b-28 b-27 b-26"),
    ):
        found = routes(
            catalogue, {**HELLO, "output_config": {"effort": "max"}}, None, "drop", NOW, most=most
        )
        assert [model.id for model in found.fits] == ids.split()


def test_a_model_beside_the_request_is_no_choice() -> None:
    """What the SDK would lay over the choice is left out of what is sent."""
    request = {**HELLO, "extra_body": {"model": "claude-haiku-4-5", "top_k": 1}}
    routed = router_of().route(request, "line == haiku")

    assert routed.request["extra_body"] == {"top_k": 1}
    assert request["extra_body"] == {"model": "claude-haiku-4-5", "top_k": 1}


def test_a_stale_catalogue_is_told_of() -> None:
    """A route from a catalogue that stands in for one that was never fetched says that it is stale."""
    down = Router(FakeSource(CatalogueUnavailableError("down")), cache_dir=False)

    assert down.route(HELLO).decision.stale
    assert not router_of().route(HELLO).decision.stale


def test_places_stay_where_requirements_are_combined() -> None:
    """What is and-ed to what a request asks leaves its places, in either order, by keyword and in a policy."""
    request = {**HELLO, "messages": [{"role": "user", "content": [PDF]}]}
    asked = requirement_of(request)
    place = "asked at messages[0].content[0].source"

    for combined in (
        asked & require("batch"),
        require("batch") & asked,
        require(asked, batch=True),
    ):
        assert combined == require(f"{asked} and batch")
        assert place in str(BUNDLED.explain(combined))
    assert place in str(BUNDLED.explain(asked, line="opus"))
    assert place in str(BUNDLED.explain(Policy(require=asked, prefer=["line == opus"])))
    both = asked & requirement_of({"messages": [{"role": "user", "content": [PDF, PDF]}]})
    assert both.places["pdf_input"] == (
        "messages[0].content[0].source",
        "messages[0].content[1].source",
    )
    assert "asked at" not in str(BUNDLED.explain(str(asked)))


def test_a_misspelt_policy_is_told_with_the_policies() -> None:
    """A word that no catalogue knows is compared with the names of the policies first."""
    router = router_of(policies={"reports": Policy(require="line == opus")})
    calls = (
        router.select,
        router.candidates,
        router.explain,
        router.selector,
        lambda name: router.route(HELLO, name),
    )
    for call in calls:
        with pytest.raises(UnknownNameError, match="unknown name 'report'; did you mean reports"):
            call("report")
    assert router.select("pdf_input") is BUNDLED.select("pdf_input")


def test_an_alternative_is_met_besides() -> None:
    """What a request asks goes for every alternative of a policy."""
    policy = Policy(
        require="line == haiku and effort.max and max_tokens >= 9M", alternatives=["line == opus"]
    )
    routed = router_of(policies={"a": policy}).route(
        {**HELLO, "output_config": {"effort": "xhigh"}}, "a"
    )

    assert (routed.model.line, routed.decision.reason) == ("opus", Reason.ALTERNATIVE)
    assert "effort.xhigh" in str(routed.decision.requirement)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (([],), ConfigurationError),
        (("{}",), ConfigurationError),
        ((HELLO, None, "ignore"), ConfigurationError),
        ((HELLO, "pdf_imput"), UnknownNameError),
    ],
)
def test_what_cannot_be_routed(arguments: Any, kind: type[Exception]) -> None:
    """What is no request, no requirement or no way is refused by its own error."""
    with pytest.raises(kind):
        router_of().route(*arguments)
    with pytest.raises(kind):
        router_of().run_request(arguments[0], print, *arguments[1:])


def busy() -> httpx.HTTPStatusError:
    """Return the failure of a model that is overloaded."""
    request = httpx.Request("POST", "https://api.anthropic.com/v1/messages")
    return httpx.HTTPStatusError(
        "busy", request=request, response=httpx.Response(529, request=request)
    )


class Create:
    """A client's call that fails for some models; what it was sent is kept."""

    def __init__(self, *failing: Model) -> None:
        self.failing = {model.id for model in failing}
        self.sent: list[dict[str, Any]] = []

    def __call__(self, **request: Any) -> str:
        """Answer with the model's id, or fail."""
        self.sent.append(request)
        if request["model"] in self.failing:
            raise busy()
        return str(request["model"])

    async def later(self, **request: Any) -> str:
        """Do the same, awaited."""
        return self(**request)


def sync(router: Router, create: Create, *arguments: Any, **named: Any) -> Any:
    """Run a request."""
    return router.run_request(arguments[0], create, *arguments[1:], **named)


def in_asyncio(router: Router, create: Create, *arguments: Any, **named: Any) -> Any:
    """Run a request under asyncio."""
    return asyncio.run(router.arun_request(arguments[0], create.later, *arguments[1:], **named))


def in_trio(router: Router, create: Create, *arguments: Any, **named: Any) -> Any:
    """Run a request under trio."""

    async def main() -> Any:
        return await router.arun_request(arguments[0], create.later, *arguments[1:], **named)

    return trio.run(main)


by_all = pytest.mark.parametrize("run", [sync, in_asyncio, in_trio])


@by_all
def test_each_model_is_sent_the_request_as_it_takes_it(run: Any) -> None:
    """The next model has its own fit of the original request, and the answer says what was changed for it."""
    before = snapshot(CHANGED)
    create = Create(OPUS)

    answer = run(router_of(), create, CHANGED, BOTH, "downgrade")

    fits = [fit(CHANGED, model, "downgrade") for model in (OPUS, OLDER)]
    assert create.sent == [
        {**fitted.request, "model": model.id}
        for fitted, model in zip(fits, (OPUS, OLDER), strict=True)
    ]
    assert fits[0].changes != fits[1].changes == answer.changes
    assert (answer.value, answer.model.id, len(answer.attempts)) == (OLDER.id, OLDER.id, 2)
    assert snapshot(CHANGED) == before


@by_all
def test_nothing_is_changed_of_what_fits(run: Any) -> None:
    """A request that a model takes is sent as it is, with the model's id."""
    create = Create()
    answer = run(router_of(), create, HELLO)

    assert create.sent == [{**HELLO, "model": BUNDLED.select().id}]
    assert answer.changes == ()


@by_all
def test_the_terms_of_a_run_hold(run: Any) -> None:
    """Attempts, the hook and stickiness are those of a run."""
    told: list[str] = []
    create = Create(OPUS)
    router = router_of()

    with pytest.raises(FallbackExhaustedError, match="max_attempts is 1"):
        run(router, create, HELLO, BOTH, max_attempts=1)
    answer = run(
        router,
        create,
        HELLO,
        BOTH,
        sticky="one",
        on_fallback=lambda _, model: told.append(model.id),
    )
    assert (answer.model.id, told) == (OLDER.id, [OLDER.id])
    create.failing.clear()
    assert run(router, create, HELLO, BOTH, sticky="one").model.id == OLDER.id


@by_all
def test_a_bug_of_the_callers_is_its_own(run: Any) -> None:
    """An exception that is no failure of an API comes out as it is, after one call."""

    class Broken(Create):
        def __call__(self, **request: Any) -> str:
            super().__call__(**request)
            raise KeyError("a bug")

    create = Broken()
    with pytest.raises(KeyError, match="a bug"):
        run(router_of(), create, HELLO)
    assert len(create.sent) == 1


def test_the_call_must_be_one() -> None:
    """What cannot be called, and what is to be awaited, is told at once."""
    with pytest.raises(ConfigurationError, match="create must be a function"):
        router_of().run_request(HELLO, None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="arun awaits it"):
        router_of().run_request(HELLO, Create().later)
