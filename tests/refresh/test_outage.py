"""Time as it goes by: through outages, with clocks that jump, and for many processes that began together."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from attrs import define, evolve, field, frozen
from crowds import BUSY, DOWN, NOON, SIX, TTL, Ask, Machine, seeded, settled
from fake_source import FakeSource, no_threads
from sizes import at_length

from router import Router
from router._errors import CatalogueUnavailableError
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import CLOCK, Deadline
from router.refresh._sources import Source

IDENTITY = "b" * 40
OUTAGE = 600.0
MOST_REQUESTS = 60
LONGEST_RECOVERY = 65
"""Requests of one process in an outage of ten minutes, and the seconds from its end to the first good answer."""


@define
class Server:
    """A server that may be down, as the sources of all processes see it."""

    up: bool = True
    requests: int = 0

    def answer(self) -> Catalogue:
        """Answer, or fail in a way that may heal."""
        self.requests += 1
        if not self.up:
            raise BUSY
        return SIX

    def source(self) -> FakeSource:
        """Return a source of its own for one process."""
        return FakeSource(self.answer, identity=IDENTITY)


@define
class Process:
    """One that asks, and what tells that it has asked the server with success since a moment."""

    select: Ask
    settle: Callable[[], object]
    is_well: Callable[[], bool]


def of_router(machine: Machine, source: Source) -> Process:
    """Return a process with a router."""
    router = machine.router(source)
    return Process(
        lambda: router.select("pdf_input"),
        lambda: settled(router),
        lambda: router.status().last_error is None,
    )


@define
class Naive:
    """A cache that tries again after a delay of its own; the twin of the router that must fail."""

    source: Source
    machine: Machine
    delay: Callable[[int], float]
    held: Catalogue = SIX
    failures: int = 0
    due: float = 0.0

    def select(self) -> object:
        """Fetch what is due, and keep what is held if that fails."""
        if self.machine.clock() >= self.due:
            try:
                self.held = self.source.fetch(Deadline(10.0))
            except CatalogueUnavailableError:
                self.failures += 1
                self.due = self.machine.clock() + self.delay(self.failures)
            else:
                self.failures = 0
                self.due = self.machine.clock() + TTL
        return self.held.select("pdf_input")


def naive(delay: Callable[[int], float]) -> Callable[[Machine, Source], Process]:
    """Return what makes processes that delay like that."""

    def make(machine: Machine, source: Source) -> Process:
        cache = Naive(source, machine, delay)
        return Process(cache.select, lambda: None, lambda: cache.failures == 0)

    return make


@frozen
class Course:
    """What an outage has cost: requests while it lasted, exceptions, and seconds until every process was well."""

    requests: int
    raised: int
    recovery: float


def outage(
    machine: Machine,
    make: Callable[[Machine, Source], Process],
    *,
    chance: Random,
    callers: int = 1,
    processes: int = 1,
    cold: bool = False,
) -> Course:
    """Let the server be down for ten minutes and a little, while callers of each process ask every second."""
    server = Server(up=not cold)
    group = [make(machine, server.source()) for _ in range(processes)]
    raised = 0

    def tick() -> None:
        nonlocal raised
        for each in group:
            for _ in range(callers):
                try:
                    each.select()
                except CatalogueUnavailableError:
                    raised += 1
        for each in group:
            each.settle()
        machine.passes(1)

    tick()
    before = server.requests if not cold else 0
    server.up = False
    machine.passes(0 if cold else 1.1 * TTL)
    ends = machine.clock.now + OUTAGE
    while machine.clock.now < ends:
        tick()
    requests = server.requests - before
    for _ in range(chance.randrange(60)):
        tick()
    server.up, healed = True, machine.clock.now
    while not all(each.is_well() for each in group) and machine.clock.now < healed + 3600:
        tick()
    return Course(requests, raised, machine.clock.now - healed)


def worst(courses: Sequence[Course]) -> Course:
    """Return the worst of each kind."""
    return Course(
        *(
            max(getattr(each, name) for each in courses)
            for name in ("requests", "raised", "recovery")
        )
    )


def is_held(course: Course) -> bool:
    """Whether an outage was survived as it must be."""
    return (
        course.requests <= MOST_REQUESTS
        and course.raised == 0
        and course.recovery <= LONGEST_RECOVERY
    )


EXTREMES: list[Callable[[], float]] = [lambda: 0.0, lambda: 0.5, lambda: math.nextafter(1.0, 0.0)]


def chances(count: int) -> Iterator[tuple[Random, Callable[[], float]]]:
    """Yield what chance moments come from and what the router's own chance is: the extremes, and then seeds."""
    for seed in range(count):
        yield seeded(seed), EXTREMES[seed] if seed < len(EXTREMES) else seeded(-1 - seed).random


