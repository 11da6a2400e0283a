"""The Kotlin face on a real JVM: what all faces do (conformance_face.py), Java, JNI, a library that is not there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgekit.devices._runner import LIBRARY
from tests import needs
from tests.engines.wrappers.conformance import GREEDY, reference_text
from tests.engines.wrappers.conformance_face import (
    Faces,
    Refusal,
    all_cases,
    anonymous_kb,
    opened,
    ten_megabytes,
    tensor,
)
from tests.engines.wrappers.conformance_respond import said
from tests.engines.wrappers.counting import Counted
from tests.engines.wrappers.kotlin import face
from tests.engines.wrappers.kotlin.face import Jvm

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("java", "javac", "npm"):
        if not shutil.which(name):
            needs.unavailable(f"{name} is not installed: make test-tools installs it")
    return face.compile_classes(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="module")
def jni(runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return face.compile_jni(runner.parent / LIBRARY, tmp_path_factory.mktemp("jni"))


@pytest.fixture(scope="module")
def jvm(classes: Path, jni: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jvm]:
    """One JVM for the module; -Xcheck:jni has found nothing when it has ended."""
    machine = Jvm(classes, jni, tmp_path_factory.mktemp("jvm"))
    yield machine
    assert machine.end() == 0
    assert machine.findings == ""


class TestFace(Faces):
    @pytest.fixture
    def face(self, jvm: Jvm) -> Jvm:
        return jvm


def test_ten_megabytes_in_and_out(
    classes: Path, jni: Path, counted: Counted, same_bundle: Path, tmp_path: Path
) -> None:
    machine = Jvm(classes, jni, tmp_path, env=counted.env)
    ten_megabytes(machine, counted, same_bundle)
    assert machine.end() == 0 and machine.findings == ""


def test_a_buffer_that_is_not_direct_is_refused(jvm: Jvm, tensor_bundle: Path) -> None:
    x = tensor(np.zeros((1, 3, 8, 8), np.float32), direct=False)
    with opened(jvm, tensor_bundle) as bundle, pytest.raises(Refusal, match="not direct") as refusal:
        jvm.ask("infer", bundle=bundle, inputs={"x": x}, outputs={"best": None})
    assert refusal.value.code == "usage"


def test_an_app_in_java(jvm: Jvm, talking_bundle: Path, tensor_bundle: Path) -> None:
    with opened(jvm, talking_bundle) as bundle:
        heard = jvm.ask("java", bundle=bundle, text="the café")
    assert heard == reference_text(talking_bundle, messages=[said("the café")], max_tokens=20)
    with opened(jvm, tensor_bundle) as bundle:
        assert jvm.ask("java", bundle=bundle, text="the café") == "usage: the bundle holds no language model"


def test_what_xcheck_finds_is_seen(classes: Path, runner: Path, case_bundle: Path, tmp_path: Path) -> None:
    """The same through a library that asks for no room for these references."""
    room, back = "if (env->PushLocalFrame(8 * count + 16)) return 0;", "env->PopLocalFrame(nullptr);"
    source = (face.SOURCES / "jni.cpp").read_text(encoding="utf-8")
    assert source.count(room) == source.count(back) == 1
    wrong = tmp_path / "jni.cpp"
    wrong.write_text(source.replace(room, "").replace(back, ""), encoding="utf-8")
    machine = Jvm(classes, face.compile_jni(runner.parent / LIBRARY, tmp_path, wrong), tmp_path)
    all_cases(machine, case_bundle)
    assert machine.end() == 0
    assert "WARNING: JNI local refs" in machine.findings


def test_a_library_that_does_not_load(
    classes: Path, jni: Path, runner: Path, talking_bundle: Path, tmp_path: Path
) -> None:
    """No library at all, and one beside which there is no engine."""
    machine = Jvm(classes, jni, tmp_path)
    with pytest.raises(Refusal) as refusal:
        machine.open(talking_bundle, library=str(tmp_path / "libnone.so"))
    assert (refusal.value.code, refusal.value.axis) == ("tool-missing", "abi") and refusal.value.next
    with pytest.raises(Refusal) as refusal:
        machine.open(talking_bundle, library=None)
    assert refusal.value.axis == "abi" and "edgekit_jni" in str(refusal.value)
    alone = Path(shutil.copyfile(runner.parent / LIBRARY, tmp_path / LIBRARY))
    lonely = face.compile_jni(alone, tmp_path)
    with pytest.raises(Refusal) as refusal:
        machine.open(talking_bundle, library=str(lonely))
    assert (refusal.value.code, refusal.value.axis) == ("tool-missing", "onnxruntime")
    assert machine.end() == 0 and machine.findings == ""


def test_the_lines_of_the_readme(classes: Path, jni: Path, talking_bundle: Path, tmp_path: Path) -> None:
    """Compiled as they stand there, with the library where the system looks."""
    assert len(face.readme_lines().splitlines()) == 5
    machine = Jvm(classes, jni, tmp_path, f"-Djava.library.path={jni.parent}", "-Dfile.encoding=UTF-8")
    question, answer = machine.ask("readme", folder=str(talking_bundle))
    assert question == said("What is the capital of France?")
    assert machine.end() == 0 and machine.findings == answer["content"] != ""


def test_a_process_that_leaves_in_mid_answer_ends_well(
    classes: Path, jni: Path, talking_bundle: Path, tmp_path: Path
) -> None:
    machine = Jvm(classes, jni, tmp_path)
    chat = machine.ask("chat", bundle=machine.open(talking_bundle), max_tokens=3000, **GREEDY)
    machine.ask("send", chat=chat, text="the hand and the can", events=3)  # nothing is closed
    assert machine.end() == 0 and machine.findings == ""


def test_it_knows_no_engine(classes: Path, jni: Path) -> None:
    compiled = list(classes.rglob("*.class"))
    assert len(compiled) > 20
    assert not [path for path in compiled if b"onnxruntime/" in path.read_bytes()]
    done = subprocess.run(["nm", "-D", jni], capture_output=True, text=True, check=True)
    words = [line.split()[-2:] for line in done.stdout.splitlines()]
    ours = {name for kind, name in words if kind == "T"}
    assert ours == {f"Java_edgekit_Native_{name}" for name in native_names()}
    assert not [name for kind, name in words if re.match(r"Oga|Ort", name)]


def native_names() -> set[str]:
    text = (face.SOURCES / "Native.kt").read_text(encoding="utf-8")
    return set(re.findall(r"external fun (\w+)\(", text))


def test_the_face_asks_no_bundle_for_its_name() -> None:
    """No branch on kind, family or provider."""
    for path in face.SOURCES.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r'"(llm|tensor|cpu|qnn|coreml|nnapi|xnnpack|webgpu|dml|portable|phi\w*|llama|qwen\w*)"', text
        )


@pytest.mark.nightly
def test_two_hundred_rounds(classes: Path, jni: Path, talking_bundle: Path, tmp_path: Path) -> None:
    """Threads and descriptors end where they began, and memory beside the heap, which is all there, does not grow."""
    request = {"messages": [said("the hand")], "max_tokens": 50, **GREEDY}
    machine = Jvm(classes, jni, tmp_path, "-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC")
    ask = partial(machine.ask, "cycles", folder=str(talking_bundle), library=str(jni), **request)
    (threads, files), _ = ask(rounds=100)
    before = anonymous_kb(machine)
    _, end = ask(rounds=100)
    assert end[1] == files and end[0] < threads + 10  # some are the JVM's own, which come and go
    assert anonymous_kb(machine) - before < 2 << 10
    assert machine.end() == 0 and machine.findings == ""


def test_no_reference_outlives_its_call() -> None:
    """Those that JNI frees by itself are all there are."""
    assert not re.search(r"New(Weak)?GlobalRef", (face.SOURCES / "jni.cpp").read_text(encoding="utf-8"))
