"""Functions of an application that write every public type: checked by mypy and pyright, run by `test_typing.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from router import (
    Attempt,
    BundledSource,
    Catalogue,
    CatalogueDiff,
    CatalogueUnavailableError,
    Classify,
    CountTokens,
    Deadline,
    DocumentedPath,
    Failure,
    FailureClass,
    InputTokens,
    KeywordValue,
    Lock,
    LockProblem,
    LockProblemKind,
    Model,
    Need,
    OnDisagreement,
    OnError,
    OnFallback,
    OnLockBroken,
    OnRefresh,
    OnUnsupported,
    Outdated,
    Places,
    Policy,
    Progress,
    Resolution,
    Router,
    RunOptions,
    Source,
    Support,
    Why,
    check_lock,
    classify,
    outdated,
    requirement_of,
    resolve,
    why,
)

told: list[str] = []


def _on_refresh(old: Catalogue | None, new: Catalogue, diff: CatalogueDiff) -> None:
    told.append(f"{len(new)} models, {len(diff.added)} new, first {old is None}")


def _on_error(error: CatalogueUnavailableError) -> None:
    told.append(error.reason)


def _on_fallback(attempt: Attempt, model: Model) -> None:
    told.append(f"{attempt.model.id} -> {model.id}")


def _on_disagreement(attempt: Attempt) -> None:
    told.append(str(attempt.failure))


def _classify(error: Exception, model: Model) -> Failure | None:
    if isinstance(error, TimeoutError):
        return Failure(kind=FailureClass.NEXT_MODEL, reason=f"{model.id} is slow")
    return classify(error, model)


def _progress(count: int) -> None:
    told.append(f"{count} entries")


def _count(request: Mapping[str, Any]) -> int:
    return len(str(request))


on_refresh: OnRefresh = _on_refresh
on_error: OnError = _on_error
on_fallback: OnFallback = _on_fallback
on_disagreement: OnDisagreement = _on_disagreement
classify_ours: Classify = _classify
progress: Progress = _progress
count_tokens: CountTokens = _count
input_tokens: InputTokens = count_tokens
on_lock_broken: OnLockBroken = "newest"
on_unsupported: OnUnsupported = "downgrade"
documented: DocumentedPath = None


class OwnSource:
    """A source of the application's own, typed by the names that are public."""

    remote = False
    identity = None

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Return the bundled catalogue."""
        if progress is not None:
            progress(33)
        return BundledSource(documented=documented).fetch(deadline, None, held)


class CachedSource:
    """A source whose members are computed, and whose catalogue is kept on disk."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def remote(self) -> bool:
        """It waits on a network."""
        return True

    @property
    def identity(self) -> str | None:
        """Its name on disk."""
        return self._name

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Return a catalogue in time."""
        assert deadline.remaining() > 0
        return held or Catalogue.bundled()


def router_of(source: Source, policies: Mapping[str, Policy], lock: Lock | None = None) -> Router:
    """Return a router with every hook."""
    return Router(
        source,
        policies=policies,
        lock=lock,
        on_lock_broken=on_lock_broken,
        cache_dir=False,
        on_refresh=on_refresh,
        on_error=on_error,
        on_disagreement=on_disagreement,
        progress=progress,
    )


def newest(router: Router, need: Need, **needs: KeywordValue) -> Model:
    """Take any need and pass it on."""
    return router.selector(need, **needs)()


def supported(model: Model, name: str) -> Support:
    """Read a capability."""
    return model.support(name)


def places_of(request: Mapping[str, Any]) -> Places:
    """Ask where a request asks for each term."""
    return requirement_of(request, input_tokens=input_tokens).places


def answered_by(router: Router, request: Mapping[str, Any]) -> str:
    """Send a request with every option."""
    options: RunOptions = {"classify": classify_ours, "on_fallback": on_fallback}

    def create(**sent: Any) -> str:
        if sent["model"] == router.catalogue.models[0].id:
            raise TimeoutError
        return str(sent["model"])

    return router.run_request(request, create, "pdf_input", on_unsupported, **options).value


def locked(policies: Mapping[str, Policy], catalogue: Catalogue) -> Lock:
    """Lock policies, and ask what has come since."""
    resolution: Resolution = resolve(policies, catalogue)
    problems: tuple[LockProblem, ...] = check_lock(resolution.lock, policies, catalogue)
    newer: tuple[Outdated, ...] = outdated(resolution.lock, policies, catalogue)
    assert not problems
    assert not newer
    return resolution.lock


def kinds_of(problems: Sequence[LockProblem]) -> list[LockProblemKind]:
    """Return the kinds of problems."""
    return [each.kind for each in problems]


def place_of(catalogue: Catalogue, model: Model, need: Need) -> int | None:
    """Ask for the place of a model."""
    compared: Why = why(catalogue, model, need)
    return compared.place
