"""A voice that draws noise inside, as PyTorch exports one: int8 is judged by its own error, and there is no golden."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.wrappers.python import npz
from tests.e2e.command import edgekit, judged, manifest

pytestmark = pytest.mark.olive


def voice(path: Path) -> Path:
    """ids [1, time] -> audio [1, time, 16] of an embedding, a normal noise of its shape and two linear layers."""
    import torch

    class Voice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(50, 64)
            self.wide, self.narrow = torch.nn.Linear(64, 128), torch.nn.Linear(128, 16)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            known = self.embedding(ids)
            return torch.tanh(self.narrow(torch.relu(self.wide(known + 0.667 * torch.randn_like(known)))))

    torch.manual_seed(3)
    ids = torch.zeros((1, 12), dtype=torch.int64)
    with torch.no_grad():
        torch.onnx.export(
            Voice().eval(),
            (ids,),
            str(path),
            input_names=["ids"],
            output_names=["audio"],
            opset_version=17,
            dynamo=False,
            do_constant_folding=True,
        )
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_int8_of_a_voice_is_not_refused_for_its_noise(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    (tmp_path / "ids").mkdir()
    for at in range(40):
        np.savez(tmp_path / "ids" / f"{at:02}.npz", ids=random.integers(0, 50, (1, 12)))
    words = ("build", voice(tmp_path / "voice.onnx"), "--target", "linux-cpu", "--recipe", "int8_qdq")
    edgekit(*words, "--calibration", tmp_path / "ids", "-o", tmp_path / "out")
    bundle = tmp_path / "out" / "voice-linux-cpu"
    quality = judged(manifest(bundle))
    figures = {figure["metric"]: figure.get("value") for figure in quality["measurements"]}
    assert quality["verdict"] == "pass" and 12 < figures["sqnr_db"] < 60
    assert any("draws random numbers (RandomNormalLike)" in note for note in quality["notes"])
    assert not [
        key for key in npz.read(bundle / "check" / "goldens.npz") if key.endswith(".audio") and key[0].isdigit()
    ]
    checked = edgekit("check", bundle, "--quick")["data"]
    assert "every output depends on random numbers" in json.dumps(checked)
