"""The attempts of a run, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import frozen

from router.execution._failures import Failure
from router.models._model import Model
from router.requests._fitting import RequestChange

Value = TypeVar("Value")


@frozen
class Attempt:
    """One call of a model, and how it ended; `error` and `failure` are `None` if it answered."""

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
Classify = Callable[[Exception, Model], Failure | None]


@frozen
class Answer(Generic[Value]):
    """The value of a call, the model that answered, and every attempt."""

    value: Value
    model: Model
    attempts: tuple[Attempt, ...]
    set_aside: tuple[str, ...] = ()
    """The ids of the models that were skipped because they cool after failures."""
    moved_from: str | None = None
    """The id of the conversation's model before this one, if another model has answered."""
    changes: tuple[RequestChange, ...] = ()
    """The changes of the request for the model, if the run has a request."""
