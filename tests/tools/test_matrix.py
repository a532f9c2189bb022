"""The matrix: its columns and rows, as a picture on a terminal, in a pipe, as JSON, and as a page that is only data."""

from __future__ import annotations

import json
import os
import re
import stat
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from devices import device
from matrix_listings import HOSTILE, LISTING, MARKS
from terminal import Ran, environment, on_terminal, spawned, spawned_on_terminal

from router import Catalogue, Model, RequirementError, UnknownNameError
from router.cli._commands import run
from router.cli._page import page
from router.models._vocabulary import CAPABILITIES
from router.requirements._parser import parse
from router.tools._matrix import Matrix, matrix

Command = Callable[..., Ran]

STYLED: Final = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test the environment of a plain terminal."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command in this process, its outputs piped."""

    def ran(*arguments: str) -> Ran:
        status = run(["matrix", *arguments])
        return Ran(status, *capsys.readouterr())

    return ran


def saved(where: Path, entries: object) -> str:
    """Save a listing in the API's shape, and return its path."""
    path = where / "listing.json"
    path.write_text(json.dumps({"data": entries, "has_more": False}), encoding="utf-8")
    return str(path)


@pytest.fixture
def listing(tmp_path: Path) -> str:
    """Return the path of a saved listing."""
    return saved(tmp_path, LISTING)


# Columns and rows


def test_every_capability_has_one_column() -> None:
    """What the vocabulary or the catalogue names has a column, also a name that came today, and of nobody known."""
    shown = matrix(Catalogue.from_listing(LISTING))

    assert {*shown.capabilities} == CAPABILITIES | {"holograms", "holograms.moving"}
    assert len({*shown.capabilities}) == len(shown.capabilities)


def test_the_marks_are_what_each_model_is_known_to_support() -> None:
    """A value a column, the same that `Model.support` gives."""
    shown = matrix(Catalogue.bundled())

    assert shown.models == Catalogue.bundled().models
    for model in shown.models:
        assert shown.supports(model) == tuple(model.support(name) for name in shown.capabilities)
    assert {support for model in shown.models for support in shown.supports(model)} == {
        True,
        False,
        None,
    }


def test_families_stand_together_and_levels_in_their_order() -> None:
    """A family begins with itself; its levels go from the lowest on, and what is no level comes after them by name."""
    levels = {
        key: {"supported": True} for key in ["xhigh", "low", "beyond", "max", "high", "medium"]
    }
    shown = matrix(
        Catalogue.from_listing([{"id": "m", "capabilities": {"effort": levels, "effort2": {}}}])
    )

    efforts = next(family for family in shown.families if family[0] == "effort")
    assert efforts == tuple(
        f"effort{level}" for level in ["", ".low", ".medium", ".high", ".xhigh", ".max", ".beyond"]
    )
    assert [family[0].partition(".")[0] for family in shown.families] == sorted(
        {name.partition(".")[0] for name in shown.capabilities}
    )
    assert [name for family in shown.families for name in family] == [*shown.capabilities]


@pytest.mark.parametrize(
    ("only", "columns"),
    [
        (["compaction"], ["compaction", "compaction.summarize"]),
        (["pdf_input", "compaction.summarize"], ["compaction.summarize", "pdf_input"]),
        (["thinking.types.adaptive"], ["thinking.adaptive"]),
        (["holograms"], ["holograms", "holograms.moving"]),
        (["compaction", "compaction"], ["compaction", "compaction.summarize"]),
    ],
)
def test_only_what_is_asked_for(only: list[str], columns: list[str]) -> None:
    """A path leaves the capability and those below it, in the long spelling as well."""
    assert [*matrix(Catalogue.from_listing(LISTING), only=only).capabilities] == columns


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("efort", UnknownNameError, "did you mean effort"),
        ("eff", UnknownNameError, "unknown name 'eff'"),
        ("", UnknownNameError, "unknown name"),
        ("line", RequirementError, "a field"),
    ],
)
def test_a_path_that_means_nothing_is_an_error(
    path: str, error: type[Exception], said: str
) -> None:
    """A column that is asked for and not there would look like an answer."""
    with pytest.raises(error, match=said):
        matrix(Catalogue.from_listing(LISTING), only=[path])


# On a terminal


