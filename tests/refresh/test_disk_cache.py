"""The disk store: whole, private, and never why an application fails."""

import base64
import json
import logging
import os
import pickle
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from devices import device
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from locations import SUPPORT
from sizes import at_length, examples
from store_worker import IDENTITY, Listener, catalogue, is_whole, temporary_files

import router
from router.refresh._disk_cache import (
    FORMAT,
    LOCK_WAIT,
    MAX_AGE,
    MAX_BYTES,
    MAX_ENTRIES,
    MAX_SHARED_DELAY,
    SharedFailure,
    Store,
    Stored,
    _encoded,
    _held_temporary,
    _sealed,
)
from router.refresh._sources import AnthropicSource

ROOT = os.geteuid() == 0
NOBODY = 65534 if ROOT else None
"""Mode bits do not bind the superuser: what they forbid is tried as somebody else."""

DAY = 86_400.0
WORKER = SUPPORT / "store_worker.py"
KEY = "sk-ant-api03-Q7wXb2ZkV9tLpR4mN8sJ-cH1yD6fG3aE5uK0iO"

needs_root = pytest.mark.skipif(not ROOT, reason="only the superuser gives a file away")


def environment() -> dict[str, str]:
    """Return the environment of a worker: it has the library that the tests have."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            [str(Path(router.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        ),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "error",
    }


def started(
    command: str,
    *,
    before: Sequence[str] = (),
    without: str | None = None,
    environ: dict[str, str] | None = None,
    **arguments: Any,
) -> subprocess.Popen[str]:
    """Start a command of `store_worker`, under another program or without a module of Python's."""
    script = [str(WORKER)]
    if without is not None:
        missing = f"import runpy, sys; sys.modules[{without!r}] = None"
        run = f"{missing}; runpy.run_path({str(WORKER)!r}, run_name='__main__')"
        script = ["-c", run]
    return subprocess.Popen(  # noqa: S603 - of these tests
        [*before, sys.executable, *script, command, json.dumps(arguments)],
        env=environment() if environ is None else environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def worker(command: str, **arguments: Any) -> Any:
    """Run a command of `store_worker`, and return what it prints."""
    with started(command, **arguments) as process:
        out, error = process.communicate()
    assert process.returncode == 0, error
    assert error == ""
    return json.loads(out)


def traced(log: str | Path, *options: str) -> list[str]:
    """Return the command that runs another under strace, which writes to that log; skips without strace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "true"], check=False, capture_output=True).returncode:  # noqa: S607
        pytest.skip("strace may not trace here")
    return ["strace", "-f", "-o", str(log), *options]


def write_text(path: str | Path, text: bytes) -> None:
    """Write a file as the store does: for its user alone."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)


def age(path: str | Path, seconds: float) -> None:
    """Make a file that much older."""
    changed = os.lstat(path).st_mtime - seconds
    os.utime(path, (changed, changed), follow_symlinks=False)


def mode(path: str | Path) -> int:
    """Return the permissions of a path itself."""
    return stat.S_IMODE(os.lstat(path).st_mode)


def other(at: int) -> str:
    """Return the identity of another source."""
    return sha256(str(at).encode()).hexdigest()[:40]


def unchanged(store: Store, generation: int = 1) -> bool:
    """Return whether the store holds that catalogue, and nothing is left over."""
    return store.read() == catalogue(generation) and not temporary_files(store.directory)


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """A directory that is still to be made."""
    return str(tmp_path / "cache")


@pytest.fixture
def store(directory: str) -> Store:
    """A store that holds the first catalogue."""
    store = Store(directory, IDENTITY)
    assert store.write(catalogue(1))
    return store


@pytest.fixture
def ground() -> Iterator[Path]:
    """A directory that belongs to the user who is not the superuser, and that everybody may pass through."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    if NOBODY is not None:
        os.chown(path, NOBODY, NOBODY)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def no_descriptor_is_lost() -> Iterator[None]:
    """As many files are open after a test as before it."""
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    yield
    assert len(os.listdir("/proc/self/fd")) == before if before else True


@pytest.mark.parametrize("generation", [0, 1, 700])
def test_what_is_written_is_read(directory: str, generation: int) -> None:
    """Another store of the same source reads what was written: entries, date and validators."""
    assert Store(directory, IDENTITY).write(catalogue(generation))

    assert Store(directory, IDENTITY).read() == catalogue(generation)


def test_the_file_is_text_and_states_format_length_and_checksum(store: Store) -> None:
    """The first line vouches for all that follows, which is two lines of JSON."""
    seal, content = Path(store.path).read_bytes().split(b"\n", 1)

    assert (
        seal.decode() == f"capability-router {FORMAT} {len(content)} {sha256(content).hexdigest()}"
    )
    facts, entries = content.decode("ascii").split("\n")
    assert json.loads(facts) == {"fetched_at": 1.0, "validators": {"etag": "1"}}
    assert json.loads(entries) == catalogue(1).entries


def test_nothing_is_stored_at_first_and_that_is_no_news(
    directory: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Reading an empty cache, or one whose directory is missing, gives nothing, makes nothing and logs nothing."""
    store = Store(directory, IDENTITY)
    assert store.read() is None
    assert store.read_shared_failure() is None
    assert not os.path.exists(directory)

    os.mkdir(directory)
    assert store.read() is None
    assert caplog.records == []


def test_the_default_is_the_cache_directory_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a directory, the store lies in the user's cache directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    store = Store.of(IDENTITY)

    assert store is not None
    assert Path(store.path).is_relative_to(tmp_path)
    assert store.write(catalogue(1))


def test_a_relative_directory_is_fixed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store stays where it is when the process changes its directory; one of nowhere is none."""
    monkeypatch.chdir(tmp_path)
    store = Store.of(IDENTITY, Path("cache"))
    assert store is not None
    assert store.directory == str(tmp_path / "cache")

    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert Store.of(IDENTITY, "cache") is None


def nested(depth: int) -> list[Any]:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


CIRCULAR: list[Any] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(Stored(nested(200_000), 2.0, {}), id="nested"),
        pytest.param(Stored([10**5000], 2.0, {}), id="digits"),
        pytest.param(Stored([object()], 2.0, {}), id="object"),
        pytest.param(Stored(CIRCULAR, 2.0, {}), id="circular"),
        pytest.param(Stored([], float("nan"), {}), id="nan"),
        pytest.param(Stored([], float("inf"), {}), id="inf"),
        pytest.param(Stored(["x" * MAX_BYTES], 2.0, {}), id="large"),
        pytest.param(Stored([], 2.0, {"etag": "x" * MAX_BYTES}), id="large validator"),
    ],
)
def test_what_cannot_be_read_back_is_not_written(store: Store, stored: Stored) -> None:
    """Entries that no file can hold are refused without an exception, and what was stored stays."""
    assert not store.write(stored)

    assert unchanged(store)


def test_the_largest_file_is_written_and_read(directory: str) -> None:
    """A file of exactly the bound is kept; one byte more is not written."""
    store = Store(directory, IDENTITY)
    room = MAX_BYTES - len(
        _sealed(_encoded({"fetched_at": 1.0, "validators": {}}, ["x" * (MAX_BYTES // 2)]))
    )
    largest = ["x" * (MAX_BYTES // 2 + room)]

    assert store.write(Stored(largest, 1.0, {}))
    assert os.path.getsize(store.path) == MAX_BYTES
    assert not store.write(Stored([largest[0] + "x"], 1.0, {}))
    assert store.read() == Stored(largest, 1.0, {})


@pytest.mark.parametrize("size", [0, 600, 4096, 60_000])
def test_long_validators_and_reasons_are_read_back(directory: str, size: int) -> None:
    """Facts of any length come back: what was written is never too long to be read."""
    store = Store(directory, IDENTITY, wall=lambda: 0.0)

    assert store.write(Stored([], 1.0, {"etag": "\N{ROCKET}" * size}))
    assert store.read() == Stored([], 1.0, {"etag": "\N{ROCKET}" * size})
    store.write_shared_failure(SharedFailure(60.0, "\N{ROCKET}" * size))
    assert store.read_shared_failure() == SharedFailure(60.0, "\N{ROCKET}" * size)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
READ_BACK: Callable[[Any], Any] = lambda value: json.loads(json.dumps(value))  # noqa: E731 - two lone surrogates may pair


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in memory, where there is such a place, for what writes thousands of files."""
    memory = Path("/dev/shm")  # noqa: S108 - a directory of our own in it
    if os.access(memory, os.W_OK):
        path = Path(tempfile.mkdtemp(dir=memory))
        yield Store(str(path), IDENTITY)
        shutil.rmtree(path)
    else:
        yield Store(str(tmp_path_factory.mktemp("quick")), IDENTITY)


def check_round_trip(store: Store, stored: Stored) -> None:
    """Check that what is written is read."""
    assert store.write(stored)
    assert store.read() == stored


def round_trips(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Try any entries, dates and validators."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        some = given(
            entries=st.lists(JSON, max_size=4).map(READ_BACK),
            fetched_at=st.floats(allow_nan=False, allow_infinity=False),
            validators=st.dictionaries(st.text(), st.text(), max_size=2),
        )
        return settings(
            max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        )(some(test))

    return decorate


@round_trips(examples(600))
def test_any_entries_come_back(
    quick: Store, entries: list[Any], fetched_at: float, validators: dict[str, str]
) -> None:
    """Whatever JSON there is comes back equal: lone surrogates, big numbers, nesting."""
    check_round_trip(quick, Stored(entries, fetched_at, validators))


@pytest.mark.long
@pytest.mark.timeout(3600)
@round_trips(100_000)
def test_any_entries_come_back_at_length(
    quick: Store, entries: list[Any], fetched_at: float, validators: dict[str, str]
) -> None:
    """The same over many more entries."""
    check_round_trip(quick, Stored(entries, fetched_at, validators))


GOOD = _sealed(_encoded({"fetched_at": 1.0, "validators": {}}, [{"id": "claude"}]))


def spliced(pieces: tuple[int, int, bytes]) -> bytes:
    """Return a good file with other bytes in the place of some."""
    begin, length, middle = pieces
    return GOOD[:begin] + middle + GOOD[begin + length :]


GARBAGE = (
    st.binary(max_size=300)
    | st.tuples(st.integers(0, len(GOOD)), st.integers(0, 20), st.binary(max_size=20)).map(spliced)
    | st.binary(max_size=100).map(lambda content: GOOD[: GOOD.index(b"\n") + 1] + content)
)


def check_garbage(store: Store, text: bytes) -> None:
    """Check that the text is read as nothing, unless it is the good one."""
    write_text(store.path, text)
    stored = store.read()
    assert text == GOOD if stored is not None else text != GOOD
    os.replace(store.path, store._failure_path)
    assert store.read_shared_failure() is None


@given(text=GARBAGE)
@example(text=GOOD)
@example(text=b"")
@settings(max_examples=examples(1_600), deadline=None)
def test_any_bytes_are_refused(quick: Store, text: bytes) -> None:
    """Any bytes but those that were written are read as nothing, without an exception."""
    check_garbage(quick, text)


@pytest.mark.long
@pytest.mark.timeout(3600)
@given(text=GARBAGE)
@settings(max_examples=500_000, deadline=None)
def test_any_bytes_are_refused_at_length(quick: Store, text: bytes) -> None:
    """The same over many more bytes."""
    check_garbage(quick, text)


def test_random_splices_are_refused(quick: Store) -> None:
    """Files with a stretch removed, repeated, moved or overwritten are all read as nothing."""
    random = Random(20260726)  # noqa: S311 - a fixed sample
    assert quick.write(catalogue(7))
    good = Path(quick.path).read_bytes()
    for _ in range(examples(16_000)):
        begin, end, at = sorted(random.randrange(len(good)) for _ in range(3))
        stretch = good[begin:end]
        text = random.choice(
            [
                good[:begin] + good[end:],
                good[:end] + stretch + good[end:],
                good[:begin] + good[end:at] + stretch + good[at:],
                good[:begin] + random.randbytes(end - begin) + good[end:],
                good[:begin] + b"\0" * (end - begin) + good[end:],
            ]
        )
        write_text(quick.path, text)
        assert (quick.read() is None) == (text != good)


@given(
    content=st.binary(max_size=60)
    | st.tuples(JSON, JSON).map(lambda pair: b"\n".join(json.dumps(one).encode() for one in pair))
)
@settings(max_examples=examples(400), deadline=None)
def test_a_sealed_file_of_another_shape_is_refused(quick: Store, content: bytes) -> None:
    """Even what carries a right checksum is read as nothing, without an exception, where its shape is another."""
    write_text(quick.path, _sealed(content))
    assert quick.read() is None
    write_text(quick._failure_path, _sealed(content))
    assert quick.read_shared_failure() is None


def sealed(facts: str, entries: str = "[]") -> bytes:
    """Return a file with a right checksum."""
    return _sealed(f"{facts}\n{entries}".encode())


def reformatted(name: str, version: int, text: bytes = GOOD) -> bytes:
    """Return the good file as of another program or version."""
    return f"{name} {version}".encode() + text.removeprefix(f"capability-router {FORMAT}".encode())


def zipped() -> bytes:
    """Return a zip archive."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("entries.json", "[]")
        file.seek(0)
        return file.read()


FACTS = '{"fetched_at": 1.0, "validators": {}}'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n", id="a line"),
        pytest.param(b"\0" * 5000, id="zeros"),
        pytest.param(GOOD.partition(b"\n")[0], id="a seal without newline"),
        pytest.param(GOOD.partition(b"\n")[0] + b"\n", id="a seal alone"),
        pytest.param(GOOD.replace(b"\n", b"\r\n", 1), id="carriage return"),
        pytest.param(GOOD.replace(b"\n", b" \n", 1), id="space after the seal"),
        pytest.param(b"\xef\xbb\xbf" + GOOD, id="byte order mark"),
        pytest.param(GOOD + b"\n", id="a newline more"),
        pytest.param(GOOD + b" ", id="a space more"),
        pytest.param(GOOD + GOOD, id="twice"),
        pytest.param(GOOD[:-1], id="a byte less"),
        pytest.param(reformatted("capability-router", FORMAT + 1), id="newer format"),
        pytest.param(reformatted("capability-router", 0), id="older format"),
        pytest.param(reformatted("capability-router", 10**8), id="far format"),
        pytest.param(reformatted("other-program", FORMAT), id="another program"),
        pytest.param(GOOD.upper(), id="upper case"),
        pytest.param(pickle.dumps(catalogue(1).entries), id="pickle"),
        pytest.param(zipped(), id="zip"),
        pytest.param(b'{"data": [], "has_more": false}', id="a page of the API"),
        pytest.param(json.dumps(catalogue(1).entries).encode(), id="entries"),
        pytest.param(b'{"format": 1, "format": 1}\n[]', id="duplicate keys"),
        pytest.param(b"[" * 100_000, id="nested"),
        pytest.param(sealed(FACTS, "[" * 100_000), id="sealed: open nesting"),
        pytest.param(sealed(FACTS, "[" * 100_000 + "]" * 100_000), id="sealed: nested entries"),
        pytest.param(sealed('{"a":' * 100_000 + "1" + "}" * 100_000), id="sealed: nested facts"),
        pytest.param(sealed(FACTS, "1" * 5000), id="sealed: digits"),
        pytest.param(sealed(FACTS, "[" + "1" * 5000 + "]"), id="sealed: a number of many digits"),
        pytest.param(sealed(FACTS, "{}"), id="sealed: an object for entries"),
        pytest.param(sealed(FACTS, "null"), id="sealed: null for entries"),
        pytest.param(sealed(FACTS, '"[]"'), id="sealed: text for entries"),
        pytest.param(sealed(FACTS, ""), id="sealed: no entries"),
        pytest.param(sealed(FACTS, "[]\n[]"), id="sealed: a line more"),
        pytest.param(sealed(FACTS, "[\xff]"), id="sealed: no UTF-8"),
        pytest.param(_sealed(FACTS.encode()), id="sealed: facts alone"),
        pytest.param(_sealed(b""), id="sealed: nothing"),
        pytest.param(_sealed(b"\xff\xfe\n\xff"), id="sealed: no text"),
        pytest.param(sealed("[]"), id="sealed: a list for facts"),
        pytest.param(sealed("null"), id="sealed: null for facts"),
        pytest.param(sealed("{}"), id="sealed: no facts"),
        pytest.param(sealed('{"fetched_at": 1.0}'), id="sealed: no validators"),
        pytest.param(sealed('{"validators": {}}'), id="sealed: no date"),
        pytest.param(
            sealed('{"fetched_at": 1.0, "validators": []}'), id="sealed: a list of validators"
        ),
        pytest.param(
            sealed('{"fetched_at": 1.0, "validators": null}'), id="sealed: null validators"
        ),
        pytest.param(sealed('{"fetched_at": null, "validators": {}}'), id="sealed: null date"),
        pytest.param(
            sealed('{"fetched_at": "noon", "validators": {}}'), id="sealed: text for a date"
        ),
        pytest.param(sealed('{"fetched_at": NaN, "validators": {}}'), id="sealed: NaN"),
        pytest.param(sealed('{"fetched_at": 1e999, "validators": {}}'), id="sealed: infinity"),
        pytest.param(
            sealed('{"fetched_at": 1%s, "validators": {}}' % ("0" * 400)), id="sealed: overflow"
        ),
    ],
)
@pytest.mark.usefixtures("no_descriptor_is_lost")
def test_what_is_no_catalogue_is_read_as_nothing(
    store: Store, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of another format, shape or length is not there, with one log line; the next write heals it."""
    write_text(store.path, text)

    assert store.read() is None
    assert store.read() is None
    assert [record.name for record in caplog.records] == ["router.refresh"]
    assert store.write(catalogue(2))
    assert unchanged(store, 2)


@pytest.mark.parametrize(
    ("text", "size", "reason"),
    [
        (b"", 0, "it has another format"),
        (GOOD, len(GOOD) - 1, "its length is wrong"),
        (GOOD[:-1] + b" ", len(GOOD), "its checksum is wrong"),
        (sealed(FACTS, "{}"), len(sealed(FACTS, "{}")), "it holds another shape"),
        (GOOD, MAX_BYTES + 1, f"it has more than {MAX_BYTES} bytes"),
    ],
    ids=["format", "length", "checksum", "shape", "size"],
)
def test_what_is_wrong_with_a_file_is_said(
    store: Store, text: bytes, size: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log line says where the file is, and what is wrong with it."""
    write_text(store.path, text)
    os.truncate(store.path, size)

    assert store.read() is None
    assert caplog.messages == [f"cannot read the catalogue on disk in {store.directory}: {reason}"]


@pytest.mark.skipif(
    not os.path.isdir("/proc/self"), reason="there is not a directory that nothing can be made in"
)
def test_a_directory_that_is_never_there_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """A directory that another process might have removed is made anew, but not for ever."""
    assert not Store("/proc/nonexistent/cache", IDENTITY).write(catalogue(1))

    (said,) = caplog.messages
    assert said.endswith(": No such file or directory")


@pytest.mark.parametrize("what", ["read", "write", "lock"])
def test_what_cannot_be_done_is_said(
    store: Store, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log line says what the trouble stood in the way of."""
    os.chmod(store.directory, 0o777)  # noqa: S103 - that is the trouble

    if what == "lock":
        with store.locked() as held:
            assert not held
    elif what == "write":
        assert not store.write(catalogue(2))
    else:
        assert store.read() is None

    assert caplog.messages == [
        f"cannot {what} the catalogue on disk in {store.directory}: others may write to it"
    ]


def test_a_date_without_fraction_is_a_date(store: Store) -> None:
    """Whole seconds are read as what a date is: a float."""
    write_text(store.path, sealed('{"fetched_at": 2, "validators": {"etag": 3}}'))

    assert repr(store.read()) == repr(Stored([], 2.0, {"etag": "3"}))


@contextmanager
def edited(path: str) -> Iterator[Callable[[int, bytes], int]]:
    """Give a function that overwrites bytes of a file in place."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield lambda at, data: os.pwrite(descriptor, data, at)
    finally:
        os.close(descriptor)


@pytest.fixture
def of_twenty(quick: Store) -> bytes:
    """The file of twenty bundled models."""
    entries = [dict(model.entry) for model in router.Catalogue.bundled()][:20]
    assert len(entries) == 20
    assert quick.write(
        Stored(entries, 1_784_000_000.123456, {"etag": 'W/"\N{ROCKET}\xe9"', "sha256": "0a" * 32})
    )
    return Path(quick.path).read_bytes()


def test_a_truncated_file_is_refused_at_every_offset(quick: Store, of_twenty: bytes) -> None:
    """No beginning of a file passes for the whole."""
    for size in reversed(range(len(of_twenty))):
        os.truncate(quick.path, size)
        assert quick.read() is None


def test_a_file_with_any_byte_flipped_is_refused(quick: Store, of_twenty: bytes) -> None:
    """No byte of a file can change and pass: each is tried with one of its bits turned."""
    random = Random(20260726)  # noqa: S311 - a fixed sample
    with edited(quick.path) as put:
        for at, byte in enumerate(of_twenty):
            put(at, bytes([byte ^ 1 << random.randrange(8)]))
            assert quick.read() is None
            put(at, bytes([byte]))
    assert quick.read() is not None


def test_the_seal_and_the_facts_have_one_spelling(quick: Store, of_twenty: bytes) -> None:
    """In the first two lines no byte can be any other: not in case, not in white space, not in digits."""
    entries = of_twenty.index(b"\n", of_twenty.index(b"\n") + 1) + 1
    with edited(quick.path) as put:
        for at, byte in enumerate(of_twenty[:entries]):
            for value in {
                *b"\t\n\r 0123456789abcdefABCDEFuU+-.\0\xff",
                byte ^ 0x20,
                byte ^ 0x80,
            } - {byte}:
                put(at, bytes([value]))
                assert quick.read() is None
            put(at, bytes([byte]))
    assert quick.read() is not None


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_file_with_any_bit_flipped_is_refused(quick: Store, of_twenty: bytes) -> None:
    """The same for each bit of the file, and each value of the first two lines."""
    entries = of_twenty.index(b"\n", of_twenty.index(b"\n") + 1) + 1
    with edited(quick.path) as put:
        for at, byte in enumerate(of_twenty):
            for value in (
                (byte ^ 1 << bit for bit in range(8)) if at >= entries else {*range(256)} - {byte}
            ):
                put(at, bytes([value]))
                assert quick.read() is None
            put(at, bytes([byte]))
    assert quick.read() is not None


def read_so_far() -> int:
    """Return how many bytes this process has read from files."""
    return int(re.findall(r"rchar: (\d+)", Path("/proc/self/io").read_text(encoding="ascii"))[0])


@pytest.mark.skipif(
    not os.access("/proc/self/io", os.R_OK), reason="the system does not count what is read"
)
@pytest.mark.parametrize("size", [MAX_BYTES - 1, MAX_BYTES + 1, 2**30])
@pytest.mark.parametrize("seal", ["none", "good", "fitting"])
def test_a_huge_file_is_refused_without_reading_it(store: Store, size: int, seal: str) -> None:
    """A sparse file costs neither time nor memory: its first line says that it is none of ours."""
    first = {
        "none": b"",
        "good": Path(store.path).read_bytes(),
        "fitting": b"capability-router %d %d %s\n" % (FORMAT, size - 128, b"0" * 64),
    }[seal]
    if seal == "fitting":
        first = b"capability-router %d %d %s\n" % (FORMAT, size - len(first), b"0" * 64)
    write_text(store.path, first)
    os.truncate(store.path, size)
    before = read_so_far()

    assert store.read() is None

    # Only a file of an allowed size whose first line fits it is read, to see whether the checksum does.
    assert read_so_far() - before < 200_000 or (seal == "fitting" and size <= MAX_BYTES)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "make", ["directory", "full directory", "pipe", "socket", "null", "zero", "dangling", "loop"]
)
@pytest.mark.parametrize("which", ["path", "_failure_path", "_lock"])
@pytest.mark.usefixtures("no_descriptor_is_lost")
def test_whatever_lies_in_the_place_of_a_file(
    directory: str, make: str, which: str, tmp_path: Path
) -> None:
    """D4: what is not a regular file is neither read nor waited for, and a write replaces it or is refused."""
    store = Store(directory, IDENTITY)
    os.mkdir(directory, 0o700)
    place(make, getattr(store, which), tmp_path)

    assert store.read() is None
    written = store.write(catalogue(1))
    assert written == (which != "path" or "directory" not in make)
    assert (store.read() == catalogue(1)) == written
    with store.locked(0.1) as held:
        assert held in {True, False}
    store.write_shared_failure(SharedFailure(time.time() + 60.0, "down"))
    assert (store.read_shared_failure() is None) == (
        which == "_failure_path" and "directory" in make
    )
    store.clear_shared_failure()
    assert store.read_shared_failure() is None
    assert not temporary_files(directory)
    assert not os.path.exists(tmp_path / "nowhere")
    assert make not in DEVICES or stat.S_IMODE(os.stat(tmp_path / make).st_mode) == 0o666


DEVICES = ("null", "zero")


def place(make: str, path: str, elsewhere: Path) -> None:
    """Put something that is not a regular file at a path."""
    if "directory" in make:
        os.makedirs(os.path.join(path, "full") if make == "full directory" else path)
    elif make == "pipe":
        os.mkfifo(path, 0o600)
    elif make == "socket":
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX) as bound,
            inside(os.path.dirname(path)),
        ):
            bound.bind(os.path.basename(path))
    else:
        where: dict[str, str | Path] = {"dangling": elsewhere / "nowhere", "loop": path}
        os.symlink(device(elsewhere / make, make) if make in DEVICES else where[make], path)


@contextmanager
def inside(directory: str) -> Iterator[None]:
    """Work in a directory: the name of a socket is short."""
    before = os.getcwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def test_a_pipe_that_somebody_writes_to_is_not_read(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even a whole catalogue is taken out of a pipe."""
    text = Path(store.path).read_bytes()
    os.unlink(store.path)
    os.mkfifo(store.path, 0o600)
    pipe = os.open(store.path, os.O_RDWR)
    try:
        os.write(pipe, text)
        assert store.read() is None
        assert os.read(pipe, 2 * len(text)) == text
    finally:
        os.close(pipe)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "it is not a regular file"
    ]


def check_useless(store: Store) -> None:
    """Check that nothing is read or written there, and that nothing is raised."""
    assert store.read() is None
    assert not store.write(catalogue(2))
    assert store.read() is None
    store.write_shared_failure(SharedFailure(time.time() + 60.0, "down"))
    assert store.read_shared_failure() is None
    store.clear_shared_failure()
    with store.locked(0.1) as held:
        assert not held


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "make",
    ["file", "pipe", "socket", "null", "dangling", "loop", "NUL", "surrogate", "long", "deep"],
)
@pytest.mark.parametrize("below", ["", "/below", "/far/below"])
@pytest.mark.usefixtures("no_descriptor_is_lost")
def test_whatever_lies_in_the_place_of_the_directory(
    tmp_path: Path, make: str, below: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where there is not a directory and none can be made, nothing is kept, and nothing is raised."""
    name = {
        "NUL": "a\0b",
        "surrogate": "\ud800",
        "long": "x" * 300,
        "deep": "/".join("x" * 5000),
    }.get(make, "there")
    place_of_directory = str(tmp_path / name)
    if make == "file":
        write_text(place_of_directory, b"")
    elif name == "there":
        place(make, place_of_directory, tmp_path)

    store = Store.of(IDENTITY, place_of_directory + below)

    assert store is not None
    check_useless(store)
    assert 1 <= len({record.getMessage() for record in caplog.records}) <= 3
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert not os.path.exists(tmp_path / "nowhere")


@pytest.mark.parametrize("bits", [0o500, 0o400, 0o000])
@pytest.mark.parametrize("missing", [False, True])
def test_a_directory_that_may_not_be_written(ground: Path, bits: int, *, missing: bool) -> None:
    """D4: a cache in a read-only directory is read and not written; one that cannot be made is not there."""
    directory = ground / "shut" / "cache" if missing else ground / "shut"
    if missing:
        directory.parent.mkdir()
    else:
        assert worker("probe", directory=str(directory), uid=NOBODY, fetched_at=1)["written"] == [
            True
        ]
        (directory / Path(Store(str(directory), IDENTITY)._lock).name).unlink()
    shut = directory.parent if missing else directory
    if NOBODY is not None:
        os.chown(shut, NOBODY, NOBODY)
    shut.chmod(bits)
    readable = 1.0 if bits == 0o500 and not missing else None
    try:
        met = worker("probe", directory=str(directory), uid=NOBODY, writes=3)
    finally:
        shut.chmod(0o700)

    assert (met["before"], met["written"], met["after"]) == (readable, [False] * 3, readable)
    assert (met["held"], met["setback"], met["cleared"]) == (False, None, True)
    assert len(met["log"]) == 1
    assert "Permission denied" in met["log"][0]


def test_no_home(ground: Path) -> None:
    """D4: without a home there is no store; a home that does not exist, and cannot be made, holds none."""
    bare = {
        name: value
        for name, value in environment().items()
        if name not in {"HOME", "XDG_CACHE_HOME"}
    }

    if ROOT:
        for home in ({}, {"HOME": "cache"}, {"HOME": "."}, {"HOME": "~"}):
            assert worker("probe", directory=None, uid=54_321, environ={**bare, **home}) == {
                "store": None
            }
    met = worker(
        "probe", directory=None, uid=NOBODY, environ={**bare, "HOME": str(ground / "gone")}
    )
    assert met["written"] == [True]
    nowhere = {**bare, "HOME": "/proc/nonexistent"}
    met = worker("probe", directory=None, uid=NOBODY, environ=nowhere)
    assert (met["held"], met["before"], met["written"], met["after"]) == (
        False,
        None,
        [False],
        None,
    )
    assert len(met["log"]) == 1


@pytest.mark.parametrize("bits", [0o620, 0o602, 0o666, 0o622])
def test_a_file_that_others_may_write_is_not_read(store: Store, bits: int) -> None:
    """D6: what somebody else could have written is not there; the next write makes it private."""
    os.chmod(store.path, bits)

    assert store.read() is None
    assert store.write(catalogue(2))
    assert unchanged(store, 2)
    assert mode(store.path) == 0o600


@pytest.mark.parametrize("bits", [0o770, 0o720, 0o707, 0o702, 0o777, 0o1777])
def test_a_directory_that_others_may_write_is_not_used(store: Store, bits: int) -> None:
    """In a directory in which others can put files in place of ours, nothing is read, written or locked."""
    store.write_shared_failure(SharedFailure(time.time() + 60.0, "down"))
    os.chmod(store.directory, bits)
    before = sorted(os.listdir(store.directory))

    assert store.read() is None
    assert store.read_shared_failure() is None
    assert not store.write(catalogue(2))
    with store.locked() as held:
        assert not held
    assert sorted(os.listdir(store.directory)) == before

    os.chmod(store.directory, 0o700)
    assert unchanged(store)


@needs_root
def test_what_belongs_to_another_is_not_read(store: Store, tmp_path: Path) -> None:
    """D6: a file of another user is not there, and a write puts one of our own in its place."""
    store.write_shared_failure(SharedFailure(time.time() + 60.0, "down"))
    kept = tmp_path / "kept"
    os.link(store.path, kept)
    os.unlink(store.path)
    shutil.copy2(kept, store.path)
    for path in (store.path, store._failure_path):
        os.chown(path, 65534, 65534)

    assert store.read() is None
    assert store.read_shared_failure() is None
    assert store.write(catalogue(2))
    assert os.lstat(store.path).st_uid == os.geteuid()
    assert unchanged(store, 2)


@needs_root
def test_the_directory_of_another_is_not_used(store: Store) -> None:
    """In a directory of another user nothing is read, written or locked, even where the system allows it."""
    os.chown(store.directory, 65534, -1)
    before = sorted(os.listdir(store.directory))

    check_useless(store)
    assert sorted(os.listdir(store.directory)) == before


def test_a_planted_link_harms_nobody(store: Store, tmp_path: Path) -> None:
    """D6: a symbolic link in the place of a file is not followed, neither to read nor to write."""
    victim = tmp_path / "victim"
    os.rename(store.path, victim)
    victim.chmod(0o644)
    text = victim.read_bytes()
    for path in (store.path, store._failure_path, store._lock):
        os.symlink(victim, path)

    assert store.read() is None
    assert store.read_shared_failure() is None
    with store.locked(0.1) as held:
        assert not held
    assert store.write(catalogue(2))
    store.write_shared_failure(SharedFailure(time.time() + 60.0, "down"))
    assert store.read_shared_failure() is not None
    assert unchanged(store, 2)
    assert not os.path.islink(store.path)
    assert (victim.read_bytes(), mode(victim)) == (text, 0o644)


def test_a_linked_directory_is_not_used(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory that is a link elsewhere is not used, whoever owns what it leads to."""
    link = tmp_path / "link"
    link.symlink_to(store.directory)

    check_useless(Store(str(link), IDENTITY))
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "it is not a directory"
    ]
    assert unchanged(store)


