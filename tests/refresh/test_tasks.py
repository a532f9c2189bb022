"""A thousand tasks at once: they share one flight, none is lost but the cancelled, and no loop is blocked or bound."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

import pytest
import trio
import trio.testing
from attrs import frozen
from crowds import (
    DOWN,
    OTHER,
    SIX,
    TTL,
    Ask,
    Asking,
    Machine,
    Unlocked,
    late,
    live,
    seeded,
    settled,
    silent,
)
from fake_api import FakeAPI, entries, serve
from fake_source import PATIENCE, FakeSource, Gate
from sizes import at_length

from router._errors import CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._sources import Source

Refresh = Callable[[], Awaitable[Catalogue | None]]


@pytest.fixture
def machine() -> Machine:
    """A machine without a cache."""
    return Machine()


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with six models."""
    with serve(entries(6)) as api:
        yield api


# Tasks


class Shared:
    """An async single flight as one writes it first: all await one task; the twin of the router that must fail."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._flight: asyncio.Task[Catalogue] | None = None

    async def arefresh(self) -> Catalogue:
        """Fetch as the first, or await what the first began."""
        if self._flight is None:
            self._flight = asyncio.create_task(
                asyncio.to_thread(self._source.fetch, Deadline(PATIENCE))
            )
        return await self._flight


class Watched(Shared):
    """One whose waiters only watch the task: none of them cancels it, and none may be left to hear how it ended."""

    async def arefresh(self) -> Catalogue:
        """Begin it as the first, and watch it."""
        if self._flight is None:
            self._flight = asyncio.create_task(
                asyncio.to_thread(self._source.fetch, Deadline(PATIENCE))
            )
        await asyncio.wait([self._flight])
        return await self._flight


class Led:
    """One in which the first task does the work for the others; the twin on trio."""

    def __init__(self, source: Source) -> None:
        self._source, self._landed = source, trio.Event()
        self._held: Catalogue | None = None
        self._led = False

    async def arefresh(self) -> Catalogue | None:
        """Fetch as the first, or wait for the first."""
        if not self._led:
            self._led = True
            try:
                fetch = partial(self._source.fetch, Deadline(PATIENCE))
                self._held = await trio.to_thread.run_sync(fetch, abandon_on_cancel=True)
            finally:
                self._landed.set()
        await self._landed.wait()
        return self._held


CANCELLED = "cancelled"


def named(end: object) -> str:
    """Return how a task ended, in a word."""
    return CANCELLED if isinstance(end, asyncio.CancelledError) else repr(end)


@frozen
class Storm:
    """So many tasks await a refresh; some are cancelled before it lands, the first among them, and some while it does.

    `strays` tells of each that ended as it should not.
    """

    refresh: Refresh
    land: Callable[[], object]
    outcome: Catalogue | CatalogueUnavailableError
    chance: Random
    size: int = 1000

    async def on_asyncio(self) -> list[object]:
        """Return the strays under asyncio."""
        tasks = [asyncio.ensure_future(self.refresh()) for _ in range(self.size)]
        never_began, *others = self.drawn()
        tasks[never_began].cancel()
        await asyncio.sleep(0)
        with suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(self.refresh(), 0.001)
        before, meanwhile = others[: len(others) // 2], others[len(others) // 2 :]
        cancelled = {never_began, 0, *before}
        for at in (0, *before):
            tasks[at].cancel()
        self.land()
        for at in meanwhile:
            if tasks[at].cancel():
                cancelled.add(at)
            await asyncio.sleep(0)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        expected = [CANCELLED if at in cancelled else repr(self.outcome) for at in range(self.size)]
        return [
            (end, should)
            for end, should in zip(map(named, ends), expected, strict=True)
            if end != should
        ]

    async def on_trio(self) -> list[object]:
        """Return the strays under trio."""
        ends: dict[int, str] = {}
        scopes = [trio.CancelScope() for _ in range(self.size)]

        async def wait(at: int) -> None:
            ends[at] = CANCELLED
            with scopes[at]:
                try:
                    ends[at] = repr(await self.refresh())
                except CatalogueUnavailableError as error:
                    ends[at] = repr(error)

        drawn = self.drawn()
        before, meanwhile = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
        async with trio.open_nursery() as nursery:
            # In two batches: in one, trio lets any of them be the first.
            for begun in (range(1), range(1, self.size)):
                for at in begun:
                    nursery.start_soon(wait, at)
                await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(0.001):
                await self.refresh()
            for at in (0, *before):
                scopes[at].cancel()
            self.land()
            for at in meanwhile:
                scopes[at].cancel()
                await trio.lowlevel.checkpoint()

        def allowed(at: int) -> set[str]:
            if at in {0, *before}:
                return {CANCELLED}
            return {repr(self.outcome), CANCELLED} if at in meanwhile else {repr(self.outcome)}

        return [(at, end) for at, end in ends.items() if end not in allowed(at)]

    def drawn(self) -> list[int]:
        """Return which tasks but the first are cancelled, in which order."""
        return self.chance.sample(range(1, self.size), self.chance.randrange(2, self.size // 2))


@frozen
class Ends:
    """How storms ended: strays, what the loop complained of, and how often each storm has fetched."""

    strays: list[object]
    complaints: list[object]
    fetches: list[int]


def on_asyncio(arefresh: Callable[[Source], Refresh], rounds: int, size: int = 1000) -> Ends:
    """Let storms go by under asyncio; every other one finds the server failing."""
    ends = Ends([], [], [])

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: ends.complaints.append(context["message"])
        )
        for seed in range(rounds):
            source, storm = brewed(arefresh, seed, size)
            ends.strays.extend(await storm.on_asyncio())
            ends.fetches.append(source.fetches)

    asyncio.run(main())
    gc.collect()
    return ends


def on_trio(arefresh: Callable[[Source], Refresh], rounds: int, size: int = 1000) -> Ends:
    """Let storms go by under trio."""
    ends = Ends([], [], [])

    async def main() -> None:
        for seed in range(rounds):
            source, storm = brewed(arefresh, seed, size)
            ends.strays.extend(await storm.on_trio())
            ends.fetches.append(source.fetches)

    trio.run(main)
    return ends


def brewed(arefresh: Callable[[Source], Refresh], seed: int, size: int) -> tuple[FakeSource, Storm]:
    """Return a storm and what it falls on."""
    shut, outcome = Gate(), (DOWN if seed % 2 else SIX)
    source = FakeSource(shut.before(outcome))
    return source, Storm(arefresh(source), shut.open, outcome, seeded(seed), size)


def of_router(source: Source) -> Refresh:
    """Return the refresh of a router of that source."""
    return Machine().router(source).arefresh


loops = pytest.mark.parametrize("run", [on_asyncio, on_trio])


@loops
@pytest.mark.parametrize("rounds", [3, at_length(2500, timeout=1800)])
def test_one_flight_for_a_thousand_tasks(run: Callable[..., Ends], rounds: int) -> None:
    """C4: of a thousand tasks those that are cancelled end so, and no other; all share one fetch, well or ill."""
    assert run(of_router, rounds) == Ends([], [], [1] * rounds)


@pytest.mark.parametrize(("run", "naive"), [(on_asyncio, Shared), (on_trio, Led)])
def test_a_cancelled_leader_takes_the_others_along(
    run: Callable[..., Ends], naive: type[Shared | Led]
) -> None:
    """C4: the strays tell a flight that ends with the task that began it."""
    assert len(run(lambda source: naive(source).arefresh, 1, 100).strays) > 10


def deserted(arefresh: Callable[[Source], Refresh]) -> list[object]:
    """Return what a loop complains of when a flight fails whose waiters have all been cancelled."""
    complaints: list[object] = []
    shut = Gate()
    source = FakeSource(shut.before(DOWN))

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: complaints.append(context["message"])
        )
        refresh = arefresh(source)
        tasks = [asyncio.ensure_future(refresh()) for _ in range(1000)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert set(map(named, ends)) == {CANCELLED}
        shut.open()
        await asyncio.sleep(0.05)

    asyncio.run(main())
    gc.collect()
    assert source.fetches == 1
    return complaints


def test_nobody_is_left_to_hear() -> None:
    """C4: a flight that fails when each of a thousand waiters is gone makes the loop complain of nothing."""
    assert deserted(of_router) == []


def test_a_loop_complains_of_a_task_that_nobody_awaits() -> None:
    """C4: the complaints tell a flight that is a task of the loop."""
    assert deserted(lambda source: Watched(source).arefresh) == [
        "Task exception was never retrieved"
    ]


# Loops


def second_run(arefresh: Callable[[Source], Refresh]) -> str:
    """Return what a second `asyncio.run` gets of a flight that the first began, and did not see land."""
    shut = Gate()
    refresh = arefresh(FakeSource(shut.before(SIX), OTHER))
    landing = threading.Timer(0.2, shut.open)
    landing.start()

    async def run() -> Catalogue | None:
        return await refresh()

    with pytest.raises((TimeoutError, asyncio.CancelledError)):
        asyncio.run(asyncio.wait_for(run(), 0.01))
    try:
        return repr(asyncio.run(run()))
    except (asyncio.CancelledError, RuntimeError) as error:
        return named(error)
    finally:
        landing.join()


def test_a_flight_outlives_its_loop() -> None:
    """C5: a second `asyncio.run` awaits the flight that the first has left, through the same router."""
    assert second_run(of_router) == repr(SIX)


def test_a_task_does_not_outlive_its_loop() -> None:
    """C5: the answer tells a flight that is bound to the first loop."""
    assert second_run(lambda source: Shared(source).arefresh) == CANCELLED


@pytest.mark.parametrize(
    "runs", [(asyncio.run, asyncio.run), (asyncio.run, trio.run), (trio.run, asyncio.run)]
)
def test_one_router_in_one_loop_after_the_other(
    machine: Machine, api: FakeAPI, runs: tuple[Callable[..., Any], Callable[..., Any]]
) -> None:
    """C5: loops that come and go, and threads in between, share a router of the live API: no client is a loop's own."""
    router = machine.router(live(api))

    async def refresh() -> int:
        return len(await router.arefresh()) + len(router.candidates())

    for run in (*runs, *runs):
        assert run(refresh()) == 12 if run is asyncio.run else run(refresh) == 12
        assert len(router.refresh()) == 6
    assert len(api.requests) == 8


