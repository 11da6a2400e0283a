"""edgekit: turn a model into a bundle an app can ship, with evidence that it works."""

__version__ = "0.1.0"
