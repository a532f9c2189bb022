"""Catalogue: an immutable snapshot of models, newest first, and the answers that it gives."""

from __future__ import annotations

import gc
import json
import pickle
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any

import pytest

from router import Router
from router._errors import (
    CatalogueError,
    ConfigurationError,
    MalformedEntryError,
    RequirementError,
    UnknownModelError,
    UnknownNameError,
    nearest,
)
from router.catalogue._catalogue import Catalogue
from router.catalogue._diff import CatalogueDiff, Change
from router.catalogue._explanation import NoModelError
from router.catalogue._policy import Policy, read_policy
from router.locking._checking import check
from router.locking._resolution import outdated, resolve
from router.models._entries import read_listing
from router.models._model import Model
from router.models._vocabulary import Names
from router.refresh._sources import StaticSource
from router.requests._fitting import RequestChange
from router.requirements._parser import parse, require
from router.tools._audit import Audit
from router.tools._matrix import matrix

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BUNDLED = Catalogue.bundled()


def listed(*entries: dict[str, Any], source: str = "static") -> Catalogue:
    """Return a catalogue of entries without documented facts."""
    return Catalogue.from_listing(entries, documented=None, source=source)


def ids(models: tuple[Model, ...]) -> list[str]:
    """Return the ids of models in their order."""
    return [model.id for model in models]


def supporting(**capabilities: object) -> dict[str, Any]:
    """Return the capability tree that states these and no others."""
    return {
        "capabilities": {name: {"supported": supported} for name, supported in capabilities.items()}
    }


def test_the_bundled_catalogue_needs_nothing() -> None:
    """The catalogue in the wheel answers with no key and no network, and says where it comes from."""
    assert (
        BUNDLED.select("thinking.adaptive and line in (opus, sonnet)", now=NOW).id
        == "claude-sonnet-5-5"
    )
    assert (BUNDLED.source, BUNDLED.as_of) == ("bundled", NOW)
    assert repr(BUNDLED) == "<Catalogue of 33 models, bundled as of 2026-11-22 00:00Z>"
    assert repr(listed({"id": "a"})) == "<Catalogue of 1 models, static>"


@pytest.mark.parametrize(
    ("text", "needs", "answer"),
    [
        (None, {}, "claude-fable-5-2"),
        ("true", {}, "claude-fable-5-2"),
        ("line == opus", {}, "claude-opus-5-5"),
        (None, {"line": "haiku"}, "claude-haiku-5-5"),
        ("line == haiku and thinking.enabled", {}, "claude-haiku-4-5-20251001"),
        (
            None,
            {"thinking": "adaptive", "line": ["opus", "haiku"], "min_input_tokens": "200k"},
            "claude-haiku-5-5",
        ),
        ("price.output <= 1", {"effort": "max"}, "claude-haiku-5-5"),
        ("line == opus and not effort.xhigh", {}, "claude-opus-4-6"),
        ("line == sonnet and lifecycle == deprecated", {}, "claude-sonnet-4-5-20250929"),
        ("line == opus and lifecycle in (retired, deprecated)", {}, "claude-opus-4-1-20250805"),
        ("access == limited", {}, "claude-mythos-5-2"),
        (
            "id == claude-mythos-preview and access == limited and lifecycle == deprecated",
            {},
            "claude-mythos-preview",
        ),
        ('id like "claude-*-5-1"', {}, "claude-fable-5-1"),
        ("allowed_fallback_models has claude-opus-4-8", {}, "claude-opus-5"),
        ("thinking.between_tools", {}, "claude-sonnet-5-5"),
        ("max_input_tokens < 1M", {}, "claude-opus-4-5-20251101"),
        ("age >= 60d", {}, "claude-opus-5-5"),
        ("traits.prefill and pdf_input", {}, "claude-opus-4-5-20251101"),
        ("code_execution and server_tools.web_search", {}, "claude-haiku-5-5"),
        ("maybe code_execution and line == fable", {}, "claude-fable-5-2"),
    ],
)
def test_select_answers_as_a_person_would(
    text: str | None, needs: dict[str, Any], answer: str
) -> None:
    """The newest bundled model that is known to meet the need, and is neither retired nor limited unless asked for."""
    assert BUNDLED.select(text, now=NOW, **needs).id == answer
    assert BUNDLED.select(parse(text or "true"), now=NOW, **needs).id == answer
    assert BUNDLED.explain(text, now=NOW, **needs).model is BUNDLED[answer]


