"""How fresh an answer is: over time, over processes that share a disk, and over what servers do to a listing."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from canary import KEY, leaks
from crowds import settled
from fake_api import (
    Entry,
    FakeAPI,
    Request,
    entries,
    failure,
    list_models,
    plain_transport,
    reply,
    serve,
)
from fake_source import FakeClock, FakeSource, Gate, at_most, at_once, eventually, gate

from router import Router
from router._errors import CatalogueError, CatalogueUnavailableError, ConfigurationError
from router.catalogue._catalogue import Catalogue, CatalogueDiff
from router.refresh import _freshness
from router.refresh._disk_cache import Store, Stored
from router.refresh._flight import MAX_IN_FLIGHT
from router.refresh._freshness import (
    CLOCK_SKEW,
    LEAST_AGE,
    REFUSED_DELAY,
    Freshness,
    Limits,
    State,
)
from router.refresh._sources import AnthropicSource, FileSource, Source, StaticSource

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


@pytest.fixture
def machine() -> Machine:
    """A machine without a cache."""
    return Machine()


@pytest.fixture
def shared(tmp_path: Path) -> Machine:
    """A machine with a cache."""
    return Machine(tmp_path / "cache")


@pytest.fixture
def shut() -> Iterator[Gate]:
    """A gate that is shut."""
    with gate() as shut:
        yield shut


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with six models."""
    with serve(entries(6)) as api:
        yield api


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


# Over time


def test_fresh_then_renewed_behind_an_answer(machine: Machine, shut: Gate) -> None:
    """A fresh catalogue is served; an old one too, at once, while one refresh brings the next."""
    source = FakeSource(SIX, shut.before(OTHER))
    router = machine.router(source)
    assert router.catalogue is SIX

    machine.passes(0.9 * TTL - 1)
    assert router.catalogue is SIX
    assert source.fetches == 1
    machine.passes(2)
    with at_most(1.0):
        assert [router.catalogue is SIX for _ in range(100)] == [True] * 100
    assert eventually(lambda: source.fetches == 2)
    assert router.status().refreshing
    shut.open()
    assert ids(settled(router).catalogue) == ids(OTHER)
    assert source.fetches == 2


def test_recovery(machine: Machine) -> None:
    """R6: through failures the last good catalogue answers; within a minute of the server's recovery it is renewed."""
    source = FakeSource(SIX, *[DOWN] * 9, OTHER)
    router = machine.router(source)
    router.refresh()
    machine.passes(TTL)
    while source.fetches < 10:
        assert asked(router) is SIX
        machine.passes(1)

    machine.passes(60)
    assert ids(asked(router)) == ids(OTHER)
    status = router.status()
    assert (status.failures, status.refreshes, status.last_error) == (9, 2, None)


def test_max_stale_is_marked(machine: Machine) -> None:
    """S12: what is older than `max_stale` answers, and the decision and the status say so; a refresh ends it."""
    source = FakeSource(SIX, DOWN, OTHER)
    router = machine.router(source)
    router.refresh()

    machine.passes(MAX_STALE - 1)
    asked(router)
    assert not router.explain("pdf_input").stale
    machine.passes(1)
    assert router.select("pdf_input").id == "claude-fake-0"
    assert (router.explain("pdf_input").stale, settled(router).status().stale) == (True, True)
    router.refresh()
    assert not router.status().stale


