from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import pytest
import trio
from canary import KEY, leaks, remains
from fake_api import End, FakeAPI, entries, failure, reply, serve
from fake_source import NO_TIMES, FakeClock, FakeSource, Gate, at_most, eventually, gate
from loader_rig import DOWN, FIRST, SECOND, Rig, idle, live

from router._errors import CatalogueError, CatalogueUnavailableError, ConfigurationError
from router.catalogue._catalogue import Catalogue
from router.refresh._flight import GRACE
from router.refresh._loader import Loader
from router.refresh._sources import FileSource

Result = TypeVar("Result")
LOADED = "the catalogue could not be loaded: "


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with three models."""
    with serve(entries(3)) as api:
        yield api


@pytest.fixture
def shut() -> Iterator[Gate]:
    """A gate that is shut."""
    with gate() as shut:
        yield shut


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of the library."""
    records = [record for record in caplog.records if record.name.startswith("router.")]
    assert all(record.levelno == logging.WARNING for record in records)
    return [record.getMessage() for record in records]


# The first load


def test_first_load_waits(shut: Gate) -> None:
    """The first catalogue is waited for."""
    rig = Rig(FakeSource(shut.before(FIRST)))
    threading.Timer(0.05, shut.open).start()

    assert rig.loader.catalogue() is FIRST
    assert not rig.is_stale


def test_first_load_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A failed first load falls back to the bundled catalogue, with one warning that says so and why."""
    source = FakeSource(DOWN)
    rig = Rig(source)

    catalogue = rig.loader.catalogue()

    assert catalogue.source == "bundled"
    assert rig.loader.catalogue() is catalogue
    assert source.fetches == 1
    assert warnings(caplog) == [
        f"{LOADED}down; the bundled catalogue is used (of 2026-11-22 00:00Z)"
    ]
    assert rig.error is DOWN
    assert rig.is_stale


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (CatalogueError("no listing"), "no listing"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (RecursionError(), "RecursionError: "),
        (MemoryError(), "MemoryError: "),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
    ],
    ids=repr,
)
def test_whatever_ends_a_flight(error: BaseException, reason: str) -> None:
    """C10: however a flight ends, its waiters hear of it by one kind of error, with the cause."""
    rig = Rig(FakeSource(error, FIRST))

    with at_most(5.0), pytest.raises(CatalogueUnavailableError) as caught:
        rig.loader.refresh()

    assert str(caught.value) == reason
    assert caught.value.__cause__ is error
    assert rig.loader.catalogue().source == "bundled"
    assert rig.loader.refresh() is not None
    assert rig.loader.catalogue().source == "live"


def test_interrupt_of_a_local_load() -> None:
    """C10: an interrupt that comes while a file is read in the caller's own thread stays an interrupt."""
    rig = Rig(FakeSource(KeyboardInterrupt(), remote=False))

    with pytest.raises(KeyboardInterrupt):
        rig.loader.catalogue()


