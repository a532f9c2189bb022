"""Calls of the application's hooks; their exceptions are logged, not raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from router._log import Log

log: Final = Log(__package__)


def call_hook(name: str, hook: Callable[[], object]) -> None:
    """Call a hook of the application, and log any exception."""
    try:
        hook()
    except Exception:
        log.exception("the hook %s failed", name, event="hook_failed", hook=name)
