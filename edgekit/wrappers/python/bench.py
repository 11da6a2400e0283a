"""Measure a bundle: raw samples, never conclusions. What they mean is decided where the report is written.

Rules and workloads come from the plan. Memory is read between trials, never while something is timed.
"""

from __future__ import annotations

import math
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
class Answer:
    """Times of one request: seconds until its prompt was read, and when each token came, from its start."""

    encode_s: float
    prefill_s: float
    token_s: list[float]


def llm(bundle: LlmBundle, inputs: Arrays, plan: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Time to first token, prefill, decoding and inter-token times of a language model.

    plan: prompts (tokens of each), new_tokens, and the rules warmup and trials. The first prompt is answered with
    new_tokens tokens, end tokens forbidden; of the others only the first token is awaited.
    """
    prompts, skipped = _prompts(bundle, inputs, plan)
    if not prompts:
        return {"samples": {}, "skipped": skipped, "watch": {}, "warmup": None, "trials": 0}
    tell("warming up")
    warm = steady.warm_up(_Chunks(bundle, prompts[0], int(plan["new_tokens"])), plan["warmup"])
    samples: Samples = {}
    memory = [{"phase": "warm", "mb": machine.footprint_mb()}]
    watch, rule, started = machine.Watch(), plan["trials"], perf_counter()
    trials = 0
    while not _enough(samples, trials, perf_counter() - started, rule):
        tell(f"trial {trials + 1} of {rule['min']} to {rule['max']}")
        for prompt in prompts:
            whole = prompt is prompts[0]
            _add(samples, prompt.tokens, answer(bundle, prompt, int(plan["new_tokens"]) if whole else 1), whole)
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
    """Latency of a tensor model over the feeds that have the shapes of the first, in turn."""
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


def _prompts(bundle: LlmBundle, inputs: Arrays, plan: Mapping[str, Any]) -> tuple[list[Prompt], dict[str, str]]:
    """The plan's prompts that this bundle can answer; why the others are skipped, by workload."""
    ids = [int(token) for token in inputs["token_ids"]]
    if not ids:
        raise Refused("the bundle's check text is empty", next="build the bundle again")
    prompts: list[Prompt] = []
    skipped: dict[str, str] = {}
    for count in plan["prompts"]:
        room = count + (1 if prompts else int(plan["new_tokens"]))
        if room > bundle.max_length:
            skipped[f"pp{count}"] = f"it takes {room} tokens, the bundle's max_length is {bundle.max_length}"
        elif prompt := _prompt(bundle, ids, count):
            prompts.append(prompt)
        else:
            skipped[f"pp{count}"] = "the bundle's check text cannot be made into a prompt of that length"
    return prompts, skipped


def _prompt(bundle: LlmBundle, ids: list[int], count: int) -> Prompt | None:
    """Text of at least `count` tokens, made of the plan's own tokens over and over; None where there is none."""
    for wanted in range(count, 4 * count + 65, max(8, count // 16)):
        text = bundle.decode([ids[at % len(ids)] for at in range(wanted)])  # may give fewer tokens than it was made of
        if len(bundle.encode(text)) >= count:
            return Prompt(text, count)
    return None


def _add(samples: Samples, prompt: int, timed: Answer, whole: bool) -> None:
    new = {
        f"ttft_ms@pp{prompt}": [timed.token_s[0] * 1000],
        f"prefill_tps@pp{prompt}": [prompt / timed.prefill_s],
    }
    if whole and len(timed.token_s) > 1:
        gaps = [after - before for before, after in zip(timed.token_s, timed.token_s[1:], strict=False)]
        new["decode_tps"] = [len(gaps) / sum(gaps)]
        new["itl_ms"] = [gap * 1000 for gap in gaps]
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