def test_first_load_that_hangs(shut: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """N2: the first answer waits the deadline, the next ones not at all; what comes in the end is taken."""
    source = FakeSource(shut.before(FIRST))
    rig = Rig(source, deadline=0.1)

    with at_most(0.1 + GRACE + 0.3):
        assert rig.loader.catalogue().source == "bundled"
    with at_most(0.1):
        assert rig.loader.catalogue().source == "bundled"
    assert rig.is_stale
    assert len(warnings(caplog)) == 1

    shut.open()
    assert eventually(lambda: rig.loader.catalogue().digest == FIRST.digest)
    assert not rig.is_stale
    assert source.fetches == 1


def test_refresh_that_hangs(shut: Gate) -> None:
    """N2: an explicit refresh gives up at the deadline, and says so."""
    rig = Rig(FakeSource(shut.before(FIRST)), deadline=0.1)

    with (
        at_most(0.1 + GRACE + 0.3),
        pytest.raises(
            CatalogueUnavailableError, match=r"no whole answer within the deadline of 0\.1 s"
        ),
    ):
        rig.loader.refresh()


# Once a catalogue is held


def test_held_catalogue_survives(caplog: pytest.LogCaptureFixture) -> None:
    """A refresh that fails raises, and leaves what is held; the warning names it."""
    rig = Rig(FakeSource(FIRST, DOWN, SECOND))
    rig.loader.refresh()

    with pytest.raises(CatalogueUnavailableError, match="down"):
        rig.loader.refresh()

    assert rig.loader.catalogue() is FIRST
    assert not rig.is_stale
    assert rig.error is DOWN
    assert warnings(caplog) == [f"{LOADED}down; the live catalogue is used"]
    assert rig.loader.refresh() is SECOND
    assert rig.error is None


@pytest.mark.parametrize(("random", "age"), [(0.0, 90.0), (0.5, 100.0), (1.0, 110.0)])
def test_renewal_is_due(random: float, age: float) -> None:
    """T5: a catalogue is renewed at its `ttl`, give or take a tenth, so that no two processes keep step."""
    source = FakeSource(FIRST, SECOND)
    rig = Rig(source, ttl=100, random=random)
    rig.loader.refresh()

    rig.clock.now += age - 0.1
    rig.loader.catalogue()
    assert source.fetches == 1
    rig.clock.now += 0.2
    rig.loader.catalogue()
    assert eventually(lambda: rig.loader.catalogue() is SECOND)
    assert source.fetches == 2


@pytest.mark.parametrize("now", [1e13, 1e18, 1e300, -1e13, float("nan")])
def test_wall_clock_beyond_all_dates(now: float) -> None:
    """A wall clock that shows no date takes none from the catalogue, and stops neither a load nor the status."""
    rig = Rig(FakeSource(FIRST), wall=FakeClock(now))

    assert rig.loader.refresh() is FIRST
    assert (rig.loader.status().as_of, rig.loader.status().age) == (None, None)


def test_stale_is_older_than_max_stale(shut: Gate) -> None:
    """S12: a catalogue that cannot be renewed is stale when it is as old as `max_stale`, and goes on answering."""
    rig = Rig(FakeSource(FIRST, shut.before(SECOND)), ttl=100, max_stale=500)
    assert rig.is_stale
    rig.loader.refresh()

    for age, stale in ((0.0, False), (499.9, False), (500.0, True), (10**6, True)):
        rig.clock.now = 1000.0 + age
        assert rig.loader.catalogue() is FIRST
        assert rig.is_stale is rig.loader.status().stale is stale


def delays(error: CatalogueUnavailableError, random: float, count: int) -> list[float]:
    """Return the seconds from each of so many failures in a row to the next try."""
    source = FakeSource(error)
    rig = Rig(source, random=random)
    rig.loader.catalogue()
    found = []
    for fetches in range(1, count + 1):
        seconds = 0.0
        while source.fetches == fetches:
            seconds += 0.5
            rig.clock.now += 0.5
            rig.loader.catalogue()
            assert eventually(lambda: source.fetches > fetches or idle())  # noqa: B023 - called at once
        assert eventually(idle)
        found.append(seconds)
    return found


@pytest.mark.parametrize(
    ("random", "expected"),
    [(1.0, [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]), (0.0, [4.0, 8.0, 16.0, 32.0, 48.0, 48.0])],
)
def test_delay_after_failures(random: float, expected: list[float]) -> None:
    """R6: after a failure the next try waits, twice as long each time, up to a minute, a fifth of it by chance."""
    assert delays(DOWN, random, 6) == expected


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("random", "expected"), [(1.0, [300.0, 300.0]), (0.0, [240.0, 240.0])])
def test_delay_after_a_refused_credential(
    status: int, random: float, expected: list[float]
) -> None:
    """K7: a refused key is not tried again before four to five minutes."""
    assert delays(CatalogueUnavailableError("no", status=status), random, 2) == expected


@pytest.mark.parametrize("type", ["authentication_error", "permission_error"])
def test_delay_after_a_credential_refused_in_a_200(type: str) -> None:
    """N8, K7: an error that comes with status 200 is put off as its type says."""
    assert delays(CatalogueUnavailableError("no", error_type=type), 0.0, 2) == [240.0, 240.0]
    assert delays(CatalogueUnavailableError("no", error_type="api_error"), 0.0, 2) == [4.0, 8.0]


def test_delay_after_too_many_requests() -> None:
    """R4: 429 without a time to come back stops the asking for minutes."""
    (delay,) = delays(
        CatalogueUnavailableError("no", status=429, error_type="rate_limit_error"), 0.0, 1
    )

    assert delay == 240.0


def test_delay_the_server_asked_for() -> None:
    """R3: the next try waits at least as long as the server asked."""
    assert delays(CatalogueUnavailableError("no", retry_after=77.0), 1.0, 1) == [77.0]
    assert delays(CatalogueUnavailableError("no", retry_after=1.0), 1.0, 1) == [5.0]


