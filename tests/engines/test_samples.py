"""The samples: the Linux one answers, and the iOS one names what is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from edgekit.devices import ios
from edgekit.devices._runner import SOURCES
from tests.engines.wrappers.runtimes import InProcess

pytestmark = pytest.mark.runtimes

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "mobile_samples" / "ios"


def run_linux(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "mobile_samples/linux/ask.py", *words]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


def test_the_linux_sample_answers_as_the_runtime_does(llm_bundle: Path) -> None:
    done = run_linux(llm_bundle, "Hello")
    question = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 256, "temperature": 0, "top_p": 1}
    pieces = [event["text"] for event in InProcess().act("generate", llm_bundle, **question).events]
    assert done.returncode == 0 and pieces, done.stderr
    assert done.stdout == "".join(pieces) + "\n"


def test_the_linux_sample_says_what_it_cannot_do(tensor_bundle: Path, tmp_path: Path) -> None:
    assert "no language model" in run_linux(tensor_bundle, "Hello").stderr
    assert "usage" in run_linux(tmp_path).stderr


def test_the_ios_sample_is_what_the_target_and_the_transport_say() -> None:
    project = (SAMPLE / "project.yml").read_text(encoding="utf-8")
    target = tomllib.loads((ROOT / "targets/ios-cpu.toml").read_text(encoding="utf-8"))
    (runtime,) = [package for package in target["runtime"] if "llm" in package.get("kinds", ["llm"])]
    assert runtime["name"] == "onnxruntime-genai (xcframework)" and runtime["engine"]
    assert re.findall(r"^ +- (?:framework|package): (\S+)", project, re.MULTILINE) == ["onnxruntime-genai.xcframework"]
    (version,) = re.findall(r'EDGEKIT_GENAI_VERSION=\\"([\d.]+)', project)
    assert runtime["last_seen"].startswith(version) and "packages:" not in project
    assert f'iOS: "{target["platform"]["os_min"]}"' in project
    assert f"PRODUCT_BUNDLE_IDENTIFIER: {ios.APP}\n" in project
    (sources,) = re.findall(r"- path: (\S+)\n", project)
    assert (SAMPLE / sources).resolve() == SOURCES / "src"
    (excluded,) = re.findall(r"excludes: \[(.+)\]", project)
    assert all((SOURCES / "src" / name).is_file() for name in excluded.split(", "))


def test_the_ios_sample_calls_what_the_core_has() -> None:
    swift = (SAMPLE / "Sample/Sample.swift").read_text(encoding="utf-8")
    header = (SOURCES / "src/app.h").read_text(encoding="utf-8")
    called = set(re.findall(r"\b(edgekit_\w+)\(", swift))
    assert called == set(re.findall(r"^(?:int|void) (edgekit_\w+)\(", header, re.MULTILINE))
    assert '"--edgekit-check"' in swift and "--edgekit-check" in (ios.__doc__ or "")
    assert (SAMPLE / "Sample/bridging.h").read_text(encoding="utf-8") == '#include "app.h"\n'
