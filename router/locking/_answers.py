"""LockedModels: a router's answers for locked policies, cached per catalogue and policy."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, Literal

from attrs import frozen

from router._errors import LockError
from router._log import Log
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision, changed
from router.catalogue._explanation import Explanation
from router.catalogue._policy import Need, Policy
from router.locking._checking import broken_by, find_listed, with_name
from router.locking._lockfile import Lock
from router.models._model import Model

log: Final = Log(__package__)

OnLockBroken = Literal["error", "newest"]
"""What a broken lock does: raise `LockError`, or warn and answer without the lock."""


@frozen
class LockedAnswer:
    """The locked model of a policy, `None` if the lock is broken and ignored, with a note."""

    policy: str
    model: Model | None
    note: str
    is_listed: bool = True
    """Whether the catalogue lists the model."""

    @property
    def id(self) -> str | None:
        """The id of the locked model."""
        return self.model.id if self.model is not None else None

    def apply_to(self, decision: Decision) -> Decision:
        """Return the decision with the locked model, if there is one, and the note."""
        return changed(decision, self._explain)

    def _explain(self, explanation: Explanation) -> Explanation:
        if self.model is None:
            return explanation.noting(self.note)
        return explanation.locked(self.model, self.note)


@frozen
class _Broken:
    """The reason why a lock has no answer for a policy."""

    id: str | None
    changed: str

    @property
    def note(self) -> str:
        """What is wrong, and what to do."""
        locked = f"locked to {self.id}, but " if self.id is not None else ""
        return f"{locked}{self.changed}; run `router lock` to resolve it again"


class LockedModels:
    """The models that a lock names for the policies of a router."""

    def __init__(
        self,
        lock: str | os.PathLike[str] | Lock,
        policies: Callable[[], Mapping[str, Policy]],
        on_broken: OnLockBroken,
    ) -> None:
        self._given: Final = lock
        self._lock = lock
        self._policies = policies
        self._on_broken = on_broken
        self._looked_up: dict[str, tuple[Catalogue, LockedAnswer | _Broken]] = {}
        """Catalogue and answer by policy: one tuple, so that a thread never sees half of it."""
        self._warned: set[tuple[str, str | None]] = set()
        self._checked: set[tuple[str, str | None]] = set()
        """The policies and models of the lines that `check` has returned."""

    @property
    def where(self) -> str:
        """The file of the lock, or what a message calls it if there is none."""
        return "the lock" if isinstance(self._given, Lock) else os.fspath(self._given)

    @property
    def lock(self) -> Lock:
        """The lock, read from its file on first use; raises `ConfigurationError`."""
        if not isinstance(self._lock, Lock):
            self._lock = Lock.read(self._lock)
        return self._lock

    def held(self, asked: Need, catalogue: Catalogue) -> LockedAnswer | None:
        """Return the locked answer for a policy, or for its name; `None` for anything else.

        Raises `LockError` if the lock does not hold or has no entry for the policy, unless
        `on_broken` is `newest`.
        """
        name = self._name_of(asked)
        if name is None:
            return None
        seen = self._looked_up.get(name)
        if seen is None or seen[0] is not catalogue:
            policy = self._policies()[name]
            found = self._edited(name, policy) or self._look_up(name, catalogue)
            if isinstance(found, LockedAnswer) and not found.is_listed:
                self._warn_unlisted(found)
            seen = self._looked_up[name] = (catalogue, found)
        found = seen[1]
        if isinstance(found, LockedAnswer):
            return found
        error = LockError(name, found.id, found.changed)
        if self._on_broken == "error":
            raise error
        if self._is_news(name, found.id):
            log.warning(
                "%s; using the newest model that meets it",
                error,
                event="lock_broken",
                model_id=found.id,
                policy=name,
            )
        return LockedAnswer(name, None, f"not the locked model: {found.changed}")

    def _warn_unlisted(self, found: LockedAnswer) -> None:
        if self._is_news(found.policy, found.id):
            log.warning(
                "%s",
                found.note,
                event="lock_unverified",
                model_id=found.id,
                policy=found.policy,
            )

    def _name_of(self, asked: Need) -> str | None:
        policies = self._policies()
        if isinstance(asked, str):
            return asked if asked in policies else None
        # By identity: an equal policy that the application built itself is not locked.
        return next((name for name, each in policies.items() if each is asked), None)

    def check(
        self, policies: Mapping[str, Policy], catalogue: Catalogue | None
    ) -> tuple[list[str], list[str]]:
        """Return the errors and the warnings of the lock for these policies, as lines.

        A policy that was edited since it was locked is an error. News from a catalogue are not: an
        application must be able to start on the day when its model retires.
        """
        errors, warnings = list[str](), list[str]()
        self._checked.clear()
        _ = self.lock  # an invalid file is an error, even if no policy is valid
        for name, policy in policies.items():
            found: _Broken | LockedAnswer | None = self._edited(name, policy)
            is_error = found is not None and self._on_broken == "error"
            if found is None and catalogue is not None:
                found = self._look_up(name, catalogue)
            if isinstance(found, _Broken) or (found is not None and not found.is_listed):
                line = f"{self.where}: policies.{name}: {found.note}"
                (errors if is_error else warnings).append(line)
                self._checked.add((name, found.id))
        return errors, warnings

    def mark_logged(self) -> None:
        """Log what `check` has returned no more; called once those lines are logged."""
        self._warned |= self._checked

    def _edited(self, name: str, policy: Policy) -> _Broken | None:
        """Return why a policy is not the one that was locked, `None` if it is."""
        locked = self.lock.policies.get(name)
        if locked is None:
            return _Broken(None, "is not in the lock")
        if locked.policy != with_name(name, policy):
            return _Broken(locked.model_id, "the policy has changed since")
        return None

    def _look_up(self, name: str, catalogue: Catalogue) -> LockedAnswer | _Broken:
        """Return the answer for a policy as it was locked, by that catalogue."""
        lock = self.lock
        locked = lock.policies[name]
        changed = broken_by(locked, lock, catalogue)
        if changed is not None:
            return _Broken(locked.model_id, changed)
        model = find_listed(catalogue, locked)
        if model is not None:
            return LockedAnswer(name, model, f"when it was locked: {locked.why}")
        note = (
            f"{locked.model_id} is not listed by the {catalogue.source} catalogue, which cannot end the lock: "
            "nothing but its id is known"
        )
        model = Model.from_api({"id": locked.model_id, "provider": locked.provider})
        return LockedAnswer(name, model, note, is_listed=False)

    def _is_news(self, name: str, id: str | None) -> bool:
        """Return whether nothing was logged yet about a policy and its model."""
        is_news = (name, id) not in self._warned
        self._warned.add((name, id))
        return is_news
