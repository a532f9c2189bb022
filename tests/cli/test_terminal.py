"""The terminal of the command: footers, styles, widths and encodings."""

import json
import os
import re
from pathlib import Path
from typing import Final

import pytest
from listings import saved
from terminal import (
    COMMANDS,
    STYLED,
    Command,
    Ran,
    arguments_of,
    environment,
    on_terminal,
    spawned,
    spawned_on_terminal,
)

from router import Catalogue
from router.cli._commands import run


def test_the_footer_tells_a_person_of_the_model(listing: str) -> None:
    """Its name, release, price, context and output, and which catalogue of which date answered."""
    os.utime(listing, (1_790_000_000, 1_790_000_000))
    status, out, err = on_terminal(run, "select", "effort.max", "--source", listing)
    assert (status, out) == (0, "claude-large-2\n")
    assert STYLED.sub("", err).splitlines() == [
        "Claude Large 2  released 2026-09-21  $4.5 in, $20 out per million tokens  1M context  128k output",
        "file catalogue of 2026-09-21 14:13Z, 4 models",
    ]


@pytest.mark.parametrize("out", [True, False])
def test_the_footer_is_for_standard_error_on_a_terminal(out: bool, listing: str) -> None:
    """Standard output has the id alone, on a terminal and in `MODEL=$(router select ...)`."""
    assert on_terminal(run, "select", "--source", listing, out=out, err=False) == Ran(
        0, "claude-small-2\n", ""
    )
    ran = on_terminal(run, "select", "--source", listing, out=out)
    assert ran.out == "claude-small-2\n"
    assert "Claude Small 2" in ran.err


def test_the_footer_leaves_out_what_is_unknown(tmp_path: Path) -> None:
    """A model of which only the id is known has that for a name, and a note on its date."""
    path = saved(tmp_path, [{"id": "claude-bare"}])
    name, catalogue, note = STYLED.sub(
        "", on_terminal(run, "select", "--source", path).err
    ).splitlines()
    assert name == "claude-bare"
    assert catalogue.startswith("file catalogue of ")
    assert (
        note == "note: claude-bare has no known release date, so it ranks after every dated model"
    )


@pytest.mark.parametrize(
    "arguments",
    [["select", "line == none"], ["explain"], ["models"], ["show", "claude-first"], ["refresh"]],
)
def test_a_terminal_is_told_which_catalogue_answered(listing: str, arguments: list[str]) -> None:
    """On standard error, after the answer, where it does not get into the way of it."""
    ran = on_terminal(run, *arguments, "--source", listing)
    assert re.fullmatch(
        r"file catalogue of \d{4}-\d\d-\d\d \d\d:\d\dZ, 4 models",
        STYLED.sub("", ran.err).splitlines()[-1],
    )
    assert "file catalogue" not in ran.out


@pytest.mark.parametrize("name", COMMANDS)
def test_json_on_a_terminal_is_json_alone(listing: str, name: str) -> None:
    """No footer, no colour, no table."""
    ran = on_terminal(run, *arguments_of(name, "claude-first"), "--source", listing, "--json")
    assert (ran.status, ran.err) == (0, "")
    json.loads(ran.out)


@pytest.mark.parametrize("name", ["select", "explain", "models", "show"])
def test_a_terminal_has_styles(listing: str, name: str) -> None:
    """There a person is helped to find what matters."""
    ran = on_terminal(run, *arguments_of(name, "claude-small-2"), "--source", listing)
    assert STYLED.search(ran.out + ran.err)


def test_support_is_coloured_on_a_terminal(listing: str) -> None:
    """Each of the three kinds has a colour of its own."""
    out = on_terminal(run, "show", "claude-small-2", "--source", listing).out
    assert "  \x1b[32m✓\x1b[0m pdf_input " in out
    assert "  \x1b[31m✗\x1b[0m effort.max " in out
    assert "  \x1b[33m?\x1b[0m citations " in out


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("option", "variable"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})]
)
def test_no_colour_means_no_styles_at_all(
    listing: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    option: list[str],
    variable: dict[str, str],
) -> None:
    """The option and the variable hold on a terminal, for every command alike; and a dumb terminal knows no style."""
    for each, value in variable.items():
        monkeypatch.setenv(each, value)
    ran = on_terminal(run, *arguments_of(name, "claude-small-2"), "--source", listing, *option)
    assert ran.status == 0
    assert not STYLED.search(ran.out + ran.err)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_pipe_gets_no_escape_sequence(command: Command, listing: str, name: str) -> None:
    """Text in a pipe is for programs."""
    ran = command(*arguments_of(name, "claude-small-2"), "--source", listing)
    assert "\x1b" not in ran.out + ran.err


