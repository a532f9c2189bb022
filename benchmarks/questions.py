"""Questions: what is asked of a catalogue, and the slow answer that every fast one is checked against."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from attrs import frozen

from router import Catalogue, Model, Requirement, require

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SEED = 20_261_122

FOUR = "function_calling and image_input and not audio_input and max_input_tokens >= 200k"
"""A question of four terms that LiteLLM's models and those drawn from them can be asked."""

FOUR_BUNDLED = "thinking.adaptive and effort >= high and pdf_input and max_input_tokens >= 200k"
"""One for the catalogue that comes with the library."""


@frozen
class Question:
    """What every way of answering can be asked: some flags, the absence of others, one of several, a minimum."""

    has: tuple[str, ...]
    lacks: tuple[str, ...]
    either: tuple[tuple[str, str], ...]
    minimum: int | None

    @property
    def text(self) -> str:
        """The question in the library's language."""
        terms = [*self.has, *(f"not {name}" for name in self.lacks), *(f"({one} or {two})" for one, two in self.either)]
        return " and ".join([*terms, *([f"max_input_tokens >= {self.minimum}"] if self.minimum else [])])


def workload(catalogue: Catalogue, size: int = 200) -> list[Question]:
    """Return so many questions of two to six terms, four in five of them about a model that is there."""
    chance = random.Random(SEED)
    names = sorted({name for model in catalogue for name in model.facts})
    return [_question(chance, chance.choice(catalogue.models) if number % 5 else None, names) for number in range(size)]


def _question(chance: random.Random, anchor: Model | None, names: list[str]) -> Question:
    own = [name for name in names if anchor is not None and anchor.facts.get(name)] or names
    other = [name for name in names if anchor is None or not anchor.facts.get(name)]
    limit = anchor.max_input_tokens if anchor is not None else 200_000
    return Question(
        has=tuple(dict.fromkeys(chance.choices(own, k=chance.randint(1, 3)))),
        lacks=tuple(chance.choices(other, k=chance.randint(0, 1))),
        either=((chance.choice(own), chance.choice(names)),) * chance.randint(0, 1),
        minimum=chance.randint(1, limit) if limit and chance.random() < 0.5 else None,  # noqa: PLR2004 - every other
    )


def brute_force(catalogue: Catalogue, requirement: Requirement) -> Model | None:
    """Return the newest model known to meet the requirement and its guard-rails, looking at one after another."""
    rails = catalogue.guard_rails(requirement.fields)
    for model in catalogue:
        if requirement.matches(model, now=NOW) and all(catalogue.admits(rail, model) for rail in rails):
            return model
    return None


def check(catalogue: Catalogue) -> list[Question]:
    """Hold the answers to the workload to brute force, and return it."""
    questions = workload(catalogue)
    for question in questions:
        requirement = require(question.text)
        expected = brute_force(catalogue, requirement)
        found = catalogue.select(requirement, default=None)
        if found is not expected:
            raise SystemExit(f"{question.text}: {found}, not {expected}")
    return questions


def never_seen(four: str) -> Iterator[str]:
    """Yield questions of four terms, each with a bound that none before it had, for as long as anybody asks."""
    terms, _, _ = four.rpartition(" >= ")
    bound = 0
    while True:
        bound = (bound + 1) % 190_000
        yield f"{terms} >= {bound + 1_000}"
