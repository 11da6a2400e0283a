"""The architecture as a rule: who may import whom, and who alone may print or start a program."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

PACKAGE = Path(__file__).parents[2] / "edgekit"
FILES = sorted(PACKAGE.rglob("*.py"))

# Low to high. A module imports from lower rows and from its own package; names in one row are siblings and do not
# import each other. A name is a module of edgekit/, or a package with all that lies in it.
LAYERS = (
    ("__init__",),  # the version
    ("plain", "files", "programs", "progress", "scratch"),
    ("columns", "errors", "data", "killed", "registry", "strangers"),
    ("extras", "console", "start", "stdio"),
    ("memo",),
    ("tools", "digests", "engines", "output", "passes", "store"),
    ("code", "warm"),
    ("cache", "reading"),
    ("holdings",),
    ("wrappers",),
    ("used",),
    ("ep", "results"),  # below kinds: a profile's provider, options and limits are checked when it is read
    ("model",),
    ("predict",),
    ("kinds",),
    ("target",),
    ("contract",),
    ("faces",),
    ("verdicts", "catalog"),
    ("inputs",),
    ("sources",),
    ("recipes",),
    ("plan",),
    ("jobs", "adapters", "int8_cache", "optimize", "compile", "partition", "quality", "bundle"),
    ("devices", "meters"),
    ("metering",),
    ("report", "lint"),
    ("packs",),
    ("build", "check"),
    ("ab", "compare", "doctor", "fit", "regate", "search", "project", "sample"),
    ("schemas",),
    ("commands",),
    ("__main__",),
)
HEAVY = {"accelerate", "datasets", "gguf", "olive", "optimum", "peft", "torch", "transformers"}
WRAPPER_MAY = {"numpy", "onnxruntime", "onnxruntime_genai"} | sys.stdlib_module_names
SUBPROCESS = {"subprocess", "multiprocessing", "pty"}
PRINTING = {"print", "sys.stdout", "sys.stderr", "click.echo", "click.secho"}
STARTING = {"os.system", "os.popen", "os.fork", "os.posix_spawn", "os.execv", "os.execvp"}


def dotted(path: Path) -> str:
    """The module's name below edgekit: "contract.manifest"; a package's __init__ has the package's name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def layer(name: str) -> int | None:
    """The row of the longest prefix of `name` that LAYERS has."""
    while name:
        for row, names in enumerate(LAYERS):
            if name in names:
                return row
        name = name.rpartition(".")[0]
    return None


def unit(name: str) -> str:
    """What counts as one sibling: the module of edgekit/, or the package, that `name` is in."""
    return name.partition(".")[0]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every (line, absolute module) that a file imports, anywhere in it, but for those only type checkers read."""
    here = ["edgekit", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:  # `from edgekit import console` imports edgekit.console
                below = f"{module}.{alias.name}"
                yield node.lineno, below if _is_module(below) else module


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def broken_rules(path: Path) -> list[str]:
    """The imports of a file that the layers forbid, as lines for a reader."""
    me = dotted(path)
    mine = layer(me)
    found = []
    for line, module in imports(path):
        top, _, rest = module.partition(".")
        where = f"{path.relative_to(PACKAGE.parent)}:{line}"
        if top == "edgekit":
            name = rest or "__init__"
            theirs = layer(name)
            own = unit(name) == unit(me)
            if mine is None or theirs is None:
                found.append(f"{where}: {module if theirs is None else me} is in no layer of LAYERS")
            elif unit(me) == "wrappers" and not own:
                found.append(f"{where}: a wrapper is copied into bundles and imports nothing of edgekit")
            elif theirs >= mine and not own:
                found.append(f"{where}: {me} (layer {mine}) must not import {module} (layer {theirs})")
        elif top in HEAVY and unit(me) != "jobs":
            found.append(f"{where}: only edgekit/jobs imports {top}")
        elif me.startswith("wrappers.python") and top not in WRAPPER_MAY:
            found.append(f"{where}: the wrapper imports {top}, which an app need not have")
        elif top in SUBPROCESS and me != "tools":
            found.append(f"{where}: only edgekit/tools.py starts programs")
    return found


def forbidden_calls(path: Path) -> list[str]:
    """Uses of print and of the standard streams outside the console, and of os functions that start programs."""
    me = dotted(path)
    words = (set() if me in ("console", "stdio") else PRINTING) | (set() if me in ("tools", "jobs.warm") else STARTING)
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        word = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
        if word in words:
            found.append(f"{path.relative_to(PACKAGE.parent)}:{getattr(node, 'lineno', 0)}: {word}")
    return found


def test_a_file_imports_only_from_lower_layers() -> None:
    broken = [rule for path in FILES for rule in broken_rules(path)]
    assert len(FILES) > 200 and not broken, "\n".join(broken)


def test_only_the_console_prints_and_only_tools_starts_programs() -> None:
    broken = [call for path in FILES for call in forbidden_calls(path)]
    assert not broken, "\n".join(broken)


def test_the_rule_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule, on a tree that breaks each part of it once."""
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "edgekit")
    files = {
        "errors.py": "from edgekit import console",
        "console.py": "",
        "model.py": "import subprocess",
        "quality/one.py": "from edgekit.contract.manifest import Manifest\nfrom ..bundle.seal import seal",
        "contract/manifest.py": "",
        "bundle/seal.py": "def f():\n    import torch",
        "wrappers/python/run.py": "import rich\nfrom edgekit import errors",
        "nowhere.py": "from edgekit import errors",
        "sources/a.py": "from . import b\nprint(1)",
        "sources/b.py": "import sys\nsys.stdout.write('')\nimport os\nos.system('')",
    }
    for name, text in files.items():
        (tmp_path / "edgekit" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "edgekit" / name).write_text(text)
    assert {name: len(broken_rules(PACKAGE / name)) for name in files} == {
        "errors.py": 1,
        "console.py": 0,
        "model.py": 1,
        "quality/one.py": 1,
        "contract/manifest.py": 0,
        "bundle/seal.py": 1,
        "wrappers/python/run.py": 2,
        "nowhere.py": 1,
        "sources/a.py": 0,
        "sources/b.py": 0,
    }
    assert len(forbidden_calls(PACKAGE / "sources/a.py")) == 1
    assert len(forbidden_calls(PACKAGE / "sources/b.py")) == 2
