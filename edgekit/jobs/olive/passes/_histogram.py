"""ONNX Runtime's percentile calibration with a bounded histogram.

Its collector opens bins as narrow as the first input asks for and adds as many as a later one needs: a quiet
recording before a loud one takes gigabytes. Here the number of bins is fixed; their width doubles where it must.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BINS = 16384


def bound() -> None:
    """Let HistogramCollector collect absolute values this way, in this process."""
    from onnxruntime.quantization.calibrate import HistogramCollector

    HistogramCollector.collect_absolute_value = _collect


def _collect(self: Any, name_to_arr: dict[str, Any]) -> None:
    """Add the values of each tensor to self.histogram_dict[name] = (counts, edges, smallest, largest)."""
    for tensor, arrays in name_to_arr.items():
        for array in arrays if isinstance(arrays, list) else [arrays]:
            if array.size:
                self.histogram_dict[tensor] = _added(self.histogram_dict.get(tensor), array)


def _added(known: Any, array: Any) -> tuple[Any, Any, Any, Any]:
    low, high = np.nanmin(array), np.nanmax(array)
    top = max(abs(float(low)), abs(float(high)))
    if known is None:
        counts, edge = np.zeros(BINS, np.int64), top or 1e-6
    else:
        counts, edge = known[0], float(known[1][-1])
        low, high = min(known[2], low), max(known[3], high)
    while edge < top:  # two bins become one, and the upper half is free
        counts = np.concatenate([counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2, np.int64)])
        edge *= 2
    more, _ = np.histogram(np.abs(array).astype(np.float32), bins=BINS, range=(0.0, edge))
    return counts + more, np.linspace(0.0, edge, BINS + 1).astype(array.dtype), low, high
