"""Session: the catalogue that one run of the command works on, and how it may write."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from router._errors import CatalogueUnavailableError, ConfigurationError, printable
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision
from router.catalogue._policy import Policy
from router.refresh._credential import Credential
from router.refresh._listing import Progress
from router.requirements._expression import Requirement

if TYPE_CHECKING:
    from router.refresh._disk_cache import Store


class Session:
    """The catalogue that `--source` names (`bundled`, `live`, `disk` or a file), loaded at once.

    `frozen` looks at no network: instead of live, what is kept on disk, else the bundled catalogue. Raises
    `RouterError` where that fails.
    """

    def __init__(
        self, source: str | None, lifecycle: Sequence[str], no_color: bool, *, frozen: bool = False
    ) -> None:
        is_plain = no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self.color = False if is_plain else None
        context = click.get_current_context()
        context.color = self.color
        if frozen and source == "live":
            raise ConfigurationError(
                "--frozen keeps away from the network: --source live does not go with it"
            )
        if source is None and not Credential.is_set(os.environ):
            source = "bundled"
        if lifecycle and source not in {None, "live"}:
            raise ConfigurationError(
                "--lifecycle is a question to the live API: it goes with --source live"
            )
        self.stale = False
        if source == "bundled":
            self.catalogue = Catalogue.bundled()
        elif source in {None, "live"}:
            self.catalogue = self._live(lifecycle, must=source == "live", frozen=frozen)
        elif source == "disk":
            self.catalogue = stored_catalogue()
        else:
            from router.refresh._deadline import Deadline
            from router.refresh._sources import FileSource

            _log_to_standard_error(quietly=False)
            self.catalogue = FileSource(source).fetch(Deadline(float("inf")))

    def explain(self, requirement: Requirement | Policy) -> Decision:
        """Return the decision on this catalogue."""
        from attrs import evolve

        return evolve(self.catalogue.explain(requirement), stale=self.stale)

    def _live(self, lifecycle: Sequence[str], *, must: bool, frozen: bool) -> Catalogue:
        from router._router import Router
        from router.refresh._sources import AnthropicSource

        _log_to_standard_error(quietly=must)
        with (
            _progress(color=self.color is not False) as progress,
            Router(
                AnthropicSource(lifecycle=lifecycle), progress=progress, frozen=frozen
            ) as router,
        ):
            catalogue = router.refresh() if must else router.catalogue
            if router.status().refreshing:  # in the background, which ends with the command
                with suppress(CatalogueUnavailableError):
                    catalogue = router.refresh()
            self.stale = router.status().stale
            return catalogue


def open_store() -> Store:
    """Return the disk store of the live API for the credential of the environment."""
    from router.refresh._disk_cache import Store
    from router.refresh._sources import AnthropicSource

    store = Store.of(AnthropicSource().identity or "")
    if store is None:
        raise ConfigurationError("there is no cache directory: the user has no known home")
    return store


def stored_catalogue() -> Catalogue:
    """Return the catalogue that is kept on disk."""
    from router.refresh._sources import AnthropicSource, restored

    store = open_store()
    stored = store.read()
    if stored is None:
        raise CatalogueUnavailableError(f"nothing is kept in {store.path}: router refresh fetches")
    try:
        return restored(stored.entries, stored.fetched_at, stored.validators, AnthropicSource())
    except (ValueError, OverflowError) as error:
        raise CatalogueUnavailableError(
            f"what is kept in {store.path} cannot be read: {error}"
        ) from error


def _log_to_standard_error(*, quietly: bool) -> None:
    """Show the library's warnings; `quietly` leaves out those of a failure, which will end the run as an error."""
    import logging

    class Echo(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not (
                quietly
                and isinstance(record.args, tuple)
                and CatalogueUnavailableError in map(type, record.args)
            ):
                # Not click.echo: it goes round the stream that makes room above a progress bar.
                print(f"router: {printable(record.getMessage())}", file=sys.stderr)  # noqa: T201 - see above

    logger, echo = logging.getLogger("router"), Echo(logging.WARNING)
    echo.name = "router-command"
    for handler in [
        each for each in logger.handlers if each.name == echo.name
    ]:  # of another session of this run
        logger.removeHandler(handler)
    logger.addHandler(echo)


@contextmanager
def _progress(*, color: bool) -> Iterator[Progress | None]:
    """Show how many models have come, on a terminal only."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, color_system="auto" if color else None)
    with Bar(
        TextColumn("fetching models"),
        BarColumn(),
        TextColumn("{task.completed}"),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.update(task, completed=count)
