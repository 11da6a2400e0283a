"""What is staged is shipped: after it only check/ and edgekit.json are written, and never the entries of the cache."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from edgekit import build, commands
from edgekit.bundle.read import read
from edgekit.bundle.stage import stage
from edgekit.bundle.verify import verify
from edgekit.data import file_digest
from tests.golden import manifests
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive

# What a build does with a staged folder.
LATER = ("inspect.placement", "quality.gate", "check_data.write_check", "seal")

OLD = """
extends = "linux-cpu"
name = "old"
[[runtime]]
name = "onnxruntime"
channel = "pip"
floor = "1.20.1"
last_seen = "1.20.1"
source = "this test"
"""


def digests(folder: Path) -> dict[str, str]:
    """By path, of all but what may be written after staging."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: file_digest(path) for name, path in paths.items() if name != "edgekit.json" and name[:6] != "check/"}


def net(folder: Path) -> list[str]:
    """A graph that the target's oldest runtime does not load as it is: it is changed on its way."""
    path = manifests.net(folder / "net.onnx")
    proto: Any = onnx.load(str(path))
    proto.ir_version = 11
    onnx.save(proto, str(path))
    (folder / "old.toml").write_text(OLD)
    return [str(path), "--target", str(folder / "old.toml"), "--recipe", "keep"]


def llm(folder: Path) -> list[str]:
    return [str(tiny_llm.llama(folder / "tiny")), "--target", "linux-cpu", "--quality", "off"]


@pytest.mark.parametrize("case", [net, llm], ids=lambda case: case.__name__)
def test_only_the_check_data_and_the_manifest_are_written_after_staging(
    case: Callable[[Path], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read-only for who is not root, and by digests for who is; looked at around each later step of a real build."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    first: dict[Path, dict[str, str]] = {}
    seen = []

    def staged(folder: Path, *rest: Any) -> None:
        entries = digests(tmp_path / "cache" / "optimize")
        assert any(name.endswith("model.onnx") for name in entries)
        stage(folder, *rest)
        assert digests(tmp_path / "cache" / "optimize") == entries
        first[tmp_path / "cache" / "optimize"] = entries
        first[folder] = digests(folder)
        for path in folder.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        (folder / "edgekit.json").chmod(0o644)

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any, **named: Any) -> Any:
            assert first and {folder: digests(folder) for folder in first} == first, f"before {name}"
            done = real(*words, **named)
            seen.append(name)
            if name != "seal":  # which renames the folder
                assert {folder: digests(folder) for folder in first} == first, f"after {name}"
            return done

        return step

    monkeypatch.setattr(build, "stage", staged)
    for name in LATER:
        owner, _, attribute = f"{build.__name__}.{name}".rpartition(".")
        at: Any = build
        for word in owner.split(".")[2:]:
            at = getattr(at, word)
        monkeypatch.setattr(at, attribute, watched(name, getattr(at, attribute)))
    assert commands.main(["build", *case(tmp_path), "-o", str(tmp_path / "out")]) == 0
    assert seen == list(LATER)
    [bundle] = (path for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert verify(bundle) == []
    [of_bundle] = (found for folder, found in first.items() if folder.name == "new")
    assert digests(bundle) == of_bundle
    lowered = "portable: IR version 11 lowered to 10" in read(bundle).judged.notes
    assert lowered == (case is net)
    assert all(digests(folder) == found for folder, found in first.items() if folder.name != "new")


def test_the_report_of_a_gate_that_fails_says_what_was_done_to_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    words = [*net(tmp_path), "--limit", "cosine_mean:max=0.5", "-o", str(tmp_path / "out")]
    assert commands.main(["build", *words]) == 9
    [report] = (tmp_path / "out").glob("*.quality.json")
    assert "portable: IR version 11 lowered to 10" in json.loads(report.read_text())["notes"]
