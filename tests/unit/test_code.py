"""The code digest: what a stage's result depends on changes its key, wherever it lies; nothing else does."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import code, digests, files, optimize, passes
from edgekit.code import Basis
from edgekit.compile import qnn_context
from edgekit.quality import _reference
from edgekit.recipes._own import with_neighbours
from edgekit.sources import _convert, _trial

pytestmark = pytest.mark.unit

INT8 = {"passes": {"q": {"type": "EdgekitStaticQuantization"}}}
GPTQ = {"passes": {"q": {"type": "EdgekitGptq"}, "s": {"surgeries": [{"surgeon": "EdgekitHalfScales"}]}}}
PASSES = "jobs/olive/passes"
STAGES: dict[str, Basis] = {
    "import": _convert.basis("gguf"),
    "trial": _trial.BASIS,
    "export": _convert.basis("export"),
    "optimize": optimize.basis(INT8, calibrated=True),
    "gptq": optimize.basis(GPTQ, calibrated=False),
    "compile": qnn_context.BASIS,
    "gate": _reference.BASIS,
}
# A module of each stage that its child reaches over another one.
TWO_DEEP = {
    "trial": "inputs/drawings.py",
    "import": "jobs/gguf/file.py",
    "export": "plain.py",
    "optimize": f"{PASSES}/_qdq.py",
    "gptq": "wrappers/python/npz.py",
    "compile": "ep/provider.py",
    "gate": "wrappers/python/strict.py",
}
# What each needs: by imports and in functions, by the table of passes, as data, of the child itself, of the parent.
NEEDED = {
    "trial": [
        "inputs/_trial.py",
        "sources/_trial.py",
        "inputs/streams.py",
        "used.py",
    ],
    "import": [
        "jobs/__main__.py",
        "jobs/gguf/__init__.py",
        "jobs/gguf/weights.py",
        "tools.py",
        "used.py",
        "sources/_convert.py",
    ],
    "export": ["jobs/export.py", "model.py", "jobs/__init__.py"],
    "optimize": [
        "jobs/olive/run.py",
        f"{PASSES}/static_int8.py",
        f"{PASSES}/_histogram.py",
        f"{PASSES}/_order.py",
        "inputs/feeds.py",
        "inputs/images.py",
        "inputs/calibration.py",
        "jobs/olive/calibration_text.py",
        "jobs/warm.py",
        "passes.py",
        "optimize.py",
        "recipes/data/calibration.txt",
    ],
    "gptq": [
        f"{PASSES}/gptq.py",
        f"{PASSES}/half_scales.py",
        "jobs/olive/run.py",
        "recipes/data/calibration.txt",
        "inputs/feeds.py",
    ],
    "compile": ["jobs/qnn.py", "compile/_context.py", "compile/_pipeline.py", "compile/qnn_context.py", "ep/qnn.py"],
    "gate": ["jobs/reference.py", "jobs/layered.py", "wrappers/python/chat.py", "tools.py", "quality/_reference.py"],
}
NOWHERE = ("console.py", "errors.py", "__init__.py", "check.py", "commands/build.py", "report/page/page.css")
ELSEWHERE = {
    "trial": ["jobs/export.py", "quality/tensors.py", "sources/facts/tied.py", "plan.py"],
    "import": ["jobs/export.py", "jobs/olive/run.py", "jobs/reference.py", "inputs/feeds.py", "plan.py"],
    "export": ["jobs/gguf/__init__.py", "jobs/olive/run.py", "quality/tensors.py"],
    "optimize": [
        f"{PASSES}/gptq.py",
        "jobs/reference.py",
        "jobs/qnn.py",
        "jobs/export.py",
        "quality/logits.py",
        "plan.py",
    ],
    "gptq": [
        f"{PASSES}/static_int8.py",
        f"{PASSES}/_qdq.py",
        "inputs/calibration.py",
        "wrappers/python/llm.py",
        "cache.py",
    ],
    "compile": [
        "jobs/olive/run.py",
        f"{PASSES}/_qdq.py",
        "quality/tensors.py",
        "plan.py",
        "recipes/int8_qdq.py",
    ],
    "gate": [
        "jobs/olive/run.py",
        "jobs/gguf/__init__.py",
        "recipes/int4_rtn.py",
        "wrappers/python/llm.py",
        "quality/limits.toml",
    ],
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _copy(tmp_path_factory.mktemp("copied"))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package that a test may change."""
    return _copy(tmp_path)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _copy(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(files.PACKAGE, folder / "edgekit", ignore=ignored))


