"""What the gate says of each row of table.py: python -m tests.bench.measured [KIND[:FAULT,...] ...]

One line a row: what fails first, its value and limit; of the good bundle the metric with the least to spare. With
--all every figure that is judged.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from edgekit import console, sources
from edgekit.contract.manifest import Quality
from tests.bench import language, table, test_table

Judge = Callable[[str, str, Path], Quality]


def languages(work: Path) -> Judge:
    """Of a language model, whose graph is built once."""
    chat = sources.open_source(table.KINDS[language.CHAT])
    models = {language.CHAT: chat, language.BASE: language.base(chat, work / "smollm2-base")}
    with contextlib.redirect_stdout(sys.stderr):  # the builder says a lot
        built = language.float_graph(chat, work / "float")
    return lambda kind, fault, folder: language.judged(kind, models[kind], built, fault, folder)


def line(kind: str, fault: str, verdict: Quality, seconds: float) -> str:
    rows = [row for row in verdict.verdicts if row.value is not None]
    failed = table.first(verdict)
    if not rows:
        return f"| {kind} | {fault} | {verdict.verdict}: {verdict.verdicts[0].reason} |"
    row = next((row for row in rows if row.metric == failed), None) or min(
        rows, key=lambda row: table.spare(row, verdict)
    )
    limit = f">= {row.limit.min:g}" if row.limit.min is not None else f"<= {row.limit.max:g}"
    return (
        f"| {kind} | {fault} | {verdict.verdict} | {row.metric} | {row.value:.4g} | {limit} "
        f"| {table.spare(row, verdict):.0%} | {seconds:.0f} |"
    )


def main(asked: list[str], whole: bool) -> None:
    console.configure(quiet=True)
    print("| kind | fault | verdict | metric | value | limit | to spare | s |\n|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        speaking: Judge | None = None
        for entry in asked or list(table.KINDS):
            kind, _, faults = entry.partition(":")
            if kind in table.LANGUAGE:
                speaking = speaking or languages(Path(scratch))
            judge = speaking if speaking and kind in table.LANGUAGE else test_table.judged
            for fault in faults.split(",") if faults else (*table.FAULTS, "good"):
                began = time.monotonic()
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    verdict = judge(kind, fault, Path(folder))
                print(line(kind, fault, verdict, time.monotonic() - began), flush=True)
                for row in verdict.verdicts if whole else ():
                    left = f"{table.spare(row, verdict):.3f}" if row.value is not None else row.reason
                    print(f"    {row.metric} {row.value} {row.verdict} {left}", flush=True)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--all"]
    main(words, whole="--all" in sys.argv)
