"""`router lock`, `router outdated`, `router why`: what the policies resolved to, whether that holds, and why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

import click

from router._errors import ConfigurationError, printable, printable_lines
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision
from router.catalogue._policy import Policy, read_policies
from router.catalogue._why import why as why_of
from router.cli import _output as output
from router.cli._options import (
    as_days,
    check_alone,
    common,
    named_policy,
    policies_option,
    policy_file,
    policy_of,
)
from router.cli._session import Session
from router.cli._writing import write_file
from router.locking._checking import WITHIN, check, listed
from router.locking._lockfile import Lock
from router.locking._resolution import outdated, resolve
from router.requirements._expression import Requirement, moment
from router.requirements._parser import require

PROBLEMS: Final = 1
_NAME: Final = "router.lock"

_within_option: Final = click.option(
    "--within",
    metavar="DURATION",
    callback=as_days,
    default=f"{WITHIN}d",
    show_default=True,
    help="A model that retires sooner is not locked, and complained of.",
)
_frozen_option: Final = click.option(
    "--frozen",
    is_flag=True,
    help="Never look at the network: use what is kept on disk, else the bundled catalogue.",
)


@click.command()
@click.argument("names", metavar="[POLICY]...", nargs=-1)
@policies_option
@click.option(
    "--upgrade", is_flag=True, help="Move to the newest model: the policies named, by default all."
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option(
    "--check", "is_check", is_flag=True, help="Say what is wrong with the lock, and write nothing."
)
@_within_option
@_frozen_option
@common
def lock(
    names: Sequence[str],
    policies: str | None,
    upgrade: bool,
    dry_run: bool,
    is_check: bool,
    within: int,
    frozen: bool,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
) -> None:
    """Resolve every policy, and write what they resolved to into router.lock, beside the file of policies.

    What is locked already stays as it is while --check has nothing against it. With --check, for a CI: a line for each
    policy that is not locked as it is, and for each model that no longer meets its policy, is deprecated, retires soon,
    is retired or gone; status 1 where there is one.
    """
    if is_check and (upgrade or dry_run):
        raise ConfigurationError("--check only looks: neither --upgrade nor --dry-run goes with it")
    if names and not upgrade:
        raise ConfigurationError(
            f"{printable(names[0])}: policies are named to --upgrade them; else all are locked"
        )
    where, asked = _policies(policies)
    moved = {name: policy_of(name, asked, where) for name in names} or asked
    path = _beside(where)
    old = _read_lock(path)
    session = Session(source, lifecycle, no_color, frozen=frozen)
    if is_check:
        _check(old, asked, session, within, as_json=as_json)
        return
    found = resolve(
        asked,
        session.catalogue,
        old,
        upgrade=moved if upgrade else (),
        within=within,
        now=moment(None),
    )
    if found.unmet:
        _print_unmet(found.unmet, within, as_json=as_json)
        raise click.exceptions.Exit(PROBLEMS)
    is_new = found.lock != old
    if is_new and not dry_run:
        write_file(_from_here(path), found.lock.to_toml())
    if as_json:
        output.print_json(output.resolution_json(found, path, written=is_new and not dry_run))
        return
    _print_limits(old, session.catalogue)
    output.print_resolution(found)
    ended = (
        "would be written"
        if is_new and dry_run
        else "is written"
        if is_new
        else "holds: nothing is written"
    )
    click.echo(f"{printable(_from_here(path))} {ended}", err=True)
    output.print_catalogue(session.catalogue)


@click.command("outdated")
@policies_option
@_within_option
@_frozen_option
@click.option("--exit-code", is_flag=True, help="Exit with status 1 where a policy is outdated.")
@common
def outdated_(
    policies: str | None,
    within: int,
    frozen: bool,
    exit_code: bool,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
) -> None:
    """List the policies that would resolve to another model than they are locked to, and what that one brings.

    `router lock --upgrade` moves to it.
    """
    where, asked = _policies(policies)
    old = _read_lock(_beside(where))
    session = Session(source, lifecycle, no_color, frozen=frozen)
    found = outdated(old, asked, session.catalogue, within=within, now=moment(None))
    if not as_json:
        _print_limits(old, session.catalogue)
    if as_json:
        output.print_json([output.outdated_json(each) for each in found])
    elif found:
        output.print_outdated(found)
        output.print_catalogue(session.catalogue)
    else:
        click.echo("no policy is known to have a newer model than it is locked to", err=True)
    if found and exit_code:
        raise click.exceptions.Exit(PROBLEMS)


@click.command()
@click.argument("id")
@click.argument("requirement", required=False)
@click.option(
    "--policy",
    metavar="NAME",
    help="What the policy of this name asks for, instead of REQUIREMENT.",
)
@policies_option
@_frozen_option
@common
def why(
    id: str,
    requirement: str | None,
    policy: str | None,
    policies: str | None,
    frozen: bool,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
) -> None:
    """Say why the model ID is the one that a policy or REQUIREMENT selects, or why another one is.

    Status 0 where ID is among the candidates, 1 where something keeps it out.
    """
    if policy is not None and requirement is not None:
        raise ConfigurationError("--policy says all that is needed: no REQUIREMENT goes with it")
    if policy is None:
        check_alone(policies)
    asked: Requirement | Policy = (
        require(requirement) if policy is None else named_policy(policy, policies)
    )
    path = _beside(policy_file(policies)) if policy is not None else ""
    locked = Lock.read(path).policies.get(str(policy)) if path and os.path.lexists(path) else None
    session = Session(source, lifecycle, no_color, frozen=frozen)
    found = why_of(session.catalogue, asked, id)
    if as_json:
        output.print_json(
            output.why_json(found) | {"locked": locked.model if locked is not None else None}
        )
    else:
        click.echo(printable_lines(str(found)))
        if locked is not None:
            click.echo(printable(f"{policy} is locked to {locked.model}: {locked.why}"))
        output.print_catalogue(session.catalogue)
    if found.place is None:
        raise click.exceptions.Exit(PROBLEMS)


def _policies(path: str | None) -> tuple[str, Mapping[str, Policy]]:
    where = policy_file(path)
    policies = read_policies(where)
    if not policies:
        raise ConfigurationError(
            f"{printable(where)} has no policies: one is a table such as [policies.reports]"
        )
    return where, policies


def _beside(policies: str) -> str:
    return os.path.join(os.path.dirname(policies), _NAME)


def _from_here(path: str) -> str:
    """Return the path as a person here would write it."""
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here)


def _read_lock(path: str) -> Lock | None:
    """Return the lock that there is; raises `ConfigurationError` for one that cannot be read, with the way out."""
    if not os.path.lexists(path):
        return None
    try:
        return Lock.read(path)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error}; restore the file, or delete it and run router lock"
        ) from error


def _check(
    old: Lock | None, asked: Mapping[str, Policy], session: Session, within: int, *, as_json: bool
) -> None:
    problems = check(old, asked, session.catalogue, within=within, now=moment(None))
    if as_json:
        output.print_json([output.problem_json(each) for each in problems])
    for each in problems if not as_json else ():
        click.echo(printable(str(each)))
    if old is None and not as_json:
        click.echo(f"router: there is no {_NAME}: run router lock", err=True)
    unlisted = _print_limits(old, session.catalogue) if not as_json else ()
    if problems:
        raise click.exceptions.Exit(PROBLEMS)
    if not as_json:
        said = "nothing is known against the locks" if unlisted else "every lock holds"
        click.echo(f"{said} ({len(asked)} {'policy' if len(asked) == 1 else 'policies'})", err=True)
        output.print_catalogue(session.catalogue)


def _print_limits(old: Lock | None, catalogue: Catalogue) -> Sequence[str]:
    """Say on standard error what the catalogue cannot say of the lock; returns of which policies it says nothing."""
    if old is None:
        return ()
    if old.is_ahead_of(catalogue):
        limits = "is older than the lock: it says only who retires soon, and upgrades nothing"
    elif old.is_of_others(catalogue):
        limits = f"does not say what has gone from the {old.source} one, which the lock is of"
    else:
        return ()
    click.echo(f"router: the {catalogue.source} catalogue {limits}", err=True)
    unlisted = [
        name for name, each in old.policies.items() if listed(catalogue, each.model) is None
    ]
    for name in unlisted:
        click.echo(
            f"router: {name}: nothing is known of {old.policies[name].model}, which it does not list",
            err=True,
        )
    return unlisted


def _print_unmet(unmet: Mapping[str, Decision], within: int, *, as_json: bool) -> None:
    if as_json:
        output.print_json(
            {"unmet": {name: output.decision_json(each) for name, each in unmet.items()}}
        )
        return
    for name, decision in unmet.items():
        click.echo(f"router: {name}: {printable_lines(str(decision))}", err=True)
    click.echo(
        f"router: nothing is written; a model that retires within {within} days is not locked",
        err=True,
    )
