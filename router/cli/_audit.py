"""`router audit`: the model ids in source and configuration files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import Factory, define

from router._errors import printable
from router._serialising import json_value
from router.cli._options import within_option
from router.cli._result import NOT_FOUND, Result, prints_result_from_catalogue
from router.cli._session import Session
from router.cli._terminal import print_message

if TYPE_CHECKING:
    from router.cli._files import Skipped
    from router.tools._audit import Audit, Finding

_NOT_READ: Final = 2
"""Not everything could be read: the exit status that grep has for it."""

_FINE: Final = "ok"
_COLORS: Final = {"retired": "red", "retiring": "yellow", "deprecated": "yellow", _FINE: "green"}
"""By verdict, the worst first."""


@define
class _Report:
    """What an audit has found so far."""

    findings: list[Finding] = Factory(list)
    skipped: list[Skipped] = Factory(list)
    files: int = 0


@click.command(short_help="Find model ids in files, and those that are retired.")
@click.argument("paths", nargs=-1)
@within_option("60d", help="How soon is too soon to retire: 60d, 2w.")
@click.option("--all", "with_fine", is_flag=True, help="Also print the places that are fine.")
@prints_result_from_catalogue
def audit(session: Session, paths: Sequence[str], within: int, with_fine: bool) -> Result[_Report]:
    """Find model ids in files, and say which models are retired or soon will be.

    PATHS are files and directories, by default the one you are in; - is standard input. In
    directories, files that a .gitignore ignores are skipped. Lines that say `router: ignore` are
    skipped. A catalogue without retired models is completed by the bundled one.

    Exit status: 0 nothing wrong, 1 a model is retired or retires within DURATION, 2 bad usage or
    a file that cannot be read, 3 no catalogue.
    """
    from router.tools._audit import Audit

    catalogue = session.catalogue
    report = _Report()
    for finding in _read(paths, Audit(catalogue, within=f"{within}d"), report):
        # A large tree takes long, so that text is printed while files are read.
        if not session.as_json and (with_fine or finding.verdict.value != _FINE):
            _print_finding(finding)

    is_unread = any(skipped.is_failure for skipped in report.skipped)
    is_failure = any(finding.verdict.is_failure for finding in report.findings)
    return Result(
        report,
        _as_json,
        _print_summary,
        found=not (is_unread or is_failure),
        failure=_NOT_READ if is_unread else NOT_FOUND,
        catalogue=catalogue,
        has_footer=False,
    )


def _as_json(report: _Report) -> dict[str, Any]:
    return {
        "findings": json_value(report.findings),
        "files": report.files,
        "skipped": [{"path": each.path, "why": each.why} for each in report.skipped],
    }


def _read(paths: Sequence[str], audit: Audit, report: _Report) -> Iterator[Finding]:
    """Add what the files hold to the report, yield it, and say which files are skipped."""
    from router.cli._files import Skipped, read_files

    for file in read_files(paths or (".",)):
        if isinstance(file, Skipped):
            report.skipped.append(file)
            print_message(f"{printable(file.path)}: {printable(file.why)}")
            continue
        report.files += 1
        found = audit.findings(file.content, file.path)
        report.findings += found
        yield from found


def _print_finding(finding: Finding) -> None:
    place = click.style(printable(finding.path), bold=True)
    text = click.style(printable(str(finding)), fg=_COLORS[finding.verdict.value])
    click.echo(f"{place}:{finding.line}:{finding.column}: {text}")


def _print_summary(report: _Report) -> None:
    findings = report.findings
    counts = Counter(finding.verdict.value for finding in findings)
    counted = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _COLORS if counts[verdict])
    found = f"{_plural(report.files, 'file')}, {_plural(len(findings), 'model id')}"
    print_message(f"{found}: {counted}" if counted else found)
    if any(finding.on_partner and finding.verdict.value != _FINE for finding in findings):
        print_message("the dates are Anthropic's own; Amazon Bedrock and Google Cloud set theirs")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
