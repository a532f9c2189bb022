"""The loggers of the library: imported late, their arguments escaped, their failures suppressed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from router._errors import printable

_OF_EACH_RECORD: Final = ("model_id", "policy", "attempt")
"""The fields that each record has, `None` where they do not apply; others begin with `router_`."""


class Log:
    """The logger of a package: `Log(__package__)`.

    It imports `logging`, which takes 20 ms, when it is first used. Arguments are escaped.
    Exceptions of the application's handlers are suppressed, because logging must not end a
    refresh or a run. `event` and the fields become attributes of the record, as
    `docs/observability.md` lists them.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, message: str, *arguments: object, event: str, **fields: object) -> None:
        """Log at level DEBUG."""
        self._write("DEBUG", message, arguments, {"event": event, **fields})

    def info(self, message: str, *arguments: object, event: str, **fields: object) -> None:
        """Log at level INFO."""
        self._write("INFO", message, arguments, {"event": event, **fields})

    def warning(self, message: str, *arguments: object, event: str, **fields: object) -> None:
        """Log at level WARNING."""
        self._write("WARNING", message, arguments, {"event": event, **fields})

    def exception(self, message: str, *arguments: object, event: str, **fields: object) -> None:
        """Log at level ERROR, with the exception that is being handled."""
        self._write("ERROR", message, arguments, {"event": event, **fields}, with_exception=True)

    def _write(
        self,
        level: str,
        message: str,
        arguments: tuple[object, ...],
        fields: Mapping[str, object],
        *,
        with_exception: bool = False,
    ) -> None:
        with suppress(Exception):
            import logging

            logger, number = logging.getLogger(self._name), getattr(logging, level)
            if logger.isEnabledFor(number):
                logger.log(
                    number,
                    message,
                    *map(_escaped, arguments),
                    exc_info=with_exception,
                    stacklevel=3,  # the caller of `warning` and its like, not this module
                    extra=_extra_of(fields),
                )


def _extra_of(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the attributes of a record: a prefix keeps them apart from those of `logging`."""
    named = {
        name if name in _OF_EACH_RECORD else f"router_{name}": _escaped(value)
        for name, value in fields.items()
    }
    return dict.fromkeys(_OF_EACH_RECORD) | named


def _escaped(argument: object) -> object:
    """Return an argument that can be logged: one line of printable characters."""
    text = str(argument)
    return argument if text.isprintable() else printable(text)
