"""The laws: what must hold of every catalogue and every requirement."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from datetime import datetime
from itertools import combinations, product
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from sizes import at_length, examples
from strategies import (
    LIFTING,
    LITERALS,
    NOW,
    TEXTS,
    Entry,
    Said,
    Support,
    catalogue_of,
    date_of,
    entries,
    listings,
    requirements,
    said,
    texts,
)

from router._errors import (
    MalformedEntryError,
    RequirementError,
    RequirementSyntaxError,
    RouterError,
    printable,
)
from router.catalogue._catalogue import Catalogue
from router.catalogue._terms import Term
from router.models._index import Masks
from router.models._model import Model
from router.models._vocabulary import CAPABILITIES, FIELDS
from router.requirements._expression import Requirement, conjunction, disjunction, possibility
from router.requirements._literals import Comparison
from router.requirements._parser import parse, require

Value = TypeVar("Value")

SUPPORTS: tuple[Support, ...] = (True, None, False)


def pickled(value: Value) -> Value:
    """Return what comes back from a pickle of the value."""
    again: Value = pickle.loads(pickle.dumps(value))  # noqa: S301 - pickled on this very line
    return again


def definition(requirement: Requirement, catalogue: Catalogue) -> Masks:
    """Return the rows known to meet the requirement and those known not to, by a scan with `support`."""
    yes = no = 0
    for row, model in enumerate(reversed(catalogue.models)):
        support = requirement.support(model, now=NOW)
        yes |= (support is True) << row
        no |= (support is False) << row
    return yes, no


@settings(max_examples=examples(1_250))
@given(listings(), st.lists(requirements(), min_size=8, max_size=8))
def test_the_bitsets_answer_as_the_definition_does(
    listing: list[Entry], several: list[Requirement]
) -> None:
    """Known yes and known no of the bitsets are just where `support` is true and false: 10,000 pairs with `--full`."""
    catalogue = catalogue_of(listing)
    for requirement in several:
        assert requirement.masks(catalogue.index, NOW) == definition(requirement, catalogue)


@pytest.mark.long
@pytest.mark.timeout(7200)
@settings(max_examples=100_000)
@given(listings(), st.lists(requirements(), min_size=1, max_size=4))
def test_the_bitsets_answer_as_the_definition_does_at_length(
    listing: list[Entry], several: list[Requirement]
) -> None:
    """The same, of 100,000 catalogues with some requirements each."""
    catalogue = catalogue_of(listing)
    for requirement in several:
        assert requirement.masks(catalogue.index, NOW) == definition(requirement, catalogue)


@settings(max_examples=examples(600))
@given(st.lists(entries(), min_size=1, max_size=3), st.lists(said(), min_size=4, max_size=4))
def test_a_text_means_what_the_design_says(some: list[Entry], needs: list[Said]) -> None:
    """What a requirement says of a model is what its text says of the raw entry, read by the design alone."""
    models = [(Model.from_api(entry), entry) for entry in some]
    for need in needs:
        requirement = parse(need.text)
        for model, entry in models:
            assert requirement.support(model, now=NOW) is need.truth(entry, NOW)


CAPABILITIES_ALONE = tuple(need for need in LITERALS if need.text in {"pdf_input", "nova"})
"""What the bitsets hold, and nothing is compared for."""


@pytest.mark.parametrize(
    ("size", "catalogues"),
    [
        (0, 2),
        (1, 20),
        (63, 20),
        (64, 20),
        (65, 20),
        (4096, 1),
        at_length(4097, 2),
        at_length(20_000, 2),
    ],
)
def test_the_bitsets_answer_as_the_design_says_at_any_size(size: int, catalogues: int) -> None:
    """S13: where the rows fill a word, or hundreds of them, the candidates are those of a scan of raw entries."""

    @settings(max_examples=catalogues, phases=[Phase.generate])
    @given(
        st.lists(entries(), min_size=24, max_size=24),
        st.lists(said((*LITERALS, *LIFTING)), min_size=2, max_size=2),
    )
    def check(some: list[Entry], needs: list[Said]) -> None:
        listing = [{**some[at * 7 % 24], "id": f"m{at:05}"} for at in range(size)]
        catalogue = catalogue_of(listing)
        for need in (*needs, *CAPABILITIES_ALONE):
            met = [
                entry
                for entry in listing
                if need.truth(entry, NOW) is True and admitted(entry, need.text)
            ]
            candidates = catalogue.candidates(need.text, now=NOW)
            assert [model.id for model in candidates] == [
                entry["id"] for entry in newest_first(met)
            ]
            assert catalogue.select(need.text, default=None, now=NOW) is (
                candidates[0] if candidates else None
            )

    check()


SINGLE = [(need, parse(need.text)) for need in (*LITERALS, *LIFTING)]


@settings(max_examples=examples(400))
@given(entries())
def test_every_literal_means_what_the_design_says(entry: Entry) -> None:
    """Each operator on each kind of field says of an entry what the design says."""
    model = Model.from_api(entry)
    for need, requirement in SINGLE:
        assert requirement.support(model, now=NOW) is need.truth(entry, NOW), need.text


def newest_first(listing: list[Entry]) -> list[Entry]:
    """Return the entries in the order of the design: latest first, unknown dates last, ties by the smaller id."""
    by_id = sorted(listing, key=lambda entry: str(entry["id"]))
    dated = [entry for entry in by_id if date_of(entry.get("created_at"))]
    undated = [entry for entry in by_id if not date_of(entry.get("created_at"))]
    return (
        sorted(dated, key=lambda entry: date_of(entry["created_at"]) or NOW, reverse=True) + undated
    )


def admitted(entry: Entry, text: str) -> bool:
    """Return whether the default filters that `text` leaves standing admit the entry."""
    return ("lifecycle" in text or entry.get("lifecycle") in (None, "active")) and (
        "access" in text or entry.get("access") != "limited"
    )


@settings(max_examples=examples(800))
@given(listings(), said((*LITERALS, *LIFTING * 4)))
def test_the_answer_is_the_newest_of_those_known_to_meet_the_need(
    listing: list[Entry], need: Said
) -> None:
    """`select` is the first of `candidates`: the models that the need and the default filters admit, newest first."""
    catalogue = catalogue_of(listing)
    expected = [
        entry["id"]
        for entry in newest_first(listing)
        if need.truth(entry, NOW) is True and admitted(entry, need.text)
    ]
    candidates = catalogue.candidates(need.text, now=NOW)
    assert [model.id for model in candidates] == expected
    assert catalogue.select(need.text, default=None, now=NOW) is (
        candidates[0] if candidates else None
    )
    assert all(model in catalogue.models for model in candidates)


@settings(max_examples=examples(300))
@given(listings(), requirements(max_leaves=4), st.integers(0, 4))
def test_a_limit_cuts_the_end_off(
    listing: list[Entry], requirement: Requirement, limit: int
) -> None:
    """`limit` keeps the best candidates and their order."""
    catalogue = catalogue_of(listing)
    all_of_them = catalogue.candidates(requirement, now=NOW)
    assert catalogue.candidates(requirement, now=NOW, limit=limit) == all_of_them[:limit]


@settings(max_examples=examples(300))
@given(listings(), requirements())
def test_a_filter_has_no_default_filters(listing: list[Entry], requirement: Requirement) -> None:
    """`where` keeps every model that matches, of whatever lifecycle and access."""
    catalogue = catalogue_of(listing)
    assert catalogue.where(requirement, now=NOW) == tuple(
        m for m in catalogue if requirement.matches(m, now=NOW)
    )


@settings(max_examples=examples(300))
@given(listings(), requirements(max_leaves=4), requirements(max_leaves=4))
def test_adding_a_term_only_narrows(
    listing: list[Entry], one: Requirement, other: Requirement
) -> None:
    """What meets both is what meets the one and the other; what meets either is what meets the one or the other."""
    catalogue = catalogue_of(listing)
    meets_one, meets_other = (set(catalogue.where(each, now=NOW)) for each in (one, other))
    assert set(catalogue.where(one & other, now=NOW)) == meets_one & meets_other
    assert set(catalogue.where(one | other, now=NOW)) == meets_one | meets_other


@settings(max_examples=examples(200))
@given(
    listings().flatmap(lambda listing: st.tuples(st.just(listing), st.permutations(listing))),
    requirements(max_leaves=4),
)
def test_the_order_of_the_listing_changes_nothing(
    both: tuple[list[Entry], list[Entry]], requirement: Requirement
) -> None:
    """S6: a permuted listing has the same order, the same digest and the same answers."""
    catalogue, permuted = map(catalogue_of, both)
    assert [model.id for model in permuted] == [model.id for model in catalogue]
    assert permuted.digest == catalogue.digest
    assert permuted.candidates(requirement, now=NOW) == catalogue.candidates(requirement, now=NOW)
    assert str(permuted.explain(requirement, now=NOW)) == str(
        catalogue.explain(requirement, now=NOW)
    )
    assert not catalogue.diff(permuted)


def lookalike(value: Any) -> Any:
    """Return another JSON value that Python takes for an equal one, if there is any."""
    if isinstance(value, dict):
        return {key: lookalike(each) for key, each in value.items()}
    if isinstance(value, list):
        return [lookalike(each) for each in value]
    return int(value) if isinstance(value, bool) else value


@settings(max_examples=examples(300))
@given(entries(), st.booleans())
def test_entries_of_one_id_are_the_same_json_or_malformed(entry: Entry, turned: bool) -> None:
    """An entry repeated to the letter is one model; one that differs is malformed, in whatever order they come."""
    assert len(catalogue_of([entry, json.loads(json.dumps(entry))])) == 1
    other = lookalike(entry)
    same = json.dumps(other, sort_keys=True) == json.dumps(entry, sort_keys=True)
    read = outcome(catalogue_of, [other, entry] if turned else [entry, other])
    assert isinstance(read, Catalogue if same else MalformedEntryError)


@settings(max_examples=examples(300))
@given(listings(), listings())
def test_a_digest_tells_listings_apart(one: list[Entry], other: list[Entry]) -> None:
    """Two catalogues have one digest just where their listings are the same JSON, orders apart."""
    same = sorted(json.dumps(each, sort_keys=True) for each in one) == sorted(
        json.dumps(each, sort_keys=True) for each in other
    )
    assert (catalogue_of(one).digest == catalogue_of(other).digest) is same


@settings(max_examples=examples(200))
@given(listings(), listings())
def test_a_difference_reads_the_same_both_ways(one: list[Entry], other: list[Entry]) -> None:
    """What is added in one direction is removed in the other, and every change is turned round."""
    here, there = catalogue_of(one), catalogue_of(other)
    forth, back = here.diff(there), there.diff(here)
    assert (forth.added, forth.removed) == (back.removed, back.added)
    assert sorted(
        (c.model_id, c.name, repr(c.before), repr(c.after)) for c in forth.changed
    ) == sorted((c.model_id, c.name, repr(c.after), repr(c.before)) for c in back.changed)


@settings(max_examples=examples(400))
@given(listings(), requirements(max_leaves=5))
def test_an_explanation_accounts_for_every_model(
    listing: list[Entry], requirement: Requirement
) -> None:
    """A decision names the candidates, and for each other model just the terms it does not meet, with their support."""
    catalogue = catalogue_of(listing)
    decision = catalogue.explain(requirement, now=NOW)
    candidates = catalogue.candidates(requirement, now=NOW)
    assert decision.model is (candidates[0] if candidates else None)
    assert decision.candidates == candidates
    expected = {}
    for model in catalogue:
        supports = {term: support_of(term, model) for term in decision.terms}
        unmet = [(term, support) for term, support in supports.items() if support is not True]
        if unmet:
            expected[model] = unmet
    assert {
        model: [(each.term, each.support) for each in unmet]
        for model, unmet in decision.rejected.items()
    } == expected
    assert [*decision.rejected] == [*expected]
    assert str(decision)


def support_of(term: Term, model: Model) -> bool | None:
    """Return what a model makes of a term: a default filter also keeps out a lifecycle that is stated as no text."""
    odd = not isinstance(model.entry.get("lifecycle"), str | None)
    if term.implicit and odd and "lifecycle" in term.requirement.fields:
        return False
    return term.requirement.support(model, now=NOW)


def smallest_relaxation(catalogue: Catalogue, requirement: Requirement) -> tuple[Model, ...]:
    """Return what is found by trying to drop one term, then two, and so on, asking anew each time."""
    terms = requirement.terms
    for kept in range(len(terms) - 1, -1, -1):
        found = {
            model
            for some in combinations(terms, kept)
            for model in catalogue.candidates(conjunction(some), now=NOW)
        }
        if found:
            return tuple(model for model in catalogue if model in found)
    return ()


def is_named(requirement: Requirement, model: Model) -> bool:
    """Return whether a model has every id that the requirement asks for."""
    asked = [term for term in requirement.terms if isinstance(term, Comparison)]
    return all(
        term.matches(model, now=NOW)
        for term in asked
        if term.field == "id" and term.op in {"==", "in"}
    )


def conjunctions() -> st.SearchStrategy[Requirement]:
    """Return conjunctions of several terms, often of fields that have a default filter."""
    term = requirements((*TEXTS, *[each.text for each in LIFTING] * 4), max_leaves=2)
    return st.lists(term, min_size=1, max_size=4).map(conjunction)


@settings(max_examples=examples(500))
@given(listings(), conjunctions(), st.sampled_from(("static", "live")))
def test_nearest_is_the_smallest_relaxation(
    listing: list[Entry], requirement: Requirement, source: str
) -> None:
    """The nearest models need the fewest terms dropped, and pass the default filters that come back."""
    catalogue = catalogue_of(listing, source)
    decision = catalogue.explain(requirement, now=NOW)
    relaxed = () if decision.model else smallest_relaxation(catalogue, requirement)
    named = [model for model in relaxed if is_named(requirement, model)]
    assert decision.nearest == (*named, *(model for model in relaxed if model not in named))
    for model in decision.nearest:
        rest = [
            term
            for term in requirement.terms
            if term not in {each.term.requirement for each in decision.unmet(model)}
        ]
        assert model in catalogue.candidates(conjunction(rest), now=NOW)


@settings(max_examples=examples(400))
@given(requirements(), requirements(), requirements())
def test_the_algebra_is_canonical(a: Requirement, b: Requirement, c: Requirement) -> None:
    """Order, grouping, repetition and double negation leave an equal requirement, and De Morgan's laws hold."""
    assert ~~a == a
    assert ~(a & b) == ~a | ~b
    assert ~(a | b) == ~a & ~b
    assert a & b == b & a
    assert a | b == b | a
    assert (a & b) & c == a & (b & c)
    assert (a | b) | c == a | (b | c)
    assert a & a == a == a | a
    assert possibility(possibility(a)) == possibility(a)
    assert possibility(a & b) == possibility(a) & possibility(b)
    assert possibility(a | b) == possibility(a) | possibility(b)
    assert conjunction((a, b, c)) == a & b & c
    assert disjunction((a, b, c)) == a | b | c
    assert hash(~~a) == hash(a)


