"""The texts of a bundle's runtime/: README.md and the program, from templates, the target's packages and the contract.

They are made of the manifest alone, so that whoever has a bundle can make them again and compare.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.contract.manifest import Draft
from edgekit.kinds import Package
from edgekit.model import TextInput

# Where a package comes from -> what its lines are in a README, how they are marked, and what takes exactly the versions
# that the target allows.
CHANNELS = {
    "pip": ("pip", "sh"),
    "maven": ("Gradle", "kotlin"),
    "nuget": ("NuGet", "xml"),
    "swiftpm": ("SwiftPM", "swift"),
    "npm": ("npm", "sh"),
    "release-page": ("By hand", "text"),
    "system": ("Of the system", "text"),
}
# What reads a tokenizer.json, by language; Python's alone has been run here (docs/embedding.md).
TOKENIZERS = (
    "tokenizers (Python), ai.djl.huggingface:tokenizers (JVM), swift-transformers (Swift), Tokenizers.DotNet (C#), "
    "tokenizers-cpp (C++)"
)
FEATURES = {"ids": "its tokens", "mask": "1 for each", "types": "0 for each"}
_PLAIN = re.compile(r"[A-Za-z0-9_./:+ -]+")  # names that are the same text in every language
_EACH = re.compile(r"@(INPUT|OUTPUT)@")


def text(known: Draft, hello: Path, language: str, suffix: str, program: str) -> str:
    """README.md of a bundle's runtime/."""
    target = known.target
    packages = [package for package in target.runtime if known.contract.kind in package.kinds]
    steps = hello / f"{target.os}.md"
    parts = [
        f"# {known.name}, embedded in {language}",
        f"A bundle for {target.title}. Its runtime in {language} lies here as sources, of edgekit {_version(known)}.",
        *(["## A program", _fenced(suffix, program)] if program else []),
        *_of_texts(known),
        "## What it needs",
        *(
            _needed(channel, packages)
            for channel in CHANNELS
            if any(package.channel == channel for package in packages)
        ),
        *(_noted(packages)),
    ]
    if steps.is_file():
        kind = known.contract.kind
        lines = {"BUNDLE": known.name, "VERSION": _version(known), "PIP": _pip(packages)}
        lines |= {"KIND": kind, "MAIN": f"{kind.capitalize()}Kt"}
        parts += ["## How", _filled(steps.read_text(encoding="utf-8").strip(), lines)]
    return "\n\n".join(parts) + "\n"


def program(known: Draft, hello: Path, suffix: str) -> str:
    """The program for a bundle of this kind; "" where there is none, or the names of its tensors are no plain text."""
    template = hello / f"{known.contract.kind}.{suffix}.txt"
    if not template.is_file():
        return ""
    sides = {"INPUT": _values(known, "inputs"), "OUTPUT": _values(known, "outputs")}
    if any(values is None for values in sides.values()):
        return ""
    lines = []
    for line in template.read_text(encoding="utf-8").splitlines(keepends=True):
        side = _EACH.search(line)
        lines += [_filled(line, values) for values in (sides[side[1]] or ())] if side else [line]
    return "".join(lines)


def line(package: Package) -> str:
    """What an app writes to depend on a package, with the versions that the target allows."""
    if package.channel == "pip":
        return f'"{package.name}>={package.floor}{"".join(f",!={bad}" for bad in package.excluded)}"'
    if package.channel == "maven":
        return f'implementation("{package.name}:{package.floor}")'
    if package.channel == "nuget":
        return f'<PackageReference Include="{package.name}" Version="{package.floor}" />'
    if package.channel == "swiftpm":
        return f'.package(url: "{package.source}", exact: "{package.floor}")'
    if package.channel == "npm":
        return f"npm install {package.name}@{package.floor}"
    return f"{package.name} {package.floor} or later: {package.source}"


def _of_texts(known: Draft) -> Iterator[str]:
    """Who makes the inputs that are made of texts: the app, with which file."""
    tensors = getattr(known.contract, "inputs", ())
    forms = [(tensor.name, tensor.preprocess) for tensor in tensors if isinstance(tensor.preprocess, TextInput)]
    if not forms:
        return
    named = ", ".join(f"`{name}` ({FEATURES[form.feature]})" for name, form in forms)
    folder = Path(known.variants[0].path).parent.as_posix()
    decode = getattr(known.contract, "decode", "none")
    yield "## Texts"
    yield (
        f"No face has an `embed(text)`: the app makes {named} of a text, of at most {forms[0][1].max_tokens} tokens, "
        f"by `{folder}/tokenizer.json`, a file of Hugging Face's tokenizers, and `infer` does the rest. What reads it: "
        f"{TOKENIZERS}. `edgekit run --input FILE.txt` does the same, to compare with."
        + (f" What comes out is read as `{decode}`." if decode != "none" else "")
    )


def _needed(channel: str, packages: Iterable[Package]) -> str:
    """The lines of one channel."""
    title, mark = CHANNELS[channel]
    of_it = [package for package in packages if package.channel == channel]
    lines = [f"pip install {_pip(of_it)}"] if channel == "pip" else [line(package) for package in of_it]
    return f"{title}:\n\n{_fenced(mark, chr(10).join(lines))}"


def _noted(packages: Iterable[Package]) -> Iterator[str]:
    """What the target says of its packages besides: sums, bad releases, what has been seen."""
    rows = []
    for package in packages:
        told = [f"from {package.floor} on, {package.last_seen} is the newest that was seen"]
        told += [f"without {', '.join(package.excluded)}: {package.excluded_reason}"] if package.excluded else []
        told += [f"sha256 of {package.floor}: {package.sha256}"] if package.sha256 else []
        rows.append(f"- {package.name}: {'; '.join(told)}")
    if rows:
        yield "\n".join(rows)


def _pip(packages: Iterable[Package]) -> str:
    return " ".join(line(package) for package in packages if package.channel == "pip")


def _values(known: Draft, side: str) -> list[dict[str, str]] | None:
    """What a template says of each input or output, open dimensions as 1; None where a language could not."""
    values = []
    for tensor in getattr(known.contract, side, ()):
        shape = [dim if isinstance(dim, int) else 1 for dim in tensor.shape]
        width = _width(tensor.dtype)
        if not width or not _PLAIN.fullmatch(tensor.name) or min(shape, default=1) < 1:
            return None
        sizes = {"SHAPE": ", ".join(map(str, shape)), "BYTES": str(width * prod(shape)), "TYPE": tensor.dtype}
        values.append({side.removesuffix("s").upper(): tensor.name, **sizes})
    return values


def _width(dtype: str) -> int:
    """Bytes of one element; 0 for texts and what numpy does not know."""
    try:
        known = np.dtype(dtype)
    except TypeError:
        return 0
    return known.itemsize if known.kind in "biuf" else 0


def _filled(template: str, values: dict[str, Any]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda place: str(values.get(place[1], place[0])), template)


def _fenced(mark: str, lines: str) -> str:
    return f"```{mark}\n{lines.rstrip()}\n```"


def _version(known: Draft) -> str:
    return known.tools.get("edgekit", "of no version")
