"""Status: how things stand with a router, as values that its parts fill in."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from router._errors import CatalogueUnavailableError


@frozen
class Cooling:
    """A model that is set aside after failures: `run` passes it over until then, or until a probe of it ends."""

    model: str
    until: datetime
    failures: int
    """How many calls have failed in a row."""
    reason: str
    """What the last of them was told."""


@frozen
class RouterStatus:
    """How things stand with a router's catalogue and its models; ages and delays are in seconds."""

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
    cooling: tuple[Cooling, ...] = ()
    """The models that `run` has set aside, the one that is due first in front."""
