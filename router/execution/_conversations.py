"""Conversations: which model each was last answered by, so that it stays with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final

from cachetools import TTLCache

from router._fork import renewed_in_child

MOST: Final = 10_000
LONGEST_PAUSE: Final = 86_400.0
"""Seconds after its last answer at which a conversation is forgotten; earlier where there are too many of them."""


class Conversations:
    """The model of each conversation, by its key. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._models: TTLCache[Hashable, str] = TTLCache(MOST, LONGEST_PAUSE, timer=clock)
        renewed_in_child(self)

    def start_anew(self) -> None:
        """Have a lock that nobody holds, and no map that was being changed at the moment of the fork."""
        was_held, self._lock = not self._lock.acquire(blocking=False), threading.RLock()
        if was_held:
            self._models = TTLCache(MOST, LONGEST_PAUSE, timer=self._clock)

    def model_of(self, key: Hashable) -> str | None:
        """Return the id of the model that last answered, `None` for a conversation that is not known."""
        with self._lock:
            return self._models.get(key)

    def answered(self, key: Hashable, id: str, before: str | None) -> str | None:
        """Keep the model that has answered, unless another one has begun the conversation meanwhile, or moved it.

        Returns whom the conversation was with.
        """
        with self._lock:
            current = self._models.get(key)
            if current in {before, id, None}:
                self._models[key] = id
            return current
