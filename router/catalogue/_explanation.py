"""Explanation: why a model is the answer, why the others are not, what is nearest, and how that reads."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from attrs import evolve, field, frozen

from router._errors import did_you_mean, nearest, printable
from router.catalogue._policy import Policy
from router.catalogue._snapshot import Snapshot
from router.catalogue._terms import Term, Unmet, abbreviated
from router.models._model import Model, Support
from router.requirements._expression import Places, Requirement
from router.requirements._literals import Comparison

_MAX_LISTED: Final = 3
"""How many terms, models or places a line or a list names."""

_MAX_TERMS: Final = 20
_MAX_IDS: Final = 5


class Reason(Enum):
    """Why a decision names the model it names."""

    NEWEST = "newest"
    """It is the newest of the candidates."""
    PREFERRED = "preferred"
    """A preference of the policy puts it before the newest of the candidates."""
    ORDERED = "ordered"
    """The order of the policy, as cheapest, puts it before the newest of the candidates."""
    ALTERNATIVE = "alternative"
    """No model is known to meet the requirement of the policy; it is the best for the first alternative that is met."""
    LOCKED = "locked"
    """A lock names it: it was the best for the policy when that was locked."""
    NO_MATCH = "no_match"
    """There is none: no model is known to meet the requirement."""


@frozen
class Explanation:
    """What a `Decision` has once it is read; the attributes are documented there."""

    model: Model | None
    reason: Reason
    requirement: Requirement
    terms: tuple[Term, ...]
    candidates: tuple[Model, ...]
    rejected: Mapping[Model, tuple[Unmet, ...]]
    nearest: tuple[Model, ...]
    notes: tuple[str, ...]
    catalogue: Snapshot = field(eq=False, repr=False)
    policy: Policy | None = None
    places: Places = field(factory=dict)

    def locked(self, model: Model, note: str) -> Explanation:
        """Return the explanation of a model that a lock names: it comes first, the others follow."""
        notes = tuple(each for each in self.notes if each not in note)
        if self.model is not None and self.model.key != model.key:
            without = f"without the lock it would be {self._name(self.model)}"
            notes = ("; ".join((without, *notes)),)
        return evolve(
            self,
            model=model,
            reason=Reason.LOCKED,
            candidates=(model, *(each for each in self.candidates if each.key != model.key)),
            nearest=(),
            notes=(note, *notes),
        )

    def noting(self, *notes: str) -> Explanation:
        """Return the explanation with these notes before its own."""
        return evolve(self, notes=(*notes, *self.notes))

    def unmet(self, model: Model) -> tuple[Unmet, ...]:
        """Return what a rejected model lacks, default filters apart."""
        return tuple(each for each in self.rejected.get(model, ()) if not each.term.implicit)

    def __str__(self) -> str:
        lines = self._found() if self.model else self._missed()
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _found(self) -> list[str]:
        assert self.model is not None  # noqa: S101 - for the type checker
        others = len(self.candidates) - 1
        meeting = sum(model not in self.rejected for model in self.candidates)
        behind = f" of {meeting} candidates" if meeting > 1 else ", the only candidate"
        if self.reason is Reason.LOCKED:
            behind = ""
        asked = f" by the policy {self.policy.name}" if self.policy and self.policy.name else ""
        lines = [
            f"{self._name(self.model)}: {self.reason.value}{behind} for {abbreviated(self.requirement)}{asked}"
        ]
        if others:
            lines.append(f"then {self._listed(self.candidates[1:])}")
        return lines + self._tally()

    def _tally(self) -> list[str]:
        total = len(self.catalogue)
        failing = self._failing()
        lines = []
        for term in self.terms[:_MAX_TERMS]:
            supports = failing.get(term, [])
            counts = [f"met by {total - len(supports)} of {total}"]
            if supports.count(None):
                counts.append(f"unknown for {supports.count(None)}")
            counts += self._asked_at(term)
            mark = " [default filter]" if term.implicit else ""
            lines.append(f"  {abbreviated(term.requirement)}: {', '.join(counts)}{mark}")
        if len(self.terms) > _MAX_TERMS:
            lines.append(f"  and {len(self.terms) - _MAX_TERMS} more terms")
        return lines

    def _asked_at(self, term: Term) -> list[str]:
        """Return the words for where a request asks for the term, none where no request does."""
        places = self.places.get(str(term), ())
        more = f" and {len(places) - _MAX_LISTED} more" if len(places) > _MAX_LISTED else ""
        return [f"asked at {printable(', '.join(places[:_MAX_LISTED]))}{more}"] if places else []

    def _with_hint(self, requirement: Requirement) -> str:
        """Return the text of a requirement that no model satisfies, and the values that may have been meant."""
        values = [
            model.comparable.get(next(iter(requirement.fields), "")) for model in self.catalogue
        ]
        near = [
            each
            for text in _texts_of(requirement)
            for each in nearest(text, filter(None, values), limit=1)
        ]
        return abbreviated(requirement) + did_you_mean(near)

    def _failing(self) -> dict[Term, list[Support]]:
        """Return the supports of every term that some model does not meet."""
        failing: dict[Term, list[Support]] = {}
        for unmet in self.rejected.values():
            for each in unmet:
                failing.setdefault(each.term, []).append(each.support)
        return failing

    def _missed(self) -> list[str]:
        total = len(self.rejected)
        lines = [f"no model satisfies {abbreviated(self.requirement)}"]
        if not total:
            return [*lines, "  the catalogue is empty"]
        hopeless = [
            self._asked_at(term) for term in self.terms if term.requirement.is_unsatisfiable()
        ]
        if any(hopeless):
            return [f"no model accepts what is {place}" for places in hopeless for place in places]
        if self.requirement.is_unsatisfiable():
            return [*lines, "  no model ever can: its terms contradict each other"]
        failing = self._failing()
        unmet_by_all = [term for term in self.terms if len(failing.get(term, ())) == total]
        for term in unmet_by_all[:_MAX_LISTED]:
            lines += [
                f"  no model satisfies: {', '.join((self._with_hint(term.requirement), *self._asked_at(term)))}"
            ]
        if len(unmet_by_all) > _MAX_LISTED:
            lines.append(f"  nor {len(unmet_by_all) - _MAX_LISTED} more terms")
        filtered = [model for model in self.rejected if not self.unmet(model)]
        for model in filtered[:_MAX_LISTED]:
            filters = "; ".join(
                f"{abbreviated(each.term.requirement)} ({each.why})"
                for each in self.rejected[model]
            )
            lines.append(f"  {self._name(model)} meets it, but not the default filter {filters}")
        if not unmet_by_all and not filtered:
            lines.append("  each term is met by some model, but no model satisfies them all")
        if self.nearest:
            lines.append("  nearest:")
        for model in self.nearest[:_MAX_LISTED]:
            unmet = self.unmet(model)
            lacks = "; ".join(
                f"{abbreviated(each.term.requirement)} ({', '.join((each.why, *self._asked_at(each.term)))})"
                for each in unmet[:_MAX_LISTED]
            )
            left = len(unmet) - _MAX_LISTED
            more = f" and {left} more terms" if left > 0 else ""
            lines.append(f"    {self._name(model)} lacks {lacks}{more}")
        return lines

    def _name(self, model: Model) -> str:
        return self.catalogue.name_of(model)

    def _listed(self, models: tuple[Model, ...]) -> str:
        more = len(models) - _MAX_IDS
        return ", ".join(map(self._name, models[:_MAX_IDS])) + (
            f" and {more} more" if more > 0 else ""
        )


def _texts_of(requirement: Requirement) -> tuple[str, ...]:
    """Return the texts of which a field has to equal one; none for any other requirement."""
    if (
        not isinstance(requirement, Comparison)
        or requirement.kind != "text"
        or requirement.op not in {"==", "in"}
    ):
        return ()
    return requirement.value if isinstance(requirement.value, tuple) else (requirement.value,)
