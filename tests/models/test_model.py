"""Model: one entry of the Models API, in every shape that it had, read into facts of three values and typed fields."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from strategies import entries

from router import Catalogue, Provenance
from router._errors import MalformedEntryError, RequirementError, UnknownNameError
from router.models._model import Model, Reader, read_model
from router.models._packaged_facts import Correction, Facts
from router.models._vocabulary import CAPABILITIES
from router.requirements._parser import parse

NOW = datetime(2026, 11, 22, tzinfo=UTC)

OF_2024 = {
    "type": "model",
    "id": "claude-3-5-sonnet-20241022",
    "display_name": "Claude 3.5 Sonnet (New)",
    "created_at": "2024-10-22T00:00:00Z",
}
OF_TODAY = {
    "type": "model",
    "id": "claude-opus-5",
    "display_name": "Claude Opus 5",
    "created_at": "2026-07-24T00:00:00Z",
    "max_input_tokens": 1_000_000,
    "max_tokens": 128_000,
    "lifecycle": "active",
    "line": "opus",
    "deprecated_at": None,
    "retires_at": None,
    "allowed_fallback_models": ["claude-opus-4-8"],
    "capabilities": {
        "pdf_input": {"supported": True},
        "effort": {"supported": True, "low": {"supported": True}, "max": {"supported": True}},
        "thinking": {
            "supported": True,
            "types": {
                "enabled": {"supported": False},
                "adaptive": {"supported": True},
                "disabled": {"supported": True},
            },
        },
        "context_management": {"supported": True, "compact_20260112": {"supported": True}},
        "server_tools": {"supported": True, "web_search": {"supported": False}},
    },
}


def stating(supported: object) -> Model:
    """Return a model whose tree says this of one capability."""
    return Model.from_api({"id": "a", "capabilities": {"pdf_input": {"supported": supported}}})


def test_the_four_fields_of_2024_are_a_model() -> None:
    """S9: an entry of the first shape is read; all that it does not say is unknown, also the line that its id names."""
    model = Model.from_api(OF_2024)
    assert model.id == "claude-3-5-sonnet-20241022"
    assert model.display_name == "Claude 3.5 Sonnet (New)"
    assert model.created_at == datetime(2024, 10, 22, tzinfo=UTC)
    assert model.support("pdf_input") is None
    unknown = (
        model.max_input_tokens,
        model.max_tokens,
        model.lifecycle,
        model.line,
        model.deprecated_at,
    )
    assert unknown == (None,) * 5
    assert (model.retires_at, model.allowed_fallback_models, model.access, model.replacement) == (
        None,
    ) * 4
    assert model.aliases == ()
    assert dict(model.capabilities) == {}


def test_an_entry_of_today_is_a_model() -> None:
    """Every field of today's shape is an attribute of its own name and type."""
    model = Model.from_api(OF_TODAY)
    assert model.max_input_tokens == 1_000_000
    assert model.max_tokens == 128_000
    assert model.lifecycle == "active"
    assert model.line == "opus"
    assert model.deprecated_at is None
    assert model.retires_at is None
    assert model.allowed_fallback_models == ("claude-opus-4-8",)
    assert model.support("thinking.adaptive") is True
    assert model.support("thinking.types.adaptive") is True
    assert model.support("thinking.enabled") is False
    assert model.support("thinking.disabled") is True
    assert model.support("thinking.between_tools") is None
    assert model.support("effort.max") is True
    assert model.support("effort.high") is None
    assert model.support("server_tools.web_search") is False
    assert model.support("context_management.compact_20260112") is True


def test_dates_and_documented_fields_are_attributes() -> None:
    """What is scheduled and documented reads as typed values."""
    model = Model.from_api(
        {
            "id": "a",
            "deprecated_at": "2026-09-30T00:00:00Z",
            "retires_at": "2026-11-30T00:00:00Z",
            "access": "limited",
            "aliases": ["b", "c"],
            "replacement": "d",
        }
    )
    assert model.deprecated_at == datetime(2026, 9, 30, tzinfo=UTC)
    assert model.retires_at == datetime(2026, 11, 30, tzinfo=UTC)
    assert (model.access, model.aliases, model.replacement) == ("limited", ("b", "c"), "d")


