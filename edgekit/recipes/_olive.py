"""Olive passes that the recipes for language models share, as plain dicts.

A recipe is: what quantizes the layers, what quantizes both ends (lm_head and embeddings), the GenAI graph, and what is
done to the graph (one copy of tied weights, scales stored in half precision).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from edgekit import ep, files
from edgekit.data import file_digest
from edgekit.errors import UsageError
from edgekit.kinds.llm import LlmSettings
from edgekit.model import NORM_EPSILON, Model

EXTERNAL_DATA = "model.onnx.data"
ONE_FILE = {"save_as_external_data": True, "all_tensors_to_one_file": True, "external_data_name": EXTERNAL_DATA}
# Decoders whose parts have other names than Llama's, and what there is for them instead of a quantized checkpoint, of
# which GenAI's builder cannot read them.
FLOAT_ONLY = {
    "PhiForCausalLM": "take --recipe int4_mixed, int4_kquant, int4_rtn or int8_rtn, for CPU or GPU",
    "HunYuanDenseV1ForCausalLM": "take --recipe llm_float16 or llm_float32",
}
HEAD, EMBEDDINGS = "lm_head", "model.embed_tokens"
# An 8-bit block twice or four times as long as a 4-bit one still adds a hundredth of its error, and saves scales.
EIGHT_BLOCK = 64
UNQUANTIZED = 16  # bits of embeddings that are not quantized
SMALLEST_BLOCK = 16  # that ONNX Runtime's kernels take
SAMPLE_TOKENS = 512  # of each piece of calibration text


def block(settings: LlmSettings, model: Model, bits: int = 4) -> int:
    """Weights per scale: the target's choice, longer for 8 bits, halved until it divides the model's widths."""
    if settings.block_size < 0:
        return -1
    size = max(settings.block_size, EIGHT_BLOCK) if bits == 8 else settings.block_size
    facts = model.llm
    widths = (facts.hidden_size, facts.inner_size or 2 * size, facts.kv_heads * facts.head_size) if facts else ()
    whole = 2 if settings.even_blocks else 1
    while size > SMALLEST_BLOCK and any(width % (whole * size) for width in widths):
        size //= 2
    return size


def quantizer(kind: str, model: Model, settings: LlmSettings, *, bits: int = 4, **more: Any) -> dict[str, Any]:
    """A quantizing pass of Olive on the torch side: every linear layer, as the settings say.

    Args:
        more: parameters of the pass; with `embeds`, the embeddings too, unless the settings leave them in 16 bits.

    Raises:
        UsageError: the graph builder cannot read a quantized checkpoint of this architecture.
    """
    if model.architecture in FLOAT_ONLY:
        named = kind.removeprefix("Edgekit")
        raise UsageError(
            f"GenAI's graph builder reads {model.architecture} in float alone, not quantized by {named}",
            next=FLOAT_ONLY[model.architecture],
        )
    if more.get("embeds"):
        more |= {"embeds": settings.embedding_bits != UNQUANTIZED}
    return {
        "type": kind,
        "bits": bits,
        "group_size": block(settings, model, bits),
        "sym": settings.symmetric,
        "lm_head": True,
        **more,
    }


def ends(model: Model, settings: LlmSettings, *, head: int, embeddings: int) -> dict[str, dict[str, Any]]:
    """Overrides for lm_head and the embeddings: the settings' bits, else the recipe's.

    Tied weights are stored once, so both get the bits of the better one; embeddings in 16 bits are stored apart.
    """
    bits = {HEAD: settings.lm_head_bits or head, EMBEDDINGS: settings.embedding_bits or embeddings}
    if bits[EMBEDDINGS] == UNQUANTIZED:
        del bits[EMBEDDINGS]
    elif model.llm is not None and model.llm.tied_embeddings:
        bits = dict.fromkeys(bits, max(bits.values()))
    return {name: {"bits": count, "group_size": block(settings, model, count)} for name, count in bits.items()}


def eight(model: Model, settings: LlmSettings) -> dict[str, Any]:
    """The override of a module that keeps 8 bits."""
    return {"bits": 8, "group_size": block(settings, model, 8)}


def quantize_ends(model: Model, settings: LlmSettings, *, head: int, embeddings: int) -> dict[str, Any]:
    """A pass for what GPTQ leaves: lm_head and embeddings.

    GPTQ has no inputs to calibrate embeddings with, and would hold the logits of all calibration text for lm_head.
    Rounding to nearest does: k-quant's search gains nothing there (mean KL 0.0086 against 0.0082 for 4-bit embeddings
    of SmolLM2), and takes a minute for each 30 million weights.
    """
    overrides = ends(model, settings, head=head, embeddings=embeddings)
    return quantizer("Rtn", model, settings, embeds=True, overrides=overrides)


def gptq(model: Model, settings: LlmSettings, **more: Any) -> dict[str, Any]:
    """GPTQ of the decoder layers on local text."""
    return quantizer("EdgekitGptq", model, settings, data_config=calibration_text(settings)) | {"lm_head": False} | more


def calibration_text(settings: LlmSettings) -> dict[str, Any]:
    """Olive's data configuration of calibration text: the user's, else the one that ships with edgekit.

    Its digest is here so that another text makes another plan.
    """
    load = {"folder": "${CALIBRATION}", "source": "${SOURCE}", "samples": settings.samples, "tokens": SAMPLE_TOKENS}
    return {
        "name": "calibration_text",
        "type": "DataContainer",
        "load_dataset_config": {"type": "edgekit_texts", "params": {**load, "default_sha256": _default_digest()}},
        "dataloader_config": {"type": "edgekit_unbatched"},
    }


def finish(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """What follows the quantization: the graph, one copy of tied weights, half-precision scales."""
    tied = model.llm is not None and model.llm.tied_embeddings and settings.embedding_bits != UNQUANTIZED
    tie = ["TieWordEmbeddings"] if tied else []
    return [model_builder(settings), surgery(*tie, "EdgekitHalfScales", *repairs(model))]


def float_graph(model: Model, builder: dict[str, Any], *surgeons: str) -> list[dict[str, Any]]:
    """A graph that is not quantized, with these surgeries and those that the builder's faults ask for."""
    wanted = repairs(model)
    return [builder, surgery(*surgeons, *wanted)] if surgeons or wanted else [builder]


