"""The tests share small_graphs.py, and fixtures for plugins that may not be installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import needs

SWIFTSHADER = Path("/usr/lib/chromium")  # Debian's chromium-common


@pytest.fixture
def need_provider(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """need_provider("qnn"): skip where its plugin, or SwiftShader for WebGPU, is missing; on CI fail."""

    def need(name: str) -> None:
        from edgekit import ep

        if name == "webgpu":
            monkeypatch.setenv("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER", "1")
            monkeypatch.setenv("VK_ICD_FILENAMES", str(SWIFTSHADER / "vk_swiftshader_icd.json"))
            monkeypatch.setenv("LD_LIBRARY_PATH", str(SWIFTSHADER))
        from importlib.util import find_spec

        if find_spec(ep.load(name).plugin) is None or (name == "webgpu" and not SWIFTSHADER.is_dir()):
            needs.unavailable(f"{name} needs {ep.load(name).plugin} (and chromium-common for webgpu)")

    return need
