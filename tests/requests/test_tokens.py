"""How many input tokens a Messages request has: counted, or estimated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from anthropic import Anthropic, omit
from anthropic.types import Base64PDFSource, DocumentBlock
from request_corpus import said

from router import ConfigurationError, require, requirement_of


@pytest.mark.parametrize(
    "count",
    [
        7,
        len,
        lambda request: SimpleNamespace(input_tokens=len(request)),
        lambda *, max_tokens, system="": SimpleNamespace(input_tokens=max_tokens + len(system)),
    ],
    ids=["number", "function", "answer", "keywords"],
)
def test_tokens_are_counted(count: Any) -> None:
    """The input is as large as a number says, or a function of the request or of parameters of it."""
    request = dict.fromkeys(map(str, range(6))) | {"max_tokens": 7}

    assert "max_input_tokens >= 7" in requirement_of(request, input_tokens=count).places


def test_the_sdk_counts() -> None:
    """`client.messages.count_tokens` is given what it takes of a request."""
    sent = []

    class Client(Anthropic):
        def post(self, path: str, *, body: Any = None, **_: Any) -> Any:
            sent.append((path, {name: each for name, each in body.items() if each is not omit}))
            return SimpleNamespace(input_tokens=300_000)

    request = {
        "model": "claude-opus-5",
        "max_tokens": 8,
        "messages": [],
        "speed": "fast",
        "metadata": {},
    }
    with Client(api_key="k") as client:
        requirement = requirement_of(request, input_tokens=client.messages.count_tokens)

    assert requirement.places["max_input_tokens >= 300k"] == ("input_tokens",)
    assert sent == [
        ("/v1/messages/count_tokens", {"messages": [], "model": "claude-opus-5", "speed": "fast"})
    ]


@pytest.mark.parametrize("tokens", [-1, True, "many", 1.5, lambda _: "7", 10**30])
def test_tokens_that_are_none(tokens: Any) -> None:
    """What is no number of tokens is an error."""
    with pytest.raises(ConfigurationError, match="input_tokens must be"):
        requirement_of({}, input_tokens=tokens)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("It was a dark and stormy night; " * 1000, 8_000, 14_000),
        ("暗い嵐の夜" * 1000, 5_000, 7_000),
    ],
)
def test_the_estimate(text: str, least: int, most: int) -> None:
    """An estimate says that it is one, and errs on the side of more, wherever the text stands."""
    for request in (
        {"system": text},
        {"messages": [{"role": "user", "content": text}]},
        said({"type": "tool_result", "content": [{"type": "text", "text": text}]}),
        said({"type": "document", "source": {"type": "text", "data": text}}),
        {"tools": [{"input_schema": {"properties": {"a": {"description": text}}}}]},
    ):
        requirement = requirement_of(request, input_tokens="estimate")
        assert requirement.is_estimated
        assert requirement.input_tokens is not None
        assert least < requirement.input_tokens < most
        assert requirement == require(min_input_tokens=requirement.input_tokens)


def test_the_estimate_leaves_out_what_is_no_text() -> None:
    """The data of images and documents count for nothing."""
    data = "A" * 10**6
    source = Base64PDFSource(type="base64", media_type="application/pdf", data=data)
    for block in (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
        DocumentBlock(type="document", source=source),
    ):
        assert (requirement_of(said(block), input_tokens="estimate").input_tokens or 0) < 100


def test_a_counter_whose_parameter_the_request_lacks() -> None:
    """A function that needs what the request does not have is refused, with the way out."""

    def count(*, tools: list[object]) -> int:
        return len(tools)

    with pytest.raises(
        ConfigurationError, match=r"tools.*functools\.partial\(count_tokens, tools="
    ):
        requirement_of({"messages": []}, input_tokens=count)


def test_a_counter_that_is_asynchronous() -> None:
    """A coroutine is closed, and refused: its number can be awaited and given."""

    async def count(request: dict[str, object]) -> int:
        return len(request)

    counting: Any = count
    with pytest.raises(ConfigurationError, match=r"^input_tokens is asynchronous: await it"):
        requirement_of({"messages": []}, input_tokens=counting)