def test_no_match_raises_or_gives_the_default() -> None:
    """S11: nothing is ever chosen that is not known to fit: an error, or what the caller said to return instead."""
    with pytest.raises(NoModelError):
        BUNDLED.select("max_tokens >= 10M")
    assert BUNDLED.select("max_tokens >= 10M", default=None) is None
    instead = object()
    assert BUNDLED.select("max_tokens >= 10M", default=instead) is instead
    assert BUNDLED.select("line == opus", default=None, now=NOW) is BUNDLED["claude-opus-5-5"]
    assert BUNDLED.candidates("max_tokens >= 10M") == ()


def test_an_empty_catalogue_answers_too() -> None:
    """With no models there is no answer, and every question is still understood."""
    empty = Catalogue.from_listing([])
    assert len(empty) == 0
    assert list(empty) == []
    assert empty.candidates() == empty.where() == ()
    assert empty.select("pdf_input", default=None) is None
    with pytest.raises(NoModelError, match="the catalogue is empty"):
        empty.select()
    with pytest.raises(UnknownNameError):
        empty.select("pdf_imput")
    with pytest.raises(UnknownModelError, match=r"unknown model 'claude-opus-5'$"):
        empty["claude-opus-5"]
    assert empty.digest == sha256(b"[]").hexdigest()


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


def test_a_model_without_a_date_is_the_answer_only_if_alone() -> None:
    """S5: an unknown date never goes before a known one."""
    catalogue = listed(
        {"id": "a", **supporting(x=True)}, {"id": "b", "created_at": "2020-01-01T00:00:00Z"}
    )
    assert catalogue.select().id == "b"
    assert catalogue.select("x").id == "a"


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
def test_a_guard_rail_falls_away_when_its_field_is_spoken_of(
    text: str, expected: list[str]
) -> None:
    """Anywhere in the requirement, each guard-rail for its own field alone."""
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


def test_filters_matches_and_gates_have_no_guard_rails() -> None:
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
    with pytest.raises(RequirementError, match=r"limit must be at least 0 \(got -1\)"):
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
    assert raised.value.id == "claude-haiku-4.5"
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
    ],
)
def test_what_is_no_name_but_means_something(text: str, meant: str) -> None:
    """A model, a line, or what other catalogues call a name is told with what to write."""
    with pytest.raises(UnknownNameError) as raised:
        BUNDLED.select(text)

    assert raised.value.nearest == (meant,)
    assert BUNDLED.candidates(meant if " " in meant or meant == "image_input" else f"{meant} >= 1")


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


def test_names_of_earlier_answers_stay_known() -> None:
    """`knowing` counts names as known that this listing lacks, without a change to the catalogue itself."""
    catalogue = listed({"id": "m"})
    knowing = catalogue.knowing(Names({"nova"}, {"channel"}))
    assert knowing.candidates("nova or channel == beta") == ()
    assert ids(knowing.candidates("maybe nova")) == ["m"]
    assert (knowing.source, knowing.as_of, knowing.digest) == (
        catalogue.source,
        catalogue.as_of,
        catalogue.digest,
    )
    assert knowing.knowing(Names({"nova"})) is knowing
    assert knowing.knowing(Names(fields={"other"})) is not knowing
    for question in ("nova", "channel == beta"):
        with pytest.raises(UnknownNameError):
            catalogue.select(question)


def test_now_is_an_argument_of_every_answer() -> None:
    """A question of age is answered anew at each moment, and one that is not keeps its answer."""
    catalogue = listed(
        {"id": "m", "created_at": "2026-11-08T00:00:00Z", "retires_at": "2026-12-08T00:00:00Z"}
    )
    before, after = NOW - timedelta(seconds=1), NOW
    for need in ("age >= 14d", parse("age >= 14d")):
        assert catalogue.select(need, now=before, default=None) is None
        assert catalogue.select(need, now=after).id == "m"
        assert catalogue.select(need, now=before, default=None) is None
        assert (
            ids(catalogue.candidates(need, now=after))
            == ids(catalogue.where(need, now=after))
            == ["m"]
        )
        assert catalogue.candidates(need, now=before) == catalogue.where(need, now=before) == ()
        assert catalogue.explain(need, now=after).model is catalogue["m"]
        assert catalogue.explain(need, now=before).model is None
    with pytest.raises(RequirementError, match="now must be an aware datetime"):
        catalogue.select("age >= 14d", now=NOW.replace(tzinfo=None))


