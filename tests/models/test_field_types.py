"""Kinds of field: what JSON they take, how their literals read and write, and how two values compare."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from router.models._field_types import (
    KINDS,
    MAX_DAYS,
    NEVER,
    all_of,
    any_of,
    compare,
    like,
    read_date,
    shift_days,
    write_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SEPTEMBER = datetime(2026, 9, 28, 16, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-09-28T16:24:00Z", SEPTEMBER),
        ("2026-09-28T16:24:00+00:00", SEPTEMBER),
        ("2026-09-29T06:24:00+14:00", SEPTEMBER),
        ("2026-09-28T11:24:00-05:00", SEPTEMBER),
        ("2026-09-28 16:24:00Z", SEPTEMBER),
        ("2026-09-28T16:24:00.5Z", SEPTEMBER.replace(microsecond=500_000)),
        ("2026-09-28T16:24:00.123456789Z", SEPTEMBER.replace(microsecond=123_456)),
        ("1970-01-02T00:00:00Z", datetime(1970, 1, 2, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_full_timestamp_is_a_known_date(value: str, moment: datetime) -> None:
    """A date with a time and a zone is the same moment in UTC, to the microsecond."""
    read = read_date(value)
    assert read == moment
    assert read is not None
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("1970-01-01T00:00:00Z", id="epoch"),
        pytest.param("1970-01-01T23:59:59.999999Z", id="the epoch's day"),
        pytest.param("1970-01-02T00:00:00+14:00", id="epoch in another zone"),
        pytest.param("1969-12-31T23:59:59Z", id="before the epoch"),
        pytest.param("0001-01-01T00:00:00Z", id="year 1"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before year 1"),
        pytest.param("9999-12-31T23:59:59-14:00", id="after year 9999"),
        pytest.param("10000-01-01T00:00:00Z", id="year 10000"),
        pytest.param("2026-09-28", id="day alone"),
        pytest.param("2026-09-28T16:24:00", id="naive"),
        pytest.param("2026-09-28T16:24Z", id="no seconds"),
        pytest.param("20260928T162400Z", id="basic format"),
        pytest.param("2026-W40-1T00:00:00Z", id="week"),
        pytest.param("2026-02-30T00:00:00Z", id="no such day"),
        pytest.param("2026-06-30T23:59:60Z", id="leap second"),
        pytest.param("2026-09-28T25:00:00Z", id="no such hour"),
        pytest.param("2026-09-28T16:24:00+99:00", id="no such zone"),
        pytest.param("2026-09-28T16:24:00Z ", id="trailing space"),
        pytest.param("\uff12026-09-28T16:24:00Z", id="full-width digit"),
        pytest.param("soon", id="words"),
        pytest.param("", id="empty"),
        pytest.param(None, id="null"),
        pytest.param(1_790_612_640, id="unix seconds"),
        pytest.param(True, id="bool"),
        pytest.param({"date": "2026-09-28T16:24:00Z"}, id="object"),
        pytest.param(SEPTEMBER, id="not JSON"),
    ],
)
def test_any_other_date_is_unknown(value: object) -> None:
    """S5: an epoch, missing, naive or unreadable date is unknown; nothing is guessed from a part of it."""
    assert read_date(value) is None


@pytest.mark.parametrize("value", [1, 64_000, 10**30], ids=str)
def test_a_limit_is_an_int_of_at_least_one(value: int) -> None:
    """Any whole number of tokens from one up counts."""
    assert KINDS["limit"].read(value) == value


@pytest.mark.parametrize(
    "value",
    [0, -1, None, True, False, "200000", 2e5, 1.0, 1e30, float("nan"), float("inf"), [], {}],
    ids=repr,
)
def test_any_other_limit_is_unknown(value: object) -> None:
    """S7: zero, null, a bool, a float, a text: none of them is a limit."""
    assert KINDS["limit"].read(value) is None


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("number", 0, 0),
        ("number", 0.5, 0.5),
        ("number", 25, 25),
        ("number", 10**30, 10**30),
        ("number", -1, None),
        ("number", -0.5, None),
        ("number", True, None),
        ("number", "5", None),
        ("number", float("nan"), None),
        ("number", float("inf"), None),
        ("number", None, None),
        ("text", "opus", "opus"),
        ("text", "", ""),
        ("text", None, None),
        ("text", 5, None),
        ("text", ["opus"], None),
        ("list", [], ()),
        ("list", ["a", "b"], ("a", "b")),
        ("list", "a", None),
        ("list", ["a", 1], None),
        ("list", ["a", None], None),
        ("list", {"a": "b"}, None),
        ("list", None, None),
        ("any", True, True),
        ("any", False, False),
        ("any", 1, 1),
        ("any", 2.5, 2.5),
        ("any", "stable", "stable"),
        ("any", ["a"], ("a",)),
        ("any", [1], None),
        ("any", {"a": 1}, None),
        ("any", None, None),
        ("any", float("nan"), None),
        ("duration", 5, None),
        ("duration", "14d", None),
    ],
    ids=repr,
)
def test_a_value_of_the_wrong_type_is_unknown(kind: str, value: object, read: object) -> None:
    """Each kind takes its own JSON type as it is, and nothing else."""
    got = KINDS[kind].read(value)
    assert got == read
    assert type(got) is type(read)


@pytest.mark.parametrize(
    ("text", "number", "shown"),
    [
        ("0", 0, "0"),
        ("1", 1, "1"),
        ("200000", 200_000, "200k"),
        ("200_000", 200_000, "200k"),
        ("200k", 200_000, "200k"),
        ("200K", 200_000, "200k"),
        ("1M", 1_000_000, "1M"),
        ("1000k", 1_000_000, "1M"),
        ("1_5_0", 150, "150"),
        ("999", 999, "999"),
        ("1500", 1500, "1500"),
        ("0.5k", 500, "500"),
        ("0.064M", 64_000, "64k"),
        ("1.0", 1, "1"),
        ("9" * 30, int("9" * 30), "9" * 30),
        ("007", 7, "7"),
    ],
)
@pytest.mark.parametrize("kind", ["limit", "number"])
def test_numbers_read_with_their_letters(kind: str, text: str, number: int, shown: str) -> None:
    """`_` groups digits, `k` is a thousand and `M` a million; a whole number is written as short as can be."""
    read = KINDS[kind].parse(text)
    assert read == number
    assert type(read) is int
    assert KINDS[kind].write(read) == shown


@pytest.mark.parametrize(
    ("text", "number", "shown"),
    [
        ("0.5", 0.5, "0.5"),
        ("0.10", 0.1, "0.1"),
        ("25.75", 25.75, "25.75"),
        ("0.0005k", 0.5, "0.5"),
        ("0.0000001", 1e-7, "0.0000001"),
        ("1234.5", 1234.5, "1234.5"),
    ],
)
def test_fractions_are_numbers_but_no_limits(text: str, number: float, shown: str) -> None:
    """A price may have a fraction, written without an exponent; a number of tokens may not."""
    assert KINDS["number"].parse(text) == number
    assert KINDS["number"].write(number) == shown
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        KINDS["limit"].parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "k",
            "-1",
            "+1",
            "1e5",
            "1__0",
            "_1",
            "1_",
            "1_k",
            "1 000",
            "1,000",
            "0x10",
            "1.",
            ".5",
            "1.5.0",
        ),
        *(
            "1kK",
            "1m",
            "1kk",
            "1G",
            "inf",
            "nan",
            "\u0663",
            "\uff11",
            "9" * 31,
            "1" * 4301,
            "0." + "1" * 31,
            "1_.5",
            "$5",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["limit", "number"])
def test_any_other_number_is_refused(kind: str, text: str) -> None:
    """Signs, exponents, other letters, other digits and endless numbers are no literals."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        KINDS[kind].parse(text)


