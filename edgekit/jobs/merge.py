"""The merge job: PEFT puts an adapter into the weights of its model, in the type that they are stored in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError

MADE = ("*.safetensors", "model.safetensors.index.json")


def convert(
    source: Path,
    out: Path,
    on_event: Callable[[str], None],
    *,
    adapter: str,
    adapter_sha256: str,
    trust_remote_code: bool,
) -> dict[str, Any]:
    """Fill `out` with the folder `source`, its weights with the adapter in them.

    Args:
        adapter: the folder that PEFT saved; its digest belongs to the request's key.

    Returns: files.

    Raises:
        SourceError: PEFT cannot put it on, or what comes of it is not finite.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    on_event("merging: loading the model")
    model = AutoModelForCausalLM.from_pretrained(
        source, dtype="auto", trust_remote_code=trust_remote_code, local_files_only=True
    )
    on_event("merging: putting the adapter on")
    try:
        merged = PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
    except (ValueError, RuntimeError, KeyError) as error:
        words = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise SourceError(
            f"PEFT cannot merge the adapter: {words}", next="give the model that it was trained on"
        ) from None
    for path in source.iterdir():  # what says how the weights are read stays as it was
        if path.is_file() and not any(path.match(pattern) for pattern in MADE):
            shutil.copyfile(path, out / path.name)
    kept = {path.name: path.read_bytes() for path in out.glob("*.json")}
    merged.save_pretrained(out, safe_serialization=True)
    for name, content in kept.items():
        (out / name).write_bytes(content)
    return {"files": sorted(path.name for path in out.iterdir())}
