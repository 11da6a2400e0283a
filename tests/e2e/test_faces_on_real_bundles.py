"""Every face on the same bundles of the catalogue: the texts and tensors of the Python runtime."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.devices._runner import LIBRARY
from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.answers import Sampling
from edgekit.wrappers.python.events import Done, Text
from edgekit.wrappers.python.llm import LlmBundle
from edgekit.wrappers.python.npz import read
from edgekit.wrappers.python.tensor import TensorBundle
from tests import needs
from tests.engines.wrappers.conformance import GREEDY
from tests.engines.wrappers.conformance_face import EVER, ZWJ, FaceProcess, answered, opened, tensor
from tests.engines.wrappers.conformance_respond import said
from tests.engines.wrappers.cpp import face as cpp
from tests.engines.wrappers.csharp.face import Console, compile_app
from tests.engines.wrappers.kotlin import face as kotlin
from tests.engines.wrappers.swift import face as swift
from tests.peers import dotnet, swift_root

pytestmark = pytest.mark.nightly

ONE = ["Say three colours, with an emoji for each: 🎨", "And three\r\nanimals?", "Which of those can fly?"]
OTHER = [f"What is a family ({ZWJ})?", "Say it in Japanese: 家族", "And the same in Portuguese?"]


def _cpp(library: Path, folder: Path) -> FaceProcess:
    return cpp.driver(cpp.compile_driver(library, folder), folder)


def _kotlin(library: Path, folder: Path) -> FaceProcess:
    return kotlin.Jvm(kotlin.compile_classes(folder), kotlin.compile_jni(library, folder), folder)


def _csharp(library: Path, folder: Path) -> FaceProcess:
    sdk = dotnet.dotnet()
    return Console(sdk, compile_app(sdk, folder, library), folder)


def _swift(library: Path, folder: Path) -> FaceProcess:
    if why := swift_root.lacking():
        needs.unavailable(why)
    return swift.Driver(swift.compile_driver(swift_root.swift_root(), folder, library), folder)


@pytest.fixture(scope="module", params=[_cpp, _kotlin, _csharp, _swift], ids=["cpp", "kotlin", "csharp", "swift"])
def face(request: pytest.FixtureRequest, runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A process with the face; it ends well."""
    process = request.param(runner.parent / LIBRARY, tmp_path_factory.mktemp("face"))
    yield process
    assert process.end() == 0 and process.findings == ""


def test_two_conversations(face: FaceProcess, catalogue_bundle: Callable[[str], Path]) -> None:
    """In turns, in one bundle of two caches."""
    folder = catalogue_bundle("smollm2-135m-instruct")
    python = open_bundle(folder)
    assert isinstance(python, LlmBundle)
    talks: tuple[list[dict[str, Any]], ...] = ([], [])
    with opened(face, folder, slots=2) as bundle:
        for questions in zip(ONE, OTHER, strict=True):
            for messages, question in zip(talks, questions, strict=True):
                messages.append(said(question))
                events = list(python.respond(messages, max_tokens=24, sampling=Sampling()))
                request = {"messages": messages, "max_tokens": 24, **GREEDY}
                answer = answered(face.ask("answer", bundle=bundle, pieces=EVER, chars=EVER, request=request))
                text = "".join(event.text for event in events if isinstance(event, Text))
                done = events[-1]
                assert isinstance(done, Done) and answer.text == text
                assert (answer.prompt_tokens, answer.tokens) == (done.prompt_tokens, done.tokens)
                messages.append({"role": "assistant", "content": text})
    assert answer.reused > 0


@pytest.mark.parametrize("name", ["ppocrv4-rec", "ppocrv4-det"])
def test_tensors(face: FaceProcess, catalogue_bundle: Callable[[str], Path], name: str) -> None:
    folder = catalogue_bundle(name)
    python = open_bundle(folder)
    assert isinstance(python, TensorBundle)
    kept = read(folder / "check/inputs.npz")
    feed = {name.removeprefix("0."): array for name, array in kept.items() if name.startswith("0.")}
    expected = python.run(feed)
    with opened(face, folder) as bundle:
        inputs = {name: tensor(array) for name, array in feed.items()}
        outputs = face.ask("infer", bundle=bundle, inputs=inputs, outputs=dict.fromkeys(expected))
    for name, told in outputs.items():
        array = np.frombuffer(base64.b64decode(told["data"]), told["type"]).reshape(told["shape"])
        assert np.array_equal(array, expected[name]), name
