"""A calibration folder: what is made of it, how it is split, and what is said of a wrong one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PIL import Image

from edgekit.errors import SourceError
from edgekit.inputs import calibration, images
from edgekit.inputs.calibration import FeedFolder
from edgekit.model import AudioInput, FixedInput, ImageInput, Model, StateInput
from tests.unit.inputs.nets import accumulator, model, save, tensor, value
from tests.unit.inputs.sound import tone, write_wav
from tests.unit.inputs.test_calibration import PICTURES, PLAIN, open_, pictures

pytestmark = pytest.mark.runtimes


def shades(feeds: object) -> list[int]:
    return [round(float(feed["x"][0, 0, 0, 0]) * 255) for feed in feeds]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("count", "first", "second"), [(1, 1, 0), (2, 1, 1), (21, 11, 10), (100, 33, 67), (400, 128, 256)]
)
def test_the_split_is_disjoint_and_leaves_enough_to_judge_by(
    count: int, first: int, second: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for at in range(count):
        np.save(folder / f"{at:03}.npy", np.array([[at]], np.float32))
    made = open_(folder, PLAIN)
    seen = [[float(feed["x"][0, 0]) for feed in part] for part in (made.calibrate, made.evaluate)]
    assert (len(seen[0]), len(seen[1])) == (first, second)
    assert not set(seen[0]) & set(seen[1])
    assert made.facts() == {
        "inputs": count,
        "form": "array",
        "calibration": first,
        "evaluation": second,
        "sha256": made.sha256,
    }


def test_the_split_depends_on_names_alone_and_not_on_the_folder_s_place(tmp_path: Path) -> None:
    first = open_(pictures(tmp_path / "a", 40), PICTURES)
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "c")
    second = open_(tmp_path / "b" / "c", PICTURES)
    assert shades(first.calibrate) == shades(second.calibrate) != sorted(shades(first.calibrate))
    assert first.sha256 == second.sha256


def test_the_digest_follows_the_files_and_the_preprocessing(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", 3)
    before = open_(folder, PICTURES).sha256
    assert open_(folder, model(tensor("x", (1, 3, 8, 8), ImageInput(mean=(0.5,))))).sha256 != before
    Image.new("RGB", (8, 8), "red").save(folder / "000.png")
    assert open_(folder, PICTURES).sha256 != before


def test_pictures_are_read_when_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = open_(pictures(tmp_path / "a", 10), PICTURES)
    reads: list[str] = []
    real = images.load

    def counted(path: Path, form: ImageInput, to: object) -> object:
        reads.append(path.name)
        return real(path, form, to)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "load", counted)
    assert made.calibrate[1]["x"].shape == (1, 3, 8, 8)
    assert len(made.calibrate[2:4]) == 2 and len(reads) == 1


def test_large_feeds_are_judged_on_fewer_but_at_least_64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pictures(tmp_path / "a", 300)
    monkeypatch.setattr(calibration, "EVALUATE_BYTES", 100 * 8 * 8 * 3 * 4)
    assert len(open_(folder, PICTURES).evaluate) == 100
    monkeypatch.setattr(calibration, "EVALUATE_BYTES", 1)
    assert len(open_(folder, PICTURES).evaluate) == 64


def test_feeds_written_for_another_process_are_the_same(tmp_path: Path) -> None:
    made = open_(pictures(tmp_path / "a", 12), PICTURES)
    (tmp_path / "feeds").mkdir()
    made.write_feeds(tmp_path / "feeds")
    read = FeedFolder(tmp_path / "feeds")
    assert len(read) == len(made.calibrate) > 0
    for one, other in zip(read, made.calibrate, strict=True):
        assert np.array_equal(one["x"], other["x"])


def test_fixed_inputs_are_filled_in_and_may_be_given(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((1, 3), np.float32))
    np.savez(tmp_path / "b.npz", x=np.ones((1, 3), np.float32), k=np.float32(7))
    made = open_(tmp_path, PLAIN)
    assert sorted(float(feed["k"]) for feed in (*made.calibrate, *made.evaluate)) == [2, 7]


def test_a_fixed_input_of_another_size_in_the_data_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((1, 3), np.float32), k=np.ones(2, np.float32))
    with pytest.raises(SourceError, match=r"'k' is said to be .* a single number, and the data has arrays of \[2\]"):
        open_(tmp_path, PLAIN)


# Models with state


def remembering(form: AudioInput | None) -> Model:
    return model(
        tensor("x", (1, "n"), form),
        tensor("sum", (1, 1), StateInput(output="next", shape=(1, 1))),
        tensor("gain", (), FixedInput(value=1.0)),
        outputs=[tensor("y", (1, 1)), tensor("next", (1, 1))],
    )


def history(feeds: object) -> list[tuple[float, float]]:
    """(sum before, mean of x) of each call."""
    return [(float(feed["sum"][0, 0]), float(feed["x"].mean())) for feed in feeds]  # type: ignore[attr-defined]


def test_the_state_of_a_stream_is_what_the_source_really_gave(tmp_path: Path) -> None:
    path = accumulator(tmp_path / "sum.onnx")
    (tmp_path / "data").mkdir()
    for at in range(6):
        np.savez(tmp_path / "data" / f"{at}.npz", x=np.full((1, 4), at + 1, np.float32))
    made = open_(tmp_path / "data", remembering(None), path)
    assert history(made.calibrate) == [(0, 1), (1, 2), (3, 3)]
    assert history(made.evaluate) == [(0, 4), (4, 5), (9, 6)]  # another stream: it begins at zero


def test_every_recording_is_a_stream_of_its_own(tmp_path: Path) -> None:
    path = accumulator(tmp_path / "sum.onnx")
    (tmp_path / "data").mkdir()
    for name, level in (("a", 0.25), ("b", 0.5), ("c", 0.125)):
        write_wav(tmp_path / "data" / f"{name}.wav", np.full(3000, level), 8000)
    made = open_(tmp_path / "data", remembering(AudioInput(sample_rate=8000, samples=1000)), path)
    calls = history(made.calibrate)
    assert len(calls) == 6 and len(made.evaluate) == 3
    for start in (0, 3):
        level = calls[start][1]
        np.testing.assert_allclose([before for before, _ in calls[start : start + 3]], [0, level, 2 * level], rtol=1e-3)


def test_a_long_recording_does_not_crowd_out_the_others(tmp_path: Path) -> None:
    form = AudioInput(sample_rate=8000, samples=10)
    for at, seconds in enumerate((9.0, 9.0, 0.1, 0.1)):
        write_wav(tmp_path / f"{at}.wav", 0.1 * (at + 1) * np.ones(round(8000 * seconds)), 8000)
    made = open_(tmp_path, model(tensor("x", (1, None), form)))
    levels = {round(float(feed["x"].mean()), 1) for feed in (*made.calibrate, *made.evaluate)}
    assert levels == {0.1, 0.2, 0.3, 0.4}


def test_inputs_that_the_source_cannot_run_are_said_before_anything_slow(tmp_path: Path) -> None:
    """Nothing in the graph's own shapes tells that two dimensions must be equal."""
    np.savez(tmp_path / "a.npz", x=np.ones((1, 4), np.float32), z=np.ones((1, 5), np.float32))
    nodes = [helper.make_node("Add", ["x", "z"], ["y"])]
    inputs = [value("x", [1, "n"]), value("z", [1, "m"])]
    (tmp_path / "other").mkdir()
    net = save(tmp_path / "other" / "add.onnx", nodes, inputs, [value("y", [1, "n"])], {})
    with pytest.raises(SourceError, match="the source cannot run these inputs") as caught:
        open_(tmp_path, model(tensor("x", (1, None)), tensor("z", (1, None))), net)
    assert "\n" not in caught.value.message


