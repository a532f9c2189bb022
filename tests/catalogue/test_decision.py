"""Decision: why this model, why not the others, what is nearest, and how a person reads it."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision, Reason
from router.catalogue._explanation import NoModelError
from router.catalogue._terms import Term, Unmet, unmet_terms
from router.requirements._parser import parse, require

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BUNDLED = Catalogue.bundled()


def listed(*entries: dict[str, Any], source: str = "static") -> Catalogue:
    """Return a catalogue of entries, the first the newest, without documented facts."""
    dated = [
        {"created_at": f"{2025 - at}-01-01T00:00:00Z", **entry} for at, entry in enumerate(entries)
    ]
    return Catalogue.from_listing(dated, documented=None, source=source)


def supporting(**capabilities: bool) -> dict[str, Any]:
    """Return the capability tree that states these and no others."""
    return {
        "capabilities": {name: {"supported": supported} for name, supported in capabilities.items()}
    }


FOUND = """\
claude-fable-5-2: newest of 12 candidates for \
effort >= high and max_input_tokens >= 200k and pdf_input and thinking.adaptive
then claude-haiku-5-5, claude-sonnet-5-5, claude-opus-5-5, claude-fable-5-1, claude-opus-5 and 6 more
  effort >= high: met by 16 of 33, unknown for 15
  max_input_tokens >= 200k: met by 30 of 33, unknown for 3
  pdf_input: met by 19 of 33, unknown for 14
  thinking.adaptive: met by 16 of 33, unknown for 14
  maybe lifecycle == active: met by 17 of 33 [guard-rail]
  maybe access != limited: met by 29 of 33 [guard-rail]"""

ONLY_ONE = """\
claude-sonnet-4-5-20250929: newest, the only candidate for age >= 1d and lifecycle == deprecated and retires_in < 10d
  age >= 1d: met by 29 of 33, unknown for 4
  lifecycle == deprecated: met by 2 of 33
  retires_in < 10d: met by 15 of 33, unknown for 1
  maybe access != limited: met by 29 of 33 [guard-rail]"""

MISSED = """\
no model meets effort.max and line == haiku and price.output <= 0.3
  nobody meets: price.output <= 0.3
  nearest:
    claude-haiku-5-5 lacks price.output <= 0.3 (is 0.5)"""

MISSED_BY_DOCUMENTED_FACTS = """\
no model meets effort.xhigh and traits.prefill
  each term is met by some model, but no model meets them all
  nearest:
    claude-fable-5-2 lacks traits.prefill (unknown)
    claude-haiku-5-5 lacks traits.prefill (unsupported)
    claude-sonnet-5-5 lacks traits.prefill (unsupported)
note: claude-haiku-5-5 is out for documented facts alone, not stated by the API: traits.prefill
note: claude-sonnet-5-5 is out for documented facts alone, not stated by the API: traits.prefill
note: claude-opus-5-5 is out for documented facts alone, not stated by the API: traits.prefill"""

MISSED_BY_A_CORRECTION = """\
no model meets lifecycle == deprecated and line == sonnet and max_input_tokens >= 500k
  each term is met by some model, but no model meets them all
  nearest:
    claude-sonnet-5-5 lacks lifecycle == deprecated (is active)
    claude-sonnet-5 lacks lifecycle == deprecated (is active)
    claude-sonnet-4-6 lacks lifecycle == deprecated (is active)
