"""Staging and sealing: whole or nothing, whatever happens in between."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_bundle import NAME, build, contents, draft

from edgekit.bundle import aside
from edgekit.bundle.read import read
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import copy, stage
from edgekit.bundle.verify import verify
from edgekit.errors import BuildError, EdgekitError, UsageError

pytestmark = pytest.mark.unit
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


def test_the_modes_do_not_depend_on_the_umask(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    before = os.umask(0o077)
    try:
        build(tmp_path / NAME, made_of)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")} == {0o755, 0o444}


def test_an_edited_bundle_does_not_damage_what_it_was_made_of(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    before = contents(made_of[0])
    build(tmp_path / NAME, made_of)
    edited = tmp_path / NAME / "model/portable/model.onnx.data"
    edited.chmod(0o644)
    with edited.open("r+b") as stream:
        stream.write(b"damage")
    assert contents(made_of[0]) == before


def test_links_in_the_origin_are_copied_as_what_they_lead_to(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    hub = tmp_path / "hub"
    hub.mkdir()
    for path in made_of[0].iterdir():
        (hub / path.name).symlink_to(path)
    build(tmp_path / NAME, (hub, made_of[1]))
    assert verify(tmp_path / NAME) == []


@pytest.mark.skipif(not hasattr(os, "copy_file_range"), reason="this system cannot copy in the kernel")
@pytest.mark.parametrize("good_calls", [0, 1])
def test_a_copy_that_the_kernel_breaks_off_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good_calls: int
) -> None:
    real = os.copy_file_range
    calls: list[int] = []

    def breaks_off(source: int, sink: int, count: int) -> int:
        calls.append(count)
        if len(calls) > good_calls:
            raise OSError(errno.EXDEV, "cross-device link")
        return real(source, sink, 1000)

    monkeypatch.setattr(os, "copy_file_range", breaks_off)
    data = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(data)
    copy(tmp_path / "a", tmp_path / "new" / "b")
    assert (tmp_path / "new" / "b").read_bytes() == data


def test_odd_names_of_the_destination_work(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    destination = tmp_path / "-o ünï 模" / NAME
    build(destination, made_of)
    build(destination, made_of)
    assert verify(destination) == []


def test_a_rebuild_replaces_the_bundle_and_leaves_nothing_else(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    build(tmp_path / NAME, made_of, draft(tools={"onnx": "old"}))
    build(tmp_path / NAME, made_of)
    assert verify(tmp_path / NAME) == []
    assert read(tmp_path / NAME).tools == draft().tools
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def foreign(kind: str, at: Path, made_of: tuple[Path, Path]) -> None:
    if kind == "file":
        at.write_text("mine")
    elif kind == "folder":
        at.mkdir()
        (at / "mine.txt").write_text("mine")
    elif kind == "other bundle":
        other = at.parent / "elsewhere" / "other"
        build(other, made_of, draft("other"))
        other.rename(at)
        other.parent.rmdir()
    elif kind == "damaged bundle":
        build(at, made_of)
        (at / "edgekit.json").chmod(0o644)
        (at / "edgekit.json").write_text("{}")
    else:
        at.symlink_to(at.parent / "nowhere")


@pytest.mark.parametrize("kind", ["file", "folder", "other bundle", "damaged bundle", "link"])
def test_what_is_not_an_earlier_bundle_is_not_replaced(tmp_path: Path, made_of: tuple[Path, Path], kind: str) -> None:
    foreign(kind, tmp_path / NAME, made_of)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="exists and is") as caught:
        build(tmp_path / NAME, made_of)
    assert "--force" in caught.value.next
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    build(tmp_path / NAME, made_of, force=True)
    assert verify(tmp_path / NAME) == []
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_an_empty_folder_is_no_obstacle(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    (tmp_path / NAME).mkdir()
    build(tmp_path / NAME, made_of)
    assert verify(tmp_path / NAME) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, BuildError, OSError])
def test_a_failure_leaves_nothing_not_even_the_folder_it_made(tmp_path: Path, error: type[BaseException]) -> None:
    destination = tmp_path / "new" / "deep" / NAME
    with pytest.raises(error), aside.workspace(destination) as room:
        (room / "new").mkdir()
        (room / "new" / "half").write_text("half")
        raise error("x")
    assert list(tmp_path.iterdir()) == []


def test_what_no_bundle_may_hold_is_not_sealed(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    for inside, word in (("stray.txt", "no place"), ("model/stray.txt", "no place"), ("check/a:b", "colon")):
        with pytest.raises(EdgekitError, match=word), aside.workspace(tmp_path / NAME) as room:
            stage(room / "new", draft(), {"model/portable": made_of[0]}, made_of[1], {})
            (room / "new" / inside).parent.mkdir(exist_ok=True)
            (room / "new" / inside).write_text("x")
            seal(room / "new", draft(), tmp_path / NAME)
        assert list(tmp_path.iterdir()) == []


def test_a_missing_model_file_is_one_line(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    with pytest.raises(BuildError, match=r"No such file.*staging the bundle"):
        build(tmp_path / NAME, (tmp_path / "none", made_of[1]))
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_disk_is_a_usage_error(small_disk: Callable[[int], Path], made_of: tuple[Path, Path]) -> None:
    disk = small_disk(400)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for destination in (disk / NAME, disk / "new" / NAME):
        with pytest.raises(UsageError, match="no permission"):
            build(destination, made_of)


def test_an_output_folder_that_is_a_file_is_a_usage_error(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError):
        build(tmp_path / "file" / NAME, made_of)


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("way", ["exchange", "rename"])
def test_killed_before_any_change_on_the_disk_the_next_build_completes(tmp_path: Path, way: str) -> None:
    if way == "exchange" and not aside._exchange(*two_files(tmp_path)):
        pytest.skip("this file system cannot exchange two names")
    stride = "1" if way == "rename" or os.environ.get("EDGEKIT_NIGHTLY") else "3"
    command = [sys.executable, str(HERE / "killed.py"), str(tmp_path), way, stride]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    rounds = [int(word) for word in done.stdout.split()]  # the last of each is not killed
    assert rounds == [2, 3] if way == "rename" else min(rounds) > 12


def two_files(folder: Path) -> tuple[Path, Path]:
    (folder / "one").write_text("1")
    (folder / "other").write_text("2")
    return folder / "one", folder / "other"


def test_exchange_swaps_names(tmp_path: Path) -> None:
    one, other = two_files(tmp_path)
    if not aside._exchange(one, other):
        pytest.skip("this file system cannot exchange two names")
    assert (one.read_text(), other.read_text()) == ("2", "1")
    assert not aside._exchange(one, tmp_path / "none")


def test_two_builds_of_one_bundle_take_turns(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    """The second waits for the workspace of the first, which is in another process; both end well."""
    script = "import sys; from tiny_bundle import *; to, *made_of = map(Path, sys.argv[1:]); build(to, made_of)"
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


def test_builds_at_once_in_one_process_all_end_well(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    failed: list[BaseException] = []

    def one() -> None:
        try:
            build(tmp_path / NAME, made_of)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert verify(tmp_path / NAME) == []
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
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