def test_the_present_is_the_default_moment() -> None:
    """Without `now` a duration is reckoned from the present."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    catalogue = listed({"id": "m", "created_at": yesterday.isoformat()})
    assert catalogue.select("age >= 1d and age < 2d").id == "m"
    assert catalogue.explain("age >= 2d").model is None


@pytest.mark.parametrize(
    "requirement", [5, b"pdf_input", True, ["pdf_input"], {"pdf_input": True}], ids=repr
)
@pytest.mark.parametrize("ask", ["select", "candidates", "where", "explain"])
def test_what_is_no_requirement_is_an_error(ask: str, requirement: object) -> None:
    """Anything but a text, a requirement or nothing is refused with its type, hashable or not."""
    with pytest.raises(RequirementError, match=f"got {type(requirement).__name__}"):
        getattr(BUNDLED, ask)(requirement)


def test_a_question_and_its_repetition_agree() -> None:
    """Text, requirement and keywords that say the same have the same answer, however often and in whatever order."""
    catalogue = listed(
        {"id": "a", "created_at": "2026-01-01T00:00:00Z", **supporting(x=True, y=True)},
        {"id": "b", "created_at": "2026-01-02T00:00:00Z", **supporting(x=True, y=False)},
    )
    for _ in range(2):
        assert (
            catalogue.select("x").id
            == catalogue.select(parse("x")).id
            == catalogue.select(x=True).id
            == "b"
        )
        assert (
            catalogue.select("x and y").id
            == catalogue.select("x", y=True).id
            == catalogue.select(x=True, y=True).id
            == "a"
        )
        assert catalogue.select(parse("x") & parse("y")).id == "a"
        assert catalogue.select().id == catalogue.select(None).id == "b"
        assert catalogue.select(y=False).id == "b"
        assert catalogue.select("y").id == "a"


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
    assert len(catalogue._guards) <= 1_024


def test_equal_entries_are_one_model() -> None:
    """S10: an entry that comes twice, to the letter of its JSON, is listed once."""
    entry = {"id": "m", "created_at": "2026-01-01T00:00:00Z", **supporting(pdf_input=True)}
    again = json.loads(json.dumps(entry))
    assert len(listed(entry, {"id": "other"}, again, dict(reversed(entry.items())))) == 2
    assert listed(entry, again).digest == listed(entry).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"line": "opus"}, {"line": "sonnet"}),
        ({"line": "opus"}, {}),
        ({"line": None}, {}),
        (supporting(pdf_input=True), supporting(pdf_input=False)),
        (supporting(pdf_input=True), supporting(pdf_input=1)),
        (supporting(pdf_input=0), supporting(pdf_input=False)),
        ({"max_tokens": 1}, {"max_tokens": True}),
        ({"max_tokens": 5}, {"max_tokens": 5.0}),
    ],
    ids=repr,
)
def test_entries_of_one_id_that_differ_are_malformed(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Of two entries of one id that are not the same JSON neither can be trusted, in either order."""
    for listing in (
        [{"id": "m", **one}, {"id": "m", **other}],
        [{"id": "m", **other}, {"id": "m", **one}],
    ):
        with pytest.raises(MalformedEntryError) as raised:
            listed({"id": "a"}, *listing)
        assert raised.value.path == "data[2].id"
        assert "'m' again" in str(raised.value)


def test_two_models_of_one_id_are_no_catalogue() -> None:
    """A catalogue cannot be made of models that share an id."""
    model = Model.from_api({"id": "m"})
    with pytest.raises(CatalogueError, match="two models have one id"):
        Catalogue([model, model])


def test_the_first_malformed_entry_is_named() -> None:
    """`from_listing` refuses the whole listing, with the path to the first entry that cannot be read."""
    with pytest.raises(MalformedEntryError) as raised:
        listed({"id": "a"}, {"id": "b", "capabilities": []}, {"id": ""})
    assert raised.value.path == "data[1].capabilities"


def test_a_lenient_reader_gets_the_good_and_the_bad() -> None:
    """`read_listing` gives the models apart from what is wrong with the others, in the order of the listing."""
    models, malformed = read_listing(
        [
            {"id": "a"},
            None,
            {"id": "twice", "line": "x"},
            {"id": ""},
            {"id": "twice", "line": "y"},
            {"id": "b"},
            {"id": "twice", "line": "x"},
            {"id": "a"},
            [],
        ],
        {},
    )
    assert [model.id for model in models] == ["a", "b"]
    assert [error.path for error in malformed] == ["data[1]", "data[3].id", "data[4].id", "data[8]"]


