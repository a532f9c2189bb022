"""Fork: a child inherits locks that are held, but not the threads that would release them."""

from __future__ import annotations

import os
import threading
import time
import weakref
from importlib import import_module
from typing import Final, Protocol


class Renewable(Protocol):
    """An object with locks or threads of its own."""

    def reset_after_fork(self) -> None:
        """Discard the state of threads that the child does not have."""


_renewables: Final[weakref.WeakSet[Renewable]] = weakref.WeakSet()

fork_lock: Final = threading.RLock()
"""Held briefly while a fork would be unsafe, as in calls of OpenSSL, which takes locks itself."""

IMPORTING: Final = 5.0
"""Longest wait for an importing thread, in seconds: it may itself wait for the forking one."""

ENDING: Final = 0.5
"""Longest wait of a fork for threads that are ending, in seconds."""

_ending: Final[set[int]] = set()
"""Native ids of threads about to end; without `/proc`, a fork does not wait for them."""


class _Imports:
    """A lock that a thread holds while it imports: a forked child could never finish the import."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_guarded = False

    def guard(self) -> None:
        """Make forks wait for imports from now on.

        Fork hooks run last-registered first. `logging` holds its lock during a fork, and imports
        take that lock, so `logging` must register before this.
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
        # Not held: the wait timed out, so a thread that the child lacks may hold the lock.
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
    """Reset this object in every forked child."""
    _renewables.add(each)


def end_thread() -> None:
    """Declare that this thread is about to end, so that a fork waits for its end.

    OpenSSL takes locks while a thread ends.
    """
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
    else:  # uWSGI forks without calling `_before`, so another thread may hold the lock
        fork_lock._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001 - as logging does
    for each in list(_renewables):
        each.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=fork_lock.release, after_in_child=_in_child)
