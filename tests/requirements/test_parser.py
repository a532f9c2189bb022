"""Language: text and keywords to requirements, and errors that say where and what was expected."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from router._errors import RequirementError, RequirementSyntaxError
from router.catalogue._catalogue import Catalogue
from router.models._model import Model
from router.requirements._expression import MAX_DEPTH, And, Or
from router.requirements._literals import Capability, Comparison, Level
from router.requirements._parser import parse, require

EMPTY = 'expected a requirement, got an empty text; what everything meets is "true"'
NAME = "expected a name or an opening parenthesis, got"
END = 'expected "and", "or" or the end, got'
WHOLE = "expected a whole number such as 200000, 200_000, 200k or 1M for"
DAY = "expected a date such as 2026-01-01 or 2026-01-01T09:30:00Z for"
SPAN = "expected a duration such as 14d or 2w, of at most 1000000 days for"
UNCLOSED = "; the string that starts here has no closing quote"
LEVEL = 'expected a level of "effort" (low, medium, high, xhigh, max), got'


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 0, EMPTY),
        ("  \n", 3, EMPTY),
        ("pdf_input and", 13, f"{NAME} the end"),
        ("pdf_input and and citations", 14, f'{NAME} "and"'),
        ("or pdf_input", 0, f'{NAME} "or"'),
        ("not", 3, f"{NAME} the end"),
        ("maybe", 5, f"{NAME} the end"),
        ("()", 1, f'{NAME} ")"'),
        ("pdf_input and ()", 15, f'{NAME} ")"'),
        ('"pdf_input"', 0, f'{NAME} "pdf_input"'),
        ("== 5", 0, f'{NAME} "=="'),
        ("has", 0, f'{NAME} "has"'),
        ("(pdf_input", 10, 'expected ")" to close the "(" at column 1, got the end'),
        ("a and (b or c", 13, 'expected ")" to close the "(" at column 7, got the end'),
        ("pdf_input)", 9, f'{END} ")"'),
        ("pdf_input citations", 10, f'{END} "citations"'),
        ("a < 5 < 7", 6, f'{END} "<"'),
        ("price.input >= 5 USD", 17, f'{END} "USD"'),
        ("line == opus, sonnet", 12, f'{END} ","'),
        ("true == 1", 5, f'{END} "=="'),
        ("pdf_input AND citations", 10, f'{END} "AND"; keywords are in lower case: "and"'),
        (
            "line IN (opus)",
            5,
            'expected a comparison or the end, got "IN"; keywords are in lower case: "in"',
        ),
        (
            "id Like a",
            3,
            'expected a comparison or the end, got "Like"; keywords are in lower case: "like"',
        ),
        ("1abc", 0, 'expected a name, words joined by dots, got "1abc"'),
        ("a..b", 0, 'expected a name, words joined by dots, got "a..b"'),
        ("b and a.", 6, 'expected a name, words joined by dots, got "a."'),
        ("line", 0, "expected a comparison: \"line\" is a field, as in 'line == ...'"),
        ("not age", 4, "expected a comparison: \"age\" is a field, as in 'age >= ...'"),
        ("aliases", 0, "expected a comparison: \"aliases\" is a field, as in 'aliases has ...'"),
        (
            "pdf_input == true",
            10,
            "expected no comparison: \"pdf_input\" is a capability; write 'pdf_input' or 'not pdf_input'",
        ),
        (
            "thinking.types.adaptive >= high",
            24,
            (
                'expected no comparison: "thinking.types.adaptive" is a capability; '
                "write 'thinking.adaptive' or 'not thinking.adaptive'"
            ),
        ),
        (
            "effort == high",
            7,
            (
                'expected <, <=, > or >= after "effort", whose levels are ordered, got "=="; '
                "an exact level is a capability: 'effort.high'"
            ),
        ),
        (
            "effort in (high)",
            7,
            (
                'expected <, <=, > or >= after "effort", whose levels are ordered, got "in"; '
                "an exact level is a capability: 'effort.low'"
            ),
        ),
        ("effort >= hihg", 10, f'{LEVEL} "hihg"; did you mean high?'),
        ("effort >= 5", 10, f'{LEVEL} "5"'),
        ("effort >=", 9, f"{LEVEL} the end"),
        ("effort > max", 9, 'expected a level that has another beyond it: nothing is > "max"'),
        ("effort < low", 9, 'expected a level that has another beyond it: nothing is < "low"'),
        ("max_tokens >= lots", 14, f'{WHOLE} "max_tokens", got "lots"'),
        ("max_tokens >= 1.5", 14, f'{WHOLE} "max_tokens", got "1.5"'),
        ("max_tokens >= -5", 14, f'{WHOLE} "max_tokens", got "-5"'),
        ("max_tokens in (1, x)", 18, f'{WHOLE} "max_tokens", got "x"'),
        ("max_tokens >= ", 14, f'{WHOLE} "max_tokens", got the end'),
        ("max_tokens >= true", 14, f'{WHOLE} "max_tokens", got "true"'),
        (
            "price.input < cheap",
            14,
            'expected a number such as 25, 0.5, 200k or 1M for "price.input", got "cheap"',
        ),
        ("created_at >= yesterday", 14, f'{DAY} "created_at", got "yesterday"'),
        ("created_at >= 2026-02-30", 14, f'{DAY} "created_at", got "2026-02-30"'),
        ("age >= 14", 7, f'{SPAN} "age", got "14"'),
        ("age >= 1000001d", 7, f'{SPAN} "age", got "1000001d"'),
        ("age == 14d", 4, 'expected one of <, <=, >, >= after "age", a duration field, got "=="'),
        (
            "line < opus",
            5,
            'expected one of !=, ==, in, like, not in after "line", a text field, got "<"',
        ),
        (
            "max_tokens like 5",
            11,
            'expected one of !=, <, <=, ==, >, >=, in, not in after "max_tokens", a limit field, got "like"',
        ),
        ("aliases == a", 8, 'expected one of has after "aliases", a list field, got "=="'),
        (
            "aliases not in (a)",
            12,
            'expected one of has after "aliases", a list field, got "not in"',
        ),
        ("line in opus", 8, 'expected "(" and the values of "in", got "opus"'),
        ("line not in opus", 12, 'expected "(" and the values of "not in", got "opus"'),
        ("line in ()", 9, 'expected a string for "line", got ")"'),
        ("line in (opus", 13, 'expected "," or ")", got the end'),
        ("line in (opus sonnet)", 14, 'expected "," or ")", got "sonnet"'),
        ("line in (opus,)", 14, 'expected a string for "line", got ")"'),
        ("line not opus", 9, 'expected "in" after "not", got "opus"'),
        (
            "line == and",
            8,
            'expected a string for "line", got "and"; quote it to mean the text: "and"',
        ),
        ("line == (opus)", 8, 'expected a string for "line", got "("'),
        ('line == "\\x"', 8, 'expected a string with JSON escapes, got "\\x"'),
        ("line = opus", 5, "unexpected '='; equality is written \"==\""),
        ("pdf_input & citations", 10, "unexpected '&'; write \"and\""),
        ("pdf_input | citations", 10, "unexpected '|'; write \"or\""),
        ("!pdf_input", 0, "unexpected '!'; write \"not\""),
        ("line == 'opus", 8, f'unexpected "\'"{UNCLOSED}'),
        ("it's", 2, f'unexpected "\'"{UNCLOSED}'),
        ("line == 'opus\"", 8, f'unexpected "\'"{UNCLOSED}'),
        ("line == 'o\\'", 8, f'unexpected "\'"{UNCLOSED}'),
        ('line == "opus', 8, f"unexpected '\"'{UNCLOSED}"),
        ("line == '\\x'", 8, "expected a string with JSON escapes, got '\\x'"),
        ('line == "\\\'"', 8, 'expected a string with JSON escapes, got "\\\'"'),
        ("'pdf_input'", 0, f"{NAME} 'pdf_input'"),
        ("max_tokens >= 1m", 14, f'{WHOLE} "max_tokens", got "1m"'),
        ("max_tokens >= 200KB", 14, f'{WHOLE} "max_tokens", got "200KB"'),
        ("id == a/b", 7, "unexpected '/'; quote a string that has it"),
        ("id like claude-*", 15, "unexpected '*'; quote a string that has it"),
        ("pdf_input and é", 14, "unexpected 'é'"),
    ],
)
def test_an_error_says_where_and_what_was_expected(text: str, column: int, problem: str) -> None:
    """Text that does not parse carries its column, and what was expected there, with a hint where there is one."""
    with pytest.raises(RequirementSyntaxError) as raised:
        parse(text)
    assert (raised.value.column, raised.value.problem) == (column, problem)
    assert raised.value.text == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "pdf_input and and citations",
            ('expected a name or an opening parenthesis, got "and"\n'
            "  pdf_input and and citations\n"
            "                ^"),
        ),
        (
            "thinking and max_input_tokens >= lots",
            ('expected a whole number such as 200000, 200_000, 200k or 1M for "max_input_tokens", got "lots"\n'
            "  thinking and max_input_tokens >= lots\n"
            "                                   ^"),
        ),
        (
            "pdf_input\n\tand and",
            ('expected a name or an opening parenthesis, got "and"\n'
            "  pdf_input\\n\\tand and\n"
            "                   ^"),
        ),
        (
            "a" * 60 + " & " + "b" * 60,
            ("unexpected '&'; write \"and\"\n"
            f"  ...{'a' * 35} & {'b' * 34}...\n"
            f"  {' ' * 39}^"),
        ),
        (
            "",
            ('expected a requirement, got an empty text; what everything meets is "true"\n'
            "  \n"
            "  ^"),
        ),
    ],
    ids=["value", "literal", "lines", "long", "empty"],
)  # fmt: skip
def test_the_caret_stands_under_the_word(text: str, shown: str) -> None:
    """The error as printed: the problem, the text, and a caret under its column."""
    with pytest.raises(RequirementSyntaxError) as raised:
        parse(text)
    assert str(raised.value) == shown


@pytest.mark.parametrize(
    ("text", "column", "character"),
    [
        ("pdf_input\u00a0", 9, "'\\xa0'"),
        ("pdf_input\u00a0and citations", 9, "'\\xa0'"),
        ("pdf_input \u2003 and citations", 10, "'\\u2003'"),
        ("\ufeffpdf_input", 0, "'\\ufeff'"),
        ("pdf_input\x1f", 9, "'\\x1f'"),
        ("pdf_input and \x00", 14, "'\\x00'"),
    ],
)
def test_a_space_that_is_none_is_named(text: str, column: int, character: str) -> None:
    """A no-break space, as pasted from a web page, is an error that points at it and names it."""
    with pytest.raises(RequirementSyntaxError) as raised:
        parse(text)
    assert (raised.value.column, raised.value.problem) == (column, f"unexpected {character}")


@pytest.mark.parametrize("text", ['"\x1b[31m"', 'line == "\x1b[31m"', 'line "\u202e"'])
def test_an_error_prints_nothing_raw(text: str) -> None:
    """What the text quotes cannot steer the terminal that its error is printed on."""
    with pytest.raises(RequirementSyntaxError) as raised:
        parse(text)
    assert all(line.isprintable() for line in str(raised.value).split("\n"))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("not a and b", "(not a) and b"),
        ("maybe a and b", "(maybe a) and b"),
        ("not a or b", "(not a) or b"),
        ("a or b and c", "a or (b and c)"),
        ("a and b or c", "(a and b) or c"),
        ("a and b or c and d", "(a and b) or (c and d)"),
        ("not maybe a and b", "(not (maybe a)) and b"),
        ("not line == opus and b", "(not (line == opus)) and b"),
        ("maybe line in (a, b) or c", "(maybe (line in (a, b))) or c"),
        ("((a))", "a"),
        ("a and(b)or not(c)", "(a and b) or (not c)"),
    ],
)
def test_operators_bind_as_documented(text: str, same: str) -> None:
    """`not` and `maybe` bind tightest, then `and`, then `or`."""
    assert parse(text) == parse(same)
    assert parse(text) != parse(f"not ({text})")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("pdf_input", Capability),
        ("effort.high", Capability),
        ("effort >= high", Level),
        ("line == opus", Comparison),
        ("channel == beta", Comparison),
        ("true", And),
        ("(true)", And),
        ("not true", Or),
    ],
)
def test_a_name_alone_is_a_capability(text: str, kind: type) -> None:
    """A bare name is a capability, a compared one a field, and `true` a group of nothing."""
    assert type(parse(text)) is kind


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("line == opus", "opus"),
        ('line == "opus"', "opus"),
        ('line == "\\u006fpus"', "opus"),
        ('line == "two words"', "two words"),
        ('line == "say \\"hi\\""', 'say "hi"'),
        ('line == ""', ""),
        ("line == 'opus'", "opus"),
        ("line == '\\u006fpus'", "opus"),
        ("line == 'two words'", "two words"),
        ("line == 'say \"hi\"'", 'say "hi"'),
        ("line == 'say \\\"hi\\\"'", 'say "hi"'),
        ("line == 'it\\'s'", "it's"),
        ('line == "it\'s"', "it's"),
        ("line == '\\\\'", "\\"),
        ("line == ''", ""),
        ("line == 'and'", "and"),
        ("line == true", "true"),
        ('line == "and"', "and"),
        ("line == 5", "5"),
        ("id == claude-3.5:v@1", "claude-3.5:v@1"),
        ('id == "a/b"', "a/b"),
        ('line == "\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_quoted_and_bare_text_are_the_same(text: str, value: str) -> None:
    """The field decides how a value reads: text is text, however it is spelled."""
    field = text.split(maxsplit=1)[0]
    model = Model.from_api(
        {"id": "a", "line": value} if field == "line" else {"id": value.replace(" ", "")}
    )
    assert parse(text).support(model) is True


@pytest.mark.parametrize("text", ["channel == 5", 'channel == "5"'])
def test_a_value_of_an_unknown_field_stays_text(text: str) -> None:
    """What the vocabulary does not know reads by the type that each model's own value has."""
    assert parse(text).support(Model.from_api({"id": "a", "channel": 5})) is True
    assert parse(text).support(Model.from_api({"id": "a", "channel": "5"})) is True
    assert parse(text).support(Model.from_api({"id": "a", "channel": True})) is None
    assert parse(text).support(Model.from_api({"id": "a"})) is None


