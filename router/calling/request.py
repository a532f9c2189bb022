"""A Messages request: what it asks of a model, and what must change of it for a model that cannot do all of that.

The rules are those of the Messages API's reference, beta included, as the types of its Python SDK 2.12 state them. A
request is read where it lies: nothing is copied, no data of an image or a document is looked at, and what its types
do not allow asks nothing.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Literal, get_args

from attrs import field, frozen

from router.errors import ConfigurationError, UnfitRequestError, printable
from router.model import Model
from router.requirement import And, Comparison, Requirement, capability, conjunction, possibility
from router.vocabulary import CAPABILITIES, LEVELS, capability_name

OnUnsupported = Literal["error", "drop", "downgrade"]
"""What becomes of a parameter that the model is known not to support."""

CountTokens = Callable[..., Any]
"""What counts the input tokens of a request: `client.messages.count_tokens`, or a function of the request."""

BYTES_PER_TOKEN: Final = 2.5
"""How little text a token may be.

The API's glossary has a token be about 3.5 English characters, and its guide to Opus 4.7 up to 1.35 times as many
tokens for the same text since then: 2.6 characters, and a little less to be safe. Where text is not ASCII the bytes
of its UTF-8 are counted.
"""

_TEXTUAL: Final = ("system", "messages", "tools", "output_config")
_NO_TEXT: Final = frozenset({"data", "signature"})

_LARGEST: Final = 10**29
"""More tokens than a requirement can spell."""

_LEAST_BUDGET: Final = 1024
"""Tokens of thinking: the least that the API takes."""

_DEEPEST: Final = 32
"""How deep content may nest; the deepest that the API takes is ten."""

_FILTERED_SINCE: Final = "20260209"
"""The first version of the web tools whose results code filters, unless the model alone may call them."""

_LARGER_OUTPUT: Final = "output-300k-"
"""A beta with which an answer may be longer, in a batch, than the limit that the Models API states."""

_NEED_THINKING: Final = ("xhigh", "max")
_THINKING: Final = frozenset(name for name in CAPABILITIES if name.startswith("thinking."))
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_DATED: Final = re.compile(r"(code_execution|web_search|web_fetch)_(\d{8})", re.ASCII)
_NO_FIELDS: Final[Mapping[str, Any]] = {}

_Path = tuple[str | int, ...]


@frozen(eq=False, repr=False)
class RequestRequirement(And):
    """What a request asks of a model: the plain requirement, and the places in the request that ask for each term."""

    places: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """The paths, as `messages[2].content[0].source`, by the text of the term; an argument stands there by its name."""
    not_inferred: tuple[str, ...] = ()
    """The paths of what may ask for something that cannot be told, such as a file of unknown type."""
    estimate: int | None = None
    """The input tokens, where they were estimated."""


@frozen
class RequestChange:
    """What was changed of a request; `after` is `None` for what was taken out, with whatever that left empty."""

    path: str
    before: Any
    after: Any
    why: str

    def __str__(self) -> str:
        became = "taken out" if self.after is None else f"{self.before!r} became {self.after!r}"
        return printable(f"{self.path}: {became}, as {self.why}")


@frozen
class Fitted:
    """A request that its model is not known to refuse, and every change that this took."""

    request: Mapping[str, Any]
    changes: tuple[RequestChange, ...] = ()


def requirement_of(
    request: Mapping[str, Any],
    *,
    batch: bool = False,
    input_tokens: int | CountTokens | Literal["estimate"] | None = None,
) -> RequestRequirement:
    """Return what the arguments of `messages.create`, GA or beta, ask of a model.

    `input_tokens` asks for a context window: a number, what counts it (given the request, or those of its parameters
    that are its keywords), or "estimate": a token for each `BYTES_PER_TOKEN` of text, without images and PDFs. What
    documentation alone tells of a model is asked as `maybe traits...`, so that a newer one is not shut out. Raises
    `ConfigurationError` for a request that is no mapping, and for tokens that are no number.
    """
    reading = _Reading(_checked(request))
    if batch:
        reading.ask("batch", ("batch",))
    tokens = _estimated(request) if input_tokens == "estimate" else _counted(request, input_tokens)
    if tokens:
        reading.ask(_at_least("max_input_tokens", tokens), ("input_tokens",))
    asked = {each.term.text: each.term for each in reading.demands}
    places: dict[str, dict[str, None]] = {text: {} for text in sorted(asked)}
    for each in reading.demands:
        places[each.term.text][_spelt(each.path)] = None
    plain = conjunction(asked.values())
    return RequestRequirement(
        parts=plain.terms,
        text=plain.text,
        depth=1,
        places={text: tuple(paths) for text, paths in places.items()},
        not_inferred=tuple(dict.fromkeys(map(_spelt, reading.not_inferred))),
        estimate=tokens if input_tokens == "estimate" else None,
    )


def fit(request: Mapping[str, Any], model: Model, on_unsupported: OnUnsupported = "error") -> Fitted:
    """Return the request with what `model` is known not to support changed; `request` itself, and its `model`, stay.

    "downgrade" does what the API's reference says of its own fallbacks: `between_tools` becomes `disabled`, any other
    thinking what the model does by itself, effort the nearest supported level below, and what has no lower form is
    taken out. "drop" takes all of it out. `max_tokens` is capped either way; content, and what a request is for, is
    never taken out. Raises `UnfitRequestError` with all that stands in the way, and `ConfigurationError` for an
    argument that cannot be used.
    """
    if not isinstance(model, Model):
        raise ConfigurationError(f"a Model was expected, such as catalogue[id] (got {type(model).__name__})")
    if on_unsupported not in get_args(OnUnsupported):
        raise ConfigurationError(f'on_unsupported must be "error", "drop" or "downgrade" (got {on_unsupported!r})')
    fitting = _Fitting(_checked(request), model, lowers=on_unsupported == "downgrade")
    while unmet := fitting.unmet():
        hopeless = [each for each in unmet if each.remedy is None or on_unsupported == "error"]
        if hopeless:
            raise UnfitRequestError(model.id, dict.fromkeys((_spelt(each.path), each.term.text) for each in hopeless))
        first = unmet[0].remedy
        for each in unmet:
            if each.remedy is not None and each.remedy is first:  # what is met by one need not be changed by the next
                each.remedy(fitting, each)
    return fitting.fitted()


def _checked(request: object) -> Mapping[str, Any]:
    if isinstance(request, Mapping):
        return request
    got = type(request).__name__
    raise ConfigurationError(f"a request must be a mapping of the arguments of messages.create (got {got})")


# Values of a request: dicts, or objects as the SDK answers them


def _fields(value: object) -> Mapping[str, Any]:
    if value.__class__ is dict or isinstance(value, Mapping):
        return value
    fields: Mapping[str, Any] = getattr(value, "__dict__", _NO_FIELDS)
    return fields


def _member(value: object, name: str) -> Any:
    return _fields(value).get(name)


def _type(value: object) -> str:
    kind = _fields(value).get("type")
    return kind if isinstance(kind, str) else ""


def _listed(value: object) -> Iterable[Any]:
    """Return a list, or what can be gone through like one, and more than once."""
    if isinstance(value, (list, tuple)):
        return value
    is_one = isinstance(value, (str, bytes, Mapping, Iterator)) or hasattr(value, "model_fields_set")
    return () if is_one or not isinstance(value, Iterable) else value


def _at(value: Any, path: _Path) -> Any:
    for key in path:
        value = [*value][key] if isinstance(key, int) else _member(value, key)
    return value


def _spelt(path: _Path) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


# Reading: what is asked, and where


@frozen
class _Demand:
    """A term that one place of a request asks for, and what helps where it is unmet, `None` if nothing does."""

    term: Requirement
    path: _Path
    remedy: _Remedy | None


class _Reading:
    """All that a request asks, in an order in which it can be met."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.demands: list[_Demand] = []
        self.not_inferred: list[_Path] = []
        self.parameters: dict[str, tuple[_Path, Any]] = {name: ((name,), each) for name, each in request.items()}
        for name, each in _fields(request.get("extra_body")).items():  # the SDK lays it over the others
            self.parameters[name] = ("extra_body", name), each
        for name, read in PARAMETERS.items():
            if name in self.parameters:
                read(self, *self.parameters[name])

    def ask(self, term: Requirement | str, path: _Path, remedy: _Remedy | None = None) -> None:
        """Take in that the place at the path asks for a term, or for a capability or trait."""
        self.demands.append(_Demand(_supported(term) if isinstance(term, str) else term, path, remedy))

    def ask_named(self, family: str, name: object, path: _Path, remedy: _Remedy | None) -> None:
        """Take in that the place asks for the capability that its value names."""
        if isinstance(name, str) and _WORD.fullmatch(name):
            self.ask(f"{family}.{name}", path, remedy)
        elif name:
            self.not_inferred.append(path)

    def value(self, name: str) -> Any:
        return self.parameters.get(name, ((), None))[1]

    def items(self, path: _Path, value: object) -> Iterable[tuple[int, Any]]:
        """Return what is listed there; what can be gone through but once is left to whom it is for."""
        if isinstance(value, Iterator):
            self.not_inferred.append(path)
        return enumerate(_listed(value))

    def max_tokens(self, path: _Path, value: Any) -> None:
        betas = [each for _, each in self.items(("betas",), self.value("betas"))]
        if any(isinstance(each, str) and each.startswith(_LARGER_OUTPUT) for each in betas):
            self.not_inferred.append(path)
        elif type(value) is int and 1 <= value < _LARGEST:
            self.ask(_at_least("max_tokens", value), path, _Fitting.cap_tokens)
        elif value:
            self.not_inferred.append(path)

    def thinking(self, path: _Path, value: Any) -> None:
        self.ask_named("thinking", _member(value, "type"), path, _Fitting.lower_thinking)

    def output_config(self, path: _Path, value: Any) -> None:
        self.effort((*path, "effort"), _member(value, "effort"))
        self.output_format((*path, "format"), _member(value, "format"))
        if _member(value, "task_budget"):  # which models take it is no fact of a catalogue
            self.not_inferred.append((*path, "task_budget"))

    def effort(self, path: _Path, value: Any) -> None:
        self.ask_named("effort", value, path, _Fitting.lower_effort)
        if value in _NEED_THINKING and _type(self.value("thinking")) in {"disabled", "between_tools"}:
            self.ask("traits.effort_without_thinking", path, _Fitting.lower_effort)

    def output_format(self, path: _Path, value: Any) -> None:
        if value:
            self.ask("structured_outputs", path, _Fitting.take_out)

    def tools(self, path: _Path, value: Any) -> None:
        for at, tool in self.items(path, value):
            self.tool((*path, at), tool, _Fitting.take_out_tool)

    def tool(self, path: _Path, tool: Any, remedy: _Remedy | None) -> None:
        if _member(tool, "strict") is True:
            self.ask("structured_outputs", (*path, "strict"), _Fitting.take_out)
        dated = _DATED.fullmatch(_type(tool))
        family, version = dated.groups() if dated else ("", "")
        if family in {"code_execution", "web_search"}:
            self.ask(f"server_tools.{family}", path, remedy)
        callers = _member(tool, "allowed_callers")
        place = path if callers is None else (*path, "allowed_callers")
        names = [each for _, each in self.items(place, callers)]
        if any(isinstance(each, str) and each.startswith("code_execution_") for each in names):
            self.ask("code_execution", place, _Fitting.call_directly)
            self.ask("server_tools.code_execution", place, _Fitting.call_directly)
        if family.startswith("web") and version >= _FILTERED_SINCE and names != ["direct"]:
            self.ask("code_execution", place, _Fitting.call_directly)
            self.ask("traits.dynamic_filtering", place, _Fitting.call_directly)

    def tool_choice(self, path: _Path, value: Any) -> None:
        if _type(value) in {"any", "tool"}:
            self.ask("traits.forced_tool_choice", path, _Fitting.unforce)

    def messages(self, path: _Path, value: Any) -> None:
        at, message = -1, None
        for at, message in self.items(path, value):
            fields = _fields(message)
            self.content((*path, at, "content"), fields.get("content"))
            if fields.get("output_config"):
                effort = _member(fields["output_config"], "effort")
                self.effort((*path, at, "output_config", "effort"), effort)
        # A compaction samples nothing behind the last message, and a credit token allows what it continues.
        if _is_prefill(message) and not self.value("compaction") and not self.value("fallback_credit_token"):
            self.ask("traits.prefill", (*path, at))

    def content(self, path: _Path, value: Any) -> None:
        if value.__class__ is str:
            return
        if len(path) > _DEEPEST:
            self.not_inferred.append(path)
        elif _type(value):
            self.block(path, value)
        else:
            for at, block in self.items(path, value):
                self.block((*path, at), block)

    def block(self, path: _Path, value: Any) -> None:
        read = BLOCKS.get(_type(value))
        if read is not None:
            read(self, path, value)

    def image(self, path: _Path, value: Any) -> None:
        self.ask("image_input", (*path, "source"))

    def document(self, path: _Path, value: Any) -> None:
        source = _member(value, "source")
        kind, at = _type(source), (*path, "source")
        if kind in {"base64", "url"}:
            self.ask("pdf_input", at)
        elif kind == "content":
            self.inside(at, source)
        elif kind != "text":
            self.not_inferred.append((*at, "file_id") if kind == "file" else at)
        self.citations(path, value)

    def citations(self, path: _Path, value: Any) -> None:
        if _member(_member(value, "citations"), "enabled") is True:
            self.ask("citations", (*path, "citations"), _Fitting.take_out)

    def inside(self, path: _Path, value: Any) -> None:
        self.content((*path, "content"), _member(value, "content"))

    def tool_addition(self, path: _Path, value: Any) -> None:
        added = _member(value, "tool")
        if _type(added) == "tool_definition":
            self.tool((*path, "tool", "definition"), _member(added, "definition"), None)

    def context_management(self, path: _Path, value: Any) -> None:
        edits = (*path, "edits")
        for at, edit in self.items(edits, _member(value, "edits")):
            self.ask_named("context_management", _member(edit, "type"), (*edits, at), _Fitting.take_out)

    def compaction(self, path: _Path, value: Any) -> None:
        self.ask_named("compaction", _member(value, "type"), path, None)

    def container(self, path: _Path, value: Any) -> None:
        if _member(value, "skills"):
            self.ask("server_tools.code_execution", (*path, "skills"), _Fitting.take_out)

    def fallbacks(self, path: _Path, value: Any) -> None:
        for at, entry in self.items(path, value):
            name = _member(entry, "model")
            if isinstance(name, str):
                allowed = Comparison("allowed_fallback_models", "list", "has", name)
                self.ask(allowed, (*path, at), _Fitting.take_out)

    def speed(self, path: _Path, value: Any) -> None:
        if value == "fast":
            self.ask("traits.fast_mode", path, _Fitting.take_out)

    def sampling(self, path: _Path, value: Any) -> None:
        is_default = path[-1] == "temperature" and value == 1
        if isinstance(value, (int, float)) and not is_default:
            self.ask("traits.sampling", path, _Fitting.take_out)