def test_an_answer_of_a_gateway_is_a_model() -> None:
    """`capabilities: null` and an epoch date, as gateways send them, leave everything unknown."""
    model = Model.from_api(
        {"id": "a", "type": "model", "created_at": "1970-01-01T00:00:00Z", "capabilities": None}
    )
    assert model.created_at is None
    assert model.support("pdf_input") is None


@pytest.mark.parametrize("supported", [True, False])
def test_json_true_and_false_are_known(supported: bool) -> None:
    """Only JSON true is supported and only JSON false is unsupported."""
    assert stating(supported).support("pdf_input") is supported


@pytest.mark.parametrize(
    "supported",
    [None, "true", "false", 1, 0, 1.0, "", [], {}, [True], {"supported": True}],
    ids=repr,
)
def test_anything_else_is_unknown(supported: object) -> None:
    """S1: null, words, numbers and containers say neither that a capability is supported nor that it is not."""
    assert stating(supported).support("pdf_input") is None


@pytest.mark.parametrize("node", [None, True, "true", 1, [], [{"supported": True}], {}], ids=repr)
def test_a_capability_is_an_object_or_unknown(node: object) -> None:
    """A node that is no object, or an empty one, leaves its capability named and unknown."""
    model = Model.from_api({"id": "a", "capabilities": {"nova": node}})
    assert model.support("nova") is None
    assert dict(model.capabilities) == {"nova": None}


def test_what_nobody_knew_is_kept() -> None:
    """S2: keys that the API adds, however deep or dated, are capabilities by their path, with no release of ours."""
    model = Model.from_api(
        {
            "id": "a",
            "capabilities": {
                "nova": {
                    "supported": False,
                    "deep_20270101": {
                        "supported": True,
                        "types": {"deeper": {"supported": True, "types": {"x": {}}}},
                    },
                }
            },
        }
    )
    assert dict(model.capabilities) == {
        "nova": False,
        "nova.deep_20270101": True,
        "nova.deep_20270101.deeper": True,
        "nova.deep_20270101.deeper.x": None,
    }
    assert model.support("nova.deep_20270101.types.deeper") is True


def test_a_container_has_no_value_of_its_own() -> None:
    """A `supported` inside a container is nobody's value, and the first key is never a container."""
    model = Model.from_api(
        {
            "id": "a",
            "capabilities": {
                "thinking": {"types": {"supported": True, "adaptive": {"supported": True}}},
                "types": {
                    "supported": True,
                    "types": {"supported": False, "a": {"supported": True}},
                },
            },
        }
    )
    assert dict(model.capabilities) == {
        "thinking": None,
        "thinking.adaptive": True,
        "types": True,
        "types.a": True,
    }


def test_a_capability_may_have_any_name() -> None:
    """Even one that is called `supported` is a capability at the top of the tree, where no node has a value."""
    model = Model.from_api(
        {
            "id": "a",
            "capabilities": {"supported": {"supported": True}, "nova": {"supported": False}},
        }
    )
    assert dict(model.capabilities) == {"supported": True, "nova": False}


def test_a_parent_says_nothing_of_its_children() -> None:
    """A node's own `supported` is its value alone, in both directions."""
    model = Model.from_api(
        {
            "id": "a",
            "capabilities": {
                "effort": {"supported": False, "max": {}},
                "thinking": {"types": {"adaptive": {"supported": True}}},
            },
        }
    )
    assert model.support("effort.max") is None
    assert model.support("thinking") is None


@pytest.mark.parametrize(
    ("short", "long", "expected"),
    [
        (True, True, True),
        (True, False, None),
        (False, True, None),
        (False, False, False),
        (True, None, True),
        (None, False, False),
    ],
)
def test_two_spellings_that_disagree_leave_unknown(
    short: bool | None, long: bool | None, expected: bool | None
) -> None:
    """A capability stated twice, with and without its container, is known where the statements agree."""
    for thinking in (
        {"adaptive": {"supported": short}, "types": {"adaptive": {"supported": long}}},
        {"types": {"adaptive": {"supported": long}}, "adaptive": {"supported": short}},
    ):
        model = Model.from_api({"id": "a", "capabilities": {"thinking": thinking}})
        assert model.support("thinking.adaptive") is expected


