"""Settings for every test: how much a normal run tries, and where caches go."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from sizes import FEW, MANY

NORMAL = settings(
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no fault of a strategy
)
settings.register_profile("normal", NORMAL, max_examples=FEW)
settings.register_profile("full", NORMAL, max_examples=MANY)
settings.load_profile("normal")


ON_REQUEST = ("long", "page")
"""The marks of tests that run only if `-m` names them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--full`."""
    parser.addoption(
        "--full",
        action="store_true",
        help="run every case of a sampled test, and every example of a property",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the number of examples before the tests are imported."""
    if config.option.full:
        settings.load_profile("full")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what a normal run leaves out."""
    deselected = {
        item
        for item in items
        if any(
            item.get_closest_marker(mark) and mark not in config.option.markexpr
            for mark in ON_REQUEST
        )
    }
    if not (config.option.full or config.option.markexpr):
        deselected.update(beyond_samples(items))
    if deselected:
        config.hook.pytest_deselected(items=[*deselected])
        items[:] = [item for item in items if item not in deselected]


def beyond_samples(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the cases of each test marked `sample(n)` that are not among its `n` evenly spread ones."""
    cases = defaultdict[str, list[pytest.Function]](list)
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("sample"):
            cases[f"{item.path}::{item.originalname}"].append(item)
    for several in cases.values():
        several.sort(key=lambda item: tuple(item.callspec.indices.values()))
        mark = several[0].get_closest_marker("sample")
        assert mark is not None
        sampled = {at * len(several) // mark.args[0] for at in range(mark.args[0])}
        yield from (item for at, item in enumerate(several) if at not in sampled)


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
