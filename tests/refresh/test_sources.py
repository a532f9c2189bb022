from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest
from canary import KEY, leaks, remains
from fake_api import (
    PATH,
    Answer,
    FakeAPI,
    drip,
    entries,
    failure,
    head,
    plain_transport,
    reply,
    serve,
)
from fake_source import NO_TIMES, FakeClock

from router._errors import (
    CatalogueError,
    CatalogueUnavailableError,
    ConfigurationError,
    MalformedEntryError,
    RouterError,
    UnknownModelError,
)
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._sources import AnthropicSource, BundledSource, FileSource, StaticSource


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with 20 models and an alias."""
    with serve(entries(20), aliases={"claude-fake": "claude-fake-7"}) as api:
        yield api


def source(api: FakeAPI, **arguments: Any) -> AnthropicSource:
    """Return a source of that server, with the key and nothing from the environment."""
    given: dict[str, Any] = {"api_key": KEY, "base_url": api.url, "documented": None, "environ": {}}
    return AnthropicSource(**{"transport": plain_transport()} | given | arguments)


def fetch(api: FakeAPI, **arguments: Any) -> Catalogue:
    """Return the catalogue of that server."""
    return source(api, **arguments).fetch(Deadline(10))


# The live API


def test_live_catalogue(api: FakeAPI) -> None:
    """The whole listing comes in one request, and the catalogue says where and when it came from."""
    before = datetime.now(UTC)

    catalogue = fetch(api)

    assert [model.entry for model in catalogue] == api.models
    assert catalogue.source == "live"
    assert catalogue.as_of is not None
    assert before <= catalogue.as_of <= datetime.now(UTC)
    (request,) = api.requests
    assert (request.path, request.query) == (PATH, (("limit", "1000"),))


@pytest.mark.parametrize("page_size", [1, 3, 20])
def test_page_size(api: FakeAPI, page_size: int) -> None:
    """The size of the pages changes the number of requests and nothing else."""
    catalogue = fetch(api, page_size=page_size)

    assert [model.id for model in catalogue] == [entry["id"] for entry in api.models]
    assert len(api.requests) == -(-20 // page_size)
    assert api.connections == 1


def test_both_directions(api: FakeAPI) -> None:
    """A listing is walked after an id or before one; both together are refused before any request."""
    live = source(api, page_size=4)

    before = live.fetch(Deadline(10), before_id="claude-fake-9")
    after = live.fetch(Deadline(10), after_id="claude-fake-9")

    assert [model.id for model in before] == [f"claude-fake-{number}" for number in range(9)]
    assert [model.id for model in after] == [f"claude-fake-{number}" for number in range(10, 20)]
    asked = len(api.requests)
    with pytest.raises(ConfigurationError, match="not both"):
        live.fetch(Deadline(10), before_id="claude-fake-9", after_id="claude-fake-1")
    assert len(api.requests) == asked


def test_unknown_cursor(api: FakeAPI) -> None:
    """P6: a cursor that the API does not know is its refusal."""
    with pytest.raises(
        CatalogueUnavailableError, match="the API answered 400: invalid_request_error"
    ):
        source(api).fetch(Deadline(10), after_id="gone")


def test_lifecycle(api: FakeAPI) -> None:
    """Only the stages asked for are listed; without a filter, all but the retired."""
    models = entries(3)
    for entry, stage in zip(models, ("active", "deprecated", "retired"), strict=True):
        entry["lifecycle"] = stage
    api.models = models

    def listed(*stages: str) -> list[str | None]:
        return [model.lifecycle for model in fetch(api, lifecycle=stages)]

    assert listed() == ["active", "deprecated"]
    assert listed("retired") == ["retired"]
    assert listed("retired", "active") == ["active", "retired"]
    assert api.requests[-1].query[1:] == (("lifecycle[]", "retired"), ("lifecycle[]", "active"))


def test_progress(api: FakeAPI) -> None:
    """Progress is told after each page."""
    told: list[int] = []

    source(api, page_size=8).fetch(Deadline(10), told.append)

    assert told == [8, 16, 20]


def test_second_page_fails(api: FakeAPI) -> None:
    """P5: one page that fails is the failure of all."""
    api.script(reply(200, {"data": entries(2), "has_more": True, "last_id": "claude-fake-1"}))
    api.script(failure(500, "api_error"))

    with pytest.raises(CatalogueUnavailableError, match="the API answered 500"):
        fetch(api)

    assert len(api.requests) == 2


def test_date_to_come_back_at(api: FakeAPI) -> None:
    """R5: a date to come back at is so many seconds from now, by the wall clock of the source."""
    api.script(
        failure(429, "rate_limit_error", headers={"retry-after": "Wed, 01 Jan 2025 00:01:40 GMT"})
    )

    with pytest.raises(CatalogueUnavailableError) as caught:
        fetch(api, wall=lambda: 1_735_689_600.0)

    assert caught.value.retry_after == 100.0


def test_wrong_key(api: FakeAPI) -> None:
    """A key that the API refuses is its refusal, with the status."""
    with pytest.raises(CatalogueUnavailableError, match="authentication_error") as caught:
        fetch(api, api_key="another")

    assert (caught.value.status, caught.value.retryable) == (401, False)


# Configuration: arguments go before the environment

ENVIRONMENT = {"ANTHROPIC_API_KEY": "key-of-environ", "ANTHROPIC_AUTH_TOKEN": "token-of-environ"}


@pytest.mark.parametrize(
    ("arguments", "environ", "sent"),
    [
        ({"api_key": "a"}, ENVIRONMENT, {"x-api-key": "a"}),
        ({"auth_token": "b"}, ENVIRONMENT, {"authorization": "Bearer b"}),
        ({"api_key": "a", "auth_token": "b"}, {}, {"x-api-key": "a"}),
        ({}, ENVIRONMENT, {"x-api-key": "key-of-environ"}),
        ({}, ENVIRONMENT | {"ANTHROPIC_API_KEY": ""}, {"authorization": "Bearer token-of-environ"}),
        ({"api_key": " \ta\n"}, {}, {"x-api-key": "a"}),
        ({}, {"ANTHROPIC_AUTH_TOKEN": " b\n"}, {"authorization": "Bearer b"}),
    ],
    ids=str,
)
def test_credential(
    api: FakeAPI, arguments: dict[str, str], environ: dict[str, str], sent: dict[str, str]
) -> None:
    """One credential is sent, by one header: the argument's, else the environment's; a key goes before a token."""
    api.script(reply(200, {"data": [], "has_more": False}))

    fetch(api, **{"api_key": None} | arguments, environ=environ)

    headers = api.requests[0].headers
    assert {
        name: headers[name] for name in ("x-api-key", "authorization") if name in headers
    } == sent


@pytest.mark.parametrize(
    "environ", [{}, {"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": ""}], ids=str
)
def test_no_credential(environ: dict[str, str]) -> None:
    """Without a credential there is no source, and the error says which variables would give one."""
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN"):
        AnthropicSource(environ=environ)


def test_headers(api: FakeAPI) -> None:
    """The version is the API's first by default; several betas go in one header, and the workspace in its own."""
    fetch(api)
    fetch(
        api,
        betas=["one-2026-01-01", " two-2026-02-02 "],
        workspace_id="wrkspc_1",
        version="2026-10-21",
    )

    plain, full = (dict(request.fields) for request in api.requests)
    assert plain["anthropic-version"] == "2023-06-01"
    assert not {"anthropic-beta", "anthropic-workspace-id"} & plain.keys()
    assert full["anthropic-version"] == "2026-10-21"
    assert full["anthropic-workspace-id"] == "wrkspc_1"
    betas = [value for name, value in api.requests[1].fields if name == "anthropic-beta"]
    assert betas == ["one-2026-01-01,two-2026-02-02"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"version": "2023\n06"}, "version must be"),
        ({"version": ""}, "version must be"),
        ({"betas": ["fine", "a b"]}, "betas must be"),
        ({"betas": [7]}, "betas must be"),
        ({"betas": "one"}, "^betas must be a list of names, not one text$"),
        ({"workspace_id": "é"}, "workspace_id must be"),
        (
            {"lifecycle": ["gone"]},
            r"lifecycle must be a list of active, deprecated, retired \(got 'gone'\)",
        ),
        ({"lifecycle": "active"}, "lifecycle must be a list of"),
        ({"page_size": 0}, r"page_size must be 1 to 1000 \(got 0\)"),
        ({"page_size": 1001}, r"page_size must be 1 to 1000 \(got 1001\)"),
    ],
    ids=str,
)
def test_configuration_refused(arguments: dict[str, Any], problem: str) -> None:
    """What cannot be sent is refused when the source is made, by the name of its argument."""
    with pytest.raises(ConfigurationError, match=problem):
        AnthropicSource(**{"api_key": "k", "environ": {}} | arguments)


