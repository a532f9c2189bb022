"""Driving: what a call must return, and what an application is told where it does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fallback_runs import ANY, IDS, Client, Machine

from router import ConfigurationError, Model


def test_a_call_that_is_not_asynchronous() -> None:
    """What `arun` cannot await is told, as is what `run` does not await."""
    with pytest.raises(ConfigurationError, match="call is not asynchronous"):
        asyncio.run(Machine().router.arun(ANY, Client()))  # type: ignore[arg-type]


UNOPENED = (
    r"call returned a \w+, which sends nothing until it is opened: to stream, call .*stream=True"
)


def test_a_stream_that_was_not_opened() -> None:
    """A manager of a stream has sent nothing: the error says how to stream, and no coroutine is left unawaited."""

    class Opening:
        """What an asynchronous client returns to be opened with `async with`."""

        def __init__(self) -> None:
            self.request = asyncio.sleep(0)

        async def __aenter__(self) -> None:
            await self.request

        async def __aexit__(self, *_: object) -> None: ...

    def opening(_: Model) -> Any:
        return Opening()

    with pytest.raises(ConfigurationError, match=UNOPENED):
        asyncio.run(Machine().router.arun(ANY, opening))


def test_a_call_of_the_wrong_kind_is_not_classified() -> None:
    """A coroutine where a value is expected is an error of the program, whatever `classify` says."""

    async def call(model: Model) -> str:
        return model.id

    asked: list[Exception] = []
    machine = Machine()
    with pytest.raises(ConfigurationError, match="call is asynchronous"):
        machine.router.run(ANY, call, classify=lambda error, _: asked.append(error))
    plain: Any = Client()
    with pytest.raises(ConfigurationError, match="call is not asynchronous"):
        asyncio.run(machine.router.arun(ANY, plain, classify=lambda error, _: asked.append(error)))
    assert asked == []
    assert machine.run(Client()).model.id == IDS[0]