_Read = Callable[[_Reading, _Path, Any], None]

PARAMETERS: Final[Mapping[str, _Read]] = {
    "max_tokens": _Reading.max_tokens,
    "thinking": _Reading.thinking,
    "output_config": _Reading.output_config,
    "output_format": _Reading.output_format,
    "tools": _Reading.tools,
    "tool_choice": _Reading.tool_choice,
    "messages": _Reading.messages,
    "context_management": _Reading.context_management,
    "compaction": _Reading.compaction,
    "container": _Reading.container,
    "fallbacks": _Reading.fallbacks,
    "speed": _Reading.speed,
    "temperature": _Reading.sampling,
    "top_p": _Reading.sampling,
    "top_k": _Reading.sampling,
}
"""How each parameter that asks something is read; one on which another depends comes before it."""

BLOCKS: Final[Mapping[str, _Read]] = {
    "image": _Reading.image,
    "document": _Reading.document,
    "search_result": _Reading.citations,
    "tool_result": _Reading.inside,
    "web_fetch_tool_result": _Reading.inside,
    "web_fetch_result": _Reading.inside,
    "tool_addition": _Reading.tool_addition,
}
"""How each content block that asks something is read, by its type."""


@lru_cache(maxsize=256)
def _supported(name: str) -> Requirement:
    supported = capability(capability_name(name))
    return possibility(supported) if name.startswith("traits.") else supported


