"""What a Messages request asks of a model, and what is changed of it for a model that cannot do all of that."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from anthropic import omit
from anthropic.resources.beta.messages import Messages as BetaMessages
from anthropic.resources.messages import Messages
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st
from request_corpus import (
    CORPUS,
    IMAGE,
    PDF,
    REQUESTS,
    SLOW,
    TOOL,
    adapters,
    fields_of,
    keys,
    literals,
    load,
    model,
    requests,
    said,
    snapshot,
    validate,
    walked,
)

from router import (
    Catalogue,
    ConfigurationError,
    Requirement,
    Router,
    StaticSource,
    require,
)
from router.models._vocabulary import CAPABILITIES
from router.requests._fitting import fit
from router.requests._reading import BLOCKS, PARAMETERS, RequestRequirement, requirement_of
from router.requests._values import UNREAD_PARAMETERS

BUNDLED = Catalogue.bundled()
OPUS, OPUS_4_6, HAIKU = (
    BUNDLED[id] for id in ("claude-opus-5-5", "claude-opus-4-6", "claude-haiku-4-5-20251001")
)
# The corpus


def test_the_corpus_is_large_enough() -> None:
    """There are requests of every kind."""
    assert len(CORPUS) >= 60


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
class TestCorpus:
    def test_the_sdk_allows_it(self, path: Path) -> None:
        """Each is what the SDK's types take, GA or beta."""
        request = load(path)["request"]
        refusals = []
        for adapter in adapters():
            try:
                validate(adapter, request)
            except ValueError as error:
                refusals.append(str(error))

        assert len(refusals) < 2, "\n".join(refusals)

    def test_what_it_asks(self, path: Path) -> None:
        """Each asks what was written down for it, each term at a place that there is."""
        case = load(path)
        requirement = requirement_of(case["request"], batch=case["batch"])

        assert str(requirement) == case["requires"]
        assert requirement == require(case["requires"])
        assert list(requirement.not_inferred) == case["not_inferred"]
        assert [*requirement.places] == [term.text for term in requirement.terms]
        for place in {each for places in requirement.places.values() for each in places} - {
            "batch"
        }:
            value = case["request"]
            for key in keys(place):
                value = value[key]


# The table


