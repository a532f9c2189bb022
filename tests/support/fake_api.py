r"""The Models API on a loopback socket, and a script of faults for it.

A script holds one answer for each request to come; past its end the API answers as Anthropic's does. An
answer is bytes, or steps: bytes are sent as they are, a number waits for that many seconds, an event
until it is set, and `End` ends the connection; without one it is kept open for the next request.

    with serve(entries(25)) as api:
        api.script(failure(529, "overloaded_error"), [b"HTTP/1.1 200 OK\r\n", 0.1, End.RESET])
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
from attrs import field, frozen
from canary import KEY

if TYPE_CHECKING:
    import trustme

Entry = dict[str, Any]
Query = Sequence[tuple[str, str]]

PATH = "/v1/models"
DEFAULT_LIMIT = 20
MAX_LIMIT = 1000
PATIENCE = 30.0
"""Seconds after which a test that waits for the server gives up."""


class End(Enum):
    """How the server ends a connection."""

    CLOSE = "close"
    RESET = "reset"


@frozen
class Request:
    """One request as it came, and the number of the connection that it came on."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    connection: int

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields by name in lower case; the last of one name wins."""
        return dict(self.fields)


Step = bytes | float | threading.Event | End
Answer = bytes | Iterable[Step]
Scripted = Answer | Callable[[Request], Answer]


def entries(count: int, *, start: int = 0) -> list[Entry]:
    """Return that many entries in today's shape, newest first, all different."""
    return [_entry(number) for number in range(start, start + count)]


def _entry(number: int) -> Entry:
    supported, unsupported = {"supported": True}, {"supported": False}
    created_at = datetime(2026, 11, 1, tzinfo=UTC) - timedelta(days=number)
    return {
        "type": "model",
        "id": f"claude-fake-{number}",
        "display_name": f"Claude Fake {number}",
        "created_at": created_at.isoformat().replace("+00:00", "Z"),
        "max_input_tokens": 200_000 + number,
        "max_tokens": 64_000,
        "lifecycle": "active",
        "line": ("haiku", "sonnet", "opus")[number % 3],
        "deprecated_at": None,
        "retires_at": None,
        "capabilities": {
            "pdf_input": supported,
            "citations": unsupported if number % 2 else supported,
            "effort": {**supported, "high": supported, "max": unsupported},
            "thinking": {**supported, "types": {"adaptive": supported, "disabled": unsupported}},
        },
    }


def reply(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole answer in one piece; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    media_type = {} if isinstance(body, bytes) else {"content-type": "application/json"}
    length = {} if status in {204, 304} else {"content-length": str(len(content))}
    return head(status, media_type | length | dict(headers or {})) + content


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of an answer, which promises what its headers say."""
    phrase = next((each.phrase for each in HTTPStatus if each == status), "Unnamed")
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def failure(
    status: int, type: str, message: str = "no", headers: Mapping[str, str] | None = None
) -> bytes:
    """Return an error in the API's own shape."""
    return reply(status, {"type": "error", "error": {"type": type, "message": message}}, headers)


def drip(data: bytes, every: float) -> Iterator[Step]:
    """Return the steps that send one byte at a time."""
    for byte in data:
        yield bytes([byte])
        yield every


def list_models(models: Sequence[Entry], query: Query) -> tuple[int, Any]:
    """Answer `GET /v1/models` over models in the listing's order: a status and a page or an error."""
    asked = dict(query)
    stages = [value for name, value in query if name == "lifecycle[]"] or ["active", "deprecated"]
    listed = [entry for entry in models if (entry.get("lifecycle") or "active") in stages]
    ids = [entry["id"] for entry in listed]
    limit = (
        int(asked["limit"])
        if asked.get("limit", "").isdecimal()
        else 0
        if "limit" in asked
        else DEFAULT_LIMIT
    )
    cursors = [asked[name] for name in ("after_id", "before_id") if name in asked]
    if not 1 <= limit <= MAX_LIMIT or len(cursors) > 1 or not set(cursors) <= set(ids):
        return 400, _error("invalid_request_error", "limit, after_id or before_id")
    if "before_id" in asked:
        end = ids.index(asked["before_id"])
        start = max(0, end - limit)
        has_more = start > 0
    else:
        start = ids.index(asked["after_id"]) + 1 if "after_id" in asked else 0
        end = start + limit
        has_more = end < len(ids)
    page = listed[start:end]
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return 200, {"data": page, "has_more": has_more, "first_id": first, "last_id": last}


def _error(type: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type, "message": message}}


