"""Every hypothesis strategy: entries in each shape that the API had, listings, and requirements over their names.

Requirements come in two forms. `requirements()` are built by the algebra from literals. `said()` are texts
that carry what they mean: written down a second time, straight from the design, over the raw JSON, so
that the library's own reading is held to something it has no part in.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import frozen
from hypothesis import strategies as st

from router.catalogue._catalogue import Catalogue
from router.catalogue._policy import ORDERS, Policy
from router.models._vocabulary import Names
from router.requirements._expression import Requirement, possibility
from router.requirements._parser import parse

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Entry = dict[str, Any]
Support = bool | None
Truth = Callable[[Mapping[str, Any], datetime], Support]
Meaning = tuple[Any, Callable[[Any, Any], bool]]
"""What a literal says of a known value: a bound, and how the value must stand to it."""

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LEVELS = ("low", "medium", "high", "xhigh", "max")
ABSENT = object()

IDS = (
    "a",
    "A",
    "b",
    "b-1",
    "claude-opus-5-5",
    "claude-opus-4-8",
    "claude-sonnet-5",
    "x.y:z",
    "p/q@r",
    "0",
    "zz",
)
DATES = (
    "2026-09-28T00:00:00Z",
    "2026-09-28T00:00:00+14:00",
    "2026-09-28T16:24:00Z",
    "2026-09-28T23:59:59.999999Z",
    "2026-09-29T00:00:00.000000001Z",
    "2026-10-07T18:00:00Z",
    "2026-11-08T00:00:00Z",
    "2026-11-08T00:00:00.000001Z",
    "2026-11-22T00:00:00Z",
    "2026-12-06T00:00:00Z",
    "2027-01-01T00:00:00-05:00",
    "1970-01-02T00:00:00Z",
    "9999-12-31T23:59:59Z",
)
ODD_DATES: tuple[Any, ...] = (
    None,
    "",
    "soon",
    "2026-09-28",
    "2026-09-28T00:00:00",
    "2026-02-30T00:00:00Z",
    "2026-06-30T23:59:60Z",
    "0001-01-01T00:00:00+14:00",
    "1970-01-01T00:00:00Z",
    "1970-01-01T23:59:59Z",
    "1969-07-20T20:17:00Z",
    0,
    1_790_000_000,
    True,
    [],
    {},
)
LIMITS = (1, 2, 64_000, 128_000, 199_999, 200_000, 200_001, 1_000_000, 10**30)
ODD_LIMITS: tuple[Any, ...] = (None, 0, -1, True, False, "200000", 2e5, 1e30, [], {})
PRICES = (0, 0.1, 0.5, 1, 1.0, 5, 25, 25.5, 1000)
ODD_PRICES: tuple[Any, ...] = (None, -1, True, "5", [])
SUPPORTED = ({"supported": True}, {"supported": False})
ODD_SUPPORTED: tuple[Any, ...] = (
    {},
    None,
    {"supported": None},
    {"supported": "true"},
    {"supported": 1},
    {"supported": 0},
    {"supported": []},
    {"supported": {"supported": True}},
    True,
    "true",
    [{"supported": True}],
)
VALUES = (
    True,
    False,
    0,
    1,
    1.0,
    2.5,
    -1,
    "",
    "stable",
    "two words",
    "true",
    "5",
    "2026-09-28T16:24:00Z",
    "2026-09-28",
)
LISTS: tuple[Any, ...] = ([], ["a"], ["a", "b"], ["stable"])

_CAPABILITY = (*[ABSENT] * 4, *SUPPORTED * 12, *ODD_SUPPORTED)
_DATE = (*DATES * 2, *ODD_DATES)
_LIMIT = (*LIMITS * 2, *ODD_LIMITS)
_PRICE = (*PRICES * 2, *ODD_PRICES)
_TREE = (
    *(
        "pdf_input",
        "citations",
        "nova",
        "nova.deep",
        "nova.deep.types.deeper",
        "types",
        "types.types",
    ),
    *("thinking", "thinking.types.adaptive", "thinking.adaptive", "thinking.types.disabled"),
    *("effort", *(f"effort.{level}" for level in LEVELS), "context_management.compact_20260112"),
)
_POOLS: Mapping[str, tuple[Any, ...]] = {
    "type": ("model",),
    "display_name": ("Opus", "Sonnet 5", "", None, 7, "\x1b[31m", "é"),
    "created_at": (*_DATE, ABSENT),
    "capabilities": (*[{}] * 4, None),
    **{f"capabilities.{path}": _CAPABILITY for path in _TREE},
    "max_input_tokens": _LIMIT,
    "max_tokens": _LIMIT,
    "allowed_fallback_models": (*LISTS * 2, None, "a", [1], ["a", None], {}),
    "lifecycle": (
        *["active"] * 7,
        ABSENT,
        None,
        "deprecated",
        "retired",
        "Active",
        "zombie",
        1,
        ["active"],
    ),
    "deprecated_at": (*_DATE, ABSENT),
    "retires_at": (*_DATE, *[None] * 15, *[ABSENT] * 5),
    "line": ("opus", "opus", "sonnet", "haiku", None, "Opus", "", 5),
    "access": (ABSENT, "general", "limited", None, "Limited", 1),
    "price": (ABSENT, None, 5),
    "price.input": (*_PRICE, ABSENT),
    "price.output": (*_PRICE, ABSENT),
    "traits": (ABSENT, None, []),
    "traits.prefill": (True, False, True, False, None, "true", 1, ABSENT),
    "channel": (*VALUES, *LISTS, None, [1], {"a": 1}, ABSENT),
    "quota": (ABSENT, None, [], {}, *VALUES),
    "quota.rpm": (ABSENT, *VALUES, None),
    "quota.per.day": (*[ABSENT] * 5, *VALUES),
}
"""What may stand at each path of an entry; what comes often stands more than once."""

_PATHS = tuple(_POOLS)
_SHAPES = (
    _PATHS[:3],
    (
        *_PATHS[:2],
        "created_at",
        *(path for path in _PATHS if path.startswith("capabilities")),
        "max_input_tokens",
        "max_tokens",
    ),
    _PATHS[: _PATHS.index("access")],
    _PATHS,
    _PATHS,
    (),
)
"""The fields of 2024, those of spring 2026, those of today, and those of a day to come."""


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Draw an entry in a shape that the API had, or may have one day: one byte chooses one value."""
    choices = draw(st.binary(min_size=len(_POOLS) + 2, max_size=len(_POOLS) + 2))
    entry: Entry = {"id": IDS[choices[0] % len(IDS)]}
    shape = _SHAPES[choices[1] % len(_SHAPES)]
    for (path, pool), choice in zip(_POOLS.items(), choices[2:], strict=True):
        value = pool[choice % len(pool)]
        if (
            value is ABSENT
            or path not in shape
            or (path.startswith("capabilities.") and entry["capabilities"] is None)
        ):
            continue
        *parents, last = path.split(".")
        node = entry
        for key in parents:
            inner = node.get(key)
            node[key] = dict(inner) if isinstance(inner, dict) else {}
            node = node[key]
        node[last] = value
    return entry


