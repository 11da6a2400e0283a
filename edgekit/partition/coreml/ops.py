"""The rules of Core ML's operator builders, one function each, after impl/NAME_op_builder.cc of ONNX Runtime 1.21.0."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.partition._units import limits
from edgekit.partition.coreml import layers
from edgekit.partition.coreml.facts import Facts


def _only_program(facts: Facts) -> str:
    return "" if facts.program else "only the MLProgram format has it"


def _argmax(facts: Facts) -> str:
    """argmax_op_builder.cc."""
    if facts.attribute("select_last_index", 0):
        return "select_last_index is 1"
    readers = [] if facts.program else facts.view.consumers.get(facts.node.outputs[0], [])
    cast = any(reader.op == "Cast" and reader.attribute("to", 0) == 6 for reader in readers)
    return "a Cast to int32 is not its only reader" if len(readers) > 1 and cast else ""


def _cast(facts: Facts) -> str:
    """cast_op_builder.cc; a NeuralNetwork takes only the Cast behind an ArgMax."""
    before = facts.view.producer.get(facts.name(0))
    if before is None:
        return "nothing comes before it"
    if facts.program:
        return ""
    if before.op != "ArgMax":
        return f"a NeuralNetwork takes only the Cast behind an ArgMax, not behind {before.op}"
    return "" if facts.attribute("to", 0) == 6 else "it casts to something else than int32"


def _cast_types(facts: Facts) -> str:
    if not facts.program:
        return "" if facts.dtype(0) == "int64" else f"its input is {facts.dtype(0)}, not int64"
    known = {"int32": 6, "int64": 7, "float32": 1, "float16": 10}
    good = facts.dtype(0) in known and facts.attribute("to", 0) in known.values()
    return "" if good else "it casts from or to something else than int32, int64, float32 and float16"


def _clip(facts: Facts) -> str:
    """clip_op_builder.cc."""
    bounds = limits(facts.node, facts.view)
    if bounds is None:
        return "its bounds are not constant"
    return "its bounds are equal" if bounds[0] == bounds[1] else ""


def _concat(facts: Facts) -> str:
    """concat_op_builder.cc."""
    if len(facts.node.inputs) < 2:
        return "it has one input"
    rank, axis = facts.rank(0), facts.attribute("axis", 1)
    if facts.program:
        return ""
    if rank != 4:
        return f"it takes 4 dimensions, not {rank}"
    return "" if axis % rank == 1 else "it concatenates along another axis than the channels"


def _depth_to_space(facts: Facts) -> str:
    """depthtospace_op_builder.cc."""
    mode = facts.attribute("mode", "DCR")
    if not facts.program:
        return "" if mode == "DCR" else f"its mode is {mode}, only DCR is taken"
    return "" if mode == "DCR" or facts.view.static(facts.name(0)) else "mode CRD needs a known size"


def _gather(facts: Facts) -> str:
    """gather_op_builder.cc."""
    if not facts.rank(1) and not facts.program:
        return "its indices are a scalar"
    if not facts.rank(1) and (not facts.view.static(facts.name(0)) or facts.rank(0) > 4):
        return "scalar indices need data of known size and up to 4 dimensions"
    return "its output has more than 5 dimensions" if facts.rank(0) + facts.rank(1) - 1 > 5 else ""


def _gather_nd(facts: Facts) -> str:
    """gather_nd_op_builder.cc of 1.29."""
    if facts.attribute("batch_dims", 0):
        return "batch_dims is not 0"
    return "" if facts.constant(1) else "its indices are not constant"


def _gather_types(facts: Facts) -> str:
    found = facts.dtype(0)
    allowed = ("float32", "int64", *(("float16", "int32") if facts.program else ()))
    return "" if found in allowed else f"its input is {found}"


def _pad(facts: Facts) -> str:
    """pad_op_builder.cc; the ML Program's form after 1.29."""
    if not facts.program and facts.rank(0) < 2:
        return "it takes 2 dimensions or more"
    mode = facts.attribute("mode", "constant")
    if mode != "constant" and not (facts.program and mode == "reflect"):
        return f"its mode is {mode}"
    if not facts.name(2) and not facts.program:
        return "constant_value is not given"
    if facts.name(2) and not facts.constant(2):
        return "constant_value is not constant"
    pads = facts.numbers(1) if facts.constant(1) else None
    if pads is None:
        return "its pads are not constant"
    if any(pad < 0 for pad in pads):
        return "a pad is negative"
    if facts.name(3) and not facts.constant(3):
        return "its axes are not constant"
    if facts.program and mode == "constant":
        return ""
    rank, axes = facts.rank(0), facts.numbers(3) or list(range(len(pads) // 2))
    outer = [at for at, axis in enumerate(axes) if axis % rank < rank - 2]
    padded = any(pads[at] or pads[at + len(axes)] for at in outer)
    return "it pads other than the last two dimensions" if padded else ""


def _reduction(facts: Facts) -> str:
    """reduction_op_builder.cc."""
    if not facts.program and facts.node.op in ("ReduceMax", "ReduceMin", "ReduceProd"):
        return _only_program(facts)
    if facts.name(1) and not facts.constant(1):
        return "its axes are not constant"
    empty = not facts.name(1) or facts.view.elements(facts.name(1)) == 0
    noop = empty and not facts.program and facts.attribute("noop_with_empty_axes", 0)
    return "noop_with_empty_axes without axes" if noop else ""


def _reshape(facts: Facts) -> str:
    """reshape_op_builder.cc."""
    sizes = facts.numbers(1) if facts.constant(1) else None
    if sizes is None:
        return "its new shape is not constant"
    if not sizes or not facts.shape(0):
        return "its input or new shape is a scalar"
    if not facts.view.static(facts.name(0)):
        return "the size of its input varies"
    if len(sizes) > 5:
        return "its new shape has more than 5 dimensions"
    return "allowzero is 1 and a size is 0" if facts.attribute("allowzero", 0) and 0 in sizes else ""


def _shape(facts: Facts) -> str:
    """shape_op_builder.cc."""
    sliced = (
        any(attribute.name == "end" for attribute in facts.node.proto.attribute) or facts.attribute("start", 0) != 0
    )
    return "it has start or end" if sliced and not facts.program else ""


def _shape_types(facts: Facts) -> str:
    allowed = ("int32", "float32", "float16") if facts.program else ("float32",)
    return "" if facts.dtype(0) in allowed else f"its input is {facts.dtype(0)}"


def _slice(facts: Facts) -> str:
    """slice_op_builder.cc."""
    if not facts.view.static(facts.name(0)):
        return "the size of its input varies"
    given = [at for at in range(1, 5) if facts.name(at)]
    if not all(facts.constant(at) for at in given):
        return "its starts, ends, axes or steps are not constant"
    return "it keeps nothing" if 0 in (facts.view.shape(facts.node.outputs[0]) or ()) else ""


def _slice_types(facts: Facts) -> str:
    allowed = ("float32", "int64", "float16") if facts.program else ("float32", "int64")
    return "" if facts.dtype(0) in allowed else f"its input is {facts.dtype(0)}"


def _softmax(facts: Facts) -> str:
    """softmax_op_builder.cc; before opset 13 and before 1.29 the size must be known."""
    free = facts.runtime < (1, 29) or facts.node.since < 13
    return "the size of its input varies" if free and not facts.view.static(facts.name(0)) else ""


def _split(facts: Facts) -> str:
    """split_op_builder.cc."""
    shape, axis = facts.shape(0), facts.attribute("axis", 0)
    size = shape[axis] if -len(shape) <= axis < len(shape) else None
    if facts.name(1):
        splits = facts.numbers(1) if facts.constant(1) else None
        if splits is None:
            return "its split is not constant"
        return "" if len(splits) > 1 and 0 not in splits and sum(splits) == size else "its split does not fit its axis"
    count = facts.attribute("num_outputs", len(facts.node.outputs))
    if count < 2 or size is None:
        return "it has one output, or the size it splits varies"
    return "" if size % count == 0 or facts.node.since >= 18 else "it splits into unequal parts"


def _squeeze(facts: Facts) -> str:
    """squeeze_op_builder.cc."""
    if facts.node.since > 12 and facts.name(1) and not facts.constant(1):
        return "its axes are not constant"
    if facts.node.op == "Squeeze":
        return ""
    more = len(facts.numbers(1) or ()) if facts.node.since > 12 else len(facts.attribute("axes", []))
    return "its output has more than 5 dimensions" if facts.rank(0) + more > 5 else _only_program(facts)


def _tile(facts: Facts) -> str:
    """tile_op_builder.cc."""
    repeats = facts.numbers(1) if facts.constant(1) else None
    return "it repeats nothing" if repeats is not None and min(repeats, default=1) < 1 else ""


def _tile_types(facts: Facts) -> str:
    allowed = ("float32", "float16", "int32", "int64", "bool")
    return "" if facts.dtype(0) in allowed else f"its input is {facts.dtype(0)}"


def _where_types(facts: Facts) -> str:
    """where_op_builder.cc."""
    return facts.floating(1) or facts.floating(2)


def _and_types(facts: Facts) -> str:
    """logical_op_builder.cc."""
    return "" if {facts.dtype(0), facts.dtype(1)} == {"bool"} else "its inputs are not bool"


def _pow_types(facts: Facts) -> str:
    """binary_op_builder.cc."""
    return facts.floating(0) if facts.dtype(0) == facts.dtype(1) else "its inputs are of different types"


def _any_type(facts: Facts) -> str:
    return ""


TYPES: dict[str, Callable[[Facts], str]] = {
    **dict.fromkeys(("LayerNormalization", "InstanceNormalization", "GroupNormalization"), layers.normalization_types),
    "And": _and_types,
    "Cast": _cast_types,
    "Gather": _gather_types,
    "GatherND": _gather_types,
    "Identity": _any_type,
    "Pow": _pow_types,
    "Shape": _shape_types,
    "Slice": _slice_types,
    "Tile": _tile_types,
    "Where": _where_types,
}

RULES: dict[str, Callable[[Facts], str]] = {
    **dict.fromkeys(("AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool"), layers.pool),
    **dict.fromkeys(("LayerNormalization", "InstanceNormalization", "GroupNormalization"), layers.normalization),
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"), _reduction),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _squeeze),
    "ArgMax": _argmax,
    "BatchNormalization": layers.batchnorm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": layers.conv,
    "ConvTranspose": layers.conv_transpose,
    "DepthToSpace": _depth_to_space,
    "FusedConv": layers.fused_conv,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "Gemm": layers.gemm,
    "GridSample": layers.grid_sample,
    "LRN": layers.lrn,
    "MatMul": layers.matmul,
    "PRelu": layers.prelu,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": layers.resize,
    "Shape": _shape,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Tile": _tile,
}
