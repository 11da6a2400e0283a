"""Olive's graph surgeries on a graph without its weights, which are then copied one by one into the new file.

Olive's pass loads a graph with all its weights, and holds them four times before they are written. Surgeons that ask
for few of them work on the graph alone and take those from the mapped file (passes/_weights.py); any other surgeon
gets the whole model, as Olive gives it. The files are the same.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

LEAN = "edgekit_lean"  # a surgeon that has this takes weights by passes/_weights.py alone
PIECE = 64 * 2**20  # bytes compared or copied at once


def install() -> None:
    """Change Olive's pass in this process."""
    from olive.passes.onnx import graph_surgeries

    whole = graph_surgeries.GraphSurgeries._run_for_config
    if whole.__module__ == __name__:
        return

    def run(self: Any, model: Any, config: Any, output_model_path: str) -> Any:
        surgeons = [_lean(self.init_surgeon_instance(each)) for each in config.surgeries]
        plain = config.save_as_external_data and config.all_tensors_to_one_file and not config.convert_attribute
        if not plain or model.external_initializers_path or not all(hasattr(each, LEAN) for each in surgeons):
            return whole(self, model, config, output_model_path)
        return _operate(model, config, output_model_path, surgeons)

    graph_surgeries.GraphSurgeries._run_for_config = run


def _lean(surgeon: Any) -> Any:
    """Olive's own surgeon for tied weights, comparing what it would load."""
    from olive.passes.onnx.graph_surgeries import TieWordEmbeddings

    if type(surgeon) is TieWordEmbeddings:
        surgeon.equal_weights = _equal
        setattr(surgeon, LEAN, True)
    return surgeon


def _equal(dag: Any, first: str, second: str, transpose: bool = False) -> bool:
    """Whether two weights are the same numbers in the same order, whatever their shapes."""
    from edgekit.jobs.olive.passes import _weights

    left, right = (_weights.array(dag.get_initializer_proto(name)) for name in (first, second))
    if left.size != right.size or left.dtype != right.dtype:
        return False
    if transpose:
        return left.T.shape == right.shape and all(
            np.array_equal(left[rows].T, right[:, rows]) for rows in _slices(len(left), left[:1].nbytes)
        )
    left, right = left.reshape(-1), right.reshape(-1)
    return all(np.array_equal(left[some], right[some]) for some in _slices(left.size, left.itemsize))


def _slices(count: int, size: int) -> list[slice]:
    step = max(1, PIECE // max(size, 1))
    return [slice(start, start + step) for start in range(0, count, step)]


def _operate(model: Any, config: Any, output_model_path: str, surgeons: list[Any]) -> Any:
    import onnx
    import onnx_ir as ir
    from olive.model import ONNXModelHandler
    from olive.model.utils import resolve_onnx_path
    from olive.passes.onnx.common import add_version_metadata_to_model_proto
    from olive.resource_path import LocalFolder
    from onnx_ir.passes.common import DeduplicateHashedInitializersPass

    from edgekit.jobs.olive.passes import _weights

    source, target = Path(model.model_path), Path(resolve_onnx_path(output_model_path, Path(model.model_path).name))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _weights.lie_in(source.parent):
        proto = onnx.load(str(source), load_external_data=False)
        for surgeon in surgeons:
            proto = surgeon(proto)
        if config.remove_duplicate_initializers:
            graph = ir.from_proto(proto)
            ir.external_data.set_base_dir(graph.graph, source.parent)
            proto = ir.to_proto(DeduplicateHashedInitializersPass()(graph).model)
        add_version_metadata_to_model_proto(proto)
        name = config.external_data_name or f"{target.name}.data"
        _write(proto, target.parent / name, config.size_threshold)
    onnx.save_model(proto, str(target))
    return ONNXModelHandler(LocalFolder({"path": target.parent}), onnx_file_name=target.name)


def _write(proto: Any, data: Path, threshold: int) -> None:
    """Copy what onnx.save_model would put into the file `data`, tensor by tensor; small ones come into the graph."""
    from onnx import TensorProto, external_data_helper

    from edgekit.jobs.olive.passes import _weights

    with data.open("wb") as stream:
        for tensor in external_data_helper._get_initializer_tensors(proto):
            outside = external_data_helper.uses_external_data(tensor)
            if not outside and not tensor.HasField("raw_data"):
                continue
            content: Any = _weights.mapped(tensor) if outside else memoryview(tensor.raw_data)
            if sys.getsizeof(b"") + len(content) < threshold:  # as save_model counts
                if outside:
                    tensor.raw_data = content.tobytes()
                    del tensor.external_data[:]
                    tensor.data_location = TensorProto.DEFAULT
                continue
            offset = stream.tell()
            for start in range(0, len(content), PIECE):
                stream.write(content[start : start + PIECE])
            tensor.raw_data = b""
            external_data_helper.set_external_data(tensor, data.name, offset, len(content))
            tensor.ClearField("raw_data")