def listings(max_size: int = 6) -> SearchStrategy[list[Entry]]:
    """Return entries of distinct ids, in any order."""
    return st.lists(entries(), max_size=max_size, unique_by=operator.itemgetter("id"))


def catalogue_of(listing: Iterable[Entry], source: str = "static") -> Catalogue:
    """Return the catalogue of a listing without documented facts, to which every name used here is known."""
    return Catalogue.from_listing(listing, documented=None, source=source).with_names(NAMES)


@frozen
class Said:
    """A requirement as text, and what it means for a raw entry."""

    text: str
    truth: Truth
    binds: int = 2
    """How tightly its outermost operator binds: 0 for `or`, 1 for `and`, 2 for the rest."""

    def within(self, binds: int) -> str:
        """Return the text as it stands inside an operator that binds so tightly."""
        return self.text if self.binds >= binds else f"({self.text})"


_KEYS = {
    "pdf_input": ["pdf_input"],
    "citations": ["citations"],
    "nova": ["nova"],
    "nova.deep": ["nova.deep"],
    "nova.deep.deeper": ["nova.deep.types.deeper"],
    "thinking": ["thinking"],
    "thinking.adaptive": ["thinking.adaptive", "thinking.types.adaptive"],
    "thinking.types.adaptive": ["thinking.adaptive", "thinking.types.adaptive"],
    "thinking.types.disabled": ["thinking.types.disabled"],
    "context_management": ["context_management"],
    "context_management.compact_20260112": ["context_management.compact_20260112"],
    "effort": ["effort"],
    "types": ["types"],
    **{f"effort.{level}": [f"effort.{level}"] for level in LEVELS},
}
"""Where the tree states each capability; two places may state one, and then must agree."""

