"""Catalogues to measure on: the bundled one, a real large one out of another package, and made-up larger ones."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attrs import evolve

from router import Catalogue, Model
from router.vocabulary import packaged

Entry = dict[str, Any]

_SEED = 20_261_122
_FIRST = datetime(2023, 1, 1, tzinfo=UTC)
_DAYS = 1_400
_FLIPPED = 0.01
_NO_ID = re.compile(r"[^A-Za-z0-9._:@/-]")
_DATE = re.compile(r"(20\d\d)-?([01]\d)-?([0-3]\d)")
_RENAMED = {"vision": "image_input", "response_schema": "structured_outputs", "reasoning": "thinking"}


@cache
def bundled_entries() -> list[Entry]:
    """Return the entries that come with the library."""
    entries: list[Entry] = json.loads(packaged("bundled.json"))["data"]
    return entries


@cache
def litellm_prices() -> dict[str, Entry] | None:
    """Return the table of models that LiteLLM publishes in its package; `None` where that is not installed."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return None
    table = Path(spec.origin).with_name("model_prices_and_context_window_backup.json")
    models: dict[str, Entry] = json.loads(table.read_text(encoding="utf-8"))
    return {name: model for name, model in models.items() if name != "sample_spec"}


@cache
def litellm_entries(provider: str | None = None) -> list[Entry]:
    """Return LiteLLM's models in the API's shape, those of one provider or all.

    Every flag found in the file is stated of every model, as the API states each capability; a flag
    that is absent is unsupported. Dates are those in the ids, else made up with a seed: it has none.
    """
    models = litellm_prices() or {}
    flags = sorted({key for model in models.values() for key, value in model.items() if isinstance(value, bool)})
    chance = random.Random(_SEED)
    entries = {}
    for name, model in models.items():
        id = _NO_ID.sub("-", name).lstrip("._:@/-")[:256]
        entry = _converted(id, model, flags, _dated(name) or _FIRST + timedelta(days=chance.randrange(_DAYS)))
        if provider in {None, model.get("litellm_provider")}:
            entries[id] = entry
    return list(entries.values())


def _converted(id: str, model: Entry, flags: list[str], created_at: datetime) -> Entry:
    names = (flag.removeprefix("supports_") for flag in flags)
    return {
        "type": "model",
        "id": id,
        "display_name": id,
        "created_at": f"{created_at:%Y-%m-%dT%H:%M:%SZ}",
        "max_input_tokens": model.get("max_input_tokens"),
        "max_tokens": model.get("max_output_tokens"),
        "lifecycle": "active",
        "line": model.get("litellm_provider"),
        "capabilities": {
            _RENAMED.get(name, name): {"supported": bool(model.get(flag))}
            for name, flag in zip(names, flags, strict=True)
        },
    }


def _dated(name: str) -> datetime | None:
    match = _DATE.search(name)
    try:
        return datetime.fromisoformat(f"{match[1]}-{match[2]}-{match[3]}T00:00:00Z") if match else None
    except ValueError:
        return None


def bootstrapped(catalogue: Catalogue, size: int) -> Catalogue:
    """Return a catalogue of so many models drawn with a seed from those of another, one fact in a hundred flipped."""
    chance = random.Random(_SEED)
    models: list[Model] = []
    for number in range(size):
        drawn = chance.choice(catalogue.models)
        created_at = _FIRST + timedelta(minutes=number)
        flipped = {name: not value for name, value in drawn.facts.items() if chance.random() < _FLIPPED}
        models.append(
            evolve(
                drawn,
                id=f"m{number}",
                facts={**drawn.facts, **flipped} if flipped else drawn.facts,
                values={**drawn.values, "id": f"m{number}", "created_at": created_at},
            )
        )
    return Catalogue(models, names=catalogue.names)
