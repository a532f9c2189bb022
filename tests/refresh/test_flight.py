"""One flight at a time, and the thread that it has."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from fake_api import Canned, FakeAPI, entries, failure, serve
from fake_source import FakeSource, Gate, Outcome, at_most, at_once, eventually, gate, no_threads
from loader_rig import DOWN, FIRST, SECOND, Rig, idle, live

from router._errors import CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue
from router.refresh._flight import Flight
from router.refresh._sources import AnthropicSource


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


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(None, "live"), (failure(400, "invalid_request_error"), "bundled")],
    ids=["good", "failing"],
)
def test_one_request_for_fifty_threads(api: FakeAPI, answer: bytes | None, expected: str) -> None:
    """C1, C2: fifty threads that ask a server at the same moment make one request, whether it is good or fails."""
    for rounds in range(1, 11):
        rig = Rig(live(api))
        if answer:
            api.script(answer)

        answers = at_once(rig.loader.catalogue)

        assert len(api.requests) == rounds
        assert {catalogue.source for catalogue in answers if isinstance(catalogue, Catalogue)} == {
            expected
        }
        assert len(answers) == 50


@pytest.mark.parametrize(("outcome", "rounds"), [(FIRST, 10), (DOWN, 10)], ids=["good", "failing"])
def test_one_flight_for_fifty_threads(
    outcome: Catalogue | CatalogueUnavailableError, rounds: int
) -> None:
    """C1, C2: it is one fetch even where that is over before the last thread has looked."""
    for _ in range(rounds):
        source = FakeSource(outcome)
        rig = Rig(source)

        answers = at_once(rig.loader.catalogue)

        assert source.fetches == 1
        assert answers == [rig.loader.catalogue()] * 50


def test_one_flight_for_fifty_refreshes(shut: Gate) -> None:
    """C2: refreshes that are asked for while a flight is under way share it, and its error."""
    source = FakeSource(shut.before(DOWN))
    rig = Rig(source)
    outcome = rig.loader._outcome
    joined: list[Flight] = []

    def joining(flight: Flight, wait: float = 0.0) -> Catalogue:
        joined.append(flight)
        return outcome(flight, wait)

    rig.loader._outcome = joining  # type: ignore[method-assign]
    answers: list[object] = []
    waiter = threading.Thread(target=lambda: answers.extend(at_once(rig.loader.refresh)))
    waiter.start()
    assert eventually(lambda: len(joined) == 50)
    shut.open()
    waiter.join()

    assert source.fetches == 1
    assert len(set(joined)) == 1
    assert list(map(repr, answers)) == [repr(DOWN)] * 50


def test_one_background_refresh(shut: Gate) -> None:
    """C3: fifty threads that find the catalogue too old make one fetch, and none of them waits for it."""
    source = FakeSource(FIRST, shut.before(SECOND))
    rig = Rig(source)
    rig.loader.refresh()
    rig.clock.now += 200

    with at_most(5.0):
        assert at_once(rig.loader.catalogue) == [FIRST] * 50
    assert eventually(lambda: source.fetches == 2)

    shut.open()
    assert eventually(lambda: rig.loader.catalogue() is SECOND)
    at_once(rig.loader.catalogue)
    assert source.fetches == 2


def test_one_background_refresh_at_every_expiry() -> None:
    """C3: the one refresh of an expiry may even be over before the last thread has looked."""
    source = FakeSource(FIRST)
    rig = Rig(source)
    rig.loader.refresh()

    for expiries in range(1, 11):
        rig.clock.now += 200
        at_once(rig.loader.catalogue)
        assert eventually(idle)
        assert source.fetches == 1 + expiries


def test_a_handler_does_not_wait_for_what_it_has_stopped(shut: Gate) -> None:
    """C12: who asks in the midst of this thread's own work on a flight, as a signal's handler may, loads in line."""
    source = FakeSource(shut.before(FIRST), SECOND)
    rig = Rig(source, deadline=0.1)
    rig.loader._start()
    assert eventually(lambda: source.fetches == 1)

    with rig.loader._lock:
        assert rig.loader.refresh() is SECOND

    assert source.threads[1] is threading.current_thread()


def test_flight_is_a_daemon() -> None:
    """C11: a fetch from the network has a daemon thread of its own, which ends with it."""
    source = FakeSource(FIRST)
    rig = Rig(source)

    rig.loader.refresh()

    (thread,) = source.threads
    assert thread is not threading.current_thread()
    assert (thread.name, thread.daemon) == ("router-refresh", True)
    thread.join(1.0)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "outcome", [FIRST, DOWN, KeyboardInterrupt()], ids=["lands", "fails", "is interrupted"]
)
def test_flight_says_that_its_thread_ends(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    """C7: a thread says that it ends, however its flight has: a fork waits until it is gone."""
    ended: list[threading.Thread] = []
    monkeypatch.setattr(
        "router.refresh._flight.end_thread", lambda: ended.append(threading.current_thread())
    )
    source = FakeSource(outcome)

    with suppress(CatalogueUnavailableError):
        Rig(source).loader.refresh()

    source.threads[0].join(1.0)
    assert ended == source.threads


LATE = """
import sys
sys.modules["platformdirs"] = None
from router.refresh._late_imports import import_late
import_late()
print(*sorted({"email.utils", "router.refresh._disk_cache", "router.refresh._http", "tenacity"} & sys.modules.keys()))
"""


def test_what_a_flight_imports_is_imported_before() -> None:
    """All that a flight needs later is there before it has a thread; what cannot be had stops nothing."""
    run = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)  # noqa: S603 - our own text

    assert run.stdout.split() == [
        "email.utils",
        "router.refresh._disk_cache",
        "router.refresh._http",
        "tenacity",
    ]


HANGING = """
import sys, time
from router import Router, CatalogueUnavailableError
class Hanging:
    remote = True
    identity = None
    def fetch(self, deadline, progress=None, held=None):
        print("fetching", flush=True)
        time.sleep(60)
