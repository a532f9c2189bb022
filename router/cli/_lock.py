"""`router lock`, `router outdated`, `router why`: what policies resolve to, and why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import click

from router._errors import ConfigurationError, printable, printable_lines
from router._serialising import json_value
from router.catalogue._catalogue import Catalogue
from router.catalogue._policy import Policy
from router.catalogue._policy_file import read_policies
from router.catalogue._why import Why
from router.catalogue._why import why as why_of
from router.cli import _text
from router.cli._options import (
    asked_for,
    frozen_option,
    policies_option,
    policy_file,
    policy_of,
    policy_option,
    within_option,
)
from router.cli._result import Result, prints_result_from_catalogue
from router.cli._session import Session
from router.cli._terminal import print_message
from router.cli._writing import write_file
from router.locking._checking import WITHIN, LockProblem, check_lock, find_listed
from router.locking._lockfile import Lock
from router.locking._resolution import Outdated, Resolution, resolve
from router.locking._resolution import outdated as outdated_of
from router.requirements._expression import resolve_now

_NAME: Final = "router.lock"

_within_option: Final = within_option(
    f"{WITHIN}d", help="Do not lock models that retire sooner, and report them."
)


@click.command(short_help="Write into router.lock what each policy resolves to.")
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
@frozen_option
@prints_result_from_catalogue
def lock(
    session: Session,
    names: Sequence[str],
    policies: str | None,
    upgrade: bool,
    dry_run: bool,
    is_check: bool,
    within: int,
) -> Result[Any]:
    """Resolve every policy, and write what they resolved to into router.lock, beside the file of policies.

    What is locked already stays as it is while --check has nothing against it. With --check, for a
    CI: a line for each policy that is not locked as it is, and for each model that no longer meets
    its policy, is deprecated, retires soon, is retired or gone; status 1 where there is one.
    """
    if is_check and (upgrade or dry_run):
        raise ConfigurationError("--check cannot be combined with --upgrade or --dry-run")
    if names and not upgrade:
        raise ConfigurationError(
            f"{printable(names[0])}: policies are named to --upgrade them; else all are locked"
        )
    file, asked = _policies(policies)
    moved = {name: policy_of(name, asked, file) for name in names} or asked
    path = _lock_path(file)
    old = _read_lock(path)
    catalogue = session.catalogue
    if is_check:
        return _check(old, asked, catalogue, within)
    upgraded = moved if upgrade else ()
    found = resolve(asked, catalogue, old, upgrade=upgraded, within=within, now=resolve_now(None))
    if found.unmet:
        return Result(
            found,
            partial(_resolution_json, path, _limits(old, catalogue), written=False),
            partial(_print_unmet, within),
            found=False,
            catalogue=catalogue,
            has_footer=False,
        )
    return _write(path, old, found, catalogue, dry_run=dry_run)


@click.command(short_help="List the policies for which there is a newer model.")
@policies_option
@_within_option
@frozen_option
@click.option("--exit-code", is_flag=True, help="Exit with status 1 where a policy is outdated.")
@prints_result_from_catalogue
def outdated(
    session: Session, policies: str | None, within: int, exit_code: bool
) -> Result[Sequence[Outdated]]:
    """List the policies that would resolve to another model than they are locked to, and what that one brings.

    `router lock --upgrade` moves to it.
    """
    file, asked = _policies(policies)
    old = _read_lock(_lock_path(file))
    catalogue = session.catalogue
    found = outdated_of(old, asked, catalogue, within=within, now=resolve_now(None))
    limits = _limits(old, catalogue)

    def print_text(found: Sequence[Outdated]) -> None:
        _print_all(limits)
        if found:
            _text.print_outdated(found)
        else:
            click.echo("no policy is known to have a newer model than it is locked to", err=True)

    is_failure = found and exit_code
    return Result(
        found,
        lambda found: {"outdated": json_value(found), "notes": limits},
        print_text,
        found=not is_failure,
        catalogue=catalogue,
        has_footer=bool(found),
    )


@click.command(short_help="Say why a policy selects a model, or selects another.")
@click.argument("id")
@click.argument("requirement", required=False)
@policy_option
@policies_option
@frozen_option
@prints_result_from_catalogue
def why(
    session: Session, id: str, requirement: str | None, policy: str | None, policies: str | None
) -> Result[Why]:
    """Say why the model ID is the one that a policy or REQUIREMENT selects, or why another one is.

    Status 0 where ID is among the candidates, 1 where something keeps it out.
    """
    asked = asked_for(requirement, policy, policies, conflict="REQUIREMENT")
    path = _lock_path(policy_file(policies)) if policy is not None else ""
    locked = Lock.read(path).policies.get(str(policy)) if path and os.path.lexists(path) else None
    found = why_of(session.catalogue, id, asked)

    def as_json(found: Why) -> dict[str, Any]:
        return {"why": found.to_dict(), "locked": json_value(locked)}

    def print_text(found: Why) -> None:
        click.echo(printable_lines(str(found)))
        if locked is not None:
            click.echo(printable(f"{policy} is locked to {locked.model_id}: {locked.why}"))

    is_candidate = found.place is not None
    return Result(found, as_json, print_text, found=is_candidate, catalogue=session.catalogue)


def _policies(path: str | None) -> tuple[str, Mapping[str, Policy]]:
    file = policy_file(path)
    policies = read_policies(file)
    if not policies:
        raise ConfigurationError(
            f"{printable(file)} has no policies: one is a table such as [policies.reports]"
        )
    return file, policies


def _lock_path(policies: str) -> str:
    return os.path.join(os.path.dirname(policies), _NAME)


def _read_lock(path: str) -> Lock | None:
    """Return the lock if there is one; raises `ConfigurationError` if it cannot be read."""
    if not os.path.lexists(path):
        return None
    try:
        return Lock.read(path)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error}; restore the file, or delete it and run router lock"
        ) from error


def _check(
    old: Lock | None, asked: Mapping[str, Policy], catalogue: Catalogue, within: int
) -> Result[Sequence[LockProblem]]:
    problems = check_lock(old, asked, catalogue, within=within, now=resolve_now(None))
    limits = _limits(old, catalogue)

    def print_text(problems: Sequence[LockProblem]) -> None:
        for problem in problems:
            click.echo(printable(str(problem)))
        if old is None:
            print_message(f"there is no {_NAME}: run router lock")
        _print_all(limits)
        if not problems:
            is_partial = len(limits) > 1
            result = "nothing is known against the locks" if is_partial else "every lock holds"
            noun = "policy" if len(asked) == 1 else "policies"
            click.echo(f"{result} ({len(asked)} {noun})", err=True)

    return Result(
        problems,
        lambda problems: {"problems": json_value(problems), "notes": limits},
        print_text,
        found=not problems,
        catalogue=catalogue,
        has_footer=not problems,
    )


def _write(
    path: str, old: Lock | None, found: Resolution, catalogue: Catalogue, *, dry_run: bool
) -> Result[Resolution]:
    is_new = found.lock != old
    shown = path.removeprefix(os.path.join(os.getcwd(), ""))
    is_written = is_new and not dry_run
    if is_written:
        write_file(shown, found.lock.to_toml())
    verb = "would be" if dry_run else "is"
    result = f"{verb} written" if is_new else "is up to date"

    def print_text(found: Resolution) -> None:
        _print_all(limits)
        _text.print_resolution(found)
        click.echo(f"{printable(shown)} {result}", err=True)

    limits = _limits(old, catalogue)
    as_json = partial(_resolution_json, path, limits, written=is_written)
    return Result(found, as_json, print_text, catalogue=catalogue)


def _resolution_json(
    path: str, notes: list[str], found: Resolution, *, written: bool
) -> dict[str, Any]:
    return {"path": path, "written": written, "resolution": found.to_dict(), "notes": notes}


def _print_unmet(within: int, found: Resolution) -> None:
    for name, decision in found.unmet.items():
        print_message(f"{name}: {decision}")
    print_message(f"nothing is written; a model that retires within {within} days is not locked")


def _print_all(notes: Sequence[str]) -> None:
    for note in notes:
        print_message(note)


def _limits(old: Lock | None, catalogue: Catalogue) -> list[str]:
    """Return what the catalogue cannot say of the lock, then of each policy with an unlisted model."""
    if old is None:
        return []
    if old.is_ahead_of(catalogue):
        limits = "is older than the lock: it says only who retires soon, and upgrades nothing"
    elif old.is_about_other_models(catalogue):
        limits = f"does not say what has gone from the {old.source} one, which the lock is of"
    else:
        return []
    return [
        f"the {catalogue.source} catalogue {limits}",
        *(
            f"{name}: nothing is known of {locked.model_id}, which it does not list"
            for name, locked in old.policies.items()
            if find_listed(catalogue, locked) is None
        ),
    ]
