"""Every fault that a reader meets, in one table: its name, a real injection, the exit code, a part of the message.

Each runs the command a user would run, on files as they lie on a disk, and must end in one line with a next step, the
documented code, and nothing written. Without its injection each is in order.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands, console
from edgekit.errors import from_code
from tests.engines.bundle_faults import (
    ONNX,
    absurd_directory,
    bundle,
    context,
    genai,
    graph,
    linked_bundle,
    npy,
    npz,
    outside,
    piped_bundle,
    put,
    raw_manifest,
    understated,
    zipped,
)
from tests.engines.model_faults import (
    Words,
    config,
    cut,
    elsewhere,
    file,
    functions,
    gguf_cut,
    gguf_file,
    gguf_vocabulary,
    header,
    hf_folder,
    in_a_branch,
    link,
    linked,
    linked_folder,
    links_out,
    merges,
    named,
    onnx_file,
    remove,
    shape_of,
    sharded,
    text,
    weights,
    wheel,
)
from tests.unit.sources import odd_graphs
from tests.unit.sources.tiny_models import TOKENIZER, llama_shapes, safetensors_bytes, save_safetensors

pytestmark = pytest.mark.runtimes

FAULTS: list[tuple[str, Callable[[Path], Words], int, str]] = [
    ("onnx: external data missing", onnx_file(lambda p: p.with_name("m.data").unlink()), 4, "'m.data' is missing"),
    ("onnx: external data short", onnx_file(lambda p: cut(p.with_name("m.data"))), 4, "is short: 24 of 48 bytes"),
    ("onnx: external data above its folder", onnx_file(elsewhere("../m.data")), 4, "lies outside the model's folder"),
    ("onnx: external data in the middle of a path", onnx_file(elsewhere("a/../../m.data")), 4, "lies outside"),
    ("onnx: external data at an absolute path", onnx_file(elsewhere("/etc/passwd")), 4, "lies outside"),
    ("onnx: external data on a drive", onnx_file(elsewhere("C:\\x")), 4, "lies outside"),
    ("onnx: external data by a link", onnx_file(linked), 4, "lies outside the model's folder"),
    ("onnx: external data by a linked folder", onnx_file(linked_folder), 4, "lies outside the model's folder"),
    ("onnx: external data is a folder", onnx_file(elsewhere(".")), 4, "lies outside"),
    ("onnx: a branch's constant leads outside", onnx_file(in_a_branch), 4, "the tensor 'c' lies outside"),
    ("onnx: external data at a negative place", onnx_file(elsewhere("m.data", -8)), 4, "has not the data"),
    ("onnx: external data at no place", onnx_file(elsewhere("m.data", "x")), 4, "is no number"),
    ("onnx: external data of another length", onnx_file(elsewhere("m.data", 0, 47)), 4, "has not the data"),
    ("onnx: cut in half", onnx_file(cut), 4, "cut off"),
    ("onnx: text", onnx_file(lambda p: p.write_text("hello")), 4, "is not an ONNX model"),
    ("onnx: empty", onnx_file(lambda p: p.write_bytes(b"")), 4, "m.onnx is empty"),
    ("onnx: a shape of terabytes", onnx_file(shape_of(2**44)), 4, "has not the data its shape asks for"),
    ("onnx: a negative shape", onnx_file(shape_of(-3)), 4, "unknown type or shape"),
    ("onnx: functions that unfold for ever", onnx_file(functions(60)), 4, "unfold to more than 10000000 nodes"),
    ("onnx: functions that call themselves", onnx_file(functions(0)), 4, "is not valid ONNX"),
    ("onnx: a shape is missing", lambda f: ["build", str(odd_graphs.no_shape(f))], 4, "not even a number of dim"),
    ("onnx: no such file", lambda f: ["build", str(f / "none.onnx")], 4, "there is no"),
    # GGUF: read in a child process, so only the kinds of lie; tests/unit/jobs/test_gguf.py has them all.
    ("gguf: cut in half", gguf_cut, 4, "should end at byte"),
    ("gguf: empty", file("build", "m.gguf", b""), 4, "m.gguf is empty"),
    ("gguf: text", file("build", "m.gguf", b"text"), 4, "is not a GGUF"),
    ("gguf: more tensors than bytes", gguf_file(struct.pack("<QQ", 2**60, 0)), 4, "claims 1152921504606846976 tensors"),
    (
        "gguf: more numbers than any model has",
        gguf_file(struct.pack("<QQ", 0, 1) + named("k") + struct.pack("<IIQ", 9, 0, 9_000_000), 9_000_000),
        4,
        "an array of 9000000 array elements, more than any model has",
    ),
    ("gguf: a token as long as a book", gguf_vocabulary("a" * 200_000), 4, "it has a token of 200000 characters"),
    ("safetensors: a header longer than the file", hf_folder(weights(b"\xff" * 7 + b"\0{}")), 4, "is damaged"),
    ("safetensors: text", hf_folder(weights(b"x" * 100)), 4, "model.safetensors is damaged"),
    ("safetensors: cut off", hf_folder(lambda f: cut(f / "model.safetensors")), 4, "is damaged"),
    ("safetensors: a name twice", hf_folder(weights(safetensors_bytes(b'{"a": 1, "a": 2}'))), 4, "a name occurs twice"),
    ("safetensors: nested", hf_folder(weights(safetensors_bytes(b"[" * 200_000))), 4, "its header is not readable"),
    ("safetensors: a shape of terabytes", hf_folder(weights(header(shape=[2**40]))), 4, "'model.norm.weight' of shape"),
    ("safetensors: overlapping", hf_folder(weights(header(data_offsets=[0, 16]))), 4, "leave a gap or overlap"),
    ("safetensors: a pickle as type", hf_folder(weights(header(dtype="PICKLE"))), 4, "unknown type 'PICKLE'"),
    ("shards: one outside", hf_folder(sharded({"x": "../a.safetensors"})), 4, "a shard outside its folder"),
    ("shards: one missing", hf_folder(sharded({"x": "b.safetensors"})), 4, "the shard b.safetensors is missing"),
    ("shards: a promise broken", hf_folder(sharded({"x": "a.safetensors"})), 4, "lacks the tensor 'x'"),
    ("config: other layers", hf_folder(config(num_hidden_layers=3)), 4, "says 3 layers, the weights have 2"),
    ("config: another vocabulary", hf_folder(config(vocab_size=17)), 4, "config.json implies [17, 8]"),
    ("config: another width", hf_folder(config(hidden_size=16)), 4, "config.json implies"),
    ("config: no size", hf_folder(config(hidden_size="8")), 4, "hidden_size is '8', not a size"),
    ("config: no architecture", hf_folder(config(architectures=["\ud800"])), 4, "names no architecture"),
    ("config: broken", hf_folder(text("config.json", "{")), 4, "config.json is not readable JSON"),
    ("config: nested", hf_folder(text("config.json", "[" * 10**6)), 4, "config.json is not readable JSON"),
    ("config: 20 MB", hf_folder(text("config.json", " " * (20 << 20))), 4, "config.json is larger than 16 MB"),
    ("config: a number of 5000 digits", hf_folder(text("config.json", "9" * 5000)), 4, "is not readable JSON"),
    ("config: end token beyond", hf_folder(text("generation_config.json", '{"eos_token_id": 99}')), 4, "are beyond"),
    ("config: begin token beyond", hf_folder(config(bos_token_id=99)), 4, "begin token 99 is beyond the vocabulary"),
    ("weights: none", hf_folder(remove("model.safetensors")), 4, "but no weights"),
    (
        "weights: pickled",
        hf_folder(lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin")),
        4,
        "the weights are pickled (pytorch_model.bin)",
    ),
    (
        "weights: a layer lacks one",
        hf_folder(
            lambda f: save_safetensors(
                f / "model.safetensors",
                {name: shape for name, shape in llama_shapes().items() if name != "model.layers.1.mlp.up_proj.weight"},
            )
        ),
        4,
        "layer 1 lacks the weight",
    ),
    ("weights: a .pth file", file("build", "m.pth", b"PK"), 4, "is pickled"),
    ("tokenizer: none", hf_folder(remove("tokenizer.json", "tokenizer_config.json")), 4, "has no tokenizer"),
    ("tokenizer: cut off", hf_folder(text("tokenizer.json", json.dumps(TOKENIZER)[:-9])), 4, "is not readable JSON"),
    ("tokenizer: no vocabulary", hf_folder(text("tokenizer.json", "{}")), 4, "it has no vocabulary"),
    ("tokenizer: ids beyond the model", hf_folder(config(vocab_size=8)), 4, "ids up to 15, the model only 8"),
    ("tokenizer: a merge of nothing", hf_folder(merges("t1 nope")), 4, "is not of its tokens"),
    ("tokenizer: a merge of three", hf_folder(merges(["t1", "t2", "t3"])), 4, "is no merge of two tokens"),
    ("tokenizer: settings broken", hf_folder(text("tokenizer_config.json", "[]")), 4, "holds no JSON object"),
    ("folder: a licence that links to a key", hf_folder(links_out("LICENSE")), 4, "LICENSE is a link that leads out"),
    ("folder: a template that links out", hf_folder(links_out("chat_template.jinja")), 4, "is a link that leads out"),
    ("folder: a configuration that links out", hf_folder(links_out("config.json")), 4, "config.json is a link"),
    (
        "folder: own code",
        hf_folder(config(architectures=["InternLM2ForCausalLM"], model_type="odd", auto_map={"AutoModel": "odd.Odd"})),
        4,
        "asks to run the code that came with the model",
    ),
    ("folder: an unknown decoder", hf_folder(config(architectures=["OddForCausalLM"])), 4, "cannot be built"),
    ("archive: a way out", wheel(("../../x", b"1")), 4, "is not a plain file inside it"),
    ("archive: a link", wheel((link("a"), b"/etc/passwd")), 4, "is not a plain file inside it"),
    ("archive: a bomb", wheel(("zeros", bytes(40 << 20))), 4, "would unpack"),
    ("archive: both file and folder", wheel(("a", b"1"), ("a/b", b"2")), 4, "cannot be a file"),
    ("archive: a name of 300 letters", wheel(("x" * 300, b"1")), 4, "cannot be a file"),
    ("bundle: a manifest of 100 MB", raw_manifest(b'{"a": "', 100 << 20), 6, "larger than 8 MiB"),
    ("bundle: nested a million deep", raw_manifest(b"[" * 10**6 + b"]" * 10**6), 6, "deeper than 64"),
    ("bundle: an object nested a million deep", raw_manifest(b'{"a":' * 10**6), 6, "do not close"),
    ("bundle: a key twice", raw_manifest(b'{"format": "1.0-draft", "format": "1.0-draft"}'), 6, "stands twice"),
    ("bundle: never sealed", raw_manifest(b'{"format": "1.0-draft", "sha256": ""}'), 6, "never sealed"),
    ("bundle: changed", raw_manifest(b'{"format": "1.0-draft", "sha256": "00"}'), 6, "changed after it was sealed"),
    *(
        (f"bundle: of format {other!r}", bundle(manifest=put("format", value=other)), 6, "reads '1.0-draft' alone")
        for other in ("2.0", "1.0", "1.1-draft", "1.0-draft2", "0.9", "", "1.0-draft\n", "x" * 1000)
    ),
    ("bundle: a file above it", bundle(manifest=put("files", 0, "path", value="../x")), 6, "'..'"),
    ("bundle: a file at an absolute path", bundle(manifest=put("files", 0, "path", value="/etc/x")), 6, "absolute"),
    ("bundle: a file named like a device", bundle(manifest=put("files", 0, "path", value="check/NUL")), 6, "device"),
    ("bundle: an impossible size", bundle(manifest=put("files", 0, "size", value=2**60)), 6, "is impossible"),
    ("bundle: its variant elsewhere", bundle(manifest=put("variants", 0, "path", value="../model")), 6, "'..'"),
    ("bundle: its labels elsewhere", bundle(manifest=put("contract", "labels", value="/etc/x")), 6, "not among"),
    ("bundle: its name is a path", bundle(manifest=put("name", value="../b")), 6, "not safe"),
    (
        "bundle: an engine option loads a library",
        bundle(manifest=put("variants", 0, "ep_options", value={"backend_path": "./model/portable/evil.so"})),
        6,
        "the option variant 'portable'.backend_path is './model/portable/evil.so': none that edgekit knows of cpu",
    ),
    ("bundle: external data elsewhere", bundle(files={ONNX: outside("../../../x")}), 6, "it names the file"),
    ("bundle: external data of nobody", bundle(files={ONNX: outside("other")}), 6, "which is not in the bundle"),
    ("bundle: a compiled context elsewhere", bundle(files={ONNX: graph(context)}), 6, "'../../../ctx.bin'"),
    ("bundle: genai opens a file elsewhere", bundle(files=genai(filename="../../x.onnx")), 6, "filename is"),
    ("bundle: genai opens a file of nobody", bundle(files=genai(filename="x.onnx")), 6, "has no such file"),
    (
        "bundle: genai runs a library",
        bundle(files=genai(session_options={"custom_ops_library": "evil.so"})),
        6,
        "a library that the engine would run",
    ),
    (
        "bundle: genai hands a path to a provider",
        bundle(files=genai(session_options={"provider_options": [{"QNN": {"backend_path": "/tmp/evil.so"}}]})),
        6,
        "a path, which an engine would open",
    ),
    ("bundle: genai's file is none", bundle(files={"model/portable/genai_config.json": b"[" * 10**6}), 6, "no JSON"),
    (
        "bundle: arrays of terabytes",
        bundle(files=npz(a=npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }", b"1234"))),
        6,
        "its size is not that of its data",
    ),
    (
        "bundle: pickled arrays",
        bundle(files=npz(a=npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\x80\x04."))),
        6,
        "it holds pickled objects",
    ),
    ("bundle: packed arrays", bundle(files=npz(zeros=bytes(8 << 20))), 6, "it is packed"),
    ("bundle: arrays that are none", bundle(files={"check/inputs.npz": b"PK"}), 6, "it is no archive of arrays"),
    ("bundle: a link", linked_bundle, 6, f"link {ONNX}"),
    ("bundle: a pipe", piped_bundle, 6, f"special file {ONNX}"),
    ("zip: a way out", zipped(lambda a: a.writestr("../x", "x")), 6, "'..'"),
    ("zip: an absolute path", zipped(lambda a: a.writestr("/etc/x", "x")), 6, "absolute"),
    ("zip: a backslash", zipped(lambda a: a.writestr("..\\x", "x")), 6, "backslash"),
    ("zip: a link", zipped(lambda a: a.writestr(link("l"), "/etc/passwd")), 6, "it is a link"),
    ("zip: a bomb", zipped(lambda a: a.writestr("model/portable/zeros", bytes(200 << 20))), 6, "more than 100 times"),
    ("zip: one name in two spellings", zipped(lambda a: a.writestr("MODEL/x", "x")), 6, "the same to some file"),
    ("zip: ten thousand entries", zipped(lambda a: [a.writestr(f"d/{n}", "") for n in range(10_001)]), 6, "10000"),
    ("zip: a directory of a gigabyte", absurd_directory, 6, "directory is larger than 8 MiB"),
    ("zip: an understated size", understated, 6, "changed LICENSES/LICENSE.txt"),
    ("zip: cut off", file("verify", "b.zip", b"PK\x03\x04"), 6, "not a whole zip"),
]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to break things in, with a cache and a package index of its own."""
    folder = tmp_path / "room"
    folder.mkdir()
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    yield folder
    console.configure()


