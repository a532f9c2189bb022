"""The audit of texts: every name of a model and nothing else, and what is to be said of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from time import process_time
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locations import DATA

from router import Audit, AuditVerdict, Catalogue, ConfigurationError, Finding, RequirementError

CORPUS: Final = DATA / "audit"
EXPECTED: Final[dict[str, list[list[Any]]]] = json.loads(
    (DATA / "audit.json").read_text(encoding="utf-8")
)
NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)
BUNDLED: Final = Catalogue.bundled()
AUDIT: Final = Audit(BUNDLED, now=NOW)
NAMES: Final = sorted({name for model in BUNDLED for name in (model.id, *model.aliases)})

Matcher = Callable[[str], set[tuple[int, str]]]


def found(text: str | bytes, audit: Audit = AUDIT) -> list[str]:
    """Return the names that are found, as they stand there."""
    return [finding.text for finding in audit.findings(text)]


def only(text: str, audit: Audit = AUDIT) -> Finding:
    """Return what is found where there is one."""
    (finding,) = audit.findings(text)
    return finding


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_the_corpus(name: str) -> None:
    """In real-shaped files every name is found, on its line and with its model and verdict, and nothing else is."""
    findings = AUDIT.findings((CORPUS / name).read_bytes(), name)

    assert [
        [each.line, each.text, each.model_id, each.verdict.value] for each in findings
    ] == EXPECTED[name]
    assert {each.path for each in findings} == {name}


def test_the_corpus_is_whole() -> None:
    """The corpus has 17 languages and formats, names in each, and every verdict."""
    assert len(EXPECTED) == len(list(CORPUS.iterdir())) == 17
    assert all(EXPECTED.values())
    assert {verdict for places in EXPECTED.values() for *_, verdict in places} == {
        each.value for each in AuditVerdict
    }


def by_prefix(text: str) -> set[tuple[int, str]]:
    """Find a name wherever a text begins like one."""
    pattern = re.compile("|".join(map(re.escape, sorted(NAMES, key=len, reverse=True))))
    return {(text.count("\n", 0, match.start()) + 1, match[0]) for match in pattern.finditer(text)}


def by_word(text: str) -> set[tuple[int, str]]:
    """Find a name where words begin and end."""
    pattern = re.compile(
        rf"\b(?:{'|'.join(map(re.escape, sorted(NAMES, key=len, reverse=True)))})\b"
    )
    return {(text.count("\n", 0, match.start()) + 1, match[0]) for match in pattern.finditer(text)}


@pytest.mark.parametrize("matcher", [by_prefix, by_word])
def test_a_naive_matcher_fails_the_corpus(matcher: Matcher) -> None:
    """The twins that must fail: matching by prefix or by word has misses and false alarms, in many files."""
    false_alarms, misses = set(), set()
    for name, places in EXPECTED.items():
        expected = {(line, text) for line, text, _, _ in places}
        got = matcher((CORPUS / name).read_text(encoding="utf-8"))
        false_alarms |= {name} if got - expected else set()
        misses |= {name} if expected - got else set()

    assert len(false_alarms) >= 8
    assert len(misses) >= 5


GOES_ON: Final = st.sampled_from("abczABCZ0189_-")
APART: Final = st.one_of(
    st.sampled_from("\"'`()[]{}<>,;=|/\\ \t\n*!?&$#+~^"),
    st.characters(codec="utf-8", min_codepoint=0x80),
)


@given(
    name=st.sampled_from(NAMES),
    before=APART | st.sampled_from(".:@"),
    after=APART,
    also=st.text(max_size=5),
)
def test_a_name_between_what_goes_on_nowhere(name: str, before: str, after: str, also: str) -> None:
    """A name is found between any two characters that are no part of a name, with its place, whatever else is there."""
    text = f"x\n{before}{name}{after}{also}"
    finding = AUDIT.findings(text)[0]

    assert (finding.text, finding.model_id) == (name, BUNDLED[name].id)
    lines = text.split("\n")
    assert lines[finding.line - 1][finding.column - 1 :].startswith(name)


@given(name=st.sampled_from(NAMES), before=GOES_ON, after=APART)
def test_what_stands_before_makes_another_name(name: str, before: str, after: str) -> None:
    """A name that goes on before it is another one."""
    assert found(f" {before}{name}{after}") == []


@given(
    name=st.sampled_from(NAMES),
    join=st.sampled_from(("", ".", "@", "%40")),
    after=GOES_ON.filter(str.isalnum),
)
def test_what_stands_after_makes_another_name(name: str, join: str, after: str) -> None:
    """A name that goes on after it is another one, also where a dot or an at comes between."""
    assert found(f" {name}{join}{after} ") == []
    assert found(f" {name}- ") == found(f" {name}_ ") == found(f" {name}:1 ") == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Use claude-2.1.", "claude-2.1"),
        ("**claude-2.1.**", "claude-2.1"),
        ("claude-2.1...", "claude-2.1"),
        ("claude-2.1: 3", "claude-2.1"),
        ("claude-2.1:thinking", "claude-2.1"),
        ("claude-2.1's", "claude-2.1"),
        ("claude-2.1%0A", "claude-2.1"),
        (r"a\nclaude-2.1\n", "claude-2.1"),
        (r"a\tclaude-2.1", "claude-2.1"),
        (r"\u003dclaude-2.1", "claude-2.1"),
        ("a%2Fclaude-2.1", "claude-2.1"),
        ("${A:-claude-2.1}", "claude-2.1"),
        ("${A:-${B-claude-2.1}}", "claude-2.1"),
        ("claude-2.1", "claude-2.1"),
        ("jp.anthropic.claude-opus-5", "anthropic.claude-opus-5"),
        ("mantle/anthropic.claude-haiku-4-5", "anthropic.claude-haiku-4-5"),
        ("bedrock:anthropic.claude-v2:1:200k", "anthropic.claude-v2:1:200k"),
        ("/model/us.anthropic.claude-v2%3A1%3A18k/invoke", "anthropic.claude-v2%3A1%3A18k"),
        ("myanthropic.claude-opus-5", "claude-opus-5"),
        ("claude-sonnet-4-6@default", "claude-sonnet-4-6@default"),
        ("claude-opus-4@20250514", "claude-opus-4@20250514"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet-v2@20241022"),
    ],
)
def test_what_surrounds_a_name(text: str, name: str) -> None:
    """What ends a sentence, escapes, quotes, qualifies or versions a name is told from what makes another of it."""
    assert found(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "${A}-claude-2.1",
        "A:-claude-2.1",
        r"\claude-2.1x",
        "claude-2.1%402024",
        "claude-v2:1",
        "claude-3-opus-20240229-v1:0",
        "xanthropic.claude-v2",
        "anthropic.claude-v2:2",
        "anthropic.claude-v2%3A2",
        "anthropic.claude-3-5-sonnet-20241022-v1:0",
        "claude-3-5-sonnet@20241022",
        "claude-opus-4-1@default",
        "Claude-2.1",
        "",
    ],
)
def test_near_misses(text: str) -> None:
    """A name that nothing knows is none, however much of one it has."""
    assert found(text) == []


def test_the_verdict_follows_the_lifecycle_and_the_date() -> None:
    """Retired is what the lifecycle says, retiring what the date says, also where it is overdue."""
    entries: list[dict[str, Any]] = [
        {"id": "a-retired", "lifecycle": "retired", "retires_at": "2027-06-01T00:00:00Z"},
        {"id": "b-soon", "lifecycle": "active", "retires_at": "2027-01-21T00:00:00Z"},
        {"id": "c-later", "lifecycle": "deprecated", "retires_at": "2027-01-21T00:00:01Z"},
        {"id": "d-overdue", "lifecycle": "deprecated", "retires_at": "2026-01-01T00:00:00Z"},
        {"id": "e-undated", "lifecycle": "deprecated"},
        {"id": "f-fine", "lifecycle": "active", "retires_at": None},
        {"id": "g-unknown"},
    ]
    text = "\n".join(entry["id"] for entry in entries)
    audit = Audit(Catalogue.from_listing(entries), within="60d", now=NOW)
    verdicts = [finding.verdict.value for finding in audit.findings(text)]

    assert verdicts == ["retired", "retiring", "deprecated", "retiring", "deprecated", "ok", "ok"]
    assert [str(finding) for finding in audit.findings(text)][1:] == [
        "b-soon is due for retirement on 2027-01-21",
        "c-later is deprecated, due for retirement on 2027-01-21",
        "d-overdue was due for retirement on 2026-01-01, which has passed",
        "e-undated is deprecated",
        "f-fine is active",
        "g-unknown is of unknown lifecycle",
    ]


@pytest.mark.parametrize(
    ("within", "verdict"), [("0d", "deprecated"), ("1w", "deprecated"), ("8d", "retiring")]
)
def test_within_says_what_is_soon(within: str, verdict: str) -> None:
    """Eight days before its day a model is retiring where eight days are soon, and not where seven are."""
    finding = only("claude-sonnet-4-5", Audit(BUNDLED, within=within, now=NOW))

    assert finding.verdict is AuditVerdict(verdict)
    assert finding.verdict.is_failure is (verdict == "retiring")


@pytest.mark.parametrize("within", ["60", "60 days", "-1d", "", "9999999d", None])
def test_within_is_a_duration(within: Any) -> None:
    """Anything but a duration is refused with what was expected."""
    with pytest.raises(ConfigurationError, match="within must be a duration such as 14d or 2w"):
        Audit(BUNDLED, within=within)


def test_now_is_aware() -> None:
    """A moment without a zone is refused, and without a moment the present counts: what retired is not soon."""
    with pytest.raises(RequirementError, match="aware"):
        Audit(BUNDLED, now=datetime(2026, 11, 22))  # noqa: DTZ001 - that is refused
    assert only("claude-2.1", Audit(BUNDLED)).verdict is AuditVerdict.RETIRED


def test_what_a_finding_carries() -> None:
    """A finding has the place, the name, the model and what is known of it, and says so in one line."""
    finding = AUDIT.findings("\n model: us.anthropic.claude-3-opus-20240229-v1:0", "a.yaml")[0]

    assert finding == Finding(
        path="a.yaml",
        line=2,
        column=12,
        text="anthropic.claude-3-opus-20240229-v1:0",
        model_id="claude-3-opus-20240229",
        lifecycle="retired",
        retires_at=datetime(2026, 1, 5, tzinfo=UTC),
        replacement="claude-opus-4-8",
        on_partner=True,
        verdict=AuditVerdict.RETIRED,
    )
    assert str(finding) == (
        "anthropic.claude-3-opus-20240229-v1:0 (claude-3-opus-20240229) was retired on 2026-01-05; use claude-opus-4-8"
    )
    assert not only("claude-3-opus-20240229").on_partner


def test_a_live_listing_is_completed() -> None:
    """What the API lists no more, or says no lifecycle of, is known from the bundled catalogue; what it says counts."""
    listed = [
        {
            "id": "claude-opus-4-1-20250805",
            "lifecycle": "deprecated",
            "retires_at": "2030-01-01T00:00:00Z",
        },
        {"id": "claude-2.0"},
        {"id": "mine-1", "lifecycle": "retired"},
    ]
    live = Audit(Catalogue.from_listing(listed, source="live"), now=NOW)
    text = "claude-opus-4-1 claude-2.0 claude-2.1 mine-1 mine-12 mine-1@default"

    assert [(finding.text, finding.verdict.value) for finding in live.findings(text)] == [
        ("claude-opus-4-1", "deprecated"),
        ("claude-2.0", "retired"),
        ("claude-2.1", "retired"),
        ("mine-1", "retired"),
        ("mine-1@default", "retired"),
    ]


def test_a_listed_id_goes_before_another_s_alias() -> None:
    """An id of the catalogue is that model, though another one has it for an alias or a partner calls it so."""
    listed = [{"id": "claude-opus-4-1", "lifecycle": "active"}, {"id": "claude-opus-4-1@20250805"}]
    audit = Audit(Catalogue.from_listing(listed, documented=None), now=NOW)

    assert [
        finding.model_id for finding in audit.findings("claude-opus-4-1 claude-opus-4-1@20250805")
    ] == [
        "claude-opus-4-1",
        "claude-opus-4-1@20250805",
    ]


def test_the_longer_name_counts() -> None:
    """Where one id begins like another and goes on after a slash or a colon, what stands there is the longer one."""
    audit = Audit(
        Catalogue.from_listing([{"id": "mine"}, {"id": "mine/two"}, {"id": "mine:two"}]), now=NOW
    )

    assert found("mine/two mine:two mine/three mine", audit) == [
        "mine/two",
        "mine:two",
        "mine",
        "mine",
    ]


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ('m = "claude-2.1"  # router: ignore', False),
        ("m = 'claude-2.1' // router:ignore until March", False),
        ("<!-- router: ignore --> claude-2.1 claude-2.0", False),
        ("claude-2.1 # router: ignored", True),
        ("claude-2.1 # router", True),
    ],
)
def test_a_line_can_be_accepted(line: str, is_found: bool) -> None:
    """A comment accepts what its own line names, and neither the line before nor the one after."""
    texts = found(f"claude-1.3\n{line}\nclaude-1.3")

    assert texts[0] == texts[-1] == "claude-1.3"
    assert (len(texts) > 2) is is_found


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_and_columns(end: str) -> None:
    """Lines are counted from 1 whatever ends them, and columns in characters."""
    text = end.join(["", "é claude-2.1", "", "\tclaude-2.0 claude-2.1"])

    assert [(each.line, each.column) for each in AUDIT.findings(text)] == [(2, 3), (4, 2), (4, 13)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(encoding: str) -> None:
    """UTF-8 with and without a mark, UTF-16 with one, and what is neither are read, and a mark is no column."""
    (finding,) = AUDIT.findings("claude-2.1 é\n".encode(encoding))

    assert (finding.line, finding.column) == (1, 1)


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_16_of_both_orders(order: str) -> None:
    """UTF-16 is read by its mark, whichever byte comes first; what is cut in a character is read up to there."""
    text = "\ufeffmodel: claude-2.1\n".encode(f"utf-16-{order}")

    assert found(text) == found(text + b"\x00") == ["claude-2.1"]


def test_binary_files_name_nothing() -> None:
    """A zero byte at the beginning of a file says that it is no text; late ones do not."""
    assert found(b"\x7fELF\0 claude-2.1 ") == []
    assert found(b"claude-2.1 " + b" " * 8192 + b"\0") == ["claude-2.1"]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_break_it(before: bytes, after: bytes) -> None:
    """Whatever the bytes of a file are, it is read, and text around a name does not hide it."""
    findings = AUDIT.findings(before.replace(b"\0", b"") + b' "claude-2.1" ' + after)

    is_utf_16 = before.replace(b"\0", b"")[:2] in {b"\xff\xfe", b"\xfe\xff"}
    is_accepted = b"ignore" in before + after
    assert (
        is_utf_16
        or is_accepted
        or b"\0" in after
        or "claude-2.1" in [each.text for each in findings]
    )


def test_a_large_file_is_no_slower_than_its_size() -> None:
    """What begins like a name again and again takes no more than its size says: there is no backtracking."""
    texts = (
        "claude-",
        "claude-opus-4-",
        "${a",
        "%2Fclaude-2.1",
        "xclaude-2.1",
        "anthropic.claude-v2:",
    )
    for text in texts:
        small, large = (
            min(spent(text * (size // len(text))) for _ in range(3)) for size in (50_000, 400_000)
        )
        assert large < 24 * small + 0.02


def spent(text: str) -> float:
    """Return the seconds of a core that an audit of a text takes."""
    start = process_time()
    AUDIT.findings(text)
    return process_time() - start
