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
from fake_source import NO_TIMES, FakeClock, FakeSource, Gate, at_most, eventually, gate

from router import Router
from router._errors import (
    CatalogueUnavailableError,
    ConfigurationError,
    RequirementError,
    UnknownModelError,
    UnknownNameError,
)
from router.catalogue._catalogue import Catalogue
from router.catalogue._explanation import NoModelError
from router.catalogue._policy import Policy
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


def router_of(*outcomes: Any, clock: FakeClock | None = None, **arguments: Any) -> Router:
    """Return a router of a source of these outcomes, whose clock stands still."""
    clock = clock or FakeClock()
    return Router(
        FakeSource(*outcomes), clock=clock, sleep=clock.sleep, random=lambda: 0.0, **arguments
    )


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


# Answers are those of the current catalogue


def test_answers_are_those_of_the_catalogue() -> None:
    """Each question is answered as the current catalogue answers it, with its moment, its limit and its keywords."""
    router = router_of(FIRST)
    text = "pdf_input and age >= 20d"
    needs: dict[str, Any] = {"min_output_tokens": "64k", "now": NOW}

    assert router.select(text, **needs) is FIRST.select(text, **needs)
    assert router.candidates(text, limit=2, **needs) == FIRST.candidates(text, limit=2, **needs)
    assert len(router.candidates(text, limit=2, **needs)) == 2
    assert router.explain(text, **needs) == FIRST.explain(text, **needs)
    assert router.supports("claude-fake-0", text, **needs)
    assert not router.supports("claude-fake-0", text, now=datetime(2026, 11, 2, tzinfo=UTC))
    assert router.select(line="opus").id == "claude-fake-2"
    assert router.selector(text, line="opus")() is router.select(text, line="opus")


def test_answers_to_the_shortest_questions() -> None:
    """Without a requirement everything meets it, and without a moment it is now."""
    router = router_of(FIRST)

    assert router.select() is router.candidates()[0] is router.explain().model is FIRST.models[0]
    assert router.supports("claude-fake-0")
    for past in ("age > 0d", "created_at < 2026-11-02 and age > 1d"):
        assert (
            router.select(past)
            is router.candidates(past)[0]
            is router.explain(past).model
            is FIRST.models[0]
        )
        assert router.supports("claude-fake-0", past)
    assert router.candidates(line="opus") == (FIRST["claude-fake-2"], FIRST["claude-fake-5"])
    assert router.explain(line="opus").candidates == ("claude-fake-2", "claude-fake-5")
    assert router.supports("claude-fake-2", line="opus")
    assert not router.supports("claude-fake-0", line="opus")


def test_errors_are_those_of_the_catalogue() -> None:
    """What raises there raises here."""
    router = router_of(FIRST)

    with pytest.raises(NoModelError):
        router.select("effort.max")
    with pytest.raises(UnknownNameError):
        router.candidates("pdf_imput")
    with pytest.raises(UnknownModelError):
        router.supports("claude-gone", "pdf_input")
    with pytest.raises(RequirementError):
        router.explain("pdf_input and")


@pytest.mark.parametrize("default", [None, "claude-default", 0])
def test_default(default: object) -> None:
    """A default is what no match answers, and hides no other error."""
    router = router_of(FIRST)

    assert router.select("effort.max", default=default) == default
    assert router.select("pdf_input", default=default) == FIRST.models[0]
    with pytest.raises(UnknownNameError):
        router.select("pdf_imput", default=default)


def test_failed_first_load(caplog: pytest.LogCaptureFixture) -> None:
    """A router whose first load fails answers from the bundled catalogue, says so once, and calls it stale."""
    router = router_of(DOWN)

    assert router.select("line == opus").id == "claude-opus-5-5"
    decision = router.explain("line == opus")

    assert router.catalogue.source == "bundled"
    assert (decision.source, decision.stale) == ("bundled", True)
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("router.refresh", "WARNING")
    ]


def test_explain_says_whether_it_is_stale(shut: Gate) -> None:
    """S12: a decision on a catalogue older than `max_stale` says so."""
    clock = FakeClock()
    router = router_of(FIRST, shut.before(SECOND), clock=clock, ttl=100, max_stale=200)
    router.refresh()

    for age in (0, 101):
        clock.now = 1000.0 + age
        assert not router.explain("pdf_input").stale
    clock.now = 1200.0
    assert router.explain("pdf_input").stale
    assert router.explain("pdf_input").model is FIRST.models[0]


def test_one_reading_of_the_clock() -> None:
    """An answer from what is held reads one clock, once."""
    clock = FakeClock()
    router = router_of(FIRST, clock=clock)
    router.refresh()
    pick = router.selector("pdf_input")

    for answer in (
        lambda: router.select("pdf_input"),
        lambda: router.candidates("pdf_input"),
        pick,
        pick,
    ):
        before = clock.reads
        answer()
        assert clock.reads == before + 1


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


def test_names_stay_known() -> None:
    """A name that an earlier catalogue carried is unknown for all, and no error, after a refresh without it."""
    nova = Catalogue.from_listing(
        [{"id": "claude-nova", "capabilities": {"nova": {"supported": True}}}]
    )
    router = router_of(nova, FIRST)
    with pytest.raises(UnknownNameError):
        FIRST.select("nova")

    router.refresh()
    pick = router.selector("nova")
    assert pick().id == "claude-nova"

    router.refresh()
    assert router.select("nova", default=None) is None
    with pytest.raises(NoModelError):
        pick()


def test_selector_follows_refreshes() -> None:
    """A prepared selection answers from the current catalogue, and raises where that has no model for it."""
    router = router_of(FIRST, SECOND, FIRST)
    pick = router.selector("max_input_tokens < 200_002")

    assert pick().id == "claude-fake-0"
    assert pick() is pick()
    router.refresh()
    for _ in range(2):
        with pytest.raises(NoModelError):
            pick()
    router.refresh()
    assert pick().id == "claude-fake-0"


class Counting(Catalogue):
    """A catalogue that counts what it is asked."""

    asked = 0

    def select(self, *arguments: Any, **keywords: Any) -> Any:
        """Count, and answer."""
        self.asked += 1
        return super().select(*arguments, **keywords)


@pytest.mark.parametrize(("text", "asked"), [("pdf_input", 1), ("age > 0d", 3)])
def test_what_a_selector_remembers(text: str, asked: int) -> None:
    """A prepared selection is asked once of a catalogue, but for one whose terms depend on the moment."""
    catalogue = Counting(Catalogue.from_listing(entries(3)))
    pick = router_of(catalogue).selector(text)

    assert [pick().id for _ in range(3)] == ["claude-fake-0"] * 3
    assert catalogue.asked == asked


def test_selector_fails_early() -> None:
    """What means nothing is refused when the selection is prepared; a name nobody knows, when it first answers."""
    router = router_of(FIRST)

    with pytest.raises(RequirementError):
        router.selector("pdf_input and")
    pick = router.selector("pdf_imput")
    with pytest.raises(UnknownNameError):
        pick()


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
