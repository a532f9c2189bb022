"""Middleware: `model="auto"` for the client of the `anthropic` package, version 2.

The only importer of that package, when it is used. Of `router` it uses public names only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from inspect import iscoroutinefunction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from router import (
    Attempt,
    Catalogue,
    ConfigurationError,
    Failure,
    FallbackExhaustedError,
    Model,
    NoModelError,
    OnUnsupported,
    Router,
    RouterError,
    Run,
    RunOptions,
    StaticSource,
)

if TYPE_CHECKING:
    from anthropic import (
        APIRequest,
        APIResponse,
        AsyncAPIResponse,
        AsyncCallNext,
        CallNext,
        Middleware,
    )

_AUTO: Final = re.compile(r"auto(?::(.*))?", re.DOTALL)
_VERSION: Final = "2026-10-21"
"""The version of the API that the SDK uses since its own version 2."""

_KEPT: Final = 10_000
"""The most calls remembered for a retry; then all are forgotten, and models are chosen again."""

_URL: Final = re.compile(r"/v1/messages(/count_tokens|/batches)?(?:\?.*)?", re.DOTALL)


def auto_model(
    router: Router,
    *,
    on_unsupported: OnUnsupported = "error",
    max_attempts: int = 3,
    deadline: float | None = None,
    sticky: Callable[[APIRequest], Hashable] | None = None,
    classify: Callable[[Exception, Model], Failure | None] | None = None,
    on_fallback: Callable[[Attempt, Model], object] | None = None,
    on_disagreement: Callable[[Attempt], object] | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Middleware:
    """Return a middleware that chooses the model: `Anthropic(middleware=[auto_model(router)])`.

    A request for the model `auto` goes to the best model that can serve it, one for
    `auto:reports` to the best for that policy of the router, and one for `auto:pdf_input and
    effort.max` to the best for that requirement, as `Router.route` chooses with this
    `on_unsupported`. Every other request passes unchanged. A call goes on to the next model if an
    answer says that another one may cure it, and stays with its model over the SDK's own retries.

    `max_attempts`, `deadline`, `classify`, `on_fallback` and `on_disagreement` are those of
    `RunOptions`; the first two start again at each attempt of the SDK. The error of an attempt has
    the `status_code` and the `response` of the answer; it is not an exception of the SDK.
    `sticky(request)`: returns the key of the conversation of the SDK's `APIRequest`, for example
    from its `headers` or `json`, or `None`; a conversation stays with the model that last answered
    it.
    `headers`: the client's own `default_headers`, if these name a version or betas of the API.

    Raises `ConfigurationError` without version 2 or later of the package.
    """
    if not isinstance(router, Router):
        raise ConfigurationError(f"a Router was expected (got {type(router).__name__})")
    options = RunOptions(
        max_attempts=max_attempts,
        deadline=deadline,
        classify=classify,
        on_fallback=on_fallback,
        on_disagreement=on_disagreement,
    )
    _check_options(on_unsupported, options, sticky)
    try:
        from anthropic import Middleware
    except ImportError as error:
        raise ConfigurationError(
            "auto_model needs version 2 or later of the package anthropic"
        ) from error

    class AutoModel(_AutoModel, Middleware):
        """The middleware as the client takes it."""

    return AutoModel(router, on_unsupported, options, sticky, headers)


def _check_options(on_unsupported: OnUnsupported, options: RunOptions, sticky: object) -> None:
    """Raise `ConfigurationError` for a value that every request would raise it for."""
    with suppress(NoModelError):  # there is none: arguments are checked first
        Router(StaticSource(Catalogue.from_listing([])), cache_dir=False).begin(
            request={}, on_unsupported=on_unsupported, **options
        )
    if sticky is not None and (not callable(sticky) or iscoroutinefunction(sticky)):
        raise ConfigurationError(
            f"sticky must be a plain function of the SDK's request (got {type(sticky).__name__})"
        )


class _RefusedError(Exception):
    """An answer that is not a success, as an error that a run reads like any client's."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status_code = getattr(response, "status_code", None)
        super().__init__(f"status {self.status_code}")


@frozen
class _Call:
    """One attempt of a call of the SDK that is to be routed."""

    need: str | None
    request: Mapping[str, Any] = field(repr=False)
    key: str | None
    """The attempts of one call share it."""
    conversation: Hashable
    is_retry: bool


