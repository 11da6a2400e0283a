"""regate(): the quality gate of a bundle that is sealed, beside its source."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekit import console, digests, quality, sources, target
from edgekit.bundle.runtime import foreign
from edgekit.bundle.verify import verified
from edgekit.contract.manifest import Quality
from edgekit.errors import BundleError, UsageError
from edgekit.inputs.calibration import open_calibration
from edgekit.quality import Cause, GateContext, Mode
from edgekit.quality._inputs import feeds_of, truth_of
from edgekit.results import metrics


def regate(
    bundle: Path,
    ref: str,
    mode: Mode,
    *,
    calibration: Path | None = None,
    table: Path | None = None,
    text: Path | None = None,
    limits: Sequence[str] = (),
    variant: str | None = None,
) -> tuple[Quality, frozenset[Cause]]:
    """The quality gate of a sealed bundle beside its source; nothing is written into the bundle.

    Raises:
        BundleError: the bundle is not whole, or it was not built from this source.
        UsageError: it has no such variant.
    """
    metrics.parse_limits(limits, by="gate")
    manifest = verified(bundle, allow_stripped=True)
    overrides = metrics.parse_limits(limits, by="gate", kind=manifest.model.kind)
    with console.step(f"opening {ref}"):
        source = replace(sources.open_source(ref), accepted=manifest.source.accepted)
    if source.model.sha256 != manifest.source.sha256:
        raise BundleError(
            f"{manifest.name} was built from {manifest.source.ref}, {ref} is another model",
            next="give the source it was built from, unchanged",
        )
    described = source.model.model_copy(update={"inputs": manifest.model.inputs})  # as somebody said for the build
    source = replace(source, model=described)
    fitting = [one for one in manifest.variants if variant in (None, one.name)]
    chosen = next((one for one in fitting if not one.compiled), fitting[0] if fitting else None)  # this CPU runs it
    if chosen is None:
        known = ", ".join(one.name for one in manifest.variants)
        raise UsageError(f"{manifest.name} has no variant {variant!r}", next=f"one of: {known}")
    inputs = open_calibration(calibration, source.model, source.decode, source.path, table) if calibration else None
    texts = [digests.snapshot(text, what=f"the text {text.name}")] if text else []
    read = (source.snapshot, *([inputs.snapshot] if inputs else []), *texts)
    with tempfile.TemporaryDirectory(prefix="edgekit-quality-") as work, digests.unchanged(*read):
        feeds, note = feeds_of(chosen.form, source, inputs)
        truth = truth_of(source, inputs)
        context = GateContext(
            source=source,
            staged=bundle.absolute(),
            model_path=chosen.path,
            contract=manifest.contract,
            target=target.load(manifest.target.name),
            precision=manifest.recipe.precision,
            work=Path(work),
            card=source.card,
            mode=mode,
            feeds=feeds,
            text=text,
            overrides=overrides,
            elsewhere=foreign(manifest) or chosen.ep != "cpu",
            notes=tuple(filter(None, (note, truth.note, source.randomness))),
            truth=truth,
            read=read,
        )
        because = quality.causes(source, context.target, context.precision)
        return quality.gate(context), because
