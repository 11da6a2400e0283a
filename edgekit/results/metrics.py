"""Every metric, once: its unit, which way is better, where it may stand, what may be claimed of it.

A metric is one entry here, and every reader (limits, verdicts, baselines, reports, docs/metrics.md) takes it from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf, isfinite
from typing import Annotated, Literal

from pydantic import Field

from edgekit.data import Strict, nearest
from edgekit.errors import UsageError

Better = Literal["lower", "higher"]
FoundBy = Literal["check", "gate", "build"]
Headline = Literal[
    "size", "divergence", "agreement", "direction", "speed", "first token", "memory", "energy", "placement"
]
SOURCE = "source"  # the place of the float model's own figure


@dataclass(frozen=True)
class Metric:
    """A quantity that a check, a gate or a build finds.

    Attributes:
        name: with the unit in it, as people write it in a limit; `at` adds a place.
        title: for people, where there is room for few words.
        group: what it is about; metrics of one group stand together.
        kinds: the kinds of model that have it; empty for all.
        places: what may follow "@", and "" where the bare name is measured. N stands for a number, VARIANT and OUTPUT
            for a name of the bundle's.
        range: the values it can have, both ends included.
        claim: "device" for what only a real device (or this machine for its own bundles) may claim.
        timed: it means nothing where the machine was not steady, not alone, or throttled.
        over: how one value is made of its samples: "mean", "median", "max", "one", or a percentile, "p90"; of several
            processes the mean counts, or the "max".
        series: the raw samples it is made of, where they have a name of their own.
        least: samples that it needs.
        noise: share by which it varies between two runs at least; None where that is the device's own.
        baseline: False where a baseline does not judge it.
        headline: the column of first figures that it stands in; of a column's metrics the first measured one counts.
    """

    name: str
    title: str
    unit: str
    better: Better
    what: str
    group: str = ""
    found_by: FoundBy = "check"
    kinds: tuple[str, ...] = ()
    places: tuple[str, ...] = ("",)
    range: tuple[float, float] = (0.0, inf)
    claim: Literal["device", "any"] = "any"
    timed: bool = False
    over: str = "mean"
    series: str = ""
    least: int = 1
    noise: float | None = None
    baseline: bool = True
    headline: Headline | None = None

    def at(self, place: str) -> Metric:
        """This metric at a place: "kl_mean@simulator" (itself at "").

        Raises:
            ValueError: it cannot stand there.
        """
        if not self.may_stand(place):
            raise ValueError(f"{self.name} is not measured at {place!r}")
        return replace(self, name=f"{self.name}@{place}") if place else self

    def may_stand(self, place: str) -> bool:
        """Whether `place` may follow the name's "@"; "" is the bare name."""
        return any(re.fullmatch(_PLACE.sub(lambda found: _WORDS[found[0]], one), place) for one in self.places)

    @property
    def quantile(self) -> float | None:
        """0.9 of a 90th percentile; None for what is no percentile."""
        return int(self.over[1:]) / 100 if self.over.startswith("p") else None

    def of_kind(self, kind: str) -> bool:
        """Whether a model of this kind has it."""
        return not self.kinds or kind in self.kinds


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]  # no word, no truth value, nothing endless


class Limit(Strict):
    """The bounds of one metric, in the unit of its name. The last three are what a gate's limits may be made of."""

    min: Number | None = None
    max: Number | None = None
    above_source: Number | None = Field(default=None, description="at most the source's value plus this")
    below_source: Number | None = Field(default=None, description="at least the source's value minus this")
    times: Number | None = Field(
        default=None, description='of "metric@place": at most the limit of "metric" times this'
    )

    def __str__(self) -> str:
        bounds = ((">=", self.min), ("<=", self.max))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


_WORDS = {"N": "[1-9][0-9]*", "VARIANT": "[a-z0-9][a-z0-9_.-]*", "OUTPUT": ".+"}
_PLACE = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)))

# What the entries of a group share.
_LLM, _TENSOR = ("llm",), ("tensor",)
_device = partial(Metric, claim="device")
_start = partial(_device, group="starts", unit="s", better="lower", timed=True, noise=0.15)
_speed = partial(_device, group="speed", timed=True)
_memory = partial(_device, group="memory", unit="MB", better="lower", over="max", noise=0.03, headline="memory")
_energy = partial(_device, group="energy", better="lower", timed=True, noise=0.10)
_size = partial(Metric, group="size", unit="MB", better="lower", over="one", noise=0.03)
_distribution = partial(Metric, group="distributions", found_by="gate", kinds=_LLM)
_tokens = partial(Metric, group="tokens", better="lower", found_by="gate", kinds=_LLM)
_answers = partial(Metric, group="answers", unit="share", found_by="gate", kinds=_LLM, range=(0.0, 1.0))
_outputs = partial(Metric, group="outputs", better="higher", found_by="gate", kinds=_TENSOR)
_labels = partial(_outputs, unit="share", places=("", SOURCE), range=(0.0, 1.0))

