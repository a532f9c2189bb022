"""Flight: one load under way, and how those who wait for it learn how it ended."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from attrs import define, field

from router._errors import CatalogueUnavailableError, RouterError
from router._fork import end_thread
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._late_imports import import_late

if TYPE_CHECKING:
    from concurrent.futures import Future

GRACE: Final = 0.5
"""Seconds beyond the deadline that a flight has to say how it ended, before it is given up."""

MAX_IN_FLIGHT: Final = 4
"""How many flights may hang at once, each in its thread, before no further one is started."""

ROOM: Final = 2**20
"""Bytes that have to be free for a thread to be started."""


def _running_future() -> Future[Catalogue]:
    from concurrent.futures import Future

    future: Future[Catalogue] = Future()
    # A pending future is cancelled by its waiter; a running one is not.
    future.set_running_or_notify_cancel()
    return future


@define(eq=False)
class Flight:
    """One load: it ends once for its waiters, with a catalogue or an error, and may go on then."""

    turn: int
    """Its number: one that began earlier may land later."""
    deadline: Deadline
    asked: bool
    """Whether the application asked for it just now."""
    calls_hook: bool
    """Whether `on_error` is called if it fails."""
    delay: float | None = None
    """In how many seconds the next one is due, if that was agreed with other processes."""
    is_shared: bool = False
    """Whether it has met the failure of another process, and asked for nothing itself."""
    _claim: threading.Lock = field(init=False, factory=threading.Lock)
    _future: Future[Catalogue] = field(init=False, factory=_running_future)

    @property
    def has_ended(self) -> bool:
        """Whether its waiters know how it ended."""
        return self._future.done()

    @property
    def is_overdue(self) -> bool:
        """Whether it hangs where no deadline can stop it, as in a look-up of a host's name."""
        return not self.has_ended and self.deadline.left() + GRACE <= 0

    @property
    def patience(self) -> float:
        """The seconds that it is waited for, from its beginning."""
        return self.deadline.seconds + GRACE

    def claim(self) -> bool:
        """Claim to be the one who ends it; returns `False` for whoever comes later."""
        return self._claim.acquire(blocking=False)

    def land(self, catalogue: Catalogue) -> None:
        """End with a catalogue; only for who has claimed it."""
        self._future.set_result(catalogue)

    def fail(self, error: CatalogueUnavailableError) -> None:
        """End with an error; only for who has claimed it."""
        self._future.set_exception(error)

    def result(self, seconds: float) -> Catalogue:
        """Return or raise how it ended; raises `TimeoutError` if it has not after those seconds.

        Each waiter gets an error of its own: one that many raise gathers the frames of them all.
        """
        error = self._future.exception(seconds)
        if error is None:
            return self._future.result()
        raise copy_error(error)

    async def landing(self) -> None:
        """Wait until it has ended or is given up; a cancelled waiter takes nothing along."""
        if _in_trio("in_trio_task"):
            trio = sys.modules["trio"]
            landed = trio.Event()
            token = trio.lowlevel.current_trio_token()
            self._future.add_done_callback(lambda _: _tell(token.run_sync_soon, landed.set))
            with trio.move_on_after(self.patience):
                await landed.wait()
            return
        import asyncio

        loop = asyncio.get_running_loop()
        waiter = asyncio.Event()
        self._future.add_done_callback(lambda _: _tell(loop.call_soon_threadsafe, waiter.set))
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                await waiter.wait()


class Flights:
    """The flights of one loader, which holds a lock over each call."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._turns = count(1)
        self.forget()

    def forget(self) -> None:
        """Forget those under way: in the child of a fork none of them lives on."""
        self.current: Flight | None = None
        """The last one that began: it is waited for until it ends."""
        self._in_flight: WeakSet[Flight] = WeakSet()
        """Those that still fly; one that an interrupt kept from its thread drops out by itself."""

    def next_turn(self) -> int:
        """Return the number of the next load."""
        return next(self._turns)

    def begin(self, *, asked: bool, calls_hook: bool) -> Flight:
        """Return a new flight."""
        deadline = Deadline(self._seconds, self._clock)
        flight = Flight(self.next_turn(), deadline, asked=asked, calls_hook=calls_hook)
        self._in_flight.add(flight)
        return flight

    def end(self, flight: Flight) -> None:
        """Count a flight no more: it has ended, or may hang without holding up another one."""
        self._in_flight.discard(flight)

    @property
    def are_too_many(self) -> bool:
        """Whether so many hang that no further one may begin."""
        return len(self._in_flight) >= MAX_IN_FLIGHT


def start_thread(work: Callable[[], object]) -> bool:
    """Do the work in a thread of its own, and return whether one was to be had."""

    def run() -> None:
        try:
            import_late(fork_waits=True)
            work()
        finally:
            end_thread()

    try:
        bytes(ROOM)  # a thread that has no memory to begin would be waited for, for ever
        thread = threading.Thread(target=run, name="router-refresh")
        # An isolated interpreter allows no daemon threads, and joins plain ones.
        with suppress(RuntimeError):
            thread.daemon = True
        thread.start()
    except (RuntimeError, MemoryError):
        return False
    return True


def as_unavailable(error: BaseException) -> CatalogueUnavailableError:
    """Return what ended a flight as the one kind of error that its waiters hear of."""
    if isinstance(error, CatalogueUnavailableError):
        return error
    reason = str(error) if isinstance(error, RouterError) else f"{type(error).__name__}: {error}"
    unavailable = CatalogueUnavailableError(reason)
    unavailable.__cause__ = error
    return unavailable


def copy_error(error: BaseException) -> BaseException:
    """Return the same error for one more to raise."""
    copied = copy(error)
    copied.__cause__ = error.__cause__
    return copied


def in_event_loop() -> bool:
    """Return whether the caller would hold up a running event loop of asyncio or trio."""
    # Another thread may be importing asyncio: it runs no loop until it has all of its functions.
    running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    return (running_loop is not None and running_loop() is not None) or _in_trio("in_trio_run")


def _in_trio(question: str) -> bool:
    """Return what `trio.lowlevel` answers; while another thread imports trio, nothing runs in it."""
    ask = getattr(getattr(sys.modules.get("trio"), "lowlevel", None), question, None)
    return ask is not None and ask()


def _tell(call: Callable[..., Any], done: Callable[[], None]) -> None:
    """Tell a waiting loop from another thread; it may be gone by now."""
    with suppress(RuntimeError):
        call(done)
