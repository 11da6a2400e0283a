"""Zips: identical bytes for identical bundles, and nothing of a stranger's gets outside or too big."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.bundle.verify import verify
from edgekit.bundle.zip import ALIGN, zip_bundle
from edgekit.errors import BundleError, UsageError
from tests.unit.bundle.tiny_bundle import NAME, contents

pytestmark = pytest.mark.unit
ONNX = "model/portable/model.onnx"


@pytest.fixture(scope="session")
def zipped(sealed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("zipped") / f"{NAME}.zip"
    zip_bundle(sealed, out)
    return out


def test_identical_bundles_give_identical_zips(sealed: Path, bundle: Path, zipped: Path, tmp_path: Path) -> None:
    for path in [*bundle.rglob("*"), bundle]:  # another time, other rights, another umask: the same bundle
        path.chmod(0o700)
        os.utime(path, (1e9, 1e9))
    zip_bundle(bundle, tmp_path / "again.zip")
    zip_bundle(bundle, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == zipped.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.zip", NAME]


def test_the_form_of_a_zip_is_fixed(zipped: Path) -> None:
    with zipfile.ZipFile(zipped) as archive:
        assert archive.namelist()[0] == "edgekit.json"
        assert archive.namelist()[1:] == sorted(archive.namelist()[1:])
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.compress_type == zipfile.ZIP_STORED
            assert stat.S_IMODE(entry.external_attr >> 16) == 0o444
            assert (entry.create_system, entry.comment, entry.extra) == (3, b"", b"")


def test_weights_start_at_a_page_so_that_they_can_be_mapped(zipped: Path, sealed: Path) -> None:
    raw = zipped.read_bytes()
    with zipfile.ZipFile(zipped) as archive:
        entry = archive.getinfo(f"{ONNX}.data")
    name, extra = struct.unpack("<HH", raw[entry.header_offset + 26 : entry.header_offset + 30])
    start = entry.header_offset + 30 + name + extra
    assert start % ALIGN == 0
    assert raw[start : start + entry.file_size] == (sealed / f"{ONNX}.data").read_bytes()


def test_a_round_trip_gives_the_same_bundle(zipped: Path, sealed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path / NAME)
    assert contents(tmp_path / NAME) == contents(sealed)


def test_a_bundle_packed_by_another_tool_is_taken(sealed: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "other"), "zip", sealed)  # deflated, with folders and times
    assert verify(tmp_path / "other.zip") == []


def test_only_a_whole_bundle_is_zipped(bundle: Path, tmp_path: Path) -> None:
    (bundle / "extra").write_text("x")
    with pytest.raises(BundleError, match="extra: 'extra'"):
        zip_bundle(bundle, tmp_path / "x.zip")
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_what_is_no_zip_is_not_overwritten(sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path):
        with pytest.raises(UsageError, match="not a zip"):
            zip_bundle(sealed, out)
    assert (tmp_path / "file").read_text() == "mine"


def repack(sealed: Path, out: Path, change: Callable[[zipfile.ZipFile], None], *, without: str = "") -> Path:
    """A zip of the bundle as a stranger would make it."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(sealed.rglob("*")):
            inside = path.relative_to(sealed).as_posix()
            if path.is_file() and inside != without:
                archive.write(path, inside)
        change(archive)
    return out


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("model/portable/zeros", bytes(200 * 2**20))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda archive: archive.writestr("../outside", "x"), "'..'"),
        (lambda archive: archive.writestr("/etc/outside", "x"), "absolute"),
        (lambda archive: archive.writestr("a/../../outside", "x"), "'..'"),
        (lambda archive: archive.writestr("C:outside", "x"), "colon"),
        (lambda archive: archive.writestr("..\\outside", "x"), "backslash"),
        (lambda archive: archive.writestr("../", ""), "'..'"),
        (lambda archive: archive.writestr(entry("link", stat.S_IFLNK | 0o777), "/etc/passwd"), "link"),
        (lambda archive: archive.writestr(entry("pipe", stat.S_IFIFO | 0o644), ""), "special file"),
        (lambda archive: archive.writestr("MODEL/x", "x"), "the same to some file systems"),
        (bomb, "more than 100 times"),
        (lambda archive: [archive.writestr(f"d/{n}", "") for n in range(10_001)], "more than 10000 entries"),
        (lambda archive: archive.writestr(entry("x"), "x", zipfile.ZIP_BZIP2), "not every system"),
    ],
)
def test_a_hostile_zip_is_refused_and_nothing_written(
    sealed: Path, tmp_path: Path, change: Callable[[zipfile.ZipFile], None], word: str
) -> None:
    archive = repack(sealed, tmp_path / "x.zip", change)
    with pytest.raises(BundleError) as caught:
        verify(archive)
    assert word in caught.value.message
    assert caught.value.message.isprintable()
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_what_the_manifest_does_not_list_is_extra_in_a_zip_too(sealed: Path, tmp_path: Path) -> None:
    archive = repack(sealed, tmp_path / "x.zip", lambda archive: archive.writestr("extra", "x"))
    assert [problem.what for problem in verify(archive)] == ["extra"]


