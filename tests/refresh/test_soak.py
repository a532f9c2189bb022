"""A day of refreshes, one a second, a third of them faulty: nothing grows, and nothing is left open."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import pytest
from soaking import STATUS, grown, grown_over_sockets, reject_keywords

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not STATUS.exists(), reason="the memory of a process is read from /proc"),
]

DAY: Final = 86_400
GROWTH: Final = 5 * 2**20


def test_a_day() -> None:
    """E2: after a day of refreshes memory has grown by 5 MiB at most, and there are as many files and threads."""
    growth, failed = reject_keywords(grown, DAY)

    assert failed == DAY // 3
    assert growth <= GROWTH


def test_keeping_every_catalogue() -> None:
    """The twin that must fail: who keeps every catalogue grows beyond that within the hour."""
    growth, _ = reject_keywords(partial(grown, keeping=True), 3600)

    assert growth > GROWTH


def test_hours_over_sockets(tmp_path: Path) -> None:
    """E2: nor does anything grow or stay open over sockets and a disk, with connections that break."""
    growth, failed = reject_keywords(grown_over_sockets, tmp_path)

    assert failed == 1000
    assert growth <= GROWTH
    assert sorted(path.suffix for path in tmp_path.iterdir()) in (
        [".json", ".lock"],
        [".failed", ".json", ".lock"],
    )
