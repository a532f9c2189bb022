"""Terms: what one model lacks, and how that reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from small_catalogues import newest_first, supporting

from router.catalogue._terms import Term, Unmet, unmet_terms
from router.requirements._parser import parse

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("entry", "text", "shown"),
    [
        ({}, "pdf_input", "pdf_input (unknown)"),
        (supporting(pdf_input=False), "pdf_input", "pdf_input (unsupported)"),
        (supporting(pdf_input=True), "not pdf_input", "not pdf_input (unsupported)"),
        ({"line": "opus"}, "line == haiku", "line == haiku (is opus)"),
        ({}, "line == haiku", "line == haiku (unknown)"),
        ({"line": "\x1b[31m"}, "line == haiku", "line == haiku (is \\x1b[31m)"),
        ({"max_tokens": 128_000}, "max_tokens >= 1M", "max_tokens >= 1M (is 128k)"),
        ({"price": {"input": 0.5}}, "price.input < 0.5", "price.input < 0.5 (is 0.5)"),
        (
            {"created_at": "2026-11-20T00:00:00Z"},
            "age >= 14d",
            "age >= 14d (created_at is 2026-11-20)",
        ),
        (
            {"retires_at": "2026-11-30T12:00:00Z"},
            "retires_in >= 90d",
            "retires_in >= 90d (retires_at is 2026-11-30T12:00:00Z)",
        ),
        (
            {"retires_at": None},
            "retires_in < 90d",
            "retires_in < 90d (retires_at is not scheduled)",
        ),
        (
            {"retires_at": "2026-11-30T00:00:00Z"},
            "retires_at > 2027-01-01",
            "retires_at > 2027-01-01 (is 2026-11-30)",
        ),
        (
            {"allowed_fallback_models": ["a", "\x1b"]},
            "allowed_fallback_models has b",
            "allowed_fallback_models has b (is (a, \\x1b))",
        ),
        ({"channel": True}, "channel == false", "channel == false (is True)"),
        ({"channel": True}, "channel == beta", "channel == beta (unknown)"),
        ({"line": "opus"}, "line == haiku or pdf_input", "line == haiku or pdf_input (unknown)"),
        ({"line": "opus"}, "not maybe line == opus", "not maybe line == opus (unsupported)"),
    ],
    ids=repr,
)
def test_what_is_lacking_is_named_with_what_was_found(
    entry: dict[str, Any], text: str, shown: str
) -> None:
    """A term that is not met says unknown, unsupported, or the value that the model has instead."""
    catalogue = newest_first({"id": "m", **entry})
    assert [str(unmet) for unmet in catalogue.explain(text, now=NOW).unmet("m")] == [shown]


def test_the_unmet_terms_of_one_model_are_asked_without_default_filters() -> None:
    """Of a single model, retired or not, each term that it does not meet is told, with its support and value."""
    model = newest_first(
        {"id": "m", "lifecycle": "retired", "max_tokens": 1_000, **supporting(a=True, b=False)}
    )["m"]
    assert unmet_terms(parse("a"), model) == ()
    assert unmet_terms(parse("a and b and pdf_input and max_tokens > 1k"), model) == (
        Unmet(Term(parse("b")), support=False),
        Unmet(Term(parse("max_tokens > 1k")), support=False, found=1_000),
        Unmet(Term(parse("pdf_input")), support=None),
    )
    dated = newest_first({"id": "m", "created_at": "2026-11-20T00:00:00Z"})["m"]
    assert [str(unmet) for unmet in unmet_terms(parse("age >= 14d"), dated, now=NOW)] == [
        "age >= 14d (created_at is 2026-11-20)"
    ]
    assert unmet_terms(parse("age >= 14d"), dated, now=datetime(2026, 12, 22, tzinfo=UTC)) == ()
