"""From pages to a catalogue: what has not changed is kept, and there is no part of a listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crowds import settled
from fake_api import Entry, FakeAPI, Request, entries, failure, list_models, reply, serve
from machine import SIX, TTL, Machine, ids, live

from router._errors import CatalogueUnavailableError


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with six models."""
    with serve(entries(6)) as api:
        yield api


@pytest.fixture
def machine() -> Machine:
    """A machine without a cache."""
    return Machine()


@pytest.fixture
def shared(tmp_path: Path) -> Machine:
    """A machine with a cache."""
    return Machine(tmp_path / "cache")


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
