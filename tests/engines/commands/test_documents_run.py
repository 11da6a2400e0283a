"""Every command of README and docs is run, as it stands there, or stands in ELSEWHERE with the reason and who runs it.

A command is run in a folder that has what it speaks of, of the smallest kind. In the place of a build, which takes
minutes, its plan is made here (PLANNED: the same line with --dry-run); tests/e2e/test_readme.py builds.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
from pathlib import Path

import pytest
from onnx import helper
from PIL import Image

from edgekit import commands, console
from tests.unit.commands.test_report import FAST, result
from tests.unit.inputs import nets
from tests.unit.inputs.nets import value
from tests.unit.lint import made
from tests.unit.sources.tiny_models import save_llama
from tests.unit.test_documents import DOCUMENTS, ROOT
from tests.unit.test_documents import commands as lines_of

pytestmark = pytest.mark.runtimes

SMOLLM2 = "out/smollm2-135m-instruct-linux-cpu"
RUN = {
    "README.md": [
        f'edgekit run {SMOLLM2} "What is the capital of France?"',
        "edgekit models",
        'edgekit recommend --task math --device "Pixel 9"',
        f"edgekit verify {SMOLLM2}",
        f"edgekit inspect {SMOLLM2}",
        f'edgekit run {SMOLLM2} "Hello"',
        "edgekit targets",
        "edgekit devices",
        "edgekit report out/*.result.json -o report.html",
        "edgekit lint app/libs/engine.aar",
    ],
    "docs/checking.md": [
        "edgekit baseline save BUNDLE.result.json -o base.json",
        "edgekit baseline compare NEW.result.json --baseline base.json",
    ],
    "docs/choosing.md": [
        "edgekit models",
        'edgekit recommend --task math --device "Pixel 9"',
        "edgekit recommend --task chat --ram 6GB --min-tps 10 --context 2048",
        'edgekit fit phi-4-mini-instruct --device "iPhone 15 Pro"',
        "edgekit fit ./phi-4-mini --ram 8GB --target linux-cpu",
    ],
    "docs/lint.md": [
        "edgekit lint app/libs/onnxruntime-genai.aar",
        "edgekit lint out/MODEL-android-cpu",
        "edgekit lint Frameworks/ -o lint.sarif",
        "edgekit lint app.apk --strict --accept aar-permission --json",
    ],
    "docs/projects.md": [
        "edgekit init",
        "edgekit status",
        "edgekit ci init github",
        "edgekit ci init gitlab",
        "edgekit ci init azure",
        "edgekit ci matrix --json",
        "edgekit ci comment RESULT.json --baselines FOLDER -o comment.md",
    ],
}
PLANNED = {
    "README.md": [
        "edgekit build smollm2-135m-instruct --target linux-cpu -o out",
        "edgekit build ./phi-4-mini --target linux-cpu --recipe int4_rtn",
        "edgekit build det.onnx --target linux-cpu --calibration photos/ --input-spec x:image,scale=1/255",
    ],
    "docs/choosing.md": ['edgekit build phi-4-mini-instruct --target ios-cpu --device "iPhone 15 Pro"'],
    "docs/projects.md": ["edgekit build"],
}
BUILDS = "tests/e2e/test_readme.py"
TRAINED = ("adapters are trained by PEFT first, for minutes", "tests/olive/test_adapters.py")
PACKED = ("a compiler and frameworks of vendors", "tests/engines/packs/test_hello.py")
ELSEWHERE: dict[str, list[tuple[str, str, str]]] = {  # the command, what it needs, who runs it or its like
    "README.md": [
        (f"edgekit check {SMOLLM2} --budget decode_tps:min=20", "seconds of measuring", BUILDS),
        ("edgekit build MODEL --target linux-cpu -o out --json > build.json", "a build", BUILDS),
        ("edgekit check out/MODEL-linux-cpu --budget decode_tps:min=20", "seconds of measuring", BUILDS),
        ("edgekit doctor --device adb:SERIAL", "a phone", "tests/device/test_device_commands.py"),
        ("edgekit check BUNDLE --device ssh:pi@raspberrypi", "another machine", "tests/device/test_over_ssh.py"),
    ],
    "docs/adapters.md": [
        ('edgekit build "$BASE" --target linux-cpu --adapter pirate=pirate --adapter terse=terse -o out', *TRAINED),
        ("edgekit inspect out/*-linux-cpu", *TRAINED),
        ('edgekit build "$BASE" --target linux-cpu --adapter pirate=pirate --merge-adapter -o merged', *TRAINED),
        ('edgekit run out/*-linux-cpu "What is the capital of France?" --adapter pirate', *TRAINED),
        ('edgekit run out/*-linux-cpu "What is the capital of France?" --adapter terse', *TRAINED),
        ('edgekit run out/*-linux-cpu "What is the capital of France?"', *TRAINED),
    ],
    "docs/calling.md": [
        (
            'edgekit run BUNDLE "Is the lamp on?" --tools tools.json --call "python lamp.py"',
            "a model that calls functions",
            "tests/nightly/test_function_calls.py",
        ),
        (
            'edgekit run BUNDLE "Rewrite this as JSON: ..." --speculate ngram',
            "an engine of 0.16 or later",
            "tests/engines/wrappers/test_speculation.py",
        ),
    ],
    "docs/checking.md": [
        (
            "edgekit check BUNDLE --device local --budget decode_tps:min=20 -o summary.md",
            "seconds of measuring",
            BUILDS,
        ),
        ("edgekit check BUNDLE --processes 5", "minutes of measuring", BUILDS),
        ("edgekit check NEW --processes 5", "minutes of measuring", BUILDS),
        ('edgekit check BUNDLE --format markdown >> "$GITHUB_STEP_SUMMARY"', "seconds of measuring", BUILDS),
    ],
    "docs/embedding.md": [
        ("edgekit runtime pack --for linux -o edgekit-linux", *PACKED),
        ("edgekit runtime pack --for jvm -o edgekit-jvm", *PACKED),
        ("edgekit runtime pack --for ios -o edgekit-ios --engines Frameworks/ --engines-version 0.15.2", *PACKED),
        ("edgekit runtime pack --for android -o edgekit-android --engines onnxruntime-genai.aar", *PACKED),
        ("edgekit runtime pack --for windows -o edgekit-windows --engines dlls/", *PACKED),
        ("edgekit lint build/Android/Release", "Google's NDK; the page says that nobody ran it", "docs/embedding.md"),
    ],
    "docs/projects.md": [
        ("edgekit build --locked", "a build", "tests/olive/test_project.py"),
        (
            "edgekit ci init github --mobile",
            "a workflow in the place of the one above",
            "tests/unit/project/test_ci.py",
        ),
    ],
}
PAGE_OF_ITS_OWN = {"docs/inputs.md": "tests/engines/commands/test_inputs_page.py"}


def typed(line: str) -> list[str]:
    """The words of a command line as a shell makes them, up to where its output goes; patterns are left to the room."""
    return shlex.split(re.split(r"\s>>?\s", line)[0], comments=True)


def test_every_command_is_run_or_says_who_runs_it() -> None:
    for document in DOCUMENTS:
        name = document.relative_to(ROOT).as_posix()
        if name in PAGE_OF_ITS_OWN:
            assert (ROOT / PAGE_OF_ITS_OWN[name]).is_file()
            continue
        written = [typed(line) for line, whole in lines_of(document.read_text(encoding="utf-8")) if whole]
        known = [*RUN.get(name, []), *PLANNED.get(name, []), *[line for line, _, _ in ELSEWHERE.get(name, [])]]
        assert sorted(written) == sorted(map(typed, known)), name
        for line, needs, who in ELSEWHERE.get(name, []):
            assert needs and (ROOT / who).is_file(), line


@pytest.mark.parametrize("name", sorted({*RUN, *PLANNED}))
def test_a_documents_commands_run(
    name: str,
    room: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In their order, of the page: a later one may need what an earlier one made."""
    monkeypatch.chdir(room)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n"))  # return, return: what `edgekit init` proposes
    text = (ROOT / name).read_text(encoding="utf-8")
    planned, here = [list(map(typed, table.get(name, []))) for table in (PLANNED, RUN)]
    for words in [typed(line) for line, whole in lines_of(text) if whole]:
        if words not in planned + here:
            continue
        matched = [sorted(map(str, Path().glob(word))) if "*" in word else [word] for word in words[1:]]
        asked = [word for several in matched for word in several] + ["--dry-run"] * (words in planned)
        assert commands.main(asked) == 0, (words, capsys.readouterr().err)
        console.configure()