def test_delay_begins_anew() -> None:
    """R6: a success in between makes the next delay the first one again."""
    source = FakeSource(DOWN, DOWN, FIRST, DOWN, SECOND)
    rig = Rig(source, random=1.0)
    for _ in range(4):
        with suppress(CatalogueUnavailableError):
            rig.loader.refresh()

    rig.clock.now += 4.9
    rig.loader.catalogue()
    assert source.fetches == 4
    rig.clock.now += 0.2
    assert len(rig.loader.catalogue()) == 1
    assert eventually(lambda: len(rig.loader.catalogue()) == 2)


def test_outage_and_recovery(api: FakeAPI, caplog: pytest.LogCaptureFixture) -> None:
    """R6: through an outage of ten minutes nothing raises and little is asked; a minute after it all is well."""
    rig = Rig(live(api), random=1.0)
    rig.loader.refresh()
    api.script(*[reply(500)] * 1000)
    sources = set()
    for _ in range(600 * 2):
        rig.clock.now += 0.5
        sources.add(rig.loader.catalogue().source)
        assert eventually(idle)
    asked = len(api.requests)
    assert asked <= 60
    assert sources == {"live"}
    assert len(warnings(caplog)) == 1

    api.recover()
    for _ in range(65 * 2):
        rig.clock.now += 0.5
        rig.loader.catalogue()
        assert eventually(idle)
    assert not rig.is_stale


def test_names_stay_known() -> None:
    """A name that an earlier catalogue carried stays known when a refresh brings one without it."""
    nova = [{"id": "claude-nova", "capabilities": {"nova": {"supported": True}}, "orbit": "low"}]
    rig = Rig(FakeSource(Catalogue.from_listing(nova), FIRST, SECOND))

    assert rig.loader.refresh().select("nova and orbit == low").id == "claude-nova"
    for _ in range(2):
        assert rig.loader.refresh().select("nova and orbit == low", default=None) is None


# Local sources


def test_local_sources_are_read_where_they_are_asked(tmp_path: Any) -> None:
    """A file is read in the caller's thread, is never due, and is read again when that is asked for."""
    source = FakeSource(FIRST, SECOND, remote=False)
    rig = Rig(source)

    assert rig.loader.catalogue() is FIRST
    assert source.threads == [threading.current_thread()]
    rig.clock.now += 10**9
    assert rig.loader.catalogue() is FIRST
    assert not rig.is_stale
    assert rig.loader.refresh() is SECOND
    assert rig.loader.catalogue() is SECOND
    missing = Rig(FileSource(tmp_path / "missing"))
    assert missing.loader.catalogue().source == "bundled"
    assert missing.is_stale


def test_local_sources_are_hastened_too() -> None:
    """What is gone from a catalogue of this machine has it read again, once it is a minute old."""
    source = FakeSource(FIRST, SECOND, remote=False)
    rig = Rig(source)
    rig.loader.refresh()

    rig.loader.request_refresh()
    assert rig.loader.catalogue() is FIRST
    rig.wall.now += 60
    rig.loader.request_refresh()
    assert rig.loader.catalogue() is SECOND


def test_local_sources_are_not_retried() -> None:
    """A local failure does not heal by waiting."""
    source = FakeSource(CatalogueUnavailableError("busy", retryable=True), remote=False)
    rig = Rig(source)

    with pytest.raises(CatalogueUnavailableError):
        rig.loader.refresh()

    assert (source.fetches, rig.clock.slept) == (1, [])


# Closing, configuration, the key


def test_the_same_failure_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """A failure is a warning, one like it is for who looks closely, and one of another status is a warning again."""
    caplog.set_level(logging.DEBUG, "router")
    rig = Rig(FakeSource(DOWN, DOWN, CatalogueUnavailableError("no", status=401)))

    for _ in range(3):
        with pytest.raises(CatalogueUnavailableError):
            rig.loader.refresh()

    levels = [record.levelno for record in caplog.records if record.name.startswith("router.")]
    assert levels == [logging.WARNING, logging.DEBUG, logging.WARNING]


def test_status_before_the_first_load() -> None:
    """Nothing is held, so nothing is left out of it, and nothing is known of its age."""
    status = Rig(FakeSource(FIRST)).loader.status()

    assert (status.source, status.as_of, status.age, status.quarantined) == (None, None, None, 0)


def test_stand_in_has_the_facts_of_the_package() -> None:
    """What stands in for a source that says nothing of documented facts has those that come with the library."""
    stand_in = Rig(FakeSource(DOWN)).loader.catalogue()

    assert "price.output" in stand_in["claude-opus-5-5"].values


def test_close() -> None:
    """A closed loader serves what it holds and renews nothing by itself; a refresh that is asked for is made."""
    source = FakeSource(FIRST, SECOND)
    rig = Rig(source)
    rig.loader.refresh()
    rig.loader.close()
    rig.clock.now += 10**6

    assert rig.loader.catalogue() is FIRST
    assert eventually(idle)
    assert source.fetches == 1
    assert rig.loader.refresh() is SECOND


