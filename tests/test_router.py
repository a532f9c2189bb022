from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from canary import KEY, leaks
from fake_api import FakeAPI, entries, plain_transport, serve
from fake_source import NO_TIMES, FakeClock, FakeSource, Gate, at_most, eventually, gate, router_of

from router import Router
from router._errors import (
    CatalogueUnavailableError,
    ConfigurationError,
)
from router.catalogue._catalogue import Catalogue
from router.refresh._sources import AnthropicSource, FileSource, StaticSource

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FIRST = Catalogue.from_listing(entries(6), source="live")
SECOND = Catalogue.from_listing(entries(3, start=2), source="live")
DOWN = CatalogueUnavailableError("down")


@pytest.fixture
def shut() -> Iterator[Gate]:
    """A gate that is shut."""
    with gate() as shut:
        yield shut


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeAPI]:
    """A server with six models, which the environment names with its key."""
    with serve(entries(6)) as api:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield api


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no credential in the environment."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)


# Where the catalogue comes from


def test_live_where_there_is_a_key(api: FakeAPI) -> None:
    """With a key in the environment the catalogue is the live one, asked for when the first answer needs it."""
    with Router() as router:
        assert (api.connections, repr(router)) == (
            0,
            f"Router(AnthropicSource(base_url={api.url!r}))",
        )

        assert router.select("pdf_input", min_output_tokens="64k").id == "claude-fake-0"
        assert router.catalogue.source == "live"
        assert len(api.requests) == 1


def test_live_where_there_is_a_token(api: FakeAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token alone does as well."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", KEY)

    assert Router().refresh().source == "live"
    assert api.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", [None, ""])
