"""Policy: a requirement with preferences, order, minimum age and alternatives, in Python or TOML.

    [policies.reports]
    require      = "thinking.adaptive and pdf_input"
    prefer       = ["line == opus", "effort.max"]
    minimum_age  = "14d"
    order        = "cheapest"
    alternatives = ["thinking and pdf_input"]

A policy holds no catalogue; a catalogue ranks its models by a policy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final

from attrs import evolve, field, frozen

from router._errors import (
    ConfigurationError,
    RequirementError,
    did_you_mean,
    nearest,
    quoted,
    shortened,
)
from router._serialising import Serialisable
from router.models._field_types import read_days
from router.models._model import Model
from router.models._vocabulary import CAPABILITIES, FIELDS
from router.requirements._expression import Requirement, conjunction
from router.requirements._literals import Comparison
from router.requirements._needs import KEYWORDS
from router.requirements._parser import parse, require

ORDERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "newest": (),
        "cheapest": ("price.output", "price.input"),
        "largest_context": ("max_input_tokens",),
    }
)
"""The fields that break ties between preferences, by order; newest first breaks the rest."""

POLICY_KEYS: Final = ("require", "prefer", "minimum_age", "alternatives", "order")
"""The keys that a policy table may have."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_OWN_TABLE: Final = re.compile(rb"^\s*\[tool\.router[].]", re.MULTILINE)
_UNKNOWN_LAST: Final = float("inf")


def _read_all(requirements: Sequence[str | Requirement]) -> tuple[Requirement, ...]:
    if isinstance(requirements, (str, Requirement)) or not isinstance(requirements, Sequence):
        raise ConfigurationError(
            f"a list of requirements was expected (got {quoted(requirements)})"
        )
    return tuple(map(require, requirements))


def _read_age(age: str | Requirement | None) -> Requirement | None:
    if age is None or (isinstance(age, Comparison) and (age.field, age.op) == ("age", ">=")):
        return age
    return Comparison("age", "duration", ">=", read_days("minimum_age", age))


def _read_order(order: str) -> str:
    if order not in ORDERS:
        raise ConfigurationError(f"order must be one of {', '.join(ORDERS)} (got {quoted(order)})")
    return order


@frozen(kw_only=True, repr=False)
class Policy(Serialisable):
    """An application's requirement, and the ranking of the models that meet it.

    The chain of a policy is the candidates of `require`, followed by the further candidates of each
    of `alternatives`. `prefer` ranks the candidates of each: models known to meet the first
    preference come first, then the second, and so on. Preferences remove no model. Ties are broken
    by `order` (`newest`; `cheapest` by output price, then input price; `largest_context`), then
    newest first. `minimum_age`, such as `14d`, is added to every requirement.

    Raises `RequirementError` for an invalid requirement, and `ConfigurationError` for any other
    invalid argument.
    """

    require: Requirement = field(default=None, converter=require)
    prefer: tuple[Requirement, ...] = field(default=(), converter=_read_all)
    minimum_age: Requirement | None = field(default=None, converter=_read_age)
    alternatives: tuple[Requirement, ...] = field(default=(), converter=_read_all)
    order: str = field(default="newest", converter=_read_order)
    name: str | None = None

    tiers: tuple[Requirement, ...] = field(init=False, repr=False, eq=False)
    """The requirement, then the alternatives in order, each with the minimum age added."""

    @tiers.default
    def _tiers(self) -> tuple[Requirement, ...]:
        aged = () if self.minimum_age is None else (self.minimum_age,)
        return tuple(conjunction((each, *aged)) for each in (self.require, *self.alternatives))

    json_names: ClassVar = ("name", "require", "prefer", "minimum_age", "alternatives", "order")

    def also(self, requirement: Requirement) -> Policy:
        """Return the policy with `requirement` added to its own and to each alternative."""
        return evolve(
            self,
            require=self.require & requirement,
            alternatives=tuple(each & requirement for each in self.alternatives),
        )

    @property
    def is_relative(self) -> bool:
        """Whether the answer depends on the current time."""
        return any(each.is_relative for each in (*self.tiers, *self.prefer))

    @property
    def ranked_by(self) -> tuple[str, ...]:
        """The fields that the order ranks by, most significant first."""
        return ORDERS[self.order]

    def sort_key(self, model: Model) -> tuple[float, ...]:
        """Return the model's sort key by the order; unknown values sort last."""
        sign = -1.0 if self.order == "largest_context" else 1.0
        return tuple(
            sign * model.comparable[name] if name in model.comparable else _UNKNOWN_LAST
            for name in self.ranked_by
        )

    def __str__(self) -> str:
        return self.name or str(self.require)

    def __repr__(self) -> str:
        given = {name: each for name, each in self.to_dict().items() if each}
        return shortened(f"Policy({', '.join(f'{name}={each!r}' for name, each in given.items())})")


RequirementLike = str | Requirement | Policy | None
"""A requirement as a string or value, a policy, or `None` for every model."""


def reject_keywords(policy: Policy, needs: Mapping[str, object]) -> Policy:
    """Return the policy; raises `RequirementError` if keywords are given too."""
    if needs:
        raise RequirementError(
            f"a policy cannot be combined with keywords: {shortened(next(iter(needs)))}="
        )
    return policy


