"""The text of the command: what a server sent reaches a terminal whole, and escaped."""

import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listings import EVIL, HOSTILE, HOSTILE_FIELD, LISTING, saved
from terminal import COMMANDS, Command, arguments_of, on_terminal, read

from router import Catalogue
from router.cli._commands import run

OURS: Final = re.compile(r"\x1b\[(0|1|2|31|32|33)m")
"""What the command itself writes to style its text."""


def tame(text: str) -> bool:
    """Say whether a terminal would show `text` and do nothing else."""
    return OURS.sub("", text).replace("\n", "").isprintable()


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("entries", [HOSTILE, HOSTILE_FIELD], ids=["values", "names"])
def test_what_a_server_names_is_escaped(tmp_path: Path, name: str, entries: list[object]) -> None:
    """Ids, names and values reach a terminal as escapes, in the answer and in the footer."""
    ran = on_terminal(
        run, *arguments_of(name, "claude-evil-1"), "--source", saved(tmp_path, entries)
    )
    assert ran.status == 0
    assert tame(ran.out)
    assert tame(ran.err)


@pytest.mark.parametrize("name", ["models", "candidates", "show"])
def test_what_a_server_names_is_shown_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An escape tells what was there, and brackets are no markup."""
    monkeypatch.setenv("COLUMNS", "300")
    ran = on_terminal(
        run, *arguments_of(name, "claude-evil-1"), "--source", saved(tmp_path, HOSTILE)
    )
    assert r" line \x1b[45m\x1b]0;owned\x07\r\n\x00\u202e\x85\u2028\ud800[red]x[/red][/]" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["select", "footnotes_and_reference"], r"footnotes_and_references\x1b[45m\u202e"),
        (["show", "claude-evil-7\x1b[45m"], r"claude-evil-7\x1b[45m\u202e"),
        (["explain", "line == small"], r"(is line \x1b[45m"),
        (["select", "line == small"], r"(is line \x1b[45m"),
        (["supports", "claude-evil-1", "line == small and weight == 3"], r"(is line \x1b[45m"),
    ],
)
def test_an_error_escapes_what_a_server_named(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    """Suggestions and values in a reason are as dangerous as an answer."""
    ran = on_terminal(run, *arguments, "--source", saved(tmp_path, HOSTILE))
    assert said in ran.out + ran.err
    assert ran.status in {1, 2}
    assert tame(ran.out)
    assert tame(ran.err)


@pytest.mark.parametrize(
    "id",
    ["claude\x1b[45m", "claude\r", "claude\u202e", "[red]", "claude\ud800", "", " claude", "\x00"],
)
def test_an_id_that_is_none_is_told_escaped(tmp_path: Path, id: str) -> None:
    """A listing with such an id is refused."""
    ran = on_terminal(run, "models", "--source", saved(tmp_path, [{"id": id}]))
    assert (ran.status, ran.out) == (3, "")
    assert "data[0].id" in ran.err
    assert tame(ran.err)


@pytest.mark.parametrize("content", [None, "hello"])
def test_the_name_of_a_file_is_escaped(tmp_path: Path, content: str | None) -> None:
    """A file name from an archive may be as hostile as a listing."""
    path = tmp_path / "evil\x1b[45m\udcff.json"
    if content:
        path.write_text(content, encoding="utf-8")
    ran = on_terminal(run, "models", "--source", str(path))
    assert (ran.status, ran.out) == (3, "")
    assert tame(ran.err)


@pytest.mark.parametrize("name", COMMANDS)
def test_json_of_a_hostile_listing_is_ascii_and_true(
    command: Command, tmp_path: Path, name: str
) -> None:
    """Programs get what the server sent, in a spelling that no terminal acts on."""
    ran = command(
        *arguments_of(name, "claude-evil-1"), "--source", saved(tmp_path, HOSTILE_FIELD), "--json"
    )
    answer = read(ran)
    if name == "show":
        assert answer["model"]["values"]["line"] == f"line {EVIL}"
        assert answer["model"]["capabilities"][f"citations{EVIL}.deep{EVIL}"] is True
    if name == "models":
        (shown,) = answer["models"]
        assert shown == Catalogue.from_listing(HOSTILE_FIELD).models[0].to_dict()


def test_a_hostile_listing_survives_the_round_trip(command: Command, tmp_path: Path) -> None:
    """Saved and read again it has the same digest."""
    first = saved(tmp_path, HOSTILE_FIELD)
    again = tmp_path / "again.json"
    again.write_text(command("models", "--source", first, "--raw").out, encoding="utf-8")
    digests = {
        read(command("refresh", "--source", path, "--json"))["catalogue"]["digest"]
        for path in (first, str(again))
    }
    assert digests == {Catalogue.from_listing(HOSTILE_FIELD).digest}


TEXT: Final = st.text(st.characters(), max_size=6)
SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
INNER: Final = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(TEXT, SCALARS, max_size=3)
VALUES: Final = SCALARS | st.lists(INNER, max_size=3) | st.dictionaries(TEXT, INNER, max_size=3)
FIELDS: Final = st.sampled_from(
    [*LISTING[1], "access", "aliases", "replacement", "traits", "supported", "input"]
)
NODES: Final = st.sampled_from(["pdf_input", "effort", "types", "supported"])


@settings(max_examples=40)
@given(
    st.dictionaries(FIELDS | TEXT, VALUES, max_size=6),
    st.none() | st.dictionaries(NODES | TEXT, VALUES, max_size=3),
)
def test_no_listing_brings_the_command_down(
    tmp_path_factory: pytest.TempPathFactory,
    fields: dict[str, Any],
    capabilities: dict[str, Any] | None,
) -> None:
    """Whatever an entry holds, each command answers in text that every terminal can show, and in JSON."""
    path = saved(
        tmp_path_factory.getbasetemp(),
        [{**fields, "id": "claude-any", "capabilities": capabilities}],
    )
    for name in COMMANDS:
        for also in ([], ["--json"]):
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                status = run([*arguments_of(name, "claude-any"), "--source", path, *also])
            assert status in {0, 1}, err.getvalue()
            assert (out.getvalue() + err.getvalue()).replace("\n", "").isprintable()
            if also:
                json.loads(out.getvalue(), parse_constant=pytest.fail)