def test_page_sizes_allowed() -> None:
    """The smallest and the largest page that the API knows can be asked for."""
    for page_size in (1, 1000):
        AnthropicSource(api_key="k", environ={}, page_size=page_size)


BAD_KEYS: dict[str, Any] = {
    "newline": f"{KEY}\n{KEY}",
    "space": f"{KEY} {KEY}",
    "not-ascii": f"{KEY}é",
    "control": f"{KEY}\x00",
    "empty": "",
    "only-space": "  ",
    "a-megabyte": KEY * 25_000,
    "bytes": KEY.encode(),
    "number": 7,
}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
@pytest.mark.parametrize("name", ["api_key", "auth_token"])
def test_keys_refused(name: str, key: Any) -> None:
    """K2: a key that cannot be sent is refused by the name of its argument, and is not in the error."""
    with pytest.raises(
        ConfigurationError, match=rf"^{name} must be 1 to 4096 printable ASCII characters"
    ) as caught:
        AnthropicSource(**{name: key}, environ={})

    error = caught.value
    assert leaks(str(error), repr(error), error.args, vars(error), pickle.dumps(error)) == []
    assert error.__cause__ is None
    assert error.__context__ is None


def test_longest_key() -> None:
    """K2: a key of 4096 characters is taken, one more is not."""
    AnthropicSource(api_key="k" * 4096, environ={})

    with pytest.raises(ConfigurationError):
        AnthropicSource(api_key="k" * 4097, environ={})


