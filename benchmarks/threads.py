"""Threads: how fast many of them are answered while the catalogue is swapped, against one under the same swaps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Final

from attrs import frozen

from benchmarks.catalogues import Subject, bundled
from benchmarks.questions import hold
from benchmarks.scale import Scale
from benchmarks.timing import TIMES, Figure
from router import Catalogue, Router

THREADS: Final = 8
_TEXT: Final = "max_input_tokens >= 1"


@frozen
class _Run:
    """What the threads of one run did: answers a second, and the refreshes that brought another catalogue."""

    rate: float
    swaps: int


class _Swapping:
    """A source that gives a new catalogue each time: all models, and all but one, in turns."""

    remote = False
    identity: str | None = None

    def __init__(self, catalogue: Catalogue, left_out: str) -> None:
        self._lists = cycle(
            [catalogue.models, tuple(model for model in catalogue if model.id != left_out)]
        )
        self.fetched = 0

    def fetch(self, *_: object) -> Catalogue:
        """Return another catalogue than the time before."""
        self.fetched += 1
        return Catalogue(next(self._lists))


def figures(scale: Scale) -> Iterator[Figure]:
    """Measure one thread and many in turns: they give the same number of answers under the same number of swaps."""
    subject = bundled(scale.held)
    alone, together = [], []
    for _ in range(scale.few):
        alone.append(_run(subject, 1, scale))
        together.append(_run(subject, THREADS, scale))
    swaps = {run.swaps for run in (*alone, *together)}
    hold("swaps in each run", swaps, {scale.swaps})
    note = f"{scale.swaps} swaps in {scale.answers:,} answers"
    for name, runs in (("answers to 1 thread", alone), (f"answers to {THREADS} threads", together)):
        yield Figure(name, tuple(run.rate for run in runs), "a second", note=note, at=subject.place)
    ratios = tuple(many.rate / one.rate for one, many in zip(alone, together, strict=True))
    yield Figure(f"answers to {THREADS} threads over 1", ratios, TIMES, note=note, at=subject.place)


def _run(subject: Subject, threads: int, scale: Scale) -> _Run:
    """Let so many threads share the answers and the swaps: each swaps after an equal number of answers."""
    newest, second, *_ = subject.catalogue.candidates(_TEXT)
    source = _Swapping(subject.catalogue, left_out=newest.id)
    router = Router(source, cache_dir=False)
    router.refresh()
    swaps = scale.swaps // threads
    answers = scale.answers // threads // swaps
    one_at_a_time = threading.Lock()
    found: set[str] = set()
    swapped: list[str] = []

    def ask() -> None:
        for _ in range(swaps):
            for _ in range(answers):
                model = router.select(_TEXT)
            found.add(model.id)
            with one_at_a_time:  # two refreshes at the same time would be one
                router.refresh()
                swapped.append(router.select(_TEXT).id)

    workers = [threading.Thread(target=ask) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    hold(
        "the answers after each swap",
        swapped,
        list(islice(cycle((second.id, newest.id)), swaps * threads)),
    )
    hold("other answers", found - {newest.id, second.id}, set())
    return _Run(answers * swaps * threads / seconds, source.fetched - 1)
