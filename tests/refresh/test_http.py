from __future__ import annotations

import gzip
import json
import logging
import os
import pickle
import socket
import ssl
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from pathlib import Path

import httpx
import pytest
import trustme
from canary import KEY, leaks, remains
from crowds import Machine
from fake_api import (
    PATH,
    Answer,
    Canned,
    End,
    FakeAPI,
    Scripted,
    Step,
    certified,
    drip,
    entries,
    failure,
    head,
    plain_transport,
    reply,
    serve,
)
from fake_source import at_most

from router import AnthropicSource, Router
from router._errors import CatalogueError, CatalogueUnavailableError, RouterError
from router.refresh._credential import Credential
from router.refresh._deadline import Deadline
from router.refresh._http import MAX_BYTES, Wire, _tls_context
from router.refresh._listing import MAX_PAGE_BYTES, Get, walk

JSON = {"content-type": "application/json"}
NOT_JSON = "not JSON"
SECONDS = 0.4
MISSED = "no whole answer within the deadline of 0.4 s"
AUTHORITY = trustme.CA()
"""Made anew for each run, and trusted by nobody but these tests."""


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server with three models."""
    with serve(entries(3)) as api:
        yield api


def wire(url: str, transport: httpx.BaseTransport | None = None) -> Wire:
    """Return a wire with the key, over a plain transport."""
    return Wire(url, {}, Credential("x-api-key", KEY), transport or plain_transport())


def fetch(api: FakeAPI, *, seconds: float = 10.0) -> bytes:
    """Return the body of one page."""
    return wire(api.url).exchange(Deadline(seconds), page_of)


def page_of(get: Get) -> bytes:
    """Ask for a page, and return its body."""
    body = get(PATH, [], {}).body
    assert body is not None
    return body


def refused(api: FakeAPI, *script: Scripted) -> CatalogueUnavailableError:
    """Return the error of a page that the server answers like this."""
    api.script(*script)
    with pytest.raises(CatalogueUnavailableError) as caught:
        fetch(api)
    return caught.value


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Take no less than 0.9 of the seconds, and no more than 1.1 of them and 0.2 s."""
    start = time.monotonic()
    with at_most(1.1 * seconds + 0.2):
        yield
    assert time.monotonic() - start >= 0.9 * seconds


def test_a_page(api: FakeAPI) -> None:
    """The body of a 200 answer comes back whole, and the request is what the API wants of a client."""
    answer = wire(api.url).exchange(
        Deadline(5), lambda get: get(PATH, [("limit", "2"), ("lifecycle[]", "active")], {})
    )

    (request,) = api.requests
    assert [entry["id"] for entry in json.loads(answer.body or b"")["data"]] == [
        "claude-fake-0",
        "claude-fake-1",
    ]
    assert answer.validators == {}
    assert (request.method, request.path) == ("GET", PATH)
    assert request.query == (("limit", "2"), ("lifecycle[]", "active"))
    assert request.headers["x-api-key"] == KEY
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["user-agent"] == "capability-router"
    assert "authorization" not in request.headers


def test_pages_share_a_connection(api: FakeAPI) -> None:
    """All requests of one exchange go over one connection."""
    wire(api.url).exchange(Deadline(5), lambda get: [get(PATH, [], {}) for _ in range(5)])

    assert (len(api.requests), api.connections) == (5, 1)


def test_stale_connection(api: FakeAPI) -> None:
    """N11: a connection that the server has closed since the last page is replaced in silence."""
    api.script([reply(200, {}), End.CLOSE])

    def use(get: Get) -> bytes:
        get(PATH, [], {})
        time.sleep(0.05)
        return page_of(get)

    assert json.loads(wire(api.url).exchange(Deadline(5), use))["data"]
    assert (len(api.requests), api.connections) == (2, 2)


