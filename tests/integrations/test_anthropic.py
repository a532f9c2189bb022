"""`model="auto"`: the official client, blocking and not, against a Messages API that refuses what is on record."""

from __future__ import annotations

import asyncio
import inspect
import logging
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, get_type_hints

import anthropic
import httpx2
import pytest
import trio
from canary import KEY
from fake_api import End, Scripted, failure
from fake_messages import MESSAGES, Posted, event, streamed
from fake_source import PATIENCE, FakeClock
from log_records import extras
from request_corpus import CORPUS, NOT_OF_THE_SDK, load
from strict_messages import StrictMessages, listing, serve_strictly

from router import (
    Attempt,
    Catalogue,
    ConfigurationError,
    Failure,
    FailureClass,
    Model,
    NoModelError,
    Policy,
    RequirementError,
    Router,
    RunOptions,
    StaticSource,
    auto_model,
    fit,
    require,
)
from router.requests._fitting import OnUnsupported

CATALOGUE: Final = Catalogue.from_listing(listing(), source="live")
NEWEST, SECOND, THIRD, *_ = (model.id for model in CATALOGUE.candidates())
HELLO: Final[Mapping[str, Any]] = {
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "Hello."}],
}
OPUS = "line == opus and lifecycle == active"
OPUSES = [model.id for model in CATALOGUE.candidates(OPUS)]
NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
BUSY = failure(529, "overloaded_error", "Overloaded")

Middle = Any
Ask = Callable[[Any], Any]
"""What is asked of a client; of an asynchronous one it is awaited."""


def router_of(catalogue: Catalogue = CATALOGUE, **arguments: Any) -> Router:
    """Return a router of the models that the server has, in which nothing waits."""
    return Router(StaticSource(catalogue), cache_dir=False, **arguments)


def blocking(api: StrictMessages, middle: Middle, ask: Ask, max_retries: int = 0) -> Any:
    """Return what a client answers, or the exception."""
    http = anthropic.DefaultHttpxClient(verify=NO_TRUST)
    with anthropic.Anthropic(
        api_key=KEY,
        base_url=api.url,
        max_retries=max_retries,
        http_client=http,
        timeout=PATIENCE,
        middleware=middle,
    ) as client:
        try:
            return ask(client)
        except Exception as error:  # noqa: BLE001 - that is how it ended
            return error


async def _asked(api: StrictMessages, middle: Middle, ask: Ask, max_retries: int) -> Any:
    http = anthropic.DefaultAsyncHttpxClient(verify=NO_TRUST)
    async with anthropic.AsyncAnthropic(
        api_key=KEY,
        base_url=api.url,
        max_retries=max_retries,
        http_client=http,
        timeout=PATIENCE,
        middleware=middle,
    ) as client:
        try:
            return await ask(client)
        except Exception as error:  # noqa: BLE001 - that is how it ended
            return error


def in_asyncio(api: StrictMessages, middle: Middle, ask: Ask, max_retries: int = 0) -> Any:
    """Return what an asynchronous client answers under asyncio, or the exception."""
    return asyncio.run(_asked(api, middle, ask, max_retries))


def in_trio(api: StrictMessages, middle: Middle, ask: Ask, max_retries: int = 0) -> Any:
    """Return what an asynchronous client answers under trio, or the exception."""
    return trio.run(_asked, api, middle, ask, max_retries)


by_all = pytest.mark.parametrize("way", [blocking, in_asyncio, in_trio])


@pytest.fixture
def api() -> Iterator[StrictMessages]:
    """A server without a fault."""
    with serve_strictly() as api:
        yield api


def create(model: str, **arguments: Any) -> Ask:
    """Return what asks for a message."""
    return lambda client: client.messages.create(model=model, **HELLO, **arguments)


def parameters(path: Path, model: str) -> dict[str, Any]:
    """Return a request of the corpus as the SDK takes it: what its types do not know goes into the extra body."""
    request = {**load(path)["request"], "model": model}
    beside = {name: request.pop(name) for name in NOT_OF_THE_SDK & request.keys() - {"extra_body"}}
    if beside:
        request["extra_body"] = {**request.get("extra_body", {}), **beside}
    return request


def sent(path: Path, model: str) -> Ask:
    """Return what sends a request of the corpus: on its own, or in a batch."""
    request = parameters(path, model)
    if not load(path)["batch"]:
        return lambda client: client.beta.messages.create(**request)
    betas = request.pop("betas", [])
    entry = {"custom_id": "one", "params": request}
    return lambda client: client.beta.messages.batches.create(requests=[entry], betas=betas)


