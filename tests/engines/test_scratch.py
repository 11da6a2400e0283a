"""A run's temporary files lie in one folder, which goes with it: at its end, or with the next run if it was killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edgekit import scratch
from tests import needs

pytestmark = [pytest.mark.runtimes, needs.posix]


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TMPDIR of this test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_all_that_is_put_aside_goes_with_the_run(tmp: Path) -> None:
    with scratch.room():
        made = Path(tempfile.mkdtemp())
        script = "import tempfile; print(tempfile.mkdtemp())"
        child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        room = made.parent
        assert Path(child.stdout.strip()).parent == room and room.parent.parent == tmp
        assert stat.S_IMODE(room.stat().st_mode) == stat.S_IMODE(room.parent.stat().st_mode) == 0o700
    assert list(tmp.iterdir()) == [] and os.environ["TMPDIR"] == str(tmp)
    assert Path(tempfile.gettempdir()) == tmp


def test_a_run_that_fails_leaves_nothing(tmp: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch.room():
        tempfile.mkdtemp()
        raise ZeroDivisionError
    assert list(tmp.iterdir()) == []


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_of_one_that_lives(tmp: Path) -> None:
    for _ in range(3):
        child = os.fork()
        if child == 0:
            with scratch.room():
                tempfile.mkdtemp()
                os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
    (home,) = tmp.iterdir()
    assert len(list(home.glob("*.lock"))) == 1  # each run met the one before it
    with scratch.room():
        mine = Path(tempfile.mkdtemp())
        os.environ["TMPDIR"] = str(tmp)  # as another process has it
        tempfile.tempdir = None
        with scratch.room():
            assert mine.is_dir() and len(list(home.glob("*.lock"))) == 2
        assert mine.is_dir()
    assert list(tmp.iterdir()) == []


@pytest.mark.parametrize("odd", ["file", "link", "open"])
def test_a_name_that_somebody_else_has_taken_is_not_used(tmp: Path, odd: str) -> None:
    home = tmp / f"ek-{os.getuid()}"
    if odd == "file":
        home.touch()
    elif odd == "link":
        (tmp / "elsewhere").mkdir()
        home.symlink_to("elsewhere")
    else:
        home.mkdir()
        home.chmod(0o777)
    with scratch.room():
        assert Path(tempfile.mkdtemp()).parent == tmp


def test_many_runs_at_once_disturb_each_other_in_nothing(tmp: Path) -> None:
    script = (
        "from pathlib import Path\nimport tempfile\nfrom edgekit import scratch\n"
        "for _ in range(40):\n"
        "    with scratch.room():\n"
        "        made = Path(tempfile.mkdtemp())\n"
        "        assert len(made.parents[1].name) > 3 and made.parents[1].name.startswith('ek-'), made\n"
        "        (made / 'x').write_text('x')\n"
        "        assert (made / 'x').read_text() == 'x'\n"
    )
    root = str(Path(scratch.__file__).parents[1])
    runs = [subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": root}) for _ in range(4)]
    assert [run.wait() for run in runs] == [0] * 4
    assert list(tmp.iterdir()) == []
