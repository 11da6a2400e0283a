"""An Olive pass: static QDQ quantization that leaves in float the operators that would add the most noise.

A few operators, mostly the first ones, often add more noise than all others together (PP-OCRv4 recognition: 5 of 51
take the characters that agree with float from 99 % to 95 %). So each operator is quantized alone, on some of the
calibration inputs, and the noisiest stay float until what the rest adds up to is below the target, which is measured.
"""

from __future__ import annotations

import logging
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from olive.data.config import DataConfig
from olive.model.utils import resolve_onnx_path
from olive.passes.olive_pass import create_pass_from_dict
from olive.passes.onnx.common import model_proto_to_olive_model
from olive.passes.onnx.quantization import OnnxStaticQuantization
from olive.passes.pass_config import PassConfigParam

from edgekit.errors import BuildError
from edgekit.jobs.olive.passes import _bias, _histogram, _kept
from edgekit.jobs.olive.passes._qdq import QdqGraph, named, one_scale
from edgekit.sources.facts import random_operators

logger = logging.getLogger("olive.edgekit")  # below Olive's own logger: its lines go to the same log
SECONDS = 40.0  # for the runs that measure the operators
INPUTS = (2, 16)  # how many inputs at least and at most
OWN = ("target_sqnr_db", "min_weights_share", "per_tensor_op_types")
STEPS, STEP = 12, 0.75  # times that fewer operators are tried, and how much less noise each time


class TooCostly(BuildError, ValueError):
    """Hardly anything can be int8. A ValueError too, as Olive's engine swallows most other exceptions."""


class EdgekitStaticQuantization(OnnxStaticQuantization):  # type: ignore[misc]
    """Olive's own pass with three parameters more: `target_sqnr_db`, `min_weights_share`, `per_tensor_op_types`."""

    @classmethod
    def _default_config(cls, accelerator_spec: Any) -> dict[str, PassConfigParam]:
        config: dict[str, PassConfigParam] = super()._default_config(accelerator_spec)
        return config | {
            "target_sqnr_db": PassConfigParam(
                type_=float,
                default_value=20.0,
                description="Signal over noise of the worst output, on calibration data.",
            ),
            "min_weights_share": PassConfigParam(
                type_=float, default_value=0.1, description="Fails if a smaller share of the weights can be quantized."
            ),
            "per_tensor_op_types": PassConfigParam(
                type_=list[str], default_value=None, description="Operators whose weights get one scale in any case."
            ),
        }

    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> Any:
        import onnx
        from olive.model import ONNXModelHandler

        _histogram.bound()
        with tempfile.TemporaryDirectory() as folder:
            types = config.op_types_to_quantize
            prepared = named(_bias.flat(onnx.load(model.model_path)), types)
            _kept.keep(prepared)
            path = Path(folder) / "prepared.onnx"
            onnx.save(prepared, path, save_as_external_data=prepared.ByteSize() > 2**30)
            theirs = {name: value for name, value in config.model_dump().items() if name not in OWN}
            if config.per_tensor_op_types:
                theirs["tensor_quant_overrides"] = one_scale(prepared, config.per_tensor_op_types)
            olive_pass = create_pass_from_dict(OnnxStaticQuantization, theirs, self.accelerator_spec)
            whole = olive_pass.run(ONNXModelHandler(str(path)), str(Path(folder) / "whole.onnx"))
            graph = QdqGraph(prepared, onnx.load(whole.model_path), types)
            choice = Choice(graph, _inputs(config), config.target_sqnr_db)
            chosen = choice.operators()
        share = graph.weights(chosen) / max(1, graph.weights(graph.operators))
        logger.info(
            "Quantized %d of %d operators, %.0f %% of the weights", len(chosen), len(graph.operators), share * 100
        )
        if share < config.min_weights_share and (strange := choice.strange()):
            raise TooCostly(
                f"int8 cannot be judged: the model itself answers NaN or infinity in {strange:.0%} of its values on "
                "the calibration data, and int8 moves them",
                next="run the model itself on these inputs: export it anew, give the inputs that it takes "
                "(--calibration), or try --recipe float32",
            )
        if share < config.min_weights_share:
            raise TooCostly(
                f"int8 costs this model too much: only {share:.0%} of its weights could be int8 with a signal "
                f"{config.target_sqnr_db:g} dB over the noise",
                next="try --recipe float32, or calibration data that looks more like the app's inputs",
            )
        written = resolve_onnx_path(output_model_path, Path(model.model_path).name)
        return model_proto_to_olive_model(graph.thinned(chosen), written, config)


