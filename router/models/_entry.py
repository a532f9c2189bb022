"""Entry: the parts of a listing's entry, read from JSON: a private copy, the capabilities and the fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from router._errors import MalformedEntryError
from router.models._field_types import KINDS, NEVER
from router.models._vocabulary import DURATIONS, FIELDS, TRANSPARENT, Names

MAX_BITS: Final = 4096
MAX_NESTING: Final = 32
"""The deepest nesting of an entry; the API's entries have at most five levels."""

_INFINITY: Final = float("inf")


def copy_json(value: Any, path: str, depth: int) -> Any:
    """Return a private copy of a JSON value; raises `MalformedEntryError` for anything but JSON within limits."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return str.__str__(value)  # turns a subclass into a plain `str`
    if isinstance(value, (int, float)):
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise MalformedEntryError(path, f"a number of at most {MAX_BITS} bits", "a longer one")
        if not -_INFINITY < value < _INFINITY:
            raise MalformedEntryError(path, "a finite number", str(value))
        return int(value) if isinstance(value, int) else float(value)
    if depth > MAX_NESTING:
        raise MalformedEntryError(path, f"JSON of at most {MAX_NESTING} levels", "more")
    if isinstance(value, (list, tuple)):
        return [copy_json(each, path, depth + 1) for each in value]
    if not isinstance(value, dict):
        raise MalformedEntryError(path, "JSON", type_name(value))
    copied = {}
    for key, each in value.items():
        if type(key) is not str and not isinstance(key, str):
            raise MalformedEntryError(path, "JSON", type_name(value))
        plain = each is True or each is False or each is None or type(each) is str
        copied[str.__str__(key)] = each if plain else copy_json(each, f"{path}.{key}", depth + 1)
    return copied


def read_capabilities(tree: Mapping[str, Any]) -> tuple[dict[str, bool], set[str]]:
    """Return the known support of each capability, and all capabilities named, by short path.

    A node's value is its own `supported`, if it is JSON true or false. A capability is unknown if
    two spellings of it disagree.
    """
    facts, named, _ = read_nodes(tree)
    return facts, named


def read_nodes(tree: Mapping[str, Any]) -> tuple[dict[str, bool], set[str], bool]:
    """Return also whether the tree is plain: names, strings, booleans and nulls need no check."""
    facts: dict[str, bool] = {}
    named: set[str] = set()
    disputed: set[str] = set()
    is_plain = True
    nodes: list[tuple[Mapping[str, Any], str, int]] = [(tree, "", 2)]
    # A loop, not recursion: the tree is untrusted, and may be deeper than the stack.
    while nodes:
        node, prefix, depth = nodes.pop()
        if depth >= MAX_NESTING and any(isinstance(child, dict) for child in node.values()):
            is_plain = False
        for key, child in node.items():
            if type(key) is not str:
                is_plain = False
                continue
            is_dict = isinstance(child, dict)
            is_plain = is_plain and (is_dict or child is None or isinstance(child, (str, bool)))
            # At the top level every key names a capability, even one of these.
            if prefix and (key == "supported" or key in TRANSPARENT):
                if is_dict and key != "supported":
                    nodes.append((child, prefix, depth + 1))
                continue
            name = f"{prefix}.{key}" if prefix else key
            supported = child.get("supported") if is_dict else None
            if supported is not True and supported is not False:
                named.add(name)
                if is_dict:
                    nodes.append((child, name, depth + 1))
                continue
            if facts.setdefault(name, supported) is not supported:
                disputed.add(name)
            if len(child) > 1:
                nodes.append((child, name, depth + 1))
    named |= facts.keys()
    for name in disputed:
        del facts[name]
    return facts, named, is_plain


def read_traits(traits: object) -> dict[str, bool]:
    """Return the known traits, by name in a requirement."""
    if not isinstance(traits, dict):
        return {}
    return {
        f"traits.{name}": value for name, value in traits.items() if value is True or value is False
    }


_READ: Final = {name: KINDS[kind].read for name, kind in FIELDS.items()}
_READ_APART: Final = frozenset({"capabilities", "traits"})
_read_any: Final = KINDS["any"].read


def read_fields(stated: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return the known fields, and the dates of durations, by name; add every name to `names`."""
    values: dict[str, Any] = {}
    seen: list[str] = []
    nodes: list[tuple[Mapping[str, Any], str]] = [(stated, "")]
    while nodes:
        node, prefix = nodes.pop()
        for key, value in node.items():
            name = f"{prefix}.{key}" if prefix else key
            read = _READ.get(name)
            if read is None:
                if name in _READ_APART:
                    continue
                if isinstance(value, dict):
                    nodes.append((value, name))
                    continue
                read = _read_any  # a field that the vocabulary does not know
            seen.append(name)
            if value is not None and (known := read(value)) is not None:
                values[name] = known
    names.fields.update(seen)
    for name, duration in DURATIONS.items():
        # For some dates, an explicit null means "not scheduled", but a missing one means unknown.
        moment = values.get(duration["field"])
        if (
            moment is None
            and duration.get("null") == "never"
            and stated.get(duration["field"], "") is None
        ):
            moment = NEVER
        if moment is not None:
            values[name] = moment
    return values


def overlay(entry: dict[str, Any], documented: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the entry with documented values in place of missing and null ones."""
    if not documented:
        return entry
    merged = dict(entry)
    for name, value in documented.items():
        own = entry.get(name)
        if own is None:
            merged[name] = value
        elif isinstance(own, dict) and isinstance(value, dict):
            merged[name] = value | {key: each for key, each in own.items() if each is not None}
    return merged


def states(entry: Mapping[str, Any], name: str) -> bool:
    """Return whether the entry gives the name a value, valid or not."""
    node: object = entry
    for key in name.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node is not None


def type_name(value: object) -> str:
    """Return the name of a JSON value's type, for a message."""
    return "null" if value is None else type(value).__name__
