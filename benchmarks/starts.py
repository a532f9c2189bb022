"""Cold starts: whole processes, compiled in advance, over a bare interpreter that is started right before."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import router
from benchmarks.rows import is_installed
from benchmarks.scale import Scale
from benchmarks.timing import TIMES, Figure

_BARE: Final = ("-c", "pass")
_ANSWER: Final = ("-c", "import router; router.Router(router.BundledSource()).select('pdf_input')")
_COMMAND: Final = ("-c", "from router.cli import main; main()")
_PROGRAMS: Final[dict[str, tuple[tuple[str, ...], float | None]]] = {
    "import router": (("-c", "import router"), 1.3),
    "import router, and the first answer": (_ANSWER, 6.5),
    "router select pdf_input": ((*_COMMAND, "select", "pdf_input"), 12.0),
    "router --version": ((*_COMMAND, "--version"), None),
}
_PEERS: Final = ("anthropic", "openai", "litellm")

Seconds = Callable[[tuple[str, ...]], float]
"""Runs a program of Python with these arguments, and returns how long it took."""


def seconds(arguments: tuple[str, ...]) -> float:
    """Run a program of Python to its end, and return how long it took."""
    removed = ("PYTHON", "ANTHROPIC_")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(removed)
    }
    environment |= {
        "PYTHONPATH": str(Path(router.__file__).parent.parent),
        "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    }
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)  # noqa: S603 - our own
    return time.perf_counter() - start


def figures(scale: Scale, seconds: Seconds = seconds) -> Iterator[Figure]:
    """Measure each program against a bare start, and the first answer against the imports of clients."""
    compileall.compile_dir(str(Path(router.__file__).parent), quiet=1)
    for name, (arguments, target) in _PROGRAMS.items():
        yield _over_bare(name, arguments, seconds, scale.starts, target)
    for peer in _PEERS if not scale.is_quick else ():
        if is_installed(peer):
            yield from _against(peer, seconds, scale.few)


def _over_bare(
    name: str, arguments: tuple[str, ...], seconds: Seconds, pairs: int, target: float | None
) -> Figure:
    seconds(arguments)
    ratios = [seconds(arguments) / seconds(_BARE) for _ in range(pairs)]
    return Figure(name, tuple(ratios), "bare starts", target=target)


def _against(peer: str, seconds: Seconds, pairs: int) -> Iterator[Figure]:
    """Measure the import of a client in turns with our first answer; a bare start is taken off both."""
    program = ("-c", f"import {peer}")
    seconds(program)
    starts = [(seconds(program), seconds(_ANSWER), seconds(_BARE)) for _ in range(pairs)]
    yield Figure(
        f"import {peer}", tuple(theirs / bare for theirs, _, bare in starts), "bare starts"
    )
    ratios = tuple((theirs - bare) / (ours - bare) for theirs, ours, bare in starts)
    yield Figure(f"import {peer}, over our import and first answer", ratios, TIMES, at_least=True)
