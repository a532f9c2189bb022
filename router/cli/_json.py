"""JSON: what each result of the command is for programs; the one place where values become JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import asdict

from router._status import RouterStatus
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision
from router.catalogue._diff import CatalogueDiff
from router.catalogue._gate import Verdict
from router.catalogue._snapshot import Snapshot
from router.catalogue._terms import Unmet
from router.catalogue._why import Why
from router.locking._checking import LockProblem
from router.locking._resolution import Outdated, Resolution
from router.models._model import Model
from router.models._vocabulary import DURATIONS
from router.tools._matrix import Matrix

if TYPE_CHECKING:
    from router.requests._routing import Routed
    from router.tools._audit import Finding


def brief_decision_json(decision: Decision) -> dict[str, Any]:
    """Return a decision without what each other model lacks."""
    return {
        "model": _id(decision.model),
        "reason": decision.reason.value,
        "requirement": decision.requirement.text,
        "policy": decision.policy.name if decision.policy else None,
        "candidates": list(decision.candidates),
        "nearest": list(decision.nearest),
        "notes": list(decision.notes),
        "catalogue": catalogue_json(decision.catalogue) | {"stale": decision.stale},
    }


def decision_json(decision: Decision) -> dict[str, Any]:
    """Return a decision with its terms and what each other model lacks."""
    return brief_decision_json(decision) | {
        "terms": [{"term": str(term), "implicit": term.implicit} for term in decision.terms],
        "rejected": {id: unmet_json(unmet) for id, unmet in decision.rejected.items()},
    }


def unmet_json(terms: Iterable[Unmet]) -> list[dict[str, Any]]:
    """Return the terms that a model does not meet."""
    return [
        {
            "term": str(unmet.term),
            "support": unmet.support,
            "why": unmet.why,
            "implicit": unmet.term.implicit,
        }
        for unmet in terms
    ]


def routed_json(routed: Routed) -> dict[str, Any]:
    """Return where a request goes: the decision, the changes, and the request to send."""
    decision = routed.decision
    return {
        "model": routed.model.id,
        "requirement": decision.requirement.text,
        "places": {text: list(places) for text, places in decision.places.items()},
        "changes": [_named(change, "path", "before", "after", "why") for change in routed.changes],
        "request": routed.request,
        "decision": decision_json(decision),
    }


def model_json(model: Model) -> dict[str, Any]:
    """Return everything known of a model, dates in RFC 3339."""
    fields = sorted(model.values.items())
    capabilities = sorted(model.capabilities.keys() | model.facts.keys())
    return {
        "id": model.id,
        "fields": {name: _scalar(value) for name, value in fields if name not in DURATIONS},
        "capabilities": {name: model.facts.get(name) for name in capabilities},
        "documented": {name: list(sources) for name, sources in sorted(model.documented.items())},
        "corrections": {
            name: _named(correction, "reported", "value", "why")
            for name, correction in model.corrections.items()
        },
    }


def ranked_json(ranked: Sequence[tuple[Model, str | None]]) -> list[dict[str, Any]]:
    """Return models, each with what puts it into its place if a policy does."""
    return [model_json(model) | ({"why": why} if why is not None else {}) for model, why in ranked]


def listing_json(models: Iterable[Model]) -> dict[str, Any]:
    """Return models as one page of the API's own list, each entry as it came."""
    entries = [dict(model.entry) for model in models]
    return {
        "data": entries,
        "has_more": False,
        "first_id": entries[0]["id"] if entries else None,
        "last_id": entries[-1]["id"] if entries else None,
    }


def matrix_json(matrix: Matrix, catalogue: Catalogue) -> dict[str, Any]:
    """Return the matrix: true is supported, false unsupported, null unknown."""
    return {
        "capabilities": list(matrix.capabilities),
        "models": [
            {
                **_named(model, "id", "lifecycle", "access"),
                "support": dict(zip(matrix.capabilities, matrix.supports(model), strict=True)),
            }
            for model in matrix.models
        ],
        "catalogue": catalogue_json(catalogue),
    }


def catalogue_json(catalogue: Snapshot) -> dict[str, Any]:
    """Return what identifies a catalogue."""
    return {
        **_named(catalogue, "source", "as_of", "digest"),
        "models": len(catalogue),
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return what a gate says."""
    return {
        "model": verdict.model,
        "requirement": verdict.requirement.text,
        "value": verdict.value,
        "reason": verdict.reason.value,
        "by_default": verdict.by_default,
        "catalogue": _named(verdict, "source", "as_of", "stale"),
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return a place that names a model."""
    return _fields(finding) | {"verdict": finding.verdict.value}


def status_json(status: RouterStatus) -> dict[str, Any]:
    """Return the status of a router."""
    return _fields(status) | {"last_error": str(status.last_error) if status.last_error else None}


def diff_json(diff: CatalogueDiff) -> dict[str, Any]:
    """Return what differs between two catalogues."""
    return {
        "added": list(diff.added),
        "removed": list(diff.removed),
        "changed": [_named(change, "id", "name", "before", "after") for change in diff.changed],
        "impact": [_named(impact, "policy", "before", "after") for impact in diff.impact],
    }


def resolution_json(found: Resolution, path: str, *, written: bool) -> dict[str, Any]:
    """Return what happens to each policy of a lock."""
    return {
        "path": path,
        "written": written,
        "policies": [
            {
                "policy": change.policy,
                "before": change.before.model if change.before is not None else None,
                "after": change.after.model if change.after is not None else None,
                "why": change.after.why if change.after is not None else None,
                "cause": change.cause or None,
            }
            for change in found.changes
        ],
    }


def unresolved_json(unmet: Mapping[str, Decision]) -> dict[str, Any]:
    """Return the policies that no model satisfies, each with its decision."""
    return {"unmet": {name: decision_json(decision) for name, decision in unmet.items()}}


def problems_json(problems: Iterable[LockProblem]) -> list[dict[str, Any]]:
    """Return the problems of a lock."""
    return [
        {"policy": problem.policy, "kind": problem.kind.value, "what": problem.what}
        for problem in problems
    ]


def outdated_json(found: Iterable[Outdated]) -> list[dict[str, Any]]:
    """Return the outdated policies: what is locked and what is newest."""
    return [
        {
            "policy": outdated.policy,
            "locked": outdated.locked,
            "newest": _id(outdated.newest),
            "released": _scalar(outdated.newest.created_at)
            if outdated.newest is not None
            else None,
            "adds": list(outdated.adds),
            "lacks": list(outdated.lacks),
        }
        for outdated in found
    ]


def why_json(found: Why) -> dict[str, Any]:
    """Return how a model compares with the one that is selected."""
    return {
        "id": found.model.id,
        "selected": _id(found.selected),
        "place": found.place,
        "candidates": found.candidates,
        "because": found.because or None,
        "lacks": list(map(unmet_json, found.lacks)),
    }


def _id(model: Model | None) -> str | None:
    return model.id if model is not None else None


def _named(value: object, *names: str) -> dict[str, Any]:
    """Return these attributes of a value, by name."""
    return {name: _scalar(getattr(value, name)) for name in names}


def _fields(value: Any) -> dict[str, Any]:
    return {name: _scalar(field) for name, field in asdict(value, recurse=False).items()}


def _scalar(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
