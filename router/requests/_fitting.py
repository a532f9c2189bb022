"""Fitting: changing a Messages request for a model that does not support all of it.

The changes are those that the Messages API's reference describes for its own fallbacks. Only what
holds a change is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Literal, get_args

from attrs import frozen

from router._errors import ConfigurationError, UnfitRequestError, printable, quoted, shortened
from router._serialising import Serialisable
from router.models._model import Model
from router.models._vocabulary import CAPABILITIES, LEVELS
from router.requests._reading import NOTHING, Demand, Remedy, read
from router.requests._values import (
    Path,
    check_request,
    fields_of,
    format_path,
    items_of,
    member_of,
    type_of,
    value_at,
)
from router.requirements._expression import Requirement

OnUnsupported = Literal["error", "drop", "downgrade"]
"""What to do with a parameter that the model is known not to support."""

_LEAST_BUDGET: Final = 1024
"""Tokens of thinking: the least that the API takes."""

_THINKING: Final = frozenset(name for name in CAPABILITIES if name.startswith("thinking."))


@frozen(repr=False)
class RequestChange(Serialisable):
    """A change of a request; `after` is `None` for what was removed, with what that left empty."""

    path: str
    before: Any
    after: Any
    why: str

    json_names: ClassVar = ("path", "before", "after", "why")

    def __str__(self) -> str:
        became = (
            "taken out"
            if self.after is None
            else f"{quoted(self.before)} became {quoted(self.after)}"
        )
        return f"{shortened(self.path)}: {became}, as {printable(self.why)}"


@frozen(repr=False)
class Fitted(Serialisable):
    """A request that its model is not known to refuse, and every change that this took."""

    request: Mapping[str, Any]
    changes: tuple[RequestChange, ...] = ()

    json_names: ClassVar = ("request", "changes")

    def __str__(self) -> str:
        return "; ".join(map(str, self.changes)) or "unchanged"


def check_on_unsupported(value: object) -> None:
    """Raise `ConfigurationError` for any other value."""
    if value not in get_args(OnUnsupported):
        raise ConfigurationError(
            f'on_unsupported must be "error", "drop" or "downgrade" (got {quoted(value)})'
        )


def fit(
    request: Mapping[str, Any],
    model: Model,
    on_unsupported: OnUnsupported = "error",
    *,
    batch: bool = False,
) -> Fitted:
    """Return the request with the changes that `model` is known to need; `request` itself stays.

    "downgrade" follows the API's reference on its own fallbacks: `between_tools` becomes
    `disabled`, other thinking becomes the model's default, effort becomes the nearest supported
    level below, and what has no lower form is removed. "drop" removes all of it. Both cap
    `max_tokens`; neither removes content, or the purpose of a request. Raises `UnfitRequestError`
    with every obstacle, and `ConfigurationError` for an invalid argument.
    """
    if not isinstance(model, Model):
        raise ConfigurationError(
            f"a Model was expected, such as catalogue[id] (got {type(model).__name__})"
        )
    check_on_unsupported(on_unsupported)
    fitting = _Fitting(
        check_request(request), model, lowers=on_unsupported == "downgrade", batch=batch
    )
    while unmet := fitting.unmet():
        hopeless = [each for each in unmet if each.remedy is None or on_unsupported == "error"]
        if hopeless:
            raise UnfitRequestError(
                model.id,
                dict.fromkeys(
                    (format_path(each.path), _format_term(each.term)) for each in hopeless
                ),
            )
        first = unmet[0].remedy
        for each in unmet:
            # One kind of remedy a round: it may also meet the demands of the others.
            if first is not None and each.remedy is first:
                _REMEDIES[first](fitting, each)
    return fitting.fitted()


def _format_term(term: Requirement) -> str:
    return "what no model accepts" if term == NOTHING else term.text


class _Removed:
    """A mark in the place of what was removed, so that other paths stay valid."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


_REMOVED: Final = _Removed()


