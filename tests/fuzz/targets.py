"""What is fuzzed: for each reader, how its input is made (always bytes) and how it is read.

An input begins as a whole file of the kind and is then changed: single values of a document, or bytes at a place. So it
gets far into the reader, which random bytes never do.
"""

from __future__ import annotations

import atexit
import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gguf
import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import ValidationError

from edgekit import plan, target
from edgekit.bundle.read import parse
from edgekit.bundle.verify import verify
from edgekit.catalog import cards
from edgekit.contract import check_plan
from edgekit.contract.manifest import seal_digest
from edgekit.data import digest, jsonable
from edgekit.jobs.gguf import convert
from edgekit.model import Model
from edgekit.sources.facts import hf_folder, hub_files, safetensors
from edgekit.sources.facts.content import Graph
from edgekit.sources.facts.onnx_graph import external_files, metadata, read_model
from edgekit.wrappers.python import guard, npz
from edgekit.wrappers.python import manifest as runtime
from tests.unit.bundle import tiny_bundle
from tests.unit.sources import odd_graphs, tiny_models

Read = Callable[[Path], object]
PROFILES = Path(target.__file__).parents[1] / "targets"


@dataclass(frozen=True)
class Fuzzed:
    """One reader: the name of the file it reads, the inputs, and the call."""

    file: str
    inputs: SearchStrategy[bytes]
    read: Read


# --- inputs -------------------------------------------------------------------------------------------------------

VALUES: SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["../x", "/etc/passwd", "1.0", "\x1b[2J", "\ud800", 10**400, 2**63, -1, "", "check/NUL"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NUMBERS = [struct.pack("<Q", n) for n in (0, 1, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**60, 2**63, 2**64 - 1)]
CHUNKS = st.binary(max_size=12) | st.sampled_from(NUMBERS) | st.sampled_from([one[:4] for one in NUMBERS])
EDITS = st.lists(
    st.tuples(st.floats(0, 0.9999), st.integers(0, 16), CHUNKS, st.booleans()), min_size=1, max_size=6
)  # where, how much goes, what comes, whether in the first kilobyte


def edited(*bases: bytes) -> SearchStrategy[bytes]:
    """One of these files with bytes replaced, inserted or removed; sometimes cut off."""

    def build(base: bytes, edits: list[tuple[float, int, bytes, bool]], cut: float) -> bytes:
        data = bytearray(base)
        for where, drop, put, early in edits:
            at = int(where * min(len(data), 1024 if early else len(data)))
            data[at : at + drop] = put
        return bytes(data[: int(cut * len(data))] if cut < 0.9 else data)

    return st.builds(build, st.sampled_from(bases), EDITS, st.floats(0, 8))


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at] + [place for key, value in inner for place in places(value, (*at, key))]