SERVER = "server_tools.code_execution"
FILTERS = "maybe traits.dynamic_filtering"
ROWS: dict[str, tuple[dict[str, Any], dict[str, list[str]]]] = {
    "max_tokens": ({"max_tokens": 4096}, {"max_tokens >= 4096": ["max_tokens"]}),
    "max_tokens of none": ({"max_tokens": 0}, {}),
    "image": (said(IMAGE), {"image_input": ["messages[0].content[0].source"]}),
    "images": (
        said(IMAGE, IMAGE),
        {"image_input": ["messages[0].content[0].source", "messages[0].content[1].source"]},
    ),
    "image in a tool result": (
        said({"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}),
        {"image_input": ["messages[0].content[0].content[0].source"]},
    ),
    "image in content blocks": (
        said({"type": "document", "source": {"type": "content", "content": [IMAGE]}}),
        {"image_input": ["messages[0].content[0].source.content[0].source"]},
    ),
    "PDF by address": (said(PDF), {"pdf_input": ["messages[0].content[0].source"]}),
    "PDF in a tool result": (
        said({"type": "tool_result", "tool_use_id": "t", "content": [PDF]}),
        {"pdf_input": ["messages[0].content[0].content[0].source"]},
    ),
    "PDF that was fetched": (
        said(
            {
                "type": "web_fetch_tool_result",
                "content": {"type": "web_fetch_result", "content": PDF},
            }
        ),
        {"pdf_input": ["messages[0].content[0].content.content.source"]},
    ),
    "text as a document": (said({"type": "document", "source": {"type": "text", "data": "a"}}), {}),
    "citations": (
        said(
            {
                "type": "document",
                "source": {"type": "text", "data": "a"},
                "citations": {"enabled": True},
            }
        ),
        {"citations": ["messages[0].content[0].citations"]},
    ),
    "citations of a search result": (
        said({"type": "search_result", "citations": {"enabled": True}}),
        {"citations": ["messages[0].content[0].citations"]},
    ),
    **{
        f"thinking {kind}": ({"thinking": {"type": kind}}, {f"thinking.{kind}": ["thinking"]})
        for kind in ("enabled", "adaptive", "disabled", "between_tools", "of_tomorrow")
    },
    **{
        f"effort {level}": (
            {"output_config": {"effort": level}},
            {f"effort.{level}": ["output_config.effort"]},
        )
        for level in ("low", "medium", "high", "xhigh", "max", "ultra")
    },
    "sampling since 2026-10-21": (
        {"temperature": 0, "extra_headers": {"Anthropic-Version": "2026-10-21"}},
        {"not true": ["temperature"]},
    ),
    "sampling before 2026-10-21": (
        {"temperature": 0, "extra_headers": {"anthropic-version": "2026-10-20"}},
        {"maybe traits.sampling": ["temperature"]},
    ),
    "task budget": (
        {"output_config": {"task_budget": {"type": "tokens", "total": 1}}},
        {"maybe traits.task_budget": ["output_config.task_budget"]},
    ),
    "effort of a system message": (
        {"messages": [{"role": "system", "output_config": {"effort": "low"}}]},
        {"effort.low": ["messages[0].output_config.effort"]},
    ),
    "effort of a system message without thinking": (
        {
            "messages": [{"role": "system", "output_config": {"effort": "max"}}],
            "thinking": {"type": "disabled"},
        },
        {
            "effort.max": ["messages[0].output_config.effort"],
            "maybe traits.effort_without_thinking": ["messages[0].output_config.effort"],
            "thinking.disabled": ["thinking"],
        },
    ),
    "format": (
        {"output_config": {"format": {"type": "json_schema"}}},
        {"structured_outputs": ["output_config.format"]},
    ),
    "format of the helpers": (
        {"output_format": Message},
        {"structured_outputs": ["output_format"]},
    ),
    "strict": ({"tools": [{**TOOL, "strict": True}]}, {"structured_outputs": ["tools[0].strict"]}),
    "strict, but no bool": ({"tools": [{**TOOL, "strict": "no"}]}, {}),
    "context management": (
        {
            "context_management": {
                "edits": [{"type": "clear_thinking_20251015"}, {"type": "clear_all_20270101"}]
            }
        },
        {
            "context_management.clear_all_20270101": ["context_management.edits[1]"],
            "context_management.clear_thinking_20251015": ["context_management.edits[0]"],
        },
    ),
    "compaction": ({"compaction": {"type": "summarize"}}, {"compaction.summarize": ["compaction"]}),
    **{
        f"code execution {version}": (
            {"tools": [{"type": f"code_execution_{version}"}]},
            {SERVER: ["tools[0]"]},
        )
        for version in ("20250522", "20250825", "20260120", "20260521", "20270101")
    },
    "called by code": (
        {"tools": [{**TOOL, "allowed_callers": ["direct", "code_execution_20250825"]}]},
        {"code_execution": ["tools[0].allowed_callers"], SERVER: ["tools[0].allowed_callers"]},
    ),
    "web search": (
        {"tools": [{"type": "web_search_20250305"}]},
        {"server_tools.web_search": ["tools[0]"]},
    ),
    **{
        f"web search {version}": (
            {"tools": [{"type": f"web_search_{version}"}]},
            {
                "code_execution": ["tools[0]"],
                FILTERS: ["tools[0]"],
                "server_tools.web_search": ["tools[0]"],
            },
        )
        for version in ("20260209", "20260318", "20270101")
    },
    "web search called by nobody": (
        {"tools": [{"type": "web_search_20260209", "allowed_callers": []}]},
        {
            "code_execution": ["tools[0].allowed_callers"],
            FILTERS: ["tools[0].allowed_callers"],
            "server_tools.web_search": ["tools[0]"],
        },
    ),
    "web search called directly": (
        {"tools": [{"type": "web_search_20260209", "allowed_callers": ["direct"]}]},
        {"server_tools.web_search": ["tools[0]"]},
    ),
    "web fetch": ({"tools": [{"type": "web_fetch_20250910"}]}, {}),
    **{
        f"web fetch {version}": (
            {"tools": [{"type": f"web_fetch_{version}"}]},
            {"code_execution": ["tools[0]"], FILTERS: ["tools[0]"]},
        )
        for version in ("20260209", "20260309", "20260318")
    },
    "web fetch called directly": (
        {"tools": [{"type": "web_fetch_20260209", "allowed_callers": ("direct",)}]},
        {},
    ),
    "tools of the client": (
        {"tools": [TOOL, {"type": "bash_20250124"}, {"type": "mcp_toolset"}]},
        {},
    ),
    "inline tool": (
        said(
            {
                "type": "tool_addition",
                "tool": {"type": "tool_definition", "definition": {**TOOL, "strict": True}},
            }
        ),
        {"structured_outputs": ["messages[0].content[0].tool.definition.strict"]},
    ),
    "skills": ({"container": {"skills": [{"skill_id": "xlsx"}]}}, {SERVER: ["container.skills"]}),
    "container": ({"container": "container_1"}, {}),
    "fallbacks": (
        {"fallbacks": [{"model": "claude-a"}, {"model": "b c"}]},
        {
            'allowed_fallback_models has "b c"': ["fallbacks[1]"],
            "allowed_fallback_models has claude-a": ["fallbacks[0]"],
        },
    ),
    "fallbacks by default": ({"fallbacks": "default"}, {}),
    "fast": ({"speed": "fast"}, {"maybe traits.fast_mode": ["speed"]}),
    "standard": ({"speed": "standard"}, {}),
    "any tool": (
        {"tool_choice": {"type": "any"}},
        {"maybe traits.forced_tool_choice": ["tool_choice"]},
    ),
    "one tool": (
        {"tool_choice": {"type": "tool"}},
        {"maybe traits.forced_tool_choice": ["tool_choice"]},
    ),
    "no tool": ({"tool_choice": {"type": "none"}}, {}),
    "prefill": (
        said({"type": "text", "text": "{"}, role="assistant"),
        {"maybe traits.prefill": ["messages[0]"]},
    ),
    "paused turn": (said({"type": "server_tool_use"}, role="assistant"), {}),
    "temperature": ({"temperature": 0}, {"maybe traits.sampling": ["temperature"]}),
    "default temperature": ({"temperature": 1.0, "top_p": None}, {}),
    "sampling beside": (
        {"extra_body": {"top_p": 1, "top_k": 3}},
        {"maybe traits.sampling": ["extra_body.top_p", "extra_body.top_k"]},
    ),
    "what asks nothing": (
        {
            "inference_geo": "us",
            "service_tier": "auto",
            "metadata": {},
            "stop_sequences": ["a"],
            "thread": {},
        },
        {},
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_table(row: str) -> None:
    """Each row of the table asks for just that, at that place."""
    request, places = ROWS[row]
    requirement = requirement_of(request)

    assert requirement.places == {text: tuple(paths) for text, paths in places.items()}
    assert requirement == require(" and ".join(places) or "true")


def test_arguments_ask_too() -> None:
    """A batch, and the size of the input, are asked for by argument."""
    requirement = requirement_of({}, batch=True, input_tokens=200_001)

    assert requirement == require("batch and max_input_tokens >= 200001")
    assert requirement.places == {
        "batch": ("batch",),
        "max_input_tokens >= 200001": ("input_tokens",),
    }
    assert (requirement.input_tokens, requirement.is_estimated) == (200_001, False)


@pytest.mark.parametrize(
    ("request_", "paths"),
    [
        (
            said({"type": "document", "source": {"type": "file"}}),
            ["messages[0].content[0].source.file_id"],
        ),
        (
            said({"type": "document", "source": {"type": "gopher"}}),
            ["messages[0].content[0].source"],
        ),
        ({"thinking": {"type": "deep thought"}}, ["thinking"]),
        ({"output_config": {"effort": 11}}, ["output_config.effort"]),
        ({"max_tokens": 10**5000}, ["max_tokens"]),
        ({"messages": iter([said(IMAGE)])}, ["messages"]),
    ],
)
def test_what_cannot_be_told(request_: dict[str, Any], paths: list[str]) -> None:
    """What may ask for something that cannot be told asks nothing, and is returned as such."""
    requirement = requirement_of(request_)

    assert requirement == require()
    assert list(requirement.not_inferred) == paths


def test_a_generator_is_left_to_whom_it_is_for() -> None:
    """What can be gone through but once is not."""
    messages = iter(said(IMAGE)["messages"])
    fit({"messages": messages, "temperature": 0}, OPUS, "downgrade")

    assert next(messages)["content"] == [IMAGE]


def test_what_is_left_out_asks_nothing() -> None:
    """The SDK's own marks for what is left out are no values."""
    assert requirement_of(dict.fromkeys([*PARAMETERS, "extra_body"], omit)) == require()


def test_objects_of_the_sdk() -> None:
    """An answer of the SDK, sent back, is read like the dict that it stands for, and copied where it is changed."""
    fetched = {
        "type": "web_fetch_result",
        "url": "u",
        "content": {**PDF, "citations": {"enabled": True}},
    }
    answer = Message.model_construct(
        role="assistant",
        content=[SimpleNamespace(type="web_fetch_tool_result", content=SimpleNamespace(**fetched))],
    )
    request = {"messages": [answer]}

    assert requirement_of(request).places == {
        "citations": ("messages[0].content[0].content.content.citations",),
        "pdf_input": ("messages[0].content[0].content.content.source",),
    }
    fitted = fit(request, model(citations=False), "downgrade").request
    assert fitted["messages"][0]["content"][0]["content"]["content"] == PDF
    assert fitted["messages"][0].keys() == {"role", "content"}
    assert "citations" in fetched["content"]


def test_deep_content_ends() -> None:
    """Content that is nested deeper than the API takes is not gone down."""
    block: dict[str, Any] = IMAGE
    for _ in range(5_000):
        block = {"type": "tool_result", "content": [block]}
    requirement = requirement_of(said(block))

    assert requirement == require()
    assert len(requirement.not_inferred) == 1


def test_compaction_and_credit_continue_no_text() -> None:
    """A last answer is no prefill where nothing is to follow it, or where a token allows it."""
    last = {"messages": [{"role": "assistant", "content": "Tides are"}]}

    assert "maybe traits.prefill" in requirement_of(last).places
    assert (
        "maybe traits.prefill"
        not in requirement_of(last | {"compaction": {"type": "summarize"}}).places
    )
    assert (
        "maybe traits.prefill" not in requirement_of(last | {"fallback_credit_token": "t"}).places
    )


# Parameters that there are not


ROUTER = Router(StaticSource(BUNDLED))
WITH_FALLBACKS = Router(
    StaticSource(
        Catalogue.from_listing([{"id": "a", "allowed_fallback_models": ["b"]}, {"id": "b"}])
    )
)
READERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "requirement_of": requirement_of,
    "fit": lambda request: fit(request, OPUS),
    "route": ROUTER.route,
    "run_request": lambda request: ROUTER.run_request(request, lambda **sent: sent),
    "arun_request": lambda request: asyncio.run(ROUTER.arun_request(request, answered)),
    "begin": lambda request: ROUTER.begin(request=request),
    "fallbacks_param": lambda request: WITH_FALLBACKS.fallbacks_param("a", None, request),
}
"""Everything that reads a request."""


async def answered(**sent: Any) -> Any:
    """Answer with the request."""
    return sent


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"mesages": []}, "mesages is not a parameter of the Messages API; did you mean messages?"),
        (
            {"messages": [], "extra_body": {"temprature": 0}},
            "extra_body.temprature is not a parameter of the Messages API; did you mean temperature?",
        ),
        ({1: "one"}, "the keys of a request must be strings (got 1)"),
    ],
    ids=["misspelt", "extra_body", "a number"],
)
def test_a_misspelt_parameter_is_refused(
    read: Callable[[Any], object], request_: Any, problem: str
) -> None:
    """A parameter that is nearly a known one is an error, wherever a request is read."""
    with pytest.raises(ConfigurationError) as raised:
        read(request_)
    assert str(raised.value) == problem


