"""A GGUF file as its header describes it: what the folder would say of itself, without its weights.

The light core can do this: nothing of torch, transformers or the gguf package is imported.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edgekit.jobs.gguf import described
from edgekit.jobs.gguf.weights import CODES, ITEM_BYTES


def convert(gguf: Path, out: Path, on_event: Callable[[str], None] = lambda s: None) -> dict[str, object]:
    """Write the small documents of the Hugging Face folder into `out`.

    Returns: dtype and item_bytes (of every tensor as it would be written), tensors (name -> shape), source_types
        (tensors by GGUF type), tokenizer ("gpt2, cut as qwen2").

    Raises:
        SourceError: as edgekit.jobs.gguf.convert does, but for what only the weights' values show.
    """
    file, weights, documents = described(gguf, on_event)
    dtype = documents["config.json"]["torch_dtype"]
    for name, document in documents.items():
        (out / name).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8", newline="\n")
    cut = str(file.metadata.get("tokenizer.ggml.pre", ""))
    return {
        "dtype": CODES[dtype],
        "item_bytes": ITEM_BYTES[dtype],
        "tensors": {weight.name: weight.tensor.shape for weight in weights},
        "source_types": dict(Counter(weight.tensor.type_name for weight in weights)),
        "tokenizer": file.text("tokenizer.ggml.model") + (f", cut as {cut}" if cut else ""),
    }
