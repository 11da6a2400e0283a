"""Every command on what strangers write: nothing of it is obeyed, as text and as JSON; and what -o may name."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands, plain
from edgekit.contract.manifest import Quality, Stage
from edgekit.contract.result import Report
from edgekit.report import formats
from edgekit.results.measurement import Measurement
from tests import needs
from tests.unit.bundle.tiny_bundle import build, draft, origin
from tests.unit.report import samples

pytestmark = [pytest.mark.unit, needs.posix]

Capture = pytest.CaptureFixture[str]
EVIL = {
    "escapes": "\x1b]0;owned\x07\x1b[2J\x9b31m\x1b]8;;http://evil\x1b\\x",
    "overwriting": "good\rbad\b\b\x7f",
    "directions": "\u202egnp.exe\u2066\u200f\u061c",
    "unseen": "pay\u200bpal\ufeff\U000e0041\u2060\xad",
    "lines": "a\nerror: forged\r\n::error::forged\u2028b",
    "orders": "::error file=x::forged ##[error]x ##vso[task.complete]y",
    "markup": "[red]x[/red] [/] [link=http://evil]y[/link] :smile: [bold",
}


@pytest.fixture(params=EVIL)
def evil(request: pytest.FixtureRequest) -> str:
    """What a stranger wrote, by kind."""
    return EVIL[request.param]


@pytest.fixture
def strange(tmp_path: Path, evil: str) -> Path:
    """A folder with a bundle, a result, a card and a target that say it wherever they may."""
    folder = tmp_path / "from a stranger"
    folder.mkdir()
    plain_draft = draft()
    said = Measurement(metric="cosine_mean", value=None, evidence="host", reason=evil)
    quality = Quality(verdict="not-measured", mode="fast", ran_on=evil, measurements=(said,), notes=(evil,))
    made = draft(
        source=plain_draft.source.model_copy(update={"license": evil, "ref": evil, "origin": (evil,)}),
        recipe=plain_draft.recipe.model_copy(
            update={"summary": evil, "stages": (Stage(stage="optimize", name=evil, reason=evil),)}
        ),
        target=plain_draft.target.model_copy(update={"title": evil, "status_reason": evil}),
        tools={evil: evil},
    )
    build(folder / "bundle", origin(tmp_path / "origin"), made, {"portable": quality})
    (folder / "result.json").write_text(formats.render("json", [result(evil)]), encoding="utf-8")
    text = json.dumps(evil)  # a TOML string too
    (folder / "target.toml").write_text(f'extends = "linux-cpu"\nname = "odd"\ntitle = {text}\n', encoding="utf-8")
    card = f'name = "odd"\ntitle = {text}\nref = {text}\nkind = "tensor"\nlicense = {text}\ndownload_bytes = 1\n'
    (folder / "card.toml").write_text(card, encoding="utf-8")
    return folder


def result(evil: str) -> Report:
    """A result that says it in every text."""
    report = samples.llm()
    return report.model_copy(
        update={
            "bundle": report.bundle.model_copy(update={"name": evil, "target": evil, "model": evil, "recipe": evil}),
            "device": report.device.model_copy(update={"model": evil, "cpu": evil, "os_version": evil}),
            "tools": {evil: evil},
            "conditions": report.conditions.model_copy(update={"invalid": (evil,), "started": evil, "before": (evil,)}),
            "goldens": report.goldens.model_copy(update={"passed": False, "mismatches": (evil,), "rule": evil}),
        }
    )


WORDS: dict[str, Callable[[Path, str], list[str]]] = {
    "verify": lambda at, evil: ["verify", str(at / "bundle")],
    "verify --verbose": lambda at, evil: ["verify", "--verbose", str(at / "bundle")],
    "inspect": lambda at, evil: ["inspect", str(at / "bundle")],
    "lint": lambda at, evil: ["lint", str(at)],
    "lint as sarif": lambda at, evil: ["lint", str(at / "bundle"), "--format", "sarif", "-o", "-"],
    "compare": lambda at, evil: ["compare", str(at / "bundle"), str(at / "bundle")],
    **{
        f"report as {form}": lambda at, evil, form=form: [
            "report",
            str(at / "result.json"),
            "--format",
            form,
            "-o",
            "-",
        ]
        for form in formats.names()
    },
    "baseline save": lambda at, evil: ["baseline", "save", str(at / "result.json")],
    "models": lambda at, evil: ["models", str(at / "card.toml")],
    "targets show": lambda at, evil: ["targets", "show", str(at / "target.toml")],
    "a bundle that is not there": lambda at, evil: ["inspect", f"{evil}"],
    "a result that is not there": lambda at, evil: ["report", f"{evil}"],
    "a check of nothing": lambda at, evil: ["check", f"./{evil}"],
    "a model that is not there": lambda at, evil: ["build", f"./{evil}.onnx", "--target", "linux-cpu"],
    "a target that is not there": lambda at, evil: ["build", "x.onnx", "--target", f"{evil}"],
    "a device of no kind": lambda at, evil: ["check", str(at / "bundle"), "--device", f"{evil}:x"],
    "an option that is none": lambda at, evil: ["inspect", f"--{evil}"],
    "a command that is none": lambda at, evil: [f"x{evil}"],
    "a wrong choice": lambda at, evil: ["report", "x", "--format", f"{evil}"],
    "a wrong budget": lambda at, evil: ["check", str(at / "bundle"), "--budget", f"{evil}"],
    "a wrong place": lambda at, evil: ["report", str(at / "result.json"), "-o", f"{at}/no/{evil}.html"],
}


def safe(text: str) -> None:
    """Nothing in it is obeyed, by a terminal or a CI system."""
    found = plain.UNSAFE.search(text)
    assert found is None, f"U+{ord(found[0]):04X} in {text[max(0, found.start() - 60) : found.end() + 20]!r}"
    for line in text.splitlines():
        assert not line.strip().startswith("::") and not line.startswith("error: forged"), line
        assert "##[" not in line and "##vso[" not in line, line


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("case", WORDS)
def test_nothing_that_a_stranger_wrote_is_obeyed(
    case: str, as_json: bool, evil: str, strange: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(strange)
    words = WORDS[case](strange, evil)
    code = commands.main([*words, "--json"] if as_json else words)
    out, err = capsys.readouterr()
    safe(out)
    safe(err)
    assert code != 1 and "Traceback" not in err, err
    assert out or err
    if as_json and out:
        assert json.loads(out)["exit_code"] == code
    assert sorted(path.name for path in strange.iterdir()) == ["bundle", "card.toml", "result.json", "target.toml"]


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_names_of_files_are_shown_and_not_obeyed(strange: Path, evil: str, as_json: bool, capsys: Capture) -> None:
    (strange / "bundle" / evil.replace("/", "-")).write_text("x")
    (strange / "bundle" / os.fsdecode(b"\xff\x80 no UTF-8")).write_text("x")
    for command in ("verify", "inspect", "check"):
        assert commands.main([command, str(strange / "bundle"), *(["--json"] if as_json else [])]) in (0, 6)
        for text in capsys.readouterr():
            safe(text)


def test_data_that_json_carries_is_what_the_stranger_wrote(strange: Path, evil: str, capsys: Capture) -> None:
    assert commands.main(["inspect", str(strange / "bundle"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["manifest"]["source"]["license"] == evil


# What -o may name, by command: {OUT} is put in its place.
WRITES: dict[str, tuple[str, ...]] = {
    "report html": ("report", "{AT}/result.json", "--format", "html", "-o", "{OUT}"),
    "report junit": ("report", "{AT}/result.json", "--format", "junit", "-o", "{OUT}"),
    "report markdown": ("report", "{AT}/result.json", "--format", "markdown", "-o", "{OUT}"),
    "report json": ("report", "{AT}/result.json", "--format", "json", "-o", "{OUT}"),
    "baseline save": ("baseline", "save", "{AT}/five.json", "-o", "{OUT}"),
    "lint": ("lint", "{AT}/bundle", "--format", "junit", "-o", "{OUT}"),
    "compare --plot": ("compare", "{AT}/bundle", "{AT}/bundle", "--plot", "{OUT}.svg"),
}


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A folder with a bundle and results that are nobody's tricks."""
    build(tmp_path / "bundle", origin(tmp_path / "origin"), draft())
    (tmp_path / "result.json").write_text(formats.render("json", [samples.llm()]), encoding="utf-8")
    (tmp_path / "five.json").write_text(formats.render("json", [samples.llm()]), encoding="utf-8")
    return tmp_path