def _at_least(limit: str, tokens: int) -> Requirement:
    return Comparison(limit, "limit", ">=", tokens)


def _is_prefill(message: object) -> bool:
    """Return whether a last message is an answer to be gone on with: a turn that a server tool paused has no text."""
    content = _member(message, "content")
    last = content[-1] if isinstance(content, (list, tuple)) and content else None
    return _member(message, "role") == "assistant" and (isinstance(content, str) or _type(last) == "text")


# Counting tokens


def _counted(request: Mapping[str, Any], tokens: int | CountTokens | str | None) -> int:
    counted = _called(tokens, request) if callable(tokens) else tokens or 0
    number = getattr(counted, "input_tokens", counted)
    if type(number) is not int or not 0 <= number < _LARGEST:
        raise ConfigurationError(f'input_tokens must be a number of tokens, or "estimate" (got {number!r:.80})')
    return number


def _called(count: CountTokens, request: Mapping[str, Any]) -> object:
    taken = [each.name for each in inspect.signature(count).parameters.values() if each.kind is each.KEYWORD_ONLY]
    return count(**{name: request[name] for name in taken if name in request}) if taken else count(request)


def _estimated(request: Mapping[str, Any]) -> int:
    size = 0
    values = [request.get(name) for name in _TEXTUAL]
    while values:
        value = values.pop()
        if isinstance(value, str):
            size += len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
        elif value.__class__ is not dict and (listed := [*_listed(value)]):
            values += listed
        else:
            fields = _fields(value)
            is_text = _type(value) == "text"
            values += (each for name, each in fields.items() if is_text or name not in _NO_TEXT)
            values += fields
    return int(size / BYTES_PER_TOKEN) + 1


