"""Status: the state of a router, as values."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from attrs import frozen

from router._errors import CatalogueUnavailableError, printable
from router._serialising import Serialisable


@frozen(repr=False)
class Cooling(Serialisable):
    """A model in cooldown after failures: `run` skips it until it may be probed again."""

    key: str
    """The key of the model, `provider:id`."""
    until: datetime
    failures: int
    """The number of consecutive failed calls."""
    reason: str
    """The reason of the last failure."""

    json_names: ClassVar = ("model_id", "key", "until", "failures", "reason")

    @property
    def model_id(self) -> str:
        """The id of the model."""
        return self.key.partition(":")[2]

    def __str__(self) -> str:
        return f"{self.model_id} until {self.until:%H:%M:%SZ}: {printable(self.reason)}"


@frozen(repr=False)
class RouterStatus(Serialisable):
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

    json_names: ClassVar = (
        *("source", "as_of", "stale", "regressed", "quarantined", "next_refresh", "refreshing"),
        *("last_error", "refreshes", "failures", "cooling"),
    )

    def __str__(self) -> str:
        if self.source is None:
            return "no catalogue yet"
        as_of = f" as of {self.as_of:%Y-%m-%d %H:%MZ}" if self.as_of is not None else ""
        facts = [f"{self.source} catalogue{as_of}"]
        facts += ["stale"] if self.stale else []
        facts += [f"{len(self.cooling)} models cooling down"] if self.cooling else []
        facts += [f"last error: {self.last_error}"] if self.last_error is not None else []
        return ", ".join(facts)
