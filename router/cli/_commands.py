"""The commands, and the one place where an error becomes a line and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import Any, Final

import click
from attrs import evolve

import router
from router._errors import (
    CatalogueError,
    CatalogueUnavailableError,
    ConfigurationError,
    RouterError,
)
from router._router import Router
from router._serialising import json_value
from router._status import RouterStatus
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision
from router.catalogue._diff import CatalogueDiff, impact_of
from router.catalogue._gate import Gate, Verdict
from router.catalogue._policy import Policy
from router.catalogue._policy_file import read_policies
from router.catalogue._terms import unmet_terms
from router.cli import _text
from router.cli._audit import audit
from router.cli._json import error_document, named
from router.cli._lock import lock, outdated, why
from router.cli._matrix import print_matrix
from router.cli._models import candidates, models
from router.cli._options import (
    needs,
    no_such_option,
    policies_option,
    policy_file,
    where_option,
)
from router.cli._result import Result, prints_result, prints_result_from_catalogue
from router.cli._route import route
from router.cli._session import Session, open_store, stored_catalogue
from router.cli._terminal import print_json, print_message
from router.models._model import Model
from router.refresh._credential import Credential
from router.requirements._expression import Requirement
from router.requirements._parser import require
from router.tools._matrix import Matrix, matrix

_BAD_USAGE: Final = 2
_NO_CATALOGUE: Final = 3
_INTERRUPTED: Final = 130
_PIPE_CLOSED: Final = 141
_NOT_WRITTEN: Final = 74
"""An input or output error, by the convention of sysexits.h."""


def run(arguments: Sequence[str]) -> int:
    """Run the command with these arguments and return its exit status; no error is raised."""
    for stream in (sys.stdout, sys.stderr):
        # Characters that the encoding lacks are escaped: an answer is not lost over a name.
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        _invoke(arguments)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        shown = no_such_option(error) if isinstance(error, click.NoSuchOption) else error
        _print_error_as_json("UsageError", shown.format_message(), arguments)
        if sys.stderr is not None:  # click would write to standard output instead
            shown.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print_message("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        _discard_standard_output()
        return _PIPE_CLOSED
    except (RouterError, OSError) as error:
        return _report(error, arguments)
    return 0


def _print_error_as_json(kind: str, message: str, arguments: Sequence[str]) -> None:
    if "--json" in takewhile(lambda argument: argument != "--", arguments):
        try:
            print_json(error_document(kind, message))
        except OSError:  # the message and the status still tell
            _discard_standard_output()


def _invoke(arguments: Sequence[str]) -> None:
    if "_ROUTER_COMPLETE" in os.environ:
        cli.main(list(arguments), prog_name="router")
    with cli.make_context("router", list(arguments)) as context:
        cli.invoke(context)
    if sys.stdout is not None:
        sys.stdout.flush()


def _discard_standard_output() -> None:
    """Send the rest nowhere: the interpreter flushes standard output once more as it exits."""
    with suppress(AttributeError, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: RouterError | OSError, arguments: Sequence[str]) -> int:
    """Print an error, and return the exit status for it."""
    kind = type(error).__name__
    if isinstance(error, RouterError):
        _print_error_as_json(kind, str(error), arguments)
        print_message(str(error))
        is_of_catalogue = isinstance(error, (CatalogueError, CatalogueUnavailableError))
        return _NO_CATALOGUE if is_of_catalogue else _BAD_USAGE
    message = f"{error.filename or 'the output cannot be written'}: {error.strerror or error}"
    if error.filename:  # else standard output is what failed
        _print_error_as_json(kind, message, arguments)
    print_message(message)
    _discard_standard_output()
    return _NOT_WRITTEN


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(router.__version__, prog_name="router", help="Show the version.")
@click.pass_context
def cli(context: click.Context) -> None:
    """Say what you need from a model, and get the newest Claude model known to meet it.

    A requirement is text such as
    'thinking.adaptive and effort >= high and max_input_tokens >= 200k'.

    Exit status: 0 found, 1 no model satisfies it, 2 bad usage or requirement, 3 no catalogue.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        context.color = False
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command(short_help="Print the id of the newest model that meets a need.")
@needs
@prints_result_from_catalogue
def select(session: Session, asked: Requirement | Policy) -> Result[Decision]:
    """Print the id of the newest model known to meet REQUIREMENT.

    Options and REQUIREMENT count together. Newest is neither strongest nor cheapest: name a
    --line, or a price.
    """
    decision = session.explain(asked)
    return Result(
        decision,
        named("decision"),
        _text.print_selected,
        found=decision.model,
        catalogue=session.catalogue,
        has_footer=False,
    )


