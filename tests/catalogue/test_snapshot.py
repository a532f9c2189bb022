"""Snapshot: models in their order, and which of them meet a requirement."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any

import pytest
from small_catalogues import BUNDLED, ids, listed, supporting

from router import Router, StaticSource
from router._errors import (
    ConfigurationError,
    RequirementError,
    UnknownModelError,
    UnknownNameError,
)
from router.catalogue._catalogue import Catalogue
from router.models._vocabulary import Names
from router.requirements._parser import parse

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ORDERED = [
    {"id": "newest", "created_at": "2026-09-28T00:00:00.000001Z"},
    {"id": "A-tie", "created_at": "2026-09-28T00:00:00Z"},
    {"id": "a-tie", "created_at": "2026-09-28T14:00:00+14:00"},
    {"id": "b-tie", "created_at": "2026-09-27T19:00:00-05:00"},
    {"id": "old", "created_at": "1970-01-02T00:00:00Z"},
    {"id": "undated-a", "created_at": "1970-01-01T00:00:00Z"},
    {"id": "undated-b"},
]


def test_newest_first() -> None:
    """S6: latest date first, ties by the smaller id, unknown dates last: whatever the order of the listing."""
    expected = [entry["id"] for entry in ORDERED]
    for order in permutations(ORDERED):
        assert ids(listed(*order).models) == expected


@pytest.mark.parametrize(
    "lifecycle",
    [
        "deprecated",
        "retired",
        "Active",
        "ACTIVE",
        "zombie",
        "",
        1,
        True,
        ["active"],
        {"state": "active"},
    ],
    ids=repr,
)
def test_only_what_is_active_or_not_stated_is_selected(lifecycle: object) -> None:
    """S4: a stated lifecycle other than `active` excludes a model, unless the requirement mentions it."""
    catalogue = listed({"id": "m", "lifecycle": lifecycle})
    assert catalogue.candidates() == ()
    assert catalogue.select(default=None) is None
    assert catalogue.explain().model is None
    assert ids(catalogue.candidates("maybe lifecycle == whatever or true")) == ["m"]


@pytest.mark.parametrize("entry", [{}, {"lifecycle": None}, {"lifecycle": "active"}], ids=repr)
def test_an_answer_without_lifecycle_is_selectable(entry: dict[str, Any]) -> None:
    """S4: older answers have no such field, and null states nothing."""
    assert ids(listed({"id": "m", **entry}).candidates()) == ["m"]


def test_a_past_retirement_is_overdue_and_not_gone() -> None:
    """Lifecycle is the signal of retirement; a date alone keeps no model out."""
    catalogue = listed({"id": "m", "lifecycle": "active", "retires_at": "2020-01-01T00:00:00Z"})
    assert catalogue.select(now=NOW).id == "m"
    deprecated = listed(
        {"id": "m", "lifecycle": "deprecated", "retires_at": "2020-01-01T00:00:00Z"}
    )
    assert deprecated.select("lifecycle == deprecated", now=NOW).id == "m"


@pytest.mark.parametrize(
    ("access", "selectable"),
    [("limited", False), ("general", True), (None, True), ("Limited", True), (5, True)],
)
def test_limited_access_keeps_a_model_out(access: object, selectable: bool) -> None:
    """A model of limited access, as its entry states, is selected only when asked for."""
    catalogue = listed({"id": "m", "access": access})
    assert bool(catalogue.candidates()) is selectable
    assert ids(catalogue.candidates("maybe access != nobody")) == ["m"]


def test_a_live_answer_lists_only_what_the_key_may_call() -> None:
    """In a live answer, fresh or from disk, limited access is no reason to leave a model out."""
    entry = {"id": "claude-mythos-5"}
    for source, expected in (
        ("live", True),
        ("disk", True),
        ("bundled", False),
        ("file", False),
        ("static", False),
    ):
        catalogue = Catalogue.from_listing([entry], source=source)
        assert catalogue["claude-mythos-5"].access == "limited"
        assert bool(catalogue.candidates()) is expected
        assert (catalogue.select(default=None) is not None) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", ["active"]),
        ("lifecycle == retired", ["retired"]),
        ("not lifecycle == active", ["retired"]),
        ("maybe lifecycle != deprecated", ["active", "retired"]),
        ("lifecycle == deprecated or pdf_input", ["active", "retired"]),
        ("lifecycle == retired and access == limited", ["limited-and-retired"]),
        ("access == limited", ["limited"]),
        ("maybe access == limited", ["active", "limited"]),
        (
            "maybe access == limited and maybe lifecycle == retired",
            ["limited", "limited-and-retired", "retired"],
        ),
        ("deprecated_at < 2030-01-01 or pdf_input", ["active"]),
    ],
)
def test_a_default_filter_falls_away_when_its_field_is_spoken_of(
    text: str, expected: list[str]
) -> None:
    """Anywhere in the requirement, each default filter for its own field alone."""
    catalogue = listed(
        {"id": "active", "lifecycle": "active", **supporting(pdf_input=True)},
        {"id": "retired", "lifecycle": "retired", **supporting(pdf_input=True)},
        {"id": "limited", "access": "limited", **supporting(pdf_input=True)},
        {
            "id": "limited-and-retired",
            "access": "limited",
            "lifecycle": "retired",
            **supporting(pdf_input=True),
        },
    )
    assert ids(catalogue.candidates(text)) == expected


def test_filters_matches_and_gates_have_no_default_filters() -> None:
    """`where`, `supports` and `matches` answer of any model, retired or limited."""
    catalogue = listed(
        {"id": "m", "lifecycle": "retired", "access": "limited", **supporting(pdf_input=True)}
    )
    assert (
        ids(catalogue.where("pdf_input"))
        == ids(catalogue.where(pdf_input=True))
        == ids(catalogue.where())
        == ["m"]
    )
    assert catalogue.supports("m", "pdf_input")
    assert parse("pdf_input").matches(catalogue["m"])
    assert catalogue.candidates("pdf_input") == ()


def test_limit_keeps_the_best() -> None:
    """`limit` is how many candidates at most, from the newest on; none at all is allowed, fewer is a mistake."""
    assert ids(BUNDLED.candidates("line == opus", limit=2, now=NOW)) == [
        "claude-opus-5-5",
        "claude-opus-5",
    ]
    assert BUNDLED.candidates(limit=0) == ()
    assert len(BUNDLED.candidates(limit=99)) == len(BUNDLED.candidates()) == 14
    with pytest.raises(RequirementError, match=r"limit must be a number of at least 0 \(got -1\)"):
        BUNDLED.candidates(limit=-1)


def test_supports_is_known_support_only() -> None:
    """Unknown is `False`; `explain` and `support` tell it from unsupported."""
    assert BUNDLED.supports("claude-opus-5-5", "effort.max")
    assert BUNDLED.supports("claude-opus-5-5", effort="max", min_input_tokens="1M")
    assert not BUNDLED.supports("claude-haiku-4-5-20251001", "effort.max")
    assert not BUNDLED.supports("claude-mythos-preview", "effort.max")
    assert BUNDLED["claude-haiku-4-5-20251001"].support("effort.max") is False
    assert BUNDLED["claude-mythos-preview"].support("effort.max") is None
    assert BUNDLED.supports("claude-opus-5-5", "age >= 14d", now=NOW)
    assert not BUNDLED.supports("claude-opus-5-5", "age >= 14d", now=NOW - timedelta(days=60))


def test_supports_checks_names_and_ids() -> None:
    """A typo in the requirement or in the id is an error, never a quiet `False`."""
    with pytest.raises(UnknownNameError, match="pdf_input"):
        BUNDLED.supports("claude-opus-5-5", "pdf_imput")
    with pytest.raises(
        UnknownModelError, match=r"unknown model 'claude-opus-55'; did you mean claude-opus-5"
    ):
        BUNDLED.supports("claude-opus-55", "pdf_input")


def test_a_catalogue_is_a_collection_of_models() -> None:
    """Length, iteration newest first, look-up and membership are Python's own."""
    assert len(BUNDLED) == 33
    assert tuple(BUNDLED) == BUNDLED.models
    assert next(iter(BUNDLED)).id == "claude-fable-5-2"
    assert BUNDLED["claude-opus-5-5"].display_name == "Claude Opus 5.5"
    assert "claude-opus-5-5" in BUNDLED
    assert "gpt-5" not in BUNDLED
    assert 5 not in BUNDLED