@pytest.mark.parametrize(
    "name", ["pdf_imput", "thinking.adaptve", "nova", "", "pdf_input.", "PDF_INPUT", "traits.nova"]
)
def test_an_unknown_capability_raises(name: str) -> None:
    """A name that neither the vocabulary nor the listing knows is an error, never a quiet unknown."""
    with pytest.raises(UnknownNameError) as raised:
        Model.from_api(OF_TODAY).support(name)
    assert raised.value.name == name


def test_the_error_names_what_was_meant() -> None:
    """The nearest known names are part of the error."""
    with pytest.raises(
        UnknownNameError, match=r"unknown name 'pdf_imput'; did you mean pdf_input\?"
    ):
        Model.from_api(OF_TODAY).support("pdf_imput")


def test_names_are_those_of_the_whole_listing() -> None:
    """What one entry of a listing names is known, though unknown, of the others."""
    reader = Reader()
    one = reader.read(
        {"id": "a", "capabilities": {"nova": {"supported": True}}, "channel": 1}, "data[0]"
    )
    other = reader.read({"id": "b"}, "data[1]")
    assert one.support("nova") is True
    assert other.support("nova") is None
    assert reader.names.knows_field("channel")


@given(entries())
def test_a_tree_that_comes_again_is_read_once(entry: dict[str, Any]) -> None:
    """Entries that state the same capabilities share what is read of them, and it is what each by itself would give."""
    tree = entry.get("capabilities") or {}
    reader = Reader()
    alone = Model.from_api({"id": "a", "capabilities": tree})
    first, again = (
        reader.read({"id": id, "capabilities": json.loads(json.dumps(tree))}, "data[0]")
        for id in "ab"
    )
    assert first.facts is again.facts
    assert first.facts == alone.facts
    assert again.entry["capabilities"] == tree
    assert again.capabilities == alone.capabilities


@pytest.mark.parametrize("supported", [(1, True), (1, 1.0), (0, False), ("1", 1)])
def test_like_trees_are_told_apart(supported: tuple[object, object]) -> None:
    """What Python takes for equal is two trees where JSON tells it apart."""
    reader = Reader()
    models = [
        reader.read({"id": "a", "capabilities": {"x": {"supported": each}}}, "data[0]")
        for each in supported
    ]
    assert [repr(model.entry["capabilities"]["x"]["supported"]) for model in models] == list(
        map(repr, supported)
    )
    assert [model.support("x") for model in models] == [
        each if isinstance(each, bool) else None for each in supported
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (None, "entry must be an object (got null)"),
        ("claude", "entry must be an object (got str)"),
        (5, "entry must be an object (got int)"),
        ([], "entry must be an object (got list)"),
        ({}, "entry.id must be a model id of 1 to 256 of A-Z a-z 0-9 . _ : @ / - (got null)"),
        (
            {"id": None},
            "entry.id must be a model id of 1 to 256 of A-Z a-z 0-9 . _ : @ / - (got null)",
        ),
        ({"id": 5}, "entry.id must be a model id of 1 to 256 of A-Z a-z 0-9 . _ : @ / - (got int)"),
        (
            {"id": "a b"},
            "entry.id must be a model id of 1 to 256 of A-Z a-z 0-9 . _ : @ / - (got 'a b')",
        ),
        (
            {"id": "a", "capabilities": []},
            "entry.capabilities must be an object or null (got list)",
        ),
        (
            {"id": "a", "capabilities": "all"},
            "entry.capabilities must be an object or null (got str)",
        ),
        (
            {"id": "a", "capabilities": False},
            "entry.capabilities must be an object or null (got bool)",
        ),
        ({"id": "a", "capabilities": 0}, "entry.capabilities must be an object or null (got int)"),
    ],
)
def test_a_malformed_entry_says_where(entry: object, message: str) -> None:
    """What is no entry at all is refused with the path to what is wrong, what was expected, and what was got."""
    with pytest.raises(MalformedEntryError) as raised:
        Model.from_api(entry)
    assert str(raised.value) == message


