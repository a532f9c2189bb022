"""The key in nothing that a refresh leaves behind, whatever went wrong: no text, log, file, hook or output."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import pydoc
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast, is_typeddict

import attrs
import httpx
import pytest
from canary import KEY, leaks, remains
from fake_api import FakeAPI, entries, failure, plain_transport, reply
from fake_source import FakeClock, eventually
from public_values import public_values
from scenarios import (
    ENCODED,
    FAULTS,
    JSON,
    PAGE,
    PASSWORD,
    PROXY,
    SCENARIOS,
    Arguments,
    Stage,
    staged,
)
from terminal import COMMAND, ended, environment, started

import router as package
from router import (
    AnthropicSource,
    Catalogue,
    CatalogueUnavailableError,
    Router,
    RouterError,
    Source,
)
from router.cli._commands import run
from router.refresh._deadline import Deadline


def format_value(*texts: object) -> list[str]:
    """Return what is found of the key, and of the password of a proxy."""
    text = "\n".join(map(str, texts))
    return leaks(text) + [secret for secret in (PASSWORD, ENCODED) if secret in text]


def by_refresh(router: Router) -> Catalogue:
    """Refresh."""
    return router.refresh()


def by_arefresh(router: Router) -> Catalogue:
    """Refresh on an event loop."""
    return asyncio.run(router.arefresh())


def live(api: FakeAPI, **arguments: Any) -> AnthropicSource:
    """Return the live source of that server."""
    given: Arguments = {
        "api_key": KEY,
        "base_url": api.url,
        "environ": {},
        "transport": plain_transport(),
    }
    return AnthropicSource(**given | arguments)


def takings(thing: object) -> Iterator[object]:
    """Yield whatever can be had of a thing: its texts, its parts, its copies, its pickle, and that as a dict."""
    yield from (str(thing), repr(thing), f"{thing!s:>1}", getattr(thing, "__dict__", ""))
    yield from (
        getattr(thing, name, "")
        for name in getattr(type(thing), "__slots__", ())
        if name[:2] != "__"
    )
    for take in (copy.copy, copy.deepcopy, pickle.dumps):
        with suppress(TypeError, AttributeError, pickle.PicklingError):
            taken = take(thing)
            yield from (taken, getattr(taken, "__dict__", ""))
    # A class of attrs may have a part that cannot be copied.
    with suppress(TypeError, attrs.exceptions.NotAnAttrsClassError):
        yield attrs.asdict(cast("attrs.AttrsInstance", thing))
    if isinstance(thing, BaseException):
        yield remains(thing)


def left_behind(
    source: Source,
    cache: Path,
    caplog: pytest.LogCaptureFixture,
    refresh: Callable[[Router], object],
    deadline: float,
) -> tuple[list[BaseException], list[object]]:
    """Refresh once, and return what was raised, and all else that is left: texts, logs, warnings, files, and hooks."""
    caplog.set_level(logging.DEBUG)
    raised: list[BaseException] = []
    told: list[object] = []
    sleep = FakeClock().sleep
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        router = Router(
            source,
            cache_dir=cache,
            deadline=deadline,
            sleep=sleep,
            on_refresh=lambda *given: told.extend(given),
            on_error=told.append,
        )
        try:
            refresh(router)
        except RouterError as error:
            raised.append(error)
        catalogue = router.catalogue
        decision = router.explain("pdf_input")
        assert eventually(
            lambda: all(thread.name != "router-refresh" for thread in threading.enumerate())
        )
    things = [
        *raised,
        *told,
        *warned,
        source,
        router,
        router.status(),
        catalogue,
        decision,
        *catalogue,
    ]
    files = [*cache.rglob("*")] if cache.exists() else []
    contents = [path.read_bytes() for path in files if path.is_file()]
    texts = [taken for thing in things for taken in takings(thing)]
    return raised, [caplog.text, *files, *contents, *texts]


@pytest.fixture
def stage() -> Iterator[Stage]:
    """What a scenario is played on."""
    with staged() as stage:
        yield stage


@pytest.fixture
def api(stage: Stage) -> FakeAPI:
    """A server with 20 models."""
    return stage.api


RUNS: Final = [(name, by_refresh) for name in SCENARIOS] + [
    (name, by_arefresh)
    for name in (
        "K7-401",
        "K1-echo",
        "P10-cut",
        "N3-silence",
        "good",
        "quarantined",
        "K4-proxy-refuses",
    )
]


@pytest.mark.sample(40)
@pytest.mark.parametrize(("name", "refresh"), RUNS)
def test_nothing_is_left_behind(
    stage: Stage,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    name: str,
    refresh: Callable[[Router], Catalogue],
) -> None:
    """K1, K4, K5: however a refresh ends, neither the key nor the password of a proxy is in anything it leaves."""
    source = live(stage.api, **SCENARIOS[name].arrange(stage))

    raised, left = left_behind(
        source, tmp_path / "cache", caplog, refresh, SCENARIOS[name].deadline
    )

    assert bool(raised) == (name in FAULTS)
    assert "httpcore" in caplog.text
    assert format_value(*left) == []


ECHOES: Final = {
    "left-out": [*entries(20), {"id": f"!{KEY}"}],
    "taken": [{**entries(1)[0], "display_name": f"for {KEY}"}],
}


@pytest.mark.parametrize("listing", ECHOES.values(), ids=ECHOES)
def test_listing_that_repeats_the_key(
    stage: Stage, caplog: pytest.LogCaptureFixture, tmp_path: Path, listing: object
) -> None:
    """K1: a server that repeats the key in an entry, odd or not, does not bring it into a log, a file or a text."""
    stage.api.script(reply(200, {"data": listing, "has_more": False}))

    _, left = left_behind(live(stage.api), tmp_path / "cache", caplog, by_refresh, 30.0)

    assert format_value(*left) == []


def listing_of(said: str) -> bytes:
    """Return the listing of one model that is displayed with that text."""
    return reply(
        200, {"data": [{**entries(1)[0], "display_name": f"for {said}"}], "has_more": False}
    )


@pytest.mark.parametrize(
    ("key", "said"),
    [(KEY, KEY[:12]), (KEY, KEY[:-1]), (KEY[:23], KEY[:23]), ("claude", "all")],
    ids=["a part of it", "all but its end", "all of a short one", "a word of each listing"],
)
def test_listing_that_shares_with_the_key(api: FakeAPI, key: str, said: str) -> None:
    """A listing that has a part of the key in it, or all of a key so short that this is chance, is taken."""
    api.script(listing_of(said))

    (model,) = live(api, api_key=key).fetch(Deadline(10.0))
    assert model.display_name == f"for {said}"


@pytest.mark.parametrize("key", [KEY, KEY[:24]], ids=["long", "just long enough"])
def test_listing_that_has_the_key(api: FakeAPI, key: str) -> None:
    """K1: a listing that has all of a key in it, which is no chance, is refused."""
    api.script(listing_of(key))

    with pytest.raises(CatalogueUnavailableError, match="repeats the credential"):
        live(api, api_key=key).fetch(Deadline(10.0))


class Plain:
    """The twin of a source: it asks with httpx, as anybody would."""

    remote = True
    identity: str | None = "1" * 40

    def __init__(self, url: str) -> None:
        self.url = url

    def fetch(
        self, deadline: Deadline, progress: object = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Ask, and let the errors of httpx out."""
        request = httpx.Request("GET", f"{self.url}/v1/models", headers={"x-api-key": KEY})
        with httpx.Client(transport=plain_transport()) as client:
            return Catalogue.from_listing(self.read(client.send(request)))

    def read(self, response: httpx.Response) -> Any:
        """Read the entries."""
        return response.raise_for_status().json()["data"]


