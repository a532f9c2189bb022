"""The options that several commands take, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from router._errors import ConfigurationError, listed, nearest, quoted
from router.catalogue._policy import Policy, find_policies, read_policies
from router.models._field_types import read_days

Command = TypeVar("Command", bound=Callable[..., Any])


def as_days(_: click.Context, option: click.Parameter, text: str) -> int:
    """Return the days of a duration such as 60d or 2w: the callback of an option."""
    return read_days(option.opts[0], text)


policies_option: Final = click.option(
    "--policies",
    metavar="FILE",
    help="The file of policies; by default the nearest router.toml, or pyproject.toml with [tool.router].",
)
as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def common(command: Command) -> Command:
    """Add the options that every command takes."""
    for option in (
        click.option(
            "--no-color",
            is_flag=True,
            help="No colour, not even on a terminal (NO_COLOR does the same).",
        ),
        as_json,
        click.option(
            "--lifecycle",
            multiple=True,
            type=click.Choice(["active", "deprecated", "retired"]),
            help="With the live API: list these stages only (more than once for several; default: all but retired).",
        ),
        click.option(
            "--source",
            metavar="bundled|live|FILE",
            help="Where the catalogue comes from; by default live where ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN "
            "is set, else bundled.",
        ),
    ):
        command = option(command)
    return command


def check_alone(policies: str | None) -> None:
    """Raise `ConfigurationError` for a file of policies where no policy is named."""
    if policies is not None:
        raise ConfigurationError("--policies names a file; --policy says which policy of it")


def policy_file(path: str | None) -> str:
    """Return the file of policies, by default the nearest; raises `ConfigurationError` where there is none."""
    path = path or find_policies()
    if path is None:
        raise ConfigurationError(
            "no policies: there is no router.toml here or above; --policies names a file"
        )
    return path


def named_policy(name: str, path: str | None) -> Policy:
    """Return the policy of that name, of the file or of the nearest one; raises `ConfigurationError`."""
    path = policy_file(path)
    return policy_of(name, read_policies(path), path)


def policy_of(name: str, policies: Mapping[str, Policy], path: str) -> Policy:
    """Return the policy of that name among those of a file; raises `ConfigurationError`."""
    if name not in policies:
        near = nearest(name, policies, limit=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        known = listed(tuple(policies)) or "none"
        raise ConfigurationError(f"{path} has no policy {quoted(name)}{hint} (policies: {known})")
    return policies[name]
