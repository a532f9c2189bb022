from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from attrs import define, field
from fake_api import Entry, entries, list_models
from hypothesis import given
from hypothesis import strategies as st

from router._errors import CatalogueError, CatalogueUnavailableError
from router.models._entries import read_listing
from router.refresh._deadline import Deadline
from router.refresh._http_errors import read_error
from router.refresh._listing import (
    MAX_MODELS,
    MAX_PAGE_VALUES,
    MAX_PAGES,
    MAX_VALUES,
    Query,
    gather,
    read_file,
    read_json,
    read_page,
    walk,
)

NOT_JSON = "not JSON"
NO_CURSOR = "a page says that there is more, but its cursor is not a model of the page"
CIRCLE = "the pages of the listing form a loop"


@define
class Reader:
    """Drives the generator by hand, and keeps the queries that it made."""

    answer: Callable[[Query], bytes]
    queries: list[Query] = field(factory=list)

    def read(self, **arguments: Any) -> list[Any]:
        """Walk to the end, and return the entries."""
        pages = walk(**arguments)
        query = next(pages)
        while True:
            self.queries.append(query)
            try:
                query = pages.send(self.answer(query))
            except StopIteration as end:
                listed: list[Any] = end.value
                return listed


def over(models: Sequence[Entry]) -> Reader:
    """Return a reader of the API's own answers over these models."""
    return Reader(lambda query: json.dumps(list_models(models, query)[1]).encode())


def over_pages(pages: Iterable[object]) -> Reader:
    """Return a reader of these pages, one after the other, whatever it asks for."""
    remaining = iter(pages)
    return Reader(lambda _: json.dumps(next(remaining)).encode())


def page(*ids: str, more: object = True, **fields: object) -> dict[str, Any]:
    """Return a page of these ids that says there is more, with the cursors that belong to it."""
    cursors = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    return {"data": [{"id": id} for id in ids], "has_more": more, **cursors, **fields}


LISTING = entries(23)
SIZES = st.integers(1, 30)