@pytest.fixture
def room(tmp_path: Path, llm_bundle: Path) -> Path:
    """What the documents speak of."""
    for name in (SMOLLM2, "BUNDLE", "out/MODEL-android-cpu"):
        shutil.copytree(llm_bundle, tmp_path / name)
    save_llama(tmp_path / "phi-4-mini")
    node = helper.make_node
    pooled = [node("GlobalAveragePool", ["x"], ["p"]), node("Flatten", ["p"], ["y"])]
    nets.save(tmp_path / "det.onnx", pooled, [value("x", [1, 3, 32, 32])], [value("y", [1, 3])], {})
    (tmp_path / "photos").mkdir()
    for at in range(12):
        Image.new("RGB", (40, 32), (20 * at, 200 - at, at)).save(tmp_path / "photos" / f"{at}.png")
    (tmp_path / "app" / "libs").mkdir(parents=True)
    for name in ("engine", "onnxruntime-genai"):
        made.aar(tmp_path / "app" / "libs" / f"{name}.aar")
    made.apk(tmp_path / "app.apk")
    made.framework(tmp_path / "Frameworks" / "A.framework")
    (tmp_path / "FOLDER").mkdir()
    for name in ("RESULT.json", "BUNDLE.result.json", "NEW.result.json", "out/a.result.json"):
        result(tmp_path / name, FAST)
    return tmp_path
