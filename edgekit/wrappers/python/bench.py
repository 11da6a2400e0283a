"""Measure a bundle: raw samples, never conclusions. What they mean is decided where the report is written.

Rules and workloads come from the plan. Memory is read between trials, never while something is timed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from . import machine, steady
from .goldens import feeds
from .manifest import Refused
from .npz import Arrays

if TYPE_CHECKING:  # a device that runs tensors need not have GenAI
    from .llm import LlmBundle
    from .tensor import TensorBundle

Tell = Callable[[str], None]
Samples = dict[str, list[float]]
CHUNK = 8  # tokens of one warm-up run
UNIT_S = 0.05  # a warm-up run lasts at least this long: single short runs jitter
LAP_S = 1.0  # tensor models: conditions are sampled this often


@dataclass(frozen=True)
class Prompt:
    """A text that gives at least `tokens` tokens, of which the first `tokens` are read."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Workload:
    """A request of every trial, and which of its times are kept.

    Attributes:
        read: the time to its first token, as @ppN.
        answered: decoding, the plan's main one; only one request has it.
        deep: decoding with that many tokens in the context, as @dN.
    """

    prompt: Prompt
    read: bool
    answered: bool
    deep: bool


@dataclass(frozen=True)
class Answer:
    """Times of one request: seconds until its prompt was read, and when each token came, from its start."""

    encode_s: float
    prefill_s: float
    token_s: list[float]