IDS = [
    *("a", "0", "claude-opus-5-5", "claude-haiku-4-5-20251001", "A.b_c:d@e/f-g", "a" * 256),
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "us.anthropic.claude-opus-4-20250514-v1:0",
    "claude-3-5-sonnet-v2@20241022",
    "publishers/anthropic/models/claude-opus-4",
]
NOT_IDS = {
    "empty": "",
    "257 characters": "a" * 257,
    "100 KB": "a" * 100_000,
    "escape sequence": "\x1b[31mred",
    "operating system command": "\x1b]0;title\x07",
    "line break": "a\r\nb",
    "trailing line break": "a\n",
    "NUL": "a\x00b",
    "bidirectional override": "a\u202eb",
    "zero-width space": "a\u200bb",
    "full-width": "\uff43laude",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "parent directory": "../../x",
    "per cent": "%s",
    "format field": "{0.__class__}",
    "spreadsheet formula": "=cmd",
    "leading space": " a",
    "trailing space": "a ",
    "leading mark": "-a",
    "accent": "claude-\u00e9",
    "lone surrogate": "a\ud800",
    "backslash": "a\\b",
    "quote": 'a"b',
}


@pytest.mark.parametrize("id", IDS)
def test_first_party_bedrock_and_vertex_ids_are_ids(id: str) -> None:
    """The allow-list takes the ids that providers really use."""
    assert Model.from_api({"id": id}).id == id


@pytest.mark.parametrize("id", NOT_IDS.values(), ids=NOT_IDS)
def test_an_id_outside_the_allow_list_is_refused(id: str) -> None:
    """S8: an id that could steer a terminal, a path or a template is malformed; the message prints none of it raw."""
    with pytest.raises(MalformedEntryError) as raised:
        Model.from_api({"id": id})
    assert raised.value.path == "entry.id"
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "field",
    [
        {"display_name": 5},
        {"created_at": {}},
        {"max_input_tokens": "200000"},
        {"max_tokens": [1]},
        {"lifecycle": {"state": "retired"}},
        {"line": ["opus"]},
        {"deprecated_at": 0},
        {"retires_at": "soon"},
        {"allowed_fallback_models": "claude-opus-4-8"},
        {"price": {"input": "free", "output": -1}},
        {"traits": "many"},
        {"traits": {"prefill": "yes", "sampling": 1}},
        {"aliases": "b"},
        {"channel": {"a": [{"b": 1}]}},
        {"channel": [1, "a"]},
    ],
    ids=repr,
)
def test_an_odd_value_makes_only_its_own_fact_unknown(field: dict[str, Any]) -> None:
    """A value of the wrong type is no reason to lose the model, nor to guess."""
    model = Model.from_api({"id": "a", "max_output": 5, **field})
    assert model.values == {"id": "a", "provider": "anthropic", "max_output": 5}
    assert [name for name in CAPABILITIES if model.support(name) is not None] == []
    assert model.entry == {"id": "a", "max_output": 5, **field}


def test_fields_that_nobody_knew_are_kept_by_path() -> None:
    """A new top-level field is a value under its own name, and inside an object under its dotted path."""
    reader = Reader()
    model = reader.read(
        {
            "id": "a",
            "channel": "beta",
            "quota": {"rpm": 50, "per": {"day": 1_000, "none": None}},
            "open": True,
            "regions": ["us", "eu"],
            "empty": {},
        },
        "data[0]",
    )
    known = {name: model.values[name] for name in model.values.keys() - {"id", "provider"}}
    assert known == {
        "channel": "beta",
        "quota.rpm": 50,
        "quota.per.day": 1_000,
        "open": True,
        "regions": ("us", "eu"),
    }
    assert reader.names.fields == {"id", *known, "quota.per.none"}


