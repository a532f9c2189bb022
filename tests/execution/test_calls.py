"""Runs against a Messages API on raw sockets, by the official client and by plain httpx, blocking and not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import json
import queue
import signal
import ssl
import threading
import zlib
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from operator import attrgetter
from typing import Any, Final

import anthropic
import httpx
import pytest
import trio
from attrs import define, field, frozen
from canary import KEY
from crowds import Machine, seeded
from fake_api import Answer as Played
from fake_api import End, Request, Scripted, Step, entries, failure, reply
from fake_messages import MESSAGES, FakeMessages, Posted, event, message, serve_messages, streamed
from fake_source import PATIENCE, at_once
from sizes import at_length

from router import (
    Answer,
    Attempt,
    Catalogue,
    ConfigurationError,
    FailureClass,
    FallbackExhaustedError,
    Model,
    Router,
    StaticSource,
    classify,
)
from router.execution._cooldown import FIRST_COOLDOWN, LONGEST_COOLDOWN

NEED = "pdf_input"
FOUR = Catalogue.from_listing(entries(4), source="live")
IDS = [model.id for model in FOUR.candidates(NEED)]
FIRST, SECOND, THIRD, LAST = IDS
PROMPT = "How do you do?"
NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""No certificates: to read them takes 100 ms a client."""

Said = tuple[str, str]
"""The model that says that it has answered, and its text."""


# Clients


@frozen
class Client:
    """The two calls of a client; those of an async one are to be awaited."""

    create: Callable[[Model, str], Any]
    """Return what a model has said to a prompt, as `Said`."""
    stream: Callable[[Model, Callable[[str], object]], Any]
    """Pass on every piece of text as it comes, and return the model's id."""


def body(model: Model, prompt: str = PROMPT) -> dict[str, Any]:
    """Return the request."""
    return {"model": model.id, "max_tokens": 16, "messages": [{"role": "user", "content": prompt}]}


def said(answer: Any) -> Said:
    """Return what was said, from the JSON of an answer."""
    return answer["model"], "".join(block["text"] for block in answer["content"])


def text_of(line: str) -> str:
    """Return the text of one line of a stream."""
    delta = (
        json.loads(line.removeprefix("data: ")).get("delta", {})
        if line.startswith("data: ")
        else {}
    )
    return str(delta.get("text", ""))


Patience = Callable[[Model], float]


def patiently(_: Model) -> float:
    """Return the seconds to wait for the answer of a model."""
    return PATIENCE


@contextmanager
def sdk(
    api: FakeMessages, max_retries: int = 0, patience: Patience = patiently
) -> Iterator[Client]:
    """Open the official client."""
    http = anthropic.DefaultHttpxClient(verify=NO_TRUST)
    with anthropic.Anthropic(
        api_key=KEY, base_url=api.url, max_retries=max_retries, http_client=http
    ) as client:

        def create(model: Model, prompt: str) -> Said:
            at = client.with_options(base_url=api.url_of(model.id))
            return said(
                at.messages.create(**body(model, prompt), timeout=patience(model)).to_dict()
            )

        def stream(model: Model, pass_on: Callable[[str], object]) -> str:
            with client.messages.stream(**body(model)) as stream:
                for text in stream.text_stream:
                    pass_on(text)
                return stream.get_final_message().model

        yield Client(create, stream)


@asynccontextmanager
async def async_sdk(
    api: FakeMessages, max_retries: int = 0, patience: Patience = patiently
) -> AsyncIterator[Client]:
    """Open the official async client."""
    http = anthropic.DefaultAsyncHttpxClient(verify=NO_TRUST)
    async with anthropic.AsyncAnthropic(
        api_key=KEY, base_url=api.url, max_retries=max_retries, http_client=http
    ) as client:

        async def create(model: Model, prompt: str) -> Said:
            at = client.with_options(base_url=api.url_of(model.id))
            answer = await at.messages.create(**body(model, prompt), timeout=patience(model))
            return said(answer.to_dict())

        async def stream(model: Model, pass_on: Callable[[str], object]) -> str:
            async with client.messages.stream(**body(model)) as stream:
                async for text in stream.text_stream:
                    pass_on(text)
                return (await stream.get_final_message()).model

        yield Client(create, stream)


PLAIN: Final[Mapping[str, Any]] = {
    "verify": NO_TRUST,
    "headers": {"x-api-key": KEY},
    "timeout": PATIENCE,
    "limits": httpx.Limits(max_connections=32),
}


@contextmanager
def plain(api: FakeMessages, patience: Patience = patiently) -> Iterator[Client]:
    """Open a client of httpx."""
    with httpx.Client(**PLAIN) as client:

        def create(model: Model, prompt: str) -> Said:
            timeout = httpx.Timeout(patience(model), pool=None)
            response = client.post(
                api.url_of(model.id) + MESSAGES, json=body(model, prompt), timeout=timeout
            )
            return said(response.raise_for_status().json())

        def stream(model: Model, pass_on: Callable[[str], object]) -> str:
            asked = body(model) | {"stream": True}
            with client.stream("POST", api.url_of(model.id) + MESSAGES, json=asked) as response:
                for line in response.raise_for_status().iter_lines():
                    if text := text_of(line):
                        pass_on(text)
            return model.id

        yield Client(create, stream)


@asynccontextmanager
async def async_plain(api: FakeMessages, patience: Patience = patiently) -> AsyncIterator[Client]:
    """Open an async client of httpx."""
    async with httpx.AsyncClient(**PLAIN) as client:

        async def create(model: Model, prompt: str) -> Said:
            timeout = httpx.Timeout(patience(model), pool=None)
            response = await client.post(
                api.url_of(model.id) + MESSAGES, json=body(model, prompt), timeout=timeout
            )
            return said(response.raise_for_status().json())

        async def stream(model: Model, pass_on: Callable[[str], object]) -> str:
            asked = body(model) | {"stream": True}
            async with client.stream(
                "POST", api.url_of(model.id) + MESSAGES, json=asked
            ) as response:
                async for line in response.raise_for_status().aiter_lines():
                    if text := text_of(line):
                        pass_on(text)
            return model.id

        yield Client(create, stream)