BASE_URLS = {
    "https": ("https://gateway.example", "https://gateway.example"),
    "slash": ("https://gateway.example/", "https://gateway.example"),
    "path": ("https://gateway.example/anthropic/", "https://gateway.example/anthropic"),
    "port": ("https://gateway.example:8443", "https://gateway.example:8443"),
    "space": ("  https://gateway.example\n", "https://gateway.example"),
    "lowest-port": ("https://gateway.example:1", "https://gateway.example:1"),
    "capital-at-the-end": ("https://gateway.example/X/", "https://gateway.example/X"),
    "loopback": ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    "loopback-v6": ("http://[::1]:8080", "http://[::1]:8080"),
    "localhost": ("http://localhost", "http://localhost"),
}


@pytest.mark.parametrize(("given", "kept"), BASE_URLS.values(), ids=BASE_URLS)
def test_base_urls_taken(given: str, kept: str) -> None:
    """K3: https to anywhere and http to this machine are taken, with a path, without the slash at its end."""
    assert AnthropicSource(api_key="k", base_url=given, environ={}).base_url == kept


BAD_BASE_URLS = {
    "http": ("http://gateway.example", "the key would travel in clear"),
    "http-upper": ("HTTP://gateway.example", "the key would travel in clear"),
    "looks-local": ("http://localhost.example", "the key would travel in clear"),
    "looks-loopback": ("http://127.0.0.1.example", "the key would travel in clear"),
    "newline": ("http://127.0.0.1\n.example", "the key would travel in clear"),
    "user": ("https://user@gateway.example", "must not carry a user name or password"),
    "password": (
        f"https://user:{KEY[:30]}@gateway.example",
        "must not carry a user name or password",
    ),
    "empty-user": ("https://@gateway.example", "must not carry a user name or password"),
    "loopback-as-user": (
        "http://127.0.0.1@gateway.example",
        "must not carry a user name or password",
    ),
    "backslash": ("http://127.0.0.1\\@gateway.example", "must not carry a user name or password"),
    "query": ("https://gateway.example?to=1", "without query or fragment"),
    "fragment": ("https://gateway.example#to", "without query or fragment"),
    "empty-query": ("https://gateway.example?", "without query or fragment"),
    "empty-fragment": ("https://gateway.example#", "without query or fragment"),
    "file": ("file:///etc/passwd", "must be an http or https URL"),
    "no-scheme": ("gateway.example", "must be an http or https URL"),
    "no-host": ("https://", "must be an http or https URL"),
    "half-an-address": ("https://[::1", "must be an http or https URL"),
    "port-is-no-number": ("https://gateway.example:port", "must be an http or https URL"),
    "password-with-a-slash": (f"https://user:{KEY}@gateway.example", "base_url must"),
    "port-nought": ("https://gateway.example:0", "must be an http or https URL"),
    "port-too-large": ("https://gateway.example:65536", "must be an http or https URL"),
}


