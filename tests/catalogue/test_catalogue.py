"""Catalogue: an immutable snapshot of models, newest first, and the answers that it gives."""

from __future__ import annotations

import gc
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from small_catalogues import BUNDLED, ids, listed, supporting

from router import Router
from router._errors import (
    CatalogueError,
    ConfigurationError,
    RequirementError,
    UnknownModelError,
    UnknownNameError,
    nearest,
)
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import NoModelError
from router.catalogue._policy import Policy
from router.models._vocabulary import Names
from router.refresh._sources import StaticSource
from router.requests._fitting import RequestChange
from router.requirements._parser import parse, require
from router.tools._matrix import matrix

NOW = datetime(2026, 11, 22, tzinfo=UTC)


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


def test_a_model_without_a_date_is_the_answer_only_if_alone() -> None:
    """S5: an unknown date never goes before a known one."""
    catalogue = listed(
        {"id": "a", **supporting(x=True)}, {"id": "b", "created_at": "2020-01-01T00:00:00Z"}
    )
    assert catalogue.select().id == "b"
    assert catalogue.select("x").id == "a"


def test_names_of_earlier_answers_stay_known() -> None:
    """`knowing` counts names as known that this listing lacks, without a change to the catalogue itself."""
    catalogue = listed({"id": "m"})
    with_names = catalogue.with_names(Names({"nova"}, {"channel"}))
    assert with_names.candidates("nova or channel == beta") == ()
    assert ids(with_names.candidates("maybe nova")) == ["m"]
    assert (with_names.source, with_names.as_of, with_names.digest) == (
        catalogue.source,
        catalogue.as_of,
        catalogue.digest,
    )
    assert with_names.with_names(Names({"nova"})) is with_names
    assert with_names.with_names(Names(fields={"other"})) is not with_names
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


def test_a_listing_may_be_any_iterable() -> None:
    """Entries may come from a generator, read once."""
    assert len(Catalogue.from_listing({"id": f"m{n}"} for n in range(3))) == 3


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

    cold = Catalogue.from_listing(entries).warm_from(one, lambda: False)
    assert (cold.answers, cold._masks) == ({}, {})
    assert other.warm_from(one) is other
    assert other._masks.keys() == one._masks.keys()
    assert other._default_rows.keys() == one._default_rows.keys()
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
        assert ask(range(2, 14)) - before < 4 * LONG  # of 12 * LONG that were asked
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("as_of", ["2026-01-01", 5, datetime(2026, 1, 1)])  # noqa: DTZ001 - naive
def test_the_date_of_a_listing_is_a_moment(as_of: Any) -> None:
    """Anything but an aware datetime is refused."""
    with pytest.raises(CatalogueError, match="as_of must be an aware datetime"):
        Catalogue.from_listing([], as_of=as_of)


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
