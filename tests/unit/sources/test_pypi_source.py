"""pypi: references, with a folder as the index: real pip, no network."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from edgekit.errors import SourceError
from edgekit.sources import open_source, pypi
from edgekit.sources._archive import open_zip, unpack

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "ref",
    [
        "pypi:tiny-model",
        "pypi:tiny-model==1.0",
        "pypi:tiny-model>=1.0#a.onnx",
        "pypi:--index-url=http://x==1.0#a.onnx",
        "pypi:tiny-model==-r#a.onnx",
        "pypi:tiny-model==1.0#../a.onnx",
        "pypi:tiny-model==1.0#/etc/passwd",
        "pypi:tiny-model==1.0#a/./b.onnx",
        "pypi:tiny-model==1.0#a\\b.onnx",
        "pypi:tiny-model==1.0#a.onnx@sha256=12",
        "pypi:tiny model==1.0#a.onnx",
    ],
)
def test_a_form_that_is_refused(ref: str) -> None:
    _refused(ref, "is not of the form pypi:package==version#path/in/wheel")


def _zip(tmp_path: Path, *members: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def _link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "C:x", "a\\..\\x"])
def test_members_that_lead_outside(tmp_path: Path, name: str) -> None:
    _unpack_refused(_zip(tmp_path, (name, b"x")), "not a plain file inside it")
    assert not (tmp_path / "x").exists()


def test_links_twins_bombs_and_damage(tmp_path: Path) -> None:
    _unpack_refused(_zip(tmp_path, (_link("a"), b"/etc")), "not a plain file inside it")
    with pytest.warns(UserWarning, match="Duplicate name"):
        twins = _zip(tmp_path, ("a", b"1"), ("a", b"2"))
    _unpack_refused(twins, "two of one name")
    _unpack_refused(_zip(tmp_path, ("a", bytes(40 << 20))), "would unpack")
    honest = _zip(tmp_path, ("a", bytes(range(256)) * 40))
    data = bytearray(honest.read_bytes())
    data[60:70] = bytes(10)
    honest.write_bytes(data)
    _unpack_refused(honest, "is damaged")
    honest.write_bytes(data[:-30])
    _unpack_refused(honest, "not a readable archive")


def test_a_directory_that_understates_a_size(tmp_path: Path) -> None:
    path = _zip(tmp_path, ("a", bytes(range(256)) * 40))
    data = path.read_bytes()
    true, false = (10240).to_bytes(4, "little"), (16).to_bytes(4, "little")
    path.write_bytes(data.replace(true, false))
    _unpack_refused(path, "is damaged")


def test_names_of_packages_are_not_options() -> None:
    assert pypi.parse("pypi:a.b-c_d==1.0+local.1#x/y z.onnx").requirement == "a.b-c_d==1.0+local.1"


def _unpack_refused(path: Path, message: str) -> None:
    with pytest.raises(SourceError, match=message), open_zip(path) as archive:
        unpack(archive, archive.infolist(), path.parent / "out")


def _refused(ref: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as error:
        open_source(ref)
    assert error.value.exit_code == 4 and error.value.next and "\n" not in error.value.message
