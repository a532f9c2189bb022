"""Read the page of the matrix as a parser of HTML does."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any, Final


class Read(HTMLParser):
    """What a parser of HTML sees: the elements, whether each is closed in turn, and the text of blocks."""

    VOID: Final = frozenset({"meta", "link", "input", "br", "wbr", "img", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: dict[str, str] = {}
        """The text of each style and script, by its id or name."""
        self.comments: list[str] = []
        self.strays: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        self.strays += [name for name, _ in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            self.strays.append(tag)
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] in {"script", "style"}:
            tag, attributes = self._open[-1]
            name = attributes.get("id") or tag
            self.blocks[name] = self.blocks.get(name, "") + data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def policy(self) -> str:
        (policy,) = [
            a["content"]
            for _, a in self.elements
            if a.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy
        return policy


def data_of(text: str) -> dict[str, Any]:
    """Return the data that a page carries."""
    data: dict[str, Any] = json.loads(Read(text).blocks["data"])
    return data
