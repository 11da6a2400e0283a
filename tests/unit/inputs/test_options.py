"""--input-spec: what the words mean, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from edgekit.errors import UsageError
from edgekit.inputs import static
from edgekit.inputs.options import EXAMPLES, described, parse
from edgekit.model import AudioInput, FixedInput, ImageInput, StateInput
from tests.unit.inputs.nets import model, tensor

pytestmark = pytest.mark.unit

MODEL = model(
    tensor("input:0", (1, 3, None, None)),
    tensor("sr", (), dtype="int64"),
    tensor("state", (2, 1, 128)),
    outputs=[tensor("y", (1, 1)), tensor("stateN", (2, 1, 128))],
)


def test_every_kind_of_value() -> None:
    words = [
        "input:0:image,width=224,height=192,scale=1/128,mean=127/255,std=0.2:0.3:0.4,channels=BGR,fit=crop-center",
        "sr:fixed,value=16e3",
        "state:state,output=stateN,shape=2x1x128",
    ]
    assert parse(words, MODEL) == {
        "input:0": ImageInput(
            width=224,
            height=192,
            scale=1 / 128,
            mean=(127 / 255,),
            std=(0.2, 0.3, 0.4),
            channels="BGR",
            fit="crop-center",
        ),
        "sr": FixedInput(value=16000),
        "state": StateInput(output="stateN", shape=(2, 1, 128)),
    }
    assert parse(["input:0:audio,sample_rate=16000,shape=1x-1"], MODEL) == {
        "input:0": AudioInput(sample_rate=16000, shape=(1, -1))
    }


def test_the_model_is_described_and_other_inputs_stay_as_they_were() -> None:
    once = described(MODEL, parse(["sr:fixed,value=8000"], MODEL))
    twice = described(once, parse(["input:0:image"], MODEL))
    assert [type(one.preprocess) for one in twice.inputs] == [ImageInput, FixedInput, type(None)]


def test_an_array_settles_the_sizes_that_are_open_and_nothing_is_made_for_it() -> None:
    once = described(MODEL, parse(["input:0:image"], MODEL))
    sized = described(once, parse(["input:0:array,shape=1x3x32x64"], MODEL))
    assert sized.inputs[0].preprocess is None
    assert static.shapes(sized) == {"input:0": (1, 3, 32, 64), "sr": (), "state": (2, 1, 128)}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("input:0:array", "no shape of an array"),
        ("input:0:array,shape=1x3x0x4", "no shape of an array"),
        ("input:0:array,shape=1x3x-1x4", "no shape of an array"),
        ("input:0:array,size=3", "no shape of an array"),
        ("input:0:array,shape=1x4x8x8", "not 1x4x8x8"),
        ("input:0:array,shape=1x3x8", "not 1x3x8"),
        ("input:0:imag", "did you mean 'image'"),
        ("imput:0:image", "did you mean 'input:0'"),
        ("image,width=3", "names no input"),
        ("input:0:image,widht=3", "did you mean 'width'"),
        ("input:0:image,width", "unknown key"),
        ("input:0:image,width=a", "valid integer"),
        ("input:0:image,width=0", "width must be more than zero"),
        ("input:0:image,std=0.1:0:0.2", "std must be more than zero"),
        ("input:0:image,channels=XYZ", "channels"),
        ("input:0:image,mean=1/0", "mean cannot be '1/0'"),
        ("input:0:audio", "sample_rate"),
        (
            "input:0:audio,sample_rate=8000,samples=100,shape=1x80x-1",
            r"100 samples do not fill the shape \[1, 80, -1\]",
        ),
        ("input:0:audio,sample_rate=8000,samples=100,shape=1x99", r"100 samples do not fill the shape \[1, 99\]"),
        ("input:0:audio,sample_rate=8000,shape=1x-1x-1", "one size may be -1"),
        ("input:0:audio,sample_rate=8000,shape=1x-2", "no shape of a window"),
        ("input:0:image,resample=cv2", "resample: 'cv2' is no filter of Pillow's .* cv2.resize, .* give arrays"),
        ("input:0:image,resample=inter_linear", "'inter_linear' is no filter of Pillow's"),
        ("state:state,shape=2", "output: field required"),
        ("state:state,output=stateM,shape=2", "did you mean 'stateN'"),
        ("state:state,output=stateN,shape=2xb", "shape cannot be"),
        ("state:state,output=stateN,shape=2x1", "is 2 x 1 x 128, and is said to be 2 x 1$"),
        ("state:fixed,value=1", "is 2 x 1 x 128, and is said to be a single number"),
        ("input:0:fixed,value=1,shape=1x4x8x8", r"is 1 x 3 x \? x \?, and is said to be 1 x 4 x 8 x 8"),
        ("sr:fixed,value=1,shape=1", "is a single number, and is said to be 1"),
    ],
)
def test_a_wrong_word_is_one_line_with_a_next_step(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse([word], MODEL)
    assert caught.value.next and "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("input:0:image,width=a", "image"),
        ("input:0:audio,sample_rate=8000,shape=1x-2", "audio"),
        ("sr:fixed,value=x", "fixed"),
        ("state:state,output=stateN,shape=2xb", "state"),
    ],
)
def test_the_example_is_of_the_form_that_was_meant(word: str, form: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse([word], MODEL)
    assert caught.value.next.startswith(f"write NAME:{form}")


@pytest.mark.parametrize("form", EXAMPLES)
def test_examples_are_right(form: str) -> None:
    """As they are written, with the names of a model."""
    name = {"fixed": "sr", "state": "state"}.get(form, "input:0")
    word = EXAMPLES[form].partition(" ")[0].replace("NAME", name).replace("OUTPUT", "stateN")
    assert parse([word], MODEL)


def test_an_input_is_described_once() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse(["sr:fixed", "sr:fixed,value=2"], MODEL)
