"""Calibration feeds without what the calibrated graph does not take.

Olive 0.13 removes the model's outputs from the graph that ONNX Runtime's calibrator runs, and with them every input
that no node reads any more; ONNX Runtime refuses a feed that names another input.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Reader:
    """A reader of calibration data whose feeds have these inputs alone."""

    def __init__(self, reader: Any, names: set[str]) -> None:
        self.reader, self.names = reader, names

    def get_next(self) -> dict[str, Any] | None:
        """The next feed; None after the last."""
        feed = self.reader.get_next()
        return None if feed is None else {name: value for name, value in feed.items() if name in self.names}


@contextmanager
def only() -> Iterator[None]:
    """Until the block is left, ONNX Runtime's MinMax calibrator is fed what its graph takes."""
    from onnxruntime.quantization.calibrate import MinMaxCalibrater

    original = MinMaxCalibrater.collect_data

    def collect_data(self: Any, data_reader: Any) -> Any:
        return original(self, _Reader(data_reader, {each.name for each in self.infer_session.get_inputs()}))

    MinMaxCalibrater.collect_data = collect_data
    try:
        yield
    finally:
        MinMaxCalibrater.collect_data = original
