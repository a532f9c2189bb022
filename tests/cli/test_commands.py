"""The command, as a person and a shell script meet it: answers, exit statuses, terminals, pipes, and hostile input."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import pytest
from devices import device
from hypothesis import example, given
from hypothesis import strategies as st
from listings import LISTING, saved, tree
from small_api import KEY, Api
from terminal import (
    COMMAND,
    COMMANDS,
    LONGEST,
    STYLED,
    Command,
    Ran,
    Terminal,
    arguments_of,
    ended,
    environment,
    on_terminal,
    read,
    read_error,
    reference,
    spawned,
    spawned_on_terminal,
    started,
)

import router
from router import Catalogue
from router.cli import main
from router.cli._commands import run
from router.cli._session import open_store
from router.refresh._disk_cache import Stored

ANSWERING: Final = ("select", "candidates", "explain")
NOBODY: Final = "no model satisfies"
NO_SPACE: Final = (74, "router: the output cannot be written: No space left on device\n")
INTERRUPTED: Final = Ran(130, "", "router: interrupted\n")


# What it answers


def test_select_prints_the_id_and_nothing_else() -> None:
    """A script that captures the output has the id, and an error output that is piped stays empty."""
    assert spawned("select", "line == haiku") == Ran(
        0, Catalogue.bundled().select("line == haiku").id + "\n", ""
    )


@pytest.mark.parametrize(
    ("requirement", "id"),
    [
        ([], "claude-small-2"),
        (["effort.max"], "claude-large-2"),
        (["lifecycle == deprecated"], "claude-large-1"),
        (["max_input_tokens >= 200k and not effort.max"], "claude-small-2"),
        (['id like "*-first"'], "claude-first"),
    ],
)
def test_select_names_the_newest_that_meets_the_need(
    command: Command, listing: str, requirement: list[str], id: str
) -> None:
    """The id is the one a person would read from the listing."""
    assert command("select", *requirement, "--source", listing) == Ran(0, f"{id}\n", "")


def test_candidates_are_ids_in_a_pipe(command: Command, listing: str) -> None:
    """One id a line, newest first."""
    assert command("candidates", "pdf_input", "--source", listing) == Ran(
        0, "claude-small-2\nclaude-large-2\n", ""
    )


def test_candidates_are_a_table_on_a_terminal(listing: str) -> None:
    """A person sees the line, the date and the prices too."""
    status, out, err = on_terminal(
        run, "candidates", "pdf_input", "--source", listing, "--no-color"
    )
    header, first, second = STYLED.sub("", out).splitlines()
    assert (status, err) == (0, "")
    assert header.split("  ")[0] == "id"
    assert first.split() == ["claude-small-2", "small", "2026-10-07", "200k/64k", "1/5", "active"]
    assert second.split() == [
        "claude-large-2",
        "large",
        "2026-09-21",
        "1M/128k",
        "4.5/20",
        "active",
    ]


@pytest.mark.parametrize(
    ("limit", "ids"),
    [("0", []), ("1", ["claude-small-2"]), ("9", ["claude-small-2", "claude-large-2"])],
)
def test_a_limit_bounds_the_candidates(
    command: Command, listing: str, limit: str, ids: list[str]
) -> None:
    """At most that many, and none is an answer where none were asked for."""
    assert command("candidates", "--limit", limit, "--source", listing, "pdf_input") == Ran(
        0, "".join(f"{id}\n" for id in ids), ""
    )


def test_explain_prints_the_reason(command: Command, listing: str) -> None:
    """The model, those that come after it, and how many meet each term."""
    status, out, err = command("explain", "effort.high", "--source", listing)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "claude-small-2: newest of 2 candidates for effort.high",
        "then claude-large-2",
        "  effort.high: met by 3 of 4, unknown for 1",
        "  maybe lifecycle == active: met by 3 of 4 [default filter]",
        "  maybe access != limited: met by 4 of 4 [default filter]",
    ]


def test_models_prints_one_line_a_model_in_a_pipe(command: Command, listing: str) -> None:
    """The lines align whatever the width of a terminal, and end without padding."""
    status, out, err = command("models", "--source", listing)
    assert (status, err) == (0, "")
    assert out == (
        "id              line   released    tokens in/out  $ in/out  lifecycle\n"
        "claude-small-2  small  2026-10-07  200k/64k       1/5       active\n"
        "claude-large-2  large  2026-09-21  1M/128k        4.5/20    active\n"
        "claude-large-1  large  2026-01-05  200k/32k       ?/?       deprecated\n"
        "claude-first                       ?/?            ?/?\n"
    )


def test_where_filters_without_default_filters(command: Command, listing: str) -> None:
    """A listing shows deprecated models as well, and only those known to meet the filter."""
    status, out, err = command(
        "models", "--where", "pdf_input and max_input_tokens <= 200k", "--source", listing
    )
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        "id",
        "claude-small-2",
        "claude-large-1",
    ]


def test_models_marks_limited_access(command: Command, tmp_path: Path) -> None:
    """A model that is not for everyone says so beside its lifecycle."""
    path = saved(tmp_path, [{"id": "claude-few", "lifecycle": "active", "access": "limited"}])
    assert command("models", "--source", path).out.splitlines()[1].endswith("  active, limited")


def test_show_tells_three_kinds_of_support_apart_by_mark_and_word(
    command: Command, listing: str
) -> None:
    """Supported, unsupported and unknown differ for a reader who sees no colour."""
    status, out, err = command("show", "claude-small-2", "--source", listing)
    assert (status, err) == (0, "")
    marks = {
        line.split()[1]: (line.split()[0], line.split()[2])
        for line in out.splitlines()
        if line[2:3] in {*"✓✗?"}
    }
    assert marks["pdf_input"] == ("✓", "supported")
    assert marks["effort.max"] == ("✗", "unsupported")
    assert marks["citations"] == ("?", "unknown")
    assert marks["thinking.adaptive"] == ("?", "unknown"), "the vocabulary's names are there too"


def test_show_prints_every_field_or_that_it_is_unknown(command: Command, listing: str) -> None:
    """What the entry says, what it says is not scheduled, and what nobody knows."""
    _, out, _ = command("show", "claude-large-2", "--source", listing)
    fields = dict(
        line.split(maxsplit=1) for line in out.partition("\ncapabilities\n")[0].splitlines()[1:]
    )
    assert out.splitlines()[0] == "claude-large-2"
    assert fields == {
        "access": "unknown",
        "aliases": "unknown",
        "allowed_fallback_models": "(claude-large-1)",
        "base": "unknown",
        "created_at": "2026-09-21",
        "deprecated_at": "none",
        "display_name": "Claude Large 2",
        "lifecycle": "active",
        "line": "large",
        "max_input_tokens": "1M",
        "max_tokens": "128k",
        "partner_ids": "unknown",
        "provider": "anthropic",
        "price.input": "4.5",
        "price.output": "20",
        "replacement": "unknown",
        "retires_at": "2030-01-31",
    }


def test_a_date_that_is_null_is_not_known(command: Command, tmp_path: Path) -> None:
    """No retirement is scheduled where it is null, but a model without a release was never released."""
    path = saved(
        tmp_path,
        [{"id": "claude-a", "created_at": None, "deprecated_at": None, "retires_at": None}],
    )
    out = command("show", "claude-a", "--source", path).out
    assert re.search(r"^  created_at +unknown$", out, re.MULTILINE)
    assert re.search(r"^  retires_at +none$", out, re.MULTILINE)
    assert "none" not in command("models", "--source", path).out


def test_show_names_the_sources_of_documented_facts(command: Command) -> None:
    """A fact that the API does not state carries the source, and each source is spelled out once below."""
    model = Catalogue.bundled().select("line == opus")
    out = command("show", model.id).out
    facts, _, sources = out.partition("\nsources\n")
    keys = ", ".join(model.documented["price.input"])
    assert re.search(rf"^  price\.input .*\(documented: {keys}\)$", facts, re.MULTILINE)
    assert not re.search(r"^  max_tokens .*documented", facts, re.MULTILINE)
    used = {key for keys in model.documented.values() for key in keys}
    assert [line.split()[0] for line in sources.splitlines()] == sorted(used)
    assert all(len(line.split()) > 2 for line in sources.splitlines())


def test_show_tells_what_the_api_is_known_to_report_wrongly(command: Command) -> None:
    """A corrected limit stands beside what was reported, and why."""
    model = next(model for model in Catalogue.bundled() if model.corrections)
    out = command("show", model.id).out
    for name, correction in model.corrections.items():
        assert f"  {name} is corrected: the API reports " in out
        assert correction.why in out


def test_show_resolves_an_alias(command: Command) -> None:
    """A documented alias shows the model that it stands for."""
    model = next(model for model in Catalogue.bundled() if model.aliases)
    assert command("show", model.aliases[0]) == command("show", model.id)


@pytest.mark.parametrize(
    ("requirement", "ran"),
    [
        ("pdf_input and effort.high", Ran(0, "yes\n", "")),
        ("maybe citations", Ran(0, "yes\n", "")),
        ("retires_in >= 90d", Ran(0, "yes\n", "")),
        ("effort.max", Ran(1, "no\n", "claude-small-2 lacks effort.max (unsupported)\n")),
        ("citations", Ran(1, "unknown\n", "claude-small-2 lacks citations (unknown)\n")),
        (
            "max_tokens >= 100k and citations",
            Ran(
                1,
                "no\n",
                "claude-small-2 lacks citations (unknown)\nclaude-small-2 lacks max_tokens >= 100k (is 64k)\n",
            ),
        ),
    ],
)
def test_supports_says_yes_no_or_unknown(
    command: Command, listing: str, requirement: str, ran: Ran
) -> None:
    """One word on standard output, and what is lacking on standard error."""
    assert command("supports", "claude-small-2", requirement, "--source", listing) == ran


def test_supports_heeds_no_default_filters(command: Command, listing: str) -> None:
    """What a deprecated model can do is not a question of its lifecycle."""
    assert command("supports", "claude-large-1", "pdf_input", "--source", listing) == Ran(
        0, "yes\n", ""
    )


def test_refresh_says_what_came(command: Command, listing: str) -> None:
    """The number of models, and the newest."""
    assert command("refresh", "--source", listing) == Ran(
        0, "4 models, newest claude-small-2\n", ""
    )


def test_refresh_of_an_empty_catalogue_names_no_newest(command: Command, tmp_path: Path) -> None:
    """An empty listing is a catalogue, of no models."""
    assert command("refresh", "--source", saved(tmp_path, [])) == Ran(
        0, "0 models, newest none\n", ""
    )


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["select", "line == none"], 1, f"router: {NOBODY} line == none\n"),
        (["candidates", "line == none"], 1, f"router: {NOBODY} line == none\n"),
        (["select", "pdf_input and not pdf_input"], 1, "contradict each other"),
        (["select", "pdf_imput"], 2, "unknown name 'pdf_imput'; did you mean pdf_input?"),
        (["candidates", "lne == opus"], 2, "unknown name 'lne'; did you mean line"),
        (["explain", "--effort", "hihg"], 2, "did you mean effort.high"),
        (["models", "--where", "pdf_imput"], 2, "did you mean pdf_input?"),
        (["supports", "claude-small-2", "pdf_imput"], 2, "did you mean pdf_input?"),
        (["select", "line = opus"], 2, "\n  line = opus\n       ^\n"),
        (["candidates", "pdf_input and"], 2, "\n  pdf_input and\n               ^\n"),
        (["explain", "effort >= hihg"], 2, "\n  effort >= hihg\n            ^\n"),
        (["models", "--where", "(pdf_input"], 2, "\n  (pdf_input\n            ^\n"),
        (["supports", "claude-small-2", "pdf_input &"], 2, "\n  pdf_input &\n            ^\n"),
        (["select", "pdf_input\xa0and citations"], 2, "\n  pdf_input\\xa0and citations\n           ^\n"),
        (["select", ""], 2, "empty text"),
        (["select", "(" * 10_000], 2, "deep"),
        (["select", "--min-context", "much"], 2, "200k"),
        (["show", "claude-smal-2"], 2, "unknown model 'claude-smal-2'; did you mean claude-small-2"),
        (["supports", "claude-smal-2", "pdf_input"], 2, "did you mean claude-small-2"),
        (["show"], 2, "Missing argument 'ID'"),
        (["supports", "claude-small-2"], 2, "Missing argument 'REQUIREMENT'"),
        (["selec"], 2, "No such command 'selec'"),
        (["select", "--nonsense"], 2, "--nonsense"),
        (["select", "pdf_input", "and", "citations"], 2, "unexpected extra arguments"),
        (["candidates", "--limit", "-1"], 2, "--limit"),
        (["candidates", "--limit", "few"], 2, "--limit"),
        (["select", "--lifecycle", "retired"], 2, "--source live"),
        (["select", "--lifecycle", "young"], 2, "--lifecycle"),
    ],
)  # fmt: skip
def test_an_error_is_said_on_standard_error_with_its_status(
    command: Command, listing: str, arguments: list[str], status: int, said: str
) -> None:
    """Nothing goes to standard output, and the status tells what kind of error it is."""
    ran = command(*arguments, "--source", listing)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err


def test_explain_of_no_match_is_its_answer(command: Command, listing: str) -> None:
    """Asked for the reason, the command prints it on standard output, with status 1."""
    status, out, err = command("explain", "effort.max and line == small", "--source", listing)
    assert (status, err) == (1, "")
    assert out.startswith(f"{NOBODY} effort.max and line == small\n")
    assert "    claude-small-2 lacks effort.max (unsupported)\n" in out


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        ("directory", "cannot be read: Is a directory"),
        ("", "not JSON"),
        ("hello", "not JSON"),
        ('{"data": [{"id": "claude-a"', "not JSON"),
        ('{"data": [{"id": "claude-a"}], "has_more": true}', "cut"),
        ('{"models": []}', "listing"),
        ("3", "listing"),
        ('[{"id": "claude a"}]', "data[0].id"),
        ('[{"id": "claude-a"}, {"id": "claude-a", "line": "b"}]', "claude-a"),
        ("[" * 100_000, "deep"),
        (b"\xff\xfe[]", "not JSON"),
        ("pipe", "regular file"),
    ],
)  # fmt: skip
def test_a_listing_that_cannot_be_read_is_no_catalogue(
    command: Command, tmp_path: Path, name: str, content: str | bytes | None, said: str
) -> None:
    """Status 3 and one line that names the file, for every command."""
    path = tmp_path / "the.json"
    if content == "directory":
        path.mkdir()
    elif content == "pipe":
        os.mkfifo(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content, encoding="utf-8")
    ran = command(*arguments_of(name, "claude-a"), "--source", str(path))
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith(f"router: {path}")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_an_entry_that_cannot_be_read_is_left_out_aloud(command: Command, tmp_path: Path) -> None:
    """One of many does not stop an answer, and is not passed over in silence."""
    path = saved(tmp_path, [*({"id": f"claude-{at}"} for at in range(20)), {"id": "claude bad"}])
    status, out, err = command("select", "--source", path)
    assert (status, out) == (0, "claude-0\n")
    assert err.startswith("router: 1 of 21 entries left out")
    assert "data[20].id" in err


@pytest.mark.parametrize("arguments", [["refresh"], ["select", "--source", "live"]])
def test_the_live_api_needs_a_key(command: Command, arguments: list[str]) -> None:
    """Without one there is nothing to ask with: a matter of usage, told by the name of what to set."""
    ran = command(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "ANTHROPIC_API_KEY" in ran.err


@pytest.mark.parametrize(
    "url", ["http://example.com", "nonsense", "https://user:secret@example.com"]
)
def test_a_base_url_that_cannot_be_used_is_bad_usage(
    command: Command, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """It is not passed over for the bundled catalogue, and no secret of it is shown."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    ran = command("select")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("router: ")
    assert "secret" not in ran.err
    assert KEY not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [["refresh"], ["models", "--source", "live"], ["select", "--source", "live", "--json"]],
)
@pytest.mark.usefixtures("refused")
def test_an_api_that_is_named_must_answer(command: Command, arguments: list[str]) -> None:
    """Where the live catalogue was asked for, none is status 3, said once."""
    ran = command(*arguments)
    if "--json" in arguments:
        message = read_error(ran, 3, "CatalogueUnavailableError")
        assert ran.err == f"router: {message}\n"
    else:
        assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith("router: the API cannot be reached")
    assert ran.err.count("\n") == 1


