"""`router route`: where a request goes, from a file and from a pipe, for people and for programs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from request_corpus import CORPUS, WITH_IMAGE_AND_TOOL, load
from terminal import reference

from router import BundledSource, Router
from router.cli._commands import run


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credential, and a directory without policies."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def written(request: object) -> str:
    """Return the name of a file with the request."""
    path = Path("request.json")
    path.write_text(request if isinstance(request, str) else json.dumps(request), encoding="utf-8")
    return str(path)


def test_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the model, each term with the place that asks for it, and no change where there is none."""
    assert run(["route", written(WITH_IMAGE_AND_TOOL)]) == 0

    out, err = capsys.readouterr()
    routed = Router(BundledSource()).route(WITH_IMAGE_AND_TOOL)
    assert out == f"{routed.decision}\n"
    assert (
        "image_input: met by 19 of 33, unknown for 14, asked at messages[0].content[0].source"
        in out
    )
    assert err == ""


def test_it_reads_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a file, the request is on standard input."""
    for arguments in (["route"], ["route", "-"]):
        monkeypatch.setattr(
            "sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(WITH_IMAGE_AND_TOOL).encode()))
        )
        assert run(arguments) == 0
        assert capsys.readouterr().out.startswith(
            Router(BundledSource()).route(WITH_IMAGE_AND_TOOL).model.id
        )


def test_it_cannot_read_a_closed_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is started without standard input is told so, and has no traceback."""
    monkeypatch.setattr("sys.stdin", None)

    assert run(["route"]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("Error: Invalid value for '[REQUEST]': standard input is closed\n")


def test_it_lists_the_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """What must change is told, one line each."""
    assert (
        run(
            [
                "route",
                written(WITH_IMAGE_AND_TOOL),
                "--require",
                "id == claude-opus-5-5",
                "--on-unsupported",
                "drop",
            ]
        )
        == 0
    )

    assert capsys.readouterr().out.splitlines()[-1] == (
        "changed: tool_choice: taken out, as claude-opus-5-5 does not support traits.forced_tool_choice"
    )


def test_it_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: the model, the places, the changes, the request and the whole decision."""
    asked = ["--require", "id == claude-opus-5-5", "--on-unsupported", "downgrade"]
    assert run(["route", written(WITH_IMAGE_AND_TOOL), *asked, "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    routed = printed["routed"]
    assert routed["model"] == reference("claude-opus-5-5")
    assert routed["decision"]["places"] == {
        "image_input": ["messages[0].content[0].source"],
        "max_tokens >= 1k": ["max_tokens"],
    }
    assert routed["changes"] == [
        {
            "path": "tool_choice",
            "before": {"type": "any"},
            "after": {"type": "auto"},
            "why": "claude-opus-5-5 does not support traits.forced_tool_choice",
        }
    ]
    assert routed["request"] == {
        **WITH_IMAGE_AND_TOOL,
        "model": "claude-opus-5-5",
        "tool_choice": {"type": "auto"},
    }
    assert routed["decision"]["candidates"] == [reference("claude-opus-5-5")]
    assert printed.keys() == {"schema", "catalogue", "routed"}


def test_it_prints_the_request_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed can be sent as it is."""
    assert run(["route", written(WITH_IMAGE_AND_TOOL), "--print-request"]) == 0

    routed = Router(BundledSource()).route(WITH_IMAGE_AND_TOOL)
    request = {**WITH_IMAGE_AND_TOOL, "model": routed.model.id}
    assert json.loads(capsys.readouterr().out) == request
    assert run(["route", written(WITH_IMAGE_AND_TOOL), "--print-request", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"schema": 1, "catalogue": printed["catalogue"], "request": request}


@pytest.mark.parametrize("as_json", [False, True])
def test_no_model_serves_it(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    """The status says so, and the text what nobody has and where it is asked for; for programs, too."""
    status = run(
        [
            "route",
            written({**WITH_IMAGE_AND_TOOL, "max_tokens": 9_000_000}),
            *(["--json"] if as_json else []),
        ]
    )

    out, err = capsys.readouterr()
    assert status == 1
    if as_json:
        assert (json.loads(out)["decision"]["reason"], err) == ("no_match", "")
    else:
        assert out == ""
        assert err.startswith("router: no model satisfies")
        assert "no model satisfies: max_tokens >= 9M, asked at max_tokens" in err


def test_a_policy_and_the_arguments_of_a_call(capsys: pytest.CaptureFixture[str]) -> None:
    """A policy, a batch and a number of tokens are asked for besides."""
    Path("router.toml").write_text(
        '[policies.reports]\nrequire = "line == opus"\n', encoding="utf-8"
    )
    assert (
        run(
            [
                "route",
                written(WITH_IMAGE_AND_TOOL),
                "--policy",
                "reports",
                "--batch",
                "--input-tokens",
                "150k",
            ]
        )
        == 0
    )

    out = capsys.readouterr().out
    assert "by the policy reports" in out
    assert "  batch: met by" in out
    assert "asked at batch" in out
    assert "  max_input_tokens >= 150k: met by" in out


@pytest.mark.parametrize(
    ("content", "arguments", "told"),
    [
        ("[", [], "request.json is not valid JSON: Expecting value"),
        ("[" * 100_000, [], "request.json is not valid JSON"),
        ("\\ud800", [], "request.json is not valid JSON"),
        ("[]", [], "request.json must be an object, the parameters of messages.create"),
        (
            "{}",
            ["--input-tokens", "many"],
            '--input-tokens must be a number such as 150k, or "estimate"',
        ),
        ("{}", ["--policy", "reports"], "no policies: there is no router.toml here or above"),
        (
            "{}",
            ["--policies", "a.toml"],
            "--policies names a file; --policy says which policy of it",
        ),
        ("{}", ["--policy", "a", "--require", "b"], "--policy cannot be combined with --require"),
        ("{}", ["--require", "pdf_imput"], "unknown name 'pdf_imput'; did you mean pdf_input"),
        (
            "{}",
            ["--require", "pdf_input and"],
            "expected a name or an opening parenthesis, got the end",
        ),
    ],
)
def test_bad_usage(
    capsys: pytest.CaptureFixture[str], content: str, arguments: list[str], told: str
) -> None:
    """What cannot be read or understood is one line, and the status of bad usage."""
    assert run(["route", written(content), *arguments]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"router: {told}")


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """It is told by its name."""
    assert run(["route", "missing.json"]) == 2
    assert "'missing.json': No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_corpus(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    """Every request of the corpus is served after some change, but for fallbacks the bundled listing leaves out."""
    status = run(
        ["route", written(load(path)["request"]), "--on-unsupported", "downgrade", "--json"]
    )

    printed = json.loads(capsys.readouterr().out)
    assert printed.keys() == {"schema", "catalogue", "decision" if status else "routed"}
    assert status == 0 or printed["decision"]["model"] is None
    assert status == 0 or path.stem == "fallbacks_named"
