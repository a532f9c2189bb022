"""At start: one error lists every mistake, and what a bad day causes is one warning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve
from fake_api import entries
from fake_source import FakeClock, FakeSource, Gate, at_most, eventually, gate
from locks import MODEL, NEWER, live
from strategies import NOW

from router import (
    BundledSource,
    Catalogue,
    CatalogueUnavailableError,
    ConfigurationError,
    FileSource,
    LockError,
    Policy,
    Router,
    UnknownNameError,
)
from router._named_policies import NamedPolicies
from router._startup_check import StartupCheck
from router.locking._resolution import resolve
from router.refresh._loader import Loader

LATER = NOW + timedelta(days=1)
POLICIES = {"reports": Policy(require="pdf_input"), "quotes": Policy(require="citations")}
LOCK = resolve(POLICIES, live(MODEL), now=NOW).lock
UNKNOWN = {"reports": Policy(require="pdf_imput"), "quotes": Policy(prefer=["nova.deep"])}
DOWN = CatalogueUnavailableError("down")
FIRST = Catalogue.from_listing(entries(6), source="live")
NOVA = Catalogue.from_listing(
    [{"id": "a", "capabilities": {"nova": {"deep": {"supported": True}}}}], source="live"
)
"""A catalogue of the API that knows a name which the bundled one lacks."""


def router_of(*outcomes: Any, **arguments: Any) -> Router:
    """Return a router whose source ends like this."""
    return Router(FakeSource(*outcomes), cache_dir=False, **arguments)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the check has logged."""
    return [record.getMessage() for record in caplog.records if record.name == "router"]


def by_check(router: Router) -> None:
    """Begin with a call."""
    router.check()


def by_with(router: Router) -> None:
    """Begin with a block."""
    with router as same:
        assert same is router


async def _ready(router: Router) -> None:
    await router.ready()


async def _in_block(router: Router) -> None:
    async with router as same:
        assert same is router


Start = Callable[[Router], None]
STARTS: dict[str, Start] = {
    "check": by_check,
    "with": by_with,
    "ready, asyncio": lambda router: asyncio.run(_ready(router)),
    "ready, trio": lambda router: trio.run(_ready, router),
    "async with, asyncio": lambda router: asyncio.run(_in_block(router)),
    "async with, trio": lambda router: trio.run(_in_block, router),
}
starts = pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)


@pytest.fixture
def shut() -> Iterator[Gate]:
    """A gate that is shut."""
    with gate() as shut:
        yield shut


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Policies and a lock with mistakes of every kind, as arguments of a router."""
    policies, lock = tmp_path / "router.toml", tmp_path / "router.lock"
    policies.write_text(
        """
