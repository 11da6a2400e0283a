"""A model of plain tensors: arrays in, arrays out, both checked against the bundle's contract."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from . import manifest as manifests
from .bundle import Opened, cannot_open
from .manifest import Refused
from .npz import Array


class TensorBundle:
    """An opened tensor model.

    Attributes:
        inputs, outputs: [{"name", "dtype", "shape", "preprocess"?}, ...] of the contract; a dimension is a size, or
            the name of one that may vary, or None.
        labels: what output classes or characters mean, where the bundle says it.
    """

    form: Literal["onnx"] = "onnx"

    def __init__(self, opened: Opened) -> None:
        contract = opened.contract
        self.opened = opened
        self.inputs: list[dict[str, Any]] = list(contract["inputs"])
        self.outputs: list[dict[str, Any]] = list(contract["outputs"])
        self.labels = _labels(opened)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        if opened.threads is not None:
            options.intra_op_num_threads = opened.threads
        ep = str(opened.variant.get("ep", "cpu"))
        chosen = {str(key): str(value) for key, value in (opened.variant.get("ep_options") or {}).items()}
        with cannot_open("ONNX Runtime"):
            providers = [(manifests.PROVIDERS[ep], chosen)]
            self.session = ort.InferenceSession(str(opened.model), options, providers=providers)

    def run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """One inference: the outputs by name.

        Raises:
            Refused: an input that is missing, unknown, or of another dtype or shape than the contract's.
        """
        self.check(feed)
        names = [str(one["name"]) for one in self.outputs]
        try:
            return dict(zip(names, self.session.run(names, dict(feed)), strict=True))
        except (Fail, InvalidArgument, RuntimeException) as error:
            reason = (str(error).splitlines() or ["no reason given"])[0][:300]
            raise _wrong(f"the model cannot take this input: {reason}", "look at the sizes that may vary") from None

    def check(self, feed: Mapping[str, Array]) -> None:
        """Refuse, in one line, a feed that the contract does not allow."""
        names = [str(one["name"]) for one in self.inputs]
        for name in feed:
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise _wrong(f"the model has no input {name!r}{hint}", f"its inputs are: {', '.join(names)}")
        for one in self.inputs:
            if one["name"] not in feed:
                raise _wrong(f"the input {one['name']!r} is missing", f"it is {describe(one)}")
            _check_array(one, feed[one["name"]])


def describe(tensor: Mapping[str, Any]) -> str:
    """ "float32 [1, 3, height, width]"."""
    dims = ", ".join("?" if dim is None else str(dim) for dim in tensor["shape"])
    return f"{tensor['dtype']} [{dims}]"


def _check_array(tensor: Mapping[str, Any], array: Array) -> None:
    """Compare one array with the contract. Dimensions that vary are left to the engine: exporters name them badly."""
    name, wanted = tensor["name"], describe(tensor)
    if str(array.dtype) != tensor["dtype"]:
        raise _wrong(f"the input {name!r} is {array.dtype}", f"it must be {wanted}")
    sizes = zip(array.shape, tensor["shape"], strict=False)
    if array.ndim != len(tensor["shape"]) or any(isinstance(dim, int) and have != dim for have, dim in sizes):
        raise _wrong(f"the input {name!r} has the shape {list(array.shape)}", f"it must be {wanted}")


def _labels(opened: Opened) -> list[str] | None:
    """One label or character a line, where the contract names a file of them."""
    relative = opened.contract.get("labels")
    if not relative:
        return None
    text = manifests.inside(opened.folder, str(relative)).read_text(encoding="utf-8")
    return text.removesuffix("\n").split("\n")


def _wrong(message: str, next: str) -> Refused:
    return Refused(message, next=next, code="usage")
