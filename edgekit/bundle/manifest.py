"""The bundle's manifest, edgekit.json: the contract between the build, the app, and the check.

No timestamp, duration or path of the build machine stands in it: the same build gives the same bytes.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from edgekit.data import Strict, digest
from edgekit.model import Model, Tensor
from edgekit.report.measurement import Evidence, Measurement, Verdict, VerdictWord
from edgekit.report.partition import Partition
from edgekit.target import Budget, Package

NAME = "edgekit.json"
MAJOR = 1
FEATURES: frozenset[str] = frozenset()  # what `requires` may name and this reader can do
Role = Literal["model", "check", "runtime", "licence"]


class File(Strict):
    """One file of the bundle; `path` is relative, with forward slashes."""

    path: str
    size: int
    sha256: str
    role: Role
    variant: str | None = None


class TargetFacts(Strict):
    """The target as it was when the bundle was built."""

    name: str
    title: str
    status: str
    status_reason: str
    os: str
    abi: tuple[str, ...]
    sha256: str = Field(description="of the resolved profile")
    runtime: tuple[Package, ...]


class SourceFacts(Strict):
    """Where the model came from; `ref` holds no path of the build machine."""

    ref: str
    kind: str
    sha256: str
    licence: str
    origin: tuple[str, ...] = Field(default=(), description="how the source was reached, one line a step")
    trust_remote_code: bool = False


class Stage(Strict):
    """One step of the build with its exact configuration; paths are ${SOURCE}, ${WORK} and ${CALIBRATION}."""

    stage: str
    name: str
    reason: str
    variants: tuple[str, ...] = ()
    config: dict[str, Any] = {}


class RecipeFacts(Strict):
    """The recipe that made the bundle."""

    name: str
    summary: str
    precision: str
    sha256: str = Field(description="of the recipe's source")
    calibration: dict[str, Any] | None = None
    stages: tuple[Stage, ...] = ()


class Compatibility(Strict):
    """The axes a variant is tied to; an absent axis is free. The wrapper names the axis it refuses."""

    os: tuple[str, ...] = ()
    abi: tuple[str, ...] = ()
    soc: tuple[str, ...] = ()
    htp_arch: str | None = None
    qairt: str | None = None
    min_onnxruntime: str | None = None
    min_onnxruntime_genai: str | None = None


class Variant(Strict):
    """One self-contained form of the model, in model/<name>/."""

    name: str
    path: str = Field(description="of the .onnx file (tensor) or of the GenAI folder (llm), relative to the bundle")
    ep: str
    ep_options: dict[str, str] = {}
    recipe: str = ""
    precision: str = ""
    compatibility: Compatibility = Compatibility()
    compiled: dict[str, Any] = Field(default={}, description="facts of the ahead-of-time compiler")


class LlmContract(Strict):
    """What an app must know to generate text."""

    kind: Literal["llm"] = "llm"
    eos_token_ids: tuple[int, ...]
    bos_token_id: int | None = None
    context_length: int
    max_length: int
    chat_template_sha256: str | None = None
    vocab_size: int


class TensorContract(Strict):
    """What an app must feed and will get."""

    kind: Literal["tensor"] = "tensor"
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    labels: str | None = Field(default=None, description="path of a file with one label or character a line")
    decode: str = Field(default="none", description="how the outputs are read: classes, ctc, dbnet, mean-pool, ...")


class Memory(Strict):
    """What the model takes on the device. Bytes, predicted from the files and the graph, not measured."""

    evidence: Literal["static"] = "static"
    mapped_bytes: int
    prepacked_bytes: int = Field(default=0, description="a second copy of weights that kernels may make, at worst")
    kv_dtype: str | None = None
    kv_bytes_per_token: int | None = None
    kv_bytes_at_max_length: int | None = None
    logits_bytes_pp512: int | None = None
    predicted_peak_bytes: int


class Quality(Strict):
    """What the gate found before the bundle was sealed."""

    verdict: VerdictWord
    mode: Literal["default", "fast", "thorough", "off"]
    ran_on: str = ""
    evidence: Evidence = "host"
    measurements: tuple[Measurement, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()


class Manifest(Strict):
    """edgekit.json. `sha256` is of the canonical JSON of everything else."""

    format: str = "1.0"
    requires: tuple[str, ...] = ()
    name: str
    target: TargetFacts
    model: Model
    source: SourceFacts
    recipe: RecipeFacts
    tools: dict[str, str]
    variants: tuple[Variant, ...]
    contract: LlmContract | TensorContract = Field(discriminator="kind")
    memory: Memory
    platform: dict[str, Any] = {}
    quality: Quality
    budget: dict[str, Budget] = Field(default={}, description="what a check holds its measurements against")
    pick: str = Field(default="first-that-runs", description="how an app chooses: first-that-runs, self-test")
    partition: dict[str, Partition] = Field(default={}, description="by variant")
    files: tuple[File, ...] = ()
    sha256: str = ""


def seal_digest(data: dict[str, Any]) -> str:
    """The value of a manifest's own sha256 field, from its JSON as read (keys unknown to this reader count too)."""
    return digest({key: value for key, value in data.items() if key != "sha256"})