def test_an_unknown_parameter_is_noted() -> None:
    """A parameter that is not like any other may be newer than this release: it is sent, and noted."""
    request = {
        "max_tokens": 5,
        "messages": [],
        "seed": 1,
        "extra_body": {"models": ["a"], "top_k": 1},
    }
    routed = ROUTER.route(request)

    assert requirement_of(request).not_inferred == ("seed", "extra_body.models")
    assert routed.decision.notes[-1] == "what seed, extra_body.models may ask for is unknown"
    assert routed.request == {**request, "model": routed.model.id}
    assert fit(request, OPUS_4_6).request is request
    assert ROUTER.run_request(request, lambda **sent: sent).value["seed"] == 1


def test_what_is_missing_is_left_to_the_api() -> None:
    """Part of a request can be asked about: `create` may supply the rest."""
    assert requirement_of({"thinking": {"type": "adaptive"}}) == require("thinking.adaptive")
    assert ROUTER.route({"max_tokens": 5}).request.keys() == {"max_tokens", "model"}
    assert not requirement_of({}).not_inferred


# The requirement is one like any other


def test_it_is_a_requirement() -> None:
    """It is combined, asked, printed and pickled like any other."""
    request = {"max_tokens": 8, **said(IMAGE)}
    requirement = requirement_of(request)
    again = pickle.loads(pickle.dumps(requirement))  # noqa: S301 - pickled on this very line

    assert isinstance(requirement, RequestRequirement)
    assert isinstance(requirement, Requirement)
    assert requirement & require("batch") == require("image_input and max_tokens >= 8 and batch")
    assert require("batch") & requirement == require("image_input and max_tokens >= 8 and batch")
    assert requirement | require("batch") == require("(image_input and max_tokens >= 8) or batch")
    assert ~requirement == require("not image_input or max_tokens < 8")
    assert BUNDLED.select(requirement) == BUNDLED.select("image_input and max_tokens >= 8")
    assert (again, again.places) == (requirement, requirement.places)
    assert repr(requirement) == f"require({str(requirement)!r})"


