"""A local Hugging Face folder: a decoder stays as it is, an encoder, vision or audio model becomes ONNX."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from edgekit import cache, digests
from edgekit.data import pretty
from edgekit.digests import Snapshot
from edgekit.errors import SourceError
from edgekit.model import EACH_GRAPH
from edgekit.sources import _flat, _text_part
from edgekit.sources._convert import MODEL, convert
from edgekit.sources.facts import architectures, beside, decoded, doubts, modules, newer, preprocess, quantized
from edgekit.sources.facts.files import license_files, license_of, name_of
from edgekit.sources.facts.hf_folder import Config, is_llm, llm_model, read_config, read_weights, remote_code
from edgekit.sources.facts.onnx_graph import read_model
from edgekit.sources.source import Options, Source

OPSET = 18  # what optimum recommends for torch's exporter
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
        if not (folder / "config.json").is_file() and modules.net(folder) == folder:
            return False
        graphs = any(folder.glob("*.onnx")) or any(folder.glob("*/*.onnx"))
        return any(modules.net(folder).glob("*.safetensors")) or not graphs
    except (OSError, ValueError):
        return False


def fetch(ref: str, options: Options) -> Source:
    """The folder, or what it exports to."""
    folder = Path(ref).absolute()
    taken = digests.snapshot(folder, what=f"the model {folder.name}")
    with digests.unchanged(taken):
        place, read = _flat.made(folder, taken)
        source = _read(place, read, replace(options, name=options.name or name_of(folder)))
        return replace(source, ref=folder.name)


def _read(folder: Path, taken: Snapshot, options: Options) -> Source:
    config = read_config(folder)
    beside.refuse(folder)
    if is_llm(config) and architectures.check(config["architectures"][0]).answer == "text part":
        return _text_only(folder, taken, config, options)
    if is_llm(config):
        architectures.same_model(config["architectures"][0], config.get("model_type"))
    asks = check_trust(folder, config, options.trust_remote_code)
    # Without need the flag is not handed on: transformers would prefer the folder's code to its own.
    options = replace(options, trust_remote_code=asks is not None, name=options.name or name_of(folder))
    repairs = newer.repairs(folder)
    place, read = _repaired(folder, taken, repairs) if repairs.files else (folder, taken)
    config = read_config(place)
    source = (_decoder if is_llm(config) else _exported)(place, read, config, options)
    named = {"left_out": (*source.model.left_out, *beside.left_out(folder))}
    model = source.model.model_copy(update={"repairs": (*repairs.lines, *source.model.repairs), **named})
    source = replace(source, ref=folder.name, model=model)
    if asks is None:
        return source
    return replace(
        source,
        origin=(*source.origin, f"runs its own code ({asks}), trusted by the user"),
        trust_remote_code=True,
    )


def _text_only(folder: Path, taken: Snapshot, config: Config, options: Options) -> Source:
    """The decoder of a model that reads more than text."""
    quantized.refuse(folder, config)
    place, read = _text_part.made(folder, taken, config)
    source = _read(place, read, replace(options, name=options.name or name_of(folder), trust_remote_code=False))
    whole, model = config["architectures"][0], source.model
    line = f"{whole}: {architectures.TABLE[whole].reason}, its text part alone is built"
    model = model.model_copy(update={"left_out": (line, *model.left_out, *beside.left_out(folder))})
    origin = (f"the text part of {whole}, as {model.architecture}", *source.origin)
    return replace(source, ref=folder.name, model=model, origin=origin)


def _repaired(folder: Path, taken: Snapshot, repairs: newer.Repairs) -> tuple[Path, Snapshot]:
    """A copy of the folder in the cache, with some files said in older words."""
    texts = {name: pretty(content) for name, content in repairs.files.items()}
    key = {"job": "repair", "source": cache.path_digest(folder), "files": texts}

    def make(entry: Path) -> None:
        for name, path in digests.listing(folder):
            copied = entry / MODEL / name
            copied.parent.mkdir(parents=True, exist_ok=True)
            if name in texts:
                copied.write_text(texts[name], encoding="utf-8")
            else:
                shutil.copyfile(path, copied)

    what = f"{folder.name}, in the words of transformers 4"
    place = cache.produce("import", key, make, what=what, read=(taken,)).path / MODEL
    return place, digests.snapshot(place, what=f"the model {folder.name}")


def check_trust(folder: Path, config: Config, trusted: bool) -> str | None:
    """The file that asks to run the folder's own code, None where none does.

    Raises:
        SourceError: one does, and the user has not said that it may; a decoder that cannot be built whatever it runs.
    """
    if is_llm(config) and architectures.check(config["architectures"][0]).answer == "text part":
        return None  # of its own code none is run
    asks = remote_code(folder, config)
    if asks and not trusted:
        raise SourceError(
            f"{asks} asks to run the code that came with the model ({config['architectures'][0]})",
            next="read that code, then repeat with --trust-remote-code if you trust it",
        )
    return asks


def _decoder(folder: Path, taken: Snapshot, config: Config, options: Options) -> Source:
    architectures.generates(config["architectures"][0], options.task)
    model = llm_model(folder, config, name=options.name or name_of(folder))
    licenses = license_files(folder)
    doubtful = doubts.of(folder, read_weights(folder), model.llm) if model.llm else ()
    return Source(
        ref=folder.name, form="hf", path=folder, model=model, licenses=licenses, doubts=doubtful, snapshot=taken
    )


def _exported(folder: Path, taken: Snapshot, config: Config, options: Options) -> Source:
    quantized.refuse(folder, config, read_weights(folder))
    task = options.task or _task(config)
    steps, why = modules.asked(folder, task, token_vectors=options.token_vectors)
    asked = {"task": task, "opset": OPSET, "trust_remote_code": options.trust_remote_code, "modules": steps}
    name = options.name or name_of(folder)
    sha256, what = cache.path_digest(folder), f"exporting {name} to ONNX"
    out, outcome = convert("export", folder, sha256, asked, taken, what=what, emit=options.emit)
    licenses = license_files(folder)
    made = digests.snapshot(out, *licenses, what=f"the model {folder.name}")
    graph, architecture = out / "model.onnx", config["architectures"][0]
    model = read_model(graph, name=name, task=task, license=license_of(folder), architecture=architecture)
    model = preprocess.described(out, model)
    if why:
        line = f"{modules.MODULES}: {why}, what follows is the app's"
        model = model.model_copy(update={"left_out": (*model.left_out, line)})
    done = ", ".join([task, *(str(step["kind"]) for step in steps)])
    line = f"exported to ONNX ({done}, opset {OPSET}), within {outcome['tolerance']:.1%} of torch's largest value"
    source = Source(
        ref=folder.name, form="onnx", path=graph, model=model, origin=(line,), licenses=licenses, snapshot=made
    )
    return decoded.described(folder, config, source)


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
