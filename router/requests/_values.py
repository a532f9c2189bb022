"""The values of a Messages request, dicts or objects of the SDK, and the paths to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from router._errors import ConfigurationError

Path = tuple[str | int, ...]

_NO_FIELDS: Final[Mapping[str, Any]] = {}


def check_request(request: object) -> Mapping[str, Any]:
    """Return the request; raises `ConfigurationError` if it is not a mapping."""
    if isinstance(request, Mapping):
        return request
    got = type(request).__name__
    raise ConfigurationError(
        f"a request must be a mapping of the arguments of messages.create (got {got})"
    )


def fields_of(value: object) -> Mapping[str, Any]:
    """Return the members of a value by name: those of an object as those of a dict."""
    if value.__class__ is dict or isinstance(value, Mapping):
        return value
    fields: Mapping[str, Any] = getattr(value, "__dict__", _NO_FIELDS)
    return fields


def member_of(value: object, name: str) -> Any:
    """Return a member of a value, `None` if it has none of that name."""
    return fields_of(value).get(name)


def type_of(value: object) -> str:
    """Return the type that a value states, empty if it states none."""
    kind = fields_of(value).get("type")
    return kind if isinstance(kind, str) else ""


def items_of(value: object) -> Iterable[Any]:
    """Return a list or another reusable iterable, and nothing for any other value."""
    if isinstance(value, (list, tuple)):
        return value
    is_one = isinstance(value, (str, bytes, Mapping, Iterator)) or hasattr(
        value, "model_fields_set"
    )
    return () if is_one or not isinstance(value, Iterable) else value


def value_at(value: Any, path: Path) -> Any:
    """Return the value at a path."""
    for key in path:
        value = [*value][key] if isinstance(key, int) else member_of(value, key)
    return value


def format_path(path: Path) -> str:
    """Return a path as Python writes it."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(
        "."
    )