@given(count=st.integers(0, 23), size=SIZES)
def test_page_size_changes_nothing(count: int, size: int) -> None:
    """The entries come in the listing's order whatever the page size, with one query a page."""
    reader = over(LISTING[:count])

    assert reader.read(page_size=size) == LISTING[:count]
    assert len(reader.queries) == max(1, -(-count // size))


@given(at=st.integers(0, 22), size=SIZES)
def test_both_directions_agree(at: int, size: int) -> None:
    """What is before an entry, walked backward, and what is after it are the listing in its own order."""
    before, after = over(LISTING), over(LISTING)
    cursor = LISTING[at]["id"]

    listed = [
        *before.read(before_id=cursor, page_size=size),
        LISTING[at],
        *after.read(after_id=cursor, page_size=size),
    ]

    assert listed == LISTING
    assert len(before.queries) == max(1, -(-at // size))


def test_queries_forward() -> None:
    """Every query has the limit and the filter; each but the first has the cursor of the page before it."""
    reader = over(entries(5))

    reader.read(page_size=2, lifecycle=("active", "retired"))

    fixed = [("limit", "2"), ("lifecycle[]", "active"), ("lifecycle[]", "retired")]
    assert reader.queries == [
        fixed,
        [*fixed, ("after_id", "claude-fake-1")],
        [*fixed, ("after_id", "claude-fake-3")],
    ]


def test_queries_backward() -> None:
    """Backward, the cursor is the first id of the page before, and the largest page is asked for by default."""
    reader = over_pages([page("c", "d"), page("a", "b", more=False)])

    listed = reader.read(before_id="e")

    assert [entry["id"] for entry in listed] == ["a", "b", "c", "d"]
    assert reader.queries == [
        [("limit", "1000"), ("before_id", "e")],
        [("limit", "1000"), ("before_id", "c")],
    ]


def test_progress_counts_entries() -> None:
    """Each page that comes is told as the number of entries so far."""
    told: list[int] = []

    over(entries(5)).read(page_size=2, progress=told.append)

    assert told == [2, 4, 5]


BROKEN_CURSORS = {
    "P1-same-page-again": ([page("a", "b"), page("a", "b")], CIRCLE),
    "P1-alternating": ([page("a"), page("b"), page("a")], CIRCLE),
    "P1-null": ([page("a"), page("b", last_id=None)], NO_CURSOR),
    "P1-missing": ([{"data": [{"id": "a"}], "has_more": True}], NO_CURSOR),
    "P1-not-in-data": ([page("a"), page("b", last_id="z")], NO_CURSOR),
    "P1-of-the-page-before": ([page("a"), page("b", last_id="a")], NO_CURSOR),
    "P1-no-text": ([page("a", last_id=1)], NO_CURSOR),
    "P1-a-number-that-is-an-id": ([page(data=[{"id": 7}], last_id=7)], NO_CURSOR),
    "P1-a-list": ([page("a", last_id=["a"])], NO_CURSOR),
    "P1-data-without-ids": ([page("a", data=[None, 1, "a", [], {}])], NO_CURSOR),
    "P4-empty-page": ([page("a"), page()], "an empty page says that there is more"),
    "P4-first-page-empty": ([page(last_id="a")], "an empty page says that there is more"),
}


@pytest.mark.parametrize(("pages", "problem"), BROKEN_CURSORS.values(), ids=BROKEN_CURSORS)
def test_cursor_guards(pages: list[Any], problem: str) -> None:
    """A cursor that leads nowhere ends the walk at once, with no query more than there were pages."""
    reader = over_pages(pages)

    with pytest.raises(CatalogueError) as caught:
        reader.read()

    assert str(caught.value) == problem
    assert len(reader.queries) == len(pages)


@pytest.mark.parametrize("arguments", [{"after_id": "b"}, {"before_id": "a"}], ids=str)
def test_cursor_guard_knows_where_it_began(arguments: dict[str, str]) -> None:
    """P1: the cursor that the walk began at counts as seen, in both directions."""
    reader = over_pages([page("a", "b")])

    with pytest.raises(CatalogueError, match=CIRCLE):
        reader.read(**arguments)

    assert len(reader.queries) == 1


def test_odd_ids_are_left_to_who_reads_entries() -> None:
    """P9: an entry whose id is no text is one malformed entry, and does not end the walk."""
    odd: list[Any] = [{"id": []}, {"id": {}}, {"id": None}, {"id": 1}, {}, None, []]
    reader = over_pages([page("a", data=[*odd, {"id": "a"}]), page("b", more=False)])

    assert reader.read() == [*odd, {"id": "a"}, {"id": "b"}]


@pytest.mark.parametrize("has_more", ["false", "true", 1, 0, None, [], {}], ids=repr)
def test_has_more_is_a_bool(has_more: object) -> None:
    """P3: only a real bool says whether there is more."""
    reader = over_pages([page("a", more=has_more)])

    with pytest.raises(CatalogueError) as caught:
        reader.read()

    assert str(caught.value) == f"has_more must be true or false (got {has_more!r})"
    assert len(reader.queries) == 1


def test_has_more_missing() -> None:
    """P3: a page that does not say whether there is more is none."""
    with pytest.raises(CatalogueError, match=r"^has_more must be true or false \(got None\)$"):
        read_page(b'{"data": []}')


def test_has_more_is_shown_short_and_escaped() -> None:
    """What a server puts in place of a bool is shown cut, and without what a terminal acts on."""
    with pytest.raises(CatalogueError) as caught:
        read_page(json.dumps(page("a", more="\x1b]0;x\x07" + "long" * 1000)).encode())

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_endless_pages() -> None:
    """P2: a listing that never ends is given up after `MAX_PAGES` pages."""
    reader = over_pages(page(f"m{number}") for number in range(MAX_PAGES + 1))

    with pytest.raises(CatalogueError, match=f"^the listing has more than {MAX_PAGES} pages$"):
        reader.read()

    assert len(reader.queries) == MAX_PAGES == 100


def test_as_many_pages_as_allowed() -> None:
    """P2: a listing of just `MAX_PAGES` pages is read."""
    assert len(over(entries(MAX_PAGES * 2)).read(page_size=2)) == MAX_PAGES * 2


def test_endless_models() -> None:
    """P2, P7: a listing of more than `MAX_MODELS` is given up at the page that goes beyond."""
    pages = [page(*(f"m{number}-{at}" for at in range(1000))) for number in range(21)]
    reader = over_pages(pages)

    with pytest.raises(CatalogueError, match=f"^the listing has more than {MAX_MODELS} models$"):
        reader.read()

    assert len(reader.queries) == 21


def test_as_many_models_as_allowed() -> None:
    """P2: a listing of just `MAX_MODELS` is read."""
    reader = over_pages([page(*map(str, range(MAX_MODELS)), more=False)])

    assert len(reader.read()) == MAX_MODELS == 20_000


def page_of_values(count: int, *, more: bool = False) -> bytes:
    """Return a page of so many values, nearly all of them numbers of its one model."""
    before, after = (
        f'{{"data": [{{"id": "m{count}", "x": [',
        f']}}], "has_more": {str(more).lower()}',
    )
    after += f', "last_id": "m{count}"}}'
    numbers = count - 7  # three members, a list, and a model of two members
    return f"{before}{'0, ' * (numbers - 1)}0{after}".encode()


def test_values_of_a_page() -> None:
    """N4: a page that would take far more memory than its bytes is no page, were it even an error of the API."""
    body = page_of_values(MAX_PAGE_VALUES)
    assert len(json.loads(body)["data"][0]["x"]) == MAX_PAGE_VALUES - 7 == 149_993
    assert [entry["id"] for entry in read_page(body).data] == [f"m{MAX_PAGE_VALUES}"]

    for more in (
        page_of_values(MAX_PAGE_VALUES + 1),
        b"{" + b'"a":1,' * MAX_PAGE_VALUES + b'"a":1}',
    ):
        with pytest.raises(
            CatalogueError, match=f"an answer of more than {MAX_PAGE_VALUES} values$"
        ):
            read_json(more)


def test_values_of_a_listing() -> None:
    """N4: the pages of a listing share a bound as well, of ten times that."""
    sizes = [MAX_PAGE_VALUES - at for at in range(10)]

    def walked(last: int) -> list[Any]:
        bodies = iter([page_of_values(size, more=True) for size in sizes] + [page_of_values(last)])
        return Reader(lambda _: next(bodies)).read()

    left = MAX_VALUES - sum(sizes)
    assert len(walked(left)) == 11
    with pytest.raises(CatalogueError, match=f"^the listing has more than {MAX_VALUES} values$"):
        walked(left + 1)


def test_a_file_may_be_as_large_as_it_likes() -> None:
    """What the application itself names has no bound of that kind."""
    assert len(read_file(page_of_values(MAX_PAGE_VALUES + 1))) == 1


def test_small_chunks_cost_what_they_hold() -> None:
    """N4: a body in a million chunks takes the memory of its bytes, not of a million objects."""

    def peak(gather: Callable[[Iterable[bytes]], bytes]) -> int:
        tracemalloc.start()
        try:
            assert len(gather(bytes(2) for _ in range(100_000))) == 200_000
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(lambda chunks: gather(chunks, Deadline(60.0))) < 1_000_000 < peak(b"".join)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"[]", f"{NOT_JSON}: an object was expected (got list)"),
        (b"null", f"{NOT_JSON}: an object was expected (got NoneType)"),
        (b'"data"', f"{NOT_JSON}: an object was expected (got str)"),
        (b"17", f"{NOT_JSON}: an object was expected (got int)"),
        (b'{"has_more": false}', "data must be a list (got NoneType)"),
        (b'{"data": null, "has_more": false}', "data must be a list (got NoneType)"),
        (b'{"data": {"id": "a"}, "has_more": false}', "data must be a list (got dict)"),
        (b'{"data": "abc", "has_more": false}', "data must be a list (got str)"),
    ],
    ids=ascii,
)
def test_what_is_no_page(body: bytes, problem: str) -> None:
    """P8: another shape than a page's is refused by name."""
    with pytest.raises(CatalogueError) as caught:
        read_page(body)

    assert str(caught.value) == problem


def test_a_later_page_that_breaks_breaks_all() -> None:
    """P5: nothing of the first page comes out where the second is none."""
    reader = over_pages([page("a"), {"data": "b", "has_more": False}])

    with pytest.raises(CatalogueError, match="data must be a list"):
        reader.read()

    assert len(reader.queries) == 2


HOSTILE = {
    "P11-nested-lists": b"[" * 100_000,
    "P11-nested-objects": b'{"data":' * 100_000,
    "P11-long-int": b'{"data": [%s], "has_more": false}' % (b"9" * 4301),
    "P11-NaN": b'{"data": [NaN], "has_more": false}',
    "P11-Infinity": b'{"data": [Infinity], "has_more": false}',
    "P11-minus-Infinity": b'{"data": [-Infinity], "has_more": false}',
    "N7-empty": b"",
    "N7-html": b"<!doctype html><title>Sign in</title>",
    "N7-byte-order-mark": b'\xef\xbb\xbf{"data": [], "has_more": false}',
    "N7-utf-16": '{"data": [], "has_more": false}'.encode("utf-16"),
    "N7-latin-1": '{"data": ["é"], "has_more": false}'.encode("latin-1"),
    "trailing": b'{"data": [], "has_more": false} x',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_json(body: bytes) -> None:
    """P11, N7: hostile text is refused with one kind of error, whose message is short."""
    with pytest.raises(CatalogueError, match=f"^{NOT_JSON}: ") as caught:
        read_json(body)

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_constants_are_named(constant: str) -> None:
    """P11: a number that JSON has no word for is refused by the name that it was given."""
    with pytest.raises(CatalogueError, match=f"^{NOT_JSON}: {constant} is not JSON$"):
        read_json(f"[{constant}]".encode())


def test_nesting() -> None:
    """P11: nesting that no reader survives is named, for there is no other word for it."""
    with pytest.raises(CatalogueError, match=f"^{NOT_JSON}: it nests too deep or is too large$"):
        read_json(b"[" * 100_000)


def test_duplicate_keys() -> None:
    """P11: of two keys the last wins, as everywhere."""
    assert read_json(b'{"a": 1, "a": 2}') == {"a": 2}


@given(cut=st.integers(0, 10**6))
def test_every_truncation_is_refused(cut: int) -> None:
    """P10: a page cut anywhere is no page."""
    body = json.dumps(page("a", "b", more=False)).encode()

    with pytest.raises(CatalogueError, match=f"^{NOT_JSON}"):
        read_page(body[: cut % len(body)])


BODY = json.dumps(list_models(entries(3), [("limit", "2")])[1]).encode()


@given(at=st.integers(0, len(BODY) - 1), byte=st.integers(0, 255))
def test_every_flipped_byte_is_refused_or_read(at: int, byte: int) -> None:
    """P10: whatever one byte becomes, the answer is an error of ours, or entries that are read or set aside."""
    reader = Reader(
        lambda query: BODY[:at] + bytes([byte]) + BODY[at + 1 :] if len(query) == 1 else LAST
    )

    try:
        models, malformed = read_listing(reader.read(page_size=2), {})
    except (CatalogueError, CatalogueUnavailableError):
        return
    assert len(models) + len(malformed) <= 3


LAST = json.dumps(
    list_models(entries(3), [("limit", "2"), ("after_id", "claude-fake-1")])[1]
).encode()

texts = st.sampled_from(["", "a", "b", "\x00", "\ud800", "é" * 300])
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
page_like = st.fixed_dictionaries(
    {
        "data": st.lists(json_values | st.fixed_dictionaries({"id": json_values}), max_size=4),
        "has_more": st.booleans(),
    },
    optional={"last_id": texts | json_values, "type": st.just("error"), "error": json_values},
)


@given(answer=json_values | page_like)
def test_no_json_breaks_the_walk_otherwise(answer: object) -> None:
    """P8: whatever JSON comes, the walk asks for more, ends, or raises an error of ours."""
    pages = walk()
    next(pages)

    try:
        pages.send(json.dumps(answer).encode())
    except (CatalogueError, CatalogueUnavailableError, StopIteration):
        pass
    finally:
        pages.close()


@pytest.mark.parametrize(
    ("error_type", "retryable"),
    [
        ("api_error", True),
        ("overloaded_error", True),
        ("timeout_error", True),
        ("rate_limit_error", False),
        ("authentication_error", False),
        ("permission_error", False),
        ("not_found_error", False),
        ("invalid_request_error", False),
        ("something_new", False),
    ],
)
def test_error_in_place_of_a_page(error_type: str, retryable: bool) -> None:
    """N8: an error that comes as a page is raised by its type, whatever else stands beside it."""
    answer = page("a", type="error", error={"type": error_type, "message": "of the API"})

    with pytest.raises(CatalogueUnavailableError) as caught:
        read_page(json.dumps(answer).encode())

    assert str(caught.value) == f"{error_type}: of the API"
    assert (caught.value.error_type, caught.value.retryable) == (error_type, retryable)
    assert caught.value.status is None


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"type": "error"},
        {"type": "error", "error": None},
        {"type": "error", "error": "overloaded"},
        {"type": "model", "error": {"type": "api_error"}},
        {"error": {"type": "api_error"}},
    ],
    ids=str,
)
def test_what_is_no_error(answer: dict[str, Any]) -> None:
    """N8: only an object in the shape of the API's errors is one."""
    assert read_error(answer) is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({}, "an error without a type: "),
        ({"type": 7, "message": None}, "an error without a type: None"),
        ({"type": "api_error", "message": ["a"]}, "api_error: ['a']"),
        ({"type": "api_error", "message": "m" * 5000}, f"api_error: {'m' * 200}"),
    ],
    ids=["empty", "no-text", "a-list", "long"],
)
def test_odd_errors(error: dict[str, Any], reason: str) -> None:
    """N8: an error of odd parts is still an error, with a reason of bounded length."""
    found = read_error({"type": "error", "error": error})

    assert found is not None
    assert found.reason == reason


