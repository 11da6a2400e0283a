"""Model: what edgekit knows about a model before and after it builds it. Data only."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.data import Strict

Kind = Literal["llm", "tensor"]
Dim = int | str | None  # a size, a named dynamic dimension, or an unnamed one
SMALL = 500_000_000  # parameters: a language model of fewer needs more bits; the border of quality/limits.toml's rows


class ImageInput(Strict):
    """How a picture becomes this input: resize, then (x * scale - mean) / std per channel, then layout."""

    kind: Literal["image"] = "image"
    width: int | None = Field(default=None, description="pixels; none keeps the picture's own, rounded to `multiple`")
    height: int | None = Field(default=None, description="pixels; none keeps the picture's own, rounded to `multiple`")
    multiple: int = Field(default=1, description="sizes that are kept are rounded to a multiple of this many pixels")
    max_side: int | None = Field(default=None, description="pixels; a larger picture is first scaled down to this")
    fit: Literal["stretch", "pad-right", "crop-center"] = "stretch"
    channels: Literal["RGB", "BGR", "L"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


class AudioInput(Strict):
    """How a mono recording becomes this input: resampled, in [-1, 1], cut into windows of `samples`."""

    kind: Literal["audio"] = "audio"
    sample_rate: int = Field(description="Hz")
    samples: int | None = Field(default=None, description="samples per window; none takes the whole recording")
    context: int = Field(default=0, description="samples of the previous window put before each window")
    shape: tuple[int, ...] = Field(default=(1, -1), description="the shape of one window, -1 for the samples")


class TextInput(Strict):
    """This input is made from text by the tokenizer file of the model's folder (tokenizer.json)."""

    kind: Literal["text"] = "text"
    feature: Literal["ids", "mask", "types"]
    max_tokens: int = 128


class FixedInput(Strict):
    """This input always has the same value (a sample rate, a zero state)."""

    kind: Literal["fixed"] = "fixed"
    value: float = 0.0
    shape: tuple[int, ...] = ()


class StateInput(Strict):
    """This input is the named output of the call before; zeros of `shape` at first."""

    kind: Literal["state"] = "state"
    output: str
    shape: tuple[int, ...]


Preprocess = ImageInput | AudioInput | TextInput | FixedInput | StateInput


class Tensor(Strict):
    """One input or output: name, element type as numpy names it ("float32", "int64"), shape."""

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    preprocess: Preprocess | None = Field(default=None, discriminator="kind")


class LlmFacts(Strict):
    """What a decoder needs to be run: window, vocabulary, key-value cache, end tokens."""

    context_length: int = Field(description="tokens")
    vocab_size: int
    layers: int
    kv_heads: int
    head_size: int
    hidden_size: int
    inner_size: int | None = Field(default=None, description="width of the feed-forward layers")
    eos_token_ids: tuple[int, ...]
    bos_token_id: int | None = None
    sliding_window: int | None = Field(default=None, description="tokens")
    tied_embeddings: bool = False
    has_chat_template: bool = False


class Model(Strict):
    """A model as its source describes it.

    sha256 is the digest of the source as edgekit reads it: of the file, or of the sorted list of the files' digests.
    """

    name: str
    kind: Kind
    architecture: str = ""
    task: str = ""
    parameters: int = 0
    source_bytes: int = Field(default=0, description="bytes of the source's weights as stored")
    dtype: str = Field(default="float32", description="of the source's weights")
    opset: int | None = Field(default=None, description="tensor models: of the default ONNX domain")
    quantized: bool = False
    weight_bytes_by_op: dict[str, int] = Field(default={}, description="tensor models: bytes of weights by operator")
    licence: str = "unknown"
    sha256: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    llm: LlmFacts | None = None
    repairs: tuple[str, ...] = Field(default=(), description="what the source's files lack or say wrongly, put right")
