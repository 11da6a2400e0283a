"""Addresses, adb's lists, what ssh and adb complain about, and how scripts are quoted: all without a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.devices import _launch, _shell
from edgekit.errors import DeviceError

pytestmark = pytest.mark.runtimes


def shell(*argv: str) -> _shell.Shell:
    """A shell on this machine, reached by a program that may get in the way."""
    return _shell.Shell("here", lambda script: [*argv, script], lambda stderr: None)


def test_answers_are_what_stands_between_the_marks() -> None:
    here = shell("sh", "-c")
    assert here.run("printf 'a\\nb'; exit 7") == _shell.Answer("a\nb", 7, "")
    noisy = _shell.Shell("here", lambda script: ["sh", "-c", f"echo Welcome!; {script}; echo bye"], lambda stderr: None)
    assert noisy.run("echo x").text == "x\n"
    assert here.run("cat", stdin="ü\0".encode()).text == "ü\0"


def test_an_answer_that_ends_early_is_a_lost_connection(tmp_path: Path) -> None:
    cut = _shell.Shell("here", lambda script: ["sh", "-c", f"({script}) | head -c 30"], lambda stderr: None)
    with pytest.raises(DeviceError, match="the connection to here was lost"):
        cut.run("echo 123456789012345678901234567890")
    with pytest.raises(DeviceError, match="no shell's answer: 'nonsense'"):
        shell("sh", "-c", "echo nonsense").run("true")
    with pytest.raises(DeviceError, match="did not answer within 1 s"):
        shell("sh", "-c").run("sleep 100", timeout=1)


def test_failures_have_their_cause(tmp_path: Path) -> None:
    here = shell("sh", "-c")
    with pytest.raises(DeviceError, match=r"looking failed .exit 3.: last words"):
        here.must("echo first; echo last words >&2; exit 3", "looking")
    with pytest.raises(DeviceError, match="is full: no space left while writing") as caught:
        here.must("echo 'sh: write error: No space left on device' >&2; exit 1", "writing")
    assert "edgekit devices clean" in caught.value.next


def test_files_are_pulled_whole_or_not_at_all(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / "a file").write_bytes(content)
    assert shell("sh", "-c").pull(str(tmp_path / "a file")) == content
    assert shell("sh", "-c").pull(str(tmp_path / "none")) is None
    lying = _shell.Shell(
        "here", lambda script: ["sh", "-c", script.replace("base64 <", "echo AAAA; true <")], lambda e: None
    )
    with pytest.raises(DeviceError, match="arrived changed"):
        lying.pull(str(tmp_path / "a file"))


def test_a_launched_program_is_watched(tmp_path: Path) -> None:
    told: list[object] = []
    here = shell("sh", "-c")
    ended = _launch.launch(
        here,
        str(tmp_path),
        ["sh", "-c", 'echo "{\\"event\\": \\"x\\"}"; echo noise; exit 4'],
        {"A": "b c"},
        timeout=60,
        on_event=told.append,
    )
    assert ended == _launch.Ended(4, "itself") and told == [{"event": "x"}]
    with pytest.raises(DeviceError, match="did not end within 1 s and was stopped"):
        _launch.launch(here, str(tmp_path), ["sleep", "600"], {}, timeout=1, on_event=told.append)
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()
    _launch.launch(here, str(tmp_path), ["sh", "-c", 'echo "$A" >&2'], {"A": "b c"}, timeout=60, on_event=told.append)
    assert (tmp_path / "log.txt").read_text() == "b c\n"
