"""The options of a run: which there are, and which values are refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_type_hints

import pytest
from fallback_runs import ANY, CATALOGUE, Client, Machine

from router import ConfigurationError, Router, RunOptions, StaticSource, auto_model
from router.execution._options import check_options

REQUEST = {"max_tokens": 10, "messages": [{"role": "user", "content": "Hello."}]}


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"max_attempts": 0}, "max_attempts must be an int of at least 1 (got 0)"),
        ({"max_attempts": -1}, "max_attempts must be"),
        ({"max_attempts": True}, "max_attempts must be"),
        ({"max_attempts": 2.0}, "max_attempts must be"),
        ({"max_attempts": None}, "max_attempts must be"),
        ({"deadline": 0}, "deadline must be a number of seconds above 0 and at most 1e+09 (got 0)"),
        ({"deadline": -1.0}, "deadline must be"),
        ({"deadline": float("nan")}, "deadline must be"),
        ({"deadline": float("inf")}, "deadline must be"),
        (
            {"deadline": 2e9},
            "deadline must be a number of seconds above 0 and at most 1e+09 (got 2000000000.0)",
        ),
        ({"deadline": "5"}, "deadline must be"),
        ({"deadline": True}, "deadline must be"),
        ({"sticky": []}, "sticky must be a key such as a conversation's id (got list)"),
        ({"on_fallback": 1}, "on_fallback must be a function (got int)"),
        ({"classify": "x"}, "classify must be a function (got str)"),
        ({"on_disagreement": "x"}, "on_disagreement must be a function (got str)"),
    ],
    ids=str,
)
def test_terms_that_cannot_be_kept(machine: Machine, terms: Mapping[str, Any], said: str) -> None:
    """R16: what makes no sense is refused before anything is called."""
    client = Client()
    with pytest.raises(ConfigurationError) as raised:
        machine.run(client, **terms)

    assert said in str(raised.value)
    assert client.called == []


@pytest.mark.parametrize(
    "seconds",
    [0, -1, 1e-9, 1, 2.5, 1e9, 1e9 + 1, float("inf"), float("nan"), True, "5", []],
)
def test_deadlines_have_one_limit(seconds: Any) -> None:
    """`Router`, a run and `auto_model` take the same deadlines, and refuse the others with the same message."""
    router = Machine().router
    takers: list[Callable[[], object]] = [
        partial(Router, StaticSource(CATALOGUE), deadline=seconds),
        partial(router.run, ANY, Client(), deadline=seconds),
        partial(router.run_request, REQUEST, dict, deadline=seconds),
        partial(router.begin, ANY, deadline=seconds),
        partial(auto_model, router, deadline=seconds),
    ]
    told = set()
    for taker in takers:
        try:
            taker()
        except ConfigurationError as error:
            told.add(str(error))
        else:
            told.add("")

    assert len(told) == 1
    is_taken = isinstance(seconds, int | float) and seconds is not True and 0 < seconds <= 1e9
    assert (told == {""}) is is_taken


def test_an_unknown_option() -> None:
    """An unknown argument is a `TypeError` that lists the options, before anything is called."""
    router = Machine().router
    begins: list[Callable[..., object]] = [
        partial(router.begin, ANY),
        partial(router.run, ANY, Client()),
        partial(router.run_request, REQUEST, dict),
    ]
    for begin in begins:
        with pytest.raises(TypeError, match="unexpected argument 'max_attemps': a run takes max_"):
            begin(max_attemps=2)


def test_options_are_said_once() -> None:
    """Five methods take the options of `RunOptions`, which says what each of them means."""
    methods: list[Callable[..., object]] = [
        Router.begin,
        Router.run,
        Router.arun,
        Router.run_request,
        Router.arun_request,
    ]

    for method in methods:
        *_, options = inspect.signature(method).parameters.values()
        assert (options.kind, str(options.annotation)) == (
            inspect.Parameter.VAR_KEYWORD,
            "Unpack[RunOptions]",
        )
    assert all(f"`{name}" in (RunOptions.__doc__ or "") for name in get_type_hints(RunOptions))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_attempts": 1, "deadline": 0.1, "sticky": ("a", 1), "classify": None},
        {"deadline": None, "sticky": None, "on_fallback": print, "on_disagreement": None},
    ],
    ids=str,
)
def test_options_that_can_be_kept(options: Mapping[str, object]) -> None:
    """`None` stands for an option that has no value by default, and every hashable is a key."""
    check_options(options)
