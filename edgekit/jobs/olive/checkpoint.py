"""Olive's quantized checkpoints, written a module at a time while the float weights stay mapped.

Olive quantizes every module of a model, keeps them all, and copies them into files at the end; k-quant holds the scales
of all before the first is packed. Here a module's packed weights are on disk before the next one is looked at, computed
in pieces of rows by Olive's own functions: each row is rounded alone, so the bytes are Olive's. Tied ends are
quantized once. What a killed build has written whole is taken by the next.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

INDEX, WHOLE = "model.safetensors.index.json", "model.safetensors"
PIECE = 2**23  # weights that are quantized at once; k-quant's search holds about ten floats for each
REST = "256MB"  # of what is not quantized, held at once while it is written
HIDDEN = "hidden.safetensors"  # what the first layer that is not calibrated yet reads
BUFFERS = ("qweight", "scales", "qzeros")

Parameters = Callable[[Any, Any], tuple[Any, Any]]  # (quantizer, rows of a weight) -> scales, zero points


_places: Iterator[Path] = iter(())  # of the workflow that runs: a folder for each pass that makes a checkpoint
_place = Path()  # of the pass that runs


def install(folder: Path) -> None:
    """Let Olive's quantizing passes of this process write their checkpoints here, and go on with what lies there."""
    from olive.passes.pytorch import kquant, quant_utils, rtn  # noqa: F401  # rtn has the functions by their names

    global _places
    _places = (folder / str(number) for number in itertools.count(1))
    if quant_utils.finalize is _finalize:
        return
    quant_utils.ModelWrapper = _sharing(quant_utils.ModelWrapper)
    kquant.KQuant._run_for_config = _kquant
    changed = {
        "prepare_model": _prepared(quant_utils.prepare_model),
        "run_layerwise_quantization": _calibrated(quant_utils.run_layerwise_quantization),
        "finalize": _finalize,
    }
    originals = {name: getattr(quant_utils, name) for name in changed}
    for module in list(sys.modules.values()):  # passes have them by their names
        for name, original in originals.items():
            if getattr(module, "__dict__", {}).get(name) is original:
                setattr(module, name, changed[name])


def _sharing(wrapper: type[Any]) -> type[Any]:
    """Olive's view of a model, which copies tied embeddings to untie them, as one that shares their bytes."""
    from torch import nn

    class Sharing(wrapper):  # type: ignore[misc]
        def maybe_untie_word_embeddings(self) -> None:
            if self.config.tie_word_embeddings:
                self.config.tie_word_embeddings = self.model.config.tie_word_embeddings = False
                shared = self.get_embeds(False)[0].weight.detach()
                self.get_lm_head(False).weight = nn.Parameter(shared, requires_grad=False)

    return Sharing


def _prepared(original: Callable[..., Any]) -> Callable[..., Any]:
    """prepare_model, with which every quantizing pass begins."""

    @functools.wraps(original)
    def prepared(*model: Any, **how: Any) -> Any:
        global _place
        _place = next(_places)
        _place.mkdir(parents=True, exist_ok=True)
        return original(*model, **how)

    return prepared


def _kquant(self: Any, model: Any, config: Any, output_model_path: str) -> Any:
    """KQuant's work, whose scales are searched for a piece at a time."""
    import torch
    from olive.passes.pytorch.kquant import kquant_find_qparams
    from olive.passes.pytorch.quant_utils import prepare_model

    def searched(quantizer: Any, rows: Any) -> tuple[Any, Any]:
        size = quantizer.group_size if quantizer.group_size > 0 else rows.shape[1]
        parameters: tuple[Any, Any] = kquant_find_qparams(
            rows, group_size=size, maxq=quantizer.maxq, minq=quantizer.minq, symmetric=quantizer.symmetric
        )
        return parameters

    with torch.no_grad():
        wrapper, qcfg, retie = prepare_model(model, config, allow_quantized=True)
        return _finalize(model, output_model_path, wrapper, qcfg, "cpu", retie_word_embeddings=retie, search=searched)


