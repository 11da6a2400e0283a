"""The iOS sample's Keeper: compiled by Swift 6 with the face, every warning an error, and run on Linux."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit import sample
from edgekit.bundle.verify import verify
from edgekit.devices._runner import LIBRARY
from edgekit.tools import QUIET_ENGINES
from tests import needs
from tests.engines.sample.conftest import TURNS
from tests.engines.wrappers.swift import face
from tests.peers import swift_root
from tests.peers.swift_root import Root

pytestmark = pytest.mark.tools

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def root() -> Root:
    if why := swift_root.lacking():
        needs.unavailable(why)
    return swift_root.swift_root()


@pytest.fixture(scope="module")
def project(chatting_bundle: Path, sealed_for: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a bundle whose target names the engine as iOS's do."""
    package = {
        "name": "onnxruntime-genai (xcframework)",
        "channel": "release-page",
        "floor": "0.15.2",
        "source": "a test",
    }
    bundle = sealed_for(chatting_bundle, "ios", runtime=[{**package, "last_seen": "0.18.0 (2026-11)"}])
    made = sample.make("ios", bundle, tmp_path_factory.mktemp("ios") / "app")
    assert made.does == sample.CHAT and made.steps[-1] == "open Sample.xcodeproj"
    return Path(made.path)


@pytest.fixture(scope="module")
def program(root: Root, project: Path, runner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What of the app needs no SwiftUI, with the face, as one module of the project's own sources."""
    folder, library = tmp_path_factory.mktemp("life"), runner.parent / LIBRARY
    made = folder / "Sample"
    words = ["-module-name", "Sample", "-I", project / "edgekit/include", "-emit-executable", "-o", made]
    sources = [*sorted((project / "edgekit/swift").rglob("*.swift")), project / "Sample/Keeper.swift"]
    linked = [library, "-Xlinker", "-rpath", "-Xlinker", library.parent]
    assert face.compiled(root, folder, [*words, *linked, *sources, HERE / "Keeping.swift"]) == ""
    return made


def test_the_model_stays_loaded_and_a_later_life_goes_on(
    program: Path, chatting_bundle: Path, conversation: list[str], tmp_path: Path
) -> None:
    """A turn in each of two processes; each life's answers are those of one conversation."""
    told = [lived(program, chatting_bundle, tmp_path / "kept.json", turns) for turns in (TURNS[:1], TURNS[1:])]
    assert [life["answers"] for life in told] == [conversation[:1], conversation[1:]]
    assert [life["watched"] for life in told] == [1, 1]
    kept = json.loads((tmp_path / "kept.json").read_text(encoding="utf-8"))
    assert [message["content"] for message in kept] == [TURNS[0], conversation[0], TURNS[1], conversation[1]]


def test_what_is_refused_is_told_and_leaves_no_trace(program: Path, chatting_bundle: Path, tmp_path: Path) -> None:
    life = lived(program, chatting_bundle, tmp_path / "kept.json", ("the " * 5000, TURNS[0]))
    assert "4096" in life["answers"][0] and life["history"] == 2
    life = lived(program, tmp_path, tmp_path / "none.json", (TURNS[0],))
    assert "edgekit.json" in life["answers"][0] and life["history"] == 0


def test_an_answer_is_ended(program: Path, chatting_bundle: Path, conversation: list[str], tmp_path: Path) -> None:
    """At its first piece; what was told stays."""
    life = lived(program, chatting_bundle, tmp_path / "kept.json", ("stop", TURNS[0]))
    (answer,) = life["answers"]
    assert conversation[0].startswith(answer) and 0 < len(answer) < len(conversation[0])
    assert (life["history"], life["stopped"]) == (2, True)


def test_the_project_is_of_the_bundle(project: Path) -> None:
    """The engine's version is the newest that was seen, for the framework does not tell it."""
    config = (project / "Bundle.xcconfig").read_text(encoding="utf-8")
    assert config == "IPHONEOS_DEPLOYMENT_TARGET = 15.1\nEDGEKIT_GENAI_VERSION = 0.18.0\n"
    assert (project / "edgekit/swift/ios/Lifecycle.swift").is_file()
    assert verify(project / "bundle", allow_stripped=True) == []


def lived(program: Path, bundle: Path, kept: Path, turns: tuple[str, ...]) -> dict[str, Any]:
    done = subprocess.run(
        [program, bundle, kept, *turns],
        env={**os.environ, **QUIET_ENGINES},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told
