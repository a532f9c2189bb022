"""Deciding: works out from a catalogue which model answers a requirement or a policy, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Final

from attrs import evolve

from router._errors import nearest
from router.catalogue._explanation import Explanation, Reason
from router.catalogue._policy import Policy
from router.catalogue._ranking import Place
from router.catalogue._snapshot import Snapshot
from router.catalogue._terms import Term, Unmet, abbreviated, format_value, unmet_term
from router.models._field_types import KINDS
from router.models._index import rows_of
from router.models._model import Model
from router.models._packaged_facts import Correction
from router.requirements._expression import Requirement
from router.requirements._literals import Comparison

_MAX_NOTES: Final = 3
_FUTURE: Final = timedelta(hours=48)
"""How far ahead a release date may be before a note says so."""


def explain(catalogue: Snapshot, asked: Requirement | Policy, now: datetime) -> Explanation:
    """Return the best model of `catalogue` for a requirement and its default filters, or a policy, with the reason."""
    policy = asked if isinstance(asked, Policy) else None
    tiers = asked.tiers if isinstance(asked, Policy) else (asked,)
    chain = catalogue.candidates(asked, now=now)
    model = chain[0] if chain else None
    tier = next(
        (at for at, each in enumerate(tiers) if catalogue.candidates(each, limit=1, now=now)), 0
    )
    requirement = tiers[tier]
    terms = (
        *(Term(each) for each in requirement.terms),
        *(Term(each, implicit=True) for each in catalogue.default_filters(requirement.fields)),
    )
    top = len(catalogue.models) - 1
    lacking = _lacking(catalogue, terms, now)
    rejected = {catalogue.models[top - row]: lacking[row] for row in sorted(lacking, reverse=True)}
    reason, why = _ranking(catalogue, policy, tier, model, now)
    return Explanation(
        model=model,
        reason=reason,
        requirement=requirement,
        terms=terms,
        candidates=chain,
        rejected=rejected,
        nearest=() if model else _nearest(catalogue, terms, rejected),
        notes=(*why, *_notes(catalogue, requirement, model, rejected, now)),
        catalogue=catalogue,
        policy=policy,
        places=dict(policy.require.places if policy is not None else requirement.places),
    )


def _ranking(
    catalogue: Snapshot, policy: Policy | None, tier: int, model: Model | None, now: datetime
) -> tuple[Reason, tuple[str, ...]]:
    """Return which rule of the policy put this model first, and the notes about it."""
    if model is None:
        return Reason.NO_MATCH, ()
    if policy is None:
        return Reason.NEWEST, ()
    notes: tuple[str, ...] = ()
    if tier:
        count = len(policy.alternatives)
        unmet = abbreviated(policy.tiers[0])
        notes = (f"no model satisfies {unmet}; this is alternative {tier} of {count}",)
    reason = Reason.NEWEST
    (newest,) = catalogue.candidates(policy.tiers[tier], limit=1, now=now)
    if newest is not model:
        first, second = (Place.of(each, policy, tier, now) for each in (model, newest))
        preference = first.preference_before(second)
        if preference is not None:
            reason = Reason.PREFERRED
            notes += (f"preferred to the newer {newest.id} for {abbreviated(preference)}",)
        else:
            reason = Reason.ORDERED
            notes += (f"{policy.order}, before the newer {newest.id}",)
    return Reason.ALTERNATIVE if tier else reason, notes


def _lacking(
    catalogue: Snapshot, terms: tuple[Term, ...], now: datetime
) -> dict[int, tuple[Unmet, ...]]:
    index = catalogue.index
    top = index.size - 1
    lacking: dict[int, list[Unmet]] = {}
    for term in terms:
        yes, no = (
            catalogue.filter_masks(term.requirement)
            if term.implicit
            else term.requirement.masks(index, now)
        )
        known = set(rows_of(no))
        for row in rows_of(index.all ^ yes):
            unmet = unmet_term(term, False if row in known else None, catalogue.models[top - row])
            lacking.setdefault(row, []).append(unmet)
    return {row: tuple(each) for row, each in lacking.items()}


def _nearest(
    catalogue: Snapshot, terms: tuple[Term, ...], rejected: Mapping[Model, tuple[Unmet, ...]]
) -> tuple[Model, ...]:
    """Return the models that lack the fewest terms and would be admitted if those were dropped.

    A default filter comes back when the last term that spoke of its field is dropped.
    """
    by_count: dict[int, list[Model]] = {}
    for model, unmet in rejected.items():
        by_count.setdefault(sum(not each.term.implicit for each in unmet), []).append(model)
    for count in sorted(by_count.keys() - {0}):
        relaxed = [
            model
            for model in by_count[count]
            if _admitted(catalogue, model, terms, rejected[model])
        ]
        if relaxed:
            return _most_similar_first(catalogue, relaxed, rejected)
    return ()


def _most_similar_first(
    catalogue: Snapshot, models: list[Model], rejected: Mapping[Model, tuple[Unmet, ...]]
) -> tuple[Model, ...]:
    """Put the models first whose own value resembles a string that no model has."""
    likest: dict[tuple[str, object], int] = {}
    for asked in {each.term.requirement for model in models for each in rejected[model]}:
        if isinstance(asked, Comparison) and asked.kind == "text" and asked.op in {"==", "in"}:
            values: set[str] = {model.comparable.get(asked.field, "") for model in catalogue}
            texts = asked.value if isinstance(asked.value, tuple) else (asked.value,)
            for text in set(texts) - values:
                for at, value in enumerate(nearest(text, values)):
                    likest[asked.field, value] = min(at, likest.get((asked.field, value), at))

    def rank(model: Model) -> tuple[bool, int]:
        ranks = (likest.get(item, len(likest)) for item in model.values.items())
        return _lacks_id(rejected[model]), min(ranks, default=0)

    return tuple(sorted(models, key=rank))


def _lacks_id(unmet: tuple[Unmet, ...]) -> bool:
    """Return whether a model is not the one that is named: the model that is named comes before it."""
    asked = (each.term.requirement for each in unmet)
    return any(
        isinstance(each, Comparison) and each.field == "id" and each.op in {"==", "in"}
        for each in asked
    )


def _admitted(
    catalogue: Snapshot, model: Model, terms: tuple[Term, ...], unmet: tuple[Unmet, ...]
) -> bool:
    dropped = {each.term for each in unmet}
    remaining = [
        each.requirement.fields for each in terms if not each.implicit and each not in dropped
    ]
    return not catalogue.failed_filters(frozenset().union(*remaining), model)


def _notes(
    catalogue: Snapshot,
    requirement: Requirement,
    model: Model | None,
    rejected: Mapping[Model, tuple[Unmet, ...]],
    now: datetime,
) -> Iterator[str]:
    if model:
        name = catalogue.name_of(model)
        if model.created_at is None:
            yield f"{name} has no known release date, so it ranks after every dated model"
        elif model.created_at > now + _FUTURE:
            yield f"{name} is dated in the future: {KINDS['date'].write(model.created_at)}"
        for field in sorted(requirement.fields & model.corrections.keys()):
            yield _corrected(name, field, model.corrections[field])
    newer = takewhile(lambda each: each is not model, catalogue.models)
    decided = (
        note
        for each in newer
        if each in rejected
        for note in _decided(catalogue.name_of(each), each, rejected[each], now)
    )
    yield from islice(decided, _MAX_NOTES)


def _decided(name: str, model: Model, unmet: tuple[Unmet, ...], now: datetime) -> Iterator[str]:
    """Say so where nothing but a documented fact keeps this model from being the answer."""
    asked = [each.term.requirement for each in unmet]
    if all(isinstance(each, Comparison) and each.field in model.corrections for each in asked):
        fields = {field for each in asked for field in each.fields}
        corrected = {key: each for key, each in model.corrections.items() if key in fields}
        reported = {key: each.reported for key, each in corrected.items()}
        as_reported = evolve(model, comparable={**model.comparable, **reported})
        if all(each.matches(as_reported, now=now) for each in asked):
            yield from (_corrected(name, key, each) for key, each in corrected.items())
    traits = frozenset[str]().union(*(each.capabilities for each in asked))
    plain = not any(each.fields for each in asked)
    if traits and plain and traits <= model.documented.keys():
        names = ", ".join(sorted(traits))
        yield f"{name} is excluded only by documented facts, which the API does not state: {names}"


def _corrected(name: str, field: str, correction: Correction) -> str:
    return (
        f"{name} has {field} {format_value(correction.value)}, not the {format_value(correction.reported)} "
        f"that the API reports: {correction.why}"
    )
