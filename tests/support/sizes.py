"""How much a test tries: little in a normal run, all of it under `tox -e long`."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import settings

SHARE: Final = 4
"""A normal run tries one example of a property in so many."""


def examples(count: int) -> int:
    """Return how many examples to try: `count` with `--full`, a share of them in a normal run."""
    return count * settings().max_examples // (100 * SHARE)


def at_length(*values: object, timeout: int = 900) -> Any:
    """Return a case that only `tox -e long` runs."""
    return pytest.param(*values, marks=[pytest.mark.long, pytest.mark.timeout(timeout)])