class FakeAPI:
    """The server; `models`, in the listing's order, and `aliases` may be changed while it runs."""

    def __init__(
        self,
        models: Sequence[Entry] = (),
        *,
        aliases: Mapping[str, str] | None = None,
        prefix: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.models = models
        self.aliases = aliases or {}
        self.requests: list[Request] = []
        self.connections = 0
        self._prefix = prefix
        self._tls = tls
        self._answers: deque[Scripted] = deque()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, name="fake-api")]
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{self._prefix}"

    def script(self, *answers: Scripted) -> None:
        """Answer the next requests like this, one each, in the order in which they come."""
        self._answers.extend(answers)

    def recover(self) -> None:
        """Forget what is left of the script."""
        self._answers.clear()

    def wait_for(self, requests: int) -> None:
        """Wait until that many requests have come since the start."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= requests, PATIENCE), (
                self.requests
            )

    def start(self) -> None:
        """Serve, until `stop`."""
        self._threads[0].start()

    def stop(self) -> None:
        """End every connection, and return when no thread and no socket is left."""
        self._stopped.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()  # wakes the one that accepts
        self._threads[0].join()
        self._listener.close()
        with self._changed:
            for each in self._sockets:
                with suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def answer(self, request: Request) -> bytes:
        """Answer as the API does: the list, one model by id or alias, or an error."""
        listing = f"{self._prefix}{PATH}"
        if (
            request.headers.get("x-api-key") != KEY
            and request.headers.get("authorization") != f"Bearer {KEY}"
        ):
            return failure(401, "authentication_error", "invalid x-api-key")
        if request.method != "GET":
            return failure(405, "invalid_request_error", "only GET is answered here")
        if request.path == listing:
            return reply(*list_models(self.models, request.query))
        id = unquote(request.path.removeprefix(f"{listing}/"))
        found = [entry for entry in self.models if entry["id"] == self.aliases.get(id, id)]
        return reply(200, found[0]) if found else failure(404, "not_found_error", f"model: {id}")

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopped.is_set():
                connection.close()
                return
            self.connections += 1
            thread = threading.Thread(
                target=self._converse, args=(connection, self.connections), name="fake-api"
            )
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket, number: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):
            if self._tls:
                connection.settimeout(PATIENCE)  # for a client that never shakes hands
                connection = self._tls.wrap_socket(connection, server_side=True)
                connection.settimeout(None)
        with connection, self._tracked(connection), suppress(OSError):
            while not self._stopped.is_set() and (request := _received(connection, number)):
                with self._changed:
                    self.requests.append(request)
                    answer = self._answers.popleft() if self._answers else self.answer
                    self._changed.notify_all()
                if not self._played(connection, answer(request) if callable(answer) else answer):
                    return

    @contextmanager
    def _tracked(self, connection: socket.socket) -> Iterator[None]:
        with self._changed:
            self._sockets.add(connection)
        try:
            yield
        finally:
            with self._changed:
                self._sockets.remove(connection)

    def _played(self, connection: socket.socket, answer: Answer) -> bool:
        """Play an answer, and say whether the connection is still open."""
        for step in [answer] if isinstance(answer, bytes) else answer:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif isinstance(step, threading.Event):
                while not step.wait(0.02):
                    if self._stopped.is_set():
                        return False
            elif isinstance(step, End):
                if step is End.RESET:
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                return False
            elif self._stopped.wait(step):
                return False
        return True


def _received(connection: socket.socket, number: int) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        received += chunk
        if not received[:1].isupper():  # TLS, say
            connection.sendall(reply(400))
            return None
    first, *lines = received.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    method, target, _ = first.split(" ")
    url = urlsplit(target)
    fields = (line.partition(":")[::2] for line in lines)
    return Request(
        method=method,
        path=url.path,
        query=tuple(parse_qsl(url.query, keep_blank_values=True)),
        fields=tuple((name.lower(), value.strip()) for name, value in fields),
        connection=number,
    )


_NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def plain_transport() -> httpx.HTTPTransport:
    """Return a transport to the network, without TLS and proxies: reading certificates takes 40 ms a client."""
    return httpx.HTTPTransport(verify=_NO_TRUST)


class Canned(httpx.BaseTransport):
    """A transport in place of the network: every answer is 200 with a body of these pieces, in JSON by its type."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer any request."""
        return httpx.Response(
            200, headers={"content-type": "application/json"}, stream=_Pieces(self._pieces)
        )


class _Pieces(httpx.SyncByteStream):
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def certified(authority: trustme.CA, name: str = "127.0.0.1", **given: Any) -> ssl.SSLContext:
    """Return the context of a server that this authority has given a certificate for the name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **given).configure_cert(context)
    return context


@contextmanager
def black_hole() -> Iterator[str]:
    """Give the URL of a server that neither takes a connection nor refuses it: the queue of those who wait is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.0)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serve(
    models: Sequence[Entry] = (),
    *,
    aliases: Mapping[str, str] | None = None,
    prefix: str = "",
    tls: ssl.SSLContext | None = None,
) -> Iterator[FakeAPI]:
    """Run the API on a free port; no thread and no socket is left behind."""
    api = FakeAPI(models, aliases=aliases, prefix=prefix, tls=tls)
    api.start()
    try:
        yield api
    finally:
        api.stop()
