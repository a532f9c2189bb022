"""Decision: why this model, why not the others, and what is nearest when there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice, takewhile
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import evolve, field, frozen

from router._errors import nearest, printable
from router.catalogue._policy import Policy
from router.models._field_types import KINDS, NEVER
from router.models._index import rows_of
from router.models._model import Model, Support
from router.models._vocabulary import DURATIONS
from router.requirements._expression import Maybe, Places, Requirement, moment
from router.requirements._literals import Comparison

if TYPE_CHECKING:
    from router.catalogue._catalogue import Catalogue

_SHOWN: Final = 3
_TALLIED: Final = 20
_WIDTH: Final = 400
_FUTURE: Final = timedelta(hours=48)


class Reason(Enum):
    """Why a decision names the model it names."""

    NEWEST = "newest"
    """It is the newest of the candidates."""
    PREFERRED = "preferred"
    """A preference of the policy puts it before the newest of the candidates."""
    ORDERED = "ordered"
    """The order of the policy, as cheapest, puts it before the newest of the candidates."""
    ALTERNATIVE = "alternative"
    """No model is known to meet the requirement of the policy; it is the best for the first alternative that is met."""
    LOCKED = "locked"
    """A lock names it: it was the best for the policy when that was locked."""
    NO_MATCH = "no_match"
    """There is none: no model is known to meet the requirement."""


@frozen
class Term:
    """One condition that a model must meet; `implicit` for a guard-rail that nobody spelled out."""

    requirement: Requirement
    implicit: bool = False

    def __str__(self) -> str:
        return self.requirement.text


@frozen
class Unmet:
    """A term that a model does not meet: `support` is `False` where that is known, `None` where it is unknown.

    `found` is the model's own value where the term compares a field that is known.
    """

    term: Term
    support: Support
    found: Any = None

    def __str__(self) -> str:
        return f"{self.term} ({self.why})"

    @property
    def why(self) -> str:
        """`unsupported` or `unknown`, or the value found instead."""
        if self.support is None:
            return "unknown"
        if self.found is None:
            return "unsupported"
        compared = _compared(self.term.requirement)
        source = DURATIONS.get(compared.field, {}).get("field", "") if compared is not None else ""
        return f"{source} is {shown(self.found)}".strip()


def shown(value: Any) -> str:
    """Return a field's value as text for people, safe for a terminal."""
    if isinstance(value, datetime):
        return "not scheduled" if value == NEVER else KINDS["date"].write(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(printable, value))})"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return printable(str(value))
    return KINDS["number"].write(value)