# A table: what an entry is called on its first line, how it behaves on the next.
# fmt: off
LOAD_FIRST_S = _start("load_first_s", "first start", what="first start: from the folder to a model that is ready",
    over="one", baseline=False)
LOAD_WARM_S = _start("load_warm_s", "later starts", what="median of the later starts",
    over="median", series="load_s")

TTFT_MS = _speed("ttft_ms", "time to first token", "ms", "lower", "request to first token, tokenization included",
    kinds=_LLM, places=("ppN",), headline="first token")
PREFILL_TPS = _speed("prefill_tps", "reading", "tokens/s", "higher", "prompt tokens read",
    kinds=_LLM, places=("ppN",))
DECODE_TPS = _speed("decode_tps", "decoding", "tokens/s", "higher", "tokens generated after the first",
    kinds=_LLM, places=("", "dN", "mN"), headline="speed")
ITL_P50_MS = _speed("itl_p50_ms", "median time between tokens", "ms", "lower", "median time between tokens",
    kinds=_LLM, over="p50", series="itl_ms")
ITL_P90_MS = _speed("itl_p90_ms", "time between tokens, p90", "ms", "lower",
    "90th percentile of the time between tokens", kinds=_LLM, over="p90", series="itl_ms", least=20)
ITL_P99_MS = _speed("itl_p99_ms", "time between tokens, p99", "ms", "lower",
    "99th percentile of the time between tokens", kinds=_LLM, over="p99", series="itl_ms", least=1000)
LATENCY_P50_MS = _speed("latency_p50_ms", "median latency", "ms", "lower", "median time of one inference",
    kinds=_TENSOR, over="p50", series="latency_ms", headline="speed")
LATENCY_P90_MS = _speed("latency_p90_ms", "latency, p90", "ms", "lower",
    "90th percentile of the time of one inference", kinds=_TENSOR, over="p90", series="latency_ms", least=20)
LATENCY_P99_MS = _speed("latency_p99_ms", "latency, p99", "ms", "lower",
    "99th percentile of the time of one inference", kinds=_TENSOR, over="p99", series="latency_ms", least=1000)
THROUGHPUT_IPS = _speed("throughput_ips", "throughput", "inferences/s", "higher",
    "inferences one after the other, under --sustain", kinds=_TENSOR, places=("", "mN"), headline="speed")
THROTTLE_AFTER_S = _device("throttle_after_s", "speed held", "s", "higher",
    "time until the speed falls, under --sustain; else the whole time", "speed", over="one", baseline=False)

PEAK_FOOTPRINT_MB = _memory("peak_footprint_mb", "peak memory",
    what="largest memory that is the process's own (PSS + swap on Linux)")
PEAK_RSS_MB = _memory("peak_rss_mb", "peak resident set", what="largest resident set, shared pages counted whole")
BUNDLE_MB = _size("bundle_mb", "size of the bundle", what="size of the bundle on disk", headline="size")
MODEL_MB = _size("model_mb", "size of the model", what="size of the model's files in the bundle", found_by="build")
PREDICTED_PEAK_MB = _size("predicted_peak_mb", "predicted memory",
    what="the most memory that it should need, predicted", found_by="build")
EP_SHARE = Metric("ep_share", "work of the provider", "share", "higher",
    "work that the bundle's execution provider takes, 0 to 1", "placement",
    places=("", "VARIANT"), range=(0.0, 1.0), over="one", baseline=False, headline="placement")

POWER_AVG_W = _energy("power_avg_w", "power", "W", what="average power above idle")
ENERGY_J_PER_TOKEN = _energy("energy_j_per_token", "energy of a token", "J",
    what="energy of one generated token above idle", kinds=_LLM, headline="energy")
ENERGY_J_PER_1K_TOKENS = _energy("energy_j_per_1k_tokens", "energy of 1,000 tokens", "J",
    what="energy of 1,000 generated tokens above idle, under --sustain", kinds=_LLM)
