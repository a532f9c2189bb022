"""Middleware: `model="auto"` for the client of the `anthropic` package, version 2, blocking and asynchronous.

The only importer of that package, and only when it is asked for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from router._arguments import check_count
from router._errors import ConfigurationError, FallbackExhaustedError, RouterError
from router._log import Log
from router.execution._conversations import Conversations
from router.execution._failures import Failure, FailureClass, classify
from router.execution._run import Run
from router.models._model import Model
from router.requests._fitting import OnUnsupported, RequestChange, check_on_unsupported
from router.requests._routing import Routes

if TYPE_CHECKING:
    from anthropic import (
        APIRequest,
        APIResponse,
        AsyncAPIResponse,
        AsyncCallNext,
        CallNext,
        Middleware,
    )

    from router._router import Router

log: Final = Log(__name__)

_AUTO: Final = re.compile(r"auto(?::(.*))?", re.DOTALL)
_VERSION: Final = "2026-10-21"
"""The version of the API that the SDK speaks since its own version 2."""

_TOLD: Final = 10
"""How many changes a line of the log has."""

_URL: Final = re.compile(r"/v1/messages(/count_tokens|/batches)?(?:\?.*)?", re.DOTALL)


def auto_model(
    router: Router,
    *,
    on_unsupported: OnUnsupported = "error",
    max_attempts: int = 3,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Middleware:
    """Return what has an `anthropic` client choose the model: `Anthropic(middleware=[auto_model(router)])`.

    A request for the model `auto` goes to the best model that can serve it, one for `auto:reports` to the best for
    that policy of the router, and one for `auto:pdf_input and effort.max` to the best for that requirement, as
    `Router.route` chooses with this `on_unsupported`. Every other request is left alone. A call goes on to the next
    model where an answer says that another one may cure it, and stays with its model over the SDK's own retries.
    At most `max_attempts` models are tried each time that the SDK tries. `headers` are the client's own
    `default_headers`, where these name a version or betas of the API. Raises `ConfigurationError` where version 2 or
    later of the package is not there.
    """
    check_on_unsupported(on_unsupported)
    check_count("max_attempts", max_attempts)
    if not callable(getattr(router, "run_request", None)):
        raise ConfigurationError(f"a Router was expected (got {type(router).__name__})")
    try:
        from anthropic import Middleware
    except ImportError as error:
        raise ConfigurationError(
            "auto_model needs version 2 or later of the package anthropic"
        ) from error

    class AutoModel(_AutoModel, Middleware):
        """What the client takes."""

    return AutoModel(router, on_unsupported, max_attempts, headers)


class _RefusedError(Exception):
    """An answer that is no success, raised so that a run reads it as it reads any client's error."""

    def __init__(self, answer: Any) -> None:
        super().__init__(answer)
        self.answer = answer
        self.response = _response_of(answer)


def _read(error: Exception, model: Model) -> Failure | None:
    """Return what an answer means; what gave no answer is for the SDK to try again."""
    return classify(error, model) if isinstance(error, _RefusedError) else None


@frozen
class _Call:
    """One attempt of a call of the SDK that is to be routed."""

    model: str
    """As it was asked for."""
    policy: str | None
    body: Mapping[str, Any] = field(repr=False)
    key: str | None
    """What the attempts of one call share."""
    is_retry: bool


