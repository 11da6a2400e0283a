"""A calibration folder: what is made of it, how it is split, and what is said of a wrong one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.errors import SourceError, UsageError
from edgekit.inputs import calibration, explained, unmade
from edgekit.inputs.calibration import listing, open_calibration
from edgekit.inputs.feeds import Feed
from edgekit.model import AudioInput, FixedInput, ImageInput, Model
from tests.unit.inputs.nets import model, passthrough, tensor

pytestmark = pytest.mark.unit

PICTURES = model(tensor("x", (1, 3, 8, 8), ImageInput()))
PLAIN = model(tensor("x", (1, None)), tensor("k", (), FixedInput(value=2.0)))


def open_(folder: Path, what: Model, path: Path | None = None) -> calibration.Calibration:
    with tempfile.TemporaryDirectory() as other:
        return open_calibration(folder, what, None, path or passthrough(Path(other) / "net.onnx", what))


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for at in range(count):
        Image.new("RGB", (8, 8), (at, at, at)).save(folder / f"{at:03}.png")
    return folder


# Faults


def write(folder: Path, **arrays: object) -> None:
    np.savez(folder / "good.npz", x=np.ones((1, 3), np.float32))
    np.savez(folder / "bad.npz", **arrays)  # type: ignore[arg-type]


def feed(**arrays: object) -> Feed:
    return {name: np.asarray(value) for name, value in arrays.items()}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (feed(x=np.ones((1, 3))), r"bad\.npz: 'x' is float64, the model takes float32"),
        (feed(x=np.ones((2, 3), np.float32)), r"bad\.npz: 'x' has the shape \[2, 3\]"),
        (feed(x=np.ones((1, 3, 1), np.float32)), r"bad\.npz: 'x' has the shape"),
        (feed(x=np.ones((1, 0), np.float32)), r"bad\.npz: 'x' is empty"),
        (feed(x=np.array([[1, np.nan]], np.float32)), r"bad\.npz: 'x' holds NaN"),
        (feed(x=np.array([[1, -np.inf]], np.float32)), r"bad\.npz: 'x' holds NaN or infinity"),
        (feed(y=np.ones((1, 3), np.float32)), r"bad\.npz holds 'y', which is no input"),
        (feed(k=np.float32(1)), r"bad\.npz has nothing for the input 'x'"),
        (feed(x=np.array([[{}]], dtype=object)), r"bad\.npz cannot be read"),
    ],
)
def test_a_wrong_array_is_named(arrays: Feed, said: str, tmp_path: Path) -> None:
    write(tmp_path, **arrays)
    with pytest.raises(SourceError, match=said) as caught:
        open_(tmp_path, PLAIN)
    assert caught.value.next and "\n" not in caught.value.message


def test_no_folder_and_nothing_usable_in_it(tmp_path: Path) -> None:
    for folder, said in ((tmp_path / "none", "no calibration folder"), (tmp_path, "can be calibrated with")):
        with pytest.raises(UsageError, match=said):
            open_(folder, PLAIN)
    (tmp_path / "readme.md").write_text("no data")
    (tmp_path / ".hidden.npz").write_bytes(b"")
    with pytest.raises(UsageError, match="can be calibrated with") as caught:
        open_(tmp_path, PLAIN)
    assert "pictures" in caught.value.next


def test_kinds_are_not_mixed(tmp_path: Path) -> None:
    pictures(tmp_path / "a", 2)
    np.savez(tmp_path / "a" / "x.npz", x=np.ones((1, 3), np.float32))
    with pytest.raises(SourceError, match="mixes kinds of data: 1 arrays, 2 pictures"):
        open_(tmp_path / "a", PICTURES)


def test_a_list_of_labels_or_a_readme_among_pictures_is_no_data(tmp_path: Path) -> None:
    for at in range(3):
        (tmp_path / f"{at}.png").touch()
    for name in ("labels.txt", "README.txt"):
        (tmp_path / name).write_text("0.png cat")
    form, files = listing(tmp_path)
    assert form == "image" and [file.name for file in files] == ["0.png", "1.png", "2.png"]
    (tmp_path / "more.txt").write_text("as many texts as pictures: which of them is meant?")
    with pytest.raises(SourceError, match="mixes kinds of data: 3 pictures, 3 texts"):
        listing(tmp_path)


@pytest.mark.parametrize(
    ("names", "said", "instead"),
    [
        (["IMG_1.HEIC", "IMG_2.heic", "a.jpg"], r"holds 2 \.heic files, which edgekit does not read", "JPEG or PNG"),
        (["sub/a.flac", "b.wav"], r"holds 1 \.flac files", "WAV"),
        (["a.mp3", "b.mp3"], r"holds 2 \.mp3 files", "WAV"),
        (["a.avif", "b.ogg"], r"1 \.avif files and 1 \.ogg files", "JPEG or PNG and WAV"),
    ],
)
def test_pictures_and_sound_that_nobody_reads_are_named(
    names: list[str], said: str, instead: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "._IMG_1.HEIC").touch()  # AppleDouble: hidden
    with pytest.raises(SourceError, match=said) as error:
        listing(tmp_path)
    assert error.value.exit_code == 4 and error.value.next == f"convert them to {instead}"


def test_one_broken_picture_of_many_is_named(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", 30)
    (folder / "017.png").write_bytes((folder / "017.png").read_bytes()[:40])
    with pytest.raises(SourceError, match=r"017\.png is not a whole picture"):
        open_(folder, PICTURES)


def test_pictures_for_an_input_that_nothing_describes(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", 2)
    with pytest.raises(SourceError, match="does not know how pictures become the input 'x'") as caught:
        open_(folder, PLAIN)
    assert ".npz" in caught.value.next and "--input-spec" in caught.value.next
    with pytest.raises(SourceError, match="how pictures become the input 'x'"):
        open_(folder, model(tensor("x", (1, None), AudioInput(sample_rate=8000))))


def test_what_the_models_files_say_without_being_understood_is_the_cause(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", 2)
    lines = (
        f"{unmade.LINE.format(name='other')}gamma is not understood",
        f"{unmade.LINE.format(name='x')}a.json: F resizes with torchvision{unmade.NEAR}x:image,fit=stretch",
    )
    half = PLAIN.model_copy(update={"left_out": lines})
    with pytest.raises(SourceError, match=r"the input 'x': a\.json: F resizes with torchvision$") as caught:
        open_(folder, half)
    assert caught.value.next.endswith("or --input-spec x:image,fit=stretch, which is next to it")
    assert explained.inputs(half, {})[0].how == lines[1].removeprefix(unmade.LINE.format(name="x"))


def test_one_array_is_not_enough_for_two_inputs(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((1, 3), np.float32))
    with pytest.raises(SourceError, match=r"a\.npy is one array, the model wants 2: x, z"):
        open_(tmp_path, model(tensor("x", (1, None)), tensor("z", (1, None))))


def test_pictures_of_another_size_than_the_model_s(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", 2)
    with pytest.raises(SourceError, match=r"\.png: 'x' has the shape \[1, 3, 4, 4\]"):
        open_(folder, model(tensor("x", (1, 3, 8, 8), ImageInput(width=4, height=4))))


def test_a_language_model_takes_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="language models"):
        open_(tmp_path, PLAIN.model_copy(update={"kind": "llm"}))
