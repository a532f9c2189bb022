"""Entries: reads a listing into models, and separates invalid and conflicting entries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from router._errors import ConflictingEntriesError, MalformedEntryError
from router.models._model import Facts, Model, Reader
from router.models._packaged_facts import Documented

_NO_FACTS: Final = Facts()


def canonical_json(value: object) -> str:
    """Return the canonical text of a JSON value; 1, 1.0 and true stay different."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_listing(
    entries: Iterable[object], documented: Documented, *, owned: bool = False
) -> tuple[list[Model], list[MalformedEntryError]]:
    """Read every entry; return the models, and the errors of the other entries.

    Identical entries with one id count once. Different entries with one id are all rejected.
    Entries that are `owned` are not copied.
    """
    reader = Reader(owned=owned)
    models: dict[str, Model] = {}
    disputed: set[str] = set()
    malformed: list[MalformedEntryError] = []
    for at, entry in enumerate(entries):
        path = f"data[{at}]"
        id = entry.get("id") if isinstance(entry, dict) else None
        try:
            model = reader.read(
                entry, path, documented.get(id, _NO_FACTS) if isinstance(id, str) else _NO_FACTS
            )
        except MalformedEntryError as error:
            malformed.append(error)
            continue
        first = models.setdefault(model.id, model)
        if first is not model and canonical_json(first.entry) != canonical_json(model.entry):
            # The first model stays in `models`, so that further entries are compared with it.
            disputed.add(model.id)
            expected = "of one entry only, or of equal ones"
            malformed.append(ConflictingEntriesError(f"{path}.id", expected, f"{id!r} again"))
    return [model for model in models.values() if model.id not in disputed], malformed