def test_a_hard_link_is_not_read(store: Store, tmp_path: Path) -> None:
    """A file with a second name is not there; a write leaves what the second name leads to as it is."""
    second = tmp_path / "second"
    os.link(store.path, second)
    text = second.read_bytes()

    assert store.read() is None
    assert store.write(catalogue(2))
    assert unchanged(store, 2)
    assert second.read_bytes() == text


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_everything_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """D6: each directory that is made has mode 0700, and each file 0600."""
    store = Store(str(tmp_path / "a" / "b" / "cache"), IDENTITY)
    before = os.umask(umask)
    try:
        assert store.write(catalogue(1))
        store.write_shared_failure(SharedFailure(time.time() + 60.0, "down"))
        with store.locked() as held:
            assert held
            assert store.write(catalogue(2))
    finally:
        os.umask(before)

    made = [tmp_path / "a", tmp_path / "a" / "b", Path(store.directory)]
    assert {mode(path) for path in made} == {0o700}
    files = sorted(Path(store.directory).iterdir())
    assert {path.suffix for path in files} == {".json", ".failed", ".lock"}
    assert {mode(path) for path in files} == {0o600}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    path = tmp_path / "small"
    path.mkdir()
    options = ["-t", "tmpfs", "-o", "size=128k,mode=700,nr_inodes=64", "tmpfs", str(path)]
    if not ROOT or subprocess.run(["mount", *options], check=False, capture_output=True).returncode:  # noqa: S603, S607
        pytest.skip("a file system can be mounted by the superuser alone")
    yield path
    subprocess.run(["umount", str(path)], check=True)  # noqa: S603, S607


