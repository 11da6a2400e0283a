"""Measurements, verdicts and reports; one file per format."""
