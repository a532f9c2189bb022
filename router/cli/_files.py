"""The files to audit: those of a directory that Git does not ignore."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from attrs import frozen
from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from router.tools._audit import BEGINNING, is_binary

MAX_BYTES: Final = 5_000_000
"""How large a file may be: larger ones are data, and would keep a commit waiting."""

STANDARD_INPUT: Final = "-"
"""The path that stands for standard input."""

_ESCAPED: Final = re.compile(r"(?<!\\)(?:\\\\)*\\$")
"""What ends in a backslash that is not one of a pair."""

_VERSION_CONTROL: Final = frozenset({".git", ".hg", ".svn", ".jj", ".bzr"})


@frozen
class _Rule:
    """One line of a `.gitignore`: which entries it matches, and whether it ignores them."""

    regex: re.Pattern[str]
    ignores: bool
    directories_only: bool


_Rules = tuple[tuple[str, tuple[_Rule, ...]], ...]
"""For each `.gitignore` that applies in a directory, the path from it to there, and its rules."""


@frozen
class File:
    """A file, and what is in it; of a binary one, only the beginning."""

    path: str
    content: bytes


@frozen
class Skipped:
    """A file or directory that was not read, and why."""

    path: str
    why: str
    is_failure: bool
    """Whether it should have been read and could not be."""


def read_files(paths: Iterable[str]) -> Iterator[File | Skipped]:
    """Read these files, and those in these directories by name, each once; `-` is standard input.

    In a directory, files that a `.gitignore` in it or above it in the repository ignores are left
    out. So are symbolic links: their target is in the directory as well, or is not part of it. A
    path that is given is read whatever ignores it.
    """
    seen: set[str] = set()
    for given in paths:
        if given == STANDARD_INPUT:
            found: Iterable[File | Skipped] = (_read_standard_input(),)
        else:
            found = _walk(given) if os.path.isdir(given) else (_read(given),)
        for each in found:
            place = given if given == STANDARD_INPUT else os.path.abspath(each.path)
            if place not in seen:
                seen.add(place)
                yield each


def _walk(top: str) -> Iterator[File | Skipped]:
    """Read what is in a directory, however deep, in the order of names."""
    waiting: list[tuple[str, _Rules | None]] = []
    """Directories with the rules that count in them, and files without."""
    try:
        waiting.append((top, _rules_above(top)))
    except OSError as error:
        yield _failed(top, error)
    while waiting:
        path, rules = waiting.pop()
        if rules is None:
            yield _read(path)
            continue
        try:
            waiting += sorted(
                _entries(path, (*rules, *_rules_in(path))), reverse=True, key=lambda entry: entry[0]
            )
        except OSError as error:
            yield _failed(path, error)


def _entries(directory: str, rules: _Rules) -> Iterator[tuple[str, _Rules | None]]:
    """Yield the directories and files that are to be looked into."""
    with os.scandir(directory) as listing:
        for entry in listing:
            is_directory = entry.is_dir(follow_symlinks=False)
            if not is_directory and not entry.is_file(follow_symlinks=False):
                continue
            if entry.name not in _VERSION_CONTROL and not _is_ignored(
                entry.name, rules, is_directory=is_directory
            ):
                yield (
                    os.path.normpath(entry.path),
                    _below(rules, entry.name) if is_directory else None,
                )


def _read(path: str) -> File | Skipped:
    try:
        with open(path, "rb") as file:
            return _content(path, file)
    except (OSError, ValueError) as error:  # the second for a zero byte in the path
        return _failed(path, error)


def _read_standard_input() -> File | Skipped:
    if sys.stdin is None:
        return Skipped(STANDARD_INPUT, "standard input is closed", is_failure=True)
    try:
        return _content(STANDARD_INPUT, sys.stdin.buffer)
    except OSError as error:
        return _failed(STANDARD_INPUT, error)


def _content(path: str, file: BinaryIO) -> File | Skipped:
    content = file.read(BEGINNING)
    if is_binary(content):
        return File(path, content)
    if os.fstat(file.fileno()).st_size <= MAX_BYTES:
        content += file.read(MAX_BYTES + 1 - len(content))  # a pipe does not state its size
        if len(content) <= MAX_BYTES:
            return File(path, content)
    return Skipped(path, f"larger than {MAX_BYTES // 1_000_000} MB", is_failure=False)


def _failed(path: str, error: OSError | ValueError) -> Skipped:
    return Skipped(path, getattr(error, "strerror", None) or str(error), is_failure=True)


def _is_ignored(name: str, rules: _Rules, *, is_directory: bool = False) -> bool:
    """Return whether Git ignores an entry of the directory: the last rule that matches decides."""
    for prefix, patterns in reversed(rules):
        path = prefix + name
        for rule in reversed(patterns):
            if (is_directory or not rule.directories_only) and rule.regex.fullmatch(path):
                return rule.ignores
    return False


def _below(rules: _Rules, name: str) -> _Rules:
    return tuple((f"{prefix}{name}/", patterns) for prefix, patterns in rules)


def _rules_above(directory: str) -> _Rules:
    """Return the rules of the repository above a directory; none if they ignore it."""
    here = os.path.abspath(directory)
    names: list[str] = []
    while not os.path.lexists(os.path.join(here, ".git")):
        here, name = os.path.split(here)
        if not name:
            return ()
        names.append(name)
    rules: _Rules = ()
    for name in reversed(names):
        rules = (*rules, *_rules_in(here))
        if _is_ignored(name, rules, is_directory=True):
            return ()
        rules = _below(rules, name)
        here = os.path.join(here, name)
    return rules


def _rules_in(directory: str) -> _Rules:
    try:
        with open(os.path.join(directory, ".gitignore"), "rb") as file:
            lines = file.read().decode("utf-8-sig", "surrogateescape").split("\n")
    except (FileNotFoundError, IsADirectoryError):
        return ()
    patterns = tuple(rule for line in lines if (rule := _read_rule(line)))
    return (("", patterns),) if patterns else ()


def _read_rule(line: str) -> _Rule | None:
    """Return the rule of a line, `None` for a comment and for a line that Git passes over.

    The patterns of pathspec are made for the paths of files, and match everything below a
    directory as well. Here each entry is matched by itself, since Git never looks below an ignored
    directory, whatever rule comes after.
    """
    line = line.removesuffix("\r")
    kept = line.rstrip(" ")
    line = kept if not _ESCAPED.search(kept) else line[: len(kept) + 1]
    directories_only = line.endswith("/")
    line = line.removesuffix("/")
    if line[-1:].isspace() and not _ESCAPED.search(line[:-1]):
        # pathspec would strip the blank, and Git does not.
        line = f"{line[:-1]}[{line[-1]}]"
    above, slash, last = line.rpartition("/")
    if last.removeprefix("!") in {"*", "**"}:
        # An entry below, written so that pathspec does not take it for a pattern of everything.
        deep = "**/" if slash and last == "**" else ""
        line = f"{above}{slash}{'!' if last.startswith('!') else ''}{deep}?*"
    try:
        pattern = GitIgnoreSpecPattern(line)
    except GitIgnorePatternError:
        return None
    if pattern.regex is None or pattern.include is None:
        return None
    return _Rule(pattern.regex, pattern.include, directories_only)
