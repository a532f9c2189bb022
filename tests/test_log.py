"""What the application is told in its log is one line that says where it comes from."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
from inspect import currentframe
from pathlib import Path

import pytest

import router
from router._errors import CatalogueUnavailableError
from router._log import Log

LOG = Log("router.somewhere")


@pytest.mark.parametrize("level", ["debug", "info", "warning", "exception"])
def test_a_record_says_where_it_was_written(level: str, caplog: pytest.LogCaptureFixture) -> None:
    """A record has the logger, the file, the function and the line of the call that wrote it, and the level asked."""
    caplog.set_level(logging.DEBUG, "router")
    frame = currentframe()
    assert frame is not None

    getattr(LOG, level)("%s of %d", "one", 2, event="counted"); line = frame.f_lineno  # fmt: skip # noqa: E702 - the same line

    (record,) = caplog.records
    assert (record.name, record.pathname, record.lineno) == ("router.somewhere", __file__, line)
    assert (record.funcName, record.getMessage()) == (
        "test_a_record_says_where_it_was_written",
        "one of 2",
    )
    assert record.levelname == {"exception": "ERROR"}.get(level, level.upper())


ROOT = Path(router.__file__).parent
TEXTS = {
    ".".join(["router", *path.relative_to(ROOT).with_suffix("").parts]): path.read_text(
        encoding="utf-8"
    )
    for path in sorted(ROOT.rglob("*.py"))
}
"""The modules of the library, and their text."""


@pytest.mark.parametrize(
    "name", [name for name, text in TEXTS.items() if "\nlog: Final = " in text]
)
def test_each_module_logs_under_its_own_name(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A module writes its log with the logger of its package."""
    importlib.import_module(name).log.warning("here", event="here")

    assert [record.name for record in caplog.records] == [name.rpartition(".")[0]]


def test_nobody_else_takes_a_logger() -> None:
    """Others are the command, which shows the log, and the wire, which watches that of httpx."""
    takers = {name for name, text in TEXTS.items() if "getLogger" in text}

    assert takers == {"router._log", "router.cli._session", "router.refresh._http"}


FOREIGN = {
    "two lines": ("one\nERROR forged", "one\\nERROR forged"),
    "no UTF-8": ("cache-\udcff", "cache-\\udcff"),
    "a command of a terminal": ("\x1b[2J", "\\x1b[2J"),
}


@pytest.mark.parametrize(("text", "written"), FOREIGN.values(), ids=FOREIGN)
def test_text_of_others_is_escaped(
    text: str, written: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What others name, or say in an error, ends no line of a log, and every handler can write it."""
    LOG.warning("%s and %s", text, ValueError(text), event="escaped")

    assert caplog.messages == [f"{written} and {written}"]


def test_an_argument_stays_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """A handler finds the arguments as they were given, where their text is harmless."""
    error = CatalogueUnavailableError("down")

    LOG.warning("%d %s", 3, error, event="kept")

    assert caplog.records[0].args == (3, error)


class _Unspeakable:
    def __str__(self) -> str:
        raise ZeroDivisionError


def test_what_cannot_be_logged_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An argument that raises where it is written raises nothing here."""
    LOG.warning("%s", _Unspeakable(), event="lost")

    assert caplog.messages == []


def test_logging_is_imported_when_something_is_logged() -> None:
    """To make a logger of ours imports no `logging`, which costs 20 ms; to write with it does."""
    code = """if True:
        import sys
        from router._log import Log
        before = "logging" in sys.modules
        Log("router").debug("nothing", event="nothing")
        print(before, "logging" in sys.modules)"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own text

    assert run.stdout.split() == ["False", "True"]
