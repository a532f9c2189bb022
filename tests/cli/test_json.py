"""The JSON of the command: complete, exact, and ASCII."""

from pathlib import Path

import pytest
from listings import LISTING, saved
from terminal import Command, read

from router import Catalogue


def test_select_json_is_a_short_decision(command: Command, listing: str) -> None:
    """The model and its reason, who else would do, and which catalogue answered."""
    answer = read(command("select", "--effort", "high", "--source", listing, "--json"))
    catalogue = answer.pop("catalogue")
    assert answer == {
        "model": "claude-small-2",
        "reason": "newest",
        "requirement": "effort.high",
        "policy": None,
        "candidates": ["claude-small-2", "claude-large-2"],
        "nearest": [],
        "notes": [],
    }
    assert catalogue.pop("as_of").endswith("Z")
    assert catalogue == {
        "source": "file",
        "digest": Catalogue.from_listing(LISTING).digest,
        "models": 4,
        "stale": False,
    }


def test_select_json_without_a_model_is_an_answer_too(command: Command, listing: str) -> None:
    """Null, the reason and the nearest, with the exit status of an answer that found none."""
    answer = read(
        command("select", "effort.max and line == small", "--source", listing, "--json"), status=1
    )
    assert (answer["model"], answer["reason"], answer["candidates"]) == (None, "no_match", [])
    assert answer["nearest"] == ["claude-small-2", "claude-large-2"]
    assert "rejected" not in answer


def test_explain_json_tells_what_each_other_model_lacks(command: Command, listing: str) -> None:
    """Every term with its answer, default filters marked as implicit."""
    answer = read(
        command("explain", "effort.max and max_tokens >= 64k", "--source", listing, "--json")
    )
    assert (answer["model"], answer["requirement"]) == (
        "claude-large-2",
        "effort.max and max_tokens >= 64k",
    )
    assert answer["terms"] == [
        {"term": "effort.max", "implicit": False},
        {"term": "max_tokens >= 64k", "implicit": False},
        {"term": "maybe lifecycle == active", "implicit": True},
        {"term": "maybe access != limited", "implicit": True},
    ]
    assert list(answer["rejected"]) == ["claude-small-2", "claude-large-1", "claude-first"]
    assert answer["rejected"]["claude-small-2"] == [
        {"term": "effort.max", "support": False, "why": "unsupported", "implicit": False}
    ]
    assert answer["rejected"]["claude-large-1"][:2] == [
        {"term": "effort.max", "support": None, "why": "unknown", "implicit": False},
        {"term": "max_tokens >= 64k", "support": False, "why": "is 32k", "implicit": False},
    ]
    assert answer["rejected"]["claude-large-1"][2]["implicit"] is True
    assert answer["catalogue"]["source"] == "file"


def test_explain_json_carries_the_notes(command: Command, tmp_path: Path) -> None:
    """A model without a date is told to be one."""
    answer = read(
        command("explain", "--source", saved(tmp_path, [{"id": "claude-undated"}]), "--json")
    )
    assert answer["notes"] == [
        "claude-undated has no known release date, so it ranks after every dated model"
    ]


def test_show_json_holds_what_is_known_of_a_model(command: Command, listing: str) -> None:
    """Fields, capabilities in three values, dates in RFC 3339; what is relative to now is left out."""
    answer = read(command("show", "claude-large-2", "--source", listing, "--json"))
    assert answer == {
        "id": "claude-large-2",
        "fields": {
            "allowed_fallback_models": ["claude-large-1"],
            "created_at": "2026-09-21T00:00:00Z",
            "display_name": "Claude Large 2",
            "id": "claude-large-2",
            "lifecycle": "active",
            "line": "large",
            "max_input_tokens": 1_000_000,
            "max_tokens": 128_000,
            "price.input": 4.5,
            "price.output": 20,
            "provider": "anthropic",
            "retires_at": "2030-01-31T00:00:00Z",
            "type": "model",
        },
        "capabilities": {
            "effort": True,
            "effort.high": True,
            "effort.max": True,
            "pdf_input": True,
            "thinking": None,
            "thinking.adaptive": True,
        },
        "documented": {},
        "corrections": {},
    }