def _calibrated(original: Callable[..., str]) -> Callable[..., str]:
    """Olive's loop over the layers, each of which is packed, written and let go before the next is looked at."""

    @functools.wraps(original)
    def calibrated(model: Any, wrapper: Any, data_config: Any, **how: Any) -> str:
        from olive.passes.pytorch.quant_utils import get_layer_inputs_for_calibration, run_layer

        if how["update_before_process"]:
            return original(model, wrapper, data_config, **how)
        if (_place / INDEX).is_file():
            return "cpu"
        wrapper.model.config.use_cache, cached = False, wrapper.model.config.use_cache
        hidden, places, more = get_layer_inputs_for_calibration(model, wrapper, data_config, "cpu")
        names = {module: name for name, module in wrapper.model.named_modules()}
        layers = wrapper.get_layers(return_name=False)
        begin, reached = _reached()
        behind = [module for layer in layers[:begin] for module in layer.modules() if hasattr(module, "quant_info")]
        if all(_is_kept(names[module], module) for module in behind):
            hidden = reached or hidden
        else:
            begin = 0

        def calibrate(unit: Any, *arguments: Any) -> None:
            modules = [module for module in unit.modules() if hasattr(module, "quant_info")]
            hooks = [module.register_forward_hook(how["input_hook"]) for module in modules]
            run_layer(unit, hidden, *arguments)
            for hook in hooks:
                hook.remove()
            for module in modules:
                how["process_module"](module, "cpu")
                _keep(names[module], module)

        for number, layer in enumerate(layers):
            if number >= begin:
                calibrate(layer, places, more)
                hidden = run_layer(layer, hidden, places, more, return_output=True)
                _write(_place / HIDDEN, {f"{number + 1}.{at}": value for at, value in enumerate(hidden)})
            _let_go(layer)
        if how["include_lm_head"]:
            hidden = run_layer(wrapper.get_pre_head_layernorm(return_name=False), hidden, return_output=True)
            calibrate(wrapper.get_lm_head(return_name=False))
            _let_go(wrapper.get_lm_head(return_name=False))
        wrapper.model.config.use_cache = cached
        return "cpu"

    return calibrated


def _let_go(unit: Any) -> None:
    """Forget the weights of what is packed and will not be run again."""
    for module in unit.modules():
        if hasattr(module, "quant_info"):
            module.weight.data = module.weight.new_empty(0)
            module.quant_info.scales = module.quant_info.zero_points = None


def _reached() -> tuple[int, list[Any]]:
    """The first layer that a killed build did not leave behind, and the hidden states that it reads; 0 without."""
    from safetensors.torch import load_file

    if not (_place / HIDDEN).is_file():
        return 0, []
    kept = {tuple(map(int, name.split("."))): value for name, value in load_file(_place / HIDDEN).items()}
    return min(kept)[0], [kept[key].clone() for key in sorted(kept)]


def _keep(name: str, module: Any, search: Parameters | None = None) -> None:
    """Write a module's packed weights, if no killed build did."""
    if not _is_kept(name, module):
        tensors = {f"{name}.{key}": value for key, value in _packed(module, search).items()}
        _write(_place / f"{name}.safetensors", tensors, json.dumps(_settings(module)))


def _is_kept(name: str, module: Any) -> bool:
    """True where a module is packed already, with these settings: they may have been measured, and differ now."""
    from safetensors import safe_open

    path = _place / f"{name}.safetensors"
    if not path.is_file():
        return False
    with safe_open(path, framework="pt") as file:
        return (file.metadata() or {}).get("settings") == json.dumps(_settings(module))


def _settings(module: Any) -> dict[str, Any]:
    """How Olive is asked to pack a module."""
    quantizer = module.quant_info.quantizer
    return {"bits": int(quantizer.bits), "symmetric": quantizer.symmetric, "group_size": quantizer.group_size}


def _finalize(
    model: Any,
    output_model_path: str,
    wrapper: Any,
    quant_config: Any,
    device: str,
    retie_word_embeddings: bool = False,
    search: Parameters | None = None,
) -> Any:
    """Olive's function of this name: the modules that have a quant_info packed and written, then all others.

    Args:
        search: what finds scales and zero points, where no pass has; else Olive's rounding to the extremes.
    """
    from olive.passes.pytorch.common import inherit_hf_from_hf

    if not (_place / INDEX).is_file():
        _write_all(model, wrapper.model, quant_config, retie=retie_word_embeddings, search=search)
    (_place / HIDDEN).unlink(missing_ok=True)
    _link(_place, Path(output_model_path))
    return inherit_hf_from_hf(model, output_model_path, adapter_path=model.adapter_path)


