"""Checks of arguments from the application."""

from __future__ import annotations

from typing import Final

from router._errors import ConfigurationError, RequirementError, quoted

_ASYNCHRONOUS: Final = 0x80
"""The flag of a coroutine function's code: `inspect.CO_COROUTINE`."""

_LONGEST: Final = 1e9
"""Longest wait in seconds, 30 years: every platform can wait that long."""


def check_count(name: str, value: object) -> None:
    """Raise `ConfigurationError` unless `value` is an int of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} must be an int of at least 1 (got {quoted(value)})")


def check_seconds(name: str, value: object) -> None:
    """Raise `ConfigurationError` unless `value` is a number of seconds that a thread can wait."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= _LONGEST:
        raise ConfigurationError(
            f"{name} must be a number of seconds above 0 and at most {_LONGEST:g} "
            f"(got {quoted(value)})"
        )


def check_model_id(value: object) -> None:
    """Raise `ConfigurationError` unless `value` is a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError(
            f"the id of a model must be a string that is not empty (got {quoted(value)})"
        )


def check_limit(value: object) -> None:
    """Raise `RequirementError` unless `value` is `None` or an int of at least 0."""
    if value is not None and (not isinstance(value, int) or value < 0):
        raise RequirementError(f"limit must be a number of at least 0 (got {quoted(value)})")


def check_hook(name: str, hook: object) -> None:
    """Raise `ConfigurationError` unless `hook` is `None` or a plain function."""
    if hook is not None and not callable(hook):
        raise ConfigurationError(f"{name} must be a function (got {type(hook).__name__})")
    # `inspect.iscoroutinefunction` would need the import of `inspect`, which is slow.
    code = getattr(hook, "__code__", None)
    if code is not None and code.co_flags & _ASYNCHRONOUS:
        raise ConfigurationError(f"{name} must not be a coroutine function")
