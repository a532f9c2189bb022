"""Model: one entry of the catalogue, parsed once into three-valued facts and typed fields."""

from __future__ import annotations

import marshal
import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from attrs import field, frozen

from router._errors import MalformedEntryError, RequirementError, UnknownNameError, quoted
from router.models._field_types import KINDS, NEVER
from router.models._vocabulary import DURATIONS, FIELDS, TRANSPARENT, Names, capability_name

Support = bool | None

MAX_BITS: Final = 4096
MAX_NESTING: Final = 32
"""The deepest nesting of an entry; the API's entries have at most five levels."""

_INFINITY: Final = float("inf")
_WITHOUT_REFERENCES: Final = 2
"""Marshal version whose bytes are equal for equal data, but differ for 1, 1.0 and true."""

_MAX_ID_SHOWN: Final = 40
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,255}")


@frozen
class Correction:
    """A documented correction of a limit that the API reports wrongly."""

    reported: int
    value: int
    why: str
    source: tuple[str, ...] = ()


@frozen
class Facts:
    """Documented facts of one model beyond its entry, with the sources of each fact by name."""

    stated: Mapping[str, Any] = field(factory=dict)
    corrections: Mapping[str, Correction] = field(factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(factory=dict)


_NO_FACTS: Final = Facts()


@frozen(repr=False)
class Model:
    """One model of the catalogue, with the API's field names; unknown attributes are `None`.

    Limits are in tokens, prices in USD per million tokens, dates in UTC. Made by `from_api`.
    """

    id: str
    facts: Mapping[str, bool] = field(hash=False)
    """Known support of capabilities and traits, by short path; missing ones are unknown."""
    values: Mapping[str, Any] = field(hash=False)
    """Known fields by name: a string, int, float, bool, aware datetime or tuple of strings."""
    entry: Mapping[str, Any] = field(hash=False)
    """The entry as the API gave it, before documented facts."""
    corrections: Mapping[str, Correction] = field(hash=False)
    """Corrections of fields that the API reports wrongly, by field."""
    documented: Mapping[str, tuple[str, ...]] = field(hash=False)
    """Names whose values come from documentation, not from the entry, with their sources."""
    names: Names = field(eq=False, hash=False)
    """Every name in the model's listing."""

    @classmethod
    def from_api(cls, entry: object) -> Model:
        """Read one entry of `GET /v1/models`, in any format used since 2024.

        Raises `MalformedEntryError`, with the path of the problem, if the entry is not an object,
        has no valid id, or has capabilities that are not an object. Any other unexpected value
        only makes its own fact unknown.
        """
        return read_model(entry, "entry")

    @property
    def display_name(self) -> str | None:
        """The name for people: free text, which must be escaped for a terminal."""
        return self.values.get("display_name")

    @property
    def created_at(self) -> datetime | None:
        """When the model was released."""
        return self.values.get("created_at")

    @property
    def max_input_tokens(self) -> int | None:
        """The size of the context window, in tokens."""
        return self.values.get("max_input_tokens")

    @property
    def max_tokens(self) -> int | None:
        """The maximum length of an answer, in tokens."""
        return self.values.get("max_tokens")

    @property
    def lifecycle(self) -> str | None:
        """`active`, `deprecated` or `retired`."""
        return self.values.get("lifecycle")

    @property
    def line(self) -> str | None:
        """The model's line, such as `opus`; never inferred from the id."""
        return self.values.get("line")

    @property
    def deprecated_at(self) -> datetime | None:
        """When the model was deprecated."""
        return self.values.get("deprecated_at")

    @property
    def retires_at(self) -> datetime | None:
        """The scheduled retirement; a deprecated model with a past date is overdue, not retired."""
        return self.values.get("retires_at")

    @property
    def allowed_fallback_models(self) -> tuple[str, ...] | None:
        """The ids that the Messages API accepts as `fallbacks` for this model."""
        return self.values.get("allowed_fallback_models")

    @property
    def access(self) -> str | None:
        """`general` or `limited` (documented)."""
        return self.values.get("access")

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other ids that resolve to this model (documented)."""
        aliases: tuple[str, ...] = self.values.get("aliases", ())
        return aliases

    @property
    def replacement(self) -> str | None:
        """The id that the provider names as the successor (documented)."""
        return self.values.get("replacement")

    @property
    def capabilities(self) -> Mapping[str, Support]:
        """The support of every capability in the entry, by short path."""
        _, named = read_capabilities(self.entry.get("capabilities") or {})
        return MappingProxyType({name: self.facts.get(name) for name in sorted(named)})

    def states(self, field: str) -> bool:
        """Return whether the entry or documentation gives the field a value, valid or not."""
        return field in self.values or self.entry.get(field) is not None

    def support(self, name: str) -> Support:
        """Return whether the capability is supported: `True`, `False`, or `None` for unknown.

        Raises `RequirementError` for a field, and `UnknownNameError` for a name that neither the
        vocabulary nor the model's listing knows.
        """
        short = capability_name(name)
        if not self.names.knows_capability(short):
            if self.names.knows_field(short):
                raise RequirementError(
                    f"{quoted(name)} is a field, not a capability: it has a value, in `values`"
                )
            raise UnknownNameError(name, self.names.nearest(short))
        return self.facts.get(short)

    def __repr__(self) -> str:
        return f"<Model {self.id}>"


def is_id(text: str) -> bool:
    """Return whether `text` is a valid model id."""
    return bool(_ID.fullmatch(text))


def read_model(
    entry: object, path: str, facts: Facts | None = None, reader: Reader | None = None
) -> Model:
    """Read one entry; documented facts fill in missing values."""
    return (reader or Reader()).read(entry, path, facts or _NO_FACTS)


class Reader:
    """Reads the entries of one listing, and collects their names.

    Equal capability trees are read once, because most models of a real listing share one. Trees of
    `owned` entries are not copied: the caller must not change them.
    """

    def __init__(self, *, owned: bool = False) -> None:
        self.names = Names()
        self._owned = owned
        self._trees: dict[bytes, tuple[dict[str, Any], dict[str, bool]]] = {}

    def read(self, entry: object, path: str, facts: Facts = _NO_FACTS) -> Model:
        """Return the model of an entry; `facts` fill in missing values."""
        if not isinstance(entry, dict):
            raise MalformedEntryError(path, "an object", _type_name(entry))
        tree = entry.get("capabilities")
        supports: dict[str, bool] = {}
        if isinstance(tree, dict):
            tree, supports = self._read_tree(tree, f"{path}.capabilities")
            entry = entry | {"capabilities": None}  # read above, as a tree that models share
        stated: dict[str, Any] = _copy_json(entry, path, 1)
        id = stated.get("id")
        if not isinstance(id, str) or not is_id(id):
            raise MalformedEntryError(
                f"{path}.id", "a model id of 1 to 256 of A-Z a-z 0-9 . _ : @ / -", _format_id(id)
            )
        if isinstance(tree, dict):
            stated["capabilities"] = tree
        elif tree is not None:
            raise MalformedEntryError(f"{path}.capabilities", "an object or null", _type_name(tree))
        overlaid = _overlay(stated, facts.stated)
        traits = _read_traits(overlaid.get("traits"))
        if traits:
            self.names.capabilities.update(traits)
            supports = traits | supports  # the capability tree wins
        values = _read_fields(overlaid, self.names)
        # Once the API reports another value, it is taken as fixed, and the correction is dropped.
        corrections = {
            name: each
            for name, each in facts.corrections.items()
            if values.get(name) == each.reported
        }
        values.update((name, each.value) for name, each in corrections.items())
        documented = {
            name: source for name, source in facts.sources.items() if not _states(stated, name)
        }
        return Model(id, supports, values, stated, corrections, documented, self.names)

    def _read_tree(self, tree: dict[str, Any], path: str) -> tuple[dict[str, Any], dict[str, bool]]:
        """Return the tree, copied unless owned, and its facts; equal trees share one result."""
        try:
            key = marshal.dumps(tree, _WITHOUT_REFERENCES)
        except ValueError:  # a value is not plain data: `_copy_json` reports which
            tree = _copy_json(tree, path, 2)
            key = marshal.dumps(tree, _WITHOUT_REFERENCES)
        read = self._trees.get(key)
        if read is None:
            copied: dict[str, Any] = tree if self._owned else marshal.loads(key)  # noqa: S302 - own bytes
            supports, named, is_plain = _read_nodes(copied)
            if not is_plain:
                copied = _copy_json(copied, path, 2)
            self.names.capabilities |= named
            read = self._trees[key] = copied, supports
        return read


def _copy_json(value: Any, path: str, depth: int) -> Any:
    """Return a private copy; raises `MalformedEntryError` for anything but JSON within limits."""
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
        return [_copy_json(each, path, depth + 1) for each in value]
    if not isinstance(value, dict):
        raise MalformedEntryError(path, "JSON", _type_name(value))
    copied = {}
    for key, each in value.items():
        if type(key) is not str and not isinstance(key, str):
            raise MalformedEntryError(path, "JSON", _type_name(value))
        plain = each is True or each is False or each is None or type(each) is str
        copied[str.__str__(key)] = each if plain else _copy_json(each, f"{path}.{key}", depth + 1)
    return copied


def read_capabilities(tree: Mapping[str, Any]) -> tuple[dict[str, bool], set[str]]:
    """Return the known support of each capability, and all capabilities named, by short path.

    A node's value is its own `supported`, if it is JSON true or false. A capability is unknown if
    two spellings of it disagree.
    """
    facts, named, _ = _read_nodes(tree)
    return facts, named


def _read_nodes(tree: Mapping[str, Any]) -> tuple[dict[str, bool], set[str], bool]:
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


def _read_traits(traits: object) -> dict[str, bool]:
    if not isinstance(traits, dict):
        return {}
    return {
        f"traits.{name}": value for name, value in traits.items() if value is True or value is False
    }


_READ: Final = {name: KINDS[kind].read for name, kind in FIELDS.items()}
_READ_APART: Final = frozenset({"capabilities", "traits"})
_read_any: Final = KINDS["any"].read


def _read_fields(stated: Mapping[str, Any], names: Names) -> dict[str, Any]:
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


def _overlay(entry: dict[str, Any], documented: Mapping[str, Any]) -> Mapping[str, Any]:
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


def _states(entry: Mapping[str, Any], name: str) -> bool:
    node: object = entry
    for key in name.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node is not None


def _type_name(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _format_id(value: object) -> str:
    if not isinstance(value, str):
        return _type_name(value)
    return repr(value) if len(value) <= _MAX_ID_SHOWN else f"{value[:_MAX_ID_SHOWN]!r}..."
