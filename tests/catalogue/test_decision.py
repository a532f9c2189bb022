"""Decision: an answer as a value, worked out when it is read, and the error where there is none."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime

import pytest
from small_catalogues import BUNDLED, newest_first, supporting

from router import (
    Catalogue,
    Decision,
    NoModelError,
    Policy,
    Reason,
    Term,
    UnknownNameError,
)
from router.catalogue._decision import catalogue_of, changed
from router.catalogue._explanation import Explanation
from router.requirements._parser import parse

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MISSED = """\
no model satisfies effort.max and line == haiku and price.output <= 0.3
  no model satisfies: price.output <= 0.3
  nearest:
    claude-haiku-5-5 lacks price.output <= 0.3 (is 0.5)"""


def test_a_decision_is_a_value() -> None:
    """A decision carries the answer and its catalogue's marks, equals another of the same answer, and cannot be set."""
    catalogue = newest_first({"id": "a", **supporting(pdf_input=True)}, {"id": "b"})
    decision = catalogue.explain("pdf_input", now=NOW)
    assert decision.model is catalogue["a"]
    assert decision.reason is Reason.NEWEST
    assert decision.requirement == parse("pdf_input")
    assert decision.candidates == (catalogue["a"],)
    assert decision.terms == (
        Term(parse("pdf_input")),
        Term(parse("maybe lifecycle == active"), implicit=True),
        Term(parse("maybe access != limited"), implicit=True),
    )
    assert (decision.source, decision.as_of, decision.digest) == ("static", None, catalogue.digest)
    assert decision.stale is False
    assert decision == catalogue.explain("pdf_input", now=NOW)
    assert decision != catalogue.explain("not pdf_input", now=NOW)
    with pytest.raises(AttributeError):
        decision.model = None  # type: ignore[misc]


def test_a_decision_travels() -> None:
    """A decision that was pickled or copied is equal and prints the same."""
    decision = BUNDLED.explain("pdf_input and effort.max", now=NOW)
    again: Decision = pickle.loads(pickle.dumps(decision))  # noqa: S301 - pickled on this very line
    assert again == decision
    assert str(again) == str(decision)
    assert copy.deepcopy(decision) == decision


def test_an_error_explains_itself_when_asked() -> None:
    """`NoModelError` is the explanation as text, carries requirement and catalogue, and survives a pickle."""
    with pytest.raises(NoModelError) as raised:
        BUNDLED.select("line == haiku and effort.max and price.output <= 0.3", now=NOW)
    error = raised.value
    assert str(error) == MISSED
    assert error.requirement == parse("line == haiku and effort.max and price.output <= 0.3")
    assert error.now == NOW
    assert error.decision == BUNDLED.explain(error.requirement, now=NOW)
    again: NoModelError = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled on this very line
    assert str(again) == str(error)
    assert again.requirement == error.requirement
    assert again.decision == error.decision


def test_a_relative_requirement_is_explained_as_of_its_moment() -> None:
    """The explanation of an error is reckoned from the moment that was asked of, not from when it is read."""
    catalogue = newest_first({"id": "m", "created_at": "2026-11-20T00:00:00Z"})
    with pytest.raises(NoModelError) as raised:
        catalogue.select("age >= 14d", now=NOW)
    assert "m lacks age >= 14d (created_at is 2026-11-20)" in str(raised.value)
    later = catalogue.explain("age >= 14d", now=datetime(2026, 12, 22, tzinfo=UTC))
    assert later.candidates == catalogue.models


def test_a_decision_is_worked_out_when_it_is_read() -> None:
    """Making one costs nothing, and reading it twice costs once; a change waits for the reading as well."""
    explained: list[Explanation] = []

    def explain() -> Explanation:
        explained.append(first._explanation)
        return first._explanation

    first = BUNDLED.explain("pdf_input", now=NOW)
    later = changed(Decision(BUNDLED, explain), lambda each: each.noting("once"), stale=True)
    assert (later.source, later.stale, catalogue_of(later)) == ("bundled", True, BUNDLED)
    assert explained == []
    assert later.model is first.model
    assert later.notes == ("once", *first.notes)
    assert len(explained) == 1


def test_a_requirement_that_is_wrong_raises_at_once() -> None:
    """An unknown name is found at the question, not at the first read of the decision; also in `prefer`."""
    for need in ("pdf_imput", Policy(require="pdf_input", prefer=["pdf_imput"])):
        with pytest.raises(UnknownNameError):
            BUNDLED.explain(need)


def test_a_decision_is_true_if_there_is_a_model() -> None:
    """So that an application can ask it in an `if`."""
    assert BUNDLED.explain("pdf_input")
    assert not BUNDLED.explain("line == none")


@pytest.mark.parametrize("need", ["pdf_input", "line == haiku and effort.max", "not true"])
def test_a_decision_in_json(need: str) -> None:
    """`to_dict` has its attributes by their names; a model is its id, provider and key."""
    decision = BUNDLED.explain(need, now=NOW)
    plain = decision.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["model"] == (decision.model.to_reference() if decision.model else None)
    assert plain["reason"] == decision.reason.value
    assert plain["requirement"] == str(decision.requirement)
    assert plain["as_of"] == "2026-11-22T00:00:00Z"
    assert [each["key"] for each in plain["candidates"]] == [
        model.key for model in decision.candidates
    ]
    assert len(plain["rejected"]) == len(decision.rejected)
    assert all(each["unmet"] for each in plain["rejected"])
    assert len(repr(decision)) <= 300


def test_a_decision_names_a_model_by_its_key_where_its_id_is_of_several() -> None:
    """Two providers serve one id: what is printed says which one is meant."""
    entry = {"id": "llama-4", "created_at": "2026-01-01T00:00:00Z"}
    groq, azure = {**entry, "provider": "groq"}, {**entry, "provider": "azure"}
    catalogue = Catalogue.from_listing([groq, {**azure, **supporting(a=True, b=False)}])
    assert str(catalogue.explain("a")).startswith("azure:llama-4: newest, the only candidate for a")
    assert "groq:llama-4 lacks b (unknown)" in str(catalogue.explain("b"))


def test_an_error_is_of_the_moment_at_which_it_was_raised() -> None:
    """A model that becomes old enough later does not change what the error tells."""
    catalogue = newest_first({"id": "m", "created_at": "2026-11-20T00:00:00Z"})
    with pytest.raises(NoModelError) as raised:
        catalogue.select("age >= 999999d")
    error = raised.value
    assert error.now.tzinfo is UTC
    assert error.decision == catalogue.explain("age >= 999999d", now=error.now)
    assert pickle.loads(pickle.dumps(error)).now == error.now  # noqa: S301 - pickled on this very line
