"""Qualcomm QNN: the Hexagon NPU (HTP) of Snapdragon chips; a plugin beside ONNX Runtime.

Its Linux x86-64 wheel carries Qualcomm's HTP compiler and an emulator of the HTP: what a session here places and
computes is what the NPU will, at another speed.
"""

from __future__ import annotations

from edgekit.ep.provider import FLAG, Ep, Option

_MODES = (
    "default",
    "burst",
    "balanced",
    "high_performance",
    "sustained_high_performance",
    "high_power_saver",
    "power_saver",
    "low_power_saver",
    "low_balanced",
    "extreme_power_saver",
)


def defaults() -> dict[str, str]:
    """The HTP library that lies in the wheel."""
    import onnxruntime_qnn

    return {"backend_path": str(onnxruntime_qnn.get_qnn_htp_path())}


def qairt() -> str:
    """The version of Qualcomm's runtime that the installed wheel compiles with, such as "2.51.0"."""
    from onnxruntime_qnn.build_and_package_info import qnn_version

    return str(qnn_version)


EP = Ep(
    name="qnn",
    title="Qualcomm QNN (HTP)",
    options=(
        Option("backend_type", "what runs the graph", ("htp", "gpu", "cpu", "saver", "ir")),
        Option("backend_path", "the backend's library, instead of backend_type"),
        Option("soc_model", "Qualcomm's number of the chip", form="integer"),
        Option("htp_arch", "HTP version: 73, 75, 79, 81", form="integer"),
        Option("device_id", "of several HTPs", form="integer"),
        Option("htp_performance_mode", "clock and voltage", _MODES),
        Option("htp_graph_finalization_optimization_mode", "compile time for a better graph", ("0", "1", "2", "3")),
        Option("enable_htp_fp16_precision", "run float32 nodes in float16", FLAG),
        Option("enable_htp_spill_fill_buffer", "one spill buffer for several contexts", FLAG),
        Option("enable_htp_shared_memory_allocator", "share inputs and outputs with the NPU", FLAG),
        Option("enable_vtcm_backup_buffer_sharing", "share VTCM backup between sessions", FLAG),
        Option("htp_share_resource_optimization", "share VTCM backup between sessions", ("1",)),
        Option("htp_bf16_enable", "bfloat16, from SM8750 on", FLAG),
        Option("enable_htp_prepare_only", "compile and do not load", FLAG),
        Option("enable_block_quant_weight_optimization", "fast path of block-quantized weights", FLAG),
        Option("offload_graph_io_quantization", "quantize graph inputs and outputs on the CPU", FLAG),
        Option("qnn_context_priority", "among contexts", ("low", "normal", "normal_high", "high")),
        Option("rpc_control_latency", "microseconds", form="integer"),
        Option("vtcm_mb", "on-chip memory to use", form="integer"),
        Option("extended_udma", "wider DMA on newer chips", FLAG),
        Option("profiling_level", "what is recorded", ("off", "basic", "detailed", "optrace")),
        Option("profiling_file_path", "a .csv to write"),
        Option("enable_framework_op_trace", "write which node became which QNN operation", FLAG),
        Option("framework_op_trace_dir", "where that is written"),
        Option("skip_qnn_version_check", "load other QNN libraries", FLAG),
    ),
    source="https://github.com/onnxruntime/onnxruntime-qnn/blob/main/docs/execution_providers/QNN-ExecutionProvider.md "
    "and the keys in the library of onnxruntime-qnn 2.7.0",
    static_shapes=True,
    plugin="onnxruntime_qnn",
    defaults=defaults,
)