@cli.command(short_help="Say which model a need selects, and why.")
@needs
@prints_result_from_catalogue
def explain(session: Session, asked: Requirement | Policy) -> Result[Decision]:
    """Print which model REQUIREMENT selects and why, or why none."""
    found = session.explain(asked)
    printers = (named("decision"), _text.print_decision)
    return Result(found, *printers, found=found.model, catalogue=session.catalogue)


@cli.command("matrix", short_help="Show which model supports which capability.")
@where_option
@click.option(
    "--only",
    multiple=True,
    metavar="CAPABILITY",
    help="Only this capability and those below it, such as effort (more than once for several).",
)
@click.option(
    "--html",
    metavar="FILE",
    help="Write a page instead, with ticks that say which models qualify; - is standard output.",
)
@prints_result_from_catalogue
def matrix_(
    session: Session, where: str | None, only: Sequence[str], html: str | None
) -> Result[Matrix]:
    """Show models against capabilities: supported, unsupported or unknown.

    On a terminal it is folded to the width; in a pipe it is one line a model, with whole names
    above.
    """
    if html is not None and (where is not None or session.as_json):
        raise ConfigurationError(
            "--html goes with neither --where nor --json: the page has every model, and ticks"
        )
    asked = require(where)
    catalogue = session.catalogue
    shown = matrix(catalogue, catalogue.where(asked), only)
    if html is not None:
        return Result(shown, named("matrix"), partial(_write_page, html, catalogue))
    return Result(shown, named("matrix"), print_matrix, catalogue=catalogue)


def _write_page(path: str, catalogue: Catalogue, matrix: Matrix) -> None:
    from router.cli._page import page, write_page

    write_page(path, page(catalogue, matrix))


@cli.command(short_help="Show everything known of one model.")
@click.argument("id")
@prints_result_from_catalogue
def show(session: Session, id: str) -> Result[Model]:
    """Show everything known of one model, by id or alias, and what is unknown of it."""
    catalogue = session.catalogue
    model = catalogue[id]
    as_json = {"model": model.to_dict()}
    return Result(model, lambda _: as_json, _text.print_model, catalogue=catalogue)


@cli.command(short_help="Say whether a model meets a requirement: yes, no or unknown.")
@click.argument("id")
@click.argument("requirement")
@prints_result_from_catalogue
def supports(session: Session, id: str, requirement: str) -> Result[dict[str, Any]]:
    """Say whether the model ID is known to meet REQUIREMENT: yes, no or unknown; status 0 only for yes."""
    asked = require(requirement)
    supported = session.catalogue.supports(id, asked)
    model = session.catalogue[id]
    answer = {
        "model": model,
        "requirement": asked,
        "support": asked.support(model),
        "lacks": () if supported else unmet_terms(asked, model),
    }
    return Result(
        answer,
        json_value,
        _text.print_support,
        found=supported,
        catalogue=session.catalogue,
        has_footer=False,
    )


