"""The manifests of bundles of a few kilobytes, built for real for every target, are what tests/golden/manifests says.

What is left out of the comparison, and why, is tests.golden.manifests.LEFT_OUT.
"""

from __future__ import annotations

import pytest

from edgekit import target
from tests.golden import manifests, text

pytestmark = pytest.mark.olive


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return manifests.files(manifests.built(tmp_path_factory.mktemp("manifests")), "manifests")


@pytest.mark.parametrize("name", target.names())
def test_a_manifest_is_the_golden_one(name: str, files: dict[str, str]) -> None:
    if wrong := text.difference(files, f"manifests/{name}.json"):
        pytest.fail(wrong.replace(text.WRITE, f"{text.WRITE}-manifests"), pytrace=False)
