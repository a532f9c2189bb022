"""Model: one entry of the catalogue, read once at the edge into facts of three values and typed fields."""

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
"""How deep an entry may nest; the API's deepest today is five."""

_INFINITY: Final = float("inf")
_WITHOUT_REFERENCES: Final = 2
"""The format of marshal in which equal data gives equal bytes; it tells 1, 1.0 and true apart, and is nowhere kept."""

_MAX_ID_SHOWN: Final = 40
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,255}")


@frozen
class Correction:
    """A limit that the API is documented to report wrongly: what it said, what holds, and why."""

    reported: int
    value: int
    why: str
    source: tuple[str, ...] = ()


@frozen
class Facts:
    """What is documented of one model beyond its entry, and the source of each fact by name."""

    stated: Mapping[str, Any] = field(factory=dict)
    corrections: Mapping[str, Correction] = field(factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(factory=dict)


_NO_FACTS: Final = Facts()


@frozen(repr=False)
class Model:
    """One model of the catalogue, with the API's own field names; an attribute is `None` where it is unknown.

    Limits are in tokens, prices in USD per million tokens, dates are aware UTC. Read one with `from_api`.
    """

    id: str
    facts: Mapping[str, bool] = field(hash=False)
    """What is known of each capability and trait, by short path; what is missing is unknown."""
    values: Mapping[str, Any] = field(hash=False)
    """Every field that is known, by name: text, int, float, bool, aware datetime or tuple of text."""
    entry: Mapping[str, Any] = field(hash=False)
    """The entry as the API gave it, before documented facts."""
    corrections: Mapping[str, Correction] = field(hash=False)
    """What the API is documented to report wrongly of this model, by field."""
    documented: Mapping[str, tuple[str, ...]] = field(hash=False)
    """The names that come from documentation and not from the entry, each with its sources."""
    names: Names = field(eq=False, hash=False)
    """Every name that the model's listing carried."""

    @classmethod
    def from_api(cls, entry: object) -> Model:
        """Read one entry of `GET /v1/models`, in any of the shapes it has had since 2024.

        Raises `MalformedEntryError`, with the path to what is wrong, for an entry that is not an
        object, has no usable id, or whose capabilities are not an object; any other odd value only
        makes its own fact unknown.
        """
        return read_model(entry, "entry")

    @property
    def display_name(self) -> str | None:
        """The name for people; free text, to be escaped before it reaches a terminal."""
        return self.values.get("display_name")

    @property
    def created_at(self) -> datetime | None:
        """When the model was released."""
        return self.values.get("created_at")

    @property
    def max_input_tokens(self) -> int | None:
        """The size of the context window in tokens."""
        return self.values.get("max_input_tokens")

    @property
    def max_tokens(self) -> int | None:
        """The largest number of tokens that one answer may have."""
        return self.values.get("max_tokens")

    @property
    def lifecycle(self) -> str | None:
        """`active`, `deprecated` or `retired`: the API's signal of retirement."""
        return self.values.get("lifecycle")

    @property
    def line(self) -> str | None:
        """The line the model belongs to, such as `opus`; never inferred from the id."""
        return self.values.get("line")

    @property
    def deprecated_at(self) -> datetime | None:
        """When the model was deprecated."""
        return self.values.get("deprecated_at")

    @property
    def retires_at(self) -> datetime | None:
        """When retirement is scheduled; a past date on a deprecated model means overdue, not gone."""
        return self.values.get("retires_at")

    @property
    def allowed_fallback_models(self) -> tuple[str, ...] | None:
        """The ids that the Messages API takes as `fallbacks` behind this model."""
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
        """Every capability that the entry names, by short path, with its support."""
        _, named = read_capabilities(self.entry.get("capabilities") or {})
        return MappingProxyType({name: self.facts.get(name) for name in sorted(named)})

    def states(self, field: str) -> bool:
        """Return whether the entry, or documentation, gives the field a value, readable or not."""
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
    """Return whether the text can be the id of a model."""
    return bool(_ID.fullmatch(text))


def read_model(
    entry: object, path: str, facts: Facts | None = None, reader: Reader | None = None
) -> Model:
    """Read one entry, laying documented facts over what it does not state."""
    return (reader or Reader()).read(entry, path, facts or _NO_FACTS)


class Reader:
    """Reads the entries of one listing, and gathers the names that they carry.

    A capability tree that comes again is read once: in a real listing most of them do. Entries that are
    `owned` nobody else can change: their trees are not copied.
    """

    def __init__(self, *, owned: bool = False) -> None:
        self.names = Names()
        self._owned = owned
        self._trees: dict[bytes, tuple[dict[str, Any], dict[str, bool]]] = {}

    def read(self, entry: object, path: str, facts: Facts = _NO_FACTS) -> Model:
        """Return the model of an entry, with `facts` laid over what it does not state."""
        if not isinstance(entry, dict):
            raise MalformedEntryError(path, "an object", _type_name(entry))
        tree = entry.get("capabilities")
        supports: dict[str, bool] = {}
        if isinstance(tree, dict):
            tree, supports = self._read_tree(tree, f"{path}.capabilities")
            entry = entry | {"capabilities": None}
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
            supports = traits | supports
        values = _read_fields(overlaid, self.names)
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
        """Return the tree, which nobody else can change, and what it knows; shared by all that state the same."""
        try:
            key = marshal.dumps(tree, _WITHOUT_REFERENCES)
        except ValueError:  # something in it is no plain data: this says what
            tree = _copy_json(tree, path, 2)
            key = marshal.dumps(tree, _WITHOUT_REFERENCES)
        read = self._trees.get(key)
        if read is None:
            copied: dict[str, Any] = tree if self._owned else marshal.loads(key)  # noqa: S302 - written just above
            supports, named, is_plain = _read_nodes(copied)
            if not is_plain:
                copied = _copy_json(copied, path, 2)
            self.names.capabilities |= named
            read = self._trees[key] = copied, supports
        return read


def _copy_json(value: Any, path: str, depth: int) -> Any:
    """Return a copy that nobody else can change; raises for what JSON cannot state, or a model cannot mean."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return str.__str__(value)  # of a subclass its text alone
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
    """Return what the tree knows of each capability, and every capability it names, by short path.

    A node's own `supported` is its value, and only JSON true and false say anything. Two spellings
    of one capability that disagree leave it unknown.
    """
    facts, named, _ = _read_nodes(tree)
    return facts, named


def _read_nodes(tree: Mapping[str, Any]) -> tuple[dict[str, bool], set[str], bool]:
    """Return besides whether the tree is but names, texts, booleans and nulls: then nothing is left to be checked."""
    facts: dict[str, bool] = {}
    named: set[str] = set()
    disputed: set[str] = set()
    is_plain = True
    nodes: list[tuple[Mapping[str, Any], str, int]] = [(tree, "", 2)]
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
                read = _read_any
            seen.append(name)
            if value is not None and (known := read(value)) is not None:
                values[name] = known
    names.fields.update(seen)
    for name, duration in DURATIONS.items():
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
    """Return the entry with what is documented wherever the entry is absent or null."""
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