def fill(directory: Path) -> Path:
    """Fill a file system to the last byte."""
    filler = directory / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    return filler


@pytest.mark.parametrize("full", ["space", "files"])
def test_a_full_disk(small: Path, full: str, caplog: pytest.LogCaptureFixture) -> None:
    """D3: on a full disk a write is refused, with one log line for many; the old text stays, nothing is left over."""
    store = Store(str(small), IDENTITY)
    assert store.write(catalogue(1))
    if full == "space":
        filler = fill(small)
    else:
        filler = small / "files"
        filler.mkdir()
        with suppress(OSError):
            for at in range(100):
                (filler / str(at)).touch()

    for generation in range(2, 7):
        assert not store.write(catalogue(generation))
        store.write_shared_failure(SharedFailure(time.time() + 60.0, "down"))
        assert unchanged(store)
    assert len(caplog.records) == 1
    assert "No space left on device" in caplog.text

    if filler.is_dir():
        shutil.rmtree(filler)
    else:
        filler.unlink()
    assert store.write(catalogue(7))
    assert unchanged(store, 7)


def test_a_disk_that_fills_during_the_write(small: Path) -> None:
    """A write that finds room for a part of its text alone leaves the old text and nothing else."""
    store = Store(str(small), IDENTITY)
    assert store.write(catalogue(1))

    assert not store.write(Stored(["x" * 200_000], 2.0, {}))
    assert unchanged(store)


