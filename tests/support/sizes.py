"""How much a test tries: little in a normal run, all of it under `tox -e long`."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import settings

FEW: Final = 60
MANY: Final = 400
"""How many examples of a property a normal run tries, and one with `--full`."""


def examples(count: int) -> int:
    """Return how many examples to try: `count` with `--full`, a share of them in a normal run."""
    return count * settings().max_examples // MANY


def at_length(*values: object, timeout: int = 900) -> Any:
    """Return a case that only `tox -e long` runs."""
    return pytest.param(*values, marks=[pytest.mark.long, pytest.mark.timeout(timeout)])
