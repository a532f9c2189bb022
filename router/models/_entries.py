"""Entries: a listing read into models, with the entries that cannot be read, or trusted, kept apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from router._errors import ConflictingEntriesError, MalformedEntryError
from router.models._model import Facts, Model, Reader
from router.models._packaged_facts import Documented

_NO_FACTS: Final = Facts()


def canonical_json(value: object) -> str:
    """Return the one text of a JSON value, where 1, 1.0 and true stay three."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_listing(
    entries: Iterable[object], documented: Documented, *, owned: bool = False
) -> tuple[list[Model], list[MalformedEntryError]]:
    """Read every entry, and return the models apart from what is wrong with the others.

    Two identical entries of one id are one; of two that differ neither can be trusted. Entries that are
    `owned` need no copy.
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
            disputed.add(model.id)
            expected = "of one entry only, or of equal ones"
            malformed.append(ConflictingEntriesError(f"{path}.id", expected, f"{id!r} again"))
    return [model for model in models.values() if model.id not in disputed], malformed