def test_a_listing_may_be_any_iterable() -> None:
    """Entries may come from a generator, read once."""
    assert len(Catalogue.from_listing({"id": f"m{n}"} for n in range(3))) == 3


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


def lists_in_lists(depth: int) -> list[Any]:
    """Return an empty list inside of so many others."""
    inside: list[Any] = []
    for _ in range(depth):
        inside = [inside]
    return inside


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({5: 1, "a": 2}, id="a key that is a number"),
        pytest.param({"x": {5: 1, "a": 2}}, id="an inner key that is a number"),
        pytest.param({"x": 10**5_000}, id="a number of 5,001 digits"),
        pytest.param({"x": float("nan")}, id="not a number"),
        pytest.param({"x": "\ud800"}, id="a lone surrogate"),
        pytest.param({"x": {1, 2}}, id="a set"),
        pytest.param({"x": lists_in_lists(100_000)}, id="lists in lists"),
    ],
)
def test_an_odd_entry_has_a_digest_or_is_refused(odd: dict[Any, Any]) -> None:
    """A value that JSON cannot state, or not print, is refused with the entry or leaves the catalogue its digest."""
    try:
        catalogue = listed({"id": "m", **odd})
    except MalformedEntryError:
        return
    assert len(catalogue.digest) == 64


def test_deep_lists_that_come_twice_are_read_or_refused() -> None:
    """A listing of hostile depth never overflows, even where entries must be compared."""
    try:
        catalogue = listed(
            {"id": "m", "x": lists_in_lists(50_000)}, {"id": "m", "x": lists_in_lists(50_000)}
        )
    except MalformedEntryError:
        return
    assert len(catalogue) == 1


def test_endless_numbers_are_refused_or_explained() -> None:
    """A limit too long to print is larger than any bound, or malformed, and either way that can be read."""
    try:
        catalogue = listed({"id": "m", "max_tokens": 10**5_000})
    except MalformedEntryError as error:
        assert len(str(error)) < 200  # noqa: PT017 - refusing is one of two right answers
        return
    assert catalogue.select("max_tokens >= 1M").id == "m"
    assert len(str(catalogue.explain("max_tokens < 1M"))) < 1_000


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


def test_a_catalogue_pickles_whole() -> None:
    """Models, source, moment, names and answers come back from a pickle."""
    catalogue = Catalogue.from_listing(
        [{"id": "claude-haiku-4-5-20251001"}], source="live", as_of=NOW
    )
    catalogue = catalogue.knowing(Names({"nova"}))
    again: Catalogue = pickle.loads(pickle.dumps(catalogue))  # noqa: S301 - pickled on this very line
    assert (again.source, again.as_of, again.digest) == ("live", NOW, catalogue.digest)
    assert again.models == catalogue.models
    assert again["claude-haiku-4-5"].id == "claude-haiku-4-5-20251001"
    assert again.candidates("nova") == ()


@pytest.mark.parametrize("entries", [{"data": []}, "claude-opus-5", b"[]"])
def test_a_listing_is_a_list(entries: Any) -> None:
    """What is no list of entries is refused, and the error says where the list is."""
    with pytest.raises(CatalogueError, match="a list of entries was expected, as under `data`"):
        Catalogue.from_listing(entries)


def test_a_catalogue_is_warmed_by_the_last_one() -> None:
    """What was asked of one catalogue is built and answered in the next, while there is time, as if it were asked."""
    entries = [
        {"id": id, "max_tokens": tokens, **supporting(pdf_input=True)}
        for id, tokens in (("a", 5), ("b", 9))
    ]
    one, other = Catalogue.from_listing(entries[:1]), Catalogue.from_listing(entries)
    texts = ["max_tokens >= 6 or pdf_input", "pdf_input and max_tokens >= 6", "max_tokens >= 3"]
    for text in texts:
        one.select(text, default=None)

    cold = Catalogue.from_listing(entries).warmed_by(one, lambda: False)
    assert (cold.answers, cold._masks) == ({}, {})
    assert other.warmed_by(one) is other
    assert other._masks.keys() == one._masks.keys()
    assert other._guards.keys() == one._guards.keys()
    assert {text: model.id for text, model in other.answers.items()} == {
        texts[0]: "a",
        texts[2]: "a",
    }
    assert [other.select(text).id for text in texts] == ["a", "b", "a"]


