"""The audit of files: every name of a model and nothing else, what Git ignores, and what a commit hook is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locations import DATA
from terminal import environment, on_terminal, spawned

from router import Audit, AuditVerdict, Catalogue, ConfigurationError, Finding, RequirementError
from router.cli._commands import run
from router.cli._files import MAX_BYTES, File, Skipped, read_files

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
        [each.line, each.text, each.model, each.verdict.value] for each in findings
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

    assert (finding.text, finding.model) == (name, BUNDLED[name].id)
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
        "d-overdue is due for retirement on 2026-01-01",
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
        model="claude-3-opus-20240229",
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
        finding.model for finding in audit.findings("claude-opus-4-1 claude-opus-4-1@20250805")
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


def written(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below a directory, and return the directory."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        )
    return root


def read(*paths: str | Path) -> list[str]:
    """Return the paths of the files that are read."""
    return [each.path for each in read_files(map(str, paths)) if isinstance(each, File)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, which is the current one, without a credential."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_directory_is_walked_by_name(here: Path) -> None:
    """Files come in the order of names, with the path as given; what belongs to version control is left out."""
    written(
        here,
        {
            "b/c.py": "",
            "b/a.py": "",
            "a.py": "",
            ".env": "",
            ".git/config": "",
            "b/.hg/x": "",
            ".svn/x": "",
        },
    )

    assert read(".") == [".env", "a.py", "b/a.py", "b/c.py"]
    assert read("b") == ["b/a.py", "b/c.py"]
    assert read(here / "b") == [str(here / "b/a.py"), str(here / "b/c.py")]


def test_each_file_is_read_once(here: Path) -> None:
    """A file that two paths lead to is read once."""
    written(here, {"b/a.py": ""})

    assert read("b/a.py", ".", "b", here) == ["b/a.py"]


def test_links_are_not_followed(here: Path) -> None:
    """A link is not followed from a directory, not even in circles; one that is given is."""
    written(here, {"a/a.py": "claude-2.1"})
    (here / "a/circle").symlink_to(here)
    (here / "a/link.py").symlink_to(here / "a/a.py")
    (here / "a/dangling.py").symlink_to("nowhere")

    assert read(".") == ["a/a.py"]
    assert read("a/link.py") == ["a/link.py"]


def test_a_deep_directory(here: Path) -> None:
    """A directory in a directory in a directory, deeper than calls may nest, is walked to its end."""
    paths = ["a/" * depth for depth in range(1, 1200)]
    for path in paths:
        (here / path).mkdir()
    last = here / paths[-1] / "b.py"
    last.touch()
    found_there = read(".")
    last.unlink()
    for path in reversed(paths):  # since those who clean up after tests do nest calls
        (here / path).rmdir()

    assert found_there == [f"{paths[-1]}b.py"]


def test_what_is_no_file_is_not_opened(here: Path) -> None:
    """A pipe in a directory, which would never end, is not opened."""
    os.mkfifo(here / "pipe")

    assert read(".") == []


def test_large_files_are_told_of(here: Path) -> None:
    """A text above the limit is not read but told of, and no failure; one at the limit is read, a binary one is not."""
    written(
        here,
        {
            "at.json": b"x" * MAX_BYTES,
            "above.json": b"x" * (MAX_BYTES + 1),
            "b.so": bytes(MAX_BYTES + 1),
        },
    )

    assert list(read_files(["above.json"])) == [
        Skipped("above.json", "larger than 5 MB", is_failure=False)
    ]
    assert read(".") == ["at.json", "b.so"]
    assert [len(each.content) for each in read_files(".") if isinstance(each, File)] == [
        MAX_BYTES,
        8192,
    ]


RULES: Final[list[dict[str, str]]] = [
    {".gitignore": "*.log\nbuild/\n/only-here.py\n!keep.log\ndocs/*.txt\n"},
    {".gitignore": "a/**/z.py\n**/cache\nlogs/**\n!logs/keep.py\n"},
    {".gitignore": "*\n!*/\n!*.py\n"},
    {".gitignore": "/*\n!/src\n/src/*\n!/src/deep/\n"},
    {
        ".gitignore": "# no rule\n\\#file\n\\!file\n\nspace\\ \ntrailing   \n[ab].py\nc?.py\n[!x]y.txt\n"
    },
    {".gitignore": "*.py\n", "src/.gitignore": "!a.py\n", "src/deep/.gitignore": "a.py\n"},
    {".gitignore": "src\n!src/a.py\n"},
    {".gitignore": "src/*\r\n!src/a.py\r\n"},
    {".gitignore": "\ufeffa.py\n"},
    {".gitignore": "a.py\rb.py\ntrailing\t\n*.log \nspace\\  \nsrc/ \nb\\\\ \n"},
    {".gitignore": "foo/**/\ndeep\n!/src/deep\n**/a.py\n/**\n!/**/\n!*.txt\n"},
    {".gitignore": "!\n/\n[\n***\n"},
    {"src/.gitignore": "*\n", "a/.gitignore": "**\n!.gitignore\n", "docs/.gitignore": "!*\n"},
]
TREE: Final = [
    *(
        "a.py",
        "b.py",
        "cc.py",
        "keep.log",
        "x.log",
        "only-here.py",
        "#file",
        "!file",
        "space ",
        "trailing",
        "ay.txt",
    ),
    *(
        "src/a.py",
        "src/x.log",
        "src/only-here.py",
        "src/deep/a.py",
        "src/deep/b.txt",
        "build/a.py",
        "src/build/b.py",
    ),
    *(
        "docs/a.txt",
        "docs/deep/a.txt",
        "a/z.py",
        "a/b/z.py",
        "a/b/c/z.py",
        "a/cache/f.py",
        "cache",
        "foo/bar/a.py",
    ),
    *("logs/keep.py", "logs/other.py", "logs/deep/keep.py", "foo/a.py", "src/trailing/a.py"),
]


def not_ignored(root: Path) -> set[str]:
    """Return what Git itself leaves of the files below a directory."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git")
    quiet = {**environment(), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    listing = [
        git,
        "-c",
        "core.quotePath=false",
        "ls-files",
        "-z",
        "--others",
        "--exclude-standard",
    ]
    for command in ([git, "init", "-q"], listing):
        ran = subprocess.run(command, cwd=root, env=quiet, capture_output=True, check=True)  # noqa: S603 - our own
    return {os.fsdecode(name) for name in ran.stdout.split(b"\0") if name}


@pytest.mark.parametrize("rules", RULES, ids=range(len(RULES)))
def test_ignored_as_git_ignores(here: Path, rules: dict[str, str]) -> None:
    """Of a tree that .gitignore files speak of, the files are read that Git itself does not ignore."""
    written(here, {**dict.fromkeys(TREE, ""), **rules})

    assert set(read(".")) == not_ignored(here)


SEGMENTS: Final = st.sampled_from(
    ["a", "b", "*", "?", "**", "a*", "*b", "[ab]", "[!a]", "a.b", "*.b", "\\a"]
)
PATTERNS: Final = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "", "/", " ", "\t"]),
)


