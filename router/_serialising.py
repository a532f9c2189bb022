"""Serialising: how a value that the library returns becomes JSON and one line of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Final

from router._errors import printable_lines, shortened

_LONGEST: Final = 300
"""The most characters of a `repr`."""


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

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(printable_lines(str(self)))}</pre>"

    def __repr__(self) -> str:
        text = shortened(" ".join(str(self).split()), _LONGEST - len(type(self).__name__) - 8)
        return f"<{type(self).__name__}: {text}>"


def html_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table for a notebook; the text of its cells is escaped."""
    from html import escape

    def line(tag: str, cells: Iterable[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(each)}</{tag}>" for each in cells) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', header)}</thead><tbody>{body}</tbody></table>"


def json_value(value: Any) -> Any:
    """Return a value of a result as JSON-ready values; what JSON cannot say becomes text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): json_value(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, BaseException)):
        return [json_value(each) for each in value]
    inside = getattr(value, "to_reference", None) or getattr(value, "to_dict", None)
    return inside() if inside is not None else _json_scalar(value)


def _json_scalar(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, BaseException):
        return {"type": type(value).__name__, "message": str(value)}
    return str(value)
