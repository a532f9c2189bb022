"""Disk cache: catalogues on disk, private to their user, verified when read, replaced in one step.

Whatever is wrong with a file means "not there", with one log line: a cache must never be why an
application fails. The format is text: a line that vouches for all that follows it, a line of facts in
JSON, and the entries.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, BinaryIO, Final

from attrs import frozen
from filelock import BaseFileLock, FileLock, Timeout

from router._log import Log

log: Final = Log(__package__)

FORMAT: Final = 1
MAX_BYTES: Final = 64 * 2**20
MAX_ENTRIES: Final = 32
MAX_AGE: Final = 30 * 86_400.0
"""How many catalogues are kept, and for how many seconds after they were last renewed."""

MAX_SHARED_DELAY: Final = 3600.0
"""Seconds that a failure can hold from now on: a longer one was dated by a wrong clock."""

LOCK_WAIT: Final = 2.0
"""Seconds to wait for another process that fetches the same, and may have been stopped."""

_ORPHAN_AGE: Final = 3600.0
_HOLD_ATTEMPTS: Final = 10
_SEAL: Final = re.compile(rb"capability-router ([0-9]{1,9}) ([0-9]{1,9}) ([0-9a-f]{64})\n")
_SEAL_BYTES: Final = 128
_TEMPORARY: Final = ".tmp"
_OURS: Final = re.compile(
    r"(catalogue-[0-9a-f]{40})\.(?:json|failed|lock)(\.\w{8}\.tmp)?", re.ASCII
)

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows
    fcntl = None  # type: ignore[assignment]


@frozen
class Stored:
    """A listing's entries, when they were fetched in seconds since the epoch, and validators."""

    entries: list[Any]
    fetched_at: float
    validators: Mapping[str, str]


@frozen
class SharedFailure:
    """A failed refresh: until when the others wait, in seconds since the epoch, and why."""

    until: float
    reason: str
    status: int | None = None


class UnusableError(Exception):
    """A file or directory that is not to be trusted; never leaves this module."""


