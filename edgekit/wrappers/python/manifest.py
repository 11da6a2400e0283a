"""Read a bundle's manifest as an app does: unknown keys are ignored, and what cannot run here is refused by name."""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any

from . import engines, strict

NAME = "edgekit.json"
FORMAT = "1.0-draft"  # the only one that this runtime reads
FEATURES: frozenset[str] = frozenset()  # what `requires` may name and this runtime can do
MAX_BYTES = 8 * 2**20

# An execution provider's short name in a manifest -> its name in ONNX Runtime.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "nnapi": "NnapiExecutionProvider",
    "dml": "DmlExecutionProvider",
    "webgpu": "WebGpuExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
_SYSTEMS = {"linux": "linux", "win32": "windows", "darwin": "macos", "ios": "ios", "android": "android"}
_ABIS = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "arm64-v8a": "aarch64", "armv8l": "armv7"}
# Package -> the axis of the manifest that names its lowest version.
_FLOORS = {"onnxruntime": "min_onnxruntime", "onnxruntime_genai": "min_onnxruntime_genai"}


class Refused(Exception):
    """This bundle, or what was asked of it, cannot be run here.

    Attributes:
        code: "bundle" (damaged, or not for this runtime or machine), "usage" (a wrong input), "tool-missing".
        message: one line, the cause.
        next: one line, what to do about it; may be empty.
        axis: of compatibility, where one is to blame: "format", "requires", "os", "abi", "soc", "ep", ...
    """

    def __init__(self, message: str, *, next: str = "", code: str = "bundle", axis: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next = next
        self.code = code
        self.axis = axis


def host_os() -> str:
    """This machine's operating system, as manifests name it."""
    if hasattr(sys, "getandroidapilevel"):
        return "android"
    return _SYSTEMS.get(sys.platform, sys.platform)


def host_abi() -> str:
    """This machine's CPU architecture, as manifests name it."""
    return abi(platform.machine())


def abi(name: str) -> str:
    """One name for one architecture: "arm64-v8a", "arm64" and "aarch64" are "aarch64"."""
    return _ABIS.get(name.lower(), name.lower())


def read(folder: Path) -> dict[str, Any]:
    """The manifest of the bundle in `folder`; its format and features are checked, unknown keys are kept.

    Raises:
        Refused: no bundle, not readable, or for another runtime.
    """
    path = folder / NAME
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused(f"{folder.name or folder} is not a bundle: {NAME}: {error.strerror}") from None
    try:
        manifest = strict.loads(raw, names=True, max_bytes=MAX_BYTES)
        if not isinstance(manifest, dict):
            raise ValueError("it is no JSON object")
        if not isinstance(manifest["format"], str):
            raise ValueError("its format is no text")
        if manifest["format"] != FORMAT:
            raise Refused(
                f"the bundle has another format than {FORMAT}, the only one that this runtime reads",
                next="rebuild this bundle",
                axis="format",
            )
        features = [str(one) for one in manifest.get("requires", ())]
        for key in ("variants", "contract", "name"):
            manifest[key]
        _check_form(manifest)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise Refused(f"{NAME} cannot be used: {why}", next="fetch the bundle again") from None
    if lacking := sorted(set(features) - FEATURES):
        raise Refused(
            f"the bundle requires {', '.join(lacking)}, which this runtime lacks",
            next="use the runtime that lies in the bundle",
            axis="requires",
        )
    return dict(manifest)


def _check_form(manifest: dict[str, Any]) -> None:
    """Raise ValueError where what is read below is of another type than a manifest's."""
    for key in ("variants", "files"):
        found = manifest.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise ValueError(f"its {key} are no list of objects")
    if not isinstance(manifest["contract"], dict):
        raise ValueError("its contract is no object")
    for one in manifest["variants"]:
        axes = one.get("compatibility") or {}
        if not isinstance(one.get("name"), str) or not isinstance(one.get("path"), str) or not isinstance(axes, dict):
            raise ValueError("a variant has no name, path or compatibility")
        for axis in ("os", "abi"):
            names = axes.get(axis) or []
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"the {axis} of a variant is no list of names")
    for one in manifest.get("files", []):
        if not isinstance(one.get("path"), str) or not isinstance(one.get("size"), int):
            raise ValueError("a file has no path or size")


def choose(manifest: dict[str, Any], name: str | None = None, *, foreign: bool = False) -> dict[str, Any]:
    """The variant of this name, or else the first that runs here.

    Args:
        foreign: run a bundle of another platform anyway, for a look at its outputs: os, abi and soc are not compared
            with this machine, nor the versions of that platform's packages with this one's, and the CPU does what the
            accelerator would (a variant compiled for a chip comes last).

    Raises:
        Refused: no such variant, or the axis on which every variant (or the one asked for) fails.
    """
    variants = manifest["variants"]
    if name is not None:
        variants = [one for one in variants if one.get("name") == name]
        if not variants:
            known = ", ".join(str(one.get("name")) for one in manifest["variants"])
            raise Refused(f"the bundle has no variant {name!r}", next=f"one of: {known}", code="usage")
    if foreign:
        compiled_last = sorted(variants, key=lambda one: bool((one.get("compatibility") or {}).get("soc")))
        variants = [{**one, "ep": "cpu", "ep_options": {}} for one in compiled_last]
    refusals = []
    for one in variants:
        refusal = unfit(one, foreign=foreign)
        if refusal is None:
            return dict(one)
        refusals.append(refusal)
    raise refusals[0] if refusals else Refused(f"{NAME} cannot be used: it lists no variant")


