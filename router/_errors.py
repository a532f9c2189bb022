"""Every error that `router` raises on purpose.

RouterError
├── RequirementError (ValueError)            an invalid requirement, whatever the catalogue
│   ├── RequirementSyntaxError               text that does not parse, with its column
│   └── UnknownNameError (LookupError)       a name that no catalogue and no vocabulary knows
├── NoModelError (LookupError)               nothing is known to meet the requirement
├── UnknownModelError (LookupError)          an id or alias that the catalogue does not list
├── AmbiguousModelError (LookupError)        an id that several providers serve
├── LockError (LookupError)                  a lock that does not hold, or does not say what was asked
├── CatalogueError (ValueError)              data that is not a catalogue
│   └── MalformedEntryError                  one entry of it, with its path
│       └── ConflictingEntriesError          two entries of one id that differ
├── CatalogueUnavailableError (OSError)      a source that gave no catalogue
├── UnfitRequestError (ValueError)           a request that a model is known not to serve
├── FallbackExhaustedError (ExceptionGroup)  every model that a run could try has failed
└── ConfigurationError (ValueError)          an argument, environment variable or file that cannot be used
"""

from __future__ import annotations

# Type checkers treat this name like `typing.TYPE_CHECKING`, whose import takes time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

_MAX_TEXT = 200
"""The most characters of foreign text in a message."""

_MAX_SENTENCE = 1000
"""The most characters of a sentence in a message, such as a lock's problem."""

_MAX_PLACES = 10
"""The most places of a request in a message."""

_MAX_NAME = 256
"""The most characters of a valid id: longer names get no suggestions."""

_MAX_NAMES = 10
_WINDOW = 36
_MIN_LIKENESS = 0.6
_SAME_LIKENESS = 0.1


def printable(text: str) -> str:
    """Return `text` with non-printable characters escaped, so that it is safe for a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def printable_lines(text: str) -> str:
    """Return `text` with non-printable characters escaped, except for line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def quoted(value: object) -> str:
    """Return the printable, shortened `repr` of a value, or its type's name if `repr` fails."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an int of 4,301 digits, or a foreign `__repr__`
        text = f"<unprintable {type(value).__name__} object>"
    return shortened(text)


def shortened(text: str, longest: int = _MAX_TEXT) -> str:
    """Return printable `text`, cut after `longest` characters."""
    return printable(text if len(text) <= longest else f"{text[:longest]}...")


def join_names(names: Sequence[str]) -> str:
    """Return the first names, shortened and joined with commas."""
    return ", ".join(
        [*map(shortened, names[:_MAX_NAMES]), *(["..."] if len(names) > _MAX_NAMES else [])]
    )


def nearest(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Return the known names most similar to `name`, in whole or in the last part, best first.

    Case does not count. If names are the same but for case, only those are returned.
    """
    if len(name) > _MAX_NAME:
        return ()
    wanted = name.casefold()
    scores = {
        each: max(
            _likeness(wanted, each.casefold()), _likeness(_last(wanted), _last(each.casefold()))
        )
        for each in set(known)
    }
    same = {each: score for each, score in scores.items() if each.casefold() == wanted}
    enough = max(_MIN_LIKENESS, max(scores.values(), default=0.0) - _SAME_LIKENESS)
    best = sorted((-score, each) for each, score in (same or scores).items() if score >= enough)
    return tuple(each for _, each in best[:limit])


def _likeness(one: str, other: str) -> float:
    from difflib import SequenceMatcher

    one, other = sorted((one, other))  # the ratio depends on the order of its arguments
    matcher = SequenceMatcher(None, one, other)
    # The quick ratios are upper bounds, and much cheaper.
    return (
        matcher.ratio()
        if matcher.real_quick_ratio() >= _MIN_LIKENESS and matcher.quick_ratio() >= _MIN_LIKENESS
        else 0.0
    )


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def did_you_mean(names: Sequence[str]) -> str:
    """Return the end of a message that suggests `names`; empty without names."""
    return f"; did you mean {' or '.join(map(printable, names))}?" if names else ""


class RouterError(Exception):
    """The base class of the library's errors."""


class RequirementError(RouterError, ValueError):
    """A requirement that is invalid for every catalogue.

    `where` is its place if it comes from a policy: `router.toml: policies.reports.require`.
    """

    where: str | None = None

    @property
    def message(self) -> str:
        """What is wrong, without the place."""
        return super().__str__()

    def __str__(self) -> str:
        return self.message if self.where is None else f"{printable(self.where)}: {self.message}"


class RequirementSyntaxError(RequirementError):
    """A syntax error in requirement text, with `text`, `column` (0-based) and `problem`."""

    def __init__(self, text: str, column: int, problem: str) -> None:
        super().__init__(text, column, problem)
        self.text = text
        self.column = column
        self.problem = problem

    @property
    def message(self) -> str:
        """What is wrong, with the text around the column and a caret."""
        start = max(0, self.column - _WINDOW)
        before = ("..." if start else "") + printable(self.text[start : self.column])
        after = self.text[self.column : self.column + _WINDOW]
        rest = printable(after) + ("..." if len(self.text) > self.column + _WINDOW else "")
        return f"{shortened(self.problem)}\n  {before}{rest}\n  {' ' * len(before)}^"


