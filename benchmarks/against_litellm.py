"""LiteLLM, question by question: both answer the same questions about the same models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from benchmarks.catalogues import litellm_entries, litellm_prices
from benchmarks.questions import FOUR_LITELLM, hold
from benchmarks.rows import CLAUDE, is_installed
from benchmarks.scale import Scale
from benchmarks.timing import Figure, Job, Place, over, timed
from router import Catalogue, Router, StaticSource

_FOUR: Final = (
    "supports_function_calling(model) and supports_vision(model) and not supports_audio_input(model)"
    " and (get_model_info(model)['max_input_tokens'] or 0) >= 200_000"
)
_QUESTIONS: Final = {
    "one capability of a model": {
        "LiteLLM": "supports_vision(model)",
        "router": "router.supports(model, 'image_input')",
    },
    "four terms of a model": {
        "LiteLLM": _FOUR,
        "router": "router.supports(model, four)",
        "dicts of LiteLLM by hand": "by_hand(model)",
        "LiteLLM behind lru_cache, remembered": "remembered(model)",
    },
    "the window of a model": {
        "LiteLLM, remembered": "get_model_info(model)['max_input_tokens']",
        "router": "router.catalogue[model].max_input_tokens",
    },
}
"""A question, and how each side is asked it. The ratio is the first side over the second."""


def figures(scale: Scale) -> Iterator[Figure]:
    """Time each question, the mean over all Claude models that LiteLLM lists under Anthropic."""
    if scale.is_quick or not is_installed("litellm"):
        return
    catalogue = Catalogue.from_listing(litellm_entries("anthropic"), documented=None)
    models = [model.id for model in catalogue if model.id in litellm_prices()]
    names = _names() | {
        "router": Router(StaticSource(catalogue)),
        "four": FOUR_LITELLM,
        "models": models,
    }
    for question, sides in _QUESTIONS.items():
        _hold(question, sides, names)
        jobs = [
            Job(
                f"{question}: {side}",
                f"for model in models: {expression}",
                names,
                each=len(models),
                at=Place(CLAUDE, f"{len(models):,}"),
            )
            for side, expression in sides.items()
        ]
        first, second, *others = timed(jobs, scale)
        yield from (first, second, *others, over(f"{question}: LiteLLM over router", first, second))


def _names() -> dict[str, Any]:
    """Return LiteLLM's functions, the same by hand over its table, and the same remembered."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = (
        "true"  # it would ask the network for a newer table
    )
    litellm = import_module("litellm")
    functions = (
        "supports_function_calling",
        "supports_vision",
        "supports_audio_input",
        "get_model_info",
    )
    names = {name: getattr(litellm, name) for name in functions}

    def by_hand(model: str) -> bool:
        facts = litellm.model_cost[model].get
        return bool(
            facts("supports_function_calling")
            and facts("supports_vision")
            and not facts("supports_audio_input")
            and (facts("max_input_tokens") or 0) >= 200_000  # noqa: PLR2004 - of the question
        )

    remembered = lru_cache(maxsize=None)(eval(f"lambda model: {_FOUR}", names))  # noqa: S307 - written above
    return names | {"by_hand": by_hand, "remembered": remembered}


def _hold(question: str, sides: dict[str, str], names: dict[str, Any]) -> None:
    """Raise `WrongAnswerError` unless all sides give the same answer for every model."""
    answers = {
        side: [eval(expression, names | {"model": model}) for model in names["models"]]  # noqa: S307 - written above
        for side, expression in sides.items()
    }
    for side, found in answers.items():
        hold(f"{question}: {side}", found, answers["router"])
