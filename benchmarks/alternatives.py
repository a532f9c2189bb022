"""The same questions answered in other ways: by hand, over the SDK's objects, by LiteLLM, sqlite, bitmaps and frames.

Each way is given the questions in advance, as a careful user of it would prepare them, and is held to
brute force on every one before it is timed. Ours is timed beside them in the same run: warm (asked
before) and compiled (the masks of its terms built, the answer not remembered).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial, reduce
from importlib import import_module
from importlib.util import find_spec
from operator import and_
from typing import Any, Final

from benchmarks.catalogues import Entry, litellm_entries, litellm_prices
from benchmarks.questions import FOUR, Question, check
from benchmarks.timing import Figure, Job, figure, timed
from router import Catalogue, Router, StaticSource, require

Ask = Callable[[], str | None]
Way = Callable[[list[Entry], list[Question]], list[Ask]]
"""Takes entries, newest first, and questions; returns for each question how to ask for the id of its answer."""

_ASKED: Final = 40
_SLOW: Final = 1_000


def by_hand(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Go through the API's dicts and return the first that fits: what most people write."""
    return [
        _compiled(question, 'entry["capabilities"]["{}"]["supported"]', 'entry["max_input_tokens"]', entries)
        for question in questions
    ]


def over_sdk_objects(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Do the same over the objects that the SDK's `client.models.list()` gives."""
    types = import_module("anthropic.types")
    capability = import_module("anthropic.types.capability_support").CapabilitySupport
    models = [
        types.ModelInfo.construct(
            **entry
            | {
                "capabilities": types.ModelCapabilities.construct(
                    **{name: capability.construct(**node) for name, node in entry["capabilities"].items()}
                )
            }
        )
        for entry in entries
    ]
    return [
        _compiled(question, "entry.capabilities.{}.supported", "entry.max_input_tokens", models, id="entry.id")
        for question in questions
    ]


def _compiled(question: Question, flag: str, limit: str, models: list[Any], id: str = 'entry["id"]') -> Ask:
    """Write the loop that a person would write for this question, and compile it."""
    terms = [
        *(flag.format(name) for name in question.has),
        *(f"not {flag.format(name)}" for name in question.lacks),
        *(f"({flag.format(one)} or {flag.format(two)})" for one, two in question.either),
        *([f"({limit} or 0) >= {question.minimum}"] if question.minimum else []),
    ]
    source = f"def ask():\n  for entry in models:\n    if {' and '.join(terms)}:\n      return {id}\n"
    names: dict[str, Any] = {"models": models}
    exec(source, names)  # noqa: S102 - written just above
    ask: Ask = names["ask"]
    return ask


def filter_and_max(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Filter all entries, and take the newest."""

    def ask(question: Question) -> str | None:
        found = [entry for entry in entries if _fits(entry, question)]
        return str(max(found, key=lambda entry: entry["created_at"])["id"]) if found else None

    return [partial(ask, question) for question in questions]


def _fits(entry: Entry, question: Question) -> bool:
    capabilities = entry["capabilities"]
    return (
        all(capabilities[name]["supported"] for name in question.has)
        and not any(capabilities[name]["supported"] for name in question.lacks)
        and all(capabilities[one]["supported"] or capabilities[two]["supported"] for one, two in question.either)
        and (question.minimum is None or (entry["max_input_tokens"] or 0) >= question.minimum)
    )


def in_sqlite(entries: list[Entry], questions: list[Question], *, indexed: bool = False) -> list[Ask]:
    """Ask a table in memory, with one column a flag."""
    names = sorted(entries[0]["capabilities"])
    database = sqlite3.connect(":memory:", cached_statements=512)
    columns = ", ".join(f'"{name}" INTEGER' for name in names)
    database.execute(f"CREATE TABLE models (rank INTEGER PRIMARY KEY, id TEXT, max_input_tokens INTEGER, {columns})")
    marks = ", ".join("?" * (len(names) + 3))
    rows = (
        (
            rank,
            entry["id"],
            entry["max_input_tokens"],
            *(entry["capabilities"][name]["supported"] for name in names),
        )
        for rank, entry in enumerate(entries)
    )
    database.executemany(f"INSERT INTO models VALUES ({marks})", rows)
    if indexed:
        for name in names:
            database.execute(f'CREATE INDEX "by {name}" ON models ("{name}", rank)')
        database.execute("ANALYZE")

    def ask(sql: str) -> str | None:
        row = database.execute(sql).fetchone()
        return str(row[0]) if row else None

    return [partial(ask, f"SELECT id FROM models WHERE {_sql(each)} ORDER BY rank LIMIT 1") for each in questions]


def _sql(question: Question) -> str:
    terms = [
        *(f'"{name}"' for name in question.has),
        *(f'NOT "{name}"' for name in question.lacks),
        *(f'("{one}" OR "{two}")' for one, two in question.either),
        *([f"max_input_tokens >= {question.minimum}"] if question.minimum else []),
    ]
    return " AND ".join(terms)


def in_roaring_bitmaps(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Intersect compressed bitmaps of rows, and take the smallest row."""
    bitmap = import_module("pyroaring").BitMap
    every = bitmap(range(len(entries)))

    def terms(question: Question) -> list[Any]:
        with_flag = partial(_rows_with, entries)
        return [
            *(bitmap(with_flag(name)) for name in question.has),
            *(every - bitmap(with_flag(name)) for name in question.lacks),
            *(bitmap(with_flag(one)) | bitmap(with_flag(two)) for one, two in question.either),
            *([bitmap(_rows_from(entries, question.minimum))] if question.minimum else []),
        ]

    def ask(masks: list[Any]) -> str | None:
        found = bitmap.intersection(*masks)
        return str(entries[found.min()]["id"]) if found else None

    return [partial(ask, terms(question)) for question in questions]


def in_bitarrays(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Intersect bit arrays written in C, and find the first bit."""
    bitarray = import_module("bitarray").bitarray

    def of(rows: Iterator[int]) -> Any:
        bits = bitarray(len(entries))
        bits.setall(0)
        for row in rows:
            bits[row] = 1
        return bits

    def terms(question: Question) -> list[Any]:
        return [
            *(of(_rows_with(entries, name)) for name in question.has),
            *(~of(_rows_with(entries, name)) for name in question.lacks),
            *(of(_rows_with(entries, one)) | of(_rows_with(entries, two)) for one, two in question.either),
            *([of(_rows_from(entries, question.minimum))] if question.minimum else []),
        ]

    def ask(masks: list[Any]) -> str | None:
        row = reduce(and_, masks).find(1)
        return str(entries[row]["id"]) if row >= 0 else None

    return [partial(ask, terms(question)) for question in questions]


def in_numpy(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Combine columns of booleans, and find the first that is true."""
    numpy = import_module("numpy")
    flags = {
        name: numpy.array([entry["capabilities"][name]["supported"] for entry in entries])
        for name in entries[0]["capabilities"]
    }
    limits = numpy.array([entry["max_input_tokens"] or 0 for entry in entries])

    def ask(question: Question) -> str | None:
        mask = flags[question.has[0]].copy()
        for name in question.has[1:]:
            mask &= flags[name]
        for name in question.lacks:
            mask &= ~flags[name]
        for one, two in question.either:
            mask &= flags[one] | flags[two]
        if question.minimum:
            mask &= limits >= question.minimum
        row = int(mask.argmax())
        return str(entries[row]["id"]) if mask[row] else None

    return [partial(ask, question) for question in questions]


def in_polars(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Filter a data frame, lazily, for its first row."""
    polars = import_module("polars")
    columns = {
        name: [entry["capabilities"][name]["supported"] for entry in entries] for name in entries[0]["capabilities"]
    }
    own = {"id": [entry["id"] for entry in entries], "limit": [entry["max_input_tokens"] or 0 for entry in entries]}
    frame = polars.DataFrame(columns | own).lazy()
    column = polars.col

    def query(question: Question) -> Any:
        terms = [
            *(column(name) for name in question.has),
            *(~column(name) for name in question.lacks),
            *(column(one) | column(two) for one, two in question.either),
            *([column("limit") >= question.minimum] if question.minimum else []),
        ]
        return frame.filter(reduce(and_, terms)).select("id").head(1)

    def ask(query: Any) -> str | None:
        found = query.collect()
        return str(found.item()) if found.height else None

    return [partial(ask, query(question)) for question in questions]


def in_duckdb(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Ask an analytical table in memory, on one thread."""
    database = import_module("duckdb").connect(":memory:", config={"threads": 1})
    names = sorted(entries[0]["capabilities"])
    columns = ", ".join(f'"{name}" BOOLEAN' for name in names)
    database.execute(f"CREATE TABLE models (rank INTEGER, id VARCHAR, max_input_tokens BIGINT, {columns})")
    rows = [
        [rank, entry["id"], entry["max_input_tokens"], *(entry["capabilities"][name]["supported"] for name in names)]
        for rank, entry in enumerate(entries)
    ]
    for start in range(0, len(rows), 500):
        some = rows[start : start + 500]
        marks = ", ".join(f"({', '.join('?' * (len(names) + 3))})" for _ in some)
        database.execute(f"INSERT INTO models VALUES {marks}", [value for row in some for value in row])

    def ask(sql: str) -> str | None:
        row = database.execute(sql).fetchone()
        return str(row[0]) if row else None

    return [partial(ask, f"SELECT id FROM models WHERE {_sql(each)} ORDER BY rank LIMIT 1") for each in questions]


def _rows_with(entries: list[Entry], name: str) -> Iterator[int]:
    return (row for row, entry in enumerate(entries) if entry["capabilities"][name]["supported"])


def _rows_from(entries: list[Entry], minimum: int) -> Iterator[int]:
    return (row for row, entry in enumerate(entries) if (entry["max_input_tokens"] or 0) >= minimum)


WAYS: Final[dict[str, tuple[str | None, Way]]] = {
    "first match over dicts, by hand": (None, by_hand),
    "first match over the SDK's objects": ("anthropic", over_sdk_objects),
    "list comprehension and max": (None, filter_and_max),
    "sqlite in memory": (None, in_sqlite),
    "sqlite in memory, every flag indexed": (None, partial(in_sqlite, indexed=True)),
    "pyroaring": ("pyroaring", in_roaring_bitmaps),
    "bitarray": ("bitarray", in_bitarrays),
    "numpy": ("numpy", in_numpy),
    "polars, lazy": ("polars", in_polars),
    "duckdb, one thread": ("duckdb", in_duckdb),
}
"""Every way, and the package that it needs."""


def absent() -> list[str]:
    """Return the packages that are not installed: their ways are left out, and named."""
    wanted = {package for package, _ in WAYS.values() if package is not None} | {"litellm"}
    return sorted(package for package in wanted if find_spec(package) is None)


def compared(size: str, entries: list[Entry]) -> list[Figure]:
    """Time every way on one catalogue, the mean over the same questions, as a multiple of an empty call."""
    catalogue = Catalogue.from_listing(entries, documented=None)
    questions = check(catalogue)[:_ASKED]
    by_id = {entry["id"]: entry for entry in entries}
    newest_first = [by_id[model.id] for model in catalogue]
    asks = {name: way(newest_first, questions) for name, (package, way) in WAYS.items() if package not in absent()}
    asks |= _ours(catalogue, questions)
    expected = [model.id if model else None for model in (catalogue.select(q.text, default=None) for q in questions)]
    for name, ways in asks.items():
        found = [ask() for ask in ways]
        if found != expected:
            raise SystemExit(f"{name} disagrees: {found}, not {expected}")
    figures = timed(
        [
            Job(f"{name}, {size}", "for ask in asks: ask()", {"asks": ways}, each=len(ways), seconds=0.02)
            for name, ways in asks.items()
        ],
        rounds=5,
    )
    cost = {each.name: each for each in figures}
    hand, compiled = (cost[f"{name}, {size}"] for name in ("first match over dicts, by hand", "router, compiled"))
    target = 1.0 if len(entries) < _SLOW else 3.0
    ratio = figure(
        f"by hand over compiled, {size}", [hand.median / compiled.median], unit="times", target=target, at_least=True
    )
    return [*figures, ratio]


def _ours(catalogue: Catalogue, questions: list[Question]) -> dict[str, list[Ask]]:
    requirements = [require(question.text) for question in questions]
    select, met, models = catalogue.select, catalogue._met, catalogue.models  # noqa: SLF001 - what is behind the memory

    def warm(requirement: Any) -> str | None:
        model = select(requirement, default=None)
        return model.id if model else None

    def compiled(requirement: Any) -> str | None:
        rows = met(requirement, None)
        return models[-rows.bit_length()].id if rows else None

    return {
        "router, warm": [partial(warm, each) for each in requirements],
        "router, compiled": [partial(compiled, each) for each in requirements],
    }


def against_litellm() -> list[Figure]:
    """Time LiteLLM's own questions, first match over its Claude models, as a multiple of ours."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "true"  # it asks the network for a newer table otherwise
    litellm = import_module("litellm")
    entries = litellm_entries("anthropic")
    catalogue = Catalogue.from_listing(entries, documented=None)
    names = {entry["id"]: name for name in litellm_prices() or {} for entry in entries if entry["id"] == name}
    newest_first = [names[model.id] for model in catalogue if model.id in names]

    def ask() -> str | None:
        for name in newest_first:
            if (
                litellm.supports_function_calling(name)
                and litellm.supports_vision(name)
                and not litellm.supports_audio_input(name)
                and (litellm.get_model_info(name)["max_input_tokens"] or 0) >= 200_000  # noqa: PLR2004 - of the question
            ):
                return name
        return None

    requirement = require(FOUR)
    if ask() != catalogue.select(requirement).id:
        raise SystemExit("LiteLLM disagrees")
    pick, met, models = Router(StaticSource(catalogue)).selector(requirement), catalogue._met, catalogue.models  # noqa: SLF001 - as above
    theirs, warm, compiled = timed(
        [
            Job("litellm.supports_*, first match of 22", "ask()", {"ask": ask}),
            Job("router, a warm selector, the same", "pick()", {"pick": pick}),
            Job(
                "router, compiled, the same",
                "models[-met(requirement, None).bit_length()]",
                {"met": met, "models": models, "requirement": requirement},
            ),
        ],
        rounds=9,
    )
    times = partial(figure, unit="times", at_least=True)
    return [
        theirs,
        warm,
        compiled,
        times("litellm over warm", [theirs.median / warm.median], target=1_000),
        times("litellm over compiled", [theirs.median / compiled.median], target=300),
    ]


def figures() -> Iterator[Figure]:
    """Measure every way that is installed."""
    if "litellm" in absent():
        return
    yield from against_litellm()
    yield from compared("22", litellm_entries("anthropic"))
    yield from compared("4,241", litellm_entries())