def digest(stage: str, package: Path) -> str:
    return code.digest(*STAGES[stage].roots, alone=STAGES[stage].alone, package=package)


def changes(stage: str, package: Path, name: str, more: bytes = b"\nEXTRA = 1\n") -> bool:
    """Whether a statement at the end of a file changes a stage's digest; the file is put back."""
    path, before = package / name, digest(stage, package)
    was = path.read_bytes()
    path.write_bytes(was + more)
    after = digest(stage, package)
    path.write_bytes(was)
    return after != before


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_needs_is_in_its_key(stage: str, copied: Path) -> None:
    assert [name for name in (TWO_DEEP[stage], *NEEDED[stage]) if not changes(stage, copied, name)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_what_it_does_not_need_is_not(stage: str, copied: Path) -> None:
    assert [name for name in (*NOWHERE, *ELSEWHERE[stage]) if changes(stage, copied, name)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_raised_version_changes_no_key(stage: str, package: Path) -> None:
    before = digest(stage, package)
    path = package / "__init__.py"
    path.write_text(path.read_text().replace('__version__ = "', '__version__ = "9'))
    assert digest(stage, package) == before


IN_A_FUNCTION = "\ndef planted():\n    if True:\n        from edgekit.planted import one\n"
ALIASED = "\ndef planted():\n    import edgekit.planted as other\n"
RELATIVE = "\nclass Planted:\n    def f(self):\n        from {dots} import planted\n"
DATA = '\ndef planted():\n    return files.resource("planted")\n'
MEMBERS = '\ndef planted():\n    return registry.member("edgekit.planted", "x")\n'


@pytest.mark.parametrize("how", [IN_A_FUNCTION, ALIASED, RELATIVE, DATA, MEMBERS])
@pytest.mark.parametrize("stage", STAGES)
def test_however_a_helper_two_imports_deep_reaches_on(stage: str, how: str, package: Path) -> None:
    """A new module, data folder or package is planted; what is changed lies below it, one import deeper still."""
    helper = package / TWO_DEEP[stage]
    dots = "." * len(helper.relative_to(package).parts)
    (package / "planted").mkdir()
    (package / "planted" / "__init__.py").write_text("")
    (package / "planted" / "one.py").write_text("from . import deeper\n")
    (package / "planted" / "deeper.py").write_text("VALUE = 1\n")
    (package / "planted" / "data.txt").write_text("words")
    assert not changes(stage, package, "planted/deeper.py")
    helper.write_text(helper.read_text() + how.format(dots=dots))
    if how in (ALIASED, RELATIVE):
        (package / "planted" / "__init__.py").write_text("from edgekit.planted.one import deeper\n")
    assert changes(stage, package, "planted/data.txt" if how is DATA else "planted/deeper.py")


def test_a_file_added_to_a_data_folder_counts(package: Path) -> None:
    before = code.digest("edgekit.inputs.synthetic", package=package)
    (package / "quality" / "data" / "text" / "99-more.txt").write_text("more")
    assert code.digest("edgekit.inputs.synthetic", package=package) != before


def test_imports_for_type_checkers_do_not_count(package: Path) -> None:
    (package / "planted.py").write_text("VALUE = 1\n")
    helper = package / "jobs" / "gguf" / "file.py"
    helper.write_text(helper.read_text() + "\nif TYPE_CHECKING:\n    from edgekit import planted\n")
    assert not changes("import", package, "planted.py")
    helper.write_text(helper.read_text() + "else:\n    from edgekit import planted\n")
    assert changes("import", package, "planted.py")


def test_a_changed_line_end_is_no_change(package: Path) -> None:
    before = digest("optimize", package)
    for name in ("jobs/olive/passes/_qdq.py", "recipes/data/calibration.txt"):
        path = package / name
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert digest("optimize", package) == before


def test_every_pass_is_in_the_table_and_where_it_says() -> None:
    defined = {}
    for path in (files.PACKAGE / "jobs").rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("class Edgekit"):
                defined[line.partition("(")[0].removeprefix("class ")] = f"edgekit.jobs.olive.passes.{path.stem}"
    assert {name: one.module for name, one in passes.PASSES.items()} == defined


def test_olive_takes_names_in_any_case_and_so_do_keys() -> None:
    assert passes.named({"type": "edgekitgptq"}) == ["EdgekitGptq"]
    assert passes.named({"type": "EdgekitGptqOfMine"}) == []


@pytest.mark.parametrize("damage", ["[]", "{", '{"module": 1}', "7"])
def test_a_damaged_memo_costs_only_time(damage: str, own_cache: Path, copied: Path) -> None:
    wanted = digest("gate", copied)
    own_cache.mkdir(exist_ok=True)
    (own_cache / code.MEMO).write_text(damage)
    assert digest("gate", copied) == wanted


def test_unchanged_files_are_read_once(copied: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests.Stamp, "settled", lambda self, now: True)
    (copied / "first.txt").touch()  # what this process has found out of the tree counts no more
    wanted = digest("gate", copied)
    kept = json.loads((own_cache / code.MEMO).read_text())
    assert len(kept["known"]) >= 10
    monkeypatch.setattr(code, "parse", lambda source, name: pytest.fail("read again"))
    (copied / "second.txt").touch()
    assert digest("gate", copied) == wanted


def test_a_file_that_was_read_as_data_still_leads_on_as_a_module(
    copied: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python runtime is imported here, and copied into bundles: who asks first must not decide for the other."""
    wanted = digest("gate", copied)
    (own_cache / code.MEMO).unlink(missing_ok=True)
    monkeypatch.setattr(digests.Stamp, "settled", lambda self, now: True)
    with digests.remembered(code.MEMO) as memo:
        for path in copied.rglob("*.py"):
            code._data(path, memo)
    assert digest("gate", copied) == wanted


def _one(folder: Path) -> None:
    (folder / "own.py").write_text("import helper\n")


def _neighbour(folder: Path) -> None:
    (folder / "helper.py").write_text("VALUE = 2\n")


def _neighbours_neighbour(folder: Path) -> None:
    (folder / "kit" / "deep.py").write_text("VALUE = 2\n")


@pytest.mark.parametrize("change", [_one, _neighbour, _neighbours_neighbour])
def test_a_users_own_recipe_counts_with_the_neighbours_it_imports(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "__init__.py").write_text("")
    (tmp_path / "kit" / "deep.py").write_text("VALUE = 1\n")
    (tmp_path / "helper.py").write_text("def f():\n    from kit import deep\n")
    (tmp_path / "unused.py").write_text("VALUE = 1\n")
    (tmp_path / "own.py").write_text("import json\nimport helper\n\nKIND = 'tensor'\n")
    before = with_neighbours(tmp_path / "own.py")
    (tmp_path / "unused.py").write_text("VALUE = 2\n")
    assert with_neighbours(tmp_path / "own.py") == before
    change(tmp_path)
    assert with_neighbours(tmp_path / "own.py") != before


def test_what_is_inert_leads_to_nothing_that_a_key_would_lack() -> None:
    """A child that shows its progress loads these too, so what they load is in its key, or inert itself."""
    listed = code.listing("edgekit.jobs.olive.run", "edgekit.tools")
    for name in code.INERT:
        tree = ast.parse((files.PACKAGE / name).read_bytes())
        tree.body = [
            node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
        ]  # not a function's own
        for module in code.imports(tree, ("edgekit",)):
            loaded = {path.relative_to(files.PACKAGE).as_posix() for path in code._files(module, files.PACKAGE)}
            assert loaded <= {*listed, *code.INERT}, f"{name} loads {loaded}"
