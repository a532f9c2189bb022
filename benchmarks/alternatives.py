"""The same questions answered in other ways: by memories, by masks, by scans and by queries.

Each alternative gets the questions in advance, prepared as a careful user would, and is held to the
library's answers before it is timed; those are held to brute force. The prefix of a name says what is
compared: `memory` looks a kept answer up, `masks` combines a set of rows that is kept for each term,
and `scan` and `query` look at the models. The library is among the memories and among the masks.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial, reduce
from importlib import import_module
from operator import and_
from typing import Any, Final

from attrs import evolve

from benchmarks.catalogues import Entry, Subject, flattened, subjects
from benchmarks.questions import Question, check, hold
from benchmarks.rows import BUNDLED, LITELLM, NEEDS, is_installed
from benchmarks.scale import Scale
from benchmarks.timing import Figure, Job, over, timed
from router import Catalogue, Router, StaticSource, require

Ask = Callable[[], Any]
"""Asks one question, and returns the id of the answer, or the model."""

Way = Callable[[list[Entry], list[Question]], list[Ask]]
"""Takes entries, newest first, and questions; returns how to ask each."""

_SCAN: Final = "scan: dicts by hand, first match"
_MASKS: Final = "masks: router"
_ROUNDS: Final = 5
_TARGETS: Final = {BUNDLED: 1.0, LITELLM: 3.0}


def first_match(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Go through the API's dicts and return the first that fits: what most people write."""
    flag, limit = 'entry["capabilities"]["{}"]["supported"]', 'entry["max_input_tokens"]'
    return [_compiled(question, flag, limit, 'entry["id"]', entries) for question in questions]


def over_sdk_objects(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Do the same over the objects that the SDK's `client.models.list()` gives."""
    types = import_module("anthropic.types")
    capability = import_module("anthropic.types.capability_support").CapabilitySupport

    def capabilities(entry: Entry) -> Any:
        nodes = {name: capability.construct(**node) for name, node in entry["capabilities"].items()}
        return types.ModelCapabilities.construct(**nodes)

    models = [
        types.ModelInfo.construct(**entry | {"capabilities": capabilities(entry)})
        for entry in entries
    ]
    flag, limit = "entry.capabilities.{}.supported", "entry.max_input_tokens"
    return [_compiled(question, flag, limit, "entry.id", models) for question in questions]


def _compiled(question: Question, flag: str, limit: str, id: str, models: list[Any]) -> Ask:
    """Write the loop that a person would write for this question, and compile it."""
    terms = [
        *(flag.format(name) for name in question.has),
        *(f"not {flag.format(name)}" for name in question.lacks),
        *(f"({flag.format(one)} or {flag.format(two)})" for one, two in question.either),
        *([f"({limit} or 0) >= {question.minimum}"] if question.minimum else []),
    ]
    source = (
        f"def ask():\n  for entry in models:\n    if {' and '.join(terms)}:\n      return {id}\n"
    )
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
        and all(
            capabilities[one]["supported"] or capabilities[two]["supported"]
            for one, two in question.either
        )
        and (question.minimum is None or (entry["max_input_tokens"] or 0) >= question.minimum)
    )


