"""Flight: one load under way, and how those who wait for it learn how it ended."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from importlib import import_module
from typing import Any, Final

from router._errors import CatalogueUnavailableError
from router._fork import importing
from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline

GRACE: Final = 0.5
"""Seconds beyond the deadline that a flight has to say how it ended, before it is given up."""

_LATE: Final = (
    "concurrent.futures",
    "random",
    "hashlib",
    "tempfile",
    "platformdirs",
    "tenacity",
    "router.refresh._disk_cache",
    "router.refresh._http",
    "httpcore",
    "certifi",
    "encodings.idna",
    "email.utils",
)


class Flight:
    """One load: it ends once for those who wait, with a catalogue or an error, also if it goes on after that."""

    __slots__ = (
        "__weakref__",
        "_claim",
        "_future",
        "asked",
        "deadline",
        "delay",
        "is_shared",
        "is_told",
        "turn",
    )

    def __init__(self, turn: int, deadline: Deadline, *, asked: bool, is_told: bool) -> None:
        from concurrent.futures import Future

        self.turn = turn
        """Its number: one that began earlier may land later."""
        self.deadline = deadline
        self.asked = asked
        """Whether the application asked for it just now."""
        self.is_told = is_told
        """Whether the application's hook is to hear of its failure."""
        self.delay: float | None = None
        """In how many seconds the next one is due, where other processes have been told so, or have told so."""
        self.is_shared = False
        """Whether it has met the failure of another process, and asked for nothing itself."""
        self._claim = threading.Lock()
        self._future: Future[Catalogue] = Future()
        # A pending future is cancelled by its waiter; a running one is not.
        self._future.set_running_or_notify_cancel()

    @property
    def has_ended(self) -> bool:
        """Whether its waiters know how it ended."""
        return self._future.done()

    @property
    def is_overdue(self) -> bool:
        """Whether it hangs where no deadline can stop it, as in a look-up of a host's name."""
        return not self.has_ended and self.deadline.left() + GRACE <= 0

    def claim(self) -> bool:
        """Claim to be the one who ends it; returns `False` for whoever comes later."""
        return self._claim.acquire(blocking=False)

    def land(self, catalogue: Catalogue) -> None:
        """End with a catalogue; only for who has claimed it."""
        self._future.set_result(catalogue)

    def fail(self, error: CatalogueUnavailableError) -> None:
        """End with an error; only for who has claimed it."""
        self._future.set_exception(error)

    def result(self, seconds: float) -> Catalogue:
        """Return or raise how it ended, waiting that long for it; raises `TimeoutError` where it has not.

        Each waiter gets an error of its own: one that many raise gathers the frames of them all.
        """
        error = self._future.exception(seconds)
        if error is None:
            return self._future.result()
        raise own(error)

    async def landing(self, seconds: float) -> None:
        """Wait until it has ended or the seconds have passed; a waiter that is cancelled takes nothing along."""
        if _in_trio("in_trio_task"):
            trio = sys.modules["trio"]
            landed = trio.Event()
            token = trio.lowlevel.current_trio_token()
            self._future.add_done_callback(lambda _: _told(token.run_sync_soon, landed.set))
            with trio.move_on_after(seconds):
                await landed.wait()
            return
        import asyncio

        loop = asyncio.get_running_loop()
        waiter = asyncio.Event()
        self._future.add_done_callback(lambda _: _told(loop.call_soon_threadsafe, waiter.set))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await waiter.wait()


def own(error: BaseException) -> BaseException:
    """Return the same error for one more to raise."""
    copied = copy(error)
    copied.__cause__ = error.__cause__
    return copied


def in_event_loop() -> bool:
    """Return whether the caller would hold up a running event loop of asyncio or trio."""
    # Another thread may be importing asyncio: it runs no loop until it has all of its functions.
    running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    return (running_loop is not None and running_loop() is not None) or _in_trio("in_trio_run")


def _in_trio(question: str) -> bool:
    """Return what `trio.lowlevel` answers; trio runs nothing while another thread is still importing it."""
    ask = getattr(getattr(sys.modules.get("trio"), "lowlevel", None), question, None)
    return ask is not None and ask()


def import_late() -> None:
    """Import what a flight imports, and what that imports at its first use, where its caller has to wait anyway."""
    for name in _LATE:
        with suppress(Exception):  # who needs it will say so
            import_module(name)


def import_alone() -> None:
    """Import the same in the flight's thread, so that no read waits for it; forks do, for one name."""
    for name in _LATE:
        with importing, suppress(Exception):
            import_module(name)


def _told(tell: Callable[..., Any], done: Callable[[], None]) -> None:
    """Tell a waiting loop from another thread; it may be gone by now."""
    with suppress(RuntimeError):
        tell(done)
