"""Tab completion in the real shells."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import commands

pytestmark = pytest.mark.tools

Need = Callable[[str], Path]


@pytest.fixture
def shell(tmp_path: Path, need_tool: Need) -> Callable[[str, str], str]:
    """shell("fish", script) -> what the script prints in that shell, where `edgekit` is a command."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "edgekit").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgekit "$@"\n')
    (folder / "edgekit").chmod(0o755)

    def run(name: str, script: str) -> str:
        environment = {
            **os.environ,
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
        }
        done = subprocess.run(
            [need_tool(name), "-c", script], capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0 and not done.stderr, done.stderr
        return done.stdout

    return run


def test_bash_completes_commands(shell: Callable[[str, str], str]) -> None:
    found = shell(
        "bash",
        'eval "$(edgekit completion bash)"\n'
        "complete -p edgekit >/dev/null\n"
        "COMP_WORDS=(edgekit ''); COMP_CWORD=1; _edgekit_completion edgekit\n"
        'echo "${COMPREPLY[@]}"',
    )
    assert found.split() == commands.names()


def test_fish_completes_commands_and_options(shell: Callable[[str, str], str]) -> None:
    source = "edgekit completion fish | source\n"
    found = shell("fish", source + "complete -C 'edgekit targets s'")
    assert {line.split("\t")[0] for line in found.splitlines()} == {"show", "schema"}
    found = shell("fish", source + "complete -C 'edgekit cache prune --max'")
    assert found.startswith("--max-size")


def test_zsh_takes_the_script_and_the_answers(shell: Callable[[str, str], str]) -> None:
    """compsys itself needs a terminal: this loads the script, and asks edgekit as the script does."""
    loaded = shell("zsh", 'autoload -U compinit; compinit -u; eval "$(edgekit completion zsh)"; echo $_comps[edgekit]')
    assert loaded.strip() == "_edgekit_completion"
    answers = shell("zsh", "COMP_WORDS='edgekit ver' COMP_CWORD=1 _EDGEKIT_COMPLETE=zsh_complete edgekit")
    words = answers.splitlines()
    assert words[0::3] == ["plain"] * (len(words) // 3) and words[1::3] == ["verify", "version"]
