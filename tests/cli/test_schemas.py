"""The JSON Schemas in `docs/schemas`: complete, readable, and true of what each command prints."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import pytest
from attrs import frozen
from directories import written
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from listings import HOSTILE_FIELD, LISTING, saved
from request_corpus import WITH_IMAGE_AND_TOOL
from schemas import COMMON, FOLDER, OWN, completed, load, text_of
from sizes import MANY, examples

from router import CatalogueUnavailableError, LockProblemKind, Reason
from router._status import Cooling, RouterStatus
from router.catalogue._gate import GateReason
from router.catalogue._policy import ORDERS
from router.cli._commands import cli
from router.cli._json import SCHEMA, document, named
from router.models._vocabulary import DURATIONS, FIELDS
from router.tools._audit import AuditVerdict

if TYPE_CHECKING:
    from terminal import Command

SCHEMAS: Final = {name: load(path) for name, path in OWN.items()}
VALIDATORS: Final = {
    name: Draft202012Validator(schema, format_checker=FormatChecker())
    for name, schema in SCHEMAS.items()
}
POLICIES: Final = """
[policies.reports]
require = "pdf_input"
prefer  = ["effort.max"]
minimum_age = "1d"
alternatives = ["effort"]

[policies.bulk]
require = "pdf_input"
order   = "largest_context"
"""
OPUS: Final = ("--require", "id == claude-opus-5-5")
DAY: Final = "2026-11-22T00:00:00Z"


@frozen
class Run:
    """A run of the command that has an answer, after others that made the state that it finds."""

    arguments: tuple[str, ...]
    status: int = 0
    before: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        """The name of the command."""
        group = self.arguments[0] == "cache"
        return " ".join(self.arguments[: 2 if group else 1])

    def __str__(self) -> str:
        after = f" after {'; '.join(map(' '.join, self.before))}" if self.before else ""
        return " ".join(self.arguments).encode("unicode_escape").decode() + after


def run_of(text: str, *also: str, status: int = 0, before: tuple[str, ...] = ()) -> Run:
    """Return the run of a command line without spaces in its arguments, which `also` may have."""
    return Run((*text.split(), *also), status, tuple(tuple(each.split()) for each in before))


SMALL: Final = ("--source", "listing.json")
HOSTILE: Final = ("--source", "hostile.json")
LOCKED: Final = ("lock --source listing.json",)
OFFLINE: Final = (
    *(
        run_of(f"{name} {text}", *need, *SMALL, status=status)
        for name in ("select", "explain")
        for text, need, status in (
            ("effort.high", (), 0),
            ("", ("effort.max and line == small",), 1),
            ("", ("pdf_input and not pdf_input",), 1),
            ("--policy reports", (), 0),
            ("--policy bulk", (), 0),
        )
    ),
    run_of("select"),
    run_of("explain --source undated.json"),
    run_of("explain --line opus"),
    run_of("explain", *HOSTILE),
    run_of("candidates pdf_input", *SMALL),
    run_of("candidates", "line == none", *SMALL, status=1),
    run_of("candidates --policy reports", *SMALL),
    run_of("candidates", *HOSTILE),
    run_of("candidates"),
    run_of("models", *SMALL),
    run_of("models --where", "line == none", *SMALL),
    run_of("models --columns id,key,price.output,effort.max,retires_at,aliases"),
    run_of("models", *HOSTILE),
    run_of("models"),
    run_of("show claude-large-2", *SMALL),
    run_of("show claude-first", *SMALL),
    run_of("show claude-fable-5"),
    run_of("show claude-evil-1", *HOSTILE),
    run_of("matrix", *SMALL),
    run_of("matrix --only pdf_input", *SMALL),
    run_of("matrix", *HOSTILE),
    run_of("matrix"),
    run_of("supports claude-small-2 pdf_input", *SMALL),
    run_of("supports claude-small-2 effort.max", *SMALL, status=1),
    run_of("supports claude-small-2 citations", *SMALL, status=1),
    run_of("gate claude-small-2 pdf_input", *SMALL),
    run_of("gate claude-small-2 effort.max", *SMALL, status=1),
    run_of("gate claude-small-2 citations", *SMALL, status=1),
    run_of("gate claude-smal-2 pdf_input --default yes", *SMALL),
    run_of("why claude-small-2 pdf_input", *SMALL),
    run_of("why claude-first pdf_input", *SMALL, status=1),
    run_of("why claude-first --policy reports", *SMALL, status=1),
    run_of("why claude-small-2 --policy reports", *SMALL, before=LOCKED),
    run_of("why claude-first", "line == none", *SMALL, status=1),
    run_of("route request.json"),
    run_of("route request.json --on-unsupported drop", *OPUS),
    run_of("route request.json --on-unsupported downgrade", *OPUS),
    run_of("route request.json --policy reports"),
    run_of("route request.json --require", "line == none", status=1),
    run_of("route request.json --print-request"),
    run_of("lock", *SMALL),
    run_of("lock", *SMALL, before=LOCKED),
    run_of("lock --upgrade --dry-run --source undated.json", before=LOCKED, status=1),
    run_of("lock --source newer.json", before=LOCKED),
    run_of("lock --upgrade --source newer.json", before=LOCKED),
    run_of("lock --policies less.toml", *SMALL, before=LOCKED),
    run_of("lock --source undated.json", status=1),
    run_of("lock --check", *SMALL, status=1),
    run_of("lock --check", *SMALL, before=LOCKED),
    run_of("lock --check --source newer.json", before=LOCKED, status=1),
    run_of("lock --check --policies less.toml", *SMALL, before=LOCKED, status=1),
    run_of("lock --check", before=LOCKED),
    run_of("lock --dry-run", before=LOCKED),
    run_of("outdated", before=LOCKED),
    run_of("outdated", *SMALL),
    run_of("outdated", *SMALL, before=LOCKED),
    run_of("outdated --source newer.json", before=LOCKED),
    run_of("outdated --source undated.json"),
    run_of("diff listing.json newer.json --impact"),
    run_of("diff listing.json undated.json --impact"),
    run_of("diff listing.json listing.json"),
    run_of("diff listing.json bundled"),
    run_of("diff bundled hostile.json"),
    run_of("audit app.py", status=1),
    run_of("audit app.py nowhere.py", status=2),
    run_of("audit listing.json"),
    run_of("refresh", *SMALL),
    run_of("refresh --source bundled"),
    run_of("status"),
)
ONLINE: Final = (
    run_of("select"),
    run_of("refresh"),
    run_of("status"),
    run_of("status", before=("refresh",)),
    run_of("cache path"),
    run_of("cache show", before=("refresh",)),
    run_of("cache clear", before=("refresh",)),
    run_of("cache clear"),
    run_of("diff", before=("refresh",)),
)


@pytest.fixture
def place(here: Path) -> Path:
    """The current directory has listings, policies, a request and a program."""
    small, large, first, _ = LISTING
    newest = {
        **large,
        "id": "claude-large-3",
        "created_at": "2026-10-20T00:00:00Z",
        "capabilities": {**large["capabilities"], "fast_mode": {"supported": True}},
    }
    saved(here, LISTING)
    saved(here, HOSTILE_FIELD, "hostile.json")
    saved(here, [{"id": "claude-undated"}], "undated.json")
    saved(here, [newest, small, {**large, "lifecycle": "deprecated"}, first], "newer.json")
    files = {
        "router.toml": POLICIES,
        "less.toml": POLICIES.partition("[policies.bulk]")[0],
        "request.json": json.dumps(WITH_IMAGE_AND_TOOL),
        "app.py": "claude-opus-5 anthropic.claude-3-opus-20240229-v1:0 claude-mythos-preview",
    }
    return written(here, files)


def answer(command: Command, run: Run) -> Any:
    """Return the document of a run."""
    for before in run.before:
        command(*before)
    ran = command(*run.arguments, "--json")
    assert ran.status == run.status, ran.err
    return json.loads(ran.out, parse_constant=pytest.fail)


def check(name: str, answer: Any) -> None:
    """Raise if a document is not as the schema of its command says."""
    VALIDATORS[name].validate(answer)


def is_valid(name: str, answer: Any) -> bool:
    """Return whether a document is as the schema of its command says."""
    return VALIDATORS[name].is_valid(answer)


# What the command prints


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("run", OFFLINE, ids=str)
def test_what_a_command_prints_is_valid(command: Command, run: Run) -> None:
    """In every state: found or not, of a policy, with notes, locked, unmet, different, hostile, bundled."""
    check(run.name, answer(command, run))


@pytest.mark.usefixtures("place", "api")
@pytest.mark.parametrize("run", ONLINE, ids=str)
def test_what_a_command_prints_of_the_live_api_is_valid(command: Command, run: Run) -> None:
    """Of the API, of the disk, and of neither yet."""
    check(run.name, answer(command, run))


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("arguments", [["select"], ["status"]], ids=" ".join)
def test_what_stands_in_is_valid(command: Command, arguments: list[str]) -> None:
    """The API does not answer: the bundled catalogue does, and the document says that it is stale."""
    check(arguments[0], json.loads(command(*arguments, "--json").out))


@pytest.mark.parametrize("name", OWN)
def test_an_error_of_each_command_is_valid(command: Command, name: str) -> None:
    """Bad usage of each command is a document that the schema of the command knows."""
    ran = command(*name.split(), "--nonsense", "--json")
    failure = json.loads(ran.out)
    assert failure["error"]["type"] == "UsageError"
    check(name, failure)
    assert not is_valid(name, {**failure, "more": 1})
    assert not is_valid(name, {**failure, "error": {"type": "UsageError"}})
    assert not is_valid(name, {**failure, "schema": SCHEMA + 1})


def test_the_status_of_a_service_is_valid() -> None:
    """The command has no models in cooldown; a service that prints its own status has the same shape."""
    day = datetime(2026, 11, 22, tzinfo=UTC)
    status = RouterStatus(
        source="live",
        as_of=day,
        age=1.0,
        stale=True,
        regressed=False,
        quarantined=1,
        next_refresh=1.5,
        refreshing=False,
        last_error=CatalogueUnavailableError("no answer"),
        refreshes=1,
        failures=1,
        cooling=(Cooling("anthropic:claude-a", day, 2, "overloaded"),),
    )
    check("status", json.loads(json.dumps(document(named("status")(status), None))))


# What the schemas refuse

MAPS: Final = frozenset(
    {"values", "capabilities", "documented", "corrections", "places", "policies", "row"}
)
"""Objects whose keys are names of the catalogue, of a request or of a file of policies."""

ANYTHING: Final = frozenset({"before", "after", "request"})
"""What holds values of a request or a model, of any type."""


def mutants(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield copies of a document that each have one key less, one more, or a value of another type."""
    if isinstance(value, dict):
        is_map = name in MAPS or (name in {"support", "unmet"} and bool(value))
        for key, each in value.items():
            rest = {other: kept for other, kept in value.items() if other != key}
            if not is_map and (key, name) != ("why", "models"):  # only of a policy
                yield f"without {key}", rest
            if key not in ANYTHING:
                yield f"{key} is an object", {**value, key: {"odd": {"odd": {}}}}
                inside = mutants(each, key) if not is_map or isinstance(each, dict) else ()
                yield from ((f"{key}: {how}", {**value, key: changed}) for how, changed in inside)
        if not is_map:
            yield "with odd", {**value, "odd": 1}
    elif isinstance(value, list):
        yield f"{name} is a string", "odd"
        for at, each in enumerate(value[:3]):
            inside = mutants(each, "row" if name == "models" and "values" not in each else name)
            for how, changed in (*inside, ("an object", {"odd": {"odd": {}}})):
                yield f"[{at}]: {how}", [*value[:at], changed, *value[at + 1 :]]
    else:
        of_another_type = {str: 7.5, bool: 7.5, type(None): ["odd"]}.get(type(value), "7")
        yield f"{name} is of another type", of_another_type
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
            yield f"{name} is no date", "yesterday"


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "run", [run for run in OFFLINE if str(run) not in {"candidates", "models", "matrix"}], ids=str
)
def test_what_no_command_prints_is_refused(command: Command, run: Run) -> None:
    """A document with a key less, a key more, or a value of another type is not valid.

    A normal run tries a share of them, another one of each document; `--full` tries all.
    """
    found = answer(command, run)
    original = copy.deepcopy(found)
    step = MANY // examples(MANY)
    tried = islice(mutants(found), len(str(run)) % step, None, step)
    accepted = [how for how, mutant in tried if is_valid(run.name, mutant)]
    assert found == original
    assert accepted == []


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("select", ("decision", "reason"), "best"),
        ("select", ("decision", "model", "provider"), "Not A Provider"),
        ("select", ("decision", "terms", 0, "implicit"), None),
        ("select", ("decision", "as_of"), "2026-11-22"),
        ("select", ("decision", "as_of"), "2026-13-22T00:00:00Z"),
        ("select", ("catalogue", "digest"), "sha256"),
        ("select", ("catalogue", "size"), -1),
        ("select", ("catalogue", "size"), True),
        ("select", ("catalogue", "source"), "elsewhere"),
        ("select", ("schema",), 2),
        ("select", ("schema",), "1"),
        ("show", ("model", "values", "retires_at"), "2030"),
        ("show", ("model", "values", "max_tokens"), 0),
        ("show", ("model", "values", "price.output"), "20"),
        ("show", ("model", "values", "odd"), {"inside": 1}),
        ("show", ("model", "capabilities", "odd"), "yes"),
        ("show", ("model", "documented", "odd"), "a source"),
    ],
)
@pytest.mark.usefixtures("place")
def test_a_value_out_of_range_is_refused(
    command: Command, name: str, path: tuple[str | int, ...], value: object
) -> None:
    """Enumerations, formats and bounds are part of the schema."""
    runs = {
        "select": run_of("select effort.high", *SMALL),
        "show": run_of("show claude-large-2", *SMALL),
    }
    found = answer(command, runs[name])
    check(name, found)
    *parents, last = path
    place = found
    for key in parents:
        place = place[key]
    place[last] = value
    assert not is_valid(name, found)