# What never ends. Each returns new steps, for a script uses them up.
BODY = JSON | {"content-length": "1000000"}
NEVER: dict[str, Callable[[], Iterable[Step]]] = {
    "N3-head": lambda: drip(head(200, {"x-slow": "s" * 1000}), 0.01),
    "N3-body": lambda: chain([head(200, BODY)], drip(b" " * 1000, 0.01)),
    "N3-body-until-close": lambda: chain([head(200, JSON)], drip(b" " * 1000, 0.01)),
    "N3-body-in-chunks": lambda: chain(
        [head(200, JSON | {"transfer-encoding": "chunked"})], slowly(b"1\r\n \r\n")
    ),
    "N3-gzip": lambda: chain(
        [head(200, BODY | {"content-encoding": "gzip"})], drip(gzip.compress(os.urandom(999)), 0.01)
    ),
    "N3-refusal": lambda: chain([head(500, BODY)], drip(b" " * 1000, 0.01)),
    "N5-informational": lambda: slowly(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "silent": lambda: [60.0],
    "silent-within-a-body": lambda: [head(200, BODY) + b'{"data"', 60.0],
}


def slowly(piece: bytes) -> Iterator[Step]:
    """Send the same piece for ever."""
    return chain.from_iterable(repeat((piece, 0.01)))


@pytest.mark.parametrize("steps", NEVER.values(), ids=NEVER)
def test_total_deadline(api: FakeAPI, steps: Callable[[], Iterable[Step]]) -> None:
    """N3: however an answer is spun out, the deadline ends it."""
    api.script(steps())

    with within(SECONDS), pytest.raises(CatalogueUnavailableError) as caught:
        fetch(api, seconds=SECONDS)

    assert str(caught.value) == MISSED
    assert not caught.value.retryable


def test_httpx_alone_takes_as_long_as_the_server_likes(api: FakeAPI) -> None:
    """The twin of the total deadline: the timeout of httpx is one of each read."""
    api.script(chain([head(200, JSON | {"content-length": "60"})], drip(b" " * 60, 0.01)))
    start = time.monotonic()

    httpx.get(api.url, timeout=0.2)

    assert time.monotonic() - start > 0.5


def test_pages_share_a_deadline(api: FakeAPI) -> None:
    """The deadline is one of all pages, not one of each."""
    api.script([0.25, reply(200, {})], [0.25, reply(200, {})])

    with within(SECONDS), pytest.raises(CatalogueUnavailableError, match=MISSED):
        wire(api.url).exchange(Deadline(SECONDS), lambda get: [get(PATH, [], {}) for _ in range(2)])

    assert len(api.requests) == 2


def test_no_request_after_the_deadline(api: FakeAPI) -> None:
    """A page is not asked for when the deadline has passed, on the clock of the deadline."""
    now = 0.0

    def use(get: Get) -> None:
        nonlocal now
        get(PATH, [], {})
        now = 5.0
        get(PATH, [], {})

    with pytest.raises(
        CatalogueUnavailableError, match="no whole answer within the deadline of 5 s"
    ):
        wire(api.url).exchange(Deadline(5.0, lambda: now), use)

    assert len(api.requests) == 1


def test_no_connection_after_the_deadline(api: FakeAPI) -> None:
    """A deadline that has passed before anything began costs no connection."""
    with pytest.raises(CatalogueUnavailableError, match="no whole answer"):
        fetch(api, seconds=0.0)

    assert api.connections == 0


def test_deadline_between_chunks() -> None:
    """A piece of a body that comes after the deadline is not waited for further, on the clock of the deadline."""
    now = 0.0
    taken = []

    def chunks() -> Iterator[bytes]:
        nonlocal now
        for number in range(5):
            taken.append(number)
            now += 2.0
            yield b" "

    with pytest.raises(
        CatalogueUnavailableError, match="no whole answer within the deadline of 5 s"
    ):
        wire("http://127.0.0.1", Canned(chunks())).exchange(
            Deadline(5.0, lambda: now), lambda get: get(PATH, [], {})
        )

    assert taken == [0, 1, 2]


class Late(httpx.HTTPTransport):
    """A transport to the network that takes its time before it connects, as a slow look-up of a name does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Wait, and then ask."""
        time.sleep(0.5)
        return super().handle_request(request)


def test_connection_after_the_deadline(api: FakeAPI) -> None:
    """N2: a connection that comes only after the deadline is cut at once."""
    api.script([60.0])

    with within(0.5), pytest.raises(CatalogueUnavailableError, match=MISSED):
        wire(api.url, Late()).exchange(Deadline(SECONDS), lambda get: get(PATH, [], {}))


def test_no_thread_is_left(api: FakeAPI) -> None:
    """What keeps the deadline is gone when the exchange is over."""
    before = set(threading.enumerate())

    fetch(api)

    timers = [
        thread
        for thread in set(threading.enumerate()) - before
        if isinstance(thread, threading.Timer)
    ]
    for timer in timers:
        timer.join(1.0)
    assert not any(timer.is_alive() for timer in timers)


def test_no_exit_waits_for_a_deadline(api: FakeAPI) -> None:
    """The thread that cuts the connection at the deadline is a daemon."""

    def use(_: Get) -> list[bool]:
        return [
            thread.daemon for thread in threading.enumerate() if isinstance(thread, threading.Timer)
        ]

    daemons = wire(api.url).exchange(Deadline(5), use)

    assert daemons
    assert all(daemons)


@pytest.fixture
def tls() -> Iterator[FakeAPI]:
    """A server over TLS, whose certificate nobody trusts by default."""
    with serve(entries(3), tls=certified(AUTHORITY)) as api:
        yield api


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of certificates that the environment does not name, nor any other."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "certificates.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return path


def trusting() -> httpx.HTTPTransport:
    """Return a transport that trusts the certificate of the tests."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return httpx.HTTPTransport(verify=context)


@pytest.mark.parametrize("name", ["N3-head", "N3-body"])
def test_total_deadline_over_tls(tls: FakeAPI, name: str) -> None:
    """N3: the deadline cuts an encrypted connection as well, also before there is a piece of the body to look at."""
    tls.script(NEVER[name]())

    with within(SECONDS), pytest.raises(CatalogueUnavailableError, match=MISSED):
        wire(tls.url, trusting()).exchange(Deadline(SECONDS), lambda get: get(PATH, [], {}))


def test_deadline_of_a_handshake() -> None:
    """N10: a server that takes the connection and never shakes hands is left at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"

        with within(SECONDS), pytest.raises(CatalogueUnavailableError, match=MISSED):
            wire(url, trusting()).exchange(Deadline(SECONDS), lambda get: get(PATH, [], {}))


def test_certificate_of_nobody(tls: FakeAPI) -> None:
    """N10: a certificate that is not trusted ends it, and no request is made."""
    with pytest.raises(CatalogueUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        Wire(tls.url, {}, Credential("x-api-key", KEY)).exchange(
            Deadline(5), lambda get: get(PATH, [], {})
        )

    assert tls.requests == []


def test_certificates_that_the_environment_names(
    tls: FakeAPI, monkeypatch: pytest.MonkeyPatch, certificates: Path
) -> None:
    """K4: a file of certificates is trusted for as long as the environment names it, and is read but once."""
    live = Wire(tls.url, {}, Credential("x-api-key", KEY))

    def refuses() -> bool:
        with pytest.raises(CatalogueUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            live.exchange(Deadline(5), page_of)
        return True

    assert refuses()
    with monkeypatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificates))
        assert len(json.loads(live.exchange(Deadline(5), page_of))["data"]) == 3
        certificates.write_bytes(b"")
        assert len(json.loads(live.exchange(Deadline(5), page_of))["data"]) == 3
    assert refuses()


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "No such file or directory"), (b"", "certificate"), (b"no certificate", "certificate")],
    ids=["missing", "empty", "other"],
)
def test_certificates_that_cannot_be_read(
    tls: FakeAPI,
    monkeypatch: pytest.MonkeyPatch,
    certificates: Path,
    content: bytes | None,
    problem: str,
) -> None:
    """K4: where the environment names no file of certificates, the error names the variable and the file."""
    certificates = certificates.with_name("certificates of nobody")
    if content is not None:
        certificates.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))

    with pytest.raises(CatalogueUnavailableError) as caught:
        Wire(tls.url, {}, Credential("x-api-key", KEY)).exchange(Deadline(5), page_of)

    wrong = f"the API cannot be reached: SSL_CERT_FILE names {certificates}, which cannot be read as certificates: "
    assert str(caught.value).startswith(wrong)
    assert problem in str(caught.value).removeprefix(wrong)
    assert not caught.value.retryable