def test_aliases_resolve_to_a_listed_id() -> None:
    """S10: `[]`, `in` and `supports` take a documented alias; what they give is the listed model."""
    assert BUNDLED["claude-haiku-4-5"] is BUNDLED["claude-haiku-4-5-20251001"]
    assert "claude-haiku-4-5" in BUNDLED
    assert BUNDLED.supports("claude-haiku-4-5", "thinking.enabled")
    assert all(model.id != "claude-haiku-4-5" for model in BUNDLED)
    bare = Catalogue.bundled(documented=None)
    assert "claude-haiku-4-5" not in bare
    with pytest.raises(UnknownModelError):
        bare["claude-haiku-4-5"]


@pytest.mark.parametrize("id", [None, "", 5, []], ids=str)
def test_what_cannot_be_an_id(id: Any) -> None:
    """Nothing but a string can be an id: a look-up says so, and does not call it unknown."""
    for ask in (
        lambda: BUNDLED[id],
        lambda: BUNDLED.supports(id, "pdf_input"),
        lambda: Router(StaticSource(BUNDLED)).supports(id, "pdf_input"),
    ):
        with pytest.raises(
            ConfigurationError,
            match=r"^the id of a model must be a string that is not empty \(got ",
        ):
            ask()


def test_an_id_goes_before_an_alias_and_the_newest_before_the_older() -> None:
    """A listed id is itself, though another model claims it; of two that claim one alias, the newest has it."""
    catalogue = listed(
        {"id": "a", "created_at": "2026-01-01T00:00:00Z", "aliases": ["latest", "b"]},
        {"id": "b", "created_at": "2025-01-01T00:00:00Z", "aliases": ["latest"]},
    )
    assert catalogue["b"].id == "b"
    assert catalogue["latest"].id == "a"
    assert "latest" in catalogue
    assert len(catalogue) == 2


