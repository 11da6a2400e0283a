"""Staging and sealing: whole or nothing, whatever happens in between."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.bundle import aside
from edgekit.bundle.verify import verify
from edgekit.errors import BuildError, UsageError
from tests import needs
from tests.unit.bundle.tiny_bundle import NAME, build, contents, draft

pytestmark = pytest.mark.runtimes
HERE = Path(__file__).parent


def test_a_sealed_bundle_is_read_only_and_easy_to_remove(
    sealed: Path, bundle: Path, made_of: tuple[Path, Path]
) -> None:
    for path in sealed.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o755 if path.is_dir() else 0o444), path
    shutil.rmtree(bundle)
    build(bundle, made_of)
    subprocess.run(["rm", "-r", bundle], check=True, stdin=subprocess.DEVNULL)
    assert not bundle.exists()


def test_a_read_only_disk_is_a_usage_error(small_disk: Callable[[int], Path], made_of: tuple[Path, Path]) -> None:
    disk = small_disk(400)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for destination in (disk / NAME, disk / "new" / NAME):
        with pytest.raises(UsageError, match="no permission"):
            build(destination, made_of)


@pytest.mark.parametrize("old", [False, True])
def test_a_full_disk_is_one_line_and_leaves_what_was_there(
    small_disk: Callable[[int], Path], made_of: tuple[Path, Path], old: bool
) -> None:
    outcomes = set()
    for kilobytes in range(8 + 72 * old, 240, 8):
        disk = small_disk(kilobytes)
        if old:
            build(disk / NAME, made_of, draft(tools={"onnx": "old"}))
        before = contents(disk)
        try:
            build(disk / NAME, made_of)
        except BuildError as error:
            outcomes.add(error.message.split(" (")[0])
            assert contents(disk) == before
            assert [path.name for path in disk.iterdir()] == [NAME] * old
        else:
            assert verify(disk / NAME) == []
            break
    else:
        pytest.fail("no size of disk was enough")
    assert outcomes <= {
        "the disk is full while staging the bundle",
        "the disk is full while writing the check data",
        "the disk is full while sealing the bundle",
    }
    assert "the disk is full while staging the bundle" in outcomes


def test_two_builds_of_one_bundle_take_turns(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    """The second waits for the workspace of the first, which is in another process; both end well."""
    script = "import sys; from tests.unit.bundle.tiny_bundle import *; to, *of = map(Path, sys.argv[1:]); build(to, of)"
    command = [sys.executable, "-c", script, str(tmp_path / NAME), *map(str, made_of)]
    with aside.workspace(tmp_path / NAME) as room:
        (room / "mine").write_text("x")
        other = subprocess.Popen(command, cwd=HERE, stderr=subprocess.PIPE, text=True, env=environment())
        assert other.stderr is not None
        assert "waiting for another build" in other.stderr.readline()
        assert (room / "mine").exists()
    assert other.wait(timeout=60) == 0
    other.stderr.close()
    assert verify(tmp_path / NAME) == []
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def environment() -> dict[str, str]:
    import edgekit

    return os.environ | {"PYTHONPATH": str(Path(edgekit.__file__).parents[1])}


@needs.posix
def test_a_killed_build_does_not_keep_the_lock(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    script = (
        "import sys, time; from pathlib import Path; from edgekit.bundle import aside\n"
        "with aside.workspace(Path(sys.argv[1])) as room:\n"
        "    (room / 'half').write_text('x'); print('ready', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / NAME)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        other.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == 2
    build(tmp_path / NAME, made_of)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
