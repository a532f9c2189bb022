"""Requests in the shapes that the SDK's own types allow: the corpus, what checks it, a walk over the types, a strategy.

The strategy is built from the annotations of the types, so that a new release of the SDK brings its own requests.
"""

from __future__ import annotations

import json
import re
import types
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
)

from anthropic.types import message_create_params as ga
from anthropic.types.beta import message_create_params as beta
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from locations import DATA
from pydantic import BaseModel, ConfigDict, TypeAdapter
from typing_extensions import get_type_hints, is_typeddict

from router import Model

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

CORPUS = sorted((DATA / "requests").glob("*.json"))
REQUESTS: tuple[Any, ...] = (
    ga.MessageCreateParamsNonStreaming,
    beta.MessageCreateParamsNonStreaming,
    ga.MessageCreateParamsStreaming,
    beta.MessageCreateParamsStreaming,
)
NOT_OF_THE_SDK = {"extra_body", "temperature", "top_p", "top_k"}
"""What a request has beside the SDK's types: what it adds to the body, and the sampling that it has no types for."""

DEPTH = 12
"""How many types deep a request of the strategy goes."""


IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
PDF = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
WITH_IMAGE_AND_TOOL: dict[str, Any] = {
    "model": "auto",
    "max_tokens": 1000,
    "tool_choice": {"type": "any"},
    "tools": [TOOL],
    "messages": [{"role": "user", "content": [IMAGE]}],
}

SLOW = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
"""The settings of laws over the requests of the strategy."""


def said(*content: Any, role: str = "user") -> dict[str, Any]:
    """Return a request of one message."""
    return {"messages": [{"role": role, "content": list(content)}]}


def model(
    max_tokens: int | None = None, traits: Mapping[str, bool] | None = None, **supports: Any
) -> Model:
    """Return a model of which just this is known; `thinking__disabled` is `thinking.disabled`."""
    tree: dict[str, Any] = {}
    for path, supported in supports.items():
        node = tree
        *above, last = path.split("__")
        for key in above:
            node = node.setdefault(key, {})
        node.setdefault(last, {})["supported"] = supported
    entry = {
        "id": "claude-nova",
        "max_tokens": max_tokens,
        "capabilities": tree,
        "traits": traits or {},
    }
    return Model.from_api(entry)


def keys(path: str) -> list[str | int]:
    """Return the keys that a path spells."""
    return [
        int(index) if index else name for index, name in re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    ]


def load(path: Path) -> dict[str, Any]:
    """Return one file of the corpus."""
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


@cache
def adapters() -> tuple[TypeAdapter[Any], ...]:
    """Return what validates a request in a list, which is where a configuration reaches every type inside."""
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a type that takes any key says so
        return tuple(TypeAdapter(list[kind], config=config) for kind in REQUESTS[:2])  # type: ignore[valid-type]


def validate(adapter: TypeAdapter[Any], request: Mapping[str, Any]) -> None:
    """Raise for a request that the SDK's types do not allow.

    pydantic reads what is `Iterable` only when it is gone through, and takes a text for one.
    """
    known = {
        name: each
        for name, each in request.items()
        if name not in NOT_OF_THE_SDK and each != "default"
    }
    _go_through(adapter.validate_python([known]))


def _go_through(value: object) -> None:
    if isinstance(value, Mapping):
        value = value.values()
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, BaseModel)):
        for each in value:
            _go_through(each)


def fields_of(kind: Any) -> dict[str, Any] | None:
    """Return the annotations of a type of the SDK that has fields."""
    if is_typeddict(kind):
        return get_type_hints(kind, include_extras=True)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return None


def walked() -> dict[Any, dict[str, Any]]:
    """Return every type with fields that a request may hold, with its annotations."""
    found: dict[Any, dict[str, Any]] = {}
    left: list[Any] = list(REQUESTS)
    while left:
        kind = left.pop()
        fields = fields_of(kind)
        if fields is None:
            left += () if get_origin(kind) is Literal else get_args(kind)
        elif kind not in found:
            found[kind] = fields
            left += fields.values()
    return found


