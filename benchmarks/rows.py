"""Rows: what a run must print. A row that is missing fails the run, so that none is lost unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import Final

from attrs import frozen

BUNDLED: Final = "bundled"
DRAWN: Final = "drawn"
"""Models drawn at random from the bundled ones, with a few facts flipped, and dates and windows of their own."""

LITELLM: Final = "LiteLLM"
"""Every model that LiteLLM lists, in the shape of the API."""

CLAUDE: Final = "LiteLLM's Claude"
"""The Claude models that LiteLLM lists under Anthropic."""

NEEDS: Final = {
    "masks: bitarray": "bitarray",
    "masks: numpy": "numpy",
    "masks: pyroaring": "pyroaring",
    "scan: SDK objects, first match": "anthropic",
    "query: polars, lazy": "polars",
    "query: duckdb, one thread": "duckdb",
}
"""The optional package that an alternative needs."""


@frozen(order=True)
class Row:
    """A row by its name and by the name of its catalogue, empty where there is none."""

    name: str
    on: str = ""
    packages: tuple[str, ...] = ()
    """The optional packages that it needs."""

    def __str__(self) -> str:
        return f"{self.name} ({self.on})" if self.on else self.name


_EVERYDAY: Final = (
    "pick()",
    "select(requirement)",
    "select(text)",
    "select(text), a router with policies",
    "select(text, keyword)",
    "select(three keywords)",
    "select(policy), cheapest",
    "select(text), a term relative to now",
    "pick(), a term relative to now",
    "select(text), no model satisfies it",
    "supports(id, capability)",
    "gate.allows, a known model",
    "gate.allows, an unknown model",
    "candidates(text)",
    "explain(text)",
    "explain(text), printed",
    "requirement_of(request)",
    "fit(request, model)",
    "route(request)",
    "run(text, call)",
    "answers to 1 thread",
    "answers to 8 threads",
    "answers to 8 threads over 1",
)
_SIZED: Final = (
    "four terms, masks built, not remembered",
    "select(text), never seen",
    "first select on a new Catalogue",
    "first select on a new Catalogue, warmed by its predecessor",
    "warming a new Catalogue, each question",
    "bytes to a catalogue",
    "memory of a catalogue, each model",
    "most memory while it is read, each model",
    "memory of its index alone, each model",
    "memory: router.select(text)",
    "memory: lru_cache over the scan",
    "memory: dict of answers",
    "masks: router",
    "masks: Python ints by hand",
    "scan: dicts by hand, first match",
    "scan: frozensets, first match",
    "scan: list comprehension and max",
    "query: sqlite in memory",
    "query: sqlite, every flag indexed",
    "dicts by hand over router with masks",
)
_LARGE: Final = ("candidates(), each model", "candidates(requirement), each model")
_GROWTH: Final = (
    "bound never seen, few models",
    "bound never seen, many models",
    "bound never seen, many models over few",
    "bound seen, text parsed anew, few models",
    "bound seen, text parsed anew, many models",
    "bound seen, text parsed anew, many models over few",
)
_STARTS: Final = (
    "import router",
    "import router, and the first answer",
    "router select pdf_input",
    "router --version",
)
_QUESTIONS: Final = (
    "one capability of a model: LiteLLM",
    "one capability of a model: router",
    "one capability of a model: LiteLLM over router",
    "four terms of a model: LiteLLM",
    "four terms of a model: router",
    "four terms of a model: dicts of LiteLLM by hand",
    "four terms of a model: LiteLLM behind lru_cache, remembered",
    "four terms of a model: LiteLLM over router",
    "the window of a model: LiteLLM, remembered",
    "the window of a model: router",
    "the window of a model: LiteLLM over router",
)
_MIDDLEWARE: Final = (
    "SDK call, {}",
    "SDK call, auto_model, {}",
    "auto_model over no middleware, {}",
)
_REQUESTS: Final = ("1 message", "99 messages")
_CLIENTS: Final = ("anthropic", "openai", "litellm")


def expected(*, is_quick: bool) -> list[Row]:
    """Return the rows of a run; those of a quick run need no optional package."""
    rows = [
        *_on(BUNDLED, *_EVERYDAY, *_SIZED),
        *_on(DRAWN, *_GROWTH),
        *_on("", *_STARTS),
    ]
    if is_quick:
        return [*rows, *_on(DRAWN, *_SIZED, *_LARGE)]
    return [
        *rows,
        *_on(BUNDLED, *NEEDS),
        *_on(LITELLM, *_SIZED, *_LARGE, *NEEDS),
        *_on(CLAUDE, *_QUESTIONS),
        *_of_clients(),
    ]


def _on(catalogue: str, *names: str) -> Iterator[Row]:
    for name in names:
        packages = {NEEDS[name]} if name in NEEDS else set()
        if catalogue in {LITELLM, CLAUDE}:
            packages.add("litellm")
        yield Row(name, catalogue, tuple(sorted(packages)))


def _of_clients() -> Iterator[Row]:
    for request in _REQUESTS:
        for name in _MIDDLEWARE:
            yield Row(name.format(request), "", ("anthropic",))
    for client in _CLIENTS:
        yield Row(f"import {client}", "", (client,))
        yield Row(f"import {client}, over our import and first answer", "", (client,))


def is_installed(package: str) -> bool:
    """Return whether an optional package can be imported."""
    return find_spec(package) is not None


def left_out(
    rows: Iterable[Row], is_installed: Callable[[str], bool] = is_installed
) -> dict[Row, list[str]]:
    """Return the rows that cannot be measured, with the packages that each lacks."""
    lacking = {
        row: [package for package in row.packages if not is_installed(package)] for row in rows
    }
    return {row: packages for row, packages in lacking.items() if packages}
