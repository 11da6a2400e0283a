"""The Kotlin face on a real JVM: conversations (conformance_respond.py), texts, tensors, refusals, ends."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.devices._runner import LIBRARY
from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.llm import LlmBundle
from edgekit.wrappers.python.tensor import TensorBundle
from tests import needs
from tests.engines.wrappers.conformance import GREEDY, axis, changed, reference_text
from tests.engines.wrappers.conformance_respond import WEATHER, Answered, Opens, Responses, said
from tests.engines.wrappers.kotlin import face
from tests.engines.wrappers.kotlin.face import Jvm, Refusal, opened

pytestmark = pytest.mark.tools

EVER = 1 << 30
ZWJ = "👩‍👩‍👧 and 🏳️‍🌈"


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


class There:
    """A bundle of the Kotlin face."""

    def __init__(self, jvm: Jvm, bundle: int) -> None:
        self._ask = partial(jvm.ask, bundle=bundle)

    def answer(self, **request: Any) -> Answered:
        return self.answer_until(EVER, EVER, **request)

    def answer_until(self, pieces: int, chars: int, **request: Any) -> Answered:
        return answered(self._ask("answer", pieces=pieces, chars=chars, request=request))

    def trim(self, what: str) -> int:
        return int(self._ask("trim", what=what))


def answered(events: list[dict[str, Any]]) -> Answered:
    kinds: dict[str, list[dict[str, Any]]] = {"progress": [], "text": [], "call": [], "done": []}
    for event in events:
        kinds[event["kind"]].append(event)
    (done,) = kinds["done"]
    return Answered(
        text="".join(event["text"] for event in kinds["text"]),
        pieces=tuple(event["read"] for event in kinds["progress"]),
        calls=tuple((event["id"], event["name"], event["arguments"]) for event in kinds["call"]),
        **{name: done[name] for name in ("reason", "prompt_tokens", "tokens", "reused", "loaded")},
    )


@contextmanager
def there(jvm: Jvm, bundle: Path, slots: int = 1, piece: int = 128) -> Iterator[There]:
    with opened(jvm, bundle, slots=slots, piece=piece) as number:
        yield There(jvm, number)


class TestResponses(Responses):
    @pytest.fixture
    def opens(self, jvm: Jvm) -> Opens:
        return partial(there, jvm)


@pytest.mark.parametrize(
    "text",
    ["a hand 👋 and a can", ZWJ, "the\r\nhand\n\rand", "the\x00can", '"quoted" \\ \x1f \x7f\u2028', "é\u0301\ud7ff"],
)
def test_texts_arrive_as_they_are(jvm: Jvm, talking_bundle: Path, text: str) -> None:
    """The model has the 256 bytes as tokens: another byte is another count or another answer."""
    reference = open_bundle(talking_bundle)
    assert isinstance(reference, LlmBundle)
    with there(jvm, talking_bundle) as talker:
        answer = talker.answer(prompt=text, max_tokens=40, **GREEDY)
    assert answer.prompt_tokens == len(reference.encode(text))
    assert answer.text == "".join(reference.generate(text, max_tokens=40))


def test_characters_are_never_cut(jvm: Jvm, talking_bundle: Path) -> None:
    """Each event is decoded by itself: in an answer of random bytes there are characters of two tokens, or more."""
    cut = 0
    with there(jvm, talking_bundle) as talker:
        for prompt in ("S", "the", "é"):
            answer = talker.answer(prompt=prompt, max_tokens=300, **GREEDY)
            assert answer.text == reference_text(talking_bundle, prompt=prompt, max_tokens=300)
            cut += sum(letter > "\x7f" and letter not in "é\ufffd" for letter in answer.text)
    assert cut > 1


def test_facts_and_preflight(jvm: Jvm, talking_bundle: Path, tensor_bundle: Path) -> None:
    with opened(jvm, talking_bundle, lazy=True) as bundle:
        facts = jvm.ask("facts", bundle=bundle)
        assert (facts["kind"], facts["variant"], facts["ep"], facts["slots"]) == ("llm", "portable", "cpu", 1)
        assert facts["can"] == {"reuse": True, "cancel_in_prompt": True, "tools": False}
        assert set(facts["engines"]) == {"onnxruntime", "onnxruntime-genai"}
        assert facts["max_length"] == 4096 and facts["cache_bytes"] == 1 << 20
        before = jvm.ask("preflight", bundle=bundle, tokens=10)
        assert before["fits"] is True and before["mapped"] == 1 << 16 and before["kv"] == 1 << 20
        messages = [said("the hand")]
        asked = jvm.ask("preflight", bundle=bundle, messages=messages, max_tokens=5000)
        assert asked["fits"] is False and "4096" in asked["why"] and asked["mapped"] == 0
        answer = answered(jvm.ask("answer", bundle=bundle, request={"messages": messages, "max_tokens": 1}))
        assert asked["tokens"] == answer.prompt_tokens
    with opened(jvm, tensor_bundle) as bundle:
        facts = jvm.ask("facts", bundle=bundle)
        assert facts["kind"] == "tensor" and facts["can"] is None and facts["slots"] is None


def test_two_answers_at_once_wait_for_no_reader_of_the_other(jvm: Jvm, talking_bundle: Path) -> None:
    request = {"messages": [said("the hand")], "max_tokens": 300, **GREEDY}
    with opened(jvm, talking_bundle) as bundle:
        first, second = jvm.ask("two", bundle=bundle, **request)
    assert first == second == reference_text(talking_bundle, messages=request["messages"], max_tokens=300)


@pytest.mark.parametrize("how", ["leave", "cancel", "in prompt"])
def test_who_leaves_ends_the_answer(jvm: Jvm, talking_bundle: Path, how: str) -> None:
    """By leaving the loop, and by cancelling the coroutine: the bundle is at rest although its answer is long."""
    text = "the hand and the can in a café " * (150 if how == "in prompt" else 1)
    request = {"messages": [said(text)], "max_tokens": 2000, **GREEDY}
    with opened(jvm, talking_bundle, piece=16) as bundle:
        ask = partial(jvm.ask, bundle=bundle)
        if how == "leave":
            events = ask("leave", events=4, **request)
            assert len(events) == 4 and events[-1]["kind"] == "text"
        else:
            assert ask("cancel", in_prompt=how == "in prompt", **request) is True
        next_turn = {**request, "max_tokens": 8}
        answer = answered(ask("answer", request=next_turn))  # which waits for the end of the one before
        assert answer.text == reference_text(talking_bundle, messages=request["messages"], max_tokens=8)
        assert answer.reason == "length"
        made = ask("preflight", messages=[said("the")])  # refused while an answer is being made
        assert made["tokens"] > 0


def test_a_conversation_is_plain_data(jvm: Jvm, talking_bundle: Path) -> None:
    options = {"max_tokens": 12, **GREEDY}
    with opened(jvm, talking_bundle) as bundle:
        chat = jvm.ask("chat", bundle=bundle, **options)
        first = answered(jvm.ask("send", chat=chat, text=f"the café {ZWJ}\r\n"))
        history = jvm.ask("history", chat=chat)
        assert history == [said(f"the café {ZWJ}\r\n"), {"role": "assistant", "content": first.text}]
        second = answered(jvm.ask("send", chat=chat, text="on"))
        assert second.reused > 10
        left = jvm.ask("send", chat=chat, text="and on", events=3)
        assert jvm.ask("history", chat=chat)[-1]["content"] == "".join(each.get("text", "") for each in left)
        with pytest.raises(Refusal) as refusal:
            jvm.ask("send", chat=chat, text="the " * 5000)
        assert refusal.value.code == "usage" and len(jvm.ask("history", chat=chat)) == 6  # no trace of it
        jvm.ask("send", chat=chat, text="the hand", events=1)  # in the prompt: neither
        assert len(jvm.ask("history", chat=chat)) == 6
    with opened(jvm, talking_bundle) as bundle:  # as after the process's death
        chat = jvm.ask("chat", bundle=bundle, messages=history, **options)
        again = answered(jvm.ask("send", chat=chat, text="on"))
        assert (again.text, again.reused) == (second.text, 0)


def test_replies_to_calls(jvm: Jvm, calling_bundle: Path) -> None:
    options = {"tools": [WEATHER], "call": "required", "max_tokens": 60, **GREEDY}
    with opened(jvm, calling_bundle) as bundle:
        chat = jvm.ask("chat", bundle=bundle, **options)
        answer = answered(jvm.ask("send", chat=chat, text="Rome?"))
        ((call_id, name, arguments),) = answer.calls
        with pytest.raises(Refusal, match="no call of the last answer is 'call-7'"):
            jvm.ask("reply", chat=chat, id="call-7", json="{}")
        assert answered(jvm.ask("reply", chat=chat, id=call_id, json='{"degrees": 21}')).calls
        messages = jvm.ask("history", chat=chat)
        assert messages[2] == {"role": "tool", "content": '{"degrees": 21}', "name": name}
        function = messages[1]["tool_calls"][0]["function"]
        assert function["name"] == name and function["arguments"]["city"] == "Rome" and "Rome" in arguments
        two = [*messages[:1], {**messages[1], "tool_calls": messages[1]["tool_calls"] * 2}]
        chat = jvm.ask("chat", bundle=bundle, messages=two, **options)
        assert jvm.ask("reply", chat=chat, id=call_id, json="1") == []  # the other has no reply yet
        assert answered(jvm.ask("reply", chat=chat, id=call_id, json="2")).calls


def test_an_app_in_java(jvm: Jvm, talking_bundle: Path, tensor_bundle: Path) -> None:
    with opened(jvm, talking_bundle) as bundle:
        heard = jvm.ask("java", bundle=bundle, text="the café")
    assert heard == reference_text(talking_bundle, messages=[said("the café")], max_tokens=20)
    with opened(jvm, tensor_bundle) as bundle:
        assert jvm.ask("java", bundle=bundle, text="the café") == "usage: the bundle holds no language model"


def tensor(array: Any, **more: Any) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"type": str(array.dtype), "shape": array.shape, "data": data, **more}


def test_tensors(jvm: Jvm, tensor_bundle: Path) -> None:
    reference = open_bundle(tensor_bundle)
    assert isinstance(reference, TensorBundle)
    x = np.random.default_rng(3).normal(size=(2, 3, 8, 8)).astype(np.float32)
    expected = reference.run({"x": x})
    own = {name: tensor(np.zeros_like(array)) for name, array in expected.items()}
    with opened(jvm, tensor_bundle) as bundle:
        ask = partial(jvm.ask, "infer", bundle=bundle)
        for into in (dict.fromkeys(expected), own, own | {"best": None}, {"best": None}):
            outputs = ask(inputs={"x": tensor(x)}, outputs=into)
            assert set(outputs) == set(into)
            for name, told in outputs.items():
                array = np.frombuffer(base64.b64decode(told["data"]), told["type"]).reshape(told["shape"])
                assert array.dtype == expected[name].dtype and np.array_equal(array, expected[name]), name

        def refused(inputs: dict[str, Any], outputs: dict[str, Any]) -> str:
            with pytest.raises(Refusal) as refusal:
                ask(inputs=inputs, outputs=outputs)
            assert refusal.value.code == "usage"
            return str(refusal.value)

        assert "is float64" in refused({"x": tensor(x.astype(np.float64))}, {"best": None})
        assert "has the shape [2, 3, 8]" in refused({"x": tensor(x[..., 0])}, {"best": None})
        assert "is missing" in refused({}, {"best": None})
        assert "no output 'worst'" in refused({"x": tensor(x)}, {"worst": None})
        assert "cannot take" in refused({"x": tensor(x)}, {"best": tensor(np.zeros(3, np.int64))})
        assert "not direct" in refused({"x": tensor(x, direct=False)}, {"best": None})
        with pytest.raises(Refusal, match="no language model"):
            jvm.ask("answer", bundle=bundle, request={"prompt": "a"})


def all_cases(jvm: Jvm, case_bundle: Path) -> None:
    """Ask for many tensors at once, each of which has to come back."""
    inputs = json.loads((case_bundle / "edgekit.json").read_text(encoding="utf-8"))["contract"]["inputs"]
    feed = {each["name"]: np.ones([2] * len(each["shape"]), each["dtype"]) for each in inputs}
    with opened(jvm, case_bundle) as bundle:
        outputs = jvm.ask(
            "infer",
            bundle=bundle,
            inputs={name: tensor(array) for name, array in feed.items()},
            outputs=dict.fromkeys(name.replace("x", "y") for name in feed),
        )
    assert len(outputs) > 16
    for name, told in outputs.items():
        array = np.frombuffer(base64.b64decode(told["data"]), told["type"]).reshape(told["shape"])
        assert np.array_equal(array, feed[name.replace("y", "x")])


def test_more_tensors_than_jni_keeps_references_of(jvm: Jvm, case_bundle: Path) -> None:
    all_cases(jvm, case_bundle)


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


@pytest.mark.parametrize(
    ("name", "value", "code", "blamed"),
    [
        ("abi", ["mips"], "bundle", "abi"),
        ("os", ["beos"], "bundle", "os"),
        ("min_onnxruntime", "99.0", "bundle", "min_onnxruntime"),
        ("min_onnxruntime_genai", "99.0", "bundle", "min_onnxruntime_genai"),
    ],
)
def test_a_bundle_for_another_machine(
    jvm: Jvm, talking_bundle: Path, tmp_path: Path, name: str, value: Any, code: str, blamed: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        jvm.open(changed(talking_bundle, tmp_path, axis(name, value)))
    assert (refusal.value.code, refusal.value.axis) == (code, blamed)


def cut(bundle: Path) -> None:
    (bundle / "model/portable/model.onnx").write_bytes(b"")


def no_manifest(bundle: Path) -> None:
    (bundle / "edgekit.json").unlink()


def no_json(bundle: Path) -> None:
    (bundle / "edgekit.json").write_text("{", encoding="utf-8")


@pytest.mark.parametrize("breaks", [cut, no_manifest, no_json])
def test_a_broken_bundle(jvm: Jvm, talking_bundle: Path, tmp_path: Path, breaks: Callable[[Path], None]) -> None:
    broken = changed(talking_bundle, tmp_path, lambda manifest: None)
    breaks(broken)
    with pytest.raises(Refusal) as refusal:
        jvm.open(broken)
    assert (refusal.value.code, refusal.value.axis) == ("bundle", "") and str(refusal.value)


def test_what_is_asked_wrongly(jvm: Jvm, talking_bundle: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        jvm.open(talking_bundle, variant="other")
    assert refusal.value.code in ("bundle", "usage")
    with opened(jvm, talking_bundle) as bundle:
        for request in ({"prompt": "a", "tone": "kind"}, {}, {"prompt": ""}):
            with pytest.raises(Refusal) as refusal:
                jvm.ask("request", bundle=bundle, request=request)
            assert refusal.value.code == "usage"
    jvm.ask("close", bundle=bundle)  # once more does nothing
    for what in ("facts", "trim"):
        with pytest.raises(Refusal) as refusal:
            jvm.ask(what, bundle=bundle, what="caches")
        assert refusal.value.code == "closed"


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
def test_two_hundred_rounds(jvm: Jvm, talking_bundle: Path) -> None:
    """Threads and descriptors end where they began."""
    request = {"messages": [said("the hand")], "max_tokens": 50, **GREEDY}
    (threads, files), end = jvm.ask("cycles", rounds=200, folder=str(talking_bundle), library=str(jvm.jni), **request)
    assert end[1] == files and end[0] < threads + 10  # some are the JVM's own, which come and go
