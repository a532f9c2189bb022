"""StartupCheck: every problem of a router's policies and lock, before the first request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import define, field

from router._errors import CatalogueUnavailableError, ConfigurationError, count_problems
from router._log import Log
from router._named_policies import NamedPolicies
from router.catalogue._catalogue import Catalogue
from router.catalogue._policy_file import PlacedRequirement, PolicyFile
from router.refresh._loader import Loader

log: Final = Log(__package__)


class StartupCheck:
    """Finds the problems of a router's policies and lock.

    A mistake in a file is an error. An outage or a retired model causes only a warning, because a
    service must be able to start then, too.
    """

    def __init__(self, policies: NamedPolicies) -> None:
        self._policies = policies
        self._unchecked: tuple[PlacedRequirement, ...] = ()
        """The requirements whose names only the bundled catalogue was asked for."""

    def check(self, loader: Loader) -> None:
        """Raise one `ConfigurationError` with all mistakes, or else log all warnings at once.

        The first catalogue is loaded as an answer does it: this waits, but not in an event loop.
        """
        errors, warnings = _Problems(), _Problems()
        stated = self._read(errors)
        catalogue = _first_catalogue(loader) if stated.requirements else None
        if catalogue is None or catalogue is loader.stand_in:
            self._postpone(stated, catalogue, loader, warnings)
        else:
            errors.add(self._policies.where, _unknown_names(stated.requirements, catalogue))
        self._check_lock(stated, catalogue, errors, warnings)
        if errors.lines:
            raise ConfigurationError(*errors.lines, places=errors.places)
        warnings.log()
        if self._policies.locked is not None:
            self._policies.locked.mark_logged()

    def check_again(self, catalogue: Catalogue) -> None:
        """Log the names that a loaded catalogue lacks, if they were not found in the bundled one."""
        unchecked, self._unchecked = self._unchecked, ()
        warnings = _Problems()
        names = _unknown_names(unchecked, catalogue)
        warnings.add(
            self._policies.where,
            (f"{name} (not in the {catalogue.source} catalogue)" for name in names),
        )
        warnings.log()

    def _read(self, errors: _Problems) -> PolicyFile:
        try:
            stated = self._policies.read()
        except ConfigurationError as error:
            stated = PolicyFile({}, problems=error.problems)
        errors.add(self._policies.where, stated.problems)
        return stated

    def _postpone(
        self,
        stated: PolicyFile,
        catalogue: Catalogue | None,
        loader: Loader,
        warnings: _Problems,
    ) -> None:
        """Check the names against a catalogue that stands in, and again once one is loaded."""
        names = () if catalogue is None else (*_unknown_names(stated.requirements, catalogue),)
        warnings.add(
            self._policies.where,
            (
                f"{name} (not in the bundled catalogue; checked again with the next one)"
                for name in names
            ),
        )
        if names or catalogue is None:
            self._unchecked = stated.requirements
            # It may have been loaded meanwhile.
            if loader.held is not None and loader.held is not loader.stand_in:
                self.check_again(loader.held)

    def _check_lock(
        self,
        stated: PolicyFile,
        catalogue: Catalogue | None,
        errors: _Problems,
        warnings: _Problems,
    ) -> None:
        locked = self._policies.locked
        if locked is None:
            return
        try:
            broken, news = locked.check(stated.policies, catalogue)
        except ConfigurationError as error:
            errors.add(locked.where, error.problems)
        else:
            errors.add(locked.where, broken)
            warnings.add(locked.where, news)


@define
class _Problems:
    """Problems as lines, with the files that they are in."""

    lines: list[str] = field(factory=list)
    places: list[str] = field(factory=list)

    def add(self, place: str, lines: Iterable[str]) -> None:
        """Add the problems of one file."""
        before = len(self.lines)
        self.lines.extend(lines)
        if len(self.lines) > before and place not in self.places:
            self.places.append(place)

    def log(self) -> None:
        """Log all of them as one WARNING."""
        if self.lines:
            header = [count_problems(self.lines, self.places)] if len(self.lines) > 1 else []
            lines = (*header, *self.lines)
            # The line breaks are in the message, because those in arguments are escaped.
            log.warning("\n  ".join("%s" for _ in lines), *lines, event="policy_problems")


def _first_catalogue(loader: Loader) -> Catalogue | None:
    """Return the catalogue that answers, `None` if a strict router has none yet."""
    try:
        return loader.catalogue()
    except CatalogueUnavailableError:
        return None


def _unknown_names(
    requirements: Iterable[PlacedRequirement], catalogue: Catalogue
) -> Iterator[str]:
    """Yield the error of each name that a catalogue does not know, with its place."""
    for place, requirement in requirements:
        for error in catalogue.name_errors(requirement, place):
            yield str(error)
