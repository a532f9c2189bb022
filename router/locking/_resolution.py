"""Resolution: locks policies with the current catalogue, and finds outdated locks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import ClassVar, Final

from attrs import evolve, frozen

from router._errors import ConfigurationError, RequirementError
from router._serialising import Serialisable
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision, decide
from router.catalogue._explanation import Reason
from router.catalogue._policy import Policy
from router.catalogue._terms import format_value
from router.locking._checking import (
    RETIREMENT_FIELDS,
    WITHIN,
    check_lock,
    find_listed,
    retires_after,
    with_name,
)
from router.locking._lockfile import Lock, Locked
from router.models._model import Model
from router.requirements._expression import Requirement, resolve_now

_LIMITS: Final = ("max_input_tokens", "max_tokens")


@frozen(repr=False)
class LockChange(Serialisable):
    """A change to the lock of one policy; `before` or `after` is `None` if it is not locked."""

    policy: str
    before: Locked | None
    after: Locked | None
    cause: str
    """Why it was resolved again; empty if the entry was kept."""

    json_names: ClassVar = ("policy", "before", "after", "cause")

    def __str__(self) -> str:
        before, after = (
            each.model_id if each is not None else "not locked"
            for each in (self.before, self.after)
        )
        return f"{self.policy}: {before}" + (f" became {after}, {self.cause}" if self.cause else "")


@frozen(repr=False)
class Resolution(Serialisable):
    """The lock of all policies, with its changes; do not write it while a policy is `unmet`."""

    lock: Lock
    changes: tuple[LockChange, ...]
    unmet: Mapping[str, Decision]
    """The decision of each policy that no model satisfies, by policy."""

    json_names: ClassVar = ("lock", "changes", "unmet")

    def __str__(self) -> str:
        unmet = f"; no model satisfies {', '.join(self.unmet)}" if self.unmet else ""
        return f"{len(self.lock.policies)} policies locked, {len(self.changes)} changed{unmet}"


@frozen(repr=False)
class Outdated(Serialisable):
    """A policy that now resolves to another model, which `adds` and `lacks` some capabilities."""

    policy: str
    locked_id: str | None
    """The id that it is locked to, `None` if it is not locked."""
    newest: Model | None
    adds: tuple[str, ...]
    lacks: tuple[str, ...]

    json_names: ClassVar = ("policy", "locked_id", "newest", "released_at", "adds", "lacks")

    @property
    def released_at(self) -> datetime | None:
        """When the newest was released."""
        return self.newest.created_at if self.newest is not None else None

    def __str__(self) -> str:
        locked = f"locked to {self.locked_id}" if self.locked_id is not None else "not locked"
        return f"{self.policy} is {locked}; the newest is {self.newest or 'no model'}"


def resolve(
    policies: Mapping[str, Policy],
    catalogue: Catalogue,
    old: Lock | None = None,
    *,
    upgrade: Collection[str] = (),
    within: int = WITHIN,
    now: datetime | None = None,
) -> Resolution:
    """Return the lock of these policies: entries of `old` that pass `check`, else the best model.

    Policies named in `upgrade` are always resolved again, except with a catalogue older than that
    of `old`, which would downgrade them. Models that retire in less than `within` days are skipped,
    unless the policy names a retirement field. If nothing changes, the lock is `old` itself.
    Raises `ConfigurationError` if a policy has an unknown name.
    """
    at = resolve_now(now)
    is_ahead = old is not None and old.is_ahead_of(catalogue)
    causes = {} if is_ahead else dict.fromkeys(upgrade, "upgraded")
    for problem in reversed(check_lock(old, policies, catalogue, within=within, now=at)):
        causes[problem.policy] = problem.what  # reversed, so the first problem wins
    before = old.policies if old is not None else {}
    after: dict[str, Locked] = {}
    unmet: dict[str, Decision] = {}
    changes = []
    for name in sorted({*policies, *before}):
        cause = causes.get(name, "")
        if not cause:
            after[name] = before[name]
        elif name in policies:
            decision = _choose(name, policies[name], catalogue, within, at)
            if decision.model is None:
                unmet[name] = decision
                continue
            chosen, why = decision.model, _why(decision)
            entry = Locked(with_name(name, policies[name]), chosen.id, why, chosen.provider)
            after[name] = _keep_or_replace(before.get(name), entry)
        changes.append(LockChange(name, before.get(name), after.get(name), cause))
    return Resolution(_lock_of(after, catalogue, old), tuple(changes), unmet)


def _lock_of(entries: Mapping[str, Locked], catalogue: Catalogue, old: Lock | None) -> Lock:
    """Return the lock of these entries, with the catalogue that they were resolved with."""
    if old is not None:
        if entries == old.policies:
            return old
        is_behind = old.is_ahead_of(catalogue) or old.is_about_other_models(catalogue)
        if is_behind and any(entries.get(name) is each for name, each in old.policies.items()):
            return evolve(old, policies=entries)  # kept entries came from the newer catalogue
    # The disk cache holds answers of the API.
    source = "live" if catalogue.source == "disk" else catalogue.source
    return Lock(source=source, as_of=catalogue.as_of, digest=catalogue.digest, policies=entries)


def outdated(
    lock: Lock | None,
    policies: Mapping[str, Policy],
    catalogue: Catalogue,
    *,
    within: int = WITHIN,
    now: datetime | None = None,
) -> tuple[Outdated, ...]:
    """Return the policies that would resolve to another model than the locked one, by name.

    A catalogue older than the lock upgrades nothing; only policies without an entry are returned.
    """
    at = resolve_now(now)
    found = []
    for name in sorted(policies):
        locked = lock.policies.get(name) if lock is not None else None
        if lock is not None and locked is not None and lock.is_ahead_of(catalogue):
            continue
        newest = _choose(name, policies[name], catalogue, within, at).model
        if locked is None or newest is None or not _is_locked_to(locked, newest):
            model = find_listed(catalogue, locked) if locked is not None else None
            adds, lacks = (
                _compared(model, newest) if model is not None and newest is not None else ((), ())
            )
            found.append(
                Outdated(name, locked.model_id if locked is not None else None, newest, adds, lacks)
            )
    return tuple(found)


def _is_locked_to(locked: Locked, model: Model) -> bool:
    return (locked.model_id, locked.provider) == (model.id, model.provider)


def _keep_or_replace(before: Locked | None, after: Locked) -> Locked:
    """Return the old entry if policy and model are the same, so that `why` stays as written."""
    same = before is not None and evolve(before, why=after.why) == after
    return before if before is not None and same else after


def _choose(
    name: str, policy: Policy, catalogue: Catalogue, within: int, now: datetime
) -> Decision:
    """Return the decision that a policy resolves to."""
    policy = with_name(name, policy)
    try:
        staying = evolve(
            policy,
            require=_lasting(policy.require, within),
            alternatives=[_lasting(each, within) for each in policy.alternatives],
        )
        return decide(catalogue, staying, now)
    except RequirementError as error:
        place = "" if error.where is not None else f"policy {name}: "
        raise ConfigurationError(f"{place}{error}") from error


def _lasting(requirement: Requirement, within: int) -> Requirement:
    """Exclude models that retire soon, unless the requirement names a retirement field."""
    if requirement.fields & RETIREMENT_FIELDS:
        return requirement
    return requirement & retires_after(within)


def _why(decision: Decision) -> str:
    count = len(decision.candidates)
    newest = [f"newest of {count} candidates" if count > 1 else "the only candidate"]
    return "; ".join([*(newest if decision.reason is Reason.NEWEST else []), *decision.notes])


def _compared(locked: Model, newest: Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the capabilities, traits and limits that the newest model adds, and those it lacks."""
    names = sorted(locked.facts.keys() | newest.facts.keys())
    adds = [name for name in names if newest.facts.get(name) and not locked.facts.get(name)]
    lacks = [
        name if newest.facts.get(name) is False else f"{name} (unknown)"
        for name in names
        if locked.facts.get(name) and not newest.facts.get(name)
    ]
    for name in _LIMITS:
        before, after = locked.comparable.get(name), newest.comparable.get(name)
        if before is not None and after is not None and before != after:
            (adds if after > before else lacks).append(
                f"{name} {format_value(before)} to {format_value(after)}"
            )
    return tuple(adds), tuple(lacks)
