"""A key that must never show, and every place in which it might."""

from __future__ import annotations

import pickle
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from traceback import TracebackException
from typing import Any
from urllib.parse import quote

KEY = "Q8vN2xT5mKpW7rJ4hLd9sFb3gYc6tZe1/uAo0+Ei"
"""No part of it occurs by chance; it has characters that quoting and base64 change."""

_WINDOW = 12


def leaks(*texts: object) -> list[str]:
    """Return every form or part of the key worth stealing that is found in the texts."""
    text = "\n".join(map(str, texts))
    parts = {KEY[at : at + _WINDOW] for at in range(len(KEY) - _WINDOW + 1)}
    forms = {
        quote(KEY),
        quote(KEY, safe=""),
        *(b64encode(user + KEY.encode()).decode() for user in (b"", b":")),
    }
    return sorted(form for form in parts | forms if form in text)


def remains(error: BaseException) -> str:
    """Return all that an error gives of itself: text, arguments, pickle, tracebacks with locals, and its causes."""
    return "\n".join(_remains(error, set()))


def _remains(error: BaseException, seen: set[int]) -> Iterator[str]:
    if id(error) in seen:
        return
    seen.add(id(error))
    yield from (str(error), repr(error), repr(error.args))
    yield from TracebackException.from_exception(error, capture_locals=True).format()
    for value in _held(error):
        yield repr(value)
        yield from map(repr, _held(value))
    with suppress(TypeError, AttributeError, pickle.PicklingError):
        yield repr(pickle.dumps(error))
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield from _remains(other, seen)


def _held(value: object) -> list[Any]:
    return list(getattr(value, "__dict__", {}).values())
