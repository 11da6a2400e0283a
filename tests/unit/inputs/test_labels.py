"""The user's own labels: where they are found, and which class of the model each is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import UsageError
from edgekit.inputs import calibration, labels
from edgekit.inputs.options import how_made, parse
from edgekit.model import ImageInput
from tests.unit.inputs.nets import model, tensor

pytestmark = pytest.mark.unit


def pictures(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return [folder / name for name in names]


def by_name(shown: dict[Path, str]) -> dict[str, str]:
    return {path.name: label for path, label in shown.items()}


def test_class_folders(tmp_path: Path) -> None:
    files = pictures(tmp_path, "cat/1.png", "cat/2.png", "dog/3.png")
    assert by_name(labels.of_files(tmp_path, files, None).by_file) == {"1.png": "cat", "2.png": "cat", "3.png": "dog"}


@pytest.mark.parametrize("names", [("1.png", "2.png"), ("all/1.png", "all/2.png"), ("a/1.png", "b/c/2.png", "3.png")])
def test_other_folders_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert labels.of_files(tmp_path, pictures(tmp_path, *names), None).by_file == {}


@pytest.mark.parametrize(
    "text",
    [
        "1.png,cat\n2.png,dog\n",
        "file,label\n1.png,cat\n2.png,dog\n",
        "\ufefffile;label\n1.png;cat\n2.png;dog\n",
        '"1.png"\tcat\n"2.png"\tdog\n',
    ],
)
def test_a_table_beside_the_files_or_given(tmp_path: Path, text: str) -> None:
    files = pictures(tmp_path / "data", "1.png", "2.png", "3.png")
    (tmp_path / "data" / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "data" / "truth.csv").write_text(text, encoding="utf-8")
    assert by_name(labels.of_files(tmp_path / "data", files, None).by_file) == {"1.png": "cat", "2.png": "dog"}
    (tmp_path / "data" / "truth.csv").rename(tmp_path / "truth.csv")
    assert labels.of_files(tmp_path / "data", files, None).by_file == {}
    assert by_name(labels.of_files(tmp_path / "data", files, tmp_path / "truth.csv").by_file) == {
        "1.png": "cat",
        "2.png": "dog",
    }


@pytest.mark.parametrize(
    ("name", "table", "texts"),
    [
        ("t.csv", 'file,text\n1.wav,"well, then"\n2.wav,plain\n', ["well, then", "plain"]),
        ("t.csv", "1.wav,well, then\n2.wav,\n", ["well, then", ""]),
        ("t.tsv", '1.wav\t"open\n2.wav\tb, c\n', ['"open', "b, c"]),
        ("t.csv", "1|well, then|WELL THEN\n2|b|B\n", ["well, then", "b"]),
        ("1.txt", "well, then\n", ["well, then"]),
    ],
)
def test_texts_in_a_table_or_beside_each_file(tmp_path: Path, name: str, table: str, texts: list[str]) -> None:
    files = pictures(tmp_path, "1.wav", "2.wav")
    (tmp_path / name).write_text(table)
    shown = labels.of_files(tmp_path, files, None, "ctc")
    assert shown.what == "text" and list(shown.by_file.values()) == texts
    if name.endswith(".txt"):
        assert calibration.listing(tmp_path) == ("audio", files)


def test_a_table_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    files = pictures(tmp_path / "data", "1.png")
    table = tmp_path / "truth.csv"
    for text in ("7.png,cat\n", "", "no table at all"):
        table.write_text(text)
        with pytest.raises(UsageError, match="names none of the files"):
            labels.of_files(tmp_path / "data", files, table)
    with pytest.raises(UsageError, match="cannot be read"):
        labels.of_files(tmp_path / "data", files, tmp_path / "none.csv")


def truth(words: list[Any], count: int | None, names: list[str] | None = None, decode: str = "none") -> labels.Truth:
    shown = labels.Labels("classes", {Path(str(at)): word for at, word in enumerate(words) if word is not None})
    return labels.truth(shown, words, decode, names or [], count)


@pytest.mark.parametrize(
    ("words", "names", "count", "values", "how"),
    [
        (["dog", None, "Tabby_Cat"], ["tabby cat", "dog"], 2, (1, None, 0), "by the model's own names"),
        (["7", "0"], [], 10, (7, 0), "as the numbers of the classes"),
        (["pear", "apple", "pear"], [], 2, (1, 0, 1), "in alphabetical order"),
    ],
)
def test_which_class_a_label_is(
    words: list[Any], names: list[str], count: int, values: tuple[int | None, ...], how: str
) -> None:
    told = truth(words, count, names)
    assert told.values == values and how in told.note and not told.why


def test_labels_that_fit_no_class_are_said_and_not_used() -> None:
    told = truth(["cat", "dog"], 1000)
    assert told.values == () and "1000 classes and does not say which are 'cat', 'dog'" in told.note
    assert "no list of scores" in truth(["cat"], None).why
    assert "do not say classes" in truth(["cat"], 10, decode="ctc").why
    assert labels.truth(labels.NO_LABELS, [None, None], "none", [], 10) == labels.NO_TRUTH
    other = labels.Labels("classes", {Path("x"): "cat"})
    assert "no input that the gate compares on" in labels.truth(other, [None], "none", [], 10).why


def test_what_is_a_list_of_scores() -> None:
    shapes = {(1, 10): 10, ("n", 10): 10, (10,): 10, (1, 1): None, (1, 3, 8, 8): None, (1, "classes"): None}
    for shape, count in shapes.items():
        assert labels.classes(model(tensor("x", (1, 3)), outputs=[tensor("y", shape)])) == count


def test_every_default_is_named() -> None:
    picture = model(tensor("x", (1, 3, 8, 8)))
    forms = parse(["x:image,width=8,height=8,mean=0.5:0.5:0.5"], picture)
    (line,) = how_made(model(tensor("x", (1, 3, 8, 8), forms["x"]), tensor("rate", (1,))))
    assert line.startswith("the input 'x' is made of pictures: width 8, height 8")
    parts = {part.split()[0]: part for part in line.partition(": ")[2].split(", ")}
    assert set(parts) == set(ImageInput.model_fields) - {"kind", "max_side", "shortest", "resized"}
    assert {key for key, part in parts.items() if not part.endswith(" (default)")} == {"width", "height", "mean"}
    assert parts["scale"] == "scale 0.00392157 (default)" and parts["mean"] == "mean 0.5:0.5:0.5"
