"""Catalogues of a few entries, and the bundled one, for tests that say what each entry states."""

from __future__ import annotations

from typing import Any

from router.catalogue._catalogue import Catalogue
from router.models._model import Model

BUNDLED = Catalogue.bundled()


def listed(*entries: dict[str, Any], source: str = "static") -> Catalogue:
    """Return a catalogue of entries without documented facts."""
    return Catalogue.from_listing(entries, documented=None, source=source)


def newest_first(*entries: dict[str, Any], source: str = "static") -> Catalogue:
    """Return a catalogue of entries, the first the newest, without documented facts."""
    dated = [
        {"created_at": f"{2025 - at}-01-01T00:00:00Z", **entry} for at, entry in enumerate(entries)
    ]
    return Catalogue.from_listing(dated, documented=None, source=source)


def ids(models: tuple[Model, ...]) -> list[str]:
    """Return the ids of models in their order."""
    return [model.id for model in models]


def supporting(**capabilities: object) -> dict[str, Any]:
    """Return the capability tree that states these and no others."""
    return {
        "capabilities": {name: {"supported": supported} for name, supported in capabilities.items()}
    }
