"""Every error that `router` raises on purpose.

RouterError
├── RequirementError (ValueError)            a requirement that means nothing, whatever the catalogue
│   ├── RequirementSyntaxError               text that does not parse, with its column
│   └── UnknownNameError (LookupError)       a name that no catalogue and no vocabulary knows
├── NoModelError (LookupError)               nothing is known to meet the requirement
├── UnknownModelError (LookupError)          an id or alias that the catalogue does not list
├── LockError (LookupError)                  a lock that does not hold, or does not say what was asked
├── CatalogueError (ValueError)              data that is not a catalogue
│   └── MalformedEntryError                  one entry of it, with its path
│       └── ConflictingEntriesError          two entries of one id that differ
├── CatalogueUnavailableError (OSError)      a source that gave no catalogue
├── UnfitRequestError (ValueError)           a request that a model is known not to serve
├── FallbackExhaustedError (ExceptionGroup)  every model that a run could try has failed
└── ConfigurationError (ValueError)          an argument or environment variable that cannot be used
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

_MAX_TEXT = 200
"""Characters of a foreign text that a message repeats."""

_MAX_SENTENCE = 1000
"""Characters of a sentence that a message repeats, such as what changed since a lock."""

_MAX_PLACES = 10
"""Places of a request that a message names."""

_MAX_NAME = 256
"""Characters of the longest id: a longer name was never meant to be one that is known."""

_MAX_NAMES = 10
_WINDOW = 36
_MIN_LIKENESS = 0.6
_SAME_LIKENESS = 0.1


def printable(text: str) -> str:
    """Return `text` with every character that a terminal could act on written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def printable_lines(text: str) -> str:
    """Return `text` with its lines kept and all else as `printable` has it."""
    return "\n".join(map(printable, text.split("\n")))


def quoted(value: object) -> str:
    """Return the `repr` of a value, printable and cut; for a value without one, the name of its type."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an int of 4,301 digits, or a `__repr__` of the application's own
        text = f"<unprintable {type(value).__name__} object>"
    return shortened(text)


def shortened(text: str, longest: int = _MAX_TEXT) -> str:
    """Return `text` as `printable` has it, cut where it is long."""
    return printable(text if len(text) <= longest else f"{text[:longest]}...")


def join_names(names: Sequence[str]) -> str:
    """Return the first names, each as `shortened` has it, with commas."""
    return ", ".join(
        [*map(shortened, names[:_MAX_NAMES]), *(["..."] if len(names) > _MAX_NAMES else [])]
    )


def nearest(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Return the known names most like `name`, as a whole or by their last part, best first."""
    if len(name) > _MAX_NAME:
        return ()
    scores = {
        each: max(_likeness(name, each), _likeness(_last(name), _last(each))) for each in set(known)
    }
    enough = max(_MIN_LIKENESS, max(scores.values(), default=0.0) - _SAME_LIKENESS)
    best = sorted((-score, each) for each, score in scores.items() if score >= enough)
    return tuple(each for _, each in best[:limit])


def _likeness(one: str, other: str) -> float:
    from difflib import SequenceMatcher

    one, other = sorted((one, other))
    matcher = SequenceMatcher(None, one, other)
    return (
        matcher.ratio()
        if matcher.real_quick_ratio() >= _MIN_LIKENESS and matcher.quick_ratio() >= _MIN_LIKENESS
        else 0.0
    )


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def did_you_mean(names: Sequence[str]) -> str:
    """Return the end of a message that names what may have been meant; empty without names."""
    return f"; did you mean {' or '.join(map(printable, names))}?" if names else ""


class RouterError(Exception):
    """The base of every error of this library."""


class RequirementError(RouterError, ValueError):
    """A requirement that means nothing, whatever the catalogue."""


class RequirementSyntaxError(RequirementError):
    """Requirement text that does not parse; carries `text`, `column` (0-based) and `problem`."""

    def __init__(self, text: str, column: int, problem: str) -> None:
        super().__init__(text, column, problem)
        self.text = text
        self.column = column
        self.problem = problem

    def __str__(self) -> str:
        start = max(0, self.column - _WINDOW)
        before = ("..." if start else "") + printable(self.text[start : self.column])
        after = self.text[self.column : self.column + _WINDOW]
        rest = printable(after) + ("..." if len(self.text) > self.column + _WINDOW else "")
        return f"{shortened(self.problem)}\n  {before}{rest}\n  {' ' * len(before)}^"


