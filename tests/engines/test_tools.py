"""The one door to other programs, tried with real ones: the job contract, time limits, and no child left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgekit import console, start, tools
from edgekit.errors import BuildError, QualityError, ToolMissing, UsageError
from edgekit.warm import Warm
from tests import needs

pytestmark = [pytest.mark.runtimes, needs.posix]

Job = Callable[..., dict[str, Any]]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """job("body of handler(request, emit)", {...}) runs a child of ours and returns its outcome."""

    def run(body: str, request: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        script = tmp_path / "child.py"
        script.write_text(
            "import os, signal, subprocess, sys, time\n"
            "from pathlib import Path\n"
            "from edgekit.wrappers.python.protocol import serve\n"
            f"def handler(request, emit):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
            "sys.exit(serve(handler, Path(sys.argv[-1])))\n"
        )
        options = {"timeout": 60, "what": "the child", **options}
        return tools.job([sys.executable, script], request or {}, tmp_path, **options)

    return run


def test_a_job_gives_its_events_in_order_and_its_outcome(job: Job) -> None:
    events: list[tools.Event] = []
    outcome = job(
        """
        for number in range(request["count"]):
            emit("tick", number=number, text="é\\n")
        return {"answer": 42}
        """,
        {"count": 3},
        on_event=events.append,
    )
    assert outcome == {"answer": 42}
    assert events == [{"event": "tick", "number": number, "text": "é\n"} for number in range(3)]


def test_what_libraries_print_does_not_disturb_the_events(job: Job, tmp_path: Path) -> None:
    events: list[tools.Event] = []
    job(
        """
        print('{"event": "forged"}')
        os.write(1, b"from C\\n")
        subprocess.run(["echo", "from a grandchild"], check=True)
        emit("real")
        print("after", flush=True)
        return {}
        """,
        on_event=events.append,
    )
    assert events == [{"event": "real"}]
    log = (tmp_path / "log.txt").read_text()
    assert all(text in log for text in ("forged", "from C", "from a grandchild", "after"))


@pytest.mark.parametrize("verbose", [True, False])
def test_verbose_shows_what_a_child_logged_also_where_it_fails(
    job: Job, verbose: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    console.configure(verbose=verbose)
    with pytest.raises(BuildError, match="without a result") as caught:
        job("print('pass 3 of 7 went wrong', flush=True); os._exit(3)")
    assert "--verbose" in caught.value.next
    assert ("pass 3 of 7 went wrong" in capsys.readouterr().err.splitlines()) == verbose


def test_the_childs_own_error_crosses_over(job: Job) -> None:
    with pytest.raises(QualityError) as caught:
        job(
            """
            class Failed(Exception):
                code, next = "quality", "use another recipe"
            raise Failed("KL 0.7 is above 0.15")
            """
        )
    assert (caught.value.message, caught.value.next) == ("KL 0.7 is above 0.15", "use another recipe")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError('logits')", "KeyError: 'logits'"),
        ("os._exit(0)", "exit 0"),  # exit 0 without an outcome is a failure all the same
        ("os.kill(os.getpid(), signal.SIGABRT)", "exit -6"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ran out of memory or was killed"),
        ("raise MemoryError", "ran out of memory"),
        ("print('std::bad_alloc'); os._exit(1)", "exit 1"),
        ("sys.stderr.write('terminate: std::bad_alloc'); os._exit(1)", "ran out of memory"),
        ("raise OSError(28, 'No space left on device')", "the disk is full"),
    ],
)
def test_a_missing_outcome_is_a_failure_with_its_cause(job: Job, body: str, said: str) -> None:
    with pytest.raises(BuildError) as caught:
        job(body)
    assert said in caught.value.message
    assert "\n" not in caught.value.message and caught.value.next


def test_an_outcome_of_an_earlier_run_is_not_believed(job: Job, tmp_path: Path) -> None:
    (tmp_path / "outcome.json").write_text('{"answer": "old"}')
    with pytest.raises(BuildError):
        job("os._exit(0)")


@pytest.mark.parametrize("content", ["", "[1]", '{"answer": ', "\x00"])
def test_a_damaged_outcome_is_no_outcome(job: Job, content: str) -> None:
    with pytest.raises(BuildError):
        job(
            """
            Path(sys.argv[-1]).with_name("outcome.json").write_text(request["content"])
            os._exit(0)
            """,
            {"content": content},
        )


def test_the_time_limit_ends_the_child_and_its_children(job: Job, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="did not end within 2 s"):
        job(
            """
            below = subprocess.Popen(["sleep", "600"])
            Path(request["pid"]).write_text(str(below.pid))
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
            """,
            {"pid": str(tmp_path / "pid")},
            timeout=2,
        )
    assert _gone(int((tmp_path / "pid").read_text()))


def test_a_child_that_outlives_its_outcome_leaves_nothing_running(job: Job, tmp_path: Path) -> None:
    outcome = job('return {"pid": subprocess.Popen(["sleep", "600"]).pid}')
    assert _gone(outcome["pid"])


@needs.linux
def test_the_child_dies_with_its_parent_however_it_dies(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(
        "import os, sys, time\nfrom pathlib import Path\nfrom edgekit.wrappers.python.protocol import serve\n"
        "def handler(request, emit):\n"
        "    aside = Path(request['pid'] + '.part')\n"
        "    aside.write_text(str(os.getpid()))\n"
        "    aside.rename(request['pid'])\n"
        "    time.sleep(600)\n"
        "serve(handler, Path(sys.argv[-1]))\n"
    )
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import sys\nfrom pathlib import Path\nfrom edgekit import tools\n"
        f"tools.job([sys.executable, {str(child)!r}], {{'pid': {str(tmp_path / 'pid')!r}}}, Path({str(tmp_path)!r}),"
        " timeout=600, what='the child')\n"
    )
    process = subprocess.Popen([sys.executable, parent])
    try:
        assert _soon((tmp_path / "pid").exists)
    finally:
        process.kill()
        process.wait()
    assert _gone(int((tmp_path / "pid").read_text()))


def test_an_interrupted_parent_ends_its_child(tmp_path: Path, job: Job) -> None:
    def stop(event: tools.Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job(
            """
            Path(request["pid"]).write_text(str(os.getpid()))
            emit("started")
            time.sleep(600)
            """,
            {"pid": str(tmp_path / "pid")},
            on_event=stop,
        )
    assert _gone(int((tmp_path / "pid").read_text()))


def test_engines_are_told_not_to_call_home(job: Job) -> None:
    environment = job("return dict(os.environ)", env={"EDGEKIT_TEST": "given"})
    assert environment["ORT_DISABLE_TELEMETRY"] == environment["OLIVE_DISABLE_TELEMETRY"] == "1"
    assert environment["EDGEKIT_TEST"] == "given" and "PATH" in environment


def test_a_child_imports_from_where_its_parent_does_and_works_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, added, job = tmp_path / "here", tmp_path / "added", tmp_path / "job"
    for folder in (here, added, job):
        folder.mkdir()
    for name in ("json", "numpy", "own_module", "sitecustomize"):
        (here / f"{name}.py").write_text("raise SystemExit('the current folder')")
    (added / "own_module.py").write_text(
        "import os, sys\nfrom pathlib import Path\nfrom edgekit.wrappers.python.protocol import serve\n"
        "def handler(request, emit):\n"
        "    import json, numpy\n"
        "    return {'path': sys.path, 'isolated': sys.flags.isolated, 'cwd': os.getcwd(), 'there': os.listdir()}\n"
        "sys.exit(serve(handler, Path(sys.argv[-1])))\n"
    )
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", ["", *sys.path, str(added)])
    found = tools.job(tools.module("own_module"), {}, Path("../job"), timeout=60, what="the child")
    assert found["isolated"] == 1 and found["there"] == [] and found["cwd"] == str(job / tools.CWD)
    assert found["path"] == tools.imports() and str(here) not in found["path"]
    assert sorted(path.name for path in job.iterdir()) == ["log.txt", "outcome.json", "request.json"]


WARM = """
import os, sys
from pathlib import Path
from edgekit.jobs import warm
from edgekit.wrappers.python.protocol import serve
def load():
    print("noise of a library")
    Path(sys.argv[1]).open("a").write(os.environ["HF_HOME"] + "\\n")
