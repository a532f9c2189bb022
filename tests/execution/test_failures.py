"""What a failed call means: by its status, by what the answer says, and by whom it is raised."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import CancelledError
from functools import partial
from importlib import import_module
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from fake_api import Canned
from hypothesis import given
from hypothesis import strategies as st

from router import Catalogue, ConfigurationError, Failure, FailureClass, Model, classify
from router.execution._failures import read_failure

NEXT, LARGER, LACKS, GIVE_UP = FailureClass
MODEL = Catalogue.bundled()["claude-opus-5"]
URL = "https://127.0.0.1/v1/messages"
OPENAIS: Any = import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
"""The httpx of OpenAI's SDK: `httpx` up to its version 2, `httpx2` since version 3."""


class StatusError(Exception):
    """What any client may raise."""

    def __init__(
        self, status_code: object, body: object = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"status {status_code}")
        self.status_code = status_code
        self.body = body
        self.response = httpx.Response(500, headers=headers)


def body(type: str, message: str, code: str | None = None) -> dict[str, Any]:
    """Return an error as the API states it."""
    details = {"details": {"error_code": code}} if code else {}
    return {"type": "error", "error": {"type": type, "message": message, **details}}


def of_anthropic(status: int, answer: object, headers: Mapping[str, str]) -> Exception:
    """Return what the SDK raises."""
    response = httpx2.Response(
        status, json=answer, headers=headers, request=httpx2.Request("POST", URL)
    )
    return anthropic.Anthropic(
        api_key="x", base_url="http://127.0.0.1"
    )._make_status_error_from_response(response)


def of_openai(status: int, answer: object, headers: Mapping[str, str]) -> Exception:
    """Return what OpenAI's SDK raises."""
    response = OPENAIS.Response(
        status, json=answer, headers=headers, request=OPENAIS.Request("POST", URL)
    )
    return openai.OpenAI(api_key="x", base_url="http://127.0.0.1")._make_status_error_from_response(
        response
    )


def of_httpx(status: int, answer: object, headers: Mapping[str, str]) -> Exception:
    """Return what httpx raises."""
    response = httpx.Response(
        status, json=answer, headers=headers, request=httpx.Request("POST", URL)
    )
    with pytest.raises(httpx.HTTPStatusError) as raised:
        response.raise_for_status()
    return raised.value


def of_httpx2(status: int, answer: object, headers: Mapping[str, str]) -> Exception:
    """Return what httpx2 raises."""
    response = httpx2.Response(
        status, json=answer, headers=headers, request=httpx2.Request("POST", URL)
    )
    with pytest.raises(httpx2.HTTPStatusError) as raised:
        response.raise_for_status()
    return raised.value


RAISERS = [of_anthropic, of_openai, of_httpx, of_httpx2, StatusError]


def kind(error: Exception, model: Model = MODEL) -> FailureClass | None:
    """Return the class of a failure, `None` for what is none."""
    failure = classify(error, model)
    return failure.kind if failure else None