NAMES = Names(
    [name for name in _KEYS if ".types." not in name],
    ["channel", "quota.rpm", "quota.per.day", "quota"],
)


def _at(entry: Any, path: str) -> Any:
    for key in path.split("."):
        entry = entry.get(key) if isinstance(entry, dict) else None
    return entry


def stated(entry: Mapping[str, Any], name: str) -> Support:
    """Return what the raw entry states of a capability or trait."""
    if name.startswith("traits."):
        value = _at(entry, name)
        return value if isinstance(value, bool) else None
    found = {
        value
        for key in _KEYS[name]
        if isinstance(value := _at(entry.get("capabilities"), f"{key}.supported"), bool)
    }
    return found.pop() if len(found) == 1 else None


def date_of(value: Any) -> datetime | None:
    """Return the moment that a raw date means: aware, and later than the epoch's own day."""
    try:
        moment = datetime.fromisoformat(value)
        return (
            moment.astimezone(UTC)
            if moment.tzinfo and moment.astimezone(UTC).year > 1970
            else _new_year(moment)
        )
    except (TypeError, ValueError, OverflowError):
        return None


def _new_year(moment: datetime) -> datetime | None:
    return (
        moment
        if moment.tzinfo and moment > datetime(1970, 1, 1, 23, 59, 59, 999_999, tzinfo=UTC)
        else None
    )


