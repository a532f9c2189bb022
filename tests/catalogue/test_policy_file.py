"""Policy files: what a file may say, and that an error lists everything that is wrong with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import tomli_w
from fake_source import FakeSource
from hypothesis import given
from hypothesis import strategies as st

from router import (
    Catalogue,
    ConfigurationError,
    Policy,
    RequirementError,
    Router,
    StaticSource,
    UnknownNameError,
)
from router.catalogue._policy_file import find_policies, read_policies
from router.cli._commands import run
from router.requirements._expression import MAX_DEPTH

BUNDLED = Catalogue.bundled()
FILE = """
[policies.reports]
require      = "thinking.adaptive and pdf_input and max_input_tokens >= 200k"
prefer       = ["line == opus", "effort.max"]
minimum_age  = "14d"
alternatives = ["thinking and pdf_input"]

[policies.bulk]
require = "structured_outputs"
order   = "cheapest"
"""


def written(where: Path, text: str, name: str = "router.toml") -> str:
    """Write a file, and return its path."""
    path = where / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file(tmp_path: Path) -> None:
    """A file says what Python says, under names."""
    policies = read_policies(written(tmp_path, FILE))

    assert dict(policies) == {
        "reports": Policy(
            require="thinking.adaptive and pdf_input and max_input_tokens >= 200k",
            prefer=["line == opus", "effort.max"],
            minimum_age="14d",
            alternatives=["thinking and pdf_input"],
            name="reports",
        ),
        "bulk": Policy(require="structured_outputs", order="cheapest", name="bulk"),
    }


def test_a_table_of_a_project(tmp_path: Path) -> None:
    """In `pyproject.toml` the same stands under `tool.router`; what else is there is nobody's business."""
    project = "[project]\nname = 'x'\n" + FILE.replace("[policies.", "[tool.router.policies.")

    assert read_policies(written(tmp_path, project, "pyproject.toml")) == read_policies(
        written(tmp_path, FILE)
    )
    assert read_policies(written(tmp_path, "[project]\nname = 'x'\n", "pyproject.toml")) == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[policies.x]\nrequre = 'a'", "policies.x.requre: unknown key; did you mean require?"),
        (
            "[policies.x]\nrequire = 'a'\nzzz = 'a'",
            "policies.x.zzz: unknown key; there is require, prefer,",
        ),
        ("[policy.x]\nrequire = 'a'", "policy: unknown key; did you mean policies?"),
        ("policies = 5", "policies: must be a table (got int)"),
        ("[policies]\nx = 'a'", "policies.x: must be a table (got str)"),
        ("[policies.x]\nprefer = ['a']", "policies.x.require: is missing"),
        ("[policies.x]\nrequire = ['a']", "policies.x.require: must be a string (got ['a'])"),
        (
            "[policies.x]\nrequire = 'a'\nprefer = 'a'",
            "policies.x.prefer: must be a list of strings (got 'a')",
        ),
        (
            "[policies.x]\nrequire = 'a'\nprefer = ['a', 'b and']",
            "policies.x.prefer[1]: expected a name",
        ),
        (
            "[policies.x]\nrequire = 'a'\nalternatives = ['']",
            "policies.x.alternatives[0]: expected a requirement",
        ),
        (
            "[policies.x]\nrequire = 'a'\nminimum_age = 'soon'",
            "policies.x.minimum_age: must be a duration",
        ),
        (
            "[policies.x]\nrequire = 'a'\nminimum_age = 14",
            "policies.x.minimum_age: must be a string (got 14)",
        ),
        (
            "[policies.x]\nrequire = 'a'\norder = 'best'",
            "policies.x.order: must be one of newest, cheapest",
        ),
        (
            "[policies.pdf_input]\nrequire = 'a'",
            "policies.pdf_input: pdf_input is a capability, a field",
        ),
        ("[policies.line]\nrequire = 'a'", "policies.line: line is a capability, a field"),
        ("[policies.'a b']\nrequire = 'a'", "policies.a b: a policy is named with letters"),
        ("[policies", ": not a valid TOML file: "),
    ],
)
def test_a_file_that_means_nothing(tmp_path: Path, text: str, problem: str) -> None:
    """An error names the file, the key path and what was expected."""
    path = written(tmp_path, text)

    with pytest.raises(ConfigurationError) as caught:
        read_policies(path)
    assert str(caught.value).startswith(path)
    assert problem in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    with pytest.raises(ConfigurationError, match=r"none\.toml: cannot be read: No such file"):
        read_policies(tmp_path / "none.toml")


