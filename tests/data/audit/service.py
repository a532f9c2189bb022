"""A client with its models pinned."""

import os

MODEL = os.environ.get("MODEL", "claude-3-opus-20240229")
FAST = 'claude-3-5-haiku-latest'
LONG = "claude-sonnet-4-5[1m]"
CURRENT = ["claude-opus-5-5", "claude-haiku-4-5"]
ROUTED = "anthropic/claude-opus-4-1"  # as a gateway spells it
MESSAGE = f"use claude-2.1, not {MODEL}.\nclaude-2.0 is gone"
LISTING = "ids:\nclaude-1.3\tclaude-instant-1.2"
PINNED = "claude-2.1"  # router: ignore
STILL_TOLD = "claude-2.1"  # router: ignored by nobody

# Near misses: none of these is an id.
FAMILY = "claude-3-opus"
NEXT = "claude-opus-4-1-preview"
OWN = "my-claude-opus-4-1"
LONGER = "claude-opus-4-1x"
OTHER_DAY = "claude-opus-4-1-20250806"
PATCH = "claude-2.1.5"
TEMPLATE = "claude-opus-4-1-" + "20250805"
UPPER = "CLAUDE-2.1 Claude-2.1"
WORD = "_claude-2.1 claude-2.1_beta xclaude-2.1"
FILE = "fixtures/claude-2.1.json"
PREFIX = "claude-opus-4"
