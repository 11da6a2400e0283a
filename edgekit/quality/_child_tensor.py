"""The child that runs a built tensor model beside its float source on the same inputs, and keeps sums, not outputs.

A process of its own, because a broken model or an execution provider can abort it. Only the core package is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.ep import attach
from edgekit.errors import BuildError, EdgekitError, SourceError
from edgekit.inputs.feeds import Feed, FeedFolder
from edgekit.quality import _boxes, _stats
from edgekit.wrappers.python import npz
from edgekit.wrappers.python.protocol import Emit, serve

Outputs = dict[str, NDArray[Any]]
SUMS = ("dot", "source", "built", "noise")  # a.b, a.a, b.b, |a - b|^2 of source a and built b
CHANNELS = 1024  # more of them are no channels of a detector


def compare(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Run both models on every feed.

    Request: source and model (paths), feeds (folder), states ({input: output}), decode, mask (name of the input that
    masks token vectors, or ""), out; ep and ep_options (of the built model; a provider other than the CPU must take
    every node).
    Writes out/compared.npz: for each float output NAME "NAME.dot" ... (SUMS), float64 [calls, channels], and by the
    decode: same_best (bool [calls]), edits and characters (int [calls]), embedding.source and embedding.built
    (float64 [calls, width]), boxes (int [maps, 3]: found by both, by the source, by the built).
    Outcome: outputs ({name: {size, varies, calls, equal}}; size: values of one call; varies: the source does not
    always answer the same; equal: mean share of equal values, not for float), nonfinite, shape_mismatches.
    """
    source = Runner(Path(request["source"]), request["states"], SourceError, "the float source")
    built = Runner(
        Path(request["model"]),
        request["states"],
        BuildError,
        "the built model",
        ep=request["ep"],
        ep_options=request["ep_options"],
    )
    feeds = FeedFolder(Path(request["feeds"]))
    found = Comparison(request["decode"], request["mask"])
    for at, feed in enumerate(feeds):
        emit("progress", text=f"inputs {at}/{len(feeds)}")
        found.add(feed, source.run(feed), built.run(feed))
    npz.write(Path(request["out"]) / "compared.npz", found.arrays())
    return found.outcome()


class Runner:
    """A model in a plain session, that carries its own state from call to call."""

    def __init__(
        self,
        path: Path,
        states: Mapping[str, str],
        error: type[EdgekitError],
        what: str,
        *,
        ep: str = "cpu",
        ep_options: Mapping[str, str] | None = None,
    ) -> None:
        import onnxruntime

        self._states, self._error, self._what = states, error, what
        self._carried: Feed | None = None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"] if ep == "cpu" else []
        if ep != "cpu":
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
            attach(options, ep, ep_options or {})
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as reason:  # ONNX Runtime's errors have no common base
            raise self._failed("cannot be loaded", reason) from None
        self._names = [one.name for one in self._session.get_outputs()]

    def run(self, feed: Feed) -> Outputs:
        """All outputs of one call. A feed whose states are zero begins a stream; in any other call but the first the
        state is what this model itself gave before.
        """
        begins = self._carried is None or not any(np.any(feed[name]) for name in self._states)
        given = feed if begins else {**feed, **(self._carried or {})}
        try:
            outputs = dict(zip(self._names, self._session.run(self._names, given), strict=True))
        except Exception as reason:  # as above
            raise self._failed("cannot run an input", reason) from None
        self._carried = {name: outputs[output] for name, output in self._states.items()}
        return outputs

    def _failed(self, doing: str, reason: Exception) -> EdgekitError:
        line = (str(reason).splitlines() or ["no reason given"])[0][:200]
        return self._error(
            f"{self._what} {doing}: {line}", next="look at the sizes of the inputs, or try --recipe keep"
        )


