"""The JSON of the command: complete, exact, and ASCII."""

from pathlib import Path

import pytest
from listings import LISTING, saved
from small_api import KEY, Api
from terminal import Command, Ran, read, read_error, reference

from router import Catalogue


def test_select_json_is_the_decision(command: Command, listing: str) -> None:
    """The model and its reason, who else would do, and which catalogue answered."""
    answer = read(command("select", "--effort", "high", "--source", listing, "--json"))
    as_of, digest = answer["catalogue"]["as_of"], Catalogue.from_listing(LISTING).digest
    assert as_of.endswith("Z")
    rejected = answer["decision"].pop("rejected")
    assert answer == {
        "schema": 1,
        "catalogue": {"source": "file", "as_of": as_of, "digest": digest, "size": 4},
        "decision": {
            "model": reference("claude-small-2"),
            "reason": "newest",
            "requirement": "effort.high",
            "policy": None,
            "terms": [
                {"requirement": "effort.high", "implicit": False},
                {"requirement": "maybe lifecycle == active", "implicit": True},
                {"requirement": "maybe access != limited", "implicit": True},
            ],
            "candidates": [reference("claude-small-2"), reference("claude-large-2")],
            "nearest": [],
            "notes": [],
            "places": {},
            "source": "file",
            "as_of": as_of,
            "digest": digest,
            "stale": False,
        },
    }
    assert [each["model"]["id"] for each in rejected] == ["claude-large-1", "claude-first"]


def test_explain_json_is_that_of_select(command: Command, listing: str) -> None:
    """The two differ in what they say to people; a program gets the whole decision from each."""
    for need, status in (("effort.high", 0), ("effort.max and line == small", 1)):
        explained, selected = (
            read(command(name, need, "--source", listing, "--json"), status)
            for name in ("explain", "select")
        )
        assert explained == selected


def test_select_json_without_a_model_is_an_answer_too(command: Command, listing: str) -> None:
    """Null, the reason and the nearest, with the exit status of an answer that found none."""
    decision = read(
        command("select", "effort.max and line == small", "--source", listing, "--json"), status=1
    )["decision"]
    assert (decision["model"], decision["reason"], decision["candidates"]) == (None, "no_match", [])
    assert decision["nearest"] == [reference("claude-small-2"), reference("claude-large-2")]


def test_explain_json_tells_what_each_other_model_lacks(command: Command, listing: str) -> None:
    """Every term with its answer, default filters marked as implicit."""
    decision = read(
        command("explain", "effort.max and max_tokens >= 64k", "--source", listing, "--json")
    )["decision"]
    assert (decision["model"], decision["requirement"]) == (
        reference("claude-large-2"),
        "effort.max and max_tokens >= 64k",
    )
    maximum, longest, lifecycle, access = decision["terms"]
    assert maximum == {"requirement": "effort.max", "implicit": False}
    assert longest == {"requirement": "max_tokens >= 64k", "implicit": False}
    assert lifecycle == {"requirement": "maybe lifecycle == active", "implicit": True}
    assert access == {"requirement": "maybe access != limited", "implicit": True}
    small, large, first = decision["rejected"]
    assert small == {
        "model": reference("claude-small-2"),
        "unmet": [{"term": maximum, "support": False, "why": "unsupported"}],
    }
    assert large == {
        "model": reference("claude-large-1"),
        "unmet": [
            {"term": maximum, "support": None, "why": "unknown"},
            {"term": longest, "support": False, "why": "is 32k"},
            {"term": lifecycle, "support": False, "why": "is deprecated"},
        ],
    }
    assert first["model"] == reference("claude-first")
    assert [each["term"] for each in first["unmet"]] == [maximum, longest]


def test_explain_json_carries_the_notes(command: Command, tmp_path: Path) -> None:
    """A model without a date is told to be one."""
    answer = read(
        command("explain", "--source", saved(tmp_path, [{"id": "claude-undated"}]), "--json")
    )
    assert answer["decision"]["notes"] == [
        "claude-undated has no known release date, so it ranks after every dated model"
    ]


