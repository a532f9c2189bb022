"""What the application gives is checked, and refused in a line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest

import router
from router import (
    AnthropicSource,
    Audit,
    BundledSource,
    Catalogue,
    Policy,
    Router,
    StaticSource,
    check_lock,
    outdated,
    require,
    requirement_of,
    resolve,
    why,
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


BUNDLED = Catalogue.bundled()
POLICIES = {"reports": Policy(require="pdf_input", name="reports")}
LOCK = resolve(POLICIES, BUNDLED).lock
ROUTERS = (
    Router(StaticSource(BUNDLED)),
    Router(StaticSource(BUNDLED), policies=POLICIES),
    Router(StaticSource(BUNDLED), policies=POLICIES, lock=LOCK),
)
NEEDS = ("pdf_input", require("pdf_input"), POLICIES["reports"], "age >= 14d", None, "not true")
"""Needs that depend on the time and needs that do not, with and without a cached answer."""

ID = "claude-opus-5"
OF_THE_TIME: dict[str, Callable[[Any, Any], object]] = {
    "Catalogue.select": lambda need, now: BUNDLED.select(need, now=now, default=None),
    "Catalogue.candidates": lambda need, now: BUNDLED.candidates(need, now=now, limit=0),
    "Catalogue.explain": lambda need, now: BUNDLED.explain(need, now=now),
    "Catalogue.where": lambda need, now: BUNDLED.where(_plain(need), now=now),
    "Catalogue.supports": lambda need, now: BUNDLED.supports(ID, _plain(need), now=now),
    "Catalogue.judge": lambda need, now: BUNDLED.judge(ID, require(_plain(need)), now=now),
    "Requirement.support": lambda need, now: require(_plain(need)).support(BUNDLED[ID], now=now),
    "Requirement.matches": lambda need, now: require(_plain(need)).matches(BUNDLED[ID], now=now),
    "Audit": lambda _, now: Audit(BUNDLED, now=now),
    "resolve": lambda _, now: resolve(POLICIES, BUNDLED, now=now),
    "check_lock": lambda _, now: check_lock(LOCK, POLICIES, BUNDLED, now=now),
    "outdated": lambda _, now: outdated(LOCK, POLICIES, BUNDLED, now=now),
    "why": lambda need, now: why(BUNDLED, ID, need, now=now),
    "Router.select": lambda need, now: [
        each.select(need, now=now, default=None) for each in ROUTERS
    ],
    "Router.candidates": lambda need, now: [each.candidates(need, now=now) for each in ROUTERS],
    "Router.explain": lambda need, now: [each.explain(need, now=now) for each in ROUTERS],
    "Router.supports": lambda need, now: [
        each.supports(ID, _plain(need), now=now) for each in ROUTERS
    ],
    "Router.route": lambda need, now: [
        each.route(REQUEST, None if need == "not true" else need, now=now) for each in ROUTERS
    ],
}
"""Everything that takes `now`, by its name, given a need and a moment."""


def _plain(need: Any) -> Any:
    return need.require if isinstance(need, Policy) else need


@pytest.mark.parametrize(
    "now",
    [datetime.fromisoformat("2026-11-22"), date(2026, 11, 22), "2026-11-22", 0, False],
    ids=repr,
)
@pytest.mark.parametrize("ask", OF_THE_TIME.values(), ids=OF_THE_TIME)
def test_a_moment_is_aware(ask: Callable[[Any, Any], object], now: Any) -> None:
    """Everything that takes `now` refuses what is not an aware datetime, even if the answer is cached."""
    for need in NEEDS:
        ask(need, None)
        ask(need, datetime.now(UTC))
        with pytest.raises(RequirementError, match=r"^now must be an aware datetime \(got "):
            ask(need, now)


def test_every_moment_is_tried() -> None:
    """No public function takes `now` that the test above does not ask."""
    found = set(_with_now())
    assert found <= OF_THE_TIME.keys()
    assert len(found) > 10


def _with_now() -> Iterator[str]:
    """Yield the name of each public function whose `now` is the present by default."""
    for name in router.__all__:
        public = getattr(router, name)
        if isinstance(public, type) and issubclass(public, Exception):
            continue
        members = inspect.getmembers(public, inspect.isfunction) if inspect.isclass(public) else ()
        for function in (public, *(each for member, each in members if member[0] != "_")):
            try:
                parameters = inspect.signature(function).parameters
            except (TypeError, ValueError):
                continue
            if "now" in parameters and parameters["now"].default is None:
                yield function.__qualname__.replace("ModelChooser", "Router").replace(
                    "Snapshot", "Catalogue"
                )
