"""The command `router`, an extra: it imports the library, never the other way."""

from __future__ import annotations

import sys
from typing import Final

_OUT_OF_MEMORY: Final = 71
"""An error of the operating system, by the convention of sysexits.h."""


def main() -> None:
    """Run the command and exit with its status."""
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
        if sys.stderr is not None:
            sys.stderr.write("router: interrupted\n")
        status = 130
    except MemoryError:
        status = _OUT_OF_MEMORY
    # Only here are the frames gone that held the memory.
    if status == _OUT_OF_MEMORY and sys.stderr is not None:
        sys.stderr.write("router: out of memory\n")
    sys.exit(status)