@pytest.mark.parametrize("most", [0, 1, 100, 1000])
def test_a_limit_on_the_size_of_files(directory: str, most: int) -> None:
    """D3: over the limit a write is cut short and then fails: the old text stays, and nothing is left over."""
    assert Store(directory, IDENTITY).write(catalogue(1))

    met = worker("probe", directory=directory, limit=["FSIZE", most], writes=3)

    assert (met["before"], met["written"], met["after"]) == (1.0, [False] * 3, 1.0)
    assert met["log"] == [line for line in met["log"] if "File too large" in line][:1]
    assert met["then"]["written"] == [True]
    assert not temporary_files(directory)


@pytest.mark.parametrize("free", [0, 1, 2, 3])
def test_no_more_files_may_be_opened(directory: str, free: int) -> None:
    """With no descriptor to be had nothing is read, written or raised; with one again, all is well."""
    assert Store(directory, IDENTITY).write(catalogue(1))

    met = worker("probe", directory=directory, limit=["NOFILE", free])

    assert met["before"] in {None, 1.0}
    if free == 0:
        assert (met["held"], met["before"], met["written"], met["setback"]) == (
            False,
            None,
            [False],
            None,
        )
    assert met["then"] == {
        "store": Store(directory, IDENTITY).path,
        "held": True,
        "before": 2.0 if met["written"] == [True] else 1.0,
        "written": [True],
        "after": 3.0,
        "setback": "down",
        "cleared": True,
    }
    assert not temporary_files(directory)


