"""Runs along a chain: who is called, how often, and what comes out, by `run` and by `arun`."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve, frozen
from crowds import NOON
from fake_source import FakeClock, FakeSource, eventually, join
from fallback_runs import (
    ANY,
    BUSY,
    CATALOGUE,
    IDS,
    LACKS,
    TOO_LONG,
    BugError,
    Client,
    Machine,
    RefusedError,
    all_but,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from log_records import extras

from router import (
    Answer,
    Attempt,
    Catalogue,
    ConfigurationError,
    FailureClass,
    FallbackExhaustedError,
    Model,
    NoModelError,
    Policy,
    Router,
    StaticSource,
    classify,
)
from router.execution._cooldown import FIRST_COOLDOWN, LONGEST_COOLDOWN

Call = Callable[[Model], object]


def test_the_best_model_answers(machine: Machine) -> None:
    """The first of the chain is called, and what it returns is the value."""
    client = Client()
    answer = machine.run(client, "line == sonnet")

    assert (answer.value, answer.model.id) == ("from claude-fake-1", "claude-fake-1")
    assert [str(each) for each in answer.attempts] == ["claude-fake-1 after 0.0 s: answered"]
    assert (answer.skipped, answer.moved_from) == ((), None)
    assert client.called == ["claude-fake-1"]


def test_the_next_model_answers(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """The answer carries every attempt, with its failure and its duration; a fallback is one line of the log."""
    told: list[tuple[str, str]] = []
    client = Client({IDS[0]: BUSY})
    client.ends[IDS[1]] = lambda: machine.clock.sleep(2.5)
    with caplog.at_level(logging.INFO, "router"):
        answer = machine.run(
            client, on_fallback=lambda attempt, model: told.append((attempt.model.id, model.id))
        )

    first, second = answer.attempts
    assert (first.model.id, first.error, first.failure and first.failure.status) == (
        IDS[0],
        BUSY,
        529,
    )
    assert (second.model.id, second.error, second.failure, second.duration) == (
        IDS[1],
        None,
        None,
        2.5,
    )
    assert told == [(IDS[0], IDS[1])]
    assert [record.getMessage() for record in caplog.records] == [
        f"a call for pdf_input goes to {IDS[0]}",
        f"{IDS[0]} failed (529 x: Overloaded): trying {IDS[1]}",
        f"a call for pdf_input goes to {IDS[1]}",
    ]


def test_records_have_fields(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """A record of a failed call has the failure, how long the call took, and the models before and after it."""

    def slow() -> None:
        machine.clock.sleep(2.5)
        raise BUSY

    ends = {IDS[0]: slow, IDS[1]: RefusedError(404), IDS[2]: LACKS}
    caplog.set_level(logging.INFO, "router")
    with pytest.raises(FallbackExhaustedError):
        machine.run(Client(ends), Policy(require=ANY, name="reports"))

    busy = {"failure": "next_model", "status": 529, "error_type": "x", "duration": 2.5}
    gone = {"failure": "next_model", "status": 404, "error_type": None, "duration": 0.0}
    lacks = {"failure": "lacks_feature", "status": 400, "error_type": "x", "duration": 0.0}
    expected: list[tuple[str, int, Mapping[str, Any]]] = [
        ("route", 1, {"changes": 0}),
        ("fallback", 2, {"previous_model_id": IDS[0], **busy}),
        ("route", 2, {"changes": 0}),
        ("cooldown", 2, {"seconds": FIRST_COOLDOWN, **gone}),
        ("fallback", 3, {"previous_model_id": IDS[1], **gone}),
        ("route", 3, {"changes": 0}),
        ("disagreement", 3, lacks),
        ("exhausted", 3, lacks),
    ]
    assert [extras(each) for each in caplog.records] == [
        {
            "router_event": event,
            "model_id": IDS[attempt - 1],
            "policy": "reports",
            "attempt": attempt,
            **{f"router_{name}": value for name, value in fields.items()},
        }
        for event, attempt, fields in expected
    ]


def test_a_run_that_fails_leaves_one_record(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """The last failure of an exhausted run is in the log too, with every attempt, in one line."""
    with pytest.raises(FallbackExhaustedError):
        machine.run(Client(all_but()), max_attempts=1)

    assert caplog.messages == [
        f"no model answered for pdf_input: max_attempts is 1; {IDS[0]} after 0.0 s: next_model, 529 x: Overloaded"
    ]


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ((25, 40), " (output 40 USD per million tokens, was 25)"),
        ((25.5, 5), " (output 5 USD per million tokens, was 25.5)"),
        ((25, 25), ""),
        ((None, 40), ""),
        ((25, None), ""),
    ],
)
def test_a_fallback_says_that_the_price_changes(
    prices: tuple[float | None, float | None], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The line of a fallback has both prices if they are known and differ."""
    listed = [
        {"id": name, **({} if price is None else {"price": {"output": price}})}
        for name, price in zip("ab", prices, strict=True)
    ]
    router = Router(StaticSource(Catalogue.from_listing(listed)))

    router.run("id == a", Client(), max_attempts=1)
    router.run(Policy(require="id == a", alternatives=["id == b"]), Client({"a": BUSY}))

    assert caplog.messages == [f"a failed (529 x: Overloaded): trying b{told}"]