def call(words: Words, out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """The exit code and the one JSON document of a command."""
    if words[0] == "build":
        words = [*words, "--target", "linux-cpu", "-o", str(out), "--dry-run"]
    code = commands.main([*words, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


@pytest.mark.parametrize(("make", "code", "fragment"), [pytest.param(*row, id=name) for name, *row in FAULTS])
def test_a_fault(
    room: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], Words],
    code: int,
    fragment: str,
) -> None:
    words = make(room)
    before = sorted(room.rglob("*"))
    found, document = call(words, tmp_path / "out", capsys)
    error, data = document["error"], document["data"] or {}
    problems = [f"{one['what']} {one['path']} ({one['detail']})" for one in data.get("problems", [])]
    assert fragment in "\n".join([error["message"], *problems]), error
    assert found == document["exit_code"] == code == from_code(error["code"], "").exit_code
    assert error["next"] and "\n" not in error["message"] + error["next"] and len(error["message"]) < 700
    assert not (tmp_path / "out").exists() and sorted(room.rglob("*")) == before
    whole = [path for path in (tmp_path / "cache").glob("import/*") if path.is_dir()]
    assert not [path for path in whole if (path / "model" / "config.json").exists()], "nothing half-made is kept"


@pytest.mark.parametrize(
    "make",
    [
        onnx_file(lambda path: None),
        onnx_file(functions(10)),
        hf_folder(lambda folder: None),
        hf_folder(merges()),
        gguf_vocabulary("a" * 1000),
        bundle(),
        bundle(files=genai(session_options={"provider_options": [{"QNN": {"backend_path": "libQnnHtp.so"}}]})),
        bundle(manifest=lambda d: d["variants"][0].update(ep="qnn", ep_options={"backend_path": "libQnnHtp.so"})),
        bundle(files=npz(a=npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", b"1234"))),
        zipped(lambda archive: None),
    ],
)
def test_what_is_right_is_taken(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], Words]
) -> None:
    """Without its injection each of the above is in order."""
    found, document = call(make(room), tmp_path / "out", capsys)
    assert found == 0, document["error"]
