"""A GPU in software for the WebGPU provider: SwiftShader and the Vulkan loader that come with Debian's chromium-common.

It has no float16: graphs that compute in it do not run there.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from tests import needs

FOLDER = Path("/usr/lib/chromium")
TARGET = """extends = "windows-webgpu"
name = "wide"
title = "WebGPU without float16"
[llm]
activation_bits = 32
accuracy_level = 1
[tensor]
recipe = "float32"
recipe_uncalibrated = "float32"
"""


def target(folder: Path) -> Path:
    """windows-webgpu for a GPU without float16, as this one is: a profile in the folder."""
    path = folder / "wide.toml"
    path.write_text(TARGET, encoding="utf-8")
    return path


def environment() -> dict[str, str]:
    """What a process needs to find it; the test is skipped where it is missing, and fails on CI, which installs it."""
    if not (FOLDER / "vk_swiftshader_icd.json").is_file() or find_spec("onnxruntime_ep_webgpu") is None:
        needs.unavailable("needs SwiftShader (make test-tools installs chromium) and onnxruntime-ep-webgpu")
    return {
        **os.environ,
        "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER": "1",
        "VK_ICD_FILENAMES": str(FOLDER / "vk_swiftshader_icd.json"),
        "LD_LIBRARY_PATH": str(FOLDER),
    }
