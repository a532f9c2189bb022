"""Serialising: how values become JSON, and a line of text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import ClassVar

import pytest
from attrs import frozen

from router import Model, Reason, require
from router._serialising import Serialisable, json_value


@frozen(repr=False)
class Pair(Serialisable):
    """A result of two values, and one that JSON leaves out."""

    first: object
    second: object
    third: object = None

    json_names: ClassVar = ("second", "first")

    def __str__(self) -> str:
        return f"{self.first}\n{self.second}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (1, 1),
        (2.5, 2.5),
        ("a", "a"),
        ((1, ("a",)), [1, ["a"]]),
        (
            [Model.from_api({"id": "a"})],
            [{"id": "a", "provider": "anthropic", "key": "anthropic:a"}],
        ),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (datetime(2026, 11, 22, 9, tzinfo=UTC), "2026-11-22T09:00:00Z"),
        (Reason.NEWEST, "newest"),
        (require("pdf_input and effort.max"), "effort.max and pdf_input"),
        (ValueError("no"), {"type": "ValueError", "message": "no"}),
        (
            ExceptionGroup("no", [ValueError()]),
            {"type": "ExceptionGroup", "message": "no (1 sub-exception)"},
        ),
        (b"a", "b'a'"),
        (Pair(1, 2, 3), {"second": 2, "first": 1}),
        (Pair(Pair(1, 2), ()), {"second": [], "first": {"second": 2, "first": 1}}),
    ],
    ids=repr,
)
def test_values_become_json(value: object, expected: object) -> None:
    """Each type of value has one spelling in JSON."""
    assert json_value(value) == expected
    assert json.loads(json.dumps(json_value(value))) == expected


def test_a_result_is_one_short_line() -> None:
    """Line breaks become spaces, and long text is cut."""
    assert repr(Pair("a", "b")) == "<Pair: a b>"
    assert len(repr(Pair("a" * 1000, "b"))) <= 300
