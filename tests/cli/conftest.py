"""Fixtures: the command in this process, and the listing and the API that it is asked about."""

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import matrix_listings
import pytest
from listings import LISTING, saved
from small_api import KEY, Api
from terminal import Command, Ran, environment

from router.cli._commands import run


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Give each test the environment of a plain terminal and a cache of its own, and take back the log handlers."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)
    for name, value in {**environment(), "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    handlers = logging.getLogger("router").handlers
    before = [*handlers]
    yield
    handlers[:] = before


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command in this process, its outputs piped."""

    def ran(*arguments: str) -> Ran:
        status = run(arguments)
        return Ran(status, *capsys.readouterr())

    return ran


@pytest.fixture
def listing(tmp_path: Path) -> str:
    """Return the path of a saved listing."""
    return saved(tmp_path, LISTING)


@pytest.fixture
def matrix_listing(tmp_path: Path) -> str:
    """Return the path of a saved listing of two models whose capabilities differ."""
    return saved(tmp_path, matrix_listings.LISTING)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Serve the listing, and let the command here find it."""
    with Api(LISTING) as served:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", served.url)
        yield served


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the command look for the API where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{held.getsockname()[1]}")
        yield


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, which is the current one, without a credential."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
