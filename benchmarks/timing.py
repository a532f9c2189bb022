"""Timing: how many empty calls a statement costs.

Each statement is compiled into a loop of its own: a loop that several share becomes polymorphic and
doubles the floor (PEP 659). An empty call is timed right before and after each measurement, and the
statements take turns, so that a machine that others use disturbs all of them alike.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable, Mapping
from timeit import Timer
from typing import Any

from attrs import define, field, frozen

ROUNDS = 21
SECONDS = 0.01
"""How often each statement is timed, and for how long each time."""


@frozen
class Job:
    """A statement to time, and how many empty calls it may cost; `names` is what the statement speaks of."""

    name: str
    statement: str
    names: Mapping[str, Any]
    target: float | None = None
    each: int = 1
    """By how much the figure is divided: what one call does so many times."""
    seconds: float = SECONDS
    """For how long it is timed each time, at least."""

    def timer(self) -> Timer:
        """Return a loop of its own over the statement."""
        return Timer(self.statement, globals=dict(self.names))


@frozen
class Figure:
    """A measured ratio: its median, the quartiles, and what it should not exceed, or should reach if `at_least`."""

    name: str
    median: float
    low: float
    high: float
    unit: str = "empty calls"
    target: float | None = None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """`ok`, `near` for a miss of up to a tenth, or `missed`."""
        if self.target is None:
            return ""
        miss = self.target / self.median if self.at_least else self.median / self.target
        return "ok" if miss <= 1 else "near" if miss <= 1.1 else "missed"  # noqa: PLR2004 - a tenth


@define
class _Clock:
    """One compiled loop, and how often it has to turn to be timed well."""

    job: Job
    timer: Timer
    number: int
    ratios: list[float] = field(factory=list)


def empty(_: object) -> None:
    """Do nothing: the unit of every figure."""


def floor() -> Timer:
    """Return a loop of its own over the empty call."""
    return Timer("empty(x)", globals={"empty": empty, "x": 1})


def timed(jobs: Iterable[Job], rounds: int = ROUNDS) -> list[Figure]:
    """Time every job against the empty call, taking turns."""
    clocks = [_clock(job) for job in jobs]
    beside = floor()
    number = _number(beside)
    for _ in range(rounds):
        for clock in clocks:
            before = beside.timeit(number)
            seconds = clock.timer.timeit(clock.number)
            unit = (before + beside.timeit(number)) / 2 / number
            clock.ratios.append(seconds / clock.number / unit / clock.job.each)
    return [figure(clock.job.name, clock.ratios, target=clock.job.target) for clock in clocks]


def figure(
    name: str, ratios: list[float], *, unit: str = "empty calls", target: float | None = None, at_least: bool = False
) -> Figure:
    """Return the median of what was measured, and its quartiles."""
    low, median, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return Figure(name, median, low, high, unit, target, at_least)


def paired(one: Callable[[], object], other: Callable[[], object], rounds: int = 9) -> list[float]:
    """Return how many times as long the one took as the other, taking turns."""
    return [_seconds(one) / _seconds(other) for _ in range(rounds)]


def _seconds(call: Callable[[], object]) -> float:
    gc.collect()
    return Timer(call).timeit(1)


def _clock(job: Job) -> _Clock:
    timer = job.timer()
    return _Clock(job, timer, _number(timer, job.seconds))


def _number(timer: Timer, wanted: float = SECONDS) -> int:
    """Return how often the loop turns in about so many seconds."""
    number = 1
    while (seconds := timer.timeit(number)) < wanted / 10:
        number *= 4
    return max(1, round(number * wanted / seconds))