# Fitting: what is changed, and to what


class _Gone:
    """What stands for something that was taken out, so that the places of all else stay what they are."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


_GONE: Final = _Gone()


class _Fitting:
    """The changes that a request needs for a model, by path, gathered until nothing is unmet."""

    def __init__(self, request: Mapping[str, Any], model: Model, *, lowers: bool) -> None:
        self.request = self.draft = request
        self.model = model
        self.lowers = lowers
        self.edits: dict[_Path, Any] = {}
        self.whys: dict[_Path, str] = {}

    def unmet(self) -> list[_Demand]:
        """Return what the model is known not to meet of what the request, as changed so far, asks."""
        self.draft = _edited(self.request, self.edits) if self.edits else self.request
        self.reading = _Reading(self.draft)
        return [each for each in self.reading.demands if each.term.support(self.model) is False]

    def fitted(self) -> Fitted:
        """Return the request with its changes; where there are none, the request itself."""
        if not self.edits:
            return Fitted(self.request)
        left = _fields(_fields(_edited(self.request, self.edits, sweeps=True)).get("extra_body"))
        for name in _fields(self.request.get("extra_body")):
            if name in self.request and name not in left:  # what it hid must not come to light
                self.edits[name,] = _GONE
                self.whys[name,] = f"extra_body.{name} was sent in its place"
        changes = [
            RequestChange(_spelt(path), _at(self.request, path), None if after is _GONE else after, self.whys[path])
            for path, after in self.edits.items()
        ]
        return Fitted(_edited(self.request, self.edits, sweeps=True) or {}, tuple(changes))

    def put(self, path: _Path, value: Any, demand: _Demand) -> None:
        """Put a value at a path, in the place of all that was put there or further down."""
        for each in [each for each in self.edits if each[: len(path)] == path]:
            del self.edits[each]
        self.edits[path] = value
        names = ", ".join(demand.term.capabilities)
        lacks = f"does not support {names}" if names else f"does not meet {demand.term}"
        self.whys.setdefault(path, f"{self.model.id} {lacks}")

    def take_out(self, demand: _Demand) -> None:
        self.put(demand.path, _GONE, demand)

    def cap_tokens(self, demand: _Demand) -> None:
        limit = self.model.values["max_tokens"]
        self.put(demand.path, limit, demand)
        path, thinking = self.reading.parameters.get("thinking", ((), None))
        budget = _member(thinking, "budget_tokens")
        if isinstance(budget, int) and budget >= limit:  # it must stay below max_tokens
            is_enough = limit > _LEAST_BUDGET
            self.put((*path, "budget_tokens") if is_enough else path, limit - 1 if is_enough else _GONE, demand)

    def lower_thinking(self, demand: _Demand) -> None:
        """Put in what the model does by itself: left out, or stated if it is but one type, for `display` to stay."""
        thinking = self.reading.value("thinking")
        left = {name for name in _THINKING if self.model.facts.get(name) is not False}
        lowered = None
        if _type(thinking) == "between_tools" and self.model.facts.get("thinking.disabled"):
            lowered = {"type": "disabled"}
        elif left == {"thinking.adaptive"}:
            display = _member(thinking, "display")
            lowered = {"type": "adaptive"} | ({"display": display} if display else {})
        self.put(demand.path, lowered if lowered and self.lowers else _GONE, demand)

    def lower_effort(self, demand: _Demand) -> None:
        levels, effort = LEVELS["effort"], _at(self.draft, demand.path)
        below = levels[: levels.index(effort)] if self.lowers and effort in levels else ()
        supported = [level for level in below if self.model.facts.get(f"effort.{level}")]
        message = _fields(_at(self.draft, demand.path[:-2]))
        if supported:
            self.put(demand.path, supported[-1], demand)
        else:  # the API takes no message that says nothing
            is_all = "role" in message and not message.get("content")
            self.put(demand.path[:-2] if is_all else demand.path, _GONE, demand)

    def unforce(self, demand: _Demand) -> None:
        choice = _fields(self.reading.value("tool_choice"))
        kept = {name: each for name, each in choice.items() if name == "disable_parallel_tool_use"}
        self.put(demand.path, {"type": "auto", **kept} if self.lowers else _GONE, demand)

    def call_directly(self, demand: _Demand) -> None:
        is_stated = demand.path[-1] == "allowed_callers"
        self.put(demand.path if is_stated else (*demand.path, "allowed_callers"), ["direct"], demand)

    def take_out_tool(self, demand: _Demand) -> None:
        """Take out a tool, and with it the choice of it, or any choice where no other tool is left."""
        self.take_out(demand)
        path, tools = self.reading.parameters["tools"]
        left = [tool for at, tool in self.reading.items(path, tools) if self.edits.get((*path, at), tool)]
        place, choice = self.reading.parameters.get("tool_choice", ((), None))
        chosen = _member(choice, "name")
        if choice and (not left or (chosen and all(_member(tool, "name") != chosen for tool in left))):
            self.put(place, _GONE, demand)


_Remedy = Callable[[_Fitting, _Demand], None]


def _edited(value: Any, edits: Mapping[_Path, Any], *, sweeps: bool = False) -> Any:
    """Return the value with others at the paths, a copy of no more than what holds them.

    With `sweeps` it comes without what is gone, and is gone itself where nothing else is left of it.
    """
    if () in edits:
        return edits[()]
    within: dict[str | int, dict[_Path, Any]] = {}
    for (key, *rest), each in edits.items():
        within.setdefault(key, {})[tuple(rest)] = each
    is_list = isinstance(next(iter(within)), int)
    copy: dict[Any, Any] = dict(enumerate(value)) if is_list else _copied(value)
    for key, inner in within.items():
        copy[key] = _edited(copy.get(key), inner, sweeps=sweeps)
    if sweeps:
        copy = {key: each for key, each in copy.items() if each is not _GONE}
        if not copy:
            return _GONE
    return [*copy.values()] if is_list else copy


def _copied(value: object) -> dict[Any, Any]:
    """Return the members as a dict: of an object of the SDK those that were set, which are what it sends."""
    fields = _fields(value)
    was_set = getattr(value, "model_fields_set", fields)
    return {name: each for name, each in fields.items() if name in was_set}
