"""Every scenario of the table, through `refresh` and `arefresh`: what is held answers on, and the failure is told once.

Its twin loads a listing as anybody would, and is found out in each of them, by the very same laws.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import trio
from attrs import define, field
from canary import KEY
from crowds import Machine, live
from fake_api import PATH, plain_transport
from fake_source import Stopwatch, at_most, cpu_stall, eventually
from scenarios import FAULTS, SHORT, Arguments, Scenario, Stage, staged

from router import AnthropicSource, Catalogue, CatalogueUnavailableError, Router, Source
from router.refresh._deadline import Deadline
from router.refresh._listing import Progress

SLACK = 0.4
"""Seconds that a busy machine may take beyond the deadline; less than a flight has before it is given up."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A stage of its own for each test."""
    with staged() as stage:
        yield stage


@define
class Turned:
    """A source that asks another one from the moment on that it is turned to it."""

    source: Source
    remote: bool = True
    identity: str | None = None

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Let the other fetch."""
        return self.source.fetch(deadline, progress, held)


def faulty(stage: Stage, arguments: Arguments) -> AnthropicSource:
    """Return the live source of that stage."""
    given: Arguments = {
        "api_key": KEY,
        "base_url": stage.api.url,
        "environ": {},
        "transport": plain_transport(),
    }
    return AnthropicSource(**given | arguments)


@define
class Naive:
    """The twin: it asks with httpx, whose time-out is one of each read, and holds what came."""

    url: str
    transport: httpx.BaseTransport | None = field(factory=plain_transport)
    held: Any = None

    def refresh(self) -> None:
        """Ask, and let the errors of httpx and of Python out."""
        with httpx.Client(transport=self.transport, follow_redirects=True, timeout=1.0) as client:
            self.held = client.get(f"{self.url}{PATH}", headers={"x-api-key": KEY}).json()["data"]


def broken(
    scenario: Scenario,
    stage: Stage,
    held: Callable[[], object],
    refresh: Callable[[], object],
    stalled: Callable[[], float] = cpu_stall,
) -> set[str]:
    """Refresh once, and return the laws that this breaks, as the table names them."""
    before, requests, found = held(), len(stage.api.requests), {"adopts"}
    with Stopwatch(stalled=stalled) as watch:
        try:
            refresh()
        except CatalogueUnavailableError:
            found = set()
        except Exception:  # noqa: BLE001 - whatever the twin lets out
            found = {"untyped"}
    if held() is not before:
        found.add("adopts")
    if not watch.is_within(1.1 * scenario.deadline + SLACK):
        found.add("late")
    if len(stage.api.requests) - requests > scenario.requests:
        found.add("asks")
    if any(other.connections for other in stage.others):
        found.add("strays")
    return found


Refresh = Callable[[Router], object]


def by_refresh(router: Router) -> object:
    """Refresh."""
    return router.refresh()


def by_asyncio(router: Router) -> object:
    """Refresh on the loop of asyncio."""
    return asyncio.run(router.arefresh())


def by_trio(router: Router) -> object:
    """Refresh on the loop of trio."""
    return trio.run(router.arefresh)


@pytest.mark.parametrize("name", FAULTS)
def test_held_catalogue_survives(stage: Stage, name: str) -> None:
    """A failed refresh is reported once. The held catalogue answers as before, and the next try is scheduled."""
    check_that_it_survives(stage, name, by_refresh)


@pytest.mark.sample(20)
@pytest.mark.parametrize("refresh", [by_asyncio, by_trio])
@pytest.mark.parametrize("name", FAULTS)
def test_held_catalogue_survives_in_a_loop(stage: Stage, name: str, refresh: Refresh) -> None:
    """The same where a loop of asyncio or trio asks for the refresh."""
    check_that_it_survives(stage, name, refresh)


def check_that_it_survives(stage: Stage, name: str, refresh: Refresh) -> None:
    """Check that a refresh fails as the table says, and that what is held answers as before."""
    scenario, source, told = (
        FAULTS[name],
        Turned(live(stage.api)),
        list[CatalogueUnavailableError](),
    )
    router = Machine().router(source, deadline=scenario.deadline, on_error=told.append)
    held = router.refresh()
    answer = router.select("pdf_input and effort.high")
    source.source = faulty(stage, scenario.arrange(stage))
    requests = len(stage.api.requests)

    assert broken(scenario, stage, lambda: router.catalogue, lambda: refresh(router)) == set()

    assert router.catalogue is held
    with at_most(SLACK):
        assert router.select("pdf_input and effort.high") is answer
    assert len(stage.api.requests) - requests == scenario.requests
    status = router.status()
    assert (status.failures, status.refreshes, status.refreshing) == (1, 1, False)
    assert status.next_refresh == pytest.approx(scenario.next_try)
    assert status.last_error is not None
    assert re.search(scenario.says, str(status.last_error))
    assert eventually(
        lambda: all(thread.name != "router-refresh" for thread in threading.enumerate())
    )
    assert told == [status.last_error]


@pytest.mark.parametrize(
    "name", [name for name, scenario in FAULTS.items() if scenario.deadline == SHORT]
)
def test_nobody_waits_for_a_slow_refresh(stage: Stage, name: str) -> None:
    """N2, N3: while a refresh is held up, what is held answers, and the refresh is still held up after that."""
    source = Turned(live(stage.api))
    router = Machine().router(source, deadline=SHORT)
    answer = router.refresh().select("pdf_input")
    source.source = faulty(stage, FAULTS[name].arrange(stage))
    ended = threading.Event()

    def refresh() -> None:
        with pytest.raises(CatalogueUnavailableError):
            router.refresh()
        ended.set()

    thread = threading.Thread(target=refresh)
    thread.start()
    assert eventually(lambda: router.status().refreshing)
    answers = {router.select("pdf_input") for _ in range(100)}
    has_waited = ended.is_set()
    thread.join()

    assert (answers, has_waited, ended.is_set()) == ({answer}, False, True)


@pytest.mark.sample(12)
@pytest.mark.parametrize("name", FAULTS)
def test_what_others_make_of_it(stage: Stage, name: str) -> None:
    """The twin that must fail: it is found out in every scenario, in the ways that the table names."""
    scenario = FAULTS[name]
    twin = Naive(stage.api.url)
    twin.refresh()
    arguments = scenario.arrange(stage)
    twin.url, twin.transport = (
        arguments.get("base_url", twin.url),
        arguments.get("transport", plain_transport()),
    )

    assert (
        broken(scenario, stage, lambda: twin.held, twin.refresh, lambda: 0.0)
        == scenario.twin_breaks
        != set()
    )


def test_slow_scenarios_are_told_from_those_that_are_given_up() -> None:
    """A deadline that is kept only when a flight is given up, half a second late, is found out as late."""
    from router.refresh._flight import GRACE

    assert SHORT + GRACE > 1.1 * SHORT + SLACK
