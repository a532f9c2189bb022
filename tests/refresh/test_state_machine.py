"""Processes that share a disk, a server and two clocks, driven at random: what holds after every step."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import tempfile
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from shutil import rmtree
from traceback import format_exc
from typing import Any, Final

import httpx
import pytest
from attrs import define, field
from canary import KEY, leaks
from fake_api import Entry, entries
from fake_source import FakeClock, eventually
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from store_worker import spawn

from router import (
    AnthropicSource,
    Catalogue,
    CatalogueUnavailableError,
    Model,
    Router,
    RouterStatus,
    require,
)
from router.catalogue._decision import catalogue_of
from router.catalogue._snapshot import Snapshot
from router.models._entries import read_listing
from router.refresh._deadline import Deadline
from router.refresh._disk_cache import Store, Stored
from router.refresh._fetcher import ATTEMPTS
from router.refresh._freshness import FIRST_DELAY
from router.refresh._listing import Progress
from router.refresh._sources import Source

KEYS: Final = (KEY, KEY[20:] + KEY[:20])
"""One for each account; a part of the second is one of the first."""

NOON: Final = time.time() // 1
TTL: Final = 100.0
MAX_STALE: Final = 1000.0
DEADLINE: Final = 60.0
MOST_REQUESTS: Final = ATTEMPTS * 8
"""A flight asks in that many attempts for two pages, walks them twice if they change, and has a second answer agree."""

HUNG: Final = 30.0

NEEDS: Final[Mapping[str, Callable[[Entry], bool]]] = {
    "pdf_input": lambda entry: entry["capabilities"]["pdf_input"]["supported"] is True,
    "citations": lambda entry: entry["capabilities"]["citations"]["supported"] is True,
    "not citations": lambda entry: entry["capabilities"]["citations"]["supported"] is False,
    "thinking.adaptive": lambda entry: (
        entry["capabilities"]["thinking"]["types"]["adaptive"]["supported"] is True
    ),
    "line == opus": lambda entry: entry["line"] == "opus",
    "max_input_tokens >= 200_010": lambda entry: entry["max_input_tokens"] >= 200_010,
}

Behaviour = Callable[[httpx.Request], httpx.Response]


@define
class Listing:
    """What an account may call from some moment on; every entry says of which account and which listing it is."""

    account: int
    serial: int
    count: int
    start: int = 0
    odd: bool = False

    @property
    def entries(self) -> list[Entry]:
        """The entries, without the odd one."""
        marks = {"account": self.account, "serial": self.serial}
        return [{**entry, **marks} for entry in entries(self.count, start=self.start)]

    def answer(self, _: httpx.Request) -> httpx.Response:
        """Answer with the whole listing on one page."""
        return page([*self.entries, *([{"id": "\x00"}] if self.odd else [])])


def page(
    data: Sequence[object], *, more: object = False, last: str | None = None
) -> httpx.Response:
    """Return a page of a listing."""
    return answered({"data": data, "has_more": more, "first_id": None, "last_id": last})


def answered(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Return an answer in JSON."""
    typed = {"content-type": "application/json", **(headers or {})}
    return httpx.Response(status, headers=typed, content=json.dumps(body).encode())


def refusal(
    status: int, headers: Mapping[str, str] | None = None, message: str = "no"
) -> httpx.Response:
    """Return a refusal that carries a listing as well, for who does not look at the status."""
    error = {"type": "error", "error": {"type": "api_error", "message": message}}
    return answered({**error, "data": POISON, "has_more": False}, status, headers)


def refusing(status: int) -> Behaviour:
    """Refuse with that status."""
    return lambda _: refusal(status)


POISON: Final = [{**entry, "id": f"claude-poison-{at}"} for at, entry in enumerate(entries(6))]
"""Models that stand only in answers that are not to be believed."""

LAST: Final = POISON[-1]["id"]


