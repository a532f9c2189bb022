"""What the tests of processes do in processes of their own: `python process_worker.py COMMAND '{"argument": ...}'`.

An argument `naive` puts in place of the library who thinks of no faults: the twin that must fail.
"""

from __future__ import annotations

import asyncio
import atexit
import difflib
import json
import locale
import logging
import multiprocessing
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from canary import KEY
from store_worker import limited, spawn

import router as package
from router import AnthropicSource, BundledSource, Router, UnknownModelError, UnknownNameError
from router._fork import end_thread, fork_lock
from router.refresh._late_imports import import_late

PRELOADED = (difflib,)
"""What the library imports late, when the process may have become a user who cannot read it."""

PATIENCE = 30.0
"""Seconds after which a process that waits for another gives up."""


def live(url: str, **arguments: Any) -> AnthropicSource:
    """Return the live source of that server."""
    return AnthropicSource(api_key=KEY, base_url=url, environ={}, **arguments)


def router_of(url: str, cache_dir: str | None = None, **arguments: Any) -> Router:
    """Return a router over that server, with a cache in that directory or none."""
    return Router(live(url), cache_dir=cache_dir or False, **arguments)


def name_of(call: Callable[[], object]) -> str:
    """Return the type of what the call returns or raises."""
    try:
        return type(call()).__name__
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return type(error).__name__


def tell(line: str) -> None:
    """Let who started this process know how far it has come."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


# Many processes


def storm(url: str, processes: int, cache_dir: str | None = None) -> dict[str, Any]:
    """Fork processes that all ask at one moment for what none of them has, and say what they answered."""
    import_late()
    (start, starting), (told, telling) = os.pipe(), os.pipe()

    def ask() -> None:
        os.close(starting)
        os.read(start, 1)
        router = router_of(url, cache_dir, random=lambda: 0.0)
        model = router.select()
        os.write(telling, f"{router.catalogue.source} {model.id}\n".encode())

    children = [spawn(ask) for _ in range(processes)]
    os.close(starting)
    broken = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    os.close(telling)
    with open(told, encoding="ascii") as file:
        answers = [line.split() for line in file]
    return {
        "sources": Counter(source for source, _ in answers),
        "models": sorted({model for _, model in answers}),
        "broken": broken,
    }


def load(url: str, cache_dir: str, deadline: float = 10.0) -> str:
    """Load a first catalogue, and say where it came from."""
    return router_of(url, cache_dir, deadline=deadline).catalogue.source


# Forks


class Unforked:
    """A loader whose lock is that of its parent, also in a child."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._lock = threading.Lock()

    def refresh(self) -> object:
        """Fetch, one thread at a time."""
        with self._lock:
            return self._router.refresh()

    def select(self) -> object:
        """Answer when nobody fetches."""
        with self._lock:
            return self._router.select()


def told_by_a_child(
    work: Callable[[], str], seconds: float, fork: Callable[[], int] = os.fork
) -> str:
    """Return what the work says in a child: "hung" where that is nothing in so many seconds, "broken" if it ends."""
    told, telling = os.pipe()
    child = spawn(lambda: os.write(telling, work().encode()), fork)
    os.close(telling)
    said = (
        os.read(told, 100).decode() or "broken"
        if select.select([told], [], [], seconds)[0]
        else "hung"
    )
    if said == "hung":
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)
    return said


def told_by_a_process(work: Callable[[], str], seconds: float) -> str:
    """Do the same with a process of `multiprocessing`."""
    context = multiprocessing.get_context("fork")
    told, telling = context.Pipe(duplex=False)
    process = context.Process(target=lambda: telling.send(work()))
    process.start()
    said = str(told.recv()) if told.poll(seconds) else "hung"
    process.kill() if said == "hung" else process.join()
    return said


@contextmanager
def under_way(begin: Callable[[], object], begun: threading.Event) -> Iterator[None]:
    """Let a thread do that while the body runs, and wait until it says that it has begun."""
    threading.Thread(target=begin, daemon=True).start()
    assert begun.wait(PATIENCE)
    yield


