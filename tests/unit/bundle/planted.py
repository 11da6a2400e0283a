"""Code as a stranger plants it: each piece adds its name to a file, the canary, when it is executed."""

from __future__ import annotations

import hashlib
import json
import py_compile
import subprocess
from collections.abc import Iterable
from pathlib import Path

from edgekit.contract.manifest import seal_digest
from edgekit.data import pretty


def source(name: str, canary: Path) -> str:
    """Python that says `name`."""
    return f"with open({str(canary)!r}, 'a') as _out:\n    _out.write({name!r} + '\\n')\n"


def module(folder: Path, name: str, canary: Path) -> None:
    """A module or, where its name has a dot, a package with one, first of all to be found in `folder`."""
    package, dot, inner = name.partition(".")
    if not dot:
        if not (folder / package).exists():
            (folder / f"{package}.py").write_text(source(name, canary))
        return
    (folder / f"{package}.py").unlink(missing_ok=True)
    (folder / package).mkdir(exist_ok=True)
    (folder / package / "__init__.py").write_text(source(package, canary))
    (folder / package / f"{inner}.py").write_text(source(name, canary))


def compiled(name: str, canary: Path, work: Path) -> bytes:
    """Compiled Python that is taken without a look at the source beside it."""
    (work / "compiled.py").write_text(source(name, canary))
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(work / "compiled.py"), str(work / "compiled.pyc"), invalidation_mode=mode, doraise=True)
    return (work / "compiled.pyc").read_bytes()


def library(name: str, canary: Path, work: Path, compiler: Path) -> bytes:
    """A shared library that says `name` as soon as a loader takes it, whoever asked for it and as what."""
    code = (
        "#include <stdio.h>\n__attribute__((constructor)) static void say(void) {\n"
        f'  FILE *out = fopen({json.dumps(str(canary))}, "a"); fputs({json.dumps(name)} "\\n", out); fclose(out);\n}}\n'
    )
    (work / "library.c").write_text(code)
    command = [compiler, "-x", "c", "-shared", "-fPIC", "-o", work / "library.so", work / "library.c"]
    subprocess.run(command, check=True)
    return (work / "library.so").read_bytes()


def sealed_again(home: Path, paths: Iterable[str], **changed: object) -> None:
    """A manifest that is right about every file of the bundle, as far as the format lets a stranger list it.

    Args:
        paths: of the files that it lists beside those it listed before.
        changed: other values of its keys.
    """
    data = json.loads((home / "edgekit.json").read_text(encoding="utf-8")) | changed
    files = {one["path"]: one for one in data["files"]}
    for path in paths:
        role = {"LICENSES": "license"}.get(path.partition("/")[0], path.partition("/")[0])
        files.setdefault(path, {"path": path, "role": role, "variant": "portable" if role == "model" else None})
    for path, entry in files.items():
        raw = (home / path).read_bytes()
        entry |= {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    data["files"] = [files[path] for path in sorted(files)]
    (home / "edgekit.json").write_text(pretty(data | {"sha256": seal_digest(data)}), encoding="utf-8")