@pytest.mark.parametrize("name", ["ttl", "max_stale", "deadline"])
@pytest.mark.parametrize("seconds", NO_TIMES, ids=repr)
def test_times_refused(name: str, seconds: Any) -> None:
    """R16, T4: no time but a number of seconds above 0 that can be waited for is taken, and the error names it."""
    said = f"{name} must be a number of seconds above 0 and at most 1e+09 (got {seconds!r})"
    with pytest.raises(ConfigurationError, match=f"^{re.escape(said)}$"):
        Rig(FakeSource(FIRST), **{name: seconds})


def test_longest_times() -> None:
    """Thirty years, in seconds, are taken for each of the three."""
    assert Rig(FakeSource(FIRST), ttl=1e9, max_stale=1e9, deadline=1e9).loader.refresh() is FIRST


def test_progress() -> None:
    """Progress is passed on to the source."""
    told: list[int] = []
    clock = FakeClock()
    loader = Loader(
        FakeSource(FIRST),
        ttl=1,
        max_stale=1,
        deadline=1,
        strict=False,
        open_store=lambda: None,
        clock=clock,
        wall=clock,
        sleep=clock.sleep,
        random=lambda: 0.0,
        progress=told.append,
    )

    loader.refresh()

    assert told == [0]


def test_constructing_reads_no_clock_and_fetches_nothing() -> None:
    """Constructing does no I/O, and begins nothing."""
    source = FakeSource(FIRST)
    rig = Rig(source)

    assert eventually(idle)
    assert (source.fetches, rig.clock.reads) == (0, 0)


def test_one_reading_of_the_clock() -> None:
    """An answer from what is held reads the clock once."""
    rig = Rig(FakeSource(FIRST))
    rig.loader.refresh()
    before = rig.clock.reads

    rig.loader.catalogue()

    assert rig.clock.reads == before + 1


def test_key_in_no_warning_and_no_error(api: FakeAPI, caplog: pytest.LogCaptureFixture) -> None:
    """K1: neither the warning nor the error that is kept shows the key."""
    caplog.set_level(logging.DEBUG)
    rig = Rig(live(api))
    api.script(failure(401, "authentication_error", f"invalid x-api-key {KEY}"))

    rig.loader.catalogue()

    assert isinstance(rig.error, CatalogueUnavailableError)
    assert leaks(str(rig.error), vars(rig.error), caplog.text) == []
    api.script([End.CLOSE], [End.CLOSE], [End.CLOSE])
    with pytest.raises(CatalogueUnavailableError) as caught:
        rig.loader.refresh()
    assert leaks(remains(caught.value)) == []


# Async


def on_asyncio(main: Callable[[], Awaitable[Result]]) -> Result:
    """Run on asyncio."""

    async def run() -> Result:
        return await main()

    return asyncio.run(run())


def on_trio(main: Callable[[], Awaitable[Result]]) -> Result:
    """Run on trio."""

    async def run() -> Result:
        return await main()

    return trio.run(run)


loops = pytest.mark.parametrize("run", [on_asyncio, on_trio], ids=["asyncio", "trio"])
Run = Callable[[Callable[[], Awaitable[Any]]], Any]


@loops
def test_arefresh(run: Run) -> None:
    """A refresh is awaited on either loop, on one after the other, and mixed with sync ones."""
    source = FakeSource(FIRST, SECOND)
    rig = Rig(source)

    assert run(rig.loader.arefresh) is FIRST
    assert run(rig.loader.arefresh) is SECOND
    assert (
        on_asyncio(rig.loader.arefresh)
        is on_trio(rig.loader.arefresh)
        is rig.loader.refresh()
        is SECOND
    )
    assert source.fetches == 5


@loops
def test_arefresh_that_fails(run: Run) -> None:
    """A refresh that fails raises in the task that awaits it, and what is held stays."""
    rig = Rig(FakeSource(FIRST, DOWN))
    rig.loader.refresh()

    with pytest.raises(CatalogueUnavailableError, match="down"):
        run(rig.loader.arefresh)

    assert rig.loader.catalogue() is FIRST


@loops
def test_arefresh_does_not_block_the_loop(run: Run, shut: Gate) -> None:
    """Other tasks run while a refresh is awaited: here, the one that lets it go on."""
    rig = Rig(FakeSource(shut.before(FIRST)))

    async def main() -> Catalogue:
        if run is on_asyncio:
            refresh = asyncio.create_task(rig.loader.arefresh())
            await asyncio.sleep(0.02)
            shut.open()
            return await refresh
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.loader.arefresh)
            await trio.sleep(0.02)
            shut.open()
        return rig.loader.catalogue()

    assert run(main) is FIRST


