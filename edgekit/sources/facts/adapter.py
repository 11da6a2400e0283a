"""A LoRA that PEFT has saved: what its folder says, and whether it is one of this model's.

transformers and PEFT pass over much in silence: matrices of another base, weights that nothing names, settings of
another release. All of it is looked for here, before anything is built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import digests
from edgekit.digests import Snapshot
from edgekit.errors import SourceError, UsageError
from edgekit.model import Adapter
from edgekit.sources.facts import safetensors
from edgekit.sources.facts.beside import ADAPTER
from edgekit.sources.facts.files import AGAIN, check_links, read_json
from edgekit.sources.facts.safetensors import Weight

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = "adapter_model.safetensors"
SAVE = "save it with PEFT 0.15 or later: model.save_pretrained(FOLDER)"
PLAIN_LORA = "train a plain LoRA (peft.LoraConfig with r, lora_alpha and target_modules), or merge this one with PEFT"
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")  # a folder or file on every system
PART = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
MODULE = re.compile(r"model\.layers\.(\d+)\.(self_attn|mlp)\.(\w+)")
# Settings of the training, and those that are read here: what is computed follows from the weights and these alone.
READ = ("peft_type", "base_model_name_or_path", "r", "lora_alpha", "use_rslora", "rank_pattern", "target_modules")
TRAINING = (
    *("auto_mapping", "task_type", "revision", "inference_mode", "peft_version", "lora_dropout", "init_lora_weights"),
    *("layers_to_transform", "layers_pattern", "exclude_modules", "loftq_config", "eva_config", "corda_config"),
    *("lora_ga_config", "megatron_core", "qalora_group_size", "runtime_config", "ensure_weight_tying"),
)
PLAIN = {"bias": "none"}  # what other settings are where they change nothing; else null, false or empty


@dataclass(frozen=True)
class Lora:
    """An adapter's folder on this machine.

    Attributes:
        facts: as the manifest has them.
        scales: of each module that it changes ("model.layers.0.self_attn.q_proj"), what B A is multiplied by.
        snapshot: the folder as it was read.
    """

    path: Path
    facts: Adapter
    scales: Mapping[str, float]
    snapshot: Snapshot

    def matrices(self, module: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A [rank, in] and B [out, rank] of a module, as they were saved."""
        return _values(self.path / WEIGHTS, _key(module, "A")), _values(self.path / WEIGHTS, _key(module, "B"))


def named(words: Iterable[str]) -> dict[str, Path]:
    """The folders of `--adapter NAME=FOLDER`, by name.

    Raises:
        UsageError: no name, one that no file can have, or one twice.
    """
    folders: dict[str, Path] = {}
    for word in words:
        name, sign, folder = word.partition("=")
        if not sign or not folder or not NAME.fullmatch(name):
            raise UsageError(
                f"--adapter {word[:80]!r} is no NAME=FOLDER with a name of small letters, digits, dots and dashes",
                next="write --adapter polite=path/to/the/peft/folder",
            )
        if name in folders:
            raise UsageError(f"two adapters are called {name}", next="give each a name of its own")
        folders[name] = Path(folder)
    return folders


def read(name: str, folder: Path, base: Mapping[str, Weight]) -> Lora:
    """An adapter of the model whose weights are `base`; empty where they are not fetched, for a plan alone.

    Raises:
        SourceError: no adapter, one of another kind or of another model, or damaged.
    """
    if not folder.is_dir():
        raise SourceError(f"the adapter {name} has no folder {folder}", next=f"give the folder that PEFT saved; {SAVE}")
    taken = digests.snapshot(folder, what=f"the adapter {name}")
    with digests.unchanged(taken):
        config, weights = _config(name, folder), _weights(name, folder)
        ranks = _ranks(name, weights, base)
        _check_ranks(name, config, ranks)
        _check_numbers(name, folder, weights)
        alpha, root = float(config["lora_alpha"]), bool(config.get("use_rslora"))
        facts = Adapter(
            name=name,
            base=str(config.get("base_model_name_or_path") or "")[:200],
            rank=max(ranks.values()),
            alpha=alpha,
            modules=tuple(sorted({module.rpartition(".")[2] for module in ranks})),
            sha256=digests.path_digest(folder),
        )
        scales = {module: alpha / (sqrt(rank) if root else rank) for module, rank in ranks.items()}
        return Lora(folder, facts, scales, taken)


