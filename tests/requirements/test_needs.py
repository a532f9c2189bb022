"""Needs: keyword arguments that say in Python what text says, and errors for those that say nothing."""

from __future__ import annotations

from typing import Any

import pytest

from router._errors import RequirementError
from router.requirements._parser import parse, require


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        ({}, "true"),
        ({"pdf_input": True}, "pdf_input"),
        ({"citations": False}, "not citations"),
        ({"thinking": "adaptive"}, "thinking.adaptive"),
        ({"effort": "max"}, "effort.max"),
        ({"thinking": ["adaptive", "enabled"]}, "thinking.adaptive or thinking.enabled"),
        ({"thinking": ["adaptive"]}, "thinking.adaptive"),
        ({"line": "opus"}, "line == opus"),
        ({"line": ["opus", "sonnet"]}, "line in (opus, sonnet)"),
        ({"line": ("sonnet", "opus")}, "line in (opus, sonnet)"),
        ({"line": ["opus"]}, "line == opus"),
        ({"line": "two words"}, 'line == "two words"'),
        ({"id": "claude-opus-5"}, "id == claude-opus-5"),
        ({"lifecycle": "deprecated"}, "lifecycle == deprecated"),
        ({"allowed_fallback_models": "a"}, "allowed_fallback_models has a"),
        (
            {"allowed_fallback_models": ["a", "b"]},
            "allowed_fallback_models has a or allowed_fallback_models has b",
        ),
        ({"min_input_tokens": "200k"}, "max_input_tokens >= 200k"),
        ({"min_input_tokens": 200_000}, "max_input_tokens >= 200k"),
        ({"min_output_tokens": 64_000}, "max_tokens >= 64k"),
        ({"max_tokens": "64k"}, "max_tokens == 64k"),
        ({"created_at": "2026-01-01T09:30:00Z"}, "created_at == 2026-01-01"),
        ({"created_at": ["2026-01-02", "2026-01-01"]}, "created_at in (2026-01-01, 2026-01-02)"),
        ({"nova": True}, "nova"),
        ({"nova": "deep"}, "nova.deep"),
        ({"nova": "types.deep"}, "nova.deep"),
        (
            {
                "thinking": "adaptive",
                "effort": "max",
                "pdf_input": True,
                "citations": False,
                "line": ["opus", "sonnet"],
                "min_input_tokens": "200k",
                "min_output_tokens": 64_000,
            },
            (
                "effort.max and line in (opus, sonnet) and max_input_tokens >= 200k and max_tokens >= 64k "
                "and not citations and pdf_input and thinking.adaptive"
            ),
        ),
    ],
    ids=repr,
)
def test_keywords_say_the_same_in_python(needs: dict[str, Any], text: str) -> None:
    """A keyword is a capability, an equality, any of several, or a minimum; together they are and-ed."""
    assert require(**needs) == parse(text)


WRONG = "must be a bool, a string or a list of strings"


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ({"now": "2026-01-01"}, "'now' is reserved: it is not a capability or field to require"),
        ({"limit": True}, "'limit' is reserved: it is not a capability or field to require"),
        ({"default": None}, "'default' is reserved: it is not a capability or field to require"),
        ({"pdf_input": None}, f"pdf_input= {WRONG} (got None)"),
        ({"pdf_input": 1.5}, f"pdf_input= {WRONG} (got 1.5)"),
        ({"pdf_input": 1}, f"pdf_input= {WRONG} (got 1)"),
        ({"vision": 3}, f"vision= {WRONG} (got 3)"),
        (
            {"min_context": 5},
            f"min_context= {WRONG} (got 5); did you mean min_input_tokens=?",
        ),
        (
            {"min_context": "200k"},
            "min_context= is not known; did you mean min_input_tokens=?",
        ),
        (
            {"min_price": "3"},
            "min_price= is not known; write text, such as 'price.input >= 3' or 'price.output >= 3'",
        ),
        (
            {"max_price": 2.5},
            f"max_price= {WRONG} (got 2.5); write text, such as 'price.input <= 2.5' or 'price.output <= 2.5'",
        ),
        (
            {"cost": 3},
            f"cost= {WRONG} (got 3); write text, such as 'price.input <= 3' or 'price.output <= 3'",
        ),
        *(
            (
                {name: value},
                f"{name}= belongs to a policy, not to a requirement: give Policy(require=..., {name}=...)",
            )
            for name, value in {
                "order": "cheapest",
                "prefer": ["line == opus"],
                "minimum_age": "14d",
                "alternatives": ["pdf_input"],
            }.items()
        ),
        (
            {"max_context_length": 5},
            f"max_context_length= {WRONG} (got 5); did you mean min_input_tokens=?",
        ),
        (
            {"min_output": 5},
            f"min_output= {WRONG} (got 5); did you mean min_output_tokens=?",
        ),
        ({"line": []}, f"line= {WRONG} (got [])"),
        ({"line": ["opus", 5]}, f"line= {WRONG} (got ['opus', 5])"),
        ({"line": True}, "'line' is a field, neither true nor false: give the value it must have"),
        (
            {"price": "input"},
            "'price.input' is a field, neither true nor false: give the value it must have",
        ),
        ({"thinking": "a b"}, "'thinking.a b' is not a name: a name is words joined by dots"),
        ({"thinking": ""}, "'thinking.' is not a name: a name is words joined by dots"),
        (
            {"max_tokens": 64_000},
            "max_tokens=64000 says neither minimum nor maximum: write min_output_tokens=64000, or text",
        ),
        (
            {"max_input_tokens": 5},
            "max_input_tokens=5 says neither minimum nor maximum: write min_input_tokens=5, or text",
        ),
        (
            {"max_tokens": "many"},
            "max_tokens= must be a whole number such as 200000, 200_000, 200k or 1M (got 'many')",
        ),
        (
            {"min_input_tokens": "lots"},
            "min_input_tokens= must be a whole number such as 200000, 200_000, 200k or 1M (got 'lots')",
        ),
        (
            {"min_input_tokens": -1},
            "min_input_tokens= must be a whole number such as 200000, 200_000, 200k or 1M (got '-1')",
        ),
        ({"age": "14d"}, "age= cannot say how to compare: write text, such as 'age >= 14d'"),
        (
            {"created_at": "soon"},
            "created_at= must be a date such as 2026-01-01 or 2026-01-01T09:30:00Z (got 'soon')",
        ),
    ],
    ids=repr,
)
def test_a_keyword_that_says_nothing_is_an_error(needs: dict[str, Any], message: str) -> None:
    """A value of the wrong kind, a reserved name or no name at all says what it should have been."""
    with pytest.raises(RequirementError) as raised:
        require(**needs)
    assert str(raised.value) == message


@pytest.mark.parametrize("name", ["true", "maybe", "has", "like", "and", "in"])
def test_a_word_of_the_language_is_no_capability(name: str) -> None:
    """A keyword that the text could not spell is refused, for its text would not parse back."""
    with pytest.raises(RequirementError):
        require(**{name: True})


@pytest.mark.parametrize(
    "number", [10**4299, 10**4300, 10**5000], ids=["4,300 digits", "4,301 digits", "5,001 digits"]
)
@pytest.mark.parametrize("name", ["min_input_tokens", "max_tokens", "pdf_input"])
def test_an_endless_number_is_an_error_of_ours(name: str, number: int) -> None:
    """A number longer than Python will print is refused like any other that is no literal."""
    with pytest.raises(RequirementError):
        require(**{name: number})