def put(data: Any, at: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at one path."""
    if not at:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[at[0]] = put(data[at[0]], at[1:], value)
    return copy


def documents(*bases: Any, write: Callable[[Any], bytes]) -> SearchStrategy[bytes]:
    """One of these documents with up to three values that are something else."""

    def build(base: Any, changes: list[tuple[int, Any]]) -> bytes:
        for where, value in changes:
            known = places(base)
            base = put(base, known[where % len(known)], value)
        return write(base)

    changes = st.lists(st.tuples(st.integers(0, 10**6), VALUES), min_size=1, max_size=3)
    return st.builds(build, st.sampled_from(bases), changes)


def as_json(data: Any) -> bytes:
    return json.dumps(data).encode()


def resealed(data: Any) -> bytes:
    """A manifest with a digest that is right: whoever can write one can do that."""
    try:
        return as_json(data | {"sha256": seal_digest(data)} if isinstance(data, dict) else data)
    except ValueError:  # what canonical JSON does not hold
        return as_json(data)


# --- files to begin with ------------------------------------------------------------------------------------------


@lru_cache
def samples() -> Path:
    """A folder that holds a whole file of each kind."""
    home = TemporaryDirectory(prefix="edgekit-fuzz-", ignore_cleanup_errors=True)  # removed when the process ends
    atexit.register(home.cleanup)
    folder = Path(home.name)
    (folder / "of").mkdir()
    tiny_bundle.build(folder / "bundle", tiny_bundle.origin(folder / "of"), tiny_bundle.draft("bundle"))
    with zipfile.ZipFile(folder / "bundle.zip", "w") as archive:
        for path in sorted((folder / "bundle").rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder / "bundle").as_posix())
    write_gguf(folder / "m.gguf")
    (folder / "llama").mkdir()
    tiny_models.save_llama(folder / "llama")
    return folder


def write_gguf(path: Path) -> None:
    """A llama of one layer and few tokens, with metadata of every kind."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    tokens = ["<unk>", "<s>", "</s>", "a", "b", "ab", "  ", "<0x41>"]
    writer.add_token_list(tokens)
    writer.add_token_types([2, 3, 3, 1, 1, 1, 4, 6])
    writer.add_token_scores([0.0] * 3 + [-3.0, -4.0, -1.0, 0.0, 0.0])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{{ messages }}")
    writer.add_bool("general.odd", True)
    writer.add_array("general.numbers", [1, 2, 3])
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones((32, 32), np.float16))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(32, np.float32))
    writer.add_tensor("token_embd.weight", np.ones((len(tokens), 32), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@lru_cache
def onnx_files() -> tuple[bytes, ...]:
    makers = (
        odd_graphs.external_folder,
        odd_graphs.subgraphs,
        odd_graphs.function,
        odd_graphs.sparse,
        odd_graphs.state,
    )
    found = []
    for number, make in enumerate(makers):
        folder = samples() / f"onnx{number}"
        folder.mkdir()
        path = make(folder)
        found.append((path / "model.onnx" if path.is_dir() else path).read_bytes())
    return (*found, (samples() / "of" / "model" / "model.onnx").read_bytes())


def npz_file() -> bytes:
    data = io.BytesIO()
    np.savez(data, a=np.ones((2, 3), np.float32), b=np.array(["x"]), c=np.zeros(0, np.int64))
    return data.getvalue()


# --- readers ------------------------------------------------------------------------------------------------------


def read_manifest(path: Path) -> None:
    parse(path.read_bytes())


def read_in_an_app(path: Path) -> None:
    """The reader that lies in bundles, as an app has it."""
    try:
        found = runtime.read(path.parent)
        runtime.check_files(path.parent, found, str(runtime.choose(found, foreign=True)["name"]))
    except runtime.Refused as error:
        assert "\n" not in error.message


def read_check_plan(path: Path) -> None:
    check_plan.parse(path.read_bytes())


def make_plan(path: Path) -> None:
    """A plan for whatever a source may say of a model: it is made, or refused, and can be written down."""
    try:
        model = Model.model_validate_json(path.read_bytes())
    except ValidationError:
        return
    made = plan.make(model, target.load("linux-cpu"))
    digest(jsonable(made))


def read_profile(path: Path) -> None:
    digest(jsonable(target.load(str(path))))


def read_card(path: Path) -> None:
    digest(jsonable(cards.load(str(path))))


def read_gguf(path: Path) -> None:
    convert(path, path.parent / "out")


def read_onnx(path: Path) -> None:
    external_files(path)
    metadata(path)
    digest(jsonable(read_model(path, name="fuzz")))


def read_graph(path: Path) -> None:
    with path.open("rb") as stream:
        graph = Graph(stream, path.name)
    graph.facts()
    with path.open("rb") as stream:
        list(guard.graph(stream, "model/portable/model.onnx", {}))


def read_zip(path: Path) -> None:
    verify(path)


def read_safetensors(path: Path) -> None:
    safetensors.read_header(path)


def read_folder(path: Path) -> None:
    """config.json, or one of the files beside it, of a Hugging Face folder."""
    config = hf_folder.read_config(path.parent)
    digest(jsonable(hf_folder.llm_model(path.parent, config, name="fuzz")))


def in_a_llama(read: Read) -> Read:
    """The other files of the folder are whole."""

    def run(path: Path) -> None:
        mine = path.read_bytes()
        tiny_models.save_llama(path.parent)
        path.write_bytes(mine)
        read(path)

    return run


def read_listing(path: Path) -> None:
    """The hub job answers with lists of these; the names and digests in them are the server's."""
    found = [one for one in json.loads(path.read_bytes()) if isinstance(one, dict)]
    texts = [
        {"path": one.get("path"), "size": 1, "sha256": str(one.get("sha256")), "blob": str(one.get("blob"))}
        for one in found
    ]
    files = hub_files.listing(texts, "org/name")
    for where in ("", "onnx", "onnx/model.onnx"):
        hub_files.choose(files, where, "org/name", code=True)


def read_genai(path: Path) -> None:
    name = "model/portable/genai_config.json"
    sizes = {name: 1, "model/portable/model.onnx": 1}
    list(guard.faults(sizes, lambda _: path.open("rb"), [], "genai", readable={name}))


def read_npz(path: Path) -> None:
    with path.open("rb") as stream:
        list(npz.faults(stream))


def sealed() -> SearchStrategy[bytes]:
    path = samples() / "bundle" / "edgekit.json"
    return documents(json.loads(path.read_text()), write=resealed) | edited(path.read_bytes())


def plans() -> SearchStrategy[bytes]:
    whole = [jsonable(check_plan.default_plan(kind)) for kind in ("llm", "tensor")]
    return documents(*whole, write=as_json) | edited(as_json(whole[0]))


def models() -> SearchStrategy[bytes]:
    net = read_model(samples() / "of" / "model" / "model.onnx", name="tiny")
    llm = hf_folder.llm_model((samples() / "llama"), hf_folder.read_config(samples() / "llama"), name="tiny")
    return documents(jsonable(net), jsonable(llm), write=as_json)


def in_llama(name: str) -> Fuzzed:
    raw = ((samples() / "llama") / name).read_bytes()
    return Fuzzed(name, documents(json.loads(raw), write=as_json) | edited(raw), in_a_llama(read_folder))


def listings() -> SearchStrategy[bytes]:
    names = ["config.json", "model.safetensors", "onnx/model.onnx", "README.md"]
    whole = [{"path": name, "sha256": "", "blob": "0" * 40, "size": 1} for name in names]
    return documents(whole, write=lambda data: as_json(data if isinstance(data, list) else [data]))


def genai_configs() -> SearchStrategy[bytes]:
    options = {"session_options": {"provider_options": [{"cpu": {"a": "b"}}]}, "filename": "model.onnx"}
    return documents({"model": {"decoder": options}, "search": {}}, write=as_json)


def tomls(folder: Path) -> SearchStrategy[bytes]:
    return edited(*(path.read_bytes() for path in sorted(folder.glob("*.toml"))))


def file_of(name: str) -> SearchStrategy[bytes]:
    return edited((samples() / name).read_bytes())


# By what they share: each group is one process.
GROUPS: dict[str, dict[str, Callable[[], Fuzzed]]] = {
    "bundles": {
        "manifest": lambda: Fuzzed("edgekit.json", sealed(), read_manifest),
        "manifest in an app": lambda: Fuzzed("edgekit.json", sealed(), read_in_an_app),
        "check plan": lambda: Fuzzed("plan.json", plans(), read_check_plan),
        "genai config": lambda: Fuzzed("genai.json", genai_configs(), read_genai),
        "arrays": lambda: Fuzzed("a.npz", edited(npz_file()), read_npz),
        "zip": lambda: Fuzzed("b.zip", file_of("bundle.zip"), read_zip),
    },
    "models": {
        "gguf": lambda: Fuzzed("m.gguf", file_of("m.gguf"), read_gguf),
        "onnx": lambda: Fuzzed("m.onnx", edited(*onnx_files()), read_onnx),
        "onnx in a bundle": lambda: Fuzzed("m.onnx", edited(*onnx_files()), read_graph),
        "safetensors": lambda: Fuzzed("m.safetensors", file_of("llama/model.safetensors"), read_safetensors),
    },
    "folders": {
        "config": lambda: in_llama("config.json"),
        "generation config": lambda: in_llama("generation_config.json"),
        "tokenizer": lambda: in_llama("tokenizer.json"),
        "tokenizer config": lambda: in_llama("tokenizer_config.json"),
        "hub listing": lambda: Fuzzed("listing.json", listings(), read_listing),
    },
    "plans": {
        "plan": lambda: Fuzzed("model.json", models(), make_plan),
        "profile": lambda: Fuzzed("fuzz.toml", tomls(PROFILES), read_profile),
        "card": lambda: Fuzzed("fuzz.toml", tomls(Path(cards.__file__).parent / "models"), read_card),
    },
}