def test_every_member_meets_the_need(machine: Machine) -> None:
    """R13: whatever fails, only those are called that meet the need, in the order of the candidates."""
    client = Client(all_but())
    with pytest.raises(FallbackExhaustedError):
        machine.run(client, "citations", max_attempts=9)

    assert client.called == ["claude-fake-0", "claude-fake-2", "claude-fake-4"]


def test_the_chain_of_a_policy() -> None:
    """A policy, by value or by name, gives its chain: preferences, then alternatives."""
    policy = Policy(
        require="line == haiku", prefer=["id == claude-fake-3"], alternatives=["line == opus"]
    )
    machine = Machine(policies={"reports": policy})
    for need in (policy, "reports"):
        client = Client(all_but())
        with pytest.raises(FallbackExhaustedError):
            Machine(policies={"reports": policy}).run(client, need, max_attempts=9)

        assert client.called == [f"claude-fake-{number}" for number in (3, 0, 2, 5)]
    assert machine.run(Client(), "reports").model.id == "claude-fake-3"


def test_nothing_meets_the_need(machine: Machine) -> None:
    """Where nothing meets the need nothing is called."""
    client = Client()
    with pytest.raises(NoModelError):
        machine.run(client, "line == opus and line == haiku")

    assert client.called == []


@pytest.mark.parametrize("status", [401, 402, 403, 413, 422, 400, 408, 429])
def test_what_no_model_cures(machine: Machine, status: int) -> None:
    """What is wrong with the request, the key or the account is raised as it came, and no other model is called."""
    error = RefusedError(status, "no")
    client = Client({IDS[0]: BUSY, IDS[1]: error})
    with pytest.raises(RefusedError) as raised:
        machine.run(client)

    assert raised.value is error
    assert raised.value.__notes__ == [
        f"before: {IDS[0]} after 0.0 s: next_model, 529 x: Overloaded"
    ]
    assert client.called == IDS[:2]
    assert machine.cooling() == []


@pytest.mark.parametrize(
    "error", [BugError("x"), KeyError("x"), KeyboardInterrupt(), SystemExit(2), GeneratorExit()]
)
def test_a_bug_of_the_callers(machine: Machine, error: BaseException) -> None:
    """R9: an exception that is no failure of an API comes out untouched, and no model is blamed for it."""
    client = Client({IDS[0]: BUSY, IDS[1]: error})
    with pytest.raises(type(error)) as raised:
        machine.run(client)

    assert raised.value is error
    assert not hasattr(error, "__notes__")
    assert client.called == IDS[:2]
    assert machine.cooling() == []


def test_a_larger_window(machine: Machine) -> None:
    """A request that is too long goes on only to models that are known to have room for it."""
    client = Client({IDS[0]: TOO_LONG, IDS[2]: BUSY, IDS[4]: BUSY})
    with pytest.raises(FallbackExhaustedError, match="no other has a larger window"):
        machine.run(client, max_attempts=9)

    assert client.called == [IDS[0], IDS[2], IDS[4]]
    assert machine.cooling() == []


def test_how_much_larger(machine: Machine) -> None:
    """Where the answer says how long the request is, a window that is larger but too small is passed over."""
    long = RefusedError(400, "prompt is too long: 600 tokens > 200 maximum")
    client = Client({IDS[0]: long, IDS[2]: BUSY})
    with pytest.raises(FallbackExhaustedError):
        machine.run(client, max_attempts=9)

    assert client.called == [IDS[0], IDS[2]]