many = pytest.mark.parametrize("times", [30, at_length(2000)])


@many
@pytest.mark.parametrize("cold", [False, True])
def test_an_outage_is_cheap_and_ends_soon(times: int, *, cold: bool) -> None:
    """R6: ten minutes cost 60 requests at most, no answer raises, and a minute after them all is well, by any chance.

    With a catalogue held before, and without.
    """
    courses = [
        outage(Machine(random=own), of_router, chance=chance, cold=cold)
        for chance, own in chances(times)
    ]

    assert is_held(worst(courses)), worst(courses)


@pytest.mark.parametrize("times", [10, at_length(300)])
def test_an_outage_is_cheap_and_ends_soon_with_a_cache(tmp_path: Path, times: int) -> None:
    """R6: so it is for a process that keeps its catalogue, and its failures, on disk."""
    courses = [
        outage(Machine(tmp_path / str(at), random=own), of_router, chance=chance)
        for at, (chance, own) in enumerate(chances(times))
    ]

    assert is_held(worst(courses)), worst(courses)


def test_an_outage_with_a_thousand_callers() -> None:
    """R6: a thousand callers a second cost no more than one."""
    course = outage(Machine(random=seeded(6).random), of_router, chance=seeded(6), callers=1000)

    assert is_held(course), course


@pytest.mark.parametrize(("processes", "times"), [(5, 3), at_length(100, 3)])
def test_an_outage_for_processes_that_share_a_disk(
    tmp_path: Path, processes: int, times: int
) -> None:
    """R6: processes that share a disk cost twice as much as one, not so many times, and recover as soon."""
    courses = [
        outage(
            Machine(tmp_path / str(at), random=seeded(at).random),
            of_router,
            chance=seeded(at),
            processes=processes,
        )
        for at in range(times)
    ]

    course = worst(courses)
    assert course.requests <= 2 * MOST_REQUESTS
    assert is_held(evolve(course, requests=0)), course


@pytest.mark.parametrize(
    ("make", "fault"),
    [(naive(lambda _: 0.0), "requests"), (naive(lambda failures: 2.0**failures), "recovery")],
    ids=["no-delay", "ever-longer"],
)
def test_naive_delays_do_not_hold(make: Callable[[Machine, Source], Process], fault: str) -> None:
    """R6: the bounds tell a cache that tries again at once, and one whose delay has no bound."""
    course = worst([outage(Machine(), make, chance=chance) for chance, _ in chances(10)])

    assert not is_held(course)
    assert is_held(evolve(course, **{fault: 0})), course


def test_a_naive_cache_raises() -> None:
    """R6: the exceptions tell a cache that does without what it held."""

    def make(_: Machine, source: Source) -> Process:
        return Process(lambda: source.fetch(Deadline(10.0)), lambda: None, lambda: True)

    assert outage(Machine(), make, chance=seeded(0)).raised > 0


# Clocks that jump

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
MOMENTS = {"1970": 0.0, "2038": 2.0**31 + 1, "9999": 253_402_300_000.0}
STEPS = [-DAY, -HOUR, -MINUTE, MINUTE, HOUR, DAY]
LONG_TTL = 1000.0
SKEW = 300.0
"""How far the clocks of two processes may differ without either being wrong."""


@define
class Aged:
    """A process, and when by the monotonic clock the server was last asked for what it holds."""

    machine: Machine
    requests: int = 0
    asked: dict[str, float] = field(factory=dict)

    def answer(self) -> Catalogue:
        """Answer with a catalogue that says when."""
        self.requests += 1
        id = f"claude-{self.requests}"
        self.asked[id] = self.machine.clock.now
        return Catalogue.from_listing([{"id": id, "lifecycle": "active"}], source="live")

    def age(self, catalogue: Catalogue) -> float:
        """Return how old a catalogue is in truth."""
        return self.machine.clock.now - self.asked[catalogue.models[0].id]


