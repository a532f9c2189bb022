"""Decision: an answer with its reason, worked out when it is read; and the error where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from router._errors import RouterError
from router._serialising import Serialisable
from router.catalogue._deciding import explain
from router.catalogue._explanation import Explanation, Reason
from router.catalogue._policy import Policy
from router.catalogue._snapshot import Snapshot
from router.catalogue._terms import Term, Unmet
from router.models._model import Model
from router.requirements._expression import Places, Requirement, resolve_now


class Decision(Serialisable):
    """An answer with its reason: the model, or `None`; what was asked; and what each other model lacks.

    It is about one moment and one catalogue, and is worked out when it is first read. It is true if
    there is a model, and `str()` explains it.
    """

    __slots__ = ("_catalogue", "_explain", "_known", "_stale")

    json_names: ClassVar = (
        *("model", "reason", "requirement", "policy", "terms", "candidates", "rejected", "nearest"),
        *("notes", "places", "source", "as_of", "digest", "stale"),
    )

    def __init__(
        self, catalogue: Snapshot, explain: Callable[[], Explanation], *, stale: bool = False
    ) -> None:
        self._catalogue = catalogue
        self._explain = explain
        self._known: Explanation | None = None
        self._stale = stale

    @property
    def _explanation(self) -> Explanation:
        """The values of the decision, worked out once."""
        found = self._known
        if found is None:  # two threads that read it at once get equal ones
            found = self._known = self._explain()
        return found

    @property
    def model(self) -> Model | None:
        """The model that answers, `None` if no model does."""
        return self._explanation.model

    @property
    def reason(self) -> Reason:
        """Why it is this model."""
        return self._explanation.reason

    @property
    def requirement(self) -> Requirement:
        """The requirement that decided: of a policy, its own or one of its alternatives."""
        return self._explanation.requirement

    @property
    def policy(self) -> Policy | None:
        """The policy that was asked for."""
        return self._explanation.policy

    @property
    def terms(self) -> tuple[Term, ...]:
        """The conjuncts of the requirement, then the default filters that applied."""
        return self._explanation.terms

    @property
    def candidates(self) -> tuple[Model, ...]:
        """Every model that meets all terms, best first."""
        return self._explanation.candidates

    @property
    def rejected(self) -> Mapping[Model, tuple[Unmet, ...]]:
        """The terms that each other model does not meet, newest first."""
        return MappingProxyType(self._explanation.rejected)

    @property
    def nearest(self) -> tuple[Model, ...]:
        """Without a model, those that lack the fewest terms: what they lack is the smallest relaxation."""
        return self._explanation.nearest

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the answer, such as a documented fact that decided it."""
        return self._explanation.notes

    @property
    def places(self) -> Places:
        """The places of a request that ask for each term, by the text of the term."""
        return self._explanation.places

    @property
    def source(self) -> str:
        """Where the catalogue came from: `live`, `disk`, `bundled`, `file` or `static`."""
        return self._catalogue.source

    @property
    def as_of(self) -> datetime | None:
        """When the catalogue was true."""
        return self._catalogue.as_of

    @property
    def digest(self) -> str:
        """The sha256 of the catalogue's entries."""
        return self._catalogue.digest

    @property
    def stale(self) -> bool:
        """Whether the catalogue was older than it was allowed to be."""
        return self._stale

    def unmet(self, model: str | Model) -> tuple[Unmet, ...]:
        """Return what a rejected model lacks, default filters apart; `model` may be an id or a key."""
        return self._explanation.unmet(
            model if isinstance(model, Model) else self._catalogue[model]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as JSON-ready values; `rejected` is a list of models and their terms."""
        rejected = [
            {"model": model.to_reference(), "unmet": [each.to_dict() for each in unmet]}
            for model, unmet in self.rejected.items()
        ]
        return super().to_dict() | {
            "policy": self.policy.name if self.policy is not None else None,
            "rejected": rejected,
        }

    def __bool__(self) -> bool:
        return self.model is not None

    def __str__(self) -> str:
        return str(self._explanation)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decision):
            return NotImplemented
        return (self._explanation, self.stale) == (other._explanation, other.stale)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._catalogue, self._explanation, self._stale)


def _restored(catalogue: Snapshot, explanation: Explanation, stale: bool) -> Decision:
    return Decision(catalogue, lambda: explanation, stale=stale)


def changed(
    decision: Decision,
    change: Callable[[Explanation], Explanation] = lambda explanation: explanation,
    *,
    stale: bool | None = None,
) -> Decision:
    """Return a decision with a change of its explanation, which is made when it is read."""
    return Decision(
        catalogue_of(decision),
        lambda: change(decision._explanation),  # noqa: SLF001 - of this module
        stale=decision.stale if stale is None else stale,
    )


def catalogue_of(decision: Decision) -> Snapshot:
    """Return the catalogue that a decision is about."""
    return decision._catalogue  # noqa: SLF001 - of this module


def decide(catalogue: Snapshot, asked: Requirement | Policy, now: datetime) -> Decision:
    """Return the decision of `catalogue` on a requirement or a policy, with default filters.

    Raises `UnknownNameError` for an unknown name; the rest happens when it is read.
    """
    if isinstance(asked, Policy):
        catalogue.check_policy(asked)
    else:
        catalogue.check_names(asked)
    return Decision(catalogue, lambda: explain(catalogue, asked, now))


class NoModelError(RouterError, LookupError):
    """No model of the catalogue is known to meet `requirement`, which may be a policy.

    It explains the catalogue as it was when the error was raised.
    """

    def __init__(
        self, requirement: Requirement | Policy, catalogue: Snapshot, now: datetime | None = None
    ) -> None:
        self.now = resolve_now(now)
        super().__init__(requirement, catalogue, self.now)
        self.requirement = requirement
        self._catalogue = catalogue

    @property
    def decision(self) -> Decision:
        """The reason: which terms no model satisfies, and which models come nearest."""
        return decide(self._catalogue, self.requirement, self.now)

    def __str__(self) -> str:
        return str(self.decision)
