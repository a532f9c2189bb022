"""The examples of a page of the documentation: its fenced blocks, and its programs with what they print."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from itertools import pairwise
from typing import Any


def fenced(text: str) -> list[tuple[str, str]]:
    """Return the language and the text of each fenced block of a page."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def programs(text: str) -> list[tuple[str, str]]:
    """Return each Python example of a page with the text block that follows it, which is what it prints."""
    blocks = [*fenced(text), ("", "")]
    return [
        (code, following if kind == "text" else "")
        for (language, code), (kind, following) in pairwise(blocks)
        if language == "python"
    ]


def run_program(code: str, name: str, variables: dict[str, Any]) -> str:
    """Run a program with these variables, and return what it prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, name, "exec"), variables)  # noqa: S102 - our own examples
    return printed.getvalue()
