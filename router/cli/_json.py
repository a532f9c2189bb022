"""JSON: what the command prints for programs: the schema, the catalogue, and a result by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from router._serialising import json_value
from router.catalogue._snapshot import Snapshot

SCHEMA: Final = 1
"""The version of the shapes in `docs/schemas`: it changes if a program that reads one would fail."""


def named(name: str) -> Callable[[object], dict[str, Any]]:
    """Return a function that gives a result, or a list of results, this name."""
    return lambda value: {name: json_value(value)}


def document(members: dict[str, Any], catalogue: Snapshot | None) -> dict[str, Any]:
    """Return the whole document: the members after the schema and the catalogue that they are of."""
    head = {"schema": SCHEMA} | (
        {"catalogue": catalogue.summary()} if catalogue is not None else {}
    )
    return head | members


def error_document(kind: str, message: str) -> dict[str, Any]:
    """Return the document of a command that has failed, with the name of the kind of error."""
    return document({"error": {"type": kind, "message": message}}, None)
