"""Lookup: which model of a catalogue an id, an alias or a key means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from router._arguments import check_model_id
from router._errors import AmbiguousModelError, CatalogueError, UnknownModelError
from router.models._model import Model
from router.models._packaged_facts import maker_of

Default = TypeVar("Default")


class Lookup:
    """The models of a catalogue by id, alias and key.

    An id wins over an alias, and both win over a key: `gpt-oss:20b` is an id. Of two models of one
    provider that share an alias, the newer one wins. A name that several providers serve means
    the model of its maker, if the library's own facts name one of them, and is ambiguous otherwise.
    """

    __slots__ = ("_ambiguous", "_by_alias_key", "by_key", "by_name")

    def __init__(self, oldest_first: Sequence[Model]) -> None:
        self.by_key: dict[str, Model] = {model.key: model for model in oldest_first}
        if len(self.by_key) != len(oldest_first):
            raise CatalogueError("two models have one key")
        by_id: dict[str, Model] = {model.id: model for model in oldest_first}
        self._ambiguous: dict[str, tuple[str, ...]] = {}
        if len(by_id) != len(oldest_first):
            by_id = self._resolve([(model.id, model) for model in oldest_first])
        aliases = [
            (alias, model)
            for model in oldest_first
            for alias in model.aliases
            if alias not in by_id and alias not in self._ambiguous
        ]
        self._by_alias_key = {
            f"{model.provider}:{alias}": model for model in oldest_first for alias in model.aliases
        }
        self.by_name = self._resolve(aliases) | by_id
        """The model of each id and alias that means one."""

    def _resolve(self, named: Sequence[tuple[str, Model]]) -> dict[str, Model]:
        """Return the model that each name means; record the names that are ambiguous."""
        providers: dict[str, dict[str, Model]] = {}
        for name, model in named:
            providers.setdefault(name, {})[model.provider] = model
        found: dict[str, Model] = {}
        for name, models in providers.items():
            maker = maker_of(name) if len(models) > 1 else next(iter(models))
            if maker in models:
                found[name] = models[maker]
            else:
                self._ambiguous[name] = tuple(sorted(model.key for model in models.values()))
        return found

    def find(self, name: str) -> Model:
        """Return the model; raises `UnknownModelError` or `AmbiguousModelError`.

        Raises `ConfigurationError` for a value that cannot be an id, such as `None`.
        """
        check_model_id(name)
        model = self.get(name)
        if model is not None:
            return model
        if name in self._ambiguous:
            raise AmbiguousModelError(name, self._ambiguous[name])
        raise UnknownModelError(name, known=self.by_name)

    def get(self, name: Any, default: Default | None = None) -> Model | Default | None:
        """Return the model, or `default` for a name of any type that is unknown or ambiguous."""
        model = self.by_name.get(name)
        if model is None and name not in self._ambiguous:
            model = self.by_key.get(name) or self._by_alias_key.get(name)
        return default if model is None else model

    def listed(self, model: Model) -> Model:
        """Return the listed model with the key of this one; raises `UnknownModelError`.

        An id may look like a key, so this is not the same as a look-up by the key.
        """
        found = self.by_key.get(model.key)
        if found is None:
            raise UnknownModelError(model.key, known=self.by_name)
        return found

    def __contains__(self, name: str) -> bool:
        return name in self.by_name or name in self._ambiguous or self.get(name) is not None
