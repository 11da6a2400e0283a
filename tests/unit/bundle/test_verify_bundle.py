"""Every changed, missing or extra byte is named, and nothing points outside."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import __version__
from edgekit.bundle import code
from edgekit.bundle.files import opened
from edgekit.bundle.read import parse, read
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import stage
from edgekit.bundle.verify import problems, verified, verify
from edgekit.bundle.zip import zip_bundle
from edgekit.data import file_digest
from edgekit.errors import BuildError, BundleError
from edgekit.faces.python import PACKAGE
from edgekit.kinds.variant import Compatibility, Variant
from edgekit.report.contents import describe
from tests import needs
from tests.unit.bundle.tiny_bundle import NAME, PASS, SIZE, build, draft, write_model

pytestmark = pytest.mark.unit

FILES = [
    "LICENSES/LICENSE.txt",
    "check/plan.json",
    "model/portable/labels.txt",
    "model/portable/model.onnx",
    "model/portable/model.onnx.data",
    "runtime/python/edgekit_runtime/__init__.py",
]
ONNX = "model/portable/model.onnx"


def named(bundle: Path, **options: object) -> list[str]:
    return [f"{problem.what}: {problem.path}" for problem in verify(bundle, **options)]  # type: ignore[arg-type]


def test_a_sealed_bundle_is_whole_as_a_folder_and_as_a_zip(sealed: Path, tmp_path: Path) -> None:
    assert sorted(json.loads((sealed / "edgekit.json").read_text())["files"][i]["path"] for i in range(6)) == FILES
    assert verify(sealed) == []
    zip_bundle(sealed, tmp_path / "b.zip")
    assert verify(tmp_path / "b.zip") == []
    assert verified(tmp_path / "b.zip") == verified(sealed) == read(sealed)


def test_verified_names_the_first_problem_and_the_number_of_the_rest(bundle: Path) -> None:
    (bundle / "check/plan.json").unlink()
    (bundle / ONNX).unlink()
    with pytest.raises(BundleError, match=r"not whole: missing: 'check/plan.json', and 1 more"):
        verified(bundle)


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("where", [0, -1])
def test_one_flipped_bit_in_any_file_is_named(bundle: Path, path: str, where: int) -> None:
    data = bytearray((bundle / path).read_bytes())
    data[where] ^= 1
    (bundle / path).write_bytes(data)
    assert named(bundle) == [f"changed: {path}"]


@pytest.mark.parametrize("path", FILES)
def test_a_missing_a_longer_and_a_shorter_file_are_named(bundle: Path, path: str) -> None:
    whole = (bundle / path).read_bytes()
    for data in (whole + b"x", whole[:-1], b""):
        (bundle / path).write_bytes(data)
        assert named(bundle) == [f"changed: {path}"]
        assert f"{len(data)} bytes instead of {len(whole)}" in str(verify(bundle)[0])
    (bundle / path).unlink()
    assert f"missing: {path}" in named(bundle)


def test_every_byte_of_the_manifest_counts(bundle: Path) -> None:
    path = bundle / "edgekit.json"
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            assert named(bundle) == ["changed: edgekit.json"]
        except BundleError as error:
            assert "edgekit.json" in error.message
    path.write_bytes(whole.replace(b"\n", b"\r\n"))
    assert named(bundle) == ["changed: edgekit.json"]


def test_what_does_not_belong_there_is_named(bundle: Path) -> None:
    (bundle / "model" / "extra.bin").write_bytes(b"")
    (bundle / ".hidden").write_text("x")
    (bundle / "check" / "__pycache__").mkdir()
    (bundle / "check" / "__pycache__" / "a.pyc").write_bytes(b"x")
    assert named(bundle) == ["extra: .hidden", "unsafe: check/__pycache__/a.pyc", "extra: model/extra.bin"]


def test_an_extra_file_is_named_whatever_roles_are_asked_for(bundle: Path) -> None:
    (bundle / "runtime" / "python" / "edgekit_runtime" / "json.py").write_text("")
    (bundle / "model" / "extra.bin").write_bytes(b"")
    extra = ["extra: model/extra.bin", "unsafe: runtime/python/edgekit_runtime/json.py"]
    assert named(bundle, roles=("model",)) == named(bundle, roles=("license",)) == extra
    shutil.rmtree(bundle / "check")
    assert named(bundle, allow_stripped=True) == extra


def test_trust_is_of_the_listed_runtime_alone(bundle: Path) -> None:
    """A digest that is right says nothing: whoever wrote the files wrote the manifest too."""
    listed = "runtime/python/edgekit_runtime/__init__.py"
    with opened(bundle) as found:
        manifest = parse(found.manifest)
        ours = manifest.model_copy(update={"tools": {"edgekit": __version__}})
        assert [problem.path for problem in code.unsafe(found, ours)] == [listed]
        assert list(code.unsafe(found, ours, trust=True)) == []
        assert list(code.unsafe(found, manifest)) == []  # of another version, which cannot be compared
    (bundle / "runtime" / "python" / "edgekit_runtime" / "json.py").write_text("")
    with pytest.raises(BundleError, match=r"unsafe: '.*json\.py' \(it lies below runtime/ and is not in the manifest"):
        verified(bundle, trust=True)


def test_links_are_named_even_where_they_lead_to_the_right_bytes(bundle: Path, sealed: Path) -> None:
    (bundle / ONNX).unlink()
    (bundle / ONNX).symlink_to(sealed / ONNX)
    shutil.rmtree(bundle / "check")
    (bundle / "check").symlink_to(sealed / "check", target_is_directory=True)
    (bundle / "loop").symlink_to(bundle)
    assert named(bundle) == ["link: check", "missing: check/plan.json", "link: loop", f"link: {ONNX}"]


def test_a_linked_manifest_is_named(bundle: Path, sealed: Path) -> None:
    (bundle / "edgekit.json").unlink()
    (bundle / "edgekit.json").symlink_to(sealed / "edgekit.json")
    assert named(bundle) == ["link: edgekit.json"]


@needs.pipes
def test_a_pipe_is_named_and_not_opened(bundle: Path) -> None:
    (bundle / ONNX).unlink()
    os.mkfifo(bundle / ONNX)
    assert named(bundle) == [f"special file: {ONNX}"]


def test_a_file_name_that_is_no_text_is_named(bundle: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(bundle) + b"/bad\xff")).write_text("x")
    except OSError:
        needs.refused_here("odd names")
    assert str(verify(bundle)[0]).isprintable()


def test_an_app_may_strip_roles_and_still_verify_the_rest(bundle: Path) -> None:
    shutil.rmtree(bundle / "check")
    shutil.rmtree(bundle / "runtime")
    assert len(named(bundle)) == 2
    assert named(bundle, allow_stripped=True) == []
    assert named(bundle, roles=("model", "license")) == []
    (bundle / ONNX).write_bytes(b"x")
    assert named(bundle, allow_stripped=True) == [f"changed: {ONNX}"]
    assert named(bundle, roles=("license",)) == []


def signed(bundle: Path, name: str = "release.sig", data: bytes = b"what a signer wrote") -> Path:
    """Put a file into signatures/, which is kept free for whoever signs a manifest."""
    path = bundle / "signatures" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_signatures_may_lie_beside_what_the_manifest_lists(bundle: Path, tmp_path: Path) -> None:
    signed(bundle)
    signed(bundle, "deep/other.pem")
    assert named(bundle) == [] and named(bundle, allow_stripped=True) == []
    assert describe(bundle).whole
    zip_bundle(bundle, tmp_path / "signed.zip")
    assert named(tmp_path / "signed.zip") == [] and describe(tmp_path / "signed.zip").whole
    with zipfile.ZipFile(tmp_path / "signed.zip") as archive:
        assert archive.read("signatures/deep/other.pem") == b"what a signer wrote"


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("x.py", b"1", "unsafe"),
        ("x.so", b"1", "unsafe"),
        ("x", b"\x7fELF\2\1\1" + bytes(64), "unsafe"),
        ("x", b"#!/bin/sh\n", "unsafe"),
        ("x:y", b"1", "extra"),
        ("x ", b"1", "extra"),
        ("NUL", b"1", "extra"),
        ("x", bytes(2**20 + 1), "extra"),
    ],
)
def test_signatures_are_no_hiding_place(bundle: Path, name: str, data: bytes, problem: str) -> None:
    signed(bundle, name, data)
    assert named(bundle) == [f"{problem}: signatures/{name}"]


@pytest.mark.parametrize(
    "path", ["Signatures/x", "signatures", "signature/x", "model/signatures/x", "check/signatures/x"]
)
def test_only_the_folder_of_that_name_is_kept_free(bundle: Path, path: str) -> None:
    (bundle / path).parent.mkdir(exist_ok=True)
    (bundle / path).write_bytes(b"1")
    assert named(bundle) == [f"extra: {path}"]


def test_a_link_among_signatures_is_named(bundle: Path) -> None:
    signed(bundle).unlink()
    (bundle / "signatures" / "x").symlink_to("/etc/passwd")
    assert "signatures/x" in str(verify(bundle)[0])


def test_half_a_role_or_no_model_is_not_stripped_but_broken(bundle: Path) -> None:
    (bundle / "model" / "portable" / "labels.txt").unlink()
    assert named(bundle, allow_stripped=True) == ["missing: model/portable/labels.txt"]
    shutil.rmtree(bundle / "model")
    assert len(named(bundle, allow_stripped=True)) == 3


def test_an_app_may_strip_other_variants_but_not_half_of_one(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    portable = draft().variants[0]
    tied = Variant(name="sm8650", path="model/sm8650/model.onnx", ep="qnn", compatibility=Compatibility(soc=("x",)))
    folder = tmp_path / NAME
    manifest = draft(variants=(portable, tied))
    staged = tmp_path / "room" / "new"
    staged.parent.mkdir()
    files = {"model/portable": made_of[0], "model/sm8650": made_of[0]}
    stage(staged, manifest, files, {PACKAGE: made_of[1]}, {})
    seal(staged, manifest, PASS, folder)
    assert verify(folder) == []
    (folder / "model" / "sm8650" / "labels.txt").unlink()
    assert named(folder, allow_stripped=True) == ["missing: model/sm8650/labels.txt"]
    shutil.rmtree(folder / "model" / "sm8650")
    assert len(named(folder)) == 3
    assert named(folder, allow_stripped=True) == []


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        (lambda folder: write_model(folder, location="../labels.txt"), "'..'"),
        (lambda folder: write_model(folder, location="/etc/passwd"), "absolute"),
        (lambda folder: write_model(folder, location="none.data"), "not in the bundle"),
        (lambda folder: write_model(folder, location=""), "empty"),
        (
            lambda folder: (folder / "model.onnx.data").write_bytes(bytes(100)),
            f"wants {SIZE * SIZE * 4} bytes",
        ),
    ],
)
def test_external_data_that_is_not_in_the_bundle_is_never_sealed(
    tmp_path: Path, made_of: tuple[Path, Path], broken: Callable[[Path], object], word: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(made_of[0], model)
    broken(model)
    with pytest.raises(BuildError, match=word):
        build(tmp_path / NAME, (model, made_of[1]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_external_data_of_a_stranger_that_leads_outside_is_unsafe(bundle: Path) -> None:
    """A stranger's manifest can have right digests; what the graph names is checked all the same."""
    write_model(bundle / "model" / "portable", location="../../../../etc/passwd")
    with opened(bundle) as found:
        manifest = parse(found.manifest)
        sizes = found.sizes
        lying = tuple(
            file.model_copy(update={"sha256": file_digest(bundle / file.path), "size": sizes[file.path]})
            for file in manifest.files
        )
        wrong = problems(found, manifest.model_copy(update={"files": lying}))
    assert [problem.what for problem in wrong] == ["unsafe"]
    assert "'../../../../etc/passwd'" in str(wrong[0])


def test_neither_a_folder_nor_a_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle at"):
        verify(tmp_path / "none")
    (tmp_path / "text").write_text("not a zip")
    with pytest.raises(BundleError, match="not a whole zip"):
        verify(tmp_path / "text")
