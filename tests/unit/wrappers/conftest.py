"""Fixtures of the runtime tests: small bundles, made once a session and never changed by a test."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # whatever the import mode: the tests share modules
sys.path.insert(0, str(Path(__file__).parents[2] / "peers"))

from small_bundles import seal_llm, seal_tensor

from edgekit.devices import _runner
from edgekit.errors import ToolMissing
from edgekit.wrappers.python.manifest import host_abi


def build_runner(name: str) -> Path:
    """The runner of a platform, from the cache or built now; without a compiler skipped, but failing on CI."""
    try:
        return _runner.build(_runner.platform(name))
    except ToolMissing as missing:
        words = f"{missing.message}: {missing.next}"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)


@pytest.fixture(scope="session")
def runner() -> Path:
    """edgekit-runner for this machine, with the engines beside it."""
    return build_runner(f"linux-{host_abi()}")


@pytest.fixture(scope="session")
def arm64_runner() -> Path:
    """edgekit-runner for ARM64."""
    return build_runner("linux-aarch64")


@pytest.fixture(scope="session")
def tensor_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See seal_tensor."""
    return seal_tensor(tmp_path_factory.mktemp("tensor"))


@pytest.fixture(scope="session")
def llm_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See seal_llm."""
    return seal_llm(tmp_path_factory.mktemp("llm"))


@pytest.fixture(scope="session")
def pruned_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As llm_bundle; its model gives the last token's logits only."""
    return seal_llm(tmp_path_factory.mktemp("pruned"), pruned=True)