def test_a_newer_model_is_not_shut_out() -> None:
    """A model of which documentation says nothing meets what only documentation knows."""
    asked = requirement_of({"temperature": 0, "speed": "fast", "tool_choice": {"type": "any"}})

    assert asked.matches(model())
    assert not asked.matches(model(traits={"sampling": False}))


# The SDK's types, walked


RULED = {
    *("Base64ImageSource", "FileImageSource", "URLImageSource", "ImageBlock"),
    *(
        "Base64PDFSource",
        "ContentBlockSource",
        "FileDocumentSource",
        "PlainTextSource",
        "URLPDFSource",
        "DocumentBlock",
    ),
    *("SearchResultBlock", "ToolResultBlock", "WebFetchBlock", "WebFetchToolResultBlock"),
    *("ToolAdditionBlock", "ToolChangeToolDefinition"),
    *(
        "ThinkingConfigAdaptive",
        "ThinkingConfigBetweenTools",
        "ThinkingConfigDisabled",
        "ThinkingConfigEnabled",
    ),
    *(
        "ClearThinking20251015Edit",
        "ClearToolUses20250919Edit",
        "Compact20260112Edit",
        "CompactionConfig",
    ),
    *("CodeExecutionTool20250522", "CodeExecutionTool20250825", "CodeExecutionTool20260120"),
    *("CodeExecutionTool20260521", "JSONOutputFormat", "SkillParams", "TokenTaskBudget"),
    *(
        "WebFetchTool20250910",
        "WebFetchTool20260209",
        "WebFetchTool20260309",
        "WebFetchTool20260318",
    ),
    *("WebSearchTool20250305", "WebSearchTool20260209", "WebSearchTool20260318"),
    *("TextBlock", "ToolChoiceAny", "ToolChoiceAuto", "ToolChoiceNone", "ToolChoiceTool", "Tool"),
}
"""The types that a rule speaks of."""

