"""A library of ONNX Runtime in which a plugin's provider is built in, as in builds for phones: plugin_bridge.cpp."""

from __future__ import annotations

import importlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from edgekit import ep
from edgekit.wrappers.python.manifest import PROVIDERS
from tests.peers import ort_package, swiftshader

SOURCE = Path(__file__).with_suffix(".cpp")


@dataclass(frozen=True)
class Bridge:
    """The library, and the variables that a process needs which loads it."""

    library: Path
    environment: dict[str, str]


def compile_bridge(folder: Path, compiler: Path) -> Path:
    """The library, compiled against ONNX Runtime's own header."""
    library = folder / "libonnxruntime.so"
    flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"]
    command = [compiler, *flags, "-isystem", ort_package.headers(), SOURCE, "-o", library, "-ldl"]
    subprocess.run(command, check=True, timeout=120)
    return library


def bridge(library: Path, provider: str) -> Bridge:
    """The library with "qnn" (Qualcomm's HTP emulator) or "webgpu" (on SwiftShader) built in."""
    plugin = importlib.import_module(ep.load(provider).plugin).get_library_path()
    real = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    chosen = {
        "BRIDGE_ONNXRUNTIME": str(real),
        "BRIDGE_PROVIDER": PROVIDERS[provider],
        "BRIDGE_PLUGIN": str(plugin),
    }
    return Bridge(library, (swiftshader.environment() if provider == "webgpu" else {}) | chosen)
