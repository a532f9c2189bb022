"""Measure the library against its targets and against every alternative: `python -m benchmarks`.

One table, or JSON for `--json`. Every figure is a ratio taken in this run; every way of answering is
held to brute force before it is timed. What is not installed is left out, and named.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from collections.abc import Callable, Iterator
from typing import Final

from attrs import asdict

from benchmarks import alternatives, ours, starts
from benchmarks.timing import Figure

_PARTS: Final[dict[str, Callable[[], Iterator[Figure]]]] = {
    "ours": ours.figures,
    "alternatives": alternatives.figures,
    "starts": starts.figures,
}
_WIDTH: Final = 40
_DECADES: Final = 6


def main() -> int:
    """Measure the parts asked for, and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(_PARTS)}; all of them by default")
    parser.add_argument("--json", action="store_true", help="print JSON, one document, at the end")
    parser.add_argument("--plot", action="store_true", help="print a chart of the alternatives besides, on a log scale")
    asked = parser.parse_args()
    unknown = sorted(set(asked.parts) - _PARTS.keys())
    if unknown:
        parser.error(f"no such part: {unknown[0]}; there are {', '.join(_PARTS)}")
    missing = alternatives.absent()
    if missing:
        print(f"not installed, and left out: {', '.join(missing)}", file=sys.stderr)
    found: list[Figure] = []
    for part in asked.parts or _PARTS:
        for figure in _PARTS[part]():
            found.append(figure)
            if not asked.json:
                print(_line(figure), flush=True)
    if asked.json:
        print(json.dumps([asdict(each) | {"verdict": each.verdict} for each in found], indent=2))
        return 0
    print(f"\n{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    if asked.plot:
        print("\n".join(_chart(found)))
    return 0


def _line(figure: Figure) -> str:
    spread = f"{figure.low:,.2f} to {figure.high:,.2f}"
    bound = f"{'>=' if figure.at_least else '<='} {figure.target:g}" if figure.target else ""
    return f"{figure.name:58} {figure.median:12,.2f} {figure.unit:11} {spread:24} {bound:9} {figure.verdict}".rstrip()


def _chart(figures: list[Figure]) -> Iterator[str]:
    """Draw every way of answering on the large catalogue, each column of the chart a tenfold of the one before."""
    ways = [each for each in figures if each.unit == "empty calls" and each.name.endswith(", 4,241")]
    named = {each.name.removesuffix(", 4,241"): each.median for each in ways}
    shown = {name: cost for name, cost in named.items() if name in alternatives.WAYS or name.startswith("router, ")}
    for name, cost in sorted(shown.items(), key=lambda each: each[1]):
        bar = "█" * max(1, round(math.log10(max(cost, 1)) / _DECADES * _WIDTH))
        yield f"{name:38} {bar} {cost:,.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