def test_certificates_of_others(
    tls: FakeAPI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """K4: where a server is not trusted, the error names the variable that says whom to trust."""
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    with pytest.raises(CatalogueUnavailableError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        Wire(tls.url, {}, Credential("x-api-key", KEY)).exchange(Deadline(5), page_of)

    assert str(caught.value).endswith(
        f"; trusted are the certificates of SSL_CERT_DIR ({tmp_path})"
    )


PAST = datetime(2020, 1, 1, tzinfo=UTC)


def speaking(
    version: ssl.TLSVersion | None = None, name: str = "127.0.0.1", ended: datetime | None = None
) -> ssl.SSLContext:
    """Return the context of a server with a certificate for that name until then, which speaks that version alone."""
    began = ended - timedelta(days=1) if ended else None
    context = certified(AUTHORITY, name, not_before=began, not_after=ended)
    if version is not None:
        as_of_old(context, version)
    return context


def as_of_old(context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """Let a context speak that version, and none above it, with whatever ciphers it has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")


UNSAFE: dict[str, Callable[[], ssl.SSLContext]] = {
    "expired": lambda: speaking(ended=PAST),
    "of-another-name": lambda: speaking(name="elsewhere.example"),
    "TLS-1.0": lambda: speaking(ssl.TLSVersion.TLSv1),
    "TLS-1.1": lambda: speaking(ssl.TLSVersion.TLSv1_1),
}


def test_a_server_whose_certificate_is_good(
    monkeypatch: pytest.MonkeyPatch, certificates: Path
) -> None:
    """N10: a certificate of this name and time, of an authority that the environment names, is taken."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))

    with serve(entries(3), tls=speaking()) as api:
        assert len(over_the_network(api).refresh()) == 3


def over_the_network(api: FakeAPI) -> Router:
    """Return a router over that server, with the client that everybody has."""
    return Machine().router(AnthropicSource(api_key=KEY, base_url=api.url, environ={}))


@pytest.mark.parametrize("context", UNSAFE.values(), ids=UNSAFE)
def test_unsafe_servers(
    monkeypatch: pytest.MonkeyPatch, certificates: Path, context: Callable[[], ssl.SSLContext]
) -> None:
    """N10: a certificate that is over or another's, or TLS of old, ends each attempt before a request is made."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))

    with serve(entries(3), tls=context()) as api:
        with pytest.raises(CatalogueUnavailableError, match="cannot be reached: ConnectError"):
            over_the_network(api).refresh()

        assert (api.connections, api.requests) == (3, [])


def test_tls_of_old_is_not_spoken() -> None:
    """N10: whatever the ciphers of this machine allow, no TLS before 1.2 is spoken, and each name is checked."""
    context = _tls_context()

    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize("name", UNSAFE)
def test_a_client_that_trusts_anybody(name: str) -> None:
    """The twin of the unsafe servers: a client that checks nothing gives each of them the key."""
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lax.check_hostname, lax.verify_mode = False, ssl.CERT_NONE
    if name.startswith("TLS"):
        as_of_old(lax, ssl.TLSVersion.TLSv1 if name == "TLS-1.0" else ssl.TLSVersion.TLSv1_1)

    with serve(entries(3), tls=UNSAFE[name]()) as api, httpx.Client(verify=lax) as client:
        client.get(f"{api.url}{PATH}", headers={"x-api-key": KEY})

        assert api.requests[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_are_read_once(
    monkeypatch: pytest.MonkeyPatch, certificates: Path, name: str
) -> None:
    """What the environment names is read once; another name has a context of its own."""
    unnamed = _tls_context()

    with monkeypatch.context() as patch:
        patch.setenv(name, str(certificates if name == "SSL_CERT_FILE" else certificates.parent))
        named = _tls_context()
        assert named is not unnamed
        assert _tls_context() is named
    assert _tls_context() is unnamed


def test_plain_http_where_tls_was_expected(api: FakeAPI) -> None:
    """N10: plain HTTP on the port of TLS is a failure of the connection."""
    url = api.url.replace("http:", "https:")

    with pytest.raises(CatalogueUnavailableError, match="cannot be reached"):
        wire(url, trusting()).exchange(Deadline(5), lambda get: get(PATH, [], {}))


def bomb(size: int) -> bytes:
    """Return an answer of a few bytes that says `size` bytes."""
    packer = zlib.compressobj(9, wbits=31)
    piece = bytes(2**20)
    packed = b"".join(
        [*(packer.compress(piece) for _ in range(size // len(piece))), packer.flush()]
    )
    return reply(200, packed, JSON | {"content-encoding": "gzip"})


BOMB = bomb(64 * 2**20)


def peak(work: Callable[[], object]) -> int:
    """Return the most bytes that the work held at a time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_bomb(api: FakeAPI) -> None:
    """N4: what a small answer unpacks to is bounded before it is in memory."""
    assert len(BOMB) < 100_000

    def work() -> None:
        error = refused(api, BOMB)
        assert str(error) == f"the API answered with more than {MAX_PAGE_BYTES} bytes"
        assert not error.retryable

    assert peak(work) < 16 * 2**20


def test_bomb_in_pieces() -> None:
    """N4: pieces that are each within the bound are counted together as they are unpacked."""
    packer = zlib.compressobj(9, wbits=31)
    pieces = iter(
        [packer.compress(bytes(2**20)) + packer.flush(zlib.Z_SYNC_FLUSH) for _ in range(16)]
    )
    bomber = httpx.MockTransport(
        lambda _: httpx.Response(200, headers=JSON | {"content-encoding": "gzip"}, content=pieces)
    )

    with pytest.raises(
        CatalogueUnavailableError, match=f"^the API answered with more than {MAX_PAGE_BYTES} bytes$"
    ):
        wire("http://127.0.0.1", bomber).exchange(Deadline(5), page_of)

    assert len(list(pieces)) == 11


def test_httpx_alone_unpacks_a_bomb(api: FakeAPI) -> None:
    """The twin of the bomb: httpx unpacks all of it."""
    api.script(BOMB)

    assert peak(lambda: httpx.get(api.url)) > 64 * 2**20


def test_endless_body(api: FakeAPI) -> None:
    """N5: a body without end is given up at the bound."""
    endless = chain([head(200, JSON)], repeat(b" " * 65536))

    assert str(refused(api, endless)) == f"the API answered with more than {MAX_PAGE_BYTES} bytes"


@pytest.mark.parametrize("packed", [False, True], ids=["identity", "gzip"])
def test_bound_of_a_page(api: FakeAPI, packed: bool) -> None:
    """N4: a page of just `MAX_PAGE_BYTES` is read, a byte more is refused."""

    def answer(size: int) -> bytes:
        body = b" " * size
        encoding = {"content-encoding": "gzip"} if packed else {}
        return reply(200, gzip.compress(body, 1) if packed else body, JSON | encoding)

    api.script(answer(MAX_PAGE_BYTES))

    assert len(fetch(api)) == MAX_PAGE_BYTES == 4 * 2**20
    assert "more than" in str(refused(api, answer(MAX_PAGE_BYTES + 1)))


def test_packed_bytes_count_too(api: FakeAPI) -> None:
    """N4: bytes that unpack to nothing are bounded as well."""
    empty_blocks = b"\x00\x00\x00\xff\xff" * 1000
    nothing = chain(
        [head(200, JSON | {"content-encoding": "gzip"}) + gzip.compress(b"", mtime=0)[:10]],
        repeat(empty_blocks),
    )

    assert "more than" in str(refused(api, nothing))


def test_bound_of_a_refresh(api: FakeAPI) -> None:
    """All pages together are bounded by `MAX_BYTES`."""
    page = reply(200, gzip.compress(b" " * MAX_PAGE_BYTES, 1), JSON | {"content-encoding": "gzip"})
    allowed = MAX_BYTES // MAX_PAGE_BYTES
    api.script(*[page] * (allowed + 1))

    with pytest.raises(CatalogueUnavailableError, match=f"more than {64 * 2**20} bytes"):
        wire(api.url).exchange(Deadline(30), lambda get: [page_of(get) for _ in range(allowed + 1)])

    assert len(api.requests) == allowed + 1


@pytest.mark.parametrize(
    "encoding",
    ["deflate", "br", "zstd", "gzip, gzip", "gzip, identity", "compress", "x-gzip", "\x80"],
    ids=ascii,
)
def test_encoding_not_asked_for(api: FakeAPI, encoding: str) -> None:
    """N4: every other encoding than gzip, nested ones too, is refused before it is unpacked."""
    error = refused(api, reply(200, gzip.compress(b"{}"), JSON | {"content-encoding": encoding}))

    assert str(error).startswith("the API answered in ")
    assert str(error).endswith(", which was not asked for")
    assert str(error).isprintable()
    assert not error.retryable


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " gzip "])
def test_gzip(api: FakeAPI, encoding: str) -> None:
    """A body in gzip is unpacked."""
    api.script(reply(200, gzip.compress(b'{"a": 1}'), JSON | {"content-encoding": encoding}))

    assert fetch(api) == b'{"a": 1}'


@pytest.mark.parametrize("encoding", ["identity", "IDENTITY"])
def test_identity(api: FakeAPI, encoding: str) -> None:
    """A body that is named unpacked is taken as it is."""
    api.script(reply(200, b"{}", JSON | {"content-encoding": encoding}))

    assert fetch(api) == b"{}"


PACKED = gzip.compress(b'{"data": [], "has_more": false}')
BROKEN = {
    "N1-close-before-the-head": [End.CLOSE],
    "N1-close-within-the-head": [head(200, BODY)[:30], End.CLOSE],
    "N1-reset-before-the-head": [End.RESET],
    "N1-reset-within-the-body": [head(200, BODY) + b"{", 0.05, End.RESET],
    "N1-less-than-content-length": [head(200, BODY) + b"{}", End.CLOSE],
    "N1-close-within-a-chunk": [
        head(200, JSON | {"transfer-encoding": "chunked"}) + b"ff\r\n{",
        End.CLOSE,
    ],
    "N1-close-before-the-last-chunk": [
        head(200, JSON | {"transfer-encoding": "chunked"}) + b"2\r\n{}\r\n",
        End.CLOSE,
    ],
    "N4-gzip-of-nothing": [reply(200, b"plain", JSON | {"content-encoding": "gzip"})],
    "N4-gzip-cut-short": [reply(200, PACKED[:-1], JSON | {"content-encoding": "gzip"})],
    "N4-gzip-bad-checksum": [
        reply(200, PACKED[:-8] + bytes(8), JSON | {"content-encoding": "gzip"})
    ],
    "N5-header-of-a-megabyte": [head(200, {"x-long": "l" * 2**20})],
    "N5-endless-headers": [b"HTTP/1.1 200 OK\r\n", *repeat(b"x-more: of it\r\n" * 100, 1000)],
    "not-http": [b"220 mail.example ESMTP\r\n\r\n", End.CLOSE],
}


@pytest.mark.parametrize("steps", BROKEN.values(), ids=BROKEN)
def test_broken_answers(api: FakeAPI, steps: list[Step]) -> None:
    """N1, N4, N5: a connection or an encoding that breaks is a failure that a later try may cure."""
    error = refused(api, steps)

    assert error.retryable
    assert error.status is None
    assert len(api.requests) == 1


def test_content_length_too_short(api: FakeAPI) -> None:
    """N4: what a lying content-length cuts off is no page."""
    api.script(
        head(200, JSON | {"content-length": "10"})
        + json.dumps({"data": [], "has_more": False}).encode()
    )

    with pytest.raises(CatalogueError, match=NOT_JSON):
        wire(api.url).exchange(Deadline(5), first_page)


def first_page(get: Get) -> None:
    """Ask for the first page, and read it."""
    pages = walk()
    pages.send(get(PATH, next(pages), {}).body or b"")


def test_nobody_listens() -> None:
    """A refused connection is a failure that a later try may cure."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(
        CatalogueUnavailableError, match=r"^the API cannot be reached: ConnectError"
    ) as caught:
        wire(url).exchange(Deadline(5), lambda get: get(PATH, [], {}))

    assert caught.value.retryable
    assert isinstance(caught.value, OSError)


REDIRECTS = (301, 302, 303, 307, 308)


@pytest.fixture
def elsewhere() -> Iterator[FakeAPI]:
    """A second server, which nobody should ever call."""
    with serve(entries(1)) as api:
        yield api


@pytest.mark.parametrize("status", REDIRECTS)
def test_redirect(api: FakeAPI, elsewhere: FakeAPI, status: int) -> None:
    """N6: a redirect is refused by name, and there is no connection to where it leads."""
    error = refused(api, reply(status, headers={"location": f"{elsewhere.url}{PATH}"}))

    assert str(error) == f"the API answered {status}, a redirect, which is never followed"
    assert (error.status, error.retryable) == (status, False)
    assert elsewhere.connections == 0
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "target", ["/v1/models", "file:///etc/passwd", "//127.0.0.1", "\x80", ""], ids=ascii
)
def test_redirect_to_itself_or_nowhere(api: FakeAPI, target: str) -> None:
    """N6: neither a loop nor what is no address is followed."""
    error = refused(api, reply(302, headers={"location": target}))

    assert error.status == 302
    assert len(api.requests) == 1


@pytest.mark.parametrize("status", REDIRECTS)
def test_httpx_alone_takes_the_key_along(api: FakeAPI, elsewhere: FakeAPI, status: int) -> None:
    """The twin of the redirects: a followed one brings the key to another server."""
    api.script(reply(status, headers={"location": f"{elsewhere.url}{PATH}"}))

    httpx.get(api.url, headers={"x-api-key": KEY}, follow_redirects=True)

    assert elsewhere.requests[0].headers["x-api-key"] == KEY


COOKIE = {"set-cookie": "session=1; Path=/"}


def test_cookies(api: FakeAPI) -> None:
    """K5: a cookie that the server sets is not sent back."""
    api.script(reply(200, {}, COOKIE), reply(200, {}, COOKIE))

    wire(api.url).exchange(Deadline(5), lambda get: [get(PATH, [], {}) for _ in range(3)])

    assert not [request for request in api.requests if "cookie" in request.headers]


def test_httpx_alone_sends_cookies_back(api: FakeAPI) -> None:
    """The twin of the cookies: a client of httpx keeps them."""
    api.script(reply(200, {}, COOKIE))

    with httpx.Client(base_url=api.url) as client:
        client.get("/")
        client.get("/")

    assert api.requests[1].headers["cookie"] == "session=1"


def test_netrc(api: FakeAPI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """K5: what `.netrc` holds for the host is not sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login nobody password nothing\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    fetch(api)

    assert "authorization" not in api.requests[0].headers


RETRIED = {408, 409, 500, 502, 503, 504, 529}
"""R1; every other status is a refusal that stands (R2), but for 429 with a time to come back."""

BODIES = {
    "json": b'{"type": "error", "error": {"type": "api_error", "message": "no"}}',
    "html": b"<h1>No</h1>",
    "empty": b"",
    "another-shape": b'{"error": ["no"]}',
    "no-object": b"[]",
    "hostile": b"[" * 100_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_statuses(api: FakeAPI, body: bytes) -> None:
    """N9, R1, R2: the status alone says whether a later try may cure it, whatever the body."""
    statuses = [status for status in range(300, 600) if status != 304]
    if body:
        statuses = [*RETRIED, 400, 401, 402, 403, 404, 405, 413, 422, 429, 431, 499, 501, 520]

    errors = [refused(api, reply(status, body)) for status in statuses]

    assert [error.status for error in errors] == statuses
    assert {error.status for error in errors if error.retryable} == RETRIED
    assert len(api.requests) == len(statuses)


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 304])
def test_success_of_another_kind(api: FakeAPI, status: int) -> None:
    """N7: only 200 carries a page; a part of one, or a word that nothing has changed, is a failure."""
    body = b"" if status in {204, 304} else b'{"data": [], "has_more": false}'

    error = refused(api, reply(status, body, JSON))

    assert str(error) == f"the API answered {status}"
    assert (error.status, error.retryable) == (status, False)


