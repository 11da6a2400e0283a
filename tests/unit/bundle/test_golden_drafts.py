"""What a manifest says before anything is built, for every target, is what tests/golden/drafts says."""

from __future__ import annotations

import pytest

from edgekit import target
from tests.golden import manifests, text

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return manifests.files(manifests.drafted(tmp_path_factory.mktemp("drafts")), "drafts")


@pytest.mark.parametrize("name", target.names())
def test_a_draft_is_the_golden_one(name: str, files: dict[str, str]) -> None:
    if wrong := text.difference(files, f"drafts/{name}.json"):
        pytest.fail(wrong, pytrace=False)


def test_no_golden_draft_is_left_of_a_target_that_is_gone(files: dict[str, str]) -> None:
    assert text.stale(files, "drafts") == [], f"no case writes these any more: `{text.WRITE}` removes them"


def test_every_manifest_has_a_golden_and_none_is_left() -> None:
    """The manifests themselves need a build (tests/olive); that a target lacks one is seen here."""
    there = {path.stem for path in (text.FOLDER / "manifests").glob("*.json")}
    assert there == set(target.names()), f"`{text.WRITE}-manifests` writes what lacks and removes what is left"


def test_what_is_left_out_of_a_golden_manifest_is_what_is_listed_and_nothing_else() -> None:
    """A manifest with a mark in every place: it is lost in the listed ones alone."""
    made = manifests.shown(
        {
            "sha256": "1",
            "name": "2",
            "tools": {"onnx": "3"},
            "model": {"kind": "tensor", "sha256": "4"},
            "recipe": {
                "sha256": "5",
                "name": "6",
                "stages": ["planned"],
                "calibration": {"sha256": "24", "form": "25"},
            },
            "files": [
                {"path": "model/a/model.onnx", "role": "model", "size": 7, "sha256": "8"},
                {"path": "check/goldens.npz", "role": "check", "size": 9, "sha256": "10"},
                {"path": "check/inputs.npz", "role": "check", "size": 11, "sha256": "12"},
                {"path": "runtime/x.py", "role": "runtime", "size": 13, "sha256": "14"},
            ],
            "quality": {
                "a": {
                    "ran_on": "15",
                    "measurements": [{"metric": "sqnr_db", "value": 16, "n": 17}],
                    "verdicts": [{"metric": "sqnr_db", "value": 18, "verdict": "19"}],
                },
            },
            "partition": {"a": {"basis": "a session of onnxruntime 1.2.3 with onnxruntime-qnn 4.5, 20"}},
            "variants": [{"name": "a", "ep": "21"}],
            "target": {"sha256": "22", "runtime": [{"name": "r", "floor": "1.2.3", "source": "onnxruntime 23"}]},
        },
        ["planned"],
    )
    assert made == {
        "sha256": "-",
        "name": "2",
        "tools": {"onnx": "-"},
        "model": {"kind": "tensor", "sha256": "4"},
        "recipe": {"sha256": "-", "name": "6", "stages": "as planned", "calibration": {"sha256": "-", "form": "25"}},
        "files": {
            "model/a/model.onnx": {"role": "model", "size": 7, "sha256": "-"},
            "check/goldens.npz": {"role": "check", "size": 9, "sha256": "-"},
            "check/inputs.npz": {"role": "check", "size": 11, "sha256": "12"},
            "runtime/x.py": {"role": "runtime", "size": "-", "sha256": "-"},
        },
        "quality": {
            "a": {
                "ran_on": "-",
                "measurements": {"sqnr_db": {"value": "-", "n": 17}},
                "verdicts": {"sqnr_db": {"value": "-", "verdict": "19"}},
            },
        },
        "partition": {"a": {"basis": "a session of onnxruntime ${version} with onnxruntime-qnn ${version}, 20"}},
        "order of variants": ["a"],
        "variants": {"a": {"ep": "21"}},
        "target": {"sha256": "22", "runtime": {"r": {"floor": "1.2.3", "source": "onnxruntime 23"}}},
    }