def llm(bundle: LlmBundle, inputs: Arrays, plan: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Time to first token, prefill, decoding and inter-token times of a language model.

    plan: prompts (tokens of each), new_tokens, and the rules warmup and trials; depths and sustain_s may be missing.
    The first prompt, and one of the length of each depth, is answered with new_tokens tokens, end tokens forbidden; of
    the other prompts only the first token is awaited. With sustain_s the first prompt is answered for that long.
    """
    workloads, skipped = _workloads(bundle, inputs, plan)
    if not workloads:
        return {"samples": {}, "skipped": skipped, "watch": {}, "warmup": None, "trials": 0}
    new_tokens = int(plan["new_tokens"])
    if plan.get("sustain_s"):
        return _sustained(lambda: _answers(bundle, workloads[:1], new_tokens), plan["sustain_s"], skipped, tell)
    tell("warming up")
    warm = steady.warm_up(_Chunks(bundle, workloads[0].prompt, new_tokens), plan["warmup"])
    samples: Samples = {}
    memory = [{"phase": "warm", "mb": machine.footprint_mb()}]
    watch, rule, started = machine.Watch(), plan["trials"], perf_counter()
    trials = 0
    while not _enough(samples, trials, perf_counter() - started, rule):
        tell(f"trial {trials + 1} of {rule['min']} to {rule['max']}")
        _add(samples, _answers(bundle, workloads, new_tokens))
        trials += 1
        watch.lap()
        memory.append({"phase": f"trial {trials}", "mb": machine.footprint_mb()})
    return {
        "samples": samples,
        "skipped": skipped,
        "watch": watch.report(),
        "warmup": warm,
        "trials": trials,
        "memory": memory,
    }


def tensor(bundle: TensorBundle, inputs: Arrays, plan: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Latency of a tensor model over the feeds that have the shapes of the first, in turn.

    plan: the rules warmup and runs. With sustain_s they run for that long, and of every LAP_S the throughput and the
    median latency are kept.
    """
    chosen = _alike(feeds(inputs))
    names = [str(one["name"]) for one in bundle.outputs]
    for feed in chosen:
        bundle.check(feed)
    session, turn = bundle.session, 0

    def once() -> float:
        nonlocal turn
        feed = chosen[turn % len(chosen)]
        turn += 1
        started = perf_counter()
        session.run(names, feed)
        return perf_counter() - started

    if plan.get("sustain_s"):
        return _sustained(lambda: _lap(once), plan["sustain_s"], {}, tell)
    tell("warming up")
    per_unit = max(1, math.ceil(UNIT_S / max(min(once(), once()), 1e-6)))
    warm = steady.warm_up(lambda: sum(once() for _ in range(per_unit)), plan["warmup"])
    rule, watch, latency = plan["runs"], machine.Watch(), []
    memory = [{"phase": "warm", "mb": machine.footprint_mb()}]
    started = lap = perf_counter()
    while True:
        latency.append(once() * 1000)
        now = perf_counter()
        if now - lap >= LAP_S:
            tell(f"{len(latency)} runs")
            watch.lap()
            lap = now
        if (len(latency) >= rule["min"] and now - started >= rule["min_s"]) or now - started >= rule["max_s"]:
            break
    watch.lap()
    memory.append({"phase": "measured", "mb": machine.footprint_mb()})
    return {
        "samples": {"latency_ms": latency},
        "skipped": {},
        "watch": watch.report(),
        "warmup": warm,
        "trials": len(latency),
        "memory": memory,
    }


def answer(bundle: LlmBundle, prompt: Prompt, new_tokens: int) -> Answer:
    """One request as an app makes it: tokenize, read, answer, decode; end tokens are forbidden."""
    started = perf_counter()
    ids = bundle.encode(prompt.text)[: prompt.tokens]
    generator = bundle.start(ids, new_tokens, do_sample=False, min_length=len(ids) + new_tokens)
    streamer = bundle.streamer()
    ready = perf_counter()
    generator.append_tokens(np.asarray(ids, dtype=np.int32))
    read = perf_counter()
    stamps = []
    for _ in range(new_tokens):
        generator.generate_next_token()
        streamer.push(int(generator.get_next_tokens()[0]))
        stamps.append(perf_counter() - started)
    return Answer(ready - started, read - ready, stamps)


class _Chunks:
    """Warm-up runs: CHUNK tokens each, from answers that are begun again when they are full."""

    def __init__(self, bundle: LlmBundle, prompt: Prompt, new_tokens: int) -> None:
        self._bundle, self._new_tokens = bundle, new_tokens
        self._ids = bundle.encode(prompt.text)[: prompt.tokens]
        self._generator: Any = None
        self._left = 0  # tokens until the answer is full

    def __call__(self) -> float:
        if self._left < CHUNK:
            room = len(self._ids) + self._new_tokens
            self._generator = self._bundle.start(self._ids, self._new_tokens, do_sample=False, min_length=room)
            self._generator.append_tokens(np.asarray(self._ids, dtype=np.int32))
            self._left = self._new_tokens
        count = min(CHUNK, self._left)
        started = perf_counter()
        for _ in range(count):
            self._generator.generate_next_token()
        self._left -= count
        return perf_counter() - started


def _workloads(bundle: LlmBundle, inputs: Arrays, plan: Mapping[str, Any]) -> tuple[list[Workload], dict[str, str]]:
    """The plan's prompts and depths that this bundle can answer; why the others are skipped, by workload."""
    ids = [int(token) for token in inputs["token_ids"]]
    if not ids:
        raise Refused("the bundle's check text is empty", next="build the bundle again")
    new_tokens, depths = int(plan["new_tokens"]), [count for count in plan.get("depths", ()) if count]
    found: list[Workload] = []
    skipped: dict[str, str] = {}
    for count in dict.fromkeys([*plan["prompts"], *depths]):
        answered = count in plan["prompts"] and not any(one.answered for one in found)
        rooms = {f"pp{count}": count + (new_tokens if answered else 1)} if count in plan["prompts"] else {}
        rooms |= {f"d{count}": count + new_tokens} if count in depths else {}
        prompt = _prompt(bundle, ids, count) if min(rooms.values()) <= bundle.max_length else None
        for workload, room in rooms.items():
            if room > bundle.max_length:
                skipped[workload] = f"it takes {room} tokens, the bundle's max_length is {bundle.max_length}"
            elif prompt is None:
                skipped[workload] = "the bundle's check text cannot be made into a prompt of that length"
        read, deep = (name in rooms and name not in skipped for name in (f"pp{count}", f"d{count}"))
        if prompt is not None and (read or deep):
            found.append(Workload(prompt, read, read and answered, deep))
    return found, skipped


def _prompt(bundle: LlmBundle, ids: list[int], count: int) -> Prompt | None:
    """Text of at least `count` tokens, made of the plan's own tokens over and over; None where there is none."""
    for wanted in range(count, 4 * count + 65, max(8, count // 16)):
        text = bundle.decode([ids[at % len(ids)] for at in range(wanted)])  # may give fewer tokens than it was made of
        if len(bundle.encode(text)) >= count:
            return Prompt(text, count)
    return None


def _answers(bundle: LlmBundle, workloads: list[Workload], new_tokens: int) -> Samples:
    """One trial: every request once."""
    found: Samples = {}
    for one in workloads:
        whole = one.answered or one.deep
        _add(found, _times(one, answer(bundle, one.prompt, new_tokens if whole else 1)))
    return found


def _times(workload: Workload, timed: Answer) -> Samples:
    tokens = workload.prompt.tokens
    found: Samples = {}
    if workload.read:
        found[f"ttft_ms@pp{tokens}"] = [timed.token_s[0] * 1000]
        found[f"prefill_tps@pp{tokens}"] = [tokens / timed.prefill_s]
    gaps = [after - before for before, after in zip(timed.token_s, timed.token_s[1:], strict=False)]
    if gaps and workload.deep:
        found[f"decode_tps@d{tokens}"] = [len(gaps) / sum(gaps)]
    if gaps and workload.answered:
        found["decode_tps"] = [len(gaps) / sum(gaps)]
        found["itl_ms"] = [gap * 1000 for gap in gaps]
    return found


def _lap(once: Callable[[], float]) -> Samples:
    """Inferences for LAP_S."""
    seconds: list[float] = []
    started = perf_counter()
    while (spent := perf_counter() - started) < LAP_S:
        seconds.append(once())
    return {"throughput_ips": [len(seconds) / spent], "latency_ms": [statistics.median(seconds) * 1000]}


def _sustained(unit: Callable[[], Samples], seconds: float, skipped: Mapping[str, str], tell: Tell) -> dict[str, Any]:
    """`unit` again and again, whatever becomes of its speed: one lap each. Only the very first is not kept."""
    unit()
    watch, samples, laps = machine.Watch(), dict[str, list[float]](), 0
    memory = [{"phase": "warm", "mb": machine.footprint_mb()}]
    started = perf_counter()
    while (spent := perf_counter() - started) < seconds:
        tell(f"{spent:.0f} of {seconds:.0f} s")
        _add(samples, {name: values for name, values in unit().items() if name != "itl_ms"})  # too many to keep
        watch.lap()
        laps += 1
    memory.append({"phase": "sustained", "mb": machine.footprint_mb()})
    return {
        "samples": samples,
        "skipped": dict(skipped),
        "watch": watch.report(),
        "warmup": None,
        "trials": laps,
        "memory": memory,
    }


def _add(samples: Samples, new: Samples) -> None:
    for name, values in new.items():
        samples.setdefault(name, []).extend(values)


def _enough(samples: Samples, trials: int, seconds: float, rule: Mapping[str, Any]) -> bool:
    """At least rule.min trials, then until every confidence interval is narrow, rule.max or the time is up."""
    if trials and (trials >= rule["max"] or seconds >= rule["max_s"]):
        return True
    judged = [values for name, values in samples.items() if name != "itl_ms"]
    return trials >= rule["min"] and all(steady.half_width(values) <= rule["half_width"] for values in judged)


def _alike(found: list[Arrays]) -> list[Arrays]:
    """The feeds whose shapes are those of the first: the others are other workloads."""
    if not found:
        raise Refused("the bundle has no check inputs", next="build the bundle again")
    shapes = [{name: array.shape for name, array in feed.items()} for feed in found]
    return [feed for feed, shape in zip(found, shapes, strict=True) if shape == shapes[0]]
