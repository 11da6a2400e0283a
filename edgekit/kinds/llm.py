"""Language models: text in, text out, a token at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import Field

from edgekit.errors import SourceError, UsageError
from edgekit.kinds._bench import Bench, Trials
from edgekit.kinds._kind import Built, Footprint, Generating, Kind, Rule
from edgekit.kinds._settings import Settings
from edgekit.model import SMALL, Answers, DecoderFacts, Model
from edgekit.predict.effort import Effort, Machine, afforded
from edgekit.results import metrics as m

INT8_CACHE, BITS_OF_INT8 = "1.27.0", 8  # the first ONNX Runtime whose CPU kernel of attention takes scales
UNDESCRIBED = "a source of a language model gives its window, vocabulary and key-value cache (Model.llm)"


class LlmSettings(Settings):
    """How this target builds and runs language models."""

    KIND = "llm"
    COMPARED = "the float source: tokenizer, chat template, next-token distributions, behaviour"
    OWN_TEXT = True
    EXAMPLE = """\
# recipe = "{0.recipe}"
# max_length = {0.max_length}

# [llm.budget]
# decode_tps = {{ min = 10.0 }}
# "ttft_ms@pp512" = {{ max = 900.0 }}
"""

    recipe: str = "int4_mixed"
    recipe_small: str | None = Field(
        default=None, description="used for models of under half a billion parameters; None: the same"
    )
    block_size: int = Field(default=32, description="weights per scale; -1 for one scale a channel")
    even_blocks: bool = Field(default=False, description="a row of weights must have an even number of blocks")
    symmetric: bool = Field(default=False, description="quantize without zero points")
    lm_head_bits: Literal[4, 8] | None = Field(default=None, description="of the last layer; None: the recipe's own")
    embedding_bits: Literal[4, 8, 16] | None = Field(
        default=None, description="of the embeddings; 16: not quantized; None: the recipe's own"
    )
    effort: Effort = Field(default="quick", description="which recipe is taken where `recipe` is by-effort")
    samples: int = Field(default=64, ge=1, description="calibrated recipes: pieces of text, of 512 tokens each at most")
    size: str | None = Field(default=None, description="int4_gptq_mixed: of the whole bundle, as 130MB")
    average_bits: float = Field(default=5.5, ge=4, le=9, description="int4_gptq_mixed without a size: bits of a weight")
    activation_bits: Literal[16, 32] = Field(
        default=16,
        description="floats of a graph that is made for a GPU; 32 for one without float16 (the CPU's has 32)",
    )
    accuracy_level: int = Field(default=4, description="MatMulNBits: 4 computes in int8, 0 or 1 in float32")
    cache_bits: Literal[8, 32] = Field(
        default=32, description="of a value of the key-value cache; 8: int8, calibrated; 32: in the graph's own floats"
    )
    max_length: int = Field(default=4096, description="tokens of prompt and answer; the key-value cache is this long")
    window: int | None = Field(default=None, description="tokens a call of a static graph takes; None where any number")

    def resolved(self, model: Model, machine: Machine, calibrates: bool) -> tuple[Self, str]:
        """`recipe_small` for one of under half a billion parameters, or what the effort affords."""
        small = self.recipe_small if model.parameters < SMALL else None
        asked = (small or self.recipe, self.effort, self.size is not None, model.parameters, machine)
        update, why = afforded(*asked, calibrates=calibrates)
        under = f" of under {SMALL // 10**6} million parameters" if small else ""
        return self.model_copy(update=update), under + why

    @property
    def least_engine(self) -> str:
        """Scales of the cache need a newer one."""
        return INT8_CACHE if self.cache_bits == BITS_OF_INT8 else ""

    def lengths(self, model: Model) -> tuple[int, int | None]:
        """max_length, of which GenAI allocates all, if the model's own is not shorter; the window of static graphs."""
        return min(_decoder(model).context_length, self.max_length), self.window


class LlmContract(Generating):
    """What an app must know to generate text."""

    TITLE = "Generation"

    kind: Literal["llm"] = "llm"
    bos_token_id: int | None = None
    prefix_token_ids: tuple[int, ...] = Field(
        default=(), description="begin every plain text, once; a chat template writes its own"
    )
    chat_template_sha256: str | None = None
    vocab_size: int
    answers: Answers | None = Field(default=None, description="thoughts, function calls and sampling")
    adapters: tuple[str, ...] = Field(default=(), description="names of those that can be put on it, one at a time")
    reread_beyond: int | None = Field(
        default=None,
        description="tokens: a text that grows past this is read anew, for its rotary factors change there",
    )

    def rows(self) -> list[tuple[str, ...]]:
        """Where it begins and ends, how much it takes, and whether it chats."""
        return [
            ("ends at tokens", ", ".join(map(str, self.eos_token_ids))),
            ("text starts with", ", ".join(map(str, self.prefix_token_ids)) or "no token of its own"),
            ("prompt and answer", f"{self.max_length} tokens at most (model: {self.context_length})"),
            ("vocabulary", f"{self.vocab_size:,} tokens"),
            ("chat template", self.chat_template_sha256 or "none: give it plain text"),
            *([("adapters", ", ".join(self.adapters))] if self.adapters else []),
        ]