def test_duplicate_names_are_refused(sealed: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = repack(sealed, tmp_path / "x.zip", lambda archive: archive.writestr("check/plan.json", "{ }"))
    with pytest.raises(BundleError, match="the same to some file systems"):
        verify(archive)


def test_a_missing_file_and_a_missing_manifest_are_refused(sealed: Path, tmp_path: Path) -> None:
    archive = repack(sealed, tmp_path / "x.zip", lambda archive: None, without="check/plan.json")
    assert [str(problem) for problem in verify(archive)] == ["missing: 'check/plan.json'"]
    archive = repack(sealed, tmp_path / "y.zip", lambda archive: None, without="edgekit.json")
    with pytest.raises(BundleError, match=r"it has no edgekit.json"):
        verify(archive)


def test_names_with_a_nul_and_encrypted_entries_are_refused(zipped: Path, tmp_path: Path) -> None:
    whole = zipped.read_bytes()
    at = whole.rindex(b"PK\x01\x02")  # the last entry of the directory
    (tmp_path / "nul.zip").write_bytes(whole.replace(b"check/plan.json", b"check/plan\0json"))
    (tmp_path / "key.zip").write_bytes(whole[: at + 8] + b"\x01" + whole[at + 9 :])
    for name, word in (("nul.zip", "character"), ("key.zip", "encrypted")):
        with pytest.raises(BundleError, match=word):
            verify(tmp_path / name)


def test_entries_that_share_their_bytes_are_refused(zipped: Path, tmp_path: Path) -> None:
    """The overlapping bomb of Fifield (2019): many entries of the directory point to one file."""
    whole = zipped.read_bytes()
    start, end = whole.index(b"PK\x01\x02"), whole.rindex(b"PK\x05\x06")
    large = next(
        at
        for at in range(start, end)
        if whole[at:].startswith(b"PK\x01\x02") and whole[at + 46 :].startswith(f"{ONNX}.data".encode())
    )
    size = 46 + len(f"{ONNX}.data")
    one = whole[large : large + size]
    more = b"".join(one[:46] + one[46:-4] + f"{n:04}".encode() for n in range(100))
    directory = whole[start:end] + more
    tail = bytearray(whole[end:])
    struct.pack_into("<HHII", tail, 8, 107, 107, len(directory), start)
    (tmp_path / "x.zip").write_bytes(whole[:start] + directory + tail)
    with pytest.raises(BundleError, match="share bytes"):
        verify(tmp_path / "x.zip")


def test_a_directory_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with path.open("wb") as stream:
        stream.truncate(2**30)
        stream.seek(2**30)
        stream.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 2**30, 0, 0))
    with pytest.raises(BundleError, match="directory is larger than 8 MiB"):
        verify(path)


def test_a_flipped_byte_in_a_zipped_file_is_named(zipped: Path, tmp_path: Path) -> None:
    raw = bytearray(zipped.read_bytes())
    raw[-5000] ^= 1  # in the last large file
    with zipfile.ZipFile(zipped) as archive:
        at = archive.getinfo(ONNX).header_offset
    raw[raw.index(b"MatMul", at)] ^= 1
    (tmp_path / "x.zip").write_bytes(raw)
    assert [f"{problem.what}: {problem.path}" for problem in verify(tmp_path / "x.zip")] == [
        f"changed: {ONNX}",
        f"changed: {ONNX}.data",
    ]


def test_a_zip_cut_anywhere_is_refused(zipped: Path, tmp_path: Path) -> None:
    whole = zipped.read_bytes()
    for size in (0, 1, 30, len(whole) // 2, len(whole) - 1):
        (tmp_path / "x.zip").write_bytes(whole[:size])
        with pytest.raises(BundleError, match="not a whole zip"):
            verify(tmp_path / "x.zip")


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(where=st.integers(min_value=0), put=st.binary(min_size=1, max_size=20))
def test_fuzz_a_damaged_zip_is_never_taken_for_another_bundle(
    zipped: Path, tmp_path: Path, where: int, put: bytes
) -> None:
    raw = bytearray(zipped.read_bytes())
    at = len(raw) - 1 - where % 900 if where % 2 else where % len(raw)  # half of them in the directory
    raw[at : at + len(put)] = put
    (tmp_path / "x.zip").write_bytes(raw)
    try:
        problems = verify(tmp_path / "x.zip")
    except BundleError:
        return
    with zipfile.ZipFile(zipped) as archive, zipfile.ZipFile(tmp_path / "x.zip") as damaged:
        assert problems or damaged.read("edgekit.json") == archive.read("edgekit.json")
