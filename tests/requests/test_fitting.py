"""What is changed of a Messages request for a model that cannot do all that it asks."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st
from request_corpus import (
    CORPUS,
    IMAGE,
    PDF,
    SLOW,
    TOOL,
    keys,
    load,
    model,
    requests,
    said,
    snapshot,
)

from router import Catalogue, ConfigurationError, Model, UnfitRequestError, fit, requirement_of
from router.models._vocabulary import CAPABILITIES
from router.requests._fitting import Fitted, OnUnsupported

BUNDLED = Catalogue.bundled()
OPUS, OPUS_4_6, HAIKU = (
    BUNDLED[id] for id in ("claude-opus-5-5", "claude-opus-4-6", "claude-haiku-4-5-20251001")
)
GONE = object()


def replayed(value: Any, changes: Mapping[str, Any]) -> Any:
    """Return what the changes make of a request: each is made, then what they emptied goes, from the end on."""
    value = pickle.loads(pickle.dumps(value))  # noqa: S301 - pickled on this very line
    for path, after in changes.items():
        within = value
        *above, last = keys(path)
        for key in above:
            within = within[key]
        within[last] = GONE if after is None else after
    return swept(value)


def swept(value: Any) -> Any:
    """Return the value without what is gone; a container that had something that is gone goes if it is empty."""
    if isinstance(value, dict):
        left = {
            name: each
            for name, each in ((name, swept(each)) for name, each in value.items())
            if each is not GONE
        }
        return left if left or not value else GONE
    if isinstance(value, list):
        items = [each for each in map(swept, value) if each is not GONE]
        return items if items or not value else GONE
    return value


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
class TestCorpus:
    @pytest.mark.parametrize("of", [OPUS, OPUS_4_6, HAIKU], ids=lambda model: model.id)
    def test_how_it_is_fitted(self, path: Path, of: Model) -> None:
        """Each is changed for each model as it was written down, or refused, and then met."""
        case = load(path)
        request, expected = case["request"], case["fits"][of.id]
        if isinstance(expected, list):
            for way in get_args(OnUnsupported):
                with pytest.raises(UnfitRequestError) as raised:
                    fit(request, of, way, batch=case["batch"])
                assert [place for place, _ in raised.value.unsupported] == expected
            return
        fitted = fit(request, of, "downgrade", batch=case["batch"])

        assert {change.path: change.after for change in fitted.changes} == expected
        assert fitted.request == replayed(request, expected)
        assert requirement_of(fitted.request, batch=case["batch"]).support(of) is not False
        if not expected:
            assert fit(request, of, batch=case["batch"]).request is request
        else:
            with pytest.raises(UnfitRequestError):
                fit(request, of, batch=case["batch"])


# Where the catalogue has no such model


@pytest.mark.parametrize(
    ("request_", "of", "downgraded", "dropped"),
    [
        ({"output_config": {"effort": "max"}}, model(effort__max=False), None, None),
        (
            {"output_config": {"effort": "max"}},
            model(effort__max=False, effort__low=True, effort__high=None),
            {"output_config.effort": "low"},
            {"output_config.effort": None},
        ),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            model(
                traits={"effort_without_thinking": False},
                effort__max=True,
                effort__xhigh=True,
                effort__high=True,
            ),
            {"output_config.effort": "high"},
            {"output_config.effort": None},
        ),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            model(
                traits={"effort_without_thinking": False},
                thinking__types__disabled=False,
                effort__max=True,
            ),
            {"thinking": None},
            {"thinking": None},
        ),
        (
            {"thinking": {"type": "between_tools"}},
            model(thinking__types__between_tools=False, thinking__types__disabled=True),
            {"thinking": {"type": "disabled"}},
            {"thinking": None},
        ),
        (
            {"thinking": {"type": "between_tools"}, "max_tokens": 1},
            model(thinking__types__between_tools=False, thinking__types__disabled=None),
            {"thinking": None},
            {"thinking": None},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "max_tokens": 3_000},
            model(max_tokens=2_000, thinking__types__enabled=False),
            {"max_tokens": 2_000, "thinking": None},
            {"max_tokens": 2_000, "thinking": None},
        ),
        (
            {
                "tools": [{"type": "web_search_20250305", "name": "s", "strict": True}],
                "max_tokens": 1,
            },
            model(structured_outputs=False, server_tools__web_search=False),
            {"tools[0]": None},
            {"tools[0]": None},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "max_tokens": 3_000},
            model(max_tokens=1_024),
            {"max_tokens": 1_024, "thinking": None},
            {"max_tokens": 1_024, "thinking": None},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1_025}, "max_tokens": 3_000},
            model(max_tokens=1_025),
            {"max_tokens": 1_025, "thinking.budget_tokens": 1_024},
            {"max_tokens": 1_025, "thinking.budget_tokens": 1_024},
        ),
        (
            {
                "extra_body": {
                    "max_tokens": 3_000,
                    "thinking": {"type": "enabled", "budget_tokens": 2_000},
                }
            },
            model(max_tokens=2_000),
            {"extra_body.max_tokens": 2_000, "extra_body.thinking.budget_tokens": 1_999},
            {"extra_body.max_tokens": 2_000, "extra_body.thinking.budget_tokens": 1_999},
        ),
        (
            {"extra_body": {"temperature": 0, "a": 1}, "temperature": 0.5, "max_tokens": 1},
            model(traits={"sampling": False}),
            {"extra_body.temperature": None, "temperature": None},
            {"extra_body.temperature": None, "temperature": None},
        ),
        (
            {
                "extra_body": {"output_config": {"effort": "max"}, "max_tokens": 2},
                "output_config": {"effort": "low"},
                "max_tokens": 1,
            },
            model(1, effort__max=False, effort__low=False),
            {
                "extra_body.max_tokens": 1,
                "extra_body.output_config.effort": None,
                "output_config": None,
            },
            {
                "extra_body.max_tokens": 1,
                "extra_body.output_config.effort": None,
                "output_config": None,
            },
        ),
        (
            {
                "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
                "tools": [TOOL],
            },
            model(traits={"forced_tool_choice": False}),
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            {"tool_choice": None},
        ),
        (
            {
                "tools": [
                    {"type": "web_search_20250305", "name": "s"},
                    TOOL,
                    {"type": "code_execution_20250522"},
                ],
                "tool_choice": {"type": "tool", "name": "s"},
            },
            model(server_tools__web_search=False, server_tools__code_execution=False),
            {"tools[0]": None, "tool_choice": None, "tools[2]": None},
            {"tools[0]": None, "tool_choice": None, "tools[2]": None},
        ),
        (
            {
                "tools": [{"type": "web_search_20250305", "name": "s"}, TOOL],
                "tool_choice": {"type": "tool", "name": "f"},
            },
            model(server_tools__web_search=False),
            {"tools[0]": None},
            {"tools[0]": None},
        ),
        (
            {
                "tools": [{"type": "web_search_20250305"}, {"type": "code_execution_20250522"}],
                "tool_choice": {"type": "any"},
                "max_tokens": 1,
            },
            model(server_tools__web_search=False, server_tools__code_execution=False),
            {"tools[0]": None, "tools[1]": None, "tool_choice": None},
            {"tools[0]": None, "tools[1]": None, "tool_choice": None},
        ),
        (
            {"tools": [{**TOOL, "strict": True}], "output_format": {"type": "json_schema"}},
            model(structured_outputs=False),
            {"output_format": None, "tools[0].strict": None},
            {"output_format": None, "tools[0].strict": None},
        ),
        (
            {"container": {"id": "c", "skills": [{"skill_id": "xlsx"}]}},
            model(server_tools__code_execution=False),
            {"container.skills": None},
            {"container.skills": None},
        ),
        (
            {"fallbacks": [{"model": "a"}, {"model": "b"}], "max_tokens": 1},
            Model.from_api({"id": "claude-nova", "allowed_fallback_models": ["b"]}),
            {"fallbacks[0]": None},
            {"fallbacks[0]": None},
        ),
        (
            {"fallbacks": [{"model": "a"}], "max_tokens": 1},
            Model.from_api({"id": "claude-nova", "allowed_fallback_models": []}),
            {"fallbacks[0]": None},
            {"fallbacks[0]": None},
        ),
        (
            {
                "max_tokens": 1,
                "messages": [
                    {"role": "user"},
                    {"role": "system", "output_config": {"effort": "max"}},
                ],
            },
            model(effort__max=False),
            {"messages[1]": None},
            {"messages[1]": None},
        ),
    ],
)
def test_what_is_changed(
    request_: dict[str, Any],
    of: Model,
    downgraded: dict[str, Any] | None,
    dropped: dict[str, Any] | None,
) -> None:
    """What is known to be unsupported is lowered where it has a lower form, and taken out with all that it empties."""
    for way, expected in (("downgrade", downgraded), ("drop", dropped)):
        before = snapshot(request_)
        fitted = fit(request_, of, way)  # type: ignore[arg-type]
        changes = expected if expected is not None else {"output_config.effort": None}

        assert {change.path: change.after for change in fitted.changes} == changes
        assert fitted.request == (
            replayed(request_, changes) if replayed(request_, changes) is not GONE else {}
        )
        assert snapshot(request_) == before


@pytest.mark.parametrize("way", get_args(OnUnsupported))
@pytest.mark.parametrize(
    ("request_", "of", "unsupported"),
    [
        (said(IMAGE), model(image_input=False), [("messages[0].content[0].source", "image_input")]),
        (said(PDF), model(pdf_input=False), [("messages[0].content[0].source", "pdf_input")]),
        ({"compaction": {"type": "summarize"}}, HAIKU, [("compaction", "compaction.summarize")]),
        (said({"type": "text"}, role="assistant"), OPUS, [("messages[0]", "maybe traits.prefill")]),
        (
            said(
                {
                    "type": "tool_addition",
                    "tool": {
                        "type": "tool_definition",
                        "definition": {"type": "web_search_20250305"},
                    },
                }
            ),
            model(server_tools__web_search=False),
            [("messages[0].content[0].tool.definition", "server_tools.web_search")],
        ),
    ],
)
def test_what_is_never_taken_out(
    way: OnUnsupported, request_: dict[str, Any], of: Model, unsupported: list[tuple[str, str]]
) -> None:
    """Content, and what a request is for, is never taken out: that is an error, which says where and what."""
    with pytest.raises(UnfitRequestError) as raised:
        fit(request_, of, way)
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - pickled on this very line

    assert (again.model_id, list(again.unsupported), str(again)) == (
        of.id,
        unsupported,
        str(raised.value),
    )
    assert (
        str(again)
        == f"{of.id} cannot serve this request: {unsupported[0][0]} asks for {unsupported[0][1]}"
    )


def test_an_error_tells_of_everything() -> None:
    """All that stands in the way is told at once; with a way out, only what it cannot help."""
    request = {"max_tokens": 128_000, "speed": "fast", **said(IMAGE)}
    of = model(64_000, {"fast_mode": False}, image_input=False)
    with pytest.raises(UnfitRequestError) as raised:
        fit(request, of)
    with pytest.raises(UnfitRequestError) as content:
        fit(request, of, "drop")

    assert [place for place, _ in raised.value.unsupported] == [
        "max_tokens",
        "messages[0].content[0].source",
        "speed",
    ]
    assert [place for place, _ in content.value.unsupported] == ["messages[0].content[0].source"]


def test_what_is_unknown_stays() -> None:
    """A model of which nothing is known gets the request as it is, the very same."""
    request = {
        "max_tokens": 10**6,
        "thinking": {"type": "enabled"},
        "speed": "fast",
        **said(IMAGE, PDF),
    }

    assert fit(request, model()).request is request


def test_a_change_says_why() -> None:
    """A change is told in one line, with its path and the first of its reasons."""
    request = {
        "max_tokens": 128_000,
        "thinking": {"type": "adaptive"},
        "tools": [{"type": "web_search_20260209", "allowed_callers": ["code_execution_20260120"]}],
    }
    lacks = "claude-haiku-4-5-20251001 does not support code_execution"

    assert [str(change) for change in fit(request, HAIKU, "downgrade").changes] == [
        "max_tokens: 128000 became 64000, as claude-haiku-4-5-20251001 does not meet max_tokens >= 128k",
        "thinking: taken out, as claude-haiku-4-5-20251001 does not support thinking.adaptive",
        "tools[0].allowed_callers: ['code_execution_20260120'] became ['direct'], as " + lacks,
    ]


def test_copies_only_what_changes() -> None:
    """What is not changed is shared with the request, not copied."""
    request = {"temperature": 0, "tools": [TOOL, {**TOOL, "strict": True}], **said(IMAGE)}
    fitted = fit(request, model(structured_outputs=False), "drop").request

    assert fitted["messages"] is request["messages"]
    assert fitted["tools"][0] is TOOL
    assert fitted["tools"][1] == TOOL


@pytest.mark.parametrize("request_", [None, "hello", [("model", "a")], Message.model_construct()])
def test_what_is_no_request(request_: Any) -> None:
    """What is no mapping is an error of the caller's."""
    with pytest.raises(ConfigurationError, match="must be a mapping"):
        requirement_of(request_)
    with pytest.raises(ConfigurationError, match="must be a mapping"):
        fit(request_, OPUS)


