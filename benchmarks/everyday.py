"""Everyday calls of an application on the bundled catalogue, and the middleware of the Anthropic SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

from benchmarks.catalogues import Subject, bundled
from benchmarks.questions import hold
from benchmarks.rows import is_installed
from benchmarks.scale import Scale
from benchmarks.timing import Figure, Job, over, timed
from router import (
    BundledSource,
    Policy,
    Router,
    StaticSource,
    auto_model,
    fit,
    require,
    requirement_of,
)

_RELATIVE: Final = "line == opus and age >= 14d"
_NO_MODEL: Final = "effort.max and max_input_tokens < 1k"
_CHEAPEST: Final = Policy(require="pdf_input and thinking.adaptive", order="cheapest")
_KEYWORDS: Final[dict[str, Any]] = {
    "thinking": "adaptive",
    "pdf_input": True,
    "min_input_tokens": "200k",
}
_SMALL: Final[dict[str, Any]] = {
    "max_tokens": 16_000,
    "messages": [{"role": "user", "content": "Hello."}],
}
_LONG: Final = _SMALL | {
    "messages": [
        {"role": ("user", "assistant")[at % 2], "content": f"Message {at}. " * 20}
        for at in range(99)
    ]
}
"""A request of 99 messages: the last one is the user's."""

_TARGETS: Final = {"pick()": 5.0, "select(requirement)": 7.0, "select(text)": 8.0}


def figures(scale: Scale) -> Iterator[Figure]:
    """Time each call of an application that has asked the same before."""
    subject = bundled(scale.held)
    router = Router(StaticSource(subject.catalogue))
    yield from _calls(_remembered(router, subject), subject, scale)
    yield from _calls(_computed(router, subject), subject, scale)


def _calls(
    calls: dict[str, tuple[str, dict[str, Any]]], subject: Subject, scale: Scale
) -> list[Figure]:
    jobs = [
        Job(name, statement, names, _TARGETS.get(name), at=subject.place)
        for name, (statement, names) in calls.items()
    ]
    return timed(jobs, scale)


def _remembered(router: Router, subject: Subject) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return how a requirement is asked again: by selector, by value, by text and by keywords."""
    text, select = subject.question, router.select
    requirement = require(text)
    pick = router.selector(requirement)
    with_policies = Router(StaticSource(subject.catalogue), policies={"cheapest": _CHEAPEST}).select
    model = select(text)
    hold(text, (pick(), select(requirement), with_policies(text)), (model, model, model))
    terms = f"{requirement} and citations"
    hold(terms, select(text, citations=True), select(terms))
    hold("keywords", select(**_KEYWORDS), select(require(**_KEYWORDS)))
    return {
        "pick()": ("pick()", {"pick": pick}),
        "select(requirement)": (
            "select(requirement)",
            {"select": select, "requirement": requirement},
        ),
        "select(text)": ("select(text)", {"select": select, "text": text}),
        "select(text), a router with policies": (
            "select(text)",
            {"select": with_policies, "text": text},
        ),
        "select(text, keyword)": ("select(text, citations=True)", {"select": select, "text": text}),
        "select(three keywords)": (
            "select(thinking='adaptive', pdf_input=True, min_input_tokens='200k')",
            {"select": select},
        ),
    }


def _computed(router: Router, subject: Subject) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the calls that are computed anew each time."""
    text = subject.question
    model = router.select(text)
    hold("supports", router.supports(model.id, "pdf_input"), model.facts["pdf_input"])
    hold("gate", router.gate(model.id).allows("pdf_input", default=False), model.facts["pdf_input"])
    unknown = router.gate("claude-unknown").allows("pdf_input", default=True)
    hold("gate, unknown model", unknown, True)  # noqa: FBT003 - the expected answer
    hold("route", router.route(_SMALL).model, router.select(requirement_of(_SMALL)))
    hold("run", router.run(text, lambda model: model.id).value, model.id)
    hold(_NO_MODEL, router.select(_NO_MODEL, default=None), None)
    names: dict[str, Any] = {
        "router": router,
        "text": text,
        "model": model,
        "request": _SMALL,
        "policy": _CHEAPEST,
        "relative": _RELATIVE,
        "pick": router.selector(_RELATIVE),
        "no_model": _NO_MODEL,
        "known": router.gate(model.id),
        "unknown": router.gate("claude-unknown"),
        "call": lambda model: model.id,
        "fit": fit,
        "requirement_of": requirement_of,
    }
    statements = {
        "select(policy), cheapest": "router.select(policy)",
        "select(text), a term relative to now": "router.select(relative)",
        "pick(), a term relative to now": "pick()",
        "select(text), no model satisfies it": "router.select(no_model, default=None)",
        "supports(id, capability)": "router.supports(model.id, 'pdf_input')",
        "gate.allows, a known model": "known.allows('pdf_input', default=False)",
        "gate.allows, an unknown model": "unknown.allows('pdf_input', default=False)",
        "candidates(text)": "router.candidates(text)",
        "explain(text)": "router.explain(text)",
        "explain(text), printed": "str(router.explain(text))",
        "requirement_of(request)": "requirement_of(request)",
        "fit(request, model)": "fit(request, model)",
        "route(request)": "router.route(request)",
        "run(text, call)": "router.run(text, call)",
    }
    return {name: (statement, names) for name, statement in statements.items()}


def middleware(scale: Scale) -> Iterator[Figure]:
    """Time a call of the SDK that `auto_model` routes, over the same call through a middleware that does nothing.

    A transport in place of the network answers at once, so nothing else hides the cost.
    """
    if scale.is_quick or not is_installed("anthropic"):
        return
    sdk = import_module("anthropic")

    class Nothing(sdk.Middleware):  # type: ignore[misc,name-defined]
        """Hands each request on as it is."""

        def handle(self, request: Any, call_next: Any) -> Any:
            return call_next(request)

    router = Router(BundledSource())
    for size, request in (("1 message", _SMALL), (f"{len(_LONG['messages'])} messages", _LONG)):
        names = {
            "request": request,
            "plain": _client(sdk, Nothing()),
            "routed": _client(sdk, auto_model(router)),
        }
        hold(
            size,
            names["routed"].messages.create(model="auto", **request).model,
            router.route(request).model.id,
        )
        plain, routed = timed(
            [
                Job(
                    f"SDK call, {size}",
                    "plain.messages.create(model='claude-opus-5', **request)",
                    names,
                ),
                Job(
                    f"SDK call, auto_model, {size}",
                    "routed.messages.create(model='auto', **request)",
                    names,
                ),
            ],
            scale,
        )
        yield from (plain, routed, over(f"auto_model over no middleware, {size}", routed, plain))


def _client(sdk: Any, middle: object) -> Any:
    http = import_module("httpx2")

    def answer(request: Any) -> Any:
        model = json.loads(request.content)["model"]
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": "Hello."}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        return http.Response(200, json=message)

    transport = sdk.DefaultHttpxClient(transport=http.MockTransport(answer))
    return sdk.Anthropic(
        api_key="k", base_url="https://api.example", http_client=transport, middleware=[middle]
    )