@settings(max_examples=examples(400))
@given(
    st.lists(entries(), min_size=1, max_size=3),
    requirements(max_leaves=4),
    requirements(max_leaves=4),
)
def test_support_follows_kleene(some: list[Entry], a: Requirement, b: Requirement) -> None:
    """The support of what is combined follows from the supports of its parts, by Kleene's tables."""
    for model in map(Model.from_api, some):
        one, other = a.support(model, now=NOW), b.support(model, now=NOW)
        assert (~a).support(model, now=NOW) is NOT[one]
        assert (a & b).support(model, now=NOW) is AND[one, other]
        assert (a | b).support(model, now=NOW) is OR[one, other]
        assert possibility(a).support(model, now=NOW) is MAYBE[one]
        assert a.matches(model, now=NOW) is (one is True)


@settings(max_examples=examples(300))
@given(entries(), texts())
def test_a_text_and_its_negation_are_complementary(entry: Entry, text: str) -> None:
    """`not (...)` says the opposite where the text says anything, and nothing where it says nothing."""
    model = Model.from_api(entry)
    support = parse(text).support(model, now=NOW)
    assert parse(f"not ({text})").support(model, now=NOW) is NOT[support]
    assert parse(f"maybe ({text})").support(model, now=NOW) is (support is not False)


