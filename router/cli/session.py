"""Session: the catalogue that one run of the command works on, and how it may write."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from router.catalogue import Catalogue
from router.decision import Decision
from router.errors import ConfigurationError
from router.loading.credential import Credential
from router.loading.listing import Progress
from router.requirement import Requirement


class Session:
    """The catalogue that `--source` names, loaded at once; raises `RouterError` where that fails."""

    def __init__(self, source: str | None, lifecycle: Sequence[str], no_color: bool) -> None:
        self.color = False if no_color or os.environ.get("NO_COLOR") else None
        context = click.get_current_context()
        context.color = self.color
        if source is None and not Credential.is_set(os.environ):
            source = "bundled"
        if lifecycle and source not in {None, "live"}:
            raise ConfigurationError("--lifecycle is a question to the live API: it goes with --source live")
        self.stale = False
        if source == "bundled":
            self.catalogue = Catalogue.bundled()
        elif source in {None, "live"}:
            self.catalogue = self._live(lifecycle, must=source == "live")
        else:
            from router.loading.deadline import Deadline
            from router.loading.sources import FileSource

            self.catalogue = FileSource(source).fetch(Deadline(float("inf")))

    def explain(self, requirement: Requirement) -> Decision:
        """Return the decision on this catalogue."""
        from attrs import evolve

        return evolve(self.catalogue.explain(requirement), stale=self.stale)

    def _live(self, lifecycle: Sequence[str], *, must: bool) -> Catalogue:
        from router.loading.sources import AnthropicSource
        from router.router import Router

        _log_to_standard_error(quietly=must)
        with _progress() as progress, Router(AnthropicSource(lifecycle=lifecycle), progress=progress) as router:
            catalogue = router.refresh() if must else router.catalogue
            self.stale = catalogue.source != "live"
            return catalogue


def _log_to_standard_error(*, quietly: bool) -> None:
    """Show the library's warnings; `quietly` where the same will be said by the error that ends the run."""
    import logging

    handler = logging.NullHandler() if quietly else logging.StreamHandler()
    handler.setFormatter(logging.Formatter("router: %(message)s"))
    logging.getLogger("router").addHandler(handler)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show how many models have come, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")))
    with Bar(
        TextColumn("fetching models"), BarColumn(), TextColumn("{task.completed}"), console=console, transient=True
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.update(task, completed=count)
