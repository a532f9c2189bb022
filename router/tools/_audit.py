"""Audit: finds model ids in source and configuration files that are retired, or will be soon.

The audit matches whole names only. A letter, digit, `_` or `-` directly before or after a name
makes it a different name. A prefix that ends in `.`, `/` or `:` only qualifies the model
(`us.anthropic.`, `models/`, `anthropic:`).

After a name, two continuations also make it a different name: `.` or `@` with a letter, digit or
`_` (`claude-2.1.5`, `claude-2.1.json`, another date on Vertex), and `:` with a digit (another
version on Bedrock). A `:` with a letter is allowed: it calls a method or variant (`:rawPredict`).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import ClassVar, Final

from attrs import frozen

from router._serialising import Serialisable
from router.catalogue._catalogue import Catalogue
from router.models._field_types import read_days, shift_days
from router.models._model import Model, is_id
from router.requirements._expression import resolve_now

_BEDROCK: Final = "anthropic."
_DATED: Final = re.compile(r"(.+)-(\d{8})", re.ASCII)
_GOES_ON_BEFORE: Final = re.compile(r"[A-Za-z0-9_-]")
_GOES_ON_AFTER: Final = r"(?![A-Za-z0-9_-]|(?:[.@]|%40)[A-Za-z0-9_]|(?::|%3A)[0-9])"
_CONTEXT: Final = r"(?:(?::|%3A)[0-9]{1,4}k)?"
"""The context window that Bedrock appends for provisioned throughput, as in `-v1:0:200k`."""

_NO_PART_OF_A_NAME: Final = re.compile(
    r"(?:\\[nrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}|\$\{[^\s{}]{1,80}-)\Z"
)
"""Prefixes that end like a name but are not part of one: escapes, and `:-` in `${MODEL:-id}`."""

# Bounds the search for such a prefix, so that a long minified line stays cheap.
_LONGEST_BEFORE: Final = 100
_ACCEPTED: Final = re.compile(r"router:[ \t]*ignore\b")
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

BEGINNING: Final = 8192
"""The number of leading bytes that decide whether a file is text."""


class AuditVerdict(Enum):
    """The state of a model that a file names."""

    OK = "ok"
    """No retirement or deprecation is known."""
    DEPRECATED = "deprecated"
    """The model is deprecated, but not known to retire within the requested time."""
    RETIRING = "retiring"
    """The model retires within the requested time, or its retirement is overdue."""
    RETIRED = "retired"
    """Requests for it fail."""

    @property
    def is_failure(self) -> bool:
        """Whether the model is retired, or will be soon."""
        return self in {AuditVerdict.RETIRING, AuditVerdict.RETIRED}


@frozen(kw_only=True, repr=False)
class Finding(Serialisable):
    """One place where a file names a model, with the state of that model."""

    path: str
    line: int
    """Counted from 1."""
    column: int
    """In characters, counted from 1."""
    text: str
    """The name in the file: an id, an alias, or a name from Amazon Bedrock or Google Cloud."""
    model_id: str
    """The id of the model."""
    lifecycle: str | None
    retires_at: datetime | None
    replacement: str | None
    """The id that the provider names as the successor."""
    on_partner: bool
    """Whether only Amazon Bedrock or Google Cloud, which set their own dates, use the name."""
    verdict: AuditVerdict
    is_overdue: bool = False
    """Whether the scheduled retirement has passed without one."""

    json_names: ClassVar = (
        *("path", "line", "column", "text", "model_id", "lifecycle", "retires_at"),
        *("replacement", "on_partner", "verdict", "is_overdue"),
    )

    def __str__(self) -> str:
        name = self.text if self.text == self.model_id else f"{self.text} ({self.model_id})"
        day = f"{self.retires_at:%Y-%m-%d}" if self.retires_at else ""
        if self.verdict is AuditVerdict.RETIRED:
            said = f"was retired on {day}" if day else "is retired"
        elif self.verdict is AuditVerdict.RETIRING:
            said = (
                f"was due for retirement on {day}, which has passed"
                if self.is_overdue
                else f"is due for retirement on {day}"
            )
        else:
            said = f"is {self.lifecycle or 'of unknown lifecycle'}{f', due for retirement on {day}' if day else ''}"
        return f"{name} {said}{f'; use {self.replacement}' if self.replacement else ''}"


@frozen
class _Known:
    model: Model
    on_partner: bool


class Audit(Serialisable):
    """Finds the names of models in text, and reports which are retired, or will be soon.

    A name is an id or alias of the catalogue, or the model's name on Amazon Bedrock or Google
    Cloud. The bundled catalogue supplies models that the catalogue does not list, or lists without
    a lifecycle, because the API lists retired models only on request. `within` is a duration such
    as `60d` or `2w`, counted from `now`; an invalid duration raises `ConfigurationError`.
    """

    json_names: ClassVar = ("within", "source", "as_of")

    def __init__(
        self, catalogue: Catalogue, *, within: str = "60d", now: datetime | None = None
    ) -> None:
        self.within = within
        self.source, self.as_of = catalogue.source, catalogue.as_of
        self._now = resolve_now(now)
        self._until = shift_days(self._now, read_days("within", within))
        self._names = _known_names(catalogue)
        tails = {name.removeprefix(_BEDROCK) for name in self._names if name != _BEDROCK}
        self._clue = _common_beginning(tails)
        """A string that every name contains: a file without it names no model."""
        # Alternation takes the first match, so longer names come first. A lookbehind would prevent
        # the fast search for a literal prefix; `_begins` checks the preceding text instead.
        longest_first = "|".join(map(re.escape, sorted(tails, key=lambda tail: (-len(tail), tail))))
        self._tail = re.compile(f"(?:{longest_first})(?P<context>{_CONTEXT}){_GOES_ON_AFTER}")

    def __str__(self) -> str:
        return f"of {len(self._names)} names, within {self.within}, by the {self.source} catalogue"

    def findings(self, content: str | bytes, path: str = "") -> tuple[Finding, ...]:
        """Return every place in a file's content that names a model.

        Lines that contain `router: ignore` are skipped. Bytes are decoded as UTF-8, or as UTF-16
        if they start with a byte order mark. Binary content names no model.
        """
        text = self._decoded(content) if isinstance(content, bytes) else content
        return tuple(self._findings(text, path)) if self._clue in text else ()

    def _findings(self, text: str, path: str) -> Iterator[Finding]:
        line, line_start, line_end, is_accepted = 1, 0, -1, False
        for start, end, known in self._places(text):
            # Scan each line once: a line of a minified file may name a model thousands of times.
            if start > line_end:
                line += text.count("\n", line_start, start)
                line_start = text.rfind("\n", 0, start) + 1
                line_end = text.find("\n", start)
                line_end = len(text) if line_end < 0 else line_end
                is_accepted = _ACCEPTED.search(text, line_start, line_end) is not None
            if is_accepted:
                continue
            model = known.model
            yield Finding(
                path=path,
                line=line,
                column=start - line_start + 1,
                text=text[start:end],
                model_id=model.id,
                lifecycle=model.lifecycle,
                retires_at=model.retires_at,
                replacement=model.replacement,
                on_partner=known.on_partner,
                verdict=self._verdict(model),
                is_overdue=self._is_overdue(model),
            )

    def _places(self, text: str) -> Iterator[tuple[int, int, _Known]]:
        """Yield the start and end of each name, and the model it names."""
        at = 0
        while match := self._tail.search(text, at):
            start, end = match.span()
            at = start + 1  # a rejected match may overlap a valid one
            tail = text[start : match.start("context")]
            for before in (_BEDROCK, "") if text.endswith(_BEDROCK, 0, start) else ("",):
                known = self._names.get(before + tail)
                if known and _begins(text, start - len(before)):
                    yield start - len(before), end, known
                    at = end
                    break

    def _decoded(self, content: bytes) -> str:
        # In UTF-16 the clue has other bytes. In UTF-8 the bytes are searched before decoding them,
        # because most files name no model.
        if content.startswith(_UTF_16):
            return content.decode("utf-16", "replace")
        if self._clue.encode() not in content or is_binary(content):
            return ""
        return content.decode("utf-8-sig", "replace")

    def _verdict(self, model: Model) -> AuditVerdict:
        if model.lifecycle == "retired":
            return AuditVerdict.RETIRED
        if model.retires_at is not None and model.retires_at <= self._until:
            return AuditVerdict.RETIRING
        return AuditVerdict.DEPRECATED if model.lifecycle == "deprecated" else AuditVerdict.OK

    def _is_overdue(self, model: Model) -> bool:
        is_past = model.retires_at is not None and model.retires_at <= self._now
        return is_past and model.lifecycle != "retired"


def is_binary(content: bytes) -> bool:
    """Return whether content is binary: a zero byte near its start, and no UTF-16 mark."""
    return b"\0" in content[:BEGINNING] and not content.startswith(_UTF_16)


def _common_beginning(texts: Collection[str]) -> str:
    # The first and last in sort order differ earliest, so their common prefix is everyone's.
    first, last = min(texts), max(texts)
    return first[
        : next((at for at, mark in enumerate(first) if not last.startswith(mark, at)), len(first))
    ]


def _begins(text: str, start: int) -> bool:
    """Return whether a name begins at `start`: the preceding text is not part of a longer name."""
    if start == 0 or not _GOES_ON_BEFORE.match(text, start - 1):
        return True
    return _NO_PART_OF_A_NAME.search(text, max(0, start - _LONGEST_BEFORE), start) is not None


def _known_names(catalogue: Catalogue) -> Mapping[str, _Known]:
    """Return every name with its model; ids and aliases of the API win over partner names."""
    bundled = Catalogue.bundled()
    models = [
        bundled[each.key] if each.lifecycle is None and each.key in bundled else each
        for each in catalogue
    ]
    models += [each for each in bundled if each.key not in catalogue]
    names: dict[str, _Known] = {}
    # One loop per kind of name, so that an alias never hides another model's id.
    for model in models:
        names.setdefault(model.id, _Known(model, on_partner=False))
    for model in models:
        for alias in filter(is_id, model.aliases):
            names.setdefault(alias, _Known(model, on_partner=False))
    for model in models:
        for name in filter(is_id, _partner_names(model)):
            for spelling in (name, name.replace(":", "%3A").replace("@", "%40")):
                names.setdefault(spelling, _Known(model, on_partner=True))
    return names


def _partner_names(model: Model) -> Iterator[str]:
    """Yield the model's names on Amazon Bedrock and Google Cloud: documented ones, else by rule.

    The rule is from https://platform.claude.com/docs/en/about-claude/models/model-ids-and-versions.
    Bedrock's endpoint for the Messages API takes ids and aliases without a version.
    """
    documented = model.comparable.get("partner_ids", ())
    yield from documented
    yield from (f"{_BEDROCK}{name}" for name in (model.id, *model.aliases))
    dated = _DATED.fullmatch(model.id)
    if dated and not any(name.startswith(_BEDROCK) for name in documented):
        yield f"{_BEDROCK}{model.id}-v1:0"
    if not any("@" in name for name in documented):
        yield f"{dated[1]}@{dated[2]}" if dated else f"{model.id}@default"