def test_arguments_that_cannot_be_used() -> None:
    """A name is no model, and there are three ways."""
    with pytest.raises(ConfigurationError, match="a Model was expected"):
        fit({}, "claude-opus-5-5")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="on_unsupported must be"):
        fit({}, OPUS, "ignore")  # type: ignore[arg-type]


# Laws, on requests that the SDK's types allow


SUPPORTS = st.none() | st.booleans()
MODELS = st.builds(
    lambda known, limit, traits, allowed: Model.from_api(
        {
            "id": "claude-nova",
            "max_tokens": limit,
            "traits": traits,
            "capabilities": _tree(
                {name: each for name, each in known.items() if not name.startswith("traits.")}
            ),
            **({} if allowed is None else {"allowed_fallback_models": allowed}),
        }
    ),
    st.fixed_dictionaries(dict.fromkeys(sorted(CAPABILITIES), SUPPORTS)),
    st.sampled_from([None, 1, 1_000, 1_024, 1_025, 64_000]),
    st.fixed_dictionaries(
        {
            each.removeprefix("traits."): SUPPORTS
            for each in sorted(CAPABILITIES)
            if each.startswith("traits.")
        }
    ),
    st.none() | st.lists(st.sampled_from(["a", "claude-opus-4-8"])),
) | st.sampled_from(list(BUNDLED))


