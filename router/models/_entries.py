"""Entries: reads a listing into models, and separates invalid and conflicting entries."""

from __future__ import annotations

import json
from collections.abc import Iterable

from router._errors import ConflictingEntriesError, MalformedEntryError
from router.models._model import MAKER, Model, Reader
from router.models._packaged_facts import Documented


def canonical_json(value: object) -> str:
    """Return the canonical text of a JSON value; 1, 1.0 and true stay different."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_listing(
    entries: Iterable[object],
    documented: Documented,
    provider: str = MAKER,
    *,
    owned: bool = False,
) -> tuple[list[Model], list[MalformedEntryError]]:
    """Read every entry; return the models, and the errors of the other entries.

    Identical entries of one provider with one id count once; different ones are all rejected.
    Entries that state no provider are of `provider`. Entries that are `owned` are not copied.
    """
    reader = Reader(documented, provider, owned=owned)
    models: dict[str, Model] = {}
    disputed: set[str] = set()
    malformed: list[MalformedEntryError] = []
    for at, entry in enumerate(entries):
        path = f"data[{at}]"
        try:
            model = reader.read(entry, path)
        except MalformedEntryError as error:
            malformed.append(error)
            continue
        first = models.setdefault(model.key, model)
        if first is not model and canonical_json(first.entry) != canonical_json(model.entry):
            # The first model stays in `models`, so that further entries are compared with it.
            disputed.add(model.key)
            expected = "of one entry only, or of equal ones"
            malformed.append(ConflictingEntriesError(f"{path}.id", expected, f"{model.id!r} again"))
    return [model for model in models.values() if model.key not in disputed], malformed