def test_an_unknown_model_names_the_nearest() -> None:
    """The error of a look-up suggests listed ids and aliases."""
    with pytest.raises(UnknownModelError) as raised:
        BUNDLED["claude-haiku-4.5"]
    assert raised.value.model_id == "claude-haiku-4.5"
    assert "claude-haiku-4-5" in raised.value.nearest


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("claude-opus-5-5", "id == claude-opus-5-5"),
        ("claude-haiku-4-5 and pdf_input", "id == claude-haiku-4-5-20251001"),
        ("opus or haiku", "line == haiku"),
        ("haiku >= 4", "line == haiku"),
        ("context_window >= 1M", "max_input_tokens"),
        ("supports_vision", "image_input"),
        ("CLAUDE-OPUS-5-5", "id == claude-opus-5-5"),
        ("claude-opus-5-5x", "id == claude-opus-5-5"),
        ("Opus", "line == opus"),
        ("min_context >= 200k", "max_input_tokens"),
        ("min_output_tokens >= 64k", "max_tokens"),
        ("PDF_INPUT", "pdf_input"),
    ],
)
def test_what_is_no_name_but_means_something(text: str, meant: str) -> None:
    """The error about a model, a line or another catalogue's name says what to write."""
    with pytest.raises(UnknownNameError) as raised:
        BUNDLED.select(text)

    assert raised.value.nearest[0] == meant
    assert BUNDLED.where(meant if " " in meant or meant.endswith("input") else f"{meant} >= 1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cheapest", "unknown name 'cheapest'; did you mean order = \"cheapest\" of a policy?"),
        (
            "largest_context and pdf_input",
            "unknown name 'largest_context'; did you mean order = \"largest_context\" of a policy?",
        ),
        (
            "minimum_age >= 14d",
            "unknown name 'minimum_age'; did you mean minimum_age of a policy?",
        ),
        ("price", "unknown name 'price'; did you mean price.input or price.output?"),
        ("price <= 5", "unknown name 'price'; did you mean price.input or price.output?"),
        ("streaming", "unknown name 'streaming'; no model states it"),
        ("tools", "unknown name 'tools'; no model states it"),
        (
            "supports_function_calling",
            "unknown name 'supports_function_calling'; no model states it",
        ),
        ("audio_input", "unknown name 'audio_input'; no model states it"),
    ],
)
def test_what_a_catalogue_cannot_be_asked(text: str, problem: str) -> None:
    """What belongs to a policy, stands for two fields or is stated nowhere is told as that."""
    with pytest.raises(UnknownNameError) as raised:
        BUNDLED.select(text)
    assert str(raised.value) == problem


