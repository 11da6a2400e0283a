"""A bundle's provider options reach the provider: each of these runs it for real, and the outcome tells.

QNN is Qualcomm's HTP emulator, WebGPU runs on SwiftShader; plugin_bridge.cpp makes them providers that are built in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import cache, tools
from edgekit.devices import _runner
from edgekit.wrappers.python import npz
from edgekit.wrappers.python.manifest import host_abi
from tests.engines.wrappers.conformance import GREEDY, changed
from tests.engines.wrappers.runtimes import Program, Result
from tests.engines.wrappers.small_bundles import seal_tensor
from tests.peers.plugin_bridge import bridge, compile_bridge

pytestmark = pytest.mark.tools

Act = Callable[..., Result]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The bridge, once it is compiled."""
    return []


@pytest.fixture(scope="session", params=["own", pytest.param("g++", marks=pytest.mark.nightly)])
def each_runner(request: pytest.FixtureRequest, need_runner: Callable[[str], Path]) -> Iterator[Path]:
    """The runner, and g++'s where Zig's clang made it: what is undefined they do differently."""
    if request.param == "own" or "EDGEKIT_RUNNER" in os.environ or find_spec("ziglang") is None:
        yield request.getfixturevalue("runner")
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_runner, "compiler", lambda wanted: [str(tools.find(wanted.gcc, next=wanted.apt_line))])
        patch.setattr(_runner, "_home", lambda wanted: cache.root() / "runners" / f"gcc-{wanted.name}")
        made = need_runner(f"linux-{host_abi()}")
    yield made  # the patch has ended: later tests build and find the runner of every day


@pytest.fixture
def with_provider(
    each_runner: Path, need_tool: Callable[[str], Path], library: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Program]:
    """with_provider("qnn") -> the runner with an ONNX Runtime that has it."""

    def make(provider: str) -> Program:
        compiler, _ = need_tool("g++"), need_tool("npm")
        if not library:
            library.append(compile_bridge(tmp_path_factory.mktemp("bridge"), compiler))
        made = bridge(library[0], provider)
        return Program((str(each_runner), "--onnxruntime", str(made.library)), made.environment)

    return make


@pytest.fixture(scope="session")
def fixed_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As tensor_bundle, of one size: the HTP takes no other."""
    return seal_tensor(tmp_path_factory.mktemp("fixed"), batch=1)


def with_options(bundle: Path, folder: Path, ep: str, options: dict[str, str]) -> Path:
    return changed(bundle, folder, lambda manifest: manifest["variants"][0].update(ep=ep, ep_options=options))


def scores(program: Program, bundle: Path, folder: Path) -> Any:
    """What the net answers; the runner's own refusal where it gives none."""
    npz.write(folder / "in.npz", {"0.x": np.random.default_rng(1).normal(size=(1, 3, 8, 8)).astype(np.float32)})
    paths = {"inputs": str(folder / "in.npz"), "outputs": str(folder / "out.npz")}
    answered = program.act("tensors", bundle, **paths)
    return answered.error or npz.read(folder / "out.npz")["0.scores"]


def test_qnn_needs_its_options(with_provider: Callable[[str], Program], fixed_bundle: Path, tmp_path: Path) -> None:
    """Without its backend the provider opens nothing; the emulator of a chip computes in float16, as the chip does."""
    program = with_provider("qnn")
    refused = scores(program, with_options(fixed_bundle, tmp_path / "none", "qnn", {}), tmp_path)
    assert refused["code"] == "bundle" and "cannot open the model" in refused["message"]
    plain = scores(program, with_options(fixed_bundle, tmp_path / "cpu", "cpu", {}), tmp_path)
    chip = {"backend_type": "htp", "htp_arch": "75", "soc_model": "57"}
    found = {}
    for name, options in (("none", {"backend_type": "cpu"}), ("htp", {"backend_type": "htp"}), ("SM8650", chip)):
        bundle = with_options(fixed_bundle, tmp_path / f"as-{name}", "qnn", options)
        found[name] = float(np.abs(scores(program, bundle, tmp_path) - plain).max())
    assert found["none"] == 0  # there is no such library: ONNX Runtime's CPU provider does all
    assert 0 < found["htp"] < 1e-4 < found["SM8650"] < 0.1


@pytest.mark.parametrize(
    ("options", "opens"),
    [
        ({}, True),
        ({"dawnBackendType": "Vulkan"}, True),
        ({"dawnBackendType": "D3D12"}, False),  # Windows' own
        ({"preferredLayout": "NHWC", "validationMode": "full"}, True),
        ({"preferredLayout": "sideways", "validationMode": "full"}, False),
        ({"preferredLayout": "NHWC", "validationMode": "strict"}, False),
    ],
)
def test_webgpu_takes_its_options(
    with_provider: Callable[[str], Program], tensor_bundle: Path, tmp_path: Path, options: dict[str, str], opens: bool
) -> None:
    answered = with_provider("webgpu").act("load", with_options(tensor_bundle, tmp_path, "webgpu", options))
    assert ("kind" in answered.outcome) is opens, answered.outcome
    assert opens or "cannot open the model" in answered.error["message"]  # the provider's word, not the runner's


def test_a_foreign_bundle_leaves_its_options(
    with_provider: Callable[[str], Program], tensor_bundle: Path, tmp_path: Path
) -> None:
    """Run here for a look, the CPU does the work, and takes no option of the accelerator."""
    bundle = with_options(tensor_bundle, tmp_path, "webgpu", {"dawnBackendType": "D3D12"})
    assert with_provider("webgpu").act("load", bundle, foreign=True).outcome["kind"] == "tensor"


@pytest.mark.parametrize("threads", [None, 1])
def test_genai_hands_the_options_on(
    with_provider: Callable[[str], Program], llm_bundle: Path, tmp_path: Path, threads: int | None
) -> None:
    """A language model's stand in genai_config.json; those of the session that the runner adds do not displace them."""

    def configured(options: dict[str, str]) -> Path:
        bundle = changed(llm_bundle, tmp_path / str(len(options)), lambda manifest: None)
        config = bundle / "model/portable/genai_config.json"
        read = json.loads(config.read_text(encoding="utf-8"))
        read["model"]["decoder"]["session_options"]["provider_options"] = [{"qnn": options}]
        config.write_text(json.dumps(read), encoding="utf-8")
        manifest = json.loads((bundle / "edgekit.json").read_text(encoding="utf-8"))
        manifest["variants"][0]["ep"] = "qnn"
        for file in manifest["files"]:
            if file["path"].endswith(config.name):
                file["size"] = config.stat().st_size
        (bundle / "edgekit.json").write_text(json.dumps(manifest), encoding="utf-8")
        return bundle

    request = {"prompt": "the", "max_tokens": 3, "threads": threads, **GREEDY}
    program = with_provider("qnn")
    assert "cannot open the model" in program.act("generate", configured({}), **request).error["message"]
    assert program.act("generate", configured({"backend_type": "htp"}), **request).outcome["tokens"] == 3
