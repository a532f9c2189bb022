"""Fetcher: asks a source within one deadline, retries, and confirms a shrunken listing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from attrs import frozen

from router._errors import CatalogueUnavailableError
from router._log import Log
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._listing import Progress
from router.refresh._sources import Source

if TYPE_CHECKING:
    from tenacity import RetryCallState

log: Final = Log(__package__)

ATTEMPTS: Final = 3
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 8.0
"""Seconds between the attempts of one load, before jitter."""

CONFIRMED_AFTER: Final = 1.0
"""Seconds before a listing that has shrunk to less than half is asked for again."""


@frozen
class Fetcher:
    """The attempts of each load; `sleep` and `random` are arguments so that no test waits."""

    _source: Source
    _sleep: Callable[[float], None]
    _random: Callable[[], float]
    _progress: Progress | None

    def fetch(self, deadline: Deadline, held: Catalogue | None, known: int) -> Catalogue:
        """Fetch; a listing that has lost most of its models counts only if a second one agrees.

        It is compared with what is held, else with the `known` number of models on disk.
        """
        catalogue = self._attempt(deadline, held)
        count = len(catalogue)
        if count and 2 * count >= (len(held) if held is not None else known):
            return catalogue
        if deadline.left() <= CONFIRMED_AFTER:
            raise CatalogueUnavailableError(
                f"the listing has only {count} models, and no time to ask again"
            )
        self._sleep(CONFIRMED_AFTER)
        if self._attempt(deadline, None).digest != catalogue.digest:
            raise CatalogueUnavailableError(
                f"the listing has only {count} models, and the next one differs"
            )
        log.warning(
            "the listing has only %d models now: two answers agree on that",
            count,
            event="listing_shrank",
            models=count,
        )
        return catalogue

    def _attempt(self, deadline: Deadline, held: Catalogue | None) -> Catalogue:
        import tenacity

        def is_last(state: RetryCallState) -> bool:
            return state.attempt_number >= ATTEMPTS or state.upcoming_sleep >= deadline.left()

        retrying = tenacity.Retrying(
            stop=is_last,
            wait=self._wait,
            retry=tenacity.retry_if_exception(lambda error: getattr(error, "retryable", False)),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._source.fetch, deadline, self._progress, held)

    def _wait(self, state: RetryCallState) -> float:
        """Return full jitter under a doubling bound, or a little more than the server asked for."""
        error = state.outcome.exception() if state.outcome else None
        asked: float | None = getattr(error, "retry_after", None)
        if asked is not None:
            return asked + self._random() * FIRST_WAIT
        return self._random() * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (state.attempt_number - 1))


def is_older(catalogue: Catalogue, than: Catalogue) -> bool:
    """Return whether the newest model of a listing is older than that of another."""
    return _newest(catalogue) < _newest(than)


def log_regression(catalogue: Catalogue) -> None:
    """Log that a catalogue lacks the newest model of the last one."""
    log.warning(
        "the %s catalogue is older than the last one: its newest model is gone",
        catalogue.source,
        event="catalogue_regressed",
        source=catalogue.source,
    )


def _newest(catalogue: Catalogue) -> datetime:
    dates = (model.created_at for model in catalogue if model.created_at)
    return max(dates, default=datetime.min.replace(tzinfo=UTC))
