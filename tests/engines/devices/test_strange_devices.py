"""What a device says of itself is shown, never obeyed: `devices`, `doctor` and `check` beside an adb that lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekit import commands, plain
from tests import needs

pytestmark = [pytest.mark.runtimes, needs.posix]

EVIL = "\x1b]0;owned\x07\x1b[2J\u202egnp\u200b[red]x[/red][/]##[error]y\rz"
ADB = """\
#!/bin/sh
case "$*" in
*devices*) printf 'List of devices attached\\n%s device product:a model:%s device:c transport_id:1\\n' EVIL1 "$SAYS"
    printf '%s unauthorized transport_id:2\\n' "$SAYS" ;;
*) printf '%s\\n::error::forged\\n' "$SAYS"; printf '%s\\n::error::forged\\n' "$SAYS" >&2; exit "${CODE:-0}" ;;
esac
"""


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("code", ["0", "1"])
@pytest.mark.parametrize(
    "words",
    [
        ("devices",),
        ("devices", "show", "adb:EVIL1"),
        ("doctor", "--device", "adb:EVIL1"),
        ("doctor", "--device", f"adb:{EVIL}"),
        ("devices", "show", f"ssh:{EVIL}@x"),
    ],
    ids=lambda words: " ".join(words).split(EVIL)[0],
)
def test_nothing_that_a_device_says_is_obeyed(
    words: tuple[str, ...],
    code: str,
    as_json: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "adb").write_text(ADB)
    (tmp_path / "adb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SAYS", EVIL)
    monkeypatch.setenv("CODE", code)
    assert commands.main([*words, *(["--json"] if as_json else ["--verbose"])]) != 1
    for text in capsys.readouterr():
        assert not plain.UNSAFE.search(text), ascii(plain.UNSAFE.search(text))
        assert "##[" not in text
        assert not [line for line in text.splitlines() if line.strip().startswith("::")]
