"""Shared cache: what the processes of one user tell each other over the disk of one source.

One of them fetches at a time; the others take its catalogue, or its failure. A store may be missing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

from router._errors import CatalogueUnavailableError, RouterError
from router._fork import register_fork_reset
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._http_errors import REFUSED_STATUSES
from router.refresh._sources import Source, restore_catalogue

if TYPE_CHECKING:
    from router.refresh._disk_cache import Store

WRITING: Final = 1.0
"""Seconds that a load waits for another of this process that is still writing to disk."""


class SharedCache:
    """The store of one source, opened at its first use; `wall` is in seconds since the epoch."""

    def __init__(
        self, source: Source, open_store: Callable[[], Store | None], wall: Callable[[], float]
    ) -> None:
        self._source = source
        self._open_store = open_store
        self._wall = wall
        self.reset_after_fork()
        register_fork_reset(self)

    def reset_after_fork(self) -> None:
        """Renew the lock, and read the disk again."""
        self._writing = threading.RLock()
        self._store: Store | None = None
        self.is_unread = True
        """Whether the process has not yet looked for what an earlier one has left."""
        self.known = 0
        """How many models were stored when it was last read."""

    def _opened(self) -> Store | None:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def locked(self, deadline: Deadline) -> AbstractContextManager[object]:
        """Let no other process fetch meanwhile, as far as that can be had in time."""
        store = self._opened()
        if store is None:
            return nullcontext()
        from router.refresh._disk_cache import LOCK_WAIT

        return store.locked(min(LOCK_WAIT, deadline.remaining()))

    def read(self, *, newer_than: float, not_after: float) -> tuple[Catalogue, float] | None:
        """Return what was fetched between those two moments, and when, if it can be read."""
        store = self._opened()
        stored = store.read() if store is not None else None
        self.known = len(stored.entries) if stored is not None else 0
        if stored is None or not newer_than < stored.fetched_at <= not_after:
            return None
        at = stored.fetched_at
        try:
            return restore_catalogue(stored.entries, at, stored.validators, self._source), at
        except (RouterError, ValueError, OverflowError, OSError):
            return None

    def write(self, catalogue: Catalogue, fetched_at: float, is_latest: Callable[[], bool]) -> None:
        """Store a catalogue, unless a later one has landed, which is stored by its own load."""
        store = self._opened()
        if store is None or not self._writing.acquire(timeout=WRITING):
            return
        from router.refresh._disk_cache import Stored

        try:
            if is_latest():
                entries = [dict(model.entry) for model in catalogue]
                store.write(Stored(entries, fetched_at, catalogue.validators))
                store.clear_shared_failure()
        finally:
            self._writing.release()

    def read_failure(self) -> CatalogueUnavailableError | None:
        """Return the failure of another process that still holds, with the seconds it holds for."""
        store = self._opened()
        failure = store.read_shared_failure() if store is not None else None
        if failure is None:
            return None
        return CatalogueUnavailableError(
            failure.reason,
            status=failure.status,
            retry_after=failure.until - self._wall(),
            retryable=failure.status not in REFUSED_STATUSES,
        )

    def write_failure(self, error: CatalogueUnavailableError, delay: float) -> None:
        """Let the other processes know of a failure, and for how many seconds to wait."""
        store = self._opened()
        if store is not None:
            from router.refresh._disk_cache import SharedFailure

            store.write_shared_failure(
                SharedFailure(self._wall() + delay, error.reason[:500], error.status)
            )
