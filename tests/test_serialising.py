"""Serialising: how values become JSON, and a line of text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import ClassVar

import pytest
from anthropic.types import TextBlock
from attrs import frozen
from pydantic import BaseModel, ValidationError

from router import Answer, BundledSource, Catalogue, Model, Reason, Router, RouterStatus, require
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
        (float("nan"), "nan"),
        ({"a": float("-inf")}, {"a": "-inf"}),
        ({"a\ud800": "\u00e4\n"}, {"a\ud800": "\u00e4\n"}),
        ({1}, [1]),
        (TextBlock(type="text", text="a"), {"type": "text", "text": "a"}),
        (Pair(1, 2, 3), {"second": 2, "first": 1}),
        (Pair(Pair(1, 2), ()), {"second": [], "first": {"second": 2, "first": 1}}),
    ],
    ids=repr,
)
def test_values_become_json(value: object, expected: object) -> None:
    """Each type of value has one spelling in JSON."""
    assert json_value(value) == expected
    assert json.loads(json.dumps(json_value(value))) == expected


def test_pydantic_takes_a_result_for_a_type() -> None:
    """A field of a pydantic model, or the answer of a FastAPI endpoint, may be a result; its schema is an object."""

    class Page(BaseModel):
        status: RouterStatus
        models: list[Model]
        catalogue: Catalogue | None = None
        answer: Answer[str] | None = None

    model = Model.from_api({"id": "a", "display_name": "a"})
    status = Router(BundledSource()).status()
    page = Page(status=status, models=[model], answer=Answer("", model, ()))

    assert json.loads(page.model_dump_json()) == {
        "status": status.to_dict(),
        "models": [model.to_dict()],
        "catalogue": None,
        "answer": Answer("", model, ()).to_dict(),
    }
    evil = Page(status=status, models=[Model.from_api({"id": "a", "display_name": "\ud800"})])
    assert "\\\\ud800" in evil.model_dump_json()  # pydantic writes UTF-8
    schema = Page.model_json_schema(mode="serialization")
    assert schema["properties"]["status"]["type"] == "object"
    with pytest.raises(ValidationError, match="instance of RouterStatus"):
        Page.model_validate({"status": {}, "models": []})


def test_an_iterator_is_not_used_up() -> None:
    """A request may have an iterator for its messages, which can be read once: it becomes text."""
    messages = iter([1])

    assert "iterator" in json_value(messages)
    assert [*messages] == [1]


@pytest.mark.parametrize(
    "text", ["a" * 1000, "\x1b" * 1000, "\x1b" * 73 + "a" * 99, "\ud800" * 300]
)
def test_a_result_is_one_short_line(text: str) -> None:
    """Line breaks become spaces, and long text is cut after it was escaped."""
    assert repr(Pair("a", "b")) == "<Pair: a b>"
    assert len(repr(Pair(text, "b"))) == 300
    assert repr(Pair(text, "b")).isprintable()
    assert repr(Pair(text, "b")).endswith("...>")
