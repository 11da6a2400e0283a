"""How alike two answers are: one rule for arrays, which src/agreement.h of the C++ runtime keeps too.

- Floats that are not finite are compared by place and sign: where one array has NaN, infinity or minus infinity, the
  other has the same there, or the two do not agree at all (0). A NaN's sign and payload mean nothing.
- The finite values are compared among themselves, by their own scale: the cosine of their directions and the ratio of
  their lengths. Each array is divided by its largest value first, so that no square overflows or becomes zero. Two
  arrays of zeros agree; zeros and anything else do not.
- Complex values are pairs of floats. Of anything else the share of equal values counts, all 64 bits of an integer.
- Arrays of another kind (float, signed, unsigned, bool, text) or size do not agree; a number's width does not matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .npz import Array

Doubles = np.ndarray[Any, np.dtype[np.float64]]


def agreement(here: Array, golden: Array) -> tuple[float, float]:
    """Cosine (-1 to 1) and ratio of lengths (0 to infinity) of two arrays; for what is no float the share of equals, 1.

    Neither is ever NaN.
    """
    if here.dtype.kind != golden.dtype.kind or here.size != golden.size:
        return 0.0, 1.0
    if golden.dtype.kind not in "fc":
        return (float(np.mean(here.ravel() == golden.ravel())) if golden.size else 1.0), 1.0
    if unlike(here, golden):
        return 0.0, 1.0
    a, b = _finite(here), _finite(golden)
    sizes = largest(here), largest(golden)
    if not all(sizes):
        return (1.0, 1.0) if sizes[0] == sizes[1] else (0.0, 1.0)
    a, b = a / sizes[0], b / sizes[1]
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    return float(a @ b) / (lengths[0] * lengths[1]), (sizes[0] / sizes[1]) * (lengths[0] / lengths[1])


def unlike(here: Array, golden: Array) -> int:
    """Places of two float arrays of one size where one has NaN or an infinity and the other has not the same."""
    a, b = _doubles(here), _doubles(golden)
    same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.isfinite(a) & np.isfinite(b))
    return int(np.count_nonzero(~same))


def largest(array: Array) -> float:
    """The largest absolute value of the finite ones; 0 where there is none, and for what is no float."""
    return float(np.abs(_finite(array)).max(initial=0.0)) if array.dtype.kind in "fc" else 0.0


def _finite(array: Array) -> Doubles:
    values = _doubles(array)
    finite: Doubles = values[np.isfinite(values)]
    return finite


def _doubles(array: Array) -> Doubles:
    """float64 [values], real and imaginary parts of complex ones in turns."""
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        if array.dtype.kind == "c":
            array = array.astype(np.complex128).ravel().view(np.float64)
        doubles: Doubles = array.astype(np.float64).ravel()
    return doubles
