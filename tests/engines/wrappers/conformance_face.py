"""What the faces of the core do alike, each asked through a process of its own (kotlin/Driver.kt, cpp/driver.cpp).

The class is a base: a test module has a `face` fixture and a Test... class for it.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from edgekit.inputs import images
from edgekit.tools import QUIET_ENGINES
from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.llm import LlmBundle
from edgekit.wrappers.python.tensor import TensorBundle
from edgekit.wrappers.python.upright import upright
from tests.engines.wrappers.conformance import GREEDY, Change, axis, changed, reference_text
from tests.engines.wrappers.conformance_respond import WEATHER, Answered, Opens, Responses, said
from tests.engines.wrappers.counting import Counted
from tests.engines.wrappers.runtimes import InProcess

EVER = 1 << 30
ZWJ = "👩‍👩‍👧 and 🏳️‍🌈"


class Refusal(Exception):
    """A Refused of a face."""

    def __init__(self, code: str, message: str, next: str, axis: str) -> None:
        super().__init__(message)
        self.code, self.next, self.axis = code, next, axis


class FaceProcess:
    """A program that uses a face: it reads requests on stdin, and answers into the file that its last word names."""

    def __init__(
        self, words: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        """`env`: more than this process's environment, `options`: with which it opens bundles."""
        self._options = options
        self._stdout, self._stderr = folder / "stdout.txt", folder / "stderr.txt"
        reading, writing = os.pipe()
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [*words, f"/dev/fd/{writing}"],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **QUIET_ENGINES, **(env or {})},
                pass_fds=(writing,),
            )
        self.pid = self._process.pid
        os.close(writing)
        self._answers = os.fdopen(reading, "rb")

    def ask(self, do: str, **request: Any) -> Any:
        """One request, answered; of tensors it has the names twice, for who reads no keys.

        Raises:
            Refusal: the face refuses it.
        """
        assert self._process.stdin is not None
        request |= {f"{side}_names": list(request[side]) for side in ("inputs", "outputs") if side in request}
        self._process.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
        self._process.stdin.flush()
        line = self._answers.readline()
        assert line, self.findings + self.errors[-4000:]
        answer = json.loads(line)
        if "refused" in answer:
            raise Refusal(**answer["refused"])
        return answer["value"]

    def open(self, folder: Path, **options: Any) -> int:
        """A bundle's number."""
        return int(self.ask("open", folder=str(folder), **{**self._options, **options}))

    def end(self) -> int:
        """End its input, and wait for its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._answers.close()
        return self._process.wait(timeout=60)

    @property
    def findings(self) -> str:
        """All that it wrote on stdout."""
        return self._stdout.read_text(encoding="utf-8", errors="replace")

    @property
    def errors(self) -> str:
        """All that it, and the engines in it, wrote on stderr."""
        return self._stderr.read_text(encoding="utf-8", errors="replace")


@contextmanager
def opened(face: FaceProcess, folder: Path, **options: Any) -> Iterator[int]:
    """A bundle's number while it is open."""
    bundle = face.open(folder, **options)
    try:
        yield bundle
    finally:
        face.ask("close", bundle=bundle)


class There:
    """A bundle of a face."""

    def __init__(self, face: FaceProcess, bundle: int) -> None:
        self._ask = partial(face.ask, bundle=bundle)

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
def there(face: FaceProcess, bundle: Path, slots: int = 1, piece: int = 128) -> Iterator[There]:
    with opened(face, bundle, slots=slots, piece=piece) as number:
        yield There(face, number)


def tensor(array: Any, **more: Any) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"type": str(array.dtype), "shape": array.shape, "data": data, **more}


def all_cases(face: FaceProcess, case_bundle: Path) -> None:
    """Ask for many tensors at once, each of which has to come back."""
    inputs = json.loads((case_bundle / "edgekit.json").read_text(encoding="utf-8"))["contract"]["inputs"]
    feed = {each["name"]: np.ones([2] * len(each["shape"]), each["dtype"]) for each in inputs}
    with opened(face, case_bundle) as bundle:
        outputs = face.ask(
            "infer",
            bundle=bundle,
            inputs={name: tensor(array) for name, array in feed.items()},
            outputs=dict.fromkeys(name.replace("x", "y") for name in feed),
        )
    assert len(outputs) > 16
    for name, told in outputs.items():
        array = np.frombuffer(base64.b64decode(told["data"]), told["type"]).reshape(told["shape"])
        assert np.array_equal(array, feed[name.replace("y", "x")])


