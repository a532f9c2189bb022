"""Locks: policies, catalogues and the captures of two months, for the tests of `router.locking`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from locations import DATA
from strategies import NAMES, NOW, Entry, listings, policies

from router import Catalogue, Lock, Policy
from router.locking._resolution import resolve

JULY = datetime(2026, 7, 1, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 8, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
SOURCES = ("live", "disk", "bundled", "file", "static")
DAYS = (None, NOW - timedelta(days=1), NOW)
MODEL: Entry = {
    "id": "claude-one",
    "created_at": "2026-06-01T00:00:00Z",
    "lifecycle": "active",
    "line": "opus",
    "capabilities": {"pdf_input": {"supported": True}, "citations": {"supported": True}},
}
NEWER: Entry = {**MODEL, "id": "claude-two", "created_at": "2026-11-01T00:00:00Z"}
READS_PDF = {"reports": Policy(require="pdf_input")}


def live(*entries: Entry, as_of: datetime | None = NOW, source: str = "live") -> Catalogue:
    """Return a catalogue as the API gave it that day."""
    return Catalogue.from_listing(entries, source=source, as_of=as_of, documented=None).with_names(
        NAMES
    )


def locked(policies: dict[str, Policy], catalogue: Catalogue, **arguments: Any) -> Lock:
    """Return the lock of policies that can all be met."""
    found = resolve(policies, catalogue, **arguments)
    assert not found.unmet
    return found.lock


def texts(problems: Sequence[object]) -> list[str]:
    """Return problems as they are printed."""
    return [str(each) for each in problems]


named_policies = st.dictionaries(
    st.sampled_from(["alpha", "beta", "gamma"]), policies(), max_size=3
)


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Draw a catalogue of any source and day."""
    source, as_of = draw(st.sampled_from(SOURCES)), draw(st.sampled_from(DAYS))
    return live(*draw(listings()), as_of=as_of, source=source)


@st.composite
def resolved(draw: st.DrawFn) -> tuple[dict[str, Policy], Catalogue, Lock]:
    """Draw a lock with what it was made of; a policy that nothing meets is left out."""
    asked, catalogue = draw(named_policies), draw(catalogues())
    unmet = resolve(asked, catalogue, now=NOW).unmet
    asked = {name: each for name, each in asked.items() if name not in unmet}
    return asked, catalogue, locked(asked, catalogue, now=NOW)


CAPTURES: dict[str, Any] = json.loads((DATA / "captures.json").read_text(encoding="utf-8"))
BUNDLED = Catalogue.bundled(documented=None)
STAGES = ("lifecycle", "deprecated_at", "retires_at")
RETIRED_SINCE = "claude-opus-4-1-20250805"
IN_JULY: list[Entry] = [
    *(
        {"id": id, **entry, "created_at": BUNDLED[id].entry["created_at"]}
        for id, entry in CAPTURES["capability_trees"].items()
    ),
    {name: BUNDLED[RETIRED_SINCE].entry[name] for name in ("id", "display_name", "created_at")},
]
"""The trees captured in July, without the stages that the API was to state in October, and a model on its last days."""
IN_OCTOBER: list[Entry] = [
    *CAPTURES["trimmed"],
    *(
        {**entry, **{name: BUNDLED[entry["id"]].entry[name] for name in STAGES}}
        for entry in IN_JULY
        if entry["id"] != RETIRED_SINCE
    ),
]
"""The same models in October: one is newer, one is deprecated, and the list leaves out what is retired."""
POLICIES = {
    "agents": Policy(require="thinking.adaptive and effort.xhigh", minimum_age="1d"),
    "classic": Policy(
        require="thinking.enabled and not thinking.adaptive", prefer=["max_input_tokens >= 1M"]
    ),
    "legacy": Policy(require='id like "claude-opus-4-1*"'),
}


def of_july() -> Catalogue:
    """Return the catalogue of July."""
    return live(*IN_JULY, as_of=JULY)


def of_october(*more: Entry) -> Catalogue:
    """Return the catalogue of October."""
    return live(*IN_OCTOBER, *more, as_of=OCTOBER)


def golden(name: str) -> str:
    """Return the text of a lock on file."""
    return (DATA / "locks" / name).read_text(encoding="utf-8")
