"""The types in the signatures of the public names: users can import each of them, and so write it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

import router

INTERNAL: Final = {
    "Catalogue": {"index", "filter_masks", "with_names", "names"},
    "Model": {"names"},
    "Requirement": {"all_references", "collect_references", "constrain", "masks", "references"},
    "RequestRequirement": {
        "all_references",
        "collect_references",
        "constrain",
        "masks",
        "references",
    },
}
"""The members that only the library's own modules use, by the name of the class."""

SPECIAL: Final = {"__init__", "__getitem__", "__iter__", "__enter__", "__call__"}
"""The special methods that users call."""

MADE_BY_THE_LIBRARY: Final = {
    *("Catalogue", "Decision", "Model", "NoModelError", "RequestRequirement", "Run"),
}
"""The classes that users do not construct."""


@cache
def names_of(module: str) -> dict[str, str]:
    """Return each name that a module imports or defines, with its home; imports for type checkers included."""
    path = inspect.getsourcefile(import_module(module))
    assert path is not None
    homes: dict[str, str] = {}
    for node in ast.walk(ast.parse(Path(path).read_bytes())):
        if isinstance(node, ast.ImportFrom):
            homes |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    own = vars(import_module(module))
    defined = {name for name, each in own.items() if not inspect.ismodule(each)}
    return {name: f"{module}.{name}" for name in defined - homes.keys()} | homes


def types_in(annotation: object, module: str) -> Iterator[str]:
    """Yield the homes of the names of the library in an annotation, except type variables."""
    for node in ast.walk(ast.parse(str(annotation))):
        home = names_of(module).get(node.id, "") if isinstance(node, ast.Name) else ""
        owner, _, name = home.rpartition(".")
        if owner.startswith("router.") and not isinstance(
            getattr(import_module(owner), name), TypeVar
        ):
            yield home


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield each annotation of the members of a class, with the name of the member."""
    for name, member in vars(owner).items():
        accessed = (
            member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        )
        if inspect.isfunction(accessed):
            yield from ((name, each) for each in inspect.get_annotations(accessed).values())
    yield from inspect.get_annotations(owner).items()


def annotated(name: str) -> Iterator[tuple[object, str]]:
    """Yield every annotation that a user of a public name meets."""
    value, home = getattr(router, name), f"router.{router._HOMES[name]}"
    if inspect.isfunction(value):
        yield from ((each, home) for each in inspect.get_annotations(value).values())
    elif not inspect.isclass(value):
        yield alias_of(name, home), home
    else:
        hidden = INTERNAL.get(name, set()) | (
            {"__init__"} if name in MADE_BY_THE_LIBRARY else set()
        )
        for kind in value.__mro__:
            if kind.__module__.startswith("router."):
                for member, each in members(kind):
                    if member not in hidden and (member[0] != "_" or member in SPECIAL):
                        yield getattr(each, "__forward_arg__", each), kind.__module__


def alias_of(name: str, module: str) -> str:
    """Return the text of the type that a public name stands for."""
    source = inspect.getsource(import_module(module))
    (value,) = (
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == [name]
    )
    return ast.unparse(value)


@pytest.mark.parametrize("name", router.__all__)
def test_each_type_in_a_signature_is_public(name: str) -> None:
    """Every type of the library in the signature, the members or the fields of a public name is public itself."""
    homes = {home for each, module in annotated(name) for home in types_in(each, module)}

    public = {f"router.{home}.{each}" for each, home in router._HOMES.items()}
    assert sorted(homes - public) == []
