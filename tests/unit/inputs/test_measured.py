"""Open sizes of inputs for targets of static shapes, settled by the user's own arrays; and where these do not agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit import plan, target
from edgekit.errors import SourceError, UsageError
from edgekit.inputs import static
from edgekit.inputs.measured import measured
from edgekit.inputs.options import parse
from edgekit.model import AudioInput, Model, StateInput, Tensor, TextInput

pytestmark = pytest.mark.unit

MEL = Tensor(name="mel", dtype="float32", shape=("batch", 80, "time"))  # torch, dynamo
POINTS = Tensor(name="points", dtype="float32", shape=(None, 3))  # tf2onnx: no batch at all
IDS = Tensor(name="ids", dtype="int64", shape=("n", "s0"), preprocess=TextInput(feature="ids"))  # optimum
STATE = Tensor(name="h", dtype="float32", shape=(None, 8), preprocess=StateInput(output="y", shape=(1, 8)))


def net(*inputs: Tensor) -> Model:
    return Model(name="net", kind="tensor", sha256="0" * 64, weight_bytes_by_op={"Conv": 9}, inputs=inputs)


def files(folder: Path, *calls: dict[str, tuple[int, ...]]) -> Path:
    folder.mkdir()
    for at, call in enumerate(calls):
        np.savez(folder / f"{at}.npz", **{name: np.zeros(shape, np.float32) for name, shape in call.items()})
    return folder


@pytest.mark.parametrize(
    ("inputs", "call"),
    [
        ((MEL,), {"mel": (1, 80, 100)}),
        ((MEL,), {"mel": (4, 80, 7)}),
        ((POINTS,), {"points": (1000, 3)}),
        ((MEL, POINTS), {"mel": (1, 80, 9), "points": (5, 3)}),
        ((IDS,), {"ids": (1, 64)}),  # the 128 tokens of a text are edgekit's, not the user's
    ],
)
def test_arrays_of_one_size_settle_it(
    inputs: tuple[Tensor, ...], call: dict[str, tuple[int, ...]], tmp_path: Path
) -> None:
    model, lines = measured(net(*inputs), files(tmp_path / "cal", call, call, call))
    assert static.shapes(model) == call and static.varies(model), "the graph's own sizes are still to be fixed"
    assert [tensor.shape for tensor in static.pinned(model).inputs] == list(call.values())
    assert len(lines) == len(call) and all(str(list(shape)) in " ".join(lines) for shape in call.values())


def test_the_plan_fixes_the_graph_to_it(tmp_path: Path) -> None:
    model, lines = measured(net(MEL), files(tmp_path / "cal", {"mel": (1, 80, 100)}))
    made = plan.make(model, target.load("android-nnapi"), origin=lines)
    passes = made.optimize_step(made.main).config["passes"].values()
    fixed = next(step for step in passes if step["type"] == "EdgekitFixedShape")
    assert "[[1, 80, 100]]" in str(fixed)
    assert made.steps[0].stage == "import" and "'mel'" in made.steps[0].reason


def test_a_single_array_a_file(tmp_path: Path) -> None:
    (tmp_path / "cal").mkdir()
    for at in range(3):
        np.save(tmp_path / "cal" / f"{at}.npy", np.zeros((1, 80, 50), np.float32))
    model, _ = measured(net(MEL, STATE), tmp_path / "cal")
    assert static.shapes(model) == {"mel": (1, 80, 50), "h": (1, 8)}


@pytest.mark.parametrize(
    ("tensor", "shapes", "message"),
    [
        (MEL, [(1, 80, 90), (1, 80, 120)], r"dimension 2 \(time\) of the input 'mel': 90 in 0\.npz, 120 in 1\.npz"),
        (POINTS, [(7, 3), (7, 3), (9, 3)], r"dimension 0 \(unnamed\) of the input 'points': 7 in 1\.npz, 9 in 2\.npz"),
        (IDS, [(1, 5), (1, 6)], r"dimension 1 \(s0\) of the input 'ids': 5 in 0\.npz, 6 in 1\.npz"),
    ],
)
def test_arrays_that_differ_are_named(
    tensor: Tensor, shapes: list[tuple[int, ...]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message) as error:
        measured(net(tensor), files(tmp_path / "cal", *({tensor.name: shape} for shape in shapes)))
    assert error.value.exit_code == 2 and "cut or pad" in error.value.next


def test_what_is_said_is_not_measured(tmp_path: Path) -> None:
    """A window of a recording has the samples that somebody named; arrays of other sizes are refused as such, later."""
    sound = Tensor(
        name="sound", dtype="float32", shape=(None, None), preprocess=AudioInput(sample_rate=8000, samples=512)
    )
    model, lines = measured(net(sound), files(tmp_path / "cal", {"sound": (1, 600)}))
    assert lines == () and static.shapes(model) == {"sound": (1, 512)}


def test_other_data_and_other_ranks_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("one line")
    assert measured(net(MEL), None)[1] == measured(net(MEL), tmp_path / "texts")[1] == ()
    model, lines = measured(net(MEL), files(tmp_path / "cal", {"mel": (80, 100)}))
    assert lines == ()
    with pytest.raises(UsageError, match=r"no fixed size in dimension 2 \(time\)") as error:
        static.shapes(model)
    assert "--calibration FOLDER with arrays" in error.value.next and "image" not in error.value.next


def test_a_broken_array_is_named(tmp_path: Path) -> None:
    folder = files(tmp_path / "cal", {"mel": (1, 80, 100)})
    for name, content in (("b.npz", b"PK"), ("c.npy", b"\x93NUMPY\x01")):
        (folder / name).write_bytes(content)
        with pytest.raises(SourceError, match=f"{name} cannot be read") as error:
            measured(net(MEL), folder)
        assert error.value.exit_code == 4
        (folder / name).unlink()


def test_a_picture_has_four_dimensions() -> None:
    with pytest.raises(UsageError, match="an array of 4 dimensions, the input 'mel' has 3") as error:
        parse(["mel:image,width=100,height=80"], net(MEL))
    assert "--calibration" in error.value.next