ENERGY_J_PER_INFERENCE = _energy("energy_j_per_inference", "energy of an inference", "J",
    what="energy of one inference above idle", kinds=_TENSOR, headline="energy")
TEMPERATURE_MAX_C = _device("temperature_max_c", "highest temperature", "C", "lower", "hottest sensor during the run",
    "temperature", range=(-100.0, inf), over="max", baseline=False)

NONFINITE_OUTPUTS = Metric("nonfinite_outputs", "values not finite", "", "lower",
    "outputs that are infinite or no number, unlike the source's; of the source: all", "outputs", "gate",
    places=("", SOURCE))
ACCURACY = _labels("accuracy", "accuracy", what="classifiers: first choices that are the label in the user's own data")
MEAN_AVERAGE_PRECISION = _labels("mean_average_precision", "mean average precision",
    what="detectors: COCO's mAP@[.50:.95] by the boxes in the user's own data")
CHARACTER_ERROR_RATE = _labels("character_error_rate", "character error rate", better="lower", range=(0.0, inf),
    what="readers of text or speech: wrong, missing and added characters, against the user's own texts")
WORD_ERROR_RATE = _labels("word_error_rate", "word error rate", better="lower", range=(0.0, inf),
    what="the same of words")
TOP1_AGREEMENT = Metric("top1_agreement", "same best", "share", "higher",
    "positions (or inputs) with the same best token (or class)", "distributions", "gate",
    places=("", "simulator", "N"), range=(0.0, 1.0), headline="agreement")
KL_MEAN = _distribution("kl_mean", "divergence", "nats", "lower",
    "divergence of the next-token distributions from the float source's, mean",
    places=("", "half_context", "sliding_window", "longrope", "simulator", "one_token", "float_cache", "deep_cache"),
    headline="divergence")
KL_P99 = _distribution("kl_p99", "divergence, p99", "nats", "lower", "99th percentile of that divergence",
    places=("", "float_cache"))
PERPLEXITY_RATIO = _distribution("perplexity_ratio", "perplexity ratio", "", "lower",
    "perplexity of the bundle over that of the source, on the same text")
PERPLEXITY = _distribution("perplexity", "perplexity", "", "lower", "perplexity on the gate's text",
    places=("", SOURCE), range=(1.0, inf))

SOURCE_FAULTS = _distribution("source_faults", "faults of the source", "", "lower",
    "signs that the source was never trained, or that its parts are not of one model", range=(0.0, inf))
TOKEN_MISMATCH_RATE = _tokens("token_mismatch_rate", "tokenizer mismatch", "share",
    what="texts that the runtime's tokenizer cuts otherwise", range=(0.0, 1.0))
TOKENS_TOUCHED_RATE = _tokens("tokens_touched_rate", "tokens cut otherwise", "share",
    what="tokens of the shipped documents that the runtime cuts otherwise for a cause that has a name",
    range=(0.0, 1.0))
TOKENS_TOUCHED_SHIFT = _tokens("tokens_touched_shift", "their perplexity", "share",
    what="by which share the perplexity of the documents with such tokens moves", range=(0.0, inf))
TEMPLATE_MISMATCH_RATE = _tokens("template_mismatch_rate", "template mismatch", "share",
    what="conversations that the runtime's chat template writes otherwise", range=(0.0, 1.0))
CONTROL_TOKEN_SPLITS = _tokens("control_token_splits", "split control tokens", "",
    what="control tokens of the template that the runtime cuts into pieces")
EOS_IDS_MISSING = _tokens("eos_ids_missing", "missing end tokens", "", what="ids that must end an answer and do not")

ROPE_ERROR = _distribution("rope_error", "rotary tables", "", "lower",
    "largest difference of the graph's rotary tables from those that config.json asks for", range=(0.0, inf))

EOS_RATE = _answers("eos_rate", "answers that end", better="higher",
    what="answers that end by themselves: of 64, or of the 16 of `--quality fast`, where one may differ",
    places=("", SOURCE))
REPETITION_RATE = _answers("repetition_rate", "repetition", better="lower",
    what="4-grams that stood in the answer before", places=("", SOURCE))
GREEDY_PREFIX_AGREEMENT = _answers("greedy_prefix_agreement", "same beginning", better="higher",
    what="how far answers run with the source's: reported, never judged by default", places=("", "simulator"))
JSON_PARSE_RATE = _answers("json_parse_rate", "answers that parse", better="higher",
    what="answers guided by a JSON schema that end, parse and hold what is required")
