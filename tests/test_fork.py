"""Fork: what holds in a child, however it came to be."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

RAW = """if True:
    import ctypes, os, sys, threading
    from router import BundledSource, Router
    from router._fork import fork_lock

    router = Router(BundledSource())
    router.select()
    held, over = threading.Event(), threading.Event()

    def hold():
        with fork_lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = ctypes.PyDLL(None).fork()  # the GIL is held, and no hook of Python's is called
    if not child:
        if sys.argv[1] == "hook":
            ctypes.pythonapi.PyOS_AfterFork_Child()
        os._exit(0 if fork_lock.acquire(timeout=0.5) and router.refresh() else 1)
    over.set()
    thread.join()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it forks with the C library")
@pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="Python itself ends such a child since 3.13"
)
@pytest.mark.parametrize(("hook", "status"), [("hook", 0), ("no hook", 1)])
def test_forks_that_ask_nobody_before(hook: str, status: int) -> None:
    """C7: where only the child is told of a fork, as under uWSGI, no lock of the parent's threads is left in it."""
    run = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", RAW, hook], capture_output=True, text=True, timeout=30.0, check=True
    )

    assert (json.loads(run.stdout), run.stderr) == (status, "")