def nothing(_: Model) -> None:
    """Do nothing with a model."""


@frozen
class Way:
    """One way to call: a client, and the event loop that it runs in, if any."""

    name: str
    open: Callable[..., Any]
    loop: Callable[[Callable[[], Awaitable[Any]]], Any] | None = None

    @property
    def is_sdk(self) -> bool:
        """Whether it is the official client."""
        return self.open in {sdk, async_sdk}

    @property
    def refused_with(self) -> type[anthropic.APIStatusError | httpx.HTTPStatusError]:
        """The class of its errors for an answer that is an error."""
        return anthropic.APIStatusError if self.is_sdk else httpx.HTTPStatusError

    def end(
        self,
        chain: Any,
        api: FakeMessages,
        *,
        pass_on: Callable[[str], object] | None = None,
        before: Callable[[Model], object] = nothing,
        after: Callable[[Model], object] = nothing,
        options: Mapping[str, Any] | None = None,
        **terms: Any,
    ) -> Any:
        """Return the answer of a run, or the exception that it ended with: with `pass_on` of one that streams."""

        def calling(client: Client) -> Callable[[Model], Any]:
            return lambda model: (
                client.create(model, PROMPT) if pass_on is None else client.stream(model, pass_on)
            )

        def block() -> Any:
            with self.open(api, **options or {}) as client:

                def call(model: Model) -> Any:
                    before(model)
                    value = calling(client)(model)
                    after(model)
                    return value

                try:
                    return chain.run(NEED, call, **terms)
                except BaseException as error:  # noqa: BLE001 - that is how it ended
                    return error

        async def wait() -> Any:
            async with self.open(api, **options or {}) as client:

                async def call(model: Model) -> Any:
                    before(model)
                    value = await calling(client)(model)
                    after(model)
                    return value

                try:
                    return await chain.arun(NEED, call, **terms)
                except BaseException as error:  # noqa: BLE001 - that is how it ended
                    return error

        return block() if self.loop is None else self.loop(wait)


