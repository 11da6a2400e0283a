"""The rules of NNAPI's operator builders, one function each, after impl/NAME_op_builder.cc of ONNX Runtime 1.21.0."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.partition._units import limits
from edgekit.partition.nnapi.quant import Facts

FAR = "is not constant"


def _up_to_4d(facts: Facts) -> str:
    rank = facts.rank(0)
    return "" if 1 <= rank <= 4 else f"it takes 1 to 4 dimensions, not {rank}"


def _binary(facts: Facts) -> str:
    """binary_op_builder.cc."""
    worst = max(facts.rank(0), facts.rank(1))
    return "" if worst <= 4 else f"it takes up to 4 dimensions, not {worst}"


def _batchnorm(facts: Facts) -> str:
    """batchnorm_op_builder.cc."""
    if len(facts.node.outputs) != 1:
        return "it is in training mode"
    if facts.rank(0) > 4:
        return f"it takes up to 4 dimensions, not {facts.rank(0)}"
    if facts.attribute("spatial", 1) != 1:
        return "it is not spatial"
    return "" if all(facts.constant(at) for at in range(1, 5)) else "scale, bias, mean or variance is not constant"


def _cast(facts: Facts) -> str:
    """cast_op_builder.cc: to float (1) or int32 (6)."""
    return "" if facts.attribute("to", 0) in (1, 6) else "it casts to something else than float32 or int32"


def _clip(facts: Facts) -> str:
    """clip_op_builder.cc: only what is a ReLU6 or ReLU1."""
    bounds = limits(facts.node, facts.view)
    if bounds is None:
        return "its bounds are not constant"
    return (
        ""
        if bounds in ((0.0, 6.0), (-1.0, 1.0))
        else f"it clips to {bounds[0]:g} ... {bounds[1]:g}, not to 0 ... 6 or -1 ... 1"
    )


def _conv(facts: Facts) -> str:
    """conv_op_builder.cc."""
    if facts.node.op == "QLinearConv" and facts.node.domain == "com.microsoft":
        return "com.microsoft:QLinearConv is not taken"
    if not facts.constant(1):
        return f"its weight {FAR}"
    if facts.rank(1) != 4:
        return f"it is a {facts.rank(1) - 2}D convolution, only 2D is taken"
    grouped = facts.attribute("group", 1) != 1 and facts.shape(1)[1] != 1
    dilated = list(facts.attribute("dilations", [1, 1])) != [1, 1]
    if dilated and grouped:
        return "a grouped convolution with dilations is not taken"
    if dilated and facts.api_level < 29:
        return "dilations need Android API level 29"
    biased = facts.quantized and len(facts.unit.inputs) > 2 and bool(facts.name(2))
    return f"its bias {FAR}" if biased and not facts.constant(2) else ""


def _depth_to_space(facts: Facts) -> str:
    """depthtospace_op_builder.cc."""
    if facts.rank(0) != 4:
        return f"it takes 4 dimensions, not {facts.rank(0)}"
    mode = facts.attribute("mode", "DCR")
    return f"its mode is {mode}, only DCR is taken" if facts.node.since >= 11 and mode != "DCR" else ""


def _gather(facts: Facts) -> str:
    """gather_op_builder.cc."""
    if reason := _up_to_4d(facts):
        return reason
    if 0 in facts.shape(0):
        return "its input has no elements"
    free = facts.dtype(1) != "int32" and not facts.constant(1)
    return f"its {facts.dtype(1)} indices are not constant" if free else ""


def _gemm(facts: Facts) -> str:
    """gemm_op_builder.cc: a fully connected layer, or a batch of float MatMul."""
    a, b = facts.rank(0), facts.rank(1)
    if a > 2 and b > 2:
        return _batch_matmul(facts)
    if a != 2 or b != 2:
        return f"both inputs must have 2 dimensions, not {a} and {b}"
    if facts.node.op != "Gemm":
        return "" if facts.constant(1) else f"its second input {FAR}"
    if facts.attribute("transA", 0) or facts.attribute("alpha", 1.0) != 1 or facts.attribute("beta", 1.0) != 1:
        return "transA, alpha and beta must be 0, 1 and 1"
    transposed = facts.attribute("transB", 0)
    if not transposed and not facts.constant(1):
        return f"its second input {FAR} and transB is 0"
    if facts.name(2):
        shape = facts.shape(2)
        if not shape or any(size != 1 for size in shape[:-1]) or shape[-1] != facts.shape(1)[0 if transposed else 1]:
            return "its bias is not a vector of the output's size"
        if facts.unit.grouped and not facts.constant(2):
            return f"its bias {FAR}"
    return ""


def _batch_matmul(facts: Facts) -> str:
    """op_builder_helpers.cc, IsSupportedBatchMatMul."""
    if facts.api_level < 29:
        return "a batch of MatMul needs Android API level 29"
    if facts.quantized or facts.node.op != "MatMul":
        return "a batch of quantized MatMul is not taken"
    same = facts.shape(0)[:-2] == facts.shape(1)[:-2]
    return "" if same else "the leading sizes of a batch of MatMul must be equal"


def _lrn(facts: Facts) -> str:
    """LRN_op_builder.cc."""
    return "" if facts.rank(0) == 4 else f"it takes 4 dimensions, not {facts.rank(0)}"


def _minmax(facts: Facts) -> str:
    """minmax_op_builder.cc."""
    count = len(facts.unit.inputs)
    return "" if count == 2 else f"it takes 2 inputs, not {count}"


def _pad(facts: Facts) -> str:
    """pad_op_builder.cc."""
    if reason := _up_to_4d(facts):
        return reason
    if 0 in facts.shape(0):
        return "its input has no elements"
    mode = facts.attribute("mode", "constant")
    if mode != "constant":
        return f"its mode is {mode}, only constant is taken"
    if not facts.constant(1):
        return "its pads are not constant"
    if any(pad < 0 for pad in facts.numbers(1) or ()):
        return "a pad is negative"
    given = len(facts.unit.inputs) > 2 and bool(facts.name(2))
    return f"its constant_value {FAR}" if given and not facts.constant(2) else ""


def _pool(facts: Facts) -> str:
    """pool_op_builder.cc."""
    if facts.rank(0) != 4:
        return f"it takes 4 dimensions, not {facts.rank(0)}"
    if facts.node.op.startswith("Global"):
        return ""
    for name, refused in (("count_include_pad", 1), ("storage_order", 1), ("ceil_mode", 1)):
        if facts.attribute(name, 0) == refused:
            return f"{name} is {refused}"
    if len(facts.attribute("kernel_shape", [1, 1])) != 2:
        return "only 2D pooling is taken"
    if list(facts.attribute("dilations", [1, 1])) != [1, 1]:
        return "pooling with dilations is not taken"
    return "the indices of MaxPool are not taken" if len(facts.node.outputs) != 1 else ""


def _reduce_mean(facts: Facts) -> str:
    """reduction_op_builder.cc."""
    if reason := _up_to_4d(facts):
        return reason
    if facts.name(1) and not facts.constant(1):
        return "its axes are not constant"
    noop = facts.node.since >= 18 and facts.attribute("noop_with_empty_axes", 0)
    return "noop_with_empty_axes is 1" if noop else ""


def _reshape(facts: Facts) -> str:
    """reshape_op_builder.cc."""
    if not facts.constant(1):
        return f"its new shape {FAR}"
    if reason := _up_to_4d(facts):
        return reason
    zero = facts.attribute("allowzero", 0) == 1 and 0 in (facts.numbers(1) or ())
    return "allowzero is 1 and a size is 0" if zero else ""


def _resize(facts: Facts) -> str:
    """resize_op_builder.cc: the attributes; the sizes are looked at below."""
    if facts.rank(0) != 4:
        return f"it takes 4 dimensions, not {facts.rank(0)}"
    mode = facts.attribute("mode", "nearest")
    if mode not in ("linear", "nearest"):
        return f"its mode is {mode}, only linear and nearest are taken"
    if facts.attribute("exclude_outside", 0):
        return "exclude_outside is 1"
    coordinates = facts.attribute("coordinate_transformation_mode", "half_pixel")
    if mode == "linear":
        if coordinates not in ("half_pixel", "align_corners", "asymmetric"):
            return f"linear with coordinate_transformation_mode {coordinates} is not taken"
        if coordinates != "asymmetric" and facts.api_level < 30:
            return f"linear with coordinate_transformation_mode {coordinates} needs Android API level 30"
    elif coordinates != "asymmetric":
        return f"nearest needs coordinate_transformation_mode asymmetric, not {coordinates}"
    elif facts.attribute("nearest_mode", "round_prefer_floor") != "floor":
        return "nearest needs nearest_mode floor"
    if facts.attribute("antialias", 0) or facts.attribute("axes", []):
        return "antialias and axes are not taken"
    if facts.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        return "keep_aspect_ratio_policy must be stretch"
    return _resize_sizes(facts)


def _resize_sizes(facts: Facts) -> str:
    shape = facts.shape(0)
    if facts.name(2) and facts.view.elements(facts.name(2)) != 0:
        scales = facts.numbers(2)
        if scales is None:
            return "its scales are not constant"
        height, width = (2, 3) if scales[1] == 1.0 else (1, 2)
        if scales[0] != 1.0 or scales[1 if height == 2 else 3] != 1.0:
            return "it resizes batch or channels"
        for axis in (height, width):
            size, scale = shape[axis], scales[axis]
            if scale < 1.0 and (size is None or not _factor(size, scale)):
                return "downsampling must divide the input's size"
        return ""
    sizes = facts.numbers(3) if facts.name(3) else None
    if sizes is None:
        return "its sizes are not constant"
    channel = 1 if sizes[1] == shape[1] else 3
    return "" if sizes[0] == shape[0] and sizes[channel] == shape[channel] else "it resizes batch or channels"


def _factor(size: int, scale: float) -> bool:
    """utils.h, ReciprocalIsAFactorOfN."""
    reciprocal = 1.0 / scale
    return abs(reciprocal - round(reciprocal)) < 1e-3 and size % round(reciprocal) == 0


def _slice(facts: Facts) -> str:
    """slice_op_builder.cc."""
    if facts.rank(0) > 4:
        return f"it takes up to 4 dimensions, not {facts.rank(0)}"
    if 0 in facts.shape(0):
        return "its input has no elements"
    free = [at for at in range(1, len(facts.unit.inputs)) if facts.name(at) and not facts.constant(at)]
    return "its starts, ends, axes or steps are not constant" if free else ""


def _softmax(facts: Facts) -> str:
    """softmax_op_builder.cc."""
    rank = facts.rank(0)
    if facts.node.since < 13:
        return ""
    if rank > 4:
        return f"it takes up to 4 dimensions, not {rank}"
    axis = facts.attribute("axis", 1)
    if facts.api_level < 29 and (rank not in (2, 4) or axis % max(rank, 1) != rank - 1):
        return "before Android API level 29 it takes 2 or 4 dimensions and the last axis"
    return ""


def _split(facts: Facts) -> str:
    """split_op_builder.cc."""
    axis, shape = facts.attribute("axis", 0), facts.shape(0)
    size = shape[axis] if -len(shape) <= axis < len(shape) else None
    if facts.name(1):
        splits = facts.numbers(1)
        if splits is None:
            return "its split is not constant"
        return "" if len(set(splits)) == 1 and sum(splits) == size else "it splits into unequal parts"
    count = facts.attribute("num_outputs", len(facts.node.outputs))
    return "" if size and size % count == 0 else "it splits into unequal parts"


def _axes(facts: Facts) -> str:
    """squeeze_op_builder.cc, unsqueeze_op_builder.cc."""
    if reason := _up_to_4d(facts):
        return reason
    free = facts.node.since > 12 and facts.name(1) and not facts.constant(1)
    return "its axes are not constant" if free else ""


RULES: dict[str, Callable[[Facts], str]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "PRelu", "QLinearAdd", "QLinearMul"), _binary),
    **dict.fromkeys(("AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool", "QLinearAveragePool"), _pool),
    **dict.fromkeys(("Concat", "Flatten", "LeakyRelu", "Sigmoid", "Transpose"), _up_to_4d),
    **dict.fromkeys(("Conv", "QLinearConv"), _conv),
    **dict.fromkeys(("Gemm", "MatMul", "QLinearMatMul"), _gemm),
    **dict.fromkeys(("Max", "Min"), _minmax),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _axes),
    "BatchNormalization": _batchnorm,
    "Cast": _cast,
    "Clip": _clip,
    "DepthToSpace": _depth_to_space,
    "Gather": _gather,
    "LRN": _lrn,
    "Pad": _pad,
    "ReduceMean": _reduce_mean,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
}
