"""GPTQ as Olive runs it, with each block's scale and zero point searched for.

Olive's pass takes a block's range from its extremes, before the corrections that earlier columns of the same 128 made.
Here the range is of the corrected weights, and it is the one, of some narrower than the extremes, that loses least,
each column weighted by what an error in it costs (its diagonal entry in GPTQ's own factor). benchmarks/quality has
what that gains. Formulas: Frantar et al., GPTQ (arXiv 2210.17323), algorithm 1.
"""

from __future__ import annotations

from typing import Any

import torch
from olive.passes.pytorch.gptq import Gptq
from olive.passes.pytorch.quant_utils import finalize, prepare_model, run_layerwise_quantization

from edgekit.errors import BuildError

Tensor = torch.Tensor
BLOCK = 128  # columns corrected one by one at most; the columns behind them follow in one product
NARROWER = tuple(1 - 0.025 * step for step in range(17))  # 1.0 ... 0.6 of the extremes' range


class EdgekitGptq(Gptq):  # type: ignore[misc]
    """Gptq with a searched grid; modules that read the same inputs (query, key and value) share one Hessian."""

    @torch.no_grad()
    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> Any:
        """As Olive's, without the logits of all text, which it would keep where lm_head is asked for."""
        wrapper, quantized, _ = prepare_model(model, config)
        head: Any = wrapper.get_lm_head(return_name=False)
        head.forward = lambda states: states[..., :1]
        device = run_layerwise_quantization(
            model,
            wrapper,
            config.data_config,
            input_hook=self.accumulate_hessian,
            process_module=lambda module, _: self.process_module(
                module, percdamp=config.damp_percent, actorder=config.desc_act
            ),
            update_before_process=False,
            include_lm_head=config.lm_head,
        )
        del head.forward
        return finalize(model, output_model_path, wrapper, quantized, device)

    @staticmethod
    def accumulate_hessian(module: torch.nn.Module, inp: tuple[Tensor, ...], _: Any) -> None:
        """Add a batch of inputs to the module's Hessian."""
        info: Any = module.quant_info
        if info.data is None:
            info.data = Inputs.of(inp[0])
        info.data.add(inp[0])

    @staticmethod
    def process_module(
        module: torch.nn.Module, blocksize: int = BLOCK, percdamp: float = 0.01, actorder: bool | None = None
    ) -> None:
        """Round the module's weights in place and leave scales and zero points in its quant_info.

        Columns are taken in the order of their inputs' power where one scale serves a whole row (actorder).
        """
        info: Any = module.quant_info
        weight: Any = module.weight
        one_group = info.quantizer.group_size <= 0
        group = weight.shape[1] if one_group else info.quantizer.group_size
        order = None if actorder is False or not one_group else info.data.power().argsort(descending=True)
        factor = info.data.factor(percdamp, order)
        grid = Grid(int(info.quantizer.maxq), bool(info.quantizer.symmetric))
        values = weight.data.float() if order is None else weight.data.float()[:, order]
        rounded, scales, zeros = round_columns(values, factor, group, grid, blocksize)
        weight.data = (rounded if order is None else rounded[:, order.argsort()]).to(weight.dtype)
        info.scales, info.zero_points, info.data = scales, zeros.to(torch.int32), None


class Inputs:
    """H = X X^T / n of the inputs X that one module reads, or several."""

    _latest: Inputs | None = None

    def __init__(self, width: int) -> None:
        self.sum = torch.zeros(width, width)
        self.count = 0
        self._seen: Tensor | None = None  # the batch added last: the next module that reads it does not add it again
        self._factors: dict[float, Tensor] = {}

    @classmethod
    def of(cls, batch: Tensor) -> Inputs:
        """That of the module before, where it read this very batch; else a new one."""
        if cls._latest is None or cls._latest._seen is not batch:
            cls._latest = cls(batch.shape[-1])
        return cls._latest

    def add(self, batch: Tensor) -> None:
        """Count a batch [..., width] once."""
        if self._seen is batch:
            return
        self._seen = batch
        rows = batch.reshape(-1, batch.shape[-1]).float()
        self.sum.addmm_(rows.t(), rows)
        self.count += len(rows)

    def power(self) -> Tensor:
        """The mean square of each input."""
        return self.sum.diagonal() / self.count

    def factor(self, damp: float, order: Tensor | None = None) -> Tensor:
        """The upper Cholesky factor of H's inverse; its rows spread a column's error over the columns behind it.

        Args:
            damp: added to the diagonal, as a share of its mean; an input that never varies counts as 1.
            order: the columns' order.
        """
        self._seen = None
        if order is None and damp in self._factors:
            return self._factors[damp]
        hessian = self.sum / self.count
        diagonal = hessian.diagonal()
        diagonal[diagonal == 0] = 1
        if order is not None:
            hessian = hessian[order][:, order]
        found = inverse_factor(hessian, damp)
        if order is None:
            self._factors[damp] = found
        return found


