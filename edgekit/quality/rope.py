"""Gate: the graph's rotary tables are those that the source's config.json asks for.

The witness from outside: source and builder read the configuration by one library, so what that library passes over
shows in no other gate. Tables that the compiler has folded away cannot be looked at; then there is nothing to say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekit.quality import _rope, _rope_tables
from edgekit.quality._advice import FROM_CHECKPOINT
from edgekit.quality._context import GateContext, measured, not_measured
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

KIND = "llm"
METRICS = (m.ROPE_ERROR,)
ADVICE = "compare rope_theta, rope_scaling and partial_rotary_factor of config.json with the publisher's"
INSTEAD = {"gguf": FROM_CHECKPOINT}


def measure(ctx: GateContext) -> list[Measurement]:
    """The largest difference of a table's value from the one computed; nothing for a graph without tables."""
    config = _config(ctx.source.path)
    tables = [table for graph in sorted(ctx.model.glob("*.onnx")) for table in _rope_tables.read(graph)]
    if not tables:
        return []
    expected = _rope.frequencies(config)
    if expected is None:
        return [not_measured(m.ROPE_ERROR, "config.json names a rotary embedding that is not known here")]
    errors = [_rope_tables.error(name, values, expected, _rope.original_length(config)) for name, values in tables]
    worst = max(range(len(tables)), key=lambda at: errors[at])
    return [measured(m.ROPE_ERROR, errors[worst], n=len(tables), reason=f"{tables[worst][0]}, of {len(tables)} tables")]


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    text = config.get("text_config")
    return {**config, **text} if isinstance(text, dict) else config