def unfit(variant: dict[str, Any], *, foreign: bool = False) -> Refused | None:
    """Why a variant cannot run on this machine, the axis named; None when nothing speaks against it."""
    axes = variant.get("compatibility") or {}
    title = f"variant {variant.get('name')!r}"
    if not foreign:
        systems, abis = tuple(axes.get("os") or ()), tuple(map(abi, axes.get("abi") or ()))
        for axis, here, allowed in (("os", host_os(), systems), ("abi", host_abi(), abis)):
            if allowed and here not in allowed:
                return Refused(
                    f"{title} is for {axis} {' or '.join(allowed)}, this machine is {here}",
                    next="take the bundle of the target that fits this machine",
                    axis=axis,
                )
        for axis in ("soc", "htp_arch", "qairt"):
            if axes.get(axis):
                return Refused(
                    f"{title} was compiled for {axis} {_words(axes[axis])}, which this runtime cannot find here",
                    next="run it on that device",
                    axis=axis,
                )
    in_genai = bool(axes.get(_FLOORS["onnxruntime_genai"]))
    for package, axis in _FLOORS.items() if not foreign else ():
        if (floor := axes.get(axis)) and (refusal := _too_old(title, package, str(floor), in_genai)):
            return refusal
    return _no_provider(title, str(variant.get("ep", "cpu")))


def engine(package: str) -> Any:
    """An engine's module, or Refused with the pip line that installs it."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when an engine is loaded
    try:
        return importlib.import_module(package)
    except ImportError as error:
        pip = package.replace("_", "-")
        raise Refused(
            f"{pip} cannot be imported: {error}", next=f"pip install {pip}", code="tool-missing", axis=package
        ) from None


def version(package: str, *, in_genai: bool = False) -> str:
    """An engine's version; in_genai: of the ONNX Runtime that GenAI runs models on. Raises as `engine` does."""
    here = str(engine(package).__version__)
    if package == "onnxruntime" and in_genai:
        return engines.of_genai(engine("onnxruntime_genai")) or here
    return here


def adapter(name: str) -> str:
    """Where the file of an adapter lies, below the folder of a variant."""
    return f"adapters/{name}.onnx_adapter"


def inside(folder: Path, relative: str) -> Path:
    """The file of a bundle that a manifest's path names; a path that leads outside is refused."""
    pure = PurePosixPath(relative)
    path = folder / pure
    if not relative or pure.is_absolute() or ".." in pure.parts or "\\" in relative or ":" in relative:
        raise Refused(f"{NAME} names {relative!r}, which is not inside the bundle")
    if not _is_there(path):
        raise Refused(f"{relative} is missing from the bundle", next="fetch the bundle again")
    return path


def _is_there(path: Path) -> bool:
    """Whether a path exists; one that no file system takes does not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def check_files(folder: Path, manifest: dict[str, Any], variant: str, *, hashes: bool = False) -> None:
    """Compare a variant's files with the manifest: sizes, a quick look at every open; or every byte, at install.

    Raises:
        Refused: a file that is missing or changed, by name.
    """
    for file in manifest.get("files", ()):
        if file.get("role") != "model" or file.get("variant") not in (None, variant):
            continue
        path = inside(folder, str(file["path"]))
        if path.stat().st_size != file["size"]:
            raise Refused(
                f"{file['path']} has {path.stat().st_size} bytes instead of {file['size']}",
                next="fetch the bundle again",
            )
        if hashes and _sha256(path) != file.get("sha256"):
            raise Refused(f"{file['path']} was changed: its sha256 differs", next="fetch the bundle again")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _too_old(title: str, package: str, floor: str, in_genai: bool) -> Refused | None:
    try:
        here = version(package, in_genai=in_genai)
    except Refused as refusal:
        return refusal
    if _numbers(here) >= _numbers(floor):
        return None
    pip = package.replace("_", "-")
    return Refused(
        f"{title} needs {pip} {floor} or later, here is {here}",
        next=f"pip install '{pip}>={floor}'",
        axis=f"min_{package}",
    )


def _no_provider(title: str, ep: str) -> Refused | None:
    name = PROVIDERS.get(ep)
    try:
        here = engine("onnxruntime").get_available_providers()
    except Refused as refusal:
        return refusal
    return None if name in here else no_provider(title, ep)


def no_provider(title: str, ep: str) -> Refused:
    """The refusal of a variant whose execution provider `ep` this ONNX Runtime lacks."""
    return Refused(
        f"{title} runs on the execution provider {ep}, which this ONNX Runtime does not have",
        next="install the ONNX Runtime package that has it, or take another variant",
        axis="ep",
    )


def _numbers(version: str) -> tuple[int, ...]:
    """(1, 24, 0) of "1.24.0rc1": enough to compare releases."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[a-z+-]", version)[0]))


def _words(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