def test_parsing_checks_no_names() -> None:
    """Text is parsed by its form alone: a name that nobody knows is found out when it meets a catalogue."""
    assert parse("pdf_imput and nova.x == 1").capabilities == {"pdf_imput"}


def test_text_and_keywords_together_are_both_required() -> None:
    """What the text and the keywords say must both hold; a requirement goes as well as a text."""
    expected = parse("(pdf_input or citations) and effort.max")
    assert require("pdf_input or citations", effort="max") == expected
    assert require(parse("pdf_input or citations"), effort="max") == expected
    assert require(parse("pdf_input")) == parse("pdf_input")
    assert require(None, effort="max") == parse("effort.max")
    assert require() == parse("true")


@pytest.mark.parametrize("need", [5, b"pdf_input", ["pdf_input"], True])
def test_only_text_or_a_requirement_is_one(need: Any) -> None:
    """Anything else in place of a requirement is an error that names its type."""
    with pytest.raises(
        RequirementError, match=rf"must be text or a Requirement \(got {type(need).__name__}\)"
    ):
        require(need)


@pytest.mark.parametrize(
    "text",
    [
        "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1),
        "(" * 100_000,
        "not " * 100_000 + "a",
        "maybe " * 100_000 + "a",
        "not (" * 50_000 + "a" + ")" * 50_000,
        "(a and (b or " * 50_000,
    ],
    ids=["one too many", "open", "not", "maybe", "not and open", "groups"],
)
def test_depth_is_capped_where_text_is_read(text: str) -> None:
    """Text that nests without end is a clear error at the place where it goes too deep, and never an overflow."""
    with pytest.raises(RequirementSyntaxError, match=f"nested more than {MAX_DEPTH} levels deep"):
        parse(text)