ASKS_NOTHING = {
    # blocks: what was answered before, and what a client or a server put beside it
    *(
        "AdvisorRedactedResultBlock",
        "AdvisorResultBlock",
        "AdvisorToolResultBlock",
        "AdvisorToolResultError",
    ),
    *(
        "AdvisorToolResultErrorObject",
        "BashCodeExecutionOutputBlock",
        "BashCodeExecutionResultBlock",
    ),
    *(
        "BashCodeExecutionToolResultBlock",
        "BashCodeExecutionToolResultError",
        "BashCodeExecutionToolResultErrorObject",
    ),
    *(
        "BrowserStateBlock",
        "CodeExecutionOutputBlock",
        "CodeExecutionResultBlock",
        "CodeExecutionToolResultBlock",
    ),
    *(
        "CodeExecutionToolResultError",
        "CodeExecutionToolResultErrorObject",
        "CompactionBlock",
        "ContainerUploadBlock",
    ),
    *(
        "EncryptedCodeExecutionResultBlock",
        "FallbackBlock",
        "FallbackRefusalTrigger",
        "MCPToolListingBlock",
    ),
    *(
        "MCPToolResultBlock",
        "MCPToolUseBlock",
        "RedactedThinkingBlock",
        "ServerToolUseBlock",
        "ThinkingBlock",
    ),
    *("TextEditorCodeExecutionCreateResultBlock", "TextEditorCodeExecutionStrReplaceResultBlock"),
    *("TextEditorCodeExecutionToolResultBlock", "TextEditorCodeExecutionToolResultError"),
    *("TextEditorCodeExecutionToolResultErrorObject", "TextEditorCodeExecutionViewResultBlock"),
    *(
        "ToolReferenceBlock",
        "ToolRemovalBlock",
        "ToolSearchToolResultBlock",
        "ToolSearchToolResultError",
    ),
    *("ToolSearchToolResultErrorObject", "ToolSearchToolSearchResultBlock", "ToolUseBlock"),
    *("WebFetchToolResultErrorBlock", "WebSearchResultBlock", "WebSearchToolRequestErrorObject"),
    *("WebSearchToolResultBlock", "WebSearchToolResultErrorObject"),
    *(
        "BrowserStateChangeDownloadCompleted",
        "BrowserStateChangeDownloadFailed",
        "BrowserStateChangeDownloadStarted",
    ),
    "BrowserStateChangeTabOpened",
    # tools that no capability stands for, and what is said of them
    *(
        "AdvisorTool20260301",
        "BrowserToolset20260801",
        "BrowserToolsetConfigs",
        "ComputerToolset20260801",
    ),
    *(
        "ComputerToolsetConfigs",
        "MCPToolset",
        "MemoryTool20250818",
        "ToolBash20241022",
        "ToolBash20250124",
    ),
    *("ToolComputerUse20241022", "ToolComputerUse20250124", "ToolComputerUse20251124"),
    *("ToolSearchToolBm25_20251119", "ToolSearchToolRegex20251119", "ToolTextEditor20241022"),
    *("ToolTextEditor20250124", "ToolTextEditor20250429", "ToolTextEditor20250728"),
    *("InputSchemaTyped", "ResponseTool", "ResponseToolInputSchema", "ResponseToolAdditionBlock"),
    *(
        "ResponseToolRemovalBlock",
        "ResponseToolChangeMCPToolReference",
        "ResponseToolChangeMCPToolsetReference",
    ),
    *(
        "ResponseToolChangeToolReference",
        "ToolChangeMCPToolReference",
        "ToolChangeMCPToolsetReference",
    ),
    *(
        "ToolChangeToolReference",
        "DirectCaller",
        "ServerToolCaller",
        "ServerToolCaller20260120",
        "UserLocation",
    ),
    *(
        "WebFetchURLSourceAll",
        "WebFetchURLSourceExcept",
        "WebFetchURLSourceNone",
        "WebFetchURLSourceOnly",
    ),
    "WebFetchURLSourceToolReference",
    # how an edit goes about it
    *(
        "AllThinkingTurns",
        "InputTokensClearAtLeast",
        "InputTokensTrigger",
        "ThinkingTurns",
        "ToolUsesKeep",
    ),
    "ToolUsesTrigger",
    # citations that were made, and all else
    *(
        "CitationCharLocation",
        "CitationContentBlockLocation",
        "CitationPageLocation",
        "CitationSearchResultLocation",
    ),
    *(
        "CitationWebSearchResultLocation",
        "CitationsSearchResultLocation",
        "CitationsWebSearchResultLocation",
    ),
    *("BillingPolicy", "CacheControlEphemeral", "MCPServerURLDefinition", "ThreadContinueParams"),
    "ThreadCreateParams",
}
"""The types that ask nothing of a model. A new release of the SDK shows here what is new."""

