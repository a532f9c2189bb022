"""The commands, and the one boundary where an error becomes a line on standard error and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import click
from attrs import evolve

import router
from router._errors import (
    CatalogueError,
    CatalogueUnavailableError,
    ConfigurationError,
    RequirementError,
    RouterError,
    UnknownModelError,
    printable,
    printable_lines,
)
from router._router import Router
from router.catalogue._diff import impact_of
from router.catalogue._gate import Gate
from router.catalogue._policy import Policy, read_policies
from router.catalogue._ranking import places
from router.cli import _output as output
from router.cli._audit import audit
from router.cli._lock import lock, outdated_, why
from router.cli._matrix import matrix_json, print_marks
from router.cli._options import (
    Command,
    check_alone,
    common,
    named_policy,
    policies_option,
    policy_file,
)
from router.cli._options import as_json as as_json_option
from router.cli._route import route
from router.cli._session import Session, open_store, stored_catalogue
from router.refresh._credential import Credential
from router.requirements._expression import Requirement
from router.requirements._parser import require
from router.tools._matrix import matrix

_OPTIONS: Final = {"min_input_tokens": "--min-context", "min_output_tokens": "--min-output"}
"""The options by the keywords that they stand for."""

NOTHING_MEETS: Final = 1
BAD_USAGE: Final = 2
NO_CATALOGUE: Final = 3
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
UNWRITTEN: Final = 74
"""An input or output error, by the convention of sysexits.h."""


def run(arguments: Sequence[str]) -> int:
    """Run the command with these arguments and return its exit status; no error leaves as a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # What an encoding cannot say is escaped: an answer is not lost over a name.
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        if "_ROUTER_COMPLETE" in os.environ:
            cli.main(list(arguments), prog_name="router")
        with cli.make_context("router", list(arguments)) as context:
            cli.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        if sys.stderr is not None:  # click would write to standard output instead
            error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_standard_output()
        return PIPE_CLOSED
    except (RouterError, OSError) as error:
        click.echo(f"router: {printable_lines(str(error))}", err=True)
        return _status(error)
    return 0