@pytest.mark.parametrize("raiser", RAISERS)
@pytest.mark.parametrize(
    ("status", "answer", "headers", "meant"),
    [
        (404, body("not_found_error", "model: claude-opus-5"), {}, NEXT),
        (404, body("not_found_error", "model: claude-opus-4-0"), {}, NEXT),
        (
            404,
            body("not_found_error", "File not found: file_011CNha8iCJcU1wXNR6q4V8w"),
            {},
            GIVE_UP,
        ),
        (404, body("not_found_error", "Not Found"), {}, GIVE_UP),
        (429, body("rate_limit_error", "slow down"), {"retry-after": "7"}, NEXT),
        (429, body("rate_limit_error", "slow down"), {"retry-after-ms": "700"}, NEXT),
        (429, body("rate_limit_error", "slow down"), {"retry-after": "soon"}, GIVE_UP),
        (429, body("rate_limit_error", "slow down"), {}, GIVE_UP),
        (
            429,
            body("rate_limit_error", "spent", "enforced_spend_limit_reached"),
            {"retry-after": "7"},
            GIVE_UP,
        ),
        (
            429,
            body("rate_limit_error", "spent", "contract_spend_limit_reached"),
            {"retry-after": "7"},
            GIVE_UP,
        ),
        (
            429,
            body("rate_limit_error", "ramp", "ramp_limit_exceeded"),
            {"retry-after": "7"},
            GIVE_UP,
        ),
        (429, body("rate_limit_error", "new", "some_code_of_tomorrow"), {"retry-after": "7"}, NEXT),
        (500, body("api_error", "Internal server error"), {}, NEXT),
        (502, body("api_error", "Bad gateway"), {}, NEXT),
        (503, body("api_error", "Service unavailable"), {}, NEXT),
        (504, body("timeout_error", "Timed out"), {}, NEXT),
        (529, body("overloaded_error", "Overloaded"), {}, NEXT),
        (501, body("api_error", "Not implemented"), {}, GIVE_UP),
        (401, body("authentication_error", "invalid x-api-key"), {}, GIVE_UP),
        (402, body("billing_error", "no credit"), {}, GIVE_UP),
        (403, body("permission_error", "no"), {}, GIVE_UP),
        (408, body("timeout_error", "request too slow"), {}, GIVE_UP),
        (409, body("conflict_error", "no"), {}, GIVE_UP),
        (413, body("request_too_large", "Request exceeds the maximum size"), {}, GIVE_UP),
        (422, body("invalid_request_error", "this model does not support that"), {}, GIVE_UP),
        (
            400,
            body("invalid_request_error", "messages: at least one message is required"),
            {},
            GIVE_UP,
        ),
        (400, body("invalid_request_error", "image/tiff is not supported"), {}, GIVE_UP),
        (
            400,
            body("invalid_request_error", "'pattern' is not supported: $.properties.model"),
            {},
            GIVE_UP,
        ),
        (400, body("invalid_request_error", "Your credit balance is too low"), {}, GIVE_UP),
        (
            400,
            body("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
            {},
            LARGER,
        ),
    ],
    ids=str,
)
def test_classes(
    raiser: Any, status: int, answer: object, headers: Mapping[str, str], meant: FailureClass
) -> None:
    """Whatever client raises it, an answer means what the table of the API's errors says."""
    error = raiser(status, answer, headers)

    assert kind(error) is meant
    assert kind(StatusError(status, answer, headers)) is meant


@pytest.mark.parametrize(
    "text",
    [
        "This model does not support the effort parameter.",
        "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
        "output_config.effort 'xhigh' is not supported when thinking is disabled on this model. Use ...",
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" instead.',
        '"thinking.type.disabled" is not supported for this model.',
        "adaptive thinking is not supported on this model",
        "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for claude-opus-5",
        "'claude-sonnet-5' does not support the `fallbacks` parameter",
        "'claude-opus-4-7' does not support the `speed` parameter.",
        "'claude-haiku-4-5-20251001' does not support programmatic tool calling. Check `allowed_callers`.",
        "tool_choice forces tool use is not compatible with this model",
        "This model does not support assistant message prefill. The conversation must end with a user message.",
        "`temperature` is deprecated for this model.",
    ],
)
def test_what_a_model_lacks(text: str) -> None:
    """A bad request that names what this model does not take is not the fault of the request alone."""
    assert kind(StatusError(400, body("invalid_request_error", text))) is LACKS


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", 210_000),
        (
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease them",
            210_000,
        ),
        ("prompt is too long", None),
        ("Input is too long for requested model.", None),
        ("This model's maximum context length is 8192 tokens", None),
        ("This model's maximum context length is 8192 tokens. [context_length_exceeded]", None),
    ],
)
def test_how_long_a_request_is(text: str, tokens: int | None) -> None:
    """A request that is too long says how long, where the answer does."""
    failure = classify(StatusError(400, body("invalid_request_error", text)), MODEL)

    assert failure is not None
    assert (failure.kind, failure.tokens) == (LARGER, tokens)


