"""The float source's own greedy answers to many prompts at once.

Attention of one token a row reads keys and values where they are (`_shared`); transformers copies them for every head
of a group that shares them. What all prompts begin with, the chat template's, is read once. The two take a fifth of the
CPU seconds off.
"""

from __future__ import annotations

from functools import partial
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

    _share_heads()
    past, begun_alike = _beginning(model, prompts)
    width, begin = max(map(len, prompts)), prompts[0][:begun_alike]
    rests = [(width - len(prompt), prompt[begun_alike:]) for prompt in prompts]
    ids = torch.tensor([begin + [0] * padding + rest for padding, rest in rests])
    mask = torch.tensor([[1] * len(begin) + [0] * padding + [1] * len(rest) for padding, rest in rests])
    answers: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))
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


def _beginning(model: Any, prompts: list[list[int]]) -> tuple[Any, int]:
    """The keys and values of the tokens that all prompts begin with, for each, and how many they are.

    Padding stands behind them, where the mask leaves it out and positions do not count it. None and 0 where there are
    none, where a pass reads all weights anew, or where the model's memory is no plain cache.
    """
    import torch
    from transformers import DynamicCache

    least = min(map(len, prompts)) - 1
    same = (len(set(tokens)) == 1 for tokens in zip(*prompts, strict=False))
    count = min(least, next((at for at, alike in enumerate(same) if not alike), least))
    if not count or len(prompts) == 1 or layered.is_by_layer(model):
        return None, 0
    with torch.inference_mode():
        past = model(input_ids=torch.tensor([prompts[0][:count]]), use_cache=True).get("past_key_values")
    if type(past) is not DynamicCache or past.get_seq_length() != count:
        return None, 0
    past.batch_repeat_interleave(len(prompts))
    return past, count


def _share_heads() -> None:
    """Have transformers' attention by torch read keys and values where they are when there is one token a row."""
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    AttentionInterface.register("sdpa", partial(_shared, sdpa_attention_forward))


def _shared(plain: Any, module: Any, query: Any, key: Any, value: Any, mask: Any, **words: Any) -> Any:
    """Attention of [rows, heads, tokens, size]: the heads of a group are the tokens of one, which all see the same."""
    import torch

    rows, heads, tokens, size = query.shape
    alone = tokens == 1 and mask is not None and mask.ndim == 4 and mask.shape[1] == 1 and heads > key.shape[1]
    if not alone or words.get("dropout") or words.get("head_mask") is not None:
        return plain(module, query, key, value, mask, **words)
    asked = query.reshape(rows, key.shape[1], -1, size)
    mask = mask[..., : key.shape[-2]].expand(-1, -1, asked.shape[2], -1)
    told = torch.nn.functional.scaled_dot_product_attention(asked, key, value, mask, scale=words.get("scaling"))
    return told.reshape(rows, 1, heads, -1), None


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