def inside_asyncio(ask: Ask) -> list[object]:
    """Let a thousand tasks ask, in one loop."""

    async def task() -> object:
        return ask()

    async def main() -> list[object]:
        return list(await asyncio.gather(*(task() for _ in range(1000))))

    return asyncio.run(main())


def inside_trio(ask: Ask) -> list[object]:
    """Let a thousand tasks ask, under trio."""
    answers: list[object] = []

    async def task() -> None:
        answers.append(ask())

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(1000):
                nursery.start_soon(task)

    trio.run(main)
    return answers


@pytest.mark.parametrize("inside", [inside_asyncio, inside_trio])
def test_no_wait_inside_a_loop(machine: Machine, api: FakeAPI, inside: Asking) -> None:
    """C6: inside a running loop no way to ask waits for a silent server, when nothing is held and when it is old."""
    router = machine.router(live(api))
    selector = router.selector("pdf_input")

    def ask() -> None:
        for read in (router.select, router.candidates, router.explain, router.status, selector):
            read()
        assert router.supports(router.catalogue.models[0].id, "pdf_input")

    for requests in (1, 2):
        assert late(inside, ask, silent(api)) == 0
        settled(router)
        assert len(api.requests) == requests
        machine.passes(2 * TTL)


@pytest.mark.parametrize("inside", [inside_asyncio, inside_trio])
def test_a_naive_cache_waits_inside_a_loop(api: FakeAPI, inside: Asking) -> None:
    """C6: the measure tells a cache that fetches where it is asked."""
    assert late(inside, Unlocked(api).select, silent(api), patience=0.2) > 0
