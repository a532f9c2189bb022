"""The page of the matrix: it is well formed, only data, and asks nothing of the network."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from matrix_listings import HOSTILE, LISTING
from read_page import Read, data_of
from terminal import read_error

from router import Catalogue
from router.cli._page import page
from router.requirements._parser import parse
from router.tools._matrix import matrix

if TYPE_CHECKING:
    from terminal import Command


def page_of(entries: list[dict[str, Any]]) -> str:
    """Return the page of a catalogue of these entries."""
    catalogue = Catalogue.from_listing(entries)
    return page(catalogue, matrix(catalogue))


@pytest.mark.parametrize("entries", [[], LISTING, HOSTILE], ids=["empty", "plain", "hostile"])
def test_the_page_is_well_formed(entries: list[dict[str, Any]]) -> None:
    """Whatever the catalogue holds, the elements are the template's own, each closed in its turn, and all is ASCII."""
    read = Read(page_of(entries))

    assert read.strays == []
    assert read.comments == []
    assert read.elements[2:] == Read(page_of([])).elements[2:]
    assert page_of(entries).isascii()
    assert [model["id"] for model in data_of(page_of(entries))["models"]] == [
        model.id for model in Catalogue.from_listing(entries)
    ]


def test_without_escapes_a_hostile_catalogue_would_be_markup() -> None:
    """The twin that must fail: the same data as plain JSON ends its block, and brings elements of its own."""
    unescaped = page_of(HOSTILE).replace(r"\u003c", "<").replace(r"\u003e", ">")

    assert len(Read(unescaped).elements) > len(Read(page_of([])).elements)


def test_the_page_asks_nothing_of_the_network() -> None:
    """Its policy allows but its own blocks, by their hashes, and nothing in it names another place."""
    text = page_of(HOSTILE)
    read = Read(text)
    hashes = {
        name: f"'sha256-{b64encode(sha256(read.blocks[name].encode()).digest()).decode()}'"
        for name in ("style", "script")
    }

    assert read.policy == (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; "
        "base-uri 'none'; form-action 'none'"
    )
    assert [a for _, a in read.elements if {"src", "srcset", "action", "style"} & a.keys()] == []
    ids = {f"#{a['id']}" for _, a in read.elements if "id" in a}
    assert {a["href"] for _, a in read.elements if "href" in a} <= ids
    assert not re.search(r"url\(|@import|https?:", read.blocks["style"] + read.blocks["script"])
    assert not any(name.startswith("on") for _, a in read.elements for name in a)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(",
        read.blocks["script"],
    )


def test_what_a_person_reads_has_no_tricks() -> None:
    """Characters that turn or hide text stand in the page as escapes."""
    data = data_of(page_of(HOSTILE))
    shown = [model[key] for model in data["models"] for key in ("id", "name", "caution")]
    shown += [capability["name"] for capability in data["capabilities"]] + [
        line["shown"] for line in data["lines"]
    ]

    assert all(text.isprintable() for text in shown)
    assert any(r"\u202e" in text for text in shown)


def test_the_page_names_its_catalogue() -> None:
    """Its source, date, digest and size."""
    catalogue = Catalogue.bundled()
    data = data_of(page(catalogue, matrix(catalogue)))

    assert data["catalogue"] == {
        "source": "bundled",
        "as_of": catalogue.as_of.isoformat().replace("+00:00", "Z") if catalogue.as_of else None,
        "digest": catalogue.digest,
        "size": len(catalogue),
    }


def test_what_no_requirement_can_name_has_no_tick() -> None:
    """A name with a blank, a keyword and a field are shown; all others are ticked with the term that names them."""
    named = {
        each["name"]: (each["term"], each["negated"])
        for each in data_of(page_of(HOSTILE))["capabilities"]
    }

    assert {name for name, (term, _) in named.items() if term is None} == {
        *(
            "<b>bold</b>",
            "--><!--",
            "a b",
            "and",
            "true",
            "not x",
            "line",
            "",
            ".",
            r"x\n",
            "モデル",
            "--",
            "{{script}}",
        )
    }
    for name, (term, negated) in named.items():
        assert (term is None) is (negated is None)
        if term is not None:
            assert (term, negated) == (name, f"not {name}")
            assert parse(term).capabilities == {name}