class _AutoModel:
    """Routes what a client sends, by what it says of the model."""

    def __init__(
        self,
        router: Router,
        on_unsupported: OnUnsupported,
        max_attempts: int,
        headers: Mapping[str, str],
    ) -> None:
        self._router = router
        self._on_unsupported = on_unsupported
        self._max_attempts = max_attempts
        self._headers = headers
        self._kept = Conversations(time.monotonic)
        """Whom a call was with when the SDK took it back, to try again."""

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Send a request to the model that is chosen for it, and to the next where that one fails."""
        call = self._read_call(request)
        if call is None:
            return call_next(self._batch_routed(request))
        chain, run = self._begin(call)

        def send(model: Model) -> APIResponse[Any]:
            with self._keeping(call, model):
                answer = call_next(request.copy(body=_body(call, chain, model)))
                if _is_failure(answer):
                    _response_of(answer).read()
                    raise _RefusedError(answer)
                return answer

        try:
            return run.walk(send).value
        except (_RefusedError, FallbackExhaustedError) as error:
            refused: APIResponse[Any] = _last_answer(error)
            return refused

    async def handle_async(
        self, request: APIRequest, call_next: AsyncCallNext
    ) -> AsyncAPIResponse[Any]:
        """Do the same for an asynchronous client."""
        call = self._read_call(request)
        if call is None:
            return await call_next(self._batch_routed(request))
        chain, run = self._begin(call)

        async def send(model: Model) -> AsyncAPIResponse[Any]:
            with self._keeping(call, model):
                answer = await call_next(request.copy(body=_body(call, chain, model)))
                if _is_failure(answer):
                    await _response_of(answer).aread()
                    raise _RefusedError(answer)
                return answer

        try:
            return (await run.awalk(send)).value
        except (_RefusedError, FallbackExhaustedError) as error:
            refused: AsyncAPIResponse[Any] = _last_answer(error)
            return refused

    def _begin(self, call: _Call) -> tuple[Routes, Run]:
        first = self._kept.model_of(call.key) if call.is_retry else None
        return self._router._begin_request(  # noqa: SLF001 - `run_request` is this, for any client
            call.body,
            self.handle,
            call.policy,
            self._on_unsupported,
            first=first,
            max_attempts=self._max_attempts,
            classify=_read,
        )

    @contextmanager
    def _keeping(self, call: _Call, model: Model) -> Iterator[None]:
        """Keep the model for the SDK's next attempt, where this one fails and no other model can cure it."""
        try:
            yield
        except Exception as error:
            failure = _read(error, model)
            if call.key is not None and (failure is None or failure.kind is FailureClass.GIVE_UP):
                self._kept.answered(call.key, model.id, self._kept.model_of(call.key))
            raise

    def _batch_routed(self, request: APIRequest) -> APIRequest:
        """Return a request as it is, but for one that creates a batch: that with a model wherever one is asked for."""
        body = _body_of(request, "/batches")
        entries = body.get("requests") if body is not None else None
        if not isinstance(entries, list):
            return request
        beside = self._beside(request)
        routed = [self._entry_routed(at, each, beside) for at, each in enumerate(entries)]
        is_same = all(one is other for one, other in zip(routed, entries, strict=True))
        return request if is_same else request.copy(body={**(body or {}), "requests": routed})

    def _entry_routed(self, at: int, entry: Any, beside: Mapping[str, Any]) -> Any:
        params = entry.get("params") if isinstance(entry, Mapping) else None
        auto = _read_auto(params) if isinstance(params, Mapping) else None
        if params is None or auto is None:
            return entry
        try:
            found = self._router._routes(  # noqa: SLF001 - as above, and without the reason, which nobody asks for
                {**params, **beside}, auto[1], self._on_unsupported, most=1, batch=True
            )
        except RouterError as error:
            error.add_note(f"asked by requests[{at}].params of the batch")
            raise
        model, fitted = next(iter(found.fits.items()))
        _log(auto[0], model, fitted.changes)
        return {**entry, "params": _body_alone(found.request_for(model))}

    def _read_call(self, request: APIRequest) -> _Call | None:
        """Return what is to be routed of a request, `None` for any that is left alone, and for a batch."""
        body = _body_of(request, None, "/count_tokens")
        auto = _read_auto(body) if body is not None else None
        if body is None or auto is None:
            return None
        asked = {**body, **self._beside(request)}
        return _Call(
            *auto, asked, request.options.idempotency_key, is_retry=request.retries_taken > 0
        )

    def _beside(self, request: APIRequest) -> dict[str, Any]:
        """Return the parameters of a request that are no part of its body: the SDK has made headers of them."""
        stated = [*self._headers.items(), *request.headers.items()]
        headers = {name.lower(): str(value) for name, value in stated}
        version = headers.get("anthropic-version", _VERSION)
        betas = [each.strip() for each in headers.get("anthropic-beta", "").split(",")]
        return {"extra_headers": {"anthropic-version": version}, "betas": betas}


def _response_of(answer: Any) -> Any:
    """Return the HTTP response of an answer; another middleware may have made a value of it, which has none."""
    return getattr(answer, "http_response", answer)


def _is_failure(answer: Any) -> bool:
    return not getattr(_response_of(answer), "is_success", True)


def _body_of(request: APIRequest, *ends: str | None) -> Mapping[str, Any] | None:
    """Return the body of what is posted to the Messages API, at one of these ends of its path."""
    url, body = _URL.fullmatch(request.url), request.json
    return body if url is not None and url[1] in ends and isinstance(body, Mapping) else None


def _read_auto(body: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Return the model that a body asks for, and what it asks of it, where that is for us to choose."""
    model = body.get("model")
    auto = _AUTO.fullmatch(model) if isinstance(model, str) else None
    return None if auto is None else (auto[0], auto[1])


def _body_alone(request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in request.items() if name not in {"extra_headers", "betas"}
    }


def _body(call: _Call, chain: Routes, model: Model) -> dict[str, Any]:
    _log(call.model, model, chain.fits[model].changes)
    return _body_alone(chain.request_for(model))


def _log(asked: str, model: Model, changes: Sequence[RequestChange]) -> None:
    more = f"; and {len(changes) - _TOLD} more" if len(changes) > _TOLD else ""
    changed = f"; changed: {'; '.join(map(str, changes[:_TOLD]))}{more}" if changes else ""
    log.info("%s goes to %s%s", asked, model.id, changed)


def _last_answer(error: _RefusedError | FallbackExhaustedError) -> Any:
    """Return the answer of the model that failed last, of which the SDK makes an error of its own."""
    if isinstance(error, _RefusedError):
        return error.answer
    log.warning("%s", "; ".join(line.strip() for line in str(error).split("\n")))
    last = error.attempts[-1].error
    assert isinstance(last, _RefusedError)  # noqa: S101 - for the type checker: a run goes on after nothing else
    return last.answer
