"""The application's hooks, called so that their failures stay their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from router._log import Log

log: Final = Log(__package__)


def call_hook(name: str, hook: Callable[[], object]) -> None:
    """Call a hook of the application, and log what it raises."""
    try:
        hook()
    except Exception:
        log.exception("the hook %s failed", name)