def words(case: str, at: Path, out: Path) -> list[str]:
    return [word.replace("{AT}", str(at)).replace("{OUT}", str(out)) for word in WRITES[case]]


@pytest.mark.parametrize("case", [case for case in WRITES if case.startswith("report")])
def test_what_a_command_writes_goes_through_the_one_door(case: str, known: Path, capsys: Capture) -> None:
    """Through a link to a file with rights of its own, and to a device; a folder is refused."""
    file, link = known / "real.out", known / "link.out"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file.name)
    assert commands.main(words(case, known, link)) == 0
    assert link.is_symlink() and file.read_text() != "old" and stat.S_IMODE(file.stat().st_mode) == 0o640
    assert commands.main(words(case, known, Path("/dev/null"))) == 0
    assert Path("/dev/null").is_char_device()
    capsys.readouterr()
    assert commands.main(words(case, known, known / "bundle")) == 2
    assert "it is a folder" in capsys.readouterr().err
    assert not [path for path in known.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("case", WRITES)
@pytest.mark.parametrize("place", ["missing/x", "loop"])
def test_a_place_that_cannot_be_written_is_met_before_the_work(
    case: str, place: str, known: Path, capsys: Capture
) -> None:
    (known / "loop").symlink_to("loop")
    (known / "loop.svg").symlink_to("loop.svg")
    assert commands.main(words(case, known, known / place)) != 0
    err = capsys.readouterr().err
    assert "Traceback" not in err and "error: " in err


def test_a_target_of_ones_own_is_written_through_a_link(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine.toml").symlink_to("elsewhere.toml")
    new: list[Any] = ["targets", "new", "mine", "--extends", "linux-cpu", "-o", str(tmp_path)]
    assert commands.main(new) == 3  # something is there
    assert commands.main([*new, "--force"]) == 0
    assert (tmp_path / "mine.toml").is_symlink() and (tmp_path / "elsewhere.toml").is_file()
    capsys.readouterr()


def test_a_baseline_is_not_named_after_what_a_result_says(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit.commands import baseline
    from edgekit.errors import UsageError

    for name in ("../up", "/tmp/x", "a/b", "con", "a\x1b[2J", "a\nb"):
        with pytest.raises(UsageError, match="no file can be named"):
            baseline._named(name)
    assert baseline._named("net-linux-cpu") == Path("net-linux-cpu.baseline.json")