def test_refusal_says_why(api: FakeAPI) -> None:
    """The error carries the status, and the API's own type and message."""
    error = refused(api, failure(403, "permission_error", "not\x1byours"))

    assert str(error) == r"the API answered 403: permission_error: not\x1byours"
    assert (error.status, error.error_type, error.retry_after) == (403, "permission_error", None)


@pytest.mark.parametrize(
    ("status", "header", "retryable"),
    [
        (400, "true", True),
        (401, "true", True),
        (500, "false", False),
        (529, "false", False),
        (429, "true", True),
        (400, "junk", False),
        (500, "junk", True),
        (500, "", True),
        (400, "TRUE", False),
        (500, "0", True),
    ],
)
def test_x_should_retry(api: FakeAPI, status: int, header: str, retryable: bool) -> None:
    """N9, R2: the server's own word goes before the table; anything but `true` and `false` is no word."""
    assert refused(api, reply(status, headers={"x-should-retry": header})).retryable is retryable


@pytest.mark.parametrize(
    ("headers", "retryable"),
    [
        ({}, False),
        ({"retry-after": "3"}, True),
        ({"retry-after-ms": "300"}, True),
        ({"retry-after": "junk"}, False),
        ({"retry-after": "nan"}, False),
        ({"retry-after": "3", "x-should-retry": "false"}, False),
    ],
    ids=str,
)
def test_too_many_requests(api: FakeAPI, headers: dict[str, str], retryable: bool) -> None:
    """R3, R4: 429 is retried only where the server says when to come back."""
    assert refused(api, failure(429, "rate_limit_error", headers=headers)).retryable is retryable


