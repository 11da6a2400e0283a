"""Names, versions and engines: what conformance.py does not reach from outside."""

from __future__ import annotations

import pytest

from edgekit.wrappers.python import manifest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "one"),
    [("arm64-v8a", "aarch64"), ("arm64", "aarch64"), ("AMD64", "x86_64"), ("x86_64", "x86_64"), ("riscv64", "riscv64")],
)
def test_one_name_for_one_architecture(name: str, one: str) -> None:
    assert manifest.abi(name) == one


@pytest.mark.parametrize(
    ("here", "floor", "enough"),
    [
        ("1.24.0", "1.24.0", True),
        ("1.24.0", "1.24", True),
        ("1.24", "1.24.0", False),  # a version that says less is not trusted to be more
        ("1.100.0", "1.24.0", True),
        ("1.9.0", "1.24.0", False),
        ("1.24.0rc1", "1.24.0", True),
        ("1.24.1+cu12", "1.24.1", True),
        ("1.24.0-dev", "1.24.1", False),
        ("2.0", "1.99.9", True),
    ],
)
def test_versions(here: str, floor: str, enough: bool) -> None:
    assert (manifest._numbers(here) >= manifest._numbers(floor)) is enough


def test_a_missing_engine_is_named_with_its_pip_line() -> None:
    with pytest.raises(manifest.Refused) as caught:
        manifest.engine("onnxruntime_teapot")
    assert caught.value.code == "tool-missing" and caught.value.axis == "onnxruntime_teapot"
    assert caught.value.next == "pip install onnxruntime-teapot"