FIELDS_THAT_ASK = {"allowed_callers", "citations", "effort", "format", "strict", "task_budget"}
"""What asks on whatever type it is, apart from parameters."""


def plain(kind: Any) -> str:
    """Return the name of a type as GA and beta, and what is sent and what is answered, have it in common."""
    return str(kind.__name__.removeprefix("Beta").removeprefix("Request").removesuffix("Param"))


def test_every_type_of_the_sdk_is_known() -> None:
    """Each type that names itself has a rule, or is listed as one that asks nothing."""
    named = {plain(kind) for kind, fields in walked().items() if "type" in fields}

    assert named - RULED - ASKS_NOTHING == set()
    assert (RULED | ASKS_NOTHING) - named == set()
    assert not RULED & ASKS_NOTHING


def test_every_parameter_of_the_sdk_is_known() -> None:
    """Each parameter is read, or is known to ask nothing; none is known that there is not."""
    found = {name for kind in REQUESTS for name in fields_of(kind) or ()}
    methods = {
        name
        for messages in (Messages, BetaMessages)
        for method in ("create", "stream", "parse", "tool_runner", "count_tokens")
        for name in signature(getattr(messages, method, messages.create)).parameters
    } - {"self"}

    assert found - PARAMETERS.keys() <= UNREAD_PARAMETERS
    assert methods - PARAMETERS.keys() == UNREAD_PARAMETERS
    assert not PARAMETERS.keys() & UNREAD_PARAMETERS
    assert PARAMETERS.keys() - found == {"output_format", "temperature", "top_k", "top_p"}