def test_a_window_that_is_not_known(machine: Machine) -> None:
    """Nothing is known to be larger than a window that is not known."""
    client = Client({IDS[5]: RefusedError(400, "prompt is too long")})
    need = Policy(require="id == claude-fake-5", alternatives=["true"])
    with pytest.raises(FallbackExhaustedError):
        machine.run(client, need)

    assert client.called == [IDS[5]]


def test_a_disagreement_with_the_catalogue(caplog: pytest.LogCaptureFixture) -> None:
    """What the API says a model lacks puts it out for this run alone; the hook is told, and the catalogue stays."""
    told: list[Attempt] = []
    machine = Machine(on_disagreement=told.append)
    held = machine.router.catalogue
    client = Client({IDS[0]: LACKS})
    with caplog.at_level(logging.INFO, "router"):
        answers = [machine.run(client).model.id for _ in range(5)]

    assert answers == [IDS[1]] * 5
    assert client.called == IDS[:2] * 5
    assert [(each.model.id, each.error) for each in told] == [(IDS[0], LACKS)] * 5
    disagreement = f"{IDS[0]} meets pdf_input by the catalogue, but not by the API: 400 x: {LACKS}"
    assert [record.getMessage() for record in caplog.records[:4]] == [
        f"a call for pdf_input goes to {IDS[0]}",
        disagreement,
        f"{IDS[0]} failed (400 x: {LACKS}): trying {IDS[1]}",
        f"a call for pdf_input goes to {IDS[1]}",
    ]
    assert machine.router.catalogue is held
    assert machine.cooling() == []


@pytest.mark.parametrize("own", [True, False])
def test_the_disagreement_of_one_run(*, own: bool) -> None:
    """`on_disagreement` of a run is called in the place of the router's; without it, the router's is called."""
    told: list[tuple[str, Attempt]] = []
    machine = Machine(on_disagreement=lambda attempt: told.append(("router", attempt)))
    hook = (lambda attempt: told.append(("run", attempt))) if own else None
    machine.run(Client({IDS[0]: LACKS}), on_disagreement=hook)

    assert [(who, each.model.id) for who, each in told] == [("run" if own else "router", IDS[0])]


def test_a_catalogue_that_lists_what_is_gone() -> None:
    """S14: a model that is gone has the catalogue renewed by the next read, at most once a minute."""
    clock, wall = FakeClock(), FakeClock(NOON)
    source = FakeSource(CATALOGUE)
    router = Router(source, clock=clock, wall=wall, random=lambda: 0.0)
    gone = Client({IDS[0]: RefusedError(404)})
    router.run(ANY, gone)
    router.select(ANY)
    assert source.fetches == 1

    for each in (clock, wall):
        each.now += 61.0
    router.run(ANY, gone)
    router.select(ANY)
    assert eventually(lambda: source.fetches == 2)


def test_a_run_that_has_ended_is_forgotten(machine: Machine) -> None:
    """What a failed call held, as a request with its images, is let go with the answer, or with the error."""
    gc.collect()
    gc.disable()
    try:
        for ends in ({IDS[0]: 529}, dict.fromkeys(IDS, 529), {IDS[0]: 529, IDS[1]: 401}):
            kept: list[weakref.ref[LockedAnswer]] = []
            client = Holding(ends, kept)
            if machine.is_async:
                driven(machine.router.arun(ANY, client.acall))
            else:
                with suppress(StatusError, FallbackExhaustedError):
                    machine.run(client)
            assert kept
            assert [each() for each in kept] == [None] * len(kept)
    finally:
        gc.enable()


class LockedAnswer:
    """What a call holds while it is under way."""