@pytest.mark.parametrize(
    ("text", "moment", "shown"),
    [
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01"),
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01"),
        ("2026-01-01T09:30:00Z", datetime(2026, 1, 1, 9, 30, tzinfo=UTC), "2026-01-01T09:30:00Z"),
        (
            "2026-01-01T09:30:00+02:00",
            datetime(2026, 1, 1, 7, 30, tzinfo=UTC),
            "2026-01-01T07:30:00Z",
        ),
        (
            "2026-01-01T00:00:00.25Z",
            datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC),
            "2026-01-01T00:00:00.250000Z",
        ),
        ("1970-01-01", datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01"),
        ("0800-12-25", datetime(800, 12, 25, tzinfo=UTC), "0800-12-25"),
    ],
)
def test_a_day_means_its_first_moment(text: str, moment: datetime, shown: str) -> None:
    """A date literal is 00:00Z of its day, or the moment that it spells; 00:00Z is written as the day alone."""
    assert KINDS["date"].parse(text) == moment
    assert KINDS["date"].write(moment) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-1-1",
        "2026-13-01",
        "2026-02-30",
        "2026-01-01T09:30Z",
        "2026-01-01T09:30:00",
        "today",
        "\uff12026-01-01",
    ],
)
def test_any_other_date_literal_is_refused(text: str) -> None:
    """Half a date, a naive one or one that does not exist is no literal."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        KINDS["date"].parse(text)


@pytest.mark.parametrize(
    ("text", "days", "shown"),
    [
        ("0d", 0, "0d"),
        ("14d", 14, "14d"),
        ("2w", 14, "14d"),
        ("-3d", -3, "-3d"),
        ("-1w", -7, "-7d"),
        ("1000000d", MAX_DAYS, "1000000d"),
        ("-1000000d", -MAX_DAYS, "-1000000d"),
    ],
)
def test_durations_are_days_and_weeks(text: str, days: int, shown: str) -> None:
    """`d` is a day and `w` seven; a duration is written in days."""
    assert KINDS["duration"].parse(text) == days
    assert KINDS["duration"].write(days) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "14",
        "d",
        "1.5d",
        "14 d",
        "14D",
        "1m",
        "1y",
        "+1d",
        "1000001d",
        "142858w",
        "9999999999d",
        "\u0661d",
    ],
)
def test_any_other_duration_is_refused(text: str) -> None:
    """Months, fractions and spans longer than any date can reach are no literals."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        KINDS["duration"].parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("opus", "opus"),
        ("claude-opus-4.5:v1@x", "claude-opus-4.5:v1@x"),
        ("200k", "200k"),
        ("true", "true"),
        ("", '""'),
        ("two words", '"two words"'),
        ("and", '"and"'),
        ("has", '"has"'),
        ("AND", "AND"),
        ("claude-*", '"claude-*"'),
        ("a/b", '"a/b"'),
        ('say "hi"\\', '"say \\"hi\\"\\\\"'),
        ("é\n", '"\\u00e9\\n"'),
        ("opus\n", '"opus\\n"'),
    ],
)
def test_text_is_bare_where_it_can_be(text: str, shown: str) -> None:
    """A value of plain characters that is no keyword needs no quotes; any other is quoted with JSON escapes."""
    assert write_text(text) == shown


