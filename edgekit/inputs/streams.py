"""From one item (a picture, a recording, a text) to the calls of the model: every input filled, state carried on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.inputs.feeds import Feed
from edgekit.model import FixedInput, Model, StateInput, Tensor

# What of ONNX Runtime's words says nothing of an input: a number, the place in its own code, a closing advice.
NOISE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : |/\S+\.(?:h|cc):\d+ .*?\) | Please fix either .*$")


def fixed(model: Model) -> Feed:
    """The inputs that always have the same value."""
    return {
        tensor.name: np.full(form.shape, form.value, np.dtype(tensor.dtype))
        for tensor, form in forms(model, FixedInput)
    }


def initial(model: Model) -> Feed:
    """The state before the first call: zeros."""
    return {tensor.name: np.zeros(form.shape, np.dtype(tensor.dtype)) for tensor, form in forms(model, StateInput)}


def states(model: Model) -> dict[str, str]:
    """State input -> the output of the call before that it is."""
    return {tensor.name: form.output for tensor, form in forms(model, StateInput)}


def free(model: Model) -> list[Tensor]:
    """The inputs that a caller must give: neither fixed nor state."""
    return [one for one in model.inputs if not isinstance(one.preprocess, FixedInput | StateInput)]


def forms(model: Model, kind: type[Any]) -> list[tuple[Tensor, Any]]:
    """The inputs of one form, each with it."""
    return [(one, one.preprocess) for one in model.inputs if isinstance(one.preprocess, kind)]


class Carrier:
    """Fills in fixed values and state. The state of a call is what the float model, run for real, gave the call before.

    Raises:
        SourceError: ONNX Runtime cannot load or run the source; a call brings along a fixed input of another size.
    """

    def __init__(self, model: Model, path: Path) -> None:
        self._states = states(model)
        self._fixed = fixed(model)
        self._initial = initial(model)
        self._path = path
        self._session: Any = None

    @property
    def stateful(self) -> bool:
        """True where the calls of a stream depend on each other."""
        return bool(self._states)

    def complete(self, given: Feed) -> Feed:
        """One call of a model without state; what is given wins."""
        return self._with_fixed(given)

    def stream(self, calls: Iterable[Feed]) -> Iterator[Feed]:
        """The calls of one stream in their order; a state that a call brings along is kept."""
        state = self._initial
        for given in calls:
            feed = {**state, **self._with_fixed(given)}
            yield feed
            if self._states:
                state = self._next(feed)

    def try_run(self, feed: Feed) -> None:
        """Run one call for nothing but to see that the source takes it."""
        self._run(None, feed)

    def _with_fixed(self, call: Feed) -> Feed:
        for name, value in self._fixed.items():
            if name in call and call[name].shape != value.shape:
                raise SourceError(
                    f"the input {name!r} is said to be the same in every call, {list(value.shape) or 'a single number'}"
                    f", and the data has arrays of {list(call[name].shape)} for it",
                    next="leave its arrays out of the files, or do not say that it is fixed",
                )
        return {**self._fixed, **call}

    def _next(self, feed: Feed) -> Feed:
        outputs = self._run(list(self._states.values()), feed)
        return dict(zip(self._states, outputs, strict=True))

    def _run(self, names: list[str] | None, feed: Feed) -> list[NDArray[Any]]:
        import onnxruntime

        try:
            if self._session is None:
                options = onnxruntime.SessionOptions()
                options.log_severity_level = 3
                self._session = onnxruntime.InferenceSession(
                    str(self._path), options, providers=["CPUExecutionProvider"]
                )
            found: list[NDArray[Any]] = self._session.run(names, feed)
        except Exception as error:  # ONNX Runtime's errors have no common base
            reason = NOISE.sub("", " ".join(str(error).split()))[:300] or "no reason given"
            raise SourceError(f"the source cannot run these inputs: {reason}", next="look at their sizes") from None
        return found
