"""What is published says what the library needs, and that is what is tried."""

from __future__ import annotations

import configparser
import re
import tomllib

from locations import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(ROOT / "tox.ini", encoding="utf-8")


def test_the_lowest_versions_are_tried() -> None:
    """`tox -e lowest` installs the lowest version of each dependency that the project allows."""
    needed = PROJECT["dependencies"] + [
        each for extra in PROJECT["optional-dependencies"].values() for each in extra
    ]
    lowest = {re.sub(r">=([\d.]+).*", r"==\1", each) for each in needed}

    assert {*TOX["testenv:lowest"]["deps"].split()} == lowest


def test_the_project_says_where_it_lives() -> None:
    """Its source, its issues and its changelog have an address."""
    assert {*PROJECT["urls"]} == {"Source", "Issues", "Changelog"}
