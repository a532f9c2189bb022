"""Refreshes by the thousand, a third of them faulty, each work for a process of its own: only there memory can be told.

growth, failed = alone(days, 1)
"""

from __future__ import annotations

import gc
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeVar

import httpx
from canary import KEY
from fake_api import Canned, End, FakeAPI, Scripted, entries, failure, plain_transport, reply, serve
from fake_source import FakeClock, eventually

from router import AnthropicSource, Catalogue, CatalogueUnavailableError, Router
from router.catalogue._diff import CatalogueDiff

STATUS: Final = Path("/proc/self/statm")
WARM: Final = 3000
"""Refreshes after which all that is remembered for good is there."""

FAULTS: Final = (
    b"",
    b"{",
    b'{"data": null, "has_more": false}',
    b'{"data": [{}], "has_more": false}',
)

Told = tuple[Catalogue | None, Catalogue, CatalogueDiff]
Result = TypeVar("Result")


def reject_keywords(work: Callable[..., Result], *arguments: object) -> Result:
    """Return what the work returns in a process of its own, which logs nothing."""
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=logging.disable
    ) as pool:
        return pool.submit(work, *arguments).result()


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


def grown(times: int, *, keeping: bool = False) -> tuple[int, int]:
    """Refresh to be warm and then `times` times, and return the bytes grown since, and how many failed."""
    kept: list[Told] = []
    is_warm = threading.Event()

    def keep(*told: object) -> None:
        if keeping and is_warm.is_set():
            kept.append(told)  # type: ignore[arg-type]

    clock, threads = FakeClock(), threading.active_count()
    source = live("https://api.example", Endless())
    router = Router(source, cache_dir=False, clock=clock, sleep=clock.sleep, on_refresh=keep)
    soaked(router, clock, WARM)
    is_warm.set()
    assert eventually(lambda: threading.active_count() <= threads)
    before, files = resident(), opened()

    failed = soaked(router, clock, times)

    assert eventually(lambda: threading.active_count() <= threads)
    assert opened() == files
    return resident() - before, failed


def live(url: str, transport: httpx.BaseTransport) -> AnthropicSource:
    """Return a live source over that transport."""
    return AnthropicSource(api_key=KEY, base_url=url, environ={}, transport=transport)


def forget(api: FakeAPI) -> None:
    """Drop what the server keeps of each connection: it is not what is measured."""
    api.requests.clear()
    api._threads[1:] = [thread for thread in api._threads[1:] if thread.is_alive()]


def grown_over_sockets(directory: Path) -> tuple[int, int]:
    """Refresh over sockets and a disk, and return the bytes grown since it was warm, and how many failed."""
    faults: list[Scripted] = [
        failure(401, "authentication_error"),
        reply(200, b"{"),
        [End.CLOSE],
        [End.RESET],
        failure(529, "overloaded_error"),
    ]
    clock = FakeClock()
    with serve(entries(6)) as api:
        router = Router(
            live(api.url, plain_transport()), cache_dir=directory, clock=clock, sleep=clock.sleep
        )
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
        assert eventually(lambda: threading.active_count() <= threads + 1)
        assert eventually(lambda: opened() <= files)
        return resident() - before, failed
