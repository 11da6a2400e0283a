"""Model: what edgekit knows about a model before and after it builds it. Data only."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, GetCoreSchemaHandler, ValidationError, field_validator, model_validator
from pydantic_core import CoreSchema, core_schema

from edgekit import registry
from edgekit.data import Strict

Resample = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]  # as Pillow names its filters
Place = Literal["center", "top-left"]
Form = Literal["phi-4-mini", "hermes", "llama", "json"]  # of function calls in answers
Dim = int | str | None  # a size, a named dynamic dimension, or an unnamed one
FILL = 114  # the grey around a letterbox, of Ultralytics' and YOLOX's
SMALL = 500_000_000  # parameters: a language model of fewer needs more bits; the border of quality/limits.toml's rows
UNREAD = ""  # the sha256 of a model whose bytes nobody has read through: of gigabytes that takes a minute
MAX_LAYERS = 10_000  # of a decoder; what claims more is a lie that would fill the memory with names
# Where config.json has the epsilon of these decoders' normalizations; GenAI's graph builder knows rms_norm_eps alone.
NORM_EPSILON = {"PhiForCausalLM": "layer_norm_eps", "NemotronForCausalLM": "norm_eps"}
# What a model of several graphs can be built by: one bundle for each, which the app calls in turn.
EACH_GRAPH = "optimum-cli export onnx --model FOLDER --task {task} OUT, then build each .onnx file of OUT by itself"


def kinds() -> list[str]:
    """The kinds of model that there are, sorted: the files of kinds/, of which none is loaded."""
    return [name for name in registry.listed("edgekit.kinds") if name != "variant"]


class _Known:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(kinds())


Kind = Annotated[str, _Known()]  # the name of a kind of model


class ImageInput(Strict):
    """How a picture becomes this input: resize, then (x * scale - mean) / std per channel, then layout."""

    kind: Literal["image"] = "image"
    width: int | None = Field(default=None, description="pixels; none keeps the picture's own, rounded to `multiple`")
    height: int | None = Field(default=None, description="pixels; none keeps the picture's own, rounded to `multiple`")
    multiple: int = Field(default=1, description="sizes that are kept are rounded to a multiple of this many pixels")
    max_side: int | None = Field(default=None, description="pixels; a larger picture is first scaled down to this")
    fit: Literal["stretch", "pad-right", "crop-center", "resize-crop", "letterbox"] = Field(
        default="stretch",
        description="stretch to the size; pad-right: keep the ratio, zeros behind; crop-center: scale to cover the "
        "size, cut the centre; resize-crop: scale to `shortest` or `resized`, then cut the centre, black around it; "
        "letterbox: scale to fit into the size, pixels of `fill` around it",
    )
    shortest: int | None = Field(default=None, description="resize-crop: pixels of the shorter side before the cut")
    resized: tuple[int, int] | None = Field(default=None, description="resize-crop: height and width before the cut")
    fill: int | None = Field(default=None, ge=0, le=255, description="letterbox: each channel around the picture; 114")
    place: Place | None = Field(default=None, description="letterbox: where the picture lies; center")
    resample: Resample = "bilinear"
    channels: Literal["RGB", "BGR", "L"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @field_validator("resample", mode="before")
    @classmethod
    def _pillows(cls, value: object) -> object:
        """OpenCV's filters, by whatever name, are told apart: they take in fewer pixels of a picture that shrinks."""
        if value not in get_args(Resample):
            filters = ", ".join(get_args(Resample))
            raise ValueError(
                f"{str(value)[:30]!r} is no filter of Pillow's ({filters}); cv2.resize, or a resize without antialias, "
                "has no name: give arrays (.npz) that it made, and let the app do the same"
            )
        return value

    @model_validator(mode="after")
    def _padded(self) -> Self:
        """What pads a letterbox is written in full, so that no reader of a contract has a default of its own."""
        own: dict[str, int | str | None] = {"fill": FILL, "place": "center"}
        for key, value in own.items():
            if self.fit != "letterbox" and getattr(self, key) is not None:
                raise ValueError(f"{key} is of fit=letterbox, not of fit={self.fit}")
            if self.fit == "letterbox" and getattr(self, key) is None:
                self.__dict__[key] = value  # not one of model_fields_set: nobody said it
        return self


