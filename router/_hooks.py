"""What the application gives us, checked at once; and its hooks, called so that their failures stay their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from router._errors import ConfigurationError, printable, quoted

_ASYNCHRONOUS: Final = 0x80
"""The flag of a coroutine function's code: `inspect.CO_COROUTINE`."""

_LONGEST: Final = 1e9
"""Seconds, thirty years: what can be waited for on every platform."""


def check_count(name: str, value: object) -> None:
    """Raise `ConfigurationError` for what is no count of at least one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} must be an int of at least 1 (got {quoted(value)})")


def check_seconds(name: str, value: object) -> None:
    """Raise `ConfigurationError` for what is no time that can be waited for."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= _LONGEST:
        raise ConfigurationError(
            f"{name} must be a number of seconds above 0 and at most {_LONGEST:g} (got {quoted(value)})"
        )


def check_hook(name: str, hook: object) -> None:
    """Raise `ConfigurationError` for a hook that cannot be called, or that nobody would await."""
    if hook is not None and not callable(hook):
        raise ConfigurationError(f"{name} must be a function (got {type(hook).__name__})")
    code = getattr(hook, "__code__", None)
    if code is not None and code.co_flags & _ASYNCHRONOUS:
        raise ConfigurationError(f"{name} must be a plain function: nobody would await it")


class Log:
    """The logger of a package: `Log(__package__)`.

    It imports `logging`, which takes 20 ms, when it is first used. Arguments are escaped. Exceptions of the
    application's handlers are suppressed, because logging must not end a refresh or a run.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, message: str, *arguments: object) -> None:
        """Log at level DEBUG."""
        self._write("DEBUG", message, arguments)

    def info(self, message: str, *arguments: object) -> None:
        """Log at level INFO."""
        self._write("INFO", message, arguments)

    def warning(self, message: str, *arguments: object) -> None:
        """Log at level WARNING."""
        self._write("WARNING", message, arguments)

    def exception(self, message: str, *arguments: object) -> None:
        """Log at level ERROR, with the exception that is being handled."""
        self._write("ERROR", message, arguments, with_exception=True)

    def _write(
        self,
        level: str,
        message: str,
        arguments: tuple[object, ...],
        *,
        with_exception: bool = False,
    ) -> None:
        with suppress(Exception):
            import logging

            logging.getLogger(self._name).log(
                getattr(logging, level),
                message,
                *map(_escaped, arguments),
                exc_info=with_exception,
                stacklevel=3,  # the caller of `warning` and its like, not this module
            )


def _escaped(argument: object) -> object:
    """Return an argument that can be logged: one line of printable characters."""
    text = str(argument)
    return argument if text.isprintable() else printable(text)


log: Final = Log(__package__)


def contained(name: str, hook: Callable[[], object]) -> None:
    """Call a hook of the application's; what it raises is its own affair, and is logged."""
    try:
        hook()
    except Exception:
        log.exception("the hook %s failed", name)