def test_show_json_holds_what_is_known_of_a_model(command: Command, listing: str) -> None:
    """Values, capabilities in three values, dates in RFC 3339; what is relative to now is left out."""
    answer = read(command("show", "claude-large-2", "--source", listing, "--json"))
    assert answer["model"] == {
        **reference("claude-large-2"),
        "base": None,
        "values": {
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
            "provider": "anthropic",
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
    shown = read(command("show", model.id, "--json"))["model"]
    assert shown["documented"] == {
        name: list(keys) for name, keys in sorted(model.documented.items())
    }
    assert shown["corrections"] == {
        name: {
            "reported": each.reported,
            "value": each.value,
            "why": each.why,
            "source": list(each.source),
        }
        for name, each in model.corrections.items()
    }
    assert all(
        shown["values"][name] == each["value"] for name, each in shown["corrections"].items()
    )


def test_candidates_json_holds_the_models(command: Command, listing: str) -> None:
    """What `show` prints of each, newest first."""
    answer = read(command("candidates", "pdf_input", "--source", listing, "--json"))
    shown = read(command("show", "claude-large-2", "--source", listing, "--json"))
    assert answer.keys() == {"schema", "catalogue", "models"}
    assert [each["id"] for each in answer["models"]] == ["claude-small-2", "claude-large-2"]
    assert answer["models"][1] == shown["model"]
    assert answer["catalogue"] == shown["catalogue"]


def test_candidates_json_of_none_is_an_empty_list(command: Command, listing: str) -> None:
    """With the exit status of an answer that found none."""
    none = read(command("candidates", "line == none", "--source", listing, "--json"), status=1)
    assert none["models"] == []


@pytest.mark.parametrize(
    ("requirement", "support", "lacks"),
    [
        ("pdf_input", True, []),
        (
            "effort.max",
            False,
            [
                {
                    "term": {"requirement": "effort.max", "implicit": False},
                    "support": False,
                    "why": "unsupported",
                }
            ],
        ),
        (
            "citations",
            None,
            [
                {
                    "term": {"requirement": "citations", "implicit": False},
                    "support": None,
                    "why": "unknown",
                }
            ],
        ),
    ],
)
def test_supports_json_keeps_unknown_apart(
    command: Command, listing: str, requirement: str, support: bool | None, lacks: list[object]
) -> None:
    """True, false or null, and what is lacking."""
    ran = command("supports", "claude-small-2", requirement, "--source", listing, "--json")
    answer = read(ran, status=0 if support else 1)
    assert (answer.pop("schema"), answer.pop("catalogue")["source"]) == (1, "file")
    assert answer == {
        "model": reference("claude-small-2"),
        "requirement": requirement,
        "support": support,
        "lacks": lacks,
    }


def test_refresh_json_identifies_the_catalogue(command: Command) -> None:
    """Where it comes from, as of when, its digest and its size."""
    bundled = Catalogue.bundled()
    assert bundled.as_of
    assert read(command("refresh", "--source", "bundled", "--json")) == {
        "schema": 1,
        "catalogue": {
            "source": "bundled",
            "as_of": bundled.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "digest": bundled.digest,
            "size": len(bundled),
        },
    }


def test_raw_models_are_a_page_of_the_api(command: Command, listing: str) -> None:
    """The entries as they came, newest first, whole."""
    assert read(command("models", "--source", listing, "--raw")) == {
        "data": LISTING,
        "has_more": False,
        "first_id": "claude-small-2",
        "last_id": "claude-first",
    }


def test_raw_models_heed_the_filter(command: Command, listing: str) -> None:
    """A saved listing can be a part of another; of nothing it has no first and no last."""
    some = read(
        command("models", "--where", "lifecycle == deprecated", "--source", listing, "--raw")
    )
    none = read(command("models", "--where", "line == none", "--source", listing, "--raw"))
    assert some == {
        "data": LISTING[2:3],
        "has_more": False,
        "first_id": "claude-large-1",
        "last_id": "claude-large-1",
    }
    assert none == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_a_saved_listing_is_the_same_catalogue(command: Command, tmp_path: Path) -> None:
    """What `models --raw` prints, `--source FILE` reads again, to the digest."""
    path = tmp_path / "saved.json"
    path.write_text(command("models", "--raw").out, encoding="utf-8")
    first, again = (
        read(command("refresh", "--source", source, "--json"))["catalogue"]
        for source in ("bundled", str(path))
    )
    assert again["digest"] == first["digest"]
    assert (again["source"], again["size"]) == ("file", first["size"])


@pytest.mark.parametrize("option", ["--raw", "--json"])
def test_a_number_beyond_measure_is_never_printed_as_one(
    command: Command, tmp_path: Path, option: str
) -> None:
    """JSON knows no infinity: a listing that holds 1e400 is refused, or printed so that it can be read again."""
    path, again = tmp_path / "listing.json", tmp_path / "again.json"
    path.write_text('[{"id": "claude-a", "weight": 1e400}, {"id": "claude-b"}]', encoding="utf-8")
    ran = command("models", "--source", str(path), option)
    if ran.status != 3:
        read(ran)
    if ran.status != 3 and option == "--raw":
        again.write_text(ran.out, encoding="utf-8")
        assert command("refresh", "--source", str(again)).status == 0


# Errors


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["select", "pdf_input and"], "RequirementSyntaxError"),
        (["select", "line = opus"], "RequirementSyntaxError"),
        (["explain", "pdf_imput"], "UnknownNameError"),
        (["models", "--where", "pdf_imput"], "UnknownNameError"),
        (["models", "--columns", "pdf_imput"], "UnknownNameError"),
        (["candidates", "--min-context", "much"], "ConfigurationError"),
        (["show", "claude-smal-2"], "UnknownModelError"),
        (["supports", "claude-smal-2", "pdf_input"], "UnknownModelError"),
        (["why", "claude-smal-2"], "UnknownModelError"),
        (["matrix", "--only", "line"], "RequirementError"),
        (["select", "--policy", "reports", "--policies", "none.toml"], "ConfigurationError"),
        (["lock", "--policies", "none.toml"], "ConfigurationError"),
        (["lock", "--check", "--upgrade"], "ConfigurationError"),
        (["outdated", "--within", "soon"], "ConfigurationError"),
        (["audit", "--within", "soon"], "ConfigurationError"),
        (["diff", "none.json", "bundled"], "CatalogueUnavailableError"),
        (["diff", "--policies", "router.toml"], "ConfigurationError"),
        (["cache", "path"], "ConfigurationError"),
        (["cache", "show"], "ConfigurationError"),
        (["cache", "clear"], "ConfigurationError"),
        (["refresh"], "ConfigurationError"),
        (["route", "none.json"], "UsageError"),
        (["select", "--nonsense"], "UsageError"),
        (["selec"], "UsageError"),
        (["show"], "UsageError"),
        (["gate", "claude-small-2"], "UsageError"),
        (["candidates", "--limit", "few"], "UsageError"),
        (["models", "--source", "none.json"], "CatalogueUnavailableError"),
        (["select", "--source", "broken.json"], "CatalogueError"),
        (["select", "--source", "live"], "ConfigurationError"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else given,
)
def test_an_error_is_one_document(
    command: Command, here: Path, arguments: list[str], kind: str
) -> None:
    """Its type and its message; standard error and the exit status are as without `--json`."""
    saved(here, LISTING)
    (here / "broken.json").write_text("3", encoding="utf-8")
    if arguments[0] in {"show", "supports", "why"}:
        arguments = [*arguments, "--source", "listing.json"]
    plain = command(*arguments)
    ran = command(*arguments, "--json")
    message = read_error(ran, plain.status, kind)
    assert plain == Ran(plain.status, "", ran.err)
    assert plain.status in {2, 3}
    assert ran.err.endswith(f"{message}\n")


@pytest.mark.parametrize("arguments", [["select", "--source", "live"], ["refresh"]], ids=" ".join)
def test_a_refusal_of_the_api_is_a_document(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """The message has the status and the API's words, and not the key; in JSON nothing need be escaped twice."""
    with Api(LISTING, status=401) as api:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        plain = command(*arguments)
        ran = command(*arguments, "--json")
    message = read_error(ran, 3, "CatalogueUnavailableError")
    assert message.startswith("the API answered 401: authentication_error: invalid ")
    assert plain == Ran(3, "", ran.err)
    assert KEY not in ran.out


def test_a_file_that_cannot_be_written_is_a_document(command: Command, here: Path) -> None:
    """The error of the operating system names the file."""
    resource = pytest.importorskip("resource")
    (here / "router.toml").write_text("[policies.a]\nrequire = 'pdf_input'\n", encoding="utf-8")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        ran = command("lock", "--json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    message = read_error(ran, 74, "OSError")
    assert message == "router.lock: File too large"
    assert ran.err == f"router: {message}\n"


def test_an_argument_is_not_the_option(command: Command) -> None:
    """Behind `--` it is a requirement that happens to look like the option."""
    ran = command("select", "--", "--json")
    assert (ran.status, ran.out) == (2, "")


def test_a_model_that_no_need_finds_is_no_error(command: Command, listing: str) -> None:
    """What ran and found nothing has a decision that says so, and nothing on standard error."""
    for name in ("select", "explain"):
        answer = read(command(name, "line == none", "--source", listing, "--json"), status=1)
        assert answer.keys() == {"schema", "catalogue", "decision"}


# The cache


@pytest.mark.usefixtures("api")
def test_the_cache_in_json(command: Command) -> None:
    """`path` and `clear` say which file, and clearing prints nothing for people."""
    path = command("cache", "path").out.rstrip("\n")
    assert read(command("cache", "path", "--json")) == {"schema": 1, "path": path}
    command("refresh")
    assert Path(path).exists()
    assert read(command("cache", "clear", "--json")) == {"schema": 1, "path": path}
    assert not Path(path).exists()
    assert command("cache", "clear") == Ran(0, "", "")
