"""A router over six models, and an application's function whose calls end as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from crowds import NOON
from fake_api import entries
from fake_source import FakeClock

from router import Answer, Catalogue, Model, Router, StaticSource

CATALOGUE = Catalogue.from_listing(
    {**entry, "max_input_tokens": window}
    for entry, window in zip(entries(6), (200, 200, 1000, 200, 500, 0), strict=True)
)
IDS = [model.id for model in CATALOGUE]
ANY = "pdf_input"
"""A need that every model of the catalogue meets."""


class RefusedError(Exception):
    """What a client raises: an answer with this status, message and time to wait."""

    def __init__(self, status: int, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status_code = status
        self.body = {"error": {"type": "x", "message": message}} if message else None
        self.response = self
        self.headers = {} if retry_after is None else {"retry-after": str(retry_after)}


class BugError(Exception):
    """What is wrong with the caller."""


BUSY = RefusedError(529, "Overloaded")
TOO_LONG = RefusedError(400, "prompt is too long: 300 tokens > 200 maximum")
LACKS = RefusedError(400, "This model does not support the effort parameter.")


class Client:
    """An application's function: what it does with each model is told, and it keeps whom it was called with."""

    def __init__(self, ends: Mapping[str, object] | None = None) -> None:
        self.ends = dict(ends or {})
        self.called: list[str] = []

    def __call__(self, model: Model) -> str:
        self.called.append(model.id)
        end = self.ends.get(model.id)
        if callable(end):
            end()
        if isinstance(end, BaseException):
            raise end
        return f"from {model.id}"

    async def acall(self, model: Model) -> str:
        """Do the same when it is awaited."""
        await asyncio.sleep(0)
        return self(model)


class Machine:
    """A router over a catalogue that does not change, with clocks that go as they are told."""

    def __init__(self, **arguments: Any) -> None:
        self.clock = FakeClock()
        self.router = Router(
            StaticSource(CATALOGUE),
            clock=self.clock,
            wall=lambda: NOON,
            random=lambda: 0.0,
            **arguments,
        )
        self.is_async = False

    def run(self, client: Client, need: Any = ANY, **terms: Any) -> Answer[str]:
        """Run in the way that is under test."""
        if self.is_async:
            return asyncio.run(self.router.arun(need, client.acall, **terms))
        return self.router.run(need, client, **terms)

    def cooling(self) -> list[str]:
        """Return the ids of the models that are set aside."""
        return [each.model_id for each in self.router.status().cooling]


def all_but(*ids: str) -> dict[str, object]:
    """Return the ends of a client for whom every model but these is busy."""
    return {id: BUSY for id in IDS if id not in ids}
