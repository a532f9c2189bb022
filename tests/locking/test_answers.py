"""Routers with a lock: each row of what a lock means to a running application, and what it costs."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from fake_source import FakeClock, FakeSource, eventually
from small_catalogues import ids
from strategies import NAMES, NOW, Entry

from router import (
    Catalogue,
    CatalogueDiff,
    CatalogueUnavailableError,
    ConfigurationError,
    Impact,
    Lock,
    LockError,
    Model,
    NoModelError,
    Policy,
    Reason,
    RequirementError,
    Router,
)
from router.locking._answers import LockedModels
from router.locking._checking import broken_by
from router.locking._resolution import resolve
from router.refresh._disk_cache import Store, Stored

LATER = NOW + timedelta(days=1)
POLICIES = {
    "reports": Policy(require="pdf_input", minimum_age="1d"),
    "quotes": Policy(require="citations"),
}
MODEL: Entry = {
    "id": "claude-one",
    "created_at": "2020-06-01T00:00:00Z",
    "lifecycle": "active",
    "max_input_tokens": 200_000,
    "max_tokens": 64_000,
    "capabilities": {"pdf_input": {"supported": True}, "citations": {"supported": True}},
}
NEWER: Entry = {**MODEL, "id": "claude-two", "created_at": "2020-11-01T00:00:00Z"}
DEPRECATED: Entry = {**MODEL, "lifecycle": "deprecated"}
LESS: Entry = {**MODEL, "capabilities": {"citations": {"supported": True}}}


def live(*entries: Entry, as_of: datetime = LATER, source: str = "live") -> Catalogue:
    """Return a catalogue as the API gave it that day."""
    return Catalogue.from_listing(entries, source=source, as_of=as_of, documented=None).with_names(
        NAMES
    )


OLD = live(MODEL, as_of=NOW)
LOCK = resolve(POLICIES, OLD, now=NOW).lock


def router_of(*catalogues: Catalogue, lock: Any = LOCK, **arguments: Any) -> Router:
    """Return a router with a lock that gets these catalogues, one a refresh."""
    return Router(
        FakeSource(*catalogues), policies=POLICIES, lock=lock, cache_dir=False, **arguments
    )


Select = Callable[[Router], str]
WAYS: dict[str, Select] = {
    "select": lambda router: router.select("reports").id,
    "select by value": lambda router: router.select(POLICIES["reports"]).id,
    "select with default": lambda router: router.select("reports", default=OLD.models[0]).id,
    "selector": lambda router: router.selector("reports")().id,
    "explain": lambda router: _id(router.explain("reports").model),
    "run": lambda router: router.run("reports", lambda model: model.id).value,
    "route": lambda router: router.route({"max_tokens": 1}, "reports").model.id,
    "run_request": lambda router: (
        router.run_request({"max_tokens": 1}, lambda **request: request["model"], "reports").value
    ),
}
"""Every way to the model of a policy."""


def _model_of(**request: Any) -> str:
    model: str = request["model"]
    return model


def _id(model: Model | None) -> str:
    assert model is not None
    return model.id


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "catalogue",
    [
        live(NEWER, MODEL),
        live(NEWER, DEPRECATED),
        live(NEWER, {**MODEL, "access": "limited"}),
        live(NEWER, {**MODEL, "retires_at": "2026-11-01T00:00:00Z"}),
        live(NEWER, LESS, source="bundled"),
        live(NEWER, LESS, as_of=NOW),
    ],
    ids=["newer", "deprecated", "limited", "overdue", "bundled", "not newer"],
)
def test_a_locked_model_is_the_answer_while_the_lock_holds(way: str, catalogue: Catalogue) -> None:
    """A newer model moves nobody, and neither a deprecation nor access nor an older catalogue stops anybody."""
    assert WAYS[way](router_of(catalogue)) == "claude-one"
    assert (
        WAYS[way](Router(FakeSource(catalogue), policies=POLICIES, cache_dir=False)) == "claude-two"
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("catalogue", "changed"),
    [
        (live(NEWER), "it is gone"),
        (live(NEWER, {**MODEL, "lifecycle": "retired"}), "it is retired"),
        (live(NEWER, LESS), "it does not meet pdf_input (unknown)"),
        (live(NEWER, LESS, source="disk"), "it does not meet pdf_input (unknown)"),
    ],
    ids=["gone", "retired", "unfit", "disk"],
)
def test_a_lock_that_does_not_hold_is_an_error(
    way: str, catalogue: Catalogue, changed: str
) -> None:
    """It says which policy, which model, what changed and what to do; no default stands for that."""
    with pytest.raises(LockError) as caught:
        WAYS[way](router_of(catalogue))
    error = caught.value
    assert (error.policy, error.model_id) == ("reports", "claude-one")
    assert error.changed.startswith(f"{changed}, by the {catalogue.source} catalogue of 2026-11-23")
    assert str(error) == (
        f"the policy reports is locked to claude-one, and the lock does not hold: {error.changed}; "
        "run `router lock` to resolve it again"
    )
    assert isinstance(error, LookupError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - pickled on this very line


@pytest.mark.parametrize("way", WAYS)
def test_an_application_may_move_on_and_is_told(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """With `newest` the answer is that without a lock, with one warning however often and long it is asked for."""
    router = router_of(
        live(NEWER), live(NEWER, LESS, as_of=LATER + timedelta(days=1)), on_lock_broken="newest"
    )
    with caplog.at_level(logging.WARNING, "router"):
        assert [WAYS[way](router) for _ in range(3)] == ["claude-two"] * 3
        router.refresh()
        assert WAYS[way](router) == "claude-two"
    assert len(caplog.messages) == 1
    assert "is locked to claude-one, and the lock does not hold: it is gone" in caplog.messages[0]
    assert "using the newest model that meets it" in caplog.messages[0]
    assert router.explain("reports").notes[0].startswith("not the locked model: ")
    assert router.explain("reports").reason is Reason.NEWEST


def test_where_nothing_is_left_to_move_on_to() -> None:
    """A policy that nothing meets is that error, as without a lock."""
    router = router_of(live(LESS), on_lock_broken="newest")
    with pytest.raises(NoModelError):
        router.select("reports")
    assert router.select("reports", default=None) is None


@pytest.mark.parametrize(
    ("policies", "changed"),
    [
        (
            {"new": Policy(require="pdf_input")},
            "the policy new is not in the lock; run `router lock` to resolve it again",
        ),
        (
            {"reports": Policy(require="citations")},
            "is locked to claude-one, and the lock does not hold: the policy",
        ),
    ],
)
def test_a_policy_that_is_not_locked_as_it_is(policies: dict[str, Policy], changed: str) -> None:
    """What the lock does not say, or says of another requirement, is an error, or moved on from."""
    (name,) = policies
    source = FakeSource(live(NEWER, MODEL))
    with pytest.raises(LockError, match=changed):
        Router(source, policies=policies, lock=LOCK, cache_dir=False).select(name)
    router = Router(source, policies=policies, lock=LOCK, cache_dir=False, on_lock_broken="newest")
    assert router.select(name).id == "claude-two"


def test_only_policies_are_locked() -> None:
    """A requirement, and a policy that is not the router's, answer as without a lock."""
    router = router_of(live(NEWER, MODEL))
    assert router.select("pdf_input").id == "claude-two"
    assert router.select(evolve(POLICIES["reports"])).id == "claude-two"
    assert router.explain("pdf_input").reason is Reason.NEWEST
    assert [model.id for model in router.candidates("reports")] == ["claude-two", "claude-one"]
    with pytest.raises(RequirementError, match="a policy cannot be combined with keywords"):
        router.select("reports", pdf_input=True)