def _write_all(model: Any, net: Any, quant_config: Any, *, retie: bool, search: Parameters | None) -> None:
    """The checkpoint of a pass; `retie`: lm_head has the bytes of the embeddings."""
    head = net.get_output_embeddings() if retie else None
    quantized = {name: module for name, module in net.named_modules() if hasattr(module, "quant_info")}
    for name, module in quantized.items():
        if module is not head:
            _keep(name, module, search)
        del module.quant_info
    quant_config.tie_word_embeddings = quant_config.tie_word_embeddings or retie
    net.quantization_method = quant_config.quant_method
    net.config.quantization_config = quant_config
    others = {key: value for key, value in net.state_dict().items() if key.rpartition(".")[0] not in quantized}
    net.save_pretrained(_place, state_dict=others, max_shard_size=REST)
    model.save_metadata(str(_place))
    if (_place / WHOLE).is_file():  # which would be taken for all there is
        (_place / WHOLE).replace(_place / f"others-{WHOLE}")
    _index(_place)


def _packed(module: Any, search: Parameters | None) -> dict[str, Any]:
    """The buffers of a linear layer or of embeddings as Olive packs them, computed some rows at a time."""
    import torch
    from olive.common.quant.nn import QuantEmbedding, QuantLinear

    info, weight = module.quant_info, module.weight.detach()
    quantizer = info.quantizer
    embeds = isinstance(module, torch.nn.Embedding)
    buffers: dict[str, Any] = {}
    for rows in _pieces(weight, whole=quantizer.group_size == 0):
        some = weight[rows]
        scales, zeros = search(quantizer, some) if search is not None and info.scales is None else (None, None)
        if info.scales is not None:
            scales, zeros = info.scales[rows], info.zero_points[rows]
        sizes = dict(
            zip(
                ("num_embeddings", "embedding_dim") if embeds else ("out_features", "in_features"),
                some.shape,
                strict=True,
            )
        )
        extra = {} if embeds else {"bias": False}
        made = (QuantEmbedding if embeds else QuantLinear).from_tensors(
            weight=some, **_settings(module), scales=scales, zero_points=zeros, **sizes, **extra
        )
        for name in BUFFERS:
            part = getattr(made, name, None)
            if part is not None:
                if name not in buffers:
                    buffers[name] = part.new_empty(
                        (len(weight) if quantizer.group_size else len(part), *part.shape[1:])
                    )
                buffers[name][rows] = part
    if getattr(module, "bias", None) is not None:
        buffers["bias"] = module.bias.detach()
    return buffers


def _pieces(weight: Any, *, whole: bool) -> Iterator[slice]:
    """Rows that are quantized at once; `whole`: all of them."""
    rows, width = weight.shape
    step = rows if whole else max(1, PIECE // width)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _write(path: Path, tensors: dict[str, Any], settings: str = "") -> None:
    """A safetensors file that is whole or not there, whatever happens meanwhile."""
    from safetensors.torch import save_file

    new = path.with_suffix(".new")
    save_file(
        {name: value.contiguous() for name, value in tensors.items()},
        new,
        metadata={"format": "pt", "settings": settings},
    )
    with new.open("rb+") as stream:
        os.fsync(stream.fileno())
    new.replace(path)


def _index(place: Path) -> None:
    """Which file has which tensor: written last, and only then the checkpoint is one."""
    from safetensors import safe_open

    places: dict[str, str] = {}
    size = 0
    for path in sorted(place.glob("*.safetensors")):
        if path.name == HIDDEN:
            continue
        size += path.stat().st_size
        with safe_open(path, framework="pt") as file:
            places |= dict.fromkeys(file.keys(), path.name)
    new = place / f"{INDEX}.new"
    told = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
    new.write_text(json.dumps(told, indent=2), encoding="utf-8")
    new.replace(place / INDEX)


def _link(place: Path, output: Path) -> None:
    """The files of a checkpoint under another folder too, without a copy where the file system can."""
    output.mkdir(parents=True, exist_ok=True)
    for path in place.iterdir():
        if path.is_file() and path.suffix != ".new":
            try:
                os.link(path, output / path.name)
            except OSError:
                shutil.copyfile(path, output / path.name)
