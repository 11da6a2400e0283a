"""Fixtures of the runtime tests: small bundles, made once a session and never changed by a test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # whatever the import mode: the tests share modules
sys.path.insert(0, str(Path(__file__).parents[2] / "peers"))

from small_bundles import seal_llm, seal_tensor
from small_models import TOOLS


@pytest.fixture(scope="session")
def arm64_runner(need_runner: Callable[[str], Path]) -> Path:
    """edgekit-runner for ARM64."""
    return need_runner("linux-aarch64")


@pytest.fixture(scope="session")
def tensor_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See seal_tensor."""
    return seal_tensor(tmp_path_factory.mktemp("tensor"))


@pytest.fixture(scope="session")
def llm_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See seal_llm."""
    return seal_llm(tmp_path_factory.mktemp("llm"))


@pytest.fixture(scope="session")
def calling_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As llm_bundle; its chat template takes tools, so it brings function calls."""
    return seal_llm(tmp_path_factory.mktemp("calling"), template=TOOLS, max_length=4096)


@pytest.fixture(scope="session")
def pruned_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As llm_bundle; its model gives the last token's logits only."""
    return seal_llm(tmp_path_factory.mktemp("pruned"), pruned=True)