def _config(name: str, folder: Path) -> dict[str, Any]:
    """The folder's adapter_config.json: a plain LoRA's."""
    if not (folder / ADAPTER).is_file():
        raise SourceError(f"the adapter {name}: {folder.name} has no {ADAPTER}", next=f"give a PEFT folder; {SAVE}")
    check_links(folder)
    config = read_json(folder / ADAPTER)
    if config.get("peft_type") != "LORA":
        raise SourceError(f"the adapter {name} is {str(config.get('peft_type'))[:40]}, no LORA", next=PLAIN_LORA)
    if config.get("task_type") not in (None, "CAUSAL_LM"):
        raise SourceError(
            f"the adapter {name} is for the task {str(config['task_type'])[:40]}, not CAUSAL_LM", next=PLAIN_LORA
        )
    others = (key for key in config if key not in READ and key not in TRAINING)
    strange = [key for key in others if config[key] and config[key] != PLAIN.get(key)]
    if strange:
        said = f"{strange[0][:40]} = {json.dumps(config[strange[0]])[:60]}"
        raise SourceError(f"the adapter {name} is no plain LoRA: {said}", next=PLAIN_LORA)
    alpha, rank = config.get("lora_alpha"), config.get("r")
    if type(rank) is not int or rank < 1 or not isinstance(alpha, int | float) or not 0 < alpha < float("inf"):
        raise SourceError(f"the adapter {name}: r = {rank!r} and lora_alpha = {alpha!r} are impossible", next=AGAIN)
    return config


def _weights(name: str, folder: Path) -> dict[str, Weight]:
    path = folder / WEIGHTS
    if path.is_file():
        return safetensors.read_header(path)
    if any(folder.glob("*.bin")):
        raise SourceError(
            f"the adapter {name} is pickled ({next(folder.glob('*.bin')).name}): loading it could run any code, so "
            "edgekit never does",
            next="load it where you trust it and save it again: model.save_pretrained(FOLDER, safe_serialization=True)",
        )
    raise SourceError(f"the adapter {name} has no {WEIGHTS}", next=SAVE)


def _ranks(name: str, weights: Mapping[str, Weight], base: Mapping[str, Weight]) -> dict[str, int]:
    """The rank of each module; every one has both matrices, in the shapes of the base's."""
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, weight in weights.items():
        part = PART.fullmatch(key)
        if part is None or weight.dtype not in safetensors.FLOATS or len(weight.shape) != 2:
            raise SourceError(f"the adapter {name} holds {key[:100]}, which is no matrix of a LoRA", next=PLAIN_LORA)
        parts.setdefault(part[1], {})[part[2]] = weight.shape
    if not parts:
        raise SourceError(f"the adapter {name} holds no weights", next=AGAIN)
    for module, pair in parts.items():
        if MODULE.fullmatch(module) is None or (base and f"{module}.weight" not in base):
            known = sorted({match[3] for key in base if (match := MODULE.fullmatch(key.removesuffix(".weight")))})
            raise SourceError(
                f"the adapter {name} changes {module[:100]}, which is no projection of a layer of this model",
                next=f"give the model that it was trained on; a layer's projections here: {', '.join(known)}",
            )
        if len(pair) != 2:
            raise SourceError(f"the adapter {name} has one matrix of two for {module}", next=AGAIN)
        (rank, into), (outof, same) = pair["A"], pair["B"]
        out, width = base[f"{module}.weight"].shape if base else (outof, into)
        if rank != same or rank < 1:
            raise SourceError(f"the adapter {name}: A and B of {module} have ranks {rank} and {same}", next=AGAIN)
        if (outof, into) != (out, width):
            raise SourceError(
                f"the adapter {name} is of another model: it changes {module} of {outof} x {into}, here it is "
                f"{out} x {width}",
                next="give the model that it was trained on (base_model_name_or_path in its adapter_config.json)",
            )
    return {module: pair["A"][0] for module, pair in parts.items()}


def _check_ranks(name: str, config: Mapping[str, Any], ranks: Mapping[str, int]) -> None:
    """Other ranks than the configuration's are its rank_pattern's, or the two files are not of one training."""
    allowed = {config["r"], *(config.get("rank_pattern") or {}).values()}
    if odd := next((module for module, rank in ranks.items() if rank not in allowed), None):
        raise SourceError(
            f"the adapter {name}: {odd} has rank {ranks[odd]}, {ADAPTER} says {config['r']}",
            next="give both files of one training",
        )


def _check_numbers(name: str, folder: Path, weights: Iterable[str]) -> None:
    import numpy as np

    changes = False
    for key in weights:
        values = _values(folder / WEIGHTS, key)
        if not np.isfinite(values).all():
            raise SourceError(
                f"the adapter {name} holds values that are no numbers ({key[:100]})",
                next="its training diverged: train it again, with a smaller learning rate",
            )
        changes |= ".lora_B." in key and bool(values.any())
    if not changes:
        raise SourceError(
            f"the adapter {name} changes nothing: every B is zero, as before its training", next="train it"
        )


def _key(module: str, part: str) -> str:
    return f"base_model.model.{module}.lora_{part}.weight"


def _values(path: Path, key: str) -> NDArray[np.float32]:
    """One tensor of a file whose header was checked."""
    import numpy as np

    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        entry = json.loads(stream.read(length))[key]
        begin, end = entry["data_offsets"]
        stream.seek(8 + length + begin)
        values = np.frombuffer(stream.read(end - begin), safetensors.FLOATS[entry["dtype"]])
    if entry["dtype"] == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.reshape(entry["shape"]).astype(np.float32)
