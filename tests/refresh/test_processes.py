"""The life of processes: many at once, forked, stopped, killed, leaving, starved, and in surroundings of every kind."""

from __future__ import annotations

import atexit
import fcntl
import gzip
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipapp
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from itertools import chain, repeat
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import trustme
from attrs import evolve, field, frozen
from canary import KEY
from fake_api import (
    Answer,
    FakeAPI,
    Request,
    black_hole,
    certified,
    entries,
    failure,
    head,
    plain_transport,
    reply,
    serve,
)
from fake_source import Stopwatch, at_most, at_once
from locations import SUPPORT
from sizes import at_length

import router
from router import AnthropicSource, Router

ROOT = os.geteuid() == 0
NOBODY = 65534 if ROOT else None
"""Mode bits and limits on processes do not bind the superuser: they are tried as somebody else."""

NAMELESS = 54321
"""A user that no machine knows."""

PACKAGE = Path(router.__file__).parent
LEGIBLE = Path(tempfile.mkdtemp())
"""A copy of the package that every user may read: that of a test environment may be its owner's alone."""

LEGIBLE.chmod(0o755)
atexit.register(shutil.rmtree, LEGIBLE, ignore_errors=True)
shutil.copytree(PACKAGE, LEGIBLE / "router", ignore=shutil.ignore_patterns("__pycache__"))

WORKER = SUPPORT / "process_worker.py"
OWN = {"PYTHONSAFEPATH", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
ENVIRONMENT = {
    **{name: text for name, text in os.environ.items() if name.upper() not in OWN},
    "PYTHONPATH": os.pathsep.join([str(LEGIBLE), os.environ.get("PYTHONPATH", "")]),
    "PYTHONDONTWRITEBYTECODE": "1",
    "SSL_CERT_DIR": os.devnull,  # to read all certificates of a machine takes up to 100 ms a client
}
"""That of the tests, without what a machine has of proxies and certificates."""

STRICT = ENVIRONMENT | {"PYTHONWARNINGS": "error,ignore:This process:DeprecationWarning"}
"""Nobody may fork beside threads without being warned of it; here that is the point."""

JSON = {"content-type": "application/json"}
MIB = 2**20
PATIENCE = 60.0
"""Seconds after which a process that should end is said to hang."""

A_LONG_TIME = 120.0
"""Seconds for which a long test goes on."""


def started(
    command: str,
    *,
    before: Sequence[str] = (str(WORKER),),
    environ: dict[str, str] = STRICT,
    **arguments: Any,
) -> subprocess.Popen[str]:
    """Start a command of `process_worker`, or of another program."""
    return subprocess.Popen(  # noqa: S603 - of these tests
        [sys.executable, *before, command, json.dumps(arguments)],
        env=environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(process: subprocess.Popen[str], seconds: float | None = None) -> Any:
    """Return what the process says last, which must have ended well and without a word of complaint."""
    out, error = process.communicate(timeout=seconds)
    assert error == ""
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])


