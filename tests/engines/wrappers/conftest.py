"""Fixtures of the runtime tests: small bundles besides those of engines/conftest.py, made once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engines.wrappers.conformance import BORDER, changed
from tests.engines.wrappers.counting import Counted, compile_counting
from tests.engines.wrappers.small_bundles import classes, pixels, seal_cases, seal_llm, seal_pictures
from tests.engines.wrappers.small_models import TOOLS


@pytest.fixture(scope="session")
def arm64_runner(need_runner: Callable[[str], Path]) -> Path:
    """edgekit-runner for ARM64."""
    return need_runner("linux-aarch64")


@pytest.fixture(scope="session")
def case_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See seal_cases."""
    return seal_cases(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="session")
def classes_bundle(tensor_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small net, which tells classes of pictures."""
    return changed(tensor_bundle, tmp_path_factory.mktemp("classes"), classes)


@pytest.fixture(scope="session")
def same_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net that gives back the floats that it is fed, of four dimensions."""
    return seal_pictures(tmp_path_factory.mktemp("same"))


@pytest.fixture(scope="session")
def pixels_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net that gives back the pixels of a picture: bytes, upright, row by row."""
    folder = tmp_path_factory.mktemp("pixels")
    return changed(seal_pictures(folder, "uint8"), folder, pixels)


@pytest.fixture(scope="session")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See compile_counting."""
    return compile_counting(tmp_path_factory.mktemp("counting"))


@pytest.fixture
def counted(counting: Path, tmp_path: Path) -> Counted:
    """What a process is started with so that its core is counted."""
    return Counted(counting, tmp_path)


@pytest.fixture(scope="session")
def calling_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As llm_bundle; its chat template takes tools, so it brings function calls."""
    return seal_llm(tmp_path_factory.mktemp("calling"), template=TOOLS, max_length=4096)


@pytest.fixture(scope="session")
def talking_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As llm_bundle, with room for 4,096 tokens; its manifest states what memory it takes.

    That <|end|> ends an answer is said by its chat template alone.
    """

    def state(manifest: dict[str, Any]) -> None:
        manifest["memory"] |= {"kv_bytes_at_max_length": 1 << 20, "kv_bytes_per_token": 256, "mapped_bytes": 1 << 16}
        manifest["memory"] |= {"prepacked_bytes": 1 << 16, "engine_bytes": 1 << 18, "logits_bytes_pp512": 512 * 1084}

        manifest["contract"]["eos_token_ids"] = [0]

    folder = tmp_path_factory.mktemp("talking")
    return changed(seal_llm(folder, max_length=4096), folder, state)


@pytest.fixture(scope="session")
def bordered_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As llm_bundle; its keys are others for a text of more than BORDER tokens, and its contract says so."""
    return seal_llm(tmp_path_factory.mktemp("bordered"), border=BORDER)


@pytest.fixture(scope="session")
def begun_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As llm_bundle; its tokenizer puts a token before plain text, and its contract says so."""
    return seal_llm(tmp_path_factory.mktemp("begun"), begins=True)


@pytest.fixture(scope="session")
def worn_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As llm_bundle, with the adapters "abc" and "xyz" beside it: with one on, it says its first two letters alone."""
    return seal_llm(tmp_path_factory.mktemp("worn"), adapters=("abc", "xyz"))


@pytest.fixture(scope="session")
def pruned_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As llm_bundle; its model gives the last token's logits only."""
    return seal_llm(tmp_path_factory.mktemp("pruned"), pruned=True)


@pytest.fixture(scope="session")
def int8_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As talking_bundle, with an attention layer whose keys and values are int8."""
    return seal_llm(tmp_path_factory.mktemp("int8"), max_length=4096, int8_cache=True)
