"""The Swift face, compiled for real: what all faces do (conformance_face.py), its Tasks, its library, its ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.devices._runner import LIBRARY
from tests.engines.wrappers.conformance import GREEDY, reference_text
from tests.engines.wrappers.conformance_face import Faces, Refusal, There, answered, opened, ten_megabytes, there
from tests.engines.wrappers.conformance_respond import said
from tests.engines.wrappers.counting import Counted
from tests.engines.wrappers.swift import face
from tests.engines.wrappers.swift.face import Driver
from tests.peers.swift_root import Root

pytestmark = pytest.mark.tools


class TestFace(Faces):
    @pytest.fixture
    def face(self, driver: Driver) -> Driver:
        return driver


def test_ten_megabytes_in_and_out(program: Path, counted: Counted, same_bundle: Path, tmp_path: Path) -> None:
    process = Driver(program, tmp_path, **counted.env)
    ten_megabytes(process, counted, same_bundle)
    assert process.end() == 0


def test_waiting_holds_no_thread_of_the_pool(driver: Driver, talking_bundle: Path) -> None:
    """More answers wait for an event than Swift has threads for Tasks, while the one that they wait for is read."""
    request = {"messages": [said("the hand")], "max_tokens": 150, **GREEDY}
    with opened(driver, talking_bundle) as bundle:
        texts = driver.ask("several", bundle=bundle, **request)
    assert len(texts) > 3
    assert set(texts) == {reference_text(talking_bundle, messages=request["messages"], max_tokens=150)}


def test_a_task_that_was_cancelled_before(driver: Driver, talking_bundle: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        driver.ask("early", folder=str(talking_bundle))
    assert refusal.value.code == "cancelled"


def test_a_pause_ends_answers_and_refuses_others(driver: Driver, talking_bundle: Path) -> None:
    """What an app does on its way into the background."""
    request = {"prompt": "the hand and the can", "max_tokens": 2000, **GREEDY}
    with opened(driver, talking_bundle) as bundle:
        events, why = driver.ask("pause", bundle=bundle, **request)
        assert answered(events).reason == "cancelled" and answered(events).tokens < 2000
        assert why == "not now"
        assert There(driver, bundle).answer(**{**request, "max_tokens": 4}).reason == "length"


def test_a_schema_keeps_its_order(driver: Driver, calling_bundle: Path) -> None:
    """An answer has its members as the schema has them, which a dictionary would not keep."""
    names = ["zulu", "alpha", "mike", "bravo", "yankee", "charlie"]
    schema = {"type": "object", "properties": {name: {"enum": [1]} for name in names}, "required": names}
    tool = {"type": "function", "function": {"name": "count", "parameters": schema}}
    with there(driver, calling_bundle) as talker:
        answer = talker.answer(messages=[said("on")], tools=[tool], call="required", max_tokens=200, **GREEDY)
        held = talker.answer(prompt="the", json_schema='{"enum": ["can"]}', max_tokens=20, **GREEDY)
    assert list(json.loads(answer.calls[0][2])) == names
    assert json.loads(held.text) == "can"


def test_a_bundle_that_is_closed_in_mid_answer(driver: Driver, talking_bundle: Path) -> None:
    bundle = driver.open(talking_bundle)
    request = {"prompt": "the hand and the can", "max_tokens": 3000, **GREEDY}
    answer = answered(driver.ask("closed", bundle=bundle, **request))
    assert answer.text and answer.reason == "cancelled" and answer.tokens < 3000
    with pytest.raises(Refusal, match="was closed"):
        driver.ask("facts", bundle=bundle)


def test_engines_that_are_not_there(driver: Driver, tensor_bundle: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.so"
    text.write_text("no library", encoding="utf-8")
    with pytest.raises(Refusal) as refusal:
        driver.open(tensor_bundle, onnxruntime=str(text))
    assert (refusal.value.code, refusal.value.axis) == ("tool-missing", "onnxruntime")
    assert str(text) in str(refusal.value)


def test_a_library_of_another_version(root: Root, program: Path, tensor_bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "other.c"
    source.write_text("int edgekit_abi(void) { return 7; }", encoding="utf-8")
    other = tmp_path / LIBRARY
    done = root.run("clang", "-shared", "-fPIC", source, "-o", other, home=tmp_path)
    assert done.returncode == 0, done.stderr
    process = Driver(program, tmp_path, LD_PRELOAD=str(other))
    with pytest.raises(Refusal) as refusal:
        process.open(tensor_bundle)
    assert (refusal.value.code, refusal.value.axis) == ("tool-missing", "abi") and refusal.value.next
    assert process.end() == 0


def test_the_lines_of_the_readme(program: Path, talking_bundle: Path, tmp_path: Path) -> None:
    """Compiled as they stand there."""
    assert len(face.readme_lines().splitlines()) == 5
    process = Driver(program, tmp_path)
    question, answer = process.ask("readme", folder=str(talking_bundle))
    assert question["content"] == "What is the capital of France?"
    assert process.end() == 0 and process.findings == answer["content"] != ""
    assert answer["content"] == reference_text(talking_bundle, messages=[said(question["content"])], max_tokens=256)


def test_a_process_that_leaves_in_mid_answer_ends_well(program: Path, talking_bundle: Path, tmp_path: Path) -> None:
    for _ in range(3):
        process = Driver(program, tmp_path)
        chat = process.ask("chat", bundle=process.open(talking_bundle), max_tokens=3000, **GREEDY)
        process.ask("send", chat=chat, text="the hand and the can", events=3)  # nothing is closed
        assert process.end() == 0 and process.findings == ""


def test_a_process_that_ends_when_it_lets_go_of_a_bundle_ends_well(
    program: Path, talking_bundle: Path, tmp_path: Path
) -> None:
    for _ in range(10):
        process = Driver(program, tmp_path)
        bundle = process.open(talking_bundle)
        process.ask("leave", bundle=bundle, events=3, messages=[said("the hand")], **GREEDY)
        process.ask("drop", bundle=bundle)
        assert process.end() == 0


def test_open_and_close_leave_nothing(program: Path, talking_bundle: Path, tmp_path: Path) -> None:
    """In 200 rounds, of which half let go of their bundle where the others close it."""
    process = Driver(program, tmp_path)
    request = {"messages": [said("the hand")], "max_tokens": 50, **GREEDY}
    before, after = process.ask("cycles", rounds=200, folder=str(talking_bundle), **request)
    assert process.end() == 0
    assert after[0] <= before[0] + 2 and after[1] == before[1]  # idle threads of the system's pool come and go
    assert after[2] - before[2] < 2 << 10, (before, after)


def test_the_face_is_small() -> None:
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (face.FACE / "src").iterdir()) < 600
