"""Diff: what one catalogue has that another has not, and which policies that concerns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from attrs import frozen

from router._errors import RouterError
from router.models._model import Model
from router.models._vocabulary import DURATIONS

Catalogued = TypeVar("Catalogued")
"""A catalogue, of whatever kind `impact_of` is given."""


@frozen
class Change:
    """One value of one model that differs between two catalogues; `None` is unknown."""

    id: str
    name: str
    before: Any
    after: Any


@frozen
class Impact:
    """A policy whose answer differs between two catalogues: the ids, `None` where there is no answer."""

    policy: str
    before: str | None
    after: str | None


@frozen
class CatalogueDiff:
    """What one catalogue has that another has not: ids added and removed, and every changed value."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    impact: tuple[Impact, ...] = ()
    """The policies whose answer changes, where it is known whose; two catalogues alone tell of none."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def diff_of(before: Collection[Model], after: Collection[Model]) -> CatalogueDiff:
    """Return what the later catalogue has that the earlier one has not."""
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
    for name in sorted({*before.facts, *after.facts, *before.values, *after.values}):
        old, new = (model.facts.get(name, model.values.get(name)) for model in (before, after))
        if old != new and name not in DURATIONS:
            yield Change(before.id, name, old, new)


def impact_of(
    names: Iterable[str],
    before: Catalogued,
    after: Catalogued,
    answer: Callable[[str, Catalogued], Model | None],
) -> tuple[Impact, ...]:
    """Return the policies whose answer changes from one catalogue to the other, as `answer` gives it.

    What cannot be answered, whatever the reason, is no answer: one policy does not hide the impact on the others.
    """

    def id_of(name: str, catalogue: Catalogued) -> str | None:
        with suppress(RouterError):
            model = answer(name, catalogue)
            return model.id if model is not None else None
        return None

    impacts = (Impact(name, id_of(name, before), id_of(name, after)) for name in names)
    return tuple(each for each in impacts if each.before != each.after)
