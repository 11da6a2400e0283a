"""What an app calls (wrappers/cpp/src/app.h), through the runner's --app; engines loaded with the program."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.engines.wrappers.runtimes import Program

pytestmark = pytest.mark.tools


@pytest.fixture
def container(tmp_path: Path, llm_bundle: Path, tensor_bundle: Path) -> Path:
    """An app's container with two bundles in Documents."""
    for bundle in (llm_bundle, tensor_bundle):
        shutil.copytree(bundle, tmp_path / "container" / "Documents" / bundle.name)
    return tmp_path / "container"


def ask(runner: Path, container: Path, request: object) -> tuple[int, list[dict[str, Any]]]:
    """edgekit_act's return value and its events, the outcome last."""
    text = request if isinstance(request, str) else json.dumps(request)
    done = subprocess.run([runner, "--app", container, "-"], input=text, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def refusal(runner: Path, container: Path, **request: Any) -> dict[str, str]:
    code, events = ask(runner, container, request)
    assert code == 1 and [event["event"] for event in events] == ["outcome"]
    error: dict[str, str] = events[0]["error"]
    return error


def test_an_answer_comes_in_pieces(runner: Path, container: Path, llm_bundle: Path) -> None:
    question = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, "temperature": 0, "top_p": 1}
    bundle = f"Documents/{llm_bundle.name}"
    code, events = ask(runner, container, {"action": "generate", "bundle": bundle, **question})
    own = Program((str(runner),)).act("generate", llm_bundle, **question)
    assert code == 0 and events[-1]["event"] == "outcome"
    pieces = [event["text"] for event in events if event["event"] == "piece"]
    assert pieces and pieces == [event["text"] for event in own.events if event["event"] == "piece"]
    assert events[-1]["tokens"] == own.outcome["tokens"]


def test_what_fails_is_told_as_an_outcome(runner: Path, container: Path, tensor_bundle: Path) -> None:
    assert "no action 'dance'" in refusal(runner, container, action="dance")["message"]
    assert "needs a folder" in refusal(runner, container, action="remove")["message"]
    damaged = container / "Documents" / tensor_bundle.name
    (damaged / "edgekit.json").write_text("{", encoding="utf-8")
    assert refusal(runner, container, action="load", bundle=f"Documents/{damaged.name}")["code"] == "bundle"
    code, (event,) = ask(runner, container, "no JSON")
    assert code == 1 and event["error"]["code"] == "internal" and "parse" in event["error"]["message"]


OUT = ["", "..", ".", "/", "/etc", "Documents/..", "Documents/../../x", "out", "out/x", "dangling", "loop/x", "a\0b"]


@pytest.mark.parametrize("path", OUT)
def test_paths_that_lead_out(runner: Path, container: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_text("kept")
    (container / "out").symlink_to(tmp_path / "outside")
    (container / "dangling").symlink_to(tmp_path / "outside/new")
    (container / "loop").symlink_to("loop")
    error = refusal(runner, container, action="remove", folder=path)
    assert error["code"] == "usage" and ("not inside the app's container" in error["message"] or not path)
    assert (tmp_path / "outside/x").read_text() == "kept" and (container / "Documents").is_dir()


def test_hashes_and_removal_take_links_for_what_they_are(runner: Path, container: Path, tmp_path: Path) -> None:
    folder = container / "Documents/edgekit/bundles/1"
    (folder / "ein Ordner").mkdir(parents=True)
    (folder / "ein Ordner/größe").write_bytes(b"1")
    (folder / "empty").write_bytes(b"")
    (tmp_path / "kept").write_text("kept")
    (folder / "link").symlink_to(tmp_path / "kept")
    (folder / "way").symlink_to(tmp_path)
    place = "Documents/edgekit/bundles/1"
    code, (event,) = ask(runner, container, {"action": "hash", "folder": place})
    expected = {"ein Ordner/größe": hashlib.sha256(b"1").hexdigest(), "empty": hashlib.sha256(b"").hexdigest()}
    assert (code, event["sha256"]) == (0, expected)
    assert ask(runner, container, {"action": "remove", "folder": place})[0] == 0
    assert not folder.exists() and (tmp_path / "kept").read_text() == "kept"
    assert ask(runner, container, {"action": "hash", "folder": place}) == (0, [{"event": "outcome", "sha256": {}}])


def test_hashes_of_files_that_end_anywhere_in_a_block(runner: Path, container: Path) -> None:
    """By the CPU's own instructions where it has some; with sanitizers the plain way."""
    folder = container / "Documents/edgekit/blocks"
    folder.mkdir(parents=True)
    expected = {}
    for size in (0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, (1 << 20) - 9, 1 << 20, (1 << 20) + 1, 3_000_001):
        content = random.Random(size).randbytes(size)
        (folder / str(size)).write_bytes(content)
        expected[str(size)] = hashlib.sha256(content).hexdigest()
    code, (event,) = ask(runner, container, {"action": "hash", "folder": "Documents/edgekit/blocks"})
    assert (code, event["sha256"]) == (0, expected)


def test_a_request_outside_is_not_done(runner: Path, container: Path, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps({"action": "hash", "folder": "Documents"}))
    command = [runner, "--app", container, "../request.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "not inside the app's container" in done.stderr
    assert not (tmp_path / "outcome.json").exists()


@pytest.mark.parametrize("kind", ["tensor", "llm"])
def test_engines_that_are_loaded_with_the_program(
    runner: Path, tensor_bundle: Path, llm_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    shutil.copyfile(runner, tmp_path / "app")
    (tmp_path / "app").chmod(0o755)
    app = Program((str(tmp_path / "app"), "--genai-version", "0.14.1"))
    bundle = tensor_bundle if kind == "tensor" else llm_bundle
    assert app.act("load", bundle).error["code"] == "tool-missing"
    engines = [str(next(runner.parent.glob(f"{name}.so*"))) for name in ("libonnxruntime", "libonnxruntime-genai")]
    monkeypatch.setenv("LD_PRELOAD", os.pathsep.join(engines[: 1 if kind == "tensor" else 2]))
    assert app.act("load", bundle).outcome["kind"] == kind