def fork_while_fetching(
    url: str,
    forks: int,
    *,
    cache_dir: str | None = None,
    patience: float = 2.0,
    naive: bool = False,
    multiprocess: bool = False,
) -> dict[str, int]:
    """Hold a catalogue, fork while another is being fetched, and count what becomes of a child's answer and refresh."""
    begun = threading.Event()
    router = Router(
        live(url, page_size=20),
        cache_dir=cache_dir or False,
        deadline=60.0,
        progress=lambda _: begun.set(),
    )
    router.refresh()
    begun.clear()
    asked = Unforked(router) if naive else router

    def work() -> str:
        asked.select()
        return name_of(asked.refresh)

    told = told_by_a_process if multiprocess else told_by_a_child
    with under_way(lambda: name_of(asked.refresh), begun):
        return Counter(told(work, patience) for _ in range(forks))


def fork_at_random(
    url: str,
    *,
    forks: int = 0,
    seconds: float = PATIENCE,
    patience: float = 2.0,
    naive: bool = False,
) -> dict[str, int]:
    """Fork while one thread fetches and another asks again and again, so many times or for so many seconds."""
    router = router_of(url)
    router.refresh()
    asked = Unforked(router) if naive else router
    begun = threading.Event()

    def for_ever() -> None:
        while True:
            asked.refresh()
            begun.set()

    def work() -> str:
        asked.select()
        return name_of(asked.refresh)

    said: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    with under_way(for_ever, begun):
        while said.total() < forks if forks else time.monotonic() < ends:
            said[told_by_a_child(work, patience)] += 1
    return said


def fork_at_once(
    url: str, *, forks: int = 0, seconds: float = PATIENCE, patience: float = 2.0
) -> dict[str, int]:
    """Ask a new router, and fork at once, while the thread that brought the answer is still ending."""
    said: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    while said.total() < forks if forks else time.monotonic() < ends:
        router = router_of(url)
        router.select()
        said[told_by_a_child(lambda: name_of(router.refresh), patience)] += 1  # noqa: B023 - done within the turn
    return said


def fork_beside_an_end(lasts: float, *, naive: bool = False) -> dict[str, bool]:
    """Fork beside a thread that takes so long to end, and say whether it has, and whether the fork took a while."""
    begun = threading.Event()

    def end() -> None:
        if not naive:
            end_thread()
        begun.set()
        time.sleep(lasts)

    with under_way(end, begun):
        thread = threading.enumerate()[-1]
        began = time.monotonic()
        os.waitpid(spawn(lambda: None), 0)
        return {"ended": not thread.is_alive(), "waited": time.monotonic() - began > 0.15}


def fork_while_locked(url: str, *, of_source: bool, naive: bool = False) -> str:
    """Fork while another thread holds a lock of the loader or of its source, and say what a child's use of it gives."""
    source = live(url)
    router = Router(source, cache_dir=False)
    router.refresh()
    fork_lock = Unforked(router)
    lock = fork_lock._lock if naive else source._lock if of_source else router._loader._lock
    begun = threading.Event()

    def hold() -> None:
        with lock:
            begun.set()
            time.sleep(PATIENCE)

    use: Callable[[], object] = router.refresh
    if of_source:
        use = partial(source.retrieve, router.select().id)
    if naive:
        use = fork_lock.refresh
    with under_way(hold, begun):
        return told_by_a_child(lambda: name_of(use), 2.0)


def fork_in_a_handler(url: str, *, patience: float = PATIENCE, naive: bool = False) -> str:
    """Fork in a signal's handler that has stopped its thread under the lock of forks.

    Says what a refresh gives in the child once that has left the handler and the lock, and then in its parent.
    """
    router = router_of(url)
    lock = threading.Lock() if naive else fork_lock
    if naive:
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )

    def fork() -> int:
        forked: list[int] = []
        signal.signal(signal.SIGUSR1, lambda *_: forked.append(os.fork()))
        with lock:
            signal.raise_signal(signal.SIGUSR1)
        return forked[0]

    def work() -> str:
        return f"{told_by_a_child(lambda: name_of(router.refresh), patience / 2, fork)} {name_of(router.refresh)}"

    return told_by_a_child(work, patience)


