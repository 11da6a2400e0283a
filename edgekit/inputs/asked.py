"""What the user names beside the model is there and can be read: said before the model is opened, perhaps fetched."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import UsageError
from edgekit.inputs import calibration, llm_texts


def check(data: Path | None, labels: Path | None, text: Path | None) -> None:
    """Look at the files of --calibration, --labels and --text, without a model.

    Raises:
        UsageError: one of them is not there, nothing can be calibrated with, or labels without data.
        SourceError: data of several kinds, or of a form that is not read.
    """
    if labels is not None and data is None:
        raise UsageError("--labels says what calibration data shows", next="give the data with --calibration FOLDER")
    for word, path in (("--labels", labels), ("--text", text)):
        if path is not None and not path.exists():
            raise UsageError(f"{word}: there is no {path}", next="check the path")
    if data is not None and not llm_texts.readable(data):
        calibration.listing(data)
