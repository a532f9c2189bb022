"""Notifier: calls the hooks once an event, in the thread of a refresh, while no lock is held."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from router._arguments import check_hook
from router._errors import CatalogueUnavailableError
from router._hooks import call_hook
from router._log import Log
from router.catalogue._catalogue import Catalogue
from router.catalogue._diff import CatalogueDiff
from router.refresh._freshness import Freshness

log: Final = Log(__package__)

OnRefresh = Callable[[Catalogue | None, Catalogue, CatalogueDiff], object]
"""Called with the old catalogue, `None` before the first, the new one and their differences."""

OnError = Callable[[CatalogueUnavailableError], object]
"""Called with the error of a refresh."""


class _InErrorHook(threading.local):
    """Whether `on_error` runs in this thread."""

    value = False


_in_error_hook: Final = _InErrorHook()


def in_error_hook() -> bool:
    """Return whether `on_error` runs in this thread: a refresh that it starts does not call it again."""
    return _in_error_hook.value


class Notifier:
    """The hooks of a router, and the failures that `on_error` has not been called with yet.

    `on_load` is the router's own: it is called with every catalogue that is loaded.
    """

    def __init__(
        self,
        on_refresh: OnRefresh | None,
        on_error: OnError | None,
        on_load: Callable[[Catalogue], object] = lambda _: None,
    ) -> None:
        check_hook("on_refresh", on_refresh)
        check_hook("on_error", on_error)
        self._on_refresh = on_refresh
        self._on_error = on_error
        self._on_load = on_load
        self._has_warned = False
        self._pending: deque[CatalogueUnavailableError] = deque()

    def add_failure(self, error: CatalogueUnavailableError) -> None:
        """Queue a failure for `on_error`: the thread of the next refresh calls it, never a read."""
        if self._on_error is not None:
            self._pending.append(error)

    def call_on_error(self) -> None:
        """Call `on_error` with each failure so far; later ones have threads of their own."""
        for _ in range(len(self._pending)):
            try:
                error = self._pending.popleft()
            except IndexError:  # another thread was faster
                return
            self._call_on_error(error)

    def _call_on_error(self, error: CatalogueUnavailableError) -> None:
        if self._on_error is None:
            return
        outer = in_error_hook()
        _in_error_hook.value = True
        try:
            call_hook("on_error", partial(self._on_error, error))
        finally:
            _in_error_hook.value = outer

    def warn_of_stand_in(self, stand_in: Catalogue) -> Catalogue:
        """Log once that the bundled catalogue answers, because an event loop does not wait."""
        if not self._has_warned:
            self._has_warned = True
            as_of = f" of {stand_in.as_of:%Y-%m-%d}" if stand_in.as_of is not None else ""
            log.warning(
                "no catalogue is loaded yet, and an event loop does not wait: the bundled one%s answers; "
                "use `async with Router(...)` or `await router.ready()` to wait",
                as_of,
                event="bundle_answers",
            )
        return stand_in

    def call_on_refresh(self, before: Catalogue | None, after: Catalogue) -> None:
        """Call `on_refresh` if the catalogue has changed."""
        self._on_load(after)
        if after is before or self._on_refresh is None:
            return
        diff = (Catalogue(()) if before is None else before).diff(after)
        if diff or before is None:
            call_hook("on_refresh", partial(self._on_refresh, before, after, diff))


def log_failure(before: Freshness, after: Freshness, held: Catalogue | None) -> None:
    """Log the failure that led from one to the other, as a warning if it is news."""
    error = after.error
    source = f"the {held.source} catalogue is used" if held is not None else "there is no catalogue"
    as_of = f" (of {held.as_of:%Y-%m-%d %H:%MZ})" if held is not None and held.as_of else ""
    is_news = before.error is None or error is None or before.error.status != error.status
    write = log.warning if is_news else log.debug
    write(
        "the catalogue could not be loaded: %s; %s%s",
        error,
        source,
        as_of,
        event="refresh_failed",
        status=error.status if error is not None else None,
        source=held.source if held is not None else None,
    )
    if after.was_stale and not before.was_stale:
        log.warning(
            "the catalogue%s is older than max_stale, %g s, and has not been renewed",
            as_of,
            after.limits.max_stale,
            event="catalogue_stale",
            source=held.source if held is not None else None,
        )
