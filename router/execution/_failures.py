"""Failures: what a failed call says about its model, and what may cure it. Without I/O.

The classes follow Anthropic's API reference on errors, and what its API was seen to answer. No
client is imported: a failure is read from the attributes that clients agree on.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from traceback import walk_tb
from typing import Any, ClassVar, Final

from attrs import field, frozen

from router._errors import ConfigurationError, printable, quoted
from router._serialising import Serialisable
from router.models._model import Model
from router.refresh._http_errors import (
    BAD_REQUEST,
    HEALING,
    MAX_RETRY_AFTER,
    NEVER_HEALED,
    NOT_FOUND,
    OK,
    OUTAGE_STATUSES,
    TOO_MANY_REQUESTS,
    read_member,
    read_retry_after,
)


class FailureClass(Enum):
    """What may cure a failed call."""

    NEXT_MODEL = "next_model"
    """Another model: this one is overloaded, out of its rate limit, gone, or cannot be reached."""
    LARGER_WINDOW = "larger_window"
    """A model with a larger context window: the request does not fit into this one's."""
    LACKS_FEATURE = "lacks_feature"
    """A model that takes what the request asks for: the API says that this one does not."""
    GIVE_UP = "give_up"
    """No model: the request, the credential or the account is at fault."""


@frozen(kw_only=True, repr=False)
class Failure(Serialisable):
    """What a failed call says, as far as it can be read; raises `ConfigurationError` if invalid."""

    kind: FailureClass = field()
    reason: str
    """One printable line, such as `529 overloaded_error: Overloaded`."""
    status: int | None = None
    """The HTTP status, `None` where no answer came."""
    error_type: str | None = None
    """The API's own name of the failure."""
    retry_after: float | None = field(default=None)
    """The seconds that the server asked to wait, an hour at most."""
    tokens: int | None = None
    """How many tokens the request needs, where the answer says so."""
    is_gone: bool = False
    """Whether there is no such model for this credential."""

    json_names: ClassVar = (
        *("kind", "reason", "status", "error_type", "retry_after", "tokens", "is_gone"),
    )

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.reason}"

    @kind.validator
    def _check_kind(self, _: object, value: object) -> None:
        if not isinstance(value, FailureClass):
            raise ConfigurationError(f"kind must be a FailureClass (got {quoted(value)})")

    @retry_after.validator
    def _check_retry_after(self, _: object, value: object) -> None:
        if value is None:
            return
        if not isinstance(value, int | float) or not 0.0 <= value <= MAX_RETRY_AFTER:
            raise ConfigurationError(
                f"retry_after must be 0 to {MAX_RETRY_AFTER:g} seconds (got {quoted(value)})"
            )


_FIRST_STATUS: Final = 100
_LAST_STATUS: Final = 599

_MODEL_NOT_FOUND: Final = ("pydantic_ai", "ModelNotFoundError")

_WITHOUT_STATUS: Final[Mapping[tuple[str, str], FailureClass]] = {
    ("anthropic", "APIConnectionError"): FailureClass.NEXT_MODEL,
    ("openai", "APIConnectionError"): FailureClass.NEXT_MODEL,
    ("httpx", "TransportError"): FailureClass.NEXT_MODEL,
    ("httpx2", "TransportError"): FailureClass.NEXT_MODEL,
    ("pydantic_ai", "ModelAPIError"): FailureClass.NEXT_MODEL,
    ("pydantic_ai", "ModelQuotaExceededError"): FailureClass.GIVE_UP,
    ("pydantic_ai", "ModelRequestRejectedError"): FailureClass.GIVE_UP,
    ("pydantic_ai", "ModelContextWindowExceededError"): FailureClass.LARGER_WINDOW,
    _MODEL_NOT_FOUND: FailureClass.NEXT_MODEL,
}
"""The errors of clients without a status, by package and class; subclasses included."""

_HTTP_CLIENTS: Final = frozenset({"httpx", "httpx2"})

_WRAPPING: Final = frozenset({"anthropic", "openai"})
"""The packages whose errors of a connection have another exception for a cause."""

_NOT_SENT: Final = frozenset({"UnsupportedProtocol", "LocalProtocolError", "PoolTimeout"})
"""Transport errors that say that the request was never sent, for a reason of the caller's own."""

_TOO_LONG: Final = re.compile(
    r"(prompt|input) is too long|exceeds? (the )?context (limit|window)|maximum context length"
    r"|context_length_exceeded"
)
_UNSUPPORTED: Final = re.compile(
    r"not support|unsupported|not compatible|not available|deprecated for"
    r"|maximum allowed number of output tokens"
)
_OF_THIS_MODEL: Final = re.compile(r"\b(this|the|requested) model\b|\bclaude-[a-z0-9]")
_OF_THE_MODEL: Final = re.compile(r"^model\b[: '\"`]|\bthe model\b|model_not_found")
_SENT: Final = re.compile(r"(\d{1,12})(?: \+ (\d{1,12}))?(?: tokens)? > \d")
_MAX_SHOWN: Final = 200
_MAX_SEARCHED: Final = 10_000
"""Characters of a message that are shown, and that are looked into."""

