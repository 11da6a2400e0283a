"""The rotary settings of a GGUF: partly metadata, partly tensors of factors, one per pair of dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edgekit.errors import SourceError
from edgekit.jobs.gguf import weights as gguf_weights
from edgekit.jobs.gguf.file import CHECKPOINT, Gguf, float32, size
from edgekit.jobs.gguf.weights import Weight

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SCALED = {  # kinds of rope scaling besides "none"
    "phi3": ("longrope",),
    "gemma3": ("linear",),
    **dict.fromkeys(("llama", "qwen2", "qwen3"), ("linear", "yarn")),
}
_OWN_FACTORS = {"attn_factor": 1.0, "yarn_attn_factor": 1.0, "yarn_ext_factor": 1.0, "yarn_log_multiplier": 0.0}
TENSORS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")


def settings(file: Gguf, arch: str, head_dim: int) -> dict[str, Any]:
    """Rotary settings; scaling lies partly in metadata, partly in tensors of factors, one per pair."""
    theta = float32(file.number(f"{arch}.rope.freq_base", 10000.0))
    turned = size(file, f"{arch}.rope.dimension_count", head_dim)
    # llama.cpp (load_hparams) takes a factor without a type for a linear one; its first files named it otherwise.
    factor = file.number(f"{arch}.rope.scaling.factor", file.number(f"{arch}.rope.scale_linear", 0.0))
    unnamed = "linear" if factor not in (0.0, 1.0) else "none"
    scaling = str(file.metadata.get(f"{arch}.rope.scaling.type", unnamed))[:40]
    known = ("none", *_SCALED.get(arch, ()))
    if scaling not in known or (arch != "phi3" and turned != head_dim) or turned > head_dim or turned % 2:
        what = f"rope scaling {scaling!r}" if scaling not in known else f"rotating {turned} of {head_dim} dimensions"
        raise SourceError(f"{file.path.name}: {what} is not supported for {arch}", next=CHECKPOINT)
    rope: dict[str, Any] = {"rope_theta": theta, "rope_scaling": None}
    if arch == "phi3":
        return rope | _phi3_rope(file, head_dim, turned)
    if scaling != "none" and factor <= 0:
        raise file.bad(f"its rope scaling {scaling!r} has no factor")
    if scaling != "none" and factor != 1.0:
        rope["rope_scaling"] = {"rope_type": scaling, "factor": float32(factor)}
    if scaling == "yarn" and factor != 1.0:
        rope["rope_scaling"] |= _yarn(file, f"{arch}.rope.scaling")
    if "rope_freqs.weight" in file.tensors and (by_pair := _llama3_scaling(file, theta, head_dim)):
        if rope["rope_scaling"]:
            raise SourceError(f"{file.path.name}: rope factors beside {scaling!r} are not supported", next=CHECKPOINT)
        rope["rope_scaling"] = by_pair
    return rope


def _yarn(file: Gguf, key: str) -> dict[str, Any]:
    """YaRN besides its factor; llama.cpp (ggml_rope_yarn) rounds the range and scales as transformers does."""
    for name, default in _OWN_FACTORS.items():
        if not math.isclose(file.number(f"{key}.{name}", default), default, rel_tol=1e-6):
            raise SourceError(f"{file.path.name}: {key}.{name} is not YaRN's own", next=CHECKPOINT)
    length = size(file, f"{key.partition('.')[0]}.context_length")
    return {
        "original_max_position_embeddings": size(file, f"{key}.original_context_length", length),
        "beta_fast": float32(file.number(f"{key}.yarn_beta_fast", 32.0)),
        "beta_slow": float32(file.number(f"{key}.yarn_beta_slow", 1.0)),
    }


def _factors(file: Gguf, name: str, length: int) -> npt.NDArray[np.float32]:
    tensor = file.tensors[name]
    if tensor.shape != (length,) or tensor.type_name != "F32":
        raise file.bad(f"tensor {name!r} is {tensor.type_name} {list(tensor.shape)}, not F32 [{length}]")
    return next(gguf_weights.rows(file, Weight(name, tensor)))


def _llama3_scaling(file: Gguf, theta: float, head_dim: int) -> dict[str, Any] | None:
    """Llama 3.1's rope scaling, found again from the factors that llama.cpp computed from it.

    The file holds only the factors. The bounds and the old context are 1, 4 and 8192 in every release; they
    are believed only if they give the file's own factors back.
    """
    import numpy as np

    stored = _factors(file, "rope_freqs.weight", head_dim // 2)
    factor = float(stored.max())
    if factor == 1.0:
        return None
    low, high, old = 1.0, 4.0, 8192
    wavelength = 2 * np.pi * theta ** (np.arange(0, head_dim, 2) / head_dim)
    smooth = np.clip((old / wavelength - low) / (high - low), 0.0, 1.0)
    if not np.allclose(stored, 1 / ((1 - smooth) / factor + smooth), rtol=1e-4):
        raise SourceError(f"{file.path.name}: its rope factors are not those of Llama 3", next=CHECKPOINT)
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": old,
    }


def _phi3_rope(file: Gguf, head_dim: int, turned: int) -> dict[str, Any]:
    length = size(file, "phi3.context_length")
    original = size(file, "phi3.rope.scaling.original_context_length", length)
    window = file.integer("phi3.attention.sliding_window", 0)  # llama.cpp writes 0 for none
    rope: dict[str, Any] = {
        "original_max_position_embeddings": original,
        "partial_rotary_factor": turned / head_dim,
        "sliding_window": window if window > 0 else None,
    }
    if "rope_factors_long.weight" not in file.tensors:
        if original != length:
            raise file.bad("its long context has no rope factors")
        return rope
    if length > original:
        formula = math.sqrt(1 + math.log(length / original) / math.log(original))
    else:
        formula = 1.0
    if not math.isclose(file.number("phi3.rope.scaling.attn_factor", formula), formula, rel_tol=1e-5):
        raise SourceError(f"{file.path.name}: its rope attention factor is not LongRoPE's own", next=CHECKPOINT)
    long, short = (_factors(file, f"rope_factors_{name}.weight", turned // 2) for name in ("long", "short"))
    factors = {"long_factor": [float32(x) for x in long], "short_factor": [float32(x) for x in short]}
    return rope | {"rope_scaling": {"type": "longrope", **factors}}
