"""Settings for every test: of hypothesis, of where caches go, and of what is left out unless it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "router",
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no fault of a strategy
)
settings.load_profile("router")


ASKED_FOR = ("long", "page")
"""The marks of what runs only where `-m` speaks of it."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is marked `long` or `page`, and count it as deselected, unless `-m` speaks of that mark."""
    left_out = [mark for mark in ASKED_FOR if mark not in config.option.markexpr]
    deselected = [item for item in items if any(map(item.get_closest_marker, left_out))]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


@pytest.fixture(scope="session", autouse=True)
def own_cache_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no test, nor a process that it starts, read or write the cache of the user who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def landed() -> Iterator[None]:
    """Let each test see its own refreshes only: what flies in the background at its end lands before the next."""
    yield
    for thread in threading.enumerate():
        if thread.name == "router-refresh":
            thread.join(1.0)
