"""How late answers are while the catalogue is renewed, against how late they are otherwise on the same machine."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle

import httpx
import pytest
from attrs import frozen
from crowds import Ask, Machine
from fake_api import entries

from router import Router
from router.loading.sources import AnthropicSource


class Turns(httpx.BaseTransport):
    """A transport in place of the network: it answers with one page after the other, over and over."""

    def __init__(self, *pages: bytes) -> None:
        self._pages = cycle(pages)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer any request."""
        return httpx.Response(200, headers={"content-type": "application/json"}, content=next(self._pages))


def pages(count: int) -> list[bytes]:
    """Return two listings of so many models, each in one page."""
    return [json.dumps({"data": entries(count, start=at), "has_more": False}).encode() for at in range(2)]


def latencies(ask: Ask, seconds: float) -> list[float]:
    """Return in how many seconds each call of a schedule of a thousand a second was answered.

    The schedule does not wait for who is late (an open loop): a call that stalls makes the next ones late, and they
    say so.
    """
    began, found = time.perf_counter(), []
    for at in range(int(seconds * 1000)):
        due = began + at / 1000
        left = due - time.perf_counter()
        if left > 0:  # even to sleep for no time gives way to the refresh, call after call
            time.sleep(left)
        ask()
        found.append(time.perf_counter() - due)
    return sorted(found)


@contextmanager
def renewing(renew: Ask, every: float) -> Iterator[None]:
    """Renew again and again, beside what is done meanwhile."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(every):
            renew()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@frozen
class Delay:
    """By how many seconds more calls are late while the catalogue is renewed: all but one of 1,000, and the last."""

    most: float
    worst: float


def delays(ask: Ask, renew: Ask, *, pairs: int, seconds: float) -> Iterator[Delay]:
    """Yield the delay of so many pairs of idle and busy runs, one after the other.

    What the test process holds is kept from the collector: to walk over it takes longer than all that is measured.
    """
    gc.collect()
    gc.freeze()
    try:
        for _ in range(pairs):
            idle = latencies(ask, seconds)
            with renewing(renew, 1.0):
                busy = latencies(ask, seconds)
            at = -len(busy) // 1000
            yield Delay(busy[at] - idle[at], busy[-1] - idle[-1])
    finally:
        gc.unfreeze()


LATER, WORST = 0.005, 0.025


def one_holds(found: Iterable[Delay]) -> bool:
    """Whether a pair of runs held what must hold: on a busy machine either run of a pair may meet what others do."""
    return any(each.most <= LATER and each.worst <= WORST for each in found)


@pytest.fixture
def large() -> Router:
    """A router of a thousand models, of which each refresh brings others."""
    source = AnthropicSource(api_key="k", base_url="https://gateway.example", environ={}, transport=Turns(*pages(1000)))
    router = Machine().router(source)
    router.refresh()
    return router


@pytest.mark.long
@pytest.mark.timeout(300)
def test_no_answer_is_late_for_a_refresh(large: Router) -> None:
    """While a thousand models are fetched each second, 999 of 1,000 answers are 5 ms later than else, and all 25."""
    assert one_holds(delays(lambda: large.select("pdf_input"), large.refresh, pairs=12, seconds=10.0))


@pytest.mark.long
@pytest.mark.timeout(300)
def test_answers_are_late_for_a_lock(large: Router) -> None:
    """The schedule tells a cache whose readers take the lock that its refresh holds."""
    lock = threading.Lock()

    def under(ask: Ask) -> Ask:
        def locked() -> object:
            with lock:
                return ask()

        return locked

    ask, renew = under(lambda: large.select("pdf_input")), under(large.refresh)

    assert not one_holds(delays(ask, renew, pairs=3, seconds=10.0))