_MAX_BODY: Final = 1 << 20
"""Bytes of an answer that are looked into."""


def classify(error: Exception, model: Model, *, passed_on: bool = True) -> Failure | None:
    """Return what a failed call of `model` means, `None` for an exception that is not of an API.

    It reads the exceptions of `anthropic`, `openai`, `httpx`, `httpx2` and `pydantic_ai`, and any
    with a `status_code`, its own or its `response`'s; the time to wait from the headers, or from
    its own `retry_after` in seconds. An answer that breaks off counts as passed on, and no model
    may follow, unless `passed_on` is false.
    """
    return read_failure(error, model, time.time(), passed_on=passed_on)


def read_failure(
    error: Exception, model: Model, now: float, *, passed_on: bool = True
) -> Failure | None:
    """Return what `classify` does; `now` is in seconds since the epoch."""
    response = _attribute(error, "response")
    status = _read_status(error, response)
    if status is None:
        return _read_without_status(error, passed_on=passed_on)
    stated = _read_error_body(error, response, status)
    retry_after = read_retry_after(_read_headers(response), now)
    if retry_after is None:
        retry_after = _own_retry_after(error)
    kind = _kind(status, stated, retry_after, model, passed_on=passed_on)
    if passed_on and _is_in_stream(error):
        kind = FailureClass.GIVE_UP
    is_next = kind is FailureClass.NEXT_MODEL
    sent = _SENT.search(stated.text) if kind is FailureClass.LARGER_WINDOW else None
    said = stated.message or (_text_of(error) if response is None else "")
    return Failure(
        kind=kind,
        reason=_one_line(" ".join(filter(None, (str(status), stated.error_type))), said),
        status=status,
        error_type=stated.error_type,
        retry_after=retry_after if is_next else None,
        tokens=(sum(int(each) for each in sent.groups() if each) or None) if sent else None,
        is_gone=is_next and status == NOT_FOUND,
    )


@frozen
class _ErrorBody:
    """What the body of an answer says about the failure, in the API's shape or a similar one."""

    error_type: str | None
    message: str
    codes: frozenset[str]
    text: str
    """The message and the codes, to be searched, in lower case."""
    is_silent: bool
    """Whether there is no body at all: one that was not read may say anything."""
    is_read: bool


def _kind(
    status: int, stated: _ErrorBody, retry_after: float | None, model: Model, *, passed_on: bool
) -> FailureClass:
    if status == BAD_REQUEST:
        return _kind_of_bad_request(stated.text, model)
    if status == TOO_MANY_REQUESTS:
        # A 429 that names no time to wait is a limit that no other model is free of.
        is_cured = retry_after is not None and stated.is_read and not stated.codes & NEVER_HEALED
    elif status == NOT_FOUND:
        # A file, a batch or a path that is not found is none of the model's.
        is_cured = stated.is_silent or _names(model, _OF_THE_MODEL, stated.text)
    else:
        began = status == OK and not passed_on
        is_cured = status in OUTAGE_STATUSES or (began and stated.error_type in HEALING)
    return FailureClass.NEXT_MODEL if is_cured else FailureClass.GIVE_UP


def _kind_of_bad_request(text: str, model: Model) -> FailureClass:
    if _TOO_LONG.search(text):
        return FailureClass.LARGER_WINDOW
    lacks = _UNSUPPORTED.search(text) and _names(model, _OF_THIS_MODEL, text)
    return FailureClass.LACKS_FEATURE if lacks else FailureClass.GIVE_UP


def _names(model: Model, pattern: re.Pattern[str], text: str) -> bool:
    return model.id.lower() in text or pattern.search(text) is not None


def _read_without_status(error: Exception, *, passed_on: bool) -> Failure | None:
    kind, causes = _kind_without_status(error), _causes_of(error)
    if kind is None or _is_callers_own(causes):
        return None
    if passed_on and (_broke_off(causes) or _is_in_stream(error)):
        kind = FailureClass.GIVE_UP
    return Failure(
        kind=kind,
        reason=_one_line(type(error).__name__, _text_of(error)),
        retry_after=_own_retry_after(error) if kind is FailureClass.NEXT_MODEL else None,
        is_gone=kind is FailureClass.NEXT_MODEL and _MODEL_NOT_FOUND in _classes_of(error),
    )