@pytest.mark.usefixtures("no_key")
def test_bundled_where_there_is_no_key(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    """Without a credential the catalogue is the bundled one, which is not stale."""
    if key is not None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    router = Router()

    assert repr(router) == "Router(BundledSource())"
    assert router.select("line == opus").id == "claude-opus-5-5"
    assert router.catalogue.source == "bundled"
    assert not router.explain("line == opus").stale


@pytest.mark.usefixtures("no_key")
def test_environment_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """K2, K3: an environment that cannot be used is an error when the router is made, without the key in it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"{KEY} {KEY}")

    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY must be") as caught:
        Router()

    assert leaks(str(caught.value), repr(caught.value)) == []


def test_constructing_does_nothing(api: FakeAPI) -> None:
    """Constructing a router, with a source or without, does no I/O and reads no clock."""
    clock = FakeClock()
    source = FakeSource(FIRST)
    Router()
    Router(source, clock=clock)
    Router(FileSource("/nonexistent"))
    Router().selector("pdf_input")

    assert (api.connections, source.fetches, clock.reads) == (0, 0, 0)


def test_a_file_or_a_catalogue(tmp_path: Path) -> None:
    """A file and a catalogue of one's own are sources like another."""
    path = tmp_path / "listing.json"
    path.write_text('{"data": [{"id": "mine"}], "has_more": false}')

    assert Router(FileSource(path)).select().id == "mine"
    assert Router(StaticSource(FIRST)).catalogue is FIRST


def test_cache_dir(tmp_path: Path) -> None:
    """A directory for the disk cache is taken, and nothing is written while the router is made."""
    Router(StaticSource(FIRST), cache_dir=tmp_path)
    Router(FakeSource(FIRST, identity="a" * 40), cache_dir=tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ttl", "max_stale", "deadline"])
@pytest.mark.parametrize("seconds", NO_TIMES, ids=repr)
def test_times_refused(name: str, seconds: Any) -> None:
    """R16: times that cannot be kept are refused when the router is made, also where none will be waited for."""
    arguments = {name: seconds}
    with pytest.raises(ConfigurationError, match=f"^{name} must be a number of seconds"):
        Router(StaticSource(FIRST), **arguments)


LAZY = """
import sys
import {module}
{use}
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & {{
    "httpx", "attr", "attrs", "tenacity", "click", "rich", "cachetools", "asyncio", "trio", "logging", "anthropic",
    "filelock", "platformdirs",
}}))
"""


@pytest.mark.parametrize(
    ("module", "use", "imported"),
    [
        ("router", "", ""),
        ("router", "router.require; router.NoModelError", "attr attrs"),
        ("router._router", "", "attr attrs"),
        ("router", "router.Catalogue.bundled().select('pdf_input')", "attr attrs"),
        ("router", "router.AnthropicSource(api_key='k')", "attr attrs"),
        (
            "router",
            "router.Router(router.BundledSource()).select('pdf_input')",
            "attr attrs logging",
        ),
    ],
    ids=["import", "names", "router", "catalogue", "live-source", "bundled-router"],
)
def test_imports_are_late(module: str, use: str, imported: str) -> None:
    """`import router` imports no dependency, and each is imported by what first needs it."""
    program = LAZY.format(module=module, use=use)

    run = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == imported


LOGGING = """
import logging
from router import Catalogue, CatalogueUnavailableError, Router, StaticSource

class Failing:
    remote, identity = True, None
    def fetch(self, deadline, progress=None, held=None):
        raise CatalogueUnavailableError("it is down")

def fails(*_):
    raise ZeroDivisionError("of the hook")

Router(Failing(), cache_dir=False).select()
Router(StaticSource(Catalogue.bundled()), on_refresh=fails).select()
loggers = {"": logging.root, **logging.root.manager.loggerDict}
for name, logger in loggers.items():
    if name.split(".")[0] in {"", "router"} and isinstance(logger, logging.Logger):
        print(name, logger.handlers, logger.filters, logger.level, logger.propagate, logger.disabled)
"""


def test_logging_is_left_to_the_application() -> None:
    """No handler, filter or level is set, not even by what is logged: it goes where Python sends it by default."""
    run = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True
    )

    assert sorted(run.stdout.splitlines()) == [
        " [] [] 30 True False",
        "router [] [] 0 True False",
        "router.refresh [] [] 0 True False",
    ]
    assert run.stderr.count("the catalogue could not be loaded: it is down") == 1
    assert run.stderr.count("the hook on_refresh failed") == 1


# Refreshes


def test_refresh() -> None:
    """A refresh returns the catalogue, which answers from then on; one that fails raises and changes nothing."""
    router = router_of(FIRST, SECOND, DOWN)

    assert router.refresh() is FIRST
    assert router.refresh() is SECOND
    with pytest.raises(CatalogueUnavailableError, match="down"):
        router.refresh()
    assert router.catalogue is SECOND
    assert router.select().id == "claude-fake-2"


def test_renewal_in_the_background() -> None:
    """A catalogue older than `ttl` answers once more while it is renewed."""
    clock = FakeClock()
    router = router_of(FIRST, SECOND, clock=clock, ttl=100)
    router.refresh()
    clock.now += 101

    assert router.select().id == "claude-fake-0"
    assert eventually(lambda: router.select().id == "claude-fake-2")


def test_ttl_of_an_hour(shut: Gate) -> None:
    """By default a catalogue is renewed after an hour, and not a second before."""
    clock = FakeClock()
    router = Router(
        FakeSource(FIRST, shut.before(SECOND)), clock=clock, wall=FakeClock(), random=lambda: 0.5
    )
    router.refresh()

    clock.now += 3599
    router.select()
    assert not router.status().refreshing
    clock.now += 1
    router.select()
    assert router.status().refreshing


@pytest.mark.parametrize(("asked", "waits"), [(9.99, [9.99]), (10.0, [])])
def test_deadline_of_ten_seconds(asked: float, waits: list[float]) -> None:
    """By default a load takes at most ten seconds, waits included."""
    clock = FakeClock()
    busy = CatalogueUnavailableError("busy", status=503, retry_after=asked, retryable=True)
    router = router_of(busy, busy, clock=clock)

    with pytest.raises(CatalogueUnavailableError, match="busy"):
        router.refresh()

    assert clock.slept == waits


def test_max_stale_of_seven_days() -> None:
    """S12: by default a catalogue that cannot be renewed is stale after seven days, and not a second before."""
    clock = FakeClock()
    router = router_of(FIRST, DOWN, clock=clock)
    router.refresh()

    clock.now += 7 * 86_400 - 1
    assert not router.explain("pdf_input").stale
    clock.now += 1
    assert router.explain("pdf_input").stale


def test_close() -> None:
    """A closed router answers from what it holds, and renews nothing by itself."""
    clock = FakeClock()
    source = FakeSource(FIRST, SECOND)

    with Router(source, clock=clock) as router:
        router.refresh()
    clock.now += 10**6

    assert router.select().id == "claude-fake-0"
    assert source.fetches == 1


# Async


def on_asyncio(main: Callable[[], Awaitable[Any]]) -> None:
    """Run on asyncio."""

    async def run() -> None:
        await main()

    asyncio.run(run())


def on_trio(main: Callable[[], Awaitable[Any]]) -> None:
    """Run on trio."""

    async def run() -> None:
        await main()

    trio.run(run)


loops = pytest.mark.parametrize("run", [on_asyncio, on_trio], ids=["asyncio", "trio"])
Run = Callable[[Callable[[], Awaitable[Any]]], None]


@loops
def test_async_with_waits(run: Run) -> None:
    """`async with` waits for the first catalogue, once, and closes at its end."""
    clock = FakeClock()
    source = FakeSource(FIRST, SECOND)

    async def main() -> None:
        router = Router(source, clock=clock)
        async with router as same:
            assert same is router
            assert router.catalogue is FIRST
        async with router:
            assert router.catalogue is FIRST
        clock.now += 10**6
        assert router.select().id == "claude-fake-0"

    run(main)

    assert source.fetches == 1


@loops
def test_async_with_does_not_raise(run: Run) -> None:
    """`async with` of a router whose first load fails begins with the bundled catalogue."""

    async def main() -> None:
        async with router_of(DOWN) as router:
            assert router.catalogue.source == "bundled"

    run(main)


@loops
def test_inside_a_loop_no_answer_waits(run: Run, shut: Gate) -> None:
    """Inside a running loop every answer comes at once, from the bundled catalogue until a refresh has landed."""
    router = router_of(shut.before(FIRST))
    pick = router.selector("line == opus")

    async def main() -> None:
        with at_most(1.0):
            assert router.select("line == opus").id == "claude-opus-5-5"
            assert pick().id == "claude-opus-5-5"
            assert router.candidates(line="opus", limit=1)[0].id == "claude-opus-5-5"
            assert router.explain("line == opus").stale
            assert router.supports("claude-opus-5-5", "pdf_input")
        shut.open()
        assert await router.arefresh() is FIRST
        assert pick().id == "claude-fake-2"

    run(main)


@loops
def test_arefresh_over_the_network(run: Run) -> None:
    """A live catalogue is awaited on either loop, and then answers at once."""
    with serve(entries(6)) as api:
        source = AnthropicSource(
            api_key=KEY, base_url=api.url, environ={}, transport=plain_transport(), page_size=4
        )

        async def main() -> None:
            async with Router(source, cache_dir=False) as router:
                assert router.select().id == "claude-fake-0"
                api.models = entries(3, start=2)
                await router.arefresh()
                assert router.select().id == "claude-fake-2"

        run(main)

        assert len(api.requests) == 3


# The key


@pytest.mark.usefixtures("api")
def test_router_shows_no_key() -> None:
    """K1: a live router shows no key, and can be neither pickled nor copied."""
    router = Router()

    assert leaks(repr(router), vars(router), vars(router._loader)) == []
    for take in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            take(router)


@pytest.mark.parametrize("source", ["bundled", FIRST])
def test_what_is_no_source(source: Any) -> None:
    """What cannot be fetched from is refused when the router is made, and the error says what was expected."""
    with pytest.raises(
        ConfigurationError, match=r"source must be a source such as BundledSource\(\) \(got "
    ):
        Router(source)
