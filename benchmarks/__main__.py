"""Time one question on the bundled catalogue, each way as a multiple of an empty call timed right beside it.

Run with `python -m benchmarks`. The answers of every way are checked to be the same before any is timed.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from timeit import Timer
from typing import Any

from router import Catalogue, require
from router.vocabulary import packaged

TEXT = "thinking.adaptive and effort.high and pdf_input and max_input_tokens >= 200k"
MINIMUM = 200_000
ROUNDS = 15
NUMBER = 2_000


def by_hand(entries: list[dict[str, Any]]) -> str | None:
    """Return the first entry, newest first, that meets the question, as a careful reader of the API would write it."""
    for entry in entries:
        capabilities = entry.get("capabilities") or {}
        if (
            entry.get("lifecycle", "active") == "active"
            and (capabilities.get("thinking", {}).get("types", {}).get("adaptive") or {}).get("supported") is True
            and (capabilities.get("effort", {}).get("high") or {}).get("supported") is True
            and (capabilities.get("pdf_input") or {}).get("supported") is True
            and (entry.get("max_input_tokens") or 0) >= MINIMUM
        ):
            return str(entry["id"])
    return None


def ratio(function: Callable[[], object]) -> tuple[float, float]:
    """Return the median multiple of an empty call, and its spread between the quartiles."""

    def empty() -> None:
        return None

    timed, floor = Timer(function), Timer(empty)
    ratios = [timed.timeit(NUMBER) / floor.timeit(NUMBER) for _ in range(ROUNDS)]
    low, median, high = statistics.quantiles(ratios, n=4)
    return median, high - low


def main() -> None:
    """Print the table."""
    entries = json.loads(packaged("bundled.json"))["data"]
    catalogue = Catalogue.bundled()
    requirement = require(TEXT)

    ways: dict[str, Callable[[], str | None]] = {
        "catalogue.select(requirement), warm": lambda: catalogue.select(requirement).id,
        "catalogue.select(text), warm": lambda: catalogue.select(TEXT).id,
        "a scan of the API's dicts, by hand": lambda: by_hand(entries),
        "requirement.matches(model), one model": lambda: str(requirement.matches(catalogue.models[0])),
    }
    answers = {way: function() for way, function in ways.items() if "matches" not in way}
    if len(set(answers.values())) != 1:
        raise SystemExit(f"the ways disagree: {answers}")
    print(f"{'':45} {'times an empty call':>20}")
    for way, function in ways.items():
        median, spread = ratio(function)
        print(f"{way:45} {median:14.1f} ± {spread:.1f}")


if __name__ == "__main__":
    main()
