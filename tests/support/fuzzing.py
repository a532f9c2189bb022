"""Coverage-guided fuzzing of foreign bytes: `python tests/support/fuzzing.py page|cache [libFuzzer options]`.

Only typed errors may come out; whatever is read must hold what is promised of a catalogue.
"""

import json
import logging
import os
import sys
import tempfile
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["router"]):
    from router import Catalogue, RouterError
    from router.models._entries import read_listing
    from router.models._vocabulary import read_packaged
    from router.refresh._disk_cache import Store, _sealed
    from router.refresh._listing import read_page
    from router.refresh._sources import restore_catalogue

SOURCE = type("Source", (), {"documented": "packaged"})()
STORE = Store(tempfile.mkdtemp(), "fuzzed")
logging.getLogger("router").setLevel(logging.CRITICAL)  # not the matter here


def check(catalogue: Catalogue) -> None:
    """Hold the catalogue to what is promised of every answer."""
    ids = [model.id for model in catalogue]
    assert len(set(ids)) == len(ids)
    assert len(catalogue.digest) == 64
    best = catalogue.select("true", default=None)
    assert best is None or best is catalogue.candidates("true")[0]
    assert str(catalogue.explain("pdf_input and max_input_tokens >= 1k"))
    for model in catalogue:
        assert model.support("pdf_input") in {True, False, None}
        assert model.max_tokens is None or model.max_tokens >= 1


def fuzz_page(data: bytes) -> None:
    """Read a page of the listing, and make a catalogue of what can be read of it."""
    with suppress(RouterError):
        models, _ = read_listing(read_page(data).data, {})
        check(Catalogue(models))


def fuzz_cache(data: bytes) -> None:
    """Read a file of the store: as it is, with a seal that vouches for it, and with good facts before it besides."""
    facts = json.dumps(
        {"fetched_at": len(data), "validators": {"etag": data[:8].decode("latin-1")}}
    ).encode()
    for content in (data, _sealed(data), _sealed(facts + b"\n" + data)):
        with open(os.open(STORE.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        stored = STORE.read()
        if stored is not None:
            with suppress(RouterError):
                check(
                    restore_catalogue(stored.entries, stored.fetched_at, stored.validators, SOURCE)
                )


def corpus() -> str:
    """Return a directory of what is as it should be, for a fuzzer to begin with."""
    directory = tempfile.mkdtemp()
    for number, entry in enumerate(json.loads(read_packaged("bundled.json"))["data"][::8]):
        page = {"data": [entry], "has_more": False, "first_id": entry["id"], "last_id": entry["id"]}
        for name, content in (("page", page), ("entries", [entry])):
            with open(os.path.join(directory, f"{name}-{number}"), "w", encoding="utf-8") as file:
                json.dump(content, file)
    return directory


if __name__ == "__main__":
    target = {"page": fuzz_page, "cache": fuzz_cache}[sys.argv.pop(1)]
    atheris.Setup([*sys.argv, corpus()], target)
    atheris.Fuzz()
