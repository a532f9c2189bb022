"""The SDK's client as a source: what it lists, how it fails, and the bounds that it is held to."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

import anthropic
import pytest
from canary import KEY, leaks
from fake_api import (
    Canned,
    End,
    FakeAPI,
    drip,
    entries,
    failure,
    head,
    reply,
    serve,
)
from fake_source import FakeClock, at_most
from sdk_listings import LISTINGS, STAGES, ours

from router import Router, Source
from router._errors import CatalogueError, CatalogueUnavailableError, RouterError
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._listing import MAX_PAGE_BYTES
from router.refresh._sdk_source import SDKSource
from router.refresh._sources import AnthropicSource


@pytest.fixture(params=LISTINGS)
def api(request: pytest.FixtureRequest) -> Iterator[FakeAPI]:
    """A server with real and made-up models, several pages of them."""
    with serve(LISTINGS[request.param]) as api:
        yield api


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
        # Each an object of its own, made when it is read.
        fresh = (bytes(bytearray(each)) for each in chunks)
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
            "not JSON: the answer is text/html",
        ),
        (
            reply(200, EMPTY, {"content-type": "application/json; charset=utf-16"}),
            "not JSON",
        ),
        (reply(200, EMPTY, {}), "not JSON: the answer is untyped"),
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
