"""Text: each result for people; nothing that a server sent reaches a terminal unescaped."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import click

from router._errors import printable, printable_lines
from router._status import RouterStatus
from router.catalogue._catalogue import Catalogue
from router.catalogue._decision import Decision, catalogue_of
from router.catalogue._diff import CatalogueDiff
from router.catalogue._gate import Verdict
from router.catalogue._snapshot import Snapshot
from router.catalogue._terms import format_value
from router.cli._terminal import (
    WORDS,
    aligned,
    colored_mark,
    on_terminal,
    print_message,
    print_table,
)
from router.locking._resolution import LockChange, Outdated, Resolution
from router.models._model import Model, Support
from router.models._packaged_facts import source_text
from router.models._vocabulary import CAPABILITIES, DURATIONS, FIELDS

_SCHEDULED: Final = frozenset({"deprecated_at", "retires_at"})
"""The dates whose null says that there is none."""


def print_decision(decision: Decision) -> None:
    """Print the whole decision."""
    click.echo(printable_lines(str(decision)))


def print_selected(decision: Decision) -> None:
    """Print the id selected, and on a terminal its main facts; else why there is none."""
    if decision.model is None:
        print_message(str(decision))
        print_catalogue(catalogue_of(decision))
        return
    click.echo(decision.model.id)
    if on_terminal(sys.stderr):
        click.echo(click.style("  ".join(_facts(decision.model)), dim=True), err=True)
        print_catalogue(catalogue_of(decision))
        for note in decision.notes:
            click.echo(f"note: {printable(note)}", err=True)


def _facts(model: Model) -> Iterator[str]:
    yield printable(model.display_name or model.id)
    if model.created_at:
        yield f"released {model.created_at:%Y-%m-%d}"
    if "price.input" in model.comparable and "price.output" in model.comparable:
        reading, writing = model.comparable["price.input"], model.comparable["price.output"]
        yield f"${reading:g} in, ${writing:g} out per million tokens"
    if model.max_input_tokens:
        yield f"{format_value(model.max_input_tokens)} context"
    if model.max_tokens:
        yield f"{format_value(model.max_tokens)} output"


def print_catalogue(catalogue: Snapshot) -> None:
    """On a terminal, say on standard error which catalogue answered."""
    if on_terminal(sys.stderr):
        line = f"{catalogue.source} catalogue{_as_of(catalogue.as_of)}, {len(catalogue)} models"
        click.echo(click.style(line, dim=True), err=True)


def _as_of(date: datetime | None) -> str:
    return f" of {date:%Y-%m-%d %H:%MZ}" if date else ""


def print_models(models: Sequence[Model]) -> None:
    """Print a table of models."""
    header = ("id", "line", "released", "tokens in/out", "$ in/out", "lifecycle")
    print_table(header, [_row(model) for model in models])


def print_ranked(ranked: Sequence[tuple[Model, str | None]]) -> None:
    """Print each model and why it has its place; without a policy, ids or on a terminal a table."""
    if any(why is not None for _, why in ranked):
        width = max(len(model.id) for model, _ in ranked)
        for model, why in ranked:
            click.echo(f"{model.id:<{width}}  {printable(why or '')}")
    elif on_terminal(sys.stdout):
        print_models([model for model, _ in ranked])
    else:
        click.echo("".join(f"{model.id}\n" for model, _ in ranked), nl=False)


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
    """Return the stage of a model if there is more to say than that it is active, else nothing."""
    text = stage(model)
    return {"active": "", "active, limited": "limited"}.get(text, text)


def print_model(model: Model) -> None:
    """Print every field and capability, known or not, and the source of each documented fact."""
    click.echo(click.style(printable(model.id), bold=True))
    for name in sorted((set(FIELDS) | set(model.comparable)) - set(DURATIONS) - {"id", "type"}):
        value = _cell(model, name) or "unknown"
        click.echo(f"  {printable(name):<26} {value}{_source(model, name)}")
    for name, correction in sorted(model.corrections.items()):
        reported = format_value(correction.reported)
        click.echo(f"  {name} is corrected: the API reports {reported}. {correction.why}")
    click.echo(click.style("capabilities", bold=True))
    for name in sorted(CAPABILITIES | model.capabilities.keys() | model.facts.keys()):
        support = model.facts.get(name)
        text = f"{printable(name):<44} {WORDS[support]}{_source(model, name)}"
        click.echo(f"  {colored_mark(support)} {text}")
    used = {source for sources in model.documented.values() for source in sources}
    if used:
        click.echo(click.style("sources", bold=True))
    for source in sorted(used):
        click.echo(f"  {source:<9} {source_text(source)}".rstrip())


def _cell(model: Model, name: str) -> str:
    value = model.comparable.get(name)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    if value is not None:
        return format_value(value)
    is_null = name in model.entry and model.entry[name] is None
    return "none" if is_null and name in _SCHEDULED else ""


def _source(model: Model, name: str) -> str:
    sources = model.documented.get(name)
    return f"  (documented: {', '.join(sources)})" if sources is not None else ""


def print_support(answer: dict[str, Any]) -> None:
    """Print whether a model meets a requirement in a word, and on standard error what it lacks."""
    words: dict[Support, str] = {True: "yes", False: "no", None: "unknown"}
    click.echo(words[answer["support"]])
    for term in answer["lacks"]:
        click.echo(f"{answer['model']} lacks {term}", err=True)


def print_verdict(verdict: Verdict) -> None:
    """Print whether a feature may be used in a word, and on standard error why."""
    click.echo("yes" if verdict.value else "no")
    click.echo(printable(str(verdict)), err=True)


def print_refreshed(catalogue: Catalogue) -> None:
    """Print the number of models, and the newest."""
    newest = next(iter(catalogue), None)
    click.echo(f"{len(catalogue)} models, newest {newest.id if newest else 'none'}")


def print_status(status: RouterStatus) -> None:
    """Print the status of a router, a line a fact."""
    age = f", {_duration(status.age)} old" if status.age is not None else ""
    catalogue = f"{status.source}{_as_of(status.as_of)}{age}" if status.source else "none yet"
    click.echo(f"catalogue     {catalogue}")
    if status.stale and status.source:
        click.echo("              stale: older than it may be")
    click.echo(f"next refresh  {_due(status.next_refresh)}")
    if status.quarantined:
        click.echo(f"left out      {status.quarantined} entries that could not be read")
    if status.last_error:
        click.echo(f"last error    {status.last_error}")


def _due(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return _duration(seconds) if seconds else "now"


def _duration(seconds: float) -> str:
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def print_diff(diff: CatalogueDiff) -> None:
    """Print what differs, a line each: + added, - gone, ~ changed."""
    for mark, ids in (("+", diff.added), ("-", diff.removed)):
        for id in ids:
            click.echo(f"{mark} {id}")
    for impact in diff.impact:
        before, after = impact.before or "no model", impact.after or "no model"
        click.echo(f"! {impact.policy}: {before} -> {after}")
    for change in diff.changed:
        values = f"{_value(change.before)} -> {_value(change.after)}"
        click.echo(f"~ {change.model_id} {printable(change.name)}: {values}")


def _value(value: Any) -> str:
    return WORDS[value] if value is None or isinstance(value, bool) else format_value(value)


def print_resolution(found: Resolution) -> None:
    """Print what happens to each policy, a line each: + locked, ~ moved, - gone, = kept."""
    for change in found.changes:
        click.echo(printable(_change(change)))


def _change(change: LockChange) -> str:
    policy, before, after = change.policy, change.before, change.after
    if after is None:
        return f"- {policy}: {before.model_id if before is not None else ''} ({change.cause})"
    if before is None:
        return f"+ {policy}: {after.model_id} ({after.why})"
    if before == after:
        return f"= {policy}: {after.model_id}"
    if before.model_id == after.model_id:
        return f"~ {policy}: {after.model_id} ({change.cause})"
    return f"~ {policy}: {before.model_id} -> {after.model_id} ({change.cause}; {after.why})"


def print_outdated(found: Sequence[Outdated]) -> None:
    """Print what is locked and what is newest, and below each row what that adds and lacks."""
    header = ["policy", "locked", "newest", "released"]
    first, *lines = aligned([header, *map(_outdated_row, found)])
    width = shutil.get_terminal_size().columns if on_terminal(sys.stdout) else sys.maxsize
    click.echo(first)
    for line, outdated in zip(lines, found, strict=True):
        click.echo(line)
        for label, names in (("adds", outdated.adds), ("lacks", outdated.lacks)):
            if names:
                text = printable(", ".join(_by_family(names)))
                click.echo(click.wrap_text(text, width, f"  {label:<5}  ", " " * 9))


def _outdated_row(outdated: Outdated) -> list[str]:
    newest = outdated.newest
    id, released = ("no model", "") if newest is None else (newest.id, _cell(newest, "created_at"))
    return [outdated.policy, outdated.locked_id or "nothing", id, released]


def _by_family(names: Sequence[str]) -> Iterator[str]:
    """Yield the names, those of one parent as one, and no parent whose children are listed."""
    families: dict[str, list[str]] = {}
    for name in names:
        parent, _, last = name.rpartition(".")
        families.setdefault(parent, []).append(last)
    for parent, lasts in families.items():
        if not parent:
            yield from (name for name in lasts if name not in families)
        elif len(lasts) == 1:
            yield f"{parent}.{lasts[0]}"
        else:
            yield f"{parent}.{{{','.join(lasts)}}}"
