"""Swift, over the C++ core, which its package compiles: iOS and macOS, and Linux."""

from edgekit import files
from edgekit.faces import Face

FACE = Face(
    "Swift",
    "swift",
    {"swift": files.resource("wrappers/swift"), "swift/c/core": files.resource("wrappers/cpp/src")},
    r"swift/(Package\.swift|(src|ios|extensions)/[A-Za-z0-9_]+\.swift|c/include/module\.modulemap"
    r"|c/core/[A-Za-z0-9_]+\.(cpp|h|hpp|map))",
    files.resource("wrappers/swift/hello"),
)