def jump(wall: Callable[[], float], chance: Random) -> float:
    """Return where a wall clock is set to: a step away from where it is, one of those moments, or right again."""
    return chance.choice([wall() + chance.choice(STEPS), chance.choice([*MOMENTS.values()]), NOON])


def jumpy(
    machine: Machine, make: Callable[[Machine, Source], Ask], chance: Random, jumps: int
) -> tuple[int, float]:
    """Return how many more requests than due two processes made while the wall clock jumped, and the oldest answer.

    It jumps while a request is under way, too.
    """
    server = Aged(machine)

    def answer() -> Catalogue:
        if chance.random() < 0.2:
            machine.wall.now = jump(machine.wall, chance)
        return server.answer()

    asks = [make(machine, FakeSource(answer, identity=IDENTITY)) for _ in range(2)]
    began, oldest = machine.clock.now, 0.0
    for _ in range(jumps):
        machine.wall.now = jump(machine.wall, chance)
        for _ in range(30):
            for ask in asks:
                held = ask()
                assert isinstance(held, Catalogue)
                oldest = max(oldest, server.age(held))
            machine.passes(LONG_TTL / 50)
    due = math.ceil((machine.clock.now - began) / (0.9 * LONG_TTL)) + 1
    return server.requests - len(asks) * due, oldest


def by_router(machine: Machine, source: Source) -> Ask:
    """Return how a router is asked; a refresh that the question began is waited for."""
    router = machine.router(source, ttl=LONG_TTL)

    def ask() -> Catalogue:
        _ = router.catalogue
        return settled(router).catalogue

    return ask


def by_wall(machine: Machine, source: Source) -> Ask:
    """Return how a cache is asked whose only clock is the wall clock; the twin of the router that must fail."""
    held: list[tuple[float, Catalogue]] = []

    def ask() -> Catalogue:
        if not held or machine.wall() >= held[-1][0] + LONG_TTL:
            catalogue = source.fetch(Deadline(10.0))
            held.append((machine.wall(), catalogue))
        return held[-1][1]

    return ask


@pytest.mark.parametrize("seeds", [5, at_length(300)])
def test_wall_clocks_that_jump(seeds: int) -> None:
    """T1: wherever the wall clock jumps, and whenever, no request is made that is not due, and no answer gets old."""
    found = [
        jumpy(Machine(random=seeded(seed).random), by_router, seeded(seed), 40)
        for seed in range(seeds)
    ]

    assert max(more for more, _ in found) <= 0
    assert max(oldest for _, oldest in found) <= 1.1 * LONG_TTL + LONG_TTL / 50


@pytest.mark.parametrize("seeds", [5, at_length(200)])
def test_wall_clocks_that_jump_with_a_cache(tmp_path: Path, seeds: int) -> None:
    """T1: so it is with a catalogue on disk, which is taken for new once more if the clock is set to when it was.

    No clock but that one is known to two processes; what it costs is one more lifetime, and what clocks may differ.
    """
    found = [
        jumpy(Machine(tmp_path / str(seed), seeded(seed).random), by_router, seeded(seed), 40)
        for seed in range(seeds)
    ]

    assert max(more for more, _ in found) <= 0
    assert max(oldest for _, oldest in found) <= 2 * 1.1 * LONG_TTL + SKEW + LONG_TTL / 50


def test_a_cache_by_the_wall_clock_gets_old() -> None:
    """T1: the age tells a cache that is dated by the wall clock."""
    assert jumpy(Machine(), by_wall, seeded(1), 40)[1] > 3 * LONG_TTL + SKEW


def test_a_cache_by_the_wall_clock_storms() -> None:
    """T1: the requests tell it, too, where each jump goes forward."""
    machine = Machine()
    source = FakeSource(SIX)
    ask = by_wall(machine, source)
    for _ in range(40):
        machine.wall.now += DAY
        ask()

    assert source.fetches == 40


