"""Ranking: the place of a model in the chain of a policy, and why it precedes another."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from router.catalogue._policy import Policy
from router.catalogue._snapshot import Snapshot
from router.catalogue._terms import abbreviated, format_value
from router.models._model import Model
from router.requirements._expression import Requirement, resolve_now


@frozen
class Place:
    """The reasons for a model's place in the chain of a policy."""

    model: Model
    policy: Policy
    tier: int
    """The index of the first tier of the policy that the model meets."""
    preferred: tuple[bool, ...]
    """Whether the model is known to meet each preference of the policy."""

    @classmethod
    def of(cls, model: Model, policy: Policy, tier: int, now: datetime) -> Place:
        """Return the place of a model in that tier."""
        return cls(
            model, policy, tier, tuple(each.matches(model, now=now) for each in policy.prefer)
        )

    def preference_before(self, other: Place) -> Requirement | None:
        """Return the first preference in which two models of one tier differ."""
        for preference, mine, its in zip(
            self.policy.prefer, self.preferred, other.preferred, strict=True
        ):
            if mine != its:
                return preference
        return None

    def field_before(self, other: Place) -> str | None:
        """Return the first field of the order in which the two models differ."""
        keys = zip(self.policy.sort_key(self.model), self.policy.sort_key(other.model), strict=True)
        for name, (mine, its) in zip(self.policy.ranked_by, keys, strict=True):
            if mine != its:
                return name
        return None

    def because(self, other: Place) -> str:
        """Return the first rule of the policy that puts this model before the other one."""
        first, second = self.model, other.model
        if self.tier != other.tier:
            met = f"alternative {self.tier}" if self.tier else "what is required"
            return f"it meets {met}, {second.id} but a later alternative"
        preference = self.preference_before(other)
        if preference is not None:
            return f"it is preferred to {second.id} for {preference}"
        name = self.field_before(other)
        if name is not None:
            mine, its = (
                format_value(each.comparable[name]) if name in each.comparable else "unknown"
                for each in (first, second)
            )
            return f"{self.policy.order}, {name} is {mine}, of {second.id} {its}"
        if first.created_at == second.created_at:
            return f"it is as old as {second.id}, and its id is the smaller one"
        mine, its = (
            f"{each.created_at:%Y-%m-%d}" if each.created_at is not None else "on an unknown day"
            for each in (first, second)
        )
        return f"it is newer, released {mine}, {second.id} {its}"

    def __str__(self) -> str:
        reasons = []
        if self.tier:
            reasons.append(f"alternative {self.tier}: {abbreviated(self.policy.tiers[self.tier])}")
        met = zip(self.policy.prefer, self.preferred, strict=True)
        preferred = ", ".join(abbreviated(each) for each, is_met in met if is_met)
        if preferred:
            reasons.append(f"preferred for {preferred}")
        values = self.model.comparable
        reasons += [
            f"{name} {format_value(values[name])}"
            for name in self.policy.ranked_by
            if name in values
        ]
        if not reasons and self.model.created_at:
            reasons.append(f"released {format_value(self.model.created_at)}")
        return "; ".join(reasons) or "release date unknown"


def places(catalogue: Snapshot, policy: Policy, now: datetime | None = None) -> tuple[Place, ...]:
    """Return the place of every candidate of a policy, best first."""
    at = resolve_now(now)
    tiers = [frozenset(catalogue.candidates(each, now=at)) for each in policy.tiers]
    return tuple(
        Place.of(model, policy, next(n for n, met in enumerate(tiers) if model in met), at)
        for model in catalogue.candidates(policy, now=at)
    )
