"""Diff: the differences between two catalogues, and the policies that they affect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from attrs import frozen

from router._errors import RouterError
from router.models._model import Model
from router.models._vocabulary import DURATIONS

Catalogued = TypeVar("Catalogued")
"""The type of catalogue that `impact_of` is called with."""


@frozen
class Change:
    """One value of one model that differs between two catalogues; `None` is unknown."""

    id: str
    name: str
    before: Any
    after: Any


@frozen
class Impact:
    """A policy whose answer differs between two catalogues; `None` means no answer."""

    policy: str
    before: str | None
    after: str | None


@frozen
class CatalogueDiff:
    """The differences between two catalogues: added and removed ids, and changed values."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    impact: tuple[Impact, ...] = ()
    """The policies whose answer changes; empty if the diff was made without policies."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def diff_of(before: Collection[Model], after: Collection[Model]) -> CatalogueDiff:
    """Return the differences from the earlier to the later catalogue."""
    old = {model.id: model for model in before}
    new = {model.id: model for model in after}
    return CatalogueDiff(
        added=tuple(model.id for model in after if model.id not in old),
        removed=tuple(model.id for model in before if model.id not in new),
        changed=tuple(
            change
            for model in before
            if model.id in new
            for change in _changes(model, new[model.id])
        ),
    )


def _changes(before: Model, after: Model) -> Iterator[Change]:
    for name in sorted({*before.facts, *after.facts, *before.comparable, *after.comparable}):
        old, new = (model.facts.get(name, model.comparable.get(name)) for model in (before, after))
        # A duration such as `age` restates a date, which is compared under its own name.
        if old != new and name not in DURATIONS:
            yield Change(before.id, name, old, new)


def impact_of(
    names: Iterable[str],
    before: Catalogued,
    after: Catalogued,
    answer: Callable[[str, Catalogued], Model | None],
) -> tuple[Impact, ...]:
    """Return the policies for which `answer` differs between the two catalogues.

    An error counts as no answer, so that one policy does not hide the impact on the others.
    """

    def id_of(name: str, catalogue: Catalogued) -> str | None:
        with suppress(RouterError):
            model = answer(name, catalogue)
            return model.id if model is not None else None
        return None

    impacts = (Impact(name, id_of(name, before), id_of(name, after)) for name in names)
    return tuple(each for each in impacts if each.before != each.after)
