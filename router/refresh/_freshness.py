"""Freshness: how old a catalogue is, and when the next load of it is due, as a value without I/O.

A moment is a reading of a monotonic clock, in seconds. A load that succeeds leads to `DUE` at once if
the catalogue has outlived its `ttl`. A request is ignored in the first minute. `frozen` is never `DUE`.

=======  =======  =======  =======  ========  =======  ====  ===============================================
State    begin    succeed  fail     postpone  request  time  Meaning
=======  =======  =======  =======  ========  =======  ====  ===============================================
EMPTY    LOADING  CURRENT  WAITING  WAITING   EMPTY    -     No load has begun.
CURRENT  LOADING  CURRENT  WAITING  CURRENT   DUE      DUE   The last load succeeded, less than `ttl` ago.
DUE      LOADING  CURRENT  WAITING  WAITING   DUE      -     The next read begins a load.
LOADING  LOADING  CURRENT  WAITING  LOADING   LOADING  DUE   A load has begun, and is within its deadline.
WAITING  LOADING  CURRENT  WAITING  WAITING   WAITING  DUE   A load failed or could not begin: a delay lasts.
=======  =======  =======  =======  ========  =======  ====  ===============================================
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import evolve, frozen

from router._errors import CatalogueUnavailableError
from router.refresh._http_errors import TOO_MANY_REQUESTS, is_refused

FOREVER: Final = float("inf")

FIRST_DELAY: Final = 5.0
LONGEST_DELAY: Final = 60.0
REFUSED_DELAY: Final = 300.0
"""Seconds from a failed load to the next, before jitter; the last for a refused credential."""

AFTER_OTHERS: Final = 2.0
"""Seconds over which the processes that share a failure spread their next load, before jitter."""

LEAST_AGE: Final = 60.0
"""Seconds for which a catalogue is kept that somebody asks to renew."""

CLOCK_SKEW: Final = 300.0
"""Seconds by which the clock of another process may be ahead."""


class State(Enum):
    """What a read has to do; the table above says what leads from one state to another."""

    EMPTY = "empty"
    CURRENT = "current"
    DUE = "due"
    LOADING = "loading"
    WAITING = "waiting"


@frozen(kw_only=True)
class Limits:
    """How long a catalogue serves, in seconds: until it is renewed, and until it is stale."""

    ttl: float
    max_stale: float = FOREVER
    spread: float = 0.0
    """The share of `ttl` that chance adds or removes, so that no two processes keep step."""
    strict: bool = False
    """Whether a stale catalogue is an error."""
    frozen: bool = False
    """Whether it is never renewed."""


@frozen(kw_only=True)
class Freshness:
    """The loads of one catalogue so far, and what is due next; each event returns a new value."""

    limits: Limits
    phase: State = State.EMPTY
    """The state that the last event led to; time may have led on to `DUE`."""
    due_at: float = 0.0
    stale_at: float = FOREVER
    confirmed_at: float = 0.0
    """When the catalogue was last known to be true, in seconds since the epoch."""
    turn: int = 0
    """The number of the load that brought it: one that began earlier may land later."""
    is_regressed: bool = False
    """Whether its newest model is older than that of the catalogue before it."""
    error: CatalogueUnavailableError | None = None
    """Why the last load failed, `None` if it succeeded."""
    streak: int = 0
    """How many loads have failed in a row, without those that met another process's failure."""
    was_stale: bool = False
    """Whether a load failed when the catalogue was stale already."""
    successes: int = 0
    failures: int = 0

    def state(self, now: float) -> State:
        """Return the state at a moment."""
        return State.DUE if self.phase is not State.EMPTY and self.is_due(now) else self.phase

    def is_due(self, now: float) -> bool:
        """Return whether a read begins a load."""
        return now >= self.due_at

    def is_stale(self, now: float) -> bool:
        """Return whether the catalogue is older than `max_stale`."""
        return now >= self.stale_at

    @property
    def next_check_at(self) -> float:
        """From when on a read has more to do than to return what is held."""
        return min(self.due_at, self.stale_at) if self.limits.strict else self.due_at

    def begin(self, now: float, patience: float) -> Freshness:
        """Note that a load has begun, which is given up after `patience` seconds."""
        return evolve(self, phase=State.LOADING, due_at=self._after(now, patience))

    def succeed(
        self,
        now: float,
        *,
        confirmed_at: float,
        wall: float,
        turn: int,
        random: float,
        is_regressed: bool = False,
    ) -> Freshness:
        """Note that a load has brought a catalogue; `wall` is in seconds since the epoch."""
        age = wall - confirmed_at
        lifetime = self.limits.ttl * (1.0 + self.limits.spread * (2.0 * random - 1.0))
        # A date in the future means that a clock was wrong: such a catalogue is due at once.
        left = lifetime - age if age > -CLOCK_SKEW else 0.0
        return evolve(
            self,
            phase=State.CURRENT,
            due_at=self._after(now, left),
            stale_at=now + self.limits.max_stale - max(age, 0.0),
            confirmed_at=confirmed_at,
            turn=turn,
            is_regressed=is_regressed,
            error=None,
            streak=0,
            was_stale=False,
            successes=self.successes + 1,
        )

    def fail(
        self, now: float, error: CatalogueUnavailableError, delay: float, *, is_shared: bool = False
    ) -> Freshness:
        """Note that a load has failed; `is_shared` means that it met another process's failure."""
        return evolve(
            self,
            phase=State.WAITING,
            due_at=self._after(now, delay),
            error=error,
            streak=self.streak + (not is_shared),
            was_stale=self.was_stale or self.is_stale(now),
            failures=self.failures + 1,
        )

    def postpone(self, now: float, delay: float) -> Freshness:
        """Let no load begin for `delay` seconds, five minutes at most."""
        is_current = self.state(now) in {State.CURRENT, State.LOADING}
        return evolve(
            self,
            phase=self.phase if is_current else State.WAITING,
            due_at=max(self.due_at, self._after(now, min(delay, REFUSED_DELAY))),
        )

    def request(self, now: float, wall: float) -> Freshness:
        """Let the next read begin a load, if the catalogue is a minute old by the wall clock."""
        if self.state(now) is State.CURRENT and wall - self.confirmed_at >= LEAST_AGE:
            return evolve(self, due_at=self._after(now, 0.0))
        return self

    def delay_after(self, error: CatalogueUnavailableError, random: float) -> float:
        """Return the seconds from a failure now to the next load; `random` is from 0 to 1."""
        # A 429 that names no wait is a limit of the whole organisation: it does not end in seconds.
        is_lasting = error.status == TOO_MANY_REQUESTS and not error.retryable
        if is_refused(error) or is_lasting:
            longest = REFUSED_DELAY
        else:
            longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self.streak, 10))
        return max(longest * (0.8 + 0.2 * random), error.retry_after or 0.0)

    def _after(self, now: float, seconds: float) -> float:
        return FOREVER if self.limits.frozen else now + max(seconds, 0.0)