def test_show_json_holds_documentation_and_corrections(command: Command) -> None:
    """What is documented has its sources, what is corrected what the API reports."""
    model = next(model for model in Catalogue.bundled() if model.corrections)
    answer = read(command("show", model.id, "--json"))
    assert answer["documented"] == {
        name: list(keys) for name, keys in sorted(model.documented.items())
    }
    assert answer["corrections"] == {
        name: {"reported": each.reported, "value": each.value, "why": each.why}
        for name, each in model.corrections.items()
    }
    assert all(
        answer["fields"][name] == each["value"] for name, each in answer["corrections"].items()
    )


def test_candidates_json_holds_the_models(command: Command, listing: str) -> None:
    """What `show` prints of each, newest first."""
    answer = read(command("candidates", "pdf_input", "--source", listing, "--json"))
    assert [each["id"] for each in answer] == ["claude-small-2", "claude-large-2"]
    assert answer[1] == read(command("show", "claude-large-2", "--source", listing, "--json"))


def test_candidates_json_of_none_is_an_empty_list(command: Command, listing: str) -> None:
    """With the exit status of an answer that found none."""
    assert (
        read(command("candidates", "line == none", "--source", listing, "--json"), status=1) == []
    )


@pytest.mark.parametrize(
    ("requirement", "support", "lacks"),
    [
        ("pdf_input", True, []),
        (
            "effort.max",
            False,
            [{"term": "effort.max", "support": False, "why": "unsupported", "implicit": False}],
        ),
        (
            "citations",
            None,
            [{"term": "citations", "support": None, "why": "unknown", "implicit": False}],
        ),
    ],
)
def test_supports_json_keeps_unknown_apart(
    command: Command, listing: str, requirement: str, support: bool | None, lacks: list[object]
) -> None:
    """True, false or null, and what is lacking."""
    ran = command("supports", "claude-small-2", requirement, "--source", listing, "--json")
    assert read(ran, status=0 if support else 1) == {
        "id": "claude-small-2",
        "requirement": requirement,
        "support": support,
        "lacks": lacks,
    }


def test_refresh_json_identifies_the_catalogue(command: Command) -> None:
    """Where it comes from, as of when, its digest and its size."""
    bundled = Catalogue.bundled()
    assert bundled.as_of
    assert read(command("refresh", "--source", "bundled", "--json")) == {
        "source": "bundled",
        "as_of": bundled.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "digest": bundled.digest,
        "models": len(bundled),
    }


def test_models_json_is_a_page_of_the_api(command: Command, listing: str) -> None:
    """The entries as they came, newest first, whole."""
    assert read(command("models", "--source", listing, "--json")) == {
        "data": LISTING,
        "has_more": False,
        "first_id": "claude-small-2",
        "last_id": "claude-first",
    }


def test_models_json_heeds_the_filter(command: Command, listing: str) -> None:
    """A saved listing can be a part of another; of nothing it has no first and no last."""
    some = read(
        command("models", "--where", "lifecycle == deprecated", "--source", listing, "--json")
    )
    none = read(command("models", "--where", "line == none", "--source", listing, "--json"))
    assert some == {
        "data": LISTING[2:3],
        "has_more": False,
        "first_id": "claude-large-1",
        "last_id": "claude-large-1",
    }
    assert none == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_a_saved_listing_is_the_same_catalogue(command: Command, tmp_path: Path) -> None:
    """What `models --json` prints, `--source FILE` reads again, to the digest."""
    path = tmp_path / "saved.json"
    path.write_text(command("models", "--json").out, encoding="utf-8")
    first, again = (
        read(command("refresh", "--source", source, "--json")) for source in ("bundled", str(path))
    )
    assert again["digest"] == first["digest"]
    assert (again["source"], again["models"]) == ("file", first["models"])


def test_a_number_beyond_measure_is_never_printed_as_one(command: Command, tmp_path: Path) -> None:
    """JSON knows no infinity: a listing that holds 1e400 is refused, or printed so that it can be read again."""
    path, again = tmp_path / "listing.json", tmp_path / "again.json"
    path.write_text('[{"id": "claude-a", "weight": 1e400}, {"id": "claude-b"}]', encoding="utf-8")
    ran = command("models", "--source", str(path), "--json")
    if ran.status != 3:
        read(ran)
        again.write_text(ran.out, encoding="utf-8")
        assert command("refresh", "--source", str(again)).status == 0