@pytest.mark.parametrize(("url", "problem"), BAD_BASE_URLS.values(), ids=BAD_BASE_URLS)
def test_base_urls_refused(url: str, problem: str) -> None:
    """K3: a base URL that would give the key away, or that cannot be one, is refused, and shows no password."""
    with pytest.raises(ConfigurationError, match=problem) as caught:
        AnthropicSource(api_key="k", base_url=url, environ={})

    assert leaks(str(caught.value), repr(caught.value), vars(caught.value)) == []
    assert caught.value.__context__ is None


def test_poisoned_environment() -> None:
    """K3: a base URL of the environment is held to the same; the error names the variable, and what helps."""
    with pytest.raises(ConfigurationError) as caught:
        AnthropicSource(api_key="k", environ={"ANTHROPIC_BASE_URL": "http://gateway.example"})

    assert str(caught.value) == (
        "ANTHROPIC_BASE_URL is http to 'gateway.example', and the key would travel in clear: use https, "
        "or in Python AnthropicSource(allow_insecure=True)"
    )


@pytest.mark.parametrize("url", ["https://user@gateway.example", "gateway.example"])
def test_unusable_base_url_of_the_environment(url: str) -> None:
    """What is wrong with a base URL of the environment is said of its variable."""
    with pytest.raises(ConfigurationError, match=r"^ANTHROPIC_BASE_URL must "):
        AnthropicSource(api_key="k", environ={"ANTHROPIC_BASE_URL": url})


def test_insecure_base_url_allowed() -> None:
    """K3: http to another machine is taken where the caller says so."""
    live = AnthropicSource(
        api_key="k", base_url="http://gateway.example", allow_insecure=True, environ={}
    )

    assert live.base_url == "http://gateway.example"


def test_base_url_precedence() -> None:
    """The argument goes before the environment, and that before Anthropic's own address."""
    environ = {"ANTHROPIC_BASE_URL": "https://environ.example"}

    def base_url(base_url: str | None, environ: Mapping[str, str]) -> str:
        return AnthropicSource(api_key="k", base_url=base_url, environ=environ).base_url

    assert base_url("https://argument.example", environ) == "https://argument.example"
    assert base_url(None, environ) == "https://environ.example"
    assert (
        base_url(None, {})
        == base_url(None, {"ANTHROPIC_BASE_URL": ""})
        == "https://api.anthropic.com"
    )


def test_base_url_with_a_path() -> None:
    """A gateway under a path is asked under that path."""
    with serve(entries(2), prefix="/anthropic") as api:
        assert len(fetch(api, base_url=f"{api.url}/")) == 2

        assert api.requests[0].path == "/anthropic/v1/models"


