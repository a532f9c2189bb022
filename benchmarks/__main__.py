"""Measure the library, and the same work done in other ways: `python -m benchmarks`.

Most figures are in calls: how many times as long something takes as an empty function call, timed
right beside. Answers are checked before they are timed. The exit status is 1 if an answer is wrong or a
row is missing. `--quick` takes less than 40 seconds and needs no optional packages. A full run leaves
out the rows whose optional package is not installed, and names them.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from benchmarks import (
    against_litellm,
    alternatives,
    computed,
    everyday,
    growth,
    reading,
    starts,
    threads,
)
from benchmarks.questions import WrongAnswerError
from benchmarks.rows import Row, expected, left_out
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.timing import Figure

Part = Callable[[Scale], Iterator[Figure]]

PARTS: Final[Mapping[str, Part]] = {
    "everyday": everyday.figures,
    "computed": computed.figures,
    "reading": reading.figures,
    "threads": threads.figures,
    "alternatives": alternatives.figures,
    "litellm": against_litellm.figures,
    "middleware": everyday.middleware,
    "starts": starts.figures,
    "growth": growth.figures,
}
_INSTALL: Final = "pip install --group bench (pip 25.1 or later)"
_WIDTH: Final = 40
_DECADES: Final = 6


def main(
    arguments: list[str] | None = None,
    parts: Mapping[str, Part] = PARTS,
    scale: Scale | None = None,
) -> int:
    """Print every row, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="measure less, in less than 40 seconds"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")
    parser.add_argument(
        "--plot", action="store_true", help="also print a chart of the alternatives"
    )
    asked = parser.parse_args(arguments)
    scale = scale or (QUICK if asked.quick else FULL)
    rows = expected(is_quick=scale.is_quick)
    lacking = left_out(rows)
    _print_left_out(lacking)
    figures: list[Figure] = []
    try:
        for figure in _measured(parts, scale):
            figures.append(figure)
            if not asked.json:
                print(_line(figure), flush=True)
    except WrongAnswerError as error:
        print(f"wrong answer: {error}", file=sys.stderr)
        return 1
    _print_end(figures, as_json=asked.json, with_chart=asked.plot)
    return _check_rows(figures, [row for row in rows if row not in lacking])


def _measured(parts: Mapping[str, Part], scale: Scale) -> Iterator[Figure]:
    for part in parts.values():
        yield from part(scale)


def _print_left_out(lacking: Mapping[Row, list[str]]) -> None:
    if not lacking:
        return
    packages = sorted({package for each in lacking.values() for package in each})
    print(f"not installed: {', '.join(packages)}; install with: {_INSTALL}", file=sys.stderr)
    print(f"{len(lacking)} rows are left out:", file=sys.stderr)
    for row, needed in lacking.items():
        print(f"  {row}: needs {', '.join(needed)}", file=sys.stderr)


def _print_end(figures: list[Figure], *, as_json: bool, with_chart: bool) -> None:
    if as_json:
        print(json.dumps([_plain(each) for each in figures], indent=2))
        return
    print(f"\n{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    if with_chart:
        print("\n".join(_chart(figures)))


def _check_rows(figures: Iterable[Figure], rows: Iterable[Row]) -> int:
    """Return 1, and name the rows, if some are missing or not listed."""
    found = {(figure.name, figure.at.name) for figure in figures}
    wanted = {(row.name, row.on): row for row in rows}
    missing = [str(row) for key, row in wanted.items() if key not in found]
    unlisted = [str(Row(*key)) for key in sorted(found - wanted.keys())]
    for problem, names in (("missing", missing), ("not listed in benchmarks/rows.py", unlisted)):
        for name in names:
            print(f"{problem}: {name}", file=sys.stderr)
    return 1 if missing or unlisted else 0


def _line(figure: Figure) -> str:
    size = f"{figure.at.name} {figure.at.size}".strip()
    absolute = f"{figure.microseconds:,.2f} µs" if figure.microseconds is not None else ""
    spread = "{:,.2f} to {:,.2f}".format(*figure.quartiles) if figure.quartiles else ""
    bound = f"{'>=' if figure.at_least else '<='} {figure.target:g}" if figure.target else ""
    return (
        f"{figure.name:58} {size:24} {figure.median:14,.2f} {figure.unit:11} {spread:28} {absolute:>16}"
        f"  {bound:7} {figure.verdict:6} {figure.note}"
    ).rstrip()


def _plain(figure: Figure) -> dict[str, object]:
    """Return a figure as JSON has it."""
    return {
        "name": figure.name,
        "catalogue": figure.at.name,
        "models": figure.at.size,
        "unit": figure.unit,
        "median": figure.median,
        "quartiles": figure.quartiles,
        "samples": len(figure.samples),
        "microseconds": figure.microseconds,
        "target": figure.target,
        "at_least": figure.at_least,
        "verdict": figure.verdict,
        "note": figure.note,
    }


def _chart(figures: list[Figure]) -> Iterator[str]:
    """Draw the alternatives on the last catalogue, the fastest first, on a logarithmic scale."""
    kinds = ("memory: ", "masks: ", "scan: ", "query: ")
    ways = [each for each in figures if each.name.startswith(kinds)]
    last = ways[-1].at.name if ways else ""
    for way in sorted(
        (each for each in ways if each.at.name == last), key=lambda each: each.median
    ):
        bar = "█" * max(1, round(math.log10(max(way.median, 1)) / _DECADES * _WIDTH))
        yield f"{way.name:38} {bar} {way.median:,.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
