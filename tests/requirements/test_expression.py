"""Requirement: the algebra, its canonical form, and what it says of itself."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING

import pytest
from attrs.exceptions import FrozenInstanceError

from router._errors import RequirementError
from router.catalogue._catalogue import Catalogue
from router.models._model import Model
from router.requirements._expression import (
    MAX_DEPTH,
    Requirement,
    conjunction,
    disjunction,
    negation,
    possibility,
    resolve_now,
)
from router.requirements._parser import parse, require

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("pdf_input", "pdf_input"),
        ("true", "true"),
        ("true and pdf_input", "pdf_input"),
        ("true or pdf_input", "pdf_input or true"),
        ("not true", "not true"),
        ("not true or pdf_input", "pdf_input"),
        ("not not true", "true"),
        ("maybe true", "true"),
        ("b and a", "a and b"),
        ("b and a and b", "a and b"),
        ("(a and b) and (c and a)", "a and b and c"),
        ("a or (b or a)", "a or b"),
        ("(c or b) and a", "a and (b or c)"),
        ("a or b and c", "a or (b and c)"),
        ("(a or b) and (a or b)", "a or b"),
        ("a and (a or b)", "a and (a or b)"),
        ("not (a and b)", "not a or not b"),
        ("not (a or b)", "not a and not b"),
        ("not (a and (b or not c))", "(c and not b) or not a"),
        ("not not a", "a"),
        ("not not not a", "not a"),
        ("maybe maybe a", "maybe a"),
        ("maybe (a and b)", "maybe a and maybe b"),
        ("maybe (a or b)", "maybe a or maybe b"),
        ("maybe not a", "maybe not a"),
        ("not maybe a", "not maybe a"),
        ("not maybe not a", "not maybe not a"),
        ("maybe not maybe a", "not maybe a"),
        ("not not maybe a", "maybe a"),
        ("not line == opus", "line != opus"),
        ("not line != opus", "line == opus"),
        ("not line in (opus, sonnet)", "line not in (opus, sonnet)"),
        ("not line not in (opus, sonnet)", "line in (opus, sonnet)"),
        ("not max_tokens >= 5", "max_tokens < 5"),
        ("not max_tokens > 5", "max_tokens <= 5"),
        ("not max_tokens < 5", "max_tokens >= 5"),
        ("not max_tokens <= 5", "max_tokens > 5"),
        ("not age < 2w", "age >= 14d"),
        ('not id like "a*"', 'not id like "a*"'),
        ("not allowed_fallback_models has a", "not allowed_fallback_models has a"),
        ("maybe not line == opus", "maybe line != opus"),
        ("not maybe line == opus", "not maybe line == opus"),
        ("effort > low", "effort >= medium"),
        ("effort < max", "effort <= xhigh"),
        ("not effort >= high", "not effort >= high"),
        ("thinking.types.adaptive", "thinking.adaptive"),
        ('line == "opus"', "line == opus"),
        ('line == "two words"', 'line == "two words"'),
        ("line in (opus)", "line == opus"),
        ("line not in (opus, opus)", "line != opus"),
        ("line in (sonnet, opus, sonnet)", "line in (opus, sonnet)"),
        ("max_tokens in (200k, 1M, 1000, 0.2M)", "max_tokens in (1k, 200k, 1M)"),
        ("max_tokens >= 200_000", "max_tokens >= 200k"),
        ("price.output <= 25.0", "price.output <= 25"),
        ("created_at >= 2026-01-01T00:00:00Z", "created_at >= 2026-01-01"),
        ("created_at == 2026-01-01T09:30:00Z", "created_at == 2026-01-01"),
        ("created_at in (2026-01-01T09:30:00Z, 2026-01-01)", "created_at == 2026-01-01"),
        ('created_at > "2026-01-01T00:30:00+02:00"', "created_at > 2025-12-31T22:30:00Z"),
        ("  a\n\tand(b)", "a and b"),
    ],
)
def test_the_canonical_text(text: str, canonical: str) -> None:
    """Negation normal form, flat, each part once, sorted, nothing absorbed; and it is its own canonical text."""
    assert str(parse(text)) == canonical
    assert str(parse(canonical)) == canonical
    assert parse(text) == parse(canonical)
    assert hash(parse(text)) == hash(parse(canonical))
    assert repr(parse(text)) == f"require({canonical!r})"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "b"),
        ("a", "not a"),
        ("a", "maybe a"),
        ("a and b", "a or b"),
        ("a and (a or b)", "a"),
        ("line == opus", 'line like "opus"'),
        ("max_tokens >= 5", "max_tokens > 4"),
        ("created_at >= 2026-01-01", "created_at >= 2026-01-01T00:00:01Z"),
        ("true", "pdf_input or true"),
    ],
)
def test_different_texts_are_different_requirements(one: str, other: str) -> None:
    """Equality is that of the canonical text: nothing is weighed, absorbed or proved."""
    assert parse(one) != parse(other)


def test_a_requirement_equals_no_text() -> None:
    """A requirement is equal to another requirement only."""
    assert parse("a") != "a"
    assert parse("a") != Model.from_api({"id": "a"})
    assert len({parse("a and b"), parse("b and a"), parse("a")}) == 2


def test_operators_and_functions_agree() -> None:
    """`&`, `|` and `~` are conjunction, disjunction and negation."""
    a, b = parse("a"), parse("b")
    assert a & b == conjunction([a, b]) == parse("a and b")
    assert a | b == disjunction([a, b]) == parse("a or b")
    assert ~a == negation(a) == parse("not a")
    assert possibility(a) == parse("maybe a")
    assert conjunction([]) == require() == parse("true")
    assert disjunction([]) == ~require()


@pytest.mark.parametrize(("combine", "sign"), [(and_, "&"), (or_, "|")], ids=["and", "or"])
@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ("b", "(got 'b'): write require('b')"),
        (True, "(got bool)"),
        (None, "(got NoneType)"),
        ({"b"}, "(got set)"),
        ({"b": 1}, "(got dict)"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("one", ["a", "a and b", "line == opus", "not a"])
def test_only_requirements_combine(
    combine: Callable[[object, object], object], sign: str, other: object, problem: str, one: str
) -> None:
    """A string or a bool beside `&` or `|`, on either side, is an error that says what to write."""
    for operands in ((parse(one), other), (other, parse(one))):
        with pytest.raises(RequirementError) as raised:
            combine(*operands)
        assert str(raised.value) == f"{sign} joins two requirements {problem}"


def test_a_requirement_has_no_truth_value() -> None:
    """`bool()` raises, so that `a and b` in Python cannot drop `a`."""
    a, b = parse("a"), parse("b")
    for ask in (
        lambda: bool(a),
        lambda: a and b,
        lambda: a or b,
        lambda: not a,
        lambda: 1 if a else 2,
    ):
        with pytest.raises(RequirementError, match=r"combine with & \| ~ instead of and, or, not"):
            ask()


def test_a_requirement_is_frozen() -> None:
    """No part of a requirement can be set, nor a new one added."""
    for text in ("a", "effort >= high", "line == opus", "not a", "maybe a", "a and b", "a or b"):
        with pytest.raises((FrozenInstanceError, AttributeError)):
            parse(text).text = "b"  # type: ignore[misc]
        with pytest.raises((FrozenInstanceError, AttributeError)):
            parse(text).note = "b"  # type: ignore[attr-defined]


def test_terms_are_the_top_level_conjuncts() -> None:
    """An `or` group is one term, and what everything meets has none."""
    terms = parse("b and (c or a) and not (d or e)").terms
    assert [str(term) for term in terms] == ["a or c", "b", "not d", "not e"]
    assert parse("a or b").terms == (parse("a or b"),)
    assert parse("a").terms == (parse("a"),)
    assert parse("true").terms == ()


def test_a_requirement_names_what_it_speaks_of() -> None:
    """Capabilities and fields are those of every atom, wherever it stands."""
    requirement = parse(
        "a and not (effort >= xhigh or maybe line == opus) or age < 3d and thinking.types.x"
    )
    assert requirement.capabilities == {"a", "effort.xhigh", "effort.max", "thinking.x"}
    assert requirement.fields == {"line", "age"}
    assert parse("effort <= medium").capabilities == {"effort.low", "effort.medium"}
    assert parse("true").capabilities == parse("true").fields == frozenset()


def test_now_is_an_argument() -> None:
    """The moment may be any aware one, in any zone; the present is the default; a naive one is an error."""
    model = Model.from_api({"id": "a", "created_at": "2026-11-08T00:00:00Z"})
    need = parse("age >= 14d")
    assert need.matches(model, now=NOW)
    assert need.matches(model, now=NOW.astimezone(timezone(timedelta(hours=14))))
    assert not need.matches(model, now=NOW - timedelta(microseconds=1))
    assert need.matches(model)
    old = Model.from_api({"id": "a", "created_at": "2020-01-01T00:00:00Z"})
    assert need.support(old) is True
    for ask in (need.matches, need.support):
        with pytest.raises(RequirementError, match="now must be an aware datetime"):
            ask(model, now=NOW.replace(tzinfo=None))


def test_the_moment_is_utc() -> None:
    """Whatever zone it comes in, the moment is reckoned in UTC; without one it is the present."""
    zone = timezone(timedelta(hours=-5))
    assert resolve_now(datetime(2026, 11, 21, 19, tzinfo=zone)) == NOW
    assert resolve_now(datetime(2026, 11, 21, 19, tzinfo=zone)).tzinfo is UTC
    before = datetime.now(UTC)
    assert before <= resolve_now(None) <= datetime.now(UTC)


NAMES = [f"a{n}" for n in range(MAX_DEPTH + 2)]
LISTING = [{"id": "m", "capabilities": {name: {"supported": True} for name in NAMES}}]


def nested(
    depth: int, leaf: str = "x", outermost: Callable[[Requirement, Requirement], Requirement] = and_
) -> Requirement:
    """Return groups inside one another, `and` and `or` in turn, down to the leaf."""
    requirement = parse(leaf)
    other = {and_: or_, or_: and_}
    for level in range(depth):
        combine = outermost if (depth - level) % 2 else other[outermost]
        requirement = combine(requirement, parse(NAMES[level % len(NAMES)]))
    return requirement


def test_depth_is_capped_where_operators_build() -> None:
    """`&` and `|` go as deep as the limit, and say so at one level more."""
    deepest = nested(MAX_DEPTH)
    assert deepest.depth == MAX_DEPTH
    assert (~deepest).depth == MAX_DEPTH
    with pytest.raises(RequirementError, match=f"at most {MAX_DEPTH} levels deep"):
        nested(MAX_DEPTH + 1)
    with pytest.raises(RequirementError, match=f"at most {MAX_DEPTH} levels deep"):
        nested(10_000)


def test_negation_does_not_deepen() -> None:
    """`~` over and over is the requirement or its opposite, and never an overflow."""
    requirement = nested(MAX_DEPTH)
    again = requirement
    for _ in range(500):
        again = ~again
    assert again == requirement
    assert possibility(possibility(requirement)) == possibility(requirement)


@pytest.mark.parametrize(
    "leaf", ["x", "maybe x", "not maybe x", "maybe not x", "not maybe not x", "not line == opus"]
)
@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH])
def test_what_could_be_built_can_be_written_and_read(leaf: str, depth: int) -> None:
    """The text of a requirement as deep as can be parses back, whatever stands at its bottom."""
    requirement = nested(depth, leaf)
    assert parse(str(requirement)) == requirement


@pytest.mark.parametrize("outermost", [and_, or_])
@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH])
def test_what_could_be_built_can_be_asked(
    depth: int, outermost: Callable[[Requirement, Requirement], Requirement]
) -> None:
    """A requirement as deep as can be is answered, default filters and all."""
    requirement = nested(depth, "a65", outermost)
    assert requirement.depth == depth
    catalogue = Catalogue.from_listing(LISTING, documented=None)
    assert catalogue.select(requirement).id == "m"
    assert catalogue.explain(requirement).model is catalogue["m"]
    assert catalogue.supports("m", requirement)


def test_ten_thousand_terms_combine() -> None:
    """A wide requirement is no deeper than a narrow one."""
    terms = [parse(f"a{n}") for n in range(10_000)]
    wide = conjunction(terms)
    assert wide.depth == 1
    assert len(wide.terms) == 10_000
    assert reduce(or_, terms[:500]) == disjunction(terms[:500])


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "effort >= high",
        "max_tokens in (1k, 2k)",
        "created_at >= 2026-01-01",
        "age < 3d",
        "not maybe a",
        "a and (b or c)",
    ],
)
def test_a_requirement_travels(text: str) -> None:
    """A requirement that was pickled or copied is equal and asks the same."""
    requirement = parse(text)
    for again in (
        pickle.loads(pickle.dumps(requirement)),  # noqa: S301 - pickled here
        copy.copy(requirement),
        copy.deepcopy(requirement),
    ):
        assert again == requirement
        assert (again.capabilities, again.fields, again.terms) == (
            requirement.capabilities,
            requirement.fields,
            requirement.terms,
        )
