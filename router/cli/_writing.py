"""Writing: a file that the command makes is there wholly or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from router._errors import ConfigurationError, printable


def write_file(path: str, text: str) -> None:
    """Put the text in the place of a file at once, with the permissions that it has; a device or pipe is written to.

    Raises `ConfigurationError` for what is no file that can be made, and `OSError` where the disk takes no more.
    """
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise ConfigurationError(f"{printable(path)} is a directory: name a file in it")
    is_replaced = os.path.isfile(target) or not os.path.exists(target)
    written = (
        os.path.join(os.path.dirname(target), f".router-{os.urandom(4).hex()}.tmp")
        if is_replaced
        else target
    )
    try:
        file = open(written, "xb" if is_replaced else "wb")  # noqa: SIM115 - what fails here is the path, not the disk
    except OSError as error:
        raise ConfigurationError(
            f"{printable(path)} cannot be written: {error.strerror}"
        ) from error
    try:
        with file:
            file.write(text.encode())
            file.flush()
            if is_replaced:
                os.fsync(file.fileno())
        if is_replaced:
            with suppress(FileNotFoundError):
                os.chmod(written, stat.S_IMODE(os.stat(target).st_mode))
            os.replace(written, target)
    except BaseException:
        if is_replaced:
            os.unlink(written)
        raise
