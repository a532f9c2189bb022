"""What the command prints: text for people, JSON for programs; nothing of a server's reaches a terminal unescaped."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

import click
from attrs import asdict

from router._errors import printable
from router._status import RouterStatus
from router.catalogue._decision import Decision
from router.catalogue._diff import CatalogueDiff
from router.catalogue._gate import Verdict
from router.catalogue._snapshot import Snapshot
from router.catalogue._terms import Unmet, shown, unmet_terms
from router.catalogue._why import Why
from router.cli._session import Session
from router.locking._checking import LockProblem
from router.locking._resolution import Outdated, Relocked, Resolution
from router.models._model import Model, Support
from router.models._packaged_facts import source_text
from router.models._vocabulary import CAPABILITIES, DURATIONS, FIELDS
from router.requirements._expression import Requirement

if TYPE_CHECKING:
    from router.requests._routing import Routed
    from router.tools._audit import Finding

_SCHEDULED: Final = frozenset({"deprecated_at", "retires_at"})
"""The dates whose null says that there is none."""

WORDS: Final[dict[Support, str]] = {True: "supported", False: "unsupported", None: "unknown"}
_MARKS: Final[dict[Support, str]] = {True: "✓", False: "✗", None: "?"}
_PLAIN_MARKS: Final[dict[Support, str]] = {True: "+", False: "-", None: "?"}
COLORS: Final[dict[Support, str]] = {True: "green", False: "red", None: "yellow"}


def on_terminal(stream: TextIO | None) -> bool:
    """Return whether a person reads along; a stream that was closed before the start is none."""
    return stream is not None and stream.isatty()


def print_json(value: Any) -> None:
    """Print JSON in ASCII, so that it is safe in any terminal and encoding."""
    click.echo(json.dumps(value, indent=2))


def print_footer(decision: Decision) -> None:
    """On a terminal, say on standard error what a person wants to know of the model selected."""
    model = decision.model
    if model is None or not on_terminal(sys.stderr):
        return
    facts = [printable(model.display_name or model.id)]
    if model.created_at:
        facts.append(f"released {model.created_at:%Y-%m-%d}")
    if "price.input" in model.values and "price.output" in model.values:
        facts.append(
            f"${model.values['price.input']:g} in, ${model.values['price.output']:g} out per million tokens"
        )
    if model.max_input_tokens:
        facts.append(f"{shown(model.max_input_tokens)} context")
    if model.max_tokens:
        facts.append(f"{shown(model.max_tokens)} output")
    click.echo(click.style("  ".join(facts), dim=True), err=True)
    print_catalogue(decision.catalogue)
    for note in decision.notes:
        click.echo(f"note: {printable(note)}", err=True)


def print_catalogue(catalogue: Snapshot) -> None:
    """On a terminal, say on standard error which catalogue answered."""
    if on_terminal(sys.stderr):
        as_of = f" of {catalogue.as_of:%Y-%m-%d %H:%MZ}" if catalogue.as_of else ""
        click.echo(
            click.style(f"{catalogue.source} catalogue{as_of}, {len(catalogue)} models", dim=True),
            err=True,
        )


def print_models(models: Sequence[Model], session: Session) -> None:
    """Print a table: folded to the terminal's width on a terminal, one line a model anywhere else."""
    header = ["id", "line", "released", "tokens in/out", "$ in/out", "lifecycle"]
    rows = [_row(model) for model in models]
    if on_terminal(sys.stdout):
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        console = Console(color_system=None if session.color is False else "auto", highlight=False)
        table = Table(box=None, pad_edge=False)
        for at, name in enumerate(header):
            widest = max((len(row[at]) for row in rows), default=0) if name == "id" else 0
            table.add_column(name, overflow="fold", min_width=min(widest, console.width))
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table, crop=False)
        return
    for line in _aligned([header, *rows]):
        click.echo(line)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def print_chain(chain: Sequence[tuple[Model, str]]) -> None:
    """Print ids, and beside each what puts the model into its place."""
    width = max(len(model.id) for model, _ in chain)
    for model, why in chain:
        click.echo(f"{model.id:<{width}}  {printable(why)}")


