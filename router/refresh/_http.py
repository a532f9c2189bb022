"""GET over httpx: one total deadline, bounded bodies, no redirects, no cookies.

No error that leaves this module holds a request, so none holds the credential.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar, cast

import httpx
from attrs import define

from router._errors import CatalogueError, CatalogueUnavailableError, RouterError, printable
from router._fork import fork_lock
from router.refresh._credential import Credential, redact
from router.refresh._deadline import Deadline
from router.refresh._http_errors import NOT_MODIFIED, OK, read_refusal
from router.refresh._listing import (
    MAX_PAGE_BYTES,
    Get,
    Query,
    Reply,
    check_media_type,
    check_size,
    gather,
    read_json,
)
from router.refresh._tls import make_fork_safe

Result = TypeVar("Result")

MAX_BYTES: Final = 64 * 2**20
MAX_VALIDATOR: Final = 512

_CONDITIONS: Final = {"etag": "if-none-match", "last-modified": "if-modified-since"}
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables that name certificates; httpx goes by the first that is set."""

_GZIP: Final = 16 + zlib.MAX_WBITS


class _Asking(threading.local):
    """The credential that this thread asks with, which its log must not repeat."""

    credential: Credential | None = None

    @contextmanager
    def with_credential(self, credential: Credential) -> Iterator[None]:
        """Have the thread ask with that credential meanwhile."""
        self.credential = credential
        try:
            yield
        finally:
            self.credential = None

    def is_loggable(self, record: logging.LogRecord) -> bool:
        """Return whether a record may be written: httpcore logs every header at level DEBUG."""
        return self.credential is None or not self.credential.is_repeated_by(record.getMessage())


_asking: Final = _Asking()
for _name in (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
):
    logging.getLogger(_name).addFilter(_asking.is_loggable)