class UnknownNameError(RequirementError, LookupError):
    """A `name` unknown to the vocabulary and the catalogue, with the `nearest` known names.

    `policies` has the names of the policies, if the name could have been one of them.
    """

    def __init__(
        self, name: str, nearest: Sequence[str] = (), policies: Sequence[str] = ()
    ) -> None:
        super().__init__(name, tuple(nearest), tuple(policies))
        self.name = name
        self.nearest = tuple(nearest)
        self.policies = tuple(policies)

    @property
    def message(self) -> str:
        """What is wrong, with the names that may be meant."""
        policies = f" (policies: {join_names(self.policies)})" if self.policies else ""
        hint = did_you_mean(self.nearest) or "; no model states it"
        return f"unknown name {quoted(self.name)}{hint}{policies}"


class UnknownModelError(RouterError, LookupError):
    """An id or alias, `model_id`, that the catalogue does not list, with the `nearest` listed ones.

    `known` has the listed ids. They are searched when `nearest` is first read, because a caller
    that catches the error seldom needs it. If `model_id` is the name of a `line`, those of its models
    are nearest.
    """

    def __init__(
        self,
        model_id: str,
        nearest: Sequence[str] = (),
        *,
        known: Iterable[str] = (),
        line: str | None = None,
    ) -> None:
        super().__init__(model_id)
        self.model_id = model_id
        self.line = line
        self._nearest = tuple(nearest)
        self._known = known

    @property
    def nearest(self) -> tuple[str, ...]:
        """The listed ids most similar to `model_id`, best first."""
        known = self._known  # read once: another thread may finish the same search meanwhile
        if known:
            self._nearest = nearest(self.model_id, known)
            self._known = ()
        return self._nearest

    def __str__(self) -> str:
        if self.line is not None:
            newest = f", or give an id such as {self.nearest[0]}" if self.nearest else ""
            return f"unknown model {quoted(self.model_id)}: select with line == {self.line}{newest}"
        return f"unknown model {quoted(self.model_id)}{did_you_mean(self.nearest)}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Reading `nearest` ends the search, so that the state holds no catalogue.
        return type(self), (self.model_id, self.nearest), self.__dict__


class AmbiguousModelError(RouterError, LookupError):
    """An id or alias, `model_id`, that several providers serve; `keys` says which models it may mean."""

    def __init__(self, model_id: str, keys: Iterable[str]) -> None:
        self.model_id = model_id
        self.keys = tuple(keys)
        super().__init__(model_id, self.keys)

    def __str__(self) -> str:
        return f"{quoted(self.model_id)} is the id of several models: name one of {join_names(self.keys)}"


class LockError(RouterError, LookupError):
    """A lock without an entry for `policy`, or with a model that no longer meets it.

    `model_id` is the locked model, or `None` without an entry. `changed` describes the problem.
    """

    def __init__(self, policy: str, model_id: str | None, changed: str) -> None:
        super().__init__(policy, model_id, changed)
        self.policy = policy
        self.model_id = model_id
        self.changed = changed

    def __str__(self) -> str:
        locked = (
            f"is locked to {shortened(self.model_id)}, and the lock does not hold: "
            if self.model_id is not None
            else ""
        )
        changed = shortened(self.changed, _MAX_SENTENCE)
        return f"the policy {shortened(self.policy)} {locked}{changed}; run `router lock` to resolve it again"


class CatalogueError(RouterError, ValueError):
    """Data that is not a catalogue."""


class MalformedEntryError(CatalogueError):
    """An invalid entry, with the `path` of the problem, the `expected` and the `got` value."""

    def __init__(self, path: str, expected: str, got: str) -> None:
        super().__init__(path, expected, got)
        self.path = path
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"{shortened(self.path)} must be {self.expected} (got {shortened(self.got)})"


class ConflictingEntriesError(MalformedEntryError):
    """Two different entries with one id, so that neither can be trusted."""


class CatalogueUnavailableError(RouterError, OSError):
    """A source that returned no catalogue.

    `status` is the HTTP status, if there was a response; `error_type` is the API's name for the
    failure; `retry_after` is the delay that the server asked for, in seconds; `retryable` says
    whether a retry can succeed without a change of configuration.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        error_type: str | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.error_type = error_type
        self.retry_after = retry_after
        self.retryable = retryable

    def __str__(self) -> str:
        return printable(self.reason)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason,), self.__dict__


class UnfitRequestError(RouterError, ValueError):
    """A request that the model `model_id` cannot serve, with its `unsupported` pairs of path and term."""

    def __init__(self, model_id: str, unsupported: Iterable[tuple[str, str]]) -> None:
        self.model_id = model_id
        self.unsupported = tuple(unsupported)
        super().__init__(model_id, self.unsupported)

    def __str__(self) -> str:
        first = self.unsupported[:_MAX_PLACES]
        asked = [f"{shortened(path)} asks for {shortened(term)}" for path, term in first]
        if len(self.unsupported) > len(first):
            asked.append(f"and {len(self.unsupported) - len(first):,} more")
        return f"{shortened(self.model_id)} cannot serve this request: {'; '.join(asked)}"


class ConfigurationError(RouterError, ValueError):
    """An invalid argument, environment variable or file; the message never has a secret value.

    `problems` has a string for each problem: several, if files have several. `places` are the
    files that they are in.
    """

    def __init__(self, *problems: str, places: Iterable[str] = ()) -> None:
        super().__init__(*problems)
        self.problems = problems
        self.places = tuple(places)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        lines = (f"  {line}" for each in self.problems for line in each.split("\n"))
        return "\n".join((count_problems(self.problems, self.places), *lines))


def count_problems(problems: Sequence[str], places: Sequence[str]) -> str:
    """Return the first line of a message with several problems: how many, and where."""
    where = f" in {' and '.join(map(printable, places))}" if places else ""
    return f"{len(problems):,} problems{where}:"