class UnknownNameError(RequirementError, LookupError):
    """A name that neither the vocabulary nor a catalogue knows; carries `name` and the `nearest` that may be meant.

    `policies` are the names of the policies, if the name could have been one of them.
    """

    def __init__(
        self, name: str, nearest: Sequence[str] = (), policies: Sequence[str] = ()
    ) -> None:
        super().__init__(name, tuple(nearest), tuple(policies))
        self.name = name
        self.nearest = tuple(nearest)
        self.policies = tuple(policies)

    def __str__(self) -> str:
        policies = f" (policies: {join_names(self.policies)})" if self.policies else ""
        return f"unknown name {quoted(self.name)}{did_you_mean(self.nearest)}{policies}"


class UnknownModelError(RouterError, LookupError):
    """An id or alias that the catalogue does not list; carries `id` and the `nearest` listed ones.

    `known` are the listed ids. The nearest of them are searched for when `nearest` is first read, because a caller
    that catches the error seldom needs them.
    """

    def __init__(self, id: str, nearest: Sequence[str] = (), *, known: Iterable[str] = ()) -> None:
        super().__init__(id)
        self.id = id
        self._nearest = tuple(nearest)
        self._known = known

    @property
    def nearest(self) -> tuple[str, ...]:
        """The listed ids that are most like `id`, best first."""
        known = self._known  # read once: another thread may finish the same search meanwhile
        if known:
            self._nearest = nearest(self.id, known)
            self._known = ()
        return self._nearest

    def __str__(self) -> str:
        return f"unknown model {quoted(self.id)}{did_you_mean(self.nearest)}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Reading `nearest` ends the search, so that the state holds no catalogue.
        return type(self), (self.id, self.nearest), self.__dict__


class LockError(RouterError, LookupError):
    """A lock that says nothing of `policy`, or whose model no longer serves it.

    `id` is the model that it is locked to, `None` where it is locked to none; `changed` says what changed since.
    """

    def __init__(self, policy: str, id: str | None, changed: str) -> None:
        super().__init__(policy, id, changed)
        self.policy = policy
        self.id = id
        self.changed = changed

    def __str__(self) -> str:
        locked = (
            f"is locked to {shortened(self.id)}, and the lock does not hold: "
            if self.id is not None
            else ""
        )
        changed = shortened(self.changed, _MAX_SENTENCE)
        return f"the policy {shortened(self.policy)} {locked}{changed}; `router lock` locks it anew"


class CatalogueError(RouterError, ValueError):
    """Data that is not a catalogue."""


class MalformedEntryError(CatalogueError):
    """An entry that cannot be read; carries the `path` to what is wrong, what was `expected`, and what was `got`."""

    def __init__(self, path: str, expected: str, got: str) -> None:
        super().__init__(path, expected, got)
        self.path = path
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"{shortened(self.path)} must be {self.expected} (got {shortened(self.got)})"


class ConflictingEntriesError(MalformedEntryError):
    """Two entries of one id that differ, so that neither can be trusted."""


class CatalogueUnavailableError(RouterError, OSError):
    """A source that gave no catalogue.

    `status` is the HTTP status where there was an answer, `error_type` the API's own name of the
    failure, `retry_after` the seconds the server asked for, and `retryable` whether a later try can
    succeed without a change of configuration.
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
    """A request that `model` is known not to serve; carries what is `unsupported`: pairs of a path and a term."""

    def __init__(self, model: str, unsupported: Iterable[tuple[str, str]]) -> None:
        self.model = model
        self.unsupported = tuple(unsupported)
        super().__init__(model, self.unsupported)

    def __str__(self) -> str:
        first = self.unsupported[:_MAX_PLACES]
        asked = [f"{shortened(path)} asks for {shortened(term)}" for path, term in first]
        if len(self.unsupported) > len(first):
            asked.append(f"and {len(self.unsupported) - len(first):,} more")
        return f"{shortened(self.model)} cannot serve this request: {'; '.join(asked)}"


class ConfigurationError(RouterError, ValueError):
    """An argument or environment variable that cannot be used; the value of a secret is never in it."""
