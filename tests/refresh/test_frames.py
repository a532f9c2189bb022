"""The frames of an error: whoever reports one with the locals of its traceback shows no part of the key by it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from traceback import TracebackException
from typing import Any, Final

import anthropic
import pytest
from canary import KEY, leaks, remains
from fake_api import Entry, FakeAPI, entries, failure, plain_transport, reply, serve
from fake_source import eventually
from scenarios import PASSWORD

from router import AnthropicSource, ConfigurationError, Router, RouterError, SDKSource
from router.refresh._deadline import Deadline

ECHOES: Final[Mapping[str, Callable[[], bytes]]] = {
    "a page for debugging": lambda: reply(
        500, f"<pre>HTTP_X_API_KEY={KEY}</pre>".encode(), {"content-type": "text/html"}
    ),
    "a header": lambda: reply(500, b"", {"x-echo": KEY}),
    "beside the error": lambda: reply(
        401, {"type": "error", "error": {"type": "a"}, "request": {"x-api-key": KEY}}
    ),
    "behind what is shown of an error": lambda: failure(
        400, "invalid_request_error", "x" * 250 + KEY
    ),
    "the error": lambda: failure(401, "authentication_error", f"invalid x-api-key {KEY}"),
    "the error of a 200": lambda: failure(200, "api_error", KEY),
    "what is not valid JSON": lambda: reply(
        200, f"<pre>x-api-key: {KEY}</pre>".encode(), {"content-type": "text/html"}
    ),
    "JSON that is cut": lambda: reply(
        200, f'{{"data": "{KEY}'.encode(), {"content-type": "application/json"}
    ),
    "a part of the key": lambda: reply(200, {"data": None, "has_more": False, "x": KEY[:20]}),
    "the key in another form": lambda: reply(
        200, {"data": None, "x": b64encode(KEY.encode()).decode()}
    ),
    "where true or false should be": lambda: reply(200, {"data": [], "has_more": KEY}),
    "the id of a model": lambda: reply(200, {"data": [*twins(f"{KEY} ")], "has_more": False}),
    "models that contradict each other": lambda: reply(
        200, {"data": [*twins("m", KEY)], "has_more": False}
    ),
}


def twins(id: str, said: str = "") -> Iterator[Entry]:
    """Return two entries of one id that differ."""
    yield from ({"id": id, "display_name": f"{said}{at}"} for at in range(2))


@pytest.fixture(params=ECHOES)
def api(request: pytest.FixtureRequest) -> Iterator[FakeAPI]:
    """A server whose answers repeat the key."""
    with serve(entries(3)) as api:
        api.script(*(ECHOES[request.param]() for _ in range(6)))
        yield api


def live(api: FakeAPI) -> AnthropicSource:
    """Return our own source."""
    return AnthropicSource(api_key=KEY, base_url=api.url, environ={}, transport=plain_transport())


def through(api: FakeAPI) -> SDKSource:
    """Return an application's client as a source."""
    return SDKSource(anthropic.Anthropic(api_key=KEY, base_url=api.url))


SOURCES: Final = pytest.mark.parametrize("source", [live, through])


@SOURCES
def test_what_a_refresh_leaves_behind(api: FakeAPI, source: Callable[[FakeAPI], Any]) -> None:
    """K1: not the error that is raised, nor the one that is kept, nor the one that the hook is told holds the key."""
    told: list[RouterError] = []
    router = Router(source(api), cache_dir=False, sleep=lambda _: None, on_error=told.append)

    with pytest.raises(RouterError) as caught:
        router.refresh()

    assert eventually(lambda: bool(told))
    kept = router.status().last_error
    assert kept is not None
    assert [leaks(remains(error)) for error in (caught.value, kept, *told)] == [[]] * 3


@SOURCES
def test_what_a_source_raises(api: FakeAPI, source: Callable[[FakeAPI], Any]) -> None:
    """K1: nor does the error of a source that is asked by itself."""
    with pytest.raises(RouterError) as caught:
        source(api).fetch(Deadline(5.0))

    assert leaks(remains(caught.value)) == []


