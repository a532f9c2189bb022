"""The command, as a person and a shell script meet it: answers, exit statuses, terminals, pipes, and hostile input."""

import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import pytest
from devices import device
from hypothesis import example, given, settings
from hypothesis import strategies as st
from terminal import (
    COMMAND,
    LONGEST,
    Ran,
    Terminal,
    ended,
    environment,
    on_terminal,
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

Command = Callable[..., Ran]

COMMANDS: Final = (
    "candidates",
    "explain",
    "matrix",
    "models",
    "refresh",
    "select",
    "show",
    "supports",
)
ANSWERING: Final = ("select", "candidates", "explain")
KEY: Final = "sk-ant-the-key-of-a-test-0123456789"
NOBODY: Final = "no model meets"

STYLED: Final = re.compile(r"\x1b\[[0-9;]*m")
OURS: Final = re.compile(r"\x1b\[(0|1|2|31|32|33)m")
"""What the command itself writes to style its text."""


def tree(**facts: bool | None) -> dict[str, Any]:
    """Return a capability tree in the API's shape of facts named `effort__max`; `None` leaves a bare node."""
    top: dict[str, Any] = {}
    for name, supported in facts.items():
        node = top
        for key in name.split("__"):
            node = node.setdefault(key, {})
        if supported is not None:
            node["supported"] = supported
    return top


LISTING: Final[list[dict[str, Any]]] = [
    {
        "type": "model",
        "id": "claude-small-2",
        "display_name": "Claude Small 2",
        "created_at": "2026-10-07T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "lifecycle": "active",
        "line": "small",
        "deprecated_at": None,
        "retires_at": None,
        "price": {"input": 1, "output": 5},
        "capabilities": tree(
            pdf_input=True, effort=True, effort__high=True, effort__max=False, citations=None
        ),
    },
    {
        "type": "model",
        "id": "claude-large-2",
        "display_name": "Claude Large 2",
        "created_at": "2026-09-21T00:00:00Z",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
        "lifecycle": "active",
        "line": "large",
        "deprecated_at": None,
        "retires_at": "2030-01-31T00:00:00Z",
        "price": {"input": 4.5, "output": 20},
        "allowed_fallback_models": ["claude-large-1"],
        "capabilities": tree(
            pdf_input=True,
            effort=True,
            effort__high=True,
            effort__max=True,
            thinking__adaptive=True,
        ),
    },
    {
        "type": "model",
        "id": "claude-large-1",
        "display_name": "Claude Large 1",
        "created_at": "2026-01-05T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 32_000,
        "lifecycle": "deprecated",
        "line": "large",
        "capabilities": tree(
            pdf_input=True, effort=True, effort__high=True, effort__low=True, thinking__enabled=True
        ),
    },
    {"type": "model", "id": "claude-first", "display_name": "Claude First", "capabilities": None},
]
"""In the order in which a listing ranks them."""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Give each test the environment of a plain terminal and a cache of its own, and take back the log handlers."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)
    for name, value in {**environment(), "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    handlers = logging.getLogger("router").handlers
    before = [*handlers]
    yield
    handlers[:] = before


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command in this process, its outputs piped."""

    def ran(*arguments: str) -> Ran:
        status = run(arguments)
        return Ran(status, *capsys.readouterr())

    return ran


@pytest.fixture
def listing(tmp_path: Path) -> str:
    """Return the path of a saved listing."""
    return saved(tmp_path, LISTING)


def saved(where: Path, entries: object, name: str = "listing.json") -> str:
    """Save a listing in the API's shape, and return its path."""
    path = where / name
    path.write_text(json.dumps({"data": entries, "has_more": False}), encoding="utf-8")
    return str(path)


def arguments_of(name: str, id: str) -> list[str]:
    """Return a run of the command that has an answer on any catalogue with this id."""
    return {"show": [name, id], "supports": [name, id, "true"]}.get(name, [name])


class Api:
    """A Models API on the loopback interface that answers with two models a page, or with one refusal."""

    def __init__(self, entries: list[Any], status: int = 200) -> None:
        self.asked: list[tuple[dict[str, list[str]], dict[str, str]]] = []
        """The query and the headers of each request."""
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                api.asked.append(
                    (query, {name.lower(): value for name, value in self.headers.items()})
                )
                body = json.dumps(api.answer(query)).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.entries = entries
        self.status = status
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, query: dict[str, list[str]]) -> dict[str, Any]:
        if self.status != 200:
            return {
                "type": "error",
                "error": {"type": "authentication_error", "message": "invalid \x1b[45m key"},
            }
        after = query.get("after_id", [None])[0]
        start = next(
            (at + 1 for at, entry in enumerate(self.entries) if entry.get("id") == after), 0
        )
        page = self.entries[start : start + 2]
        return {
            "data": page,
            "has_more": start + 2 < len(self.entries),
            "first_id": page[0]["id"],
            "last_id": page[-1]["id"],
        }

    @property
    def environ(self) -> dict[str, str]:
        return environment(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=self.url)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Serve the listing, and let the command here find it."""
    with Api(LISTING) as served:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", served.url)
        yield served


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the command look for the API where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{held.getsockname()[1]}")
        yield


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


FLAGS: Final = [
    (["--thinking", "adaptive"], "thinking.adaptive"),
    (["--thinking", "adaptive", "--thinking", "enabled"], "thinking.adaptive or thinking.enabled"),
    (["--effort", "high"], "effort.high"),
    (["--effort", "low", "--effort", "max"], "effort.low or effort.max"),
    (["--pdf"], "pdf_input"),
    (["--min-context", "500k"], "max_input_tokens >= 500k"),
    (["--min-output", "64k"], "max_tokens >= 64k"),
    (["--line", "large"], "line == large"),
    (["--line", "large", "--line", "small"], "line in (large, small)"),
    (
        ["--pdf", "--line", "large", "price.output <= 20"],
        "pdf_input and line == large and price.output <= 20",
    ),
    (
        ["--min-output", "1k", "max_tokens < 65k or effort.max"],
        "max_tokens >= 1k and (max_tokens < 65k or effort.max)",
    ),
]


@pytest.mark.parametrize("name", ANSWERING)
@pytest.mark.parametrize(("flags", "text"), FLAGS)
def test_options_say_what_the_text_says(
    command: Command, listing: str, name: str, flags: list[str], text: str
) -> None:
    """Each option is a spelling of a requirement, and counts together with the text."""
    by_flags, by_text, by_none = (
        command(name, *asked, "--source", listing, "--json") for asked in (flags, [text], [])
    )
    assert by_flags == by_text
    assert by_flags != by_none, "an option that is not heeded answers as none does"


@pytest.mark.parametrize(
    "option",
    [
        "--thinking",
        "--effort",
        "--min-context",
        "--min-output",
        "--line",
        "--source",
        "--lifecycle",
    ],
)
def test_an_empty_value_is_never_as_if_the_option_were_not_there(
    command: Command, option: str
) -> None:
    """A shell variable that is unset by mistake must not widen what is asked."""
    assert command("select", option, "").status != 0


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
        "created_at": "2026-09-21",
        "deprecated_at": "none",
        "display_name": "Claude Large 2",
        "lifecycle": "active",
        "line": "large",
        "max_input_tokens": "1M",
        "max_tokens": "128k",
        "partner_ids": "unknown",
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


# JSON


def read(ran: Ran, status: int = 0) -> Any:
    """Return the JSON that a run printed, and nothing else."""
    assert (ran.status, ran.err) == (status, "")
    assert ran.out.isascii()
    return json.loads(ran.out, parse_constant=pytest.fail)


def test_select_json_is_a_short_decision(command: Command, listing: str) -> None:
    """The model and its reason, who else would do, and which catalogue answered."""
    answer = read(command("select", "--effort", "high", "--source", listing, "--json"))
    catalogue = answer.pop("catalogue")
    assert answer == {
        "model": "claude-small-2",
        "reason": "newest",
        "requirement": "effort.high",
        "policy": None,
        "candidates": ["claude-small-2", "claude-large-2"],
        "nearest": [],
        "notes": [],
    }
    assert catalogue.pop("as_of").endswith("Z")
    assert catalogue == {
        "source": "file",
        "digest": Catalogue.from_listing(LISTING).digest,
        "models": 4,
        "stale": False,
    }


def test_select_json_without_a_model_is_an_answer_too(command: Command, listing: str) -> None:
    """Null, the reason and the nearest, with the exit status of an answer that found none."""
    answer = read(
        command("select", "effort.max and line == small", "--source", listing, "--json"), status=1
    )
    assert (answer["model"], answer["reason"], answer["candidates"]) == (None, "no_match", [])
    assert answer["nearest"] == ["claude-small-2", "claude-large-2"]
    assert "rejected" not in answer


def test_explain_json_tells_what_each_other_model_lacks(command: Command, listing: str) -> None:
    """Every term with its answer, default filters marked as implicit."""
    answer = read(
        command("explain", "effort.max and max_tokens >= 64k", "--source", listing, "--json")
    )
    assert (answer["model"], answer["requirement"]) == (
        "claude-large-2",
        "effort.max and max_tokens >= 64k",
    )
    assert answer["terms"] == [
        {"term": "effort.max", "implicit": False},
        {"term": "max_tokens >= 64k", "implicit": False},
        {"term": "maybe lifecycle == active", "implicit": True},
        {"term": "maybe access != limited", "implicit": True},
    ]
    assert list(answer["rejected"]) == ["claude-small-2", "claude-large-1", "claude-first"]
    assert answer["rejected"]["claude-small-2"] == [
        {"term": "effort.max", "support": False, "why": "unsupported", "implicit": False}
    ]
    assert answer["rejected"]["claude-large-1"][:2] == [
        {"term": "effort.max", "support": None, "why": "unknown", "implicit": False},
        {"term": "max_tokens >= 64k", "support": False, "why": "is 32k", "implicit": False},
    ]
    assert answer["rejected"]["claude-large-1"][2]["implicit"] is True
    assert answer["catalogue"]["source"] == "file"


def test_explain_json_carries_the_notes(command: Command, tmp_path: Path) -> None:
    """A model without a date is told to be one."""
    answer = read(
        command("explain", "--source", saved(tmp_path, [{"id": "claude-undated"}]), "--json")
    )
    assert answer["notes"] == [
        "claude-undated has no known release date, so it ranks after every dated model"
    ]


def test_show_json_holds_what_is_known_of_a_model(command: Command, listing: str) -> None:
    """Fields, capabilities in three values, dates in RFC 3339; what is relative to now is left out."""
    answer = read(command("show", "claude-large-2", "--source", listing, "--json"))
    assert answer == {
        "id": "claude-large-2",
        "fields": {
            "allowed_fallback_models": ["claude-large-1"],
            "created_at": "2026-09-21T00:00:00Z",
            "display_name": "Claude Large 2",
            "id": "claude-large-2",
            "lifecycle": "active",
            "line": "large",
            "max_input_tokens": 1_000_000,
            "max_tokens": 128_000,
            "price.input": 4.5,
            "price.output": 20,
            "retires_at": "2030-01-31T00:00:00Z",
            "type": "model",
        },
        "capabilities": {
            "effort": True,
            "effort.high": True,
            "effort.max": True,
            "pdf_input": True,
            "thinking": None,
            "thinking.adaptive": True,
        },
        "documented": {},
        "corrections": {},
    }


def test_show_json_holds_documentation_and_corrections(command: Command) -> None:
    """What is documented has its sources, what is corrected what the API reports."""
    model = next(model for model in Catalogue.bundled() if model.corrections)
    answer = read(command("show", model.id, "--json"))
    assert answer["documented"] == {
        name: list(keys) for name, keys in sorted(model.documented.items())
    }
    assert answer["corrections"] == {
        name: {"reported": each.reported, "value": each.value, "why": each.why}
        for name, each in model.corrections.items()
    }
    assert all(
        answer["fields"][name] == each["value"] for name, each in answer["corrections"].items()
    )


def test_candidates_json_holds_the_models(command: Command, listing: str) -> None:
    """What `show` prints of each, newest first."""
    answer = read(command("candidates", "pdf_input", "--source", listing, "--json"))
    assert [each["id"] for each in answer] == ["claude-small-2", "claude-large-2"]
    assert answer[1] == read(command("show", "claude-large-2", "--source", listing, "--json"))


def test_candidates_json_of_none_is_an_empty_list(command: Command, listing: str) -> None:
    """With the exit status of an answer that found none."""
    assert (
        read(command("candidates", "line == none", "--source", listing, "--json"), status=1) == []
    )


@pytest.mark.parametrize(
    ("requirement", "support", "lacks"),
    [
        ("pdf_input", True, []),
        (
            "effort.max",
            False,
            [{"term": "effort.max", "support": False, "why": "unsupported", "implicit": False}],
        ),
        (
            "citations",
            None,
            [{"term": "citations", "support": None, "why": "unknown", "implicit": False}],
        ),
    ],
)
def test_supports_json_keeps_unknown_apart(
    command: Command, listing: str, requirement: str, support: bool | None, lacks: list[object]
) -> None:
    """True, false or null, and what is lacking."""
    ran = command("supports", "claude-small-2", requirement, "--source", listing, "--json")
    assert read(ran, status=0 if support else 1) == {
        "id": "claude-small-2",
        "requirement": requirement,
        "support": support,
        "lacks": lacks,
    }


def test_refresh_json_identifies_the_catalogue(command: Command) -> None:
    """Where it comes from, as of when, its digest and its size."""
    bundled = Catalogue.bundled()
    assert bundled.as_of
    assert read(command("refresh", "--source", "bundled", "--json")) == {
        "source": "bundled",
        "as_of": bundled.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "digest": bundled.digest,
        "models": len(bundled),
    }


def test_models_json_is_a_page_of_the_api(command: Command, listing: str) -> None:
    """The entries as they came, newest first, whole."""
    assert read(command("models", "--source", listing, "--json")) == {
        "data": LISTING,
        "has_more": False,
        "first_id": "claude-small-2",
        "last_id": "claude-first",
    }


def test_models_json_heeds_the_filter(command: Command, listing: str) -> None:
    """A saved listing can be a part of another; of nothing it has no first and no last."""
    some = read(
        command("models", "--where", "lifecycle == deprecated", "--source", listing, "--json")
    )
    none = read(command("models", "--where", "line == none", "--source", listing, "--json"))
    assert some == {
        "data": LISTING[2:3],
        "has_more": False,
        "first_id": "claude-large-1",
        "last_id": "claude-large-1",
    }
    assert none == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_a_saved_listing_is_the_same_catalogue(command: Command, tmp_path: Path) -> None:
    """What `models --json` prints, `--source FILE` reads again, to the digest."""
    path = tmp_path / "saved.json"
    path.write_text(command("models", "--json").out, encoding="utf-8")
    first, again = (
        read(command("refresh", "--source", source, "--json")) for source in ("bundled", str(path))
    )
    assert again["digest"] == first["digest"]
    assert (again["source"], again["models"]) == ("file", first["models"])


def test_a_number_beyond_measure_is_never_printed_as_one(command: Command, tmp_path: Path) -> None:
    """JSON knows no infinity: a listing that holds 1e400 is refused, or printed so that it can be read again."""
    path, again = tmp_path / "listing.json", tmp_path / "again.json"
    path.write_text('[{"id": "claude-a", "weight": 1e400}, {"id": "claude-b"}]', encoding="utf-8")
    ran = command("models", "--source", str(path), "--json")
    if ran.status != 3:
        read(ran)
        again.write_text(ran.out, encoding="utf-8")
        assert command("refresh", "--source", str(again)).status == 0


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
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith("router: the API cannot be reached")
    assert ran.err.count("\n") == 1


@pytest.mark.usefixtures("refused")
def test_an_api_that_is_not_named_is_stood_in_for(command: Command) -> None:
    """With a key and no word of a source the bundled catalogue answers, and a warning says so."""
    status, out, err = command("select", "--json")
    answer = json.loads(out)
    assert status == 0
    assert (answer["catalogue"]["source"], answer["catalogue"]["stale"]) == ("bundled", True)
    assert answer["model"] == Catalogue.bundled().select().id
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


# The live API


def test_with_a_key_the_live_api_answers(command: Command, api: Api) -> None:
    """Every page is fetched, with the key, and the answer is of the live catalogue."""
    answer = read(command("select", "effort.max", "--json"))
    assert (answer["model"], answer["catalogue"]["source"]) == ("claude-large-2", "live")
    assert (answer["catalogue"]["models"], answer["catalogue"]["stale"]) == (4, False)
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
    path.write_text(command("models", "--source", "live", "--json").out, encoding="utf-8")
    live, again = (
        read(command("refresh", "--json")),
        read(command("refresh", "--source", str(path), "--json")),
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


# Terminals


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


@pytest.mark.parametrize("length", [60, 256])
@pytest.mark.parametrize("name", ["models", "candidates"])
def test_an_id_longer_than_the_terminal_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, length: int
) -> None:
    """It may be folded, but every character of it is there to be copied."""
    monkeypatch.setenv("COLUMNS", "50")
    path = saved(tmp_path, [{"id": "q" * length, "line": "opus"}])
    assert on_terminal(run, name, "--source", path).out.count("q") == length


# Encodings


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


# What a server may send

EVIL: Final = "\x1b[45m\x1b]0;owned\x07\r\n\x00\u202e\x85\u2028\ud800[red]x[/red][/]"
HOSTILE: Final[list[dict[str, Any]]] = [
    {
        "id": "claude-evil-1",
        "display_name": f"Evil {EVIL}",
        "created_at": "2026-01-01T00:00:00Z",
        "line": f"line {EVIL}",
        "lifecycle": "active",
        "aliases": ["claude-evil-7\x1b[45m\u202e"],
        "replacement": EVIL,
        "allowed_fallback_models": [EVIL, "claude-b"],
        "weight": EVIL,
        "capabilities": {
            "pdf_input": {"supported": True},
            f"seen{EVIL}": {"supported": False},
            "footnotes_and_references\x1b[45m\u202e": {"supported": True},
            f"citations{EVIL}": {f"deep{EVIL}": {"supported": True}},
        },
    },
]
HOSTILE_FIELD: Final = [HOSTILE[0] | {f"odd\r\x1b[45m{EVIL}": "x", "nested": {f"odd{EVIL}": 1}}]


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
        assert answer["fields"]["line"] == f"line {EVIL}"
        assert answer["capabilities"][f"citations{EVIL}.deep{EVIL}"] is True
    if name == "models":
        assert answer["data"] == HOSTILE_FIELD


def test_a_hostile_listing_survives_the_round_trip(command: Command, tmp_path: Path) -> None:
    """Saved and read again it has the same digest."""
    first = saved(tmp_path, HOSTILE_FIELD)
    again = tmp_path / "again.json"
    again.write_text(command("models", "--source", first, "--json").out, encoding="utf-8")
    digests = {
        read(command("refresh", "--source", path, "--json"))["digest"]
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


def test_an_interrupt_ends_a_wait_quietly() -> None:
    """Ctrl-C while a server keeps silent: status 130, no traceback."""
    assert interrupted("select") == Ran(130, "", "")


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
            assert command(*arguments) == Ran(130, "", "")
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
    assert re.fullmatch(r"(\x1b\[1A|\x1b\[2K|[\r\n])*", rest)


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


def test_an_interrupt_while_it_starts_ends_it_quietly() -> None:
    """Ctrl-C is heard before the command line library is even loaded."""
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
    )
    assert spawned("select", code=code + COMMAND) == Ran(130, "", "")


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
    assert status not in {0, 1, 2, 3}
    assert err.startswith("router: ")
    assert err.count("\n") == 1


def test_a_process_that_cannot_write_says_so_once(tmp_path: Path) -> None:
    """The interpreter adds nothing as it ends."""
    with open(device(tmp_path / "full", "full"), "wb") as full:
        ran = ended(started("models", out=full.fileno()))
    assert ran.status not in {0, 1, 2, 3}
    assert ran.err.startswith("router: ")
    assert ran.err.count("\n") == 1


# The catalogue on disk, and what differs


def test_a_fresh_catalogue_on_disk_needs_no_request(command: Command, api: Api) -> None:
    """One run fetches, the next ones answer from the disk and say so; `refresh` asks again."""
    assert command("select").out == "claude-small-2\n"
    asked = len(api.asked)
    answer = read(command("select", "effort.max", "--json"))
    assert (answer["model"], answer["catalogue"]["source"]) == ("claude-large-2", "disk")
    assert answer["catalogue"]["stale"] is False
    assert len(api.asked) == asked == 2
    assert read(command("refresh", "--json"))["source"] == "live"
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
    assert (answer["model"], answer["catalogue"]["source"]) == ("claude-large-2", "live")
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
    catalogue = json.loads(out)["catalogue"]
    assert (status, catalogue["source"], catalogue["stale"]) == (0, "disk", stale)
    assert err.count("the catalogue could not be loaded") == 1
    assert "the disk catalogue is used" in err


def test_status_without_a_key_is_of_the_bundled_catalogue(command: Command) -> None:
    """It never goes stale and is never due."""
    standing = read(command("status", "--json"))
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
    standing = read(command("status", "--json"))
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

    digest = read(command("refresh", "--json"))["digest"]
    assert re.fullmatch(
        rf"4 models as of 20.*Z in {re.escape(path)}\n", command("cache", "show").out
    )
    shown = read(command("cache", "show", "--json"))
    assert (shown["source"], shown["digest"], shown["path"]) == ("disk", digest, path)

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
    assert err.startswith("router: ")
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
    difference = json.loads(ran.out)
    assert (difference["added"], difference["removed"]) == (["claude-new"], ["claude-first"])
    assert {
        (each["id"], each["name"]): (each["before"], each["after"])
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
        assert read(command("diff", "--json", *pair))["added"]
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
    assert "Exit status: 0 found, 1 nothing meets the need, 2 bad usage or requirement," in out
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


@pytest.mark.parametrize("name", ANSWERING)
def test_the_needs_of_the_card_have_options(command: Command, name: str) -> None:
    """Each of them is in the help text."""
    out = command(name, "--help").out
    for option in ("--thinking", "--effort", "--pdf", "--min-context", "--min-output", "--line"):
        assert f"  {option} " in out


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


@pytest.mark.parametrize("option", ["--min-context", "--min-output"])
def test_an_option_is_told_by_its_own_name(command: Command, option: str) -> None:
    """What an option cannot mean is told of the option, not of the keyword behind it."""
    ran = command("select", option, "20x")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"router: {option} must be a whole number such as 200000")
