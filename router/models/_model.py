"""Model: one entry of the catalogue, parsed once into three-valued facts and typed fields."""

from __future__ import annotations

import marshal
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final

from attrs import field, frozen

from router._errors import (
    CatalogueError,
    MalformedEntryError,
    RequirementError,
    UnknownNameError,
    quoted,
)
from router._serialising import Serialisable, html_table, json_value, short_repr
from router.models._entry import (
    copy_json,
    overlay,
    read_capabilities,
    read_fields,
    read_nodes,
    read_traits,
    states,
    type_name,
)
from router.models._packaged_facts import Correction, Documented, Facts, source_text
from router.models._vocabulary import DURATIONS, Names, capability_name

Support = bool | None
"""Supported, unsupported, or `None` for unknown."""

MAKER: Final = "anthropic"
"""The provider of entries in the shape of Anthropic's API that state none."""

_WITHOUT_REFERENCES: Final = 2
"""Marshal version whose bytes are equal for equal data, but differ for 1, 1.0 and true."""

_MAX_ID_SHOWN: Final = 40
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,255}")


_PROVIDER: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_NO_FACTS: Final = Facts()


@frozen(repr=False)
class Provenance(Serialisable):
    """Where one value of a model comes from."""

    stage: str
    """`entry` for a value of the listing, `documented`, or `correction` of a value of the listing."""
    sources: tuple[str, ...] = ()
    """The sources of a documented value or a correction, the deciding one first."""

    json_names: ClassVar = ("stage", "sources")

    def __str__(self) -> str:
        return f"{self.stage}: {'; '.join(self.sources)}" if self.sources else self.stage


