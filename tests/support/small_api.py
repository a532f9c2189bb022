"""A Models API on the loopback interface for the command: two models a page, or one refusal."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from terminal import environment

KEY: Final = "sk-ant-the-key-of-a-test-0123456789"


class Api:
    """A Models API on the loopback interface that answers with two models a page, or with one refusal."""

    def __init__(self, entries: list[Any], status: int = 200) -> None:
        self.asked: list[tuple[dict[str, list[str]], dict[str, str]]] = []
        """The query and the headers of each request."""
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                api.asked.append(
                    (query, {name.lower(): value for name, value in self.headers.items()})
                )
                body = json.dumps(api.answer(query)).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.entries = entries
        self.status = status
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, query: dict[str, list[str]]) -> dict[str, Any]:
        if self.status != 200:
            return {
                "type": "error",
                "error": {"type": "authentication_error", "message": "invalid \x1b[45m key"},
            }
        after = query.get("after_id", [None])[0]
        start = next(
            (at + 1 for at, entry in enumerate(self.entries) if entry.get("id") == after), 0
        )
        page = self.entries[start : start + 2]
        return {
            "data": page,
            "has_more": start + 2 < len(self.entries),
            "first_id": page[0]["id"],
            "last_id": page[-1]["id"],
        }

    @property
    def environ(self) -> dict[str, str]:
        return environment(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=self.url)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