NOT: dict[Support, Support] = {True: False, None: None, False: True}
MAYBE: dict[Support, Support] = {True: True, None: True, False: False}
AND: dict[tuple[Support, Support], Support] = {
    (True, True): True,
    (True, None): None,
    (True, False): False,
    (None, True): None,
    (None, None): None,
    (None, False): False,
    (False, True): False,
    (False, None): False,
    (False, False): False,
}
OR: dict[tuple[Support, Support], Support] = {
    (True, True): True,
    (True, None): True,
    (True, False): True,
    (None, True): True,
    (None, None): None,
    (None, False): None,
    (False, True): True,
    (False, None): None,
    (False, False): False,
}
STATED = {True: "citations", None: "batch", False: "pdf_input"}
ONE_OF_EACH: Entry = {
    "id": "one-of-each",
    "capabilities": {
        "citations": {"supported": True},
        "pdf_input": {"supported": False},
        "image_input": {"supported": True},
        "code_execution": {"supported": False},
    },
}
STATED_AGAIN = {True: "image_input", None: "compaction", False: "code_execution"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((STATED[one], one) for one in SUPPORTS),
        *((f"not {STATED[one]}", NOT[one]) for one in SUPPORTS),
        *((f"maybe {STATED[one]}", MAYBE[one]) for one in SUPPORTS),
        *((f"not maybe {STATED[one]}", NOT[MAYBE[one]]) for one in SUPPORTS),
        *((f"maybe not {STATED[one]}", MAYBE[NOT[one]]) for one in SUPPORTS),
        *(
            (f"{STATED[a]} and {STATED_AGAIN[b]}", AND[a, b])
            for a, b in product(SUPPORTS, repeat=2)
        ),
        *((f"{STATED[a]} or {STATED_AGAIN[b]}", OR[a, b]) for a, b in product(SUPPORTS, repeat=2)),
    ],
)
def test_kleenes_tables(text: str, expected: Support) -> None:
    """`not`, `maybe`, `and` and `or` follow Kleene's tables, in the definition and in the bitsets."""
    requirement = parse(text)
    catalogue = Catalogue.from_listing([ONE_OF_EACH], documented=None)
    assert requirement.support(catalogue["one-of-each"]) is expected
    assert requirement.masks(catalogue.index, NOW) == (
        int(expected is True),
        int(expected is False),
    )