def driven(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine that never waits, whatever it raises; an event loop would hold on to that."""
    try:  # noqa: SIM105 - `suppress` takes groups apart, and keeps the parts
        coroutine.send(None)
    except (StopIteration, StatusError, FallbackExhaustedError):
        pass


class StatusError(Exception):
    """What a client raises, without an answer that could be read."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status_code = status


class Holding(Client):
    """A client whose calls each hold something, and fail with an error of their own."""

    def __init__(self, ends: Mapping[str, int], kept: list[weakref.ref[LockedAnswer]]) -> None:
        super().__init__()
        self.statuses = ends
        self.kept = kept

    async def acall(self, model: Model) -> str:
        """Do the same when it is awaited, at once."""
        return self(model)

    def __call__(self, model: Model) -> str:
        held = LockedAnswer()
        self.kept.append(weakref.ref(held))
        if model.id in self.statuses:
            raise StatusError(self.statuses[model.id])
        return "well"


class SpeechlessError(RefusedError):
    """An error that takes no note."""

    def add_note(self, note: str) -> None:
        """Fail."""
        raise TypeError(note)


def test_an_error_that_takes_no_note(machine: Machine) -> None:
    """An error of the caller's comes out whether or not it can be noted what was tried before it, and once each."""
    mute, error = SpeechlessError(401), RefusedError(401)
    with pytest.raises(SpeechlessError):
        machine.run(Client({IDS[0]: LACKS, IDS[1]: mute}))
    for _ in range(2):
        with pytest.raises(RefusedError):
            machine.run(Client({IDS[0]: LACKS, IDS[1]: error}))

    assert len(error.__notes__) == 1


def test_a_classify_that_says_nothing_of_use(machine: Machine) -> None:
    """A `classify` that returns no failure says so, and gives the turn back."""
    for _ in range(2):
        machine.run(Client({IDS[0]: BUSY}))
    machine.clock.now += FIRST_COOLDOWN
    with pytest.raises(ConfigurationError, match="classify must return a Failure or None"):
        machine.run(Client({IDS[0]: BUSY}), classify=lambda _, __: FailureClass.NEXT_MODEL)
    client = Client()
    machine.run(client)

    assert client.called == IDS[:1]


def test_a_call_that_is_none(machine: Machine) -> None:
    """What cannot be called is told before anything else, also where the two arguments were swapped."""
    for call in ("claude-opus-5", None):
        with pytest.raises(ConfigurationError, match="call must be a function that takes a model"):
            machine.router.run(ANY, call)  # type: ignore[arg-type]


def test_hooks_that_nobody_would_await() -> None:
    """A hook that is a coroutine function is refused: it would never run."""

    async def hook(*_: object) -> None: ...

    with pytest.raises(ConfigurationError, match="on_fallback must not be a coroutine function"):
        Machine().run(Client(), on_fallback=hook)
    with pytest.raises(
        ConfigurationError, match="on_disagreement must not be a coroutine function"
    ):
        Machine(on_disagreement=hook)


def test_a_need_of_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    """However a need is laid out, what is told of it is one line; no need at all is `true`."""
    Machine().run(Client({IDS[0]: LACKS}), "pdf_input\nand true")
    Machine().run(Client({IDS[0]: LACKS}), None)
    told = [record.getMessage() for record in caplog.records]

    assert [each for each in told if "\n" in each] == []
    assert f"{IDS[0]} meets true by the catalogue" in told[2]


def test_hooks_that_fail(caplog: pytest.LogCaptureFixture) -> None:
    """What a hook raises is its own affair, and is logged."""

    def failing(*_: object) -> None:
        raise BugError("hook")

    machine = Machine(on_disagreement=failing)
    with caplog.at_level(logging.ERROR, "router"):
        answer = machine.run(Client({IDS[0]: LACKS}), on_fallback=failing)

    assert answer.model.id == IDS[1]
    assert [record.getMessage() for record in caplog.records] == [
        "the hook on_disagreement failed",
        "the hook on_fallback failed",
    ]


def test_an_interrupt_in_a_hook_gives_the_turn_back(machine: Machine) -> None:
    """An interrupt between two calls leaves the next model to be probed by whoever comes next."""
    machine.run(Client({IDS[0]: LACKS, IDS[1]: BUSY}))
    machine.run(Client({IDS[0]: LACKS, IDS[1]: BUSY}))
    assert machine.cooling() == [IDS[1]]
    machine.clock.now += FIRST_COOLDOWN

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        machine.run(Client({IDS[0]: LACKS}), on_fallback=interrupted)
    client = Client({IDS[0]: LACKS})
    machine.run(client)

    assert client.called == IDS[:2]


def test_the_deadline(machine: Machine) -> None:
    """When the deadline is over no further model is called; the first is called whatever the deadline."""
    client = Client(dict.fromkeys(IDS))

    def slow() -> None:
        machine.clock.now += 4.0
        raise BUSY

    client.ends = dict.fromkeys(IDS, slow)
    with pytest.raises(FallbackExhaustedError, match="the deadline of 7 s is over"):
        machine.run(client, max_attempts=9, deadline=7)

    assert client.called == IDS[:2]


@pytest.mark.parametrize(
    "arguments", [{"allowed_fails": 0}, {"allowed_fails": 1.5}, {"on_disagreement": 3}], ids=str
)
def test_routers_that_cannot_be(arguments: Mapping[str, Any]) -> None:
    """R16: what makes no sense of a router is refused when it is made."""
    with pytest.raises(ConfigurationError, match=next(iter(arguments))):
        Machine(**arguments)


def test_an_asynchronous_call_is_not_run() -> None:
    """A coroutine that `run` is given is no value: it says what to use, and leaves nothing that was never awaited."""
    with pytest.raises(ConfigurationError, match="arun awaits it"):
        Machine().router.run(ANY, Client().acall)


def test_what_a_failure_means_can_be_said(machine: Machine) -> None:
    """`classify` decides in place of the table; what it leaves out is the caller's own."""

    def mine(error: Exception, model: Model) -> Any:
        failure = classify(BUSY, model)
        assert failure is not None
        return (
            failure if isinstance(error, BugError) else evolve(failure, kind=FailureClass.GIVE_UP)
        )

    client = Client({IDS[0]: BugError("x"), IDS[1]: BUSY})
    with pytest.raises(RefusedError):
        machine.run(client, classify=mine)
    assert client.called == IDS[:2]

    client = Client({IDS[0]: BUSY})
    with pytest.raises(RefusedError):
        machine.run(client, classify=lambda _, __: None)
    assert client.called == IDS[:1]


def test_a_classify_that_fails_gives_the_turn_back(machine: Machine) -> None:
    """A `classify` that raises is a bug of the caller's, and no model's fault."""

    def failing(_: Exception, __: Model) -> Any:
        raise BugError("classify")

    for _ in range(2):
        machine.run(Client({IDS[0]: BUSY}))
    machine.clock.now += FIRST_COOLDOWN
    with pytest.raises(BugError, match="classify"):
        machine.run(Client({IDS[0]: BUSY}), classify=failing)
    client = Client()
    machine.run(client)

    assert client.called == IDS[:1]


# Cooldowns


def test_a_dead_primary_is_not_paid_for_again(machine: Machine) -> None:
    """R7: a model that has failed twice is passed over, until the time is over; the answer says so."""
    client = Client({IDS[0]: BUSY})
    answers = [machine.run(client) for _ in range(5)]

    assert client.called == [*IDS[:2], *IDS[:2], *[IDS[1]] * 3]
    assert [each.skipped for each in answers] == [(), (), *[(IDS[0],)] * 3]
    machine.clock.now += FIRST_COOLDOWN
    assert machine.run(Client()).model.id == IDS[0]
    assert machine.cooling() == []


def test_select_does_not_change(machine: Machine) -> None:
    """A call that failed changes no answer of `select` or of a selector."""
    pick = machine.router.selector(ANY)
    for _ in range(3):
        machine.run(Client({IDS[0]: BUSY}))

    assert machine.cooling() == [IDS[0]]
    assert [machine.router.select(ANY).id, pick().id] == [IDS[0]] * 2
    assert machine.router.candidates(ANY)[0].id == IDS[0]


def test_all_are_set_aside(machine: Machine) -> None:
    """R10: where all are set aside the one that comes back first is tried, and no other."""
    for seconds, id in enumerate(IDS, start=10):
        only = Client({id: RefusedError(429, "slow down", retry_after=100.0 - seconds)})
        with pytest.raises(FallbackExhaustedError):
            machine.run(only, f"id == {id}")
    assert machine.cooling() == IDS[::-1]

    client = Client()
    answer = machine.run(client)
    assert client.called == [IDS[-1]]
    assert (answer.model.id, answer.skipped) == (IDS[-1], tuple(IDS[:-1]))
    assert machine.cooling() == IDS[-2::-1]

    client = Client(all_but())
    with pytest.raises(FallbackExhaustedError, match="the others are cooling down") as raised:
        machine.run(client)
    assert client.called == [IDS[-1]]
    assert raised.value.skipped == tuple(IDS[:-1])


def test_what_has_cooled_meanwhile_is_called_in_the_same_run(machine: Machine) -> None:
    """A model whose time is over while the run goes on is no more passed over."""
    for _ in range(2):
        machine.run(Client({IDS[0]: BUSY}))

    def slow() -> None:
        machine.clock.now += FIRST_COOLDOWN
        raise BUSY

    client = Client({IDS[1]: slow})
    answer = machine.run(client)

    assert client.called == [IDS[1], IDS[0]]
    assert answer.skipped == ()


def test_first_runs_of_many_threads_share_what_they_learn() -> None:
    """However many threads begin the first run of a router at once, they count failures together."""
    machine = Machine(allowed_fails=50)
    together, opened, open_calls = (
        threading.Barrier(50),
        list[None](),
        machine.router._open_call_state,
    )

    def slowly() -> Any:
        opened.append(None)
        threading.Event().wait(0.05)  # while the others come to ask as well
        return open_calls()

    machine.router._open_call_state = slowly

    def work() -> None:
        together.wait(30)
        machine.run(Client({IDS[0]: BUSY}))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(50)]
    for thread in threads:
        thread.start()
    join(threads)

    assert [each.failures for each in machine.router.status().cooling] == [50]
    assert len(opened) == 1


