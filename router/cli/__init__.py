"""The `router` command: click, rich and pathspec, an extra; it imports the library, never the other way."""

from __future__ import annotations

import sys
from typing import Final

OUT_OF_MEMORY: Final = 71
"""An error of the operating system, by the convention of sysexits.h."""


def main() -> None:
    """Run the command and exit with its status: 0 found, 1 nothing meets, 2 bad usage, 3 no catalogue."""
    try:
        from router.cli._commands import run

        status = run(sys.argv[1:])
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"click", "pathspec", "rich", "tomli_w"}:
            raise
        if sys.stderr is not None:
            sys.stderr.write(
                "router: the command needs an extra: pip install 'capability-router[cli]'\n"
            )
        status = 2
    except KeyboardInterrupt:
        status = 130
    except MemoryError:
        status = OUT_OF_MEMORY
    if (
        status == OUT_OF_MEMORY and sys.stderr is not None
    ):  # not before the frames are gone that hold the memory
        sys.stderr.write("router: out of memory\n")
    sys.exit(status)
