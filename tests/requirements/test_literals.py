"""Literals: what a capability, a level and a comparison ask of a model."""

from __future__ import annotations

import pytest

from router.models._model import Model
from router.requirements._parser import parse


@pytest.mark.parametrize(
    ("text", "relative"),
    [
        ("age >= 14d", True),
        ("not age >= 14d", True),
        ("pdf_input or maybe retires_in < 9d", True),
        ("created_at >= 2026-01-01 and retires_at < 2027-01-01", False),
        ("pdf_input", False),
        ("true", False),
    ],
)
def test_only_durations_depend_on_the_moment(text: str, relative: bool) -> None:
    """A requirement is relative to now just where it speaks of a duration."""
    assert parse(text).is_relative is relative


def test_support_tells_unsupported_from_unknown() -> None:
    """`support` has three answers, of which `matches` takes one."""
    model = Model.from_api(
        {"id": "a", "capabilities": {"x": {"supported": True}, "y": {"supported": False}}}
    )
    answers = [
        (parse(text).support(model), parse(text).matches(model)) for text in ("x", "y", "pdf_input")
    ]
    assert answers == [(True, True), (False, False), (None, False)]