def test_the_rules_speak_of_types_that_there_are() -> None:
    """No rule is for a type that the SDK does not have; every capability that a type names is in the vocabulary."""
    types_: dict[str, set[str]] = {}
    for kind, fields in walked().items():
        types_.setdefault(plain(kind), set()).update(literals(fields.get("type")))

    assert BLOCKS.keys() <= set().union(*types_.values())
    named = {
        f"thinking.{each}"
        for name in types_
        if name.startswith("ThinkingConfig")
        for each in types_[name]
    }
    named |= {
        f"context_management.{each}"
        for name in types_
        if name.endswith("Edit")
        for each in types_[name]
    }
    named |= {f"compaction.{each}" for each in types_["CompactionConfig"]}
    assert named == {
        each
        for each in CAPABILITIES
        if each.startswith(("thinking.", "context_man", "compaction."))
    } - {"context_management"}


def test_the_fields_that_ask_are_on_the_types_of_rules() -> None:
    """What asks wherever it stands stands where it is read: on tools, documents, search results and configurations."""
    found: dict[str, set[str]] = {}
    for kind, fields in walked().items():
        for name in FIELDS_THAT_ASK & fields.keys():
            found.setdefault(name, set()).add(plain(kind))

    assert {each for each in found["strict"] | found["allowed_callers"] if "Tool" not in each} == {
        "MCPToolset"
    } & set()
    assert found["citations"] - {"TextBlock"} == {
        *("DocumentBlock", "SearchResultBlock"),
        *(each for each in RULED if each.startswith("WebFetchTool2")),
    }
    assert found["effort"] == {"OutputConfig", "SystemMessageOutputConfig"}
    assert found["format"] == found["task_budget"] == {"OutputConfig"}


# Laws, on requests that the SDK's types allow


