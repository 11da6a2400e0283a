"""What every test shares: one cache, stages, the rule about print(), and the policy for missing programs."""

from __future__ import annotations

import builtins
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgekit import console
from tests import needs
from tests.stages import STAGES, stage_of

ROOT = Path(__file__).parents[1]
UNIT = Path(__file__).parent / "unit"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stage", action="append", choices=list(STAGES), help="run the tests of this stage of CI")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every test is of one stage, or nothing runs; with --stage the others are left out."""
    chosen, left, wrong = [], [], []
    for item in items:
        try:
            stage = stage_of({mark.name for mark in item.iter_markers()})
        except ValueError as error:
            wrong.append(f"{item.nodeid}: {error}")
            continue
        if (stage == "unit") != (UNIT in item.path.parents):
            wrong.append(f"{item.nodeid}: it is of the stage {stage}; tests/unit has those of unit, and no others")
        (chosen if stage in (config.getoption("stage") or STAGES) else left).append(item)
    if wrong:
        raise pytest.UsageError("\n".join(wrong[:20]))
    items[:] = chosen
    if left:
        config.hook.pytest_deselected(items=left)


def pytest_configure() -> None:
    """One cache for all tests, workers and runs; children import the edgekit of this checkout."""
    os.environ.setdefault("EDGEKIT_CACHE", str(ROOT / ".cache"))
    os.environ.setdefault("EDGEKIT_EFFORT", "quick")  # what tests build by default is not calibrated
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no hub is asked, on any machine, but for the tests' own
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


@pytest.fixture(autouse=True)
def only_the_console_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail any test in which product code calls print(); edgekit/console.py is the only printer."""
    real = builtins.print

    def checked(*args: object, **kwargs: object) -> None:
        caller = str(sys._getframe(1).f_globals.get("__name__", ""))
        if caller.partition(".")[0] == "edgekit" and caller != "edgekit.console":
            pytest.fail(f"{caller} called print(); show things through edgekit.console")
        real(*args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "print", checked)


@pytest.fixture(autouse=True)
def quiet_console() -> Iterator[None]:
    """Each test starts and ends with the console's defaults."""
    console.configure()
    yield
    console.configure()


@pytest.fixture
def need_tool() -> Callable[[str], Path]:
    """need_tool("zsh") -> its path. Where it is missing the test is skipped, but fails on CI, which installs it."""

    def need(name: str) -> Path:
        path = shutil.which(name)
        if path is None:
            needs.unavailable(f"{name} is not installed: make test-tools installs it")
        return Path(str(path))

    return need


@pytest.fixture(scope="session")
def need_runner() -> Callable[[str], Path]:
    """need_runner("linux-aarch64") -> edgekit-runner, from the cache or built now, with the engines beside it.

    Without a compiler the test is skipped, but fails on CI.
    """
    from edgekit.devices import _runner
    from edgekit.errors import ToolMissing

    def need(platform: str) -> Path:
        try:
            return _runner.build(_runner.platform(platform))
        except ToolMissing as missing:
            needs.unavailable(f"{missing.message}: {missing.next}")

    return need


@pytest.fixture(scope="session")
def runner(need_runner: Callable[[str], Path]) -> Path:
    """edgekit-runner for this machine; another build of it where EDGEKIT_RUNNER names one (scripts/sanitize.py)."""
    if other := os.environ.get("EDGEKIT_RUNNER"):
        return Path(other)
    from edgekit.wrappers.python.manifest import host_abi

    return need_runner(f"linux-{host_abi()}")


@pytest.fixture
def need_other_user() -> list[str]:
    """The words that run a command as somebody who is not root; none where the test is not root itself."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        needs.unavailable("setpriv is not installed (Debian: util-linux)")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture
def need_root() -> None:
    """Skip where the test is not root, but fail on CI, which is."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        needs.unavailable("this test mounts a file system and needs root")