@pytest.mark.parametrize(
    ("code", "status", "meant"),
    [
        ("context_length_exceeded", 400, LARGER),
        ("model_not_found", 404, NEXT),
        ("unsupported_parameter", 400, GIVE_UP),
        ("insufficient_quota", 429, GIVE_UP),
        (None, 400, GIVE_UP),
    ],
)
def test_codes_of_others(code: str | None, status: int, meant: FailureClass) -> None:
    """The codes that another API gives are read as well as texts are."""
    answer = {"error": {"message": "no", "type": "x", "code": code}}

    assert kind(of_openai(status, answer, {"retry-after": "7"})) is meant


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("slow"),
        anthropic.APIConnectionError(request=httpx2.Request("POST", URL)),
        anthropic.APITimeoutError(request=httpx2.Request("POST", URL)),
        openai.APIConnectionError(request=OPENAIS.Request("POST", URL)),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_no_answer(error: Exception) -> None:
    """Where no answer came, another model may give one."""
    failure = classify(error, MODEL)

    assert failure is not None
    assert (failure.kind, failure.status, failure.is_gone) == (NEXT, None, False)
    assert type(error).__name__ in failure.reason


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("x"),
        OSError("x"),
        ConnectionResetError("a socket of the caller's own"),
        TimeoutError("a time-out of the caller's own"),
        asyncio.InvalidStateError(),
        CancelledError(),
        StopIteration(),
        httpx.UnsupportedProtocol("no http"),
        httpx.LocalProtocolError("illegal header"),
        httpx.InvalidURL("no url"),
        httpx.PoolTimeout("the caller's own pool is full"),
        httpx.StreamConsumed(),
        anthropic.AnthropicError("no key"),
        StatusError("529"),
        StatusError(True),  # noqa: FBT003 - it is an int, and no status
        StatusError(0),
        StatusError(10**30),
        ExceptionGroup("several", [httpx.ReadError("reset")]),
    ],
    ids=repr,
)
def test_what_is_no_failure_of_an_api(error: Exception) -> None:
    """R9: every other exception is the caller's own."""
    if isinstance(error, StatusError):
        error.response = None  # type: ignore[assignment]
    assert classify(error, MODEL) is None


@pytest.mark.parametrize(
    ("cause", "is_callers_own"),
    [
        (httpx2.LocalProtocolError("illegal header"), True),
        (httpx2.PoolTimeout("busy"), True),
        (KeyError("in a hook"), True),
        (RuntimeError("Event loop is closed"), True),
        (httpx2.ConnectError("refused"), False),
        (ConnectionResetError("reset"), False),
        (None, False),
    ],
    ids=repr,
)
def test_what_an_sdk_wraps(cause: Exception | None, is_callers_own: bool) -> None:
    """R9: an SDK's connection error is the caller's own where what it wraps is no failure of a connection."""
    error = anthropic.APIConnectionError(request=httpx2.Request("POST", URL))
    error.__cause__ = cause

    assert (classify(error, MODEL) is None) is is_callers_own


@pytest.mark.parametrize(
    "text",
    [
        b"<html>404 Not Found</html>",
        b'{"detail": "Not Found"}',
        b'{"error": {"type": "not_found_error", "message": "File not found: claude-notes.pdf"}}',
        b'{"error": {"type": "not_found_error", "message": "Skill not found: model-review"}}',
    ],
    ids=ascii,
)
def test_what_else_is_not_found(text: bytes) -> None:
    """A 404 that says something, but nothing of the model, is a wrong address or another thing that is gone."""
    response = httpx.Response(404, content=text, request=httpx.Request("POST", URL))

    assert kind(httpx.HTTPStatusError("no", request=response.request, response=response)) is GIVE_UP


