"""Field types: the JSON values, the literals and the comparisons of each kind of field."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import frozen

from router._errors import ConfigurationError, quoted

NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""The date of an event that is not scheduled: later than any bound in a requirement."""

_INFINITY: Final = float("inf")
MAX_DAYS: Final = 1_000_000

ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_BARE: Final = re.compile(r"[A-Za-z0-9_.:@-]+")
_RESERVED: Final = frozenset({"and", "or", "not", "maybe", "in", "like", "has"})
_NUMBER: Final = re.compile(r"(\d[\d_]{0,29})(\.\d{1,30})?([kKM]?)", re.ASCII)
_SCALE: Final = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000}
_DURATION: Final = re.compile(r"(-?\d{1,9})([dw])", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH_DAY_ENDS: Final = datetime(1970, 1, 2, tzinfo=UTC)
_ALL_OF_A_DAY: Final = timedelta(days=1) - datetime.resolution


def _parse_moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if _RFC_3339.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None


def _read_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _read_limit(value: object) -> int | None:
    # `type`, because True is an instance of int.
    return value if type(value) is int and value >= 1 else None


def _read_number(value: object) -> float | None:
    return (
        value
        if isinstance(value, (int, float)) and type(value) is not bool and 0 <= value < _INFINITY
        else None
    )


def read_date(value: object) -> datetime | None:
    """Read a date; the day of the epoch means unknown.

    The Models API reference: `created_at` "may be set to an epoch value if the release date is
    unknown".
    """
    moment = _parse_moment(value) if isinstance(value, str) else None
    return moment if moment and moment >= _EPOCH_DAY_ENDS else None


def _read_list(value: object) -> tuple[str, ...] | None:
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return tuple(value)
    return None


def _read_any(value: object) -> object:
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return value if -_INFINITY < value < _INFINITY else None
    return _read_list(value)


def _parse_number(text: str) -> float:
    match = _NUMBER.fullmatch(text)
    if not match or "__" in text or match[1].endswith("_"):
        raise ValueError(text)
    if not match[2]:
        return int(match[1]) * _SCALE[match[3]]
    from decimal import Decimal

    # Scaled exactly: in floats, 2.01 * 1_000_000 is not a whole number.
    exact = Decimal(match[1].replace("_", "") + match[2]) * _SCALE[match[3]]
    nearest = float(exact)
    return int(exact) if exact == int(exact) else int(nearest) if nearest.is_integer() else nearest


def _parse_limit(text: str) -> int:
    number = _parse_number(text)
    if not isinstance(number, int):
        raise ValueError(text)  # noqa: TRY004 - a wrong format, not a wrong type
    return number


def _parse_date(text: str) -> datetime:
    moment = _parse_moment(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
    if moment is None:
        raise ValueError(text)
    return moment


def _parse_duration(text: str) -> int:
    match = _DURATION.fullmatch(text)
    days = int(match[1]) * (7 if match[2] == "w" else 1) if match else MAX_DAYS + 1
    if abs(days) > MAX_DAYS:
        raise ValueError(text)
    return days


def write_text(text: str) -> str:
    """Return a string as a requirement literal: bare if possible, else quoted with JSON escapes."""
    return text if _BARE.fullmatch(text) and text not in _RESERVED else json.dumps(text)


def write_number(number: float) -> str:
    """Return a number as a requirement literal: whole thousands and millions as `k` and `M`."""
    for scale, letter in ((1_000_000, "M"), (1_000, "k")):
        if number and number % scale == 0:
            return f"{int(number) // scale}{letter}"
    text = str(number)
    if "e" in text:  # the language has no exponents
        from decimal import Decimal

        return f"{Decimal(text):f}"
    return text


def write_date(moment: datetime) -> str:
    """Return a date as a requirement literal: without a time if that is 00:00Z."""
    text = moment.replace(tzinfo=None).isoformat()
    return text.removesuffix("T00:00:00") if text.endswith("T00:00:00") else f"{text}Z"


@frozen
class Kind:
    """The behaviour of one kind of field; `parse` raises `ValueError` for an invalid literal."""

    name: str
    expected: str
    operators: frozenset[str]
    read: Callable[[object], Any]
    parse: Callable[[str], Any]
    write: Callable[[Any], str]


_EQUALITY: Final = frozenset({"==", "!=", "in", "not in"})

KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("text", "a string", _EQUALITY | {"like"}, _read_text, str, write_text),
        Kind(
            "limit",
            "a whole number such as 200000, 200_000, 200k or 1M",
            _EQUALITY | ORDER.keys(),
            _read_limit,
            _parse_limit,
            write_number,
        ),
        Kind(
            "number",
            "a number such as 25, 0.5, 200k or 1M",
            _EQUALITY | ORDER.keys(),
            _read_number,
            _parse_number,
            write_number,
        ),
        Kind(
            "date",
            "a date such as 2026-01-01 or 2026-01-01T09:30:00Z",
            _EQUALITY | ORDER.keys(),
            read_date,
            _parse_date,
            write_date,
        ),
        Kind(
            "duration",
            f"a duration such as 14d or 2w, of at most {MAX_DAYS} days",
            frozenset(ORDER),
            lambda _: None,
            _parse_duration,
            lambda days: f"{days}d",
        ),
        Kind("list", "a string", frozenset({"has"}), _read_list, str, write_text),
        Kind(
            "any", "a value", _EQUALITY | ORDER.keys() | {"like", "has"}, _read_any, str, write_text
        ),
    )
}
"""The kinds by name; `any` is for unknown fields, which are read by the type of their value."""