def test_no_memory(directory: str) -> None:
    """A file for which there is no memory is not there; once there is some, it is."""
    large = Stored(["x" * (MAX_BYTES - 1000)], 1.0, {})
    assert Store(directory, IDENTITY).write(large)

    met = worker("probe", directory=directory, limit=["AS", 24 * 2**20], writes=0)

    assert (met["before"], met["after"], met["then"]["before"]) == (None, None, 1.0)


@pytest.mark.sample(8)
@pytest.mark.parametrize(
    ("call", "error", "when", "written"),
    [
        ("fsync", "EIO", "1", False),
        ("fsync", "ENOSPC", "1", False),
        ("fsync", "EDQUOT", "1", False),
        ("fsync", "EIO", "2", True),
        ("fsync", "EINVAL", "2", True),
        ("rename", "EIO", "1+", False),
        ("rename", "EOPNOTSUPP", "1+", False),
        ("rename", "EXDEV", "1+", False),
        ("rename", "ENOSPC", "1+", False),
        ("rename", "EACCES", "1+", False),
        ("rename", "EACCES", "1..2", True),
        ("rename", "ENOENT", "1..2", True),
        ("mkdir", "EROFS", "1+", True),
        ("flock", "ENOLCK", "1+", True),
        ("flock", "ENOSYS", "1+", True),
        ("flock", "EOPNOTSUPP", "1+", True),
        ("flock", "EIO", "1+", True),
        ("flock", "EAGAIN", "1..9", True),
        ("flock", "EAGAIN", "1+", False),
        ("getdents64", "EIO", "1+", True),
    ],
)
def test_a_system_call_that_fails(
    directory: str, call: str, error: str, when: str, *, written: bool
) -> None:
    """Whatever the system refuses, the store holds the old catalogue or the new one, and no more than that."""
    assert Store(directory, IDENTITY).write(catalogue(1))
    where = ["-P", directory] if call == "getdents64" else []
    strace = traced(
        f"{directory}.strace",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:error={error}:when={when}",
        *where,
    )

    with started("write", before=strace, directory=directory, generation=5) as process:
        out, failure = process.communicate()

    assert (out, failure) == (json.dumps(written), "")
    assert unchanged(Store(directory, IDENTITY), 5 if written else 1)


@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS"])
def test_a_file_system_without_locks(directory: str, error: str) -> None:
    """D10: where nothing can be locked, all goes on without: no exception, no warning, and only old files are swept."""
    store = Store(directory, IDENTITY)
    assert store.write(catalogue(1))
    fresh, old = left_over(store, "aaaaaaaa"), left_over(store, "bbbbbbbb")
    age(old, 2 * 3600.0)
    strace = traced(f"{directory}.strace", "-e", "trace=flock", "-e", f"inject=flock:error={error}")

    met = worker("probe", directory=directory, before=strace)

    assert (met["held"], met["before"], met["written"], met["after"]) == (False, 1.0, [True], 2.0)
    assert len(met["log"]) == 1
    assert temporary_files(directory) == [fresh.name]


def test_a_system_without_locks(directory: str) -> None:
    """D10: without a module for locks, as on Windows, a file is closed, then renamed, and only old ones are swept."""
    store = Store(directory, IDENTITY)
    assert store.write(catalogue(1))
    fresh, old = left_over(store, "aaaaaaaa"), left_over(store, "bbbbbbbb")
    age(old, 2 * 3600.0)
    silent = {**environment(), "PYTHONWARNINGS": "ignore"}
    log = Path(directory).with_name("log")
    strace = traced(log, "-y", "-e", "trace=close,rename")

    met = worker("probe", directory=directory, before=strace, without="fcntl", environ=silent)

    assert (met["before"], met["written"], met["after"], met["setback"]) == (
        1.0,
        [True],
        2.0,
        "down",
    )
    assert temporary_files(directory) == [fresh.name]
    calls = [line for line in log.read_text(encoding="utf-8").splitlines() if ".tmp" in line]
    assert ["close" in line for line in calls] == [True, False] * 2


