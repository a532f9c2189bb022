"""A thousand threads at once: they cost one fetch, wait for nothing that they need not, and see no half state."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Any

import pytest
from crowds import (
    DOWN,
    NOON,
    OTHER,
    SIX,
    TTL,
    Ask,
    Asking,
    Crowd,
    Machine,
    Unlocked,
    late,
    live,
    settled,
    silent,
    thousand,
)
from fake_api import FakeAPI, entries, failure, serve
from fake_source import PATIENCE, FakeClock, FakeSource, at_most, at_once, eventually, gate, join
from sizes import at_length

from router import Router
from router._errors import CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import catalogue_of
from router.refresh._deadline import Deadline
from router.refresh._sources import Source


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    """A thousand threads."""
    with thousand() as crowd:
        yield crowd


@pytest.fixture
def machine() -> Machine:
    """A machine without a cache."""
    return Machine()


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with six models."""
    with serve(entries(6)) as api:
        yield api


class Locked:
    """A cache that is renewed under a lock, which each read takes; the twin of the router that must fail."""

    def __init__(self, source: Source, machine: Machine) -> None:
        self._source, self._clock = source, machine.clock
        self.lock = threading.Lock()
        self._held = source.fetch(Deadline(PATIENCE))
        self._due = self._clock() + TTL

    def select(self) -> object:
        """Fetch what is due."""
        with self.lock:
            if self._clock() >= self._due:
                self._held = self._source.fetch(Deadline(PATIENCE))
                self._due = self._clock() + TTL
            return self._held.select().id


# Threads, cold


def costs(
    ask: Asking, select: Callable[[], Ask], api: FakeAPI, rounds: int
) -> list[tuple[int, int]]:
    """Return how many requests each round has cost, a round being that all ask one who is cold, and of how many."""
    found = []
    for _ in range(rounds):
        before = len(api.requests)
        answers = ask(select())
        found.append((len(api.requests) - before, len({repr(answer) for answer in answers})))
    return found


def cold(machine: Machine, api: FakeAPI, **arguments: Any) -> Ask:
    """Return the `select` of a router that has nothing yet, as one that gives an id."""
    router = machine.router(live(api), **arguments)
    return lambda: router.select("pdf_input").id


@pytest.mark.parametrize("rounds", [3, at_length(1000)])
def test_one_fetch_for_a_cold_crowd(
    crowd: Crowd, machine: Machine, api: FakeAPI, rounds: int
) -> None:
    """C1: a thousand threads that find nothing held make one request, and get one answer."""
    assert costs(crowd, lambda: cold(machine, api), api, rounds) == [(1, 1)] * rounds


@pytest.mark.parametrize("rounds", [2, at_length(500)])
@pytest.mark.parametrize("strict", [False, True])
def test_one_refresh_for_a_cold_crowd(
    crowd: Crowd, machine: Machine, api: FakeAPI, rounds: int, *, strict: bool
) -> None:
    """C2: where the server fails they make one refresh of three attempts, and get one model or one error."""
    api.script(*[failure(500, "api_error")] * 3 * rounds)

    assert costs(crowd, lambda: cold(machine, api, strict=strict), api, rounds) == [(3, 1)] * rounds


def test_more_fetches_without_a_lock(api: FakeAPI) -> None:
    """C1: the count tells a cache that does not share its fetch."""
    assert costs(at_once, lambda: Unlocked(api).select, api, 1)[0][0] > 1


def test_more_refreshes_without_a_lock(api: FakeAPI) -> None:
    """C2: it tells one that does not share its failure, too."""
    api.script(*[failure(500, "api_error")] * 100)

    assert costs(at_once, lambda: Unlocked(api).select, api, 1)[0][0] > 3


@pytest.mark.parametrize("strict", [False, True])
def test_a_cold_crowd_has_one_kind_of_answer(
    crowd: Crowd, api: FakeAPI, machine: Machine, *, strict: bool
) -> None:
    """C2: what all get of a failing server is the bundled catalogue, or with `strict` the error with its status."""
    api.script(*[failure(500, "api_error")] * 3)
    router = machine.router(live(api), strict=strict)

    kinds = {(type(answer), *facts(answer)) for answer in crowd(lambda: router.catalogue)}

    assert kinds == (
        {(CatalogueUnavailableError, 500)}
        if strict
        else {(Catalogue, "bundled", "claude-fable-5-2")}
    )
    assert router.status().failures == 1


