"""HTTP errors: what each status and error type means, and what a later try can cure. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from router._errors import CatalogueUnavailableError

OK: Final = 200
NOT_MODIFIED: Final = 304
BAD_REQUEST: Final = 400
NOT_FOUND: Final = 404
TOO_MANY_REQUESTS: Final = 429

REFUSED_STATUSES: Final = frozenset({401, 403})
REFUSED_TYPES: Final = frozenset({"authentication_error", "permission_error"})
"""The statuses and the API's error types of a refused credential, which a person must replace."""

OUTAGE_STATUSES: Final = frozenset({500, 502, 503, 504, 529})
"""The statuses of a server that fails or is overloaded."""

RETRYABLE_STATUSES: Final = OUTAGE_STATUSES | {408, 409}
"""The statuses that a later try can cure; 429 is one of them only if it names a time."""

MAX_RETRY_AFTER: Final = 3600.0
"""Seconds: the longest wait that a server can ask for."""

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
"""The API's codes for limits of an organisation: their 429 names a time, and then comes again."""

_SHOWN: Final = 200
_HEADER_SHOWN: Final = 64


def read_refusal(
    reason: str, status: int | None, headers: Mapping[str, str], answer: object, now: float
) -> CatalogueUnavailableError:
    """Return the error of a status other than 200, by its status and by what the server says.

    `now` is in seconds since the epoch; no status means that no answer came, which may be retried.
    """
    stated = read_error(answer)
    retry_after = read_retry_after(headers, now)
    retryable = (
        status is None
        or status in RETRYABLE_STATUSES
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


def is_refused(error: CatalogueUnavailableError) -> bool:
    """Return whether the credential was refused; in a 200 answer only the type says so."""
    return error.status in REFUSED_STATUSES or error.error_type in REFUSED_TYPES


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
    """Return the seconds that the server asks to wait, at most an hour; `None` if it does not."""
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
        date = parsedate_to_datetime(headers.get("retry-after", "")[:_HEADER_SHOWN])
        return _clamped(date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _clamped(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def read_member(answer: object, name: str) -> Any:
    """Return a member of what is an object, `None` for none and of all else."""
    return answer.get(name) if isinstance(answer, Mapping) else None
