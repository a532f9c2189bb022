"""Two models that each rule of a policy can tell apart."""

from __future__ import annotations

from strategies import Entry, catalogue_of

from router import Policy

ONE: Entry = {
    "id": "claude-one",
    "created_at": "2026-06-01T00:00:00Z",
    "line": "opus",
    "price": {"output": 5},
    "max_input_tokens": 200_000,
    "capabilities": {"pdf_input": {"supported": True}, "citations": {"supported": True}},
}
TWO: Entry = {
    **ONE,
    "id": "claude-two",
    "created_at": "2026-11-01T00:00:00Z",
    "line": "haiku",
    "price": {"output": 25},
    "max_input_tokens": 1_000_000,
    "capabilities": {"pdf_input": {"supported": True}, "citations": {"supported": False}},
}
BOTH = catalogue_of([ONE, TWO])
EITHER = Policy(require="citations", alternatives=["pdf_input"])
