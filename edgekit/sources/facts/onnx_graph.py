"""What an ONNX file says of itself: inputs, outputs, opset, weights. External data is checked, not read."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit import cache
from edgekit.data import digest
from edgekit.errors import SourceError
from edgekit.kinds import tensor as tensor_kind
from edgekit.model import Dim, Model, Tensor
from edgekit.sources.facts import foreign, invalid
from edgekit.sources.facts.files import AGAIN

PROTOBUF_LIMIT = 2 << 30  # bytes of one protobuf message; larger models keep their weights in other files
# ONNX element type -> (numpy's name, bits): https://onnx.ai/onnx/api/classes.html#tensorproto
TYPES: dict[int, tuple[str, int]] = {
    1: ("float32", 32), 2: ("uint8", 8), 3: ("int8", 8), 4: ("uint16", 16), 5: ("int16", 16),
    6: ("int32", 32), 7: ("int64", 64), 8: ("str", 0), 9: ("bool", 8), 10: ("float16", 16),
    11: ("float64", 64), 12: ("uint32", 32), 13: ("uint64", 64), 14: ("complex64", 64),
    15: ("complex128", 128), 16: ("bfloat16", 16),
    17: ("float8_e4m3fn", 8), 18: ("float8_e4m3fnuz", 8), 19: ("float8_e5m2", 8), 20: ("float8_e5m2fnuz", 8),
    21: ("uint4", 4), 22: ("int4", 4), 23: ("float4_e2m1fn", 4), 24: ("float8_e8m0fnu", 8), 25: ("uint2", 2),
    26: ("int2", 2),
}  # fmt: skip
STRING = 8
MAX_DIMS = 64
MAX_NODES = 10_000_000  # once functions are unfolded; the largest nets in use have 100,000
TYPED = {1: "float_data", 6: "int32_data", 7: "int64_data", 11: "double_data"}  # where values lie if not raw
QUANTIZED_WORDS = (
    "uantizeLinear",  # Quantize, Dequantize
    "DynamicQuantize",
    "QLinear",
    "Integer",
    "NBits",
    "BlockQuantized",
    "QAttention",
    "QGemm",
    "QMoE",
)


class NotValid(SourceError):
    """What the ONNX checker refuses; ONNX Runtime may take it."""


def read_model(path: Path, *, name: str, task: str = "", license: str = "unknown", architecture: str = "") -> Model:
    """The facts of an .onnx file, after checking that the file and what it refers to are whole.

    Raises:
        SourceError: not an ONNX model, cut off, refused by the ONNX checker; external data that is missing,
            short or outside the file's folder; inputs or outputs that are not tensors.
    """
    with utf8(path):
        return _facts(path).model_copy(
            update={"name": name, "task": task, "license": license, "architecture": architecture}
        )


@contextmanager
def utf8(path: Path) -> Iterator[None]:
    """A name that is not UTF-8 is a SourceError."""
    try:
        yield
    except UnicodeDecodeError:
        raise SourceError(f"{path.name} is not a valid ONNX model: a name in it is not UTF-8", next=AGAIN) from None


def is_quantized(path: Path) -> bool:
    """Whether a graph that ONNX Runtime has loaded computes with, or unpacks, quantized values; reads no weights."""
    import onnx

    proto = onnx.load(str(path), load_external_data=False)
    return _quantized({node.op_type for graph in bodies(proto) for node in graph.node})


def _quantized(operators: set[str]) -> bool:
    return any(word in operator for operator in operators for word in QUANTIZED_WORDS)


def _facts(path: Path) -> Model:
    proto = parse(path)
    tensors = [tensor for graph in bodies(proto) for tensor in _tensors(graph)]
    others = _check_weights(path, tensors)
    _check(path)
    _check_functions(path, proto)
    stored = {other: path.parent / other for other in others}
    initial = {tensor.name for tensor in proto.graph.initializer}
    operators = {text(node.op_type) for graph in bodies(proto) for node in graph.node}
    return Model(
        name="",
        kind=tensor_kind.KIND.name,
        parameters=sum(prod(tensor.dims) for tensor in tensors),
        source_bytes=path.stat().st_size + sum(other.stat().st_size for other in stored.values()),
        dtype=_dtype(tensors),
        opset=next((one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")), None),
        quantized=_quantized(operators),
        weight_bytes_by_op=_by_operator(proto),
        sha256=_digest(path, stored),
        inputs=tuple(_tensor(path, one) for one in proto.graph.input if one.name not in initial),
        outputs=tuple(_tensor(path, one) for one in proto.graph.output),
    )


def _dtype(tensors: list[Any]) -> str:
    """The floating-point type that most bytes of weights have."""
    weights = Counter[str]()
    for tensor in tensors:
        weights[TYPES[tensor.data_type][0]] += _nbytes(tensor)
    return next((kind for kind, _ in weights.most_common() if kind.startswith(("float", "bfloat"))), "float32")


def metadata(path: Path) -> dict[str, str]:
    """The file's own key-value pairs (PP-OCR keeps its characters there).

    Raises:
        SourceError: not an ONNX model.
    """
    with utf8(path):
        return {text(pair.key): text(pair.value) for pair in parse(path).metadata_props}


def external_files(path: Path) -> list[str]:
    """The files that hold the model's other weights, as it names them, whether they are there or not.

    Raises:
        SourceError: not an ONNX model, or one of them would lie outside its folder.
    """
    with utf8(path):
        tensors = (tensor for graph in bodies(parse(path)) for tensor in _tensors(graph))
        return sorted({_location(path, tensor) for tensor in tensors if _is_external(tensor)})


def parse(path: Path) -> Any:
    """The model of a file, its external data left where it is.

    Raises:
        SourceError: it cannot be read, or is none.
    """
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        size = path.stat().st_size
        if size == 0:
            raise SourceError(f"{path.name} is empty", next=AGAIN)
        if size >= PROTOBUF_LIMIT:
            raise SourceError(f"{path.name} is larger than 2 GiB", next="save it with its weights as external data")
        proto = ModelProto.FromString(path.read_bytes())
    except OSError as error:
        raise SourceError(f"cannot read {path.name}: {error.strerror}", next="check the path and its rights") from None
    except DecodeError:
        cut = SourceError(f"{path.name} is not an ONNX model, or it is cut off", next=AGAIN)
        raise foreign.instead(path, cut) from None
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise foreign.instead(path, SourceError(f"{path.name} holds no graph", next="give an .onnx model"))
    return proto


def _check(path: Path) -> None:
    """The ONNX project's own checker, on the file as it lies there."""
    from onnx import checker

    try:
        checker.check_model(str(path))
    except (checker.ValidationError, ValueError, RuntimeError, TypeError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise NotValid(
            f"{path.name} is not valid ONNX: {lines[0].strip()[:200]}",
            next=invalid.advice(lines[0]),
        ) from None


def _check_functions(path: Path, proto: Any) -> None:
    """Refuse local functions that call each other so often that putting them in place would never end.

    The ONNX checker has found that no function calls itself; without that the numbers below would not end either.
    """
    functions = {(one.domain, one.name): one for one in proto.functions}
    sizes: dict[tuple[str, str], int] = {}

    def nodes(body: Any) -> int:
        found = 0
        for inner in (body, *_inner(body)):
            for node in inner.node:
                found += size((node.domain, node.op_type)) if (node.domain, node.op_type) in functions else 1
        return found

    def size(key: tuple[str, str]) -> int:
        if key not in sizes:
            sizes[key] = nodes(functions[key])
        return sizes[key]

    try:
        unfolded = nodes(proto.graph)
    except RecursionError:
        unfolded = MAX_NODES + 1
    if unfolded > MAX_NODES:
        raise SourceError(f"{path.name}: its functions unfold to more than {MAX_NODES} nodes", next="do not use it")


def _inner(body: Any) -> Iterator[Any]:
    """The subgraphs of a graph or function, at every depth."""
    for inner in _subgraphs(body):
        yield inner
        yield from _inner(inner)


def bodies(proto: Any) -> Iterator[Any]:
    """The graph, its subgraphs (If, Loop, Scan) and the functions: everything that has nodes."""
    waiting = [proto.graph, *proto.functions]
    while waiting:
        body = waiting.pop()
        yield body
        waiting += _subgraphs(body)


def _subgraphs(body: Any) -> list[Any]:
    found = []
    for node in body.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found.append(attribute.g)
            found += attribute.graphs
    return found


def _tensors(body: Any) -> Iterator[Any]:
    """Every constant of one graph: initializers (functions have none) and what lies in attributes."""
    yield from getattr(body, "initializer", ())
    sparse = list(getattr(body, "sparse_initializer", ()))
    for node in body.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                sparse.append(attribute.sparse_tensor)
            sparse += attribute.sparse_tensors
    for one in sparse:
        yield from (one.values, one.indices)


def text(value: str | bytes) -> str:
    """A name; protobuf gives the bytes of one that is not UTF-8, and this then raises UnicodeDecodeError."""
    return value if isinstance(value, str) else value.decode()


def _nbytes(tensor: Any) -> int:
    bits: int = prod(tensor.dims) * TYPES[tensor.data_type][1]
    return (bits + 7) // 8


def _check_weights(path: Path, tensors: list[Any]) -> list[str]:
    """Each constant has the bytes its shape says; returns the external files, as the model names them."""
    others = set()
    for tensor in tensors:
        shown = text(tensor.name)[:80]
        if tensor.data_type not in TYPES or len(tensor.dims) > MAX_DIMS or any(dim < 0 for dim in tensor.dims):
            raise SourceError(f"{path.name}: the tensor {shown!r} has an unknown type or shape", next=AGAIN)
        if _is_external(tensor):
            others.add(_external(path, tensor, shown))
        elif tensor.data_type != STRING and not _inline(tensor):
            raise SourceError(f"{path.name}: the tensor {shown!r} has not the data its shape asks for", next=AGAIN)
    return sorted(others)


def _inline(tensor: Any) -> bool:
    """True where the values that lie in the file are as many as the shape says."""
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data) == _nbytes(tensor)
    field = TYPED.get(tensor.data_type)
    return field is None or len(getattr(tensor, field)) == prod(tensor.dims)


