"""The official SDK, as a client of the same server, reads every model as we do."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import chain, repeat
from typing import Any, Literal

import anthropic
import pytest
from canary import KEY, leaks
from fake_api import (
    Canned,
    End,
    Entry,
    FakeAPI,
    drip,
    entries,
    failure,
    head,
    plain_transport,
    reply,
    serve,
)
from fake_source import FakeClock, at_most
from locations import DATA

from router import Router, Source
from router._errors import CatalogueError, CatalogueUnavailableError, RouterError
from router.catalogue._catalogue import Catalogue
from router.models._model import Model
from router.refresh._deadline import Deadline
from router.refresh._listing import MAX_PAGE_BYTES
from router.refresh._sdk_source import SDKSource
from router.refresh._sources import AnthropicSource

CAPTURES = json.loads((DATA / "captures.json").read_text())
Stage = Literal["active", "deprecated", "retired"]
STAGES: tuple[Stage, ...] = ("active", "deprecated", "retired")
FIELDS = (
    "id",
    "type",
    "display_name",
    "created_at",
    "max_input_tokens",
    "max_tokens",
    "lifecycle",
    "line",
    "deprecated_at",
    "retires_at",
    "allowed_fallback_models",
)


def captured() -> Iterator[Entry]:
    """Return every entry that others recorded from the real API."""
    nodes: list[Any] = [CAPTURES]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict) and "id" in node:
            yield node
        elif isinstance(node, (dict, list)):
            nodes.extend(node.values() if isinstance(node, dict) else node)


def distinct(listed: Iterator[Entry]) -> list[Entry]:
    """Return one entry of each id, the last."""
    return list({entry["id"]: entry for entry in listed}.values())


LISTINGS: dict[str, list[Entry]] = {
    "bundled": [dict(model.entry) for model in Catalogue.bundled()],
    "captured": distinct(captured()),
    "made-up": entries(45),
}


@pytest.fixture(params=LISTINGS)
def api(request: pytest.FixtureRequest) -> Iterator[FakeAPI]:
    """A server with real and made-up models, several pages of them."""
    with serve(LISTINGS[request.param]) as api:
        yield api


@pytest.fixture
def sdk(api: FakeAPI) -> Iterator[anthropic.Anthropic]:
    """The official client of that server."""
    with anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as client:
        yield client


def ours(api: FakeAPI, stages: tuple[Stage, ...] = STAGES, **arguments: Any) -> Catalogue:
    """Return what our source reads of that server."""
    source = AnthropicSource(
        api_key=KEY,
        base_url=api.url,
        environ={},
        lifecycle=stages,
        page_size=7,
        transport=plain_transport(),
        **arguments,
    )
    return source.fetch(Deadline(10))


def typed(tree: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """Return every capability that the SDK's types name and that is not `None`, with its support."""
    for name, node in tree:
        if name == "supported":
            yield path, node
        elif isinstance(node, anthropic.BaseModel):
            yield from typed(node, f"{path}.{name}" if path else name)


def differences(model: Model, theirs: Any) -> Mapping[str, Any]:
    """Return where the SDK states a value and ours is another, but for what is documented to be wrong."""
    found = {}
    for name in FIELDS:
        stated, read = getattr(theirs, name, None), model.values.get(name)
        stated = tuple(stated) if isinstance(stated, list) else stated
        if name in model.corrections:
            read = model.corrections[name].reported
        if stated is not None and stated != read:
            found[name] = (stated, read)
    for name, supported in typed(theirs.capabilities or ()):
        if model.support(name) is not supported:
            found[name] = (supported, model.support(name))
    return found