def test_what_the_lock_has_said_is_not_said_again() -> None:
    """A note that still stands as it did when the policy was locked is there once."""
    policies = {"preferred": Policy(require="pdf_input", prefer=["id == claude-one"])}
    lock = resolve(policies, live(NEWER, MODEL)).lock
    why = lock.policies["preferred"].why

    router = Router(FakeSource(live(NEWER, MODEL)), policies=policies, lock=lock, cache_dir=False)

    assert router.explain("preferred").notes == (f"when it was locked: {why}",)
    assert why == "preferred to the newer claude-two for id == claude-one"


def test_the_reason_is_the_lock() -> None:
    """An explanation names the lock, what was said when it was made, and the chain that a run follows."""
    decision = router_of(live(NEWER, DEPRECATED)).explain("reports")
    assert decision.reason is Reason.LOCKED
    assert ids(decision.candidates) == ["claude-one", "claude-two"]
    assert decision.notes == (
        "when it was locked: the only candidate",
        "without the lock it would be claude-two",
    )
    candidates = router_of(live(NEWER, MODEL)).explain("reports").candidates
    assert ids(candidates) == ["claude-one", "claude-two"]
    assert router_of(live(MODEL)).explain("reports").notes == (
        "when it was locked: the only candidate",
    )
    assert str(decision).splitlines()[:2] == [
        "claude-one: locked for age >= 1d and pdf_input",
        "then claude-two",
    ]


