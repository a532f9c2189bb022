"""A loader with clocks of its own, for what needs no router."""

from __future__ import annotations

import threading

from attrs import define, field
from canary import KEY
from fake_api import FakeAPI, entries, plain_transport
from fake_source import FakeClock

from router._errors import CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue
from router.refresh._loader import Loader
from router.refresh._sources import AnthropicSource, Source

FIRST = Catalogue.from_listing(entries(1), source="live")
SECOND = Catalogue.from_listing(entries(2), source="live")
DOWN = CatalogueUnavailableError("down")


@define
class Rig:
    """A loader with a clock of its own, and the number that stands for randomness."""

    source: Source
    ttl: float = 100.0
    max_stale: float = 10_000.0
    deadline: float = 10.0
    strict: bool = False
    random: float = 0.0
    clock: FakeClock = field(factory=FakeClock)
    wall: FakeClock = field(factory=lambda: FakeClock(1_800_000_000.0))
    loader: Loader = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.loader = Loader(
            self.source,
            ttl=self.ttl,
            max_stale=self.max_stale,
            deadline=self.deadline,
            strict=self.strict,
            open_store=lambda: None,
            clock=self.clock,
            wall=self.wall,
            sleep=self.clock.sleep,
            random=lambda: self.random,
        )

    @property
    def is_stale(self) -> bool:
        """Whether what is held is stale."""
        return self.loader.is_stale(self.loader.held)

    @property
    def error(self) -> CatalogueUnavailableError | None:
        """The error of the last refresh."""
        return self.loader.status().last_error


def live(api: FakeAPI) -> AnthropicSource:
    """Return the live source of that server."""
    return AnthropicSource(api_key=KEY, base_url=api.url, environ={}, transport=plain_transport())


def idle() -> bool:
    """Whether no flight is under way."""
    return not any(thread.name == "router-refresh" for thread in threading.enumerate())
