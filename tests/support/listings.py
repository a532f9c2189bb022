"""A listing of four models that differ in what is known of them, and a hostile one."""

import json
from pathlib import Path
from typing import Any, Final


def tree(**facts: bool | None) -> dict[str, Any]:
    """Return a capability tree in the API's shape of facts named `effort__max`; `None` leaves a bare node."""
    top: dict[str, Any] = {}
    for name, supported in facts.items():
        node = top
        for key in name.split("__"):
            node = node.setdefault(key, {})
        if supported is not None:
            node["supported"] = supported
    return top


LISTING: Final[list[dict[str, Any]]] = [
    {
        "type": "model",
        "id": "claude-small-2",
        "display_name": "Claude Small 2",
        "created_at": "2026-10-07T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "lifecycle": "active",
        "line": "small",
        "deprecated_at": None,
        "retires_at": None,
        "price": {"input": 1, "output": 5},
        "capabilities": tree(
            pdf_input=True, effort=True, effort__high=True, effort__max=False, citations=None
        ),
    },
    {
        "type": "model",
        "id": "claude-large-2",
        "display_name": "Claude Large 2",
        "created_at": "2026-09-21T00:00:00Z",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
        "lifecycle": "active",
        "line": "large",
        "deprecated_at": None,
        "retires_at": "2030-01-31T00:00:00Z",
        "price": {"input": 4.5, "output": 20},
        "allowed_fallback_models": ["claude-large-1"],
        "capabilities": tree(
            pdf_input=True,
            effort=True,
            effort__high=True,
            effort__max=True,
            thinking__adaptive=True,
        ),
    },
    {
        "type": "model",
        "id": "claude-large-1",
        "display_name": "Claude Large 1",
        "created_at": "2026-01-05T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 32_000,
        "lifecycle": "deprecated",
        "line": "large",
        "capabilities": tree(
            pdf_input=True, effort=True, effort__high=True, effort__low=True, thinking__enabled=True
        ),
    },
    {"type": "model", "id": "claude-first", "display_name": "Claude First", "capabilities": None},
]
"""In the order in which a listing ranks them."""

EVIL: Final = "\x1b[45m\x1b]0;owned\x07\r\n\x00\u202e\x85\u2028\ud800[red]x[/red][/]"
HOSTILE: Final[list[dict[str, Any]]] = [
    {
        "id": "claude-evil-1",
        "display_name": f"Evil {EVIL}",
        "created_at": "2026-01-01T00:00:00Z",
        "line": f"line {EVIL}",
        "lifecycle": "active",
        "aliases": ["claude-evil-7\x1b[45m\u202e"],
        "replacement": EVIL,
        "allowed_fallback_models": [EVIL, "claude-b"],
        "weight": EVIL,
        "capabilities": {
            "pdf_input": {"supported": True},
            f"seen{EVIL}": {"supported": False},
            "footnotes_and_references\x1b[45m\u202e": {"supported": True},
            f"citations{EVIL}": {f"deep{EVIL}": {"supported": True}},
        },
    },
]
HOSTILE_FIELD: Final = [HOSTILE[0] | {f"odd\r\x1b[45m{EVIL}": "x", "nested": {f"odd{EVIL}": 1}}]
"""Names and values that a terminal or a parser of markup would act on."""


def saved(where: Path, entries: object, name: str = "listing.json") -> str:
    """Save a listing in the API's shape, and return its path."""
    path = where / name
    path.write_text(json.dumps({"data": entries, "has_more": False}), encoding="utf-8")
    return str(path)
