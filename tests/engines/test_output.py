"""Writing what a user names, seen from other processes: our own output, other users, killed writers."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import console, data, output, scratch
from tests import needs

pytestmark = [
    pytest.mark.runtimes,
    needs.posix,
]


def left(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


WRITES = """
import sys
from pathlib import Path
from edgekit import console, output
console.out("before")
output.write(Path(sys.argv[1]), "the file\\n")
console.out("after")
"""


def run(words: str, folder: Path) -> str:
    shell = f'exec {sys.executable} -c "$0" {words}'
    root = str(Path(console.__file__).parents[1])
    done = subprocess.run(
        ["sh", "-c", shell, WRITES], cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_our_own_output_is_written_to_in_its_order(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    assert run(name, tmp_path) == "before\nthe file\nafter\n"
    for into in (">", ">>"):
        run(f"{name} {into} log", tmp_path)
        assert (tmp_path / "log").read_text() == "before\nthe file\nafter\n"
        (tmp_path / "log").unlink()
    run("log > log", tmp_path)
    assert (tmp_path / "log").read_text() == "before\nthe file\nafter\n"
    run("/dev/fd/3 3> three", tmp_path)
    assert (tmp_path / "three").read_text() == "the file\n"
    assert left(tmp_path) == ["link", "log", "three"]


AS_ANOTHER = """
import sys
from pathlib import Path
from edgekit import output
from edgekit.errors import UsageError
for name in sys.argv[1:]:
    try:
        output.write(Path(name), "new")
        print("written")
    except UsageError as error:
        print(error.message.rpartition(": ")[2])
"""


def test_what_may_not_be_written_is_refused_and_left(tmp_path: Path, need_other_user: list[str]) -> None:
    folder = Path(f"/tmp/edgekit-{os.getpid()}")  # pytest's own folders are its user's alone
    folder.mkdir(mode=0o777)
    try:
        folder.chmod(0o777)
        (folder / "locked").mkdir()
        for name, rights in (("locked/x", 0o666), ("read-only", 0o444), ("free", 0o666)):
            (folder / name).write_text("old")
            (folder / name).chmod(rights)
        (folder / "locked").chmod(0o555)
        names = [str(folder / name) for name in ("locked/x", "locked/new", "read-only", "free", "new")]
        root = str(Path(console.__file__).parents[1])
        done = subprocess.run(
            [*need_other_user, sys.executable, "-c", AS_ANOTHER, *names],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        locked = f"no permission to make a file in {folder}/locked"
        assert done.stdout.splitlines() == [locked, locked, "it is read-only", "written", "written"], done.stderr
        assert [(folder / name).read_text() for name in ("locked/x", "read-only", "free")] == ["old", "old", "new"]
        assert mode(folder / "free") == 0o666
    finally:
        (folder / "locked").chmod(0o755)
        subprocess.run(["rm", "-r", str(folder)], check=True)


@pytest.mark.parametrize("write", [output.write, data.write_atomic])
def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path, write: Callable[[Path, str], None]) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    for _ in range(2):
        child = os.fork()
        if child == 0:
            with scratch.beside(path) as new:
                new.write_text("half")
                os.kill(os.getpid(), 9)
        os.waitpid(child, 0)
    assert len(left(tmp_path)) >= 2 and path.read_text() == "old"
    with scratch.beside(path) as other:  # one that lives stays
        other.write_text("other")
        write(path, "new")
        assert left(tmp_path) == sorted([other.name, "x.txt"])
    assert path.read_text() == "other" and left(tmp_path) == ["x.txt"]
