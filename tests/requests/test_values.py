"""The values of a request: members by name, items, and paths, of dicts and of objects alike."""

from __future__ import annotations

from collections import UserDict, deque
from types import SimpleNamespace
from typing import Any

import pytest
from anthropic.types import TextBlock
from hypothesis import given
from hypothesis import strategies as st

from router import ConfigurationError
from router.requests._reading import KNOWN_PARAMETERS
from router.requests._values import (
    check_request,
    fields_of,
    format_path,
    items_of,
    meant_parameter,
    member_of,
    type_of,
    value_at,
)

TEXT = {"type": "text", "text": "Hello."}
BLOCKS = [TEXT, UserDict(TEXT), SimpleNamespace(**TEXT), TextBlock(type="text", text="Hello.")]


@pytest.mark.parametrize("request_", [{}, UserDict(max_tokens=1)], ids=str)
def test_a_mapping_is_a_request(request_: Any) -> None:
    """Any mapping may be one, and is what is returned."""
    assert check_request(request_) is request_


@pytest.mark.parametrize(("given", "name"), [(None, "NoneType"), ([], "list"), ("{}", "str")])
def test_what_is_no_mapping_is_no_request(given: object, name: str) -> None:
    """The error says what was given."""
    with pytest.raises(ConfigurationError) as raised:
        check_request(given)

    assert str(raised.value) == (
        f"a request must be a mapping of the arguments of messages.create (got {name})"
    )


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_members_are_found_by_name(block: object) -> None:
    """A dict, another mapping, an object and a model of the SDK answer alike."""
    assert (type_of(block), member_of(block, "text")) == ("text", "Hello.")
    assert member_of(block, "cache_control") is None


@pytest.mark.parametrize("value", [None, 7, "text", [TEXT], {"type": 7}, {}], ids=str)
def test_what_states_no_type_has_none(value: object) -> None:
    """A type is a text that is stated; what has no members has none."""
    assert type_of(value) == ""
    assert isinstance(value, dict) or dict(fields_of(value)) == {}


@pytest.mark.parametrize("items", [[1, 2], (1, 2), deque([1, 2]), range(1, 3)], ids=repr)
def test_items_of_what_can_be_read_again(items: Any) -> None:
    """A list, and any iterable that is there again for whoever sends the request, is that of its items."""
    assert items_of(items) is items
    assert [*items_of(items)] == [*items_of(items)] == [1, 2]


@pytest.mark.parametrize(
    "value",
    ["text", b"bytes", {"a": 1}, None, 7, TextBlock(type="text", text="t")],
    ids=lambda value: type(value).__name__,
)
def test_what_is_one_value_has_no_items(value: object) -> None:
    """A text, a mapping and a model of the SDK are iterable, and yet one value."""
    assert [*items_of(value)] == []


def test_an_iterator_is_left_as_it_is() -> None:
    """What can be read only once is not read here."""
    once = iter([1, 2])

    assert [*items_of(once)] == []
    assert [*once] == [1, 2]


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ((), None, ""),
        (("messages",), None, "messages"),
        (("messages", 1, "content", 0, "text"), "Hello.", "messages[1].content[0].text"),
        (("messages", 0, "content", "text"), None, "messages[0].content.text"),
        (("system", 0), TEXT, "system[0]"),
    ],
    ids=str,
)
def test_a_path_leads_to_its_value(path: tuple[str | int, ...], value: object, text: str) -> None:
    """A path goes by names and by places, and reads as in Python."""
    blocks = [SimpleNamespace(**TEXT)]
    request = {"messages": deque([{"content": "Hi."}, {"content": blocks}]), "system": (TEXT,)}
    whole: dict[tuple[str | int, ...], object] = {(): request, ("messages",): request["messages"]}

    assert value_at(request, path) == whole.get(path, value)
    assert format_path(path) == text


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mesages", "messages"),
        ("message", "messages"),
        ("sytem", "system"),
        ("systme", "system"),
        ("max_token", "max_tokens"),
        ("maxTokens", "max_tokens"),
        ("max-tokens", "max_tokens"),
        ("Temperature", "temperature"),
        ("toolChoice", "tool_choice"),
        ("fallback", "fallbacks"),
    ],
)
def test_a_misspelling(name: str, meant: str) -> None:
    """A name with a few other letters, in another order or in another case is a misspelling."""
    assert meant_parameter(name, KNOWN_PARAMETERS) == meant


@pytest.mark.parametrize(
    "name",
    [
        *("seed", "top_a", "min_p", "stop", "n", "user", "", "x" * 10_000),
        *("max_completion_tokens", "response_format", "stream_options", "reasoning_effort"),
        *("models", "thread_id", "tool_choices", "container_upload", "system_prompt"),
    ],
    ids=lambda name: name[:30],
)
def test_what_may_be_a_parameter(name: str) -> None:
    """The parameters of other APIs, and names that only go on, are not called misspellings."""
    assert meant_parameter(name, KNOWN_PARAMETERS) is None


@given(
    st.sampled_from(sorted(each for each in KNOWN_PARAMETERS if len(each) > 7)), st.integers(0, 100)
)
def test_a_letter_less_is_a_misspelling(known: str, at: int) -> None:
    """Of every longer parameter, the name without any one of its letters is noticed."""
    at %= len(known)
    assert meant_parameter(known[:at] + known[at + 1 :], KNOWN_PARAMETERS) is not None
