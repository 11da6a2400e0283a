"""WebGPU: any GPU with Direct3D 12, Vulkan or Metal, through Google's Dawn; a plugin beside ONNX Runtime.

A machine without a GPU can run it on a software GPU: set ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER=1, let VK_ICD_FILENAMES
name SwiftShader's vk_swiftshader_icd.json, and put a libvulkan.so.1 on the library path (Debian's chromium-common has
both).
"""

from __future__ import annotations

from edgekit.ep.provider import FLAG, Ep, Option

_CACHES = ("disabled", "lazyRelease", "simple", "bucket")

EP = Ep(
    name="webgpu",
    title="WebGPU",
    options=(
        Option("preferredLayout", "of layout-sensitive operators", ("NCHW", "NHWC")),
        Option("enableGraphCapture", "record and replay the commands of a run", FLAG),
        Option("enableInt64", "kernels for 64-bit integers", FLAG),
        Option("dawnBackendType", "the system's graphics interface", ("D3D12", "Vulkan")),
        Option("powerPreference", "which GPU of several", ("high-performance", "low-power")),
        Option("validationMode", "checks of every call", ("disabled", "wgpuOnly", "basic", "full")),
        Option("deviceId", "index of the device", form="integer"),
        Option("forceCpuNodeNames", "names of nodes to leave, one a line"),
        Option("storageBufferCacheMode", "how buffers are kept", _CACHES),
        Option("uniformBufferCacheMode", "how buffers are kept", _CACHES),
        Option("defaultBufferCacheMode", "how buffers are kept", _CACHES),
        Option("maxStorageBufferBindingSize", "bytes of the largest buffer", form="integer"),
        Option("kvCacheQuantizationBits", "bits of the key-value cache", form="integer"),
    ),
    source="onnxruntime-ep-webgpu 0.4.0: the ep.webgpuexecutionprovider.* keys of its library; "
    "https://onnxruntime.ai/docs/execution-providers/WebGPU-ExecutionProvider.html",
    llm=True,
    graph=True,
    plugin="onnxruntime_ep_webgpu",
)