@pytest.mark.parametrize(
    "code", ["enforced_spend_limit_reached", "contract_spend_limit_reached", "ramp_limit_exceeded"]
)
def test_spend_limits(api: FakeAPI, code: str) -> None:
    """R4: a limit of money does not heal by waiting."""
    error = {"type": "rate_limit_error", "message": "no", "details": {"error_code": code}}

    refusal = refused(api, reply(429, {"type": "error", "error": error}, {"retry-after": "1"}))

    assert not refusal.retryable
    assert refusal.retry_after == 1.0


def test_date_to_come_back_at(api: FakeAPI) -> None:
    """R3, R5: a date to come back at is so many seconds from now, by the wall clock of the wire."""
    api.script(
        failure(429, "rate_limit_error", headers={"retry-after": "Wed, 01 Jan 2025 00:01:40 GMT"})
    )
    at_new_year = Wire(
        api.url, {}, Credential("x-api-key", KEY), plain_transport(), lambda: 1_735_689_600.0
    )

    with pytest.raises(CatalogueUnavailableError) as caught:
        at_new_year.exchange(Deadline(5), page_of)

    assert (caught.value.retry_after, caught.value.retryable) == (100.0, True)


def test_another_error_code(api: FakeAPI) -> None:
    """R4: a code that is no limit of money changes nothing."""
    error = {
        "type": "rate_limit_error",
        "message": "no",
        "details": {"error_code": "of_another_kind"},
    }

    assert refused(
        api, reply(429, {"type": "error", "error": error}, {"retry-after": "1"})
    ).retryable


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html",
        "text/html; charset=utf-8",
        "text/json",
        "application/jsonp",
        "application/problem+json",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "",
        "\x80" * 200,
        None,
    ],
    ids=ascii,
)
def test_media_types_refused(api: FakeAPI, media_type: str | None) -> None:
    """N7: an answer that does not call itself JSON in UTF-8 is no answer of the API."""
    headers = {} if media_type is None else {"content-type": media_type}
    api.script(reply(200, b'{"data": [], "has_more": false}', headers))

    with pytest.raises(CatalogueError, match=f"^{NOT_JSON}: the answer is ") as caught:
        fetch(api)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;Charset=UTF-8",
        'application/json; charset="utf-8"; profile=x',
    ],
)
def test_media_types_taken(api: FakeAPI, media_type: str) -> None:
    """N7: JSON in UTF-8 is taken however its type is spelled."""
    api.script(reply(200, b"{}", {"content-type": media_type}))

    assert fetch(api) == b"{}"


