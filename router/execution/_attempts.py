"""The attempts of a run, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

from attrs import frozen

from router._errors import RouterError, printable
from router._serialising import Serialisable
from router.execution._failures import Failure
from router.models._model import Model
from router.requests._fitting import RequestChange

Value = TypeVar("Value")


@frozen(repr=False)
class Attempt(Serialisable):
    """One call of a model, and how it ended; `error` and `failure` are `None` if it answered."""

    model: Model
    duration: float
    """Seconds."""
    error: Exception | None = None
    failure: Failure | None = None

    json_names: ClassVar = ("model", "duration", "error", "failure")

    def __str__(self) -> str:
        end = (
            "answered"
            if self.failure is None
            else f"{self.failure.kind.value}, {self.failure.reason}"
        )
        return f"{self.model.id} after {self.duration:.1f} s: {end}"


class FallbackExhaustedError(RouterError, ExceptionGroup[Exception]):
    """Every model that a run could try has failed; carries the `attempts`, and their errors as a group.

    `skipped` are the ids that were not called, since those models have failed before.
    """

    attempts: tuple[Attempt, ...]
    skipped: tuple[str, ...]

    def __new__(cls, reason: str, attempts: Sequence[Attempt], skipped: Sequence[str] = ()) -> Self:
        self = super().__new__(
            cls, reason, [each.error for each in attempts if each.error is not None]
        )
        self.attempts = tuple(attempts)
        self.skipped = tuple(skipped)
        return self

    def derive(self, errors: Sequence[Any]) -> ExceptionGroup[Any]:
        """Return the group of some of its errors, as `except*` wants it."""
        of_them = [each for each in self.attempts if any(each.error is error for error in errors)]
        if len(of_them) < len(errors):
            return ExceptionGroup(self.message, errors)
        return FallbackExhaustedError(self.message, of_them, self.skipped)

    def __str__(self) -> str:
        lines = [printable(self.message), *map(str, self.attempts)]
        return "\n  ".join(
            [*lines, *(f"{id} was skipped: it is cooling down" for id in self.skipped)]
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.attempts, self.skipped)


OnFallback = Callable[[Attempt, Model], object]
"""Called with the failed attempt and the next model."""

OnDisagreement = Callable[[Attempt], object]
"""Called with the attempt that the API refused for what its model is known to support."""

Classify = Callable[[Exception, Model], Failure | None]
"""Returns what a failed call means, `None` for an exception that is the caller's own."""


@frozen(repr=False)
class Answer(Serialisable, Generic[Value]):
    """The value of a call, the model that answered, and every attempt."""

    value: Value
    model: Model
    attempts: tuple[Attempt, ...]
    skipped: tuple[str, ...] = ()
    """The ids of the models that were skipped because they cool after failures."""
    moved_from: str | None = None
    """The id of the conversation's model before this one, if another model has answered."""
    changes: tuple[RequestChange, ...] = ()
    """The changes of the request for the model, if the run has a request."""

    json_names: ClassVar = ("model", "attempts", "skipped", "moved_from", "changes")
    """All but `value`, which is the application's own."""

    def __str__(self) -> str:
        failed = len(self.attempts) - 1
        after = f" after {failed} failed attempts" if failed else ""
        moved = f", moved from {self.moved_from}" if self.moved_from is not None else ""
        return f"by {self.model}{after}{moved}"
