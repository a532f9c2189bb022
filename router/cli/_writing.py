"""Writing: a file of the command is written wholly or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from router._errors import ConfigurationError, printable


def write_file(path: str, text: str) -> None:
    """Replace a file by the text at once, with the same permissions; write to a device or pipe.

    Raises `ConfigurationError` if the file cannot be made, and `OSError` if it cannot be written.
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
        # Not `with`: what fails here is the path, not the disk.
        file = open(written, "xb" if is_replaced else "wb")  # noqa: SIM115
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
    except BaseException as error:
        if is_replaced:
            os.unlink(written)
        if isinstance(error, OSError):  # a full disk names no file
            raise OSError(error.errno, error.strerror, path) from error
        raise
