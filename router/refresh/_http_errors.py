"""Refusal: what an answer that is no page says, and whether a later try can cure it. Without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from router._errors import CatalogueUnavailableError

REFUSED_TYPES: Final = frozenset({"authentication_error", "permission_error"})
"""The API's error types of a credential that is not taken, which only somebody can heal."""

MAX_RETRY_AFTER: Final = 3600.0
"""Seconds: the longest wait that a server can ask for."""

_RETRIED: Final = frozenset({408, 409, 500, 502, 503, 504, 529})
"""The statuses that a later try can cure."""

HEALING: Final = frozenset({"api_error", "overloaded_error", "timeout_error"})
"""The API's error types that a later try can cure (Messages and Models API reference, errors)."""

NEVER_HEALED: Final = frozenset(
    {
        "enforced_spend_limit_reached",
        "insufficient_quota",
        "contract_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "linked_organization_spend_limit_reached",
        "organization_on_hold",
        "ramp_limit_exceeded",
        "storage_quota_exceeded",
    }
)
"""The API's codes for limits of a whole organisation: a 429 of theirs says when to come back, and comes again."""

TOO_MANY_REQUESTS: Final = 429
_SHOWN: Final = 200
_HEADER_SHOWN: Final = 64


def read_refusal(
    reason: str, status: int | None, headers: Mapping[str, str], answer: object, now: float
) -> CatalogueUnavailableError:
    """Return the error of an answer that is no 200, by the table of statuses and by what the server says of it.

    `now` is in seconds since the epoch; without a status no answer has come, which a later try can cure.
    """
    stated = read_error(answer)
    retry_after = read_retry_after(headers, now)
    retryable = (
        status is None
        or status in _RETRIED
        or (status == TOO_MANY_REQUESTS and retry_after is not None)
    )
    code = read_member(read_member(read_member(answer, "error"), "details"), "error_code")
    if isinstance(code, str) and code in NEVER_HEALED:
        retryable = False
    return CatalogueUnavailableError(
        f"{reason}: {stated.reason}" if stated is not None else reason,
        status=status,
        error_type=stated.error_type if stated is not None else None,
        retry_after=retry_after,
        retryable={"true": True, "false": False}.get(headers.get("x-should-retry", ""), retryable),
    )


def read_error(answer: object) -> CatalogueUnavailableError | None:
    """Return the error that an answer of the API states, whatever its status."""
    error = read_member(answer, "error")
    if not isinstance(error, dict) or read_member(answer, "type") != "error":
        return None
    stated = error.get("type")
    error_type = stated[:_SHOWN] if isinstance(stated, str) else "an error without a type"
    message = str(error.get("message", ""))[:_SHOWN]
    return CatalogueUnavailableError(
        f"{error_type}: {message}", error_type=error_type, retryable=error_type in HEALING
    )


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that the server asks to wait, from 0 to `MAX_RETRY_AFTER`; `None` for none or nonsense."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "")[:_HEADER_SHOWN]
        try:
            seconds = float(text) * unit
        except ValueError:
            continue
        if seconds == seconds:  # noqa: PLR0124 - all but NaN
            return _clamped(seconds)
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(headers.get("retry-after", "")[:_HEADER_SHOWN])
        return _clamped(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _clamped(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def read_member(answer: object, name: str) -> Any:
    """Return a member of what is an object, `None` for none and of all else."""
    return answer.get(name) if isinstance(answer, Mapping) else None