@pytest.mark.parametrize("value", [-1, -2.5], ids=str)
def test_a_new_field_may_be_below_zero(value: float) -> None:
    """A field of tomorrow that holds a negative number is as selectable as any other."""
    model = Model.from_api({"id": "a", "offset": value})
    assert parse("offset < 0").support(model) is True
    assert parse("offset >= 0").support(model) is False


@pytest.mark.parametrize(
    ("entry", "text", "support"),
    [
        ({"retires_at": None}, "retires_in >= 90d", True),
        ({"retires_at": None}, "retires_in >= 1000000d", True),
        ({"retires_at": None}, "retires_in < 90d", False),
        ({}, "retires_in >= 90d", None),
        ({"retires_at": "never"}, "retires_in >= 90d", None),
        ({"retires_at": 0}, "retires_in >= 90d", None),
        ({"retires_at": None}, "retires_at >= 2027-01-01", None),
        ({"retires_at": None}, "retires_at == 2027-01-01", None),
        ({"retires_at": "2027-02-20T00:00:00Z"}, "retires_in >= 90d", True),
        ({"retires_at": "2027-02-19T23:59:59Z"}, "retires_in >= 90d", False),
        ({"retires_at": "2026-11-01T00:00:00Z"}, "retires_in < 0d", True),
        ({"retires_at": "2026-11-01T00:00:00Z"}, "retires_in >= -21d", True),
        ({"created_at": "2026-11-08T00:00:00Z"}, "age >= 14d", True),
        ({"created_at": "2026-11-08T00:00:00Z"}, "age > 2w", False),
        ({"created_at": "2026-11-08T00:00:00.000001Z"}, "age >= 14d", False),
        ({"created_at": "2026-11-08T00:00:00.000001Z"}, "age < 14d", True),
        ({"created_at": "2027-01-01T00:00:00Z"}, "age < 0d", True),
        ({"created_at": None}, "age >= 0d", None),
        ({"created_at": "1970-01-01T00:00:00Z"}, "age >= 0d", None),
        ({"age": 20}, "age >= 0d", None),
    ],
    ids=repr,
)
def test_durations_are_reckoned_from_now(
    entry: dict[str, Any], text: str, support: bool | None
) -> None:
    """`age` runs from `created_at` and `retires_in` to `retires_at`, of which null says that nothing is scheduled."""
    assert parse(text).support(Model.from_api({"id": "a", **entry}), now=NOW) is support


def test_not_scheduled_is_no_date() -> None:
    """`retires_at: null` leaves the attribute `None`, though the time until then is endless."""
    model = Model.from_api({"id": "a", "retires_at": None})
    assert model.retires_at is None
    assert model.values == {"id": "a", "provider": "anthropic"}
    assert parse("retires_in >= 90d").matches(model)


@pytest.mark.parametrize(
    ("entry", "states"),
    [
        ({"line": "opus"}, True),
        ({"line": 5}, True),
        ({"line": []}, True),
        ({"line": None}, False),
        ({}, False),
    ],
    ids=repr,
)
def test_a_field_is_stated_or_not(entry: dict[str, Any], states: bool) -> None:
    """A value that is odd is stated all the same; null and absent are not, and documentation states too."""
    assert Model.from_api({"id": "a", **entry}).states("line") is states
    documented = {("anthropic", "a"): Facts(stated={"line": "opus"})}
    assert read_model({"id": "a", **entry}, "data[0]", documented).states("line")


WRONG_LIMIT = Correction(reported=1_000_000, value=200_000, why="the beta ended", source=("DOC",))
FACTS = Facts(
    stated={
        "access": "limited",
        "aliases": ["b"],
        "price": {"input": 5, "output": 25},
        "traits": {"prefill": True, "sampling": False},
    },
    corrections={"max_input_tokens": WRONG_LIMIT},
    sources={
        "access": ("DOC",),
        "aliases": ("SDK",),
        "price.input": ("DOC",),
        "price.output": ("DOC",),
        "traits.prefill": ("PYD",),
        "traits.sampling": ("PYD",),
    },
)
DOCUMENTED = {("anthropic", "a"): FACTS}


