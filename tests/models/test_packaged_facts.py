"""Documented facts: read from the library's own file, from another, or not at all, and refused where malformed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router._errors import CatalogueError
from router.catalogue._catalogue import Catalogue
from router.models._packaged_facts import Correction, documented_facts, packaged_as_of, source_text

LISTING = [{"id": "a", "max_tokens": 1_000}, {"id": "b"}]


def written(tmp_path: Path, content: object) -> Path:
    """Return a file that holds the content as JSON, or a text just as it is."""
    path = tmp_path / "documented.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def of_a(facts: object) -> dict[str, Any]:
    """Return a file's content that documents one model."""
    return {"models": {"anthropic": {"a": facts}}}


def test_a_path_replaces_the_librarys_facts(tmp_path: Path) -> None:
    """A file of one's own is read in the same shape: facts with sources, groups of facts, corrections."""
    path = written(
        tmp_path,
        of_a(
            {
                "access": {"value": "limited", "source": ["ME"]},
                "price": {"input": {"value": 0.5, "source": ["ME", "YOU"]}},
                "traits": {"prefill": {"value": True}},
                "corrections": {
                    "max_tokens": {"reported": 1_000, "value": 500, "why": "typo", "source": ["ME"]}
                },
            }
        ),
    )
    facts = documented_facts(path)["anthropic", "a"]
    assert facts.stated == {
        "access": "limited",
        "price": {"input": 0.5},
        "traits": {"prefill": True},
    }
    assert facts.sources == {"access": ("ME",), "price.input": ("ME", "YOU"), "traits.prefill": ()}
    assert facts.corrections == {"max_tokens": Correction(1_000, 500, "typo", ("ME",))}
    for documented in (path, str(path)):
        catalogue = Catalogue.from_listing(LISTING, documented=documented)
        assert catalogue["a"].access == "limited"
        assert catalogue["a"].max_tokens == 500
        assert catalogue["b"].access is None
        assert [model.id for model in catalogue.candidates()] == ["b"]


def test_none_turns_documented_facts_off() -> None:
    """Without documented facts a model has what its entry states, as the API reported it."""
    assert documented_facts(None) == {}
    entry = {"id": "claude-sonnet-4-5-20250929", "max_input_tokens": 1_000_000}
    bare = Catalogue.from_listing([entry], documented=None)["claude-sonnet-4-5-20250929"]
    assert bare.max_input_tokens == 1_000_000
    assert bare.aliases == ()
    assert dict(bare.documented) == {}
    overlaid = Catalogue.from_listing([entry])["claude-sonnet-4-5-20250929"]
    assert overlaid.max_input_tokens == 200_000
    assert overlaid.aliases == ("claude-sonnet-4-5",)


def test_facts_are_keyed_by_the_exact_id() -> None:
    """Neither an alias nor an id that only begins alike takes on the facts of a documented model."""
    listing = [{"id": "claude-haiku-4-5"}, {"id": "claude-haiku-4-5-20251001-v2"}]
    for model in Catalogue.from_listing(listing):
        assert dict(model.documented) == {}


def test_the_librarys_facts_are_read_once() -> None:
    """Asking again gives the same object, and the moment as of which it was collected."""
    assert documented_facts() is documented_facts()
    assert packaged_as_of() == "2026-11-22T00:00:00Z"


def test_a_source_is_spelled_out() -> None:
    """What a source key of the library's own facts means can be asked for; a key of somebody else's has no text."""
    assert source_text("SDK").startswith("The anthropic Python SDK")
    assert source_text("ME") == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", "cannot be read", id="empty"),
        pytest.param("{", "cannot be read", id="not JSON"),
        pytest.param("[" * 100_000, "cannot be read", id="nested without end"),
        pytest.param(
            '{"models": {"anthropic": {"a": {"access": {"value": ' + "1" * 4301 + "}}}}}",
            "cannot be read",
            id="endless number",
        ),
        pytest.param([], "must be an object with `models`", id="list"),
        pytest.param({}, "must be an object with `models`", id="no models"),
        pytest.param({"models": []}, "must be an object with `models`", id="models a list"),
        pytest.param(
            {"models": {"anthropic": []}}, "by provider and model id", id="provider a list"
        ),
        pytest.param({"models": None}, "must be an object with `models`", id="models null"),
        pytest.param(of_a([]), "models.anthropic.a must be an object", id="facts a list"),
        pytest.param(of_a(None), "models.anthropic.a must be an object", id="facts null"),
        pytest.param(
            of_a({"access": "limited"}),
            "models.anthropic.a.access must be an object",
            id="bare fact",
        ),
        pytest.param(
            of_a({"access": None}), "models.anthropic.a.access must be an object", id="null fact"
        ),
        pytest.param(
            of_a({"price": {"input": 5}}),
            "models.anthropic.a.price.input must be an object",
            id="bare inner fact",
        ),
        pytest.param(
            of_a({"access": {"value": "limited", "source": None}}),
            "models.anthropic.a.access",
            id="source null",
        ),
        pytest.param(
            of_a({"access": {"value": "limited", "source": 5}}),
            "models.anthropic.a.access",
            id="source a number",
        ),
        pytest.param(
            of_a({"access": {"value": "limited", "source": "SDK"}}),
            "models.anthropic.a.access",
            id="source a text",
        ),
        pytest.param(
            of_a({"access": {"value": "limited", "source": [5]}}),
            "models.anthropic.a.access",
            id="source of numbers",
        ),
        pytest.param(
            of_a({"corrections": []}),
            "models.anthropic.a.corrections must be an object",
            id="corrections a list",
        ),
        pytest.param(
            of_a({"corrections": None}),
            "models.anthropic.a.corrections must be an object",
            id="corrections null",
        ),
        pytest.param(
            of_a({"corrections": {"max_tokens": 5}}),
            "models.anthropic.a.corrections.max_tokens must",
            id="bare correction",
        ),
        pytest.param(
            of_a({"corrections": {"max_tokens": {"reported": 1, "value": 2}}}),
            "models.anthropic.a.corrections.max_tokens must",
            id="correction without a reason",
        ),
        pytest.param(
            of_a({"corrections": {"max_tokens": {"reported": 1_000, "value": "many", "why": "x"}}}),
            "models.anthropic.a.corrections.max_tokens",
            id="corrected to a text",
        ),
        pytest.param(
            of_a(
                {
                    "corrections": {
                        "max_tokens": {"reported": 1_000, "value": 2, "why": "x", "source": None}
                    }
                }
            ),
            "models.anthropic.a.corrections.max_tokens",
            id="correction with source null",
        ),
    ],
)
def test_a_malformed_file_says_where(tmp_path: Path, content: object, message: str) -> None:
    """A file of another shape is refused as a whole, with its name and the path to what is wrong."""
    path = written(tmp_path, content)
    with pytest.raises(CatalogueError) as raised:
        documented_facts(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """A missing file, a directory and bytes that are no text are each a `CatalogueError` with the cause."""
    garbled = tmp_path / "garbled"
    garbled.write_bytes(b"\xff\xfe\xff{")
    for path in (tmp_path / "missing", tmp_path, garbled):
        with pytest.raises(CatalogueError, match="cannot be read") as raised:
            Catalogue.from_listing(LISTING, documented=path)
        assert raised.value.__cause__ is not None
