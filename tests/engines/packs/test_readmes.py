"""Every command of every bundle's README is run, as it stands there, or stands in ELSEWHERE with who runs it, and why.

What a bundle's README says is decided by its face, its system and its kind; the tables are held against all targets.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import numpy as np
import pytest

from edgekit import faces, kinds, target
from edgekit.bundle.read import read
from edgekit.bundle.verify import verify
from edgekit.data import jsonable
from tests.engines.packs.test_hello import commands, expected, with_face
from tests.unit.faces.test_faces import facts, known, talks
from tests.unit.test_documents import INLINE, ROOT, parsed

pytestmark = pytest.mark.runtimes

HERE = "tests/engines/packs/test_readmes.py"
COMPILED = "tests/engines/packs/test_hello.py"
# face and system -> who runs the block of its README, and why it is not run here
BLOCKS = {
    ("python", "linux"): (HERE, ""),
    ("python", "macos"): (HERE, "it is Linux's, word for word"),
    ("cpp", "linux"): (COMPILED, "it takes a compiler"),
    ("csharp", "linux"): (COMPILED, "it takes .NET's compiler"),
    ("kotlin", "linux"): (COMPILED, "it takes Kotlin's compiler"),
}
# a command in a sentence -> who runs it, and why it is not run here
PACKED = {
    "edgekit runtime pack --for linux -o edgekit-linux": (COMPILED, "it takes a compiler"),
    "edgekit runtime pack --for jvm -o edgekit-jvm": (COMPILED, "it takes Kotlin's compiler"),
    "edgekit runtime pack --for windows -o edgekit-windows --engines FOLDER": (
        "tests/engines/packs/test_windows.py",
        "it takes DLLs of Microsoft's",
    ),
    "edgekit runtime pack --for android -o edgekit-android --engines onnxruntime-genai.aar": (
        "tests/unit/packs/test_packs.py",
        "it takes Google's NDK, and Gradle after it",
    ),
    "edgekit runtime pack --for ios -o edgekit-ios --engines FOLDER": (
        "tests/unit/packs/test_packs.py",
        "it takes Microsoft's frameworks, and Xcode after it",
    ),
}
# blocks of other programs than a shell -> who reads them
READ = {
    ("csharp", "windows"): ("xml", "tests/engines/packs/test_windows.py"),
    ("kotlin", "android"): ("kotlin", "tests/unit/packs/test_packs.py"),
    ("swift", "ios"): ("swift", "tests/unit/packs/test_packs.py"),
}


@cache
def readmes() -> tuple[tuple[str, str, str], ...]:
    """Face, system, and the part of README.md that says how, of every target and kind, in every face it could have."""
    return tuple(_readmes())


def _readmes() -> Iterator[tuple[str, str, str]]:
    for name in target.names():
        for face in {target.load(name).face, *faces.names()}:
            for bundle in (known(name, face), talks(name, face)):
                text = faces.staged(bundle)["README.md"]
                assert isinstance(text, str)
                if "## How" in text:
                    yield face, bundle.target.os, text.partition("## How")[2]


def test_every_block_and_command_has_somebody_who_runs_it() -> None:
    assert {bundle.contract.kind for bundle in (known("linux-cpu"), talks("linux-cpu", "python"))} == set(kinds.names())
    blocks, quoted, read_ = set(), set(), set()
    for face, system, how in readmes():
        for language in re.findall(r"^```(\w+)\n", how, re.MULTILINE):
            if language == "sh":
                blocks.add((face, system))
            else:
                read_.add(((face, system), language))
        quoted |= set(INLINE.findall(how))
    assert blocks == set(BLOCKS)
    assert quoted == set(PACKED)
    assert read_ == {(where, language) for where, (language, _) in READ.items()}
    for who in (*(who for who, _ in (*BLOCKS.values(), *PACKED.values())), *(who for _, who in READ.values())):
        assert (ROOT / who).is_file()


@pytest.mark.parametrize("line", sorted(PACKED))
def test_a_command_in_a_sentence_is_taken(line: str) -> None:
    try:
        parsed(line)
    except click.BadParameter as error:
        assert "does not exist" in error.message  # the vendor's files are not here


def test_the_block_for_a_mac_is_that_for_linux() -> None:
    blocks = {system: set() for system in ("linux", "macos")}  # type: dict[str, set[str]]
    for face, system, how in readmes():
        if face == "python" and system in blocks:
            packages = re.sub(r"install .*", "install", how)
            blocks[system].add(re.sub(r"[\w.-]+(?=/runtime)|[\w.-]+$", "BUNDLE", packages, flags=re.MULTILINE))
    assert blocks["macos"] <= blocks["linux"] and blocks["macos"]


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has Python and nothing else."""
    (tmp_path / "bin").mkdir()
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    (tmp_path / "bin" / "python3").write_text(f'#!/bin/sh\nexec "{base}" "$@"\n', encoding="utf-8")
    (tmp_path / "bin" / "python3").chmod(0o755)
    return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run(line: str, root: Path, env: dict[str, str]) -> str:
    done = subprocess.run(line, shell=True, cwd=root, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def answered(bundle: Path, said: str) -> None:
    """What the program printed is the model's answer, or its outputs; and the bundle is as it was."""
    last = said.splitlines()[-1]
    if read(bundle).contract.kind == "llm":
        assert last.strip() and last == expected(bundle).splitlines()[-1]
    else:
        assert re.search(r"^\w+( \d+)+$", last)
    assert verify(bundle) == []


def test_a_program_of_python_answers(
    llm_bundle: Path, tensor_bundle: Path, tmp_path: Path, clean: dict[str, str]
) -> None:
    """pip takes the packages that are tested, which lie beside the environment, so that nothing is fetched."""
    site = Path(str(np.__file__)).parents[1]
    for each in (llm_bundle, tensor_bundle):
        bundle = with_face(each, "python", tmp_path, jsonable(facts("linux-cpu")))
        make, install, program = commands(bundle).splitlines()
        assert make == "python3 -m venv environment"
        if not (tmp_path / "environment").exists():
            run(make, tmp_path, clean)
        (place,) = (tmp_path / "environment" / "lib").glob("python*/site-packages")
        (place / "tested.pth").write_text(f"{site}\n", encoding="utf-8")
        assert "Would install" not in run(install, tmp_path, {**clean, "PIP_NO_INDEX": "1"})
        assert "edgekit" not in run("environment/bin/python -c 'import sys; print(*sys.path)'", tmp_path, clean)
        answered(bundle, run(program, tmp_path, clean))


@pytest.mark.nightly
def test_a_program_of_python_answers_on_the_newest_engines(
    llm_bundle: Path, tensor_bundle: Path, tmp_path: Path, clean: dict[str, str]
) -> None:
    """pip fetches what the README allows, as a reader's would."""
    index = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    for each in (llm_bundle, tensor_bundle):
        bundle = with_face(each, "python", tmp_path, jsonable(facts("linux-cpu")))
        said = [run(line, tmp_path, {**index, **clean}) for line in commands(bundle).splitlines()]
        answered(bundle, said[-1])
        shutil.rmtree(tmp_path / "environment")
