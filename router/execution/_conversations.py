"""Conversations: the model that last answered each of them, so that it stays with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final

from cachetools import TTLCache

from router._fork import register_fork_reset

MOST: Final = 10_000
LONGEST_PAUSE: Final = 86_400.0
"""Seconds until a conversation is forgotten after its last answer, or earlier if there are many."""


class Conversations:
    """The key of the model of each conversation, by the conversation's own key. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._models: TTLCache[Hashable, str] = TTLCache(MOST, LONGEST_PAUSE, timer=clock)
        register_fork_reset(self)

    def reset_after_fork(self) -> None:
        """Renew the lock in the child of a fork, and the map if it was being changed."""
        was_held, self._lock = not self._lock.acquire(blocking=False), threading.RLock()
        if was_held:
            self._models = TTLCache(MOST, LONGEST_PAUSE, timer=self._clock)

    def model_of(self, key: Hashable) -> str | None:
        """Return the key of the model that last answered, `None` for an unknown conversation."""
        with self._lock:
            return self._models.get(key)

    def answered(self, key: Hashable, model: str, before: str | None) -> str | None:
        """Keep the model that has answered, unless another run has moved the conversation.

        Returns the key of the conversation's model before that.
        """
        with self._lock:
            current = self._models.get(key)
            if current in {before, model, None}:
                self._models[key] = model
            return current