def left_over(store: Store, random: str) -> Path:
    """Make the file that a writer leaves which is killed in the middle."""
    path = Path(f"{store.path}.{random}.tmp")
    write_text(path, b"capability-rou")
    return path


def test_the_order_survives_a_power_cut(directory: str) -> None:
    """D11: the text is on the disk before its name is, and the name before the write is done."""
    log = Path(directory).with_name("log")
    strace = traced(
        log, "-y", "-e", "trace=openat,write,fsync,fdatasync,rename,renameat,renameat2,unlink"
    )

    assert worker("write", directory=directory, before=strace)

    lines = [
        line.partition(" ")[2].strip()
        for line in log.read_text(encoding="utf-8").splitlines()
        if directory in line
    ]
    temporary = re.findall(
        rf"{re.escape(directory)}/catalogue-{IDENTITY}\.json\.\w+\.tmp", "\n".join(lines)
    )
    assert len({*temporary}) == 1
    calls = [
        (line.partition("(")[0], temporary[0] in line, f"<{directory}>" in line) for line in lines
    ]
    assert [call for call in calls if call[0] != "openat"] == [
        ("write", True, False),
        ("fsync", True, False),
        ("rename", True, False),
        ("fsync", False, True),
    ]
    assert "O_EXCL" in next(line for line in lines if temporary[0] in line)


@pytest.mark.parametrize("what", ["empty", "full"])
def test_a_directory_in_the_place_of_the_file(store: Store, what: str) -> None:
    """Where the text cannot be put under its name, the write is refused and leaves nothing."""
    os.unlink(store.path)
    os.mkdir(store.path)
    if what == "full":
        Path(store.path, "precious").touch()

    assert not store.write(catalogue(2))
    assert not temporary_files(store.directory)
    assert os.path.isdir(store.path)
    assert os.listdir(store.path) == ([] if what == "empty" else ["precious"])


def check_kills(counts: dict[str, Any], kills: int) -> None:
    """Check that the kills met the writes and harmed nothing."""
    assert kills <= counts["kills"] < kills + 8
    assert (counts["unreadable"], counts["refused"]) == (0, 0)
    assert counts["left_over"] <= 16
    assert counts["interrupted"] >= kills / 100, "the kills did not meet the writes"


@pytest.mark.parametrize(
    ("writers", "kills"), [(1, 100), (4, 100), at_length(1, 1000), at_length(4, 1000)]
)
def test_kills_leave_a_readable_cache(directory: str, writers: int, kills: int) -> None:
    """D1: writers killed at any moment leave a whole catalogue, and few files."""
    counts = worker("kill", directory=directory, writers=writers, kills=kills, seed=writers)

    check_kills(counts, kills)
    assert Store(directory, IDENTITY).write(catalogue(1))
    assert unchanged(Store(directory, IDENTITY))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("writers", [1, 4, 8])
def test_ten_thousand_kills_leave_a_readable_cache(directory: str, writers: int) -> None:
    """D1: the same ten times as often, and under eight writers."""
    check_kills(
        worker("kill", directory=directory, writers=writers, kills=10_000, seed=writers), 10_000
    )


@pytest.mark.parametrize("writers", [at_length(1), 4])
def test_kills_corrupt_the_cache_of_a_naive_writer(directory: str, writers: int) -> None:
    """D1, the twin that must fail: a file that is written in place is unreadable after half of the kills."""
    counts = worker(
        "kill", directory=directory, writers=writers, kills=50, seed=writers, naive=True
    )

    assert counts["unreadable"] >= counts["kills"] / 2


def check_crowd(directory: str, seconds: float, *, threads: bool) -> None:
    """Check that readers beside writers read whole catalogues."""
    counts = worker(
        "crowd", directory=directory, readers=8, writers=4, seconds=seconds, threads=threads
    )

    assert (counts["bad"], counts["refused"], counts["broken"]) == (0, 0, 0)
    assert counts["reads"] > 100 * seconds
    assert counts["writes"] > 4 * seconds
    assert unchanged(Store(directory, IDENTITY)) or is_whole(Store(directory, IDENTITY).read())


@pytest.mark.parametrize("threads", [False, True])
def test_readers_among_writers_see_whole_catalogues(directory: str, *, threads: bool) -> None:
    """D9: eight readers beside four writers, in threads or processes, read one whole catalogue each time."""
    check_crowd(directory, 0.5, threads=threads)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("threads", [False, True])
def test_readers_among_writers_see_whole_catalogues_for_a_minute(
    directory: str, *, threads: bool
) -> None:
    """D9: the same for a minute."""
    check_crowd(directory, 60.0, threads=threads)


@pytest.mark.long
@pytest.mark.parametrize("threads", [False, True])
def test_readers_among_naive_writers_do_not(directory: str, *, threads: bool) -> None:
    """D9, the twin that must fail: beside writers in place, readers meet what is no catalogue."""
    counts = worker(
        "crowd", directory=directory, readers=8, writers=4, seconds=0.5, threads=threads, naive=True
    )

    assert counts["bad"] > counts["reads"] / 100


def test_what_a_killed_writer_left_is_swept_at_once(store: Store) -> None:
    """D2: the next write of any source removes what a killed writer left, were it but a second old."""
    mine, others = (
        left_over(store, "abcd_123"),
        left_over(Store(store.directory, other(1)), "abcd_123"),
    )
    failed = Path(f"{store._failure_path}.abcd_123.tmp")
    write_text(failed, b"")

    assert store.write(catalogue(2))

    assert not mine.exists()
    assert not others.exists()
    assert not failed.exists()
    assert unchanged(store, 2)


def test_what_a_writer_makes_is_what_a_sweep_knows(store: Store) -> None:
    """The file of a writer that ends before it has written is swept by the next."""
    descriptor, temporary = _held_temporary(store.path)
    os.close(descriptor)

    assert store.write(catalogue(2))
    assert not os.path.exists(temporary)


def test_what_is_left_is_swept_before_the_write(store: Store) -> None:
    """A write that fails has swept all the same: who is killed in each write does not leave a file each time."""
    left = left_over(store, "abcd_123")
    os.unlink(store.path)
    os.mkdir(store.path)

    assert not store.write(catalogue(2))
    assert not left.exists()


def test_what_a_living_writer_holds_is_not_swept(store: Store) -> None:
    """D2: a file in the middle of its write stays, however old it looks."""
    import fcntl

    left = left_over(store, "abcd_123")
    with left.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        age(left, 365 * DAY)
        assert store.write(catalogue(2))
        assert left.exists()

    assert store.write(catalogue(3))
    assert not left.exists()


def test_a_write_is_not_lost_to_a_sweep(directory: str) -> None:
    """Beside processes that do nothing but sweep, each write stores, though its file is there before it is held."""
    store = Store(directory, IDENTITY)
    assert store.write(catalogue(0))
    with started("sweep", directory=directory) as one, started("sweep", directory=directory) as two:
        try:
            for generation in range(1, 200):
                assert store.write(catalogue(generation))
                assert store.read() == catalogue(generation)
        finally:
            one.kill()
            two.kill()


def test_a_file_that_was_swept_before_it_was_held_is_made_again(directory: str) -> None:
    """A writer that was slow to hold its file sees that it is gone, before it has spent the write on it."""
    store = Store(directory, IDENTITY)
    assert store.write(catalogue(0))
    strace = traced(
        f"{directory}.strace",
        "-e",
        "trace=flock",
        "-e",
        "inject=flock:delay_enter=100000:when=1..5",
    )
    with started("sweep", directory=directory) as sweeper:
        try:
            assert worker("write", directory=directory, before=strace, generation=1)
        finally:
            sweeper.kill()
    assert unchanged(store, 1)


def others_in(directory: str, many: int, *, aged: float = 0.0) -> list[Store]:
    """Store catalogues of other sources, each a second older than the one before."""
    stores = [Store(directory, other(at)) for at in range(many)]
    os.makedirs(directory, 0o700, exist_ok=True)
    for at, one in enumerate(stores):
        for path in (one.path, one._failure_path, one._lock):
            write_text(path, b"")
            age(path, aged + at)
    return stores


def test_no_more_than_so_many_catalogues_are_kept(directory: str) -> None:
    """D12: a write leaves itself and those renewed last, and of the others neither failure nor lock."""
    others = others_in(directory, 40)
    store = Store(directory, IDENTITY)

    assert store.write(catalogue(1))

    kept = [one for one in others if os.path.exists(one.path)]
    assert kept == others[: MAX_ENTRIES - 1]
    assert len(os.listdir(directory)) == 3 * len(kept) + 1
    assert MAX_ENTRIES == 32
    assert unchanged(store)


