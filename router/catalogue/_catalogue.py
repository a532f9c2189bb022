"""Catalogue: an immutable snapshot of models, newest first, that answers which of them meet a requirement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar, overload
from zlib import crc32

from router._errors import CatalogueError, RouterError, quoted
from router._log import Log
from router._serialising import Serialisable, encodable, html_table, json_value
from router.catalogue._decision import Decision, NoModelError, decide
from router.catalogue._diff import CatalogueDiff, diff_of
from router.catalogue._policy import Need, Policy, reject_keywords
from router.catalogue._snapshot import Snapshot, remember
from router.catalogue._terms import format_value
from router.models._entries import read_listing
from router.models._field_types import read_date
from router.models._index import take_rows
from router.models._model import MAKER, Model, check_provider
from router.models._packaged_facts import (
    PACKAGED,
    DocumentedPath,
    documented_facts,
    packaged_as_of,
)
from router.models._vocabulary import Names, read_packaged
from router.requirements._expression import LONGEST_REMEMBERED, Requirement, resolve_now
from router.requirements._needs import KeywordValue
from router.requirements._parser import parse, require

log: Final = Log(__package__)

Default = TypeVar("Default")

RAISE: Final[Any] = object()
"""In place of a default: there is none, and `select` raises."""

_SHOWN: Final = (
    *("line", "created_at", "max_input_tokens", "max_tokens"),
    *("price.input", "price.output", "lifecycle"),
)
"""The fields that a notebook shows of each model."""

_MAX_SHOWN: Final = 100
"""The most models that a notebook shows: a browser takes seconds for thousands."""

_IS_RELATIVE: Final = 2
"""Where the references of a requirement say so."""

BUNDLED_CRC32: Final = 0x8F87DD2E
"""Of `data/bundled.json` as it was packaged; who can forge it can edit this line as well."""


class _BoundSelect(Protocol):
    """How `select` is called: what it returns depends on whether there is a default."""

    @overload
    def __call__(
        self,
        need: Need = None,
        /,
        *,
        default: Default,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> Model | Default: ...

    @overload
    def __call__(
        self,
        need: Need = None,
        /,
        *,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> Model: ...


class _Select(Protocol):
    def __get__(self, instance: object, owner: type | None = None, /) -> _BoundSelect: ...


def overloaded_select(method: Callable[..., Any]) -> _Select:
    """Give a method `select` the overloads that `Catalogue` and `Router` share; at run time, nothing changes."""
    return method


class Catalogue(Snapshot, Serialisable):
    """An immutable snapshot of models, newest first.

    Newest is the latest `created_at`; an unknown date comes after every known one, and ties go to the
    smaller id. Every answer takes `now`, the aware moment that `age` and `retires_in` are reckoned from.
    """

    __slots__ = ()

    @classmethod
    def bundled(cls, *, documented: DocumentedPath = PACKAGED) -> Catalogue:
        """Return the catalogue that comes with the library: no key and no network.

        Raises `CatalogueError` where its file has been damaged since it was packaged.
        """
        text = read_packaged("bundled.json")
        _check_bundled(text)
        try:
            entries, as_of = json.loads(text)["data"], read_date(packaged_as_of())
        except (ValueError, TypeError, KeyError) as error:
            raise CatalogueError(
                "the bundled catalogue is damaged: install capability-router again"
            ) from error
        return cls.from_listing(entries, source="bundled", as_of=as_of, documented=documented)

    @classmethod
    def from_listing(
        cls,
        entries: Iterable[object],
        *,
        source: str = "static",
        as_of: datetime | None = None,
        documented: DocumentedPath = PACKAGED,
        provider: str = MAKER,
    ) -> Catalogue:
        """Read entries in the shape of `GET /v1/models`, in any order.

        Documented facts are laid over what the entries do not state: the library's own by default,
        those of a file, or none for `None`. Entries that state no `provider` are of this one.
        Raises `MalformedEntryError` with the path of the first entry that cannot be read.
        """
        check_provider(provider)
        as_of = _read_as_of(as_of)
        if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Iterable):
            raise CatalogueError(
                f"a list of entries was expected, as under `data` (got {type(entries).__name__})"
            )
        models, malformed = read_listing(entries, documented_facts(documented), provider)
        if malformed:
            raise malformed[0]
        return cls(models, source=source, as_of=as_of)

    @overloaded_select
    def select(
        self,
        need: Need = None,
        /,
        *,
        default: Any = RAISE,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> Any:
        """Return the newest model known to meet the requirement and the default filters.

        Raises `NoModelError` where there is none, or returns `default` if one is given; raises
        `RequirementError` for an invalid requirement.
        """
        if now is not None:
            now = resolve_now(now)
        is_requirement = isinstance(need, Requirement)
        question: Any = need.text if is_requirement else need  # type: ignore[union-attr]
        answers = self.answers
        if not needs:
            try:
                model = answers.get(question)
            except TypeError:  # what cannot be hashed is no requirement: what follows says so
                model = None
            if model is not None:
                return model
        if isinstance(need, Policy):
            return self._select_by(reject_keywords(need, needs), default, now)
        asked: Any = need if is_requirement and not needs else require(need, **needs)
        if now is None and asked.is_relative:
            now = resolve_now(None)  # one for the search and for its explanation
        rows = self._met(asked, now)
        if rows:
            model = self.models[-rows.bit_length()]
            key = asked.text if needs else question
            if not asked.references[_IS_RELATIVE] and len(key or "") <= LONGEST_REMEMBERED:
                remember(answers, key, model)
            return model
        if default is not RAISE:
            return default
        raise NoModelError(asked, self, resolve_now(now))

    def _select_by(self, policy: Policy, default: Any, now: datetime | None) -> Any:
        self.check_policy(policy)
        now = resolve_now(now)
        for tier in policy.tiers:
            rows = self._met(tier, now)
            if rows:
                best, *_ = self._ranked(policy, rows, now)
                return min(take_rows(self.models, best), key=policy.sort_key)
        if default is not RAISE:
            return default
        raise NoModelError(policy, self, now)

    def explain(
        self,
        need: Need = None,
        /,
        *,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> Decision:
        """Return what `select` would answer, with the reason: what each other model lacks, and what is nearest."""
        asked = reject_keywords(need, needs) if isinstance(need, Policy) else require(need, **needs)
        return decide(self, asked, resolve_now(now))

    def diff(self, other: Catalogue) -> CatalogueDiff:
        """Return what `other` has that this one has not: ids added and removed, and every changed value."""
        return diff_of(self, other)

    def to_dict(self) -> dict[str, Any]:
        """Return the catalogue with everything known of each model, as JSON-ready values."""
        return self.summary() | {"models": [model.to_dict() for model in self]}

    def to_records(self) -> list[dict[str, Any]]:
        """Return a row a model for pandas or polars, newest first.

        The columns are `id`, `provider`, `key`, then every field and capability of the catalogue by
        its name in a requirement. Dates are aware, lists are lists, and unknown values are `None`.
        """
        fields = sorted({name for model in self for name in model.values} - {"id", "provider"})
        capabilities = sorted({name for model in self for name in model.facts})
        return [
            model.to_reference()
            | {encodable(name): _cell(model.comparable.get(name)) for name in fields}
            | {encodable(name): model.facts.get(name) for name in capabilities}
            for model in self
        ]

    def _repr_html_(self) -> str:
        rows = [
            (self.name_of(model), *(format_value(model.get(name, "")) for name in _SHOWN))
            for model in self.models[:_MAX_SHOWN]
        ]
        more = len(self) - len(rows)
        if more:
            rows.append((f"and {more:,} more", *("" for _ in _SHOWN)))
        return html_table(("model", *_SHOWN), rows)

    def warm_from(self, other: Catalogue, has_time: Callable[[], bool] = lambda: True) -> Catalogue:
        """Return this catalogue, ready for the questions that were asked of the other one, while there is time."""
        for fields in list(other._default_rows):
            self._rows_by_default(fields)
        for text in list(other._masks):
            if not has_time():
                return self
            with suppress(RouterError):
                self._mask(parse(text), None)
        for question in [each for each in list(other.answers) if isinstance(each, str)]:
            if not has_time():
                return self
            with suppress(RouterError):
                self.select(question, default=None)
        return self

    def with_names(self, names: Names) -> Catalogue:
        """Return this catalogue with names that earlier answers carried counted as known."""
        if names.capabilities <= self.names.capabilities and names.fields <= self.names.fields:
            return self
        return Catalogue(self.models, **self._metadata() | {"names": self.names | names})


def _read_as_of(as_of: object) -> datetime | None:
    if as_of is None:
        return None
    if not isinstance(as_of, datetime) or as_of.utcoffset() is None:
        raise CatalogueError(f"as_of must be an aware datetime (got {quoted(as_of)})")
    return as_of.astimezone(UTC)


def _cell(value: Any) -> Any:
    """Return a value for a table: dates stay dates, and text can be encoded as UTF-8."""
    return value if isinstance(value, datetime) else json_value(value, encodable)


def _check_bundled(text: bytes) -> None:
    """Say so where the bundled catalogue is not the one that was packaged; it may have been edited with intent."""
    if crc32(text) != BUNDLED_CRC32:
        log.warning("the bundled catalogue does not match its checksum", event="bundle_changed")
