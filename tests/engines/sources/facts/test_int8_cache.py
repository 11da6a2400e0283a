"""The int8 cache of a decoder's graph, computed by the engine: near the float one, with scales that hold anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edgekit.jobs.kv_cache import calibrate
from edgekit.sources.facts import kv_cache
from edgekit.sources.facts.onnx_graph import parse
from tests.engines.wrappers.small_attention import PASTS, attend, graph
from tests.engines.wrappers.small_models import HEAD, HEADS, write_llm
from tests.unit.sources.facts.test_kv_cache import POSITIONS, steps

pytestmark = pytest.mark.runtimes


def logits(proto: Any, ids: list[int]) -> Any:
    """Of the last of some tokens, which are read one by one."""
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    kind = np.int8 if kv_cache.any_int8(proto) else np.float32
    caches = [np.zeros((1, HEADS, 0, HEAD), kind) for _ in PASTS]
    for at, token in enumerate(ids):
        feed = {"input_ids": np.array([[token]]), "attention_mask": np.ones((1, at + 1), np.int64)}
        values, *caches = session.run(None, feed | dict(zip(PASTS, caches, strict=True)))
    return values[0, 0]


def test_the_engine_computes_nearly_the_same_with_it() -> None:
    near, far = graph(POSITIONS), graph(POSITIONS)
    kv_cache.to_int8(near, steps())
    kv_cache.to_int8(far, steps(0.4))  # too small: what is larger is cut off
    ids = [int(token) for token in np.random.default_rng(0).integers(0, 250, 24)]
    exact = logits(graph(POSITIONS), ids)
    errors = [float(np.abs(logits(proto, ids) - exact).max()) for proto in (near, far)]
    assert 0 < errors[0] < 0.1 < errors[1]


def test_calibration_finds_scales_that_hold_at_every_position(tmp_path: Path) -> None:
    """The pair's radius does not change as it is turned: no key of another text lies far beyond, at any depth."""
    write_llm(tmp_path, max_length=2048)
    attend(tmp_path, 2048, int8=False)
    request = {"model": str(tmp_path), "pieces": 4, "tokens": 64, "long": 256, "out": str(tmp_path / "scales.npz")}
    assert calibrate(request, lambda *words, **more: None) == {"tokens": 512}
    with np.load(tmp_path / "scales.npz") as stored:
        steps_of = {name: stored[name] for name in stored.files}
    assert steps_of.keys() == set(PASTS)
    half = HEAD // 2
    keys, values = (steps_of[name] for name in PASTS)
    assert np.array_equal(keys[:, :half], keys[:, half:]) and not np.array_equal(values[:, :half], values[:, half:])
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(1).integers(0, 250, (1, 2000))
    feed = {"input_ids": ids, "attention_mask": np.ones((1, 2000), np.int64)}
    feed |= dict.fromkeys(PASTS, np.zeros((1, HEADS, 0, HEAD), np.float32))
    made = session.run(["present.0.key"], feed)[0][0]  # [heads, tokens, channels]
    plain = np.abs(made[:, :64]).max(axis=1) / kv_cache.LARGEST  # as scales without the rotation would be
    beyond = [float((np.abs(made[:, 64:]).max(axis=1) / (kv_cache.LARGEST * each)).max()) for each in (keys, plain)]
    assert beyond[0] < 1.5 and beyond[0] < beyond[1]
    first = request | {"out": str(tmp_path / "again.npz")}
    calibrate(first, lambda *words, **more: None)
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "scales.npz").read_bytes()
    proto = parse(tmp_path / "model.onnx")
    kv_cache.to_int8(proto, steps_of)
    exact = logits(parse(tmp_path / "model.onnx"), list(map(int, ids[0, :24])))
    assert float(np.abs(logits(proto, list(map(int, ids[0, :24]))) - exact).max()) < 0.2
