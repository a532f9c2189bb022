"""Fixtures: a router in each way to run."""

from __future__ import annotations

import pytest
from fallback_runs import Machine


@pytest.fixture(params=["run", "arun"])
def machine(request: pytest.FixtureRequest) -> Machine:
    """A machine for either way."""
    made = Machine()
    made.is_async = request.param == "arun"
    return made
