"""Reading a Messages request: what it asks of a model, and where.

The rules are those of the Messages API's reference, beta included, as the types of its Python SDK
2.12 state them. A request is read in place: nothing is copied, the data of images and documents
is not looked at, and values that the types do not allow ask nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final

from attrs import frozen

from router._errors import ConfigurationError, shortened
from router.models._vocabulary import capability_name
from router.requests._tokens import LARGEST, InputTokens, count_tokens, estimate_tokens
from router.requests._values import (
    UNREAD_PARAMETERS,
    Path,
    check_request,
    fields_of,
    format_path,
    items_of,
    meant_parameter,
    member_of,
    type_of,
)
from router.requirements._expression import (
    Placed,
    Requirement,
    conjunction,
    disjunction,
    possibility,
    remembered,
)
from router.requirements._literals import Comparison, capability

_DEEPEST: Final = 32
"""How deep content may nest; the deepest that the API takes is ten."""

_FILTERED_SINCE: Final = "20260209"
"""The first version of the web tools whose results code filters, unless called directly."""

_LARGER_OUTPUT: Final = "output-300k-"
"""A beta that allows longer answers in a batch than the limit of the Models API."""

_NO_SAMPLING_SINCE: Final = "2026-10-21"
"""The `anthropic-version` since which no model takes sampling parameters."""

_NEED_THINKING: Final = ("xhigh", "max")
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_DATED: Final = re.compile(r"(code_execution|web_search|web_fetch)_(\d{8})", re.ASCII)

NOTHING: Final = disjunction(())
"""The requirement that no model satisfies, of what the API refuses for every model."""

BATCH: Final[Path] = ("batch",)
INPUT_TOKENS: Final[Path] = ("input_tokens",)
"""The paths of terms that an argument asks for, not the request."""


@frozen(eq=False, repr=False)
class RequestRequirement(Placed):
    """What a request asks of a model, with the places in the request that ask for each term."""

    not_inferred: tuple[str, ...] = ()
    """The paths of values whose demands are unknown, such as a file of unknown type."""
    input_tokens: int | None = None
    """How many tokens its input has, if that was given, counted or estimated."""
    is_estimated: bool = False
    """Whether they were estimated."""


def requirement_of(
    request: Mapping[str, Any],
    *,
    batch: bool = False,
    input_tokens: InputTokens = None,
) -> RequestRequirement:
    """Return what the arguments of `messages.create`, GA or beta, ask of a model.

    `input_tokens` asks for a context window: a number, a function that counts (given the request,
    or its parameters that are keywords of the function), or "estimate": a token for each
    `BYTES_PER_TOKEN` of text, without images and PDFs. Facts that only documentation states are
    asked as `maybe traits...`, so that newer models are not excluded. Unknown parameters are in
    `not_inferred`. Raises `ConfigurationError` for a misspelt parameter, for a request that is not
    a mapping, and for tokens that are not a number.
    """
    reading = read(check_request(request), batch=batch)
    demands = [*reading.demands]
    if batch:
        demands.append(Demand(_supported("batch"), BATCH, None))
    is_estimated = input_tokens == "estimate"
    tokens = estimate_tokens(reading.value) if is_estimated else count_tokens(request, input_tokens)
    if tokens:
        demands.append(Demand(_at_least("max_input_tokens", tokens), INPUT_TOKENS, None))
    asked = {each.term.text: each.term for each in demands}
    places: dict[str, dict[str, None]] = {text: {} for text in sorted(asked)}
    for each in demands:
        places[each.term.text][format_path(each.path)] = None
    plain = conjunction(asked.values())
    return RequestRequirement(
        parts=plain.terms,
        text=plain.text,
        depth=1,
        places={text: tuple(paths) for text, paths in places.items()},
        not_inferred=tuple(dict.fromkeys(map(format_path, reading.not_inferred))),
        input_tokens=tokens or None,
        is_estimated=is_estimated,
    )


class Remedy(Enum):
    """What may help if a model is known not to support what a place of a request asks for."""

    CAP_TOKENS = auto()
    LOWER_THINKING = auto()
    LOWER_EFFORT = auto()
    UNFORCE = auto()
    CALL_DIRECTLY = auto()
    REMOVE = auto()
    REMOVE_TOOL = auto()


@frozen
class Demand:
    """A term that one place of a request asks for, and the remedy if it is unmet."""

    term: Requirement
    path: Path
    remedy: Remedy | None


@frozen
class Reading:
    """All that a request asks, in an order in which it can be met."""

    demands: Sequence[Demand]
    not_inferred: Sequence[Path]
    """The paths of values whose demands are unknown."""
    parameters: Mapping[str, tuple[Path, Any]]
    """Each parameter with its path, including those of an extra body."""

    def value(self, name: str) -> Any:
        """Return the value of a parameter, `None` where it is not given."""
        return self.parameters.get(name, ((), None))[1]


def read(request: Mapping[str, Any], *, batch: bool = False) -> Reading:
    """Return all that a request asks, on its own or in a batch."""
    reader = _Reader(request, batch=batch)
    return Reading(reader.demands, reader.not_inferred, reader.parameters)


class _Reader:
    """Walks through a request and collects its demands."""

    def __init__(self, request: Mapping[str, Any], *, batch: bool) -> None:
        self.batch = batch
        self.demands: list[Demand] = []
        self.not_inferred: list[Path] = []
        self.parameters: dict[str, tuple[Path, Any]] = {
            name: ((name,), each) for name, each in request.items()
        }
        for name, each in fields_of(
            request.get("extra_body")
        ).items():  # the SDK lays it over the others
            self.parameters[name] = ("extra_body", name), each
        for name, read in PARAMETERS.items():
            if name in self.parameters:
                read(self, *self.parameters[name])
        for name, (path, _) in self.parameters.items():
            if name not in KNOWN_PARAMETERS:
                self.unknown_parameter(path)

    def ask(self, term: Requirement | str, path: Path, remedy: Remedy | None = None) -> None:
        """Add the demand of a path for a term, or for a capability or trait."""
        self.demands.append(
            Demand(_supported(term) if isinstance(term, str) else term, path, remedy)
        )

    def ask_named(self, family: str, name: object, path: Path, remedy: Remedy | None) -> None:
        """Add the demand of a path for the capability that its value names."""
        if isinstance(name, str) and _WORD.fullmatch(name):
            self.ask(f"{family}.{name}", path, remedy)
        elif name:
            self.not_inferred.append(path)

    def unknown_parameter(self, path: Path) -> None:
        """Note an unknown parameter; raises `ConfigurationError` for a misspelt one."""
        meant = meant_parameter(path[-1], KNOWN_PARAMETERS)
        if meant is not None:
            raise ConfigurationError(
                f"{shortened(format_path(path))} is not a parameter of the Messages API; "
                f"did you mean {meant}?"
            )
        self.not_inferred.append(path)

    def value(self, name: str) -> Any:
        return self.parameters.get(name, ((), None))[1]

    def items(self, path: Path, value: object) -> Iterable[tuple[int, Any]]:
        """Return the items of a list; an iterator is not consumed, and so not inferred."""
        if isinstance(value, Iterator):
            self.not_inferred.append(path)
        return enumerate(items_of(value))

    def max_tokens(self, path: Path, value: Any) -> None:
        betas = [each for _, each in self.items(("betas",), self.value("betas"))]
        if self.batch and any(
            isinstance(each, str) and each.startswith(_LARGER_OUTPUT) for each in betas
        ):
            self.not_inferred.append(path)
        elif type(value) is int and 1 <= value < LARGEST:
            self.ask(_at_least("max_tokens", value), path, Remedy.CAP_TOKENS)
        elif value:
            self.not_inferred.append(path)

    def thinking(self, path: Path, value: Any) -> None:
        self.ask_named("thinking", member_of(value, "type"), path, Remedy.LOWER_THINKING)

    def output_config(self, path: Path, value: Any) -> None:
        self.effort((*path, "effort"), member_of(value, "effort"))
        self.output_format((*path, "format"), member_of(value, "format"))
        if member_of(value, "task_budget"):
            self.ask("traits.task_budget", (*path, "task_budget"), Remedy.REMOVE)

    def effort(self, path: Path, value: Any) -> None:
        self.ask_named("effort", value, path, Remedy.LOWER_EFFORT)
        if value in _NEED_THINKING and type_of(self.value("thinking")) in {
            "disabled",
            "between_tools",
        }:
            self.ask("traits.effort_without_thinking", path, Remedy.LOWER_EFFORT)

    def output_format(self, path: Path, value: Any) -> None:
        if value:
            self.ask("structured_outputs", path, Remedy.REMOVE)

    def tools(self, path: Path, value: Any) -> None:
        for at, tool in self.items(path, value):
            self.tool((*path, at), tool, Remedy.REMOVE_TOOL)

    def tool(self, path: Path, tool: Any, remedy: Remedy | None) -> None:
        if member_of(tool, "strict") is True and "toolset" not in type_of(tool):
            self.ask("structured_outputs", (*path, "strict"), Remedy.REMOVE)
        dated = _DATED.fullmatch(type_of(tool))
        family, version = dated.groups() if dated else ("", "")
        if family in {"code_execution", "web_search"}:
            self.ask(f"server_tools.{family}", path, remedy)
        callers = member_of(tool, "allowed_callers")
        place = path if callers is None else (*path, "allowed_callers")
        names = [each for _, each in self.items(place, callers)]
        if any(isinstance(each, str) and each.startswith("code_execution_") for each in names):
            self.ask("code_execution", place, Remedy.CALL_DIRECTLY)
            self.ask("server_tools.code_execution", place, Remedy.CALL_DIRECTLY)
        if family.startswith("web") and version >= _FILTERED_SINCE and names != ["direct"]:
            self.ask("code_execution", place, Remedy.CALL_DIRECTLY)
            self.ask("traits.dynamic_filtering", place, Remedy.CALL_DIRECTLY)

    def tool_choice(self, path: Path, value: Any) -> None:
        if type_of(value) in {"any", "tool"}:
            self.ask("traits.forced_tool_choice", path, Remedy.UNFORCE)

    def messages(self, path: Path, value: Any) -> None:
        at, message = -1, None
        for at, message in self.items(path, value):
            fields = fields_of(message)
            self.content((*path, at, "content"), fields.get("content"))
            if fields.get("output_config"):
                effort = member_of(fields["output_config"], "effort")
                self.effort((*path, at, "output_config", "effort"), effort)
        # A compaction samples nothing after the last message; a credit token allows its prefill.
        if (
            _is_prefill(message)
            and not self.value("compaction")
            and not self.value("fallback_credit_token")
        ):
            self.ask("traits.prefill", (*path, at))

    def content(self, path: Path, value: Any) -> None:
        if value.__class__ is str:
            return
        if len(path) > _DEEPEST:
            self.not_inferred.append(path)
        elif type_of(value):
            self.block(path, value)
        else:
            for at, block in self.items(path, value):
                self.block((*path, at), block)

    def block(self, path: Path, value: Any) -> None:
        read = BLOCKS.get(type_of(value))
        if read is not None:
            read(self, path, value)

    def image(self, path: Path, value: Any) -> None:
        self.ask("image_input", (*path, "source"))

    def document(self, path: Path, value: Any) -> None:
        source = member_of(value, "source")
        kind, at = type_of(source), (*path, "source")
        if kind in {"base64", "url"}:
            self.ask("pdf_input", at)
        elif kind == "content":
            self.inside(at, source)
        elif kind != "text":
            self.not_inferred.append((*at, "file_id") if kind == "file" else at)
        self.citations(path, value)

    def citations(self, path: Path, value: Any) -> None:
        if member_of(member_of(value, "citations"), "enabled") is True:
            self.ask("citations", (*path, "citations"), Remedy.REMOVE)

    def inside(self, path: Path, value: Any) -> None:
        self.content((*path, "content"), member_of(value, "content"))

    def tool_addition(self, path: Path, value: Any) -> None:
        added = member_of(value, "tool")
        if type_of(added) == "tool_definition":
            self.tool((*path, "tool", "definition"), member_of(added, "definition"), None)

    def context_management(self, path: Path, value: Any) -> None:
        edits = (*path, "edits")
        for at, edit in self.items(edits, member_of(value, "edits")):
            self.ask_named(
                "context_management", member_of(edit, "type"), (*edits, at), Remedy.REMOVE
            )

    def compaction(self, path: Path, value: Any) -> None:
        self.ask_named("compaction", member_of(value, "type"), path, None)

    def container(self, path: Path, value: Any) -> None:
        if member_of(value, "skills"):
            self.ask("server_tools.code_execution", (*path, "skills"), Remedy.REMOVE)

    def fallbacks(self, path: Path, value: Any) -> None:
        for at, entry in self.items(path, value):
            name = member_of(entry, "model")
            if isinstance(name, str):
                allowed = Comparison("allowed_fallback_models", "list", "has", name)
                self.ask(allowed, (*path, at), Remedy.REMOVE)
            if fields_of(entry).keys() - {
                "model"
            }:  # what it overrides is asked of that model, not of this one
                self.not_inferred.append((*path, at))

    def speed(self, path: Path, value: Any) -> None:
        if value == "fast":
            self.ask("traits.fast_mode", path, Remedy.REMOVE)

    def sampling(self, path: Path, value: Any) -> None:
        is_default = path[-1] == "temperature" and value == 1
        if isinstance(value, (int, float)) and not is_default:
            headers = fields_of(self.value("extra_headers"))
            version = next(
                (
                    each
                    for name, each in headers.items()
                    if str(name).lower() == "anthropic-version"
                ),
                "",
            )
            is_taken = str(version) < _NO_SAMPLING_SINCE
            self.ask("traits.sampling" if is_taken else NOTHING, path, Remedy.REMOVE)


_Read = Callable[[_Reader, Path, Any], None]

PARAMETERS: Final[Mapping[str, _Read]] = {
    "max_tokens": _Reader.max_tokens,
    "thinking": _Reader.thinking,
    "output_config": _Reader.output_config,
    "output_format": _Reader.output_format,
    "tools": _Reader.tools,
    "tool_choice": _Reader.tool_choice,
    "messages": _Reader.messages,
    "context_management": _Reader.context_management,
    "compaction": _Reader.compaction,
    "container": _Reader.container,
    "fallbacks": _Reader.fallbacks,
    "speed": _Reader.speed,
    "temperature": _Reader.sampling,
    "top_p": _Reader.sampling,
    "top_k": _Reader.sampling,
}
"""How each parameter that asks something is read; one on which another depends comes before it."""

KNOWN_PARAMETERS: Final = PARAMETERS.keys() | UNREAD_PARAMETERS

BLOCKS: Final[Mapping[str, _Read]] = {
    "image": _Reader.image,
    "document": _Reader.document,
    "search_result": _Reader.citations,
    "tool_result": _Reader.inside,
    "web_fetch_tool_result": _Reader.inside,
    "web_fetch_result": _Reader.inside,
    "tool_addition": _Reader.tool_addition,
}
"""How each content block that asks something is read, by its type."""


@remembered(256)
def _supported(name: str) -> Requirement:
    supported = capability(capability_name(name))
    return possibility(supported) if name.startswith("traits.") else supported


def _at_least(limit: str, tokens: int) -> Requirement:
    return Comparison(limit, "limit", ">=", tokens)


def _is_prefill(message: object) -> bool:
    """Return whether a last message is a prefill; a turn paused by a server tool has no text."""
    content = member_of(message, "content")
    last = content[-1] if isinstance(content, (list, tuple)) and content else None
    return member_of(message, "role") == "assistant" and (
        isinstance(content, str) or type_of(last) == "text"
    )
