"""`router models`: a table, CSV, JSON and raw entries, sorted and with columns."""

from __future__ import annotations

from terminal import Command, Ran, read


def test_columns_are_fields_and_capabilities_by_name(command: Command, listing: str) -> None:
    """Each model has a line with the values named, unknown as a question mark."""
    asked = ("models", "--columns", "key,price.output,effort.max,created_at", "--source", listing)
    assert command(*asked) == Ran(
        0,
        "key                       price.output  effort.max  created_at\n"
        "anthropic:claude-small-2  5             no          2026-10-07\n"
        "anthropic:claude-large-2  20            yes         2026-09-21\n"
        "anthropic:claude-large-1  ?             ?           2026-01-05\n"
        "anthropic:claude-first    ?             ?           ?\n",
        "",
    )


def test_json_of_columns_holds_just_those(command: Command, listing: str) -> None:
    """By the names that were given, with null for unknown."""
    asked = ("models", "--columns", "id,effort.max", "--source", listing, "--json")
    assert read(command(*asked))["models"] == [
        {"id": "claude-small-2", "effort.max": False},
        {"id": "claude-large-2", "effort.max": True},
        {"id": "claude-large-1", "effort.max": None},
        {"id": "claude-first", "effort.max": None},
    ]
