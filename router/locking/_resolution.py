"""Resolution: the lock that a set of policies has with the catalogue of today, and what an upgrade would change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from router._errors import ConfigurationError, RequirementError
from router.catalogue._decision import Decision, Reason
from router.catalogue._explanation import decide
from router.catalogue._policy import Policy
from router.catalogue._snapshot import Snapshot
from router.catalogue._terms import format_value
from router.locking._checking import (
    RETIREMENT_FIELDS,
    WITHIN,
    check,
    find_listed,
    retires_after,
    with_name,
)
from router.locking._lockfile import Lock, Locked
from router.models._model import Model
from router.requirements._expression import Requirement, resolve_now

_LIMITS: Final = ("max_input_tokens", "max_tokens")


@frozen
class LockChange:
    """What a resolution did to one policy; `before` or `after` is `None` where it is not locked."""

    policy: str
    before: Locked | None
    after: Locked | None
    cause: str
    """Why it was resolved anew; empty where it was kept."""


@frozen
class Resolution:
    """The lock of all policies, and how it came about; not to be written while something is `unmet`."""

    lock: Lock
    changes: tuple[LockChange, ...]
    unmet: Mapping[str, Decision]
    """By policy, why no model can be locked."""


@frozen
class Outdated:
    """A policy that would resolve to another model now: what that one adds, and lacks, against the locked one."""

    policy: str
    locked: str | None
    newest: Model | None
    adds: tuple[str, ...]
    lacks: tuple[str, ...]


def resolve(
    policies: Mapping[str, Policy],
    catalogue: Snapshot,
    old: Lock | None = None,
    *,
    upgrade: Collection[str] = (),
    within: int = WITHIN,
    now: datetime | None = None,
) -> Resolution:
    """Return the lock of these policies: what `old` says where `check` has nothing against it, else the best model.

    The policies named in `upgrade` are resolved anew in any case, but not with a catalogue older than that of `old`,
    which would move them back. A model that retires in less than `within` days is passed over, unless its policy
    speaks of that. Where nothing changes the lock is `old` itself. Raises `ConfigurationError` for a policy that asks
    for a name that nobody knows.
    """
    at = resolve_now(now)
    is_ahead = old is not None and old.is_ahead_of(catalogue)
    causes = {} if is_ahead else dict.fromkeys(upgrade, "upgraded")
    for problem in reversed(check(old, policies, catalogue, within=within, now=at)):
        causes[problem.policy] = problem.what  # of several, the first remains
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
            entry = Locked(with_name(name, policies[name]), decision.model.id, _why(decision))
            after[name] = _keep_or_replace(before.get(name), entry)
        changes.append(LockChange(name, before.get(name), after.get(name), cause))
    return Resolution(_lock_of(after, catalogue, old), tuple(changes), unmet)


def _lock_of(entries: Mapping[str, Locked], catalogue: Snapshot, old: Lock | None) -> Lock:
    """Return the lock of these entries, which names the catalogue that they hold by."""
    if old is not None:
        if entries == old.policies:
            return old
        is_behind = old.is_ahead_of(catalogue) or old.is_about_other_models(catalogue)
        if is_behind and any(entries.get(name) is each for name, each in old.policies.items()):
            return evolve(old, policies=entries)  # the entries kept hold by the newer catalogue
    # The disk keeps what the API has answered.
    source = "live" if catalogue.source == "disk" else catalogue.source
    return Lock(source=source, as_of=catalogue.as_of, digest=catalogue.digest, policies=entries)


def outdated(
    lock: Lock | None,
    policies: Mapping[str, Policy],
    catalogue: Snapshot,
    *,
    within: int = WITHIN,
    now: datetime | None = None,
) -> tuple[Outdated, ...]:
    """Return the policies that would resolve to another model than they are locked to, by name.

    With a catalogue older than the lock, which upgrades nothing, these are the policies that are not locked.
    """
    at = resolve_now(now)
    found = []
    for name in sorted(policies):
        locked = lock.policies.get(name) if lock is not None else None
        if lock is not None and locked is not None and lock.is_ahead_of(catalogue):
            continue
        newest = _choose(name, policies[name], catalogue, within, at).model
        if locked is None or newest is None or newest.id != locked.model:
            model = find_listed(catalogue, locked.model) if locked is not None else None
            adds, lacks = (
                _compared(model, newest) if model is not None and newest is not None else ((), ())
            )
            found.append(
                Outdated(name, locked.model if locked is not None else None, newest, adds, lacks)
            )
    return tuple(found)


def _keep_or_replace(before: Locked | None, after: Locked) -> Locked:
    """Return the entry as it was, where the same policy resolves to the same model again: `why` tells of that day."""
    same = before is not None and (before.policy, before.model) == (after.policy, after.model)
    return before if before is not None and same else after


def _choose(name: str, policy: Policy, catalogue: Snapshot, within: int, now: datetime) -> Decision:
    """Return what a policy resolves to."""
    policy = with_name(name, policy)
    try:
        staying = evolve(
            policy,
            require=_lasting(policy.require, within),
            alternatives=[_lasting(each, within) for each in policy.alternatives],
        )
        return decide(catalogue, staying, now)
    except RequirementError as error:
        raise ConfigurationError(f"policy {name}: {error}") from error


def _lasting(requirement: Requirement, within: int) -> Requirement:
    """Return the requirement for models that do not retire so soon, unless it speaks of retirement itself."""
    if requirement.fields & RETIREMENT_FIELDS:
        return requirement
    return requirement & retires_after(within)


def _why(decision: Decision) -> str:
    count = len(decision.candidates)
    newest = [f"newest of {count} candidates" if count > 1 else "the only candidate"]
    return "; ".join([*(newest if decision.reason is Reason.NEWEST else []), *decision.notes])


def _compared(locked: Model, newest: Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the newest model adds to the locked one, and what it lacks: capabilities, traits and limits."""
    names = sorted(locked.facts.keys() | newest.facts.keys())
    adds = [name for name in names if newest.facts.get(name) and not locked.facts.get(name)]
    lacks = [
        name if newest.facts.get(name) is False else f"{name} (unknown)"
        for name in names
        if locked.facts.get(name) and not newest.facts.get(name)
    ]
    for name in _LIMITS:
        before, after = locked.values.get(name), newest.values.get(name)
        if before is not None and after is not None and before != after:
            (adds if after > before else lacks).append(
                f"{name} {format_value(before)} to {format_value(after)}"
            )
    return tuple(adds), tuple(lacks)