_WRONG: Final = (
    OSError,
    UnusableError,
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a file, a directory or an entry that is not as it should be can raise."""

_PASSING: Final = (FileNotFoundError, PermissionError)
"""What another process causes: it removed the directory, or has the file open on Windows."""


class Store:
    """The files of one source in a directory of the user; `wall` is in seconds since the epoch."""

    def __init__(
        self, directory: str, identity: str, *, wall: Callable[[], float] = time.time
    ) -> None:
        self.directory = directory
        self._name = f"catalogue-{identity}"
        self.path = os.path.join(directory, self._name + ".json")
        self._failure_path = os.path.join(directory, self._name + ".failed")
        self._lock = os.path.join(directory, self._name + ".lock")
        self._wall = wall
        self._complained: set[str] = set()

    @classmethod
    def of(
        cls,
        identity: str,
        directory: str | os.PathLike[str] | None = None,
        *,
        wall: Callable[[], float] = time.time,
    ) -> Store | None:
        """Return the store of a source, by default in the user's cache directory, if there is one."""
        try:
            where = default_directory() if directory is None else os.path.abspath(directory)
        except (OSError, RuntimeError):
            # The user has no home, or a relative directory starts from one that is gone.
            return None
        return cls(where, identity, wall=wall) if os.path.isabs(where) else None

    def read(self) -> Stored | None:
        """Return what is stored, `None` where there is nothing to trust."""
        try:
            return _read_stored(self.path)
        except FileNotFoundError:
            return None
        except _WRONG as error:
            self._complain("read", error)
            return None

    def write(self, stored: Stored) -> bool:
        """Replace what is stored, in one step, and return whether that was possible."""
        facts = {"fetched_at": stored.fetched_at, "validators": dict(stored.validators)}
        return self._replace(self.path, facts, stored.entries)

    def read_shared_failure(self) -> SharedFailure | None:
        """Return the failure that another process met and that still holds, if any."""
        try:
            failure = _parse_shared_failure(self._failure_path)
        except _WRONG:
            return None
        now = self._wall()
        return failure if now < failure.until <= now + MAX_SHARED_DELAY else None

    def write_shared_failure(self, failure: SharedFailure) -> None:
        """Let the other processes know of a failure."""
        self._replace(
            self._failure_path,
            {"until": failure.until, "reason": failure.reason, "status": failure.status},
            entries=[],
        )

    def clear_shared_failure(self) -> None:
        """Forget the failure."""
        with suppress(OSError, ValueError):
            os.unlink(self._failure_path)

    @contextmanager
    def locked(self, seconds: float = LOCK_WAIT) -> Iterator[bool]:
        """Hold the lock of this file among processes, or none after `seconds`; yields which."""
        lock = self._acquired(seconds)
        try:
            yield lock is not None
        finally:
            if lock is not None:
                with suppress(OSError):
                    lock.release()

    def clear(self) -> None:
        """Remove what is stored of this source; raises `OSError` where that cannot be done."""
        for path in (self.path, self._failure_path):
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _acquired(self, seconds: float) -> BaseFileLock | None:
        try:
            _prepare(self.directory)
            # Without flock, filelock's substitute outlives its holder: no lock is better.
            lock = FileLock(self._lock, mode=0o600, thread_local=False, fallback_to_soft=False)
            lock.acquire(timeout=max(0.0, seconds))
        except Timeout:
            return None
        except (*_WRONG, RuntimeError) as error:
            self._complain("lock", error)
            return None
        return lock

    def _replace(
        self, path: str, facts: Mapping[str, Any], entries: Sequence[Any], attempts: int = 3
    ) -> bool:
        try:
            _prepare(self.directory)
            # Before the write: a process killed in each write must not leave a file each time.
            with suppress(OSError):
                _sweep(self.directory, self._name, self._wall())
            _write(path, _sealed(_encoded(facts, entries)))
        except _WRONG as error:
            if attempts > 1 and isinstance(error, _PASSING):
                return self._replace(path, facts, entries, attempts - 1)
            self._complain("write", error)
            return False
        return True

    def _complain(self, what: str, error: BaseException) -> None:
        """Say once what is wrong: the same full disk is not news every hour."""
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if reason in self._complained:
            return
        self._complained.add(reason)
        log.warning(
            "cannot %s the catalogue on disk in %s: %s",
            what,
            self.directory,
            reason,
            event="disk_cache_failed",
            action=what,
            directory=self.directory,
        )


def default_directory() -> str:
    """Return the directory of the user's caches, by the rules of the platform."""
    from platformdirs import user_cache_dir

    return user_cache_dir("capability-router", appauthor=False)


def _prepare(directory: str) -> None:
    """Make the directory, for its user alone, and refuse one that somebody else could write to."""
    _make(directory)
    _check_directory(directory)


def _make(directory: str) -> None:
    """Make a directory and its parents, all private; `os.makedirs` makes parents by the umask."""
    if directory and not os.path.isdir(directory):
        _make(os.path.dirname(directory))
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)


def _check_directory(directory: str) -> None:
    status = os.lstat(directory)
    if not stat.S_ISDIR(status.st_mode):
        raise UnusableError("it is not a directory")
    _check_owner(status)


def _check_owner(status: os.stat_result) -> None:
    if not _is_own(status):
        raise UnusableError("it belongs to another user")
    if os.name == "posix" and status.st_mode & 0o022:
        raise UnusableError("others may write to it")


def _is_own(status: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def _read_stored(path: str) -> Stored:
    facts, entries = _read_checked(path)
    fetched_at, validators = float(facts["fetched_at"]), facts["validators"]
    if (
        not isinstance(entries, list)
        or not isinstance(validators, dict)
        or not math.isfinite(fetched_at)
    ):
        raise UnusableError("it holds another shape")
    return Stored(
        entries, fetched_at, {str(name): str(value) for name, value in validators.items()}
    )


def _parse_shared_failure(path: str) -> SharedFailure:
    facts, _ = _read_checked(path)
    status = facts["status"]
    return SharedFailure(
        float(facts["until"]), str(facts["reason"]), status if isinstance(status, int) else None
    )


def _read_checked(path: str) -> tuple[Any, Any]:
    """Return the facts and entries of a whole file that no other user can have written."""
    _check_directory(os.path.dirname(path))
    # A link is not followed, and opening a pipe must not wait for somebody to write to it.
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    )
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise UnusableError("it is not a regular file")
        _check_owner(status)
        # `open` does not close a descriptor that it refuses.
        with open(descriptor, "rb", closefd=False) as file:
            content = _unsealed(file.readline(_SEAL_BYTES), file, status.st_size)
    finally:
        os.close(descriptor)
    facts, _, entries = content.partition(b"\n")
    return json.loads(facts), json.loads(entries)


