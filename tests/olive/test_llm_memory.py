"""A source that does not fit in memory is computed layer by layer, and says the same."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit import tools
from edgekit.jobs import answering, layered
from tests import needs
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive
HERE = Path(__file__).parent


@needs.linux
def test_a_model_beyond_the_memory_limit_says_the_same_layer_by_layer(tmp_path: Path) -> None:
    """The control in the same process: loaded whole under that limit, it is refused."""
    sizes = {"hidden_size": 768, "intermediate_size": 2048, "num_attention_heads": 12, "num_key_value_heads": 12}
    folder = tiny_llm.llama(tmp_path / "large", layers=12, dtype="bfloat16", initializer_range=0.02, **sizes)
    done = tools.run(
        [sys.executable, HERE / "small_memory.py", folder],
        timeout=300,
        # Every weight in a mapping of its own, so that a freed one is room no more: glibc keeps arenas otherwise.
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "MALLOC_MMAP_THRESHOLD_": "65536"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["room"] < found["weights"]
    assert found["difference"] < 1e-4
    assert found["answers_agree"]
    assert "allocate" in found["whole"] or "Memory" in found["whole"]


def test_float_bytes_are_read_from_the_headers(tmp_path: Path) -> None:
    folder = tiny_llm.llama(tmp_path / "one", layers=1, dtype="bfloat16")
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert layered.float_bytes(folder) == 4 * sum(one.numel() for one in model.parameters())
    assert layered.float_bytes(tmp_path) is None


@pytest.mark.parametrize(("memory", "alike"), [(True, 0), (True, 2), (False, 2)])
def test_answers_that_have_ended_are_left_out_and_the_others_stay_the_same(
    tmp_path: Path, memory: bool, alike: int
) -> None:
    """With keys and values kept between rounds, and of an architecture that keeps none; prompts that begin alike."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.generation import GenerateDecoderOnlyOutput

    model = AutoModelForCausalLM.from_pretrained(tiny_llm.llama(tmp_path / "net"), dtype=torch.float32).eval()
    draw = np.random.default_rng(3)
    prompts = [draw.integers(6, tiny_llm.VOCAB, length).tolist() for length in (3, 9, 20, 4, 12, 7)]
    prompts = [prompts[0][:alike] + prompt[alike:] for prompt in prompts]
    alone = [answering._together(model, [prompt], [], 3 * answering.ROUND)[0] for prompt in prompts]
    eos = [alone[0][2], alone[1][answering.ROUND + 1]]  # some end in the first round, some later
    ended = [answer[: min((answer.index(end) + 1 for end in eos if end in answer), default=None)] for answer in alone]
    assert len({-(-len(answer) // answering.ROUND) for answer in ended}) > 1
    if not memory:
        generate = model.generate
        model.generate = lambda **words: GenerateDecoderOnlyOutput(sequences=generate(**words).sequences)
    assert answering._beginning(model, prompts)[1] == alike
    assert answering._together(model, prompts, eos, 3 * answering.ROUND) == ended
