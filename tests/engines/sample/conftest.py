"""Bundles of this machine for the samples that run here, and what the Python runtime makes of the same questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.llm import LlmBundle
from edgekit.wrappers.python.tensor import TensorBundle
from tests.engines.wrappers.small_bundles import copy, seal_llm
from tests.unit.injections import reseal

TURNS = ("the hand 👋", "and the can")


@pytest.fixture(scope="session")
def chatting_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model with room for several turns."""
    return seal_llm(tmp_path_factory.mktemp("chatting"), max_length=4096)


@pytest.fixture(scope="session")
def conversation(chatting_bundle: Path) -> list[str]:
    """What it answers to TURNS, one after the other, said by the Python runtime."""
    bundle = open_bundle(chatting_bundle)
    assert isinstance(bundle, LlmBundle)
    messages: list[dict[str, Any]] = []
    for turn in TURNS:
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": "".join(bundle.generate(messages))})
    return [message["content"] for message in messages[1::2]]


@pytest.fixture(scope="session")
def sealed_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """sealed_for(bundle, "windows"): a copy whose manifest says that platform."""

    def seal(bundle: Path, platform: str, **target: Any) -> Path:
        made = copy(bundle, tmp_path_factory.mktemp(platform) / bundle.name)

        def change(manifest: dict[str, Any]) -> None:
            manifest["target"] |= {"os": platform, **target}
            manifest["variants"][0]["compatibility"]["os"] = [platform]

        return reseal(made, change)

    return seal


@pytest.fixture
def tensors(tensor_bundle: Path, tmp_path: Path) -> tuple[Path, dict[str, np.ndarray[Any, Any]]]:
    """A file of the net's input x, float32 of 1,3,8,8, and the outputs to it."""
    feed = np.random.default_rng(5).normal(size=(1, 3, 8, 8)).astype(np.float32)
    (tmp_path / "x.bin").write_bytes(feed.tobytes())
    bundle = open_bundle(tensor_bundle)
    assert isinstance(bundle, TensorBundle)
    return tmp_path / "x.bin", bundle.run({"x": feed})


def shown(text: str) -> dict[str, tuple[str, str, list[float]]]:
    """The lines of outputs that a sample prints: by name, its type, its shape and its first numbers."""
    lines = [line.partition(":") for line in text.splitlines()]
    heads = [head.split(" ") for head, _, _ in lines]
    return {
        name: (dtype, shape, [float(number) for number in numbers.split()])
        for (name, dtype, shape), (_, _, numbers) in zip(heads, lines, strict=True)
    }
