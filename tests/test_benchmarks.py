"""The benchmarks: a quick run needs no optional package, prints every row, and fails if one is missing."""

import gc
import sys
from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from typing import Any

import locations
import pytest
from attrs import evolve

from router import Catalogue

ROOT = str(locations.ROOT)


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Import the package `benchmarks` of the checkout; the router stays the one that is installed."""
    sys.path.append(ROOT)
    try:
        yield import_module("benchmarks.__main__")
    finally:
        sys.path.remove(ROOT)


def module(name: str) -> Any:
    """Return a module of the benchmarks."""
    return import_module(f"benchmarks.{name}")


@pytest.fixture(scope="module")
def tiny(bench: Any) -> Any:
    """Return the scale of a run that measures almost nothing."""
    return evolve(
        bench.QUICK,
        rounds=2,
        seconds=0.0001,
        few=2,
        repeated=2,
        drawn=60,
        growth=(30, 300),
        held=10,
        asked=10,
        answers=800,
        starts=2,
    )


@pytest.fixture(scope="module")
def figures(bench: Any, tiny: Any) -> list[Any]:
    """Return the figures of a tiny run: each program of the cold starts runs once, and counts as often as needed."""
    starts = module("starts")
    parts = {**bench.PARTS, "starts": partial(starts.figures, seconds=cache(starts.seconds))}
    return [figure for part in parts.values() for figure in part(tiny)]


def printed(bench: Any, tiny: Any, figures: list[Any]) -> int:
    """Return the exit status of a quick run with these figures."""
    status: int = bench.main(["--quick"], parts={"recorded": lambda _: iter(figures)}, scale=tiny)
    return status


def test_a_quick_run(
    bench: Any, tiny: Any, figures: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A quick run measures every row, prints each, and ends well; no row needs an optional package."""
    rows = bench.expected(is_quick=True)
    assert {(each.name, each.at.name) for each in figures} == {(row.name, row.on) for row in rows}
    assert {row.packages for row in rows} == {()}

    assert printed(bench, tiny, figures) == 0
    out, err = capsys.readouterr()
    assert all(any(line.startswith(row.name) for line in out.splitlines()) for row in rows)
    assert err == ""


def test_a_missing_row(
    bench: Any, tiny: Any, figures: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that lacks any one row ends with status 1, and names the row."""
    for at, left_out in enumerate(figures):
        status = printed(bench, tiny, figures[:at] + figures[at + 1 :])

        assert status == 1
        assert capsys.readouterr().err == f"missing: {bench.Row(left_out.name, left_out.at.name)}\n"


def test_a_row_that_is_not_listed(
    bench: Any, tiny: Any, figures: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A row that is measured but not listed ends the run with status 1: its loss would go unnoticed."""
    status = printed(bench, tiny, [*figures, evolve(figures[0], name="other()")])

    assert status == 1
    assert capsys.readouterr().err == "not listed in benchmarks/rows.py: other() (bundled)\n"


def test_a_wrong_answer(bench: Any, tiny: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A run in which an answer is wrong ends with status 1, and says which."""

    def wrong(_: Any) -> Iterator[Any]:
        module("questions").hold("pdf_input", "claude-1", "claude-2")
        yield from ()

    assert bench.main(["--quick"], parts={"wrong": wrong}, scale=tiny) == 1
    assert capsys.readouterr().err == "wrong answer: pdf_input: claude-1, not claude-2\n"


def test_a_package_that_is_not_installed(bench: Any) -> None:
    """A full run leaves out the rows of a package that is not installed, and no other."""
    rows = bench.expected(is_quick=False)

    left_out = module("rows").left_out(rows, lambda package: package != "numpy")

    assert {str(row) for row in left_out} == {"masks: numpy (bundled)", "masks: numpy (LiteLLM)"}
    assert all(packages == ["numpy"] for packages in left_out.values())


@pytest.mark.usefixtures("bench")
def test_a_large_listing_is_read() -> None:
    """The listing of a large catalogue comes in pages that the library's own limits let pass."""
    reading, entries = module("reading"), module("catalogues").drawn_entries(2_001)

    pages = reading.pages_of(entries)

    assert len(pages) == 3
    assert len(reading.read(pages)) == 2_001


def test_sizes_are_counted(figures: list[Any]) -> None:
    """A row names the number of models that its catalogue has."""
    sizes = {(each.at.name, each.at.size) for each in figures}

    assert sizes == {
        ("", ""),
        ("bundled", str(len(Catalogue.bundled()))),
        ("drawn", "60"),
        ("drawn", "30"),
        ("drawn", "300"),
        ("drawn", "30 to 300"),
    }


def test_a_spread_has_samples(figures: list[Any]) -> None:
    """Whatever is timed is timed more than once; only sizes of memory are taken once, and have no quartiles."""
    once = {each.unit for each in figures if len(each.samples) < 2}

    assert once == {"bytes"}
    assert all((each.quartiles is None) == (each.unit == "bytes") for each in figures)


def test_the_collector_is_on(tiny: Any) -> None:
    """A statement is timed with the garbage collector on, as in an application."""
    timing, seen = module("timing"), set[bool]()

    timing.timed(
        [timing.Job("a job", "seen.add(is_on())", {"seen": seen, "is_on": gc.isenabled})], tiny
    )

    assert seen == {True}