def test_transport(api: FakeAPI) -> None:
    """An httpx transport can stand in place of the network, for more than one fetch."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"data": entries(1), "has_more": False})

    live = source(api, transport=httpx.MockTransport(handler), base_url="https://gateway.example")

    assert len(live.fetch(Deadline(10))) == len(live.fetch(Deadline(10))) == 1
    assert asked == ["https://gateway.example/v1/models?limit=1000"] * 2
    assert api.connections == 0


# The key


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_source_is_not_pickled_or_copied(api: FakeAPI, take: Callable[[object], object]) -> None:
    """K1: a source with a credential can be neither pickled nor copied, and says why."""
    with pytest.raises(TypeError, match="not to be copied or pickled"):
        take(source(api))


def test_source_shows_no_key(api: FakeAPI) -> None:
    """K1: a source shows the key neither of itself nor in what it holds."""
    for live in (source(api), source(api, api_key=None, auth_token=KEY)):
        assert leaks(repr(live), str(live), vars(live)) == []
    assert repr(source(api)) == f"AnthropicSource(base_url={api.url!r})"


def test_key_in_no_log_of_a_good_fetch(api: FakeAPI, caplog: pytest.LogCaptureFixture) -> None:
    """K1: a fetch that goes well logs no key at any level."""
    caplog.set_level(logging.DEBUG)

    source(api).fetch(Deadline(10))
    source(api).retrieve("claude-fake")

    assert "httpcore" in caplog.text
    assert leaks(caplog.text) == []


# One model


def test_retrieve_resolves_an_alias(api: FakeAPI) -> None:
    """The model of an alias has the id that the alias resolves to; each name is asked for once."""
    live = source(api)

    model = live.retrieve("claude-fake")

    assert model.id == "claude-fake-7"
    assert model.entry == api.models[7]
    assert live.retrieve("claude-fake") is model
    assert [request.path for request in api.requests] == [f"{PATH}/claude-fake"]
    assert live.retrieve("claude-fake-7").id == "claude-fake-7"
    assert len(api.requests) == 2


def test_retrieve_asks_again_after_an_hour(api: FakeAPI) -> None:
    """What an alias means is remembered for an hour, on the source's own clock."""
    now = 0.0
    live = source(api, clock=lambda: now)
    live.retrieve("claude-fake")
    api.aliases = {"claude-fake": "claude-fake-8"}

    now = 3599.0
    assert live.retrieve("claude-fake").id == "claude-fake-7"
    now = 3601.0
    assert live.retrieve("claude-fake").id == "claude-fake-8"


def test_retrieve_remembers_a_bounded_number(api: FakeAPI) -> None:
    """Names without end are not remembered without end: the oldest is asked for again."""
    api.aliases = {f"alias-{number}": "claude-fake-1" for number in range(257)}
    live = source(api)
    for name in api.aliases:
        live.retrieve(name)

    live.retrieve("alias-256")
    assert len(api.requests) == 257
    live.retrieve("alias-0")
    assert len(api.requests) == 258


def test_retrieve_unknown(api: FakeAPI) -> None:
    """An id that the API does not know is a typed error, asked anew each time."""
    live = source(api)

    for _ in range(2):
        with pytest.raises(UnknownModelError, match="unknown model 'claude-gone'") as caught:
            live.retrieve("claude-gone")
        assert caught.value.model_id == "claude-gone"
        assert leaks(remains(caught.value)) == []

    assert len(api.requests) == 2


def test_retrieve_quotes_its_id(api: FakeAPI) -> None:
    """An id stays one segment of the path, whatever is in it."""
    api.models = [{"id": "publisher/model@1"}]

    assert source(api).retrieve("publisher/model@1").id == "publisher/model@1"

    for id in ("../messages", "a?b=c", "a#b", "é"):
        with pytest.raises(UnknownModelError) as caught:
            source(api).retrieve(id)
        assert caught.value.model_id == id
    assert all(
        request.path.startswith(f"{PATH}/") and not request.query for request in api.requests
    )


def test_retrieve_quotes_the_slash_of_an_id(api: FakeAPI) -> None:
    """A slash is quoted too: before it is decoded, the path has one segment after that of the models."""
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(200, json={"id": "publisher/model"})

    assert (
        source(api, transport=httpx.MockTransport(answer)).retrieve("publisher/model").id
        == "publisher/model"
    )
    assert asked == [b"/v1/models/publisher%2Fmodel"]


def test_retrieve_lays_documented_facts(api: FakeAPI) -> None:
    """Documented facts lie over one model as over a listing, by the id that the alias resolved to."""
    api.models = [{"id": "claude-haiku-4-5-20251001"}]
    api.aliases = {"claude-haiku-4-5": "claude-haiku-4-5-20251001"}

    documented = source(api, documented="packaged").retrieve("claude-haiku-4-5")
    bare = source(api).retrieve("claude-haiku-4-5")

    assert documented.values["price.input"] == 1
    assert "price.input" not in bare.values


