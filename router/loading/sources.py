"""Sources: where a catalogue comes from."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote, urlsplit

from router.catalogue import Catalogue, read_listing
from router.documented import PACKAGED, DocumentedPath, documented_facts
from router.errors import CatalogueError, CatalogueUnavailableError, ConfigurationError, UnknownModelError
from router.loading.credential import Credential, sendable
from router.loading.deadline import Deadline
from router.loading.listing import MAX_PAGE_SIZE, Progress, Query, read_file, read_json, walk
from router.model import Model, read_model

if TYPE_CHECKING:
    import httpx
    from cachetools import TTLCache

    from router.loading.wire import Wire

MAX_FILE_BYTES: Final = 64 * 2**20
MAX_MALFORMED: Final = 0.1
"""The share of entries that may be unreadable; more than that is a change of the API, not a bad entry."""

DEFAULT_BASE_URL: Final = "https://api.anthropic.com"
DEFAULT_VERSION: Final = "2023-06-01"

_LIFECYCLES: Final = ("active", "deprecated", "retired")
_PATH: Final = "/v1/models"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ALIASES: Final = 256
_ALIAS_TTL: Final = 3600.0


class Source(Protocol):
    """Where a catalogue comes from."""

    remote: bool
    """Whether fetching waits on a network."""

    def fetch(self, deadline: Deadline, progress: Progress | None = None) -> Catalogue:
        """Return a whole catalogue, or raise a `RouterError`: never a part of one."""
        ...


class StaticSource:
    """A catalogue that the application holds itself."""

    remote = False

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def fetch(self, deadline: Deadline, progress: Progress | None = None) -> Catalogue:
        """Return the catalogue given."""
        return self._catalogue

    def __repr__(self) -> str:
        return f"StaticSource({self._catalogue!r})"


class BundledSource:
    """The catalogue that comes with the library."""

    remote = False

    def __init__(self, *, documented: DocumentedPath = PACKAGED) -> None:
        self._documented = documented

    def fetch(self, deadline: Deadline, progress: Progress | None = None) -> Catalogue:
        """Return the bundled catalogue."""
        return Catalogue.bundled(documented=self._documented)

    def __repr__(self) -> str:
        return "BundledSource()"


class FileSource:
    """A listing saved from the API, as `router models --source live --json` prints it."""

    remote = False

    def __init__(self, path: str | os.PathLike[str], *, documented: DocumentedPath = PACKAGED) -> None:
        self.path = os.fspath(path)
        self._documented = documented

    def fetch(self, deadline: Deadline, progress: Progress | None = None) -> Catalogue:
        """Read the file; its catalogue is as of the file's modification time.

        Raises `CatalogueUnavailableError` for a file that cannot be read, and `CatalogueError` for
        one that is no listing.
        """
        body, changed = self._read()
        try:
            return _catalogue(read_file(body), "file", datetime.fromtimestamp(changed, UTC), self._documented)
        except CatalogueError as error:
            raise CatalogueError(f"{self.path}: {error}") from error

    def _read(self) -> tuple[bytes, float]:
        try:
            # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with open(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                body = file.read(MAX_FILE_BYTES + 1) if stat.S_ISREG(status.st_mode) else None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CatalogueUnavailableError(f"{self.path} cannot be read: {reason}") from error
        if body is None:
            raise CatalogueUnavailableError(f"{self.path} is no regular file")
        if len(body) > MAX_FILE_BYTES:
            raise CatalogueUnavailableError(f"{self.path} has more than {MAX_FILE_BYTES} bytes")
        return body, status.st_mtime

    def __repr__(self) -> str:
        return f"FileSource({self.path!r})"


class AnthropicSource:
    """Anthropic's Models API, or a gateway that speaks it.

    Arguments go before environment variables: `ANTHROPIC_API_KEY`, `ANTHROPIC_AUTH_TOKEN` (a bearer token, used where
    there is no key) and `ANTHROPIC_BASE_URL`. `lifecycle` asks for those stages only; without it the API lists active
    and deprecated models. `transport` is an `httpx` transport in place of the network. Raises `ConfigurationError`, in
    which no credential is ever shown.
    """

    remote = True

    def __init__(
        self,
        *,
        api_key: str | None = None,
        auth_token: str | None = None,
        base_url: str | None = None,
        betas: Sequence[str] = (),
        workspace_id: str | None = None,
        version: str = DEFAULT_VERSION,
        lifecycle: Sequence[str] = (),
        page_size: int = MAX_PAGE_SIZE,
        documented: DocumentedPath = PACKAGED,
        allow_insecure: bool = False,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._credential = Credential.read(api_key, auth_token, environ)
        self.base_url = _base_url(base_url or environ.get("ANTHROPIC_BASE_URL") or DEFAULT_BASE_URL, allow_insecure)
        self._headers = {"anthropic-version": sendable("version", version)}
        if betas:
            self._headers["anthropic-beta"] = ",".join(sendable("betas", beta) for beta in betas)
        if workspace_id is not None:
            self._headers["anthropic-workspace-id"] = sendable("workspace_id", workspace_id)
        unknown = [stage for stage in lifecycle if stage not in _LIFECYCLES]
        if unknown:
            raise ConfigurationError(f"lifecycle must be among {', '.join(_LIFECYCLES)} (got {unknown[0]!r})")
        if not 1 <= page_size <= MAX_PAGE_SIZE:
            raise ConfigurationError(f"page_size must be 1 to {MAX_PAGE_SIZE} (got {page_size})")
        self._lifecycle = tuple(lifecycle)
        self._page_size = page_size
        self._documented = documented
        self._transport = transport
        self._clock = clock
        self._lock = threading.Lock()
        self._aliases: TTLCache[str, Model] | None = None

    def fetch(
        self,
        deadline: Deadline,
        progress: Progress | None = None,
        *,
        after_id: str | None = None,
        before_id: str | None = None,
    ) -> Catalogue:
        """Fetch every page of `GET /v1/models`, or every page after or before an id.

        Raises `CatalogueUnavailableError` where there is no whole answer within the deadline, and
        `CatalogueError` where the answer is no listing. Redirects are never followed.
        """
        if after_id is not None and before_id is not None:
            raise ConfigurationError("a listing is walked after an id or before one, not both")
        pages = walk(
            page_size=self._page_size,
            after_id=after_id,
            before_id=before_id,
            lifecycle=self._lifecycle,
            progress=progress,
        )
        entries = self._wire().exchange(deadline, lambda get: _driven(pages, get))
        return _catalogue(entries, "live", datetime.now(UTC), self._documented)

    def retrieve(self, id: str, *, deadline: float = 10.0) -> Model:
        """Fetch one model by id or alias: the model has the id that the alias resolves to.

        An alias is asked for once an hour. Raises `UnknownModelError` where the API knows no such
        model, and `CatalogueUnavailableError` where there is no answer within `deadline` seconds.
        """
        with self._lock:
            model = self._known_aliases().get(id)
        if model is None:
            model = self._retrieve(id, Deadline(deadline, self._clock))
            with self._lock:
                self._known_aliases()[id] = model
        return model

    def _retrieve(self, id: str, deadline: Deadline) -> Model:
        path = f"{_PATH}/{quote(id, safe='')}"
        try:
            entry = read_json(self._wire().exchange(deadline, lambda get: get(path, [])))
        except CatalogueUnavailableError as error:
            if error.status == 404:  # noqa: PLR2004 - "not found"
                raise UnknownModelError(id) from None
            raise
        listed = entry.get("id") if isinstance(entry, dict) else None
        facts = documented_facts(self._documented).get(listed) if isinstance(listed, str) else None
        return read_model(entry, "model", facts)

    def _known_aliases(self) -> TTLCache[str, Model]:
        if self._aliases is None:
            from cachetools import TTLCache

            self._aliases = TTLCache(_ALIASES, _ALIAS_TTL, self._clock)
        return self._aliases

    def _wire(self) -> Wire:
        from router.loading.wire import Wire

        return Wire(self.base_url, self._headers, self._credential, self._transport)

    def __repr__(self) -> str:
        return f"AnthropicSource(base_url={self.base_url!r})"


def _driven(pages: Generator[Query, bytes, list[Any]], get: Callable[[str, Query], bytes]) -> list[Any]:
    query = next(pages)
    while True:
        body = get(_PATH, query)
        try:
            query = pages.send(body)
        except StopIteration as end:
            entries: list[Any] = end.value
            return entries


def _catalogue(entries: list[Any], source: str, as_of: datetime, documented: DocumentedPath) -> Catalogue:
    """Return the catalogue of the entries that can be read; too many others mean that the API has changed."""
    models, malformed = read_listing(entries, documented_facts(documented))
    if len(malformed) > MAX_MALFORMED * len(entries):
        raise CatalogueError(f"{len(malformed)} of {len(entries)} entries cannot be read: {malformed[0]}")
    if malformed:
        from logging import getLogger

        getLogger("router").warning(
            "%d of %d entries left out of the %s catalogue: %s", len(malformed), len(entries), source, malformed[0]
        )
    return Catalogue(models, source=source, as_of=as_of)


def _base_url(text: str, allow_insecure: bool) -> str:
    try:
        url = urlsplit(text.strip())
        host, secret = url.hostname, url.username is not None or url.password is not None
    except ValueError:
        host, secret = None, False
    if host is None or url.scheme not in {"http", "https"} or url.query or url.fragment:
        raise ConfigurationError("base_url must be an http or https URL without query or fragment")
    if secret:
        raise ConfigurationError("base_url must not carry a user name or password")
    if url.scheme == "http" and host not in _LOOPBACK and not allow_insecure:
        raise ConfigurationError(
            f"base_url is http to {host!r}: the key would travel in clear; allow_insecure=True allows it"
        )
    return text.strip().rstrip("/")