class _AutoModel:
    """Routes the requests of a client whose model is `auto`."""

    def __init__(
        self,
        router: Router,
        on_unsupported: OnUnsupported,
        options: RunOptions,
        sticky: Callable[[APIRequest], Hashable] | None,
        headers: Mapping[str, str],
    ) -> None:
        self._router = router
        self._on_unsupported = on_unsupported
        self._options = options
        self._sticky = sticky
        self._headers = headers
        self._models: dict[str, str] = {}
        """By the key of a call, the id of the model that the SDK is about to try again."""

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Send a request to the model that is chosen for it, and to the next if that one fails."""
        call = self._read_call(request)
        if call is None:
            return call_next(self._route_batch(request))
        with self._begin(call) as run:
            while True:
                try:
                    answer = call_next(_request_for(run, request))
                    if is_refused := _is_refused(answer):
                        _response_of(answer).read()
                except Exception:  # without an answer the SDK tries again by itself
                    self._keep(call, run.model)
                    raise
                if not is_refused:
                    return run.answered(answer).value
                if not self._goes_on(run, call, answer):
                    return answer

    async def handle_async(
        self, request: APIRequest, call_next: AsyncCallNext
    ) -> AsyncAPIResponse[Any]:
        """Do the same for an asynchronous client."""
        call = self._read_call(request)
        if call is None:
            return await call_next(self._route_batch(request))
        with self._begin(call) as run:
            while True:
                try:
                    answer = await call_next(_request_for(run, request))
                    if is_refused := _is_refused(answer):
                        await _response_of(answer).aread()
                except Exception:  # without an answer the SDK tries again by itself
                    self._keep(call, run.model)
                    raise
                if not is_refused:
                    return run.answered(answer).value
                if not self._goes_on(run, call, answer):
                    return answer

    def _begin(self, call: _Call) -> Run:
        first = self._models.get(call.key) if call.is_retry and call.key is not None else None
        options: RunOptions = {**self._options, "sticky": call.conversation}
        return self._router.begin(
            call.need,
            request=call.request,
            on_unsupported=self._on_unsupported,
            first=first,
            **options,
        )

    def _goes_on(self, run: Run, call: _Call, answer: Any) -> bool:
        """Return whether to send a request that was refused to the run's next model."""
        try:
            goes_on = run.failed(_RefusedError(_response_of(answer)))
        except FallbackExhaustedError:  # it is in the log, and the SDK raises the last failure
            return False
        if not goes_on:
            self._keep(call, run.model)
        return goes_on

    def _keep(self, call: _Call, model: Model) -> None:
        """Keep the model for the SDK's next attempt, because no other one can cure this failure."""
        if call.key is not None:
            if len(self._models) >= _KEPT:
                self._models.clear()
            self._models[call.key] = model.id

    def _route_batch(self, request: APIRequest) -> APIRequest:
        """Return a request that creates a batch with its models chosen, and any other unchanged."""
        body = _body_of(request, "/batches")
        entries = body.get("requests") if body is not None else None
        if not isinstance(entries, list):
            return request
        beside = self._beside(request)
        routed = [self._route_entry(at, each, beside) for at, each in enumerate(entries)]
        is_same = all(one is other for one, other in zip(routed, entries, strict=True))
        return request if is_same else request.copy(body={**(body or {}), "requests": routed})

    def _route_entry(self, at: int, entry: Any, beside: Mapping[str, Any]) -> Any:
        params = entry.get("params") if isinstance(entry, Mapping) else None
        auto = _read_auto(params) if isinstance(params, Mapping) else None
        if params is None or auto is None:
            return entry
        try:
            routed = self._router.route(
                {**params, **beside}, auto[1], self._on_unsupported, batch=True
            )
        except RouterError as error:
            error.add_note(f"asked by requests[{at}].params of the batch")
            raise
        return {**entry, "params": _without_headers(routed.request)}

    def _read_call(self, request: APIRequest) -> _Call | None:
        """Return the call that is to be routed, `None` for any other request, and for a batch."""
        body = _body_of(request, None, "/count_tokens")
        auto = _read_auto(body) if body is not None else None
        if body is None or auto is None:
            return None
        return _Call(
            auto[1],
            {**body, **self._beside(request)},
            request.options.idempotency_key,
            self._sticky(request) if self._sticky is not None else None,
            is_retry=request.retries_taken > 0,
        )

    def _beside(self, request: APIRequest) -> dict[str, Any]:
        """Return the parameters of a request that the SDK has made headers of."""
        stated = [*self._headers.items(), *request.headers.items()]
        headers = {name.lower(): str(value) for name, value in stated}
        version = headers.get("anthropic-version", _VERSION)
        betas = [each.strip() for each in headers.get("anthropic-beta", "").split(",")]
        return {"extra_headers": {"anthropic-version": version}, "betas": betas}


def _response_of(answer: Any) -> Any:
    """Return the HTTP response of an answer, or what another middleware has made of it."""
    return getattr(answer, "http_response", answer)


def _is_refused(answer: Any) -> bool:
    return not getattr(_response_of(answer), "is_success", True)


def _body_of(request: APIRequest, *ends: str | None) -> Mapping[str, Any] | None:
    """Return the body of a request to the Messages API, if its path has one of these ends."""
    url, body = _URL.fullmatch(request.url), request.json
    return body if url is not None and url[1] in ends and isinstance(body, Mapping) else None


def _read_auto(body: Mapping[str, Any]) -> re.Match[str] | None:
    """Return the match of a body's model with `auto`, whose group is the need after the colon."""
    model = body.get("model")
    return _AUTO.fullmatch(model) if isinstance(model, str) else None


def _request_for(run: Run, request: APIRequest) -> APIRequest:
    return request.copy(body=_without_headers(run.request))


def _without_headers(request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in request.items() if name not in {"extra_headers", "betas"}
    }
