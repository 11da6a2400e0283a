"""A GPU in software for the WebGPU provider: SwiftShader and the Vulkan loader that come with Debian's chromium-common.

It has no float16: graphs that compute in it do not run there.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = Path("/usr/lib/chromium")


def environment() -> dict[str, str]:
    """What a process needs to find it; the test is skipped where it is missing, and fails on CI, which installs it."""
    if not (FOLDER / "vk_swiftshader_icd.json").is_file() or find_spec("onnxruntime_ep_webgpu") is None:
        reason = "needs SwiftShader (make test-tools installs chromium) and onnxruntime-ep-webgpu"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return {
        **os.environ,
        "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER": "1",
        "VK_ICD_FILENAMES": str(FOLDER / "vk_swiftshader_icd.json"),
        "LD_LIBRARY_PATH": str(FOLDER),
    }
