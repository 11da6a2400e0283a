"""ONNX Runtime's own CPU kernels: everywhere, every operator, and what other providers leave."""

from __future__ import annotations

from edgekit.ep.provider import FLAG, Ep, Option

EP = Ep(
    name="cpu",
    title="ONNX Runtime CPU",
    options=(Option("use_arena", "allocate from an arena", FLAG),),
    source="onnxruntime/core/providers/cpu/cpu_provider_factory.cc; the wheel's own kernel list",
    llm=True,
)
