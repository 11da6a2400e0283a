"""Staging and sealing: whole or nothing, whatever happens in between."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from edgekit.bundle import aside
from edgekit.bundle.read import read
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import copy, stage
from edgekit.bundle.verify import verify
from edgekit.errors import BuildError, BundleError, EdgekitError, UsageError
from edgekit.faces.python import PACKAGE
from tests import needs
from tests.unit.bundle.tiny_bundle import NAME, PASS, build, contents, draft

pytestmark = pytest.mark.unit


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


@needs.copy_in_kernel
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


def test_an_earlier_edgekits_bundle_of_this_name_is_replaced(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    build(tmp_path / NAME, made_of)
    manifest = tmp_path / NAME / "edgekit.json"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace('"format": "1.0-draft"', '"format": "0.9"'))
    with pytest.raises(BundleError, match="format"):
        read(tmp_path / NAME)
    build(tmp_path / NAME, made_of)
    assert read(tmp_path / NAME).name == NAME and verify(tmp_path / NAME) == []


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
    for inside, word in (
        ("signatures/x", "a signature is of"),
        ("stray.txt", "no place"),
        ("model/stray.txt", "no place"),
        ("check/a:b", "colon"),
    ):
        with pytest.raises(EdgekitError, match=word), aside.workspace(tmp_path / NAME) as room:
            stage(room / "new", draft(), {"model/portable": made_of[0]}, {PACKAGE: made_of[1]}, {})
            (room / "new" / inside).parent.mkdir(exist_ok=True)
            (room / "new" / inside).write_text("x")
            seal(room / "new", draft(), PASS, tmp_path / NAME)
        assert list(tmp_path.iterdir()) == []


def test_a_missing_model_file_is_one_line(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    with pytest.raises(BuildError, match=r"No such file.*staging the bundle"):
        build(tmp_path / NAME, (tmp_path / "none", made_of[1]))
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_is_a_file_is_a_usage_error(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError):
        build(tmp_path / "file" / NAME, made_of)


def two_files(folder: Path) -> tuple[Path, Path]:
    (folder / "one").write_text("1")
    (folder / "other").write_text("2")
    return folder / "one", folder / "other"


def test_exchange_swaps_names(tmp_path: Path) -> None:
    one, other = two_files(tmp_path)
    if not aside._exchange(one, other):
        needs.refused_here("exchange")
    assert (one.read_text(), other.read_text()) == ("2", "1")
    assert not aside._exchange(one, tmp_path / "none")


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


def test_every_byte_is_on_the_disk_before_the_bundle_is_in_place(
    tmp_path: Path, made_of: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut at any moment leaves a whole bundle or none: files and folders first, then the name they get."""
    destination, real = tmp_path / NAME, os.fsync
    synced: dict[bool, set[int]] = {False: set(), True: set()}

    def noted(handle: int) -> None:
        synced[destination.exists()].add(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", noted)
    build(destination, made_of)
    inside = {path.stat().st_ino for path in (destination, *destination.rglob("*"))}
    assert inside <= synced[False]
    assert tmp_path.stat().st_ino in synced[True]


@pytest.mark.parametrize("odd", ["link", "pipe"])
def test_a_link_or_a_pipe_is_not_sealed(tmp_path: Path, made_of: tuple[Path, Path], odd: str) -> None:
    with pytest.raises(BuildError, match="the staged bundle holds a"), aside.workspace(tmp_path / NAME) as room:
        stage(room / "new", draft(), {"model/portable": made_of[0]}, {PACKAGE: made_of[1]}, {})
        at = room / "new" / "check" / "odd"
        at.parent.mkdir()
        at.symlink_to("/etc/passwd") if odd == "link" else os.mkfifo(at)
        seal(room / "new", draft(), PASS, tmp_path / NAME)
    assert list(tmp_path.iterdir()) == []
