"""What the hooks are told of a refresh, when, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import trio
from fake_source import FakeSource, Gate, at_most, eventually, gate
from machine import DOWN, OTHER, SIX, TTL, Machine, asked, ids, listing

from router import Router
from router._errors import CatalogueUnavailableError, ConfigurationError
from router.catalogue._catalogue import Catalogue
from router.catalogue._diff import CatalogueDiff
from router.refresh._notifier import Notifier, in_error_hook


@pytest.fixture
def shut() -> Iterator[Gate]:
    """A gate that is shut."""
    with gate() as shut:
        yield shut


def on_asyncio(call: Callable[[], object]) -> None:
    """Call in a loop of asyncio."""

    async def main() -> None:
        call()

    asyncio.run(main())


def on_trio(call: Callable[[], object]) -> None:
    """Call in a loop of trio."""

    async def main() -> None:
        call()

    trio.run(main)


@pytest.fixture
def machine() -> Machine:
    """A machine without a cache."""
    return Machine()


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


def test_a_hook_within_a_hook() -> None:
    """`on_error` stays marked as running when a failure within it has called it once more."""
    marks: list[bool] = []

    def hook(error: CatalogueUnavailableError) -> None:
        marks.append(in_error_hook())
        if error is DOWN:
            notifier.add_failure(CatalogueUnavailableError("inner"))
            notifier.call_on_error()
            marks.append(in_error_hook())

    notifier = Notifier(None, hook)
    notifier.add_failure(DOWN)
    notifier.call_on_error()

    assert marks == [True, True, True]
    assert not in_error_hook()


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


def owned(machine: Machine, router: Router, source: FakeSource) -> CatalogueUnavailableError:
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
    error = owned(machine, router, source)
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
        first = owned(machine, router, source)
        with pytest.raises(CatalogueUnavailableError, match="down"):
            router.refresh()
        assert eventually(lambda: told == [first])
        last = owned(machine, router, source)
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
    errors = [owned(machine, router, source) for _ in range(2)]
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


@pytest.mark.parametrize("run", [on_asyncio, on_trio], ids=["asyncio", "trio"])
def test_an_answer_before_the_first_catalogue_is_told_once(
    run: Callable[[Callable[[], object]], None], shut: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """In an event loop that did not wait, the first answer of the bundled catalogue says so, and what to do."""
    router = Router(FakeSource(shut.before(SIX)), cache_dir=False)

    def ask() -> None:
        for _ in range(3):
            assert router.select() is not None
            assert router.catalogue.source == "bundled"

    run(ask)
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("WARNING", "router.refresh")
    assert record.getMessage() == (
        "no catalogue is loaded yet, and an event loop does not wait: the bundled one of 2026-11-22 "
        "answers; use `async with Router(...)` or `await router.ready()` to wait"
    )


def test_nothing_is_told_where_an_answer_waits(caplog: pytest.LogCaptureFixture) -> None:
    """Outside of an event loop, after `ready`, and of a source that needs no waiting there is nothing to tell."""
    Router(FakeSource(SIX), cache_dir=False).select()

    async def main() -> None:
        Router(FakeSource(SIX, remote=False)).select()
        router = Router(FakeSource(SIX), cache_dir=False)
        await router.ready()
        router.select()

    asyncio.run(main())
    assert caplog.records == []
