"""What the library costs: warm, compiled, on a new snapshot, from text, at any size."""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from benchmarks.catalogues import bootstrapped, bundled_entries, litellm_entries
from benchmarks.questions import FOUR, FOUR_BUNDLED, NOW, check, never_seen
from benchmarks.timing import Figure, Job, figure, paired, timed
from router import Catalogue, Router, StaticSource, require
from router.language import parse
from router.loading.listing import read_page
from router.loading.sources import _catalogue

_READ = 9
_THREADS = 8
_SWAPS = 100
_TURNS = 2_000
_MASS = 1_000_000
_SEEN = 400


def catalogues() -> dict[str, Catalogue]:
    """Return the catalogues of every size that is at hand, each checked against brute force."""
    found = {"bundled": Catalogue.bundled()}
    if litellm_entries():
        found["22"] = Catalogue.from_listing(litellm_entries("anthropic"), documented=None)
        found["4,241"] = Catalogue.from_listing(litellm_entries(), documented=None)
    for catalogue in found.values():
        check(catalogue)
    return found


def warm(catalogue: Catalogue) -> list[Figure]:
    """Time a router that has been asked before: the read path that an application's hot loop has."""
    router = Router(StaticSource(catalogue))
    requirement = require(FOUR_BUNDLED)
    pick = router.selector(requirement)
    names: dict[str, Any] = {"router": router, "requirement": requirement, "text": FOUR_BUNDLED, "pick": pick}
    answers = {pick(), router.select(requirement), router.select(FOUR_BUNDLED)}
    assert len(answers) == 1
    return timed(
        [
            Job("pick(), a selector", "pick()", names, 5),
            Job("router.select(requirement), warm", "router.select(requirement)", names, 7),
            Job("router.select(text), warm", "router.select(text)", names, 8),
        ]
    )


def compiled(found: dict[str, Catalogue]) -> list[Figure]:
    """Time the answer itself without any memory of it, with the masks of its terms built and not built."""
    targets = {"22": (14, None, None), "4,241": (20, 30, 3_000)}
    jobs = []
    for size, (answer, first, unbuilt) in targets.items():
        catalogue = found[size]
        requirement = require(FOUR)
        names = {
            "met": catalogue._met,  # noqa: SLF001 - what is behind the memory
            "models": catalogue.models,
            "select": catalogue.select,
            "answers": catalogue.answers,
            "built": catalogue._built,  # noqa: SLF001 - the same
            "requirement": requirement,
            "fresh": map(require, never_seen(FOUR)),
        }
        catalogue.select(requirement)
        jobs += [
            Job(f"four terms and the answer, {size}", "models[-met(requirement, None).bit_length()]", names, answer),
            Job(
                f"first use on a new snapshot, masks built, {size}",
                "answers.clear(); select(requirement)",
                names,
                first,
            ),
            Job(
                f"the same, masks not built, {size}",
                "answers.clear(); built.clear(); select(requirement)",
                names,
                unbuilt,
            ),
        ]
    return timed(jobs)


def from_text(found: dict[str, Catalogue]) -> list[Figure]:
    """Time a question in text that was never seen before: parsed, checked, compiled and answered."""
    jobs = [
        Job(
            f"parse, compile and select, never seen, {size}",
            "select(next(texts))",
            {"select": found[size].select, "texts": never_seen(FOUR)},
            800,
        )
        for size in ("22", "4,241")
    ]
    return timed(jobs)


