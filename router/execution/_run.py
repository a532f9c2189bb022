"""The fallback loop: the best model for a need, and the next one if it may cure a failure.

A `Run` does no I/O: it says which model to call, and hears how the call went.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NoReturn, Self, TypeVar

from attrs import define, field

from router._errors import ConfigurationError, quoted
from router._hooks import call_hook
from router._log import Log
from router._status import Cooling
from router.execution._attempts import Answer, Attempt, FallbackExhaustedError, OnDisagreement
from router.execution._conversations import Conversations
from router.execution._cooldown import Cooldowns, Turn
from router.execution._failures import Failure, FailureClass, read_failure
from router.execution._options import MAX_ATTEMPTS, RunOptions
from router.models._model import Model
from router.requests._fitting import Fitted, RequestChange
from router.requests._routing import Purpose, log_route, request_for

Value = TypeVar("Value")

log: Final = Log(__package__)

_LARGER_THAN_ANY: Final = 1 << 62
"""Tokens: a window that no model is known to have."""


class CallState:
    """The state that the runs of one router share: cooldowns and conversations."""

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
        """Return the models that cool, the one that is due first in front."""
        return self.cooldowns.cooling()


@define(eq=False, repr=False)
class Run:
    """The fallback loop of `Router.begin`: call `model`, then say `answered` or `failed`.

    For one thread or task. As a context manager it gives back what it took, such as the probe of
    a cooling model, if the body ends without saying how the call went. After its end, `answered`
    and `failed` raise `ConfigurationError`.
    """

    _state: CallState
    _fits: Mapping[Model, Fitted]
    """The models to call, best first, and the request as each of them takes it."""
    _purpose: Purpose
    _began: float
    _options: RunOptions
    _first: str | None = None
    """The id of the model to begin with."""
    model: Model = field(init=False)
    """The model to call."""
    _attempts: list[Attempt] = field(factory=list, init=False)
    """Forgotten at the end: their errors hold the frames of the run."""
    _window: int = field(default=0, init=False)
    """The tokens of context that the request is known to need."""
    _skipped: dict[Model, None] = field(factory=dict, init=False)
    """The models that cooled when their turn came, in order."""
    _conversation_with: str | None = field(default=None, init=False)
    """The key of the model that the conversation was with when the run began."""
    _turn: Turn | None = field(default=None, init=False)
    """The leave to call `model`, `None` after the end."""
    _called_at: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        sticky = self._options.get("sticky")
        if sticky is not None:
            self._conversation_with = self._state.conversations.model_of(sticky)
        known, first = self._conversation_with, self._first
        if (known, first) != (None, None):
            order = sorted(
                self._fits,
                key=lambda model: (model.key != known, first not in {model.key, model.id}),
            )
            self._fits = {model: self._fits[model] for model in order}
            if self._conversation_with not in {None, order[0].key}:
                log.warning(
                    "%s does not meet %s: its conversation moves on",
                    _id_of(self._conversation_with),
                    self._purpose.need,
                    event="conversation_moved",
                    policy=self._purpose.policy,
                    previous_model_id=_id_of(self._conversation_with),
                )
        self._move_on()

    @property
    def request(self) -> dict[str, Any]:
        """The request as `model` takes it, with its `model` set; without a request, only that."""
        return request_for(self.model, self._fits[self.model])

    @property
    def changes(self) -> tuple[RequestChange, ...]:
        """The changes of the request for `model`."""
        return self._fits[self.model].changes

    def answered(self, value: Value) -> Answer[Value]:
        """End the run, and return its answer."""
        self._state.cooldowns.succeeded(self._end_call())
        self._attempts.append(Attempt(self.model, self._duration()))
        before, sticky = None, self._options.get("sticky")
        if sticky is not None:
            known = self._conversation_with
            before = self._state.conversations.answered(sticky, self.model.key, known) or known
        moved_from = _id_of(before) if before not in {None, self.model.key} else None
        skipped, attempts = self._skipped_ids(), self._end()
        return Answer(value, self.model, attempts, skipped, moved_from, self.changes)

    def failed(self, error: BaseException) -> bool:
        """Return whether to call `model`, which is the next one; if not, the error is the caller's.

        `False` ends the run. Report each call once: the next report is of the next model. Raises
        `FallbackExhaustedError` if another model may help, but there is none to call.
        """
        if not isinstance(error, BaseException):
            raise ConfigurationError(f"error must be an exception (got {quoted(error)})")
        turn = self._end_call()
        try:
            failure = self._classified(error) if isinstance(error, Exception) else None
        except BaseException:
            self._state.cooldowns.released(turn)
            self._end()
            raise
        if failure is None or failure.kind is FailureClass.GIVE_UP:
            self._state.cooldowns.released(turn)
            before = self._end()
            if failure is not None:
                _note(error, before)
            return False
        assert isinstance(error, Exception)  # noqa: S101 - for the type checker
        self._attempts.append(Attempt(self.model, self._duration(), error, failure))
        try:
            self._learn_from(failure, turn)
            self._move_on()
        except BaseException:  # a hook was interrupted
            self._end()
            raise
        return True

    def close(self) -> None:
        """Give back what the run took; does nothing after its end."""
        if self._turn is not None:
            self._state.cooldowns.released(self._end_call())
        self._end()

    def __enter__(self) -> Self:
        self._check_has_not_ended()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        ended = ", ended" if self._turn is None else ""
        return f"<Run for {self._purpose.need[:100]}, model {self.model.id}{ended}>"

    def _classified(self, error: Exception) -> Failure | None:
        classify = self._options.get("classify")
        if classify is None:
            return read_failure(error, self.model, self._state.wall())
        failure = classify(error, self.model)
        if failure is not None and not isinstance(failure, Failure):
            raise ConfigurationError(
                f"classify must return a Failure or None (got {quoted(failure)})"
            )
        return failure

    def _learn_from(self, failure: Failure, turn: Turn) -> None:
        if failure.kind is FailureClass.NEXT_MODEL:
            cooldown = self._state.cooldowns.failed(turn, failure)
            if cooldown is not None:
                self._report_cooldown(self._attempts[-1], cooldown)
            if failure.is_gone:
                self._state.on_gone()
            return
        self._state.cooldowns.released(turn)
        if failure.kind is FailureClass.LARGER_WINDOW:
            larger = self.model.max_input_tokens + 1 if self.model.max_input_tokens else 0
            self._window = max(self._window, larger, failure.tokens or 0) or _LARGER_THAN_ANY
        else:
            self._report_disagreement(self._attempts[-1])

    def _move_on(self) -> None:
        """Take the next model; raises `FallbackExhaustedError` if there is none to call."""
        model, turn = self._take()
        try:
            if self._attempts:
                self._report_fallback(self._attempts[-1], model)
            log_route(self._purpose, model, self._fits[model].changes, len(self._attempts) + 1)
        except BaseException:  # an interrupt while the hook was called: the turn was not used
            self._state.cooldowns.released(turn)
            raise
        self.model, self._turn, self._called_at = model, turn, self._state.clock()

    def _take(self) -> tuple[Model, Turn]:
        """Return the first model that does not cool, else the first due, and its turn."""
        tried = {each.model.key for each in self._attempts}
        cooling: list[Model] = []
        for model in self._fits:
            if model.key in tried or (model.max_input_tokens or 0) < self._window:
                continue
            if not cooling:
                self._check_limits()
            turn = self._state.cooldowns.take(model.key)
            if turn is not None:
                return model, turn
            cooling.append(model)
            self._skipped[model] = None
        if not cooling:
            is_too_small = len(tried) < len(self._fits)
            self._exhaust(f"no other {'has a larger window' if is_too_small else 'meets the need'}")
        if any(
            each.failure and each.failure.kind is FailureClass.NEXT_MODEL for each in self._attempts
        ):
            self._exhaust("the others are cooling down")
        turn = self._state.cooldowns.take_first_due(model.key for model in cooling)
        return next(model for model in cooling if model.key == turn.key), turn

    def _check_limits(self) -> None:
        """Raise `FallbackExhaustedError` if no other model may be called; the first always may."""
        if not self._attempts:
            return
        max_attempts = self._options.get("max_attempts", MAX_ATTEMPTS)
        if len(self._attempts) >= max_attempts:
            self._exhaust(f"max_attempts is {max_attempts}")
        deadline = self._options.get("deadline")
        if deadline is not None and self._state.clock() - self._began >= deadline:
            self._exhaust(f"the deadline of {deadline:g} s is over")

    def _exhaust(self, why: str) -> NoReturn:
        skipped = self._skipped_ids()
        error = FallbackExhaustedError(
            f"no model answered for {self._purpose.need}: {why}", self._end(), skipped
        )
        self._report_exhausted(error)
        try:
            raise error
        finally:
            error.__context__ = None  # the last failure is in the group, and is printed there
            del error  # it holds this frame, which must not hold it

    def _end_call(self) -> Turn:
        """Return the turn of the call; raises `ConfigurationError` after the end of the run."""
        turn, self._turn = self._check_has_not_ended(), None
        return turn

    def _check_has_not_ended(self) -> Turn:
        if self._turn is None:
            raise ConfigurationError("this run has ended: begin another with router.begin")
        return self._turn

    def _end(self) -> tuple[Attempt, ...]:
        attempts, self._attempts = tuple(self._attempts), []
        return attempts

    def _skipped_ids(self) -> tuple[str, ...]:
        tried = {each.model for each in self._attempts}
        return tuple(model.id for model in self._skipped if model not in tried)

    def _duration(self) -> float:
        return max(0.0, self._state.clock() - self._called_at)

    def _report_fallback(self, last: Attempt, model: Model) -> None:
        assert last.failure is not None  # noqa: S101 - for the type checker
        log.warning(
            "%s failed (%s): trying %s%s",
            last.model.id,
            last.failure.reason,
            model.id,
            _price_change(last.model, model),
            event="fallback",
            model_id=model.id,
            attempt=len(self._attempts) + 1,
            previous_model_id=last.model.id,
            **self._fields_of(last),
        )
        on_fallback = self._options.get("on_fallback")
        if on_fallback is not None:
            call_hook("on_fallback", partial(on_fallback, last, model))

    def _report_disagreement(self, attempt: Attempt) -> None:
        assert attempt.failure is not None  # noqa: S101 - for the type checker
        log.warning(
            "%s meets %s by the catalogue, but not by the API: %s",
            attempt.model.id,
            self._purpose.need,
            attempt.failure.reason,
            event="disagreement",
            model_id=attempt.model.id,
            attempt=len(self._attempts),
            **self._fields_of(attempt),
        )
        on_disagreement = self._options.get("on_disagreement")
        if on_disagreement is None:
            on_disagreement = self._state.on_disagreement
        if on_disagreement is not None:
            call_hook("on_disagreement", partial(on_disagreement, attempt))

    def _report_exhausted(self, error: FallbackExhaustedError) -> None:
        last = error.attempts[-1]
        log.warning(
            "%s",
            "; ".join(map(str.strip, str(error).split("\n"))),
            event="exhausted",
            model_id=last.model.id,
            attempt=len(error.attempts),
            **self._fields_of(last),
        )

    def _report_cooldown(self, attempt: Attempt, seconds: float) -> None:
        assert attempt.failure is not None  # noqa: S101 - for the type checker
        log.info(
            "%s cools down for %.1f s (%s)",
            attempt.model.id,
            seconds,
            attempt.failure.reason,
            event="cooldown",
            model_id=attempt.model.id,
            attempt=len(self._attempts),
            seconds=seconds,
            **self._fields_of(attempt),
        )

    def _fields_of(self, attempt: Attempt) -> dict[str, object]:
        """Return what the log record of each failed attempt has."""
        assert attempt.failure is not None  # noqa: S101 - for the type checker
        return {
            "policy": self._purpose.policy,
            "failure": attempt.failure.kind.value,
            "status": attempt.failure.status,
            "error_type": attempt.failure.error_type,
            "duration": attempt.duration,
        }


def _id_of(key: str | None) -> str | None:
    return key and key.partition(":")[2]


def _price_change(before: Model, after: Model) -> str:
    """Return the change of the price from one model to the next, empty if there is none known."""
    old, new = (model["price.output"] for model in (before, after))
    if old is None or new is None or old == new:
        return ""
    return f" (output {new:g} USD per million tokens, was {old:g})"


def _note(error: BaseException, before: Sequence[Attempt]) -> None:
    """Add the attempts before it to an error as notes, once, if it takes notes."""
    with suppress(Exception):
        for note in (f"before: {each}" for each in before):
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