@pytest.mark.parametrize(
    ("status", "meant"), [(404, GIVE_UP), (429, GIVE_UP), (400, GIVE_UP), (529, NEXT)]
)
def test_an_answer_of_which_only_the_head_was_read(status: int, meant: FailureClass) -> None:
    """What a body that was not read may say is not taken for nothing: it may be a limit of money, or a file."""
    with httpx.Client(transport=Canned([b"{}"])) as client, client.stream("GET", URL) as response:
        response.status_code = status
        response.headers["retry-after"] = "7"
        assert (
            kind(httpx.HTTPStatusError("no", request=response.request, response=response)) is meant
        )


def test_an_address_is_not_told() -> None:
    """K1: what an exception says of an address, which may hold a key, is not repeated."""
    address = "https://user:hunter2@127.0.0.1/v1?key=SECRET"
    response = httpx.Response(529, request=httpx.Request("POST", address))
    with pytest.raises(httpx.HTTPStatusError, match="SECRET") as raised:
        response.raise_for_status()
    failure = classify(raised.value, MODEL)

    assert failure is not None
    assert failure.reason == "529"


@pytest.mark.parametrize(
    "wrong", [{"kind": "next_model"}, {"retry_after": float("inf")}, {"retry_after": -1.0}], ids=str
)
def test_failures_that_cannot_be(wrong: Any) -> None:
    """R16: what `classify` of an application says of a failure has to make sense."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Failure(**({"kind": NEXT, "reason": "x"} | wrong))


def test_a_failure_says_what_it_says() -> None:
    """A failure carries what the answer said, in one printable line."""
    error = of_anthropic(
        529, body("overloaded_error", "Over\x1b[31mloaded\n now"), {"retry-after": "3"}
    )

    assert classify(error, MODEL) == Failure(
        kind=NEXT,
        reason="529 overloaded_error: Over\\x1b[31mloaded now",
        status=529,
        error_type="overloaded_error",
        retry_after=3.0,
    )


def test_a_model_that_is_gone() -> None:
    """Only a 404 for the model says that it is gone."""
    errors = [StatusError(404), StatusError(529), StatusError(404, body("not_found_error", "file"))]
    failures = [classify(error, MODEL) for error in errors]

    assert [failure and failure.is_gone for failure in failures] == [True, False, False]


def test_when_to_come_back_by_date() -> None:
    """A time to wait that is given as a date is reckoned from the clock that is passed."""
    error = StatusError(429, None, {"Retry-After": "Sun, 22 Nov 2026 12:01:40 GMT"})
    failure = read_failure(error, MODEL, 1_795_348_800.0)

    assert failure is not None
    assert failure.retry_after == 100.0


class RetryAfterError(StatusError):
    """What a client raises that says itself how long to wait."""

    def __init__(
        self, status: int, retry_after: object, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, headers=headers)
        self.retry_after = retry_after


@pytest.mark.parametrize(
    ("own", "seconds"),
    [
        (30.0, 30.0),
        (7, 7.0),
        (0, 0.0),
        (1e9, 3600.0),
        (10**400, 3600.0),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("30", None),
        (None, None),
    ],
    ids=repr,
)
def test_an_exception_says_how_long_to_wait(own: object, seconds: float | None) -> None:
    """An exception's own `retry_after` counts as the header does; what is no time is ignored."""
    failure = classify(RetryAfterError(429, own), MODEL)

    assert failure is not None
    assert failure.kind is (GIVE_UP if seconds is None else NEXT)
    assert failure.retry_after == seconds


def test_the_header_comes_before_the_exception() -> None:
    """What the server said is nearer to the truth than what a client has made of it."""
    failure = classify(RetryAfterError(529, 30.0, {"retry-after": "7"}), MODEL)

    assert failure is not None
    assert failure.retry_after == 7.0


# The exceptions of pydantic-ai, which is no dependency of the tests: classes with their names and attributes


def alike(name: str, *bases: type[Exception]) -> type[Any]:
    """Return a class that looks like one of `pydantic_ai.exceptions`."""
    return type(name, bases, {"__module__": "pydantic_ai.exceptions"})


