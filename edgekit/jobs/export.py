"""The export job: an encoder, vision or audio model becomes one float ONNX file that answers like torch."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import BuildError, SourceError
from edgekit.jobs import _pooling
from edgekit.model import EACH_GRAPH
from edgekit.sources.facts import traces

PROCESSORS = ("preprocessor_config.json", "processor_config.json")  # the source's own or none
# What the model's inputs are made with; taken from the source as it is, not as transformers would rewrite it.
KEPT = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentence_bert_config.json",
    *PROCESSORS,
)
TEXTS = (
    "A quick brown fox jumps over the lazy dog.",
    "Edge devices run neural networks without a connection.",
    "Le café ouvre à 8 h 30 ; 价格是 42 元。",
    "x",
)
MACHINE = ("allocate memory", "No space left")  # in an error that is the machine's, not the model's
PADDING = ("pad token id", "padding token")  # what optimum and transformers say where none is named
TOLERANCE = 1e-3  # of the largest absolute value torch gives; float32 kernels differ by about 1e-6 of it


def convert(
    source: Path,
    out: Path,
    on_event: Callable[[str], None],
    *,
    task: str,
    opset: int,
    trust_remote_code: bool,
    modules: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Fill `out` with model.onnx and the files its inputs are made with.

    Args:
        task: as optimum names it ("feature-extraction", "image-classification").
        opset: of the default ONNX domain.
        trust_remote_code: the folder's own code may run.
        modules: what becomes of the token vectors in the graph (sources.facts.modules).

    Returns: max_difference (largest absolute difference of any output from torch), tolerance (what was allowed, as a
    share of torch's largest value), compared (outputs), files.

    Raises:
        SourceError: optimum cannot export this model for this task, or makes several graphs of it.
        BuildError: the graph does not answer like torch.
    """
    on_event("loading torch and optimum")
    from optimum.exporters.onnx import main_export

    work = out.parent / "export"
    options = {
        "local_files_only": True,
        "trust_remote_code": trust_remote_code,
        "library_name": "transformers",
    }
    on_event(f"exporting for {task}")
    invented = _invented_weights()
    try:
        main_export(str(source), work, task=task, opset=opset, dtype="fp32", do_validation=False, **options)
    except Exception as error:  # what the engines say of a model has no common type
        if isinstance(error, MemoryError) or any(word in str(error) for word in MACHINE):
            raise
        _refuse_invented(invented, task)  # for it is why the rest failed
        if any(word in str(error) for word in PADDING):
            raise SourceError(
                "config.json names no pad_token_id, by which this architecture finds the last token of each text",
                next="add it to config.json: the id of the token that the tokenizer pads with, as in its training",
            ) from error
        raise SourceError(
            f"this model cannot be exported for {task}: {_first_line(error)}",
            next="name another task with --task, or export it to ONNX yourself and give the file",
        ) from error
    _refuse_invented(invented, task)
    _collect(source, work, out, task)
    on_event("comparing with torch")
    difference, compared = _compare(source, out / "model.onnx", task, options)
    if modules:
        _pooling.append(out / "model.onnx", modules, source)
    return {
        "max_difference": difference,
        "tolerance": TOLERANCE,
        "compared": compared,
        "files": sorted(path.name for path in out.iterdir()),
    }


def _invented_weights() -> list[str]:
    """Fills with the names of weights that transformers makes up because the checkpoint lacks them.

    transformers only warns of it. A pooler that feature extraction never uses is often missing: no harm.
    """
    import transformers

    names: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if found := re.search(r"newly initialized: \[(.*?)\]", record.getMessage(), re.DOTALL):
                names.extend(name.strip(" '") for name in found[1].split(",") if "pooler" not in name)

    hf: Any = transformers  # its types are no help
    hf.logging.set_verbosity_warning()
    logging.getLogger("transformers.modeling_utils").addHandler(Listener())
    return names


def _refuse_invented(names: list[str], task: str) -> None:
    if names:
        raise SourceError(
            f"the checkpoint has no weights for {', '.join(names[:3])}, which {task} needs: it is another model's than "
            "config.json names, or was never trained for that",
            next="correct architectures in config.json, name the task that it was trained for with --task, or give its "
            "whole folder",
        )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:240]


def _collect(source: Path, work: Path, out: Path, task: str) -> None:
    graphs = sorted(path.name for path in work.glob("*.onnx"))
    if graphs != ["model.onnx"]:
        raise SourceError(
            f"for {task} this model becomes {len(graphs)} graphs ({', '.join(graphs)}), and a bundle holds one",
            next=EACH_GRAPH.format(task=task),
        )
    _without_traces(work / "model.onnx")
    for path in work.glob("model.onnx*"):
        shutil.move(path, out / path.name)
    for name in KEPT:
        places = [source / name] if name in PROCESSORS else [source / name, work / name]
        kept = next((path for path in places if path.is_file()), None)
        if kept is not None:
            shutil.copyfile(kept, out / name)
    shutil.rmtree(work)


def _without_traces(path: Path) -> None:
    """Remove what torch notes of the tracing (source files and lines): equal models are equal bytes."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    traces.strip(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _compare(source: Path, graph: Path, task: str, options: dict[str, Any]) -> tuple[float, list[str]]:
    """The largest difference between ONNX Runtime and torch on the same inputs, and the outputs compared."""
    import onnxruntime
    import torch
    from optimum.exporters.tasks import TasksManager

    load = TasksManager.get_model_from_task
    model = load(task, str(source), framework="pt", torch_dtype=torch.float32, **options).eval()
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    feeds = _feeds(source, model, task, [value.name for value in session.get_inputs()])
    names = [value.name for value in session.get_outputs()]
    found = dict(zip(names, session.run(names, {key: one.numpy() for key, one in feeds.items()}), strict=True))
    with torch.no_grad():
        expected = model(**feeds)
    differences = {name: _difference(name, found[name], expected[name].numpy()) for name in names if name in expected}
    if not differences:
        raise BuildError(f"none of the outputs {names} can be compared with torch", next="report this model")
    return max(differences.values()), list(differences)


def _difference(name: str, found: Any, expected: Any) -> float:
    """The largest absolute difference of one output, which must be small beside its largest value."""
    import numpy as np

    if found.shape != expected.shape:
        raise BuildError(f"the exported {name} has another shape than torch's", next="report this model")
    difference = float(np.max(np.abs(found - expected), initial=0.0))
    if not difference <= TOLERANCE * float(np.max(np.abs(expected), initial=1.0)):  # NaN fails too
        raise BuildError(f"the exported {name} differs from torch by {difference:.3g}", next="report this model")
    return difference


def _feeds(source: Path, model: Any, task: str, names: list[str]) -> dict[str, Any]:
    """Real text where the model reads nothing but text, else what optimum makes up; one tensor per input."""
    import torch
    import transformers
    from optimum.exporters.tasks import TasksManager

    hf: Any = transformers  # its types are no help
    if "input_ids" in names and (source / "tokenizer_config.json").is_file():
        tokenizer = hf.AutoTokenizer.from_pretrained(str(source), local_files_only=True)
        padding = tokenizer.pad_token is not None
        read = tokenizer(list(TEXTS if padding else TEXTS[:1]), padding=padding, return_tensors="pt")
        if set(names) <= set(read):
            return {name: read[name] for name in names}
    torch.manual_seed(0)
    made = TasksManager.get_exporter_config_constructor("onnx", model, task=task, library_name="transformers")
    dummies = made(model.config).generate_dummy_inputs(framework="pt")
    return {name: dummies[name] for name in names}
