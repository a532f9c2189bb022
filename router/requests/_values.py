"""The values of a Messages request, dicts or objects of the SDK, and the paths to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from router._errors import ConfigurationError, quoted

Path = tuple[str | int, ...]

UNREAD_PARAMETERS: Final = frozenset(
    {
        *("betas", "billing_policy", "cache_control", "diagnostics", "fallback_credit_token"),
        *("inference_geo", "mcp_servers", "metadata", "model", "service_tier", "stop_sequences"),
        *("stream", "system", "thread", "user_profile_id", "workspace_id"),
        # of the SDK's methods `create`, `stream` and `tool_runner`, and not of the API
        *("extra_body", "extra_headers", "extra_query", "timeout"),
        *("max_iterations", "run_tools_eagerly"),
    }
)
"""The parameters that ask nothing of a model.

From the methods of `client.messages` and `client.beta.messages` in the Python SDK 2.14, and from
the types of their arguments.
"""

_SHORTEST_TYPO: Final = 5
"""Shorter names resemble each other by chance: `seed` is not a misspelt `speed`."""

_TYPO_LIKENESS: Final = 0.85

_NO_FIELDS: Final[Mapping[str, Any]] = {}


def check_request(request: object) -> Mapping[str, Any]:
    """Return the request; raises `ConfigurationError` if it is not a mapping."""
    if isinstance(request, Mapping):
        return request
    got = type(request).__name__
    raise ConfigurationError(
        f"a request must be a mapping of the arguments of messages.create (got {got})"
    )


def meant_parameter(name: object, known: Collection[str]) -> str | None:
    """Return the known parameter that an unknown one is a misspelling of, `None` if it is of none.

    A known name with more at its end, such as `models` or `thread_id`, may be a parameter that is
    newer than this release, or that a gateway takes. Raises `ConfigurationError` for a name that
    is not a string.
    """
    if not isinstance(name, str):
        raise ConfigurationError(f"the keys of a request must be strings (got {quoted(name)})")
    from difflib import get_close_matches

    by_letters = {_letters(each): each for each in known}
    letters = _letters(name)
    if letters in by_letters:
        return by_letters[letters]
    if len(name) < _SHORTEST_TYPO:
        return None
    swapped = [each for each in by_letters if sorted(each) == sorted(letters)]
    near = swapped or get_close_matches(letters, by_letters, n=1, cutoff=_TYPO_LIKENESS)
    return next((by_letters[each] for each in near if not letters.startswith(each)), None)


def _letters(name: str) -> str:
    """Return a name without the case and the marks in which languages differ: `maxTokens`."""
    return name.replace("_", "").replace("-", "").casefold()


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
