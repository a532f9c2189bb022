"""Fork: a child has its parent's locks as they were held at that moment, and none of the threads that held them."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Final, Protocol


class Renewable(Protocol):
    """What has locks or threads of its own."""

    def start_anew(self) -> None:
        """Forget what belongs to threads that are not there."""


_renewables: Final[weakref.WeakSet[Renewable]] = weakref.WeakSet()

unforked: Final = threading.RLock()
"""Held, briefly, over what a fork must not cut in two, such as a call of OpenSSL that takes locks of its own."""


def renewed_in_child(each: Renewable) -> None:
    """Have it started anew in every child of a fork."""
    _renewables.add(each)


def _in_child() -> None:
    unforked.release()
    for each in list(_renewables):
        each.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=unforked.acquire, after_in_parent=unforked.release, after_in_child=_in_child)
