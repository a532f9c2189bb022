"""Routing: which models can serve a request, best first, and the changes that each needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, Final

from attrs import evolve, field, frozen

from router._errors import UnfitRequestError, printable, shortened
from router._log import Log
from router._serialising import Serialisable
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision, NoModelError, changed
from router.catalogue._explanation import Explanation
from router.catalogue._policy import Need, Policy
from router.catalogue._terms import format_value
from router.locking._answers import LockedAnswer
from router.models._model import Model
from router.requests._fitting import Fitted, OnUnsupported, RequestChange, check_on_unsupported, fit
from router.requests._reading import BATCH, RequestRequirement, read, requirement_of
from router.requests._tokens import InputTokens
from router.requests._values import format_path
from router.requirements._expression import Requirement, conjunction
from router.requirements._parser import require

log: Final = Log(__package__)

_BATCH: Final = format_path(BATCH)

_CHANGES_LOGGED: Final = 10
"""How many changes a line of the log has."""


@frozen
class Purpose:
    """What a call is for, in the words of its errors and log records."""

    need: str
    """All that the model must meet: the policy, or the requirement."""
    asked: str = ""
    """The part of it that the application states, or the name of its policy; empty if it has none."""
    policy: str | None = None

    @classmethod
    def of(cls, asked: Need, need: str, policy: str | None) -> Purpose:
        """Return the purpose of a call for a requirement, or for the policy of that name."""
        text = policy or ("" if asked is None else str(asked))
        return cls(printable(need), "" if text == "true" else shortened(text), policy)


def log_route(
    purpose: Purpose, model: Model, changes: Sequence[RequestChange], attempt: int | None = None
) -> None:
    """Log which model a call goes to."""
    hidden = len(changes) - _CHANGES_LOGGED
    more = f"; and {hidden} more" if hidden > 0 else ""
    changed = (
        f"; changed: {'; '.join(map(str, changes[:_CHANGES_LOGGED]))}{more}" if changes else ""
    )
    log.info(
        "a call%s goes to %s%s",
        f" for {purpose.asked}" if purpose.asked else "",
        model.id,
        changed,
        event="route",
        model_id=model.id,
        policy=purpose.policy,
        attempt=attempt,
        changes=len(changes),
    )


@frozen(repr=False)
class Routed(Serialisable):
    """Where a request goes: the model, the request as it takes it, and the reason."""

    model: Model
    request: Mapping[str, Any] = field(repr=False)
    decision: Decision
    changes: tuple[RequestChange, ...] = ()

    json_names: ClassVar = ("model", "request", "changes", "decision")

    def __str__(self) -> str:
        return "\n".join([str(self.decision), *(f"changed: {each}" for each in self.changes)])


@frozen
class Routes:
    """The models that can serve a request, best first; those that need no change come first."""

    asked: Requirement | Policy
    """The need of the application, in addition to the request."""
    need: RequestRequirement
    """The demands of the request."""
    catalogue: Catalogue
    now: datetime
    fits: Mapping[Model, Fitted]
    held: LockedAnswer | None = None
    """The answer of a lock for the policy."""

    def purpose(self, policy: str | None) -> Purpose:
        """Return what the request is for; `policy` is the name under which the router has it."""
        need = self.asked if isinstance(self.asked, Policy) else self.asked & self.need
        return Purpose.of(self.asked, str(need), policy)

    def first(self) -> Routed:
        """Return where the request goes, with the reason."""
        model, fitted = next(iter(self.fits.items()))
        decision = self.catalogue.explain(
            _combine(self.asked, _demands_after(self.need, fitted)), now=self.now
        )
        held = self.held
        if held is not None and held.model in {None, model}:
            decision = held.apply_to(decision)

        def explain(explanation: Explanation) -> Explanation:
            if held is not None and held.model not in {None, model}:
                explanation = explanation.noting(_format_lock_note(held))
            if explanation.model is not None and explanation.model is not model:
                explanation = _explain_for(explanation, model)
            return evolve(explanation, notes=(*explanation.notes, *_notes(self.need)))

        return Routed(model, request_for(model, fitted), changed(decision, explain), fitted.changes)


def request_for(model: Model, fitted: Fitted) -> dict[str, Any]:
    """Return the request that was fitted to a model, with its `model` set."""
    request = {**fitted.request, "model": model.id}
    extra = request.get("extra_body")
    if isinstance(extra, Mapping) and "model" in extra:  # the SDK would lay it over the choice
        request["extra_body"] = {name: each for name, each in extra.items() if name != "model"}
    return request


def routes(
    catalogue: Catalogue,
    request: Mapping[str, Any],
    asked: Need,
    on_unsupported: OnUnsupported,
    now: datetime,
    *,
    most: int,
    held: LockedAnswer | None = None,
    batch: bool = False,
    input_tokens: InputTokens = None,
) -> Routes:
    """Return the models, at least one, that can serve the request and meet the need.

    If fewer than `most` take it as it is, it is changed for others, until there are that many.
    The model that a policy is `held` to goes first, unless it is known not to serve the request.
    Raises `NoModelError` if there is none, with the places of the request that ask for each term.
    """
    check_on_unsupported(on_unsupported)
    need = requirement_of(request, batch=batch, input_tokens=input_tokens)
    beside = asked if isinstance(asked, Policy) else require(asked)
    if isinstance(beside, Policy):
        catalogue.check_policy(beside)  # before the terms of the request join those of its file
    fits = dict.fromkeys(catalogue.candidates(_combine(beside, need), now=now), Fitted(request))
    if on_unsupported != "error":
        content = [each.term for each in read(request, batch=batch).demands if each.remedy is None]
        left = catalogue.candidates(_combine(beside, conjunction(content)), now=now)
        changed = _fit_others(
            (model for model in left if model not in fits), request, need, on_unsupported
        )
        fits |= islice(changed, max(0, most - len(fits)))
    if held is not None and held.model is not None:
        fits = _fit_locked(held.model, request, need, on_unsupported, now) | fits
    if not fits:
        raise NoModelError(_combine(beside, need), catalogue, now)
    found = Routes(beside, need, catalogue, now, fits, held)
    if held is not None and held.model is not None and held.model not in fits:
        log.warning(
            "%s",
            _format_lock_note(held),
            event="lock_unfit",
            model_id=held.model.id,
            policy=held.policy,
        )
    return found


def _fit_locked(
    model: Model,
    request: Mapping[str, Any],
    need: RequestRequirement,
    on_unsupported: OnUnsupported,
    now: datetime,
) -> dict[Model, Fitted]:
    """Return the locked model, unless it is known not to serve the request."""
    with suppress(UnfitRequestError):
        fitted = fit(request, model, on_unsupported, batch=_is_of_batch(need))
        if _demands_after(need, fitted).support(model, now=now) is not False:
            return {model: fitted}
    return {}


def _explain_for(explanation: Explanation, model: Model) -> Explanation:
    """Return the explanation of the request's model, not of another that takes the changes."""
    others = (each for each in explanation.candidates if each is not model)
    note = (
        f"{explanation.model} takes what the request was changed to, "
        "but is not known to take it as it was"
    )
    return evolve(explanation.noting(note), model=model, candidates=(model, *others))


