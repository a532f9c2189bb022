"""Retries within one deadline, and listings that lose their models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import End, FakeAPI, entries, failure, reply, serve
from fake_source import FakeSource, eventually
from loader_rig import DOWN, FIRST, Rig
from loader_rig import live as live_rig
from machine import IDENTITY, OTHER, SIX, TTL, Machine, asked, ids, listing

from router._errors import CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue


@pytest.fixture
def machine() -> Machine:
    """A machine without a cache."""
    return Machine()


@pytest.fixture
def shared(tmp_path: Path) -> Machine:
    """A machine with a cache."""
    return Machine(tmp_path / "cache")


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with three models."""
    with serve(entries(3)) as api:
        yield api


# Retries


@pytest.mark.parametrize(
    ("random", "waits"), [(0.0, [0.0, 0.0]), (0.5, [0.25, 0.5]), (1.0, [0.5, 1.0])]
)
def test_failures_that_heal_are_retried(api: FakeAPI, random: float, waits: list[float]) -> None:
    """R1: two failures in a row cost two waits, of full jitter under a doubling bound."""
    rig = Rig(live_rig(api), random=random)
    api.script(failure(529, "overloaded_error"), failure(500, "api_error"))

    assert len(rig.loader.refresh()) == 3
    assert len(api.requests) == 3
    assert rig.clock.slept == waits


HEALING = {
    "408": reply(408),
    "409": reply(409),
    "502": reply(502, b"<h1>Bad gateway</h1>"),
    "503": reply(503),
    "504": reply(504),
    "529": failure(529, "overloaded_error"),
    "400-but-told-to": reply(400, headers={"x-should-retry": "true"}),
    "200-with-an-error": failure(200, "overloaded_error"),
    "reset": [End.RESET],
    "closed": [End.CLOSE],
}


@pytest.mark.parametrize("fault", HEALING.values(), ids=HEALING)
def test_three_attempts_at_most(api: FakeAPI, fault: Any) -> None:
    """R1: what may heal is tried three times, and the last failure is the one that is raised."""
    rig = Rig(live_rig(api))
    api.script(fault, fault, fault)

    with pytest.raises(CatalogueUnavailableError) as caught:
        rig.loader.refresh()

    assert caught.value.retryable
    assert len(api.requests) == 3
    assert len(rig.clock.slept) == 2


LASTING = {
    **{
        str(status): reply(status)
        for status in (301, 400, 401, 402, 403, 404, 405, 413, 422, 429, 431, 499, 501)
    },
    "500-but-told-not-to": reply(500, headers={"x-should-retry": "false"}),
    "200-with-an-error": failure(200, "authentication_error"),
    "html": reply(200, b"<h1>", {"content-type": "text/html"}),
    "no-page": reply(200, {"data": None}),
    "cut": reply(200, b"{", {"content-type": "application/json"}),
}


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_one_attempt_where_nothing_heals(api: FakeAPI, fault: bytes) -> None:
    """R2: what no later try can cure is asked for once."""
    rig = Rig(live_rig(api))
    api.script(fault)

    with pytest.raises(CatalogueUnavailableError):
        rig.loader.refresh()

    assert len(api.requests) == 1
    assert rig.clock.slept == []


@pytest.mark.parametrize(("random", "wait"), [(0.0, 2.0), (1.0, 2.5)])
def test_retry_after(api: FakeAPI, random: float, wait: float) -> None:
    """R3: a wait that the server asks for is kept, with jitter upwards only."""
    rig = Rig(live_rig(api), random=random)
    api.script(failure(429, "rate_limit_error", headers={"retry-after": "2"}))

    assert len(rig.loader.refresh()) == 3
    assert rig.clock.slept == [wait]


def test_retry_after_beyond_the_deadline(api: FakeAPI) -> None:
    """R3: a wait longer than what is left of the deadline ends the load at once, and the next waits as long."""
    rig = Rig(live_rig(api), deadline=10)
    api.script(failure(529, "overloaded_error", headers={"retry-after": "200"}))

    with pytest.raises(CatalogueUnavailableError, match="529"):
        rig.loader.refresh()
    assert (len(api.requests), rig.clock.slept) == (1, [])

    rig.clock.now += 199.9
    rig.loader.catalogue()
    assert len(api.requests) == 1
    rig.clock.now += 0.2
    rig.loader.catalogue()
    api.wait_for(2)


def test_retry_after_counts_what_is_left(api: FakeAPI) -> None:
    """R3: a second wait must fit into what the first has left of the deadline."""
    rig = Rig(live_rig(api), deadline=10)
    asked = failure(503, "api_error", headers={"retry-after": "6"})
    api.script(asked, asked)

    with pytest.raises(CatalogueUnavailableError, match="503"):
        rig.loader.refresh()

    assert (len(api.requests), rig.clock.slept) == (2, [6.0])


def test_backoff_beyond_the_deadline() -> None:
    """R1: there is no wait that would end after the deadline."""
    source = FakeSource(CatalogueUnavailableError("busy", status=500, retryable=True))
    rig = Rig(source, deadline=0.4, random=1.0)

    with pytest.raises(CatalogueUnavailableError, match="busy"):
        rig.loader.refresh()

    assert (source.fetches, rig.clock.slept) == (1, [])