FAULTS: dict[str, Callable[[], Answer]] = {
    "refused": lambda: failure(401, "authentication_error"),
    "redirected": lambda: reply(307, headers={"location": "http://nowhere.invalid"}),
    "overloaded": lambda: failure(529, "overloaded_error", headers={"retry-after": "1"}),
    "html": lambda: reply(200, b"<h1>", {"content-type": "text/html"}),
    "cut": lambda: [head(200, BODY) + b"{", End.RESET],
    "not-http": lambda: [b"junk\r\n\r\n", End.CLOSE],
    "bomb": lambda: BOMB,
    "late": lambda: [60.0],
    "slow": lambda: drip(head(200, BODY), 0.05),
    "deflate": lambda: reply(200, b"{}", JSON | {"content-encoding": "deflate"}),
    "broken": lambda: reply(200, b"{}", JSON | {"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_key_in_no_error_and_no_log(
    api: FakeAPI, caplog: pytest.LogCaptureFixture, fault: Callable[[], Answer]
) -> None:
    """K1: no error shows the key, in its causes and the locals of its traceback too, nor does any log at any level."""
    caplog.set_level(logging.DEBUG)
    api.script(fault())

    with pytest.raises(RouterError) as caught:
        fetch(api, seconds=0.3)

    assert "httpcore" in caplog.text
    assert leaks(remains(caught.value), caplog.text) == []


LOGGED: dict[str, bytes] = {
    "header": reply(200, b"{}", JSON | {"x-echo": KEY}),
    "part-of-a-header": reply(200, b"{}", JSON | {"set-cookie": f"session={KEY[:16]}; secure"}),
    "redirect": reply(302, headers={"location": f"http://nowhere.invalid/?key={KEY}"}),
    "reason": reply(200, b"{}", JSON).replace(b"OK", KEY.encode(), 1),
}


@pytest.mark.parametrize("echo", LOGGED.values(), ids=LOGGED)
def test_key_that_the_server_repeats_beside_its_answer(
    api: FakeAPI, caplog: pytest.LogCaptureFixture, echo: bytes
) -> None:
    """K1: a server that repeats the key in its headers does not bring it into the log of httpx, at any level."""
    caplog.set_level(logging.DEBUG)
    api.script(echo)

    with suppress(RouterError):
        fetch(api)

    assert "receive_response_body.complete" in caplog.text
    assert leaks(caplog.text) == []


def test_others_log_what_they_like(api: FakeAPI, caplog: pytest.LogCaptureFixture) -> None:
    """The twin: what the application itself asks by httpx is logged as ever, also after we have asked."""
    caplog.set_level(logging.DEBUG)
    fetch(api)
    assert leaks(caplog.text) == []
    api.script(reply(200, b"{}", JSON | {"x-echo": KEY}))

    httpx.get(api.url)

    assert leaks(caplog.text)


def test_key_in_no_error_of_a_connection(caplog: pytest.LogCaptureFixture) -> None:
    """K1: nor does an error of a request that never left."""
    caplog.set_level(logging.DEBUG)

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(RouterError) as caught:
        wire(url).exchange(Deadline(5), lambda get: get(PATH, [], {}))

    assert leaks(remains(caught.value), caplog.text) == []


def test_httpx_alone_carries_the_key(api: FakeAPI) -> None:
    """The twin of the key: an error of httpx holds the request, and that holds the key."""
    api.script([End.CLOSE])

    with pytest.raises(httpx.TransportError) as caught:
        httpx.get(api.url, headers={"x-api-key": KEY})

    assert leaks(remains(caught.value))


ECHOES: dict[str, tuple[bytes, int | None]] = {
    "message-of-a-refusal": (failure(401, "authentication_error", f"invalid x-api-key {KEY}"), 401),
    "part-of-it-in-a-refusal": (
        failure(401, "authentication_error", f"invalid x-api-key {KEY[:14]}..."),
        401,
    ),
    "type-of-a-refusal": (failure(403, KEY), 403),
    "message-of-an-error-in-a-page": (
        failure(200, "authentication_error", f"invalid x-api-key {KEY}"),
        None,
    ),
    "type-of-an-error-in-a-page": (failure(200, KEY), None),
    "in-place-of-a-bool": (reply(200, {"data": [], "has_more": KEY}), None),
    "encoding": (reply(200, b"{}", JSON | {"content-encoding": KEY}), None),
    "media-type": (reply(200, b"{}", {"content-type": KEY}), None),
}


@pytest.mark.parametrize(("echo", "status"), ECHOES.values(), ids=ECHOES)
def test_key_that_the_server_repeats(api: FakeAPI, echo: bytes, status: int | None) -> None:
    """K1: a server that repeats the key in its answer does not bring it into our error, which keeps the status."""
    api.script(echo)

    with pytest.raises(RouterError) as caught:
        wire(api.url).exchange(Deadline(5), first_page)

    error = caught.value
    assert (
        leaks(
            str(error),
            repr(error),
            vars(error),
            error.__cause__,
            error.__context__,
            pickle.dumps(error),
        )
        == []
    )
    assert getattr(error, "status", None) == status
    assert getattr(error, "retryable", None) is False
    assert "repeats the credential" in str(error)


def test_key_in_the_type_of_an_error_alone(api: FakeAPI) -> None:
    """K1: the type of an error is held back as its words are, though no word repeats it."""

    def use(_: Get) -> None:
        raise CatalogueUnavailableError("refused", error_type=KEY)

    with pytest.raises(CatalogueUnavailableError, match="repeats the credential") as caught:
        wire(api.url).exchange(Deadline(5), use)

    assert leaks(vars(caught.value)) == []


def test_key_that_the_server_repeats_with_a_time(api: FakeAPI) -> None:
    """R3: an answer that repeats the key still says when to come back."""
    error = refused(
        api, failure(429, "rate_limit_error", f"too much of {KEY}", {"retry-after": "7"})
    )

    assert leaks(str(error)) == []
    assert (error.status, error.retryable, error.retry_after) == (429, True, 7.0)


@pytest.mark.parametrize(
    "proxy",
    ["nonsense://user:sEcretOfTheProxy@proxy", "http://user:sEcretOfTheProxy@127.0.0.1:1"],
)
def test_environment_that_breaks_the_client(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """K4: a proxy that cannot be used is a failure like another, and its password is not shown."""
    monkeypatch.setenv("NO_PROXY", "")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    over_the_network = Wire("http://nowhere.invalid", {}, Credential("x-api-key", KEY))

    with pytest.raises(CatalogueUnavailableError, match=r"^the API cannot be reached: ") as caught:
        over_the_network.exchange(Deadline(5), lambda get: get(PATH, [], {}))

    assert "sEcretOfTheProxy" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError(), "ZeroDivisionError"),
        (ZeroDivisionError("by nought"), "ZeroDivisionError: by nought"),
        (ZeroDivisionError(f"by {KEY}"), "ZeroDivisionError"),
    ],
    ids=["silent", "plain", "with-the-key"],
)
def test_foreign_errors_are_translated(api: FakeAPI, error: Exception, said: str) -> None:
    """Whatever else goes wrong while pages are read is one kind of error, not to be retried, and without the key."""

    def use(get: Get) -> None:
        get(PATH, [], {})
        raise error

    with pytest.raises(CatalogueUnavailableError) as caught:
        wire(api.url).exchange(Deadline(5), use)

    assert str(caught.value) == f"the API cannot be reached: {said}"
    assert not caught.value.retryable