class _Fitting:
    """The changes that a request needs for a model, by path, collected until nothing is unmet."""

    def __init__(
        self, request: Mapping[str, Any], model: Model, *, lowers: bool, batch: bool
    ) -> None:
        self.batch = batch
        self.request = self.draft = request
        self.model = model
        self.lowers = lowers
        self.edits: dict[Path, Any] = {}
        self.whys: dict[Path, str] = {}

    def unmet(self) -> list[Demand]:
        """Return the demands of the changed request that the model is known not to meet."""
        self.draft = _edit(self.request, self.edits) if self.edits else self.request
        self.reading = read(self.draft, batch=self.batch)
        return [each for each in self.reading.demands if each.term.support(self.model) is False]

    def fitted(self) -> Fitted:
        """Return the request with its changes; where there are none, the request itself."""
        if not self.edits:
            return Fitted(self.request)
        left = fields_of(fields_of(_edit(self.request, self.edits, sweeps=True)).get("extra_body"))
        for name in fields_of(self.request.get("extra_body")):
            if name in self.request and name not in left:  # what it hid must not come to light
                self.edits[name,] = _REMOVED
                self.whys[name,] = f"extra_body.{name} was sent in its place"
        changes = [
            RequestChange(
                format_path(path),
                value_at(self.request, path),
                None if after is _REMOVED else after,
                self.whys[path],
            )
            for path, after in self.edits.items()
        ]
        return Fitted(_edit(self.request, self.edits, sweeps=True) or {}, tuple(changes))

    def put(self, path: Path, value: Any, demand: Demand) -> None:
        """Put a value at a path, in the place of all that was put there or further down."""
        for each in [each for each in self.edits if each[: len(path)] == path]:
            del self.edits[each]
        self.edits[path] = value
        names = ", ".join(demand.term.capabilities)
        lacks = f"does not support {names}" if names else f"does not meet {demand.term}"
        why = "no model accepts it" if demand.term == NOTHING else f"{self.model.id} {lacks}"
        self.whys.setdefault(path, why)

    def remove(self, demand: Demand) -> None:
        self.put(demand.path, _REMOVED, demand)

    def cap_tokens(self, demand: Demand) -> None:
        limit = self.model.comparable["max_tokens"]
        self.put(demand.path, limit, demand)
        path, thinking = self.reading.parameters.get("thinking", ((), None))
        budget = member_of(thinking, "budget_tokens")
        if isinstance(budget, int) and budget >= limit:  # it must stay below max_tokens
            is_enough = limit > _LEAST_BUDGET
            self.put(
                (*path, "budget_tokens") if is_enough else path,
                limit - 1 if is_enough else _REMOVED,
                demand,
            )

    def lower_thinking(self, demand: Demand) -> None:
        """Put the model's default: removed, or stated if it is the only type, to keep `display`."""
        thinking = self.reading.value("thinking")
        left = {name for name in _THINKING if self.model.facts.get(name) is not False}
        lowered = None
        if type_of(thinking) == "between_tools" and self.model.facts.get("thinking.disabled"):
            lowered = {"type": "disabled"}
        elif left == {"thinking.adaptive"}:
            display = member_of(thinking, "display")
            lowered = {"type": "adaptive"} | ({"display": display} if display else {})
        self.put(demand.path, lowered if lowered and self.lowers else _REMOVED, demand)

    def lower_effort(self, demand: Demand) -> None:
        levels, effort = LEVELS["effort"], value_at(self.draft, demand.path)
        below = levels[: levels.index(effort)] if self.lowers and effort in levels else ()
        supported = [level for level in below if self.model.facts.get(f"effort.{level}")]
        message = fields_of(value_at(self.draft, demand.path[:-2]))
        if supported:
            self.put(demand.path, supported[-1], demand)
        else:  # the API takes no message that says nothing
            is_all = "role" in message and not message.get("content")
            self.put(demand.path[:-2] if is_all else demand.path, _REMOVED, demand)

    def unforce(self, demand: Demand) -> None:
        choice = fields_of(self.reading.value("tool_choice"))
        kept = {name: each for name, each in choice.items() if name == "disable_parallel_tool_use"}
        self.put(demand.path, {"type": "auto", **kept} if self.lowers else _REMOVED, demand)

    def call_directly(self, demand: Demand) -> None:
        is_stated = demand.path[-1] == "allowed_callers"
        self.put(
            demand.path if is_stated else (*demand.path, "allowed_callers"), ["direct"], demand
        )

    def remove_tool(self, demand: Demand) -> None:
        """Remove a tool, and with it the choice of it, or any choice if no other tool is left."""
        self.remove(demand)
        path, tools = self.reading.parameters["tools"]
        left = [
            tool for at, tool in enumerate(items_of(tools)) if self.edits.get((*path, at), tool)
        ]
        place, choice = self.reading.parameters.get("tool_choice", ((), None))
        chosen = member_of(choice, "name")
        if choice and (
            not left or (chosen and all(member_of(tool, "name") != chosen for tool in left))
        ):
            self.put(place, _REMOVED, demand)


_REMEDIES: Final[Mapping[Remedy, Callable[[_Fitting, Demand], None]]] = {
    Remedy.CAP_TOKENS: _Fitting.cap_tokens,
    Remedy.LOWER_THINKING: _Fitting.lower_thinking,
    Remedy.LOWER_EFFORT: _Fitting.lower_effort,
    Remedy.UNFORCE: _Fitting.unforce,
    Remedy.CALL_DIRECTLY: _Fitting.call_directly,
    Remedy.REMOVE: _Fitting.remove,
    Remedy.REMOVE_TOOL: _Fitting.remove_tool,
}


def _edit(value: Any, edits: Mapping[Path, Any], *, sweeps: bool = False) -> Any:
    """Return the value with others at the paths, a copy of no more than what holds them.

    With `sweeps` it comes without what was removed, and is removed itself if that empties it.
    """
    if () in edits:
        return edits[()]
    within: dict[str | int, dict[Path, Any]] = {}
    for (key, *rest), each in edits.items():
        within.setdefault(key, {})[tuple(rest)] = each
    is_list = isinstance(next(iter(within)), int)
    copy: dict[Any, Any] = dict(enumerate(value)) if is_list else _copy(value)
    for key, inner in within.items():
        copy[key] = _edit(copy.get(key), inner, sweeps=sweeps)
    if sweeps:
        copy = {key: each for key, each in copy.items() if each is not _REMOVED}
        if not copy:
            return _REMOVED
    return [*copy.values()] if is_list else copy


def _copy(value: object) -> dict[Any, Any]:
    """Return the members as a dict: of an SDK object those that were set, which it sends."""
    fields = fields_of(value)
    was_set = getattr(value, "model_fields_set", fields)
    return {name: each for name, each in fields.items() if name in was_set}
