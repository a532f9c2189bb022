from __future__ import annotations

import time

import pytest
from fake_source import FakeClock

from router._errors import CatalogueUnavailableError
from router.refresh._deadline import Deadline


def test_counts_down() -> None:
    """What is left goes down with the clock, below zero too."""
    clock = FakeClock()
    deadline = Deadline(10.0, clock)

    assert deadline.left() == deadline.remaining() == deadline.seconds == 10.0
    clock.now += 9.5
    assert deadline.left() == deadline.remaining() == 0.5
    clock.now += 1.5
    assert deadline.left() == -1.0


@pytest.mark.parametrize("past", [0.0, 0.1, 100.0])
def test_missed(past: float) -> None:
    """From the very moment of the deadline on, to ask what remains is an error that no retry cures."""
    clock = FakeClock()
    deadline = Deadline(2.5, clock)
    clock.now += 2.5 + past

    with pytest.raises(CatalogueUnavailableError) as caught:
        deadline.remaining()

    assert str(caught.value) == "no whole answer within the deadline of 2.5 s"
    assert not caught.value.retryable


def test_clock_of_its_own() -> None:
    """Without a clock it is the monotonic one that counts."""
    before = time.monotonic()

    left = Deadline(60.0).left()

    assert 60.0 - (time.monotonic() - before) <= left <= 60.0
