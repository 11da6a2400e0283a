"""In which bits and blocks each matrix is stored, so that least is lost in the size that is asked for."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from olive.common.hf.wrapper import ModelWrapper
from olive.common.quant.hf_utils import sort_layers_by_name
from olive.data.config import DataConfig
from olive.passes.pass_config import PassConfigParam
from olive.passes.pytorch.selective_mixed_precision import SelectiveMixedPrecision
from olive.passes.pytorch.train_utils import get_calibration_dataset, load_hf_base_model

from edgekit.jobs.olive.passes import sensitivity
from edgekit.jobs.olive.passes.sensitivity import Unit
from edgekit.predict import allocation
from edgekit.predict.allocation import Option, refuse
from edgekit.predict.weights import Storage

TOKENS = 256  # of each sample; a backward pass keeps what all layers read and wrote of them
SAMPLES = 8
FLOAT = 16  # bits of embeddings that are not quantized
SHIPPED = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


class EdgekitFitSize(SelectiveMixedPrecision):  # type: ignore[misc]
    """Says in which bits and blocks each matrix is stored, lm_head and embeddings too, for the least loss in a size."""

    @classmethod
    def _default_config(cls, accelerator_spec: Any) -> dict[str, PassConfigParam]:
        return {
            **super()._default_config(accelerator_spec),
            "blocks": PassConfigParam(type_=list, required=True, description="Weights per scale to choose from."),
            "size": PassConfigParam(type_=int, required=True, description="Bytes of all files; 0: by average_bits."),
            "average_bits": PassConfigParam(type_=float, required=True, description="Of a weight, with its scales."),
            "ends": PassConfigParam(type_=dict, required=True, description="Bits of lm_head and embeddings, by name."),
            "beside": PassConfigParam(type_=int, required=True, description="Bytes of tables, graph and check data."),
            "source": PassConfigParam(type_=str, required=True, description="The folder of the tokenizer."),
            "data_config": PassConfigParam(type_=DataConfig | dict, required=True, description="Local text."),
        }

    @classmethod
    def validate_config(cls, config: Any, accelerator_spec: Any) -> bool:
        """Olive's own check asks for an algorithm and a ratio, which are not used here."""
        return bool(config.blocks)

    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> Any:
        wrapper = ModelWrapper.from_model(load_hf_base_model(model))
        units = [unit for unit in sensitivity.units_of(wrapper) if FLOAT not in map(config.ends.get, unit.names)]
        ways = [ways_of(unit, config.blocks, bool(config.sym), config.ends) for unit in units]
        sizes = [[stored_bytes(unit, way) for way in some] for unit, some in zip(units, ways, strict=True)]
        budget = _budget(wrapper, units, sizes, config)
        samples = [
            feed["input_ids"][:, :TOKENS] for feed in get_calibration_dataset(model, config.data_config)[:SAMPLES]
        ]
        costs = sensitivity.costs_of(wrapper.model, units, ways, samples)
        options = [
            [Option(count, cost) for count, cost in zip(*pair, strict=True)] for pair in zip(sizes, costs, strict=True)
        ]
        chosen = allocation.allocate(options, budget)
        stored = [(unit, some[at]) for unit, some, at in zip(units, ways, chosen, strict=True)]
        planned = deepcopy(model)
        planned.model_attributes = (planned.model_attributes or {}) | {"mixed_precision_info": _told(stored, config)}
        return planned


def ways_of(unit: Unit, blocks: Sequence[int], symmetric: bool, ends: Mapping[str, int]) -> list[Storage]:
    """4 and 8 bits in each of the blocks that divides the rows; the bits of an end may be the user's."""
    fitting = [block for block in blocks if all(columns % block == 0 for _, columns in unit.shapes)] or [min(blocks)]
    asked = max((ends[name] for name in unit.names if name in ends), default=0)
    return [Storage(bits, block, symmetric) for bits in ([asked] if asked else (4, 8)) for block in fitting]


def stored_bytes(unit: Unit, way: Storage) -> int:
    """Of a unit's weights, scales in half precision, and zero points, each row's filled up to whole bytes."""
    total = 0
    for rows, columns in unit.shapes:
        blocks = columns // way.block if way.block > 0 else 1
        zeros = 0 if way.symmetric else -(-blocks * int(way.bits) // 8)
        total += rows * (columns * int(way.bits) // 8 + 2 * blocks + zeros)
    return total


def _budget(wrapper: ModelWrapper, units: Sequence[Unit], sizes: Sequence[Sequence[int]], config: Any) -> int:
    """Bytes that the matrices may take.

    Raises:
        UsageError: no choice comes near the size, before anything slow is done.
    """
    matrices = sum(rows * columns for unit in units for rows, columns in unit.shapes)
    smallest, largest = (sum(bound(some) for some in sizes) for bound in (min, max))
    if not config.size:
        return max(smallest, int(matrices * float(config.average_bits) / 8))
    tables = {id(module.weight) for unit in units for module in unit.modules}
    floats: int = 4 * sum(value.numel() for value in wrapper.model.parameters() if id(value) not in tables)
    fixed = floats + int(config.beside) + _tokenizer_bytes(config.source)
    refuse(int(config.size), smallest + fixed, largest + fixed)
    return int(config.size) - int(fixed)


def _tokenizer_bytes(source: str) -> int:
    """Of the tokenizer's files as a bundle has them."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        AutoTokenizer.from_pretrained(source, local_files_only=True).save_pretrained(folder)
        files = [path for path in Path(folder).iterdir() if path.name in SHIPPED]
        whole = next((path for path in files if path.name == "tokenizer.json"), None)
        compact = 0
        if whole is not None:
            data = json.loads(whole.read_text(encoding="utf-8"))
            compact = len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())
        return compact + sum(path.stat().st_size for path in files if path is not whole)


def _told(stored: Sequence[tuple[Unit, Storage]], config: Any) -> dict[str, Any]:
    """As Olive's passes for mixed precision tell those behind them."""
    default = {"bits": config.bits, "group_size": config.group_size, "symmetric": bool(config.sym)}
    overrides = {
        name: {"bits": int(way.bits), "group_size": way.block, "symmetric": way.symmetric}
        for unit, way in stored
        for name in unit.names
    }
    return {"default": default, "overrides": sort_layers_by_name(overrides)}
