"""The options that several commands take, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, Final

import click

from router._errors import (
    ConfigurationError,
    RequirementError,
    did_you_mean,
    join_names,
    nearest,
    quoted,
)
from router.catalogue._policy import Policy
from router.catalogue._policy_file import find_policies, read_policies
from router.models._field_types import read_days
from router.requirements._expression import Requirement
from router.requirements._parser import require

_NAMES: Final = {"min_input_tokens": "--min-context", "min_output_tokens": "--min-output"}
"""The option behind each keyword that an error may name."""

_MAX_COMMANDS: Final = 4
"""The most commands that an error names."""

policies_option: Final = click.option(
    "--policies",
    metavar="FILE",
    help="The file of policies; by default the nearest router.toml, or pyproject.toml with "
    "[tool.router].",
)
policy_option: Final = click.option(
    "--policy",
    metavar="NAME",
    help="Use this policy instead of REQUIREMENT.",
)
where_option: Final = click.option(
    "--where",
    metavar="REQUIREMENT",
    help="Only the models known to meet it; no default filters apply.",
)
frozen_option: Final = click.option(
    "--frozen",
    is_flag=True,
    help="Never look at the network: use what is kept on disk, else the bundled catalogue.",
)
_NEEDS: Final = (
    click.argument("requirement", required=False),
    click.option(
        "--thinking",
        multiple=True,
        metavar="TYPE",
        help="Takes this type of thinking, such as adaptive.",
    ),
    click.option(
        "--effort", multiple=True, metavar="LEVEL", help="Takes this effort level, such as high."
    ),
    click.option("--pdf", "pdf_input", is_flag=True, help="Takes PDF input."),
    click.option(
        "--min-context",
        "min_input_tokens",
        metavar="TOKENS",
        help="At least this context window, such as 200k.",
    ),
    click.option(
        "--min-output",
        "min_output_tokens",
        metavar="TOKENS",
        help="At least this much output, such as 64k.",
    ),
    click.option("--line", multiple=True, metavar="LINE", help="Of this line, such as opus."),
    policy_option,
    policies_option,
)
_KEYWORDS: Final = (
    "thinking",
    "effort",
    "pdf_input",
    "min_input_tokens",
    "min_output_tokens",
    "line",
)


def needs(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what is needed, and pass it to the command as `asked`."""

    @wraps(command)
    def run(
        *, requirement: str | None, policy: str | None, policies: str | None, **values: Any
    ) -> None:
        keywords = {name: values.pop(name) for name in _KEYWORDS}
        # An empty text stays: a shell variable that is unset by mistake must not widen the need.
        given = {name: need for name, need in keywords.items() if need not in (None, False, ())}
        asked = asked_for(
            requirement,
            policy,
            policies,
            conflict="REQUIREMENT or other needs",
            **given,
        )
        command(asked=asked, **values)

    for option in reversed(_NEEDS):
        run = option(run)
    return run


def within_option(default: str, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option `--within`, a duration such as 60d or 2w that the command gets in days."""
    return click.option(
        "--within",
        metavar="DURATION",
        callback=lambda _, option, text: read_days(option.opts[0], text),
        default=default,
        show_default=True,
        help=help,
    )


def asked_for(
    requirement: str | None,
    policy: str | None,
    policies: str | None,
    *,
    conflict: str,
    **keywords: Any,
) -> Requirement | Policy:
    """Return the policy of that name, or else the requirement.

    Raises `ConfigurationError` if both are given; its text names `conflict`.
    """
    if policy is not None:
        if requirement is not None or keywords:
            raise ConfigurationError(f"--policy cannot be combined with {conflict}")
        path = policy_file(policies)
        return policy_of(policy, read_policies(path), path)
    if policies is not None:
        raise ConfigurationError("--policies names a file; --policy says which policy of it")
    try:
        return require(requirement, **keywords)
    except RequirementError as error:
        keyword, sign, problem = str(error).partition("= ")
        if not sign or keyword not in _NAMES:
            raise
        raise ConfigurationError(f"{_NAMES[keyword]} {problem}") from None


def policy_file(path: str | None) -> str:
    """Return the file of policies, by default the nearest; raises `ConfigurationError`."""
    path = path or find_policies()
    if path is None:
        raise ConfigurationError(
            "no policies: there is no router.toml here or above; --policies names a file"
        )
    return path


def policy_of(name: str, policies: Mapping[str, Policy], path: str) -> Policy:
    """Return the policy of that name among those of a file; raises `ConfigurationError`."""
    if name not in policies:
        near = nearest(name, policies, limit=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        known = join_names(tuple(policies)) or "none"
        raise ConfigurationError(f"{path} has no policy {quoted(name)}{hint} (policies: {known})")
    return policies[name]


def no_such_option(error: click.NoSuchOption) -> click.UsageError:
    """Return the error of an unknown option with the commands that have it, or a similar option."""
    name, context = error.option_name, error.ctx
    if context is None:
        return error
    below = context if isinstance(context.command, click.Group) else context.find_root()
    having = [
        path
        for path, command in _commands(below.command_path, below.command)
        if name in _options_of(command)
    ]
    if having:
        hidden = len(having) - _MAX_COMMANDS
        *most, last = [*having[:_MAX_COMMANDS], *([f"{hidden} more"] if hidden > 0 else [])]
        listed = f"{', '.join(most)} and {last} have" if most else f"{last} has"
        hint = f"; {listed} it"
    else:
        # The dashes would make all options alike.
        own = {each.lstrip("-"): each for each in _options_of(context.command)}
        hint = did_you_mean([own[each] for each in nearest(name.lstrip("-"), own)])
    return click.UsageError(f"No such option '{name}'{hint}", context)


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those below it, each with what one types to call it."""
    yield path, command
    if isinstance(command, click.Group):
        for name, each in sorted(command.commands.items()):
            yield from _commands(f"{path} {name}", each)


def _options_of(command: click.Command) -> list[str]:
    return [name for each in command.params if isinstance(each, click.Option) for name in each.opts]