@pytest.mark.usefixtures("refused")
def test_an_api_that_is_not_named_is_stood_in_for(command: Command) -> None:
    """With a key and no word of a source the bundled catalogue answers, and a warning says so."""
    status, out, err = command("select", "--json")
    answer = json.loads(out)
    assert status == 0
    assert (answer["catalogue"]["source"], answer["decision"]["stale"]) == ("bundled", True)
    assert answer["decision"]["model"] == Catalogue.bundled().select().to_reference()
    assert err.startswith("router: the catalogue could not be loaded")
    assert "bundled catalogue" in err
    assert err.count("\n") == 1


def test_a_refusal_of_the_api_is_told_without_the_key(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status and the API's own words are said, escaped, and the credential is not."""
    with Api(LISTING, status=401) as api:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        ran = command("refresh")
    assert ran == Ran(
        3, "", "router: the API answered 401: authentication_error: invalid \\x1b[45m key\n"
    )


@given(st.text(st.characters(), max_size=40), st.sampled_from(ANSWERING))
@example("\ud800", "select")
@example("pdf_input\xa0", "select")
@example("--", "candidates")
@example('line == "\x1b[31m"', "explain")
def test_no_text_brings_the_command_down(text: str, name: str) -> None:
    """Whatever is asked has an answer or an error: no traceback, and nothing that a terminal would act on."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run([name, "--source", "bundled", "--", text])
    assert status in {0, 1, 2}
    assert (out.getvalue() != "") is (status == 0 or (status == 1 and name == "explain"))
    assert (out.getvalue() + err.getvalue()).replace("\n", "").isprintable()


# Processes


def written(descriptor: int, *arguments: str) -> Ran:
    """Run the command here with its standard output on a descriptor, which is closed after it."""
    err = io.StringIO()
    # Closing it writes what is left, as the interpreter does in the end: that must not fail again.
    with open(descriptor, "w", encoding="utf-8") as out, redirect_stdout(out), redirect_stderr(err):
        status = run(arguments)
    return Ran(status, "", err.getvalue())


def closed_pipe() -> int:
    """Return the end to write to of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("also", [[], ["--json"], ["--help"]])
def test_a_closed_pipe_is_status_141(listing: str, name: str, also: list[str]) -> None:
    """The reader has gone: the status of SIGPIPE, and not a word."""
    arguments = [*arguments_of(name, "claude-small-2"), "--source", listing, *also]
    assert written(closed_pipe(), *arguments) == Ran(141, "", "")


@pytest.mark.parametrize("arguments", [["select"], ["models", "--json"], ["--help"]])
def test_a_closed_pipe_ends_the_command_quietly(arguments: list[str]) -> None:
    """A process of its own says nothing as it ends, either."""
    with open(closed_pipe(), "wb") as out:
        assert ended(started(*arguments, out=out.fileno())) == Ran(141, "", "")


def test_a_reader_of_one_line_ends_the_command_quietly(tmp_path: Path) -> None:
    """As `router models | head -1` does, on a catalogue larger than a pipe holds."""
    path = saved(tmp_path, [{"id": f"claude-{at:0100}"} for at in range(5_000)])
    with started("models", "--source", path) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"id ")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(LONGEST) == 141