@pytest.mark.parametrize("on_unsupported", ["error", "drop", "downgrade"])
def test_none_of_the_corpus_is_refused(api: StrictMessages, on_unsupported: OnUnsupported) -> None:
    """Whatever is asked for `auto`, the API refuses nothing; what no model can serve is not sent."""
    middle = [auto_model(router_of(), on_unsupported=on_unsupported)]
    unsent = []
    for path in CORPUS:
        answer = blocking(api, middle, sent(path, "auto"))
        if isinstance(answer, NoModelError):
            unsent.append(path.stem)
        else:
            assert not isinstance(answer, Exception), path

    assert api.refused == []
    assert unsent == ([] if on_unsupported != "error" else UNSERVED)


UNSERVED = [
    "effort_xhigh_between_tools",
    "everything_that_is_refused",
    "longer_than_the_largest",
    "sampling_in_the_extra_body",
    "sampling_of_old",
]
"""What no model takes as it is: sampling since the version of the API that the SDK speaks."""


@pytest.mark.parametrize("id", ["claude-opus-5-5", "claude-opus-4-6", "claude-haiku-4-5-20251001"])
def test_much_of_the_corpus_is_refused_by_any_one_model(api: StrictMessages, id: str) -> None:
    """Without it, a fixed model refuses at least ten requests: the server does refuse."""
    answers = [blocking(api, [], sent(path, id)) for path in CORPUS]

    refused = [each for each in answers if isinstance(each, anthropic.BadRequestError)]
    assert len(refused) == len(api.refused) >= 10


@pytest.mark.parametrize("way", [in_asyncio, in_trio])
def test_none_of_the_corpus_is_refused_to_an_asynchronous_client(
    api: StrictMessages, way: Any
) -> None:
    """Nor is anything refused to a client that is awaited, with all of the corpus sent at once."""

    async def all_of(client: Any) -> list[Any]:
        return [await sent(path, "auto")(client) for path in CORPUS]

    answers = way(api, [auto_model(router_of(), on_unsupported="downgrade")], all_of)

    assert (len(answers), api.refused) == (len(CORPUS), [])


class Parsed(anthropic.Middleware):
    """A middleware that makes a value of the answer, as one that keeps answers does."""

    def handle(self, request: anthropic.APIRequest, call_next: Any) -> Any:
        """Return the value."""
        return call_next(request).parse()

    async def handle_async(self, request: anthropic.APIRequest, call_next: Any) -> Any:
        """Return the value."""
        return await (await call_next(request)).parse()


@by_all
def test_an_answer_that_another_middleware_has_read(api: StrictMessages, way: Any) -> None:
    """A value in the place of an answer is passed on."""
    answer = way(api, [auto_model(router_of()), Parsed()], create("auto"))

    assert (answer.model, api.asked) == (NEWEST, [NEWEST])


def test_a_response_alone(api: StrictMessages) -> None:
    """Whoever asks for nothing but the response of HTTP gets it, also from the next model."""
    api.faults[NEWEST] = BUSY
    asked = {"cast_to": httpx2.Response, "body": {**HELLO, "model": "auto"}}
    answer = blocking(
        api, [auto_model(router_of())], lambda client: client.post("/v1/messages", **asked)
    )

    assert (answer.status_code, answer.json()["model"], api.asked) == (
        200,
        SECOND,
        [NEWEST, SECOND],
    )


def test_headers_of_the_client(api: StrictMessages) -> None:
    """A version of the API and betas that the client has among its own headers are told to the middleware."""
    sampled = create("auto", extra_body={"temperature": 0.5})
    headers = {"Anthropic-Version": "2023-06-01"}

    assert isinstance(blocking(api, [auto_model(router_of())], sampled), NoModelError)
    blocking(api, [auto_model(router_of(), headers=headers)], sampled)
    assert api.asked == [CATALOGUE.select("traits.sampling").id]


@pytest.mark.parametrize("attempts", [1, 2])
def test_attempts_are_counted(api: StrictMessages, attempts: int) -> None:
    """No more models are tried than that, each time that the SDK tries."""
    api.faults = dict.fromkeys([model.id for model in CATALOGUE], BUSY)
    blocking(api, [auto_model(router_of(), max_attempts=attempts)], create("auto"))

    assert len(api.asked) == attempts
    with pytest.raises(ConfigurationError, match="max_attempts must be"):
        auto_model(router_of(), max_attempts=0)


LACKS = failure(400, "invalid_request_error", "This model does not support the effort parameter.")


