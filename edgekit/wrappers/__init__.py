"""The minimal runtimes that are copied into bundles, one folder per language."""
