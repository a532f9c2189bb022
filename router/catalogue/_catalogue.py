"""Catalogue: an immutable snapshot of models, newest first, that answers which of them meet a requirement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import reduce
from itertools import islice
from operator import and_
from types import MappingProxyType
from typing import Any, Final, TypeVar, overload
from zlib import crc32

from attrs import frozen

from router._errors import (
    CatalogueError,
    ConflictingEntriesError,
    MalformedEntryError,
    NoModelError,
    RequirementError,
    RouterError,
    UnknownModelError,
    UnknownNameError,
    quoted,
    shortened,
)
from router._log import Log
from router.catalogue._decision import Decision, decide
from router.catalogue._policy import Policy, alone
from router.models._field_types import ORDERED, read_date
from router.models._index import Index, Masks, mask_of, picked
from router.models._model import Facts, Model, Reader
from router.models._packaged_facts import (
    PACKAGED,
    Documented,
    DocumentedPath,
    documented_facts,
    packaged_as_of,
)
from router.models._vocabulary import DURATIONS, FIELDS, Names, packaged
from router.requirements._expression import LONGEST_REMEMBERED, Requirement, moment
from router.requirements._parser import Need, parse, require

log: Final = Log(__package__)

Default = TypeVar("Default")


GUARD_RAILS: Final[Mapping[str, Requirement]] = MappingProxyType(
    {"lifecycle": parse("maybe lifecycle == active"), "access": parse("maybe access != limited")}
)
"""What is required without being asked for, by the field whose mention makes it fall away."""

_STATED_AS_TEXT: Final = "lifecycle"
"""The field of which a guard-rail also keeps out what is stated as no text: that is stated, and not active."""

_IS_RELATIVE: Final = 2
"""Where the outline of a requirement says so."""

_State = tuple[
    tuple[Model, ...],
    str,
    datetime | None,
    Names,
    tuple[MalformedEntryError, ...],
    Mapping[str, str],
]

BUNDLED_CRC32: Final = 0x8F87DD2E
"""Of `data/bundled.json` as it was packaged; who can forge it can edit this line as well."""

Asked = str | Requirement | Policy | None
"""What a question is asked with: a requirement, as text or as a value, a policy, or nothing for every model."""

_NO_FACTS: Final = Facts()
_REMEMBERED: Final = 1024
"""How many questions a catalogue remembers, with their answers."""

_BUILT_BYTES: Final = 2**26
_BUILT: Final = range(64, 4096)
"""How many masks of terms are kept: as many as fit into so many bytes, within this range."""

_ORDERED_FIELDS: Final = tuple(
    name for name, kind in FIELDS.items() if kind in ORDERED and name not in DURATIONS
)
_RAISE: Final[Any] = object()
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


@frozen
class Change:
    """One value of one model that differs between two catalogues; `None` is unknown."""

    id: str
    name: str
    before: Any
    after: Any


@frozen
class Impact:
    """A policy whose answer differs between two catalogues: the ids, `None` where there is no answer."""

    policy: str
    before: str | None
    after: str | None


@frozen
class CatalogueDiff:
    """What one catalogue has that another has not: ids added and removed, and every changed value."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    impact: tuple[Impact, ...] = ()
    """The policies whose answer changes, where it is known whose; two catalogues alone tell of none."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class Catalogue:
    """An immutable snapshot of models, newest first.

    Newest is the latest `created_at`; an unknown date comes after every known one, and ties go to the
    smaller id. Every answer takes `now`, the aware moment that `age` and `retires_in` are reckoned from.
    """

    __slots__ = (
        "_built",
        "_by_id",
        "_digest",
        "_guards",
        "_index",
        "_odd",
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
        oldest_first = sorted(models, key=lambda model: model.id, reverse=True)
        oldest_first.sort(key=lambda model: model.created_at or _EARLIEST)
        self.models: tuple[Model, ...] = tuple(reversed(oldest_first))
        self.source = source
        self.as_of = as_of
        self.quarantined = tuple(quarantined)
        """What was wrong with the entries of the listing that could not be read."""
        self.validators = dict(validators)
        """What tells the source whether its listing has changed since."""
        self.names = (
            names if names is not None else Names.union(model.names for model in self.models)
        )
        self._index = Index(
            [model.facts for model in oldest_first],
            [model.values for model in oldest_first],
            _ORDERED_FIELDS,
        )
        self._odd = mask_of(
            (row for row, model in enumerate(oldest_first) if _is_odd(model)), len(oldest_first)
        )
        self._by_id = {model.id: model for model in oldest_first}
        if len(self._by_id) != len(oldest_first):
            raise CatalogueError("two models have one id")
        aliases = ((alias, model) for model in oldest_first for alias in model.aliases)
        self._by_id = dict(aliases) | self._by_id
        self.answers: dict[object, Model] = {}
        """What `select` answered, by text: what it would answer again."""
        self._built: dict[str, int] = {}
        self._guards: dict[frozenset[str], int] = {}
        self._digest: str | None = None

    @classmethod
    def bundled(cls, *, documented: DocumentedPath = PACKAGED) -> Catalogue:
        """Return the catalogue that comes with the library: no key and no network.

        Raises `CatalogueError` where its file has been damaged since it was packaged.
        """
        text = packaged("bundled.json")
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
    ) -> Catalogue:
        """Read entries in the shape of `GET /v1/models`, in any order.

        Documented facts are laid over what the entries do not state: the library's own by default,
        those of a file, or none for `None`. Raises `MalformedEntryError` with the path of the first
        entry that cannot be read.
        """
        if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Iterable):
            raise CatalogueError(
                f"a list of entries was expected, as under `data` (got {type(entries).__name__})"
            )
        models, malformed = read_listing(entries, documented_facts(documented))
        if malformed:
            raise malformed[0]
        return cls(models, source=source, as_of=as_of)

    @overload
    def select(
        self,
        requirement: Asked = None,
        /,
        *,
        default: Default,
        now: datetime | None = None,
        **needs: Need,
    ) -> Model | Default: ...

    @overload
    def select(
        self, requirement: Asked = None, /, *, now: datetime | None = None, **needs: Need
    ) -> Model: ...

    def select(
        self,
        requirement: Asked = None,
        /,
        *,
        default: Any = _RAISE,
        now: datetime | None = None,
        **needs: Need,
    ) -> Any:
        """Return the newest model known to meet the requirement and the guard-rails.

        Raises `NoModelError` where there is none, or returns `default` if one is given; raises
        `RequirementError` for a requirement that means nothing.
        """
        if now is not None:
            now = moment(now)
        is_requirement = isinstance(requirement, Requirement)
        question: Any = requirement.text if is_requirement else requirement  # type: ignore[union-attr]
        answers = self.answers
        if not needs:
            try:
                model = answers.get(question)
            except TypeError:  # what cannot be hashed is no requirement: what follows says so
                model = None
            if model is not None:
                return model
        if isinstance(requirement, Policy):
            return self._select_by(alone(requirement, needs), default, now)
        asked: Any = requirement if is_requirement and not needs else require(requirement, **needs)
        if now is None and asked.is_relative:
            now = moment(None)  # one for the search and for its explanation
        rows = self._met(asked, now)
        if rows:
            model = self.models[-rows.bit_length()]
            key = asked.text if needs else question
            if not asked.outline[_IS_RELATIVE] and len(key or "") <= LONGEST_REMEMBERED:
                if len(answers) >= _REMEMBERED:
                    answers.clear()
                answers[key] = model
            return model
        if default is not _RAISE:
            return default
        raise NoModelError(asked, self, moment(now))

    def _select_by(self, policy: Policy, default: Any, now: datetime | None) -> Any:
        self._check_policy(policy)
        now = moment(now)
        for tier in policy.tiers:
            rows = self._met(tier, now)
            if rows:
                best, *_ = self._ranked(policy, rows, now)
                return min(picked(self.models, best), key=policy.standing)
        if default is not _RAISE:
            return default
        raise NoModelError(policy, self, now)

    def _ranked(self, policy: Policy, rows: int, now: datetime | None) -> list[int]:
        """Return the rows in groups that the preferences tell apart, the preferred one first."""
        groups = [rows]
        for preference in policy.prefer:
            yes = self._known(preference, now)
            groups = [
                part for group in groups for part in (group & yes, group ^ (group & yes)) if part
            ]
        return groups

    def _chain(self, policy: Policy, now: datetime | None) -> Iterator[Model]:
        self._check_policy(policy)
        left = self._index.all
        for tier in policy.tiers:
            rows = self._met(tier, now) & left
            left ^= rows
            for group in self._ranked(policy, rows, now):
                yield from sorted(picked(self.models, group), key=policy.standing)

    def candidates(
        self,
        requirement: Asked = None,
        /,
        *,
        limit: int | None = None,
        now: datetime | None = None,
        **needs: Need,
    ) -> tuple[Model, ...]:
        """Return every model known to meet the requirement and the guard-rails, best first, at most `limit`.

        Best is newest, or what the policy says.
        """
        if limit is not None and limit < 0:
            raise RequirementError(f"limit must be at least 0 (got {quoted(limit)})")
        if now is not None:
            now = moment(now)
        if isinstance(requirement, Policy):
            return tuple(islice(self._chain(alone(requirement, needs), now), limit))
        return tuple(picked(self.models, self._met(require(requirement, **needs), now), limit))

    def where(
        self,
        requirement: str | Requirement | None = None,
        /,
        *,
        now: datetime | None = None,
        **needs: Need,
    ) -> tuple[Model, ...]:
        """Return every model known to meet the requirement, newest first: a filter, without guard-rails."""
        return tuple(
            picked(self.models, self._asked(requirement, needs).masks(self._index, moment(now))[0])
        )

    def supports(
        self,
        id: str,
        requirement: str | Requirement | None = None,
        /,
        *,
        now: datetime | None = None,
        **needs: Need,
    ) -> bool:
        """Return whether the model of that id or alias is known to meet the requirement; unknown is `False`.

        Raises `UnknownModelError` for an id that the catalogue does not list.
        """
        return self._asked(requirement, needs).matches(self[id], now=now)

    def explain(
        self, requirement: Asked = None, /, *, now: datetime | None = None, **needs: Need
    ) -> Decision:
        """Return what `select` would answer, with the reason: what each other model lacks, and what is nearest."""
        asked = (
            alone(requirement, needs)
            if isinstance(requirement, Policy)
            else require(requirement, **needs)
        )
        return decide(self, asked, moment(now))

    def diff(self, other: Catalogue) -> CatalogueDiff:
        """Return what `other` has that this one has not: ids added and removed, and every changed value."""
        mine = {model.id: model for model in self}
        theirs = {model.id: model for model in other}
        return CatalogueDiff(
            added=tuple(model.id for model in other if model.id not in mine),
            removed=tuple(model.id for model in self if model.id not in theirs),
            changed=tuple(
                change
                for model in self
                if model.id in theirs
                for change in _changes(model, theirs[model.id])
            ),
        )

    @property
    def digest(self) -> str:
        """The sha256 of the entries in canonical JSON, sorted by id, before documented facts."""
        if self._digest is None:
            from hashlib import sha256

            entries = [model.entry for model in sorted(self.models, key=lambda model: model.id)]
            self._digest = sha256(_canonical(entries).encode("ascii")).hexdigest()
        return self._digest

    @property
    def index(self) -> Index:
        """The bitsets over the models, the newest at the highest bit."""
        return self._index

    def guard_rails(self, fields: frozenset[str]) -> tuple[Requirement, ...]:
        """Return the guard-rails of a requirement that speaks of `fields`.

        A live answer lists only what the key may call, so access is no question there.
        """
        return tuple(
            guard_rail
            for name, guard_rail in GUARD_RAILS.items()
            if name not in fields and not (name == "access" and self.source in {"live", "disk"})
        )

    def admits(self, guard_rail: Requirement, model: Model) -> bool:
        """Return whether a guard-rail lets the model pass: the definition of `admitted`."""
        return guard_rail.matches(model) and not (
            _STATED_AS_TEXT in guard_rail.fields and _is_odd(model)
        )

    def admitted(self, guard_rail: Requirement) -> Masks:
        """Return the rows that a guard-rail lets pass, and those that it is known to keep out."""
        yes, no = guard_rail.masks(self._index, _EARLIEST)
        odd = self._odd if _STATED_AS_TEXT in guard_rail.fields else 0
        return yes ^ (yes & odd), no | odd

    def warmed_by(self, other: Catalogue, has_time: Callable[[], bool] = lambda: True) -> Catalogue:
        """Return this catalogue, ready for the questions that were asked of the other one, while there is time."""
        for fields in list(other._guards):
            self._guard(fields)
        for text in list(other._built):
            if not has_time():
                return self
            with suppress(RouterError):
                self._build(parse(text), None)
        for question in [each for each in list(other.answers) if isinstance(each, str)]:
            if not has_time():
                return self
            with suppress(RouterError):
                self.select(question, default=None)
        return self

    def knowing(self, names: Names) -> Catalogue:
        """Return this catalogue with names that earlier answers carried counted as known."""
        if names.capabilities <= self.names.capabilities and names.fields <= self.names.fields:
            return self
        models, source, as_of, mine, quarantined, validators = self._state()
        return _restored((models, source, as_of, mine | names, quarantined, validators))

    def __getitem__(self, id: str) -> Model:
        """Return the model of that id or documented alias; raises `UnknownModelError`."""
        try:
            return self._by_id[id]
        except KeyError:
            asked: object = id  # whatever it is: an int of 4,301 digits has no text
            raise UnknownModelError(
                asked if isinstance(asked, str) else quoted(asked), known=self._by_id
            ) from None

    def get(self, id: str, default: Default | None = None) -> Model | Default | None:
        """Return the model of that id or documented alias, or `default` if the catalogue does not list it."""
        return self._by_id.get(id, default)

    def __contains__(self, item: object) -> bool:
        """Return whether the catalogue lists a model, or a model of that id or documented alias."""
        if isinstance(item, Model):
            return self._by_id.get(item.id) == item
        return item in self._by_id

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models)

    def __repr__(self) -> str:
        as_of = f" as of {self.as_of:%Y-%m-%d %H:%MZ}" if self.as_of else ""
        return f"<Catalogue of {len(self)} models, {self.source}{as_of}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._state(),)

    def _state(self) -> _State:
        return self.models, self.source, self.as_of, self.names, self.quarantined, self.validators

    def _asked(
        self, requirement: str | Requirement | None, needs: Mapping[str, Need]
    ) -> Requirement:
        asked = require(requirement, **needs)
        self.check_names(asked)
        return asked

    def _met(self, requirement: Requirement, now: datetime | None) -> int:
        """Return the rows known to meet the requirement and its guard-rails."""
        try:
            _, fields, _, texts = requirement.outline
        except AttributeError:
            _, fields, _, texts = requirement.outlined()
        rows = self._guards.get(fields)
        if rows is None:
            rows = self._guard(fields)
        built = self._built
        try:
            for text in texts:
                rows &= built[text]
        except KeyError:
            for term in requirement.terms:
                rows &= self._build(term, now)
        return rows

    def _known(self, requirement: Requirement, now: datetime | None) -> int:
        """Return the rows known to meet the requirement; no guard-rails apply."""
        return reduce(and_, (self._build(term, now) for term in requirement.terms), self._index.all)

    def _build(self, term: Requirement, now: datetime | None) -> int:
        """Return the rows known to meet a term, and keep them unless they depend on the moment."""
        yes = self._built.get(term.text)
        if yes is not None:
            return yes
        self.check_names(term)
        if term.is_relative:
            return term.masks(self._index, moment(now))[0]
        yes = term.masks(self._index, _EARLIEST)[0]
        if len(term.text) > LONGEST_REMEMBERED:
            return yes
        if len(self._built) >= max(
            _BUILT.start, min(_BUILT.stop, _BUILT_BYTES // (self._index.size // 8 + 1))
        ):
            self._built.clear()
        self._built[term.text] = yes
        return yes

    def _guard(self, fields: frozenset[str]) -> int:
        rows = self._index.all
        for guard_rail in self.guard_rails(fields):
            rows &= self.admitted(guard_rail)[0]
        if sum(map(len, fields)) <= LONGEST_REMEMBERED:
            if len(self._guards) >= _REMEMBERED:
                self._guards.clear()
            self._guards[fields] = rows
        return rows

    def _check_policy(self, policy: Policy) -> None:
        """Check every name, also of what is not come to today: it will be on a worse day."""
        for each in (*policy.tiers, *policy.prefer):
            self.check_names(each)

    def check_names(self, requirement: Requirement) -> None:
        """Raise `UnknownNameError` for a name that neither the vocabulary nor this catalogue knows."""
        for name in sorted(requirement.capabilities):  # the same error each time
            if not self.names.knows_capability(name):
                if self.names.knows_field(name) or any(
                    self.names.knows_field(name[:at]) for at, mark in enumerate(name) if mark == "."
                ):
                    raise RequirementError(
                        f"{quoted(name)} is a field, not a capability: compare it, as in '{shortened(name)} == ...'"
                    )
                raise UnknownNameError(name, self.meant(name))
        for name in sorted(requirement.fields):
            if not self.names.knows_field(name):
                if self.names.knows_capability(name):
                    short = shortened(name)
                    raise RequirementError(
                        f"{quoted(name)} is a capability: write '{short}' or 'not {short}', without a comparison"
                    )
                raise UnknownNameError(name, self.meant(name))

    def meant(self, name: str) -> tuple[str, ...]:
        """Return what may have been meant by a name that nobody knows: a model, a line, or the names most like it."""
        if name in self:
            return (f"id == {self[name].id}",)
        if any(model.line == name for model in self):
            return (f"line == {name}",)
        return self.names.nearest(name)


def _check_bundled(text: bytes) -> None:
    """Say so where the bundled catalogue is not the one that was packaged; it may have been edited with intent."""
    if crc32(text) != BUNDLED_CRC32:
        log.warning("the bundled catalogue has been changed since it was packaged")


def impact_of(
    names: Iterable[str],
    before: Catalogue,
    after: Catalogue,
    answer: Callable[[str, Catalogue], Model | None],
) -> tuple[Impact, ...]:
    """Return the policies whose answer changes from one catalogue to the other, as `answer` gives it.

    What cannot be answered, whatever the reason, is no answer: one policy does not hide the impact on the others.
    """

    def id_of(name: str, catalogue: Catalogue) -> str | None:
        with suppress(RouterError):
            model = answer(name, catalogue)
            return model.id if model is not None else None
        return None

    impacts = (Impact(name, id_of(name, before), id_of(name, after)) for name in names)
    return tuple(each for each in impacts if each.before != each.after)


def _is_odd(model: Model) -> bool:
    return _STATED_AS_TEXT not in model.values and model.states(_STATED_AS_TEXT)


def _canonical(value: object) -> str:
    """Return the one text of a JSON value, where 1, 1.0 and true stay three."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_listing(
    entries: Iterable[object], documented: Documented, *, given_up: bool = False
) -> tuple[list[Model], list[MalformedEntryError]]:
    """Read every entry, and return the models apart from what is wrong with the others.

    Two identical entries of one id are one; of two that differ neither can be trusted. Entries that are
    `given_up` need no copy.
    """
    reader = Reader(given_up=given_up)
    models: dict[str, Model] = {}
    disputed: set[str] = set()
    malformed: list[MalformedEntryError] = []
    for at, entry in enumerate(entries):
        path = f"data[{at}]"
        id = entry.get("id") if isinstance(entry, dict) else None
        try:
            model = reader.read(
                entry, path, documented.get(id, _NO_FACTS) if isinstance(id, str) else _NO_FACTS
            )
        except MalformedEntryError as error:
            malformed.append(error)
            continue
        first = models.setdefault(model.id, model)
        if first is not model and _canonical(first.entry) != _canonical(model.entry):
            disputed.add(model.id)
            expected = "of one entry only, or of equal ones"
            malformed.append(ConflictingEntriesError(f"{path}.id", expected, f"{id!r} again"))
    return [model for model in models.values() if model.id not in disputed], malformed


def _changes(before: Model, after: Model) -> Iterator[Change]:
    for name in sorted({*before.facts, *after.facts, *before.values, *after.values}):
        old, new = (model.facts.get(name, model.values.get(name)) for model in (before, after))
        if old != new and name not in DURATIONS:
            yield Change(before.id, name, old, new)


def _restored(state: _State) -> Catalogue:
    models, source, as_of, names, quarantined, validators = state
    return Catalogue(
        models,
        source=source,
        as_of=as_of,
        names=names,
        quarantined=quarantined,
        validators=validators,
    )