def growth(catalogue: Catalogue, mass: int = _MASS) -> list[Figure]:
    """Time text to answer on a thousand and on a million models, the masks of its terms built."""
    stem = FOUR.rpartition(" >= ")[0]
    texts = [f"{stem} >= {bound}" for bound in range(100_000, 100_000 + _SEEN)]
    small, large = bootstrapped(catalogue, mass // 1_000), bootstrapped(catalogue, mass)
    check(small)
    jobs = []
    for each in (small, large):
        for text in texts:
            each.select(text)
        names = {"forget": parse.cache_clear, "answers": each.answers, "select": each.select, "texts": cycle(texts)}
        jobs.append(
            Job(
                f"parse, compile and select, {len(each):,} models",
                "forget(); answers.clear(); select(next(texts))",
                names,
            )
        )
    costs = timed(jobs, rounds=9)
    seconds = jobs[1].timer().timeit(_SEEN) / _SEEN
    return [
        *costs,
        figure("growth from a thousand to a million", [costs[1].median / costs[0].median], unit="times", target=150),
        figure("a million models, in microseconds", [seconds * 1e6], unit="µs", target=100),
    ]


def reading(rounds: int = _READ) -> list[Figure]:
    """Time bytes of a listing to a catalogue that is ready to answer, over `json.loads` of the same bytes."""
    figures = []
    for size, entries in (
        ("bundled", bundled_entries()),
        ("22", litellm_entries("anthropic")),
        ("4,241", litellm_entries()),
    ):
        if not entries:
            continue
        body = json.dumps({"data": entries, "has_more": False, "first_id": None, "last_id": None}).encode()
        repeat = range(1 if len(entries) > 1_000 else 50)  # noqa: PLR2004 - one takes long enough to be timed

        def ready(body: bytes = body, repeat: range = repeat) -> None:
            for _ in repeat:
                _catalogue(read_page(body).data, "live", datetime.now(UTC), None)

        def parsed(body: bytes = body, repeat: range = repeat) -> None:
            for _ in repeat:
                json.loads(body)

        target = None if size == "bundled" else 3.5
        figures.append(
            figure(f"bytes to a catalogue, {size}", paired(ready, parsed, rounds), unit="json.loads", target=target)
        )
    return figures


def memory(catalogue: Catalogue) -> list[Figure]:
    """Weigh the index: every object that it alone holds, masks of both sides and ordered columns."""
    catalogue.select(FOUR)
    gc.collect()
    seen: set[int] = {id(model) for model in catalogue} | {id(value) for model in catalogue for value in _held(model)}
    weight = _weigh(catalogue.index, seen) / len(catalogue)
    return [figure("index, a model, 4,241", [weight], unit="bytes", target=90)]


def _held(model: Any) -> Iterator[object]:
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


def listing(catalogue: Catalogue) -> list[Figure]:
    """Time all candidates, for each that is found."""
    count = len(catalogue.candidates(FOUR))
    every = len(catalogue.candidates())
    names = {"catalogue": catalogue, "requirement": require(FOUR)}
    return timed(
        [
            Job(f"candidates() of {every:,}, each", "catalogue.candidates()", names, 4, each=every),
            Job(
                f"candidates(requirement) of {count:,}, each", "catalogue.candidates(requirement)", names, 4, each=count
            ),
        ]
    )


def threads(catalogue: Catalogue) -> list[Figure]:
    """Count the answers of eight threads while the catalogue is swapped a hundred times a second, over those of one.

    More than one thread's worth cannot be had: the interpreter's lock lets one run at a time, and a
    switch costs each its turn.
    """
    other = Catalogue.from_listing([dict(model.entry) for model in catalogue.models[1:]], documented=None)
    rates = []
    for _ in range(5):
        alone = _rate(catalogue, other, 1)
        rates.append(_rate(catalogue, other, _THREADS) / alone)
    return [figure("8 threads over 1, swapped 100 times a second", rates, unit="times", target=0.6, at_least=True)]


def _rate(one: Catalogue, other: Catalogue, count: int, seconds: float = 0.5) -> float:
    catalogues = cycle([one, other])
    source = _Swapping(catalogues)
    router = Router(source, cache_dir=False)
    router.refresh()
    text = "max_input_tokens >= 1"
    valid = {(each.digest, each.select(text).id) for each in (one, other)}
    answers = [0] * count
    mixed: list[str] = []
    ends = threading.Event()

    def ask(number: int) -> None:
        done = 0
        while not ends.is_set():
            for _ in range(_TURNS):
                router.select(text)
            done += _TURNS
            decision = router.explain(text, now=NOW)
            if decision.model is None or (decision.digest, decision.model.id) not in valid:
                mixed.append(str(decision))
        answers[number] = done

    workers = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    while time.perf_counter() - start < seconds:
        router.refresh()
        time.sleep(1 / _SWAPS)
    ends.set()
    for worker in workers:
        worker.join()
    if mixed:
        raise SystemExit(f"an answer from two generations: {mixed[0]}")
    return sum(answers) / (time.perf_counter() - start)


class _Swapping:
    """A source that gives another catalogue each time."""

    remote = False
    identity: str | None = None

    def __init__(self, catalogues: Iterator[Catalogue]) -> None:
        self._catalogues = catalogues

    def fetch(self, *_: object) -> Catalogue:
        """Return the next one."""
        return next(self._catalogues)


def figures(*, mass: int = _MASS) -> Iterator[Figure]:
    """Measure everything, as it comes."""
    found = catalogues()
    yield from warm(found["bundled"])
    yield from reading()
    if "4,241" not in found:
        return
    yield from compiled(found)
    yield from from_text(found)
    yield from listing(found["4,241"])
    yield from memory(found["4,241"])
    yield from threads(found["4,241"])
    yield from growth(found["4,241"], mass)
