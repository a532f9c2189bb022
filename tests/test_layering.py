"""The layers of the library: every import, in a function or for type checkers alone, points down."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import router

LAYERS = (
    ("_errors",),
    ("_serialising",),
    ("models",),
    ("models._vocabulary", "_arguments", "_fork", "_log", "_status", "_toml"),
    ("_hooks",),
    ("models._field_types", "models._packaged_facts"),
    ("models._entry", "models._index"),
    ("models._model",),
    ("models._entries",),
    ("requirements",),
    ("requirements._satisfiability",),
    ("requirements._expression",),
    ("requirements._literals",),
    ("requirements._needs",),
    ("requirements._parser",),
    ("catalogue",),
    ("catalogue._policy", "catalogue._lookup"),
    ("catalogue._policy_file", "catalogue._snapshot"),
    ("catalogue._terms", "catalogue._diff"),
    ("catalogue._explanation", "catalogue._ranking"),
    ("catalogue._deciding",),
    ("catalogue._decision",),
    ("catalogue._catalogue",),
    ("catalogue._gate", "catalogue._why"),
    ("tools",),
    ("tools._audit", "tools._matrix"),
    ("locking",),
    ("locking._lockfile",),
    ("locking._checking",),
    ("locking._resolution", "locking._answers"),
    ("refresh",),
    ("refresh._deadline", "refresh._http_errors", "refresh._late_imports", "refresh._tls"),
    ("refresh._credential", "refresh._freshness", "refresh._listing"),
    ("refresh._assembly", "refresh._disk_cache", "refresh._flight", "refresh._http"),
    ("refresh._notifier", "refresh._sdk_source", "refresh._sources"),
    ("refresh._fetcher", "refresh._shared_cache"),
    ("refresh._loader",),
    ("requests",),
    ("requests._values",),
    ("requests._tokens",),
    ("requests._reading",),
    ("requests._fitting",),
    ("requests._fallbacks", "requests._routing"),
    ("execution",),
    ("execution._failures", "execution._conversations"),
    ("execution._cooldown", "execution._attempts"),
    ("execution._options",),
    ("execution._run",),
    ("execution._driving",),
    ("_named_policies",),
    ("_choosing", "_startup_check"),
    ("_router",),
    ("integrations",),
    ("integrations.anthropic",),
    ("cli._terminal", "cli._json", "cli._options", "cli._files", "cli._writing"),
    ("cli._session", "cli._text"),
    ("cli._result", "cli._matrix", "cli._page"),
    ("cli._audit", "cli._lock", "cli._models", "cli._route"),
    ("cli._commands",),
    ("cli",),
    ("__main__",),
)
"""Lowest first; modules of one layer do not import each other."""

CONFINED = {
    "anthropic": ("integrations.anthropic",),
    "httpx": ("refresh._http", "refresh._sources"),
    "tenacity": ("refresh._fetcher",),
    "cachetools": ("execution._conversations", "refresh._sources"),
    "filelock": ("refresh._disk_cache",),
    "platformdirs": ("refresh._disk_cache",),
    "click": (
        "cli._result",
        "cli._audit",
        "cli._commands",
        "cli._lock",
        "cli._matrix",
        "cli._models",
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
LAYER = {f"router.{name}": layer for layer, names in enumerate(LAYERS) for name in names}
PUBLIC = LAYER["router._router"]
"""The layer of the package itself: only integrations and the command, above it, import its names."""

ROOT = Path(router.__file__).parent
FILES = {
    ".".join(["router", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Return every module that is imported anywhere in a file; for a member of a module, that module."""
    for node in nodes:
        if isinstance(node, ast.Import):
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


def test_every_module_has_a_layer() -> None:
    """A new module is put into a layer before it imports anything."""
    assert {*LAYER, "router"} == FILES.keys()