def interrupted(*arguments: str, err: int = subprocess.PIPE) -> Ran:
    """Run the command against a server that keeps silent, interrupt it there, and return how it ended."""
    # A test run in the background of a shell ignores the signal, and would hand that down.
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {COMMAND}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LONGEST)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environ = environment(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=url)
        with (
            started(*arguments, err=err, environ=environ, code=code) as process,
            silent.accept()[0] as asking,
        ):
            assert asking.recv(3) == b"GET"
            process.send_signal(signal.SIGINT)
            return ended(process)


def test_an_interrupt_ends_a_wait() -> None:
    """Ctrl-C while a server keeps silent: status 130 and one line, no traceback."""
    assert interrupted("select") == INTERRUPTED


@pytest.mark.parametrize(
    "arguments", [["refresh"], ["models", "--source", "live", "--json"]], ids=" ".join
)
def test_an_interrupt_is_status_130(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """The same in this process, for the commands that insist on the live catalogue."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LONGEST)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")

        def interrupt() -> None:
            with silent.accept()[0] as asking:
                assert asking.recv(3) == b"GET"
                os.kill(os.getpid(), signal.SIGINT)
                over.wait(LONGEST)

        over, waiting = Event(), Thread(target=interrupt)
        waiting.start()
        try:
            assert command(*arguments) == INTERRUPTED
        finally:
            over.set()
            waiting.join()
            signal.signal(signal.SIGINT, before)


def test_an_interrupt_leaves_the_terminal_as_it_was() -> None:
    """The bar is gone and the cursor is back."""
    with Terminal() as err:
        assert interrupted("refresh", err=err.descriptor) == Ran(130, "", "")
    bar, _, rest = err.screen.rpartition("\x1b[?25h")
    assert "fetching models" in STYLED.sub("", bar)
    assert re.fullmatch(r"(\x1b\[1A|\x1b\[2K|[\r\n])*router: interrupted\n", rest)


SHORT_OF_MEMORY: Final = """
import resource
from contextlib import suppress
from router.cli._commands import run
run(["models", "--json", "--source", {listing!r}])
in_use = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmSize"))) * 1024
resource.setrlimit(resource.RLIMIT_AS, (in_use, in_use))
ballast = []
for size in (2**20, 2**16, 2**13, 2**10):
    with suppress(MemoryError):
        while True:
            ballast.append(bytes(size))
"""


@pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="it is not known here how much memory is in use"
)
def test_no_more_memory_is_status_71(listing: str) -> None:
    """Where memory runs out there is one plain line and a status of its own, and no traceback."""
    code = SHORT_OF_MEMORY.format(listing=listing) + COMMAND
    ran = spawned("models", "--json", "--source", listing, code=code)
    assert (ran.status, ran.err) == (71, "router: out of memory\n")


def test_no_memory_to_start_with_is_status_71() -> None:
    """So it is where not even the command line library can be loaded."""
    code = (
        "import sys\n"
        "class Short:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click': raise MemoryError\n"
        "sys.meta_path.insert(0, Short())\n"
    )
    assert spawned("select", code=code + COMMAND) == Ran(71, "", "router: out of memory\n")


def test_an_interrupt_while_it_starts_ends_it() -> None:
    """Ctrl-C is heard before the command line library is even loaded."""
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
    )
    assert spawned("select", code=code + COMMAND) == INTERRUPTED


def answered(err: io.StringIO | None, *arguments: str) -> tuple[int, str]:
    """Run the command here with this standard error, and return its status and its answer."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run(arguments)
    return status, out.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        *(arguments_of(name, "claude-small-2") for name in COMMANDS),
        ["select", "line == none"],
        ["candidates", "line == none"],
        ["supports", "claude-small-2", "line == none"],
        ["select", "line = none"],
        ["select", "--nonsense"],
    ],
    ids=" ".join,
)
def test_a_closed_standard_error_hinders_no_answer(listing: str, arguments: list[str]) -> None:
    """A service may be started so: what is said there is not missed, and does not go elsewhere."""
    asked = [*arguments, "--source", listing]
    assert answered(None, *asked) == answered(io.StringIO(), *asked)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_standard_output_is_no_obstacle(listing: str, name: str) -> None:
    """There is nowhere to answer, and the status still tells whether there is an answer."""
    err = io.StringIO()
    with redirect_stdout(None), redirect_stderr(err):
        status = run([*arguments_of(name, "claude-small-2"), "--source", listing])
    assert (status, err.getvalue()) == (0, "")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("name", ["select", "models"])
