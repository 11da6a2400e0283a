"""The sources of the C++ core, which all faces but Python's stand on."""

from edgekit import files

FOLDERS = {"cpp": files.resource("wrappers/cpp")}
SHAPE = r"cpp/(CMakeLists\.txt|src/[A-Za-z0-9_]+\.(cpp|h|hpp|map))"
