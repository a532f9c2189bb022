"""Serialising: how a value that the library returns becomes JSON and one line of text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar, Final

from router._errors import printable, printable_lines, quoted

_LONGEST: Final = 300
"""The most characters of a `repr`."""

_INFINITY: Final = float("inf")


class Serialisable:
    """A value that the library returns: `to_dict()` and a `repr` of one line."""

    __slots__ = ()

    json_names: ClassVar[tuple[str, ...]] = ()
    """The attributes that `to_dict` has, in this order."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values, by the names of its attributes.

        Dates are RFC 3339 in UTC, enumerations their values, requirements their text. A model
        inside of a result is its `id`, `provider` and `key`.
        """
        return {name: json_value(getattr(self, name)) for name in self.json_names}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> dict[str, Any]:
        """Return the schema of pydantic, and so of FastAPI: an instance, serialised by `to_dict`."""
        by_to_dict = {
            "type": "function-plain",
            "function": lambda result: json_value(result.to_dict(), encodable),
            "return_schema": {"type": "dict"},
        }
        return {"type": "is-instance", "cls": cls, "serialization": by_to_dict}

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(printable_lines(str(self)))}</pre>"

    def __repr__(self) -> str:
        return short_repr(f"{type(self).__name__}: {' '.join(str(self).split())}")


def short_repr(text: str) -> str:
    """Return a `repr` with this text: one printable line, cut if it is long."""
    shown = printable(text[:_LONGEST])
    return f"<{shown}>" if len(shown) <= _LONGEST - 2 else f"<{shown[: _LONGEST - 5]}...>"


def html_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table for a notebook; the text of its cells is escaped."""
    from html import escape

    def line(tag: str, cells: Iterable[str]) -> str:
        return (
            "<tr>"
            + "".join(f"<{tag}>{escape(printable_lines(each))}</{tag}>" for each in cells)
            + "</tr>"
        )

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', header)}</thead><tbody>{body}</tbody></table>"


def json_value(value: Any, text_of: Callable[[str], str] = str) -> Any:
    """Return a value of a result as JSON-ready values; other values become strings."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, Mapping):
        return {text_of(str(key)): json_value(each, text_of) for key, each in value.items()}
    inside = getattr(value, "to_reference", None) or getattr(value, "to_dict", None)
    if inside is not None and not isinstance(value, type):
        # It may belong to an SDK, whose `to_dict` need not return plain values.
        return json_value(inside(), text_of)
    # A `Collection`: an iterator would be used up.
    if isinstance(value, Collection) and not isinstance(value, (bytes, bytearray, BaseException)):
        return [json_value(each, text_of) for each in value]
    return _json_scalar(value)


def encodable(text: str) -> str:
    """Return text that UTF-8 can encode: a lone surrogate, which JSON can state, is escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _json_scalar(value: object) -> Any:
    if isinstance(value, float):
        return value if -_INFINITY < value < _INFINITY else str(value)
    if isinstance(value, datetime):
        utc = value if value.tzinfo is None else value.astimezone(UTC)
        return utc.isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, BaseException):
        return {"type": type(value).__name__, "message": _text_of(value)}
    return _text_of(value)


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - of an object of the application
        return quoted(value)
