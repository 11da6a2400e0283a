"""The child that runs a built tensor model beside its float source on the same inputs, and keeps sums, not outputs.

A process of its own, because a broken model or an execution provider can abort it. Only the core package is needed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.ep import attach
from edgekit.errors import BuildError, EdgekitError, SourceError
from edgekit.inputs.feeds import Feed, FeedFolder
from edgekit.inputs.layouts import LAYOUTS
from edgekit.quality import _boxes, _counts, _layouts, _spectra, _stats
from edgekit.quality._suppress import suppress
from edgekit.quality._survey import Answers, Outputs, Survey, channel_axis, followed, survey
from edgekit.sources.facts import onnx_graph, random_operators
from edgekit.wrappers.python import npz
from edgekit.wrappers.python.agreement import largest, unlike
from edgekit.wrappers.python.protocol import Emit, serve

# a.b, a.a, b.b, |a - b|^2 of source a and built b; then the first three of both less the source's mean
SUMS = ("dot", "source", "built", "noise", "centred.dot", "centred.source", "centred.built")
DRAWS = 32  # times that another provider draws random numbers: of a single draw no distribution is seen
SPEECH = 0.5  # of a probability, as silero-vad's own examples read it
LEAST = 16  # inputs, however slow
ZERO = -1100  # the power of two of an answer without values: below that of the smallest double


def compare(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Run both models on every feed, the source first: what its outputs have in common is what nobody is judged by.

    Request: source and model (paths), feeds (folder), states ({input: output}), decode, blank (the label that "ctc"
    leaves out), mask (name of the input that masks token vectors, or ""), out; ep and ep_options (of the built model; a
    provider other than the CPU must take every node); seconds of running the built model, after which inputs are left
    once LEAST were compared, or None.
    Writes out/compared.npz: for each float output NAME "NAME.dot" ... (SUMS), float64 [calls, channels]; by the decode:
    same_best (bool [calls]), edits and characters (int [calls]), embedding.source and embedding.built (float64 [calls,
    width]), boxes (int [maps, 3]: found by both, by the source, by the built).
    Outcome: outputs ({name: {size, varies, calls, values, nan, infinite, equal, skill, ranks}}), nonfinite (places with
    another NaN or infinity than the source's), mismatches of shapes, left (inputs that were not compared). size: values
    of one call; varies: the source does not always answer the same; values, nan, infinite: counts of the source's. Not
    for float: equal: mean share of equal values; skill: of agreement above the best constant's. For float: ranks: rank
    correlation from call to call.
    distance: {metric: value} of the distributions, where the two do not draw their random numbers alike. The sums of an
    output are of values over one power of two, so that no square overflows or becomes zero; only their ratios mean
    something.
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
    answers = Answers(partial(_run, source, feeds, emit))
    drawn = random_operators.outputs(Path(request["source"]))
    alike = source.draws == built.draws and request["ep"] == "cpu"  # another provider has a generator of its own
    surveyed = survey(answers, len(feeds))
    counted = _counts.axes(zip(feeds, answers, strict=True)) if any(each.reshaped for each in surveyed.values()) else {}
    how = {"alike": alike, "counted": counted, "blank": request.get("blank", 0)}
    comparison = Comparison(request["decode"], request["mask"], surveyed, drawn, **how)
    each = -(-len(feeds) // DRAWS)
    most, spent, at = request.get("seconds") or math.inf, 0.0, 0
    for at, (feed, expected) in enumerate(zip(feeds, answers, strict=True), start=1):
        emit("progress", text=f"inputs {at - 1}/{len(feeds)}")
        if at > 1 and (at - 1) % each == 0 and request["ep"] != "cpu":
            built.redraw()
        begun = monotonic()
        answer = built.run(feed)
        spent += monotonic() - begun
        comparison.add(feed, expected, answer)
        if at >= LEAST and spent > most:
            break
    npz.write(Path(request["out"]) / "compared.npz", comparison.arrays())
    return {**comparison.outcome(), "left": len(feeds) - at}


def _run(source: Runner, feeds: FeedFolder, emit: Emit) -> Iterator[Outputs]:
    source.begin()
    for at, feed in enumerate(feeds):
        emit("progress", text=f"source: inputs {at}/{len(feeds)}")
        yield source.run(feed)


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
        self._turn = 0
        self.draws: tuple[str, ...] = ()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"] if ep == "cpu" else []
        if ep != "cpu":
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
            attach(options, ep, ep_options or {})
        self._opened: Callable[[], Any] = lambda: onnxruntime.InferenceSession(
            self._model(path, options), options, providers=providers
        )
        self._fresh = True
        self._open()
        self._names = [one.name for one in self._session.get_outputs()]

    def _model(self, path: Path, options: Any) -> str | bytes:
        """The file; one that draws random numbers as bytes, with seeds, its weights beside it where they are."""
        if not random_operators.named(path):
            return str(path)
        proto = onnx_graph.parse(path)
        self.draws = tuple(random_operators.seeded(proto, self._turn))
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
        model: bytes = proto.SerializeToString()
        return model

    def _open(self) -> None:
        try:
            self._session = self._opened()
        except Exception as reason:  # ONNX Runtime's errors have no common base
            raise self._failed("cannot be loaded", reason) from None

    def begin(self) -> None:
        """Forget the state: another stream begins, and the random numbers begin again."""
        self._carried = None
        if self.draws and not self._fresh:
            self._open()
        self._fresh = True

    def redraw(self) -> None:
        """Open what draws random numbers with other seeds: a session of QNN's simulator draws once, for all calls."""
        self._turn += 1
        if self.draws:
            self._open()

    def run(self, feed: Feed) -> Outputs:
        """All outputs of one call. A feed whose states are zero begins a stream; in any other call but the first the
        state is what this model itself gave before.
        """
        begins = self._carried is None or not any(np.any(feed[name]) for name in self._states)
        given = feed if begins else {**feed, **(self._carried or {})}
        self._fresh = False
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

    def __init__(
        self,
        decode: str,
        mask: str,
        source: Mapping[str, Survey],
        drawn: Collection[str] = (),
        *,
        alike: bool = True,
        counted: Mapping[str, int] | None = None,
        blank: int = 0,
    ) -> None:
        """`drawn` are the outputs that depend on random numbers, which both models draw `alike`, or not; `counted` the
        axes of those of which the model says how many rows they have; `blank` the label that "ctc" leaves out.
        """
        self._counted = {name: axis for name, axis in (counted or {}).items() if name not in drawn}
        self._spectra = {name: _spectra.Spectra() for name in drawn}
        self._sound = next(iter(source)) if decode == "sound" and not drawn else ""
        self._played = _spectra.Spectra(each=True)
        self._apart, self._blank = set() if alike else set(drawn), blank
        self._decode, self._mask, self._source = decode, mask, source
        self._means = {name: surveyed.mean() for name, surveyed in source.items()}
        self._places = {name: surveyed.places() for name, surveyed in source.items()}
        self._sums: dict[str, list[tuple[int, NDArray[np.float64]]]] = {}
        self._followed: dict[str, list[tuple[NDArray[Any], NDArray[Any]]]] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._decoded: dict[str, list[Any]] = {}
        self._nonfinite = self._mismatches = 0

    def add(self, feed: Feed, source: Outputs, built: Outputs) -> None:
        """One call's outputs."""
        for name, expected in source.items():
            got = built[name]
            facts = self._facts.setdefault(name, {"size": 0, **self._source[name].facts(), "calls": 0, "equal": []})
            facts["calls"] += 1
            facts["size"] = max(facts["size"], int(np.size(expected)))
            if name in self._spectra:
                self._spectra[name].add(expected, got)
            if name == self._sound:
                self._played.add(expected, got)
            axis = self._counted.get(name)
            if axis is not None and expected.ndim == got.ndim and _counts.rows_alone(expected, got, axis):
                facts["equal"].append(_counts.shared(expected, got, axis))
                if expected.shape != got.shape:
                    facts["other_count"] = facts.get("other_count", 0) + 1
                    continue
            elif np.shape(expected) != np.shape(got):
                self._mismatches += name not in self._spectra
                self._apart |= {name} & set(self._spectra)
                continue
            if expected.dtype.kind == "f":
                self._nonfinite += unlike(expected, got)
                self._sums.setdefault(name, []).append(_sums(expected, got, self._means[name]))
            elif axis is None:
                facts["equal"].append(float(np.mean(expected == got)) if expected.size else 1.0)
            both = followed(expected, self._places[name]), followed(got, self._places[name])
            self._followed.setdefault(name, []).append(both)
        self._decode_first(feed, source, built)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The contents of compared.npz."""
        found: dict[str, NDArray[Any]] = {}
        for name, scaled in self._sums.items():
            power = max(own for own, _ in scaled)
            calls = [np.ldexp(sums, 2 * (own - power)) for own, sums in scaled]
            if len({one.shape for one in calls}) > 1:  # channels that come and go are none
                calls = [one.sum(axis=1, keepdims=True) for one in calls]
            stacked = np.stack(calls)
            found |= {f"{name}.{word}": stacked[:, at] for at, word in enumerate(SUMS)}
        return found | {f"decoded.{name}": np.asarray(values) for name, values in self._decoded.items()}

    def outcome(self) -> dict[str, Any]:
        """What fits into JSON."""
        outputs = {
            name: {**facts, "equal": float(np.mean(facts["equal"])) if facts["equal"] else None, **self._over(name)}
            for name, facts in self._facts.items()
        }
        often = [
            count
            for facts in self._facts.values()
            if (count := facts.get("other_count", 0)) > _counts.MOST * facts["calls"]
        ]
        for name in self._apart:
            outputs[name]["distance"] = self._spectra[name].distance()
        if self._played.heard:
            outputs[self._sound]["distance"] = self._played.distance()
        return {"outputs": outputs, "nonfinite": self._nonfinite, "mismatches": self._mismatches + sum(often)}

    def _over(self, name: str) -> dict[str, float | None]:
        """How an output changes from call to call, beside the source's."""
        if not (self._source[name].varies and self._followed.get(name)):
            return {"skill": None, "ranks": None}
        source, built = (np.concatenate(values) for values in zip(*self._followed[name], strict=True))
        if not source.size:
            return {"skill": None, "ranks": None}
        if source.dtype.kind == "f":
            sound = np.isfinite(source).all(axis=0) & np.isfinite(built).all(axis=0)
            ranks = _stats.rank_agreement(source[:, sound], built[:, sound]) if sound.any() else None
            return {"skill": None, "ranks": ranks}
        return {"skill": _stats.skill(source, built), "ranks": None}

    def _decode_first(self, feed: Feed, source: Outputs, built: Outputs) -> None:
        """What an app makes of the first output, from the source and from the built model."""
        name = next(iter(source))
        pair = source[name], built[name]
        if self._decode in LAYOUTS:
            self._keep_boxes(feed, source, built)
            return
        if pair[0].shape != pair[1].shape:
            return
        if self._decode == "classes":
            self._keep(same_best=bool((pair[0].argmax(-1) == pair[1].argmax(-1)).all()))
        elif self._decode == "ctc":
            read = [[_stats.ctc_decode(row.argmax(-1).tolist(), self._blank) for row in one] for one in pair]
            edits = sum(_stats.edit_distance(a, b) for a, b in zip(*read, strict=True))
            self._keep(edits=edits, characters=sum(map(len, read[0])))
        elif self._decode == "voice-activity":
            yes, kept = (side >= SPEECH for side in pair)
            counts = (np.sum(yes & kept), np.sum(yes), np.sum(~yes & ~kept), np.sum(~yes))
            self._keep(decided=[int(count) for count in counts])
        elif self._decode == "mean-pool" and self._mask in feed:
            both = [_pooled(one, feed[self._mask]) for one in pair]
            self._keep(**{"embedding.source": both[0], "embedding.built": both[1]})
        elif self._decode == "dbnet":
            for maps in zip(*(one.reshape(-1, *one.shape[-2:]) for one in pair), strict=True):
                first, second = map(_boxes.text_boxes, maps)
                self._keep(boxes=[_boxes.matches(first, second), len(first), len(second)])

    def _keep_boxes(self, feed: Feed, source: Outputs, built: Outputs) -> None:
        """How many of the boxes that an app would draw are both models'; nothing where they are of another layout."""
        try:
            sides = _layouts.sides_of(feed)
            drawn = [
                _layouts.rows(self._decode, outputs, sides, suppress, float_source=outputs is source)
                for outputs in (source, built)
            ]
        except _layouts.Unlike:
            return
        sure = [_boxes.apart(rows[rows[:, 5] >= _boxes.SURE]) for rows in drawn]
        self._keep(boxes=[_boxes.matches(*sure), len(sure[0]), len(sure[1])])

    def _keep(self, **values: Any) -> None:
        for name, value in values.items():
            self._decoded.setdefault(name, []).append(value)


def _sums(expected: NDArray[Any], got: NDArray[Any], mean: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """A power of two that no finite value of either exceeds, and SUMS of the values over it: float64 [7, channels].

    Places that are not finite in either are left out.
    """
    size = max(largest(expected), largest(got), largest(mean))
    power = math.frexp(size)[1] if size else ZERO
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        a, b = expected.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    a, b, usual = (np.ldexp(np.where(finite, values, 0.0), -power) for values in (a, b, mean))
    x, y = a - usual, b - usual
    axis = channel_axis(a)
    others = tuple(at for at in range(a.ndim) if at != axis)
    products = (a * b, a * a, b * b, (a - b) ** 2, x * y, x * x, y * y)
    return power, np.stack([np.atleast_1d(product.sum(axis=others)) for product in products])


def _pooled(vectors: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.float64]:
    """The mean of the token vectors under the mask, scaled to length 1: [width] of a call of one text."""
    weights = mask[0].astype(np.float64)
    mean = (vectors[0].astype(np.float64) * weights[:, None]).sum(axis=0) / max(1.0, float(weights.sum()))
    return np.asarray(mean / max(1e-12, float(np.linalg.norm(mean))))


if __name__ == "__main__":
    sys.exit(serve(compare, Path(sys.argv[1])))
