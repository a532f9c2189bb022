"""Fork: a child has its parent's locks as they were held at that moment, and none of the threads that held them."""

from __future__ import annotations

import os
import threading
import time
import weakref
from importlib import import_module
from typing import Final, Protocol


class Renewable(Protocol):
    """What has locks or threads of its own."""

    def reset_after_fork(self) -> None:
        """Forget what belongs to threads that are not there."""


_renewables: Final[weakref.WeakSet[Renewable]] = weakref.WeakSet()

fork_lock: Final = threading.RLock()
"""Held, briefly, over what a fork must not cut in two, such as a call of OpenSSL that takes locks of its own."""

IMPORTING: Final = 5.0
"""Seconds that a fork waits, at most, for a thread that imports: it may wait for what the forking one imports."""

ENDING: Final = 0.5
"""Seconds that a fork waits, at most, for threads that are ending."""

_ending: Final[set[int]] = set()
"""The threads that were about to end, by their numbers in `/proc`: where there is none, nobody waits for them."""


class _Imports:
    """Held by a thread while it imports: the child of a fork could never finish that for it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_guarded = False

    def guard(self) -> None:
        """Have forks wait from now on.

        What is registered last is called first: `logging` holds its own lock over a fork, and imports take it.
        """
        with fork_lock:
            if not self._is_guarded and hasattr(os, "register_at_fork"):
                import_module("logging")
                os.register_at_fork(
                    before=self._hold, after_in_parent=self._let_go, after_in_child=self._in_child
                )
            self._is_guarded = True

    def _hold(self) -> None:
        self._lock.acquire(timeout=IMPORTING)

    def _is_held(self) -> bool:
        return bool(self._lock._is_owned())  # type: ignore[attr-defined]  # noqa: SLF001 - as Condition does

    def _let_go(self) -> None:
        if self._is_held():
            self._lock.release()

    def _in_child(self) -> None:
        if not self._is_held():
            self._lock = threading.RLock()
        else:
            self._lock.release()

    def __enter__(self) -> None:
        if not self._is_guarded:
            self.guard()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


importing: Final = _Imports()


def register_fork_reset(each: Renewable) -> None:
    """Have it started anew in every child of a fork."""
    _renewables.add(each)


def end_thread() -> None:
    """Say that this thread does nothing more: a fork waits until it is gone, as OpenSSL takes locks while it ends."""
    with fork_lock:
        _forget_ended()
        _ending.add(threading.get_native_id())


def _forget_ended() -> None:
    _ending.difference_update(
        [each for each in _ending if not os.path.exists(f"/proc/self/task/{each}")]
    )


def _before() -> None:
    fork_lock.acquire()
    ends = time.monotonic() + ENDING
    _forget_ended()
    while _ending and time.monotonic() < ends:
        time.sleep(0.0002)
        _forget_ended()
    _ending.clear()


def _in_child() -> None:
    if fork_lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001 - as Condition does
        fork_lock.release()
    else:  # who forks without asking, as uWSGI does, has not waited for the thread that held it
        fork_lock._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001 - as the standard library does
    for each in list(_renewables):
        each.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=fork_lock.release, after_in_child=_in_child)