def _limit_of(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _price_of(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if number and 0 <= value <= 1e300 else None


def _text_of(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _list_of(value: Any) -> list[str] | None:
    return (
        value if isinstance(value, list) and all(isinstance(each, str) for each in value) else None
    )


def _not(support: Support) -> Support:
    return None if support is None else not support


def _and(one: Support, other: Support) -> Support:
    if one is None or other is None:
        return False if one is False or other is False else None
    return one and other


def _capability(name: str) -> Said:
    return Said(name, lambda entry, _: stated(entry, name))


def _level(op: str, level: str) -> Said:
    at = LEVELS.index(level)
    names = {">=": LEVELS[at:], ">": LEVELS[at + 1 :], "<=": LEVELS[: at + 1], "<": LEVELS[:at]}[op]

    def truth(entry: Mapping[str, Any], _: datetime) -> Support:
        found = [stated(entry, f"effort.{name}") for name in names]
        return True if True in found else None if None in found else False

    return Said(f"effort {op} {level}", truth)


def _compared(
    field: str, read: Callable[[Any], Any], op: str, literal: str, meaning: Meaning
) -> Said:
    bound, holds = meaning

    def truth(entry: Mapping[str, Any], _: datetime) -> Support:
        value = read(_at(entry, field))
        return None if value is None else holds(value, bound)

    return Said(f"{field} {op} {literal}", truth)


_OPS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBERS = {
    "0": 0,
    "1": 1,
    "1_000": 1000,
    "200k": 200_000,
    "0.2K": 200,
    "200K": 200_000,
    "200_001": 200_001,
    "1M": 10**6,
    "0.5": 0.5,
    "0.0640M": 64_000,
}
_DAYS = {
    "2026-09-27": datetime(2026, 9, 27, tzinfo=UTC),
    "2026-09-28": datetime(2026, 9, 28, tzinfo=UTC),
    "2026-09-28T16:24:00Z": datetime(2026, 9, 28, 16, 24, tzinfo=UTC),
    '"2026-10-07T20:00:00+02:00"': datetime(2026, 10, 7, 18, tzinfo=UTC),
    "2026-11-08": datetime(2026, 11, 8, tzinfo=UTC),
}
_SPANS = {"0d": 0, "14d": 14, "2w": 14, "-2w": -14, "30d": 30, "1000000d": 10**6}
_TEXTS = {
    "opus": "opus",
    '"opus"': "opus",
    '"son\\u006eet"': "sonnet",
    "'opus'": "opus",
    "'son\\u006eet'": "sonnet",
    "'\"\\\"\\''": '""\'',
    '""': "",
    "''": "",
    "active": "active",
    "limited": "limited",
}
_PATTERNS = ("*", "o*", "*5*", "?", "?pus", "claude-*-5*", "", "*t", "A")


def _ordered(field: str, read: Callable[[Any], Any], literals: Mapping[str, Any]) -> list[Said]:
    return [
        _compared(field, read, op, text, (bound, holds))
        for op, holds in _OPS.items()
        for text, bound in literals.items()
    ]


def _equal(field: str, literals: Mapping[str, Any]) -> list[Said]:
    return [
        each for each in _ordered(field, _text_of, literals) if each.text.split()[1] in {"==", "!="}
    ]


def _dated(field: str) -> list[Said]:
    bounds = [
        each for each in _ordered(field, date_of, _DAYS) if each.text.split()[1] not in {"==", "!="}
    ]
    days = [
        _compared(field, date_of, op, text, (day, holds))
        for op, holds in (("==", _same_day), ("!=", _other_day))
        for text, day in _DAYS.items()
    ]
    return bounds + days


def _same_day(value: datetime, day: datetime) -> bool:
    return value.date() == day.date()


def _other_day(value: datetime, day: datetime) -> bool:
    return value.date() != day.date()


def _among(field: str, read: Callable[[Any], Any], literals: Mapping[str, Any]) -> list[Said]:
    return [
        _compared(field, read, op, f"({one}, {other})", ((literals[one], literals[other]), holds))
        for op, holds in (("in", _is_in), ("not in", _is_not_in))
        for one, other in pairwise(literals)
    ]


def _is_in(value: Any, among: tuple[Any, ...]) -> bool:
    return value in among


def _is_not_in(value: Any, among: tuple[Any, ...]) -> bool:
    return value not in among


def _relative(field: str, op: str, text: str, days: int) -> Said:
    def truth(entry: Mapping[str, Any], now: datetime) -> Support:
        if field == "retires_in" and "retires_at" in entry and entry["retires_at"] is None:
            return op in {">", ">="}
        moment = date_of(entry.get("created_at" if field == "age" else "retires_at"))
        if moment is None:
            return None
        return _OPS[op](now - moment if field == "age" else moment - now, timedelta(days=days))

    return Said(f"{field} {op} {text}", truth)


def _like(field: str, pattern: str) -> Said:
    return _compared(
        field, _text_of, "like", f'"{pattern}"', (re.compile(translate(pattern)), _fits)
    )


def _fits(value: str, pattern: re.Pattern[str]) -> bool:
    return pattern.match(value) is not None


_STATED: tuple[Said, ...] = tuple(map(_capability, [*_KEYS, "traits.prefill"]))
LITERALS: tuple[Said, ...] = (
    Said("true", lambda _entry, _now: True),
    *_STATED,
    *(_level(op, level) for op in (">=", "<=") for level in LEVELS),
    *(_level(">", level) for level in LEVELS[:-1]),
    *(_level("<", level) for level in LEVELS[1:]),
    *_ordered(
        "max_input_tokens",
        _limit_of,
        {text: value for text, value in _NUMBERS.items() if text != "0.5"},
    ),
    *_among("max_tokens", _limit_of, {"64k": 64_000, "128k": 128_000, "1": 1}),
    *_ordered("price.input", _price_of, _NUMBERS),
    *_among("price.output", _price_of, {"0.50": 0.5, "25": 25, "1": 1}),
    *_dated("created_at"),
    *_dated("deprecated_at"),
    *(
        _relative(field, op, *span)
        for field in ("age", "retires_in")
        for op in ("<", "<=", ">", ">=")
        for span in _SPANS.items()
    ),
    *_equal("line", _TEXTS),
    *_among("line", _text_of, {"opus": "opus", "'Opus'": "Opus", '""': "", "haiku": "haiku"}),
    *(_like(field, pattern) for field in ("id", "display_name") for pattern in _PATTERNS),
    *(
        _compared("allowed_fallback_models", _list_of, "has", text, (text, operator.contains))
        for text in ("a", "b", "c")
    ),
)
"""Every operator over every kind of known field, each with its meaning."""

LIFTING: tuple[Said, ...] = (*_equal("lifecycle", _TEXTS), *_equal("access", _TEXTS))
"""Literals that make a default filter fall away."""

UNKNOWN_FIELDS: tuple[str, ...] = tuple(
    f"{field} {op} {value}"
    for field in ("channel", "quota.rpm", "quota.per.day", "quota")
    for op, values in {
        **dict.fromkeys(
            _OPS,
            (
                "1",
                "2.5",
                "true",
                "stable",
                '"two words"',
                "'two words'",
                "2026-09-28",
                "2026-09-28T16:24:00Z",
                "-1",
            ),
        ),
        "like": ("sta*", '"*"', "2026*"),
        "has": ("a", "stable"),
        "in": ("(1, stable)", "(true, 2026-09-28)"),
        "not in": ("(1, stable)", "(a, 2026-09-28)"),
    }.items()
    for value in (
        f'"{each}"' if op == "like" and "*" in each and '"' not in each else each for each in values
    )
)
"""Comparisons of fields that the vocabulary does not know: each value is read by the type it comes in."""


Term = TypeVar("Term", Said, Requirement)


@frozen
class _Algebra(Generic[Term]):
    """The four operators, over texts with their meaning or over requirements."""

    conjoin: Callable[[Term, Term], Term]
    disjoin: Callable[[Term, Term], Term]
    negate: Callable[[Term], Term]
    allow: Callable[[Term], Term]

    def combined(self, literals: list[Term], choices: bytes) -> Term:
        """Return the literals joined from the left, as the choices say; a choice of neither joins them later."""
        stack: list[Term] = []
        for at, literal in enumerate(literals):
            stack.append(literal)
            choice = choices[at] if at < len(choices) else 0
            if len(stack) > 1 and choice % 3 < 2:
                last = stack.pop()
                stack.append((self.conjoin, self.disjoin)[choice % 3](stack.pop(), last))
            for operator_ in {
                1: (self.negate,),
                2: (self.allow,),
                3: (self.allow, self.negate),
            }.get(choice // 3 % 6, ()):
                stack.append(operator_(stack.pop()))
        return reduce(self.disjoin if choices[-1:] > b"\x7f" else self.conjoin, stack)


@st.composite
def _combined(
    draw: st.DrawFn,
    algebra: _Algebra[Term],
    leaves: SearchStrategy[list[Term]],
    choices: SearchStrategy[bytes],
) -> Term:
    return algebra.combined(draw(leaves), draw(choices))


def said(literals: Iterable[Said] = LITERALS, max_leaves: int = 5) -> SearchStrategy[Said]:
    """Return texts with their meaning, combined by every operator, with no more parentheses than they need."""
    algebra = _Algebra(_said_and, _said_or, _said_not, _said_maybe)
    leaves = st.lists(st.sampled_from((*literals, *_STATED * 2)), min_size=1, max_size=max_leaves)
    return _combined(algebra, leaves, st.binary(max_size=max_leaves))


def _said_not(part: Said) -> Said:
    return Said(f"not {part.within(2)}", lambda entry, now: _not(part.truth(entry, now)))


def _said_maybe(part: Said) -> Said:
    return Said(f"maybe {part.within(2)}", lambda entry, now: part.truth(entry, now) is not False)


def _said_and(one: Said, other: Said) -> Said:
    def truth(entry: Mapping[str, Any], now: datetime) -> Support:
        return _and(one.truth(entry, now), other.truth(entry, now))

    return Said(f"{one.within(1)} and {other.within(1)}", truth, 1)


def _said_or(one: Said, other: Said) -> Said:
    def truth(entry: Mapping[str, Any], now: datetime) -> Support:
        return _not(_and(_not(one.truth(entry, now)), _not(other.truth(entry, now))))

    return Said(f"{one.text} or {other.text}", truth, 0)


TEXTS: tuple[str, ...] = (
    *(each.text for each in (*LITERALS, *_STATED * 3, *LIFTING)),
    *UNKNOWN_FIELDS,
)
"""Literals over every operator and kind of field, what the vocabulary does not know included."""


def texts() -> SearchStrategy[str]:
    """Return literals of the language."""
    return st.sampled_from(TEXTS)


def requirements(
    literals: Iterable[str] = TEXTS, max_leaves: int = 6
) -> SearchStrategy[Requirement]:
    """Return requirements built by `&`, `|`, `~` and `possibility` from literals."""
    algebra: _Algebra[Requirement] = _Algebra(
        operator.and_, operator.or_, operator.invert, possibility
    )
    leaves = st.lists(
        st.sampled_from([parse(text) for text in literals]), min_size=1, max_size=max_leaves
    )
    return _combined(algebra, leaves, st.binary(max_size=max_leaves))


def policies() -> SearchStrategy[Policy]:
    """Return policies of every shape."""
    some = st.lists(requirements(max_leaves=2), max_size=3)
    return st.builds(
        Policy,
        require=requirements(max_leaves=3),
        prefer=some,
        alternatives=some,
        order=st.sampled_from(list(ORDERS)),
        minimum_age=st.none() | st.sampled_from(["0d", "14d", "30d"]),
    )