def test_it_takes_the_options_of_a_run() -> None:
    """Every option of `run_request` is an argument, with the same default; `headers` is one of its own."""
    taken = inspect.signature(auto_model).parameters.keys()

    assert taken == {"router", "on_unsupported", "headers", *get_type_hints(RunOptions)}


def streaming(client: Any) -> Any:
    """Ask for a stream, and read it."""
    if isinstance(client, anthropic.Anthropic):
        with client.messages.stream(model="auto", **HELLO) as stream:
            return stream.get_final_message()
    return _astreaming(client)


async def _astreaming(client: anthropic.AsyncAnthropic) -> Any:
    async with client.messages.stream(model="auto", **HELLO) as stream:
        return await stream.get_final_message()


by_message_and_stream = pytest.mark.parametrize(
    "ask", [create("auto"), streaming], ids=["message", "stream"]
)


@by_all
@by_message_and_stream
def test_hooks_are_called(api: StrictMessages, way: Any, ask: Ask) -> None:
    """`on_fallback` gets the failed attempt and the next model, `on_disagreement` the attempt that was refused."""
    api.faults |= {NEWEST: LACKS, SECOND: BUSY}
    fell: list[tuple[Attempt, Model]] = []
    refused: list[Attempt] = []
    middle = auto_model(
        router_of(), on_fallback=lambda *told: fell.append(told), on_disagreement=refused.append
    )

    assert way(api, [middle], ask).model == THIRD
    assert [(attempt.model.id, model.id) for attempt, model in fell] == [
        (NEWEST, SECOND),
        (SECOND, THIRD),
    ]
    assert [each.model.id for each in refused] == [NEWEST]
    error: Any = fell[1][0].error
    assert (error.status_code, error.response.status_code, str(error)) == (529, 529, "status 529")
    failed = fell[1][0].failure
    assert failed is not None
    assert (failed.status, failed.reason) == (529, "529 overloaded_error: Overloaded")


@by_all
def test_hooks_of_the_router_are_called(api: StrictMessages, way: Any) -> None:
    """Without an `on_disagreement` of its own, the router's is called."""
    api.faults[NEWEST] = LACKS
    refused: list[Attempt] = []

    way(api, [auto_model(router_of(on_disagreement=refused.append))], create("auto"))

    assert [each.model.id for each in refused] == [NEWEST]


@by_all
@by_message_and_stream
def test_the_deadline(api: StrictMessages, way: Any, ask: Ask) -> None:
    """No other model is called after the deadline, and the SDK raises the failure; its own retry has a new one."""
    clock = FakeClock()

    def slow(_: object) -> Any:
        clock.sleep(5.0)
        return BUSY

    api.script(slow, slow, slow)
    middle = [auto_model(router_of(clock=clock), deadline=7)]

    assert isinstance(way(api, middle, ask), anthropic.OverloadedError)
    assert api.asked == [NEWEST, SECOND]
    assert way(api, middle, ask, 1).model == SECOND
    assert api.asked == [NEWEST, SECOND, NEWEST, SECOND]


@by_all
@by_message_and_stream
def test_failures_are_classified(api: StrictMessages, way: Any, ask: Ask) -> None:
    """`classify` gets the refused answer as an error, and says what may cure it."""
    api.faults[NEWEST] = failure(401, "authentication_error")
    seen: list[tuple[int, str]] = []

    def classify(error: Exception, model: Model) -> Failure:
        seen.append((getattr(error, "status_code", 0), model.id))
        return Failure(kind=FailureClass.NEXT_MODEL, reason="a key of that model alone")

    assert way(api, [auto_model(router_of(), classify=classify)], ask).model == SECOND
    assert seen == [(401, NEWEST)]


@by_all
def test_a_conversation_stays_with_its_model(api: StrictMessages, way: Any) -> None:
    """`sticky` names the conversation of a request, such as by a header; each keeps the model that answered it last."""
    middle = [auto_model(router_of(), sticky=lambda request: request.headers.get("x-conversation"))]

    def told(key: str | None) -> str:
        headers = {} if key is None else {"x-conversation": key}
        return str(way(api, middle, create("auto", extra_headers=headers)).model)

    api.script(BUSY)
    assert told("a") == SECOND
    assert [told("a"), told("b"), told(None)] == [SECOND, NEWEST, NEWEST]


async def _never(_: object) -> str:
    return "never awaited"


