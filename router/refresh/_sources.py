"""Sources: where a catalogue comes from."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from router._arguments import check_seconds
from router._errors import (
    CatalogueError,
    CatalogueUnavailableError,
    ConfigurationError,
    RouterError,
    UnknownModelError,
    quoted,
)
from router._fork import register_fork_reset
from router.catalogue._catalogue import Catalogue
from router.models._model import MAKER, Model, check_provider, is_id, read_model
from router.models._packaged_facts import PACKAGED, DocumentedPath, documented_facts
from router.refresh._assembly import assemble, fetch_catalogue
from router.refresh._credential import Credential, check_header_value, strip_traceback
from router.refresh._deadline import Deadline
from router.refresh._http_errors import NOT_FOUND, read_error
from router.refresh._listing import MAX_PAGE_SIZE, PATH, Pages, Progress, read_file, read_json, walk

if TYPE_CHECKING:
    import httpx
    from cachetools import TTLCache

    from router.refresh._http import Wire

MAX_FILE_BYTES: Final = 64 * 2**20
DEFAULT_BASE_URL: Final = "https://api.anthropic.com"
DEFAULT_VERSION: Final = "2023-06-01"

_LIFECYCLES: Final = ("active", "deprecated", "retired")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ALIASES: Final = 256
_ALIAS_TTL: Final = 3600.0


class Source(Protocol):
    """Where a catalogue comes from."""

    @property
    def remote(self) -> bool:
        """Whether fetching waits on a network."""
        ...

    @property
    def identity(self) -> str | None:
        """A keyed hash of what changes the answer, as its name on disk; `None` to keep it nowhere."""
        ...

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
    identity = None

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
    identity = None

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
    """A listing saved from the API, as `router models --source live --raw` prints it.

    Entries that state no `provider` are of the one given here.
    """

    remote = False
    identity = None

    recheck = 1.0
    """Seconds after which a router looks whether the file has changed."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        documented: DocumentedPath = PACKAGED,
        provider: str = MAKER,
    ) -> None:
        check_provider(provider)
        self.path = os.fspath(path)
        self.documented = documented
        self.provider = provider

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Read the file, unless it is the one that `held` came from; it is as of its modification.

        Raises `CatalogueUnavailableError` for a file that cannot be read, and `CatalogueError` for
        one that is not a listing.
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
            raise CatalogueUnavailableError(f"{self.path} is not a regular file")
        if len(body) > MAX_FILE_BYTES:
            raise CatalogueUnavailableError(f"{self.path} has more than {MAX_FILE_BYTES} bytes")
        as_of = datetime.fromtimestamp(status.st_mtime, UTC)
        try:
            entries, validators = read_file(body), {"file": version}
            return assemble(
                entries, "file", as_of, self.documented, validators, provider=self.provider
            )
        except CatalogueError as error:
            raise CatalogueError(f"{self.path}: {error}") from error

    def __repr__(self) -> str:
        return f"FileSource({self.path!r})"


def _opened_at_once(path: str, flags: int) -> int:
    """Open without waiting, as a pipe that nobody writes to would make us."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class AnthropicSource:
    """Anthropic's Models API, or a gateway that speaks it.

    Arguments go before environment variables: `ANTHROPIC_API_KEY`, `ANTHROPIC_AUTH_TOKEN` (a bearer
    token, used without a key) and `ANTHROPIC_BASE_URL`. `lifecycle` asks for those stages
    only; without it the API lists active and deprecated models. `transport` is an `httpx` transport
    in place of the network. Raises `ConfigurationError`, in which no credential is ever shown.
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
        environ: Mapping[str, str] | None = None,
    ) -> None:
        # Not a default: `help` prints those, and the environment may hold the key.
        environ = os.environ if environ is None else environ
        failure: RouterError | None = None
        try:
            self._credential = Credential.read(api_key, auth_token, environ)
            self.base_url = _read_base_url(base_url, environ, allow_insecure)
        except ConfigurationError as error:
            failure = strip_traceback(error)
        # Or whoever reports an error from here with its frames shows them.
        del api_key, auth_token, base_url, environ
        if failure is not None:
            raise failure
        self._headers = _headers(version, betas, workspace_id)
        _check_query(lifecycle, page_size)
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
        self.reset_after_fork()
        register_fork_reset(self)

    def reset_after_fork(self) -> None:
        """Renew the lock."""
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

        Raises `CatalogueUnavailableError` if no whole answer arrives within the deadline, and
        `CatalogueError` if the answer is not a listing. Redirects are never followed.
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
            deadline, lambda get: fetch_catalogue(pages, get, held, self.documented, self._wall)
        )

    def retrieve(self, id: str, *, deadline: float = 10.0) -> Model:
        """Fetch one model by id or alias: the model has the id that the alias resolves to.

        An alias is asked for once an hour. Raises `UnknownModelError` where the API knows no such
        model, and `CatalogueUnavailableError` if no answer arrives within `deadline` seconds.
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

        path = f"{PATH}/{quote(id, safe='')}"
        try:
            return self._wire().exchange(
                deadline, lambda get: self._read_model(get(path, [], {}).body or b"")
            )
        except CatalogueUnavailableError as error:
            if error.status == NOT_FOUND:
                raise UnknownModelError(id) from None
            raise

    def _read_model(self, body: bytes) -> Model:
        entry = read_json(body)
        failure = read_error(entry)
        if failure is not None:
            raise failure
        return read_model(entry, "model", documented_facts(self.documented))

    def _wire(self) -> Wire:
        from router.refresh._http import Wire

        return Wire(self.base_url, self._headers, self._credential, self._transport, self._wall)

    def __repr__(self) -> str:
        # The attribute is missing where the constructor raised.
        return f"AnthropicSource(base_url={getattr(self, 'base_url', None)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a source holds a credential: it is not to be copied or pickled")


def restore_catalogue(
    entries: list[Any], fetched_at: float, validators: Mapping[str, str], source: Source
) -> Catalogue:
    """Return the catalogue of entries that `source` fetched and the disk kept."""
    documented = getattr(source, "documented", PACKAGED)
    return assemble(
        entries, "disk", datetime.fromtimestamp(fetched_at, UTC), documented, validators
    )


def _headers(version: str, betas: Sequence[str], workspace_id: str | None) -> dict[str, str]:
    headers = {"anthropic-version": check_header_value("version", version)}
    if isinstance(betas, str):
        raise ConfigurationError("betas must be a list of names, not one text")
    if betas:
        headers["anthropic-beta"] = ",".join(
            sorted({check_header_value("betas", beta) for beta in betas})
        )
    if workspace_id is not None:
        headers["anthropic-workspace-id"] = check_header_value("workspace_id", workspace_id)
    return headers


def _check_query(lifecycle: Sequence[str], page_size: int) -> None:
    unknown = [lifecycle] if isinstance(lifecycle, str) else []
    unknown += [stage for stage in lifecycle if stage not in _LIFECYCLES]
    if unknown:
        raise ConfigurationError(
            f"lifecycle must be a list of {', '.join(_LIFECYCLES)} (got {quoted(unknown[0])})"
        )
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise ConfigurationError(
            f"page_size must be 1 to {MAX_PAGE_SIZE} (got {quoted(page_size)})"
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