def test_a_model_that_only_the_lock_knows(caplog: pytest.LogCaptureFixture) -> None:
    """Where an older catalogue does not list it the id is the answer, and it is told that nothing else is known."""
    router = router_of(live(NEWER, source="bundled"))
    with caplog.at_level(logging.WARNING, "router"):
        model = router.select("reports")
        assert router.select("reports") is model
    assert (model.id, model.max_tokens, model.support("pdf_input")) == ("claude-one", None, None)
    assert caplog.messages == [
        "claude-one is not listed by the bundled catalogue, which cannot end the lock: nothing but its id is known"
    ]
    decision = router.explain("reports")
    assert (decision.model, decision.notes[0]) == (model, caplog.messages[0])
    assert router.run("reports", lambda model: model.id).value == "claude-one"
    assert router.route({"max_tokens": 1}, "reports").model == model


def test_a_run_begins_with_the_locked_model_and_falls_back() -> None:
    """The chain behind the locked model is that of the policy."""
    called: list[str] = []

    class OverloadedError(Exception):
        status_code = 529

    def call(model: Model) -> str:
        called.append(model.id)
        if len(called) == 1:
            raise OverloadedError
        return model.id

    third = {**MODEL, "id": "claude-three", "created_at": "2020-11-02T00:00:00Z"}
    router = router_of(live(NEWER, MODEL, third))
    assert router.run("reports", call).value == "claude-three"
    assert called == ["claude-one", "claude-three"]


def test_a_request_that_the_locked_model_cannot_serve(caplog: pytest.LogCaptureFixture) -> None:
    """It goes to the next that can, and that is told; where the request may be changed, the locked model keeps it."""
    router = router_of(live({**NEWER, "max_tokens": 128_000}, MODEL))
    request = {"max_tokens": 100_000}
    routed = router.route(request, "reports")
    told = "claude-one, to which the policy reports is locked, cannot serve the request"
    assert routed.model.id == "claude-two"
    assert routed.decision.notes[0] == told
    assert caplog.messages == [told]
    changed = router.route(request, "reports", "downgrade")
    assert (changed.model.id, changed.request["max_tokens"], changed.decision.reason) == (
        "claude-one",
        64_000,
        Reason.LOCKED,
    )


class Counted(dict[str, Policy]):
    """Policies that count how often one is looked for."""

    looked = 0

    def __contains__(self, name: object) -> bool:
        self.looked += 1
        return super().__contains__(name)


def test_a_lock_is_looked_up_once_a_catalogue() -> None:
    """A selector asks again after a refresh only, though the policy has an age; and it follows what that brings."""
    source = FakeSource(live(NEWER, MODEL), live(NEWER, as_of=LATER + timedelta(days=1)))
    policies = Counted(POLICIES)
    router = Router(source, policies=policies, lock=LOCK, cache_dir=False)
    pick = router.selector("reports")
    first, before = pick(), policies.looked
    assert pick() is first
    assert policies.looked == before
    router.refresh()
    with pytest.raises(LockError):
        pick()
    assert policies.looked > before


def test_a_check_tells_once(caplog: pytest.LogCaptureFixture) -> None:
    """The lines of a check are the errors and the warnings of each policy, which its use does not log again."""
    catalogue = live(NEWER, source="bundled")
    edited = {**POLICIES, "quotes": Policy(require="true"), "new": Policy()}
    locked = LockedModels(LOCK, lambda: edited, "newest")

    assert locked.check(edited, None) == (
        [],
        [
            (
                "the lock: policies.quotes: locked to claude-one, but the policy has changed since; "
                "run `router lock` to resolve it again"
            ),
            "the lock: policies.new: is not in the lock; run `router lock` to resolve it again",
        ],
    )
    errors, warnings = locked.check(edited, catalogue)
    assert (errors, len(warnings)) == ([], 3)
    assert warnings[0].startswith("the lock: policies.reports: claude-one is not listed by the")
    locked.mark_logged()
    for name in edited:
        assert locked.held(name, catalogue) is not None
    assert caplog.records == []
    errors, warnings = LockedModels(LOCK, lambda: edited, "error").check(edited, catalogue)
    assert (len(errors), len(warnings)) == (2, 1)