def test_retrieve_refused(api: FakeAPI) -> None:
    """Any other refusal than 404 is one of the API."""
    with pytest.raises(CatalogueUnavailableError, match="the API answered 401"):
        source(api, api_key="another").retrieve("claude-fake")


@pytest.mark.parametrize(
    "answer", [[], {"data": []}, {"id": ["claude-fake-7"]}, {"id": "a b"}], ids=str
)
def test_retrieve_no_model(api: FakeAPI, answer: Any) -> None:
    """An answer that is no entry is malformed, and is not remembered."""
    api.script(reply(200, answer))
    live = source(api)

    with pytest.raises(MalformedEntryError):
        live.retrieve("claude-fake")

    assert live.retrieve("claude-fake").id == "claude-fake-7"


def test_retrieve_an_error_in_place_of_a_model(api: FakeAPI) -> None:
    """N8: an error that comes with status 200 is raised by its type."""
    api.script(failure(200, "overloaded_error"))

    with pytest.raises(CatalogueUnavailableError, match="overloaded_error"):
        source(api).retrieve("claude-fake")


JSON = {"content-type": "application/json"}
ENDLESS: dict[str, Callable[[], Answer]] = {
    "with-length": lambda: chain(
        [head(200, JSON | {"content-length": "1000"})], drip(b" " * 1000, 0.01)
    ),
    "until-close": lambda: chain([head(200, JSON)], drip(b" " * 1000, 0.01)),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_retrieve_deadline(api: FakeAPI, answer: Callable[[], Answer]) -> None:
    """N3: there is an answer within the deadline, or an error that says so."""
    api.script(answer())

    with pytest.raises(CatalogueUnavailableError, match=r"within the deadline of 0\.2 s"):
        source(api).retrieve("claude-fake", deadline=0.2)


def test_retrieve_waits_ten_seconds(api: FakeAPI) -> None:
    """N3: without a deadline given it is that of a router's load."""
    clock = FakeClock()

    def answer(request: httpx.Request) -> httpx.Response:
        clock.now += float(request.url.path.rpartition("-")[2])
        return httpx.Response(200, json=api.models[7])

    slow = source(api, transport=httpx.MockTransport(answer), clock=clock)
    assert slow.retrieve("claude-9.99").id == "claude-fake-7"
    with pytest.raises(CatalogueUnavailableError, match=r"within the deadline of 10 s"):
        slow.retrieve("claude-10.0")


@pytest.mark.parametrize("seconds", NO_TIMES, ids=repr)
def test_retrieve_refuses_what_is_no_deadline(api: FakeAPI, seconds: Any) -> None:
    """R16: a deadline that cannot be kept is refused as a router refuses its own, known alias or not: none is asked."""
    live = source(api)
    for asked in (0, 1):
        said = f"deadline must be a number of seconds above 0 and at most 1e+09 (got {seconds!r})"
        with pytest.raises(ConfigurationError, match=f"^{re.escape(said)}$"):
            live.retrieve("claude-fake-0", deadline=seconds)
        assert len(api.requests) == asked
        live.retrieve("claude-fake-0", deadline=1e9)


# Entries that cannot be read


def spoiled(count: int, bad: int) -> list[Any]:
    """Return that many entries, of which the last ones cannot be read."""
    return [*entries(count - bad), *({"id": f"no id {number}"} for number in range(bad))]


def saved(path: Path, listed: object) -> FileSource:
    """Return a source of a file that holds this as JSON."""
    path.write_text(json.dumps(listed))
    return FileSource(path, documented=None)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        "text",
        [],
        {},
        {"id": None},
        {"id": []},
        {"id": {}},
        {"id": ""},
        {"id": "a", "capabilities": 1},
    ],
    ids=str,
)
def test_one_odd_entry_is_left_out(
    api: FakeAPI, caplog: pytest.LogCaptureFixture, odd: object
) -> None:
    """P9: one entry in 20 that cannot be read is left out with a warning, wherever its page ends."""
    page = [odd, *entries(19)]
    api.script(reply(200, {"data": page[:10], "has_more": True, "last_id": "claude-fake-8"}))
    api.script(reply(200, {"data": page[10:], "has_more": False}))

    catalogue = fetch(api)

    assert [model.id for model in catalogue] == [f"claude-fake-{number}" for number in range(19)]
    ((name, level, message),) = caplog.record_tuples
    assert (name, level) == ("router.refresh", logging.WARNING)
    assert message.startswith("1 of 20 entries left out of the live catalogue: data[0]")


