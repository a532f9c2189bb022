"""Scale: how much a run measures, and how often."""

from __future__ import annotations

from typing import Final

from attrs import frozen


@frozen
class Scale:
    """How much a run measures, and how often."""

    is_quick: bool
    """Whether the run does without optional packages."""
    rounds: int
    """How often each statement is timed."""
    seconds: float
    """For how long a statement is timed each time, at least."""
    few: int
    """How often an operation is measured that takes long; at least two."""
    repeated: int
    """How often a small listing is read in one measurement."""
    drawn: int
    """How many models the large catalogue of a quick run has."""
    growth: tuple[int, int]
    """How many models the two catalogues have whose answers are compared."""
    held: int
    """How many answers of each catalogue are compared with those of brute force."""
    asked: int
    """How many questions the alternatives are asked."""
    answers: int
    """How many answers the threads of one run give together."""
    swaps: int
    """How many times the catalogue is swapped meanwhile; a multiple of the number of threads."""
    starts: int
    """How many times each program is started; at least two."""


FULL: Final = Scale(
    is_quick=False,
    rounds=21,
    seconds=0.01,
    few=7,
    repeated=20,
    drawn=4_000,
    growth=(1_000, 1_000_000),
    held=200,
    asked=40,
    answers=4_000_000,
    swaps=80,
    starts=15,
)
QUICK: Final = Scale(
    is_quick=True,
    rounds=7,
    seconds=0.003,
    few=5,
    repeated=20,
    drawn=2_000,
    growth=(1_000, 20_000),
    held=100,
    asked=20,
    answers=400_000,
    swaps=8,
    starts=3,
)