def test_a_check_whose_lines_are_not_logged_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """If another mistake stops the check, the lock is still reported when it is used."""
    catalogue = live(NEWER, source="bundled")
    locked = LockedModels(LOCK, lambda: POLICIES, "newest")

    assert locked.check(POLICIES, catalogue)[1]
    locked.held("reports", catalogue)

    assert len(caplog.records) == 1


def test_files(tmp_path: Path) -> None:
    """Policies and lock are read from their files at the first question, not before; and nothing looks for one."""
    router = Router(
        FakeSource(live(NEWER, MODEL)),
        policies=tmp_path / "router.toml",
        lock=str(tmp_path / "router.lock"),
        cache_dir=False,
    )
    (tmp_path / "router.toml").write_text(
        "[policies.quotes]\nrequire = 'citations'\n", encoding="utf-8"
    )
    with pytest.raises(ConfigurationError, match=r"router\.lock: cannot be read"):
        router.select("quotes")
    (tmp_path / "router.lock").write_text(LOCK.to_toml(), encoding="utf-8")
    assert router.select("quotes").id == "claude-one"
    unlocked = Router(
        FakeSource(live(NEWER, MODEL)), policies=tmp_path / "router.toml", cache_dir=False
    )
    assert unlocked.select("quotes").id == "claude-two"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"lock": LOCK}, "lock= needs policies="),
        ({"lock": 5, "policies": POLICIES}, "lock must be a Lock, or the file of one"),
        ({"on_lock_broken": "newset"}, 'on_lock_broken must be "error" or "newest"'),
    ],
)
def test_a_lock_that_cannot_be_used(arguments: dict[str, Any], problem: str) -> None:
    """What means nothing is refused when the router is made."""
    with pytest.raises(ConfigurationError, match=problem):
        Router(FakeSource(OLD), cache_dir=False, **arguments)


def breaks_on_deprecation(catalogue: Catalogue) -> bool:
    """Whether a naive lock that wants its model among the candidates would be broken."""
    return LOCK.policies["reports"].model_id not in {
        model.id for model in catalogue.candidates(POLICIES["reports"])
    }


def follows_the_newest(catalogue: Catalogue) -> bool:
    """Whether a naive lock that wants the same answer as today would be broken."""
    return catalogue.select(POLICIES["reports"]).id != LOCK.policies["reports"].model_id


@pytest.mark.parametrize(
    ("naive", "catalogue"),
    [(breaks_on_deprecation, live(NEWER, DEPRECATED)), (follows_the_newest, live(NEWER, MODEL))],
)
def test_the_twins_of_a_lock_stop_an_application(
    naive: Callable[[Catalogue], bool], catalogue: Catalogue
) -> None:
    """Twins: what is simpler would be broken by a deprecation, or by a newer model; the lock is by neither."""
    assert naive(catalogue)
    assert broken_by(LOCK.policies["reports"], LOCK, catalogue) is None


# What a new catalogue changes


def told_of(*catalogues: Catalogue, **arguments: Any) -> list[CatalogueDiff]:
    """Return what the hook is told as a router gets these catalogues."""
    told: list[CatalogueDiff] = []
    router = Router(
        FakeSource(*catalogues),
        cache_dir=False,
        on_refresh=lambda _old, _new, diff: told.append(diff),
        **{"policies": POLICIES, **arguments},
    )
    for at in range(len(catalogues)):
        router.refresh()
        assert eventually(lambda at=at: len(told) > at)  # type: ignore[misc]
    return told


def test_the_hook_is_told_which_policies_change() -> None:
    """Of the first catalogue there is nothing to tell; then each policy whose answer is another, with both ids."""
    first, second = told_of(
        live(MODEL), live(MODEL, {**NEWER, "capabilities": {"citations": {"supported": True}}})
    )
    assert first.impact == ()
    assert second.impact == (Impact("quotes", "claude-one", "claude-two"),)