@settings(max_examples=examples(600))
@given(requirements())
def test_text_goes_round(requirement: Requirement) -> None:
    """The canonical text parses back to an equal requirement, and is its own canonical text."""
    again = parse(str(requirement))
    assert again == requirement
    assert str(again) == str(requirement)
    assert type(again) is type(requirement)
    assert repr(requirement) == f"require({str(requirement)!r})"


@settings(max_examples=examples(300))
@given(said((*LITERALS, *LIFTING)), entries())
def test_the_canonical_text_means_the_same(need: Said, entry: Entry) -> None:
    """A text and its canonical form say the same of every model."""
    model = Model.from_api(entry)
    requirement = parse(need.text)
    assert parse(str(requirement)).support(model, now=NOW) is requirement.support(model, now=NOW)


@settings(max_examples=examples(300))
@given(st.from_regex(r"[0-9]{1,30}(\.[0-9]{1,30})?[kKM]?", fullmatch=True))
@example("99999999999999991611392.5")
@example("0.000000000000000000000000000001")
def test_every_number_goes_round(number: str) -> None:
    """A number that can be written is written so that it reads as the same number."""
    requirement = parse(f"price.input >= {number}")
    assert parse(str(requirement)) == requirement
    assert str(parse(str(requirement))) == str(requirement)


