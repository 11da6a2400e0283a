"""The wheel, as a user gets it: built from this checkout, installed with its core alone, used from another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from edgekit import extras

pytestmark = pytest.mark.olive  # no engine, but a minute of pip

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built through its sdist as an index would have it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean environment with the wheel and its core dependencies."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "venv", with_pip=True)
    found = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [found, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel]
    done = subprocess.run(install, capture_output=True, text=True, check=False, env=environment(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return found


def environment(home: Path) -> dict[str, str]:
    """This process's environment without this checkout, and with a cache of its own."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "EDGEKIT_CACHE")}
    return {**kept, "EDGEKIT_CACHE": str(home / "cache")}


def edgekit(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command `edgekit` from another folder."""
    return subprocess.run(
        [python.with_name("edgekit"), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(folder),
    )


def test_the_wheel_holds_the_data_that_the_code_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    targets = {f"edgekit/targets/{path.name}" for path in (ROOT / "targets").glob("*.toml")}
    assert "edgekit/targets/linux-cpu.toml" in targets and targets <= names
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "edgekit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted |= {
        f"edgekit/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "mobile_samples").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "edgekit/mobile_samples/android/settings.gradle.kts" in wanted and wanted <= names
    assert "edgekit/py.typed" in names
    assert not {name for name in names if not name.startswith(("edgekit/", "edgekit_ai-"))}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_core_works_from_another_folder(python: Path, tmp_path: Path) -> None:
    shown = edgekit(python, tmp_path, "--help")
    assert shown.returncode == 0 and "build" in shown.stdout
    listed = edgekit(python, tmp_path, "targets", "list", "--json")
    shipped = {path.stem for path in (ROOT / "targets").glob("*.toml")}
    assert {one["name"] for one in json.loads(listed.stdout)["data"]} == shipped
    models = edgekit(python, tmp_path, "models", "--json")
    assert json.loads(models.stdout)["data"], models.stderr


def test_the_core_has_no_torch_and_says_how_to_get_the_rest(python: Path, tmp_path: Path) -> None:
    found = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    assert found.returncode != 0
    built = edgekit(python, tmp_path, "build", "smollm2-135m-instruct", "--target", "linux-cpu", "-o", "out")
    assert built.returncode == 7, built.stderr
    assert "pip install 'edgekit-ai[build]" in built.stderr
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "cache" / "downloads").exists()  # said before anything is fetched


def test_the_core_passes_its_own_import_of_every_module_it_needs(python: Path, tmp_path: Path) -> None:
    """Every module but the children's imports with the core dependencies alone."""
    code = (
        "import importlib, pkgutil, edgekit\n"
        "for found in pkgutil.walk_packages(edgekit.__path__, 'edgekit.'):\n"
        "    if not found.name.startswith('edgekit.jobs') and not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
    )
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(tmp_path)
    )
    assert done.returncode == 0, done.stderr


def test_the_core_alone_plans_a_build(python: Path, tmp_path: Path) -> None:
    """From the catalogue's card: no extra, no network, no weights."""
    planned = edgekit(python, tmp_path, "build", "smollm2-135m-instruct", "--target", "linux-cpu", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "building (estimated): a bundle of " in planned.stdout and "on the device (estimated): " in planned.stdout


@pytest.mark.nightly
@pytest.mark.parametrize("extra", sorted(extras.EXTRAS))
def test_an_extra_of_the_wheel_is_installed_by_its_line(extra: str, wheel: Path, tmp_path: Path) -> None:
    """As `pip install 'edgekit-ai[EXTRA]'` will be, once an index has it; the gigabytes of `build` are only found."""
    venv.create(tmp_path / "venv", with_pip=True)
    interpreter = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    found_only = ["--dry-run"] if extra == "build" else []
    words = [interpreter, "-m", "pip", "install", "--quiet", *found_only, "-c", ROOT / "constraints.txt"]
    install = [*words, f"edgekit-ai[{extra}] @ {wheel.as_uri()}"]
    done = subprocess.run(install, capture_output=True, text=True, check=False, env=environment(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    if not found_only:
        code = f"from edgekit import extras; assert not extras.missing({extra!r}), extras.missing({extra!r})"
        asked = [interpreter, "-c", code]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment(tmp_path))
        assert done.returncode == 0, done.stderr
