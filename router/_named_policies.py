"""The named policies of a router, with their locked models."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from attrs import evolve

from router._errors import ConfigurationError, UnknownNameError, nearest, quoted
from router.catalogue._catalogue import Catalogue
from router.catalogue._diff import CatalogueDiff, impact_of
from router.catalogue._policy import Need, Policy, check_policies, is_policy_name
from router.catalogue._policy_file import PolicyFile, read_policies, read_policy_file
from router.models._model import Model
from router.refresh._notifier import OnRefresh

if TYPE_CHECKING:
    from router.locking._answers import LockedAnswer, LockedModels, OnLockBroken
    from router.locking._lockfile import Lock

NO_POLICIES: Final[Mapping[str, Policy]] = MappingProxyType({})


class NamedPolicies:
    """The policies of a router, from a mapping or a file, with their lock."""

    def __init__(
        self,
        policies: str | os.PathLike[str] | Mapping[str, Policy],
        lock: str | os.PathLike[str] | Lock | None,
        on_lock_broken: OnLockBroken,
    ) -> None:
        if not isinstance(policies, (str, os.PathLike)):
            check_policies(policies)
        self.are_given: Final = policies is not NO_POLICIES
        self._given: Final = policies
        self._policies = policies
        self.locked: Final = self._open_lock(lock, on_lock_broken)

    def _open_lock(
        self, lock: str | os.PathLike[str] | Lock | None, on_lock_broken: OnLockBroken
    ) -> LockedModels | None:
        if on_lock_broken not in {"error", "newest"}:
            raise ConfigurationError(
                f'on_lock_broken must be "error" or "newest" (got {quoted(on_lock_broken)})'
            )
        if lock is None:
            return None
        if not self.are_given:
            raise ConfigurationError("lock= needs policies=")
        # Imported here, because a router without a lock needs neither.
        from router.locking._answers import LockedModels
        from router.locking._lockfile import Lock

        if not isinstance(lock, (str, os.PathLike, Lock)):
            raise ConfigurationError(
                f"lock must be a Lock, or the file of one (got {quoted(lock)})"
            )
        return LockedModels(lock, lambda: self.by_name, on_lock_broken)

    @property
    def by_name(self) -> Mapping[str, Policy]:
        """The policies, read from their file on first use; raises `ConfigurationError`."""
        if not isinstance(self._policies, Mapping):
            self._policies = read_policies(self._policies)
        return self._policies

    @property
    def where(self) -> str:
        """The file of the policies, or what a message calls them if there is none."""
        return "the policies" if isinstance(self._given, Mapping) else os.fspath(self._given)

    def read(self) -> PolicyFile:
        """Return the policies with all problems; raises `ConfigurationError` without a TOML file."""
        if not isinstance(self._policies, Mapping):
            found = read_policy_file(self._policies)
            if not found.problems:
                self._policies = found.policies
            return found
        placed = (
            (f"{policy.location or f'policies.{name}'}.{key}", part)
            for name, policy in self._policies.items()
            for key, part in policy.parts
        )
        return PolicyFile(self._policies, tuple(placed))

    def find(self, need: Need, current: Callable[[], Catalogue]) -> Need:
        """Return the policy with the name `need`, or `need` itself if it is not a policy name.

        Raises `UnknownNameError`, with the names of the policies, for an unknown word.
        """
        if not isinstance(need, str):
            return need
        by_name = self.by_name
        policy = by_name.get(need)
        if policy is not None:
            return policy
        if by_name and is_policy_name(need):
            catalogue = current()
            names = catalogue.names
            if not names.knows_capability(need) and not names.knows_field(need):
                meant = (*nearest(need, by_name, limit=1), *catalogue.suggestions(need))
                raise UnknownNameError(need, meant, policies=tuple(by_name))
        return need

    def name_of(self, need: Need) -> str | None:
        """Return the name of a policy, `None` for a requirement or a policy without a name."""
        if isinstance(need, str):
            return need if need in self.by_name else None
        if not isinstance(need, Policy):
            return None
        known = self._policies.items() if isinstance(self._policies, Mapping) else ()
        return next((name for name, each in known if each is need), need.name)

    def held(self, need: Need, catalogue: Catalogue) -> LockedAnswer | None:
        """Return the locked answer for a policy or its name, `None` without a lock."""
        return None if self.locked is None else self.locked.held(need, catalogue)

    def locked_model(self, need: Need, catalogue: Catalogue) -> Model | None:
        """Return the locked model of a policy, `None` if it is not locked or the lock is broken."""
        held = self.held(need, catalogue)
        return None if held is None else held.model

    def with_impact(self, on_refresh: OnRefresh | None) -> OnRefresh | None:
        """Return a hook that adds `impact` on the policies to its diff."""
        if on_refresh is None or not self.are_given:
            return on_refresh

        def hook(old: Catalogue | None, new: Catalogue, diff: CatalogueDiff) -> object:
            if old is not None:
                # An invalid file of policies raises on the next call of the router instead.
                with suppress(ConfigurationError):
                    diff = evolve(diff, impact=impact_of(self.by_name, old, new, self._select))
            return on_refresh(old, new, diff)

        return hook

    def _select(self, name: str, catalogue: Catalogue) -> Model | None:
        """Return the answer that `Router.select` would give with that catalogue."""
        return self.locked_model(name, catalogue) or catalogue.select(
            self.by_name[name], default=None
        )
