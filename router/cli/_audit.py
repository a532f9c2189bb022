"""`router audit`: the model ids in source and configuration files, for people, programs and commit hooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from router._errors import printable
from router.cli import _output as output
from router.cli._options import as_days, common
from router.cli._session import Session

if TYPE_CHECKING:
    from router.tools._audit import Finding

FOUND: Final = 1
UNREAD: Final = 2
"""As grep has it: not everything could be read, so nothing is said of the whole."""

_FINE: Final = "ok"
_COLORS: Final = {"retired": "red", "retiring": "yellow", "deprecated": "yellow", _FINE: "green"}
"""By verdict, the worst first."""


@click.command()
@click.argument("paths", nargs=-1)
@click.option(
    "--within",
    metavar="DURATION",
    callback=as_days,
    default="60d",
    show_default=True,
    help="How soon is too soon to retire: 60d, 2w.",
)
@click.option("--all", "with_fine", is_flag=True, help="Also print the places that are fine.")
@common
def audit(
    paths: Sequence[str],
    within: int,
    with_fine: bool,
    source: str | None,
    lifecycle: Sequence[str],
    as_json: bool,
    no_color: bool,
) -> None:
    """Find model ids in files, and say which models are retired or soon will be.

    PATHS are files and directories, by default the one you are in; what .gitignore files ignore is left out of
    directories. A line that says `router: ignore` is left out. A catalogue without retired models is completed by the
    bundled one.

    Exit status: 0 nothing wrong, 1 a model is retired or retires within DURATION, 2 bad usage or a file that cannot be
    read, 3 no catalogue.
    """
    from router.cli._files import Skipped, read_files
    from router.tools._audit import Audit

    session = Session(source, lifecycle, no_color)
    audit = Audit(session.catalogue, within=f"{within}d")
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    count = 0
    for file in read_files(paths or (".",)):
        if isinstance(file, Skipped):
            skipped.append(file)
            click.echo(f"router: {printable(file.path)}: {printable(file.why)}", err=True)
            continue
        count += 1
        found = audit.findings(file.content, file.path)
        findings += found
        if not as_json:
            for finding in found:
                if with_fine or finding.verdict.value != _FINE:
                    _print(finding)
    if as_json:
        output.print_json(
            {
                "findings": [output.finding_json(each) for each in findings],
                "files": count,
                "skipped": [{"path": each.path, "why": each.why} for each in skipped],
                "catalogue": output.catalogue_json(session.catalogue),
            }
        )
    else:
        _print_summary(findings, count)
    if any(each.is_failure for each in skipped):
        raise click.exceptions.Exit(UNREAD)
    if any(each.verdict.is_failure for each in findings):
        raise click.exceptions.Exit(FOUND)


def _print(finding: Finding) -> None:
    place = click.style(printable(finding.path), bold=True)
    said = click.style(printable(str(finding)), fg=_COLORS[finding.verdict.value])
    click.echo(f"{place}:{finding.line}:{finding.column}: {said}")


def _print_summary(findings: Sequence[Finding], count: int) -> None:
    verdicts = Counter(each.verdict.value for each in findings)
    counted = ", ".join(
        f"{verdicts[verdict]} {verdict}" for verdict in _COLORS if verdicts[verdict]
    )
    click.echo(
        f"router: {_plural(count, 'file')}, {_plural(len(findings), 'model id')}{counted and f': {counted}'}",
        err=True,
    )
    if any(each.on_partner and each.verdict.value != _FINE for each in findings):
        click.echo(
            "router: the dates are Anthropic's own; Amazon Bedrock and Google Cloud set theirs",
            err=True,
        )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
