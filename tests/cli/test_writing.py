"""What the command writes: a file is replaced at once or stays, a device is written to."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from threading import Thread

import pytest
from devices import device
from read_page import data_of
from terminal import Command, Ran, spawned


def test_the_page_is_written_and_told(
    command: Command, matrix_listing: str, tmp_path: Path
) -> None:
    """The file is the page, nothing else is left beside it, and standard output stays empty."""
    path = tmp_path / "out" / "matrix.html"
    path.parent.mkdir()
    path.write_text("what was there", encoding="utf-8")
    ran = command("matrix", "--html", str(path), "--source", matrix_listing)

    assert ran == Ran(0, "", f"wrote {path}\n")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert [model["id"] for model in data_of(path.read_text("ascii"))["models"]] == [
        "claude-new",
        "claude-old",
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask()


def umask() -> int:
    """Return what this process takes from the permissions of a new file."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_a_link_is_followed(command: Command, matrix_listing: str, tmp_path: Path) -> None:
    """What the link names is replaced, and the link stays one."""
    (tmp_path / "link.html").symlink_to(tmp_path / "real.html")
    command("matrix", "--html", str(tmp_path / "link.html"), "--source", matrix_listing)

    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_text("ascii").startswith("<!doctype html>")


def test_a_pipe_is_written_to_and_not_replaced(
    command: Command, matrix_listing: str, tmp_path: Path
) -> None:
    """A device is no file whose place another one could take."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = Thread(target=lambda: read.append(pipe.read_text("ascii")), daemon=True)
    reader.start()
    ran = command("matrix", "--html", str(pipe), "--source", matrix_listing)
    reader.join(30)

    assert ran.status == 0
    assert read[0].endswith("</html>\n")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "is a directory: name a file in it"),
        ("nowhere/m.html", "cannot be written: No such file"),
    ],
)
def test_what_is_no_file_is_refused(
    command: Command, matrix_listing: str, tmp_path: Path, name: str, said: str
) -> None:
    """Bad usage that names the path, and no file is left behind."""
    before = sorted(tmp_path.iterdir())
    ran = command("matrix", "--html", str(tmp_path / name), "--source", matrix_listing)

    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, matrix_listing: str
) -> None:
    """On a disk that takes no more the old page stays whole, and the status says so."""
    path = tmp_path / "matrix.html"
    path.write_text("what was there", encoding="utf-8")
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); from router.cli import main; main()"
    )
    ran = spawned("matrix", "--html", str(path), "--source", matrix_listing, code=limited)

    assert (ran.status, ran.err) == (74, f"router: {path}: File too large\n")
    assert path.read_text("utf-8") == "what was there"
    assert {each.name for each in tmp_path.iterdir()} == {"matrix.html", "listing.json"}


def test_a_device_that_is_full_is_told(
    command: Command, matrix_listing: str, tmp_path: Path
) -> None:
    """What cannot be written is an error, and the device stays what it is."""
    full = device(tmp_path / "full", "full")

    ran = command("matrix", "--html", str(full), "--source", matrix_listing)

    assert ran == Ran(74, "", f"router: {full}: No space left on device\n")
    assert full.is_char_device()
