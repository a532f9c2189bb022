"""One table of what can go wrong with a refresh, by the rows of the faults that it is to survive.

A scenario prepares a stage, and says what a refresh may cost there and what its error says; and how the
twin of the loader, which asks as anybody would and checks nothing, is found out:

    untyped  it raises something that no caller was told of
    adopts   it holds what came
    late     it takes as long as the server likes
    asks     it asks more often than the row allows
    strays   it goes to where it was never sent
"""

from __future__ import annotations

import gzip
import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import pytest
import trustme
from attrs import field, frozen
from canary import KEY
from fake_api import (
    PATH,
    End,
    Entry,
    FakeAPI,
    Scripted,
    Step,
    black_hole,
    certified,
    drip,
    entries,
    failure,
    head,
    list_models,
    reply,
    serve,
)

PASSWORD: Final = "sEcretOfTheProxy"  # noqa: S105 - it is to be looked for
PROXY: Final = f"http://user:{PASSWORD}@127.0.0.1"
ENCODED: Final = b64encode(f"user:{PASSWORD}".encode()).decode()
JSON: Final = {"content-type": "application/json"}
CHUNKED: Final = {**JSON, "transfer-encoding": "chunked"}
LISTING: Final = list_models(entries(20), [])[1]
PAGE: Final = json.dumps(LISTING).encode()
ODD: Final = {"id": "\x00"}
NOT_JSON: Final = "not JSON"

SHORT: Final = 0.3
"""The deadline, in seconds, of what has no end by itself."""

DELAY: Final = 4.0
REFUSED_DELAY: Final = 240.0
"""Seconds to the next try, where chance is nought: after a first failure, and after one of the key or its limit."""

Arguments = dict[str, Any]


@frozen
class Stage:
    """What a scenario is played on; nothing may ever come to `others`."""

    api: FakeAPI
    patch: pytest.MonkeyPatch
    stack: ExitStack
    others: list[FakeAPI] = field(factory=list)

    def elsewhere(self) -> FakeAPI:
        """Return another server, which has a listing of its own."""
        self.others.append(self.stack.enter_context(serve(entries(1))))
        return self.others[-1]


@contextmanager
def staged() -> Iterator[Stage]:
    """Give a stage with a server of 20 models, of which nothing is left behind."""
    with serve(entries(20)) as api, ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        yield Stage(api, patch, stack)


Arrange = Callable[[Stage], Arguments]
"""Prepares the stage, and returns the arguments of the source."""


@frozen
class Scenario:
    """What is played, what a refresh costs there and says of it, and how its twin is found out."""

    arrange: Arrange
    twin: str = ""
    requests: int = 1
    says: str = ""
    """What the error says, as a regular expression."""
    next_try: float = DELAY
    """Seconds to the next try."""
    deadline: float = 30.0

    @property
    def twin_breaks(self) -> set[str]:
        """How the twin is found out."""
        return set(self.twin.split())


def always(answer: Callable[[], Scripted], twin: str, **given: Any) -> Scenario:
    """Return the scenario of a server that answers each attempt like this."""
    return in_turn(lambda: [answer() for _ in range(3)], twin, **given)


def in_turn(answers: Callable[[], Iterable[Scripted]], twin: str, **given: Any) -> Scenario:
    """Return the scenario of a server that answers the requests like this, one after the other."""

    def arrange(stage: Stage) -> Arguments:
        stage.api.script(*answers())
        return {}

    return Scenario(arrange, twin, **given)


def behind(port: int, answer: bytes = b"") -> Arrange:
    """Let there be a proxy with a password: at that port, or the server itself, which then answers this."""

    def arrange(stage: Stage) -> Arguments:
        for name, value in (("HTTP_PROXY", f"{PROXY}:{port or stage.api.port}"), ("NO_PROXY", "")):
            stage.patch.setenv(name, value)
            stage.patch.setenv(name.lower(), value)
        stage.api.script(*[answer] * 3)
        return {"transport": None}

    return arrange


