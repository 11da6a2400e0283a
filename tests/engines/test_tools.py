"""The one door to other programs, tried with real ones: the job contract, time limits, and no child left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgekit import console, start, tools, warm
from edgekit.errors import BuildError, QualityError, ToolMissing, UsageError
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


LIBRARY = """
import os
from pathlib import Path
print("noise of a library")
with Path(__file__).with_name("loaded").open("a") as file:
    file.write(os.environ["HF_HOME"] + "\\n")
"""
JOB = """
import os, sys, time
from pathlib import Path
import own_library
from edgekit.used import serve
def handler(request, emit):
    print("said by the handler", flush=True)
    emit("progress", text="at work")
    if request["number"] == -2:
        raise ValueError(f"no number, {sys.stdin.read()!r} was asked")
    if request["number"] < 0:
        os._exit(3)
    here = Path(own_library.__file__).parent
    while request.get("beside") and len(list(here.glob("began-*"))) < request["beside"]:
        (here / f"began-{os.getpid()}").touch()
        time.sleep(0.01)
    said = {"doubled": 2 * request["number"], "pid": os.getpid(), "cwd": os.listdir(), "set": os.environ.get("OWN")}
    return {**said, "worker": os.getppid()}
if __name__ == "__main__":
    sys.exit(serve(handler, Path(sys.argv[1])))
"""


class Own:
    """A program whose library is loaded once, in a folder that is on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "own_library.py").write_text(LIBRARY)
        (folder / "own_job.py").write_text(JOB)

    @property
    def loaded(self) -> list[str]:
        """The HF_HOME of each process that loaded the library."""
        path = self.folder / "loaded"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, number: int, said: list[tools.Event] | None = None, **more: Any) -> dict[str, Any]:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        told = [] if said is None else said
        request, env = {"number": number, **more}, {"OWN": str(number), "HF_HOME": "elsewhere"}
        program = tools.module("own_job")
        return tools.job(program, request, folder, timeout=60, what="the child", on_event=told.append, env=env)


def workers() -> list[psutil.Process]:
    """Those that have libraries loaded: other tests' servers are children of the same process."""
    return [child for child in psutil.Process().children() if warm.PROGRAM[-1] in child.cmdline()]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setitem(warm.PROGRAMS, "own_job", ("own_library",))
    return Own(tmp_path)


@needs.linux
def test_libraries_are_loaded_once_for_all_jobs(own: Own) -> None:
    fresh = own.run(21)
    with warm.kept(), warm.kept():
        said: list[tools.Event] = []
        forked = [own.run(21, said), own.run(4)]
        with pytest.raises(BuildError, match=r"stopped without a result \(exit 3\)"):
            own.run(-1)  # and leaves the next alone
        forked.append(own.run(1))
        with warm.apart(alone=True):
            own.run(1)
    assert [event["text"] for event in said] == ["at work"]
    assert [each["doubled"] for each in forked] == [42, 8, 2] and len({each["pid"] for each in forked}) == 3
    assert [each["set"] for each in forked] == ["21", "4", "1"] and all(each["cwd"] == [] for each in forked)
    # What a job uses of edgekit it tells as one that was started for it alone.
    assert forked[0]["used"]["files"] == fresh["used"]["files"]
    first, home, alone = own.loaded
    assert first == alone == "elsewhere" and not Path(home).exists(), "its folder goes with it"
    assert workers() == []


@needs.linux
def test_what_nobody_expected_is_told_by_a_forked_job_as_by_any(own: Own) -> None:
    """Its log has what it printed and its traceback, and it reads nothing of what others ask its worker."""
    with warm.kept():
        for forked in (True, False):
            log = Path(tempfile.mkdtemp(dir=own.folder)) / "log.txt"
            program, env = tools.module("own_job"), {"HF_HOME": "elsewhere"}
            with warm.apart(alone=not forked), pytest.raises(BuildError) as caught:
                tools.job(program, {"number": -2}, log.parent, timeout=60, what="the child", env=env)
            assert "(exit 1): ValueError: no number, '' was asked" in str(caught.value)
            written = log.read_text()
            assert "said by the handler" in written and "Traceback" in written


@needs.linux
def test_a_worker_serves_several_at_once(own: Own) -> None:
    with warm.kept(), ThreadPoolExecutor(3) as pool:
        context = [copy_context() for _ in range(3)]
        answers = pool.map(lambda at: context[at].run(own.run, at, beside=3), range(3))
        assert [answer["doubled"] for answer in answers] == [0, 2, 4]
    assert len(own.loaded) == 1


@needs.linux
def test_a_worker_that_died_is_replaced(own: Own) -> None:
    with warm.kept():
        own.run(1)
        (worker,) = workers()
        worker.kill()
        worker.wait()
        assert own.run(2)["doubled"] == 4
    assert len(own.loaded) == 2


@needs.linux
def test_a_job_whose_worker_dies_is_over(own: Own) -> None:
    """The system ends it with the one it was forked from, and whoever waits for it is told."""

    def kill(event: tools.Event) -> None:
        (worker,) = workers()
        worker.kill()

    folder = Path(tempfile.mkdtemp(dir=own.folder))
    request, program = {"number": 1, "beside": 2}, tools.module("own_job")
    with warm.kept(), pytest.raises(BuildError):
        tools.job(program, request, folder, timeout=60, what="the child", on_event=kill)


@needs.linux
def test_what_a_request_leaves_running_ends_with_it(own: Own) -> None:
    """A job whose caller goes away in mid answer ends; the next is served."""

    def leave(event: tools.Event) -> None:
        raise KeyboardInterrupt

    folder = Path(tempfile.mkdtemp(dir=own.folder))
    request, program = {"number": 1, "beside": 2}, tools.module("own_job")
    with warm.kept():
        with pytest.raises(KeyboardInterrupt):
            tools.job(program, request, folder, timeout=60, what="the child", on_event=leave)
        own.run(1)
        (worker,) = workers()
        while worker.children():
            time.sleep(0.01)
    assert len(own.loaded) == 1


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
