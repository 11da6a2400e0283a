"""Language models built with an int8 key-value cache: what is sealed, what the gate says of it, and that it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgekit import build, target
from edgekit.errors import BuildError
from edgekit.project.pairs import tuned
from edgekit.quality import _child_kv_cache
from edgekit.sources.facts import kv_cache
from edgekit.wrappers.python import engines, open_bundle
from edgekit.wrappers.python.events import Done, Text
from edgekit.wrappers.python.llm import LlmBundle
from edgekit.wrappers.python.manifest import Refused
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive
LOOSE = ("kl_mean:max=9", "kl_p99:max=20", "top1_agreement:min=0", "perplexity_ratio:max=9")  # random weights in int4


def built(source: Path, out: Path, bits: int, *, quality: Any = "off", recipe: str = "int4_rtn") -> Path:
    options = build.Options(out, recipe=recipe, quality=quality, limits=LOOSE, accept_source=True)
    [job] = build.prepare(str(source), [tuned(target.load("linux-cpu"), cache_bits=bits)], options)
    return build.build(job, options).path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llm.llama(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(scope="module")
def bundles(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """By the bits of its cache, a bundle; the gate is not asked."""
    out = tmp_path_factory.mktemp("bundles")
    return {bits: built(source, out / str(bits), bits) for bits in (8, 32)}


def manifest(bundle: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((bundle / "edgekit.json").read_text(encoding="utf-8"))
    return told


def graph(bundle: Path) -> Any:
    return onnx.load(str(bundle / "model" / "portable" / "model.onnx"), load_external_data=False)


def test_the_manifest_says_what_it_takes_and_what_it_needs(bundles: dict[int, Path]) -> None:
    told = {bits: manifest(bundle) for bits, bundle in bundles.items()}
    assert told[8]["memory"]["kv_dtype"] == "int8"
    assert 4 * told[8]["memory"]["kv_bytes_per_token"] == told[32]["memory"]["kv_bytes_per_token"]
    needs = {bits: each["variants"][0]["compatibility"]["min_onnxruntime"] for bits, each in told.items()}
    assert needs == {8: "1.27.0", 32: "1.24.1"}
    assert [stage["name"] for stage in told[8]["recipe"]["stages"]][:2] == ["int4_rtn", "int8_cache"]


def test_only_the_graph_is_another(bundles: dict[int, Path]) -> None:
    folders = {bits: bundle / "model" / "portable" for bits, bundle in bundles.items()}
    for path in folders[32].iterdir():
        if path.name != "model.onnx":
            assert path.read_bytes() == (folders[8] / path.name).read_bytes(), path.name
    twin, plain = graph(bundles[8]), graph(bundles[32])
    assert kv_cache.any_int8(twin)
    kv_cache.to_float(twin)
    for each in kv_cache.attentions(plain):
        while not each.node.input[-1]:  # left out at the end: it says nothing
            del each.node.input[-1]
    assert twin.SerializeToString(deterministic=True) == plain.SerializeToString(deterministic=True)


def test_it_is_compared_with_its_own_float_cache(bundles: dict[int, Path], tmp_path: Path) -> None:
    ids = [int(token) for token in np.random.default_rng(0).integers(3, tiny_llm.VOCAB, 421)]
    places = [(0, 100), (380, 420)]
    request = {"model": str(bundles[8] / "model" / "portable"), "ids": ids, "places": places, "out": str(tmp_path)}
    near, far = _child_kv_cache.run(request, lambda *words, **more: None)["kl"]
    assert (len(near), len(far)) == (100, 40)
    assert 0 < np.mean(near) < 0.05 and 0 < np.mean(far) < 0.05
    same = request | {"model": str(bundles[32] / "model" / "portable")}
    assert np.max(np.abs(np.concatenate(_child_kv_cache.run(same, lambda *words, **more: None)["kl"]))) < 1e-3


@pytest.mark.nightly
def test_the_gate_has_a_line_for_it(source: Path, tmp_path: Path) -> None:
    made = manifest(built(source, tmp_path, 8, quality="fast"))
    told = {each["metric"]: each for each in made["quality"]["portable"]["measurements"]}
    for metric in ("kl_mean@float_cache", "kl_p99@float_cache", "kl_mean@deep_cache"):
        assert 0 < told[metric]["value"] < 0.1 and "beside the float cache" in told[metric]["reason"]


def test_a_kept_cache_is_gone_on_with(bundles: dict[int, Path]) -> None:
    opened = open_bundle(bundles[8])
    assert isinstance(opened, LlmBundle)
    first = [{"role": "user", "content": "The bees on the roof of a house need water."}]
    texts, reused = [], []
    for _ in range(2):
        events = list(opened.respond(first, max_tokens=12))
        texts.append("".join(event.text for event in events if isinstance(event, Text)))
        reused += [event.reused for event in events if isinstance(event, Done)]
    assert texts[0] == texts[1] and reused[0] == 0 and reused[1] > 10
    assert opened.trim("caches") == manifest(bundles[8])["memory"]["kv_bytes_at_max_length"]


def test_an_older_engine_is_refused_by_its_axis(bundles: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "of_genai", lambda genai: "1.26.0")  # as iOS's GenAI carries it
    with pytest.raises(Refused, match=r"1\.27\.0 or later") as caught:
        open_bundle(bundles[8])
    assert caught.value.axis == "min_onnxruntime"


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["phi3", "phi", "gemma3"])
def test_other_architectures(name: str, tmp_path: Path) -> None:
    """Fused projections, a rotation of part of the channels, and windows beside layers that look at everything."""
    made = built(getattr(tiny_llm, name)(tmp_path / name), tmp_path / "out", 8, recipe="llm_float32")
    layers = kv_cache.attentions(graph(made))
    assert layers and all(kv_cache.is_int8(each.node) for each in layers)


def test_a_graph_whose_cache_is_none_of_the_operators_is_refused(bundles: dict[int, Path], tmp_path: Path) -> None:
    proto = graph(bundles[32])
    [past] = [value for value in proto.graph.input if value.name.endswith(".0.key")]
    past.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    with pytest.raises(BuildError, match="its cache is not float32"):
        kv_cache.to_int8(proto, {name: np.ones((2, 16), np.float32) for name in (past.name,)})
