"""Every face, asked by nobody's list: what a bundle carries for the app, of all targets and kinds of model."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgekit import __version__, faces, kinds, target
from edgekit.bundle.aside import workspace
from edgekit.bundle.code import likeness, unsafe
from edgekit.bundle.files import Folder
from edgekit.bundle.read import parse, read
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import stage
from edgekit.bundle.verify import verify
from edgekit.contract.manifest import Draft, TargetFacts, seal_digest
from edgekit.data import jsonable, part, pretty
from edgekit.errors import TargetError
from edgekit.faces import _readme
from edgekit.kinds.llm import LlmContract
from edgekit.model import Tensor, TextInput
from tests.unit.bundle.planted import sealed_again
from tests.unit.bundle.tiny_bundle import PASS, draft, write_model

pytestmark = pytest.mark.unit

EVERY = [(name, face) for name in target.names() for face in faces.names()]


def facts(of: str, face: str | None = None) -> TargetFacts:
    made: TargetFacts = part(TargetFacts, target.load(of), sha256="0" * 64)
    return made if face is None else made.model_copy(update={"face": face})


def known(of: str, face: str | None = None, **changes: Any) -> Draft:
    return draft(target=facts(of, face), tools={"edgekit": __version__}, **changes)


def talks(of: str, face: str) -> Draft:
    contract = LlmContract.model_construct(kind="llm")
    return known(of, face).model_copy(update={"contract": contract})


@pytest.mark.parametrize("name", faces.names())
def test_a_face_has_sources_and_a_program_for_every_kind(name: str) -> None:
    face = faces.find(name)
    assert face is not None and face.files()
    for inside in face.files():
        assert face.has(inside) and not inside.endswith(("README.md", ".pyc", f".{face.suffix}.txt", ".md"))
    programs = {path.name for path in face.hello.glob(f"*.{face.suffix}.txt")}
    assert programs == {f"{kind}.{face.suffix}.txt" for kind in kinds.names()}
    assert {path.stem for path in face.hello.glob("*.md")} <= {"linux", "windows", "android", "ios", "macos"}


@pytest.mark.parametrize("name", target.names())
def test_the_face_of_a_target_says_how_it_is_built_there(name: str) -> None:
    its = target.load(name)
    face = faces.find(its.face)
    assert face is not None and (face.hello / f"{its.os}.md").is_file()


@pytest.mark.parametrize(("name", "face"), EVERY)
def test_the_readme_has_the_program_and_every_package_as_its_channel_writes_it(name: str, face: str) -> None:
    for bundle in (known(name, face), talks(name, face)):
        kind = bundle.contract.kind
        suffix = getattr(faces.find(face), "suffix")  # noqa: B009
        staged = faces.staged(bundle)
        readme, program = staged["README.md"], staged[f"hello/{kind}.{suffix}"]
        assert isinstance(readme, str) and isinstance(program, str)
        assert f"```{suffix}\n{program.rstrip()}\n```" in readme
        assert not re.search("@[A-Z]+@", readme + program)
        for package in bundle.target.runtime:
            assert (_readme.line(package) in readme) == (kind in package.kinds), package.name
            assert (package.last_seen in readme) or kind not in package.kinds


def test_a_program_names_the_tensors_of_its_bundle_and_their_bytes() -> None:
    tensors = (Tensor(name="in", dtype="int64", shape=("n", 3)), Tensor(name="mask", dtype="bool", shape=()))
    contract = draft().contract.model_copy(update={"inputs": tensors})
    program = faces.staged(known("android-cpu", contract=contract))["hello/tensor.kt"]
    assert isinstance(program, str)
    assert '"in" to Tensor("int64", *longArrayOf(1, 3), data = ByteBuffer.allocateDirect(24)),' in program
    assert '"mask" to Tensor("bool", *longArrayOf(), data = ByteBuffer.allocateDirect(1)),' in program


def test_a_net_of_texts_says_who_makes_its_tokens() -> None:
    forms = [("tokens", TextInput(feature="ids", max_tokens=77)), ("seen", TextInput(feature="mask", max_tokens=77))]
    inputs = tuple(Tensor(name=name, dtype="int64", shape=(1, None), preprocess=form) for name, form in forms)
    contract = draft().contract.model_copy(update={"inputs": inputs, "decode": "mean-pool"})
    for face in faces.names():
        readme = str(faces.staged(known("linux-cpu", face, contract=contract))["README.md"])
        assert "## Texts" in readme and "`tokens` (its tokens), `seen` (1 for each)" in readme
        assert "at most 77 tokens, by `model/portable/tokenizer.json`" in readme and "`mean-pool`" in readme
        assert "## Texts" not in str(faces.staged(known("linux-cpu", face))["README.md"])


@pytest.mark.parametrize("tensor", [('a"b', "int64"), ("a$b", "int64"), ("x", "str"), ("x", "object")])
def test_there_is_no_program_where_a_name_or_a_type_is_not_every_languages(tensor: tuple[str, str]) -> None:
    odd = (Tensor(name=tensor[0], dtype=tensor[1], shape=(1,)),)
    bundle = known("android-cpu", contract=draft().contract.model_copy(update={"inputs": odd}))
    staged = faces.staged(bundle)
    assert "hello/tensor.kt" not in staged and "## A program" not in str(staged["README.md"])


def sealed(folder: Path, bundle: Draft, model: Path) -> Path:
    with workspace(folder) as room:
        stage(room / "new", bundle, {"model/portable": model}, faces.staged(bundle), {"LICENSE.txt": "MIT\n"})
        seal(room / "new", bundle, PASS, folder)
    for path in folder.rglob("*"):
        path.chmod(0o755)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    write_model(tmp_path / "model")
    return tmp_path / "model"


def named(bundle: Path) -> list[str]:
    return [problem.path for problem in unsafe(Folder(bundle), read(bundle))]


@pytest.mark.parametrize("name", faces.names())
def test_what_lies_in_runtime_is_compared_with_this_edgekits_own_of_the_face(
    name: str, tmp_path: Path, model: Path
) -> None:
    bundle = sealed(tmp_path / "bundle", known("linux-cpu", name), model)
    assert likeness(Folder(bundle), read(bundle)) == "same" and verify(bundle) == []
    face = faces.find(name)
    assert face is not None
    source = f"runtime/{next(iter(face.files()))}"
    changed = ["runtime/README.md", f"runtime/hello/tensor.{face.suffix}", source]
    for path in changed:
        (bundle / path).write_text((bundle / path).read_text(encoding="utf-8") + "\n", encoding="utf-8")
    sealed_again(bundle, ())
    assert likeness(Folder(bundle), read(bundle)) == "another" and named(bundle) == sorted(changed)
    sealed_again(bundle, (), tools={"edgekit": "0.0.9"})  # another version's may differ, and is never executed
    assert likeness(Folder(bundle), read(bundle)) == "another" and named(bundle) == []


@pytest.mark.parametrize("name", faces.names())
def test_no_other_face_lies_beside_it(name: str, tmp_path: Path, model: Path) -> None:
    bundle = sealed(tmp_path / "bundle", known("linux-cpu", name), model)
    ours = {f"runtime/{inside}" for inside in faces.staged(read(bundle))}
    more = [f"runtime/{name}/extra.so", "runtime/run.sh", "runtime/hello/sitecustomize.py", "runtime/hello/more/x.kt"]
    more = [path for path in more if name != "python" or not path.endswith(".py")]
    for other in faces.names():
        face = faces.find(other)
        assert face is not None
        more += [path for path in (f"runtime/{inside}" for inside in face.files()) if path not in ours]
    for path in more:
        (bundle / path).parent.mkdir(parents=True, exist_ok=True)
        (bundle / path).write_text("x", encoding="utf-8")
    sealed_again(bundle, more, tools={"edgekit": "0.0.9"})
    assert set(named(bundle)) == set(more)


def test_an_android_bundle_carries_no_python(tmp_path: Path, model: Path) -> None:
    bundle = sealed(tmp_path / "bundle", known("android-cpu"), model)
    assert not list(bundle.rglob("*.py")) and (bundle / "runtime/kotlin/src/jni.cpp").is_file()
    assert (bundle / "runtime/cpp/src/edgekit.h").is_file()


def test_a_manifest_without_a_face_carries_python_and_one_of_a_face_that_nobody_knows_carries_nothing(
    tmp_path: Path, model: Path
) -> None:
    bundle = sealed(tmp_path / "bundle", known("linux-cpu", "python"), model)
    data = jsonable(read(bundle))
    del data["target"]["face"], data["sha256"]
    lacks = parse(pretty({**data, "sha256": seal_digest(data)}).encode())
    assert lacks.target.face == "python" and likeness(Folder(bundle), lacks) == "same"
    data["target"]["face"] = "cobol"
    strange = parse(pretty({**data, "sha256": seal_digest(data)}).encode())
    assert likeness(Folder(bundle), strange) == "another"
    problems = list(unsafe(Folder(bundle), strange))
    assert len(problems) == len(faces.staged(lacks)) and "the face 'cobol'" in problems[0].detail
    shutil.rmtree(bundle / "runtime")
    assert likeness(Folder(bundle), strange) == "none" and not list(unsafe(Folder(bundle), strange))


def test_a_target_with_an_unknown_face_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('extends = "linux-cpu"\nname = "own"\nface = "kotlln"\n', encoding="utf-8")
    with pytest.raises(TargetError, match=r"face: 'kotlln' is none of .*kotlin"):
        target.load(str(tmp_path / "own.toml"))


PAGES = [page for name in faces.names() if (face := faces.find(name)) for page in sorted(face.hello.glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parts[-3]}-{page.stem}")
def test_a_page_says_what_its_pack_needs(page: Path) -> None:
    """Of the engines, edgekit has Linux's alone."""
    for command in re.findall(r"`edgekit runtime pack --for (\w+[^`]*)`", page.read_text(encoding="utf-8")):
        assert ("--engines" in command) == (command.split()[0] not in ("linux", "jvm")), command