def literals(annotation: Any) -> Iterator[str]:
    """Return the texts that an annotation allows by name."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif fields_of(annotation) is None:
        for each in get_args(annotation):
            yield from literals(each)


WORDS = st.sampled_from(
    ["a", "é", "claude-opus-4-8", "code_execution_20260120", "two words", "", "\ud800", "x" * 300]
)
NUMBERS = st.sampled_from([-1, 0, 1, 1023, 1024, 8_000, 64_000, 64_001, 128_000, 10**30, 10**5000])
LEAVES: dict[Any, SearchStrategy[Any]] = {
    str: WORDS,
    int: NUMBERS,
    bool: st.booleans(),
    float: st.sampled_from([0.0, 0.5, 1.0]),
    bytes: st.just(b"\xff"),
    object: st.none()
    | WORDS
    | NUMBERS
    | st.lists(WORDS, max_size=2)
    | st.dictionaries(WORDS, WORDS, max_size=2),
    type(None): st.none(),
}
"""Whatever else is no type of the SDK is where a file may stand for its content."""


@cache
def values(kind: Any, depth: int) -> SearchStrategy[Any]:
    """Return the strategy of a type, with what is optional only as far down as the depth goes."""
    fields, origin, inner = fields_of(kind), get_origin(kind), get_args(kind)
    if fields is not None:
        return st.deferred(lambda: _objects(kind, fields, depth))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in {Annotated, Required, NotRequired}:
        return values(inner[0], depth)
    if origin in {Union, types.UnionType}:
        return st.one_of(
            [values(each, depth) for each in inner if depth > 0 or not _is_deep(each)]
            or [st.none()]
        )
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return _several(origin, inner, depth)
    return LEAVES.get(kind, st.just(Path("a.pdf")))


def _several(origin: type, inner: tuple[Any, ...], depth: int) -> SearchStrategy[Any]:
    if issubclass(origin, Mapping):
        return st.dictionaries(WORDS, values(inner[1], depth), max_size=2)
    listed = st.lists(values(inner[0], depth - 1), max_size=3 if depth > 0 else 0)
    return st.one_of(*[listed] * 6, listed.map(tuple), listed.map(deque), listed.map(iter))


def _is_deep(kind: Any) -> bool:
    return fields_of(kind) is not None or any(map(_is_deep, get_args(kind)))


def _objects(kind: Any, fields: Mapping[str, Any], depth: int) -> SearchStrategy[Any]:
    if not is_typeddict(kind):
        some = {name: values(each, depth - 1) for name, each in fields.items()}
        return st.fixed_dictionaries(some).map(lambda made: kind.model_construct(**made))
    required = {name: values(fields[name], depth - 1) for name in sorted(kind.__required_keys__)}
    optional = {
        name: values(fields[name], depth - 1)
        for name in sorted(kind.__optional_keys__)
        if depth > 0
    }
    return st.fixed_dictionaries(required, optional=optional)


SAMPLING = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from([0, 0.5, 1, 1.0, None]) for name in ("temperature", "top_p", "top_k")
    },
)


def requests() -> SearchStrategy[dict[str, Any]]:
    """Return requests of every type of the SDK, and some of the corpus with parts of such, in the body or beside it."""
    made = st.sampled_from(REQUESTS).flatmap(lambda kind: values(kind, DEPTH))
    laid_over = st.tuples(
        st.sampled_from([load(path)["request"] for path in CORPUS]), made, st.randoms()
    ).map(
        lambda three: (
            three[0] | {name: each for name, each in three[1].items() if three[2].random() < 1 / 2}
        )
    )
    sampled = SAMPLING.map(lambda sampling: {"extra_body": sampling}) | SAMPLING
    beside = st.tuples(made, sampled).map(lambda both: {"extra_body": both[0] | both[1]})
    return st.tuples(made | laid_over, sampled | sampled | beside).map(
        lambda both: both[0] | both[1]
    )


def snapshot(value: Any) -> Any:
    """Return what can be compared later on, with nothing gone through that can be so but once."""
    if isinstance(value, Iterator):
        return type(value), value.__length_hint__()  # type: ignore[attr-defined]
    if isinstance(value, Mapping):
        return {name: snapshot(each) for name, each in value.items()}
    if isinstance(value, BaseModel):
        return type(value), snapshot(dict(value.__dict__)), frozenset(value.model_fields_set)
    if isinstance(value, (list, tuple, deque)):
        return type(value), [snapshot(each) for each in value]
    return value
