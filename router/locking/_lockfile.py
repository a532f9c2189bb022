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
from router._toml import TomlFile
from router.catalogue._catalogue import Catalogue
from router.catalogue._policy import Policy
from router.catalogue._policy_file import PolicyReader
from router.models._field_types import KINDS
from router.models._model import MAKER, is_id, is_provider
from router.requirements._literals import Comparison

VERSION: Final = 1

_HEADER: Final = (
    "# What each policy resolved to, and why."
    " `router lock` writes this file: commit it, and do not edit it.\n"
)
_TOP_KEYS: Final = ("version", "catalogue", "policies")
_CATALOGUE_KEYS: Final = ("source", "as_of", "digest")
_ENTRY_KEYS: Final = ("model", "provider", "why")


@frozen(repr=False)
class Locked(Serialisable):
    """The model id that one policy resolved to, and why."""

    policy: Policy
    """The policy as it was when it was locked."""
    model_id: str
    why: str
    provider: str = MAKER
    """The provider of the model; the file names it unless it is `anthropic`."""

    json_names: ClassVar = ("policy", "model_id", "provider", "why")

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
        """Read a lock file; raises one `ConfigurationError` with all of its problems."""
        file = TomlFile(path)
        document = file.load()
        _check_version(file, document.get("version"))
        file.check_keys("", document, _TOP_KEYS)
        about = _read_about(file, document.get("catalogue", {}))
        policies = _read_policies(file, document.get("policies", {}))
        file.finish()
        return cls(**about, policies=policies)

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

    def is_ahead_of(self, catalogue: Catalogue) -> bool:
        """Return whether this lock was resolved with a newer catalogue than `catalogue`."""
        return (
            self.as_of is not None and catalogue.as_of is not None and catalogue.as_of < self.as_of
        )

    def is_about_other_models(self, catalogue: Catalogue) -> bool:
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
        **({"provider": locked.provider} if locked.provider != MAKER else {}),
        "why": locked.why,
    }


def _check_version(file: TomlFile, version: object) -> None:
    """Raise `ConfigurationError` for another version, which may have other keys."""
    # `type`, because True is an instance of int.
    if type(version) is int and version > VERSION:
        raise ConfigurationError(
            f"{file.path}: version {version} needs a later release of router; this one reads version {VERSION}"
        )
    if version is None:
        raise ConfigurationError(f"{file.path}: version: is missing")
    if type(version) is not int or version < VERSION:
        raise ConfigurationError(f"{file.path}: version: must be {VERSION} (got {quoted(version)})")


def _read_about(file: TomlFile, value: object) -> dict[str, Any]:
    """Return what a lock says of its catalogue; the file reports what is invalid."""
    about = file.table("catalogue", value)
    if about is None:
        return {}
    file.check_keys("catalogue.", about, _CATALOGUE_KEYS)
    return {
        "source": _read_text(file, "catalogue.source", about.get("source")),
        "as_of": _read_moment(file, "catalogue.as_of", about.get("as_of")),
        "digest": _read_text(file, "catalogue.digest", about.get("digest")),
    }


def _read_policies(file: TomlFile, value: object) -> dict[str, Locked]:
    """Return the valid entries of a lock; the file reports the others."""
    reader = PolicyReader(file, "policies", _ENTRY_KEYS)
    policies = {}
    for name, table in (file.table("policies", value) or {}).items():
        policy = reader.read(name, table)
        if isinstance(table, dict):
            path = f"policies.{name}"
            model = _read_text(file, f"{path}.model", table.get("model"))
            why = _read_text(file, f"{path}.why", table.get("why"))
            if model is not None and not is_id(model):
                file.report(f"{path}.model", f"must be the id of a model (got {quoted(model)})")
            provider = table.get("provider", MAKER)
            if not is_provider(provider):
                problem = f"must be a name such as google-vertex (got {quoted(provider)})"
                file.report(f"{path}.provider", problem)
            if policy is not None and model is not None and why is not None:
                policies[name] = Locked(policy, model, why, provider)
    return policies


def _read_text(file: TomlFile, path: str, value: object) -> str | None:
    if value is None:
        file.report_missing(path)
        return None
    return file.string(path, value)


def _read_moment(file: TomlFile, path: str, value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        file.report(path, f"must be a date and time with its zone (got {quoted(value)})")
        return None
    return value.astimezone(UTC)
