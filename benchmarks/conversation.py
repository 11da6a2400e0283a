"""Time to the first token of a conversation's turns: with a kept cache, and read anew each time, in turns.

Five turns, each a question of some 200 tokens and an answer of 60. The aims: turn 2 in at most .6 of the time, turn 5
in at most .25.

    python benchmarks/conversation.py [BUNDLE]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict

from _common import EDGEKIT, report

from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.answers import Sampling
from edgekit.wrappers.python.events import Done, Text
from edgekit.wrappers.python.llm import LlmBundle

TURNS, ANSWER, ROUNDS = 5, 60, 3
QUESTION = "The bees on the roof of a house in Lisbon need water, flowers and shade in the summer months. " * 9
AIMS = {2: 0.6, 5: 0.25}


def folder_of_bundle() -> str:
    """The one on the command line, or SmolLM2's, built now."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    command = [*EDGEKIT, "build", "smollm2-135m-instruct", "--target", "linux-cpu", "--json"]
    done = subprocess.run([*command, "-o", tempfile.mkdtemp()], stdout=subprocess.PIPE, check=True)
    return str(json.loads(done.stdout)["data"]["bundles"][0]["path"])


def bundle(slots: int) -> LlmBundle:
    """The bundle with so many caches."""
    opened = open_bundle(FOLDER, slots=slots)
    assert isinstance(opened, LlmBundle)
    return opened


FOLDER = folder_of_bundle()
readers = {"kept": bundle(1), "read_anew": bundle(0)}
samples: dict[str, list[float]] = defaultdict(list)
for at in range(ROUNDS):
    messages: list[dict[str, str]] = []
    for turn in range(1, TURNS + 1):
        messages.append({"role": "user", "content": f"{at} {QUESTION} {turn}?"})
        for name, reader in sorted(readers.items(), reverse=bool((turn + at) % 2)):
            events = list(reader.respond(messages, max_tokens=ANSWER, sampling=Sampling()))
            end = events[-1]
            assert isinstance(end, Done) and end.ttft_ms is not None
            samples[f"{name}@{turn}"].append(end.ttft_ms)
        messages.append(
            {"role": "assistant", "content": "".join(event.text for event in events if isinstance(event, Text))}
        )
ratios = {
    f"ratio_turn_{turn}": statistics.median(
        kept / anew for kept, anew in zip(samples[f"kept@{turn}"], samples[f"read_anew@{turn}"], strict=True)
    )
    for turn in AIMS
}
reached = all(ratios[f"ratio_turn_{turn}"] <= aim for turn, aim in AIMS.items())
report("conversation", samples, unit="ms", aims=AIMS, reached=reached, **ratios)