@frozen
class Decision:
    """An answer with its reason: the model, or `None`; what was asked; and what each other model lacks."""

    model: Model | None
    reason: Reason
    requirement: Requirement
    terms: tuple[Term, ...]
    """The conjuncts of the requirement, then the guard-rails that applied."""
    candidates: tuple[str, ...]
    """The ids of every model that meets all terms, best first."""
    _rejected: dict[str, tuple[Unmet, ...]]
    nearest: tuple[str, ...]
    """On no match, the ids that lack the fewest terms: what they lack is the smallest relaxation."""
    notes: tuple[str, ...]
    catalogue: Catalogue = field(eq=False, repr=False)
    policy: Policy | None = None
    """The policy that was asked for; `requirement` is then the one of its requirements that decided."""
    stale: bool = False
    """Whether the catalogue was older than it was allowed to be."""
    places: Places = field(factory=dict)
    """The places of a request that ask for each term, by the text of the term."""

    @property
    def rejected(self) -> Mapping[str, tuple[Unmet, ...]]:
        """The terms that each model lacks which does not meet the requirement, by id, newest first."""
        return MappingProxyType(self._rejected)

    @property
    def source(self) -> str:
        """Where the catalogue came from: `live`, `disk`, `bundled`, `file` or `static`."""
        return self.catalogue.source

    @property
    def as_of(self) -> datetime | None:
        """When the catalogue was true."""
        return self.catalogue.as_of

    @property
    def digest(self) -> str:
        """The sha256 of the catalogue's entries."""
        return self.catalogue.digest

    def locked(self, model: Model, note: str) -> Decision:
        """Return the decision for a model that a lock names: it comes first, and the other candidates follow."""
        notes = tuple(each for each in self.notes if each not in note)
        if self.model is not None and self.model.id != model.id:
            notes = ("; ".join((f"without the lock it would be {self.model.id}", *notes)),)
        return evolve(
            self,
            model=model,
            reason=Reason.LOCKED,
            candidates=(model.id, *(id for id in self.candidates if id != model.id)),
            nearest=(),
            notes=(note, *notes),
        )

    def unmet(self, id: str) -> tuple[Unmet, ...]:
        """Return what a rejected model lacks, guard-rails apart."""
        return tuple(each for each in self._rejected.get(id, ()) if not each.term.implicit)

    def __str__(self) -> str:
        lines = self._found() if self.model else self._missed()
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _found(self) -> list[str]:
        assert self.model is not None  # noqa: S101 - for the type checker
        others = len(self.candidates) - 1
        meeting = sum(id not in self._rejected for id in self.candidates)
        behind = f" of {meeting} candidates" if meeting > 1 else ", the only candidate"
        if self.reason is Reason.LOCKED:
            behind = ""
        asked = f" by the policy {self.policy.name}" if self.policy and self.policy.name else ""
        lines = [
            f"{self.model.id}: {self.reason.value}{behind} for {_short(self.requirement)}{asked}"
        ]
        if others:
            lines.append(f"then {_listed(self.candidates[1:])}")
        return lines + self._tally()

    def _tally(self) -> list[str]:
        total = len(self.catalogue)
        failing = self._failing()
        lines = []
        for term in self.terms[:_TALLIED]:
            supports = failing.get(term, [])
            counts = [f"met by {total - len(supports)} of {total}"]
            if supports.count(None):
                counts.append(f"unknown for {supports.count(None)}")
            counts += self._asked_at(term)
            rail = " [guard-rail]" if term.implicit else ""
            lines.append(f"  {_short(term.requirement)}: {', '.join(counts)}{rail}")
        if len(self.terms) > _TALLIED:
            lines.append(f"  and {len(self.terms) - _TALLIED} more terms")
        return lines

    def _asked_at(self, term: Term) -> list[str]:
        """Return the words for where a request asks for the term, none where no request does."""
        places = self.places.get(str(term), ())
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        return [f"asked at {printable(', '.join(places[:_SHOWN]))}{more}"] if places else []

    def _with_hint(self, requirement: Requirement) -> str:
        """Return the text of a requirement that nobody meets, and the values that may have been meant."""
        values = [model.values.get(next(iter(requirement.fields), "")) for model in self.catalogue]
        near = [
            each
            for text in _texts_of(requirement)
            for each in nearest(text, filter(None, values), limit=1)
        ]
        return _short(requirement) + (
            f"; did you mean {' or '.join(map(printable, near))}?" if near else ""
        )

    def _failing(self) -> dict[Term, list[Support]]:
        """Return the supports of every term that some model does not meet."""
        failing: dict[Term, list[Support]] = {}
        for unmet in self._rejected.values():
            for each in unmet:
                failing.setdefault(each.term, []).append(each.support)
        return failing

    def _missed(self) -> list[str]:
        total = len(self._rejected)
        lines = [f"no model meets {_short(self.requirement)}"]
        if not total:
            return [*lines, "  the catalogue is empty"]
        hopeless = [
            self._asked_at(term) for term in self.terms if term.requirement.is_unsatisfiable()
        ]
        if any(hopeless):
            return [f"no model takes what is {place}" for places in hopeless for place in places]
        if self.requirement.is_unsatisfiable():
            return [*lines, "  no model ever can: its terms contradict each other"]
        failing = self._failing()
        unmet_by_all = [term for term in self.terms if len(failing.get(term, ())) == total]
        for term in unmet_by_all[:_SHOWN]:
            lines += [
                f"  nobody meets: {', '.join((self._with_hint(term.requirement), *self._asked_at(term)))}"
            ]
        if len(unmet_by_all) > _SHOWN:
            lines.append(f"  nor {len(unmet_by_all) - _SHOWN} more terms")
        guarded = [id for id in self._rejected if not self.unmet(id)]
        for id in guarded[:_SHOWN]:
            rails = "; ".join(
                f"{_short(each.term.requirement)} ({each.why})" for each in self._rejected[id]
            )
            lines.append(f"  {id} meets it, but not the guard-rail {rails}")
        if not unmet_by_all and not guarded:
            lines.append("  each term is met by some model, but no model meets them all")
        if self.nearest:
            lines.append("  nearest:")
        for id in self.nearest[:_SHOWN]:
            lacks = "; ".join(
                f"{_short(each.term.requirement)} ({', '.join((each.why, *self._asked_at(each.term)))})"
                for each in self.unmet(id)[:_SHOWN]
            )
            more = len(self.unmet(id)) - _SHOWN
            lines.append(f"    {id} lacks {lacks}{f' and {more} more terms' if more > 0 else ''}")
        return lines


