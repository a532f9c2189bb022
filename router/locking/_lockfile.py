"""Lock: the model that each policy resolved to, as read from and written to `router.lock`.

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

A lock keeps the canonical text of its policies, without defaults, so that it detects changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final

from attrs import field, frozen

from router._errors import ConfigurationError, quoted
from router._serialising import Serialisable
from router.catalogue._policy import (
    POLICY_KEYS,
    Policy,
    check_keys,
    read_policy,
    read_table,
    read_toml,
)
from router.catalogue._snapshot import Snapshot
from router.models._field_types import KINDS
from router.models._model import is_id
from router.requirements._literals import Comparison

VERSION: Final = 1

_HEADER: Final = (
    "# What each policy resolved to, and why."
    " `router lock` writes this file: commit it, and do not edit it.\n"
)
_TOP_KEYS: Final = ("version", "catalogue", "policies")
_CATALOGUE_KEYS: Final = ("source", "as_of", "digest")
_ENTRY_KEYS: Final = ("model", "why")


@frozen(repr=False)
class Locked(Serialisable):
    """The model id that one policy resolved to, and why."""

    policy: Policy
    """The policy as it was when it was locked."""
    model_id: str
    why: str

    json_names: ClassVar = ("policy", "model_id", "why")

    def __str__(self) -> str:
        return f"{self.policy} is locked to {self.model_id}: {self.why}"


def _sorted(policies: Mapping[str, Locked]) -> dict[str, Locked]:
    return dict(sorted(policies.items()))


@frozen(kw_only=True, repr=False)
class Lock(Serialisable):
    """The model of each policy, and the catalogue that it was resolved with."""

    source: str
    as_of: datetime | None
    digest: str
    _policies: Mapping[str, Locked] = field(converter=_sorted, hash=False)

    json_names: ClassVar = ("source", "as_of", "digest", "policies")

    @property
    def policies(self) -> Mapping[str, Locked]:
        """The entries by policy name, sorted."""
        return MappingProxyType(self._policies)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Lock:
        """Read a lock file; raises `ConfigurationError` with the file, key and expected value."""
        where = os.fspath(path)
        document = read_toml(where)
        version = document.get("version")
        if version is None:
            raise ConfigurationError(f"{where}: version is missing")
        # `type`, because True is an instance of int.
        if type(version) is not int or version < VERSION:
            raise ConfigurationError(f"{where}: version must be {VERSION} (got {quoted(version)})")
        if version > VERSION:
            raise ConfigurationError(
                f"{where}: version {version} needs a later release of router; this one reads version {VERSION}"
            )
        check_keys(where, "", document, _TOP_KEYS)
        about = read_table(where, "catalogue", document.get("catalogue", {}))
        check_keys(where, "catalogue.", about, _CATALOGUE_KEYS)
        policies = read_table(where, "policies", document.get("policies", {}))
        return cls(
            source=_read_text(where, "catalogue.source", about.get("source")),
            as_of=_read_moment(where, "catalogue.as_of", about.get("as_of")),
            digest=_read_text(where, "catalogue.digest", about.get("digest")),
            policies={name: _read_locked(where, name, table) for name, table in policies.items()},
        )

    def to_toml(self) -> str:
        """Return the text of the file, equal for equal locks; needs `tomli-w` (extra `cli`)."""
        import tomli_w

        about = {"source": self.source, "as_of": self.as_of, "digest": self.digest}
        document = {
            "version": VERSION,
            "catalogue": {name: value for name, value in about.items() if value is not None},
            "policies": {name: _table_of(locked) for name, locked in self._policies.items()},
        }
        return _HEADER + tomli_w.dumps(document)

    def __str__(self) -> str:
        as_of = f" of {self.as_of:%Y-%m-%d %H:%MZ}" if self.as_of is not None else ""
        locked = ", ".join(f"{name} to {each.model_id}" for name, each in self._policies.items())
        return f"by the {self.source} catalogue{as_of}: {locked or 'no policy is locked'}"

    def is_ahead_of(self, catalogue: Snapshot) -> bool:
        """Return whether this lock was resolved with a newer catalogue than `catalogue`."""
        return (
            self.as_of is not None and catalogue.as_of is not None and catalogue.as_of < self.as_of
        )

    def is_about_other_models(self, catalogue: Snapshot) -> bool:
        """Return whether `catalogue` is the bundled one, and the lock was made with another."""
        return catalogue.source == "bundled" and self.source != "bundled"


def _table_of(locked: Locked) -> dict[str, Any]:
    """Return the table of an entry, without the defaults of its policy."""
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
        "model": locked.model_id,
        "why": locked.why,
    }


def _read_locked(where: str, name: str, table: object) -> Locked:
    path = f"policies.{name}"
    stated = read_table(where, path, table)
    check_keys(where, f"{path}.", stated, (*POLICY_KEYS, *_ENTRY_KEYS))
    policy = read_policy(
        where, "policies", name, {key: stated[key] for key in stated if key not in _ENTRY_KEYS}
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