@pytest.mark.parametrize("entries", [LISTING, HOSTILE], ids=["plain", "hostile"])
def test_a_slider_compares_as_the_language_does(entries: list[dict[str, Any]]) -> None:
    """Ranks tell of each model and each step what its term says, also where a script's numbers are too short."""
    catalogue = Catalogue.from_listing(entries)
    data = data_of(page(catalogue, matrix(catalogue)))
    checked = 0
    for each, bound in enumerate(data["bounds"]):
        for step in bound["steps"]:
            term = parse(step["term"])
            assert term.text == step["term"]
            for model, row in zip(catalogue, data["models"], strict=True):
                rank = row["bounds"][each]
                at_least = None if rank is None else rank >= step["rank"]
                at_most = None if rank is None else rank <= step["rank"]
                assert term.support(model) is (at_least if bound["op"] == ">=" else at_most)
                checked += 1
    assert checked


def test_a_value_without_a_spelling_is_no_step() -> None:
    """A limit of forty digits is known of its model, and no slider can be set to it."""
    data = data_of(page_of(HOSTILE))
    limits = {
        bound["field"]: [step["shown"] for step in bound["steps"]] for bound in data["bounds"]
    }

    assert limits == {
        "max_input_tokens": [str(2**53), str(2**53 + 1)],
        "max_tokens": ["1"],
        "price.output": ["0", "0.1"],
    }
    assert [model["bounds"][1] for model in data["models"]] == [1, None, 0, None]


@pytest.mark.parametrize("source", ["static", "live"])
def test_the_default_filters_are_those_of_the_catalogue(source: str) -> None:
    """Which of them admits a model is worked out here; what lifts one is met by all, and speaks of its field."""
    catalogue = Catalogue([*Catalogue.bundled(), *Catalogue.from_listing(HOSTILE)], source=source)
    data = data_of(page(catalogue, matrix(catalogue)))

    assert [each["field"] for each in data["default_filters"]] == [
        "lifecycle",
        "access",
    ][: 1 if source == "live" else 2]
    for at in range(len(data["default_filters"])):
        admitted = [model["id"] for model in data["models"] if model["admitted"][at] == "1"]
        others = (
            " and ".join(
                each["lifted"] for n, each in enumerate(data["default_filters"]) if n != at
            )
            or "true"
        )
        assert admitted == [model.id for model in catalogue.candidates(others)]
        assert 0 < len(admitted) < len(catalogue)
    assert (
        catalogue.candidates(" and ".join(each["lifted"] for each in data["default_filters"]))
        == catalogue.models
    )


def test_a_dash_is_standard_output(command: Command, matrix_listing: str) -> None:
    """The page itself and nothing else, in ASCII."""
    status, out, err = command(
        "matrix", "--html", "-", "--source", matrix_listing, "--only", "effort"
    )

    assert (status, err) == (0, "")
    assert out.startswith("<!doctype html>")
    assert {each["family"] for each in data_of(out)["capabilities"]} == {"effort"}


@pytest.mark.parametrize("also", [["--where", "pdf_input"], ["--json"]])
def test_a_page_has_every_model(command: Command, tmp_path: Path, also: list[str]) -> None:
    """A page of fewer models would pick another one than Python does."""
    ran = command("matrix", "--html", str(tmp_path / "m.html"), *also)

    assert ran.status == 2
    if "--json" in also:
        assert "neither --where nor --json" in read_error(ran, 2)
    else:
        assert ran.out == ""
    assert "neither --where nor --json" in ran.err
    assert not (tmp_path / "m.html").exists()
