"""What a refresh imports, it imports in its own thread: no read waits for that, and no fork cuts it in two."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import certifi
import pytest
from canary import KEY
from fake_api import FakeAPI, entries, serve

SHARED = """
import json, os, select, signal, sys, threading, time
import router._fork, router.refresh._late_imports
from contextlib import nullcontext
from router import AnthropicSource, Router

url, key, cache_dir, naive = json.loads(sys.argv[1])
offset = 0.0
clocks = {"clock": lambda: time.monotonic() + offset, "wall": lambda: time.time() + offset}
routed = Router(AnthropicSource(api_key=key, base_url=url, environ={}), cache_dir=cache_dir, **clocks)
began = time.perf_counter()

def seconds():
    return time.perf_counter() - began

def told_by_a_child(work, seconds):
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(telling, work().encode())
        os._exit(0)
    os.close(telling)
    said = os.read(told, 100).decode() if select.select([told], [], [], seconds)[0] else "hung"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return said
"""

RENEWING = """
first = routed.select().id
late = router.refresh._late_imports._LATE
missing = [name for name in late if name not in sys.modules]
offset = 4000.0
began = time.perf_counter()
if naive:
    router.refresh._late_imports.import_late()
assert routed.select().id == first
took = seconds()
while any(name not in sys.modules for name in late) or routed.status().refreshing:
    time.sleep(0.001)
print(json.dumps({"took": took, "whole": seconds(), "missing": missing, "failures": routed.status().failures}))
"""

FORKING = """
import logging
if naive:
    router.refresh._late_imports.importing = nullcontext()
threading.Thread(target=lambda: router.refresh._late_imports.import_late(fork_waits=True), daemon=True).start()
while "certifi" not in sys.modules:
    time.sleep(0.001)
began = time.perf_counter()
print(json.dumps({"said": told_by_a_child(lambda: routed.refresh().source, 2.0 if naive else 4.0), "took": seconds()}))
"""

SLOW = f"""
import logging, time
time.sleep(0.5)
logging.getLogger("certifi").debug("imported")
where = lambda: {certifi.where()!r}
"""
"""A `certifi` that takes its time and logs; where no variable names certificates, the child reads its file."""

PRELOADING = """
router._fork.IMPORTING = 60.0 if naive else 0.5
import forking
"""

FORKING_AT_IMPORT = """
import json, sys, threading, time
from __main__ import router, seconds, told_by_a_child
threading.Thread(target=lambda: router.refresh._late_imports.import_late(fork_waits=True), daemon=True).start()
while "certifi" not in sys.modules:
    time.sleep(0.001)
time.sleep(0.1)
print(json.dumps({"said": told_by_a_child(lambda: "begun", 4.0), "took": seconds()}), flush=True)
"""

HALF_IMPORTED = """
import importlib, sys, threading
from importlib.machinery import PathFinder
from router import BundledSource, Router

module, part, asks = sys.argv[1:]
reached, go_on = threading.Event(), threading.Event()

class Pausing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == part:
            spec = PathFinder.find_spec(name, path)
            execute = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (reached.set(), go_on.wait(50.0), execute(module))
            return spec

routed = Router(BundledSource())
ask = getattr(routed, asks)
if asks == "arefresh":
    import asyncio
    ask = lambda: asyncio.run(routed.arefresh())
sys.meta_path.insert(0, Pausing)
threading.Thread(target=importlib.import_module, args=(module,)).start()
try:
    assert reached.wait(50.0)
    print("answered" if ask() else "nothing")
finally:
    go_on.set()
"""


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with forty models."""
    with serve(entries(40)) as api:
        yield api


def said(
    script: str,
    api: FakeAPI,
    tmp_path: Path,
    modules: Mapping[str, str] = MappingProxyType({}),
    *,
    naive: bool = False,
    most: float = 60.0,
) -> Any:
    """Return what the script says in a process of its own, for which these modules are at hand."""
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="ascii")
    text = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{SHARED}\n{script}"
    arguments = json.dumps([api.url, KEY, str(tmp_path / "cache"), naive])
    run = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-W", "ignore", "-c", text, arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=most,
    )
    return json.loads(run.stdout.splitlines()[-1])


def renewed(api: FakeAPI, tmp_path: Path, *, naive: bool = False) -> float:
    """Return which part of its imports the read waited for that began the first renewal of a process."""
    said("routed.refresh(); print(1)", api, tmp_path)
    run = said(RENEWING, api, tmp_path, naive=naive)
    assert {"tenacity", "router.refresh._http"} <= {*run["missing"]}
    assert run["failures"] == 0
    return float(run["took"] / run["whole"])


def test_a_read_does_not_wait_for_imports(api: FakeAPI, tmp_path: Path) -> None:
    """C3: who has started from the disk is answered at once when that is stale, though nothing is imported yet."""
    assert any(renewed(api, tmp_path) < 0.2 for _ in range(3)), (
        "the best of three counts: others use this machine, too"
    )


def test_a_read_that_imports(api: FakeAPI, tmp_path: Path) -> None:
    """C3, the twin that must fail: a read that imports waits for most of it."""
    assert renewed(api, tmp_path, naive=True) > 0.3


def test_a_fork_waits_for_an_import(api: FakeAPI, tmp_path: Path) -> None:
    """C7: a fork waits until the thread of a flight has imported, also where that logs, and the child can refresh."""
    run = said(FORKING, api, tmp_path, {"certifi": SLOW})

    assert run["said"] == "live"
    assert run["took"] < 4.0


def test_a_fork_in_the_midst_of_an_import(api: FakeAPI, tmp_path: Path) -> None:
    """C7, the twin that must fail: the child waits for an import that nobody finishes."""
    assert said(FORKING, api, tmp_path, {"certifi": SLOW}, naive=True)["said"] == "hung"


@pytest.mark.parametrize("naive", [False, True], ids=["a while", "long"])
def test_a_fork_at_import(api: FakeAPI, tmp_path: Path, naive: bool) -> None:
    """C7: where the flight waits for what the forking thread imports, the fork does not wait for ever."""
    preload = {"certifi": "import forking", "forking": FORKING_AT_IMPORT}
    if naive:
        with pytest.raises(subprocess.TimeoutExpired):
            said(PRELOADING, api, tmp_path, preload, naive=True, most=3.0)
    else:
        assert said(PRELOADING, api, tmp_path, preload)["said"] == "begun"


@pytest.mark.parametrize(
    ("module", "part", "asks"),
    [
        ("asyncio", "asyncio.base_events", "select"),
        ("trio", "trio._core", "select"),
        ("trio", "trio._core", "arefresh"),
    ],
)
def test_another_thread_imports_an_event_loop(module: str, part: str, asks: str) -> None:
    """C6: while another thread has imported half of asyncio or trio, answers come as if it were not there."""
    run = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-W", "ignore", "-c", HALF_IMPORTED, module, part, asks],
        capture_output=True,
        text=True,
        check=False,
        timeout=60.0,
    )

    assert run.stdout == "answered\n", run.stderr
