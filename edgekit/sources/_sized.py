"""A source whose open sizes are settled by the user's own arrays, and named among the steps that led to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.sources.source import Source


def sized(source: Source, data: Path | None) -> Source:
    """For a target of static shapes: the source with what arrays of calibration data say of its inputs' sizes.

    Raises:
        UsageError: the arrays differ in such a size.
        SourceError: one of them cannot be read.
    """
    from edgekit.inputs.measured import measured  # brings Pillow and numpy, which facts alone do not need

    model, lines = measured(source.model, data)
    return replace(source, model=model, origin=(*source.origin, *lines))