note: claude-sonnet-4-5-20250929 has max_input_tokens 200k, not the 1M that the API reports: \
The API still reports the window of the 1M-token beta, which ended on 2026-04-30; \
the documentation gives 200,000 tokens."""


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ("thinking.adaptive and effort >= high and pdf_input and max_input_tokens >= 200k", FOUND),
        ("age >= 1d and retires_in < 10d and lifecycle == deprecated", ONLY_ONE),
        ("line == haiku and effort.max and price.output <= 0.3", MISSED),
        ("traits.prefill and effort.xhigh", MISSED_BY_DOCUMENTED_FACTS),
        (
            "max_input_tokens >= 500k and line == sonnet and lifecycle == deprecated",
            MISSED_BY_A_CORRECTION,
        ),
        (
            "pdf_input and not pdf_input",
            "no model meets not pdf_input and pdf_input\n  no model ever can: its terms contradict each other",
        ),
    ],
    ids=["found", "only one", "missed", "documented", "corrected", "contradiction"],
)
def test_an_explanation_as_it_is_printed(text: str, explanation: str) -> None:
    """What was asked, what was found or is missing, and why: short enough to read, exact to the letter."""
    assert str(BUNDLED.explain(text, now=NOW)) == explanation


def test_no_models_at_all_are_said_to_be_none() -> None:
    """An empty catalogue explains that it is empty, whatever was asked."""
    decision = Catalogue.from_listing([]).explain("pdf_input")
    assert str(decision) == "no model meets pdf_input\n  the catalogue is empty"
    assert (decision.model, decision.reason, decision.candidates, decision.nearest) == (
        None,
        Reason.NO_MATCH,
        (),
        (),
    )
    assert dict(decision.rejected) == {}


def test_a_decision_is_a_value() -> None:
    """A decision carries the answer and its catalogue's marks, equals another of the same answer, and cannot be set."""
    catalogue = listed({"id": "a", **supporting(pdf_input=True)}, {"id": "b"})
    decision = catalogue.explain("pdf_input", now=NOW)
    assert decision.model is catalogue["a"]
    assert decision.reason is Reason.NEWEST
    assert decision.requirement == parse("pdf_input")
    assert decision.candidates == ("a",)
    assert decision.terms == (
        Term(parse("pdf_input")),
        Term(parse("maybe lifecycle == active"), implicit=True),
        Term(parse("maybe access != limited"), implicit=True),
    )
    assert (decision.source, decision.as_of, decision.digest) == ("static", None, catalogue.digest)
    assert decision.stale is False
    assert decision == catalogue.explain("pdf_input", now=NOW)
    assert decision != catalogue.explain("not pdf_input", now=NOW)
    with pytest.raises(FrozenInstanceError):
        decision.model = None  # type: ignore[misc]


def test_a_decision_travels() -> None:
    """A decision that was pickled or copied is equal and prints the same."""
    decision = BUNDLED.explain("pdf_input and effort.max", now=NOW)
    again: Decision = pickle.loads(pickle.dumps(decision))  # noqa: S301 - pickled on this very line
    assert again == decision
    assert str(again) == str(decision)
    assert copy.deepcopy(decision) == decision


