"""Diff: every change between two catalogues, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from small_catalogues import BUNDLED, listed, supporting

from router.catalogue._catalogue import Catalogue
from router.catalogue._diff import CatalogueDiff, Change


def test_a_difference_names_every_change() -> None:
    """Ids added and removed, newest first, and each value that changed, with what it was; unknown is `None`."""
    before = listed(
        {"id": "gone"},
        {
            "id": "kept",
            "lifecycle": "active",
            "created_at": "2026-01-01T00:00:00Z",
            "price": {"input": 5},
            **supporting(x=True),
        },
        {"id": "same", "line": "opus"},
    )
    after = listed(
        {
            "id": "kept",
            "lifecycle": "deprecated",
            "created_at": "2026-01-02T00:00:00Z",
            "line": "opus",
            **supporting(x=False, y=True),
        },
        {"id": "same", "line": "opus"},
        {"id": "new-b"},
        {"id": "new-a"},
        {"id": "newest", "created_at": "2026-02-01T00:00:00Z"},
    )
    assert before.diff(after) == CatalogueDiff(
        added=("newest", "new-a", "new-b"),
        removed=("gone",),
        changed=(
            Change(
                "kept",
                "created_at",
                datetime(2026, 1, 1, tzinfo=UTC),
                datetime(2026, 1, 2, tzinfo=UTC),
            ),
            Change("kept", "lifecycle", "active", "deprecated"),
            Change("kept", "line", None, "opus"),
            Change("kept", "price.input", 5, None),
            Change("kept", "x", before=True, after=False),
            Change("kept", "y", before=None, after=True),
        ),
    )
    assert before.diff(after)


def test_equal_catalogues_have_no_difference() -> None:
    """A difference of nothing is false."""
    assert not BUNDLED.diff(Catalogue.bundled())
    assert not listed().diff(listed())
    assert listed({"id": "a"}).diff(listed())
    assert listed().diff(listed({"id": "a"}))


def test_a_difference_names_fields_and_capabilities_only() -> None:
    """Every name of a change is one that a requirement can speak of, whatever odd value there was."""
    odd = listed({"id": "m", "lifecycle": 1, "line": ["opus"], "max_tokens": "64k", "channel": [1]})
    plain = listed(
        {"id": "m", "lifecycle": "active", "line": "opus", "max_tokens": 64_000, "channel": "beta"}
    )
    assert [change.name for change in odd.diff(plain).changed] == [
        "channel",
        "lifecycle",
        "line",
        "max_tokens",
    ]
    assert [change.before for change in odd.diff(plain).changed] == [None] * 4


def test_what_documentation_adds_is_a_difference() -> None:
    """Documented and corrected values count as the model's own."""
    entry = {"id": "claude-sonnet-4-5-20250929", "max_input_tokens": 1_000_000}
    changed = {
        change.name: (change.before, change.after)
        for change in listed(entry).diff(Catalogue.from_listing([entry])).changed
    }
    assert changed["max_input_tokens"] == (1_000_000, 200_000)
    assert changed["access"] == (None, "general")
    assert changed["traits.prefill"] == (None, True)


def test_a_scheduled_retirement_is_a_difference() -> None:
    """A date that is set, moved or lifted is a change of `retires_at`, named once."""
    unscheduled = listed({"id": "m", "retires_at": None})
    scheduled = listed({"id": "m", "retires_at": "2026-11-30T00:00:00Z"})
    moved = listed({"id": "m", "retires_at": "2026-12-31T00:00:00Z"})
    for before, after in ((unscheduled, scheduled), (scheduled, moved), (moved, unscheduled)):
        assert [change.name for change in before.diff(after).changed] == ["retires_at"]