[policies.reports]
require = "pdf_imput and citatons"
ordr = "cheapest"
[policies.bulk]
require = "structured_outputs and"
[policies.new]
require = "pdf_input"
[policies.quotes]
require = "citations and pdf_input"
""",
        encoding="utf-8",
    )
    lock.write_text(LOCK.to_toml(), encoding="utf-8")
    return {"policies": policies, "lock": lock}


# Mistakes


@starts
def test_every_mistake_is_in_one_error(start: Start, files: dict[str, Any]) -> None:
    """Syntax, unknown keys and names, and locks that do not fit are told at once, each with its file and key."""
    policies, lock = files["policies"], files["lock"]

    with pytest.raises(ConfigurationError) as caught:
        start(router_of(live(MODEL), **files))
    assert caught.value.problems == (
        f"{policies}: policies.reports.ordr: unknown key; did you mean order?",
        (
            f"{policies}: policies.bulk.require: expected a name or an opening parenthesis, got the end\n"
            "  structured_outputs and\n"
            "                        ^"
        ),
        f"{policies}: policies.reports.require: unknown name 'citatons'; did you mean citations?",
        f"{policies}: policies.reports.require: unknown name 'pdf_imput'; did you mean pdf_input?",
        f"{lock}: policies.new: is not in the lock; run `router lock` to resolve it again",
        (
            f"{lock}: policies.quotes: locked to claude-one, but the policy has changed since; "
            "run `router lock` to resolve it again"
        ),
    )
    assert str(caught.value).startswith(f"6 problems in {policies} and {lock}:\n  {policies}: ")


@starts
@pytest.mark.parametrize(
    ("policies", "lock", "problem"),
    [
        (
            "[policies.a]\nrequire = 'pdf_imput'\n",
            None,
            "router.toml: policies.a.require: unknown name 'pdf_imput'; did you mean pdf_input?",
        ),
        ("[policies", None, "router.toml: not a valid TOML file: "),
        (None, None, "router.toml: cannot be read: No such file"),
        ("[policies.a]\nrequire = 'pdf_input'\n", "", "router.lock: version: is missing"),
        ("", "", "router.lock: version: is missing"),
    ],
)
def test_one_mistake_is_one_line(
    start: Start, policies: str | None, lock: str | None, problem: str, tmp_path: Path
) -> None:
    """A single problem is the whole message."""
    arguments = {"policies": tmp_path / "router.toml"}
    if policies is not None:
        arguments["policies"].write_text(policies, encoding="utf-8")
    if lock is not None:
        arguments["lock"] = tmp_path / "router.lock"
        arguments["lock"].write_text(lock, encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        start(router_of(FIRST, **arguments))
    assert str(caught.value).startswith(f"{tmp_path}/{problem}")
    assert "\n" not in str(caught.value)


def test_two_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Neither file hides the other."""
    with pytest.raises(ConfigurationError) as caught:
        router_of(FIRST, policies=tmp_path / "a.toml", lock=tmp_path / "b.lock").check()
    assert [each.rpartition(": ")[0] for each in caught.value.problems] == [
        f"{tmp_path}/a.toml: cannot be read",
        f"{tmp_path}/b.lock: cannot be read",
    ]


@starts
def test_policies_that_are_no_file(start: Start) -> None:
    """Policies of a mapping are told by their keys."""
    with pytest.raises(ConfigurationError) as caught:
        start(router_of(FIRST, policies=UNKNOWN))
    assert str(caught.value) == (
        "2 problems in the policies:\n"
        "  policies.reports.require: unknown name 'pdf_imput'; did you mean pdf_input?\n"
        "  policies.quotes.prefer[0]: unknown name 'nova.deep'; no model states it"
    )


