"""The loggers of the library: imported late, their arguments escaped, their failures suppressed."""

from __future__ import annotations

from contextlib import suppress

from router._errors import printable


class Log:
    """The logger of a package: `Log(__package__)`.

    It imports `logging`, which takes 20 ms, when it is first used. Arguments are escaped.
    Exceptions of the application's handlers are suppressed, because logging must not end a
    refresh or a run.
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
