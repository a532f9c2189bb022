"""What the tests of the store do in processes of their own: `python store_worker.py COMMAND '{"argument": ...}'`."""

import json
import logging
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import platformdirs

from router.refresh._disk_cache import SharedFailure, Store, Stored, _encoded, _sealed, _sweep

IDENTITY = "0123456789abcdef" * 2 + "01234567"
MODELS = 20

PRELOADED = (platformdirs, tempfile)
"""What the store imports late, when the process may have become a user who cannot read it."""


def catalogue(generation: int) -> Stored:
    """Return a catalogue every part of which says of which generation it is."""
    padding = "x" * (generation % 997)
    entries = [
        {
            "id": f"claude-{at}",
            "generation": generation,
            "display_name": padding,
            "capabilities": {"pdf_input": True},
        }
        for at in range(MODELS)
    ]
    return Stored(entries, float(generation), {"etag": str(generation)})


def is_whole(stored: Stored | None) -> bool:
    """Return whether that is one catalogue, all of one generation."""
    return stored is not None and stored == catalogue(int(stored.fetched_at))


def write_in_place(path: str, stored: Stored) -> bool:
    """Write as who thinks of no faults: the twin of `Store.write` that must fail."""
    facts = {"fetched_at": stored.fetched_at, "validators": dict(stored.validators)}
    seal, head, _ = _sealed(_encoded(facts, stored.entries)).decode("ascii").split("\n", 2)
    with open(path, "w", encoding="ascii", opener=partial(os.open, mode=0o600)) as file:
        file.write(f"{seal}\n{head}\n")
        json.dump(stored.entries, file, separators=(",", ":"))
    return True


def writer_of(store: Store, *, naive: bool) -> Callable[[Stored], bool]:
    """Return the writer, or its naive twin."""
    return partial(write_in_place, store.path) if naive else store.write


def spawn(work: Callable[[], object], fork: Callable[[], int] = os.fork) -> int:
    """Do the work in a child; it ends with status 0 only if nothing was raised."""
    child = fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def write_for_ever(write: Callable[[Stored], bool], first: int, tell: int) -> NoReturn:
    """Tell that it begins, and write one generation after the other; a write that is refused ends the process."""
    generation = first
    os.write(tell, b".")
    while write(catalogue(generation)):
        generation += 1
    raise AssertionError("a write was refused")


def kill(
    directory: str, *, writers: int, kills: int, seed: int, naive: bool = False
) -> dict[str, Any]:
    """Kill writers at random moments of their writes, a reader looking after each kill, and count what went wrong."""
    began, random = time.monotonic(), Random(seed)  # noqa: S311 - moments, not secrets
    told, tell = os.pipe()
    store = Store(directory, IDENTITY)
    store.write(catalogue(0))
    write = writer_of(store, naive=naive)
    unreadable = interrupted = refused = done = 0
    while done < kills:
        children = [
            spawn(partial(write_for_ever, write, random.randrange(10**6), tell))
            for _ in range(writers)
        ]
        for _ in children:
            os.read(told, 1)
        time.sleep(random.uniform(0.0, 0.002 * (1 + writers)))
        for child in children:
            os.kill(child, signal.SIGKILL)
            if writers == 1:
                os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
            unreadable += not is_whole(store.read())
            done += 1
        refused += sum(not os.WIFSIGNALED(os.waitpid(child, 0)[1]) for child in children)
        interrupted += bool(temporary_files(directory))
    left_over = len(os.listdir(directory)) - 1
    return {
        "kills": done,
        "unreadable": unreadable,
        "interrupted": interrupted,
        "refused": refused,
        "left_over": left_over,
        "seconds": round(time.monotonic() - began, 1),
    }


def temporary_files(directory: str) -> list[str]:
    """Return the names of the files that writers have not finished."""
    return [name for name in os.listdir(directory) if name.endswith(".tmp")]


def crowd(
    directory: str,
    *,
    readers: int,
    writers: int,
    seconds: float,
    threads: bool,
    naive: bool = False,
) -> dict[str, int]:
    """Let readers read while writers write, and count the reads that are not one whole catalogue."""
    Store(directory, IDENTITY).write(catalogue(0))
    ends = time.monotonic() + seconds
    told, tell = os.pipe()

    def read() -> None:
        store, reads, bad = Store(directory, IDENTITY), 0, 0
        while time.monotonic() < ends:
            reads += 1
            bad += not is_whole(store.read())
        os.write(tell, f"{reads} {bad} 0 0\n".encode())

    def write(first: int) -> None:
        one, writes, refused = writer_of(Store(directory, IDENTITY), naive=naive), 0, 0
        while time.monotonic() < ends:
            refused += not one(catalogue(first + writes))
            writes += 1
        os.write(tell, f"0 0 {writes} {refused}\n".encode())

    work = [read] * readers + [partial(write, 10_000 * at) for at in range(writers)]
    if threads:
        sys.setswitchinterval(0.0001)
        running = [threading.Thread(target=one) for one in work]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        broken = 0
    else:
        broken = sum(os.waitpid(child, 0)[1] != 0 for child in [spawn(one) for one in work])
    os.close(tell)
    with open(told, encoding="ascii") as file:
        counts = [
            sum(column) for column in zip(*(map(int, line.split()) for line in file), strict=True)
        ]
    return {
        **dict(zip(("reads", "bad", "writes", "refused"), counts, strict=True)),
        "broken": broken,
    }