def test_a_catalogue_that_is_renewed_takes_the_place_of_no_other(directory: str) -> None:
    """The file that is about to be replaced is its own, and no more counted than at its first write."""
    others = others_in(directory, 40)
    store = Store(directory, IDENTITY)

    assert store.write(catalogue(1))
    assert store.write(catalogue(2))

    assert [one for one in others if os.path.exists(one.path)] == others[: MAX_ENTRIES - 1]


def test_a_catalogue_counts_from_its_last_renewal(directory: str) -> None:
    """A lock is as old as the first use of a source: what counts is its youngest file."""
    others = others_in(directory, 2, aged=MAX_AGE + 60.0)
    age(others[0].path, -120.0)

    assert Store(directory, IDENTITY).write(catalogue(1))

    assert [os.path.exists(path) for path in (others[0].path, others[0]._lock)] == [True, True]
    assert [os.path.exists(path) for path in (others[1].path, others[1]._lock)] == [False, False]


@pytest.mark.parametrize(("aged", "stays"), [(MAX_AGE - 60.0, True), (MAX_AGE + 60.0, False)])
def test_no_catalogue_is_kept_for_longer_than_that(
    directory: str, aged: float, *, stays: bool
) -> None:
    """D12: a catalogue that nobody has renewed for thirty days is removed; a younger one is not."""
    (one,) = others_in(directory, 1, aged=aged)

    Store(directory, IDENTITY).write_shared_failure(SharedFailure(time.time() + 60.0, "down"))

    assert [os.path.exists(path) for path in (one.path, one._failure_path, one._lock)] == [
        stays
    ] * 3
    assert MAX_AGE == 30 * DAY


def test_the_lock_that_a_process_holds_is_not_swept(directory: str) -> None:
    """A lock in use stays, or two processes could hold it under one name."""
    (one,) = others_in(directory, 1, aged=2 * MAX_AGE)
    with one.locked(0.0) as held:
        assert held
        age(one._lock, 2 * MAX_AGE)
        assert Store(directory, IDENTITY).write(catalogue(1))
        assert os.path.exists(one._lock)
        assert not os.path.exists(one.path)
        with Store(directory, other(0)).locked(0.0) as too:
            assert not too


@pytest.mark.parametrize("ahead", [-400 * DAY, 400 * DAY])
def test_what_was_just_written_is_never_swept(directory: str, ahead: float) -> None:
    """Under a wall clock that is far off, and beside files from the future, a write still stores."""
    others_in(directory, 40, aged=-800 * DAY)
    store = Store(directory, IDENTITY, wall=lambda: time.time() + ahead)

    assert store.write(catalogue(1))
    assert store.write(catalogue(2))
    assert unchanged(store, 2)


def test_the_files_of_strangers_are_not_touched(directory: str, tmp_path: Path) -> None:
    """In a directory that is shared with other programs, all that the store did not make itself stays."""
    os.mkdir(directory, 0o700)
    name, source = f"catalogue-{other(1)}.json", f"catalogue-{other(2)}.json"
    names = [
        "package.json",
        "notes.tmp",
        "tmpabcd1234.tmp",
        f"{other(1)}.json",
        f"catalogue-{other(1)[:39]}.json",
        f"catalogue-{other(1).upper()}.json",
        f"x{name}",
        f"{name}x",
        f"{name}.bak",
        f"{name}.tmp",
        f"{name}.abcd123.tmp",
        f"{name}.abcd12345.tmp",
        f"{name}.abcd1234.tmp.gz",
        f"{name}\n",
        f"catalogue-{other(1)}.lock.gz",
        f"catalogue-{other(1)}.txt",
    ]
    for at in range(3):
        names += [f"{at}-{stranger}" for stranger in names[:10]]
    for stranger in names:
        write_text(os.path.join(directory, stranger), b"precious")
    os.mkdir(os.path.join(directory, f"{name}.adirectr.tmp"))
    os.mkfifo(os.path.join(directory, f"{name}.fiffifof.tmp"), 0o600)
    write_text(tmp_path / "victim", b"precious")
    os.symlink(tmp_path / "victim", os.path.join(directory, f"{name}.symlinks.tmp"))
    os.symlink(tmp_path / "victim", os.path.join(directory, source))
    if ROOT:
        for stranger in (name, f"{name}.theirown.tmp"):
            write_text(os.path.join(directory, stranger), b"precious")
            os.chown(os.path.join(directory, stranger), 65534, 65534)
    before = {*os.listdir(directory)}
    for stranger in before:
        age(os.path.join(directory, stranger), 365 * DAY)
    store = Store(directory, IDENTITY)

    assert store.write(catalogue(1))

    assert {*os.listdir(directory)} == before | {os.path.basename(store.path)}
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_one_process_at_a_time_holds_the_lock(directory: str) -> None:
    """Of fifty processes each comes to hold the lock, and no two at once."""
    os.mkdir(directory, 0o700)

    assert worker("take_turns", directory=directory, processes=50) == {
        "held": 50,
        "overlaps": 0,
        "broken": 0,
    }


def test_without_the_lock_they_overlap(directory: str) -> None:
    """The twin that must fail: fifty processes that do not lock get in each other's way."""
    os.mkdir(directory, 0o700)

    assert worker("take_turns", directory=directory, processes=50, locked=False)["overlaps"] > 0


@contextmanager
def holder(directory: str) -> Iterator[subprocess.Popen[str]]:
    """Start another process that holds the lock."""
    with started("hold", directory=directory) as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 30.0)[0]
        assert process.stdout.readline() == "true\n"
        try:
            yield process
        finally:
            process.kill()


def seconds_to_lock(store: Store, *seconds: float) -> tuple[bool, float]:
    """Return whether the lock was had, and after how many seconds."""
    began = time.monotonic()
    with store.locked(*seconds) as held:
        return held, time.monotonic() - began


def test_the_lock_of_a_killed_process_is_free(directory: str) -> None:
    """What a dead process held can be had at once."""
    store = Store(directory, IDENTITY)
    with holder(directory) as process:
        assert not seconds_to_lock(store, 0.0)[0]
        process.kill()
        process.wait()

        held, seconds = seconds_to_lock(store, 5.0)

    assert held
    assert seconds < 0.5


def test_nobody_waits_long_for_a_stopped_process(directory: str) -> None:
    """While the holder is stopped the others go on without the lock, after two seconds or those given."""
    store = Store(directory, IDENTITY)
    with holder(directory) as process:
        process.send_signal(signal.SIGSTOP)
        for seconds in (0.0, 0.4):
            held, waited = seconds_to_lock(store, seconds)
            assert not held
            assert seconds <= waited < seconds + 0.5
        held, waited = seconds_to_lock(store)
        assert not held
        assert LOCK_WAIT == 2.0
        assert LOCK_WAIT <= waited < LOCK_WAIT + 0.5
        assert store.write(catalogue(1))
        assert unchanged(store)


@pytest.mark.parametrize("seconds", [-1.0, -0.001, float("nan")])
def test_no_wait_that_makes_no_sense_is_for_ever(directory: str, seconds: float) -> None:
    """A negative time, as of a deadline that has passed, is none at all."""
    with Store(directory, IDENTITY).locked(0.0) as held:
        assert held
        too, waited = seconds_to_lock(Store(directory, IDENTITY), seconds)

    assert not too
    assert waited < 0.5


def test_the_lock_is_one_sources(directory: str) -> None:
    """Two sources do not wait for each other, and a lock within the lock of the same is not had."""
    with Store(directory, IDENTITY).locked(0.0) as held:
        assert held
        assert seconds_to_lock(Store(directory, other(1)), 0.0)[0]
        assert not seconds_to_lock(Store(directory, IDENTITY), 0.1)[0]
    assert seconds_to_lock(Store(directory, IDENTITY), 0.0)[0]


@pytest.mark.parametrize("usable", [True, False])
def test_what_is_raised_under_the_lock_comes_out_alone(
    directory: str, caplog: pytest.LogCaptureFixture, *, usable: bool
) -> None:
    """An error of the body is not taken for one of the lock, and the lock is free after it."""
    store = Store(directory if usable else "/proc/nowhere", IDENTITY)

    def fail(*, held: bool) -> None:
        assert held == usable
        raise OSError("of the body")

    with pytest.raises(OSError, match="of the body") as raised, store.locked(0.0) as held:
        fail(held=held)

    assert raised.value.__context__ is None
    assert len(caplog.records) == (not usable)
    assert seconds_to_lock(store, 0.0)[0] == usable