class AudioInput(Strict):
    """How a mono recording becomes this input: resampled, in [-1, 1], cut into windows of `samples`."""

    kind: Literal["audio"] = "audio"
    sample_rate: int = Field(description="Hz")
    samples: int | None = Field(default=None, description="samples per window; none takes the whole recording")
    context: int = Field(default=0, description="samples of the previous window put before each window")
    normalize: bool = Field(default=False, description="each window is made of mean 0 and variance 1")
    shape: tuple[int, ...] = Field(default=(1, -1), description="the shape of one window, -1 for the samples")

    @model_validator(mode="after")
    def _filled(self) -> Self:
        sizes = [size for size in self.shape if size != -1]
        if min(sizes, default=1) < 1 or len(self.shape) - len(sizes) > 1:
            raise ValueError(f"{list(self.shape)} is no shape of a window; one size may be -1")
        window = None if self.samples is None else self.samples + self.context
        whole = len(sizes) < len(self.shape)
        if window is not None and (window % prod(sizes) if whole else window != prod(sizes)):
            raise ValueError(f"{window} samples do not fill the shape {list(self.shape)}")
        return self


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


class Sampling(Strict):
    """How an answer is drawn where nobody says otherwise; greedily without a temperature. None is the engine's own."""

    temperature: float | None = Field(default=None, ge=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    min_p: float | None = Field(default=None, ge=0, le=1, description="least probability, as a share of the best's")
    repetition_penalty: float | None = Field(default=None, gt=0)
    max_new_tokens: int | None = Field(default=None, ge=1, description="of an answer, its thoughts included")

    @classmethod
    def takes(cls, name: str, value: Any) -> bool:
        """Whether a publisher's value is one; what is none is left to the engine."""
        try:
            cls(**{name: value})
        except ValidationError:
            return False
        return value is not None


class Thinking(Strict):
    """What a thought begins and ends with, and the variable of the chat template that leaves thoughts out."""

    begin: str
    end: str
    switch: str | None = None


class Answers(Strict):
    """How a model answers: what cuts an answer into thought, call and text, and how its publisher has it drawn."""

    marks: dict[str, int] = Field(default={}, description="ids of the tokens that cut an answer")
    special: tuple[str, ...] = Field(default=(), description="those of them that engines leave out of a text")
    thinking: Thinking | None = None
    calls: Form | None = Field(default=None, description="the family's form of function calls; json: the bare object")
    sampling: Sampling | None = None


class DecoderFacts(Strict):
    """What a decoder needs to be run: window, vocabulary, key-value cache, end tokens."""

    context_length: int = Field(description="tokens")
    vocab_size: int
    layers: int = Field(ge=1, le=MAX_LAYERS)
    kv_heads: int
    head_size: int
    rotary_size: int | None = Field(default=None, description="values of a head that rotation turns; None: all")
    hidden_size: int
    inner_size: int | None = Field(default=None, description="width of the feed-forward layers")
    eos_token_ids: tuple[int, ...]
    bos_token_id: int | None = None
    prefix_token_ids: tuple[int, ...] = Field(default=(), description="what the tokenizer puts before a plain text")
    sliding_window: int | None = Field(default=None, description="tokens")
    longrope_beyond: int | None = Field(default=None, description="tokens: beyond, all rotary factors are others")
    tied_embeddings: bool = False
    has_chat_template: bool = False
    answers: Answers | None = None


class Adapter(Strict):
    """A LoRA that is put on the model at run time."""

    name: str
    base: str = Field(default="", description="the model that it was trained on, as PEFT wrote it down")
    rank: int = Field(description="the largest")
    alpha: float
    modules: tuple[str, ...] = Field(description="the projections of a layer that it changes")
    sha256: str = Field(description="of the folder as PEFT saved it")


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
    license: str = "unknown"
    sha256: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    sizes: dict[str, tuple[int, ...]] = Field(
        default={}, exclude=True, description="of inputs that vary: the shape of all arrays that the user gave"
    )
    llm: DecoderFacts | None = None
    repairs: tuple[str, ...] = Field(default=(), description="what the source's files lack or say wrongly, put right")
    left_out: tuple[str, ...] = Field(default=(), description="what the source's files say and this build leaves out")
    adapters: tuple[Adapter, ...] = ()