def test_a_process_whose_outputs_are_closed_ends_quietly(
    listing: str, name: str, redirection: str
) -> None:
    """No traceback reaches the output that is left."""
    closing = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh"]
    ran = ended(started(name, "--source", listing, through=closing))
    assert (ran.status, ran.err) == (0, "")
    assert ("claude-small-2" in ran.out) is (redirection == "2>&-")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_answer_that_cannot_be_written_is_an_error(
    tmp_path: Path, listing: str, name: str
) -> None:
    """A full disk is told in a line, and not with the status of an answer."""
    arguments = [*arguments_of(name, "claude-small-2"), "--source", listing]
    status, _, err = written(os.open(device(tmp_path / "full", "full"), os.O_WRONLY), *arguments)
    assert (status, err) == NO_SPACE


def test_a_process_that_cannot_write_says_so_once(tmp_path: Path) -> None:
    """The interpreter adds nothing as it ends."""
    with open(device(tmp_path / "full", "full"), "wb") as full:
        ran = ended(started("models", out=full.fileno()))
    assert (ran.status, ran.err) == NO_SPACE


# The catalogue on disk, and what differs


def test_a_fresh_catalogue_on_disk_needs_no_request(command: Command, api: Api) -> None:
    """One run fetches, the next ones answer from the disk and say so; `refresh` asks again."""
    assert command("select").out == "claude-small-2\n"
    asked = len(api.asked)
    answer = read(command("select", "effort.max", "--json"))
    assert answer["decision"]["model"] == reference("claude-large-2")
    assert (answer["catalogue"]["source"], answer["decision"]["stale"]) == ("disk", False)
    assert len(api.asked) == asked == 2
    assert read(command("refresh", "--json"))["catalogue"]["source"] == "live"
    assert len(api.asked) == 4


