"""Sources: where a catalogue comes from."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from router._arguments import check_seconds
from router._errors import (
    CatalogueError,
    CatalogueUnavailableError,
    ConfigurationError,
    ConflictingEntriesError,
    RouterError,
    UnknownModelError,
    quoted,
)
from router._fork import renewed_in_child
from router._log import Log
from router.catalogue._catalogue import Catalogue, read_listing
from router.models._model import Model, is_id, read_model
from router.models._packaged_facts import PACKAGED, DocumentedPath, documented_facts
from router.refresh._credential import Credential, disclosed, sendable, unframed
from router.refresh._deadline import Deadline
from router.refresh._http_errors import read_error, read_refusal
from router.refresh._listing import (
    MAX_PAGE_BYTES,
    MAX_PAGE_SIZE,
    Get,
    Pages,
    Progress,
    Query,
    Reply,
    check_media_type,
    gathered,
    read_file,
    read_json,
    walk,
)

if TYPE_CHECKING:
    import httpx
    from cachetools import TTLCache

    from router.refresh._http import Wire

log: Final = Log(__package__)

MAX_FILE_BYTES: Final = 64 * 2**20
MAX_MALFORMED: Final = 0.1
"""The share of entries that may be unreadable; more than that is a change of the API, not a bad entry."""

DEFAULT_BASE_URL: Final = "https://api.anthropic.com"
DEFAULT_VERSION: Final = "2023-06-01"

_LIFECYCLES: Final = ("active", "deprecated", "retired")
_CURSOR_GONE: Final = frozenset({400, 404})
_OK: Final = 200
_PATH: Final = "/v1/models"
_STREAMED: Final = "X-Stainless-Raw-Response"
"""The header by which `with_streaming_response` has the client hand out a response whose body it has not read."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ALIASES: Final = 256
_ALIAS_TTL: Final = 3600.0


class Source(Protocol):
    """Where a catalogue comes from."""

    remote: bool
    """Whether fetching waits on a network."""

    identity: str | None
    """The name under which an answer may be kept on disk: a keyed hash of all that changes it; `None` for never."""

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Return a whole catalogue, or raise a `RouterError`: never a part of one.

        `held` is the last answer of this source: it is returned itself where nothing has changed.
        """
        ...


class StaticSource:
    """A catalogue that the application holds itself."""

    remote = False
    identity: str | None = None

    def __init__(self, catalogue: Catalogue) -> None:
        if not isinstance(catalogue, Catalogue):
            raise ConfigurationError(f"a Catalogue was expected (got {type(catalogue).__name__})")
        self._catalogue = catalogue

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Return the catalogue given."""
        return self._catalogue

    def __repr__(self) -> str:
        return f"StaticSource({self._catalogue!r})"


class BundledSource:
    """The catalogue that comes with the library."""

    remote = False
    identity: str | None = None

    def __init__(self, *, documented: DocumentedPath = PACKAGED) -> None:
        self.documented = documented

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Return the bundled catalogue."""
        return Catalogue.bundled(documented=self.documented)

    def __repr__(self) -> str:
        return "BundledSource()"


class FileSource:
    """A listing saved from the API, as `router models --source live --json` prints it."""

    remote = False
    identity: str | None = None

    recheck = 1.0
    """Seconds after which a router looks whether the file has changed."""

    def __init__(
        self, path: str | os.PathLike[str], *, documented: DocumentedPath = PACKAGED
    ) -> None:
        self.path = os.fspath(path)
        self.documented = documented

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Read the file, unless it is still the one that `held` was read from; it is as of its modification time.

        Raises `CatalogueUnavailableError` for a file that cannot be read, and `CatalogueError` for
        one that is no listing.
        """
        try:
            with open(self.path, "rb", opener=_opened_at_once) as file:
                status = os.fstat(file.fileno())
                version = f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"
                if held is not None and held.validators.get("file") == version:
                    return held
                body = file.read(MAX_FILE_BYTES + 1) if stat.S_ISREG(status.st_mode) else None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CatalogueUnavailableError(f"{self.path} cannot be read: {reason}") from error
        if body is None:
            raise CatalogueUnavailableError(f"{self.path} is no regular file")
        if len(body) > MAX_FILE_BYTES:
            raise CatalogueUnavailableError(f"{self.path} has more than {MAX_FILE_BYTES} bytes")
        as_of = datetime.fromtimestamp(status.st_mtime, UTC)
        try:
            return _catalogue(read_file(body), "file", as_of, self.documented, {"file": version})
        except CatalogueError as error:
            raise CatalogueError(f"{self.path}: {error}") from error

    def __repr__(self) -> str:
        return f"FileSource({self.path!r})"


