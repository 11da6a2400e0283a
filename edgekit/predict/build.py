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


def on_torch(passes: Sequence[object]) -> bool:
    """Whether the weights are quantized before the graph is built."""
    return any(name in ON_TORCH for name in passes)


def memory(parameters: int, quantized_first: bool) -> int:
    """Peak bytes of a build, in proportion to the parameters."""
    return int(parameters * (QUANTIZED_FIRST if quantized_first else BUILT_FIRST))


def tensor(weights: int) -> int:
    """Peak bytes of the build of any other model, from the bytes of its weights."""
    return int(TENSOR_ENGINES + weights * TENSOR_WEIGHTS)