def _inputs(config: Any) -> Sequence[dict[str, Any]]:
    """The calibration feeds, as the dataloader of our own dataset gives them."""
    data = config.data_config
    container = (data if isinstance(data, DataConfig) else DataConfig.model_validate(data)).to_data_container()
    feeds: Sequence[dict[str, Any]] = container.create_dataloader()
    return feeds


class Choice:
    """Which operators to quantize: noise is the energy of the difference over that of the float output."""

    def __init__(self, graph: QdqGraph, feeds: Sequence[dict[str, Any]], target_db: float) -> None:
        self._graph = graph
        self._limit = 10 ** (-target_db / 10)
        float_session = _session(graph.prepared)
        started = time.monotonic()
        float_session.run(None, feeds[0])
        once = max(1e-4, time.monotonic() - started)
        float_session = _session(graph.prepared)  # from the first of its random numbers again
        count = int(np.clip(SECONDS / (once * max(1, len(graph.operators))), *INPUTS))
        places = np.linspace(0, len(feeds) - 1, min(count, len(feeds))).astype(int)
        self._feeds = [feeds[int(at)] for at in places]
        self._expected = [float_session.run(None, feed) for feed in self._feeds]

    def operators(self) -> list[str]:
        """Names of the operators to quantize, in the graph's order."""
        alone = {name: self._noise([name]) for name in self._graph.operators}
        for name, noise in sorted(alone.items(), key=lambda item: -item[1]):
            logger.info("Quantized alone, %s adds noise of %.1e", name, noise)
        for chosen in self._fewer(alone):
            noise = self._noise(chosen)
            logger.info("Together, %d of %d operators add noise of %.1e", len(chosen), len(alone), noise)
            if noise <= self._limit:
                return chosen
        return []

    def strange(self) -> float:
        """The share of the float graph's own values that are NaN or infinite."""
        floats = [array for call in self._expected for array in call if array.dtype.kind == "f"]
        finite, values = (
            sum(int(np.isfinite(array).sum()) for array in floats),
            sum(int(array.size) for array in floats),
        )
        return 1.0 - finite / max(1, values)

    def _fewer(self, alone: dict[str, float]) -> Iterator[list[str]]:
        """Ever smaller choices, whose noises add up to the limit, then to less: of those with the least noise for each
        weight that becomes int8.
        """
        costs = {name: noise / max(1, self._graph.weights([name])) for name, noise in alone.items()}
        tried: set[str] = set()
        for step in range(STEPS):
            room = self._limit * STEP ** (step - 2)  # noises do not quite add up: begin above the limit
            kept = set()
            for name in sorted(costs, key=lambda name: costs[name]):
                if alone[name] <= room:
                    kept.add(name)
                    room -= alone[name]
            if kept and kept != tried:
                yield [name for name in self._graph.operators if name in kept]
            tried = kept

    def _noise(self, chosen: Sequence[str]) -> float:
        """The worst output's noise over its energy, with these operators quantized."""
        session = _session(self._graph.thinned(chosen))
        sums: dict[int, list[float]] = {}
        for feed, expected in zip(self._feeds, self._expected, strict=True):
            for at, (a, b) in enumerate(zip(expected, session.run(None, feed), strict=True)):
                if a.dtype.kind == "f" and a.shape == b.shape:
                    energy, noise = sums.setdefault(at, [0.0, 0.0])
                    more = _energies(a.astype(np.float64), b.astype(np.float64))
                    sums[at] = [energy + more[0], noise + more[1]]
        return max((noise / energy for energy, noise in sums.values() if energy > 0), default=0.0)


def _energies(x: Any, y: Any) -> tuple[float, float]:
    """Of the finite values of x, and of their difference to y; that is infinite where NaN or an infinity moved."""
    finite = np.isfinite(x) & np.isfinite(y)
    moved = not np.array_equal(x[~finite], y[~finite], equal_nan=True)
    x, y = x[finite], y[finite]
    return float((x * x).sum()), math.inf if moved else float(((x - y) ** 2).sum())


def _session(model: Any) -> Any:
    """A session that computes Quantize and Dequantize as such: no CPU's int8 kernels are in what is measured.

    Random operators have seeds, or their noise would be taken for that of quantization.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    seeded = deepcopy(model)
    random_operators.seeded(seeded)
    return onnxruntime.InferenceSession(seeded.SerializeToString(), options, providers=["CPUExecutionProvider"])
