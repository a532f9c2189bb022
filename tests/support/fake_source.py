"""A clock that only moves when it is told to, and a source whose fetches end as they are told to."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, Self

from router import Router
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._listing import Progress

Outcome = Catalogue | BaseException | Callable[[], Catalogue]

PATIENCE = 30.0
"""Seconds after which a test that waits gives up."""

NO_TIMES = (
    0,
    0.0,
    -1,
    1e10,
    math.nan,
    math.inf,
    -math.inf,
    True,
    False,
    None,
    "5",
    [5],
    timedelta(seconds=5),
)
"""What is no number of seconds that can be waited for."""


class FakeClock:
    """Seconds as told; to sleep is to move on."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.reads = 0
        self.slept: list[float] = []

    def __call__(self) -> float:
        self.reads += 1
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on by so many seconds, and remember them."""
        self.slept.append(seconds)
        self.now += seconds


class FakeSource:
    """A source of these outcomes, one a fetch; the last one holds for every further fetch."""

    def __init__(
        self, *outcomes: Outcome, remote: bool = True, identity: str | None = None
    ) -> None:
        self.outcomes = outcomes
        self.remote = remote
        self.identity = identity
        self.fetches = 0
        self.threads: list[threading.Thread] = []
        self.held: list[Catalogue | None] = []
        """What the router held at each fetch."""
        self.deadlines: list[Deadline] = []
        self._lock = threading.Lock()

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """End as told."""
        with self._lock:
            outcome = self.outcomes[min(self.fetches, len(self.outcomes) - 1)]
            self.fetches += 1
            self.threads.append(threading.current_thread())
            self.held.append(held)
            self.deadlines.append(deadline)
        if progress:
            progress(0)
        if isinstance(outcome, BaseException):
            # The same error each time, but not with all of its past.
            raise outcome.with_traceback(None)
        return outcome if isinstance(outcome, Catalogue) else outcome()


class Gate:
    """Holds back what is behind it until it is opened."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self.open = self._opened.set

    def before(self, outcome: Catalogue | BaseException) -> Callable[[], Catalogue]:
        """Return the outcome as one that waits for the gate."""

        def wait() -> Catalogue:
            assert self._opened.wait(PATIENCE), "the gate stayed shut"
            if isinstance(outcome, BaseException):
                # The same error each time, but not with all of its past.
                raise outcome.with_traceback(None)
            return outcome

        return wait


@contextmanager
def gate() -> Iterator[Gate]:
    """Give a gate that opens at the end at the latest, so that no thread is left behind it."""
    held = Gate()
    try:
        yield held
    finally:
        held.open()


@contextmanager
def no_threads() -> Iterator[None]:
    """Let no thread be started: its stack would not fit in memory."""
    before = threading.stack_size(2**46)
    try:
        yield
    finally:
        threading.stack_size(before)


def at_once(call: Callable[[], object], times: int = 50) -> list[object]:
    """Call from so many threads at the same moment, and return what each call returned or raised.

    The threads give way to each other a thousand times as often as they would, so that none is always first.
    """
    barrier = threading.Barrier(times, timeout=PATIENCE)
    answers: list[object] = []

    def work() -> None:
        try:
            barrier.wait()
            answers.append(call())
        except Exception as error:  # noqa: BLE001 - the answer of that thread
            answers.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(times)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 1000)
    try:
        for thread in threads:
            thread.start()
        join(threads)
    finally:
        sys.setswitchinterval(interval)
    return answers


def join(threads: Sequence[threading.Thread]) -> None:
    """Wait until all have ended; those that hang are a failure, and are left behind if they are daemons."""
    ends = time.monotonic() + 2 * PATIENCE
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    hanging = sum(thread.is_alive() for thread in threads)
    assert hanging == 0, f"{hanging} of {len(threads)} threads hang"


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait until it holds, and return whether it came to that."""
    ends = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.001)
    return True


def cpu_stall() -> float:
    """Return for how many seconds in all some process of this machine had no processor to run on; 0 if it is not told.

    Source: "PSI - Pressure Stall Information" of the Linux kernel.
    """
    try:
        with open("/proc/pressure/cpu", encoding="ascii") as file:
            return int(file.readline().rpartition("=")[2]) / 1e6
    except OSError:
        return 0.0


MOST_STALLED: Final = 5.0
"""Seconds of the machine's that excuse a body at the most: whatever waits for a deadline of ours takes longer."""


class Stopwatch:
    """Measures how long the body of a `with` takes, and for how long the machine had too few processors meanwhile."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, stalled: Callable[[], float] = cpu_stall
    ) -> None:
        self._clock, self._stalled = clock, stalled
        self.seconds = self.lost = 0.0

    def __enter__(self) -> Self:
        self._began, self._lost_before = self._clock(), self._stalled()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = self._clock() - self._began
        self.lost = self._stalled() - self._lost_before

    def is_within(self, seconds: float) -> bool:
        """Return whether the body took at most so long, apart from what the machine took."""
        return self.seconds <= seconds + min(self.lost, MOST_STALLED)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Take no more than so many seconds, on a machine that has time for it."""
    with Stopwatch() as watch:
        yield
    assert watch.is_within(seconds), (
        f"took {watch.seconds:.2f} s, not at most {seconds} s ({watch.lost:.2f} s lost)"
    )


def router_of(*outcomes: Any, clock: FakeClock | None = None, **arguments: Any) -> Router:
    """Return a router of a source of these outcomes, whose clock stands still."""
    clock = clock or FakeClock()
    return Router(
        FakeSource(*outcomes), clock=clock, sleep=clock.sleep, random=lambda: 0.0, **arguments
    )
