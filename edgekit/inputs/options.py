"""--input-spec: how an input is made, said on the command line instead of in a card.

x:image,width=224,height=224,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225,channels=RGB,layout=NCHW
audio:audio,sample_rate=16000,samples=512,context=64,shape=1x-1
state:state,output=stateN,shape=2x1x128            sr:fixed,value=16000
x:array,shape=1x80x3000                            what a caller makes itself: its sizes alone
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from edgekit.data import nearest
from edgekit.errors import UsageError
from edgekit.inputs.static import PICTURE
from edgekit.model import AudioInput, Dim, FixedInput, ImageInput, Model, Preprocess, StateInput, Tensor, TextInput


@dataclass(frozen=True)
class Array:
    """An input that the caller makes itself, of this shape: nothing is made of files for it."""

    shape: tuple[int, ...]


ARRAY = "array"
FORMS: dict[str, type[Preprocess]] = {
    "image": ImageInput,
    "audio": AudioInput,
    "text": TextInput,
    "fixed": FixedInput,
    "state": StateInput,
}
WORDS = {"image": "pictures", "audio": "recordings", "text": "texts"}
SIZES = {"width", "height", "multiple", "max_side", "shortest", "sample_rate", "samples", "max_tokens"}
EXAMPLES = {
    "image": "NAME:image,width=224,height=224,scale=1/255 (numbers may be fractions; 0.4:0.5:0.6 is one per channel)",
    "audio": "NAME:audio,sample_rate=16000,samples=512,shape=1x-1 (-1 stands for the samples)",
    "text": "NAME:text,feature=ids,max_tokens=128",
    "fixed": "NAME:fixed,value=16000",
    "state": "NAME:state,output=OUTPUT,shape=2x1x128",
}
EXAMPLE = f"write {EXAMPLES['image']}"


def parse(words: Sequence[str], model: Model) -> dict[str, Preprocess | Array]:
    """The `preprocess` of each input that the words speak of.

    Args:
        words: each NAME:FORM,KEY=VALUE,... with the keys of the form's model in edgekit/model.py; a list of numbers is
            written 0.4:0.5:0.6, a shape 1x-1.

    Raises:
        UsageError: an unknown input, form or key (the nearest is suggested), a wrong value, an input named twice, the
            state of an output that the model does not have; a model without tensors.
    """
    if words and not model.inputs:
        raise UsageError(f"{model.name} takes texts, --input-spec is for tensors", next="leave it out")
    found: dict[str, Preprocess | Array] = {}
    for word in words:
        name, rest = _name(word, model)
        if name in found:
            raise UsageError(f"the input {name!r} is described twice", next="give one --input-spec for each input")
        form, *pairs = rest.split(",")
        forms = (*FORMS, ARRAY)
        if form not in forms:
            raise UsageError(f"{word!r}: no form {form!r}{nearest(form, forms)}", next=f"one of: {', '.join(forms)}")
        found[name] = _array(word, name, pairs, model) if form == ARRAY else _form(word, FORMS[form], pairs)
    _fitting(found, model)
    return found


def _fitting(found: Mapping[str, Preprocess | Array], model: Model) -> None:
    """Refuse the state of no output, and what has not the dimensions of its input."""
    outputs = [tensor.name for tensor in model.outputs]
    own = {tensor.name: tensor.shape for tensor in model.inputs}
    for name, made in found.items():
        if isinstance(made, ImageInput) and len(own[name]) != PICTURE:
            raise UsageError(
                f"a picture becomes an array of {PICTURE} dimensions, the input {name!r} has {len(own[name])}",
                next="give its arrays themselves as --calibration (.npz, or .npy), which need no --input-spec",
            )
        if isinstance(made, StateInput) and made.output not in outputs:
            raise UsageError(
                f"the state {name!r} is said to be the output {made.output!r}, which the model does not have"
                f"{nearest(made.output, outputs)}",
                next=f"its outputs are: {', '.join(outputs)}",
            )
        if isinstance(made, FixedInput | StateInput) and not _has_sizes(own[name], made.shape):
            sizes = "x".join(str(dim) if isinstance(dim, int) else "N" for dim in own[name])
            raise UsageError(
                f"the input {name!r} is {_sizes(own[name])}, and is said to be {_sizes(made.shape)}",
                next=f"say its sizes: {name}:{made.kind},...,shape={sizes}" if sizes else "leave out shape",
            )


def described(model: Model, forms: Mapping[str, Preprocess | Array]) -> Model:
    """The model with these inputs made as said, arrays of their sizes; the others stay as they were."""
    shapes = {name: form.shape for name, form in forms.items() if isinstance(form, Array)}
    made = {name: None if isinstance(form, Array) else form for name, form in forms.items()}
    inputs = [one.model_copy(update={"preprocess": made.get(one.name, one.preprocess)}) for one in model.inputs]
    return model.model_copy(update={"inputs": tuple(inputs), "sizes": {**model.sizes, **shapes}})


def how_made(model: Model) -> list[str]:
    """In words how each input is made of pictures, sound or text, and which of the values nobody gave."""
    return [
        f"the input {tensor.name!r} is made of {WORDS[tensor.preprocess.kind]}: "
        + ", ".join(f"{key} {value}{'' if whence == 'said' else f' ({whence})'}" for key, value, whence in told(tensor))
        for tensor in model.inputs
        if tensor.preprocess is not None and tensor.preprocess.kind in WORDS
    ]


def told(tensor: Tensor) -> list[tuple[str, str, str]]:
    """The name, the value and the origin of all that makes an input: "said" by somebody, the model's shape, or default.

    What is off by default and was not set is left out.
    """
    form = tensor.preprocess
    if form is None:
        return []
    values = []
    for key, value in form:
        if isinstance(form, ImageInput) and value is None and key in ("height", "width"):
            axis = (
                (form.layout.index("H") if key == "height" else form.layout.index("W"))
                if len(tensor.shape) == 4
                else None
            )
            size = tensor.shape[axis] if axis is not None else None
            known = isinstance(size, int)
            values.append(
                (key, str(size) if known else "the picture's own", "the model's shape" if known else "default")
            )
        elif key != "kind" and value is not None:
            values.append((key, _shown(value), "said" if key in form.model_fields_set else "default"))
    return values


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ":".join(_shown(part) for part in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _name(word: str, model: Model) -> tuple[str, str]:
    """The input's name and what follows it; a name may itself hold a colon ("input:0")."""
    known = [one.name for one in model.inputs]
    fitting = [name for name in known if word.startswith(f"{name}:")]
    if fitting:
        name = max(fitting, key=len)
        return name, word[len(name) + 1 :]
    name = word.partition(",")[0].rpartition(":")[0]
    if not name:
        raise UsageError(f"{word!r} names no input", next=EXAMPLE)
    raise UsageError(f"the model has no input {name!r}{nearest(name, known)}", next=f"one of: {', '.join(known)}")


