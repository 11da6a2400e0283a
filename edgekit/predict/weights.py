"""How many bytes the weights of a model will have, from what its recipe's passes say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.model import DecoderFacts, Model

Pass = Mapping[str, Any]
BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "int8": 1.0, "w8a8": 1.0, "w8a16": 1.0}  # of a weight
SCALE = 2  # bytes: stored in half precision
ON_TORCH = ("Rtn", "KQuant", "EdgekitGptq")  # quantizers that name modules
ON_GRAPH = ("OnnxBlockWiseRtnQuantization", "OnnxKQuantQuantization")  # quantizers that name nodes
HEAD, EMBEDDINGS = "lm_head", "embed_tokens"
FITTED = "EdgekitFitSize"  # the pass that fits all matrices into a size
# Bytes beside the weights, of the bundle of smollm2-135m-instruct for linux-cpu (49,152 tokens, 30 layers): its
# tokenizer.json 1.56 MB, its graph 0.29 MB, GenAI's settings, manifest, check data, runtime and licences 0.31 MB.
TOKENIZER, LAYER, GRAPH, ELSE = 32, 9_600, 8_000, 350_000  # of a token, of a layer in the graph, of a bundle
VALUE, DOWN = "self_attn.v_proj", "mlp.down_proj"  # what k-quant mixes give more bits


@dataclass(frozen=True)
class Storage:
    """How a matrix is stored: bits of a weight, weights of a block that shares a scale, with a zero point or not."""

    bits: float
    block: int = 0
    symmetric: bool = True

    def bytes(self, weights: float) -> float:
        """Of so many weights, their scales and zero points."""
        blocks = weights / self.block if self.block > 0 else 0.0
        return weights * self.bits / 8 + blocks * (SCALE + (0.0 if self.symmetric else self.bits / 8))


def estimate(model: Model, precision: str, passes: Sequence[Pass]) -> int:
    """Bytes of the weights that these passes leave of a model; its source's own where they are kept as they are."""
    if not passes:
        return model.source_bytes or int(model.parameters * BYTES.get(model.dtype, 4.0))
    if model.llm is not None:
        return int(_decoder(model, model.llm, passes))
    floats = sum(model.weight_bytes_by_op.values()) or 4 * model.parameters
    return int(floats / 4 * BYTES.get(precision, 4.0))


def beside(model: Model) -> int:
    """Bytes of a language model's bundle beside matrices, normalizations and tokenizer: tables, graph, check data."""
    return _rotary(model.llm) + LAYER * model.llm.layers + GRAPH + ELSE if model.llm is not None else ELSE


def reachable(model: Model, blocks: Sequence[int], *, symmetric: bool) -> tuple[int, int]:
    """Bytes of the smallest and the largest bundle with 4 and 8 bits of every matrix, as far as its facts tell."""
    assert model.llm is not None
    matrices = dict(_matrices(model, model.llm))
    if model.llm.tied_embeddings:
        del matrices[HEAD]
    fixed = beside(model) + TOKENIZER * model.llm.vocab_size
    least, most = (Storage(bits, block, symmetric) for bits, block in ((4, max(blocks)), (8, min(blocks))))
    return tuple(fixed + int(sum(map(way.bytes, matrices.values()))) for way in (least, most))  # type: ignore[return-value]


def largest(memory: int, prepack_factor: float, engine_bytes: int) -> int:
    """The bytes of weights with which all of a memory would be taken, and nothing left for caches and the system."""
    return max(0, int((memory - engine_bytes) / prepack_factor))


def _decoder(model: Model, facts: DecoderFacts, passes: Sequence[Pass]) -> float:
    matrices = dict(_matrices(model, facts))
    stored = {name: _storage(name, facts, passes) for name in matrices}
    shared = facts.tied_embeddings and any(_surgeon(step) == "TieWordEmbeddings" for step in _surgeries(passes))
    if shared:
        del matrices[HEAD]
    fitted = next((step for step in passes if step["type"] == FITTED), None)
    if fitted is not None:  # which matrix gets what is found by measuring; what all take is not
        whole = fitted["average_bits"] / 8 * sum(matrices.values()) + _rotary(facts)
        return float(fitted["size"] - _files(facts)) if fitted["size"] else whole
    return _rotary(facts) + sum(stored[name].bytes(weights) for name, weights in matrices.items())


def _rotary(facts: DecoderFacts) -> int:
    """The tables of cosines and sines, in float32; LongRoPE has one more of each, of the lengths before its border."""
    return 4 * (facts.context_length + (facts.longrope_beyond or 0)) * (facts.rotary_size or facts.head_size)


def _files(facts: DecoderFacts) -> int:
    """What of a bundle are no weights."""
    return LAYER * facts.layers + GRAPH + ELSE + TOKENIZER * facts.vocab_size