def test_a_long_question_is_not_remembered() -> None:
    """What is remembered is bounded in bytes, not in number alone."""
    catalogue = listed({"id": "m", "max_tokens": 5_000})
    text = " or ".join(f"max_tokens >= {bound}" for bound in range(1, 300))
    assert catalogue.select(text).id == "m"
    assert catalogue.answers == {}


def test_an_entry_of_other_classes_is_read_as_plain_json() -> None:
    """A text or number of a subclass counts as what it is in JSON, in the tree of capabilities too."""

    class Text(str):
        __slots__ = ()

    class Number(int):
        __slots__ = ()

    tree = {Text("pdf_input"): {"supported": True, "since": Text("2026"), "of": Number(3)}}
    model = listed({"id": Text("m"), "max_tokens": Number(5), "capabilities": tree})["m"]
    assert model.support("pdf_input") is True
    assert model.entry == {"id": "m", "max_tokens": 5, "capabilities": tree}
    assert {type(model.id), type(model.entry["capabilities"]["pdf_input"]["since"])} == {str}


def test_a_guard_rail_is_the_requirement_that_it_reads_as() -> None:
    """A guard-rail taken out of a decision answers as its text does; what keeps odd values out stands beside it."""
    catalogue = listed(
        {"id": "a", "lifecycle": 5},
        {"id": "b", "lifecycle": "active"},
        {"id": "c", "lifecycle": "retired"},
    )
    (rail,) = [
        each.requirement
        for each in catalogue.explain("true").terms
        if "lifecycle" in each.requirement.fields
    ]
    assert rail == parse("maybe lifecycle == active")
    for _ in range(2):
        assert catalogue.select().id == "b"
        assert catalogue.select(rail).id == catalogue.select("maybe lifecycle == active").id == "a"
    assert [catalogue.admits(rail, catalogue[id]) for id in "abc"] == [False, True, False]
    assert catalogue.explain("true").rejected.keys() == {"a", "c"}


def test_an_error_says_what_held_when_it_was_raised() -> None:
    """A model that is too young when nothing is found is too young in the message, whenever that is read."""
    began = datetime.now(UTC)
    young = listed(
        {"id": "m", "created_at": (began - timedelta(days=14) + timedelta(hours=1)).isoformat()}
    )

    with pytest.raises(NoModelError) as raised:
        young.select("age >= 14d")
    with pytest.raises(NoModelError) as by_policy:
        young.select(Policy(require="age >= 14d"))

    for error in (raised.value, by_policy.value):
        assert error.now is not None
        assert began <= error.now <= datetime.now(UTC)
        assert error.decision.model is None


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


@pytest.mark.parametrize("now", [datetime(2026, 11, 22), "2026-11-22", 0, NOW.date()])  # noqa: DTZ001 - what is refused
def test_a_moment_is_aware(now: Any) -> None:
    """Whatever takes `now` refuses what is no aware moment, also for an answer that it remembers."""
    BUNDLED.select("pdf_input")
    router = Router(StaticSource(BUNDLED))
    router.select("pdf_input")
    lock = resolve({"reports": Policy(require="pdf_input")}, BUNDLED).lock
    policies = {"reports": Policy(require="pdf_input")}
    for ask in (
        lambda: BUNDLED.select("pdf_input", now=now),
        lambda: BUNDLED.select(Policy(require="pdf_input"), now=now),
        lambda: BUNDLED.candidates("pdf_input", now=now),
        lambda: BUNDLED.candidates(Policy(require="pdf_input"), now=now),
        lambda: BUNDLED.where("pdf_input", now=now),
        lambda: BUNDLED.supports("claude-opus-5", "pdf_input", now=now),
        lambda: BUNDLED.explain("pdf_input", now=now),
        lambda: parse("pdf_input").support(BUNDLED.models[0], now=now),
        lambda: parse("pdf_input").matches(BUNDLED.models[0], now=now),
        lambda: router.select("pdf_input", now=now),
        lambda: router.candidates("pdf_input", now=now),
        lambda: router.supports("claude-opus-5", "pdf_input", now=now),
        lambda: router.explain("pdf_input", now=now),
        lambda: router.route({"max_tokens": 5, "messages": []}, now=now),
        lambda: resolve(policies, BUNDLED, now=now),
        lambda: check(lock, policies, BUNDLED, now=now),
        lambda: outdated(lock, policies, BUNDLED, now=now),
        lambda: Audit(BUNDLED, now=now),
    ):
        with pytest.raises(RequirementError, match="now must be an aware datetime"):
            ask()