@pytest.mark.parametrize(
    "sticky", ["conversation", 1, _never], ids=["text", "number", "coroutine function"]
)
def test_what_names_no_conversation(sticky: Any) -> None:
    """`sticky` is a function here, and no coroutine function."""
    with pytest.raises(ConfigurationError, match="sticky must be a plain function"):
        auto_model(router_of(), sticky=sticky)


@by_all
def test_a_key_that_is_none(api: StrictMessages, way: Any) -> None:
    """A conversation whose key has no hash is refused before anything is sent."""
    middle: Any = auto_model(router_of(), sticky=lambda request: request.json)

    assert "sticky must be a key" in str(way(api, [middle], create("auto")))
    assert api.requests == []


def test_nothing_is_logged_before_a_request(caplog: pytest.LogCaptureFixture) -> None:
    """To check the arguments leaves no record of a call."""
    with caplog.at_level(logging.DEBUG, "router"):
        auto_model(router_of(), max_attempts=2, deadline=5)

    assert caplog.messages == []


@by_all
def test_the_end_of_a_chain_is_logged(
    api: StrictMessages, caplog: pytest.LogCaptureFixture, way: Any
) -> None:
    """The SDK raises the last failure alone: the log has its model, policy and number, and all that was tried."""
    api.faults = dict.fromkeys([model.id for model in CATALOGUE], BUSY)
    router = router_of(policies={"thrifty": Policy(require="line == haiku")})
    way(api, [auto_model(router, max_attempts=1)], create("auto:thrifty"))

    (record,) = caplog.records
    fields = extras(record)
    assert fields.pop("router_duration") >= 0
    assert fields == {
        "router_event": "exhausted",
        "model_id": CATALOGUE.select("line == haiku").id,
        "policy": "thrifty",
        "attempt": 1,
        "router_failure": "next_model",
        "router_status": 529,
        "router_error_type": "overloaded_error",
    }


def test_the_models_of_a_batch_are_logged(
    api: StrictMessages, caplog: pytest.LogCaptureFixture
) -> None:
    """Each request of a batch that is routed leaves a record; there is no attempt of one."""
    params = [{**HELLO, "model": each} for each in ("auto", SECOND, f"auto:{OPUS}")]
    entries = [{"custom_id": str(at), "params": each} for at, each in enumerate(params)]
    with caplog.at_level(logging.INFO, "router"):
        blocking(
            api,
            [auto_model(router_of())],
            lambda client: client.messages.batches.create(requests=entries),
        )

    records = [extras(each) for each in caplog.records if each.name.startswith("router")]
    assert [(each["router_event"], each["model_id"], each["attempt"]) for each in records] == [
        ("route", NEWEST, None),
        ("route", OPUSES[0], None),
    ]


def test_a_key_of_the_callers_own(api: StrictMessages) -> None:
    """A new call that comes with the key of an old one is chosen for anew."""
    middle = [auto_model(router_of())]
    api.script(failure(408, "timeout_error"))
    for asked in (f"auto:{OPUS}", "auto"):
        posted = {"cast_to": anthropic.types.Message, "body": {**HELLO, "model": asked}}
        blocking(api, middle, partial(_post, posted, {"idempotency_key": "mine"}))

    assert api.asked == [OPUSES[0], NEWEST]


def _post(posted: Mapping[str, Any], options: Any, client: Any) -> Any:
    return client.post("/v1/messages", **posted, options=options)


class Newest(anthropic.Middleware):
    """The twin that must fail: the newest model of all for every request."""

    def handle(self, request: anthropic.APIRequest, call_next: Any) -> Any:
        """Send it there."""
        body: Any = request.json
        return call_next(
            request.copy(body={**body, "model": NEWEST}) if "model" in body else request
        )


def test_the_newest_refuses_some_of_the_corpus(api: StrictMessages) -> None:
    """A twin that looks at no request has some refused."""
    for path in CORPUS:
        blocking(api, [Newest()], sent(path, "auto"))

    assert len(api.refused) >= 10