def _matrices(model: Model, facts: DecoderFacts) -> Iterator[tuple[str, float]]:
    """The weights of each matrix by its name; what no fact tells is shared by q and o."""
    ends = facts.vocab_size * facts.hidden_size
    yield EMBEDDINGS, ends
    yield HEAD, ends
    layer = (model.parameters - (1 if facts.tied_embeddings else 2) * ends) / facts.layers
    kv = facts.hidden_size * facts.kv_heads * facts.head_size
    inner = facts.hidden_size * (facts.inner_size or 4 * facts.hidden_size)
    gated = layer - 2 * kv - 3 * inner > 0  # gate, up and down; without a gate fc1 and fc2
    wide = 3 if gated else 2
    rest = max(layer - 2 * kv - wide * inner, 0.0) / 2
    names = ("mlp.gate_proj", "mlp.up_proj") if gated else ("mlp.up_proj",)
    for at in range(facts.layers):
        prefix = f"model.layers.{at}."
        yield from ((prefix + name, inner) for name in (*names, DOWN))
        yield from ((prefix + name, kv) for name in ("self_attn.k_proj", VALUE))
        yield from ((prefix + name, rest) for name in ("self_attn.q_proj", "self_attn.o_proj"))


def _storage(name: str, facts: DecoderFacts, passes: Sequence[Pass]) -> Storage:
    """How the passes store a matrix."""
    floats = Storage(16 if _halved(passes) else 32)
    of_torch = [step for step in passes if step["type"] in ON_TORCH]
    if of_torch:
        return _on_torch(name, facts, passes, of_torch)
    for step in passes:
        if step["type"] in ON_GRAPH and _names(step, name):
            return Storage(step["bits"], step["block_size"], step.get("is_symmetric", False))
    return floats


def _on_torch(name: str, facts: DecoderFacts, passes: Sequence[Pass], quantizers: Sequence[Pass]) -> Storage:
    end = name in (HEAD, EMBEDDINGS)
    step = quantizers[-1] if end else quantizers[0]
    if name == EMBEDDINGS and not step.get("embeds"):
        return Storage(16 if _halved(passes) else 32)
    known = {key.removeprefix("model.") if end else key: value for key, value in step.get("overrides", {}).items()}
    chosen: Mapping[str, Any] = known.get(name) or _fused(name, known) or {}
    plain = Storage(chosen.get("bits", step["bits"]), chosen.get("group_size", step["group_size"]), step["sym"])
    if end or chosen:
        return plain
    for mixed in passes:
        if mixed["type"] == "SelectiveMixedPrecision" and _in_k_mix(name, facts.layers):
            return Storage(8, plain.block, plain.symmetric)
    return plain


def _fused(name: str, known: Mapping[str, Any]) -> Any:
    """The override of the fused module that a matrix is part of, as Phi-3 names them."""
    prefix, _, part = name.rpartition(".")
    if part in ("q_proj", "k_proj", "v_proj"):
        return known.get(f"{prefix}.qkv_proj")
    return known.get(f"{prefix}.gate_up_proj") if part in ("gate_proj", "up_proj") else None


def _in_k_mix(name: str, layers: int) -> bool:
    """Value and down projections of the first and last eighth of the layers and of every third between."""
    if not name.endswith((VALUE, DOWN)):
        return False
    at, first, last = int(name.split(".")[2]), layers // 8, 7 * layers // 8
    return at < first or at >= last or (at - first) % 3 == 2


def _names(step: Pass, name: str) -> bool:
    """Whether a pass that names nodes takes this matrix; a pass that names none takes every matrix product."""
    nodes = step.get("nodes_to_include")
    if name == EMBEDDINGS:
        return nodes is not None and any(EMBEDDINGS in node for node in nodes)
    if nodes is None or name == HEAD:
        return nodes is None or any(HEAD in node for node in nodes)
    layer, part = name.split(".")[2], name.rpartition(".")[2]
    words = {"up_proj": ("fc1",), "down_proj": ("fc2",)}.get(part, (part, "qkv_proj") if part != "o_proj" else (part,))
    return any(f"/layers.{layer}/" in node and any(word in node for word in words) for node in nodes)


def _halved(passes: Sequence[Pass]) -> bool:
    """Whether what is not quantized is stored in half precision."""
    built = any(step.get("precision") == "fp16" for step in passes)
    return built or any(_surgeon(step) == "EdgekitHalfWeights" for step in _surgeries(passes))


def _surgeries(passes: Sequence[Pass]) -> Iterator[Mapping[str, Any]]:
    for step in passes:
        yield from step.get("surgeries", ())


def _surgeon(step: Mapping[str, Any]) -> str:
    return str(step.get("surgeon", ""))