@pytest.mark.parametrize(
    ("text", "pattern", "fits"),
    [
        ("claude-opus-5-5", "claude-*-5*", True),
        ("claude-opus-5-5", "claude-opus-5-5", True),
        ("claude-opus-5-5", "opus", False),
        ("claude-opus-5-5", "*opus*", True),
        ("claude-opus-5-5", "claude", False),
        ("claude-opus-5-5", "5-5", False),
        ("claude-opus-5-5", "Claude-*", False),
        ("Claude Opus", "claude*", False),
        ("claude-opus-5-5", "claude-????-5-5", True),
        ("claude-opus-5-5", "claude-???-5-5", False),
        ("claude-opus-5-5", "*5", True),
        ("claude-opus-5-5", "*-5-*-5", False),
        ("", "", True),
        ("", "*", True),
        ("", "***", True),
        ("", "?", False),
        ("a", "", False),
        ("a", "?", True),
        ("a", "*?", True),
        ("a", "?*?", False),
        ("ab", "a*b*", True),
        ("aab", "*ab", True),
        ("abab", "*ab", True),
        ("ababc", "*abc", True),
        ("mississippi", "m*iss*ip*i", True),
        ("mississippi", "m*iss*iss*iss*i", False),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("a[b]c", "a[b]c", True),
        ("abc", "a[b]c", False),
        ("line\nbreak", "line*break", True),
        ("line\nbreak", "line?break", True),
        ("abc", "abc*", True),
        ("abcd", "ab?d*", True),
        ("*", "?", True),
        ("a*", "a*", True),
    ],
)
def test_like_is_anchored_and_knows_two_wildcards(text: str, pattern: str, fits: bool) -> None:
    """`*` is any run of characters and `?` any one; everything else, also a dot or bracket, is itself."""
    assert like(text, pattern) is fits


