"""Listings for the matrix and its page: a plain one, and one whose texts try to break out of the page."""

from __future__ import annotations

from typing import Any, Final

MARKS: Final[dict[bool | None, str]] = {True: "✓", False: "✗", None: "?"}

LISTING: Final[list[dict[str, Any]]] = [
    {
        "id": "claude-new",
        "display_name": "Claude New",
        "created_at": "2026-10-07T00:00:00Z",
        "lifecycle": "active",
        "access": "limited",
        "line": "small",
        "max_input_tokens": 200_000,
        "capabilities": {
            "pdf_input": {"supported": True},
            "effort": {"supported": True, "max": {"supported": False}},
        },
    },
    {
        "id": "claude-old",
        "created_at": "2025-10-07T00:00:00Z",
        "lifecycle": "retired",
        "capabilities": {
            "holograms": {"supported": True, "types": {"moving": {"supported": None}}}
        },
    },
]

HOSTILE: Final[list[dict[str, Any]]] = [
    {
        "id": "claude-evil",
        "display_name": "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\u2028\u202e\ud800",
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": 'active"><b>&lt;',
        "line": '</title><svg onload=alert(1)> and \\ "quoted" {{data}}',
        "max_input_tokens": 2**53 + 1,
        "max_tokens": 10**40,
        "capabilities": {
            name: {"supported": True}
            for name in (
                *("<b>bold</b>", "--><!--", "a b", "and", "true", "not x", "line", "types"),
                *("", ".", "x\n", "モデル", "--", "{{script}}"),
            )
        },
    },
    {
        "id": "claude-near",
        "line": "small",
        "max_input_tokens": 2**53,
        "lifecycle": 3,
        "price": {"output": 0.1},
    },
    {
        "id": "claude-bare",
        "line": None,
        "max_input_tokens": None,
        "max_tokens": 0,
        "price": {"output": True},
    },
    {
        "id": "claude-free",
        "line": "in",
        "max_tokens": 1,
        "price": {"output": 0},
        "capabilities": {"pdf_input": {}},
    },
]
