"""The Phi family, member by member, as its published configurations have it: what is planned of each for every target.

Sizes are those of the configurations (PhiForCausalLM with nine layers, whose nodes are named one by one in a plan); the
parameters decide between recipes, the window and LongRoPE's border what the gate compares.
"""

from __future__ import annotations

from typing import Any

from edgekit.model import DecoderFacts, Model
from edgekit.sources.facts import architectures

MINI = {"hidden": 3072, "layers": 32, "heads": 32, "kv": 32, "inner": 8192, "vocab": 32064}
MEDIUM = {"hidden": 5120, "layers": 40, "heads": 40, "kv": 10, "inner": 17920, "vocab": 32064}
PHI4 = {**MEDIUM, "vocab": 100352}
PHI4_MINI = {**MINI, "heads": 24, "kv": 8, "vocab": 200064}
PHI1 = {"hidden": 2048, "layers": 9, "heads": 32, "kv": 32, "inner": 8192, "vocab": 51200}
PHI2 = {**PHI1, "hidden": 2560, "inner": 10240}
PHI3_ENDS = (32007, 32001, 32000)
PHI4_MINI_ENDS = (200020, 199999)
LONG = 131072
Members = dict[str, Model]


def member(
    parameters: int, context: int, ends: tuple[int, ...], sizes: dict[str, int], architecture: str, **more: Any
) -> Model:
    """A member as hf_folder would describe it."""
    facts = DecoderFacts(
        context_length=context,
        vocab_size=sizes["vocab"],
        layers=sizes["layers"],
        kv_heads=sizes["kv"],
        head_size=sizes["hidden"] // sizes["heads"],
        hidden_size=sizes["hidden"],
        inner_size=sizes["inner"],
        eos_token_ids=ends,
        **({"has_chat_template": True} | more),
    )
    return Model(name="phi", kind="llm", architecture=architecture, parameters=parameters, sha256="0" * 64, llm=facts)


def members() -> Members:
    """Every member of which something can be built."""
    phi, phi3 = "PhiForCausalLM", "Phi3ForCausalLM"
    base = {"has_chat_template": False}
    mini, medium, phi4, phi4_mini = 3_821_079_552, 13_960_238_080, 14_659_507_200, 3_836_021_760
    return {
        "Phi-1": member(1_418_270_720, 2048, (50256,), PHI1, phi, **base),
        "Phi-1.5": member(1_418_270_720, 2048, (50256,), PHI1, phi, **base),
        "Phi-2": member(2_779_683_840, 2048, (50256,), PHI2, phi, **base),
        "Phi-3-mini-4k": member(mini, 4096, PHI3_ENDS, MINI, phi3, sliding_window=2047, bos_token_id=1),
        "Phi-3-mini-128k": member(mini, LONG, PHI3_ENDS, MINI, phi3, bos_token_id=1),
        "Phi-3-medium-4k": member(medium, 4096, PHI3_ENDS, MEDIUM, phi3, sliding_window=2047, bos_token_id=1),
        "Phi-3-medium-128k": member(medium, LONG, PHI3_ENDS, MEDIUM, phi3, bos_token_id=1),
        "Phi-3.5-mini": member(mini, LONG, PHI3_ENDS, MINI, phi3, bos_token_id=1),
        "Phi-4": member(phi4, 16384, (100265, 100257), PHI4, phi3),
        "Phi-4-reasoning": member(phi4, 32768, (100265, 100257), PHI4, phi3),
        "Phi-4-reasoning-plus": member(phi4, 32768, (100265, 100257), PHI4, phi3),
        "Phi-4-mini": member(phi4_mini, LONG, PHI4_MINI_ENDS, PHI4_MINI, phi3, tied_embeddings=True),
        "Phi-4-mini-reasoning": member(phi4_mini, LONG, PHI4_MINI_ENDS, PHI4_MINI, phi3, tied_embeddings=True),
        "Phi-3-vision, text part": member(mini, LONG, PHI3_ENDS, MINI, phi3, bos_token_id=1),
        "Phi-4-multimodal, text part": member(phi4_mini, LONG, PHI4_MINI_ENDS, PHI4_MINI, phi3, tied_embeddings=True),
    }


def refused() -> dict[str, dict[str, Any]]:
    """Of every other member of the table: the refusal of its class."""
    rows = architectures.TABLE.items()
    return {
        f"{row.members} ({name})": {"exit_code": 4, "message": row.reason, "next": row.next}
        for name, row in sorted(rows)
        if row.answer == "no" and "Phi" in name
    }