def test_a_narrow_terminal_never_cuts_an_id() -> None:
    """At fifty columns every id stands whole in its line."""
    lines = spawned_on_terminal("models", "--no-color", columns=50).out.splitlines()
    starts = {STYLED.sub("", line).split(" ")[0] for line in lines}
    assert {model.id for model in Catalogue.bundled()} <= starts


@pytest.mark.parametrize("columns", [50, 60, 80, 100])
@pytest.mark.parametrize("name", ["models", "candidates"])
def test_a_table_is_no_wider_than_the_terminal(name: str, columns: int) -> None:
    """No line is longer than the terminal is wide, so that none is broken by it; and none is empty."""
    text = STYLED.sub("", spawned_on_terminal(name, columns=columns).out)
    lines = text.splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) <= columns
    assert all(line.strip() for line in lines)


@pytest.mark.parametrize("length", [60, 256])
@pytest.mark.parametrize("name", ["models", "candidates"])
def test_an_id_longer_than_the_terminal_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, length: int
) -> None:
    """It may be folded, but every character of it is there to be copied."""
    monkeypatch.setenv("COLUMNS", "50")
    path = saved(tmp_path, [{"id": "q" * length, "line": "opus"}])
    assert on_terminal(run, name, "--source", path).out.count("q") == length


ENCODINGS: Final = ["ascii", "latin-1", "cp1252"]
LOCALES: Final = [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
]


def piped(*arguments: str, encoding: str) -> Ran:
    """Run the command in this process, its outputs pipes of this encoding."""
    return on_terminal(run, *arguments, out=False, err=False, encoding=encoding)


def has_plain_marks(ran: Ran) -> bool:
    """Say whether the command showed a model with marks of ASCII."""
    lines = ran.out.splitlines()
    marks = [
        next(line[:4] for line in lines if f" {name} " in line)
        for name in ("pdf_input", "effort.max", "citations")
    ]
    return (ran.status, ran.err, marks) == (0, "", ["  + ", "  - ", "  ? "])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_marks_stay_readable_without_unicode(encoding: str, listing: str) -> None:
    """Where the output cannot encode the marks, plain ones stand for them."""
    assert has_plain_marks(piped("show", "claude-small-2", "--source", listing, encoding=encoding))


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_marks_stay_readable_in_a_plain_locale(locale: dict[str, str], listing: str) -> None:
    """A process takes the encoding from its environment."""
    arguments = ["show", "claude-small-2", "--source", listing]
    assert has_plain_marks(spawned(*arguments, environ=environment(**locale)))


def foreign(where: Path) -> str:
    """Save a model with names in other scripts, and return the path of the listing."""
    entry = {"id": "claude-u", "display_name": "モデル", "line": "größe"}
    return saved(where, [entry | {"capabilities": {"日本": {"supported": True}}}])


def names_the_model(ran: Ran) -> bool:
    """Say whether the command printed the model with names in other scripts."""
    return ran.status == 0 and "claude-u" in ran.out and "Traceback" not in ran.err


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("name", ["models", "show"])
def test_no_name_is_beyond_an_encoding(
    tmp_path: Path, name: str, terminal: bool, encoding: str
) -> None:
    """A model with names in another script is listed on every output, if need be escaped."""
    arguments = [*arguments_of(name, "claude-u"), "--source", foreign(tmp_path)]
    assert names_the_model(
        on_terminal(run, *arguments, out=terminal, err=terminal, encoding=encoding)
    )


@pytest.mark.sample(2)
@pytest.mark.parametrize("locale", LOCALES, ids=str)
@pytest.mark.parametrize("runs", [spawned, spawned_on_terminal])
@pytest.mark.parametrize("name", ["models", "show"])
def test_no_name_is_beyond_a_plain_locale(
    tmp_path: Path, runs: Command, name: str, locale: dict[str, str]
) -> None:
    """A process takes the encoding from its environment."""
    arguments = [*arguments_of(name, "claude-u"), "--source", foreign(tmp_path)]
    assert names_the_model(runs(*arguments, environ=environment(**locale)))