@pytest.mark.parametrize("beta", [False, True], ids=["plain", "beta"])
def test_model_by_model_field_by_field(api: FakeAPI, sdk: anthropic.Anthropic, beta: bool) -> None:
    """Every page of every stage, in the API's order, agrees in each field and each capability the SDK has types for."""
    models: Any = sdk.beta.models if beta else sdk.models
    listed = list(models.list(lifecycle=[*STAGES], limit=7))
    pages = len(api.requests)
    catalogue = ours(api)

    assert pages == len(api.requests) - pages == -(-len(api.models) // 7)
    assert [theirs.id for theirs in listed] == [entry["id"] for entry in api.models]
    assert {theirs.id for theirs in listed} == {model.id for model in catalogue}
    assert {theirs.id: differences(catalogue[theirs.id], theirs) for theirs in listed} == {
        theirs.id: {} for theirs in listed
    }


def test_something_was_compared(sdk: anthropic.Anthropic, api: FakeAPI) -> None:
    """The comparison is of something: a value that differs is found, in a field and deep in the tree."""
    theirs = next(iter(sdk.beta.models.list(lifecycle=[*STAGES])))
    model = ours(api)[theirs.id]
    other = json.loads(json.dumps(model.entry)) | {"display_name": "Another", "max_tokens": 17}
    facts = other.setdefault("capabilities", {}) or {}
    for node in (facts.get("effort", {}), *facts.get("effort", {}).values()):
        if isinstance(node, dict):
            node["supported"] = not node.get("supported")

    found = differences(Model.from_api(other), theirs)

    assert "display_name" in found
    assert ("max_tokens" in found) is (theirs.max_tokens is not None)
    assert sum(name.startswith("effort") for name in found) == sum(
        name.startswith("effort") for name, _ in typed(theirs.capabilities or ())
    )


def test_stages_asked_for(api: FakeAPI, sdk: anthropic.Anthropic) -> None:
    """With a filter and without one the SDK and we are given the same models."""
    filters: tuple[tuple[Stage, ...], ...] = ((), ("retired",), ("active", "retired"))
    for stages in filters:
        theirs = sdk.models.list(lifecycle=[*stages]) if stages else sdk.models.list()

        assert {model.id for model in theirs} == {model.id for model in ours(api, stages)}


def test_both_directions(api: FakeAPI, sdk: anthropic.Anthropic) -> None:
    """After an id and before it the SDK and we are given the same models."""
    cursor = api.models[len(api.models) // 2]["id"]
    source = AnthropicSource(
        api_key=KEY,
        base_url=api.url,
        environ={},
        lifecycle=STAGES,
        page_size=7,
        transport=plain_transport(),
    )

    after = sdk.models.list(after_id=cursor, lifecycle=[*STAGES], limit=7)
    before = sdk.models.list(before_id=cursor, lifecycle=[*STAGES], limit=7)

    assert {model.id for model in after} == {
        model.id for model in source.fetch(Deadline(10), after_id=cursor)
    }
    assert {model.id for model in before} == {
        model.id for model in source.fetch(Deadline(10), before_id=cursor)
    }


def test_one_model() -> None:
    """An alias resolves to the same model, by the same request."""
    with (
        serve(
            LISTINGS["bundled"], aliases={"claude-haiku-4-5": "claude-haiku-4-5-20251001"}
        ) as api,
        anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as sdk,
    ):
        theirs = sdk.models.retrieve("claude-haiku-4-5")
        model = AnthropicSource(
            api_key=KEY, base_url=api.url, environ={}, transport=plain_transport()
        ).retrieve("claude-haiku-4-5")

        assert model.id == theirs.id == "claude-haiku-4-5-20251001"
        assert differences(model, theirs) == {}
        assert api.requests[0].path == api.requests[1].path


def test_headers_of_betas_and_workspace() -> None:
    """Betas, workspace and version go by the headers that the SDK uses, in its spelling."""
    names = ("anthropic-beta", "anthropic-workspace-id", "anthropic-version")
    with (
        serve(entries(1)) as api,
        anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as sdk,
    ):
        next(
            iter(
                sdk.beta.models.list(
                    betas=["one-2026-01-01", "two-2026-02-02"], workspace_id="wrkspc_1"
                )
            )
        )
        version = api.requests[0].headers["anthropic-version"]  # one that is newer than our default
        ours(
            api,
            betas=["one-2026-01-01", "two-2026-02-02"],
            workspace_id="wrkspc_1",
            version=version,
        )

        theirs, own = (request.headers for request in api.requests)
        assert {name: theirs[name] for name in names} == {name: own[name] for name in names}


def test_dates_are_moments() -> None:
    """The dates that are compared are aware moments on both sides, not texts."""
    with (
        serve(entries(1)) as api,
        anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as sdk,
    ):
        (theirs,) = sdk.models.list()
        (model,) = ours(api)

        assert isinstance(theirs.created_at, datetime)
        assert model.created_at == theirs.created_at
        assert model.created_at.utcoffset() == theirs.created_at.utcoffset()


# As a source of its own


def through(api: FakeAPI, **arguments: Any) -> Catalogue:
    """Return what a client of its own retries, as a source, reads of that server."""
    with anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=2) as client:
        return SDKSource(client, **arguments).fetch(Deadline(5))


def test_the_client_as_a_source(api: FakeAPI) -> None:
    """Through the client comes the same catalogue as by ourselves, in each stage asked for."""
    for stages in (STAGES, ("retired",), ()):
        theirs, own = through(api, lifecycle=stages), ours(api, stages)
        assert theirs.digest == own.digest
        assert (theirs.source, [model.id for model in theirs]) == (
            own.source,
            [model.id for model in own],
        )


def test_no_beta_through_the_client(api: FakeAPI) -> None:
    """Where no beta is asked for, none is named."""
    through(api)

    assert all("anthropic-beta" not in request.headers for request in api.requests)


@pytest.mark.parametrize(
    ("arguments", "priced"), [({}, True), ({"documented": None}, False)], ids=str
)
def test_documented_facts_through_the_client(arguments: dict[str, Any], priced: bool) -> None:
    """Documented facts lie over what the client reads as over what we read."""
    with serve([{"id": "claude-opus-5-5", "created_at": "2026-09-28T00:00:00Z"}]) as api:
        catalogue = through(api, **arguments)

    assert ("price.output" in catalogue["claude-opus-5-5"].values) is priced


def test_date_to_come_back_at_through_the_client(api: FakeAPI) -> None:
    """R5: a date to come back at is so many seconds from now, by the wall clock of the source."""
    api.script(
        failure(429, "rate_limit_error", headers={"retry-after": "Wed, 01 Jan 2025 00:01:40 GMT"})
    )

    with pytest.raises(CatalogueUnavailableError) as caught:
        through(api, wall=lambda: 1_735_689_600.0)

    assert caught.value.retry_after == 100.0


def test_the_client_walks_every_page() -> None:
    """More models than a page can hold come over several, all by the client's own credential."""
    with serve(entries(1001)) as api:
        told: list[int] = []
        with anthropic.Anthropic(api_key=KEY, base_url=api.url) as client:
            source = SDKSource(client, betas=["two", "one"])
            assert len(source.fetch(Deadline(10), told.append)) == 1001

        assert told == [1000, 1001]
        assert [dict(request.query).get("after_id") for request in api.requests] == [
            None,
            "claude-fake-999",
        ]
        assert all(KEY in "".join(value for _, value in request.fields) for request in api.requests)
        assert {request.headers["anthropic-beta"] for request in api.requests} == {"one,two"}
        assert repr(source) == "SDKSource(Anthropic)"


def test_an_unchanged_listing_through_the_client() -> None:
    """What is the same byte by byte is the very same catalogue."""
    with serve(entries(3)) as api, anthropic.Anthropic(api_key=KEY, base_url=api.url) as client:
        router = Router(SDKSource(client))
        first = router.refresh()
        assert router.refresh() is first
        api.models = entries(4)
        assert len(router.refresh()) == 4


def spent() -> bytes:
    """Return a 429 that says when to come back, though it will be the same then."""
    error = {
        "type": "rate_limit_error",
        "message": KEY,
        "details": {"error_code": "enforced_spend_limit_reached"},
    }
    return reply(429, {"type": "error", "error": error}, {"retry-after": "1"})


FAILURES: dict[str, tuple[Any, int | None, bool, float | None]] = {
    "400": (failure(400, "invalid_request_error", KEY), 400, False, None),
    "401": (failure(401, "authentication_error", f"invalid x-api-key {KEY}"), 401, False, None),
    "401-of-a-strange-type": (failure(401, f"no {KEY}"), 401, False, None),
    "403": (failure(403, "permission_error"), 403, False, None),
    "404": (failure(404, "not_found_error"), 404, False, None),
    "429": (failure(429, "rate_limit_error"), 429, False, None),
    "429-with-a-time": (
        failure(429, "rate_limit_error", headers={"retry-after": "77"}),
        429,
        True,
        77.0,
    ),
    "429-of-money": (spent(), 429, False, 1.0),
    "500": (failure(500, "api_error"), 500, True, None),
    "500-for-good": (
        failure(500, "api_error", headers={"x-should-retry": "false"}),
        500,
        False,
        None,
    ),
    "400-for-now": (failure(400, "api_error", headers={"x-should-retry": "true"}), 400, True, None),
    "529": (failure(529, "overloaded_error", headers={"retry-after-ms": "1500"}), 529, True, 1.5),
    "closed": ([End.CLOSE], None, True, None),
    "reset": ([End.RESET], None, True, None),
    "late": ([60.0], None, True, None),
}


@pytest.mark.parametrize(
    ("answer", "status", "retryable", "retry_after"), FAILURES.values(), ids=FAILURES
)
def test_failures_of_the_client(
    caplog: pytest.LogCaptureFixture,
    answer: Any,
    status: int | None,
    retryable: bool,
    retry_after: float | None,
) -> None:
    """K1: each failure is one request and a typed error, with no key in it, its causes or its traceback."""
    with (
        serve(entries(1)) as api,
        anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=2) as client,
    ):
        source = SDKSource(client)
        api.script(answer)
        with pytest.raises(CatalogueUnavailableError) as caught:
            source.fetch(Deadline(0.3))

        assert len(api.requests) == 1
    error = caught.value
    assert (error.status, error.retryable, error.retry_after) == (status, retryable, retry_after)
    assert str(error).startswith("the client failed: ")
    assert error.__cause__ is error.__context__ is None
    del client, source
    assert leaks(str(error), repr(error), vars(error), caplog.text) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_through_the_client(status: int) -> None:
    """N6: a redirect is not followed, though the client by itself would follow it."""
    with (
        serve() as api,
        serve() as other,
        anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as client,
    ):
        redirect = reply(status, headers={"location": f"{other.url}/v1/models"})
        api.script(redirect, redirect)
        with pytest.raises(CatalogueUnavailableError, match=str(status)):
            SDKSource(client).fetch(Deadline(3))
        assert other.connections == 0

        with suppress(anthropic.APIStatusError):
            client.models.list()
        assert other.connections == 1


