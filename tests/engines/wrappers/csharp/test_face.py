"""The C# face on real .NET: what all faces do (conformance_face.py), tokens, libraries, a process's end."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgekit.devices._runner import LIBRARY
from tests.engines.wrappers.conformance import GREEDY
from tests.engines.wrappers.conformance_face import Faces, Refusal, answered, opened, ten_megabytes
from tests.engines.wrappers.counting import Counted
from tests.engines.wrappers.csharp.face import Console
from tests.peers.dotnet import Dotnet

pytestmark = pytest.mark.tools


class TestFace(Faces):
    wrong: Sequence[dict[str, Any]] = ({}, {"prompt": ""})  # its requests have no keys but those that there are

    @pytest.fixture
    def face(self, console: Console) -> Console:
        return console


def test_the_engines_are_those_beside_the_library(console: Console, talking_bundle: Path, app: Path) -> None:
    with opened(console, talking_bundle) as bundle:
        engines = console.ask("facts", bundle=bundle)["engines"]
    assert {Path(engine["file"]).parent for engine in engines.values()} == {app}


def test_ten_megabytes_in_and_out(sdk: Dotnet, app: Path, counted: Counted, same_bundle: Path, tmp_path: Path) -> None:
    console = Console(sdk, app, tmp_path, **counted.env)
    ten_megabytes(console, counted, same_bundle)
    assert console.end() == 0


def test_half_a_character_is_refused(console: Console, talking_bundle: Path) -> None:
    with opened(console, talking_bundle) as bundle, pytest.raises(Refusal) as refusal:
        console.ask("half", bundle=bundle)
    assert refusal.value.code == "usage"


def test_what_cannot_be_loaded(sdk: Dotnet, app: Path, tmp_path: Path, tensor_bundle: Path) -> None:
    def refused(library: Path | None, **options: Any) -> Refusal:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name in ("Edgekit.dll", "Adapter.dll"):
            shutil.copyfile(app / name, folder / name)
        if library:
            shutil.copyfile(library, folder / LIBRARY)
        console = Console(sdk, folder, folder)
        with pytest.raises(Refusal) as refusal:
            console.open(tensor_bundle, **options)
        assert console.end() == 0
        return refusal.value

    text = tmp_path / "text.so"
    text.write_text("no library")
    [other] = app.glob("libonnxruntime.so*")
    for library in (None, text, other):  # none; of no machine; without our functions
        refusal = refused(library)
        assert (refusal.code, refusal.axis) == ("tool-missing", "abi") and refusal.next, refusal
    refusal = refused(app / LIBRARY)
    assert (refusal.code, refusal.axis) == ("tool-missing", "onnxruntime")
    refusal = refused(app / LIBRARY, onnxruntime=str(text))
    assert (refusal.code, refusal.axis) == ("tool-missing", "onnxruntime")
    assert str(text) in str(refusal)


def test_engines_are_found_by_their_path(sdk: Dotnet, app: Path, tmp_path: Path, tensor_bundle: Path) -> None:
    for name in ("Edgekit.dll", "Adapter.dll", LIBRARY):
        shutil.copyfile(app / name, tmp_path / name)
    [engine] = app.glob("libonnxruntime.so*")
    console = Console(sdk, tmp_path, tmp_path)
    facts = console.ask("facts", bundle=console.open(tensor_bundle, onnxruntime=str(engine)))
    assert facts["engines"]["onnxruntime"]["file"] == str(engine)
    assert console.end() == 0


def test_a_token_that_was_cancelled_before(console: Console, talking_bundle: Path) -> None:
    with pytest.raises(Refusal, match="cancel") as refusal:
        console.open(talking_bundle, cancelled=True)
    assert refusal.value.code == "TaskCanceledException"
    with opened(console, talking_bundle) as bundle, pytest.raises(Refusal) as refusal:
        console.ask("before", bundle=bundle)
    assert refusal.value.code == "TaskCanceledException"


def test_an_answer_is_read_once(console: Console, talking_bundle: Path) -> None:
    with opened(console, talking_bundle) as bundle, pytest.raises(Refusal, match="ask again"):
        console.ask("twice", bundle=bundle, prompt="a", max_tokens=1)


def test_a_bundle_that_is_closed_in_mid_answer(console: Console, talking_bundle: Path) -> None:
    request = {"prompt": "the hand and the can", "max_tokens": 3000, **GREEDY}
    bundle = console.open(talking_bundle)
    answer = answered(console.ask("closed", bundle=bundle, **request))
    assert answer.text and answer.reason == "cancelled" and answer.tokens < 3000
    with pytest.raises(Refusal, match="was closed"):
        console.ask("facts", bundle=bundle)


def test_a_process_that_leaves_in_mid_answer_ends_well(
    sdk: Dotnet, app: Path, talking_bundle: Path, tmp_path: Path
) -> None:
    for _ in range(3):
        console = Console(sdk, app, tmp_path)
        bundle = console.open(talking_bundle)
        with pytest.raises(AssertionError):  # it is gone
            console.ask("quit", bundle=bundle, prompt="the hand and the can", max_tokens=3000)
        assert console.end() == 0 and console.findings == console.errors == ""


def test_open_and_close_leave_nothing(sdk: Dotnet, app: Path, talking_bundle: Path, tmp_path: Path) -> None:
    console = Console(sdk, app, tmp_path)
    process = psutil.Process(console.pid)
    request = {"prompt": "the hand and the can", "max_tokens": 4}

    def cycle(times: int) -> tuple[int, int, int]:
        """Threads, descriptors, bytes that are nobody else's."""
        console.ask("cycles", folder=str(talking_bundle), times=times, **request)
        memory = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="utf-8")
        anonymous = next(line for line in memory.splitlines() if line.startswith("Anonymous:"))
        return process.num_threads(), process.num_fds(), int(anonymous.split()[1]) << 10

    before, after = cycle(80), cycle(60)  # .NET compiles and grows its heap in the first
    assert after[0] <= before[0] + 2 and after[1] <= before[1]  # the thread pool's own come and go
    assert after[2] - before[2] < 2 << 20, (before, after)
    assert console.end() == 0
