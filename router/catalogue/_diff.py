"""Diff: the differences between two catalogues, and the policies that they affect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from attrs import frozen

from router._errors import RouterError, printable, quoted
from router._serialising import Serialisable
from router.catalogue._snapshot import Snapshot
from router.models._model import Model
from router.models._vocabulary import DURATIONS

Catalogued = TypeVar("Catalogued")
"""The type of catalogue that `impact_of` is called with."""


@frozen(repr=False)
class Change(Serialisable):
    """One value of one model that differs between two catalogues; `None` is unknown."""

    model_id: str
    """The id, or the key where several providers serve it."""
    name: str
    before: Any
    after: Any

    json_names: ClassVar = ("model_id", "name", "before", "after")

    def __str__(self) -> str:
        return f"{self.model_id} {printable(self.name)}: {quoted(self.before)} became {quoted(self.after)}"


@frozen(repr=False)
class Impact(Serialisable):
    """A policy whose answer differs between two catalogues; `None` means no answer."""

    policy: str
    before: str | None
    after: str | None

    json_names: ClassVar = ("policy", "before", "after")

    def __str__(self) -> str:
        return f"{self.policy}: {self.before or 'no model'} became {self.after or 'no model'}"


@frozen(repr=False)
class CatalogueDiff(Serialisable):
    """The differences between two catalogues: added and removed ids, and changed values."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    impact: tuple[Impact, ...] = ()
    """The policies whose answer changes; empty if the diff was made without policies."""

    json_names: ClassVar = ("added", "removed", "changed", "impact")

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        counts = {"added": self.added, "removed": self.removed, "values changed": self.changed}
        return ", ".join(f"{len(each)} {what}" for what, each in counts.items())


def diff_of(before: Snapshot, after: Snapshot) -> CatalogueDiff:
    """Return the differences from the earlier to the later catalogue."""
    old = {model.key: model for model in before}
    new = {model.key: model for model in after}
    return CatalogueDiff(
        added=tuple(after.name_of(model) for model in after if model.key not in old),
        removed=tuple(before.name_of(model) for model in before if model.key not in new),
        changed=tuple(
            change
            for model in before
            if model.key in new
            for change in _changes(before.name_of(model), model, new[model.key])
        ),
    )


def _changes(model_id: str, before: Model, after: Model) -> Iterator[Change]:
    for name in sorted({*before.facts, *after.facts, *before.comparable, *after.comparable}):
        old, new = (model.facts.get(name, model.comparable.get(name)) for model in (before, after))
        # A duration such as `age` restates a date, which is compared under its own name.
        if old != new and name not in DURATIONS:
            yield Change(model_id, name, old, new)


def impact_of(
    names: Iterable[str],
    before: Catalogued,
    after: Catalogued,
    answer: Callable[[str, Catalogued], Model | None],
) -> tuple[Impact, ...]:
    """Return the policies for which `answer` differs between the two catalogues.

    An error counts as no answer, so that one policy does not hide the impact on the others.
    """

    def model_of(name: str, catalogue: Catalogued) -> Model | None:
        with suppress(RouterError):
            return answer(name, catalogue)
        return None

    models = ((name, model_of(name, before), model_of(name, after)) for name in names)
    return tuple(_impact(name, old, new) for name, old, new in models if _key(old) != _key(new))


def _key(model: Model | None) -> str | None:
    return model.key if model is not None else None


def _impact(policy: str, before: Model | None, after: Model | None) -> Impact:
    """Return the impact by ids, or by keys if only the provider differs."""
    old, new = (each.id if each is not None else None for each in (before, after))
    return Impact(policy, _key(before), _key(after)) if old == new else Impact(policy, old, new)
