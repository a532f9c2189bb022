"""Assembly: from the pages of a listing to a catalogue, without I/O of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from router._errors import CatalogueError, CatalogueUnavailableError, ConflictingEntriesError
from router._log import Log
from router.catalogue._catalogue import Catalogue
from router.models._entries import read_listing
from router.models._model import MAKER
from router.models._packaged_facts import DocumentedPath, documented_facts
from router.refresh._http_errors import BAD_REQUEST, NOT_FOUND
from router.refresh._listing import PATH, Get, Pages

log: Final = Log(__package__)

MAX_MALFORMED: Final = 0.1
"""The share of entries that may be unreadable; a larger share is a change of the API."""

_CURSOR_GONE: Final = frozenset({BAD_REQUEST, NOT_FOUND})


def fetch_catalogue(
    pages: Callable[[], Pages],
    get: Get,
    held: Catalogue | None,
    documented: DocumentedPath,
    wall: Callable[[], float],
) -> Catalogue:
    """Walk the listing; if it changes meanwhile, walk it once more, and then give up."""
    for last in (False, True):
        walked = _Walk(pages(), get, held)
        try:
            entries = walked.drive()
            if entries is None and held is not None:
                return held
            as_of = datetime.fromtimestamp(wall(), UTC)
            return assemble(entries or [], "live", as_of, documented, walked.validators())
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
            answer = self._get(PATH, query, {} if self.pages else self._held)
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
        """Return what the next walk may compare; the server's validators hold for one page only."""
        return {**(self._offered if self.pages == 1 else {}), "sha256": self._hash.hexdigest()}


def assemble(
    entries: list[Any],
    source: str,
    as_of: datetime,
    documented: DocumentedPath,
    validators: Mapping[str, str] = MappingProxyType({}),
    *,
    provider: str = MAKER,
) -> Catalogue:
    """Return the catalogue of the readable entries; too many unreadable ones are an error."""
    models, malformed = read_listing(entries, documented_facts(documented), provider, owned=True)
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
            event="entries_left_out",
            source=source,
            entries=len(malformed),
        )
    return Catalogue(
        models, source=source, as_of=as_of, quarantined=malformed, validators=validators
    )