@pytest.mark.parametrize("end", [TOO_LONG, LACKS], ids=str)
def test_who_is_set_aside_is_tried_before_none(machine: Machine, end: Exception) -> None:
    """R10: where no model has failed in this run, one that is set aside is called rather than none."""
    for _ in range(2):
        machine.run(Client({IDS[2]: BUSY}), "line == opus")
    assert machine.cooling() == [IDS[2]]

    client = Client({IDS[0]: end})
    assert machine.run(client, "id in (claude-fake-0, claude-fake-2)").model.id == IDS[2]
    assert client.called == [IDS[0], IDS[2]]


@pytest.mark.parametrize("is_alone", [False, True])
@pytest.mark.parametrize("end", [None, BUSY, BugError("x"), LACKS, RefusedError(401)], ids=str)
def test_one_probe_among_many(end: Exception | None, is_alone: bool) -> None:
    """R11: at the end of a cooldown one of 200 threads probes the model; the others are answered by the next one.

    Also where that one is itself set aside, as all others are.
    """
    machine = Machine()
    for _ in range(2):
        machine.run(Client({IDS[0]: BUSY}))
    if is_alone:
        for id in IDS[1:]:
            with pytest.raises(FallbackExhaustedError):
                machine.run(
                    Client({id: RefusedError(429, "x", 60.0 + IDS.index(id))}), f"id == {id}"
                )
    machine.clock.now += FIRST_COOLDOWN
    others, called, lock = threading.Barrier(200), list[str](), threading.Lock()

    def call(model: Model) -> str:
        with lock:
            called.append(model.id)
        others.wait(30)  # until each of the 200 has been let in
        if model.id == IDS[0] and end is not None:
            raise end
        return model.id

    outcomes: list[object] = []

    def work() -> None:
        try:
            outcomes.append(machine.router.run(ANY, call, max_attempts=1).model.id)
        except Exception as error:  # noqa: BLE001 - the outcome of that thread
            outcomes.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(200)]
    for thread in threads:
        thread.start()
    join(threads)

    assert len(outcomes) == 200
    assert (called.count(IDS[0]), called.count(IDS[1])) == (1, 199)
    assert outcomes.count(IDS[1]) == 199


