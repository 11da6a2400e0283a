"""DirectML: any DirectX 12 GPU under Windows. In sustained engineering; Windows ML is its successor."""

from __future__ import annotations

from edgekit.ep.provider import Ep, Option

EP = Ep(
    name="dml",
    title="DirectML",
    options=(
        Option("device_id", "index of the adapter", form="integer"),
        Option("device_filter", "which kind of device", ("gpu", "npu", "any")),
        Option("performance_preference", "speed or battery", ("default", "high_performance", "minimum_power")),
        Option("disable_metacommands", "avoid the driver's own kernels", ("true", "false")),
    ),
    source="onnxruntime/core/providers/dml/dml_provider_factory.cc",
    llm=True,
    graph=True,
)