@SLOW
@given(requests(), st.booleans(), st.sampled_from([None, "estimate", 7]))
def test_whatever_the_types_allow_is_read(
    request_: dict[str, Any], batch: bool, tokens: Any
) -> None:
    """No request of the SDK's types raises; it is left as it was, and what it asks is canonical and has its places."""
    before = snapshot(request_)
    requirement = requirement_of(request_, batch=batch, input_tokens=tokens)

    assert snapshot(request_) == before
    assert require(str(requirement)) == requirement
    assert [*requirement.places] == [term.text for term in requirement.terms]
    assert all(requirement.places.values())


# Cost


class Untouchable:
    """Data that must not be looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return object
        raise AssertionError(name)

    def __len__(self) -> int:
        raise AssertionError

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError

    def __bool__(self) -> bool:
        raise AssertionError

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]


def conversation(data: object) -> dict[str, Any]:
    """Return a conversation of 100 messages with 20 images."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    asked = [
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "text", "text": "Here."}, image],
        }
    ]
    answered = [
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]
    messages = [
        {"role": "assistant", "content": answered}
        if number % 2
        else {"role": "user", "content": asked if number < 40 else "Go on."}
        for number in range(100)
    ]
    return {
        "model": "auto",
        "max_tokens": 1024,
        "messages": messages,
        "tools": [TOOL] * 10,
        "temperature": 0,
    }


def calls(request: dict[str, Any], **arguments: Any) -> int:
    """Return how many functions are called to read a request: the same at any load of the machine."""
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    requirement_of(request, **arguments)
    before = sys.getprofile()
    gc.disable()  # others have it call them back
    sys.setprofile(count)
    try:
        requirement_of(request, **arguments)
    finally:
        sys.setprofile(before)
        gc.enable()
    return counted


def test_data_is_not_looked_at() -> None:
    """Neither reading nor fitting looks at the data of an image, however they are asked."""
    request = conversation(Untouchable())
    requirement_of(request, input_tokens="estimate")

    assert len(requirement_of(request).places["image_input"]) == 20
    assert fit(request, OPUS, "downgrade").changes[0].path == "temperature"


@pytest.mark.parametrize("tokens", [None, "estimate"])
def test_cost_does_not_grow_with_data(tokens: Any) -> None:
    """The work is the same for 20 images of 10 bytes and of 10 MB, in calls and within noise in time."""
    small, large = conversation("A" * 10), conversation("A" * 10_000_000)

    assert calls(small, input_tokens=tokens) == calls(large, input_tokens=tokens)
    assert seconds(large, tokens) < 3 * seconds(small, tokens)


def seconds(request: dict[str, Any], tokens: Any) -> float:
    """Return the least time of this process that reading the request took."""
    return least(lambda: requirement_of(request, input_tokens=tokens))


def least(call: Callable[[], object]) -> float:
    """Return the least time of this process that a call took, without what measures coverage."""
    taken, tracer = [], sys.gettrace()
    sys.settrace(None)
    try:
        for _ in range(50):
            began = time.process_time()
            call()
            taken.append(time.process_time() - began)
    finally:
        sys.settrace(tracer)
    return min(taken)


def test_cost() -> None:
    """Reading 100 messages with 20 images takes at most seven times as long as writing them as JSON."""
    request = conversation("A" * 10)

    assert seconds(request, None) < 7 * least(lambda: json.dumps(request))


def test_what_one_term_asks_goes_together_with_others() -> None:
    """What a request asks is a requirement as any other, also where it is one term alone."""
    asked = requirement_of({"max_tokens": 8})

    assert asked == require("max_tokens >= 8")
    assert (asked | require("batch")) == require("max_tokens >= 8 or batch")
    assert (asked & require("batch")) == require("max_tokens >= 8 and batch")
    assert ~asked == require("max_tokens < 8")


def test_a_toolset_is_not_strict() -> None:
    """`strict` of a set of tools is no structured output: only that of a single tool is."""
    toolset = {"type": "mcp_toolset", "strict": True}

    assert "structured_outputs" not in requirement_of({"tools": [toolset]}).places
    assert "structured_outputs" in requirement_of({"tools": [TOOL | {"strict": True}]}).places