def aged(days: float) -> Path:
    """Let the catalogue on disk be as old as that, and return its path."""
    store = open_store()
    stored = store.read()
    assert stored
    assert store.write(Stored(stored.entries, stored.fetched_at - days * 86_400, stored.validators))
    return Path(store.path)


def test_an_old_catalogue_on_disk_is_renewed(command: Command, api: Api) -> None:
    """What is older than an hour is asked for anew before the command ends, and that is the answer."""
    command("select")
    aged(1)
    api.entries = LISTING[1:]
    status, out, err = command("select", "--json")
    answer = json.loads(out)
    assert (status, err) == (
        0,
        "router: the live catalogue is older than the last one: its newest model is gone\n",
    )
    assert answer["decision"]["model"] == reference("claude-large-2")
    assert answer["catalogue"]["source"] == "live"
    assert len(api.asked) == 4


@pytest.mark.parametrize(("days", "stale"), [(1, False), (8, True)])
def test_an_old_catalogue_on_disk_stands_in(
    command: Command, api: Api, monkeypatch: pytest.MonkeyPatch, days: float, stale: bool
) -> None:
    """Where the API refuses, it answers all the same, says why, and after a week that it is stale."""
    command("select")
    aged(days)
    with Api(LISTING, status=403) as refusing:
        monkeypatch.setattr(api, "answer", refusing.answer)
    status, out, err = command("select", "--json")
    answer = json.loads(out)
    assert (status, answer["catalogue"]["source"]) == (0, "disk")
    assert answer["decision"]["stale"] is stale
    assert err.count("the catalogue could not be loaded") == 1
    assert "the disk catalogue is used" in err


