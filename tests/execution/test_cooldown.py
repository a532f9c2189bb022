"""Which models are set aside after failures, for how long, and who may probe them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from crowds import NOON, seeded
from fake_source import FakeClock

from router.execution._cooldown import (
    FIRST_COOLDOWN,
    LONGEST_COOLDOWN,
    LONGEST_PROBE,
    Cooldowns,
    Turn,
)
from router.execution._failures import Failure, FailureClass

BUSY = Failure(kind=FailureClass.NEXT_MODEL, reason="529 overloaded_error: Overloaded", status=529)
GONE = Failure(
    kind=FailureClass.NEXT_MODEL, reason="404 not_found_error: model: a", status=404, is_gone=True
)


def told(seconds: float) -> Failure:
    """Return a failure that names the time to come back."""
    return Failure(kind=FailureClass.NEXT_MODEL, reason="429", status=429, retry_after=seconds)


class Bench:
    """Cooldowns, a clock that goes as it is told, and what is asked of both."""

    def __init__(self, allowed_fails: int = 2, random: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = FakeClock()
        self.cooldowns = Cooldowns(
            allowed_fails, clock=self.clock, wall=lambda: NOON, random=random
        )

    def take(self, id: str = "a") -> Turn:
        """Take leave to call a model that is not set aside."""
        turn = self.cooldowns.take(f"x:{id}")
        assert turn is not None
        return turn

    def fail(self, failure: Failure = BUSY, times: int = 1) -> None:
        """Let calls of one model fail, one after the other."""
        for _ in range(times):
            self.cooldowns.failed(self.take(), failure)

    def left(self) -> float | None:
        """Return for how long the model is set aside, `None` for not."""
        cooling = self.cooldowns.cooling()
        assert len(cooling) <= 1
        return (
            (cooling[0].until - datetime.fromtimestamp(NOON, UTC)).total_seconds()
            if cooling
            else None
        )


@pytest.fixture
def bench() -> Bench:
    """Two failures are allowed, and chance makes no difference."""
    return Bench()


@pytest.mark.parametrize("allowed", [1, 2, 5])
def test_so_many_failures_in_a_row(allowed: int) -> None:
    """A model is set aside by the failure that makes the number full, and by none before."""
    bench = Bench(allowed)
    bench.fail(times=allowed - 1)
    assert bench.left() is None

    bench.fail()
    assert bench.left() == FIRST_COOLDOWN
    assert bench.cooldowns.take("x:a") is None


def test_a_success_in_between(bench: Bench) -> None:
    """Failures count only in a row."""
    bench.fail()
    bench.cooldowns.succeeded(bench.take())
    bench.fail()

    assert bench.left() is None


def test_gone_at_once(bench: Bench) -> None:
    """A model that is gone is set aside at its first failure."""
    bench.fail(GONE)

    assert bench.left() == FIRST_COOLDOWN


def test_for_as_long_as_the_server_says(bench: Bench) -> None:
    """A model whose server names a time is set aside at once, for that time, and never for less."""
    bench.fail(told(42.0))
    assert bench.left() == 42.0

    late = Bench(random=lambda: 1.0)
    late.fail(told(100.0))
    assert late.left() == pytest.approx(110.0)


def test_a_server_that_says_now(bench: Bench) -> None:
    """A time of zero says nothing: failures are counted as any others."""
    bench.fail(told(0.0))
    assert bench.left() is None

    bench.fail(told(0.0))
    assert bench.left() == FIRST_COOLDOWN


def test_who_begins_a_cooldown_is_told_its_length(bench: Bench) -> None:
    """The failure that begins a cooldown gets its seconds; one before it, and one of a call from before, get none."""
    late = bench.take()
    first, second = bench.take(), bench.take()

    assert bench.cooldowns.failed(first, BUSY) is None
    assert bench.cooldowns.failed(second, BUSY) == FIRST_COOLDOWN
    assert bench.cooldowns.failed(late, BUSY) is None
    assert bench.cooldowns.failed(late, told(99.0)) is None
    assert bench.left() == 99.0


def test_each_model_for_itself(bench: Bench) -> None:
    """R12: the outage of one model sets no other aside."""
    bench.fail(times=2)

    assert [each.model_id for each in bench.cooldowns.cooling()] == ["a"]
    assert bench.cooldowns.take("x:b") is not None


def test_longer_every_time(bench: Bench) -> None:
    """Each time in a row is twice as long, up to the longest; and a success ends the row."""
    bench.fail()
    lasted = []
    for _ in range(12):
        bench.fail()
        lasted.append(bench.left())
        bench.clock.now += lasted[-1] or 0.0

    assert lasted == [min(LONGEST_COOLDOWN, FIRST_COOLDOWN * 2**at) for at in range(12)]

    bench.cooldowns.succeeded(bench.take())
    bench.fail(times=2)
    assert bench.left() == FIRST_COOLDOWN


def test_jitter() -> None:
    """Those who were set aside together do not come back together, and nobody later than the longest."""
    chance = seeded(1)
    lasted = set()
    for _ in range(200):
        bench = Bench(random=chance.random)
        bench.fail(times=2)
        lasted.add(bench.left())

    assert len(lasted) == 200
    assert all(0.75 * FIRST_COOLDOWN <= (each or 0.0) <= FIRST_COOLDOWN for each in lasted)


def test_one_probe(bench: Bench) -> None:
    """When the time is over one call may probe the model, and another one only when that has ended."""
    bench.fail(times=2)
    bench.clock.now += FIRST_COOLDOWN - 0.001
    assert bench.cooldowns.take("x:a") is None

    bench.clock.now += 0.001
    probe = bench.take()
    assert [bench.cooldowns.take("x:a") for _ in range(3)] == [None] * 3

    bench.cooldowns.released(probe)
    assert bench.cooldowns.take("x:a") is not None


def test_a_probe_that_succeeds(bench: Bench) -> None:
    """A probe that answers brings the model back for all."""
    bench.fail(times=2)
    bench.clock.now += FIRST_COOLDOWN
    bench.cooldowns.succeeded(bench.take())

    assert [bench.cooldowns.take("x:a") is None for _ in range(2)] == [False, False]
    assert bench.left() is None


def test_a_probe_that_is_lost(bench: Bench) -> None:
    """A probe of which nothing is heard, as of one before a fork, gives way to another."""
    bench.fail(times=2)
    bench.clock.now += FIRST_COOLDOWN
    lost = bench.take()
    bench.clock.now += LONGEST_PROBE - 0.001
    assert bench.cooldowns.take("x:a") is None

    bench.clock.now += 0.001
    probe = bench.take()
    bench.cooldowns.released(lost)
    assert bench.cooldowns.take("x:a") is None
    bench.cooldowns.released(probe)
    assert bench.cooldowns.take("x:a") is not None


def test_calls_that_had_begun_before(bench: Bench) -> None:
    """Failures of calls that were under way when the model was set aside make it neither longer nor worse."""
    turns = [bench.take() for _ in range(200)]
    for turn in turns:
        bench.cooldowns.failed(turn, BUSY)
    assert bench.left() == FIRST_COOLDOWN

    bench.clock.now += FIRST_COOLDOWN
    bench.fail()
    assert bench.left() == 2 * FIRST_COOLDOWN


def test_a_longer_time_is_told_meanwhile(bench: Bench) -> None:
    """A server that names a longer time while the model is set aside is heard; one that names a shorter is not."""
    turns = [bench.take() for _ in range(3)]
    for turn, failure in zip(turns, (told(30.0), told(60.0), told(5.0)), strict=True):
        bench.cooldowns.failed(turn, failure)

    assert bench.left() == 60.0


def test_calls_that_end_after_the_time_is_over(bench: Bench) -> None:
    """Calls that had begun before the model was set aside say nothing new either when its time is over."""
    turns = [bench.take() for _ in range(10)]
    for turn in turns[:2]:
        bench.cooldowns.failed(turn, BUSY)
    for turn in turns[2:]:
        bench.clock.now += FIRST_COOLDOWN
        bench.cooldowns.failed(turn, BUSY)

    assert bench.left() is None
    assert bench.cooldowns.take("x:a") is not None


def test_a_server_that_says_soon_again_and_again(bench: Bench) -> None:
    """R7: a server that fails and each time says to come back at once is not paid for ever more often than others."""
    bench.fail(told(0.01))
    bench.clock.now += 0.02
    bench.fail(told(0.01))
    assert bench.left() == 2 * FIRST_COOLDOWN

    bench.clock.now += 2 * FIRST_COOLDOWN
    bench.fail(told(0.01))
    assert bench.left() == 4 * FIRST_COOLDOWN


def test_a_probe_before_a_fork(bench: Bench) -> None:
    """A child does not wait for the probe that a thread of its parent has begun."""
    bench.fail(times=2)
    bench.clock.now += FIRST_COOLDOWN
    bench.take()
    assert [each.model_id for each in bench.cooldowns.cooling()] == ["a"]

    bench.cooldowns.reset_after_fork()
    assert bench.cooldowns.take("x:a") is not None


def test_who_is_probed_is_due_last(bench: Bench) -> None:
    """R11: a model that a call probes is not called by the others, also where all the rest is set aside."""
    bench.fail(times=2)
    bench.clock.now += FIRST_COOLDOWN
    bench.cooldowns.failed(bench.take("b"), told(60.0))
    bench.take("a")

    assert bench.cooldowns.take_first_due(["x:a", "x:b"]).key == "x:b"


def test_first_due(bench: Bench) -> None:
    """Of models that are all set aside, the one that comes back first is called; ties go to the first of the chain."""
    for id, seconds in (("a", 30.0), ("b", 10.0), ("c", 10.0)):
        bench.cooldowns.failed(bench.take(id), told(seconds))

    assert bench.cooldowns.take_first_due(["x:a", "x:b", "x:c"]).key == "x:b"
    assert bench.cooldowns.take_first_due(["x:a", "x:c", "x:b"]).key == "x:c"
    assert [each.model_id for each in bench.cooldowns.cooling()] == ["b", "c", "a"]


def test_what_is_told_of_it(bench: Bench) -> None:
    """A model that is set aside is listed with the reason, the failures in a row, and until when."""
    bench.fail(times=2)
    (cooling,) = bench.cooldowns.cooling()

    assert (cooling.model_id, cooling.failures, cooling.reason) == ("a", 2, BUSY.reason)
    assert cooling.until == datetime.fromtimestamp(NOON, UTC) + timedelta(seconds=FIRST_COOLDOWN)
    bench.clock.now += FIRST_COOLDOWN
    assert bench.cooldowns.cooling() == ()