@settings(max_examples=examples(300))
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - the zone follows
def test_every_date_goes_round(moment: datetime, minutes: int) -> None:
    """A date that can be written is written so that it reads as the same moment, whatever its zone."""
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    text = f'created_at >= "{moment.isoformat()}{zone}"'
    requirement = parse(text)
    assert parse(str(requirement)) == requirement
    assert str(parse(str(requirement))) == str(requirement)
    dated = Model.from_api({"id": "a", "created_at": f"{moment.isoformat()}{zone}"})
    assert requirement.support(dated) is (None if dated.created_at is None else True)


@settings(max_examples=examples(300))
@given(st.text())
@example("true")
@example("and")
@example("200k")
def test_every_text_value_goes_round(value: str) -> None:
    """Whatever a text value holds, its canonical spelling reads as the same value."""
    requirement = require(display_name=value)
    assert parse(str(requirement)) == requirement
    named = Model.from_api({"id": "a", "display_name": value})
    assert parse(str(requirement)).support(named) is True
    assert parse(str(~requirement)).support(named) is False


@settings(max_examples=examples(300))
@given(st.text(), st.booleans())
@example(value="it's", escapes_double=False)
@example(value="\\'\"", escapes_double=True)
@example(value="\\\\", escapes_double=False)
def test_single_quotes_say_the_same_as_double_quotes(value: str, escapes_double: bool) -> None:
    """A string in single quotes has JSON's escapes and one for its own quote; the canonical text has double quotes."""
    body = json.dumps(value)[1:-1].replace("'", r"\'")
    if not escapes_double:
        body = re.sub(r'\\(["\\])', lambda each: '"' if each[1] == '"' else each[0], body)
    single = parse(f"display_name == '{body}'")
    assert single == parse(f"display_name == {json.dumps(value)}") == require(display_name=value)
    assert str(single) == str(require(display_name=value))