class LlmBench(Bench):
    """The workloads of a language model; the first prompt is answered in full, of the others the first token counts."""

    kind: Literal["llm"] = "llm"
    prompts: tuple[int, ...] = Field(default=(128, 512), description="tokens: pp128, pp512")
    depths: tuple[int, ...] = Field(default=(), description="d512: decoding with that many tokens in the context")
    new_tokens: int = Field(default=128, description="tg128; end tokens are forbidden meanwhile")
    trials: Trials = Trials()
    sustain_s: float | None = Field(default=None, description="answer the first prompt for so many seconds instead")

    def words(self) -> str:
        """The lengths, as pp128 d512 tg128."""
        named = [f"pp{count}" for count in self.prompts] + [f"d{count}" for count in self.depths if count]
        return f"{' '.join(named)} tg{self.new_tokens}"

    def work(self, samples: Mapping[str, Sequence[float]], lap: int, seconds: float) -> float:
        """Every lap is one answer."""
        return self.new_tokens

    def asked(self, prompts: Sequence[int] = (), depths: Sequence[int] = ()) -> Self:
        """With other lengths; a prompt has one token at least."""
        if 0 in prompts:
            raise UsageError("a prompt has one token at least", next="write --prompts 128,512")
        return self.but(prompts=tuple(prompts) or self.prompts, depths=tuple(depths) or self.depths)

    def quick(self) -> Self:
        """One short answer."""
        prompts = tuple(min(count, 32) for count in self.prompts)[:1]
        return super().quick().but(prompts=prompts, new_tokens=8, trials=Trials(min=1, max=1))

    def sustained(self, seconds: float) -> Self:
        """Its first prompt, again and again."""
        return super().sustained(seconds).but(prompts=self.prompts[:1], depths=())

    def turn(self) -> Self:
        """Two answers."""
        return super().turn().but(trials=Trials(min=2, max=2))


class LlmRule(Rule):
    """The best token of the last `positions` positions, wherever it led the second by more than `margin` logits."""

    kind: Literal["llm"] = "llm"
    positions: int = 32
    margin: float = 0.5


def _decoder(model: Model) -> DecoderFacts:
    if model.llm is None:
        raise SourceError(f"{model.name} is called a language model and described as none", next=UNDESCRIBED)
    return model.llm


def _describe(model: Model, settings: LlmSettings, built: Built) -> LlmContract:
    decoder = _decoder(model)
    return LlmContract(
        eos_token_ids=decoder.eos_token_ids,
        bos_token_id=decoder.bos_token_id,
        prefix_token_ids=decoder.prefix_token_ids,
        context_length=decoder.context_length,
        max_length=settings.lengths(model)[0],
        chat_template_sha256=built.template,
        vocab_size=decoder.vocab_size,
        answers=decoder.answers,
        adapters=tuple(each.name for each in model.adapters),
        reread_beyond=decoder.longrope_beyond,
    )


def _footprint(model: Model, settings: LlmSettings, weight_bytes: int) -> Footprint:
    decoder, factors = _decoder(model), settings.memory
    bytes_per_value = 1 if settings.cache_bits == BITS_OF_INT8 else factors.kv_bytes_per_value
    per_token = 2 * decoder.layers * decoder.kv_heads * decoder.head_size * bytes_per_value
    cache = per_token * settings.lengths(model)[0]
    logits = (512 if factors.prefill_logits else 1) * decoder.vocab_size * factors.logits_bytes_per_value
    prepacked = int(weight_bytes * (factors.prepack_factor - 1))
    return Footprint(
        mapped_bytes=weight_bytes,
        engine_bytes=factors.engine_bytes,
        prepacked_bytes=prepacked,
        kv_dtype={4: "float32", 2: "float16", 1: "int8"}[bytes_per_value],
        kv_bytes_per_token=per_token,
        kv_bytes_at_max_length=cache,
        logits_bytes_pp512=logits,
        predicted_peak_bytes=weight_bytes + prepacked + cache + logits + (factors.engine_bytes or 0),
    )


def _notes(model: Model, settings: LlmSettings) -> tuple[str, ...]:
    window = _decoder(model).context_length
    if window <= settings.max_length:
        return ()
    return (
        f"the model's window is {window} tokens; the bundle is set to {settings.max_length}, "
        "because the runtime allocates the key-value cache for all of it",
    )


KIND = Kind(
    name="llm",
    title="language models",
    work="token",
    settings=LlmSettings,
    contract=LlmContract,
    bench=LlmBench(),
    rule=LlmRule(),
    form=lambda model, settings: "genai",
    describe=_describe,
    footprint=_footprint,
    notes=_notes,
    headlines=(m.DECODE_TPS, m.TTFT_MS, m.PEAK_FOOTPRINT_MB, m.ENERGY_J_PER_TOKEN, m.KL_MEAN),
)
