"""A value of every public class: what the functions and methods of the library return and raise."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import httpx
from canary import KEY

from router import (
    AmbiguousModelError,
    Audit,
    BundledSource,
    Catalogue,
    CatalogueUnavailableError,
    ConfigurationError,
    ConflictingEntriesError,
    Cooling,
    Correction,
    Deadline,
    FallbackExhaustedError,
    FileSource,
    Impact,
    LockError,
    Model,
    NoModelError,
    Policy,
    Provenance,
    RequirementSyntaxError,
    Router,
    SDKSource,
    Source,
    StaticSource,
    UnfitRequestError,
    UnknownModelError,
    UnknownNameError,
    check_lock,
    fit,
    outdated,
    require,
    requirement_of,
    resolve,
    why,
)


class Client:
    """Stands for an application's own client, which has the key, and which nobody can pickle or copy either."""

    def __init__(self) -> None:
        self.api_key = KEY
        self.lock = threading.Lock()


def public_values(source: Source, need: str = "pdf_input", error: str = "reset") -> list[object]:
    """Return a value of every public class, from a source of `entries`, a need that they meet, and an error."""
    router = Router(source, cache_dir=False)
    catalogue = router.refresh()
    return [
        source,
        router,
        router.status(),
        router.selector(need),
        *_of_catalogue(catalogue, need),
        *_made_by_hand(catalogue, need),
        *_errors(catalogue),
        *_of_lock(catalogue, need),
        *_of_run(router, need, error),
        *_of_request(router),
    ]


def _of_catalogue(catalogue: Catalogue, need: str) -> list[object]:
    newest, *_, oldest = catalogue.models
    decision = catalogue.explain("citations")
    diff = catalogue.diff(Catalogue.from_listing([{**newest.entry, "max_tokens": 1}]))
    audit = Audit(catalogue)
    (finding,) = audit.findings(f"{KEY} {newest.id}")
    return [
        *(catalogue, newest, newest.provenance("max_tokens")),
        *(decision, decision.reason, decision.terms[0], *decision.rejected[catalogue.models[1]]),
        *(diff, diff.changed[0], Impact("reports", "nova", None)),
        *(why(catalogue, oldest, need), audit, finding, finding.verdict),
    ]


def _made_by_hand(catalogue: Catalogue, need: str) -> list[object]:
    return [
        *(require(need), Policy(require=need), Correction(1, 2, "why")),
        *(Provenance("entry"), Deadline(10.0), Cooling("nova", datetime.now(UTC), 2, "reset")),
        *(BundledSource(), FileSource("a"), StaticSource(catalogue), SDKSource(Client())),
    ]


def _errors(catalogue: Catalogue) -> list[object]:
    return [
        NoModelError(require("pdf_input"), catalogue),
        CatalogueUnavailableError("no", status=401),
        ConflictingEntriesError("data[0]", "one", "two"),
        ConfigurationError("no"),
        RequirementSyntaxError("(", 1, "unfinished"),
        UnknownNameError("nova", ["a"]),
        UnknownModelError("nova"),
        AmbiguousModelError("nova", ["a:nova", "b:nova"]),
        LockError("reports", "nova", "it is gone"),
        UnfitRequestError("nova", [("max_tokens", "pdf_input")]),
    ]


def _of_lock(catalogue: Catalogue, need: str) -> list[object]:
    policies = {"reports": Policy(require=need)}
    resolution = resolve(policies, catalogue)
    lock = resolution.lock
    changed = {"reports": Policy(require="citations")}
    (problem,) = check_lock(lock, changed, catalogue)
    return [
        *(resolution, resolution.changes[0], lock, lock.policies["reports"]),
        *(problem, problem.kind, *outdated(None, policies, catalogue)),
    ]


def _of_run(router: Router, need: str, error: str) -> list[object]:
    """Return what a run leaves, where the first model has failed."""
    catalogue = router.catalogue
    reset = httpx.ReadError(error)

    def call(model: Model) -> str:
        if model.id == catalogue.models[0].id:
            raise reset
        return "well"

    answer = router.run(need, call)
    failure = answer.attempts[0].failure
    assert failure is not None
    exhausted = FallbackExhaustedError("no", answer.attempts)
    return [
        *(answer, answer.attempts[0], failure, failure.kind, exhausted, router.begin(need)),
        *router.status().cooling,
    ]


def _of_request(router: Router) -> list[object]:
    newest = router.catalogue.models[0]
    gate = router.gate(newest.id)
    verdict = gate.explain("pdf_input", default=False)
    request = {"max_tokens": 100_000, "messages": []}
    fitted = fit(request, newest, "downgrade")
    return [
        *(requirement_of(request), fitted, fitted.changes[0], gate, verdict, verdict.reason),
        *(router.fallbacks_param(newest, None), router.route(request, None, "downgrade")),
    ]
