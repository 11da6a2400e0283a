"""What each way to store a matrix would cost, by the source's own measure.

To second order, the KL divergence that a change D of a weight matrix brings is (g . D a)^2 / 2 at each token, where a
is what the matrix reads and g the gradient, at what it writes, of the log-likelihood of a token drawn from the model
(the Fisher information). One backward pass over a little text gives it for every matrix rounded to 4 bits in blocks of
32. Other bits and blocks cost as much more or less as they move the weights, each column weighted by the power of its
input. What GPTQ puts right is taken off: of the errors of columns 1/u^2 is left instead of h, where h is the diagonal
of the inputs' H and u that of the factor by which GPTQ corrects (passes/gptq.py). On the rotated SmolLM2 all of that
adds up to 0.11 nats for 4 bits everywhere but in the ends, where 0.11 are measured (benchmarks/quality).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from olive.common.hf.wrapper import ModelWrapper
from olive.common.quant.utils import WeightQuantizer
from olive.passes.pytorch.quant_utils import get_qkv_quantization_groups

from edgekit.jobs.olive.passes.gptq import inverse_factor
from edgekit.predict.weights import Storage

SEED = 20261124
LOGITS = 120_000_000  # of one backward pass at most
DAMP = 0.01  # as GPTQ's
MEASURED = Storage(4, 32, symmetric=False)  # what the backward pass rounds to


@dataclass(frozen=True)
class Unit:
    """Matrices that are stored alike: query, key and value are one product in the graph, tied ends are one table.

    Attributes:
        shapes: rows and columns of each; a tied table once.
    """

    names: tuple[str, ...]
    modules: tuple[Any, ...]
    shapes: tuple[tuple[int, int], ...]


def units_of(wrapper: ModelWrapper) -> list[Unit]:
    """The linear modules of the decoder layers in their order, then both ends."""
    prefix = f"{wrapper.get_layers()[1]}."
    model: Any = wrapper.model
    linear = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    layers = [name for name in linear if name.startswith(prefix)]
    together = {name: tuple(group) for group in get_qkv_quantization_groups(wrapper) for name in group}
    groups = list(dict.fromkeys(together.get(name, (name,)) for name in layers))
    units = [_unit(group, [linear[name] for name in group]) for group in groups]
    head, embeddings = wrapper.get_lm_head()[1], wrapper.get_embeds()[1][0]
    both = [linear[head], model.get_submodule(embeddings)]
    if both[0].weight is both[1].weight:
        return [*units, Unit((head, embeddings), tuple(both), (tuple(both[0].weight.shape),))]
    return [*units, _unit((head,), both[:1]), _unit((embeddings,), both[1:])]


def _unit(names: tuple[str, ...], modules: Sequence[Any]) -> Unit:
    return Unit(names, tuple(modules), tuple(tuple(module.weight.shape) for module in modules))


def costs_of(
    model: torch.nn.Module, units: Sequence[Unit], ways: Sequence[Sequence[Storage]], samples: Sequence[torch.Tensor]
) -> list[list[float]]:
    """Nats a token that each way to store each unit would bring.

    Args:
        samples: token ids [1, tokens].
    """
    watched = measure(model, [name for unit in units for name in unit.names], samples)
    return [_unit_costs(unit, some, watched) for unit, some in zip(units, ways, strict=True)]


def _unit_costs(unit: Unit, ways: Sequence[Storage], watched: Mapping[str, Watched]) -> list[float]:
    """Nats a token that each way to store a unit would bring."""
    costs = [0.0] * len(ways)
    for name, module in zip(unit.names, unit.modules, strict=True):
        weight, it = module.weight.detach().float(), watched[name]
        loss = it.loss * (it.left if len(unit.shapes) == len(unit.names) else 1.0)  # GPTQ leaves tied ends
        measured = _moved(weight, MEASURED, it.power) if weight.shape[1] % MEASURED.block == 0 else 0.0
        for at, way in enumerate(ways):
            costs[at] += loss * _moved(weight, way, it.power) / measured if measured else loss / way.bits
    return costs


def _moved(weight: torch.Tensor, way: Storage, power: torch.Tensor) -> float:
    """How far rounding moves what the matrix writes, were its inputs independent."""
    quantizer = WeightQuantizer(bits=int(way.bits), group_size=way.block, symmetric=way.symmetric)
    return float(((quantizer.fake_quantize(weight) - weight).square_() * power).sum())


@dataclass
class Watched:
    """Of one matrix: its inputs' power, nats a token that MEASURED alone would bring, and what GPTQ leaves of them."""

    power: torch.Tensor
    loss: float = 0.0
    left: float = 1.0


