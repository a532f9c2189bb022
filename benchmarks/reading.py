"""Reading: bytes of a listing to a catalogue that is ready to answer, and the memory that it takes."""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from benchmarks.catalogues import Entry, Subject, subjects
from benchmarks.questions import hold
from benchmarks.rows import LITELLM
from benchmarks.scale import Scale
from benchmarks.timing import Figure, paired
from router import Catalogue
from router.models._packaged_facts import PACKAGED
from router.refresh._assembly import assemble
from router.refresh._listing import MAX_PAGE_SIZE, walk

_LONG: Final = 500
"""From so many models on, one reading takes long enough to be timed."""

_READ_TARGETS: Final = {LITELLM: 3.5}
_INDEX_TARGETS: Final = {LITELLM: 90.0}


def figures(scale: Scale) -> Iterator[Figure]:
    """Measure the reading of each catalogue, and what it takes of memory."""
    for subject in subjects(scale):
        pages = pages_of(subject.entries)
        yield _time(pages, subject, scale)
        yield from _memory(pages, subject)


def pages_of(entries: list[Entry]) -> list[bytes]:
    """Return the bodies of a listing as the API serves it, in pages of at most a thousand entries."""
    starts = range(0, len(entries), MAX_PAGE_SIZE)
    return [
        json.dumps(
            {
                "data": (data := entries[start : start + MAX_PAGE_SIZE]),
                "has_more": start + MAX_PAGE_SIZE < len(entries),
                "first_id": data[0]["id"],
                "last_id": data[-1]["id"],
            }
        ).encode()
        for start in starts
    ]


def read(pages: list[bytes]) -> Catalogue:
    """Return the catalogue of a listing, read as a source reads it: within all limits, with the packaged facts."""
    listing = walk()
    next(listing)
    try:
        for page in pages:
            listing.send(page)
    except StopIteration as end:
        return assemble(end.value, "live", datetime.now(UTC), PACKAGED)
    raise ValueError("the listing has no last page")


def _time(pages: list[bytes], subject: Subject, scale: Scale) -> Figure:
    hold(
        "the models that were read",
        {model.id for model in read(pages)},
        {model.id for model in subject.catalogue},
    )
    repeated = 1 if len(subject.entries) >= _LONG else scale.repeated

    def ready() -> None:
        for _ in range(repeated):
            read(pages)

    def parsed() -> None:
        for _ in range(repeated):
            for page in pages:
                json.loads(page)

    ratios, seconds = paired(ready, parsed, scale.few)
    return Figure(
        "bytes to a catalogue",
        ratios,
        "json.loads",
        microseconds=seconds / repeated * 1e6,
        target=_READ_TARGETS.get(subject.name),
        at=subject.place,
    )


def _memory(pages: list[bytes], subject: Subject) -> Iterator[Figure]:
    """Weigh a catalogue that was read and asked: what it holds, the most that reading it took, and its index alone."""
    gc.collect()
    tracemalloc.start()
    catalogue = read(pages)
    catalogue.select(subject.question)
    gc.collect()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = partial(Figure, unit="bytes", at=subject.place)
    yield size("memory of a catalogue, each model", (held / len(catalogue),))
    yield size("most memory while it is read, each model", (peak / len(catalogue),))
    index = _index_bytes(catalogue) / len(catalogue)
    yield size(
        "memory of its index alone, each model", (index,), target=_INDEX_TARGETS.get(subject.name)
    )


def _index_bytes(catalogue: Catalogue) -> int:
    """Return the bytes of every object that only the index holds: masks of both sides, and ordered columns."""
    seen = {id(model) for model in catalogue} | {
        id(value) for model in catalogue for value in _of_model(model)
    }
    return _weigh(catalogue.index, seen)


def _of_model(model: Any) -> Iterator[object]:
    yield from (model.facts, model.values, model.entry)
    yield from model.values.values()


def _weigh(each: object, seen: set[int]) -> int:
    if id(each) in seen or isinstance(each, (type, str)):
        return 0
    seen.add(id(each))
    inside: list[object] = []
    if isinstance(each, dict):
        inside = [*each.keys(), *each.values()]
    elif isinstance(each, (list, tuple)):
        inside = list(each)
    elif hasattr(type(each), "__slots__") and type(each).__module__.startswith("router"):
        slots: tuple[str, ...] = type(each).__slots__  # type: ignore[attr-defined]
        inside = [getattr(each, name) for name in slots if name != "_values"]
    return sys.getsizeof(each) + sum(_weigh(other, seen) for other in inside)
