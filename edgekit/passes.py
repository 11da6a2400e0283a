"""Our own passes and graph surgeries by the name that recipes call them: Olive loads them by it, keys follow it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Pass(NamedTuple):
    """Where a pass is defined, and the pass of Olive's that it extends; a surgery extends none."""

    module: str
    extends: str = ""


PASSES = {
    "EdgekitStaticQuantization": Pass("edgekit.jobs.olive.passes.static_int8", "OnnxStaticQuantization"),
    "EdgekitQnnQuantization": Pass("edgekit.jobs.olive.passes.qnn_quantize", "OnnxStaticQuantization"),
    "EdgekitFloat16": Pass("edgekit.jobs.olive.passes.float16", "OnnxFloatToFloat16"),
    "EdgekitFixedShape": Pass("edgekit.jobs.olive.passes.fixed_shape", "DynamicToFixedShape"),
    "EdgekitGptq": Pass("edgekit.jobs.olive.passes.gptq", "Gptq"),
    "EdgekitFitSize": Pass("edgekit.jobs.olive.passes.fit_size", "SelectiveMixedPrecision"),
    "EdgekitModelBuilder": Pass("edgekit.jobs.olive.passes.provider_graph", "ModelBuilder"),
    "EdgekitHalfScales": Pass("edgekit.jobs.olive.passes.half_scales"),
    "EdgekitNormEpsilon": Pass("edgekit.jobs.olive.passes.norm_epsilon"),
    "EdgekitLocalRope": Pass("edgekit.jobs.olive.passes.local_rope"),
    "EdgekitHalfWeights": Pass("edgekit.jobs.olive.passes.half_scales"),
}


def named(config: Mapping[str, Any]) -> list[str]:
    """The passes and surgeries of ours that a workflow names, sorted."""
    words = set(re.findall(r"\w+", json.dumps(config).lower()))  # Olive does not look at case
    return [name for name in sorted(PASSES) if name.lower() in words]


def modules(config: Mapping[str, Any]) -> list[str]:
    """The modules that a workflow needs for them, sorted."""
    return sorted({PASSES[name].module for name in named(config)})