def read_policies(path: str | os.PathLike[str]) -> Mapping[str, Policy]:
    """Read policies by name from `router.toml`, or from `tool.router` in `pyproject.toml`.

    Raises `ConfigurationError` with the file, the key and the expected value.
    """
    where = os.fspath(path)
    document = read_toml(where)
    prefix = ""
    if os.path.basename(where) == "pyproject.toml":
        prefix = "tool.router."
        document = read_table(
            where,
            "tool.router",
            read_table(where, "tool", document.get("tool", {})).get("router", {}),
        )
    check_keys(where, prefix, document, ("policies",))
    named = read_table(where, f"{prefix}policies", document.get("policies", {}))
    return MappingProxyType(
        {
            name: read_policy(where, f"{prefix}policies", name, table)
            for name, table in named.items()
        }
    )


def is_policy_name(text: str) -> bool:
    """Return whether `text` is a valid policy name."""
    return _NAME.fullmatch(text) is not None and text not in KEYWORDS


def check_names(names: Iterable[str]) -> None:
    """Raise `ConfigurationError` for an invalid policy name, or one that is already in use."""
    for name in names:
        if not _NAME.fullmatch(str(name)):
            raise ConfigurationError(
                f"a policy is named with letters, digits, - and _ (got {quoted(name)})"
            )
        # `Router.select` takes a policy name or a requirement: the two must not overlap.
        if name in CAPABILITIES or name in FIELDS or name in KEYWORDS:
            raise ConfigurationError(
                f"{name} is a capability, a field or a keyword; name the policy otherwise"
            )


def check_policies(policies: object) -> None:
    """Raise `ConfigurationError` unless `policies` maps valid names to policies."""
    if not isinstance(policies, Mapping) or not all(
        isinstance(each, Policy) for each in policies.values()
    ):
        raise ConfigurationError(
            f"policies must be a dict of a name to a Policy, or the file of them (got {quoted(policies)})"
        )
    check_names(policies)


def find_policies(directory: str | os.PathLike[str] = ".") -> str | None:
    """Return the nearest file of policies, from the directory upward.

    A directory's `router.toml` wins over its `pyproject.toml`, which needs a table `tool.router`.
    """
    here = os.path.abspath(directory)
    while True:
        own, project = os.path.join(here, "router.toml"), os.path.join(here, "pyproject.toml")
        if os.path.isfile(own):
            return own
        if os.path.isfile(project) and _has_own_table(project):
            return project
        here, left = os.path.dirname(here), here
        if here == left:
            return None


def _has_own_table(path: str) -> bool:
    # A search of the bytes finds the table even if the file is not valid TOML, so that reading the
    # file reports the error instead of the search skipping it.
    try:
        with open(path, "rb") as file:
            return _OWN_TABLE.search(file.read()) is not None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"{path} cannot be read: {error.strerror or error}")


def read_toml(path: str) -> dict[str, Any]:
    """Read a TOML file; raises `ConfigurationError` if it is unreadable or invalid."""
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error


def read_policy(where: str, prefix: str, name: str, table: object) -> Policy:
    """Read a policy table; raises `ConfigurationError` with the file, key and expected value."""
    path = f"{prefix}.{name}"
    try:
        check_names((name,))
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {shortened(path)}: {error}") from None
    stated = read_table(where, path, table)
    check_keys(where, f"{path}.", stated, POLICY_KEYS)
    if "require" not in stated:
        raise ConfigurationError(f"{where}: {path}: require is missing")
    read = {key: _value(where, f"{path}.{key}", key, value) for key, value in stated.items()}
    return Policy(**read, name=name)


def _value(where: str, path: str, key: str, value: object) -> Any:
    """Check one value of a policy table, so that an error names its place in the file."""
    is_list = key in {"prefer", "alternatives"}
    texts: Any = value if is_list else [value]
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise ConfigurationError(
            f"{where}: {path} must be {'a list of strings' if is_list else 'a string'} (got {quoted(value)})"
        )
    for at, text in enumerate(texts):
        place = f"{where}: {path}[{at}]" if is_list else f"{where}: {path}"
        try:
            if key == "order":
                _read_order(text)
            elif key == "minimum_age":
                _read_age(text)
            else:
                parse(text)
        except RequirementError as error:
            raise ConfigurationError(f"{place}: {error}") from error
        except ConfigurationError as error:
            # The message starts with the name of the argument, which `place` already gives.
            raise ConfigurationError(f"{place}: {str(error).partition(' ')[2]}") from error
    return value


def read_table(where: str, path: str, value: object) -> dict[str, Any]:
    """Return `value` if it is a table; raises `ConfigurationError` otherwise."""
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where}: {path} must be a table (got {type(value).__name__})")
    return value


def check_keys(where: str, prefix: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise `ConfigurationError` for an unknown key of a table."""
    for key in table:
        if key not in known:
            hint = did_you_mean(nearest(key, known, limit=1)) or f"; there is {', '.join(known)}"
            raise ConfigurationError(f"{where}: {shortened(prefix + key)}: unknown key{hint}")
