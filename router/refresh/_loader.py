"""Loader: holds the current catalogue, and renews it by one flight at a time.

A refresh is one synchronous fetch in one short-lived daemon thread. Callers wait on its future:
threads with a time-out, async callers without blocking their loop. So sync and async cannot differ,
and a cancelled waiter cancels nothing. Among processes, flights take turns over the disk.

What is held is served while it is renewed (RFC 5861, stale-while-revalidate) and while it cannot be
(stale-if-error). The read path takes no lock and reads one monotonic clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from router._arguments import check_seconds
from router._errors import CatalogueUnavailableError, RouterError
from router._fork import register_fork_reset
from router.catalogue._catalogue import Catalogue
from router.models._packaged_facts import PACKAGED
from router.refresh._fetcher import Fetcher, is_older, log_regression
from router.refresh._flight import (
    GRACE,
    Flight,
    Flights,
    as_unavailable,
    copy_error,
    in_event_loop,
    start_thread,
)
from router.refresh._freshness import (
    AFTER_OTHERS,
    CLOCK_SKEW,
    FIRST_DELAY,
    FOREVER,
    Freshness,
    Limits,
)
from router.refresh._late_imports import import_late
from router.refresh._listing import Progress
from router.refresh._notifier import Notifier, OnError, OnRefresh, in_error_hook, log_failure
from router.refresh._shared_cache import SharedCache
from router.refresh._sources import Source

if TYPE_CHECKING:
    from router._status import RouterStatus
    from router.refresh._disk_cache import Store

Swap = tuple[Catalogue | None, Catalogue]
"""What was held before a load has landed, and what is held then."""

WARMING: Final = 0.25
"""Seconds that a load may spend on preparing a catalogue for the questions asked of the last one."""


class Loader:
    """The current catalogue of one source.

    `ttl`, `max_stale` and `deadline` are in seconds. `clock` is monotonic, `wall` is in seconds since
    the epoch; clocks, `sleep` and `random` are arguments so that no test waits. `frozen` never asks a
    source that waits on a network.
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
        on_load: Callable[[Catalogue], object] = lambda _: None,
    ) -> None:
        for name, seconds in (("ttl", ttl), ("max_stale", max_stale), ("deadline", deadline)):
            check_seconds(name, seconds)
        self._notifier = Notifier(on_refresh, on_error, on_load)
        self.source = source
        self.clock = clock
        self._wall = wall
        self._random = random
        self._fetcher = Fetcher(source, sleep, random, progress)
        self._disk = SharedCache(source, open_store, wall)
        self._flights = Flights(deadline, clock)
        self.stand_in: Catalogue | None = None
        """The bundled catalogue, if it had to answer in the place of one of the source."""
        self._closed = False
        self.held: Catalogue | None = None
        """The current catalogue: the same as `catalogue()` while `clock()` is below `next_check_at`."""
        self.next_check_at = 0.0
        if source.remote:
            self._limits = Limits(
                ttl=ttl, max_stale=max_stale, spread=0.1, strict=strict, frozen=frozen
            )
        else:
            self._limits = Limits(ttl=getattr(source, "recheck", FOREVER), strict=strict)
        self._freshness = Freshness(limits=self._limits)
        self.reset_after_fork()
        register_fork_reset(self)

    def reset_after_fork(self) -> None:
        """Forget what belongs to threads: also in the child of a fork, which has none of them."""
        self._lock = threading.RLock()
        self._flights.forget()

    def catalogue(self) -> Catalogue:
        """Return the current catalogue; once one is held, it neither waits nor raises unless `strict`.

        The first call looks on disk, then waits for the source, at most the deadline, and falls back
        to the bundled catalogue; inside a running event loop it never waits.
        """
        held = self.held
        if held is None:
            return self._first()
        return self._checked(held) if self.clock() >= self.next_check_at else held

    def refresh(self) -> Catalogue:
        """Fetch now; raises `CatalogueUnavailableError`, and keeps what is held, if that fails."""
        flight = self._start(asked=True)
        return self._outcome(flight, flight.patience)

    async def arefresh(self) -> Catalogue:
        """Fetch now, without blocking the running event loop of asyncio or trio."""
        flight = self._start(asked=True)
        await flight.landing()
        return self._outcome(flight)

    async def afirst(self) -> None:
        """Wait for the first catalogue, if none is held, without blocking the event loop."""
        if self._restored() is None and not self._limits.frozen:
            await self._start().landing()

    def request_refresh(self) -> None:
        """Let the next read renew the catalogue, which lists a model that is gone."""
        with self._lock:
            self._set(self._freshness.request(self.clock(), self._wall()))

    def close(self) -> None:
        """Stop renewing; what is held goes on being served."""
        self._closed = True

    def is_stale(self, catalogue: Catalogue | None) -> bool:
        """Return whether a catalogue is older than `max_stale`, or stands in for a first one."""
        stands_in = catalogue is None or catalogue is self.stand_in
        return stands_in or (catalogue is self.held and self._freshness.is_stale(self.clock()))

    def status(self) -> RouterStatus:
        """Return the state of the catalogue; this may read the disk, and never the source."""
        from router._status import RouterStatus

        with self._lock:
            held, freshness, flight = self._restored(), self._freshness, self._flights.current
            as_of = self._as_of(held) if held is not None else None
            is_renewed = not self._closed and freshness.due_at != FOREVER
            return RouterStatus(
                source=held.source if held is not None else None,
                as_of=as_of,
                age=max(0.0, self._wall() - as_of.timestamp()) if as_of else None,
                stale=self.is_stale(held),
                regressed=freshness.is_regressed,
                quarantined=len(held.quarantined) if held is not None else 0,
                next_refresh=max(0.0, freshness.due_at - self.clock()) if is_renewed else None,
                refreshing=flight is not None and not flight.has_ended,
                last_error=freshness.error,
                refreshes=freshness.successes,
                failures=freshness.failures,
            )

    def _as_of(self, held: Catalogue) -> datetime | None:
        with suppress(OverflowError, ValueError, OSError):
            if self.source.remote and held is not self.stand_in:
                return datetime.fromtimestamp(self._freshness.confirmed_at, UTC)
        return held.as_of

    def _set(self, freshness: Freshness) -> None:
        """Go on from an event; the caller holds the lock."""
        self._freshness = freshness
        self.next_check_at = freshness.next_check_at

    def _checked(self, held: Catalogue) -> Catalogue:
        """Renew what is held if it is due: in the background, but a local source at once."""
        now = self.clock()
        if self._freshness.is_due(now) and not self._closed:
            self._start(in_line=False)
        if self._limits.strict and self._freshness.is_stale(now):
            raise CatalogueUnavailableError(
                f"the catalogue is older than max_stale ({self._limits.max_stale:g} s)"
            ) from self._freshness.error
        return held if self.source.remote or self.held is None else self.held

    def _first(self) -> Catalogue:
        if self._restored() is not None:
            return self.catalogue()
        if self._limits.frozen:
            return self._hold_stand_in()
        strict, last = self._limits.strict, self._freshness.error
        if strict and last is not None and not self._freshness.is_due(self.clock()):
            raise copy_error(last)
        waits = not in_event_loop()
        flight = self._start(in_line=waits)
        failure = CatalogueUnavailableError(
            "no catalogue yet: in an event loop, wait for the first one with `async with` or `ready()`"
        )
        if flight.has_ended or waits:
            try:
                return self._outcome(flight, flight.patience)
            except CatalogueUnavailableError as error:
                failure = error
        if strict:
            raise failure
        held = self.held
        return held if held is not None else self._notifier.warn_of_stand_in(self._stand_in())

    def _hold_stand_in(self) -> Catalogue:
        """Hold the stand-in for good, if nothing is on disk and nothing may be fetched."""
        if self._limits.strict:
            raise CatalogueUnavailableError("nothing is kept on disk, and the router is frozen")
        with self._lock:
            if self.held is None:
                self.held = self._stand_in()
                self._set(self._freshness.postpone(self.clock(), 0.0))
            return self.held

    def _stand_in(self) -> Catalogue:
        if self.stand_in is None:
            documented = getattr(self.source, "documented", PACKAGED)
            try:
                self.stand_in = Catalogue.bundled(documented=documented)
            except (RouterError, OSError, MemoryError) as error:
                raise as_unavailable(error) from error
        return self.stand_in

    def _outcome(self, flight: Flight, wait: float = 0.0) -> Catalogue:
        """Return or raise how a flight has ended; end it after `wait` seconds."""
        with suppress(TimeoutError):
            return flight.result(wait)
        self._give_up(flight, flight.deadline.missed())
        try:
            return flight.result(GRACE)
        except TimeoutError as error:
            raise flight.deadline.missed() from error

    def _start(self, *, asked: bool = False, in_line: bool = True) -> Flight:
        """Return the flight under way, or start one; `asked` if the application called for it now.

        It flies in a thread of its own where the source waits on a network. Where no thread can be
        had it flies in line, but not at the cost of a read that has an answer already.
        """
        if asked and self._limits.frozen:
            raise CatalogueUnavailableError("the router is frozen: it does not refresh")
        remote = self.source.remote
        if remote and in_line and not in_event_loop():
            import_late()
        with self._lock:
            current = self._flights.current
        if current is not None and current.is_overdue:
            self._give_up(current, current.deadline.missed())
        # A signal handler may have interrupted this thread under the lock: its work cannot go on.
        is_handler = in_line and self._lock._is_owned()  # type: ignore[attr-defined]  # noqa: SLF001 - as Condition does
        with self._lock:
            if not is_handler and (joined := self._joinable(asked=asked)) is not None:
                return joined
            flight = self._flights.begin(asked=asked, calls_hook=not in_error_hook())
            self._set(self._freshness.begin(self.clock(), flight.patience))
            is_alone = remote and not is_handler and start_thread(partial(self._fly, flight))
            if not is_handler:
                # Not before: what an interrupt kept from its thread is not to be waited for.
                self._flights.current = flight
        if is_alone:
            return flight
        if remote and not in_line:
            self._give_up(flight, CatalogueUnavailableError("no thread for a refresh"))
            return flight
        interrupt = self._fly(flight)
        if interrupt is not None:
            raise interrupt
        return flight

    def _joinable(self, *, asked: bool) -> Flight | None:
        """Return the flight that answers in the place of a new one, if there is one.

        A background flight begins only if it is still due: another may just have landed.
        """
        flight, now = self._flights.current, self.clock()
        if flight is None or not flight.has_ended:
            return flight
        if self._flights.are_too_many:
            self._set(self._freshness.postpone(now, FIRST_DELAY))
            return flight
        return None if asked or self._freshness.is_due(now) else flight

    def _give_up(self, flight: Flight, error: CatalogueUnavailableError) -> None:
        """End a hanging flight for its waiters; its catalogue is taken later, if nothing newer came.

        One that hangs on the disk, with its catalogue held already, has landed.
        """
        with self._lock:
            held = self.held if flight.turn == self._freshness.turn else None
        if held is None:
            self._fail(flight, error)
        elif flight.claim():
            flight.land(held)

    def _fly(self, flight: Flight) -> BaseException | None:
        """Load, and tell the waiters how it ended; returns what interrupted the loading thread."""
        try:
            try:
                swap = self._load(flight)
            finally:
                self._flights.end(flight)
        except BaseException as error:  # noqa: BLE001 - whatever ends a flight, its waiters must hear of it
            self._fail(flight, as_unavailable(error))
            self._notifier.call_on_error()
            return None if isinstance(error, Exception) else error
        if flight.claim():
            flight.land(swap[1])
        self._notifier.call_on_error()
        self._notifier.call_on_refresh(*swap)
        return None

    def _load(self, flight: Flight) -> Swap:
        if not self.source.remote:
            fetched = self.source.fetch(flight.deadline, None, self.held)
            return self._adopt(fetched, self._wall(), flight.turn)
        asked_at = self._wall()
        with self._disk.locked(flight.deadline):
            recent = asked_at if flight.asked else asked_at - self._limits.ttl
            # What claims to come from the future does not answer who asks for the present.
            skew = CLOCK_SKEW if self.held is not None else FOREVER
            kept = self._disk.read(
                newer_than=max(self._freshness.confirmed_at, recent),
                not_after=self._wall() + (0.0 if flight.asked else skew),
            )
            if kept is not None:
                return self._adopt(*kept, flight.turn)
            failure = None if flight.asked else self._disk.read_failure()
            if failure is not None:
                left = failure.retry_after or 0.0
                flight.is_shared, flight.delay = True, left + self._random() * AFTER_OTHERS
                raise failure
            fetched = self._fetch(flight)
            now = self._wall()
            swap = self._adopt(fetched, now, flight.turn)
            self._flights.end(flight)  # a disk that hangs keeps no other flight from its turn
            self._disk.write(fetched, now, lambda: flight.turn == self._freshness.turn)
            return swap

    def _fetch(self, flight: Flight) -> Catalogue:
        """Fetch, and let other processes know of a failure."""
        held = self.held if self.held is not self.stand_in else None
        try:
            return self._fetcher.fetch(flight.deadline, held, self._disk.known)
        except BaseException as error:
            if not flight.has_ended:
                failure = as_unavailable(error)
                flight.delay = self._freshness.delay_after(failure, self._random())
                self._disk.write_failure(failure, flight.delay)
            raise

    def _restored(self) -> Catalogue | None:
        """Return what is held, from the disk if that was not yet looked at."""
        with self._lock:
            if self.held is None and self.source.remote and self._disk.is_unread:
                self._disk.is_unread = False
                oldest = self._wall() - self._limits.max_stale if self._limits.strict else -FOREVER
                kept = self._disk.read(newer_than=oldest, not_after=FOREVER)
                if kept is not None:
                    self._adopt(*kept, self._flights.next_turn())
                    failure = self._disk.read_failure()
                    if failure is not None:
                        wait = failure.retry_after or 0.0
                        self._set(self._freshness.postpone(self.clock(), wait))
            return self.held

    def _adopt(self, catalogue: Catalogue, confirmed_at: float, turn: int) -> Swap:
        """Hold the catalogue of that load, known to be true at the wall time `confirmed_at`.

        Returns what was held before and what is held then. It is made ready before the lock is taken,
        and for no longer than a moment: what is left is built when it is asked for.
        """
        before = self.held
        if before is not None and before is not catalogue:
            ends = self.clock() + WARMING
            catalogue = catalogue.with_names(before.names).warm_from(
                before, lambda: self.clock() < ends
            )
        with self._lock:
            held, is_regressed = self.held, self._freshness.is_regressed
            if held is not None and turn < self._freshness.turn:
                return held, held  # of a flight that was given up, and landed after a later one
            if held is not None and held is not catalogue:
                catalogue = catalogue.with_names(held.names)
                is_regressed = held is not self.stand_in and is_older(catalogue, held)
            self.held = catalogue
            self._set(
                self._freshness.succeed(
                    self.clock(),
                    confirmed_at=confirmed_at,
                    wall=self._wall(),
                    turn=turn,
                    random=self._random() if self.source.remote else 0.0,
                    is_regressed=is_regressed,
                )
            )
        if is_regressed and held is not catalogue:
            log_regression(catalogue)
        return held, catalogue

    def _fail(self, flight: Flight, error: CatalogueUnavailableError) -> None:
        """End the flight with an error and put the next one off, unless it had ended before."""
        if not flight.claim():
            return
        try:
            self._note_failure(flight, error)
        finally:
            flight.fail(error)
        if flight.calls_hook:
            self._notifier.add_failure(error)

    def _note_failure(self, flight: Flight, error: CatalogueUnavailableError) -> None:
        with self._lock:
            before = self._freshness
            delay = flight.delay
            if delay is None:
                delay = before.delay_after(error, self._random())
            if self.held is None and not self._limits.strict:
                with suppress(CatalogueUnavailableError):  # there are no files to be had
                    self.held = self._stand_in()
            after = before.fail(self.clock(), error, delay, is_shared=flight.is_shared)
            self._set(after)
            held = self.held
        log_failure(before, after, held)
