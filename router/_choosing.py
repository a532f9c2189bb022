"""Choosing models: the questions that a router answers from its current catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from router._named_policies import NamedPolicies
from router.catalogue._catalogue import RAISE, Catalogue, overloaded_select
from router.catalogue._decision import Decision, NoModelError, changed
from router.catalogue._policy import Need, Policy, reject_keywords
from router.models._model import Model
from router.refresh._loader import Loader
from router.requirements._expression import Requirement, resolve_now
from router.requirements._needs import KeywordValue
from router.requirements._parser import require

if TYPE_CHECKING:
    from router.catalogue._gate import Gate
    from router.requests._fallbacks import Fallbacks


class ModelChooser:
    """The part of `Router` that chooses models, and calls none.

    It is a base class and not an attribute, because `select` is the hot path: one more call would
    cost as much as the answer.
    """

    _policies: NamedPolicies
    _loader: Loader

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies by name, read from their file on first use; raises `ConfigurationError`."""
        return self._policies.by_name

    def _named(self, need: Need) -> Need:
        """Return the policy of a name, and every other need as it is; raises `UnknownNameError`."""
        return self._policies.find(need, self._loader.catalogue)

    @property
    def catalogue(self) -> Catalogue:
        """The current catalogue; `catalogue.source` says where it came from."""
        return self._loader.catalogue()

    @overloaded_select
    def select(
        self,
        need: Need = None,
        /,
        *,
        default: Any = RAISE,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> Any:
        """Return the newest model known to meet the need and the default filters, or the locked model.

        Raises `NoModelError` if there is none, or returns `default` if one is given. Raises
        `LockError` if a lock is broken.
        """
        if now is not None:
            now = resolve_now(now)
        loader = self._loader
        catalogue = loader.held if loader.clock() < loader.next_check_at else None
        if catalogue is None:
            catalogue = loader.catalogue()
        policies = self._policies
        asked: Any = policies.find(need, loader.catalogue) if policies.are_given else need
        if not needs:
            try:  # what `catalogue.select` does first, without the cost of one more call
                return catalogue.answers[asked if asked.__class__ is str else asked.text]
            except (KeyError, AttributeError):
                pass
            locked = policies.locked_model(need, catalogue)
            if locked is not None:
                return locked
        try:
            return catalogue.select(asked, now=now, **needs)
        except NoModelError:
            if default is RAISE:
                raise
            return default

    def candidates(
        self,
        need: Need = None,
        /,
        *,
        limit: int | None = None,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> tuple[Model, ...]:
        """Return the models known to meet the need and the default filters, best first, up to `limit`.

        Locks are ignored: these are the models to choose from.
        """
        return self._loader.catalogue().candidates(self._named(need), limit=limit, now=now, **needs)

    def explain(
        self,
        need: Need = None,
        /,
        *,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> Decision:
        """Return what `select` would answer, with the reason; raises `LockError`."""
        catalogue = self._loader.catalogue()
        decision = catalogue.explain(self._named(need), now=now, **needs)
        held = self._policies.held(need, catalogue)
        if held is not None:
            decision = held.apply_to(decision)
        return changed(decision, stale=self._loader.is_stale(catalogue))

    def supports(
        self,
        model: str | Model,
        need: str | Requirement | None = None,
        /,
        *,
        now: datetime | None = None,
        **needs: KeywordValue,
    ) -> bool:
        """Return whether a model, by id or alias, is known to meet the need; unknown is `False`."""
        return self._loader.catalogue().supports(model, need, now=now, **needs)

    def gate(self, model: str | Model) -> Gate:
        """Return the feature gate of the model of an id or alias; it follows each refresh."""
        from router.catalogue._gate import Gate

        return Gate(model, self._loader.catalogue, self._loader.is_stale)

    def selector(self, need: Need = None, /, **needs: KeywordValue) -> Callable[[], Model]:
        """Return a fast function that returns what `select` would; it follows each refresh."""
        named = self._named(need)
        asked = (
            reject_keywords(named, needs) if isinstance(named, Policy) else require(named, **needs)
        )
        loader, clock = self._loader, self._loader.clock
        # One value, so that no thread sees one catalogue with the model of another.
        seen: tuple[Catalogue | None, Model | None] = (None, None)

        def pick() -> Model:
            nonlocal seen
            catalogue, model = seen
            if model is not None and clock() < loader.next_check_at and catalogue is loader.held:
                return model
            catalogue = loader.catalogue()
            locked = self._policies.locked_model(need, catalogue)
            model = locked or catalogue.select(asked)
            if locked is not None or not asked.is_relative:
                seen = (catalogue, model)
            return model

        return pick

    def fallbacks_param(
        self,
        model: str | Model,
        need: Need,
        request: Mapping[str, Any] = MappingProxyType({}),
    ) -> Fallbacks:
        """Return the `fallbacks` of a Messages request to `model`: up to three that meet the need.

        Each entry overrides the parameters of the request that its model does not take. The list
        is empty if the model allows none, or if it is unknown which; its `reason` says so, and
        the parameter should be left out. Raises `ConfigurationError` for a request that is not a
        mapping.
        """
        from router.requests._fallbacks import fallbacks_of
        from router.requests._values import check_request

        check_request(request)
        catalogue = self._loader.catalogue()
        first = catalogue[model] if isinstance(model, str) else catalogue.listed(model)
        return fallbacks_of(first, catalogue.candidates(self._named(need)), request)
