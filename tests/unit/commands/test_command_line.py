"""The command line as scripts meet it: what it lists, what it says when it fails, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from edgekit import commands

pytestmark = pytest.mark.unit

Capture = pytest.CaptureFixture[str]


def document(capsys: Capture) -> dict[str, Any]:
    """The one JSON document on stdout; json.loads refuses a second one."""
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert set(found) == {"schema", "exit_code", "data", "error"}
    return found


def test_help_lists_every_command_with_its_own_words(capsys: Capture) -> None:
    assert commands.main(["--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    for name in commands.names():
        assert f"{name} {commands.summary(name)}" in words


@pytest.mark.parametrize("name", commands.names())
def test_every_command_keeps_the_conventions(name: str, capsys: Capture) -> None:
    """A short help that fits, a `command`, and the shared options on it and on what is below it."""
    assert 10 < len(commands.summary(name)) <= 100
    ctx = click.Context(commands.cli)
    command = commands.cli.get_command(ctx, name)
    assert isinstance(command, click.Command)
    for one in [command, *(command.commands.values() if isinstance(command, click.Group) else ())]:
        options = {word for parameter in one.params for word in parameter.opts}
        assert {"--json", "--quiet", "--verbose"} <= options
        words = one.get_help(click.Context(one, info_name=one.name)).split()
        assert words[0] == "Usage:" and "--json" in words and len(words) > 12
    assert commands.main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: edgekit {name}")


def test_without_a_command_the_help_is_shown(capsys: Capture) -> None:
    assert commands.main([]) == 2
    assert "Commands:" in capsys.readouterr().out


def test_an_unknown_command_suggests_the_nearest(capsys: Capture) -> None:
    assert commands.main(["verfy", "somewhere"]) == 2
    assert "unknown command 'verfy'; did you mean 'verify'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "error", "said"),
    [
        (["--json"], 2, "usage", "command"),
        (["nothing", "--json"], 2, "usage", "unknown command 'nothing'"),
        (["verify", "--json"], 2, "usage", "Missing argument"),
        (["--json", "verify"], 2, "usage", "Missing argument"),
        (["targets", "show", "linux-cpu", "--jsn", "--json"], 2, "usage", "--jsn"),
        (["targets", "show", "linux-cqu", "--json"], 3, "target", "did you mean 'linux-cpu'"),
        (["models", "smolm2-135m-instruct", "--json"], 4, "model", "did you mean 'smollm2-135m-instruct'"),
        (["cache", "prune", "--json"], 2, "usage", "--older-than"),
        (["cache", "prune", "--max-size", "3 elephants", "--json"], 2, "usage", "is not a size"),
        (["verify", "/nowhere", "--json"], 6, "bundle", "/nowhere"),
    ],
)
def test_with_json_every_failure_is_one_document(
    capsys: Capture, words: list[str], code: int, error: str, said: str
) -> None:
    assert commands.main(words) == code
    found = document(capsys)
    assert (found["exit_code"], found["error"]["code"]) == (code, error)
    assert said in found["error"]["message"] and found["error"]["next"]


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        (["--version", "--json"], "edgekit.version/1"),
        (["version", "--json"], "edgekit.version/1"),
        (["targets", "--json"], "edgekit.targets/1"),
        (["targets", "show", "linux-cpu", "--json"], "edgekit.targets.show/1"),
        (["targets", "schema", "--json"], "edgekit.targets.schema/1"),
        (["models", "--json"], "edgekit.models/1"),
        (["models", "smollm2-135m-instruct", "--json"], "edgekit.models.show/1"),
        (["cache", "--json"], "edgekit.cache.show/1"),
        (["completion", "fish", "--json"], "edgekit.completion/1"),
    ],
)
def test_with_json_every_result_is_one_document(capsys: Capture, words: list[str], schema: str) -> None:
    assert commands.main(words) == 0
    found = document(capsys)
    assert found["schema"] == schema and found["data"] and found["error"] is None


def test_targets_show_says_where_each_value_comes_from(capsys: Capture, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "linux-cpu"\nname = "mine"\n[llm]\nmax_length = 512\n')
    assert commands.main(["targets", "show", str(mine), "--json"]) == 0
    found = document(capsys)["data"]
    assert found["target"]["llm"]["max_length"] == 512
    origin = found["origin"]
    assert (origin["name"], origin["llm.max_length"]) == ("mine.toml", "mine.toml")
    assert (origin["os"], origin["llm.recipe"]) == ("linux-cpu.toml", "linux-cpu.toml")
    assert (origin["llm.note"], origin["format"]) == ("default", "default")


def test_a_result_for_people_goes_to_stdout(capsys: Capture) -> None:
    for words in (["targets"], ["targets", "show", "linux-cpu"], ["models"], ["version"], ["--version"]):
        assert commands.main(words) == 0
        out, err = capsys.readouterr()
        assert out and not err


def test_a_command_may_return_its_exit_code(plugged: Any) -> None:
    plugged("return 10")
    assert commands.main(["probe"]) == 10
    assert commands.main(["probe", "--help"]) == 0


def test_a_failure_after_the_document_adds_no_second_one(plugged: Any, capsys: Capture) -> None:
    plugged(
        "error = errors.QualityError('golden differs')\n"
        "console.document('edgekit.probe/1', {'n': 1}, error=error)\n"
        "raise error"
    )
    assert commands.main(["probe", "--json"]) == 9
    out, err = capsys.readouterr()
    assert json.loads(out)["data"] == {"n": 1}
    assert "golden differs" in err


@pytest.mark.parametrize(
    ("body", "code", "error"),
    [
        ("raise KeyboardInterrupt", 130, "interrupted"),
        ("raise OSError(28, 'No space left on device', 'f')", 5, "build"),
        ("raise PermissionError(13, 'Permission denied', 'f')", 2, "usage"),
        ("raise MemoryError", 5, "build"),
        ("raise errors.NotMeasured('no counter', next='x')", 11, "not-measured"),
        ("raise click.UsageError('two\\nlines')", 2, "usage"),
        ("raise click.Abort", 130, "interrupted"),
        ("raise click.FileError('f', 'gone')", 2, "usage"),
    ],
)
def test_every_kind_of_failure_has_its_exit_code(
    plugged: Any, capsys: Capture, body: str, code: int, error: str
) -> None:
    plugged(body)
    assert commands.main(["probe"]) == code
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: ") and len(lines) <= 2
    assert commands.main(["probe", "--json"]) == code
    assert document(capsys)["error"]["code"] == error


def test_an_unexpected_exception_is_one_line_and_a_log(
    plugged: Any, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plugged("secret = {}\nsecret['logits']")
    monkeypatch.setenv("EDGEKIT_CACHE", str(folder / "cache"))
    assert commands.main(["probe"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: internal error: KeyError: 'logits'\n") and "Traceback" not in err
    (log,) = (folder / "cache" / "logs").iterdir()
    assert str(log) in err
    assert "Traceback" in log.read_text() and "secret['logits']" in log.read_text()
    assert commands.main(["probe", "--verbose"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_reported_even_where_no_log_can_be_written(
    plugged: Any, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plugged("1 / 0")
    (folder / "file").touch()
    monkeypatch.setenv("EDGEKIT_CACHE", str(folder / "file"))
    assert commands.main(["probe"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["ci"], ["devices", "--help"]])
def test_help_without_a_command_is_a_page(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    commands.main(words)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5 and max(map(len, lines)) <= 80 and "?" not in lines[0]