@pytest.mark.parametrize("text", ["opus", "Opus", "OPUS"])
def test_a_line_is_no_model(text: str) -> None:
    """The error about a line in place of an id says how to select, and lists its newest models."""
    with pytest.raises(UnknownModelError) as raised:
        BUNDLED[text]
    assert raised.value.line == "opus"
    assert raised.value.nearest == tuple(model.id for model in BUNDLED.where("line == opus")[:3])
    assert str(raised.value) == (
        f"unknown model {text!r}: select with line == opus, or give an id such as claude-opus-5-5"
    )


@pytest.mark.parametrize("text", ["CLAUDE-OPUS-5", "Claude-Opus-5"])
def test_case_does_not_hide_a_model(text: str) -> None:
    """An id in another case is unknown, and the one that it is in lower case is suggested alone."""
    with pytest.raises(UnknownModelError, match=r"; did you mean claude-opus-5\?$"):
        BUNDLED[text]


@pytest.mark.parametrize("ask", ["select", "candidates", "where", "explain"])
def test_names_are_checked_when_a_requirement_meets_a_catalogue(ask: str) -> None:
    """S3: a name that neither the vocabulary nor the catalogue knows raises with the nearest ones, each time."""
    question = getattr(BUNDLED, ask)
    for _ in range(2):
        with pytest.raises(UnknownNameError) as raised:
            question("pdf_imput or true")
        assert (raised.value.name, raised.value.nearest) == ("pdf_imput", ("pdf_input",))
        with pytest.raises(UnknownNameError, match="unknown name 'lin'; did you mean line"):
            question("lin == opus")
        with pytest.raises(
            UnknownNameError, match=r"'thinking\.adaptve'; did you mean thinking\.adaptive\?"
        ):
            question(thinking="adaptve")


def test_what_the_vocabulary_knows_is_unknown_and_no_error() -> None:
    """A known name that this catalogue lacks is unknown for all of its models."""
    catalogue = listed({"id": "m"})
    assert catalogue.candidates("pdf_input") == catalogue.candidates("not pdf_input") == ()
    assert ids(catalogue.candidates("maybe pdf_input and maybe price.input < 1")) == ["m"]


def test_what_a_listing_names_is_known() -> None:
    """A capability or field that any entry carries can be asked for at once, even one that is null everywhere."""
    catalogue = listed(
        {"id": "a", "channel": None, **supporting(nova=None)}, {"id": "b", "channel": "beta"}
    )
    assert catalogue.candidates("nova") == ()
    assert ids(catalogue.candidates("channel == beta")) == ["b"]
    assert ids(catalogue.candidates("maybe nova and maybe channel == stable")) == ["a"]


def test_a_field_is_no_capability() -> None:
    """Asking for a field as if it were a capability, or the reverse, says what to write instead."""
    catalogue = listed({"id": "m", "channel": "beta", **supporting(nova=True)})
    with pytest.raises(
        RequirementError, match="'channel' is a field, not a capability: compare it"
    ):
        catalogue.select("channel")
    with pytest.raises(
        RequirementError, match=r"'channel\.beta' is a field, not a capability: compare it"
    ):
        catalogue.select(channel="beta")
    with pytest.raises(
        RequirementError, match="'nova' is a capability: write 'nova' or 'not nova'"
    ):
        catalogue.select("nova == true")


def test_no_stream_of_questions_grows_the_memory() -> None:
    """However many different questions are asked, a bounded number of answers is kept."""
    catalogue = listed(
        {"id": "m", "max_tokens": 5_000} | {f"x{number}": 1 for number in range(3_000)}
    )
    for bound in range(6_000):
        assert bool(catalogue.select(f"max_tokens >= {bound + 4_000}", default=None)) is (
            bound <= 1_000
        )
    assert len(catalogue.answers) <= 1_024
    assert len(catalogue._masks) <= 4_096
    for number in range(3_000):
        catalogue.select(parse(f"max_tokens >= 1 or maybe x{number} == 1"), default=None)
    assert len(catalogue._default_rows) <= 1_024


def test_the_digest_is_that_of_the_entries() -> None:
    """The sha256 of the canonical JSON of the entries, sorted by id, before documented facts."""
    day = "2026-01-01T00:00:00Z"
    entries: list[dict[str, Any]] = [
        {"id": "b", "created_at": day, "line": "é"},
        {"id": "a", "created_at": None, "x": [1, 2.5, True]},
    ]
    text = f'[{{"created_at":null,"id":"a","x":[1,2.5,true]}},{{"created_at":"{day}","id":"b","line":"\\u00e9"}}]'
    assert listed(*entries).digest == sha256(text.encode()).hexdigest()
    assert listed(*reversed(entries)).digest == listed(*entries).digest
    assert (
        Catalogue.from_listing(entries, source="live", as_of=NOW).digest == listed(*entries).digest
    )


