r"""The Messages API on a loopback socket: what `fake_api` serves with, and answers and faults by the model asked for.

A fault is an answer of `fake_api`, for each request that names the model; `None` refuses the connection.

    with serve_messages({"claude-fake-0": failure(529, "overloaded_error"), "claude-fake-1": None}) as api:
        api.faults["claude-fake-2"] = [*streamed("claude-fake-2", "one", "two")[:2], End.RESET]
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from attrs import field, frozen
from canary import KEY
from fake_api import FakeAPI, Request, Scripted, failure, head, reply

MESSAGES = "/v1/messages"
STREAM = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}


@frozen
class Posted(Request):
    """A request with its body."""

    body: bytes = field(repr=False)

    @property
    def said(self) -> Any:
        """What the body says, `{}` where there is none."""
        return json.loads(self.body or b"{}")

    @property
    def model(self) -> str:
        """The id of the model that is asked."""
        return str(self.said.get("model"))

    @property
    def prompt(self) -> str:
        """The text of the first message."""
        return str(self.said["messages"][0]["content"])


class FakeMessages(FakeAPI):
    """The server; a model's fault stands for what it answers, and `None` refuses the connection to it."""

    def __init__(self, faults: Mapping[str, Scripted | None] | None = None) -> None:
        super().__init__()
        self.faults = dict(faults or {})
        self._closed = socket.socket()
        self._closed.bind(("127.0.0.1", 0))  # and nobody listens there

    @property
    def asked(self) -> list[str]:
        """The ids of the models that were asked, in order."""
        return [each.model for each in self.requests if isinstance(each, Posted)]

    def url_of(self, id: str) -> str:
        """Return the base URL for a model."""
        if self.faults.get(id, b"") is not None:
            return self.url
        return f"http://127.0.0.1:{self._closed.getsockname()[1]}"

    def stop(self) -> None:
        """End every connection, and return when no thread and no socket is left."""
        super().stop()
        self._closed.close()

    def answer(self, request: Request) -> bytes:
        """Answer as the API does: with the prompt, in one piece or as a stream, or an error."""
        if KEY not in (
            request.headers.get("x-api-key"),
            request.headers.get("authorization", "")[len("Bearer ") :],
        ):
            return failure(401, "authentication_error", "invalid x-api-key")
        if request.method != "POST" or request.path != MESSAGES or not isinstance(request, Posted):
            return failure(404, "not_found_error", "Not found")
        if request.said.get("stream"):
            return b"".join(streamed(request.model, request.prompt))
        return reply(200, message(request.model, request.prompt))

    def _converse(self, connection: socket.socket, number: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with (
            connection,
            self._tracked(connection),
            suppress(OSError),
            connection.makefile("rb") as received,
        ):
            while not self._stopped.is_set() and (request := _received(received, number)):
                with self._changed:
                    self.requests.append(request)
                    fault = (
                        self._answers.popleft() if self._answers else self.faults.get(request.model)
                    )
                    self._changed.notify_all()
                scripted = self.answer if fault is None else fault
                if not self._played(
                    connection, scripted(request) if callable(scripted) else scripted
                ):
                    return


def message(model: str, text: str) -> dict[str, Any]:
    """Return the answer of a model."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": "end_turn" if text else None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def streamed(model: str, *texts: str) -> list[bytes]:
    """Return the answer of a model as a stream: its beginning, one piece for each text, and its end."""
    block, stop = {"type": "text", "text": ""}, {"stop_reason": "end_turn", "stop_sequence": None}
    began = (
        event("message_start", message=message(model, "")),
        event("content_block_start", index=0, content_block=block),
    )
    ended = (
        event("content_block_stop", index=0),
        event("message_delta", delta=stop, usage={"output_tokens": 1}),
        event("message_stop"),
    )
    deltas = [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
        for text in texts
    ]
    return [head(200, STREAM) + b"".join(began), *deltas, b"".join(ended) + chunk(b"")]


def event(type: str, **data: Any) -> bytes:
    """Return an event of a stream."""
    return chunk(f"event: {type}\ndata: {json.dumps({'type': type} | data)}\n\n".encode())


def chunk(data: bytes) -> bytes:
    """Return a part of a body whose length was not said; an empty one ends it."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def _received(stream: BinaryIO, number: int) -> Posted | None:
    first = stream.readline().decode("latin-1").split()
    if not first:
        return None
    fields = []
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        fields.append((name.lower(), value.strip()))
    return Posted(
        method=first[0],
        path=first[1],
        query=(),
        fields=tuple(fields),
        connection=number,
        body=stream.read(int(dict(fields).get("content-length", "0"))),
    )


@contextmanager
def serve_messages(faults: Mapping[str, Scripted | None] | None = None) -> Iterator[FakeMessages]:
    """Run the API on a free port; no thread and no socket is left behind."""
    api = FakeMessages(faults)
    api.start()
    try:
        yield api
    finally:
        api.stop()