def take_turns(directory: str, *, processes: int, locked: bool = True) -> dict[str, int]:
    """Let processes hold the lock in turns, and count who held it while another did."""
    marker, told, tell = os.path.join(directory, "held"), *os.pipe()

    def hold() -> None:
        with (
            Store(directory, IDENTITY).locked(60.0)
            if locked
            else nullcontext(enter_result=True) as held
        ):
            overlaps = 0
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                overlaps = 1
            time.sleep(0.002)
            with suppress(FileNotFoundError):
                os.unlink(marker)
            os.write(tell, f"{int(held)} {overlaps}\n".encode())

    broken = sum(os.waitpid(child, 0)[1] != 0 for child in [spawn(hold) for _ in range(processes)])
    os.close(tell)
    with open(told, encoding="ascii") as file:
        counts = [
            sum(column) for column in zip(*(map(int, line.split()) for line in file), strict=True)
        ]
    return {**dict(zip(("held", "overlaps"), counts, strict=True)), "broken": broken}


def hold(directory: str) -> str:
    """Hold the lock until the standard input ends."""
    with Store(directory, IDENTITY).locked() as held:
        sys.stdout.write(f"{json.dumps(held)}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return "released"


def fork_while_holding(directory: str) -> dict[str, Any]:
    """Fork while holding the lock: the child leaves, tries for itself, and the parent still holds."""
    store, other = Store(directory, IDENTITY), Store(directory, IDENTITY)
    began = time.monotonic()
    with store.locked() as held:
        child = os.fork()
        if child:
            status = os.waitpid(child, 0)[1]
            with other.locked(0.0) as free:
                pass
    if not child:
        with other.locked(0.2) as taken:
            os._exit(int(taken))
    with other.locked(0.0) as free_then:
        pass
    return {
        "held": held,
        "taken_by_the_child": status != 0,
        "free_after_the_child": free,
        "free_at_the_end": free_then,
        "seconds": time.monotonic() - began,
    }


class Listener(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def probe(
    directory: str | None,
    *,
    uid: int | None = None,
    umask: int = 0o022,
    limit: tuple[str, int] | None = None,
    writes: int = 1,
    fetched_at: int = 2,
) -> dict[str, Any]:
    """Do everything that a loader does with a store, as that user, and say how it went; then without the limit."""
    os.umask(umask)
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    listener = Listener()
    logging.getLogger("router").addHandler(listener)
    store = Store.of(IDENTITY, directory)
    if store is None:
        return {"store": None}
    with limited(limit):
        met = everything(store, writes, fetched_at)
    return {
        **met,
        "log": listener.lines,
        "then": everything(store, 1, fetched_at + 1) if limit else None,
    }


def everything(store: Store, writes: int, fetched_at: int) -> dict[str, Any]:
    """Do everything that a loader does with a store."""
    now = time.time()
    with store.locked(0.2) as held:
        before = store.read()
        written = [store.write(catalogue(fetched_at)) for _ in range(writes)]
        after = store.read()
        store.write_shared_failure(SharedFailure(now + 60.0, "down", 503))
        setback = store.read_shared_failure()
        store.clear_shared_failure()
        cleared = store.read_shared_failure()
    return {
        "store": store.path,
        "held": held,
        "before": before and before.fetched_at,
        "written": written,
        "after": after and after.fetched_at,
        "setback": setback and setback.reason,
        "cleared": cleared is None,
    }


@contextmanager
def limited(limit: tuple[str, int] | None) -> Iterator[None]:
    """Live under a limit on a resource; that on memory and on files is counted from what is used already."""
    if limit is None:
        yield
        return
    name, most = limit
    kind = getattr(resource, f"RLIMIT_{name}")
    if name == "AS":
        most += (
            int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            * resource.getpagesize()
        )
    if name == "NOFILE":
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        most += free
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def sweep(directory: str) -> NoReturn:
    """Sweep for ever."""
    while True:
        _sweep(directory, "", time.time())


def write(directory: str, *, generation: int = 1) -> bool:
    """Write once."""
    return Store(directory, IDENTITY).write(catalogue(generation))


COMMANDS: dict[str, Callable[..., Any]] = {
    command.__name__: command
    for command in (kill, crowd, take_turns, hold, fork_while_holding, probe, sweep, write)
}

if __name__ == "__main__":
    logging.getLogger("router").addHandler(logging.NullHandler())
    sys.stdout.write(json.dumps(COMMANDS[sys.argv[1]](**json.loads(sys.argv[2]))))