def test_the_digest_is_before_documented_facts() -> None:
    """What is documented, and corrected, leaves the digest as it is; what the API says does not."""
    assert Catalogue.bundled(documented=None).digest == BUNDLED.digest
    entry = {"id": "claude-opus-5", "line": "opus"}
    assert Catalogue.from_listing([entry]).digest == listed(entry).digest
    for other in ({**entry, "line": "sonnet"}, {**entry, "new": None}, {"id": "claude-opus-5"}):
        assert listed(other).digest != listed(entry).digest
    assert listed({"id": "a", "x": 1}).digest != listed({"id": "a", "x": True}).digest


def test_a_catalogue_does_not_follow_its_listing() -> None:
    """A catalogue is a snapshot: what later happens to the entries changes neither its answers nor its digest."""
    entry = {"id": "m", **supporting(pdf_input=True)}
    digest = listed(json.loads(json.dumps(entry))).digest
    catalogue = listed(entry)
    entry["capabilities"]["pdf_input"]["supported"] = False
    entry["line"] = "opus"
    assert catalogue.supports("m", "pdf_input")
    assert catalogue["m"].line is None
    assert catalogue.digest == digest


def test_a_catalogue_pickles_whole() -> None:
    """Models, source, moment, names and answers come back from a pickle."""
    catalogue = Catalogue.from_listing(
        [{"id": "claude-haiku-4-5-20251001"}], source="live", as_of=NOW
    )
    catalogue = catalogue.with_names(Names({"nova"}))
    again: Catalogue = pickle.loads(pickle.dumps(catalogue))  # noqa: S301 - pickled on this very line
    assert (again.source, again.as_of, again.digest) == ("live", NOW, catalogue.digest)
    assert again.models == catalogue.models
    assert again["claude-haiku-4-5"].id == "claude-haiku-4-5-20251001"
    assert again.candidates("nova") == ()


def test_a_default_filter_is_the_requirement_that_it_reads_as() -> None:
    """A default filter taken out of a decision answers as its text does; what keeps odd values out stands beside it."""
    catalogue = listed(
        {"id": "a", "lifecycle": 5},
        {"id": "b", "lifecycle": "active"},
        {"id": "c", "lifecycle": "retired"},
    )
    (default_filter,) = [
        each.requirement
        for each in catalogue.explain("true").terms
        if "lifecycle" in each.requirement.fields
    ]
    assert default_filter == parse("maybe lifecycle == active")
    for _ in range(2):
        assert catalogue.select().id == "b"
        assert (
            catalogue.select(default_filter).id
            == catalogue.select("maybe lifecycle == active").id
            == "a"
        )
    assert [catalogue.passes(default_filter, catalogue[id]) for id in "abc"] == [False, True, False]
    assert catalogue.explain("true").rejected.keys() == {catalogue["a"], catalogue["c"]}


@pytest.mark.parametrize("limit", [-1, "3", 2.5])
def test_a_limit_is_a_number(limit: Any) -> None:
    """Anything else is refused, whatever there is to list."""
    with pytest.raises(RequirementError, match="limit must be a number of at least 0"):
        BUNDLED.candidates(limit=limit)


def test_a_model_is_in_its_catalogue() -> None:
    """A model is in a catalogue that lists it or an equal one; one that differs is not."""
    catalogue = listed({"id": "m", "max_tokens": 1})

    assert all(model in catalogue for model in catalogue)
    assert listed({"id": "m", "max_tokens": 1}).models[0] in catalogue
    assert listed({"id": "m", "max_tokens": 2}).models[0] not in catalogue
    assert listed({"id": "n"}).models[0] not in catalogue
    assert "m" in catalogue
    assert 1 not in catalogue


def test_a_model_or_a_default() -> None:
    """`get` finds a model by its id or a documented alias, and returns `None` or the default for any other."""
    assert BUNDLED.get("claude-opus-5") is BUNDLED["claude-opus-5"]
    assert BUNDLED.get("claude-haiku-4-5") is BUNDLED["claude-haiku-4-5"]
    assert BUNDLED.get("nova") is None
    assert BUNDLED.get("nova", 7) == 7