# The end of a process


def leave(url: str | None = None, *, naive: bool = False) -> str:
    """Begin a refresh that nobody waits for, and leave when the standard input ends."""
    if url is not None and naive:
        threading.Thread(target=httpx.get, args=[url], kwargs={"timeout": 60.0}).start()
    elif url is not None:
        import_late()
        router = router_of(url, deadline=60.0)

        async def read() -> str:
            return router.catalogue.source

        assert asyncio.run(read()) == "bundled"
        assert router.status().refreshing
    tell("ready")
    sys.stdin.read()
    return "left"


def interrupted(url: str, *, naive: bool = False) -> dict[str, Any]:
    """Wait for a first catalogue until interrupted, then once more, and say what came of it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    router = router_of(url, deadline=60.0)
    caught = False
    try:
        if naive:
            with suppress(BaseException):
                router.select()
        else:
            router.select()
    except KeyboardInterrupt:
        caught = True
    tell("interrupted")
    sys.stdin.read()
    router.refresh()
    return {"caught": caught, "then": router.catalogue.source}


def last_refresh(url: str, deadline: float, *, naive: bool = False) -> None:
    """Refresh when the interpreter ends."""
    router = router_of(url, deadline=deadline)
    pool = ThreadPoolExecutor()
    refresh = (lambda: pool.submit(router.refresh).result()) if naive else router.refresh
    atexit.register(lambda: tell(json.dumps(name_of(refresh))))


def without_threads(url: str, uid: int | None) -> dict[str, str]:
    """Ask where no thread can be started: under a limit on processes, which does not bind the superuser."""
    import_late()
    router = router_of(url)
    become(uid)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return {
        "thread": name_of(threading.Thread(target=time.time).start),
        "source": router.catalogue.source,
        "refresh": name_of(router.refresh),
    }


# Surroundings


def become(uid: int | None) -> None:
    """Become another user, if one is given."""
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)


def prepared(
    uid: int | None = None, tempdir: str | None = None, cwd: str | None = None, **_: Any
) -> None:
    """Import what is imported late, which the other user may not be able to read, and go to such surroundings."""
    import_late()
    tempfile.tempdir = tempdir
    os.chdir(cwd or os.curdir)
    become(uid)


def answers(
    url: str,
    cache_dir: str | None,
    *,
    shut: bool = False,
    **surroundings: Any,
) -> dict[str, Any]:
    """Ask every kind of source what it knows, in such surroundings; `shut` says that nothing can be kept on disk."""
    prepared(**surroundings)
    routers = {
        "bundled": Router(BundledSource()),
        "live": Router(live(url), cache_dir=cache_dir),
        "again": Router(live(url), cache_dir=cache_dir),
    }
    sources = {name: router.catalogue.source for name, router in routers.items()}
    assert sources == {"bundled": "bundled", "live": "live", "again": "live" if shut else "disk"}, (
        sources
    )
    return {
        "bundled": all_of(routers["bundled"], "effort.max and pdf_input"),
        "live": all_of(routers["live"], "pdf_input"),
        "again": all_of(routers["again"], "pdf_input"),
    }


def all_of(router: Router, requirement: str) -> dict[str, Any]:
    """Return what a router says of a requirement, of a name nobody knows, and of a model that is not there."""
    unknown: list[str] = []
    for ask in (
        lambda: router.select("pdf_imput"),
        lambda: router.supports("claude-none", "pdf_input"),
    ):
        try:
            ask()
        except (UnknownNameError, UnknownModelError) as error:
            unknown.append(str(error))
    return {
        "digest": router.catalogue.digest,
        "model": router.select(requirement).id,
        "candidates": [model.id for model in router.candidates(requirement)],
        "why": str(router.explain(requirement)),
        "unknown": unknown,
    }


def careless(
    url: str,
    cache_dir: str | None,
    **surroundings: Any,
) -> dict[str, Any]:
    """Answer in the same surroundings as who takes for granted what each of them takes away."""
    prepared(**surroundings)
    socket.socket()
    here = Path(package.__file__).parent
    if not os.access(here, os.W_OK):
        raise PermissionError(here)
    notes = Path(cache_dir or os.environ["HOME"], f"careless-{os.getpid()}")
    notes.touch()
    notes.unlink()
    with tempfile.TemporaryFile() as file:
        file.write((here / "data" / "bundled.json").read_bytes())
    "\N{ROCKET}".encode(locale.getpreferredencoding(do_setlocale=False))
    try:
        assert not url
    except AssertionError:
        return {"any": next(iter({f"claude-{at}" for at in range(100)}))}
    return {}


# Resources


def starved(
    url: str, free: int, *, cache_dir: str | None = None, naive: bool = False, cold: bool = False
) -> dict[str, Any]:
    """Refresh and select with so few files to be had, and say how that went, and how it goes afterwards."""
    import_late()
    router = router_of(url, cache_dir, random=lambda: 0.0)
    if not cold:
        router.refresh()
    plain = partial(httpx.get, f"{url}/v1/models?limit=1000", headers={"x-api-key": KEY})
    refresh = plain if naive else router.refresh
    with limited(("NOFILE", free)):
        refreshed = name_of(refresh)
        selected = name_of(router.select)
    return {"refreshed": refreshed, "selected": selected, "then": router.refresh().source}


def short_of_memory(url: str, kib: int) -> dict[str, Any]:
    """Select what is due for renewal with so little memory to be had, and say how that went, and how it goes then."""
    import_late()
    now = [0.0]
    router = router_of(url, random=lambda: 0.0, clock=lambda: now[0])
    router.refresh()
    router.select("pdf_input")
    now[0] += 4000.0
    with limited(("AS", 32 * 2**20)):
        ballast: list[bytes | None] = []
        for size in (2**20, 2**16, 2**13, 2**10, 400, 64):
            with suppress(MemoryError):
                while True:
                    ballast.append(bytes(size))
        freed, at = 0, len(ballast)
        while freed < kib * 1024:
            at -= 1
            freed += len(ballast[at] or b"") + 33
            ballast[at] = None
        selected = name_of(lambda: router.select("pdf_input"))
        del ballast
    return {"selected": selected, "then": router.refresh().source}


def memory() -> dict[str, int]:
    """Return the memory of this process in bytes: in use now, and at its peak."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    kib = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in lines)
        if name[:2] == "Vm"
    }
    return {"now": kib["VmRSS"] * 1024, "peak": kib["VmHWM"] * 1024}