def test_status_without_a_key_is_of_the_bundled_catalogue(command: Command) -> None:
    """It never goes stale and is never due."""
    standing = read(command("status", "--json"))["status"]
    assert (standing["source"], standing["stale"], standing["next_refresh"]) == (
        "bundled",
        False,
        None,
    )
    status, out, _ = command("status")
    assert status == 0
    assert re.match(
        r"catalogue     bundled of 20\d\d-\d\d-\d\d \d\d:\d\dZ, \d+ (d|h|min|s) old\n", out
    )
    assert "next refresh  never\n" in out


def test_status_of_nothing(command: Command, api: Api) -> None:
    """With a key and nothing on disk there is none yet, it is due, and nobody is asked for it."""
    assert command("status") == Ran(0, "catalogue     none yet\nnext refresh  now\n", "")
    assert api.asked == []


def test_status_of_the_disk(command: Command, api: Api) -> None:
    """What is on disk, its age, and when it is due, without a request."""
    command("refresh")
    assert re.fullmatch(
        r"catalogue     disk of .*Z, \d+ s old\nnext refresh  (5\d|6\d) min\n",
        command("status").out,
    )
    aged(8)
    out = command("status").out
    assert "8 d old\n              stale: older than it may be\nnext refresh  now\n" in out
    standing = read(command("status", "--json"))["status"]
    assert (standing["source"], standing["stale"], standing["last_error"]) == ("disk", True, None)
    assert standing["as_of"].endswith("Z")
    assert len(api.asked) == 2