def test_one_deadline_for_all_of_a_load() -> None:
    """R1, P13: each attempt, and each to confirm a listing that has shrunk, is given the very deadline of the load."""
    busy = CatalogueUnavailableError("busy", retryable=True)
    source = FakeSource(Catalogue.from_listing(entries(3)), busy, busy, FIRST, busy, busy, FIRST)
    rig = Rig(source, random=1.0)
    rig.loader.refresh()

    assert rig.loader.refresh().digest == FIRST.digest

    first, second, *others = source.deadlines
    assert first is not second
    assert len(others) == 5
    assert all(each is second for each in others)
    assert second.left() == rig.deadline - sum(rig.clock.slept) == 10.0 - 4.0


def test_longest_wait_between_attempts() -> None:
    """R1: what the server asks for is capped at an hour, and is then beyond every deadline but a long one."""
    rig = Rig(
        FakeSource(CatalogueUnavailableError("busy", retry_after=3600.0, retryable=True), FIRST),
        deadline=7200,
    )

    assert rig.loader.refresh() is not None
    assert rig.clock.slept == [3600.0]


# Listings that lose their models


@pytest.mark.parametrize(("count", "fetches"), [(6, 2), (3, 2), (2, 3), (1, 3), (0, 3)])
def test_a_shrunken_listing_is_confirmed(
    machine: Machine, count: int, fetches: int, caplog: pytest.LogCaptureFixture
) -> None:
    """P12, P13: less than half of the models, or none, counts only when it is listed again a second later."""
    source = FakeSource(SIX, listing(count))
    router = machine.router(source)
    router.refresh()

    assert len(router.refresh()) == count
    assert source.fetches == fetches
    assert machine.clock.slept == [1.0] * (fetches - 2)
    told = f"the listing has only {count} models now: two answers agree on that"
    assert caplog.text.count(told) == fetches - 2


@pytest.mark.parametrize(
    "second", [SIX, listing(2, start=1), listing(0), DOWN], ids=["old", "other", "none", "error"]
)
def test_a_shrunken_listing_that_is_not_confirmed(
    machine: Machine, second: Catalogue | CatalogueUnavailableError
) -> None:
    """P12, P13: a second listing that differs makes it a failure, and the old catalogue stays."""
    errors: list[CatalogueUnavailableError] = []
    router = machine.router(FakeSource(SIX, listing(2), second), on_error=errors.append)
    router.refresh()

    with pytest.raises(CatalogueUnavailableError) as caught:
        router.refresh()

    assert str(caught.value) == (
        "down" if second is DOWN else "the listing has only 2 models, and the next one differs"
    )
    assert router.catalogue is SIX
    assert eventually(lambda: len(errors) == 1)


def test_no_time_to_confirm(machine: Machine) -> None:
    """P13: where the deadline leaves no second to ask again, the old catalogue stays."""
    source = FakeSource(SIX, listing(2))
    router = machine.router(source, deadline=1.0)
    router.refresh()

    with pytest.raises(CatalogueUnavailableError, match="only 2 models, and no time to ask again"):
        router.refresh()
    assert (source.fetches, router.catalogue) == (2, SIX)


def test_the_bundled_catalogue_is_no_measure(machine: Machine) -> None:
    """P13: a first listing is compared with nothing, least of all with the bundled one, nor is it older than that."""
    old = Catalogue.from_listing(
        [{"id": "claude-old", "created_at": "2024-01-01T00:00:00Z"}], source="live"
    )
    source = FakeSource(DOWN, old)
    router = machine.router(source)
    assert router.catalogue.source == "bundled"

    assert len(router.refresh()) == 1
    assert source.fetches == 2
    assert source.held == [None, None]
    assert not router.status().regressed


def test_the_first_listing_is_empty(machine: Machine) -> None:
    """P12: a key with no models has them confirmed to be none."""
    source = FakeSource(listing(0))

    assert len(machine.router(source).refresh()) == 0
    assert source.fetches == 2
    with pytest.raises(CatalogueUnavailableError, match="only 0 models"):
        machine.router(FakeSource(listing(0), SIX)).refresh()


def test_the_disk_is_a_measure(shared: Machine) -> None:
    """P13: a listing is compared with what the disk holds, too."""
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    shared.passes(TTL)
    source = FakeSource(listing(2), SIX, identity=IDENTITY)
    router = shared.router(source)

    assert asked(router).digest == SIX.digest
    assert source.fetches == 2
    assert "only 2 models" in str(router.status().last_error)


def test_a_listing_that_loses_an_older_model_is_no_older(machine: Machine) -> None:
    """P14: it is the newest model that tells, and a listing that still has it is not flagged."""
    newest = max(SIX, key=lambda model: str(model.created_at))
    fewer = Catalogue.from_listing([dict(model.entry) for model in SIX][:-1], source="live")
    assert newest.id in ids(fewer)
    router = machine.router(FakeSource(SIX, fewer))
    router.refresh()

    assert len(router.refresh()) == 5
    assert not router.status().regressed


def test_an_older_listing_is_flagged(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """P14: a listing whose newest model is older than before is taken and flagged, until a newer one comes."""
    router = machine.router(FakeSource(SIX, OTHER, OTHER, SIX))

    flags = []
    for _ in range(4):
        router.refresh()
        flags.append(router.status().regressed)
    assert flags[:2] == [False, True]
    assert flags[3] is False
    assert ids(router.catalogue) == ids(SIX)
    assert (
        caplog.text.count("the live catalogue is older than the last one: its newest model is gone")
        == 1
    )