@by_all
@pytest.mark.parametrize(
    ("asked", "found", "logged"),
    [
        ("auto", NEWEST, ("a call", None)),
        (f"auto:{OPUS}", OPUSES[0], (f"a call for {require(OPUS)}", None)),
        ("auto:thrifty", CATALOGUE.select("line == haiku").id, ("a call for thrifty", "thrifty")),
    ],
)
def test_the_model_is_chosen(
    api: StrictMessages,
    caplog: pytest.LogCaptureFixture,
    *,
    way: Any,
    asked: str,
    found: str,
    logged: tuple[str, str | None],
) -> None:
    """`auto`, a requirement and a policy each have their model, seen in the answer and in one line of the log."""
    router = router_of(policies={"thrifty": Policy(require="line == haiku")})
    with caplog.at_level(logging.INFO, "router"):
        answer = way(api, [auto_model(router)], create(asked))

    assert (answer.model, api.asked) == (found, [found])
    (record,) = (each for each in caplog.records if each.name.startswith("router"))
    assert (record.name, record.getMessage()) == ("router.requests", f"{logged[0]} goes to {found}")
    assert extras(record) == {
        "router_event": "route",
        "model_id": found,
        "policy": logged[1],
        "attempt": 1,
        "router_changes": 0,
    }


def test_what_is_changed_is_logged(api: StrictMessages, caplog: pytest.LogCaptureFixture) -> None:
    """What was taken out of a request is in the same line."""
    router = router_of(policies={"reports": Policy(require=f"id == {NEWEST}")})
    ask = create("auto:reports", extra_body={"temperature": 0.5})
    with caplog.at_level(logging.INFO, "router"):
        answer = blocking(api, [auto_model(router, on_unsupported="drop")], ask)

    assert answer.model == NEWEST
    assert (
        f"a call for reports goes to {NEWEST}; changed: temperature: taken out, as" in caplog.text
    )


def test_a_line_of_the_log_stays_a_line(
    api: StrictMessages, caplog: pytest.LogCaptureFixture
) -> None:
    """What a request asks for is escaped where it would end a line."""
    with caplog.at_level(logging.INFO, "router"):
        blocking(api, [auto_model(router_of())], create('auto:id != "a\\u0085b"\nand batch'))

    assert caplog.messages == [f'a call for batch and id != "a\\u0085b" goes to {NEWEST}']


def test_a_log_that_fails_ends_no_call(api: StrictMessages) -> None:
    """What a filter of the application raises is no failure of the call."""

    def failing(_: logging.LogRecord) -> bool:
        raise ZeroDivisionError

    logger = logging.getLogger("router.requests")
    level, logger.level = logger.level, logging.INFO
    logger.addFilter(failing)
    try:
        assert blocking(api, [auto_model(router_of())], create("auto")).model == NEWEST
    finally:
        logger.removeFilter(failing)
        logger.setLevel(level)


@by_all
def test_everything_else_is_left_alone(api: StrictMessages, way: Any) -> None:
    """A request for a model by its name, an alias or a name that begins alike is sent as it is."""
    for name in (SECOND, "automatic", "Auto", "claude-auto", "auto-2"):
        way(api, [auto_model(router_of())], create(name, extra_body={"temperature": 0.5}))

    assert api.asked == [SECOND, "automatic", "Auto", "claude-auto", "auto-2"]
    assert all(each.said["temperature"] == 0.5 for each in api.requests if isinstance(each, Posted))


def test_its_own_listing_is_left_alone(api: StrictMessages) -> None:
    """The client's other calls pass: what is no post to the Messages API is none of ours."""
    error = blocking(api, [auto_model(router_of())], lambda client: client.models.list())

    assert isinstance(error, anthropic.NotFoundError)
    assert [each.path.partition("?")[0] for each in api.requests] == ["/v1/models"]


@by_all
@pytest.mark.parametrize(
    "fault",
    [
        BUSY,
        failure(429, "rate_limit_error", headers={"retry-after": "30"}),
        failure(404, "not_found_error", f"model: {NEWEST}"),
        failure(400, "invalid_request_error", "This model does not support the effort parameter."),
        failure(500, "api_error"),
    ],
    ids=["529", "429", "404", "lacks", "500"],
)
def test_the_next_model_answers(api: StrictMessages, way: Any, fault: Scripted) -> None:
    """A failure that another model may cure goes to the next one, in the same call and without a wait."""
    api.faults[NEWEST] = fault

    answer = way(api, [auto_model(router_of())], create("auto"))

    assert (answer.model, api.asked) == (SECOND, [NEWEST, SECOND])


