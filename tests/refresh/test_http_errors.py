"""What a server says when it refuses, in headers and in the body."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import Any

import httpx
import pytest
from canary import KEY
from hypothesis import given
from hypothesis import strategies as st

from router.refresh._credential import Credential
from router.refresh._http import Wire
from router.refresh._http_errors import (
    MAX_RETRY_AFTER,
    NEVER_HEALED,
    read_refusal,
    read_retry_after,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        (" 2 ", 2.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("inf", MAX_RETRY_AFTER),
        ("-inf", 0.0),
        ("1e309", MAX_RETRY_AFTER),
        ("3601", MAX_RETRY_AFTER),
        ("nan", None),
        ("1, 2", None),
        ("", None),
        ("soon", None),
        ("9" * 10**6, MAX_RETRY_AFTER),
        ("x" * 10**6, None),
        ("Sun, 22 Nov 2026 12:01:40 GMT", 100.0),
        ("Sun, 22 Nov 2026 14:01:40 +0200", 100.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00", 0.0),
        ("Fri, 31 Dec 2099 23:59:59 GMT", MAX_RETRY_AFTER),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Mon, 01 Jan 2001 00:00:00 +9999", None),
        ("Mon, 32 Jan 2001 00:00:00 GMT", None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """R5: whatever `retry-after` says is clamped to an hour, or is no word."""
    assert read_retry_after({"retry-after": text}, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "junk", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "nan", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "junk"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_retry_after_in_milliseconds(headers: dict[str, str], seconds: float | None) -> None:
    """R5: the finer header goes first where it says anything."""
    assert read_retry_after(headers, NOW) == seconds


@given(st.text(), st.text())
def test_retry_after_of_any_text(ms: str, text: str) -> None:
    """R5: no text raises, and none asks for more than an hour."""
    seconds = read_retry_after({"retry-after-ms": ms, "retry-after": text}, NOW)

    assert seconds is None or 0.0 <= seconds <= 3600.0


@given(
    st.integers(100, 999) | st.none(),
    st.dictionaries(st.text(), st.text()),
    st.recursive(st.none() | st.text(), st.lists),
)
def test_any_refusal_is_an_error_like_another(
    status: int | None, headers: dict[str, str], answer: Any
) -> None:
    """N9: whatever comes back, there is an error of that status, and it begins with the reason given."""
    refusal = read_refusal("refused", status, headers, answer, NOW)

    assert refusal.status == status
    assert str(refusal).startswith("refused")


@pytest.mark.parametrize(
    ("headers", "retry_after", "retryable"),
    [
        ({"retry-after": "Sun, 22 Nov 2026 12:01:40 GMT"}, 100.0, True),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:40 GMT", "x-should-retry": "false"}, 100.0, False),
        ({"x-should-retry": "true"}, None, True),
        ({}, None, False),
    ],
    ids=str,
)
def test_refusal_carries_what_the_headers_say(
    headers: dict[str, str], retry_after: float | None, retryable: bool
) -> None:
    """R2, R3, R5: the error says how long to wait, counted from now, and whether a later try is worth it."""
    refusal = read_refusal("refused", 429, headers, None, NOW)

    assert (refusal.retry_after, refusal.retryable) == (retry_after, retryable)


CURED = {408, 409, 500, 502, 503, 504, 529}
"""R1: the statuses that a later try can cure; those of R2 and all others stand."""

ANSWERS: dict[str, bytes] = {
    "json": b'{"type": "error", "error": {"type": "api_error", "message": "no"}}',
    "html": b"<h1>No</h1>",
    "empty": b"",
    "limit of money": (
        b'{"type": "error", "error": {"type": "rate_limit_error", "message": "no",'
        b' "details": {"error_code": "enforced_spend_limit_reached"}}}'
    ),
}
TIMES: dict[str, tuple[dict[str, str], float | None]] = {
    "none": ({}, None),
    "short": ({"retry-after": "3"}, 3.0),
    "huge": ({"retry-after": "9e9"}, 3600.0),
    "bad": ({"retry-after": "soon"}, None),
    "finer": ({"retry-after-ms": "250"}, 0.25),
    "both": ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
}
"""R5: what the headers say of a time, and the seconds that this means."""

WORDS: dict[str, dict[str, str]] = {
    "absent": {},
    **{word: {"x-should-retry": word} for word in ("true", "false", "junk")},
}


def is_cured(status: int, answer: str, seconds: float | None, word: str) -> bool:
    """Return whether a later try can cure it, read straight from R1 to R4."""
    if word == "true":
        return True
    if word == "false":
        return False
    if answer == "limit of money":
        return False
    if status == 429:
        return seconds is not None
    return status in CURED


def test_every_refusal_there_can_be() -> None:
    """N9: of every status with every body, time and word of the server, the error says what R1 to R5 say, and why."""
    wire = Wire("http://127.0.0.1", {}, Credential("x-api-key", KEY), wall=lambda: NOW)
    differing = []
    for (times, seconds), (word, said) in product(TIMES.values(), WORDS.items()):
        headers = httpx.Headers(times | said)
        for status, (answer, body) in product(range(300, 600), ANSWERS.items()):
            error = wire.refusal(httpx.Response(status, headers=headers), body)
            is_named = answer in {"json", "limit of money"}
            found = (error.status, error.retry_after, error.retryable, error.error_type is not None)
            if found != (status, seconds, is_cured(status, answer, seconds, word), is_named):
                differing.append((status, answer, times, word, found))

    assert differing == []


SPENT = {
    "contract_spend_limit_reached",
    "enforced_spend_limit_reached",
    "insufficient_quota",
    "linked_organization_billing_unavailable",
    "linked_organization_spend_limit_reached",
    "organization_on_hold",
    "ramp_limit_exceeded",
    "storage_quota_exceeded",
}


def too_many(code: object) -> dict[str, Any]:
    """Return what the API answers with a 429 of that code."""
    error = {"type": "rate_limit_error", "message": "no", "details": {"error_code": code}}
    return {"type": "error", "error": error}


@pytest.mark.parametrize("code", sorted(SPENT))
def test_limits_of_an_organisation_do_not_heal(code: str) -> None:
    """R4: none of the limits that only a person can lift is retried, though the server says when to come back."""
    refusal = read_refusal("refused", 429, {"retry-after": "7"}, too_many(code), NOW)

    assert (refusal.retry_after, refusal.retryable) == (7.0, False)


@pytest.mark.parametrize(
    "code", ["requests_per_minute", "organization", "ORGANIZATION_ON_HOLD", "", 7, None, [], {}]
)
def test_limits_of_a_minute_heal(code: Any) -> None:
    """R3: a 429 of any other code, or of what is no code, is retried when the server says."""
    refusal = read_refusal("refused", 429, {"retry-after": "7"}, too_many(code), NOW)

    assert (refusal.retry_after, refusal.retryable) == (7.0, True)


def test_all_limits_of_an_organisation_are_known() -> None:
    """R4: no code counts among them that is not tested here."""
    assert NEVER_HEALED == SPENT


def test_no_answer_is_retried() -> None:
    """R1: where no answer has come, a later try may get one."""
    assert read_refusal("refused", None, {}, None, NOW).retryable
