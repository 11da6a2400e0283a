"""The Olive workflow of a recipe's passes: where the model and the calibration data come from."""

from __future__ import annotations

from typing import Any

from edgekit.kinds import Form


def workflow(form: Form, passes: list[dict[str, Any]], *, trusted: bool = False) -> dict[str, Any]:
    """The Olive workflow of some passes; what belongs to this machine (folders) is added by the child process."""
    if form == "genai":
        source: dict[str, Any] = {"type": "HfModel", "model_path": "${SOURCE}", "task": "text-generation"}
        source["load_kwargs"] = {"trust_remote_code": trusted}
        passes = [_trusting(step, trusted) if step["type"].endswith("ModelBuilder") else step for step in passes]
    else:
        source = {"type": "ONNXModel", "model_path": "${SOURCE}"}
    config: dict[str, Any] = {
        "input_model": source,
        "passes": {
            f"p{index}_{step['type'].lower()}": {
                "type": step["type"],
                "config": {key: value for key, value in step.items() if key != "type"},
            }
            for index, step in enumerate(passes)
        },
    }
    if any("data_config" in step for step in passes):
        config["data_configs"] = [
            {
                "name": "calibration",
                "type": "DataContainer",
                "load_dataset_config": {"type": "edgekit_feeds", "params": {"folder": "${CALIBRATION}"}},
                "dataloader_config": {"type": "edgekit_unbatched"},
            }
        ]
    return config


def _trusting(builder: dict[str, Any], trusted: bool) -> dict[str, Any]:
    """GenAI's builder trusts the folder's code unless it is told not to."""
    return {**builder, "extra_options": {**builder.get("extra_options", {}), "hf_remote": trusted}}
