"""Fallbacks: a chain in the shape of the Messages API's own `fallbacks`, which the server walks when a model declines.

The shape and its limits are those of the API's reference for the beta server-side-fallback-2026-07-01.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from router.model import Model
from router.refusal import read_member
from router.vocabulary import LEVELS

MOST: Final = 3
"""How many fallbacks a request may name."""

_LEAST_BUDGET: Final = 1024
"""Tokens of thinking: the least that the API takes."""


class Fallbacks(list[dict[str, Any]]):
    """The `fallbacks` of a request; where there are none, `reason` says why, and the request should have none."""

    def __init__(self, entries: Sequence[dict[str, Any]] = (), reason: str = "") -> None:
        super().__init__(entries)
        self.reason = reason

    def __repr__(self) -> str:
        return f"Fallbacks({super().__repr__()}{f', {self.reason!r}' if self.reason else ''})"


def fallbacks_of(model: Model, chain: Sequence[Model], request: Mapping[str, Any]) -> Fallbacks:
    """Return those of the chain that the API lets follow `model`, with what each needs changed of the request."""
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
        name = next((name for name in (each.id, *each.aliases) if name in allowed), None)
        if name is not None and each.id != model.id:
            entries.append({"model": name, **_overrides(each, request)})
    if not entries:
        return Fallbacks(reason=f"{model.id} allows {', '.join(allowed)}: none of these meets the need")
    return Fallbacks(entries[:MOST])


def _overrides(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that the API would refuse, or lower further than it must, if they went to this model."""
    overrides: dict[str, Any] = {}
    asked, limit = request.get("max_tokens"), model.max_tokens
    if isinstance(asked, int) and limit is not None and asked > limit:
        overrides["max_tokens"] = limit
        thinking = read_member(request, "thinking")
        budget = read_member(thinking, "budget_tokens")
        if isinstance(budget, int) and budget >= limit > _LEAST_BUDGET:
            overrides["thinking"] = {**thinking, "budget_tokens": limit - 1}
    effort = read_member(read_member(request, "output_config"), "effort")
    levels = LEVELS["effort"]
    if effort in levels and model.support(f"effort.{effort}") is not True:
        below = [each for each in levels[: levels.index(effort)] if model.support(f"effort.{each}")]
        if below:
            overrides["output_config"] = {"effort": below[-1]}
    return overrides