class OfPydanticError(RuntimeError):
    """What the errors of models have in common."""

    def __init__(self, **attributes: object) -> None:
        super().__init__(f"status_code: 400, model_name: m, body: {attributes.get('body')}")
        self.body = self.retry_after = None
        self.in_stream = False
        vars(self).update(attributes)


API = alike("ModelAPIError", OfPydanticError)
HTTP = alike("ModelHTTPError", API)
CONNECTION = alike("ModelConnectionError", API)
REJECTED = alike("ModelRequestRejectedError", API)
BUSY = {"error": {"type": "overloaded_error", "message": "Overloaded"}}


@pytest.mark.parametrize(
    ("error", "meant", "seconds"),
    [
        (HTTP(status_code=429, retry_after=30.0), NEXT, 30.0),
        (HTTP(status_code=429), GIVE_UP, None),
        (HTTP(status_code=529, body=BUSY), NEXT, None),
        (HTTP(status_code=529, body=BUSY, in_stream=True), GIVE_UP, None),
        (HTTP(status_code=400, body="prompt is too long"), LARGER, None),
        (CONNECTION(phase="connect"), NEXT, None),
        (alike("ModelTimeoutError", CONNECTION)(phase="read"), NEXT, None),
        (CONNECTION(phase="read", in_stream=True), GIVE_UP, None),
        (alike("ModelOverloadedError", alike("ModelUnavailableError", API))(), NEXT, None),
        (alike("ModelServerError", API)(), NEXT, None),
        (alike("ModelRateLimitError", API)(retry_after=30.0), NEXT, 30.0),
        (alike("ModelRequestTimeout", API)(), NEXT, None),
        (alike("ModelNotFoundError", REJECTED)(), NEXT, None),
        (alike("ModelContextWindowExceededError", REJECTED)(), LARGER, None),
        (alike("ModelQuotaExceededError", API)(retry_after=30.0), GIVE_UP, None),
        (alike("ModelAuthenticationError", REJECTED)(), GIVE_UP, None),
        (API(), NEXT, None),
    ],
    ids=lambda each: f"{type(each).__name__} {vars(each)}" if isinstance(each, API) else None,
)
def test_exceptions_of_pydantic_ai(
    error: Exception, meant: FailureClass, seconds: float | None
) -> None:
    """With a status they mean what it does; without one, their class says it."""
    failure = classify(error, MODEL)

    assert failure is not None
    assert (failure.kind, failure.retry_after) == (meant, seconds)
    assert failure.is_gone == (
        meant is NEXT and (type(error).__name__ == "ModelNotFoundError" or failure.status == 404)
    )
    if meant is GIVE_UP and getattr(error, "in_stream", False):
        assert kind(error) is GIVE_UP
        again = classify(error, MODEL, passed_on=False)
        assert again is not None
        assert again.kind is NEXT


@pytest.mark.parametrize(
    ("error", "cause", "is_callers_own"),
    [
        (CONNECTION(phase="pool"), None, True),
        (CONNECTION(), httpx2.PoolTimeout("busy"), True),
        (CONNECTION(), httpx2.ConnectError("refused"), False),
        (CONNECTION(), KeyError("of another transport"), False),
        (alike("UserError", RuntimeError)("x"), None, True),
        (alike("UnexpectedModelBehavior", RuntimeError)("x"), None, True),
    ],
    ids=["pool", "pool-of-httpx", "refused", "another-transport", "user", "behaviour"],
)
def test_what_pydantic_ai_wraps(
    error: Exception, cause: Exception | None, is_callers_own: bool
) -> None:
    """R9: what its adapter met before anything was sent is the caller's own, however often it is wrapped."""
    error.__cause__ = cause
    assert (classify(error, MODEL) is None) is is_callers_own

    sdk = anthropic.APIConnectionError(request=httpx2.Request("POST", URL))
    sdk.__cause__ = KeyError("in a hook")
    wrapped = CONNECTION()
    wrapped.__cause__ = sdk
    assert classify(wrapped, MODEL) is None


