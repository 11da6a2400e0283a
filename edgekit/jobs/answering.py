"""The float source's own greedy answers to many prompts at once."""

from __future__ import annotations

from typing import Any

from edgekit.jobs import layered
from edgekit.used import Emit

CACHE_BYTES = 768 * 2**20  # of keys and values while answering: decides how many prompts are answered at once
LAYERED_BYTES = 4 * 2**30  # the same where every token reads the weights anew
ROUND = 16  # tokens of every answer before those that have ended are left out


def answers(model: Any, prompts: list[list[int]], eos: list[int], new_tokens: int, emit: Emit) -> list[list[int]]:
    """Greedy answers, the end token included. Batches are padded on the left, which changes no answer."""
    order = sorted(range(len(prompts)), key=lambda at: len(prompts[at]))  # little padding
    answers: list[list[int]] = [[] for _ in prompts]
    room = LAYERED_BYTES if layered.is_by_layer(model) else CACHE_BYTES
    size = _batch_size(model.config, max(map(len, prompts), default=0) + new_tokens, room)
    for start in range(0, len(order), size):
        emit("progress", text=f"source: answers {start}/{len(order)}")
        batch = order[start : start + size]
        for at, answer in zip(batch, _together(model, [prompts[at] for at in batch], eos, new_tokens), strict=True):
            answers[at] = answer
    return answers


def _together(model: Any, prompts: list[list[int]], eos: list[int], new_tokens: int) -> list[list[int]]:
    """A batch of answers, in rounds: what has ended is left out of the next (SmolLM2 ends half within a fifth)."""
    import torch

    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    answers: list[list[int]] = [[] for _ in prompts]
    rows, past = list(range(len(prompts))), None
    for begun in range(0, new_tokens, ROUND):
        with torch.inference_mode():
            told = model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=past,
                generation_config=_greedy(eos, min(ROUND, new_tokens - begun)),
                return_dict_in_generate=True,
                use_model_defaults=False,
            )
        new = told.sequences[:, ids.shape[1] :]
        goes_on = []
        for at, tokens in enumerate(new.tolist()):
            ends = [place for place, token in enumerate(tokens) if token in eos]
            answers[rows[at]] += tokens[: ends[0] + 1] if ends else tokens
            goes_on += [] if ends else [at]
        if not goes_on:
            break
        rows, kept = [rows[at] for at in goes_on], torch.tensor(goes_on)
        ids, mask = told.sequences[kept], torch.cat([mask, torch.ones_like(new)], -1)[kept]
        past = told.get("past_key_values")
        if hasattr(past, "batch_select_indices"):
            past.batch_select_indices(kept)
        else:  # of an architecture with a memory of its own: the texts are read again
            past = None
    return answers


def _greedy(eos: list[int], new_tokens: int) -> Any:
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=False,
        max_new_tokens=new_tokens,
        eos_token_id=eos or None,
        pad_token_id=eos[0] if eos else 0,
    )


def _batch_size(config: Any, tokens: int, room: int) -> int:
    """How many float32 key-value caches of this many tokens fit in `room` bytes."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    one: int = config.num_hidden_layers * heads * head_size * 2 * 4 * tokens
    return max(1, room // max(one, 1))
