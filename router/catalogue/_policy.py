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

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final

from attrs import evolve, field, frozen

from router._errors import ConfigurationError, RequirementError, quoted, shortened
from router._serialising import Serialisable
from router.models._field_types import read_days
from router.models._model import Model
from router.models._vocabulary import CAPABILITIES, FIELDS
from router.requirements._expression import Requirement, conjunction
from router.requirements._literals import Comparison
from router.requirements._needs import KEYWORDS
from router.requirements._parser import require

ORDERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "newest": (),
        "cheapest": ("price.output", "price.input"),
        "largest_context": ("max_input_tokens",),
    }
)
"""The fields that break ties between preferences, by order; newest first breaks the rest."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_UNKNOWN_LAST: Final = float("inf")


def _read_all(requirements: Sequence[str | Requirement]) -> tuple[Requirement, ...]:
    if isinstance(requirements, (str, Requirement)) or not isinstance(requirements, Sequence):
        raise ConfigurationError(
            f"prefer and alternatives must be lists of requirements (got {quoted(requirements)})"
        )
    return tuple(map(require, requirements))


def read_age(age: str | Requirement | None) -> Requirement | None:
    """Return the requirement of a minimum age; raises `ConfigurationError` if it is not a duration."""
    if age is None or (isinstance(age, Comparison) and (age.field, age.op) == ("age", ">=")):
        return age
    return Comparison("age", "duration", ">=", read_days("minimum_age", age))


def read_order(order: str) -> str:
    """Return a known order; raises `ConfigurationError` for any other."""
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
    minimum_age: Requirement | None = field(default=None, converter=read_age)
    alternatives: tuple[Requirement, ...] = field(default=(), converter=_read_all)
    order: str = field(default="newest", converter=read_order)
    name: str | None = None
    location: str | None = field(default=None, repr=False, eq=False)
    """Where it was read from, such as `router.toml: policies.reports`."""

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
            location=None,  # what is added is not in the file
            require=self.require & requirement,
            alternatives=tuple(each & requirement for each in self.alternatives),
        )

    @property
    def parts(self) -> Iterator[tuple[str, Requirement]]:
        """Each requirement as it is written, with its key in the table of the policy."""
        yield "require", self.require
        for key, several in (("prefer", self.prefer), ("alternatives", self.alternatives)):
            yield from ((f"{key}[{at}]", each) for at, each in enumerate(several))

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


Need = str | Requirement | Policy | None
"""A requirement as a string or value, a policy, or `None` for every model."""


def reject_keywords(policy: Policy, needs: Mapping[str, object]) -> Policy:
    """Return the policy; raises `RequirementError` if keywords are given too."""
    if needs:
        raise RequirementError(
            f"a policy cannot be combined with keywords: {shortened(next(iter(needs)))}="
        )
    return policy


def is_policy_name(text: str) -> bool:
    """Return whether `text` is a valid policy name."""
    return _NAME.fullmatch(text) is not None and text not in KEYWORDS


def name_problem(name: object) -> str | None:
    """Return why a policy cannot have that name, `None` if it can."""
    if not _NAME.fullmatch(str(name)):
        return f"a policy is named with letters, digits, - and _ (got {quoted(name)})"
    # `Router.select` takes a policy name or a requirement: the two must not overlap.
    if name in CAPABILITIES or name in FIELDS or name in KEYWORDS:
        return f"{name} is a capability, a field or a keyword; name the policy otherwise"
    return None


def check_policies(policies: object) -> None:
    """Raise `ConfigurationError` unless `policies` maps valid names to policies."""
    if not isinstance(policies, Mapping) or not all(
        isinstance(each, Policy) for each in policies.values()
    ):
        raise ConfigurationError(
            f"policies must be a dict of a name to a Policy, or the file of them (got {quoted(policies)})"
        )
    for problem in filter(None, map(name_problem, policies)):
        raise ConfigurationError(problem)