def gone(_: Stage) -> Arguments:
    """Nobody listens."""
    with serve() as other:
        return {"base_url": other.url}


def nameless(_: Stage) -> Arguments:
    """The name of the host is no name."""
    return {"base_url": "https://nowhere.invalid"}


def unreached(stage: Stage) -> Arguments:
    """Nobody takes the connection, nor refuses it."""
    return {"base_url": stage.stack.enter_context(black_hole())}


def plain(stage: Stage) -> Arguments:
    """Plain HTTP is spoken where TLS is expected."""
    return {"base_url": stage.api.url.replace("http:", "https:"), "transport": None}


def untrusted(stage: Stage) -> Arguments:
    """The certificate is nobody's."""
    return {
        "base_url": stage.stack.enter_context(serve(tls=certified(trustme.CA()))).url,
        "transport": None,
    }


def netrc(stage: Stage) -> Arguments:
    """The key is another program's password for the same host as well, and is refused."""
    path = Path(stage.stack.enter_context(TemporaryDirectory())) / "netrc"
    path.write_text(f"machine 127.0.0.1 login user password {KEY}\n", encoding="utf-8")
    stage.patch.setenv("NETRC", str(path))
    stage.api.script(failure(401, "authentication_error"))
    return {"transport": None}


def token(stage: Stage) -> Arguments:
    """The key is a bearer token, and the server repeats it."""
    stage.api.script(failure(401, "authentication_error", f"Bearer {KEY} is not known"))
    return {"api_key": None, "auth_token": KEY}


def to(target: Callable[[Stage], str], status: int) -> Arrange:
    """Let the server lead elsewhere, to whatever is asked of it."""

    def arrange(stage: Stage) -> Arguments:
        stage.api.script(*[reply(status, headers={"location": target(stage)})] * 3)
        return {}

    return arrange


def downgrade(stage: Stage) -> Arguments:
    """A server over TLS, which is trusted, leads to one without."""
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    secure = stage.stack.enter_context(serve(tls=certified(authority)))
    secure.script(reply(308, headers={"location": f"{stage.elsewhere().url}{PATH}"}))
    return {"base_url": secure.url, "transport": httpx.HTTPTransport(verify=trusting)}


def redirect(target: Callable[[Stage], str], twin: str, status: int = 307) -> Scenario:
    """Return the scenario of a redirect, which is asked for once and not followed."""
    return Scenario(to(target, status), twin, says=f"{status}, a redirect, which is never followed")


def refusing(status: int, headers: Mapping[str, str] | None = None, **given: Any) -> Scenario:
    """Return the scenario of that status."""
    return always(
        lambda: failure(status, "api_error", headers=headers),
        "untyped",
        says=f"answered {status}",
        **given,
    )


def body(
    content: bytes, says: str, *, of: str | None = JSON["content-type"], status: int = 200
) -> Scenario:
    """Return the scenario of that body, of that type, which a twin takes for what it looks like."""
    headers = {} if of is None else {"content-type": of}
    return always(lambda: reply(status, content, headers), "adopts", says=says)


def listing(twin: str = "adopts", says: str = "", **fields: object) -> Scenario:
    """Return the scenario of a listing of one page, other than it should be in these fields."""
    return always(lambda: reply(200, LISTING | fields), twin, says=says)


def page(*models: Entry, **fields: object) -> bytes:
    """Return a page of these models that says there is more, other than it should be in these fields."""
    last = models[-1]["id"] if models else None
    return reply(200, {"data": models, "has_more": True, "last_id": last} | fields)


def twice(answer: Callable[[], Scripted], times: int = 1) -> Callable[[], Iterable[Scripted]]:
    """Return the answers of a server that has a first page, and this in place of the second, so many times."""
    return lambda: [each for _ in range(times) for each in (page(*entries(20)), answer())]


def slowly(whole: bytes, last: int) -> Iterator[Step]:
    """Return the steps of an answer whose last bytes come one at a time, for a second in all."""
    return chain([whole[:-last]], drip(whole[-last:], 1.0 / last))