@given(st.integers(0, 10**6), st.sampled_from(("max_tokens >=", "price.input <", "max_tokens in")))
def test_both_spellings_of_a_thousand_are_the_same(number: int, compared: str) -> None:
    """`K` is `k`, which the canonical text has."""
    texts = [
        f"{compared} ({number}{each}, 1)" if "in" in compared[-2:] else f"{compared} {number}{each}"
        for each in "kK"
    ]
    small, capital = map(parse, texts)
    assert small == capital
    assert "K" not in str(capital)


TOKENS = (
    *(
        "and",
        "or",
        "not",
        "maybe",
        "in",
        "like",
        "has",
        "true",
        "(",
        ")",
        ",",
        "==",
        "!=",
        "<",
        ">=",
        '"',
        '"a"',
        "'a'",
    ),
    *(
        "pdf_input",
        "effort",
        "high",
        "line",
        "opus",
        "max_tokens",
        "200k",
        "200K",
        "age",
        "14d",
        "created_at",
        "2026-01-01",
    ),
    *("\\", "=", "&", "'", "\u00a0", "\x1f", "\n", "é", "\x1b", "AND", "1", "-", ".", "\u2028"),
)


@settings(max_examples=examples(800))
@given(st.one_of(st.lists(st.sampled_from(TOKENS), max_size=9).map(" ".join), st.text(max_size=12)))
@example("pdf_input\u00a0")
def test_any_text_parses_or_says_where_it_does_not(text: str) -> None:
    """Text is a requirement that goes round, or an error with a caret under its column and nothing raw in it."""
    read = outcome(parse, text)
    if isinstance(read, Requirement):
        assert parse(str(read)) == read
        return
    assert isinstance(read, RequirementSyntaxError)
    assert read.text == text
    assert 0 <= read.column <= len(text)
    *_, shown, caret = str(read).split("\n")
    assert caret.strip() == "^"
    assert shown[caret.index("^") :].startswith(printable(text[read.column : read.column + 1]))
    assert all(line.isprintable() for line in str(read).split("\n"))


def outcome(ask: Callable[[Any], Value], asked: Any) -> Value | RouterError:
    """Return what is answered, or the library's own error."""
    try:
        return ask(asked)
    except RouterError as error:
        return error