@by_all
def test_each_candidate_has_its_own_fit(api: StrictMessages, way: Any) -> None:
    """The next model is sent the original request as that one takes it, and not what was left for the one before."""
    before, after = CATALOGUE["claude-opus-5-5"], CATALOGUE["claude-opus-4-6"]
    api.faults[before.id] = BUSY
    policy = Policy(require=f"id in ({before.id}, {after.id})")
    tool = {"name": "find", "input_schema": {"type": "object"}}
    asked = {"tools": [tool], "tool_choice": {"type": "any"}, "output_config": {"effort": "xhigh"}}
    ask = create("auto:both", extra_body=asked)

    answer = way(
        api, [auto_model(router_of(policies={"both": policy}), on_unsupported="downgrade")], ask
    )

    first, second = (each.said for each in api.requests if isinstance(each, Posted))
    assert (answer.model, first["model"], second["model"]) == (after.id, before.id, after.id)
    for said, model in ((first, before), (second, after)):
        assert said == {**fit({**HELLO, **asked}, model, "downgrade").request, "model": model.id}
    assert (first["tool_choice"], first["output_config"]) == ({"type": "auto"}, {"effort": "xhigh"})
    assert (second["tool_choice"], second["output_config"]) == ({"type": "any"}, {"effort": "high"})


@by_all
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (failure(401, "authentication_error"), anthropic.AuthenticationError),
        (
            failure(400, "invalid_request_error", "messages: at least one message is required"),
            anthropic.BadRequestError,
        ),
        (failure(403, "permission_error"), anthropic.PermissionDeniedError),
        (failure(429, "rate_limit_error"), anthropic.RateLimitError),
    ],
)
def test_what_no_model_cures(
    api: StrictMessages, way: Any, fault: Scripted, error: type[Exception]
) -> None:
    """Any other failure is the SDK's own error, after one request."""
    api.faults[NEWEST] = fault

    assert type(way(api, [auto_model(router_of())], create("auto"))) is error
    assert api.asked == [NEWEST]


@by_all
def test_all_fail(api: StrictMessages, caplog: pytest.LogCaptureFixture, way: Any) -> None:
    """Where every model that may be tried has failed, the last failure is the SDK's own error, and the log has all."""
    api.faults = dict.fromkeys([model.id for model in CATALOGUE], BUSY)
    api.faults[THIRD] = failure(529, "overloaded_error", f"the last, {THIRD}")

    error = way(api, [auto_model(router_of())], create("auto"))

    assert isinstance(error, anthropic.OverloadedError)
    assert f"the last, {THIRD}" in str(error)
    assert api.asked == [NEWEST, SECOND, THIRD]
    assert "no model answered for max_tokens >= 16: max_attempts is 3" in caplog.text


RETRIED: dict[str, Scripted] = {
    "reset": [End.RESET],
    "closed": [End.CLOSE],
    "408": failure(408, "timeout_error"),
    "409": failure(409, "conflict_error"),
    "429-of-the-organisation": failure(429, "rate_limit_error"),
}


@by_all
@pytest.mark.parametrize("fault", RETRIED.values(), ids=RETRIED)
def test_a_retry_of_the_sdk_stays_with_the_model(
    api: StrictMessages, way: Any, fault: Scripted
) -> None:
    """What the SDK tries again goes to the model it went to, also where another one has become the best meanwhile."""
    without = Catalogue.from_listing(
        [each for each in listing() if each["id"] != NEWEST], source="live"
    )
    router = Router(source := Replaced(without), cache_dir=False)
    router.refresh()

    def broken(_: object) -> Any:
        source.catalogue = CATALOGUE
        assert router.refresh().select().id == NEWEST
        return fault

    api.script(broken)
    answer = way(api, [auto_model(router)], create("auto"), 1)

    assert api.asked == [SECOND, SECOND]
    assert answer.model == SECOND


class Replaced:
    """A source of whatever catalogue it is given."""

    remote = False
    identity: str | None = None

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def fetch(self, *_: object) -> Catalogue:
        """Return it."""
        return self.catalogue


@by_all
def test_a_call_that_comes_anew_is_chosen_for_anew(api: StrictMessages, way: Any) -> None:
    """What was kept for the retries of one call is kept for no other."""
    router = router_of()
    middle = [auto_model(router)]
    api.script(failure(408, "timeout_error"))

    assert isinstance(way(api, middle, create(f"auto:{OPUS}")), anthropic.APIStatusError)
    assert way(api, middle, create("auto"), 1).model == NEWEST


@by_all
def test_a_retry_moves_on_where_the_model_failed(api: StrictMessages, way: Any) -> None:
    """A retry that meets a failure of the model goes to the next one."""
    api.script(failure(408, "timeout_error"))
    api.faults[NEWEST] = BUSY

    answer = way(api, [auto_model(router_of())], create("auto"), 1)

    assert (answer.model, api.asked) == (SECOND, [NEWEST, NEWEST, SECOND])