@pytest.mark.parametrize(
    ("depth", "read"),
    [(MAX_DEPTH - 1, True), (MAX_DEPTH, False)],
    ids=["as deep as can be", "one too deep"],
)
def test_groups_inside_one_another_are_capped(depth: int, read: bool) -> None:
    """Groups of text count as those of the algebra do: as many as can be built can be written, and no more."""
    text = "a"
    for level in range(depth):
        text = f"({text} {'and' if level % 2 else 'or'} b{level})"
    text = f"{text} {'and' if depth % 2 else 'or'} c"
    if read:
        assert str(parse(text)).count("(") == depth
    else:
        with pytest.raises(RequirementSyntaxError, match=f"at most {MAX_DEPTH} levels deep"):
            parse(text)


def test_depth_within_the_cap_is_read() -> None:
    """As many parentheses as the limit are taken, and cost the requirement no depth of its own."""
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH) == parse("a")
    assert parse("not " * MAX_DEPTH + "a") == parse("a")


def test_ten_thousand_terms_parse_and_answer() -> None:
    """A text of ten thousand terms is read, written, answered and explained within seconds."""
    names = [f"c{n}" for n in range(10_000)]
    entry = {"id": "a", "capabilities": {name: {"supported": True} for name in names}}
    catalogue = Catalogue.from_listing([entry, {"id": "b"}], documented=None)
    started = time.process_time()
    requirement = parse(" and ".join(names))
    assert parse(str(requirement)) == requirement
    assert catalogue.select(requirement).id == "a"
    assert (
        catalogue.select(" or ".join(f"{name} and not {name}" for name in names) + " or c1").id
        == "a"
    )
    assert catalogue.supports("a", requirement)
    assert len(str(catalogue.explain(requirement))) < 10_000
    assert len(str(catalogue.explain(requirement & parse("not c1")))) < 10_000
    assert not requirement.is_unsatisfiable()
    assert time.process_time() - started < 5


