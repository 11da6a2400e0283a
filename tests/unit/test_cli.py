"""The command line as scripts meet it: what it lists, what it says when it fails, and with which exit code."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest

from edgekit import commands

pytestmark = pytest.mark.unit

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """plugged("body") adds the command `probe`, whose body is given, to the command line."""

    def add(body: str) -> Path:
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        (tmp_path / "probe.py").write_text(
            '"""A command of the tests."""\nimport os, sys, time\nimport click\nfrom edgekit import console, errors\n'
            f'@click.command()\ndef command():\n    """A command of the tests."""\n{lines}\n'
        )
        monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
        monkeypatch.delitem(sys.modules, "edgekit.commands.probe", raising=False)
        importlib.invalidate_caches()
        return tmp_path

    yield add
    sys.modules.pop("edgekit.commands.probe", None)


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
        assert one.get_help(click.Context(one, info_name=one.name))
    assert commands.main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: edgekit {name}")


def test_help_imports_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys; from edgekit import commands; assert commands.main(['--help']) == 0\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stderr.split())
    assert not {f"edgekit.commands.{name}" for name in commands.names()} & loaded
    assert not {"numpy", "onnx", "onnxruntime", "pydantic", "rich", "torch", "olive"} & loaded


@pytest.mark.parametrize("name", commands.names())
def test_importing_a_command_loads_no_engine(name: str) -> None:
    """Tab completion imports commands, so the engines come only when one of them runs."""
    code = f"import sys, edgekit.commands.{name}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"onnx", "onnxruntime", "onnxruntime_genai", "torch", "olive"} & set(done.stdout.split())


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


def driver(folder: Path, words: str) -> list[str]:
    """A real process whose command line has the command in `folder` too."""
    code = f"import sys; from edgekit import commands as c; c.__path__.append({str(folder)!r}); sys.exit(c.main())"
    return [sys.executable, "-c", code, *words.split()]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cleans_up_and_exits_with_130(plugged: Any, number: signal.Signals) -> None:
    folder = plugged(
        "from edgekit import tools\n"
        "try:\n"
        "    console.out('started')\n"
        "    tools.run(['sleep', '600'], timeout=600)\n"
        "finally:\n"
        "    console.out('cleaned up')"
    )
    with subprocess.Popen(
        driver(folder, "probe"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.2)  # into the child's run; earlier is right too
        process.send_signal(number)
        assert process.wait(60) == 130
        assert process.stdout.read() == "cleaned up\n"
        assert process.stderr.read().startswith("error: interrupted\n")


def test_nohup_keeps_a_command_running(plugged: Any) -> None:
    folder = plugged("import signal\nos.kill(os.getpid(), signal.SIGHUP)\nconsole.out('still here')")
    code = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", code, *driver(folder, "probe")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "still here\n")


@pytest.mark.parametrize("body", ["for _ in range(100000): console.out('x' * 100)", "console.out('one')"])
def test_a_reader_that_stops_reading_ends_the_command_in_silence(plugged: Any, body: str) -> None:
    folder = plugged(f"import time\n{body}\nconsole.out('two' * 100000)")
    with subprocess.Popen(
        driver(folder, "probe"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 2
        assert process.stderr.read() == ""


def test_the_module_and_the_entry_point_are_the_same_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("edgekit ")
    failed = subprocess.run([sys.executable, "-m", "edgekit", "nope"], capture_output=True, check=False, cwd=ROOT)
    assert failed.returncode == 2
