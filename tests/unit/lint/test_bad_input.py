"""What is damaged, hostile or not what its name says: a message or a finding, never a traceback, nothing unpacked."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import commands
from edgekit.errors import BundleError
from edgekit.lint import _android, _elf, _macho, _pe, lint
from edgekit.lint._files import Unreadable
from tests import needs
from tests.unit.lint import made
from tests.unit.lint.planted import ARM, folder

pytestmark = pytest.mark.unit

DATA = Path(__file__).parents[2] / "data" / "lint"


def unreadable(path: Path) -> dict[str, str]:
    """What lint cannot read, with the reason."""
    return {each.path: each.message for each in lint(path).findings if each.rule == "unreadable"}


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    whole = made.aar(tmp_path / "a.aar").read_bytes()
    (tmp_path / "a.aar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="no whole zip"):
        lint(tmp_path / "a.aar")
    (tmp_path / "a.aar").write_bytes(b"")
    with pytest.raises(BundleError, match="no whole zip"):
        lint(tmp_path / "a.aar")


def test_a_truncated_archive_among_others_is_a_finding(tmp_path: Path) -> None:
    whole = made.aar(tmp_path / "a.aar").read_bytes()
    assert "no whole zip" in unreadable(folder(tmp_path, {"b.aar": whole[:-30], "ok.txt": b"x"}))["b.aar"]


def test_nothing_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "gone", "does not exist"), (tmp_path, "empty")):
        with pytest.raises(BundleError, match=why):
            lint(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("AndroidManifest.xml", made.AAR_MANIFEST)
        archive.writestr(ARM, bytes(40 * 2**20))
    (tmp_path / "a.aar").write_bytes(sink.getvalue())
    assert "would unpack" in unreadable(tmp_path / "a.aar")[ARM]


def test_an_archive_that_lies_about_its_sizes_gives_no_more_than_it_says(tmp_path: Path) -> None:
    whole = bytearray(made.aar(tmp_path / "a.aar", libraries={ARM: made.elf()}).read_bytes())
    at = whole.index(b"PK\x01\x02", whole.rindex(ARM.encode()) - 60)
    whole[at + 24 : at + 28] = struct.pack("<I", 10)
    (tmp_path / "a.aar").write_bytes(whole)
    assert "cannot be unpacked" in unreadable(tmp_path / "a.aar")[ARM]


def test_archives_in_archives_end(tmp_path: Path) -> None:
    data = made.zipped({"a.txt": b"x"})
    for _ in range(6):
        data = made.zipped({"inner.zip": data})
    (tmp_path / "a.zip").write_bytes(data)
    (reason,) = unreadable(tmp_path / "a.zip").values()
    assert "too deep" in reason


@pytest.mark.parametrize(
    "name", ["../../evil.so", "/etc/evil.so", "jni\\..\\evil.so", "jni/arm64-v8a/../../../evil.so"]
)
def test_a_name_that_leads_outside_is_a_finding_and_writes_nothing(name: str, tmp_path: Path) -> None:
    made.aar(tmp_path / "a.aar", more={name: made.elf()})
    before = sorted(tmp_path.rglob("*"))
    assert [each.path for each in lint(tmp_path / "a.aar").findings if each.rule == "archive-names"] == [name]
    assert sorted(tmp_path.rglob("*")) == before


@needs.posix
def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "up").symlink_to(tmp_path)
    (tmp_path / "folder" / "a.txt").write_text("x")
    (tmp_path / "bad.aar").write_bytes(b"no zip")
    assert not lint(tmp_path / "folder").findings


def test_an_encrypted_member_is_a_finding(tmp_path: Path) -> None:
    whole = bytearray(made.aar(tmp_path / "a.aar", libraries={ARM: made.elf()}).read_bytes())
    whole[whole.index(b"PK\x01\x02", whole.rindex(ARM.encode()) - 60) + 8] |= 1
    (tmp_path / "a.aar").write_bytes(whole)
    assert unreadable(tmp_path / "a.aar") == {ARM: "it is encrypted"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no XML"),
        (b"<manifest", "no XML"),
        (b"<html/>", "begins with <html>"),
        (b'<!DOCTYPE m [<!ENTITY a "aaaa">]><manifest>&a;</manifest>', "entities"),
        (b"\x03\x00\x08\x00" + b"\xff" * 40, "damaged binary"),
        (b"\x03\x00\x08\x00\x08\x00\x00\x00", "damaged binary"),
    ],
)
def test_a_manifest_that_is_none_is_a_finding(text: bytes, why: str, tmp_path: Path) -> None:
    assert why in unreadable(made.aar(tmp_path / "a.aar", manifest=text))["AndroidManifest.xml"]


def test_the_binary_form_of_android_s_own_tool_is_read() -> None:
    manifest = _android.parse((DATA / "AndroidManifest.bin").read_bytes())
    assert (manifest.min_sdk, manifest.target_sdk, manifest.debuggable, manifest.extracts) == (24, 29, True, False)
    assert manifest.permissions == ("android.permission.INTERNET",)
    assert manifest.providers == (_android.Provider("org.example.Init", "org.example.chat.init"),)


@pytest.mark.parametrize("text", [b"", b"no list", b"bplist00" + b"\xff" * 40, b"<plist><array/></plist>"])
def test_a_property_list_that_is_none_is_a_finding(text: bytes, tmp_path: Path) -> None:
    made.framework(tmp_path / "e.framework", privacy=text)
    assert "property list" in unreadable(tmp_path / "e.framework")["PrivacyInfo.xcprivacy"]


def test_a_jar_with_something_else_in_it_is_a_finding(tmp_path: Path) -> None:
    for member in ({"A.class": b"no class"}, {"META-INF/a.kotlin_module": b"\xff\xff\xff\xff"}):
        assert "classes.jar" in unreadable(made.aar(tmp_path / "a.aar", jar=member))


WHOLE: dict[str, tuple[Callable[[io.BytesIO], object], bytes]] = {
    "elf": (_elf.read, made.elf(needed=("libc.so", "libm.so"), defines="OrtGetApiBase")),
    "elf of 32 bits": (_elf.read, made.elf("x86", defines="OrtGetApiBase")),
    "mach-o": (_macho.read, made.universal(made.static(made.macho(), made.macho()), made.macho())),
    "pe": (_pe.read, made.pe(exports="OrtGetApiBase")),
    "binary manifest": (lambda stream: _android.parse(stream.read()), (DATA / "AndroidManifest.bin").read_bytes()),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_damaged_file_is_read_or_refused(name: str) -> None:
    """Cut at every length, and with bytes changed at drawn places: no other exception comes out."""
    read, whole = WHOLE[name]
    draw = random.Random(15)
    cases = [whole[:size] for size in range(0, len(whole), max(1, len(whole) // 150))]
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(draw.randint(1, 8)):
            changed[draw.randrange(len(whole))] = draw.choice((0, 1, 0x7F, 0xFF, draw.randrange(256)))
        cases.append(bytes(changed))
    refused = 0
    for case in cases:
        try:
            read(io.BytesIO(case))
        except Unreadable:
            refused += 1
    assert 10 < refused <= len(cases)


@pytest.mark.parametrize("make", ["empty", "text", "gone", "truncated"])
def test_a_command_says_in_one_line_what_it_cannot_read(
    make: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.aar"
    if make != "gone":
        text = {
            "empty": b"",
            "text": b"hello",
            "truncated": made.aar(path).read_bytes()[:500] if make == "truncated" else b"",
        }
        path.write_bytes(text[make])
    assert commands.main(["lint", str(path)]) == 6
    err = capsys.readouterr().err
    assert err.startswith("error: ") and "next: " in err and "Traceback" not in err