NEEDS = st.one_of(
    st.booleans(),
    st.sampled_from(
        ("adaptive", "high", "opus", "200k", "200K", "2026-01-01", "14d", "", "a b", "-1", "1e5")
    ),
    st.text(max_size=3),
    st.integers(),
    st.floats(),
    st.lists(st.sampled_from(("opus", "adaptive", "a b", "")), max_size=3),
    st.none(),
)


@settings(max_examples=examples(500))
@given(
    st.dictionaries(
        st.one_of(
            st.sampled_from(
                (
                    "pdf_input",
                    "thinking",
                    "effort",
                    "line",
                    "min_input_tokens",
                    "max_tokens",
                    "created_at",
                )
            ),
            st.sampled_from(
                (
                    "allowed_fallback_models",
                    "age",
                    "true",
                    "in",
                    "maybe",
                    "has",
                    "like",
                    "not",
                    "now",
                )
            ),
            st.text(max_size=3),
        ),
        NEEDS,
        max_size=3,
    )
)
@example({"maybe": True})
@example({"true": True})
@example({"min_input_tokens": 10**4300})
def test_any_keywords_are_a_requirement_or_an_error(needs: dict[str, Any]) -> None:
    """Keywords make a requirement whose text goes round, or raise `RequirementError`."""
    made = outcome(lambda several: require(**several), needs)
    if isinstance(made, Requirement):
        again = parse(str(made))
        assert again == made
        assert type(again) is type(made)
    else:
        assert isinstance(made, RequirementError)


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=4),
        st.sampled_from(("active", "2026-01-01T00:00:00Z", "claude-opus-5-5", "\ud800")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(
                    (
                        *sorted(FIELDS),
                        "capabilities",
                        "supported",
                        "types",
                        "traits",
                        "price",
                        "effort",
                    )
                ),
                st.text(max_size=3),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=examples(500))
@given(JSON, st.booleans())
def test_any_json_is_a_model_or_a_malformed_entry(entry: Any, identified: bool) -> None:
    """Whatever an entry holds, it is read, answers and has a digest, or is refused with the path to what is wrong."""
    if identified and isinstance(entry, dict):
        entry = {**entry, "id": "a"}
    catalogue = outcome(catalogue_of, [entry])
    if not isinstance(catalogue, Catalogue):
        assert isinstance(catalogue, MalformedEntryError)
        assert catalogue.path.startswith("data[0]")
        assert str(catalogue).isprintable()
        return
    model = catalogue[entry["id"]]
    assert len(catalogue.digest) == 64
    assert set(map(type, model.facts.values())) <= {bool}
    assert all(model.support(name) in {True, False, None} for name in CAPABILITIES)
    assert str(catalogue.explain("pdf_input and max_tokens >= 1 and age >= 1d", now=NOW))


UNIVERSE: list[Entry] = [
    {
        "id": f"m{at}",
        "capabilities": {
            "pdf_input": {"supported": pdf_input},
            "effort": {
                "low": {"supported": low},
                "max": {"supported": top},
                "xhigh": {"supported": low},
            },
        },
        **({} if limit is None else {"max_tokens": limit}),
        **({} if created is None else {"created_at": created}),
        **({} if line is None else {"line": line}),
        **({} if retires == "absent" else {"retires_at": retires}),
    }
    for at, (pdf_input, low, top, limit, created, line, retires) in enumerate(
        product(
            SUPPORTS,
            SUPPORTS,
            SUPPORTS,
            (None, 1, 2, 3),
            (None, "2026-11-20T00:00:00Z", "2026-11-20T12:00:00Z", "2026-11-21T00:00:00Z"),
            (None, "a", "b"),
            ("absent", None, "2026-11-23T00:00:00Z"),
        )
    )
]
"""Every model there is in a small world: each name has each value that it can have there, in every combination."""