@pytest.mark.usefixtures("api")
def test_cache(command: Command, tmp_path: Path) -> None:
    """Its path, what it holds, and an end of it."""
    path = command("cache", "path").out.rstrip("\n")
    assert path.startswith(str(tmp_path))
    assert not Path(path).exists()
    nothing = command("cache", "show")
    assert nothing == Ran(3, "", f"router: nothing is kept in {path}: router refresh fetches\n")

    digest = read(command("refresh", "--json"))["catalogue"]["digest"]
    assert re.fullmatch(
        rf"4 models as of 20.*Z in {re.escape(path)}\n", command("cache", "show").out
    )
    shown = read(command("cache", "show", "--json"))
    assert (shown["catalogue"]["source"], shown["path"]) == ("disk", path)
    assert shown["catalogue"]["digest"] == digest

    assert command("cache", "clear") == command("cache", "clear") == Ran(0, "", "")
    assert not Path(path).exists()
    assert command("cache", "show").status == 3


@pytest.mark.parametrize(
    "arguments", [["cache", "path"], ["cache", "show"], ["cache", "clear"], ["diff"]], ids=" ".join
)
def test_the_cache_is_of_a_key(command: Command, arguments: list[str]) -> None:
    """Without a key there is no telling which file."""
    ran = command(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "ANTHROPIC_API_KEY" in ran.err


def test_a_cache_that_cannot_be_cleared(command: Command, api: Api) -> None:
    """It is said, and no traceback."""
    path = Path(command("cache", "path").out.rstrip("\n"))
    path.mkdir(parents=True)
    status, out, err = command("cache", "clear")
    assert (status, out) == (74, "")
    assert err.startswith(f"router: {path}: ")
    assert api.asked == []


def test_a_date_on_disk_that_is_none(command: Command, api: Api) -> None:
    """A moment that no calendar has is no catalogue, and no traceback."""
    command("refresh")
    aged(-1e15)
    for arguments in (["cache", "show"], ["diff"], ["select"]):
        ran = command(*arguments)
        assert ran.status == (0 if arguments == ["select"] else 3)
        assert "Traceback" not in ran.err
    assert len(api.asked) == 4


CHANGED: Final[list[dict[str, Any]]] = [
    {**LISTING[0], "max_tokens": 128_000, "display_name": f"Small{chr(27)}[45m"},
    LISTING[1],
    {
        **LISTING[2],
        "capabilities": tree(pdf_input=False, effort=True, effort__high=True, effort__low=True),
    },
    {"type": "model", "id": "claude-new", "display_name": "New", "capabilities": None},
]
DIFFERENCE: Final = (
    "+ claude-new\n"
    "- claude-first\n"
    "~ claude-small-2 display_name: Claude Small 2 -> Small\\x1b[45m\n"
    "~ claude-small-2 max_tokens: 64k -> 128k\n"
    "~ claude-large-1 pdf_input: supported -> unsupported\n"
    "~ claude-large-1 thinking.enabled: supported -> unknown\n"
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return the paths of two saved listings that differ."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    return saved(old, LISTING), saved(new, CHANGED)


def test_diff_of_files(command: Command, files: tuple[str, str]) -> None:
    """Models added, gone, and every changed value, a line each, escaped; a status where that is asked for."""
    status, out, err = command("diff", *files)
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()) == sorted(DIFFERENCE.splitlines())
    assert [line[0] for line in out.splitlines()] == [*"+-~~~~"]
    assert command("diff", "--exit-code", *files).status == 1
    assert command("diff", "--exit-code", files[0], files[0]) == Ran(0, "", "")


def test_diff_json(command: Command, files: tuple[str, str]) -> None:
    """The same for programs, with unknown as null, in ASCII."""
    ran = command("diff", "--json", *files)
    answer = json.loads(ran.out)
    old, new = (Catalogue.from_listing(entries).digest for entries in (LISTING, CHANGED))
    assert (answer["old"]["digest"], answer["catalogue"]["digest"]) == (old, new)
    difference = answer["diff"]
    assert (difference["added"], difference["removed"]) == (["claude-new"], ["claude-first"])
    assert {
        (each["model_id"], each["name"]): (each["before"], each["after"])
        for each in difference["changed"]
    } == {
        ("claude-small-2", "display_name"): ("Claude Small 2", "Small\x1b[45m"),
        ("claude-small-2", "max_tokens"): (64_000, 128_000),
        ("claude-large-1", "pdf_input"): (True, False),
        ("claude-large-1", "thinking.enabled"): (True, None),
    }
    assert ran.out.isascii()
    assert command("diff", "--json", "--exit-code", *files).status == 1


def test_diff_of_every_kind_of_value_is_json(command: Command, listing: str) -> None:
    """Dates, lists and numbers among the values are JSON, too."""
    for pair in (["bundled", listing], [listing, "bundled"]):
        assert read(command("diff", "--json", *pair))["diff"]["added"]
        assert command("diff", *pair).status == 0


def test_diff_of_the_disk_against_the_live_api(
    command: Command, api: Api, files: tuple[str, str]
) -> None:
    """Without arguments what is kept is compared with what the API lists now, which is then what is kept."""
    assert command("diff").status == 3
    command("refresh")
    assert command("diff", "--exit-code") == Ran(0, "", "")
    api.entries = CHANGED
    assert sorted(command("diff", "disk", "live").out.splitlines()) == sorted(
        DIFFERENCE.splitlines()
    )
    assert command("diff", "disk", files[1]) == Ran(0, "", "")
    assert command("diff", "--exit-code", "disk", "bundled").status == 1


def test_warnings_are_said_once(command: Command, api: Api, tmp_path: Path) -> None:
    """Two catalogues in one run do not double what is said of one."""
    path = saved(tmp_path, [*({"id": f"claude-{at}"} for at in range(20)), {"id": "claude bad"}])
    err = command("diff", path, "live").err
    assert err.count("1 of 21 entries left out") == 1
    api.entries = [*({"id": f"claude-{at}"} for at in range(11)), {"id": "bad bad"}]
    err = command("diff", path, "live").err
    assert err.count("1 of 21 entries left out") == err.count("1 of 12 entries left out") == 1


def test_the_key_is_not_on_disk(command: Command, api: Api, tmp_path: Path) -> None:
    """D7: neither in a name nor in what a file holds."""
    command("select")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name.startswith("catalogue-") for path in files)
    for path in files:
        assert KEY[7:19] not in f"{path} {path.read_text()}"
    assert api.asked


