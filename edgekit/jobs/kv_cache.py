"""`python -m edgekit.jobs.kv_cache REQUEST`: how large keys and values of a built decoder become, channel by channel.

A rotary embedding turns a key's channels in pairs, by an angle that grows with the position: what lies in one of them
here lies in the other a thousand tokens on. So a pair shares one scale, made of the largest radius that it has
anywhere, and the scales hold at every position, also at those that no calibration text is long enough for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.contract import genai_config
from edgekit.errors import SourceError
from edgekit.jobs.olive.calibration_text import documents
from edgekit.sources.facts import kv_cache
from edgekit.sources.facts.kv_cache import Attention
from edgekit.sources.facts.onnx_graph import parse
from edgekit.used import Emit, serve

LEAST = 16  # tokens of a usable piece
FOLDER = "session.model_external_initializers_file_folder_path"
Arrays = dict[str, NDArray[np.float32]]


def calibrate(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Read the shipped calibration text with the built model, and write request["out"]: an .npz of scales.

    Request: model (the GenAI folder), pieces (how many, each the beginning of a document), tokens (of a piece at most),
    long (tokens of one text of all documents, which is read in parts of `tokens`).
    The arrays are float32 [heads, head size], by the name of the graph's input.

    Raises:
        BuildError: the graph's cache cannot be int8.
        SourceError: the text becomes too few tokens.
    """
    folder = Path(request["model"])
    decoder = _Decoder(folder)
    texts = [*_texts(folder, request["pieces"], request["tokens"], request["long"])]
    largest: Arrays = {}
    for at, text in enumerate(texts):
        emit("progress", text=f"sizes of keys and values {at}/{len(texts)}")
        caches: Arrays = {}
        for start in range(0, len(text), request["tokens"]):
            caches = decoder.read(text[start : start + request["tokens"]], caches)
        for name, sizes in decoder.sizes(caches).items():
            largest[name] = np.maximum(largest.get(name, sizes), sizes)
    np.savez(request["out"], **{name: scales(sizes) for name, sizes in largest.items()})  # type: ignore[arg-type]
    return {"tokens": sum(map(len, texts))}


def scales(largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """The step of each channel [heads, head size] whose largest value is known: that value becomes 127."""
    step = largest / kv_cache.LARGEST
    least = step.max(axis=-1, keepdims=True) * kv_cache.LEAST
    chosen: NDArray[np.float32] = np.maximum(np.maximum(step, least), np.finfo(np.float32).tiny).astype(np.float32)
    return chosen


class _Decoder:
    """The built graph, of which only keys and values are computed."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        self._names = genai_config.read(folder).model.decoder
        proto = parse(folder / self._names.filename)
        self._layers = kv_cache.attentions(proto)
        known = {value.name for value in (*proto.graph.initializer, *proto.graph.output)}
        made = sorted({each.cosines for each in self._layers if each.cosines} - known)
        self._tables = {each.name: each.dims[-1] for each in proto.graph.initializer if len(each.dims) == 2}
        proto.graph.output.extend(type(proto.graph.output[0])(name=name) for name in made)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry(FOLDER, str(folder))
        graph = proto.SerializeToString()
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._made = made
        self._run = onnxruntime.RunOptions()
        self._run.only_execute_path_to_fetches = True  # lm_head is a large part of a small model

    def read(self, ids: Sequence[int], caches: Arrays) -> Arrays:
        """The caches [1, heads, tokens, head size] behind these ids, which follow what is in `caches`."""
        pairs = [pair for each in self._layers for pair in (each.keys, each.values)]
        fetched = [output for _, output in pairs]
        values = self._session.run([*fetched, *self._made], self._feed(ids, caches), self._run)
        self._tables |= {name: table.shape[-1] for name, table in zip(self._made, values[len(pairs) :], strict=True)}
        return {name: value for (name, _), value in zip(pairs, values, strict=False)}

    def sizes(self, caches: Arrays) -> Arrays:
        """The largest value of each channel [heads, head size]; of keys, the largest radius of its pair."""
        sizes: Arrays = {}
        for each in self._layers:
            keys, values = (caches[name][0] for name in each.past)
            other = self._pairs(each, keys.shape[-1])
            turned = np.where(other == np.arange(len(other)), np.float32(0), keys[..., other])
            sizes |= {each.keys[0]: np.hypot(keys, turned).max(axis=1), each.values[0]: np.abs(values).max(axis=1)}
        return sizes

    def _pairs(self, each: Attention, channels: int) -> NDArray[np.intp]:
        rotated = 2 * self._tables.get(each.cosines, 0)
        return kv_cache.pairs(channels, rotated, interleaved=each.interleaved)

    def _feed(self, ids: Sequence[int], caches: Arrays) -> dict[str, Any]:
        before = next(iter(caches.values())).shape[2] if caches else 0
        known = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, before + len(ids)), np.int64),
            "position_ids": np.arange(before, before + len(ids), dtype=np.int64)[None],
        }
        known = {self._names.inputs.get(name, name): array for name, array in known.items()}
        feed = {}
        for entry in self._session.get_inputs():
            if entry.name in known:
                feed[entry.name] = known[entry.name]
            else:
                empty = np.zeros((1, entry.shape[1], 0, entry.shape[3]), np.float32)
                feed[entry.name] = caches.get(entry.name, empty)
        return feed


def _texts(folder: Path, pieces: int, tokens: int, long: int) -> Iterator[list[int]]:
    """The beginning of each of the first documents, then one long text of all of them."""
    from tokenizers import Tokenizer  # type: ignore[import-untyped]

    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    shipped = [list(tokenizer.encode(text).ids) for text in documents("")]
    usable = [document[:tokens] for document in shipped if len(document[:tokens]) >= min(LEAST, tokens)]
    if not usable:
        raise SourceError("the calibration text becomes too few tokens", next="check the model's tokenizer")
    yield from usable[:pieces]
    joined = [token for document in shipped for token in document]
    if long > tokens:
        yield joined[:long]


if __name__ == "__main__":
    sys.exit(serve(calibrate, Path(sys.argv[1])))
