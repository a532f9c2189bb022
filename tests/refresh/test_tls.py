"""TLS that a fork cannot cut in two, by what Python's own C code is called for and when."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import trustme
from canary import KEY
from fake_api import PATH, End, FakeAPI, certified, entries, reply, serve

from router._fork import fork_lock
from router.refresh._credential import Credential
from router.refresh._deadline import Deadline
from router.refresh._http import Wire
from router.refresh._tls import make_fork_safe

AUTHORITY = trustme.CA()
RELEASING = {"_wrap_socket", "do_handshake", "read", "write"}
"""What Python calls OpenSSL for without its own lock."""

Wrap = Callable[[ssl.SSLContext], ssl.SSLContext]


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """A server over TLS."""
    with serve(entries(3), tls=certified(AUTHORITY)) as api:
        yield api


def trusting(wrap: Wrap = make_fork_safe) -> ssl.SSLContext:
    """Return a context that trusts the server."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return wrap(context)


def asked(api: FakeAPI, context: ssl.SSLContext, seconds: float = 10.0) -> bytes:
    """Ask the server for the length of a page in an own connection, and return all that it answers."""
    with (
        socket.create_connection(("127.0.0.1", api.port), seconds) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
        return b"".join(iter(lambda: tls.recv(2**16), b""))


def calls_of(work: Callable[[], object]) -> dict[str, set[bool]]:
    """Return, for each call that releases Python's lock, whether a fork had to wait for it."""
    calls: dict[str, set[bool]] = {}

    def profile(_: FrameType, event: str, called: Any) -> None:
        if (
            event == "c_call"
            and type(getattr(called, "__self__", None)).__mro__[-2:][0].__module__ == "_ssl"
        ):
            calls.setdefault(called.__name__, set()).add(fork_lock._is_owned())  # type: ignore[attr-defined]

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return {name: held for name, held in calls.items() if name in RELEASING}


def test_a_fork_waits_for_each_call_of_openssl(api: FakeAPI) -> None:
    """C7: no call of OpenSSL that a fork could cut in two is made while one may begin."""
    api.script([reply(200), End.CLOSE])

    assert calls_of(lambda: asked(api, trusting())) == {name: {True} for name in RELEASING}


def test_a_fork_does_not_wait_for_a_plain_context(api: FakeAPI) -> None:
    """C7, the twin that must fail: the standard library's own calls are not made so."""
    api.script([reply(200), End.CLOSE])

    assert calls_of(lambda: asked(api, trusting(lambda context: context))) == {
        name: {False} for name in RELEASING
    }


def test_a_fork_waits_for_each_call_of_a_refresh(
    api: FakeAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C7: nor is one of those that a refresh makes."""
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    wire = Wire(api.url, {}, Credential("x-api-key", KEY))

    def ask() -> None:
        wire.exchange(Deadline(10.0), lambda get: get(PATH, [], {}))

    assert calls_of(ask) == {name: {True} for name in RELEASING}


@pytest.mark.parametrize("shakes", [True, False], ids=["answer", "handshake"])
def test_no_fork_waits_for_the_network(api: FakeAPI, shakes: bool) -> None:
    """C7: while a server takes its time, forks do not; and the time-out is that of the whole call."""
    release = threading.Event()
    api.script([release])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if not shakes:
            api.port, port = silent.getsockname()[1], api.port
        context, errors = trusting(), []

        def ask() -> None:
            with suppress(TimeoutError):
                errors.append(asked(api, context, 0.5))

        began = time.monotonic()
        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.2)
        assert fork_lock.acquire(timeout=0.1)
        fork_lock.release()
        thread.join()
        assert 0.5 <= time.monotonic() - began < 2.0
        assert errors == []
        if not shakes:
            api.port = port
    release.set()


def test_a_long_answer(api: FakeAPI) -> None:
    """What takes many turns of waiting comes whole."""
    body = bytes(range(256)) * 2**14
    api.script([reply(200, body[: 2**21]), 0.1, body[2**21 :], End.CLOSE])

    assert asked(api, trusting()).endswith(body)


def test_a_long_question() -> None:
    """What the other side is slow to take goes on being sent."""
    context = certified(AUTHORITY)
    near, far = socket.socketpair()
    taken: list[int] = []

    def take() -> None:
        with context.wrap_socket(far, server_side=True) as tls:
            time.sleep(0.2)
            while sum(taken) < 2**23 and (piece := tls.recv(2**16)):
                taken.append(len(piece))
            tls.sendall(b".")

    thread = threading.Thread(target=take)
    thread.start()
    near.settimeout(10.0)
    with trusting().wrap_socket(near, server_hostname="127.0.0.1") as tls:
        tls.sendall(bytes(2**23))
        assert tls.recv(1) == b"."
    thread.join()

    assert sum(taken) == 2**23


def test_who_is_not_trusted(api: FakeAPI) -> None:
    """A handshake that fails says why, and leaves nothing open."""
    with pytest.raises(ssl.SSLCertVerificationError):
        asked(api, make_fork_safe(ssl.create_default_context()))


def test_a_context_of_another_kind() -> None:
    """What others have put in the place of the standard library's context is left alone."""

    class Other(ssl.SSLContext):
        pass

    assert type(make_fork_safe(Other(ssl.PROTOCOL_TLS_CLIENT))) is Other
