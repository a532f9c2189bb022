"""Matrix: the support of each capability by each model, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from attrs import frozen

from router._errors import RequirementError, UnknownNameError, quoted
from router._serialising import Serialisable
from router.catalogue._catalogue import Catalogue
from router.models._model import Model, Support
from router.models._vocabulary import CAPABILITIES, LEVELS, capability_name


@frozen(repr=False)
class Matrix(Serialisable):
    """Models against capabilities."""

    models: tuple[Model, ...]
    """The rows, newest first."""
    capabilities: tuple[str, ...]
    """The columns, by short path: families together, levels from lowest to highest."""

    @property
    def families(self) -> tuple[tuple[str, ...], ...]:
        """The capabilities, grouped by their first key."""
        return tuple(tuple(group) for _, group in groupby(self.capabilities, family))

    def to_dict(self) -> dict[str, Any]:
        """Return the rows, each with its support by capability: true, false, or null for unknown."""
        rows = [
            model.to_reference()
            | {
                "lifecycle": model.lifecycle,
                "access": model.access,
                "support": dict(zip(self.capabilities, self.supports(model), strict=True)),
            }
            for model in self.models
        ]
        return {"capabilities": list(self.capabilities), "models": rows}

    def __str__(self) -> str:
        return f"{len(self.models)} models, {len(self.capabilities)} capabilities"

    def supports(self, model: Model) -> tuple[Support, ...]:
        """Return the model's support for each column."""
        return tuple(map(model.facts.get, self.capabilities))


def matrix(
    catalogue: Catalogue, models: Iterable[Model] | None = None, only: Iterable[str] = ()
) -> Matrix:
    """Return the matrix of all capabilities in the catalogue and the vocabulary.

    `models` restricts the rows, `only` the columns to capabilities at or below the given paths.
    Raises `UnknownNameError` for an unknown path, and `RequirementError` for a field.
    """
    known = CAPABILITIES | catalogue.names.capabilities
    wanted = (
        {name for path in only for name in _capabilities_at(path, known, catalogue)}
        if only
        else known
    )
    rows = catalogue.models if models is None else tuple(models)
    return Matrix(rows, tuple(sorted(wanted, key=lambda name: tuple(_sort_key(name)))))


def family(name: str) -> str:
    """Return the first key of a capability's path."""
    return name.partition(".")[0]


def _capabilities_at(path: str, known: Iterable[str], catalogue: Catalogue) -> set[str]:
    short = capability_name(path)
    found = {name for name in known if name == short or name.startswith(f"{short}.")}
    if not found:
        if catalogue.names.knows_field(short):
            raise RequirementError(
                f"{quoted(path)} is a field, not a capability: a matrix has columns of capabilities"
            )
        raise UnknownNameError(path, catalogue.names.nearest(short))
    return found


def _sort_key(name: str) -> Iterator[tuple[int, str]]:
    """Yield a sort key for each key of a path: levels first, by their order, then other keys."""
    above = ""
    for key in name.split("."):
        levels = LEVELS.get(above, ())
        yield (levels.index(key) if key in levels else len(levels), key)
        above = f"{above}.{key}" if above else key
