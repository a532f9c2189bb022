"""Loader: holds the current catalogue, and renews it by one flight at a time.

A refresh is one synchronous fetch in one short-lived daemon thread. Callers wait on its future: threads
with a time-out, async callers without blocking their loop. So sync and async cannot differ, and a
waiter that is cancelled takes nothing with it. Among processes, flights take turns over the store.

What is held is served while it is renewed (RFC 5861, stale-while-revalidate) and while it cannot be
(stale-if-error). The read path takes no lock and reads one monotonic clock.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from router._arguments import check_hook, check_seconds
from router._errors import CatalogueUnavailableError, RouterError
from router._fork import end_thread, renewed_in_child
from router._hooks import contained
from router._log import Log
from router.catalogue._catalogue import Catalogue, CatalogueDiff
from router.models._packaged_facts import PACKAGED
from router.refresh._deadline import Deadline
from router.refresh._flight import GRACE, Flight, import_alone, import_late, in_event_loop, own
from router.refresh._http_errors import REFUSED_TYPES, TOO_MANY_REQUESTS
from router.refresh._listing import Progress
from router.refresh._sources import Source, restored

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from router._status import RouterStatus
    from router.refresh._disk_cache import Store, Stored

log: Final = Log(__package__)

OnRefresh = Callable[[Catalogue | None, Catalogue, CatalogueDiff], object]
OnError = Callable[[CatalogueUnavailableError], object]

Swap = tuple[Catalogue | None, Catalogue]
"""What was held before a load has landed, and what is held then."""

ATTEMPTS: Final = 3
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 8.0
"""Seconds between the attempts of one load, before jitter."""

FIRST_DELAY: Final = 5.0
LONGEST_DELAY: Final = 60.0
REFUSED_DELAY: Final = 300.0
"""Seconds from a failed refresh to the next, before jitter; the last for a credential that was refused."""

WARMING: Final = 0.25
"""Seconds that a load may spend on making a new catalogue ready for the questions asked of the last one."""

WRITING: Final = 1.0
"""Seconds that a load waits for another of this process that is still writing to disk."""

CONFIRMED_AFTER: Final = 1.0
"""Seconds before a listing that has shrunk to less than half is asked for again."""

ALOFT: Final = 4
"""How many flights may hang at once, each in its thread, before no further one is started."""

ROOM: Final = 2**20
"""Bytes that have to be free for a thread to be started."""

_CLOCK_SKEW: Final = 300.0
_REFUSED: Final = frozenset({401, 403})
_FOREVER: Final = float("inf")
_AFTER_OTHERS: Final = 2.0
"""Seconds over which the processes that share a failure spread their next try, before jitter."""

# On Linux the boot-time clock also counts while the machine sleeps; what is served after that must not look fresh.
CLOCK: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)


class _Telling(threading.local):
    """Whether this thread is in a hook that was told of a failure."""

    is_failure = False


_telling = _Telling()


class Loader:
    """The current catalogue of one source.

    `ttl`, `max_stale` and `deadline` are in seconds. `clock` is monotonic, `wall` counts seconds since the
    epoch; clocks, `sleep` and `random` are arguments so that no test waits. `frozen` keeps away from a source that
    waits on a network.
    """

    def __init__(
        self,
        source: Source,
        *,
        ttl: float,
        max_stale: float,
        deadline: float,
        strict: bool,
        frozen: bool = False,
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
            check_seconds(name, seconds)
        check_hook("on_refresh", on_refresh)
        check_hook("on_error", on_error)
        self.source = source
        self._ttl = ttl
        self._max_stale = max_stale
        self._deadline = deadline
        self._strict = strict
        self._frozen = frozen and source.remote
        self._open_store = open_store
        self.clock = clock
        self._wall = wall
        self._sleep = sleep
        self._random = random
        self._progress = progress
        self._on_refresh = on_refresh
        self._on_error = on_error
        self._bundled: Catalogue | None = None
        self.held: Catalogue | None = None
        """The current catalogue: as good as `catalogue()` while `clock()` reads less than `attention`."""
        self._confirmed = 0.0
        """The wall time at which what is held was last known to be true."""
        self._turns = count(1)
        self._turn = 0
        """The number of the load that brought it: one that began earlier may land later."""
        self.attention = 0.0
        """The clock's reading from which on a read has more to do than to return what is held."""
        self._next_try = 0.0
        self._expires = _FOREVER
        self._error: CatalogueUnavailableError | None = None
        self._untold: list[CatalogueUnavailableError] = []
        """Why flights were given up, until there is a thread to call the hook in."""
        self._streak = self._refreshes = self._failures = 0
        self._regressed = self._closed = self._is_too_old = False
        self.start_anew()
        renewed_in_child(self)

    def start_anew(self) -> None:
        """Forget what belongs to threads: also in the child of a fork, where none of them lives on."""
        self._lock = threading.RLock()
        self._writing = threading.RLock()
        self._flight: Flight | None = None
        self._aloft: weakref.WeakSet[Flight] = weakref.WeakSet()
        """Those that still fly; one that an interrupt kept from its thread drops out by itself."""
        self._store: Store | None = None
        self._looked = False

    def catalogue(self) -> Catalogue:
        """Return the current catalogue: once one is held, without waiting, and without raising unless `strict`.

        The first call looks on disk, then waits for the source, at most the deadline, and falls back
        to the bundled catalogue; inside a running event loop it never waits.
        """
        held = self.held
        if held is None:
            return self._first()
        if self.clock() >= self.attention:
            return self._attended(held)
        return held

    def refresh(self) -> Catalogue:
        """Fetch now; raises `CatalogueUnavailableError`, and keeps what is held, if that fails."""
        self._check_thawed()
        return self._waited_for(self._start(asked=True))

    async def arefresh(self) -> Catalogue:
        """Fetch now, without blocking the running event loop of asyncio or trio."""
        self._check_thawed()
        flight = self._start(asked=True)
        await flight.landing(self._patience)
        return self._outcome(flight)

    async def afirst(self) -> None:
        """Wait for the first catalogue, where none is held, without blocking the running event loop."""
        if self._restored() is None and not self._frozen:
            await self._start().landing(self._patience)

    def status(self) -> RouterStatus:
        """Return how things stand; looks on disk where nothing is held, never at the source."""
        from router._status import RouterStatus

        with self._lock:
            held, now = self._restored(), self.clock()
            return RouterStatus(
                source=held.source if held is not None else None,
                as_of=self._as_of(held) if held is not None else None,
                age=self._age(held) if held is not None else None,
                stale=self.is_stale(held),
                regressed=self._regressed,
                quarantined=len(held.quarantined) if held is not None else 0,
                next_refresh=None
                if self._closed or self._next_try == _FOREVER
                else max(0.0, self._next_try - now),
                refreshing=self._flight is not None and not self._flight.has_ended,
                last_error=self._error,
                refreshes=self._refreshes,
                failures=self._failures,
            )

    def is_stale(self, catalogue: Catalogue | None) -> bool:
        """Whether what was served is older than `max_stale`, or stands in for what was never fetched."""
        if catalogue is None or catalogue is self._bundled:
            return True
        return catalogue is self.held and self.clock() >= self._expires

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
        now = self.clock()
        if now >= self._next_try and not self._closed:
            self._start(in_line=False)
        if self._strict and now >= self._expires:
            raise CatalogueUnavailableError(
                f"the catalogue is older than max_stale ({self._max_stale:g} s)"
            ) from self._error
        return held if self.source.remote or self.held is None else self.held

    def _first(self) -> Catalogue:
        if self._restored() is not None:
            return self.catalogue()
        if self._frozen:
            return self._hold_stand_in()
        if self._strict and self._error is not None and self.clock() < self._next_try:
            raise own(self._error)
        waits = not in_event_loop()
        flight = self._start(in_line=waits)
        failure = CatalogueUnavailableError(
            "no catalogue yet: inside an event loop the first is not waited for"
        )
        if flight.has_ended or waits:
            try:
                return self._waited_for(flight)
            except CatalogueUnavailableError as error:
                failure = error
        if self._strict:
            raise failure
        return self.held if self.held is not None else self._stand_in()

    def _check_thawed(self) -> None:
        if self._frozen:
            raise CatalogueUnavailableError("the router is frozen: it never looks at the network")

    def _hold_stand_in(self) -> Catalogue:
        """Return what is held for good, where nothing is kept on disk and nothing may be fetched."""
        if self._strict:
            raise CatalogueUnavailableError("nothing is kept on disk, and the router is frozen")
        with self._lock:
            if self.held is None:
                self.held = self._stand_in()
                self._put_off(_FOREVER)
            return self.held

    def _stand_in(self) -> Catalogue:
        if self._bundled is None:
            try:
                self._bundled = Catalogue.bundled(
                    documented=getattr(self.source, "documented", PACKAGED)
                )
            except (RouterError, OSError, MemoryError) as error:
                raise _unavailable(error) from error
        return self._bundled

    def _waited_for(self, flight: Flight) -> Catalogue:
        with suppress(TimeoutError):
            return flight.result(self._patience)
        return self._outcome(flight)

    def _outcome(self, flight: Flight) -> Catalogue:
        """Return or raise how a flight has ended, or end it that has taken too long."""
        if not flight.has_ended:
            self._give_up(flight, self._missed())
        try:
            return flight.result(GRACE)
        except TimeoutError as error:
            raise self._missed() from error

    def _missed(self) -> CatalogueUnavailableError:
        return Deadline(self._deadline, self.clock).missed()

    # What follows runs once a refresh, not once a read.

    def _restored(self) -> Catalogue | None:
        """Return what is held, from the disk if that was not yet looked at."""
        with self._lock:
            if self.held is None and not self._looked and self.source.remote:
                self._looked = True
                store = self._opened()
                if store is not None:
                    oldest = self._wall() - self._max_stale if self._strict else -_FOREVER
                    self._take_stored(store.read(), next(self._turns), newer_than=oldest)
                    setback = store.read_setback()
                    if setback is not None and self.held is not None:
                        left = self._next_try - self.clock()
                        self._put_off(max(left, min(setback.until - self._wall(), REFUSED_DELAY)))
            return self.held

    def _opened(self) -> Store | None:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _take_stored(
        self, stored: Stored | None, turn: int, *, newer_than: float, not_after: float = _FOREVER
    ) -> Swap | None:
        """Adopt what the disk holds, if it was fetched between those two moments."""
        if stored is None or not newer_than < stored.fetched_at <= not_after:
            return None
        if stored.fetched_at > self._wall() + _CLOCK_SKEW and self.held is not None:
            return None
        try:
            catalogue = restored(stored.entries, stored.fetched_at, stored.validators, self.source)
        except (RouterError, ValueError, OverflowError, OSError):
            return None
        return self._adopt(catalogue, stored.fetched_at, turn)

    def _start(self, *, asked: bool = False, in_line: bool = True) -> Flight:
        """Return the flight under way, or start one; `asked` says that the application asked for it just now.

        It flies in a thread of its own where the source waits on a network. Where no thread can be
        had it flies in line, but not at the cost of a read that has an answer already. One that nobody
        asked for is started only if it is still due: another may just have landed.
        """
        if self.source.remote and in_line and not in_event_loop():
            import_late()
        with self._lock:
            overdue = self._flight if self._flight is not None and self._flight.is_overdue else None
        if overdue is not None:
            self._give_up(overdue, self._missed())
        # A signal's handler may have interrupted this very thread under the lock: what it stopped cannot go on.
        is_handler = in_line and self._lock._is_owned()  # type: ignore[attr-defined]  # noqa: SLF001 - as Condition does
        with self._lock:
            if (
                self._flight is not None
                and not is_handler
                and (
                    not self._flight.has_ended
                    or self._are_too_many_aloft()
                    or (not asked and self.clock() < self._next_try)
                )
            ):
                return self._flight
            deadline = Deadline(self._deadline, self.clock)
            flight = Flight(
                next(self._turns), deadline, asked=asked, is_told=not _telling.is_failure
            )
            self._put_off(self._patience)
            self._aloft.add(flight)
            has_thread = self.source.remote and not is_handler and self._has_taken_off(flight)
            if not is_handler:
                self._flight = flight  # not before: what an interrupt kept from its thread is not to be waited for
        if has_thread:
            return flight
        if self.source.remote and not in_line:
            self._give_up(flight, CatalogueUnavailableError("no thread for a refresh"))
            return flight
        interrupt = self._fly(flight)
        if interrupt is not None:
            raise interrupt
        return flight

    def _are_too_many_aloft(self) -> bool:
        if len(self._aloft) < ALOFT:
            return False
        self._put_off(FIRST_DELAY)
        return True

    def _has_taken_off(self, flight: Flight) -> bool:
        """Give the flight a thread of its own, and return whether one was to be had."""
        try:
            bytes(ROOM)  # a thread that dies of want before it begins would be waited for, for ever
            thread = threading.Thread(target=self._fly_alone, args=(flight,), name="router-refresh")
            with suppress(
                RuntimeError
            ):  # an isolated interpreter allows no daemon threads, and joins plain ones
                thread.daemon = True
            thread.start()
        except (RuntimeError, MemoryError):
            return False
        return True

    def _fly_alone(self, flight: Flight) -> None:
        """Be the flight's thread."""
        try:
            import_alone()
            self._fly(flight)
        finally:
            end_thread()

    def _give_up(self, flight: Flight, error: CatalogueUnavailableError) -> None:
        """Let nobody wait for a flight that hangs; what it brings in the end counts, if nothing newer has come.

        One that hangs on the disk, with its catalogue held already, has landed.
        """
        with self._lock:
            held = self.held if flight.turn == self._turn else None
        if held is not None:
            if flight.claim():
                flight.land(held)
        elif self._fail(flight, error) and flight.is_told:
            self._untold.append(error)

    def _fly(self, flight: Flight) -> BaseException | None:
        """Load, and tell the waiters how it ended; returns what interrupted it, for the thread that was."""
        try:
            before, catalogue = self._landed(flight)
        except BaseException as error:  # noqa: BLE001 - whatever ends a flight, its waiters must hear of it
            failure = error if isinstance(error, CatalogueUnavailableError) else _unavailable(error)
            is_told = self._fail(flight, failure) and flight.is_told
            self._tell_of_untold()
            if is_told:
                self._tell_of(failure)
            return None if isinstance(error, Exception) else error
        if flight.claim():
            flight.land(catalogue)
        self._tell_of_untold()
        self._tell_of_change(before, catalogue)
        return None

    def _landed(self, flight: Flight) -> Swap:
        try:
            return self._loaded(flight)
        finally:
            self._aloft.discard(flight)

    def _fail(self, flight: Flight, error: CatalogueUnavailableError) -> bool:
        """End the flight with an error and put the next one off; returns whether it had not ended before."""
        if not flight.claim():
            return False
        try:
            self._note_failure(flight, error)
        finally:
            flight.fail(error)
        return True

    def _tell_of_untold(self) -> None:
        """Tell why flights before this one were given up: there was no thread to tell it in."""
        with self._lock:
            untold, self._untold = self._untold, []
        for each in untold:
            self._tell_of(each)

    def _tell_of(self, error: CatalogueUnavailableError) -> None:
        if self._on_error is not None:
            # A flight that is asked for meanwhile is not told of, or a hook that asks each time would never end.
            _telling.is_failure = True
            try:
                contained("on_error", partial(self._on_error, error))
            finally:
                _telling.is_failure = False

    def _tell_of_change(self, before: Catalogue | None, catalogue: Catalogue) -> None:
        if catalogue is not before and self._on_refresh is not None:
            diff = (Catalogue(()) if before is None else before).diff(catalogue)
            if diff or before is None:
                contained("on_refresh", partial(self._on_refresh, before, catalogue, diff))

    def _loaded(self, flight: Flight) -> Swap:
        turn, deadline, asked = flight.turn, flight.deadline, flight.asked
        if not self.source.remote:
            return self._adopt(self.source.fetch(deadline, None, self.held), self._wall(), turn)
        store = self._opened()
        if store is None:
            return self._adopt(self._fetched(deadline), self._wall(), turn)
        from router.refresh._disk_cache import LOCK_WAIT

        asked_at = self._wall()
        with store.locked(min(LOCK_WAIT, deadline.remaining())):
            stored = store.read()
            recent = max(self._confirmed, asked_at if asked else asked_at - self._ttl)
            # What claims to come from the future is no answer to who asks for that of now.
            not_after = self._wall() if asked else _FOREVER
            swap = self._take_stored(stored, turn, newer_than=recent, not_after=not_after)
            if swap is not None:
                return swap
            setback = None if asked else store.read_setback()
            if setback is not None:
                left = setback.until - self._wall()
                flight.is_shared, flight.delay = True, left + self._random() * _AFTER_OTHERS
                raise CatalogueUnavailableError(
                    setback.reason,
                    status=setback.status,
                    retry_after=left,
                    retryable=setback.status not in _REFUSED,
                )
            return self._fetched_and_stored(
                flight, store, len(stored.entries) if stored is not None else 0
            )

    def _fetched_and_stored(self, flight: Flight, store: Store, known: int) -> Swap:
        from router.refresh._disk_cache import Setback, Stored

        try:
            fetched = self._fetched(flight.deadline, known)
        except BaseException as error:
            if not flight.has_ended:
                failure = (
                    error if isinstance(error, CatalogueUnavailableError) else _unavailable(error)
                )
                flight.delay = self._delay(failure)
                store.write_setback(
                    Setback(self._wall() + flight.delay, failure.reason[:500], failure.status)
                )
            raise
        now = self._wall()
        swap = self._adopt(fetched, now, flight.turn)
        self._aloft.discard(flight)  # a disk that hangs keeps no other flight from its turn
        if self._writing.acquire(timeout=WRITING):
            try:
                if (
                    flight.turn == self._turn
                ):  # else a later one has landed, and its listing is on disk or about to be
                    store.write(
                        Stored([dict(model.entry) for model in fetched], now, fetched.validators)
                    )
                    store.clear_setback()
            finally:
                self._writing.release()
        return swap

    def _fetched(self, deadline: Deadline, known: int = 0) -> Catalogue:
        """Fetch with retries; a listing that has lost most of its models counts only when a second one agrees.

        It is compared with what is held, else with the `known` number of models that another process has stored.
        """
        held = self.held if self.held is not self._bundled else None
        catalogue = self._tried(deadline, held)
        if len(catalogue) and 2 * len(catalogue) >= (len(held) if held is not None else known):
            return catalogue
        if deadline.left() <= CONFIRMED_AFTER:
            raise CatalogueUnavailableError(
                f"the listing has only {len(catalogue)} models, and no time to ask again"
            )
        self._sleep(CONFIRMED_AFTER)
        if self._tried(deadline, None).digest != catalogue.digest:
            raise CatalogueUnavailableError(
                f"the listing has only {len(catalogue)} models, and the next one differs"
            )
        log.warning("the listing has only %d models now: two answers agree on that", len(catalogue))
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

    def _adopt(self, catalogue: Catalogue, confirmed: float, turn: int) -> Swap:
        """Hold the catalogue of that load, known to be true at the wall time `confirmed`.

        Returns what was held before and what is held then. It is made ready before the lock is taken,
        and for no longer than a moment: what is left is built when it is asked for.
        """
        before = self.held
        if before is not None and before is not catalogue:
            ends = self.clock() + WARMING
            catalogue = catalogue.knowing(before.names).warmed_by(
                before, lambda: self.clock() < ends
            )
        regressed = False
        with self._lock:
            held, now = self.held, self.clock()
            if held is not None and turn < self._turn:
                return held, held  # of a flight that was given up, and landed after a later one
            self._turn = turn
            if held is not None and held is not catalogue:
                catalogue = catalogue.knowing(held.names)
                regressed = held is not self._bundled and _newest(catalogue) < _newest(held)
                self._regressed = regressed
            self._refreshes += 1
            self._is_too_old = False
            self._error = None
            self._streak = 0
            self._confirmed = confirmed
            self.held = catalogue
            if not self.source.remote:
                self._put_off(getattr(self.source, "recheck", _FOREVER))
                return held, catalogue
            age = self._wall() - confirmed
            lifetime = self._ttl * (0.9 + 0.2 * self._random())
            self._expires = now + self._max_stale - max(age, 0.0)
            # A date in the future says that one of the clocks was wrong: such a catalogue is due at once.
            self._put_off(lifetime - age if age > -_CLOCK_SKEW else 0.0)
        if regressed:
            log.warning(
                "the %s catalogue is older than the last one: its newest model is gone",
                catalogue.source,
            )
        return held, catalogue

    def hasten(self) -> None:
        """Have the next read renew the catalogue, since it lists what is gone; at most once a minute."""
        with self._lock:
            if (
                self.held is not None
                and self._error is None
                and self._wall() - self._confirmed >= LONGEST_DELAY
            ):
                self._put_off(0.0)

    def _put_off(self, seconds: float) -> None:
        """Set when a read next has more to do; where nothing may be fetched, never but to see that it is too old."""
        seconds = _FOREVER if self._frozen else seconds
        self._next_try = self.clock() + max(seconds, 0.0)
        self.attention = min(self._next_try, self._expires) if self._strict else self._next_try

    def _delay(self, error: CatalogueUnavailableError) -> float:
        # A 429 that no wait was named for is a limit of the whole organisation: it will not heal in seconds.
        # A 200 that carries an error has no status of its own, only a type.
        is_refused = error.status in _REFUSED or error.error_type in REFUSED_TYPES
        if is_refused or (error.status == TOO_MANY_REQUESTS and not error.retryable):
            longest = REFUSED_DELAY
        else:
            longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._streak, 10))
        return max(longest * (0.8 + 0.2 * self._random()), error.retry_after or 0.0)

    def _note_failure(self, flight: Flight, error: CatalogueUnavailableError) -> None:
        with self._lock:
            delay = self._delay(error) if flight.delay is None else flight.delay
            is_news = self._error is None or self._error.status != error.status
            is_too_old = self.clock() >= self._expires and not self._is_too_old
            self._is_too_old |= is_too_old
            self._failures += 1
            self._streak += not flight.is_shared
            self._error = error
            if self.held is None and not self._strict:
                with suppress(
                    CatalogueUnavailableError
                ):  # not even that can be read: there are no files to be had
                    self.held = self._stand_in()
            self._put_off(delay)
            held = self.held
        source = (
            f"the {held.source} catalogue is used" if held is not None else "there is no catalogue"
        )
        as_of = f" (of {held.as_of:%Y-%m-%d %H:%MZ})" if held is not None and held.as_of else ""
        write = log.warning if is_news else log.debug
        write("the catalogue could not be loaded: %s; %s%s", error, source, as_of)
        if is_too_old:
            log.warning(
                "the catalogue%s is older than max_stale, %g s, and has not been renewed",
                as_of,
                self._max_stale,
            )


def _newest(catalogue: Catalogue) -> datetime:
    return max(
        (model.created_at for model in catalogue if model.created_at),
        default=datetime.min.replace(tzinfo=UTC),
    )


def _unavailable(error: BaseException) -> CatalogueUnavailableError:
    reason = str(error) if isinstance(error, RouterError) else f"{type(error).__name__}: {error}"
    unavailable = CatalogueUnavailableError(reason)
    unavailable.__cause__ = error
    return unavailable
