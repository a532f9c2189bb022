"""Captured answers of the real API: they parse, and select as a person reading them would."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from locations import DATA

from router.catalogue._catalogue import Catalogue
from router.models._model import Model
from router.requirements._parser import parse

CAPTURES: dict[str, Any] = json.loads((DATA / "captures.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 10, 6, tzinfo=UTC)

PAGES = [entry for page in CAPTURES["pages"] for entry in page["data"]]
TREES = [{"id": id, **entry} for id, entry in CAPTURES["capability_trees"].items()]
CREATED = {
    "claude-sonnet-5": "2026-06-29T00:00:00Z",
    "claude-fable-5": "2026-06-07T00:00:00Z",
    "claude-opus-4-8": "2026-05-28T00:00:00Z",
    "claude-opus-4-7": "2026-04-14T00:00:00Z",
    "claude-sonnet-4-6": "2026-02-17T00:00:00Z",
    "claude-opus-4-6": "2026-02-04T00:00:00Z",
    "claude-opus-4-5-20251101": "2025-11-24T00:00:00Z",
    "claude-haiku-4-5-20251001": "2025-10-15T00:00:00Z",
    "claude-sonnet-4-5-20250929": "2025-09-29T00:00:00Z",
}
"""The trees were captured without their dates; these are the dates that other captured answers give."""
DATED = [{**entry, "created_at": CREATED[entry["id"]]} for entry in TREES]


def test_pages_of_four_fields_are_a_catalogue() -> None:
    """Pages of the oldest shape list their models in order; every capability is unknown, and nothing is guessed."""
    catalogue = Catalogue.from_listing(PAGES, source="live", documented=None)
    assert [model.id for model in catalogue] == [entry["id"] for entry in PAGES]
    assert catalogue.select().id == "claude-sonnet-5-5"
    assert catalogue.select('id like "*opus*"').id == "claude-opus-5-5"
    assert catalogue.select("created_at < 2026-01-01").id == "claude-haiku-4-5-20251001"
    assert catalogue.select("age >= 14d", now=NOW).id == "claude-opus-5-5"
    assert catalogue.candidates("pdf_input") == ()
    assert len(catalogue.candidates("maybe pdf_input")) == len(PAGES)
    assert catalogue.candidates("line == opus") == ()


@pytest.mark.parametrize("page", CAPTURES["pages"], ids=lambda page: str(page["last_id"]))
def test_a_page_ends_with_its_last_id(page: dict[str, Any]) -> None:
    """The captured cursors are those of the entries, so that a walk over the pages ends where they do."""
    assert page["data"][-1]["id"] == page["last_id"]


def test_the_tree_of_haiku_reads_as_written() -> None:
    """Each node of the captured tree is known as it stands, and the keys of later days are unknown."""
    model = Model.from_api(
        {"id": "claude-haiku-4-5-20251001", "capabilities": CAPTURES["haiku_4_5_capabilities"]}
    )
    supported = {name for name, support in model.capabilities.items() if support}
    assert supported == {
        *("batch", "citations", "image_input", "pdf_input", "structured_outputs"),
        *("context_management", "context_management.clear_tool_uses_20250919"),
        *("context_management.clear_thinking_20251015", "thinking", "thinking.enabled"),
    }
    assert all(support is not None for support in model.capabilities.values())
    assert model.support("thinking.adaptive") is False
    assert model.support("effort.max") is False
    assert model.support("code_execution") is False
    for later in (
        "thinking.disabled",
        "thinking.between_tools",
        "server_tools.code_execution",
        "compaction",
    ):
        assert model.support(later) is None
    assert parse("not effort >= low").matches(model)


def test_a_trimmed_answer_states_what_it_states() -> None:
    """Of the answer cut down for a test, the parts that were left are known and those cut off are unknown."""
    catalogue = Catalogue.from_listing(CAPTURES["trimmed"], documented=None)
    opus = catalogue.select(
        "thinking.adaptive and effort >= high and pdf_input and max_input_tokens >= 200k"
    )
    assert opus.id == "claude-opus-5-5"
    assert opus.created_at == datetime(2026, 9, 21, 16, 24, tzinfo=UTC)
    assert opus.support("thinking.enabled") is False
    assert opus.support("citations") is None
    assert (opus.max_input_tokens, opus.max_tokens, opus.display_name) == (1_000_000, 128_000, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "thinking.adaptive and effort.xhigh",
            ["claude-sonnet-5", "claude-fable-5", "claude-opus-4-8", "claude-opus-4-7"],
        ),
        ("thinking.enabled and thinking.adaptive", ["claude-sonnet-4-6", "claude-opus-4-6"]),
        (
            "thinking.enabled and not thinking.adaptive",
            ["claude-opus-4-5-20251101", "claude-haiku-4-5-20251001", "claude-sonnet-4-5-20250929"],
        ),
        ("effort.max and not effort.xhigh", ["claude-sonnet-4-6", "claude-opus-4-6"]),
        ("effort >= low and effort <= high and not effort.max", ["claude-opus-4-5-20251101"]),
        ("not effort", ["claude-haiku-4-5-20251001", "claude-sonnet-4-5-20250929"]),
        ("not code_execution", ["claude-haiku-4-5-20251001"]),
        (
            "not context_management.compact_20260112",
            ["claude-opus-4-5-20251101", "claude-haiku-4-5-20251001", "claude-sonnet-4-5-20250929"],
        ),
        (
            "max_tokens < 128k",
            ["claude-opus-4-5-20251101", "claude-haiku-4-5-20251001", "claude-sonnet-4-5-20250929"],
        ),
        ("max_input_tokens >= 1M and max_tokens <= 64k", ["claude-sonnet-4-5-20250929"]),
        ("max_input_tokens == 200k", ["claude-opus-4-5-20251101", "claude-haiku-4-5-20251001"]),
        ("thinking.disabled or compaction or server_tools", []),
        ("pdf_input and citations and batch and structured_outputs and image_input", list(CREATED)),
    ],
)
def test_the_captured_trees_select_as_they_read(text: str, expected: list[str]) -> None:
    """What a person reads off the nine captured trees is what is selected from them, newest first."""
    catalogue = Catalogue.from_listing(DATED, documented=None)
    assert [model.id for model in catalogue.candidates(text)] == expected


def test_documentation_corrects_the_captured_window() -> None:
    """The window that the API was captured to report for Sonnet 4.5 is corrected, and both values are kept."""
    catalogue = Catalogue.from_listing(DATED)
    sonnet = catalogue["claude-sonnet-4-5"]
    assert sonnet.max_input_tokens == 200_000
    assert sonnet.entry["max_input_tokens"] == 1_000_000
    assert sonnet.corrections["max_input_tokens"].reported == 1_000_000
    assert [
        model.id for model in catalogue.candidates("max_tokens <= 64k and max_input_tokens >= 1M")
    ] == []


def test_the_bundled_listing_agrees_with_what_was_captured() -> None:
    """No bundled value contradicts a captured answer: where both state something, they state the same."""
    bundled = Catalogue.bundled(documented=None)
    for entry in (*PAGES, *TREES, *CAPTURES["trimmed"]):
        model = bundled[entry["id"]]
        captured = Model.from_api(entry)
        assert {name: model.facts.get(name) for name in captured.facts} == dict(captured.facts)
        assert {name: model.values.get(name) for name in captured.values} == dict(captured.values)