def test_each_rejected_model_has_its_unmet_terms() -> None:
    """Unsupported and unknown are told apart, the value found is kept, and guard-rails are marked implicit."""
    catalogue = listed(
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
    assert dict(decision.rejected) == {
        "retired": (Unmet(active, support=False, found="retired"),),
        "unknown": (Unmet(line, None), Unmet(tokens, None), Unmet(pdf, None)),
        "small": (Unmet(tokens, support=False, found=1_000), Unmet(pdf, support=False)),
    }
    assert [*decision.rejected] == ["retired", "unknown", "small"]
    assert decision.unmet("retired") == ()
    assert decision.unmet("small") == decision.rejected["small"]
    assert decision.unmet("good") == decision.unmet("absent") == ()


@pytest.mark.parametrize(
    ("entry", "text", "shown"),
    [
        ({}, "pdf_input", "pdf_input (unknown)"),
        (supporting(pdf_input=False), "pdf_input", "pdf_input (unsupported)"),
        (supporting(pdf_input=True), "not pdf_input", "not pdf_input (unsupported)"),
        ({"line": "opus"}, "line == haiku", "line == haiku (is opus)"),
        ({}, "line == haiku", "line == haiku (unknown)"),
        ({"line": "\x1b[31m"}, "line == haiku", "line == haiku (is \\x1b[31m)"),
        ({"max_tokens": 128_000}, "max_tokens >= 1M", "max_tokens >= 1M (is 128k)"),
        ({"price": {"input": 0.5}}, "price.input < 0.5", "price.input < 0.5 (is 0.5)"),
        (
            {"created_at": "2026-11-20T00:00:00Z"},
            "age >= 14d",
            "age >= 14d (created_at is 2026-11-20)",
        ),
        (
            {"retires_at": "2026-11-30T12:00:00Z"},
            "retires_in >= 90d",
            "retires_in >= 90d (retires_at is 2026-11-30T12:00:00Z)",
        ),
        (
            {"retires_at": None},
            "retires_in < 90d",
            "retires_in < 90d (retires_at is not scheduled)",
        ),
        (
            {"retires_at": "2026-11-30T00:00:00Z"},
            "retires_at > 2027-01-01",
            "retires_at > 2027-01-01 (is 2026-11-30)",
        ),
        (
            {"allowed_fallback_models": ["a", "\x1b"]},
            "allowed_fallback_models has b",
            "allowed_fallback_models has b (is (a, \\x1b))",
        ),
        ({"channel": True}, "channel == false", "channel == false (is True)"),
        ({"channel": True}, "channel == beta", "channel == beta (unknown)"),
        ({"line": "opus"}, "line == haiku or pdf_input", "line == haiku or pdf_input (unknown)"),
        ({"line": "opus"}, "not maybe line == opus", "not maybe line == opus (unsupported)"),
    ],
    ids=repr,
)
def test_what_is_lacking_is_named_with_what_was_found(
    entry: dict[str, Any], text: str, shown: str
) -> None:
    """A term that is not met says unknown, unsupported, or the value that the model has instead."""
    catalogue = listed({"id": "m", **entry})
    assert [str(unmet) for unmet in catalogue.explain(text, now=NOW).unmet("m")] == [shown]


def test_the_unmet_terms_of_one_model_are_asked_without_guard_rails() -> None:
    """Of a single model, retired or not, each term that it does not meet is told, with its support and value."""
    model = listed(
        {"id": "m", "lifecycle": "retired", "max_tokens": 1_000, **supporting(a=True, b=False)}
    )["m"]
    assert unmet_terms(parse("a"), model) == ()
    assert unmet_terms(parse("a and b and pdf_input and max_tokens > 1k"), model) == (
        Unmet(Term(parse("b")), support=False),
        Unmet(Term(parse("max_tokens > 1k")), support=False, found=1_000),
        Unmet(Term(parse("pdf_input")), support=None),
    )
    dated = listed({"id": "m", "created_at": "2026-11-20T00:00:00Z"})["m"]
    assert [str(unmet) for unmet in unmet_terms(parse("age >= 14d"), dated, now=NOW)] == [
        "age >= 14d (created_at is 2026-11-20)"
    ]
    assert unmet_terms(parse("age >= 14d"), dated, now=datetime(2026, 12, 22, tzinfo=UTC)) == ()


def nearest(catalogue: Catalogue, text: str) -> dict[str, list[str]]:
    """Return the nearest models, each with the terms that it lacks."""
    decision = catalogue.explain(text, now=NOW)
    assert decision.model is None
    return {id: [str(unmet.term) for unmet in decision.unmet(id)] for id in decision.nearest}


def test_the_nearest_lack_the_fewest_terms() -> None:
    """All models that lack the fewest terms are nearest, newest first."""
    catalogue = listed(
        {"id": "two", **supporting(a=True)},
        {"id": "one", **supporting(a=True, b=True)},
        {"id": "none", **supporting(a=False)},
        {"id": "another", **supporting(b=True, c=True)},
    )
    assert nearest(catalogue, "a and b and c") == {"one": ["c"], "another": ["a"]}


def test_a_model_that_only_a_guard_rail_holds_back_is_not_near() -> None:
    """Dropping terms cannot admit a model that a guard-rail rejects, however few terms it lacks."""
    catalogue = listed(
        {"id": "retired", "lifecycle": "retired", **supporting(a=True, b=True)},
        {"id": "limited", "access": "limited", **supporting(a=True)},
        {"id": "poor", **supporting(a=False, b=False)},
    )
    assert nearest(catalogue, "a and b") == {"poor": ["a", "b"]}
    assert dict(catalogue.explain("a and b").rejected)["retired"] == (
        Unmet(
            Term(parse("maybe lifecycle == active"), implicit=True), support=False, found="retired"
        ),
    )


def test_a_guard_rail_comes_back_with_the_term_that_lifted_it() -> None:
    """Where the only term of lifecycle would be dropped, its guard-rail stands again, and a retired model stays out."""
    catalogue = listed(
        {"id": "retired", "lifecycle": "retired", **supporting(a=True)},
        {"id": "active", "lifecycle": "active", **supporting(a=False)},
    )
    assert nearest(catalogue, "lifecycle == deprecated and a") == {
        "active": ["a", "lifecycle == deprecated"]
    }


def test_a_guard_rail_stays_away_while_another_term_speaks_of_its_field() -> None:
    """A retired model is near where a term that is kept speaks of lifecycle."""
    catalogue = listed(
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
    catalogue = listed({"id": "a", "lifecycle": "retired"}, {"id": "b", "lifecycle": "deprecated"})
    assert nearest(catalogue, "pdf_input") == {}
    assert nearest(catalogue, "true") == {}
    assert str(catalogue.explain("pdf_input")) == (
        "no model meets pdf_input\n  nobody meets: pdf_input\n  nobody meets: maybe lifecycle == active"
    )


def test_access_is_no_guard_rail_of_a_live_answer() -> None:
    """What a key may call is what the live answer lists, so a limited model of it is near."""
    entry = {"id": "m", "access": "limited"}
    assert nearest(listed(entry), "pdf_input") == {}
    for source in ("live", "disk"):
        assert nearest(listed(entry, source=source), "pdf_input") == {"m": ["pdf_input"]}


def test_an_explanation_stays_short() -> None:
    """Many terms, models and candidates are counted and not listed."""
    names = [f"c{n}" for n in range(30)]
    everything = supporting(**dict.fromkeys(names, True))
    catalogue = listed(*({"id": f"m{n}", **everything} for n in range(9)))
    found = str(catalogue.explain(" and ".join(names)))
    assert "then m1, m2, m3, m4, m5 and 3 more\n" in found
    assert found.count("met by") == 20
    assert found.endswith("\n  and 12 more terms")
    missed = str(catalogue.explain(" and ".join(f"not {name}" for name in names)))
    assert missed.count("nobody meets") == 3
    assert "\n  nor 27 more terms\n" in missed
    assert missed.count(" lacks ") == 3
    assert missed.endswith(
        "m2 lacks not c0 (unsupported); not c1 (unsupported); not c10 (unsupported) and 27 more terms"
    )
    long = str(catalogue.explain(require(line="x" * 1_000)))
    assert f"no model meets line == {'x' * 392}... (1 terms)\n" in long


def test_an_explanation_prints_nothing_raw() -> None:
    """S8: values that a server sent are escaped, wherever they stand."""
    hostile = "\x1b]0;owned\x07"
    catalogue = listed(
        {
            "id": "m",
            "line": hostile,
            "display_name": hostile,
            "aliases": [hostile],
            "channel": [hostile],
        }
    )
    for text in (
        "line == a",
        'display_name like "b"',
        "aliases has a",
        "channel has b",
        "channel == c",
    ):
        assert all(line.isprintable() for line in str(catalogue.explain(text)).split("\n"))


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
    decision = listed({"id": "m", "created_at": created_at}).explain(now=NOW)
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
    assert decision.candidates == ("older",)
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
    assert decision.candidates == ("claude-opus-4-5-20251101",)
    assert decision.notes == (
        "claude-haiku-5-5 is out for documented facts alone, not stated by the API: traits.prefill",
    )


def test_an_error_explains_itself_when_asked() -> None:
    """`NoModelError` is the explanation as text, carries requirement and catalogue, and survives a pickle."""
    with pytest.raises(NoModelError) as raised:
        BUNDLED.select("line == haiku and effort.max and price.output <= 0.3", now=NOW)
    error = raised.value
    assert str(error) == MISSED
    assert error.requirement == parse("line == haiku and effort.max and price.output <= 0.3")
    assert error.catalogue is BUNDLED
    assert error.now == NOW
    assert error.decision == BUNDLED.explain(error.requirement, now=NOW)
    again: NoModelError = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled on this very line
    assert str(again) == str(error)
    assert again.requirement == error.requirement
    assert again.catalogue.digest == BUNDLED.digest


def test_a_relative_requirement_is_explained_as_of_its_moment() -> None:
    """The explanation of an error is reckoned from the moment that was asked of, not from when it is read."""
    catalogue = listed({"id": "m", "created_at": "2026-11-20T00:00:00Z"})
    with pytest.raises(NoModelError) as raised:
        catalogue.select("age >= 14d", now=NOW)
    assert "m lacks age >= 14d (created_at is 2026-11-20)" in str(raised.value)
    later = catalogue.explain("age >= 14d", now=datetime(2026, 12, 22, tzinfo=UTC))
    assert later.candidates == ("m",)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("line == opsu", "line == opsu; did you mean opus?"),
        ("line in (opsu, haikku)", "line in (haikku, opsu); did you mean haiku or opus?"),
        ("line == zzz", "line == zzz\n"),
        ("line != opus and line == opus", "contradict"),
        ("max_tokens >= 900M", "max_tokens >= 900M\n"),
    ],
)
def test_a_value_that_nobody_has(text: str, hint: str) -> None:
    """A text that no model has is told with the values that may have been meant."""
    assert hint in f"{Catalogue.bundled().explain(text)}\n"
