"""Instruction counts of key operations under callgrind: repeatable to the last digits, unlike seconds.

`python -m benchmarks.instructions` holds the counts to those of `instructions.json`, within a
twentieth, for the Python that they were taken with; `--write` takes them anew.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("instructions.json")
_WITHIN: Final = 0.05
_TURNS: Final = (200, 400)
"""The difference between two runs leaves out all that is done once."""

_SETUP: Final = """
import gc, sys
from router import Catalogue, Router, StaticSource, require
from router.requirements._parser import parse
catalogue = Catalogue.bundled()
text = "thinking.adaptive and effort >= high and pdf_input and max_input_tokens >= 200k"
requirement = require(text)
router = Router(StaticSource(catalogue), clock=lambda: 1.0)
pick = router.selector(requirement)
entries = [dict(model.entry) for model in catalogue]
pick(), router.select(text), catalogue.explain(text), Catalogue.from_listing(entries)
gc.disable()
for _ in range(int(sys.argv[1])):
    {operation}
"""
_OPERATIONS: Final = {
    "pick": "pick()",
    "select, warm": "router.select(text)",
    "select, compiled": "catalogue.answers.clear(); catalogue.select(requirement)",
    "parse": "parse.cache_clear(); parse(text)",
    "read the bundled listing": "Catalogue.from_listing(entries)",
}


def count(operation: str) -> int:
    """Return the instructions of one turn of an operation."""
    few, many = (_total(operation, turns) for turns in _TURNS)
    return round((many - few) / (_TURNS[1] - _TURNS[0]))


def _total(operation: str, turns: int) -> int:
    program = _SETUP.replace("{operation}", operation)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")
    }
    with tempfile.TemporaryDirectory() as directory:
        run = subprocess.run(  # noqa: S603 - our own
            [  # noqa: S607 - wherever it is installed
                "valgrind",
                "--tool=callgrind",
                f"--callgrind-out-file={directory}/out",
                sys.executable,
                "-c",
                program,
                str(turns),
            ],
            env=environment | {"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"Collected : (\d+)", run.stderr)
    if found is None:
        raise SystemExit(f"callgrind says nothing of instructions:\n{run.stderr}")
    return int(found[1])


def main() -> int:
    """Compare, or write; returns the status of the command."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    counts = {name: count(operation) for name, operation in _OPERATIONS.items()}
    if sys.argv[1:] == ["--write"]:
        _FILE.write_text(
            json.dumps({"python": version, "instructions": counts}, indent=2) + "\n",
            encoding="utf-8",
        )
        return 0
    kept = json.loads(_FILE.read_text(encoding="utf-8"))
    if kept["python"] != version:
        print(
            f"the counts were taken with Python {kept['python']}, this is {version}: nothing to compare"
        )
        return 1
    status = 0
    for name, instructions in counts.items():
        change = instructions / kept["instructions"][name] - 1
        if change > _WITHIN:
            status = 1
        print(
            f"{name:30} {instructions:>12,} instructions {change:+7.1%} {'WORSE' if change > _WITHIN else ''}".rstrip()
        )
    return status


if __name__ == "__main__":
    raise SystemExit(main())
