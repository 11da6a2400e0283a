"""The float32 model of a Hugging Face folder: whole where it fits in half of the memory, else a layer at a time.

By layer, every module is empty until it is called: its weights are read from the safetensors files, used, and let go.
Nothing else changes: the same modules compute the same numbers, and generate() works on it. It costs a read of
the files (from the page cache, if they fit there) for every forward pass, so passes should be few and wide.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import BuildError
from edgekit.wrappers.python.protocol import Emit

FLOAT32 = 4  # bytes
SPARE = 0.25  # of the float weights' size: what the interpreter, activations and key-value cache take beside them
SHARE = 0.5  # of the free memory: a build is not alone on its machine, and by layer it takes a fraction of it
CGROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def load(folder: Path, *, trust_remote_code: bool, emit: Emit) -> Any:
    """The model of `folder` in float32, whatever its weights are stored in, ready to be called.

    Raises:
        BuildError: it does not fit in memory and its weights cannot be read by layer.
    """
    import torch
    from transformers import AutoModelForCausalLM

    needed = float_bytes(folder)
    room = available_bytes()
    if needed is None or needed * (1 + SPARE) <= room * SHARE:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=trust_remote_code, local_files_only=True
        )
        return model.eval()
    emit("progress", text=f"source: {needed / 1e9:.1f} GB in float32, {room / 1e9:.1f} GB free: layer by layer")
    return by_layer(folder, trust_remote_code=trust_remote_code)


def by_layer(folder: Path, *, trust_remote_code: bool) -> Any:
    """The model without its weights, which are read when a layer is called and let go behind it.

    Raises:
        BuildError: a weight of the architecture is in none of the folder's safetensors files.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig
    from transformers.integrations.accelerate import init_empty_weights

    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    with init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=trust_remote_code)
    if (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    weights = _Weights.of(folder)
    tied = _tied(model)
    for name, unit in _units(model):
        keys = {
            parameter: weights.key(f"{name}.{parameter}", tied) for parameter, _ in unit.named_parameters(recurse=True)
        }
        _read_when_called(unit, keys, weights)
    return model.eval()


def is_by_layer(model: Any) -> bool:
    """True where every pass reads the weights anew."""
    return bool(next(model.parameters()).device.type == "meta")


def float_bytes(folder: Path) -> int | None:
    """Bytes of the folder's weights as float32; None where they are not in safetensors files."""
    values = 0
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header: dict[str, Any] = json.loads(stream.read(size))
        values += sum(math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
    return values * FLOAT32 or None


def available_bytes() -> int:
    """The least of: free memory of the machine, of the control group, and of this process's own limits."""
    import psutil

    rooms = [int(psutil.virtual_memory().available)]
    for limit, used in CGROUPS:
        try:
            rooms.append(int(Path("/sys/fs/cgroup", limit).read_text()) - int(Path("/sys/fs/cgroup", used).read_text()))
        except (OSError, ValueError):  # no such control group, or its limit is "max"
            continue
    if sys.platform != "win32":
        import resource

        own = psutil.Process().memory_info()
        for limit_of, taken in ((resource.RLIMIT_AS, own.vms), (resource.RLIMIT_DATA, getattr(own, "data", own.rss))):
            soft = resource.getrlimit(limit_of)[0]
            if soft != resource.RLIM_INFINITY:
                rooms.append(soft - taken)
    return max(0, min(rooms))


@dataclass(frozen=True)
class _Weights:
    """The safetensors files of a folder, read one tensor at a time; `places` is the file of each tensor."""

    places: dict[str, Path]

    @classmethod
    def of(cls, folder: Path) -> _Weights:
        from safetensors import safe_open

        places: dict[str, Path] = {}
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                places |= dict.fromkeys(file.keys(), path)
        return cls(places)

    def key(self, name: str, tied: dict[str, str]) -> str:
        """The name under which a parameter is stored: its own, or that of the one it is tied to."""
        found = next((one for one in (name, tied.get(name)) if one in self.places), None)
        if found is None:
            raise BuildError(
                f"the source does not fit in memory and has no weight {name} that could be read by layer",
                next="convert it to safetensors with transformers' save_pretrained, or use a machine with more memory",
            )
        return found

    def read(self, key: str) -> Any:
        """One tensor in float32, in memory of its own."""
        import torch
        from safetensors import safe_open

        with safe_open(self.places[key], framework="pt") as file:
            return file.get_tensor(key).to(torch.float32, copy=True)


def _tied(model: Any) -> dict[str, str]:
    """lm_head's weight is the embedding's where the configuration ties them."""
    if not getattr(model.config, "tie_word_embeddings", False):
        return {}
    names = {id(module): name for name, module in model.named_modules()}
    ends = (model.get_output_embeddings(), model.get_input_embeddings())
    return {f"{names[id(ends[0])]}.weight": f"{names[id(ends[1])]}.weight"}


def _units(model: Any) -> Iterator[tuple[str, Any]]:
    """What is read at once: each decoder layer, and each module outside them that has weights of its own."""
    from torch import nn

    layers = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    outermost = [name for name in layers if not any(name.startswith(f"{other}.") for other in layers if other != name)]
    for name, module in model.named_modules():
        inside = next((one for one in outermost if name.startswith(f"{one}.")), None)
        if inside is not None:
            if "." not in name.removeprefix(f"{inside}."):
                yield name, module
        elif any(True for _ in module.parameters(recurse=False)):
            yield name, module


def _read_when_called(unit: Any, keys: dict[str, str], weights: _Weights) -> None:
    from torch import nn

    empty = dict(unit.named_parameters(recurse=True))

    def place(parameter: str, value: Any) -> None:
        path, _, name = parameter.rpartition(".")
        unit.get_submodule(path)._parameters[name] = value

    def fill(*_: Any) -> None:
        for parameter, key in keys.items():
            place(parameter, nn.Parameter(weights.read(key), requires_grad=False))

    def let_go(*_: Any) -> None:
        for parameter in keys:
            place(parameter, empty[parameter])

    unit.register_forward_pre_hook(fill)
    unit.register_forward_hook(let_go, always_call=True)
