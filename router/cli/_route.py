"""`router route`: which model serves a Messages request, and what must change of it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click
from attrs import evolve

from router._errors import ConfigurationError, RequirementError, printable, quoted
from router.catalogue._decision import NoModelError, changed
from router.cli._json import named
from router.cli._options import asked_for, policies_option
from router.cli._result import Result, prints_result_from_catalogue
from router.cli._session import Session
from router.cli._terminal import print_json, print_message
from router.cli._text import print_decision
from router.models._field_types import KINDS
from router.requirements._expression import resolve_now

if TYPE_CHECKING:
    from router.requests._fitting import OnUnsupported
    from router.requests._routing import Routed
    from router.requests._tokens import InputTokens


class _RequestFile(click.File):
    """A file, or standard input for `-`: a process may be started without one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "-" and sys.stdin is None:
            self.fail("standard input is closed", param, ctx)
        return super().convert(value, param, ctx)


@click.command(short_help="Say which model serves a Messages request, and why.")
@click.argument("request", metavar="[REQUEST]", type=_RequestFile("rb"), default="-")
@click.option(
    "--require",
    "requirement",
    metavar="REQUIREMENT",
    help="Another requirement that the model must meet.",
)
@click.option("--policy", metavar="NAME", help="A policy that the model must meet too.")
@policies_option
@click.option(
    "--on-unsupported",
    type=click.Choice(["error", "drop", "downgrade"]),
    default="error",
    show_default=True,
    help="How the request may change if no model takes it unchanged.",
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
@prints_result_from_catalogue
def route(
    session: Session,
    request: TextIO,
    requirement: str | None,
    policy: str | None,
    policies: str | None,
    on_unsupported: OnUnsupported,
    batch: bool,
    input_tokens: str | None,
    print_request: bool,
) -> Result[Any]:
    """Say which model can serve a Messages request, why, and what must change of the request.

    REQUEST is a file of JSON, the parameters of `messages.create`, or standard input. The model
    that it names is ignored.
    """
    from router.requests._routing import routes

    asked = asked_for(requirement, policy, policies, conflict="--require")
    body, tokens = _read_request(request), _read_tokens(input_tokens)
    catalogue = session.catalogue
    try:
        found = routes(
            catalogue,
            body,
            asked,
            on_unsupported,
            resolve_now(None),
            most=1,
            batch=batch,
            input_tokens=tokens,
        ).first()
    except NoModelError as error:
        return Result(error, _no_model_json, _print_no_model, found=False, catalogue=catalogue)
    found = evolve(found, decision=changed(found.decision, stale=session.is_stale))
    if print_request:
        return Result(
            found.request, named("request"), print_json, catalogue=catalogue, has_footer=False
        )
    return Result(found, named("routed"), _print_routed, catalogue=catalogue)


def _no_model_json(error: NoModelError) -> dict[str, Any]:
    return {"decision": error.decision.to_dict()}


def _print_no_model(error: NoModelError) -> None:
    print_message(str(error))


def _print_routed(found: Routed) -> None:
    print_decision(found.decision)
    for change in found.changes:
        click.echo(f"changed: {change}")


def _read_request(file: TextIO) -> dict[str, Any]:
    name = printable(str(getattr(file, "name", "standard input")))
    try:
        request = json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name} is not valid JSON: {error}") from None
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
