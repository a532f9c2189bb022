"""What the application gives is checked, and refused in a line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

import router
from router import (
    AnthropicSource,
    BundledSource,
    Catalogue,
    Policy,
    Router,
    require,
    requirement_of,
)
from router._arguments import check_count, check_seconds
from router._errors import ConfigurationError, RequirementError
from router.execution._failures import Failure, FailureClass

HUGE = 10**5000
"""An int of more digits than Python writes: `repr` of it is a ValueError."""

REQUEST = {"model": "claude-opus-4-8", "max_tokens": 10, "messages": []}
REFUSALS: dict[str, Callable[[], object]] = {
    "a count": lambda: check_count("allowed_fails", -HUGE),
    "seconds": lambda: check_seconds("ttl", HUGE),
    "input_tokens": lambda: requirement_of(REQUEST, input_tokens=HUGE),
    "the deadline of a run": lambda: Router(BundledSource()).run("pdf_input", id, deadline=HUGE),
    "retry_after": lambda: Failure(kind=FailureClass.NEXT_MODEL, reason="busy", retry_after=HUGE),
    "page_size": lambda: AnthropicSource(api_key="k", environ={}, page_size=HUGE),
    "limit": lambda: Catalogue.bundled().candidates(limit=-HUGE),
    "minimum_age": lambda: Policy(require="pdf_input", minimum_age=cast("Any", HUGE)),
    "a bound": lambda: require(min_input_tokens=HUGE),
    "on_unsupported": lambda: Router(BundledSource()).route(
        REQUEST, on_unsupported=cast("Any", HUGE)
    ),
    "lock": lambda: Router(BundledSource(), lock=cast("Any", HUGE)),
    "on_lock_broken": lambda: Router(
        BundledSource(), lock="router.lock", on_lock_broken=cast("Any", HUGE)
    ),
}


@pytest.mark.parametrize("refused", REFUSALS.values(), ids=REFUSALS)
def test_a_value_too_long_to_be_written(refused: Callable[[], object]) -> None:
    """A value that Python cannot write is refused as any other, with a message of a line."""
    with pytest.raises((ConfigurationError, RequirementError)) as caught:
        refused()

    assert len(str(caught.value)) < 300


def test_each_message_quotes_what_it_got() -> None:
    """No message of the library writes with `!r` what it got: that can raise another error."""
    files = sorted(Path(router.__file__).parent.rglob("*.py"))
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}

    assert [name for name, text in texts.items() if re.search(r"\(got \{[^}]*!r", text)] == []
