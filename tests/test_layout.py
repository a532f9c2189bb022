"""The limits of the layout: how large a module, a function and a class may be, and what lies at the top level."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest
from locations import ROOT

import router

PACKAGE: Final = Path(router.__file__).parent
SOURCES: Final = {
    str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
LONGEST_MODULE: Final = 450
LONGEST_FUNCTION: Final = 60
LONG_FUNCTION: Final = 25
SHARE_OF_LONG_FUNCTIONS: Final = 0.1
MOST_ATTRIBUTES: Final = 15

TOP_LEVEL: Final = {
    *("router", "tests", "benchmarks", "docs", "facts"),
    *("pyproject.toml", "tox.ini", "action.yml"),
    *("README.md", "LICENSE", "CHANGELOG.md"),
}


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the name and the length of each function, its docstring included and its decorators not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def attributes(node: ast.ClassDef) -> set[str]:
    """Return the fields of a class and what its methods set of `self`."""
    fields = {
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and "ClassVar" not in ast.unparse(each.annotation)
    }
    assigned = {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute)
        and isinstance(each.ctx, ast.Store)
        and isinstance(each.value, ast.Name)
        and each.value.id == "self"
    }
    return fields | assigned


@pytest.mark.parametrize("path", SOURCES)
def test_no_module_is_too_long(path: str) -> None:
    """A module that grows beyond the limit holds more than one matter."""
    assert len(SOURCES[path].splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", SOURCES)
def test_no_function_is_too_long(path: str) -> None:
    """A function fits on a screen."""
    lengths = functions(ast.parse(SOURCES[path]))

    assert [each for each in lengths if each[1] > LONGEST_FUNCTION] == []


def test_most_functions_are_short() -> None:
    """At most a tenth of all functions is longer than a paragraph."""
    lengths = [length for text in SOURCES.values() for _, length in functions(ast.parse(text))]
    long = sum(length > LONG_FUNCTION for length in lengths)

    assert long <= SHARE_OF_LONG_FUNCTIONS * len(lengths)


@pytest.mark.parametrize("path", SOURCES)
def test_no_class_has_too_many_attributes(path: str) -> None:
    """A class with more state than one can keep in mind is more than one class."""
    classes = [
        each for each in ast.walk(ast.parse(SOURCES[path])) if isinstance(each, ast.ClassDef)
    ]

    assert [each.name for each in classes if len(attributes(each)) > MOST_ATTRIBUTES] == []


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if Path(path).stem not in {"__init__", "__main__"}]
)
def test_each_module_has_its_tests(path: str) -> None:
    """The tests of a module are in the file of its name, in the folder of the same name."""
    module = Path(path)

    assert (ROOT / "tests" / module.parent / f"test_{module.stem.removeprefix('_')}.py").is_file()


def test_the_architecture_names_each_module() -> None:
    """The page on the architecture names the modules that there are, and no other."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/` \| (.*) \|$", page, re.MULTILINE)
    named = {
        (folder, name) for folder, row in rows for name in re.findall(r"`(_\w+|anthropic)`", row)
    }

    assert named == {
        (parent or "router", name)
        for path in SOURCES
        for parent, name in [(str(Path(path).parent).strip("."), Path(path).stem)]
        if name not in {"__init__", "__main__"}
    }


def test_the_top_level_is_tidy() -> None:
    """Nothing lies at the top level but what is named here, dot-files and what git ignores."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}

    assert {
        name for name in names - TOP_LEVEL if not any(fnmatch(name, each) for each in ignored)
    } == set()
    assert names >= TOP_LEVEL - {"facts", "action.yml"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f():\n    pass", [("f", 2)]),
        ("@one\nasync def f(\n    a,\n):\n    def g(): pass\n    return g", [("f", 5), ("g", 1)]),
    ],
)
def test_functions_are_measured(text: str, found: list[tuple[str, int]]) -> None:
    """A function is as long as it is from its name on, and one inside another is counted too."""
    assert list(functions(ast.parse(text))) == found


def test_attributes_are_counted() -> None:
    """Fields and what is set of `self` count once each; constants of the class do not."""
    (node,) = ast.parse(
        "class A:\n    x: int\n    y: ClassVar[int] = 1\n    z = 2\n"
        "    def f(self, other):\n        self.x = self.w = 1\n        other.v = self.u"
    ).body

    assert isinstance(node, ast.ClassDef)
    assert attributes(node) == {"x", "w"}