@loops
def test_arefresh_that_hangs(run: Run, shut: Gate) -> None:
    """N2: what hangs is left at the deadline."""
    rig = Rig(FakeSource(shut.before(FIRST)), deadline=0.1)

    with (
        at_most(0.1 + GRACE + 0.3),
        pytest.raises(CatalogueUnavailableError, match="no whole answer"),
    ):
        run(rig.loader.arefresh)


def test_one_waiter_cancelled_on_asyncio(shut: Gate) -> None:
    """C4: a task that is cancelled takes neither the flight nor another waiter with it."""
    source = FakeSource(shut.before(FIRST))
    rig = Rig(source)

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(rig.loader.arefresh()) for _ in range(50)]
        await asyncio.sleep(0.02)
        for task in tasks[:10]:
            task.cancel()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rig.loader.arefresh(), 0.001)
        shut.open()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(main())

    assert [type(answer) for answer in answers[:10]] == [asyncio.CancelledError] * 10
    assert answers[10:] == [FIRST] * 40
    assert source.fetches == 1


def test_one_waiter_cancelled_on_trio(shut: Gate) -> None:
    """C4: nor does a trio task that is cancelled."""
    source = FakeSource(shut.before(FIRST))
    rig = Rig(source)
    answers: list[Catalogue] = []
    cancelled: list[bool] = []

    async def wait(scope: trio.CancelScope) -> None:
        with scope:
            answers.append(await rig.loader.arefresh())
        cancelled.append(scope.cancelled_caught)

    async def main() -> None:
        scopes = [trio.CancelScope() for _ in range(50)]
        async with trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(wait, scope)
            await trio.sleep(0.02)
            for scope in scopes[:10]:
                scope.cancel()
            with trio.move_on_after(0.001):
                await rig.loader.arefresh()
            shut.open()

    trio.run(main)

    assert answers == [FIRST] * 40
    assert sum(cancelled) == 10
    assert source.fetches == 1


@loops
def test_every_waiter_gone(run: Run, shut: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """C4, C5: a flight lands though each waiter and its loop are gone, and nobody is told in vain."""
    source = FakeSource(shut.before(FIRST))
    rig = Rig(source)

    async def main() -> None:
        if run is on_asyncio:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(rig.loader.arefresh(), 0.01)
        else:
            with trio.move_on_after(0.01):
                await rig.loader.arefresh()

    run(main)
    shut.open()

    assert eventually(lambda: rig.loader.catalogue() is FIRST)
    source.threads[0].join()
    assert source.fetches == 1
    assert caplog.records == []


@loops
def test_never_waits_inside_a_loop(run: Run, shut: Gate) -> None:
    """C6: inside a running loop the first answer is the bundled catalogue, at once, with a refresh begun."""
    source = FakeSource(shut.before(FIRST))
    rig = Rig(source)

    async def main() -> None:
        with at_most(1.0):
            assert rig.loader.catalogue().source == "bundled"
            assert rig.loader.catalogue().source == "bundled"
        assert rig.is_stale
        shut.open()
        await rig.loader.afirst()
        assert rig.loader.catalogue() is FIRST

    run(main)

    assert source.fetches == 1


@loops
def test_local_sources_inside_a_loop(run: Run) -> None:
    """C6: what needs no network is had at once inside a loop, too."""
    rig = Rig(FakeSource(FIRST, remote=False))

    async def main() -> Catalogue:
        return rig.loader.catalogue()

    assert run(main) is FIRST


@loops
def test_a_thread_beside_a_loop_waits(run: Run, shut: Gate) -> None:
    """C6: only the thread of the loop must not wait; a worker thread may."""
    rig = Rig(FakeSource(shut.before(FIRST)))
    threading.Timer(0.05, shut.open).start()

    async def main() -> Catalogue:
        if run is on_asyncio:
            return await asyncio.to_thread(rig.loader.catalogue)
        return await trio.to_thread.run_sync(rig.loader.catalogue)

    assert run(main) is FIRST


@loops
def test_afirst(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Waiting for the first catalogue fetches it once, does not raise, and fetches nothing once one is held."""
    source = FakeSource(DOWN, FIRST)
    rig = Rig(source)

    run(rig.loader.afirst)
    run(rig.loader.afirst)

    assert source.fetches == 1
    assert rig.loader.catalogue().source == "bundled"
    assert len(warnings(caplog)) == 1