def _opened_at_once(path: str, flags: int) -> int:
    """Open without waiting, as a pipe that nobody writes to would make us."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


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
        wall: Callable[[], float] = time.time,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        failure: RouterError | None = None
        try:
            self._credential = Credential.read(api_key, auth_token, environ)
            self.base_url = _read_base_url(base_url, environ, allow_insecure)
        except ConfigurationError as error:
            failure = unframed(error)
        del (
            api_key,
            auth_token,
            base_url,
            environ,
        )  # or whoever reports an error from here with its frames shows them
        if failure is not None:
            raise failure
        self._headers = {"anthropic-version": sendable("version", version)}
        if isinstance(betas, str):
            raise ConfigurationError("betas must be a list of names, not one text")
        if betas:
            self._headers["anthropic-beta"] = ",".join(
                sorted({sendable("betas", beta) for beta in betas})
            )
        if workspace_id is not None:
            self._headers["anthropic-workspace-id"] = sendable("workspace_id", workspace_id)
        unknown = [stage for stage in lifecycle if stage not in _LIFECYCLES]
        if unknown:
            raise ConfigurationError(
                f"lifecycle must be among {', '.join(_LIFECYCLES)} (got {quoted(unknown[0])})"
            )
        if not 1 <= page_size <= MAX_PAGE_SIZE:
            raise ConfigurationError(
                f"page_size must be 1 to {MAX_PAGE_SIZE} (got {quoted(page_size)})"
            )
        self.identity: str | None = self._credential.identify(
            self.base_url,
            *(f"{name}: {value}" for name, value in sorted(self._headers.items())),
            *sorted(lifecycle),
        )
        self._lifecycle = tuple(lifecycle)
        self._page_size = page_size
        self.documented = documented
        self._transport = transport
        self._clock = clock
        self._wall = wall
        self._aliases: TTLCache[str, Model] | None = None
        self.start_anew()
        renewed_in_child(self)

    def start_anew(self) -> None:
        """Have a lock that nobody holds."""
        self._lock = threading.Lock()

    def fetch(
        self,
        deadline: Deadline,
        progress: Progress | None = None,
        held: Catalogue | None = None,
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

        def pages() -> Pages:
            return walk(
                page_size=self._page_size,
                after_id=after_id,
                before_id=before_id,
                lifecycle=self._lifecycle,
                progress=progress,
            )

        return self._wire().exchange(
            deadline, lambda get: _fetched(pages, get, held, self.documented, self._wall)
        )

    def retrieve(self, id: str, *, deadline: float = 10.0) -> Model:
        """Fetch one model by id or alias: the model has the id that the alias resolves to.

        An alias is asked for once an hour. Raises `UnknownModelError` where the API knows no such
        model, and `CatalogueUnavailableError` where there is no answer within `deadline` seconds.
        """
        check_seconds("deadline", deadline)
        if not is_id(id):
            raise UnknownModelError(id)
        from cachetools import TTLCache

        with self._lock:
            if self._aliases is None:
                self._aliases = TTLCache(_ALIASES, _ALIAS_TTL, self._clock)
            aliases = self._aliases
            model: Model | None = aliases.get(id)
        if model is None:
            model = self._retrieve(id, Deadline(deadline, self._clock))
            with self._lock:
                aliases[id] = model
        return model

    def _retrieve(self, id: str, deadline: Deadline) -> Model:
        from urllib.parse import quote

        path = f"{_PATH}/{quote(id, safe='')}"
        try:
            return self._wire().exchange(
                deadline, lambda get: self._read_model(get(path, [], {}).body or b"")
            )
        except CatalogueUnavailableError as error:
            if error.status == 404:  # noqa: PLR2004 - "not found"
                raise UnknownModelError(id) from None
            raise

    def _read_model(self, body: bytes) -> Model:
        entry = read_json(body)
        failure = read_error(entry)
        if failure is not None:
            raise failure
        listed = entry.get("id") if isinstance(entry, dict) else None
        facts = documented_facts(self.documented).get(listed) if isinstance(listed, str) else None
        return read_model(entry, "model", facts)

    def _wire(self) -> Wire:
        from router.refresh._http import Wire

        return Wire(self.base_url, self._headers, self._credential, self._transport, self._wall)

    def __repr__(self) -> str:
        return f"AnthropicSource(base_url={getattr(self, 'base_url', None)!r})"  # none where it could not be made

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a source holds a credential: it is not to be copied or pickled")


class SDKSource:
    """The Models API through an application's own `anthropic.Anthropic` client: its credentials, profiles and proxies.

    Its retries are left out: the loader has its own, inside its deadline. What the client reads is
    held to the same bounds and guards as an answer of our own asking.
    """

    remote = True
    identity: str | None = None

    def __init__(
        self,
        client: Any,
        *,
        betas: Sequence[str] = (),
        lifecycle: Sequence[str] = (),
        documented: DocumentedPath = PACKAGED,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._wall = wall
        self._headers = {_STREAMED: "stream"} | (
            {"anthropic-beta": ",".join(sorted(betas))} if betas else {}
        )
        self._lifecycle = tuple(lifecycle)
        self.documented = documented

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Fetch every page; raises `CatalogueUnavailableError` for every failure of the client."""

        def pages() -> Pages:
            return walk(lifecycle=self._lifecycle, progress=progress)

        try:
            return _fetched(pages, partial(self._get, deadline), held, self.documented, self._wall)
        except RouterError as error:
            failure = disclosed(error, self._credentials())
        raise failure

    def _credentials(self) -> list[Credential]:
        """Return the credentials that the client was given; what a profile of its own holds it does not tell."""
        given = (getattr(self._client, name, None) for name in ("api_key", "auth_token"))
        return [Credential("", secret) for secret in given if isinstance(secret, str) and secret]

    def _get(
        self, deadline: Deadline, path: str, query: Query, validators: Mapping[str, str]
    ) -> Reply:
        failure: CatalogueUnavailableError
        try:
            # Not `client.models`, which follows redirects.
            response = self._client.with_options(max_retries=0, timeout=deadline.remaining()).get(
                path,
                cast_to=object,
                options={
                    "params": _grouped(query),
                    "headers": self._headers,
                    "follow_redirects": False,
                },
            )
            try:
                if response.status_code != _OK:
                    reason = f"the API answered {response.status_code}"
                    raise read_refusal(
                        reason, response.status_code, response.headers, None, self._wall()
                    )
                check_media_type(response.headers.get("content-type", ""))
                body = gathered(_bounded(response.iter_bytes(), deadline))
            finally:
                response.close()
            for credential in self._credentials():
                credential.check_body(body)
            return Reply(body)
        except RouterError:
            raise
        except Exception as error:  # noqa: BLE001 - the client raises its own tree, or what its credentials raise
            failure = self._translated(error)
        # Raised outside of the handler: the client's error carries the request, and with it the key, as context.
        raise failure

    def _translated(self, error: Exception) -> CatalogueUnavailableError:
        """Return what a client's error says, without its words: they are the server's, and may repeat the key."""
        status = getattr(error, "status_code", None)
        reason = f"the client failed: {type(error).__name__}" + (f" ({status})" if status else "")
        headers = getattr(getattr(error, "response", None), "headers", {})
        failure = read_refusal(reason, status, headers, getattr(error, "body", None), self._wall())
        failure.reason, failure.args, failure.error_type = reason, (reason,), None
        return failure

    def __repr__(self) -> str:
        return f"SDKSource({type(self._client).__name__})"


