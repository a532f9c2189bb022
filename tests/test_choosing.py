"""What a router answers without a call: the models of its current catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_api import entries
from fake_source import FakeClock, Gate, gate, router_of

from router import (
    Catalogue,
    CatalogueUnavailableError,
    NoModelError,
    RequirementError,
    UnknownModelError,
    UnknownNameError,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FIRST = Catalogue.from_listing(entries(6), source="live")
SECOND = Catalogue.from_listing(entries(3, start=2), source="live")
DOWN = CatalogueUnavailableError("down")


@pytest.fixture
def shut() -> Iterator[Gate]:
    """A gate that is shut."""
    with gate() as shut:
        yield shut


def test_answers_are_those_of_the_catalogue() -> None:
    """Each question is answered as the current catalogue answers it, with its moment, its limit and its keywords."""
    router = router_of(FIRST)
    text = "pdf_input and age >= 20d"
    needs: dict[str, Any] = {"min_output_tokens": "64k", "now": NOW}

    assert router.select(text, **needs) is FIRST.select(text, **needs)
    assert router.candidates(text, limit=2, **needs) == FIRST.candidates(text, limit=2, **needs)
    assert len(router.candidates(text, limit=2, **needs)) == 2
    assert router.explain(text, **needs) == FIRST.explain(text, **needs)
    assert router.supports("claude-fake-0", text, **needs)
    assert not router.supports("claude-fake-0", text, now=datetime(2026, 11, 2, tzinfo=UTC))
    assert router.select(line="opus").id == "claude-fake-2"
    assert router.selector(text, line="opus")() is router.select(text, line="opus")


def test_answers_to_the_shortest_questions() -> None:
    """Without a requirement everything meets it, and without a moment it is now."""
    router = router_of(FIRST)

    assert router.select() is router.candidates()[0] is router.explain().model is FIRST.models[0]
    assert router.supports("claude-fake-0")
    for past in ("age > 0d", "created_at < 2026-11-02 and age > 1d"):
        assert (
            router.select(past)
            is router.candidates(past)[0]
            is router.explain(past).model
            is FIRST.models[0]
        )
        assert router.supports("claude-fake-0", past)
    assert router.candidates(line="opus") == (FIRST["claude-fake-2"], FIRST["claude-fake-5"])
    assert router.explain(line="opus").candidates == router.candidates(line="opus")
    assert router.supports("claude-fake-2", line="opus")
    assert not router.supports("claude-fake-0", line="opus")


def test_errors_are_those_of_the_catalogue() -> None:
    """What raises there raises here."""
    router = router_of(FIRST)

    with pytest.raises(NoModelError):
        router.select("effort.max")
    with pytest.raises(UnknownNameError):
        router.candidates("pdf_imput")
    with pytest.raises(UnknownModelError):
        router.supports("claude-gone", "pdf_input")
    with pytest.raises(RequirementError):
        router.explain("pdf_input and")


@pytest.mark.parametrize("default", [None, "claude-default", 0])
def test_default(default: object) -> None:
    """A default is what no match answers, and hides no other error."""
    router = router_of(FIRST)

    assert router.select("effort.max", default=default) == default
    assert router.select("pdf_input", default=default) == FIRST.models[0]
    with pytest.raises(UnknownNameError):
        router.select("pdf_imput", default=default)


def test_failed_first_load(caplog: pytest.LogCaptureFixture) -> None:
    """A router whose first load fails answers from the bundled catalogue, says so once, and calls it stale."""
    router = router_of(DOWN)

    assert router.select("line == opus").id == "claude-opus-5-5"
    decision = router.explain("line == opus")

    assert router.catalogue.source == "bundled"
    assert (decision.source, decision.stale) == ("bundled", True)
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("router.refresh", "WARNING")
    ]


def test_explain_says_whether_it_is_stale(shut: Gate) -> None:
    """S12: a decision on a catalogue older than `max_stale` says so."""
    clock = FakeClock()
    router = router_of(FIRST, shut.before(SECOND), clock=clock, ttl=100, max_stale=200)
    router.refresh()

    for age in (0, 101):
        clock.now = 1000.0 + age
        assert not router.explain("pdf_input").stale
    clock.now = 1200.0
    assert router.explain("pdf_input").stale
    assert router.explain("pdf_input").model is FIRST.models[0]


def test_one_reading_of_the_clock() -> None:
    """An answer from what is held reads one clock, once."""
    clock = FakeClock()
    router = router_of(FIRST, clock=clock)
    router.refresh()
    pick = router.selector("pdf_input")

    for answer in (
        lambda: router.select("pdf_input"),
        lambda: router.candidates("pdf_input"),
        pick,
        pick,
    ):
        before = clock.reads
        answer()
        assert clock.reads == before + 1


def test_names_stay_known() -> None:
    """A name that an earlier catalogue carried is unknown for all, and no error, after a refresh without it."""
    nova = Catalogue.from_listing(
        [{"id": "claude-nova", "capabilities": {"nova": {"supported": True}}}]
    )
    router = router_of(nova, FIRST)
    with pytest.raises(UnknownNameError):
        FIRST.select("nova")

    router.refresh()
    pick = router.selector("nova")
    assert pick().id == "claude-nova"

    router.refresh()
    assert router.select("nova", default=None) is None
    with pytest.raises(NoModelError):
        pick()


def test_selector_follows_refreshes() -> None:
    """A prepared selection answers from the current catalogue, and raises where that has no model for it."""
    router = router_of(FIRST, SECOND, FIRST)
    pick = router.selector("max_input_tokens < 200_002")

    assert pick().id == "claude-fake-0"
    assert pick() is pick()
    router.refresh()
    for _ in range(2):
        with pytest.raises(NoModelError):
            pick()
    router.refresh()
    assert pick().id == "claude-fake-0"


class Counting(Catalogue):
    """A catalogue that counts what it is asked."""

    asked = 0

    def select(self, *arguments: Any, **keywords: Any) -> Any:
        """Count, and answer."""
        self.asked += 1
        return super().select(*arguments, **keywords)


@pytest.mark.parametrize(("text", "asked"), [("pdf_input", 1), ("age > 0d", 3)])
def test_what_a_selector_remembers(text: str, asked: int) -> None:
    """A prepared selection is asked once of a catalogue, but for one whose terms depend on the moment."""
    catalogue = Counting(Catalogue.from_listing(entries(3)))
    pick = router_of(catalogue).selector(text)

    assert [pick().id for _ in range(3)] == ["claude-fake-0"] * 3
    assert catalogue.asked == asked


def test_selector_fails_early() -> None:
    """What means nothing is refused when the selection is prepared; a name nobody knows, when it first answers."""
    router = router_of(FIRST)

    with pytest.raises(RequirementError):
        router.selector("pdf_input and")
    pick = router.selector("pdf_imput")
    with pytest.raises(UnknownNameError):
        pick()
