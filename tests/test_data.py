"""Data: the bundled listing in the API's own shape, the documented facts, and where every value comes from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import router
from router.catalogue._catalogue import Catalogue
from router.models._model import Model
from router.models._vocabulary import CAPABILITIES, FIELDS, read_packaged
from router.requirements._parser import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTING: dict[str, Any] = json.loads(read_packaged("bundled.json"))
ENTRIES: list[dict[str, Any]] = LISTING["data"]
BY_ID = {entry["id"]: entry for entry in ENTRIES}
DOCUMENTED: dict[str, Any] = json.loads(read_packaged("documented.json"))
BUNDLED = Catalogue.bundled()
ELSEWHERE = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
"""An environment in which Python finds what lies in the working directory."""

OF_THE_API = {
    *("type", "id", "display_name", "created_at", "capabilities", "max_input_tokens", "max_tokens"),
    *("lifecycle", "line", "deprecated_at", "retires_at", "allowed_fallback_models"),
}


def facts() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every documented fact with the model and the name that it is of."""
    for id, entry in DOCUMENTED["models"]["anthropic"].items():
        for name, fact in entry.items():
            if "value" in fact:
                yield id, name, fact
            else:
                yield from ((id, f"{name}.{inner}", each) for inner, each in fact.items())


def values(entry: dict[str, Any]) -> Iterator[str]:
    """Yield the path of every value of an entry, those of the tree by the node that states them."""
    for name, value in entry.items():
        nodes = [(name, value)] if name == "capabilities" else []
        if name != "capabilities":
            yield name
        while nodes:
            path, node = nodes.pop()
            nodes.extend(
                (f"{path}.{key}", child) for key, child in node.items() if key != "supported"
            )
            if "supported" in node:
                yield path


def test_the_listing_has_the_shape_of_an_answer() -> None:
    """One whole page: all 33 models under `data`, newest first, with the ids of the first and the last."""
    assert set(LISTING) == {"data", "has_more", "first_id", "last_id"}
    assert LISTING["has_more"] is False
    assert len(ENTRIES) == len(BY_ID) == len(BUNDLED) == 33
    assert (LISTING["first_id"], LISTING["last_id"]) == (ENTRIES[0]["id"], ENTRIES[-1]["id"])
    assert [entry["id"] for entry in ENTRIES] == [model.id for model in BUNDLED]


def test_every_entry_has_the_fields_of_the_api_and_no_others() -> None:
    """Nothing documented stands in the listing, and every entry says that it is a model."""
    for entry in ENTRIES:
        assert set(entry) <= OF_THE_API
        assert entry["type"] == "model"
        assert entry.get("display_name", "Claude").startswith("Claude")


def test_every_value_is_read() -> None:
    """No value of the listing is odd: each is known by its field, or is null where the API says null."""
    for entry in ENTRIES:
        model = Model.from_api(entry)
        for name in set(entry) - {"capabilities"}:
            assert name in model.values or (
                name in {"deprecated_at", "retires_at"} and entry[name] is None
            )
        assert None not in model.capabilities.values()


def test_what_is_unknown_is_absent() -> None:
    """No zero, empty or epoch value stands in for one that nobody knows, and null only for what is not scheduled."""
    for entry in ENTRIES:
        nulls = {name for name, value in entry.items() if value is None}
        assert nulls <= {"deprecated_at", "retires_at"}
        if nulls:
            assert entry["lifecycle"] == "active"
        assert entry.get("created_at", "2026").startswith("20")
        assert entry.get("max_tokens", 1) >= 1
        assert entry.get("max_input_tokens", 1) >= 1
        assert entry.get("capabilities", {"some": {}}) != {}


def test_all_lifecycles_are_there() -> None:
    """Retired models are listed as such, with their days, and nothing deprecated or retired is selected unasked."""
    assert Counter(entry["lifecycle"] for entry in ENTRIES) == {
        "active": 17,
        "deprecated": 2,
        "retired": 14,
    }
    retired = BUNDLED.where("lifecycle == retired")
    assert BUNDLED.where("lifecycle == retired and retires_in <= 0d", now=BUNDLED.as_of) == retired
    for model in retired:
        assert model.deprecated_at is not None
        assert model.retires_at is not None
        assert model.deprecated_at < model.retires_at
        assert model.replacement in BUNDLED
    assert {model.lifecycle for model in BUNDLED.candidates()} == {"active"}
    assert {model.access for model in BUNDLED.candidates()} == {"general"}
    assert {model.id for model in BUNDLED if model.lifecycle == "deprecated"} == {
        "claude-mythos-preview",
        "claude-sonnet-4-5-20250929",
    }