def test_interrupts_are_not_translated(api: FakeAPI) -> None:
    """C10: what is no error of the program passes through."""

    def use(_: Get) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wire(api.url).exchange(Deadline(5), use)


VALIDATORS = {"etag": '"v1"', "last-modified": "Sun, 01 Nov 2026 00:00:00 GMT"}


def test_validators(api: FakeAPI) -> None:
    """What the server offers comes back with the answer, and is what the next one is asked by; 304 has no body."""
    api.script(reply(200, b"{}", JSON | VALIDATORS), reply(304))

    def use(get: Get) -> None:
        first = get(PATH, [], {})
        assert first.validators == VALIDATORS
        second = get(PATH, [], {**first.validators, "sha256": "of our own"})
        assert (second.body, {**second.validators}.items() >= VALIDATORS.items()) == (None, True)

    wire(api.url).exchange(Deadline(5), use)

    first, second = (request.headers for request in api.requests)
    assert not {"if-none-match", "if-modified-since"} & first.keys()
    assert (second["if-none-match"], second["if-modified-since"]) == (*VALIDATORS.values(),)
    assert "sha256" not in second


def test_not_modified_though_nobody_asked(api: FakeAPI) -> None:
    """N7: a 304 that no condition was sent for is a refusal."""
    error = refused(api, reply(304))

    assert (error.status, error.retryable) == (304, False)


@pytest.mark.parametrize(("length", "kept"), [(512, True), (513, False)])
def test_validators_are_bounded(api: FakeAPI, length: int, kept: bool) -> None:
    """A validator too long to be one is not kept, nor sent back."""
    api.script(reply(200, b"{}", JSON | {"etag": "e" * length}))

    answer = wire(api.url).exchange(Deadline(5), lambda get: get(PATH, [], {}))

    assert ("etag" in answer.validators) is kept