def _give_up_standard_output() -> None:
    """Send the rest nowhere: the interpreter flushes standard output once more as it exits."""
    with suppress(AttributeError, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _status(error: RouterError | OSError) -> int:
    if isinstance(error, (RequirementError, UnknownModelError, ConfigurationError)):
        return BAD_USAGE
    if isinstance(error, (CatalogueError, CatalogueUnavailableError)):
        return NO_CATALOGUE
    _give_up_standard_output()
    return UNWRITTEN


def _needs(command: Command) -> Command:
    """Add the ways to say what is needed."""
    for option in (
        policies_option,
        click.option(
            "--policy",
            metavar="NAME",
            help="What the policy of this name asks for, instead of REQUIREMENT.",
        ),
        click.option("--line", multiple=True, metavar="LINE", help="Of this line, such as opus."),
        click.option(
            "--min-output", metavar="TOKENS", help="At least this much output, such as 64k."
        ),
        click.option(
            "--min-context", metavar="TOKENS", help="At least this context window, such as 200k."
        ),
        click.option("--pdf", is_flag=True, help="Takes PDF input."),
        click.option(
            "--effort",
            multiple=True,
            metavar="LEVEL",
            help="Takes this effort level, such as high.",
        ),
        click.option(
            "--thinking",
            multiple=True,
            metavar="TYPE",
            help="Takes this type of thinking, such as adaptive.",
        ),
        click.argument("requirement", required=False),
    ):
        command = option(command)
    return command


def _requirement(
    requirement: str | None,
    *,
    thinking: Sequence[str],
    effort: Sequence[str],
    pdf: bool,
    min_context: str | None,
    min_output: str | None,
    line: Sequence[str],
    policy: str | None,
    policies: str | None,
) -> Requirement | Policy:
    needs: dict[str, Any] = {
        "thinking": list(thinking),
        "effort": list(effort),
        "pdf_input": pdf,
        "min_input_tokens": min_context,
        "min_output_tokens": min_output,
        "line": list(line),
    }
    given = {
        name: need
        for name, need in needs.items()
        if need is not None and need is not False and need != []
    }
    if policy is None:
        check_alone(policies)
        try:
            return require(requirement, **given)
        except RequirementError as error:
            keyword, sign, problem = str(error).partition("= ")
            if not sign or keyword not in _OPTIONS:
                raise
            raise ConfigurationError(f"{_OPTIONS[keyword]} {problem}") from None
    if requirement is not None or given:
        raise ConfigurationError(
            "--policy says all that is needed: no REQUIREMENT and no other need goes with it"
        )
    return named_policy(policy, policies)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(router.__version__, prog_name="router", help="Show the version.")
@click.pass_context
def cli(context: click.Context) -> None:
    """Say what you need from a model, and get the newest Claude model known to meet it.

    A requirement is text such as 'thinking.adaptive and effort >= high and max_input_tokens >= 200k'.

    Exit status: 0 found, 1 nothing meets the need, 2 bad usage or requirement, 3 no catalogue.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
@_needs
@common
def select(
    requirement: str | None,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
    **needs: Any,
) -> None:
    """Print the id of the newest model known to meet REQUIREMENT.

    Options and REQUIREMENT count together. Newest is neither strongest nor cheapest: name a --line, or a price.
    """
    asked = _requirement(requirement, **needs)
    session = Session(source, lifecycle, no_color)
    decision = session.explain(asked)
    if as_json:
        output.print_json(output.decision_json(decision, brief=True))
    elif decision.model:
        click.echo(decision.model.id)
        output.print_footer(decision)
    if decision.model is None:
        if not as_json:
            click.echo(f"router: {printable_lines(str(decision))}", err=True)
            output.print_catalogue(session.catalogue)
        raise click.exceptions.Exit(NOTHING_MEETS)


@cli.command()
@_needs
@click.option("--limit", type=click.IntRange(min=0), help="At most this many.")
@common
def candidates(
    requirement: str | None,
    limit: int | None,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
    **needs: Any,
) -> None:
    """Print every model known to meet REQUIREMENT, newest first: ids in a pipe, a table on a terminal.

    With --policy: the chain of the policy, and what puts each model into its place.
    """
    asked = _requirement(requirement, **needs)
    session = Session(source, lifecycle, no_color)
    chain = [
        (place.model, str(place))
        for place in (places(session.catalogue, asked) if isinstance(asked, Policy) else ())
    ][:limit]
    models = (
        session.catalogue.candidates(asked, limit=limit)
        if not chain
        else [model for model, _ in chain]
    )
    if as_json:
        whys = [{"why": why} for _, why in chain] or [{}] * len(models)
        output.print_json(
            [output.model_json(model) | why for model, why in zip(models, whys, strict=True)]
        )
    elif chain:
        output.print_chain(chain)
    elif output.on_terminal(sys.stdout):
        output.print_models(models, session)
    else:
        click.echo("".join(f"{model.id}\n" for model in models), nl=False)
    if not models and limit != 0:
        if not as_json:
            click.echo(f"router: {printable_lines(str(session.explain(asked)))}", err=True)
        raise click.exceptions.Exit(NOTHING_MEETS)


@cli.command()
@_needs
@common
def explain(
    requirement: str | None,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
    **needs: Any,
) -> None:
    """Say which model REQUIREMENT selects and why, or what stands in its way."""
    asked = _requirement(requirement, **needs)
    session = Session(source, lifecycle, no_color)
    decision = session.explain(asked)
    if as_json:
        output.print_json(output.decision_json(decision))
    else:
        click.echo(printable_lines(str(decision)))
        output.print_catalogue(session.catalogue)
    if decision.model is None:
        raise click.exceptions.Exit(NOTHING_MEETS)


@cli.command()
@click.option(
    "--where",
    metavar="REQUIREMENT",
    help="Only the models known to meet it; no default filters apply.",
)
@common
def models(
    where: str | None, source: str | None, lifecycle: Sequence[str], as_json: bool, no_color: bool
) -> None:
    """List the models of the catalogue, newest first.

    With --json: a listing in the API's own shape, which --source FILE reads again.
    """
    asked = require(where)
    session = Session(source, lifecycle, no_color)
    listed = session.catalogue.where(asked)
    if as_json:
        output.print_json(output.listing_json(listed))
    else:
        output.print_models(listed, session)
        output.print_catalogue(session.catalogue)


@cli.command("matrix")
@click.option(
    "--where",
    metavar="REQUIREMENT",
    help="Only the models known to meet it; no default filters apply.",
)
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
@common
def print_matrix(
    where: str | None,
    only: Sequence[str],
    html: str | None,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
) -> None:
    """Show models against capabilities: supported, unsupported or unknown.

    On a terminal it is folded to the width; in a pipe it is one line a model, with whole names above.
    """
    if html is not None and (where is not None or as_json):
        raise ConfigurationError(
            "--html goes with neither --where nor --json: the page has every model, and ticks"
        )
    asked = require(where)
    session = Session(source, lifecycle, no_color)
    catalogue = session.catalogue
    shown = matrix(catalogue, catalogue.where(asked), only)
    if html is not None:
        from router.cli._page import page, write_page

        write_page(html, page(catalogue, shown))
    elif as_json:
        output.print_json(matrix_json(shown, catalogue))
    else:
        print_marks(shown)
        output.print_catalogue(catalogue)


@cli.command()
@click.argument("id")
@common
def show(
    id: str, source: str | None, lifecycle: Sequence[str], as_json: bool, no_color: bool
) -> None:
    """Show everything known of one model, by id or alias, and what is unknown of it."""
    session = Session(source, lifecycle, no_color)
    model = session.catalogue[id]
    if as_json:
        output.print_json(output.model_json(model))
    else:
        output.print_model(model)
        output.print_catalogue(session.catalogue)


@cli.command()
@click.argument("id")
@click.argument("requirement")
@common
def supports(
    id: str,
    requirement: str,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
) -> None:
    """Say whether the model ID is known to meet REQUIREMENT: yes, no or unknown; status 0 only for yes."""
    asked = require(requirement)
    session = Session(source, lifecycle, no_color)
    supported = session.catalogue.supports(id, asked)
    model = session.catalogue[id]
    lacks = [] if supported else output.lacking(model, asked)
    if as_json:
        output.print_json(
            {
                "id": model.id,
                "requirement": asked.text,
                "support": asked.support(model),
                "lacks": lacks,
            }
        )
    else:
        click.echo({True: "yes", False: "no", None: "unknown"}[asked.support(model)])
        for each in lacks:
            click.echo(f"{model.id} lacks {each['term']} ({each['why']})", err=True)
    if not supported:
        raise click.exceptions.Exit(NOTHING_MEETS)


@cli.command()
@click.argument("id")
@click.argument("requirement")
@click.option(
    "--default",
    type=click.Choice(["yes", "no"]),
    default="no",
    show_default=True,
    help="What to say where too little is known.",
)
@common
def gate(
    id: str,
    requirement: str,
    default: str,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
) -> None:
    """Say whether the model ID may be used with what REQUIREMENT asks: yes or no, and why; status 0 only for yes.

    Unlike `supports` it knows no unknown: there, and for a model that is not listed, --default decides.
    """
    session = Session(source, lifecycle, no_color)
    verdict = Gate(id, lambda: session.catalogue).explain(requirement, default=default == "yes")
    if as_json:
        output.print_json(output.verdict_json(verdict))
    else:
        click.echo("yes" if verdict.value else "no")
        click.echo(printable(str(verdict)), err=True)
    if not verdict.value:
        raise click.exceptions.Exit(NOTHING_MEETS)


@cli.command()
@common
def refresh(source: str | None, lifecycle: Sequence[str], as_json: bool, no_color: bool) -> None:
    """Fetch the catalogue now, from the live API by default, and say what came."""
    session = Session(source or "live", lifecycle, no_color)
    if as_json:
        output.print_json(output.catalogue_json(session.catalogue))
    else:
        newest = next(iter(session.catalogue), None)
        click.echo(f"{len(session.catalogue)} models, newest {newest.id if newest else 'none'}")
        output.print_catalogue(session.catalogue)


@cli.command()
@as_json_option
def status(as_json: bool) -> None:
    """Say how things stand with the live catalogue: what is kept on disk, its age, and when it is due."""
    with Router() as router:
        if not Credential.is_set(os.environ):
            router.refresh()  # of the bundled catalogue
        standing = router.status()
    if as_json:
        output.print_json(output.status_json(standing))
    else:
        output.print_status(standing)


@cli.group()
def cache() -> None:
    """Look after the catalogue kept on disk for the credential of the environment."""


@cache.command("path")
def cache_path() -> None:
    """Print where the catalogue is kept."""
    click.echo(open_store().path)


@cache.command("show")
@as_json_option
def cache_show(as_json: bool) -> None:
    """Say what is kept; status 3 where nothing is."""
    catalogue = stored_catalogue()
    if as_json:
        output.print_json(output.catalogue_json(catalogue) | {"path": open_store().path})
    else:
        click.echo(
            f"{len(catalogue)} models as of {catalogue.as_of:%Y-%m-%d %H:%MZ} in {open_store().path}"
        )


@cache.command("clear")
def cache_clear() -> None:
    """Remove what is kept."""
    open_store().clear()


@cli.command()
@click.argument("old", required=False, default="disk")
@click.argument("new", required=False, default="live")
@click.option("--exit-code", is_flag=True, help="Exit with status 1 where the two differ.")
@click.option(
    "--impact", is_flag=True, help="Say also which policies NEW would change, without a lock."
)
@policies_option
@as_json_option
def diff(
    old: str, new: str, exit_code: bool, impact: bool, policies: str | None, as_json: bool
) -> None:
    """Print what catalogue NEW has that OLD has not: models added, gone, and every changed value.

    OLD and NEW are files, or bundled, disk, live; without them, what is kept on disk against the live API.
    """
    if policies is not None and not impact:
        raise ConfigurationError(
            "--policies names a file; --impact says what becomes of its policies"
        )
    asked = read_policies(policy_file(policies)) if impact else {}
    before, after = (Session(source, (), no_color=False).catalogue for source in (old, new))
    difference = evolve(
        before.diff(after),
        impact=impact_of(
            asked,
            before,
            after,
            lambda name, catalogue: catalogue.select(asked[name], default=None),
        ),
    )
    if as_json:
        output.print_json(output.diff_json(difference))
    else:
        output.print_diff(difference)
    if difference and exit_code:
        raise click.exceptions.Exit(NOTHING_MEETS)


for command in (audit, lock, outdated_, route, why):
    cli.add_command(command)
