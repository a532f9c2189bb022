"""The attempts of a run, and the error that carries those of a run in which every model has failed."""

from __future__ import annotations

import pickle

import pytest
from fallback_runs import (
    BUSY,
    CATALOGUE,
    IDS,
    TOO_LONG,
    Client,
    Machine,
    RefusedError,
    all_but,
)

from router import Answer, Attempt, FallbackExhaustedError, classify


def test_all_have_failed(machine: Machine) -> None:
    """R7: one error carries each attempt, is a group of what was raised, prints a line each, and pickles."""
    client = Client(all_but() | {IDS[1]: RefusedError(503)})
    with pytest.raises(FallbackExhaustedError) as raised:
        machine.run(client)
    error = raised.value

    assert client.called == IDS[:3]
    assert error.exceptions == (BUSY, client.ends[IDS[1]], BUSY)
    assert [each.model.id for each in error.attempts] == IDS[:3]
    assert str(error).splitlines() == [
        "no model answered for pdf_input: max_attempts is 3",
        "  claude-fake-0 after 0.0 s: next_model, 529 x: Overloaded",
        "  claude-fake-1 after 0.0 s: next_model, 503",
        "  claude-fake-2 after 0.0 s: next_model, 529 x: Overloaded",
    ]
    assert error.__context__ is None
    bare = FallbackExhaustedError("r", [Attempt(CATALOGUE[IDS[0]], 1.0, ValueError("x"))], [IDS[1]])
    again = pickle.loads(pickle.dumps(bare))  # noqa: S301 - pickled on this very line
    assert (str(again), again.skipped, repr(again.exceptions)) == (
        str(bare),
        (IDS[1],),
        "(ValueError('x'),)",
    )


def test_all_have_failed_is_caught_as_what_was_raised(machine: Machine) -> None:
    """`except*` finds the client's own errors in the group."""
    found: list[BaseException] = []
    try:
        machine.run(Client(all_but()))
    except* RefusedError as group:
        found.extend(group.exceptions)

    assert found == [BUSY] * 3


def test_part_of_what_has_failed(machine: Machine) -> None:
    """What `except*` leaves over is still the error with its attempts."""
    with pytest.raises(FallbackExhaustedError) as raised:
        machine.run(Client({IDS[0]: BUSY, IDS[1]: TOO_LONG, IDS[2]: BUSY}))
    matched, rest = raised.value.split(lambda error: error is TOO_LONG)

    assert isinstance(matched, FallbackExhaustedError)
    assert [each.model.id for each in matched.attempts] == [IDS[1]]
    assert isinstance(rest, FallbackExhaustedError)
    assert [each.model.id for each in rest.attempts] == [IDS[0], IDS[2]]


def test_an_attempt_tells_how_it_ended() -> None:
    """In one line: the model, the seconds, and the answer or the failure."""
    model = CATALOGUE[IDS[0]]

    assert str(Attempt(model, 1.26)) == f"{IDS[0]} after 1.3 s: answered"
    assert (
        str(Attempt(model, 0.0, BUSY, classify(BUSY, model)))
        == f"{IDS[0]} after 0.0 s: next_model, 529 x: Overloaded"
    )


def test_a_group_of_errors_of_no_attempt_is_a_plain_one() -> None:
    """Attempts are carried only where each error of the group is that of one."""
    error = FallbackExhaustedError("r", [Attempt(CATALOGUE[IDS[0]], 1.0, BUSY)])
    other = ValueError("x")

    assert isinstance(error.derive([BUSY]), FallbackExhaustedError)
    assert type(error.derive([BUSY, other])) is ExceptionGroup
    assert error.derive([BUSY, other]).exceptions == (BUSY, other)


def test_an_answer_is_a_value() -> None:
    """What it does not say is nothing: no model set aside, no other one before, no change of a request."""
    model = CATALOGUE[IDS[0]]
    answer = Answer("a", model, (Attempt(model, 1.0),))

    assert answer == Answer("a", model, (Attempt(model, 1.0),), (), None, ())
    with pytest.raises(AttributeError):
        answer.value = "b"  # type: ignore[misc]
