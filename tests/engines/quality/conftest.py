"""The gate of tensor models beside two small nets, with its child's code in this process: a process takes a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit import target
from edgekit.inputs.feeds import Feed
from edgekit.kinds.tensor import TensorContract
from edgekit.model import Model, Tensor
from edgekit.quality import GateContext, _child_labels, _child_tensor, _labelled, rewrites, tensors
from edgekit.sources.source import Source
from tests.unit.inputs.nets import tensor

IMAGE = tensor("x", (1, 3, "h", "w"))


@pytest.fixture(autouse=True)
def child_in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_child" in request.fixturenames:
        return

    def run(ctx: GateContext, child: str, asked: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
        full = {"model": str(ctx.model), **asked, "out": str(ctx.work)}
        action = {"_child_tensor": _child_tensor.compare, "_child_labels": _child_labels.answers}[child]
        return ctx.work, action(full, lambda kind, **fields: None)

    for gate in (_labelled, tensors, rewrites):
        monkeypatch.setattr(gate, "run_child", run)


@pytest.fixture
def real_child() -> None:
    """The gate starts its child."""


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., GateContext]:
    """context(source, built, feeds, ...) -> both models in their places."""

    def make(
        source: Path,
        built: Path,
        feeds: list[Feed] | None,
        *,
        inputs: tuple[Tensor, ...] = (IMAGE,),
        decode: str = "none",
        precision: str = "int8",
    ) -> GateContext:
        facts = Model(name="tiny", kind="tensor", sha256="0" * 64, inputs=inputs)
        (tmp_path / "work").mkdir(exist_ok=True)
        return GateContext(
            source=Source(ref="tiny", form="onnx", path=source, model=facts),
            staged=built.parent,
            model_path=built.name,
            contract=TensorContract(inputs=inputs, outputs=(), decode=decode),
            target=target.load("linux-cpu"),
            precision=precision,
            work=tmp_path / "work",
            mode="fast",
            feeds=feeds,
        )

    return make
