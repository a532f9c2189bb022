"""A day of refreshes, one a second, a third of them faulty: nothing grows, and nothing is left open."""

from __future__ import annotations

import gc
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import httpx
import pytest
from canary import KEY
from fake_api import Canned, End, FakeAPI, Scripted, entries, failure, plain_transport, reply, serve
from fake_source import FakeClock, eventually

from router import AnthropicSource, Catalogue, CatalogueUnavailableError, Router
from router.catalogue import CatalogueDiff

STATUS: Final = Path("/proc/self/statm")
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not STATUS.exists(), reason="the memory of a process is read from /proc"),
]

DAY: Final = 86_400
WARM: Final = 3000
"""Refreshes after which all that is remembered for good is there."""

GROWTH: Final = 5 * 2**20
FAULTS: Final = (b"", b"{", b'{"data": null, "has_more": false}', b'{"data": [{}], "has_more": false}')

OnRefresh = Callable[[Catalogue | None, Catalogue, CatalogueDiff], object]


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Log nothing: a test keeps all that it logs."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def resident() -> int:
    """Return how many bytes of memory this process has."""
    gc.collect()
    return int(STATUS.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def opened() -> int:
    """Return how many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def page(number: int) -> bytes:
    """Return a page of six models, other ones than the last time."""
    return json.dumps({"data": entries(6, start=number % 4), "has_more": False}).encode()


def bodies() -> Iterator[bytes]:
    """Yield two pages, all different, and then one of the faults, for ever."""
    faults = cycle(FAULTS)
    number = 0
    while True:
        yield page(number)
        yield page(number + 1)
        yield next(faults)
        number += 1


class Endless(httpx.BaseTransport):
    """A transport of those bodies, without a socket."""

    def __init__(self) -> None:
        self._bodies = bodies()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with the next one."""
        return Canned([next(self._bodies)]).handle_request(request)


def soaked(router: Router, clock: FakeClock, times: int) -> int:
    """Refresh so many times, one a second, with a read after each, and return how many failed."""
    failed = 0
    for _ in range(times):
        clock.now += 1
        try:
            router.refresh()
        except CatalogueUnavailableError:
            failed += 1
        assert router.select("pdf_input").id.startswith("claude-fake-")
    return failed


def grown(source: AnthropicSource, times: int, warm: int, on_refresh: OnRefresh | None = None) -> tuple[int, int]:
    """Refresh `warm` times and then `times` times, and return the bytes grown since, and how many failed."""
    clock = FakeClock()
    router = Router(source, cache_dir=False, clock=clock, sleep=clock.sleep, on_refresh=on_refresh)
    soaked(router, clock, warm)
    assert eventually(lambda: threading.active_count() <= BEFORE)
    before, files = resident(), opened()

    failed = soaked(router, clock, times)

    assert eventually(lambda: threading.active_count() <= BEFORE)
    assert opened() == files
    return resident() - before, failed


BEFORE: Final = threading.active_count()


def live(url: str, transport: httpx.BaseTransport) -> AnthropicSource:
    """Return a live source over that transport."""
    return AnthropicSource(api_key=KEY, base_url=url, environ={}, transport=transport)


def test_a_day() -> None:
    """E2: after a day of refreshes memory has grown by 5 MiB at most, and there are as many files and threads."""
    growth, failed = grown(live("https://api.example", Endless()), DAY, WARM)

    assert failed == DAY // 3
    assert growth <= GROWTH


def test_keeping_every_catalogue() -> None:
    """The twin that must fail: who keeps every catalogue grows beyond that within the hour."""
    kept: list[tuple[Catalogue | None, Catalogue, CatalogueDiff]] = []

    growth, _ = grown(live("https://api.example", Endless()), 3600, 600, lambda *told: kept.append(told))

    assert growth > GROWTH


def forget(api: FakeAPI) -> None:
    """Drop what the server keeps of each connection: it is not what is measured."""
    api.requests.clear()
    api._threads[1:] = [thread for thread in api._threads[1:] if thread.is_alive()]


def test_hours_over_sockets(tmp_path: Path) -> None:
    """E2: nor does anything grow or stay open over sockets and a disk, with connections that break."""
    faults: list[Scripted] = [
        failure(401, "authentication_error"),
        reply(200, b"{"),
        [End.CLOSE],
        [End.RESET],
        failure(529, "overloaded_error"),
    ]
    clock = FakeClock()
    with serve(entries(6)) as api:
        router = Router(live(api.url, plain_transport()), cache_dir=tmp_path, clock=clock, sleep=clock.sleep)
        threads = threading.active_count()
        before = files = failed = 0
        for at, fault in enumerate(islice(cycle(faults), 3000)):
            if at == 600:
                before, files = resident(), opened()
            api.models = entries(6, start=at % 4)
            if at % 3 == 2:
                api.script(*[fault] * 3)
            failed += soaked(router, clock, 1)
            api.recover()
            forget(api)
        assert failed == 1000
        assert eventually(lambda: threading.active_count() <= threads + 1)
        assert eventually(lambda: opened() <= files)
        assert resident() - before <= GROWTH
    assert sorted(path.suffix for path in tmp_path.iterdir()) in ([".json", ".lock"], [".failed", ".json", ".lock"])