def _encoded(facts: Mapping[str, Any], entries: Sequence[Any]) -> bytes:
    text = json.dumps(facts, allow_nan=False) + "\n" + json.dumps(entries, separators=(",", ":"))
    return text.encode("ascii")


def _sealed(content: bytes) -> bytes:
    """Return the content after a line that vouches for each byte of it."""
    text = b"capability-router %d %d %s\n%s" % (FORMAT, len(content), _checksum(content), content)
    if len(text) > MAX_BYTES:
        raise UnusableError(f"it has more than {MAX_BYTES} bytes")
    return text


def _unsealed(seal: bytes, file: BinaryIO, size: int) -> bytes:
    """Return the content that the seal verifies; a file of the wrong length is not read."""
    match = _SEAL.fullmatch(seal)
    if match is None or int(match[1]) != FORMAT:
        raise UnusableError("it has another format")
    length = int(match[2])
    if size > MAX_BYTES:
        raise UnusableError(f"it has more than {MAX_BYTES} bytes")
    if size != len(seal) + length:
        raise UnusableError("its length is wrong")
    content = file.read(length)
    if _checksum(content) != match[3]:
        raise UnusableError("its checksum is wrong")
    return content


def _checksum(content: bytes) -> bytes:
    return sha256(content).hexdigest().encode("ascii")


def _write(path: str, text: bytes) -> None:
    """Replace the text at the path in one step: a reader finds the old text, or all of the new."""
    descriptor, temporary = _held_temporary(path)
    try:
        with open(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
            if fcntl is not None:
                os.replace(temporary, path)
        if fcntl is None:  # Windows does not rename a file that is open
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync(os.path.dirname(path))


def _held_temporary(path: str) -> tuple[int, str]:
    """Make a file beside that one, and lock it: a sweep removes no locked file."""
    from tempfile import mkstemp

    directory, name = os.path.split(path)
    for _ in range(_HOLD_ATTEMPTS):
        descriptor, temporary = mkstemp(_TEMPORARY, name + ".", directory)
        if _hold(descriptor) is not False and os.path.lexists(temporary):
            return descriptor, temporary
        os.close(descriptor)
        with suppress(OSError):  # a sweep was faster
            os.unlink(temporary)
    raise UnusableError("other processes remove what is written to it")


def _hold(descriptor: int) -> bool | None:
    """Hold an open file, and return whether this is the only holder; `None` where that cannot be known."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _sync(directory: str) -> None:
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep(directory: str, name: str, now: float) -> None:
    """Remove what dead writers left, and all catalogues but `name` and those renewed last."""
    removable: list[tuple[float, str]] = []
    others: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for path, match, changed in _own_files(directory):
        if match[2]:
            removable.append((changed, path))
        elif match[1] != name:
            others[match[1]].append((changed, path))
    for rank, files in enumerate(sorted(others.values(), key=max, reverse=True), start=1):
        renewed, _ = max(files)
        if rank >= MAX_ENTRIES or renewed < now - MAX_AGE:
            removable += files
    for changed, path in removable:
        with suppress(OSError):
            _remove_unheld(path, changed, now)


def _own_files(directory: str) -> Iterator[tuple[str, re.Match[str], float]]:
    """Yield the files of this user's stores: path, parsed name, and time of the last change."""
    with os.scandir(directory) as entries:
        for entry in entries:
            match = _OURS.fullmatch(entry.name)
            changed = _last_changed(entry) if match else None
            if match and changed is not None:
                yield entry.path, match, changed


def _last_changed(entry: os.DirEntry[str]) -> float | None:
    """Return when a plain file of the user's own was last changed, `None` for anything else."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return status.st_mtime if stat.S_ISREG(status.st_mode) and _is_own(status) else None


def _remove_unheld(path: str, changed: float, now: float) -> None:
    """Remove a file that no living process holds; where that cannot be known, one that is old."""
    is_old = changed < now - _ORPHAN_AGE
    if fcntl is None:  # Windows removes nothing that is open
        if is_old:
            os.unlink(path)
        return
    # A network file system locks only what is open for writing.
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        unheld = _hold(descriptor)
        if is_old if unheld is None else unheld:
            os.unlink(path)
    finally:
        os.close(descriptor)
