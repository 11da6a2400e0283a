"""The C# face on real .NET: conversations (conformance_respond.py), tensors, refusals, cancelling, a process's end."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from edgekit.devices._runner import LIBRARY
from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.llm import LlmBundle
from edgekit.wrappers.python.tensor import TensorBundle
from tests.engines.wrappers.conformance import GREEDY, Change, axis, changed, reference_text
from tests.engines.wrappers.conformance_respond import WEATHER, Opens, Responses, said
from tests.engines.wrappers.csharp.face import Console, Refusal, there
from tests.engines.wrappers.runtimes import InProcess
from tests.peers.dotnet import Dotnet

pytestmark = pytest.mark.tools


class TestResponses(Responses):
    @pytest.fixture
    def opens(self, sdk: Dotnet, app: Path) -> Opens:
        return partial(there, sdk, app)


def test_facts(console: Console, talking_bundle: Path, tensor_bundle: Path, app: Path) -> None:
    facts = console.open(talking_bundle, Lazy=True).ask("facts")
    told = json.loads(facts["Json"])
    assert (facts["Kind"], facts["Variant"], facts["Ep"], facts["Slots"]) == ("llm", "portable", "cpu", 1)
    assert (facts["MaxLength"], facts["CacheBytes"]) == (told["max_length"], 1 << 20)
    assert (facts["CanReuse"], facts["CanCancelInPrompt"], facts["CanTakeTools"]) == (True, True, False)
    assert {Path(engine["file"]).parent for engine in told["engines"].values()} == {app}
    room = console.ask("preflight", tokens=100, request={"max_tokens": 28})
    told = json.loads(room["Json"])
    assert (room["Tokens"], room["Kv"], room["Fits"], room["Why"]) == (100, 1 << 20, True, "")
    assert [room[name.title()] for name in ("anon", "mapped", "free", "limit")] == [
        told[name] for name in ("anon", "mapped", "free", "limit")
    ]
    assert console.ask("preflight", request={"messages": [said("the café")], "max_tokens": 9000})["Fits"] is False
    console.ask("close")
    facts = console.open(tensor_bundle).ask("facts")
    assert facts["Kind"] == "tensor" and facts["Slots"] is facts["CanReuse"] is None


HARD = {
    "an emoji": "the 🙂 in",
    "joined ones": "a 👩‍👩‍👧‍👦 and 🏳️‍🌈",
    "a zero byte": "the\0can",
    "line ends": "a\r\nb\rc\n\n",
    "escapes": '"\\\u2028\u2029\x7f\x1b',
    "other planes": "\U0001d4b3 \U0010ffff",
}


@pytest.mark.parametrize("prompt", HARD.values(), ids=HARD)
def test_texts_arrive_whole(console: Console, talking_bundle: Path, prompt: str) -> None:
    """Every text is the same bytes on both sides: its tokens are Python's, and so is what is said to them."""
    reference = open_bundle(talking_bundle)
    assert isinstance(reference, LlmBundle)
    answer = console.open(talking_bundle).answer(prompt=prompt, max_tokens=24, **GREEDY)
    assert answer.prompt_tokens == len(reference.encode(prompt))
    assert answer.text == reference_text(talking_bundle, prompt=prompt, max_tokens=24)


def test_a_character_that_is_cut_between_tokens(console: Console, talking_bundle: Path) -> None:
    drawn = {"prompt": "the café and", "temperature": 4.0, "top_k": 300, "seed": 3, "max_tokens": 400}
    answer = console.open(talking_bundle).answer(**drawn)
    assert answer.text == reference_text(talking_bundle, **drawn)
    values = [event["Value"] for event in console.told.events if event["event"] == "text"]
    whole = [letter for letter in answer.text if "\u0080" <= letter < "\ufffd" and letter != "é"]  # tokens are bytes
    assert whole and len(values) < answer.tokens
    assert "".join(values).encode("utf-8")  # no half of a pair