def _causes_of(error: BaseException) -> list[BaseException]:
    """Return an error and its causes, outermost first."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and all(cause is not each for each in causes):
        causes.append(cause)
        cause = cause.__cause__
    return causes


def _kind_without_status(error: BaseException) -> FailureClass | None:
    """Return what the nearest class of an error that is in the table means, `None` for none."""
    return next(
        (_WITHOUT_STATUS[each] for each in _classes_of(error) if each in _WITHOUT_STATUS), None
    )


def _classes_of(error: BaseException) -> list[tuple[str, str]]:
    """Return the package and the name of each class of an error, the nearest first."""
    return [(_package_of(each), each.__name__) for each in type(error).__mro__]


def _package_of(kind: type) -> str:
    return str(kind.__module__).partition(".")[0]


def _is_callers_own(causes: Sequence[BaseException]) -> bool:
    """Return whether an error without a status is a failure before the request was sent.

    A client wraps whatever it meets, such as a bug in a hook of the caller's, or its own closing.
    """
    package = ""
    for each in causes:
        if _kind_without_status(each) is None:
            return package in _WRAPPING and not isinstance(each, OSError)
        if type(each).__name__ in _NOT_SENT or _attribute(each, "phase") == "pool":
            return True
        package = _package_of(type(each))
    return False


def _broke_off(causes: Sequence[BaseException]) -> bool:
    """Return whether a connection broke while its answer was iterated over, not read as a whole."""
    functions = set[str]()
    for each in causes:
        for frame, _ in walk_tb(each.__traceback__):
            module = str(frame.f_globals.get("__name__", ""))
            if module.partition(".")[0] in _HTTP_CLIENTS:
                functions.add(frame.f_code.co_name)
    return bool(functions & {"iter_raw", "aiter_raw"}) and not functions & {"read", "aread"}


def _is_in_stream(error: Exception) -> bool:
    """Return whether an exception says that its answer had begun, as those of pydantic-ai do."""
    return _attribute(error, "in_stream") is True


def _own_retry_after(error: Exception) -> float | None:
    """Return the seconds that an exception itself says to wait, as far as they are a time."""
    seconds = _attribute(error, "retry_after")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(min(seconds, MAX_RETRY_AFTER)) if 0.0 <= seconds < math.inf else None


def _attribute(value: object, name: str) -> Any:
    """Return an attribute of a foreign object, `None` if it cannot be read."""
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - a foreign property
        return None


def _text_of(error: Exception) -> str:
    """Return the text of an exception, empty if it has none."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a foreign method
        return ""


def _read_status(error: Exception, response: object) -> int | None:
    for value in (_attribute(error, "status_code"), _attribute(response, "status_code")):
        if isinstance(value, int) and _FIRST_STATUS <= value <= _LAST_STATUS:
            return int(value)
    return None


def _read_headers(response: object) -> Mapping[str, str]:
    headers = _attribute(response, "headers")
    try:
        return {str(name).lower(): str(value) for name, value in headers.items()}
    except Exception:  # noqa: BLE001 - foreign methods, or none
        return {}


def _read_body(error: Exception, response: object) -> tuple[Any, bool]:
    """Return the content of a body, `None` if it has none, and whether it was read."""
    body = _attribute(error, "body")
    if isinstance(body, (dict, str, bytes)) and body:
        return body, True
    try:
        content = getattr(response, "content", None)
    except Exception:  # noqa: BLE001 - httpx raises this way where a stream was not read
        return None, False
    if not isinstance(content, bytes) or not content:
        return None, True
    try:
        return (json.loads(content) if len(content) <= _MAX_BODY else ""), True
    except (ValueError, RecursionError):
        return "", True


def _read_error_body(error: Exception, response: object, status: int) -> _ErrorBody:
    body, is_read = _read_body(error, response)
    stated = read_member(body, "error")
    stated = stated if isinstance(stated, dict) else body
    codes = [read_member(stated, "code"), read_member(read_member(stated, "details"), "error_code")]
    codes = [each for each in codes if isinstance(each, str)]
    error_type, message = (
        _string(read_member(stated, "type")),
        _string(read_member(stated, "message")),
    )
    said = message or (_text_of(error)[:_MAX_SEARCHED] if status == BAD_REQUEST else "")
    return _ErrorBody(
        error_type=_one_line(error_type) or None,
        message=message,
        codes=frozenset(codes),
        text=" ".join((said, *codes)).strip().lower(),
        is_silent=body is None and is_read,
        is_read=is_read,
    )


def _string(value: object) -> str:
    return value[:_MAX_SEARCHED] if isinstance(value, str) else ""


def _one_line(*parts: str) -> str:
    """Return the parts that are not empty, in one line."""
    return printable(
        ": ".join(filter(None, (" ".join(each[:_MAX_SHOWN].split()) for each in parts)))
    )
