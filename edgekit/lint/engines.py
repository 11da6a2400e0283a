"""ONNX Runtime in a package: once, and from where it is meant to be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from edgekit.kinds import Package
from edgekit.lint._artifact import Part
from edgekit.lint._report import Kind
from edgekit.lint._rule import Fault, Rule

ON: tuple[Kind, ...] = ("aar", "apk", "app", "framework", "folder", "bundle")
VERSION = re.compile(rb"\0(1\.[0-9]{2}\.[0-9]{1,2})\0")  # what GetVersionString answers
DLL = "onnxruntime.dll"
GENAI_AAR = "onnxruntime-genai (AAR)"  # as targets/android-*.toml name it


def runtimes(part: Part) -> Iterator[tuple[str, str]]:
    """Each ONNX Runtime in an artifact: the system and machine that it is for, and its path."""
    for path, elf in part.elves.items():
        if elf.runtime:
            system = "Android" if path in part.android or elf.api is not None else "Linux"
            yield f"{system}, {elf.machine}", path
    for path, slices in part.slices.items():
        for code in slices:
            if "_OrtGetApiBase" in code.defines:
                yield f"{code.platform}, {code.machine}", path
    for path, program in part.programs.items():
        if program.runtime:
            yield f"Windows, {program.machine}", path


def _twice(part: Part) -> Iterator[Fault]:
    """In one artifact it is an error, in two of one folder a warning: the app may take only one."""
    order = {other: number for number, other in enumerate(part.whole)}
    everywhere = [(system, other, path) for other in part.whole for system, path in runtimes(other)]
    for system, path in runtimes(part):
        others = [(other, its) for where, other, its in everywhere if where == system and (other, its) != (part, path)]
        for other, its in others:
            if other is part and its > path:
                yield Fault(path, f"it is an ONNX Runtime for {system}, and so is {its}")
            elif other is not part and "apk" not in (part.kind, other.kind) and order[part] < order[other]:
                place = "/".join(filter(None, (other.path, its)))
                yield Fault(path, f"it is an ONNX Runtime for {system}, and so is {place}", "warning")


def _by_name(part: Part) -> Iterator[Fault]:
    """A program's own folder is searched first, so it may have the DLL beside it; that of a DLL is not searched."""
    for path, program in part.programs.items():
        if DLL in program.imports:
            folder = path.rpartition("/")[0]
            beside = any(other.lower() == f"{folder}/{DLL}".lstrip("/").lower() for other in part.files.entries)
            if not program.dll and beside:
                continue
            kind = "a DLL, whose folder is not searched" if program.dll else f"a program without {DLL} beside it"
            yield Fault(path, f"it imports {DLL} by its base name and is {kind}", "warning" if beside else None)


def _inside(part: Part) -> Iterator[Fault]:
    for system, path in runtimes(part):
        if "genai" in path.rpartition("/")[2].lower():
            versions = part.scan(path, lambda stream: set(VERSION.findall(stream.read()))) or set()
            version = f" {versions.pop().decode()}" if len(versions) == 1 else ""
            yield Fault(path, f"GenAI brings an ONNX Runtime{version} of its own for {system}")


def unshippable(packages: Iterable[Package], kind: str) -> Iterator[str]:
    """Why an app with the engines of a kind of model is not shippable on Play as they are."""
    for package in packages:
        if package.name == GENAI_AAR and kind in package.kinds:
            yield f"its app needs {package.name}: libmat.so in it, as of 0.15.2, is aligned to 4 KB"


def _unshippable(part: Part) -> Iterator[Fault]:
    if part.bundle is not None:
        for why in unshippable(part.bundle.target.runtime, part.bundle.model.kind):
            yield Fault("", why)


RULES = (
    Rule(
        "engine-twice",
        "error",
        "two ONNX Runtimes in one app: which one answers is the loader's choice",
        "keep one; where GenAI's library brings one, use that for nets of tensors too",
        "https://onnxruntime.ai/docs/genai/howto/install.html",
        ON,
        _twice,
    ),
    Rule(
        "engine-inside",
        "note",
        "an ONNX Runtime inside GenAI's library: its version counts for language models",
        "add no other ONNX Runtime to the app, and read the version from the library, not from a package's name",
        "https://onnxruntime.ai/docs/genai/howto/install.html",
        ON,
        _inside,
    ),
    Rule(
        "windows-dll-name",
        "error",
        f"{DLL} reached by its base name: Windows has an older one of its own in System32",
        f"load {DLL} by its full path before what needs it, or put it beside the program",
        "https://learn.microsoft.com/windows/win32/dlls/dynamic-link-library-search-order",
        ("folder", "bundle"),
        _by_name,
    ),
    Rule(
        "engine-unshippable",
        "warning",
        "a bundle whose app needs GenAI's AAR, which is not shippable on Play as it is",
        "lint the AAR that the app takes; take a release with the mended library, or build GenAI without telemetry",
        "https://github.com/microsoft/onnxruntime-genai/issues/1928",
        ("bundle",),
        _unshippable,
    ),
)
