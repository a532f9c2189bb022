"""Packaged facts: documented facts that the API does not report, by provider and exact model id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from typing import Any, ClassVar, Final

from attrs import field, frozen

from router._errors import CatalogueError
from router._serialising import Serialisable
from router.models._vocabulary import read_packaged

DocumentedPath = str | PathLike[str] | None
"""The file of the documented facts; `None` for none."""

PACKAGED: Final = "packaged"
"""A value in place of a path: the facts that come with the library."""


@frozen(repr=False)
class Correction(Serialisable):
    """A documented correction of a limit that the API reports wrongly."""

    reported: int
    value: int
    why: str
    source: tuple[str, ...] = ()

    json_names: ClassVar = ("reported", "value", "why", "source")

    def __str__(self) -> str:
        return f"{self.value}, not {self.reported}: {self.why}"


@frozen
class Facts:
    """Documented facts of one model beyond its entry, with the sources of each fact by name."""

    stated: Mapping[str, Any] = field(factory=dict)
    corrections: Mapping[str, Correction] = field(factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(factory=dict)


Documented = Mapping[tuple[str, str], Facts]
"""Facts by provider and id."""

# Filled on first use, so that an import does not parse the file.
_packaged: list[tuple[Documented, str, Mapping[str, str]]] = []


def documented_facts(path: DocumentedPath = PACKAGED) -> Documented:
    """Return the facts in `path`, by default the library's own; `None` gives no facts.

    Raises `CatalogueError` if the file is unreadable or invalid.
    """
    if path is None:
        return {}
    if path == PACKAGED:
        return _read_packaged()[0]
    try:
        with open(path, "rb") as file:
            return _read_document(json.load(file), str(path))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, CatalogueError):  # a ValueError that names the problem already
            raise
        raise CatalogueError(f"documented facts of {path} cannot be read: {error}") from error


def packaged_as_of() -> str:
    """Return the time when the library's own facts and listing were collected."""
    return _read_packaged()[1]


def source_text(key: str) -> str:
    """Return the text of a source of the library's own facts, empty for any other key."""
    return _read_packaged()[2].get(key, "")


def _read_packaged() -> tuple[Documented, str, Mapping[str, str]]:
    if not _packaged:
        data = json.loads(read_packaged("documented.json"))
        _packaged.append((_read_document(data, "documented.json"), data["as_of"], data["sources"]))
    return _packaged[0]


def _read_document(data: object, where: str) -> Documented:
    providers = data.get("models") if isinstance(data, dict) else None
    if not isinstance(providers, dict) or not all(
        isinstance(models, dict) for models in providers.values()
    ):
        raise CatalogueError(
            f"{where} must be an object with `models`, an object of facts by provider and model id"
        )
    return {
        (provider, id): _read_facts(entry, f"{where}: models.{provider}.{id}")
        for provider, models in providers.items()
        for id, entry in models.items()
    }


def maker_of(id: str) -> str | None:
    """Return the provider that the library's own facts name as the maker of the model `id`."""
    return next(
        (
            provider
            for (provider, known), facts in _read_packaged()[0].items()
            if known == id and "base" not in facts.stated
        ),
        None,
    )


def _read_facts(entry: object, where: str) -> Facts:
    if not isinstance(entry, dict):
        raise CatalogueError(f"{where} must be an object")
    stated: dict[str, Any] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for name, fact in entry.items():
        if name == "corrections":
            continue
        # An object without `value` groups facts, such as `price` with `input` and `output`.
        if isinstance(fact, dict) and "value" not in fact:
            stated[name] = {
                key: _read_fact(each, f"{name}.{key}", where, sources) for key, each in fact.items()
            }
        else:
            stated[name] = _read_fact(fact, name, where, sources)
    corrections = entry.get("corrections", {})
    if not isinstance(corrections, dict):
        raise CatalogueError(f"{where}.corrections must be an object")
    return Facts(
        stated,
        {
            name: _read_correction(each, f"{where}.corrections.{name}")
            for name, each in corrections.items()
        },
        sources,
    )


def _read_fact(fact: object, name: str, where: str, sources: dict[str, tuple[str, ...]]) -> object:
    if not isinstance(fact, dict) or "value" not in fact:
        raise CatalogueError(f"{where}.{name} must be an object with `value` and `source`")
    sources[name] = _read_source(fact, f"{where}.{name}")
    return fact["value"]


def _read_correction(fact: object, where: str) -> Correction:
    if not isinstance(fact, dict):
        raise CatalogueError(f"{where} must be an object")
    reported, value, why = fact.get("reported"), fact.get("value"), fact.get("why")
    if type(reported) is not int or type(value) is not int or not isinstance(why, str):
        raise CatalogueError(
            f"{where} must be an object of whole numbers `reported` and `value`, and a string `why`"
        )
    return Correction(reported, value, why, _read_source(fact, where))


def _read_source(fact: dict[str, Any], where: str) -> tuple[str, ...]:
    source = fact.get("source", [])
    if not isinstance(source, list) or not all(isinstance(each, str) for each in source):
        raise CatalogueError(f"{where}.source must be a list of strings")
    return tuple(source)
