"""TOML files: one error lists all of their problems."""

from __future__ import annotations

from pathlib import Path

import pytest

from router import ConfigurationError
from router._toml import TomlFile


def written(where: Path, text: str) -> TomlFile:
    """Return a file of that text."""
    path = where / "router.toml"
    path.write_text(text, encoding="utf-8")
    return TomlFile(path)


def test_all_problems_are_one_error(tmp_path: Path) -> None:
    """Each problem is a line with the file and the key; the first line counts them."""
    file = written(tmp_path, "a = 1\nb = 2\n")
    document = file.load()
    assert file.table("a", document["a"]) is None
    assert file.string("b", document["b"]) is None
    assert file.string("c", "text") == "text"
    assert file.table("d", {}) == {}

    with pytest.raises(ConfigurationError) as caught:
        file.finish()
    where = file.path
    assert caught.value.problems == (
        f"{where}: a: must be a table (got int)",
        f"{where}: b: must be a string (got 2)",
    )
    assert caught.value.places == (where,)
    assert str(caught.value) == (
        f"2 problems in {where}:\n"
        f"  {where}: a: must be a table (got int)\n"
        f"  {where}: b: must be a string (got 2)"
    )


def test_a_file_without_problems(tmp_path: Path) -> None:
    """A valid file raises nothing."""
    file = written(tmp_path, "a = 1\n")
    file.check_keys("", file.load(), ("a",))
    file.finish()


@pytest.mark.parametrize(
    ("missing", "is_told"),
    [
        ("catalogue", False),
        ("catalogue.source", False),
        ("catalogues", True),
        ("version", True),
    ],
)
def test_a_misspelt_key_is_one_problem(tmp_path: Path, missing: str, is_told: bool) -> None:
    """A key, or one in a table, that is only misspelt is not missing as well."""
    file = written(tmp_path, "[catalog]\n")
    file.check_keys("", file.load(), ("catalogue", "policies"))
    file.report_missing(missing)

    assert [each.partition(": ")[2] for each in file.problems] == [
        "catalog: unknown key; did you mean catalogue?",
        *([f"{missing}: is missing"] if is_told else []),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[a", "not a valid TOML file: "),
        (b"a = '\xff'", "not a valid TOML file: "),
        (b"a = " + b"[" * 10_000, "not a valid TOML file: "),
        (None, "cannot be read: Is a directory"),
    ],
    ids=["syntax", "not UTF-8", "nested", "directory"],
)
def test_what_is_no_toml_file(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """A file that cannot be read, or is not TOML, raises at once, with the cause."""
    path = tmp_path / "router.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        TomlFile(path).load()
    assert str(caught.value).startswith(f"{path}: {problem}")
    assert caught.value.__cause__ is not None
