"""An .onnx file that is an echo: echo:FILE.onnx."""

from dataclasses import replace

from edgekit.sources import onnx


def matches(ref):
    """Anything that begins with echo:."""
    return ref.startswith("echo:")


def fetch(ref, options):
    """The file, described as an echo."""
    source = onnx.fetch(ref.removeprefix("echo:"), options)
    return replace(source, ref=ref, model=source.model.model_copy(update={"kind": "echo"}))