@pytest.mark.parametrize("step", [-DAY, -HOUR, -HOUR + MINUTE, HOUR, DAY])
def test_a_wall_clock_that_jumps_in_an_outage(tmp_path: Path, step: float) -> None:
    """T1: a failure that the disk remembers holds for an hour at most, whatever becomes of the wall clock."""
    machine = Machine(tmp_path / "cache")
    server = Server()
    process = of_router(machine, server.source())
    process.select()
    server.up = False
    machine.passes(1.1 * TTL)
    for _ in range(100):
        process.select()
        process.settle()
        machine.passes(1)
    machine.wall.now += step
    server.up = True

    for _ in range(int(HOUR) // 10 + 7):
        process.select()
        process.settle()
        machine.passes(10)
    assert process.is_well()


# Suspended, and started together


def elsewhen(clock: str) -> float:
    """Return that clock's reading in a process of a machine that has slept for a day more than this one."""
    code = f"import time\nfrom router.refresh._deadline import CLOCK\nprint({clock}())"
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare")
    command = [
        unshare,
        "--user",
        "--map-root-user",
        "--time",
        "--boottime",
        str(int(DAY)),
        "--fork",
    ]
    run = subprocess.run(  # noqa: S603 - our own text
        [*command, sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if run.returncode:
        pytest.skip(f"no clock of its own: {run.stderr.strip()[-80:]}")
    return float(run.stdout)


def test_sleep_counts() -> None:
    """T2: the clock that ages what is held counts the time in which the machine sleeps."""
    before = CLOCK()

    assert elsewhen("CLOCK") - before >= DAY


def test_sleep_does_not_count_for_the_monotonic_clock() -> None:
    """T2: the difference tells a clock that stands still meanwhile."""
    before = time.monotonic()

    assert elsewhen("time.monotonic") - before < DAY


BINS = 20
CHI_SQUARED = 43.8
"""What the statistic of twenty bins of equals exceeds once in a thousand."""


def spread(moments: Sequence[float], low: float, high: float) -> float:
    """Return how far moments are from being spread evenly between two: the statistic of Pearson's test."""
    bins = Counter(
        min(BINS - 1, max(0, int(BINS * (each - low) / (high - low)))) for each in moments
    )
    expected = len(moments) / BINS
    return sum((bins[at] - expected) ** 2 / expected for at in range(BINS))


def next_refreshes(routers: Iterator[Router]) -> list[float]:
    """Return in how many seconds each is due."""
    due = [router.status().next_refresh for router in routers]
    return [each for each in due if each is not None]


@pytest.mark.parametrize("processes", [1000, pytest.param(10_000, marks=pytest.mark.long)])
def test_what_began_together_drifts_apart(processes: int) -> None:
    """T5: processes that fetched together are due evenly over a tenth of `ttl` on either side."""
    machine = Machine(random=seeded(5).random)

    def routers() -> Iterator[Router]:
        source = FakeSource(SIX)
        for _ in range(processes):
            router = machine.router(source)
            router.refresh()
            yield router

    with no_threads():
        due = next_refreshes(routers())

    assert len(due) == processes
    assert spread(due, 0.9 * TTL, 1.1 * TTL) < CHI_SQUARED


def test_what_was_read_together_drifts_apart(tmp_path: Path) -> None:
    """T5: so are those that found one catalogue on disk, reckoned from when it was fetched."""
    machine = Machine(tmp_path / "cache", seeded(55).random)
    machine.router(FakeSource(SIX, identity=IDENTITY)).refresh()
    machine.passes(0.5 * TTL)

    due = next_refreshes(machine.router(FakeSource(SIX, identity=IDENTITY)) for _ in range(1000))

    assert spread(due, 0.4 * TTL, 0.6 * TTL) < CHI_SQUARED


def test_what_failed_together_drifts_apart() -> None:
    """T5: and those that failed together try again at moments of their own."""
    machine = Machine(random=seeded(555).random)

    def routers() -> Iterator[Router]:
        for _ in range(1000):
            router = machine.router(FakeSource(SIX, DOWN))
            router.refresh()
            with pytest.raises(CatalogueUnavailableError):
                router.refresh()
            yield router

    with no_threads():
        due = next_refreshes(routers())

    assert spread(due, 4.0, 5.0) < CHI_SQUARED


@pytest.mark.parametrize("jitter", [0.0, 0.05, 0.09])
def test_what_stays_together_is_seen(jitter: float) -> None:
    """T5: the statistic tells processes that keep step, and those that drift less."""
    chance = seeded(1)

    due = [TTL * chance.uniform(1 - jitter, 1 + jitter) for _ in range(10_000)]

    assert spread(due, 0.9 * TTL, 1.1 * TTL) > CHI_SQUARED
