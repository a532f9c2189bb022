"""Snapshot: the models of a catalogue, filtered by a requirement or ranked by a policy."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial, reduce
from itertools import islice
from operator import and_
from types import MappingProxyType
from typing import Any, Final, TypeVar

from router._arguments import check_limit
from router._errors import (
    AmbiguousModelError,
    MalformedEntryError,
    RequirementError,
    UnknownModelError,
    UnknownNameError,
    quoted,
    shortened,
)
from router._serialising import json_value
from router.catalogue._lookup import Lookup
from router.catalogue._policy import ORDERS, Need, Policy, reject_keywords
from router.models._entries import canonical_json
from router.models._field_types import ORDERED, write_text
from router.models._index import Index, Masks, mask_of, take_rows
from router.models._model import Model, Support
from router.models._vocabulary import DURATIONS, FIELDS, Names
from router.requirements._expression import LONGEST_REMEMBERED, Requirement, resolve_now
from router.requirements._needs import POLICY_KEYS, KeywordValue
from router.requirements._parser import parse, require

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Default = TypeVar("Default")

DEFAULT_FILTERS: Final[Mapping[str, Requirement]] = MappingProxyType(
    {"lifecycle": parse("maybe lifecycle == active"), "access": parse("maybe access != limited")}
)
"""Requirements that apply unless a requirement names their field, by that field."""

_STATED_AS_TEXT: Final = "lifecycle"
"""The field whose default filter also excludes values that are not strings."""

MAX_REMEMBERED: Final = 1024
"""How many answers a catalogue caches."""

_MASKS_BYTES: Final = 2**26
_MASKS: Final = range(64, 4096)
"""Bounds on the number of cached masks, which `_MASKS_BYTES` limits by size."""

_ORDERED_FIELDS: Final = tuple(
    name for name, kind in FIELDS.items() if kind in ORDERED and name not in DURATIONS
)
_MAX_OF_A_LINE: Final = 3
"""How many models an error names for a line."""

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


def remember(memo: dict[Key, Value], key: Key, value: Value, most: int = MAX_REMEMBERED) -> None:
    """Cache a value by its key; a memo with `most` entries is cleared first."""
    # Clearing needs no bookkeeping on each hit, as LRU eviction would.
    if len(memo) >= most:
        memo.clear()
    memo[key] = value


class Snapshot:
    """The models of a `Catalogue`, and the bitsets of those that meet a requirement.

    Row 0 is the oldest model, so the newest model of a mask is its highest bit.
    """

    __slots__ = (
        "_default_rows",
        "_digest",
        "_index",
        "_lookup",
        "_masks",
        "_unreadable_lifecycle",
        "answers",
        "as_of",
        "models",
        "names",
        "quarantined",
        "source",
        "validators",
    )

    def __init__(
        self,
        models: Iterable[Model],
        *,
        source: str = "static",
        as_of: datetime | None = None,
        names: Names | None = None,
        quarantined: Iterable[MalformedEntryError] = (),
        validators: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        # The second sort is stable: of models released together, the smaller key counts as newer.
        oldest_first = sorted(models, key=lambda model: model.key, reverse=True)
        oldest_first.sort(key=lambda model: model.created_at or EARLIEST)
        self.models: tuple[Model, ...] = tuple(reversed(oldest_first))
        self.source = source
        self.as_of = as_of
        self.quarantined = tuple(quarantined)
        """The errors of the listing's entries that could not be read."""
        self.validators = dict(validators)
        """Values that let the source detect an unchanged listing, such as an ETag."""
        self.names = (
            names if names is not None else Names.union(model.names for model in self.models)
        )
        self._index = Index(
            [model.facts for model in oldest_first],
            [model.comparable for model in oldest_first],
            _ORDERED_FIELDS,
        )
        self._unreadable_lifecycle = mask_of(
            (row for row, model in enumerate(oldest_first) if _has_unreadable_lifecycle(model)),
            len(oldest_first),
        )
        self._lookup = Lookup(oldest_first)
        self.answers: dict[object, Model] = {}
        """Cached answers of `select`, by text."""
        self._masks: dict[str, int] = {}
        """Cached rows that are known to meet a term, by its text."""
        self._default_rows: dict[frozenset[str], int] = {}
        """Cached rows that pass the default filters, by the fields that a requirement names."""
        self._digest: str | None = None

    def candidates(
        self,
        need: Need = None,
        /,
        *,
        limit: int | None = None,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> tuple[Model, ...]:
        """Return the models known to meet the requirement and the default filters, best first.

        The newest model is best, unless a policy ranks them. `limit` caps their number.
        """
        check_limit(limit)
        if now is not None:
            now = resolve_now(now)
        if isinstance(need, Policy):
            return tuple(islice(self._chain(reject_keywords(need, needs), now), limit))
        return tuple(take_rows(self.models, self._met(require(need, **needs), now), limit))

    def where(
        self,
        need: str | Requirement | None = None,
        /,
        *,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> tuple[Model, ...]:
        """Return the models known to meet the requirement, newest first; no default filters."""
        asked = require(need, **needs)
        self.check_names(asked)
        return tuple(take_rows(self.models, asked.masks(self._index, resolve_now(now))[0]))

    def supports(
        self,
        model: str | Model,
        need: str | Requirement | None = None,
        /,
        *,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> bool:
        """Return whether a model is known to meet the need; unknown is `False`.

        `model` is a model of the catalogue, its key, id or alias. Raises `UnknownModelError` if the
        catalogue does not list it, and `AmbiguousModelError` if several providers do.
        """
        return self.judge(model, require(need, **needs), now)[1] is True

    def judge(
        self, model: str | Model, requirement: Requirement, now: datetime | None = None
    ) -> tuple[Model, Support]:
        """Return the model that is named, and whether it meets the requirement."""
        self.check_names(requirement)
        found = self.listed(model) if isinstance(model, Model) else self[model]
        return found, requirement.support(found, now=now)

    @property
    def digest(self) -> str:
        """The sha256 of the entries in canonical JSON, sorted by key, before documented facts."""
        if self._digest is None:
            from hashlib import sha256

            entries = [model.entry for model in sorted(self.models, key=lambda model: model.key)]
            self._digest = sha256(canonical_json(entries).encode("ascii")).hexdigest()
        return self._digest

    @property
    def index(self) -> Index:
        """The bitsets over the models, the newest at the highest bit."""
        return self._index

    def default_filters(self, fields: frozenset[str]) -> tuple[Requirement, ...]:
        """Return the default filters of a requirement that names `fields`.

        A live listing has only models that the key may call, so it needs no filter on access.
        """
        return tuple(
            default_filter
            for name, default_filter in DEFAULT_FILTERS.items()
            if name not in fields and not (name == "access" and self.source in {"live", "disk"})
        )

    def passes(self, default_filter: Requirement, model: Model) -> bool:
        """Return whether the model passes a default filter; `filter_masks` must agree with this."""
        return default_filter.matches(model) and not (
            _STATED_AS_TEXT in default_filter.fields and _has_unreadable_lifecycle(model)
        )

    def failed_filters(self, fields: frozenset[str], model: Model) -> tuple[Requirement, ...]:
        """Return the default filters of a requirement on `fields` that the model fails."""
        return tuple(each for each in self.default_filters(fields) if not self.passes(each, model))

    def filter_masks(self, default_filter: Requirement) -> Masks:
        """Return the rows that pass a default filter, and those known to fail it."""
        yes, no = default_filter.masks(self._index, EARLIEST)
        unreadable = self._unreadable_lifecycle if _STATED_AS_TEXT in default_filter.fields else 0
        return yes ^ (yes & unreadable), no | unreadable

    def __getitem__(self, name: str) -> Model:
        """Return the model with that id, alias or key.

        Raises `UnknownModelError`, and `AmbiguousModelError` for an id whose maker is unknown.
        """
        try:  # most names are ids: a dictionary answers them without another call
            return self._lookup.by_name[name]
        except (KeyError, TypeError):
            return self._find(name)

    def _find(self, name: str) -> Model:
        try:
            return self._lookup.find(name)
        except UnknownModelError:
            line = name.casefold()
            rows = self._index.column("line").equal(line)
            if not rows:
                raise
            newest = map(self.name_of, take_rows(self.models, rows, _MAX_OF_A_LINE))
            raise UnknownModelError(name, tuple(newest), line=line) from None

    def get(self, name: str, default: Default | None = None) -> Model | Default | None:
        """Return the model with that id, alias or key; `default` if it is not listed, or ambiguous."""
        return self._lookup.get(name, default)

    def __contains__(self, item: object) -> bool:
        """Return whether the catalogue lists a model, or some model with an id, alias or key."""
        if isinstance(item, Model):
            return self._lookup.by_key.get(item.key) == item
        return isinstance(item, str) and item in self._lookup

    def listed(self, model: Model) -> Model:
        """Return the listed model with the key of this one; raises `UnknownModelError`."""
        return self._lookup.listed(model)

    def name_of(self, model: Model) -> str:
        """Return the id of a model of the catalogue, or its key if the id means another one."""
        return model.id if self._lookup.get(model.id) is model else model.key

    @property
    def size(self) -> int:
        """The number of models."""
        return len(self.models)

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models)

    def summary(self) -> dict[str, Any]:
        """Return what identifies the catalogue, as JSON-ready values."""
        return {
            "source": self.source,
            "as_of": json_value(self.as_of),
            "digest": self.digest,
            "size": self.size,
        }

    def __repr__(self) -> str:
        as_of = f" as of {self.as_of:%Y-%m-%d %H:%MZ}" if self.as_of else ""
        return f"<{type(self).__name__} of {len(self)} models, {self.source}{as_of}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), self.models, **self._metadata()), ()

    def _metadata(self) -> dict[str, Any]:
        """Return the keyword arguments that make an equal catalogue."""
        names = ("source", "as_of", "names", "quarantined", "validators")
        return {name: getattr(self, name) for name in names}

    def _chain(self, policy: Policy, now: datetime | None) -> Iterator[Model]:
        """Yield every candidate of a policy, best first."""
        self.check_policy(policy)
        left = self._index.all
        for tier in policy.tiers:
            rows = self._met(tier, now) & left
            left ^= rows  # a model ranks in the first tier that it meets
            for group in self._ranked(policy, rows, now):
                yield from sorted(take_rows(self.models, group), key=policy.sort_key)

    def _ranked(self, policy: Policy, rows: int, now: datetime | None) -> list[int]:
        """Split the rows into groups by preference, the most preferred group first."""
        groups = [rows]
        for preference in policy.prefer:
            yes = self._known(preference, now)
            groups = [
                part for group in groups for part in (group & yes, group ^ (group & yes)) if part
            ]
        return groups

    def _met(self, requirement: Requirement, now: datetime | None) -> int:
        """Return the rows known to meet the requirement and its default filters."""
        # The hot path of `select`: two attempts that succeed cost less than two checks.
        try:
            _, fields, _, texts = requirement.references
        except AttributeError:
            _, fields, _, texts = requirement.all_references()
        rows = self._default_rows.get(fields)
        if rows is None:
            rows = self._rows_by_default(fields)
        masks = self._masks
        try:
            for text in texts:
                rows &= masks[text]
        except KeyError:
            for term in requirement.terms:
                rows &= self._mask(term, now)
        return rows

    def _known(self, requirement: Requirement, now: datetime | None) -> int:
        """Return the rows known to meet the requirement, without default filters."""
        return reduce(and_, (self._mask(term, now) for term in requirement.terms), self._index.all)

    def _mask(self, term: Requirement, now: datetime | None) -> int:
        """Return the rows known to meet a term; cached unless they depend on the current time."""
        yes = self._masks.get(term.text)
        if yes is not None:
            return yes
        self.check_names(term)
        if term.is_relative:
            return term.masks(self._index, resolve_now(now))[0]
        yes = term.masks(self._index, EARLIEST)[0]  # any time will do: the term ignores it
        if len(term.text) <= LONGEST_REMEMBERED:
            affordable = _MASKS_BYTES // (self._index.size // 8 + 1)
            remember(self._masks, term.text, yes, max(_MASKS.start, min(_MASKS.stop, affordable)))
        return yes

    def _rows_by_default(self, fields: frozenset[str]) -> int:
        rows = self._index.all
        for default_filter in self.default_filters(fields):
            rows &= self.filter_masks(default_filter)[0]
        if sum(map(len, fields)) <= LONGEST_REMEMBERED:
            remember(self._default_rows, fields, rows)
        return rows

    def check_policy(self, policy: Policy) -> None:
        """Raise `UnknownNameError`, with its place, for an unknown name in any tier or preference.

        This includes tiers that this catalogue does not need, because a later one may.
        """
        for each in (*policy.tiers, *policy.prefer):
            try:
                self.check_names(each)
            except RequirementError as error:
                raise next(self._policy_errors(policy), error) from None

    def _policy_errors(self, policy: Policy) -> Iterator[RequirementError]:
        """Yield the errors of the names in a policy, with their places if it was read from a file."""
        for key, part in policy.parts:
            yield from self.name_errors(part, policy.location and f"{policy.location}.{key}")

    def check_names(self, requirement: Requirement) -> None:
        """Raise `UnknownNameError` for names unknown to the vocabulary and this catalogue."""
        for error in self.name_errors(requirement):  # of several, always the same one
            raise error

    def name_errors(
        self, requirement: Requirement, where: str | None = None
    ) -> Iterator[RequirementError]:
        """Yield an error for each unknown name, and for each field and capability used as the other.

        `where` is the place of the requirement.
        """
        for name in sorted(requirement.capabilities):
            if not self.names.knows_capability(name):
                yield _placed(self._capability_error(name), where)
        for name in sorted(requirement.fields):
            if not self.names.knows_field(name):
                yield _placed(self._field_error(name), where)

    def _capability_error(self, name: str) -> RequirementError:
        if self.names.knows_field(name) or any(
            self.names.knows_field(name[:at]) for at, mark in enumerate(name) if mark == "."
        ):
            return RequirementError(
                f"{quoted(name)} is a field, not a capability: compare it, as in '{shortened(name)} == ...'"
            )
        return UnknownNameError(name, self.suggestions(name))

    def _field_error(self, name: str) -> RequirementError:
        if self.names.knows_capability(name):
            short = shortened(name)
            return RequirementError(
                f"{quoted(name)} is a capability: write '{short}' or 'not {short}', without a comparison"
            )
        return UnknownNameError(name, self.suggestions(name))

    def suggestions(self, name: str) -> tuple[str, ...]:
        """Return suggestions for an unknown name: a model, a line, a policy's, or similar names."""
        try:
            return (f"id == {write_text(self[name].id)}",)
        except AmbiguousModelError:
            return (f"id == {write_text(name)}",)
        except UnknownModelError as error:
            unknown = error
        if unknown.line is not None:
            return (f"line == {write_text(unknown.line)}",)
        if name in ORDERS:
            return (f'order = "{name}" of a policy',)
        if name in POLICY_KEYS:
            return (f"{name} of a policy",)
        names = self.names.nearest(name)
        # Names of models have dashes, and names of capabilities and fields do not.
        return (
            names
            if names or "-" not in name
            else tuple(f"id == {each}" for each in unknown.nearest)
        )


def _placed(error: RequirementError, where: str | None) -> RequirementError:
    error.where = where
    return error


def _has_unreadable_lifecycle(model: Model) -> bool:
    return _STATED_AS_TEXT not in model.comparable and model.states(_STATED_AS_TEXT)