def test_long_names_are_cut(tmp_path: Path) -> None:
    """No message repeats a long name or key whole, or prints what a terminal could act on."""
    long = "x" * 10**5
    text = tomli_w.dumps(
        {"policies": {long: {}, "reports": {"require": "true", long: 1}, "a\nb": 5}}
    )

    with pytest.raises(ConfigurationError) as caught:
        read_policies(written(tmp_path, text))
    assert len(caught.value.problems) == 5
    assert max(map(len, caught.value.problems)) < 1_000
    assert all(each.isprintable() for each in caught.value.problems)


def test_a_policy_that_is_too_deep_with_its_age(tmp_path: Path) -> None:
    """A requirement that is just not too deep is, once the minimum age is added; the error says where."""
    deep = "a"
    for at in range(MAX_DEPTH):
        deep = f"b{at} {'or' if at % 2 else 'and'} ({deep})"
    Policy(require=deep)
    text = tomli_w.dumps({"policies": {"x": {"require": deep, "minimum_age": "1d"}}})

    with pytest.raises(
        ConfigurationError, match=rf"router\.toml: policies\.x: .* at most {MAX_DEPTH} levels"
    ):
        read_policies(written(tmp_path, text))


GOOD_VALUES = {
    "require": "pdf_input",
    "prefer": ["line == opus", "citations"],
    "minimum_age": "14d",
    "alternatives": ["thinking"],
    "order": "cheapest",
}
FAULTS: tuple[tuple[str, object, str], ...] = (
    ("require", "pdf_input and", ""),
    ("require", 5, ""),
    ("require", "pdf_imput", ""),
    ("require", "lifecycle.active", ""),
    ("prefer", "citations", ""),
    ("prefer", ["citations", 7], "[1]"),
    ("prefer", ["citations", "(("], "[1]"),
    ("prefer", ["lin == opus", "citations"], "[0]"),
    ("minimum_age", "soon", ""),
    ("minimum_age", 14, ""),
    ("alternatives", [""], "[0]"),
    ("alternatives", {}, ""),
    ("alternatives", ["thinking", "not citatons"], "[1]"),
    ("order", "best", ""),
    ("order", ["newest"], ""),
    ("zzz", "pdf_input", ""),
)
"""A key, a faulty value of it, and where in the value the fault is."""


@st.composite
def faulty_files(draw: st.DrawFn) -> tuple[dict[str, object], list[str]]:
    """Draw the tables of a policy file, and the key paths of its faults."""
    tables: dict[str, object] = {}
    paths: list[str] = []
    for name in draw(st.lists(st.sampled_from(["a", "b-1", "c", "line"]), unique=True)):
        paths += [f"policies.{name}"] if name == "line" else []
        if draw(st.integers(0, 9)) == 0:
            tables[name] = draw(st.sampled_from([5, "text", []]))
            paths.append(f"policies.{name}")
            continue
        faults = draw(st.lists(st.sampled_from(FAULTS), unique_by=lambda fault: fault[0]))
        table = {**GOOD_VALUES, **{key: value for key, value, _ in faults}}
        paths += [f"policies.{name}.{key}{at}" for key, _, at in faults]
        if "require" not in {key for key, _, _ in faults} and draw(st.booleans()):
            del table["require"]
            paths.append(f"policies.{name}.require")
        tables[name] = table
    return tables, paths


def problems_of(router: Router) -> tuple[tuple[str, ...], str]:
    """Return the problems that a check finds, and its message."""
    try:
        router.check()
    except ConfigurationError as error:
        return error.problems, str(error)
    return (), ""


@pytest.mark.parametrize("name", ["router.toml", "pyproject.toml"])
@given(drawn=faulty_files())
def test_every_fault_of_a_file_is_told(
    name: str, drawn: tuple[dict[str, object], list[str]]
) -> None:
    """A check lists every fault of a file, each once and with its key, whatever else is wrong."""
    tables, paths = drawn
    prefix = "tool.router." if name == "pyproject.toml" else ""
    document: dict[str, object] = {"policies": tables}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        whole = {"tool": {"router": document}} if prefix else document
        path.write_text(tomli_w.dumps(whole), encoding="utf-8")
        told, message = problems_of(Router(StaticSource(BUNDLED), policies=path))
        assert len(told) <= 1 or message.startswith(f"{len(told)} problems in {path}:\n")
        found = [each.removeprefix(f"{path}: ").partition(": ")[0] for each in told]
        assert sorted(found) == sorted(f"{prefix}{each}" for each in paths)