def worker(
    command: str, most: float = PATIENCE, environ: dict[str, str] = STRICT, **arguments: Any
) -> Any:
    """Run a command of `process_worker`, and return what it says."""
    with started(command, environ=environ, **arguments) as process:
        try:
            return ended(process, most)
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """Return the next line of a process."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 30.0)[0], "it says nothing"
    return process.stdout.readline().strip()


def seconds(call: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with forty models."""
    with serve(entries(40)) as api:
        yield api


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[FakeAPI, dict[str, str]]]:
    """The same server over TLS, and an environment that trusts it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    with serve(entries(40), tls=certified(authority)) as api:
        yield api, STRICT | {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}


@pytest.fixture
def silence() -> Iterator[Event]:
    """An answer that does not come before the end of the test."""
    event = Event()
    yield event
    event.set()


@pytest.fixture
def cache(tmp_path: Path) -> str:
    """A directory that is still to be made."""
    return str(tmp_path / "cache")


# Many processes that share a disk


def check_cold_start(api: FakeAPI, processes: int, cache: str | None) -> None:
    """Check that processes which all find nothing make one fetch, and all answer from it."""
    before = len(api.requests)
    assert worker("storm", url=api.url, cache_dir=cache, processes=processes) == {
        "sources": {"live": 1, "disk": processes - 1},
        "models": ["claude-fake-0"],
        "broken": 0,
    }
    assert len(api.requests) - before == 1


@pytest.mark.parametrize("processes", [10, at_length(50)])
def test_cold_start_of_many_processes(api: FakeAPI, cache: str, processes: int) -> None:
    """C8: many processes that find nothing on disk make one fetch, and all answer from it."""
    check_cold_start(api, processes, cache)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_cold_starts_of_a_hundred_processes(api: FakeAPI, tmp_path: Path) -> None:
    """C8: and so do a hundred, again and again."""
    ends, trials = time.monotonic() + A_LONG_TIME, 0
    while time.monotonic() < ends:
        check_cold_start(api, 100, str(tmp_path / str(trials)))
        trials += 1
    print(f"{trials} cold starts of 100 processes, {len(api.requests)} fetches")  # noqa: T201 - the figures


def test_cold_start_without_a_disk(api: FakeAPI) -> None:
    """C8, the twin that must fail: ten processes that share no disk make ten fetches."""
    with pytest.raises(AssertionError):
        check_cold_start(api, 10, None)

    assert len(api.requests) == 10


DOWN = failure(500, "api_error")
DOWN_FOR_A_WHILE = failure(503, "overloaded_error", headers={"retry-after": "60"})


def check_failing_start(api: FakeAPI, processes: int, cache: str | None) -> None:
    """Check that processes share one refresh that fails, and all fall back."""
    api.script(DOWN, DOWN, *[DOWN_FOR_A_WHILE] * processes)
    said = worker("storm", url=api.url, cache_dir=cache, processes=processes)
    assert (said["sources"], said["broken"]) == ({"bundled": processes}, 0)
    assert len(api.requests) <= 3


@pytest.mark.parametrize("processes", [10, at_length(50)])
def test_cold_start_while_the_server_fails(api: FakeAPI, cache: str, processes: int) -> None:
    """C8: many processes share the one refresh that fails, three attempts at most, and fall back."""
    check_failing_start(api, processes, cache)


def test_cold_start_while_the_server_fails_without_a_disk(api: FakeAPI) -> None:
    """C8, the twin that must fail: without a disk each of them asks."""
    with pytest.raises(AssertionError):
        check_failing_start(api, 10, None)

    assert len(api.requests) >= 10


# Whoever holds the lock


def near(api: FakeAPI, cache: str) -> Router:
    """Return a router of this process."""
    source = AnthropicSource(api_key=KEY, base_url=api.url, environ={}, transport=plain_transport())
    return Router(source, cache_dir=cache)


def five_refreshes(api: FakeAPI, cache: str) -> list[float]:
    """Return how many seconds each of five refreshes takes that begin together."""
    took: list[float] = []
    at_once(lambda: took.append(seconds(near(api, cache).refresh)), 5)
    assert len(took) == 5
    return took


@contextmanager
def holder(
    api: FakeAPI, cache: str, answer: Answer, deadline: float = 60.0
) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the lock while it waits for that answer."""
    before = len(api.requests)
    api.script(answer)
    with started("load", url=api.url, cache_dir=cache, deadline=deadline) as process:
        api.wait_for(before + 1)
        try:
            yield process
        finally:
            process.kill()


def test_the_one_who_fetches_is_killed(api: FakeAPI, tmp_path: Path, silence: Event) -> None:
    """C9: when the process that fetches for all is killed, the next one fetches at once."""
    idle = seconds(near(api, str(tmp_path / "idle")).refresh)
    with holder(api, str(tmp_path / "cache"), [silence]) as process:
        process.kill()
        process.wait()

        with at_most(idle + 0.5):
            near(api, str(tmp_path / "cache")).refresh()


@contextmanager
def waiting_for_ever(cache: str) -> Iterator[threading.Thread]:
    """Let a thread wait for the lock as who thinks of no faults, until the body ends."""
    (path,) = Path(cache).glob("*.lock")

    def wait() -> None:
        with path.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)

    thread = threading.Thread(target=wait)
    thread.start()
    yield thread
    thread.join()


IN_TIME = (60.0, "live")
TOO_LATE = pytest.param(1.0, "bundled", marks=pytest.mark.long)


