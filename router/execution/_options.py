"""The options of a run, and the checks of their values."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Final, TypedDict

from router._arguments import check_count, check_hook, check_seconds
from router._errors import ConfigurationError
from router.execution._attempts import Classify, OnDisagreement, OnFallback

MAX_ATTEMPTS: Final = 3
"""The models that a run calls at most, unless `max_attempts` says otherwise."""


# One list of arguments for five methods. Type checkers and editors read it through `Unpack`, as if
# each method spelled it out. `help` and `inspect.signature` show its name: so it is public, and its
# docstring has each option with its default.
class RunOptions(TypedDict, total=False):
    """The options of `run`, `arun`, `run_request`, `arun_request` and `begin` of `Router`.

    `max_attempts` (3): how many models are called at most. `deadline` (none): the seconds after
    which no other model is called. `sticky` (none): a key such as a conversation's id, which
    stays with the model that last answered for it. `classify(error, model)` (`router.classify`):
    returns the `Failure` of a call, or `None` for an exception that is the caller's own.
    `on_fallback(attempt, model)` (none): called with the attempt that failed and the next model.
    `on_disagreement(attempt)` (that of the router): called with the attempt if the API refuses a
    model for what it is known to support.
    """

    max_attempts: int
    deadline: float | None
    sticky: Hashable
    classify: Classify | None
    on_fallback: OnFallback | None
    on_disagreement: OnDisagreement | None


def check_options(options: Mapping[str, object]) -> None:
    """Raise `ConfigurationError` for an invalid value, and `TypeError` for an unknown name."""
    for name, value in options.items():
        if name not in _CHECKS:
            raise TypeError(f"unexpected argument {name!r}: a run takes {', '.join(_CHECKS)}")
        _CHECKS[name](name, value)


def _check_deadline(name: str, value: object) -> None:
    if value is not None:
        check_seconds(name, value)


def _check_key(name: str, value: object) -> None:
    try:
        hash(value)
    except Exception:  # noqa: BLE001 - a foreign method: whatever it raises, this is no key
        raise ConfigurationError(
            f"{name} must be a key such as a conversation's id (got {type(value).__name__})"
        ) from None


_CHECKS: Final[Mapping[str, Callable[[str, object], None]]] = {
    "max_attempts": check_count,
    "deadline": _check_deadline,
    "sticky": _check_key,
    "classify": check_hook,
    "on_fallback": check_hook,
    "on_disagreement": check_hook,
}