def grow(url: str, *, naive: bool = False) -> dict[str, Any]:
    """Refresh once, and say how it ended, by how much the memory of this process grew, and to what."""
    import_late()
    router = router_of(url, random=lambda: 0.0, deadline=60.0)
    before = memory()["now"]
    ended = name_of((lambda: httpx.get(url).read()) if naive else router.refresh)
    peak = memory()["peak"]
    return {
        "ended": ended,
        "failures": router.status().failures,
        "grown": peak - before,
        "peak": peak,
    }


# Imports


def constructs(*, naive: bool = False) -> list[str]:
    """Return what making sources and routers asks of the system, as an audit hook sees it."""
    import_late()
    seen: list[str] = []
    listening = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event.partition(".")[0] in {
            "open",
            "os",
            "socket",
            "subprocess",
            "shutil",
            "tempfile",
        }:
            seen.append(f"{event} {arguments[:1]}")

    sys.addaudithook(hook)
    with Router(live("https://gateway.example")) as one, Router(BundledSource()) as other:
        built = [one, other]
        if naive:
            other.select()
    listening = False
    assert built
    return seen


COMMANDS: dict[str, Callable[..., Any]] = {
    command.__name__: command
    for command in (
        storm,
        load,
        fork_while_fetching,
        fork_at_random,
        fork_at_once,
        fork_beside_an_end,
        fork_while_locked,
        fork_in_a_handler,
        leave,
        interrupted,
        last_refresh,
        without_threads,
        answers,
        careless,
        starved,
        short_of_memory,
        grow,
        constructs,
    )
}


def main() -> None:
    """Run the command, and print what it returns."""
    logging.getLogger("router").addHandler(logging.NullHandler())
    tell(json.dumps(COMMANDS[sys.argv[1]](**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