@pytest.mark.parametrize(("deadline", "source"), [IN_TIME, TOO_LATE], ids=["in time", "too late"])
def test_the_one_who_fetches_is_stopped(
    api: FakeAPI, tmp_path: Path, silence: Event, deadline: float, source: str
) -> None:
    """C9: while it is stopped the others wait two seconds, and fetch without it; that it goes on harms nothing.

    The twin that must fail waits for the lock without end; and none of them fetches at once, as behind one killed.
    """
    cache, answer = str(tmp_path / "cache"), reply(200, {"data": entries(40), "has_more": False})
    idle = max(five_refreshes(api, str(tmp_path / "idle")))
    with (
        holder(api, cache, [silence, answer], deadline) as process,
        waiting_for_ever(cache) as twin,
    ):
        process.send_signal(signal.SIGSTOP)
        with at_most(2.0 + idle + 0.5):
            took = five_refreshes(api, cache)
        assert twin.is_alive()
        silence.set()
        process.send_signal(signal.SIGCONT)
        assert ended(process) == source
    before = len(api.requests)

    assert min(took) >= 2.0
    assert near(api, cache).catalogue.source == "disk"
    assert len(api.requests) == before


# Forks


def hang_second(api: FakeAPI, silence: Event) -> None:
    """Let the second refresh of a process hang between its two pages."""
    api.script(api.answer, api.answer, api.answer, [silence])


@pytest.mark.parametrize("forks", [30, at_length(200)])
def test_forks_during_a_refresh(api: FakeAPI, silence: Event, forks: int) -> None:
    """C7: no child that is forked during a refresh hangs, and the refresh of each works."""
    hang_second(api, silence)

    assert worker("fork_while_fetching", url=api.url, forks=forks) == {"Catalogue": forks}
    assert len(api.requests) == 4 + forks * 2


@pytest.mark.parametrize("forks", [20, at_length(50)])
def test_forks_at_random(api: FakeAPI, forks: int) -> None:
    """C7: nor does a child that is forked at any moment of one refresh after the other."""
    assert worker("fork_at_random", url=api.url, forks=forks) == {"Catalogue": forks}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_forks_at_random_for_minutes(api: FakeAPI) -> None:
    """C7: nor does one of as many as there are in minutes."""
    said = worker("fork_at_random", url=api.url, seconds=A_LONG_TIME, most=2 * A_LONG_TIME)

    assert said == {"Catalogue": said["Catalogue"]}
    assert said["Catalogue"] > 1000
    print(f"{said['Catalogue']} forks")  # noqa: T201 - the figures


@pytest.mark.parametrize("forks", [10, at_length(50)])
def test_forks_over_tls(tls: tuple[FakeAPI, dict[str, str]], silence: Event, forks: int) -> None:
    """C7: no child hangs that is forked during a refresh over TLS, or as one begins or ends."""
    api, environ = tls
    hang_second(api, silence)

    assert worker("fork_while_fetching", url=api.url, forks=forks, environ=environ) == {
        "Catalogue": forks
    }
    api.recover()
    assert worker("fork_at_random", url=api.url, forks=forks, environ=environ) == {
        "Catalogue": forks
    }
    assert worker("fork_at_once", url=api.url, forks=forks, environ=environ) == {"Catalogue": forks}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", ["fork_at_random", "fork_at_once"])
def test_forks_over_tls_for_minutes(tls: tuple[FakeAPI, dict[str, str]], command: str) -> None:
    """C7: nor does one of as many as there are in minutes."""
    api, environ = tls
    said = worker(
        command,
        url=api.url,
        seconds=A_LONG_TIME,
        most=2 * A_LONG_TIME,
        patience=8.0,
        environ=environ,
    )

    assert said == {"Catalogue": said["Catalogue"]}
    assert said["Catalogue"] > 1000
    print(f"{said['Catalogue']} forks")  # noqa: T201 - the figures


def test_a_fork_waits_for_a_thread_that_ends() -> None:
    """C7: a child never begins while a thread of its parent ends: OpenSSL takes locks meanwhile."""
    assert worker("fork_beside_an_end", lasts=0.2) == {"ended": True, "waited": True}


def test_a_fork_does_not_wait_for_other_threads() -> None:
    """C7, the twin that must fail: of a thread that has not said so a fork knows nothing."""
    assert worker("fork_beside_an_end", lasts=0.2, naive=True) == {"ended": False, "waited": False}


def test_a_fork_waits_no_longer_than_that() -> None:
    """C7: a thread that does not end though it said so is waited for half a second."""
    assert worker("fork_beside_an_end", lasts=PATIENCE) == {"ended": False, "waited": True}