def in_frozensets(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Compare a set of flags with that of each model, and return the first that fits."""
    models = [
        (
            frozenset(name for name, node in entry["capabilities"].items() if node["supported"]),
            entry["max_input_tokens"] or 0,
            entry["id"],
        )
        for entry in entries
    ]

    def ask(
        has: frozenset[str], lacks: frozenset[str], either: list[frozenset[str]], minimum: int
    ) -> str | None:
        for flags, limit, id in models:
            if has <= flags and lacks.isdisjoint(flags) and limit >= minimum:
                for pair in either:
                    if pair.isdisjoint(flags):
                        break
                else:
                    return str(id)
        return None

    return [
        partial(
            ask,
            frozenset(each.has),
            frozenset(each.lacks),
            list(map(frozenset, each.either)),
            each.minimum or 0,
        )
        for each in questions
    ]


def in_lru_cache(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Put `functools.lru_cache` over the scan by hand."""
    scans = {
        question.text: ask
        for question, ask in zip(questions, first_match(entries, questions), strict=True)
    }
    ask = lru_cache(maxsize=None)(lambda text: scans[text]())
    return [partial(ask, question.text) for question in questions]


def in_dict(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Look up a dict of the answers, which somebody must make anew for each listing."""
    scans = zip(questions, first_match(entries, questions), strict=True)
    answers = {question.text: ask() for question, ask in scans}
    return [partial(answers.get, question.text) for question in questions]


def _rows(entries: list[Entry], question: Question) -> list[list[int]]:
    """Return the rows that meet each term of the question, the newest first."""
    every = set(range(len(entries)))

    def rows(name: str) -> set[int]:
        return {row for row in every if entries[row]["capabilities"][name]["supported"]}

    terms = [
        *(rows(name) for name in question.has),
        *(every - rows(name) for name in question.lacks),
        *(rows(one) | rows(two) for one, two in question.either),
    ]
    if (minimum := question.minimum) is not None:
        terms.append({row for row in every if (entries[row]["max_input_tokens"] or 0) >= minimum})
    return [sorted(term) for term in terms]


def in_ints(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Combine Python integers, the newest model at the highest bit."""
    oldest_first = [entry["id"] for entry in reversed(entries)]
    last = len(entries) - 1

    def ask(masks: list[int]) -> str | None:
        found = reduce(and_, masks)
        return oldest_first[found.bit_length() - 1] if found else None

    return [
        partial(ask, [sum(1 << (last - row) for row in rows) for rows in _rows(entries, question)])
        for question in questions
    ]


def in_roaring_bitmaps(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Intersect compressed bitmaps of rows, and take the smallest row."""
    bitmap = import_module("pyroaring").BitMap

    def ask(masks: list[Any]) -> str | None:
        found = bitmap.intersection(*masks)
        return str(entries[found.min()]["id"]) if found else None

    return [partial(ask, list(map(bitmap, _rows(entries, question)))) for question in questions]


def in_bitarrays(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Combine bit arrays written in C, and find the first bit."""
    bitarray = import_module("bitarray").bitarray

    def of(rows: Iterable[int]) -> Any:
        bits = bitarray(len(entries))
        bits.setall(0)
        for row in rows:
            bits[row] = 1
        return bits

    def ask(masks: list[Any]) -> str | None:
        row = reduce(and_, masks).find(1)
        return str(entries[row]["id"]) if row >= 0 else None

    return [partial(ask, list(map(of, _rows(entries, question)))) for question in questions]


def in_numpy(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Combine arrays of booleans, and find the first that is true."""
    numpy = import_module("numpy")

    def of(rows: list[int]) -> Any:
        array = numpy.zeros(len(entries), dtype=bool)
        array[rows] = True
        return array

    def ask(masks: list[Any]) -> str | None:
        found = reduce(and_, masks)
        row = int(found.argmax())
        return str(entries[row]["id"]) if found[row] else None

    return [partial(ask, list(map(of, _rows(entries, question)))) for question in questions]


def in_sqlite(
    entries: list[Entry], questions: list[Question], *, indexed: bool = False
) -> list[Ask]:
    """Ask a table in memory, with one column a flag."""
    names = sorted(entries[0]["capabilities"])
    database = sqlite3.connect(":memory:", cached_statements=512)
    columns = ", ".join(f'"{name}" INTEGER' for name in names)
    database.execute(
        f"CREATE TABLE models (rank INTEGER PRIMARY KEY, id TEXT, max_input_tokens INTEGER, {columns})"
    )
    marks = ", ".join("?" * (len(names) + 3))
    database.executemany(f"INSERT INTO models VALUES ({marks})", _table(entries, names))
    if indexed:
        for name in names:
            database.execute(f'CREATE INDEX "by {name}" ON models ("{name}", rank)')
        database.execute("ANALYZE")
    return _queries(database, questions)


def in_duckdb(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Ask an analytical table in memory, on one thread."""
    database = import_module("duckdb").connect(":memory:", config={"threads": 1})
    names = sorted(entries[0]["capabilities"])
    columns = ", ".join(f'"{name}" BOOLEAN' for name in names)
    database.execute(
        f"CREATE TABLE models (rank INTEGER, id VARCHAR, max_input_tokens BIGINT, {columns})"
    )
    rows = list(_table(entries, names))
    for start in range(0, len(rows), 500):
        some = rows[start : start + 500]
        marks = ", ".join(f"({', '.join('?' * (len(names) + 3))})" for _ in some)
        database.execute(
            f"INSERT INTO models VALUES {marks}", [value for row in some for value in row]
        )
    return _queries(database, questions)


def _table(entries: list[Entry], names: list[str]) -> Iterator[list[Any]]:
    for rank, entry in enumerate(entries):
        flags = (entry["capabilities"][name]["supported"] for name in names)
        yield [rank, entry["id"], entry["max_input_tokens"], *flags]


def _queries(database: Any, questions: list[Question]) -> list[Ask]:
    def ask(sql: str) -> str | None:
        row = database.execute(sql).fetchone()
        return str(row[0]) if row else None

    weakref.finalize(ask, database.close)
    return [
        partial(ask, f"SELECT id FROM models WHERE {_sql(each)} ORDER BY rank LIMIT 1")
        for each in questions
    ]


def _sql(question: Question) -> str:
    terms = [
        *(f'"{name}"' for name in question.has),
        *(f'NOT "{name}"' for name in question.lacks),
        *(f'("{one}" OR "{two}")' for one, two in question.either),
        *([f"max_input_tokens >= {question.minimum}"] if question.minimum else []),
    ]
    return " AND ".join(terms)


def in_polars(entries: list[Entry], questions: list[Question]) -> list[Ask]:
    """Filter a data frame, lazily, for its first row."""
    polars = import_module("polars")
    names = sorted(entries[0]["capabilities"])
    flags = {
        name: [entry["capabilities"][name]["supported"] for entry in entries] for name in names
    }
    own = {
        "id": [entry["id"] for entry in entries],
        "limit": [entry["max_input_tokens"] or 0 for entry in entries],
    }
    frame = polars.DataFrame(flags | own).lazy()
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


WAYS: Final[dict[str, Way]] = {
    "memory: lru_cache over the scan": in_lru_cache,
    "memory: dict of answers": in_dict,
    "masks: Python ints by hand": in_ints,
    "masks: bitarray": in_bitarrays,
    "masks: numpy": in_numpy,
    "masks: pyroaring": in_roaring_bitmaps,
    _SCAN: first_match,
    "scan: frozensets, first match": in_frozensets,
    "scan: SDK objects, first match": over_sdk_objects,
    "scan: list comprehension and max": filter_and_max,
    "query: sqlite in memory": in_sqlite,
    "query: sqlite, every flag indexed": partial(in_sqlite, indexed=True),
    "query: polars, lazy": in_polars,
    "query: duckdb, one thread": in_duckdb,
}


def figures(scale: Scale) -> Iterator[Figure]:
    """Time every alternative that is installed, on each catalogue; a quick run leaves out the optional packages."""
    for subject in subjects(scale):
        yield from _compared(subject, scale)


def _compared(subject: Subject, scale: Scale) -> Iterator[Figure]:
    """Time the mean over the questions, of which all are held to the same answers."""
    entries = flattened(subject.catalogue)
    catalogue = Catalogue.from_listing(entries, documented=None)
    questions = check(catalogue, scale.asked)
    by_id = {entry["id"]: entry for entry in entries}
    newest_first = [by_id[model.id] for model in catalogue]
    asks = _ours(catalogue, questions) | {
        name: way(newest_first, questions) for name, way in WAYS.items() if _is_asked(name, scale)
    }
    expected = [_id(catalogue.select(question.text, default=None)) for question in questions]
    for name, each in asks.items():
        hold(name, [_id(ask()) for ask in each], expected)
    jobs = [
        Job(name, "for ask in asks: ask()", {"asks": each}, each=len(each), at=subject.place)
        for name, each in asks.items()
    ]
    found = {figure.name: figure for figure in timed(jobs, scale, _ROUNDS)}
    unanswered = f"{expected.count(None)} of {len(expected)} questions have no answer"
    yield from (evolve(each, note=unanswered) for each in found.values())
    target = _TARGETS.get(subject.name)
    yield over("dicts by hand over router with masks", found[_SCAN], found[_MASKS], target=target)


def _is_asked(name: str, scale: Scale) -> bool:
    package = NEEDS.get(name)
    return package is None or (is_installed(package) and not scale.is_quick)


def _id(answer: Any) -> str | None:
    return None if answer is None else str(getattr(answer, "id", answer))


def _ours(catalogue: Catalogue, questions: list[Question]) -> dict[str, list[Ask]]:
    """Return the library's two: the answer that is remembered, and the one that is computed from masks of its terms."""
    select = Router(StaticSource(catalogue)).select
    met, models = catalogue._met, catalogue.models  # noqa: SLF001 - what is behind the memory

    def computed(requirement: Any) -> Any:
        rows = met(requirement, None)
        return models[-rows.bit_length()] if rows else None

    return {
        "memory: router.select(text)": [
            partial(select, question.text, default=None) for question in questions
        ],
        _MASKS: [partial(computed, require(question.text)) for question in questions],
    }