def echo(request: httpx.Request) -> httpx.Response:
    """Refuse in words that repeat the key."""
    return refusal(401, message=f"invalid x-api-key {request.headers['x-api-key']}")


def half(request: httpx.Request) -> httpx.Response:
    """Answer with a first page, and with no second one."""
    return refusal(500) if "after_id" in request.url.params else page(POISON, more=True, last=LAST)


def flicker() -> Behaviour:
    """List nothing, and when asked again something."""
    listings: list[list[Entry]] = []

    def answer(_: httpx.Request) -> httpx.Response:
        listings[:] = listings[1:] or [[], POISON[:1]]
        return page(listings[0])

    return answer


def raising(error: Exception) -> Behaviour:
    """Return no answer but an error of the transport."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return answer


CUT: Final = json.dumps({"data": POISON, "has_more": False}).encode()[:-1]
BAD: Final[Mapping[str, Callable[[], Behaviour]]] = {
    **{str(status): partial(refusing, status) for status in (304, 401, 403, 404, 500, 529)},
    "429": lambda: lambda _: refusal(429, {"retry-after": "5"}),
    "redirect": lambda: lambda _: refusal(307, {"location": "https://elsewhere.invalid/"}),
    "echo": lambda: echo,
    "error-in-200": lambda: lambda _: refusal(200),
    "html": lambda: (
        lambda _: answered(
            {"data": POISON, "has_more": False}, headers={"content-type": "text/html"}
        )
    ),
    "cut": lambda: (
        lambda _: httpx.Response(200, headers={"content-type": "application/json"}, content=CUT)
    ),
    "drift": lambda: lambda _: page([*POISON, {"id": ""}]),
    "no-bool": lambda: lambda _: page(POISON, more="false"),
    "circle": lambda: lambda _: page(POISON, more=True, last=LAST),
    "half": lambda: half,
    "conflict": lambda: lambda _: page([*POISON, {**POISON[0], "max_tokens": 1}]),
    "flicker": flicker,
    "unreachable": lambda: raising(httpx.ConnectError("nobody listens")),
    "late": lambda: raising(httpx.ReadTimeout("too late")),
    "broken": lambda: raising(ValueError("a transport of somebody's own")),
}
"""Answers that bring no catalogue, each with models that are not to be believed wherever it can carry any."""


@define(eq=False)
class Server:
    """What the API answers to each account, and all that it has ever listed."""

    behaviours: dict[int, Behaviour] = field(factory=dict)
    current: dict[int, Listing | None] = field(factory=dict)
    ever: dict[int, dict[str, Listing]] = field(factory=lambda: defaultdict(dict))
    """The listings of each account by digest; the last of equal ones counts."""

    def list(self, listing: Listing) -> None:
        """List this from now on."""
        self.behaviours[listing.account], self.current[listing.account] = listing.answer, listing
        self.ever[listing.account][Catalogue.from_listing(listing.entries).digest] = listing

    def fail(self, account: int, behaviour: Behaviour) -> None:
        """Answer that account badly from now on."""
        self.behaviours[account], self.current[account] = behaviour, None


@define(eq=False)
class Line(httpx.BaseTransport):
    """The way of one process to the server, which counts what goes over it."""

    server: Server
    requests: int = 0
    whole: int = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the server does to the account whose key is sent."""
        account = KEYS.index(request.headers["x-api-key"])
        self.requests += 1
        self.whole += self.server.current[account] is not None
        return self.server.behaviours[account](request)


@define(eq=False)
class Process:
    """A process with its router, and what it was last seen to hold."""

    router: Router
    account: int
    line: Line
    began: float
    changes: int
    asked: int = 0
    closed: bool = False
    as_of: datetime | None = None
    whole: int = 0
    listing: Listing | None = None

    @property
    def flights(self) -> int:
        """How many loads have ended, what was taken from the disk at the start included."""
        status = self.router.status()
        return status.refreshes + status.failures


class Records(logging.Handler):
    """Keeps the text of what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, with its traceback."""
        self.lines.append(self.format(record))


