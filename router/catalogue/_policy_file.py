"""Policy files: `router.toml`, or the table `tool.router` in `pyproject.toml`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

from router._errors import ConfigurationError, RequirementError, quoted
from router._toml import TomlFile, unreadable
from router.catalogue._policy import Policy, name_problem, read_age, read_order
from router.requirements._expression import Requirement
from router.requirements._needs import POLICY_KEYS
from router.requirements._parser import parse

_LISTS: Final = frozenset({"prefer", "alternatives"})
_OWN_TABLE: Final = re.compile(rb"^\s*\[tool\.router[].]", re.MULTILINE)

PlacedRequirement = tuple[str, Requirement]
"""A requirement with its place, such as `router.toml: policies.reports.require`."""


@frozen
class PolicyFile:
    """The contents of a policy file: what is valid, and what is not."""

    policies: Mapping[str, Policy]
    """The valid policies by name."""
    requirements: tuple[PlacedRequirement, ...] = ()
    """Each valid requirement, also those of invalid policies."""
    problems: tuple[str, ...] = ()


def read_policies(path: str | os.PathLike[str]) -> Mapping[str, Policy]:
    """Read policies by name; raises one `ConfigurationError` with all problems of the file."""
    found = read_policy_file(path)
    if found.problems:
        raise ConfigurationError(*found.problems, places=[os.fspath(path)])
    return found.policies


def read_policy_file(path: str | os.PathLike[str]) -> PolicyFile:
    """Read a policy file to its end; raises `ConfigurationError` only if it is not a TOML file."""
    file = TomlFile(path)
    prefix, document = "", file.load()
    if os.path.basename(file.path) == "pyproject.toml":
        prefix = "tool.router."
        tools = file.table("tool", document.get("tool", {})) or {}
        document = file.table("tool.router", tools.get("router", {})) or {}
    file.check_keys(prefix, document, ("policies",))
    named = file.table(f"{prefix}policies", document.get("policies", {})) or {}
    reader = PolicyReader(file, f"{prefix}policies")
    policies = {name: reader.read(name, table) for name, table in named.items()}
    valid = {name: policy for name, policy in policies.items() if policy is not None}
    return PolicyFile(MappingProxyType(valid), tuple(reader.requirements), tuple(file.problems))


class PolicyReader:
    """Reads the policy tables of a file, and reports their problems to it."""

    def __init__(self, file: TomlFile, prefix: str, other_keys: tuple[str, ...] = ()) -> None:
        self._file = file
        self._prefix = prefix
        self._known = (*POLICY_KEYS, *other_keys)
        self.requirements: list[PlacedRequirement] = []
        """Each valid requirement that was read."""

    def read(self, name: str, table: object) -> Policy | None:
        """Return the policy of a table, `None` if it has problems."""
        file, path = self._file, f"{self._prefix}.{name}"
        before = len(file.problems)
        problem = name_problem(name)
        if problem is not None:
            file.report(path, problem)
        stated = file.table(path, table)
        if stated is None:
            return None
        file.check_keys(f"{path}.", stated, self._known)
        if "require" not in stated:
            file.report_missing(f"{path}.require")
        values = {key: value for key, value in stated.items() if key in POLICY_KEYS}
        for key, value in values.items():
            self._check_value(f"{path}.{key}", key, value)
        if len(file.problems) > before:
            return None
        try:
            return Policy(**values, name=name, location=f"{file.path}: {path}")
        except RequirementError as error:  # too deep, together with the minimum age
            file.report(path, str(error))
            return None

    def _check_value(self, path: str, key: str, value: object) -> None:
        if key not in _LISTS:
            self._check_text(path, key, value)
        elif isinstance(value, list):
            for at, text in enumerate(value):
                self._check_text(f"{path}[{at}]", key, text)
        else:
            self._file.report(path, f"must be a list of strings (got {quoted(value)})")

    def _check_text(self, path: str, key: str, value: object) -> None:
        text, read = self._file.string(path, value), _READERS.get(key)
        if text is None:
            return
        try:
            if read is not None:
                read(text)
            else:
                self.requirements.append((f"{self._file.path}: {path}", parse(text)))
        except RequirementError as error:
            self._file.report(path, str(error))
        except ConfigurationError as error:
            # The message starts with the name of the argument, which `path` already gives.
            self._file.report(path, str(error).partition(" ")[2])


_READERS: Final[Mapping[str, Callable[[str], object]]] = MappingProxyType(
    {"order": read_order, "minimum_age": read_age}
)
"""How a value that is not a requirement is checked, by its key."""


def find_policies(directory: str | os.PathLike[str] = ".") -> str | None:
    """Return the nearest file of policies, from the directory upward.

    A directory's `router.toml` wins over its `pyproject.toml`, which needs a table `tool.router`.
    """
    here = os.path.abspath(directory)
    while True:
        own, project = os.path.join(here, "router.toml"), os.path.join(here, "pyproject.toml")
        if os.path.isfile(own):
            return own
        if os.path.isfile(project) and _has_own_table(project):
            return project
        here, left = os.path.dirname(here), here
        if here == left:
            return None


def _has_own_table(path: str) -> bool:
    # A search of the bytes finds the table even if the file is not valid TOML, so that reading the
    # file reports the error instead of the search skipping it.
    try:
        with open(path, "rb") as file:
            return _OWN_TABLE.search(file.read()) is not None
    except OSError as error:
        raise unreadable(path, error) from error
