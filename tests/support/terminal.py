"""Run the command as a shell would: here or in a process of its own, with pipes or real terminals on its outputs."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, redirect_stderr, redirect_stdout
from threading import Thread
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import pytest

import router

COMMAND: Final = "import sys; from router.cli import main; sys.argv[0] = 'router'; main()"
LONGEST: Final = 60.0
"""Seconds after which a process counts as hung."""

_ROOT: Final = os.path.dirname(os.path.dirname(os.path.abspath(router.__file__)))
_HEEDED: Final = re.compile(
    r"ANTHROPIC_.*|.*_proxy|(FORCE|NO)_COLOR|COLUMNS|LINES|TERM|COLORTERM|TTY_.*|LANG|LC_.*|PYTHON(IOENCODING|UTF8)|"
    r"PYTHON(COERCECLOCALE|PATH|UNBUFFERED)|_ROUTER_COMPLETE",
    re.IGNORECASE,
)


class Ran(NamedTuple):
    """How one run of the command ended, and what it wrote; lines of a terminal end in LF here as well."""

    status: int
    out: str
    err: str


def environment(**also: str) -> dict[str, str]:
    """Return the environment without what the command heeds, on a terminal of a common type, in UTF-8, and `also`."""
    kept = {name: value for name, value in os.environ.items() if not _HEEDED.fullmatch(name)}
    return {**kept, "PYTHONPATH": _ROOT, "TERM": "xterm-256color", "LANG": "C.UTF-8", **also}


Command = Callable[..., Ran]
"""Runs the command with these arguments."""

COMMANDS: Final = (
    "candidates",
    "explain",
    "matrix",
    "models",
    "refresh",
    "select",
    "show",
    "supports",
)
STYLED: Final = re.compile(r"\x1b\[[0-9;]*m")


def arguments_of(name: str, id: str) -> list[str]:
    """Return a run of the command that has an answer on any catalogue with this id."""
    return {"show": [name, id], "supports": [name, id, "true"]}.get(name, [name])


def read(ran: Ran, status: int = 0) -> Any:
    """Return the JSON that a run printed, and nothing else."""
    assert (ran.status, ran.err) == (status, "")
    assert ran.out.isascii()
    return json.loads(ran.out, parse_constant=pytest.fail)


def reference(id: str, provider: str = "anthropic") -> dict[str, str]:
    """Return what identifies a model inside of another result."""
    return {"id": id, "provider": provider, "key": f"{provider}:{id}"}


def read_error(ran: Ran, status: int, kind: str = "ConfigurationError") -> str:
    """Return the message of the error that a run with `--json` printed, and nothing else."""
    assert ran.status == status
    assert ran.out.isascii()
    answer = json.loads(ran.out, parse_constant=pytest.fail)
    message: str = answer["error"]["message"]
    assert answer == {"schema": 1, "error": {"type": kind, "message": message}}
    return message


class Terminal:
    """A pseudo-terminal: `screen` has all that was written to it, once it is closed."""

    def __init__(self, columns: int = 100) -> None:
        self._keyboard, self.descriptor = os.openpty()
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self._read = io.BytesIO()
        self._reader = Thread(target=self._read_all, daemon=True)
        self._reader.start()

    @property
    def screen(self) -> str:
        return self._read.getvalue().decode("utf-8", "backslashreplace").replace("\r\n", "\n")

    def _read_all(self) -> None:
        # Linux says EIO where the last writer has gone, others say the end.
        try:
            while read := os.read(self._keyboard, 65536):
                self._read.write(read)
        except OSError:
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self.descriptor)
        self._reader.join(LONGEST)
        os.close(self._keyboard)


def started(
    *arguments: str,
    out: int = subprocess.PIPE,
    err: int = subprocess.PIPE,
    environ: Mapping[str, str] | None = None,
    code: str = COMMAND,
    through: Iterable[str] = (),
    options: Iterable[str] = (),
) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own, by another program if it is to go `through` one."""
    return subprocess.Popen(  # noqa: S603 - nothing but what the tests say
        [*through, sys.executable, *options, "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        env=environment() if environ is None else environ,
    )


def ended(process: subprocess.Popen[bytes]) -> Ran:
    """Wait for a process, and return how it ended and what it wrote into pipes."""
    with process:
        try:
            out, err = process.communicate(timeout=LONGEST)
        finally:
            process.kill()
    return Ran(
        process.returncode,
        *((written or b"").decode("utf-8", "backslashreplace") for written in (out, err)),
    )


def spawned(
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    code: str = COMMAND,
    options: Iterable[str] = (),
) -> Ran:
    """Run the command in a process of its own, its outputs piped."""
    return ended(started(*arguments, environ=environ, code=code, options=options))


def spawned_on_terminal(
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    code: str = COMMAND,
    columns: int = 100,
) -> Ran:
    """Run the command in a process of its own, each of its outputs a terminal."""
    with Terminal(columns) as out, Terminal(columns) as err:
        ran = ended(
            started(*arguments, out=out.descriptor, err=err.descriptor, environ=environ, code=code)
        )
    return Ran(ran.status, out.screen, err.screen)


def on_terminal(
    run: Callable[[list[str]], int],
    *arguments: str,
    out: bool = True,
    err: bool = True,
    encoding: str = "utf-8",
) -> Ran:
    """Run the command here, with a terminal for each output that is said to be one, else a pipe."""
    with (
        _Output(redirect_stdout, encoding, "strict", terminal=out) as stdout,
        _Output(redirect_stderr, encoding, "backslashreplace", terminal=err) as stderr,
    ):
        status = run([*arguments])
    return Ran(status, stdout.text, stderr.text)


class _Output:
    """Where one of the outputs of this process goes: a terminal, or bytes in memory."""

    def __init__(
        self,
        redirect: Callable[[io.TextIOBase], AbstractContextManager[object]],
        encoding: str,
        errors: str,
        *,
        terminal: bool,
    ) -> None:
        self._terminal = Terminal() if terminal else None
        self._piped = io.BytesIO()
        raw = (
            io.FileIO(self._terminal.descriptor, "w", closefd=False)
            if self._terminal
            else self._piped
        )
        self._file = io.TextIOWrapper(raw, encoding, errors)
        self._redirected = redirect(self._file)
        self.text = ""

    def __enter__(self) -> Self:
        self._redirected.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._redirected.__exit__(kind, error, traceback)
        self._file.flush()
        self.text = self._piped.getvalue().decode("utf-8", "backslashreplace")
        self._file.close()
        if self._terminal:
            self._terminal.__exit__(kind, error, traceback)
            self.text = self._terminal.screen