def settled() -> None:
    """Wait until no refresh is under way, hooks included."""
    for thread in threading.enumerate():
        if thread.name == "router-refresh":
            thread.join(HUNG)
            assert not thread.is_alive(), "a refresh hangs"


WHICH: Final = st.integers(0, 5)
ACCOUNT: Final = st.sampled_from(range(len(KEYS)))
PLACE: Final = st.floats(0, 1, exclude_max=True)


class World(RuleBasedStateMachine):
    """The machine; its twins make another router or source."""

    router: type[Router] = Router
    source: type[AnthropicSource] = AnthropicSource

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.cache = self.directory / "cache"
        self.clock, self.wall = FakeClock(), FakeClock(NOON)
        self.random = 0.5
        self.server = Server()
        self.processes: list[Process] = []
        self.copies: list[tuple[Path, bytes]] = []
        self.put_back = False
        self.changes = 0
        """How many files another process may have left since the start."""
        self.told: list[object] = []
        self.records = Records()
        logger = logging.getLogger()
        self.level = logger.level
        logger.addHandler(self.records)
        logger.setLevel(logging.DEBUG)

    def teardown(self) -> None:
        """Leave no refresh, no handler and no file behind."""
        settled()
        logging.getLogger().removeHandler(self.records)
        logging.getLogger().setLevel(self.level)
        rmtree(self.directory)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds
        self.wall.now += seconds

    def started(self, account: int) -> Process:
        """Start a process of that account."""
        line = Line(self.server)
        source = self.source(api_key=KEYS[account], environ={}, transport=line)
        router = self.router(
            source,
            ttl=TTL,
            max_stale=MAX_STALE,
            deadline=DEADLINE,
            cache_dir=self.cache,
            clock=self.clock,
            wall=self.wall,
            sleep=self.sleep,
            random=lambda: self.random,
            on_refresh=lambda *told: self.told.extend(told),
            on_error=self.told.append,
        )
        return Process(router, account, line, self.clock.now, self.changes)

    def begun(self) -> list[Process]:
        """Return the processes that hold a catalogue: to ask another for its status would make it look on disk."""
        return [process for process in self.processes if process.router._loader.held is not None]

    def one(self, which: int) -> Process:
        """Return one of the processes."""
        return self.processes[which % len(self.processes)]

    # What happens

    @initialize(account=ACCOUNT)
    def begin(self, account: int) -> None:
        """Begin with one listing for each account, and one process."""
        for each in range(len(KEYS)):
            self.server.list(Listing(each, 0, 6))
        self.processes = [self.started(account)]

    @rule(seconds=st.sampled_from([0.5, 4.0, 30.0, 89.0, 111.0, 1001.0, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        """Both clocks go on."""
        self.sleep(seconds)

    @rule(
        to=st.sampled_from(
            [-3600.0, -86_400.0, -200.0, 200.0, 3600.0, 86_400.0, -NOON, 2.0**31 - NOON, 2.6e11]
        )
    )
    def wall_is_set(self, to: float) -> None:
        """T1: the wall clock is set, the other goes on; it may stand before 1970 and after 9999."""
        self.wall.now = NOON + to

    @rule(random=st.sampled_from([0.0, 0.5, 0.999]))
    def chance(self, random: float) -> None:
        """Luck turns."""
        self.random = random

    @rule(account=ACCOUNT, count=st.integers(0, 20), start=st.integers(0, 30), odd=st.booleans())
    def good_listing(self, account: int, count: int, start: int, odd: bool) -> None:
        """The API lists something else: more, less, nothing, older models, or one entry that cannot be read."""
        serial = len(self.server.ever[account])
        self.server.list(Listing(account, serial, count, start, odd and count >= 10))

    @rule(account=ACCOUNT, bad=st.sampled_from(sorted(BAD)))
    def bad_listing(self, account: int, bad: str) -> None:
        """The API, or the way to it, breaks."""
        self.server.fail(account, BAD[bad]())

    @rule(which=WHICH, need=st.sampled_from(sorted(NEEDS)))
    def select(self, which: int, need: str) -> None:
        """A process asks for a model, and gets the newest known to meet the need in the catalogue held."""
        process = self.one(which)
        self.answers(process)
        held = process.router._loader.held
        assert held is not None
        model = process.router.select(need, default=None)
        settled()
        assert model is newest(held, need), f"{model} is not the answer to {need}"

    @rule(which=WHICH, need=st.sampled_from(sorted(NEEDS)))
    def explain(self, which: int, need: str) -> None:
        """A process asks why, and what it hears is of one catalogue and no other."""
        process = self.one(which)
        self.answers(process)
        stale = process.router.status().stale
        decision = process.router.explain(need)
        settled()
        catalogue = catalogue_of(decision)
        assert decision.model is newest(catalogue, need)
        assert {*decision.candidates} <= {*catalogue}
        assert decision.stale == stale
        self.shows(decision)

    @rule(which=WHICH)
    def often(self, which: int) -> None:
        """However often it is asked at one moment, at most one load is due, and one more for what the disk brought."""
        process = self.one(which)
        before = process.flights
        for _ in range(10):
            self.answers(process)
        assert process.flights - before <= (0 if process.closed and before else 2), (
            "reads ask for too much"
        )

    @rule(which=WHICH)
    def refresh(self, which: int) -> None:
        """A refresh is asked for."""
        self.asked_for(self.one(which), Router.refresh)

    @rule(which=WHICH)
    def arefresh(self, which: int) -> None:
        """A refresh is asked for on an event loop."""
        self.asked_for(self.one(which), lambda router: asyncio.run(router.arefresh()))

    @rule(account=ACCOUNT)
    def start(self, account: int) -> None:
        """D7: another process starts, for this key or the other; the oldest of four ends."""
        self.processes = [*self.processes[-3:], self.started(account)]

    @rule(which=WHICH)
    def rotate(self, which: int) -> None:
        """D7: a process is started anew with the other key."""
        at = which % len(self.processes)
        self.processes[at] = self.started(1 - self.processes[at].account)

    @rule(which=WHICH)
    def fork(self, which: int) -> None:
        """C7: a child of a process answers and refreshes like another."""
        process = self.one(which)
        self.changes += 1
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            child = spawn(partial(self.live_on, process))
        ended = [0, 0]

        def is_over() -> bool:
            ended[:] = os.waitpid(child, os.WNOHANG)
            return ended[0] == child

        if not eventually(is_over):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError("the child hangs")
        assert ended[1] == 0, (self.directory / "said").read_text(encoding="utf-8")

    @rule(which=WHICH)
    def close(self, which: int) -> None:
        """A router is closed."""
        process = self.one(which)
        process.router.close()
        process.closed = True

    @rule()
    def copy(self) -> None:
        """Somebody backs up the cache."""
        self.copies = [
            (path, path.read_bytes())
            for path in self.files()
            if path.suffix == ".json" and path.is_file()
        ]

    @rule()
    def restore(self) -> None:
        """D8: somebody puts a backup back."""
        for path, content in self.copies:
            self.remove(path)
            path.write_bytes(content)
            path.chmod(0o600)
            self.put_back = True
            self.changes += 1

    @rule(which=WHICH, place=PLACE)
    def truncate(self, which: int, place: float) -> None:
        """D5: a file is cut."""
        self.rewrite(which, lambda content: content[: int(place * len(content))])

    @rule(which=WHICH, place=PLACE, bit=st.integers(0, 7))
    def flip(self, which: int, place: float, bit: int) -> None:
        """D5: a bit of a file is flipped."""

        def flipped(content: bytes) -> bytes:
            at = int(place * len(content))
            return (
                content[:at]
                + bytes([byte ^ 1 << bit for byte in content[at : at + 1]])
                + content[at + 1 :]
            )

        self.rewrite(which, flipped)

    @rule(which=WHICH, by=st.sampled_from(["nothing", "junk", "directory", "pipe", "link"]))
    def replace(self, which: int, by: str) -> None:
        """D4, D5: a file is gone, or something else stands in its place."""
        for path in self.files()[which : which + 1]:
            self.remove(path)
            if by == "junk":
                path.write_bytes(json.dumps({"data": POISON}).encode())
            elif by == "directory":
                path.mkdir()
            elif by == "pipe":
                os.mkfifo(path)
            elif by == "link":
                path.symlink_to(self.directory / "nowhere")

    # What holds

    @invariant()
    def keys_are_nowhere(self) -> None:
        """K1: the key is in no text that a router gives of itself, in no file, no log and nothing a hook is told."""
        lines, told = self.records.lines[:], self.told[:]
        del self.records.lines[: len(lines)], self.told[: len(told)]
        files = self.files()
        self.shows(*lines, *told, *files, *(path.read_bytes() for path in files if path.is_file()))
        self.shows(*(getattr(each, "__dict__", "") for each in told))
        self.shows(
            *(process.router for process in self.processes),
            *(each.router.status() for each in self.begun()),
        )

    @invariant()
    def requests_are_bounded(self) -> None:
        """R6: whatever happens, a process loads when it is asked to, and else at a pace."""
        for process in self.begun():
            paced = (self.clock.now - process.began) / (0.8 * FIRST_DELAY)
            allowed = 2 + process.asked + paced + self.changes - process.changes
            assert process.flights <= allowed, "there are too many loads"
            assert process.line.requests <= MOST_REQUESTS * process.flights

    @invariant()
    def catalogues_hold(self) -> None:
        """C13, P5, P14, D7: each process holds one whole listing of its own account, and goes back to none before."""
        for process in self.begun():
            held = process.router._loader.held
            assert held is not None
            self.holds(process, held, process.router.status())

    def holds(self, process: Process, held: Catalogue, status: RouterStatus) -> None:
        """Hold one catalogue to what is promised of each, and remember it."""
        assert status.source == held.source
        if held.source == "bundled":
            assert process.listing is None, "the bundled catalogue came back"
            assert status.stale
            return
        listing = self.server.ever[process.account].get(held.digest)
        assert listing is not None, f"{held} was never listed for this account"
        assert [model.entry for model in held] == listing.entries
        assert len(held.quarantined) == status.quarantined <= 1
        if process.listing is not None and not (self.put_back and held.source == "disk"):
            assert listing.serial >= process.listing.serial, "an older catalogue came back"
        if process.as_of is not None and process.line.whole == process.whole:
            assert status.as_of is not None
            assert status.as_of >= process.as_of, "as_of went back"
        process.listing, process.as_of, process.whole = listing, status.as_of, process.line.whole

    def answers(self, process: Process) -> None:
        """Ask for the catalogue, which never raises, and let what that began come to its end."""
        catalogue = process.router.catalogue
        assert len({model.entry.get("serial") for model in catalogue}) <= 1
        settled()

    def asked_for(self, process: Process, refresh: Callable[[Router], Catalogue]) -> None:
        """Ask for a refresh: it brings what is listed now, or it raises and what is held stays."""
        listing = self.server.current[process.account]
        held = process.router._loader.held
        process.asked += 1
        if listing is None:
            with pytest.raises(CatalogueUnavailableError) as caught:
                refresh(process.router)
            assert held is None or process.router._loader.held is held
            self.shows(caught.value, repr(caught.value), vars(caught.value))
        else:
            catalogue = refresh(process.router)
            assert [model.entry for model in catalogue] == listing.entries, (
                "a refresh brought something else"
            )
            self.changes += 1
        settled()

    def live_on(self, process: Process) -> None:
        """Do in a child what any process does, and say what is wrong."""
        try:
            self.answers(process)
            self.asked_for(process, Router.refresh)
            self.answers(process)
            for check in (self.catalogues_hold, self.requests_are_bounded, self.keys_are_nowhere):
                check()
        except BaseException:
            (self.directory / "said").write_text(format_exc(), encoding="utf-8")
            raise

    def files(self) -> list[Path]:
        """Return the files of the cache."""
        return sorted(self.cache.iterdir()) if self.cache.is_dir() else []

    def rewrite(self, which: int, change: Callable[[bytes], bytes]) -> None:
        """Change a file in its place."""
        for path in self.files()[which : which + 1]:
            if path.is_file():
                path.write_bytes(change(path.read_bytes()))

    @staticmethod
    def remove(path: Path) -> None:
        """Remove whatever is there."""
        with suppress(FileNotFoundError):
            path.rmdir() if path.is_dir() else path.unlink()

    @staticmethod
    def shows(*given: object) -> None:
        """No text holds a part of a key."""
        assert leaks(*given) == [], "a key shows"


def newest(catalogue: Snapshot, need: str) -> Model | None:
    """Return the newest model that meets the need, read from the raw entries one by one."""
    if catalogue.source == "bundled":
        return next(iter(catalogue.candidates(need)), None)
    met = [
        model
        for model in catalogue
        if NEEDS[need](dict(model.entry)) and require(need).matches(model)
    ]
    return max(met, key=lambda model: str(model.entry["created_at"]), default=None)


FEW: Final = settings(
    max_examples=20, stateful_step_count=25, suppress_health_check=list(HealthCheck)
)
MANY: Final = settings(FEW, max_examples=400, stateful_step_count=50)
HUNT: Final = settings(
    FEW,
    max_examples=500,
    phases=[Phase.generate],
    database=None,
    print_blob=False,
    derandomize=True,
)


@pytest.mark.timeout(600)
def test_whatever_happens() -> None:
    """C13, D5, D7, D8, K1, P5, P14, R6, T1: whatever happens in whatever order, every promise of an answer holds."""
    run_state_machine_as_test(World, settings=FEW)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_whatever_happens_for_long() -> None:
    """C13, D5, D7, D8, K1, P5, P14, R6, T1: the same over many more and longer runs."""
    run_state_machine_as_test(World, settings=MANY)


# Its twins


class Gullible(AnthropicSource):
    """Believes whatever has models in it."""

    def fetch(
        self,
        deadline: Deadline,
        progress: Progress | None = None,
        held: Catalogue | None = None,
        **_: Any,
    ) -> Catalogue:
        """Ask for one page, and read what there is."""
        with httpx.Client(auth=self._wire()._authorize, transport=self._transport) as client:
            try:
                data = client.get(f"{self.base_url}/v1/models").json()["data"]
            except (httpx.TransportError, ValueError):
                raise CatalogueUnavailableError("no answer") from None
        models, quarantined = read_listing(data, {})
        return Catalogue(models, source="live", as_of=datetime.now(UTC), quarantined=quarantined)


class Nostalgic(AnthropicSource):
    """Answers with the first catalogue that it ever had where it can have no other."""

    first: Catalogue | None = None

    def fetch(self, *arguments: Any, **also: Any) -> Catalogue:
        """Fetch, or remember."""
        try:
            catalogue = super().fetch(*arguments, **also)
        except CatalogueUnavailableError:
            if self.first is None:
                raise
            return self.first
        self.first = self.first or catalogue
        return catalogue


class Shared(AnthropicSource):
    """Keeps the answers to every key under one name."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.identity = "0" * 40


class Talkative(AnthropicSource):
    """Says what it sent."""

    def fetch(self, *arguments: Any, **also: Any) -> Catalogue:
        """Log the headers, and fetch."""
        request = httpx.Request("GET", self.base_url)
        self._credential.authorize(request.headers)
        logging.getLogger("router").debug("asking with %s", request.headers.raw)
        return super().fetch(*arguments, **also)


class Eager(Router):
    """Renews what it holds at every read."""

    @property
    def catalogue(self) -> Catalogue:
        """Fetch, and answer."""
        with suppress(CatalogueUnavailableError):
            return self.refresh()
        return super().catalogue


class Despairing(Router):
    """Falls back to the bundled catalogue after any failure."""

    @property
    def catalogue(self) -> Catalogue:
        """Give up what is held once a refresh has failed."""
        catalogue = super().catalogue
        settled()
        if self.status().last_error is not None:
            self._loader.held = self._loader._stand_in()
        return catalogue


class Frank(Router):
    """Raises where the last refresh failed."""

    @property
    def catalogue(self) -> Catalogue:
        """Raise, or answer."""
        catalogue = super().catalogue
        settled()
        if (error := self.status().last_error) is not None:
            raise LookupError("an answer raised") from error
        return catalogue


class Trusting(Store):
    """Reads a file without looking at what vouches for it."""

    def read(self) -> Stored | None:
        """Take the two lines of JSON for what they say."""
        if not Path(self.path).is_file():
            return None
        try:
            _, facts, listed = Path(self.path).read_bytes().split(b"\n")
            return Stored(json.loads(listed), **json.loads(facts))
        except (ValueError, TypeError) as error:
            raise LookupError("a broken file was read") from error


class Careless(Router):
    """Keeps its catalogues in such a store."""

    def __init__(self, source: Source, *, cache_dir: Path, **arguments: Any) -> None:
        super().__init__(source, cache_dir=cache_dir, **arguments)
        self._loader._disk._open_store = lambda: Trusting(str(cache_dir), str(source.identity))


TWINS: Final[Mapping[str, tuple[str, type, str]]] = {
    "a-bad-listing-replaces-a-good-one": ("source", Gullible, "DID NOT RAISE|was never listed"),
    "an-older-catalogue-comes-back": ("source", Nostalgic, "DID NOT RAISE|an older catalogue"),
    "two-keys-share-a-file": (
        "source",
        Shared,
        "was never listed for this account|brought something else",
    ),
    "the-key-is-logged": ("source", Talkative, "a key shows"),
    "each-read-loads": ("router", Eager, "reads ask for too much|there are too many loads"),
    "the-bundled-catalogue-comes-back": ("router", Despairing, "the bundled catalogue came back"),
    "an-answer-raises": ("router", Frank, "an answer raised"),
    "a-broken-file-is-read": (
        "router",
        Careless,
        "a broken file was read|was never listed|went back|brought something else",
    ),
}


FOUND_AT_ONCE: Final = frozenset({"the-key-is-logged"})


def of_twin(name: str) -> Any:
    """Return the case of one twin; those that take seconds to find run only under `tox -e long`."""
    return pytest.param(
        *TWINS[name], id=name, marks=[pytest.mark.long] if name not in FOUND_AT_ONCE else []
    )


@pytest.mark.parametrize(("name", "twin", "found"), [of_twin(name) for name in TWINS])
def test_twin_is_found_out(name: str, twin: type, found: str) -> None:
    """The twins that must fail: one fault put in by hand, and the same machine finds a way to show it."""
    with pytest.raises((Exception, pytest.fail.Exception), match=found):
        run_state_machine_as_test(type("Broken", (World,), {name: twin}), settings=HUNT)


def test_refresh_with_a_file_of_the_future(tmp_path: Path) -> None:
    """D8: a refresh that is asked for asks the source, also where the disk claims to hold what is yet to come."""
    server = Server()
    ahead, now = FakeClock(NOON + 86_400.0), FakeClock(NOON)
    for serial, wall in enumerate((ahead, now)):
        server.list(Listing(0, serial, 6 + serial))
        line = Line(server)
        source = AnthropicSource(api_key=KEY, environ={}, transport=line)
        assert len(Router(source, cache_dir=tmp_path / "cache", wall=wall).refresh()) == 6 + serial
        assert line.requests == 1