def test_waiting_for_the_lock_is_no_news(directory: str, caplog: pytest.LogCaptureFixture) -> None:
    """That another process holds the lock is as it should be, and is not logged."""
    with Store(directory, IDENTITY).locked(0.0), Store(directory, IDENTITY).locked(0.1) as held:
        assert not held
    assert [record for record in caplog.records if record.name.startswith("router")] == []


def test_a_fork_under_the_lock(directory: str) -> None:
    """A child that was forked under the lock does not hold it, and does not free it for others when it leaves."""
    counts = worker("fork_while_holding", directory=directory)

    assert counts.pop("seconds") < 2.0
    assert counts == {
        "held": True,
        "taken_by_the_child": False,
        "free_after_the_child": False,
        "free_at_the_end": True,
    }


@pytest.mark.parametrize("status", [503, None])
def test_a_failure_holds_until_its_time(directory: str, status: int | None) -> None:
    """A failure is known to every store of the source until the moment it names, and not after."""
    now = 1_784_000_000.0
    clock = [now]
    store = Store(directory, IDENTITY, wall=lambda: clock[0])
    setback = SharedFailure(now + 60.0, "the API answered 503", status)
    store.write_shared_failure(setback)

    assert store.read_shared_failure() == setback
    assert Store(directory, IDENTITY, wall=lambda: now + 59.9).read_shared_failure() == setback
    assert Store(directory, other(1), wall=lambda: now).read_shared_failure() is None
    for later in (60.0, 60.1, 10 * DAY):
        clock[0] = now + later
        assert store.read_shared_failure() is None


@pytest.mark.parametrize("seconds", [MAX_SHARED_DELAY + 1.0, DAY, 1e9, 1e300])
def test_no_failure_holds_for_ever(directory: str, seconds: float) -> None:
    """A failure that would hold for longer than a server can ask for was dated by a clock that was wrong."""
    store = Store(directory, IDENTITY, wall=lambda: 1_784_000_000.0)
    store.write_shared_failure(SharedFailure(1_784_000_000.0 + seconds, "down"))

    assert store.read_shared_failure() is None
    store.write_shared_failure(SharedFailure(1_784_000_000.0 + MAX_SHARED_DELAY, "down"))
    assert store.read_shared_failure() is not None
    assert MAX_SHARED_DELAY == 3600.0


def test_a_failure_is_forgotten(store: Store) -> None:
    """What was cleared is gone, once or twice, and the catalogue stays."""
    store.write_shared_failure(SharedFailure(time.time() + 60.0, "down"))
    for _ in range(2):
        store.clear_shared_failure()
        assert store.read_shared_failure() is None
    assert unchanged(store)


@pytest.mark.parametrize(
    "facts",
    [
        "{}",
        "[]",
        '{"until": "soon", "reason": "", "status": null}',
        '{"until": null, "reason": "", "status": null}',
        '{"until": NaN, "reason": "", "status": null}',
        '{"until": Infinity, "reason": "", "status": null}',
        '{"until": 1e999, "reason": "", "status": null}',
        '{"until": 1%s, "reason": "", "status": null}' % ("0" * 400),
        '{"until": 60.0, "reason": ""}',
        '{"until": 60.0, "status": 503}',
    ],
)
def test_a_failure_of_another_shape_is_none(directory: str, facts: str) -> None:
    """A failure that does not say all that one says is read as none."""
    store = Store(directory, IDENTITY, wall=lambda: 0.0)
    store.write_shared_failure(SharedFailure(60.0, "down"))
    assert store.read_shared_failure() is not None

    write_text(store._failure_path, sealed(facts))
    assert store.read_shared_failure() is None


@pytest.mark.parametrize("status", ["[]", "{}", '"503"', "503.5"])
def test_a_status_is_a_number_or_none(directory: str, status: str) -> None:
    """A status of another type is left out of a failure."""
    store = Store(directory, IDENTITY, wall=lambda: 0.0)
    os.mkdir(directory, 0o700)
    write_text(
        store._failure_path, sealed(f'{{"until": 60.0, "reason": "down", "status": {status}}}')
    )

    assert store.read_shared_failure() == SharedFailure(60.0, "down", None)


def test_what_is_cleared_is_gone(store: Store) -> None:
    """Clearing removes catalogue and failure of this source, and nothing else, as often as one likes."""
    store.write_shared_failure(SharedFailure(time.time() + 60.0, "down"))
    second = Store(store.directory, other(1))
    assert second.write(catalogue(2))

    for _ in range(2):
        store.clear()
        assert store.read() is None
        assert store.read_shared_failure() is None
    assert unchanged(second, 2)


def test_what_cannot_be_cleared_is_said(store: Store) -> None:
    """Whoever asks for a cache to be cleared must know that it was not."""
    os.unlink(store.path)
    os.mkdir(store.path)

    with pytest.raises(OSError, match=re.escape(store.path)):
        store.clear()


def test_the_same_trouble_is_logged_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever way it shows, one trouble is one line; another trouble is another."""
    os.chmod(store.directory, 0o777)  # noqa: S103 - that is the trouble
    for _ in range(3):
        store.read()
        store.write(catalogue(2))
        with store.locked():
            pass
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert store.directory in caplog.text
    assert "others may write to it" in caplog.text

    os.chmod(store.directory, 0o700)
    write_text(store.path, b"")
    store.read()
    assert len(caplog.records) == 2


def test_a_handler_that_raises_harms_nobody(store: Store) -> None:
    """An application whose log handler fails still has its cache."""

    class Broken(Listener):
        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)
            raise RuntimeError("no log today")

    broken = Broken()
    logging.getLogger("router").addHandler(broken)
    try:
        write_text(store.path, b"")
        assert store.read() is None
    finally:
        logging.getLogger("router").removeHandler(broken)
    assert len(broken.lines) == 1
    assert store.write(catalogue(2))


def test_no_part_of_the_key_is_on_disk(directory: str) -> None:
    """Neither a name nor the content of a file holds twelve characters of the key, in clear or encoded."""
    source = AnthropicSource(api_key=KEY, workspace_id="wrkspc_01", betas=["b", "a"], environ={})
    store = Store.of(source.identity or "", directory)
    assert store is not None
    with store.locked():
        assert store.write(catalogue(1))
        store.write_shared_failure(SharedFailure(time.time() + 60.0, "down", 503))
        left_over(store, "abcd1234")

    files = sorted(Path(directory).iterdir())
    assert len(files) == 4
    text = b"\n".join(path.name.encode() + b"\n" + path.read_bytes() for path in files)
    hashes = [sha256(KEY.encode()), sha256(f"x-api-key\0{KEY}".encode())]
    spellings = [
        KEY,
        quote(KEY, safe=""),
        KEY.encode().hex(),
        *(hashed.hexdigest() for hashed in hashes),
    ]
    spellings += [base64.b64encode(KEY.encode()[skip:]).decode() for skip in range(3)]
    for spelling in spellings:
        for at in range(len(spelling) - 11):
            assert spelling[at : at + 12].encode() not in text


def test_no_two_credentials_share_a_file(directory: str) -> None:
    """Everything that changes the answer changes the name under which it is kept."""
    sources = [
        AnthropicSource(api_key=KEY, environ={}),
        AnthropicSource(api_key=KEY[:-1], environ={}),
        AnthropicSource(auth_token=KEY, environ={}),
        AnthropicSource(api_key=KEY, base_url="https://gateway.example", environ={}),
        AnthropicSource(api_key=KEY, workspace_id="wrkspc_01", environ={}),
        AnthropicSource(api_key=KEY, workspace_id="wrkspc_02", environ={}),
        AnthropicSource(api_key=KEY, betas=["a"], environ={}),
        AnthropicSource(api_key=KEY, betas=["a", "b"], environ={}),
        AnthropicSource(api_key=KEY, version="2024-01-01", environ={}),
        AnthropicSource(api_key=KEY, lifecycle=["active"], environ={}),
    ]
    stores = [Store(directory, source.identity or "") for source in sources]
    for at, store in enumerate(stores):
        assert store.write(catalogue(at))

    assert [store.read() for store in stores] == [catalogue(at) for at in range(len(stores))]
    same = AnthropicSource(api_key=KEY, betas=["b", "a"], environ={})
    assert Store(directory, same.identity or "").read() == catalogue(7)