def test_causes_in_a_circle() -> None:
    """A chain of causes that comes back to its beginning ends."""
    one, other = CONNECTION(), CONNECTION()
    one.__cause__, other.__cause__ = other, one

    assert kind(one) is NEXT


class Unreadable:
    """A foreign object of which nothing can be read."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class SpeechlessError(StatusError):
    """An exception that cannot say what it is."""

    __module__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        raise RuntimeError("speechless")


class Broken(dict[str, Any]):
    """A mapping that cannot be read."""

    def items(self) -> Any:
        """Fail."""
        raise RuntimeError("broken")


@pytest.mark.parametrize(
    "response", [None, Unreadable(), httpx.Response(529)], ids=["none", "unreadable", "broken"]
)
@pytest.mark.parametrize("raiser", [StatusError, SpeechlessError])
def test_what_cannot_be_read_is_not_known(raiser: type[StatusError], response: Any) -> None:
    """An exception and a response of which nothing can be read hide nothing of the failure itself."""
    error = raiser(529)
    error.response = error.body = response
    if isinstance(response, httpx.Response):
        error.response.headers = Broken()  # type: ignore[assignment]
    failure = classify(error, MODEL)

    assert failure is not None
    assert failure.kind is NEXT


def test_an_answer_that_was_not_read() -> None:
    """A response whose body was never read says what its status says."""
    with httpx.Client(transport=Canned([b"{}"])) as client, client.stream("GET", URL) as response:
        response.status_code = 503
        error = httpx.HTTPStatusError("no", request=response.request, response=response)
        assert kind(error) is NEXT


@pytest.mark.parametrize("type", ["overloaded_error", "api_error", "timeout_error"])
def test_an_error_after_the_answer_has_begun(type: str) -> None:
    """R14: after a 200 nothing is tried again, unless the caller has passed nothing on."""
    error = of_anthropic(200, body(type, "x"), {})
    failure = classify(error, MODEL, passed_on=False)

    assert kind(error) is GIVE_UP
    assert failure is not None
    assert failure.kind is NEXT


def test_another_error_after_the_answer_has_begun() -> None:
    """R14: what no model cures is not cured by having passed nothing on."""
    failure = classify(
        of_anthropic(200, body("invalid_request_error", "x"), {}), MODEL, passed_on=False
    )

    assert failure is not None
    assert failure.kind is GIVE_UP


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "type", "message", "details", "error_code", "code"]), each
        )
    ),
    max_leaves=8,
)


@given(
    st.one_of(st.integers(-1, 1000), JSON),
    JSON | st.binary().map(partial(str, encoding="latin-1")),
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "x"]),
        st.text(st.characters(codec="ascii")),
    ),
    st.booleans(),
)
def test_any_answer_means_something(
    status: object, answer: object, headers: dict[str, str], passed_on: bool
) -> None:
    """No answer makes the reading of it fail, and what is told of it is one printable line."""
    error = StatusError(status, answer)
    error.response.headers = httpx.Headers({name: value.strip() for name, value in headers.items()})
    failure = classify(error, MODEL, passed_on=passed_on)

    assert failure is not None
    assert failure.reason.isprintable()
    assert failure.retry_after is None or 0 <= failure.retry_after <= 3600
    assert failure.tokens is None or failure.tokens > 0
    json.dumps(failure.reason)


@pytest.mark.parametrize("seconds", ["5", -1.0, 3601.0, float("nan"), b"1"], ids=repr)
def test_a_time_to_wait_is_a_number_of_seconds(seconds: Any) -> None:
    """What `classify` of an application says is checked when it is made."""
    with pytest.raises(ConfigurationError, match="retry_after must be 0 to 3600 seconds"):
        Failure(kind=NEXT, reason="busy", retry_after=seconds)