def _is_external(tensor: Any) -> bool:
    from onnx import TensorProto

    return bool(tensor.data_location == TensorProto.EXTERNAL)


def _place(tensor: Any) -> dict[str, str]:
    return {text(entry.key): text(entry.value) for entry in tensor.external_data}


def _location(path: Path, tensor: Any) -> str:
    """The external file of a tensor: a path inside the model's folder, as far as its text tells."""
    location = _place(tensor).get("location", "")
    where = PurePosixPath(location)
    if "\\" in location and not where.is_absolute() and ".." not in location and ":" not in location:
        raise SourceError(
            f"{path.name}: its external data {location[:200]!r} is named with a backslash, which only Windows takes",
            next="save it again with its weights in one file beside the graph (onnx.save_model, save_as_external_data)",
        )
    if not location or where.is_absolute() or ".." in where.parts or any(sign in location for sign in "\\:\0"):
        raise _outside(path, text(tensor.name)[:80], location)
    return location


def _external(path: Path, tensor: Any, shown: str) -> str:
    facts, location = _place(tensor), _location(path, tensor)
    try:
        real = (path.parent / location).resolve(strict=True)
        inside = real.is_relative_to(path.parent.resolve())
        size = real.stat().st_size if real.is_file() else -1
    except (OSError, RuntimeError):
        raise SourceError(
            f"{path.name}: its external data {location[:200]!r} is missing",
            next="put that file beside the model",
        ) from None
    if not inside or size < 0:
        raise _outside(path, shown, location)
    try:
        offset = int(facts.get("offset") or 0)
        length = int(facts.get("length") or _nbytes(tensor))
    except ValueError:
        raise SourceError(f"{path.name}: the place of the tensor {shown!r} is no number", next=AGAIN) from None
    if length != _nbytes(tensor) or offset < 0:
        raise SourceError(f"{path.name}: the tensor {shown!r} has not the data its shape asks for", next=AGAIN)
    if offset + length > size:
        raise SourceError(
            f"{path.name}: its external data {location!r} is short: {size} of {offset + length} bytes",
            next=AGAIN,
        )
    return location


