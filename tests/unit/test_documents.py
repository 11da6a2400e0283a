"""Every command of edgekit in README and docs is one that edgekit takes, with its options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edgekit.commands import cli

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
INLINE = re.compile(r"`(edgekit [^`]+)`")


def commands(text: str) -> Iterator[tuple[str, bool]]:
    """Lines of indented and fenced blocks that begin with edgekit: whole; and what is quoted in a sentence: in part."""
    fenced = False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        code = line.strip().removeprefix("$ ")
        if (fenced or line.startswith("    ")) and code.startswith("edgekit "):
            yield from ((piece, True) for piece in code.split(" && "))
        elif not fenced and not line.startswith("    "):
            yield from ((quoted, False) for quoted in INLINE.findall(line))


def parsed(line: str) -> None:
    """Parse a command line, up to what a shell would do with its output; raises as click does."""
    words = shlex.split(re.split(r"\s>>?\s", line)[0], comments=True)[1:]
    if words[0].startswith("--") or words[0] == "...":
        return
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, words[0]
    if any(re.search(r"[|\[\]]|\.\.\.", word) for word in words) or len(words) == 1:
        return  # a form with alternatives, or a command by its name
    if isinstance(command, click.Group):
        below = command.commands[words[1]]
        command, words = below, words[1:]
    if {"--help", "--schema"} & set(words):
        return
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_documents_commands_are_edgekits(document: Path) -> None:
    wrong = []
    for line, whole in commands(document.read_text(encoding="utf-8")):
        try:
            parsed(line)
        except click.MissingParameter as error:
            wrong += [f"{line}: {error}"] if whole else []
        except click.BadParameter as error:  # a file of the reader's is not here
            wrong += [] if "does not exist" in error.message else [f"{line}: {error.message}"]
        except (click.ClickException, KeyError, AssertionError, ValueError) as error:
            wrong.append(f"{line}: {getattr(error, 'message', error)}")
    assert not wrong, "\n".join(wrong)


def test_a_readmes_goals_of_make_exist() -> None:
    goals = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    said = re.findall(
        r"\bmake ([a-z][a-z-]*)", "\n".join(re.findall(r"`[^`\n]*`|^    .*", DOCUMENTS[0].read_text(), re.MULTILINE))
    )
    assert said and set(said) <= set(goals)