def test_what_is_too_old_is_told_of_once(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """S12: a warning says that `max_stale` has passed, once until a refresh has ended it."""
    router = machine.router(FakeSource(SIX, DOWN, DOWN, DOWN, SIX, DOWN))

    def told() -> int:
        return caplog.text.count("is older than max_stale, 1000 s, and has not been renewed")

    counts = []
    for seconds in (0, MAX_STALE - 1, 1, 5, 5, MAX_STALE):
        machine.passes(seconds)
        with suppress(CatalogueUnavailableError):
            router.refresh()
        counts.append(told())
    assert counts == [0, 0, 1, 1, 1, 2]


def test_strict_raises_when_too_old(machine: Machine) -> None:
    """S12: with `strict`, what is too old is an error with the cause; the server is asked no more often for it."""
    source = FakeSource(SIX, *[DOWN] * 50, OTHER)
    router = machine.router(source, strict=True)
    router.refresh()
    machine.passes(MAX_STALE - 0.5)
    assert asked(router) is SIX
    machine.passes(0.5)

    for _ in range(100):
        with pytest.raises(
            CatalogueUnavailableError, match=r"older than max_stale \(1000 s\)"
        ) as caught:
            asked(router)
        assert caught.value.__cause__ is not None
    assert source.fetches == 2
    for _ in range(600):
        machine.passes(1)
        with pytest.raises(CatalogueUnavailableError):
            _ = router.catalogue
        settled(router)
    assert 10 <= source.fetches <= 20

    while source.fetches < 52:
        machine.passes(60)
        with suppress(CatalogueUnavailableError):
            _ = router.catalogue
        settled(router)
    assert ids(router.catalogue) == ids(OTHER)


def test_strict_expiry_within_the_ttl(machine: Machine, shut: Gate) -> None:
    """With `strict`, a `max_stale` shorter than the time to the next refresh holds all the same."""
    router = machine.router(
        FakeSource(SIX, shut.before(OTHER)), strict=True, ttl=1000, max_stale=50
    )
    router.refresh()

    machine.passes(49)
    assert router.catalogue is SIX
    machine.passes(1)
    with pytest.raises(CatalogueUnavailableError, match="max_stale"):
        _ = router.catalogue


def test_strict_never_stands_in(machine: Machine) -> None:
    """With `strict` and no catalogue there is an error, and the server is left alone until the next try is due."""
    source = FakeSource(DOWN, DOWN, SIX)
    router = machine.router(source, strict=True)

    assert [repr(answer) for answer in at_once(lambda: router.catalogue)] == [repr(DOWN)] * 50
    assert source.fetches == 1
    assert router.status().source is None
    machine.passes(3.9)
    with pytest.raises(CatalogueUnavailableError, match="down"):
        router.select()
    assert source.fetches == 1
    machine.passes(0.2)
    with pytest.raises(CatalogueUnavailableError, match="down"):
        router.select()
    assert source.fetches == 2
    machine.passes(8.1)
    assert router.catalogue is SIX


def test_strict_waits_once_for_what_hangs(machine: Machine, shut: Gate) -> None:
    """N2: with `strict`, only the first answer waits for a load that hangs."""
    source = FakeSource(shut.before(SIX))
    router = machine.router(source, strict=True, deadline=0.05)
    with pytest.raises(CatalogueUnavailableError, match="no whole answer"):
        router.select()

    with at_most(0.3), pytest.raises(CatalogueUnavailableError, match="no whole answer"):
        router.select()
    assert source.fetches == 1


def test_strict_inside_a_loop(machine: Machine, shut: Gate) -> None:
    """C6: with `strict`, inside a running loop the first answer is an error at once, and the next is the catalogue."""
    router = machine.router(FakeSource(shut.before(SIX)), strict=True)

    async def main() -> Catalogue:
        with at_most(1.0), pytest.raises(CatalogueUnavailableError, match="inside an event loop"):
            router.select()
        shut.open()
        await router.arefresh()
        return router.catalogue

    assert asyncio.run(main()) is SIX


def test_a_load_given_up_comes_too_late(machine: Machine, shut: Gate) -> None:
    """What a hanging load brings in the end counts, unless a later load has landed before it."""
    source = FakeSource(shut.before(SIX), OTHER)
    router = machine.router(source, deadline=0.05)
    assert router.catalogue.source == "bundled"
    machine.passes(10)
    assert ids(router.refresh()) == ids(OTHER)

    shut.open()
    assert eventually(lambda: not any(thread.is_alive() for thread in source.threads))
    assert ids(router.catalogue) == ids(OTHER)


def test_what_is_given_up_is_not_stored(shared: Machine, shut: Gate) -> None:
    """P14: nor does the disk go back to what a load that was given up brings in the end."""
    source = FakeSource(shut.before(SIX), OTHER, identity=IDENTITY)
    router = shared.router(source, deadline=0.05)
    _ = router.catalogue
    shared.passes(10)
    router.refresh()

    shut.open()
    assert eventually(lambda: not any(thread.is_alive() for thread in source.threads))
    assert ids(shared.router(FakeSource(DOWN, identity=IDENTITY)).catalogue) == ids(OTHER)


def test_a_renewal_that_hangs_is_given_up(
    machine: Machine, shut: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """N2: a renewal that hangs where no deadline can stop it counts as failed, and does not keep the next one away."""
    told: list[CatalogueUnavailableError] = []
    source = FakeSource(SIX, shut.before(SIX), OTHER)
    router = machine.router(source, deadline=10, on_error=told.append)
    router.refresh()
    machine.passes(TTL)
    assert router.catalogue is SIX
    assert eventually(lambda: source.fetches == 2)

    machine.passes(10.4)
    assert router.catalogue is SIX
    assert router.status().refreshing
    machine.passes(0.1)
    assert router.catalogue is SIX
    status = router.status()
    assert (status.refreshing, status.failures, status.next_refresh) == (False, 1, 4.0)
    assert "no whole answer within the deadline of 10 s" in caplog.text
    assert told == []

    machine.passes(4)
    assert router.catalogue is SIX
    assert eventually(lambda: ids(router.catalogue) == ids(OTHER))
    assert eventually(lambda: told == [status.last_error])


def test_a_disk_that_hangs(shared: Machine, shut: Gate) -> None:
    """D3: a refresh whose catalogue is held has not failed because the disk hangs, nor do further ones."""
    source = FakeSource(SIX, OTHER, *[SIX, OTHER] * MAX_IN_FLIGHT, identity=IDENTITY)
    told: list[Catalogue] = []
    router = shared.router(
        source, deadline=0.05, on_refresh=lambda _old, new, _diff: told.append(new)
    )
    wait = shut.before(SIX)

    class Hanging(Store):
        def write(self, stored: Stored) -> bool:
            wait()
            return super().write(stored)

    router._loader._disk._open_store = lambda: Hanging(
        str(shared.cache), IDENTITY, wall=shared.wall
    )
    for number in range(2):
        assert ids(router.refresh()) == ids((SIX, OTHER)[number])
        assert router.status().last_error is None
    assert router.status().failures == 0
    shut.open()
    assert eventually(lambda: not any(thread.is_alive() for thread in source.threads))
    assert sorted(map(len, told)) == [6, 6]


def test_a_change_is_told_once(machine: Machine, shut: Gate) -> None:
    """A hook hears nothing of a load that was given up and came too late to be held."""
    told: list[list[str]] = []
    source = FakeSource(SIX, shut.before(OTHER), listing(7))
    router = machine.router(
        source, deadline=0.05, on_refresh=lambda _old, new, _diff: told.append(ids(new))
    )
    router.refresh()
    with pytest.raises(CatalogueUnavailableError, match="no whole answer"):
        router.refresh()
    router.refresh()
    shut.open()
    assert eventually(lambda: not any(thread.is_alive() for thread in source.threads))
    assert told == [ids(SIX), ids(listing(7))]


def test_few_renewals_hang_at_once(machine: Machine, shut: Gate) -> None:
    """E2: while renewals hang, no more than a handful of threads wait for their end; then all is as before."""
    source = FakeSource(SIX, *[shut.before(OTHER)] * MAX_IN_FLIGHT, OTHER)
    router = machine.router(source, deadline=10)
    router.refresh()

    for _ in range(100):
        machine.passes(70)
        assert router.catalogue is SIX
    assert eventually(lambda: source.fetches == 1 + MAX_IN_FLIGHT)
    with pytest.raises(CatalogueUnavailableError, match="no whole answer"), at_most(1.0):
        router.refresh()

    shut.open()
    assert eventually(lambda: not any(thread.is_alive() for thread in source.threads))
    assert ids(router.refresh()) == ids(OTHER)
    assert source.fetches == 2 + MAX_IN_FLIGHT


@pytest.mark.parametrize(
    "step", [-86_400.0, -3600.0, -1.0, 3600.0, 86_400.0, pytest.param(-NOON, id="to the epoch")]
)
def test_the_wall_clock_is_set(machine: Machine, step: float) -> None:
    """T1: whatever becomes of the wall clock, what is fetched is taken, at the pace of the monotonic one."""
    source = FakeSource(SIX, OTHER, SIX)
    router = machine.router(source)
    router.refresh()
    machine.wall.now += step

    assert router.catalogue is SIX
    assert source.fetches == 1
    machine.passes(TTL)
    assert ids(asked(router)) == ids(OTHER)
    for _ in range(50):
        machine.passes(1)
        asked(router)
    assert source.fetches == 2
    assert router.status().as_of == datetime.fromtimestamp(machine.wall.now - 50, UTC)


@pytest.mark.parametrize("begins", [0.0, 0.001, 1e8])
def test_a_monotonic_clock_may_begin_anywhere(tmp_path: Path, begins: float) -> None:
    """T3: where the clock of a process begins, at its boot or years later, changes nothing of when what happens."""
    machine = Machine(tmp_path / "cache", clock=FakeClock(begins))
    source = FakeSource(SIX, DOWN, OTHER, DOWN, identity=IDENTITY)
    router = machine.router(source)

    def standing() -> tuple[object, ...]:
        ids_held, status = ids(asked(router)), router.status()
        assert status.age is not None
        assert status.next_refresh is not None
        return (
            source.fetches,
            ids_held == ids(OTHER),
            round(status.age),
            round(status.next_refresh, 1),
            status.stale,
        )

    assert router.status().next_refresh == 0.0
    assert standing() == (1, False, 0, 0.9 * TTL, False)
    machine.passes(0.9 * TTL - 1)
    assert standing() == (1, False, 89, 1.0, False)
    machine.passes(2)
    assert standing() == (2, False, 91, 4.0, False)
    machine.passes(3)
    assert standing() == (2, False, 94, 1.0, False)
    machine.passes(2)
    assert standing() == (3, True, 0, 0.9 * TTL, False)
    machine.passes(MAX_STALE - 1)
    assert standing() == (4, True, 999, 4.0, False)
    machine.passes(1)
    assert standing() == (4, True, 1000, 3.0, True)


@pytest.mark.parametrize(("begins", "then"), [(1e8, 0.001), (0.001, 1e8)])
def test_processes_whose_monotonic_clocks_differ(
    tmp_path: Path, begins: float, then: float
) -> None:
    """T3: of what lies on disk only the wall clock counts: one process may have booted years before another."""
    machine = Machine(tmp_path / "cache", clock=FakeClock(begins))
    machine.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    machine.passes(10)
    machine.clock.now = then
    source = FakeSource(OTHER, identity=IDENTITY)
    router = machine.router(source)

    assert asked(router).source == "disk"
    status = router.status()
    assert (status.age, status.stale, source.fetches) == (10.0, False, 0)
    assert status.next_refresh == pytest.approx(80.0)
    machine.passes(81)
    assert ids(asked(router)) == ids(OTHER)


def test_an_empty_catalogue_is_one(machine: Machine) -> None:
    """P12: a catalogue without models is held like another: it has a source, an age, and no stand-in."""
    router = machine.router(FakeSource(listing(0), listing(0), DOWN))

    assert len(router.catalogue) == 0
    machine.passes(5)
    status = router.status()
    assert (status.source, status.age, status.stale) == ("live", 5.0, False)
    with pytest.raises(CatalogueUnavailableError):
        router.refresh()
    assert router.catalogue.source == "live"


def test_a_failure_names_an_empty_catalogue(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning of a failed refresh does not say that there is no catalogue where it has no models."""
    router = machine.router(FakeSource(listing(0), listing(0), DOWN))
    router.refresh()
    with pytest.raises(CatalogueUnavailableError):
        router.refresh()

    assert "the live catalogue is used" in caplog.text


# Over processes that share a disk


def test_fresh_on_disk(shared: Machine) -> None:
    """What another process has fetched within `ttl` is served without a request, and says how old it is."""
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    shared.passes(0.9 * TTL - 1)
    source = FakeSource(DOWN, identity=IDENTITY)

    router = shared.router(source)
    catalogue = router.catalogue
    status = settled(router).status()

    assert (catalogue.source, catalogue.digest, source.fetches) == ("disk", SIX.digest, 0)
    assert status.as_of == catalogue.as_of == datetime.fromtimestamp(NOON, UTC)
    assert (status.age, status.next_refresh, status.stale) == (0.9 * TTL - 1, 1.0, False)
    shared.passes(1)
    asked(router)
    assert source.fetches == 1


def test_old_on_disk(shared: Machine, shut: Gate) -> None:
    """What is older than `ttl` is served at once all the same, with one request behind it."""
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    shared.passes(TTL)
    source = FakeSource(shut.before(OTHER), identity=IDENTITY)
    router = shared.router(source)

    with at_most(1.0):
        assert [
            answer.source
            for answer in at_once(lambda: router.catalogue)
            if isinstance(answer, Catalogue)
        ] == ["disk"] * 50
    shut.open()
    assert ids(settled(router).catalogue) == ids(OTHER)
    assert source.fetches == 1
    assert not router.status().stale


@pytest.mark.parametrize("strict", [False, True])
def test_too_old_on_disk(shared: Machine, strict: bool) -> None:
    """What is older than `max_stale` is served as stale; with `strict` it is not there, and the source is awaited."""
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    shared.passes(MAX_STALE)
    source = FakeSource(OTHER, identity=IDENTITY)
    router = shared.router(source, strict=strict)

    catalogue = router.catalogue

    assert catalogue.source == ("live" if strict else "disk")
    assert ids(settled(router).catalogue) == ids(OTHER)
    assert source.fetches == 1


def test_stale_on_disk_says_so(shared: Machine) -> None:
    """S12: what was on disk longer than `max_stale` is marked stale while the source fails."""
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    shared.passes(MAX_STALE)
    router = shared.router(FakeSource(DOWN, identity=IDENTITY))

    assert asked(router).source == "disk"
    assert router.status().stale


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_older_on_disk_than_in_the_package(tmp_path: Path, *, strict: bool, frozen: bool) -> None:
    """D8: what an API has said goes before what came with the library, however much older it is."""
    bundled = Catalogue.bundled().as_of
    assert bundled
    machine = Machine(tmp_path / "cache", wall=FakeClock(bundled.timestamp() - 400 * 86_400))
    machine.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    machine.passes(500 * 86_400)
    source = FakeSource(DOWN, identity=IDENTITY)
    router = machine.router(source, strict=strict, frozen=frozen, max_stale=1000 * 86_400)

    for _ in range(2):
        assert (asked(router).source, router.catalogue.digest) == ("disk", SIX.digest)
        assert router.select().id == "claude-fake-0"
    assert (router.status().source, router.status().age) == ("disk", 500 * 86_400)
    assert source.fetches == (0 if frozen else 1)


@pytest.mark.parametrize("ahead", [301.0, 86_400.0, 10**9])
@pytest.mark.parametrize("outcome", [OTHER, DOWN], ids=["good", "failing"])
def test_future_on_disk(
    shared: Machine, ahead: float, outcome: Catalogue | CatalogueUnavailableError
) -> None:
    """D8: what claims to be of the future is served and due at once, and asked for no more often than another."""
    shared.wall.now += ahead
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    shared.wall.now -= ahead
    source = FakeSource(outcome, identity=IDENTITY)
    router = shared.router(source)

    assert router.catalogue.source == "disk"
    settled(router)
    assert source.fetches == 1
    if outcome is not DOWN:
        assert ids(router.catalogue) == ids(OTHER)
    for _ in range(80):
        shared.passes(1)
        asked(router)
    assert source.fetches <= (1 if outcome is not DOWN else 6)
    if outcome is not DOWN:
        assert router.status().age == 80.0
        assert shared.router(FakeSource(DOWN, identity=IDENTITY)).catalogue.digest == OTHER.digest


def test_a_little_ahead_on_disk(shared: Machine) -> None:
    """D8: clocks that differ by up to five minutes are no cause for a request."""
    shared.wall.now += 299
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    shared.wall.now -= 299
    source = FakeSource(OTHER, identity=IDENTITY)
    router = shared.router(source)

    assert asked(router).source == "disk"
    assert source.fetches == 0
    assert router.status().age == 0.0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda text: text[:-1],
        lambda text: text[:200] + b"?" + text[201:],
        lambda _: b"junk\n",
    ],
    ids=["empty", "cut", "flipped", "junk"],
)
def test_corrupt_on_disk(
    shared: Machine, spoil: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """D5: a file that is not as it was written is not there: one warning, one request, and it is written anew."""
    assert shared.cache
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    path = shared.cache / f"catalogue-{IDENTITY}.json"
    path.write_bytes(spoil(path.read_bytes()))
    source = FakeSource(OTHER, identity=IDENTITY)

    assert shared.router(source).catalogue is OTHER

    assert source.fetches == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert shared.router(FakeSource(DOWN, identity=IDENTITY)).catalogue.digest == OTHER.digest


@pytest.mark.parametrize(
    "unreadable",
    [
        [*entries(1), {"id": "no id"}],
        [entries(1)[0], entries(1)[0] | {"max_tokens": 1}],
        [7],
    ],
    ids=str,
)
def test_entries_on_disk_that_cannot_be_read(shared: Machine, unreadable: list[Any]) -> None:
    """D5: a whole file of entries that are none is not there either."""
    assert shared.cache
    Store(str(shared.cache), IDENTITY, wall=shared.wall).write(Stored(unreadable, NOON, {}))
    router = shared.router(FakeSource(SIX, identity=IDENTITY))

    assert router.catalogue is SIX


@pytest.mark.parametrize("fetched_at", [1e300, -1e300, 1e12])
def test_dates_on_disk_that_are_none(shared: Machine, fetched_at: float) -> None:
    """D8: a moment that no calendar has makes the file not there."""
    assert shared.cache
    Store(str(shared.cache), IDENTITY, wall=shared.wall).write(Stored(entries(2), fetched_at, {}))
    router = shared.router(FakeSource(SIX, identity=IDENTITY))

    assert router.catalogue is SIX
    assert router.status().age == 0.0


BASE: dict[str, Any] = {"api_key": KEY, "base_url": "https://gateway.example", "environ": {}}
APART: dict[str, dict[str, Any]] = {
    "key": {"api_key": "another"},
    "token": {"api_key": None, "auth_token": KEY},
    "base-url": {"base_url": "https://gateway.example/v2"},
    "betas": {"betas": ["one"]},
    "two-betas": {"betas": ["one", "two"]},
    "workspace": {"workspace_id": "wrkspc_1"},
    "another-workspace": {"workspace_id": "wrkspc_2"},
    "version": {"version": "2026-01-01"},
    "lifecycle": {"lifecycle": ["active"]},
    "two-stages": {"lifecycle": ["active", "retired"]},
    "betas-as-workspace": {"workspace_id": "one"},
}


def test_what_is_never_shared() -> None:
    """D7: whatever changes the answer changes the name of the file, from which nothing can be read."""
    names = {
        name: AnthropicSource(**BASE | other).identity
        for name, other in {"plain": {}, **APART}.items()
    }

    assert len({*names.values()}) == len(names)
    for name in names.values():
        assert name is not None
        assert len(name) == 40
        assert set(name) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "same",
    [
        {"betas": ["two", "one", "one"]},
        {"betas": ["one", "two"], "page_size": 3},
        {"betas": ["one", "two"], "documented": None},
        {"betas": ["one", "two"], "base_url": " https://gateway.example/ "},
        {"betas": ["one", "two"], "api_key": f" {KEY}\n"},
    ],
    ids=str,
)
def test_what_is_shared(same: dict[str, Any]) -> None:
    """D7: the order of betas, the size of pages, and space round a value make no other file."""
    assert (
        AnthropicSource(**BASE | same).identity
        == AnthropicSource(**BASE | {"betas": ["one", "two"]}).identity
    )


def test_stages_in_any_order() -> None:
    """D7: nor does the order of stages."""
    one, other = (
        AnthropicSource(**BASE | {"lifecycle": stages})
        for stages in (["active", "retired"], ["retired", "active"])
    )

    assert one.identity == other.identity


def test_two_keys_have_two_files(shared: Machine, api: FakeAPI) -> None:
    """D7: with another workspace nothing of the first is served, and no part of the key is on disk."""
    assert shared.cache
    shared.router(live(api)).refresh()
    api.models = entries(2)

    other = shared.router(live(api, workspace_id="wrkspc_1"))

    assert len(other.catalogue) == 2
    assert len(shared.router(live(api)).catalogue) == 6
    files = [*shared.cache.iterdir()]
    assert len([path for path in files if path.suffix == ".json"]) == 2
    assert leaks(*files, *(path.read_bytes() for path in files)) == []


def test_a_listing_that_shrinks_between_processes(shared: Machine) -> None:
    """P13: a process that holds nothing yet compares a listing with what another one has stored."""
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    source = FakeSource(listing(2), listing(3), identity=IDENTITY)

    with pytest.raises(
        CatalogueUnavailableError, match="the listing has only 2 models, and the next one differs"
    ):
        shared.router(source).refresh()
    agreed = FakeSource(listing(2), identity=IDENTITY)
    assert len(shared.router(agreed).refresh()) == 2
    assert (source.fetches, agreed.fetches) == (2, 2)


@pytest.mark.parametrize(("documented", "priced"), [("packaged", True), (None, False)])
def test_documented_facts_are_those_of_the_source(
    shared: Machine, documented: str | None, priced: bool
) -> None:
    """What is laid over a live answer is laid over what stands in for it, and over what the disk has kept of it."""
    with serve([{"id": "claude-opus-5-5", "created_at": "2026-09-28T00:00:00Z"}]) as api:
        source = live(api, documented=documented)
        api.script(reply(400))
        stand_in = shared.router(source).catalogue
        shared.passes(600)
        fetched = shared.router(source).refresh()
        kept = shared.router(source).catalogue

    assert [stand_in.source, fetched.source, kept.source] == ["bundled", "live", "disk"]
    for catalogue in (stand_in, fetched, kept):
        assert ("price.output" in catalogue["claude-opus-5-5"].values) is priced


def test_documented_facts_of_a_source_that_says_nothing_of_them(shared: Machine) -> None:
    """What the disk has kept of such a source has the facts that come with the library."""
    plain = Catalogue.from_listing(
        [{"id": "claude-opus-5-5", "created_at": "2026-09-28T00:00:00Z"}], source="live"
    )
    shared.router(FakeSource(plain, identity=IDENTITY)).refresh()
    kept = shared.router(FakeSource(DOWN, identity=IDENTITY)).catalogue

    assert kept.source == "disk"
    assert "price.output" in kept["claude-opus-5-5"].values


def test_strict_takes_what_the_disk_has_kept(shared: Machine) -> None:
    """With `strict`, what another process has fetched answers while it is not too old, and nothing older does."""
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    shared.passes(MAX_STALE - 1)
    assert (
        shared.router(FakeSource(DOWN, identity=IDENTITY), strict=True).catalogue.source == "disk"
    )
    shared.passes(2)
    with pytest.raises(CatalogueUnavailableError, match="down"):
        _ = shared.router(FakeSource(DOWN, identity=IDENTITY), strict=True).catalogue


def test_the_disk_is_looked_at_once(shared: Machine) -> None:
    """A router that holds nothing looks on disk at its first question, and not at each one after that."""
    assert shared.cache
    shared.cache.mkdir(mode=0o700)
    router = shared.router(FakeSource(DOWN, identity=IDENTITY), strict=True)
    assert router.status().source is None
    Store(str(shared.cache), IDENTITY, wall=shared.wall).write(Stored(entries(2), NOON, {}))
    assert router.status().source is None


def test_pages_of_any_size_share_a_file(shared: Machine, api: FakeAPI) -> None:
    """D7: a process with another size of pages finds what the first has fetched."""
    shared.router(live(api)).refresh()

    assert shared.router(live(api, page_size=2)).catalogue.source == "disk"
    assert len(api.requests) == 1


def test_one_request_serves_two_processes(shared: Machine) -> None:
    """C8: a process whose catalogue is due takes what another has just fetched; an explicit refresh asks itself."""
    first, second = (FakeSource(SIX, OTHER, identity=IDENTITY) for _ in range(2))
    one, two = shared.router(first), shared.router(second)
    one.refresh()
    assert two.catalogue.source == "disk"
    shared.passes(TTL)
    one.refresh()
    shared.passes(1)

    assert ids(asked(two)) == ids(OTHER)
    assert second.fetches == 0
    assert two.status().age == 1.0
    two.refresh()
    assert second.fetches == 1


def test_a_failure_is_shared(shared: Machine) -> None:
    """C8: while the failure of one process holds, another makes no request, but for an explicit refresh."""
    first, second = FakeSource(DOWN, identity=IDENTITY), FakeSource(SIX, identity=IDENTITY)
    assert shared.router(first).catalogue.source == "bundled"
    errors: list[CatalogueUnavailableError] = []
    router = shared.router(second, on_error=errors.append)

    assert asked(router).source == "bundled"
    assert (second.fetches, [(str(error), error.status) for error in errors]) == (
        0,
        [("down", 500)],
    )
    assert len(router.refresh()) == 6
    assert second.fetches == 1


def test_a_failure_of_any_kind_is_shared(shared: Machine) -> None:
    """C8: another process hears of the same failure, also of one that is of the listing and not of the server."""
    odd = FakeSource(CatalogueError("the listing is odd"), identity=IDENTITY)
    assert shared.router(odd).catalogue.source == "bundled"
    source = FakeSource(SIX, identity=IDENTITY)
    router = shared.router(source)

    assert asked(router).source == "bundled"
    assert (source.fetches, str(router.status().last_error)) == (0, "the listing is odd")


def test_a_failure_is_shared_until_its_time(shared: Machine) -> None:
    """C8: once the next try of the one is due, the other may make it; a success ends the failure for all."""
    shared.router(FakeSource(DOWN, identity=IDENTITY)).catalogue  # noqa: B018 - the answer is the point
    source = FakeSource(SIX, identity=IDENTITY)
    router = shared.router(source)
    _ = router.catalogue

    shared.passes(3.9)
    asked(router)
    assert source.fetches == 0
    shared.passes(0.2)
    asked(router)
    assert source.fetches == 1
    other = FakeSource(DOWN, identity=IDENTITY)
    assert shared.router(other).catalogue.source == "disk"
    assert other.fetches == 0


@pytest.mark.parametrize(
    ("failed", "seconds"),
    [
        (CatalogueUnavailableError("busy", status=429, retry_after=100.0, retryable=True), 100),
        (CatalogueUnavailableError("no", status=401), 240),
    ],
    ids=["it named its time", "a refused key"],
)
def test_a_failure_is_shared_for_as_long_as_it_says(
    shared: Machine, failed: CatalogueUnavailableError, seconds: int
) -> None:
    """R3, K7: until the server said to come back, or for minutes after a refusal, no process comes; soon after, one."""
    shared.router(FakeSource(failed, identity=IDENTITY), deadline=5).catalogue  # noqa: B018 - the answer is the point
    source = FakeSource(SIX, identity=IDENTITY)
    router = shared.router(source)

    for _ in range(seconds):
        asked(router)
        shared.passes(1)
    assert source.fetches == 0
    shared.passes(8)
    asked(router)
    assert source.fetches == 1


def test_a_shared_failure_is_like_ones_own(shared: Machine) -> None:
    """C8: it says when to come back and whether to, spreads the processes after it, and is no failure of this one's."""
    shared.random = 1.0
    assert shared.router(FakeSource(DOWN, identity=IDENTITY)).catalogue.source == "bundled"
    router = shared.router(FakeSource(DOWN, identity=IDENTITY))
    _ = asked(router)

    status = router.status()
    assert status.last_error is not None
    assert (status.last_error.retry_after, status.last_error.retryable) == (5.0, True)
    assert status.next_refresh == 7.0
    shared.passes(8)
    _ = asked(router)
    assert router.status().next_refresh == 5.0


def test_a_refused_key_is_shared_as_such(shared: Machine) -> None:
    """K7: what no later try can cure is not said to be worth one because another process has met it."""
    refused = FakeSource(CatalogueUnavailableError("no", status=401), identity=IDENTITY)
    _ = shared.router(refused).catalogue
    router = shared.router(FakeSource(SIX, identity=IDENTITY))
    _ = asked(router)

    error = router.status().last_error
    assert error is not None
    assert (error.status, error.retryable) == (401, False)


def test_a_failure_is_known_before_the_first_renewal(shared: Machine) -> None:
    """C8: a process that reads an old catalogue from disk begins nothing while the failure of another holds."""
    first = shared.router(FakeSource(SIX, DOWN, identity=IDENTITY))
    first.refresh()
    shared.passes(TTL)
    _ = asked(first)
    router = shared.router(FakeSource(SIX, identity=IDENTITY))

    assert asked(router).source == "disk"
    assert (router.status().failures, router.status().next_refresh) == (0, 4.0)


def test_a_refresh_is_not_answered_from_the_future(shared: Machine) -> None:
    """What is on disk from a clock that goes ahead is no answer to who asks for that of now."""
    ahead = Machine(shared.cache, wall=FakeClock(NOON + 60))
    ahead.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    source = FakeSource(OTHER, identity=IDENTITY)

    assert ids(shared.router(source).refresh()) == ids(OTHER)
    assert source.fetches == 1


def test_a_renewal_is_answered_from_a_clock_ahead(shared: Machine) -> None:
    """A renewal that nobody asked for takes what another process has just fetched, though its clock goes ahead."""
    source = FakeSource(SIX, identity=IDENTITY)
    router = shared.router(source)
    router.refresh()
    shared.passes(TTL)
    ahead = Machine(shared.cache, wall=FakeClock(shared.wall.now + 60))
    ahead.router(FakeSource(OTHER, identity=IDENTITY)).refresh()

    assert ids(asked(router)) == ids(OTHER)
    assert source.fetches == 1


def test_a_failure_does_not_hurry_what_is_fresh(shared: Machine) -> None:
    """A fresh catalogue on disk is not renewed earlier because an explicit refresh has failed."""
    first = FakeSource(SIX, DOWN, identity=IDENTITY)
    one = shared.router(first)
    one.refresh()
    with pytest.raises(CatalogueUnavailableError):
        one.refresh()
    source = FakeSource(OTHER, identity=IDENTITY)
    router = shared.router(source)

    _ = router.catalogue
    shared.passes(20)

    assert asked(router).source == "disk"
    assert source.fetches == 0


def test_no_cache(tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a cache nothing is written, and another process finds nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    machine.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    machine.router(FakeSource(SIX), cache_dir=None).refresh()
    machine.router(StaticSource(SIX), cache_dir=None).refresh()

    assert [*tmp_path.iterdir()] == []


def test_the_user_s_cache(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default the cache is in the user's cache directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    machine.router(FakeSource(SIX, identity=IDENTITY), cache_dir=None).refresh()

    assert (tmp_path / "capability-router" / f"catalogue-{IDENTITY}.json").is_file()


def test_a_cache_that_cannot_be_is_none(tmp_path: Path, machine: Machine) -> None:
    """D4: where no cache can be had, everything works without it."""
    path = tmp_path / "file"
    path.write_text("in the way")
    source = FakeSource(SIX, identity=IDENTITY)
    router = machine.router(source, cache_dir=path)

    assert router.catalogue is SIX
    assert router.refresh() is SIX
    assert source.fetches == 2


# What has not changed


def with_validators(*names: str) -> Callable[[Request], bytes]:
    """Return an answer of the API that has validators, and is 304 where they are asked by."""
    offered = {"etag": '"v1"', "last-modified": "Sun, 01 Nov 2026 00:00:00 GMT"}
    conditions = {"etag": "if-none-match", "last-modified": "if-modified-since"}

    def answer(request: Request) -> bytes:
        if any(request.headers.get(conditions[name]) == offered[name] for name in names):
            return reply(304)
        return reply(
            *list_models(entries(6), request.query), {name: offered[name] for name in names}
        )

    return answer


@pytest.mark.parametrize(
    "names", [("etag",), ("last-modified",), ("etag", "last-modified")], ids=" ".join
)
def test_not_modified(machine: Machine, api: FakeAPI, names: tuple[str, ...]) -> None:
    """A 304 keeps the very same catalogue, reads no page, and makes it as young as another."""
    pages: list[int] = []
    router = machine.router(live(api), progress=pages.append)
    api.script(*[with_validators(*names)] * 3)
    first = router.refresh()
    machine.passes(TTL)

    assert router.refresh() is first
    assert router.refresh() is first
    assert (len(api.requests), pages) == (3, [6])
    assert router.status().age == 0.0
    assert first.models == SIX.models


def test_the_same_bytes(machine: Machine, api: FakeAPI) -> None:
    """A body that is the same byte by byte keeps the very same catalogue, also without validators and over pages."""
    router = machine.router(live(api, page_size=4))
    first = router.refresh()
    assert router.refresh() is first
    assert len(api.requests) == 4

    api.models = [*entries(5), entries(6)[5] | {"max_tokens": 1}]
    assert router.refresh() is not first
    assert router.catalogue["claude-fake-5"].max_tokens == 1


def test_validators_of_one_page_only(machine: Machine, api: FakeAPI) -> None:
    """A validator speaks of one page: over more than one it would hide a change of the next."""
    router = machine.router(live(api, page_size=4))
    api.script(*[with_validators("etag", "last-modified")] * 2)
    first = router.refresh()
    assert {*first.validators} == {"sha256"}
    api.models = [*entries(5), entries(6)[5] | {"max_tokens": 1}]
    api.script(with_validators("etag", "last-modified"))

    assert router.refresh()["claude-fake-5"].max_tokens == 1
    assert not [
        each
        for each in api.requests
        if {"if-none-match", "if-modified-since"} & each.headers.keys()
    ]


def test_validators_for_the_first_page_only(machine: Machine, api: FakeAPI) -> None:
    """What was offered with the one page that is held is not what a second page is asked by."""
    everything = list_models(entries(6), [])[1]
    api.script(reply(200, everything, {"etag": '"v1"'}))
    router = machine.router(live(api))
    router.refresh()
    api.script(
        reply(200, everything | {"has_more": True}),
        reply(200, {"data": entries(1, start=9), "has_more": False}),
    )

    assert len(router.refresh()) == 7
    _, first, second = api.requests
    assert first.headers["if-none-match"] == '"v1"'
    assert "if-none-match" not in second.headers


def test_not_modified_since_the_disk(shared: Machine, api: FakeAPI) -> None:
    """Validators outlive the process: what was on disk is confirmed by a 304, and so is as young as another."""
    api.script(*[with_validators("etag")] * 2)
    shared.router(live(api)).refresh()
    shared.passes(TTL)
    router = shared.router(live(api))
    stored = router.catalogue
    assert stored.source == "disk"

    assert settled(router).catalogue is stored
    assert [request.headers.get("if-none-match") for request in api.requests] == [None, '"v1"']
    assert router.status().age == 0.0
    fresh = shared.router(live(api))
    assert fresh.catalogue.digest == stored.digest
    assert len(api.requests) == 2


def test_a_confirmation_is_unconditional(machine: Machine, api: FakeAPI) -> None:
    """P12: the second listing that has to agree with a shrunken first one is asked for without validators."""
    router = machine.router(live(api))
    api.script(with_validators("etag"))
    router.refresh()
    api.models = entries(1)

    assert len(router.refresh()) == 1
    assert [request.headers.get("if-none-match") for request in api.requests] == [
        None,
        '"v1"',
        None,
    ]


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


# All pages or nothing


def paged(api: FakeAPI, *answers: bytes | None) -> None:
    """Answer the next requests like this, `None` as the API does."""
    api.script(*(answer or api.answer for answer in answers))


def test_no_part_of_a_listing(shared: Machine, api: FakeAPI) -> None:
    """P5: a second page that fails leaves the old catalogue, in memory and on disk."""
    router = shared.router(live(api, page_size=4))
    router.refresh()
    api.models = entries(6, start=3)
    paged(api, None, failure(400, "invalid_request_error"), None, failure(403, "permission_error"))

    with pytest.raises(CatalogueUnavailableError, match="403"):
        router.refresh()

    assert ids(router.catalogue) == ids(SIX)
    assert shared.router(live(api)).catalogue.digest == SIX.digest


@pytest.mark.parametrize("status", [400, 404])
def test_a_cursor_that_is_gone(machine: Machine, api: FakeAPI, status: int) -> None:
    """P6: a cursor that the next page does not know means a changed listing: it is walked once more, and not twice."""
    router = machine.router(live(api, page_size=4))
    gone = failure(status, "not_found_error")
    paged(api, None, gone)

    assert len(router.refresh()) == 6
    assert len(api.requests) == 4

    paged(api, None, gone, None, gone)
    with pytest.raises(CatalogueUnavailableError, match=str(status)):
        router.refresh()
    assert len(api.requests) == 8


@pytest.mark.parametrize("status", [400, 404])
def test_a_first_page_that_is_refused(machine: Machine, api: FakeAPI, status: int) -> None:
    """P6: a refusal of the first page speaks of no cursor, and is not asked for again."""
    paged(api, failure(status, "not_found_error"))

    with pytest.raises(CatalogueUnavailableError, match=str(status)):
        machine.router(live(api, page_size=4)).refresh()
    assert len(api.requests) == 1


def test_a_second_page_that_fails_otherwise(machine: Machine, api: FakeAPI) -> None:
    """P6: another failure of the second page is no reason to walk anew at once."""
    paged(api, None, failure(403, "permission_error"))

    with pytest.raises(CatalogueUnavailableError, match="403"):
        machine.router(live(api, page_size=4)).refresh()
    assert len(api.requests) == 2


def page(*listed: Entry, more: bool = False) -> bytes:
    """Return one page of these entries."""
    return reply(200, {"data": [*listed], "has_more": more, "last_id": listed[-1]["id"]})


def test_two_entries_that_differ(machine: Machine, api: FakeAPI) -> None:
    """P6: one id with two contents means a changed listing: walked once more, then a failure."""
    router = machine.router(live(api))
    one, two = entries(2)
    changing = [page(one, two, more=True), page(two | {"max_tokens": 1})]
    paged(api, *changing)

    assert len(router.refresh()) == 6
    assert len(api.requests) == 3
    paged(api, *changing, *changing)
    with pytest.raises(CatalogueUnavailableError, match="the listing changes while it is read"):
        router.refresh()
    assert len(router.catalogue) == 6


def test_quarantine_is_counted(machine: Machine, api: FakeAPI) -> None:
    """P9: the status says how many entries could not be read."""
    router = machine.router(live(api))
    assert len(router.refresh()) == 6
    assert router.status().quarantined == 0
    api.models = [*entries(20), {"id": "no id"}, {"id": 7}]

    assert len(router.refresh()) == 20
    assert router.status().quarantined == 2
    api.models = entries(6)
    router.refresh()
    assert router.status().quarantined == 0


# Hooks


def test_on_refresh(machine: Machine) -> None:
    """A hook is told of the old catalogue, the new one and what differs, each time that it has changed."""
    told: list[tuple[Catalogue | None, Catalogue, CatalogueDiff]] = []
    router = machine.router(
        FakeSource(SIX, SIX, OTHER), on_refresh=lambda old, new, diff: told.append((old, new, diff))
    )
    for _ in range(3):
        router.refresh()

    assert eventually(lambda: len(told) == 2)
    (none, first, all_new), (old, new, diff) = told
    assert (none, first, old) == (None, SIX, SIX)
    assert set(all_new.added) == set(ids(SIX))
    assert new is router.catalogue
    assert diff == SIX.diff(OTHER)
    assert diff.added == ("claude-fake-6", "claude-fake-7", "claude-fake-8")
    assert diff.removed == ("claude-fake-0", "claude-fake-1", "claude-fake-2")


def test_on_error(machine: Machine) -> None:
    """A hook is told of each refresh that failed, also in the background."""
    told: list[CatalogueUnavailableError] = []
    router = machine.router(FakeSource(SIX, DOWN, DOWN, OTHER), on_error=told.append)
    router.refresh()
    with pytest.raises(CatalogueUnavailableError):
        router.refresh()
    machine.passes(5)
    asked(router)

    assert eventually(lambda: told == [DOWN, DOWN])


def given_up(machine: Machine, router: Router, source: FakeSource) -> CatalogueUnavailableError:
    """Let a renewal that hangs be given up in a read, which tells no hook; returns why."""
    fetches = source.fetches
    machine.passes(TTL)
    _ = router.catalogue
    assert eventually(lambda: source.fetches > fetches)
    machine.passes(TTL)
    _ = router.catalogue
    error = router.status().last_error
    assert error is not None
    assert "no whole answer" in str(error)
    return error


def slow(
    told: list[CatalogueUnavailableError], shut: Gate
) -> Callable[[CatalogueUnavailableError], None]:
    """Return a hook that notes what it is told, and then waits for the gate."""
    wait = shut.before(SIX)

    def hook(error: CatalogueUnavailableError) -> None:
        told.append(error)
        wait()

    return hook


def test_a_slow_hook_delays_no_refresh(machine: Machine, shut: Gate) -> None:
    """C10: a refresh lands, and is held, while the hook is still told of a load that was given up before it."""
    told: list[CatalogueUnavailableError] = []
    source = FakeSource(SIX, shut.before(SIX), OTHER)
    router = machine.router(source, on_error=slow(told, shut))
    router.refresh()
    error = given_up(machine, router, source)
    assert told == []

    with at_most(5.0):
        assert ids(router.refresh()) == ids(OTHER)
    assert eventually(lambda: told == [error])
    for _ in range(2):
        status = router.status()
        assert (status.refreshing, status.last_error, status.refreshes, status.failures) == (
            False,
            None,
            2,
            1,
        )
        assert ids(router.catalogue) == ids(OTHER)
        shut.open()
        assert eventually(lambda: not any(thread.is_alive() for thread in source.threads))
    assert told == [error]


def test_a_slow_hook_hears_of_each_failure(machine: Machine, shut: Gate) -> None:
    """No failure is lost while the hook is told of another: neither one that follows nor one that was given up."""
    told: list[CatalogueUnavailableError] = []
    with gate() as hooked:
        source = FakeSource(SIX, shut.before(SIX), DOWN, shut.before(SIX), OTHER)
        router = machine.router(source, deadline=1, on_error=slow(told, hooked))
        router.refresh()
        first = given_up(machine, router, source)
        with pytest.raises(CatalogueUnavailableError, match="down"):
            router.refresh()
        assert eventually(lambda: told == [first])
        last = given_up(machine, router, source)
        assert told == [first]

        hooked.open()
        assert eventually(lambda: told == [first, DOWN])
        assert ids(router.refresh()) == ids(OTHER)
        assert eventually(lambda: told == [first, DOWN, last])


def test_what_was_given_up_is_told_once(machine: Machine, shut: Gate) -> None:
    """A flight that was given up and then fails is not told of again."""
    source = FakeSource(shut.before(DOWN))
    errors: list[CatalogueUnavailableError] = []
    router = machine.router(source, deadline=0.1, on_error=errors.append)
    with pytest.raises(CatalogueUnavailableError):
        router.refresh()

    shut.open()
    source.threads[0].join()

    assert [str(error) for error in errors] == ["no whole answer within the deadline of 0.1 s"]


def test_what_a_hook_asks_for_is_given_up_in_silence(machine: Machine, shut: Gate) -> None:
    """A refresh that the hook itself asked for is not told to it, nor when it hangs."""
    source = FakeSource(DOWN, shut.before(SIX), OTHER)
    errors: list[CatalogueUnavailableError] = []

    def ask_again(error: CatalogueUnavailableError) -> None:
        errors.append(error)
        if len(errors) == 1:
            router.refresh()

    router = machine.router(source, deadline=0.1, on_error=ask_again)
    with pytest.raises(CatalogueUnavailableError):
        router.refresh()
    source.threads[0].join()

    assert ids(router.refresh()) == ids(OTHER)
    source.threads[-1].join()
    assert [str(error) for error in errors] == ["down"]


def test_each_that_was_given_up_is_told(machine: Machine, shut: Gate) -> None:
    """Of loads that were given up one after the other, each is told of once there is a thread to do so."""
    told: list[CatalogueUnavailableError] = []
    router = machine.router(
        source := FakeSource(SIX, shut.before(SIX), shut.before(SIX), OTHER), on_error=told.append
    )
    router.refresh()
    errors = [given_up(machine, router, source) for _ in range(2)]
    assert told == []

    router.refresh()
    assert eventually(lambda: told == errors)


@pytest.mark.parametrize("name", ["on_refresh", "on_error"])
def test_what_is_no_hook(machine: Machine, name: str) -> None:
    """A hook that cannot be called is refused by its name when the router is made."""
    with pytest.raises(ConfigurationError, match=rf"^{name} must be a function \(got int\)$"):
        machine.router(FakeSource(SIX), **{name: 7})


def test_hooks_that_fail(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """C10: what a hook raises is logged, and harms nothing."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("of the hook")

    source = FakeSource(SIX, DOWN, OTHER)
    router = machine.router(source, on_refresh=fail, on_error=fail)
    router.refresh()
    with pytest.raises(CatalogueUnavailableError, match="down"):
        router.refresh()
    assert ids(router.refresh()) == ids(OTHER)

    assert eventually(lambda: not any(thread.is_alive() for thread in source.threads))
    assert caplog.text.count("the hook on_refresh failed") == 2
    assert caplog.text.count("the hook on_error failed") == 1
    assert caplog.text.count("ZeroDivisionError: of the hook") == 3


def test_a_hook_that_always_comes_back(machine: Machine) -> None:
    """C12: a hook that answers each failure with a refresh is not told of the failure of that one."""
    told: list[CatalogueUnavailableError] = []

    def insist(error: CatalogueUnavailableError) -> None:
        told.append(error)
        router.refresh()

    source = FakeSource(DOWN)
    router = machine.router(source, on_error=insist)
    for fetches in (2, 4):
        with pytest.raises(CatalogueUnavailableError, match="down"):
            router.refresh()
        assert eventually(lambda: not any(thread.is_alive() for thread in source.threads))
        assert source.fetches == fetches
    assert len(told) == 2


def test_on_refresh_is_for_what_differs(machine: Machine) -> None:
    """A listing that only reads otherwise, byte for byte, is no change."""
    told: list[CatalogueDiff] = []
    router = machine.router(
        FakeSource(SIX, listing(6), OTHER), on_refresh=lambda _old, _new, diff: told.append(diff)
    )
    for _ in range(3):
        router.refresh()

    assert eventually(lambda: len(told) == 2)
    assert told[1] == SIX.diff(OTHER)


@pytest.mark.parametrize("remote", [True, False])
def test_hooks_may_come_back(machine: Machine, remote: bool) -> None:
    """C12: a hook may ask for a model, for the status and for a refresh, in whatever thread it is called."""
    answers: list[object] = []

    def back(*_: object) -> None:
        if len(answers) < 4:
            answers.extend([router.select().id, router.status().refreshing])
            with suppress(CatalogueUnavailableError):
                router.refresh()

    source = FakeSource(SIX, OTHER, DOWN, remote=remote)
    router = machine.router(source, on_refresh=back, on_error=back)

    with at_most(5.0):
        router.refresh()
        assert eventually(lambda: len(answers) == 4)
    assert answers == ["claude-fake-0", False, "claude-fake-3", False]
    assert eventually(lambda: source.fetches == 3)


def test_a_failing_hook_may_come_back(machine: Machine) -> None:
    """C12: so may one that is told of a failure."""
    answers: list[object] = []

    def back(_: CatalogueUnavailableError) -> None:
        answers.append(router.catalogue.source)
        answers.append(len(router.refresh()))

    router = machine.router(FakeSource(DOWN, SIX), on_error=back)

    with at_most(5.0):
        _ = router.catalogue
        assert eventually(lambda: answers == ["bundled", 6])


# The status


def test_status(machine: Machine) -> None:
    """The status says how things stand at each stage, and never asks the source."""
    source = FakeSource(DOWN, SIX, DOWN)
    router = machine.router(source)
    before = router.status()
    assert (before.source, before.as_of, before.age, before.stale) == (None, None, None, True)
    assert (before.next_refresh, before.refreshing, before.last_error, before.refreshes) == (
        0.0,
        False,
        None,
        0,
    )
    assert source.fetches == 0

    _ = router.catalogue
    stand_in = router.status()
    assert (stand_in.source, stand_in.stale, stand_in.next_refresh) == ("bundled", True, 4.0)
    assert stand_in.as_of == Catalogue.bundled().as_of
    assert (str(stand_in.last_error), stand_in.failures) == ("down", 1)

    router.refresh()
    machine.passes(30)
    held = router.status()
    assert (held.source, held.stale, held.age, held.next_refresh) == ("live", False, 30.0, 60.0)
    assert held.as_of == datetime.fromtimestamp(NOON, UTC)
    assert (held.last_error, held.refreshes, held.failures) == (None, 1, 1)

    machine.passes(1000)
    assert router.status().next_refresh == 0.0
    router.close()
    assert router.status().next_refresh is None


def test_status_of_what_never_changes(machine: Machine) -> None:
    """A catalogue given is never due and never stale."""
    router = machine.router(StaticSource(SIX))
    router.refresh()
    machine.passes(10**9)

    status = router.status()
    assert (status.source, status.stale, status.next_refresh, status.refreshes) == (
        "live",
        False,
        None,
        1,
    )


def test_status_looks_on_disk(shared: Machine) -> None:
    """The status of a process that has not answered yet is that of what the disk holds."""
    shared.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    shared.passes(10)
    source = FakeSource(DOWN, identity=IDENTITY)

    status = shared.router(source).status()

    assert (status.source, status.age, status.next_refresh, source.fetches) == (
        "disk",
        10.0,
        80.0,
        0,
    )


def test_status_while_refreshing(machine: Machine, shut: Gate) -> None:
    """The status says that a refresh is under way."""
    source = FakeSource(SIX, shut.before(OTHER))
    router = machine.router(source)
    router.refresh()
    machine.passes(TTL)

    _ = router.catalogue
    assert router.status().refreshing
    shut.open()
    settled(router)


# Files


def write(path: Path, listed: object, at: float) -> None:
    """Put a file in place of that one, as of that moment."""
    text = listed if isinstance(listed, str) else json.dumps(listed)
    path.with_suffix(".new").write_text(text)
    os.utime(path.with_suffix(".new"), (at, at))
    path.with_suffix(".new").replace(path)


def test_a_file_that_changes(machine: Machine, tmp_path: Path) -> None:
    """A file is looked at again a second after the last time, and the answer is that of the file as it is."""
    path = tmp_path / "listing.json"
    write(path, entries(3), NOON)
    router = machine.router(FileSource(path))
    first = router.catalogue

    machine.passes(1)
    assert router.catalogue is first
    write(path, entries(3, start=1), NOON)
    machine.passes(0.9)
    assert router.catalogue is first
    machine.passes(0.2)
    assert ids(router.catalogue) == ["claude-fake-1", "claude-fake-2", "claude-fake-3"]
    assert router.status().next_refresh == 1.0


def test_a_file_that_breaks(
    machine: Machine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is broken or gone keeps the last good catalogue, with one warning, until it is whole again."""
    path = tmp_path / "listing.json"
    write(path, entries(3), NOON)
    router = machine.router(FileSource(path))
    first = router.catalogue
    write(path, "[", NOON + 1)

    for _ in range(5):
        machine.passes(1)
        assert router.catalogue is first
    assert len(caplog.records) == 1
    assert "not JSON" in str(router.status().last_error)
    path.unlink()
    machine.passes(60)
    assert router.catalogue is first
    write(path, entries(2), NOON + 2)
    machine.passes(60)
    assert len(router.catalogue) == 2
    assert router.status().last_error is None


def test_a_file_that_never_was(machine: Machine, tmp_path: Path) -> None:
    """Where there is no file the bundled catalogue stands in, and is called stale, until there is one."""
    path = tmp_path / "listing.json"
    router = machine.router(FileSource(path))

    assert router.explain("line == opus").stale
    assert router.status().source == "bundled"
    write(path, entries(3), NOON)
    machine.passes(5)
    assert router.explain("line == opus").catalogue.source == "file"
    assert not router.status().stale


# What leads from one state to another, without a router


FAILED = CatalogueUnavailableError("down")
NOW, WALL = 50_000.0, NOON
LIMITS = Limits(ttl=TTL, max_stale=MAX_STALE)


def successful(value: Freshness, now: float, age: float = 0.0) -> Freshness:
    """Return what a success leads to, with a catalogue of that age."""
    return value.succeed(now, confirmed_at=WALL - age, wall=WALL, turn=1, random=0.5)


EVENTS: dict[str, Callable[[Freshness, float], Freshness]] = {
    "begin": lambda value, now: value.begin(now, 10.0),
    "succeed": successful,
    "fail": lambda value, now: value.fail(now, FAILED, 10.0),
    "postpone": lambda value, now: value.postpone(now, 10.0),
    "request": lambda value, now: value.request(now, WALL + LEAST_AGE),
}
LASTING = 1e6
"""Seconds after which each delay and each lifetime is over."""


def in_state(state: State, limits: Limits = LIMITS) -> list[Freshness]:
    """Return values that are in that state at `NOW`, by each way that leads there."""
    empty = Freshness(limits=limits)
    ways = {
        State.EMPTY: [empty],
        State.CURRENT: [successful(empty, NOW), successful(EVENTS["fail"](empty, NOW), NOW)],
        State.LOADING: [EVENTS["begin"](empty, NOW), EVENTS["begin"](successful(empty, NOW), NOW)],
        State.WAITING: [EVENTS["fail"](empty, NOW), EVENTS["postpone"](empty, NOW)],
    }
    if state is not State.DUE:
        return ways[state]
    return [each for one in (State.CURRENT, State.LOADING, State.WAITING) for each in in_state(one)]


def documented() -> dict[tuple[State, str], State]:
    """Return the table of the module's docstring."""
    lines = [line.split() for line in str(_freshness.__doc__).splitlines()]
    head = next(line for line in lines if line[:1] == ["State"])[1:-1]
    rows = [line for line in lines if line[:1] and line[0] in State.__members__]
    return {
        (State[row[0]], event): State[row[0] if name == "-" else name]
        for row in rows
        for event, name in zip(head, row[1:], strict=False)
    }


def test_the_table_is_whole() -> None:
    """The table of states has a cell for each state and event."""
    assert documented().keys() == {(state, event) for state in State for event in [*EVENTS, "time"]}


@pytest.mark.parametrize(("state", "event"), documented())
def test_each_cell_of_the_table(state: State, event: str) -> None:
    """From each state, by whichever way it was come to, each event leads to the state that the table names."""
    now = NOW + LASTING if state is State.DUE else NOW
    for value in in_state(state):
        assert value.state(now) is state
        after = value if event == "time" else EVENTS[event](value, now)
        found = after.state(now + LASTING if event == "time" else now)
        assert found is documented()[state, event]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", set(State) - {State.DUE})
def test_what_is_frozen_is_never_due(state: State, event: str) -> None:
    """With `frozen` no event and no time lead to `DUE`."""
    for value in in_state(state, Limits(ttl=TTL, max_stale=MAX_STALE, frozen=True)):
        after = EVENTS[event](value, NOW)
        assert after.state(NOW + LASTING) is not State.DUE


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (0.0, State.CURRENT),
        (TTL - 1, State.CURRENT),
        (TTL, State.DUE),
        (-CLOCK_SKEW + 1, State.CURRENT),
        (-CLOCK_SKEW, State.DUE),
    ],
)
def test_a_success_that_is_due_at_once(age: float, state: State) -> None:
    """A catalogue that has outlived its `ttl`, or is dated in the future, is due when it comes."""
    assert successful(Freshness(limits=LIMITS), NOW, age).state(NOW) is state


def test_a_request_within_the_first_minute() -> None:
    """A catalogue that was confirmed less than a minute ago is not renewed because somebody asks."""
    value = successful(Freshness(limits=LIMITS), NOW)

    assert value.request(NOW, WALL + LEAST_AGE - 1) is value


@pytest.mark.parametrize(("delay", "left"), [(2.0, 10.0), (20.0, 20.0), (1e9, REFUSED_DELAY)])
def test_to_postpone_never_hastens(delay: float, left: float) -> None:
    """What is put off begins no earlier than it would have, and no later than in five minutes."""
    value = EVENTS["fail"](Freshness(limits=LIMITS), NOW).postpone(NOW, delay)

    assert (value.due_at, value.state(NOW)) == (NOW + left, State.WAITING)


@pytest.mark.parametrize(("strict", "left"), [(True, 50.0), (False, 150.0)])
def test_a_strict_read_looks_when_it_becomes_stale(strict: bool, left: float) -> None:
    """With `strict` a read has more to do from when the catalogue is stale, else from when it is due."""
    limits = Limits(ttl=MAX_STALE + 100, max_stale=MAX_STALE, strict=strict)
    value = successful(Freshness(limits=limits), NOW, MAX_STALE - 50)

    assert value.next_check_at == NOW + left
    assert [value.is_stale(NOW + seconds) for seconds in (49.9, 50.0)] == [False, True]
