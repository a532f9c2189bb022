"""`router models`: a table, CSV, JSON and raw entries, sorted and with columns."""

from __future__ import annotations

import csv
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listings import LISTING, saved
from terminal import STYLED, Command, Ran, on_terminal, read, read_error

from router import Catalogue
from router.cli._commands import run

EVIL: Final = '\x1b[45m\r\n\x07\u202e,"\udcff'
HOSTILE: Final[list[dict[str, Any]]] = [
    {
        "id": "claude-evil",
        "display_name": f"A{EVIL}",
        "line": EVIL,
        "aliases": [f"b{EVIL}", "c"],
        f"new{EVIL}": f"d{EVIL}",
        "[/bold]": "e",
        "capabilities": {f"cap{EVIL}": {"supported": True}},
    }
]


def rows(ran: Ran) -> list[list[str]]:
    """Return the rows of the CSV that a run printed, and nothing else."""
    assert (ran.status, ran.err) == (0, "")
    return [*csv.reader(io.StringIO(ran.out, newline=""), strict=True)]


# Columns


def test_columns_are_fields_and_capabilities_by_name(command: Command, listing: str) -> None:
    """Each model has a line with the values named, unknown as a question mark."""
    asked = ("models", "--columns", "key, price.output,effort.max,created_at", "--source", listing)
    assert command(*asked) == Ran(
        0,
        "key                       price.output  effort.max  created_at\n"
        "anthropic:claude-small-2  5             no          2026-10-07\n"
        "anthropic:claude-large-2  20            yes         2026-09-21\n"
        "anthropic:claude-large-1  ?             ?           2026-01-05\n"
        "anthropic:claude-first    ?             ?           ?\n",
        "",
    )


def test_columns_are_a_table_on_a_terminal(listing: str) -> None:
    """With the same cells, and the catalogue named below."""
    asked = ("models", "--columns", "id,max_input_tokens,effort.max", "--source", listing)
    status, out, err = on_terminal(run, *asked)
    assert status == 0
    assert [line.split() for line in STYLED.sub("", out).splitlines()] == [
        ["id", "max_input_tokens", "effort.max"],
        ["claude-small-2", "200k", "no"],
        ["claude-large-2", "1M", "yes"],
        ["claude-large-1", "200k", "?"],
        ["claude-first", "?", "?"],
    ]
    assert "file catalogue of " in err


def test_json_of_columns_holds_just_those(command: Command, listing: str) -> None:
    """By the names that were given, with null for unknown and dates in RFC 3339."""
    asked = ("models", "--columns", "id,effort.max,created_at", "--source", listing, "--json")
    assert read(command(*asked))["models"] == [
        {"id": "claude-small-2", "effort.max": False, "created_at": "2026-10-07T00:00:00Z"},
        {"id": "claude-large-2", "effort.max": True, "created_at": "2026-09-21T00:00:00Z"},
        {"id": "claude-large-1", "effort.max": None, "created_at": "2026-01-05T00:00:00Z"},
        {"id": "claude-first", "effort.max": None, "created_at": None},
    ]


def test_json_holds_everything_known_of_each_model(command: Command, listing: str) -> None:
    """On a terminal it is the same document, without colour."""
    piped = command("models", "--source", listing, "--json")
    shown = on_terminal(run, "models", "--source", listing, "--json")
    assert read(piped)["models"] == [
        model.to_dict() for model in Catalogue.from_listing(LISTING).models
    ]
    assert (shown.status, shown.out, shown.err) == (0, piped.out, "")


def test_the_full_path_of_a_capability_is_a_column(command: Command, listing: str) -> None:
    """As in a requirement, transparent keys may be written or left out."""
    columns = ("thinking.types.adaptive", "thinking.adaptive")
    long, short = (
        command("models", "--csv", "--source", listing, "--columns", name) for name in columns
    )
    assert rows(long)[1:] == rows(short)[1:] == [[""], ["true"], [""], [""]]


@pytest.mark.parametrize("option", ["--columns", "--sort"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pdf_imput", "unknown name 'pdf_imput'; did you mean pdf_input?"),
        ("price.ouput", "unknown name 'price.ouput'; did you mean price.output"),
        ("age", "age depends on the time: use created_at instead"),
        ("retires_in", "retires_in depends on the time: use retires_at instead"),
        ("price.", "unknown name 'price.'"),
        ("\x1b[45m", "unknown name '\\x1b[45m'"),
    ],
)
def test_a_name_that_has_no_values_is_bad_usage(
    command: Command, option: str, name: str, message: str
) -> None:
    """The error says what to write instead, and no model is printed."""
    ran = command("models", option, name)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"router: {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "--raw"], "only one of --json, --csv and --raw can be given"),
        (["--columns", "id", "--raw"], "--columns cannot be combined with --raw"),
        (["--columns", ""], "--columns must be names such as id,price.output"),
        (["--columns", " , "], "--columns must be names such as id,price.output"),
        (["--sort", ""], "unknown name ''"),
        (["--sort", "-"], "unknown name ''"),
    ],
)
def test_options_that_do_not_go_together(
    command: Command, arguments: list[str], message: str
) -> None:
    """What cannot be printed is refused before anything is."""
    ran = command("models", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"router: {message}")