def test_ten_thousand_values_parse_and_answer() -> None:
    """A long list of values is one term like any other."""
    values = ", ".join(f"v{n}" for n in range(10_000))
    catalogue = Catalogue.from_listing(
        [{"id": "a", "line": "v77"}, {"id": "b", "line": "w"}], documented=None
    )
    started = time.process_time()
    assert [model.id for model in catalogue.candidates(f"line in ({values})")] == ["a"]
    assert [model.id for model in catalogue.candidates(f"line not in ({values})")] == ["b"]
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens >= " + "1" * 4301,
        "price.input >= 0." + "1" * 4301,
        "age >= " + "1" * 4301 + "d",
        "created_at >= " + "1" * 4301,
        "effort >= " + "1" * 4301,
    ],
    ids=["limit", "number", "duration", "date", "level"],
)
def test_endless_numbers_in_text_are_errors_with_a_place(text: str) -> None:
    """A number of 4,301 digits is no literal of any kind, and its error shows the text cut short."""
    with pytest.raises(RequirementSyntaxError) as raised:
        parse(text)
    assert raised.value.column == text.index(" 1" if " 1" in text else " 0") + 1
    assert len(str(raised.value).split("\n")[1]) < 100


def test_an_endless_number_of_an_unknown_field_says_nothing() -> None:
    """Where the kind of a field is unknown such a number is a text, which no number equals."""
    need = parse("channel >= " + "1" * 4301)
    assert need.support(Model.from_api({"id": "a", "channel": 5})) is None
    assert parse(str(need)) == need


def test_hostile_text_is_read_in_no_time() -> None:
    """Quotes, backslashes and spaces by the hundred thousand cost time linear in their number."""
    started = time.process_time()
    for text in (
        'line == "' + "\\" * 200_001,
        " " * 200_000 + "&",
        '"' * 200_001,
        "a" * 200_000,
        "a." * 100_000,
    ):
        with pytest.raises(RequirementError):
            Catalogue.from_listing([], documented=None).select(text)
    quoted = json.dumps("\\" * 100_000)
    assert (
        parse(f"line == {quoted}").support(Model.from_api({"id": "a", "line": "\\" * 100_000}))
        is True
    )
    assert time.process_time() - started < 2
