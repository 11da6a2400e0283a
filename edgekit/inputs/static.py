"""Fixed sizes for inputs that vary: accelerators that compile a graph want every size known before.

The sizes come from how an input is made (the picture's width and height, the recording's samples, the text's tokens),
or from arrays of calibration data (measured.py); one call is one input, so a first dimension that nothing says is 1.
"""

from __future__ import annotations

from edgekit.errors import UsageError
from edgekit.model import AudioInput, FixedInput, ImageInput, Model, StateInput, Tensor, TextInput

Shape = tuple[int, ...]
PICTURE = 4  # dimensions of the array of a picture


def varies(model: Model) -> bool:
    """True where a size of an input is not known."""
    return any(not isinstance(dim, int) or dim < 1 for one in model.inputs for dim in one.shape)


def shapes(model: Model) -> dict[str, Shape]:
    """The fixed shape of each input, in the model's order.

    Raises:
        UsageError: a size that nothing says; the input and the dimension are named.
    """
    return {tensor.name: model.sizes.get(tensor.name) or _shape(tensor) for tensor in model.inputs}


def pinned(model: Model) -> Model:
    """The model with every size of its inputs fixed, and pictures made in exactly that size."""
    found = shapes(model)
    inputs = tuple(one.model_copy(update={"shape": found[one.name], "preprocess": _made(one)}) for one in model.inputs)
    return model.model_copy(update={"inputs": inputs})


def _shape(tensor: Tensor) -> Shape:
    wanted = said(tensor)
    sizes = []
    for at, dim in enumerate(tensor.shape):
        if isinstance(dim, int) and dim > 0:
            sizes.append(dim)
        elif wanted is not None and len(wanted) == len(tensor.shape) and wanted[at] is not None:
            sizes.append(int(wanted[at] or 0))
        elif at == 0 and len(tensor.shape) > 1:
            sizes.append(1)
        else:
            raise UsageError(
                f"the input {tensor.name!r} has no fixed size in dimension {at} ({dim or 'unnamed'}), "
                "and the target needs static shapes",
                next=_advice(tensor),
            )
    return tuple(sizes)


def _advice(tensor: Tensor) -> str:
    arrays = "give --calibration FOLDER with arrays (.npz, .npy) that all have one size there"
    if len(tensor.shape) == PICTURE:
        return (
            f'say how it is made: --input-spec "{tensor.name}:image,width=...,height=...", or a model card; or {arrays}'
        )
    sizes = "x".join(str(dim) if isinstance(dim, int) and dim > 0 else "N" for dim in tensor.shape)
    return f'say its sizes: --input-spec "{tensor.name}:array,shape={sizes}" (N is yours to choose); or {arrays}'


def said(tensor: Tensor) -> tuple[int | None, ...] | None:
    """The shape that the preprocessing gives, None for a size that it leaves open too."""
    made = tensor.preprocess
    if isinstance(made, ImageInput):
        height, width = _picture(made)
        channels = len(made.channels)
        return (1, channels, height, width) if made.layout == "NCHW" else (1, height, width, channels)
    if isinstance(made, AudioInput):
        samples = made.samples + made.context if made.samples else None
        return tuple(samples if size == -1 else size for size in made.shape)
    if isinstance(made, TextInput):
        return (1, made.max_tokens)
    if isinstance(made, FixedInput | StateInput):
        return made.shape
    return None


def _picture(made: ImageInput) -> tuple[int | None, int | None]:
    """Height and width; a picture that keeps its own sizes gets the largest square it may have."""
    largest = made.max_side - made.max_side % made.multiple if made.max_side else None
    return made.height or largest, made.width or largest


def _made(tensor: Tensor) -> object:
    """The preprocessing that always gives the fixed shape."""
    made = tensor.preprocess
    if not isinstance(made, ImageInput):
        return made
    height, width = _picture(made)
    return made.model_copy(update={"height": height, "width": width, "max_side": None})
