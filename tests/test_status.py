"""How things stand with a router, as a value."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from fake_api import entries

from router import Catalogue, Cooling, Router, RouterStatus, StaticSource

NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
COOLING: Final = Cooling("claude-a", NOON, 2, "529")


def status(**also: Any) -> RouterStatus:
    """Return the status of a router that holds nothing yet."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("source", "as_of", "age", "next_refresh", "last_error")
    )
    flags = dict.fromkeys(("stale", "regressed", "refreshing"), False)
    counts = dict.fromkeys(("quarantined", "refreshes", "failures"), 0)
    return RouterStatus(**(nothing | flags | counts | also))


def test_a_status_is_a_value() -> None:
    """Two that say the same are equal, also after a journey, and one that says more is another."""
    assert status() == status()
    assert status() != status(cooling=(COOLING,))
    travelled = pickle.loads(pickle.dumps(status(cooling=(COOLING,))))  # noqa: S301 - pickled on this very line
    assert travelled == status(cooling=(COOLING,))


@pytest.mark.parametrize(("value", "name"), [(status(), "stale"), (COOLING, "failures")])
def test_a_status_does_not_change(value: object, name: str) -> None:
    """Whoever is given one keeps what was true then."""
    with pytest.raises(AttributeError):
        setattr(value, name, 1)


def test_nothing_cools_unless_it_is_said() -> None:
    """A router that has run nothing sets no model aside."""
    router = Router(StaticSource(Catalogue.from_listing(entries(2))))

    assert status().cooling == router.status().cooling == ()
