"""edgekit-runner answers as the Python runtime does (conformance.py), and what only it does."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import onnxruntime_genai
import pytest

from edgekit import __version__
from edgekit.devices._runner import SOURCES
from edgekit.wrappers.python import machine
from tests.engines.wrappers.conformance import Answers, Endings, Refusals, Strangers
from tests.engines.wrappers.runtimes import Program

pytestmark = pytest.mark.tools


@pytest.fixture
def runtime(runner: Path) -> Program:
    return Program((str(runner),))


@pytest.fixture
def program(runtime: Program) -> Program:
    return runtime


class TestAnswers(Answers):
    pass


class TestRefusals(Refusals):
    pass


class TestStrangers(Strangers):
    pass


class TestEndings(Endings):
    pass


def test_it_says_what_it_is(runner: Path) -> None:
    done = subprocess.run([runner, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"edgekit-runner {__version__} linux-{machine.host_abi()}\n"


@pytest.mark.parametrize("words", [[], ["--frobnicate", "1", "x.json"], ["--genai"], ["a.json", "b.json"]])
def test_it_explains_itself(runner: Path, words: list[str]) -> None:
    done = subprocess.run([runner, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "REQUEST.json" in done.stderr and not done.stdout


def test_tensors_need_no_genai(runner: Path, tensor_bundle: Path, llm_bundle: Path, tmp_path: Path) -> None:
    shutil.copyfile(runner, tmp_path / "runner")
    (tmp_path / "runner").chmod(0o755)
    (tmp_path / "libonnxruntime.so").symlink_to(next(runner.parent.glob("libonnxruntime.so*")))
    alone = Program((str(tmp_path / "runner"),))
    assert alone.act("load", tensor_bundle).outcome["kind"] == "tensor"
    error = alone.act("load", llm_bundle).error
    assert (error["code"], error["axis"]) == ("tool-missing", "onnxruntime_genai")
    assert "--genai FILE" in error["next"]


def test_a_genai_of_unknown_version(runner: Path, llm_bundle: Path, tmp_path: Path) -> None:
    genai = tmp_path / "libonnxruntime-genai.so"
    genai.symlink_to(next(runner.parent.glob("libonnxruntime-genai.so*")))
    error = Program((str(runner), "--genai", str(genai))).act("load", llm_bundle).error
    assert (error["code"], error["axis"]) == ("bundle", "min_onnxruntime_genai")
    assert error["next"] == "tell it: --genai-version VERSION"
    told = Program((str(runner), "--genai", str(genai), "--genai-version", "0.14.1"))
    assert told.act("load", llm_bundle).outcome["kind"] == "llm"


@pytest.mark.parametrize("what", ["missing", "no library", "another library"])
def test_an_engine_that_cannot_be_loaded(runner: Path, tensor_bundle: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "libonnxruntime.so"
    if what == "no library":
        path.write_bytes(b"no library at all")
    elif what == "another library":
        path.symlink_to(next(runner.parent.glob("libonnxruntime-genai.so*")))
    error = Program((str(runner), "--onnxruntime", str(path))).act("load", tensor_bundle).error
    assert (error["code"], error["axis"]) == ("tool-missing", "onnxruntime")


def test_every_genai_function_is_exported() -> None:
    text = (SOURCES / "src" / "genai_abi.h").read_text(encoding="utf-8")
    names = re.findall(r"\bX\([^,()]+,\s*(Oga\w+)", text)
    assert len(names) > 30
    later = names[names.index("OgaSetTelemetryEnabled") :]
    assert 0 < len(later) < 10 and text.index("LATER_FUNCTIONS(X)") < text.index(later[0])
    folder = Path(onnxruntime_genai.__file__).parent
    library = ctypes.CDLL(str(next(folder.glob("libonnxruntime-genai.so*"))))
    assert [name for name in names if not hasattr(library, name)] == later


def test_both_runtimes_read_a_machine_alike(
    runner: Path, tensor_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "proc/cpuinfo": "processor : 0\nmodel name\t: Wide CPU @ 3 GHz\nflags\t: fpu sse avx512f\n\nprocessor : 1\n",
        "proc/meminfo": "MemTotal:       16384000 kB\nMemFree: 1 kB\n",
        "proc/sys/kernel/arch": machine.host_abi(),
        "sys/class/dmi/id/product_name": "Board 3000\n",
        "sys/class/thermal/thermal_zone0/temp": "45500\n",
        "sys/class/thermal/thermal_zone1/temp": "61250\n",
        "sys/class/thermal/thermal_zone2/temp": "-273000\n",
        "sys/class/thermal/thermal_zone3/temp": "unknown\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "SYS", tmp_path / "sys")
    reads = Program((str(runner), "--root", str(tmp_path)))
    here = reads.act("identify", tensor_bundle).outcome["device"]
    own = machine.facts()
    for name in ("model", "cpu", "cores", "ram_mb", "abi", "os", "kernel", "governor", "hypervisor", "kernels"):
        assert here[name] == own[name], name
    assert here["temperature_c"] == own["temperature_c"] == 61.25
    assert here["model"] == "Board 3000" and here["hypervisor"] is False and here["ram_mb"] == 16000