def repairs(model: Model) -> list[dict[str, str]]:
    """Surgeries that put right what the graph builder gets wrong of this architecture."""
    if model.architecture == "Gemma3ForCausalLM":
        return [{"surgeon": "EdgekitLocalRope", "source": "${SOURCE}"}]
    key = NORM_EPSILON.get(model.architecture)
    return [{"surgeon": "EdgekitNormEpsilon", "source": "${SOURCE}", "key": key}] if key else []


def model_builder(settings: LlmSettings, precision: str = "int4") -> dict[str, Any]:
    """The ONNX Runtime GenAI graph of a checkpoint, the provider's own where it has one.

    Args:
        precision: "int4" keeps what a pass before it quantized, whatever its bits.

    Raises:
        UsageError: the provider computes in float16 only, and float32 is wanted.
    """
    builder: dict[str, Any] = {"type": "ModelBuilder"}
    if own_graph(settings):
        builder = {"type": "EdgekitModelBuilder", "provider": settings.ep}
        wide = settings.activation_bits == 32 or precision == "fp32"
        if wide and settings.ep == "dml":
            raise UsageError("GenAI's graph for DirectML computes in float16 only", next="take --recipe llm_float16")
        if wide:
            builder["use_webgpu_fp32"] = True
    level = {"int4_accuracy_level": settings.accuracy_level} if precision == "int4" else {}
    return {**builder, "precision": precision, **level}


def own_graph(settings: LlmSettings) -> bool:
    """True where the graph is made for an accelerator, False where it is the CPU's."""
    return ep.load(settings.ep).graph


def surgery(*surgeons: str | dict[str, str]) -> dict[str, Any]:
    """Changes of the finished graph, saved with all weights in one file."""
    surgeries = [{"surgeon": one} if isinstance(one, str) else one for one in surgeons]
    return {"type": "GraphSurgeries", "surgeries": surgeries, **ONE_FILE}


@cache
def _default_digest() -> str:
    return file_digest(files.resource("recipes/data/calibration.txt"))
