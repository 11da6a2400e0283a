"""What was said of a model and is not asked of it: told in a line, for whoever says it expects something of it."""

from __future__ import annotations

from edgekit import console
from edgekit.sources.source import Options, Source


def tell(source: Source, options: Options) -> Source:
    """The source, as it is."""
    name = source.model.name
    if options.task and source.form == "onnx" and not source.model.architecture:
        console.say(f"--task {options.task} only says what {name} is for: it is a graph already")
    if options.trust_remote_code and not source.trust_remote_code:
        console.say(f"--trust-remote-code changes nothing: {name} brings no code that would run")
    return source
