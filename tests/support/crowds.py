"""A thousand threads that call at the same moment, a machine with clocks of its own, and what both ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

from attrs import define, field
from canary import KEY
from fake_api import Answer, FakeAPI, Request, entries, plain_transport
from fake_source import PATIENCE, FakeClock, eventually, join

from router import Router
from router._errors import CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._sources import AnthropicSource, Source

Ask = Callable[[], object]
Asking = Callable[[Ask], list[object]]
"""What lets many ask, and returns what each was answered; `at_once` is one."""

NOON = 1_800_000_000.0
TTL = 100.0
SIX = Catalogue.from_listing(entries(6), source="live")
OTHER = Catalogue.from_listing(entries(6, start=3), source="live")
DOWN = CatalogueUnavailableError("down", status=400)
BUSY = CatalogueUnavailableError("busy", status=529, retryable=True)


class Unlocked:
    """A cache as one writes it first; the twin of the router that must fail."""

    def __init__(self, api: FakeAPI) -> None:
        self._api = api
        self._held: Catalogue | None = None

    def select(self) -> object:
        """Fetch what is not held."""
        if self._held is None:
            self._held = live(self._api).fetch(Deadline(PATIENCE))
        return self._held.select().id


class Crowd:
    """So many threads, which stay: to start them anew takes longer than a round."""

    def __init__(self, size: int) -> None:
        self._ask: Ask | None = None
        self._answers: list[object] = []
        self._begin, self._end = threading.Barrier(size + 1), threading.Barrier(size + 1)
        self._threads = [
            threading.Thread(target=self._work, name="crowd", daemon=True) for _ in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def __call__(self, ask: Ask) -> list[object]:
        """Return what each thread was answered, or the exception that it met."""
        self._ask, self._answers = ask, []
        self._meet(self._begin)
        self._meet(self._end)
        return self._answers

    def go(self) -> None:
        """End the threads."""
        self._ask = None
        self._meet(self._begin)
        join(self._threads)

    def _meet(self, barrier: threading.Barrier) -> None:
        """Wait for all threads; where one hangs, all others end, and there is no crowd any more."""
        try:
            barrier.wait(2 * PATIENCE)
        except threading.BrokenBarrierError:
            self._begin.abort()
            self._end.abort()
            raise AssertionError("a thread of the crowd hangs") from None

    def _work(self) -> None:
        with suppress(threading.BrokenBarrierError):  # whoever has waited for them says so
            while True:
                self._begin.wait()
                if self._ask is None:
                    return
                try:
                    self._answers.append(self._ask())
                except Exception as error:  # noqa: BLE001 - the answer of that thread
                    self._answers.append(error)
                self._end.wait()


@contextmanager
def thousand() -> Iterator[Crowd]:
    """Give a crowd of a thousand."""
    crowd = Crowd(1000)
    try:
        yield crowd
    finally:
        crowd.go()


@define
class Machine:
    """Two clocks that go together, chance as told, and a cache directory or none."""

    cache: Path | None = None
    random: Callable[[], float] = lambda: 0.0
    clock: FakeClock = field(factory=FakeClock)
    wall: FakeClock = field(factory=lambda: FakeClock(NOON))

    def router(self, source: Source, **arguments: Any) -> Router:
        """Return a router as a process of its own would have it."""
        given: dict[str, Any] = {"ttl": TTL, "cache_dir": self.cache or False} | arguments
        return Router(
            source, clock=self.clock, wall=self.wall, sleep=self.passes, random=self.random, **given
        )

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds
        self.wall.now += seconds


def seeded(seed: int) -> Random:
    """Return chance that comes again."""
    return Random(seed)  # noqa: S311 - no secrets


def live(api: FakeAPI) -> AnthropicSource:
    """Return the live source of that server."""
    return AnthropicSource(api_key=KEY, base_url=api.url, environ={}, transport=plain_transport())


def settled(router: Router) -> Router:
    """Wait until no refresh of that router is under way, and its hooks have been called."""
    assert eventually(lambda: not router.status().refreshing)
    for thread in threading.enumerate():
        if thread.name == "router-refresh":
            thread.join(1.0)  # one that was given up may still hang
    return router


def late(ask: Asking, select: Ask, answered: threading.Event, patience: float = PATIENCE) -> int:
    """Return how many got an answer only after the server had given one, which it does when all have or at last."""

    def timed() -> bool:
        select()
        return answered.is_set()

    server = threading.Timer(patience, answered.set)
    server.start()
    answers = ask(timed)
    server.cancel()
    answered.set()
    server.join()
    assert len(answers) > 1
    return sum(answer is not False for answer in answers)


def silent(api: FakeAPI) -> threading.Event:
    """Let the server answer the next request only after an event, which is returned."""
    answered = threading.Event()

    def held_back(request: Request) -> Answer:
        return [answered, api.answer(request)]

    api.script(held_back)
    return answered
