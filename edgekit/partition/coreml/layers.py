"""Core ML's rules for layers, pooling and resizing, after impl/NAME_op_builder.cc of ONNX Runtime 1.21.0."""

from __future__ import annotations

from edgekit.partition.coreml.facts import Facts

WIDE = 16384  # elements along one side of a convolution: a limit of Core ML's


def batchnorm(facts: Facts) -> str:
    """batch_norm_op_builder.cc."""
    if len(facts.node.outputs) != 1:
        return "it is in training mode"
    if facts.rank(0) != 4:
        return f"it takes 4 dimensions, not {facts.rank(0)}"
    if facts.attribute("spatial", 1) != 1:
        return "it is not spatial"
    return "" if all(facts.constant(at) for at in range(1, 5)) else "scale, bias, mean or variance is not constant"


def _wide(facts: Facts, positions: tuple[int, ...]) -> str:
    shapes = [facts.shape(at) for at in positions] + [facts.view.shape(facts.node.outputs[0]) or ()]
    over = any(size is not None and size > WIDE for shape in shapes for size in shape)
    return f"a size of its input, weight or output is over {WIDE}" if over else ""


def conv(facts: Facts) -> str:
    """conv_op_builder.cc."""
    if not facts.program and not facts.constant(1):
        return "its weight is not constant"
    if facts.rank(1) not in (3, 4):
        return f"it is a {facts.rank(1) - 2}D convolution, only 1D and 2D are taken"
    if facts.name(2) and not facts.constant(2):
        return "its bias is not constant"
    kernel = list(facts.attribute("kernel_shape", facts.shape(1)[2:]))
    if kernel != list(facts.shape(1)[2:]):
        return "kernel_shape differs from the weight's"
    return _wide(facts, (0, 1))


def fused_conv(facts: Facts) -> str:
    """conv_op_builder.cc of 1.29: a convolution and its activation."""
    if facts.name(3):
        return "it adds a residual"
    taken = ("Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid")
    activation = facts.attribute("activation", "")
    return conv(facts) if activation in taken else f"its activation {activation} is not taken"


def conv_transpose(facts: Facts) -> str:
    """convtranspose_op_builder.cc."""
    if not facts.constant(1) or (facts.name(2) and not facts.constant(2)):
        return "its weight or bias is not constant"
    padding = facts.attribute("auto_pad", "NOTSET")
    if padding in ("SAME_UPPER", "SAME_LOWER"):
        return f"auto_pad is {padding}"
    if padding == "NOTSET" and len(set(facts.attribute("pads", [0]))) != 1:
        return "its pads are not all the same"
    if list(facts.attribute("kernel_shape", facts.shape(1)[2:])) != list(facts.shape(1)[2:]):
        return "kernel_shape differs from the weight's"
    if facts.attribute("output_shape", []):
        return "output_shape is set"
    if any(facts.attribute("output_padding", [])):
        return "output_padding is set"
    return _wide(facts, (0, 1))


def gemm(facts: Facts) -> str:
    """gemm_op_builder.cc, Gemm."""
    if not facts.constant(1):
        return "its second input is not constant"
    if facts.attribute("transA", 0) or facts.attribute("alpha", 1.0) != 1 or facts.attribute("beta", 1.0) != 1:
        return "transA, alpha and beta must be 0, 1 and 1"
    if not facts.name(2):
        return ""
    if not facts.constant(2):
        return "its third input is not constant"
    width = facts.shape(1)[0 if facts.attribute("transB", 0) else 1]
    return (
        ""
        if facts.shape(2) in ((), (1,), (width,), (1, width))
        else "its third input is no vector of the output's size"
    )


def matmul(facts: Facts) -> str:
    """gemm_op_builder.cc, MatMul."""
    a, b = facts.rank(0), facts.rank(1)
    if facts.program:
        return "one input has 1 dimension and the other more" if (a == 1) != (b == 1) else ""
    if not facts.constant(1):
        return "its second input is not constant"
    return "" if a == b == 2 else f"both inputs must have 2 dimensions, not {a} and {b}"


def grid_sample(facts: Facts) -> str:
    """gridsample_op_builder.cc; opset 20 calls bilinear linear."""
    if facts.rank(0) != 4:
        return f"it takes 4 dimensions, not {facts.rank(0)}"
    mode = facts.attribute("mode", "linear")
    if mode not in ("linear", "bilinear", "zeros"):
        return f"its mode is {mode}"
    reflected = facts.attribute("padding_mode", "zeros") == "reflection" and not facts.attribute("align_corners", 0)
    return "padding_mode reflection without align_corners" if reflected else ""


def lrn(facts: Facts) -> str:
    """LRN_op_builder.cc."""
    return "" if facts.rank(0) in (3, 4) else f"it takes 3 or 4 dimensions, not {facts.rank(0)}"


def normalization(facts: Facts) -> str:
    """normalization_op_builder.cc."""
    if len(facts.node.outputs) != 1:
        return "it is in training mode"
    if facts.node.op != "InstanceNormalization" and facts.attribute("stash_type", 1) != 1:
        return "stash_type is not 1"
    return "" if facts.constant(1) and (not facts.name(2) or facts.constant(2)) else "scale or bias is not constant"