def test_a_process_of_multiprocessing(api: FakeAPI, silence: Event) -> None:
    """C7: a process that `multiprocessing` forks during a refresh answers, and its refresh works."""
    hang_second(api, silence)

    assert worker("fork_while_fetching", url=api.url, forks=1, multiprocess=True) == {
        "Catalogue": 1
    }


@pytest.mark.long
def test_a_fork_while_the_parent_holds_the_file(api: FakeAPI, silence: Event, cache: str) -> None:
    """C7, C9: a child whose parent fetches for all waits no longer for it than any other process."""
    hang_second(api, silence)

    said = worker("fork_while_fetching", url=api.url, forks=1, cache_dir=cache, patience=4.0)
    assert said == {"Catalogue": 1}


@pytest.mark.parametrize("of_source", [False, True], ids=["loader", "source"])
def test_a_fork_under_a_lock(api: FakeAPI, of_source: bool) -> None:
    """C7: a child that is forked while another thread holds a lock does not wait for that thread, which it has not."""
    said = worker("fork_while_locked", url=api.url, of_source=of_source)
    assert said == ("Model" if of_source else "Catalogue")


def test_a_fork_in_a_signal_handler(api: FakeAPI) -> None:
    """C7, C12: a handler that stops a thread under the lock of forks may fork; child and parent refresh after it."""
    assert worker("fork_in_a_handler", url=api.url) == "Catalogue Catalogue"


def test_a_fork_in_a_signal_handler_under_a_plain_lock(api: FakeAPI) -> None:
    """C12, the twin that must fail: a lock that its holder cannot take again is waited for without end."""
    assert worker("fork_in_a_handler", url=api.url, patience=0.5, naive=True) == "hung"


def test_forks_of_a_plain_lock(api: FakeAPI, silence: Event) -> None:
    """C7, the twins that must fail: behind a lock that is not made anew in a child, every child hangs."""
    hang_second(api, silence)

    assert worker("fork_while_fetching", url=api.url, forks=1, patience=0.5, naive=True) == {
        "hung": 1
    }
    assert "hung" in worker("fork_at_random", url=api.url, forks=2, patience=0.5, naive=True)
    assert worker("fork_while_locked", url=api.url, of_source=False, naive=True) == "hung"


# The end of a process


def seconds_to_leave(
    url: str | None,
    most: float = 30.0,
    *,
    naive: bool = False,
    begun: Callable[[], object] = lambda: time.sleep(0.2),
) -> float:
    """Return how long a process takes to end while a refresh is under way, once that has begun, or beside none."""
    with started("leave", url=url, naive=naive) as process:
        try:
            assert said(process) == "ready"
            if url:
                begun()
            began = time.monotonic()
            assert ended(process, most) == "left"
            return time.monotonic() - began
        finally:
            process.kill()


def test_a_process_ends_while_a_refresh_hangs(api: FakeAPI, silence: Event) -> None:
    """C11, N2: a process ends within a second, and silently, though a server never answers, or is never reached."""
    api.script([silence])
    bare = seconds_to_leave(None)

    assert seconds_to_leave(api.url, begun=lambda: api.wait_for(1)) < bare + 1.0
    assert len(api.requests) == 1
    with black_hole() as nowhere:
        assert seconds_to_leave(nowhere) < bare + 1.0


def test_a_process_does_not_end_while_a_plain_thread_hangs(api: FakeAPI, silence: Event) -> None:
    """C11, the twin that must fail: a process waits for a thread that is no daemon."""
    api.script([silence])

    with pytest.raises(subprocess.TimeoutExpired):
        seconds_to_leave(api.url, seconds_to_leave(None) + 1.0, naive=True)


def interrupt(
    api: FakeAPI, silence: Event, *, naive: bool = False
) -> tuple[dict[str, Any], Stopwatch]:
    """Interrupt a first load, and return what the process says, and how long it took to go on."""
    api.script([silence, reply(200, {"data": entries(40), "has_more": False})])
    with started("interrupted", url=api.url, naive=naive) as process:
        try:
            api.wait_for(1)
            process.send_signal(signal.SIGINT)
            with Stopwatch() as watch:
                said(process)
            silence.set()
            return ended(process), watch
        finally:
            process.kill()


def test_interrupted_first_load(api: FakeAPI, silence: Event) -> None:
    """C10: an interrupt of a first load comes out of it at once, and the next read finds all in order."""
    answer, watch = interrupt(api, silence)

    assert answer == {"caught": True, "then": "live"}
    assert watch.is_within(1.0)


