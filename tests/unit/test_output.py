"""What a user names with -o: files are replaced whole, links followed, pipes and devices written to, others refused."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import data, output
from edgekit.errors import BuildError, UsageError
from tests import needs

pytestmark = [pytest.mark.unit, needs.posix]

Capture = pytest.CaptureFixture[str]


def left(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    for mask, wanted in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(mask)
        try:
            output.write(tmp_path / f"{mask}.txt", "new")
        finally:
            os.umask(before)
        assert mode(tmp_path / f"{mask}.txt") == wanted


@pytest.mark.parametrize("rights", [0o600, 0o640, 0o666, 0o755])
def test_a_file_is_replaced_and_keeps_its_rights(tmp_path: Path, rights: int) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    path.chmod(rights)
    with path.open() as reader:
        output.write(path, "new")
        assert reader.read() == "old"  # whoever reads it has all of the old one
    assert path.read_text() == "new" and mode(path) == rights and left(tmp_path) == ["x.txt"]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), output.file(path) as new:
        new.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and left(tmp_path) == ["x.txt"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    file = tmp_path / "real" / "x.txt"
    file.write_text("old")
    file.chmod(0o640)
    (tmp_path / "link").symlink_to("real/x.txt")
    (tmp_path / "link of a link").symlink_to(tmp_path / "link")
    (tmp_path / "folder").symlink_to("real", target_is_directory=True)
    for path in (tmp_path / "link", tmp_path / "link of a link", tmp_path / "folder" / "x.txt"):
        output.write(path, str(path))
        assert file.read_text() == str(path) and not file.is_symlink() and mode(file) == 0o640
    assert (tmp_path / "link").readlink() == Path("real/x.txt") and left(tmp_path / "real") == ["x.txt"]


def test_a_link_to_nothing_yet_makes_the_file_it_names(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new.txt")
    output.write(tmp_path / "link", "x")
    assert (tmp_path / "new.txt").read_text() == "x" and (tmp_path / "link").is_symlink()


def a_socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path has 104 bytes at most
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)
    return path


def a_link(path: Path, to: str) -> Path:
    path.symlink_to(to)
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a folder": (lambda folder: folder, "it is a folder"),
    "the current folder": (lambda folder: Path(), "it is a folder"),
    "a link to a folder": (lambda folder: a_link(folder / "x", "."), "it is a folder"),
    "a socket": (lambda folder: a_socket(folder / "s"), "it is a socket"),
    "a link to a socket": (lambda folder: a_link(folder / "x", a_socket(folder / "s").name), "it is a socket"),
    "a loop": (lambda folder: a_link(folder / "x", "x"), "symbolic links"),
    "a folder that is not there": (lambda folder: folder / "no" / "x", "there is no folder"),
    "a link into a folder that is not there": (lambda folder: a_link(folder / "x", "no/y"), "there is no folder"),
    "a file for a folder": (lambda folder: Path(__file__) / "x", "Not a directory"),
    "a name that is too long": (lambda folder: folder / ("x" * 300), "too long"),
    "a null character": (lambda folder: folder / "a\0b", "null"),
    "stdout": (lambda folder: Path("-"), "no text for stdout"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path, case: str) -> None:
    make, said = REFUSED[case]
    path = make(tmp_path)
    before = left(tmp_path)
    for refuse in (output.check, lambda path: output.write(path, "x")):
        with pytest.raises(UsageError, match=said) as caught:
            refuse(path)
        assert caught.value.next and "\n" not in caught.value.message
    assert left(tmp_path) == before


def test_a_disk_is_refused(tmp_path: Path, need_root: None) -> None:
    os.mknod(tmp_path / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 250))
    with pytest.raises(UsageError, match="it is a disk"):
        output.write(tmp_path / "disk", "x")


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for path in (tmp_path / "pipe", tmp_path / "link"):
        got: list[str] = []
        reader = threading.Thread(target=lambda got=got: got.append((tmp_path / "pipe").read_text()))
        reader.start()
        output.write(path, "through" * 30_000)  # more than a pipe holds
        reader.join()
        assert got == ["through" * 30_000]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and left(tmp_path) == ["link", "pipe"]


def test_a_reader_that_goes_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def glance() -> None:
        with (tmp_path / "pipe").open("rb") as pipe:
            pipe.read(1)

    reader = threading.Thread(target=glance)
    reader.start()
    with pytest.raises(UsageError, match="Broken pipe while writing"):
        output.write(tmp_path / "pipe", "x" * 2**20)
    reader.join()


@pytest.mark.parametrize("link", [False, True])
def test_a_device_is_written_to_and_stays(tmp_path: Path, link: bool) -> None:
    null, full = Path("/dev/null"), Path("/dev/full")
    if link:
        null, full = a_link(tmp_path / "null", "/dev/null"), a_link(tmp_path / "full", "/dev/full")
    output.write(null, "x")
    with pytest.raises(BuildError, match="the disk is full"):
        output.write(full, "x")
    assert stat.S_ISCHR(null.stat().st_mode) and stat.S_ISCHR(full.stat().st_mode)


def test_other_names_of_a_file_keep_the_old_one_and_that_is_said(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a").write_text("old")
    os.link(tmp_path / "a", tmp_path / "b")
    output.write(tmp_path / "a", "new")
    assert [(tmp_path / name).read_text() for name in "ab"] == ["new", "old"]
    assert "hard links" in capsys.readouterr().err


def test_names_as_long_as_a_file_system_allows_are_written(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)
    output.write(path, "x")
    assert path.read_text() == "x" and left(tmp_path) == [path.name]


def test_half_a_surrogate_pair_is_written_as_json_escapes_it(tmp_path: Path) -> None:
    output.write(tmp_path / "x.json", data.pretty({"name": "\udc80"}))
    assert (tmp_path / "x.json").read_text() == '{\n  "name": "\\udc80"\n}\n'
