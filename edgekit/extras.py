"""The optional parts of edgekit: what each needs, and the pip line for one that is not installed."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from urllib.parse import urlparse
from urllib.request import url2pathname

from edgekit.errors import ToolMissing

# Extra -> the modules that show it is installed. pyproject.toml holds the versions.
EXTRAS = {
    "build": ("olive", "optimum.onnxruntime", "transformers", "torch", "accelerate", "gguf", "onnx_ir", "onnxscript"),
    "lint": ("elftools", "pefile"),
    "qnn": ("onnxruntime_qnn",),
    "store": ("fsspec",),
    "webgpu": ("onnxruntime_ep_webgpu",),
}


def missing(extra: str) -> list[str]:
    """The modules of an extra that cannot be imported here; nothing heavy is imported to find out."""
    return [module for module in EXTRAS[extra] if not _installed(module)]


def require(extra: str) -> None:
    """Raise ToolMissing with the pip line when an extra is not installed."""
    if absent := missing(extra):
        raise ToolMissing(
            f"this command needs the extra {extra!r} ({', '.join(absent)} not installed)", next=pip_line(extra)
        )


def pip_line(extra: str) -> str:
    """What to type to install an extra, from where this edgekit came: a folder, a wheel, a repository, an index."""
    try:
        origin = json.loads(distribution("edgekit-ai").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:  # a source tree on the path
        origin = {}
    url = str(origin.get("url", ""))
    if origin.get("dir_info", {}).get("editable"):
        return f"pip install -e '{url2pathname(urlparse(url).path)}[{extra}]'"
    kind = f"{origin['vcs_info']['vcs']}+" if "vcs_info" in origin else ""
    return f"pip install 'edgekit-ai[{extra}]{f' @ {kind}{url}' if url else ''}'"


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package above it is missing
        return False
