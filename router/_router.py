"""Router: the one object an application holds, with the current catalogue behind it."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, Unpack

from attrs import evolve

from router._arguments import check_count, check_hook
from router._choosing import ModelChooser
from router._errors import ConfigurationError, quoted
from router._fork import fork_lock
from router._named_policies import NO_POLICIES, NamedPolicies
from router._startup_check import StartupCheck
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import changed
from router.catalogue._policy import Need, Policy
from router.models._model import Model
from router.refresh._credential import Credential
from router.refresh._deadline import CLOCK
from router.refresh._listing import Progress
from router.refresh._loader import Loader
from router.refresh._notifier import OnError, OnRefresh
from router.refresh._sources import AnthropicSource, BundledSource, Source
from router.requirements._expression import resolve_now
from router.requirements._parser import require

if TYPE_CHECKING:
    from router._status import RouterStatus
    from router.execution._attempts import Answer, OnDisagreement
    from router.execution._options import RunOptions
    from router.execution._run import CallState, Run
    from router.locking._answers import OnLockBroken
    from router.locking._lockfile import Lock
    from router.refresh._disk_cache import Store
    from router.requests._fitting import Fitted, OnUnsupported
    from router.requests._routing import Purpose, Routed, Routes
    from router.requests._tokens import InputTokens

Value = TypeVar("Value")

_CALL: Final = "call must be a function that takes a model, as in run(need, call)"
_CREATE: Final = "create must be a function, as in run_request(request, create)"

_SPARE_MODELS: Final = 3
"""Models beyond `max_attempts` that a request is changed for, because some may cool."""


def _random() -> float:
    from random import random

    return random()  # noqa: S311 - of jitter


def _open_call_state(**arguments: Any) -> CallState:
    from router.execution._run import CallState

    return CallState(**arguments)


def _open_store(
    identity: str | None,
    cache_dir: str | os.PathLike[str] | Literal[False] | None,
    wall: Callable[[], float],
) -> Store | None:
    if cache_dir is False or identity is None:
        return None
    from router.refresh._disk_cache import Store

    return Store.of(identity, cache_dir, wall=wall)


def _check_source(source: Source | None) -> Source:
    """Return the source, or the default one; raises `ConfigurationError` for anything else."""
    if source is None:
        return AnthropicSource() if Credential.is_set(os.environ) else BundledSource()
    if isinstance(source, type) or not callable(getattr(source, "fetch", None)):
        raise ConfigurationError(
            f"source must be a source such as BundledSource() (got {quoted(source)})"
        )
    return source


def _check_function(expected: str, function: object) -> None:
    if not callable(function):
        raise ConfigurationError(f"{expected} (got {type(function).__name__})")


class Router(ModelChooser):
    """The newest model known to meet a need, from a catalogue that keeps itself current.

    Constructing does no I/O. The first answer looks on disk, then waits for the source, at most
    `deadline` seconds, and falls back to the bundled catalogue; inside a running event loop it
    never waits, and says so once in the log. `async with`, or `await router.ready()`, waits for the
    first catalogue. Both, and `with`, first check the policies and the lock, as `check` does.

    `source`: by default the live API if `ANTHROPIC_API_KEY` or `ANTHROPIC_AUTH_TOKEN` is set,
    else the bundled catalogue.
    `ttl`: an older catalogue, in seconds, is served and refreshed in the background.
    `max_stale`: an older catalogue, in seconds, is marked stale, or with `strict` an error.
    `policies`: policies by name, or their file. Methods that take a need take a policy or its
    name.
    `lock`: a `Lock` or its file, which gives each policy the model that it is locked to. The lock
    of a policy breaks when a newer catalogue of the API shows that model gone, retired, or not
    known to meet a term that does not depend on time, and when the policy changes.
    `on_lock_broken`: "error" raises `LockError`; "newest" warns, and answers without the lock.
    `frozen`: never use the network; the catalogue on disk answers, else the bundled one.
    `cache_dir`: where catalogues are kept between processes, by default the user's cache
    directory; `False` keeps none.
    `on_refresh(old, new, diff)`: called when the catalogue has changed, in the thread of the
    refresh; `diff.impact` has the policies whose answer changes.
    `on_error(error)`: called when a refresh has failed, in the thread of the refresh.
    `allowed_fails`: a model cools down after so many failures in a row, and `run` skips it.
    `on_disagreement(attempt)`: called when the API refuses a model for what it is known to
    support.
    """

    def __init__(
        self,
        source: Source | None = None,
        *,
        ttl: float = 3600.0,
        max_stale: float = 7 * 86_400.0,
        deadline: float = 10.0,
        policies: str | os.PathLike[str] | Mapping[str, Policy] = NO_POLICIES,
        lock: str | os.PathLike[str] | Lock | None = None,
        on_lock_broken: OnLockBroken = "error",
        frozen: bool = False,
        strict: bool = False,
        cache_dir: str | os.PathLike[str] | Literal[False] | None = None,
        on_refresh: OnRefresh | None = None,
        on_error: OnError | None = None,
        allowed_fails: int = 2,
        on_disagreement: OnDisagreement | None = None,
        progress: Progress | None = None,
        clock: Callable[[], float] = CLOCK,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random,
    ) -> None:
        source = _check_source(source)
        check_count("allowed_fails", allowed_fails)
        check_hook("on_disagreement", on_disagreement)
        check_hook("on_refresh", on_refresh)
        self._policies = NamedPolicies(policies, lock, on_lock_broken)
        self._startup = StartupCheck(self._policies)
        self._loader = Loader(
            source,
            ttl=ttl,
            max_stale=max_stale,
            deadline=deadline,
            strict=strict,
            frozen=frozen,
            open_store=partial(_open_store, source.identity, cache_dir, wall),
            clock=clock,
            wall=wall,
            sleep=sleep,
            random=random,
            progress=progress,
            on_refresh=self._policies.with_impact(on_refresh),
            on_error=on_error,
            on_load=self._startup.check_again,
        )
        self._call_state: CallState | None = None
        self._open_call_state: Callable[[], CallState] = partial(
            _open_call_state,
            allowed_fails=allowed_fails,
            on_disagreement=on_disagreement,
            on_gone=self._loader.request_refresh,
            clock=clock,
            wall=wall,
            random=random,
        )

    def begin(
        self,
        need: Need = None,
        *,
        request: Mapping[str, Any] | None = None,
        on_unsupported: OnUnsupported = "error",
        input_tokens: InputTokens = None,
        first: str | None = None,
        **options: Unpack[RunOptions],
    ) -> Run:
        """Begin a run for a framework that owns the call: the fallback loop without I/O.

        The options are those of `run`. With a `request`, the models are chosen as `route` does,
        and `Run.request` is the request as the model takes it. `first` is the id of the model to
        begin with, if the run has it. Raises `NoModelError` if no model satisfies the need.
        """
        return self._begin(
            need,
            options,
            request=request,
            on_unsupported=on_unsupported,
            input_tokens=input_tokens,
            first=first,
        )

    def _begin(
        self,
        need: Need,
        options: RunOptions,
        *,
        request: Mapping[str, Any] | None = None,
        on_unsupported: OnUnsupported = "error",
        input_tokens: InputTokens = None,
        first: str | None = None,
    ) -> Run:
        from router.execution._options import MAX_ATTEMPTS, check_options
        from router.execution._run import Run

        check_options(options)
        if first is not None and not isinstance(first, str):
            raise ConfigurationError(f"first must be the id of a model (got {quoted(first)})")
        state = self._call_state or self._first_call_state()
        began = state.clock()
        if request is None:
            if on_unsupported != "error" or input_tokens is not None:
                raise ConfigurationError("on_unsupported and input_tokens need a request")
            fits, purpose = self._chain(need)
        else:
            most = options.get("max_attempts", MAX_ATTEMPTS) + _SPARE_MODELS
            routes = self._routes(
                request, need, on_unsupported, most=most, input_tokens=input_tokens
            )
            fits, purpose = routes.fits, routes.purpose(self._policies.name_of(need))
        return Run(state, fits, purpose, began, options, first)

    def _chain(self, need: Need) -> tuple[Mapping[Model, Fitted], Purpose]:
        """Return the models that meet a need, best first, with empty requests, and its purpose."""
        from router.requests._fitting import Fitted
        from router.requests._routing import Purpose

        catalogue, asked, now = self._loader.catalogue(), self._named(need), resolve_now(None)
        models = catalogue.candidates(asked, now=now)
        locked = self._policies.locked_model(need, catalogue)
        if locked is not None:
            models = (locked, *(model for model in models if model is not locked))
        models = models or (catalogue.select(asked, now=now),)  # which raises
        text = str(require(asked) if asked is None else asked)
        return dict.fromkeys(models, Fitted({})), Purpose.of(
            asked, text, self._policies.name_of(need)
        )

    def _first_call_state(self) -> CallState:
        """Return the state that all runs share, made once even if many threads begin the first."""
        with fork_lock:
            if self._call_state is None:
                self._call_state = self._open_call_state()
            return self._call_state

    def run(
        self, need: Need, call: Callable[[Model], Value], **options: Unpack[RunOptions]
    ) -> Answer[Value]:
        """Return what `call(model)` returns for the best model that meets the need and answers.

        If a call fails in a way that another model may cure, the next model that meets the need
        is called: at most `max_attempts` (3), and none after `deadline` seconds. Every other
        exception is the caller's, and is re-raised. A locked policy begins with its model, and
        falls back as if it were not locked. `sticky`, a key such as a conversation's id, stays
        with the model that last answered for it. `classify(error, model)` replaces
        `router.classify`, and `on_fallback(attempt, model)` is called with the failed attempt and
        the next model. Raises `NoModelError` if no model satisfies the need, and
        `FallbackExhaustedError` if all have failed.
        """
        _check_function(_CALL, call)
        from router.execution._driving import drive

        run = self._begin(need, options)
        return drive(run, lambda: call(run.model))

    async def arun(
        self,
        need: Need,
        call: Callable[[Model], Awaitable[Value]],
        **options: Unpack[RunOptions],
    ) -> Answer[Value]:
        """Return what `await call(model)` returns, as `run` does, under asyncio and trio."""
        _check_function(_CALL, call)
        from router.execution._driving import adrive

        run = self._begin(need, options)
        return await adrive(run, lambda: call(run.model))

    def run_request(
        self,
        request: Mapping[str, Any],
        create: Callable[..., Value],
        need: Need = None,
        on_unsupported: OnUnsupported = "error",
        *,
        input_tokens: InputTokens = None,
        **options: Unpack[RunOptions],
    ) -> Answer[Value]:
        """Return what `create(**request)`, as `client.messages.create`, returns for the best model.

        Each model is sent the request as it takes it, made from the original; `Answer.changes`
        has the changes. Models are chosen as `route` does; the options are those of `run`.
        """
        _check_function(_CREATE, create)
        from router.execution._driving import drive
        from router.requests._values import check_request

        run = self._begin(
            need,
            options,
            request=check_request(request),
            on_unsupported=on_unsupported,
            input_tokens=input_tokens,
        )
        return drive(run, lambda: create(**run.request))

    async def arun_request(
        self,
        request: Mapping[str, Any],
        create: Callable[..., Awaitable[Value]],
        need: Need = None,
        on_unsupported: OnUnsupported = "error",
        *,
        input_tokens: InputTokens = None,
        **options: Unpack[RunOptions],
    ) -> Answer[Value]:
        """Return what `await create(**request)` returns, as `run_request` does."""
        _check_function(_CREATE, create)
        from router.execution._driving import adrive
        from router.requests._values import check_request

        run = self._begin(
            need,
            options,
            request=check_request(request),
            on_unsupported=on_unsupported,
            input_tokens=input_tokens,
        )
        return await adrive(run, lambda: create(**run.request))

    def route(
        self,
        request: Mapping[str, Any],
        need: Need = None,
        on_unsupported: OnUnsupported = "error",
        *,
        now: datetime | None = None,
        batch: bool = False,
        input_tokens: InputTokens = None,
    ) -> Routed:
        """Return the best model that can serve a Messages request, and the request as it takes it.

        The model meets the policy or requirement, and everything that the request asks, as
        `requirement_of` reads it. If there is none, `on_unsupported` says whether the request may
        be changed, as `fit` does: "drop" or "downgrade". The model of a locked policy goes first,
        unless it is known not to serve the request; the decision notes that. Raises
        `NoModelError`, with the places in the request, if no model can serve it.
        """
        from router.requests._routing import log_route

        found = self._routes(
            request, need, on_unsupported, now=now, most=1, batch=batch, input_tokens=input_tokens
        )
        routed = found.first()
        log_route(found.purpose(self._policies.name_of(need)), routed.model, routed.changes)
        stale = self._loader.is_stale(found.catalogue)
        return evolve(routed, decision=changed(routed.decision, stale=stale))

    def _routes(
        self,
        request: Mapping[str, Any],
        need: Need,
        on_unsupported: OnUnsupported,
        *,
        now: datetime | None = None,
        **arguments: Any,
    ) -> Routes:
        from router.requests._routing import routes

        catalogue = self._loader.catalogue()
        held = self._policies.held(need, catalogue)
        return routes(
            catalogue,
            request,
            self._named(need),
            on_unsupported,
            resolve_now(now),
            held=held,
            **arguments,
        )

    def refresh(self) -> Catalogue:
        """Fetch the catalogue now.

        Raises `CatalogueUnavailableError` if that fails, and keeps the last good one.
        """
        return self._loader.refresh()

    async def arefresh(self) -> Catalogue:
        """Fetch the catalogue now without blocking the event loop, under asyncio and trio."""
        return await self._loader.arefresh()

    def status(self) -> RouterStatus:
        """Return the age of the catalogue, the next refresh, the last error, the cooling models."""
        status = self._loader.status()
        state = self._call_state
        return status if state is None else evolve(status, cooling=state.cooling())

    def close(self) -> None:
        """Stop refreshing the catalogue; the current one goes on answering."""
        self._loader.close()

    def check(self) -> None:
        """Check the policies and the lock, as `with` and `async with` do when they begin.

        Raises one `ConfigurationError` that lists every mistake: in a file, in a name, or a policy
        that has changed since it was locked. A locked model that is gone or retired, and a name
        that only the bundled catalogue was asked for, is logged as a WARNING instead. With
        policies, this loads the first catalogue, as the first answer would.
        """
        if self._policies.are_given:
            self._startup.check(self._loader)

    async def ready(self) -> None:
        """Wait for the first catalogue, at most `deadline` seconds, then `check`.

        This does not block the event loop, under asyncio and trio.
        """
        await self._loader.afirst()
        self.check()

    def __enter__(self) -> Self:
        self.check()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self.ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        loader = getattr(self, "_loader", None)  # missing if `__init__` has raised
        return f"Router({loader.source!r})" if loader is not None else "Router()"
