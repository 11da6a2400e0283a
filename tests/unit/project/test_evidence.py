"""A result of a device is kept if it is of its bundle, of a real device, and believable; a status rests on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands, target
from edgekit.contract.manifest import Manifest
from edgekit.data import jsonable, pretty
from edgekit.project import evidence
from tests.unit.bundle import tiny_bundle
from tests.unit.report import samples

pytestmark = pytest.mark.unit

KEPT = Path(__file__).parents[3] / evidence.PLACE
# What CI itself runs, on this system; of all others a device must have spoken.
OURS = ("linux",)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle for linux-cpu, of which nothing is changed."""
    folder = tmp_path_factory.mktemp("devices") / tiny_bundle.NAME
    tiny_bundle.build(folder, tiny_bundle.origin(tmp_path_factory.mktemp("origin")))
    return folder


def result(path: Path, bundle: Path, changes: dict[str, dict[str, Any]]) -> Path:
    """A result of the bundle on a device, with changes to its parts."""
    manifest = Manifest.model_validate(json.loads((bundle / "edgekit.json").read_text(encoding="utf-8")))
    profile = target.load(manifest.target.name)
    data: dict[str, Any] = jsonable(samples.phone())
    facts = {"sha256": manifest.sha256, "name": manifest.name, "target": profile.name, "recipe": manifest.recipe.name}
    for part, own in {
        "bundle": facts,
        "device": {"evidence": "device", "os": profile.os, "abi": profile.abi[0]},
        "conditions": {"invalid": [], "run_context": "shell"},
        "goldens": {"passed": True, "compared": 3},
    }.items():
        data[part] |= own | changes.get(part, {})
    path.write_text(pretty(data | {name: value for name, value in changes.items() if name == "processes"}))
    return path


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"bundle": {"sha256": "0" * 64}}, 2, "its sha256 is 0000"),
        ({"bundle": {"target": "android-cpu"}}, 2, "its target is android-cpu"),
        ({"device": {"evidence": "emulated"}}, 11, "its evidence is emulated"),
        ({"device": {"evidence": "host"}}, 11, "its evidence is host"),
        ({"device": {"os": "windows"}}, 11, "it ran on windows"),
        ({"device": {"abi": "mips"}}, 11, "it ran on linux mips"),
        ({"conditions": {"run_context": "a dream"}}, 11, "it ran in 'a dream'"),
        ({"conditions": {"invalid": ["it was hot"]}}, 11, "it was hot"),
        ({"goldens": {"passed": False}}, 11, "its golden answers differ"),
        ({"goldens": {"compared": 0}}, 11, "no golden answer was compared"),
        ({"processes": []}, 11, "nothing was timed"),
    ],
)
def test_what_is_no_evidence(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str], changes: Any, code: int, says: str
) -> None:
    path = result(tmp_path / "x.json", bundle, changes)
    words = ["results", "add", str(path), "--bundle", str(bundle), "--to", str(tmp_path / "devices")]
    assert commands.main(words) == code
    assert says in capsys.readouterr().err and not (tmp_path / "devices").exists()


def test_what_is_evidence_is_kept(tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside = bundle.with_name(f"{bundle.name}.result.json")
    result(beside, bundle, {})
    folder = tmp_path / "devices"
    words = ["results", "add", str(beside), "--to", str(folder)]
    assert commands.main([*words, "--json"]) == 0
    path = Path(json.loads(capsys.readouterr().out)["data"]["path"])
    assert commands.main(words) == 0, "the same again is the same file"
    ((kept, report),) = evidence.results(folder)
    assert kept == path and path.parent.name == "linux-cpu" and report.raw == {}
    text = (folder / evidence.INDEX).read_text(encoding="utf-8")
    assert text == evidence.index(folder) and path.relative_to(folder).as_posix() in text


def test_a_result_that_names_no_bundle(tmp_path: Path, bundle: Path) -> None:
    path = result(tmp_path / "x.json", bundle, {})
    assert commands.main(["results", "add", str(path)]) == 2
    assert commands.main(["results", "add", str(path), "--bundle", str(tmp_path)]) == 6


def test_a_target_is_no_more_than_experimental_until_a_device_has_spoken() -> None:
    spoken = {report.bundle.target for _, report in evidence.results(KEPT)}
    supported = [profile for profile in map(target.load, target.names()) if profile.status == "supported"]
    assert supported, "the rule looks at something"
    assert [profile.name for profile in supported if profile.os not in OURS and profile.name not in spoken] == []


def test_the_index_is_as_written() -> None:
    assert (KEPT / evidence.INDEX).read_text(encoding="utf-8") == evidence.index(KEPT)
    for path, report in evidence.results(KEPT):
        assert path.read_text(encoding="utf-8") == pretty(jsonable(report)) and report.device.evidence == "device"
