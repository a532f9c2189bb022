"""Cooldowns: which models are set aside after failures, and until when; each for itself, never a provider."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from attrs import define, frozen

from router._fork import renewed_in_child
from router._status import Cooling
from router.execution._failures import Failure

FIRST_COOLDOWN: Final = 5.0
LONGEST_COOLDOWN: Final = 300.0
"""Seconds that a model is set aside, doubled from the first to the longest for every time in a row, before jitter."""

LONGEST_PROBE: Final = 600.0
"""Seconds after which a call that probes a model counts as lost: the time-out that clients have by default."""


@frozen(eq=False)
class Turn:
    """Leave to call a model once."""

    id: str
    taken_at: float


@define
class _Standing:
    """How a model stands that has failed."""

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
    """The models that are set aside: after `allowed_fails` failures in a row, or at once where the answer says so.

    When the time is over one call may probe the model, and the others pass it over until that call has
    ended. A success clears it; a failure of the probe sets it aside for twice as long. `clock` is monotonic,
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
        self._standings: dict[str, _Standing] = {}
        self.start_anew()
        renewed_in_child(self)

    def start_anew(self) -> None:
        """Have a lock that nobody holds, and no probe: who began it is not there."""
        self._lock = threading.RLock()  # a signal's handler may make a call of its own
        for standing in list(self._standings.values()):
            standing.probe = None

    def take(self, id: str) -> Turn | None:
        """Return leave to call the model, `None` while it is set aside or another call probes it."""
        with self._lock:
            now = self._clock()
            turn = Turn(id, now)
            standing = self._standings.get(id)
            if standing is None or standing.until is None:
                return turn
            if now < self._due(id):
                return None
            standing.probe, standing.probed_at = turn, now
            return turn

    def take_first_due(self, ids: Iterable[str]) -> Turn:
        """Return leave to call that one of the models, all set aside, that is due first."""
        with self._lock:
            return Turn(min(ids, key=self._due), self._clock())

    def _due(self, id: str) -> float:
        """Return when the model may be called, or probed again."""
        standing = self._standings.get(id)
        if standing is None or standing.until is None:
            return 0.0
        return standing.until if standing.probe is None else standing.probed_at + LONGEST_PROBE

    def succeeded(self, turn: Turn) -> None:
        """Take note that the model has answered."""
        with self._lock:
            self._standings.pop(turn.id, None)

    def failed(self, turn: Turn, failure: Failure) -> None:
        """Take note that the model has failed, for a reason of its own."""
        with self._lock:
            standing = self._standings.setdefault(turn.id, _Standing())
            if standing.probe is turn:
                standing.probe = None
            is_late = standing.until is not None and turn.taken_at <= standing.since
            if is_late and not failure.retry_after:
                return  # the call had begun before the model was set aside, and says nothing new
            standing.failures += 1
            standing.reason = failure.reason
            cooldown = self._cooldown(standing, failure)
            if cooldown is not None:
                now = self._clock()
                if standing.until is None or now >= standing.until:
                    standing.coolings += 1
                    standing.since = now
                standing.until = max(standing.until or 0.0, now + cooldown)

    def _cooldown(self, standing: _Standing, failure: Failure) -> float | None:
        """Return the seconds to set the model aside, `None` for not yet."""
        seconds = []
        if failure.retry_after:
            seconds.append(failure.retry_after * (1.0 + 0.1 * self._random()))
        if failure.is_gone or standing.failures >= self._allowed_fails:
            longest = min(LONGEST_COOLDOWN, FIRST_COOLDOWN * 2.0 ** min(standing.coolings, 10))
            seconds.append(longest * (1.0 - 0.25 * self._random()))
        return max(seconds, default=None)

    def released(self, turn: Turn) -> None:
        """Take note that a call has ended which says nothing of its model."""
        with self._lock:
            standing = self._standings.get(turn.id)
            if standing is not None and standing.probe is turn:
                standing.probe = None

    def cooling(self) -> tuple[Cooling, ...]:
        """Return the models that are passed over, the one that is due first in front."""
        with self._lock:
            now, wall = self._clock(), self._wall()
            standings = sorted(
                (self._due(id), id, each.failures, each.reason)
                for id, each in self._standings.items()
                if each.until is not None and now < self._due(id)
            )
        return tuple(
            Cooling(id, datetime.fromtimestamp(wall + due - now, UTC), failures, reason)
            for due, id, failures, reason in standings
        )
