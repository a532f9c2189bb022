"""The files of an audit: each once, by name, and none that Git ignores."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from directories import written
from hypothesis import given, settings
from hypothesis import strategies as st
from terminal import environment

from router.cli._files import MAX_BYTES, File, Skipped, read_files


def read(*paths: str | Path) -> list[str]:
    """Return the paths of the files that are read."""
    return [each.path for each in read_files(map(str, paths)) if isinstance(each, File)]


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