def seen(out: str) -> dict[tuple[str, str], str]:
    """Read the picture as a person does: the mark of each model below the place where a name begins."""
    marks = {}
    for block in STYLED.sub("", out).split("\n\n")[:-1]:
        names: dict[int, str] = {}
        offset = 0
        for line in block.splitlines():
            head = re.match(r"(?:│ +)*(╭ )?", line)
            assert head
            if head[1]:
                offset = head.end() - 2
                names[offset] = line[head.end() :]
            elif head[0]:
                names[offset] += line[head.end() :]
            elif line[0] != " ":
                id = line[max(names) + 3 :].split()[0]
                marks.update({(id, name): line[at] for at, name in names.items()})
    return marks


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
def test_the_picture_says_what_the_catalogue_says(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """At any width each model has its mark for each capability once, and no line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    catalogue = Catalogue.bundled()
    ran = on_terminal(run, "matrix", "--where", "line in (opus, haiku)")

    models = catalogue.where("line in (opus, haiku)")
    names = matrix(catalogue).capabilities
    assert seen(ran.out) == {
        (model.id, name): MARKS[model.support(name)] for model in models for name in names
    }
    assert max(len(line) for line in STYLED.sub("", ran.out).splitlines()) <= columns
    assert STYLED.sub("", ran.out).endswith("\n✓ supported  ✗ unsupported  ? unknown\n")


def test_a_wide_terminal_has_one_block_and_a_narrow_one_folds() -> None:
    """The models are repeated only where the columns do not fit beside each other."""
    blocks = {
        columns: spawned_on_terminal("matrix", columns=columns).out.count("claude-opus-5-5")
        for columns in (80, 200)
    }

    assert blocks[200] == 1 < blocks[80]


def test_a_family_stays_together_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block ends before a family that would be cut in two, unless no block could hold it."""
    begun = {}
    for columns in (28, 50, 64):
        monkeypatch.setenv("COLUMNS", str(columns))
        out = on_terminal(
            run,
            "matrix",
            "--only",
            "effort",
            "--only",
            "thinking",
            "--where",
            "line == sonnet",
            "--no-color",
        ).out
        begun[columns] = [re.findall(r"╭ (\S+)\n", block)[0] for block in out.split("\n\n")[:-1]]

    assert begun == {
        28: ["effort", "effort.xhigh", "thinking.adaptive"],
        50: ["effort", "thinking"],
        64: ["effort"],
    }


def test_stages_are_marked(listing: str) -> None:
    """What is retired, or of limited access, says so beside its id."""
    out = STYLED.sub("", on_terminal(run, "matrix", "--only", "pdf_input", "--source", listing).out)

    assert out == (
        "╭ pdf_input\n✓  claude-new  limited\n?  claude-old  retired\n\n✓ supported  ✗ unsupported  ? unknown\n"
    )


def test_each_mark_has_a_colour_of_its_own(listing: str) -> None:
    """Colour helps whoever sees it; the marks differ without."""
    out = on_terminal(run, "matrix", "--only", "effort", "--source", listing).out

    assert {"\x1b[32m✓\x1b[0m", "\x1b[31m✗\x1b[0m", "\x1b[33m?\x1b[0m"} <= {
        *re.findall(r"\x1b\[3\dm.\x1b\[0m", out)
    }


def test_an_id_longer_than_the_terminal_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is folded, and every character of it is there in each block."""
    monkeypatch.setenv("COLUMNS", "50")
    path = saved(tmp_path, [{"id": "q" * 256, "lifecycle": "retired"}])
    out = on_terminal(run, "matrix", "--source", path, "--only", "effort").out

    assert out.count("q") == 256
    assert max(len(line) for line in STYLED.sub("", out).splitlines()) <= 50


def test_a_terminal_without_unicode_has_plain_marks(listing: str) -> None:
    """Where the output cannot encode them, other marks and leaders say the same."""
    environ = environment(PYTHONIOENCODING="ascii")
    out = spawned_on_terminal(
        "matrix",
        "--only",
        "effort.max",
        "--only",
        "pdf_input",
        "--source",
        listing,
        "--no-color",
        environ=environ,
    ).out

    assert out.splitlines()[:4] == [
        ", effort.max",
        "| , pdf_input",
        "- +  claude-new  limited",
        "? ?  claude-old  retired",
    ]


def test_an_empty_catalogue_has_a_picture(tmp_path: Path) -> None:
    """Names without models, on a terminal and in a pipe."""
    path = saved(tmp_path, [])

    assert on_terminal(
        run, "matrix", "--source", path, "--only", "pdf_input", "--no-color"
    ).out.startswith("╭ pdf_input\n\n")
    assert (
        spawned("matrix", "--source", path, "--only", "pdf_input").out
        == "id  pdf_input  lifecycle\n"
    )


# In a pipe, and for programs


def test_a_pipe_has_one_line_a_model(command: Command, listing: str) -> None:
    """Whole names above, and what may be empty or has spaces last: a column is a field of awk."""
    assert command(
        "--only", "effort.max", "--only", "holograms", "--only", "pdf_input", "--source", listing
    ) == Ran(
        0,
        "id          effort.max  holograms  holograms.moving  pdf_input  lifecycle\n"
        "claude-new  ✗           ?          ?                 ✓          active, limited\n"
        "claude-old  ?           ✓          ?                 ?          retired\n",
        "",
    )


def test_where_filters_the_models(command: Command, listing: str) -> None:
    """As `router models --where` does, without default filters."""
    out = command("--where", "lifecycle == retired", "--only", "pdf_input", "--source", listing).out

    assert [line.split()[0] for line in out.splitlines()] == ["id", "claude-old"]


def test_json_keeps_unknown_apart(command: Command, listing: str) -> None:
    """True, false and null are the three values; a program need not read marks."""
    status, out, err = command(
        "--only", "effort.max", "--only", "pdf_input", "--source", listing, "--json"
    )
    answer = json.loads(out)

    assert (status, err) == (0, "")
    assert answer["capabilities"] == ["effort.max", "pdf_input"]
    assert answer["models"] == [
        {
            "id": "claude-new",
            "lifecycle": "active",
            "access": "limited",
            "support": {"effort.max": False, "pdf_input": True},
        },
        {
            "id": "claude-old",
            "lifecycle": "retired",
            "access": None,
            "support": {"effort.max": None, "pdf_input": None},
        },
    ]
    assert answer["catalogue"]["models"] == 2


@pytest.mark.parametrize("arguments", [["--where", "pdf_imput"], ["--only", "pdf_imput"]])
def test_a_typo_is_bad_usage(command: Command, arguments: list[str]) -> None:
    """It is told with the name that was meant."""
    ran = command(*arguments)

    assert (ran.status, ran.out) == (2, "")
    assert "did you mean pdf_input?" in ran.err


# The page


class Read(HTMLParser):
    """What a parser of HTML sees: the elements, whether each is closed in turn, and the text of blocks."""

    VOID: Final = frozenset({"meta", "link", "input", "br", "wbr", "img", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: dict[str, str] = {}
        """The text of each style and script, by its id or name."""
        self.comments: list[str] = []
        self.strays: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        self.strays += [name for name, _ in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            self.strays.append(tag)
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] in {"script", "style"}:
            tag, attributes = self._open[-1]
            name = attributes.get("id") or tag
            self.blocks[name] = self.blocks.get(name, "") + data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def policy(self) -> str:
        (policy,) = [
            a["content"]
            for _, a in self.elements
            if a.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy
        return policy


def page_of(entries: list[dict[str, Any]]) -> str:
    """Return the page of a catalogue of these entries."""
    catalogue = Catalogue.from_listing(entries)
    return page(catalogue, matrix(catalogue))


def data_of(text: str) -> dict[str, Any]:
    """Return the data that a page carries."""
    data: dict[str, Any] = json.loads(Read(text).blocks["data"])
    return data


@pytest.mark.parametrize("entries", [[], LISTING, HOSTILE], ids=["empty", "plain", "hostile"])
def test_the_page_is_well_formed(entries: list[dict[str, Any]]) -> None:
    """Whatever the catalogue holds, the elements are the template's own, each closed in its turn, and all is ASCII."""
    read = Read(page_of(entries))

    assert read.strays == []
    assert read.comments == []
    assert read.elements[2:] == Read(page_of([])).elements[2:]
    assert page_of(entries).isascii()
    assert [model["id"] for model in data_of(page_of(entries))["models"]] == [
        model.id for model in Catalogue.from_listing(entries)
    ]


def test_without_escapes_a_hostile_catalogue_would_be_markup() -> None:
    """The twin that must fail: the same data as plain JSON ends its block, and brings elements of its own."""
    unescaped = page_of(HOSTILE).replace(r"\u003c", "<").replace(r"\u003e", ">")

    assert len(Read(unescaped).elements) > len(Read(page_of([])).elements)


def test_the_page_asks_nothing_of_the_network() -> None:
    """Its policy allows but its own blocks, by their hashes, and nothing in it names another place."""
    text = page_of(HOSTILE)
    read = Read(text)
    hashes = {
        name: f"'sha256-{b64encode(sha256(read.blocks[name].encode()).digest()).decode()}'"
        for name in ("style", "script")
    }

    assert read.policy == (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; "
        "base-uri 'none'; form-action 'none'"
    )
    assert [a for _, a in read.elements if {"src", "srcset", "action", "style"} & a.keys()] == []
    ids = {f"#{a['id']}" for _, a in read.elements if "id" in a}
    assert {a["href"] for _, a in read.elements if "href" in a} <= ids
    assert not re.search(r"url\(|@import|https?:", read.blocks["style"] + read.blocks["script"])
    assert not any(name.startswith("on") for _, a in read.elements for name in a)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(",
        read.blocks["script"],
    )


def test_what_a_person_reads_has_no_tricks() -> None:
    """Characters that turn or hide text stand in the page as escapes."""
    data = data_of(page_of(HOSTILE))
    shown = [model[key] for model in data["models"] for key in ("id", "name", "caution")]
    shown += [capability["name"] for capability in data["capabilities"]] + [
        line["shown"] for line in data["lines"]
    ]

    assert all(text.isprintable() for text in shown)
    assert any(r"\u202e" in text for text in shown)


def test_the_page_names_its_catalogue() -> None:
    """Its source, date, digest and size."""
    catalogue = Catalogue.bundled()
    data = data_of(page(catalogue, matrix(catalogue)))

    assert data["catalogue"] == {
        "source": "bundled",
        "as_of": catalogue.as_of.isoformat().replace("+00:00", "Z") if catalogue.as_of else None,
        "digest": catalogue.digest,
        "models": len(catalogue),
    }


def test_what_no_requirement_can_name_has_no_tick() -> None:
    """A name with a blank, a keyword and a field are shown; all others are ticked with the term that names them."""
    named = {
        each["name"]: (each["term"], each["negated"])
        for each in data_of(page_of(HOSTILE))["capabilities"]
    }

    assert {name for name, (term, _) in named.items() if term is None} == {
        *(
            "<b>bold</b>",
            "--><!--",
            "a b",
            "and",
            "true",
            "not x",
            "line",
            "",
            ".",
            r"x\n",
            "モデル",
            "--",
            "{{script}}",
        )
    }
    for name, (term, negated) in named.items():
        assert (term is None) is (negated is None)
        if term is not None:
            assert (term, negated) == (name, f"not {name}")
            assert parse(term).capabilities == {name}


@pytest.mark.parametrize("entries", [LISTING, HOSTILE], ids=["plain", "hostile"])
def test_a_slider_compares_as_the_language_does(entries: list[dict[str, Any]]) -> None:
    """Ranks tell of each model and each step what its term says, also where a script's numbers are too short."""
    catalogue = Catalogue.from_listing(entries)
    data = data_of(page(catalogue, matrix(catalogue)))
    checked = 0
    for each, bound in enumerate(data["bounds"]):
        for step in bound["steps"]:
            term = parse(step["term"])
            assert term.text == step["term"]
            for model, row in zip(catalogue, data["models"], strict=True):
                rank = row["bounds"][each]
                at_least = None if rank is None else rank >= step["rank"]
                at_most = None if rank is None else rank <= step["rank"]
                assert term.support(model) is (at_least if bound["op"] == ">=" else at_most)
                checked += 1
    assert checked


def test_a_value_without_a_spelling_is_no_step() -> None:
    """A limit of forty digits is known of its model, and no slider can be set to it."""
    data = data_of(page_of(HOSTILE))
    limits = {
        bound["field"]: [step["shown"] for step in bound["steps"]] for bound in data["bounds"]
    }

    assert limits == {
        "max_input_tokens": [str(2**53), str(2**53 + 1)],
        "max_tokens": ["1"],
        "price.output": ["0", "0.1"],
    }
    assert [model["bounds"][1] for model in data["models"]] == [1, None, 0, None]


@pytest.mark.parametrize("source", ["static", "live"])
def test_the_default_filters_are_those_of_the_catalogue(source: str) -> None:
    """Which of them admits a model is worked out here; what lifts one is met by all, and speaks of its field."""
    catalogue = Catalogue([*Catalogue.bundled(), *Catalogue.from_listing(HOSTILE)], source=source)
    data = data_of(page(catalogue, matrix(catalogue)))

    assert [each["field"] for each in data["default_filters"]] == [
        "lifecycle",
        "access",
    ][: 1 if source == "live" else 2]
    for at in range(len(data["default_filters"])):
        admitted = [model["id"] for model in data["models"] if model["admitted"][at] == "1"]
        others = (
            " and ".join(
                each["lifted"] for n, each in enumerate(data["default_filters"]) if n != at
            )
            or "true"
        )
        assert admitted == [model.id for model in catalogue.candidates(others)]
        assert 0 < len(admitted) < len(catalogue)
    assert (
        catalogue.candidates(" and ".join(each["lifted"] for each in data["default_filters"]))
        == catalogue.models
    )


# The file of the page


def test_the_page_is_written_and_told(command: Command, listing: str, tmp_path: Path) -> None:
    """The file is the page, nothing else is left beside it, and standard output stays empty."""
    path = tmp_path / "out" / "matrix.html"
    path.parent.mkdir()
    path.write_text("what was there", encoding="utf-8")
    ran = command("--html", str(path), "--source", listing)

    assert ran == Ran(0, "", f"wrote {path}\n")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert [model["id"] for model in data_of(path.read_text("ascii"))["models"]] == [
        "claude-new",
        "claude-old",
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask()


def umask() -> int:
    """Return what this process takes from the permissions of a new file."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_a_dash_is_standard_output(command: Command, listing: str) -> None:
    """The page itself and nothing else, in ASCII."""
    status, out, err = command("--html", "-", "--source", listing, "--only", "effort")

    assert (status, err) == (0, "")
    assert out.startswith("<!doctype html>")
    assert {each["family"] for each in data_of(out)["capabilities"]} == {"effort"}


def test_a_link_is_followed(command: Command, listing: str, tmp_path: Path) -> None:
    """What the link names is replaced, and the link stays one."""
    (tmp_path / "link.html").symlink_to(tmp_path / "real.html")
    command("--html", str(tmp_path / "link.html"), "--source", listing)

    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_text("ascii").startswith("<!doctype html>")


def test_a_pipe_is_written_to_and_not_replaced(
    command: Command, listing: str, tmp_path: Path
) -> None:
    """A device is no file whose place another one could take."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = Thread(target=lambda: read.append(pipe.read_text("ascii")), daemon=True)
    reader.start()
    ran = command("--html", str(pipe), "--source", listing)
    reader.join(30)

    assert ran.status == 0
    assert read[0].endswith("</html>\n")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "is a directory: name a file in it"),
        ("nowhere/m.html", "cannot be written: No such file"),
    ],
)
def test_what_is_no_file_is_refused(
    command: Command, listing: str, tmp_path: Path, name: str, said: str
) -> None:
    """Bad usage, told with the path, and nothing is left behind."""
    before = sorted(tmp_path.iterdir())
    ran = command("--html", str(tmp_path / name), "--source", listing)

    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, listing: str) -> None:
    """On a disk that takes no more the old page stays whole, and the status says so."""
    path = tmp_path / "matrix.html"
    path.write_text("what was there", encoding="utf-8")
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); from router.cli import main; main()"
    )
    ran = spawned("matrix", "--html", str(path), "--source", listing, code=limited)

    assert ran.status == 74
    assert path.read_text("utf-8") == "what was there"
    assert {each.name for each in tmp_path.iterdir()} == {"matrix.html", "listing.json"}


def test_a_device_that_is_full_is_told(command: Command, listing: str, tmp_path: Path) -> None:
    """What cannot be written is an error, and the device stays what it is."""
    full = device(tmp_path / "full", "full")

    ran = command("--html", str(full), "--source", listing)

    assert (ran.status, ran.out) == (74, "")
    assert "No space left" in ran.err
    assert full.is_char_device()


@pytest.mark.parametrize("also", [["--where", "pdf_input"], ["--json"]])
def test_a_page_has_every_model(command: Command, tmp_path: Path, also: list[str]) -> None:
    """A page of fewer models would pick another one than Python does."""
    ran = command("--html", str(tmp_path / "m.html"), *also)

    assert (ran.status, ran.out) == (2, "")
    assert "neither --where nor --json" in ran.err
    assert not (tmp_path / "m.html").exists()


def test_a_matrix_is_a_value() -> None:
    """Two of the same models and columns are equal."""
    model = Model.from_api({"id": "m", "capabilities": {"pdf_input": {"supported": True}}})

    assert Matrix((model,), ("pdf_input",)) == Matrix((model,), ("pdf_input",))
    assert Matrix((model,), ("pdf_input",)).supports(model) == (True,)
