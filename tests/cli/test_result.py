"""The result of a command: printed for people or as JSON, and told by the exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner
from click.testing import Result as Ended

from router import Catalogue
from router.cli._result import Result, prints_result, prints_result_from_catalogue
from router.cli._session import Session


def ran(command: click.Command, *arguments: str) -> Ended:
    """Run a command with its output piped."""
    return CliRunner().invoke(command, arguments)


def result(**also: Any) -> Result[int]:
    """Return a result that is printed as a number, or as a list of it."""
    return Result(7, lambda value: {"number": value}, click.echo, **also)


@pytest.mark.parametrize("decorate", [prints_result, prints_result_from_catalogue])
def test_a_result_is_printed_in_one_way(decorate: Callable[..., Any]) -> None:
    """As text, or as JSON if that is asked for, and never both."""
    command = click.command()(decorate(lambda *_: result()))

    assert ran(command).stdout == "7\n"
    assert json.loads(ran(command, "--json").stdout) == {"schema": 1, "number": 7}


@pytest.mark.parametrize(
    ("also", "status"),
    [
        ({}, 0),
        ({"found": ["something"], "failure": 2}, 0),
        ({"found": False}, 1),
        ({"found": ()}, 1),
        ({"found": False, "failure": 2}, 2),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", [[], ["--json"]], ids=str)
def test_the_status_says_whether_it_was_found(
    also: dict[str, Any], status: int, how: list[str]
) -> None:
    """A negative result is printed all the same, and then ends with its status."""
    ended = ran(click.command()(prints_result(lambda: result(**also))), *how)

    assert ended.exit_code == status
    assert "7" in ended.stdout


def test_a_session_is_what_its_options_say(listing: str) -> None:
    """A command that needs a catalogue is given the session of it, and no other word of its options."""
    given: list[tuple[Session, dict[str, Any]]] = []

    def run(session: Session, **values: Any) -> Result[int]:
        given.append((session, values))
        return result()

    command = click.command()(prints_result_from_catalogue(run))
    for how in ([], ["--json", "--no-color"]):
        assert ran(command, "--source", listing, *how).exit_code == 0

    assert [values for _, values in given] == [{}, {}]
    assert [session.as_json for session, _ in given] == [False, True]
    assert given[0][0].catalogue.source == "file"
    assert given[0][0].catalogue.digest != Catalogue.bundled().digest
