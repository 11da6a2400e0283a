"""Labelled inputs beside what models answer to them: how right they are, and why a source may be of no use."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from edgekit.data import jsonable
from edgekit.inputs import alternatives
from edgekit.inputs.feeds import write_folder
from edgekit.kinds.tensor import TensorContract
from edgekit.quality import _scores
from edgekit.quality._context import GateContext, label_names, run_child
from edgekit.quality._inputs import wiring

TRIED = 64  # labelled inputs by which other ways to make them are tried
GOOD = 0.9  # a source that is right so often needs no other way
GAIN = 0.1  # by which another way must be better, and by three standard errors
TURNS = 8  # times that answers are held against the labels of other inputs
NO_NAMES = "which characters the outputs stand for is not known: a card's [labels] says it"
Answers = Sequence[Any]
Figure = Callable[[Answers], float]


class Unread(Exception):
    """The outputs are not what the contract says of them, and why."""


@dataclass(frozen=True)
class Labelled:
    """The inputs of a gate that have a label.

    Attributes:
        at: which of the gate's feeds they are.
        truth: of each its label.
        names: what the last axis of the outputs stands for; may be empty.
        figures: what is measured of answers; right: the first of them from 0 to 1, better if larger.
        sizes: what each figure is a share of: inputs, boxes, characters, words.
        why: why nothing can be measured.
    """

    ctx: GateContext
    at: list[int]
    truth: Answers
    names: list[str]
    figures: tuple[Figure, ...]
    right: Figure
    sizes: tuple[int, ...]
    why: str = ""

    def answers(self, runs: list[dict[str, Any]], most: int | None = None) -> list[Answers]:
        """What models answer, run by run (see the child), to the first `most` inputs, or all."""
        ctx = self.ctx
        assert isinstance(ctx.contract, TensorContract)
        folder = ctx.work / "labelled"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_folder(folder, [(ctx.feeds or [])[place] for place in self.at[:most]])
        pair = {"source": str(ctx.source.path.absolute()), "feeds": str(folder), "states": wiring(ctx.contract)[0]}
        how = {
            "what": ctx.truth.what,
            "decode": ctx.contract.decode,
            "names": self.names,
            "ep": ctx.ep,
            "ep_options": dict(ctx.ep_options),
        }
        outcome = run_child(ctx, "_child_labels", {"action": "answers", **pair, **how, "runs": runs})[1]
        if "unread" in outcome:
            raise Unread(outcome["unread"])
        made: list[Answers] = outcome["answers"]
        return made

    def faults(self, source: Answers) -> list[str]:
        """Why the source is of no use on inputs that are made so: it is at chance, or another way is far better."""
        right, chance = self.right(source), self.chance(source)
        error = math.sqrt(max(0.0, chance * (1 - chance)) / len(self.at))
        faults = [] if right > chance + 2 * error else [f"no better than chance ({chance:.0%})"]
        if right < GOOD and (better := self._better(source)):
            faults.append(better)
        return faults

    def chance(self, source: Answers) -> float:
        """How right such answers are that have nothing to do with the labels: those of other inputs; of texts also the
        own ones in other letters, of which an alphabet in another order still has the length and the spaces.
        """
        if self.ctx.truth.what == "classes":
            outputs = self.ctx.source.model.outputs
            count = outputs[0].shape[-1] if outputs and outputs[0].shape else None
            return _scores.chance(source, self.truth, count if isinstance(count, int) else 2)
        turns = range(1, min(TURNS + 1, len(source)))
        chances = [[self.right([*source[by:], *source[:by]]) for by in turns]]
        if self.ctx.truth.what == "text":
            chances.append([self.right(_scores.relettered(source, by)) for by in range(1, TURNS + 1)])
        return max(math.fsum(each) / max(1, len(each)) for each in chances)

    def _better(self, source: Answers) -> str:
        """The best of the other ways to make the inputs, where the source is right far more often with it."""
        inputs = self.ctx.source.model.inputs
        ways = [(tensor, *way) for tensor in inputs for way in alternatives.others(tensor).items()]
        if not ways:
            return ""
        runs = [
            {"who": "source", "input": tensor.name, "own": jsonable(tensor)["preprocess"], "other": jsonable(other)}
            for tensor, _, other in ways
        ]
        some = _judging(self.ctx, self.at[:TRIED], self.names)
        right = some.right(source[:TRIED])
        scores = [some.right(answers) for answers in some.answers(runs)]
        best = max(range(len(ways)), key=scores.__getitem__)
        error = math.sqrt((right * (1 - right) + scores[best] * (1 - scores[best])) / len(some.at))
        if scores[best] < right + max(GAIN, 3 * error):
            return ""
        tensor, words, _ = ways[best]
        return f"{scores[best]:.0%} right instead of {right:.0%} where {tensor.name!r} is made with {words}"


def of(ctx: GateContext) -> Labelled | None:
    """The gate's labelled inputs, if there are any."""
    at = [place for place, label in enumerate(ctx.truth.values) if label is not None]
    return _judging(ctx, at, label_names(ctx)) if at else None


def _judging(ctx: GateContext, at: list[int], names: list[str]) -> Labelled:
    truth = [ctx.truth.values[place] for place in at]
    if ctx.truth.what != "text":
        of_boxes = ctx.truth.what == "boxes"
        score = _scores.mean_average_precision if of_boxes else _scores.accuracy
        figure = partial(_against, score, truth)
        return Labelled(ctx, at, truth, names, (figure,), figure, (sum(map(len, truth)) if of_boxes else len(at),))
    plain = partial(_scores.plain, cased=_cased(names))
    known = [plain(text) for text in truth]

    def rate(answers: Answers, *, words: bool = False) -> float:
        return _scores.error_rate([plain(text) for text in answers], known, words=words)

    def right(answers: Answers) -> float:
        return max(0.0, 1 - rate(answers))

    sizes = sum(map(len, known)), sum(len(text.split()) for text in known)
    return Labelled(ctx, at, known, names, (rate, partial(rate, words=True)), right, sizes, "" if names else NO_NAMES)


def _against(score: Callable[[Answers, Answers], float], truth: Answers, answers: Answers) -> float:
    return score(answers, truth)


def _cased(names: Sequence[str]) -> bool:
    """Whether the characters have both cases; texts are compared without, where they have not."""
    letters = [name for name in names if len(name) == 1 and name.lower() != name.upper()]
    return any(name.islower() for name in letters) and any(name.isupper() for name in letters)
