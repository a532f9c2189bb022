"""The options of several commands: each is a spelling of a requirement."""

from typing import Final

import click
import pytest
from terminal import (
    Command,
)

from router.cli._commands import cli

ANSWERING: Final = ("select", "candidates", "explain")

FLAGS: Final = [
    (["--thinking", "adaptive"], "thinking.adaptive"),
    (["--thinking", "adaptive", "--thinking", "enabled"], "thinking.adaptive or thinking.enabled"),
    (["--effort", "high"], "effort.high"),
    (["--effort", "low", "--effort", "max"], "effort.low or effort.max"),
    (["--pdf"], "pdf_input"),
    (["--min-context", "500k"], "max_input_tokens >= 500k"),
    (["--min-output", "64k"], "max_tokens >= 64k"),
    (["--line", "large"], "line == large"),
    (["--line", "large", "--line", "small"], "line in (large, small)"),
    (
        ["--pdf", "--line", "large", "price.output <= 20"],
        "pdf_input and line == large and price.output <= 20",
    ),
    (
        ["--min-output", "1k", "max_tokens < 65k or effort.max"],
        "max_tokens >= 1k and (max_tokens < 65k or effort.max)",
    ),
]


@pytest.mark.parametrize("name", ANSWERING)
@pytest.mark.parametrize(("flags", "text"), FLAGS)
def test_options_say_what_the_text_says(
    command: Command, listing: str, name: str, flags: list[str], text: str
) -> None:
    """Each option is a spelling of a requirement, and counts together with the text."""
    by_flags, by_text, by_none = (
        command(name, *asked, "--source", listing, "--json") for asked in (flags, [text], [])
    )
    assert by_flags == by_text
    assert by_flags != by_none, "an option that is not heeded answers as none does"


@pytest.mark.parametrize(
    "option",
    [
        "--thinking",
        "--effort",
        "--min-context",
        "--min-output",
        "--line",
        "--source",
        "--lifecycle",
    ],
)
def test_an_empty_value_is_never_as_if_the_option_were_not_there(
    command: Command, option: str
) -> None:
    """A shell variable that is unset by mistake must not widen what is asked."""
    assert command("select", option, "").status != 0


@pytest.mark.parametrize("name", ANSWERING)
def test_the_needs_of_the_card_have_options(command: Command, name: str) -> None:
    """Each of them is in the help text."""
    out = command(name, "--help").out
    for option in ("--thinking", "--effort", "--pdf", "--min-context", "--min-output", "--line"):
        assert f"  {option} " in out


@pytest.mark.parametrize("option", ["--min-context", "--min-output"])
def test_an_option_is_told_by_its_own_name(command: Command, option: str) -> None:
    """What an option cannot mean is told of the option, not of the keyword behind it."""
    ran = command("select", option, "20x")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"router: {option} must be a whole number such as 200000")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["select", "--where", "x"], "'--where'; router matrix and router models have it"),
        (["models", "--limit", "3"], "'--limit'; router candidates has it"),
        (["audit", "--upgrade"], "'--upgrade'; router lock has it"),
        (["lock", "--dry"], "'--dry'; did you mean --dry-run?"),
        (["select", "--minimum-context", "3"], "'--minimum-context'; did you mean --min-context?"),
        (["audit", "--exclude", "x"], "'--exclude'"),
        (["status", "--upgrade"], "'--upgrade'; router lock has it"),
        (["-x"], "'-x'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_unknown_option_says_who_has_it(
    command: Command, arguments: list[str], problem: str
) -> None:
    """An option of other commands is an error that names them, and no option that only looks alike."""
    ran = command(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.splitlines()[-1] == f"Error: No such option {problem}"


def test_few_commands_are_named(command: Command) -> None:
    """The error names the first commands if most of them have the option."""
    error = command("--json", "select").err.splitlines()[-1]
    assert error.startswith(
        "Error: No such option '--json'; router audit, router cache clear, router cache path"
    )
    assert error.endswith(" more have it")
    assert len(error) < 150


def test_each_option_of_each_command_is_found(command: Command) -> None:
    """Whatever option a command has, another one without it names that command."""
    for name, each in cli.commands.items():
        for option in [option for option in each.params if isinstance(option, click.Option)]:
            if option.opts[0] not in {"--json", "--help", "--source", "--lifecycle", "--no-color"}:
                error = command("status", option.opts[0]).err
                assert f"router {name}" in error or " more have it" in error
