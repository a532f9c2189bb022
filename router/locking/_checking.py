"""Checking: whether a lock still matches its policies and the current catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import ClassVar, Final

from attrs import evolve, frozen

from router._serialising import Serialisable
from router.catalogue._catalogue import Catalogue
from router.catalogue._policy import Policy
from router.catalogue._snapshot import DEFAULT_FILTERS
from router.catalogue._terms import unmet_terms
from router.locking._lockfile import Lock, Locked
from router.models._model import Model
from router.requirements._expression import Requirement, conjunction, possibility, resolve_now
from router.requirements._literals import Comparison

WITHIN: Final = 60
"""Days before retirement from which a model is reported, and not locked again."""

RETIREMENT_FIELDS: Final = frozenset({"retires_in", "retires_at"})
"""The built-in rule for retirement does not apply to policies that name one of these fields."""


class LockProblemKind(Enum):
    """The kind of problem that the lock of a policy has."""

    MISSING = "missing"
    """The policy is not locked, or the lock has a policy that does not exist."""
    CHANGED = "changed"
    """The policy differs from the one that was locked."""
    UNMET = "unmet"
    """The model is not known to meet the policy."""
    DEPRECATED = "deprecated"
    """The model is deprecated, and the policy does not name `lifecycle`."""
    RETIRING = "retiring"
    """The model retires soon or is overdue, and the policy names no retirement field."""
    RETIRED = "retired"
    """The model is retired, and the policy does not name `lifecycle`."""
    GONE = "gone"
    """The catalogue does not list the model."""


@frozen(repr=False)
class LockProblem(Serialisable):
    """One problem of the lock of a policy."""

    policy: str
    kind: LockProblemKind
    what: str

    json_names: ClassVar = ("policy", "kind", "what")

    def __str__(self) -> str:
        return f"{self.policy}: {self.what}"


def check_lock(
    lock: Lock | None,
    policies: Mapping[str, Policy],
    catalogue: Catalogue,
    *,
    within: int = WITHIN,
    now: datetime | None = None,
) -> tuple[LockProblem, ...]:
    """Return the problems of the lock, sorted by policy name; `within` is in days.

    A catalogue older than the lock's can only show that a model retires soon. The bundled catalogue
    does not prove a model gone if the lock was made with another catalogue.
    """
    at = resolve_now(now)
    locked = lock.policies if lock is not None else {}
    problems: list[LockProblem] = []
    for name in sorted({*policies, *locked}):
        if lock is None or name not in locked:
            problems.append(LockProblem(name, LockProblemKind.MISSING, "is not locked"))
        elif name not in policies:
            problems.append(
                LockProblem(name, LockProblemKind.MISSING, "is locked, but there is no such policy")
            )
        elif locked[name].policy != with_name(name, policies[name]):
            problems.append(
                LockProblem(name, LockProblemKind.CHANGED, "has changed since it was locked")
            )
        else:
            problems += _problems_of(locked[name], lock, catalogue, within, at)
    return tuple(problems)


def broken_by(locked: Locked, lock: Lock, catalogue: Catalogue) -> str | None:
    """Return why the lock does not hold by this catalogue, or `None` if it holds.

    A lock ends if its model is gone or retired, or fails a term that does not depend on the time.
    Deprecation and access do not end it. Only a newer catalogue from the API can end a lock, and no
    model counts as gone if part of the listing could not be read.
    """
    is_newer = catalogue.as_of is not None and (lock.as_of is None or catalogue.as_of > lock.as_of)
    if catalogue.source not in {"live", "disk"} or not is_newer:
        return None
    model = find_listed(catalogue, locked)
    if model is None:
        return None if catalogue.quarantined else f"it is gone, by {_described(catalogue)}"
    lacks = [_lasting_lacks(tier, model) for tier in locked.policy.tiers]
    fewest = min(lacks, key=len)
    return f"{'; '.join(fewest)}, by {_described(catalogue)}" if fewest else None


def find_listed(catalogue: Catalogue, locked: Locked) -> Model | None:
    """Return the locked model by its exact id; an alias does not count, as it may change."""
    return next(
        (
            model
            for model in catalogue
            if (model.id, model.provider) == (locked.model_id, locked.provider)
        ),
        None,
    )


def with_name(name: str, policy: Policy) -> Policy:
    """Return the policy with the name that its entry in a lock has."""
    return policy if policy.name == name else evolve(policy, name=name)


def _described(catalogue: Catalogue) -> str:
    as_of = f" of {catalogue.as_of:%Y-%m-%d %H:%MZ}" if catalogue.as_of else ""
    return f"the {catalogue.source} catalogue{as_of}"


def retires_after(within: int) -> Requirement:
    """Return the requirement that a model is not known to retire within that many days."""
    return possibility(Comparison("retires_in", "duration", ">=", within))


def _problems_of(
    locked: Locked, lock: Lock, catalogue: Catalogue, within: int, now: datetime
) -> tuple[LockProblem, ...]:
    """Return the problems of a locked model, by the tier of its policy that has the fewest."""
    name = str(locked.policy.name)
    is_judge = not (lock.is_ahead_of(catalogue) or lock.is_about_other_models(catalogue))
    model = find_listed(catalogue, locked)
    if model is None:
        gone = LockProblem(
            name,
            LockProblemKind.GONE,
            f"{locked.model_id} is gone: {_described(catalogue)} does not list it",
        )
        return (gone,) if is_judge and not catalogue.quarantined else ()

    def problems(tier: Requirement) -> Iterator[LockProblem]:
        unmet = unmet_terms(tier, model, now=now)
        failed = catalogue.failed_filters(tier.fields, model)
        access = DEFAULT_FILTERS["access"]
        lacks = [
            *map(str, unmet),
            *([f"{access} (access is {model.access})"] if access in failed else []),
        ]
        if lacks and is_judge:
            yield LockProblem(
                name, LockProblemKind.UNMET, f"{model.id} does not meet {'; '.join(lacks)}"
            )
        if DEFAULT_FILTERS["lifecycle"] in failed and not lock.is_ahead_of(catalogue):
            yield LockProblem(name, *_ending(model))
        if model.lifecycle == "retired" or tier.fields & RETIREMENT_FIELDS:
            return
        if not retires_after(within).matches(model, now=now):
            yield LockProblem(name, LockProblemKind.RETIRING, f"{model.id} {_retiring(model, now)}")

    # A model serves its policy by one tier: one with unmet terms counts only if all have some.
    found = [tuple(problems(tier)) for tier in locked.policy.tiers]
    return min(
        found, key=lambda each: (any(one.kind is LockProblemKind.UNMET for one in each), len(each))
    )


def _ending(model: Model) -> tuple[LockProblemKind, str]:
    if model.lifecycle == "retired":
        return LockProblemKind.RETIRED, f"{model.id} is retired{_since(model.retires_at)}"
    if model.lifecycle == "deprecated":
        return LockProblemKind.DEPRECATED, f"{model.id} is deprecated{_since(model.deprecated_at)}"
    return LockProblemKind.UNMET, f"{model.id} is not known to be active"


def _since(date: datetime | None) -> str:
    return f" since {date:%Y-%m-%d}" if date is not None else ""


def _retiring(model: Model, now: datetime) -> str:
    assert model.retires_at is not None  # noqa: S101 - an unknown date is never too soon
    days = (model.retires_at - now).days
    if days < 0:
        return f"was to retire on {model.retires_at:%Y-%m-%d}"
    return f"retires on {model.retires_at:%Y-%m-%d}, in {days} day{'' if days == 1 else 's'}"


def _lasting_lacks(tier: Requirement, model: Model) -> list[str]:
    """Return why a model fails a requirement at any time; empty if it does not."""
    if model.lifecycle == "retired" and "lifecycle" not in tier.fields:
        return [f"it is retired{_since(model.retires_at)}"]
    lasting = conjunction(term for term in tier.terms if not term.is_relative)
    return [f"it does not meet {each}" for each in unmet_terms(lasting, model)]
