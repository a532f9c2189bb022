"""Vocabulary: what is known of names before any catalogue is read, and that it is known from data alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import router
from router.models._field_types import KINDS
from router.models._vocabulary import (
    CAPABILITIES,
    DURATIONS,
    ELSEWHERE,
    FIELDS,
    LEVELS,
    MINIMUMS,
    TRANSPARENT,
    Names,
    capability_name,
    read_packaged,
)

SOURCES = Path(router.__file__).parent


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("pdf_input", "pdf_input"),
        ("thinking.types.adaptive", "thinking.adaptive"),
        ("thinking.adaptive", "thinking.adaptive"),
        ("thinking.types", "thinking"),
        ("a.types.b.types.c", "a.b.c"),
        ("types", "types"),
        ("types.types", "types"),
        ("types.a", "types.a"),
        ("context_management.compact_20260112", "context_management.compact_20260112"),
    ],
)
def test_containers_are_left_out_of_a_path(path: str, name: str) -> None:
    """A key that is only a container is no part of a capability's name, but the first key always is."""
    assert capability_name(path) == name


def test_the_vocabulary_agrees_with_itself() -> None:
    """Levels are capabilities, short spellings all; every field has a kind; durations and minimums rest on fields."""
    assert {
        f"{name}.{level}" for name, levels in LEVELS.items() for level in levels
    } | LEVELS.keys() <= CAPABILITIES
    assert all(capability_name(name) == name for name in CAPABILITIES)
    assert set(FIELDS.values()) <= KINDS.keys()
    assert {each["field"] for each in DURATIONS.values()} <= {
        name for name, kind in FIELDS.items() if kind == "date"
    }
    assert {FIELDS[name] for name in MINIMUMS.values()} == {"limit"}
    assert not CAPABILITIES & FIELDS.keys()


def test_the_levels_of_effort_are_in_order() -> None:
    """The one order there is: low, medium, high, xhigh, max."""
    assert LEVELS == {"effort": ("low", "medium", "high", "xhigh", "max")}
    assert {"types"} == TRANSPARENT


def test_the_fields_of_the_api_are_known() -> None:
    """Every top-level field that the Models API has today, but the tree itself, has a kind."""
    today = {
        "id",
        "type",
        "display_name",
        "created_at",
        "max_input_tokens",
        "max_tokens",
        "lifecycle",
        "line",
    }
    assert today | {"deprecated_at", "retires_at", "allowed_fallback_models"} <= FIELDS.keys()
    assert {
        "age",
        "retires_in",
        "access",
        "aliases",
        "replacement",
        "price.input",
        "price.output",
    } <= FIELDS.keys()


@pytest.mark.parametrize(
    "module",
    sorted(
        path
        for folder in ("models", "requirements", "catalogue")
        for path in (SOURCES / folder).glob("*.py")
    ),
    ids=lambda path: f"{path.parent.name}.{path.stem}",
)
def test_no_capability_is_named_in_code(module: Path) -> None:
    """What reads and selects holds no capability's name outside of its docstrings."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    spoken = {
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        for word in re.findall(r"[a-z_][a-z0-9_.]*", node.value)
    }
    names = {part for name in CAPABILITIES for part in (name, name.rpartition(".")[2])}
    assert not spoken & (names - {"high", "low", "max", "medium"})


def test_names_know_the_vocabulary_and_their_listing() -> None:
    """A name is known from the vocabulary or from the listing, each in its own place."""
    names = Names({"nova"}, {"channel"})
    assert names.knows_capability("pdf_input")
    assert names.knows_capability("nova")
    assert not names.knows_capability("channel")
    assert not names.knows_capability("line")
    assert names.knows_field("line")
    assert names.knows_field("age")
    assert names.knows_field("channel")
    assert not names.knows_field("nova")
    assert not names.knows_field("pdf_input")


def test_the_nearest_names_are_of_either_kind() -> None:
    """A suggestion can be a capability or a field, of the vocabulary or of the listing."""
    names = Names({"nova_input"}, {"channel"})
    assert names.nearest("nova_imput") == ("nova_input",)
    assert names.nearest("chanel") == ("channel",)
    assert names.nearest("lin") == ("line",)
    assert names.nearest("pdf_imput")[0] == "pdf_input"


def test_what_others_call_a_name() -> None:
    """Each name of another catalogue is none of ours, and stands for those that are, or for none."""
    names = Names()
    for other, own in ELSEWHERE.items():
        assert not names.knows_capability(other)
        assert not names.knows_field(other)
        assert all(names.knows_capability(each) or names.knows_field(each) for each in own)
        for spelling in (other, f"supports_{other}", f"min_{other}"):
            assert names.nearest(spelling) == own


def test_the_value_of_a_keyword_does_not_hide_its_name() -> None:
    """`family="opus"` is the capability `family.opus`, and means what `family` does."""
    names = Names()
    assert names.nearest("family.opus") == ("line",)
    assert names.nearest("context_length.200k") == ("max_input_tokens",)
    assert names.nearest("streaming.deep") == ()
    assert names.nearest("price.outptu") == ("price.output",)


def test_what_only_others_state_resembles_no_name_of_ours() -> None:
    """A name that the vocabulary lacks is compared with the names of the listing alone."""
    assert Names().nearest("streaming") == ()
    assert Names({"traits.sampling", "streaming_input"}).nearest("streaming") == (
        "streaming_input",
    )


def test_names_are_joined_without_being_changed() -> None:
    """`|` and `union` make new names, and leave the old as they were."""
    one, other = Names({"a"}, {"x"}), Names({"b"}, {"y"})
    joined = one | other
    united = Names.union([one, other, one])
    for each in (joined, united):
        assert (each.capabilities, each.fields) == ({"a", "b"}, {"x", "y"})
    assert (one.capabilities, one.fields) == ({"a"}, {"x"})
    assert (Names.union([]).capabilities, Names.union([]).fields) == (set(), set())


def test_the_data_is_read_from_inside_a_zip(tmp_path: Path) -> None:
    """A frozen application that carries the library in a zip selects as any other."""
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in sorted(SOURCES.rglob("*")):
            if path.suffix in {".py", ".json"}:
                zipped.write(path, Path("router") / path.relative_to(SOURCES))
    program = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "import router\n"
        f"assert router.__file__.startswith({str(archive)!r})\n"
        "print(len(router.Catalogue.bundled()))"
    )
    run = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert run.stdout == "33\n"


def test_a_missing_data_file_is_not_hidden() -> None:
    """Asking for data that is not shipped fails at once."""
    with pytest.raises(FileNotFoundError):
        read_packaged("absent.json")