def test_half_a_character_is_refused(console: Console, talking_bundle: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        console.open(talking_bundle).ask("half")
    assert refusal.value.code == "usage"


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
    "no variants": lambda manifest: manifest.update(variants=[]),
    "no contract": lambda manifest: manifest.pop("contract"),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_broken_bundle(console: Console, tensor_bundle: Path, tmp_path: Path, change: Change) -> None:
    """The code and the axis are Python's."""
    bundle = changed(tensor_bundle, tmp_path, change)
    expected = InProcess().act("load", bundle).error
    with pytest.raises(Refusal) as refusal:
        console.open(bundle)
    assert (refusal.value.code, refusal.value.axis) == (expected["code"], expected.get("axis", ""))
    assert str(refusal.value) and "\n" not in str(refusal.value)


def test_what_cannot_be_loaded(sdk: Dotnet, app: Path, tmp_path: Path, tensor_bundle: Path) -> None:
    def refused(library: Path | None, **options: Any) -> Refusal:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name in ("Edgekit.dll", "Adapter.dll"):
            shutil.copyfile(app / name, folder / name)
        if library:
            shutil.copyfile(library, folder / LIBRARY)
        with Console(sdk, folder) as console, pytest.raises(Refusal) as refusal:
            console.open(tensor_bundle, **options)
        return refusal.value

    text = tmp_path / "text.so"
    text.write_text("no library")
    [other] = app.glob("libonnxruntime.so*")
    for library in (None, text, other):  # none; of no machine; without our functions
        refusal = refused(library)
        assert (refusal.code, refusal.axis) == ("tool-missing", "abi") and refusal.next, refusal
    refusal = refused(app / LIBRARY)
    assert (refusal.code, refusal.axis) == ("tool-missing", "onnxruntime")
    refusal = refused(app / LIBRARY, OnnxRuntime=str(text))
    assert (refusal.code, refusal.axis) == ("tool-missing", "onnxruntime")
    assert str(text) in str(refusal)


def test_engines_are_found_by_their_path(sdk: Dotnet, app: Path, tmp_path: Path, tensor_bundle: Path) -> None:
    for name in ("Edgekit.dll", "Adapter.dll", LIBRARY):
        shutil.copyfile(app / name, tmp_path / name)
    [engine] = app.glob("libonnxruntime.so*")
    with Console(sdk, tmp_path) as console:
        facts = console.open(tensor_bundle, OnnxRuntime=str(engine)).ask("facts")
    assert json.loads(facts["Json"])["engines"]["onnxruntime"]["file"] == str(engine)


def test_leaving_the_loop_ends_the_answer(console: Console, talking_bundle: Path) -> None:
    request = {"messages": [said("the café and the hand")], **GREEDY}
    told = console.open(talking_bundle).start(0, 3, "leave", max_tokens=3000, **request)
    assert len(told.text) >= 3 and not told.done
    after = console.answer(max_tokens=8, **request)  # before 3,000 tokens could be made
    assert after.reused > 5 and after.text == reference_text(talking_bundle, max_tokens=8, **request)


def test_a_token_ends_the_answer(console: Console, talking_bundle: Path) -> None:
    request = {"messages": [said("the café and the hand")], **GREEDY}
    with pytest.raises(Refusal) as refusal:
        console.open(talking_bundle).start(0, 3, "token", max_tokens=3000, **request)
    assert refusal.value.code == "OperationCanceledException"
    assert len(console.told.text) >= 3 and not console.told.done
    after = console.answer(max_tokens=8, **request)
    assert after.text == reference_text(talking_bundle, max_tokens=8, **request)


def test_a_token_ends_a_prompt(console: Console, talking_bundle: Path) -> None:
    prompt = "the hand and the can in a café " * 150
    with pytest.raises(Refusal) as refusal:
        console.open(talking_bundle, Piece=16).start(3, 0, "token", prompt=prompt, **GREEDY)
    assert refusal.value.code == "OperationCanceledException"
    assert 3 <= len(console.told.pieces) < 100 and console.told.text == ""


def test_a_token_that_was_cancelled_before(console: Console, talking_bundle: Path) -> None:
    with pytest.raises(Refusal, match="cancel") as refusal:
        console.open(talking_bundle, cancelled=True)
    assert refusal.value.code == "TaskCanceledException"
    console.open(talking_bundle)
    with pytest.raises(Refusal) as refusal:
        console.ask("answer", request={"prompt": "a"}, pieces=0, chars=0, how="all", cancelled=True)
    assert refusal.value.code == "TaskCanceledException" and not console.told.events


def test_an_answer_is_read_once(console: Console, talking_bundle: Path) -> None:
    with pytest.raises(Refusal, match="ask again"):
        console.open(talking_bundle).start(99, 99, "twice", prompt="a", max_tokens=1)
    assert console.told.done


def test_a_slow_reader_gets_every_event(console: Console, talking_bundle: Path) -> None:
    request = {"prompt": "the hand and the can", "max_tokens": 200, **GREEDY}
    quick = console.open(talking_bundle, Slots=-1).answer(**request)
    values = [event.get("Value") for event in console.told.events]
    slow = console.start(1 << 30, 0, "slow", **request)
    assert [event.get("Value") for event in slow.events] == values and len(values) > 100
    assert slow.text == quick.text


def test_a_closed_bundle(console: Console, talking_bundle: Path) -> None:
    console.open(talking_bundle).ask("close")
    for what in ("facts", "answer"):
        with pytest.raises(Refusal, match="was closed") as refusal:
            console.ask(what, request={"prompt": "a"}, pieces=0, chars=0, how="all")
        assert (refusal.value.code, refusal.value.next) == ("closed", "open it again")


def test_a_bundle_that_is_closed_in_mid_answer(console: Console, talking_bundle: Path) -> None:
    request = {"prompt": "the hand and the can", "max_tokens": 3000, **GREEDY}
    told = console.open(talking_bundle).start(0, 3, "close", **request)
    assert told.text and told.done["Reason"] == "cancelled"
    with pytest.raises(Refusal, match="was closed"):
        console.ask("facts")


def test_tensors(console: Console, tensor_bundle: Path) -> None:
    reference = open_bundle(tensor_bundle)
    assert isinstance(reference, TensorBundle)
    x = np.random.default_rng(3).normal(size=(2, 3, 8, 8)).astype(np.float32)
    expected = reference.run({"x": x})
    console.open(tensor_bundle)
    own = {name: np.zeros_like(array) for name, array in expected.items()}
    for into in (dict.fromkeys(expected), own, own | {"best": None}, {"best": None}):
        outputs = console.infer({"x": x}, into)
        assert list(outputs) == list(into)
        for name, array in outputs.items():
            assert array.dtype == expected[name].dtype and np.array_equal(array, expected[name]), name

    def refused(feed: dict[str, Any], into: dict[str, Any]) -> str:
        with pytest.raises(Refusal) as refusal:
            console.infer(feed, into)
        assert refusal.value.code == "usage"
        return str(refusal.value)

    assert "is float64" in refused({"x": x.astype(np.float64)}, {"best": None})
    assert "is missing" in refused({}, {"best": None})
    assert "no output 'worst'" in refused({"x": x}, {"worst": None})
    assert "cannot take" in refused({"x": x}, {"best": np.zeros(3, np.int64)})
    with pytest.raises(Refusal, match="no language model"):
        console.answer(prompt="a")
    assert np.array_equal(console.infer({"x": x}, {"best": None})["best"], expected["best"])


def test_a_conversation(sdk: Dotnet, app: Path, console: Console, talking_bundle: Path) -> None:
    """Its history is all there is of it: another process goes on with the same words."""
    request = {"max_tokens": 12, **GREEDY}
    console.open(talking_bundle).ask("converse", history=[], request=request)
    first = console.ask("send", text="the café and a hand")
    assert [turn["Role"] for turn in first] == ["user", "assistant"]
    messages = [{"role": turn["Role"], "content": turn["Content"]} for turn in first]
    assert messages[1]["content"] == reference_text(talking_bundle, messages=messages[:1], max_tokens=12)
    second = console.ask("send", text="and then 🙂?")
    assert len(second) == 4 and console.told.done["Reused"] > 5
    with Console(sdk, app) as other:
        other.open(talking_bundle).ask("converse", history=messages, request=request)
        assert other.ask("send", text="and then 🙂?") == second
        assert other.told.done["Reused"] == 0
    left = console.ask("leave", text="on")
    assert [turn["Role"] for turn in left[4:]] == ["user", "assistant"]
    assert left[5]["Content"] == console.told.text != ""


def test_a_call_and_its_reply(console: Console, calling_bundle: Path) -> None:
    request = {"tools": [WEATHER], "call": "required", "max_tokens": 60, **GREEDY}
    console.open(calling_bundle).ask("converse", history=[], request=request)
    _, turn = console.ask("send", text="Rome?")
    [[call_id, name, arguments]] = turn["Calls"]
    assert (call_id, name) == ("call-0", "weather") and json.loads(arguments) == {"city": "Rome"}
    with pytest.raises(Refusal, match="no call of the last turn is 'other'") as refusal:
        console.ask("reply", id="other", json="{}")
    assert refusal.value.code == "usage"
    history = console.ask("reply", id=call_id, json='{"degrees": 21}')
    assert [turn["Role"] for turn in history] == ["user", "assistant", "tool", "assistant"]
    assert (history[2]["Name"], history[2]["Content"]) == ("weather", '{"degrees": 21}')
    turns = [{"type": "function", "function": {"name": name, "arguments": {"city": "Rome"}}}]
    messages = [said("Rome?"), {"role": "assistant", "content": "", "tool_calls": turns}]
    messages += [{"role": "tool", "content": '{"degrees": 21}', "name": "weather"}]
    prompts = InProcess().act("render", calling_bundle, conversations=[{"messages": messages, "tools": [WEATHER]}])
    reference = open_bundle(calling_bundle)
    assert isinstance(reference, LlmBundle)
    assert console.told.done["PromptTokens"] == len(reference.encode(prompts.outcome["prompts"][0]))


def test_a_process_that_leaves_in_mid_answer_ends_well(sdk: Dotnet, app: Path, talking_bundle: Path) -> None:
    for _ in range(3):
        with Console(sdk, app) as console:
            told = console.open(talking_bundle).start(0, 3, "quit", prompt="the hand and the can", max_tokens=3000)
            assert told.text and console.end() == 0
            assert console.process.stderr is not None and console.process.stderr.read() == ""


def test_open_and_close_leave_nothing(console: Console, talking_bundle: Path) -> None:
    process = psutil.Process(console.process.pid)
    request = {"prompt": "the hand and the can", "max_tokens": 4}

    def cycle(times: int) -> tuple[int, int, int]:
        """Threads, descriptors, bytes that are nobody else's."""
        console.ask("cycles", bundle=str(talking_bundle), times=times, request=request)
        memory = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="utf-8")
        anonymous = next(line for line in memory.splitlines() if line.startswith("Anonymous:"))
        return process.num_threads(), process.num_fds(), int(anonymous.split()[1]) << 10

    before, after = cycle(80), cycle(60)  # .NET compiles and grows its heap in the first
    assert after[0] <= before[0] + 2 and after[1] <= before[1]  # the thread pool's own come and go
    assert after[2] - before[2] < 2 << 20, (before, after)
