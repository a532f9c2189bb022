"""Hooks: calling what the application gave us to call, log handlers among it, so that its failures stay its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from router.errors import ConfigurationError


def check_hook(name: str, hook: object) -> None:
    """Raise `ConfigurationError` for a hook that cannot be called."""
    if hook is not None and not callable(hook):
        raise ConfigurationError(f"{name} must be a function (got {type(hook).__name__})")


def contained(name: str, hook: Callable[[], object]) -> None:
    """Call a hook of the application's; what it raises is its own affair, and is logged."""
    try:
        hook()
    except Exception:  # noqa: BLE001 - whatever it is, it is not ours
        log("exception", "the hook %s failed", name)


def log(level: str, message: str, *arguments: object) -> None:
    """Log; a handler of the application's that raises must not end what is under way."""
    from logging import getLogger

    with suppress(Exception):
        getattr(getLogger("router"), level)(message, *arguments)
