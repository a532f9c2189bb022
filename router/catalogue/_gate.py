"""Gate: whether a pinned model supports a feature, with the reason; unknown raises nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import ClassVar, Final

from attrs import field, frozen

from router._arguments import check_model_id
from router._errors import (
    CatalogueUnavailableError,
    ConfigurationError,
    RequirementError,
    UnknownModelError,
    did_you_mean,
    nearest,
    quoted,
    shortened,
)
from router._serialising import Serialisable
from router.catalogue._catalogue import Catalogue
from router.models._model import Model, Support
from router.models._vocabulary import LEVELS, capability_name
from router.requirements._expression import Requirement
from router.requirements._needs import KeywordValue
from router.requirements._parser import require


class GateReason(Enum):
    """The reason for a verdict."""

    SUPPORTED = "supported"
    """The model is known to meet the requirement."""
    UNSUPPORTED = "unsupported"
    """The model is known not to meet it."""
    UNKNOWN = "unknown"
    """Support is unknown, so the default decides."""
    UNKNOWN_MODEL = "unknown_model"
    """The catalogue does not list the id or alias, so the default decides."""
    STALE = "stale"
    """No catalogue is recent enough, so the default decides."""


_AUTO: Final = re.compile(r"auto(:.*)?", re.DOTALL)
"""The names that `auto_model` routes: each request of such a name may go to another model."""

_REASONS: Final[dict[Support, GateReason]] = {
    True: GateReason.SUPPORTED,
    False: GateReason.UNSUPPORTED,
    None: GateReason.UNKNOWN,
}


@frozen(kw_only=True, repr=False)
class Verdict(Serialisable):
    """The answer of a gate, with its reason and the catalogue that it comes from."""

    value: bool
    reason: GateReason
    requirement: Requirement
    model_id: str
    """The id of the model; an alias is resolved if the catalogue lists it."""
    source: str | None
    """The source of the catalogue, `None` without one."""
    as_of: datetime | None
    stale: bool
    """Whether the catalogue is too old, or missing."""
    _unknown: UnknownModelError | None = field(default=None, eq=False, repr=False)
    """The error for an unlisted model; it searches for similar ids only when they are read."""

    json_names: ClassVar = (
        *("value", "reason", "requirement", "model_id", "by_default", "nearest"),
        *("source", "as_of", "stale"),
    )

    def __bool__(self) -> bool:
        return self.value

    @property
    def nearest(self) -> tuple[str, ...]:
        """The most similar ids, if the model is unknown."""
        return () if self._unknown is None else self._unknown.nearest

    @property
    def by_default(self) -> bool:
        """Whether the default decided."""
        return self.reason not in {GateReason.SUPPORTED, GateReason.UNSUPPORTED}

    def __str__(self) -> str:
        decided = (
            f", so the default decides: {'yes' if self.value else 'no'}" if self.by_default else ""
        )
        source = f" by the {self.source} catalogue" if self.source else ""
        if self.reason is GateReason.UNKNOWN_MODEL:
            near = did_you_mean(self.nearest[:1])
            return f"no model {shortened(self.model_id)} is known{source}{decided}{near}"
        if self.reason is GateReason.STALE:
            return f"no catalogue is recent enough to know {shortened(self.model_id)}{decided}"
        return f"{self.model_id}: {shortened(str(self.requirement))} is {self.reason.value}{source}{decided}"


class Gate:
    """The features of one model, by id or alias, in the current catalogue; no default filters.

    Raises `ConfigurationError` for anything that cannot be the id of one model.
    """

    def __init__(
        self,
        model: str | Model,
        catalogue: Callable[[], Catalogue],
        is_stale: Callable[[Catalogue], bool] = lambda _: False,
    ) -> None:
        self.model_id = model.id if isinstance(model, Model) else model
        check_model_id(self.model_id)
        if _AUTO.fullmatch(self.model_id):
            raise ConfigurationError(
                f"{quoted(self.model_id)} names several models: a gate takes the id of one"
            )
        self._model = model
        self._catalogue = catalogue
        self._is_stale = is_stale

    def allows(
        self,
        need: str | Requirement | None = None,
        /,
        *,
        default: bool,
        **needs: KeywordValue,
    ) -> bool:
        """Return whether the model meets the requirement, or `default` if that is unknown.

        Raises `RequirementError` for an invalid requirement, such as an unknown name, and
        `ConfigurationError` for a default that is not a bool, and `AmbiguousModelError` for an id of several providers.
        """
        return self.explain(need, default=default, **needs).value

    def explain(
        self,
        need: str | Requirement | None = None,
        /,
        *,
        default: bool,
        **needs: KeywordValue,
    ) -> Verdict:
        """Return the answer of `allows`, with the reason and the catalogue that it comes from."""
        if not isinstance(default, bool):
            raise ConfigurationError(f"default must be True or False (got {quoted(default)})")
        asked = require(need, **needs)
        catalogue, model_id, support, unknown = self._current(), self.model_id, None, None
        reason = GateReason.STALE
        if catalogue is not None:
            try:
                model, support = catalogue.judge(self._model, asked)
                model_id, reason = model.id, _REASONS[support]
            except UnknownModelError as error:
                unknown, reason = error, GateReason.UNKNOWN_MODEL
        return Verdict(
            value=default if support is None else support,
            reason=reason,
            requirement=asked,
            model_id=model_id,
            source=catalogue.source if catalogue is not None else None,
            as_of=catalogue.as_of if catalogue is not None else None,
            stale=catalogue is None or self._is_stale(catalogue),
            unknown=unknown,
        )

    def best(self, name: str, *, at_most: str | None = None) -> str | None:
        """Return the highest level of `name`, such as `effort`, that is known to be supported.

        Returns `None` if no level is. Raises `RequirementError` if `name` has no levels, or if
        `at_most` is not one of them.
        """
        short = capability_name(str(name))
        levels = LEVELS.get(short, ())
        if not levels:
            raise RequirementError(f"{quoted(name)} has no levels; there is {', '.join(LEVELS)}")
        if at_most is not None and at_most not in levels:
            hint = did_you_mean(nearest(str(at_most), levels, limit=1))
            raise RequirementError(
                f"at_most must be one of {', '.join(levels)} (got {quoted(at_most)}){hint}"
            )
        allowed = levels if at_most is None else levels[: levels.index(at_most) + 1]
        return next(
            (each for each in reversed(allowed) if self.allows(f"{short}.{each}", default=False)),
            None,
        )

    def _current(self) -> Catalogue | None:
        """Return the catalogue, or `None` if `strict` rejects it as too old."""
        try:
            return self._catalogue()
        except CatalogueUnavailableError:
            return None

    def __repr__(self) -> str:
        return f"Gate({quoted(self.model_id)})"