def test_a_mended_file_is_read_again(tmp_path: Path) -> None:
    """A check that failed can be repeated, and one that passed has read the files."""
    path = tmp_path / "router.toml"
    router = Router(BundledSource(), policies=path)
    for text in ("[policies", "[policies.a]\nrequre = 'true'\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError):
            router.check()
    path.write_text("[policies.a]\nrequire = 'true'\n", encoding="utf-8")
    router.check()
    path.unlink()
    assert router.select("a") is router.select()


@starts
@pytest.mark.parametrize("broken", ["edited", "missing"])
def test_a_lock_that_does_not_fit_its_policies(
    start: Start, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is an error where its use would be one, and a warning with `on_lock_broken="newest"`."""
    held = {name: locked for name, locked in LOCK.policies.items() if name != "quotes"}
    if broken == "edited":
        other = evolve(LOCK.policies["quotes"], policy=Policy(require="true", name="quotes"))
        held["quotes"] = other
    arguments: dict[str, Any] = {"policies": POLICIES, "lock": evolve(LOCK, policies=held)}

    with pytest.raises(ConfigurationError, match=r"^the lock: policies\.quotes: "):
        start(router_of(live(MODEL), **arguments))
    router = router_of(live(NEWER, MODEL), on_lock_broken="newest", **arguments)
    start(router)
    (warning,) = warnings(caplog)
    assert warning.startswith("the lock: policies.quotes: ")
    assert router.select("quotes").id == "claude-two"
    assert len(caplog.records) == 1  # the first use repeats nothing


@pytest.mark.parametrize("source", ["live", "disk"])
def test_a_name_that_a_loaded_catalogue_lacks(source: str) -> None:
    """A catalogue of the API proves a name wrong, wherever it was kept."""
    known = Catalogue(NOVA.models, source=source)
    router_of(known, policies={"a": Policy(require="nova.deep")}).check()
    with pytest.raises(ConfigurationError, match=r"unknown name 'nova\.deeep'"):
        router_of(known, policies={"a": Policy(require="nova.deeep")}).check()


def test_a_name_that_the_source_itself_lacks(tmp_path: Path) -> None:
    """The bundled catalogue and a file prove a name wrong where they are the source."""
    path = tmp_path / "models.json"
    path.write_text('{"data": [{"id": "a"}], "has_more": false}', encoding="utf-8")
    for source in (BundledSource(), FileSource(path)):
        with pytest.raises(ConfigurationError, match="2 problems in the policies"):
            Router(source, policies=UNKNOWN).check()


# A bad day


@starts
@pytest.mark.parametrize(
    ("models", "changed"),
    [
        ((NEWER,), "it is gone"),
        (({**MODEL, "lifecycle": "retired"},), "it is retired"),
        ((NEWER, {**MODEL, "capabilities": {}}), "it does not meet "),
    ],
    ids=["gone", "retired", "unfit"],
)
def test_a_locked_model_that_has_ended_is_one_warning(
    start: Start, models: Any, changed: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A router starts on the day when its models end, and says so once; their use is an error as before."""
    router = router_of(live(*models, as_of=LATER), policies=POLICIES, lock=LOCK)

    start(router)
    (warning,) = warnings(caplog)
    assert warning.startswith(
        f"2 problems in the lock:\n  the lock: policies.reports: locked to claude-one, but {changed}"
    )
    with pytest.raises(LockError):
        router.select("reports")


@starts
def test_a_name_that_only_the_stand_in_lacks_is_one_warning(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """While the API is down, its new names cannot be told from wrong ones: the router starts."""
    router = router_of(DOWN, policies=UNKNOWN)

    start(router)
    (warning,) = warnings(caplog)
    assert warning.splitlines() == [
        "2 problems in the policies:",
        (
            "  policies.reports.require: unknown name 'pdf_imput'; did you mean pdf_input? "
            "(not in the bundled catalogue; checked again with the next one)"
        ),
        (
            "  policies.quotes.prefer[0]: unknown name 'nova.deep'; no model states it "
            "(not in the bundled catalogue; checked again with the next one)"
        ),
    ]
    with pytest.raises(UnknownNameError):
        router.select("reports")


def test_names_are_checked_again_when_a_catalogue_arrives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first catalogue after the stand-in decides: what it knows too is forgotten, the rest is told once."""
    router = router_of(DOWN, NOVA, FIRST, policies=UNKNOWN)
    router.check()
    caplog.clear()

    router.refresh()
    assert eventually(lambda: warnings(caplog) != [])
    assert warnings(caplog) == [
        (
            "policies.reports.require: unknown name 'pdf_imput'; did you mean pdf_input? "
            "(not in the live catalogue)"
        )
    ]
    router.refresh()
    assert len(warnings(caplog)) == 1


def test_in_an_event_loop_a_check_does_not_wait(
    shut: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """There `check` and `with` ask the stand-in, and the catalogue that arrives later is asked again."""
    router = router_of(shut.before(NOVA), policies=UNKNOWN)

    async def main() -> None:
        with at_most(1.0), router:
            pass

    asyncio.run(main())
    assert len(warnings(caplog)) == 1
    shut.open()
    assert eventually(lambda: len(warnings(caplog)) == 2)
    assert "(not in the live catalogue)" in warnings(caplog)[1]
    with pytest.raises(ConfigurationError, match="pdf_imput"):
        router.check()


class LateLoader(Loader):
    """A loader whose source answers just after the stand-in was asked for."""

    def catalogue(self) -> Catalogue:
        """Return the stand-in, and hold what the source has meanwhile."""
        stand_in = super().catalogue()
        self.refresh()
        return stand_in


def test_a_catalogue_that_arrives_during_the_check(caplog: pytest.LogCaptureFixture) -> None:
    """A catalogue that is loaded while the stand-in is asked is asked as well."""
    clock = FakeClock()
    check = StartupCheck(NamedPolicies(UNKNOWN, None, "error"))
    loader = LateLoader(
        FakeSource(DOWN, NOVA),
        ttl=60.0,
        max_stale=60.0,
        deadline=10.0,
        strict=False,
        open_store=lambda: None,
        clock=clock,
        wall=clock,
        sleep=clock.sleep,
        random=lambda: 0.0,
        on_load=check.check_again,
    )

    check.check(loader)
    assert sorted("(not in the live catalogue)" in each for each in warnings(caplog)) == [
        False,
        True,
    ]


@starts
def test_a_strict_router_without_a_catalogue(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """It starts, as far as its files are right; its names are checked when a catalogue arrives."""
    router = router_of(DOWN, FIRST, strict=True, policies=UNKNOWN, lock=None)
    start(router)
    assert warnings(caplog) == []
    router.refresh()
    assert eventually(lambda: len(warnings(caplog)) == 1)
    with pytest.raises(ConfigurationError, match=r"policies\.reports: locked to claude-one"):
        start(
            router_of(
                DOWN, strict=True, policies={"reports": Policy(require="citations")}, lock=LOCK
            )
        )


def test_a_file_of_models_that_is_not_there_yet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The bundled catalogue stands in for a file as it does for the API."""
    path = tmp_path / "models.json"
    router = Router(FileSource(path), policies=UNKNOWN)
    router.check()
    assert len(warnings(caplog)) == 1

    path.write_text('{"data": [{"id": "a"}], "has_more": false}', encoding="utf-8")
    router.refresh()
    assert "(not in the file catalogue)" in warnings(caplog)[1]


def test_a_frozen_router_without_a_catalogue(caplog: pytest.LogCaptureFixture) -> None:
    """A router that may not load anything starts with the stand-in."""
    router_of(FIRST, frozen=True, policies=UNKNOWN).check()
    assert len(warnings(caplog)) == 1


# What it costs


@starts
def test_a_router_in_order_says_nothing(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Without a problem nothing is logged, and the catalogue is loaded once: the first answer has it."""
    source = FakeSource(live(MODEL))
    router = Router(source, policies=POLICIES, lock=LOCK, cache_dir=False)

    start(router)
    start(router)
    assert router.select("reports").id == "claude-one"
    assert (source.fetches, caplog.records) == (1, [])


def test_without_policies_nothing_is_done() -> None:
    """A check, and `with`, of a router without policies load nothing."""
    source = FakeSource(FIRST)
    router = Router(source, cache_dir=False)

    router.check()
    with router:
        assert source.fetches == 0
    with Router(source, cache_dir=False, policies={}):
        assert source.fetches == 0


def test_files_are_read_once(tmp_path: Path) -> None:
    """What the check has read is what answers."""
    policies, lock = tmp_path / "router.toml", tmp_path / "router.lock"
    policies.write_text("[policies.reports]\nrequire = 'pdf_input'\n", encoding="utf-8")
    lock.write_text(LOCK.to_toml(), encoding="utf-8")

    with router_of(live(NEWER, MODEL), policies=policies, lock=lock) as router:
        policies.unlink()
        lock.unlink()
        assert router.select("reports").id == "claude-one"
        router.check()


@pytest.mark.parametrize(
    "run", [lambda main: asyncio.run(main()), trio.run], ids=["asyncio", "trio"]
)
def test_ready_waits(run: Any, shut: Gate) -> None:
    """`ready` waits for the first catalogue without blocking the loop, with policies and without."""
    routers = [
        router_of(shut.before(FIRST)),
        router_of(shut.before(FIRST), policies={"a": Policy()}),
    ]

    async def main() -> None:
        shut.open()
        for router in routers:
            await router.ready()
            assert router.catalogue is FIRST
            await router.ready()

    run(main)
