"""Shared cache: what the processes of one user tell each other over the disk of one source.

One of them fetches at a time; the others take its catalogue, or its failure. A store may be missing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

from router._errors import CatalogueUnavailableError, RouterError
from router._fork import renewed_in_child
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._http_errors import REFUSED_STATUSES
from router.refresh._sources import Source, restored

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
        self.start_anew()
        renewed_in_child(self)

    def start_anew(self) -> None:
        """Have a lock that nobody holds, and look on disk anew."""
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
            return restored(stored.entries, at, stored.validators, self._source), at
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
                store.clear_setback()
        finally:
            self._writing.release()

    def read_failure(self) -> CatalogueUnavailableError | None:
        """Return the failure of another process that still holds, with the seconds it holds for."""
        store = self._opened()
        setback = store.read_setback() if store is not None else None
        if setback is None:
            return None
        return CatalogueUnavailableError(
            setback.reason,
            status=setback.status,
            retry_after=setback.until - self._wall(),
            retryable=setback.status not in REFUSED_STATUSES,
        )

    def write_failure(self, error: CatalogueUnavailableError, delay: float) -> None:
        """Let the other processes know of a failure, and for how many seconds to wait."""
        store = self._opened()
        if store is not None:
            from router.refresh._disk_cache import Setback

            store.write_setback(Setback(self._wall() + delay, error.reason[:500], error.status))
