"""Parser: turns requirement text, or the equivalent keywords, into a `Requirement`.

    expression  = conjunction { "or" conjunction }
    conjunction = unary { "and" unary }
    unary       = ("not" | "maybe") unary | primary
    primary     = "(" expression ")" | "true" | name [ operator value | membership ]
    operator    = "==" | "!=" | "<" | "<=" | ">" | ">=" | "like" | "has"
    membership  = ["not"] "in" "(" value { "," value } ")"

Parsing is syntactic: a catalogue checks the names when it first gets a requirement. The vocabulary
gives the kind and the levels of a name, which decide how a compared value is read.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any, Final, NamedTuple

from router._errors import (
    RequirementError,
    RequirementSyntaxError,
    did_you_mean,
    nearest,
)
from router.models._field_types import KINDS, Kind
from router.models._vocabulary import (
    CAPABILITIES,
    FIELDS,
    LEVELS,
    capability_name,
)
from router.requirements._expression import (
    MAX_DEPTH,
    Requirement,
    and_with_places,
    conjunction,
    disjunction,
    negation,
    possibility,
    remembered,
)
from router.requirements._literals import Comparison, Level, canonical_value, capability, membership
from router.requirements._needs import KEYWORDS, NAME, KeywordValue, keyword_requirement

OPERATORS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "like", "has", "in"})
_TOKEN: Final = re.compile(
    r"""[A-Za-z0-9_.:@-]+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|==|!=|<=|>=|<|>|[(),]|\S""",
    re.ASCII | re.DOTALL,
)
_QUOTES: Final = ("'", '"')
_NO_CLOSING_QUOTE: Final = "; the string that starts here has no closing quote"
_ESCAPE_OR_QUOTE: Final = re.compile(r'\\.|"', re.DOTALL)
_IN_JSON: Final = {'"': r"\"", r"\'": "'"}
"""What differs between a string in single quotes and the same string in JSON."""

_MARKS: Final = (
    {"": "end"}
    | dict.fromkeys("(),", "mark")
    | dict.fromkeys(("==", "!=", "<=", ">=", "<", ">"), "operator")
)
_WORD: Final = re.compile(r"[A-Za-z0-9_.:@-]", re.ASCII)
_HINTS: Final = {
    "=": '; equality is written "=="',
    "&": '; write "and"',
    "|": '; write "or"',
    "!": '; write "not"',
    **dict.fromkeys("/*?", "; quote a string that has it"),
    **dict.fromkeys(_QUOTES, _NO_CLOSING_QUOTE),
}


def require(requirement: str | Requirement | None = None, /, **needs: KeywordValue) -> Requirement:
    """Return `requirement` combined with the keywords; without any, every model meets it.

    `thinking="adaptive"` requires the capability `thinking.adaptive`. `pdf_input=True` requires
    known support, `pdf_input=False` known lack of support. `line=["opus", "sonnet"]` requires one
    of the values. `min_input_tokens` and `min_output_tokens` are in tokens. Raises
    `RequirementError`; for text, the error has the column.
    """
    if isinstance(requirement, str):
        stated = parse(requirement)
    elif isinstance(requirement, Requirement):
        stated = requirement
    elif requirement is None:
        stated = conjunction(())
    else:
        raise RequirementError(
            f"a requirement must be text or a Requirement (got {type(requirement).__name__})"
        )
    return (
        and_with_places(
            [stated, *(keyword_requirement(name, need) for name, need in needs.items())]
        )
        if needs
        else stated
    )


_AFTER_ANAME: Final = frozenset({"and", "or", ")", ""})
_NO_VALUES: Final = KEYWORDS - {"true"}
_INSIDE_A_COMPARISON: Final = OPERATORS | KEYWORDS - {"true", "and", "or"}
_PREFIXES: Final = {"not": negation, "maybe": possibility}


@remembered(512)
def parse(text: str) -> Requirement:
    """Parse `text`; raises `RequirementSyntaxError` with the column of the error."""
    return _Parser(text).parse()


@remembered(1024)
def _read_capability(word: str) -> Requirement | None:
    """Return the capability that a word names, `None` if it names none."""
    return (
        None
        if word in KEYWORDS or word in FIELDS or not NAME.fullmatch(word)
        else capability(capability_name(word))
    )


class _Token(NamedTuple):
    """A token by its number; kind and position are computed only for an error message."""

    source: str
    number: int
    text: str

    @property
    def kind(self) -> str:
        """Return `word`, `string`, `operator`, `mark`, `end`, or `odd` for anything else."""
        if self.text in _MARKS:
            return _MARKS[self.text]
        if _WORD.match(self.text):
            return "word"
        return "string" if self.text[0] in _QUOTES and len(self.text) > 1 else "odd"

    @property
    def at(self) -> int:
        """Return the offset of its first character."""
        found = islice(_TOKEN.finditer(self.source), self.number, None)
        return next((match.start() for match in found), len(self.source))

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end"
        return self.text if self.kind == "string" else f'"{self.text}"'


class _Parser:
    """Recursive descent over the tokens of one string."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = [*_TOKEN.findall(text), ""]
        self.at = 0
        self.word = self.words[0]
        self.depth = self.prefixes = 0

    def parse(self) -> Requirement:
        if not self.word:
            raise self._error('a requirement, got an empty text; what everything meets is "true"')
        requirement = self._expression()
        if self.word:
            raise self._error(f'"and", "or" or the end, got {self.token}{_case_hint(self.token)}')
        return requirement

    def _expression(self) -> Requirement:
        parts = [self._conjunction()]
        while self._take("or"):
            parts.append(self._conjunction())
        return self._build(disjunction, parts) if len(parts) > 1 else parts[0]

    def _conjunction(self) -> Requirement:
        parts = [self._unary()]
        while self._take("and"):
            parts.append(self._unary())
        return self._build(conjunction, parts) if len(parts) > 1 else parts[0]

    def _unary(self) -> Requirement:
        # Fast path: a bare capability comes from a cache, without a token.
        named = _read_capability(self.word)
        if named is not None and self.words[self.at + 1] in _AFTER_ANAME:
            self._next()
            return named
        build = _PREFIXES.get(self.word)
        if build is None:
            return self._primary()
        token = self.token
        self._next()
        # Counted apart from parentheses: the canonical text of the deepest requirement has both,
        # and must parse.
        self.prefixes += 1
        if self.prefixes > MAX_DEPTH:
            raise self._too_deep(token)
        part = self._unary()
        self.prefixes -= 1
        return build(part)

    def _primary(self) -> Requirement:
        token = self.token
        if token.text in KEYWORDS or not NAME.fullmatch(token.text):
            return self._keyword(token)
        self._next()
        return self._after_name(token)

    def _keyword(self, token: _Token) -> Requirement:
        if self._take("("):
            self._enter_parenthesis(token)
            inside = self._expression()
            if not self._take(")"):
                raise self._error(
                    f'")" to close the "(" at column {token.at + 1}, got {self.token}'
                )
            self.depth -= 1
            return inside
        if self._take("true"):
            return conjunction(())
        if token.kind == "word" and token.text not in KEYWORDS:
            raise self._error(f"a name, words joined by dots, got {token}")
        raise self._error(f"a name or an opening parenthesis, got {token}{_case_hint(token)}")

    def _after_name(self, token: _Token) -> Requirement:
        negated = self._take("not")
        if negated and self.word != "in":
            raise self._error(f'"in" after "not", got {self.token}')
        if self.word in OPERATORS:
            operator = self.token
            self._next()
            op = f"not {operator.text}" if negated else operator.text
            return self._compared(token, operator, op)
        if self.word.lower() in _INSIDE_A_COMPARISON:
            raise self._error(f"a comparison or the end, got {self.token}{_case_hint(self.token)}")
        if token.text in FIELDS:
            kind = KINDS[FIELDS[token.text]]
            op = next(op for op in ("==", ">=", "has") if op in kind.operators)
            raise self._error(
                f"a comparison: {token} is a field, as in '{token.text} {op} ...'", token
            )
        return capability(capability_name(token.text))

    def _compared(self, token: _Token, operator: _Token, op: str) -> Requirement:
        short = capability_name(token.text)
        if short in LEVELS:
            return self._level(short, operator, op)
        if short in CAPABILITIES:
            raise self._error(
                f"no comparison: {token} is a capability; write '{short}' or 'not {short}'",
                operator,
            )
        kind = KINDS[FIELDS.get(token.text, "any")]
        if op not in kind.operators:
            allowed = ", ".join(sorted(kind.operators))
            raise self._error(
                f'one of {allowed} after {token}, a {kind.name} field, got "{op}"', operator
            )
        if op not in {"in", "not in"}:
            return Comparison(token.text, kind.name, op, self._value(kind, op, token))
        return membership(token.text, kind.name, op, self._values(kind, op, token))

    def _values(self, kind: Kind, op: str, name: _Token) -> list[Any]:
        if not self._take("("):
            raise self._error(f'"(" and the values of "{op}", got {self.token}')
        values = [self._value(kind, op, name)]
        while self._take(","):
            values.append(self._value(kind, op, name))
        if not self._take(")"):
            raise self._error(f'"," or ")", got {self.token}')
        return values

    def _value(self, kind: Kind, op: str, name: _Token) -> Any:
        token = self.token
        is_string = token.kind == "string"
        if not is_string and (token.kind != "word" or token.text in _NO_VALUES):
            quote = f'; quote it to mean the text: "{token.text}"' if token.text in KEYWORDS else ""
            raise self._error(f"{kind.expected} for {name}, got {token}{quote}")
        text = self._string(token) if is_string else token.text
        self._next()
        try:
            return canonical_value(kind, op, kind.parse(text))
        except ValueError:
            raise self._error(f"{kind.expected} for {name}, got {token}", token) from None

    def _string(self, token: _Token) -> str:
        text = token.text
        if text[0] == "'":
            body = _ESCAPE_OR_QUOTE.sub(lambda each: _IN_JSON.get(each[0], each[0]), text[1:-1])
            text = f'"{body}"'
        try:
            return str(json.loads(text))
        except ValueError:
            raise self._error(f"a string with JSON escapes, got {token}") from None

    def _level(self, name: str, operator: _Token, op: str) -> Requirement:
        levels = LEVELS[name]
        token = self.token
        if op not in {"<", "<=", ">", ">="}:
            raise self._error(
                f'<, <=, > or >= after "{name}", whose levels are ordered, got "{op}"; '
                f"an exact level is a capability: '{name}.{token.text if token.text in levels else levels[0]}'",
                operator,
            )
        if token.text not in levels:
            hint = did_you_mean(nearest(token.text, levels, limit=1))
            raise self._error(f'a level of "{name}" ({", ".join(levels)}), got {token}{hint}')
        self._next()
        # Canonical levels have inclusive bounds: a strict bound moves to the adjacent level.
        at = levels.index(token.text) + {"<": -1, ">": 1}.get(op, 0)
        if not 0 <= at < len(levels):
            raise self._error(
                f'a level that has another beyond it: nothing is {op} "{token.text}"', token
            )
        return Level(name, ">=" if op in {">", ">="} else "<=", levels[at])

    def _build(self, build: Any, parts: list[Requirement]) -> Requirement:
        try:
            requirement: Requirement = build(parts)
        except RequirementError as error:
            raise RequirementSyntaxError(self.text, self.token.at, str(error)) from None
        return requirement

    def _enter_parenthesis(self, token: _Token) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._too_deep(token)

    def _too_deep(self, token: _Token) -> RequirementSyntaxError:
        return RequirementSyntaxError(
            self.text, token.at, f"nested more than {MAX_DEPTH} levels deep"
        )

    def _take(self, text: str) -> bool:
        if self.word != text:
            return False
        self._next()
        return True

    def _next(self) -> None:
        self.at += 1
        self.word = self.words[self.at]

    @property
    def token(self) -> _Token:
        """The current token."""
        return _Token(self.text, self.at, self.word)

    def _error(self, expected: str, token: _Token | None = None) -> RequirementSyntaxError:
        current = self.token
        # A character outside the language is the cause, whatever the parser expected.
        if current.kind == "odd":
            problem = f"unexpected {current.text!r}{_HINTS.get(current.text, '')}"
            return RequirementSyntaxError(self.text, current.at, problem)
        return RequirementSyntaxError(self.text, (token or current).at, f"expected {expected}")


def _case_hint(token: _Token) -> str:
    lower = token.text.lower()
    return (
        f'; keywords are in lower case: "{lower}"'
        if lower in KEYWORDS and lower != token.text
        else ""
    )
