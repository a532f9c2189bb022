"""Cold starts: whole processes, compiled in advance, over a bare interpreter started right beside."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import router
from benchmarks.timing import Figure, figure

_PAIRS: Final = 15
_BARE: Final = ("-c", "pass")
_ANSWER: Final = "import router; router.Router(router.BundledSource()).select('pdf_input')"
_PROGRAMS: Final[Mapping[str, tuple[tuple[str, ...], float | None]]] = {
    "import router": (("-c", "import router"), 1.3),
    "import router, and the first answer": (("-c", _ANSWER), 6.5),
    "the whole command, `router select pdf_input`": (
        ("-c", "from router.cli import main; main()", "select", "pdf_input"),
        12,
    ),
    "import attrs": (("-c", "import attrs"), None),
    "import attrs, click": (("-c", "import attrs, click"), None),
}
_PEERS: Final = {"anthropic": 20.0, "litellm": None, "openai": None}


def figures() -> Iterator[Figure]:
    """Measure each program against a bare start, and against the import of the SDK."""
    directory = str(Path(router.__file__).parent)
    compileall.compile_dir(directory, quiet=1)
    ours: dict[str, Figure] = {}
    for name, (arguments, target) in _PROGRAMS.items():
        ours[name] = _over_bare(name, arguments, target)
        yield ours[name]
    answer = ours["import router, and the first answer"]
    for peer, target in _PEERS.items():
        if find_spec(peer) is None:
            continue
        theirs = _over_bare(f"import {peer}", ("-c", f"import {peer}"), None, pairs=3)
        yield theirs
        ratio = (theirs.median - 1) / (answer.median - 1)
        yield figure(
            f"import {peer} over our import and first answer, bare start apart",
            [ratio],
            unit="times",
            target=target,
            at_least=True,
        )


def _over_bare(name: str, arguments: tuple[str, ...], target: float | None, pairs: int = _PAIRS) -> Figure:
    _seconds(arguments)
    ratios = [_seconds(arguments) / _seconds(_BARE) for _ in range(pairs)]
    return figure(name, ratios, unit="bare starts", target=target)


def _seconds(arguments: tuple[str, ...]) -> float:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ANTHROPIC_"))}
    environment |= {"PYTHONPATH": str(Path(router.__file__).parent.parent), "LITELLM_LOCAL_MODEL_COST_MAP": "true"}
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)  # noqa: S603 - our own
    return time.perf_counter() - start
