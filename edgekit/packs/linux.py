"""Linux: a CMake package, for which find_package(edgekit) finds headers, library and engines."""

from __future__ import annotations

from pathlib import Path

from edgekit import __version__
from edgekit.bundle.stage import copy
from edgekit.bundle.stage import write as write_text
from edgekit.packs import Asked, Made, _native

_CONFIG = """\
# edgekit @VERSION@: find_package(edgekit CONFIG), then target_link_libraries(app PRIVATE edgekit::edgekit).
get_filename_component(_edgekit "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(_edgekit_library "${_edgekit}/lib/linux-${CMAKE_SYSTEM_PROCESSOR}/libedgekit.so")
if(NOT EXISTS "${_edgekit_library}")
    set(edgekit_FOUND FALSE)
    set(edgekit_NOT_FOUND_MESSAGE "this pack has no library for ${CMAKE_SYSTEM_PROCESSOR}: @ABIS@")
    return()
endif()
if(NOT TARGET edgekit::edgekit)
    add_library(edgekit::edgekit SHARED IMPORTED)
    set_target_properties(edgekit::edgekit PROPERTIES
        IMPORTED_LOCATION "${_edgekit_library}"
        INTERFACE_INCLUDE_DIRECTORIES "${_edgekit}/include"
        INTERFACE_COMPILE_FEATURES cxx_std_17)
endif()
"""
_VERSION = """\
set(PACKAGE_VERSION "@VERSION@")
if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
endif()
if(NOT PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
"""


def ready(asked: Asked) -> None:
    """Build what is packed, before anything is written."""
    for wanted in _native.platforms(asked):
        _native.built(wanted)


def write(room: Path, asked: Asked) -> Made:
    """include/, lib/linux-ABI/ with the engines beside the library, and CMake's two files."""
    wanted = _native.platforms(asked)
    engines: list[str] = []
    for each in wanted:
        engines = _native.place(_native.built(each), room / "lib" / each.name)
    for header in _native.headers():
        copy(header, room / "include" / header.name)
    abis = ", ".join(each.abi for each in wanted)
    for name, text in (("edgekitConfig", _CONFIG), ("edgekitConfigVersion", _VERSION)):
        filled = text.replace("@VERSION@", __version__).replace("@ABIS@", abis)
        write_text(room / "lib/cmake/edgekit" / f"{name}.cmake", filled)
    use = ("find_package(edgekit REQUIRED CONFIG)", "target_link_libraries(app PRIVATE edgekit::edgekit)")
    return Made(use, (f"for {abis}, with {', '.join(engines)}",))
