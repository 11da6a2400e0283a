"""Which files of a hub's repository are needed: one format of the weights, never a pickle, and what describes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from edgekit.contract import genai_config
from edgekit.data import nearest
from edgekit.errors import SourceError
from edgekit.sources.facts import engine_folder, foreign, modules, safetensors
from edgekit.sources.facts.files import PICKLES

# What describes a model and makes its inputs; read_json's own limit guards what is in them.
BESIDE = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
    modules.MODULES,
    modules.PROMPTS,
    modules.TEXTS,
    "README.md",
)
LICENCE = re.compile(r"(licen[cs]e|notice|copying|use_policy)[^/]*", re.IGNORECASE)
MODULE = re.compile(r"\d+_\w+/(config\.json|model\.safetensors)", re.ASCII)  # what stands behind a net: 1_Pooling
NET = re.compile(r"(0_\w+/)config\.json", re.ASCII)  # and where the net lies before version 1: 0_Transformer
PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
MAX_FILES = 100_000
SHA256, SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
OTHER = "use another revision or repository of the model, or convert it where you trust it"


@dataclass(frozen=True)
class RemoteFile:
    """One file as the hub lists it; it has a sha256 (LFS) or git's digest."""

    path: str
    size: int
    sha256: str = ""
    blob: str = ""


@dataclass(frozen=True)
class Choice:
    """What to fetch first, and where it goes.

    Attributes:
        model: the local name of the .onnx or .gguf file; "" for a Hugging Face folder.
        base: the repository's folder that becomes the local one ("" or "onnx/").
        first: local path -> file: all but the weights that only these name.
    """

    model: str
    base: str
    first: dict[str, RemoteFile]


def listing(found: Iterable[Mapping[str, Any]], repo: str) -> dict[str, RemoteFile]:
    """The hub's listing by path, once it is known to be harmless.

    Raises:
        SourceError: a path that leads outside, a digest that is none, an absurd number of files.
    """
    files = [RemoteFile(**one) for one in found]
    if not all(isinstance(file.path, str) for file in files):
        raise SourceError(f"{repo} lists a file whose name is no text", next="check HF_ENDPOINT")
    for file in files:
        path = PurePosixPath(file.path)
        odd = path.is_absolute() or not {".", "..", ""}.isdisjoint(file.path.split("/"))
        if odd or any(sign in file.path for sign in "\\:\0") or not file.path.isprintable():
            raise SourceError(f"{repo} lists {file.path[:80]!r}, which leads outside", next="do not use this model")
        if not (SHA256.fullmatch(file.sha256) or SHA1.fullmatch(file.blob)):
            raise SourceError(f"{repo} lists {file.path[:80]!r} without a digest", next="check HF_ENDPOINT")
    if len(files) > MAX_FILES:
        raise SourceError(f"{repo} lists {len(files)} files", next="do not use this model")
    return {file.path: file for file in files}


def choose(files: Mapping[str, RemoteFile], path: str, repo: str, *, code: bool) -> Choice:
    """What the model at `path` of the repository needs.

    Args:
        path: of a file or a folder in the repository; "" is all of it.
        code: take the Python files too, which the user trusts.

    Raises:
        SourceError: no model there, several, or none that edgekit reads.
    """
    if path in files:
        return _file(files, path, repo)
    base = f"{path}/" if path else ""
    below = sorted(name for name in files if name.startswith(base))
    if not below:
        raise SourceError(
            f"{repo} holds no {path!r}{nearest(path, files)}",
            next=f"see its files on https://huggingface.co/{repo}/tree/main",
        )
    here = {name.removeprefix(base) for name in below}
    weights = {safetensors.INDEX, safetensors.SINGLE}
    if "config.json" in here and here & weights:
        return _folder(files, base, here, code)
    nets = [place[1] for name in sorted(here) if (place := NET.fullmatch(name))] if modules.MODULES in here else []
    if len(nets) == 1 and here & {nets[0] + name for name in weights}:
        return _folder(files, base, here, code, nets[0])
    models = [name for name in below if name.endswith((".onnx", ".gguf"))]
    if len(models) == 1:
        return _file(files, models[0], repo)
    if models:
        raise SourceError(
            f"{repo} holds {len(models)} models",
            next=f"name one: hf:{repo}#{models[0]}; the others: {', '.join(models[1:8])}",
        )
    raise _no_model(repo, below)


def _no_model(repo: str, names: list[str]) -> SourceError:
    if pickled := [name for name in names if name.endswith(PICKLES)]:
        return SourceError(
            f"the weights of {repo} are pickled ({pickled[0]}): loading them could run any code, so edgekit never does",
            next=OTHER,
        )
    if told := foreign.among(names):
        return SourceError(f"{repo} holds no model that edgekit reads, but {told}", next=OTHER)
    return SourceError(
        f"{repo} holds no model that edgekit reads: no config.json with safetensors, no .onnx or .gguf file",
        next=OTHER,
    )


def _folder(files: Mapping[str, RemoteFile], base: str, here: set[str], code: bool, net: str = "") -> Choice:
    """A Hugging Face folder, whose net may lie below it; its shards are known once the index is there."""
    names = [name for name in here if name in BESIDE or LICENCE.fullmatch(name) or (code and name.endswith(".py"))]
    names += [net + name for name in BESIDE if net and net + name in here]
    names += [name for name in here if MODULE.fullmatch(name)] if modules.MODULES in here else []
    names += [net + safetensors.INDEX] if net + safetensors.INDEX in here else []
    names = [name for name in dict.fromkeys(names) if name != net + safetensors.SINGLE]
    return Choice("", base, {name: files[base + name] for name in sorted(names)})


def _file(files: Mapping[str, RemoteFile], path: str, repo: str) -> Choice:
    """One .onnx or .gguf file with what lies beside it, or at the repository's top (onnx/model.onnx is usual)."""
    base, name = path[: path.rfind("/") + 1], path.rpartition("/")[2]
    if name.endswith(PICKLES):
        raise _no_model(repo, [path])
    if not name.endswith((".onnx", ".gguf")):
        raise SourceError(f"{path} of {repo} is no model file", next="name an .onnx or .gguf file, or leave it out")
    if name.endswith(".onnx") and base + genai_config.NAME in files:
        raise engine_folder.error(path, repo)
    if PART.search(name):
        raise SourceError(
            f"{path} of {repo} is one part of a split model",
            next="use a file that is whole, or join the parts with llama-gguf-split --merge",
        )
    beside = {one: files[one] for one in files if "/" not in one and (one in BESIDE or LICENCE.fullmatch(one))}
    beside |= {one: files[base + one] for one in BESIDE if base + one in files}
    if name.endswith(".gguf"):  # it brings its own configuration and tokenizer
        beside = {one: file for one, file in beside.items() if one == "README.md" or LICENCE.fullmatch(one)}
    return Choice(name, base, {**dict(sorted(beside.items())), name: files[path]})


def rest(files: Mapping[str, RemoteFile], choice: Choice, named: Iterable[str], repo: str) -> dict[str, RemoteFile]:
    """The files that an index or a graph names, by local path.

    Raises:
        SourceError: one of them is not in the repository.
    """
    found = {}
    for name in named:
        if choice.base + name not in files:
            raise SourceError(
                f"{repo} lacks {choice.base + name}, which {choice.model or safetensors.INDEX} names",
                next="use another revision of the model",
            )
        found[name] = files[choice.base + name]
    return found
