"""What errors advise is followed: a command line that ends in an error, its advice, and the line that the advice makes.

The second must not end as the first did. Every advice that is a command, or an option of one, is followed here or
stands in ELSEWHERE, by its module, with what following it takes and who does.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from edgekit import commands, console
from edgekit.bundle.read import read
from tests.engines.commands.test_documents_run import room
from tests.golden import advice
from tests.golden.advice import Advice
from tests.unit.inputs import nets
from tests.unit.inputs.nets import value
from tests.unit.sources.tiny_loras import save_lora
from tests.unit.test_documents import ROOT

__all__ = ["room"]
pytestmark = pytest.mark.runtimes

NET = "build det.onnx --target linux-cpu --dry-run"
FLAT = "build flat.onnx --target linux-cpu --dry-run"
LLM = "build phi-4-mini --target linux-cpu --dry-run"
# where the advice stands: how it begins -> a line that ends so, what it ends with, and the line that follows the advice
FOLLOWED: list[tuple[str, str, str, int, str]] = [
    ("bundle/files.py", "give the folder or the .zip", "verify none.zip", 6, "verify BUNDLE"),
    ("bundle/read.py", "give the folder or the .zip", "verify phi-4-mini", 6, "verify BUNDLE"),
    ("catalog/device.py", "--ram 8GB, or one of", "fit phi-4-mini --device nokia", 2, "fit phi-4-mini --ram 8GB"),
    ("commands/_common.py", "{where} --help shows", "build --tarrget x", 2, "build --help"),
    ("commands/_project.py", "give SOURCE, or write", "build --recipe float32 --dry-run", 2, f"{NET} --recipe float32"),
    ("commands/check.py", "write --meter csv:FILE", "check BUNDLE --meter watt", 2, "check BUNDLE --goldens-only"),
    ("commands/compare.py", "edgekit compare BUNDLE_A", "compare BUNDLE", 2, "compare BUNDLE NEW"),
    ("commands/devices.py", "edgekit cache prune removes", "devices clean local", 2, "cache prune --older-than 999"),
    ("commands/fit.py", "give --device 'Pixel 9' or", "fit phi-4-mini", 2, "fit phi-4-mini --device 'Pixel 9'"),
    ("commands/init.py", "edit it, or give --force", "init --yes", 2, "init --yes --force"),
    ("commands/recommend.py", "give --device", "recommend --task chat", 2, "recommend --task chat --target linux-cpu"),
    ("commands/run.py", 'edgekit run {} "your', "run BUNDLE --input a.npy", 2, 'run BUNDLE "Hello" --max-tokens 4'),
    ("commands/run.py", "edgekit run {} --input", 'run NET "Hello"', 2, "run NET --input feeds.npz"),
    (
        "commands/targets.py",
        "choose another name",
        "targets new my --extends linux-cpu",
        3,
        "targets new my --extends linux-cpu --force",
    ),
    ("devices/adb.py", "--device adb:SERIAL or", "check BUNDLE --device adb", 2, "devices"),
    (
        "devices/local.py",
        "--device local",
        "check BUNDLE --device local:1",
        2,
        "check BUNDLE --device local --goldens-only",
    ),
    (
        "devices/ssh.py",
        "--device ssh:user@host",
        "check BUNDLE --device ssh:",
        2,
        "check BUNDLE --device ssh:u@127.0.0.1:1",
    ),
    (
        "inputs/calibration.py",
        "give .npz files with",
        f"{NET} --calibration photos",
        4,
        f"{NET} --calibration photos --input-spec x:image",
    ),
    (
        "inputs/options.py",
        "give one --input-spec",
        f"{NET} --input-spec x:image --input-spec x:image",
        2,
        f"{NET} --input-spec x:image",
    ),
    (
        "kinds/llm.py",
        "write --prompts 128,512",
        "check BUNDLE --prompts 0",
        2,
        "check BUNDLE --quick --prompts 8 --no-target-budgets",
    ),
    ("lint/__init__.py", "end it with", "lint app.apk -o page.txt", 2, "lint app.apk -o page.sarif"),
    (
        "plan.py",
        "give --calibration FOLDER",
        f"{NET} --recipe int8_qdq",
        2,
        f"{NET} --recipe int8_qdq --calibration photos --input-spec x:image",
    ),
    (
        "plan.py",
        "leave out --require-ep",
        "build phi-4-mini --target android-nnapi --dry-run --require-ep",
        5,
        "build phi-4-mini --target android-nnapi --dry-run",
    ),
    (
        "report/formats/__init__.py",
        "end it with",
        "report RESULT.json -o page.txt",
        2,
        "report RESULT.json -o page.html",
    ),
    (
        "sources/_places.py",
        "edgekit check {} runs it",
        "build BUNDLE --target linux-cpu --dry-run",
        4,
        "check BUNDLE --goldens-only",
    ),
    (
        "sources/_places.py",
        "give the model that it was",
        "build polite --target linux-cpu --dry-run",
        4,
        f"{LLM} --adapter polite=polite",
    ),
    (
        "sources/facts/adapter.py",
        "write --adapter polite=",
        f"{LLM} --adapter Polite",
        2,
        f"{LLM} --adapter polite=polite",
    ),
    ("sources/facts/config_alone.py", "edgekit build --dry-run", "fit det.onnx --ram 8GB", 4, NET),
    ("target.py", "edgekit targets schema", "build det.onnx --target bad.toml --dry-run", 3, "targets schema"),
    (
        "catalog/cards.py",
        "edgekit models smollm2",
        "build bad.toml --target linux-cpu --dry-run",
        4,
        "models smollm2-135m-instruct",
    ),
    (
        "check.py",
        "build it with --calibration",
        "check BARE --goldens-only",
        6,
        f"{NET} --calibration photos --input-spec x:image",
    ),
    ("commands/_cache_bits.py", "leave out --cache-bits", f"{NET} --cache-bits 8", 2, NET),
    ("commands/_project.py", "add --target linux-cpu", "build det.onnx --dry-run", 2, NET),
    ("commands/_project.py", "{}begin a project", "build --dry-run", 2, "init --yes"),
    ("commands/init.py", "edgekit init --yes asks", "init", 2, "init --yes"),
    ("devices/__init__.py", "one of:", "check BUNDLE --device usb:1", 2, "devices"),
    ("devices/ios.py", "--device ios:UDID", "check BUNDLE --device ios", 2, "devices"),
    ("fit/matrix.py", "edgekit models names", "fit swift-f0 --ram 8GB", 4, "models"),
    ("inputs/options.py", "give its arrays", f"{FLAT} --input-spec x:image", 2, f"{FLAT} --calibration arrays"),
    ("project/file.py", "edgekit init --schema", "build --only model=a --dry-run", 2, "init --schema"),
    ("project/run.py", "edgekit build without", "build --locked", 12, "build --dry-run"),
    (
        "sources/_adapters.py",
        "give one --adapter",
        f"{LLM} --adapter a=polite --adapter b=polite --merge-adapter",
        2,
        f"{LLM} --adapter polite=polite",
    ),
    (
        "verdicts/read.py",
        "make one: edgekit",
        "baseline compare RESULT.json --baseline RESULT.json",
        2,
        "baseline save RESULT.json -o base.json",
    ),
    (
        "verdicts/read.py",
        "give a result.json",
        "baseline save det.onnx -o base.json",
        2,
        "baseline save RESULT.json -o base.json",
    ),
]
# Before some of the lines: what makes them end so.
BEFORE = {
    "init --yes": "init --yes",
    "targets new my --extends linux-cpu": "targets new my --extends linux-cpu",
    "build --locked": "init --yes",
}
BUILT = "a build of minutes, and an engine that fails in it"
ELSEWHERE: dict[str, tuple[str, str]] = {  # a file, or a folder of them -> what it takes to come there, and who does
    "ab.py": ("a machine that answers wrongly", "tests/engines"),
    "adapters/": (BUILT, "tests/olive/test_adapters.py"),
    "bundle/": ("a bundle of another edgekit, or a build", "tests/unit/bundle"),
    "catalog/new.py": (BUILT, "tests/unit/catalog"),
    "check.py": ("measuring, under conditions that are not met", "tests/engines/test_check.py"),
    "commands/_common.py": ("no command, and --json", "tests/unit/commands/test_command_line.py"),
    "commands/_ladder.py": ("several builds", "tests/olive"),
    "commands/_sized.py": ("several builds", "tests/olive"),
    "commands/baseline.py": ("measuring twice", "tests/unit/verdicts"),
    "commands/ci.py": ("a project", "tests/unit/project/test_ci.py"),
    "commands/init.py": ("a folder without a model", "tests/unit/commands/test_project_begun.py"),
    "commands/lint.py": ("a package with a fault", "tests/unit/lint"),
    "commands/models.py": ("a card as a model", "tests/unit/catalog"),
    "commands/results.py": ("a result from elsewhere", "tests/unit/commands"),
    "commands/runtime.py": ("a compiler", "tests/unit/packs"),
    "commands/": ("a build, or a device", "tests/unit/commands"),
    "compile/": ("Qualcomm's compiler, and an operator that it does not take", "tests/olive"),
    "devices/": ("a device that is attached, and fails", "tests/device"),
    "fit/estimate.py": ("a device that no target is for", "tests/unit/fit"),
    "inputs/": ("data of another kind", "tests/unit/inputs"),
    "jobs/": (BUILT, "tests/olive"),
    "optimize.py": (BUILT, "tests/olive"),
    "packs/": ("a compiler, and engines of vendors", "tests/unit/packs"),
    "partition/": ("a build for an accelerator", "tests/unit/partition"),
    "predict/": ("a build to a size", "tests/unit/predict"),
    "project/": ("a project that was built and checked", "tests/unit/project"),
    "quality/": ("a build of a model that was made worse", "tests/bench"),
    "recipes/": (BUILT, "tests/unit/recipes"),
    "sample/": ("a bundle for a phone", "tests/unit/sample"),
    "search.py": ("several builds", "tests/olive"),
    "sources/": ("a model of that kind, and torch", "tests/unit/sources"),
    "tools.py": ("a child that fails", "tests/engines/test_tools.py"),
    "verdicts/": ("measuring for minutes", "tests/unit/verdicts"),
    "wrappers/": ("an engine, or a bundle without a template", "tests/engines/wrappers"),
}


@cache
def rows() -> tuple[Advice, ...]:
    """What is advised and is a command, or an option of one."""
    return tuple(each for each in advice.everywhere() if each.kind == "command")


def shape(template: str) -> str:
    """A template as a pattern of what is written by it."""
    return "|".join(".*".join(map(re.escape, re.split(r"\{[^{}]*\}", part))) for part in template.split(" | "))


@cache
def stands(module: str, begins: str) -> tuple[Advice, ...]:
    """The advices of a module that begin so."""
    return tuple(each for each in rows() if each.module == module and blank(each.next).startswith(blank(begins)))


def blank(template: str) -> str:
    """A template without what is filled in."""
    return re.sub(r"\{[^{}]*\}", "{}", template)


def followed(each: Advice) -> bool:
    return any(each in stands(module, begins) for module, begins, *_ in FOLLOWED)


def test_every_command_that_is_advised_is_followed_or_says_who_does() -> None:
    missing = [each for each in rows() if not followed(each) and not _elsewhere(each)]
    assert not missing, "\n".join(f"{each.module}: {each.message[:60]} -> {each.next[:100]}" for each in missing)
    for what, who in ELSEWHERE.values():
        assert what and (ROOT / who).exists()


def _elsewhere(each: Advice) -> bool:
    return any(each.module == place or (place.endswith("/") and each.module.startswith(place)) for place in ELSEWHERE)


def ended(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The exit code of a line, and what it says: the error and its advice."""
    capsys.readouterr()
    code = commands.main(shlex.split(line))
    console.configure()
    said = " ".join(capsys.readouterr().err.split())
    error = re.search(r"error: (.*?) next: (.*)$", said)
    return code, error[1] if error else said, error[2] if error else ""


