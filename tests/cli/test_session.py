"""The session of the command: the live API, what stands in for it, and what is said meanwhile."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Final

import pytest
from listings import LISTING
from small_api import KEY, Api
from terminal import STYLED, Command, Ran, on_terminal, read, reference, spawned_on_terminal

from router import Catalogue
from router.cli._commands import run
from router.refresh._sources import MAX_FILE_BYTES


def test_with_a_key_the_live_api_answers(command: Command, api: Api) -> None:
    """Every page is fetched, with the key, and the answer is of the live catalogue."""
    answer = read(command("select", "effort.max", "--json"))
    assert answer["decision"]["model"] == reference("claude-large-2")
    assert (answer["catalogue"]["source"], answer["catalogue"]["size"]) == ("live", 4)
    assert answer["decision"]["stale"] is False
    assert [query.get("after_id") for query, _ in api.asked] == [None, ["claude-large-2"]]
    assert all(headers["x-api-key"] == KEY for _, headers in api.asked)


def test_a_source_that_is_named_goes_before_the_key(
    command: Command, api: Api, listing: str
) -> None:
    """The network is left alone where the catalogue is bundled or in a file."""
    assert command("select", "--source", "bundled").out == Catalogue.bundled().select().id + "\n"
    assert command("select", "--source", listing).out == "claude-small-2\n"
    assert api.asked == []


@pytest.mark.parametrize("also", [[], ["--source", "live"]])
def test_stages_are_asked_of_the_live_api(command: Command, api: Api, also: list[str]) -> None:
    """`--lifecycle` is part of every query."""
    command("models", "--lifecycle", "active", "--lifecycle", "retired", *also)
    assert [query["lifecycle[]"] for query, _ in api.asked] == [["active", "retired"]] * 2


def test_stages_are_no_question_without_a_key(command: Command) -> None:
    """The bundled catalogue is not filtered in silence by an option that is not meant for it."""
    assert command("models", "--lifecycle", "active").status == 2


@pytest.mark.usefixtures("api")
def test_a_live_listing_can_be_saved_and_read(command: Command, tmp_path: Path) -> None:
    """The same digest from the API and from the file, whose source says that it is one."""
    path = tmp_path / "models.json"
    path.write_text(command("models", "--source", "live", "--raw").out, encoding="utf-8")
    live, again = (
        read(command("refresh", *source, "--json"))["catalogue"]
        for source in ([], ["--source", str(path)])
    )
    assert (live["source"], again["source"]) == ("live", "file")
    assert live["digest"] == again["digest"] == Catalogue.from_listing(LISTING).digest


@pytest.mark.parametrize("arguments", [["select"], ["select", "--source", "live"], ["refresh"]])
def test_a_live_entry_that_cannot_be_read_is_left_out_aloud(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """A warning names it, also where the live catalogue was asked for by name."""
    with Api([*({"id": f"claude-{at}"} for at in range(11)), {"id": "bad\x1b[45m"}]) as api:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        status, _, err = command(*arguments)
    assert status == 0
    assert "1 of 12 entries left out" in err
    assert "\\x1b[45m" in err


def test_a_bar_shows_the_models_that_have_come() -> None:
    """On a terminal, on standard error, and gone when the answer is there."""
    with Api(LISTING) as api:
        status, out, err = spawned_on_terminal("select", environ=api.environ)
    bar, _, footer = err.rpartition("\x1b[2K")
    assert (status, out) == (0, "claude-small-2\n")
    assert "fetching models" in STYLED.sub("", bar)
    assert re.search(r"fetching models \S+ +4\b", STYLED.sub("", bar)), (
        "it ends at the number of models"
    )
    assert "\x1b[?25h" in bar, "the cursor is back"
    assert "fetching" not in footer
    assert "live catalogue" in footer


@pytest.mark.usefixtures("api")
def test_a_bar_is_drawn_here_too() -> None:
    """The same bar, on a terminal of this process."""
    ran = on_terminal(run, "refresh")
    assert (ran.status, ran.out) == (0, "4 models, newest claude-small-2\n")
    assert "fetching models" in ran.err


@pytest.mark.usefixtures("api")
def test_no_bar_is_drawn_into_a_pipe() -> None:
    """A log has no use for it, even with a terminal on standard output."""
    assert on_terminal(run, "select", err=False) == Ran(0, "claude-small-2\n", "")


@pytest.mark.parametrize(("option", "variable"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})])
@pytest.mark.usefixtures("api")
def test_the_bar_has_no_colour_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch, option: list[str], variable: dict[str, str]
) -> None:
    """The option and the variable hold for what is drawn while one waits."""
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    plain = on_terminal(run, "refresh", *option)
    assert "fetching models" in plain.err
    assert not STYLED.search(plain.err)


def test_a_warning_starts_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not glued to the end of the bar."""
    with Api(LISTING, status=401) as api:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        status, _, err = on_terminal(run, "select")
    before, warning, _ = STYLED.sub("", err).partition("router: the catalogue could not be loaded")
    assert (status, bool(warning)) == (0, True)
    assert re.search(r"(^|[\n\r]|\x1b\[2K)\Z", before)


