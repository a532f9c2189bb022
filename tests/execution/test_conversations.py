"""Conversations: the model of each is remembered, and forgotten."""

from __future__ import annotations

import threading

import pytest
from fake_source import FakeClock

from router.execution._conversations import LONGEST_PAUSE, MOST, Conversations


def test_a_conversation_is_remembered_and_forgotten() -> None:
    """A conversation stays with its model until a day has passed without an answer."""
    clock = FakeClock()
    conversations = Conversations(clock)
    conversations.answered("k", "a", None)
    clock.now += LONGEST_PAUSE - 1.0
    assert conversations.model_of("k") == "a"

    conversations.answered("k", "a", "a")
    clock.now += LONGEST_PAUSE - 1.0
    assert conversations.model_of("k") == "a"

    clock.now += 1.0
    assert conversations.model_of("k") is None


def test_who_was_first() -> None:
    """The first answer decides with whom a conversation is; only who knew of it moves it."""
    conversations = Conversations(FakeClock())
    conversations.answered("k", "a", None)
    conversations.answered("k", "b", None)
    assert conversations.model_of("k") == "a"

    conversations.answered("k", "b", "a")
    conversations.answered("k", "c", "a")
    assert conversations.model_of("k") == "b"


def test_conversations_are_bounded() -> None:
    """However many conversations there are, so many are remembered, the latest."""
    conversations = Conversations(FakeClock())
    for key in range(MOST + 10):
        conversations.answered(key, "a", None)

    assert [conversations.model_of(key) for key in (0, 9, 10, MOST + 9)] == [None, None, "a", "a"]
    assert len(conversations._models) == MOST


@pytest.mark.parametrize("is_held", [False, True])
def test_conversations_after_a_fork(is_held: bool) -> None:
    """A child goes on with its parent's conversations, but not with what was being changed at that moment."""
    conversations = Conversations(FakeClock())
    conversations.answered("k", "a", None)
    if is_held:
        holder = threading.Thread(target=conversations._lock.acquire)
        holder.start()
        holder.join()
    conversations.reset_after_fork()

    assert conversations.model_of("k") == (None if is_held else "a")
