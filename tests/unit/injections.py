"""What a stranger hides in a bundle's model files, with a manifest that is right about them: a table for every reader.

Each row changes a copy of a small real bundle that engines open; `edgekit verify`, the Python runtime and
edgekit-runner must all refuse it, naming the file and a word of the cause, before an engine sees it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from onnx import AttributeProto, ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

from edgekit.contract.manifest import seal_digest
from edgekit.data import pretty

CONFIG = "genai_config.json"
Change = Callable[[Path], object]


class Injection(NamedTuple):
    """`change` gets model/portable of a bundle of this kind; the refusal names `file` and says `word`."""

    name: str
    kind: str
    change: Change
    file: str
    word: str


def reseal(bundle: Path, manifest: Callable[[dict[str, Any]], object] = lambda data: None) -> Path:
    """Make the manifest right about the files as they are now: what anybody can do who has edgekit."""
    path = bundle / "edgekit.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    for part, facts in (("model", {"role": "model", "variant": "portable"}), ("check", {"role": "check"})):
        data["files"] = [one for one in data["files"] if one["role"] != part]
        for file in sorted((bundle / part).rglob("*")):
            if file.is_file() and not file.is_symlink():
                raw = file.read_bytes()
                place = {"path": file.relative_to(bundle).as_posix(), "size": len(raw)}
                data["files"].append({**place, "sha256": hashlib.sha256(raw).hexdigest(), **facts})
    data["files"].sort(key=lambda one: one["path"])
    manifest(data)
    path.write_text(pretty(data | {"sha256": seal_digest(data)}), encoding="utf-8")
    return bundle


def text(name: str, old: str, new: str) -> Change:
    """Replace once in a text file."""

    def change(folder: Path) -> None:
        was = (folder / name).read_text(encoding="utf-8")
        assert old in was
        (folder / name).write_text(was.replace(old, new, 1), encoding="utf-8")

    return change


def raw(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def config(*keys: Any, value: Any) -> Change:
    """Set one key of genai_config.json."""

    def change(folder: Path) -> None:
        document = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        at = document
        for key in keys[:-1]:
            at = at.setdefault(key, {})
        at[keys[-1]] = value
        (folder / CONFIG).write_text(json.dumps(document), encoding="utf-8")

    return change


def session(key: str, value: Any = "x") -> Change:
    return config("model", "decoder", "session_options", key, value=value)


def provider(name: str, **options: Any) -> Change:
    return session("provider_options", [{name: options}])


def graph(change: Callable[[ModelProto], object], name: str = "model.onnx") -> Change:
    def edit(folder: Path) -> None:
        model = ModelProto.FromString((folder / name).read_bytes())
        change(model)
        (folder / name).write_bytes(model.SerializeToString())

    return edit


def away(location: str = "../../../secret", offset: Any = 0, length: Any = 16, name: str = "w") -> TensorProto:
    """A tensor whose data is elsewhere."""
    tensor = TensorProto(name=name, data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def weights(location: str, offset: Any = 0, length: Any = 16) -> Change:
    return graph(lambda model: model.graph.initializer.append(away(location, offset, length)))


def _node(**attributes: Any) -> Any:
    node = helper.make_node("Constant", [], ["k"])
    for name, value in attributes.items():
        node.attribute.add(name=name).CopyFrom(value)
    return node


def _with(**fields: Any) -> AttributeProto:
    attribute = AttributeProto(name="value")
    for name, value in fields.items():
        field = getattr(attribute, name)
        field.extend(value) if isinstance(value, list) else field.CopyFrom(value)
    return attribute


def _body(*nodes: Any, tensors: tuple[Any, ...] = ()) -> Any:
    return helper.make_graph(list(nodes), "body", [], [], list(tensors))


def _sparse(where: str) -> SparseTensorProto:
    sparse = SparseTensorProto(dims=[4])
    getattr(sparse, where).CopyFrom(away())
    return sparse


def _function(node: Any, default: AttributeProto | None = None) -> Callable[[ModelProto], object]:
    made = helper.make_function("f", "F", [], [], [node], [helper.make_opsetid("", 17)])
    if default is not None:
        made.attribute_proto.append(default)
    return lambda model: model.functions.append(made)


def _training(where: str) -> Callable[[ModelProto], object]:
    return lambda model: getattr(model.training_info.add(), where).CopyFrom(_body(tensors=(away(),)))


def _context(**attributes: Any) -> Any:
    return helper.make_node("EPContext", [], ["c"], domain="com.microsoft", **attributes)


def _deep(inner: Any) -> Any:
    """A node in a branch in the body of a loop."""
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=_body())
    return helper.make_node("Loop", [], ["o"], body=_body(branch))


def _twice_graph(data: bytes) -> bytes:
    """The model's graph, then a second one, which parsers merge into the first; its tag is written at length."""
    second = _body(tensors=(away(),)).SerializeToString()
    return data + b"\xba\x80\x00" + _varint(len(second)) + second


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])


