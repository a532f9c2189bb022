"""Checking: what is wrong with a lock later, and what ends it for a running application."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from locations import DATA
from locks import (
    BUNDLED,
    IN_JULY,
    JULY,
    LATER,
    MODEL,
    NEWER,
    OCTOBER,
    POLICIES,
    READS_PDF,
    RETIRED_SINCE,
    STAGES,
    catalogues,
    live,
    locked,
    of_july,
    of_october,
    resolved,
    texts,
)
from sizes import examples
from strategies import NOW, Entry

from router import Catalogue, ConfigurationError, Lock, Locked, Policy
from router.locking._checking import LockProblemKind, broken_by, check_lock, find_listed


def holds(entry: Locked, lock: Lock, catalogue: Catalogue) -> bool:
    """Return whether a lock holds for a running application, as the design says it."""
    if catalogue.source not in {"live", "disk"} or catalogue.as_of is None:
        return True
    if lock.as_of is not None and lock.as_of >= catalogue.as_of:
        return True
    models = [model for model in catalogue if model.id == entry.model_id]
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


CHANGES: dict[str, tuple[list[Entry], str | None, list[LockProblemKind]]] = {
    "nothing": ([MODEL], None, []),
    "a newer model": ([NEWER, MODEL], None, []),
    "deprecated": ([{**MODEL, "lifecycle": "deprecated"}], None, [LockProblemKind.DEPRECATED]),
    "to retire": (
        [{**MODEL, "retires_at": "2026-12-24T00:00:00Z"}],
        None,
        [LockProblemKind.RETIRING],
    ),
    "overdue": (
        [{**MODEL, "retires_at": "2026-11-01T00:00:00Z"}],
        None,
        [LockProblemKind.RETIRING],
    ),
    "to retire later": ([{**MODEL, "retires_at": "2027-06-01T00:00:00Z"}], None, []),
    "limited": ([{**MODEL, "access": "limited"}], None, []),
    "of no known stage": ([{**MODEL, "lifecycle": "zombie"}], None, [LockProblemKind.UNMET]),
    "retired": ([{**MODEL, "lifecycle": "retired"}], "it is retired", [LockProblemKind.RETIRED]),
    "gone": ([NEWER], "it is gone", [LockProblemKind.GONE]),
    "another's alias": (
        [{**NEWER, "aliases": ["claude-one"]}],
        "it is gone",
        [LockProblemKind.GONE],
    ),
    "without": (
        [{**MODEL, "capabilities": {"pdf_input": {"supported": False}}}],
        "it does not meet pdf_input (unsupported)",
        [LockProblemKind.UNMET],
    ),
    "unknown": (
        [{**MODEL, "capabilities": None}],
        "it does not meet pdf_input (unknown)",
        [LockProblemKind.UNMET],
    ),
}


@pytest.mark.parametrize("source", ["live", "disk"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_breaks_a_lock_and_what_is_complained_of(change: str, source: str) -> None:
    """A running application goes on but where its model is gone, retired or unfit; a check tells of more than that."""
    entries, breaks, kinds = CHANGES[change]
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    catalogue = live(*entries, as_of=LATER, source=source)

    changed = broken_by(lock.policies["reports"], lock, catalogue)
    assert changed == (breaks and f"{breaks}, by the {source} catalogue of 2026-11-23 00:00Z")
    assert [each.kind for each in check_lock(lock, READS_PDF, catalogue, now=LATER)] == kinds


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
    assert check_lock(lock, READS_PDF, part, now=LATER) == ()
    assert texts(check_lock(lock, READS_PDF, whole, now=LATER)) == [
        "reports: claude-one is gone: the live catalogue of 2026-11-23 00:00Z does not list it"
    ]


def test_a_term_that_depends_on_time_breaks_nothing() -> None:
    """An age that is not reached any more, and a retirement that has come nearer, are matters for a check."""
    policy = {"reports": Policy(require="pdf_input and retires_in >= 30d", minimum_age="14d")}
    lock = locked(policy, live({**MODEL, "retires_at": "2027-06-01T00:00:00Z"}), now=NOW)
    moved = {**MODEL, "retires_at": "2026-11-30T00:00:00Z", "created_at": "2026-11-20T00:00:00Z"}
    catalogue = live(moved, as_of=LATER)
    assert broken_by(lock.policies["reports"], lock, catalogue) is None
    assert texts(check_lock(lock, policy, catalogue, now=LATER)) == [
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
    assert check_lock(lock, policy, less, now=LATER) == ()
    none = live({**MODEL, "capabilities": {}}, as_of=LATER)
    assert broken_by(lock.policies["reports"], lock, none) == (
        "it does not meet pdf_input (unknown), by the live catalogue of 2026-11-23 00:00Z"
    )


def test_a_check_judges_by_the_requirement_that_is_met() -> None:
    """What meets an alternative is not complained of for what it lacks of the others, but for what it does there."""
    policy = {"reports": Policy(require="nova", alternatives=["pdf_input"])}
    lock = locked(policy, live(MODEL), now=NOW)
    ending = {**MODEL, "lifecycle": "deprecated", "retires_at": "2026-12-24T00:00:00Z"}
    kinds = [each.kind for each in check_lock(lock, policy, live(ending, as_of=LATER), now=LATER)]
    assert kinds == [LockProblemKind.DEPRECATED, LockProblemKind.RETIRING]


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
    assert lock.policies["old"].model_id == "claude-one"
    assert check_lock(lock, policy, catalogue, now=NOW) == ()
    assert broken_by(lock.policies["old"], lock, live(entry, as_of=LATER)) is None


def test_an_older_catalogue_says_only_who_retires() -> None:
    """What was known before a lock was made cannot contradict it, but the days until a retirement go by."""
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    before = NOW - timedelta(days=9)
    for entries in (
        [NEWER],
        [{**MODEL, "lifecycle": "deprecated"}],
        [{**MODEL, "capabilities": {}}],
    ):
        assert check_lock(lock, READS_PDF, live(*entries, as_of=before), now=LATER) == ()
    retiring = live({**MODEL, "retires_at": "2026-11-24T00:00:00Z"}, as_of=before)
    assert texts(check_lock(lock, READS_PDF, retiring, now=LATER)) == [
        "reports: claude-one retires on 2026-11-24, in 1 day"
    ]


def test_the_bundled_catalogue_does_not_know_what_a_key_may_call() -> None:
    """A lock of a live catalogue is not gone or unmet by the bundled one; a newer deprecation is told."""
    lock = locked(READS_PDF, live(MODEL), now=NOW)
    for entries in ([NEWER], [{**MODEL, "access": "limited"}], [{**MODEL, "capabilities": {}}]):
        assert (
            check_lock(lock, READS_PDF, live(*entries, as_of=LATER, source="bundled"), now=LATER)
            == ()
        )
    deprecated = live(
        {**MODEL, "lifecycle": "deprecated", "deprecated_at": "2026-11-23T00:00:00Z"}, as_of=LATER
    )
    bundled = Catalogue(deprecated, source="bundled", as_of=LATER)
    assert texts(check_lock(lock, READS_PDF, bundled, now=LATER)) == [
        "reports: claude-one is deprecated since 2026-11-23"
    ]


def test_an_alias_is_not_listed() -> None:
    """A locked id means the model of that very id."""
    catalogue = live({**MODEL, "aliases": ["claude-alias"]})
    assert find_listed(catalogue, Locked(Policy(), "claude-alias", "")) is None
    assert find_listed(catalogue, Locked(Policy(), "claude-one", "")) is catalogue["claude-alias"]
    assert find_listed(catalogue, Locked(Policy(), "claude-one", "", provider="azure")) is None


def test_in_october_just_what_has_changed_is_complained_of() -> None:
    """A newer model is no complaint; a deprecation, a retirement that is near, and a model that is gone are."""
    lock = Lock.read(DATA / "locks" / "july.lock")
    assert check_lock(lock, POLICIES, of_july(), now=JULY) == ()
    assert of_october().select("thinking.adaptive").id == "claude-opus-5-5"
    assert texts(check_lock(lock, POLICIES, of_october(), now=OCTOBER)) == [
        "classic: claude-sonnet-4-5-20250929 is deprecated since 2026-09-30",
        "classic: claude-sonnet-4-5-20250929 retires on 2026-11-30, in 53 days",
        f"legacy: {RETIRED_SINCE} is gone: the live catalogue of 2026-10-08 00:00Z does not list it",
    ]
    assert len(check_lock(lock, POLICIES, of_october(), within=30, now=OCTOBER)) == 2
    retired = {**IN_JULY[-1], **{name: BUNDLED[RETIRED_SINCE].entry[name] for name in STAGES}}
    assert texts(check_lock(lock, POLICIES, of_october(retired), now=OCTOBER))[-1] == (
        f"legacy: {RETIRED_SINCE} is retired since 2026-08-05"
    )


def test_in_october_an_application_of_july_goes_on() -> None:
    """Of three locks only the one whose model is gone is broken: a deprecation stops nobody."""
    lock = Lock.read(DATA / "locks" / "july.lock")
    broken = {name: broken_by(each, lock, of_october()) for name, each in lock.policies.items()}
    assert broken == {
        "agents": None,
        "classic": None,
        "legacy": "it is gone, by the live catalogue of 2026-10-08 00:00Z",
    }