@pytest.mark.parametrize("name", LAYER)
def test_imports_point_down(name: str) -> None:
    """A module imports only modules of lower layers; the package itself is as high as what it re-exports."""
    own = [target for target in IMPORTS[name] if target.partition(".")[0] == "router"]

    assert [target for target in own if LAYER.get(target, PUBLIC) >= LAYER[name]] == []


def test_no_imports_go_round() -> None:
    """No module imports itself by way of others; only the package names modules that import it."""
    graph = {name: FILES.keys() & targets for name, targets in IMPORTS.items() if name != "router"}

    assert {*TopologicalSorter(graph).static_order()} >= graph.keys()


def test_the_package_imports_nothing() -> None:
    """`import router` imports nothing until a name is used: only type checkers see its imports."""
    tree = ast.parse(FILES["router"].read_bytes())
    tree.body = [node for node in tree.body if not isinstance(node, ast.If)]

    assert sorted(set(imports([tree]))) == ["__future__", "importlib"]


@pytest.mark.parametrize("package", CONFINED)
def test_each_dependency_is_confined(package: str) -> None:
    """A dependency is imported by the modules named for it, and by no other."""
    users = [
        name
        for name, targets in IMPORTS.items()
        if package in {target.partition(".")[0] for target in targets}
    ]

    assert users == sorted(f"router.{name}" for name in CONFINED[package])


def test_nothing_else_is_imported() -> None:
    """What is neither the library, nor the standard library, nor a confined dependency is not imported."""
    used = {target.partition(".")[0] for targets in IMPORTS.values() for target in targets}

    assert used - sys.stdlib_module_names - {"router"} <= {*CONFINED, *EVERYWHERE}


def test_no_module_is_for_odds_and_ends() -> None:
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


INTEGRATIONS = [name for name in FILES if name.startswith("router.integrations.")]


def private_uses(tree: ast.AST) -> Iterator[str]:
    """Return whatever of the library is no public name of it: modules, names, attributes of any object but `self`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from (name for name in names if name.partition(".")[0] == "router")
        elif isinstance(node, ast.ImportFrom) and node.module == "router" and not node.level:
            yield from (each.name for each in node.names if each.name not in router.__all__)
        elif isinstance(node, ast.ImportFrom):
            if node.level or (node.module or "").startswith("router."):
                yield f"{'.' * node.level}{node.module or ''}"
        elif isinstance(node, ast.Attribute) and re.match("_(?!_)", node.attr):
            is_own = isinstance(node.value, ast.Name) and node.value.id == "self"
            yield from [] if is_own else [node.attr]


@pytest.mark.parametrize("name", INTEGRATIONS)
def test_an_integration_uses_public_names(name: str) -> None:
    """An integration could be a package of its own: it uses nothing of the library but `router.__all__`."""
    assert list(private_uses(ast.parse(FILES[name].read_bytes()))) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from router import Router, Run\nself._kept, type(self).__name__", []),
        ("import router", ["router"]),
        ("if TYPE_CHECKING:\n    from router._router import Router", ["router._router"]),
        ("def f():\n    from router import _log", ["_log"]),
        ("from .._log import Log", [".._log"]),
        ("self._router._loader", ["_loader"]),
    ],
)
def test_private_uses_are_seen(text: str, found: list[str]) -> None:
    """What is private is found wherever it is used."""
    assert list(private_uses(ast.parse(text))) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import httpx", ["httpx"]),
        ("def f():\n    import httpx.auth", ["httpx.auth"]),
        (
            "try:\n    from router import _fork\nexcept E:\n    from router._fork import uncut",
            ["router._fork"] * 2,
        ),
        ("if TYPE_CHECKING:\n    import httpx\nelse:\n    import json", ["httpx", "json"]),
        ("if typing.TYPE_CHECKING:\n    import httpx", ["httpx"]),
        ("from router import Catalogue", ["router"]),
        ("from . import model", ["."]),
    ],
)
def test_the_walk_sees(text: str, found: list[str]) -> None:
    """The walk sees an import wherever it stands, also one that is only for type checkers."""
    assert list(imports([ast.parse(text)])) == found