def _also(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def _renamed(old: str, new: str) -> Change:
    return lambda folder: (folder / old).rename(folder / new)


def _linked(folder: Path) -> None:
    (folder / "more.txt").symlink_to(folder / "labels.txt")


def _all(*changes: Change) -> Change:
    def change(folder: Path) -> None:
        for one in changes:
            one(folder)

    return change


_LIBRARY = '"custom_ops_library": "evil.so", "custom_ops_library": ""'
_DEEP = ("model", "decoder", "sliding_window")
_ALIKE = "no JSON that every engine reads alike"

_JSON: list[Injection] = [
    Injection(f"json: {name}", "llm", change, CONFIG, word)
    for name, change, word in (
        ("a library twice", text(CONFIG, '"log_id"', f'{_LIBRARY}, "log_id"'), "'custom_ops_library' stands twice"),
        (
            "a harmless one last",
            text(CONFIG, '"log_id"', '"custom_ops_library": "", "custom_ops_library": "e.so", "log_id"'),
            "stands twice",
        ),
        ("an object twice", text(CONFIG, '"search"', '"search": {}, "search"'), "'search' stands twice"),
        ("in another spelling", text(CONFIG, '"search"', '"Search": {}, "search"'), "does not look at case"),
        ("an escaped spelling", text(CONFIG, '"search"', '"s\\u0065arch": {}, "search"'), "stands twice"),
        ("twice at depth", text(CONFIG, '"top_k"', '"a": [{"b": {"c": 1, "c": 2}}], "top_k"'), "'c' stands twice"),
        ("NaN", text(CONFIG, '"top_k"', '"top_p": NaN, "top_k"'), ""),
        ("Infinity", text(CONFIG, '"top_k"', '"top_p": Infinity, "top_k"'), ""),
        ("-Infinity", text(CONFIG, '"top_k"', '"top_p": -Infinity, "top_k"'), ""),
        ("a number beyond a double", text(CONFIG, '"top_k"', '"top_p": 1e999, "top_k"'), ""),
        ("a number of 400 digits", text(CONFIG, '"top_k"', f'"top_p": {"9" * 400}, "top_k"'), ""),
        ("a word cut short", text(CONFIG, "false", "f"), ""),
        ("a comment", text(CONFIG, '"top_k"', '/* "x" */ "top_k"'), ""),
        ("a comma too many", raw(CONFIG, lambda was: was.rstrip()[:-1] + b",}"), ""),
        ("more behind it", raw(CONFIG, lambda was: was + b'{"model": {}}'), ""),
        ("a zero byte behind it", raw(CONFIG, lambda was: was + b"\0"), ""),
        ("a byte order mark", raw(CONFIG, lambda was: b"\xef\xbb\xbf" + was), ""),
        ("UTF-16", raw(CONFIG, lambda was: was.decode().encode("utf-16-le")), ""),
        ("no UTF-8", raw(CONFIG, lambda was: was.replace(b"onnxruntime-genai", b"\xff\xfe")), ""),
        ("an overlong slash", raw(CONFIG, lambda was: was.replace(b"onnxruntime-genai", b"\xc0\xaf")), ""),
        ("half a pair", text(CONFIG, "onnxruntime-genai", "\\ud800"), ""),
        ("an escaped zero byte", text(CONFIG, '"model.onnx"', '"model.onnx\\u0000.data"'), ""),
        ("a bare zero byte", raw(CONFIG, lambda was: was.replace(b'"model.onnx"', b'"model.onnx\0x"')), ""),
        ("nested deeply", text(CONFIG, '"top_k"', f'"a": {"[" * 100}{"]" * 100}, "top_k"'), ""),
        ("nested a million deep", raw(CONFIG, lambda was: b"[" * 10**6), ""),
        ("a list", raw(CONFIG, lambda was: b"[" + was + b"]"), "no JSON object"),
        ("nothing", raw(CONFIG, lambda was: b""), ""),
        ("five megabytes", raw(CONFIG, lambda was: was + b" " * (5 << 20)), ""),
    )
]
_FILES: list[Injection] = [
    Injection(f"json: {name} in {file}", "llm", change, file, _ALIKE)
    for file in ("tokenizer.json", "tokenizer_config.json")
    for name, change in (
        ("a key twice", raw(file, lambda was: was.replace(b"{", b'{"a": 1, "a": 2, ', 1))),
        ("NaN", raw(file, lambda was: was.replace(b"{", b'{"a": NaN, ', 1))),
        ("more behind it", raw(file, lambda was: was + b"x")),
        ("a mark", raw(file, lambda was: b"\xef\xbb\xbf" + was)),
    )
]
_FILES += [
    Injection(f"json: {name}", "llm", _also(name, content), name, _ALIKE)
    for name, content in (
        ("special_tokens_map.json", b'{"a": 1, "a": 1}'),
        ("generation_config.json", b'{"temperature": Infinity}'),
        ("processor_config.json", b'{"processor": {"a": {"b": 1, "b": 2}}}'),
        ("htp.json", b'{"devices": [1, 2,]}'),
    )
]
_NAMES: list[Injection] = [
    Injection(f"name: {name}", kind, change, file, word)
    for name, kind, change, file, word in (
        ("a config in another spelling", "llm", _also("GENAI_CONFIG.JSON", b"{}"), "", "same to some"),
        ("the config in another spelling", "llm", _renamed(CONFIG, "Genai_Config.json"), "", "would open it as"),
        ("a tokenizer in another spelling", "llm", _renamed("tokenizer.json", "Tokenizer.json"), "", "open it as"),
        ("a graph in another spelling", "tensor", _also("MODEL.ONNX", b"x"), "", "same to some"),
        ("a link", "tensor", _linked, "more.txt", "link"),
        (
            "ONNX Runtime's format",
            "tensor",
            _also("other.ort", b"\x20\0\0\0ORTM" + bytes(64)),
            "other.ort",
            "own format",
        ),
        (
            "its format in a graph's name",
            "tensor",
            _also("b.onnx", b"\x20\0\0\0ORTM" + bytes(9)),
            "b.onnx",
            "own format",
        ),
        ("a graph that is none", "tensor", _also("b.onnx", b"hello"), "b.onnx", "not an ONNX model"),
        ("an empty graph", "tensor", _also("b.Onnx", b""), "b.Onnx", "not an ONNX model"),
    )
]
_KEYS: list[Injection] = [
    Injection(f"key: {name}", "llm", change, CONFIG, word)
    for name, change, word in (
        ("a library", session("custom_ops_library", "evil.so"), "a library that the engine would run"),
        ("a library without a name", session("custom_ops_library", ""), "custom_ops_library"),
        ("a profile", session("enable_profiling", "p"), "the engine would write files by it"),
        ("an optimized model", session("session.optimized_model_filepath", "m.onnx"), "write files"),
        ("a context", session("ep.context_enable", "1"), "write files"),
        ("a context's file", session("ep.context_file_path", "c.onnx"), "write files"),
        ("weights elsewhere", session("session.model_external_initializers_file_folder_path", "/tmp"), "look for"),
        ("a partition file", session("session.node_partition_config_file", "p"), "no key that edgekit knows"),
        ("statistics", session("session.collect_node_memory_stats_to_file", "s.csv"), "no key that edgekit knows"),
        ("a cache", session("session.moe.offload.derived_cache_dir", "c"), "no key that edgekit knows"),
        ("another format", session("session.load_model_format", "ORT"), "no key that edgekit knows"),
        ("what comes next year", session("session.next_year", "1"), "model.decoder.session_options.session.next_year"),
        ("a path for a name", session("log_id", "/tmp/x"), "a path, which an engine would open"),
        ("options of another form", session("provider_options", {"cpu": {}}), "of another form"),
        ("no options", config("model", "decoder", "session_options", value="x"), "of another form"),
        (
            "a run's option",
            config("model", "decoder", "run_options", value={"qnn.lora_config": "l"}),
            "run_options.qnn",
        ),
        ("a run's profile", config("model", "decoder", "run_options", value={"enable_profiling": "p"}), "write files"),
        ("a model's own", config("model", "library", value="evil.so"), "model.library"),
        ("a decoder's own", config("model", "decoder", "weights_path", value="w"), "model.decoder.weights_path"),
        ("a section of its own", config("plugins", value={"filename": "evil.so"}), "plugins"),
        ("a model's section", config("model", "plugin", value={"filename": "evil.so"}), "model.plugin"),
        ("a provider nobody knows", provider("RyzenAI", external_data_file="e"), "'RyzenAI', which edgekit does not"),
        ("a provider's library", provider("QNN", backend_path="evil.so"), "not one of QnnHtp.dll"),
        ("a provider's path", provider("qnn", backend_path="/tmp/evil.so"), "a path, which an engine would open"),
        ("on a drive", provider("qnn", backend_path="C:evil.dll"), "a path"),
        ("in another folder", provider("QNNExecutionProvider", backend_path="..\\evil.dll"), "a path"),
        ("a backend that writes", provider("qnn", backend_type="saver"), "not one of htp"),
        ("a saver", provider("qnn", qnn_saver_path="s.dll"), "none that edgekit knows of qnn"),
        ("packages of operators", provider("qnn", op_packages="evil.so"), "none that edgekit knows of qnn"),
        ("a provider's profile", provider("qnn", profiling_file_path="p.csv"), "profiling_file_path"),
        ("its level", provider("qnn", profiling_level="detailed"), "not one of off"),
        ("a provider's cache", provider("CoreML", ModelCacheDirectory="c"), "none that edgekit knows of coreml"),
        ("an option in another spelling", provider("qnn", Backend_Path="evil.so"), "none that edgekit knows of qnn"),
        ("an option of another form", provider("qnn", htp_arch={"a": "b"}), "of another form"),
    )
]
_STAGE = {"filename": "model.onnx", "inputs": ["input_ids"], "outputs": ["logits"]}
_OPENS: list[Injection] = [
    Injection(f"opens: {name}", "llm", change, CONFIG, word)
    for name, change, word in (
        ("a file above", config("model", "decoder", "filename", value="../../x.onnx"), "'..'"),
        ("an absolute file", config("model", "decoder", "filename", value="/etc/passwd"), "it is absolute"),
        ("a drive", config("model", "decoder", "filename", value="C:\\x.onnx"), "colon"),
        ("a share", config("model", "decoder", "filename", value="\\\\host\\x.onnx"), "backslash"),
        ("a device", config("model", "decoder", "filename", value="NUL"), "device"),
        ("a file of nobody", config("model", "decoder", "filename", value="x.onnx"), "has no such file"),
        ("a percent sign", config("model", "decoder", "filename", value="%2e%2e/x.onnx"), "has no such file"),
        ("another spelling", config("model", "decoder", "filename", value="Model.onnx"), "has no such file"),
        ("a folder", config("model", "decoder", "filename", value="."), "'.'"),
        ("a number", config("model", "decoder", "filename", value=3), "of another form"),
        ("a list", config("model", "decoder", "filename", value=["model.onnx"]), "of another form"),
        ("in vision", config("model", "vision", "filename", value="/v.onnx"), "model.vision.filename"),
        ("an adapter", config("model", "vision", "adapter_filename", value="../a"), "model.vision.adapter_filename"),
        ("a processor", config("model", "speech", "config_filename", value="/p.json"), "model.speech.config_filename"),
        ("in an embedding", config("model", "embedding", "filename", value="e.onnx"), "model.embedding.filename"),
        ("an encoder", config("model", "encoder", "filename", value="../e.onnx"), "model.encoder.filename"),
        ("a draft", config("model", "draft", "filename", value="/d.onnx"), "model.draft.filename"),
        ("a voice detector", config("model", "vad", "filename", value="/d.onnx"), "model.vad.filename"),
        (
            "a stage",
            config("model", "decoder", "pipeline", value=[{"s": _STAGE | {"filename": "/s"}}]),
            "[0].s.filename",
        ),
        (
            "a stage's library",
            config(
                "model", "decoder", "pipeline", value=[{"s": _STAGE | {"session_options": {"custom_ops_library": "e"}}}]
            ),
            "pipeline[0].s.session_options.custom_ops_library",
        ),
        (
            "a stage by name",
            config("model", "decoder", "pipeline", value={"s": _STAGE | {"filename": "/s"}}),
            "s.filename",
        ),
        (
            "a stage's own key",
            config("model", "decoder", "pipeline", value=[{"s": _STAGE | {"lib": "e"}}]),
            "[0].s.lib",
        ),
        (
            "shared weights",
            config("model", "decoder", "shared_initializers", value=[{"name": "w", "data_file": "/w"}]),
            "shared_initializers[0].data_file",
        ),
        ("a tokenizer's folder", config("model", "tokenizer_dir", value="/tmp"), "model.tokenizer_dir"),
        ("a tokenizer's folder of nobody", config("model", "tokenizer_dir", value="t"), "has no such folder"),
        ("a path in a window", config(*_DEEP, value={"alignment": "/x"}), "a path"),
    )
]
_LOCATIONS: list[Injection] = [
    Injection(f"weights: {name}", "tensor", weights(*place), "model.onnx", word)
    for name, place, word in (
        ("above", ("../../../secret",), "'..'"),
        ("in the middle", ("a/../../x",), "'..'"),
        ("absolute", ("/etc/passwd",), "it is absolute"),
        ("on a drive", ("C:/x",), "colon"),
        ("on a share", ("\\\\host\\x",), "backslash"),
        ("in a backslash", ("..\\x",), "backslash"),
        ("in memory", ("*/_ORT_MEM_ADDR_/*", 4096), "not every system allows"),
        ("behind a zero byte", ("labels.txt\0x",), "not every system allows"),
        ("a device", ("nul",), "device"),
        ("nowhere", ("",), "it is empty"),
        ("of nobody", ("other.data",), "not in the bundle"),
        ("in another spelling", ("LABELS.txt",), "not in the bundle"),
        ("in per cent", ("%2e%2e/x",), "not in the bundle"),
        ("in itself", ("model.onnx",), "which is a graph"),
        ("beyond the end", ("labels.txt", 10**6), "it wants"),
        ("longer than the file", ("labels.txt", 0, 10**9), "it wants"),
        ("before the beginning", ("labels.txt", -8), "it wants"),
        ("at no number", ("labels.txt", "x"), "it wants"),
    )
]
_PLACES: list[Injection] = [
    Injection(f"weights: {name}", "tensor", change, "model.onnx", "'../../../secret'")
    for name, change in (
        ("in a constant", graph(lambda m: m.graph.node.append(_node(value=_with(t=away()))))),
        ("in a list of constants", graph(lambda m: m.graph.node.append(_node(value=_with(tensors=[away()]))))),
        ("in a sparse constant", graph(lambda m: m.graph.node.append(_node(v=_with(sparse_tensor=_sparse("values")))))),
        ("in sparse places", graph(lambda m: m.graph.node.append(_node(v=_with(sparse_tensor=_sparse("indices")))))),
        (
            "in a list of sparse",
            graph(lambda m: m.graph.node.append(_node(v=_with(sparse_tensors=[_sparse("values")])))),
        ),
        ("in a sparse initializer", graph(lambda m: m.graph.sparse_initializer.append(_sparse("values")))),
        ("in sparse indices", graph(lambda m: m.graph.sparse_initializer.append(_sparse("indices")))),
        ("in a branch of a loop", graph(lambda m: m.graph.node.append(_deep(_body(tensors=(away(),)))))),
        ("in a branch's constant", graph(lambda m: m.graph.node.append(_deep(_body(_node(v=_with(t=away()))))))),
        (
            "in a list of graphs",
            graph(lambda m: m.graph.node.append(_node(v=_with(graphs=[_body(tensors=(away(),))])))),
        ),
        ("in a function", graph(_function(_node(value=_with(t=away()))))),
        ("in a function's branch", graph(_function(_deep(_body(tensors=(away(),)))))),
        ("in a function's default", graph(_function(_node(), _with(t=away())))),
        ("in training's beginning", graph(_training("initialization"))),
        ("in training", graph(_training("algorithm"))),
        ("in a second graph", raw("model.onnx", _twice_graph)),
        (
            "at two places",
            graph(
                lambda m: (
                    m.graph.initializer.append(away()),
                    m.graph.initializer[-1].external_data.add(key="location", value="labels.txt"),
                )
            ),
        ),
        (
            "without their mark",
            graph(lambda m: (m.graph.initializer.append(away()), m.graph.initializer[-1].ClearField("data_location"))),
        ),
    )
]
_GRAPHS: list[Injection] = [
    Injection(f"graph: {name}", "tensor", change, file, word)
    for name, change, file, word in (
        (
            "a context above",
            graph(lambda m: m.graph.node.append(_context(embed_mode=0, ep_cache_context="../../../c.bin"))),
            "model.onnx",
            "'../../../c.bin'",
        ),
        (
            "a context in a function",
            graph(lambda m: _function(_context(embed_mode=0, ep_cache_context="/c.bin"))(m)),
            "model.onnx",
            "'/c.bin'",
        ),
        (
            "a context in a branch",
            graph(lambda m: m.graph.node.append(_deep(_body(_context(embed_mode=0, ep_cache_context="c.bin"))))),
            "model.onnx",
            "'c.bin', which is not in the bundle",
        ),
        (
            "a context's model",
            graph(lambda m: m.graph.node.append(_context(embed_mode=1, onnx_model_filename="/m.onnx"))),
            "model.onnx",
            "'/m.onnx'",
        ),
        (
            "settings in its metadata",
            graph(lambda m: m.metadata_props.add(key="ort_config", value='{"session_options": {}}')),
            "model.onnx",
            "'ort_config'",
        ),
        (
            "another graph as data",
            _all(_also("b.onnx", b""), raw("b.onnx", lambda was: _other()), weights("b.onnx", 0, 4)),
            "model.onnx",
            "which is a graph",
        ),
        (
            "a field of a long number",
            raw("model.onnx", lambda was: was + b"\xba\x80\x80\x80\x10\x00"),
            "model.onnx",
            "field",
        ),
        ("a group", raw("model.onnx", lambda was: was + b"\x3b\x3c"), "model.onnx", "not an ONNX model"),
        ("a cut one", raw("model.onnx", lambda was: was[:-3]), "model.onnx", "not an ONNX model"),
    )
]


def _other() -> bytes:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    return helper.make_model(_body(tensors=(tensor,))).SerializeToString()


INJECTIONS = [*_JSON, *_FILES, *_NAMES, *_KEYS, *_OPENS, *_LOCATIONS, *_PLACES, *_GRAPHS]

# What the manifest itself says: (name, a change of the first variant, a word of the refusal).
OPTIONS: list[tuple[str, dict[str, str], str]] = [
    ("a library", {"backend_path": "./model/portable/evil.so"}, "backend_path"),
    ("a bare library", {"backend_path": "evil.so"}, "backend_path"),
    ("a profile", {"enable_profiling": "1"}, "enable_profiling"),
    ("a trace", {"framework_op_trace_dir": "t"}, "framework_op_trace_dir"),
    ("what nobody knows", {"plugin": "evil"}, "plugin"),
]