def _texts_of(requirement: Requirement) -> tuple[str, ...]:
    """Return the texts of which a field has to equal one; none for any other requirement."""
    if (
        not isinstance(requirement, Comparison)
        or requirement.kind != "text"
        or requirement.op not in {"==", "in"}
    ):
        return ()
    return requirement.value if isinstance(requirement.value, tuple) else (requirement.value,)


def decide(catalogue: Catalogue, asked: Requirement | Policy, now: datetime) -> Decision:
    """Return the best model of `catalogue` for a requirement and its guard-rails, or a policy, with the reason."""
    policy = asked if isinstance(asked, Policy) else None
    tiers = policy.tiers if policy is not None else (cast("Requirement", asked),)
    chain = catalogue.candidates(asked, now=now)
    model = chain[0] if chain else None
    tier = next(
        (at for at, each in enumerate(tiers) if catalogue.candidates(each, limit=1, now=now)), 0
    )
    requirement = tiers[tier]
    terms = (
        *(Term(each) for each in requirement.terms),
        *(Term(each, implicit=True) for each in catalogue.guard_rails(requirement.fields)),
    )
    top = len(catalogue.models) - 1
    lacking = _lacking(catalogue, terms, now)
    rejected = {
        catalogue.models[top - row].id: lacking[row] for row in sorted(lacking, reverse=True)
    }
    reason, why = _ranking(catalogue, policy, tier, model, now)
    return Decision(
        model=model,
        reason=reason,
        requirement=requirement,
        terms=terms,
        candidates=tuple(each.id for each in chain),
        rejected=rejected,
        nearest=() if model else _nearest(catalogue, terms, rejected),
        notes=(*why, *_notes(catalogue, requirement, model, rejected, now)),
        catalogue=catalogue,
        policy=policy,
        places=dict(policy.require.places if policy is not None else requirement.places),
    )


def _ranking(
    catalogue: Catalogue, policy: Policy | None, tier: int, model: Model | None, now: datetime
) -> tuple[Reason, tuple[str, ...]]:
    """Return which rule of the policy put this model first, and what there is to say of it."""
    if model is None:
        return Reason.NO_MATCH, ()
    if policy is None:
        return Reason.NEWEST, ()
    why: tuple[str, ...] = ()
    if tier:
        why = (
            f"no model meets {_short(policy.tiers[0])}; this is alternative {tier} of {len(policy.alternatives)}",
        )
    (newest,) = catalogue.candidates(policy.tiers[tier], limit=1, now=now)
    if newest is model:
        return Reason.ALTERNATIVE if tier else Reason.NEWEST, why
    for preference in policy.prefer:
        if preference.matches(model, now=now) and not preference.matches(newest, now=now):
            why = (*why, f"preferred to the newer {newest.id} for {_short(preference)}")
            return Reason.ALTERNATIVE if tier else Reason.PREFERRED, why
    why = (*why, f"{policy.order}, before the newer {newest.id}")
    return Reason.ALTERNATIVE if tier else Reason.ORDERED, why


def standings(
    catalogue: Catalogue, policy: Policy, now: datetime | None = None
) -> tuple[tuple[Model, str], ...]:
    """Return the chain of a policy, each model with what put it into its place."""
    at = moment(now)
    chain = catalogue.candidates(policy, now=at)
    tiers = [set(catalogue.candidates(each, now=at)) for each in policy.tiers]
    return tuple((model, _standing(policy, tiers, model, at)) for model in chain)


def _standing(policy: Policy, tiers: Sequence[set[Model]], model: Model, now: datetime) -> str:
    tier = next(at for at, each in enumerate(tiers) if model in each)
    reasons = [f"alternative {tier}: {_short(policy.tiers[tier])}"] if tier else []
    preferred = [_short(each) for each in policy.prefer if each.matches(model, now=now)]
    reasons += [f"preferred for {', '.join(preferred)}"] if preferred else []
    reasons += [
        f"{name} {shown(model.values[name])}" for name in policy.ranked_by if name in model.values
    ]
    if not reasons and model.created_at:
        reasons = [f"released {shown(model.created_at)}"]
    return "; ".join(reasons) or "of no known date"


def unmet_terms(
    requirement: Requirement, model: Model, *, now: datetime | None = None
) -> tuple[Unmet, ...]:
    """Return the terms of the requirement that one model does not meet; no guard-rails apply."""
    at = moment(now)
    supports = ((Term(each), each.truth(model, at)) for each in requirement.terms)
    return tuple(_unmet(term, support, model) for term, support in supports if support is not True)


