"""TomlFile: a TOML file that is read to its end, so that one error lists all of its problems."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from router._errors import ConfigurationError, did_you_mean, nearest, quoted, shortened


class TomlFile:
    """A TOML file, and the problems found in it so far."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.problems: list[str] = []
        self._meant: set[str] = set()
        """The keys that misspelt ones stand for: they are not reported as missing, too."""

    def load(self) -> dict[str, Any]:
        """Return the document; raises `ConfigurationError` if it is unreadable or not valid TOML."""
        import tomllib

        try:
            with open(self.path, "rb") as file:
                return tomllib.load(file)
        except OSError as error:
            raise unreadable(self.path, error) from error
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{self.path}: not a valid TOML file: {error}") from error

    def report(self, key: str, problem: str) -> None:
        """Add a problem with the value of a key."""
        self.problems.append(f"{self.path}: {shortened(key)}: {problem}")

    def table(self, key: str, value: object) -> dict[str, Any] | None:
        """Return the value of a key if it is a table, else report it."""
        if isinstance(value, dict):
            return value
        self.report(key, f"must be a table (got {type(value).__name__})")
        return None

    def string(self, key: str, value: object) -> str | None:
        """Return the value of a key if it is a string, else report it."""
        if isinstance(value, str):
            return value
        self.report(key, f"must be a string (got {quoted(value)})")
        return None

    def check_keys(self, prefix: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
        """Report the unknown keys of a table."""
        for key in table:
            if key not in known:
                meant = nearest(key, known, limit=1)
                self._meant.update(f"{prefix}{each}" for each in meant)
                hint = did_you_mean(meant) or f"; there is {', '.join(known)}"
                self.report(f"{prefix}{key}", f"unknown key{hint}")

    def report_missing(self, key: str) -> None:
        """Report a key that the file lacks, unless it or its table is only misspelt."""
        if not any(f"{key}.".startswith(f"{each}.") for each in self._meant):
            self.report(key, "is missing")

    def finish(self) -> None:
        """Raise one `ConfigurationError` with all problems, if there are any."""
        if self.problems:
            raise ConfigurationError(*self.problems, places=[self.path])


def unreadable(path: str, error: OSError) -> ConfigurationError:
    """Return the error of a file that cannot be read."""
    return ConfigurationError(f"{path}: cannot be read: {error.strerror or error}")
