"""Python: a runtime of its own, without the core, for machines where pip brings the engines."""

from edgekit import files
from edgekit.faces import Face

PACKAGE = "python/edgekit_runtime"  # below runtime/
FACE = Face(
    "Python",
    "py",
    {PACKAGE: files.resource("wrappers/python")},
    rf"{PACKAGE}/[A-Za-z_][A-Za-z0-9_]*\.py",
    files.resource("wrappers/python/hello"),
)
