"""`Router.begin`: the fallback loop without I/O, for those who call the model themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from crowds import NOON
from fake_api import entries
from fake_source import FakeClock
from hypothesis import given
from hypothesis import strategies as st

from router import (
    Answer,
    Catalogue,
    ConfigurationError,
    FallbackExhaustedError,
    Model,
    NoModelError,
    Policy,
    Router,
    Run,
    StaticSource,
)
from router.execution._cooldown import FIRST_COOLDOWN

CATALOGUE = Catalogue.from_listing(
    {**entry, "max_input_tokens": window}
    for entry, window in zip(entries(4), (200, 200, 1000, 200), strict=True)
)
IDS = [model.id for model in CATALOGUE]
ANY = "pdf_input"
REQUEST = {"max_tokens": 10, "messages": [{"role": "user", "content": "Hello."}]}


class StatusError(Exception):
    """What a client raises."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status_code = status


BUSY, GONE = StatusError(529), StatusError(404)
LACKS = StatusError(400, "this model does not support effort")
BUG = KeyError("a bug")


class Machine:
    """A router over a catalogue that does not change, with a clock that goes as it is told."""

    def __init__(self, **arguments: Any) -> None:
        self.clock = FakeClock()
        self.router = Router(
            StaticSource(CATALOGUE),
            clock=self.clock,
            wall=lambda: NOON,
            random=lambda: 0.0,
            **arguments,
        )

    def cool(self, id: str) -> None:
        """Have a model cool, and the time of it pass."""
        with self.router.begin(f"id == {id}") as run, suppress(FallbackExhaustedError):
            run.failed(GONE)
        self.clock.now += FIRST_COOLDOWN

    def first(self) -> str:
        """Return the id of the model that a new run begins with, and take nothing."""
        with self.router.begin(ANY) as run:
            return run.model.id


def failing_with(ends: Mapping[str, BaseException]) -> Callable[[Model], str]:
    """Return a call that fails as it is written down for each model."""

    def call(model: Model) -> str:
        if model.id in ends:
            raise ends[model.id]
        return f"from {model.id}"

    return call


def driven(run: Run, call: Callable[[Model], str], caught: Any = Exception) -> Answer[str]:
    """Drive a run as the README does."""
    while True:
        try:
            value = call(run.model)
        except caught as error:
            if not run.failed(error):
                raise
        else:
            return run.answered(value)


def outcome(machine: Machine, act: Callable[[], Answer[str]]) -> object:
    """Return all that can be seen of a run: what came out, and what the router has learnt."""
    try:
        answer = act()
    except FallbackExhaustedError as error:
        end: object = (str(error), str(error.exceptions), error.skipped, error.__context__)
    except BaseException as error:  # noqa: BLE001 - what comes out is what is compared
        end = (repr(error), getattr(error, "__notes__", None))
    else:
        end = (str(answer.attempts), answer.value, answer.skipped, answer.moved_from)
    return end, machine.router.status().cooling


ENDS: Sequence[Callable[[], BaseException] | None] = [
    None,
    partial(StatusError, 529),
    partial(StatusError, 404),
    partial(StatusError, 401),
    partial(StatusError, 400, "prompt is too long: 300 tokens > 200 maximum"),
    partial(StatusError, 400, "this model does not support effort"),
    partial(KeyError, "a bug"),
    KeyboardInterrupt,
]
"""How calls end: `None` is an answer."""