def test_documented_facts_fill_what_the_entry_does_not_state() -> None:
    """What is absent or null in the entry is taken from documentation, and marked with its sources."""
    reader = Reader(DOCUMENTED)
    model = reader.read({"id": "a", "access": None}, "data[0]")
    assert (model.access, model.aliases) == ("limited", ("b",))
    assert model.values["price.input"] == 5
    assert model.support("traits.prefill") is True
    assert model.support("traits.sampling") is False
    assert model.support("traits.fast_mode") is None
    assert dict(model.documented) == dict(FACTS.sources)
    assert model.entry == {"id": "a", "access": None}
    assert {"traits.prefill", "traits.sampling"} <= reader.names.capabilities
    assert reader.names.fields >= {"access", "price.input"}


def test_what_the_entry_states_is_never_overlaid() -> None:
    """A fact in the entry stands, and counts as the API's own, down to each price and each trait."""
    entry = {
        "id": "a",
        "access": "general",
        "aliases": [],
        "price": {"input": 4, "output": None},
        "traits": {"prefill": False},
    }
    model = read_model(entry, "data[0]", DOCUMENTED)
    assert (model.access, model.aliases) == ("general", ())
    assert (model.values["price.input"], model.values["price.output"]) == (4, 25)
    assert model.support("traits.prefill") is False
    assert model.support("traits.sampling") is False
    assert set(model.documented) == {"price.output", "traits.sampling"}


def test_a_correction_replaces_the_wrong_value_only() -> None:
    """A limit is corrected while the API reports the value known to be wrong, and let be once it reports another."""
    wrong = read_model({"id": "a", "max_input_tokens": 1_000_000}, "data[0]", DOCUMENTED)
    assert wrong.max_input_tokens == 200_000
    assert dict(wrong.corrections) == {"max_input_tokens": WRONG_LIMIT}
    assert wrong.entry["max_input_tokens"] == 1_000_000
    for reported in (200_000, 500_000, None, "1000000"):
        right = read_model({"id": "a", "max_input_tokens": reported}, "data[0]", DOCUMENTED)
        assert right.max_input_tokens == (reported if isinstance(reported, int) else None)
        assert dict(right.corrections) == {}
    assert read_model({"id": "a"}, "data[0]", DOCUMENTED).max_input_tokens is None


def test_a_model_is_a_frozen_value() -> None:
    """Two models of one entry are equal and hash alike; an attribute cannot be set."""
    model, again = Model.from_api(OF_TODAY), Model.from_api(OF_TODAY)
    assert model == again
    assert hash(model) == hash(again)
    assert model != Model.from_api(OF_2024)
    assert model != Model.from_api({**OF_TODAY, "line": None})
    assert repr(model) == "<Model claude-opus-5>"
    with pytest.raises(FrozenInstanceError):
        model.id = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        model.capabilities["pdf_input"] = False  # type: ignore[index]


def test_a_model_does_not_follow_its_entry() -> None:
    """What happens to the dict later does not happen to the model."""
    entry: dict[str, Any] = {
        "id": "a",
        "line": "opus",
        "capabilities": {"pdf_input": {"supported": True}},
    }
    model = Model.from_api(entry)
    entry["line"] = "sonnet"
    entry["capabilities"]["nova"] = {"supported": True}
    assert model.line == "opus"
    assert dict(model.capabilities) == {"pdf_input": True}
    assert model.entry == {
        "id": "a",
        "line": "opus",
        "capabilities": {"pdf_input": {"supported": True}},
    }


def test_a_model_pickles() -> None:
    """A model comes back whole, with the names of its listing."""
    model = read_model({"id": "a", "max_input_tokens": 1_000_000, "nova": 1}, "data[0]", DOCUMENTED)
    again: Model = pickle.loads(pickle.dumps(model))  # noqa: S301 - pickled on this very line
    assert again == model
    assert again.names.knows_field("nova")
    with pytest.raises(UnknownNameError):
        again.support("pdf_imput")