def _outside(path: Path, shown: str, location: str) -> SourceError:
    return SourceError(
        f"{path.name}: the tensor {shown!r} lies outside the model's folder ({location[:200]!r})",
        next="copy the real file beside the model (cp -L follows links), or do not use this model",
    )


def _by_operator(proto: Any) -> dict[str, int]:
    """Bytes of weights by the operator that reads each first; a weight that none reads is left out."""
    found: Counter[str] = Counter()
    pending: list[tuple[Any, MutableMapping[str, int]]] = [(body, {}) for body in (proto.graph, *proto.functions)]
    while pending:
        body, outer = pending.pop()
        known = ChainMap({tensor.name: _nbytes(tensor) for tensor in getattr(body, "initializer", ())}, outer)
        for node in body.node:
            if node.op_type == "Constant" and node.output:
                known[node.output[0]] = sum(_nbytes(one.t) for one in node.attribute if one.HasField("t"))
            for name in node.input:
                if size := known.get(name, 0):
                    found[_operator(node)] += size
                    known[name] = 0  # counted
        pending += [(inner, known) for inner in _subgraphs(body)]
    return dict(sorted(found.items()))


def _operator(node: Any) -> str:
    """A node's operator; a Gemm that is no plain product of its input, as k-means has, is told apart.

    ONNX Runtime's quantizer takes alpha 1, beta 1 and an input that is not transposed (ReplaceGemmWithMatMul).
    """
    values = {attribute.name: attribute for attribute in node.attribute}
    scaled = any(values[name].f != 1 for name in ("alpha", "beta") if name in values)
    scaled = scaled or ("transA" in values and values["transA"].i != 0)
    return "scaled Gemm" if node.op_type == "Gemm" and scaled else text(node.op_type)