def facts(answer: object) -> tuple[object, ...]:
    """Return what tells one answer from another."""
    if isinstance(answer, CatalogueUnavailableError):
        return (answer.status,)
    return (answer.source, answer.models[0].id) if isinstance(answer, Catalogue) else (answer,)


# Threads, and a server that is silent


@pytest.mark.parametrize("rounds", [5, at_length(500)])
def test_one_fetch_behind_a_crowd(
    crowd: Crowd, machine: Machine, api: FakeAPI, rounds: int
) -> None:
    """C3: a thousand threads that find what is held too old make one request, and none of them waits for it."""
    router = machine.router(live(api))
    router.refresh()

    for done in range(1, rounds + 1):
        machine.passes(2 * TTL)
        assert late(crowd, router.select, silent(api)) == 0
        settled(router)
        assert len(api.requests) == 1 + done
    assert router.status().refreshes == 1 + rounds


def test_a_lock_makes_a_crowd_wait(machine: Machine, api: FakeAPI) -> None:
    """C3: the measure tells a cache whose readers wait for the one that renews it."""
    cache = Locked(live(api), machine)
    machine.passes(2 * TTL)

    assert late(at_once, cache.select, silent(api), patience=0.2) > 0


# A thread that does not let go of a lock


def waits(lock: AbstractContextManager[Any], ask: Ask, patience: float = PATIENCE) -> bool:
    """Return whether there is an answer only once another thread has let go of the lock, which it does then or late."""
    held, answered = threading.Event(), threading.Event()
    in_time: list[bool] = []

    def hold() -> None:
        with lock:
            held.set()
            in_time.append(answered.wait(patience))

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    assert held.wait(PATIENCE)
    ask()
    answered.set()
    join([holder])
    return in_time == [False]