FUNCTION_CALL_AGREEMENT = _answers("function_call_agreement", "expected calls", better="higher",
    what="calls as bfcl-eval's authors expect: reported, never judged by default")

DIFFERING_FILES = _outputs("differing_files", "other files", "", better="lower", what="of a kept model; nothing is run")
SHAPE_MISMATCHES = _outputs("shape_mismatches", "other shapes", "", better="lower", what="outputs of another shape")
COSINE_MEAN = _outputs("cosine_mean", "direction", "", places=("", "plain", "OUTPUT"), range=(-1.0, 1.0),
    what="cosine of the outputs' and the source's departure from the source's mean over inputs; plain: of the whole",
    headline="direction")
COSINE_P05 = _outputs("cosine_p05", "direction, p05", "", what="5th percentile of that cosine", places=("", "plain"),
    range=(-1.0, 1.0))
SQNR_DB = _outputs("sqnr_db", "signal to noise", "dB", places=("", "plain", "scaled"), range=(-120.0, 120.0),
    what="the source's departure from that mean over the noise; plain: the whole signal; scaled: it, on scaled inputs")
RANK_AGREEMENT = _outputs("rank_agreement", "same order", "", range=(-1.0, 1.0),
    what="rank correlation with the source from input to input, of outputs that depart by less than 1 %")
INTEGER_AGREEMENT = _outputs("integer_agreement", "equal integers", "share",
    what="equal values of outputs that are no floats", range=(0.0, 1.0))
INTEGER_SKILL = _outputs("integer_skill", "integers above a constant", "share", range=(-inf, 1.0),
    what="that share above what the best constant answer has, of what it lacks: a constant has 0")
SPECTRAL_DISTANCE_DB = _outputs("spectral_distance_db", "distance of the spectra", "dB", better="lower",
    what="sound that is played, or whose random numbers are not drawn alike: log-spectral distance of the spectra")
DECISION_AGREEMENT = _outputs("decision_agreement", "same decisions", "share", range=(0.0, 1.0),
    what="speech or none: mean of the shares of the source's yes and of its no that stay; a constant has .5")
DISTRIBUTION_DISTANCE = _outputs("distribution_distance", "distance of the distributions", "", better="lower",
    what="of other such outputs: mean distance of the quantiles, in standard deviations of the source")
CHARACTER_AGREEMENT = _outputs("character_agreement", "equal characters", "share",
    what="characters read alike, by edit distance", range=(0.0, 1.0))
BOX_F1 = _outputs("box_f1", "same boxes", "share", places=("", "N"),
    what="detectors: boxes that both models find (half of their union shared), against all", range=(0.0, 1.0))
EMBEDDING_COSINE = _outputs("embedding_cosine", "embeddings' direction", "",
    what="cosine of the embeddings and the source's, mean", range=(-1.0, 1.0))
EMBEDDING_SPEARMAN = _outputs("embedding_spearman", "embeddings' order", "",
    what="rank correlation of the likeness of pairs of texts", range=(-1.0, 1.0))
# fmt: on

METRICS = {one.name: one for one in list(globals().values()) if isinstance(one, Metric)}


def of(name: str) -> Metric | None:
    """The metric of a name such as "ttft_ms@pp512"."""
    return METRICS.get(name.partition("@")[0])


def of_series(name: str) -> tuple[Metric, ...]:
    """The metrics made of these raw samples: of "latency_ms" its percentiles, of "ttft_ms@pp128" the metric itself."""
    own = METRICS.get(name.partition("@")[0])
    return (own,) if own else tuple(one for one in METRICS.values() if one.series == name)


def headlines(column: Headline) -> tuple[Metric, ...]:
    """The metrics that may stand in a column of first figures; the first that was measured counts."""
    return tuple(one for one in METRICS.values() if one.headline == column)


def of_kind(limits: Mapping[str, Limit], kind: str) -> dict[str, Limit]:
    """Those on metrics that a model of this kind has; a target's limits are for both kinds."""
    return {name: limit for name, limit in limits.items() if (metric := of(name)) and metric.of_kind(kind)}


class LimitError(ValueError):
    """A limit that nothing could ever judge, with what to write instead in `next`."""

    def __init__(self, message: str, next: str) -> None:
        super().__init__(message)
        self.next = next


def checked(limits: Mapping[str, Limit], *, by: FoundBy, kind: str = "") -> dict[str, Limit]:
    """The same limits, where each is on a metric that exists, at a place that it has, within its range.

    Args:
        by: who judges: "check" for budgets, "gate" for limits of the quality.
        kind: the kind of model they are for; "" for all.

    Raises:
        LimitError: one of them is not; the nearest that would be is told.
    """
    for name, limit in limits.items():
        _check_bounds(name, _known(name, by, kind), limit, by)
    return dict(limits)