SMALL_TALK: tuple[tuple[str, ...], ...] = (
    (
        *("pdf_input", "effort.low", "effort.max", "true"),
        *(
            f"effort {op} {level}"
            for op in ("<=", ">=")
            for level in ("low", "medium", "high", "xhigh", "max")
        ),
    ),
    (
        *(f"max_tokens {op} {n}" for op in ("==", "!=", "<", "<=", ">", ">=") for n in range(5)),
        *(
            f"max_tokens {op} ({n})"
            for op in ("in", "not in")
            for n in ("1, 2", "2, 3", "1, 3", "0, 4")
        ),
    ),
    (
        *(
            f"created_at {op} {day}"
            for op in ("==", "!=", "<", "<=", ">", ">=")
            for day in ("2026-11-19", "2026-11-20", "2026-11-20T12:00:00Z", "2026-11-21")
        ),
        *(f"created_at {op} (2026-11-20, 2026-11-22)" for op in ("in", "not in")),
        *(f"age {op} {n}d" for op in ("<", "<=", ">", ">=") for n in range(4)),
    ),
    (
        *(f"retires_in {op} {n}d" for op in ("<", "<=", ">", ">=") for n in range(3)),
        *(f"retires_at {op} 2026-11-23" for op in ("==", "!=", "<", "<=", ">", ">=")),
    ),
    (
        *(f"line {op} {line}" for op in ("==", "!=") for line in ("a", "b", "c")),
        *(
            "line in (a, b)",
            "line not in (a, b)",
            "line in (b, c)",
            'line like "?"',
            'line like "b*"',
        ),
    ),
)
"""What can be said in the small world, by what it is of: contradictions come of saying much of little."""


@st.composite
def small_talk(draw: st.DrawFn) -> str:
    """Draw a conjunction of literals of one or two subjects, now and then with a group of alternatives."""
    subjects = draw(st.lists(st.sampled_from(SMALL_TALK), min_size=1, max_size=2))
    literals = st.sampled_from([literal for subject in subjects for literal in subject])
    before = st.sampled_from(("", "", "", "not ", "maybe ", "not maybe ", "maybe not "))
    terms = [
        f"{one}{other}"
        for one, other in draw(st.lists(st.tuples(before, literals), min_size=1, max_size=6))
    ]
    either = draw(st.lists(literals, max_size=3))
    return " and ".join([*terms, f"({' or '.join(either)})"] if either else terms)


@pytest.fixture(scope="module")
def small_world() -> Catalogue:
    """Return the catalogue of the small world."""
    return Catalogue.from_listing(UNIVERSE, documented=None)


@settings(max_examples=examples(1_000))
@given(text=small_talk())
def test_what_is_unsatisfiable_is_met_by_no_model(small_world: Catalogue, text: str) -> None:
    """Where `is_unsatisfiable` claims a proof, no model of a whole small world is known to meet the requirement."""
    requirement = parse(text)
    if requirement.is_unsatisfiable():
        assert small_world.where(requirement, now=NOW) == ()


@settings(max_examples=examples(300))
@given(listings(max_size=4), requirements())
def test_what_any_model_meets_is_not_unsatisfiable(
    listing: list[Entry], requirement: Requirement
) -> None:
    """No proof is claimed against a requirement that some model is known to meet."""
    if catalogue_of(listing).where(requirement, now=NOW):
        assert not requirement.is_unsatisfiable()


@settings(max_examples=examples(200))
@given(listings(max_size=3), requirements())
def test_values_pickle(listing: list[Entry], requirement: Requirement) -> None:
    """Requirements, models, catalogues and differences come back from a pickle equal, with the same answers."""
    again = pickled(requirement)
    assert again == requirement
    assert str(again) == str(requirement)
    catalogue = catalogue_of(listing)
    restore_catalogue = pickled(catalogue)
    assert restore_catalogue.models == catalogue.models
    assert (restore_catalogue.digest, restore_catalogue.source, restore_catalogue.as_of) == (
        catalogue.digest,
        catalogue.source,
        catalogue.as_of,
    )
    assert restore_catalogue.candidates(again, now=NOW) == catalogue.candidates(
        requirement, now=NOW
    )
    difference = catalogue.diff(catalogue_of([]))
    assert pickled(difference) == difference