def test_a_source_that_cannot_run_the_inputs_is_named(tmp_path: Path) -> None:
    path = accumulator(tmp_path / "sum.onnx")
    (tmp_path / "data").mkdir()
    for at in range(4):  # the state is said to be [1, 2], the graph wants [1, 1]
        np.savez(tmp_path / "data" / f"{at}.npz", x=np.ones((1, 4), np.float32))
    wrong = tensor("sum", (1, 2), StateInput(output="next", shape=(1, 2)))
    what = remembering(None)
    what = what.model_copy(update={"inputs": (what.inputs[0], wrong, what.inputs[2])})
    with pytest.raises(SourceError, match=r"the source cannot run these inputs: .*sum"):
        open_(tmp_path / "data", what, path)


def test_sound_is_read_at_the_model_s_rate(tmp_path: Path) -> None:
    for at in range(2):
        write_wav(tmp_path / f"{at}.wav", 0.5 * tone(440, 44100, 1.0), 44100)
    made = open_(tmp_path, model(tensor("x", (1, None), AudioInput(sample_rate=16000, samples=4000))))
    (window, *_) = (feed["x"][0] for feed in made.calibrate)
    peak = np.abs(np.fft.rfft(window * np.hanning(len(window)))).argmax() * 16000 / len(window)
    assert peak == pytest.approx(440, abs=4)
