"""The C++ face: what all faces do (conformance_face.py), JSON of others, a bundle's end, the lines of the README."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.devices._runner import LIBRARY, SOURCES
from tests.engines.wrappers.conformance import GREEDY
from tests.engines.wrappers.conformance_face import ZWJ, FaceProcess, Faces, anonymous_kb, opened, ten_megabytes
from tests.engines.wrappers.conformance_respond import said
from tests.engines.wrappers.counting import Counted
from tests.engines.wrappers.cpp import face as cpp

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def program(runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cpp.compile_driver(runner.parent / LIBRARY, tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="module")
def driver(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaceProcess]:
    process = cpp.driver(program, tmp_path_factory.mktemp("process"))
    yield process
    assert process.end() == 0  # with bundles, conversations and runs that were left


class TestFace(Faces):
    @pytest.fixture
    def face(self, driver: FaceProcess) -> FaceProcess:
        return driver


def test_ten_megabytes_in_and_out(program: Path, counted: Counted, same_bundle: Path, tmp_path: Path) -> None:
    process = cpp.driver(program, tmp_path, **counted.env)
    ten_megabytes(process, counted, same_bundle)
    assert process.end() == 0


def test_a_history_that_others_wrote(driver: FaceProcess, talking_bundle: Path) -> None:
    """Written in ASCII, with the arguments of a call as a text or as an object."""
    function = {"name": "weather", "arguments": {"city": "Rome \u00e9"}}
    calls = [{"id": "a", "type": "function", "function": function}]
    texts = [{**calls[0], "function": {**function, "arguments": '{"city": "Rome \u00e9"}'}}]
    asked = [said(f'{ZWJ} \x01 \\ " / \b\f\n\r\t'), {"role": "assistant", "content": "", "tool_calls": calls}]
    asked.append({"role": "assistant", "content": "", "tool_calls": texts})
    with opened(driver, talking_bundle) as bundle:
        chat = driver.ask("chat", bundle=bundle, messages=asked, **GREEDY)
        kept = driver.ask("history", chat=chat)
    assert kept == [*asked[:2], asked[1]]


def test_it_needs_nothing_but_the_library(tmp_path: Path) -> None:
    """In two sources of one program, and in a later C++."""
    first, second = tmp_path / "first.cpp", tmp_path / "second.cpp"
    first.write_text("#include <edgekit.hpp>\nint main() { return 0; }\n", encoding="utf-8")
    second.write_text("#include <edgekit.hpp>\nint second() { return 0; }\n", encoding="utf-8")
    cpp.compile_face(first, second, "-o", tmp_path / "both")
    cpp.compile_face(first, "-std=c++20", "-fsyntax-only")


def test_the_lines_of_the_readme(program: Path, talking_bundle: Path, tmp_path: Path) -> None:
    assert len(cpp.readme_lines().splitlines()) == 5
    process = cpp.driver(program, tmp_path)
    question, answer = process.ask("readme", folder=str(talking_bundle))
    assert question == said("What is the capital of France?")
    assert process.end() == 0 and process.findings == answer["content"] != ""


def test_the_face_is_small_and_asks_no_bundle_for_its_name() -> None:
    text = (SOURCES / "src/edgekit.hpp").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 600
    assert not [name for name in ("llm", "tensor", "cpu", "qnn", "phi", "qwen") if f'"{name}"' in text]


@pytest.mark.nightly
def test_two_hundred_rounds(program: Path, talking_bundle: Path, tmp_path: Path) -> None:
    """Threads and descriptors end where they began, and memory does not grow."""
    process = cpp.driver(program, tmp_path)
    request = {"messages": [said("the hand")], "max_tokens": 50, "events": 3, **GREEDY}

    def counts(rounds: int) -> tuple[int, ...]:
        for _ in range(rounds):
            with opened(process, talking_bundle) as bundle:
                process.ask("leave", bundle=bundle, **request)
        return tuple(len(list(Path(f"/proc/{process.pid}/{what}").iterdir())) for what in ("task", "fd"))

    first, before = counts(100), anonymous_kb(process)
    assert counts(100) == first and anonymous_kb(process) - before < 2 << 10
    assert process.end() == 0
