"""The child that compares a built language model with its own float cache: the same weights, another graph.

As an app does it: what comes before a place is read in long pieces, then short ones look back on what the cache holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import genai_config
from edgekit.quality import _stats
from edgekit.quality._session import Session
from edgekit.sources.facts import kv_cache
from edgekit.sources.facts.onnx_graph import parse
from edgekit.wrappers.python.protocol import Emit, serve

LONG, SHORT = 512, 16  # tokens of a piece
Places = Sequence[tuple[int, int]]


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Divergence of the int8 cache from the float one, prediction by prediction.

    Request: model (the GenAI folder), ids (of one text), places ([start, end] in it, one behind the other: what follows
    each of these tokens is predicted), adapter (or none), out.
    Returns: kl, of each place the KL divergences; None where logits are not finite.
    """
    folder, adapter = Path(request["model"]), request.get("adapter")
    ids, places = np.asarray(request["ids"], np.int64), request["places"]
    proto = parse(folder / genai_config.read(folder).model.decoder.filename)
    kv_cache.to_float(proto)
    stored = _stored(Session(folder, adapter, proto.SerializeToString()), ids, places, Path(request["out"]), emit)
    divergences: list[float] = []  # one model at a time is open
    for values in _read(Session(folder, adapter), ids, places, emit, "int8 cache"):
        known = stored[len(divergences) : len(divergences) + len(values)].astype(np.float32)
        divergences += _stats.kl_divergence(known, values).tolist()
    if not np.isfinite(divergences).all():
        return {"kl": None}
    ends = np.cumsum([end - start for start, end in places])
    return {"kl": [divergences[end - (last - first) : end] for end, (first, last) in zip(ends, places, strict=True)]}


def _stored(session: Session, ids: NDArray[np.int64], places: Places, out: Path, emit: Emit) -> NDArray[np.float16]:
    """The log-probabilities by the float cache, in a file."""
    rows = sum(end - start for start, end in places)
    stored: NDArray[np.float16] = np.lib.format.open_memmap(
        out / "float.npy", "w+", np.float16, (rows, session.vocabulary)
    )
    row = 0
    for values in _read(session, ids, places, emit, "float cache"):
        stored[row : row + len(values)] = values
        row += len(values)
    return stored


def _read(
    session: Session, ids: NDArray[np.int64], places: Places, emit: Emit, what: str
) -> Iterator[NDArray[np.float32]]:
    """The log-probabilities at the places, some rows at a time."""
    length = places[-1][1]
    caches = {
        name: (output, np.zeros((1, past.shape[1], length, past.shape[3]), past.dtype))
        for name, (output, past) in session.pasts().items()
    }
    at = 0
    for start, last in places:
        pieces = [(begin, min(begin + LONG, start), False) for begin in range(at, start, LONG)]
        pieces += [(begin, min(begin + SHORT, last), True) for begin in range(start, last, SHORT)]
        for begin, end, compared in pieces:
            emit("progress", text=f"{what} {begin}/{length}")
            feed = {
                "input_ids": ids[None, begin:end],
                "attention_mask": np.ones((1, end), np.int64),
                "position_ids": np.arange(begin, end, dtype=np.int64)[None],
            }
            values = session.in_place(feed, caches)[0]
            if compared:
                yield _stats.log_softmax(values)
        at = last


if __name__ == "__main__":
    sys.exit(serve(run, Path(sys.argv[1])))
