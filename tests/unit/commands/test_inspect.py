"""What `edgekit inspect` says an app links: what this bundle needs of its target's packages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgekit import target as targets
from edgekit.commands import inspect

pytestmark = pytest.mark.unit


def linked(kind: str, target: str, ep: str) -> set[str]:
    """Of a model of this kind on this target, whose only variant runs on `ep`."""
    packages = targets.load(target).runtime
    it = SimpleNamespace(
        model=SimpleNamespace(kind=kind), target=SimpleNamespace(runtime=packages), variants=[SimpleNamespace(ep=ep)]
    )
    return {package.name for package in inspect._linked(it)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "target", "ep", "names"),
    [
        ("tensor", "linux-cpu", "cpu", {"onnxruntime"}),
        ("llm", "linux-cpu", "cpu", {"onnxruntime", "onnxruntime-genai"}),
        ("tensor", "windows-qnn", "qnn", {"onnxruntime", "onnxruntime-qnn"}),
        ("tensor", "windows-qnn", "cpu", {"onnxruntime"}),
    ],
)
def test_an_app_links_what_its_bundle_needs(kind: str, target: str, ep: str, names: set[str]) -> None:
    assert linked(kind, target, ep) == names
