"""Loader: holds the current catalogue, and renews it by one flight at a time.

A refresh is one synchronous fetch in one short-lived daemon thread. Callers wait on its future: threads
with a time-out, async callers without blocking their loop. So sync and async cannot differ, and a
waiter that is cancelled takes nothing with it. Among processes, flights take turns over the store.

What is held is served while it is renewed (RFC 5861, stale-while-revalidate) and while it cannot be
(stale-if-error). The read path takes no lock and reads one monotonic clock.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack, suppress
from copy import copy
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from router.catalogue import Catalogue, CatalogueDiff
from router.documented import PACKAGED
from router.errors import CatalogueUnavailableError, ConfigurationError, RouterError
from router.loading.deadline import Deadline
from router.loading.listing import Progress
from router.loading.sources import Source, restored

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tenacity import RetryCallState

    from router.loading.store import Store

OnRefresh = Callable[[Catalogue | None, Catalogue, CatalogueDiff], object]
OnError = Callable[[CatalogueUnavailableError], object]

ATTEMPTS: Final = 3
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 8.0
"""Seconds between the attempts of one load, before jitter."""

FIRST_DELAY: Final = 5.0
LONGEST_DELAY: Final = 60.0
REFUSED_DELAY: Final = 300.0
"""Seconds from a failed refresh to the next, before jitter; the last for a credential that was refused."""

CONFIRMED_AFTER: Final = 1.0
"""Seconds before a listing that has shrunk to less than half is asked for again."""

GRACE: Final = 0.5
"""Seconds beyond the deadline that a waiter gives a flight to say how it ended."""

_CLOCK_SKEW: Final = 300.0
_REFUSED: Final = frozenset({401, 403})
_TOO_MANY_REQUESTS: Final = 429
_FOREVER: Final = float("inf")

# On Linux the boot-time clock also counts while the machine sleeps; what is served after that must not look fresh.
CLOCK: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)

_LATE: Final = (
    "concurrent.futures",
    "tempfile",
    "platformdirs",
    "tenacity",
    "router.loading.store",
    "router.loading.wire",
    "httpcore",
    "certifi",
    "encodings.idna",
)
"""What a flight imports, and what that imports at its first use.

Its caller imports it, not its thread: a fork leaves a child that can never finish an import of another thread.
"""

_loaders: weakref.WeakSet[Loader] = weakref.WeakSet()


@frozen
class RouterStatus:
    """How things stand with a router's catalogue; ages and delays are in seconds."""

    source: str | None
    """Where the catalogue held came from, `None` before the first."""
    as_of: datetime | None
    """When it was last known to be true."""
    age: float | None
    stale: bool
    """Whether it is older than `max_stale`, or stands in for one that was never fetched."""
    regressed: bool
    """Whether its newest model is older than the newest of the catalogue before it."""
    quarantined: int
    """How many entries of the listing could not be read."""
    next_refresh: float | None
    """In how many seconds the next refresh is due, `None` where there is none."""
    refreshing: bool
    last_error: CatalogueUnavailableError | None
    """Why the last refresh failed, `None` when it did not."""
    refreshes: int
    failures: int