router = Router(Hanging(), deadline=0.05)
print(router.catalogue.source)
"""


def test_exit_does_not_wait() -> None:
    """C11, N2: a program ends while a fetch hangs in what cannot be cancelled."""
    with at_most(20.0):
        run = subprocess.run(  # noqa: S603 - our own text
            [sys.executable, "-c", HANGING], capture_output=True, text=True, check=True
        )

    assert run.stdout.split() == ["fetching", "bundled"]


def test_no_thread_for_the_first_load() -> None:
    """C11: where no thread can be had, the first load happens where it was asked for."""
    source = FakeSource(FIRST)
    rig = Rig(source)

    with no_threads():
        assert rig.loader.catalogue() is FIRST

    assert source.threads == [threading.current_thread()]


def test_no_thread_for_a_live_load() -> None:
    """C11: nor does the live API need a thread of its own to be read."""
    page = json.dumps({"data": entries(3), "has_more": False}).encode()
    source = AnthropicSource(
        api_key="k", base_url="https://gateway.example", environ={}, transport=Canned([page])
    )
    rig = Rig(source)

    with no_threads():
        assert len(rig.loader.refresh()) == 3


def test_no_thread_for_the_first_load_inside_a_loop() -> None:
    """C6, C11: a running loop is not held up by a load for which no thread can be had."""
    source = FakeSource(FIRST)
    rig = Rig(source)

    async def main() -> str:
        with no_threads():
            return rig.loader.catalogue().source

    assert asyncio.run(main()) == "bundled"
    assert source.fetches == 0


def test_no_thread_for_a_renewal() -> None:
    """C11: where a catalogue is held, no answer reaches for the network, also where no thread can be had."""
    source = FakeSource(FIRST, SECOND)
    rig = Rig(source)
    rig.loader.refresh()
    rig.clock.now += 200

    with no_threads():
        assert rig.loader.catalogue() is FIRST

    assert threading.current_thread() not in source.threads
    assert str(rig.error) == "no thread for a refresh"