def test_interrupted_first_load_that_swallows(api: FakeAPI, silence: Event) -> None:
    """C10, the twin that must fail: of an interrupt that is taken for a failure, nobody hears."""
    answer, _ = interrupt(api, silence, naive=True)

    assert answer == {"caught": False, "then": "live"}


def last_refresh(url: str, deadline: float, *, naive: bool = False) -> Any:
    """Return how the refresh ends that is begun at the end of a process."""
    with started("last_refresh", url=url, deadline=deadline, naive=naive) as process:
        return ended(process)


def test_a_refresh_at_exit(api: FakeAPI, silence: Event) -> None:
    """C11: a refresh that begins when the interpreter ends works, and one that hangs ends at its deadline."""
    assert last_refresh(api.url, 30.0) == "Catalogue"
    api.script([silence])
    assert last_refresh(api.url, 0.5) == "CatalogueUnavailableError"


def test_a_refresh_at_exit_in_a_pool(api: FakeAPI) -> None:
    """C11, the twin that must fail: a pool of threads takes no work any more by then."""
    assert last_refresh(api.url, 30.0, naive=True) == "RuntimeError"


def test_no_threads(api: FakeAPI) -> None:
    """C11: a process that may start no thread answers and refreshes all the same."""
    assert worker("without_threads", url=api.url, uid=NAMELESS if ROOT else None) == {
        "thread": "RuntimeError",
        "source": "live",
        "refresh": "Catalogue",
    }


# Surroundings


