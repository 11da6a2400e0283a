"""An Olive pass: GenAI's graph of a language model as an accelerator's execution provider wants it.

Olive's ModelBuilder takes the provider from the machine's accelerator and builds for the CPU, without a word, where it
does not know it. Here the recipe names the provider, and a graph that is not the provider's is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from olive.hardware.accelerator import AcceleratorSpec, Device
from olive.hardware.constants import ExecutionProvider
from olive.passes.olive_pass import create_pass_from_dict
from olive.passes.onnx.model_builder import ModelBuilder
from olive.passes.pass_config import PassConfigParam

from edgekit import ep
from edgekit.contract import genai_config
from edgekit.errors import BuildError


class EdgekitModelBuilder(ModelBuilder):  # type: ignore[misc]
    """Olive's pass with one parameter more: `provider`, the short name of an execution provider ("dml")."""

    @classmethod
    def _default_config(cls, accelerator_spec: AcceleratorSpec) -> dict[str, PassConfigParam]:
        config: dict[str, PassConfigParam] = super()._default_config(accelerator_spec)
        provider = PassConfigParam(type_=str, required=True, description="The execution provider to build for.")
        return config | {"provider": provider}

    @classmethod
    def validate_config(cls, config: Any, accelerator_spec: AcceleratorSpec) -> bool:
        """Olive's own check is made for the provider's accelerator, when it runs."""
        return True

    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> Any:
        accelerator = AcceleratorSpec(Device.GPU, ExecutionProvider(ep.provider(config.provider)))
        theirs = {name: value for name, value in config.model_dump().items() if name != "provider"}
        made = create_pass_from_dict(ModelBuilder, theirs, accelerator_spec=accelerator).run(model, output_model_path)
        folder = Path(made.model_path).parent
        named = genai_config.read(folder).model.decoder.session_options.providers
        if named != (config.provider,):
            raise BuildError(
                f"GenAI's model builder made a graph for {', '.join(named) or 'the CPU'} instead of {config.provider}",
                next="this is a bug in the recipe: report it",
            )
        return made
