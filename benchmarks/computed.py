"""Answers that are computed, not remembered: of new texts, of new catalogues, and in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, Final

from benchmarks.catalogues import Subject, subjects
from benchmarks.questions import brute_force, fresh_bounds, hold, workload
from benchmarks.rows import BUNDLED, LITELLM
from benchmarks.scale import Scale
from benchmarks.timing import Figure, Job, timed
from router import Catalogue, require

_BATCH: Final = 20
"""How many texts are asked in one measurement: all of them new."""

_NEW: Final = 3
"""How many catalogues are made for one measurement."""

_BOUNDS: Final = range(1_000, 200_000)
_ANSWER_TARGETS: Final = {BUNDLED: 14.0, LITELLM: 20.0}
_TEXT_TARGET: Final = 800.0
_EACH_TARGET: Final = 4.0


def figures(scale: Scale) -> Iterator[Figure]:
    """Time every kind of answer that no memory gives."""
    for subject in subjects(scale):
        yield from timed([_answer(subject)], scale)
        yield from timed([_never_seen(subject)], scale)
        yield from timed(_on_a_new_catalogue(subject, scale), scale, scale.few)
        if subject.name != BUNDLED:
            yield from timed(_lists(subject), scale)


def _answer(subject: Subject) -> Job:
    """Return the computation alone: the masks of the terms are there, and no answer is remembered."""
    catalogue, requirement = subject.catalogue, require(subject.question)
    catalogue.select(requirement)
    names = {"met": catalogue._met, "models": catalogue.models, "requirement": requirement}  # noqa: SLF001 - what is behind the memory
    statement = "models[-met(requirement, None).bit_length()]"
    target = _ANSWER_TARGETS.get(subject.name)
    return Job(
        "four terms, masks built, not remembered", statement, names, target, at=subject.place
    )


def _never_seen(subject: Subject) -> Job:
    """Return the question with other bounds each time: parsed, checked, compiled and answered."""
    texts = fresh_bounds(subject.question, _BOUNDS)
    return Job(
        "select(text), never seen",
        "for text in texts: select(text)",
        {"select": subject.catalogue.select},
        _TEXT_TARGET,
        each=_BATCH,
        renew=lambda: {"texts": list(islice(texts, _BATCH))},
        at=subject.place,
    )


def _on_a_new_catalogue(subject: Subject, scale: Scale) -> list[Job]:
    """Return the first question to a catalogue that is new, and to one that a refresh has warmed before."""
    requirement = require(subject.question)
    before = _new(subject)
    before.select(requirement)
    hold(
        subject.question,
        _new(subject).select(requirement),
        brute_force(subject.catalogue, requirement),
    )
    asked = _new(subject)
    for question in workload(asked, scale.asked):
        asked.select(question.text, default=None)
    job = partial(Job, at=subject.place)

    def new() -> Mapping[str, Any]:
        return {"catalogues": [_new(subject) for _ in range(_NEW)]}

    def warmed() -> Mapping[str, Any]:
        return {"catalogues": [_new(subject).warm_from(before) for _ in range(_NEW)]}

    first = "for catalogue in catalogues: catalogue.select(requirement)"
    names = {"requirement": requirement, "asked": asked}
    return [
        job("first select on a new Catalogue", first, names, each=_NEW, renew=new),
        job(
            "first select on a new Catalogue, warmed by its predecessor",
            first,
            names,
            each=_NEW,
            renew=warmed,
        ),
        job(
            "warming a new Catalogue, each question",
            "for catalogue in catalogues: catalogue.warm_from(asked)",
            names,
            each=_NEW * len(asked.answers),
            renew=new,
        ),
    ]


def _new(subject: Subject) -> Catalogue:
    """Return a new catalogue of the same models, which remembers no answers."""
    return Catalogue(
        subject.catalogue.models, source=subject.catalogue.source, names=subject.catalogue.names
    )


def _lists(subject: Subject) -> list[Job]:
    """Return all candidates, for each that is found."""
    catalogue, requirement = subject.catalogue, require(subject.question)
    names = {"candidates": catalogue.candidates, "requirement": requirement}
    job = partial(Job, names=names, target=_EACH_TARGET, at=subject.place)
    every, some = len(catalogue.candidates()), len(catalogue.candidates(requirement))
    return [
        job("candidates(), each model", "candidates()", each=every),
        job("candidates(requirement), each model", "candidates(requirement)", each=some),
    ]
