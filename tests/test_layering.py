"""The rooms of the library, and which way their doors open: every import that runs, anywhere in a file, points down."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import router

LAYERS = (
    ("_errors",),
    ("models",),
    ("models._vocabulary", "_fork", "_hooks", "_status"),
    ("models._field_types",),
    ("models._model", "models._index"),
    ("models._packaged_facts",),
    ("requirements",),
    ("requirements._satisfiability",),
    ("requirements._expression",),
    ("requirements._parser",),
    ("catalogue",),
    ("catalogue._policy",),
    ("catalogue._decision",),
    ("catalogue._catalogue",),
    ("catalogue._gate", "catalogue._why"),
    ("tools",),
    ("tools._audit", "tools._matrix"),
    ("locking",),
    ("locking._lockfile",),
    ("locking._answers",),
    ("refresh",),
    ("refresh._credential", "refresh._deadline", "refresh._tls", "refresh._http_errors"),
    ("refresh._listing",),
    ("refresh._http", "refresh._disk_cache"),
    ("refresh._flight", "refresh._sources"),
    ("refresh._loader",),
    ("requests",),
    ("requests._reading",),
    ("requests._fitting",),
    ("requests._fallbacks", "requests._routing"),
    ("execution",),
    ("execution._failures", "execution._conversations"),
    ("execution._cooldown",),
    ("execution._run",),
    ("integrations",),
    ("integrations.anthropic",),
    ("_router",),
    ("cli._terminal", "cli._json", "cli._options", "cli._files", "cli._writing"),
    ("cli._session", "cli._text"),
    ("cli._answer", "cli._matrix", "cli._page"),
    ("cli._audit", "cli._lock", "cli._route"),
    ("cli._commands",),
    ("cli",),
    ("__main__",),
)
"""Lowest first; neighbours on one floor do not know each other."""

CONFINED = {
    "anthropic": ("integrations.anthropic",),
    "httpx": ("refresh._http",),
    "tenacity": ("refresh._loader",),
    "cachetools": ("execution._conversations", "refresh._sources"),
    "filelock": ("refresh._disk_cache",),
    "platformdirs": ("refresh._disk_cache",),
    "click": (
        "cli._answer",
        "cli._audit",
        "cli._commands",
        "cli._lock",
        "cli._matrix",
        "cli._options",
        "cli._page",
        "cli._route",
        "cli._terminal",
        "cli._text",
    ),
    "pathspec": ("cli._files",),
    "rich": ("cli._terminal",),
    "tomli_w": ("locking._lockfile",),
}
EVERYWHERE = {"attrs", "__future__"}
FLOOR = {f"router.{name}": floor for floor, names in enumerate(LAYERS) for name in names}
PUBLIC = FLOOR["router._router"]
"""The floor of the package itself: only the command, which is above it, imports its public names."""

ROOT = Path(router.__file__).parent
FILES = {
    ".".join(["router", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Return every module that is imported when a file runs, in functions too; for a member, the module it is of."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from imports(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (
                full if (full := f"{module}.{alias.name}") in FILES else module
                for alias in node.names
            )
        else:
            yield from imports(ast.iter_child_nodes(node))


IMPORTS = {
    name: sorted(set(imports([ast.parse(path.read_bytes())]))) for name, path in FILES.items()
}


def test_every_room_has_a_floor() -> None:
    """A new module is put on a floor before it imports anything."""
    assert {*FLOOR, "router"} == FILES.keys()


@pytest.mark.parametrize("name", FLOOR)
def test_doors_open_downward(name: str) -> None:
    """A module imports only modules of lower floors; the package itself is as high as what it re-exports."""
    own = [target for target in IMPORTS[name] if target.partition(".")[0] == "router"]

    assert [target for target in own if FLOOR.get(target, PUBLIC) >= FLOOR[name]] == []


def test_the_package_imports_nothing() -> None:
    """`import router` runs no import but that of what a name needs, when it is used."""
    assert IMPORTS["router"] == ["__future__", "importlib"]


@pytest.mark.parametrize("package", CONFINED)
def test_each_dependency_has_its_room(package: str) -> None:
    """A dependency is imported by the rooms named for it, and by no other."""
    users = [
        name
        for name, targets in IMPORTS.items()
        if package in {target.partition(".")[0] for target in targets}
    ]

    assert users == sorted(f"router.{room}" for room in CONFINED[package])


def test_nothing_else_is_imported() -> None:
    """What is neither the library, nor the standard library, nor a dependency with a room is not imported."""
    used = {target.partition(".")[0] for targets in IMPORTS.values() for target in targets}

    assert used - sys.stdlib_module_names - {"router"} <= {*CONFINED, *EVERYWHERE}


def test_no_room_for_odds_and_ends() -> None:
    """A helper lives beside its caller."""
    last = {name.rpartition(".")[2] for name in FILES}

    assert not last & {
        "utils",
        "base",
        "types",
        "helpers",
        "constants",
        "manager",
        "common",
        "misc",
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import httpx", ["httpx"]),
        ("def f():\n    import httpx.auth", ["httpx.auth"]),
        (
            "try:\n    from router import _fork\nexcept E:\n    from router._fork import uncut",
            ["router._fork"] * 2,
        ),
        ("if TYPE_CHECKING:\n    import httpx\nelse:\n    import json", ["json"]),
        ("if typing.TYPE_CHECKING:\n    import httpx", []),
        ("from router import Catalogue", ["router"]),
        ("from . import model", ["."]),
    ],
)
def test_the_walk_sees(text: str, found: list[str]) -> None:
    """The walk sees an import wherever it stands, and none that is only for the type checker."""
    assert list(imports([ast.parse(text)])) == found