def _array(word: str, name: str, pairs: list[str], model: Model) -> Array:
    """The sizes of an array, which must be those that the model fixes."""
    key, _, text = ",".join(pairs).partition("=")
    sizes = text.split("x")
    if key != "shape" or not all(size.isdecimal() and int(size) for size in sizes):
        raise UsageError(f"{word!r} gives no shape of an array", next=f"write {name}:array,shape=1x80x3000")
    shape = tuple(map(int, sizes))
    own = next(tensor.shape for tensor in model.inputs if tensor.name == name)
    if not _has_sizes(own, shape):
        raise UsageError(
            f"the input {name!r} is {_sizes(own)}, not {text}",
            next="fix the sizes that the model leaves open, and leave the others as they are",
        )
    return Array(shape)


def _has_sizes(own: Sequence[Dim], shape: Sequence[int]) -> bool:
    """Whether an input with these dimensions takes an array of this shape."""
    return len(own) == len(shape) and all(dim == size for dim, size in zip(own, shape, strict=True) if type(dim) is int)


def _sizes(dims: Sequence[Dim]) -> str:
    return " x ".join(str(dim or "?") for dim in dims) or "a single number"


def _form(word: str, form: type[BaseModel], pairs: list[str]) -> Preprocess:
    values: dict[str, Any] = {}
    example = f"write {EXAMPLES[form.model_fields['kind'].default]}"
    keys = [key for key in form.model_fields if key != "kind"]
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or key not in keys:
            raise UsageError(f"{word!r}: unknown key {key!r}{nearest(key, keys)}", next=f"one of: {', '.join(keys)}")
        try:
            values[key] = _value(text, form.model_fields[key].annotation)
        except (ValueError, ZeroDivisionError, OverflowError):
            raise UsageError(f"{word!r}: {key} cannot be {text!r}", next=example) from None
    wrong = next((key for key, value in values.items() if key in SIZES and str(value).startswith(("-", "0"))), None)
    if wrong or 0.0 in values.get("std", ()):
        raise UsageError(f"{word!r}: {wrong or 'std'} must be more than zero", next=example)
    try:
        return form.model_validate(values)  # type: ignore[return-value]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{word!r}: {where}{said[:1].lower()}{said[1:]}", next=example) from None


def _value(text: str, kind: Any) -> Any:
    """The text as the field's type: int, float (or a fraction), a tuple of either, or the text itself."""
    if float in get_args(kind):
        return tuple(float(Fraction(part)) for part in text.split(":"))
    if kind is float:
        return float(Fraction(text))
    if any(int in get_args(part) for part in get_args(kind)):  # a height and a width, or nothing
        return tuple(int(part) for part in text.split("x"))
    if int in get_args(kind) and type(None) not in get_args(kind):
        return tuple(int(part) for part in text.split("x") if part)
    return text
