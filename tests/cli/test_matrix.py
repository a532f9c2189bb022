"""The matrix as text: a picture on a terminal, a table in a pipe, and JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from listings import saved
from matrix_listings import MARKS
from terminal import (
    STYLED,
    Command,
    Ran,
    environment,
    on_terminal,
    reference,
    spawned,
    spawned_on_terminal,
)

from router import Catalogue
from router.cli._commands import run
from router.tools._matrix import matrix


def seen(out: str) -> dict[tuple[str, str], str]:
    """Read the picture as a person does: the mark of each model below the place where a name begins."""
    marks = {}
    for block in STYLED.sub("", out).split("\n\n")[:-1]:
        names: dict[int, str] = {}
        offset = 0
        for line in block.splitlines():
            head = re.match(r"(?:│ +)*(╭ )?", line)
            assert head
            if head[1]:
                offset = head.end() - 2
                names[offset] = line[head.end() :]
            elif head[0]:
                names[offset] += line[head.end() :]
            elif line[0] != " ":
                id = line[max(names) + 3 :].split()[0]
                marks.update({(id, name): line[at] for at, name in names.items()})
    return marks


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
def test_the_picture_says_what_the_catalogue_says(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """At any width each model has its mark for each capability once, and no line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    catalogue = Catalogue.bundled()
    ran = on_terminal(run, "matrix", "--where", "line in (opus, haiku)")

    models = catalogue.where("line in (opus, haiku)")
    names = matrix(catalogue).capabilities
    assert seen(ran.out) == {
        (model.id, name): MARKS[model.support(name)] for model in models for name in names
    }
    assert max(len(line) for line in STYLED.sub("", ran.out).splitlines()) <= columns
    assert STYLED.sub("", ran.out).endswith("\n✓ supported  ✗ unsupported  ? unknown\n")


def test_a_wide_terminal_has_one_block_and_a_narrow_one_folds() -> None:
    """The models are repeated only where the columns do not fit beside each other."""
    blocks = {
        columns: spawned_on_terminal("matrix", columns=columns).out.count("claude-opus-5-5")
        for columns in (80, 200)
    }

    assert blocks[200] == 1 < blocks[80]


def test_a_family_stays_together_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block ends before a family that would be cut in two, unless no block could hold it."""
    begun = {}
    for columns in (28, 50, 64):
        monkeypatch.setenv("COLUMNS", str(columns))
        out = on_terminal(
            run,
            "matrix",
            "--only",
            "effort",
            "--only",
            "thinking",
            "--where",
            "line == sonnet",
            "--no-color",
        ).out
        begun[columns] = [re.findall(r"╭ (\S+)\n", block)[0] for block in out.split("\n\n")[:-1]]

    assert begun == {
        28: ["effort", "effort.xhigh", "thinking.adaptive"],
        50: ["effort", "thinking"],
        64: ["effort"],
    }


def test_stages_are_marked(matrix_listing: str) -> None:
    """What is retired, or of limited access, says so beside its id."""
    out = STYLED.sub(
        "", on_terminal(run, "matrix", "--only", "pdf_input", "--source", matrix_listing).out
    )

    assert out == (
        "╭ pdf_input\n✓  claude-new  limited\n?  claude-old  retired\n\n✓ supported  ✗ unsupported  ? unknown\n"
    )


def test_each_mark_has_a_colour_of_its_own(matrix_listing: str) -> None:
    """Colour helps whoever sees it; the marks differ without."""
    out = on_terminal(run, "matrix", "--only", "effort", "--source", matrix_listing).out

    assert {"\x1b[32m✓\x1b[0m", "\x1b[31m✗\x1b[0m", "\x1b[33m?\x1b[0m"} <= {
        *re.findall(r"\x1b\[3\dm.\x1b\[0m", out)
    }


def test_an_id_longer_than_the_terminal_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is folded, and every character of it is there in each block."""
    monkeypatch.setenv("COLUMNS", "50")
    path = saved(tmp_path, [{"id": "q" * 256, "lifecycle": "retired"}])
    out = on_terminal(run, "matrix", "--source", path, "--only", "effort").out

    assert out.count("q") == 256
    assert max(len(line) for line in STYLED.sub("", out).splitlines()) <= 50


def test_a_terminal_without_unicode_has_plain_marks(matrix_listing: str) -> None:
    """Where the output cannot encode them, other marks and leaders say the same."""
    environ = environment(PYTHONIOENCODING="ascii")
    out = spawned_on_terminal(
        "matrix",
        "--only",
        "effort.max",
        "--only",
        "pdf_input",
        "--source",
        matrix_listing,
        "--no-color",
        environ=environ,
    ).out

    assert out.splitlines()[:4] == [
        ", effort.max",
        "| , pdf_input",
        "- +  claude-new  limited",
        "? ?  claude-old  retired",
    ]


def test_an_empty_catalogue_has_a_picture(tmp_path: Path) -> None:
    """Names without models, on a terminal and in a pipe."""
    path = saved(tmp_path, [])

    assert on_terminal(
        run, "matrix", "--source", path, "--only", "pdf_input", "--no-color"
    ).out.startswith("╭ pdf_input\n\n")
    assert (
        spawned("matrix", "--source", path, "--only", "pdf_input").out
        == "id  pdf_input  lifecycle\n"
    )


def test_a_pipe_has_one_line_a_model(command: Command, matrix_listing: str) -> None:
    """Whole names above, and what may be empty or has spaces last: a column is a field of awk."""
    assert command(
        "matrix",
        "--only",
        "effort.max",
        "--only",
        "holograms",
        "--only",
        "pdf_input",
        "--source",
        matrix_listing,
    ) == Ran(
        0,
        "id          effort.max  holograms  holograms.moving  pdf_input  lifecycle\n"
        "claude-new  ✗           ?          ?                 ✓          active, limited\n"
        "claude-old  ?           ✓          ?                 ?          retired\n",
        "",
    )


def test_where_filters_the_models(command: Command, matrix_listing: str) -> None:
    """As `router models --where` does, without default filters."""
    out = command(
        "matrix",
        "--where",
        "lifecycle == retired",
        "--only",
        "pdf_input",
        "--source",
        matrix_listing,
    ).out

    assert [line.split()[0] for line in out.splitlines()] == ["id", "claude-old"]


def test_json_keeps_unknown_apart(command: Command, matrix_listing: str) -> None:
    """True, false and null are the three values; a program need not read marks."""
    status, out, err = command(
        "matrix",
        "--only",
        "effort.max",
        "--only",
        "pdf_input",
        "--source",
        matrix_listing,
        "--json",
    )
    answer = json.loads(out)
    shown = answer["matrix"]

    assert (status, err) == (0, "")
    assert shown["capabilities"] == ["effort.max", "pdf_input"]
    assert shown["models"] == [
        {
            **reference("claude-new"),
            "lifecycle": "active",
            "access": "limited",
            "support": {"effort.max": False, "pdf_input": True},
        },
        {
            **reference("claude-old"),
            "lifecycle": "retired",
            "access": None,
            "support": {"effort.max": None, "pdf_input": None},
        },
    ]
    assert answer["catalogue"]["size"] == 2


@pytest.mark.parametrize("arguments", [["--where", "pdf_imput"], ["--only", "pdf_imput"]])
def test_a_typo_is_bad_usage(command: Command, arguments: list[str]) -> None:
    """The error suggests the name that was meant."""
    ran = command("matrix", *arguments)

    assert (ran.status, ran.out) == (2, "")
    assert "did you mean pdf_input?" in ran.err