def _tensor(path: Path, value: Any) -> Tensor:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type" or value.type.tensor_type.elem_type not in TYPES:
        shown = {"sequence_type": "a sequence", "map_type": "a map", "optional_type": "an optional value"}.get(
            kind, "none"
        )
        raise SourceError(
            f"{path.name}: {text(value.name)!r} is {shown}, not a tensor",
            next="export the model with plain tensors in and out (a classifier of scikit-learn: zipmap=False)",
        )
    shape = tuple(_dim(one) for one in value.type.tensor_type.shape.dim)
    return Tensor(name=text(value.name), dtype=TYPES[value.type.tensor_type.elem_type][0], shape=shape)


def _dim(dim: Any) -> Dim:
    """A size, a name, or None; exporters also write "?", -1 or 0 for "unknown"."""
    if dim.WhichOneof("value") == "dim_param":
        return text(dim.dim_param) if dim.dim_param not in ("", "?") else None
    return int(dim.dim_value) if dim.dim_value > 0 else None


def _digest(path: Path, others: dict[str, Path]) -> str:
    """sha256 of the file, or of the list of its and its external files' digests."""
    if not others:
        return cache.path_digest(path)
    return digest(
        {path.name: cache.path_digest(path), **{name: cache.path_digest(one) for name, one in others.items()}}
    )
