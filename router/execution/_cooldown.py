"""Cooldowns: which models are skipped after failures, and until when; each by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from attrs import define, frozen

from router._fork import register_fork_reset
from router._status import Cooling
from router.execution._failures import Failure

FIRST_COOLDOWN: Final = 5.0
LONGEST_COOLDOWN: Final = 300.0
"""Seconds of a cooldown, doubled each time in a row up to the longest, before jitter."""

LONGEST_PROBE: Final = 600.0
"""Seconds after which a probe counts as lost: the default time-out of clients."""


@frozen(eq=False)
class Turn:
    """The leave to call a model once."""

    key: str
    """The key of the model: one id may cool at one provider and answer at another."""
    taken_at: float


@define
class _ModelHealth:
    """The health of a model that has failed."""

    failures: int = 0
    """In a row."""
    coolings: int = 0
    """In a row."""
    since: float = 0.0
    until: float | None = None
    reason: str = ""
    probe: Turn | None = None
    probed_at: float = 0.0


class Cooldowns:
    """The models that cool: after `allowed_fails` failures in a row, or if the answer says so.

    When the time is over one call may probe the model, and others skip it until that call has
    ended. A success ends the cooldown; a failure of the probe doubles it. `clock` is monotonic,
    `wall` counts seconds since the epoch; `random` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        allowed_fails: int,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._allowed_fails = allowed_fails
        self._clock = clock
        self._wall = wall
        self._random = random
        self._health: dict[str, _ModelHealth] = {}
        self.reset_after_fork()
        register_fork_reset(self)

    def reset_after_fork(self) -> None:
        """Renew the lock in the child of a fork, and forget the probes of the parent."""
        self._lock = threading.RLock()  # a signal's handler may make a call of its own
        for health in list(self._health.values()):
            health.probe = None

    def take(self, key: str) -> Turn | None:
        """Return the leave to call a model, `None` while it cools or another call probes it."""
        with self._lock:
            now = self._clock()
            turn = Turn(key, now)
            health = self._health.get(key)
            if health is None or health.until is None:
                return turn
            if now < self._due(key):
                return None
            health.probe, health.probed_at = turn, now
            return turn

    def take_first_due(self, keys: Iterable[str]) -> Turn:
        """Return the leave to call the first due of models that all cool."""
        with self._lock:
            return Turn(min(keys, key=self._due), self._clock())

    def _due(self, key: str) -> float:
        """Return when a model may be called, or probed again."""
        health = self._health.get(key)
        if health is None or health.until is None:
            return 0.0
        return health.until if health.probe is None else health.probed_at + LONGEST_PROBE

    def succeeded(self, turn: Turn) -> None:
        """Record that the model has answered."""
        with self._lock:
            self._health.pop(turn.key, None)

    def failed(self, turn: Turn, failure: Failure) -> float | None:
        """Record that the model has failed for a reason of its own.

        Returns the seconds of the cooldown that this begins, `None` if it begins none.
        """
        with self._lock:
            health = self._health.setdefault(turn.key, _ModelHealth())
            if health.probe is turn:
                health.probe = None
            is_late = health.until is not None and turn.taken_at <= health.since
            if is_late and not failure.retry_after:
                return None  # the call had begun before the cooldown, and says nothing new
            health.failures += 1
            health.reason = failure.reason
            cooldown = self._cooldown(health, failure)
            if cooldown is None:
                return None
            now = self._clock()
            begins = health.until is None or now >= health.until
            if begins:
                health.coolings += 1
                health.since = now
            health.until = max(health.until or 0.0, now + cooldown)
            return cooldown if begins else None

    def _cooldown(self, health: _ModelHealth, failure: Failure) -> float | None:
        """Return the seconds that a model cools, `None` if it does not yet."""
        seconds = []
        if failure.retry_after:
            seconds.append(failure.retry_after * (1.0 + 0.1 * self._random()))
        if failure.is_gone or health.failures >= self._allowed_fails:
            longest = min(LONGEST_COOLDOWN, FIRST_COOLDOWN * 2.0 ** min(health.coolings, 10))
            seconds.append(longest * (1.0 - 0.25 * self._random()))
        return max(seconds, default=None)

    def released(self, turn: Turn) -> None:
        """Record that a call has ended that says nothing about its model."""
        with self._lock:
            health = self._health.get(turn.key)
            if health is not None and health.probe is turn:
                health.probe = None

    def cooling(self) -> tuple[Cooling, ...]:
        """Return the models that are skipped, the one that is due first in front."""
        with self._lock:
            now, wall = self._clock(), self._wall()
            cooling = sorted(
                (self._due(key), key, each.failures, each.reason)
                for key, each in self._health.items()
                if each.until is not None and now < self._due(key)
            )
        return tuple(
            Cooling(key, datetime.fromtimestamp(wall + due - now, UTC), failures, reason)
            for due, key, failures, reason in cooling
        )