# The files


def commands_with_json(group: click.Group, prefix: str = "") -> Iterator[str]:
    """Yield the name of each command that takes `--json`."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_with_json(command, f"{name} ")
        elif any("--json" in parameter.opts for parameter in command.params):
            yield prefix + name


def test_each_command_has_a_schema() -> None:
    """Every command that takes `--json` has a file, and there is no other."""
    assert sorted(OWN) == sorted(commands_with_json(cli))
    assert {path.name for path in FOLDER.iterdir()} == {
        *(path.name for path in (*OWN.values(), COMMON)),
        "README.md",
    }


@pytest.mark.parametrize("name", OWN)
def test_a_schema_is_complete(name: str) -> None:
    """A validator needs no other file: the definitions are those of the common file, and all are used."""
    assert OWN[name].read_text(encoding="utf-8") == text_of(completed(SCHEMAS[name])), (
        "run python tests/support/schemas.py"
    )


@pytest.mark.parametrize("schema", [load(COMMON), *SCHEMAS.values()], ids=["common", *SCHEMAS])
def test_a_schema_is_valid(schema: dict[str, Any]) -> None:
    """By the draft that it names."""
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_every_definition_is_used() -> None:
    """A definition that no command refers to would describe nothing."""
    used = {name for schema in SCHEMAS.values() for name in schema["$defs"]}
    assert used == load(COMMON)["$defs"].keys()


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part of a schema that describes a value, with its path."""
    if isinstance(schema, dict):
        if path.rpartition("/")[2] not in {"properties", "$defs"}:
            yield path, schema
        for key, each in schema.items():
            yield from parts(each, f"{path}/{key}")
    elif isinstance(schema, list):
        for at, each in enumerate(schema):
            yield from parts(each, f"{path}/{at}")


