"""Fallbacks: a chain in the shape of the Messages API's own `fallbacks`.

The server walks it when a model declines. The shape and its limits are those of the API's
reference for the beta server-side-fallback-2026-07-01.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from router._errors import UnfitRequestError
from router.models._model import Model
from router.refresh._http_errors import read_member
from router.requests._fitting import fit

MOST: Final = 3
"""How many fallbacks a request may name."""


class Fallbacks(list[dict[str, Any]]):
    """The `fallbacks` of a request; if there are none, `reason` says why."""

    def __init__(self, entries: Sequence[dict[str, Any]] = (), reason: str = "") -> None:
        super().__init__(entries)
        self.reason = reason

    def __repr__(self) -> str:
        return f"Fallbacks({super().__repr__()}{f', {self.reason!r}' if self.reason else ''})"


def fallbacks_of(model: Model, chain: Sequence[Model], request: Mapping[str, Any]) -> Fallbacks:
    """Return the models of the chain that may follow `model`, each with its overrides."""
    allowed = model.allowed_fallback_models
    if allowed is None:
        return Fallbacks(
            reason=f"it is not known which fallbacks {model.id} allows: "
            'the API states them to AnthropicSource(betas=["server-side-fallback-2026-07-01"])'
        )
    if not allowed:
        return Fallbacks(reason=f"{model.id} allows no fallbacks")
    entries = []
    for each in chain:
        if each.provider != model.provider:
            continue
        name = next((name for name in (each.id, *each.aliases) if name in allowed), None)
        overrides = _overrides(each, request) if name is not None and each.id != model.id else None
        if overrides is not None:
            entries.append({"model": name, **overrides})
    if not entries:
        return Fallbacks(
            reason=f"{model.id} allows {', '.join(allowed)}: none of these meets the need"
        )
    return Fallbacks(entries[:MOST])


def _overrides(model: Model, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a model needs changed of the request, `None` if no change suffices.

    The server itself removes what a model does not support and its entry does not override.
    """
    try:
        fitted = fit(request, model, "downgrade").request
    except UnfitRequestError:
        return None
    lowered = {
        name: fitted.get(name)
        for name in ("max_tokens", "thinking")
        if fitted.get(name) != request.get(name)
    }
    effort = read_member(fitted.get("output_config"), "effort")
    if effort is not None and effort != read_member(request.get("output_config"), "effort"):
        lowered["output_config"] = {"effort": effort}
    return {name: each for name, each in lowered.items() if each is not None}
