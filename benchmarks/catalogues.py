"""Catalogues to measure on: the bundled one, a large real one out of LiteLLM, and made-up ones of any size."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from benchmarks.questions import FOUR_BUNDLED, FOUR_LITELLM, SEED, check
from benchmarks.rows import BUNDLED, DRAWN, LITELLM
from benchmarks.scale import Scale
from benchmarks.timing import Place
from router import Catalogue, Model
from router.models._vocabulary import read_packaged

Entry = dict[str, Any]

_FIRST: Final = datetime(2023, 1, 1, tzinfo=UTC)
_DAYS: Final = 1_400
_FLIPPED: Final = 0.01
LIMITS: Final = range(1_000, 2_000_000)
"""The context windows of models that are drawn."""

_NO_ID: Final = re.compile(r"[^A-Za-z0-9._:@/-]")
_DATE: Final = re.compile(r"(20\d\d)-?([01]\d)-?([0-3]\d)")
_RENAMED: Final = {
    "vision": "image_input",
    "response_schema": "structured_outputs",
    "reasoning": "thinking",
}


@frozen
class Subject:
    """A catalogue to measure on, the entries that it was read from, and a question of four terms for it."""

    name: str
    entries: list[Entry] = field(repr=False)
    catalogue: Catalogue
    question: str

    @property
    def place(self) -> Place:
        """What a row says of the catalogue."""
        return Place(self.name, f"{len(self.catalogue):,}")


def subjects(scale: Scale) -> list[Subject]:
    """Return the bundled catalogue and a large one; without LiteLLM a full run has no large one."""
    large = drawn(scale.drawn, scale.held) if scale.is_quick else litellm(scale.held)
    return [bundled(scale.held), *([large] if large else [])]


@cache
def bundled(held: int) -> Subject:
    """Return the catalogue that comes with the library, so many of its answers held to brute force."""
    return _held(Subject(BUNDLED, bundled_entries(), Catalogue.bundled(), FOUR_BUNDLED), held)


@cache
def drawn(count: int, held: int) -> Subject:
    """Return a catalogue of so many models drawn from the bundled ones, held to brute force."""
    entries = drawn_entries(count)
    return _held(Subject(DRAWN, entries, Catalogue.from_listing(entries), FOUR_BUNDLED), held)


@cache
def litellm(held: int) -> Subject | None:
    """Return a catalogue of LiteLLM's models, held to brute force; `None` if LiteLLM is not installed."""
    entries = litellm_entries()
    return (
        _held(Subject(LITELLM, entries, Catalogue.from_listing(entries), FOUR_LITELLM), held)
        if entries
        else None
    )


def _held(subject: Subject, held: int) -> Subject:
    check(subject.catalogue, held)
    return subject


@cache
def bundled_entries() -> list[Entry]:
    """Return the entries that come with the library."""
    entries: list[Entry] = json.loads(read_packaged("bundled.json"))["data"]
    return entries


def drawn_entries(count: int) -> list[Entry]:
    """Return so many entries drawn from the bundled ones, the same each time."""
    chance = random.Random(SEED)
    texts = [json.dumps(entry) for entry in bundled_entries()]
    entries = []
    for number in range(count):
        entry = json.loads(chance.choice(texts))
        for node in (entry.get("capabilities") or {}).values():
            if chance.random() < _FLIPPED:
                node["supported"] = not node.get("supported")
        created_at = f"{_drawn_date(number):%Y-%m-%dT%H:%M:%SZ}"
        entries.append(
            entry
            | {
                "id": f"m{number}",
                "created_at": created_at,
                "max_input_tokens": _drawn_limit(chance),
            }
        )
    return entries


def drawn_catalogue(count: int) -> Catalogue:
    """Return a catalogue of so many models drawn from the bundled ones, made without reading an entry each."""
    chance = random.Random(SEED)
    origin = Catalogue.bundled()
    models: list[Model] = []
    for number in range(count):
        model = chance.choice(origin.models)
        flipped = {
            name: not value for name, value in model.facts.items() if chance.random() < _FLIPPED
        }
        own = {
            "id": f"m{number}",
            "created_at": _drawn_date(number),
            "max_input_tokens": _drawn_limit(chance),
        }
        values = {
            name: value for name, value in model.comparable.items() if name != "aliases"
        } | own
        facts = {**model.facts, **flipped} if flipped else model.facts
        models.append(evolve(model, id=f"m{number}", facts=facts, comparable=values))
    return Catalogue(models, names=origin.names)


def _drawn_date(number: int) -> datetime:
    return _FIRST + timedelta(minutes=number)


def _drawn_limit(chance: random.Random) -> int:
    return chance.choice(LIMITS)


def flattened(catalogue: Catalogue) -> list[Entry]:
    """Return an entry a model, newest first, that states every capability as one flag; unknown becomes `False`.

    So each alternative can answer with plain booleans, and so does the library.
    """
    names = sorted({name for model in catalogue for name in model.facts})
    return [
        {
            "type": "model",
            "id": model.id,
            "created_at": f"{model.created_at:%Y-%m-%dT%H:%M:%SZ}" if model.created_at else None,
            "max_input_tokens": model.max_input_tokens,
            "lifecycle": "active",
            "capabilities": {
                name.replace(".", "_"): {"supported": model.facts.get(name, False)}
                for name in names
            },
        }
        for model in catalogue
    ]


@cache
def litellm_prices() -> dict[str, Entry]:
    """Return the table of models that LiteLLM publishes in its package; empty if it is not installed."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    table = Path(spec.origin).with_name("model_prices_and_context_window_backup.json")
    models: dict[str, Entry] = json.loads(table.read_text(encoding="utf-8"))
    return {name: model for name, model in models.items() if name != "sample_spec"}


@cache
def litellm_entries(provider: str | None = None) -> list[Entry]:
    """Return LiteLLM's models in the API's shape, those of one provider or all.

    Every flag found in the file is stated of every model, as the API states each capability; a flag
    that is absent is unsupported. Dates are those in the ids, or drawn with a seed where an id has none.
    """
    models = litellm_prices()
    flags = sorted(
        {
            key
            for model in models.values()
            for key, value in model.items()
            if isinstance(value, bool)
        }
    )
    chance = random.Random(SEED)
    entries = {}
    for name, model in models.items():
        id = _NO_ID.sub("-", name).lstrip("._:@/-")[:256]
        created_at = _dated(name) or _FIRST + timedelta(days=chance.randrange(_DAYS))
        if provider in {None, model.get("litellm_provider")}:
            entries[id] = _converted(id, model, flags, created_at)
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
        return (
            datetime.fromisoformat(f"{match[1]}-{match[2]}-{match[3]}T00:00:00Z") if match else None
        )
    except ValueError:
        return None
