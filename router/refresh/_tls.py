"""TLS that is safe to fork: OpenSSL is called while no fork may begin, and never waits in a call.

OpenSSL takes locks of its own to make a session, to shake hands, to read and to write, without the
GIL: a child forked meanwhile would wait for ever for a thread that it does not have.
"""

from __future__ import annotations

import os
import select
import ssl
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from router._fork import fork_lock

Result = TypeVar("Result")

_STOCK: Final = (
    ssl.SSLContext.__module__ == "ssl" and hasattr(os, "fork") and hasattr(select, "poll")
)
"""Whether this process may fork, and `ssl` is the standard library's: others are not touched."""


class _Socket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT002 - as in `ssl`
        self._call(lambda: super(_Socket, self).do_handshake(block))

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        return self._call(lambda: super(_Socket, self).read(len, buffer))

    def send(self, data: Any, flags: int = 0) -> int:
        return self._call(lambda: super(_Socket, self).send(data, flags))

    def close(self) -> None:
        with fork_lock:
            super().close()

    def _call(self, call: Callable[[], Result]) -> Result:
        """Call OpenSSL while no fork can begin, again and again, and wait for the network in between."""
        timeout = self.gettimeout()
        ends = None if timeout is None else time.monotonic() + timeout
        self.settimeout(0.0)
        try:
            while True:
                try:
                    with fork_lock:
                        return call()
                except ssl.SSLWantReadError:
                    self._wait(select.POLLIN, ends)
                except ssl.SSLWantWriteError:
                    self._wait(select.POLLOUT, ends)
        finally:
            self.settimeout(timeout)

    def _wait(self, event: int, ends: float | None) -> None:
        poll = select.poll()
        poll.register(self, event)
        left = None if ends is None else max(0.0, ends - time.monotonic())
        if not poll.poll(left and left * 1000):
            raise TimeoutError("timed out")


class _Context(ssl.SSLContext):
    sslsocket_class = _Socket

    def wrap_socket(self, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        with fork_lock:
            wrapped = super().wrap_socket(*arguments, **{**named, "do_handshake_on_connect": False})
        try:
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped


def make_fork_safe(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return the same context, whose sessions no fork cuts in two."""
    if _STOCK and type(context) is _Context.__base__:
        context.__class__ = _Context
    return context