def test_an_unknown_name_is_told_with_its_place(tmp_path: Path) -> None:
    """Whoever asks for a policy of a file learns where in the file the unknown name is."""
    path = written(
        tmp_path,
        "[policies.x]\nrequire = 'pdf_input'\nprefer = ['citations', 'citatons']\nminimum_age = '1d'\n",
    )
    router = Router(StaticSource(BUNDLED), policies=path)
    asks: list[Callable[[], object]] = [
        lambda: router.select("x", default=None),
        lambda: router.select(router.policies["x"]),
        lambda: router.candidates("x"),
        lambda: router.explain("x"),
        router.selector("x"),
        lambda: router.run("x", lambda model: model),
        lambda: router.route({"max_tokens": 1}, "x"),
        lambda: router.run_request({"max_tokens": 1}, dict, "x"),
        lambda: router.fallbacks_param("claude-opus-5", "x"),
        lambda: BUNDLED.select(router.policies["x"]),
        lambda: BUNDLED.explain(router.policies["x"]),
    ]
    for ask in asks:
        with pytest.raises(UnknownNameError) as caught:
            ask()
        assert caught.value.where == f"{path}: policies.x.prefer[1]"
        assert str(caught.value) == (
            f"{path}: policies.x.prefer[1]: unknown name 'citatons'; did you mean citations?"
        )


def test_what_a_request_asks_is_not_in_the_file(tmp_path: Path) -> None:
    """An unknown name of a request is not blamed on the file of the policy."""
    path = written(tmp_path, "[policies.x]\nrequire = 'pdf_input'\n")
    router = Router(StaticSource(BUNDLED), policies=path)

    with pytest.raises(UnknownNameError) as caught:
        router.route({"max_tokens": 1, "thinking": {"type": "nova"}}, "x")
    assert caught.value.where is None


def test_the_nearest_file(tmp_path: Path) -> None:
    """The command looks here and above: `router.toml`, or a project's file that speaks of us."""
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    written(inside, "[project]", "pyproject.toml")
    project = written(tmp_path / "a", "[tool.router]", "pyproject.toml")
    assert find_policies(inside) == project
    own = written(tmp_path / "a", FILE)
    assert find_policies(inside) == own


# In a router


def test_a_router_takes_policies_by_name_and_value(tmp_path: Path) -> None:
    """Where a requirement is asked for a policy or its name is taken; the file is read at the first question."""
    router = Router(FakeSource(BUNDLED), policies=str(tmp_path / "router.toml"), cache_dir=False)
    written(tmp_path, FILE)
    policy = router.policies["reports"]

    assert router.select("reports") is router.select(policy) is BUNDLED.select(policy)
    assert router.candidates("bulk") == BUNDLED.candidates(router.policies["bulk"])
    assert router.explain("reports").policy is policy
    assert router.selector("bulk")() is router.select("bulk")
    assert router.select("pdf_input") is BUNDLED.select("pdf_input")
    with pytest.raises(RequirementError, match="a policy cannot be combined with keywords"):
        router.selector("bulk", pdf_input=True)


# In the command


@pytest.mark.parametrize(
    ("arguments", "ended"),
    [
        (("select", "--policy", "reports"), (0, "claude-opus-5-5\n")),
        (("explain", "--policy", "bulk"), (0, "claude-haiku-5-5: ordered of ")),
        (
            ("candidates", "--policy", "reports", "--limit", "1"),
            (0, "claude-opus-5-5  preferred for line == opus, effort.max\n"),
        ),
        (
            ("candidates", "--policy", "reports"),
            (0, "\nclaude-haiku-4-5-20251001  alternative 1: "),
        ),
        (
            ("candidates", "--policy", "bulk"),
            (0, "\nclaude-sonnet-5-5          price.output 10; price.input 2\n"),
        ),
        (
            ("candidates", "--policy", "bulk", "--json"),
            (0, '"why": "price.output 10; price.input 2"'),
        ),
        (
            ("select", "--policy", "repots"),
            (2, "has no policy 'repots'; did you mean reports? (policies: reports, bulk)"),
        ),
        (("select", "--policy", "zzz"), (2, "has no policy 'zzz' (policies: reports, bulk)")),
        (
            ("select", "--policy", "reports", "pdf_input"),
            (2, "--policy cannot be combined with REQUIREMENT or other needs"),
        ),
        (
            ("select", "--policy", "reports", "--pdf"),
            (2, "--policy cannot be combined with REQUIREMENT or other needs"),
        ),
        (("select", "--policy", "x", "--policies", "none.toml"), (2, "none.toml: cannot be read")),
    ],
)
def test_the_command_takes_a_policy(
    arguments: Sequence[str],
    ended: tuple[int, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`--policy NAME` asks for what the nearest file says under that name."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    written(tmp_path, FILE)
    monkeypatch.chdir(tmp_path)

    status, said = ended
    assert run(arguments) == status
    out, error = capsys.readouterr()
    assert said in (error if status else out)


def test_no_file_of_policies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no file, the command says which one it looked for."""
    monkeypatch.chdir(tmp_path)

    assert run(["select", "--policy", "reports"]) == 2
    assert (
        "there is no router.toml here or above; --policies names a file" in capsys.readouterr().err
    )
