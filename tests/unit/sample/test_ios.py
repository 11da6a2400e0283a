"""The iOS project: what Xcode would read names what is there, and what the target and the transport say."""

from __future__ import annotations

import plistlib
import re
from pathlib import Path
from typing import Any

import pytest

from edgekit import sample
from edgekit.devices import ios
from edgekit.errors import BundleError
from edgekit.files import resource
from edgekit.sample._project import Whole, samples, sources
from edgekit.sample.ios import project
from edgekit.target import load
from tests.unit.sample.conftest import Seal

pytestmark = pytest.mark.unit

SAMPLE = samples() / "ios"
ID = re.compile(r"ED6E417[0-9A-F]{17}")


@pytest.fixture(scope="module")
def objects() -> dict[str, dict[str, Any]]:
    """What the project file holds."""
    whole = plistlib.loads((SAMPLE / "Sample.xcodeproj/project.pbxproj").read_bytes())
    assert whole["objects"][whole["rootObject"]]["isa"] == "PBXProject"
    entries: dict[str, dict[str, Any]] = whole["objects"]
    return entries


def named(value: Any) -> set[str]:
    """The objects that a value of the project file names, at any depth."""
    if isinstance(value, dict):
        return named(list(value.values()))
    if isinstance(value, list):
        return set().union(*map(named, value))
    return {value} if ID.fullmatch(value) else set()


def test_the_project_names_no_object_that_is_not_there(objects: dict[str, dict[str, Any]]) -> None:
    assert all(ID.fullmatch(key) for key in objects)
    wanted = named(list(objects.values()))
    roots = {key for key, entry in objects.items() if entry["isa"] == "PBXProject"}
    assert wanted == set(objects) - roots


def test_what_the_project_names_is_in_the_folder(objects: dict[str, dict[str, Any]], seal: Seal) -> None:
    """But the engine, which is fetched, and what is built."""
    made = written(seal("ios-cpu"))
    paths = {entry["path"] for entry in objects.values() if "path" in entry}
    assert paths - {"onnxruntime-genai.xcframework", "Sample.app"} == {
        path for path in paths if any(place == path or place.startswith(f"{path}/") for place in made)
    }
    settings = [entry["buildSettings"] for entry in objects.values() if entry["isa"] == "XCBuildConfiguration"]
    (info,) = {each["INFOPLIST_FILE"] for each in settings if "INFOPLIST_FILE" in each}
    (rights,) = {each["CODE_SIGN_ENTITLEMENTS"] for each in settings if "CODE_SIGN_ENTITLEMENTS" in each}
    assert {info, rights} <= made
    assert {each["PRODUCT_BUNDLE_IDENTIFIER"] for each in settings if "INFOPLIST_FILE" in each} == {ios.APP}


def written(bundle: Path) -> set[str]:
    """The places of a project of this bundle; a net, which make refuses, so without its checks."""
    from edgekit.bundle.files import opened
    from edgekit.bundle.read import parse
    from edgekit.bundle.stage import files_of

    with opened(bundle) as inside:
        made = project(Whole(parse(inside.manifest), inside))
    copied = {f"{place}/{part}".rstrip("/") for place, path in made.sources.items() for part, _ in files_of(path)}
    return copied | set(made.texts) | set(made.places.values()) | {made.licences}


def test_the_core_is_there_without_what_is_no_app_s(seal: Seal) -> None:
    made = {Path(place).name for place in written(seal("ios-cpu")) if place.startswith("edgekit/cpp/src/")}
    core = {path.name for path in resource("wrappers/cpp/src").iterdir()}
    assert core - made == {"main.cpp", "ort_abi_check.cpp", "edgekit.map"}


def test_the_settings_are_the_target_s(seal: Seal) -> None:
    from edgekit.bundle.files import opened
    from edgekit.bundle.read import parse

    profile = load("ios-cpu")
    platform = profile.platform.model_dump(exclude_defaults=True)
    with opened(seal("ios-cpu", platform=platform)) as inside:
        made = project(Whole(parse(inside.manifest), inside))
    assert f"IPHONEOS_DEPLOYMENT_TARGET = {profile.platform.os_min}\n" in made.texts["Bundle.xcconfig"]


def test_a_net_is_sent_to_the_check_mode_instead(seal: Seal, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="chats with a bundle") as refused:
        sample.make("ios", seal("ios-cpu"), tmp_path / "app")
    assert "edgekit check --device ios:UDID" in refused.value.next


def test_the_app_calls_what_the_core_has() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in (SAMPLE / "Sample").glob("*.swift"))
    header = (resource("wrappers/cpp/src") / "app.h").read_text(encoding="utf-8")
    called = set(re.findall(r"\b(edgekit_\w+)\(", texts))
    assert called == {"edgekit_check"} <= set(re.findall(r"^(?:int|void) (edgekit_\w+)\(", header, re.MULTILINE))
    assert '"--edgekit-check"' in texts and "--edgekit-check" in (ios.__doc__ or "")
    headers = re.findall(r'header "\.\./(.+)"', (SAMPLE / "edgekit/include/module.modulemap").read_text("utf-8"))
    assert [resource("wrappers").joinpath(path).is_file() for path in headers] == [True, True]


def test_swiftui_is_in_one_file_alone() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in (SAMPLE / "Sample").glob("*.swift")}
    assert {name for name, text in texts.items() if re.search(r"^import (SwiftUI|UIKit)", text, re.MULTILINE)} == {
        "Sample.swift"
    }
    page = (SAMPLE / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in texts) and set(sources("ios")) >= {f"Sample/{name}" for name in texts}