def measure(model: torch.nn.Module, names: Sequence[str], samples: Sequence[torch.Tensor]) -> dict[str, Watched]:
    """What a backward pass over the samples shows of the named matrices."""
    embeddings: Any = model.get_input_embeddings()  # type: ignore[operator]
    modules: dict[str, Any] = {name: model.get_submodule(name) for name in names}
    watched = {name: Watched(torch.ones(modules[name].weight.shape[1])) for name in names}
    hooks = [
        module.register_forward_hook(_behind(watched[name]))
        for name, module in modules.items()
        if module is not embeddings
    ]
    looked_up = next((watched[name] for name in names if modules[name] is embeddings), None)
    hooks.append(embeddings.register_forward_hook(_behind_embeddings(looked_up)))
    model.requires_grad_(False).eval()
    random = torch.Generator().manual_seed(SEED)
    _latest.clear()
    with torch.enable_grad():
        for ids in _batches(samples, embeddings.weight.shape[0]):
            logs = torch.log_softmax(model(input_ids=ids, use_cache=False).logits.flatten(0, 1).float(), -1)
            drawn = torch.multinomial(logs.detach().exp(), 1, generator=random)
            torch.autograd.backward(logs.gather(1, drawn).sum())
    for hook in hooks:
        hook.remove()
    _latest.clear()
    tokens = sum(ids.numel() for ids in samples)
    for each in watched.values():
        each.loss /= tokens
    return watched


def _batches(samples: Sequence[torch.Tensor], vocabulary: int) -> list[torch.Tensor]:
    """Samples of one length together, as many as LOGITS allows: every matrix is rounded once for each batch."""
    batches = []
    for length in sorted({sample.shape[1] for sample in samples}, reverse=True):
        alike = [sample for sample in samples if sample.shape[1] == length]
        count = max(1, LOGITS // (length * vocabulary))
        batches += [torch.cat(alike[at : at + count]) for at in range(0, len(alike), count)]
    return batches


def _rounded(weight: torch.Tensor) -> torch.Tensor:
    block = MEASURED.block if weight.shape[1] % MEASURED.block == 0 else -1
    quantizer = WeightQuantizer(bits=int(MEASURED.bits), group_size=block, symmetric=False)
    return torch.as_tensor(quantizer.fake_quantize(weight))


def _count(it: Watched, wrote: Any, moved: torch.Tensor) -> None:
    def add(gradient: torch.Tensor) -> None:
        it.loss += float(((gradient * moved).sum(-1) ** 2).sum()) / 2

    wrote.register_hook(add)


def _behind(it: Watched) -> Any:
    """Inputs are of the first batch alone: what the errors of columns do to each other changes little."""
    seen = False

    def behind(module: Any, read: tuple[torch.Tensor, ...], wrote: torch.Tensor) -> None:
        nonlocal seen
        if not wrote.requires_grad:
            return
        with torch.no_grad():
            if not seen:
                seen = True
                it.power, it.left = _inputs(read[0])
            moved = read[0] @ (_rounded(module.weight) - module.weight).t()
        _count(it, wrote, moved)

    return behind


_latest: list[tuple[torch.Tensor, tuple[torch.Tensor, float]]] = []  # what the module before read: often the same


def _inputs(batch: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The mean square of each input [width], and what GPTQ leaves of the errors of columns."""
    if _latest and _latest[0][0] is batch:
        return _latest[0][1]
    rows = batch.flatten(0, -2).float()
    hessian = rows.t() @ rows / len(rows)
    power = hessian.diagonal().clone()
    factor = inverse_factor(hessian, DAMP)
    figures = power, float((factor.diagonal() ** -2).sum() / power.sum())
    _latest[:] = [(batch, figures)]
    return figures


def _behind_embeddings(it: Watched | None) -> Any:
    """Gradients begin behind the embeddings."""

    def behind(module: Any, read: Any, wrote: torch.Tensor) -> torch.Tensor:
        begun = wrote.detach().requires_grad_(True)
        if it is not None:
            _count(it, begun, _rounded(wrote.detach().flatten(0, 1)).view_as(wrote) - wrote.detach())
        return begun

    return behind