def in_asyncio(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run under asyncio; no task may be left."""

    async def whole() -> Any:
        value = await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return value

    return asyncio.run(whole())


def in_trio(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run under trio; no task may be left."""

    async def whole() -> Any:
        before = trio.lowlevel.current_statistics().tasks_living
        value = await main()
        assert trio.lowlevel.current_statistics().tasks_living == before
        return value

    return trio.run(whole)


SDK = Way("sdk", sdk)
ASYNC_SDK = Way("sdk-asyncio", async_sdk, in_asyncio)
PLAIN_ASYNCIO = Way("httpx-asyncio", async_plain, in_asyncio)
PLAIN_TRIO = Way("httpx-trio", async_plain, in_trio)
WAYS = (SDK, ASYNC_SDK, Way("httpx", plain), PLAIN_ASYNCIO, PLAIN_TRIO)


def each(*ways: Way) -> pytest.MarkDecorator:
    """Return the mark of a test that holds by each of these ways."""
    return pytest.mark.parametrize("way", ways, ids=[way.name for way in ways])


by_all = each(*WAYS)


class Naive:
    """A chain as one writes it first, which walks the list whatever happens; the twin that must fail."""

    def __init__(self, models: Iterable[Model] = FOUR.candidates(NEED)) -> None:
        self._models = tuple(models)

    def run(self, need: str, call: Callable[[Model], Any], **terms: Any) -> Answer[Any]:
        """Call one after the other."""
        for model in self._models:
            try:
                return Answer(call(model), model, ())
            except BaseException as error:  # noqa: BLE001 - its mistake
                last = error
        raise last

    async def arun(
        self, need: str, call: Callable[[Model], Awaitable[Any]], **terms: Any
    ) -> Answer[Any]:
        """Call one after the other."""
        for model in self._models:
            try:
                return Answer(await call(model), model, ())
            except BaseException as error:  # noqa: BLE001 - its mistake
                last = error
        raise last


@pytest.fixture
def machine() -> Machine:
    """A machine without a cache."""
    return Machine()


@pytest.fixture
def api() -> Iterator[FakeMessages]:
    """A server without a fault."""
    with serve_messages() as api:
        yield api


def router_of(machine: Machine, catalogue: Catalogue = FOUR, **arguments: Any) -> Router:
    """Return a router of four models."""
    return machine.router(StaticSource(catalogue), **arguments)


def cooling(router: Router) -> list[str]:
    """Return the ids of the models that are set aside."""
    return sorted(each.model_id for each in router.status().cooling)


def busy(headers: Mapping[str, str] | None = None) -> bytes:
    """Return the answer of a model that is overloaded."""
    return failure(529, "overloaded_error", "Overloaded", headers)


def not_found(request: Request) -> bytes:
    """Return the answer for a model that there is not."""
    assert isinstance(request, Posted)
    return failure(404, "not_found_error", f"model: {request.model}")


# What another model can cure

CURED: dict[str, tuple[Scripted | None, int | None, bool]] = {
    "404-of-the-model": (not_found, 404, True),
    "429": (failure(429, "rate_limit_error", headers={"retry-after": "30"}), 429, True),
    "429-ms": (failure(429, "rate_limit_error", headers={"retry-after-ms": "30000"}), 429, True),
    "500": (failure(500, "api_error"), 500, False),
    "502-of-a-gateway": (reply(502, b"<h1>Bad gateway</h1>"), 502, False),
    "503": (failure(503, "api_error"), 503, False),
    "504": (failure(504, "timeout_error"), 504, False),
    "529": (busy(), 529, False),
    "reset": ([End.RESET], None, False),
    "closed": ([End.CLOSE], None, False),
    "refused": (None, None, False),
    "broken-off": ([reply(200, message("", "x" * 999))[:-500], 0.01, End.RESET], None, False),
    "cut-short": ([reply(200, message("", "x" * 999))[:-500], End.CLOSE], None, False),
}
"""The fault of a model, the status that is read of it, and whether it sets the model aside at once."""


@by_all
@pytest.mark.parametrize(("fault", "status", "is_aside"), CURED.values(), ids=CURED)
def test_the_next_model_answers(
    machine: Machine,
    api: FakeMessages,
    *,
    way: Way,
    fault: Scripted | None,
    status: int | None,
    is_aside: bool,
) -> None:
    """A failure of a model goes to the next of the chain, each called once, and the answer tells of every attempt."""
    api.faults = dict.fromkeys((FIRST, SECOND), fault)
    told: list[tuple[str, str]] = []
    router = router_of(machine)

    answer = way.end(
        router, api, on_fallback=lambda attempt, model: told.append((attempt.model.id, model.id))
    )

    assert (answer.value, answer.model.id, answer.skipped) == ((THIRD, PROMPT), THIRD, ())
    assert api.asked == ([THIRD] if fault is None else [FIRST, SECOND, THIRD])
    assert told == [(FIRST, SECOND), (SECOND, THIRD)]
    assert [attempt.model.id for attempt in answer.attempts] == [FIRST, SECOND, THIRD]
    *failed, last = answer.attempts
    assert (last.error, last.failure) == (None, None)
    assert [(attempt.failure.kind, attempt.failure.status) for attempt in failed] == [
        (FailureClass.NEXT_MODEL, status)
    ] * 2
    assert cooling(router) == ([FIRST, SECOND] if is_aside else [])


@by_all
def test_without_a_fault(machine: Machine, api: FakeMessages, way: Way) -> None:
    """The best model that answers is the only one that is called."""
    answer = way.end(router_of(machine), api)

    assert (answer.value, answer.model.id, len(answer.attempts)) == ((FIRST, PROMPT), FIRST, 1)
    assert api.asked == [FIRST]


@by_all
def test_every_model_fails(machine: Machine, api: FakeMessages, way: Way) -> None:
    """The last failure ends the run with every attempt, and with the client's own errors as a group."""
    api.faults = dict.fromkeys(IDS, busy())

    error = way.end(router_of(machine), api, max_attempts=9)

    assert isinstance(error, FallbackExhaustedError)
    assert api.asked == [attempt.model.id for attempt in error.attempts] == IDS
    assert [attempt.error for attempt in error.attempts] == list(error.exceptions)
    assert all(isinstance(each, way.refused_with) for each in error.exceptions)


@by_all
def test_an_answer_that_does_not_come(machine: Machine, api: FakeMessages, way: Way) -> None:
    """A client that waits no longer, by its own time-out, goes to the next model."""
    api.faults[FIRST] = [PATIENCE * 2]

    def patience(model: Model) -> float:
        return 0.1 if model.id == FIRST else PATIENCE

    answer = way.end(router_of(machine), api, options={"patience": patience})

    assert (answer.value, answer.attempts[0].failure.kind) == (
        (SECOND, PROMPT),
        FailureClass.NEXT_MODEL,
    )
    assert api.asked[-1] == SECOND


@by_all
def test_only_models_that_failed_are_set_aside(
    machine: Machine, api: FakeMessages, way: Way
) -> None:
    """R12: an outage of one model sets that one aside alone, and it is not paid for again while it cools."""
    api.faults[SECOND] = busy()
    router = router_of(machine, allowed_fails=1)
    assert way.end(router, api).model.id == FIRST
    api.faults[FIRST] = busy()

    assert [way.end(router, api).model.id for _ in range(3)] == [THIRD] * 3

    assert api.asked == [FIRST, FIRST, SECOND, THIRD, THIRD, THIRD]
    assert cooling(router) == [FIRST, SECOND]


# What no other model can cure

SPENT = {
    "type": "error",
    "error": {
        "type": "rate_limit_error",
        "message": "You have reached your specified API usage limits.",
        "details": {"error_code": "enforced_spend_limit_reached"},
    },
}
FOR_GOOD: dict[str, tuple[bytes, int]] = {
    "401": (failure(401, "authentication_error", "invalid x-api-key"), 401),
    "402": (failure(402, "billing_error"), 402),
    "403": (failure(403, "permission_error"), 403),
    "413": (failure(413, "request_too_large"), 413),
    "422": (failure(422, "invalid_request_error"), 422),
    "400": (
        failure(400, "invalid_request_error", "messages: at least one message is required"),
        400,
    ),
    "400-of-money": (failure(400, "invalid_request_error", "Your credit balance is too low"), 400),
    "400-without-a-body": (reply(400), 400),
    "404-of-a-file": (
        failure(404, "not_found_error", "File not found: file_011CNha8iCJcU1wXNR6q4V8w"),
        404,
    ),
    "429-without-a-time": (failure(429, "rate_limit_error"), 429),
    "429-of-money": (reply(429, SPENT, {"retry-after": "30"}), 429),
}
"""An answer, and its status."""


@by_all
@pytest.mark.parametrize(("fault", "status"), FOR_GOOD.values(), ids=FOR_GOOD)
def test_the_clients_own_error(
    machine: Machine, api: FakeMessages, way: Way, fault: bytes, status: int
) -> None:
    """What is the request's, the credential's or the account's own fault is one call, and the client's own error."""
    api.faults = dict.fromkeys(IDS, fault)
    told: list[Attempt] = []
    router = router_of(machine, allowed_fails=1, on_disagreement=told.append)

    error = way.end(router, api, on_fallback=lambda attempt, _: told.append(attempt))

    assert api.asked == [FIRST]
    assert isinstance(error, way.refused_with)
    assert error.response.status_code == status
    assert type(error) is type(way.end(Naive(FOUR.candidates(NEED)[:1]), api))
    assert not hasattr(error, "__notes__")
    assert (told, cooling(router)) == ([], [])


@by_all
def test_a_naive_chain_repeats_what_is_for_good(api: FakeMessages, way: Way) -> None:
    """The measure tells a chain that walks the whole list for an error that no model can cure."""
    api.faults = dict.fromkeys(IDS, FOR_GOOD["401"][0])

    assert isinstance(way.end(Naive(), api), way.refused_with)
    assert api.asked == IDS


@by_all
def test_an_error_that_ends_a_run_tells_what_was_before(
    machine: Machine, api: FakeMessages, way: Way
) -> None:
    """The client's own error has a note of every attempt before it."""
    api.faults = {FIRST: busy(), SECOND: FOR_GOOD["401"][0]}

    error = way.end(router_of(machine), api)

    assert isinstance(error, way.refused_with)
    assert api.asked == [FIRST, SECOND]
    assert error.__notes__ == [
        f"before: {FIRST} after 0.0 s: next_model, 529 overloaded_error: Overloaded"
    ]


# What a larger window can cure

WINDOWS = (200_000, 200_000, 203_000, 205_000, 1_000_000)
WINDOWED = Catalogue.from_listing(
    [
        entry | {"max_input_tokens": window}
        for entry, window in zip(entries(5), WINDOWS, strict=True)
    ]
)
TOO_LONG = {
    "prompt is too long: 210000 tokens > 200000 maximum": 1_000_000,
    "input length and `max_tokens` exceed context limit: 195000 + 8192 > 200000, decrease input length": 205_000,
}
"""What the API says, and the first window that is large enough."""


@by_all
@pytest.mark.parametrize(("text", "window"), TOO_LONG.items(), ids=["prompt", "prompt-and-output"])
def test_only_a_larger_window(
    machine: Machine, api: FakeMessages, way: Way, text: str, window: int
) -> None:
    """A prompt that is too long goes to the next model that has room for it, past those that have not."""
    refused = [model.id for model in WINDOWED if (model.max_input_tokens or 0) < window]
    api.faults = dict.fromkeys(refused, failure(400, "invalid_request_error", text))
    router = router_of(machine, WINDOWED, allowed_fails=1)

    answer = way.end(router, api)

    assert (answer.value, answer.model.max_input_tokens) == ((answer.model.id, PROMPT), window)
    assert api.asked == [FIRST, answer.model.id]
    assert answer.attempts[0].failure.kind is FailureClass.LARGER_WINDOW
    assert cooling(router) == []


@by_all
def test_no_larger_window(machine: Machine, api: FakeMessages, way: Way) -> None:
    """A prompt that is too long for all is one call, and an error with the client's own in it."""
    text = "prompt is too long: 1200000 tokens > 200000 maximum"
    api.faults = dict.fromkeys(
        [model.id for model in WINDOWED], failure(400, "invalid_request_error", text)
    )

    error = way.end(router_of(machine, WINDOWED), api)

    assert isinstance(error, FallbackExhaustedError)
    assert "no other has a larger window" in str(error)
    assert isinstance(error.exceptions[0], way.refused_with)
    assert api.asked == [FIRST]


# What a model that takes the request can cure

LACKING = (
    "This model does not support the effort parameter.",
    "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
    "output_config.effort 'xhigh' is not supported when thinking is disabled on this model.",
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".',
    '"thinking.type.disabled" is not supported for this model.',
    "adaptive thinking is not supported on this model",
    "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for claude-haiku-4-5-20251001",
    "'claude-sonnet-5' does not support the `fallbacks` parameter",
    "'claude-opus-4-7' does not support the `speed` parameter.",
    "'claude-haiku-4-5-20251001' does not support programmatic tool calling, see allowed_callers",
    "tool_choice forces tool use is not compatible with this model",
    "This model does not support assistant message prefill. The conversation must end with a user message.",
)


@by_all
@pytest.mark.parametrize("text", LACKING)
def test_a_feature_that_the_api_denies(
    machine: Machine, api: FakeMessages, way: Way, text: str
) -> None:
    """What the catalogue says and the API denies goes to the next model, and is told; the catalogue stays the same."""
    api.faults[FIRST] = failure(400, "invalid_request_error", text)
    told: list[Attempt] = []
    router = router_of(machine, allowed_fails=1, on_disagreement=told.append)
    held = router.catalogue

    answer = way.end(router, api)

    assert answer.value == (SECOND, PROMPT)
    assert api.asked == [FIRST, SECOND]
    assert told == [answer.attempts[0]]
    assert (told[0].model.id, told[0].failure and told[0].failure.kind) == (
        FIRST,
        FailureClass.LACKS_FEATURE,
    )
    assert router.catalogue is held is FOUR
    assert cooling(router) == []


# The client's own retries


def hurried(request: Request) -> bytes:
    """Return the answer of an overloaded model that lets the client try again at once, but for its last try."""
    is_last = request.headers["x-stainless-retry-count"] == "2"
    return busy({} if is_last else {"retry-after-ms": "1"})


@each(SDK, ASYNC_SDK)
@pytest.mark.parametrize(
    ("max_retries", "allowed_fails", "requests"),
    [(0, 1, [4, 1, 1]), (2, 1, [12, 3, 3]), (0, 2, [4, 4, 1]), (2, 2, [12, 12, 3])],
    ids=["off", "on", "off-two-fails", "on-two-fails"],
)
def test_requests_with_the_clients_own_retries(
    machine: Machine,
    api: FakeMessages,
    *,
    way: Way,
    max_retries: int,
    allowed_fails: int,
    requests: list[int],
) -> None:
    """R8: four models are 4 requests, and 12 where the client tries thrice; a run while all cool is one call."""
    api.faults = dict.fromkeys(IDS, busy() if max_retries == 0 else hurried)
    router = router_of(machine, allowed_fails=allowed_fails)
    seen = [0]
    for _ in requests:
        error = way.end(router, api, max_attempts=4, options={"max_retries": max_retries})
        assert isinstance(error, FallbackExhaustedError)
        seen.append(len(api.requests))

    assert [later - earlier for earlier, later in itertools.pairwise(seen)] == requests
    assert list(dict.fromkeys(api.asked)) == IDS


# Streams

OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
BREAKS: dict[str, list[Step]] = {
    "error-event": [OVERLOADED],
    "reset": [End.RESET],
    "closed": [End.CLOSE],
}
STREAMED = [
    pytest.param(way, steps, id=f"{name}-{way.name}")
    for way in WAYS
    for name, steps in BREAKS.items()
    if way.is_sdk or name != "error-event"  # plain httpx knows of no events
]
by_all_that_break = pytest.mark.parametrize(("way", "steps"), STREAMED)


@define
class Listener:
    """One to whom text is passed on."""

    texts: list[str] = field(factory=list)
    heard: threading.Event = field(factory=threading.Event)

    def __call__(self, text: str) -> None:
        self.texts.append(text)
        self.heard.set()

    def then(self, steps: Sequence[Step]) -> list[Step]:
        """Return a stream that ends like this when its first text was passed on."""
        return [*streamed(FIRST, "Well, ", "thank you")[:2], self.heard, *steps]


@by_all
def test_a_stream(machine: Machine, api: FakeMessages, way: Way) -> None:
    """A stream without a fault is passed on as it comes, and is the answer."""
    listener = Listener()
    *steps, last = streamed(FIRST, "Well, ", "thank you")
    api.faults[FIRST] = [*steps, listener.heard, last]

    answer = way.end(router_of(machine), api, pass_on=listener)

    assert (answer.value, len(answer.attempts)) == (FIRST, 1)
    assert listener.texts == ["Well, ", "thank you"]


@by_all_that_break
def test_nothing_follows_what_was_passed_on(
    machine: Machine, api: FakeMessages, way: Way, steps: list[Step]
) -> None:
    """R14: a stream that fails after text was passed on is the client's own error, and no second request."""
    listener = Listener()
    api.faults[FIRST] = listener.then(steps)
    router = router_of(machine, allowed_fails=1)

    error = way.end(router, api, pass_on=listener)

    assert isinstance(error, Exception)
    assert type(error).__module__.partition(".")[0] in {"anthropic", "httpx", "httpx2"}
    assert (api.asked, listener.texts) == ([FIRST], ["Well, "])
    assert not hasattr(error, "__notes__")
    assert cooling(router) == []


@by_all_that_break
def test_a_naive_chain_repeats_what_was_passed_on(
    api: FakeMessages, way: Way, steps: list[Step]
) -> None:
    """The measure tells a chain that passes on the beginning of one answer, and then another."""
    listener = Listener()
    api.faults[FIRST] = listener.then(steps)

    assert way.end(Naive(), api, pass_on=listener).value == SECOND
    assert (api.asked, listener.texts) == ([FIRST, SECOND], ["Well, ", PROMPT])


@by_all_that_break
def test_a_stream_that_was_not_passed_on(
    machine: Machine, api: FakeMessages, way: Way, steps: list[Step]
) -> None:
    """R14: where the application says that nothing was passed on, the next model answers."""
    listener = Listener()
    api.faults[FIRST] = listener.then(steps)

    answer = way.end(
        router_of(machine), api, pass_on=listener, classify=partial(classify, passed_on=False)
    )

    assert (answer.value, answer.attempts[0].failure.kind) == (SECOND, FailureClass.NEXT_MODEL)
    assert api.asked == [FIRST, SECOND]


@each(SDK, ASYNC_SDK)
@pytest.mark.parametrize(
    "type", ["invalid_request_error", "authentication_error", "rate_limit_error"]
)
def test_an_event_that_no_model_cures(
    machine: Machine, api: FakeMessages, way: Way, type: str
) -> None:
    """An error in a stream goes by its type, so that some end the run though nothing was passed on."""
    listener = Listener()
    api.faults[FIRST] = listener.then([event("error", error={"type": type, "message": "no"})])

    error = way.end(
        router_of(machine), api, pass_on=listener, classify=partial(classify, passed_on=False)
    )

    assert isinstance(error, anthropic.APIStatusError)
    assert api.asked == [FIRST]


@by_all
def test_a_stream_that_was_refused(machine: Machine, api: FakeMessages, way: Way) -> None:
    """The twin: an answer that is an error came before any output, and the next model answers."""
    listener = Listener()
    api.faults[FIRST] = busy()

    answer = way.end(router_of(machine), api, pass_on=listener)

    assert (answer.value, listener.texts) == (SECOND, [PROMPT])
    assert api.asked == [FIRST, SECOND]


@by_all
@pytest.mark.parametrize("end", End)
def test_a_stream_that_breaks_off_at_its_head(
    machine: Machine, api: FakeMessages, way: Way, end: End
) -> None:
    """Nobody can tell what of a stream that has begun was passed on, so that nothing follows it."""
    listener = Listener()
    api.faults[FIRST] = [streamed(FIRST)[0], 0.01, end]

    error = way.end(router_of(machine), api, pass_on=listener)

    assert isinstance(error, Exception)
    assert not isinstance(error, FallbackExhaustedError)
    assert (api.asked, listener.texts) == ([FIRST], [])


# Cancellation


async def cancelled_in_asyncio(
    run: Callable[[], Awaitable[object]],
    begun: Callable[[], bool],
    meanwhile: Callable[[], Awaitable[object]],
) -> None:
    """Cancel a task when it has begun and something was done meanwhile."""
    task = asyncio.ensure_future(run())
    while not begun():  # noqa: ASYNC110 - the server is no task
        await asyncio.sleep(0.001)
    await meanwhile()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def cancelled_in_trio(
    run: Callable[[], Awaitable[object]],
    begun: Callable[[], bool],
    meanwhile: Callable[[], Awaitable[object]],
) -> None:
    """Cancel a scope when what is in it has begun and something was done meanwhile."""
    scope = trio.CancelScope()

    async def scoped() -> None:
        with scope:
            await run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(scoped)
        while not begun():  # noqa: ASYNC110 - the server is no task
            await trio.sleep(0.001)
        await meanwhile()
        scope.cancel()
    assert scope.cancelled_caught


@each(ASYNC_SDK, PLAIN_ASYNCIO, PLAIN_TRIO)
@pytest.mark.parametrize("probes", [False, True], ids=["any-call", "a-probe"])
def test_cancellation_leaves_nothing(
    machine: Machine, api: FakeMessages, way: Way, probes: bool
) -> None:
    """A call that is cancelled leaves no task, no lock, no cooldown, and its probe to the next run."""
    router = router_of(machine, allowed_fails=1)
    cancelled = cancelled_in_trio if way.loop is in_trio else cancelled_in_asyncio

    async def main() -> None:
        async with way.open(api) as client:
            ask = partial(router.arun, NEED, partial(client.create, prompt=PROMPT))
            if probes:
                api.faults[FIRST] = busy()
                assert (await ask()).model.id == SECOND
                machine.passes(FIRST_COOLDOWN)
            before = len(api.requests)
            api.faults[FIRST] = [PATIENCE * 2]  # seconds; it ends with the server

            async def meanwhile() -> None:
                if probes:
                    other = await ask()
                    assert (other.model.id, other.skipped) == (SECOND, (FIRST,))

            await cancelled(ask, lambda: len(api.requests) > before, meanwhile)
            assert cooling(router) == []
            del api.faults[FIRST]
            answer = await ask()
            assert (answer.value, len(answer.attempts), answer.skipped) == (
                (FIRST, PROMPT),
                1,
                (),
            )

    assert way.loop is not None
    way.loop(main)
    assert api.asked == ([FIRST, SECOND, FIRST, SECOND, FIRST] if probes else [FIRST, FIRST])
    free = at_once(lambda: router.run(NEED, lambda model: model.id), times=3)
    assert [answer.value for answer in free if isinstance(answer, Answer)] == [FIRST] * 3


@each(ASYNC_SDK, PLAIN_ASYNCIO, PLAIN_TRIO)
def test_cancellation_of_a_later_call(machine: Machine, api: FakeMessages, way: Way) -> None:
    """A call that is cancelled after a fallback leaves the cooldown of the model that failed, and no other."""
    router = router_of(machine, allowed_fails=1)
    cancelled = cancelled_in_trio if way.loop is in_trio else cancelled_in_asyncio
    api.faults = {FIRST: busy(), SECOND: [PATIENCE * 2]}

    async def nobody() -> None:
        """Do nothing meanwhile."""

    async def main() -> None:
        async with way.open(api) as client:
            ask = partial(router.arun, NEED, partial(client.create, prompt=PROMPT))
            await cancelled(ask, lambda: SECOND in api.asked, nobody)
            del api.faults[SECOND]
            assert (await ask()).value == (SECOND, PROMPT)

    assert way.loop is not None
    way.loop(main)
    assert api.asked == [FIRST, SECOND, SECOND]
    assert cooling(router) == [FIRST]


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Raise `KeyboardInterrupt` for an interrupt, even where who started these tests has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@each(*[way for way in WAYS if way.loop is None])
@pytest.mark.parametrize("probes", [False, True], ids=["any-call", "a-probe"])
def test_interrupt_of_a_call(machine: Machine, api: FakeMessages, way: Way, probes: bool) -> None:
    """Ctrl-C while a call waits for its answer ends the run, and leaves no cooldown and its probe to the next run."""
    router = router_of(machine, allowed_fails=1)
    if probes:
        api.faults[FIRST] = busy()
        assert way.end(router, api).model.id == SECOND
        machine.passes(FIRST_COOLDOWN)
    caller = threading.get_ident()

    def interrupt(_: Request) -> Played:
        signal.pthread_kill(caller, signal.SIGINT)
        return [PATIENCE * 2]

    api.faults[FIRST] = interrupt

    with heeding_interrupts():
        assert isinstance(way.end(router, api), KeyboardInterrupt)
    assert cooling(router) == []
    del api.faults[FIRST]
    answer = way.end(router, api)
    assert (answer.value, len(answer.attempts), answer.skipped) == ((FIRST, PROMPT), 1, ())


# Bugs of the caller's

BUGS = {
    "key-error": KeyError,
    "interrupt": KeyboardInterrupt,
    "asyncio": asyncio.CancelledError,
    "futures": concurrent.futures.CancelledError,
}
by_all_bugs = pytest.mark.parametrize("kind", BUGS.values(), ids=BUGS)


@by_all
@by_all_bugs
@pytest.mark.parametrize("place", ["before", "after", "after-a-fallback"])
def test_a_bug_is_the_callers(
    machine: Machine, api: FakeMessages, way: Way, kind: type[BaseException], place: str
) -> None:
    """R9: what the caller's own code raises comes out as the very same object, and nothing else is done."""
    error = kind("a bug")
    is_second = place == "after-a-fallback"
    if is_second:
        api.faults[FIRST] = busy()
    router = router_of(machine, allowed_fails=1)

    def fail(_: Model) -> None:
        raise error

    ended = (
        way.end(router, api, before=fail) if place == "before" else way.end(router, api, after=fail)
    )

    assert ended is error
    assert not hasattr(error, "__notes__")
    assert error.__cause__ is error.__context__ is None
    assert api.asked == {"before": [], "after": [FIRST], "after-a-fallback": [FIRST, SECOND]}[place]
    assert cooling(router) == ([FIRST] if is_second else [])


@by_all
@by_all_bugs
def test_a_naive_chain_repeats_a_bug(
    api: FakeMessages, way: Way, kind: type[BaseException]
) -> None:
    """The measure tells a chain that pays for the same bug once a model."""
    error = kind("a bug")

    def fail(_: Model) -> None:
        raise error

    assert way.end(Naive(), api, after=fail) is error
    assert api.asked == IDS


def unsent_by_sdk(**arguments: Any) -> object:
    """Ask by the official client."""
    http = anthropic.DefaultHttpxClient(verify=NO_TRUST)
    with anthropic.Anthropic(api_key=KEY, max_retries=0, http_client=http, **arguments) as client:
        return client.messages.create(**body(FOUR[FIRST]))


def unsent_by_httpx(url: str, headers: Mapping[str, str]) -> object:
    """Ask by httpx."""
    with httpx.Client(**PLAIN) as client:
        return client.post(url, json=body(FOUR[FIRST]), headers=headers)


UNSENT: dict[str, tuple[Callable[[str], object], type[Exception]]] = {
    "sdk-protocol": (
        lambda _: unsent_by_sdk(base_url="htp://127.0.0.1"),
        anthropic.APIConnectionError,
    ),
    "sdk-header": (
        lambda url: unsent_by_sdk(base_url=url, default_headers={"x-tag": "a\nb"}),
        anthropic.APIConnectionError,
    ),
    "httpx-protocol": (lambda _: unsent_by_httpx("htp://127.0.0.1", {}), httpx.UnsupportedProtocol),
    "httpx-header": (lambda url: unsent_by_httpx(url, {"x-tag": "a\nb"}), httpx.LocalProtocolError),
    "httpx-url": (lambda _: unsent_by_httpx("http://127.0.0.1:port", {}), httpx.InvalidURL),
}


@pytest.mark.parametrize(("ask", "kind"), UNSENT.values(), ids=UNSENT)
def test_a_request_that_cannot_be_sent(
    machine: Machine, api: FakeMessages, ask: Callable[[str], object], kind: type[Exception]
) -> None:
    """R9: a request that no server was ever sent is a bug of the caller's, though clients call it a lost connection."""
    router = router_of(machine, allowed_fails=1)
    called: list[str] = []

    def call(model: Model) -> object:
        called.append(model.id)
        return ask(api.url)

    with pytest.raises(kind) as caught:
        router.run(NEED, call)

    assert type(caught.value) is kind
    assert called == [FIRST]
    assert (api.requests, cooling(router)) == ([], [])


# A thousand runs at once

ODDS: tuple[Played, ...] = (
    busy(),
    failure(500, "api_error"),
    reply(502, b"<h1>Bad gateway</h1>"),
    [End.RESET],
    [End.CLOSE],
    [reply(200, message("", "x" * 999))[:-500], End.CLOSE],
)
LIMITED: Played = failure(429, "rate_limit_error", headers={"retry-after": "2"})


@define
class Half:
    """A fault for half of the calls, by chance that comes again for every prompt and model."""

    faults: Sequence[Played] = ODDS
    answered: list[str] = field(factory=list, init=False)
    """The prompts of the calls without a fault."""

    def fault(self, prompt: str, model: str) -> Played | None:
        """Return how that call fails, `None` where it is answered."""
        chance = seeded(zlib.crc32(f"{prompt} {model}".encode()))
        return chance.choice(self.faults) if chance.random() < 0.5 else None

    def __call__(self, request: Request) -> Played:
        assert isinstance(request, Posted)
        fault = self.fault(request.prompt, request.model)
        if fault is None:
            self.answered.append(request.prompt)
            return reply(200, message(request.model, request.prompt))
        return fault

    def expected(self, prompt: str) -> list[str]:
        """Return the models that a run calls whom nothing is set aside for."""
        failing = list(
            itertools.takewhile(lambda model: self.fault(prompt, model) is not None, IDS)
        )
        return IDS[: min(3, len(failing) + 1)]


Outcome = tuple[str, Any]
"""The prompt of a run, and its answer or the exception that it ended with."""


def problems(outcomes: Sequence[Outcome], api: FakeMessages, half: Half) -> list[str]:
    """Return each way in which runs were lost, doubled or mixed up."""
    asked = Counter(each.prompt for each in api.requests if isinstance(each, Posted))
    answered = Counter(half.answered)
    found = [
        f"{prompt} ended {times} times"
        for prompt, times in Counter(prompt for prompt, _ in outcomes).items()
        if times > 1
    ]
    for prompt, outcome in outcomes:
        if not isinstance(outcome, (Answer, FallbackExhaustedError)):
            found.append(f"{prompt} ended with {outcome!r}")
            continue
        is_answered = isinstance(outcome, Answer)
        if isinstance(outcome, Answer) and outcome.value != (outcome.model.id, prompt):
            found.append(f"{prompt} was told of {outcome.model.id} and of {outcome.value}")
        if answered[prompt] != is_answered:
            found.append(f"{prompt} was answered {answered[prompt]} times")
        if not 1 <= asked[prompt] == len(outcome.attempts) <= 3:
            found.append(f"{prompt} made {asked[prompt]} calls in {len(outcome.attempts)} attempts")
    return found


def in_tasks(
    chain: Any, api: FakeMessages, runs: int, after: Callable[[], object]
) -> list[Outcome]:
    """Start so many runs at once under asyncio, and return how each ended."""

    async def main() -> list[Outcome]:
        async with AsyncExitStack() as stack:
            clients = asyncio.Queue[
                Client
            ]()  # of one connection each: a pool of httpx looks at all who wait for it
            for _ in range(16):
                clients.put_nowait(await stack.enter_async_context(async_plain(api)))

            async def one(prompt: str) -> Outcome:
                async def call(model: Model) -> Said:
                    client = await clients.get()
                    try:
                        value: Said = await client.create(model, prompt)
                        return value
                    finally:
                        clients.put_nowait(client)
                        after()

                try:
                    return prompt, await chain.arun(NEED, call)
                except Exception as error:  # noqa: BLE001 - that is how it ended
                    return prompt, error

            return await asyncio.gather(*(one(str(number)) for number in range(runs)))

    outcomes: list[Outcome] = in_asyncio(main)
    return outcomes


def in_threads(
    chain: Any, api: FakeMessages, runs: int, after: Callable[[], object]
) -> list[Outcome]:
    """Start so many runs at once in threads, and return how each ended."""
    numbers = itertools.count()
    with ExitStack() as stack:
        clients = queue.SimpleQueue[
            Client
        ]()  # of one connection each: httpcore may close what a thread just took
        for _ in range(16):
            clients.put(stack.enter_context(plain(api)))

        def one() -> Outcome:
            prompt = str(next(numbers))

            def call(model: Model) -> Said:
                client = clients.get()
                try:
                    value: Said = client.create(model, prompt)
                    return value
                finally:
                    clients.put(client)
                    after()

            try:
                return prompt, chain.run(NEED, call)
            except Exception as error:  # noqa: BLE001 - that is how it ended
                return prompt, error

        return [outcome for outcome in at_once(one, runs) if isinstance(outcome, tuple)]


Crowding = Callable[[Any, FakeMessages, int, Callable[[], object]], list[Outcome]]
MANY = [
    pytest.param(in_tasks, 1000, id="1000-tasks"),
    pytest.param(in_threads, 200, id="200-threads"),
]
FEW = [pytest.param(in_tasks, 200, id="200-tasks"), pytest.param(in_threads, 50, id="50-threads")]
"""Too few for models to cool while the last ones begin."""


@pytest.mark.parametrize(
    ("crowd", "runs"), [*FEW, at_length(in_tasks, 1000), at_length(in_threads, 200)]
)
def test_each_run_ends_once(
    machine: Machine, api: FakeMessages, crowd: Crowding, runs: int
) -> None:
    """R7: of runs that fail half the time each ends as its own calls did, with its own answer or with none."""
    half = Half()
    api.faults = dict.fromkeys(IDS, half)
    router = router_of(machine, allowed_fails=10**6)

    outcomes = crowd(router, api, runs, int)

    assert len(outcomes) == runs
    assert problems(outcomes, api, half) == []
    tried = {
        prompt: [attempt.model.id for attempt in outcome.attempts] for prompt, outcome in outcomes
    }
    assert tried == {str(number): half.expected(str(number)) for number in range(runs)}
    answers = sum(isinstance(outcome, Answer) for _, outcome in outcomes)
    assert len(half.answered) == answers
    assert 0.8 * runs < answers < 0.95 * runs  # 7 of 8
    assert cooling(router) == []


@pytest.mark.parametrize(("crowd", "runs"), MANY)
def test_each_run_ends_once_while_models_cool(
    machine: Machine, api: FakeMessages, crowd: Crowding, runs: int
) -> None:
    """R7: the same where models are set aside and probed all the while; then none is lost, and each probe is free."""
    half = Half((*ODDS, LIMITED))
    api.faults = dict.fromkeys(IDS, half)
    router = router_of(machine)

    outcomes = crowd(router, api, runs, partial(machine.passes, 0.2))

    assert len(outcomes) == runs
    assert problems(outcomes, api, half) == []
    assert len(half.answered) == sum(isinstance(outcome, Answer) for _, outcome in outcomes)
    assert any(outcome.skipped for _, outcome in outcomes if isinstance(outcome, Answer))
    assert len({outcome.model.id for _, outcome in outcomes if isinstance(outcome, Answer)}) > 1
    machine.passes(LONGEST_COOLDOWN * 1.2)
    api.faults = dict.fromkeys(IDS, busy())
    assert isinstance(PLAIN_ASYNCIO.end(router, api, max_attempts=4), FallbackExhaustedError)
    assert api.asked[-4:] == IDS


class Shared(Naive):
    """A chain whose runs share where they are in it; the twin that must fail."""

    _at = 0

    async def arun(
        self, need: str, call: Callable[[Model], Awaitable[Any]], **terms: Any
    ) -> Answer[Any]:
        """Call at most three, one after the other."""
        for _ in range(3):
            try:
                value = await call(self._models[self._at])
            except httpx.HTTPError:
                self._at = (self._at + 1) % len(self._models)
            else:
                return Answer(value, self._models[self._at], ())
        raise LookupError(need)


class Hedging(Naive):
    """A chain that calls two models, for the sake of speed; the other twin that must fail."""

    async def arun(
        self, need: str, call: Callable[[Model], Awaitable[Any]], **terms: Any
    ) -> Answer[Any]:
        """Call two at once, and return the first answer in their order."""
        values = await asyncio.gather(*map(call, self._models[:2]), return_exceptions=True)
        pairs = zip(values, self._models, strict=False)
        return next(Answer(value, model, ()) for value, model in pairs if isinstance(value, tuple))


@pytest.mark.parametrize(
    ("chain", "problem"),
    [
        (Shared, "was told of"),
        (Shared, "ended with LookupError"),
        (Hedging, "was answered 2 times"),
    ],
    ids=["mixed-up", "lost", "doubled"],
)
def test_naive_chains_lose_and_double(api: FakeMessages, chain: type[Naive], problem: str) -> None:
    """R7: the measure tells runs that are lost, doubled or mixed up with others."""
    half = Half()
    api.faults = dict.fromkeys(IDS, half)

    found = problems(in_tasks(chain(), api, 100, int), api, half)

    assert any(problem in each for each in found)


HELLO: Final = {"max_tokens": 16, "messages": [{"role": "user", "content": PROMPT}]}
NOT_SENT = (
    r"returned a \w+Manager, which sends nothing until it is opened: to stream, .*stream=True"
)


@pytest.mark.parametrize("managed", ["stream", "with_streaming_response.create"])
def test_a_context_manager_of_the_sdk(api: FakeMessages, managed: str) -> None:
    """The SDK's context managers send nothing until they are opened: the run says so, and how to stream."""
    router = router_of(Machine())

    def method(client: Any) -> Any:
        return attrgetter(managed)(client.messages)

    async def asked() -> None:
        async with anthropic.AsyncAnthropic(
            api_key=KEY, http_client=anthropic.DefaultAsyncHttpxClient(verify=NO_TRUST)
        ) as client:
            with pytest.raises(ConfigurationError, match=NOT_SENT):
                await router.arun_request(HELLO, method(client))
            with pytest.raises(ConfigurationError, match=NOT_SENT):
                router.run_request(HELLO, method(client))

    asyncio.run(asked())
    with (
        anthropic.Anthropic(
            api_key=KEY, http_client=anthropic.DefaultHttpxClient(verify=NO_TRUST)
        ) as client,
        pytest.raises(ConfigurationError, match=NOT_SENT),
    ):
        router.run_request(HELLO, method(client))
    assert api.requests == []


def test_a_stream_of_the_request(api: FakeMessages) -> None:
    """`create` streams through a request with `stream=True`, and a refused stream goes to the next model."""
    api.faults[FIRST] = busy()
    request = {**HELLO, "stream": True}

    async def asked() -> list[str]:
        async with anthropic.AsyncAnthropic(
            api_key=KEY,
            base_url=api.url,
            max_retries=0,
            http_client=anthropic.DefaultAsyncHttpxClient(verify=NO_TRUST),
        ) as client:
            answer = await router_of(Machine()).arun_request(request, client.messages.create)
            stream: Any = answer.value
            return [each.type async for each in stream]

    assert asyncio.run(asked())[-1] == "message_stop"
    assert api.asked == [FIRST, SECOND]
