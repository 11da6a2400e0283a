"""Code that does not belong in a bundle is told from data by its place, its name and its first bytes."""

from __future__ import annotations

import random
import shutil
import struct
from pathlib import Path

import pytest

from edgekit import __version__
from edgekit.bundle.code import likeness, own, unsafe
from edgekit.bundle.files import Folder
from edgekit.bundle.read import read
from edgekit.errors import BuildError
from tests.unit.bundle.planted import sealed_again
from tests.unit.bundle.tiny_bundle import NAME, build, write_model

pytestmark = pytest.mark.unit

MODEL = "model/portable"
WRAPPER = "runtime/python/edgekit_runtime"


def named(bundle: Path) -> list[str]:
    return [problem.path for problem in unsafe(Folder(bundle), read(bundle))]


# What exporters and engines call files of weights: often after a parameter, whatever that is called.
@pytest.mark.parametrize(
    "name", ["layer.0.attn.o", "conv.a", "x.lib", "weights.bin", "ctx.pt", "merges.txt", "sofa", "py"]
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ",
        b"MZ".ljust(64, b"\0"),
        b"\x7fELF\x00\x00\x00".ljust(64, b"\0"),
        b"#version: 0.2\n",
        b"#!\nfirst label\n",
        b"\0\0\0\2\0\0\0\3".ljust(64, b"\0"),  # a context of QNN
        random.Random(0).randbytes(9000),
    ],
)
def test_data_is_no_code(bundle: Path, name: str, content: bytes) -> None:
    (bundle / MODEL / name).write_bytes(content)
    assert named(bundle) == []


MACHO = (0xFEEDFACE, 0xFEEDFACF, 0xCEFAEDFE, 0xCFFAEDFE, 0xCAFEBABE, 0xCAFEBABF)
HEADS = [struct.pack(">I", magic).ljust(64, b"\0") for magic in MACHO]
HEADS += [b"\x7fELF" + bytes([bits, order, 1]).ljust(60, b"\0") for bits in (1, 2) for order in (1, 2)]
HEADS += [b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", at) + bytes(at - 0x40) + b"PE\0\0" for at in (0x40, 0x80, 0x100)]
HEADS += [b"#!/bin/sh\n", b"#! /usr/bin/env python3\n", b"dex\n039\0".ljust(64, b"\0")]


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_a_program_is_told_by_its_first_bytes(bundle: Path, head: bytes) -> None:
    (bundle / MODEL / "weights.bin").write_bytes(head)
    assert named(bundle) == [f"{MODEL}/weights.bin"]


@pytest.mark.parametrize("content", [b"", random.Random(1).randbytes(300)])
@pytest.mark.parametrize("name", ["a.So", "a.so.1.2.3", "a.DLL", "a.dylib", "a.pyc", "a.\uff50\uff59", ".so", "a.pth"])
def test_a_program_is_told_by_its_name(bundle: Path, name: str, content: bytes) -> None:
    (bundle / "check" / name).write_bytes(content)
    assert named(bundle) == [f"check/{name}"]


def test_the_runtime_is_compared_with_this_edgekits(bundle: Path) -> None:
    assert likeness(Folder(bundle), read(bundle)) == "another"  # its __init__.py alone is the tests'
    sealed_again(bundle, (), tools={"edgekit": __version__})
    shutil.rmtree(bundle / "runtime")
    ours = own(read(bundle))
    for path, origin in ours.items():
        text = origin if isinstance(origin, str) else origin.read_text(encoding="utf-8")
        (bundle / path).parent.mkdir(parents=True, exist_ok=True)
        (bundle / path).write_text(text, encoding="utf-8")
    paths = list(ours)
    sealed_again(bundle, paths)
    assert likeness(Folder(bundle), read(bundle)) == "same" and named(bundle) == []
    for name in ("llm.py", "another.py"):  # a changed one, and one that this edgekit does not have
        (bundle / WRAPPER / name).write_text("x = 1\n")
    paths.append(f"{WRAPPER}/another.py")
    sealed_again(bundle, paths)
    assert likeness(Folder(bundle), read(bundle)) == "another" and named(bundle) == [paths[-1], f"{WRAPPER}/llm.py"]
    sealed_again(bundle, paths, tools={"edgekit": "0.0.9"})
    assert likeness(Folder(bundle), read(bundle)) == "another" and named(bundle) == []
    shutil.rmtree(bundle / "runtime")
    assert likeness(Folder(bundle), read(bundle)) == "none"


def test_what_would_be_refused_is_never_sealed(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    model = tmp_path / "model"
    shutil.copytree(made_of[0], model)
    write_model(model, location="weights.so")
    (model / "model.onnx.data").rename(model / "weights.so")
    with pytest.raises(BuildError, match=r"holds code: unsafe: 'model/portable/weights.so'"):
        build(tmp_path / NAME, (model, made_of[1]))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
