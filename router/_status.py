"""Status: the state of a router, as values."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from router._errors import CatalogueUnavailableError


@frozen
class Cooling:
    """A model in cooldown after failures: `run` skips it until it may be probed again."""

    model: str
    until: datetime
    failures: int
    """The number of consecutive failed calls."""
    reason: str
    """The reason of the last failure."""


@frozen
class RouterStatus:
    """The state of a router's catalogue and models; ages and delays are in seconds."""

    source: str | None
    """The source of the current catalogue, `None` before the first."""
    as_of: datetime | None
    """The time when the catalogue was last known to be current."""
    age: float | None
    stale: bool
    """Whether it is older than `max_stale`, or a substitute for one that was never fetched."""
    regressed: bool
    """Whether its newest model is older than the newest one of the previous catalogue."""
    quarantined: int
    """The number of entries in the listing that could not be read."""
    next_refresh: float | None
    """Seconds until the next refresh, `None` if none is scheduled."""
    refreshing: bool
    last_error: CatalogueUnavailableError | None
    """The error of the last refresh, `None` if it succeeded."""
    refreshes: int
    failures: int
    cooling: tuple[Cooling, ...] = ()
    """The models in cooldown, sorted by the end of it."""
