"""The float reference of a model under a memory limit that its float32 weights do not fit in. Prints one line of JSON.

python small_memory.py FOLDER    {"room": bytes, "weights": bytes, "difference": of any logit, "whole": what loading it
                                 whole says under the limit, "answers_agree": bool}
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from pathlib import Path
from typing import Any

import psutil
import torch

from edgekit.jobs import answering, layered

IDS = [[(7 * at + 3) % 600 for at in range(40)]]
PROMPTS = [[5, 9, 2, 33], [8, 1]]


def heard(model: Any) -> tuple[torch.Tensor, list[list[int]]]:
    """Logits of a text, and greedy answers."""
    with torch.inference_mode():
        logits = model(torch.tensor(IDS)).logits
    return logits, answering.answers(model, PROMPTS, [0], 6, lambda event, **data: None)


def main(folder: Path) -> None:
    """First without a limit, then with one."""

    def load() -> Any:
        return layered.load(folder, trust_remote_code=False, emit=lambda event, **data: None)

    weights = layered.float_bytes(folder)
    assert weights is not None
    whole = load()
    assert not layered.is_by_layer(whole)
    expected, said = heard(whole)
    del whole
    gc.collect()
    room = int(weights * 0.6)
    resource.setrlimit(resource.RLIMIT_DATA, (psutil.Process().memory_info().data + room, resource.RLIM_INFINITY))
    model = load()
    assert layered.is_by_layer(model)
    found, answers = heard(model)
    layered.available_bytes = lambda: 10**12  # now believe that it fits
    try:
        load()
        refused = ""
    except (MemoryError, RuntimeError) as error:
        refused = str(error).splitlines()[0] or type(error).__name__
    difference = float((found - expected).abs().max())
    facts = {"room": room, "weights": weights, "difference": difference, "whole": refused}
    print(json.dumps(facts | {"answers_agree": answers == said}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
