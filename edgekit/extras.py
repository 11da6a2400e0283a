"""The optional parts of edgekit: what each needs, and the pip line for one that is not installed."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from urllib.parse import urlparse
from urllib.request import url2pathname

from edgekit.errors import ToolMissing

# Extra -> the modules that show it is installed, and a package of which the core alone takes other versions.
_BUILD = ("olive", "optimum.onnxruntime", "transformers", "torch", "accelerate", "gguf", "onnx_ir", "onnxscript")
EXTRAS = {
    "build": (*_BUILD, "onnxruntime-genai==0.14.*"),
    "lint": ("elftools", "pefile"),
    "qnn": ("onnxruntime_qnn",),
    "store": ("fsspec",),
    "webgpu": ("onnxruntime_ep_webgpu",),
}


def missing(extra: str) -> list[str]:
    """What of an extra is not here, or not in its version; nothing heavy is imported to find out."""
    return [module for module in EXTRAS[extra] if not _installed(module)]


def require(extra: str) -> None:
    """Raise ToolMissing with the pip line when an extra is not installed."""
    if absent := missing(extra):
        why = f"this command needs the extra {extra!r} ({', '.join(absent)} not installed)"
        raise ToolMissing(why, next=pip_line(extra))


def pip_line(extra: str) -> str:
    """What to type to install an extra, from where this edgekit came: a folder, a wheel, a repository, an index."""
    origin = {}
    with suppress(PackageNotFoundError):  # a source tree on the path
        origin = json.loads(distribution("edgekit-ai").read_text("direct_url.json") or "{}")
    url = str(origin.get("url", ""))
    if origin.get("dir_info", {}).get("editable"):
        return f"pip install -e '{url2pathname(urlparse(url).path)}[{extra}]'"
    kind = f"{origin['vcs_info']['vcs']}+" if "vcs_info" in origin else ""
    return f"pip install 'edgekit-ai[{extra}]{f' @ {kind}{url}' if url else ''}'"


def _installed(module: str) -> bool:
    package, _, versions = module.partition("==")
    with suppress(ModuleNotFoundError):  # the package above it is missing; the engine is another distribution's
        return version(package).startswith(versions[:-1]) if versions else find_spec(module) is not None
    return bool(versions)