def inverse_factor(hessian: Tensor, damp: float) -> Tensor:
    """Cholesky of the inverse; fewer samples than columns, or float32's rounding, may ask for more damping."""
    mean = hessian.diagonal().mean()
    for more in (1, 10, 100):
        lower, failed = torch.linalg.cholesky_ex(hessian + more * damp * mean * torch.eye(len(hessian)))
        if not failed:
            upper, failed = torch.linalg.cholesky_ex(torch.cholesky_inverse(lower), upper=True)
            if not failed:
                return torch.as_tensor(upper)
    raise BuildError(
        "GPTQ cannot use the calibration text: its inputs are not finite, or all alike",
        next="take a recipe that is not calibrated: --recipe int4_kquant",
    )


class Grid:
    """The values a block of weights may take: scale * (integer - zero), integers from 0 to `top`."""

    def __init__(self, top: int, symmetric: bool) -> None:
        self.top = top
        self.symmetric = symmetric

    def search(self, weights: Tensor, cost: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and zero [rows, 1] with the least sum of cost * (weight - rounded)^2, of each row of a block.

        Each narrower range is tried as it is, and with the scale that fits its own integers best (least squares).
        """
        low = weights.amin(1, keepdim=True).clamp(max=0)
        high = weights.amax(1, keepdim=True).clamp(min=0)
        if self.symmetric:
            high = torch.maximum(-low, high)
            low = -high
        span = high - low
        span[span == 0] = 1
        best = torch.full_like(span, torch.inf)
        scale, zero = torch.ones_like(span), torch.zeros_like(span)
        for share in NARROWER:
            start = share * span / self.top
            middle = (self.top + 1) // 2
            at = torch.full_like(start, middle) if self.symmetric else self._clamp(torch.round(-share * low / start))
            integers = self._clamp(torch.round(weights / start) + at) - at
            fitted = (cost * integers * weights).sum(1, keepdim=True)
            fitted = fitted / (cost * integers * integers).sum(1, keepdim=True).clamp(min=1e-30)
            for candidate in (start, torch.where(fitted > 0, fitted, start)):
                lost = (cost * (self.round(weights, candidate, at) - weights) ** 2).sum(1, keepdim=True)
                better = lost < best
                best = torch.where(better, lost, best)
                scale, zero = torch.where(better, candidate, scale), torch.where(better, at, zero)
        return scale, zero

    def round(self, weights: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        """The nearest values of the grid."""
        return (self._clamp(torch.round(weights / scale) + zero) - zero) * scale

    def _clamp(self, integers: Tensor) -> Tensor:
        return integers.clamp(0, self.top)


def round_columns(
    weights: Tensor, factor: Tensor, group: int, grid: Grid, blocksize: int = BLOCK
) -> tuple[Tensor, Tensor, Tensor]:
    """Round a matrix [rows, columns] column by column; what each loses is put right in the columns behind it.

    Returns: the rounded matrix, scales and zeros [rows, groups].
    """
    weights, rounded = weights.clone(), torch.empty_like(weights)
    block = min(group, blocksize)
    scales: list[Tensor] = []
    zeros: list[Tensor] = []
    for start in range(0, weights.shape[1], block):
        if start % group == 0:
            behind = slice(start, start + group)
            scale, zero = grid.search(weights[:, behind], factor.diagonal()[behind] ** -2)
            scales.append(scale)
            zeros.append(zero)
        end = min(start + block, weights.shape[1])
        here = weights[:, start:end].clone()
        errors = torch.empty_like(here)
        local = factor[start:end, start:end]
        for at in range(end - start):
            column = here[:, at : at + 1]
            rounded[:, start + at : start + at + 1] = grid.round(column, scales[-1], zeros[-1])
            errors[:, at : at + 1] = (column - rounded[:, start + at : start + at + 1]) / local[at, at]
            here[:, at + 1 :] -= errors[:, at : at + 1] * local[at, at + 1 :]
        weights[:, end:] -= errors @ factor[start:end, end:]
    return rounded, torch.cat(scales, 1), torch.cat(zeros, 1)
