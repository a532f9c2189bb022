"""Entry: what JSON may state, and how deep it may nest."""

from __future__ import annotations

from typing import Any

import pytest

from router import MalformedEntryError, Model
from router.models._entry import MAX_BITS, MAX_NESTING


@pytest.mark.parametrize("shape", [{}, {"capabilities": {}}], ids=["field", "capabilities"])
def test_nesting_has_a_limit(shape: dict[str, Any]) -> None:
    """An entry may nest as deep as the limit and no deeper: then it is malformed, and nothing overflows."""

    def nested(levels: int) -> dict[str, Any]:
        inside: Any = {"supported": True}
        for _ in range(levels - 1):
            inside = {"x": inside}
        return {"id": "a", **({"capabilities": inside} if shape else {"x": inside})}

    assert Model.from_api(nested(MAX_NESTING - 1)).id == "a"
    for levels in (MAX_NESTING, 100_000):
        with pytest.raises(MalformedEntryError, match=f"at most {MAX_NESTING} levels"):
            Model.from_api(nested(levels))


@pytest.mark.parametrize(
    ("odd", "path"),
    [
        ({5: 1}, "entry"),
        ({"x": {None: 1}}, "entry.x"),
        ({"x": {"y": {1, 2}}}, "entry.x.y"),
        ({"x": [b"bytes"]}, "entry.x"),
        ({"x": 10**5_000}, "entry.x"),
        ({"x": -(10**5_000)}, "entry.x"),
        ({"price": {"input": float("inf")}}, "entry.price.input"),
        ({"price": {"input": float("nan")}}, "entry.price.input"),
    ],
    ids=[
        "key",
        "inner key",
        "set",
        "bytes",
        "endless number",
        "endless below zero",
        "infinity",
        "not a number",
    ],
)
def test_what_json_cannot_state_is_malformed(odd: dict[Any, Any], path: str) -> None:
    """A dict from Python that no answer of an API could be is refused, with the path to what is wrong."""
    with pytest.raises(MalformedEntryError) as raised:
        Model.from_api({"id": "a", **odd})
    assert raised.value.path == path
    assert len(str(raised.value)) < 200


def test_a_number_as_long_as_can_be_is_read() -> None:
    """Numbers far longer than any real limit are numbers like others, up to one that is refused."""
    assert Model.from_api({"id": "a", "max_tokens": 2**MAX_BITS - 1}).max_tokens == 2**MAX_BITS - 1
    with pytest.raises(MalformedEntryError, match=r"entry\.max_tokens"):
        Model.from_api({"id": "a", "max_tokens": 2**MAX_BITS})