ALL_PARTS: Final = [
    *parts(load(COMMON)),
    *(
        (f"{name}{path}", part)
        for name, schema in SCHEMAS.items()
        for path, part in parts({key: each for key, each in schema.items() if key != "$defs"})
    ),
]


def test_each_property_is_described_in_a_sentence() -> None:
    """The description is short and ends with a full stop; that of a definition counts for its users."""
    described = [
        (path, part.get("description", "" if "$ref" not in part else "A reference."))
        for path, part in ALL_PARTS
        if re.search(r"/(properties|\$defs)/[^/]+$", path) or "/" not in path
    ]
    assert len(described) > 200
    for path, text in described:
        assert re.fullmatch(r"[A-Z].{3,150}\.", text), path
        assert ". " not in text, path


def test_closed_objects_are_closed() -> None:
    """An object that names its properties has no other, except for values of a model and a request."""
    open_objects = {
        path.rpartition("/")[2]
        for path, part in ALL_PARTS
        if "properties" in part and part.get("additionalProperties") is not False
    }
    assert open_objects == {"values", "request"}


def test_dates_are_dates() -> None:
    """Every property with the name of a date has its format."""
    dates = {
        path: part.get("format")
        for path, part in ALL_PARTS
        if re.search(r"/properties/(\w+_at|as_of|until)$", path)
    }
    assert len(dates) > 10
    assert set(dates.values()) == {"date-time"}


