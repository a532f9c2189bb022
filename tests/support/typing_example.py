"""The public API as a program that uses it from outside: checked by mypy and run by `test_typing.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from router import (
    Answer,
    AnthropicSource,
    BundledSource,
    Catalogue,
    CatalogueDiff,
    CatalogueUnavailableError,
    Change,
    Deadline,
    Decision,
    FileSource,
    Impact,
    Lock,
    Locked,
    LockError,
    Model,
    NoModelError,
    Policy,
    Progress,
    Reason,
    Requirement,
    Router,
    RouterStatus,
    Run,
    RunOptions,
    SDKSource,
    Source,
    StaticSource,
    Term,
    UnknownModelError,
    Unmet,
    require,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def requirements() -> Requirement:
    """Build requirements, from text, from keywords, and from others."""
    need = require(
        "thinking.adaptive",
        pdf_input=True,
        effort="max",
        line=["opus", "sonnet"],
        min_input_tokens="200k",
    )
    assert_type(need, Requirement)
    assert_type(require(min_output_tokens=64_000), Requirement)
    assert_type(need & require("citations"), Requirement)
    assert_type(need | ~require("citations"), Requirement)
    assert_type(need.is_unsatisfiable(), bool)
    assert_type(str(need), str)
    return need


def answers(asked: Catalogue | Router, need: Requirement) -> None:
    """Ask a catalogue or a router, which answer alike."""
    assert_type(asked.select(need), Model)
    assert_type(asked.select("pdf_input", effort="max", now=NOW), Model)
    assert_type(asked.select(need, default=None), Model | None)
    assert_type(asked.select(need, default="claude-opus-5-5", now=NOW), Model | str)
    assert_type(asked.candidates(need, limit=3), tuple[Model, ...])
    assert_type(asked.supports("claude-opus-5-5", "effort.max"), bool)
    decision = asked.explain("pdf_input", effort="max")
    assert_type(decision, Decision)
    assert_type(decision.model, Model | None)
    assert_type(decision.reason, Reason)
    assert_type(decision.candidates, tuple[Model, ...])
    assert_type(decision.terms, tuple[Term, ...])
    assert_type(decision.unmet("claude-opus-5-5"), tuple[Unmet, ...])
    assert_type(decision.as_of, datetime | None)
    assert_type(decision.stale, bool)


def models(catalogue: Catalogue) -> None:
    """Look at a catalogue and its models."""
    model = catalogue["claude-opus-5-5"]
    assert_type(model, Model)
    assert_type(model.support("effort.max"), bool | None)
    assert_type(model.created_at, datetime | None)
    assert_type(model.max_input_tokens, int | None)
    assert_type(model.allowed_fallback_models, tuple[str, ...] | None)
    assert_type(Model.from_api({"id": "mine"}), Model)
    assert_type([each.id for each in catalogue], list[str])
    assert_type(len(catalogue), int)
    assert_type("claude-opus-5-5" in catalogue, bool)
    assert_type(catalogue.source, str)
    assert_type(catalogue.digest, str)
    difference = catalogue.diff(Catalogue.from_listing([{"id": "mine"}]))
    assert_type(difference, CatalogueDiff)
    assert_type(difference.changed, tuple[Change, ...])
    assert_type(difference.impact, tuple[Impact, ...])


def sources(catalogue: Catalogue) -> list[Source]:
    """Make every source there is."""
    return [
        AnthropicSource(
            api_key="k",
            base_url="https://gateway.example",
            betas=["a-beta"],
            workspace_id="wrkspc_1",
        ),
        AnthropicSource(auth_token="t", lifecycle=("active", "retired"), page_size=100),  # noqa: S106 - of nobody
        BundledSource(),
        FileSource("listing.json"),
        SDKSource(object(), betas=["a-beta"], lifecycle=["active"]),
        StaticSource(catalogue),
    ]


def routers(need: Requirement) -> None:
    """Hold a router, with defaults and without."""
    with Router(
        BundledSource(),
        ttl=3600,
        max_stale=86_400,
        deadline=10,
        strict=True,
        cache_dir=False,
        on_refresh=lambda old, new, diff: (old.digest if old else None, new.digest, diff.added),
        on_error=lambda error: error.status,
    ) as router:
        assert_type(router, Router)
        status = router.status()
        assert_type(status, RouterStatus)
        assert_type(status.as_of, datetime | None)
        assert_type(status.last_error, CatalogueUnavailableError | None)
        assert_type(router.catalogue, Catalogue)
        assert_type(router.refresh(), Catalogue)
        pick = router.selector(need)
        assert_type(pick(), Model)
        answers(router, need)


def create(**sent: Any) -> int:
    """Stand for `client.messages.create`."""
    return len(sent)


def runs(router: Router, request: Mapping[str, Any]) -> Answer[int]:
    """Call models, or have a framework call them."""
    assert_type(router.run("pdf_input", lambda model: len(model.id), max_attempts=2), Answer[int])
    assert_type(router.run_request(request, create, sticky="k").value, int)
    options: RunOptions = {"deadline": 30.0, "on_fallback": lambda attempt, _: attempt.error}
    with router.begin("pdf_input", request=request, **options) as run:
        assert_type(run, Run)
        assert_type(run.model, Model)
        assert_type(run.request, dict[str, Any])
        assert_type(run.failed(ValueError()), bool)
        return run.answered(1)


def locks(lock: Lock) -> LockError | None:
    """Hold a router with a lock, as a value or by its file, and catch what it raises."""
    assert_type(lock.policies, Mapping[str, Locked])
    policies = {name: locked.policy for name, locked in lock.policies.items()}
    router = Router(
        BundledSource(), policies=policies, lock=lock, on_lock_broken="newest", frozen=True
    )
    assert_type([router.select(name) for name in policies], list[Model])
    Router(BundledSource(), policies="router.toml", lock="router.lock")
    try:
        Router(BundledSource(), policies={"new": Policy()}, lock=lock).select("new")
    except LockError as error:
        assert_type(error.model_id, str | None)
        return error
    return None


async def awaited() -> Catalogue:
    """Hold a router under an event loop."""
    async with Router(BundledSource()) as router:
        assert_type(router, Router)
        return await router.arefresh()


def errors(catalogue: Catalogue) -> list[Exception]:
    """Catch what answers raise."""
    caught: list[Exception] = []
    try:
        catalogue.select("line == unheard_of")
    except NoModelError as error:
        assert_type(error.requirement, Requirement | Policy)
        assert_type(error.decision, Decision)
        caught.append(error)
    try:
        catalogue["unheard-of"]
    except UnknownModelError as error:
        assert_type(error.nearest, tuple[str, ...])
        caught.append(error)
    try:
        Router(FileSource("/nonexistent")).refresh()
    except CatalogueUnavailableError as error:
        assert_type(error.status, int | None)
        assert_type(error.retryable, bool)
        caught.append(error)
    return caught


class OwnSource:
    """A source of the application's own fits the protocol without knowing it."""

    remote = False
    identity = None

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Return a catalogue of its own."""
        return Catalogue.from_listing(
            [{"id": "mine", "created_at": (NOW - timedelta(days=1)).isoformat()}], as_of=NOW
        )


def own() -> str:
    """Use a source of the application's own."""
    return Router(OwnSource()).select("age >= 1d", now=NOW).id
