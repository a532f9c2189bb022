"""`router route`: where a Messages request goes, what it asks for and where, and what must change of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from router._errors import ConfigurationError, RequirementError, printable, printable_lines, quoted
from router.catalogue._explanation import NoModelError
from router.cli import _output as output
from router.cli._options import check_alone, common, named_policy, policies_option
from router.cli._session import Session
from router.models._field_types import KINDS
from router.requirements._expression import moment
from router.requirements._parser import require

if TYPE_CHECKING:
    from router.requests._fitting import OnUnsupported
    from router.requests._tokens import InputTokens

NOTHING_SERVES: Final = 1


@click.command()
@click.argument("request", metavar="[REQUEST]", type=click.File("rb"), default="-")
@click.option(
    "--require", "requirement", metavar="REQUIREMENT", help="What the model must meet besides."
)
@click.option("--policy", metavar="NAME", help="The policy that the model must meet besides.")
@policies_option
@click.option(
    "--on-unsupported",
    type=click.Choice(["error", "drop", "downgrade"]),
    default="error",
    show_default=True,
    help="What becomes of the request where no model takes it as it is.",
)
@click.option("--batch", is_flag=True, help="The request is one of a batch.")
@click.option(
    "--input-tokens",
    metavar="TOKENS",
    help="How many tokens the request has, such as 150k, or the word estimate.",
)
@click.option(
    "--print-request",
    is_flag=True,
    help="Print the request as the model takes it, as JSON, and no more.",
)
@common
def route(
    request: TextIO,
    requirement: str | None,
    policy: str | None,
    policies: str | None,
    on_unsupported: OnUnsupported,
    batch: bool,
    input_tokens: str | None,
    print_request: bool,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
) -> None:
    """Say which model can serve a Messages request, why, and what must change of the request.

    REQUEST is a file of JSON, the parameters of `messages.create`, or standard input. The model that it names counts
    for nothing.
    """
    from router.requests._routing import routes

    if policy is None:
        check_alone(policies)
    elif requirement is not None:
        raise ConfigurationError(
            "--policy says all that is needed besides: no --require goes with it"
        )
    asked = require(requirement) if policy is None else named_policy(policy, policies)
    body, tokens = _read_request(request), _read_tokens(input_tokens)
    session = Session(source, lifecycle, no_color)
    try:
        found = routes(
            session.catalogue,
            body,
            asked,
            on_unsupported,
            moment(None),
            most=1,
            batch=batch,
            input_tokens=tokens,
        ).first()
    except NoModelError as error:
        if as_json:
            output.print_json(output.decision_json(error.decision))
        else:
            click.echo(f"router: {printable_lines(str(error))}", err=True)
            output.print_catalogue(session.catalogue)
        raise click.exceptions.Exit(NOTHING_SERVES) from None
    if print_request:
        output.print_json(found.request)
    elif as_json:
        output.print_json(output.routed_json(found))
    else:
        click.echo(printable_lines(str(found.decision)))
        for change in found.changes:
            click.echo(f"changed: {change}")
        output.print_catalogue(session.catalogue)


def _read_request(file: TextIO) -> dict[str, Any]:
    name = printable(str(getattr(file, "name", "standard input")))
    try:
        request = json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name} is no JSON: {error}") from None
    if not isinstance(request, dict):
        raise ConfigurationError(f"{name} must be an object, the parameters of messages.create")
    return request


def _read_tokens(text: str | None) -> InputTokens:
    if text is None:
        return None
    if text == "estimate":
        return "estimate"
    try:
        tokens: int = KINDS["limit"].parse(text)
    except (ValueError, RequirementError):
        raise ConfigurationError(
            f'--input-tokens must be a number such as 150k, or "estimate" (got {quoted(text)})'
        ) from None
    return tokens