@pytest.mark.parametrize(("module", "begins", "cause", "code", "then"), FOLLOWED, ids=[row[2] for row in FOLLOWED])
def test_an_advice_that_is_followed_ends_otherwise(
    module: str, begins: str, cause: str, code: int, then: str, sandbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = stands(module, begins)
    assert wanted, f"no advice of {module} begins so"
    if cause in BEFORE:
        assert ended(BEFORE[cause], capsys)[0] == 0
    if "--only" in cause:
        (sandbox / "edgekit.toml").write_text("nonsense = 1\n", encoding="utf-8")
    first, _, said = ended(cause, capsys)
    assert first == code and any(re.match(shape(each.next), said) for each in wanted), said
    last, error, _ = ended(then, capsys)
    assert last not in (first, 1), error


@pytest.fixture
def sandbox(room: Path, tensor_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the documents speak of, and some more."""
    monkeypatch.chdir(room)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    shutil.copytree(tensor_bundle, room / "NET")
    shutil.copytree(tensor_bundle, room / "BARE")
    shutil.rmtree(room / "BARE" / "check")
    save_lora(room / "polite")
    nets.save(
        room / "flat.onnx", [helper.make_node("Relu", ["x"], ["y"])], [value("x", [1, 4])], [value("y", [1, 4])], {}
    )
    (room / "arrays").mkdir()
    for at in range(12):
        np.savez(room / "arrays" / f"{at}.npz", x=np.full((1, 4), at, np.float32))
    feeds = read(tensor_bundle).contract.inputs
    arrays = {
        each.name: np.zeros([side if isinstance(side, int) else 1 for side in each.shape], each.dtype) for each in feeds
    }
    np.savez(room / "feeds.npz", **arrays)
    (room / "none.zip").write_bytes(b"PK\5\6" + bytes(18))
    (room / "bad.toml").write_text("nonsense = 1\n", encoding="utf-8")
    return room
