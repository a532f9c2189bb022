"""What tests measure with: a machine that is busy excuses a body, and no more than that."""

from __future__ import annotations

import pytest
from fake_source import MOST_STALLED, FakeClock, Stopwatch


@pytest.mark.parametrize(
    ("took", "lost", "within"),
    [(1.0, 0.0, True), (1.1, 0.0, False), (1.5, 0.6, True), (1.5, 0.4, False), (60.0, 60.0, False)],
)
def test_what_a_body_takes(took: float, lost: float, within: bool) -> None:
    """The time that the machine took is not the body's, up to a limit."""
    clock, stalled = FakeClock(), FakeClock()

    with Stopwatch(clock, stalled) as watch:
        clock.now += took
        stalled.now += lost

    assert watch.is_within(1.0) is within
    assert MOST_STALLED < 10.0, "the deadline of a load, which a body must be told from"
