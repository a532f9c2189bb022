"""A page, whatever becomes of its bytes on the way: the last good catalogue stays, or another comes that is whole."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from random import Random
from typing import Final

import pytest
from canary import KEY
from fake_api import Canned, Entry, entries, list_models
from fake_source import FakeClock
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sizes import examples

from router import AnthropicSource, Catalogue, CatalogueError, CatalogueUnavailableError, Router
from router.catalogue._decision import catalogue_of
from router.refresh._assembly import fetch_catalogue
from router.refresh._listing import Reply, walk

MODELS: Final = 20


def short(entry: Entry) -> Entry:
    """Return an entry with one field of each kind."""
    tree = {name: entry["capabilities"][name] for name in ("pdf_input", "effort")}
    kept = ("id", "created_at", "max_input_tokens", "max_tokens", "lifecycle")
    return {**{name: entry[name] for name in kept}, "capabilities": tree}


LISTING: Final = [short(entry) for entry in entries(MODELS)]
PAGE: Final = json.dumps(list_models(LISTING, [])[1], separators=(",", ":")).encode()
WHOLE: Final = Catalogue.from_listing(LISTING).digest
BITS: Final = Random().choices(range(8), k=len(PAGE))  # noqa: S311 - any bit will do
NEEDS: Final = ("true", "effort >= high", "max_input_tokens >= 200_010")

Reading = Callable[[bytes], Catalogue]


def loaded(body: bytes) -> Catalogue:
    """Make a catalogue of a page as a refresh does, without a network: walk, check, read."""
    return fetch_catalogue(walk, lambda *_: Reply(body), None, "packaged", time.time)


def holds(catalogue: Catalogue) -> None:
    """Hold a catalogue to what is promised of each: whole, in order, and no fact but of its own kind."""
    ids = [model.id for model in catalogue]
    assert len(set(ids)) == len(ids)
    assert len(ids) + len(catalogue.quarantined) <= MODELS
    assert 10 * len(catalogue.quarantined) <= MODELS
    dates = [model.created_at for model in catalogue if model.created_at]
    assert dates == sorted(dates, reverse=True)
    assert all(date.tzinfo is UTC for date in dates)
    for model in catalogue:
        assert all(isinstance(fact, bool) for fact in model.facts.values())
        assert {type(model.max_tokens), type(model.max_input_tokens)} <= {int, type(None)}
        assert min(model.max_tokens or 1, model.max_input_tokens or 1) >= 1
    for need in NEEDS:
        best = catalogue.select(need, default=None)
        assert best is None or (best.id in ids and catalogue.supports(best.id, need))


def outcome(read: Reading, body: bytes) -> str:
    """Say how reading a body ended; anything but an error of ours, or a catalogue that holds, is raised."""
    try:
        catalogue = read(body)
    except (CatalogueError, CatalogueUnavailableError):
        return "failed"
    if catalogue.digest == WHOLE:
        return "whole"
    holds(catalogue)
    return "changed"


def flipped(at: int, bit: int) -> bytes:
    """Return the page with one bit of one byte the other way round."""
    return PAGE[:at] + bytes([PAGE[at] ^ 1 << bit]) + PAGE[at + 1 :]


def naive(body: bytes) -> Catalogue:
    """Read a page as who thinks of no faults: the twin of the loader that must fail."""
    return Catalogue.from_listing(
        {**entry, "id": str(entry["id"])} for entry in json.loads(body)["data"]
    )


def raised(read: Reading, bodies: Iterable[bytes]) -> set[type]:
    """Return the kinds of errors, other than ours, that reading these bodies raises."""
    kinds: set[type] = set()
    for body in bodies:
        try:
            outcome(read, body)
        except Exception as error:  # noqa: BLE001 - what is asked for
            kinds.add(type(error))
    return kinds


def test_cut_anywhere() -> None:
    """P10: a page that ends too early, wherever that is, is no page."""
    assert outcome(loaded, PAGE) == "whole"
    assert {outcome(loaded, PAGE[:at]) for at in range(len(PAGE))} == {"failed"}


def test_flipped_anywhere() -> None:
    """P10: with one bit flipped, in any byte, a page fails or is a catalogue that holds; most of both happens."""
    outcomes = [outcome(loaded, flipped(at, bit)) for at, bit in enumerate(BITS)]

    assert outcomes.count("failed") > 100
    assert outcomes.count("changed") > 100


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_every_bit_flipped() -> None:
    """P10: the same, for every bit of every byte."""
    outcomes = [outcome(loaded, flipped(at, bit)) for at in range(len(PAGE)) for bit in range(8)]

    assert len(outcomes) == 8 * len(PAGE)
    assert {"failed", "changed"} <= set(outcomes)


@pytest.mark.parametrize(
    "bodies",
    [
        [PAGE[:at] for at in range(0, len(PAGE), 20)],
        [flipped(at, BITS[at]) for at in range(0, len(PAGE), 20)],
    ],
    ids=["cut", "flipped"],
)
def test_naive_reading_raises_others(bodies: list[bytes]) -> None:
    """The twin that must fail: reading without care lets errors out that are not ours."""
    assert raised(naive, bodies)
    assert raised(loaded, bodies) == set()


def spoilt() -> Iterator[bytes]:
    """Yield a sample of cut and flipped pages."""
    yield from (PAGE[:at] for at in range(0, len(PAGE), len(PAGE) // 60))
    yield from (flipped(at, BITS[at]) for at in range(0, len(PAGE), len(PAGE) // 120))


def test_whole_router_on_spoilt_pages() -> None:
    """P10: a router that is sent such a page keeps the very catalogue it has, or holds a new one whole."""
    body: list[bytes] = [PAGE]
    source = AnthropicSource(api_key=KEY, environ={}, transport=Canned(body))
    clock = FakeClock()
    router = Router(source, cache_dir=False, clock=clock, sleep=clock.sleep)
    held = router.refresh()
    kept = 0
    for body[0] in spoilt():
        try:
            held = router.refresh()
        except CatalogueUnavailableError:
            kept += 1
        assert router.catalogue is held
        holds(router.catalogue)
        assert catalogue_of(router.explain("pdf_input")) is held
        assert router.select("true", default=None) in {*held, None}

    assert kept >= 60
    body[0] = PAGE
    assert router.refresh().digest == WHOLE


# Any payload

TOKENS: Final = [
    *(
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"true",
        b"false",
        b"NaN",
        b"1e400",
        b"-0",
        b"9" * 5000,
    ),
    *(
        b'"data"',
        b'"has_more"',
        b'"id"',
        b'"last_id"',
        b'"type":"error"',
        b'"error":{}',
        b"\\ud800",
        b"\\u0000",
    ),
    *(
        b"\xff",
        b"\xef\xbb\xbf",
        b"\x00",
        b"[" * 3000,
        b'"capabilities":[]',
        b'"created_at":"0000"',
        b'"supported":1',
    ),
    *(b"claude-fake-1", b"1970-01-01T00:00:00Z", b"9999-12-31T23:59:59+14:00", b"", b" "),
]
SMALL: Final = json.dumps(list_models(entries(2), [])[1]).encode()


def mutated(random: Random) -> bytes:
    """Return a real page of two models in which up to six stretches were dropped, doubled, turned or replaced."""
    body = SMALL
    for _ in range(random.randint(1, 6)):
        at, token = random.randrange(len(body) + 1), random.choice(TOKENS)
        end = min(len(body), at + random.choice((0, 1, 2, 5, 20, 100)))
        cut = body[at:end]
        body = (
            body[:at] + random.choice((b"", cut + cut, cut[::-1], token, cut + token)) + body[end:]
        )
    return body


def payloads(seed: int) -> list[bytes]:
    """Return a hundred payloads."""
    random = Random(seed)  # noqa: S311 - mutations, not secrets
    return [
        *(mutated(random) for _ in range(95)),
        *(random.randbytes(random.randrange(40)) for _ in range(5)),
    ]


SEEDS: Final = st.integers(0, 2**64)
OFTEN: Final = settings(
    max_examples=examples(200), phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


@settings(OFTEN)
@given(seed=SEEDS)
def test_any_payload(seed: int) -> None:
    """P8, P11: 20,000 times, whatever comes as a page is a catalogue that holds, or one of our errors."""
    assert {outcome(loaded, body) for body in payloads(seed)} >= {"failed"}


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(OFTEN, max_examples=10_000)
@given(seed=SEEDS)
def test_any_payload_for_long(seed: int) -> None:
    """P8, P11: the same, a million times."""
    assert {outcome(loaded, body) for body in payloads(seed)} >= {"failed"}


def test_naive_reading_of_payloads_raises_others() -> None:
    """The twin that must fail: of a few hundred such payloads many raise errors that are not ours when read naively."""
    bodies = [body for seed in range(3) for body in payloads(seed)]

    assert len(raised(naive, bodies)) >= 3
