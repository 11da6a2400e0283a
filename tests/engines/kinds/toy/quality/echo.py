"""Gate: what comes back of ones is finite."""

import numpy as np
import onnxruntime

from edgekit.quality._context import measured
from edgekit.results import metrics as m

KIND = "echo"
METRICS = (m.NONFINITE_OUTPUTS,)
ADVICE = "look at the weights"


def measure(ctx):
    """Of one call."""
    session = onnxruntime.InferenceSession(str(ctx.model))
    feed = {it.name: np.ones(it.shape, np.float32) for it in session.get_inputs()}
    values = np.concatenate([array.ravel() for array in session.run(None, feed)])
    return [measured(m.NONFINITE_OUTPUTS, float((~np.isfinite(values)).sum()), n=values.size)]
