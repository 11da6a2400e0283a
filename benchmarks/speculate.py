"""Tokens a pass with --speculate ngram: copying, rewriting, JSON, tool calls and open chat, by the engine's settings.

    python benchmarks/speculate.py [BUNDLE] --genai FOLDER

FOLDER holds onnxruntime_genai of 0.16 or later (pip download --no-deps, unpacked), where the installed one is earlier.
Answers are greedy, each made plainly and guessed in turn; `parts` is the token from which a guessed answer is another,
which rounding may make it. Passes are counted, so they are the same on a busy machine; CPU seconds are roughly so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from _common import report, smollm2

SETTINGS: dict[str, dict[str, Any]] = {
    "3 of 8": {"ngram_size": 3, "max_draft_tokens": 8},
    "3 of 4": {"ngram_size": 3, "max_draft_tokens": 4},
    "3 of 16": {"ngram_size": 3, "max_draft_tokens": 16},
    "2 of 8": {"ngram_size": 2, "max_draft_tokens": 8},
    "4 of 8": {"ngram_size": 4, "max_draft_tokens": 8},
    "3 of 2 to 8": {"ngram_size": 3, "max_draft_tokens": 8, "min_adaptive_k": 2},
    "3 of 8, chained": {"ngram_size": 3, "max_draft_tokens": 8, "ngram_chained_lookup": True},
}
STORY = (
    "The ferry left the harbour at seven with forty passengers, two lorries of tomatoes and a brass band on board. "
    "Halfway across the strait the engine coughed twice and fell silent, and the captain, a patient woman called Inés, "
    "had the band play until the mechanic came up the ladder with black hands and a small bent spring. "
    "They reached the island four hours late, and nobody asked for the money back."
)
CITY = {
    "type": "function",
    "function": {
        "name": "book_ferry",
        "description": "Book seats on a ferry",
        "parameters": {
            "type": "object",
            "properties": {
                "from_harbour": {"type": "string"},
                "to_harbour": {"type": "string"},
                "passengers": {"type": "integer"},
                "departure_time": {"type": "string"},
            },
            "required": ["from_harbour", "to_harbour", "passengers", "departure_time"],
        },
    },
}
PEOPLE = (
    "Ann Lee, 31, cook in Cork. Bob Ray, 42, pilot in Graz. Cid Moss, 17, pupil in Turku. Dora Fay, 58, judge in Rome."
)
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "job": {"type": "string"}},
    "required": ["name", "age", "job"],
    "additionalProperties": False,
}
WORK: dict[str, dict[str, Any]] = {
    "copying": {"prompt": f"Repeat this text word for word:\n\n{STORY}"},
    "rewriting": {"prompt": f"Rewrite this text in the present tense and change as little as possible:\n\n{STORY}"},
    "JSON": {
        "prompt": f"List these people as JSON: {PEOPLE}",
        "json_schema": {"type": "array", "items": PERSON, "minItems": 4, "maxItems": 4},
    },
    "tool calls": {
        "prompt": "Book the ferry from Puerto Viejo to Isla Grande for 12 passengers, departure time 07:45.",
        "tools": [CITY],
        "call": "required",
    },
    "open chat": {"prompt": "Why is the sky blue in the day and red in the evening?"},
}
TOKENS = 160


def answered(bundle: Any, work: dict[str, Any], speculate: str | None) -> dict[str, Any]:
    """The tokens of an answer, how often the model ran for them, and the CPU seconds of all threads."""
    from edgekit.wrappers.python.answers import Sampling

    asked = {**work, "prompt": [{"role": "user", "content": work["prompt"]}]}
    before = time.process_time()
    answer = bundle.generate(**asked, max_tokens=TOKENS, sampling=Sampling(), speculate=speculate)
    for _ in answer:
        pass
    passes = len(answer.tokens) - 1 if answer.passes is None else answer.passes
    return {"tokens": answer.tokens, "passes": passes, "cpu_s": time.process_time() - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument("--genai", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", nargs="*", choices=list(WORK), default=list(WORK))
    parser.add_argument("--settings", nargs="*", choices=list(SETTINGS), default=list(SETTINGS))
    asked = parser.parse_args()
    if asked.genai:
        sys.path.insert(0, str(asked.genai))
    sys.argv[1:] = [str(asked.bundle)] if asked.bundle else []
    folder = smollm2()
    import onnxruntime_genai

    from edgekit.wrappers.python import open_bundle, speculation

    bundle, samples, rows = open_bundle(folder), {}, []
    for name in asked.work:
        taken: dict[str, list[float]] = {settings: [] for settings in ("plain", *asked.settings)}
        made: dict[str, dict[str, Any]] = {}
        answered(bundle, WORK[name], None)  # warms up, and compiles the grammar
        for _ in range(asked.rounds):
            for settings in taken:
                speculation.OPTIONS = SETTINGS.get(settings, {})
                made[settings] = answered(bundle, WORK[name], None if settings == "plain" else "ngram")
                taken[settings].append(made[settings]["cpu_s"] / len(made[settings]["tokens"]))
        plain = made["plain"]["tokens"]
        for settings, told in made.items():
            pairs = enumerate(zip(plain, told["tokens"], strict=False))
            parts = next((at for at, (own, guessed) in pairs if own != guessed), None)
            row = {
                "work": name,
                "settings": settings,
                "tokens": len(told["tokens"]),
                "passes": told["passes"],
                "tokens_a_pass": round((len(told["tokens"]) - 1) / max(1, told["passes"]), 2),
                "cpu_ratio": round(statistics.median(taken["plain"]) / statistics.median(taken[settings]), 2),
                "parts": parts,
            }
            rows.append(row)
            print("speculate:", ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        samples[name] = taken["plain"]
    report("speculate", samples, unit="CPU s a token", rows=json.dumps(rows), genai=onnxruntime_genai.__version__)


if __name__ == "__main__":
    main()
