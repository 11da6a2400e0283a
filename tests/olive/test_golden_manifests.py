"""The manifests of bundles of a few kilobytes, built for real for every target, are what tests/golden/manifests says.

What is left out of the comparison, and why, is tests.golden.manifests.LEFT_OUT.
"""

from __future__ import annotations

import pytest

from edgekit import target
from tests.golden import manifests, text

pytestmark = pytest.mark.olive


BUILT = (manifests.BASE, "android-qnn", "ios-coreml")  # at every change


@pytest.fixture(scope="module")
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of the targets that are asked for, and of the one that the others are shown beside."""
    asked = {test.callspec.params["name"] for test in request.session.items if test.path == request.path}  # type: ignore[attr-defined]
    names = [name for name in target.names() if name in {manifests.BASE, *asked}]
    return manifests.files(manifests.built(tmp_path_factory.mktemp("manifests"), names), "manifests")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in BUILT else pytest.mark.nightly) for name in target.names()]
)
def test_a_manifest_is_the_golden_one(name: str, files: dict[str, str]) -> None:
    if wrong := text.difference(files, f"manifests/{name}.json"):
        pytest.fail(wrong.replace(text.WRITE, f"{text.WRITE}-manifests"), pytrace=False)
