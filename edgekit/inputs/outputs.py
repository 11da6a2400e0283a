"""What a model's outputs mean, as text for people: classes, characters, pitch, speech; else their range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BEST = 5
VOICED = 0.5  # confidence of a frame that has a pitch


def describe(outputs: Mapping[str, NDArray[Any]], decode: str, labels: Sequence[str] | None) -> list[dict[str, Any]]:
    """One entry an output: name, dtype, shape, text (what it says, or its range).

    Args:
        decode: the contract's word for how the outputs are read.
        labels: names of the last axis, where the bundle has them.
    """
    reader = {"classes": _classes, "ctc": _ctc, "voice-activity": _speech}.get(decode)
    found = []
    for name, array in outputs.items():
        said = reader(array, labels or ()) if reader is not None and array.dtype.kind == "f" and array.ndim else ""
        if decode == "pitch" and name == "pitch":
            said = _pitch(array, outputs.get("confidence"))
        facts = {"name": name, "dtype": str(array.dtype), "shape": list(array.shape)}
        found.append({**facts, "text": said or _range(array)})
    return found


def blank_of(labels: Sequence[str]) -> int:
    """The label that CTC leaves out: the first, or the last (as NeMo has it) where it alone of the two has no text."""
    return len(labels) - 1 if labels and labels[0] and not labels[-1] else 0


def ctc_text(steps: NDArray[Any], labels: Sequence[str]) -> str:
    """The text of CTC scores [steps, labels]: the best label a step, repeats merged, then blanks dropped.

    What SentencePiece writes for a space is one.
    """
    best, blank = steps.argmax(-1), blank_of(labels)
    kept = [int(label) for at, label in enumerate(best) if label != blank and (at == 0 or label != best[at - 1])]
    text = "".join(labels[label] if label < len(labels) else "\N{REPLACEMENT CHARACTER}" for label in kept)
    return text.replace("\N{LOWER ONE EIGHTH BLOCK}", " ")


def _classes(array: NDArray[Any], labels: Sequence[str]) -> str:
    row = array.reshape(-1, array.shape[-1])[0]
    best = np.argsort(row)[::-1][:BEST]
    return ", ".join(f"{labels[at] if at < len(labels) else at} {row[at]:.4g}" for at in best)


def _ctc(array: NDArray[Any], labels: Sequence[str]) -> str:
    return repr(ctc_text(array.reshape(-1, array.shape[-1]), labels)) if labels else ""


def _speech(array: NDArray[Any], labels: Sequence[str]) -> str:
    return f"speech {float(array.reshape(-1)[0]):.3f}" if array.size == 1 else ""


def _pitch(array: NDArray[Any], confidence: NDArray[Any] | None) -> str:
    voiced = array[confidence >= VOICED] if confidence is not None else array.reshape(-1)
    return f"{float(np.median(voiced)):.1f} Hz in {voiced.size} of {array.size} frames" if voiced.size else "no pitch"


def _range(array: NDArray[Any]) -> str:
    if not array.size:
        return "empty"
    if array.dtype.kind not in "fiu":
        return " ".join(map(str, array.reshape(-1)[:BEST]))
    if array.size <= BEST:
        return " ".join(f"{value:.6g}" for value in array.reshape(-1).tolist())
    return f"{array.min():.4g} .. {array.max():.4g}, mean {array.mean():.4g}"
