"""Locks: what policies resolve to, what is wrong with that later, and the file that says it."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from locations import DATA
from sizes import examples
from strategies import NAMES, NOW, Entry, listings, policies

from router import Catalogue, ConfigurationError, Lock, Locked, Policy
from router.locking._lockfile import ProblemKind, broken_by, check, listed, outdated, resolve
from router.requirements._expression import Requirement

JULY = datetime(2026, 7, 1, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 8, tzinfo=UTC)
SOURCES = ("live", "disk", "bundled", "file", "static")
DAYS = (None, NOW - timedelta(days=1), NOW)

MODEL: Entry = {
    "id": "claude-one",
    "created_at": "2026-06-01T00:00:00Z",
    "lifecycle": "active",
    "line": "opus",
    "capabilities": {"pdf_input": {"supported": True}, "citations": {"supported": True}},
}
NEWER: Entry = {**MODEL, "id": "claude-two", "created_at": "2026-11-01T00:00:00Z"}
READS_PDF = {"reports": Policy(require="pdf_input")}


def live(*entries: Entry, as_of: datetime | None = NOW, source: str = "live") -> Catalogue:
    """Return a catalogue as the API gave it that day."""
    return Catalogue.from_listing(entries, source=source, as_of=as_of, documented=None).knowing(
        NAMES
    )


def locked(policies: dict[str, Policy], catalogue: Catalogue, **arguments: Any) -> Lock:
    """Return the lock of policies that can all be met."""
    found = resolve(policies, catalogue, **arguments)
    assert not found.unmet
    return found.lock


def texts(problems: Sequence[object]) -> list[str]:
    """Return problems as they are printed."""
    return [str(each) for each in problems]


# Laws

named_policies = st.dictionaries(
    st.sampled_from(["alpha", "beta", "gamma"]), policies(), max_size=3
)


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Draw a catalogue of any source and day."""
    source, as_of = draw(st.sampled_from(SOURCES)), draw(st.sampled_from(DAYS))
    return live(*draw(listings()), as_of=as_of, source=source)


@st.composite
def resolved(draw: st.DrawFn) -> tuple[dict[str, Policy], Catalogue, Lock]:
    """Draw a lock with what it was made of; a policy that nothing meets is left out."""
    asked, catalogue = draw(named_policies), draw(catalogues())
    unmet = resolve(asked, catalogue, now=NOW).unmet
    asked = {name: each for name, each in asked.items() if name not in unmet}
    return asked, catalogue, locked(asked, catalogue, now=NOW)


def serves(model_id: str, policy: Policy, catalogue: Catalogue, now: datetime) -> bool:
    """Return whether a model meets a policy and its guard-rails, by their definition."""
    model = catalogue[model_id]

    def meets(requirement: Requirement) -> bool:
        aged = policy.minimum_age is None or policy.minimum_age.matches(model, now=now)
        fields = requirement.fields | (
            policy.minimum_age.fields if policy.minimum_age is not None else frozenset()
        )
        rails = catalogue.guard_rails(fields)
        return (
            aged
            and requirement.matches(model, now=now)
            and all(catalogue.admits(each, model) for each in rails)
        )

    return any(map(meets, (policy.require, *policy.alternatives)))


@given(resolved())
def test_locking_is_idempotent(made: tuple[dict[str, Policy], Catalogue, Lock]) -> None:
    """What was locked just now stays the very same, upgraded or not, and nothing is wrong with it."""
    asked, catalogue, lock = made
    assert resolve(asked, catalogue, lock, now=NOW).lock is lock
    assert resolve(asked, catalogue, lock, upgrade=asked, now=NOW).lock is lock
    assert check(lock, asked, catalogue, now=NOW) == ()
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


