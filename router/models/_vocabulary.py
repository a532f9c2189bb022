"""Vocabulary: the known names, as data, so that no code names a capability.

The vocabulary distinguishes a typo from an unknown fact, lists the keys of the capability tree that
are only containers, orders the levels, and gives each known field its kind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, Final

from router._errors import nearest


def read_packaged(name: str) -> bytes:
    """Return a file of `router/data`, from a directory or a zip."""
    # The loader also reads from a zip, and is cheaper to import than `importlib.resources`.
    loader: Any = __spec__.loader
    data: bytes = loader.get_data(
        os.path.join(os.path.dirname(os.path.dirname(__file__)), "data", name)
    )
    return data


_DATA: Final[dict[str, Any]] = json.loads(read_packaged("vocabulary.json"))

CAPABILITIES: Final[frozenset[str]] = frozenset(_DATA["capabilities"])
TRANSPARENT: Final[frozenset[str]] = frozenset(_DATA["transparent"])
LEVELS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(levels) for name, levels in _DATA["levels"].items()
}
DURATIONS: Final[dict[str, dict[str, str]]] = _DATA["durations"]
FIELDS: Final[dict[str, str]] = {**_DATA["fields"], **dict.fromkeys(DURATIONS, "duration")}
MINIMUMS: Final[dict[str, str]] = _DATA["minimums"]

ELSEWHERE: Final[dict[str, tuple[str, ...]]] = {
    name: tuple([ours] if isinstance(ours, str) else ours or ())
    for name, ours in _DATA["elsewhere"].items()
}
"""Our names, by those of LiteLLM, models.dev, OpenRouter, Mistral, Ollama and Vercel.

Empty for what those catalogues state and ours does not.
"""


def meant_elsewhere(name: str) -> tuple[str, ...] | None:
    """Return our names for a name from another catalogue or for a keyword, `None` if it is neither."""
    if name in MINIMUMS:
        return (MINIMUMS[name],)
    return ELSEWHERE.get(name.removeprefix("supports_").removeprefix("min_"))


def capability_name(path: str) -> str:
    """Return a capability's short path: without transparent keys, except for the first key."""
    if "." not in path:
        return path
    first, *rest = path.split(".")
    return ".".join([first, *(key for key in rest if key not in TRANSPARENT)])


class Names:
    """The names in one listing, in addition to the vocabulary."""

    __slots__ = ("capabilities", "fields")

    def __init__(self, capabilities: Iterable[str] = (), fields: Iterable[str] = ()) -> None:
        self.capabilities = set(capabilities)
        self.fields = set(fields)

    def knows_capability(self, name: str) -> bool:
        """Whether `name` is a capability that the vocabulary or this listing knows."""
        return name in CAPABILITIES or name in self.capabilities

    def knows_field(self, name: str) -> bool:
        """Whether `name` is a field that the vocabulary or this listing knows."""
        return name in FIELDS or name in self.fields

    def nearest(self, name: str) -> tuple[str, ...]:
        """Return our names for a foreign `name`, else the most similar known names.

        A foreign name that the vocabulary lacks resembles its names by chance only.
        """
        own = {*self.capabilities, *self.fields}
        known = own | CAPABILITIES | FIELDS.keys()
        first, dot, _ = name.partition(".")
        meant = meant_elsewhere(name)
        # The keyword `family="opus"` is the capability `family.opus`.
        if meant is None and dot and not any(each.startswith(f"{first}.") for each in known):
            meant = meant_elsewhere(first)
        if meant is None:
            return nearest(name, known)
        return meant or nearest(name, own - CAPABILITIES - FIELDS.keys())

    def __or__(self, other: Names) -> Names:
        return Names(self.capabilities | other.capabilities, self.fields | other.fields)

    @classmethod
    def union(cls, several: Iterable[Names]) -> Names:
        """Return the names of all; an object that occurs several times is read once."""
        distinct = {id(each): each for each in several}.values()
        return cls(
            {name for each in distinct for name in each.capabilities},
            {name for each in distinct for name in each.fields},
        )