FIRST, SECOND, THIRD = entries(3)
GOOD: Final = reply(200, PAGE, JSON)
SLOW_HEAD: Final = head(200, {"content-length": str(len(PAGE)), **JSON, "x-slow": "s" * 40})
DIGITS: Final = PAGE.replace(b"64000", b"6" * 4301)

CONNECTIONS: Final[Mapping[str, Scenario]] = {
    "N1-refused": Scenario(gone, "untyped", 0, says="ConnectError"),
    "N1-closed": always(lambda: [End.CLOSE], "untyped", requests=3),
    "N1-closed-within-the-head": always(lambda: [GOOD[:30], End.CLOSE], "untyped", requests=3),
    "N1-reset": always(
        lambda: [head(200, {**JSON, "content-length": "9"}) + b"{", End.RESET],
        "untyped",
        requests=3,
    ),
    "N1-less-than-its-length": always(lambda: [GOOD[:-1], End.CLOSE], "untyped", requests=3),
    "N1-cut-chunk": always(
        lambda: [head(200, CHUNKED) + b"fff\r\n" + PAGE[:99], End.CLOSE], "untyped", requests=3
    ),
    "N1-no-last-chunk": always(
        lambda: [head(200, CHUNKED) + b"%x\r\n%b\r\n" % (len(PAGE), PAGE), End.CLOSE],
        "untyped",
        requests=3,
    ),
    "N1-not-http": always(lambda: [b"junk\r\n\r\n", End.CLOSE], "untyped", requests=3),
    "N2-no-such-host": Scenario(nameless, "untyped", 0),
    "N2-black-hole": Scenario(unreached, "untyped late", 0, deadline=SHORT),
    "N3-silence": always(lambda: [60.0], "untyped late", deadline=SHORT),
    "N3-silence-within-the-body": always(lambda: [GOOD[:-9], 60.0], "untyped late", deadline=SHORT),
    "N3-slow-head": always(
        lambda: chain(slowly(SLOW_HEAD, 40), [PAGE]), "adopts late", deadline=SHORT
    ),
    "N3-slow-body": always(lambda: slowly(GOOD, 40), "adopts late", deadline=SHORT),
    "N3-slow-chunks": always(
        lambda: chain(
            [head(200, CHUNKED) + b"%x\r\n%b\r\n" % (len(PAGE), PAGE)],
            chain.from_iterable(repeat((b"1\r\n \r\n", 0.025), 40)),
            [b"0\r\n\r\n"],
        ),
        "adopts late",
        deadline=SHORT,
    ),
    "N3-slow-refusal": always(
        lambda: slowly(failure(500, "api_error"), 40), "untyped late", deadline=SHORT
    ),
    "N4-bomb": always(
        lambda: reply(
            200, gzip.compress(PAGE + b" " * 2**23, 1), JSON | {"content-encoding": "gzip"}
        ),
        "adopts",
        says="more than 4194304 bytes",
    ),
    "N4-nested": always(
        lambda: reply(
            200, gzip.compress(gzip.compress(PAGE)), JSON | {"content-encoding": "gzip, gzip"}
        ),
        "adopts",
        says="which was not asked for",
    ),
    "N4-no-gzip": always(
        lambda: reply(200, PAGE, {**JSON, "content-encoding": "gzip"}), "untyped", requests=3
    ),
    "N4-length-too-short": always(
        lambda: [head(200, {**JSON, "content-length": "99"}) + PAGE, End.CLOSE],
        "untyped",
        says=NOT_JSON,
    ),
    "N5-body": always(
        lambda: chain([head(200, JSON) + PAGE], repeat(b" " * 65536, 80), [End.CLOSE]),
        "adopts",
        says="more than",
    ),
    "N5-headers": always(
        lambda: chain([b"HTTP/1.1 200 OK\r\n"], repeat(b"x-more: of it\r\n" * 100, 200)),
        "untyped",
        requests=3,
    ),
    "N5-long-header": always(
        lambda: head(200, {**JSON, "x-long": "l" * 2**20}), "untyped", requests=3
    ),
    "N5-informational": always(
        lambda: chain(
            chain.from_iterable(repeat((b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.025), 40)), [GOOD]
        ),
        "adopts late",
        deadline=SHORT,
    ),
    "N10-plain": Scenario(plain, "untyped", 0),
    "N10-untrusted": Scenario(untrusted, "untyped", 0, says="CERTIFICATE_VERIFY_FAILED"),
    "K4-proxy-gone": Scenario(behind(9), "untyped", 0),
    "K4-proxy-refuses": Scenario(behind(0, failure(407, "proxy", "authenticate")), "untyped"),
}
REDIRECTS: Final[Mapping[str, Scenario]] = {
    **{
        f"N6-{status}": redirect(
            lambda stage: f"{stage.elsewhere().url}{PATH}", "adopts strays", status
        )
        for status in (301, 302, 303, 307, 308)
    },
    "N6-other-name": redirect(
        lambda stage: f"http://localhost:{stage.api.port}{PATH}", "adopts asks"
    ),
    "N6-itself": redirect(lambda _: PATH, "adopts asks"),
    "N6-file": redirect(lambda _: "file:///etc/passwd", "untyped"),
    "N6-downgrade": Scenario(downgrade, "adopts strays", 0, says="308, a redirect"),
}
STATUSES: Final[Mapping[str, Scenario]] = {
    **{f"N9-{status}": refusing(status) for status in (300, 400, 404, 422, 501, 599)},
    **{
        f"N9-{status}": refusing(status, requests=3)
        for status in (408, 409, 500, 502, 503, 504, 529)
    },
    **{f"K7-{status}": refusing(status, next_try=REFUSED_DELAY) for status in (401, 403)},
    "R2-400-but-told-to": refusing(400, {"x-should-retry": "true"}, requests=3),
    "R2-500-but-told-not-to": refusing(500, {"x-should-retry": "false"}),
    "R3-429-soon": refusing(429, {"retry-after": "1"}, requests=3),
    "R3-429-later": refusing(429, {"retry-after": "100"}, next_try=100.0),
    "R4-429-without-a-time": refusing(429, next_try=REFUSED_DELAY),
    "N9-500-with-a-page": always(
        lambda: reply(500, PAGE, JSON), "adopts", requests=3, says="answered 500"
    ),
    "N9-html": always(
        lambda: reply(502, b"<h1>Bad</h1>", {"content-type": "text/html"}), "untyped", requests=3
    ),
    "K1-echo": always(
        lambda: failure(401, "authentication_error", f"invalid x-api-key {KEY}"),
        "untyped",
        next_try=REFUSED_DELAY,
    ),
    "K5-cookie": always(
        lambda: reply(500, headers={"set-cookie": "session=1; Path=/"}), "untyped", requests=3
    ),
    "K5-netrc": Scenario(netrc, "untyped", next_try=REFUSED_DELAY),
    "K1-token": Scenario(token, "untyped", next_try=REFUSED_DELAY),
}
PAYLOADS: Final[Mapping[str, Scenario]] = {
    "N7-html": body(PAGE, NOT_JSON, of="text/html"),
    "N7-no-type": body(PAGE, NOT_JSON, of=None),
    "N7-charset": body(PAGE, NOT_JSON, of="application/json; charset=latin-1"),
    "N7-utf-16": body(PAGE.decode().encode("utf-16"), NOT_JSON),
    "N7-bom": body(b"\xef\xbb\xbf" + PAGE, NOT_JSON),
    "N7-206": body(PAGE, "answered 206", status=206),
    "N7-page-of-html": always(
        lambda: reply(200, b"<h1>", {"content-type": "text/html"}), "untyped", says=NOT_JSON
    ),
    "N7-204": always(lambda: reply(204), "untyped", says="answered 204"),
    "N7-304": always(lambda: reply(304), "untyped", says="answered 304"),
    "N7-empty": always(lambda: reply(200, b"", JSON), "untyped", says=NOT_JSON),
    "N8-overloaded": always(
        lambda: failure(200, "overloaded_error"), "untyped", requests=3, says="overloaded_error"
    ),
    "N8-key": always(
        lambda: failure(200, "authentication_error"),
        "untyped",
        says="authentication_error",
        next_try=REFUSED_DELAY,
    ),
    "P1-circle": in_turn(lambda: [page(FIRST)] * 2, "adopts", requests=2, says="form a loop"),
    "P1-alternating": in_turn(
        lambda: [page(FIRST), page(SECOND), page(FIRST)], "adopts", requests=3, says="form a loop"
    ),
    "P1-null": in_turn(
        lambda: [page(FIRST, last_id=None)], "adopts", says="its cursor is not a model of the page"
    ),
    "P1-missing": listing(has_more=True, last_id={}, says="its cursor is not a model of the page"),
    "P1-not-in-data": in_turn(
        lambda: [page(FIRST, last_id="x")], "adopts", says="its cursor is not a model"
    ),
    "P2-endless": in_turn(
        lambda: [page(each) for each in entries(101)],
        "adopts",
        requests=100,
        says="more than 100 pages",
    ),
    "P3-text": listing(has_more="false", says="has_more must be true or false"),
    "P3-number": listing(has_more=1, says="has_more must be true or false"),
    "P3-null": listing(has_more=None, says="has_more must be true or false"),
    "P3-missing": always(
        lambda: reply(200, {"data": entries(20)}), "adopts", says="has_more must be true or false"
    ),
    "P4-empty-page": in_turn(
        lambda: [page()], "adopts", says="an empty page says that there is more"
    ),
    "P5-refused": in_turn(
        twice(lambda: failure(500, "api_error"), 3), "adopts", requests=6, says="answered 500"
    ),
    "P5-broken": in_turn(
        twice(lambda: reply(200, PAGE[:-1], JSON)), "adopts", requests=2, says=NOT_JSON
    ),
    "P5-silence": in_turn(twice(lambda: [60.0]), "adopts", requests=2, deadline=SHORT),
    "P8-null": listing(data=None, says="data must be a list"),
    "P8-missing": always(
        lambda: reply(200, {"has_more": False}), "untyped", says="data must be a list"
    ),
    "P8-object": listing(data={}, says="data must be a list"),
    "P8-nulls": listing(data=[None] * 3),
    "P8-numbers": listing(data=[1, 2.5]),
    "P8-texts": listing(data=["claude", ""]),
    "P8-lists": listing(data=[[FIRST], [[]]]),
    "P8-top-level-list": always(lambda: reply(200, entries(3)), "untyped", says=NOT_JSON),
    "P8-top-level-number": always(lambda: reply(200, 7), "untyped", says=NOT_JSON),
    "P8-top-level-null": always(lambda: reply(200, None), "untyped", says=NOT_JSON),
    "P9-drift": listing(data=[*entries(5), ODD]),
    "P10-cut": always(lambda: reply(200, PAGE[:-1], JSON), "untyped", says=NOT_JSON),
    "P11-deep": always(lambda: reply(200, b"[" * 100_000, JSON), "untyped", says="nests too deep"),
    "P11-digits": always(lambda: reply(200, DIGITS, JSON), "untyped", says=NOT_JSON),
    **{
        f"P11-{constant}": body(PAGE.replace(b"64000", constant.encode()), "is not JSON")
        for constant in ("NaN", "Infinity", "-Infinity")
    },
    "P12-empty": in_turn(
        lambda: [reply(200, {"data": [], "has_more": False})],
        "adopts",
        requests=2,
        says="the next one differs",
    ),
}
FAULTS: Final[Mapping[str, Scenario]] = {**CONNECTIONS, **REDIRECTS, **STATUSES, **PAYLOADS}
SCENARIOS: Final[Mapping[str, Scenario]] = {
    **FAULTS,
    "good": always(lambda: reply(200, PAGE, {**JSON, "etag": '"1"'}), "adopts"),
    "quarantined": listing(data=[*entries(20), ODD]),
}