ORDERED: Final = frozenset({"limit", "number", "date", "duration"})
"""The kinds whose values have a total order."""


def span(kind: str, literal: Any) -> tuple[Any, Any]:
    """Return the least and greatest value equal to the literal; a date equals its whole day."""
    if kind != "date":
        return literal, literal
    start = literal.replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + _ALL_OF_A_DAY


def compare(op: str, kind: str, value: Any, literal: Any) -> bool | None:
    """Return whether `value op literal` is known to hold; negated operators are not supported."""
    if op == "in":
        return any_of(compare("==", kind, value, each) for each in literal)
    if kind == "any":
        return _compare_by_type(op, value, literal)
    if op == "==":
        return bool(value.date() == literal.date() if kind == "date" else value == literal)
    if op == "like":
        return like(value, literal)
    if op == "has":
        return literal in value
    return ORDER[op](value, literal)


def _compare_by_type(op: str, value: Any, literal: str) -> bool | None:
    kind = _kind_of(value, literal)
    if op not in KINDS[kind].operators:
        return None
    if isinstance(value, bool):
        return value is (literal == "true") if op == "==" and literal in {"true", "false"} else None
    try:
        return compare(
            op, kind, _parse_moment(value) if kind == "date" else value, KINDS[kind].parse(literal)
        )
    except ValueError:
        return None


def _kind_of(value: Any, literal: str) -> str:
    if isinstance(value, str):
        dated = _parse_moment(value) is not None and (
            _DAY.fullmatch(literal) or _RFC_3339.fullmatch(literal)
        )
        return "date" if dated else "text"
    return "list" if isinstance(value, tuple) else "number"


def like(text: str, pattern: str) -> bool:
    """Return whether all of `text` matches `pattern`: `*` is any run, `?` any one character.

    The time is at most text times pattern, because only the last `*` is ever retried.
    """
    at = in_pattern = mark = 0
    star = -1
    while at < len(text):
        if in_pattern < len(pattern) and pattern[in_pattern] == "*":
            star, mark = in_pattern, at
            in_pattern += 1
        elif in_pattern < len(pattern) and pattern[in_pattern] in {"?", text[at]}:
            in_pattern += 1
            at += 1
        elif star >= 0:  # let the last `*` take one more character, and retry
            in_pattern = star + 1
            mark += 1
            at = mark
        else:
            return False
    return not pattern[in_pattern:].strip("*")


def read_days(what: str, value: object) -> int:
    """Return the days of a duration such as `14d`; raises `ConfigurationError` about `what`."""
    kind = KINDS["duration"]
    try:
        days: int = kind.parse(str(value))
    except ValueError:
        days = -1
    if days < 0:
        raise ConfigurationError(f"{what} must be {kind.expected} (got {quoted(value)})")
    return days


def shift_days(now: datetime, days: int) -> datetime:
    """Return the time `days` after `now`, limited to the range of dates before `NEVER`."""
    try:
        return min(now + timedelta(days=days), NEVER - datetime.resolution)
    except OverflowError:
        return NEVER - datetime.resolution if days > 0 else datetime.min.replace(tzinfo=UTC)


def all_of(supports: Any) -> bool | None:
    """Kleene's conjunction: false if any value is false, else unknown if any is unknown."""
    answer: bool | None = True
    for support in supports:
        if support is False:
            return False
        if support is None:
            answer = None
    return answer


def any_of(supports: Any) -> bool | None:
    """Kleene's disjunction: true if any value is true, else unknown if any is unknown."""
    answer: bool | None = False
    for support in supports:
        if support is True:
            return True
        if support is None:
            answer = None
    return answer