@frozen
class Surroundings:
    """What an interpreter is started with, and what its process then does to itself."""

    flags: tuple[str, ...] = ()
    environ: dict[str, str] = field(factory=dict)
    without: frozenset[str] = frozenset()
    arguments: dict[str, Any] = field(factory=dict)
    cached: bool = True
    """Whether a directory is given for the cache; otherwise it is that of the user."""
    program: Path = WORKER

    @contextmanager
    def asked(self, command: str, api: FakeAPI, cache: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command here."""
        environ = {
            name: text
            for name, text in (ENVIRONMENT | self.environ).items()
            if name not in self.without
        }
        arguments = {"url": api.url, "cache_dir": cache if self.cached else None, **self.arguments}
        with started(
            command, before=(*self.flags, str(self.program)), environ=environ, **arguments
        ) as process:
            yield process

    def ask(self, command: str, api: FakeAPI, cache: str) -> Any:
        """Return what a command says here."""
        with self.asked(command, api, cache) as process:
            return ended(process)


C_LOCALE = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
HOMELESS = Surroundings(cached=False, arguments={"shut": True, "uid": NAMELESS if ROOT else None})

PLAIN = Surroundings(environ={"PYTHONHASHSEED": "0"})
SURROUNDINGS = {
    "-O": Surroundings(flags=("-O",)),
    "-X dev -W error": Surroundings(flags=("-X", "dev", "-W", "error")),
    "LANG=C": Surroundings(environ=C_LOCALE),
    "no temporary directory": Surroundings(arguments={"tempdir": "/proc/nowhere"}),
    "HOME is nowhere": evolve(
        HOMELESS, environ={"HOME": "/proc/nowhere"}, without=frozenset({"XDG_CACHE_HOME"})
    ),
    **(
        {"no HOME": evolve(HOMELESS, without=frozenset({"XDG_CACHE_HOME", "HOME"}))} if ROOT else {}
    ),
}
everywhere = pytest.mark.parametrize("surroundings", SURROUNDINGS.values(), ids=SURROUNDINGS)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What is answered in plain surroundings."""
    with serve(entries(40)) as api:
        return PLAIN.ask("answers", api, str(tmp_path_factory.mktemp("plain") / "cache"))


@pytest.fixture(scope="module")
def careless_truth(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the careless answers there."""
    with serve() as api:
        return PLAIN.ask("careless", api, str(tmp_path_factory.mktemp("careless")))


@everywhere
def test_the_same_answers(api: FakeAPI, cache: str, truth: Any, surroundings: Surroundings) -> None:
    """E3: answers are the same in all surroundings, and given without a word on the standard error."""
    assert surroundings.ask("answers", api, cache) == truth


@pytest.mark.sample(1)
@everywhere
def test_the_answers_of_the_careless(
    api: FakeAPI, tmp_path: Path, careless_truth: Any, surroundings: Surroundings
) -> None:
    """E3, the twin that must fail: each of the surroundings takes something away that is easily taken for granted."""
    here = evolve(surroundings, environ={"PYTHONHASHSEED": "0", **surroundings.environ})

    with pytest.raises(AssertionError):
        assert here.ask("careless", api, str(tmp_path)) == careless_truth


def seeded(seed: int) -> Surroundings:
    """Return surroundings in which sets have another order."""
    return Surroundings(environ={"PYTHONHASHSEED": str(seed)})


def check_seeds(api: FakeAPI, tmp_path: Path, truth: Any, seeds: range) -> None:
    """Check that answers are the same whatever the order of sets."""
    for few in (seeds[at : at + 5] for at in range(0, len(seeds), 5)):
        with ExitStack() as stack:
            asked = [
                stack.enter_context(seeded(seed).asked("answers", api, str(tmp_path / str(seed))))
                for seed in few
            ]
            assert [ended(process) for process in asked] == [truth] * len(few)


@pytest.mark.parametrize("seeds", [2, at_length(100)])
def test_the_same_answers_in_any_order_of_sets(
    api: FakeAPI, tmp_path: Path, truth: Any, seeds: int
) -> None:
    """E3: answers do not depend on the order of sets."""
    check_seeds(api, tmp_path, truth, range(seeds))


def test_the_order_of_sets_differs(api: FakeAPI, tmp_path: Path) -> None:
    """E3, the twin that must fail: who takes the first of a set answers otherwise under another seed."""
    said = [seeded(seed).ask("careless", api, str(tmp_path)) for seed in (0, 1)]

    assert said[0] != said[1]


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Surroundings:
    """The library and the worker in one file, beside dependencies that are installed."""
    root = tmp_path_factory.mktemp("zipped")
    shutil.copytree(PACKAGE, root / "app" / "router", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(WORKER, root / "app" / "__main__.py")
    for name in ("canary.py", "store_worker.py"):
        shutil.copy(SUPPORT / name, root / "app")
    zipapp.create_archive(root / "app", root / "app.pyz")
    return Surroundings(program=root / "app.pyz", without=frozenset({"PYTHONPATH"}))


def test_the_same_answers_from_a_zipapp(
    api: FakeAPI, cache: str, truth: Any, zipped: Surroundings
) -> None:
    """E3: an application that is one file answers as any other, also with what comes with the library."""
    assert zipped.ask("answers", api, cache) == truth


def test_the_careless_in_a_zipapp(api: FakeAPI, tmp_path: Path, zipped: Surroundings) -> None:
    """E3, the twin that must fail: what lies beside a module in a zip cannot be opened."""
    with pytest.raises(AssertionError):
        zipped.ask("careless", api, str(tmp_path))


@pytest.fixture
def shut() -> Iterator[Path]:
    """A directory with a copy of the library, in which nobody may write, and a cache in which the user may."""
    root = Path(tempfile.mkdtemp())
    shutil.copytree(PACKAGE, root / "site" / "router", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "cache").mkdir(0o700)
    if NOBODY is not None:
        os.chown(root / "cache", NOBODY, NOBODY)
    closed = [root, root / "site", *(root / "site").rglob("*")]
    for path in closed:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield root
    for path in closed:
        path.chmod(0o755)
    shutil.rmtree(root)


def read_only(shut: Path) -> Surroundings:
    """Return surroundings in which nothing can be written but the cache, neither beside the library nor here."""
    environ = {"PYTHONPATH": str(shut / "site"), "HOME": str(shut), "TMPDIR": str(shut)}
    return Surroundings(
        environ=environ, arguments={"uid": NOBODY, "tempdir": str(shut), "cwd": str(shut)}
    )


def test_the_same_answers_where_nothing_can_be_written(
    api: FakeAPI, shut: Path, truth: Any
) -> None:
    """E3: a library that lies where nobody may write answers as any other, and writes to its cache alone."""
    before = sorted((shut / "site").rglob("*"))

    assert read_only(shut).ask("answers", api, str(shut / "cache")) == truth
    assert sorted((shut / "site").rglob("*")) == before
    assert {path.suffix for path in (shut / "cache").iterdir()} == {".json", ".lock"}


def test_the_careless_where_nothing_can_be_written(api: FakeAPI, shut: Path) -> None:
    """E3, the twin that must fail: who writes beside the library cannot."""
    with pytest.raises(AssertionError):
        read_only(shut).ask("careless", api, str(shut / "cache"))


# Imports

IMPORTS = """
import sys
from contextlib import suppress
seen = []
def hook(event, arguments):
    if event.partition(".")[0] in {"open", "os", "socket", "subprocess", "shutil", "tempfile"}:
        seen.append((event, str(arguments[0]) if arguments else ""))
sys.path.insert(0, sys.argv[1])
sys.addaudithook(hook)
with suppress(OSError):
    exec(sys.argv[2])
sources = (".py", ".pyc", ".so")
asked = [each for each in seen if each[0] != "os.listdir" and not (each[0] == "open" and each[1].endswith(sources))]
print(__import__("json").dumps({"asked": asked, "modules": [name for name in sys.modules if "." not in name]}))
"""


def imported(statement: str) -> dict[str, Any]:
    """Return what a statement asks of the system beyond imports, in an interpreter without installed packages."""
    arguments = ["-I", "-S", "-B", "-c", IMPORTS, str(PACKAGE.parent), statement]
    run = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert run.stderr == ""
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def test_import_does_nothing_else() -> None:
    """E4: `import router` opens nothing but modules, reaches for no network, and needs no dependency."""
    seen = imported("import router")

    assert seen["asked"] == []
    assert "router" in seen["modules"]
    assert {*seen["modules"]} - sys.stdlib_module_names <= {"router", "__main__"}


@pytest.mark.parametrize(
    "statement",
    [
        "import router.models._vocabulary",
        "import socket; socket.socket()",
        "import os; os.mkdir('/proc/nowhere/cache')",
    ],
)
def test_what_an_import_must_not_do_is_seen(statement: str) -> None:
    """E4, the twins that must fail: to read data, to make a socket or a directory is seen."""
    assert imported(statement)["asked"]


def test_constructing_does_nothing_else() -> None:
    """E4: to make a router, with a key and without, opens nothing, reaches for no network and makes no directory."""
    assert worker("constructs") == []


def test_what_constructing_must_not_do_is_seen() -> None:
    """E4, the twin that must fail: to read the catalogue that comes with the library is seen."""
    assert worker("constructs", naive=True) != []


# Resources


@pytest.mark.sample(2)
@pytest.mark.parametrize(("free", "cold"), [(0, False), (0, True), (1, False), (16, False)])
def test_no_more_files(api: FakeAPI, cache: str, free: int, cold: bool) -> None:
    """E1: with hardly a file to be had a refresh works or fails as any other, and once there are some, it works."""
    met = worker("starved", url=api.url, cache_dir=cache, free=free, cold=cold)

    assert met["refreshed"] == ("Catalogue" if free == 16 else "CatalogueUnavailableError")
    assert met["selected"] == ("CatalogueUnavailableError" if cold else "Model")
    assert met["then"] == "live"


def test_no_more_files_for_the_careless(api: FakeAPI) -> None:
    """E1, the twin that must fail: plain reading raises whatever there is to be raised.

    httpx 0.27 reads its certificates first, also for plain HTTP.
    """
    assert worker("starved", url=api.url, free=0, naive=True)["refreshed"] in {
        "ConnectError",
        "OSError",
    }


ISOLATED = """
import _interpreters, sys
isolated = _interpreters.create("isolated")
failed = _interpreters.exec(isolated, f"import sys; sys.path[:], sys.argv[:] = {sys.path}, {sys.argv}\\n" + sys.argv[1])
_interpreters.destroy(isolated)
sys.exit(failed and failed.formatted)
"""

RENEWED = """
import time
from router import AnthropicSource, Router

now = [0.0]
source = AnthropicSource(api_key=sys.argv[3], base_url=sys.argv[2], environ={})
router = Router(source, cache_dir=False, clock=lambda: now[0])
print(router.select().id, router.catalogue.source)
now[0] += 4000.0
print(router.select().id)
ends = time.monotonic() + 30.0
while router.status().refreshing and time.monotonic() < ends:
    time.sleep(0.001)
print(router.status().refreshes, router.status().last_error)
"""


@pytest.mark.skipif(
    sys.version_info < (3, 13), reason="subinterpreters run our dependencies since Python 3.13"
)
def test_an_isolated_interpreter(api: FakeAPI) -> None:
    """C14: where an interpreter allows no daemon threads, the catalogue is fetched and renewed in plain ones."""
    ran = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", ISOLATED, RENEWED, api.url, KEY],
        env=STRICT,
        text=True,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )

    assert ran.stdout.splitlines() == ["claude-fake-0 live", "claude-fake-0", "2 None"], ran.stderr
    assert ran.returncode == 0


@pytest.mark.sample(1)
@pytest.mark.parametrize("kib", [16, 64, 256])
def test_no_more_memory(api: FakeAPI, kib: int) -> None:
    """E1: with too little memory for a thread to live no read hangs, and what is held is renewed when there is more."""
    met = worker("short_of_memory", url=api.url, kib=kib)

    assert met["selected"] in {"Model", "MemoryError"}, "with less than a read itself takes"
    assert met["then"] == "live"


@lru_cache(1)
def bomb(mib: int) -> bytes:
    """Return a small answer that unpacks to so many MiB."""
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join([*(packer.compress(bytes(MIB)) for _ in range(mib)), packer.flush()])
    return reply(200, packed, JSON | {"content-encoding": "gzip"})


def large_page() -> bytes:
    """Return a page of 73 MB that is as it should be."""
    (entry,) = [json.dumps(entry).encode() for entry in entries(1)]
    return reply(
        200,
        b'{"data": [%s], "has_more": false}' % b", ".join([entry] * (73 * 10**6 // len(entry))),
        JSON,
    )


@lru_cache(1)
def values() -> bytes:
    """Return a page, packed, that is as it should be, and 80 times as large in memory as in its own bytes."""
    return gzip.compress(
        b'{"data": [{"id": "m", "x": [[]%s]}], "has_more": false}' % (b",[]" * (4 * MIB // 3 - 50))
    )


GREEDY: dict[str, Callable[[], Answer]] = {
    "N4-bomb": lambda: bomb(100),
    "N5-endless body": lambda: chain([head(200, JSON)], repeat(b" " * 65536)),
    "N5-endless headers": lambda: chain(
        [b"HTTP/1.1 200 OK\r\n"], repeat(b"x-more: of it\r\n" * 4096)
    ),
    "P7-page of 73 MB": large_page,
    "N4-many values": lambda: reply(200, values(), JSON | {"content-encoding": "gzip"}),
    "N4-many values of an error": lambda: reply(500, values(), JSON | {"content-encoding": "gzip"}),
}


def check_memory(said: dict[str, Any]) -> None:
    """Check that a refresh failed, and took no more than 32 MiB for it."""
    assert (said["ended"], said["failures"]) == ("CatalogueUnavailableError", 1)
    assert said["grown"] <= 32 * MIB


@pytest.mark.sample(3)
@pytest.mark.parametrize("answer", GREEDY.values(), ids=GREEDY)
def test_memory_under(api: FakeAPI, answer: Callable[[], Answer]) -> None:
    """N4, N5, P7: an answer that is too large fails, and costs a process no more than 32 MiB."""
    api.script(*(answer() for _ in range(3)))

    check_memory(worker("grow", url=api.url))


def test_memory_of_httpx_under_a_bomb(api: FakeAPI) -> None:
    """N4, the twin that must fail: httpx unpacks all of it."""
    api.script(bomb(100))
    said = worker("grow", url=api.url, naive=True)

    with pytest.raises(AssertionError):
        check_memory(said | {"ended": "CatalogueUnavailableError", "failures": 1})


def page_of(pages: int) -> Callable[[Request], bytes]:
    """Return an answer that is one of so many pages, each of a thousand models of its own."""

    def page(request: Request) -> bytes:
        start = (
            int(dict(request.query).get("after_id", "claude-fake--1").removeprefix("claude-fake-"))
            + 1
        )
        data = entries(1000, start=start)
        return reply(
            200, {"data": data, "has_more": start + 1000 < pages * 1000, "last_id": data[-1]["id"]}
        )

    return page


def test_memory_of_a_hundred_thousand_models(api: FakeAPI) -> None:
    """P7: a hundred pages of a thousand models are refused, within 300 MiB."""
    api.script(*[page_of(100)] * 100)
    said = worker("grow", url=api.url)

    assert said["ended"] == "CatalogueUnavailableError"
    assert said["peak"] <= 300 * MIB


@pytest.mark.long
def test_memory_of_the_largest_listing(api: FakeAPI) -> None:
    """P7: twenty such pages, the most that is loaded, are loaded within the same."""
    api.script(*[page_of(20)] * 20)
    said = worker("grow", url=api.url)

    assert said["ended"] == "Catalogue"
    assert said["peak"] <= 300 * MIB