REFUSED_STREAMS: dict[str, Scripted] = {
    "529": BUSY,
    "429": failure(429, "rate_limit_error", headers={"retry-after": "30"}),
    "lacks": failure(
        400, "invalid_request_error", "This model does not support the effort parameter."
    ),
}
"""Some can be told from what no model cures by their bodies alone."""


@pytest.mark.parametrize("fault", REFUSED_STREAMS.values(), ids=REFUSED_STREAMS)
def test_a_stream(api: StrictMessages, fault: Scripted) -> None:
    """A stream comes from the model that is chosen, or from the next where it is refused before it begins."""
    api.faults[NEWEST] = fault

    def ask(client: Any) -> Any:
        with client.messages.stream(model="auto", **HELLO) as stream:
            return "".join(stream.text_stream), stream.get_final_message().model

    assert blocking(api, [auto_model(router_of())], ask) == ("Well.", SECOND)
    assert api.asked == [NEWEST, SECOND]


@pytest.mark.parametrize("way", [in_asyncio, in_trio])
@pytest.mark.parametrize("fault", REFUSED_STREAMS.values(), ids=REFUSED_STREAMS)
def test_an_asynchronous_stream(api: StrictMessages, way: Any, fault: Scripted) -> None:
    """So does one that is awaited."""
    api.faults[NEWEST] = fault

    async def ask(client: Any) -> Any:
        async with client.messages.stream(model="auto", **HELLO) as stream:
            return [text async for text in stream.text_stream], (
                await stream.get_final_message()
            ).model

    assert way(api, [auto_model(router_of())], ask) == (["Well."], SECOND)


@by_all
def test_a_retry_after_all_have_failed_begins_with_the_best(api: StrictMessages, way: Any) -> None:
    """What is kept is whom a call was with when nothing spoke against the model, not who failed last."""
    api.script(BUSY, BUSY, BUSY)

    answer = way(api, [auto_model(router_of())], create("auto"), 1)

    assert (answer.model, api.asked) == (NEWEST, [NEWEST, SECOND, THIRD, NEWEST])


def test_a_stream_that_breaks_off_is_not_begun_again(api: StrictMessages) -> None:
    """Once a stream has begun, its failure is the application's: what was passed on cannot be taken back."""
    began = streamed(NEWEST, "one", "two")[:2]
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    api.faults[NEWEST] = [*began, error, 0.0, End.CLOSE]
    passed: list[str] = []

    def ask(client: Any) -> Any:
        with client.messages.stream(model="auto", **HELLO) as stream:
            for text in stream.text_stream:
                passed.append(text)  # noqa: PERF402 - what came before it broke off counts

    assert isinstance(blocking(api, [auto_model(router_of())], ask, 2), anthropic.APIStatusError)
    assert (passed, api.asked) == (["one"], [NEWEST])


@by_all
def test_raw_and_streamed_responses(api: StrictMessages, way: Any) -> None:
    """Whoever asks for the response itself gets that of the model that answered."""
    api.faults[NEWEST] = BUSY
    answer = way(
        api,
        [auto_model(router_of())],
        lambda client: client.messages.with_raw_response.create(model="auto", **HELLO),
    )

    assert answer.status_code == 200
    assert api.asked == [NEWEST, SECOND]


@by_all
def test_a_batch(api: StrictMessages, way: Any) -> None:
    """Each request of a batch that asks for `auto` has its model, known to take batches; the others stay."""
    entries = [
        {"custom_id": "1", "params": {**HELLO, "model": "auto"}},
        {"custom_id": "2", "params": {**HELLO, "model": SECOND}},
        {"custom_id": "3", "params": {**HELLO, "model": f"auto:{OPUS}"}},
    ]
    way(
        api,
        [auto_model(router_of())],
        lambda client: client.messages.batches.create(requests=entries),
    )

    (posted,) = (each for each in api.requests if isinstance(each, Posted))
    assert posted.path == f"{MESSAGES}/batches"
    assert [each["params"]["model"] for each in posted.said["requests"]] == [
        CATALOGUE.select("batch").id,
        SECOND,
        CATALOGUE.select(require(OPUS) & require("batch")).id,
    ]
    assert [each["custom_id"] for each in posted.said["requests"]] == ["1", "2", "3"]