@given(
    rounds=st.lists(
        st.fixed_dictionaries(dict.fromkeys(IDS, st.sampled_from(ENDS))), min_size=1, max_size=5
    ),
    need=st.sampled_from([ANY, "citations", "line == opus"]),
    options=st.fixed_dictionaries(
        {},
        optional={"max_attempts": st.integers(1, 5), "sticky": st.sampled_from([None, "k"])},
    ),
    in_with=st.booleans(),
)
def test_a_driven_run_is_run(
    rounds: Sequence[Mapping[str, Callable[[], BaseException] | None]],
    need: str,
    options: dict[str, Any],
    in_with: bool,
) -> None:
    """Driven by hand, in `with` or not, it ends as `run` does on the same failures, and teaches as much."""
    by_hand, by_run = Machine(), Machine()

    def begun(call: Callable[[Model], str]) -> Answer[str]:
        run = by_hand.router.begin(need, **options)
        if not in_with:
            return driven(run, call, BaseException)
        with run as same:
            assert same is run
            return driven(run, call)

    def call(ends: Mapping[str, Callable[[], BaseException] | None]) -> Callable[[Model], str]:
        return failing_with({id: end() for id, end in ends.items() if end is not None})

    for ends in rounds:
        assert outcome(by_hand, partial(begun, call(ends))) == outcome(
            by_run, partial(by_run.router.run, need, call(ends), **options)
        )
        for machine in (by_hand, by_run):
            machine.clock.now += 3.0


@pytest.mark.parametrize(
    "start", [asyncio.run, lambda main: trio.run(lambda: main)], ids=["asyncio", "trio"]
)
def test_in_an_event_loop(start: Any) -> None:
    """A run knows of no event loop, and so serves every one."""

    async def main() -> Answer[str]:
        machine = Machine()
        with machine.router.begin(ANY) as run:
            while True:
                try:
                    value = await answer_of(run.model)
                except StatusError as error:
                    if not run.failed(error):
                        raise
                else:
                    return run.answered(value)

    async def answer_of(model: Model) -> str:
        return failing_with({IDS[0]: BUSY})(model)

    assert start(main()).model.id == IDS[1]


def test_how_a_run_goes() -> None:
    """A run says whom to call, moves on by itself, and answers with every attempt."""
    told: list[tuple[str, str]] = []
    run = Machine().router.begin(
        ANY, on_fallback=lambda attempt, model: told.append((attempt.model.id, model.id))
    )
    assert run.model is CATALOGUE[IDS[0]]
    assert repr(run) == f"<Run for pdf_input, model {IDS[0]}>"
    assert run.failed(BUSY)
    assert run.model is CATALOGUE[IDS[1]]
    answer = run.answered(17)

    assert (answer.value, answer.model.id, answer.changes) == (17, IDS[1], ())
    assert [each.model.id for each in answer.attempts] == IDS[:2]
    assert told == [(IDS[0], IDS[1])]


def test_an_error_of_the_callers() -> None:
    """It is for whoever drives the run to raise, and the run has ended."""
    run, error = Machine().router.begin(ANY), StatusError(401)

    assert run.failed(BUSY)
    assert not run.failed(error)
    assert error.__notes__ == [f"before: {IDS[0]} after 0.0 s: next_model, 529"]


def test_nothing_is_left_to_call() -> None:
    """The error is raised by `failed`, and printed once: the last failure is in it, not behind it."""
    run = Machine().router.begin(ANY, max_attempts=1)
    with pytest.raises(FallbackExhaustedError, match="max_attempts is 1") as raised:
        driven(run, failing_with({IDS[0]: BUSY}))

    assert raised.value.exceptions == (BUSY,)
    assert (raised.value.__context__, raised.value.__cause__) == (None, None)


def ended_by_answer(run: Run) -> None:
    """End it well."""
    run.answered("well")


def ended_by_error(run: Run) -> None:
    """End it with an error of the caller's."""
    assert not run.failed(BUG)


def ended_by_exhaustion(run: Run) -> None:
    """End it with the last model."""
    with suppress(FallbackExhaustedError):
        while run.failed(BUSY):
            pass


def ended_by_interrupt(run: Run) -> None:
    """End it with what is no failure."""
    assert not run.failed(KeyboardInterrupt())


def ended_by_with(run: Run) -> None:
    """End it without a word."""
    with run:
        pass


