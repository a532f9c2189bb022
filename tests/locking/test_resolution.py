"""Resolution: what policies resolve to, and how little a later one changes."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from locations import DATA
from locks import (
    LATER,
    MODEL,
    NEWER,
    OCTOBER,
    POLICIES,
    READS_PDF,
    catalogues,
    golden,
    live,
    locked,
    named_policies,
    of_october,
    resolved,
    texts,
)
from sizes import examples
from strategies import NOW, Entry, listings

from router import (
    Catalogue,
    ConfigurationError,
    Lock,
    Outdated,
    Policy,
    check_lock,
    outdated,
    resolve,
)
from router.requirements._expression import Requirement


def serves(model_id: str, policy: Policy, catalogue: Catalogue, now: datetime) -> bool:
    """Return whether a model meets a policy and its default filters, by their definition."""
    model = catalogue[model_id]

    def meets(requirement: Requirement) -> bool:
        aged = policy.minimum_age is None or policy.minimum_age.matches(model, now=now)
        fields = requirement.fields | (
            policy.minimum_age.fields if policy.minimum_age is not None else frozenset()
        )
        filters = catalogue.default_filters(fields)
        return (
            aged
            and requirement.matches(model, now=now)
            and all(catalogue.passes(each, model) for each in filters)
        )

    return any(map(meets, (policy.require, *policy.alternatives)))


@given(resolved())
def test_locking_is_idempotent(made: tuple[dict[str, Policy], Catalogue, Lock]) -> None:
    """What was locked just now stays the very same, upgraded or not, and nothing is wrong with it."""
    asked, catalogue, lock = made
    assert resolve(asked, catalogue, lock, now=NOW).lock is lock
    assert resolve(asked, catalogue, lock, upgrade=asked, now=NOW).lock is lock
    assert check_lock(lock, asked, catalogue, now=NOW) == ()
    assert outdated(lock, asked, catalogue, now=NOW) == ()


@given(named_policies, listings(), st.randoms(use_true_random=False))
def test_no_order_of_a_listing_changes_a_byte(
    asked: dict[str, Policy], listing: list[Entry], order: random.Random
) -> None:
    """Any permutation of the catalogue, and of the policies, gives the same text."""
    shuffled, names = order.sample(listing, len(listing)), order.sample(list(asked), len(asked))
    one = resolve(asked, live(*listing), now=NOW)
    other = resolve({name: asked[name] for name in names}, live(*shuffled), now=NOW)
    assert one.lock.to_toml() == other.lock.to_toml()
    assert one.unmet.keys() == other.unmet.keys()


@settings(max_examples=examples(200))
@given(resolved(), catalogues(), named_policies, st.sampled_from([0, 60]))
def test_what_holds_stays_and_what_moves_meets_its_policy(
    made: tuple[dict[str, Policy], Catalogue, Lock],
    catalogue: Catalogue,
    more: dict[str, Policy],
    within: int,
) -> None:
    """On another day: an entry stays, to the byte, just where nothing is wrong with it; after that nothing is."""
    asked, _, old = made
    asked = {**more, **{name: each for name, each in asked.items() if name != "beta"}}
    wrong = {each.policy for each in check_lock(old, asked, catalogue, within=within, now=NOW)}
    found = resolve(asked, catalogue, old, within=within, now=NOW)

    assert found.unmet.keys() <= wrong
    if found.unmet:
        return
    assert check_lock(found.lock, asked, catalogue, within=within, now=NOW) == ()
    assert found.lock.policies.keys() == asked.keys()
    for name, entry in found.lock.policies.items():
        if name in wrong:
            assert serves(entry.model_id, asked[name], catalogue, NOW)
        else:
            assert entry is old.policies[name]


@settings(max_examples=examples(200))
@given(resolved(), catalogues())
def test_an_upgrade_meets_the_policy(
    made: tuple[dict[str, Policy], Catalogue, Lock], catalogue: Catalogue
) -> None:
    """`--upgrade` moves to the first of the chain that does not retire soon, or nowhere."""
    asked, _, old = made
    found = resolve(asked, catalogue, old, upgrade=asked, now=NOW)
    for name, entry in found.lock.policies.items():
        if old.is_ahead_of(catalogue) and entry is old.policies[name]:
            continue  # what is older upgrades nothing
        chain = [model.id for model in catalogue.candidates(asked[name], now=NOW)]
        assert serves(entry.model_id, asked[name], catalogue, NOW)
        assert entry.model_id in chain
        if "retires_in" not in str([*asked[name].tiers]) and "retires_at" not in str(
            [*asked[name].tiers]
        ):
            soon = [
                id
                for id in chain[: chain.index(entry.model_id)]
                if catalogue[id].retires_at is None
                or catalogue[id].retires_at >= NOW + timedelta(days=60)  # type: ignore[operator]
            ]
            assert soon == []


def test_who_retires_soon_is_not_locked() -> None:
    """The next of the chain is locked, else the policy cannot be met; `within` says how soon, and a check agrees."""
    soon = {**NEWER, "retires_at": "2026-12-24T00:00:00Z"}
    assert (
        locked(READS_PDF, live(soon, MODEL), now=NOW).policies["reports"].model_id == "claude-one"
    )
    assert (
        locked(READS_PDF, live(soon, MODEL), within=30, now=NOW).policies["reports"].model_id
        == "claude-two"
    )
    found = resolve(READS_PDF, live(soon), now=NOW)
    assert found.unmet["reports"].model is None
    assert "retires_in >= 60d (retires_at is 2026-12-24)" in str(found.unmet["reports"])


def test_what_a_newer_catalogue_has_shown_is_not_forgotten() -> None:
    """A policy that is added with an older catalogue leaves the lock as new as the entries that it keeps."""
    lock = locked(READS_PDF, live(NEWER), now=NOW)
    more = {**READS_PDF, "quotes": Policy(require="citations")}
    found = resolve(
        more, live(MODEL, as_of=NOW - timedelta(days=9), source="bundled"), lock, now=NOW
    )
    assert {name: each.model_id for name, each in found.lock.policies.items()} == {
        "reports": "claude-two",
        "quotes": "claude-one",
    }
    assert (found.lock.source, found.lock.as_of, found.lock.digest) == (
        lock.source,
        lock.as_of,
        lock.digest,
    )


def test_a_policy_that_changed_is_locked_anew() -> None:
    """Every part that decides counts, a name or a spelling does not."""
    lock = locked({"reports": Policy(require="pdf_input and citations")}, live(MODEL), now=NOW)
    same = Policy(require="citations and pdf_input", minimum_age=None, name="reports")
    assert check_lock(lock, {"reports": same}, live(MODEL), now=NOW) == ()
    for other in (
        evolve(same, require="pdf_input"),
        evolve(same, prefer=["line == opus"]),
        evolve(same, alternatives=["pdf_input"]),
        evolve(same, minimum_age="1d"),
        evolve(same, order="cheapest"),
    ):
        assert texts(check_lock(lock, {"reports": other}, live(MODEL), now=NOW)) == [
            "reports: has changed since it was locked"
        ]
        assert locked({"reports": other}, live(MODEL), old=lock, now=NOW).policies[
            "reports"
        ].policy == evolve(other, name="reports")


def test_policies_come_and_go() -> None:
    """What is not locked, and what is locked for nothing, is a problem until it is locked anew."""
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    other = {"quotes": Policy(require="citations")}
    assert texts(check_lock(lock, other, live(MODEL), now=NOW)) == [
        "quotes: is not locked",
        "reports: is locked, but there is no such policy",
    ]
    assert texts(check_lock(None, other, live(MODEL), now=NOW)) == ["quotes: is not locked"]
    assert locked(other, live(MODEL), old=lock, now=NOW).policies.keys() == {"quotes"}


def test_an_upgrade_is_of_the_policies_named() -> None:
    """Without an upgrade a newer model moves nothing; with one, it moves what was named, and says why."""
    both = {**READS_PDF, "quotes": Policy(require="citations")}
    lock = locked(both, live(MODEL), now=NOW)
    older = {**MODEL, "id": "claude-zero", "created_at": "2026-01-01T00:00:00Z"}
    assert resolve(both, live(MODEL, older, as_of=LATER), lock, upgrade=both, now=NOW).lock is lock
    newer = live(NEWER, MODEL, as_of=LATER)
    assert resolve(both, newer, lock, now=NOW).lock is lock
    found = resolve(both, newer, lock, upgrade=["quotes"], now=NOW)
    assert found.lock.policies["reports"] is lock.policies["reports"]
    assert found.lock.policies["quotes"].model_id == "claude-two"
    assert found.lock.as_of == LATER
    assert [(each.policy, each.cause) for each in found.changes] == [
        ("quotes", "upgraded"),
        ("reports", ""),
    ]
    assert resolve(both, live(MODEL), found.lock, upgrade=both, now=LATER).lock is found.lock


def test_a_name_that_nobody_knows_is_told_with_its_policy() -> None:
    """A policy that means nothing is named."""
    with pytest.raises(ConfigurationError, match=r"^policy reports: unknown name 'pdf_imput'"):
        resolve({"reports": Policy(require="pdf_imput")}, live(MODEL))


def test_outdated_tells_what_the_newest_brings() -> None:
    """Against the locked model: what it supports besides, what it does not or may not, and each limit that differs."""
    old = {**MODEL, "max_input_tokens": 200_000, "max_tokens": 64_000}
    new = {
        **NEWER,
        "max_input_tokens": 1_000_000,
        "max_tokens": 32_000,
        "capabilities": {
            "pdf_input": {"supported": True},
            "nova": {"supported": True},
            "effort": {"supported": False},
        },
    }
    lock = locked(READS_PDF, live(old), now=NOW)
    (found,) = outdated(lock, READS_PDF, live(old, new), now=NOW)
    assert (found.policy, found.locked_id, found.newest and found.newest.id) == (
        "reports",
        "claude-one",
        "claude-two",
    )
    assert found.adds == ("nova", "max_input_tokens 200k to 1M")
    assert found.lacks == ("citations (unknown)", "max_tokens 64k to 32k")
    (gone,) = outdated(lock, READS_PDF, live(new), now=NOW)
    assert (gone.locked_id, gone.newest, gone.adds, gone.lacks) == (
        "claude-one",
        live(new)["claude-two"],
        (),
        (),
    )
    (none,) = outdated(None, READS_PDF, live(), now=NOW)
    assert (none.locked_id, none.newest) == (None, None)


def test_a_lock_of_october_moves_no_more_than_it_must() -> None:
    """Locked anew, the entry that holds is as it was to the byte, and the others are the file that was written then."""
    asked = {name: each for name, each in POLICIES.items() if name != "legacy"}
    found = resolve(asked, of_october(), Lock.read(DATA / "locks" / "july.lock"), now=OCTOBER)
    entry = golden("july.lock").partition("[policies.agents]")[2].partition("[policies.")[0]
    assert f"[policies.agents]{entry}" in found.lock.to_toml()
    assert found.lock.to_toml() == golden("october.lock")


def test_outdated_reads_as_a_sentence() -> None:
    """It says which model a policy is locked to, and which it would be."""
    model = live(MODEL).models[0]

    assert (
        str(Outdated("a", "old", model, (), ())) == "a is locked to old; the newest is claude-one"
    )
    assert str(Outdated("a", None, None, (), ())) == "a is not locked; the newest is no model"