@pytest.mark.parametrize(
    ("place", "values"),
    [
        (("select", "decision", "reason"), Reason),
        (("lock", "lock_problem", "kind"), LockProblemKind),
        (("audit", "finding", "verdict"), AuditVerdict),
        (("lock", "policy", "order"), ORDERS),
    ],
    ids=str,
)
def test_enumerations_are_those_of_the_library(
    place: tuple[str, str, str], values: type[Enum] | dict[str, object]
) -> None:
    """A value that the library may give is one that the schema knows, in the same order."""
    name, definition, key = place
    listed = SCHEMAS[name]["$defs"][definition]["properties"][key]["enum"]
    assert listed == [each.value if isinstance(each, Enum) else each for each in values]


def test_the_reasons_of_a_gate_are_those_of_the_library() -> None:
    """They lie in the schema of their only command."""
    verdict = SCHEMAS["gate"]["else"]["properties"]["verdict"]["properties"]
    assert verdict["reason"]["enum"] == [each.value for each in GateReason]


KINDS: Final[dict[str, dict[str, Any]]] = {
    "text": {"type": "string"},
    "date": {"type": "string", "format": "date-time"},
    "list": {"type": "array", "items": {"type": "string"}},
    "limit": {"type": "integer", "minimum": 1},
    "number": {"type": "number", "minimum": 0},
}


def test_fields_have_the_types_of_the_vocabulary() -> None:
    """Every field that does not depend on the time is described, with the type of its kind."""
    described = load(COMMON)["$defs"]["values"]["properties"]
    assert described.keys() == FIELDS.keys() - DURATIONS.keys()
    for name, kind in FIELDS.items():
        if name not in DURATIONS:
            assert described[name].items() >= KINDS[kind].items(), name


def test_the_example_of_the_page_runs(command: Command, here: Path) -> None:
    """It validates an answer, and refuses another document."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    schema = {"docs/schemas/select.schema.json": OWN["select"].read_bytes()}
    written(here, {**schema, "answer.json": command("select", "pdf_input", "--json").out})
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - the page's own code
    written(here, {"answer.json": command("status", "--json").out})
    with pytest.raises(ValidationError):
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - the page's own code


def test_the_page_says_which_version_it_describes() -> None:
    """The number in the documents is the one that the page explains."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"`schema: {SCHEMA}`" in page
    assert load(COMMON)["$defs"]["schema"]["const"] == SCHEMA
