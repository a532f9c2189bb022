"""Entries: a listing read into models, the good apart from the bad."""

from __future__ import annotations

import json
from typing import Any

import pytest
from small_catalogues import listed, supporting

from router._errors import (
    MalformedEntryError,
)
from router.models._entries import read_listing


def test_equal_entries_are_one_model() -> None:
    """S10: an entry that comes twice, to the letter of its JSON, is listed once."""
    entry = {"id": "m", "created_at": "2026-01-01T00:00:00Z", **supporting(pdf_input=True)}
    again = json.loads(json.dumps(entry))
    assert len(listed(entry, {"id": "other"}, again, dict(reversed(entry.items())))) == 2
    assert listed(entry, again).digest == listed(entry).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"line": "opus"}, {"line": "sonnet"}),
        ({"line": "opus"}, {}),
        ({"line": None}, {}),
        (supporting(pdf_input=True), supporting(pdf_input=False)),
        (supporting(pdf_input=True), supporting(pdf_input=1)),
        (supporting(pdf_input=0), supporting(pdf_input=False)),
        ({"max_tokens": 1}, {"max_tokens": True}),
        ({"max_tokens": 5}, {"max_tokens": 5.0}),
    ],
    ids=repr,
)
def test_entries_of_one_id_that_differ_are_malformed(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Of two entries of one id that are not the same JSON neither can be trusted, in either order."""
    for listing in (
        [{"id": "m", **one}, {"id": "m", **other}],
        [{"id": "m", **other}, {"id": "m", **one}],
    ):
        with pytest.raises(MalformedEntryError) as raised:
            listed({"id": "a"}, *listing)
        assert raised.value.path == "data[2].id"
        assert "'m' again" in str(raised.value)


def test_the_first_malformed_entry_is_named() -> None:
    """`from_listing` refuses the whole listing, with the path to the first entry that cannot be read."""
    with pytest.raises(MalformedEntryError) as raised:
        listed({"id": "a"}, {"id": "b", "capabilities": []}, {"id": ""})
    assert raised.value.path == "data[1].capabilities"


def test_a_lenient_reader_gets_the_good_and_the_bad() -> None:
    """`read_listing` gives the models apart from what is wrong with the others, in the order of the listing."""
    models, malformed = read_listing(
        [
            {"id": "a"},
            None,
            {"id": "twice", "line": "x"},
            {"id": ""},
            {"id": "twice", "line": "y"},
            {"id": "b"},
            {"id": "twice", "line": "x"},
            {"id": "a"},
            [],
        ],
        {},
    )
    assert [model.id for model in models] == ["a", "b"]
    assert [error.path for error in malformed] == ["data[1]", "data[3].id", "data[4].id", "data[8]"]


def lists_in_lists(depth: int) -> list[Any]:
    """Return an empty list inside of so many others."""
    inside: list[Any] = []
    for _ in range(depth):
        inside = [inside]
    return inside


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({5: 1, "a": 2}, id="a key that is a number"),
        pytest.param({"x": {5: 1, "a": 2}}, id="an inner key that is a number"),
        pytest.param({"x": 10**5_000}, id="a number of 5,001 digits"),
        pytest.param({"x": float("nan")}, id="not a number"),
        pytest.param({"x": "\ud800"}, id="a lone surrogate"),
        pytest.param({"x": {1, 2}}, id="a set"),
        pytest.param({"x": lists_in_lists(100_000)}, id="lists in lists"),
    ],
)
def test_an_odd_entry_has_a_digest_or_is_refused(odd: dict[Any, Any]) -> None:
    """A value that JSON cannot state, or not print, is refused with the entry or leaves the catalogue its digest."""
    try:
        catalogue = listed({"id": "m", **odd})
    except MalformedEntryError:
        return
    assert len(catalogue.digest) == 64


def test_deep_lists_that_come_twice_are_read_or_refused() -> None:
    """A listing of hostile depth never overflows, even where entries must be compared."""
    try:
        catalogue = listed(
            {"id": "m", "x": lists_in_lists(50_000)}, {"id": "m", "x": lists_in_lists(50_000)}
        )
    except MalformedEntryError:
        return
    assert len(catalogue) == 1


def test_endless_numbers_are_refused_or_explained() -> None:
    """A limit too long to print is larger than any bound, or malformed, and either way that can be read."""
    try:
        catalogue = listed({"id": "m", "max_tokens": 10**5_000})
    except MalformedEntryError as error:
        assert len(str(error)) < 200  # noqa: PT017 - refusing is one of two right answers
        return
    assert catalogue.select("max_tokens >= 1M").id == "m"
    assert len(str(catalogue.explain("max_tokens < 1M"))) < 1_000


def test_an_entry_of_other_classes_is_read_as_plain_json() -> None:
    """A text or number of a subclass counts as what it is in JSON, in the tree of capabilities too."""

    class Text(str):
        __slots__ = ()

    class Number(int):
        __slots__ = ()

    tree = {Text("pdf_input"): {"supported": True, "since": Text("2026"), "of": Number(3)}}
    model = listed({"id": Text("m"), "max_tokens": Number(5), "capabilities": tree})["m"]
    assert model.support("pdf_input") is True
    assert model.entry == {"id": "m", "max_tokens": 5, "capabilities": tree}
    assert {type(model.id), type(model.entry["capabilities"]["pdf_input"]["since"])} == {str}
