"""XNNPACK: float and int8 kernels for ARM CPUs, in the Android and iOS packages; not in the Linux wheels."""

from __future__ import annotations

from edgekit.ep.provider import Ep, Option

EP = Ep(
    name="xnnpack",
    title="XNNPACK",
    options=(Option("intra_op_num_threads", "threads of XNNPACK's own pool", form="integer"),),
    source="https://onnxruntime.ai/docs/execution-providers/Xnnpack-ExecutionProvider.html",
)
