"""Decision: why this model, why not the others, what is nearest, and how a person reads it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from small_catalogues import BUNDLED, newest_first, supporting

from router.catalogue._catalogue import Catalogue
from router.catalogue._explanation import Reason
from router.requirements._parser import require

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FOUND = """\
claude-fable-5-2: newest of 12 candidates for \
effort >= high and max_input_tokens >= 200k and pdf_input and thinking.adaptive
then claude-haiku-5-5, claude-sonnet-5-5, claude-opus-5-5, claude-fable-5-1, claude-opus-5 and 6 more
  effort >= high: met by 16 of 33, unknown for 15
  max_input_tokens >= 200k: met by 30 of 33, unknown for 3
  pdf_input: met by 19 of 33, unknown for 14
  thinking.adaptive: met by 16 of 33, unknown for 14
  maybe lifecycle == active: met by 17 of 33 [default filter]
  maybe access != limited: met by 29 of 33 [default filter]"""
ONLY_ONE = """\
claude-sonnet-4-5-20250929: newest, the only candidate for age >= 1d and lifecycle == deprecated and retires_in < 10d
  age >= 1d: met by 29 of 33, unknown for 4
  lifecycle == deprecated: met by 2 of 33
  retires_in < 10d: met by 15 of 33, unknown for 1
  maybe access != limited: met by 29 of 33 [default filter]"""
MISSED = """\
no model satisfies effort.max and line == haiku and price.output <= 0.3
  no model satisfies: price.output <= 0.3
  nearest:
    claude-haiku-5-5 lacks price.output <= 0.3 (is 0.5)"""
MISSED_BY_DOCUMENTED_FACTS = """\
no model satisfies effort.xhigh and traits.prefill
  each term is met by some model, but no model satisfies them all
  nearest:
    claude-fable-5-2 lacks traits.prefill (unknown)
    claude-haiku-5-5 lacks traits.prefill (unsupported)
    claude-sonnet-5-5 lacks traits.prefill (unsupported)
note: claude-haiku-5-5 is excluded only by documented facts, which the API does not state: traits.prefill
note: claude-sonnet-5-5 is excluded only by documented facts, which the API does not state: traits.prefill
note: claude-opus-5-5 is excluded only by documented facts, which the API does not state: traits.prefill"""
MISSED_BY_A_CORRECTION = """\
no model satisfies lifecycle == deprecated and line == sonnet and max_input_tokens >= 500k
  each term is met by some model, but no model satisfies them all
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
            "no model satisfies not pdf_input and pdf_input\n  no model ever can: its terms contradict each other",
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
    assert str(decision) == "no model satisfies pdf_input\n  the catalogue is empty"
    assert (decision.model, decision.reason, decision.candidates, decision.nearest) == (
        None,
        Reason.NO_MATCH,
        (),
        (),
    )
    assert dict(decision.rejected) == {}


def nearest(catalogue: Catalogue, text: str) -> dict[str, list[str]]:
    """Return the nearest models, each with the terms that it lacks."""
    decision = catalogue.explain(text, now=NOW)
    assert decision.model is None
    return {
        model.id: [str(unmet.term) for unmet in decision.unmet(model)] for model in decision.nearest
    }


def test_an_explanation_stays_short() -> None:
    """Many terms, models and candidates are counted and not listed."""
    names = [f"c{n}" for n in range(30)]
    everything = supporting(**dict.fromkeys(names, True))
    catalogue = newest_first(*({"id": f"m{n}", **everything} for n in range(9)))
    found = str(catalogue.explain(" and ".join(names)))
    assert "then m1, m2, m3, m4, m5 and 3 more\n" in found
    assert found.count("met by") == 20
    assert found.endswith("\n  and 12 more terms")
    missed = str(catalogue.explain(" and ".join(f"not {name}" for name in names)))
    assert missed.count("\n  no model satisfies: ") == 3
    assert "\n  nor 27 more terms\n" in missed
    assert missed.count(" lacks ") == 3
    assert missed.endswith(
        "m2 lacks not c0 (unsupported); not c1 (unsupported); not c10 (unsupported) and 27 more terms"
    )
    long = str(catalogue.explain(require(line="x" * 1_000)))
    assert f"no model satisfies line == {'x' * 392}... (1 terms)\n" in long


def test_an_explanation_prints_nothing_raw() -> None:
    """S8: values that a server sent are escaped, wherever they stand."""
    hostile = "\x1b]0;owned\x07"
    catalogue = newest_first(
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
    """The message about a text that no model has lists the values that may have been meant."""
    assert hint in f"{Catalogue.bundled().explain(text)}\n"
