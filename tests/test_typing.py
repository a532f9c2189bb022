from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import typing_example
import typing_hooks
from locations import ROOT

import router
from router import (
    CatalogueUnavailableError,
    ConfigurationError,
    LockError,
    NoModelError,
    UnknownModelError,
    resolve,
)

EXAMPLE = Path(typing_example.__file__)
HOOKS = Path(typing_hooks.__file__)

CACHE = ROOT / ".mypy_cache" / "from_outside"
"""Kept between runs: the first one takes half a minute."""

MISUSE = """\
from typing import assert_type
from router import Catalogue, Model, Router, StaticSource, require

catalogue = Catalogue.bundled()
found = catalogue.select("pdf_input", default=None)
found.id  # [union-attr]
assert_type(catalogue.select("pdf_input", default="none"), Model)  # [assert-type]
assert_type(Router().select("pdf_input", default=0), Model)  # [assert-type]
catalogue.select("pdf_input", citations=1.5)  # [call-overload]
catalogue.candidates("pdf_input", limit="3")  # [arg-type]
require(17)  # [arg-type]
catalogue["claude-opus-5-5"].max_tokens + 1  # [operator]
catalogue["claude-opus-5-5"].id = "other"  # [misc]
StaticSource([])  # [arg-type]
Router(object())  # [arg-type]
Router(ttl="1h")  # [arg-type]
Router(cache_dir=True)  # [arg-type]
Router(on_error="log")  # [arg-type]
Router(on_lock_broken="ignore")  # [arg-type]
Router().status().age + 1  # [operator]
Router().run("pdf_input", str, max_attempts="3")  # [arg-type]
Router().run_request({}, dict, max_attemps=3)  # [call-arg]
Router().begin("pdf_input", request=[])  # [arg-type]
Router().arefresh().models  # [attr-defined]
catalogue.unheard_of  # [attr-defined]
"""
"""Lines that must not pass, each with the code of its error."""


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, str]]:
    """The file, line and code of every error that mypy finds in the example and in the misuse, told in one run."""
    if find_spec("mypy") is None:
        pytest.skip("mypy is not installed: it is in the dependency group `typing` only")
    folder = tmp_path_factory.mktemp("mypy")
    misuse = folder / "misuse.py"
    misuse.write_text(MISUSE)
    home = Path(router.__file__).parents[1]
    path = {} if home.name == "site-packages" else {"MYPYPATH": str(home)}
    options = [
        "--strict",
        "--config-file=",
        f"--cache-dir={CACHE}",
        "--show-error-codes",
        "--no-pretty",
    ]

    run = subprocess.run(  # noqa: S603 - our own files
        [sys.executable, "-m", "mypy", *options, str(EXAMPLE), str(HOOKS), str(misuse)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | path,
    )

    assert run.returncode in {0, 1}, run.stderr
    found = re.findall(r"^(.+?):(\d+): error: .*  (\[[a-z-]+\])$", run.stdout, re.MULTILINE)
    return [(Path(file).name, int(line), code) for file, line, code in found]


def test_example_is_clean(errors: list[tuple[str, int, str]]) -> None:
    """Programs that use the public API from outside are clean under `mypy --strict`."""
    assert [each for each in errors if each[0] in {EXAMPLE.name, HOOKS.name}] == []


def test_example_is_clean_for_pyright(tmp_path: Path) -> None:
    """The same programs are clean in the strict mode of pyright."""
    if find_spec("pyright") is None:
        pytest.skip("pyright is not installed: it is in the dependency group `typing` only")
    programs = [shutil.copy(each, tmp_path) for each in (EXAMPLE, HOOKS)]
    home = Path(router.__file__).parents[1]
    settings = {"typeCheckingMode": "strict", "include": ["."]}
    settings |= {} if home.name == "site-packages" else {"extraPaths": [str(home)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))

    run = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    report = json.loads(run.stdout)
    assert report["summary"]["filesAnalyzed"] == len(programs)
    assert report["generalDiagnostics"] == []


def test_misuse_is_found(errors: list[tuple[str, int, str]]) -> None:
    """A program that misuses the public API is told so at each such line, and at no other."""
    expected = [
        (at, line.rpartition("# ")[2])
        for at, line in enumerate(MISUSE.splitlines(), 1)
        if "# [" in line
    ]

    assert [(line, code) for file, line, code in errors if file == "misuse.py"] == expected


def test_example_runs(caplog: pytest.LogCaptureFixture) -> None:
    """The program that is type-checked also does what it says."""
    catalogue = router.Catalogue.bundled()
    need = typing_example.requirements()

    typing_example.answers(catalogue, need)
    typing_example.models(catalogue)
    typing_example.routers(need)
    with pytest.raises(ConfigurationError, match="has ended"):  # a `ValueError` is the caller's own
        typing_example.runs(router.Router(router.BundledSource()), {"max_tokens": 1})
    policies = {"reports": router.Policy(require=need, name="reports")}
    assert isinstance(typing_example.locks(resolve(policies, catalogue).lock), LockError)

    assert len(typing_example.sources(catalogue)) == 6
    assert asyncio.run(typing_example.awaited()).source == "bundled"
    caught = [type(error) for error in typing_example.errors(catalogue)]
    assert caught == [NoModelError, UnknownModelError, CatalogueUnavailableError]
    assert typing_example.own() == "mine"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_hooks_run() -> None:
    """The functions that write every type do what they say, and the router calls the hooks."""
    catalogue = router.Catalogue.bundled()
    policies = {"reports": router.Policy(require="pdf_input", name="reports")}
    lock = typing_hooks.locked(policies, catalogue)
    request = {"max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}

    with typing_hooks.router_of(typing_hooks.OwnSource(), policies, lock) as held:
        assert typing_hooks.newest(held, "reports").id == catalogue.select("pdf_input").id
        assert typing_hooks.newest(held, None, pdf_input=True).id
        answered = typing_hooks.answered_by(held, request)
    with typing_hooks.router_of(typing_hooks.CachedSource("ours"), policies) as other:
        newest = other.select("pdf_input")
    assert typing_hooks.place_of(catalogue, newest, "pdf_input") == 1
    assert typing_hooks.supported(newest, "pdf_input") is True
    assert typing_hooks.places_of(request)["max_tokens >= 100"] == ("max_tokens",)
    problems = router.check_lock(lock, {}, catalogue)
    assert typing_hooks.kinds_of(problems) == [router.LockProblemKind.MISSING]
    assert f"{newest.id} -> {answered}" in typing_hooks.told
