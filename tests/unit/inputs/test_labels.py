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


def test_class_folders_below_train_and_test(tmp_path: Path) -> None:
    files = pictures(tmp_path, "train/cat/1.png", "train/dog/2.png", "Val/dog/3.png")
    assert by_name(labels.of_files(tmp_path, files, None).by_file) == {"1.png": "cat", "2.png": "dog", "3.png": "dog"}
    assert labels.of_files(tmp_path / "train", files[:2], None).by_file == {files[0]: "cat", files[1]: "dog"}


@pytest.mark.parametrize(
    "names",
    [("train/1.png", "val/2.png"), ("1.png", "2.png"), ("all/1.png", "all/2.png"), ("a/1.png", "b/c/2.png", "3.png")],
)
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


AS_PEOPLE_HAVE_THEM = {
    "the label first": "label,filename\ncat,IMG_1.JPG\ndog,IMG_2.JPG\n",
    "pandas, with its index": ",filename,label\n0,IMG_1.JPG,cat\n1,IMG_2.JPG,dog\n",
    "numbers before": "id,filename,label\n0,IMG_1.JPG,cat\n1,IMG_2.JPG,dog\n",
    "sizes between": "image,width,height,class_name\nIMG_1.JPG,640,480,cat\nIMG_2.JPG,640,480,dog\n",
    "Kaggle, a column for each class": "image,cat,dog\nIMG_1.JPG,1.0,0.0\nIMG_2.JPG,0.0,1.0\n",
    "no suffix": "image,label\nIMG_1,cat\nIMG_2,dog\n",
    "paths of Windows": "file,label\nC:\\photos\\IMG_1.JPG,cat\nphotos\\IMG_2.JPG,dog\n",
    "paths from elsewhere": "file,label\n/data/v2/IMG_1.JPG,cat\n./IMG_2.JPG,dog\n",
    "other letters": "file,label\nimg_1.jpg,cat\nimg_2.jpg,dog\n",
    "a spreadsheet's first line": "sep=;\nfile;label\nIMG_1.JPG;cat\nIMG_2.JPG;dog\n",
    "a comment and spaces": "# mine\nfile, label\nIMG_1.JPG, cat \n IMG_2.JPG , dog\n",
    "one without a label": "file,label\nIMG_1.JPG,cat\nIMG_2.JPG,dog\nIMG_3.JPG,\n",
    "said twice": "file,label\nIMG_1.JPG,cat\nIMG_1.JPG,cat\nIMG_2.JPG,dog\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("case", AS_PEOPLE_HAVE_THEM)
def test_tables_as_people_have_them(case: str, encoding: str, tmp_path: Path) -> None:
    files = pictures(tmp_path / "data", "IMG_1.JPG", "IMG_2.JPG", "IMG_3.JPG")
    (tmp_path / "t.csv").write_text(AS_PEOPLE_HAVE_THEM[case], encoding=encoding)
    shown = labels.of_files(tmp_path / "data", files, tmp_path / "t.csv")
    assert by_name(shown.by_file) == {"IMG_1.JPG": "cat", "IMG_2.JPG": "dog"} and not shown.lost


@pytest.mark.parametrize(
    ("text", "message", "next"),
    [
        ("file,width,animal\n1.png,640,cat\n", r"headed as labels \(width, animal\)", "with `label`"),
        ("1.png,640,cat\n", r"headed as labels \(columns \[2, 3\]\)", "with `label`"),
        ("file,cat,dog\n1.png,1,1\n", r"headed as labels \(cat, dog\)", "with `label`"),
        ("file,label\n1.png,cat\n1.png,dog\n", "1.png is said to be 'cat' and 'dog'", "one label for each file"),
        ("file,label\n1.png,k\xe4t\n", "it is not UTF-8", "a CSV"),
    ],
)
def test_a_table_that_can_be_read_in_two_ways_is_refused(text: str, message: str, next: str, tmp_path: Path) -> None:
    files = pictures(tmp_path / "data", "1.png")
    (tmp_path / "t.csv").write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=message) as error:
        labels.of_files(tmp_path / "data", files, tmp_path / "t.csv")
    assert next in error.value.next


def test_a_table_that_only_lies_there_is_passed_over_where_it_is_not_sure(tmp_path: Path) -> None:
    files = pictures(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "meta.csv").write_text("file,width,height\n1.png,640,480\n2.png,640,480\n")
    assert by_name(labels.of_files(tmp_path, files, None).by_file) == {"1.png": "cat", "2.png": "dog"}


@pytest.mark.parametrize("text", ["file,split\n1.png,train\n2.png,test\n", "file,width,height\n1.png,640,480\n"])
def test_a_table_of_other_things_is_named_in_the_plan(text: str, tmp_path: Path) -> None:
    files = pictures(tmp_path, "1.png", "2.png")
    (tmp_path / "meta.csv").write_text(text)
    shown = labels.of_files(tmp_path, files, None)
    told = labels.truth(shown, [None, None], "none", [], 2)
    assert not shown.by_file and not told.values and not told.why
    assert "meta.csv is not read as labels" in told.note and "with `label`" in told.note


