"""C++, the core with its header of C++17: Linux, and wherever an app's compiler is."""

from edgekit import files
from edgekit.faces import Face, _core

FACE = Face(
    "C++",
    "cpp",
    _core.FOLDERS,
    rf"{_core.SHAPE}|cpp/hello/CMakeLists\.txt",
    files.resource("wrappers/cpp/hello"),
)