def test_error_type_of_any_length() -> None:
    """N8: the type, as the message, cannot make a log line of megabytes."""
    found = read_error({"type": "error", "error": {"type": "t" * 10**6, "message": "no"}})

    assert found is not None
    assert len(str(found)) < 1000


def test_file_forms() -> None:
    """A saved listing is read in the API's shape, with what else it carries, or as a bare list."""
    listed = [{"id": "a"}]

    assert read_file(json.dumps({"data": listed, "has_more": False, "about": 1}).encode()) == listed
    assert read_file(json.dumps({"data": listed}).encode()) == listed
    assert read_file(json.dumps(listed).encode()) == listed
    assert read_file(b"[]") == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"data": [{"id": "a"}], "has_more": true}', "the listing is cut: has_more is true"),
        (b'{"data": {}}', "a listing is an object whose `data` is a list"),
        (b"{}", "a listing is an object whose `data` is a list"),
        (b'"text"', "a listing is an object whose `data` is a list"),
        (b"null", "a listing is an object whose `data` is a list"),
    ],
    ids=ascii,
)
def test_what_is_no_file(body: bytes, problem: str) -> None:
    """A cut listing and every other shape is refused."""
    with pytest.raises(CatalogueError) as caught:
        read_file(body)

    assert str(caught.value) == problem


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(body: bytes) -> None:
    """P11: a file is read as strictly as an answer."""
    with pytest.raises(CatalogueError, match=NOT_JSON):
        read_file(body)