@pytest.mark.parametrize(("status", "requests"), [(500, 3), (401, 1)])
def test_attempts_are_ours(status: int, requests: int) -> None:
    """R8: the client's own retries are off: a router makes its attempts, and no more."""
    with (
        serve(entries(1)) as api,
        anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=5) as client,
    ):
        api.script(*[reply(status)] * 20)
        clock = FakeClock()
        with pytest.raises(CatalogueUnavailableError, match=str(status)):
            Router(SDKSource(client), clock=clock, sleep=clock.sleep).refresh()

        assert len(api.requests) == requests


JSON = {"content-type": "application/json"}
EMPTY = b'{"data": [], "has_more": false}'


class Piecemeal:
    """A client, and its answer: a 200 in JSON that comes in these pieces."""

    status_code = 200
    headers = JSON

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def with_options(self, **_: object) -> Piecemeal:
        """Return the client."""
        return self

    def get(self, _: str, **__: object) -> Piecemeal:
        """Return the answer."""
        return self

    def iter_bytes(self) -> Iterator[bytes]:
        """Return the pieces."""
        return self._pieces

    def close(self) -> None:
        """End it."""


@pytest.mark.parametrize("through_the_client", [False, True])
def test_small_chunks_cost_what_they_hold(through_the_client: bool) -> None:
    """N4: a page in many thousand chunks takes the memory of its bytes, not of as many objects, however it is read."""
    body = json.dumps({"data": entries(300), "has_more": False}).encode()
    pieces = [body[at : at + 2] for at in range(0, len(body), 2)]

    def peak(chunks: list[bytes]) -> int:
        fresh = (
            bytes(bytearray(each)) for each in chunks
        )  # each an object of its own, made when it is read
        source: Source = (
            SDKSource(Piecemeal(fresh))
            if through_the_client
            else AnthropicSource(api_key=KEY, environ={}, transport=Canned(fresh))
        )
        tracemalloc.start()
        try:
            assert len(source.fetch(Deadline(60))) == 300
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(pieces) < peak([body]) + 10 * len(body)
    assert len(pieces) * sys.getsizeof(pieces[0]) > 10 * len(body), (
        "what the chunks would take, were they kept"
    )