def normalization_types(facts: Facts) -> str:
    kinds = {facts.dtype(at) for at in range(3) if facts.name(at)}
    return "its inputs are of different types" if len(kinds) > 1 else facts.floating(0)


def pool(facts: Facts) -> str:
    """pool_op_builder.cc."""
    if facts.rank(0) != 4:
        return f"it takes 4 dimensions, not {facts.rank(0)}"
    if facts.node.op.startswith("Global"):
        return ""
    if facts.attribute("storage_order", 0) == 1:
        return "storage_order is 1"
    if len(facts.attribute("kernel_shape", [1, 1])) != 2:
        return "only 2D pooling is taken"
    if not facts.program and facts.attribute("ceil_mode", 0) == 1:
        return "ceil_mode is 1"
    if list(facts.attribute("dilations", [1, 1])) != [1, 1]:
        return "pooling with dilations is not taken"
    return "the indices of MaxPool are not taken" if len(facts.node.outputs) != 1 else ""


def prelu(facts: Facts) -> str:
    """activation_op_builder.cc."""
    rank, slope = facts.rank(0), facts.shape(1)
    if rank not in (3, 4):
        return f"it takes 3 or 4 dimensions, not {rank}"
    if facts.shape(0)[rank - 3] is None:
        return "its number of channels varies"
    if not facts.constant(1):
        return "its slope is not constant"
    single = facts.view.elements(facts.name(1)) == 1
    if not single and not (len(slope) == 3 and slope[1:] == (1, 1)):
        return "its slope is neither one value nor [C, 1, 1]"
    return "one slope and one channel crash Core ML" if single and facts.shape(0)[rank - 3] == 1 else ""


def resize(facts: Facts) -> str:
    """resize_op_builder.cc: the attributes; the sizes are looked at below."""
    rank = facts.rank(0)
    if not (3 <= rank <= 5 if facts.program else rank == 4):
        return f"it takes {'3 to 5' if facts.program else '4'} dimensions, not {rank}"
    mode = facts.attribute("mode", "nearest")
    if mode not in ("linear", "nearest"):
        return f"its mode is {mode}, only linear and nearest are taken"
    if mode == "nearest" and facts.attribute("nearest_mode", "round_prefer_floor") != "floor":
        return "nearest needs nearest_mode floor"
    if facts.attribute("antialias", 0) or facts.attribute("exclude_outside", 0):
        return "antialias or exclude_outside is 1"
    if facts.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        return "keep_aspect_ratio_policy must be stretch"
    by_sizes = bool(facts.name(3))
    return (_sizes(facts) if by_sizes else _scales(facts)) or _coordinates(facts, mode, by_sizes)


def _axes(facts: Facts) -> list[int]:
    rank = facts.rank(0)
    return [axis % rank for axis in facts.attribute("axes", [])] or list(range(rank))


def _scales(facts: Facts) -> str:
    scales = facts.numbers(2) if facts.name(2) and facts.constant(2) else None
    if not scales:
        return "its scales or sizes are not constant"
    shape, rank = facts.shape(0), facts.rank(0)
    if any(axis < rank - 2 and scale != 1 for axis, scale in zip(_axes(facts), scales, strict=False)):
        return "it resizes other than the last two dimensions"
    if None in shape[-2:]:
        return "the height or width of its input varies"
    pair = scales[-2:]
    if all(scale >= 1 for scale in pair):
        return "" if all(scale == round(scale) for scale in pair) else "it enlarges by other than a whole number"
    if any(scale > 1 for scale in pair) or not facts.program:
        return (
            "a NeuralNetwork takes no downsampling"
            if not facts.program
            else "it enlarges one side and shrinks the other"
        )
    even = all(
        size is not None and abs(1 / scale - round(1 / scale)) < 1e-3 and size % round(1 / scale) == 0
        for size, scale in zip(shape[-2:], pair, strict=True)
    )
    return "" if even else "downsampling must divide the input's size"


def _sizes(facts: Facts) -> str:
    sizes = facts.numbers(3) if facts.constant(3) else None
    if not sizes:
        return "its scales or sizes are not constant"
    shape, rank = facts.shape(0), facts.rank(0)
    if any(
        axis < rank - 2 and shape[at] != size for at, (axis, size) in enumerate(zip(_axes(facts), sizes, strict=False))
    ):
        return "it resizes other than the last two dimensions"
    if facts.program:
        return ""
    if not facts.view.static(facts.name(0)):
        return "the size of its input varies"
    whole = all(old and new % old == 0 for old, new in zip(shape[-2:], sizes[-2:], strict=True))
    return "" if whole else "it enlarges by other than a whole number"


def _coordinates(facts: Facts, mode: str, by_sizes: bool) -> str:
    found = facts.attribute("coordinate_transformation_mode", "half_pixel")
    if found == "pytorch_half_pixel" and facts.program:
        found = "half_pixel"  # the same where the output is larger than one pixel
    allowed = ("half_pixel", "align_corners", *(("asymmetric",) if by_sizes else ()))
    if mode == "nearest" or not facts.program:
        allowed = ("asymmetric",)
    return "" if found in allowed else f"coordinate_transformation_mode {found} is not taken for {mode}"