def _row(model: Model) -> list[str]:
    return [
        model.id,
        _cell(model, "line"),
        _cell(model, "created_at"),
        f"{_cell(model, 'max_input_tokens') or '?'}/{_cell(model, 'max_tokens') or '?'}",
        f"{_cell(model, 'price.input') or '?'}/{_cell(model, 'price.output') or '?'}",
        stage(model),
    ]


def stage(model: Model) -> str:
    """Return the lifecycle of a model in a word, and whether its access is limited."""
    lifecycle = _cell(model, "lifecycle")
    return f"{lifecycle}, limited" if model.access == "limited" else lifecycle


def caution(model: Model) -> str:
    """Return the stage of a model where there is more to say than that it is active, else nothing."""
    standing = stage(model)
    return {"active": "", "active, limited": "limited"}.get(standing, standing)


def print_model(model: Model) -> None:
    """Print every field and capability, known or not, and where a fact is documented rather than stated."""
    click.echo(click.style(printable(model.id), bold=True))
    for name in sorted((set(FIELDS) | set(model.values)) - set(DURATIONS) - {"id", "type"}):
        value = _cell(model, name) or "unknown"
        click.echo(f"  {printable(name):<26} {value}{_source(model, name)}")
    for name, correction in sorted(model.corrections.items()):
        click.echo(
            f"  {name} is corrected: the API reports {shown(correction.reported)}. {correction.why}"
        )
    click.echo(click.style("capabilities", bold=True))
    for name in sorted(CAPABILITIES | model.capabilities.keys() | model.facts.keys()):
        support = model.facts.get(name)
        mark = click.style(marks()[support], fg=COLORS[support])
        click.echo(f"  {mark} {printable(name):<44} {WORDS[support]}{_source(model, name)}")
    used = {source for sources in model.documented.values() for source in sources}
    if used:
        click.echo(click.style("sources", bold=True))
    for source in sorted(used):
        click.echo(f"  {source:<9} {source_text(source)}".rstrip())


def decision_json(decision: Decision, *, brief: bool = False) -> dict[str, Any]:
    """Return a decision for JSON; `brief` leaves out what each other model lacks."""
    answer: dict[str, Any] = {
        "model": decision.model.id if decision.model else None,
        "reason": decision.reason.value,
        "requirement": decision.requirement.text,
        "policy": decision.policy.name if decision.policy else None,
        "candidates": list(decision.candidates),
        "nearest": list(decision.nearest),
        "notes": list(decision.notes),
        "catalogue": catalogue_json(decision.catalogue) | {"stale": decision.stale},
    }
    if not brief:
        answer["terms"] = [
            {"term": str(term), "implicit": term.implicit} for term in decision.terms
        ]
        answer["rejected"] = {
            id: list(map(_unmet_json, unmet)) for id, unmet in decision.rejected.items()
        }
    return answer


def routed_json(routed: Routed) -> dict[str, Any]:
    """Return where a request goes for JSON: the decision, what was changed, and the request as the model takes it."""
    decision = routed.decision
    return {
        "model": routed.model.id,
        "requirement": decision.requirement.text,
        "places": {text: list(places) for text, places in decision.places.items()},
        "changes": [
            {"path": each.path, "before": each.before, "after": each.after, "why": each.why}
            for each in routed.changes
        ],
        "request": routed.request,
        "decision": decision_json(decision),
    }


def model_json(model: Model) -> dict[str, Any]:
    """Return everything known of a model for JSON, dates in RFC 3339."""
    return {
        "id": model.id,
        "fields": {
            name: _json(value)
            for name, value in sorted(model.values.items())
            if name not in DURATIONS
        },
        "capabilities": {
            name: model.facts.get(name)
            for name in sorted(model.capabilities.keys() | model.facts.keys())
        },
        "documented": {name: list(sources) for name, sources in sorted(model.documented.items())},
        "corrections": {
            name: {"reported": each.reported, "value": each.value, "why": each.why}
            for name, each in model.corrections.items()
        },
    }


