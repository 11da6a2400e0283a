"""How fast at best, from how many bytes are read: memory is what small machines wait for."""

from __future__ import annotations


def token_s(weight_bytes: int, cache_bytes: int, bytes_per_s: float) -> float:
    """The least seconds of a token of an answer, for which all weights and the cache so far are read once.

    Args:
        bytes_per_s: that the device's memory delivers.
    """
    return (weight_bytes + cache_bytes) / bytes_per_s


def load_s(weight_bytes: int, bytes_per_s: float) -> float:
    """The least seconds of a first start, which reads every weight from storage that delivers `bytes_per_s`."""
    return weight_bytes / bytes_per_s
