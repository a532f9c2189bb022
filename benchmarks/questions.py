"""Questions: what is asked of a catalogue, and the slow answer that every fast one is checked against."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from router import Catalogue, Model, Requirement, require

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SEED = 20_261_122
_NEGATED = 0.15
_ANY_OF = 0.25

FOUR = "function_calling and image_input and not audio_input and max_input_tokens >= 200k"
"""A question of four terms that LiteLLM's models and those drawn from them can be asked."""

FOUR_BUNDLED = "thinking.adaptive and effort >= high and pdf_input and max_input_tokens >= 200k"
"""One for the catalogue that comes with the library."""


def brute_force(catalogue: Catalogue, requirement: Requirement) -> Model | None:
    """Return the newest model known to meet the requirement and its guard-rails, one after another."""
    asked = (requirement, *catalogue.guard_rails(requirement.fields))
    for model in catalogue:
        if all(each.matches(model, now=NOW) for each in asked):
            return model
    return None


def workload(catalogue: Catalogue, size: int = 200) -> list[str]:
    """Return so many questions of two to six terms, four in five about a model that is there."""
    chance = random.Random(SEED)
    capabilities = sorted({name for model in catalogue for name in model.facts})
    return [_question(chance, catalogue, capabilities) for _ in range(size)]


def _question(chance: random.Random, catalogue: Catalogue, capabilities: list[str]) -> str:
    anchor = chance.choice(catalogue.models) if chance.random() < 0.8 else None  # noqa: PLR2004 - four in five
    terms = [_term(chance, anchor, capabilities) for _ in range(chance.randint(2, 6))]
    if chance.random() < 0.5:  # noqa: PLR2004 - every other
        limit = anchor.max_input_tokens if anchor else None
        terms.append(f"max_input_tokens >= {chance.randint(1, limit or 200_000)}")
    return " and ".join(terms)


def _term(chance: random.Random, anchor: Model | None, capabilities: list[str]) -> str:
    kind = chance.random()
    own = [name for name in capabilities if anchor is not None and anchor.facts.get(name)]
    if kind < _NEGATED:
        return f"not {chance.choice(capabilities)}"
    if kind < _ANY_OF:
        return f"({chance.choice(own or capabilities)} or {chance.choice(capabilities)})"
    return chance.choice(own or capabilities)


def never_seen(four: str) -> Iterator[str]:
    """Yield questions of four terms, each with a bound that none before it had, for as long as anybody asks."""
    terms, _, _ = four.rpartition(" >= ")
    bound = 1_000
    while True:
        bound += 1
        yield f"{terms} >= {bound % 190_000 + 1_000}"


def check(catalogue: Catalogue) -> int:
    """Hold the answers to the workload to brute force, and return how many there were."""
    questions = workload(catalogue)
    for text in questions:
        requirement = require(text)
        expected = brute_force(catalogue, requirement)
        found = catalogue.select(requirement, default=None)
        if found is not expected:
            raise SystemExit(f"{text}: {found}, not {expected}")
    return len(questions)
