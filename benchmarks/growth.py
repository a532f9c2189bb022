"""Growth: what an answer costs on a few models and on very many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from benchmarks.catalogues import drawn_catalogue
from benchmarks.questions import FOUR_BUNDLED, check, fresh_bounds
from benchmarks.rows import DRAWN
from benchmarks.scale import Scale
from benchmarks.timing import Figure, Job, Place, over, timed
from router import Catalogue
from router.requirements._parser import parse

_BATCH: Final = 20
"""How many texts are asked in one measurement."""

_BOUNDS: Final = range(1_000, 1_000_000)
_HELD: Final = 10
"""How many answers of each catalogue are compared with those of brute force, which looks at every model."""

Texts = Callable[[Catalogue], Callable[[], list[str]]]
"""Prepares the texts for a catalogue, and returns what gives them for each measurement."""


def figures(scale: Scale) -> Iterator[Figure]:
    """Time texts with bounds never seen before, and texts whose bounds were seen, on both catalogues."""
    few, many = (_held(count) for count in scale.growth)
    for name, texts in (("bound never seen", _never_seen), ("bound seen, text parsed anew", _seen)):
        jobs = [_job(f"{name}, few models", few, texts), _job(f"{name}, many models", many, texts)]
        small, large = timed(jobs, scale, scale.few)
        yield from (small, large, over(f"{name}, many models over few", large, small))


def _held(count: int) -> Catalogue:
    catalogue = drawn_catalogue(count)
    check(catalogue, _HELD)
    return catalogue


def _job(name: str, catalogue: Catalogue, texts: Texts) -> Job:
    give = texts(catalogue)
    return Job(
        name,
        "for text in texts: select(text)",
        {"select": catalogue.select},
        at=Place(DRAWN, f"{len(catalogue):,}"),
        each=_BATCH,
        renew=lambda: {"texts": give()},
    )


def _never_seen(_: Catalogue) -> Callable[[], list[str]]:
    """Give new bounds each time: the text is parsed, the rows from the bound on are looked up, and it is answered."""
    texts = fresh_bounds(FOUR_BUNDLED, _BOUNDS)
    return lambda: list(islice(texts, _BATCH))


def _seen(catalogue: Catalogue) -> Callable[[], list[str]]:
    """Give bounds whose masks the catalogue has kept: the text is parsed and answered anew."""
    texts = list(islice(fresh_bounds(FOUR_BUNDLED, _BOUNDS), _BATCH))

    def again() -> list[str]:
        for text in texts:
            catalogue.select(text)
        parse.cache_clear()
        catalogue.answers.clear()
        return texts

    return again