class Comparison:
    """Sums over the calls, per output and channel, and what the decode asks for."""

    def __init__(self, decode: str, mask: str) -> None:
        self._decode, self._mask = decode, mask
        self._sums: dict[str, list[NDArray[np.float64]]] = {}
        self._first: Outputs = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._decoded: dict[str, list[Any]] = {}
        self._nonfinite = self._mismatches = 0

    def add(self, feed: Feed, source: Outputs, built: Outputs) -> None:
        """One call's outputs."""
        for name, expected in source.items():
            got = built[name]
            facts = self._facts.setdefault(name, {"size": 0, "varies": False, "calls": 0, "equal": []})
            facts["calls"] += 1
            facts["size"] = max(facts["size"], int(np.size(expected)))
            first = self._first.setdefault(name, expected)
            facts["varies"] |= first.shape != expected.shape or not _same(first, expected)
            if np.shape(expected) != np.shape(got):
                self._mismatches += 1
            elif expected.dtype.kind == "f":
                self._nonfinite += int((np.isfinite(expected) & ~np.isfinite(got)).sum())
                self._sums.setdefault(name, []).append(_sums(expected, got))
            else:
                facts["equal"].append(float(np.mean(expected == got)) if expected.size else 1.0)
        self._decode_first(feed, source, built)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The contents of compared.npz."""
        found: dict[str, NDArray[Any]] = {}
        for name, calls in self._sums.items():
            if len({one.shape for one in calls}) > 1:  # channels that come and go are none
                calls = [one.sum(axis=1, keepdims=True) for one in calls]
            stacked = np.stack(calls)
            found |= {f"{name}.{word}": stacked[:, at] for at, word in enumerate(SUMS)}
        return found | {f"decoded.{name}": np.asarray(values) for name, values in self._decoded.items()}

    def outcome(self) -> dict[str, Any]:
        """What fits into JSON."""
        outputs = {
            name: {**facts, "equal": float(np.mean(facts["equal"])) if facts["equal"] else None}
            for name, facts in self._facts.items()
        }
        return {"outputs": outputs, "nonfinite": self._nonfinite, "shape_mismatches": self._mismatches}

    def _decode_first(self, feed: Feed, source: Outputs, built: Outputs) -> None:
        """What an app makes of the first output, from the source and from the built model."""
        name = next(iter(source))
        pair = source[name], built[name]
        if pair[0].shape != pair[1].shape:
            return
        if self._decode == "classes":
            self._keep(same_best=bool((pair[0].argmax(-1) == pair[1].argmax(-1)).all()))
        elif self._decode == "ctc":
            read = [[_stats.ctc_decode(row.argmax(-1).tolist()) for row in one] for one in pair]
            edits = sum(_stats.edit_distance(a, b) for a, b in zip(*read, strict=True))
            self._keep(edits=edits, characters=sum(map(len, read[0])))
        elif self._decode == "mean-pool" and self._mask in feed:
            both = [_pooled(one, feed[self._mask]) for one in pair]
            self._keep(**{"embedding.source": both[0], "embedding.built": both[1]})
        elif self._decode == "dbnet":
            for maps in zip(*(one.reshape(-1, *one.shape[-2:]) for one in pair), strict=True):
                first, second = map(_boxes.text_boxes, maps)
                self._keep(boxes=[_boxes.matches(first, second), len(first), len(second)])

    def _keep(self, **values: Any) -> None:
        for name, value in values.items():
            self._decoded.setdefault(name, []).append(value)


def _same(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Equal but for float noise: a graph of constants may still add in another order."""
    if first.dtype.kind != "f":
        return bool((first == second).all())
    return bool(np.allclose(first, second, rtol=1e-6, atol=1e-12, equal_nan=True))


def _sums(expected: NDArray[Any], got: NDArray[Any]) -> NDArray[np.float64]:
    """float64 [4, channels]; values that are not finite in either are left out."""
    a, b = expected.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(finite, a, 0.0), np.where(finite, b, 0.0)
    axis = _channel_axis(a)
    others = tuple(at for at in range(a.ndim) if at != axis)
    return np.stack([np.atleast_1d(one.sum(axis=others)) for one in (a * b, a * a, b * b, (a - b) ** 2)])


def _channel_axis(array: NDArray[Any]) -> int | None:
    """The shorter of two: detector heads are [1, boxes, values] or [1, values, boxes], maps have it first or last."""
    if array.ndim < 3:
        return None
    axis = min((1, array.ndim - 1), key=lambda at: array.shape[at])
    return axis if array.shape[axis] <= CHANNELS else None


def _pooled(vectors: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.float64]:
    """The mean of the token vectors under the mask, scaled to length 1: [width] of a call of one text."""
    weights = mask[0].astype(np.float64)
    mean = (vectors[0].astype(np.float64) * weights[:, None]).sum(axis=0) / max(1.0, float(weights.sum()))
    return np.asarray(mean / max(1e-12, float(np.linalg.norm(mean))))


if __name__ == "__main__":
    sys.exit(serve(compare, Path(sys.argv[1])))
