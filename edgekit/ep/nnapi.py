"""Android's Neural Networks API: deprecated since Android 15, still in ONNX Runtime's Android package.

The provider takes bit flags, not key-value options; edgekit writes each flag as an option of its own name, and the
wrappers add them up.
"""

from __future__ import annotations

from edgekit.ep.provider import FLAG, Ep, Option

EP = Ep(
    name="nnapi",
    title="Android NNAPI",
    options=(
        Option("use_fp16", "NNAPI_FLAG_USE_FP16: relax float32 to float16", FLAG),
        Option("use_nchw", "NNAPI_FLAG_USE_NCHW: keep NCHW (Android 10 and later)", FLAG),
        Option("cpu_disabled", "NNAPI_FLAG_CPU_DISABLED: never run nnapi-reference, the slow CPU stand-in", FLAG),
        Option("cpu_only", "NNAPI_FLAG_CPU_ONLY: only nnapi-reference, for a look at outputs", FLAG),
    ),
    source="onnxruntime/core/providers/nnapi/nnapi_provider_factory.h",
    static_shapes=True,
)