def handler(request, emit):
    print("said by the handler")
    emit("progress", text="at work")
    if request["number"] < 0:
        os._exit(3)
    return {"doubled": 2 * request["number"], "pid": os.getpid(), "parent": os.getppid(), "here": os.listdir()}
sys.exit(serve(handler, warm.request(load)))
"""


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[tuple[list[str | Path], Warm, Path]]:
    """A program, a child of it that is warm, and the file that it writes when it is loaded."""
    script, loaded = tmp_path / "warm.py", tmp_path / "loaded"
    script.write_text(WARM)
    argv = [sys.executable, script, loaded]
    worker = Warm(argv, lambda folder: {"HF_HOME": str(folder)})
    yield argv, worker, loaded
    worker.close()
    assert not psutil.pid_exists(worker.process.pid)
    assert not Path(loaded.read_text().splitlines()[0]).exists(), "its folder goes with it"


@needs.linux
def test_a_warm_child_loads_once_for_all_requests(warm: tuple[list[str | Path], Warm, Path], tmp_path: Path) -> None:
    argv, worker, loaded = warm
    pids = set()
    for number in (21, 4):
        said: list[tools.Event] = []
        outcome = tools.job(
            argv, {"number": number}, tmp_path, timeout=60, what="the child", on_event=said.append, fork=worker.fork
        )
        assert outcome["doubled"] == 2 * number and outcome["parent"] == worker.process.pid and outcome["here"] == []
        assert [event["text"] for event in said] == ["at work"]
        assert (tmp_path / "log.txt").read_text() == "said by the handler\n"
        pids.add(outcome["pid"])
    assert len(pids) == 2 and len(loaded.read_text().splitlines()) == 1
    # One that fails says so, and leaves the next alone.
    with pytest.raises(BuildError, match=r"stopped without a result \(exit 3\)"):
        tools.job(argv, {"number": -1}, tmp_path, timeout=60, what="the child", fork=worker.fork)
    assert tools.job(argv, {"number": 1}, tmp_path, timeout=60, what="the child", fork=worker.fork)["doubled"] == 2
    assert len(loaded.read_text().splitlines()) == 1


def test_a_warm_child_that_died_is_replaced(warm: tuple[list[str | Path], Warm, Path], tmp_path: Path) -> None:
    argv, worker, loaded = warm
    while not (loaded.exists() and loaded.read_text()):
        time.sleep(0.01)
    worker.process.kill()
    worker.process.wait()
    outcome = tools.job(argv, {"number": 1}, tmp_path, timeout=60, what="the child", fork=worker.fork)
    assert outcome["doubled"] == 2


@needs.linux
def test_what_a_request_leaves_running_ends_with_it(warm: tuple[list[str | Path], Warm, Path], tmp_path: Path) -> None:
    """A job whose caller goes away in mid answer ends, and so does the worker that would speak to nobody."""
    argv, worker, _ = warm

    def leave(event: tools.Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tools.job(argv, {"number": 1}, tmp_path, timeout=60, what="the child", on_event=leave, fork=worker.fork)
    assert worker.process.wait(60) == -9
    assert worker.fork(tmp_path / "request.json") is None


def test_run_returns_output_and_exit_code() -> None:
    done = tools.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_run_ends_a_program_that_takes_too_long(tmp_path: Path) -> None:
    command = f"sleep 600 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(BuildError, match="sh did not end within 1 s"):
        tools.run(["sh", "-c", command], timeout=1)
    assert _gone(int((tmp_path / "pid").read_text()))


def test_a_missing_program_names_the_line_that_installs_it() -> None:
    with pytest.raises(ToolMissing, match="no-such-program is not installed"):
        tools.run(["no-such-program"], timeout=1)
    with pytest.raises(ToolMissing) as caught:
        tools.find("no-such-program", next="apt-get install it")
    assert caught.value.next == "apt-get install it"
    assert tools.find("sh", next="").name == "sh"


def _soon(condition: Callable[[], bool]) -> bool:
    """Wait for something that must happen; the limit only ends a test that has failed."""
    limit = time.monotonic() + 60
    while not condition() and time.monotonic() < limit:
        time.sleep(0.02)
    return condition()


def _gone(pid: int) -> bool:
    def gone() -> bool:
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    if _soon(gone):
        return True
    os.kill(pid, signal.SIGKILL)
    return False


def test_a_path_that_is_not_utf8_is_one_line_and_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not UTF-8") as caught:
        tools.job(["a program that is not there"], {"out": "/o\udce9"}, tmp_path, timeout=9, what="it")
    assert "TMPDIR" in caught.value.next


@needs.linux
@pytest.mark.parametrize("lives", [True, False])
def test_a_child_whose_parent_has_died_does_nothing(tmp_path: Path, lives: bool) -> None:
    """Whoever started it may be gone before it asks to be told."""
    (tmp_path / "late.py").write_text(f"open({str(tmp_path / 'done')!r}, 'w')\n")
    env = tools.environment() | {start.IMPORTS: os.pathsep.join([str(tmp_path), *tools.imports()])}
    if not lives:
        env |= {start.PARENT: "1"}
    done = tools.run(tools.module("late"), timeout=60, env=env)
    assert (done.returncode, (tmp_path / "done").exists()) == ((0, True) if lives else (1, False))
