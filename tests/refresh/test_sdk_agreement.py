"""The official SDK, as a client of the same server, reads every model as we do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import anthropic
import pytest
from canary import KEY
from fake_api import FakeAPI, entries, plain_transport, serve
from sdk_listings import LISTINGS, STAGES, Stage, ours

from router.models._model import Model
from router.refresh._deadline import Deadline
from router.refresh._sources import AnthropicSource

FIELDS = (
    "id",
    "type",
    "display_name",
    "created_at",
    "max_input_tokens",
    "max_tokens",
    "lifecycle",
    "line",
    "deprecated_at",
    "retires_at",
    "allowed_fallback_models",
)


@pytest.fixture(params=LISTINGS)
def api(request: pytest.FixtureRequest) -> Iterator[FakeAPI]:
    """A server with real and made-up models, several pages of them."""
    with serve(LISTINGS[request.param]) as api:
        yield api


@pytest.fixture
def sdk(api: FakeAPI) -> Iterator[anthropic.Anthropic]:
    """The official client of that server."""
    with anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as client:
        yield client


def typed(tree: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """Return every capability that the SDK's types name and that is not `None`, with its support."""
    for name, node in tree:
        if name == "supported":
            yield path, node
        elif isinstance(node, anthropic.BaseModel):
            yield from typed(node, f"{path}.{name}" if path else name)


def differences(model: Model, theirs: Any) -> Mapping[str, Any]:
    """Return where the SDK states a value and ours is another, but for what is documented to be wrong."""
    found = {}
    for name in FIELDS:
        stated, read = getattr(theirs, name, None), model.values.get(name)
        stated = tuple(stated) if isinstance(stated, list) else stated
        if name in model.corrections:
            read = model.corrections[name].reported
        if stated is not None and stated != read:
            found[name] = (stated, read)
    for name, supported in typed(theirs.capabilities or ()):
        if model.support(name) is not supported:
            found[name] = (supported, model.support(name))
    return found


@pytest.mark.parametrize("beta", [False, True], ids=["plain", "beta"])
def test_model_by_model_field_by_field(api: FakeAPI, sdk: anthropic.Anthropic, beta: bool) -> None:
    """Every page of every stage, in the API's order, agrees in each field and each capability the SDK has types for."""
    models: Any = sdk.beta.models if beta else sdk.models
    listed = list(models.list(lifecycle=[*STAGES], limit=7))
    pages = len(api.requests)
    catalogue = ours(api)

    assert pages == len(api.requests) - pages == -(-len(api.models) // 7)
    assert [theirs.id for theirs in listed] == [entry["id"] for entry in api.models]
    assert {theirs.id for theirs in listed} == {model.id for model in catalogue}
    assert {theirs.id: differences(catalogue[theirs.id], theirs) for theirs in listed} == {
        theirs.id: {} for theirs in listed
    }


def test_something_was_compared(sdk: anthropic.Anthropic, api: FakeAPI) -> None:
    """The comparison is of something: a value that differs is found, in a field and deep in the tree."""
    theirs = next(iter(sdk.beta.models.list(lifecycle=[*STAGES])))
    model = ours(api)[theirs.id]
    other = json.loads(json.dumps(model.entry)) | {"display_name": "Another", "max_tokens": 17}
    facts = other.setdefault("capabilities", {}) or {}
    for node in (facts.get("effort", {}), *facts.get("effort", {}).values()):
        if isinstance(node, dict):
            node["supported"] = not node.get("supported")

    found = differences(Model.from_api(other), theirs)

    assert "display_name" in found
    assert ("max_tokens" in found) is (theirs.max_tokens is not None)
    assert sum(name.startswith("effort") for name in found) == sum(
        name.startswith("effort") for name, _ in typed(theirs.capabilities or ())
    )


def test_stages_asked_for(api: FakeAPI, sdk: anthropic.Anthropic) -> None:
    """With a filter and without one the SDK and we are given the same models."""
    filters: tuple[tuple[Stage, ...], ...] = ((), ("retired",), ("active", "retired"))
    for stages in filters:
        theirs = sdk.models.list(lifecycle=[*stages]) if stages else sdk.models.list()

        assert {model.id for model in theirs} == {model.id for model in ours(api, stages)}


def test_both_directions(api: FakeAPI, sdk: anthropic.Anthropic) -> None:
    """After an id and before it the SDK and we are given the same models."""
    cursor = api.models[len(api.models) // 2]["id"]
    source = AnthropicSource(
        api_key=KEY,
        base_url=api.url,
        environ={},
        lifecycle=STAGES,
        page_size=7,
        transport=plain_transport(),
    )

    after = sdk.models.list(after_id=cursor, lifecycle=[*STAGES], limit=7)
    before = sdk.models.list(before_id=cursor, lifecycle=[*STAGES], limit=7)

    assert {model.id for model in after} == {
        model.id for model in source.fetch(Deadline(10), after_id=cursor)
    }
    assert {model.id for model in before} == {
        model.id for model in source.fetch(Deadline(10), before_id=cursor)
    }


def test_one_model() -> None:
    """An alias resolves to the same model, by the same request."""
    with (
        serve(
            LISTINGS["bundled"], aliases={"claude-haiku-4-5": "claude-haiku-4-5-20251001"}
        ) as api,
        anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as sdk,
    ):
        theirs = sdk.models.retrieve("claude-haiku-4-5")
        model = AnthropicSource(
            api_key=KEY, base_url=api.url, environ={}, transport=plain_transport()
        ).retrieve("claude-haiku-4-5")

        assert model.id == theirs.id == "claude-haiku-4-5-20251001"
        assert differences(model, theirs) == {}
        assert api.requests[0].path == api.requests[1].path


def test_headers_of_betas_and_workspace() -> None:
    """Betas, workspace and version go by the headers that the SDK uses, in its spelling."""
    names = ("anthropic-beta", "anthropic-workspace-id", "anthropic-version")
    with (
        serve(entries(1)) as api,
        anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as sdk,
    ):
        next(
            iter(
                sdk.beta.models.list(
                    betas=["one-2026-01-01", "two-2026-02-02"], workspace_id="wrkspc_1"
                )
            )
        )
        version = api.requests[0].headers["anthropic-version"]  # one that is newer than our default
        ours(
            api,
            betas=["one-2026-01-01", "two-2026-02-02"],
            workspace_id="wrkspc_1",
            version=version,
        )

        theirs, own = (request.headers for request in api.requests)
        assert {name: theirs[name] for name in names} == {name: own[name] for name in names}


def test_dates_are_moments() -> None:
    """The dates that are compared are aware moments on both sides, not texts."""
    with (
        serve(entries(1)) as api,
        anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0) as sdk,
    ):
        (theirs,) = sdk.models.list()
        (model,) = ours(api)

        assert isinstance(theirs.created_at, datetime)
        assert model.created_at == theirs.created_at
        assert model.created_at.utcoffset() == theirs.created_at.utcoffset()
