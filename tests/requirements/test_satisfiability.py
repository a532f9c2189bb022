"""Contradiction: which requirements are proved to be unsatisfiable, and which are rightly left open."""

from __future__ import annotations

import time

import pytest

from router.catalogue._catalogue import Catalogue
from router.requirements._expression import conjunction, disjunction
from router.requirements._parser import parse
from router.requirements._satisfiability import FALSE, TRUE, UNKNOWN, negate

CONTRADICTIONS = [
    "not true",
    "pdf_input and not pdf_input",
    "pdf_input and not maybe pdf_input",
    "not pdf_input and not maybe not pdf_input",
    "maybe pdf_input and not maybe pdf_input",
    "(citations or batch) and not pdf_input and pdf_input",
    "(pdf_input and not pdf_input) or (batch and not batch)",
    "effort >= high and not effort.high and not effort.xhigh and not effort.max",
    "effort <= low and not effort.low",
    "effort >= high and not effort >= high",
    "effort >= high and not effort >= medium",
    "not effort >= low and effort.max",
    "effort > xhigh and not maybe effort.max",
    "max_tokens >= 2 and max_tokens < 2",
    "max_tokens > 2 and max_tokens <= 2",
    "max_tokens >= 3 and max_tokens <= 2",
    "max_tokens == 1 and max_tokens == 2",
    "max_tokens == 1 and max_tokens != 1",
    "max_tokens == 1 and max_tokens > 1",
    "max_tokens == 2 and max_tokens < 2",
    "max_tokens in (1, 2) and max_tokens in (3, 4)",
    "max_tokens in (1, 2) and max_tokens not in (1, 2, 3)",
    "max_tokens in (1, 2) and max_tokens >= 3",
    "max_tokens >= 2 and not max_tokens >= 1",
    "max_tokens >= 2 and not maybe max_tokens >= 2",
    "max_tokens > 5 and not maybe max_tokens >= 2",
    "price.input < 0.5 and price.input > 0.5",
    "price.input == 0.5 and price.input == 0.25",
    "line == opus and line == sonnet",
    "line == opus and line != opus",
    "line in (opus, sonnet) and line == haiku",
    'id like "a*" and not id like "a*"',
    "allowed_fallback_models has a and not allowed_fallback_models has a",
    "channel == beta and channel != beta",
    "created_at >= 2026-01-02 and created_at < 2026-01-02",
    "created_at == 2026-01-01 and created_at == 2026-01-02",
    "created_at == 2026-01-01 and created_at >= 2026-01-02",
    "created_at == 2026-01-01 and created_at < 2026-01-01",
    "created_at in (2026-01-01, 2026-01-03) and created_at > 2026-01-04",
    "age >= 14d and age < 2w",
    "retires_in >= 90d and retires_in < 30d",
]
OPEN = [
    "true",
    "pdf_input",
    "not pdf_input",
    "maybe pdf_input and maybe not pdf_input",
    "maybe pdf_input and not pdf_input or batch",
    "pdf_input or not pdf_input",
    "(pdf_input and not pdf_input) or batch",
    "effort >= high and not effort.high and not effort.xhigh",
    "effort >= high and maybe not effort >= high or batch",
    "effort >= high and effort <= low",
    "effort >= high and not effort",
    "max_tokens >= 2 and max_tokens <= 2",
    "max_tokens in (1, 2) and max_tokens in (2, 3)",
    "max_tokens in (1, 2) and max_tokens != 1",
    "max_tokens == 1 and maybe max_tokens <= 1",
    "max_tokens < 2 and not maybe max_tokens >= 2",
    "max_tokens >= 2 and max_input_tokens < 2",
    "line in (opus, sonnet) and line != opus",
    "line != opus and line != sonnet",
    "created_at == 2026-01-01 and created_at >= 2026-01-01T12:00:00Z",
    "created_at == 2026-01-01 and created_at < 2026-01-01T00:00:00.000001Z",
    "created_at == 2026-01-01 and created_at <= 2026-01-01",
    "created_at in (2026-01-01, 2026-01-03) and created_at > 2026-01-03",
    "created_at in (2026-01-01, 2026-01-03) and created_at < 2026-01-02",
    "created_at == 2026-01-01 and created_at == 2026-01-01T09:30:00Z",
    "age >= 14d and age <= 2w",
    "channel == 1 and channel == 1.0",
    'id like "a*" and id like "*b"',
]


@pytest.mark.parametrize("text", CONTRADICTIONS)
def test_what_contradicts_itself_is_proved_so(text: str) -> None:
    """Literals that leave nothing to an atom or a field are a proof."""
    assert parse(text).is_unsatisfiable() is True


@pytest.mark.parametrize("text", OPEN)
def test_what_some_model_could_meet_is_left_open(text: str) -> None:
    """No proof is claimed where a model could be known to meet the requirement."""
    assert parse(text).is_unsatisfiable() is False


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("maybe pdf_input and maybe not pdf_input", {}),
        (
            "effort >= high and effort <= low",
            {"capabilities": {"effort": {"low": {"supported": True}, "max": {"supported": True}}}},
        ),
        (
            "effort >= high and not effort",
            {"capabilities": {"effort": {"supported": False, "max": {"supported": True}}}},
        ),
        ("channel == 1 and channel == 1.0", {"channel": 1}),
        (
            "created_at == 9999-12-31 and created_at >= 9999-12-31T23:59:59.999999Z",
            {"created_at": "9999-12-31T23:59:59.999999Z"},
        ),
    ],
)
def test_what_a_model_meets_is_never_unsatisfiable(text: str, entry: dict[str, object]) -> None:
    """A requirement that looks contradictory, and that a model is known to meet, is not."""
    assert [
        model.id
        for model in Catalogue.from_listing([{"id": "a", **entry}], documented=None).where(text)
    ] == ["a"]
    assert not parse(text).is_unsatisfiable()


@pytest.mark.parametrize(
    ("wanted", "values"),
    [
        (0, 0),
        (TRUE, FALSE),
        (FALSE, TRUE),
        (UNKNOWN, UNKNOWN),
        (TRUE | UNKNOWN, FALSE | UNKNOWN),
        (FALSE | UNKNOWN, TRUE | UNKNOWN),
        (TRUE | FALSE, TRUE | FALSE),
        (TRUE | FALSE | UNKNOWN, TRUE | FALSE | UNKNOWN),
    ],
)
def test_negation_of_a_set_of_values(wanted: int, values: int) -> None:
    """Negation swaps true and false and leaves unknown where it is."""
    assert negate(wanted) == values


def test_a_proof_takes_time_linear_in_the_requirement() -> None:
    """Ten thousand terms, and sixty groups inside one another, are judged in no time."""
    wide = conjunction(parse(f"a{n} and max_tokens >= {n}") for n in range(5_000))
    deep = parse("a")
    for n in range(30):
        deep = disjunction(
            (conjunction((deep, parse(f"b{n}"), parse(f"c{n} or d{n}"))), parse(f"e{n}"))
        )
    started = time.process_time()
    assert not wide.is_unsatisfiable()
    assert (wide & parse("max_tokens < 4_999")).is_unsatisfiable()
    assert not deep.is_unsatisfiable()
    assert time.process_time() - started < 2