def test_what_the_sources_leave_open_stays_open() -> None:
    """The levels of effort of claude-mythos-preview, and when it was deprecated or retires, are unknown."""
    model = BUNDLED["claude-mythos-preview"]
    assert model.support("effort") is True
    assert [
        model.support(f"effort.{level}") for level in ("low", "medium", "high", "xhigh", "max")
    ] == [None] * 5
    assert not {"deprecated_at", "retires_at", "retires_in"} & model.values.keys()
    assert not {"deprecated_at", "retires_at"} & BY_ID[model.id].keys()
    for text in ("retires_in >= 0d", "retires_in < 0d", "effort >= low"):
        assert parse(text).support(model) is None


@pytest.mark.parametrize(
    ("id", "text"),
    [
        (
            "claude-fable-5-2",
            "line == fable and created_at == 2026-11-09 and price.input == 8 and price.output == 40",
        ),
        (
            "claude-fable-5-2",
            "traits.fast_mode and not maybe thinking.enabled and max_tokens == 128k",
        ),
        ("claude-mythos-5-2", "access == limited and line == mythos and lifecycle == active"),
        (
            "claude-haiku-5-5",
            "created_at >= 2026-10-07T18:00:00Z and created_at <= 2026-10-07T18:00:00Z",
        ),
        (
            "claude-haiku-5-5",
            "price.input == 0.1 and price.output == 0.5 and thinking.disabled and code_execution",
        ),
        (
            "claude-opus-5-5",
            "created_at >= 2026-09-21T16:24:00Z and created_at <= 2026-09-21T16:24:00Z",
        ),
        (
            "claude-opus-5-5",
            "not traits.forced_tool_choice and traits.fast_mode and effort >= max and line == opus",
        ),
        (
            "claude-sonnet-5-5",
            "thinking.between_tools and not traits.effort_without_thinking and price.output == 10",
        ),
        ("claude-opus-5", "allowed_fallback_models has claude-opus-4-8 and thinking.disabled"),
        (
            "claude-sonnet-5",
            "not allowed_fallback_models has claude-opus-4-8 and not traits.sampling",
        ),
        (
            "claude-opus-4-8",
            "traits.fast_mode and not traits.prefill and traits.effort_without_thinking",
        ),
        (
            "claude-opus-4-7",
            "not traits.fast_mode and not traits.sampling and created_at == 2026-04-14",
        ),
        (
            "claude-mythos-preview",
            "thinking.enabled and thinking.adaptive and replacement == claude-mythos-5",
        ),
        (
            "claude-sonnet-4-6",
            "not effort.xhigh and effort.max and traits.sampling and not traits.prefill",
        ),
        (
            "claude-opus-4-5-20251101",
            "effort.high and not effort.max and traits.prefill and max_tokens == 64k",
        ),
        (
            "claude-haiku-4-5-20251001",
            "not code_execution and server_tools.code_execution and not effort",
        ),
        ("claude-haiku-4-5-20251001", "created_at == 2025-10-15 and aliases has claude-haiku-4-5"),
        (
            "claude-sonnet-4-5-20250929",
            "max_input_tokens == 200k and replacement == claude-sonnet-5-5",
        ),
        ("claude-sonnet-4-5-20250929", "deprecated_at == 2026-09-30 and retires_at == 2026-11-30"),
        ("claude-opus-4-1-20250805", "retires_at == 2026-08-05 and replacement == claude-opus-4-8"),
        ("claude-opus-4-20250514", "aliases has claude-opus-4-0 and created_at == 2025-05-22"),
    ],
)
def test_a_bundled_model_is_what_the_sources_say(id: str, text: str) -> None:
    """What captured answers and documentation say of a model is known of it."""
    model = BUNDLED[id]
    lacking = [str(term) for term in parse(text).terms if not term.matches(model)]
    assert lacking == []


def test_every_value_has_a_provenance() -> None:
    """Each value of each bundled model, but its id and type, names its sources once, and nothing else has any."""
    assert set(DOCUMENTED["provenance"]) == set(BY_ID)
    for id, by_source in DOCUMENTED["provenance"].items():
        named = [name for names in by_source.values() for name in names]
        assert sorted(named) == sorted(set(values(BY_ID[id])) - {"id", "type"})