class Chatty(Plain):
    """Logs what it sent."""

    def read(self, response: httpx.Response) -> Any:
        """Read the entries."""
        logging.getLogger("router").debug("%s", response.request.headers.raw)
        return response.json()["data"]


class Marked(Plain):
    """Keeps what it sent with what it got, to disk."""

    def read(self, response: httpx.Response) -> Any:
        """Read the entries."""
        return [
            {**entry, "asked_with": response.request.headers["x-api-key"]}
            for entry in response.json()["data"]
        ]


@pytest.mark.parametrize(("twin", "status"), [(Plain, 401), (Chatty, 200), (Marked, 200)])
def test_what_others_leave_behind(
    api: FakeAPI, caplog: pytest.LogCaptureFixture, tmp_path: Path, twin: type[Plain], status: int
) -> None:
    """The twins that must fail: an error that holds its request, a log line, and a file are each found."""
    api.script(failure(401, "authentication_error") if status == 401 else reply(200, PAGE, JSON))

    _, left = left_behind(twin(api.url), tmp_path / "cache", caplog, by_refresh, 5.0)

    assert format_value(*left)


def test_public_objects_show_no_key(api: FakeAPI) -> None:
    """K1: no public object shows the key in a text, a part, a copy, a pickle or a dict that can be had of it."""
    things = public_values(live(api))
    values = [getattr(package, name) for name in package.__all__]
    public = [each for each in values if isinstance(each, type) and not is_typeddict(each)]

    assert [kind.__name__ for kind in public if not any(_is(thing, kind) for thing in things)] == []
    assert format_value(*(taken for thing in things for taken in takings(thing))) == []