@pytest.mark.parametrize("other", ["--csv", "--raw"])
def test_there_is_one_format(command: Command, other: str) -> None:
    """JSON is one of three; the error is printed as JSON, because that was asked for too."""
    ran = command("models", "--json", other)
    assert read_error(ran, 2) == "only one of --json, --csv and --raw can be given"


# CSV


def test_csv_has_the_usual_columns(command: Command, listing: str) -> None:
    """A header and a row for each model; an unknown value is an empty cell."""
    assert rows(command("models", "--csv", "--source", listing)) == [
        [
            *("id", "line", "created_at", "max_input_tokens", "max_tokens"),
            *("price.input", "price.output", "lifecycle", "access"),
        ],
        [
            *("claude-small-2", "small", "2026-10-07T00:00:00Z", "200000", "64000"),
            *("1", "5", "active", ""),
        ],
        [
            *("claude-large-2", "large", "2026-09-21T00:00:00Z", "1000000", "128000"),
            *("4.5", "20", "active", ""),
        ],
        [
            *("claude-large-1", "large", "2026-01-05T00:00:00Z", "200000", "32000"),
            *("", "", "deprecated", ""),
        ],
        ["claude-first", *[""] * 8],
    ]


def test_csv_of_columns(command: Command, listing: str) -> None:
    """Support is true, false or empty, and a list is separated by spaces."""
    entry = {"id": "claude-a", "aliases": ["a", "b"], "capabilities": LISTING[0]["capabilities"]}
    path = saved(Path(listing).parent, [entry], "one.json")
    asked = ("models", "--csv", "--source", path, "--columns")
    assert command(*asked, "id,aliases,pdf_input,effort.max,citations,key") == Ran(
        0,
        "id,aliases,pdf_input,effort.max,citations,key\n"
        "claude-a,a b,true,false,,anthropic:claude-a\n",
        "",
    )


def test_csv_quotes_as_the_standard_says(command: Command, tmp_path: Path) -> None:
    """RFC 4180: a cell with a comma or a quotation mark is quoted, and its quotation marks are doubled."""
    names = ['a,"b', 'say ""', "plain", " padded "]
    path = saved(
        tmp_path, [{"id": f"claude-{at}", "display_name": name} for at, name in enumerate(names)]
    )
    ran = command("models", "--csv", "--columns", "id,display_name", "--source", path)
    assert '\nclaude-0,"a,""b"\n' in ran.out
    assert rows(ran)[1:] == [[f"claude-{at}", name] for at, name in enumerate(names)]


@pytest.mark.parametrize("how", [["--csv"], ["--csv", "--where", "id == none"]], ids=" ".join)
def test_csv_is_the_same_on_a_terminal(command: Command, listing: str, how: list[str]) -> None:
    """No colour, no folding, and no footer; of no model there is just the header."""
    asked = ("models", *how, "--source", listing)
    assert on_terminal(run, *asked) == command(*asked)


# What a listing may hold


@pytest.mark.parametrize("how", [[], ["--csv"]], ids=["table", "csv"])
@pytest.mark.parametrize("terminal", [True, False])
def test_control_characters_never_reach_a_terminal(
    tmp_path: Path, how: list[str], terminal: bool
) -> None:
    """Values, lists and names of columns of a hostile listing are escaped, in a pipe as well."""
    path = saved(tmp_path, HOSTILE)
    # A name with a comma cannot be asked for.
    (tmp_path / "named.json").write_text(
        json.dumps([{**HOSTILE[0], "new\x1b[45m\u202e": EVIL}]), encoding="utf-8"
    )
    for columns, source in (
        ("id,display_name,line,aliases", path),
        ("id,new\x1b[45m\u202e", str(tmp_path / "named.json")),
    ):
        status, out, err = on_terminal(
            run,
            *("models", *how, "--columns", columns, "--source", source, "--no-color"),
            out=terminal,
            err=terminal,
        )
        assert status == 0
        assert "\\x1b[45m" in out.replace("\n", "")
        assert all(char == "\n" or char.isprintable() for char in STYLED.sub("", out + err))


def test_a_name_is_no_markup(tmp_path: Path) -> None:
    """A field may have a name that the library for tables would read as markup."""
    asked = ("models", "--columns", "id,[/bold]", "--source", saved(tmp_path, HOSTILE))
    status, out, _ = on_terminal(run, *asked)
    assert status == 0
    assert STYLED.sub("", out).splitlines()[0].split() == ["id", "[/bold]"]


