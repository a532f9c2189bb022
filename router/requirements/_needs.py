"""Needs: the keyword arguments of `require`, such as `pdf_input=True`, as requirements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from router._errors import RequirementError, nearest, quoted, shortened
from router.models._field_types import KINDS
from router.models._vocabulary import FIELDS, MINIMUMS, capability_name, meant_elsewhere
from router.requirements._expression import Requirement, disjunction, negation
from router.requirements._literals import Comparison, canonical_value, capability, membership

KeywordValue = bool | str | int | Sequence[str]
"""The type of a keyword argument of `require`."""

KEYWORDS: Final = frozenset({"and", "or", "not", "maybe", "in", "like", "has", "true"})
"""The keywords of the requirement language."""

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*", re.ASCII)
_MAX_PRINTED: Final = 10**30
_RESERVED: Final = frozenset({"now", "limit", "default"})

POLICY_KEYS: Final = ("require", "prefer", "minimum_age", "alternatives", "order")
"""The arguments of a policy, and the keys of its table in a file."""


def keyword_requirement(name: str, need: KeywordValue) -> Requirement:
    """Return the requirement of a keyword argument; raises `RequirementError` if invalid."""
    if name in _RESERVED | KEYWORDS:
        raise RequirementError(
            f"{quoted(name)} is reserved: it is not a capability or field to require"
        )
    if name in POLICY_KEYS:
        raise RequirementError(
            f"{name}= belongs to a policy, not to a requirement: give Policy(require=..., {name}=...)"
        )
    if "." in name:
        raise RequirementError(f"{quoted(name)} is dotted: what has dots is required in text")
    if isinstance(need, bool):
        supported = capability(capability_name(_check_name(name)))
        return supported if need else negation(supported)
    if name in MINIMUMS:
        return _comparison(
            name, MINIMUMS[name], ">=", need if isinstance(need, str) else _format_need(need)
        )
    if isinstance(need, str):
        if name.startswith("min_") and (hint := _number_hint(name, need)):
            raise RequirementError(f"{name}= is not known{hint}")
        return _with_value(name, need)
    if isinstance(need, Sequence) and need and all(isinstance(each, str) for each in need):
        return _with_one_of(name, need)
    if type(need) is int and name in MINIMUMS.values():
        minimum = next(short for short, field in MINIMUMS.items() if field == name)
        number = _format_need(need)
        raise RequirementError(
            f"{name}={number} says neither minimum nor maximum: write {minimum}={number}, or text"
        )
    hint = _number_hint(name, need) if isinstance(need, (int, float)) else ""
    raise RequirementError(
        f"{shortened(name)}= must be a bool, a string or a list of strings (got {_format_need(need)}){hint}"
    )


def _number_hint(name: str, need: object) -> str:
    """Suggest what takes a number: `min_input_tokens=` for `min_context=`, text for a price."""
    fields = meant_elsewhere(name) or ()
    meant = [short for short, limit in MINIMUMS.items() if limit in fields]
    meant = meant or list(nearest(name, MINIMUMS, limit=1))
    if meant:
        return f"; did you mean {meant[0]}=?"
    op = ">=" if name.startswith("min_") else "<="
    bound = shortened(need) if isinstance(need, str) else _format_need(need)
    numbers = [each for each in fields if FIELDS.get(each) == "number"]
    comparisons = " or ".join(f"'{each} {op} {bound}'" for each in numbers)
    return f"; write text, such as {comparisons}" if numbers else ""


def _format_need(need: object) -> str:
    """Return the `repr` of a value, unless it is too long to read."""
    return "a longer number" if isinstance(need, int) and abs(need) > _MAX_PRINTED else quoted(need)


def _with_one_of(name: str, values: Sequence[str]) -> Requirement:
    either = [_with_value(name, each) for each in values]
    equals = tuple(each for each in either if isinstance(each, Comparison) and each.op == "==")
    # Only equalities of a field merge into `in`; capabilities and lists stay alternatives.
    if len(equals) < len(either):
        return disjunction(either)
    return membership(name, equals[0].kind, "in", [each.value for each in equals])


def _with_value(name: str, value: str) -> Requirement:
    if name in FIELDS:
        return _comparison(name, name, "has" if FIELDS[name] == "list" else "==", value)
    return capability(capability_name(_check_name(f"{name}.{value}")))


def _check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise RequirementError(f"{quoted(name)} is not a name: a name is words joined by dots")
    if name in FIELDS:
        raise RequirementError(
            f"{quoted(name)} is a field, neither true nor false: give the value it must have"
        )
    return name


def _comparison(keyword: str, name: str, op: str, text: str) -> Requirement:
    kind = KINDS[FIELDS[name]]
    if op not in kind.operators:
        raise RequirementError(
            f"{keyword}= cannot say how to compare: write text, such as '{name} >= {text}'"
        )
    try:
        value = kind.parse(text)
    except ValueError:
        raise RequirementError(f"{keyword}= must be {kind.expected} (got {quoted(text)})") from None
    return Comparison(name, kind.name, op, canonical_value(kind, op, value))
