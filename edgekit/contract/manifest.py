"""The bundle's manifest, edgekit.json: the contract between the build, the app, and the check.

No timestamp, duration or path of the build machine stands in it: the same build gives the same bytes.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from edgekit import kinds
from edgekit.data import Strict, digest
from edgekit.kinds import Contract, Footprint, Package
from edgekit.kinds.variant import Sealed
from edgekit.model import Model
from edgekit.results.measurement import Evidence, Measurement, Proof, Verdict, VerdictWord
from edgekit.results.metrics import Limit
from edgekit.results.partition import Partition

NAME = "edgekit.json"
FORMAT: Final = "1.0-draft"  # until it is frozen a reader takes exactly its own, and nothing is migrated
FEATURES: frozenset[str] = frozenset()  # what `requires` may name and this reader can do
Role = Literal["model", "check", "runtime", "license", "signature"]
SIGNATURES = "signatures"  # a folder that is kept free: signatures of a manifest, which cannot list them


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
    face: str = Field(default="python", description="what lies below runtime/ (edgekit/faces)")


class SourceFacts(Strict):
    """Where the model came from; `ref` holds no path of the build machine."""

    ref: str
    kind: str
    sha256: str
    license: str
    origin: tuple[str, ...] = Field(default=(), description="how the source was reached, one line a step")
    trust_remote_code: bool = False
    accepted: bool = Field(default=False, description="the user takes the source whatever the gate finds of it")


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


class Quality(Strict):
    """What the gate found before the bundle was sealed."""

    verdict: VerdictWord
    mode: Literal["default", "fast", "thorough", "off"]
    ran_on: str = ""
    evidence: Evidence = "host"
    proof: Proof = Field(default="built", description="what is shown of the model on the target")
    measurements: tuple[Measurement, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()


class Draft(Strict):
    """What is known of a bundle when its model is built; sealing makes the manifest of it, once."""

    format: Literal["1.0-draft"] = FORMAT
    requires: tuple[str, ...] = ()
    name: str
    target: TargetFacts
    model: Model
    source: SourceFacts
    recipe: RecipeFacts
    tools: dict[str, str]
    variants: tuple[Sealed, ...]
    contract: Annotated[Contract, kinds.union("contract")]
    memory: Footprint
    platform: dict[str, Any] = {}
    budget: dict[str, Limit] = Field(default={}, description="what a check holds its measurements against")


class Manifest(Draft):
    """edgekit.json. `sha256` is of the canonical JSON of everything else."""

    quality: dict[str, Quality] = Field(description="by variant; one that is not here was not compared by itself")
    partition: dict[str, Partition] = Field(default={}, description="by variant")
    files: tuple[File, ...] = ()
    sha256: str = ""

    @property
    def judged(self) -> Quality:
        """The gate's findings of the first variant that it judged, in the order in which an app tries them."""
        subjects = (subject(variant.name) for variant in self.variants)
        found = (self.quality[key] for key in subjects if key in self.quality)
        return next(found, Quality(verdict="not-measured", mode="off"))


def subject(variant: str, adapter: str = "") -> str:
    """Who was judged, as a key of `quality`: VARIANT, or VARIANT/ADAPTER with an adapter on it; names have no slash."""
    return f"{variant}/{adapter}" if adapter else variant


def seal_digest(data: dict[str, Any]) -> str:
    """The value of a manifest's own sha256 field, from its JSON as read (keys unknown to this reader count too)."""
    return digest({key: value for key, value in data.items() if key != "sha256"})
