"""Run a bundle's check inputs in a session of its own provider: python golden_on_provider.py BUNDLE OUT.json

The bundle's goldens and its rule judge the answers, as on a device. What the provider leaves goes to the CPU.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import ep
from edgekit.wrappers.python import goldens, manifest, npz
from edgekit.wrappers.python.bundle import Opened
from tests.olive.run_on_provider import logits


class OnProvider:
    """As the runtime's bundles, but for the session."""

    def __init__(self, folder: Path) -> None:
        made = manifest.read(folder)
        variant = made["variants"][0]
        self.opened = Opened(folder, made, variant, None)
        self.kind = made["contract"]["kind"]
        self._name, self._options = variant["ep"], variant["ep_options"]

    def run(self, feed: npz.Arrays) -> npz.Arrays:
        """Of a tensor bundle."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        ep.attach(options, self._name, self._options)
        session = onnxruntime.InferenceSession(str(self.opened.model), options)
        names = [one["name"] for one in self.opened.contract["outputs"]]
        return dict(zip(names, session.run(names, feed), strict=True))

    def logits_in_steps(self, parts: Sequence[Sequence[int]]) -> Any:
        """Of a language model's bundle."""
        ids = np.array([token for part in parts for token in part])
        return logits(self.opened.model, self._name, ids)


if __name__ == "__main__":
    folder, out = map(Path, sys.argv[1:])
    plan = json.loads((folder / "check/plan.json").read_text(encoding="utf-8"))
    inputs, recorded = (npz.read(folder / name) for name in (plan["inputs"], plan["goldens"]["file"]))
    found = goldens.compare(OnProvider(folder), inputs, recorded, plan["goldens"]["rule"])  # type: ignore[arg-type]
    out.write_text(json.dumps(found), encoding="utf-8")