# Stickiness


def test_a_conversation_stays(machine: Machine) -> None:
    """A conversation stays with the model that answered it, also when a better one comes back."""
    first = machine.run(Client({IDS[0]: BUSY}), sticky="k")
    second = machine.run(Client(), sticky="k")
    other = machine.run(Client(), sticky="other")

    assert [each.model.id for each in (first, second, other)] == [IDS[1], IDS[1], IDS[0]]
    assert [each.moved_from for each in (first, second, other)] == [None] * 3


def test_a_conversation_moves_when_its_model_fails(machine: Machine) -> None:
    """A conversation whose model fails goes on with the next one and stays there, and the answer says so."""
    machine.run(Client({IDS[0]: BUSY}), sticky="k")
    moved = machine.run(Client({IDS[1]: BUSY}), sticky="k")
    after = machine.run(Client(), sticky="k")

    assert (moved.model.id, moved.moved_from) == (IDS[0], IDS[1])
    assert (after.model.id, after.moved_from) == (IDS[0], None)


def test_a_conversation_moves_when_its_model_no_longer_will_do(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """A conversation whose model does not meet the need goes on with the best one that does, and says so."""
    machine.run(Client(), sticky="k")
    with caplog.at_level(logging.INFO, "router"):
        moved = machine.run(Client(), "line == opus", sticky="k")

    assert (moved.model.id, moved.moved_from) == (IDS[2], IDS[0])
    assert [record.getMessage() for record in caplog.records] == [
        f"{IDS[0]} does not meet line == opus: its conversation moves on",
        f"a call for line == opus goes to {IDS[2]}",
    ]


def test_a_conversation_that_was_never_answered(machine: Machine) -> None:
    """A run that fails leaves the conversation as it was."""
    machine.run(Client(), sticky="k")
    with pytest.raises(BugError):
        machine.run(Client({IDS[0]: BugError()}), sticky="k")

    assert machine.run(Client(), sticky="k").moved_from is None


def test_two_first_runs_of_one_conversation() -> None:
    """Where two first runs of a conversation are answered by two models, the one that comes second says so."""
    machine = Machine()
    second: list[Answer[str]] = []
    client = Client(
        {IDS[0]: lambda: second.append(machine.run(Client({IDS[0]: LACKS}), sticky="k"))}
    )
    first = machine.run(client, sticky="k")

    assert (second[0].model.id, second[0].moved_from) == (IDS[1], None)
    assert (first.model.id, first.moved_from) == (IDS[0], IDS[1])
    assert machine.run(Client(), sticky="k").model.id == IDS[1]


# What must hold whatever happens, held to a definition without threads


@frozen
class Said:
    """What the definition says of one run."""

    called: list[str]
    end: object


class Definition:
    """The rules of a run, written down plainly: chance makes no difference, and one run ends before the next begins."""

    def __init__(self) -> None:
        self.failures: dict[str, int] = {}
        self.coolings: dict[str, int] = {}
        self.since: dict[str, float] = {}
        self.until: dict[str, float] = {}
        self.with_whom: dict[Hashable, str] = {}

    def is_aside(self, id: str, now: float) -> bool:
        """Return whether the model is passed over."""
        return now < self.until.get(id, 0.0)

    def run(
        self,
        chain: Sequence[Model],
        ends: Mapping[str, object],
        clock: Clock,
        terms: Mapping[str, Any],
    ) -> Said:
        """Return who is called, and what comes out: the id that answers, what is raised, or that all have failed."""
        began, called, room, was_down = clock.now, list[str](), 0, False
        sticky = terms.get("sticky")
        chain = sorted(chain, key=lambda model: model.id != self.with_whom.get(sticky))
        while len(called) < terms["max_attempts"]:
            left = [
                each
                for each in chain
                if each.id not in called and (each.max_input_tokens or 0) >= room
            ]
            ready = [each for each in left if not self.is_aside(each.id, clock.now)]
            is_over = called and terms["deadline"] and clock.now - began >= terms["deadline"]
            if not left or is_over or (was_down and not ready):
                break
            model = ready[0] if ready else min(left, key=lambda each: self.until[each.id])
            called.append(model.id)
            end, taken = ends[model.id], clock.now
            if isinstance(end, float):
                clock.now += end
                end = BUSY
            if end is None:
                for known in (self.failures, self.coolings, self.since, self.until):
                    known.pop(model.id, None)
                if sticky is not None:
                    self.with_whom[sticky] = model.id
                return Said(called, model.id)
            if end is TOO_LONG:
                room = max(room, 300, (model.max_input_tokens or 0) + 1)
            elif end is not LACKS:
                assert isinstance(end, BaseException)
                if not isinstance(end, RefusedError) or end.status_code == 401:
                    return Said(called, end)
                was_down = True
                self.fail(model.id, end, taken, clock.now)
        return Said(called, FallbackExhaustedError)

    def fail(self, id: str, end: RefusedError, taken: float, now: float) -> None:
        """Take note of a failure that is the model's own."""
        named = float(end.headers["retry-after"]) if end.headers else 0.0
        if taken <= self.since.get(id, 0.0) and not named:
            return
        self.failures[id] = self.failures.get(id, 0) + 1
        is_due = end.status_code == 404 or self.failures[id] >= 2
        doubled = (
            min(LONGEST_COOLDOWN, FIRST_COOLDOWN * 2.0 ** self.coolings.get(id, 0))
            if is_due
            else 0.0
        )
        if named or doubled:
            if not self.is_aside(id, now):
                self.coolings[id] = self.coolings.get(id, 0) + 1
                self.since[id] = now
            self.until[id] = max(self.until.get(id, 0.0), now + max(named, doubled))


class Clock:
    """The clock of the definition."""

    def __init__(self, now: float) -> None:
        self.now = now


ENDS = st.sampled_from(
    [
        None,
        BUSY,
        RefusedError(503),
        RefusedError(404),
        RefusedError(429, "x", 3.0),
        RefusedError(429, "x", 90.0),
        TOO_LONG,
        LACKS,
        RefusedError(401),
        BugError("x"),
        KeyboardInterrupt(),
        1.0,
        20.0,
    ]
)
NEEDS = {
    need: CATALOGUE.candidates(need)
    for need in (ANY, "citations", "line == opus", "id == claude-fake-5")
}


class Runs(RuleBasedStateMachine):
    """Runs of every kind, one after the other, against the definition."""

    @initialize(is_async=st.booleans())
    def start(self, is_async: bool) -> None:
        self.machine = Machine()
        self.machine.is_async = is_async
        self.definition = Definition()

    @rule(seconds=st.sampled_from([0.5, 5.0, 7.0, 60.0, 1000.0]))
    def passes(self, seconds: float) -> None:
        self.machine.clock.now += seconds

    @rule(
        need=st.sampled_from(sorted(NEEDS)),
        ends=st.fixed_dictionaries(dict.fromkeys(IDS, ENDS)),
        max_attempts=st.integers(1, 7),
        deadline=st.none() | st.sampled_from([0.5, 10.0, 30.0]),
        sticky=st.none() | st.sampled_from(["k", "l"]),
    )
    def runs(self, need: str, ends: dict[str, object], **terms: Any) -> None:
        clock = self.machine.clock
        said = self.definition.run(NEEDS[need], ends, Clock(clock.now), terms)
        client = Client(
            {id: self.slow(end) if isinstance(end, float) else end for id, end in ends.items()}
        )
        try:
            answer = self.machine.run(client, need, **terms)
        except FallbackExhaustedError as error:
            end: object = FallbackExhaustedError
            attempts: Sequence[Attempt] = error.attempts
        except BaseException as error:  # noqa: BLE001 - what comes out is what is compared
            end, attempts = error, ()
        else:
            end, attempts = answer.model.id, answer.attempts

        assert client.called == said.called
        assert end == said.end
        assert not attempts or [each.model.id for each in attempts] == said.called
        assert len(set(client.called)) == len(client.called) <= terms["max_attempts"]
        assert {*client.called} <= {model.id for model in NEEDS[need]}

    def slow(self, seconds: float) -> Callable[[], None]:
        def passes() -> None:
            self.machine.clock.now += seconds
            raise BUSY

        return passes

    @invariant()
    def skipped(self) -> None:
        now = self.machine.clock.now
        expected = {id: until - now for id, until in self.definition.until.items() if now < until}
        noon = datetime.fromtimestamp(NOON, UTC)
        found = {
            each.model_id: (each.until - noon).total_seconds()
            for each in self.machine.router.status().cooling
        }

        assert found == pytest.approx(expected)


Runs.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestRuns = Runs.TestCase


def test_why_no_other_model_is_called() -> None:
    """The error says whether other models are left."""
    client = Client(dict.fromkeys(IDS, BUSY))
    machine = Machine(allowed_fails=1)
    with pytest.raises(FallbackExhaustedError) as raised:
        machine.run(client, max_attempts=99)
    assert str(raised.value).splitlines()[0].endswith(": no other meets the need")

    with pytest.raises(FallbackExhaustedError) as raised:
        machine.run(client, max_attempts=99)
    assert str(raised.value).splitlines()[0].endswith(": the others are cooling down")


def test_classify_is_given_the_model_that_failed(machine: Machine) -> None:
    """`classify` hears which model the error is of."""
    seen: list[str] = []

    def mine(error: Exception, model: Model) -> Any:
        seen.append(model.id)
        return classify(error, model)

    machine.run(Client({IDS[0]: BUSY, IDS[1]: BUSY}), classify=mine)

    assert seen == IDS[:2]