@pytest.mark.parametrize(
    "end",
    [ended_by_answer, ended_by_error, ended_by_exhaustion, ended_by_interrupt, ended_by_with],
)
def test_after_the_end(end: Callable[[Run], None]) -> None:
    """After its end a run says so, teaches nothing, and still closes."""
    machine = Machine()
    run = machine.router.begin(ANY)
    end(run)
    cooling = machine.router.status().cooling
    for act in (lambda: run.answered(1), lambda: run.failed(GONE)):
        with pytest.raises(ConfigurationError, match=r"has ended: begin another with router.begin"):
            act()
    run.close()

    assert run.model.id in IDS
    assert machine.router.status().cooling == cooling


@pytest.mark.parametrize(
    "error", [None, BUG, KeyboardInterrupt(), SystemExit(), GeneratorExit()], ids=repr
)
def test_the_probe_is_given_back(error: BaseException | None) -> None:
    """A body that ends without a word, whatever it raises, leaves a cooling model to be probed by the next run."""
    machine = Machine()
    machine.cool(IDS[0])

    def body() -> None:
        with machine.router.begin(ANY) as run:
            assert run.model.id == IDS[0]
            assert machine.first() == IDS[1]  # that run probes it, and no other
            if error is not None:
                raise error

    raised = None
    try:
        body()
    except BaseException as caught:  # noqa: BLE001 - whatever it is
        raised = caught

    assert raised is error
    assert machine.first() == IDS[0]


def test_a_probe_after_a_fallback_is_given_back() -> None:
    """So is the one that was taken when the run moved on."""
    machine = Machine()
    machine.cool(IDS[1])
    with machine.router.begin(ANY) as run:
        assert run.failed(LACKS)
        assert run.model.id == IDS[1]
        assert machine.router.run(ANY, failing_with({IDS[0]: LACKS})).model.id == IDS[2]

    assert machine.router.run(ANY, failing_with({IDS[0]: LACKS})).model.id == IDS[1]


def test_a_run_that_is_not_closed_keeps_its_probe() -> None:
    """Without `with` it is for the caller to say how the call went, or to close the run."""
    machine = Machine()
    machine.cool(IDS[0])
    run = machine.router.begin(ANY)
    assert machine.first() == IDS[1]
    run.close()
    run.close()

    assert machine.first() == IDS[0]


def test_where_to_begin() -> None:
    """`first` comes before the others where it is one of them, and a conversation's model before it."""
    router = Machine().router
    router.run(ANY, failing_with({}), sticky="k")

    assert router.begin(ANY, first=IDS[2]).model.id == IDS[2]
    assert router.begin(ANY, first="claude-unheard-of").model.id == IDS[0]
    assert router.begin(ANY, first=IDS[2], sticky="new").model.id == IDS[2]
    assert router.begin(ANY, first=IDS[2], sticky="k").model.id == IDS[0]
    run = router.begin(ANY, first=IDS[2])
    assert run.failed(BUSY)
    assert run.model.id == IDS[0]


def test_the_need() -> None:
    """A need is whatever `run` takes; none at all is every model; one that nothing meets is an error."""
    policy = Policy(require="line == haiku")
    router = Machine(policies={"reports": policy}).router

    assert router.begin().model.id == IDS[0]
    assert router.begin(policy).model == router.begin("reports").model == router.select("reports")
    with pytest.raises(NoModelError):
        router.begin("line == opus and line == haiku")


# Requests


def test_a_request_is_that_of_its_model() -> None:
    """`request` is the original as each model takes it, and the answer has the changes for its own."""
    listing = [
        {"id": "claude-a", "created_at": "2026-02-01T00:00:00Z", "max_tokens": 5},
        {"id": "claude-b", "created_at": "2026-01-01T00:00:00Z", "max_tokens": 7},
    ]
    router = Router(StaticSource(Catalogue.from_listing(listing)), cache_dir=False)
    with router.begin(request=REQUEST, on_unsupported="downgrade") as run:
        assert run.request == {**REQUEST, "model": "claude-a", "max_tokens": 5}
        assert [change.after for change in run.changes] == [5]
        assert run.failed(BUSY)
        assert run.request == {**REQUEST, "model": "claude-b", "max_tokens": 7}
        answer = run.answered(None)

    assert [change.after for change in answer.changes] == [7]
    assert REQUEST["max_tokens"] == 10
    with pytest.raises(NoModelError):
        router.begin(request=REQUEST)
    with pytest.raises(NoModelError):
        router.begin(request=REQUEST, on_unsupported="drop", input_tokens=10**9)