def usable(limits: Mapping[str, Limit], *, by: FoundBy, kind: str = "") -> dict[str, Limit]:
    """`checked` for limits of the command line; raises UsageError."""
    try:
        return checked(limits, by=by, kind=kind)
    except LimitError as error:
        raise UsageError(str(error), next=error.next) from None


def parse_limits(words: Iterable[str], *, by: FoundBy, kind: str = "") -> dict[str, Limit]:
    """Limits from the command line: "METRIC[@PLACE]:min=X", ":max=X", or both with a comma.

    Raises:
        UsageError: not of this form, a bound given twice, or as `checked`.
    """
    found: dict[str, dict[str, float]] = {}
    for word in words:
        name, _, bounds = word.rpartition(":")
        for bound, _, text in (part.partition("=") for part in bounds.split(",")):
            if not name or bound not in Limit.model_fields or (value := _finite(text)) is None:
                what, example = ("budget", "decode_tps:min=20") if by == "check" else ("limit", "kl_mean:max=0.2")
                raise UsageError(f"{word!r} is not a {what}", next=f"write METRIC:min=X or METRIC:max=X, as {example}")
            if bound in found.setdefault(name, {}):
                raise UsageError(f"{name} has two values of {bound}", next="give one of them")
            found[name][bound] = value
    return usable({name: Limit(**bounds) for name, bounds in found.items()}, by=by, kind=kind)


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


# Where a limit is written, by who finds the metric.
_WHERE = {
    "check": "a check measures it: it is a budget ([budget], --budget)",
    "gate": "a gate measures it: it is a limit of the quality ([quality], --limit)",
    "build": "it is only shown: no limit can be set on it",
}


def _known(name: str, by: FoundBy, kind: str) -> Metric:
    """The metric that a limit is on."""
    stem, at, place = name.partition("@")
    metric = METRICS.get(stem)
    fitting = [one.name for one in METRICS.values() if one.found_by == by and (not kind or one.of_kind(kind))]
    if metric is None:
        raise LimitError(f"no metric {stem!r}{nearest(stem.lower(), fitting)}", f"one of: {', '.join(fitting)}")
    if metric.found_by != by:
        raise LimitError(f"{stem} cannot be limited here{nearest(stem, fitting)}", _WHERE[metric.found_by])
    if stem not in fitting:
        others = f"{stem} is of {' and '.join(metric.kinds)} models, not of {kind} models"
        raise LimitError(f"{others}{nearest(stem, fitting)}", f"one of: {', '.join(fitting)}")
    if not metric.may_stand(place) or (at and not place):
        names = [f"{stem}@{one}" if one else stem for one in metric.places]
        raise LimitError(f"nothing measures {name}{nearest(name, names)}", f"write {' or '.join(names)}")
    return metric


def _check_bounds(name: str, metric: Metric, limit: Limit, by: FoundBy) -> None:
    bounds = {bound: value for bound, value in limit if value is not None}
    apart = [bound for bound in bounds if bound not in ("min", "max")]
    if not bounds:
        raise LimitError(f"the limit on {name} has no bound", "give it a min or a max")
    if apart and (by != "gate" or len(bounds) > len(apart)):
        raise LimitError(f"{name} cannot have {' and '.join(bounds)}", "give it a min or a max, and nothing beside")
    if apart and "times" not in bounds and not (metric.may_stand(SOURCE) and metric.name == name):
        raise LimitError(f"the source has no {name} to be compared with", "give it a min or a max")
    placed = metric.name != name and metric.may_stand("") and metric.better == "lower"
    if "times" in bounds and not placed:
        raise LimitError(f"{name}: times is of a metric's limit at one of its places", "give it a min or a max")
    low, high = metric.range
    for bound, value in bounds.items():
        least, most = (0.0, high - low) if bound in apart else (low, high)
        if not least <= value <= most:
            allowed = f"{least:g} or more" if most == inf else f"{least:g} to {most:g}"
            raise LimitError(f"{name}: {bound} = {value:g} is no value that it can have", f"give it {allowed}")
    if limit.min is not None and limit.max is not None and limit.min > limit.max:
        raise LimitError(f"{name}: nothing is above {limit.min:g} and below {limit.max:g}", "give a max above the min")
