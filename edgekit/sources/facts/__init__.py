"""Readers of a model's files, none of which believes a number before it fits. No torch, no pickle."""