LONG = 10_000


@pytest.mark.parametrize(
    "text",
    [
        " " * LONG + "pdf_input and max_tokens >= {}",
        "x" * LONG + "{}",
        "x" * LONG + "{} == 1",
        "id == " + "x" * LONG + "{}",
        " or ".join(f"x{at}" for at in range(LONG // 8)) + " or x{}",
    ],
    ids=["blanks", "a capability", "a field", "a value", "many names"],
)
def test_long_texts_are_not_kept(text: str) -> None:
    """However long the texts are that are asked, known or not, the memory that they leave is bounded."""

    def ask(few: range) -> int:
        for at in few:
            with suppress(RequirementError, NoModelError):
                catalogue.select(text.format(at))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    catalogue = listed({"id": "m", "max_tokens": 10**6, **supporting(pdf_input=True)})
    tracemalloc.start()
    try:
        before = ask(range(2))
        assert ask(range(2, 22)) - before < LONG
    finally:
        tracemalloc.stop()


def test_the_plainest_question_is_remembered() -> None:
    """What is asked with nothing is answered from memory the next time."""
    catalogue = listed({"id": "m"})

    assert catalogue.answers == {}
    assert catalogue.answers == {None: catalogue.select()}


def test_long_names_are_cut() -> None:
    """A name far longer than any id is not searched for, and no message repeats it whole."""
    long = "x" * 10**6
    for ask in (
        lambda: BUNDLED[long],
        lambda: BUNDLED[10**5000],  # type: ignore[index]
        lambda: BUNDLED.supports(long, "pdf_input"),
        lambda: BUNDLED.select(long),
        lambda: BUNDLED.select(f"{long} == 1"),
        lambda: BUNDLED.select(f"line.{long}"),
        lambda: BUNDLED.select(f"effort.{long}"),
        lambda: BUNDLED.select(f"effort >= {long}"),
        lambda: BUNDLED.select(f"max_tokens >= {long}"),
        lambda: BUNDLED.select(None, **{long: True}),  # type: ignore[call-overload]
        lambda: BUNDLED.select(effort=long),
        lambda: Router(StaticSource(BUNDLED), policies={"reports": Policy()}).select(long),
        lambda: Router(StaticSource(BUNDLED)).gate(long).best(long),
        lambda: require(**{long: 1}),
        lambda: Catalogue.from_listing([{"id": long}]),
        lambda: matrix(BUNDLED, only=[long]),
        lambda: matrix(listed({"id": "m", long: 1}), only=[long]),
        lambda: listed({"id": "m", long: 1})["m"].support(long),
        lambda: BUNDLED.select(Policy(), **{long: True}),  # type: ignore[call-overload]
        lambda: read_policy("router.toml", "policies", long, {}),
        lambda: read_policy("router.toml", "policies", "reports", {"require": "true", long: 1}),
    ):
        with pytest.raises(
            (UnknownModelError, RequirementError, CatalogueError, ConfigurationError)
        ) as raised:
            ask()
        assert len(str(raised.value)) < 1_000
    gate = Router(StaticSource(BUNDLED)).gate(long)
    assert len(str(gate.explain("pdf_input", default=False))) < 1_000
    assert len(str(gate.explain(line=long, default=False))) < 1_000
    assert (
        len(
            str(
                Router(StaticSource(BUNDLED))
                .gate("claude-opus-5")
                .explain(line=long, default=False)
            )
        )
        < 1_000
    )
    assert len(repr(gate)) < 1_000
    assert len(str(RequestChange(long, long, {"text": long}, "it may be"))) < 1_000


def test_long_names_are_not_searched_for() -> None:
    """The time that an unknown id takes does not grow with its length."""
    assert nearest("claude-opus-5" * 10, ["claude-opus-5" * 10 + "0"]) == (
        "claude-opus-5" * 10 + "0",
    )
    assert nearest("claude-opus-5" * 100, ["claude-opus-5" * 100 + "0"]) == ()