class Loader:
    """The current catalogue of one source.

    `ttl`, `max_stale` and `deadline` are in seconds. `clock` is monotonic, `wall` counts seconds since the
    epoch; clocks, `sleep` and `random` are arguments so that no test waits.
    """

    def __init__(
        self,
        source: Source,
        *,
        ttl: float,
        max_stale: float,
        deadline: float,
        strict: bool,
        open_store: Callable[[], Store | None],
        clock: Callable[[], float],
        wall: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
        progress: Progress | None = None,
        on_refresh: OnRefresh | None = None,
        on_error: OnError | None = None,
    ) -> None:
        for name, seconds in (("ttl", ttl), ("max_stale", max_stale), ("deadline", deadline)):
            if not 0 < seconds < _FOREVER:
                raise ConfigurationError(f"{name} must be a number of seconds above 0 (got {seconds!r})")
        self.source = source
        self._ttl = ttl
        self._max_stale = max_stale
        self._deadline = deadline
        self._strict = strict
        self._open_store = open_store
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._random = random
        self._progress = progress
        self._on_refresh = on_refresh
        self._on_error = on_error
        self._bundled: Catalogue | None = None
        self._held: Catalogue | None = None
        self._confirmed = 0.0
        """The wall time at which what is held was last known to be true."""
        self._turns = count(1)
        self._turn = 0
        """The number of the load that brought it: one that began earlier may land later."""
        self._attention = 0.0
        """The clock's reading from which on a read has more to do than to return what is held."""
        self._next_try = 0.0
        self._expires = _FOREVER
        self._error: CatalogueUnavailableError | None = None
        self._streak = self._refreshes = self._failures = 0
        self._regressed = self._closed = False
        self._started_anew()
        _loaders.add(self)

    def _started_anew(self) -> None:
        """Forget what belongs to threads: also in the child of a fork, where none of them lives on."""
        self._lock = threading.RLock()
        self._flight: Future[Catalogue] | None = None
        self._store: Store | None = None
        self._looked = False

    def catalogue(self) -> Catalogue:
        """Return the current catalogue: once one is held, without waiting, and without raising unless `strict`.

        The first call looks on disk, then waits for the source, at most the deadline, and falls back
        to the bundled catalogue; inside a running event loop it never waits.
        """
        held = self._held
        if held is None:
            return self._first()
        if self._clock() >= self._attention:
            return self._attended(held)
        return held

    def refresh(self) -> Catalogue:
        """Fetch now; raises `CatalogueUnavailableError`, and keeps what is held, if that fails."""
        return self._waited_for(self._start(asked=True))

    async def arefresh(self) -> Catalogue:
        """Fetch now, without blocking the running event loop of asyncio or trio."""
        flight = self._start(asked=True)
        if not await _landed(flight, self._patience):
            raise self._missed()
        return _result(flight, 0)

    async def afirst(self) -> None:
        """Wait for the first catalogue, where none is held, without blocking the running event loop."""
        if self._restored() is None:
            await _landed(self._start(), self._patience)

    def status(self) -> RouterStatus:
        """Return how things stand; looks on disk where nothing is held, never at the source."""
        with self._lock:
            held, now = self._restored(), self._clock()
            return RouterStatus(
                source=held.source if held is not None else None,
                as_of=self._as_of(held) if held is not None else None,
                age=self._age(held) if held is not None else None,
                stale=self.stale,
                regressed=self._regressed,
                quarantined=len(held.quarantined) if held is not None else 0,
                next_refresh=None if self._closed or self._next_try == _FOREVER else max(0.0, self._next_try - now),
                refreshing=self._flight is not None and not self._flight.done(),
                last_error=self._error,
                refreshes=self._refreshes,
                failures=self._failures,
            )

    @property
    def stale(self) -> bool:
        """Whether what is served is older than `max_stale`, or stands in for what was never fetched."""
        return self._held is None or self._held is self._bundled or self._clock() >= self._expires

    def close(self) -> None:
        """Stop renewing; what is held goes on being served."""
        self._closed = True

    @property
    def _patience(self) -> float:
        return self._deadline + GRACE

    def _as_of(self, held: Catalogue) -> datetime | None:
        with suppress(OverflowError, ValueError, OSError):
            if self.source.remote and held is not self._bundled:
                return datetime.fromtimestamp(self._confirmed, UTC)
        return held.as_of

    def _age(self, held: Catalogue) -> float | None:
        as_of = self._as_of(held)
        return max(0.0, self._wall() - as_of.timestamp()) if as_of else None

    def _attended(self, held: Catalogue) -> Catalogue:
        """Renew what is held if it is due: in the background, but a local source is read at once."""
        now = self._clock()
        if now >= self._next_try and not self._closed:
            self._start(in_line=False)
        if self._strict and now >= self._expires:
            raise CatalogueUnavailableError(
                f"the catalogue is older than max_stale ({self._max_stale:g} s)"
            ) from self._error
        return held if self.source.remote or self._held is None else self._held

    def _first(self) -> Catalogue:
        if self._restored() is not None:
            return self.catalogue()
        if self._strict and self._error is not None and self._clock() < self._next_try:
            raise _own(self._error)
        flight = self._start()
        failure = CatalogueUnavailableError("no catalogue yet: inside an event loop the first is not waited for")
        if flight.done() or not _in_event_loop():
            try:
                return self._waited_for(flight)
            except CatalogueUnavailableError as error:
                failure = error
            with self._lock:
                if not flight.done() and self._flight is flight:
                    # It hangs where it cannot be stopped: let no later call wait for it too.
                    self._flight = None
                    self._note_failure(failure)
        if self._strict:
            raise failure
        return self._held if self._held is not None else self._stand_in()

    def _stand_in(self) -> Catalogue:
        if self._bundled is None:
            try:
                self._bundled = Catalogue.bundled(documented=getattr(self.source, "documented", PACKAGED))
            except (OSError, MemoryError) as error:
                raise _unavailable(error) from error
        return self._bundled

    def _waited_for(self, flight: Future[Catalogue]) -> Catalogue:
        try:
            return _result(flight, self._patience)
        except TimeoutError as error:
            raise self._missed() from error

    def _missed(self) -> CatalogueUnavailableError:
        return Deadline(self._deadline, self._clock).missed()

    # What follows runs once a refresh, not once a read.

    def _restored(self) -> Catalogue | None:
        """Return what is held, from the disk if that was not yet looked at."""
        with self._lock:
            if self._held is None and not self._looked and self.source.remote:
                self._looked = True
                store = self._opened()
                if store is not None:
                    oldest = self._wall() - self._max_stale if self._strict else -_FOREVER
                    self._take_stored(store, next(self._turns), newer_than=oldest)
                    setback = store.read_setback()
                    if setback is not None and self._held is not None:
                        left = self._next_try - self._clock()
                        self._put_off(max(left, min(setback.until - self._wall(), REFUSED_DELAY)))
            return self._held

    def _opened(self) -> Store | None:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _take_stored(self, store: Store, turn: int, *, newer_than: float) -> Catalogue | None:
        """Adopt what the disk holds, if it is newer than that."""
        stored = store.read()
        if stored is None or stored.fetched_at <= newer_than:
            return None
        if stored.fetched_at > self._wall() + _CLOCK_SKEW and self._held is not None:
            return None
        try:
            catalogue = restored(stored.entries, stored.fetched_at, stored.validators, self.source)
        except (RouterError, ValueError, OverflowError, OSError):
            return None
        return self._adopt(catalogue, stored.fetched_at, turn)

    def _start(self, *, asked: bool = False, in_line: bool = True) -> Future[Catalogue]:
        """Return the flight under way, or start one; `asked` says that the application asked for it just now.

        It flies in a thread of its own where the source waits on a network. Where no thread can be
        had it flies in line, but not at the cost of a read that has an answer already. One that nobody
        asked for is started only if it is still due: another may just have landed.
        """
        if self.source.remote:
            _import_late()
        from concurrent.futures import Future

        with self._lock:
            if self._flight is not None and (not self._flight.done() or (not asked and self._clock() < self._next_try)):
                return self._flight
            flight = self._flight = Future()
            # A pending future is cancelled by its waiter; a running one is not.
            flight.set_running_or_notify_cancel()
            self._put_off(self._patience)
        if self.source.remote:
            try:
                threading.Thread(target=self._fly, args=(flight, asked), name="router-refresh", daemon=True).start()
            except RuntimeError as error:
                if not in_line:
                    self._fail(flight, CatalogueUnavailableError(f"no thread for a refresh: {error}"))
                    return flight
            else:
                return flight
        interrupt = self._fly(flight, asked)
        if interrupt is not None:
            raise interrupt
        return flight

    def _fly(self, flight: Future[Catalogue], asked: bool) -> BaseException | None:
        """Load, and tell the waiters how it ended; returns what interrupted it, for the thread that was."""
        before = self._held
        try:
            catalogue = self._loaded(asked)
        except BaseException as error:  # noqa: BLE001 - whatever ends a flight, its waiters must hear of it
            self._fail(flight, error if isinstance(error, CatalogueUnavailableError) else _unavailable(error))
            return None if isinstance(error, Exception) else error
        else:
            flight.set_result(catalogue)
            if catalogue is not before and self._on_refresh is not None:
                diff = (Catalogue(()) if before is None else before).diff(catalogue)
                _contained("on_refresh", partial(self._on_refresh, before, catalogue, diff))
            return None

    def _fail(self, flight: Future[Catalogue], error: CatalogueUnavailableError) -> None:
        try:
            self._note_failure(error)
        finally:
            flight.set_exception(error)
        if self._on_error is not None:
            _contained("on_error", partial(self._on_error, error))

    def _loaded(self, asked: bool) -> Catalogue:
        turn, deadline = next(self._turns), Deadline(self._deadline, self._clock)
        if not self.source.remote:
            return self._adopt(self.source.fetch(deadline, None, self._held), self._wall(), turn)
        store = self._opened()
        if store is None:
            return self._adopt(self._fetched(deadline), self._wall(), turn)
        asked_at = self._wall()
        with ExitStack() as stack:
            stack.enter_context(store.locked(min(2.0, deadline.remaining())))
            recent = max(self._confirmed, asked_at if asked else asked_at - self._ttl)
            catalogue = self._take_stored(store, turn, newer_than=recent)
            if catalogue is not None:
                return catalogue
            setback = None if asked else store.read_setback()
            if setback is not None:
                raise CatalogueUnavailableError(
                    setback.reason,
                    status=setback.status,
                    retry_after=setback.until - self._wall(),
                    retryable=setback.status not in _REFUSED,
                )
            return self._fetched_and_stored(deadline, store, turn)

    def _fetched_and_stored(self, deadline: Deadline, store: Store, turn: int) -> Catalogue:
        from router.loading.store import Setback, Stored

        try:
            catalogue = self._fetched(deadline)
        except BaseException as error:
            failure = error if isinstance(error, CatalogueUnavailableError) else _unavailable(error)
            store.write_setback(Setback(self._wall() + self._delay(failure), failure.reason[:500], failure.status))
            raise
        now = self._wall()
        store.write(Stored([dict(model.entry) for model in catalogue], now, catalogue.validators))
        store.clear_setback()
        return self._adopt(catalogue, now, turn)

    def _fetched(self, deadline: Deadline) -> Catalogue:
        """Fetch with retries; a listing that has lost most of its models counts only when a second one agrees."""
        held = self._held if self._held is not self._bundled else None
        catalogue = self._tried(deadline, held)
        if len(catalogue) and (held is None or 2 * len(catalogue) >= len(held)):
            return catalogue
        if deadline.left() <= CONFIRMED_AFTER:
            raise CatalogueUnavailableError(f"the listing has only {len(catalogue)} models, and no time to ask again")
        self._sleep(CONFIRMED_AFTER)
        if self._tried(deadline, None).digest != catalogue.digest:
            raise CatalogueUnavailableError(f"the listing has only {len(catalogue)} models, and the next one differs")
        return catalogue

    def _tried(self, deadline: Deadline, held: Catalogue | None) -> Catalogue:
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
        return retrying(self.source.fetch, deadline, self._progress, held)

    def _wait(self, state: RetryCallState) -> float:
        """Return full jitter under a doubling bound, or what the server asked for and a little more."""
        error = state.outcome.exception() if state.outcome else None
        asked: float | None = getattr(error, "retry_after", None)
        if asked is not None:
            return asked + self._random() * FIRST_WAIT
        return self._random() * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (state.attempt_number - 1))

    def _adopt(self, catalogue: Catalogue, confirmed: float, turn: int) -> Catalogue:
        """Hold the catalogue of that load, known to be true at the wall time `confirmed`."""
        with self._lock:
            held, now = self._held, self._clock()
            if held is not None and turn < self._turn:
                return held  # of a flight that was given up, and landed after a later one
            self._turn = turn
            if held is not None and held is not catalogue:
                catalogue = catalogue.knowing(held.names)
                self._regressed = held is not self._bundled and _newest(catalogue) < _newest(held)
            self._refreshes += 1
            self._error = None
            self._streak = 0
            self._confirmed = confirmed
            self._held = catalogue
            if not self.source.remote:
                self._put_off(getattr(self.source, "recheck", _FOREVER))
                return catalogue
            age = self._wall() - confirmed
            lifetime = self._ttl * (0.9 + 0.2 * self._random())
            self._expires = now + self._max_stale - max(age, 0.0)
            # A date in the future says that one of the clocks was wrong: such a catalogue is due at once.
            self._put_off(lifetime - age if age > -_CLOCK_SKEW else 0.0)
        return catalogue

    def _put_off(self, seconds: float) -> None:
        """Set when a read next has more to do."""
        self._next_try = self._clock() + max(seconds, 0.0)
        self._attention = min(self._next_try, self._expires) if self._strict else self._next_try

    def _delay(self, error: CatalogueUnavailableError) -> float:
        # A 429 that no wait was named for is a limit of the whole organisation: it will not heal in seconds.
        if error.status in _REFUSED or (error.status == _TOO_MANY_REQUESTS and not error.retryable):
            longest = REFUSED_DELAY
        else:
            longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._streak, 10))
        return max(longest * (0.8 + 0.2 * self._random()), error.retry_after or 0.0)

    def _note_failure(self, error: CatalogueUnavailableError) -> None:
        with self._lock:
            delay = self._delay(error)
            is_news = self._error is None or self._error.status != error.status
            self._failures += 1
            self._streak += 1
            self._error = error
            if self._held is None and not self._strict:
                with suppress(CatalogueUnavailableError):  # not even that can be read: there are no files to be had
                    self._held = self._stand_in()
            self._put_off(delay)
            held = self._held
        source = f"the {held.source} catalogue is used" if held is not None else "there is no catalogue"
        as_of = f" (of {held.as_of:%Y-%m-%d %H:%MZ})" if held is not None and held.as_of else ""
        level = "warning" if is_news else "debug"
        _log(level, "the catalogue could not be loaded: %s; %s%s", error, source, as_of)


