"""The JSON Schemas of the command: each file is complete, with a copy of the definitions that it uses.

`python tests/support/schemas.py` writes these copies anew from `common.schema.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[2] / "docs" / "schemas"
COMMON: Final = FOLDER / "common.schema.json"
OWN: Final = {
    path.name.removesuffix(".schema.json").replace("-", " "): path
    for path in sorted(FOLDER.glob("*.schema.json"))
    if path != COMMON
}
"""The file of each command, by the name of the command."""

_PREFIX: Final = "#/$defs/"


def load(path: Path) -> dict[str, Any]:
    """Return the schema in a file."""
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def completed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with the common definitions that it uses, and no other."""
    common = load(COMMON)["$defs"]
    own = {name: value for name, value in schema.items() if name != "$defs"}
    used: set[str] = set()
    left = [*references(own)]
    while left:
        name = left.pop()
        if name not in used:
            used.add(name)
            left += references(common[name])
    return own | {"$defs": {name: common[name] for name in sorted(used)}}


def references(schema: Any) -> Iterator[str]:
    """Yield the name of each definition that a part of a schema refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].removeprefix(_PREFIX)
        for each in schema.values():
            yield from references(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from references(each)


def text_of(schema: dict[str, Any]) -> str:
    """Return the content of the file of a schema."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    for path in OWN.values():
        path.write_text(text_of(completed(load(path))), encoding="utf-8")
