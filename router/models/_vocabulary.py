"""What is known of names before any catalogue is read: data, so that no capability is named in code.

The vocabulary tells a typo from a fact that is unknown here, says which keys of the capability tree
are only containers, orders the levels, and gives each known field its kind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, Final

from router._errors import nearest


def read_packaged(name: str) -> bytes:
    """Return a file of `router/data`, from a directory or from inside a zip."""
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

ELSEWHERE: Final[dict[str, str]] = _DATA["elsewhere"]
"""What the catalogues of LiteLLM, models.dev, OpenRouter, Mistral, Ollama and Vercel call a name, with the name."""


def meant_elsewhere(name: str) -> str | None:
    """Return the name of what other catalogues call `name`."""
    return ELSEWHERE.get(name.removeprefix("supports_"))


def capability_name(path: str) -> str:
    """Return the short spelling of a capability: transparent keys are left out, the first key never."""
    if "." not in path:
        return path
    first, *rest = path.split(".")
    return ".".join([first, *(key for key in rest if key not in TRANSPARENT)])


class Names:
    """The names that the answers of one listing carried, beyond those of the vocabulary."""

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
        """Return what other catalogues mean by `name`, else the known names most like it."""
        meant = meant_elsewhere(name)
        return (
            (meant,)
            if meant
            else nearest(name, {*CAPABILITIES, *FIELDS, *self.capabilities, *self.fields})
        )

    def __or__(self, other: Names) -> Names:
        return Names(self.capabilities | other.capabilities, self.fields | other.fields)

    @classmethod
    def union(cls, several: Iterable[Names]) -> Names:
        """Return the names of all of them; each object is read once, however often it comes."""
        distinct = {id(each): each for each in several}.values()
        return cls(
            {name for each in distinct for name in each.capabilities},
            {name for each in distinct for name in each.fields},
        )
