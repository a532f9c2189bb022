"""How fresh an answer is: over time, over processes that share a disk, and over what servers do to a listing."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from crowds import settled
from fake_api import entries
from fake_source import FakeClock, FakeSource, Gate, at_most, at_once, eventually, gate
from machine import DOWN, IDENTITY, MAX_STALE, NOON, OTHER, SIX, TTL, Machine, asked, ids, listing

from router._errors import CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue
from router.refresh import _freshness
from router.refresh._disk_cache import Store, Stored
from router.refresh._flight import MAX_IN_FLIGHT
from router.refresh._freshness import CLOCK_SKEW, LEAST_AGE, REFUSED_DELAY, Freshness, Limits, State
from router.refresh._sources import FileSource, StaticSource


@pytest.fixture
def shut() -> Iterator[Gate]:
    """A gate that is shut."""
    with gate() as shut:
        yield shut


@pytest.fixture
def machine() -> Machine:
    """A machine without a cache."""
    return Machine()


@pytest.fixture
def shared(tmp_path: Path) -> Machine:
    """A machine with a cache."""
    return Machine(tmp_path / "cache")


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
        with (
            at_most(1.0),
            pytest.raises(
                CatalogueUnavailableError, match="in an event loop, wait for the first one"
            ),
        ):
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
    assert router.explain("line == opus").source == "file"
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
@pytest.mark.parametrize("state", [each for each in State if each is not State.DUE])
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