def test_a_tenth_may_be_odd(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """P9: just a tenth of the entries may be unreadable."""
    catalogue = saved(tmp_path / "listing", spoiled(20, 2)).fetch(Deadline(1))

    assert len(catalogue) == 18
    assert "2 of 20 entries left out of the file catalogue" in caplog.text


@pytest.mark.parametrize(("count", "bad"), [(20, 3), (9, 1), (1, 1)])
def test_more_than_a_tenth_is_another_api(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, bad: int
) -> None:
    """P9: more than a tenth means that the API has changed, and there is no catalogue."""
    with pytest.raises(
        CatalogueError, match=rf"{bad} of {count} entries cannot be read: data\[{count - bad}\].id"
    ):
        saved(tmp_path / "listing", spoiled(count, bad)).fetch(Deadline(1))

    assert caplog.records == []


def test_same_entry_twice(api: FakeAPI, caplog: pytest.LogCaptureFixture) -> None:
    """P6: an entry that shifted between pages, and so came twice, is one."""
    api.models = [*entries(5), entries(1)[0]]

    assert len(fetch(api)) == 5
    assert caplog.records == []


def test_two_entries_of_one_id(api: FakeAPI) -> None:
    """P6: two entries of one id that differ are a listing that changes: it is walked once more, then given up."""
    api.models = [*entries(20), entries(1)[0] | {"max_tokens": 1}]

    with pytest.raises(
        CatalogueError, match=r"the listing changes while it is read: data\[20\].id"
    ):
        fetch(api)

    assert len(api.requests) == 2


def test_empty_listing(api: FakeAPI) -> None:
    """P12: a key that may call no model has an empty catalogue."""
    api.models = []

    assert len(fetch(api)) == 0


# Files


@pytest.mark.parametrize(
    "listed",
    [
        entries(3),
        {"data": entries(3)},
        {"data": entries(3), "has_more": False, "first_id": None, "about": "mine"},
    ],
    ids=["bare", "object", "page"],
)
def test_file(tmp_path: Path, listed: object) -> None:
    """A saved listing is read in each of its forms; it is as of the file's own time."""
    path = tmp_path / "listing.json"
    live = saved(path, listed)
    os.utime(path, (1_790_000_000, 1_790_000_000))

    catalogue = live.fetch(Deadline(1))

    assert [model.id for model in catalogue] == ["claude-fake-0", "claude-fake-1", "claude-fake-2"]
    assert catalogue.source == "file"
    assert catalogue.as_of == datetime.fromtimestamp(1_790_000_000, UTC)
    assert repr(live) == f"FileSource({str(path)!r})"


def test_file_with_documented_facts(tmp_path: Path) -> None:
    """Documented facts lie over a file by default, and others in their place where a path is given."""
    path = tmp_path / "listing.json"
    path.write_text('[{"id": "claude-opus-5-5"}]')
    facts = tmp_path / "facts.json"
    facts.write_text(
        '{"models": {"anthropic": {"claude-opus-5-5": {"price": {"input": {"value": 77, "source": ["me"]}}}}}}'
    )

    prices = [
        FileSource(path, **given).fetch(Deadline(1))["claude-opus-5-5"].values.get("price.input")
        for given in ({}, {"documented": facts}, {"documented": None})
    ]

    assert prices == [4, 77, None]


def test_a_file_may_be_of_another_provider(tmp_path: Path) -> None:
    """Entries that state no provider are of the one that the source was given."""
    path = tmp_path / "models.json"
    path.write_text('[{"id": "a"}, {"id": "b", "provider": "groq"}]', encoding="utf-8")
    catalogue = FileSource(path, provider="mistral").fetch(Deadline(1))
    assert sorted(model.key for model in catalogue) == ["groq:b", "mistral:a"]
    with pytest.raises(CatalogueError, match="provider must be a name"):
        FileSource(path, provider="Mistral AI")


def directory(path: Path) -> None:
    """Make a directory."""
    path.mkdir()


def pipe(path: Path) -> None:
    """Make a pipe that nobody writes to."""
    os.mkfifo(path)


def loop(path: Path) -> None:
    """Make a link to itself."""
    path.symlink_to(path)


def huge(path: Path) -> None:
    """Make a file of more bytes than a listing may have, which takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(64 * 2**20 + 1)


def nothing(path: Path) -> None:
    """Make no file."""
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (nothing, "cannot be read: No such file"),
        (directory, "cannot be read: Is a directory"),
        (loop, "cannot be read: Too many levels"),
        (pipe, "is not a regular file"),
        (huge, "has more than 67108864 bytes"),
    ],
)
def test_file_that_is_none(tmp_path: Path, make: Callable[[Path], None], problem: str) -> None:
    """What is no readable file is refused with its path, at once, and leaves no file open."""
    path = tmp_path / "listing"
    make(path)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None

    with pytest.raises(CatalogueUnavailableError) as caught:
        FileSource(path).fetch(Deadline(1))

    assert str(caught.value).startswith(f"{path} {problem}")
    assert before is None or len(os.listdir("/proc/self/fd")) == before


def test_file_with_an_impossible_name() -> None:
    """A name that no file can have is refused like a missing file."""
    with pytest.raises(CatalogueUnavailableError, match="cannot be read"):
        FileSource("a\x00b").fetch(Deadline(1))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("PK\x03\x04", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "a listing is an object whose `data` is a list"),
        ("7", "a listing is an object whose `data` is a list"),
        ('{"data": [], "has_more": true}', "the listing is cut"),
        ('[{"id": "a"}, 7]', "1 of 2 entries cannot be read"),
    ],
    ids=lambda text: text[:20],
)
def test_file_that_is_no_listing(tmp_path: Path, text: str, problem: str) -> None:
    """What is no listing is refused with the path of the file."""
    path = tmp_path / "listing"
    path.write_text(text)

    with pytest.raises(CatalogueError, match=problem) as caught:
        FileSource(path).fetch(Deadline(1))

    assert str(caught.value).startswith(f"{path}: ")


def test_bad_documented_facts(tmp_path: Path) -> None:
    """A file of facts that cannot be read is refused when the catalogue is made, not when the source is."""
    path = tmp_path / "listing"
    path.write_text("[]")
    live = FileSource(path, documented=tmp_path / "missing")

    with pytest.raises(CatalogueError, match=r"documented facts of .*missing cannot be read"):
        live.fetch(Deadline(1))


# What needs no reading


def test_bundled() -> None:
    """The bundled catalogue is the library's own, with or without documented facts."""
    catalogue = BundledSource().fetch(Deadline(1))

    assert catalogue.digest == Catalogue.bundled().digest
    assert catalogue.source == "bundled"
    assert catalogue["claude-opus-5-5"].values["price.input"] == 4
    assert (
        "price.input"
        not in BundledSource(documented=None).fetch(Deadline(1))["claude-opus-5-5"].values
    )
    assert repr(BundledSource()) == "BundledSource()"


def test_static() -> None:
    """A catalogue given is the catalogue had."""
    catalogue = Catalogue.from_listing(entries(2))
    held = StaticSource(catalogue)

    assert held.fetch(Deadline(1)) is catalogue
    assert repr(held) == "StaticSource(<Catalogue of 2 models, static>)"
    with pytest.raises(ConfigurationError, match=r"^a Catalogue was expected \(got list\)$"):
        StaticSource([])  # type: ignore[arg-type]


def test_what_is_local() -> None:
    """Only the live API waits on a network."""
    assert AnthropicSource.remote
    assert not any(source.remote for source in (BundledSource, FileSource, StaticSource))


def test_errors_are_the_library_s_own(tmp_path: Path) -> None:
    """A caller who catches `RouterError`, or the builtin of its kind, catches every failure of a source."""
    with pytest.raises(OSError, match="cannot be read") as unavailable:
        FileSource(tmp_path / "missing").fetch(Deadline(1))
    with pytest.raises(ValueError, match="no credential") as misconfigured:
        AnthropicSource(environ={})

    assert isinstance(unavailable.value, RouterError)
    assert isinstance(misconfigured.value, RouterError)