def test_hostile_patterns_finish() -> None:
    """No pattern takes more than time linear in the text times the pattern."""
    started = time.process_time()
    assert not like("a" * 5_000, "*a" * 100 + "*b")
    assert not like("a" * 5_000, "*" * 5_000 + "b")
    assert like("a" * 5_000, "?*" * 2_000)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("op", "value", "literal", "held"),
    [
        ("==", True, "true", True),
        ("==", True, "false", False),
        ("==", False, "false", True),
        ("==", True, "1", None),
        ("==", True, "yes", None),
        (">=", True, "1", None),
        ("like", True, "*", None),
        ("has", True, "true", None),
        ("==", 1, "1", True),
        ("==", 1, "1.0", True),
        ("==", 1, "true", None),
        ("==", 200_000, "200k", True),
        (">=", 2.5, "2.5", True),
        (">", 2.5, "2.5", False),
        ("<", 2.5, "3", True),
        ("<=", 2.5, "2", False),
        ("==", 1, "one", None),
        ("like", 1, "*", None),
        ("==", "stable", "stable", True),
        ("==", "stable", "beta", False),
        ("==", "1", "1", True),
        ("==", "1", "1.0", False),
        ("==", "true", "true", True),
        (">=", "stable", "a", None),
        ("like", "stable", "st*", True),
        ("has", "stable", "s", None),
        ("==", "2026-09-28T16:24:00Z", "2026-09-28", True),
        ("==", "2026-09-28T16:24:00Z", "2026-09-29", False),
        (">=", "2026-09-28T16:24:00Z", "2026-09-28", True),
        ("<", "2026-09-28T16:24:00Z", "2026-09-28T16:24:01Z", True),
        (">", "2026-09-28T16:24:00Z", "2026-09-28T16:24:00Z", False),
        ("<", "2026-09-28T16:24:00Z", "tomorrow", None),
        ("<", "2026-09-28T16:24:00Z", "2026-02-30", None),
        ("==", "2026-09-28T16:24:00Z", "x", False),
        ("like", "2026-09-28T16:24:00Z", "2026-*", True),
        ("has", ("a", "b"), "a", True),
        ("has", ("a", "b"), "c", False),
        ("has", ("ab",), "a", False),
        ("==", ("a",), "a", None),
        ("like", ("a",), "a", None),
    ],
    ids=repr,
)
def test_an_unknown_field_is_read_by_the_type_it_comes_in(
    op: str, value: Any, literal: str, held: bool | None
) -> None:
    """The value decides what the literal means; an operator or literal that its type does not take says nothing."""
    assert compare(op, "any", value, literal) is held


@pytest.mark.parametrize(
    ("value", "literals", "held"),
    [
        ("stable", ("beta", "stable"), True),
        ("stable", ("alpha", "beta"), False),
        (1, ("one", "1"), True),
        (1, ("one", "2"), None),
        (1, ("3", "2"), False),
    ],
)
def test_among_is_any_of_the_equalities(
    value: Any, literals: tuple[str, ...], held: bool | None
) -> None:
    """`in` holds where one equality does, and is unknown where none does and one is unknown."""
    assert compare("in", "any", value, literals) is held


def test_equal_dates_are_of_one_utc_day() -> None:
    """`==` on dates compares the UTC day and nothing finer."""
    assert compare("==", "date", SEPTEMBER, datetime(2026, 9, 28, tzinfo=UTC))
    assert compare("==", "date", datetime(2026, 9, 28, 23, 59, 59, 999_999, tzinfo=UTC), SEPTEMBER)
    assert not compare("==", "date", datetime(2026, 9, 29, tzinfo=UTC), SEPTEMBER)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (SEPTEMBER, 14, datetime(2026, 10, 12, 16, 24, tzinfo=UTC)),
        (SEPTEMBER, -28, datetime(2026, 8, 31, 16, 24, tzinfo=UTC)),
        (SEPTEMBER, 0, SEPTEMBER),
        (SEPTEMBER, -MAX_DAYS, datetime.min.replace(tzinfo=UTC)),
        (datetime(9999, 12, 31, tzinfo=UTC), 5, NEVER - timedelta(microseconds=1)),
        (NEVER, 0, NEVER - timedelta(microseconds=1)),
    ],
)
def test_a_shifted_moment_stays_a_date(start: datetime, days: int, end: datetime) -> None:
    """A moment moved by days is cut off where dates end, and always comes before what is not scheduled."""
    assert shift_days(start, days) == end


@pytest.mark.parametrize(
    ("supports", "all_held", "any_held"),
    [
        ([], True, False),
        ([True], True, True),
        ([True, None], None, True),
        ([None, True], None, True),
        ([None], None, None),
        ([None, False], False, None),
        ([False, None], False, None),
        ([True, False], False, True),
        ([None, False, True], False, True),
        ([True, None, False], False, True),
    ],
)
def test_many_supports_follow_kleene(
    supports: Sequence[bool | None], all_held: bool | None, any_held: bool | None
) -> None:
    """All hold unless one fails or is unknown; any holds where one does, whatever the order."""
    assert all_of(supports) is all_held
    assert any_of(supports) is any_held
