"""Checks of the arguments that the application gives."""

from __future__ import annotations

from typing import Final

from router._errors import ConfigurationError, quoted

_ASYNCHRONOUS: Final = 0x80
"""The flag of a coroutine function's code: `inspect.CO_COROUTINE`."""

_LONGEST: Final = 1e9
"""Seconds, thirty years: what can be waited for on every platform."""


def check_count(name: str, value: object) -> None:
    """Raise `ConfigurationError` for anything but an int of at least one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} must be an int of at least 1 (got {quoted(value)})")


def check_seconds(name: str, value: object) -> None:
    """Raise `ConfigurationError` for anything but a time that can be waited for."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= _LONGEST:
        raise ConfigurationError(
            f"{name} must be a number of seconds above 0 and at most {_LONGEST:g} "
            f"(got {quoted(value)})"
        )


def check_hook(name: str, hook: object) -> None:
    """Raise `ConfigurationError` for a hook that is not a plain function."""
    if hook is not None and not callable(hook):
        raise ConfigurationError(f"{name} must be a function (got {type(hook).__name__})")
    code = getattr(hook, "__code__", None)
    if code is not None and code.co_flags & _ASYNCHRONOUS:
        raise ConfigurationError(f"{name} must be a plain function: nobody would await it")
