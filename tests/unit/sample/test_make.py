"""`edgekit sample`: what every platform's project has, and what is refused before anything is written."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands, registry, sample
from edgekit.bundle.verify import verify
from edgekit.bundle.zip import zip_bundle
from edgekit.errors import BuildError, BundleError, UsageError
from edgekit.sample import _check_disk
from edgekit.sample._project import BUNDLE, LICENCES, samples
from tests.unit.bundle.tiny_bundle import contents
from tests.unit.injections import reseal
from tests.unit.sample.conftest import Seal

pytestmark = pytest.mark.unit

TARGETS = {"android": "android-cpu", "linux": "linux-cpu", "windows": "windows-webgpu"}


def make(platform: str, bundle: Path, out: Path) -> sample.Made:
    made = sample.make(platform, bundle, out)
    assert made.path == str(out) and out.is_dir()
    return made


@pytest.mark.parametrize("platform", sorted(TARGETS))  # which take a net; that of iOS chats alone: test_ios.py
def test_a_project_has_the_sample_the_bundle_and_the_licences(platform: str, seal: Seal, tmp_path: Path) -> None:
    bundle = seal(TARGETS[platform], pictures=True)
    made = make(platform, bundle, tmp_path / "project")
    files = contents(tmp_path / "project")
    own = {path.relative_to(samples() / platform).as_posix() for path in (samples() / platform).rglob("*.*")}
    assert own <= set(files) | {path for path in own if (samples() / platform / path).is_dir()}
    assert (made.files, made.bytes) == (len(files), sum(map(len, files.values())))
    (texts,) = [text.decode() for path, text in files.items() if path.rpartition("/")[2] == LICENCES]
    for words in ("MIT\n", "Microsoft Corporation", "Niels Lohmann", "Apache License"):
        assert words in texts
    inside = {path: data for path, data in contents(bundle).items() if data in files.values()}
    assert {"edgekit.json", "model/portable/model.onnx.data", "check/plan.json", "LICENSES/LICENSE.txt"} <= set(inside)
    assert made.steps and not [path for path in files if path.endswith(".pyc")]
    assert not list(tmp_path.glob(".*"))


def test_the_bundle_of_a_zip_is_that_of_its_folder(seal: Seal, tmp_path: Path) -> None:
    bundle = seal("linux-cpu")
    zip_bundle(bundle, tmp_path / "tiny.zip")
    for name, source in (("folder", bundle), ("zip", tmp_path / "tiny.zip")):
        assert make("linux", source, tmp_path / name).does == sample.INFER
    assert contents(tmp_path / "folder") == contents(tmp_path / "zip")
    assert verify(tmp_path / "zip" / BUNDLE) == []


def test_what_an_app_leaves_out_is_a_whole_role(seal: Seal, tmp_path: Path) -> None:
    make("windows", seal("windows-webgpu"), tmp_path / "project")
    assert not (tmp_path / "project" / BUNDLE / "runtime").exists()
    assert verify(tmp_path / "project" / BUNDLE, allow_stripped=True) == []


@pytest.mark.parametrize(
    "target, runtimes, pip",
    [
        ("windows-cpu", [("win-x64", ""), ("win-arm64", "Arm64")], ":all: "),
        ("windows-webgpu", [("win-x64", "")], " --platform win_amd64 "),
        ("windows-qnn", [("win-arm64", "")], " --platform win_arm64 "),
    ],
)
def test_the_windows_project_is_for_the_cpus_of_its_bundle(
    target: str, runtimes: list[tuple[str, str]], pip: str, seal: Seal, tmp_path: Path
) -> None:
    """One of several is chosen by the machine that builds it."""
    wheel = {"name": "some-engine", "channel": "pip", "floor": "0.1", "last_seen": "0.2", "source": "a test"}
    bundle = reseal(seal(target), lambda manifest: manifest["target"].update(runtime=[wheel]))
    made = make("windows", bundle, tmp_path / "project")
    props = ElementTree.parse(tmp_path / "project" / "Bundle.props").getroot()
    told = [(str(item.text), item.get("Condition", "")) for item in props.iter("RuntimeIdentifier")]
    assert [(name, text.rpartition("== ")[2].strip("'")) for name, text in told] == runtimes
    assert pip in made.steps[0]


@pytest.mark.parametrize("there", ["folder", "empty folder", "file", "link"])
def test_what_is_there_is_left_alone(there: str, seal: Seal, tmp_path: Path) -> None:
    out = tmp_path / "project"
    if there == "link":
        out.symlink_to(tmp_path / "nowhere")
    elif there == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine").write_text("mine") if there == "folder" else None
    before = (out.is_symlink(), out.is_dir() and sorted(path.name for path in out.iterdir()))
    with pytest.raises(UsageError, match="project exists"):
        sample.make("linux", seal("linux-cpu"), out)
    assert before == (out.is_symlink(), out.is_dir() and sorted(path.name for path in out.iterdir()))


def test_a_bundle_of_another_platform_or_none_is_refused(seal: Seal, tmp_path: Path) -> None:
    out = tmp_path / "project"
    with pytest.raises(BundleError, match=r"built for linux-cpu \(linux\), not for windows") as refused:
        sample.make("windows", seal("linux-cpu"), out)
    assert "edgekit sample linux" in refused.value.next
    with pytest.raises(BundleError, match="no bundle at"):
        sample.make("windows", tmp_path / "none", out)
    assert not out.exists()


def test_a_bundle_that_was_changed_is_refused_and_nothing_is_left(seal: Seal, tmp_path: Path) -> None:
    bundle = seal("linux-cpu")
    weights = bundle / "model/portable/model.onnx.data"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match="is not whole"):
        sample.make("linux", bundle, tmp_path / "project")
    assert [path.name for path in tmp_path.iterdir()] == ["bundles"]


def test_a_disk_without_the_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"takes \d+ MB, and .* has \d+ MB free"):
        _check_disk(tmp_path / "project", 1 << 60)
    _check_disk(tmp_path / "not there" / "project", 1)


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_the_command_line(seal: Seal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, out = seal("linux-cpu"), tmp_path / "project"
    words = ["sample", "linux", "--bundle", str(bundle), "-o", str(out), "--json"]
    assert commands.main(words) == 0
    told = document(capsys)
    assert told["schema"] == "edgekit.sample/1" and told["data"]["path"] == str(out)
    assert told["data"]["bundle"] == "tiny-linux-cpu" and told["data"]["does"] == "infer"
    assert commands.main(words) == 2 and document(capsys)["error"]["code"] == "usage"
    words[1] = "windows"
    assert commands.main([*words[:-2], str(tmp_path / "other"), "--json"]) == 6
    assert document(capsys)["error"]["code"] == "bundle"
    words[1] = "beos"
    assert commands.main(words) == 2 and "beos" in document(capsys)["error"]["message"]
    assert commands.main(["sample", "linux", "--bundle", str(bundle), "-o", str(tmp_path / "third")]) == 0
    assert "cmake" in capsys.readouterr().out


def test_every_platform_says_what_it_takes() -> None:
    for name in sample.platforms():
        member = registry.member("edgekit.sample", name)
        assert name == member.OS and set(member.DOES) <= {sample.CHAT, sample.CLASSIFY, sample.INFER}
        assert member.ADVICE or len(member.DOES) == 3


def test_the_page_names_every_sample() -> None:
    page = (samples() / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\)", page, re.MULTILINE)
    assert sorted(rows) == [(name, name) for name in sample.platforms()] and set(TARGETS) | {"ios"} == dict(rows).keys()
    assert all((samples() / name / "README.md").is_file() for name in sample.platforms())