def _bounded(chunks: Iterable[bytes], deadline: Deadline) -> Iterator[bytes]:
    received = 0
    for chunk in chunks:
        deadline.remaining()
        received += len(chunk)
        if received > MAX_PAGE_BYTES:
            raise CatalogueUnavailableError(
                f"the API answered with more than {MAX_PAGE_BYTES} bytes"
            )
        yield chunk


def _grouped(query: Query) -> dict[str, Any]:
    """Return a query as the client wants it: a name that repeats as a list without its brackets."""
    grouped: dict[str, Any] = {}
    for name, value in query:
        if name.endswith("[]"):
            grouped.setdefault(name.removesuffix("[]"), []).append(value)
        else:
            grouped[name] = value
    return grouped


def _fetched(
    pages: Callable[[], Pages],
    get: Get,
    held: Catalogue | None,
    documented: DocumentedPath,
    wall: Callable[[], float],
) -> Catalogue:
    """Walk the listing; one that changes while it is walked is walked once more, and then given up."""
    for last in (False, True):
        walked = _Walk(pages(), get, held)
        try:
            entries = walked.drive()
            if entries is None and held is not None:
                return held
            as_of = datetime.fromtimestamp(wall(), UTC)
            return _catalogue(entries or [], "live", as_of, documented, walked.validators())
        except ConflictingEntriesError as error:
            if last:
                raise CatalogueError(f"the listing changes while it is read: {error}") from error
        except CatalogueUnavailableError as error:
            if last or walked.pages == 0 or error.status not in _CURSOR_GONE:
                raise
    raise AssertionError("unreachable")


