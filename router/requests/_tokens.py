"""The number of input tokens of a Messages request: given, counted or estimated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from router._errors import ConfigurationError, quoted
from router.requests._values import fields_of, items_of, type_of

CountTokens = Callable[..., Any]
"""A function that counts the input tokens of a request, such as `client.messages.count_tokens`."""

InputTokens = int | CountTokens | Literal["estimate"] | None
"""A number of tokens, a function that counts them, or `"estimate"`; `None` asks for no window."""

BYTES_PER_TOKEN: Final = 2.5
"""A low estimate of the text in a token.

The API's glossary has about 3.5 English characters a token, and its guide to Opus 4.7 up to 1.35
times as many tokens for the same text since then: 2.6 characters, rounded down to be safe. Text
that is not ASCII counts with the bytes of its UTF-8.
"""

LARGEST: Final = 10**29
"""More tokens than a requirement can express."""

_TEXTUAL: Final = ("system", "messages", "tools", "output_config")
_NOT_TEXT: Final = frozenset({"data", "signature"})


def count_tokens(request: Mapping[str, Any], tokens: int | CountTokens | str | None) -> int:
    """Return the number, or what a function counts; raises `ConfigurationError`."""
    counted = _call_counter(tokens, request) if callable(tokens) else tokens or 0
    number = getattr(counted, "input_tokens", counted)
    if type(number) is not int or not 0 <= number < LARGEST:
        raise ConfigurationError(
            f'input_tokens must be a number of tokens, or "estimate" (got {quoted(number)})'
        )
    return number


def _call_counter(count: CountTokens, request: Mapping[str, Any]) -> object:
    """Call a function with the parameters that are its keywords, or else with the request."""
    parameters = inspect.signature(count).parameters.values()
    keywords = [each for each in parameters if each.kind is each.KEYWORD_ONLY]
    for each in keywords:
        if each.default is each.empty and each.name not in request:
            raise ConfigurationError(
                f"input_tokens counts with {each.name}, which the request does not have: "
                f"give functools.partial(count_tokens, {each.name}=...)"
            )
    if keywords:
        given = {each.name: request[each.name] for each in keywords if each.name in request}
        counted = count(**given)
    else:
        counted = count(request)
    if inspect.iscoroutine(counted):
        counted.close()
        raise ConfigurationError("input_tokens is asynchronous: await it, and give the number")
    return counted


def estimate_tokens(parameter: Callable[[str], Any]) -> int:
    """Return an estimate from the text of the parameters, without the data of images and PDFs."""
    size = 0
    values = [parameter(name) for name in _TEXTUAL]
    while values:
        value = values.pop()
        if isinstance(value, str):
            size += len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
        elif value.__class__ is not dict and (items := [*items_of(value)]):
            values += items
        else:
            fields = fields_of(value)
            is_text = type_of(value) == "text"
            values += (each for name, each in fields.items() if is_text or name not in _NOT_TEXT)
            values += fields
    return int(size / BYTES_PER_TOKEN) + 1
