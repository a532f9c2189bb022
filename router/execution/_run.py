"""Chain: calling the first of the models that meet a need, and the next where another model can cure a failure.

A `Run` says which model comes next and is told how the call went, without I/O, so that its `walk` and its `awalk`,
which do nothing but call, cannot differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from functools import partial
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from attrs import define, field, frozen

from router._arguments import check_count, check_hook, check_seconds
from router._errors import ConfigurationError, FallbackExhaustedError, printable, quoted
from router._hooks import contained
from router._log import Log
from router._status import Cooling
from router.execution._conversations import Conversations
from router.execution._cooldown import Cooldowns, Turn
from router.execution._failures import Failure, FailureClass, read_failure
from router.models._model import Model

if TYPE_CHECKING:
    from router.requests._fitting import RequestChange

Value = TypeVar("Value")
Classify = Callable[[Exception, Model], Failure | None]

log: Final = Log(__package__)

_UNPROVED: Final = 1 << 62
"""Tokens: a window so large that no model is known to have it."""


@frozen
class Attempt:
    """One call of a model, and how it ended; `error` and `failure` are `None` where it answered."""

    model: Model
    duration: float
    """Seconds."""
    error: Exception | None = None
    failure: Failure | None = None

    def __str__(self) -> str:
        end = (
            "answered"
            if self.failure is None
            else f"{self.failure.kind.value}, {self.failure.reason}"
        )
        return f"{self.model.id} after {self.duration:.1f} s: {end}"


OnFallback = Callable[[Attempt, Model], object]
OnDisagreement = Callable[[Attempt], object]


@frozen
class Answer(Generic[Value]):
    """What the call returned, the model that it was returned for, and every attempt, the last of which answered."""

    value: Value
    model: Model
    attempts: tuple[Attempt, ...]
    set_aside: tuple[str, ...] = ()
    """The ids of the models that were passed over, since they are set aside after failures."""
    moved_from: str | None = None
    """The id of the model that the conversation of `sticky` was with before, where another one has answered."""
    changes: tuple[RequestChange, ...] = ()
    """What was changed of the request for the model, where `run_request` has sent it."""


@frozen(kw_only=True)
class Terms:
    """What one run may do: how often, how long in seconds, and who is told; raises `ConfigurationError`."""

    max_attempts: int = field(default=3)
    deadline: float | None = field(default=None)
    sticky: Hashable = field(default=None)
    classify: Classify | None = field(default=None)
    on_fallback: OnFallback | None = field(default=None)

    @max_attempts.validator
    def _check_max_attempts(self, _: object, value: object) -> None:
        check_count("max_attempts", value)

    @deadline.validator
    def _check_deadline(self, _: object, value: object) -> None:
        if value is not None:
            check_seconds("deadline", value)

    @sticky.validator
    def _check_sticky(self, _: object, value: object) -> None:
        try:
            hash(value)
        except Exception:  # noqa: BLE001 - whatever the object does: it is no key
            raise ConfigurationError(
                f"sticky must be a key such as a conversation's id (got {type(value).__name__})"
            ) from None

    @classify.validator
    def _check_classify(self, _: object, value: object) -> None:
        check_hook("classify", value)

    @on_fallback.validator
    def _check_on_fallback(self, _: object, value: object) -> None:
        check_hook("on_fallback", value)


class Calls:
    """What the runs of one router know of each other: the models that cool, and whom each conversation is with."""

    def __init__(
        self,
        *,
        allowed_fails: int,
        on_disagreement: OnDisagreement | None,
        on_gone: Callable[[], object],
        clock: Callable[[], float],
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.clock = clock
        self.wall = wall
        self.on_disagreement = on_disagreement
        self.on_gone = on_gone
        self.cooldowns = Cooldowns(allowed_fails, clock=clock, wall=wall, random=random)
        self.conversations = Conversations(clock)

    def cooling(self) -> tuple[Cooling, ...]:
        """Return the models that are set aside, the one that is due first in front."""
        return self.cooldowns.cooling()

    def begin(self, chain: Sequence[Model], need: str, began: float, **terms: Any) -> Run:
        """Return a run along the chain that began then; raises `ConfigurationError` for terms that cannot be kept."""
        return Run(self, chain, printable(need), began, Terms(**terms))


def _checked(value: Value) -> Value:
    """Return what a call has returned; raises `ConfigurationError` for what somebody should have awaited."""
    if isawaitable(value):
        if iscoroutine(value):
            value.close()
        raise ConfigurationError("call is asynchronous: arun awaits it, run does not")
    return value


def _awaited(value: object) -> Any:
    """Return what a call has returned to be awaited; raises `ConfigurationError` for what cannot be."""
    if not isawaitable(value):
        raise ConfigurationError(
            "call is not asynchronous: run calls it, arun awaits what it returns"
        )
    return value


@define
class Run:
    """One run along a chain: `next` says whom to call, and then `answered` or `failed` is told of it."""

    _calls: Calls
    _chain: Sequence[Model]
    _need: str
    _began: float
    _terms: Terms
    _attempts: list[Attempt] = field(factory=list, init=False)
    """Forgotten when the run ends: an error holds the frames of the run, and the run would hold the error."""
    _window: int = field(default=0, init=False)
    """How many tokens of context the request is known to need."""
    _set_aside: dict[str, None] = field(factory=dict, init=False)
    """The ids that were passed over, in order."""
    _with: str | None = field(default=None, init=False)
    """Whom the conversation was with."""
    _turn: Turn = field(init=False)
    _model: Model = field(init=False)
    _called: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        if self._terms.sticky is not None:
            self._with = self._calls.conversations.model_of(self._terms.sticky)
            self._chain = sorted(self._chain, key=lambda model: model.id != self._with)
            if self._with is not None and self._chain[0].id != self._with:
                log.warning(
                    "%s does not meet %s: its conversation moves on", self._with, self._need
                )

    def walk(self, call: Callable[[Model], Value]) -> Answer[Value]:
        """Call one model after the other until one answers."""
        while True:
            model = self.next()
            try:
                value = _checked(call(model))
            except BaseException as error:
                if not self.failed(error):
                    raise
            else:
                return self.answered(value)

    async def awalk(self, call: Callable[[Model], Awaitable[Value]]) -> Answer[Value]:
        """Call one model after the other until one answers, under any event loop."""
        while True:
            model = self.next()
            try:
                value: Value = await _awaited(call(model))
            except BaseException as error:
                if not self.failed(error):
                    raise
            else:
                return self.answered(value)

    def next(self) -> Model:
        """Return the model to call; raises `FallbackExhaustedError` where there is none any more."""
        self._model, self._turn = self._take()
        try:
            if self._attempts:
                self._tell_of_fallback(self._attempts[-1])
        except BaseException:  # an interrupt while the hook was called: the turn was not used
            self._calls.cooldowns.released(self._turn)
            raise
        self._called = self._calls.clock()
        return self._model

    def answered(self, value: Value) -> Answer[Value]:
        """Return the answer of the run; the model has answered."""
        self._calls.cooldowns.succeeded(self._turn)
        self._attempts.append(Attempt(self._model, self._lasted()))
        before, key = None, self._terms.sticky
        if key is not None:
            before = (
                self._calls.conversations.answered(key, self._model.id, self._with) or self._with
            )
        moved_from = before if before != self._model.id else None
        set_aside, attempts = self._passed_over(), self._ended()
        return Answer(value, self._model, attempts, set_aside, moved_from)

    def failed(self, error: BaseException) -> bool:
        """Return whether another model may cure the failure; if not, the error is the caller's."""
        try:
            failure = self._classified(error) if isinstance(error, Exception) else None
        except BaseException:
            self._calls.cooldowns.released(self._turn)
            self._ended()
            raise
        if failure is None or failure.kind is not FailureClass.NEXT_MODEL:
            self._calls.cooldowns.released(self._turn)
        if failure is None or failure.kind is FailureClass.GIVE_UP:
            before = self._ended()
            if failure is not None:
                _note(error, before)
            return False
        assert isinstance(error, Exception)  # noqa: S101 - for the type checker: nothing else is classified
        attempt = Attempt(self._model, self._lasted(), error, failure)
        self._attempts.append(attempt)
        if failure.kind is FailureClass.NEXT_MODEL:
            self._calls.cooldowns.failed(self._turn, failure)
            if failure.is_gone:
                self._calls.on_gone()
        elif failure.kind is FailureClass.LARGER_WINDOW:
            larger = self._model.max_input_tokens + 1 if self._model.max_input_tokens else 0
            self._window = max(self._window, larger, failure.tokens or 0) or _UNPROVED
        else:
            self._tell_of_disagreement(attempt)
        return True

    def _classified(self, error: Exception) -> Failure | None:
        if self._terms.classify is None:
            return read_failure(error, self._model, self._calls.wall())
        failure = self._terms.classify(error, self._model)
        if failure is not None and not isinstance(failure, Failure):
            raise ConfigurationError(
                f"classify must return a Failure or None (got {quoted(failure)})"
            )
        return failure

    def _take(self) -> tuple[Model, Turn]:
        """Return the next model and leave to call it: the first that is not set aside, or else that is due first."""
        tried = {each.model.id for each in self._attempts}
        left: list[Model] = []
        for model in self._chain:
            if model.id in tried or (model.max_input_tokens or 0) < self._window:
                continue
            if not left:
                self._check_may_go_on()
            turn = self._calls.cooldowns.take(model.id)
            if turn is not None:
                return model, turn
            left.append(model)
            self._set_aside[model.id] = None
        if not left:
            has_more = len(tried) < len(self._chain)
            raise self._exhausted(
                "no other has a larger window" if has_more else "no other meets the need"
            )
        if any(
            each.failure and each.failure.kind is FailureClass.NEXT_MODEL for each in self._attempts
        ):
            raise self._exhausted("the others are set aside")
        turn = self._calls.cooldowns.take_first_due(model.id for model in left)
        return next(model for model in left if model.id == turn.id), turn

    def _check_may_go_on(self) -> None:
        if not self._attempts:
            return
        if len(self._attempts) >= self._terms.max_attempts:
            raise self._exhausted(f"max_attempts is {self._terms.max_attempts}")
        if (
            self._terms.deadline is not None
            and self._calls.clock() - self._began >= self._terms.deadline
        ):
            raise self._exhausted(f"the deadline of {self._terms.deadline:g} s is over")

    def _exhausted(self, why: str) -> FallbackExhaustedError:
        set_aside = self._passed_over()
        return FallbackExhaustedError(
            f"no model answered for {self._need}: {why}", self._ended(), set_aside
        )

    def _ended(self) -> tuple[Attempt, ...]:
        attempts, self._attempts = tuple(self._attempts), []
        return attempts

    def _passed_over(self) -> tuple[str, ...]:
        tried = {each.model.id for each in self._attempts}
        return tuple(id for id in self._set_aside if id not in tried)

    def _lasted(self) -> float:
        return max(0.0, self._calls.clock() - self._called)

    def _tell_of_fallback(self, last: Attempt) -> None:
        assert last.failure is not None  # noqa: S101 - for the type checker: the run went on
        log.warning("%s failed (%s): trying %s", last.model.id, last.failure.reason, self._model.id)
        if self._terms.on_fallback is not None:
            contained("on_fallback", partial(self._terms.on_fallback, last, self._model))

    def _tell_of_disagreement(self, attempt: Attempt) -> None:
        assert attempt.failure is not None  # noqa: S101 - for the type checker: the API has spoken
        log.warning(
            "%s meets %s by the catalogue, but not by the API: %s",
            attempt.model.id,
            self._need,
            attempt.failure.reason,
        )
        if self._calls.on_disagreement is not None:
            contained("on_disagreement", partial(self._calls.on_disagreement, attempt))


def _note(error: BaseException, before: Sequence[Attempt]) -> None:
    """Have an error say what was tried before it, where it lets itself be noted."""
    with suppress(Exception):
        for note in (f"before: {each}" for each in before):
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
