"""What a build takes of the machine that builds it, from what it took of a few."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.model import Model
from edgekit.predict.weights import ON_TORCH

# Of language models, bytes of anonymous memory (benchmarks/build_memory.py). Quantized weights go to disk by module and
# float ones stay mapped, so that the depth of a model counts for nothing until its bundle is run.
ENGINES = 0.56e9  # Olive, torch, transformers, and what pieces of weights take while they are quantized
PACKED = 1.2  # of a weight of the largest matrix in 8 bits, with scales and zero points
RUNNER = 0.25e9  # edgekit's own process, beside one that runs the bundle or the float source
# Where the graph is built of float weights: 39 GB, of Phi-4-mini's shape (3.84e9 parameters, tied).
BUILT_FIRST = 39e9 / 3.836e9
# The gate's float source: whole where it takes no more than this share of what is free (jobs/layered.py), else a layer
# at a time: the largest matrix in float32, and the logits of one pass.
FLOAT, SHARE = 5.0, 0.5
LIBRARIES, LOGITS = 0.4e9, 1.3e9
# Disk, in bytes of the bundle's weights: the checkpoint, the graph as it is built, the finished one and Olive's copy.
COPIES = 4.0
# Of models other than language models, as the peak of all processes of a build with shared pages counted once: 839 MB
# with 10.9 MB of weights (ppocrv4-rec, float32), 798 MB with 90 MB (all-minilm-l6-v2, int8_dynamic): the engines, which
# those of larger models are added to: the graph, its copies in the optimizer, the result, and a session of each.
TENSOR_ENGINES = 0.9e9
TENSOR_WEIGHTS = 6.0
# What stays in memory for a whole build: Olive and ONNX Runtime, loaded once, from which jobs are forked.
LOADED = 600_000_000
# A process that runs a net beside its source, or looks at it: ONNX Runtime, and copies of the graph and the answers.
ONNX_ENGINE = 0.25e9
SMALL = 32_000_000  # bytes of weights up to which a net's stages keep one core busy: they are loading and bookkeeping
ALL_CORES = 1 << 20


def on_torch(passes: Sequence[object]) -> bool:
    """Whether the weights are quantized before the graph is built."""
    return any(name in ON_TORCH for name in passes)


def memory(model: Model, running: int, *, quantized_first: bool, free: int | None, gate: bool = True) -> int:
    """Peak bytes of anonymous memory of a language model's build.

    Args:
        running: of the bundle's own anonymous memory, which the build runs.
        free: bytes of memory that are free here, which decide how the gate reads the source; None: not known, enough.
        gate: the bundle is compared with its source.
    """
    parts = [quantizing(model.parameters, _ends(model), quantized_first), RUNNER + running]
    return int(max([*parts, *([gating(model, free)] if gate else [])]))


def _ends(model: Model) -> int:
    """Weights of the largest matrix."""
    return model.llm.vocab_size * model.llm.hidden_size if model.llm is not None else 0


def gating(model: Model, free: int | None) -> float:
    """Peak bytes of the gate's float source; as for `memory`."""
    whole = FLOAT * model.parameters
    by_layer = free is not None and whole > SHARE * free
    return RUNNER + LIBRARIES + (4 * _ends(model) + LOGITS if by_layer else whole)


def quantizing(parameters: int, largest: int, quantized_first: bool) -> float:
    """Peak bytes of Olive's step; `largest`: weights of the largest matrix."""
    return ENGINES + PACKED * largest if quantized_first else parameters * BUILT_FIRST


def disk(weights: int) -> int:
    """Peak bytes of disk beside the source, from the bytes of the bundle's weights."""
    return int(weights * COPIES)


def tensor(weights: int) -> int:
    """Peak bytes of the build of any other model, from the bytes of its weights."""
    return int(TENSOR_ENGINES + weights * TENSOR_WEIGHTS)


def tensor_stage(stage: str, weights: int) -> int:
    """Peak bytes of a stage of it: Olive's step takes most, the others one engine."""
    return tensor(weights) if stage == "optimize" else int(ONNX_ENGINE + weights * TENSOR_WEIGHTS)


def tensor_cores(stage: str, weights: int) -> int:
    """Cores that a stage of it keeps busy."""
    return 1 if weights <= SMALL or stage in ("compile", "seal") else ALL_CORES


def language_stage(stage: str, model: Model, running: int, *, quantized_first: bool, free: int) -> int:
    """Peak bytes of a stage of a language model: quantizing, the gate's float source, or a run of the bundle."""
    if stage == "optimize":
        return int(quantizing(model.parameters, _ends(model), quantized_first))
    run = RUNNER + running
    return int(max(gating(model, free), run) if stage == "gate" else run)


def language_cores(stage: str) -> int:
    """Cores that a stage of a language model keeps busy."""
    return 1 if stage == "compile" else ALL_CORES


def imported(size: int) -> int:
    """Peak bytes of opening a source whose files have this size: it is tried in an engine, or converted."""
    return int(ONNX_ENGINE + size * TENSOR_WEIGHTS)