def test_bounds_through_the_client() -> None:
    """N3, N4, N5: a body without end, a bomb, and a slow one are given up as those of our own asking."""
    with serve(entries(1)) as api:
        api.script(chain([head(200, JSON)], repeat(b" " * 65536)))
        with pytest.raises(CatalogueUnavailableError, match=f"more than {MAX_PAGE_BYTES} bytes"):
            through(api)
        packed = gzip.compress(bytes(MAX_PAGE_BYTES + 1))
        api.script(reply(200, packed, JSON | {"content-encoding": "gzip"}))
        with pytest.raises(CatalogueUnavailableError, match=f"more than {MAX_PAGE_BYTES} bytes"):
            through(api)
        api.script(
            reply(200, gzip.compress(bytes(MAX_PAGE_BYTES)), JSON | {"content-encoding": "gzip"})
        )
        with pytest.raises(CatalogueError, match="not JSON"):
            through(api)
        api.script(chain([head(200, JSON | {"content-length": "1000"})], drip(b" " * 1000, 0.01)))
        with (
            anthropic.Anthropic(api_key=KEY, base_url=api.url) as client,
            at_most(1.0),
            pytest.raises(CatalogueUnavailableError, match=r"within the deadline of 0\.3 s"),
        ):
            SDKSource(client).fetch(Deadline(0.3))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (reply(200, b"<h1>", {"content-type": "text/html"}), "not JSON"),
        (reply(200, {"data": None}), "data must be a list"),
        (reply(200, {"data": [], "has_more": "false"}), "has_more must be true or false"),
        (failure(200, "overloaded_error"), "overloaded_error"),
        (
            reply(200, EMPTY, {"content-type": "text/html"}),
            "not JSON from the API: the answer is text/html",
        ),
        (
            reply(200, EMPTY, {"content-type": "application/json; charset=utf-16"}),
            "not JSON from the API",
        ),
        (reply(200, EMPTY, {}), "not JSON from the API: the answer is untyped"),
        (reply(203, {"data": [], "has_more": False}), "the API answered 203"),
        (reply(206, {"data": [], "has_more": False}), "the API answered 206"),
    ],
    ids=["html", "no-list", "no-bool", "error", "named-html", "utf-16", "untyped", "203", "206"],
)
def test_guards_through_the_client(answer: bytes, problem: str) -> None:
    """N7, P3, P8: what the client would take is held to our guards."""
    with serve(entries(1)) as api:
        api.script(answer)
        with pytest.raises(RouterError, match=problem):
            through(api)


def test_a_client_that_is_none() -> None:
    """What is no client is a failure like another."""
    with pytest.raises(CatalogueUnavailableError, match=r"^the client failed: "):
        SDKSource(object()).fetch(Deadline(1))
