"""What a build says comes next, for a machine that this is, and for those that it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit import commands
from edgekit.bundle.read import read
from edgekit.commands import _next
from edgekit.wrappers.python.manifest import host_abi, host_os

pytestmark = pytest.mark.unit

ROWS = [
    (host_os(), host_abi(), ["edgekit check B"]),
    ("android", "aarch64", ["edgekit check B --device adb:SERIAL   (edgekit devices lists those attached)", "HERE"]),
    ("ios", "aarch64", ["edgekit check B --device ios:UDID   (edgekit devices lists those attached)", "HERE"]),
    ("linux", "riscv64", ["edgekit check B --device ssh:USER@HOST   (edgekit devices lists those attached)", "HERE"]),
    ("windows", "x86_64", ["edgekit check B, on a machine of windows (x86_64)", "HERE"]),
]


@pytest.mark.parametrize(("system", "abi", "said"), ROWS, ids=[row[0] for row in ROWS])
def test_the_command_is_one_that_can_be_followed(sealed: Path, system: str, abi: str, said: list[str]) -> None:
    manifest = read(sealed)
    target = manifest.target.model_copy(update={"os": system, "abi": (abi,)})
    lines = list(_next.lines(manifest.model_copy(update={"target": target}), Path("B")))
    assert lines == [line.replace("HERE", "here, without one: edgekit check B --goldens-only") for line in said]


@pytest.mark.parametrize(
    "words",
    [
        ["--quick"],
        ["--strict"],
        ["--sustain", "10m"],
        ["--processes", "5"],
        ["--prompts", "128"],
        ["--budget", "bundle_mb:max=1"],
        ["--ab", "FOLDER"],
    ],
    ids=" ".join,
)
def test_goldens_alone_time_nothing(words: list[str], sealed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [str(sealed) if word == "FOLDER" else word for word in words]
    assert commands.main(["check", str(sealed), "--goldens-only", *asked]) == 2
    said: Any = capsys.readouterr().err
    assert "--goldens-only" in said and words[0] in said