READS: dict[str, Callable[[Router], Ask]] = {
    "catalogue": lambda router: lambda: router.catalogue,
    "select": lambda router: router.select,
    "select-of-a-text": lambda router: partial(router.select, "pdf_input"),
    "select-of-needs": lambda router: partial(router.select, "age > 0d", pdf_input=True),
    "selector": lambda router: router.selector("pdf_input"),
    "candidates": lambda router: partial(router.candidates, "pdf_input"),
    "explain": lambda router: partial(router.explain, "pdf_input"),
    "supports": lambda router: partial(router.supports, "claude-fake-0", "pdf_input"),
    "gate": lambda router: partial(router.gate("claude-fake-0").allows, "pdf_input", default=False),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("name", ["_lock", "_disk._writing"])
def test_no_answer_waits_for_a_lock(
    machine: Machine, read: Callable[[Router], Ask], name: str
) -> None:
    """C3: while another thread holds a lock of the loader, a fresh catalogue answers, at first and again."""
    router = machine.router(FakeSource(SIX))
    router.refresh()
    ask = read(router)

    def ask_twice() -> None:
        ask()
        ask()

    assert not waits(attrgetter(name)(router._loader), ask_twice)


def test_an_answer_under_a_lock_waits(machine: Machine) -> None:
    """C3: it tells a cache whose readers take the lock."""
    cache = Locked(FakeSource(SIX), machine)

    assert waits(cache.lock, cache.select, patience=0.1)


# Threads, and a leader that is lost


class Forgetful:
    """A single flight whose leader tells nobody when it is lost; the twin of the router that must fail."""

    def __init__(self, source: Source) -> None:
        self._source, self._lock, self._landed = source, threading.Lock(), threading.Event()

    def select(self) -> object:
        """Fetch as the first, or wait for the first."""
        if self._lock.acquire(blocking=False):
            held = self._source.fetch(Deadline(PATIENCE))
            self._landed.set()
            return held
        if not self._landed.wait(0.2):
            raise TimeoutError
        return None


LOSSES = [
    KeyboardInterrupt,
    SystemExit,
    MemoryError,
    RecursionError,
    GeneratorExit,
    asyncio.CancelledError,
]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_leader_frees_all(crowd: Crowd, machine: Machine, loss: type[BaseException]) -> None:
    """C10: however the one fetch ends, all of the crowd are answered, and the next refresh works."""
    source = FakeSource(loss(), SIX)
    router = machine.router(source)

    with at_most(PATIENCE):
        assert {repr(answer) for answer in crowd(lambda: router.catalogue.source)} == {"'bundled'"}
    assert source.fetches == 1
    assert router.refresh().digest == SIX.digest
    assert router.select().id == "claude-fake-0"


def test_a_lost_leader_of_a_naive_flight_frees_nobody() -> None:
    """C10: the answers tell a flight whose leader is lost."""
    answers = at_once(Forgetful(FakeSource(MemoryError())).select, 10)

    assert "TimeoutError()" in map(repr, answers)


class Failing(logging.Handler):
    """A handler of the application's that fails."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def emit(self, record: logging.LogRecord) -> None:
        """Fail."""
        raise self._error


@contextmanager
def handled_by(handler: logging.Handler) -> Iterator[None]:
    """Let the handler have what the library logs."""
    logger = logging.getLogger("router")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


# `SystemExit` ends a thread.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("loss", [ZeroDivisionError, MemoryError, SystemExit])
def test_what_fails_beside_the_leader(
    crowd: Crowd, machine: Machine, loss: type[BaseException]
) -> None:
    """C10: a log handler and hooks that fail, even by `SystemExit`, keep no answer from the crowd."""

    def fail(*_: object) -> None:
        raise loss

    source = FakeSource(CatalogueUnavailableError("no"), SIX)
    router = machine.router(source, on_refresh=fail, on_error=fail)

    with handled_by(Failing(loss())), at_most(PATIENCE):
        assert {repr(answer) for answer in crowd(lambda: router.catalogue.source)} == {"'bundled'"}
        machine.passes(TTL)
        crowd(router.select)
        assert eventually(lambda: router.catalogue.source == "live")
    assert source.fetches == 2


def test_a_leader_that_never_comes_back(machine: Machine) -> None:
    """C10: a refresh that hangs, whatever the deadline, keeps none from being made once its time is over."""
    with gate() as shut:
        router = machine.router(FakeSource(SIX, shut.before(SIX), OTHER))
        router.refresh()
        for _ in range(3):  # one that hangs, one that gives it up, one that flies
            machine.passes(3600)
            router.select()

        assert eventually(lambda: router.catalogue.digest == OTHER.digest)


# What interrupts the caller


class Meanwhile(FakeClock):
    """A clock at one of whose readings something else happens first, as by a signal handler or another thread."""

    def __init__(self) -> None:
        super().__init__()
        self._happens: Callable[[], object] | None = None
        self._readings, self._thread = 0, 0

    def at(self, reading: int, happens: Callable[[], object]) -> None:
        """Let it happen at that reading of this thread from now on."""
        self._readings, self._happens, self._thread = reading, happens, threading.get_ident()

    def __call__(self) -> float:
        if self._happens and self._thread == threading.get_ident():
            self._readings -= 1
            if not self._readings:
                happens, self._happens = self._happens, None
                happens()
        return super().__call__()


def renewing(clock: Meanwhile, deadline: float, *, due: bool) -> tuple[Machine, Router, Ask]:
    """Return a machine of that clock, a router that holds what is due or not, and a call that begins a refresh."""
    machine = Machine(clock=clock)
    router = machine.router(FakeSource(SIX), deadline=deadline)
    router.refresh()
    machine.passes(2 * TTL if due else 0)
    return machine, router, router.select if due else router.refresh


readings = pytest.mark.parametrize("reading", [1, 2, 3, 4])


@readings
@pytest.mark.parametrize("due", [False, True])
def test_a_signal_handler_may_refresh(reading: int, *, due: bool) -> None:
    """C12: a handler that stops a caller within the library may refresh: it does not wait for what it has stopped."""
    clock = Meanwhile()
    _, router, call = renewing(clock, 3, due=due)

    clock.at(reading, router.refresh)
    with at_most(2.0):
        call()
        router.refresh()


@readings
@pytest.mark.parametrize("due", [False, True])
def test_an_interrupt_leaves_a_sane_router(reading: int, *, due: bool) -> None:
    """C10: where an interrupt has stopped a caller within the library, a refresh is made once its deadline is over."""
    clock = Meanwhile()
    machine, router, call = renewing(clock, 1, due=due)

    def interrupt() -> None:
        raise KeyboardInterrupt

    clock.at(reading, interrupt)
    with suppress(KeyboardInterrupt):
        call()
    clock.at(0, interrupt)
    machine.passes(60)
    assert router.refresh() is SIX


def test_a_plain_lock_does_not_let_a_handler_in() -> None:
    """C12: what happens at a reading tells a cache that takes a plain lock, and reads the clock under it."""
    clock = Meanwhile()
    machine = Machine(clock=clock)
    cache = Locked(FakeSource(SIX), machine)
    entered: list[bool] = []

    clock.at(1, lambda: entered.append(cache.lock.acquire(timeout=0.1)))
    cache.select()
    assert entered == [False]


# Readers, while the catalogue is swapped

Look = Callable[[], set[object]]


def generation(number: int) -> Catalogue:
    """Return a catalogue every part of which says of which generation it is."""
    as_of = datetime.fromtimestamp(NOON + number, UTC)
    return Catalogue.from_listing(entries(3, start=3 * number), source="live", as_of=as_of)


def of_id(id: str) -> int:
    """Return the generation of a model."""
    return int(id.removeprefix("claude-fake-")) // 3


def of_moment(as_of: datetime | None) -> int | None:
    """Return the generation that was true then."""
    return round(as_of.timestamp() - NOON) if as_of else None


def torn(looks: Sequence[Look], swap: Callable[[int], object], swaps: int) -> list[object]:
    """Return what readers saw, while generations were swapped, that was not of one generation or of an earlier one."""
    seen: list[object] = []
    over = threading.Event()

    def read(look: Look) -> None:
        last = 0
        while not over.is_set():
            try:
                (of,) = look()
                if not isinstance(of, int) or of < last:
                    raise AssertionError(f"{of} after {last}")  # noqa: TRY301 - it is seen like the others
                last = of
            except Exception as error:  # noqa: BLE001 - what that reader saw
                seen.append(error)
                return

    readers = [threading.Thread(target=read, args=(look,), daemon=True) for look in looks]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 1000)
    for reader in readers:
        reader.start()
    try:
        for number in range(1, swaps):
            swap(number)
    finally:
        over.set()
        sys.setswitchinterval(interval)
        join(readers)
    return seen


@pytest.mark.parametrize("swaps", [20, at_length(2000)])
def test_each_look_sees_one_generation(machine: Machine, swaps: int) -> None:
    """C13: ids, date, digest, decision and status that one look gives belong to one generation, and none goes back."""
    generations = [generation(number) for number in range(swaps)]
    digests = {each.digest: number for number, each in enumerate(generations)}
    remaining = iter(generations)

    def fetch() -> Catalogue:
        machine.wall.now += 1
        return next(remaining)

    router = machine.router(FakeSource(fetch))
    machine.wall.now -= 1
    selector = router.selector("pdf_input")
    router.refresh()

    def catalogue() -> set[object]:
        held = router.catalogue
        return {
            of_moment(held.as_of),
            digests.get(held.digest),
            *(of_id(model.id) for model in held),
        }

    def decision() -> set[object]:
        said = router.explain("pdf_input")
        assert not said.stale
        parts = {
            of_moment(said.as_of),
            digests.get(said.digest),
            *(of_id(model.id) for model in said.candidates),
        }
        return {
            *parts,
            said.model and of_id(said.model.id),
            *(of_id(model.id) for model in catalogue_of(said)),
        }

    def status() -> set[object]:
        said = router.status()
        assert (said.source, said.age is not None, said.stale) == ("live", True, False)
        return {of_moment(said.as_of), said.refreshes - 1}

    looks: list[Look] = [
        catalogue,
        decision,
        status,
        lambda: {of_id(model.id) for model in router.candidates("pdf_input")},
        lambda: {of_id(router.select("pdf_input").id)},
        lambda: {of_id(selector().id)},
    ]
    assert torn(looks, lambda _: router.refresh(), swaps) == []
    assert router.status().refreshes == swaps


class TwoSteps:
    """A cache of two parts, one set after the other; the twin of the router that must fail."""

    def __init__(self) -> None:
        self.ids, self.as_of = 0, 0

    def swap(self, number: int) -> None:
        """Set the one, and then the other."""
        self.ids = number
        time.sleep(0)
        self.as_of = number

    def look(self) -> set[object]:
        """Return the generations of both."""
        return {self.ids, self.as_of}


def test_two_steps_are_seen() -> None:
    """C13: what the readers saw tells a swap of two steps."""
    cache = TwoSteps()

    assert torn([cache.look] * 6, cache.swap, 1000) != []


@readings
def test_a_decision_speaks_of_its_own_catalogue(reading: int) -> None:
    """C13: whether a decision is stale is said of the catalogue that it was made on, not of one that came meanwhile."""
    clock = Meanwhile()
    router = Machine(clock=clock).router(FakeSource(DOWN, SIX))
    assert router.catalogue.source == "bundled"

    clock.at(reading, router.refresh)
    decision = router.explain("line == opus")

    assert decision.stale is (decision.source == "bundled")
