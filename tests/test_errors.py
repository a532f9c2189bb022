"""Errors: their tree, what they carry, and how they read."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest

import router
from router import _errors
from router._errors import (
    CatalogueError,
    CatalogueUnavailableError,
    ConfigurationError,
    LockError,
    MalformedEntryError,
    RequirementError,
    RequirementSyntaxError,
    RouterError,
    UnfitRequestError,
    UnknownModelError,
    UnknownNameError,
    nearest,
    printable,
    quoted,
)
from router.catalogue._decision import NoModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@pytest.mark.parametrize(
    ("error", "parents"),
    [
        (RequirementError, (RouterError, ValueError)),
        (RequirementSyntaxError, (RequirementError, ValueError)),
        (UnknownNameError, (RequirementError, LookupError)),
        (NoModelError, (RouterError, LookupError)),
        (UnknownModelError, (RouterError, LookupError)),
        (LockError, (RouterError, LookupError)),
        (CatalogueError, (RouterError, ValueError)),
        (MalformedEntryError, (CatalogueError, ValueError)),
        (CatalogueUnavailableError, (RouterError, OSError)),
        (ConfigurationError, (RouterError, ValueError)),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_an_error_is_also_what_a_caller_would_catch(
    error: type[RouterError], parents: Sequence[type]
) -> None:
    """Each error is a `RouterError`, and the builtin that its kind of failure is known by."""
    assert all(issubclass(error, parent) for parent in parents)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    """Whoever reads the module's docstring sees every public error, wherever it is defined."""
    public = {name: getattr(router, name) for name in router.__all__}
    errors = {
        name
        for name, value in public.items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    drawn = {word for word in (_errors.__doc__ or "").split() if word.endswith("Error")}
    assert errors == drawn


@pytest.mark.parametrize(
    "error",
    [
        RequirementSyntaxError("line = opus", 5, "unexpected '='"),
        UnknownNameError("pdf_imput", ["pdf_input"]),
        UnknownModelError("claude-opus", ["claude-opus-5"]),
        LockError("reports", "claude-opus-5", "it is gone"),
        MalformedEntryError("data[3].id", "a model id", "null"),
        CatalogueUnavailableError(
            "no answer", status=529, error_type="overloaded_error", retry_after=1.5, retryable=True
        ),
        ConfigurationError("ttl must be positive"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_travels_whole(error: RouterError) -> None:
    """An error that was pickled or copied says and carries the same as before."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - pickled on this very line
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


@pytest.mark.parametrize(
    "error",
    [
        RequirementError("it is wrong"),
        RequirementSyntaxError("a ~ b", 2, "unexpected '~'"),
        UnknownNameError("pdf_imput", ["pdf_input"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_requirement_of_a_file_says_where_it_is(error: RequirementError) -> None:
    """The place comes first, if there is one, and travels with the error."""
    message = str(error)
    assert (error.where, error.message) == (None, message)

    error.where = "router.toml\x1b: policies.reports.require"
    for each in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert str(each) == f"router.toml\\x1b: policies.reports.require: {message}"
        assert each.message == message


def test_several_problems_are_one_error() -> None:
    """The first line says how many problems there are and where; each follows, indented with all of its lines."""
    error = ConfigurationError("a: b: wrong\n  x\n  ^", "c: missing", places=["a", "c\x1b"])
    for each in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert each.problems == ("a: b: wrong\n  x\n  ^", "c: missing")
        assert str(each) == (
            "2 problems in a and c\\x1b:\n  a: b: wrong\n    x\n    ^\n  c: missing"
        )
    assert str(ConfigurationError("only this", places=["a"])) == "only this"
    assert str(ConfigurationError("one", "two")) == "2 problems:\n  one\n  two"


def test_an_unavailable_catalogue_carries_what_a_retry_needs() -> None:
    """Status, the API's name of the failure, the wait it asked for, and whether trying again makes sense."""
    error = CatalogueUnavailableError(
        "slow down", status=429, error_type="rate_limit_error", retry_after=3.0
    )
    assert (error.reason, error.status, error.error_type, error.retry_after, error.retryable) == (
        "slow down",
        429,
        "rate_limit_error",
        3.0,
        False,
    )
    assert CatalogueUnavailableError("x", retryable=True).retryable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("claude-opus-5", "claude-opus-5"),
        ("Opus é 5", "Opus é 5"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb", "a\\r\\nb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb", "a\\u200bb"),
        ("\x00\x85\u2028", "\\x00\\x85\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_a_terminal_could_act_on_is_escaped(text: str, shown: str) -> None:
    """Control, format and separator characters are written as escapes, and printable ones as they are."""
    assert printable(text) == shown


class Hostile:
    def __init__(self, said: str = "") -> None:
        self._said = said

    def __repr__(self) -> str:
        if not self._said:
            raise ZeroDivisionError
        return self._said


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("it's", '"it\'s"'),
        (10**4299, "1" + "0" * 199 + "..."),
        (10**5000, "<unprintable int object>"),
        ([10**5000], "<unprintable list object>"),
        (Hostile(), "<unprintable Hostile object>"),
        (Hostile("a\x1b[31m\n"), "a\\x1b[31m\\n"),
        ("x" * 300, "'" + "x" * 199 + "..."),
    ],
    ids=["text", "long", "too long", "a list of that", "raises", "escapes", "long text"],
)
def test_what_was_given_is_quoted(value: object, expected: str) -> None:
    """A value is written as Python writes it, on one short line; a value without a `repr` is named by its type."""
    assert quoted(value) == expected


class Listed(list[str]):
    """Ids that count how often they are searched."""

    searches = 0

    def __iter__(self) -> Iterator[str]:
        self.searches += 1
        return super().__iter__()


def test_the_nearest_ids_are_searched_for_when_they_are_read() -> None:
    """An error that is caught costs no search, and one that is printed and read costs one."""
    listed = Listed(["claude-opus-5", "claude-haiku-4-5"])
    error = UnknownModelError("claude-opus-6", known=listed)

    assert listed.searches == 0
    assert error.nearest == ("claude-opus-5",)
    assert str(error) == "unknown model 'claude-opus-6'; did you mean claude-opus-5?"
    assert error.nearest == ("claude-opus-5",)
    assert listed.searches == 1


@pytest.mark.parametrize(
    "travel",
    [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))],  # noqa: S301 - pickled on this line
    ids=["copied", "deeply", "pickled"],
)
def test_an_error_travels_without_the_ids_that_it_searches(
    travel: Callable[[UnknownModelError], UnknownModelError],
) -> None:
    """A copy and a pickle carry the nearest ids, the notes and nothing of the catalogue."""
    listed = Listed(["claude-opus-5", *(f"{at:05}" for at in range(10_000))])
    error = UnknownModelError("claude-opus-6", known=listed)
    error.add_note("asked by a test")
    again = travel(error)

    assert again.nearest == ("claude-opus-5",)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert again.__notes__ == ["asked by a test"]
    assert len(pickle.dumps(error)) < 1_000


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "error",
    [
        RequirementSyntaxError(LONG, 50_000, LONG),
        UnknownNameError(LONG, policies=[LONG] * 100),
        UnknownModelError(LONG),
        LockError(LONG, LONG, LONG),
        MalformedEntryError(LONG, "an id", LONG),
        UnfitRequestError(LONG, [(LONG, LONG)] * 100),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_error_repeats_a_long_text(error: RouterError) -> None:
    """A message stays readable, and a log small, however long the texts are that an error carries."""
    assert len(str(error)) < 5_000


def test_a_request_that_asks_for_much_is_told_shortly() -> None:
    """The first ten places are named, and the others are counted."""
    unsupported = [(f"tools[{at}]", "fast_mode") for at in range(1_234)]
    message = str(UnfitRequestError("nova", unsupported))

    assert message.startswith(
        "nova cannot serve this request: tools[0] asks for fast_mode; tools[1] asks"
    )
    assert message.endswith("; tools[9] asks for fast_mode; and 1,224 more")


HOSTILE = "\x1b]0;owned\x07\u202e"


@pytest.mark.parametrize(
    "error",
    [
        UnknownNameError(HOSTILE),
        UnknownModelError(HOSTILE),
        LockError("reports", HOSTILE, HOSTILE),
        MalformedEntryError("data[0].id", "an id", HOSTILE),
        CatalogueUnavailableError(HOSTILE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_error_prints_raw_what_a_server_sent(error: RouterError) -> None:
    """Data in a message cannot steer the terminal it is printed on."""
    assert str(error).isprintable()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UnknownNameError("nova"), "unknown name 'nova'; no model states it"),
        (
            UnknownNameError("pdf_imput", ("pdf_input",)),
            "unknown name 'pdf_imput'; did you mean pdf_input?",
        ),
        (UnknownNameError("x", ["a", "b"]), "unknown name 'x'; did you mean a or b?"),
        (
            UnknownModelError("claude-opus-55", ["claude-opus-5-5"]),
            "unknown model 'claude-opus-55'; did you mean claude-opus-5-5?",
        ),
        (UnknownModelError("gpt"), "unknown model 'gpt'"),
        (
            UnknownModelError("Opus", ["claude-opus-5-5", "claude-opus-5"], line="opus"),
            "unknown model 'Opus': select with line == opus, or give an id such as claude-opus-5-5",
        ),
        (
            MalformedEntryError("data[3].capabilities", "an object or null", "str"),
            "data[3].capabilities must be an object or null (got str)",
        ),
    ],
)
def test_an_error_says_what_and_where(error: RouterError, message: str) -> None:
    """A message names the thing, its place, and the nearest known names where there are any."""
    assert str(error) == message


@pytest.mark.parametrize(
    ("text", "column", "shown"),
    [
        ("line = opus", 5, "no\n  line = opus\n       ^"),
        ("", 0, "no\n  \n  ^"),
        ("line", 4, "no\n  line\n      ^"),
        ("a\tb &", 4, "no\n  a\\tb &\n       ^"),
        ("a" * 36 + "&" + "b" * 35, 36, f"no\n  {'a' * 36}&{'b' * 35}\n  {' ' * 36}^"),
        ("a" * 37 + "&" + "b" * 36, 37, f"no\n  ...{'a' * 36}&{'b' * 35}...\n  {' ' * 39}^"),
    ],
)
def test_the_caret_stands_under_the_column(text: str, column: int, shown: str) -> None:
    """A syntax error shows the text about its column, cut where it is long, with a caret just below."""
    assert str(RequirementSyntaxError(text, column, "no")) == shown


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("pdf_imput", ["pdf_input", "citations"], ("pdf_input",)),
        ("adaptive", ["thinking.adaptive", "thinking.enabled"], ("thinking.adaptive",)),
        ("adaptve", ["thinking.adaptive", "thinking.enabled"], ("thinking.adaptive",)),
        ("thinkin.adaptive", ["effort.max", "thinking.adaptive"], ("thinking.adaptive",)),
        (
            "code_execution",
            ["server_tools.code_execution", "code_executions"],
            ("server_tools.code_execution", "code_executions"),
        ),
        ("aaaa1", ["aaaa2", "aaaa3", "aaaa4", "aaaa5"], ("aaaa2", "aaaa3", "aaaa4")),
        ("PDF_Imput", ["pdf_input", "citations"], ("pdf_input",)),
        ("CLAUDE-OPUS-5", ["claude-opus-5-5", "claude-opus-5"], ("claude-opus-5",)),
        ("A", ["a", "b"], ("a",)),
        ("zebra", ["pdf_input"], ()),
        ("x", [], ()),
    ],
)
def test_the_nearest_names_are_those_most_alike(
    name: str, known: Sequence[str], expected: tuple[str, ...]
) -> None:
    """At most three names, alike as a whole or in their last part, an equal last part first."""
    assert nearest(name, known) == expected


def test_nearest_is_the_same_in_any_order() -> None:
    """The order in which names are known does not change which of them are suggested."""
    known = ["effort.max", "effort.min", "effort.mad", "effort.mat", "max"]
    assert nearest("effort.ma", known) == nearest("effort.ma", reversed(known))
    assert nearest("effort.ma", known, 1) == nearest("effort.ma", known)[:1]