def ten_megabytes(face: FaceProcess, counted: Counted, same_bundle: Path) -> None:
    """In and out, from the face's memory into its own: the core, which is warm, allocates next to nothing for them."""
    with opened(face, same_bundle) as bundle:
        ask = partial(face.ask, "large", bundle=bundle)
        assert ask(floats=1000) is True
        counted.begin()
        assert ask(floats=10_000_000 // 4) is True
        calls, size = counted.told()
    assert calls > 0 and size < 64_000, (calls, size)


def anonymous_kb(face: FaceProcess) -> int:
    """Memory of its process that is nobody else's."""
    lines = Path(f"/proc/{face.pid}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon:")).split()[1])


def cut(bundle: Path) -> None:
    (bundle / "model/portable/model.onnx").write_bytes(b"")


def no_manifest(bundle: Path) -> None:
    (bundle / "edgekit.json").unlink()


def no_json(bundle: Path) -> None:
    (bundle / "edgekit.json").write_text("{", encoding="utf-8")


def no_size(manifest: dict[str, Any]) -> None:
    for file in manifest["files"]:
        file["size"] = 1e300  # which C++ must not cast


BROKEN: dict[str, Change] = {
    "another format": lambda manifest: manifest.update(format="2.0"),
    "no format": lambda manifest: manifest.pop("format"),
    "a feature": lambda manifest: manifest.update(requires=["telepathy"]),
    "a kind": lambda manifest: manifest["contract"].update(kind="dream"),
    "an os": axis("os", ["plan9"]),
    "an abi": axis("abi", ["riscv64"]),
    "a chip": axis("soc", ["SM8650"]),
    "an engine": axis("min_onnxruntime", "99.1"),
    "a provider": lambda manifest: manifest["variants"][0].update(ep="abacus"),
    "a file outside": lambda manifest: manifest["variants"][0].update(path="../outside.onnx"),
    "a file that is gone": lambda manifest: manifest["variants"][0].update(path="model/gone.onnx"),
    "a size that no file has": no_size,
    "no variants": lambda manifest: manifest.update(variants=[]),
    "no contract": lambda manifest: manifest.pop("contract"),
}


