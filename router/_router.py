"""Router: the one object an application holds, with the current catalogue behind it."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, overload

from attrs import evolve

from router._arguments import check_count, check_hook
from router._errors import ConfigurationError, NoModelError, UnknownNameError, nearest, quoted
from router._fork import unforked
from router.catalogue._catalogue import Asked, Catalogue, CatalogueDiff, impact_of
from router.catalogue._decision import Decision
from router.catalogue._policy import Policy, alone, check_policies, is_policy_name, read_policies
from router.models._model import Model
from router.refresh._credential import Credential
from router.refresh._listing import Progress
from router.refresh._loader import CLOCK, Loader, OnError, OnRefresh
from router.refresh._sources import AnthropicSource, BundledSource, Source
from router.requirements._expression import Requirement, moment
from router.requirements._parser import Need, require

if TYPE_CHECKING:
    from router._status import RouterStatus
    from router.catalogue._gate import Gate
    from router.execution._run import Answer, Calls, Classify, OnDisagreement, OnFallback, Run
    from router.locking._answers import Held, LockedModels, OnLockBroken
    from router.locking._lockfile import Lock
    from router.refresh._disk_cache import Store
    from router.requests._fallbacks import Fallbacks
    from router.requests._fitting import OnUnsupported
    from router.requests._routing import Routed, Routes
    from router.requests._tokens import InputTokens

Default = TypeVar("Default")
Value = TypeVar("Value")

_RAISE: Final[Any] = object()
_SET_ASIDE: Final = 3
"""How many models more than there are attempts a request is changed for: some may be set aside."""

_NO_POLICIES: Final[Mapping[str, Policy]] = MappingProxyType({})


def _random() -> float:
    from random import random

    return random()  # noqa: S311 - of jitter


class Router:
    """The newest model known to meet a need, from a catalogue that keeps itself current.

    Without a source: the live API when `ANTHROPIC_API_KEY` or `ANTHROPIC_AUTH_TOKEN` is set, else the
    bundled catalogue. Constructing does no I/O: the first answer looks on disk, then waits for the
    source, at most `deadline` seconds, and falls back to the bundled catalogue; inside a running event
    loop it never waits. A catalogue older than `ttl` seconds is served and renewed in the background;
    one older than `max_stale` is served and marked stale, or with `strict` an error. `cache_dir` is
    where catalogues are kept between processes: by default the user's cache directory, nowhere for
    `False`. `policies` are policies by name, or the file of them: `select`, `candidates`, `explain`,
    `run` and `selector` take a policy or its name in place of a requirement. `lock`, a `Lock` or its file, gives
    each of these policies the model that it is locked to, until a newer catalogue of the API shows that model gone,
    retired, or not known to meet a term that does not depend on time; then, and for a policy that is not locked as it
    is, there is a `LockError`, or with `on_lock_broken="newest"` a warning and the answer without the lock. `frozen`
    never looks at the network: what is on disk answers, else the bundled catalogue. `on_refresh(old, new, diff)` is
    called when the catalogue has changed, with the policies whose answer changes in `diff.impact`, and
    `on_error(error)` when a refresh has failed, each in the thread of the refresh. `run` sets a model aside after
    `allowed_fails` failures in a row, and calls `on_disagreement(attempt)` when the API refuses a model for what it
    was known to support. Also a context manager, and an async one that waits for the first catalogue.
    """

    def __init__(
        self,
        source: Source | None = None,
        *,
        ttl: float = 3600.0,
        max_stale: float = 7 * 86_400.0,
        deadline: float = 10.0,
        policies: str | os.PathLike[str] | Mapping[str, Policy] = _NO_POLICIES,
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
        if source is None:
            source = AnthropicSource() if Credential.is_set(os.environ) else BundledSource()
        if isinstance(source, type) or not callable(getattr(source, "fetch", None)):
            raise ConfigurationError(
                f"source must be a source such as BundledSource() (got {quoted(source)})"
            )
        if not isinstance(policies, (str, os.PathLike)):
            check_policies(policies)
        check_count("allowed_fails", allowed_fails)
        check_hook("on_disagreement", on_disagreement)
        check_hook("on_refresh", on_refresh)
        self._policies = policies
        self._locked = self._open_lock(lock, on_lock_broken)
        self._calls: Calls | None = None

        def open_calls() -> Calls:
            from router.execution._run import Calls

            return Calls(
                allowed_fails=allowed_fails,
                on_disagreement=on_disagreement,
                on_gone=self._loader.hasten,
                clock=clock,
                wall=wall,
                random=random,
            )

        self._open_calls = open_calls
        identity = source.identity

        def open_store() -> Store | None:
            if cache_dir is False or identity is None:
                return None
            from router.refresh._disk_cache import Store

            return Store.of(identity, cache_dir, wall=wall)

        self._loader = Loader(
            source,
            ttl=ttl,
            max_stale=max_stale,
            deadline=deadline,
            strict=strict,
            frozen=frozen,
            open_store=open_store,
            clock=clock,
            wall=wall,
            sleep=sleep,
            random=random,
            progress=progress,
            on_refresh=self._with_impact(on_refresh)
            if policies is not _NO_POLICIES
            else on_refresh,
            on_error=on_error,
        )

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies by name, read from their file at the first question; raises `ConfigurationError`."""
        if not isinstance(self._policies, Mapping):
            self._policies = read_policies(self._policies)
        return self._policies

    def _named(self, asked: Asked) -> Asked:
        """Return a policy by its name.

        Raises `UnknownNameError`, with the names of the policies, for a word that names nothing.
        """
        if not isinstance(asked, str):
            return asked
        policy = self.policies.get(asked)
        if policy is None and self.policies and is_policy_name(asked):
            catalogue = self._loader.catalogue()
            if not catalogue.names.knows_capability(asked) and not catalogue.names.knows_field(
                asked
            ):
                meant = (*nearest(asked, self.policies, limit=1), *catalogue.meant(asked))
                raise UnknownNameError(asked, meant, policies=tuple(self.policies))
        return asked if policy is None else policy

    def _open_lock(
        self, lock: str | os.PathLike[str] | Lock | None, on_lock_broken: OnLockBroken
    ) -> LockedModels | None:
        if on_lock_broken not in {"error", "newest"}:
            raise ConfigurationError(
                f'on_lock_broken must be "error" or "newest" (got {quoted(on_lock_broken)})'
            )
        if lock is None:
            return None
        if self._policies is _NO_POLICIES:
            raise ConfigurationError("a lock is of policies: policies= goes with lock=")
        from router.locking._answers import LockedModels
        from router.locking._lockfile import Lock

        if not isinstance(lock, (str, os.PathLike, Lock)):
            raise ConfigurationError(
                f"lock must be a Lock, or the file of one (got {quoted(lock)})"
            )
        return LockedModels(lock, lambda: self.policies, on_lock_broken)

    def _held(self, asked: Asked, catalogue: Catalogue) -> Held | None:
        """Return what the lock says of a policy or its name; `None` where nothing is locked."""
        return None if self._locked is None else self._locked.held(asked, catalogue)

    def _locked_model(self, asked: Asked, catalogue: Catalogue) -> Model | None:
        """Return the model that a policy or its name is locked to; `None` where it is not locked, or moved on from."""
        held = self._held(asked, catalogue)
        return None if held is None else held.model

    def _answer(self, name: str, catalogue: Catalogue) -> Model | None:
        """Return what `select` would answer to the name of a policy, were that the current catalogue."""
        return self._locked_model(name, catalogue) or catalogue.select(
            self.policies[name], default=None
        )

    def _with_impact(self, on_refresh: OnRefresh | None) -> OnRefresh | None:
        """Return the hook as one that is told which policies a new catalogue changes; of a first one there are none."""
        if on_refresh is None:
            return None

        def told(old: Catalogue | None, new: Catalogue, diff: CatalogueDiff) -> object:
            if old is not None:
                with suppress(
                    ConfigurationError
                ):  # of the file of policies: whoever asks for one is told
                    diff = evolve(diff, impact=impact_of(self.policies, old, new, self._answer))
            return on_refresh(old, new, diff)

        return told

    @property
    def catalogue(self) -> Catalogue:
        """The current catalogue; `catalogue.source` says where it came from."""
        return self._loader.catalogue()

    @overload
    def select(
        self,
        requirement: Asked = None,
        /,
        *,
        default: Default,
        now: datetime | None = None,
        **needs: Need,
    ) -> Model | Default: ...

    @overload
    def select(
        self, requirement: Asked = None, /, *, now: datetime | None = None, **needs: Need
    ) -> Model: ...

    def select(
        self,
        requirement: Asked = None,
        /,
        *,
        default: Any = _RAISE,
        now: datetime | None = None,
        **needs: Need,
    ) -> Any:
        """Return the newest model known to meet the requirement and the guard-rails; of a policy, what it is locked to.

        Raises `NoModelError` where there is none, or returns `default` if one is given; raises `LockError` where a
        lock does not hold.
        """
        if now is not None:
            now = moment(now)
        loader = self._loader
        catalogue = loader.held if loader.clock() < loader.attention else None
        if catalogue is None:
            catalogue = loader.catalogue()
        asked: Any = requirement if self._policies is _NO_POLICIES else self._named(requirement)
        if not needs:
            try:  # what `catalogue.select` does first, without the cost of one more call
                return catalogue.answers[asked if asked.__class__ is str else asked.text]
            except (KeyError, AttributeError):
                pass
            if self._locked is not None:
                locked = self._locked_model(requirement, catalogue)
                if locked is not None:
                    return locked
        try:
            return catalogue.select(asked, now=now, **needs)
        except NoModelError:
            if default is _RAISE:
                raise
            return default

    def candidates(
        self,
        requirement: Asked = None,
        /,
        *,
        limit: int | None = None,
        now: datetime | None = None,
        **needs: Need,
    ) -> tuple[Model, ...]:
        """Return every model known to meet the requirement and the guard-rails, best first, at most `limit`.

        No lock counts: these are the models that there are to choose from.
        """
        return self._loader.catalogue().candidates(
            self._named(requirement), limit=limit, now=now, **needs
        )

    def explain(
        self, requirement: Asked = None, /, *, now: datetime | None = None, **needs: Need
    ) -> Decision:
        """Return what `select` would answer, with the reason; raises `LockError` where a lock does not hold."""
        catalogue = self._loader.catalogue()
        decision = catalogue.explain(self._named(requirement), now=now, **needs)
        held = self._held(requirement, catalogue)
        if held is not None:
            decision = held.told_by(decision)
        return evolve(decision, stale=self._loader.is_stale(catalogue))

    def supports(
        self,
        id: str,
        requirement: str | Requirement | None = None,
        /,
        *,
        now: datetime | None = None,
        **needs: Need,
    ) -> bool:
        """Return whether the model of that id or alias is known to meet the requirement; unknown is `False`."""
        return self._loader.catalogue().supports(id, requirement, now=now, **needs)

    def gate(self, id: str | Model) -> Gate:
        """Return what says which features the model of that id or alias may be used with; it follows each refresh."""
        from router.catalogue._gate import Gate

        return Gate(id, self._loader.catalogue, self._loader.is_stale)

    def selector(self, requirement: Asked = None, /, **needs: Need) -> Callable[[], Model]:
        """Return a function of no arguments that gives what `select` would, for hot paths; it follows each refresh."""
        named = self._named(requirement)
        asked = alone(named, needs) if isinstance(named, Policy) else require(named, **needs)
        loader, clock = self._loader, self._loader.clock
        # One value, so that no thread sees the catalogue of one generation with the model of another.
        seen: tuple[Catalogue | None, Model | None] = (None, None)

        def pick() -> Model:
            nonlocal seen
            catalogue, model = seen
            if model is not None and clock() < loader.attention and catalogue is loader.held:
                return model
            catalogue = loader.catalogue()
            locked = None if self._locked is None else self._locked_model(requirement, catalogue)
            model = locked or catalogue.select(asked)
            if locked is not None or not asked.is_relative:
                seen = (catalogue, model)
            return model

        return pick

    def run(
        self,
        need: Asked,
        call: Callable[[Model], Value],
        *,
        max_attempts: int = 3,
        deadline: float | None = None,
        on_fallback: OnFallback | None = None,
        sticky: Hashable = None,
        classify: Classify | None = None,
    ) -> Answer[Value]:
        """Return what `call(model)` returns for the best model that meets the need and answers.

        When a call fails in a way that another model may cure, the next one that also meets the need is called:
        at most `max_attempts` in all, and none any more once `deadline` seconds have passed. Every other exception is
        the caller's, as it is. A policy that is locked begins with its model, and falls back as if it were not.
        `on_fallback(attempt, model)` is told of the attempt that failed and of the next model. `sticky`, a key such
        as a conversation's id, keeps to the model that last answered for it. `classify(error, model)` says what a
        failure means, in place of `router.classify`. Raises `NoModelError` where nothing meets the need, and
        `FallbackExhaustedError` when all have failed.
        """
        run = self._begin(
            need,
            call,
            max_attempts=max_attempts,
            deadline=deadline,
            on_fallback=on_fallback,
            sticky=sticky,
            classify=classify,
        )
        return run.walk(call)

    async def arun(
        self,
        need: Asked,
        call: Callable[[Model], Awaitable[Value]],
        *,
        max_attempts: int = 3,
        deadline: float | None = None,
        on_fallback: OnFallback | None = None,
        sticky: Hashable = None,
        classify: Classify | None = None,
    ) -> Answer[Value]:
        """Return what `await call(model)` returns, as `run` does, under asyncio and trio."""
        run = self._begin(
            need,
            call,
            max_attempts=max_attempts,
            deadline=deadline,
            on_fallback=on_fallback,
            sticky=sticky,
            classify=classify,
        )
        return await run.awalk(call)

    def route(
        self,
        request: Mapping[str, Any],
        policy: Asked = None,
        on_unsupported: OnUnsupported = "error",
        *,
        batch: bool = False,
        input_tokens: InputTokens = None,
        now: datetime | None = None,
    ) -> Routed:
        """Return the best model that can serve a Messages request, and the request as that model takes it.

        The model meets the policy, or the requirement, and all that the request asks, as `requirement_of` tells
        it. Where there is none, `on_unsupported` says whether the request may be changed, as `fit` does: "drop"
        or "downgrade". The model that a policy is locked to goes first, unless it is known not to serve the request:
        the decision has a note of that. Raises `NoModelError`, with the places of the request, where no model can
        serve it.
        """
        found = self._routes(
            request, policy, on_unsupported, now=now, most=1, batch=batch, input_tokens=input_tokens
        )
        routed = found.first()
        return evolve(
            routed, decision=evolve(routed.decision, stale=self._loader.is_stale(found.catalogue))
        )

    def run_request(
        self,
        request: Mapping[str, Any],
        create: Callable[..., Value],
        policy: Asked = None,
        on_unsupported: OnUnsupported = "error",
        *,
        input_tokens: InputTokens = None,
        max_attempts: int = 3,
        deadline: float | None = None,
        on_fallback: OnFallback | None = None,
        sticky: Hashable = None,
        classify: Classify | None = None,
    ) -> Answer[Value]:
        """Return what `create(**request)`, as `client.messages.create`, returns for the best model that answers.

        Each model is sent the request as it takes it, made from the original one; the answer's `changes` say what that
        took. Models are chosen as `route` does, and the rest is as `run` has it.
        """
        chain, run = self._begin_request(
            request,
            create,
            policy,
            on_unsupported,
            input_tokens=input_tokens,
            max_attempts=max_attempts,
            deadline=deadline,
            on_fallback=on_fallback,
            sticky=sticky,
            classify=classify,
        )
        answer = run.walk(lambda model: create(**chain.request_for(model)))
        return evolve(answer, changes=chain.fits[answer.model].changes)

    async def arun_request(
        self,
        request: Mapping[str, Any],
        create: Callable[..., Awaitable[Value]],
        policy: Asked = None,
        on_unsupported: OnUnsupported = "error",
        *,
        input_tokens: InputTokens = None,
        max_attempts: int = 3,
        deadline: float | None = None,
        on_fallback: OnFallback | None = None,
        sticky: Hashable = None,
        classify: Classify | None = None,
    ) -> Answer[Value]:
        """Return what `await create(**request)` returns, as `run_request` does, under asyncio and trio."""
        chain, run = self._begin_request(
            request,
            create,
            policy,
            on_unsupported,
            input_tokens=input_tokens,
            max_attempts=max_attempts,
            deadline=deadline,
            on_fallback=on_fallback,
            sticky=sticky,
            classify=classify,
        )
        answer = await run.awalk(lambda model: create(**chain.request_for(model)))
        return evolve(answer, changes=chain.fits[answer.model].changes)

    def _begin(self, need: Asked, call: object, **terms: Any) -> Run:
        calls, began = self._begin_calls(
            call, "call must be a function of a model, behind the need"
        )
        catalogue, asked, now = self._loader.catalogue(), self._named(need), moment(None)
        chain = catalogue.candidates(asked, now=now)
        locked = self._locked_model(need, catalogue)
        if locked is not None:
            chain = (locked, *(model for model in chain if model is not locked))
        chain = chain or (catalogue.select(asked, now=now),)  # which raises
        text = str(require(asked) if asked is None else asked)
        return calls.begin(chain, text, began, **terms)

    def _begin_request(
        self,
        request: Mapping[str, Any],
        create: object,
        policy: Asked,
        on_unsupported: OnUnsupported,
        *,
        input_tokens: InputTokens = None,
        first: str | None = None,
        **terms: Any,
    ) -> tuple[Routes, Run]:
        """Return the models for a request and a run along them; `first` is the id of the one to begin with."""
        calls, began = self._begin_calls(
            create, "create must be a function of its parameters, behind the request"
        )
        most = terms.get("max_attempts", 1) + _SET_ASIDE
        chain = self._routes(request, policy, on_unsupported, most=most, input_tokens=input_tokens)
        models = sorted(chain.fits, key=lambda model: model.id != first)
        return chain, calls.begin(models, chain.text, began, **terms)

    def _routes(
        self,
        request: Mapping[str, Any],
        policy: Asked,
        on_unsupported: OnUnsupported,
        *,
        now: datetime | None = None,
        **arguments: Any,
    ) -> Routes:
        from router.requests._routing import routes

        catalogue = self._loader.catalogue()
        held = self._held(policy, catalogue)
        return routes(
            catalogue,
            request,
            self._named(policy),
            on_unsupported,
            moment(now),
            held=held,
            **arguments,
        )

    def _begin_calls(self, call: object, expected: str) -> tuple[Calls, float]:
        """Return what runs share, and the moment at which one begins; raises `ConfigurationError` for no function."""
        if not callable(call):
            raise ConfigurationError(f"{expected} (got {type(call).__name__})")
        calls = self._calls or self._first_calls()
        return calls, calls.clock()

    def _first_calls(self) -> Calls:
        """Return what all runs share, made once however many threads begin the first."""
        with unforked:
            if self._calls is None:
                self._calls = self._open_calls()
            return self._calls

    def fallbacks_param(
        self, model: str | Model, need: Asked, request: Mapping[str, Any] = MappingProxyType({})
    ) -> Fallbacks:
        """Return the `fallbacks` of a Messages request to `model`: up to three that meet the need and may follow it.

        With the other parameters of the request, each entry overrides what that model would not take. The list is empty
        where the model allows none, or it is unknown which, and its `reason` says so: leave the parameter out then.
        Raises `ConfigurationError` for a request that is no mapping.
        """
        from router.requests._fallbacks import fallbacks_of
        from router.requests._values import check_request

        check_request(request)
        catalogue = self._loader.catalogue()
        first = catalogue[model if isinstance(model, str) else model.id]
        return fallbacks_of(first, catalogue.candidates(self._named(need)), request)

    def refresh(self) -> Catalogue:
        """Fetch the catalogue now; raises `CatalogueUnavailableError`, and keeps the last good one, if that fails."""
        return self._loader.refresh()

    async def arefresh(self) -> Catalogue:
        """Fetch the catalogue now without blocking the event loop, under asyncio and trio."""
        return await self._loader.arefresh()

    def status(self) -> RouterStatus:
        """Return how things stand: the catalogue's age, the next refresh, the last error, the models set aside."""
        status = self._loader.status()
        return status if self._calls is None else evolve(status, cooling=self._calls.cooling())

    def close(self) -> None:
        """Stop renewing the catalogue; what is held goes on answering."""
        self._loader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self._loader.afirst()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        loader = getattr(self, "_loader", None)  # which it has not where it could not be made
        return f"Router({loader.source!r})" if loader is not None else "Router()"
