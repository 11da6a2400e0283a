"""Apple's Core ML: CPU, GPU and Neural Engine of iPhones, iPads and Macs."""

from __future__ import annotations

from edgekit.ep.provider import FLAG, Ep, Option

EP = Ep(
    name="coreml",
    title="Apple Core ML",
    options=(
        Option("ModelFormat", "what the nodes are converted to", ("MLProgram", "NeuralNetwork")),
        Option("MLComputeUnits", "what may run them", ("ALL", "CPUAndNeuralEngine", "CPUAndGPU", "CPUOnly")),
        Option("RequireStaticInputShapes", "leave nodes whose input sizes are unknown", FLAG),
        Option("EnableOnSubgraphs", "also take nodes inside If, Loop and Scan", FLAG),
        Option("SpecializationStrategy", "Core ML's optimization hint", ("Default", "FastPrediction")),
        Option("ProfileComputePlan", "log which unit runs which operation", FLAG),
        Option("AllowLowPrecisionAccumulationOnGPU", "accumulate in float16", FLAG),
        Option("ModelCacheDirectory", "where converted models are kept; a folder of the app"),
    ),
    source="onnxruntime/core/providers/coreml/coreml_options.cc",
)
