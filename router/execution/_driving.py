"""Driving: calls the models of a run, one after the other, until one answers.

All that is decided is decided by the `Run`, so that the two ways to call cannot differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable, iscoroutine
from typing import Any, Final, TypeVar

from router._errors import ConfigurationError
from router.execution._attempts import Answer
from router.execution._run import Run

Value = TypeVar("Value")

_SDKS: Final = frozenset({"anthropic", "openai"})
"""The packages that return context managers which send the request when they are entered."""


def drive(run: Run, call: Callable[[], Value]) -> Answer[Value]:
    """Call for one model after the other until one answers."""
    with run:
        while True:
            try:
                value = call()
            except Exception as error:
                if not run.failed(error):
                    raise
            else:
                return run.answered(_check_value(value))


async def adrive(run: Run, call: Callable[[], Awaitable[Value]]) -> Answer[Value]:
    """Call for one model after the other until one answers, under any event loop."""
    with run:
        while True:
            try:
                awaitable: Any = call()
                value: Any = await awaitable if isawaitable(awaitable) else None
            except Exception as error:
                if not run.failed(error):
                    raise
            else:
                _check_awaitable(awaitable)
                return run.answered(value)


def _check_value(value: Value) -> Value:
    """Return the value of a call; raises `ConfigurationError` for one that is to be awaited."""
    if isawaitable(value):
        if iscoroutine(value):
            value.close()
        raise ConfigurationError("call is asynchronous: arun awaits it, run does not")
    if _is_unopened(value):
        raise _unopened(value)
    return value


def _check_awaitable(value: object) -> None:
    """Raise `ConfigurationError` for the value of a call that cannot be awaited."""
    if isawaitable(value):
        return
    if _is_unopened(value) or hasattr(type(value), "__aenter__"):
        raise _unopened(value)
    raise ConfigurationError("call is not asynchronous: run calls it, arun awaits what it returns")


def _is_unopened(value: object) -> bool:
    """Return whether a value is a context manager of an SDK that has not sent its request yet."""
    kind = type(value)
    is_manager = hasattr(kind, "__enter__") or hasattr(kind, "__aenter__")
    is_open = hasattr(kind, "close")  # as the streams of `create(stream=True)` are
    return kind.__module__.partition(".")[0] in _SDKS and is_manager and not is_open


def _unopened(value: object) -> ConfigurationError:
    for each in getattr(value, "__dict__", {}).values():
        if iscoroutine(each):  # Python warns about a coroutine that is never awaited
            each.close()
    return ConfigurationError(
        f"call returned a {type(value).__name__}, which sends nothing until it is opened: "
        "to stream, call client.messages.create with stream=True, or give the client auto_model"
    )
