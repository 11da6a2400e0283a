"""A build killed at any of its events, run again, gives the same bundle and leaves nothing behind.

The build covers every stage: a vision transformer of 10 kB from Hugging Face is exported (import), made float16 by
Olive (optimize), compiled for a Snapdragon NPU (compile), staged, placed, gated, and sealed with its golden answers.
Points are drawn over the events of an undisturbed build (see watch.py), in each stage one, and three at night. A build
that is run again may be killed again: the kills are dealt into chains, and the last build of a chain is left to end.

    make nightly-kill      100 kills more, anywhere; EDGEKIT_KILLS and EDGEKIT_SEED choose others
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from random import Random

import pytest

from tests.kill import harness
from tests.kill.harness import Kill, Place, Watched

pytestmark = pytest.mark.olive

NAME = "tiny-one-chip"
STAGES = ("import", "optimize", "compile", "stage", "placement", "gate", "goldens", "seal")
CACHED = ("trial", "import", "optimize", "compile", "gate", "bundle")
CHAIN = 15  # kills, at most, until a build may end
KILLS = int(os.environ.get("EDGEKIT_KILLS", "0"))  # drawn beside those
LEAST = 3 if KILLS else 1  # in each stage
TARGET = """\
extends = "android-qnn"
name = "one-chip"
title = "One Snapdragon chip"

[[tensor.variant]]
name = "sm8650"
compile = "qnn_context"
soc = ["SM8650"]
soc_model = 57
htp_arch = "75"
source = "as targets/android-qnn.toml"

[[tensor.variant]]
name = "portable"
note = "compiled by the phone when it is first opened"
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """The build of the model for the target, in an environment whose processes are watched."""
    folder = tmp_path_factory.mktemp("watched")
    save_model(folder / "tiny")
    (folder / "one-chip.toml").write_text(TARGET)
    words = [str(folder / "tiny"), "--target", str(folder / "one-chip.toml")]
    return Watched(folder / "environment", [*words, "--input-spec", "pixel_values:image,width=16,height=16"])


def save_model(folder: Path) -> None:
    """A vision transformer of one layer with random weights."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ViTModel(ViTConfig(**small, image_size=16, patch_size=8), add_pooling_layer=False).save_pretrained(folder)


def test_a_killed_build_run_again_gives_the_same_bundle_and_leaves_nothing(watched: Watched, tmp_path: Path) -> None:
    undisturbed = Place(tmp_path / "undisturbed")
    code, said, events = watched.build(undisturbed)
    assert code == 0, said
    assert harness.leftovers(undisturbed, [NAME], CACHED) == []
    sha256 = watched.verified(undisturbed, NAME)
    every = harness.points(events)
    assert set(STAGES) <= {stage for stage, _, _ in every}

    seed = int(os.environ.get("EDGEKIT_SEED") or Random().randrange(10**6))
    kills = harness.drawn(every, KILLS, LEAST, STAGES, Random(seed))
    print(f"\n{len(every)} events; EDGEKIT_SEED={seed}: {len(kills)} kills, {harness.counted(kills)}")
    missed, wrong = 0, []
    places = (Place(tmp_path / f"chain-{number}") for number in count())
    for number, chain in enumerate(harness.chains(kills, CHAIN)):
        place, found = next(places), []
        for kill in chain:
            met, whole, said = strike(watched, place, kill)
            found += said
            if whole:  # nothing is left to be killed here: the rest of the chain goes on elsewhere
                found += ended(watched, place, undisturbed, sha256)
                place = next(places)
            if not met:
                met, _, said = strike(watched, place, kill)
                missed += not met
                found += said
        found += ended(watched, place, undisturbed, sha256)
        shown = ", ".join(map(str, chain))
        print(f"chain {number}: {shown}: {'; '.join(found) or 'the same bundle, nothing left'}", flush=True)
        wrong += found
    print(f"{len(kills) - missed} builds killed, {missed} ended before their point")
    assert wrong == []
    assert missed <= max(1, len(kills) // 20), "nearly every point is to be reached"


def strike(watched: Watched, place: Place, kill: Kill) -> tuple[bool, bool, list[str]]:
    """Kill one build: did it meet its point, did it end well, and what was wrong?

    Whoever was killed, no process of it lives on. One whose child was done already when it was killed ends well.
    """
    code, said, events = watched.build(place, kill)
    wrong = [f"{kill}: alive: {process}" for process in harness.alive(events)]
    met = (events / "killed").exists()
    # Where a child alone was killed, edgekit says what happened, or did not need it any more.
    right = {0} if not met else {-9} if kill.victim != "child" else {0, 5, 11}
    if code not in right or "Traceback" in said or (code in (5, 11) and "  next: " not in said):
        wrong.append(f"{kill}: exit {code}: {said}")
    return met, code == 0, wrong


def ended(watched: Watched, place: Place, undisturbed: Place, sha256: str) -> list[str]:
    """Build once more, to the end: what differs from a build that nobody disturbed?"""
    code, said, events = watched.build(place)
    if code != 0:
        return [f"the last build: exit {code}: {said}"]
    wrong = [f"alive: {process}" for process in harness.alive(events)]
    wrong += [f"left: {path}" for path in harness.leftovers(place, [NAME], CACHED)]
    if watched.verified(place, NAME) != sha256:
        wrong.append("another bundle")
    theirs, ours = harness.entries(undisturbed.cache), harness.entries(place.cache)
    wrong += [f"in the cache another {path}" for path in sorted(theirs | ours) if theirs.get(path) != ours.get(path)]
    return wrong