class Wire:
    """A base URL with its headers and credential; `wall` counts seconds since the epoch."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        credential: Credential,
        transport: httpx.BaseTransport | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = base_url
        self._headers = {
            "accept": "application/json",
            "accept-encoding": "gzip",
            "user-agent": "capability-router",
            **headers,
        }
        self.credential = credential
        self._transport = transport
        self._wall = wall

    def exchange(self, deadline: Deadline, use: Callable[[Get], Result]) -> Result:
        """Call `use(get)` with an open client: `get` returns the body of a 200, none for a 304.

        Raises `CatalogueUnavailableError` for a failure of the network, the server or the deadline.
        """
        failure: RouterError
        with _asking.with_credential(self.credential), _Watchdog(deadline) as watchdog:
            try:
                with self._client() as client:
                    return use(_Session(client, deadline, watchdog, self).get)
            except RouterError as error:
                failure = (
                    deadline.missed() if watchdog.has_fired else redact(error, [self.credential])
                )
            except httpx.TimeoutException:
                failure = deadline.missed()
            except Exception as error:  # noqa: BLE001 - httpx, ssl and the environment raise many kinds
                failure = deadline.missed() if watchdog.has_fired else self._translated(error)
        # Raised outside of the handlers: an httpx error holds the request, and with it the key.
        raise failure

    def _client(self) -> httpx.Client:
        """Return a client; raises if the environment names an unusable proxy or file."""
        try:
            return httpx.Client(
                headers=self._headers,
                auth=self._authorize,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                follow_redirects=False,
                verify=True if self._transport is not None else _tls_context(),
                transport=self._transport,
            )
        except (httpx.InvalidURL, ValueError):
            # The message quotes the URL in part, which may be its password.
            raise CatalogueUnavailableError(
                f"the API cannot be reached: {_wrong_proxy()}"
            ) from None

    def _authorize(self, request: httpx.Request) -> httpx.Request:
        self.credential.authorize(request.headers)
        return request

    def refusal(self, response: httpx.Response, body: bytes) -> CatalogueUnavailableError:
        """Return the error of an answer with another status than 200."""
        try:
            answer = read_json(body)
        except CatalogueError:
            answer = None
        reason = f"the API answered {response.status_code}"
        if response.has_redirect_location:
            reason += ", a redirect, which is never followed"
        return read_refusal(reason, response.status_code, response.headers, answer, self._wall())

    def _translated(self, error: Exception) -> CatalogueUnavailableError:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        if self.credential.is_repeated_by(reason):
            reason = type(error).__name__
        name = _certificates()
        if name is not None and "CERTIFICATE_VERIFY_FAILED" in reason:
            reason += f"; trusted are the certificates of {name} ({os.environ[name]})"
        return CatalogueUnavailableError(
            f"the API cannot be reached: {reason}",
            retryable=isinstance(error, httpx.TransportError),
        )


@define
class _Session:
    """The requests of one exchange, which share a deadline and a bound on bytes."""

    _client: httpx.Client
    _deadline: Deadline
    _watchdog: _Watchdog
    _wire: Wire
    _received: int = 0

    def get(
        self, path: str, query: Query, validators: Mapping[str, str] = MappingProxyType({})
    ) -> Reply:
        """Return the body of a 200 answer in JSON, or none for a 304 that was asked for."""
        conditions = {
            _CONDITIONS[name]: value for name, value in validators.items() if name in _CONDITIONS
        }
        with self._client.stream(
            "GET",
            self._wire.base_url + path,
            params=[*query],
            headers=conditions,
            timeout=self._deadline.remaining(),
            extensions={"trace": self._watchdog.trace},
        ) as response:
            if response.status_code == NOT_MODIFIED and conditions:
                return Reply(None, validators)
            body = gather(_decoded(response), self._deadline)
            if self._watchdog.has_fired:
                # A body without a length only seems to end where the connection was cut.
                raise self._deadline.missed()
            self._received += len(body)
            check_size(self._received, MAX_BYTES)
            if response.status_code != OK:
                raise self._wire.refusal(response, body)
            check_media_type(response.headers.get("content-type", ""))
            self._wire.credential.check_body(body)
            offered = {
                name: response.headers[name] for name in _CONDITIONS if name in response.headers
            }
            return Reply(
                body,
                {name: value for name, value in offered.items() if len(value) <= MAX_VALIDATOR},
            )


def _wrong_proxy() -> str:
    """Return which variable names an unusable proxy, without its URL, which may hold a password."""
    for lower in ("https_proxy", "http_proxy", "all_proxy"):
        name = lower if lower in os.environ else lower.upper()  # in this order, as urllib has it
        url = os.environ.get(name, "")
        try:
            httpx.Proxy(url if "://" in url else f"http://{url}")
        except (httpx.InvalidURL, ValueError):
            return (
                f"{name} must be the URL of a proxy, http://, https:// or socks5://, "
                "with special characters of a user name or password percent-encoded"
            )
    return "one of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY cannot be read, or the proxy of the system"


_contexts: Final[dict[tuple[str | None, ...], ssl.SSLContext]] = {}


def _tls_context() -> ssl.SSLContext:
    """Return the one TLS context of the process for the certificates of the environment.

    OpenSSL takes locks to make and to free one: a child forked meanwhile would wait for ever.
    """
    named = tuple(map(os.environ.get, _CERTIFICATES))
    with fork_lock:
        if named not in _contexts:
            _contexts[named] = make_fork_safe(_made_context())
        return _contexts[named]


def _made_context() -> ssl.SSLContext:
    name = _certificates()
    try:
        if name == "SSL_CERT_FILE":
            os.stat(os.environ[name])  # httpx before 0.28 trusts others where there is no such file
        context = httpx.create_ssl_context()
    except OSError as error:
        if name is None:
            raise
        raise CatalogueUnavailableError(
            f"the API cannot be reached: {name} names {os.environ[name]}, "
            f"which cannot be read as certificates: {error.strerror or error}"
        ) from None
    # Some systems build Python so that the configuration of OpenSSL alone decides.
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context


def _certificates() -> str | None:
    """Return the variable that names the certificates to trust, if any."""
    return next((name for name in _CERTIFICATES if os.environ.get(name)), None)


def _decoded(response: httpx.Response) -> Iterable[bytes]:
    """Return the chunks of the body, decoded."""
    # Not `iter_raw`: a transport of the application's own may have read the answer already.
    chunks = cast("httpx.SyncByteStream", response.stream)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise CatalogueUnavailableError(
            f"the API answered in {printable(encoding)[:80]}, which was not asked for"
        )
    return chunks if encoding == "identity" else _unzipped(chunks)


def _unzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks decoded; a chunk that decodes to too much is cut one byte above the bound."""
    gzip, received = zlib.decompressobj(_GZIP), 0
    for chunk in chunks:
        received += len(chunk)
        check_size(received, MAX_PAGE_BYTES)
        try:
            yield gzip.decompress(chunk, MAX_PAGE_BYTES + 1)
        except zlib.error as error:
            raise CatalogueUnavailableError(
                f"the API answered with broken gzip: {error}", retryable=True
            ) from None
    if received and not gzip.eof:
        raise CatalogueUnavailableError(
            "the API answered with gzip that was cut short", retryable=True
        )


class _Watchdog:
    """Cuts the connection at the deadline: httpx's time-outs are per read, however small."""

    def __init__(self, deadline: Deadline) -> None:
        self.has_fired = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(deadline.remaining(), self._fire)
        # An isolated interpreter allows only plain threads, and joins them.
        with suppress(RuntimeError):
            self._timer.daemon = True

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn of the socket from httpcore's trace extension, as soon as there is one."""
        if event.endswith(
            (".connect_tcp.complete", ".connect_unix_socket.complete", ".start_tls.complete")
        ):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self.has_fired:
                    self._cut()

    def _fire(self) -> None:
        with self._lock:
            self.has_fired = True
            self._cut()

    def _cut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # The plain method: that of a TLS socket takes the session from under a reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        with suppress(RuntimeError):  # no thread to be had: each read still has its time-out
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
