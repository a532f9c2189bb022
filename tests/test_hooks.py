"""What a hook of the application raises ends nothing, and is in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router._hooks import call_hook

if TYPE_CHECKING:
    import pytest


def test_a_hook_that_fails_is_logged_with_its_error(caplog: pytest.LogCaptureFixture) -> None:
    """What a hook raises is in the log, with its frames."""
    call_hook("on_refresh", lambda: 1 // 0)

    (record,) = caplog.records
    assert record.getMessage() == "the hook on_refresh failed"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