def test_without_a_request() -> None:
    """The request of a run without one names the model."""
    run = Machine().router.begin(ANY)

    assert (run.request, run.changes) == ({"model": IDS[0]}, ())


def test_a_request_that_is_none() -> None:
    """`None` is no request to those that send one."""
    for request in (None, "hello"):
        with pytest.raises(ConfigurationError, match="a request must be a mapping"):
            Machine().router.run_request(request, dict)  # type: ignore[arg-type]


# Misuse


@pytest.mark.parametrize("name", ["request", "on_unsupported", "input_tokens", "first"])
def test_arguments_of_begin_are_no_options_of_run(name: str) -> None:
    """`run` takes the options of a run; what only `begin` takes is refused, not passed on."""
    arguments: dict[str, Any] = {name: None}

    with pytest.raises(TypeError, match=f"unexpected argument '{name}'"):
        Machine().router.run(ANY, failing_with({}), **arguments)


def test_a_request_of_its_own_is_no_option_either() -> None:
    """`run_request` has its request once."""
    arguments: dict[str, Any] = {"first": IDS[0]}

    with pytest.raises(TypeError, match="unexpected argument 'first'"):
        Machine().router.run_request(REQUEST, lambda **_: "", ANY, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"on_unsupported": "drop"}, {"on_unsupported": 7}, {"input_tokens": 10**9}],
    ids=repr,
)
def test_arguments_of_a_request_need_one(arguments: dict[str, Any]) -> None:
    """What says how a request is read or changed is refused without a request."""
    with pytest.raises(ConfigurationError, match="on_unsupported and input_tokens need a request"):
        Machine().router.begin(ANY, **arguments)


@pytest.mark.parametrize("first", [3, b"id", CATALOGUE[IDS[0]]], ids=repr)
def test_first_is_an_id(first: Any) -> None:
    """`first` is a string."""
    with pytest.raises(ConfigurationError, match="first must be the id of a model"):
        Machine().router.begin(ANY, first=first)


@pytest.mark.parametrize("hook", ["on_fallback", "on_disagreement"])
def test_a_run_whose_hook_is_interrupted_has_ended(hook: str) -> None:
    """An interrupt in a hook ends the run: it keeps no error, and takes no more calls."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    machine = Machine(**({hook: interrupted} if hook == "on_disagreement" else {}))
    options: Any = {hook: interrupted} if hook == "on_fallback" else {}
    run = machine.router.begin(ANY, **options)

    with pytest.raises(KeyboardInterrupt):
        run.failed(BUSY if hook == "on_fallback" else LACKS)

    assert run._attempts == []
    with pytest.raises(ConfigurationError, match="this run has ended"):
        run.answered("late")


def test_a_run_that_has_ended_says_so() -> None:
    """It cannot be entered, so that no call is made for nothing, and its repr says that it has ended."""
    run = Machine().router.begin(ANY)
    assert "ended" not in repr(run)
    run.answered("done")

    assert repr(run) == f"<Run for {ANY}, model {IDS[0]}, ended>"
    with pytest.raises(ConfigurationError, match="this run has ended"), run:
        pytest.fail("the block runs")


@pytest.mark.parametrize("error", ["oops", None, StatusError], ids=repr)
def test_only_an_exception_is_a_failure(error: Any) -> None:
    """Anything else is refused, and the run goes on."""
    with Machine().router.begin(ANY) as run:
        with pytest.raises(ConfigurationError, match="error must be an exception"):
            run.failed(error)
        assert run.answered("done").value == "done"