def _tree(known: Mapping[str, bool | None]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, supported in known.items():
        node = tree
        for key in path.split("."):
            node = node.setdefault(key, {})
        node["supported"] = supported
    return tree


@SLOW
@given(requests(), MODELS, st.sampled_from(["drop", "downgrade"]))
def test_what_is_fitted_is_met(request_: dict[str, Any], of: Model, way: OnUnsupported) -> None:
    """What is fitted is known or not known to be met, is fitted already, and never changes what it came from.

    Nothing is changed that was met before, and what cannot be fitted is content or what the request is for.
    """
    before = snapshot(request_)
    unmet = [term.text for term in requirement_of(request_).terms if term.support(of) is False]
    fitted, unsupported = attempt(request_, of, way)

    assert snapshot(request_) == before
    assert {term for _, term in unsupported} <= {*unmet}
    assert all(
        term in {"image_input", "pdf_input", "maybe traits.prefill"}
        or term.startswith("compaction.")
        or "tool.definition" in place
        for place, term in unsupported
    )
    if fitted is not None:
        assert bool(fitted.changes) == bool(unmet)
        assert requirement_of(fitted.request).support(of) is not False
        assert fit(fitted.request, of, way).changes == ()
        assert fit(fitted.request, of).request is fitted.request


@SLOW
@given(requests(), MODELS)
def test_error_tells_just_what_is_unmet(request_: dict[str, Any], of: Model) -> None:
    """An error names the terms that are known not to be met, at all of their places, and no others."""
    requirement = requirement_of(request_)
    fitted, unsupported = attempt(request_, of, "error")

    assert set(unsupported) == {
        (place, term.text)
        for term in requirement.terms
        if term.support(of) is False
        for place in requirement.places[term.text]
    }
    assert unsupported or (fitted and fitted.request is request_)


def attempt(
    request: dict[str, Any], of: Model, way: OnUnsupported
) -> tuple[Fitted | None, Sequence[tuple[str, str]]]:
    """Return the fitted request, or what is unsupported where there is none."""
    try:
        return fit(request, of, way), ()
    except UnfitRequestError as error:
        return None, error.unsupported
