"""Lock: what each policy has resolved to, as `router.lock` says it, and whether that still holds.

    version = 1

    [catalogue]
    source = "live"
    as_of = 2026-11-22 09:00:00+00:00
    digest = "5c1f..."

    [policies.reports]
    require = "pdf_input and thinking.adaptive"
    prefer = ["line == opus"]
    model = "claude-opus-5-5"
    why = "preferred to the newer claude-fable-5-2 for line == opus"

A lock keeps all of a policy that decides, canonical, so that a change of it shows; what is the default is left out.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve, field, frozen

from router._errors import ConfigurationError, RequirementError, quoted
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision, Reason
from router.catalogue._policy import (
    POLICY_KEYS,
    Policy,
    check_keys,
    read_policy,
    read_table,
    read_toml,
)
from router.catalogue._snapshot import GUARD_RAILS
from router.catalogue._terms import shown, unmet_terms
from router.models._field_types import KINDS
from router.models._model import Model, is_id
from router.requirements._expression import Requirement, conjunction, moment, possibility
from router.requirements._literals import Comparison

VERSION: Final = 1
WITHIN: Final = 60
"""Days before its retirement from which on a model is not locked any more, and complained of."""

_HEADER: Final = (
    "# What each policy resolved to, and why."
    " `router lock` writes this file: commit it, and do not edit it.\n"
)
_PARTS: Final = ("version", "catalogue", "policies")
_ABOUT: Final = ("source", "as_of", "digest")
_LOCKED: Final = ("model", "why")
_LIMITS: Final = ("max_input_tokens", "max_tokens")
_OF_RETIREMENT: Final = frozenset({"retires_in", "retires_at"})
"""The fields of which a policy that speaks of one decides by itself what becomes of a model that is to retire."""


@frozen
class Locked:
    """What one policy resolved to: the id of the model, and why it was that one."""

    policy: Policy
    """The policy as it was when it was locked."""
    model: str
    why: str


def _sorted(policies: Mapping[str, Locked]) -> dict[str, Locked]:
    return dict(sorted(policies.items()))


@frozen(kw_only=True)
class Lock:
    """What each policy resolved to, and the catalogue that this was resolved with."""

    source: str
    as_of: datetime | None
    digest: str
    _policies: Mapping[str, Locked] = field(converter=_sorted, hash=False)

    @property
    def policies(self) -> Mapping[str, Locked]:
        """What each policy resolved to, by name, sorted."""
        return MappingProxyType(self._policies)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Lock:
        """Read a `router.lock`; raises `ConfigurationError`, which names the file, the key and what was expected."""
        where = os.fspath(path)
        document = read_toml(where)
        version = document.get("version")
        if version is None:
            raise ConfigurationError(f"{where}: version is missing")
        if type(version) is not int or version < VERSION:
            raise ConfigurationError(f"{where}: version must be {VERSION} (got {quoted(version)})")
        if version > VERSION:
            raise ConfigurationError(
                f"{where}: version {version} is of a later release of router; this one reads {VERSION}"
            )
        check_keys(where, "", document, _PARTS)
        about = read_table(where, "catalogue", document.get("catalogue", {}))
        check_keys(where, "catalogue.", about, _ABOUT)
        policies = read_table(where, "policies", document.get("policies", {}))
        return cls(
            source=_read_text(where, "catalogue.source", about.get("source")),
            as_of=_read_moment(where, "catalogue.as_of", about.get("as_of")),
            digest=_read_text(where, "catalogue.digest", about.get("digest")),
            policies={name: _read_locked(where, name, table) for name, table in policies.items()},
        )

    def to_toml(self) -> str:
        """Return the text of the file: equal locks have equal texts. Needs `tomli-w`, of the extra `cli`."""
        import tomli_w

        about = {"source": self.source, "as_of": self.as_of, "digest": self.digest}
        document = {
            "version": VERSION,
            "catalogue": {name: value for name, value in about.items() if value is not None},
            "policies": {name: _table_of(locked) for name, locked in self._policies.items()},
        }
        return _HEADER + tomli_w.dumps(document)

    def is_ahead_of(self, catalogue: Catalogue) -> bool:
        """Return whether this was resolved with a newer catalogue, which that one cannot contradict."""
        return (
            self.as_of is not None and catalogue.as_of is not None and catalogue.as_of < self.as_of
        )

    def is_of_others(self, catalogue: Catalogue) -> bool:
        """Return whether that catalogue lists what anybody may call, and this lock what one credential may."""
        return catalogue.source == "bundled" and self.source != "bundled"


class ProblemKind(Enum):
    """What is wrong with the lock of a policy."""

    MISSING = "missing"
    """The lock says nothing of the policy, or locks one that there is no more."""
    CHANGED = "changed"
    """The policy is another than the one that was locked."""
    UNMET = "unmet"
    """The model is no longer known to meet the policy."""
    DEPRECATED = "deprecated"
    """The model is deprecated, and the policy does not speak of that."""
    RETIRING = "retiring"
    """The model retires soon, or was to by then, and the policy does not speak of that."""
    RETIRED = "retired"
    """The model is retired, and the policy does not speak of that."""
    GONE = "gone"
    """The catalogue does not list the model."""


@frozen
class LockProblem:
    """One thing that is wrong with the lock of a policy."""

    policy: str
    kind: ProblemKind
    what: str

    def __str__(self) -> str:
        return f"{self.policy}: {self.what}"


@frozen
class Relocked:
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
    changes: tuple[Relocked, ...]
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
    catalogue: Catalogue,
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
    at = moment(now)
    problems: dict[str, str] = {}
    for problem in check(old, policies, catalogue, within=within, now=at):
        problems.setdefault(problem.policy, problem.what)
    if old is not None and old.is_ahead_of(catalogue):
        upgrade = ()
    before = old.policies if old is not None else {}
    after: dict[str, Locked] = {}
    unmet: dict[str, Decision] = {}
    changes = []
    for name in sorted({*policies, *before}):
        cause = problems.get(name, "upgraded" if name in upgrade else "")
        if not cause:
            after[name] = before[name]
        elif name in policies:
            decision = _chosen(name, policies[name], catalogue, within, at)
            if decision.model is None:
                unmet[name] = decision
                continue
            after[name] = _kept_or(
                before.get(name),
                Locked(_named(name, policies[name]), decision.model.id, _why(decision)),
            )
        changes.append(Relocked(name, before.get(name), after.get(name), cause))
    if old is not None and after == before:
        return Resolution(old, tuple(changes), unmet)
    is_behind = old is not None and (old.is_ahead_of(catalogue) or old.is_of_others(catalogue))
    if (
        old is not None
        and is_behind
        and any(after.get(name) is each for name, each in before.items())
    ):
        return Resolution(
            evolve(old, policies=after), tuple(changes), unmet
        )  # what is kept holds by the newer one
    source = (
        "live" if catalogue.source == "disk" else catalogue.source
    )  # the disk keeps what the API has answered
    lock = Lock(source=source, as_of=catalogue.as_of, digest=catalogue.digest, policies=after)
    return Resolution(lock, tuple(changes), unmet)


def check(
    lock: Lock | None,
    policies: Mapping[str, Policy],
    catalogue: Catalogue,
    *,
    within: int = WITHIN,
    now: datetime | None = None,
) -> tuple[LockProblem, ...]:
    """Return what is wrong with the lock, by the name of the policy; `within` is in days.

    A catalogue older than the one of the lock says only who retires soon; and that the bundled one does not list
    a model says nothing of a lock that was made with another.
    """
    at = moment(now)
    locked = lock.policies if lock is not None else {}
    problems: list[LockProblem] = []
    for name in sorted({*policies, *locked}):
        if lock is None or name not in locked:
            problems.append(LockProblem(name, ProblemKind.MISSING, "is not locked"))
        elif name not in policies:
            problems.append(
                LockProblem(name, ProblemKind.MISSING, "is locked, but there is no such policy")
            )
        elif locked[name].policy != _named(name, policies[name]):
            problems.append(
                LockProblem(name, ProblemKind.CHANGED, "has changed since it was locked")
            )
        else:
            problems += _problems_of(locked[name], lock, catalogue, within, at)
    return tuple(problems)


def outdated(
    lock: Lock | None,
    policies: Mapping[str, Policy],
    catalogue: Catalogue,
    *,
    within: int = WITHIN,
    now: datetime | None = None,
) -> tuple[Outdated, ...]:
    """Return the policies that would resolve to another model than they are locked to, by name.

    With a catalogue older than the lock, which upgrades nothing, these are the policies that are not locked.
    """
    at = moment(now)
    found = []
    for name in sorted(policies):
        locked = lock.policies.get(name) if lock is not None else None
        if lock is not None and locked is not None and lock.is_ahead_of(catalogue):
            continue
        newest = _chosen(name, policies[name], catalogue, within, at).model
        if locked is None or newest is None or newest.id != locked.model:
            model = listed(catalogue, locked.model) if locked is not None else None
            adds, lacks = (
                _compared(model, newest) if model is not None and newest is not None else ((), ())
            )
            found.append(
                Outdated(name, locked.model if locked is not None else None, newest, adds, lacks)
            )
    return tuple(found)


def broken_by(locked: Locked, lock: Lock, catalogue: Catalogue) -> str | None:
    """Return what the catalogue shows that ends a lock: the model gone or retired, or a lasting term no longer true.

    `None` while the lock holds: only a newer catalogue of the API can end it, and neither a deprecation, nor access,
    nor anything that depends on the moment does. Where some of a listing could not be read, no model is gone.
    """
    is_newer = catalogue.as_of is not None and (lock.as_of is None or catalogue.as_of > lock.as_of)
    if catalogue.source not in {"live", "disk"} or not is_newer:
        return None
    model = listed(catalogue, locked.model)
    if model is None:
        return None if catalogue.quarantined else f"it is gone, by {_told(catalogue)}"
    lacks = [_lasting_lacks(tier, model) for tier in locked.policy.tiers]
    fewest = min(lacks, key=len)
    return f"{'; '.join(fewest)}, by {_told(catalogue)}" if fewest else None


def listed(catalogue: Catalogue, id: str) -> Model | None:
    """Return the model that the catalogue lists by that very id; an alias is none, for it may come to mean another."""
    return next((model for model in catalogue if model.id == id), None)


def _named(name: str, policy: Policy) -> Policy:
    return policy if policy.name == name else evolve(policy, name=name)


def _told(catalogue: Catalogue) -> str:
    as_of = f" of {catalogue.as_of:%Y-%m-%d %H:%MZ}" if catalogue.as_of else ""
    return f"the {catalogue.source} catalogue{as_of}"


def _kept_or(before: Locked | None, after: Locked) -> Locked:
    """Return the entry as it was, where the same policy resolves to the same model again: `why` tells of that day."""
    same = before is not None and (before.policy, before.model) == (after.policy, after.model)
    return before if before is not None and same else after


def _chosen(
    name: str, policy: Policy, catalogue: Catalogue, within: int, now: datetime
) -> Decision:
    """Return what a policy resolves to."""
    policy = _named(name, policy)
    try:
        return catalogue.explain(
            evolve(
                policy,
                require=_staying(policy.require, within),
                alternatives=[_staying(each, within) for each in policy.alternatives],
            ),
            now=now,
        )
    except RequirementError as error:
        raise ConfigurationError(f"policy {name}: {error}") from error


def _staying(requirement: Requirement, within: int) -> Requirement:
    """Return the requirement for models that do not retire so soon, unless it speaks of retirement itself."""
    return requirement if requirement.fields & _OF_RETIREMENT else requirement & _stays(within)


def _stays(within: int) -> Requirement:
    return possibility(Comparison("retires_in", "duration", ">=", within))


def _why(decision: Decision) -> str:
    count = len(decision.candidates)
    newest = [f"newest of {count} candidates" if count > 1 else "the only candidate"]
    return "; ".join([*(newest if decision.reason is Reason.NEWEST else []), *decision.notes])


def _problems_of(
    locked: Locked, lock: Lock, catalogue: Catalogue, within: int, now: datetime
) -> tuple[LockProblem, ...]:
    """Return what is wrong with a model by the requirement of its policy that it serves best."""
    name = str(locked.policy.name)
    is_judge = not (lock.is_ahead_of(catalogue) or lock.is_of_others(catalogue))
    model = listed(catalogue, locked.model)
    if model is None:
        gone = LockProblem(
            name, ProblemKind.GONE, f"{locked.model} is gone: {_told(catalogue)} does not list it"
        )
        return (gone,) if is_judge and not catalogue.quarantined else ()

    def problems(tier: Requirement) -> Iterator[LockProblem]:
        unmet = unmet_terms(tier, model, now=now)
        lifecycle, access = (
            rail
            if rail in catalogue.guard_rails(tier.fields) and not catalogue.admits(rail, model)
            else None
            for rail in (GUARD_RAILS["lifecycle"], GUARD_RAILS["access"])
        )
        lacks = [
            *map(str, unmet),
            *([f"{access} (access is {model.access})"] if access is not None else []),
        ]
        if lacks and is_judge:
            yield LockProblem(
                name, ProblemKind.UNMET, f"{model.id} does not meet {'; '.join(lacks)}"
            )
        if lifecycle is not None and not lock.is_ahead_of(catalogue):
            yield LockProblem(name, *_ending(model))
        if model.lifecycle == "retired" or tier.fields & _OF_RETIREMENT:
            return
        if not _stays(within).matches(model, now=now):
            yield LockProblem(name, ProblemKind.RETIRING, f"{model.id} {_retiring(model, now)}")

    found = [tuple(problems(tier)) for tier in locked.policy.tiers]
    return min(
        found, key=lambda each: (any(one.kind is ProblemKind.UNMET for one in each), len(each))
    )


def _ending(model: Model) -> tuple[ProblemKind, str]:
    if model.lifecycle == "retired":
        return ProblemKind.RETIRED, f"{model.id} is retired{_since(model.retires_at)}"
    if model.lifecycle == "deprecated":
        return ProblemKind.DEPRECATED, f"{model.id} is deprecated{_since(model.deprecated_at)}"
    return ProblemKind.UNMET, f"{model.id} is not known to be active"


def _since(date: datetime | None) -> str:
    return f" since {date:%Y-%m-%d}" if date is not None else ""


def _retiring(model: Model, now: datetime) -> str:
    assert model.retires_at is not None  # noqa: S101 - for the type checker: an unknown date is never too soon
    days = (model.retires_at - now).days
    if days < 0:
        return f"was to retire on {model.retires_at:%Y-%m-%d}"
    return f"retires on {model.retires_at:%Y-%m-%d}, in {days} day{'' if days == 1 else 's'}"


def _lasting_lacks(tier: Requirement, model: Model) -> list[str]:
    """Return why a model no longer serves a requirement whatever the moment; empty where it does."""
    if model.lifecycle == "retired" and "lifecycle" not in tier.fields:
        return [f"it is retired{_since(model.retires_at)}"]
    lasting = conjunction(term for term in tier.terms if not term.is_relative)
    return [f"it does not meet {each}" for each in unmet_terms(lasting, model)]


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
            (adds if after > before else lacks).append(f"{name} {shown(before)} to {shown(after)}")
    return tuple(adds), tuple(lacks)


def _table_of(locked: Locked) -> dict[str, Any]:
    """Return the table of an entry: of its policy only what is not the default."""
    policy = locked.policy
    age = policy.minimum_age
    parts: dict[str, Any] = {
        "require": policy.require.text,
        "prefer": [each.text for each in policy.prefer],
        "minimum_age": KINDS["duration"].write(age.value) if isinstance(age, Comparison) else None,
        "alternatives": [each.text for each in policy.alternatives],
        "order": policy.order if policy.ranked_by else None,
    }
    return {name: value for name, value in parts.items() if value} | {
        "model": locked.model,
        "why": locked.why,
    }


def _read_locked(where: str, name: str, table: object) -> Locked:
    path = f"policies.{name}"
    stated = read_table(where, path, table)
    check_keys(where, f"{path}.", stated, (*POLICY_KEYS, *_LOCKED))
    policy = read_policy(
        where, "policies", name, {key: stated[key] for key in stated if key not in _LOCKED}
    )
    model = _read_text(where, f"{path}.model", stated.get("model"))
    if not is_id(model):
        raise ConfigurationError(
            f"{where}: {path}.model must be the id of a model (got {quoted(model)})"
        )
    return Locked(policy, model, _read_text(where, f"{path}.why", stated.get("why")))


def _read_text(where: str, path: str, value: object) -> str:
    if value is None:
        raise ConfigurationError(f"{where}: {path} is missing")
    if not isinstance(value, str):
        raise ConfigurationError(f"{where}: {path} must be a string (got {quoted(value)})")
    return value


def _read_moment(where: str, path: str, value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ConfigurationError(
            f"{where}: {path} must be a date and time with its zone (got {quoted(value)})"
        )
    return value.astimezone(UTC)
