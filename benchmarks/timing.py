"""Timing: how many empty calls a statement costs.

Each statement is compiled into its own loop: a loop that several statements share becomes polymorphic
and doubles the cost of an empty call (PEP 659). An empty call is timed right before and after each
measurement, and the statements take turns, so that a busy machine disturbs all of them alike. The
garbage collector stays on, as in an application; `timeit` alone would turn it off.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable, Mapping
from timeit import Timer
from typing import Any, Final

from attrs import define, field, frozen

from benchmarks.scale import Scale

CALLS: Final = "calls"
"""The unit of what is compared with an empty call."""

TIMES: Final = "times"
"""The unit of a ratio of two figures."""

_NEAR: Final = 1.1


@frozen
class Place:
    """The catalogue of a row: its name, and how many models it has; both are empty where there is none."""

    name: str = ""
    size: str = ""


@frozen
class Figure:
    """One row: what was measured, on which catalogue, and every sample.

    `target` is the most that the median should be, or the least if `at_least`.
    """

    name: str
    samples: tuple[float, ...]
    unit: str = CALLS
    at: Place = Place()
    microseconds: float | None = None
    target: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def median(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)

    @property
    def quartiles(self) -> tuple[float, float] | None:
        """The lower and the upper quartile; `None` for what was measured once, such as a size."""
        if len(self.samples) == 1:
            return None
        low, _, high = statistics.quantiles(self.samples, n=4)
        return low, high

    @property
    def verdict(self) -> str:
        """`ok`, `near` for a miss of up to a tenth, or `missed`; empty without a target."""
        if self.target is None:
            return ""
        miss = self.target / self.median if self.at_least else self.median / self.target
        return "ok" if miss <= 1 else "near" if miss <= _NEAR else "missed"


@frozen
class Job:
    """A statement to time; `names` are the names that it uses."""

    name: str
    statement: str
    names: Mapping[str, Any]
    target: float | None = None
    at: Place = Place()
    each: int = 1
    """By how much the figure is divided: how many operations the statement does."""
    renew: Callable[[], Mapping[str, Any]] | None = None
    """Returns names that are new for each measurement; the statement then runs once in each."""


@define
class _Clock:
    """The loop over one statement, and how many turns it takes to time it well."""

    job: Job
    timer: Timer
    names: dict[str, Any]
    turns: int
    calls: list[float] = field(factory=list)
    seconds: list[float] = field(factory=list)

    @classmethod
    def of(cls, job: Job, seconds: float) -> _Clock:
        names = dict(job.names)
        timer = _timer(job.statement, names)
        return cls(job, timer, names, 1 if job.renew else _turns(timer, seconds))

    def measure(self, beside: Timer, turns: int) -> None:
        if self.job.renew:
            self.names.update(self.job.renew())
        before = beside.timeit(turns)
        seconds = self.timer.timeit(self.turns) / self.turns / self.job.each
        empty_call = (before + beside.timeit(turns)) / 2 / turns
        self.seconds.append(seconds)
        self.calls.append(seconds / empty_call)

    def figure(self) -> Figure:
        job = self.job
        return Figure(
            job.name,
            tuple(self.calls),
            at=job.at,
            microseconds=statistics.median(self.seconds) * 1e6,
            target=job.target,
        )


def timed(jobs: Iterable[Job], scale: Scale, rounds: int | None = None) -> list[Figure]:
    """Time every statement against an empty call, in turns."""
    clocks = [_Clock.of(job, scale.seconds) for job in jobs]
    beside = _timer("empty(x)", {"empty": _empty, "x": 1})
    turns = _turns(beside, scale.seconds)
    for _ in range(rounds or scale.rounds):
        for clock in clocks:
            clock.measure(beside, turns)
    return [clock.figure() for clock in clocks]


def over(
    name: str, one: Figure, other: Figure, *, target: float | None = None, at_least: bool = True
) -> Figure:
    """Return how many times as much the one costs as the other, sample by sample.

    Both figures must come from one call of `timed`, where their statements took turns.
    """
    ratios = tuple(mine / theirs for mine, theirs in zip(one.samples, other.samples, strict=True))
    size = one.at.size if one.at == other.at else f"{other.at.size} to {one.at.size}"
    return Figure(name, ratios, TIMES, Place(one.at.name, size), target=target, at_least=at_least)


def paired(
    one: Callable[[], object], other: Callable[[], object], rounds: int
) -> tuple[tuple[float, ...], float]:
    """Return how many times as long the one takes as the other, in turns, and the seconds of the one."""
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(_once(one))
        theirs.append(_once(other))
    return tuple(a / b for a, b in zip(mine, theirs, strict=True)), statistics.median(mine)


def _once(call: Callable[[], object]) -> float:
    gc.collect()
    return _timer("call()", {"call": call}).timeit(1)


def _empty(_: object) -> None:
    """Do nothing: the unit of most figures."""


def _timer(statement: str, names: dict[str, Any]) -> Timer:
    """Return a loop over the statement; the setup turns the collector on again after `timeit` has turned it off."""
    names["_collector"] = gc
    return Timer(statement, "_collector.enable()", globals=names)


def _turns(timer: Timer, wanted: float) -> int:
    """Return how many turns the loop takes in about so many seconds."""
    turns = 1
    while (seconds := timer.timeit(turns)) < wanted / 10:
        turns *= 4
    return max(1, round(turns * wanted / seconds))