@pytest.mark.parametrize(
    "arguments",
    [
        ["refresh"],
        ["models", "--source", "live"],
        ["models", "--source", "disk"],
        ["diff"],
        ["cache", "path"],
        ["cache", "show"],
        ["cache", "clear"],
    ],
    ids=" ".join,
)
def test_without_a_key_the_command_says_what_to_set(command: Command, arguments: list[str]) -> None:
    """The command names the environment variable, and no argument of Python."""
    assert command(*arguments) == Ran(
        2, "", "router: the live API needs a key: set ANTHROPIC_API_KEY\n"
    )


@contextmanager
def pipe(*parts: bytes, delay: float = 0.0) -> Iterator[str]:
    """Return the path of a pipe into which these bytes are written, as the shell's `<(command)`."""
    end, start = os.pipe()

    def write() -> None:
        with open(start, "wb") as file, suppress(BrokenPipeError):
            for part in parts:
                Event().wait(delay)
                file.write(part)
                file.flush()

    writer = Thread(target=write)
    writer.start()
    try:
        yield f"/dev/fd/{end}"
    finally:
        os.close(end)
        writer.join()


BODY: Final = json.dumps({"data": LISTING}).encode()


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_a_listing_comes_through_a_pipe(command: Command, delay: float) -> None:
    """A pipe is read to its end, once, however slowly it is written; it is as of now."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    with pipe(BODY[:9], BODY[9:], delay=delay) as path:
        answer = read(command("select", "--json", "--source", path))
    catalogue = answer["catalogue"]
    assert answer["decision"]["model"]["id"] == "claude-small-2"
    assert (catalogue["source"], catalogue["size"]) == ("file", len(LISTING))
    assert began <= datetime.fromisoformat(catalogue["as_of"]) <= datetime.now(UTC)


def test_two_pipes_are_compared(command: Command) -> None:
    """`router diff <(one) <(other)` reads both."""
    with pipe(BODY) as old, pipe(BODY) as new:
        assert command("diff", old, new, "--exit-code").status == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is not a regular file"),
        (b"hello", "not JSON"),
        (b"[" + b" " * MAX_FILE_BYTES + b"]", f"has more than {MAX_FILE_BYTES} bytes"),
    ],
    ids=["empty", "text", "endless"],
)
def test_a_pipe_without_a_listing_is_no_catalogue(command: Command, body: bytes, said: str) -> None:
    """Status 3 and one line that names the pipe, as for a file."""
    with pipe(body) as path:
        ran = command("select", "--source", path)
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith(f"router: {path}")
    assert said in ran.err
    assert ran.err.count("\n") == 1