@settings(max_examples=40)
@given(
    rules=st.dictionaries(
        st.sampled_from(["", "a/", "b/a/"]),
        st.lists(PATTERNS, min_size=1, max_size=5),
        min_size=1,
        max_size=3,
    )
)
def test_any_rules_are_those_of_git(
    rules: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever rules a tree has, at whatever depth, the files are read that Git itself does not ignore."""
    root = tmp_path_factory.mktemp("tree")
    tree = [
        f"{above}{name}"
        for above in ("", "a/", "b/", "a/a/", "b/a/", "b/a.b/")
        for name in ("x", "ab", "f.b")
    ]
    written(root, dict.fromkeys(tree, ""))
    written(root, {f"{above}.gitignore": "\n".join(lines) for above, lines in rules.items()})

    assert {os.path.relpath(path, root) for path in read(root)} == not_ignored(root)


def test_rules_above_a_directory_count(here: Path) -> None:
    """What the repository's own .gitignore says of a directory below counts there, and none beyond the repository's."""
    written(
        here,
        {".gitignore": "*.py", "repository/.gitignore": "/src/*.log\n", "repository/.git/HEAD": ""},
    )
    written(here / "repository", {"src/a.log": "", "src/a.py": "", "a.log": ""})

    assert read("repository/src") == ["repository/src/a.py"]


def test_what_is_given_is_read_though_it_is_ignored(here: Path) -> None:
    """A file or directory that is named is read, whatever ignores it; the rules inside of the directory still count."""
    written(
        here,
        {
            ".git/HEAD": "",
            ".gitignore": "build/\n*.log\n",
            "build/a.py": "",
            "build/b.log": "",
            "x.log": "",
        },
    )
    written(here, {"build/.gitignore": "c.py\n", "build/c.py": ""})

    assert read("x.log", "build") == ["x.log", "build/.gitignore", "build/a.py", "build/b.log"]
    assert "build/a.py" not in read(".")


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], list[str]]:
    """Run the command, and return its status and the lines of its outputs."""
    status = run(["audit", *arguments])
    out, err = capsys.readouterr()
    return status, out.splitlines(), err.splitlines()


def test_the_command_finds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a path the current directory is audited: a line for what is not fine, and a summary on standard error."""
    written(
        here,
        {
            "app.py": 'a = "claude-opus-5"\nb = "claude-3-opus-20240229"\n',
            "b.yaml": "m: claude-mythos-preview",
        },
    )

    assert listed(capsys) == (
        1,
        [
            "app.py:2:6: claude-3-opus-20240229 was retired on 2026-01-05; use claude-opus-4-8",
            "b.yaml:1:4: claude-mythos-preview is deprecated; use claude-mythos-5",
        ],
        ["router: 2 files, 3 model ids: 1 retired, 1 deprecated, 1 ok"],
    )
    assert listed(capsys, "--all")[1][0] == "app.py:1:6: claude-opus-5 is active"
    assert listed(capsys, "b.yaml")[0] == 0


def test_nothing_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is wrong nothing is printed, the status is 0, and standard error says what was looked at."""
    written(here, {"app.py": "m = 'claude-opus-5'"})

    assert listed(capsys) == (0, [], ["router: 1 file, 1 model id: 1 ok"])
    assert listed(capsys, "app.py", "--source", "bundled") == (
        0,
        [],
        ["router: 1 file, 1 model id: 1 ok"],
    )


def test_dates_of_partners_are_theirs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a name on Bedrock or Google Cloud it is said once whose the dates are; of others it is not."""
    written(
        here,
        {
            "a.txt": "anthropic.claude-v2:1 claude-3-opus@20240229",
            "b.txt": "claude-2.1 claude-opus-5@default",
        },
    )

    assert [line for line in listed(capsys)[2] if "dates" in line] == [
        "router: the dates are Anthropic's own; Amazon Bedrock and Google Cloud set theirs"
    ]
    assert len(listed(capsys, "b.txt")[2]) == 1


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json gives every finding, fine or not, how many files were read, what was not, and which catalogue knew it."""
    written(here, {"a.py": "claude-opus-5 claude-opus-4-0", "big.json": b"x" * (MAX_BYTES + 1)})
    status = run(["audit", "--json", "."])
    out, err = capsys.readouterr()
    answer = json.loads(out)

    assert (status, err) == (1, "router: big.json: larger than 5 MB\n")
    assert answer["findings"][1] == {
        "path": "a.py",
        "line": 1,
        "column": 15,
        "text": "claude-opus-4-0",
        "model": "claude-opus-4-20250514",
        "lifecycle": "retired",
        "retires_at": "2026-06-15T00:00:00Z",
        "replacement": "claude-opus-4-8",
        "on_partner": False,
        "verdict": "retired",
    }
    assert [each["verdict"] for each in answer["findings"]] == ["ok", "retired"]
    assert answer["files"] == 1
    assert answer["skipped"] == [{"path": "big.json", "why": "larger than 5 MB"}]
    assert answer["catalogue"]["source"] == "bundled"


@pytest.mark.parametrize("also", [[], ["--json"]])
def test_what_cannot_be_read_is_no_pass(
    here: Path, capsys: pytest.CaptureFixture[str], also: list[str]
) -> None:
    """A path that is not there, or cannot be read, is told of and ends in status 2, after all else was audited."""
    written(here, {"a.py": "claude-2.1"})
    status = run(["audit", *also, "nowhere.py", "a.py", "zero\0.py"])
    out, err = capsys.readouterr()

    assert status == 2
    assert "claude-2.1" in out
    assert "router: nowhere.py: No such file or directory\n" in err
    assert "router: zero\\x00.py: embedded null byte\n" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_what_may_not_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that may not be listed is told of."""
    (here / "locked").mkdir(mode=0)

    assert listed(capsys) == (
        2,
        [],
        ["router: locked: Permission denied", "router: 0 files, 0 model ids"],
    )


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--within", "soon"], 2, "--within must be a duration such as 14d or 2w"),
        (["--source", "nowhere.json"], 3, "nowhere.json"),
        (["--lifecycle", "active"], 2, "--lifecycle"),
        (["--bogus"], 2, "No such option"),
    ],
)
def test_bad_usage(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    """Bad usage ends in status 2, a catalogue that cannot be had in 3, each with one message and no answer."""
    written(here, {"a.py": "claude-2.1"})
    got, out, err = listed(capsys, *arguments)

    assert (got, out) == (status, [])
    assert message in "\n".join(err)


def test_a_hostile_catalogue(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a catalogue says is escaped, and aliases that are no ids, an empty one among them, are no names."""
    entry = {
        "id": "mine",
        "lifecycle": "retired",
        "replacement": "\x1b[2J",
        "aliases": ["", "\n", "a b", "yours"],
    }
    entries = [entry, {"id": "anthropic."}]
    written(
        here,
        {"a.txt": "mine a b yours", "own.json": json.dumps({"data": entries, "has_more": False})},
    )

    assert listed(capsys, "a.txt", "--source", "own.json")[:2] == (
        1,
        [
            r"a.txt:1:1: mine is retired; use \x1b[2J",
            r"a.txt:1:10: yours (mine) is retired; use \x1b[2J",
        ],
    )


def test_colours_on_a_terminal(here: Path) -> None:
    """On a terminal what is retired is red, and nothing is coloured with --no-color."""
    written(here, {"a.txt": "claude-2.1"})

    assert "\x1b[31mclaude-2.1 was retired" in on_terminal(run, "audit").out
    assert "\x1b" not in on_terminal(run, "audit", "--no-color").out


def test_a_hostile_name_is_escaped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name of a file that a terminal could act on, or that is no text, is printed as escapes."""
    written(here, {"a\x1b[31m\n.py": "claude-2.1", "b\udcff.py": "claude-2.1"})
    status, out, _ = listed(capsys)

    assert status == 1
    assert [line.partition(":")[0] for line in out] == [r"a\x1b[31m\n.py", r"b\udcff.py"]
    assert run(["audit", "--json", "nowhere\x1b"]) == 2
    assert "\x1b" not in "".join(capsys.readouterr())


def test_the_command_needs_no_network(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key the bundled catalogue answers, and no socket is made."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(arguments, options)

    monkeypatch.setattr(socket, "socket", refuse)
    written(here, {"a.py": "claude-2.1"})

    assert listed(capsys)[0] == 1


def test_an_extra_that_is_missing() -> None:
    """Without pathspec the command says what to install."""
    code = "import sys; sys.modules['pathspec'] = None; from router.cli import main; sys.argv[0] = 'router'; main()"
    ran = spawned("audit", code=code)

    assert (ran.status, ran.out) == (2, "")
    assert "pip install 'capability-router[cli]'" in ran.err


def repository(root: Path, files: int) -> Path:
    """Write a repository of so many files of 4 kB, one in ten of which speaks of models."""
    plain = ("def function(argument):\n    return [argument, 'some text', 1234]\n\n" * 60)[:4000]
    for at in range(files):
        directory = root / f"package{at // 100}"
        directory.mkdir(exist_ok=True)
        named = f'MODEL = "claude-opus-5"\nOLD = "claude-2.1-{at}"\n' if at % 10 == 0 else ""
        (directory / f"module{at}.py").write_text(plain + named, encoding="utf-8")
    rules = "".join(f"*.ignored{at}\n/build{at}/\n" for at in range(50))
    written(root, {".gitignore": rules, ".git/HEAD": "", "package0/last.py": "claude-2.1"})
    return root


def test_fast_enough_for_a_commit(tmp_path: Path) -> None:
    """Eight times as many files, under a .gitignore of a hundred rules, take at most eight times as long."""
    small, large = (audited(tmp_path / str(files), files) for files in (500, 4_000))

    assert large < 8 * small


def audited(root: Path, files: int) -> float:
    """Return the seconds of a core that `router audit` takes for a repository of so many files, its start included."""
    root.mkdir()
    repository(root, files)
    before = os.times()
    ran = spawned("audit", str(root))
    after = os.times()

    assert (
        ran.out
        == f"{root}/package0/last.py:1:1: claude-2.1 was retired on 2025-07-21; use claude-opus-4-8\n"
    )
    assert f"{files + 2} files" in ran.err.replace(",", "")
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
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