def test_a_name_that_two_files_have_is_neither(tmp_path: Path) -> None:
    files = pictures(tmp_path / "data", "a/1.png", "b/1.png", "b/2.png")
    (tmp_path / "t.csv").write_text("1.png,cat\n2.png,dog\nb/1.png,cow\n9.png,owl\n")
    shown = labels.of_files(tmp_path / "data", files, tmp_path / "t.csv")
    assert shown.by_file == {files[1]: "cow", files[2]: "dog"} and shown.lost == ("1.png", "9.png")
    told = labels.truth(shown, [None, "cow", "dog"], "none", ["cow", "dog"], 2)
    assert "2 rows name no file here (1.png)" in told.note


def test_numbers_of_pandas(tmp_path: Path) -> None:
    files = pictures(tmp_path / "data", "1.png", "2.png", "3.png")
    (tmp_path / "t.csv").write_text("file,label\n1.png,3.0\n2.png,0.0\n3.png,\n")
    assert by_name(labels.of_files(tmp_path / "data", files, tmp_path / "t.csv").by_file) == {
        "1.png": "3",
        "2.png": "0",
    }


def truth(words: list[Any], count: int | None, names: list[str] | None = None, decode: str = "none") -> labels.Truth:
    shown = labels.Labels("classes", {Path(str(at)): word for at, word in enumerate(words) if word is not None})
    return labels.truth(shown, words, decode, names or [], count)


@pytest.mark.parametrize(
    ("words", "names", "count", "values", "how"),
    [
        (["dog", None, "Tabby_Cat"], ["tabby cat", "dog"], 2, (1, None, 0), "by the model's own names"),
        (["7", "0"], [], 10, (7, 0), "as the numbers of the classes"),
        (["pear", "apple", "pear"], [], 2, (1, 0, 1), "in alphabetical order"),
        (["pear", "apple"], ["LABEL_0", "LABEL_1"], 2, (1, 0), "in alphabetical order"),
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
    assert "does not say which are 'yeti'" in truth(["cat", "yeti"], 2, ["cat", "dog"]).why
    assert "does not say which are '1', '10', '2'" in truth([str(at) for at in range(1, 11)], 10).why  # 1, 10, 2?
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
    assert set(parts) == set(ImageInput.model_fields) - {"kind", "max_side", "shortest", "resized", "fill", "place"}
    assert {key for key, part in parts.items() if not part.endswith(" (default)")} == {"width", "height", "mean"}
    assert parts["scale"] == "scale 0.00392157 (default)" and parts["mean"] == "mean 0.5:0.5:0.5"


BOX = (1.0, 2.0, 3.0, 4.0)
# decode, words, the model's names, how many classes it has, the table's numbers -> the numbers in the truth, and how
DRAWN: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], int | None, dict[str, int], list[int], str]] = {
    "by names": ("yolov8", ("dog", "cat"), ("cat", "dog", "cow"), 3, {"dog": 7, "cat": 9}, [1, 0], "own names"),
    "YOLO's numbers": ("yolov5", ("2", "0"), ("cat", "dog", "cow"), 3, {}, [2, 0], "numbers of the classes"),
    "as the table has them": ("yolov8", ("cat", "cow"), (), 3, {"dog": 1, "cat": 5, "cow": 9}, [1, 2], "categories"),
    "torchvision, by names": ("torchvision", ("dog",), ("__background__", "cat", "dog"), None, {}, [2], "own names"),
    "torchvision, no background": ("torchvision", ("dog",), ("cat", "dog"), None, {}, [2], "own names"),
    "TensorFlow, by ids": ("tf-detection", ("dog",), (), None, {"cat": 17, "dog": 18}, [18], "own numbers"),
    "torchvision, YOLO's numbers": ("torchvision", ("0", "4"), (), None, {}, [1, 5], "numbers of the classes"),
}


@pytest.mark.parametrize("case", DRAWN)
def test_the_classes_of_boxes(case: str) -> None:
    decode, words, names, count, numbers, wanted, how = DRAWN[case]
    drawn = [[[word, *BOX]] for word in words]
    shown = labels.Labels("boxes", {Path(str(at)): boxes for at, boxes in enumerate(drawn)}, numbers=numbers)
    told = labels.truth(shown, drawn, decode, names, count)
    assert [boxes[0][0] for boxes in told.values] == wanted and how in told.note


def test_classes_that_nobody_says_are_named() -> None:
    drawn = [[["wolf", *BOX], ["cat", *BOX]]]
    shown = labels.Labels("boxes", {Path("1"): drawn[0]}, numbers={"wolf": 1, "cat": 2})
    told = labels.truth(shown, drawn, "yolov8", ("cat", "dog", "cow"), 3)
    assert not told.values and "has 3 classes and does not say which are 'cat', 'wolf'" in told.why