def test_the_impact_is_on_what_is_locked() -> None:
    """A lock that holds is not changed by a newer model; one that is broken has no answer, or the newest."""
    catalogues = live(MODEL), live(NEWER, LESS)
    assert told_of(live(MODEL), live(NEWER, MODEL), lock=LOCK)[1].impact == ()
    assert told_of(*catalogues, lock=LOCK)[1].impact == (Impact("reports", "claude-one", None),)
    assert told_of(*catalogues, lock=LOCK, on_lock_broken="newest")[1].impact == (
        Impact("reports", "claude-one", "claude-two"),
    )


def test_a_policy_that_fails_does_not_hide_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A policy that nobody can answer has no impact, and the hook is called; so where their file cannot be read."""
    odd = {"odd": Policy(require="pdf_imput"), "quotes": Policy(require="citations")}
    assert told_of(live(MODEL), live(NEWER), policies=odd)[1].impact == (
        Impact("quotes", "claude-one", "claude-two"),
    )
    assert told_of(live(MODEL), live(NEWER), policies=tmp_path / "none.toml")[1].impact == ()
    assert caplog.messages == []


# Without the network


class Remote(FakeSource):
    """A source on a network, that keeps what it fetched under a name."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(catalogue, remote=True, identity="0" * 64)


def test_a_frozen_router_serves_the_bundled_catalogue() -> None:
    """With nothing on disk it is the bundled catalogue, held for good; the source is never asked."""
    source, clock = Remote(live(NEWER)), FakeClock()
    router = Router(source, frozen=True, cache_dir=False, clock=clock)
    catalogue = router.catalogue
    assert (catalogue.source, router.status().stale, router.status().next_refresh) == (
        "bundled",
        True,
        None,
    )
    clock.now += 10**9
    assert router.catalogue is catalogue
    assert router.select() is router.selector()()
    assert source.fetches == 0


def test_a_frozen_router_serves_the_disk(tmp_path: Path) -> None:
    """What is kept on disk answers, however old it is, unless `strict` says how old it may be."""
    source, clock = Remote(live(NEWER)), FakeClock()
    store = Store.of("0" * 64, tmp_path)
    assert store is not None
    store.write(Stored([MODEL], NOW.timestamp(), {}))

    def frozen(**arguments: Any) -> Router:
        wall = (NOW + timedelta(days=30)).timestamp
        return Router(source, frozen=True, cache_dir=tmp_path, clock=clock, wall=wall, **arguments)

    router = frozen()
    assert (router.select().id, router.catalogue.source, router.status().stale) == (
        "claude-one",
        "disk",
        True,
    )
    clock.now += 10**9
    assert (router.select().id, router.status().next_refresh) == ("claude-one", None)
    with pytest.raises(
        CatalogueUnavailableError, match="nothing is kept on disk, and the router is frozen"
    ):
        frozen(strict=True).select()
    assert source.fetches == 0


def test_a_frozen_router_refuses_to_refresh() -> None:
    """Who asks for a refresh is told why there is none, and what is held stays."""
    source = Remote(live(NEWER))
    router = Router(source, frozen=True, cache_dir=False)
    with pytest.raises(
        CatalogueUnavailableError, match="the router is frozen: it does not refresh"
    ):
        router.refresh()
    assert router.catalogue.source == "bundled"
    assert source.fetches == 0


async def enter(router: Router) -> None:
    """Wait for the first catalogue, then ask for another."""
    async with router:
        await router.arefresh()


def test_a_frozen_router_waits_for_nothing() -> None:
    """The async door is shut as well."""
    import asyncio

    source = Remote(live(NEWER))
    with pytest.raises(CatalogueUnavailableError, match="frozen"):
        asyncio.run(enter(Router(source, frozen=True, cache_dir=False)))
    assert source.fetches == 0


def test_a_source_that_is_here_is_not_frozen() -> None:
    """A file or a static catalogue is no network: it is read, and read again."""
    source = FakeSource(OLD, live(NEWER), remote=False)
    router = Router(source, frozen=True)
    assert router.select().id == "claude-one"
    assert router.refresh().select().id == "claude-two"
    assert source.fetches == 2


def test_a_lock_is_read_where_it_is_named(tmp_path: Path) -> None:
    """`Lock.read` is what a router does with a path."""
    path = tmp_path / "router.lock"
    path.write_text(LOCK.to_toml(), encoding="utf-8")
    assert router_of(live(NEWER, MODEL), lock=Lock.read(path)).select("reports").id == "claude-one"