# Help, version, and an installation that lacks something


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_a_help_text(command: Command, name: str, option: str) -> None:
    """It says how the command is used, and explains each of its options."""
    status, out, err = command(name, option)
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: router {name} ")
    for common in ("--source", "--json", "--no-color"):
        assert common in out
    for line in re.findall(r"^  -.*(?:\n {10,}.*)*", out, re.MULTILINE):
        assert re.search(r"\S  +\S|\n +\S", line.strip()), f"{line!r} explains nothing"


def test_the_help_text_lists_the_commands_and_the_statuses(command: Command) -> None:
    """Asked for help, or without a command, it lists them all."""
    status, out, err = command("--help")
    assert (status, err) == (0, "")
    listed = re.findall(r"^  (\w+)  +\S", out.partition("Commands:\n")[2], re.MULTILINE)
    assert listed == sorted(
        [*COMMANDS, "audit", "cache", "diff", "gate", "lock", "outdated", "route", "status", "why"]
    )
    assert "Exit status: 0 found, 1 no model satisfies it, 2 bad usage or requirement," in out
    assert command() == (0, out, "")


@pytest.mark.parametrize("arguments", [[], ["cache"]], ids=" ".join)
def test_each_command_is_listed_in_a_line_of_its_own(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """At eighty columns the list has a whole sentence for each command."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = command(*arguments, "--help").out.partition("Commands:\n")[2].splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"  [a-z]+  +[A-Z].*\.", line)
        assert not line.endswith("..")
        assert len(line) <= 80


def test_the_version_is_told(command: Command) -> None:
    """The command's name and the version of the library."""
    assert command("--version") == (0, f"router, version {router.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["models"], 0), (["select", "line == none"], 1), (["selec"], 2), (["show", "x"], 2)],
)
def test_the_entry_point_ends_with_the_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
) -> None:
    """What is installed as `router` takes the arguments of the process and ends it."""
    monkeypatch.setattr("sys.argv", ["router", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == status
    assert (capsys.readouterr().out == "") is (status != 0)


WITHOUT: Final = (
    "import sys\n"
    "class Missing:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.partition('.')[0] in {missing!r}:\n"
    "            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)\n"
    "sys.meta_path.insert(0, Missing())\n"
)


@pytest.mark.parametrize("missing", [["click"], ["click", "rich"], ["rich"]], ids=" ".join)
def test_a_missing_extra_is_told_with_its_remedy(missing: list[str]) -> None:
    """One line that can be pasted, whatever of it is missing, and no status of an answer."""
    status, out, err = spawned_on_terminal("models", code=WITHOUT.format(missing=missing) + COMMAND)
    assert out == ""
    assert err == "router: the command needs an extra: pip install 'capability-router[cli]'\n"
    assert status not in {0, 1}


def test_another_missing_module_is_not_taken_for_the_extra() -> None:
    """A broken installation of the library shows what is broken."""
    status, out, err = spawned("select", code=WITHOUT.format(missing=["attrs"]) + COMMAND)
    assert (status != 0, out) == (True, "")
    assert "No module named 'attrs'" in err


def test_a_pipe_needs_no_rich() -> None:
    """What is for programs does without what is for people."""
    assert (
        spawned("select", "line == haiku", code=WITHOUT.format(missing=["rich"]) + COMMAND).status
        == 0
    )


def test_a_shell_can_complete_the_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With click's own protocol, under the name of the command."""
    monkeypatch.setenv("_ROUTER_COMPLETE", "zsh_complete")
    monkeypatch.setenv("COMP_WORDS", "router sele")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit) as end:
        run([])
    assert end.value.code == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["plain", "select"]


def test_the_package_is_the_command() -> None:
    """`python -m router` is the command."""
    run = subprocess.run(
        [sys.executable, "-m", "router", "--help"], capture_output=True, text=True, check=True
    )

    assert run.stdout.startswith("Usage: ")