@cli.command(short_help="Say whether a feature may be used on a model: yes or no.")
@click.argument("id")
@click.argument("requirement")
@click.option(
    "--default",
    type=click.Choice(["yes", "no"]),
    default="no",
    show_default=True,
    help="The answer if too little is known.",
)
@prints_result_from_catalogue
def gate(session: Session, id: str, requirement: str, default: str) -> Result[Verdict]:
    """Say whether the model ID may be used with what REQUIREMENT asks: yes or no, and why; status 0 only for yes.

    Unlike `supports` it knows no unknown: there, and for a model that is not listed, --default
    decides.
    """
    catalogue = session.catalogue
    verdict = Gate(id, lambda: catalogue).explain(requirement, default=default == "yes")
    return Result(
        verdict,
        named("verdict"),
        _text.print_verdict,
        found=verdict.value,
        catalogue=catalogue,
        has_footer=False,
    )


@cli.command(short_help="Fetch the catalogue now.")
@prints_result_from_catalogue
def refresh(session: Session) -> Result[Catalogue]:
    """Fetch the catalogue now, from the live API by default, and say what came."""
    session.require_live()
    catalogue = session.catalogue
    return Result(catalogue, lambda _: {}, _text.print_refreshed, catalogue=catalogue)


@cli.command(short_help="Show the age of the catalogue, and when it is refreshed.")
@prints_result
def status() -> Result[RouterStatus]:
    """Print the state of the live catalogue: its copy on disk, its age, and the next refresh."""
    with Router() as router:
        if not Credential.is_set(os.environ):
            router.refresh()  # of the bundled catalogue
        return Result(router.status(), named("status"), _text.print_status)


@cli.group(short_help="Show or clear the catalogue kept on disk.")
def cache() -> None:
    """Look after the catalogue kept on disk for the credential of the environment."""


@cache.command("path")
@prints_result
def cache_path() -> Result[str]:
    """Print where the catalogue is kept."""
    return Result(open_store().path, named("path"), click.echo)


@cache.command("show", short_help="Say what is kept; status 3 where nothing is.")
@prints_result
def cache_show() -> Result[Catalogue]:
    """Say what is kept; status 3 where nothing is."""
    path = open_store().path

    def print_text(catalogue: Catalogue) -> None:
        date = f"{catalogue.as_of:%Y-%m-%d %H:%MZ}"
        click.echo(f"{len(catalogue)} models as of {date} in {path}")

    catalogue = stored_catalogue()
    as_json = {"path": path}
    return Result(catalogue, lambda _: as_json, print_text, catalogue=catalogue, has_footer=False)


@cache.command("clear")
@prints_result
def cache_clear() -> Result[str]:
    """Remove what is kept."""
    store = open_store()
    store.clear()
    return Result(store.path, named("path"), lambda _: None)


@cli.command(short_help="List what differs between two catalogues.")
@click.argument("old", required=False, default="disk")
@click.argument("new", required=False, default="live")
@click.option("--exit-code", is_flag=True, help="Exit with status 1 where the two differ.")
@click.option(
    "--impact", is_flag=True, help="Say also which policies NEW would change, without a lock."
)
@policies_option
@prints_result
def diff(
    old: str, new: str, exit_code: bool, impact: bool, policies: str | None
) -> Result[CatalogueDiff]:
    """Print what catalogue NEW has that OLD has not: models added, gone, and every changed value.

    OLD and NEW are files, or bundled, disk, live; without them, what is kept on disk against the
    live API.
    """
    if policies is not None and not impact:
        raise ConfigurationError(
            "--policies names a file; --impact says what becomes of its policies"
        )
    asked = read_policies(policy_file(policies)) if impact else {}
    before, after = (Session(source).catalogue for source in (old, new))
    changed = impact_of(
        asked, before, after, lambda name, catalogue: catalogue.select(asked[name], default=None)
    )
    difference = evolve(before.diff(after), impact=changed)
    as_json = {"old": before.summary(), "diff": difference.to_dict()}
    is_failure = difference and exit_code
    return Result(
        difference,
        lambda _: as_json,
        _text.print_diff,
        found=not is_failure,
        catalogue=after,
        has_footer=False,
    )


for command in (audit, candidates, lock, models, outdated, route, why):
    cli.add_command(command)