class _Walk:
    """One walk over the pages, with what it takes to see that nothing has changed."""

    def __init__(self, pages: Pages, get: Get, held: Catalogue | None) -> None:
        self.pages = 0
        self._walk = pages
        self._get = get
        self._held = dict(held.validators) if held is not None else {}
        from hashlib import sha256

        self._hash = sha256()
        self._offered: Mapping[str, str] = {}

    def drive(self) -> list[Any] | None:
        """Return the entries, `None` where they are those of the catalogue held."""
        query = next(self._walk)
        while True:
            answer = self._get(_PATH, query, {} if self.pages else self._held)
            if answer.body is None:
                return None
            self.pages += 1
            self._hash.update(answer.body)
            self._offered = answer.validators
            try:
                query = self._walk.send(answer.body)
            except StopIteration as end:
                entries: list[Any] = end.value
                return None if self._held.get("sha256") == self._hash.hexdigest() else entries

    def validators(self) -> dict[str, str]:
        """Return what the next walk may compare: the server's own validators speak of one page, so only of one."""
        return {**(self._offered if self.pages == 1 else {}), "sha256": self._hash.hexdigest()}


def _catalogue(
    entries: list[Any],
    source: str,
    as_of: datetime,
    documented: DocumentedPath,
    validators: Mapping[str, str] = MappingProxyType({}),
) -> Catalogue:
    """Return the catalogue of the entries that can be read; too many others mean that the API has changed."""
    models, malformed = read_listing(entries, documented_facts(documented), given_up=True)
    for error in malformed:
        if isinstance(error, ConflictingEntriesError):
            raise error
    if len(malformed) > MAX_MALFORMED * len(entries):
        raise CatalogueError(
            f"{len(malformed)} of {len(entries)} entries cannot be read: {malformed[0]}"
        )
    if malformed:
        log.warning(
            "%d of %d entries left out of the %s catalogue: %s",
            len(malformed),
            len(entries),
            source,
            malformed[0],
        )
    return Catalogue(
        models, source=source, as_of=as_of, quarantined=malformed, validators=validators
    )


def restored(
    entries: list[Any], fetched_at: float, validators: Mapping[str, str], source: Source
) -> Catalogue:
    """Return the catalogue of entries that `source` fetched and the disk kept."""
    documented = getattr(source, "documented", PACKAGED)
    return _catalogue(
        entries, "disk", datetime.fromtimestamp(fetched_at, UTC), documented, validators
    )


def _read_base_url(given: str | None, environ: Mapping[str, str], allow_insecure: bool) -> str:
    from urllib.parse import urlsplit

    name = "base_url" if given else "ANTHROPIC_BASE_URL"
    text = given or environ.get(name) or DEFAULT_BASE_URL
    try:
        url = urlsplit(text.strip())
        host = url.hostname if url.port != 0 else None
    except ValueError:
        host = None
    if "@" in text:
        raise ConfigurationError(f"{name} must not carry a user name or password")
    if host is None or url.scheme not in {"http", "https"} or "?" in text or "#" in text:
        raise ConfigurationError(f"{name} must be an http or https URL without query or fragment")
    if url.scheme == "http" and host not in _LOOPBACK and not allow_insecure:
        raise ConfigurationError(
            f"{name} is http to {host!r}, and the key would travel in clear: use https, "
            "or in Python AnthropicSource(allow_insecure=True)"
        )
    return text.strip().rstrip("/")
