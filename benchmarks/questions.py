"""Questions for a catalogue, and the slow answer that every fast one is compared with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from router import Catalogue, Model, Requirement, require

NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)
SEED: Final = 20_261_122

FOUR_BUNDLED: Final = (
    "thinking.adaptive and effort >= high and pdf_input and max_input_tokens >= 200k"
)
"""A question of four terms for the bundled catalogue and those drawn from it."""

FOUR_LITELLM: Final = (
    "function_calling and image_input and not audio_input and max_input_tokens >= 200k"
)
"""One for LiteLLM's models."""


class WrongAnswerError(Exception):
    """An answer that was measured is not the right one: its cost means nothing."""


def hold(question: str, found: object, expected: object) -> None:
    """Raise `WrongAnswerError` if an answer is not the expected one."""
    if found != expected:
        raise WrongAnswerError(f"{question}: {found}, not {expected}")


@frozen
class Question:
    """A question that every alternative can be asked: flags, absent flags, one flag of two, a minimum."""

    has: tuple[str, ...]
    lacks: tuple[str, ...]
    either: tuple[tuple[str, str], ...]
    minimum: int | None

    @property
    def text(self) -> str:
        """The question in the library's language."""
        either = (f"({one} or {two})" for one, two in self.either)
        terms = [*self.has, *(f"not {name}" for name in self.lacks), *either]
        return " and ".join(
            [*terms, *([f"max_input_tokens >= {self.minimum}"] if self.minimum else [])]
        )


def workload(catalogue: Catalogue, size: int) -> list[Question]:
    """Return so many questions of two to six terms; four in five are met by some model."""
    chance = random.Random(SEED)
    names = sorted({name for model in catalogue for name in model.facts})
    return [
        _question(chance, chance.choice(catalogue.models) if number % 5 else None, names)
        for number in range(size)
    ]


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
    """Return the newest model known to meet the requirement and its default filters, looking at one after another."""
    filters = catalogue.default_filters(requirement.fields)
    for model in catalogue:
        if requirement.matches(model, now=NOW) and all(
            catalogue.passes(each, model) for each in filters
        ):
            return model
    return None


def check(catalogue: Catalogue, size: int) -> list[Question]:
    """Compare the answers to so many questions with those of brute force, and return the questions."""
    questions = workload(catalogue, size)
    for question in questions:
        requirement = require(question.text)
        found = catalogue.select(requirement, default=None)
        hold(question.text, found, brute_force(catalogue, requirement))
    return questions


_given: set[str] = set()
"""The texts that `fresh_bounds` has given. It gives each once, because the library remembers what it has parsed."""


def fresh_bounds(question: str, bounds: range) -> Iterator[str]:
    """Yield the question again and again with a random bound in place of its own, no text twice in a process."""
    terms, _, _ = question.rpartition(" >= ")
    chance = random.Random(SEED)
    while True:
        text = f"{terms} >= {chance.choice(bounds)}"
        if text not in _given:
            _given.add(text)
            yield text