@pytest.mark.parametrize("name", ["line", "max_input_tokens", "price.output"])
def test_a_field_has_no_support(name: str) -> None:
    """What is a field is said to be one, where support is asked for."""
    with pytest.raises(RequirementError, match=f"^'{name}' is a field, not a capability"):
        Model.from_api(OF_TODAY).support(name)


def test_a_value_is_read_by_its_name_in_the_language() -> None:
    """`[]` takes every field and capability; what is unknown is `None`, and `get` has a default for it."""
    model = read_model(
        {
            "id": "a",
            "nova": {"x": 1},
            "capabilities": {"effort": {"types": {"max": {"supported": False}}}},
        },
        "data[0]",
        DOCUMENTED,
    )
    assert (model["id"], model["provider"], model["price.output"]) == ("a", "anthropic", 25)
    assert (model["nova.x"], model["effort.max"], model["effort.types.max"]) == (1, False, False)
    assert (model["traits.prefill"], model["pdf_input"], model["line"]) == (True, None, None)
    assert model.get("price.output") == 25
    assert model.get("line", "none") == "none"
    assert model.get("effort.max", True) is False
    assert {name: model[name] for name in model.values} == model.values


def test_a_name_that_has_no_value_raises() -> None:
    """A typo is no unknown value, and a duration depends on the time."""
    model = Model.from_api(OF_TODAY)
    for read in (model.__getitem__, model.get, model.provenance):
        with pytest.raises(UnknownNameError, match=r"did you mean price\.output\?"):
            read("price.outptu")
        with pytest.raises(
            RequirementError, match="age depends on the time: read created_at instead"
        ):
            read("age")


def test_a_model_is_no_container() -> None:
    """`in` and `list` are refused in words of their own, and a name is a string."""
    model: Any = Model.from_api(OF_TODAY)
    with pytest.raises(TypeError, match="is not a container"):
        "pdf_input" in model  # noqa: B015
    with pytest.raises(TypeError, match="not iterable"):
        list(model)
    for read in (model.__getitem__, model.get, model.provenance):
        with pytest.raises(RequirementError, match="the name of a value must be a string"):
            read(None)


def test_a_model_is_formatted_as_its_id() -> None:
    """A model can be lined up in a table like a string."""
    assert f"{Model.from_api({'id': 'a'}):>3}" == "  a"


def test_the_provenance_of_a_value() -> None:
    """Each value is of the entry, of documentation or a correction, with the texts of its sources."""
    model = read_model(
        {"id": "a", "max_input_tokens": 1_000_000, "line": "opus"}, "data[0]", DOCUMENTED
    )
    assert model.provenance("line") == Provenance("entry")
    assert model.provenance("price.output") == Provenance("documented", ("DOC",))
    assert model.provenance("max_input_tokens") == Provenance("correction", ("DOC",))
    assert model.provenance("pdf_input") is None
    packaged = Catalogue.bundled()["claude-opus-5"].provenance("price.output")
    assert packaged is not None
    assert str(packaged).startswith("documented: ")
    assert all(len(text) > 20 for text in packaged.sources)


def test_a_model_in_text_and_in_json() -> None:
    """`str` is the id, `repr` is short, `to_dict` is all that is known and plain JSON."""
    model = Model.from_api(OF_TODAY)
    other = Model.from_api({**OF_TODAY, "provider": "azure", "base": "anthropic:claude-opus-5"})
    assert f"{model}" == model.id == "claude-opus-5"
    assert repr(other) == "<Model azure:claude-opus-5>"
    assert other.base == "anthropic:claude-opus-5"
    plain = other.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert {name: plain[name] for name in ("id", "provider", "key", "base")} == {
        "id": "claude-opus-5",
        "provider": "azure",
        "key": "azure:claude-opus-5",
        "base": "anthropic:claude-opus-5",
    }
    assert plain["values"].keys() == dict(other.values).keys()
    assert plain["capabilities"] == dict(other.capabilities)