@given(resolved())
def test_a_lock_that_was_written_reads_the_same(
    made: tuple[dict[str, Policy], Catalogue, Lock],
) -> None:
    """The text of a lock parses to an equal lock, with the same text."""
    lock = made[2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "router.lock"
        path.write_text(lock.to_toml(), encoding="utf-8")
        again = Lock.read(path)
    assert again == lock
    assert again.to_toml() == lock.to_toml()


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
    wrong = {each.policy for each in check(old, asked, catalogue, within=within, now=NOW)}
    found = resolve(asked, catalogue, old, within=within, now=NOW)

    assert found.unmet.keys() <= wrong
    if found.unmet:
        return
    assert check(found.lock, asked, catalogue, within=within, now=NOW) == ()
    assert found.lock.policies.keys() == asked.keys()
    for name, entry in found.lock.policies.items():
        if name in wrong:
            assert serves(entry.model, asked[name], catalogue, NOW)
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
        assert serves(entry.model, asked[name], catalogue, NOW)
        assert entry.model in chain
        if "retires_in" not in str([*asked[name].tiers]) and "retires_at" not in str(
            [*asked[name].tiers]
        ):
            soon = [
                id
                for id in chain[: chain.index(entry.model)]
                if catalogue[id].retires_at is None
                or catalogue[id].retires_at >= NOW + timedelta(days=60)  # type: ignore[operator]
            ]
            assert soon == []


def holds(entry: Locked, lock: Lock, catalogue: Catalogue) -> bool:
    """Return whether a lock holds for a running application, as the design says it."""
    if catalogue.source not in {"live", "disk"} or catalogue.as_of is None:
        return True
    if lock.as_of is not None and lock.as_of >= catalogue.as_of:
        return True
    models = [model for model in catalogue if model.id == entry.model]
    for tier in entry.policy.tiers if models else ():
        lasting = [term for term in tier.terms if not {"age", "retires_in"} & term.fields]
        is_retired = models[0].lifecycle == "retired" and "lifecycle" not in tier.fields
        if not is_retired and all(term.matches(models[0]) for term in lasting):
            return True
    return False


@settings(max_examples=examples(300))
@given(resolved(), catalogues())
def test_a_lock_holds_as_the_design_says(
    made: tuple[dict[str, Policy], Catalogue, Lock], catalogue: Catalogue
) -> None:
    """For a running application a lock is broken just where the plain definition has it so, and the reason is told."""
    _, _, lock = made
    for entry in lock.policies.values():
        changed = broken_by(entry, lock, catalogue)
        assert (changed is None) is holds(entry, lock, catalogue)
        assert changed is None or f"by the {catalogue.source} catalogue" in changed


# What ends a lock


CHANGES: dict[str, tuple[list[Entry], str | None, list[ProblemKind]]] = {
    "nothing": ([MODEL], None, []),
    "a newer model": ([NEWER, MODEL], None, []),
    "deprecated": ([{**MODEL, "lifecycle": "deprecated"}], None, [ProblemKind.DEPRECATED]),
    "to retire": ([{**MODEL, "retires_at": "2026-12-24T00:00:00Z"}], None, [ProblemKind.RETIRING]),
    "overdue": ([{**MODEL, "retires_at": "2026-11-01T00:00:00Z"}], None, [ProblemKind.RETIRING]),
    "to retire later": ([{**MODEL, "retires_at": "2027-06-01T00:00:00Z"}], None, []),
    "limited": ([{**MODEL, "access": "limited"}], None, []),
    "of no known stage": ([{**MODEL, "lifecycle": "zombie"}], None, [ProblemKind.UNMET]),
    "retired": ([{**MODEL, "lifecycle": "retired"}], "it is retired", [ProblemKind.RETIRED]),
    "gone": ([NEWER], "it is gone", [ProblemKind.GONE]),
    "another's alias": ([{**NEWER, "aliases": ["claude-one"]}], "it is gone", [ProblemKind.GONE]),
    "without": (
        [{**MODEL, "capabilities": {"pdf_input": {"supported": False}}}],
        "it does not meet pdf_input (unsupported)",
        [ProblemKind.UNMET],
    ),
    "unknown": (
        [{**MODEL, "capabilities": None}],
        "it does not meet pdf_input (unknown)",
        [ProblemKind.UNMET],
    ),
}
LATER = NOW + timedelta(days=1)


@pytest.mark.parametrize("source", ["live", "disk"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_breaks_a_lock_and_what_is_complained_of(change: str, source: str) -> None:
    """A running application goes on but where its model is gone, retired or unfit; a check tells of more than that."""
    entries, breaks, kinds = CHANGES[change]
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    catalogue = live(*entries, as_of=LATER, source=source)

    changed = broken_by(lock.policies["reports"], lock, catalogue)
    assert changed == (breaks and f"{breaks}, by the {source} catalogue of 2026-11-23 00:00Z")
    assert [each.kind for each in check(lock, READS_PDF, catalogue, now=LATER)] == kinds


@pytest.mark.parametrize(
    "catalogue",
    [
        live(NEWER, as_of=NOW - timedelta(days=1)),
        live(NEWER, as_of=NOW),
        live(NEWER, as_of=None),
        live(NEWER, as_of=LATER, source="bundled"),
        live(NEWER, as_of=LATER, source="file"),
        live(NEWER, as_of=LATER, source="static"),
    ],
    ids=lambda catalogue: f"{catalogue.source} {catalogue.as_of}",
)
def test_only_a_newer_answer_of_the_api_breaks_a_lock(catalogue: Catalogue) -> None:
    """What is older, undated, bundled or a file shows nothing to a running application."""
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    assert broken_by(lock.policies["reports"], lock, catalogue) is None
    assert broken_by(lock.policies["reports"], lock, live(NEWER, as_of=LATER)) is not None


def test_a_lock_of_no_known_day_is_older_than_every_answer() -> None:
    """A lock that was made of an undated catalogue is broken by any answer of the API that ends it."""
    lock = locked(READS_PDF, live(MODEL, as_of=None, source="static"), now=NOW)
    assert broken_by(lock.policies["reports"], lock, live(NEWER)) is not None


def test_a_model_is_not_gone_from_a_listing_that_was_read_in_part() -> None:
    """Where an entry could not be read, that may be the model: neither the application nor a check says it is gone."""
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    whole = live(NEWER, as_of=LATER)
    part = Catalogue(whole, source="live", as_of=LATER, quarantined=[ConfigurationError("data[1]")])  # type: ignore[list-item]
    assert broken_by(lock.policies["reports"], lock, part) is None
    assert check(lock, READS_PDF, part, now=LATER) == ()
    assert texts(check(lock, READS_PDF, whole, now=LATER)) == [
        "reports: claude-one is gone: the live catalogue of 2026-11-23 00:00Z does not list it"
    ]


def test_a_term_that_depends_on_time_breaks_nothing() -> None:
    """An age that is not reached any more, and a retirement that has come nearer, are matters for a check."""
    policy = {"reports": Policy(require="pdf_input and retires_in >= 30d", minimum_age="14d")}
    lock = locked(policy, live({**MODEL, "retires_at": "2027-06-01T00:00:00Z"}), now=NOW)
    moved = {**MODEL, "retires_at": "2026-11-30T00:00:00Z", "created_at": "2026-11-20T00:00:00Z"}
    catalogue = live(moved, as_of=LATER)
    assert broken_by(lock.policies["reports"], lock, catalogue) is None
    assert texts(check(lock, policy, catalogue, now=LATER)) == [
        (
            "reports: claude-one does not meet age >= 14d (created_at is 2026-11-20); "
            "retires_in >= 30d (retires_at is 2026-11-30)"
        )
    ]


def test_an_alternative_keeps_a_lock() -> None:
    """A model that lost what was required still serves the policy while it meets an alternative."""
    policy = {"reports": Policy(require="citations and pdf_input", alternatives=["pdf_input"])}
    lock = locked(policy, live(MODEL), now=NOW)
    less = live({**MODEL, "capabilities": {"pdf_input": {"supported": True}}}, as_of=LATER)
    assert broken_by(lock.policies["reports"], lock, less) is None
    assert check(lock, policy, less, now=LATER) == ()
    none = live({**MODEL, "capabilities": {}}, as_of=LATER)
    assert broken_by(lock.policies["reports"], lock, none) == (
        "it does not meet pdf_input (unknown), by the live catalogue of 2026-11-23 00:00Z"
    )


def test_a_check_judges_by_the_requirement_that_is_met() -> None:
    """What meets an alternative is not complained of for what it lacks of the others, but for what it does there."""
    policy = {"reports": Policy(require="nova", alternatives=["pdf_input"])}
    lock = locked(policy, live(MODEL), now=NOW)
    ending = {**MODEL, "lifecycle": "deprecated", "retires_at": "2026-12-24T00:00:00Z"}
    kinds = [each.kind for each in check(lock, policy, live(ending, as_of=LATER), now=LATER)]
    assert kinds == [ProblemKind.DEPRECATED, ProblemKind.RETIRING]


@pytest.mark.parametrize(
    ("require", "entry"),
    [
        ("lifecycle == deprecated", {**MODEL, "lifecycle": "deprecated"}),
        ("lifecycle == retired", {**MODEL, "lifecycle": "retired"}),
        ("access == limited", {**MODEL, "access": "limited"}),
        ("retires_in >= 0d", {**MODEL, "retires_at": "2026-12-01T00:00:00Z"}),
        ("retires_at >= 2026-12-01", {**MODEL, "retires_at": "2026-12-01T00:00:00Z"}),
    ],
)
def test_a_policy_that_speaks_of_an_end_decides_by_itself(require: str, entry: Entry) -> None:
    """What the policy asks for is nothing to complain of, and ends no lock."""
    policy = {"old": Policy(require=require)}
    catalogue = live(entry, source="bundled")
    lock = locked(policy, catalogue, now=NOW)
    assert lock.policies["old"].model == "claude-one"
    assert check(lock, policy, catalogue, now=NOW) == ()
    assert broken_by(lock.policies["old"], lock, live(entry, as_of=LATER)) is None


def test_who_retires_soon_is_not_locked() -> None:
    """The next of the chain is locked, else the policy cannot be met; `within` says how soon, and a check agrees."""
    soon = {**NEWER, "retires_at": "2026-12-24T00:00:00Z"}
    assert locked(READS_PDF, live(soon, MODEL), now=NOW).policies["reports"].model == "claude-one"
    assert (
        locked(READS_PDF, live(soon, MODEL), within=30, now=NOW).policies["reports"].model
        == "claude-two"
    )
    found = resolve(READS_PDF, live(soon), now=NOW)
    assert found.unmet["reports"].model is None
    assert "retires_in >= 60d (retires_at is 2026-12-24)" in str(found.unmet["reports"])


def test_an_older_catalogue_says_only_who_retires() -> None:
    """What was known before a lock was made cannot contradict it, but the days until a retirement go by."""
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    before = NOW - timedelta(days=9)
    for entries in (
        [NEWER],
        [{**MODEL, "lifecycle": "deprecated"}],
        [{**MODEL, "capabilities": {}}],
    ):
        assert check(lock, READS_PDF, live(*entries, as_of=before), now=LATER) == ()
    retiring = live({**MODEL, "retires_at": "2026-11-24T00:00:00Z"}, as_of=before)
    assert texts(check(lock, READS_PDF, retiring, now=LATER)) == [
        "reports: claude-one retires on 2026-11-24, in 1 day"
    ]


def test_the_bundled_catalogue_does_not_know_what_a_key_may_call() -> None:
    """A lock of a live catalogue is not gone or unmet by the bundled one; a newer deprecation is told."""
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    for entries in ([NEWER], [{**MODEL, "access": "limited"}], [{**MODEL, "capabilities": {}}]):
        assert (
            check(lock, READS_PDF, live(*entries, as_of=LATER, source="bundled"), now=LATER) == ()
        )
    deprecated = live(
        {**MODEL, "lifecycle": "deprecated", "deprecated_at": "2026-11-23T00:00:00Z"}, as_of=LATER
    )
    bundled = Catalogue(deprecated, source="bundled", as_of=LATER)
    assert texts(check(lock, READS_PDF, bundled, now=LATER)) == [
        "reports: claude-one is deprecated since 2026-11-23"
    ]


def test_what_a_newer_catalogue_has_shown_is_not_forgotten() -> None:
    """A policy that is added with an older catalogue leaves the lock as new as the entries that it keeps."""
    lock = locked(READS_PDF, live(NEWER), now=NOW)
    more = {**READS_PDF, "quotes": Policy(require="citations")}
    found = resolve(
        more, live(MODEL, as_of=NOW - timedelta(days=9), source="bundled"), lock, now=NOW
    )
    assert {name: each.model for name, each in found.lock.policies.items()} == {
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
    assert check(lock, {"reports": same}, live(MODEL), now=NOW) == ()
    for other in (
        evolve(same, require="pdf_input"),
        evolve(same, prefer=["line == opus"]),
        evolve(same, alternatives=["pdf_input"]),
        evolve(same, minimum_age="1d"),
        evolve(same, order="cheapest"),
    ):
        assert texts(check(lock, {"reports": other}, live(MODEL), now=NOW)) == [
            "reports: has changed since it was locked"
        ]
        assert locked({"reports": other}, live(MODEL), old=lock, now=NOW).policies[
            "reports"
        ].policy == evolve(other, name="reports")


def test_policies_come_and_go() -> None:
    """What is not locked, and what is locked for nothing, is a problem until it is locked anew."""
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    other = {"quotes": Policy(require="citations")}
    assert texts(check(lock, other, live(MODEL), now=NOW)) == [
        "quotes: is not locked",
        "reports: is locked, but there is no such policy",
    ]
    assert texts(check(None, other, live(MODEL), now=NOW)) == ["quotes: is not locked"]
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
    assert found.lock.policies["quotes"].model == "claude-two"
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
    assert (found.policy, found.locked, found.newest and found.newest.id) == (
        "reports",
        "claude-one",
        "claude-two",
    )
    assert found.adds == ("nova", "max_input_tokens 200k to 1M")
    assert found.lacks == ("citations (unknown)", "max_tokens 64k to 32k")
    (gone,) = outdated(lock, READS_PDF, live(new), now=NOW)
    assert (gone.locked, gone.newest, gone.adds, gone.lacks) == (
        "claude-one",
        live(new)["claude-two"],
        (),
        (),
    )
    (none,) = outdated(None, READS_PDF, live(), now=NOW)
    assert (none.locked, none.newest) == (None, None)


def test_an_alias_is_not_listed() -> None:
    """A locked id means the model of that very id."""
    catalogue = live({**MODEL, "aliases": ["claude-alias"]})
    assert listed(catalogue, "claude-alias") is None
    assert listed(catalogue, "claude-one") is catalogue["claude-alias"]


# From July to October, with what the API answered then

CAPTURES: dict[str, Any] = json.loads((DATA / "captures.json").read_text(encoding="utf-8"))
BUNDLED = Catalogue.bundled(documented=None)
STAGES = ("lifecycle", "deprecated_at", "retires_at")
RETIRED_SINCE = "claude-opus-4-1-20250805"
IN_JULY: list[Entry] = [
    *(
        {"id": id, **entry, "created_at": BUNDLED[id].entry["created_at"]}
        for id, entry in CAPTURES["capability_trees"].items()
    ),
    {name: BUNDLED[RETIRED_SINCE].entry[name] for name in ("id", "display_name", "created_at")},
]
"""The trees captured in July, without the stages that the API was to state in October, and a model on its last days."""
IN_OCTOBER: list[Entry] = [
    *CAPTURES["trimmed"],
    *(
        {**entry, **{name: BUNDLED[entry["id"]].entry[name] for name in STAGES}}
        for entry in IN_JULY
        if entry["id"] != RETIRED_SINCE
    ),
]
"""The same models in October: one is newer, one is deprecated, and the list leaves out what is retired."""
POLICIES = {
    "agents": Policy(require="thinking.adaptive and effort.xhigh", minimum_age="1d"),
    "classic": Policy(
        require="thinking.enabled and not thinking.adaptive", prefer=["max_input_tokens >= 1M"]
    ),
    "legacy": Policy(require='id like "claude-opus-4-1*"'),
}


def of_july() -> Catalogue:
    """Return the catalogue of July."""
    return live(*IN_JULY, as_of=JULY)


def of_october(*more: Entry) -> Catalogue:
    """Return the catalogue of October."""
    return live(*IN_OCTOBER, *more, as_of=OCTOBER)


def golden(name: str) -> str:
    """Return the text of a lock on file."""
    return (DATA / "locks" / name).read_text(encoding="utf-8")


def test_a_lock_of_july() -> None:
    """The lock of July is the file that was written then."""
    assert locked(POLICIES, of_july(), now=JULY).to_toml() == golden("july.lock")


def test_in_october_just_what_has_changed_is_complained_of() -> None:
    """A newer model is no complaint; a deprecation, a retirement that is near, and a model that is gone are."""
    lock = Lock.read(DATA / "locks" / "july.lock")
    assert check(lock, POLICIES, of_july(), now=JULY) == ()
    assert of_october().select("thinking.adaptive").id == "claude-opus-5-5"
    assert texts(check(lock, POLICIES, of_october(), now=OCTOBER)) == [
        "classic: claude-sonnet-4-5-20250929 is deprecated since 2026-09-30",
        "classic: claude-sonnet-4-5-20250929 retires on 2026-11-30, in 53 days",
        f"legacy: {RETIRED_SINCE} is gone: the live catalogue of 2026-10-08 00:00Z does not list it",
    ]
    assert len(check(lock, POLICIES, of_october(), within=30, now=OCTOBER)) == 2
    retired = {**IN_JULY[-1], **{name: BUNDLED[RETIRED_SINCE].entry[name] for name in STAGES}}
    assert texts(check(lock, POLICIES, of_october(retired), now=OCTOBER))[-1] == (
        f"legacy: {RETIRED_SINCE} is retired since 2026-08-05"
    )


def test_a_lock_of_october_moves_no_more_than_it_must() -> None:
    """Locked anew, the entry that holds is as it was to the byte, and the others are the file that was written then."""
    asked = {name: each for name, each in POLICIES.items() if name != "legacy"}
    found = resolve(asked, of_october(), Lock.read(DATA / "locks" / "july.lock"), now=OCTOBER)
    entry = golden("july.lock").partition("[policies.agents]")[2].partition("[policies.")[0]
    assert f"[policies.agents]{entry}" in found.lock.to_toml()
    assert found.lock.to_toml() == golden("october.lock")


def test_in_october_an_application_of_july_goes_on() -> None:
    """Of three locks only the one whose model is gone is broken: a deprecation stops nobody."""
    lock = Lock.read(DATA / "locks" / "july.lock")
    broken = {name: broken_by(each, lock, of_october()) for name, each in lock.policies.items()}
    assert broken == {
        "agents": None,
        "classic": None,
        "legacy": "it is gone, by the live catalogue of 2026-10-08 00:00Z",
    }


# The file


def test_a_lock_of_the_bundled_catalogue() -> None:
    """Every part of a policy that decides is in the file, and what is the default is not."""
    asked = {
        "reports": Policy(
            require="pdf_input and thinking.adaptive",
            prefer=['display_name == "Claude Opus 5"', "effort.max"],
            minimum_age="2w",
            alternatives=["pdf_input"],
        ),
        "bulk": Policy(require="structured_outputs", order="cheapest"),
        "any": Policy(),
    }
    catalogue = live(
        *(dict(model.entry) for model in BUNDLED if model.line == "opus"),
        as_of=OCTOBER,
        source="bundled",
    )
    assert locked(asked, catalogue, now=NOW).to_toml() == golden("parts.lock")
    assert Lock.read(DATA / "locks" / "parts.lock") == locked(asked, catalogue, now=NOW)


GOOD = golden("july.lock")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("version = 1", "", ": version is missing"),
        ("version = 1", "version = 0", ": version must be 1 (got 0)"),
        ("version = 1", "version = true", ": version must be 1 (got True)"),
        (
            "version = 1",
            "version = 2",
            ": version 2 is of a later release of router; this one reads 1",
        ),
        (
            "version = 1",
            "version = 1\nmade_by = 5",
            ": made_by: unknown key; there is version, catalogue, policies",
        ),
        ("version = 1", "version = ", " is no TOML: "),
        ("[catalogue]", "[catalog]", ": catalog: unknown key; did you mean catalogue?"),
        ('source = "live"', "source = 5", ": catalogue.source must be a string (got 5)"),
        (
            'source = "live"',
            'sorce = "live"',
            ": catalogue.sorce: unknown key; did you mean source?",
        ),
        (
            "2026-07-01 00:00:00+00:00",
            "2026-07-01",
            ": catalogue.as_of must be a date and time with its zone",
        ),
        ("digest = ", "disgest = ", ": catalogue.disgest: unknown key; did you mean digest?"),
        (
            "[policies.agents]",
            "[policies.pdf_input]",
            ": policies.pdf_input: pdf_input is a capability",
        ),
        (
            "[policies.agents]",
            "[policies.agents]\nmodle = 1",
            ": policies.agents.modle: unknown key; did you mean model?",
        ),
        ('model = "claude-sonnet-5"', "", ": policies.agents.model is missing"),
        (
            'model = "claude-sonnet-5"',
            'model = "claude sonnet"',
            ": policies.agents.model must be the id of a model",
        ),
        (
            'minimum_age = "1d"',
            'minimum_age = "soon"',
            ": policies.agents.minimum_age: must be a duration",
        ),
        (
            "[policies.agents]",
            "[policies]\nagents = 5\n[policies.x]",
            ": policies.agents must be a table (got int)",
        ),
        ('why = "newest', 'whi = "newest', ": policies.agents.whi: unknown key; did you mean why?"),
    ],
)
def test_a_file_that_is_no_lock(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """An error names the file, the key path and what was expected."""
    path = tmp_path / "router.lock"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Lock.read(path)
    assert str(caught.value).startswith(f"{path}{problem}")


def test_a_lock_is_a_value() -> None:
    """A lock is hashable, its policies cannot be set, and they are sorted however they were given."""
    lock = locked({**READS_PDF, "bulk": Policy()}, live(MODEL), now=NOW)
    turned = evolve(lock, policies=dict(reversed([*lock.policies.items()])))
    assert turned.to_toml() == lock.to_toml()
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    assert hash(lock) == hash(locked(READS_PDF, live(MODEL), now=NOW))
    with pytest.raises(TypeError):
        lock.policies["reports"] = lock.policies["reports"]  # type: ignore[index]
