"""Every architecture through the whole product: its default recipe, the gate, the seal, and an answer (nightly).

Weights are random, and so taken with --accept-source; no limit is another for them. LongRoPE's border is the published
one, 4096 tokens, as the engine knows no other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import edgekit, judged, manifest, said
from tests.olive import family

pytestmark = pytest.mark.nightly
LONG = {"phi3_mini_128k": family.phi3_mini_128k, "phi4_mini": family.phi4_mini}
# What a token more does to the perplexity of a model that knows nothing; a trained one's moves by thousandths.
RANDOM = {"phi4_mini": {"tokens_touched_shift"}}


@pytest.mark.parametrize("name", [*family.FAMILY, *family.OTHERS])
def test_it_is_built_judged_and_answers(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    if name in LONG:
        LONG[name](folder, border=4096)
    else:
        {**family.FAMILY, **family.OTHERS}[name](folder)
    words = ("build", family.quiet(folder), "--target", "linux-cpu", "--accept-source", "-o", tmp_path / "out")
    bundle = judge(name, words, tmp_path / "out")
    raw = [] if manifest(bundle)["contract"].get("chat_template_sha256") else ["--raw"]
    command = [sys.executable, "-m", "edgekit", "run", bundle, "Say it.", "--max-tokens", "8", *raw]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout


def judge(name: str, words: tuple[str | Path, ...], out: Path) -> Path:
    """The bundle of a build whose gate passes, or fails by what its weights are to blame for."""
    document, _ = said(*words, "--quality", "fast", codes=(9 if name in RANDOM else 0,))
    if name in RANDOM:
        (findings,) = out.glob("*.quality.json")
        verdicts = json.loads(findings.read_text(encoding="utf-8"))["verdicts"]
        assert {verdict["metric"] for verdict in verdicts if verdict["verdict"] != "pass"} == RANDOM[name]
        built = edgekit(*words, "--quality", "off")["data"]["bundles"][0]
        assert built["proof"] == "built"
        return Path(built["path"])
    built = document["data"]["bundles"][0]
    described = manifest(Path(built["path"]))
    quality = judged(described)
    faults = next(figure for figure in quality["measurements"] if figure["metric"] == "source_faults")
    assert (quality["verdict"], described["source"]["accepted"]) == ("pass", True)
    assert built["proof"] == quality["proof"] == ("ran on CPU" if faults["value"] else "works")
    return Path(built["path"])
