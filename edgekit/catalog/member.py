"""Member: what a card says of a language model before a byte of it is fetched, and whether a checkpoint is that one.

Every figure that somebody else published has its source; what no source says is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from edgekit.data import Strict
from edgekit.kinds import llm
from edgekit.model import MAX_LAYERS, UNREAD, DecoderFacts, Model

Source = Annotated[str, Field(min_length=8, description="where it was read")]
Task = Literal["chat", "reasoning", "math", "code", "multilingual", "vision", "speech", "function-calling"]
Reads = Literal["text", "pictures", "speech"]
Rope = Literal["default", "longrope", "llama3", "none"]
Template = Literal["none", "phi-3", "phi-4-mini", "phi-4", "phi-4-think", "chatml", "llama-3", "gemma"]
Benchmark = Literal[
    "MMLU",
    "HumanEval",
    "MGSM",
    "DROP",
    "SimpleQA",
    "AIME 2024",
    "AIME 2025",
    "GPQA",
    "GPQA Diamond",
    "MATH",
    "MATH-500",
    "GSM8K",
    "MBPP",
]
# What a plan depends on, by the name that a checkpoint's facts have for it.
COMPARED = (
    *("layers", "hidden_size", "inner_size", "kv_heads", "head_size", "vocab_size"),
    *("context_length", "tied_embeddings", "sliding_window", "longrope_beyond"),
)
CLOSE = 0.01  # parameters: a checkpoint may pad its vocabulary, or count what a card does not


class Decoder(Strict):
    """The part that reads and writes text, as config.json has it; of a model that reads more, its text part."""

    architecture: str = Field(description="the class in config.json")
    text_architecture: str = Field(default="", description="the class that its text part is built as, where another")
    parameters: int = Field(gt=0, description="of the whole model")
    text_parameters: int | None = Field(default=None, gt=0, description="of its text part; None: the whole model")
    layers: int | None = Field(default=None, ge=1, le=MAX_LAYERS)
    hidden_size: int | None = None
    inner_size: int | None = Field(default=None, description="width of the feed-forward layers")
    heads: int | None = None
    kv_heads: int | None = None
    head_size: int | None = Field(default=None, description="None: hidden_size / heads")
    vocab_size: int | None = None
    context_length: int | None = Field(default=None, description="tokens")
    rope: Rope | None = None
    rope_theta: float | None = None
    rotary_share: float | None = Field(default=None, gt=0, lt=1, description="of a head that rotation turns; None: all")
    longrope_beyond: int | None = Field(default=None, description="tokens: beyond, all rotary factors are others")
    sliding_window: int | None = Field(default=None, description="tokens, where narrower than the context")
    tied_embeddings: bool | None = None
    eos_token_ids: tuple[int, ...] = ()
    bos_token_id: int | None = None
    weights: Literal["float16", "bfloat16", "float32"] = Field(default="bfloat16", description="as published")
    source: Source


class Score(Strict):
    """One published figure, in percent."""

    benchmark: Benchmark
    value: float = Field(ge=0, le=100)
    how: str = Field(default="", description="shots and prompts, where the source says so")
    source: Source


class Defect(Strict):
    """What is wrong with the checkpoint or with an engine that runs it, and what edgekit does about it."""

    what: str
    repair: str


class Member(Strict):
    """A language model of a family, for those who have to choose one."""

    family: str
    decoder: Decoder
    template: Template
    reads: tuple[Reads, ...] = ("text",)
    tasks: dict[Task, Annotated[int, Field(ge=1, le=3)]] = Field(
        description="what it is for: 1 named by the family's own guide, 2 of the family too, 3 an older or another one"
    )
    strengths: str
    uses: str = ""
    weak: str = ""
    scores: tuple[Score, ...] = ()
    defects: tuple[Defect, ...] = ()


def model(name: str, member: Member, license: str = "") -> Model | None:
    """The model as its checkpoint would be described; None where its decoder is not known in full."""
    it = member.decoder
    sizes = (it.layers, it.hidden_size, it.heads, it.kv_heads, it.vocab_size, it.context_length)
    layers, hidden, heads, kv, vocab, context = sizes
    if layers is None or hidden is None or heads is None or kv is None or vocab is None or context is None:
        return None
    head_size = it.head_size or hidden // heads
    facts = DecoderFacts(
        context_length=context,
        vocab_size=vocab,
        layers=layers,
        kv_heads=kv,
        head_size=head_size,
        rotary_size=int(head_size * it.rotary_share) if it.rotary_share else None,
        hidden_size=hidden,
        inner_size=it.inner_size,
        eos_token_ids=it.eos_token_ids,
        bos_token_id=it.bos_token_id,
        sliding_window=it.sliding_window,
        longrope_beyond=it.longrope_beyond,
        tied_embeddings=bool(it.tied_embeddings),
        has_chat_template=member.template != "none",
    )
    parameters = it.text_parameters or it.parameters
    return Model(
        name=name,
        kind=llm.KIND.name,
        architecture=it.text_architecture or it.architecture,
        task="text-generation",
        parameters=parameters,
        source_bytes=parameters * {"float32": 4}.get(it.weights, 2),
        dtype=it.weights,
        license=license or "unknown",
        sha256=UNREAD,
        llm=facts,
    )


def differing(member: Member, checkpoint: Model) -> list[str]:
    """What a checkpoint says otherwise than the card, a line each; of what either leaves out, nothing.

    Args:
        checkpoint: the model as its own files describe it.
    """
    return list(_differences(member.decoder, checkpoint))


def _differences(card: Decoder, checkpoint: Model) -> Iterator[str]:
    built = card.text_architecture or card.architecture
    if checkpoint.architecture != built:
        yield f"the architecture is {checkpoint.architecture}, the card says {built}"
    parameters = card.text_parameters or card.parameters
    if abs(checkpoint.parameters - parameters) > CLOSE * parameters:
        yield f"there are {checkpoint.parameters:,} parameters, the card says {parameters:,}"
    if checkpoint.llm is None:
        return
    stated = card.model_dump()
    if card.head_size is None and card.hidden_size and card.heads:
        stated["head_size"] = card.hidden_size // card.heads
    for name in COMPARED:
        # No window and no border is a fact too; of a size that nobody stated nothing is known.
        known = stated[name] is not None or name in ("sliding_window", "longrope_beyond")
        if known and getattr(checkpoint.llm, name) != stated[name]:
            yield f"{name} is {getattr(checkpoint.llm, name)}, the card says {stated[name]}"
    if missing := sorted(set(card.eos_token_ids) - set(checkpoint.llm.eos_token_ids)):
        yield f"the end tokens are {sorted(checkpoint.llm.eos_token_ids)}, the card has {missing} too"