def _format_lock_note(held: LockedAnswer) -> str:
    id = held.model.id if held.model is not None else "the model"
    return f"{id}, to which the policy {held.policy} is locked, cannot serve the request"


def _combine(asked: Requirement | Policy, need: Requirement) -> Requirement | Policy:
    return asked.also(need) if isinstance(asked, Policy) else asked & need


def _fit_others(
    models: Iterable[Model],
    request: Mapping[str, Any],
    need: RequestRequirement,
    on_unsupported: OnUnsupported,
) -> Iterator[tuple[Model, Fitted]]:
    for model in models:
        with suppress(UnfitRequestError):
            fitted = fit(request, model, on_unsupported, batch=_is_of_batch(need))
            # A demand whose support is unknown is not met.
            if _demands_after(need, fitted).matches(model):
                yield model, fitted


def _demands_after(need: RequestRequirement, fitted: Fitted) -> RequestRequirement:
    """Return the demands of the changed request; those of arguments stay."""
    if not fitted.changes:
        return need
    return requirement_of(fitted.request, batch=_is_of_batch(need), input_tokens=need.input_tokens)


def _is_of_batch(need: RequestRequirement) -> bool:
    return any(_BATCH in places for places in need.places.values())


def _notes(need: RequestRequirement) -> Iterator[str]:
    if need.not_inferred:
        yield f"what {', '.join(need.not_inferred)} may ask for is unknown"
    if need.is_estimated:
        yield f"{format_value(need.input_tokens)} input tokens are an estimate"
