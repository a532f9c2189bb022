"""Devices of a test's own: nothing that a test does may reach those of the machine."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest


def device(path: Path, kind: str) -> Path:
    """Make a device like `/dev/null`, `/dev/zero` or `/dev/full` at that path; skips where that may not be done."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.stat(f"/dev/{kind}").st_rdev)
        path.chmod(0o666)
        with open(path, "rb"):  # refused where the file system has no devices
            return path
    except (OSError, AttributeError):
        pytest.skip(f"no device of our own is to be had here: {kind}")