def _newest(catalogue: Catalogue) -> datetime:
    return max((model.created_at for model in catalogue if model.created_at), default=datetime.min.replace(tzinfo=UTC))


def _unavailable(error: BaseException) -> CatalogueUnavailableError:
    reason = str(error) if isinstance(error, RouterError) else f"{type(error).__name__}: {error}"
    unavailable = CatalogueUnavailableError(reason)
    unavailable.__cause__ = error
    return unavailable


def _result(flight: Future[Catalogue], seconds: float) -> Catalogue:
    """Return or raise how the flight ended, waiting that long for it; raises `TimeoutError` where it has not.

    Each waiter gets an error of its own: one that many raise gathers the frames of them all.
    """
    error = flight.exception(seconds)
    if error is None:
        return flight.result()
    raise _own(error)


def _own(error: BaseException) -> BaseException:
    own = copy(error)
    own.__cause__ = error.__cause__
    return own


def _contained(name: str, hook: Callable[[], object]) -> None:
    """Call a hook of the application's; what it raises is its own affair, and is logged."""
    try:
        hook()
    except Exception:  # noqa: BLE001 - whatever it is, it is not ours
        _log("exception", "the hook %s failed", name)


def _log(level: str, message: str, *arguments: object) -> None:
    """Log; a handler of the application's that raises must not end a flight."""
    from logging import getLogger

    with suppress(Exception):
        getattr(getLogger("router"), level)(message, *arguments)


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


def _told(tell: Callable[..., Any], done: Callable[[], None]) -> None:
    """Tell a waiting loop from another thread; it may be gone by now."""
    with suppress(RuntimeError):
        tell(done)


def _import_late() -> None:
    for name in _LATE:
        with suppress(Exception):  # who needs it will say so
            import_module(name)


def _in_child() -> None:
    for loader in list(_loaders):
        loader._started_anew()  # noqa: SLF001 - of this room


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
