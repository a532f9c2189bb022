"""Session: the catalogue that one run of the command works on."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from router._errors import (
    CatalogueError,
    CatalogueUnavailableError,
    ConfigurationError,
    printable,
)
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision, changed
from router.catalogue._policy import Policy
from router.cli._terminal import progress_bar
from router.refresh._credential import Credential
from router.requirements._expression import Requirement

if TYPE_CHECKING:
    from router.refresh._disk_cache import Store
    from router.refresh._sources import AnthropicSource


class Session:
    """The catalogue of `--source` (`bundled`, `live`, `disk` or a file), loaded when first read.

    A frozen session never uses the network: instead of live, what is kept on disk, else the
    bundled catalogue.
    """

    def __init__(
        self,
        source: str | None,
        lifecycle: Sequence[str] = (),
        *,
        frozen: bool = False,
        as_json: bool = False,
    ) -> None:
        self.as_json = as_json
        self._source = source
        self._lifecycle = lifecycle
        self._frozen = frozen
        self._stale = False

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue; raises `RouterError` if it cannot be loaded."""
        source = self._source
        if self._frozen and source == "live":
            raise ConfigurationError("--frozen cannot be combined with --source live")
        if source is None and not Credential.is_set(os.environ):
            source = "bundled"
        if self._lifecycle and source not in {None, "live"}:
            raise ConfigurationError(
                "--lifecycle is a question to the live API: it goes with --source live"
            )
        if source == "bundled":
            return Catalogue.bundled()
        if source == "disk":
            return stored_catalogue()
        if source in {None, "live"}:
            return self._live(must=source == "live")
        _log_to_standard_error(quietly=False)
        return _read_listing(str(source))

    def require_live(self) -> None:
        """Load the live catalogue unless another source was named."""
        self._source = self._source or "live"

    @property
    def is_stale(self) -> bool:
        """Whether the catalogue is older than it may be, or replaces one that could not be loaded."""
        return self._stale

    def explain(self, requirement: Requirement | Policy) -> Decision:
        """Return the decision on this catalogue."""
        return changed(self.catalogue.explain(requirement), stale=self._stale)

    def _live(self, *, must: bool) -> Catalogue:
        from router._router import Router

        _log_to_standard_error(quietly=must)
        source = live_source(self._lifecycle)
        with (
            progress_bar() as progress,
            Router(source, progress=progress, frozen=self._frozen) as router,
        ):
            catalogue = router.refresh() if must else router.catalogue
            if router.status().refreshing:  # in the background, which ends with the command
                with suppress(CatalogueUnavailableError):
                    catalogue = router.refresh()
            self._stale = router.status().stale
            return catalogue


def _read_listing(path: str) -> Catalogue:
    """Return the catalogue of a file, or of a pipe such as the shell's `<(command)`."""
    from router.refresh._deadline import Deadline
    from router.refresh._sources import MAX_FILE_BYTES, FileSource

    # A `FileSource` reads its file again and again, and a pipe can be read once.
    body, written = _read_pipe(path, MAX_FILE_BYTES + 1)
    if not body:
        return FileSource(path).fetch(Deadline(float("inf")))
    from router.models._packaged_facts import PACKAGED
    from router.refresh._assembly import assemble
    from router.refresh._listing import read_file

    if len(body) > MAX_FILE_BYTES:
        raise CatalogueUnavailableError(f"{path} has more than {MAX_FILE_BYTES} bytes")
    try:
        return assemble(read_file(body), "file", datetime.fromtimestamp(written, UTC), PACKAGED)
    except CatalogueError as error:
        raise CatalogueError(f"{path}: {error}") from error


def _read_pipe(path: str, most: int) -> tuple[bytes, float]:
    """Return what a pipe holds until its end, and when it was written to last.

    The result is empty for a path that is not a pipe, and for a pipe without a writer, which would
    keep the command waiting.
    """
    try:
        if not stat.S_ISFIFO(os.stat(path).st_mode):
            return b"", 0.0
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as pipe:
            try:
                first = os.read(pipe.fileno(), 1)
                if not first:
                    return b"", 0.0
            except BlockingIOError:  # somebody holds the other end, and will write
                first = b""
            os.set_blocking(pipe.fileno(), True)
            body = first + pipe.read(most)
            return body, os.fstat(pipe.fileno()).st_mtime
    except (OSError, ValueError):  # the source of files says what is wrong
        return b"", 0.0


def live_source(lifecycle: Sequence[str] = ()) -> AnthropicSource:
    """Return the live API for the credential of the environment."""
    from router.refresh._sources import AnthropicSource

    if not Credential.is_set(os.environ):
        raise ConfigurationError("the live API needs a key: set ANTHROPIC_API_KEY")
    return AnthropicSource(lifecycle=lifecycle)


def open_store() -> Store:
    """Return the disk store of the live API for the credential of the environment."""
    from router.refresh._disk_cache import Store

    store = Store.of(live_source().identity or "")
    if store is None:
        raise ConfigurationError("there is no cache directory: the user has no known home")
    return store


def stored_catalogue() -> Catalogue:
    """Return the catalogue that is kept on disk."""
    from router.refresh._sources import restore_catalogue

    store = open_store()
    stored = store.read()
    if stored is None:
        raise CatalogueUnavailableError(f"nothing is kept in {store.path}: router refresh fetches")
    try:
        return restore_catalogue(
            stored.entries, stored.fetched_at, stored.validators, live_source()
        )
    except (ValueError, OverflowError) as error:
        raise CatalogueUnavailableError(
            f"what is kept in {store.path} cannot be read: {error}"
        ) from error


def _log_to_standard_error(*, quietly: bool) -> None:
    """Show the warnings of the library; `quietly` skips those of a failure that ends the run."""
    import logging

    class StandardErrorHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            arguments = record.args if isinstance(record.args, tuple) else ()
            if quietly and CatalogueUnavailableError in map(type, arguments):
                return
            # Not click.echo: it bypasses the stream that makes room above a progress bar.
            print(f"router: {printable(record.getMessage())}", file=sys.stderr)  # noqa: T201 - see above

    logger = logging.getLogger("router")
    shown = StandardErrorHandler(logging.WARNING)
    shown.name = "router-command"
    # Another session of this run has added one already: its warnings would be doubled.
    for handler in [handler for handler in logger.handlers if handler.name == shown.name]:
        logger.removeHandler(handler)
    logger.addHandler(shown)
