"""Why: the reason for a model's rank by a policy or requirement, or for its exclusion."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from attrs import frozen

from router._serialising import Serialisable
from router.catalogue._catalogue import Catalogue
from router.catalogue._policy import Need, Policy
from router.catalogue._ranking import places
from router.catalogue._terms import Term, Unmet, unmet_terms
from router.models._model import Model
from router.requirements._expression import Requirement, resolve_now


@frozen(repr=False)
class Why(Serialisable):
    """A model compared with the selected one: its place, or the terms that it does not meet."""

    model: Model
    selected: Model | None
    place: int | None
    """The place among the candidates, from 1; `None` if the model is not a candidate."""
    candidates: int
    because: str
    """Why the selected model precedes this or the next one; empty without another candidate."""
    lacks: tuple[tuple[Unmet, ...], ...]
    """Terms that the model fails, by tier; empty if it is a candidate."""

    json_names: ClassVar = ("model", "selected", "place", "candidates", "because", "lacks")

    def __str__(self) -> str:
        id = self.model.id
        if self.place is None:
            selected = f"; {self.selected.id} is selected" if self.selected is not None else ""
            lines = [f"{id} is not a candidate{selected}"]
            for at, unmet in enumerate(self.lacks):
                of = (
                    f", of {f'alternative {at}' if at else 'the requirement'}:"
                    if len(self.lacks) > 1
                    else ""
                )
                lines.append(f"  it lacks{of} {'; '.join(map(_lack, unmet))}")
            return "\n".join(lines)
        only = (
            ", the only candidate"
            if self.candidates == 1
            else f", the first of {self.candidates} candidates"
        )
        if self.place == 1:
            return f"{id} is selected{only}{f': {self.because}' if self.because else ''}"
        first = self.selected.id if self.selected is not None else ""
        return f"{id} is number {self.place} of {self.candidates} candidates; {first} is selected: {self.because}"


def why(
    catalogue: Catalogue,
    model: str | Model,
    need: Need = None,
    *,
    now: datetime | None = None,
) -> Why:
    """Compare a model with the one that `catalogue.select(need)` returns.

    Raises `UnknownModelError` if the catalogue does not list the model, and `RequirementError` for
    an invalid need.
    """
    at = resolve_now(now)
    policy = need if isinstance(need, Policy) else Policy(require=need)
    model = catalogue.listed(model) if isinstance(model, Model) else catalogue[model]
    chain = places(catalogue, policy, at)
    selected = chain[0].model if chain else None
    place = next((n for n, each in enumerate(chain, 1) if each.model is model), None)
    if place is None:
        lacks = tuple(_lacks(catalogue, tier, model, at) for tier in policy.tiers)
        return Why(model, selected, None, len(chain), "", lacks)
    # The selected model is compared with this one, or with the next if this one is selected.
    other = chain[max(place - 1, 1)] if len(chain) > 1 else None
    because = chain[0].because(other) if other is not None else ""
    return Why(model, selected, place, len(chain), because, ())


def _lack(unmet: Unmet) -> str:
    return f"{unmet}{' [default filter]' if unmet.term.implicit else ''}"


def _lacks(
    catalogue: Catalogue, tier: Requirement, model: Model, now: datetime
) -> tuple[Unmet, ...]:
    kept_out = (
        Unmet(Term(each, implicit=True), support=False, found=_found(each, model))
        for each in catalogue.failed_filters(tier.fields, model)
    )
    return (*unmet_terms(tier, model, now=now), *kept_out)


def _found(default_filter: Requirement, model: Model) -> str | None:
    return next(
        (model.comparable[name] for name in default_filter.fields if name in model.comparable), None
    )
