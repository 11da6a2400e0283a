"""GPTQ's arithmetic: what it loses on its own inputs, beside rounding to nearest and Olive's pass."""

from __future__ import annotations

import pytest
import torch
from olive.common.quant.utils import WeightQuantizer
from olive.passes.pytorch.gptq import Gptq
from olive.passes.pytorch.quant_utils import QuantInfo

from edgekit.errors import BuildError
from edgekit.jobs.olive.passes.gptq import EdgekitGptq, Grid, Inputs, round_columns

pytestmark = pytest.mark.olive


def inputs(count: int = 400, width: int = 96) -> torch.Tensor:
    """Correlated, and some channels far stronger than others, as those of a real layer are."""
    torch.manual_seed(0)
    mixed = torch.randn(count, 24) @ torch.randn(24, width) + torch.randn(count, width)
    return mixed * torch.exp(1.5 * torch.randn(width))


def layer(width: int = 96, *, bits: int = 4, group: int = 32, symmetric: bool = False) -> torch.nn.Linear:
    torch.manual_seed(1)
    made = torch.nn.Linear(width, 40, bias=False)
    made.quant_info = QuantInfo(WeightQuantizer(bits=bits, symmetric=symmetric, group_size=group, signed=False))
    return made


def loss(rounded: torch.Tensor, exact: torch.Tensor, read: torch.Tensor) -> float:
    return float((read @ (rounded - exact).t()).square().mean())


@pytest.mark.parametrize(("group", "symmetric"), [(32, False), (32, True), (-1, False), (-1, True)])
@torch.no_grad()
def test_it_loses_less_than_olives_pass_and_rounding(group: int, symmetric: bool) -> None:
    read = inputs()
    exact = layer().weight.data.clone()
    lost = {}
    for kind in (Gptq, EdgekitGptq):
        one = layer(group=group, symmetric=symmetric)
        kind.accumulate_hessian(one, (read,), None)
        kind.process_module(one)
        lost[kind] = loss(one.weight.data, exact, read)
    nearest = WeightQuantizer(bits=4, symmetric=symmetric, group_size=group, signed=False).fake_quantize(exact)
    assert lost[EdgekitGptq] < lost[Gptq] < loss(nearest, exact, read)


@torch.no_grad()
def test_what_is_packed_is_what_was_rounded() -> None:
    """Olive packs integers from the weights, scales and zero points: none may move."""
    one = layer()
    EdgekitGptq.accumulate_hessian(one, (inputs(),), None)
    EdgekitGptq.process_module(one)
    info = one.quant_info
    assert info.scales.shape == info.zero_points.shape == (40, 3)
    quantizer = info.quantizer
    integers = quantizer.quantize(one.weight.data, info.scales, info.zero_points)
    again = quantizer.dequantize(integers, info.scales, info.zero_points)
    assert torch.allclose(again, one.weight.data, atol=1e-6)
    assert integers.min() >= 0 and integers.max() <= 15


@torch.no_grad()
def test_modules_that_read_the_same_share_one_hessian() -> None:
    first, second, other = layer(), layer(), layer()
    for batch in inputs().split(100):
        for one in (first, second):
            EdgekitGptq.accumulate_hessian(one, (batch,), None)
        EdgekitGptq.accumulate_hessian(other, (batch.clone(),), None)
    shared, alone = first.quant_info.data, other.quant_info.data
    assert second.quant_info.data is shared and alone is not shared
    assert shared.count == alone.count == 400
    assert torch.allclose(shared.sum, alone.sum)


@torch.no_grad()
def test_columns_that_cost_nothing_extra_are_rounded_to_nearest() -> None:
    """Uncorrelated inputs leave nothing to put right."""
    weights = layer().weight.data
    grid = Grid(15, symmetric=False)
    rounded, scales, zeros = round_columns(weights, torch.eye(96), 32, grid)
    for at in range(3):
        part = slice(32 * at, 32 * at + 32)
        nearest = grid.round(weights[:, part], scales[:, at : at + 1], zeros[:, at : at + 1])
        assert torch.equal(rounded[:, part], nearest)


@torch.no_grad()
def test_fewer_inputs_than_columns_and_inputs_that_are_always_zero() -> None:
    few = Inputs(96)
    few.add(inputs(count=8) * (torch.arange(96) % 7 != 0))
    assert torch.isfinite(few.factor(0.01)).all()
    broken = Inputs(4)
    broken.add(torch.full((3, 4), torch.nan))
    with pytest.raises(BuildError, match="calibration text"):
        broken.factor(0.01)
