"""Listings, real and made up, that the SDK and we read of the same server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from canary import KEY
from fake_api import Entry, FakeAPI, entries, plain_transport
from locations import DATA

from router.catalogue._catalogue import Catalogue
from router.refresh._deadline import Deadline
from router.refresh._sources import AnthropicSource

CAPTURES = json.loads((DATA / "captures.json").read_text())
Stage = Literal["active", "deprecated", "retired"]
STAGES: tuple[Stage, ...] = ("active", "deprecated", "retired")


def captured() -> Iterator[Entry]:
    """Return every entry that others recorded from the real API."""
    nodes: list[Any] = [CAPTURES]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict) and "id" in node:
            yield node
        elif isinstance(node, (dict, list)):
            nodes.extend(node.values() if isinstance(node, dict) else node)


def distinct(listed: Iterator[Entry]) -> list[Entry]:
    """Return one entry of each id, the last."""
    return list({entry["id"]: entry for entry in listed}.values())


LISTINGS: dict[str, list[Entry]] = {
    "bundled": [dict(model.entry) for model in Catalogue.bundled()],
    "captured": distinct(captured()),
    "made-up": entries(45),
}


def ours(api: FakeAPI, stages: tuple[Stage, ...] = STAGES, **arguments: Any) -> Catalogue:
    """Return what our source reads of that server."""
    source = AnthropicSource(
        api_key=KEY,
        base_url=api.url,
        environ={},
        lifecycle=stages,
        page_size=7,
        transport=plain_transport(),
        **arguments,
    )
    return source.fetch(Deadline(10))
