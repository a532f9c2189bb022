"""What the application is told in its log is one line that says where it comes from."""

from __future__ import annotations

import ast
import importlib
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from inspect import currentframe
from pathlib import Path

import pytest
from locations import TESTS
from log_records import OWN, extras

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


def test_a_record_has_an_event_and_three_fields(caplog: pytest.LogCaptureFixture) -> None:
    """Each record has the same four fields, `None` where they do not apply, and others under a prefix."""
    LOG.warning("one", event="counted")
    LOG.warning("two", event="named", model_id="a", policy="b", attempt=3, name="c", status=529)

    assert [extras(record) for record in caplog.records] == [
        {"router_event": "counted", "model_id": None, "policy": None, "attempt": None},
        {
            "router_event": "named",
            "model_id": "a",
            "policy": "b",
            "attempt": 3,
            "router_name": "c",
            "router_status": 529,
        },
    ]
    formatter = logging.Formatter("%(router_event)s %(model_id)s %(message)s")
    assert [*map(formatter.format, caplog.records)] == ["counted None one", "named a two"]


@pytest.mark.parametrize(("text", "written"), FOREIGN.values(), ids=FOREIGN)
def test_fields_are_escaped(text: str, written: str, caplog: pytest.LogCaptureFixture) -> None:
    """A field ends no line either, whoever writes it."""
    LOG.warning("here", event="named", model_id=text, status=text)

    fields = extras(caplog.records[0])
    assert (fields["model_id"], fields["router_status"]) == (written, written)


def test_the_logger_of_the_library_gets_all() -> None:
    """A handler of `router` gets the records of every package, since they propagate."""
    records: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.name)

    handler = Keeping()
    logging.getLogger("router").addHandler(handler)
    try:
        Log("router.execution").warning("here", event="here")
        Log("router").warning("here", event="here")
    finally:
        logging.getLogger("router").removeHandler(handler)

    assert records == ["router.execution", "router"]


def test_what_nobody_reads_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    """Where the level is off, no argument is made a text."""
    caplog.set_level(logging.WARNING, "router")

    class Counted:
        texts = 0

        def __str__(self) -> str:
            Counted.texts += 1
            return "counted"

    LOG.info("%s", Counted(), event="counted", status=Counted())
    assert Counted.texts == 0
    LOG.warning("%s", Counted(), event="counted", status=Counted())
    assert Counted.texts > 0


LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "exception": "ERROR"}


def logged(tree: ast.Module) -> Iterator[tuple[str, str | None, frozenset[str]]]:
    """Yield the event, the level and the fields of each record that a module writes."""
    spread = {
        function.name: {
            key.value
            for node in ast.walk(function)
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict)
            for key in node.value.keys
            if isinstance(key, ast.Constant)
        }
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
    }
    for node in ast.walk(tree):
        given = {each.arg: each.value for each in getattr(node, "keywords", ())}
        if not isinstance(node, ast.Call) or "event" not in given:
            continue
        fields = {name for name in given if name is not None} - {"event"}
        if None in given:
            fields |= spread[getattr(getattr(given[None], "func", None), "attr", "")]
        yield (
            str(ast.literal_eval(given["event"])),
            LEVELS.get(getattr(node.func, "attr", "")),
            frozenset(fields),
        )


LOGGED = sorted(
    (event, level, fields)
    for name, text in TEXTS.items()
    if name != "router._log"
    for event, level, fields in logged(ast.parse(text))
)
PAGE = (TESTS.parent / "docs" / "observability.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z_]+)` \| ([A-Z]+) \| (.*) \| (.*?) ?\|$", PAGE, re.MULTILINE)


def test_the_page_lists_each_event() -> None:
    """The table of events on the page is that of the code: words, levels and fields, no more and no fewer."""
    written = {event: (level, fields) for event, level, fields in LOGGED}
    listed = {event: (level, {*re.findall("`(\\w+)`", more)}) for event, level, _, more in ROWS}

    assert len(written) == len(LOGGED)
    assert listed.keys() == written.keys()
    assert len(listed) == len(ROWS)
    for event, (level, fields) in written.items():
        own = {f"router_{name}" for name in fields - {"model_id", "policy", "attempt"}}
        assert listed[event] == (level or listed[event][0], own), event


def test_the_page_explains_each_field() -> None:
    """Each field of the table of events is explained on the page, and no other."""
    explained = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| [^|]* \|$", PAGE, re.MULTILINE)
    names = {name for cell in explained for name in re.findall("`(\\w+)`", cell)}

    used = {name for *_, more in ROWS for name in re.findall("`(\\w+)`", more)}
    assert names == used | {"model_id", "policy", "attempt"}


def test_no_field_is_one_of_logging() -> None:
    """No field has the name of an attribute of every record, which `logging` refuses."""
    names = {name for *_, fields in LOGGED for name in fields}

    assert not {f"router_{name}" for name in names} & OWN
    assert not {"model_id", "policy", "attempt", "router_event"} & OWN


def test_records_are_found() -> None:
    """A call that logs is seen, with the fields that a method of its module returns."""
    tree = ast.parse(
        "log.info('one', event='a', model_id=1, **self._more(x))\n"
        "write('two', event='b')\n"
        "def _more(self, x):\n    return {'status': 1}\n"
    )

    assert [*logged(tree)] == [
        ("a", "INFO", frozenset({"model_id", "status"})),
        ("b", None, frozenset()),
    ]
