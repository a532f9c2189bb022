from __future__ import annotations

import ast
import inspect
import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest

import router
from router import Router, RouterError

DESIGNED = {
    *("Router", "Catalogue", "Model", "Requirement", "require", "Policy", "Decision", "Reason"),
    *("AnthropicSource", "BundledSource", "FileSource", "SDKSource", "StaticSource"),
}
"""The names of the design that this release has."""

MODULES = ["router", *(each.name for each in pkgutil.walk_packages(router.__path__, "router."))]


def test_all_is_sorted_and_complete() -> None:
    """`__all__` is the table of homes: sorted, each name once, none private, all of the design's and every error."""
    modules = map(import_module, MODULES)
    public_errors = {
        name
        for module in modules
        for name, each in vars(module).items()
        if inspect.isclass(each) and issubclass(each, RouterError) and not name.startswith("_")
    }

    assert router.__all__ == sorted(set(router.__all__)) == sorted(router._HOMES)
    assert not any(name.startswith("_") for name in router.__all__)
    assert set(router.__all__) >= DESIGNED | public_errors


def tree_of(module: ModuleType) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(inspect.getsource(module))


def defined_by(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    return [ast.unparse(each) for each in node.targets] if isinstance(node, ast.Assign) else []


@pytest.mark.parametrize("name", router.__all__)
def test_each_name_is_its_home_s(name: str) -> None:
    """Each name is what its module defines under that name, and not what it imports."""
    home = import_module(f"router.{router._HOMES[name]}")

    assert getattr(router, name) is vars(home)[name]
    assert name in {each for node in tree_of(home).body for each in defined_by(node)}


def test_type_checkers_see_the_same() -> None:
    """What is imported for type checkers alone is `__all__`, from the same homes, under the same names."""
    tree = ast.parse(Path(router.__file__).read_bytes())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        (alias,) = node.names
        assert alias.asname == alias.name
        seen[alias.name] = str(node.module).removeprefix("router.")

    assert seen == router._HOMES


def test_star_import() -> None:
    """A star import brings just the public names."""
    names: dict[str, object] = {}

    exec("from router import *", names)  # noqa: S102 - a star import stands in no function

    assert sorted(names.keys() - {"__builtins__"}) == router.__all__


def test_no_other_name() -> None:
    """A name that is not public is an `AttributeError`, and `dir` lists the public ones."""
    with pytest.raises(AttributeError, match="module 'router' has no attribute 'Routr'"):
        router.Routr  # noqa: B018 - asking is what raises
    assert dir(router) == sorted([*router.__all__, "__version__"])


def test_py_typed() -> None:
    """The package says that it is typed."""
    assert (Path(router.__file__).parent / "py.typed").is_file()


def test_wheel() -> None:
    """The wheel has the mark of typed packages, the data and the command, and neither tests nor benchmarks."""
    try:
        installed = distribution("capability-router")
    except PackageNotFoundError:
        pytest.skip("capability-router is not installed: the tests run on a checkout")
    if (
        json.loads(installed.read_text("direct_url.json") or "{}")
        .get("dir_info", {})
        .get("editable")
    ):
        pytest.skip("capability-router is installed in editable form: there is no wheel")
    files = {PurePosixPath(path) for path in installed.files or ()}
    data = {
        PurePosixPath("router/data", name)
        for name in ("bundled.json", "documented.json", "vocabulary.json")
    }

    assert {
        PurePosixPath("router/py.typed"),
        PurePosixPath("router/cli/__init__.py"),
        *data,
    } <= files
    assert {path.parts[0] for path in files} & {"tests", "benchmarks"} == set()
    assert [each.name for each in installed.entry_points] == ["router"]
    assert installed.version == router.__version__


def documented() -> Iterator[tuple[str, object]]:
    """Return every module, public class, function, method and property of the library, by name."""
    for module_name in MODULES:
        module = import_module(module_name)
        yield module_name, module
        for name, each in vars(module).items():
            if name.startswith("_") or getattr(each, "__module__", None) != module_name:
                continue
            if inspect.isclass(each):
                yield f"{module_name}.{name}", each
                for member_name, member in vars(each).items():
                    function = (
                        member.__func__
                        if isinstance(member, (classmethod, staticmethod))
                        else member
                    )
                    if not member_name.startswith("_") and isinstance(
                        function, (property, type(documented))
                    ):
                        yield f"{module_name}.{name}.{member_name}", getattr(each, member_name)
            elif inspect.isroutine(each):
                yield f"{module_name}.{name}", each


def test_everything_public_says_what_it_means() -> None:
    """Every module and every public class, function, method and property has a docstring, its own or inherited."""
    found = dict(documented())

    assert len(found) > 150
    assert [name for name, each in found.items() if not (inspect.getdoc(each) or "").strip()] == []


def test_docstrings_begin_with_a_sentence() -> None:
    """The first line of a public docstring is one whole sentence; that of a type's name follows it."""
    for name in router.__all__:
        first = [*docstring_of(name).splitlines(), ""][0]

        assert first.endswith("."), f"{name}: {first}"


def docstring_of(name: str) -> str:
    """Return the docstring of a public class or function, or the one after the name of a type."""
    value = getattr(router, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        return inspect.getdoc(value) or ""
    body = tree_of(import_module(f"router.{router._HOMES[name]}")).body
    (after,) = [after for node, after in pairwise(body) if name in defined_by(node)]
    return ast.literal_eval(after.value) if isinstance(after, ast.Expr) else ""


def test_sync_and_async_in_parity() -> None:
    """What can be awaited of a router can be called, with the same arguments and the same answer."""
    methods = dict(inspect.getmembers(Router, inspect.isfunction))
    awaited = [name for name in methods if inspect.iscoroutinefunction(methods[name])]

    assert awaited == ["__aenter__", "__aexit__", "arefresh", "arun", "arun_request", "ready"]
    called_instead = {"__aenter__": "__enter__", "__aexit__": "__exit__", "ready": "check"}
    for name in awaited:
        sync = methods[called_instead.get(name, name.removeprefix("a"))]
        assert not inspect.iscoroutinefunction(sync)
        signature = inspect.signature(methods[name])
        for call in [
            each for name, each in signature.parameters.items() if name in {"call", "create"}
        ]:
            called = call.replace(annotation=call.annotation.replace("Awaitable[Value]", "Value"))
            taken = [called if each is call else each for each in signature.parameters.values()]
            signature = signature.replace(parameters=taken)
        assert inspect.signature(sync) == signature