def test_every_source_is_spelled_out() -> None:
    """Each key of a source that is used is explained, and each that is explained is used."""
    used = {
        key
        for by_source in DOCUMENTED["provenance"].values()
        for keys in by_source
        for key in keys.split("+")
    }
    used |= {key for _, _, fact in facts() for key in fact["source"]}
    assert used == set(DOCUMENTED["sources"])
    assert all(len(text) > 20 for text in DOCUMENTED["sources"].values())


def test_every_fact_is_of_a_bundled_model_and_of_its_kind() -> None:
    """Facts have a value, sources, and the type of their field; traits are booleans that the vocabulary knows."""
    for id, name, fact in facts():
        assert id in BY_ID
        assert fact["source"]
        value = fact["value"]
        if name.startswith("traits."):
            assert name in CAPABILITIES
            assert isinstance(value, bool)
        elif name.startswith("corrections."):
            assert FIELDS[name.partition(".")[2]] == "limit"
        else:
            assert BUNDLED[id].values[name] == (tuple(value) if isinstance(value, list) else value)
            assert name in BUNDLED[id].documented


def test_documented_words_are_those_of_the_design() -> None:
    """Access is general or limited, prices are positive, replacements are listed, and no alias is an id."""
    for id, name, fact in facts():
        value = fact["value"]
        if name == "access":
            assert value in {"general", "limited"}
        elif name.startswith("price."):
            assert 0 < value < 1_000
        elif name == "replacement":
            assert value in BY_ID
            assert value != id
        elif name == "aliases":
            assert value
            assert not set(value) & set(BY_ID)
    aliases = [alias for model in BUNDLED for alias in model.aliases]
    assert len(aliases) == len(set(aliases))
    assert all(BUNDLED[alias].aliases.count(alias) == 1 for alias in aliases)


def test_what_is_corrected_is_what_the_listing_reports() -> None:
    """A correction applies to the bundled listing, which says what the API said."""
    corrected = {model.id: dict(model.corrections) for model in BUNDLED if model.corrections}
    assert set(corrected) == {"claude-sonnet-4-5-20250929"}
    correction = corrected["claude-sonnet-4-5-20250929"]["max_input_tokens"]
    assert (correction.reported, correction.value) == (1_000_000, 200_000)
    assert BY_ID["claude-sonnet-4-5-20250929"]["max_input_tokens"] == correction.reported
    assert correction.why.endswith(".")
    assert correction.source


def test_decisions_are_of_bundled_models() -> None:
    """Whatever was decided between sources names models that are listed, what was decided, and why."""
    for decision in DOCUMENTED["decisions"]:
        assert set(decision) == {"models", "name", "decided", "why"}
        assert set(decision["models"]) <= set(BY_ID)
        assert all((decision["name"], decision["decided"], decision["why"]))


def test_the_vocabulary_is_that_of_the_listing() -> None:
    """Every capability that the listing or the documentation names is in the vocabulary, and the reverse."""
    named = {name for model in BUNDLED for name in model.capabilities}
    traits = {name for _, name, _ in facts() if name.startswith("traits.")}
    assert named | traits == CAPABILITIES


@pytest.mark.parametrize("left", [0, 1000])
def test_a_damaged_catalogue_is_an_error_like_another(tmp_path: Path, left: int) -> None:
    """K6: where the bundled catalogue was cut, what needs it raises an error of ours, which says what to do."""
    package = shutil.copytree(Path(router.__file__).parent, tmp_path / "router")
    os.truncate(package / "data" / "bundled.json", left)
    program = """if True:
        import router
        for source in (router.BundledSource(), router.FileSource("nowhere.json")):
            try:
                router.Router(source).select()
            except router.CatalogueUnavailableError as error:
                print(error)
    """
    run = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=ELSEWHERE,
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout == "the bundled catalogue is damaged: install capability-router again\n" * 2


@pytest.mark.parametrize("edited", [True, False])
def test_an_edited_catalogue_is_told_of(tmp_path: Path, edited: bool) -> None:
    """K6: a bundled catalogue that is not as it was packaged answers, after a warning; the packaged one without."""
    package = shutil.copytree(Path(router.__file__).parent, tmp_path / "router")
    if edited:
        listing = package / "data" / "bundled.json"
        listing.write_text(listing.read_text().replace('"opus"', '"haiku"'))
    program = "import router; print(len(router.Catalogue.bundled()))"
    run = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=ELSEWHERE,
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout == f"{len(BUNDLED)}\n"
    assert run.stderr == "the bundled catalogue does not match its checksum\n" * edited
