"""Deciding: what the others lack, what is nearest, and what is to be noted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from small_catalogues import BUNDLED, ids, newest_first, supporting

from router import UnknownModelError
from router.catalogue._catalogue import Catalogue
from router.catalogue._terms import Term, Unmet
from router.requirements._parser import parse

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_each_rejected_model_has_its_unmet_terms() -> None:
    """Unsupported and unknown are told apart, the value found is kept, and default filters are marked implicit."""
    catalogue = newest_first(
        {
            "id": "retired",
            "lifecycle": "retired",
            "line": "opus",
            "max_tokens": 64_000,
            **supporting(pdf_input=True),
        },
        {"id": "unknown"},
        {"id": "small", "line": "opus", "max_tokens": 1_000, **supporting(pdf_input=False)},
        {"id": "good", "line": "opus", "max_tokens": 64_000, **supporting(pdf_input=True)},
    )
    decision = catalogue.explain("pdf_input and max_tokens >= 64k and line == opus", now=NOW)
    line, tokens, pdf = (
        Term(parse(text)) for text in ("line == opus", "max_tokens >= 64k", "pdf_input")
    )
    active = Term(parse("maybe lifecycle == active"), implicit=True)
    assert {model.id: unmet for model, unmet in decision.rejected.items()} == {
        "retired": (Unmet(active, support=False, found="retired"),),
        "unknown": (Unmet(line, None), Unmet(tokens, None), Unmet(pdf, None)),
        "small": (Unmet(tokens, support=False, found=1_000), Unmet(pdf, support=False)),
    }
    assert ids((*decision.rejected,)) == ["retired", "unknown", "small"]
    assert decision.unmet("retired") == ()
    assert decision.unmet("small") == decision.rejected[catalogue["small"]]
    assert decision.unmet("good") == ()
    with pytest.raises(UnknownModelError):
        decision.unmet("absent")


def nearest(catalogue: Catalogue, text: str) -> dict[str, list[str]]:
    """Return the nearest models, each with the terms that it lacks."""
    decision = catalogue.explain(text, now=NOW)
    assert decision.model is None
    return {
        model.id: [str(unmet.term) for unmet in decision.unmet(model)] for model in decision.nearest
    }


def test_the_nearest_lack_the_fewest_terms() -> None:
    """All models that lack the fewest terms are nearest, newest first."""
    catalogue = newest_first(
        {"id": "two", **supporting(a=True)},
        {"id": "one", **supporting(a=True, b=True)},
        {"id": "none", **supporting(a=False)},
        {"id": "another", **supporting(b=True, c=True)},
    )
    assert nearest(catalogue, "a and b and c") == {"one": ["c"], "another": ["a"]}


def test_a_model_that_only_a_default_filter_holds_back_is_not_near() -> None:
    """Dropping terms cannot admit a model that a default filter rejects, however few terms it lacks."""
    catalogue = newest_first(
        {"id": "retired", "lifecycle": "retired", **supporting(a=True, b=True)},
        {"id": "limited", "access": "limited", **supporting(a=True)},
        {"id": "poor", **supporting(a=False, b=False)},
    )
    assert nearest(catalogue, "a and b") == {"poor": ["a", "b"]}
    assert catalogue.explain("a and b").rejected[catalogue["retired"]] == (
        Unmet(
            Term(parse("maybe lifecycle == active"), implicit=True), support=False, found="retired"
        ),
    )


def test_a_default_filter_comes_back_with_the_term_that_lifted_it() -> None:
    """If the only term of lifecycle is dropped, its default filter applies again, and a retired model stays out."""
    catalogue = newest_first(
        {"id": "retired", "lifecycle": "retired", **supporting(a=True)},
        {"id": "active", "lifecycle": "active", **supporting(a=False)},
    )
    assert nearest(catalogue, "lifecycle == deprecated and a") == {
        "active": ["a", "lifecycle == deprecated"]
    }


def test_a_default_filter_stays_away_while_another_term_speaks_of_its_field() -> None:
    """A retired model may be nearest if a remaining term mentions its lifecycle."""
    catalogue = newest_first(
        {"id": "retired", "lifecycle": "retired", **supporting(a=False)},
        {"id": "active", "lifecycle": "active", **supporting(a=False)},
    )
    assert nearest(catalogue, "lifecycle in (retired, deprecated) and a") == {"retired": ["a"]}
    assert nearest(catalogue, "lifecycle != active and lifecycle != retired and a") == {
        "retired": ["a", "lifecycle != retired"],
        "active": ["a", "lifecycle != active"],
    }


def test_nobody_is_near_where_no_relaxation_admits_anyone() -> None:
    """A catalogue of nothing but retired models has no nearest model."""
    catalogue = newest_first(
        {"id": "a", "lifecycle": "retired"}, {"id": "b", "lifecycle": "deprecated"}
    )
    assert nearest(catalogue, "pdf_input") == {}
    assert nearest(catalogue, "true") == {}
    assert str(catalogue.explain("pdf_input")) == (
        "no model satisfies pdf_input\n  no model satisfies: pdf_input\n  no model satisfies: maybe lifecycle == active"
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("id == claude-opus-55", ["claude-opus-5-5", "claude-opus-5", "claude-fable-5-2"]),
        ("id == CLAUDE-OPUS-4-8", ["claude-opus-4-8", "claude-fable-5-2", "claude-haiku-5-5"]),
        ("id in (x, claude-sonet-5)", ["claude-sonnet-5", "claude-sonnet-5-5"]),
        ("line == opuss", ["claude-opus-5-5", "claude-opus-5", "claude-opus-4-8"]),
        ("line == opus and id == x", ["claude-opus-5-5", "claude-opus-5", "claude-opus-4-8"]),
        ("id == x", ["claude-fable-5-2", "claude-haiku-5-5", "claude-sonnet-5-5"]),
    ],
)
def test_what_is_spelt_alike_is_nearest(text: str, first: list[str]) -> None:
    """Where a string is asked for that no model has, the models with a similar one come first."""
    assert [*nearest(BUNDLED, text)][: len(first)] == first


def test_a_string_that_some_model_has_ranks_nobody() -> None:
    """Where the string is held by some model, the nearest are the newest, as for any other term."""
    text = "line == sonnet and max_input_tokens > 1M"
    assert [*nearest(BUNDLED, text)] == ids(BUNDLED.candidates("line == sonnet", now=NOW))


def test_the_model_that_is_named_is_nearest_first() -> None:
    """If a requirement names a model, the explanation says first what that model lacks."""
    pinned = nearest(BUNDLED, "id == claude-haiku-4-5-20251001 and effort.max")
    assert next(iter(pinned)) == "claude-haiku-4-5-20251001"
    assert pinned["claude-haiku-4-5-20251001"] == ["effort.max"]


def test_access_is_no_default_filter_of_a_live_answer() -> None:
    """What a key may call is what the live answer lists, so a limited model of it is near."""
    entry = {"id": "m", "access": "limited"}
    assert nearest(newest_first(entry), "pdf_input") == {}
    for source in ("live", "disk"):
        assert nearest(newest_first(entry, source=source), "pdf_input") == {"m": ["pdf_input"]}


@pytest.mark.parametrize(
    ("created_at", "note"),
    [
        (None, "m has no known release date, so it ranks after every dated model"),
        (
            "1970-01-01T00:00:00Z",
            "m has no known release date, so it ranks after every dated model",
        ),
        ("2026-11-24T00:00:01Z", "m is dated in the future: 2026-11-24T00:00:01Z"),
        ("2026-11-24T00:00:00Z", None),
        ("2026-11-22T00:00:00Z", None),
    ],
)
def test_a_doubtful_date_is_noted(created_at: str | None, note: str | None) -> None:
    """S5: an answer without a date, or dated more than 48 hours ahead, says so."""
    decision = newest_first({"id": "m", "created_at": created_at}).explain(now=NOW)
    assert decision.model is not None
    assert decision.notes == (() if note is None else (note,))
    assert str(decision).endswith(f"note: {note}") is (note is not None)


def test_a_correction_of_the_answer_is_noted() -> None:
    """An answer that a corrected limit was asked of names the correction, and one that it was not asked of does not."""
    entry = {
        "id": "claude-sonnet-4-5-20250929",
        "created_at": "2025-09-29T00:00:00Z",
        "max_input_tokens": 1_000_000,
    }
    sonnet = Catalogue.from_listing([entry])
    (note,) = sonnet.explain("max_input_tokens >= 200k").notes
    assert note.startswith(
        "claude-sonnet-4-5-20250929 has max_input_tokens 200k, not the 1M that the API reports: "
    )
    assert sonnet.explain("max_tokens < 5 or true").notes == ()


def test_a_correction_that_decided_is_noted() -> None:
    """A newer model that only its corrected limit keeps out is named, and one that lacks more is not."""
    listing: list[dict[str, Any]] = [
        {
            "id": "claude-sonnet-4-5-20250929",
            "created_at": "2026-01-02T00:00:00Z",
            "max_input_tokens": 1_000_000,
        },
        {"id": "older", "created_at": "2026-01-01T00:00:00Z", "max_input_tokens": 1_000_000},
    ]
    decision = Catalogue.from_listing(listing).explain("max_input_tokens >= 500k", now=NOW)
    assert ids(decision.candidates) == ["older"]
    assert len(decision.notes) == 1
    assert decision.notes[0].startswith("claude-sonnet-4-5-20250929 has max_input_tokens 200k")
    lacking_more = Catalogue.from_listing([{**listing[0], "lifecycle": "retired"}, listing[1]])
    assert lacking_more.explain("max_input_tokens >= 500k", now=NOW).notes == ()
    assert Catalogue.from_listing(listing).explain("max_input_tokens >= 2M", now=NOW).notes == ()


def test_a_trait_that_decided_is_noted() -> None:
    """A newer model that only a documented trait keeps out is named, and no other."""
    listing: list[dict[str, Any]] = [
        {
            "id": "claude-haiku-5-5",
            "created_at": "2026-01-03T00:00:00Z",
            **supporting(pdf_input=True),
        },
        {
            "id": "claude-opus-5-5",
            "created_at": "2026-01-02T00:00:00Z",
            **supporting(pdf_input=False),
        },
        {
            "id": "claude-fable-5-2",
            "created_at": "2026-01-01T12:00:00Z",
            **supporting(pdf_input=True),
        },
        {
            "id": "claude-opus-4-5-20251101",
            "created_at": "2026-01-01T00:00:00Z",
            **supporting(pdf_input=True),
        },
    ]
    decision = Catalogue.from_listing(listing).explain("pdf_input and traits.prefill", now=NOW)
    assert ids(decision.candidates) == ["claude-opus-4-5-20251101"]
    assert decision.notes == (
        "claude-haiku-5-5 is excluded only by documented facts, which the API does not state: traits.prefill",
    )
