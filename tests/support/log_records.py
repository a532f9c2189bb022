"""What a record of the log has beyond those of every logger."""

from __future__ import annotations

import logging
from typing import Any, Final

OWN: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""The attributes that `logging` itself gives to a record."""


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that the library gave to a record."""
    return {name: value for name, value in vars(record).items() if name not in OWN}
