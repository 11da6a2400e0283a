"""What a build takes of the machine that builds it, from what it took of a few."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.predict.weights import ON_TORCH

# Bytes a parameter, of Phi-4-mini's shape (3.84e9 parameters, tied) for int4 on the CPU: 17 GB by Olive's Rtn with
# lm_head and embeddings and then the graph builder, 39 GB by the graph builder alone, as peak resident memory.
QUANTIZED_FIRST = 17e9 / 3.836e9
BUILT_FIRST = 39e9 / 3.836e9
# Of models other than language models, as the peak of all processes of a build with shared pages counted once: 839 MB
# with 10.9 MB of weights (ppocrv4-rec, float32), 798 MB with 90 MB (all-minilm-l6-v2, int8_dynamic): the engines, which
# those of larger models are added to: the graph, its copies in the optimizer, the result, and a session of each.
TENSOR_ENGINES = 0.9e9
TENSOR_WEIGHTS = 6.0
# What stays in memory for a whole build: Olive and ONNX Runtime, loaded once, from which jobs are forked.
LOADED = 600_000_000
# A process that runs a net beside its source, or looks at it: ONNX Runtime, and copies of the graph and the answers.
ONNX_ENGINE = 0.25e9
# The float reference: torch, keys and values and logits of what is answered at once (jobs/reference.py).
TORCH_ENGINE = 2.4e9
FLOAT32, SPARE = 4, 1.25  # bytes of a float weight, and what a model takes beside its weights
SMALL = 32_000_000  # bytes of weights up to which a net's stages keep one core busy: they are loading and bookkeeping
ALL_CORES = 1 << 20


def on_torch(passes: Sequence[object]) -> bool:
    """Whether the weights are quantized before the graph is built."""
    return any(name in ON_TORCH for name in passes)


def memory(parameters: int, quantized_first: bool) -> int:
    """Peak bytes of a build, in proportion to the parameters."""
    return int(parameters * (QUANTIZED_FIRST if quantized_first else BUILT_FIRST))


def tensor(weights: int) -> int:
    """Peak bytes of the build of any other model, from the bytes of its weights."""
    return int(TENSOR_ENGINES + weights * TENSOR_WEIGHTS)


def tensor_stage(stage: str, weights: int) -> int:
    """Peak bytes of a stage of it: Olive's step takes most, the others one engine."""
    return tensor(weights) if stage == "optimize" else int(ONNX_ENGINE + weights * TENSOR_WEIGHTS)


def tensor_cores(stage: str, weights: int) -> int:
    """Cores that a stage of it keeps busy."""
    return 1 if weights <= SMALL or stage in ("compile", "seal") else ALL_CORES


def language_stage(stage: str, parameters: int, quantized_first: bool) -> int:
    """Peak bytes of a stage of a language model: quantizing, the float reference of the gate, or a session."""
    if stage == "optimize":
        return memory(parameters, quantized_first)
    weights = parameters * FLOAT32 * SPARE
    return int(weights + (TORCH_ENGINE if stage == "gate" else ONNX_ENGINE))


def language_cores(stage: str) -> int:
    """Cores that a stage of a language model keeps busy."""
    return 1 if stage == "compile" else ALL_CORES


def imported(size: int) -> int:
    """Peak bytes of opening a source whose files have this size: it is tried in an engine, or converted."""
    return int(ONNX_ENGINE + size * TENSOR_WEIGHTS)