def _unmet(term: Term, support: Support, model: Model) -> Unmet:
    compared = _compared(term.requirement)
    return Unmet(term, support, model.values.get(compared.field) if compared is not None else None)


def _compared(requirement: Requirement) -> Comparison | None:
    """Return the one comparison that a term is, also behind a `maybe`."""
    inside = requirement.part if isinstance(requirement, Maybe) else requirement
    return inside if isinstance(inside, Comparison) else None


def _lacking(
    catalogue: Catalogue, terms: tuple[Term, ...], now: datetime
) -> dict[int, tuple[Unmet, ...]]:
    index = catalogue.index
    top = index.size - 1
    lacking: dict[int, list[Unmet]] = {}
    for term in terms:
        yes, no = (
            catalogue.admitted(term.requirement)
            if term.implicit
            else term.requirement.masks(index, now)
        )
        known = set(rows_of(no))
        for row in rows_of(index.all ^ yes):
            unmet = _unmet(term, False if row in known else None, catalogue.models[top - row])
            lacking.setdefault(row, []).append(unmet)
    return {row: tuple(each) for row, each in lacking.items()}


def _nearest(
    catalogue: Catalogue, terms: tuple[Term, ...], rejected: Mapping[str, tuple[Unmet, ...]]
) -> tuple[str, ...]:
    """Return the ids that lack the fewest terms and would be admitted if those were dropped.

    A guard-rail comes back when the last term that spoke of its field is dropped.
    """
    by_count: dict[int, list[str]] = {}
    for id, unmet in rejected.items():
        by_count.setdefault(sum(not each.term.implicit for each in unmet), []).append(id)
    for count in sorted(by_count.keys() - {0}):
        admitted = [id for id in by_count[count] if _admitted(catalogue, id, terms, rejected[id])]
        if admitted:
            return tuple(admitted)
    return ()


def _admitted(
    catalogue: Catalogue, id: str, terms: tuple[Term, ...], unmet: tuple[Unmet, ...]
) -> bool:
    dropped = {each.term for each in unmet}
    remaining = [
        each.requirement.fields for each in terms if not each.implicit and each not in dropped
    ]
    return all(
        catalogue.admits(guard_rail, catalogue[id])
        for guard_rail in catalogue.guard_rails(frozenset().union(*remaining))
    )


def _notes(
    catalogue: Catalogue,
    requirement: Requirement,
    model: Model | None,
    rejected: Mapping[str, tuple[Unmet, ...]],
    now: datetime,
) -> Iterator[str]:
    if model:
        if model.created_at is None:
            yield f"{model.id} has no known release date, so it ranks after every dated model"
        elif model.created_at > now + _FUTURE:
            yield f"{model.id} is dated in the future: {KINDS['date'].write(model.created_at)}"
        for name in sorted(requirement.fields & model.corrections.keys()):
            yield _corrected(model, name)
    newer = takewhile(lambda each: each is not model, catalogue.models)
    decided = (
        note
        for each in newer
        if each.id in rejected
        for note in _decided(each, rejected[each.id], now)
    )
    yield from islice(decided, _SHOWN)


def _decided(model: Model, unmet: tuple[Unmet, ...], now: datetime) -> Iterator[str]:
    """Say so where nothing but a documented fact keeps this model from being the answer."""
    asked = [each.term.requirement for each in unmet]
    if all(isinstance(each, Comparison) and each.field in model.corrections for each in asked):
        fields = {name for each in asked for name in each.fields}
        reported = {
            name: each.reported for name, each in model.corrections.items() if name in fields
        }
        as_reported = evolve(model, values={**model.values, **reported})
        if all(each.matches(as_reported, now=now) for each in asked):
            yield from (_corrected(model, name) for name in reported)
    traits = frozenset[str]().union(*(each.capabilities for each in asked))
    plain = not any(each.fields for each in asked)
    if traits and plain and traits <= model.documented.keys():
        yield f"{model.id} is out for documented facts alone, not stated by the API: {', '.join(sorted(traits))}"


def _corrected(model: Model, name: str) -> str:
    correction = model.corrections[name]
    return (
        f"{model.id} has {name} {shown(correction.value)}, not the {shown(correction.reported)} "
        f"that the API reports: {correction.why}"
    )


def _short(requirement: Requirement) -> str:
    text = requirement.text
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}... ({len(requirement.terms)} terms)"


def _listed(ids: tuple[str, ...], shown: int = 5) -> str:
    more = len(ids) - shown
    return ", ".join(ids[:shown]) + (f" and {more} more" if more > 0 else "")
