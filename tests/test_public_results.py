"""The results of the public names: each becomes plain JSON, a line of text and, in a notebook, safe HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
from fake_api import entries
from hypothesis import given, settings
from public_values import public_values
from sizes import examples
from strategies import NOW, Entry, catalogue_of, listings, requirements

import router
from router import Catalogue, Deadline, Policy, Requirement, RouterError, Source, StaticSource

DESIGNED: Final = {
    *("Answer", "Audit", "Catalogue", "CatalogueDiff", "Decision", "Finding", "Fitted", "Lock"),
    *("Model", "Routed", "RouterStatus", "Verdict", "Why"),
}
"""The results of the design."""

NO_RESULTS: Final[Mapping[str, Sequence[str]]] = {
    "it is made to be called": ["Gate", "Router", "Run"],
    "it is a source of a catalogue, or part of its protocol": [
        *("AnthropicSource", "BundledSource", "Deadline", "FileSource", "SDKSource", "Source"),
        "StaticSource",
    ],
    "its text, which parses back, is its JSON": ["Requirement", "RequestRequirement"],
    "it is a list of plain values": ["Fallbacks"],
    "its value is its JSON": [
        *("AuditVerdict", "FailureClass", "GateReason", "LockProblemKind", "Reason"),
    ],
    "it is the name of a type": [
        *("Classify", "CountTokens", "DocumentedPath", "InputTokens", "KeywordValue"),
        *("OnDisagreement", "OnError", "OnFallback", "OnLockBroken", "OnRefresh", "OnUnsupported"),
        *("Places", "Progress", "Need", "RunOptions", "Support"),
    ],
}
"""The public classes and types that are not results, by the reason."""

HOSTILE: Final = "<script>alert('&')</script>\n\x1b[31m\ud800\u202e" + "long" * 1000


def hostile(entry: Entry) -> Entry:
    """Return an entry with such text wherever it may be."""
    fields = ("display_name", "line", "access", "replacement", "nova", "base")
    return {
        **entry,
        "aliases": [HOSTILE],
        "allowed_fallback_models": [HOSTILE],
        **dict.fromkeys(fields, HOSTILE),
        HOSTILE: HOSTILE,
        "capabilities": {**entry["capabilities"], HOSTILE: {"supported": True}},
        "provider": "p" * 64,
    }


LISTINGS: Final = {
    "plain": entries(20),
    "hostile": [hostile(each) for each in entries(20)],
    "5,000 models": entries(5000),
    "long ids": [{**each, "id": each["id"] + "x" * 200} for each in entries(20)],
}
LONG_NEED: Final = " and ".join(["pdf_input", *(f"id != nova-{number}" for number in range(199))])


def source_of(listing: Sequence[Entry]) -> Source:
    """Return a source of these models."""
    return StaticSource(Catalogue.from_listing(listing, as_of=NOW))


@pytest.fixture(scope="module")
def values() -> list[object]:
    """Values of every public class, made from every listing and from a need of 200 terms."""
    return [
        *(
            value
            for listing in LISTINGS.values()
            for value in public_values(source_of(listing), error=HOSTILE)
        ),
        *public_values(source_of(LISTINGS["plain"]), LONG_NEED),
    ]


def name_of(value: object) -> str:
    """Return the name of the public class of a value."""
    return next(kind.__name__ for kind in type(value).__mro__ if kind.__name__ in router.__all__)


def results(values: Sequence[object]) -> list[Any]:
    """Return the values that become JSON."""
    return [each for each in values if hasattr(each, "to_dict")]


def is_plain(value: object) -> bool:
    """Return whether a value is what reading its JSON gives, which is strict JSON."""
    return bool(json.loads(json.dumps(value, allow_nan=False)) == value)


def test_every_public_class_is_a_result_or_says_why_not(values: list[object]) -> None:
    """Each public name is a function, an error, a result that is tested here, or listed with a reason."""
    of_values = {name_of(each) for each in results(values)}
    others = {name for names in NO_RESULTS.values() for name in names}
    errors = {
        name
        for name in router.__all__
        if isinstance(kind := getattr(router, name), type) and issubclass(kind, RouterError)
    }
    functions = {name for name in router.__all__ if name.islower()}

    assert of_values | others | errors | functions == set(router.__all__)
    assert of_values & others == set()
    assert of_values >= DESIGNED


def test_every_result_becomes_plain_json(values: list[object]) -> None:
    """`to_dict` gives what strict JSON can say, under the names of the attributes."""
    for each in results(values):
        found = each.to_dict()

        assert found
        assert is_plain(found), name_of(each)
        assert [name for name in found if not hasattr(each, name)] == [], name_of(each)


def test_every_repr_is_a_short_line(values: list[object]) -> None:
    """The `repr` of a value is one printable line of at most 300 characters, unless it is made to be pasted."""
    pasted = (Requirement, router.Fallbacks, RouterError)
    for each in values:
        if not isinstance(each, pasted):
            assert repr(each).isprintable(), name_of(each)
            assert len(repr(each)) <= 300, name_of(each)


def test_html_is_well_formed_and_escaped(values: list[object]) -> None:
    """In a notebook a value is well-formed HTML, in which text of a server is text."""
    shown = [each for each in values if hasattr(each, "_repr_html_")]
    for each in shown:
        html = each._repr_html_()

        tree = ET.fromstring(html)  # noqa: S314 - our own
        assert "script" not in {node.tag for node in tree.iter()}, name_of(each)
        assert "<script" not in html
        assert html.encode("utf-8")
    assert {name_of(each) for each in shown} >= DESIGNED


def test_results_of_functions_are_results(values: list[object]) -> None:
    """The public functions return results, requirements, or what their reason says."""
    assert {name for name in router.__all__ if name.islower()} == {
        *("auto_model", "check_lock", "classify", "fit", "outdated", "require", "requirement_of"),
        *("resolve", "why"),
    }
    returned = {name_of(each) for each in results(values)}
    assert returned >= {"Failure", "Fitted", "LockProblem", "Outdated", "Resolution", "Why"}


def test_a_model_inside_of_a_result_is_its_reference(values: list[object]) -> None:
    """A result does not repeat all that is known of a model, and says no age."""
    for each in results(values):
        found = each.to_dict()

        assert "age" not in found
        if "model" in found and found["model"] is not None:
            assert found["model"].keys() == {"id", "provider", "key"}, name_of(each)


def test_a_notebook_shows_the_newest_models() -> None:
    """A browser takes seconds to draw thousands of rows, so the others are counted."""
    html = source_of(LISTINGS["5,000 models"]).fetch(Deadline(1.0))._repr_html_()

    assert html.count("<tr>") == 102
    assert "and 4,900 more" in html


def test_records_have_one_set_of_columns(values: list[object]) -> None:
    """The rows of a table have the same columns, and values that pandas and polars can keep."""
    for each in values:
        if isinstance(each, Catalogue):
            records = each.to_records()
            dates = {row.pop("created_at") for row in records}

            assert len({tuple(row) for row in records}) == 1
            assert is_plain(records)
            assert json.dumps(records, ensure_ascii=False).encode("utf-8")
            assert all(isinstance(date, datetime) for date in dates)


@settings(max_examples=examples(100))
@given(listings(), requirements())
def test_any_listing_becomes_plain_json(listing: list[Entry], need: Requirement) -> None:
    """Whatever a listing states, its catalogue, its models and a decision on them become JSON and HTML."""
    catalogue = catalogue_of(listing)
    decision = catalogue.explain(Policy(require=need), now=NOW)

    for each in (catalogue, *catalogue, decision):
        assert is_plain(each.to_dict())
        assert repr(each).isprintable()
        assert ET.fromstring(each._repr_html_()) is not None  # noqa: S314 - our own