def test_what_a_look_up_raises(api: FakeAPI) -> None:
    """K1: nor that of a model which is asked for by its alias."""
    with pytest.raises(RouterError) as caught:
        live(api).retrieve("claude-latest")

    assert leaks(remains(caught.value)) == []


def test_frames_of_the_careless() -> None:
    """The twin that must fail: what reads an answer has it in its frames."""

    def careless(body: str) -> object:
        return json.loads(body)

    with pytest.raises(ValueError, match="delimiter") as caught:
        careless(f'{{"a": 1 "{KEY}"}}')

    assert leaks(remains(caught.value))


SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "a base URL in clear": {
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": "http://gateway.example",
    },
    "a base URL with a password": {
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": f"https://user:{KEY}@example.com",
    },
    "a key that cannot be sent": {"ANTHROPIC_API_KEY": f"{KEY} x"},
    "a token that cannot be sent": {"ANTHROPIC_AUTH_TOKEN": f"{KEY}\n x"},
    "no credential but another secret": {"AWS_SECRET_ACCESS_KEY": KEY},
}


@pytest.mark.parametrize("environ", SETTINGS.values(), ids=SETTINGS)
def test_the_environment_stays_where_it_is(
    monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str]
) -> None:
    """K1, K3: an error about a setting of the environment shows none of them."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    del environ, value

    assert leaks(raised_by(AnthropicSource)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"page_size": 0},
        {"lifecycle": ["gone"]},
        {"betas": "one"},
        {"version": "a b"},
        {"workspace_id": "a b"},
    ],
)
def test_arguments_stay_where_they_are(
    monkeypatch: pytest.MonkeyPatch, wrong: Mapping[str, Any]
) -> None:
    """K1, K2: nor does one about another argument show the key, wherever it came from."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)

    assert leaks(raised_by(lambda: AnthropicSource(**wrong))) == []
    assert leaks(raised_by(lambda: AnthropicSource(api_key=KEY, **wrong))) == []


def raised_by(make: Callable[[], object]) -> str:
    """Return all that is in the frames below this one, of what making something raises."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    frames = caught.value.__traceback__
    assert frames is not None
    return remains(caught.value.with_traceback(frames.tb_next))


@pytest.mark.parametrize("make", [Router, AnthropicSource])
def test_what_was_never_made_has_a_repr(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], object]
) -> None:
    """A report of an error with its frames has the half-made object among the locals, and must not fail by it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://gateway.example")

    with pytest.raises(ConfigurationError) as caught:
        make()

    text = "".join(TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "self = AnthropicSource(base_url=None)" in text
    assert ("self = Router()" in text) is (make is Router)


@pytest.mark.parametrize(
    "variable", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"]
)
@pytest.mark.parametrize(
    "url",
    [
        "http://user:a/{}@127.0.0.1:9",
        "http://user:a#{}@127.0.0.1:9",
        "http://user:{}:x",
        "user:a/{}@127.0.0.1:9",
        "ftp://user:{}@127.0.0.1:9",
    ],
)
def test_a_proxy_keeps_its_password(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    """K4: the variable of a proxy that cannot be used is told, but not its URL, for it may hold a password."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv(variable, url.format(PASSWORD))
    source = AnthropicSource(api_key=KEY, base_url="https://127.0.0.1:9", environ={})

    with pytest.raises(RouterError) as caught:
        source.fetch(Deadline(1.0))

    assert PASSWORD not in remains(caught.value)
    assert str(caught.value).startswith(
        f"the API cannot be reached: {variable} must be the URL of a proxy, http://"
    )


def test_no_proxy_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """K4: where each proxy by itself can be used, the error names what else the environment says of proxies."""
    monkeypatch.setenv("NO_PROXY", "[::1")
    source = AnthropicSource(api_key=KEY, base_url="https://127.0.0.1:9", environ={})

    with pytest.raises(
        RouterError, match="one of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY cannot be read"
    ):
        source.fetch(Deadline(1.0))
