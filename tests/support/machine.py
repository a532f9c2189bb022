"""A machine with clocks of its own, and what its routers and their sources share."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from attrs import define, field
from canary import KEY
from crowds import settled
from fake_api import FakeAPI, entries, plain_transport
from fake_source import FakeClock

from router import Router
from router._errors import CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue
from router.refresh._sources import AnthropicSource, Source

NOON = time.time() // 1
"""Where the wall clocks of these tests begin: now, for files have dates of their own."""

TTL = 100.0
MAX_STALE = 1000.0
IDENTITY = "a" * 40


def listing(count: int, start: int = 0) -> Catalogue:
    """Return a catalogue of that many models as an API would list them."""
    return Catalogue.from_listing(entries(count, start=start), source="live")


SIX = listing(6)
OTHER = listing(6, start=3)
DOWN = CatalogueUnavailableError("down", status=500)


@define
class Machine:
    """Two clocks that go together, and a cache directory or none: what the processes of one machine share."""

    cache: Path | None = None
    random: float = 0.0
    clock: FakeClock = field(factory=FakeClock)
    wall: FakeClock = field(factory=lambda: FakeClock(NOON))

    def router(self, source: Source, **arguments: Any) -> Router:
        """Return a router as a process of its own would have it."""
        given: dict[str, Any] = {
            "ttl": TTL,
            "max_stale": MAX_STALE,
            "cache_dir": self.cache or False,
        } | arguments
        return Router(
            source,
            clock=self.clock,
            wall=self.wall,
            sleep=self.sleep,
            random=lambda: self.random,
            **given,
        )

    def sleep(self, seconds: float) -> None:
        """Let time pass, and remember that somebody slept."""
        self.clock.sleep(seconds)
        self.wall.now += seconds

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds
        self.wall.now += seconds


def live(api: FakeAPI, **arguments: Any) -> AnthropicSource:
    """Return the live source of that server."""
    given: dict[str, Any] = {
        "api_key": KEY,
        "base_url": api.url,
        "environ": {},
        "transport": plain_transport(),
    }
    return AnthropicSource(**given | arguments)


def asked(router: Router) -> Catalogue:
    """Return what a read gives once the refresh that a read may have begun is over."""
    _ = router.catalogue
    return settled(router).catalogue


def ids(catalogue: Catalogue) -> list[str]:
    """Return the ids of the models."""
    return [model.id for model in catalogue]