# Order


def ids(ran: Ran) -> list[str]:
    """Return the ids that a run printed as CSV."""
    return [row[0] for row in rows(ran)[1:]]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("price.output", ["small-2", "large-2", "large-1", "first"]),
        ("-price.output", ["large-2", "small-2", "large-1", "first"]),
        ("max_input_tokens", ["small-2", "large-1", "large-2", "first"]),
        ("-max_input_tokens", ["large-2", "small-2", "large-1", "first"]),
        ("created_at", ["large-1", "large-2", "small-2", "first"]),
        ("effort.max", ["small-2", "large-2", "large-1", "first"]),
        ("-effort.max", ["large-2", "small-2", "large-1", "first"]),
        ("line", ["large-2", "large-1", "small-2", "first"]),
        ("key", ["first", "large-1", "large-2", "small-2"]),
        ("-key", ["small-2", "large-2", "large-1", "first"]),
        ("allowed_fallback_models", ["large-2", "small-2", "large-1", "first"]),
    ],
)
def test_models_are_sorted(command: Command, listing: str, sort: str, expected: list[str]) -> None:
    """By any name, either way; unknown values come last both ways, and equal ones stay newest first."""
    asked = ("models", "--source", listing, "--sort", sort)
    assert ids(command(*asked, "--csv")) == [f"claude-{each}" for each in expected]
    table = command(*asked).out.splitlines()[1:]
    assert [line.split()[0] for line in table] == ids(command(*asked, "--csv"))
    for option, name in (("--json", "models"), ("--raw", "data")):
        printed = read(command(*asked, option))[name]
        assert [each["id"] for each in printed] == ids(command(*asked, "--csv"))


def test_values_that_have_no_order_are_bad_usage(command: Command, tmp_path: Path) -> None:
    """A field that only this listing has may be a number here and text there."""
    path = saved(tmp_path, [{"id": "claude-a", "new": 1}, {"id": "claude-b", "new": "one"}])
    assert command("models", "--sort", "new", "--source", path) == Ran(
        2, "", "router: --sort 'new': its values have no order\n"
    )


@given(
    st.lists(st.none() | st.integers(1, 4) | st.sampled_from([1.5, 2.5]), max_size=8),
    st.booleans(),
)
def test_the_order_is_that_of_a_slow_definition(
    tmp_path_factory: pytest.TempPathFactory, prices: list[float | None], descending: bool
) -> None:
    """A model is printed before another if its value is known and comes first, or else if it was listed first."""
    entries = [
        {"id": f"claude-{at}", **({} if price is None else {"price": {"output": price}})}
        for at, price in enumerate(prices)
    ]
    listed = [model.id for model in Catalogue.from_listing(entries, documented=None).models]
    price_of = {entry["id"]: price for entry, price in zip(entries, prices, strict=True)}

    def precedes(first: str, second: str) -> bool:
        one, two = price_of[str(first)], price_of[str(second)]
        if one is None or two is None:
            return one is not None
        return one > two if descending else one < two

    expected: list[str] = []
    for id in listed:
        later = (at for at, other in enumerate(expected) if precedes(id, other))
        expected.insert(next(later, len(expected)), id)

    path = saved(tmp_path_factory.mktemp("listing"), entries)
    sort = "-price.output" if descending else "price.output"
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert run(["models", "--csv", "--source", path, "--sort", sort]) == 0
    assert ids(Ran(0, printed.getvalue(), "")) == expected


# Raw


def test_raw_entries_are_those_of_the_source(command: Command, listing: str) -> None:
    """On a terminal there is no footer either, so that what is copied is one document."""
    asked = ("models", "--raw", "--source", listing)
    assert read(command(*asked))["data"] == LISTING
    assert on_terminal(run, *asked) == command(*asked)


def test_the_help_says_what_raw_is_for(command: Command) -> None:
    """It is the format that `--source FILE` reads."""
    assert "--source FILE" in command("models", "--help").out.partition("--raw")[2]


# Candidates


def test_candidates_of_a_policy_say_why(command: Command, listing: str, tmp_path: Path) -> None:
    """Each model of the chain has the reason for its place, in JSON beside its values."""
    path = tmp_path / "router.toml"
    path.write_text(
        '[policies.reports]\nrequire = "pdf_input"\nprefer = ["effort.max"]\n', encoding="utf-8"
    )
    asked = ("candidates", "--policy", "reports", "--policies", str(path), "--source", listing)
    printed = read(command(*asked, "--json"))["models"]
    assert [each["id"] for each in printed] == ["claude-large-2", "claude-small-2"]
    reasons = [line.split(maxsplit=1)[1] for line in command(*asked).out.splitlines()]
    assert [each.pop("why") for each in printed] == reasons
    catalogue = Catalogue.from_listing(LISTING)
    assert printed == [catalogue[each["id"]].to_dict() for each in printed]