@frozen(repr=False)
class Model(Serialisable):
    """One model of the catalogue, with the API's field names; unknown attributes are `None`.

    Limits are in tokens, prices in USD per million tokens, dates in UTC. `str()` is the id. Made by
    `from_api`.
    """

    id: str
    """The name that the provider's own client takes."""
    provider: str
    """Who serves the model, such as `anthropic`."""
    facts: Mapping[str, bool] = field(hash=False)
    """Known support of capabilities and traits, by short path; missing ones are unknown."""
    comparable: Mapping[str, Any] = field(hash=False)
    """What requirements compare: the fields, and by the name of a duration the date it counts from."""
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
    def key(self) -> str:
        """The provider and the id, `provider:id`: unique in a catalogue."""
        return f"{self.provider}:{self.id}"

    @property
    def base(self) -> str | None:
        """The key of the model whose weights this one serves, if the listing states it."""
        return self.comparable.get("base")

    @property
    def values(self) -> Mapping[str, Any]:
        """Known fields by name: a string, int, float, bool, aware datetime or tuple of strings."""
        known = {name: each for name, each in self.comparable.items() if name not in DURATIONS}
        return MappingProxyType(known)

    @property
    def display_name(self) -> str | None:
        """The name for people: free text, which must be escaped for a terminal."""
        return self.comparable.get("display_name")

    @property
    def created_at(self) -> datetime | None:
        """When the model was released."""
        return self.comparable.get("created_at")

    @property
    def max_input_tokens(self) -> int | None:
        """The size of the context window, in tokens."""
        return self.comparable.get("max_input_tokens")

    @property
    def max_tokens(self) -> int | None:
        """The maximum length of an answer, in tokens."""
        return self.comparable.get("max_tokens")

    @property
    def lifecycle(self) -> str | None:
        """`active`, `deprecated` or `retired`."""
        return self.comparable.get("lifecycle")

    @property
    def line(self) -> str | None:
        """The model's line, such as `opus`; never inferred from the id."""
        return self.comparable.get("line")

    @property
    def deprecated_at(self) -> datetime | None:
        """When the model was deprecated."""
        return self.comparable.get("deprecated_at")

    @property
    def retires_at(self) -> datetime | None:
        """The scheduled retirement; a deprecated model with a past date is overdue, not retired."""
        return self.comparable.get("retires_at")

    @property
    def allowed_fallback_models(self) -> tuple[str, ...] | None:
        """The ids that the Messages API accepts as `fallbacks` for this model."""
        return self.comparable.get("allowed_fallback_models")

    @property
    def access(self) -> str | None:
        """`general` or `limited` (documented)."""
        return self.comparable.get("access")

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other ids that resolve to this model (documented)."""
        aliases: tuple[str, ...] = self.comparable.get("aliases", ())
        return aliases

    @property
    def replacement(self) -> str | None:
        """The id that the provider names as the successor (documented)."""
        return self.comparable.get("replacement")

    @property
    def capabilities(self) -> Mapping[str, Support]:
        """The support of every capability in the entry, by short path."""
        _, named = read_capabilities(self.entry.get("capabilities") or {})
        return MappingProxyType({name: self.facts.get(name) for name in sorted(named)})

    def states(self, field: str) -> bool:
        """Return whether the entry or documentation gives the field a value, valid or not."""
        return field in self.comparable or self.entry.get(field) is not None

    def support(self, name: str) -> Support:
        """Return whether the capability is supported: `True`, `False`, or `None` for unknown.

        Raises `RequirementError` for a field, and `UnknownNameError` for a name that neither the
        vocabulary nor the model's listing knows.
        """
        short = capability_name(name)
        if not self.names.knows_capability(short):
            if self.names.knows_field(short):
                raise RequirementError(
                    f"{quoted(name)} is a field, not a capability: read model[{quoted(name)}]"
                )
            raise UnknownNameError(name, self.names.nearest(short))
        return self.facts.get(short)

    # Without these, `in` and `list` would read `self[0]`.
    __contains__ = None
    __iter__ = None

    def __getitem__(self, name: str) -> Any:
        """Return a field, or the support of a capability, by its name in a requirement.

        An unknown value is `None`. Raises `RequirementError` for a duration, which depends on the
        time, and `UnknownNameError` for a name that no listing and no vocabulary knows.
        """
        if not isinstance(name, str):
            raise RequirementError(f"the name of a value must be a string (got {quoted(name)})")
        if self.names.knows_field(name):
            if name in DURATIONS:
                dated = DURATIONS[name]["field"]
                raise RequirementError(f"{name} depends on the time: read {dated} instead")
            value = self.comparable.get(name)
            # Another entry may have a field with the name of this model's capability.
            return self.facts.get(name) if value is None else value
        return self.support(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return what `[name]` does, and `default` for an unknown value."""
        value = self[name]
        return default if value is None else value

    def provenance(self, name: str) -> Provenance | None:
        """Return where the value of a field or capability comes from, `None` if it is unknown."""
        if self[name] is None:
            return None
        if name in self.corrections:
            return Provenance("correction", _texts(self.corrections[name].source))
        documented = self.documented.get(capability_name(name))
        return (
            Provenance("entry")
            if documented is None
            else Provenance("documented", _texts(documented))
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything known of the model as JSON-ready values, dates in RFC 3339."""
        names = sorted(self.capabilities.keys() | self.facts.keys())
        known = {
            "base": self.base,
            "values": dict(sorted(self.values.items())),
            "capabilities": {name: self.facts.get(name) for name in names},
            "documented": dict(sorted(self.documented.items())),
            "corrections": self.corrections,
        }
        return self.to_reference() | {name: json_value(each) for name, each in known.items()}

    def to_reference(self) -> dict[str, Any]:
        """Return what identifies the model inside of another result."""
        return {"id": self.id, "provider": self.provider, "key": self.key}

    def _repr_html_(self) -> str:
        known = {**self.values, **dict(sorted(self.facts.items()))}
        return html_table(
            (self.key, ""), ((name, str(json_value(each))) for name, each in known.items())
        )

    def __str__(self) -> str:
        return self.id

    def __format__(self, spec: str) -> str:
        return format(self.id, spec)

    def __repr__(self) -> str:
        return short_repr(f"Model {self.id if self.provider == MAKER else self.key}")


def is_id(text: str) -> bool:
    """Return whether `text` is a valid model id."""
    return bool(_ID.fullmatch(text))


def is_provider(name: object) -> bool:
    """Return whether `name` can be the name of a provider."""
    return isinstance(name, str) and bool(_PROVIDER.fullmatch(name))


def check_provider(name: object) -> None:
    """Raise `CatalogueError` unless `name` can be the name of a provider."""
    if not is_provider(name):
        raise CatalogueError(f"provider must be a name such as google-vertex (got {quoted(name)})")


def read_model(
    entry: object, path: str, documented: Documented = MappingProxyType({}), provider: str = MAKER
) -> Model:
    """Read one entry; documented facts fill in missing values."""
    return Reader(documented, provider).read(entry, path)


def _texts(sources: Sequence[str]) -> tuple[str, ...]:
    """Return the texts of the library's own sources, and other sources as they are."""
    return tuple(source_text(source) or source for source in sources)


class Reader:
    """Reads the entries of one listing, and collects their names.

    Equal capability trees are read once, because most models of a real listing share one. Trees of
    `owned` entries are not copied: the caller must not change them.
    """

    def __init__(
        self,
        documented: Documented = MappingProxyType({}),
        provider: str = MAKER,
        *,
        owned: bool = False,
    ) -> None:
        self.names = Names()
        self._documented = documented
        self._provider = provider
        self._owned = owned
        self._trees: dict[bytes, tuple[dict[str, Any], dict[str, bool]]] = {}

    def read(self, entry: object, path: str) -> Model:
        """Return the model of an entry; documented facts fill in missing values.

        An entry that states no valid `provider` is one of the listing's own provider.
        """
        if not isinstance(entry, dict):
            raise MalformedEntryError(path, "an object", type_name(entry))
        tree = entry.get("capabilities")
        supports: dict[str, bool] = {}
        if isinstance(tree, dict):
            tree, supports = self._read_tree(tree, f"{path}.capabilities")
            entry = entry | {"capabilities": None}  # read above, as a tree that models share
        stated: dict[str, Any] = copy_json(entry, path, 1)
        id = stated.get("id")
        if not isinstance(id, str) or not is_id(id):
            raise MalformedEntryError(
                f"{path}.id", "a model id of 1 to 256 of A-Z a-z 0-9 . _ : @ / -", _format_id(id)
            )
        if isinstance(tree, dict):
            stated["capabilities"] = tree
        elif tree is not None:
            raise MalformedEntryError(f"{path}.capabilities", "an object or null", type_name(tree))
        provider: Any = stated.get("provider")
        if not is_provider(provider):
            provider = self._provider
        facts = self._documented.get((provider, id), _NO_FACTS)
        overlaid = overlay(stated, facts.stated)
        traits = read_traits(overlaid.get("traits"))
        if traits:
            self.names.capabilities.update(traits)
            supports = traits | supports  # the capability tree wins
        values = read_fields(overlaid, self.names) | {"provider": provider}
        # Once the API reports another value, it is taken as fixed, and the correction is dropped.
        corrections = {
            name: each
            for name, each in facts.corrections.items()
            if values.get(name) == each.reported
        }
        values.update((name, each.value) for name, each in corrections.items())
        documented = {
            name: source for name, source in facts.sources.items() if not states(stated, name)
        }
        return Model(id, provider, supports, values, stated, corrections, documented, self.names)

    def _read_tree(self, tree: dict[str, Any], path: str) -> tuple[dict[str, Any], dict[str, bool]]:
        """Return the tree, copied unless owned, and its facts; equal trees share one result."""
        try:
            key = marshal.dumps(tree, _WITHOUT_REFERENCES)
        except ValueError:  # a value is not plain data: `copy_json` reports which
            tree = copy_json(tree, path, 2)
            key = marshal.dumps(tree, _WITHOUT_REFERENCES)
        read = self._trees.get(key)
        if read is None:
            copied: dict[str, Any] = tree if self._owned else marshal.loads(key)  # noqa: S302 - own bytes
            supports, named, is_plain = read_nodes(copied)
            if not is_plain:
                copied = copy_json(copied, path, 2)
            self.names.capabilities |= named
            read = self._trees[key] = copied, supports
        return read


def _format_id(value: object) -> str:
    if not isinstance(value, str):
        return type_name(value)
    return repr(value) if len(value) <= _MAX_ID_SHOWN else f"{value[:_MAX_ID_SHOWN]!r}..."