def test_a_batch_goes_to_a_model_that_takes_batches(api: StrictMessages) -> None:
    """The newest model is not chosen for a batch where it is known to take none."""
    without = [
        {
            **each,
            "capabilities": {**each["capabilities"], "batch": {"supported": each["id"] != NEWEST}},
        }
        for each in listing()
        if "capabilities" in each
    ]
    router = router_of(Catalogue.from_listing(without, source="live"))
    entries = [{"custom_id": "1", "params": {**HELLO, "model": "auto"}}]

    blocking(
        api, [auto_model(router)], lambda client: client.messages.batches.create(requests=entries)
    )

    assert router.select().id == NEWEST
    assert [
        each.said["requests"][0]["params"]["model"]
        for each in api.requests
        if isinstance(each, Posted)
    ] == [SECOND]


def test_a_batch_that_cannot_be_served(api: StrictMessages) -> None:
    """The error says which of the requests no model can serve, and nothing is sent."""
    entries = [
        {"custom_id": "1", "params": {**HELLO, "model": each}}
        for each in (SECOND, "auto:max_tokens >= 9M")
    ]
    error = blocking(
        api,
        [auto_model(router_of())],
        lambda client: client.messages.batches.create(requests=entries),
    )

    assert isinstance(error, NoModelError)
    assert error.__notes__ == ["asked by requests[1].params of the batch"]
    assert api.requests == []


@by_all
def test_counting_tokens(api: StrictMessages, way: Any) -> None:
    """Tokens are counted with the model that is chosen."""
    answer = way(
        api,
        [auto_model(router_of())],
        lambda client: client.messages.count_tokens(model="auto", messages=HELLO["messages"]),
    )

    assert (answer.input_tokens, api.asked) == (7, [NEWEST])


@by_all
@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        ("auto:pdf_imput", RequirementError, "did you mean pdf_input"),
        ("auto:", RequirementError, "empty text"),
        ("auto:reports and", RequirementError, "expected"),
        ("auto:max_tokens >= 9M", NoModelError, "no model satisfies: max_tokens >= 9M"),
    ],
)
def test_what_cannot_be_chosen(
    api: StrictMessages, way: Any, asked: str, kind: type[Exception], told: str
) -> None:
    """What means nothing, or what nothing meets, is our own error, before anything is sent."""
    error = way(api, [auto_model(router_of())], create(asked), 2)

    assert isinstance(error, kind)
    assert told in str(error)
    assert api.requests == []


def test_a_policy_named_like_a_capability() -> None:
    """It is an error where it is loaded: `auto:pdf_input` has one meaning."""
    with pytest.raises(ConfigurationError, match="pdf_input is a capability"):
        router_of(policies={"pdf_input": Policy(require="citations")})


@pytest.mark.parametrize("on_unsupported", ["ignore", None, 1])
def test_what_it_takes(on_unsupported: Any) -> None:
    """A word that it does not know is refused at once."""
    with pytest.raises(ConfigurationError, match="on_unsupported must be"):
        auto_model(router_of(), on_unsupported=on_unsupported)


@pytest.mark.parametrize("router", [None, "claude-opus-5-5", CATALOGUE, Router])
def test_what_is_no_router(router: Any) -> None:
    """It asks a router, and nothing that is only like one."""
    with pytest.raises(ConfigurationError, match="a Router was expected"):
        auto_model(router)


def test_made_inside_an_event_loop(caplog: pytest.LogCaptureFixture) -> None:
    """To check its arguments waits for nothing, and is not logged."""

    async def made() -> object:
        await asyncio.sleep(0)
        return auto_model(router_of())

    assert isinstance(asyncio.run(made()), anthropic.Middleware)
    assert caplog.messages == []


def test_a_retry_is_forgotten_after_many_others(api: StrictMessages) -> None:
    """What is kept for retries is bounded: when it is full a retry is chosen for anew."""
    middle: Any = auto_model(router_of())
    middle._models.update(dict.fromkeys(map(str, range(10_000)), "claude-gone"))
    api.script(failure(408, "timeout_error"))

    answer = blocking(api, [middle], create("auto"), 1)

    assert (answer.model, api.asked, len(middle._models)) == (NEWEST, [NEWEST, NEWEST], 1)


def test_the_router_needs_no_sdk() -> None:
    """Where the SDK is not there, all but the call itself works, and that says what is missing."""
    program = (
        "import sys; sys.modules['anthropic'] = None\n"
        "from router import *\n"
        "print(Router(BundledSource()).route({'max_tokens': 1, 'messages': []}).model.id)\n"
        "try:\n auto_model(Router(BundledSource()))\nexcept ConfigurationError as error:\n print(error)\n"
    )
    ran = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ran.stdout.splitlines() == [
        Catalogue.bundled().select("max_tokens >= 1").id,
        "auto_model needs version 2 or later of the package anthropic",
    ]
