"""One total deadline for all of a load, and the clock that it is measured on."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from router._errors import CatalogueUnavailableError

# On Linux the boot-time clock also counts while the machine sleeps: a catalogue ages meanwhile.
CLOCK: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)


class Deadline:
    """The moment by which a load must be done, `seconds` from its making."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends = clock() + seconds

    def left(self) -> float:
        """Return the seconds left, not above zero once it has passed."""
        return self._ends - self._clock()

    def remaining(self) -> float:
        """Return the seconds left; raises `CatalogueUnavailableError` when there are none."""
        left = self.left()
        if left <= 0:
            raise self.missed()
        return left

    def missed(self) -> CatalogueUnavailableError:
        """Return the error of a load that took too long."""
        return CatalogueUnavailableError(
            f"no whole answer within the deadline of {self.seconds:g} s"
        )