def listing_json(models: Iterable[Model]) -> dict[str, Any]:
    """Return models as one page of the API's own list, each entry as it came."""
    entries = [dict(model.entry) for model in models]
    return {
        "data": entries,
        "has_more": False,
        "first_id": entries[0]["id"] if entries else None,
        "last_id": entries[-1]["id"] if entries else None,
    }


def catalogue_json(catalogue: Snapshot) -> dict[str, Any]:
    """Return what identifies a catalogue for JSON."""
    return {
        "source": catalogue.source,
        "as_of": _json(catalogue.as_of),
        "digest": catalogue.digest,
        "models": len(catalogue),
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return what a gate says for JSON."""
    return {
        "model": verdict.model,
        "requirement": verdict.requirement.text,
        "value": verdict.value,
        "reason": verdict.reason.value,
        "by_default": verdict.by_default,
        "catalogue": {
            "source": verdict.source,
            "as_of": _json(verdict.as_of),
            "stale": verdict.stale,
        },
    }


def lacking(model: Model, requirement: Requirement) -> list[dict[str, Any]]:
    """Return the terms that a model does not meet, for JSON."""
    return [_unmet_json(unmet) for unmet in unmet_terms(requirement, model)]


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return a place that names a model for JSON."""
    facts = {name: _json(value) for name, value in asdict(finding, recurse=False).items()}
    return facts | {"verdict": finding.verdict.value}


def _unmet_json(unmet: Unmet) -> dict[str, Any]:
    return {
        "term": str(unmet.term),
        "support": unmet.support,
        "why": unmet.why,
        "implicit": unmet.term.implicit,
    }


def _json(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _cell(model: Model, name: str) -> str:
    value = model.values.get(name)
    if value is None:
        return (
            "none"
            if name in _SCHEDULED and name in model.entry and model.entry[name] is None
            else ""
        )
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else shown(value)


def _source(model: Model, name: str) -> str:
    return (
        f"  (documented: {', '.join(model.documented[name])})" if name in model.documented else ""
    )


def marks() -> Mapping[Support, str]:
    """Return a mark for each support, such as standard output can encode."""
    return _MARKS if encodes("".join(_MARKS.values())) else _PLAIN_MARKS


def encodes(text: str) -> bool:
    """Return whether standard output can encode the text."""
    try:
        text.encode((sys.stdout and sys.stdout.encoding) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def print_status(status: RouterStatus) -> None:
    """Print how things stand, a line a fact."""
    age = f", {_age(status.age)} old" if status.age is not None else ""
    as_of = f" of {status.as_of:%Y-%m-%d %H:%MZ}" if status.as_of else ""
    click.echo(f"catalogue     {f'{status.source}{as_of}{age}' if status.source else 'none yet'}")
    if status.stale and status.source:
        click.echo("              stale: older than it may be")
    due = (
        "never"
        if status.next_refresh is None
        else "now"
        if not status.next_refresh
        else _age(status.next_refresh)
    )
    click.echo(f"next refresh  {due}")
    if status.quarantined:
        click.echo(f"left out      {status.quarantined} entries that could not be read")
    if status.last_error:
        click.echo(f"last error    {status.last_error}")


def status_json(status: RouterStatus) -> dict[str, Any]:
    """Return how things stand for JSON."""
    facts = {name: _json(value) for name, value in asdict(status, recurse=False).items()}
    return facts | {"last_error": str(status.last_error) if status.last_error else None}


def print_diff(diff: CatalogueDiff) -> None:
    """Print what differs, a line each: + added, - gone, ~ changed."""
    for mark, ids in (("+", diff.added), ("-", diff.removed)):
        for id in ids:
            click.echo(f"{mark} {id}")
    for impact in diff.impact:
        click.echo(
            f"! {impact.policy}: {impact.before or 'no model'} -> {impact.after or 'no model'}"
        )
    for change in diff.changed:
        before, after = (
            WORDS[value] if value is None or isinstance(value, bool) else shown(value)
            for value in (change.before, change.after)
        )
        click.echo(f"~ {change.id} {printable(change.name)}: {before} -> {after}")


def diff_json(diff: CatalogueDiff) -> dict[str, Any]:
    """Return what differs for JSON."""
    return {
        "added": list(diff.added),
        "removed": list(diff.removed),
        "changed": [
            {
                "id": each.id,
                "name": each.name,
                "before": _json(each.before),
                "after": _json(each.after),
            }
            for each in diff.changed
        ],
        "impact": [asdict(each) for each in diff.impact],
    }


def print_resolution(found: Resolution) -> None:
    """Print what becomes of each policy, a line each: + locked, ~ moved, - gone, = kept."""
    for each in found.changes:
        click.echo(printable(_change(each)))


def _change(each: Relocked) -> str:
    before, after = each.before, each.after
    if after is None:
        return f"- {each.policy}: {before.model if before is not None else ''} ({each.cause})"
    if before is None:
        return f"+ {each.policy}: {after.model} ({after.why})"
    if before == after:
        return f"= {each.policy}: {after.model}"
    if before.model == after.model:
        return f"~ {each.policy}: {after.model} ({each.cause})"
    return f"~ {each.policy}: {before.model} -> {after.model} ({each.cause}; {after.why})"


def resolution_json(found: Resolution, path: str, *, written: bool) -> dict[str, Any]:
    """Return what becomes of each policy for JSON."""
    return {
        "path": path,
        "written": written,
        "policies": [
            {
                "policy": each.policy,
                "before": each.before.model if each.before is not None else None,
                "after": each.after.model if each.after is not None else None,
                "why": each.after.why if each.after is not None else None,
                "cause": each.cause or None,
            }
            for each in found.changes
        ],
    }


def problem_json(problem: LockProblem) -> dict[str, Any]:
    """Return what is wrong with a lock for JSON."""
    return {"policy": problem.policy, "kind": problem.kind.value, "what": problem.what}


def print_outdated(found: Sequence[Outdated]) -> None:
    """Print a table of what is locked and what is newest, and below each row what that adds and lacks."""
    header, *lines = _aligned(
        [["policy", "locked", "newest", "released"], *map(_outdated_row, found)]
    )
    width = shutil.get_terminal_size().columns if on_terminal(sys.stdout) else sys.maxsize
    click.echo(header)
    for line, each in zip(lines, found, strict=True):
        click.echo(line)
        for label, names in (("adds", each.adds), ("lacks", each.lacks)):
            if names:
                text = printable(", ".join(_by_family(names)))
                click.echo(click.wrap_text(text, width, f"  {label:<5}  ", " " * 9))


def _outdated_row(each: Outdated) -> list[str]:
    newest = each.newest
    id, released = (
        (newest.id, _cell(newest, "created_at")) if newest is not None else ("no model", "")
    )
    return [each.policy, each.locked or "nothing", id, released]


def _by_family(names: Sequence[str]) -> Iterator[str]:
    """Return names with those of one parent as one, and without a parent whose children are there."""
    families: dict[str, list[str]] = {}
    for name in names:
        parent, _, last = name.rpartition(".")
        families.setdefault(parent, []).append(last)
    for parent, lasts in families.items():
        if parent:
            yield f"{parent}.{lasts[0]}" if len(lasts) == 1 else f"{parent}.{{{','.join(lasts)}}}"
        else:
            yield from (name for name in lasts if name not in families)


def outdated_json(each: Outdated) -> dict[str, Any]:
    """Return what is locked and what is newest for JSON."""
    newest = each.newest
    return {
        "policy": each.policy,
        "locked": each.locked,
        "newest": newest.id if newest is not None else None,
        "released": _json(newest.created_at) if newest is not None else None,
        "adds": list(each.adds),
        "lacks": list(each.lacks),
    }


def why_json(found: Why) -> dict[str, Any]:
    """Return how a model stands to the one that is selected for JSON."""
    return {
        "id": found.model.id,
        "selected": found.selected.id if found.selected is not None else None,
        "place": found.place,
        "candidates": found.candidates,
        "because": found.because or None,
        "lacks": [[_unmet_json(unmet) for unmet in tier] for tier in found.lacks],
    }


def _age(seconds: float) -> str:
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