class Faces(Responses):
    """Conversations (conformance_respond.py), texts, tensors and refusals."""

    wrong: Sequence[dict[str, Any]] = ({"prompt": "a", "tone": "kind"}, {}, {"prompt": ""})  # requests

    @pytest.fixture
    def opens(self, face: FaceProcess) -> Opens:
        return partial(there, face)

    @pytest.mark.parametrize(
        "text",
        [
            "a hand 👋 and a can",
            ZWJ,
            "the\r\nhand\n\rand",
            "the\x00can",
            '"quoted" \\ \x1f \x7f\u2028',
            "é\u0301\ud7ff",
        ],
    )
    def test_texts_arrive_as_they_are(self, face: FaceProcess, talking_bundle: Path, text: str) -> None:
        """The model has the 256 bytes as tokens: another byte is another count or another answer."""
        reference = open_bundle(talking_bundle)
        assert isinstance(reference, LlmBundle)
        with there(face, talking_bundle) as talker:
            answer = talker.answer(prompt=text, max_tokens=40, **GREEDY)
        assert answer.prompt_tokens == len(reference.encode(text))
        assert answer.text == "".join(reference.generate(text, max_tokens=40))

    def test_characters_are_never_cut(self, face: FaceProcess, talking_bundle: Path) -> None:
        """Each event is decoded by itself: in an answer of random bytes there are characters of two tokens, or more."""
        cut = 0
        with there(face, talking_bundle) as talker:
            for prompt in ("S", "the", "é"):
                answer = talker.answer(prompt=prompt, max_tokens=300, **GREEDY)
                assert answer.text == reference_text(talking_bundle, prompt=prompt, max_tokens=300)
                cut += sum(letter > "\x7f" and letter not in "é\ufffd" for letter in answer.text)
        assert cut > 1

    def test_facts_and_preflight(self, face: FaceProcess, talking_bundle: Path, tensor_bundle: Path) -> None:
        with opened(face, talking_bundle, lazy=True) as bundle:
            facts = face.ask("facts", bundle=bundle)
            assert (facts["kind"], facts["variant"], facts["ep"], facts["slots"]) == ("llm", "portable", "cpu", 1)
            assert facts["can"] == {"reuse": True, "cancel_in_prompt": True, "tools": False}
            assert set(facts["engines"]) == {"onnxruntime", "onnxruntime-genai"}
            assert facts["max_length"] == 4096 and facts["cache_bytes"] == 1 << 20
            before = face.ask("preflight", bundle=bundle, tokens=10)
            assert before["fits"] is True and before["mapped"] == 1 << 16 and before["kv"] == 1 << 20
            messages = [said("the hand")]
            asked = face.ask("preflight", bundle=bundle, messages=messages, max_tokens=5000)
            assert asked["fits"] is False and "4096" in asked["why"] and asked["mapped"] == 0
            answer = answered(face.ask("answer", bundle=bundle, request={"messages": messages, "max_tokens": 1}))
            assert asked["tokens"] == answer.prompt_tokens
        with opened(face, tensor_bundle) as bundle:
            facts = face.ask("facts", bundle=bundle)
            assert facts["kind"] == "tensor" and facts.get("can") is None and facts.get("slots") is None

    def test_two_answers_at_once_wait_for_no_reader_of_the_other(self, face: FaceProcess, talking_bundle: Path) -> None:
        request = {"messages": [said("the hand")], "max_tokens": 300, **GREEDY}
        with opened(face, talking_bundle) as bundle:
            first, second = face.ask("two", bundle=bundle, **request)
        assert first == second == reference_text(talking_bundle, messages=request["messages"], max_tokens=300)

    @pytest.mark.parametrize("ms", [5, pytest.param(50, marks=pytest.mark.nightly)])
    def test_a_slow_reader_gets_every_event(self, face: FaceProcess, talking_bundle: Path, ms: int) -> None:
        """In their order; how many wait meanwhile is counted in the core (core_test.cpp)."""
        request = {"prompt": "the hand and the can", "max_tokens": 500, **GREEDY}
        with opened(face, talking_bundle, slots=0) as bundle:
            quick = face.ask("answer", bundle=bundle, pieces=EVER, chars=EVER, request=request)
            slow = face.ask("slow", bundle=bundle, ms=ms, request=request)
        told = [[(event["kind"], event.get("text"), event.get("read")) for event in each] for each in (quick, slow)]
        assert told[0] == told[1] and slow[-1]["tokens"] == 500 and len(slow) > 250

    @pytest.mark.parametrize("how", ["leave", "cancel", "in prompt"])
    def test_who_leaves_ends_the_answer(self, face: FaceProcess, talking_bundle: Path, how: str) -> None:
        """By leaving the loop, and as its language cancels: the bundle is at rest although its answer is long."""
        text = "the hand and the can in a café " * (150 if how == "in prompt" else 1)
        request = {"messages": [said(text)], "max_tokens": 2000, **GREEDY}
        with opened(face, talking_bundle, piece=16) as bundle:
            ask = partial(face.ask, bundle=bundle)
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

    def test_a_conversation_is_plain_data(self, face: FaceProcess, talking_bundle: Path) -> None:
        options = {"max_tokens": 12, **GREEDY}
        with opened(face, talking_bundle) as bundle:
            chat = face.ask("chat", bundle=bundle, **options)
            first = answered(face.ask("send", chat=chat, text=f"the café {ZWJ}\r\n"))
            history = face.ask("history", chat=chat)
            assert history == [said(f"the café {ZWJ}\r\n"), {"role": "assistant", "content": first.text}]
            second = answered(face.ask("send", chat=chat, text="on"))
            assert second.reused > 10
            left = face.ask("send", chat=chat, text="and on", events=3)
            assert face.ask("history", chat=chat)[-1]["content"] == "".join(each.get("text", "") for each in left)
            with pytest.raises(Refusal) as refusal:
                face.ask("send", chat=chat, text="the " * 5000)
            assert refusal.value.code == "usage" and len(face.ask("history", chat=chat)) == 6  # no trace of it
            face.ask("send", chat=chat, text="the hand", events=1)  # in the prompt: neither
            assert len(face.ask("history", chat=chat)) == 6
        with opened(face, talking_bundle) as bundle:  # as after the process's death
            chat = face.ask("chat", bundle=bundle, messages=history, **options)
            again = answered(face.ask("send", chat=chat, text="on"))
            assert (again.text, again.reused) == (second.text, 0)

    def test_replies_to_calls(self, face: FaceProcess, calling_bundle: Path) -> None:
        options = {"tools": [WEATHER], "call": "required", "max_tokens": 60, **GREEDY}
        with opened(face, calling_bundle) as bundle:
            chat = face.ask("chat", bundle=bundle, **options)
            answer = answered(face.ask("send", chat=chat, text="Rome?"))
            ((call_id, name, arguments),) = answer.calls
            with pytest.raises(Refusal, match="no call of the last answer is 'call-7'"):
                face.ask("reply", chat=chat, id="call-7", json="{}")
            again = answered(face.ask("reply", chat=chat, id=call_id, json='{"degrees": 21}'))
            messages = face.ask("history", chat=chat)
            prompts = InProcess().act(
                "render", calling_bundle, conversations=[{"messages": messages[:3], "tools": [WEATHER]}]
            )
            reference = open_bundle(calling_bundle)
            assert isinstance(reference, LlmBundle)
            assert again.calls and again.prompt_tokens == len(reference.encode(prompts.outcome["prompts"][0]))
            assert messages[2] == {"role": "tool", "content": '{"degrees": 21}', "name": name}
            function = messages[1]["tool_calls"][0]["function"]
            assert function["name"] == name and function["arguments"]["city"] == "Rome" and "Rome" in arguments
            two = [*messages[:1], {**messages[1], "tool_calls": messages[1]["tool_calls"] * 2}]
            chat = face.ask("chat", bundle=bundle, messages=two, **options)
            assert face.ask("reply", chat=chat, id=call_id, json="1") == []  # the other has no reply yet
            assert answered(face.ask("reply", chat=chat, id=call_id, json="2")).calls

    def test_tensors(self, face: FaceProcess, tensor_bundle: Path) -> None:
        reference = open_bundle(tensor_bundle)
        assert isinstance(reference, TensorBundle)
        x = np.random.default_rng(3).normal(size=(2, 3, 8, 8)).astype(np.float32)
        expected = reference.run({"x": x})
        own = {name: tensor(np.zeros_like(array)) for name, array in expected.items()}
        with opened(face, tensor_bundle) as bundle:
            ask = partial(face.ask, "infer", bundle=bundle)
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
            with pytest.raises(Refusal, match="no language model"):
                face.ask("answer", bundle=bundle, request={"prompt": "a"})

    def test_what_a_picture_shows(self, face: FaceProcess, classes_bundle: Path, tensor_bundle: Path) -> None:
        """Rows of pixels with other bytes behind them: the classes are Python's."""
        pixels = np.random.default_rng(4).integers(0, 256, (33, 47, 3), np.uint8)
        rows = np.pad(pixels.reshape(33, -1), ((0, 0), (0, 5)), constant_values=9)
        picture = {"pixels": base64.b64encode(rows.tobytes()).decode(), "width": 47, "height": 33}
        reference = open_bundle(classes_bundle)
        assert isinstance(reference, TensorBundle)
        with opened(face, classes_bundle) as bundle:
            told = face.ask("classify", bundle=bundle, top=3, **picture)
        expected = reference.classify(pixels, top=3)
        assert [each["score"] for each in told] == pytest.approx([each["score"] for each in expected], rel=1e-5)
        named = [[(each["index"], each["label"]) for each in side] for side in (told, expected)]
        assert named[0] == named[1] and named[0][0][1].startswith("class ") and len(named[0]) == 3
        with opened(face, tensor_bundle) as bundle, pytest.raises(Refusal, match="are classes") as refusal:
            face.ask("classify", bundle=bundle, top=3, **picture)
        assert refusal.value.code == "usage" and refusal.value.next

    @pytest.mark.parametrize("words", ["premultiplied", "display-p3", *(f"exif-{at}" for at in range(1, 9))])
    def test_pixels_as_a_decoder_leaves_them(self, face: FaceProcess, pixels_bundle: Path, words: str) -> None:
        """Of rows that lie apart, blue first: turned and flattened as Pillow does it, and Python's to the bit."""
        stored = np.random.default_rng(6).integers(0, 256, (9, 14, 4), np.uint8)
        rows = np.pad(stored[:, :, [2, 1, 0, 3]].reshape(9, -1), ((0, 0), (0, 5)), constant_values=9)
        with opened(face, pixels_bundle) as bundle:
            ask = partial(face.ask, "infer", bundle=bundle, outputs={"y": None})
            told = ask(inputs={"x": tensor(rows, type=f"bgra8 {words}", shape=(9, 14))})["y"]
            with pytest.raises(Refusal, match="exif-9") as refusal:
                ask(inputs={"x": tensor(rows, type="bgra8 exif-9", shape=(9, 14))})
        assert refusal.value.code == "usage" and "exif-8" in refusal.value.next
        made = np.frombuffer(base64.b64decode(told["data"]), told["type"]).reshape(told["shape"])[0]
        assert np.array_equal(made, upright(stored, f"rgba8 {words}"))
        if words.startswith("exif"):
            picture = Image.fromarray(stored)
            white = Image.new("RGBA", picture.size, images.WHITE)
            flat = Image.alpha_composite(white, picture).convert("RGB")
            flat.getexif()[0x0112] = int(words[-1])
            assert np.array_equal(made, np.asarray(ImageOps.exif_transpose(flat)))

    def test_what_such_a_picture_shows(self, face: FaceProcess, classes_bundle: Path) -> None:
        pixels = np.random.default_rng(7).integers(0, 256, (33, 47, 4), np.uint8)
        reference = open_bundle(classes_bundle)
        assert isinstance(reference, TensorBundle)
        picture = {"pixels": base64.b64encode(pixels.tobytes()).decode(), "width": 47, "height": 33}
        with opened(face, classes_bundle) as bundle:
            for words in ("rgba8", "bgrx8 exif-8"):
                told = face.ask("classify", bundle=bundle, top=2, format=words, **picture)
                wanted = reference.classify(pixels, top=2, pixel_format=words)
                assert [each["index"] for each in told] == [each["index"] for each in wanted]
                assert [each["score"] for each in told] == pytest.approx([each["score"] for each in wanted], rel=1e-5)

    def test_many_tensors_at_once(self, face: FaceProcess, case_bundle: Path) -> None:
        all_cases(face, case_bundle)

    def test_a_bundle_for_another_engine(self, face: FaceProcess, talking_bundle: Path, tmp_path: Path) -> None:
        with pytest.raises(Refusal) as refusal:
            face.open(changed(talking_bundle, tmp_path, axis("min_onnxruntime_genai", "99.0")))
        assert (refusal.value.code, refusal.value.axis) == ("bundle", "min_onnxruntime_genai")

    @pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
    def test_a_bundle_that_cannot_be_used(
        self, face: FaceProcess, tensor_bundle: Path, tmp_path: Path, change: Change
    ) -> None:
        """The code and the axis are Python's."""
        bundle = changed(tensor_bundle, tmp_path, change)
        expected = InProcess().act("load", bundle).error
        with pytest.raises(Refusal) as refusal:
            face.open(bundle)
        assert (refusal.value.code, refusal.value.axis) == (expected["code"], expected.get("axis", ""))
        assert str(refusal.value) and "\n" not in str(refusal.value)

    @pytest.mark.parametrize("breaks", [cut, no_manifest, no_json])
    def test_a_broken_bundle(
        self, face: FaceProcess, talking_bundle: Path, tmp_path: Path, breaks: Callable[[Path], None]
    ) -> None:
        broken = changed(talking_bundle, tmp_path, lambda manifest: None)
        breaks(broken)
        with pytest.raises(Refusal) as refusal:
            face.open(broken)
        assert (refusal.value.code, refusal.value.axis) == ("bundle", "") and str(refusal.value)

    def test_what_is_asked_wrongly(self, face: FaceProcess, talking_bundle: Path) -> None:
        with pytest.raises(Refusal) as refusal:
            face.open(talking_bundle, variant="other")
        assert refusal.value.code in ("bundle", "usage")
        with opened(face, talking_bundle) as bundle:
            for request in self.wrong:
                with pytest.raises(Refusal) as refusal:
                    face.ask("request", bundle=bundle, request=request)
                assert refusal.value.code == "usage"
        face.ask("close", bundle=bundle)  # once more does nothing
        for what in ("facts", "trim"):
            with pytest.raises(Refusal) as refusal:
                face.ask(what, bundle=bundle, what="caches")
            assert (refusal.value.code, refusal.value.next) == ("closed", "open it again")
