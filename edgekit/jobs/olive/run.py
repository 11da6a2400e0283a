"""The Olive job: runs one workflow and believes only the files it left.

Olive's engine swallows most exceptions and ends with exit 0, so its log is no evidence: the outcome needs
has_output_model(), the expected files, and a session that loads them.
"""

from __future__ import annotations

import errno
import json
import logging
import resource
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgekit import passes, registry, used
from edgekit.contract import genai_config
from edgekit.errors import BuildError, EdgekitError, from_oserror
from edgekit.jobs.olive import builder, checkpoint, qnn_pipeline, surgeries
from edgekit.jobs.olive.passes import _kept
from edgekit.tools import MEMORY_WORDS, SEE_LOG
from edgekit.used import Emit

BEGUN = "begun"  # the folder of the cache for what a killed build need not make again


def optimize(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Run request["config"] with its placeholders filled and leave the model in request["work"]/model.

    Request: config (Olive workflow with ${SOURCE}, ${WORK}, ${CALIBRATION}), source, work, calibration, expected files.
    Outcome: files (names in model/), peak_mb (of this process).
    """
    work = Path(request["work"])
    config = _fill(request["config"], request)
    config |= {
        "systems": {
            "local": {
                "type": "LocalSystem",
                "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}],
            }
        },
        "host": "local",
        "target": "local",
        "evaluate_input_model": False,
        "cache_dir": str(work / "olive"),
        "output_dir": str(work / "out"),
        "log_severity_level": 1,
    }
    emit("progress", text="loading Olive")
    from olive.workflows import run

    _data_registry()
    begun = _begun(work)
    checkpoint.install(begun)
    builder.install()
    surgeries.install()
    for module in passes.modules(config):  # surgeons register themselves
        registry.named(module)
    if config["input_model"].get("load_kwargs", {}).get("trust_remote_code"):
        _trust_everywhere()
    failures = _watch_log(emit)
    _kept.keep_in(work)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        result = run(config, tempdir=scratch, package_config=_package_config())
    if not result.has_output_model():
        raise _why(failures)
    files = _collect(Path(result.get_best_candidate().model_path), work / "model", request["expected"])
    shutil.rmtree(work / "olive", ignore_errors=True)
    shutil.rmtree(work / "out", ignore_errors=True)
    if "model.onnx" in files:
        _modernize(work / "model" / "model.onnx")
    emit("progress", text="loading the result")
    _load(work / "model", files)
    shutil.rmtree(begun, ignore_errors=True)
    with suppress(OSError):  # another build's lies there
        begun.parent.rmdir()
    return {"files": files, "peak_mb": _peak_mb()}


def _begun(work: Path) -> Path:
    """Where what is quantized lies until the model is whole: in the cache, by the name of the entry that is made.

    A folder that is no entry's (.NAME.PID, edgekit/cache.py) keeps it itself, and with it loses it.
    """
    _, name, process = work.name.split(".") if work.name.count(".") == 2 else ("", "", "")
    return work.parent.parent / BEGUN / name if process else work / "olive" / BEGUN


def _fill(value: Any, request: dict[str, Any]) -> Any:
    """The configuration with this machine's folders in place of the placeholders; one that nothing fills stays.

    Olive takes an empty text for a path, and makes the folder edgekit was started in of it.
    """
    if isinstance(value, dict):
        return {key: _fill(item, request) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, request) for item in value]
    if isinstance(value, str):
        for name in ("source", "work", "calibration"):
            if request.get(name):
                value = value.replace(f"${{{name.upper()}}}", str(request[name]))
    return value


def _data_registry() -> None:
    """Let Olive read a folder of .npz feeds (one file per call, one array per model input), and local texts."""
    from olive.data.registry import Registry

    from edgekit.inputs.feeds import FeedFolder
    from edgekit.jobs.olive.calibration_text import CalibrationText

    Registry.register_dataset("edgekit_feeds")(lambda folder: FeedFolder(Path(folder)))
    Registry.register_dataset("edgekit_texts")(lambda **params: CalibrationText(**params))
    Registry.register_dataloader("edgekit_unbatched")(lambda dataset: dataset)


def _trust_everywhere() -> None:
    """Olive 0.13 forgets the user's trust when a pass saves its model: it asks its settings for "trust_remote"."""
    from olive.model.handler.mixin import hf

    read = hf.get_model_config
    hf.get_model_config = lambda name, **more: read(name, **{**more, "trust_remote_code": True})


def _package_config() -> dict[str, Any]:
    """Olive's own passes and ours."""
    from olive.package_config import OlivePackageConfig

    config: dict[str, Any] = json.loads(Path(OlivePackageConfig.get_default_config_path()).read_text(encoding="utf-8"))
    known = config["passes"]
    ours = {
        name: {**known[one.extends], "module_path": f"{one.module}.{name}"}
        for name, one in passes.PASSES.items()
        if one.extends
    }
    return {**config, "passes": {**known, **ours}}


def _watch_log(emit: Emit) -> list[BaseException]:
    """Report each pass that begins; returns the list that fills with the exceptions Olive swallows."""
    failures: list[BaseException] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if text.startswith("Running pass "):
                emit("progress", text=f"Olive: {text[8:].split(':')[0]}")
            if record.exc_info and record.exc_info[1] is not None:
                failures.append(record.exc_info[1])

    logging.getLogger("olive").addHandler(Watch())
    return failures


def _why(failures: list[BaseException]) -> EdgekitError:
    """Why Olive left no model, as far as it logged it."""
    chain = [error for failure in failures for error in (failure, failure.__cause__, failure.__context__) if error]
    for error in chain:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return from_oserror(error, "Olive was writing")
        if isinstance(error, MemoryError) or any(word in str(error) for word in MEMORY_WORDS):
            return BuildError("Olive ran out of memory", next="close other programs, or use a machine with more memory")
        if "No space left" in str(error):
            return from_oserror(OSError(errno.ENOSPC, "No space left on device"), "Olive was writing")
    words = (str(chain[0]).splitlines() or [""])[0][:200] if chain else ""
    cause = f": {type(chain[0]).__name__}: {words}" if chain else ""
    return BuildError(f"Olive ended without a model{cause}", next=f"{SEE_LOG}, or try another --recipe")


def _collect(produced: Path, model: Path, expected: list[str]) -> list[str]:
    """Move the expected files, and no other (Olive's footprints hold paths of this machine), into model/."""
    folder = produced if produced.is_dir() else produced.parent
    if produced.is_file() and produced.name != "model.onnx":
        raise BuildError(f"Olive named its model {produced.name}", next="this is a bug in the recipe: report it")
    model.mkdir()
    names = {*expected, *OPTIONAL, *qnn_pipeline.settle(folder)}
    for path in sorted(folder.iterdir()):
        if path.name in names and path.is_file():
            shutil.move(path, model / path.name)
            (model / path.name).chmod(0o644)
    missing = [name for name in expected if not (model / name).is_file()]
    if missing:
        raise BuildError(f"Olive's output lacks {', '.join(missing)}", next=SEE_LOG)
    _compact(model / "tokenizer.json")
    return sorted(path.name for path in model.iterdir())


def _compact(tokenizer: Path) -> None:
    """Write a tokenizer.json without its indentation: half of it, megabytes for a large vocabulary."""
    if tokenizer.is_file():
        data = json.loads(tokenizer.read_text(encoding="utf-8"))
        tokenizer.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


OPTIONAL = ("model.onnx.data", "chat_template.jinja", "special_tokens_map.json", "generation_config.json")


def _modernize(path: Path) -> None:
    """ONNX IR 3 lists every weight among the inputs; quantization adds weights that are not there: make it IR 8."""
    import onnx

    proto = onnx.load(str(path), load_external_data=False)
    if proto.ir_version >= 4:
        return
    weights = {tensor.name for tensor in proto.graph.initializer}
    kept = [value for value in proto.graph.input if value.name not in weights]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    proto.ir_version = 8
    path.write_bytes(proto.SerializeToString(deterministic=True))


def _load(model: Path, files: list[str]) -> None:
    """The graph must at least make a session before anything else looks at it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")  # a second copy of all weights
    try:
        for graph in sorted(model.glob("*.onnx")):  # several are a pipeline
            onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BuildError(
            f"ONNX Runtime cannot load what Olive made: {str(error).splitlines()[0][:200]}",
            next="try another --recipe, and report the model",
        ) from error
    if genai_config.NAME in files:
        genai_config.read(model)


def _peak_mb() -> int:
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit


if __name__ == "__main__":
    sys.exit(used.serve(optimize, Path(sys.argv[1])))
