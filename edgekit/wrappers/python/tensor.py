"""A model of plain tensors: arrays in, arrays out, both checked against the bundle's contract."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from . import manifest as manifests
from . import pictures
from .bundle import Opened, cannot_open
from .manifest import Refused
from .npz import Array
from .upright import upright


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
        if manifests.PROVIDERS[ep] not in self.session.get_providers():  # ONNX Runtime went on without it, in silence
            raise manifests.no_provider("the bundle's variant", ep)

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

    def picture(self, name: str, pixels: Array, pixel_format: str = "rgb8") -> Array:
        """The array of an input, made of a picture as the contract says.

        Args:
            pixels: uint8 [height, width, 3 or 4], as `pixel_format` says (upright.py has the words).

        Raises:
            Refused: there is no such input, the contract does not say how, or these are no pixels.
        """
        for tensor in self.inputs:
            if tensor["name"] == name:
                return pictures.of_picture(tensor, upright(pixels, pixel_format))
        names = ", ".join(str(tensor["name"]) for tensor in self.inputs)
        raise _wrong(f"the model has no input {name!r}", f"its inputs are: {names}")

    def classify(self, pixels: Array, top: int = 5, pixel_format: str = "rgb8") -> list[dict[str, Any]]:
        """What a picture shows, the best first: {"index", "label" or None, "score" as the model gives it}.

        Args:
            pixels, pixel_format: as for `picture`.

        Raises:
            Refused: the contract does not speak of classes, or wants more than a picture.
        """
        if self.opened.contract.get("decode") != "classes":
            raise _wrong(
                "the bundle's contract does not say that its outputs are classes",
                'ask run, or build the bundle from a card with decode = "classes"',
            )
        pixels = upright(pixels, pixel_format)
        moving = [tensor for tensor in self.inputs if (tensor.get("preprocess") or {}).get("kind") != "fixed"]
        feed = {
            tensor["name"]: pictures.of_picture(tensor, pixels)
            if moving and tensor is moving[0]
            else pictures.of_fixed(tensor)
            for tensor in self.inputs
        }
        array = self.run(feed)[self._scores()]
        if not array.ndim or not array.size:
            raise _wrong("the model gave no scores", "ask run")
        row = array.reshape(-1, array.shape[-1])[0].astype(np.float64)
        order = np.argsort(-np.where(np.isnan(row), -np.inf, row), kind="stable")[:top]
        labels = self.labels or []
        return [
            {"index": int(at), "label": (labels[at] if at < len(labels) else "") or None, "score": float(row[at])}
            for at in order
        ]

    def _scores(self) -> str:
        """The output that classes are read from: of as many values as there are labels, else the first of floats."""
        floats = [tensor for tensor in self.outputs if tensor["dtype"].startswith("float") and tensor["shape"]]
        exact = [tensor for tensor in floats if self.labels and tensor["shape"][-1] == len(self.labels)]
        if not floats:
            raise Refused("the contract speaks of classes, and none of its outputs can be scores")
        return str((exact or floats)[0]["name"])

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
