"""Loader: holds the current catalogue, and renews it by one flight at a time.

A refresh is one synchronous fetch in one short-lived daemon thread. Callers wait on its future: threads
with a time-out, async callers without blocking their loop. So sync and async cannot differ, and a
waiter that is cancelled takes nothing with it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from router.catalogue import Catalogue
from router.errors import CatalogueUnavailableError, ConfigurationError, RouterError
from router.loading.deadline import Deadline
from router.loading.listing import Progress
from router.loading.sources import Source

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tenacity import RetryCallState

ATTEMPTS: Final = 3
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 8.0
"""Seconds between the attempts of one load, before jitter."""

FIRST_DELAY: Final = 5.0
LONGEST_DELAY: Final = 60.0
REFUSED_DELAY: Final = 300.0
"""Seconds from a failed refresh to the next, before jitter; the last for a credential that was refused."""

GRACE: Final = 0.5
"""Seconds beyond the deadline that a waiter gives a flight to say how it ended."""

_REFUSED: Final = frozenset({401, 403})


class Loader:
    """The current catalogue of one source.

    `ttl` and `deadline` are in seconds. `clock` is monotonic; `clock`, `sleep` and `random` are
    arguments so that no test waits.
    """

    def __init__(
        self,
        source: Source,
        *,
        ttl: float,
        deadline: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
        progress: Progress | None = None,
    ) -> None:
        for name, value in (("ttl", ttl), ("deadline", deadline)):
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"{name} must be a number of seconds above 0 (got {value!r})")
        self.source = source
        self.error: CatalogueUnavailableError | None = None
        """Why the last refresh failed, `None` when it did not."""
        self._ttl = ttl
        self._deadline = deadline
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._progress = progress
        self._lock = threading.RLock()
        self._flight: Future[Catalogue] | None = None
        self._held: Catalogue | None = None
        self._bundled: Catalogue | None = None
        self._due = 0.0
        self._expires = 0.0
        self._failures = 0
        self._closed = False

    def catalogue(self) -> Catalogue:
        """Return the current catalogue: once one is held, without waiting and without raising.

        The first call waits for the first catalogue, at most the deadline, and falls back to the
        bundled one; inside a running event loop it never waits. One that is due is renewed in the
        background.
        """
        held = self._held
        if held is None:
            return self._first()
        if self._clock() >= self._due and not self._closed:
            self._start()
        return held

    def refresh(self) -> Catalogue:
        """Fetch now; raises `CatalogueUnavailableError`, and keeps what is held, if that fails."""
        return self._waited_for(self._start())

    async def arefresh(self) -> Catalogue:
        """Fetch now, without blocking the running event loop of asyncio or trio."""
        flight = self._start()
        if not await _landed(flight, self._deadline + GRACE):
            raise self._missed()
        return flight.result()

    async def afirst(self) -> None:
        """Wait for the first catalogue, where none is held, without blocking the running event loop."""
        if self._held is None:
            await _landed(self._start(), self._deadline + GRACE)

    @property
    def stale(self) -> bool:
        """Whether the catalogue held is older than `ttl` allows, or stands in for one that could not be fetched."""
        return self._held is None or self.error is not None or self._clock() >= self._expires

    def close(self) -> None:
        """Stop renewing; what is held goes on being served."""
        self._closed = True

    def _first(self) -> Catalogue:
        flight = self._start()
        if flight.done() or not _in_event_loop():
            with suppress(CatalogueUnavailableError):
                return self._waited_for(flight)
        return self._held or self._stand_in()

    def _stand_in(self) -> Catalogue:
        if self._bundled is None:
            self._bundled = Catalogue.bundled()
        return self._bundled

    def _waited_for(self, flight: Future[Catalogue]) -> Catalogue:
        try:
            return flight.result(self._deadline + GRACE)
        except TimeoutError as error:
            raise self._missed() from error

    def _missed(self) -> CatalogueUnavailableError:
        return Deadline(self._deadline, self._clock).missed()

    def _start(self) -> Future[Catalogue]:
        """Return the flight under way, or start one: in a thread where it waits on a network and one can be had."""
        from concurrent.futures import Future

        with self._lock:
            if self._flight is not None and not self._flight.done():
                return self._flight
            flight = self._flight = Future()
            # A pending future is cancelled by its waiter; a running one is not.
            flight.set_running_or_notify_cancel()
        if not self.source.remote:
            self._fly(flight)
            return flight
        try:
            threading.Thread(target=self._fly, args=(flight,), name="router-refresh", daemon=True).start()
        except RuntimeError:
            self._fly(flight)
        return flight

    def _fly(self, flight: Future[Catalogue]) -> None:
        try:
            catalogue = self._adopted(self._loaded())
        except BaseException as error:  # noqa: BLE001 - whatever ends a flight, its waiters must hear of it
            failure = error if isinstance(error, CatalogueUnavailableError) else _unavailable(error)
            try:
                self._failed(failure)
            finally:
                flight.set_exception(failure)
        else:
            flight.set_result(catalogue)

    def _loaded(self) -> Catalogue:
        deadline = Deadline(self._deadline, self._clock)
        if not self.source.remote:
            return self.source.fetch(deadline, self._progress)
        import tenacity

        def is_last(state: RetryCallState) -> bool:
            return state.attempt_number >= ATTEMPTS or state.upcoming_sleep >= deadline.left()

        retrying = tenacity.Retrying(
            stop=is_last,
            wait=self._wait,
            retry=tenacity.retry_if_exception(lambda error: getattr(error, "retryable", False)),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self.source.fetch, deadline, self._progress)

    def _wait(self, state: RetryCallState) -> float:
        """Return full jitter under a doubling bound, or what the server asked for and a little more."""
        error = state.outcome.exception() if state.outcome else None
        asked: float | None = getattr(error, "retry_after", None)
        if asked is not None:
            return asked + self._random() * FIRST_WAIT
        return self._random() * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (state.attempt_number - 1))

    def _adopted(self, catalogue: Catalogue) -> Catalogue:
        with self._lock:
            if self._held is not None:
                catalogue = catalogue.knowing(self._held.names)
            now = self._clock()
            self.error = None
            self._failures = 0
            self._expires = now + self._ttl if self.source.remote else float("inf")
            self._due = now + self._ttl * (0.9 + 0.2 * self._random()) if self.source.remote else float("inf")
            self._held = catalogue
        return catalogue

    def _failed(self, error: CatalogueUnavailableError) -> None:
        from logging import getLogger

        with self._lock:
            longest = REFUSED_DELAY if error.status in _REFUSED else LONGEST_DELAY
            first = REFUSED_DELAY if error.status in _REFUSED else FIRST_DELAY * 2.0 ** min(self._failures, 10)
            delay = min(longest, first) * (0.5 + 0.5 * self._random())
            self._due = self._clock() + max(delay, error.retry_after or 0.0)
            self._failures += 1
            self.error = error
            if self._held is None:
                self._held = self._stand_in()
            held = self._held
        as_of = f" of {held.as_of:%Y-%m-%d %H:%MZ}" if held.as_of else ""
        getLogger("router").warning(
            "the catalogue could not be loaded: %s; the %s catalogue%s is used", error, held.source, as_of
        )


def _unavailable(error: BaseException) -> CatalogueUnavailableError:
    reason = str(error) if isinstance(error, RouterError) else f"{type(error).__name__}: {error}"
    unavailable = CatalogueUnavailableError(reason)
    unavailable.__cause__ = error
    return unavailable


def _in_event_loop() -> bool:
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    return bool(
        (asyncio and asyncio._get_running_loop() is not None)  # noqa: SLF001 - the documented one raises, which is slow
        or (trio and trio.lowlevel.in_trio_run())
    )


async def _landed(flight: Future[Catalogue], seconds: float) -> bool:
    """Wait until the flight has ended or the seconds have passed, and say which; cancelled, it takes nothing along."""
    trio = sys.modules.get("trio")
    if trio and trio.lowlevel.in_trio_task():
        landed = trio.Event()
        token = trio.lowlevel.current_trio_token()
        flight.add_done_callback(lambda _: _told(token.run_sync_soon, landed.set))
        with trio.move_on_after(seconds):
            await landed.wait()
        return flight.done()
    import asyncio

    loop = asyncio.get_running_loop()
    waiter = asyncio.Event()
    flight.add_done_callback(lambda _: _told(loop.call_soon_threadsafe, waiter.set))
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waiter.wait()
    return flight.done()


def _told(tell: Callable[..., object], done: Callable[[], None]) -> None:
    """Tell a waiting loop from another thread; it may be gone by now."""
    with suppress(RuntimeError):
        tell(done)
