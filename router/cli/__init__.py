"""The `router` command: click and rich, an extra; it imports the library, never the other way."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and exit with its status: 0 found, 1 nothing meets, 2 bad usage, 3 no catalogue."""
    try:
        from router.cli.commands import run
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit("router: the command needs an extra: pip install 'capability-router[cli]'")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))
