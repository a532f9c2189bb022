"""Late imports: what a refresh needs and a start does not, imported in the thread of the refresh."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from importlib import import_module
from typing import Final

from router._fork import importing

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
"""What a refresh imports, and what that imports at its first use."""


def import_late(*, fork_waits: bool = False) -> None:
    """Import it all; with `fork_waits`, a fork waits for each import to end."""
    for name in _LATE:
        # A module that cannot be imported is reported by its first user.
        with importing if fork_waits else nullcontext(), suppress(Exception):
            import_module(name)
