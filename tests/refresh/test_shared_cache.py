"""What processes that share a disk tell each other: catalogues, failures, turns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from canary import KEY, leaks
from crowds import settled
from fake_api import FakeAPI, entries, reply, serve
from fake_source import FakeClock, FakeSource, Gate, at_most, at_once, gate
from machine import (
    DOWN,
    IDENTITY,
    MAX_STALE,
    NOON,
    OTHER,
    SIX,
    TTL,
    Machine,
    asked,
    ids,
    listing,
    live,
)

from router._errors import CatalogueError, CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue
from router.refresh._disk_cache import Store, Stored
from router.refresh._sources import AnthropicSource, StaticSource


@pytest.fixture
def machine() -> Machine:
    """A machine without a cache."""
    return Machine()


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with six models."""
    with serve(entries(6)) as api:
        yield api


@pytest.fixture
def shut() -> Iterator[Gate]:
    """A gate that is shut."""
    with gate() as shut:
        yield shut


@pytest.fixture
def shared(tmp_path: Path) -> Machine:
    """A machine with a cache."""
    return Machine(tmp_path / "cache")


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
