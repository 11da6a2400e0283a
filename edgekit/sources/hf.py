"""A local Hugging Face folder: a decoder stays as it is, an encoder, vision or audio model becomes ONNX."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit import cache
from edgekit.errors import SourceError
from edgekit.sources._convert import convert
from edgekit.sources.facts import preprocess
from edgekit.sources.facts.files import licence_files, licence_of, name_of
from edgekit.sources.facts.hf_folder import Config, is_llm, llm_model, read_config, read_weights, remote_code
from edgekit.sources.facts.onnx_graph import read_model
from edgekit.sources.source import Options, Source

OPSET = 18  # what optimum recommends for torch's exporter
# What a model of several graphs can be built by: one bundle for each, which the app calls in turn.
EACH_GRAPH = "optimum-cli export onnx --model FOLDER --task {task} OUT, then build each .onnx file of OUT by itself"
SPEECH = ("wav2vec2", "hubert", "wavlm", "unispeech", "whisper", "speech", "audio", "data2vec-audio", "sew")
# The end of an architecture's name -> optimum's task; the first that fits.
TASKS = (
    ("ForAudioClassification", "audio-classification"),
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForMultipleChoice", "multiple-choice"),
    ("ForMaskedLM", "fill-mask"),
    ("ForImageClassification", "image-classification"),
    ("ForObjectDetection", "object-detection"),
    ("ForSemanticSegmentation", "semantic-segmentation"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForCTC", "automatic-speech-recognition"),
    ("WithProjection", "feature-extraction"),
    ("Model", "feature-extraction"),
)


def matches(ref: str) -> bool:
    """A folder with a config.json, unless its weights are .onnx files only."""
    folder = Path(ref)
    try:
        if not (folder / "config.json").is_file():
            return False
        graphs = any(folder.glob("*.onnx")) or any(folder.glob("*/*.onnx"))
        return any(folder.glob("*.safetensors")) or not graphs
    except (OSError, ValueError):
        return False


def fetch(ref: str, options: Options) -> Source:
    """The folder, or what it exports to."""
    folder = Path(ref).absolute()
    config = read_config(folder)
    asks = check_trust(folder, config, options.trust_remote_code)
    # Without need the flag is not handed on: transformers would prefer the folder's code to its own.
    options = replace(options, trust_remote_code=asks is not None)
    source = _decoder(folder, config, options) if is_llm(config) else _exported(folder, config, options)
    if asks is None:
        return source
    return replace(
        source,
        origin=(*source.origin, f"runs its own code ({asks}), trusted by the user"),
        trust_remote_code=True,
    )


def check_trust(folder: Path, config: Config, trusted: bool) -> str | None:
    """The file that asks to run the folder's own code, None where none does.

    Raises:
        SourceError: one does, and the user has not said that it may.
    """
    asks = remote_code(folder, config)
    if asks and not trusted:
        raise SourceError(
            f"{asks} asks to run the code that came with the model ({config['architectures'][0]})",
            next="read that code, then repeat with --trust-remote-code if you trust it",
        )
    return asks


def _decoder(folder: Path, config: Config, options: Options) -> Source:
    if options.task not in (None, "text-generation"):
        raise SourceError(
            f"{config['architectures'][0]} generates text, it cannot be built for the task {options.task!r}",
            next="leave the task out",
        )
    model = llm_model(folder, config, name=options.name or name_of(folder))
    return Source(ref=folder.name, form="hf", path=folder, model=model, licences=licence_files(folder))


def _exported(folder: Path, config: Config, options: Options) -> Source:
    read_weights(folder)
    task = options.task or _task(config)
    asked = {"task": task, "opset": OPSET, "trust_remote_code": options.trust_remote_code}
    name = options.name or name_of(folder)
    out, outcome = convert(
        "export",
        folder,
        cache.path_digest(folder),
        asked,
        what=f"exporting {name} to ONNX",
        emit=options.emit,
    )
    model = read_model(
        out / "model.onnx",
        name=name,
        task=task,
        licence=licence_of(folder),
        architecture=config["architectures"][0],
    )
    model = model.model_copy(update={"inputs": preprocess.infer(out, model.inputs)})
    line = f"exported to ONNX ({task}, opset {OPSET}): at most {outcome['max_difference']:.1e} from torch"
    return Source(
        ref=folder.name,
        form="onnx",
        path=out / "model.onnx",
        model=model,
        origin=(line,),
        licences=licence_files(folder),
    )


def _task(config: Config) -> str:
    """The task that the architecture was made for."""
    named, kind = config["architectures"][0], str(config.get("model_type", ""))
    found = next((task for end, task in TASKS if named.endswith(end)), None)
    if found == "text-classification" and any(word in kind for word in SPEECH):
        return "audio-classification"
    if config.get("is_encoder_decoder") and found in (None, "feature-extraction"):
        raise SourceError(
            f"{named} is an encoder and a decoder: several graphs, and a bundle holds one",
            next=EACH_GRAPH.format(task=_generating(kind)),
        )
    if found is None:
        raise SourceError(
            f"{named} is not a model edgekit exports by itself",
            next="name its task with --task (feature-extraction, say), or give an .onnx file of it",
        )
    return found


def _generating(kind: str) -> str:
    """The task of an encoder-decoder that writes text, by what it reads."""
    if any(word in kind for word in SPEECH):
        return "automatic-speech-recognition"
    return "image-to-text" if "vision" in kind or "pix2struct" in kind else "text2text-generation"