def test_help_shows_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """K1: what `help()` prints of a public name has the defaults of its functions, and no key among them."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)

    texts = [pydoc.render_doc(getattr(package, name)) for name in package.__all__]

    assert "base_url" in "".join(texts)
    assert format_value(*texts) == []


def _is(thing: object, kind: type) -> bool:
    return isinstance(thing, kind) if kind is not Source else hasattr(thing, "fetch")


@attrs.frozen
class Open:
    """The twin of what is public: its text is silent, its parts are not."""

    key: str = attrs.field(default=KEY, repr=False)


def test_a_part_that_shows_the_key() -> None:
    """The twin that must fail: a key that only copies and dicts show is found."""
    assert "Open()" in takings(Open())
    assert format_value(*takings(Open()))


@pytest.mark.parametrize("error", [401, 403])
def test_refused_key(api: FakeAPI, tmp_path: Path, error: int) -> None:
    """K7: while a key is refused its last catalogue answers, in memory and on disk, and the status says why."""
    router = Router(live(api), cache_dir=tmp_path)
    held = router.refresh()
    (path,) = tmp_path.glob("*.json")
    stored = path.read_bytes()

    for _ in range(2):
        api.script(failure(error, "authentication_error"))
        with pytest.raises(CatalogueUnavailableError):
            router.refresh()
    other = Router(live(api), cache_dir=tmp_path)

    assert router.catalogue is held
    assert [model.entry for model in other.catalogue] == [model.entry for model in held]
    assert path.read_bytes() == stored
    status = router.status()
    assert status.last_error is not None
    assert (status.last_error.status, status.stale, len(api.requests)) == (error, False, 3)


def test_key_refused_once(api: FakeAPI, tmp_path: Path) -> None:
    """K7: a refusal that is over is forgotten with the next refresh."""
    router = Router(live(api), cache_dir=tmp_path)
    api.script(failure(401, "authentication_error"))
    with pytest.raises(CatalogueUnavailableError):
        router.refresh()

    assert len(router.refresh()) == 20
    assert router.status().last_error is None
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix != ".lock"] == [".json"]


@pytest.mark.parametrize("key", [f"  {KEY}\n", f"\t{KEY} "])
def test_key_with_space_around_it(api: FakeAPI, tmp_path: Path, key: str) -> None:
    """K2: space around a key is no part of it: it is sent without, and finds what the key alone has stored."""
    Router(live(api), cache_dir=tmp_path).refresh()

    assert Router(live(api, api_key=key), cache_dir=tmp_path).catalogue.source == "disk"
    assert len(Router(live(api, api_key=key), cache_dir=tmp_path).refresh()) == 20
    assert {request.headers["x-api-key"] for request in api.requests} == {KEY}


@pytest.mark.parametrize(
    "url", [f"{PROXY}/", f"https://user:{PASSWORD}@gateway.example", "http://gateway.example"]
)
def test_poisoned_base_url(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    """K3: a base URL of the environment that would give the key away ends the command, which shows no secret."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)

    assert run(["refresh"]) != 0
    out, err = capsys.readouterr()
    assert "ANTHROPIC_BASE_URL" in err
    assert format_value(out, err) == []


ONCE: Final = (
    "N9-400",
    "N9-404",
    "K1-echo",
    "N6-307",
    "N7-html",
    "P10-cut",
    "P9-drift",
    "good",
    "quarantined",
)
"""Scenarios in which the command asks once, so that it has nothing to wait for."""


@pytest.mark.parametrize("name", ONCE)
def test_command_shows_no_key(
    stage: Stage, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    """K1: the command writes no part of the key, neither to its outputs nor into the cache."""
    SCENARIOS[name].arrange(stage)
    for variable, value in {"API_KEY": KEY, "BASE_URL": stage.api.url}.items():
        stage.patch.setenv(f"ANTHROPIC_{variable}", value)
    stage.patch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stage.patch.setattr(logging.getLogger("router"), "handlers", [])

    statuses = [
        run([*arguments.split()])
        for arguments in ("refresh", "refresh --json", "select", "status --json")
    ]

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (statuses[:2] == [0, 0]) == (name not in FAULTS)
    assert statuses[2:] == [0, 0]
    assert format_value(*capsys.readouterr(), *files, *(path.read_bytes() for path in files)) == []


SPILLING: Final = (
    f"{COMMAND[:-8]}; import os;"
    " open(os.environ['SPILL'], 'w').write(os.environ['ANTHROPIC_API_KEY']); main()"
)
"""The twin of the command: it writes the key to a file before it does its work."""


@pytest.mark.long
@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace here")
@pytest.mark.parametrize("code", [COMMAND, SPILLING], ids=["command", "twin"])
def test_key_goes_to_the_api_alone(api: FakeAPI, tmp_path: Path, code: str) -> None:
    """K1: of all that the command writes, opens and sends, as the kernel sees it, only the request has the key."""
    trace = tmp_path / "trace"
    calls = "trace=write,writev,pwrite64,sendto,sendmsg,sendmmsg,open,openat,rename,renameat,unlink,connect,execve"
    through = [
        "strace",
        "-f",
        "-v",
        "-yy",
        "-s",
        "1000000",
        "-e",
        calls,
        "-e",
        "verbose=!execve",
        "-o",
        str(trace),
    ]
    environ = environment(
        ANTHROPIC_API_KEY=KEY,
        ANTHROPIC_BASE_URL=api.url,
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        SPILL=str(tmp_path / "spill"),
    )

    ran = ended(started("refresh", environ=environ, code=code, through=through))

    lines = [
        line for line in trace.read_text(encoding="utf-8").splitlines() if "execve(" not in line
    ]
    sent = [line for line in lines if leaks(line)]
    to_the_api = [line for line in sent if f"->127.0.0.1:{api.port}]>" in line]
    assert ran.status == 0, ran.err
    assert any(".tmp" in line for line in lines)
    assert len(to_the_api) == 1
    assert (sent == to_the_api) == (code is COMMAND)
